package cashier_test

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
	sandbox "tollgate/internal/sandbox/cashier"
	"tollgate/providers"
	"tollgate/providers/cashier"
)

// shop is an account at the simulator.
type shop struct {
	t *testing.T
	g *gateway
	p *cashier.Provider
	n int
}

func newShop(t *testing.T, account sandbox.Account, change func(*cashier.Config), transport http.RoundTripper) *shop {
	t.Helper()
	g := newGateway(t, account)
	c := g.config(cashier.Config{})
	if change != nil {
		change(&c)
	}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: transport}, Now: g.now.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	return &shop{t: t, g: g, p: p.(*cashier.Provider)}
}

func (s *shop) fresh(minor int64, code string) providers.Payment {
	s.t.Helper()
	s.n++
	pay := payment(s.t, false)
	pay.OrderID = fmt.Sprintf("order-%d", s.n)
	pay.Ref = providers.Ref{Reference: pay.OrderID + "-1"}
	pay.Amount = money.Amount{Minor: minor, Currency: currency(s.t, code)}
	pay.CreatedAt = s.g.now.Now()
	pay.CallbackURL, pay.Run.ReturnURL = "", s.g.url+"/nowhere"
	return pay
}

// registered is a payment of 1234.56 roubles whose order is known.
func (s *shop) registered() providers.Payment {
	s.t.Helper()
	pay := s.fresh(123456, "RUB")
	ref, err := s.p.Register(s.t.Context(), pay)
	if err != nil {
		s.t.Fatal(err)
	}
	pay.Ref = ref
	return pay
}

func (s *shop) card(number string) providers.Instrument {
	s.t.Helper()
	n, err := card.ParseNumber(number)
	if err != nil {
		s.t.Fatal(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		s.t.Fatal(err)
	}
	return providers.Instrument{Kind: "card", Card: card.Card{Number: n, Month: 12, Year: 2040, Code: code, Name: "AIGERIM TEST"}}
}

func (s *shop) pay(p providers.Payment, in providers.Instrument) (providers.Payment, providers.Step) {
	s.t.Helper()
	step, err := s.p.Pay(s.t.Context(), p, in, browser())
	if err != nil {
		s.t.Fatal(err)
	}
	p.Ref = step.Ref
	return p, step
}

func (s *shop) status(p providers.Payment, want providers.Outcome) providers.Standing {
	s.t.Helper()
	st, err := s.p.Status(s.t.Context(), p)
	if err != nil || st.Outcome != want {
		s.t.Fatalf("%s wanted: %+v %v", want, st, err)
	}
	return st
}

func (s *shop) charges(p providers.Payment, want int) {
	s.t.Helper()
	if e := s.g.ledger(p.Ref.Reference); len(e) != 1 || e[0].Charges != want {
		s.t.Errorf("%s: %+v", p.Ref.Reference, e)
	}
}

func post(t *testing.T, to string, v url.Values) string {
	t.Helper()
	res, err := http.PostForm(to, v)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestQRAndSberPayArePaidInTheApp(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), func(c *cashier.Config) { c.TSPCode, c.FormURL = "", "" }, nil)
	for _, kind := range []string{"qr", "sberpay"} {
		p, step := s.pay(s.registered(), providers.Instrument{Kind: kind, Phone: "+79876543210"})
		if step.Kind != providers.Scan || !strings.HasPrefix(step.Link, s.g.url+"/cashier/sandbox/") {
			t.Fatalf("%s: %+v", kind, step)
		}
		if kind == "qr" {
			if st := s.status(p, providers.Waiting); st.Next == nil || st.Next.Link != step.Link {
				t.Errorf("the inquiry does not repeat the code: %+v", st.Next)
			}
		} else {
			s.status(p, providers.Processing)
		}
		s.charges(p, 0)
		post(t, step.Link, nil)
		if st := s.status(p, providers.Paid); st.Captured != 123456 || st.Next != nil {
			t.Errorf("%+v", st)
		}
		s.charges(p, 1)
	}
	// Without the shop's code there is no form, and so no card.
	if _, err := s.p.Pay(t.Context(), s.registered(), s.card("4000019900050008"), browser()); err == nil {
		t.Error("a card without a form")
	}
}

