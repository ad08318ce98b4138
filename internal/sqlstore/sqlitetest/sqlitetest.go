// Package sqlitetest gives tests a store that costs little: a new SQLite store starts as a copy of one whose tables are made
// once for each test process, and its commits do not wait for the disk. Kill -9 loses nothing of it; a power failure could,
// which the tests of package sqlstore are about, with the settings of every day.
package sqlitetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"tollgate/internal/sqlstore"
)

const fileName = "tollgate.db" // in the data folder

// Open is sqlstore.Open for tests. A PostgreSQL store and a folder that has a store already are opened as they are.
func Open(ctx context.Context, o sqlstore.Options) (*sqlstore.Store, error) {
	if o.URL == "" {
		o.NoSync = true
		if err := fill(o.Dir); err != nil {
			return nil, err
		}
	}
	return sqlstore.Open(ctx, o)
}

// empty is the file of a store in which nothing is yet.
var empty = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "sqlitetest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	st, err := sqlstore.Open(context.Background(), sqlstore.Options{Dir: dir, NoSync: true})
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil { // all is in the one file after it
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, fileName))
})

func fill(dir string) error {
	file, err := empty()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(file)
	return errors.Join(err, f.Close())
}
