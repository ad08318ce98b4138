package limit

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Memory keeps counts for one machine. It holds a bounded number: strangers choose the keys. Where that is reached, the kind with the
// most counts gives one of its own up, so that a flood of one kind pushes out nothing of another: who sends a new card from each of
// many addresses does not make a phone's codes, or a card's tries, forgotten.
type Memory struct {
	most int
	mu   sync.Mutex
	held int
	back map[string]map[string]time.Time // by kind, which is a key up to its colon, and key
}

// UsualMost is how many counts Memory holds: about 10 MB.
const UsualMost = 1 << 16

// NewMemory keeps at most so many counts; 0: UsualMost.
func NewMemory(most int) *Memory {
	if most == 0 {
		most = UsualMost
	}
	return &Memory{most: most, back: map[string]map[string]time.Time{}}
}

var _ Buckets = (*Memory)(nil)

func kindOf(key string) string {
	return key[:strings.IndexByte(key, ':')+1]
}

func (m *Memory) of(key string) time.Time { return m.back[kindOf(key)][key] }

// Take is of Buckets.
func (m *Memory) Take(_ context.Context, key string, r Rate, now time.Time) (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, ok := After(r, m.of(key), now)
	if !ok {
		return Levels(r, m.of(key), now), nil
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
	after, _ := After(r, m.of(key), now)
	if after.Sub(now) <= 2*r.Per {
		m.put(key, after, now)
	}
	return Levels(r, m.of(key), now), nil
}

// Give is of Buckets.
func (m *Memory) Give(_ context.Context, key string, r Rate, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if back, ok := m.back[kindOf(key)][key]; ok {
		if back = back.Add(-r.each()); back.After(now) {
			m.back[kindOf(key)][key] = back
		} else {
			m.forget(key)
		}
	}
	return nil
}

func (m *Memory) forget(key string) {
	delete(m.back[kindOf(key)], key)
	m.held--
}

// Look is of Buckets.
func (m *Memory) Look(_ context.Context, key string, r Rate, now time.Time) (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Levels(r, m.of(key), now), nil
}

// full notes that a rate is used up for so long.
func (m *Memory) full(key string, r Rate, now time.Time, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, now.Add(wait+r.Per-r.each()), now)
}

// put makes room first: in the kind with the most counts, of what has come back, and else of the one of a few that is nearest to it.
func (m *Memory) put(key string, after, now time.Time) {
	kind := kindOf(key)
	if _, there := m.back[kind][key]; !there {
		if m.held >= m.most {
			m.makeRoom(now)
		}
		m.held++
	}
	if m.back[kind] == nil {
		m.back[kind] = map[string]time.Time{}
	}
	m.back[kind][key] = after
}

func (m *Memory) makeRoom(now time.Time) {
	var most map[string]time.Time
	for _, kind := range m.back {
		if len(kind) > len(most) {
			most = kind
		}
	}
	looked, first, freed := 0, "", false
	for k, back := range most { // in no order
		if !back.After(now) {
			m.forget(k)
			freed = true
		} else if first == "" || back.Before(most[first]) {
			first = k
		}
		if looked++; looked == 32 {
			break
		}
	}
	if !freed {
		m.forget(first)
	}
}

// Len is how many counts are held.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}