func TestTheHostedFormIsOpenedByPostAndRepeatedByTheInquiry(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, nil)
	p, step := s.pay(s.registered(), providers.Instrument{Kind: "hosted"})
	if step.Kind != providers.PayerPage || len(step.Forms) != 1 {
		t.Fatalf("%+v", step)
	}
	if st := s.status(p, providers.Waiting); st.Next == nil || st.Next.Forms[0].Action != step.Forms[0].Action {
		t.Errorf("%+v", st.Next)
	}
	v := url.Values{}
	for _, f := range step.Forms[0].Fields {
		v.Set(f.Name, f.Value)
	}
	if page := post(t, step.Forms[0].Action, v); !strings.Contains(page, `name="number"`) {
		t.Fatal(page)
	}
	post(t, step.Forms[0].Action, url.Values{"number": {"4000019900050008"}, "expiry": {"12/40"}, "cvc": {"123"}})
	s.status(p, providers.Paid)
	s.charges(p, 1)
	if step, err := s.p.Resume(t.Context(), p, providers.Answer{Kind: providers.Returned}); err != nil || step.Kind != providers.Finished {
		t.Errorf("%+v %v", step, err)
	}
}

func TestASavedCardPaysAgain(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, nil)
	first := s.registered()
	first.SaveCard = true
	first, _ = s.pay(first, s.card("4000019900050008"))
	saved, err := s.p.Remember(t.Context(), first, s.status(first, providers.Paid))
	if err != nil || saved.ID == "" || !saved.Active || saved.Expiry != "12/40" || saved.Card.Last4 != "0008" || saved.Card.Brand != "visa" {
		t.Fatalf("%+v %v", saved, err)
	}
	p, _ := s.pay(s.registered(), providers.Instrument{Kind: "saved_card", Saved: saved.ID, Merchant: true})
	s.status(p, providers.Paid)
	s.charges(p, 1)
	p, step := s.pay(s.registered(), providers.Instrument{Kind: "saved_card", Saved: "gone"})
	if step.Kind != providers.Declined || step.Decline.Reason != providers.CardNotSupported {
		t.Errorf("an unknown token: %+v", step)
	}
	s.charges(p, 0)
	other, _ := s.pay(s.registered(), s.card("4000019900050008"))
	if c, err := s.p.Remember(t.Context(), other, providers.Standing{}); err == nil {
		t.Errorf("saved without being asked: %+v", c)
	}
	if _, err := s.p.Cards(t.Context(), providers.Owner{CustomerID: "c"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := s.p.Forget(t.Context(), providers.Owner{}, "ref", saved.ID); err != nil || !s.p.AsksCode() {
		t.Error(err)
	}
}

func TestOperationsMoveExactlyTheAmountAskedFor(t *testing.T) {
	type op struct {
		kind  providers.OpKind
		minor int64
		want  providers.OpState // "" is a refusal before any call
	}
	for name, c := range map[string]struct {
		hold     bool
		ops      []op
		captured int64
	}{
		"charge":               {true, []op{{providers.Capture, 123456, providers.OpSucceeded}}, 123456},
		"a part of a hold":     {true, []op{{providers.Capture, 1, ""}}, 0},
		"void":                 {true, []op{{providers.Void, 0, providers.OpSucceeded}}, 0},
		"refund all":           {false, []op{{providers.Refund, 123456, providers.OpSucceeded}, {providers.Refund, 1, providers.OpFailed}}, 123456},
		"refund parts":         {false, []op{{providers.Refund, 1, providers.OpSucceeded}, {providers.Refund, 123455, providers.OpSucceeded}}, 123456},
		"refund more than all": {false, []op{{providers.Refund, 123457, providers.OpFailed}}, 123456},
		"refund of nothing":    {false, []op{{providers.Refund, 0, ""}}, 123456},
		"payout is no such":    {false, []op{{providers.Payout, 1, ""}}, 123456},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, sandbox.DemoAccount(), nil, nil)
			p := s.registered()
			p.Hold = c.hold
			p, _ = s.pay(p, s.card("4000019900050008"))
			want := providers.Paid
			if c.hold {
				want = providers.Authorized
			}
			before := s.status(p, want)
			for n, o := range c.ops {
				do := providers.Op{Kind: o.kind, Reference: fmt.Sprintf("op-%d", n), Amount: money.Amount{Minor: o.minor, Currency: p.Amount.Currency}, Standing: before}
				r, err := s.p.Do(t.Context(), p, do)
				if r.State != o.want || (err == nil) != (o.want != "") {
					t.Fatalf("%s %d: %+v %v", o.kind, o.minor, r, err)
				}
				if o.want == providers.OpSucceeded {
					if r, err := s.p.Inquire(t.Context(), p, do); err != nil || r.State != providers.OpSucceeded {
						t.Fatalf("%s %d, asked again: %+v %v", o.kind, o.minor, r, err)
					}
					st, err := s.p.Status(t.Context(), p)
					if err != nil {
						t.Fatal(err)
					}
					before = st
				}
			}
			if e := s.g.ledger(p.Ref.Reference); e[0].Captured != c.captured || e[0].Charges != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// loss drops the answers of one call, before or after the gateway took it.
type loss struct {
	call  string
	after bool
}

func (l *loss) RoundTrip(r *http.Request) (*http.Response, error) {
	if callName(r) != l.call {
		return http.DefaultTransport.RoundTrip(r)
	}
	if l.after {
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		res.Body.Close()
	}
	return nil, io.ErrUnexpectedEOF
}

// The order tells what became of an operation whose answer was lost; an x-req-id is never used to find out.
func TestOperationsWhoseAnswerWasLost(t *testing.T) {
	for _, c := range []struct {
		call string
		kind providers.OpKind
	}{{"charge", providers.Capture}, {"void", providers.Void}, {"refund", providers.Refund}} {
		for _, taken := range []bool{true, false} {
			s := newShop(t, sandbox.DemoAccount(), nil, &loss{c.call, taken})
			p := s.registered()
			p.Hold = c.kind != providers.Refund
			p, _ = s.pay(p, s.card("4000019900050008"))
			st, err := s.p.Status(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			op := providers.Op{Kind: c.kind, Reference: "op", Amount: p.Amount, Standing: st}
			if r, err := s.p.Do(t.Context(), p, op); err == nil {
				t.Fatalf("%s: %+v", c.call, r)
			}
			want := providers.OpMissing // perhaps it is still under way
			if taken {
				want = providers.OpSucceeded
			}
			if r, err := s.p.Inquire(t.Context(), p, op); err != nil || r.State != want {
				t.Errorf("%s taken %v: %+v %v", c.call, taken, r, err)
			}
		}
	}
}

// A refund of all never arrives, and somebody gives back a part in the cabinet: less is back than was asked for, so that ours is not
// among it. It was told as taken by the gateway, and stayed so for ever.
func TestARefundMadeElsewhereIsNotTakenForALargerOneThatWasNeverMade(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, nil)
	p, _ := s.pay(s.registered(), s.card("4000019900050008"))
	lost := providers.Op{Kind: providers.Refund, Reference: "lost", Amount: p.Amount, Standing: s.status(p, providers.Paid)}
	elsewhere := lost
	elsewhere.Reference, elsewhere.Amount.Minor = "elsewhere", 5000
	if r, err := s.p.Do(t.Context(), p, elsewhere); err != nil || r.State != providers.OpSucceeded {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := s.p.Inquire(t.Context(), p, lost); err != nil || r.State != providers.OpMissing {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSlowAndRefusedOperations(t *testing.T) {
	slow := sandbox.DemoAccount()
	slow.Processing = 2
	s := newShop(t, slow, nil, nil)
	for _, kind := range []providers.OpKind{providers.Capture, providers.Void} {
		p := s.registered()
		p.Hold = true
		p, _ = s.pay(p, s.card("4000019900050008"))
		op := providers.Op{Kind: kind, Reference: "op", Amount: p.Amount, Standing: s.status(p, providers.Authorized)}
		if r, err := s.p.Do(t.Context(), p, op); err != nil || r.State != providers.OpPending {
			t.Fatalf("%s: %+v %v", kind, r, err)
		}
		for _, want := range []providers.OpState{providers.OpPending, providers.OpSucceeded} {
			if r, err := s.p.Inquire(t.Context(), p, op); err != nil || r.State != want {
				t.Errorf("%s, %s wanted: %+v %v", kind, want, r, err)
			}
		}
	}
	refusing := sandbox.DemoAccount()
	refusing.DeclineCharge, refusing.DeclineVoid = true, true
	s = newShop(t, refusing, nil, nil)
	for _, kind := range []providers.OpKind{providers.Capture, providers.Void} {
		p := s.registered()
		p.Hold = true
		p, _ = s.pay(p, s.card("4000019900050008"))
		op := providers.Op{Kind: kind, Reference: "op", Amount: p.Amount, Standing: s.status(p, providers.Authorized)}
		r, err := s.p.Do(t.Context(), p, op)
		if err != nil || r.State != providers.OpFailed || r.Decline == nil {
			t.Errorf("%s: %+v %v", kind, r, err)
		}
		if st := s.status(p, providers.Authorized); st.Held != 123456 {
			t.Errorf("after a refused %s the hold is still there: %+v", kind, st)
		}
	}
}

// In one stage: the charge was refused, and the authorization stands until it is voided.
func TestARefusedChargeLeavesAnAuthorizationToVoid(t *testing.T) {
	refusing := sandbox.DemoAccount()
	refusing.DeclineCharge = true
	s := newShop(t, refusing, nil, nil)
	p, _ := s.pay(s.registered(), s.card("4000019900050008"))
	st := s.status(p, providers.HoldLeft)
	if st.Held != 123456 || st.Captured != 0 || st.Decline == nil || st.Decline.Code != "CHARGE_FAILED" || st.VoidRefused {
		t.Fatalf("%+v", st)
	}
	op := providers.Op{Kind: providers.Void, Reference: "op", Amount: p.Amount, Standing: st}
	if r, err := s.p.Inquire(t.Context(), p, op); err != nil || r.State != providers.OpMissing {
		t.Errorf("not sent yet: %+v %v", r, err)
	}
	if r, err := s.p.Do(t.Context(), p, op); err != nil || r.State != providers.OpSucceeded {
		t.Fatalf("%+v %v", r, err)
	}
	if st := s.status(p, providers.Voided); st.Held != 0 {
		t.Errorf("%+v", st)
	}

	refusing.DeclineVoid = true
	s = newShop(t, refusing, nil, nil)
	p, _ = s.pay(s.registered(), s.card("4000019900050008"))
	op.Standing = s.status(p, providers.HoldLeft)
	if r, err := s.p.Do(t.Context(), p, op); err != nil || r.State != providers.OpFailed {
		t.Fatalf("%+v %v", r, err)
	}
	if st := s.status(p, providers.HoldLeft); st.Held != 123456 || !st.VoidRefused {
		t.Errorf("%+v", st)
	}
}

// An order that is told of another amount for a while proves neither that something was given back nor that nothing was.
func TestAnOrderOfAnotherAmountProvesNothingOfAnOperation(t *testing.T) {
	paid := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100}
	for _, status := range []string{"CHARGED", "REFUNDED", "PARTIALLY_REFUNDED"} {
		for _, kind := range []providers.OpKind{providers.Refund, providers.Capture, providers.Void} {
			answer := orderAnswer(t, "status", status, "paymentAmount", 1, "orderAmount", 1, "amount", 1, "refundedAmount", 1)
			p := payment(t, true)
			op := providers.Op{Kind: kind, Amount: money.Amount{Minor: 10, Currency: currency(t, "RUB")}, Standing: paid}
			if r, err := newFake(map[string][]said{"read": {{0, answer}}}).open(t, nil).Inquire(t.Context(), p, op); err == nil {
				t.Errorf("%s, %s: %+v", status, kind, r)
			}
		}
	}
}

// Partly refunded, and no word of how much: neither this refund nor its absence.
func TestARefundWithoutARefundedTotalInTheInquiryIsUnknown(t *testing.T) {
	paid := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100}
	earlier := providers.Standing{Outcome: providers.Paid, Held: 100, Captured: 100, Refunded: 40}
	for _, c := range []struct {
		status   string
		refunded any
		before   providers.Standing
		want     providers.OpState // "" is unknown
	}{
		{"CHARGED", nil, paid, providers.OpMissing},
		{"PARTIALLY_REFUNDED", nil, paid, ""},
		{"PARTIALLY_REFUNDED", nil, earlier, ""},
		{"PARTIALLY_REFUNDED", 40, earlier, providers.OpMissing},
		{"PARTIALLY_REFUNDED", 45, earlier, providers.OpPending},
		{"PARTIALLY_REFUNDED", 50, earlier, providers.OpSucceeded},
		{"REFUNDED", nil, earlier, providers.OpSucceeded},
	} {
		f := newFake(map[string][]said{"read": {{0, orderAnswer(t, "status", c.status, "refundedAmount", c.refunded)}}})
		op := providers.Op{Kind: providers.Refund, Amount: money.Amount{Minor: 10, Currency: currency(t, "RUB")}, Standing: c.before}
		r, err := f.open(t, nil).Inquire(t.Context(), payment(t, true), op)
		if r.State != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %v: %+v %v", c.status, c.refunded, r, err)
		}
	}
}

// Whatever is no answer to the call leaves an operation unknown.
func TestAnOperationWithoutAReadableAnswerIsUnknown(t *testing.T) {
	for _, body := range []string{
		``, `{}`, `[]`, `<html><form action="/login"></form></html>`, `{"status":"maintenance","retryAfter":60}`, `{"errorCode":"0"}`, `{"success":true}`,
		`{"Response":{"Success":true}}`, `{"success":true,"accessToken":"x","refreshToken":"y"}`, `{"success":true,"orders":[]}`,
		`{"Response":{"Success":true},"Order":{"OrderId":"00000000-ffff-4fff-8fff-ffffffffffff","Status":"CHARGED"}}`,
	} {
		f := newFake(map[string][]said{"charge": {{0, body}}, "void": {{0, body}}, "refund": {{0, body}}})
		g := f.open(t, nil)
		for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
			pay := payment(t, true)
			r, err := g.Do(t.Context(), pay, providers.Op{Kind: kind, Reference: "r", Amount: pay.Amount})
			if err == nil || r.State != "" {
				t.Errorf("%s, %s: %+v %v", kind, body, r, err)
			}
		}
	}
}

// An account by order amount compares the amount it sent, not what the gateway made of it, and tells what that was. Parts are
// refunded at the order's own rate, so that together they are all that was paid.
func TestConvertedAmounts(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder }, nil)
	if got := s.p.Converts(); got != "RUB" {
		t.Errorf("payments are taken in %q", got)
	}
	for _, code := range []string{"EUR", "USD", "AED", "THB", "TRY", "RUB"} {
		for _, parts := range [][]int64{{4999}, {1, 4998}, {1111, 1, 2222, 1665}, {1667, 1667, 1665}} {
			p := s.fresh(4999, code)
			ref, err := s.p.Register(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			p.Ref = ref
			p, _ = s.pay(p, s.card("4000019900050008"))
			st := s.status(p, providers.Paid)
			said := st.Authorization
			if st.Amount != p.Amount || st.Captured != 4999 || said.CreditedAmount != 4999 || said.CreditedCurrency != code ||
				said.TakenCurrency != "RUB" || said.TakenAmount <= 4999 || (said.GatewayFee != 0) != (code == "RUB") {
				t.Errorf("%+v", st)
			}
			back := int64(0)
			for i, part := range parts {
				op := providers.Op{Kind: providers.Refund, Reference: fmt.Sprintf("r%d", i), Standing: st}
				op.Amount = money.Amount{Minor: part, Currency: p.Amount.Currency}
				if r, err := s.p.Do(t.Context(), p, op); err != nil || r.State != providers.OpSucceeded {
					t.Fatalf("%s, part %d of %v: %+v %v", code, i, parts, r, err)
				}
				back += part
				if st = s.status(p, providers.Paid); st.Refunded != back || !st.Stated {
					t.Fatalf("%s: after %v back is %d, not %d", code, parts[:i+1], st.Refunded, back)
				}
			}
		}
	}
	for name, order := range map[string]string{
		"no rate":             orderAnswer(t, "status", "CHARGED", "orderCurrency", "USD", "orderAmount", 100, "paymentAmount", nil),
		"another amount":      orderAnswer(t, "status", "CHARGED", "orderCurrency", "USD", "orderAmount", 101, "paymentAmount", 9000),
		"too coarse":          orderAnswer(t, "status", "CHARGED", "orderCurrency", "USD", "orderAmount", 100, "paymentAmount", 10),
		"refunded, who knows": orderAnswer(t, "status", "CHARGED", "orderCurrency", "USD", "orderAmount", 100, "paymentAmount", 9000, "refundedAmount", 40),
	} {
		f := newFake(map[string][]said{"read": {{0, order}}})
		pay := payment(t, true)
		pay.Amount.Currency = currency(t, "USD")
		op := providers.Op{Kind: providers.Refund, Reference: "r", Amount: money.Amount{Minor: 33, Currency: pay.Amount.Currency}}
		r, err := f.open(t, func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder }).Do(t.Context(), pay, op)
		if err == nil || r.State != "" || strings.Contains(f.calls(), "refund") {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

func TestPayoutsAreSettledByAnInquiry(t *testing.T) {
	account := sandbox.DemoAccount()
	account.Processing = 1
	s := newShop(t, account, nil, nil)
	banks, err := s.p.Banks(t.Context())
	if err != nil || len(banks) != 3 || banks[0] != (providers.Bank{ID: "100000000001", Name: "Sandbox Bank"}) {
		t.Fatalf("%+v %v", banks, err)
	}
	good, bad := s.card("4000019900050008").Card, s.card("4000019900050107").Card
	for name, c := range map[string]struct {
		to   providers.Destination
		ends providers.OpState
	}{
		"to a phone":           {providers.Destination{Phone: "+79011234567", BankID: banks[0].ID, First: "Ivan", Last: "Ivanov"}, providers.OpSucceeded},
		"to a card":            {providers.Destination{Card: &good}, providers.OpSucceeded},
		"to a card that fails": {providers.Destination{Card: &bad}, providers.OpFailed},
	} {
		p := s.fresh(5000, "RUB")
		p.Instrument = "payout"
		r, err := s.p.Payout(t.Context(), p, c.to)
		if err != nil || r.State != providers.OpPending || r.GatewayID == "" {
			t.Fatalf("%s: %+v %v", name, r, err)
		}
		s.charges(p, 0)
		for _, want := range []providers.OpState{providers.OpPending, c.ends, c.ends} {
			if r, err = s.p.InquirePayout(t.Context(), p, r); err != nil || r.State != want {
				t.Fatalf("%s, %s wanted: %+v %v", name, want, r, err)
			}
		}
		if r, err := s.p.InquirePayout(t.Context(), p, providers.OpResult{}); err != nil || r.State != c.ends || r.GatewayID == "" {
			t.Errorf("%s, found by our reference: %+v %v", name, r, err)
		}
	}
	p := s.fresh(5000, "RUB")
	if r, err := s.p.Payout(t.Context(), p, providers.Destination{Phone: "79000000000", BankID: banks[0].ID}); err != nil || r.State != providers.OpFailed || r.Decline == nil {
		t.Errorf("nobody's phone: %+v %v", r, err)
	}
	if r, err := s.p.Payout(t.Context(), s.fresh(5000, "RUB"), providers.Destination{Phone: "79011234567", BankID: "1"}); err != nil || r.State != providers.OpFailed {
		t.Errorf("a bank that is not listed: %+v %v", r, err)
	}
	for _, to := range []providers.Destination{{}, {Saved: "x"}, {Phone: "abc", BankID: "1"}, {Phone: "79011234567", BankID: "x"}} {
		before := len(s.g.env.Ledger.All())
		var refusal *providers.Refusal
		if _, err := s.p.Payout(t.Context(), s.fresh(5000, "RUB"), to); !errors.As(err, &refusal) || len(s.g.env.Ledger.All()) != before {
			t.Errorf("%+v: %v", to, err)
		}
	}
}

func TestAPayoutWhoseAnswerWasLostIsFoundAndNeverSentAgain(t *testing.T) {
	for _, taken := range []bool{true, false} {
		s := newShop(t, sandbox.DemoAccount(), nil, &loss{"payout-ips", taken})
		p := s.fresh(5000, "RUB")
		r, err := s.p.Payout(t.Context(), p, providers.Destination{Phone: "79011234567", BankID: "100000000001"})
		if err == nil {
			t.Fatalf("%+v", r)
		}
		want := providers.OpSucceeded
		if !taken {
			if r, err := s.p.InquirePayout(t.Context(), p, providers.OpResult{}); err != nil || r.State != providers.OpPending {
				t.Errorf("perhaps it is still under way: %+v %v", r, err)
			}
			s.g.advance(30 * time.Minute)
			want = providers.OpFailed // the order's life is over
		}
		r, err = s.p.InquirePayout(t.Context(), p, providers.OpResult{}) // from the list, which names the order
		if err != nil || r.GatewayID == "" {
			t.Fatalf("taken %v: %+v %v", taken, r, err)
		}
		if r, err = s.p.InquirePayout(t.Context(), p, r); err != nil || r.State != want {
			t.Errorf("taken %v: %+v %v", taken, r, err)
		}
		if e := s.g.ledger(p.Ref.Reference); len(e) != 1 || (e[0].Charges == 1) != taken {
			t.Errorf("taken %v: %+v", taken, e)
		}
	}
}

func TestAPayoutWithoutAnOrderWasNeverSent(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, &loss{"order", false})
	p := s.fresh(5000, "RUB")
	if r, err := s.p.Payout(t.Context(), p, providers.Destination{Phone: "79011234567", BankID: "100000000001"}); err == nil {
		t.Fatalf("%+v", r)
	}
	if r, err := s.p.InquirePayout(t.Context(), p, providers.OpResult{}); err == nil {
		t.Errorf("too early to tell: %+v", r)
	}
	s.g.advance(16 * time.Minute)
	if r, err := s.p.InquirePayout(t.Context(), p, providers.OpResult{}); err != nil || r.State != providers.OpFailed {
		t.Errorf("%+v %v", r, err)
	}
}

func TestHistoryListsTheGatewaysOrders(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, nil)
	paid, _ := s.pay(s.registered(), s.card("4000019900050008"))
	s.registered()
	out := s.fresh(5000, "RUB")
	if _, err := s.p.Payout(t.Context(), out, providers.Destination{Phone: "79011234567", BankID: "100000000001"}); err != nil {
		t.Fatal(err)
	}
	now := s.g.now.Now()
	lines, _, err := s.p.History(t.Context(), providers.HistoryQuery{From: now.Add(-time.Hour), To: now, Limit: 10})
	if err != nil || len(lines) != 3 {
		t.Fatalf("%+v %v", lines, err)
	}
	if l := lines[2]; l.Reference != paid.Ref.Reference || l.OrderID != paid.Ref.OrderID || l.Outcome != providers.Paid || l.Amount != paid.Amount || l.Kind != "payment" || l.Card.Last4 != "0008" || l.At.IsZero() {
		t.Errorf("%+v", l)
	}
	if l := lines[0]; l.Kind != "payout" || l.Outcome != providers.Processing {
		t.Errorf("%+v", l)
	}
	if lines, _, err := s.p.History(t.Context(), providers.HistoryQuery{Status: "CHARGED", After: "1"}); err != nil || len(lines) != 0 {
		t.Errorf("%+v %v", lines, err)
	}
	if lines, _, err := s.p.History(t.Context(), providers.HistoryQuery{AccountID: "99"}); err != nil || len(lines) != 0 {
		t.Errorf("%+v %v", lines, err)
	}
}

