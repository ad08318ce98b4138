// Package limit counts what strangers could do too often: cards tried, codes asked for, keys guessed. Every door uses it. Walls
// stand on what is one person's (a session, a card, a phone, an address's declines); what many share (a bank's range of numbers, a
// merchant, an account) only raises the work that a try costs and the alarm, so that nobody can close a shop.
package limit

import (
	"context"
	"time"
)

// Rate is so many at once, and that many again each Per.
type Rate struct {
	N   int
	Per time.Duration
}

// each is how long one of a rate takes to come back.
func (r Rate) each() time.Duration { return r.Per / time.Duration(r.N) }

// Level is how much of a rate is used.
type Level struct {
	Used int
	Wait time.Duration // until one more is allowed; 0: now
}

// Buckets keeps the counts. What is counted is one number for each key: the time by which all of it has come back. So a count is
// one compare-and-swap, and nothing has to be reset.
type Buckets interface {
	// Take counts one, if the rate allows; Wait is not zero where it does not.
	Take(ctx context.Context, key string, r Rate, now time.Time) (Level, error)
	// Add counts one whether or not the rate allows it, up to twice the rate.
	Add(ctx context.Context, key string, r Rate, now time.Time) (Level, error)
	// Give takes one back.
	Give(ctx context.Context, key string, r Rate, now time.Time) error
	// Look counts nothing.
	Look(ctx context.Context, key string, r Rate, now time.Time) (Level, error)
}

// Levels answers what a bucket that is empty again at back says of its rate at now.
func Levels(r Rate, back, now time.Time) Level {
	each := r.each()
	left := back.Sub(now)
	if left <= 0 {
		return Level{}
	}
	l := Level{Used: int((left + each - 1) / each)}
	if over := left + each - r.Per; over > 0 {
		l.Wait = over
	}
	return l
}

// After is when a bucket is empty again once one more is counted; ok tells whether the rate allows it.
func After(r Rate, back, now time.Time) (after time.Time, ok bool) {
	if back.Before(now) {
		back = now
	}
	after = back.Add(r.each())
	return after, after.Sub(now) <= r.Per
}
