package rbs_test

import (
	"errors"
	"net/http"
	"testing"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/rbs"
	"tollgate/threeds"
)

// The gateway keeps our mark with the order. So a registration from a database that forgot the payment finds it again, and
// tells it from one of another session's.
func TestTheSessionIDIsInTheOrdersParametersAndComesBack(t *testing.T) {
	h := harness(t, rbs.Config{})
	g, err := h.Open(providers.Env{HTTP: http.DefaultClient, Now: h.Now, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	p := h.Payment
	p.OrderID, p.Ref, p.OwnershipMark = "M1", providers.Ref{Reference: "M1-1"}, "s_1"
	p.Run.ReturnURL, p.Run.NotifyURL = "http://127.0.0.1:9/3ds/t/return", "http://127.0.0.1:9/3ds/t/notify"
	if p.Ref, err = g.Register(t.Context(), p); err != nil {
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
	in := providers.Instrument{Kind: "card", Card: card.Card{Number: number, Month: 12, Year: h.Now().Year() + 3, Code: code}}
	if _, err := g.Pay(t.Context(), p, in, threeds.BrowserData{}); err != nil {
		t.Fatal(err)
	}
	again := p
	again.Ref = providers.Ref{Reference: "M1-1"}
	for mark, ours := range map[string]bool{"s_1": true, "s_2": false, "": false} {
		again.OwnershipMark = mark
		_, err := g.Register(t.Context(), again)
		var already *providers.AlreadyPaid
		if !errors.As(err, &already) || already.Ours != ours || already.Ref.OrderID != p.Ref.OrderID || already.Standing.Outcome != providers.Paid {
			t.Errorf("%q: %+v %v", mark, already, err)
		}
	}
	if e := h.Ledger("M1-1"); len(e) != 1 || e[0].Charges != 1 {
		t.Errorf("%+v", e)
	}
}
