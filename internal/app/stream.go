package app

import (
	"io"
	"sync"
	"time"
)

// Stream writes lines to what may stall: a pipe that nobody reads, a disk that hangs. A line is written before its writer goes on, as
// long as that takes no longer than patience. From then on lines wait, so many at most, and nobody waits for them; the rest is
// counted, and told of when the stream flows again.
type Stream struct {
	out io.Writer

	mu      sync.Mutex
	waiting []*waitingLine
	bytes   int
	writing bool // a goroutine writes what waits
	stalled bool // and nobody waits for it any more
	gap     int  // lines lost since it stalled
	lost    int64
	resumed func(lines int)
}

type waitingLine struct {
	text []byte
	done chan struct{}
	err  error
}

const (
	patience     = 100 * time.Millisecond
	maxLines     = 4096
	maxLineBytes = 4 << 20
)

// NewStream writes to out.
func NewStream(out io.Writer) *Stream { return &Stream{out: out} }

// streamTo is out itself where it is a Stream.
func streamTo(out io.Writer) *Stream {
	if s, ok := out.(*Stream); ok {
		return s
	}
	return NewStream(out)
}

// Write takes a whole line. A line that is left out is no error: Lost counts it.
func (s *Stream) Write(line []byte) (int, error) {
	w, wait := s.take(line)
	if !wait {
		return len(line), nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.done:
		if w.err != nil {
			return 0, w.err
		}
	case <-timer.C:
		s.mu.Lock()
		s.stalled = s.writing
		s.mu.Unlock()
	}
	return len(line), nil
}

func (s *Stream) take(line []byte) (w *waitingLine, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxLines || s.bytes+len(line) > maxLineBytes {
		s.gap++
		s.lost++
		return nil, false
	}
	w = &waitingLine{text: append([]byte(nil), line...), done: make(chan struct{})}
	s.waiting, s.bytes = append(s.waiting, w), s.bytes+len(line)
	if !s.writing {
		s.writing = true
		go s.write()
	}
	return w, !s.stalled
}

// write empties what waits, and ends.
func (s *Stream) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.waiting) > 0 {
			w := s.waiting[0]
			s.mu.Unlock()
			_, w.err = s.out.Write(w.text)
			close(w.done)
			s.mu.Lock()
			s.waiting, s.bytes = s.waiting[1:], s.bytes-len(w.text)
			if w.err != nil && s.stalled { // whoever wrote it does not hear of it
				s.gap++
				s.lost++
			}
		}
		gap, tell := s.gap, s.resumed
		if s.gap = 0; gap == 0 || tell == nil {
			s.writing, s.stalled, s.waiting = false, false, nil
			return
		}
		s.mu.Unlock()
		tell(gap)
		s.mu.Lock()
	}
}

// Lost is how many lines were left out.
func (s *Stream) Lost() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// onResume sets who hears how many lines were lost; what that writes is not waited for.
func (s *Stream) onResume(tell func(lines int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = tell
}

// Drain waits until all is written, but not for ever.
func (s *Stream) Drain(most time.Duration) {
	s.mu.Lock()
	var last *waitingLine
	if n := len(s.waiting); n > 0 {
		last = s.waiting[n-1]
	}
	s.mu.Unlock()
	if last == nil {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-last.done:
	case <-timer.C:
	}
}
