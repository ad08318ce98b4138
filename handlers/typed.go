package handlers

import (
	"sync"
	"time"
)

// How long, and how many, expiries and names are remembered.
const (
	typedKept = 15 * time.Minute
	typedMost = 10_000
)

// typed remembers the expiry and name that a browser typed, in memory only, so that after a decline it need not type them again.
// Number and code are never in it.
type typed struct {
	now func() time.Time

	mu    sync.Mutex
	by    map[typedBy]typedText
	order []typedBy // oldest first; may hold some that are forgotten
}

type typedBy struct{ session, browser string }

type typedText struct {
	expiry, name string
	until        time.Time
}

func newTyped(now func() time.Time) *typed { return &typed{now: now, by: map[typedBy]typedText{}} }

// keep remembers for a browser that is known.
func (t *typed) keep(session, browser, expiry, name string) {
	if browser == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for len(t.order) > 0 && (len(t.order) >= typedMost || !now.Before(t.by[t.order[0]].until)) {
		delete(t.by, t.order[0])
		t.order = t.order[1:]
	}
	key := typedBy{session, browser}
	if _, is := t.by[key]; !is {
		t.order = append(t.order, key)
	}
	t.by[key] = typedText{expiry, name, now.Add(typedKept)}
}

// of is what this browser typed in the session.
func (t *typed) of(session, browser string) (expiry, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.by[typedBy{session, browser}]
	if browser == "" || !t.now().Before(text.until) {
		return "", ""
	}
	return text.expiry, text.name
}

// forget drops what a browser typed in a session that has ended.
func (t *typed) forget(session, browser string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, typedBy{session, browser})
}
