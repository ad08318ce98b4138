package handlers_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// asked counts the inquiries that reach the gateway.
type asked struct {
	*gateway
	n *atomic.Int64
}

func (a asked) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	a.n.Add(1)
	return a.gateway.Status(ctx, p)
}

func TestAMerchantsInquiriesReachTheGatewayEveryFewSecondsAtMost(t *testing.T) {
	var reached atomic.Int64
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return asked{g, &reached} },
	})
	id := m.paid("asked")
	inquire := func(times int) int64 {
		before := reached.Load()
		var merchants sync.WaitGroup
		for range times {
			merchants.Go(func() {
				r := m.call(http.MethodPost, "/v1/sessions/"+id+"/inquire", "")
				if r.Code != http.StatusOK || r.field("status") != "paid" {
					t.Errorf("%d %s", r.Code, r.Body)
				}
			})
		}
		merchants.Wait()
		return reached.Load() - before
	}
	if n := inquire(100); n > 20 {
		t.Errorf("100 inquiries asked the gateway %d times", n)
	}
	m.clock.Advance(10 * time.Second)
	if n := inquire(100); n == 0 || n > 4 {
		t.Errorf("100 inquiries ten seconds later asked the gateway %d times", n)
	}
}

func TestNoHeaderOfAStrangerComesBack(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("headers")).field("id")
	long := strings.Repeat("Z", 30_000)
	for _, name := range []string{"Accept-Language", "Traceparent", "Origin", "User-Agent", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
		"Referer", "If-None-Match", "Last-Event-ID", "Idempotency-Key", "Cookie", "Range", "X-HTTP-Method-Override"} {
		for _, r := range []reply{
			m.call(http.MethodGet, "/pay/"+id, "", name, long), m.call(http.MethodGet, "/nowhere", "", name, long),
			m.call(http.MethodPost, "/v1/sessions", "{}", name, long), m.call(http.MethodGet, "/v1/sessions/none", "", name, long),
		} {
			for header, values := range r.Header() {
				if strings.Contains(strings.Join(values, ""), "ZZZZZZZZ") { // a random cookie may have a few
					t.Errorf("%s comes back in the header %s", name, header)
				}
			}
			if strings.Contains(r.Body.String(), "ZZZ") {
				t.Errorf("%s comes back in a body", name)
			}
		}
	}
}

func TestAWrongKeyCountsInWhateverShapeItComes(t *testing.T) {
	for _, shape := range []string{"Bearer ", "bearer ", "BEARER ", "Bearer  ", "Basic ", "Token ", ""} {
		m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
		limited := 0
		for i := range 60 {
			r := httptest.NewRequest(http.MethodGet, "/v1/sessions", nil)
			r.Header.Set("Authorization", shape+strings.Repeat("x", 20+i))
			w := httptest.NewRecorder()
			m.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusTooManyRequests:
				limited++
			case http.StatusUnauthorized:
			default:
				t.Fatalf("%q: %d", shape, w.Code)
			}
		}
		if limited < 40 {
			t.Errorf("%q: %d of 60 were limited", shape, limited)
		}
	}
}

