package flow

import "sync"

// Hub wakes whoever waits for a session to change. The store calls Changed after each commit, also for commits of other
// machines.
type Hub struct {
	mu   sync.Mutex
	subs map[string]map[chan struct{}]bool
	each []func(id string)
}

// Each has f called after every change of any session. It must not block.
func (h *Hub) Each(f func(id string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.each = append(h.each, f)
}

// Subscribe returns a channel that gets a value after each change; subscribe first, then read the session. Call stop
// when done.
func (h *Hub) Subscribe(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[string]map[chan struct{}]bool{}
	}
	if h.subs[id] == nil {
		h.subs[id] = map[chan struct{}]bool{}
	}
	h.subs[id][c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.subs[id], c); len(h.subs[id]) == 0 {
			delete(h.subs, id)
		}
	}
}

// Changed wakes the session's waiters; it never blocks.
func (h *Hub) Changed(id string) {
	h.mu.Lock()
	each := h.each
	defer func() {
		for _, f := range each {
			f(id)
		}
	}()
	defer h.mu.Unlock()
	for c := range h.subs[id] {
		select {
		case c <- struct{}{}:
		default: // a change is waiting already; the reader sees both
		}
	}
}
