package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/session/flow"
)

// Bounds of the live waits. Who gets none asks by reloading, as browsers without script do.
const (
	usualStreams   = 2000             // at once, of all sessions: Options.MaxStreams where that is 0
	sessionStreams = 8                // at once, of one session
	streamLife     = 10 * time.Minute // then the browser connects again
	streamBeat     = 8 * time.Second  // so often a stream says that it is still there; see static/files/live.js
	streamSlots    = 20               // between two beats: not all say so at once
	streamPoll     = 5 * time.Second  // where other processes change sessions: should a notice be lost
	streamLoad     = 5 * time.Second
	sweepAtMost    = time.Second // so often places of who went away are looked for because there is none
)

// streams are the open live waits: pages that want to hear when they are not the true ones any more. A stream is a connection and
// a few words: one goroutine looks after all of them, woken by the hub, and reads a changed session once for all who wait for it.
type streams struct {
	flow  *flow.Flow
	store flow.Store
	log   *slog.Logger
	most  int
	stop  <-chan struct{}
	wake  chan struct{}

	mu      sync.Mutex
	open    int
	running bool
	stopped bool
	by      map[string]*waiting // sessions that exist and have any
	slots   [streamSlots]map[*stream]bool
	next    int
	changed []string // sessions to be looked at
	swept   time.Time
}

// waiting is a session with streams.
type waiting struct {
	streams []*stream
	version int64 // as it was last read
	listed  bool  // in changed
}

// stream is one of them.
type stream struct {
	session, shown string
	conn           net.Conn // nil until the answer has begun
	raw            syscall.RawConn
	until          time.Time
	slot           int
}

func newStreams(o Options) *streams {
	s := &streams{
		flow: o.Flow, store: o.Store, log: o.Log, most: o.MaxStreams, stop: o.Stopping, wake: make(chan struct{}, 1),
		by: map[string]*waiting{},
	}
	if s.most == 0 {
		s.most = usualStreams
	}
	for i := range s.slots {
		s.slots[i] = map[*stream]bool{}
	}
	o.Flow.Hub.Each(s.look)
	return s
}

// enter takes a place for a session's stream; there may be none.
func (s *streams) enter(session, shown string) (*stream, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.by[session]
	if w != nil && len(w.streams) >= sessionStreams {
		for _, one := range slices.Clone(w.streams) {
			if one.conn != nil && gone(one.raw) {
				s.drop(one)
			}
		}
	}
	if now := time.Now(); s.open >= s.most && now.Sub(s.swept) > sweepAtMost {
		s.swept = now
		for _, slot := range s.slots {
			for one := range slot {
				if one.conn != nil && gone(one.raw) {
					s.drop(one)
				}
			}
		}
	}
	if w = s.by[session]; s.stopped || s.open >= s.most || w != nil && len(w.streams) >= sessionStreams {
		return nil, false
	}
	if w == nil {
		w = &waiting{}
		s.by[session] = w
	}
	one := &stream{session: session, shown: shown, until: time.Now().Add(streamLife), slot: s.next}
	s.next = (s.next + 1) % streamSlots
	w.streams = append(w.streams, one)
	s.slots[one.slot][one] = true
	s.open++
	if !s.running {
		s.running = true
		go s.run()
	}
	return one, true
}

// leave gives a place back and ends the connection.
func (s *streams) leave(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(one)
}

func (s *streams) drop(one *stream) {
	if !s.slots[one.slot][one] {
		return
	}
	delete(s.slots[one.slot], one)
	s.open--
	w := s.by[one.session]
	if w.streams = slices.DeleteFunc(w.streams, func(o *stream) bool { return o == one }); len(w.streams) == 0 {
		delete(s.by, one.session)
	}
	if one.conn != nil {
		_ = one.conn.Close()
	}
}

