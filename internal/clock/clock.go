// Package clock is the one time everybody reads; a test or the sandbox may move it.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time as the system has it plus an offset. The zero value is the system's time.
type Clock struct{ offset atomic.Int64 }

// Now is the current time, in UTC, without a monotonic part: it is stored and compared across processes.
func (c *Clock) Now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load())).UTC().Round(0)
}

// Advance moves the clock; only the sandbox and tests do so.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }
