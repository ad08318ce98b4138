package flow_test

import (
	"errors"
	"testing"

	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// Nobody holds this claim: its row is another's by now, or forgotten.
var lostClaim = &session.Claim{Merchant: "shop", Key: "k", Token: "lost"}

func TestUnderALostClaimNothingBeginsAndNothingIsSent(t *testing.T) {
	h := newHouse(t)
	lost := h.flow.Under(lostClaim)
	before := h.session()
	if err := lost.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrClaimLost) {
		t.Errorf("submitted: %v", err)
	}
	if _, err := lost.Cancel(t.Context(), h.id); !errors.Is(err, session.ErrClaimLost) {
		t.Errorf("cancelled: %v", err)
	}
	fresh := *before
	fresh.ID, fresh.Version, fresh.OrderID, fresh.LastEvent = "", 0, "another", 0
	if err := lost.Create(t.Context(), &fresh); !errors.Is(err, session.ErrClaimLost) {
		t.Errorf("created: %v", err)
	}
	if s := h.session(); s.Version != before.Version || len(s.Attempts) != 0 || h.charges() != 0 {
		t.Errorf("version %d, %d attempts, %d charges", s.Version, len(s.Attempts), h.charges())
	}
}

func TestUnderALostClaimNoOperationBegins(t *testing.T) {
	h, _ := atTheOffice(t, providers.Paid)
	if _, _, err := h.flow.Under(lostClaim).Operate(t.Context(), h.id, session.NewOperation{Kind: providers.Refund}); !errors.Is(err, session.ErrClaimLost) {
		t.Errorf("operated: %v", err)
	}
	if n := len(h.session().Operations); n != 0 {
		t.Errorf("%d operations", n)
	}
}
