// Package clock is the one time everybody reads; a test or the sandbox may move it.
package clock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Clock tells the time that a process writes down and judges by: the machine's, or that of a server which several machines share
// (Follow), plus an offset. The zero value is the machine's time.
type Clock struct {
	machine func() time.Time // nil: time.Now
	offset  atomic.Int64
	server  atomic.Pointer[reading] // nil: the machine's time counts
	stale   atomic.Bool             // see Doubt
}

// reading is what a server said of the time.
type reading struct {
	said    time.Time     // halfway between asking and hearing
	heard   time.Time     // with the monotonic time of that moment
	machine time.Time     // the machine's clock when it was heard
	within  time.Duration // half of the round trip: how wrong it may be
}

const (
	// Bound is how wrong the time of a server may be known at most.
	Bound = 2 * time.Second
	// keep is how long a reading counts: processors count the seconds to a few thousandths of a percent.
	keep = 5 * time.Minute
	// leap is by how much the machine's clock may part from the seconds that the processor counts before it was set, or slept.
	leap = time.Second
	// exact is the round trip that is not tried to be made shorter by asking again.
	exact = 20 * time.Millisecond
	asks  = 3
)

// ErrUnknown says that a server's time is not known well enough.
var ErrUnknown = errors.New("the server's time is not known")

// Of is a clock on a machine that has this time: in tests machines are wrong.
func Of(machine func() time.Time) *Clock { return &Clock{machine: machine} }

// Now is the current time, in UTC, without a monotonic part: it is stored and compared across processes.
func (c *Clock) Now() time.Time {
	now := time.Time{}
	if r := c.server.Load(); r != nil {
		now = r.said.Add(time.Since(r.heard)) // whatever the machine's clock is set to meanwhile
	} else {
		now = c.here()
	}
	return now.Add(time.Duration(c.offset.Load())).UTC().Round(0)
}

// here is the machine's time.
func (c *Clock) here() time.Time {
	if c.machine != nil {
		return c.machine().Round(0)
	}
	return time.Now().Round(0)
}

// Advance moves the clock; only the sandbox and tests do so.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// Follow asks a server for its time, which Now tells from then on. Where every answer takes too long the time is not known well
// enough, and what was known before stays.
func (c *Clock) Follow(ctx context.Context, ask func(context.Context) (time.Time, error)) error {
	var best *reading
	for n := 0; n < asks && (best == nil || best.within > exact/2); n++ {
		asked := time.Now()
		said, err := ask(ctx)
		if err != nil {
			return err
		}
		half := time.Since(asked) / 2
		if best == nil || half < best.within {
			best = &reading{said: said.Add(half), heard: time.Now(), machine: c.here(), within: half}
		}
	}
	if best.within > Bound {
		return fmt.Errorf("%w to %v: it takes %v to answer", ErrUnknown, Bound, 2*best.within)
	}
	c.server.Store(best)
	c.stale.Store(false)
	return nil
}

// Age is how long ago the time that Now goes by was asked for; zero where nobody is followed.
func (c *Clock) Age() time.Duration {
	if r := c.server.Load(); r != nil {
		return time.Since(r.heard)
	}
	return 0
}

// Following tells whether Follow has succeeded.
func (c *Clock) Following() bool { return c.server.Load() != nil }

// Sure tells whether Now may be judged by. It may not, until Follow has succeeded again, where that is long ago, the machine was
// suspended, its clock was set, or somebody has Doubt. Of a clock that follows nobody it is true.
func (c *Clock) Sure() bool {
	r := c.server.Load()
	if r == nil {
		return true
	}
	counted := time.Since(r.heard)
	return !c.stale.Load() && counted < keep && (c.here().Sub(r.machine)-counted).Abs() < leap
}

// Doubt says that the server may be another one now.
func (c *Clock) Doubt() { c.stale.Store(true) }

// Apart is how far the server's clock is before the machine's, as of the last look; ok is false where nobody is followed.
func (c *Clock) Apart() (ahead time.Duration, ok bool) {
	r := c.server.Load()
	if r == nil {
		return 0, false
	}
	return r.said.Sub(r.machine), true
}
