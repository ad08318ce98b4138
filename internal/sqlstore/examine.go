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

// Examined is what a look at a store found. Nothing was changed.
type Examined struct {
	Engine  string // SQLite, PostgreSQL
	Missing bool   // there is none yet: the first start makes it
	InUse   bool   // SQLite: a Tollgate runs on it
	Pending int    // migrations that the next start will run
	Newer   bool   // a newer Tollgate has been here: this one does not know all of its tables
	Weak    string // PostgreSQL: what of its settings lets it forget commits; "": nothing
	Ahead   time.Duration
	// Ahead is how far the database's clock is before ours, measured to about half the time of one question.
}

// Examine looks at a store without opening it for work. Errors never show the password of a URL.
func Examine(ctx context.Context, o Options) (x Examined, err error) {
	if o.URL == "" {
		return examineSQLite(ctx, o)
	}
	x.Engine = "PostgreSQL"
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return x, errors.New("the database URL cannot be read")
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return x, refused(err)
	}
	asked := time.Now()
	there, err := readTime(db.QueryRowContext(ctx, `SELECT `+pgTime))
	if err != nil {
		return x, err
	}
	took := time.Since(asked)
	if x.Weak, err = durability(ctx, db); err != nil {
		return x, err
	}
	x.Ahead = there.Sub(asked.Add(took / 2)).Round(time.Millisecond)
	var tables int
	if err := db.QueryRowContext(ctx,
		`SELECT COUNT(*) FROM pg_tables WHERE tablename = 'goose_db_version' AND schemaname = ANY (current_schemas(false))`).Scan(&tables); err != nil {
		return x, err
	}
	x.Missing = tables == 0
	return x, x.versions(ctx, db)
}

func examineSQLite(ctx context.Context, o Options) (x Examined, err error) {
	x.Engine = "SQLite"
	path := filepath.Join(o.Dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		x.Missing = true
		return x, x.versions(ctx, nil)
	} else if err != nil {
		return x, err
	}
	switch held, err := lockFolder(filepath.Join(o.Dir, lockName)); {
	case errors.Is(err, errFolderInUse):
		x.InUse = true
	case err != nil:
		return x, err
	default:
		defer held.Close() // no Tollgate starts while we look
	}
	q := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: q.Encode()}).String())
	if err != nil {
		return x, err
	}
	defer db.Close()
	var fine string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&fine); err != nil {
		return x, err
	}
	if fine != "ok" {
		return x, errors.New("the file is damaged: " + fine)
	}
	var tables int
	if err := db.QueryRowContext(ctx,
		`SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`).Scan(&tables); err != nil {
		return x, err
	}
	x.Missing = tables == 0
	return x, x.versions(ctx, db)
}

// versions compares the migrations that were run with those that we have.
func (x *Examined) versions(ctx context.Context, db *sql.DB) error {
	if x.Missing {
		ours, err := ourVersions()
		x.Pending = len(ours)
		return err
	}
	var err error
	x.Pending, x.Newer, err = compareVersions(ctx, db)
	return err
}
