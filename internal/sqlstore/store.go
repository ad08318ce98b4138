// Package sqlstore is every store of Tollgate, on SQLite and on PostgreSQL, with one SQL text.
//
// Both engines are reached through database/sql. Parameters are $N, results come back by RETURNING, duplicates are
// settled by ON CONFLICT; all that differs is FOR UPDATE SKIP LOCKED and the notices between processes, which only
// PostgreSQL has and needs.
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tollgate/internal/jobs"
	"tollgate/session/flow"
)

// Options say where the data is and who wants to know of changes.
type Options struct {
	// NoSync lets SQLite's commits not wait for the disk: for tests, see package sqlitetest. What was committed outlives the
	// process, but not a power failure. What is kept of a session that was saved is compared with what was stored.
	NoSync bool

	URL string // "": SQLite in Dir; "postgres://…": PostgreSQL
	Dir string // the data folder; made if missing; used by one process at a time
	Now func() time.Time

	// OnSession is called after a commit that changed the session, made here or, on PostgreSQL, by another process.
	// Notices of another process may be lost with a connection: waiting needs a slow poll beside it.
	// It is called by whoever committed and must not block.
	OnSession func(id string)
	// OnJobs is called after jobs were enqueued that are due, here or elsewhere. It must not block.
	OnJobs func()
	// Failed is told that the database has another history, and so perhaps another server; nil: nobody asks. It must not block.
	Failed func()
	// Waited is told how long each change waited until it was stored; nil: nobody asks. It must not block.
	Waited func(time.Duration)
	Log    *slog.Logger

	// SQLite makes the connections to the data file, for whoever simulates the disk; nil: the built-in engine. Of
	// several that begin to write, the later must wait.
	SQLite func(dsn string) driver.Connector
	// Shared says that other Stores of this process use the same file: the folder is not locked, no lease is freed at
	// the start, and Alone is false. Their notices are not heard. Only a simulation of several processes says so.
	Shared bool

	wrap func(driver.Connector) driver.Connector // of tests that read every statement
}

// Limits of one call. A change once begun is carried through, or rolled back, whatever becomes of the caller.
const (
	txLimit   = 10 * time.Second
	txTries   = 5
	readers   = 8
	pgConns   = 20
	fileName  = "tollgate.db"
	lockName  = "lock"
	pgChannel = "tollgate"
)

// Store keeps everything: each embedded part the tables that it is named after.
type Store struct {
	*database
	sessionStore
	queue
	history
	customerStore
	invoiceStore
	merchantStore
	sealedStore
	sealingStore

	committed time.Time // see Committed
	lock      *os.File
	listener  *listener
	closing   sync.Once
	closeErr  error
}

func newStore(d *database) *Store {
	return &Store{
		database: d, sessionStore: sessionStore{d}, queue: queue{d}, history: history{d}, customerStore: customerStore{d},
		invoiceStore: invoiceStore{d}, merchantStore: merchantStore{d}, sealedStore: sealedStore{d}, sealingStore: sealingStore{d},
	}
}

var (
	_ flow.Store = (*Store)(nil)
	_ jobs.Queue = (*Store)(nil)
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the store, makes or renews its tables, and, on SQLite, which no other process can be using, frees the
// leases of a process that died. Errors never show the password of a URL.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	name := make([]byte, 8)
	rand.Read(name)
	st := newStore(&database{o: o, instance: hex.EncodeToString(name), visiting: visiting{rows: map[string]visitRow{}}})
	var err error
	switch {
	case o.URL == "":
		err = st.openSQLite(ctx)
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		err = st.openPostgres(ctx)
	default:
		err = errors.New("the database URL must be empty or begin with postgres://")
	}
	if err == nil {
		var at int64
		err = st.r.QueryRowContext(ctx, `SELECT at FROM pulse WHERE one = 1`).Scan(&at)
		st.committed = instant(at)
	}
	if err != nil {
		_ = st.Close()
		return nil, fmt.Errorf("sqlstore: %w", refused(err))
	}
	return st, nil
}

// Committed is when the last commit before this start was made, by the clock of then; on PostgreSQL the last health check. Zero in a
// new database.
func (st *Store) Committed() time.Time { return st.committed }

