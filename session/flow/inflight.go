package flow

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// inFlight are the sessions about which a call of this process is out, or about to leave.
type inFlight struct {
	mu    sync.Mutex
	out   map[string]int
	waits map[string]chan struct{} // closed once none is out
}

// begin counts one more; done is called once, when its answer is stored.
func (f *inFlight) begin(session string) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out == nil {
		f.out = map[string]int{}
	}
	f.out[session]++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.out[session]--; f.out[session] == 0 {
			delete(f.out, session)
			if f.waits[session] != nil {
				close(f.waits[session])
				delete(f.waits, session)
			}
		}
	})
}

// idle is closed once no call is out about a session.
func (f *inFlight) idle(session string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out[session] == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if f.waits == nil {
		f.waits = map[string]chan struct{}{}
	}
	if f.waits[session] == nil {
		f.waits[session] = make(chan struct{})
	}
	return f.waits[session]
}

func (f *inFlight) has(session string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out[session] > 0
}

// calls run in the background, under the Flow's own life and not a request's.
type calls struct {
	log   *slog.Logger
	out   sync.WaitGroup
	stop  context.Context
	abort context.CancelFunc
}

func newCalls(log *slog.Logger) *calls {
	c := &calls{log: log}
	c.stop, c.abort = context.WithCancel(context.Background())
	return c
}

// run makes a call. A panic in it counts as a call without an answer, which the queued inquiry settles. Its value is not logged:
// it may hold what was typed.
func (c *calls) run(do func(ctx context.Context)) {
	c.out.Add(1)
	go func() {
		defer c.out.Done()
		defer func() {
			if v := recover(); v != nil {
				c.log.Error("panic in a gateway call", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			}
		}()
		do(c.stop)
	}()
}

// close waits for the calls that are out as long as ctx lasts, then gives up on them.
func (c *calls) close(ctx context.Context) {
	done := make(chan struct{})
	go func() { c.out.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	c.abort()
	<-done
}
