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

// visits makes requests of one browser, which keeps its cookies.
type visits struct {
	t   *testing.T
	b   *browser.Browsers
	jar map[string]*http.Cookie
}

func (v *visits) visit(do func(ctx context.Context)) {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range v.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.b.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })).ServeHTTP(w, r)
	if v.jar == nil {
		v.jar = map[string]*http.Cookie{}
	}
	for _, c := range w.Result().Cookies() {
		if v.jar[c.Name] = c; c.MaxAge < 0 {
			delete(v.jar, c.Name)
		}
	}
}

// proves shows the browser a page and posts its form.
func (v *visits) proves(session string) (proved bool) {
	v.t.Helper()
	var token string
	v.visit(func(ctx context.Context) { token, _ = v.b.CSRF(ctx, session) })
	v.visit(func(ctx context.Context) { proved = v.b.Proves(ctx, session, token) })
	return proved
}

func newBrowsers(t *testing.T, secure bool, random io.Reader) (*browser.Browsers, *shelf) {
	return browsersAt(t, secure, random, time.Now)
}

func browsersAt(t *testing.T, secure bool, random io.Reader, now func() time.Time) (*browser.Browsers, *shelf) {
	store := &shelf{now: now, data: map[string][]byte{}, until: map[string]time.Time{}}
	return browser.New(store, keys(t, key(1)), secure, now, random, slog.New(slog.DiscardHandler)), store
}

func TestABrowserSessionLastsADayByTheOneClock(t *testing.T) {
	for _, moved := range []time.Duration{0, 25 * time.Hour, 400 * 24 * time.Hour, -25 * time.Hour} {
		for _, pressed := range []bool{true, false} { // a session with a row, and a visitor
			offset := moved
			b, _ := browsersAt(t, true, rand.Reader, func() time.Time { return time.Now().Add(offset) })
			v := &visits{t: t, b: b}
			if pressed {
				v.proves("cs_1")
			}
			token := func() (token string) {
				v.visit(func(ctx context.Context) { token, _ = b.CSRF(ctx, "cs_1") })
				return token
			}
			first := token()
			if first != token() {
				t.Errorf("clock moved by %s: the page's token is not known a moment later", moved)
			}
			offset += 24*time.Hour - time.Minute
			if token() != first {
				t.Errorf("clock moved by %s: it is over before its day", moved)
			}
			offset += 2 * time.Minute
			if token() == first {
				t.Errorf("clock moved by %s: it outlives its day", moved)
			}
		}
	}
}

func TestOnlyThisBrowsersFormOfThisPaymentIsTaken(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	one, two := &visits{t: t, b: b}, &visits{t: t, b: b}
	var csrf, other, elsewhere string
	one.visit(func(ctx context.Context) {
		for _, posted := range []string{"", "x"} {
			if b.Proves(ctx, "cs_1", posted) {
				t.Errorf("a browser that was shown no form proves itself with %q", posted)
			}
		}
		csrf, _ = b.CSRF(ctx, "cs_1")
		elsewhere, _ = b.CSRF(ctx, "cs_2")
	})
	two.visit(func(ctx context.Context) { other, _ = b.CSRF(ctx, "cs_1") })
	if len(csrf) != 32 || csrf == other || csrf == elsewhere {
		t.Fatalf("the tokens are %q, %q and %q", csrf, other, elsewhere)
	}
	for _, what := range []string{"a visitor", "a browser session"} {
		for _, posted := range []string{other, elsewhere, "", csrf[:31], csrf + "A", csrf} { // the right one makes the session
			one.visit(func(ctx context.Context) {
				if again, _ := b.CSRF(ctx, "cs_1"); again != csrf {
					t.Errorf("%s: the second form has another token", what)
				}
				if b.Proves(ctx, "cs_1", posted) != (posted == csrf) {
					t.Errorf("%s: %q proves this browser: %v", what, posted, posted != csrf)
				}
			})
		}
	}
}

func TestLookingStoresNothingAndTheFirstProvedPressOneRow(t *testing.T) {
	b, store := newBrowsers(t, true, rand.Reader)
	for range 100 {
		robot := &visits{t: t, b: b}
		robot.visit(func(ctx context.Context) {
			if _, err := b.CSRF(ctx, "cs_1"); err != nil || b.Known(ctx) != "" || b.Choose(ctx, "kk") != nil {
				t.Error("a look fails")
			}
			b.Proves(ctx, "cs_1", "x")
		})
	}
	if len(store.data) != 0 {
		t.Fatalf("%d rows for looks", len(store.data))
	}
	v := &visits{t: t, b: b}
	v.visit(func(ctx context.Context) {
		if b.Known(ctx) != "" || b.Choose(ctx, "ru") != nil {
			t.Error("a browser that proved nothing is known")
		}
	})
	for range 3 {
		if !v.proves("cs_1") || len(store.data) != 1 {
			t.Fatalf("%d rows", len(store.data))
		}
	}
	v.visit(func(ctx context.Context) {
		if b.Known(ctx) == "" || b.Language(ctx) != "ru" {
			t.Errorf("after the press it is known as %q, language %q", b.Known(ctx), b.Language(ctx))
		}
	})
	for token := range store.data {
		if token == v.jar["__Host-tollgate"].Value {
			t.Error("the cookie is kept as it is")
		}
	}
	if v.jar["__Host-visitor"] != nil {
		t.Error("it is a visitor still")
	}
}