// Within the hour the x-req-id recovers the order; after it the list does, so that there is never a second one. An order that
// ended is passed over, and one with money on it is neither that nor paid again.
func TestRegisterRecoversTheOrderEvenAfterTheRequestIDExpired(t *testing.T) {
	s := newShop(t, sandbox.DemoAccount(), nil, nil)
	p := s.registered()
	first := p.Ref
	p.Ref = providers.Ref{Reference: first.Reference}
	for _, wait := range []time.Duration{0, 49 * time.Minute} {
		s.g.advance(wait)
		ref, err := s.p.Register(t.Context(), p)
		if err != nil || ref.OrderID != first.OrderID {
			t.Fatalf("after %s: %+v %v", wait, ref, err)
		}
	}
	s.g.advance(24 * time.Hour)
	if ref, err := s.p.Register(t.Context(), p); !errors.Is(err, providers.ErrReferenceTaken) {
		t.Fatalf("ended: %+v %v", ref, err)
	}
	s.charges(p, 0)
	if s.status(p, providers.Closed).Ref.OrderID != first.OrderID {
		t.Error("not found by our reference")
	}

	paid, _ := s.pay(s.registered(), s.card("4000019900050008"))
	s.status(paid, providers.Paid)
	s.g.advance(2 * time.Hour)
	again := paid
	again.Ref = providers.Ref{Reference: paid.Ref.Reference}
	var already *providers.AlreadyPaid
	if _, err := s.p.Register(t.Context(), again); !errors.As(err, &already) || already.Ref.OrderID != paid.Ref.OrderID || already.Standing.Outcome != providers.Paid {
		t.Errorf("paid: %v", err)
	}
	s.charges(paid, 1)
}
