package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"tollgate/internal/merchant"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// group commits the changes of a SQLite store that come at the same time in one transaction: they wait for the disk once. Each
// has a savepoint of its own, is judged by its own conditions, and is told only after the commit.
//
// Who comes while nobody commits, commits; who comes meanwhile waits, and the first of those commits all of them next.
//
// After any error but a violated constraint or a lost compare-and-swap the whole transaction is undone and each change is made
// by itself. Where it is not known whether a commit happened, that is found out before anybody is told.
type group struct {
	db *database
	at func(place string) // of tests that stop the process there

	mu     sync.Mutex
	busy   bool
	queue  []*grouped
	riders []*grouped // see ride
	leaves *time.Timer
	closed bool
}

// grouped is a change that waits, or is being made.
type grouped struct {
	f        func(*tx) error
	turn     chan bool   // true: commit the next batch; false: it is done
	after    func(error) // of a change that rides: told how it ended
	err      error
	panicked any
}

const (
	groupAtMost  = 64 // changes of one transaction
	settleLimit  = 10 * time.Second
	settlePause  = 50 * time.Millisecond
	rideAtMost   = time.Second // until a change that rides is committed by itself
	ridersAtMost = 32          // that wait
)

// errUnsettled says that a change may or may not have been made, and that the disk does not let us find out.
var errUnsettled = errors.New("sqlstore: it is not known whether the change was made")

// run makes a change. ctx counts until the change's transaction begins.
func (g *group) run(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own := &grouped{f: f, turn: make(chan bool, 1)}
	if !g.enter(own) {
		g.reach("batch.waits")
		lead := false
		select {
		case lead = <-own.turn:
		case <-ctx.Done():
			if g.withdraw(own) {
				return ctx.Err()
			}
			lead = <-own.turn
		}
		if !lead {
			return own.result()
		}
	}
	g.lead(own)
	return own.result()
}

// ride makes a change in the next transaction that is committed, whoever asks for it, and by itself where none is within
// rideAtMost. It is for what a crash may undo: nobody waits for it. after is told how it ended, by whoever committed, and must not
// block.
func (g *group) ride(f func(*tx) error, after func(error)) {
	g.mu.Lock()
	closed := g.closed
	if !closed {
		g.riders = append(g.riders, &grouped{f: f, after: after})
		switch len(g.riders) {
		case 1:
			g.leaves = time.AfterFunc(rideAtMost, g.depart)
		case ridersAtMost:
			go g.depart()
		}
	}
	g.mu.Unlock()
	if closed {
		after(g.run(context.Background(), f))
	}
}

// depart commits what rides.
func (g *group) depart() {
	_ = g.run(context.Background(), func(*tx) error { return nil }) // each is told for itself
}

// close commits what rides. From now on nothing does.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	some := len(g.riders) > 0
	g.mu.Unlock()
	if some {
		g.depart()
	}
}

// enter takes the lead, or a place in the queue.
func (g *group) enter(own *grouped) (lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.busy {
		g.busy = true
		return true
	}
	g.queue = append(g.queue, own)
	return false
}

// withdraw leaves the queue, unless it is too late.
func (g *group) withdraw(own *grouped) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, own)
	if i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	return i >= 0
}

// lead commits its own change and those that wait, tells them, and hands the lead on.
func (g *group) lead(own *grouped) {
	g.mu.Lock()
	n := min(len(g.queue), groupAtMost-1)
	batch := append([]*grouped{own}, g.queue[:n]...)
	g.queue = slices.Delete(g.queue, 0, n)
	batch = append(batch, g.riders...)
	if g.riders = nil; g.leaves != nil {
		g.leaves.Stop()
	}
	g.mu.Unlock()
	defer func() {
		for _, c := range batch[1:] {
			c.told()
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.queue) == 0 {
			g.busy = false
			return
		}
		next := g.queue[0]
		g.queue = slices.Delete(g.queue, 0, 1)
		next.turn <- true
	}()
	g.commit(batch)
}

// told tells who asked for a change that another has committed.
func (c *grouped) told() {
	switch {
	case c.after == nil:
		c.turn <- false
	case c.panicked != nil:
		c.after(fmt.Errorf("sqlstore: panic in a change: %v", c.panicked))
	default:
		c.after(c.err)
	}
}

