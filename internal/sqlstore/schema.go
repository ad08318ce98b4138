package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNewer says that a newer program has changed the tables in a way that this one does not know and must not write over.
var ErrNewer = errors.New("the database is newer than this program: a newer version of Tollgate has changed its tables; " +
	"run that version, or restore a backup of before it")

// ourVersions are the migrations that this program has.
func ourVersions() (ours []int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		number, _, _ := strings.Cut(filepath.Base(f), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, err
		}
		ours = append(ours, n)
	}
	return ours, nil
}

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func column[T any](ctx context.Context, db querier, query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (v T, err error) { return v, rows.Scan(&v) })
}

// compareVersions tells how many of our migrations are not run yet, and whether others are that we cannot live with.
func compareVersions(ctx context.Context, db querier) (pending int, newer bool, err error) {
	ours, err := ourVersions()
	if err != nil {
		return 0, false, err
	}
	applied, err := column[int64](ctx, db, `SELECT version_id FROM goose_db_version WHERE is_applied AND version_id > 0`)
	if err != nil {
		return 0, false, err
	}
	var foreign []int64
	for _, n := range applied {
		if slices.Contains(ours, n) {
			pending++
		} else {
			foreign = append(foreign, n)
		}
	}
	pending = len(ours) - pending
	if len(foreign) == 0 || pending > 0 { // tables of another kind than a later version's
		return pending, len(foreign) > 0, nil
	}
	reach, err := column[int64](ctx, db, `SELECT version FROM schema_reach WHERE writable_from <= $1`, slices.Max(ours))
	for _, n := range foreign {
		newer = newer || !slices.Contains(reach, n)
	}
	return pending, newer, err
}

// Writable tells whether this program may write to the tables as they are now: ErrNewer where a newer one has changed them.
func (st *Store) Writable(ctx context.Context) error {
	_, newer, err := compareVersions(ctx, st.r)
	if err == nil && newer {
		err = ErrNewer
	}
	return err
}

// refuseNewer is Writable before the tables are touched, where there may be none.
func (st *Store) refuseNewer(ctx context.Context) error {
	query := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	if st.pg {
		query = `SELECT COUNT(*) FROM pg_tables WHERE tablename = 'goose_db_version' AND schemaname = ANY (current_schemas(false))`
	}
	var tables int
	if err := st.w.QueryRowContext(ctx, query).Scan(&tables); err != nil || tables == 0 {
		return err
	}
	switch _, newer, err := compareVersions(ctx, st.w); {
	case err != nil:
		return fmt.Errorf("migrations: %w", err)
	case newer:
		return ErrNewer
	}
	return nil
}

// SchemaVersion names the newest migration that this program has.
func SchemaVersion() string {
	newest := int64(0)
	if ours, err := ourVersions(); err == nil && len(ours) > 0 {
		newest = slices.Max(ours)
	}
	return strconv.FormatInt(newest, 10)
}
