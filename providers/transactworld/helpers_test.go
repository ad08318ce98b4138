package transactworld

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

const testKey = "TESTSECUREKEY0000000000000000000" // of the published checksum vectors

// gatewayLine is a gateway that answers what a test wants and keeps what it was sent. A token is always to be had.
type gatewayLine struct {
	t  testing.TB
	mu sync.Mutex
	// answer replies to everything but authToken; nil means 500.
	answer func(sent) (int, string)
	all    []sent
	now    time.Time
}

type sent struct {
	path, token, kind, accept, body string
	form                            url.Values
}

func (w *gatewayLine) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s := sent{path: r.URL.Path, token: r.Header.Get("AuthToken"), kind: r.Header.Get("Content-Type"), accept: r.Header.Get("Accept"), body: string(raw)}
	s.form, _ = url.ParseQuery(s.body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, s)
	status, body := 500, ""
	switch {
	case strings.HasSuffix(r.URL.Path, "/authToken"):
		n := strings.Count(w.calls(), "authToken")
		status, body = 200, `{"partnerId":"175","memberId":"12754","result":{"code":"200","description":"Token generated successfully"},"LoginName":"testdoc","AuthToken":"token-`+string(rune('0'+n))+`"}`
	case w.answer != nil:
		status, body = w.answer(s)
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// calls are the last path elements in order.
func (w *gatewayLine) calls() string {
	var out []string
	for _, s := range w.all {
		out = append(out, s.path[strings.LastIndexByte(s.path, '/')+1:])
	}
	return strings.Join(out, " ")
}

func (w *gatewayLine) last() sent { return w.all[len(w.all)-1] }

func says(status int, body string) func(sent) (int, string) {
	return func(sent) (int, string) { return status, body }
}

func testProvider(t testing.TB, w *gatewayLine, change ...func(*Config)) *provider {
	t.Helper()
	if w == nil {
		w = &gatewayLine{}
	}
	w.t = t
	if w.now.IsZero() {
		w.now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	}
	c := Config{BaseURL: "https://gate.example", MemberID: "12754", PartnerID: "175", Username: "testdoc", SecureKey: providers.NewSecret(testKey)}
	for _, f := range change {
		f(&c)
	}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: w}, Now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*provider)
}

func parse(t testing.TB, number, code string, year int) card.Card {
	t.Helper()
	n, err := card.ParseNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	return card.Card{Number: n, Month: 12, Year: year, Code: c, Name: "JOHN DOE"}
}

func coin(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func eur(t testing.TB, minor int64) money.Amount {
	return money.Amount{Minor: minor, Currency: coin(t, "EUR")}
}

func payment(t testing.TB) providers.Payment {
	return providers.Payment{
		Ref: providers.Ref{Reference: "00001"}, OrderID: "00001", Amount: eur(t, 5000), Description: "Test Transaction",
		Customer:    providers.Customer{ID: "12345", Email: "john.doe@xyz.com", IP: "192.168.0.1"},
		Billing:     providers.Billing{FirstName: "John", LastName: "Doe", Address: "19 Scrimshire Lane", City: "Aston", State: "NA", Zip: "CH5 3LJ", Country: "UK", Phone: "07730432996"},
		CallbackURL: "https://pay.example/callbacks/tw", Run: providers.Run{ReturnURL: "https://pay.example/3ds/run/return"},
	}
}

func browser() threeds.BrowserData {
	return threeds.BrowserData{AcceptHeader: "text/html", UserAgent: "Mozilla/5.0", IP: "192.168.0.9", Language: "en-GB-oed", ColorDepth: "24", ScreenHeight: "1080", ScreenWidth: "1920", TZ: "-300"}
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func known(p providers.Payment, id string) providers.Payment {
	p.Ref.OrderID = id
	return p
}