func (st *Store) openSQLite(ctx context.Context) (err error) {
	if err = os.MkdirAll(st.o.Dir, 0o700); err != nil {
		return err
	}
	if !st.o.Shared {
		if st.lock, err = lockFolder(filepath.Join(st.o.Dir, lockName)); err != nil {
			return fmt.Errorf("data folder %s: %w", st.o.Dir, err)
		}
	}
	// SQLite gives its side files (WAL, shared memory) the mode of the main one.
	path := filepath.Join(st.o.Dir, fileName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close())
	}
	if err != nil {
		return err
	}
	open := func(conns int, more ...string) (*sql.DB, error) {
		if st.o.NoSync {
			more = append(more, "synchronous(OFF)") // the later one counts
		}
		q := url.Values{"_pragma": append([]string{
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)",
			"temp_store(MEMORY)", // what a savepoint needs to be undone is no file
		}, more...), "_txlock": {"immediate"}}
		dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
		var way driver.Connector = preparing{connector{dsn, &sqlite.Driver{}}}
		if st.o.SQLite != nil {
			way = st.o.SQLite(dsn)
		}
		if st.o.wrap != nil {
			way = st.o.wrap(way)
		}
		db := sql.OpenDB(way)
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return db, nil
	}
	writers := 1
	if st.o.SQLite != nil {
		writers = readers // they take turns by themselves; database/sql would choose the next by chance
	}
	if st.w, err = open(writers); err != nil {
		return err
	}
	if err = st.migrate(ctx, goose.DialectSQLite3); err != nil {
		return err
	}
	if err = st.askHistory(ctx); err != nil {
		return err
	}
	if st.r, err = open(readers, "query_only(1)"); err != nil {
		return err
	}
	if st.o.Shared {
		return nil
	}
	st.group, st.recent, st.leases = &group{db: st.database}, newRecent(), newLeases()
	if st.o.NoSync {
		st.recent.verify = st.asRead
	}
	return errors.Join(st.FreeAll(ctx), st.Webhooks().FreeAll(ctx))
}

// connector opens connections of a driver that has none of its own.
type connector struct {
	name   string
	driver driver.Driver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }
func (c connector) Driver() driver.Driver                        { return c.driver }

func (st *Store) openPostgres(ctx context.Context) error {
	st.pg, st.checked = true, newRecent()
	config, err := pgx.ParseConfig(st.o.URL)
	if err != nil {
		return errors.New("the database URL cannot be read") // the parser's words may hold the password
	}
	connector := stdlib.GetConnector(*config, stdlib.OptionAfterConnect(byIndex))
	if st.o.wrap != nil {
		connector = st.o.wrap(connector)
	}
	st.w = sql.OpenDB(connector)
	st.w.SetMaxOpenConns(pgConns)
	st.w.SetMaxIdleConns(pgConns)
	st.w.SetConnMaxIdleTime(5 * time.Minute)
	st.r = st.w
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	if err := st.migrate(ctx, goose.DialectPostgres, goose.WithSessionLocker(locker)); err != nil {
		return err
	}
	if err := st.askHistory(ctx); err != nil {
		return err
	}
	if st.o.OnSession != nil || st.o.OnJobs != nil {
		st.listener = st.listen(config)
	}
	return nil
}

// byIndex has a connection of PostgreSQL find rows by index, one after the other. Every statement here asks for a few rows that
// an index leads to; without statistics, or with old ones, the planner would rather read a table whole to join it. jit: a table
// of one row has no index, counts as very dear so, and would have code compiled for it.
func byIndex(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off")
	return err
}

func (st *Store) migrate(ctx context.Context, d goose.Dialect, more ...goose.ProviderOption) error {
	if err := st.refuseNewer(ctx); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, st.w, files, append(more, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return st.refuseNewer(ctx) // another start may have been faster
}

// Instance names this Store among all that are open.
func (st *Store) Instance() string { return st.instance }

// Close ends all connections and gives the data folder free. It may be called again.
func (st *Store) Close() error {
	st.closing.Do(func() {
		if st.listener != nil {
			st.listener.close()
		}
		if st.group != nil {
			st.group.close()
		}
		var errs []error
		if st.r != nil && st.r != st.w {
			errs = append(errs, st.r.Close())
		}
		if st.w != nil {
			errs = append(errs, st.w.Close())
		}
		if st.lock != nil {
			errs = append(errs, st.lock.Close())
		}
		st.closeErr = errors.Join(errs...)
	})
	return st.closeErr
}

// Health tells whether the store takes writes, by making one: a full disk and a standby server still answer reads.
func (st *Store) Health(ctx context.Context) error {
	return st.light(ctx, step{query: `UPDATE pulse SET at = $1 WHERE one = 1`, args: []any{micros(st.o.Now())}})
}

// unique tells whether err is the violation of a unique index or primary key. Which one follows from the statement.
func unique(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code == "23505"
	}
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		return se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || se.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// constraint tells whether SQLite undid a statement, and no more than it, because of a constraint.
func constraint(err error) bool {
	se, ok := errors.AsType[*sqlite.Error](err)
	return ok && se.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// collided tells whether PostgreSQL rolled back one of two transactions that waited for each other.
func collided(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "40P01" || pe.Code == "40001")
}

// micros is how a time is stored. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// list writes "($3, $4, $5)": so many parameters from that one on.
func list(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", $%d", from+i)
	}
	return "(" + strings.TrimPrefix(b.String(), ", ") + ")"
}

// values writes "($1, $2), ($3, $4)" for rows of so many columns.
func values(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}
