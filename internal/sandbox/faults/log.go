package faults

import (
	"sync"
	"time"
)

// MaxCalls bounds the log; older calls are forgotten.
const MaxCalls = 10_000

// Call is one line of the log.
type Call struct {
	Time      time.Time `json:"time"` // when the call was received (for callbacks: sent), by the sandbox's clock
	Gateway   string    `json:"gateway"`
	Call      string    `json:"call"`
	Reference string    `json:"reference,omitempty"` // the order, when the simulator got as far as to know it
	Status    int       `json:"status"`              // 0: no answer yet, or the connection was cut without one
	Fault     string    `json:"fault,omitempty"`     // what the script did to it
}

// Log remembers the last MaxCalls calls. Neither paths nor bodies are kept: they may hold a card number.
type Log struct {
	now func() time.Time

	mu    sync.Mutex
	calls []*Call // a ring once it is full
	next  int
}

func (l *Log) begin(gateway, call string) *Call {
	c := &Call{Time: l.now(), Gateway: gateway, Call: call}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) < MaxCalls {
		l.calls = append(l.calls, c)
	} else {
		l.calls[l.next] = c
		l.next = (l.next + 1) % MaxCalls
	}
	return c
}

func (l *Log) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Note records a call that no wrapped handler saw, such as a callback the gateway sent.
func (l *Log) Note(gateway, call, reference string, status int) {
	c := l.begin(gateway, call)
	l.change(func() { c.Reference, c.Status = reference, status })
}

// Calls returns the calls in the order of their arrival; a non-empty reference or call name selects. Never nil.
func (l *Log) Calls(reference, call string) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []Call{}
	for i := range l.calls {
		c := l.calls[(l.next+i)%len(l.calls)]
		if (reference == "" || c.Reference == reference) && (call == "" || c.Call == call) {
			out = append(out, *c)
		}
	}
	return out
}

// Reset forgets the calls.
func (l *Log) Reset() { l.change(func() { l.calls, l.next = nil, 0 }) }
