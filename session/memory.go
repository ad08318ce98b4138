package session

import "time"

// Memory tells what the database may have forgotten: a standby that is promoted lacks the last commits, and a restored copy
// all since it was made. The zero one forgets nothing.
type Memory struct {
	Since    time.Time // of the last start or failover
	Restored time.Time // when a restore was declared (tollgate restored); zero: never
	CopiedAt time.Time // when the copy was made that was restored then, as far as it was said
}

// postedAgain is how long after a start or a failover a shop's order may be one that was posted before, and forgotten whole.
const postedAgain = 24 * time.Hour

// Order tells whether an order that was written down then may have been tried to be paid before, in a way that is forgotten.
func (m Memory) Order(created time.Time) bool {
	return !m.Restored.IsZero() || created.Before(m.Since.Add(postedAgain))
}

// After tells whether what followed something that was written down then may be forgotten.
func (m Memory) After(written time.Time) bool {
	return written.Before(m.Since) || written.Before(m.Restored)
}

// Last is the last time at which the database may have forgotten something.
func (m Memory) Last() time.Time {
	if m.Restored.After(m.Since) {
		return m.Restored
	}
	return m.Since
}

// Window is of when the orders are that may be forgotten.
func (m Memory) Window() (from, until time.Time) {
	from, until = m.Since.Add(-forgottenBefore), m.Since.Add(time.Minute) // an order may reach the gateway a little late
	if !m.Restored.IsZero() {
		from = m.CopiedAt
		until = m.Last().Add(time.Minute)
	}
	return from, until
}

// forgottenBefore is how far before a start or failover that nobody declared to be a restore orders may be forgotten.
const forgottenBefore = 24 * time.Hour
