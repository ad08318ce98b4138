package browser_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tollgate/session/browser"
)

// shelf is a store that judges by the clock of a test.
type shelf struct {
	now   func() time.Time
	mu    sync.Mutex
	data  map[string][]byte
	until map[string]time.Time
}

func (s *shelf) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[token], s.now().Before(s.until[token]), nil
}

func (s *shelf) CommitCtx(_ context.Context, token string, data []byte, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[token], s.until[token] = data, until
	return nil
}

func (s *shelf) DeleteCtx(_ context.Context, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, token)
	return nil
}

func (s *shelf) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}
func (s *shelf) Commit(token string, data []byte, until time.Time) error {
	return s.CommitCtx(context.Background(), token, data, until)
}
func (s *shelf) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func TestABrowserSessionLastsADayByTheOneClock(t *testing.T) {
	for _, moved := range []time.Duration{0, 25 * time.Hour, 400 * 24 * time.Hour, -25 * time.Hour} {
		offset := moved
		now := func() time.Time { return time.Now().Add(offset) }
		store := &shelf{now: now, data: map[string][]byte{}, until: map[string]time.Time{}}
		b := browser.New(store, true, now, rand.Reader, slog.New(slog.DiscardHandler))
		var token, csrf string
		visit := func(choose bool) (proved bool) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if token != "" {
				r.AddCookie(&http.Cookie{Name: b.Cookie.Name, Value: token})
			}
			w := httptest.NewRecorder()
			b.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				proved = b.Proves(r.Context(), csrf)
				if choose {
					b.Choose(r.Context(), "kk")
				}
				csrf, _ = b.CSRF(r.Context())
			})).ServeHTTP(w, r)
			if set := w.Result().Cookies(); len(set) == 1 {
				token = set[0].Value
			}
			return proved
		}
		visit(false)
		if !visit(false) {
			t.Errorf("clock moved by %s: the page's token is not known a moment later", moved)
		}
		offset += browser.Lifetime - time.Minute
		if !visit(true) {
			t.Errorf("clock moved by %s: the session is over before its day", moved)
		}
		offset += 2 * time.Minute
		if visit(false) {
			t.Errorf("clock moved by %s: the session outlives its day", moved)
		}
	}
}
