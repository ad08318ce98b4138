package flow_test

import (
	"context"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

func alone(h *house) { h.alone = true }

// The bank wants a challenge begun within 30 seconds, and the deadline of the call whose process died is later than that.
func TestAfterAStartOnAStoreOfItsOwnNobodyWaitsForADeadCallsDeadline(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"alone", "one of several"} {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(t, func(h *house) { h.alone = kind == "alone" })
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				step := challenge(p, trans1)
				o.next = &step
				return step, nil
			}
			h.dieNext("pay.answered")
			h.submit()
			h.restart()
			h.forward(time.Second)
			want := session.Shopper
			if !h.alone { // another machine may be waiting for the answer
				want = session.Calling
			}
			h.is(want)
			h.forward(account.DefaultCallTimeout + time.Second)
			h.is(session.Shopper)
		})
	}
}

func TestAnAttemptWhoseProcessDiedBeforeItsCallIsAskedAboutAtTheStartAndFailsInTheEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, alone)
	h.dieNext("attempt.written")
	h.submitOnly()
	h.restart()
	h.forward(time.Second)
	h.is(session.Unknown)
	h.forward(2*account.DefaultCallTimeout + account.DefaultSettleAfter + fast)
	h.is(session.Failed)
	h.submit()
	h.forward(time.Second)
	h.is(session.Paid)
	if n := h.charges(); n != 1 {
		t.Errorf("%d charges", n)
	}
}

// What the dead process sent may still be on its way: "it still waits" is no leave to send the same answer again before
// the deadline.
func TestACallOfADeadProcessIsNotRepeatedBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	h := newHouse(t, alone)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	h.submit()
	resumed := 0
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		if resumed++; resumed == 1 {
			return said(providers.Wait, p), nil
		}
		return h.gw.take(p, o), nil
	}
	h.dieNext("resume.answered")
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.forward(account.DefaultCallTimeout - time.Second)
	if h.is(session.Unknown); resumed != 1 {
		t.Fatalf("sent %d times before the deadline", resumed)
	}
	h.forward(time.Minute)
	if h.is(session.Paid); resumed != 2 {
		t.Errorf("sent %d times", resumed)
	}
}
