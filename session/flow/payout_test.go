package flow_test

import (
	"context"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// payer is a gateway that pays out, and loses the answer; inquire tells of the payout by the id it was asked with.
type payer struct {
	*gateway
	inquire func(id string) providers.OpResult
}

func (payer) CheckPayout(providers.Payment, providers.Destination) error { return nil }

func (p payer) Payout(_ context.Context, pay providers.Payment, _ providers.Destination) (providers.OpResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order(pay.Ref.Reference).sent["payout"]++
	return providers.OpResult{}, errCut
}

func (p payer) InquirePayout(_ context.Context, _ providers.Payment, r providers.OpResult) (providers.OpResult, error) {
	return p.inquire(r.GatewayID), nil
}

// paysOut is a house in which a payout was sent and not answered.
func paysOut(t *testing.T, inquire func(id string) providers.OpResult, tune ...func(*house)) *house {
	t.Helper()
	h := newHouse(t, append(tune, func(h *house) { h.acc.Provider = payer{h.gw, inquire} })...)
	s := h.wish()
	s.Kind, s.Method = session.KindPayout, session.KindPayout
	if err := h.flow.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	h.id = s.ID
	before := h.count("pay.stored") + h.count("register.stored")
	if err := h.do(func() error {
		return h.flow.Submit(context.Background(), h.id, flow.Submission{Kind: session.KindPayout, To: &providers.Destination{Phone: "77010000000"}})
	}); err != nil {
		t.Fatal(err)
	}
	h.await(before, "pay.stored", "register.stored")
	return h
}

func TestAPayoutWhoseAnswerWasLostIsAskedForByTheIDThatTheInquiryFound(t *testing.T) {
	t.Parallel()
	h := paysOut(t, func(id string) providers.OpResult {
		if id == "77" {
			return providers.OpResult{State: providers.OpSucceeded, GatewayID: id}
		}
		return providers.OpResult{State: providers.OpPending, GatewayID: "77"}
	})
	h.forward(time.Minute)
	if a := h.is(session.Paid); a.Ref.OrderID != "77" {
		t.Errorf("the gateway's id is %q", a.Ref.OrderID)
	}
}

func TestAPayoutThatTheGatewayDoesNotFindHasFailedInTheEnd(t *testing.T) {
	t.Parallel()
	h := paysOut(t, func(string) providers.OpResult { return providers.OpResult{State: providers.OpMissing} })
	h.forward(account.DefaultCallTimeout)
	h.is(session.Unknown)
	h.forward(account.DefaultSettleAfter + time.Minute)
	h.is(session.Failed)
}
