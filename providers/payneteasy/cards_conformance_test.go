package payneteasy_test

import (
	"net/http"
	"testing"
	"time"

	"tollgate/internal/card"
	sandbox "tollgate/internal/sandbox/payneteasy"
	"tollgate/providers"
	"tollgate/providers/payneteasy"
	"tollgate/threeds"
)

// Some acquirers send cards of repeated payments through 3-D Secure again, and some want their CVV.
func TestARebillRuns3DSecureWhereTheAcquirerWantsIt(t *testing.T) {
	account := sandbox.DemoAccount()
	account.Rebill3DS = true
	h := harness(t, payneteasy.Config{RebillCVV: true}, account)
	p, err := h.Open(providers.Env{HTTP: http.DefaultClient, Now: time.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	keeper := p.(providers.CardKeeper)
	if !keeper.AsksCode() {
		t.Error("the shopper is not asked for the CVV")
	}
	number, err := card.ParseNumber("4000019900020001") // frictionless
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		t.Fatal(err)
	}
	b := threeds.BrowserData{AcceptHeader: "text/html", UserAgent: "Mozilla/5.0", Language: "en", IP: "127.0.0.1"}
	// through pays by way of the Method, and returns the payment and where it stands.
	through := func(reference string, hold bool, in providers.Instrument) (providers.Payment, providers.Standing) {
		t.Helper()
		pay := h.Payment
		pay.Ref, pay.OrderID, pay.Hold, pay.Customer.IP = providers.Ref{Reference: reference}, reference, hold, "127.0.0.1"
		pay.Run = providers.Run{N: 1, NotifyURL: "http://127.0.0.1:9/3ds/t/notify", ReturnURL: "http://127.0.0.1:9/3ds/t/return"}
		step, err := p.Pay(t.Context(), pay, in, b)
		if err != nil || step.Kind != providers.Wait {
			t.Fatalf("%s: %+v, %v", reference, step, err)
		}
		pay.Ref = step.Ref
		s, err := p.Status(t.Context(), pay)
		if err != nil || s.Next == nil || s.Next.Kind != providers.Method {
			t.Fatalf("%s: %+v, %v", reference, s, err)
		}
		pay.Ref = s.Next.Ref
		if _, err := p.Resume(t.Context(), pay, providers.Answer{Kind: providers.MethodDone, CompInd: "N", Browser: b}); err != nil {
			t.Fatalf("%s: %v", reference, err)
		}
		for range 3 { // the gateway works for a while
			if s, err = p.Status(t.Context(), pay); err != nil {
				t.Fatalf("%s: %v", reference, err)
			}
		}
		return pay, s
	}
	first, s := through("first", false, providers.Instrument{Kind: "card", Card: card.Card{Number: number, Month: 12, Year: 2040, Code: code}})
	saved, err := keeper.Remember(t.Context(), first, s)
	if err != nil {
		t.Fatal(err)
	}
	for reference, c := range map[string]struct {
		hold bool
		code card.Code
		want providers.Outcome
	}{
		"rebill with CVV": {false, code, providers.Paid}, "rebill without": {false, card.Code{}, providers.Paid},
		"preauth with CVV": {true, code, providers.Authorized}, "preauth without": {true, card.Code{}, providers.Authorized},
	} {
		if _, s := through(reference, c.hold, providers.Instrument{Kind: "saved_card", Saved: saved.ID, Code: c.code}); s.Outcome != c.want {
			t.Errorf("%s: %+v", reference, s)
		}
		if e := h.Ledger(reference); len(e) != 1 || e[0].Charges != 1 {
			t.Errorf("%s: the ledger has %+v", reference, e)
		}
	}
}
