package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// database is what all parts of a Store share: the connections, and how a change is made and told of.
type database struct {
	w, r     *sql.DB // on SQLite one writing connection and a pool that cannot write; on PostgreSQL the same pool twice
	pg       bool
	o        Options
	instance string // names this Store in notices, so that it does not hear itself

	group   *group  // SQLite with this process alone; nil otherwise
	recent  *recent // the same
	checked *recent // PostgreSQL: what is kept of sessions until their version is another
	leases  *leases // of jobs; the same

	visiting visiting

	changes, commits atomic.Int64 // since the start, for metrics

	historySQL string // how the database tells its history

	mu      sync.Mutex
	lastJob int64
	memory  memory
}

// tx is a transaction with its context, which is not the caller's: see change.
type tx struct {
	*sql.Tx
	ctx   context.Context
	guard bool // statements of a script run as they would in one message
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.ExecContext(t.ctx, query, args...)
	return err
}

// affected is exec that counts rows.
func (t *tx) affected(query string, args ...any) (int64, error) {
	res, err := t.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// errAgain says that another transaction was faster and that this one, run again, will see what it did.
var errAgain = errors.New("sqlstore: run the transaction again")

// notice is what is told to others once a change is committed.
type notice struct {
	session string
	jobs    bool
	own     *saving // of the session that is saved; nil: of another change
}

func (n notice) reading() *reading {
	if n.own == nil {
		return nil
	}
	return &n.own.reading
}

// changeOne changes one row or is the given error.
func (st *database) changeOne(ctx context.Context, missing error, query string, args ...any) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		n, err := tx.affected(query, args...)
		if err == nil && n == 0 {
			err = missing
		}
		return err
	})
}

// Alone tells that no other process uses the store.
func (st *database) Alone() bool { return !st.pg && !st.o.Shared }

// change runs f in a transaction that writes, again if another was in the way, and then tells of it. The caller's
// context counts until the transaction begins: a shopper who goes away must not cut a commit in two, which would leave
// us not knowing whether it happened.
func (st *database) change(ctx context.Context, n notice, f func(*tx) error) error {
	return st.tries(ctx, n, func() error { return st.tryOnce(ctx, n, f) })
}

// tries makes a change, again if another was in the way, and then tells of it.
func (st *database) tries(ctx context.Context, n notice, once func() error) error {
	if st.o.Waited != nil {
		begun := time.Now()
		defer func() { st.o.Waited(time.Since(begun)) }()
	}
	for try := 1; ; try++ {
		switch err := once(); {
		case err == nil:
			st.changes.Add(1)
			if n.own != nil {
				n.own.stored()
			}
			st.notify(n)
			return nil
		case try < txTries && (errors.Is(err, errAgain) || collided(err)):
		default:
			return err
		}
	}
}

// tryOnce makes a change, with others or by itself.
func (st *database) tryOnce(ctx context.Context, n notice, f func(*tx) error) error {
	if st.recent != nil && n.session != "" {
		defer st.recent.change(n.session, n.reading())()
	}
	if st.group != nil {
		return st.group.run(ctx, f)
	}
	return st.once(ctx, n, f)
}

// ride makes a change with the next commit of a SQLite store; what names it for the log. See group.ride.
func (st *database) ride(what string, f func(*tx) error, after func(error)) {
	st.group.ride(f, func(err error) {
		if err == nil {
			st.changes.Add(1)
		} else {
			st.o.Log.Error("what travels with the next commit could not be written", "what", what, "error", err)
		}
		after(err)
	})
}

func (st *database) once(ctx context.Context, n notice, f func(*tx) error) error {
	conn, own, done, err := st.onConn(ctx)
	if err != nil {
		return err
	}
	defer done()
	begun, err := conn.BeginTx(own, nil)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // nothing after a commit
	t := &tx{Tx: begun, ctx: own}
	if err := f(t); err != nil {
		return err
	}
	if st.pg && n != (notice{}) {
		if err := t.exec(notifies, pgChannel, n.encode(st.instance)); err != nil {
			return err
		}
	}
	st.commits.Add(1)
	return t.Commit()
}

// onConn is a connection that writes, with a context that is not the caller's (see change).
func (st *database) onConn(ctx context.Context) (conn *sql.Conn, own context.Context, done func(), err error) {
	if conn, err = st.w.Conn(ctx); err != nil {
		return nil, nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		conn.Close()
		return nil, nil, nil, err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), txLimit)
	return conn, own, func() { cancel(); conn.Close() }, nil
}

// Written counts the changes that were made and the commits that made them, since the start.
func (st *database) Written() (changes, commits int64) { return st.changes.Load(), st.commits.Load() }

func (st *database) notify(n notice) {
	if n.session != "" && st.o.OnSession != nil {
		st.o.OnSession(n.session)
	}
	if n.jobs && st.o.OnJobs != nil {
		st.o.OnJobs()
	}
}

// newJobID grows within this process and is unlike those of others: microseconds, then twelve random bits.
func (st *database) newJobID() int64 {
	var b [2]byte
	rand.Read(b[:])
	id := st.o.Now().UnixMicro()<<12 | int64(binary.BigEndian.Uint16(b[:])&0xfff)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lastJob = max(st.lastJob+1, id)
	return st.lastJob
}
