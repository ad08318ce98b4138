package simulation

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// disk is the database server of a world, which its fronts share: SQLite in a file that is never checkpointed, so that
// the file's log can be cut at any of its commits. That is what a failover to a standby that lagged leaves, and what a
// restored copy is.
type disk struct {
	w    *World
	dir  string
	lock chan struct{} // one transaction that writes, as SQLite has it

	mu      sync.Mutex
	primary *file
	files   int
	down    bool          // nothing answers
	changed chan struct{} // work may have been enqueued
}

// file is one history of the database.
type file struct {
	path    string
	watch   *sql.DB // the world's own look; open as long as the file, so that no other's end truncates the log
	queues  *sql.Stmt
	commits []commit
	wrong   time.Duration // by how much this server's clock is
}

// commit is where the log ended after it.
type commit struct {
	end  int64
	what string
	idle bool
}

var (
	errDown       = errors.New("simulation: the database does not answer")
	errConnection = errors.New("simulation: the connection to the database broke")
)

func newDisk(w *World, dir string) (*disk, error) {
	d := &disk{w: w, dir: dir, lock: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	f, err := d.add(template, nil)
	d.primary = f
	return d, err
}

// template is a database whose tables are made, so that not every world makes them.
var template []byte

func (d *disk) add(db, wal []byte) (*file, error) {
	d.files++
	f := &file{path: filepath.Join(d.dir, fmt.Sprintf("primary%d.db", d.files)), wrong: d.w.wrongServer(d.files)}
	if err := errors.Join(os.WriteFile(f.path, db, 0o600), os.WriteFile(f.path+"-wal", wal, 0o600)); err != nil {
		return nil, err
	}
	var err error
	if f.watch, err = sql.Open("sqlite", "file:"+f.path+"?_pragma=query_only(1)&_pragma=wal_autocheckpoint(0)"); err != nil {
		return nil, err
	}
	f.watch.SetMaxOpenConns(1)
	f.queues, err = f.watch.Prepare(`SELECT min(at), sum(held) FROM (
		SELECT max(run_at, lease_until) AS at, worker <> '' AS held FROM job
		UNION ALL
		SELECT max(due_at, held_until), holder <> '' FROM webhook_endpoint WHERE due_at > 0 AND deleted_at = 0
		UNION ALL
		SELECT 0, FALSE FROM webhook_feed f, event_place p WHERE f.pos < p.last OR EXISTS (SELECT 1 FROM event WHERE pos IS NULL))`)
	return f, err
}

func (d *disk) current() (f *file, down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.primary, d.down
}

// failover loses the last commits, at most so many: a standby without them is the primary from now on. The names of what
// was lost come back. Connections to the old primary are broken; the server answers again after a while.
func (d *disk) failover(most int, down time.Duration) (lost []string, err error) {
	d.lock <- struct{}{}
	defer func() { <-d.lock }()
	old, _ := d.current()
	db, err := os.ReadFile(old.path)
	if err != nil {
		return nil, err
	}
	wal, err := os.ReadFile(old.path + "-wal")
	if err != nil {
		return nil, err
	}
	keep := len(old.commits)
	for keep > 1 && len(lost) < most && !d.w.Profile.spares(old.commits[keep-1].what) {
		if keep--; !old.commits[keep].idle {
			lost = append(lost, old.commits[keep].what)
		}
	}
	if keep > 0 {
		wal = wal[:old.commits[keep-1].end]
	}
	slices.Reverse(lost)
	next, err := d.add(db, wal)
	if err != nil {
		return nil, err
	}
	if err := next.promote(d.files); err != nil {
		return nil, err
	}
	next.commits = slices.Clone(old.commits[:keep])
	d.mu.Lock()
	d.primary, d.down = next, true
	d.mu.Unlock()
	time.AfterFunc(down, func() {
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		d.touch()
	})
	return lost, old.watch.Close()
}

// promote begins another history, which the file tells.
func (f *file) promote(n int) error {
	db, err := sql.Open("sqlite", "file:"+f.path+"?_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return err
	}
	_, err = db.Exec(fmt.Sprintf("PRAGMA user_version = %d", n))
	return errors.Join(err, db.Close())
}

// everything is all that is stored, of each history.
func (d *disk) everything() map[string][]byte {
	all := map[string][]byte{}
	for n := range d.files {
		for _, name := range []string{fmt.Sprintf("primary%d.db", n+1), fmt.Sprintf("primary%d.db-wal", n+1)} {
			if raw, err := os.ReadFile(filepath.Join(d.dir, name)); err == nil {
				all[name] = raw
			}
		}
	}
	return all
}

func (d *disk) close() error {
	f, _ := d.current()
	return f.watch.Close()
}

func (d *disk) touch() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// due is when the queues' next work is due; ok is false where there is none. busy tells that some is being done.
func (d *disk) due() (at time.Time, ok, busy bool, err error) {
	f, _ := d.current()
	var first, held sql.NullInt64
	err = f.queues.QueryRow().Scan(&first, &held)
	return time.UnixMicro(first.Int64).UTC(), first.Valid, held.Int64 > 0, err
}

// waiting is what is next in the queues, for whoever looks into why they never empty.
func (d *disk) waiting(now time.Time) string {
	f, _ := d.current()
	var what []string
	for _, q := range []string{
		`SELECT 'job ' || kind || ' ' || key, run_at, lease_until, worker FROM job ORDER BY max(run_at, lease_until) LIMIT 3`,
		`SELECT 'webhooks ' || id, due_at, held_until, holder FROM webhook_endpoint WHERE due_at > 0 AND deleted_at = 0 ORDER BY max(due_at, held_until) LIMIT 3`,
		`SELECT 'events without a place ' || COUNT(*), 0, 0, '' FROM event WHERE pos IS NULL HAVING COUNT(*) > 0`,
		`SELECT 'events that are no webhooks yet', f.pos, p.last, '' FROM webhook_feed f, event_place p WHERE f.pos < p.last`,
	} {
		rows, err := f.watch.Query(q)
		if err != nil {
			return err.Error()
		}
		for rows.Next() {
			var name, who string
			var at, until int64
			if err := rows.Scan(&name, &at, &until, &who); err != nil {
				return err.Error()
			}
			what = append(what, fmt.Sprintf("%s (due in %s, held for %s by %q)", name, time.UnixMicro(at).Sub(now), time.UnixMicro(until).Sub(now), who))
		}
		_ = rows.Close()
	}
	return strings.Join(what, "; ")
}

// driver is a process's way to the database.
func (d *disk) driver(p *Proc) func(dsn string) driver.Connector {
	return func(dsn string) driver.Connector { return &connector{d: d, p: p, dsn: dsn} }
}

type connector struct {
	d   *disk
	p   *Proc
	dsn string // what the process believes to open; its settings are kept, its path is not
}

func (c *connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	if c.p.isDead() {
		return nil, errDead
	}
	f, down := c.d.current()
	if down {
		return nil, errDown
	}
	_, settings, _ := strings.Cut(c.dsn, "?")
	settings += "&_pragma=" + url.QueryEscape("wal_autocheckpoint(0)")
	inner, err := (&sqlite.Driver{}).Open("file:" + f.path + "?" + settings)
	if err != nil {
		return nil, err
	}
	return &dbConn{
		Conn: inner, d: c.d, p: c.p, f: f, writes: !strings.Contains(settings, "query_only"), prepared: map[string]driver.Stmt{},
	}, nil
}

// dbConn is a connection that ends with its process and with its primary. It keeps what it prepared: half of what a
// simulation costs would be the parsing of SQL.
type dbConn struct {
	driver.Conn
	d        *disk
	p        *Proc
	f        *file
	writes   bool
	tx       *dbTx
	prepared map[string]driver.Stmt
}

// usable says why nothing can be done: the process is dead, or this is a connection to a server that is no more.
func (c *dbConn) usable() error {
	if c.p.isDead() {
		return errDead
	}
	if f, down := c.d.current(); down || f != c.f {
		return errConnection
	}
	return nil
}

// turn is World.turn for whoever of the program asks, and about whose order.
func (c *dbConn) turn(args []driver.NamedValue) {
	if c.tx != nil {
		return
	}
	var pcs stack
	runtime.Callers(3, pcs[:])
	who := pcs.caller()
	if who.holdsLock { // others that wait for a mutex stop the bubble's time
		return
	}
	c.d.w.turn(c.p.name + who.name + " of " + c.d.w.whose(args))
}

// stack is where a goroutine is.
type stack [40]uintptr

// caller is who is at the database.
type caller struct {
	name      string
	holdsLock bool
}

// callers keeps who is where: to find out is dear.
var callers sync.Map

// caller is the innermost functions of the program's own beyond the store, whatever the store calls within itself; in a goroutine of
// the store's own, the outermost of those.
func (pcs stack) caller() (who caller) {
	if known, ok := callers.Load(pcs); ok {
		return known.(caller)
	}
	found, within := 0, ""
	frames := runtime.CallersFrames(pcs[:])
	for f, more := frames.Next(); more && found < 3; f, more = frames.Next() {
		name, ours := strings.CutPrefix(f.Function, "tollgate/")
		switch {
		case !ours, strings.HasPrefix(name, "internal/simulation."):
		case strings.HasPrefix(name, "internal/sqlstore."):
			who.holdsLock = who.holdsLock || strings.Contains(name, "(*queue).lease")
			within = " " + name
		default:
			who.name += " " + name
			found++
		}
	}
	who.name = cmp.Or(who.name, within)
	callers.Store(pcs, who)
	return who
}

func (c *dbConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.turn(nil)
	if c.writes {
		select {
		case c.d.lock <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	err := c.usable()
	var inner driver.Tx
	if err == nil {
		inner, err = c.Conn.(driver.ConnBeginTx).BeginTx(context.Background(), o)
	}
	if err != nil {
		if c.writes {
			<-c.d.lock
		}
		if errors.Is(err, errConnection) {
			return nil, driver.ErrBadConn // the pool makes another
		}
		return nil, err
	}
	c.tx = &dbTx{Tx: inner, c: c}
	return c.tx, nil
}

func (c *dbConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.turn(args)
	if err := errors.Join(c.usable(), ctx.Err()); err != nil {
		return nil, err
	}
	c.tx.note(q, args)
	s, err := c.prepare(q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.(driver.ExecerContext).ExecContext(context.Background(), q, args)
	}
	defer c.keep(q, s)
	done, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err == nil {
		err = c.tx.madeNone(q, done)
	}
	return done, err
}

func (c *dbConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.turn(args)
	if err := errors.Join(c.usable(), ctx.Err()); err != nil {
		return nil, err
	}
	if strings.Contains(q, "unixepoch") { // the engine would ask the real machine
		return &timeRow{at: time.Now().Add(c.f.wrong)}, nil
	}
	c.tx.note(q, args)
	s, err := c.prepare(q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.Conn.(driver.QueryerContext).QueryContext(context.Background(), q, args)
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &dbRows{Rows: rows, done: func() { c.keep(q, s) }}, nil
}

// prepare takes a statement out of what is kept, or makes it; nil where it is no single statement on rows.
func (c *dbConn) prepare(q string) (driver.Stmt, error) {
	if s := c.prepared[q]; s != nil {
		delete(c.prepared, q)
		return s, nil
	}
	switch word, _, _ := strings.Cut(strings.TrimSpace(q), " "); word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return c.Conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), q)
	}
	return nil, nil
}

func (c *dbConn) keep(q string, s driver.Stmt) {
	if c.prepared == nil || c.prepared[q] != nil {
		_ = s.Close()
		return
	}
	c.prepared[q] = s
}

func (c *dbConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q)
}