func TestNoShapeOfJSONIsAnsweredAtLength(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for name, body := range map[string]string{
		"deep":             `{"metadata":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
		"deep objects":     strings.Repeat(`{"metadata":`, 20_000) + "1" + strings.Repeat("}", 20_000),
		"the same member":  "{" + strings.Repeat(`"amount":1,`, 20_000) + `"amount":2}`,
		"a long name":      `{"` + strings.Repeat("a", 400_000) + `":1}`,
		"a long number":    `{"amount":` + strings.Repeat("9", 100_000) + "}",
		"a zero character": `{"order_id":"a\u0000b"}`,
		"half a character": `{"order_id":"\ud800"}`,
		"another encoding": "{\"order_id\":\"\xc8\xe2\xe0\xed\"}",
		"a list":           "[" + strings.Repeat("{},", 50_000) + "{}]",
		"two objects":      order("a") + order("b"),
		"a text":           `"` + strings.Repeat("x", 100_000) + `"`,
	} {
		began := time.Now()
		r := m.call(http.MethodPost, "/v1/sessions", body)
		if r.Code < 400 || r.Code > 422 || r.Body.Len() > 2000 {
			t.Errorf("%s: %d, %d bytes: %.200s", name, r.Code, r.Body.Len(), r.Body)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s takes %s", name, took)
		}
	}
}

func TestACardNumberIsNotShownAgainInWhateverFieldOrDigitsItIsTyped(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("typed")).field("id")
	const pan = "4000019900050107"
	digits := func(zero rune) string {
		return strings.Map(func(r rune) rune { return zero + r - '0' }, pan)
	}
	plain := func(page string) string {
		return strings.Map(func(r rune) rune {
			for _, zero := range []rune{'０', '٠', '۰', '०'} {
				if r >= zero && r <= zero+9 {
					return '0' + r - zero
				}
			}
			if strings.ContainsRune(" -.\u00a0\u2009", r) {
				return -1
			}
			return r
		}, page)
	}
	for _, typed := range []string{pan, "4000 0199 0005 0107", "4000-0199-0005-0107", "4000.0199.0005.0107", "4000\u00a00199\u00a00005\u00a00107",
		"IVAN " + pan, pan + " 12/30 123", digits('０'), digits('٠'), digits('۰'), digits('०')} {
		for _, field := range []string{"name", "expiry", "cvc", "number", "phone", "email", "code"} {
			form := url.Values{"number": {"4111"}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}}
			form.Set(field, typed)
			if page := m.shopper(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(form.Encode())); strings.Contains(plain(page.Body.String()), pan) {
				t.Errorf("%q typed as %s is shown again", typed, field)
			}
		}
	}
}

// Whoever goes away before the answer is no fault of ours: strangers would fill the log with errors, and the alarm for answers of 500 would ring.
func TestAClientThatGoesAwayIsNoError(t *testing.T) {
	var log bytes.Buffer
	codes := map[string]int{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		log:     slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		observe: func(route, _ string, code int, _ time.Duration) { codes[route] = code },
	})
	id := m.call(http.MethodPost, "/v1/sessions", order("gone")).field("id")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/pay/" + id + "/events", "/pay/" + id + "/frame/1/0", "/v1/sessions/" + id, "/v1/sessions", "/v1/events"} {
		r := httptest.NewRequest(http.MethodGet, path, nil).WithContext(gone)
		r.Header.Set("Authorization", "Bearer "+shopKey)
		m.ServeHTTP(httptest.NewRecorder(), r)
	}
	for route, code := range codes {
		if code >= 500 && !strings.HasPrefix(route, "/v1/") || code == 500 {
			t.Errorf("%s: %d", route, code)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log says %s", log.String())
	}
}

// Each set of mistakes in a form would be an outline of its own, and strangers could have as many made as there are sets: a form with mistakes
// is drawn for whoever made them, and the outlines of everybody's pages stay.
func TestAFormWithMistakesMakesNoOutline(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("mistakes")).field("id")
	for _, form := range []url.Values{{}, {"number": {"1"}}, {"number": {"4000019900020720"}, "cvc": {"1"}}, {"name": {"4"}, "expiry": {"1/1"}}} {
		page := m.shopper(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(form.Encode()), "Accept-Encoding", "gzip")
		if page.Code != http.StatusUnprocessableEntity || page.Header().Get("Content-Encoding") != "" || !strings.Contains(page.Body.String(), "</html>") {
			t.Errorf("%v: %d, encoded as %q", form, page.Code, page.Header().Get("Content-Encoding"))
		}
	}
	if page := m.shopper(http.MethodGet, "/pay/"+id, nil, "Accept-Encoding", "gzip"); page.Header().Get("Content-Encoding") != "gzip" {
		t.Error("the page of everybody is not filled in from its outline")
	}
}
