package rbs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/rbs"
	"tollgate/threeds"
)

const (
	mdOrder  = "0179018d-8f96-7fbe-bc2b-4b7e00a7d8c0"
	transID  = "c300fd79-5e7d-4882-89c7-43458e2538b6"
	transID2 = "5802746e-3393-40c3-929a-dc966ebf08c6"
	pan      = "4000001111111118"
	cvc      = "859"
	password = "pass-word-1"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// exchange is one request that the fake gateway saw.
type exchange struct {
	method, path, contentType, body string
	form                            url.Values
}

// fake answers the calls in order, each path from its own list; the last answer of a list is repeated.
type fake struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	answers map[string][]string
	seen    []exchange
	handler http.HandlerFunc // instead of the answers
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, answers: map[string][]string{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.handler != nil {
			f.handler(w, r)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := r.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				break
			}
		}
		form, _ := url.ParseQuery(b.String())
		f.seen = append(f.seen, exchange{r.Method, r.URL.Path, r.Header.Get("Content-Type"), b.String(), form})
		op := strings.TrimPrefix(r.URL.Path, "/payment/rest/")
		list := f.answers[op]
		if len(list) == 0 {
			t.Errorf("unexpected call of %s", op)
			http.NotFound(w, r)
			return
		}
		if len(list) > 1 {
			f.answers[op] = list[1:]
		}
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		_, _ = w.Write([]byte(list[0]))
	}))
	t.Cleanup(srv.Close)
	f.url = srv.URL + "/payment/rest/"
	return f
}

// on sets the answers of a call.
func (f *fake) on(op string, answers ...string) *fake { f.answers[op] = answers; return f }

// calls are the paths that were called, in order.
func (f *fake) calls() string {
	var out []string
	for _, e := range f.seen {
		out = append(out, strings.TrimPrefix(e.path, "/payment/rest/"))
	}
	return strings.Join(out, " ")
}

func (f *fake) last() exchange { return f.seen[len(f.seen)-1] }

func (f *fake) open(change ...func(*rbs.Config)) providers.Provider {
	f.t.Helper()
	c := &rbs.Config{BaseURL: f.url, UserName: "test_user", Password: providers.NewSecret(password)}
	for _, ch := range change {
		ch(c)
	}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Timeout: 5 * time.Second}, Now: func() time.Time { return now }, Loopback: true})
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func answer(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "answers", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func amount(t testing.TB, minor int64, code string) money.Amount {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return money.Amount{Minor: minor, Currency: c}
}

func payment(t testing.TB) providers.Payment {
	return providers.Payment{
		Ref:         providers.Ref{Reference: "A-17-1"},
		OrderID:     "A-17",
		Amount:      amount(t, 2000, "EUR"),
		Description: "Two\nbooks",
		Locale:      "en",
		Customer:    providers.Customer{ID: "659753456", Email: "ann@example.com", IP: "2001:db8::77"},
		ExpiresAt:   now.Add(30 * time.Minute),
		CallbackURL: "https://pay.example/callbacks/rbs",
		Run: providers.Run{N: 1, NotifyURL: "https://pay.example/3ds/tok1/notify", ReturnURL: "https://pay.example/3ds/tok1/return",
			SessionData: "c2VhbGVk"},
	}
}

// registered is the payment once the order is known.
func registered(t testing.TB) providers.Payment {
	p := payment(t)
	p.Ref.OrderID = mdOrder
	return p
}

func testCard(t testing.TB) card.Card {
	t.Helper()
	n, err := card.ParseNumber(pan)
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode(cvc)
	if err != nil {
		t.Fatal(err)
	}
	return card.Card{Number: n, Code: code, Month: 2, Year: 2030, Name: "TEST CARDHOLDER"}
}

var browser = threeds.BrowserData{
	AcceptHeader: "text/html,*/*;q=0.8", UserAgent: "Mozilla/5.0 <X11>", IP: "185.230.240.201", Language: "kk-KZ", JavascriptEnabled: true,
	ColorDepth: "24", ScreenHeight: "864", ScreenWidth: "1536", TZ: "-300",
}

func pay(t testing.TB, p providers.Provider, pm providers.Payment) (providers.Step, error) {
	return p.Pay(context.Background(), pm, providers.Instrument{Kind: "card", Card: testCard(t)}, browser)
}