func (c *dbConn) Ping(context.Context) error { return c.usable() }

func (c *dbConn) ResetSession(ctx context.Context) error {
	if c.usable() != nil {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *dbConn) IsValid() bool { return c.usable() == nil && c.Conn.(driver.Validator).IsValid() }

func (c *dbConn) Close() error {
	for _, s := range c.prepared {
		_ = s.Close()
	}
	c.prepared = nil
	return c.Conn.Close()
}

// timeRow is a server's time.
type timeRow struct {
	at   time.Time
	over bool
}

func (r *timeRow) Columns() []string { return []string{"at"} }
func (r *timeRow) Close() error      { return nil }
func (r *timeRow) Next(to []driver.Value) error {
	if r.over {
		return io.EOF
	}
	to[0], r.over = r.at.UnixMicro(), true
	return nil
}

// dbRows gives its statement back.
type dbRows struct {
	driver.Rows
	done func()
}

func (r *dbRows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		r.done()
		r.done = nil
	}
	return err
}

// dbTx is a transaction. What it does to which tables is its name.
type dbTx struct {
	driver.Tx
	c     *dbConn
	words []string
	who   string // the shopper whose session it is about
	ended bool
}

// note keeps what a statement does.
func (t *dbTx) note(q string, args []driver.NamedValue) {
	if t == nil {
		return
	}
	if t.who == "" {
		t.who = t.c.d.w.whose(args)
	}
	f := strings.Fields(q)
	if len(f) < 3 {
		return
	}
	switch f[0] {
	case "INSERT":
		t.words = append(t.words, "+"+f[2])
	case "UPDATE":
		t.words = append(t.words, "~"+f[1])
	case "DELETE":
		t.words = append(t.words, "-"+f[2])
	}
}

