package browser_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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
		offset += 24*time.Hour - time.Minute
		if !visit(true) {
			t.Errorf("clock moved by %s: the session is over before its day", moved)
		}
		offset += 2 * time.Minute
		if visit(false) {
			t.Errorf("clock moved by %s: the session outlives its day", moved)
		}
	}
}

// visits makes requests of one browser, which keeps its cookie.
type visits struct {
	t      *testing.T
	b      *browser.Browsers
	cookie *http.Cookie
}

func (v *visits) visit(do func(ctx context.Context)) {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	v.b.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c
	}
}

func newBrowsers(secure bool, random io.Reader) (*browser.Browsers, *shelf) {
	store := &shelf{now: time.Now, data: map[string][]byte{}, until: map[string]time.Time{}}
	return browser.New(store, secure, time.Now, random, slog.New(slog.DiscardHandler)), store
}

func TestOnlyThisBrowsersFormIsTaken(t *testing.T) {
	b, store := newBrowsers(true, rand.Reader)
	one, two := &visits{t: t, b: b}, &visits{t: t, b: b}
	var csrf, other string
	one.visit(func(ctx context.Context) {
		for _, posted := range []string{"", "x"} {
			if b.Proves(ctx, posted) {
				t.Errorf("a browser that was shown no form proves itself with %q", posted)
			}
		}
		csrf, _ = b.CSRF(ctx)
	})
	two.visit(func(ctx context.Context) { other, _ = b.CSRF(ctx) })
	if len(csrf) != 32 || csrf == other {
		t.Fatalf("the secrets are %q and %q", csrf, other)
	}
	one.visit(func(ctx context.Context) {
		if again, _ := b.CSRF(ctx); again != csrf {
			t.Error("the second form has another secret")
		}
		for posted, proves := range map[string]bool{csrf: true, other: false, "": false, csrf[:31]: false, csrf + "A": false} {
			if b.Proves(ctx, posted) != proves {
				t.Errorf("%q proves this browser: %v", posted, !proves)
			}
		}
	})
	for token := range store.data {
		if token == one.cookie.Value {
			t.Error("the cookie is kept as it is")
		}
	}
}

func TestABrowserHasANameOfItsOwnThatOpensNothing(t *testing.T) {
	b, store := newBrowsers(true, rand.Reader)
	one, two := &visits{t: t, b: b}, &visits{t: t, b: b}
	one.visit(func(ctx context.Context) {
		if b.Known(ctx) != "" {
			t.Error("a browser that was shown nothing is known")
		}
	})
	if len(store.data) != 0 || one.cookie != nil {
		t.Error("looking stored something")
	}
	var id, csrf, other string
	one.visit(func(ctx context.Context) { id, _ = b.ID(ctx); csrf, _ = b.CSRF(ctx) })
	two.visit(func(ctx context.Context) { other, _ = b.ID(ctx) })
	one.visit(func(ctx context.Context) {
		if len(id) != 32 || id == csrf || id == other || id == one.cookie.Value || b.Known(ctx) != id || b.Proves(ctx, id) {
			t.Errorf("the id is %q beside %q, %q", id, csrf, other)
		}
		b.Put(ctx, "id", "of an older version")
		if b.Known(ctx) != "of an older version" {
			t.Errorf("an older id is told as %q", b.Known(ctx))
		}
	})
}

func TestWithoutRandomnessThereIsNoForm(t *testing.T) {
	b, store := newBrowsers(true, strings.NewReader("short"))
	(&visits{t: t, b: b}).visit(func(ctx context.Context) {
		if csrf, err := b.CSRF(ctx); err == nil || csrf != "" {
			t.Errorf("%q, %v", csrf, err)
		}
		if id, err := b.ID(ctx); err == nil || id != "" {
			t.Errorf("%q, %v", id, err)
		}
	})
	if len(store.data) != 0 {
		t.Error("something was stored")
	}
}

// The library's own lifetime bounds what the store keeps, should a deadline not be set: it is the same day.
func TestTheLibraryTakesTheSameDay(t *testing.T) {
	if b, _ := newBrowsers(true, rand.Reader); b.Lifetime != 24*time.Hour {
		t.Errorf("it takes %s", b.Lifetime)
	}
}

func TestTheCookieIsLockedToThisHost(t *testing.T) {
	for secure, name := range map[bool]string{true: "__Host-tollgate", false: "tollgate"} {
		b, _ := newBrowsers(secure, rand.Reader)
		v := &visits{t: t, b: b}
		v.visit(func(ctx context.Context) { b.Choose(ctx, "kk") })
		c := v.cookie
		if c == nil || c.Name != name || c.Path != "/" || c.Domain != "" || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("secure %v: %+v", secure, c)
		}
		v.visit(func(ctx context.Context) {
			if b.Language(ctx) != "kk" {
				t.Errorf("the language is %q", b.Language(ctx))
			}
		})
	}
}

// away is a store that cannot be reached.
type away struct{ *shelf }

func (away) FindCtx(context.Context, string) ([]byte, bool, error) {
	return nil, false, errors.New("database away")
}

func TestAStoreThatIsDownIsATemporaryError(t *testing.T) {
	_, store := newBrowsers(true, rand.Reader)
	var log bytes.Buffer
	b := browser.New(away{store}, true, time.Now, rand.Reader, slog.New(slog.NewTextHandler(&log, nil)))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-tollgate", Value: "x"})
	w := httptest.NewRecorder()
	b.LoadAndSave(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the page was asked for") })).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || strings.Contains(w.Body.String(), "database") || !strings.Contains(w.Body.String(), "unavailable") ||
		!strings.Contains(log.String(), "database away") {
		t.Errorf("%d %v %q, log %q", w.Code, w.Header(), w.Body, &log)
	}
}
