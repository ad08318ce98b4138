package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"tollgate/session"
)

// Shown marks that a page was shown, and tells whether this was the first time: only the first page posts by itself.
//
// Where no other process uses the store the mark is kept in memory, and stored with the session's next change, or by itself after
// shownWaits: the browser is back from most of these pages before that. Who dies meanwhile lets a page that is loaded again post
// once more, of which the bank has the first.
func (f *Flow) Shown(ctx context.Context, id string, stepN int) (first bool, err error) {
	if f.Alone {
		if first, kept, err := shownInMemory(ctx, f, id, stepN); kept || err != nil {
			return first, err
		}
	}
	_, err = f.update(ctx, id, func(t *session.Turn) error {
		err := t.Arrivals().Shown(stepN)
		first = !errors.Is(err, session.ErrNothing)
		return err
	})
	return first && err == nil, err
}

// shownWaits is how long a mark waits for another change of its session.
const shownWaits = 2 * time.Second

// shownInMemory tells in kept whether the mark is in memory, or need not be made.
func shownInMemory(ctx context.Context, f *Flow, id string, stepN int) (first, kept bool, err error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return false, false, err
	}
	t := f.newTurn(s)
	if !t.Arrivals().ShownMayWait() {
		return false, false, nil
	}
	if t.Arrivals().Shown(stepN) != nil {
		return false, true, nil
	}
	first, kept = f.shown.keep(id, shown{stepN, t.Now}, func() { f.calls.run(func(ctx context.Context) { storeShown(ctx, f, id) }) })
	return first, kept, nil
}

// storeShown stores a mark by itself.
func storeShown(ctx context.Context, f *Flow, id string) {
	_, err := f.update(ctx, id, func(*session.Turn) error {
		if _, waits := f.shown.of(id); !waits {
			return session.ErrNothing
		}
		return nil
	})
	f.At("shown.stored")
	if err != nil {
		f.Log.Warn("it cannot be noted that a step was shown", "session", id, "error", err)
		f.shown.drop(id, shown{})
	}
}

// markShown makes the mark that waits for a session part of its turn.
func markShown(ts *turns, t *session.Turn) (mark shown) {
	mark, waits := ts.shown.of(t.S.ID)
	if !waits {
		return shown{}
	}
	now := t.Now
	t.Now = mark.at
	if t.Arrivals().Shown(mark.stepN) != nil { // the step is over
		ts.shown.drop(t.S.ID, mark)
		mark = shown{}
	}
	t.Now = now
	return mark
}

// shown is the mark of one session; the zero one is none.
type shown struct {
	stepN int
	at    time.Time
}

// marks are those that wait.
type marks struct {
	mu     sync.Mutex
	marks  map[string]shown
	timers map[string]*time.Timer
	closed bool
}

// keep keeps a mark, and tells whether it is the first of its step. kept is false once nothing is kept any more.
func (m *marks) keep(id string, mark shown, store func()) (first, kept bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, false
	}
	if m.marks == nil {
		m.marks, m.timers = map[string]shown{}, map[string]*time.Timer{}
	}
	if old, waits := m.marks[id]; waits && old.stepN == mark.stepN {
		return false, true
	}
	m.marks[id] = mark
	if m.timers[id] != nil {
		m.timers[id].Stop()
	}
	m.timers[id] = time.AfterFunc(shownWaits, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.closed {
			store()
		}
	})
	return true, true
}

func (m *marks) of(id string) (mark shown, waits bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark, waits = m.marks[id]
	return mark, waits
}

// drop forgets a session's mark if it is still that one; the zero one: any.
func (m *marks) drop(id string, mark shown) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark != (shown{}) && m.marks[id] != mark || m.timers[id] == nil {
		return
	}
	m.timers[id].Stop()
	delete(m.timers, id)
	delete(m.marks, id)
}

// close keeps nothing any more, and names the sessions whose marks wait.
func (m *marks) close() (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for id, timer := range m.timers {
		timer.Stop()
		ids = append(ids, id)
	}
	return ids
}