// result is what the caller is told, in its own goroutine.
func (c *grouped) result() error {
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// commit makes a batch of changes, together if that goes well, else each by itself.
func (g *group) commit(batch []*grouped) {
	if len(batch) > 1 {
		for _, c := range batch {
			c.err = errUnsettled // should anything interrupt us
		}
		rest := g.together(batch)
		batch = rest
	}
	for _, c := range batch {
		c.err = errUnsettled
		if rest := g.together([]*grouped{c}); len(rest) == 0 {
			continue
		}
	}
}

// together makes changes in one transaction and answers those that have to be made by themselves: all, where one failed in a way
// that may have touched the others. A single change has its end in any case.
func (g *group) together(batch []*grouped) (rest []*grouped) {
	all := func(err error) []*grouped {
		if len(batch) > 1 {
			return batch
		}
		batch[0].err = err
		return nil
	}
	begun, err := g.db.w.BeginTx(context.Background(), nil)
	if err != nil { // nothing was tried
		for _, c := range batch {
			c.err = err
		}
		return nil
	}
	defer func() { _ = begun.Rollback() }() // nothing after a commit
	t := &tx{Tx: begun, ctx: context.Background()}
	var before, after int64
	if err := t.QueryRowContext(t.ctx, `SELECT total_changes()`).Scan(&before); err != nil {
		return all(err)
	}
	for i, c := range batch {
		g.reach("batch.change")
		if len(batch) == 1 {
			if c.err = c.call(t); c.err != nil || c.panicked != nil {
				return nil
			}
			break
		}
		kept, err := g.savepoint(t, c)
		if c.panicked != nil {
			return append(batch[:i:i], batch[i+1:]...)
		}
		if err != nil {
			return all(err)
		}
		c.err = kept
	}
	if err := t.QueryRowContext(t.ctx, `SELECT total_changes()`).Scan(&after); err != nil {
		return all(err)
	}
	if before == after {
		if err := begun.Commit(); err != nil { // there is nothing in it
			return all(err)
		}
		return nil
	}
	mark := g.db.newJobID()
	if err := t.exec(`UPDATE pulse SET batch = $1, at = $2 WHERE one = 1`, mark, micros(g.db.o.Now())); err != nil {
		return all(err)
	}
	g.reach("batch.before")
	if err := begun.Commit(); err != nil {
		switch happened, settled := g.settle(mark); {
		case settled != nil:
			for _, c := range batch {
				c.err = fmt.Errorf("%w: %w; %w", errUnsettled, err, settled)
			}
			return nil
		case !happened:
			return all(err)
		}
	}
	g.db.commits.Add(1)
	g.reach("batch.committed")
	return nil
}

// savepoint makes one change of a batch. kept is an error after which the change alone was undone; after err everything has to be.
func (g *group) savepoint(t *tx, c *grouped) (kept, err error) {
	if err := t.exec(`SAVEPOINT change`); err != nil {
		return nil, err
	}
	err = c.call(t)
	switch {
	case c.panicked != nil:
		return nil, nil
	case err == nil:
		return nil, t.exec(`RELEASE change`)
	case !harmless(err):
		return nil, err
	}
	if failed := t.exec(`ROLLBACK TO change`); failed != nil {
		return nil, failed
	}
	return err, t.exec(`RELEASE change`)
}

// call keeps a panic for the goroutine that asked for the change.
func (c *grouped) call(t *tx) error {
	defer func() {
		if v := recover(); v != nil {
			c.panicked = fmt.Sprintf("%v\n%s", v, debug.Stack())
		}
	}()
	return c.f(t)
}

// harmless tells errors that are a change's own answer: a violated constraint, or that it is not true any more what it began with.
func harmless(err error) bool {
	for _, own := range []error{
		session.ErrConflict, session.ErrCallExists, session.ErrOrderTaken, session.ErrClaimLost, session.ErrNotFound, errAgain,
		webhook.ErrConflict, webhook.ErrNotFound, webhook.ErrLost, merchant.ErrClaimLost, sql.ErrNoRows,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return constraint(err)
}

// settle finds out whether a transaction was committed whose commit ended with an error. What of it stands in the log may still
// count after a power failure; it does not once another commit has come after it, or over it. So one more is made before
// anything is said.
func (g *group) settle(mark int64) (happened bool, err error) {
	said := map[int64]bool{mark: true} // what a mark in the database tells of the first one
	for end := time.Now().Add(settleLimit); ; {
		if happened, err = g.look(said); err == nil || time.Now().After(end) {
			return happened, err
		}
		timer := time.NewTimer(settlePause)
		<-timer.C
	}
}

func (g *group) look(said map[int64]bool) (happened bool, err error) {
	begun, err := g.db.w.BeginTx(context.Background(), nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = begun.Rollback() }()
	t := &tx{Tx: begun, ctx: context.Background()}
	var found int64
	if err := t.QueryRowContext(t.ctx, `SELECT batch FROM pulse WHERE one = 1`).Scan(&found); err != nil {
		return false, err
	}
	mark := g.db.newJobID()
	happened = said[found]
	said[mark] = happened
	if err := t.exec(`UPDATE pulse SET batch = $1 WHERE one = 1`, mark); err != nil {
		return false, err
	}
	return happened, begun.Commit()
}

func (g *group) reach(place string) {
	if g.at != nil {
		g.at(place)
	}
}