// An attacker who has set a cookie of theirs in the shopper's browser, or has seen the shopper's, gains nothing by the press.
func TestWhoHasAVisitorsCookieIsNotTheBrowserThatPressed(t *testing.T) {
	now := time.Now()
	b, _ := browsersAt(t, true, rand.Reader, func() time.Time { return now })
	one, thief := &visits{t: t, b: b}, &visits{t: t, b: b, jar: map[string]*http.Cookie{}}
	one.visit(func(ctx context.Context) { b.CSRF(ctx, "cs_1") })
	thief.jar["__Host-visitor"] = one.jar["__Host-visitor"]
	var id string
	one.proves("cs_1")
	one.visit(func(ctx context.Context) { id = b.Known(ctx) })
	thief.visit(func(ctx context.Context) {
		if b.Known(ctx) != "" {
			t.Error("the visitor's cookie is known as the browser that pressed")
		}
	})
	now = now.Add(11 * time.Second)
	thief.proves("cs_1")
	thief.visit(func(ctx context.Context) {
		if b.Known(ctx) == id || b.Known(ctx) == "" {
			t.Errorf("a press with the visitor's cookie makes it %q, beside %q", b.Known(ctx), id)
		}
	})
}

// The second press of a double click goes out before the answer to the first is here.
func TestBothPressesOfADoubleClickAreOfOneBrowser(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	first := &visits{t: t, b: b}
	first.visit(func(ctx context.Context) { b.CSRF(ctx, "cs_1") })
	second := &visits{t: t, b: b, jar: map[string]*http.Cookie{"__Host-visitor": first.jar["__Host-visitor"]}}
	var ids [2]string
	for i, v := range []*visits{first, second} {
		v.proves("cs_1")
		v.visit(func(ctx context.Context) { ids[i] = b.Known(ctx) })
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("the two are %q", ids)
	}
}

func TestACookieThatWeDidNotMakeIsNoVisitors(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	foreign, err := keys(t, key(2)).Seal("visitor", make([]byte, 24))
	if err != nil {
		t.Fatal(err)
	}
	otherUse, err := keys(t, key(1)).Seal("threeds", make([]byte, 24))
	if err != nil {
		t.Fatal(err)
	}
	short, err := keys(t, key(1)).Seal("visitor", make([]byte, 23))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "x", foreign, otherUse, short, strings.Repeat("A", 4000)} {
		v := &visits{t: t, b: b, jar: map[string]*http.Cookie{"__Host-visitor": {Name: "__Host-visitor", Value: value}}}
		v.visit(func(ctx context.Context) { b.CSRF(ctx, "cs_1") })
		if made := v.jar["__Host-visitor"]; made == nil || made.Value == value {
			t.Errorf("%.20q is kept", value)
		}
	}
}

func TestABrowserHasANameOfItsOwnThatOpensNothing(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	one, two := &visits{t: t, b: b}, &visits{t: t, b: b}
	one.proves("cs_1")
	two.proves("cs_1")
	var other string
	two.visit(func(ctx context.Context) { other = b.Known(ctx) })
	one.visit(func(ctx context.Context) {
		id := b.Known(ctx)
		csrf, _ := b.CSRF(ctx, "cs_1")
		if len(id) != 32 || id == csrf || id == other || id == one.jar["__Host-tollgate"].Value || b.Proves(ctx, "cs_1", id) {
			t.Errorf("the id is %q beside %q, %q", id, csrf, other)
		}
	})
}

func TestTheLanguageThatWasChosenStaysWithTheBrowser(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	v := &visits{t: t, b: b}
	speaks := func(want string) {
		t.Helper()
		v.visit(func(ctx context.Context) {
			if got := b.Language(ctx); got != want {
				t.Errorf("it speaks %q, want %q", got, want)
			}
		})
	}
	choose := func(lang string) {
		t.Helper()
		v.visit(func(ctx context.Context) {
			if err := b.Choose(ctx, lang); err != nil {
				t.Fatal(err)
			}
		})
	}
	speaks("")
	choose("ru")
	speaks("ru")
	choose("zh-Hant-TW") // of what a browser is given room is limited
	speaks("zh-Hant-")
	choose("kk")
	v.proves("cs_1")
	speaks("kk")
	choose("en")
	speaks("en")
}

