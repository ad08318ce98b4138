package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// fault is one way in which a call goes wrong. after: the gateway takes the request first.
type fault struct {
	name   string
	do     deed
	status int
	after  bool
	lie    *Lie
	edit   func([]byte) []byte
}

type deed int

const (
	cut      deed = iota // the connection dies without an answer
	cutBody              // it dies in the middle of the answer
	half                 // the answer ends in the middle, and looks whole
	hang                 // no answer before the deadline
	page                 // a web page with the given status
	nothing              // the given status and an empty body
	huge                 // ten megabytes
	moved                // a redirect to somewhere else
	echo                 // the request's own body, as a page
	rewrite              // a lie in the gateway's language
	nonsense             // bytes
)

func faults(h Harness, call string) []fault {
	list := []fault{
		{name: "cut before it was taken", do: cut},
		{name: "cut after it was taken", do: cut, after: true},
		{name: "cut in the answer", do: cutBody, after: true},
		{name: "half an answer", do: half, after: true},
		{name: "hangs and never takes it", do: hang},
		{name: "takes it and hangs", do: hang, after: true},
		{name: "500 instead", do: page, status: 500},
		{name: "500 after it was taken", do: page, status: 500, after: true},
		{name: "502 page after it was taken", do: page, status: 502, after: true},
		{name: "200 page after it was taken", do: page, status: 200, after: true},
		{name: "404 page after it was taken", do: page, status: 404, after: true},
		{name: "200 empty instead", do: nothing, status: 200},
		{name: "200 empty after it was taken", do: nothing, status: 200, after: true},
		{name: "204 after it was taken", do: nothing, status: 204, after: true},
		{name: "ten megabytes after it was taken", do: huge, status: 200, after: true},
		{name: "redirect after it was taken", do: moved, status: 307, after: true},
		{name: "echo after it was taken", do: echo, status: 200, after: true},
		{name: "bytes after it was taken", do: nonsense, status: 200, after: true},
	}
	for i, s := range h.Spoils {
		if s.Call == call || s.Call == "" && call == h.Status {
			list = append(list, fault{name: fmt.Sprintf("lie %d", i), do: rewrite, after: true, lie: &s.Lie, edit: s.Edit})
		}
	}
	return list
}

// spoiler stands between the provider and the simulator. It plays its fault once, at the first call of that name (every:
// at all calls), and notes all calls.
type spoiler struct {
	fault
	call  string
	every bool
	name  func(*http.Request) string
	next  http.RoundTripper
	tape  *tape // nil: answers are not kept

	mu     sync.Mutex
	played bool // ever
	now    bool // during the method that runs
	cancel context.CancelFunc
	seen   []string
	from   int // where in seen the method that runs begins
}

var errCut = errors.New("read tcp 127.0.0.1: connection reset by peer")

func (s *spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	name := s.name(r)
	if s.tape != nil {
		if res, err, played := s.tape.answer(r, name); played {
			return res, err
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, name)
	play := s.fault.name != "" && (s.every || !s.played && name == s.call)
	if play {
		s.played, s.now = true, true
	}
	cancel := s.cancel
	s.mu.Unlock()
	if !play {
		res, err := s.next.RoundTrip(r)
		if err == nil && s.tape != nil {
			err = s.tape.note(name, res)
		}
		return res, err
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var taken []byte
	res := &http.Response{StatusCode: s.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Request: r, ContentLength: -1}
	if s.after {
		// The gateway receives the request even if our deadline has passed.
		genuine := r.Clone(context.WithoutCancel(r.Context()))
		genuine.Body, genuine.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
		answer, err := s.next.RoundTrip(genuine)
		if err != nil {
			return nil, err
		}
		taken, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		if s.status == 0 {
			res.StatusCode, res.Header = answer.StatusCode, answer.Header
		}
	}
	switch s.do {
	case cut:
		return nil, errCut
	case hang:
		cancel() // the deadline, without waiting for it
		<-r.Context().Done()
		return nil, context.DeadlineExceeded
	}
	res.Body = s.answer(res.Header, sent, taken)
	return res, nil
}

// answer is the body that comes in the place of what the gateway answered to what was sent.
func (s *spoiler) answer(header http.Header, sent, taken []byte) io.ReadCloser {
	body := func(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
	switch s.do {
	case cutBody:
		return io.NopCloser(io.MultiReader(bytes.NewReader(taken[:len(taken)/2]), broken{}))
	case half:
		return body(taken[:len(taken)/2])
	case page:
		header.Set("Content-Type", "text/html")
		return body([]byte("<!DOCTYPE html>\n<html><head><title>Oops</title></head><body><h1>Something went wrong</h1>" +
			"status=approved&amp;orderStatus=2</body></html>\n"))
	case nothing:
		return body(nil)
	case huge:
		return io.NopCloser(io.LimitReader(zeros{}, 10<<20))
	case moved:
		header.Set("Location", "https://elsewhere.example/login")
		return body(nil)
	case echo:
		header.Set("Content-Type", "text/html")
		text, err := url.QueryUnescape(string(sent))
		if err != nil {
			text = string(sent)
		}
		return body([]byte("<html><body>" + string(sent) + "\n" + text + "</body></html>"))
	case rewrite:
		if edited := s.edit(taken); edited != nil {
			return body(edited)
		}
		s.mu.Lock()
		s.now, s.played = false, false // nothing to lie about yet: the next one
		s.mu.Unlock()
		return body(taken)
	}
	return body([]byte{0xff, 0xfe, 0, '{', 0x80, '"', '&', '='})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errCut }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// begin starts a provider method; the returned function cancels its context.
func (s *spoiler) begin(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel, s.now, s.from = cancel, false, len(s.seen)
}

// twice names a call that the method made more than once; "" is none.
func (s *spoiler) twice() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	during := s.seen[s.from:]
	for i, name := range during {
		if slices.Contains(during[:i], name) {
			return name
		}
	}
	return ""
}

// hit tells whether the fault was played during the method that just ended.
func (s *spoiler) hit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}
