// Package brake decides how much that is new a busy process takes on, so that what has begun still ends.
//
// It is told how long work waited: each change until it was stored, each job beyond its time. Where even the shortest wait of a
// moment is long, a queue is standing: a part of what is new is refused until it is gone. How long is long follows from the
// shortest waits that were seen of late, so that a slow disk is not taken for a busy one.
package brake

import (
	"sync"
	"time"
)

const (
	moment     = 500 * time.Millisecond // after which the share is judged anew
	some       = 20                     // pieces of work in a moment: of fewer nobody can say that they are a queue
	least      = 0.02                   // of what is new is taken on in any case, to learn how it goes
	fewer      = 0.7                    // times the share, while a queue is standing
	more       = 0.1                    // is added to it, while none is
	patience   = 250 * time.Millisecond // no wait shorter than this is long
	muchLonger = 6                      // times the shortest of late is long
	ofLate     = 10 * time.Minute
)

// Brake is safe for concurrent use.
type Brake struct {
	now func() time.Time

	mu      sync.Mutex
	begun   time.Time // of the moment
	waits   map[string]*waits
	share   float64 // of what is new that is taken on
	credit  [2]float64
	refused int64
}

// waits are those of one kind of work.
type waits struct {
	shortest time.Duration // of this moment; 0 where there was none
	pieces   int           // of this moment
	usual    time.Duration // the shortest of late
	since    time.Time
}

// New makes a Brake that is off.
func New(now func() time.Time) *Brake {
	return &Brake{now: now, begun: now(), waits: map[string]*waits{}, share: 1}
}

// Waited tells how long a piece of work of a kind waited.
func (b *Brake) Waited(kind string, d time.Duration) { b.waited(kind, d, 1) }

// Full tells for how long all that do a kind of work have been busy: once is enough to say that it waits.
func (b *Brake) Full(kind string, d time.Duration) { b.waited(kind, d, some) }

func (b *Brake) waited(kind string, d time.Duration, pieces int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.judge()
	w := b.waits[kind]
	if w == nil {
		w = &waits{}
		b.waits[kind] = w
	}
	w.pieces += pieces
	d = max(d, 1)
	if w.shortest == 0 || d < w.shortest {
		w.shortest = d
	}
	if w.usual == 0 || d < w.usual || now.Sub(w.since) > ofLate {
		w.usual, w.since = d, now
	}
}

// Admit tells whether something new may begin.
func (b *Brake) Admit() bool { return b.admit(0, 1) }

// AdmitNext tells whether the next part of something may begin that was admitted before. It is refused only where to refuse what is
// new was not enough.
func (b *Brake) AdmitNext() bool { return b.admit(1, 4) }

func (b *Brake) admit(kind int, times float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.judge()
	if b.credit[kind] += min(1, times*b.share); b.credit[kind] >= 1 {
		b.credit[kind]--
		return true
	}
	b.refused++
	return false
}

// judge sets the share anew for each moment that is over.
func (b *Brake) judge() time.Time {
	now := b.now()
	passed := now.Sub(b.begun)
	if passed < moment {
		return now
	}
	late := false
	for _, w := range b.waits {
		late = late || w.pieces >= some && w.shortest > max(patience, muchLonger*w.usual)
		w.shortest, w.pieces = 0, 0
	}
	if late {
		b.share = max(least, b.share*fewer)
	} else { // moments in which nothing came count as well
		b.share = min(1, b.share+more*float64(passed/moment))
	}
	b.begun = now
	return now
}

// State is the share of what is new that is taken on now, and how much was refused since the start.
func (b *Brake) State() (share float64, refused int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.judge()
	return b.share, b.refused
}
