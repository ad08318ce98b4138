package limit

import (
	"context"
	"sync"
	"time"
)

// Memory keeps counts for one machine. It holds a bounded number: strangers choose the keys.
type Memory struct {
	most int
	mu   sync.Mutex
	back map[string]time.Time
}

// UsualMost is how many counts Memory holds: about 10 MB.
const UsualMost = 1 << 16

// NewMemory keeps at most so many counts; 0: UsualMost.
func NewMemory(most int) *Memory {
	if most == 0 {
		most = UsualMost
	}
	return &Memory{most: most, back: map[string]time.Time{}}
}

var _ Buckets = (*Memory)(nil)

// Take is of Buckets.
func (m *Memory) Take(_ context.Context, key string, r Rate, now time.Time) (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, ok := After(r, m.back[key], now)
	if !ok {
		return Levels(r, m.back[key], now), nil
	}
	m.put(key, after, now)
	l := Levels(r, after, now)
	l.Wait = 0
	return l, nil
}

// Add is of Buckets.
func (m *Memory) Add(_ context.Context, key string, r Rate, now time.Time) (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, _ := After(r, m.back[key], now)
	if after.Sub(now) <= 2*r.Per {
		m.put(key, after, now)
	}
	return Levels(r, m.back[key], now), nil
}

// Give is of Buckets.
func (m *Memory) Give(_ context.Context, key string, r Rate, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if back, ok := m.back[key]; ok {
		if back = back.Add(-r.each()); back.After(now) {
			m.back[key] = back
		} else {
			delete(m.back, key)
		}
	}
	return nil
}

// Look is of Buckets.
func (m *Memory) Look(_ context.Context, key string, r Rate, now time.Time) (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Levels(r, m.back[key], now), nil
}

// full notes that a rate is used up for so long.
func (m *Memory) full(key string, r Rate, now time.Time, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, now.Add(wait+r.Per-r.each()), now)
}

// put makes room first: of what has come back, and else of the one of a few that is nearest to it.
func (m *Memory) put(key string, after, now time.Time) {
	if _, there := m.back[key]; !there && len(m.back) >= m.most {
		looked, first := 0, ""
		for k, back := range m.back { // in no order
			if !back.After(now) {
				delete(m.back, k)
			} else if first == "" || back.Before(m.back[first]) {
				first = k
			}
			if looked++; looked == 32 {
				break
			}
		}
		if len(m.back) >= m.most {
			delete(m.back, first)
		}
	}
	m.back[key] = after
}

// Len is how many counts are held.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.back)
}
