package transactworld

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

// methods notes how each request was sent.
type methods struct {
	*gatewayLine
	used []string
}

func (m *methods) RoundTrip(r *http.Request) (*http.Response, error) {
	m.used = append(m.used, r.Method)
	return m.gatewayLine.RoundTrip(r)
}

func TestEveryCallIsAPostWithATokenAndAChecksum(t *testing.T) {
	w := &methods{gatewayLine: &gatewayLine{answer: says(200, `{"result":{"code":"99999"}}`)}}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	c := Config{BaseURL: "https://gate.example", MemberID: "12754", PartnerID: "175", Username: "testdoc", SecureKey: providers.NewSecret(testKey)}
	opened, err := c.Open(providers.Env{HTTP: &http.Client{Transport: w}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	p, pay, typed := opened.(*provider), payment(t), parse(t, "4111110000000021", "123", 2030)
	held := known(pay, "54289")
	held.Hold = true
	bill := providers.Invoice{Reference: "INV-1", GatewayID: "9001", Amount: pay.Amount, ReturnURL: "https://shop.example/return"}
	// That every answer here is refused is the business of other tests.
	_, _ = p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: typed}, threeds.BrowserData{})
	_, _ = p.Pay(t.Context(), pay, providers.Instrument{Kind: "saved_card", Saved: "tok1"}, threeds.BrowserData{})
	_, _ = p.Status(t.Context(), pay)
	_, _ = p.Status(t.Context(), known(pay, "54289"))
	for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
		_, _ = p.Do(t.Context(), held, providers.Op{Kind: kind, Amount: pay.Amount})
	}
	_, _ = p.RegisterCard(t.Context(), providers.Owner{CustomerID: "c7"}, "reg-1", typed, pay)
	_ = p.Forget(t.Context(), providers.Owner{}, "x", "tok1")
	_, _ = p.Payout(t.Context(), pay, providers.Destination{PaymentID: "54289"})
	_, _, _ = p.History(t.Context(), providers.HistoryQuery{From: now.Add(-time.Hour), To: now})
	_, _ = p.CreateInvoice(t.Context(), bill)
	_, _ = p.RenewInvoice(t.Context(), bill)
	_, _ = p.InquireInvoice(t.Context(), bill)
	if len(w.all) != 15 {
		t.Errorf("%d requests: %s", len(w.all), w.calls())
	}
	for i, s := range w.all {
		login := strings.HasSuffix(s.path, "/authToken")
		if w.used[i] != http.MethodPost || (s.token == "") != login || (len(s.form.Get("authentication.checksum")) == 32) == login {
			t.Errorf("%s %s, token %q, %v", w.used[i], s.path, s.token, s.form)
		}
	}
}

func TestEveryBrandOfTheDocumentHasItsWord(t *testing.T) {
	for number, want := range map[string]string{
		"6759649826438453": "MAESTRO", "5555555555554444": "MC", "4111110000000021": "VISA", "378282246310005": "AMEX", "3530111333300000": "JCB",
		"6200000000000005": "CUP",
	} {
		w := &gatewayLine{}
		n, err := card.ParseNumber(number)
		if err != nil {
			t.Fatal(err)
		}
		typed := parse(t, "4111110000000021", "123", 2030)
		typed.Number = n
		_, _ = testProvider(t, w).Pay(t.Context(), payment(t), providers.Instrument{Kind: "card", Card: typed}, threeds.BrowserData{})
		if got := w.last().form.Get("paymentBrand"); got != want {
			t.Errorf("%s: %q, want %s", number, got, want)
		}
	}
}

func TestWhatIsSentIsUTF8(t *testing.T) {
	for _, requests := range []string{"form", "json"} {
		w := &gatewayLine{}
		pay := payment(t)
		pay.Description = "Кітап 書"
		_, _ = testProvider(t, w, func(c *Config) { c.Requests = requests }).Pay(t.Context(), pay,
			providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}, threeds.BrowserData{})
		if body := w.last().body; w.last().form.Get("orderDescriptor") != pay.Description && !strings.Contains(body, `"orderDescriptor":"`+pay.Description+`"`) {
			t.Errorf("%s: %s", requests, body)
		}
	}
}

func TestAnInvoiceTellsTheGatewayWhereToNotify(t *testing.T) {
	w := &gatewayLine{}
	_, _ = testProvider(t, w).CreateInvoice(t.Context(), providers.Invoice{Reference: "INV-1", Amount: eur(t, 5000),
		CallbackURL: "https://pay.example/callbacks/tw", Customer: providers.Customer{Email: "a@b.example"}})
	if f := w.last().form; f.Get("notificationUrl") != "https://pay.example/callbacks/tw" || f.Get("customer.email") != "a@b.example" {
		t.Errorf("%v", f)
	}
}