// begin answers a request with a stream: from here on the connection is no business of the server's.
func (s *streams) begin(c echo.Context, one *stream) error {
	header := c.Response().Header().Clone()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set(echo.HeaderConnection, "close") // the connection ends with the stream
	header.Set("X-Accel-Buffering", "no")
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 200 OK\r\n")
	if err := header.Write(&answer); err != nil {
		return err
	}
	answer.WriteString("\r\n" + streamHere)
	conn, _, err := http.NewResponseController(c.Response().Writer).Hijack()
	if err != nil {
		return err
	}
	c.Response().Committed, c.Response().Status = true, http.StatusOK
	var raw syscall.RawConn
	if own, ok := conn.(syscall.Conn); ok {
		raw, err = own.SyscallConn()
	} else {
		err = errors.ErrUnsupported // of a connection that only pretends to be one
	}
	if err == nil {
		err = say(raw, answer.String())
	}
	if err != nil {
		_ = conn.Close()
		s.leave(one)
		return nil
	}
	s.mu.Lock()
	one.conn, one.raw = conn, raw
	if !s.slots[one.slot][one] { // ended meanwhile
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.look(one.session) // it may have changed before it was waited for
	return nil
}

const (
	streamHere   = "event: here\ndata: 1\n\n"
	streamChange = "event: change\ndata: 1\n\n"
)

// say writes something that the kernel has room for. A client that has not read for so long that it has none is let go, as one
// that went away.
func say(to syscall.RawConn, text string) error {
	n, failed := 0, error(nil)
	if err := to.Control(func(fd uintptr) { n, failed = syscall.Write(int(fd), []byte(text)) }); err != nil {
		return err
	}
	if failed == nil && n < len(text) {
		failed = syscall.EAGAIN
	}
	return failed
}

// gone tells whether the other side has ended a connection.
func gone(c syscall.RawConn) bool {
	ended := false
	err := c.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return err != nil || ended
}

// look has a session looked at soon, if anybody waits for it. It never blocks for long.
func (s *streams) look(session string) {
	s.mu.Lock()
	w := s.by[session]
	if w == nil || w.listed {
		s.mu.Unlock()
		return
	}
	w.listed = true
	s.changed = append(s.changed, session)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run looks after the streams for as long as there are any.
func (s *streams) run() {
	beat := time.NewTicker(streamBeat / streamSlots)
	defer beat.Stop()
	var poll <-chan time.Time
	if !s.flow.Alone {
		ticker := time.NewTicker(streamPoll)
		defer ticker.Stop()
		poll = ticker.C
	}
	for turn := 0; ; {
		select {
		case <-s.stop:
			s.mu.Lock()
			s.stopped = true
			for _, slot := range s.slots {
				for one := range slot {
					s.drop(one)
				}
			}
		case <-s.wake:
			s.tell()
			s.mu.Lock()
		case <-poll:
			s.poll()
			s.mu.Lock()
		case <-beat.C:
			turn = (turn + 1) % streamSlots
			s.beat(turn)
			s.mu.Lock()
		}
		if s.open == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// beat looks after the streams of a slot.
func (s *streams) beat(turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for one := range s.slots[turn] {
		if one.conn == nil {
			continue // its answer is about to begin
		}
		if now.After(one.until) || say(one.raw, streamHere) != nil {
			s.drop(one)
		}
	}
}

// tell reads the sessions that changed, each once, and tells the pages that are not the true ones any more.
func (s *streams) tell() {
	s.mu.Lock()
	changed := s.changed
	s.changed = nil
	for _, id := range changed {
		if w := s.by[id]; w != nil {
			w.listed = false
		}
	}
	s.mu.Unlock()
	for _, id := range changed {
		ctx, done := context.WithTimeout(context.Background(), streamLoad)
		now, err := s.store.Load(ctx, id)
		done()
		s.mu.Lock()
		w := s.by[id]
		if w == nil {
			s.mu.Unlock()
			continue
		}
		if err != nil { // the browsers ask again
			s.log.Warn("a waiting page's session cannot be read", "session", id, "error", err)
			for _, one := range slices.Clone(w.streams) {
				s.drop(one)
			}
			s.mu.Unlock()
			continue
		}
		w.version = now.Version
		view := viewOf(now).String()
		for _, one := range slices.Clone(w.streams) {
			if one.conn != nil && one.shown != view {
				_ = say(one.raw, streamChange)
				s.drop(one)
			}
		}
		s.mu.Unlock()
	}
}

// poll asks, once for all who wait, whether a notice of another process was lost.
func (s *streams) poll() {
	s.mu.Lock()
	ids := make([]string, 0, len(s.by))
	for id := range s.by {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	ctx, done := context.WithTimeout(context.Background(), streamLoad)
	defer done()
	versions, err := s.store.Versions(ctx, ids)
	if err != nil {
		s.log.Warn("the sessions of waiting pages cannot be read", "error", fmt.Errorf("poll: %w", err))
		return
	}
	s.mu.Lock()
	var moved []string
	for id, version := range versions {
		if w := s.by[id]; w != nil && w.version != version {
			moved = append(moved, id)
		}
	}
	s.mu.Unlock()
	for _, id := range moved {
		s.look(id)
	}
}