// madeNone forgets of a statement that inserted nothing that it did: a save writes the runs that are there already, too.
func (t *dbTx) madeNone(q string, done driver.Result) error {
	if t == nil || !strings.HasPrefix(strings.TrimSpace(q), "INSERT") || len(t.words) == 0 {
		return nil
	}
	n, err := done.RowsAffected()
	if n == 0 {
		t.words = t.words[:len(t.words)-1]
	}
	return err
}

func (t *dbTx) name() string {
	s := strings.Join(slices.Compact(slices.Clone(t.words)), " ")
	if t.who != "" {
		s += " of " + t.who
	}
	return s
}

// idle tells what only looks after leases and the health of the server: no fault is spent on it, and no line.
func (t *dbTx) idle() bool {
	return !slices.ContainsFunc(t.words, func(s string) bool {
		return s != "~job" && s != "~webhook_endpoint" && s != "~pulse" && s != "~webhook_feed" && s != "~front"
	})
}

func (t *dbTx) end() {
	if !t.ended && t.c.writes {
		<-t.c.d.lock
	}
	t.ended = true
	t.c.tx = nil
}

func (t *dbTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *dbTx) Commit() error {
	if err := t.c.usable(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	w, p, name := t.c.d.w, t.c.p, t.name()
	var verdict commitFault
	if !t.idle() {
		verdict = w.commitFault(name)
	}
	if verdict == killBefore {
		err := t.Rollback()
		w.killed(p, "before the commit of "+name)
		return errors.Join(errConnection, err)
	}
	if err := t.Tx.Commit(); err != nil {
		t.end()
		return err
	}
	if err := t.record(name); err != nil {
		w.violation("the simulation: %v", err)
	}
	t.end()
	switch verdict {
	case killAfter:
		w.killed(p, "after the commit of "+name)
		return errConnection
	case answerOfCommitLost:
		w.tracef("%s does not hear of its commit", p.name)
		return errConnection
	}
	return nil
}

// record keeps where the log ends now.
func (t *dbTx) record(name string) error {
	i, err := os.Stat(t.c.f.path + "-wal")
	if err != nil {
		return err
	}
	if n := len(t.c.f.commits); n == 0 || t.c.f.commits[n-1].end != i.Size() {
		t.c.f.commits = append(t.c.f.commits, commit{i.Size(), name, t.idle()})
	}
	if !t.idle() {
		t.c.d.w.tracef("%s commits %s", t.c.p.name, name)
		t.c.d.touch()
	}
	return nil
}
