package flow

import (
	"context"
	"sync"
	"time"

	"tollgate/session"
)

// callbackWaits is how long a callback waits to be answered for the inquiry that it asks for. An inquiry that takes longer is left
// to its job.
const callbackWaits = time.Second

// askedAtOnce makes the inquiry that a callback asks for, and tells whether what it brought is stored, or needs not to be. A call
// that is out is waited for: most callbacks tell what it does, and the inquiry after it has heard of it.
func askedAtOnce(ctx context.Context, f *Flow, id string, n int, order string) bool {
	came := f.called.came(id, n)
	defer f.called.gone(id, n, came)
	limit := time.NewTimer(callbackWaits)
	defer limit.Stop()
	select {
	case <-came.told:
		return true
	case <-f.inFlight.idle(id):
	case <-limit.C:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-came.told:
		return true
	default:
	}
	s, err := f.Store.Load(ctx, id)
	if err != nil || !f.newTurn(s).Arrivals().AskedAtOnce(n, order) || !f.called.mayAsk(id, n, f.Now()) {
		return false
	}
	if s, err = f.Store.Load(ctx, id); err != nil { // as it is, without what the turn has tried
		return false
	}
	a, begun := s.Attempt(n), f.called.asking()
	heard := make(chan session.InquiryAnswer, 1)
	f.calls.run(func(ctx context.Context) { heard <- asking{f}.hear(ctx, s, a) })
	var in session.InquiryAnswer
	select {
	case in = <-heard:
	case <-limit.C:
		return false
	case <-ctx.Done():
		return false
	}
	if in.Err != nil {
		return false
	}
	ctx = context.WithoutCancel(ctx)
	err = applied(ctx, f, s, a, in, begun, func(t *session.Turn) error {
		before, err := f.Store.Load(ctx, id)
		if err != nil || before.Version != t.S.Version {
			return session.ErrConflict
		}
		return t.Arrivals().CalledBackAndAsked(n, order, in, before)
	})
	if err != nil {
		f.Log.Warn("what a callback asked for could not be stored; a job asks again", "session", id, "attempt", n, "error", err)
	}
	return err == nil
}

// called are the callbacks that wait for an inquiry that began after they came, and when callbacks had the gateway asked without
// anything being stored.
type called struct {
	mu    sync.Mutex
	now   int
	waits map[string][]*callback
	last  map[string]time.Time
}

// callback is one that waits.
type callback struct {
	at   int
	told chan struct{}
}

// asking is the moment at which an inquiry begins.
func (c *called) asking() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	return c.now
}

// asked tells the callbacks about an attempt that an inquiry which began then has been applied.
func (c *called) asked(id string, n, begun int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.waits[attemptKey(id, n)] {
		if one.at < begun {
			select {
			case <-one.told:
			default:
				close(one.told)
			}
		}
	}
}

func (c *called) came(id string, n int) *callback {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	one := &callback{at: c.now, told: make(chan struct{})}
	if c.waits == nil {
		c.waits = map[string][]*callback{}
	}
	key := attemptKey(id, n)
	c.waits[key] = append(c.waits[key], one)
	return one
}

func (c *called) gone(id string, n int, one *callback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := attemptKey(id, n)
	for i, other := range c.waits[key] {
		if other == one {
			c.waits[key] = append(c.waits[key][:i:i], c.waits[key][i+1:]...)
			break
		}
	}
	if len(c.waits[key]) == 0 {
		delete(c.waits, key)
	}
}

// mostCalled bounds how many attempts are remembered.
const mostCalled = 4096

// mayAsk tells whether a callback may have the gateway asked about an attempt at once; of several within a short time one may. The
// others are left to a job, and their number is bounded by what is stored.
func (c *called) mayAsk(id string, n int, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := attemptKey(id, n)
	if last, known := c.last[key]; known && now.Sub(last) < session.CallbackGap && !now.Before(last) {
		return false
	}
	if len(c.last) >= mostCalled || c.last == nil {
		c.last = map[string]time.Time{}
	}
	c.last[key] = now
	return true
}
