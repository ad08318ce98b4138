package transactworld_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/internal/sandbox/ledger"
	sandbox "tollgate/internal/sandbox/transactworld"
	"tollgate/providers"
	"tollgate/providers/transactworld"
	"tollgate/threeds"
)

const (
	plain = "4000019900050008"
	broke = "4000019900050107"
)

// desk is an account at a simulator, with what it has done so far.
type desk struct {
	*house
	t *testing.T
	p *transactworld.Provider
	n int
}

func open(t *testing.T, c transactworld.Config, account sandbox.Account) *desk {
	t.Helper()
	h := newHouse(t, c, account)
	p, err := h.Open(providers.Env{HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, Now: h.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{house: h, t: t, p: p.(*transactworld.Provider)}
}

func (d *desk) payment(minor int64) providers.Payment {
	d.n++
	p := d.Payment
	p.OrderID = fmt.Sprintf("S%d", d.n)
	p.Ref, p.Amount.Minor = providers.Ref{Reference: p.OrderID + "-1"}, minor
	p.Run.ReturnURL, p.CallbackURL = "http://127.0.0.1:1/3ds/run/return", "http://127.0.0.1:1/callbacks/tw"
	return p
}

func (d *desk) card(pan string) card.Card {
	d.t.Helper()
	number, err := card.ParseNumber(pan)
	if err != nil {
		d.t.Fatal(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		d.t.Fatal(err)
	}
	return card.Card{Number: number, Month: 12, Year: d.Now().Year() + 2, Code: code, Name: "AIGERIM TEST"}
}

// take pays, and gives the payment with what is known of it then.
func (d *desk) take(p providers.Payment, in providers.Instrument, want providers.Kind) providers.Payment {
	d.t.Helper()
	step, err := d.p.Pay(d.t.Context(), p, in, threeds.BrowserData{})
	if err != nil || step.Kind != want {
		d.t.Fatalf("%+v %v", step, err)
	}
	p.Ref = step.Ref
	return p
}

func (d *desk) status(p providers.Payment) providers.Standing {
	d.t.Helper()
	s, err := d.p.Status(d.t.Context(), p)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func (d *desk) do(p providers.Payment, kind providers.OpKind, minor int64) (providers.OpResult, error) {
	d.t.Helper()
	return d.p.Do(d.t.Context(), p, providers.Op{Kind: kind, Amount: money.Amount{Minor: minor, Currency: p.Amount.Currency}, Standing: d.status(p)})
}

func (d *desk) inquire(p providers.Payment, kind providers.OpKind) (providers.OpResult, error) {
	return d.p.Inquire(d.t.Context(), p, providers.Op{Kind: kind})
}

func (d *desk) entry(reference string) ledger.Entry {
	d.t.Helper()
	for _, e := range d.env.Ledger.All() {
		if e.Reference == reference {
			return e
		}
	}
	d.t.Fatalf("%s is not in the ledger", reference)
	return ledger.Entry{}
}

func TestOperationsAtTheSimulator(t *testing.T) {
	for name, pending := range map[string]int{"done at once": 0, "pending for two inquiries": 2} {
		t.Run(name, func(t *testing.T) {
			account := sandbox.DemoAccount()
			account.PendingOps = pending
			d := open(t, transactworld.Config{}, account)
			settled := func(p providers.Payment, kind providers.OpKind, r providers.OpResult, err error) {
				t.Helper()
				for range pending + 1 {
					if err != nil || r.State != providers.OpPending {
						break
					}
					r, err = d.inquire(p, kind)
				}
				if err != nil || r.State != providers.OpSucceeded {
					t.Fatalf("%s: %+v %v", kind, r, err)
				}
				if r, err = d.inquire(p, kind); err != nil || r.State != providers.OpSucceeded {
					t.Errorf("%s, asked again: %+v %v", kind, r, err)
				}
			}
			p := d.payment(5000)
			p.Hold = true
			p = d.take(p, providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
			r, err := d.do(p, providers.Capture, 3000)
			settled(p, providers.Capture, r, err)
			if s := d.status(p); s.Outcome != providers.Paid || s.Held != 5000 || s.Captured != 3000 || s.Refunded != 0 {
				t.Errorf("%+v", s)
			}
			var refusal *providers.Refusal
			if r, err = d.do(p, providers.Capture, 1000); !errors.As(err, &refusal) {
				t.Errorf("a second capture: %+v %v", r, err)
			}
			r, err = d.do(p, providers.Refund, 1234)
			settled(p, providers.Refund, r, err)
			if s := d.status(p); s.Outcome != providers.Paid || s.Captured != 3000 || s.Refunded != 1234 {
				t.Errorf("%+v", s)
			}
			if r, err = d.do(p, providers.Refund, 1); !errors.As(err, &refusal) {
				t.Errorf("a second refund: %+v %v", r, err)
			}
			if e := d.entry(p.Ref.Reference); e.Captured != 3000 || e.Refunded != 1234 || e.Charges != 1 {
				t.Errorf("%+v", e)
			}
			q := d.payment(700)
			q.Hold = true
			q = d.take(q, providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
			r, err = d.do(q, providers.Void, 700)
			settled(q, providers.Void, r, err)
			if s := d.status(q); s.Outcome != providers.Voided || s.Held+s.Captured != 0 {
				t.Errorf("%+v", s)
			}
			if e := d.entry(q.Ref.Reference); e.Authorized != 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// An operation whose answer was lost, and of which the inquiry shows nothing, is unknown.
func TestOperationsWhoseAnswerWasLost(t *testing.T) {
	d := open(t, transactworld.Config{}, sandbox.DemoAccount())
	p := d.payment(5000)
	p.Hold = true
	p = d.take(p, providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
	for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
		if r, err := d.inquire(p, kind); err == nil {
			t.Errorf("%s that nobody asked for: %+v", kind, r)
		}
	}
	for _, op := range []struct {
		kind  providers.OpKind
		minor int64
		want  providers.OpState
	}{{providers.Capture, 2000, providers.OpMissing}, {providers.Void, 5000, providers.OpMissing}, {providers.Void, 2000, ""}} { // a part need not show
		r, err := d.p.Inquire(t.Context(), p, providers.Op{Kind: op.kind, Amount: money.Amount{Minor: op.minor, Currency: p.Amount.Currency}, Standing: d.status(p)})
		if r.State != op.want || (err == nil) != (op.want != "") {
			t.Errorf("%s of %d, never sent: %+v %v", op.kind, op.minor, r, err)
		}
	}
	if r, err := d.do(p, providers.Refund, 100); err != nil || r.State != providers.OpFailed || r.Decline.Code != "20004" {
		t.Errorf("a refund of a hold: %+v %v", r, err)
	}
	if r, err := d.do(p, providers.Void, 2000); err != nil || r.State != providers.OpSucceeded {
		t.Errorf("a part of a hold given back: %+v %v", r, err)
	}
	if e := d.entry(p.Ref.Reference); e.Authorized != 3000 {
		t.Errorf("%+v", e)
	}
	if r, err := d.do(p, providers.Capture, 3000); err != nil || r.State != providers.OpSucceeded {
		t.Errorf("the rest: %+v %v", r, err)
	}
}

// A refund of all has no answer, and somebody gives back a part in the back office: less is back than was asked for, so that ours
// is not among it.
func TestARefundMadeElsewhereIsNotTakenForALargerOneThatWasNeverMade(t *testing.T) {
	d := open(t, transactworld.Config{}, sandbox.DemoAccount())
	p := d.take(d.payment(5000), providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
	op := providers.Op{Kind: providers.Refund, Amount: p.Amount, Standing: d.status(p)}
	if r, err := d.do(p, providers.Refund, 2000); err != nil || r.State != providers.OpSucceeded {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := d.p.Inquire(t.Context(), p, op); err != nil || r.State != providers.OpMissing {
		t.Errorf("a refund of all: %+v %v", r, err)
	}
	op.Amount.Minor = 2000
	if r, err := d.p.Inquire(t.Context(), p, op); err != nil || r.State != providers.OpSucceeded {
		t.Errorf("a refund of as much: %+v %v", r, err)
	}
}

func TestSavedCards(t *testing.T) {
	d := open(t, transactworld.Config{}, sandbox.DemoAccount())
	first := d.payment(5000)
	first.SaveCard, first.Customer.ID = true, "c7"
	first = d.take(first, providers.Instrument{Kind: "card", Card: d.card(plain), Initial: true}, providers.Finished)
	saved, err := d.p.Remember(t.Context(), first, d.status(first))
	want := providers.SavedCard{ID: first.Ref.More["registrationId"], Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0008"}, Expiry: fmt.Sprintf("12/%02d", (d.Now().Year()+2)%100), Active: true}
	if err != nil || saved != want || len(saved.ID) != 32 {
		t.Fatalf("%+v %v", saved, err)
	}
	unsaved := d.take(d.payment(100), providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
	if s, err := d.p.Remember(t.Context(), unsaved, d.status(unsaved)); err == nil {
		t.Errorf("a payment that saved no card: %+v", s)
	}
	code := d.card(plain).Code
	good := map[string]providers.Instrument{
		"by the shopper, with the code":         {Kind: "saved_card", Saved: saved.ID, Code: code},
		"by the merchant, with the token":       {Kind: "saved_card", Saved: saved.ID, Merchant: true, First: first.Ref.OrderID},
		"by the merchant, with the first alone": {Kind: "saved_card", Merchant: true, First: first.Ref.OrderID},
	}
	for name, in := range good {
		p := d.take(d.payment(750), in, providers.Finished)
		if e := d.entry(p.Ref.Reference); e.Charges != 1 || e.Captured != 750 || d.status(p).Outcome != providers.Paid {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if !d.p.AsksCode() {
		t.Error("the shopper types the code")
	}
	d.take(d.payment(100), providers.Instrument{Kind: "saved_card", Saved: saved.ID}, providers.Declined) // no code
	if _, err := d.p.Cards(t.Context(), providers.Owner{CustomerID: "c7"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	for range 2 { // forgetting one that is gone is no error
		if err := d.p.Forget(t.Context(), providers.Owner{CustomerID: "c7"}, "f-1", saved.ID); err != nil {
			t.Error(err)
		}
	}
	d.take(d.payment(100), providers.Instrument{Kind: "saved_card", Saved: saved.ID, Code: code}, providers.Declined)

	alone, err := d.p.RegisterCard(t.Context(), providers.Owner{CustomerID: "c7"}, "reg-1", d.card("4000019900020704"), d.payment(100))
	if err != nil || alone.Card.Last4 != "0704" || alone.Expiry != want.Expiry {
		t.Fatalf("%+v %v", alone, err)
	}
	// A stored card may want its bank: the shopper is sent away as with a card.
	p := d.take(d.payment(300), providers.Instrument{Kind: "saved_card", Saved: alone.ID, Code: code}, providers.PayerPage)
	if d.status(p).Outcome != providers.Waiting {
		t.Errorf("%+v", d.status(p))
	}
	bad := d.card(plain)
	bad.Year = d.Now().Year() - 1
	if s, err := d.p.RegisterCard(t.Context(), providers.Owner{}, "reg-2", bad, d.payment(100)); err == nil {
		t.Errorf("an expired card was stored: %+v", s)
	}
}

func TestPayouts(t *testing.T) {
	for name, pending := range map[string]int{"done at once": 0, "pending": 1} {
		t.Run(name, func(t *testing.T) {
			account := sandbox.DemoAccount()
			account.PendingOps = pending
			d := open(t, transactworld.Config{}, account)
			paid := d.take(d.payment(5000), providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
			c := d.card(plain)
			for _, to := range []providers.Destination{{PaymentID: paid.Ref.OrderID}, {Card: &c, First: "Aigerim", Last: "Test"}} {
				p := d.payment(900)
				r, err := d.p.Payout(t.Context(), p, to)
				if pending > 0 && (err != nil || r.State != providers.OpPending) {
					t.Fatalf("%+v %v", r, err)
				}
				for range pending {
					r, err = d.p.InquirePayout(t.Context(), p, r)
				}
				r, inquired := d.p.InquirePayout(t.Context(), p, r)
				if err != nil || inquired != nil || r.State != providers.OpSucceeded || d.entry(p.Ref.Reference).Refunded != 900 {
					t.Errorf("%+v %v %v", r, err, inquired)
				}
				if r, err := d.p.Payout(t.Context(), p, to); err == nil {
					t.Errorf("sent twice: %+v", r)
				}
				if r, err = d.p.InquirePayout(t.Context(), p, providers.OpResult{}); err != nil || r.State != providers.OpSucceeded {
					t.Errorf("by our number alone: %+v %v", r, err)
				}
				if s := d.status(p); s.Outcome != providers.Unclear {
					t.Errorf("a payout is no payment: %+v", s)
				}
			}
			poor := d.card(broke)
			p := d.payment(900)
			if r, err := d.p.Payout(t.Context(), p, providers.Destination{Card: &poor}); err != nil || r.State != providers.OpFailed || r.Decline == nil {
				t.Errorf("%+v %v", r, err)
			}
			if r, err := d.p.InquirePayout(t.Context(), d.payment(900), providers.OpResult{}); err != nil || r.State != providers.OpMissing {
				t.Errorf("one that nobody sent: %+v", r)
			}
			var refusal *providers.Refusal
			if _, err := d.p.Payout(t.Context(), p, providers.Destination{Phone: "77010000000"}); !errors.As(err, &refusal) {
				t.Error(err)
			}
		})
	}
}

func TestInvoices(t *testing.T) {
	d := open(t, transactworld.Config{Requests: "json", Answers: "xml"}, sandbox.DemoAccount())
	in := providers.Invoice{Reference: "INV-1", Amount: money.Amount{Minor: 5000, Currency: currency(t, "KZT")}, Description: "Books", Customer: providers.Customer{Email: "a@b.example"}, ReturnURL: "http://127.0.0.1:1/back"}
	made, err := d.p.CreateInvoice(t.Context(), in)
	if err != nil || made.GatewayID == "" || !strings.HasPrefix(made.URL, d.server.URL) || made.Status != providers.Waiting || made.Reference != "INV-1" {
		t.Fatalf("%+v %v", made, err)
	}
	if again, err := d.p.CreateInvoice(t.Context(), in); err == nil {
		t.Errorf("the same number twice: %+v", again)
	}
	renewed, err := d.p.RenewInvoice(t.Context(), made)
	if err != nil || renewed.URL == made.URL || renewed.GatewayID != made.GatewayID {
		t.Errorf("%+v %v", renewed, err)
	}
	ask := func(reference string) providers.Outcome {
		t.Helper()
		got, err := d.p.InquireInvoice(t.Context(), providers.Invoice{Reference: reference})
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	if ask("INV-1") != providers.Waiting || ask("INV-2") != providers.NotFound {
		t.Error(ask("INV-1"), ask("INV-2"))
	}
	form := url.Values{"card.number": {plain}, "card.expiryMonth": {"12"}, "card.expiryYear": {fmt.Sprint(d.Now().Year() + 2)}, "card.cvv": {"123"}}
	res, err := http.PostForm(renewed.URL, form)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(body), in.ReturnURL) || ask("INV-1") != providers.Paid || d.entry("INV-1").Captured != 5000 {
		t.Errorf("%v %s: %s", err, ask("INV-1"), body)
	}
	if got, err := d.p.RenewInvoice(t.Context(), made); err == nil {
		t.Errorf("a paid one: %+v", got)
	}
	in.Reference = "INV-3"
	if _, err := d.p.CreateInvoice(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d.Advance(25 * time.Hour)
	if ask("INV-3") != providers.Closed {
		t.Error(ask("INV-3"))
	}
}

func TestHistoryOfTheSimulator(t *testing.T) {
	d := open(t, transactworld.Config{}, sandbox.DemoAccount())
	for _, pan := range []string{plain, broke, "4000019900020704"} {
		_, _ = d.p.Pay(t.Context(), d.payment(5000), providers.Instrument{Kind: "card", Card: d.card(pan)}, threeds.BrowserData{})
	}
	d.Advance(time.Minute)
	lines, next, err := d.p.History(t.Context(), providers.HistoryQuery{From: d.Now().Add(-time.Hour), Limit: 1})
	if err != nil || len(lines) != 1 || next == "" {
		t.Fatalf("%+v %q %v", lines, next, err)
	}
	first := lines
	lines, next, err = d.p.History(t.Context(), providers.HistoryQuery{From: d.Now().Add(-time.Hour), Limit: 1, After: next})
	rest, _, restErr := d.p.History(t.Context(), providers.HistoryQuery{From: d.Now().Add(-time.Hour), Limit: 1, After: next})
	if lines = append(lines, rest...); first[0].Reference == lines[0].Reference || restErr != nil {
		t.Errorf("the first line again: %+v %v", first, restErr)
	}
	if err != nil || len(lines) != 2 || lines[0].Reference != "S2-1" || lines[0].Outcome != providers.Refused || lines[1].Outcome != providers.Paid ||
		lines[1].Amount.Minor != 5000 || lines[1].Card.Last4 != "0008" || lines[1].Kind != "payment" {
		t.Errorf("%+v %v", lines, err)
	}
	lines, _, err = d.p.History(t.Context(), providers.HistoryQuery{From: d.Now(), To: d.Now().Add(time.Hour)})
	if err != nil || len(lines) != 0 {
		t.Errorf("%+v %v", lines, err)
	}
}

// The account's clock and the gateway's part: the gateway refuses the token before we think it old. It is renewed, and
// nothing is charged twice.
func TestATokenThatExpiredEarlyIsRenewed(t *testing.T) {
	d := open(t, transactworld.Config{}, sandbox.DemoAccount())
	behind := d.Now()
	c := d.Harness
	p, err := c.Open(providers.Env{HTTP: &http.Client{}, Now: func() time.Time { return behind }, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	d.p = p.(*transactworld.Provider)
	d.take(d.payment(100), providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
	d.Advance(2 * time.Hour)
	paid := d.take(d.payment(100), providers.Instrument{Kind: "card", Card: d.card(plain)}, providers.Finished)
	if e := d.entry(paid.Ref.Reference); e.Charges != 1 {
		t.Errorf("%+v", e)
	}
}

// The checkout page is the platform's: until the card is given there, the platform knows nothing, and the payment may come yet.
func TestAPaymentOnTheCheckoutPage(t *testing.T) {
	d := open(t, transactworld.Config{ToType: "transactworld"}, sandbox.DemoAccount())
	p := d.payment(5000)
	step, err := d.p.Pay(t.Context(), p, providers.Instrument{Kind: "hosted"}, threeds.BrowserData{})
	if err != nil || step.Kind != providers.PayerPage || len(step.Forms) != 1 {
		t.Fatalf("%+v %v", step, err)
	}
	if before := d.status(p); before.Outcome != providers.NotFound {
		t.Errorf("of a shopper who was never sent there: %+v", before)
	}
	p.Ref = step.Ref
	waiting := d.status(p)
	if waiting.Outcome != providers.Waiting || !waiting.AwaitsPage || waiting.Next == nil || waiting.Next.Forms[0].Action != step.Forms[0].Action {
		t.Errorf("%+v", waiting)
	}
	form := url.Values{}
	for _, f := range step.Forms[0].Fields {
		form.Set(f.Name, f.Value)
	}
	post := func() string {
		t.Helper()
		res, err := http.PostForm(step.Forms[0].Action, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(page)
	}
	if page := post(); !strings.Contains(page, "card.number") {
		t.Fatalf("the page: %s", page)
	}
	for name, v := range map[string]string{"card.number": plain, "card.expiryMonth": "12", "card.expiryYear": "2030", "card.cvv": "123"} {
		form.Set(name, v)
	}
	post()
	if paid := d.status(p); paid.Outcome != providers.Paid || paid.Captured != 5000 || paid.Reference != p.Ref.Reference {
		t.Errorf("%+v", paid)
	}
	if none := open(t, transactworld.Config{}, sandbox.DemoAccount()); len(none.p.Instruments()) != 0 {
		t.Error("the page is offered where the account has no totype")
	}
}
