package payneteasy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	sandbox "tollgate/internal/sandbox/payneteasy"
	"tollgate/providers"
	"tollgate/providers/payneteasy"
	"tollgate/providers/providertest"
	"tollgate/threeds"
)

// paid is a payment of 1234.56 without 3-D Secure, held or taken.
func paid(t *testing.T, h providertest.Harness, transport http.RoundTripper, reference string, hold bool) (providers.Operator, providers.Payment, providers.Standing) {
	t.Helper()
	p, err := h.Open(providers.Env{HTTP: &http.Client{Transport: transport}, Now: time.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	number, err := card.ParseNumber("4000019900050008")
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		t.Fatal(err)
	}
	pay := h.Payment
	pay.Ref, pay.OrderID, pay.Hold, pay.Customer.IP = providers.Ref{Reference: reference}, reference, hold, "127.0.0.1"
	pay.Run.ReturnURL = "http://127.0.0.1:9/3ds/t/return"
	step, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: card.Card{Number: number, Month: 12, Year: 2040, Code: code}}, threeds.BrowserData{})
	if err != nil {
		t.Fatal(err)
	}
	pay.Ref = step.Ref
	s, err := p.Status(t.Context(), pay)
	if err != nil || hold && s.Outcome != providers.Authorized || !hold && s.Outcome != providers.Paid {
		t.Fatalf("%+v %v", s, err)
	}
	return p.(providers.Operator), pay, s
}

func TestOperationsMoveExactlyTheAmountAskedFor(t *testing.T) {
	h := harness(t, payneteasy.Config{}, sandbox.DemoAccount())
	sum := func(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: h.Payment.Amount.Currency} }
	type op struct {
		kind  providers.OpKind
		minor int64
		fails bool // refused by the gateway, without a word that proves it
	}
	for _, c := range []struct {
		name     string
		hold     bool
		ops      []op
		captured int64
	}{
		{"capture-all", true, []op{{kind: providers.Capture, minor: 123456}}, 123456},
		{"capture-part", true, []op{{kind: providers.Capture, minor: 1}}, 1},
		{"capture-twice", true, []op{{kind: providers.Capture, minor: 100000}, {kind: providers.Capture, minor: 1, fails: true}}, 100000},
		{"capture-more", true, []op{{kind: providers.Capture, minor: 123457, fails: true}}, 0},
		{"void", true, []op{{kind: providers.Void}}, 0},
		{"refund-all", false, []op{{kind: providers.Refund, minor: 123456}}, 123456},
		{"refund-parts", false, []op{{kind: providers.Refund, minor: 23456}, {kind: providers.Refund, minor: 100000}, {kind: providers.Refund, minor: 1, fails: true}}, 123456},
	} {
		t.Run(c.name, func(t *testing.T) {
			operator, pay, before := paid(t, h, http.DefaultTransport, c.name, c.hold)
			for _, o := range c.ops {
				do := providers.Op{Kind: o.kind, Reference: "op", Amount: sum(o.minor), Standing: before}
				r, err := operator.Do(t.Context(), pay, do)
				if o.fails {
					if err == nil && r.State != providers.OpFailed {
						t.Fatalf("%s %d: %+v", o.kind, o.minor, r)
					}
					continue
				}
				if err != nil || r.State != providers.OpPending || r.GatewayID == "" {
					t.Fatalf("%s %d: %+v %v", o.kind, o.minor, r, err)
				}
				do.GatewayID = r.GatewayID
				if r, err = operator.Inquire(t.Context(), pay, do); err != nil || r.State != providers.OpSucceeded {
					t.Fatalf("%s %d: %+v %v", o.kind, o.minor, r, err)
				}
			}
			e := h.Ledger(c.name)
			if len(e) != 1 || e[0].Captured != c.captured || e[0].Charges != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A lost answer is no failure: the order itself tells whether the capture was made.
func TestACaptureWhoseAnswerWasLost(t *testing.T) {
	h := harness(t, payneteasy.Config{}, sandbox.DemoAccount())
	for _, c := range []struct {
		reference string
		taken     bool
	}{{"lost-after", true}, {"lost-before", false}} {
		lossy := &loss{call: "/capture/", after: c.taken}
		operator, pay, before := paid(t, h, lossy, c.reference, true)
		op := providers.Op{Kind: providers.Capture, Amount: pay.Amount, Standing: before}
		if r, err := operator.Do(t.Context(), pay, op); err == nil {
			t.Fatalf("%s: %+v", c.reference, r)
		}
		r, err := operator.Inquire(t.Context(), pay, op)
		want := providers.OpMissing
		if c.taken {
			want = providers.OpSucceeded
		}
		if err != nil || r.State != want {
			t.Errorf("%s: %+v %v", c.reference, r, err)
		}
	}
}

// The second of two refunds, whose answer was lost: the order says what is left.
func TestASecondRefundWhoseAnswerWasLost(t *testing.T) {
	h := harness(t, payneteasy.Config{}, sandbox.DemoAccount())
	sum := func(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: h.Payment.Amount.Currency} }
	for _, c := range []struct {
		reference string
		taken     bool
		want      providers.OpState
	}{{"second-after", true, providers.OpSucceeded}, {"second-before", false, providers.OpMissing}} {
		operator, pay, before := paid(t, h, http.DefaultTransport, c.reference, false)
		first, err := operator.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Amount: sum(60000), Standing: before})
		if err != nil || first.State != providers.OpPending {
			t.Fatalf("%+v %v", first, err)
		}
		p, err := h.Open(providers.Env{HTTP: &http.Client{Transport: &loss{call: "/return/", after: c.taken}}, Now: time.Now, Loopback: true})
		if err != nil {
			t.Fatal(err)
		}
		if before, err = p.Status(t.Context(), pay); err != nil || before.Refunded != 60000 || !before.Stated {
			t.Fatalf("%+v %v", before, err)
		}
		op := providers.Op{Kind: providers.Refund, Amount: sum(10000), Standing: before}
		if r, err := p.(providers.Operator).Do(t.Context(), pay, op); err == nil {
			t.Fatalf("%+v", r)
		}
		if r, err := p.(providers.Operator).Inquire(t.Context(), pay, op); err != nil || r.State != c.want {
			t.Errorf("%s: %+v %v", c.reference, r, err)
		}
	}
}

// loss answers one call with a dead connection.
type loss struct {
	call  string
	after bool
}

func (l *loss) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, l.call) {
		return http.DefaultTransport.RoundTrip(r)
	}
	if l.after {
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		res.Body.Close()
	}
	return nil, http.ErrServerClosed
}
