package cashier_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/threeds"
)

const (
	external = "60fbe28e-3219-448c-b792-7f6a49fe1d39"
	password = "Password123"
	pan      = "4000019900050008"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// said is an answer of the fake gateway; status 0 is 200, -1 a dead connection.
type said struct {
	status int
	body   string
}

// fake is a gateway without a network: it answers each call from its own list, the last answer again and again, and notes
// what it was sent.
type fake struct {
	mu      sync.Mutex
	answers map[string][]said
	seen    []sent
}

// sent is one request as it left.
type sent struct{ call, line, headers, body string }

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var headers []string
	for _, name := range []string{"Authorization", "Authorization-Token", "Content-Type", "X-Api-Key", "X-Req-Id"} {
		if v := r.Header.Get(name); v != "" {
			headers = append(headers, strings.ToLower(name)+": "+v)
		}
	}
	call := callName(r)
	f.seen = append(f.seen, sent{call, r.Method + " " + r.URL.String(), strings.Join(headers, "\n"), string(body)})
	a := said{404, `{"success":false,"description":"no such call"}`}
	if list := f.answers[call]; len(list) > 0 {
		a = list[0]
		if len(list) > 1 {
			f.answers[call] = list[1:]
		}
	}
	switch a.status {
	case -1:
		return nil, io.ErrUnexpectedEOF
	case 0:
		a.status = 200
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func (f *fake) calls() string {
	var names []string
	for _, s := range f.seen {
		names = append(names, s.call)
	}
	return strings.Join(names, " ")
}

func (f *fake) last() sent { return f.seen[len(f.seen)-1] }

const loginAnswer = `{"success":true,"description":"login success","accessToken":"token-1","expiresAccess":"1795266000","refreshToken":"r","expiresRefresh":"1795262400"}`

func newFake(answers map[string][]said) *fake {
	f := &fake{answers: map[string][]said{"login": {{0, loginAnswer}}}}
	for call, list := range answers {
		f.answers[call] = list
	}
	return f
}

func config() cashier.Config {
	return cashier.Config{
		BaseURL: "https://kanyonpay.pay2day.kz/api/v1", IdentityURL: "https://identity.authpoint.pro/api/v1", FormURL: "https://payment.pay2day.kz",
		Login: "mail@email.com", Password: providers.NewSecret(password), TSPID: 1, TSPCode: "shop",
	}
}

func (f *fake) open(t testing.TB, change func(*cashier.Config)) *cashier.Provider {
	t.Helper()
	c := config()
	if change != nil {
		change(&c)
	}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: f}, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*cashier.Provider)
}

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// payment is one of 100 kopecks; known with the gateway's ids.
func payment(t testing.TB, known bool) providers.Payment {
	t.Helper()
	p := providers.Payment{
		Ref: providers.Ref{Reference: "merchantOrderId"}, OrderID: "order", Amount: money.Amount{Minor: 100, Currency: currency(t, "RUB")}, Description: "comment",
		CreatedAt: noon, Customer: providers.Customer{ID: "c1", Email: "a@b.example", Phone: "+7 (987) 654-32-10"},
		Run: providers.Run{N: 1, ReturnURL: "https://pay.example/3ds/token/return"}, CallbackURL: "https://pay.example/callbacks/cashier",
	}
	if known {
		p.Ref.OrderID = "123456"
		p.Ref = p.Ref.With("externalOrderId", external)
	}
	return p
}

func instrument(t testing.TB) providers.Instrument {
	t.Helper()
	number, err := card.ParseNumber(pan)
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode("987")
	if err != nil {
		t.Fatal(err)
	}
	return providers.Instrument{Kind: "card", Card: card.Card{Number: number, Month: 7, Year: 2030, Code: code, Name: "AIGERIM TEST"}}
}

func browser() threeds.BrowserData {
	return threeds.BrowserData{AcceptHeader: "text/html", UserAgent: "Mozilla/5.0", IP: "203.0.113.7", Language: "kk", JavascriptEnabled: true, ColorDepth: "24", ScreenHeight: "1080", ScreenWidth: "1920", TZ: "-300"}
}

// read is a file of testdata.
func read(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// orderAnswer is a read of our order with members changed or added.
func orderAnswer(t testing.TB, pairs ...any) string {
	t.Helper()
	o := map[string]any{"id": 123456, "merchantOrderId": "merchantOrderId", "externalOrderId": external, "orderAmount": 97, "orderCurrency": "RUB",
		"paymentAmount": 100, "paymentCurrency": "RUB", "status": "CREATED"}
	for i := 0; i < len(pairs); i += 2 {
		o[pairs[i].(string)] = pairs[i+1]
	}
	raw, err := json.Marshal(map[string]any{"success": true, "description": "", "order": o})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