func TestAVisitorIsNobodyAfterADay(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := start
	b, _ := browsersAt(t, true, rand.Reader, func() time.Time { return now })
	v := &visits{t: t, b: b}
	v.visit(func(ctx context.Context) { b.Choose(ctx, "ru") })
	for after, want := range map[time.Duration]string{0: "ru", 24*time.Hour - 1: "ru", 24 * time.Hour: ""} {
		now = start.Add(after)
		v.visit(func(ctx context.Context) {
			if got := b.Language(ctx); got != want {
				t.Errorf("after %s it speaks %q, want %q", after, got, want)
			}
		})
	}
}

// What the library alone gave a request is of no visitor.
func TestARequestThatDidNotComeThroughHereProvesNothing(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.SessionManager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, known := b.Remembered(r.Context(), "m", "acc")
		b.ForgetRemembered(r.Context(), "m", "acc")
		if b.Proves(r.Context(), "cs_1", "x") || b.Language(r.Context()) != "" || b.Known(r.Context()) != "" || known {
			t.Error("it is known")
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// A rolling update leaves pages open that an older version showed, whose token is what the session keeps.
func TestABrowserSessionOfAnOlderVersionGoesOn(t *testing.T) {
	b, _ := newBrowsers(t, true, rand.Reader)
	v := &visits{t: t, b: b}
	v.visit(func(ctx context.Context) { b.Put(ctx, "csrf", "of an older version") })
	v.visit(func(ctx context.Context) {
		token, err := b.CSRF(ctx, "cs_1")
		if err != nil || !b.Proves(ctx, "cs_1", token) || !b.Proves(ctx, "cs_1", "of an older version") || b.Proves(ctx, "cs_1", "x") || len(b.Known(ctx)) != 32 {
			t.Errorf("token %q, %v, known as %q", token, err, b.Known(ctx))
		}
		b.Put(ctx, "id", "an older id")
		if b.Known(ctx) != "an older id" {
			t.Errorf("an older id is told as %q", b.Known(ctx))
		}
	})
}

func TestWithoutRandomnessThereIsNoForm(t *testing.T) {
	b, store := newBrowsers(t, true, strings.NewReader("short"))
	v := &visits{t: t, b: b}
	v.visit(func(ctx context.Context) {
		if csrf, err := b.CSRF(ctx, "cs_1"); err == nil || csrf != "" {
			t.Errorf("%q, %v", csrf, err)
		}
		if err := b.Choose(ctx, "kk"); err == nil {
			t.Error("a language was kept")
		}
	})
	if len(store.data) != 0 || len(v.jar) != 0 {
		t.Error("something was stored")
	}
	b, store = newBrowsers(t, true, strings.NewReader("bits for one visitor, and no id"))
	if v := (&visits{t: t, b: b}); v.proves("cs_1") || len(store.data) != 0 {
		t.Error("a press is proved that cannot be known again")
	}
}

// The library's own lifetime bounds what the store keeps, should a deadline not be set: it is the same day.
func TestTheLibraryTakesTheSameDay(t *testing.T) {
	if b, _ := newBrowsers(t, true, rand.Reader); b.Lifetime != 24*time.Hour {
		t.Errorf("it takes %s", b.Lifetime)
	}
}

func TestTheCookiesAreLockedToThisHost(t *testing.T) {
	for secure, prefix := range map[bool]string{true: "__Host-", false: ""} {
		b, _ := newBrowsers(t, secure, rand.Reader)
		v := &visits{t: t, b: b}
		for _, name := range []string{"visitor", "tollgate"} {
			if name == "visitor" {
				v.visit(func(ctx context.Context) { b.Choose(ctx, "kk") })
			} else {
				v.proves("cs_1")
			}
			c := v.jar[prefix+name]
			if c == nil || c.Path != "/" || c.Domain != "" || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 0 || !c.Expires.IsZero() {
				t.Errorf("secure %v, %s: %+v", secure, name, c)
			}
			v.visit(func(ctx context.Context) {
				if b.Language(ctx) != "kk" {
					t.Errorf("the language is %q", b.Language(ctx))
				}
			})
		}
	}
}

// away is a store that cannot be reached.
type away struct{ *shelf }

func (away) FindCtx(context.Context, string) ([]byte, bool, error) {
	return nil, false, errors.New("database away")
}

func TestAStoreThatIsDownIsATemporaryError(t *testing.T) {
	_, store := newBrowsers(t, true, rand.Reader)
	var log bytes.Buffer
	b := browser.New(away{store}, keys(t, key(1)), true, time.Now, rand.Reader, slog.New(slog.NewTextHandler(&log, nil)))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-tollgate", Value: "x"})
	w := httptest.NewRecorder()
	b.LoadAndSave(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the page was asked for") })).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || strings.Contains(w.Body.String(), "database") || !strings.Contains(w.Body.String(), "unavailable") ||
		!strings.Contains(log.String(), "database away") {
		t.Errorf("%d %v %q, log %q", w.Code, w.Header(), w.Body, &log)
	}
}
