package handlers

import (
	"sync"
	"time"
)

// Bounds of the live waits. Who gets none asks by reloading, as browsers without script do.
const (
	usualStreams   = 2000 // at once, of all sessions: Options.MaxStreams where that is 0
	sessionStreams = 8    // at once, of one session
	streamBeat     = 3 * time.Second
	streamLife     = time.Minute // then the browser connects again; one that does not read is let go
)

// streams counts the open live waits.
type streams struct {
	most int

	mu   sync.Mutex
	open int
	by   map[string]int // of sessions that exist and have any
}

func newStreams(most int) *streams {
	if most == 0 {
		most = usualStreams
	}
	return &streams{most: most, by: map[string]int{}}
}

// enter takes a place for a session's stream; leave gives it back. There may be none.
func (s *streams) enter(session string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.most || s.by[session] >= sessionStreams {
		return nil, false
	}
	s.open++
	s.by[session]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.by[session]--; s.by[session] == 0 {
			delete(s.by, session)
		}
	}, true
}
