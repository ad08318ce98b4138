package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
)

// preparing makes connections of SQLite that keep the statements they have prepared. Reading a statement's text costs SQLite
// more than most of our statements take to run. database/sql would keep them too, but for all connections together, under
// locks that every call takes. (pgx keeps those of PostgreSQL by itself.)
type preparing struct{ driver.Connector }

// Connect opens a connection.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &preparedConn{Conn: c, kept: map[string]keptStmt{}}, nil
}

// keepStatements is how many statements a connection keeps. Those that list a number of values have many texts.
const keepStatements = 200

// preparedConn is a connection of SQLite. database/sql calls one of its methods, or of its rows, at a time.
//
// A transaction in which a statement failed takes no other: after most errors, a full disk among them, SQLite has rolled it
// back already, and what came next would be committed by itself. A violated constraint undoes its statement alone.
type preparedConn struct {
	driver.Conn
	kept   map[string]keptStmt // those that no rows are being read of
	clock  int64               // counts uses
	inTx   bool
	failed error // of the transaction
	broken bool  // what its last commit did is not known
}

type keptStmt struct {
	driver.Stmt
	used int64
}

// single tells statements that are worth keeping from those of migrations and settings.
func single(query string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT":
		return true
	}
	return false
}

// take prepares a statement, or takes it out of those that are kept: the same may be wanted again before its rows are read.
func (c *preparedConn) take(query string) (driver.Stmt, error) {
	if k := c.kept[query]; k.Stmt != nil {
		delete(c.kept, query)
		return k.Stmt, nil
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
}

func (c *preparedConn) keep(query string, s driver.Stmt) {
	if c.kept == nil || c.kept[query].Stmt != nil {
		_ = s.Close()
		return
	}
	c.clock++
	c.kept[query] = keptStmt{s, c.clock}
	if len(c.kept) <= keepStatements {
		return
	}
	oldest := query
	for other, k := range c.kept {
		if k.used < c.kept[oldest].used {
			oldest = other
		}
	}
	_ = c.kept[oldest].Close()
	delete(c.kept, oldest)
}

// note remembers what ended the transaction.
func (c *preparedConn) note(err error) error {
	if err != nil && c.inTx && c.failed == nil && !errors.Is(err, io.EOF) && !constraint(err) {
		c.failed = err
	}
	return err
}

// ExecContext runs a statement. It is not cut short by the end of ctx: none takes long, and a watch on each would cost more than
// most of them.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := errors.Join(ctx.Err(), c.failed); err != nil {
		return nil, err
	}
	if !single(query) {
		r, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return r, c.note(err)
	}
	s, err := c.take(query)
	if err != nil {
		return nil, c.note(err)
	}
	defer c.keep(query, s)
	r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
	return r, c.note(err)
}

// QueryContext is ExecContext for rows.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := errors.Join(ctx.Err(), c.failed); err != nil {
		return nil, err
	}
	if !single(query) {
		r, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return r, c.note(err)
	}
	s, err := c.take(query)
	if err != nil {
		return nil, c.note(err)
	}
	r, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		c.keep(query, s)
		return nil, c.note(err)
	}
	return &preparedRows{Rows: r, c: c, query: query, s: s}, nil
}

// BeginTx begins a transaction that writes at once, or one that only reads.
func (c *preparedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN IMMEDIATE"
	if o.ReadOnly {
		begin = "BEGIN"
	}
	c.failed = nil
	if _, err := c.ExecContext(ctx, begin, nil); err != nil {
		return nil, err
	}
	c.inTx = true
	return preparedTx{c}, nil
}

// PrepareContext prepares a statement that the caller keeps.
func (c *preparedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// Ping asks the connection.
func (c *preparedConn) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }

// ResetSession is called before the connection is used again.
func (c *preparedConn) ResetSession(ctx context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid tells whether the connection may be used again.
func (c *preparedConn) IsValid() bool { return !c.broken && c.Conn.(driver.Validator).IsValid() }

// Close ends the connection.
func (c *preparedConn) Close() error {
	for _, s := range c.kept {
		_ = s.Close()
	}
	c.kept = nil
	return c.Conn.Close()
}

type preparedTx struct{ c *preparedConn }

// Commit commits, or rolls back where a statement has failed. After an error the connection is not used again.
func (t preparedTx) Commit() error {
	if failed := t.c.failed; failed != nil {
		return errors.Join(failed, t.Rollback())
	}
	t.c.inTx = false
	if _, err := t.c.ExecContext(context.Background(), "COMMIT", nil); err != nil {
		t.c.broken = true
		_, _ = t.c.ExecContext(context.Background(), "ROLLBACK", nil) // of a commit that did not begin
		return err
	}
	return nil
}

// Rollback undoes what was done. After errors SQLite has done so by itself.
func (t preparedTx) Rollback() error {
	ended := t.c.failed != nil
	t.c.inTx, t.c.failed = false, nil
	_, err := t.c.ExecContext(context.Background(), "ROLLBACK", nil)
	if err != nil {
		t.c.broken = true // the next user would be in this transaction, unless there is none
		if ended {
			return nil
		}
	}
	return err
}

// preparedRows gives its statement back.
type preparedRows struct {
	driver.Rows
	c     *preparedConn
	query string
	s     driver.Stmt
}

// Next reads a row.
func (r *preparedRows) Next(dest []driver.Value) error { return r.c.note(r.Rows.Next(dest)) }

// Close gives the statement back.
func (r *preparedRows) Close() error {
	err := r.Rows.Close()
	if r.s != nil {
		r.c.keep(r.query, r.s)
		r.s = nil
	}
	return err
}
