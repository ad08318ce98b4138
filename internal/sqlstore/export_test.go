package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

// Statement is one that a store sent, with the parameters of the first time.
type Statement struct {
	SQL  string
	Args []any
}

// Listen has every statement of a store that is opened with these options told, from the migrations on.
func (o *Options) Listen(hear func(Statement)) {
	o.wrap = func(c driver.Connector) driver.Connector { return heardConnector{c, hear} }
}

// How each engine is asked for its history.
const SQLiteHistory = sqliteHistory

var PostgreSQLHistory = pgHistories[0]

// JudgeDurability is judgeDurability.
var JudgeDurability = judgeDurability

// NoticeOf is what other processes are told of a change of a session, or of another subject.
func NoticeOf(session string) string { return notice{session: session}.encode("0123456789abcdef") }

// DB is the store's database, for tests that look behind it.
func (st *Store) DB() *sql.DB { return st.w }

// Depart commits what travels with the next commit.
func (st *Store) Depart() {
	if st.group != nil {
		st.group.depart()
	}
}

// Settle looks, as after a commit that ended with an error, what became of it.
func (st *Store) Settle() error {
	_, err := st.group.look(map[int64]bool{})
	return err
}

// Exec runs a statement behind the store's back.
func (st *Store) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := st.w.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
	if st.recent != nil {
		st.recent = newRecent()
	}
}

type heardConnector struct {
	driver.Connector
	hear func(Statement)
}

func (h heardConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := h.Connector.Connect(ctx)
	return heardConn{c, h.hear}, err
}

// heardConn passes on what database/sql may ask of both drivers.
type heardConn struct {
	driver.Conn
	hear func(Statement)
}

func (h heardConn) tell(query string, args []driver.NamedValue) {
	s := Statement{SQL: query}
	for _, a := range args {
		s.Args = append(s.Args, a.Value)
	}
	h.hear(s)
}

func (h heardConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	h.tell(query, args)
	return h.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (h heardConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	h.tell(query, args)
	return h.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (h heardConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return h.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (h heardConn) CheckNamedValue(v *driver.NamedValue) error {
	if c, ok := h.Conn.(driver.NamedValueChecker); ok {
		return c.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// OpenAt makes a store's tables as they were after so many migrations, lets a test fill them, and lets go of them.
func OpenAt(t testing.TB, o Options, version int64, fill func(*sql.DB)) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(o.Dir, fileName))
	dialect := goose.DialectSQLite3
	if o.URL != "" {
		db, err = sql.Open("pgx", o.URL)
		dialect = goose.DialectPostgres
	}
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	fill(db)
}
