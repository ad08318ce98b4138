package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// ErrNoTables says that there is no database yet, or one whose tables are another version's.
var ErrNoTables = errors.New("sqlstore: the tables are not there, or not this version's")

// View lets see read a store that others may be running on, and changes nothing. ErrNoTables.
func View(ctx context.Context, o Options, see func(*Store) error) error {
	x, err := Examine(ctx, o)
	if err != nil {
		return err
	}
	if x.Missing || x.Pending > 0 || x.Newer {
		return ErrNoTables
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := readOnly(o)
	if err != nil {
		return err
	}
	defer db.Close()
	return see(newStore(&database{r: db, o: o, pg: o.URL != ""}))
}

func readOnly(o Options) (*sql.DB, error) {
	if o.URL != "" {
		config, err := pgx.ParseConfig(o.URL)
		if err != nil {
			return nil, errors.New("the database URL cannot be read")
		}
		config.RuntimeParams["default_transaction_read_only"] = "on"
		return stdlib.OpenDB(*config), nil
	}
	path := filepath.Join(o.Dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoTables
	}
	q := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: q.Encode()}).String())
}
