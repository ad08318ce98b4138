package limit

import (
	"sync"
	"time"
)

// Attack is what was seen of an account in the last minute when it left what is usual there.
type Attack struct {
	Tries, Declines, NewCards, Stopped int
	Since                              time.Time
}

// watch looks at each merchant's payments on each account: who tests cards has nearly all of them declined. How many there are of
// them is the operator's choice, not a stranger's.
type watch struct {
	mu    sync.Mutex
	shops map[string]*shop
}

const (
	slot       = 10 * time.Second
	slots      = 6
	attackOver = 10 * time.Minute // without a sign of it
)

// counts are those of one slot.
type counts struct{ tries, declines, approvals, newCards, stopped int }

type shop struct {
	merchant, account string
	at                time.Time // of the newest slot
	last              [slots]counts
	usualRatio        float64   // of declines, slowly moving
	usualCards        float64   // new ones in a minute, the same
	since, seen       time.Time // of the attack, and when there was last a sign of it
}

// What is never an attack: so few in a minute, or a ratio that a shop with many foreign cards may have.
const (
	fewDeclines = 20
	fewCards    = 30
	highRatio   = 0.6
)

func (w *watch) tried(l *Limiter, merchant, account string) {
	w.note(l, merchant, account, func(c *counts) { c.tries++ })
}

func (w *watch) newCard(l *Limiter, merchant, account string) {
	w.note(l, merchant, account, func(c *counts) { c.newCards++ })
}

func (w *watch) stopped(l *Limiter, merchant, account string) {
	w.note(l, merchant, account, func(c *counts) { c.stopped++ })
}

func (w *watch) ended(l *Limiter, merchant, account string, approved bool) {
	w.note(l, merchant, account, func(c *counts) {
		if approved {
			c.approvals++
		} else {
			c.declines++
		}
	})
}

func (w *watch) attacked(l *Limiter, merchant, account string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shops[merchant+" "+account]
	return s != nil && !s.since.IsZero() && l.o.Now().Sub(s.seen) < attackOver
}

// note counts something and sees whether the shop is under attack by now; the alarm is given once for each attack.
func (w *watch) note(l *Limiter, merchant, account string, count func(*counts)) {
	now := l.o.Now()
	w.mu.Lock()
	s := w.shops[merchant+" "+account]
	if s == nil {
		s = &shop{merchant: merchant, account: account, at: now.Truncate(slot)}
		w.shops[merchant+" "+account] = s
	}
	s.roll(now)
	count(&s.last[0])
	seen, alarm := s.judge(now)
	w.mu.Unlock()
	if alarm {
		l.o.Attack(merchant, account, seen)
	}
}

// roll moves on to the slot of now, and lets what was usual follow.
func (s *shop) roll(now time.Time) {
	at := now.Truncate(slot)
	n := int(at.Sub(s.at) / slot)
	if n <= 0 {
		return
	}
	for range min(n, slots) {
		if s.since.IsZero() {
			sum := s.sum()
			if ended := sum.declines + sum.approvals; ended >= 10 {
				s.usualRatio += (float64(sum.declines)/float64(ended) - s.usualRatio) / 180 // half an hour
			}
			s.usualCards += (float64(sum.newCards) - s.usualCards) / 180
		}
		copy(s.last[1:], s.last[:slots-1])
		s.last[0] = counts{}
	}
	s.at = at
}

func (s *shop) sum() (all counts) {
	for _, c := range s.last {
		all.tries += c.tries
		all.declines += c.declines
		all.approvals += c.approvals
		all.newCards += c.newCards
		all.stopped += c.stopped
	}
	return all
}

// judge tells whether the last minute is an attack that was not one before.
func (s *shop) judge(now time.Time) (seen Attack, alarm bool) {
	sum := s.sum()
	ratio := float64(sum.declines) / float64(max(1, sum.declines+sum.approvals))
	limit := max(highRatio, min(0.95, 1.5*s.usualRatio+0.1))
	sign := sum.declines >= fewDeclines && ratio >= limit ||
		sum.newCards >= fewCards && float64(sum.newCards) >= 5*s.usualCards && ratio >= highRatio && sum.declines >= fewDeclines/2 ||
		sum.stopped >= fewDeclines
	if !sign {
		if !s.since.IsZero() && now.Sub(s.seen) >= attackOver {
			s.since = time.Time{}
		}
		return seen, false
	}
	alarm = s.since.IsZero() || now.Sub(s.seen) >= attackOver
	if alarm {
		s.since = now
	}
	s.seen = now
	return Attack{Tries: sum.tries, Declines: sum.declines, NewCards: sum.newCards, Stopped: sum.stopped, Since: s.since}, alarm
}
