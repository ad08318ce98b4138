package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// lateMoney is a house whose first attempt was proved to have failed, and was taken by the gateway after all, while the
// second is at the bank.
func lateMoney(t *testing.T, tune ...func(*house)) *house {
	t.Helper()
	h := newHouse(t, tune...)
	h.gw.pay = never(h)
	h.submit()
	h.forward(2 * time.Minute)
	h.is(session.Failed)
	h.gw.pay = challenged
	h.submit()
	h.is(session.Shopper)
	h.charge("order-1")
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	return h
}

func TestALateApprovalBesideALiveAttemptPaysTheOrderAndNoFurtherAttemptBegins(t *testing.T) {
	t.Parallel()
	h := lateMoney(t)
	if s := h.session(); s.Status() != session.StatusPaid {
		t.Errorf("the order is paid, the session %s", s.Status())
	}
	h.gw.mu.Lock()
	h.gw.order("order-2").outcome = providers.Refused // the bank says no
	h.gw.mu.Unlock()
	h.forward(time.Minute)
	h.is(session.Declined)
	if s := h.session(); s.Status() != session.StatusPaid {
		t.Errorf("after the other attempt's end the session is %s", s.Status())
	}
	err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard})
	if !errors.Is(err, session.ErrEnded) {
		t.Errorf("a third card is answered with %v", err)
	}
	if h.charges() != 1 {
		t.Errorf("charged %d times", h.charges())
	}
}

func TestNothingMoreIsSentForAnAttemptOnceAnotherHasPaid(t *testing.T) {
	t.Parallel()
	h := lateMoney(t)
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(30 * time.Hour)
	h.is(session.Abandoned)
	if n := h.sent("order-2", "cres "+cres(trans1).CRes); n != 0 || h.charges() != 1 {
		t.Errorf("the bank's answer was sent %d times, charged %d times", n, h.charges())
	}
}

func TestAnAttemptThatIsNotWantedAnyMoreIsClosedAtOnceWhereTheGatewayCan(t *testing.T) {
	t.Parallel()
	h := lateMoney(t, withCloser)
	h.forward(2 * time.Second)
	h.is(session.Abandoned)
	if s := h.session(); s.Status() != session.StatusPaid || h.told("payment.paid_late") != 0 {
		t.Errorf("session %s, events %v", s.Status(), h.events())
	}
}

// The database may be older than the truth, after a failover or a restore: a call that is not in the book may have been made.
func TestACallWhosePermissionWasForgottenIsAskedAboutAndNeverAssumedUnsent(t *testing.T) {
	t.Parallel()
	for name, alone := range map[string]bool{"one machine": true, "several": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(h *house) { h.alone = alone })
			var copied string
			h.gw.register = func() error { // the attempt is written, its permission is not
				copied = h.snapshot(t)
				return nil
			}
			h.submit()
			h.is(session.Paid)
			h.restore(t, copied)
			h.is(session.New)
			h.forward(account.DefaultCallTimeout + 2*time.Second)
			h.is(session.Paid)
			if h.charges() != 1 || h.told("payment.failed") != 0 {
				t.Errorf("charged %d times, events %v", h.charges(), h.events())
			}
		})
	}
}

func TestAfterAForgottenPermissionTheShopperGoesOnAtTheBank(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var copied string
	h.gw.register = func() error { copied = h.snapshot(t); return nil }
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	h.submit()
	h.restore(t, copied)
	h.forward(account.DefaultCallTimeout + 2*time.Second)
	h.is(session.Shopper)
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Paid)
	if h.charges() != 1 {
		t.Errorf("charged %d times", h.charges())
	}
}

func TestACallMissingFromTheBookIsNotFailedWhileTheGatewayIsSlowToShowIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, alone)
	var copied string
	h.gw.register = func() error { copied = h.snapshot(t); return nil }
	h.submit()
	h.restore(t, copied)
	shows := h.now().Add(account.DefaultCallTimeout + account.DefaultSettleAfter)
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if h.now().Before(shows) {
			return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
		}
		return h.gw.truth(p, o), nil
	}
	h.forward(time.Hour)
	h.is(session.Paid)
	if h.told("payment.failed") != 0 {
		t.Errorf("events %v", h.events())
	}
}

func TestAProvedCallbackOfAnAttemptWithoutAPermissionQueuesAnInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var copied string
	h.gw.register = func() error { copied = h.snapshot(t); return nil }
	h.submit()
	h.restore(t, copied)
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Paid)
}

func TestTheAnswerOfACallThatTheBookHasForgottenIsWrittenDown(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var copied string
	h.gw.register = func() error { copied = h.snapshot(t); return nil }
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		h.forget(t, copied) // the standby took over while the call was out
		return h.gw.take(p, o), nil
	}
	h.submit()
	h.forward(time.Second)
	h.is(session.Paid)
	if calls := h.last().Calls; len(calls) != 1 || calls[0].AnsweredAt.IsZero() {
		t.Errorf("the call book: %+v", calls)
	}
}

// A crash between registering the order and the permission is no restore, and nobody is kept for the order's whole life.
func TestAnOrderWithoutACardIsAbandonedOnceNoCallCanBeUnderWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, alone)
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		return providers.Standing{Outcome: providers.Waiting, Ref: p.Ref, Amount: p.Amount}, nil
	}
	h.dieNext("register.answered")
	h.submit()
	h.restart()
	h.forward(time.Second)
	h.is(session.Unknown)
	h.forward(2*account.DefaultCallTimeout + account.DefaultSettleAfter + 2*fast)
	h.is(session.Failed)
	asked := len(h.gw.asked)
	if h.forward(15 * time.Minute); len(h.gw.asked) == asked {
		t.Error("nobody looked again")
	}
}

func TestAClosedOrderIsNoProofWhileACallOfADeadProcessMayArrive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, alone)
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		return providers.Standing{Outcome: providers.Closed, Ref: p.Ref, Amount: p.Amount}, nil
	}
	h.dieNext("pay.answered")
	h.submit()
	h.restart()
	h.forward(account.DefaultCallTimeout)
	h.is(session.Unknown)
	h.forward(account.DefaultSettleAfter + 2*fast)
	h.is(session.Failed)
}

func TestInquiriesByMerchantsAndCallbacksDoNotShortenTheSchedule(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(t *testing.T, h *house){
		"the merchant": func(t *testing.T, h *house) {
			if _, err := h.flow.Inquire(t.Context(), h.id); err != nil {
				t.Fatal(err)
			}
		},
		"callbacks": func(t *testing.T, h *house) {
			if err := h.callback("order-1", "good"); err != nil {
				t.Fatal(err)
			}
			h.forward(time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				o.outcome = providers.Processing
				return said(providers.Wait, p), nil
			}
			h.submit()
			for range 300 {
				ask(t, h)
			}
			h.forward(3 * 24 * time.Hour)
			h.charge("order-1")
			h.forward(2 * time.Hour)
			h.is(session.Paid)
		})
	}
}

func TestVisitsOfTheReturnAddressDoNotShortenTheInquirySchedule(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		o.outcome = providers.Processing
		return said(providers.Wait, p), nil
	}
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if _, err := h.returned(h.token(), cres(trans1)); err != nil {
			t.Fatal(err)
		}
		h.forward(4 * time.Second)
	}
	h.forward(24 * time.Hour)
	h.charge("order-1")
	h.forward(2 * time.Hour)
	h.is(session.Paid)
}

func TestMoreCapturedThanAuthorizedIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, st := range map[string]struct {
		outcome                  providers.Outcome
		held, captured, refunded int64
	}{
		"more captured than held":    {providers.Paid, 123_450, 617_250, 0},
		"more held than asked":       {providers.Paid, 617_250, 123_450, 0},
		"more refunded than taken":   {providers.Paid, 123_450, 123_450, 123_451},
		"a negative sum":             {providers.Paid, 123_450, -123_450, 0},
		"more refunded than is held": {providers.Authorized, 123_450, 0, 1},
	} {
		for _, from := range []string{"from the call", "from authorized"} {
			t.Run(name+" "+from, func(t *testing.T) {
				h := newHouse(t)
				if from == "from authorized" {
					h.holds(123_450)
					h.submit()
					h.forward(time.Second)
					h.is(session.Authorized)
				}
				h.gw.mu.Lock()
				h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
					return providers.Standing{Outcome: st.outcome, Ref: p.Ref, Amount: p.Amount, Held: st.held, Captured: st.captured, Refunded: st.refunded}, nil
				}
				h.gw.mu.Unlock()
				if from == "from authorized" {
					if err := h.callback("order-1", "good"); err != nil {
						t.Fatal(err)
					}
				} else {
					h.submit()
				}
				h.forward(time.Minute)
				if a := h.last(); a.State == session.Paid || a.Captured > a.AmountAuthorized || from == "from authorized" && !a.NeedsReview {
					t.Errorf("%s, held %d, captured %d, refunded %d, needs review %v", a.State, a.AmountAuthorized, a.Captured, a.Refunded, a.NeedsReview)
				}
			})
		}
	}
}

func TestAnOperationWhosePermissionWasForgottenIsAskedAboutAndNotSentAgain(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	var copied string
	status := h.gw.status
	h.gw.status = func(ctx context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if copied == "" {
			copied = h.snapshot(t) // the operation is written, its permission is not
		}
		return status(ctx, p, o)
	}
	if err := h.operate(providers.Refund, 1000); err != nil {
		t.Fatal(err)
	}
	h.gw.status = status
	h.restore(t, copied)
	var asked providers.Op
	g.inquire = func(op providers.Op) (providers.OpResult, error) {
		asked = op
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	h.forward(account.DefaultCallTimeout + 2*time.Second)
	h.op(t, 1, session.OpSucceeded)
	if len(g.done) != 1 || h.last().Refunded != 1000 {
		t.Errorf("sent %d times, refunded %d", len(g.done), h.last().Refunded)
	}
	if before := asked.Standing; before.Outcome != providers.Paid || before.Captured != 123_450 || before.Refunded != 0 {
		t.Errorf("compared with %+v", before)
	}
}

func TestTheAnswerOfAForgottenOperationIsWrittenDown(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	var copied string
	status := h.gw.status
	h.gw.status = func(ctx context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		copied = h.snapshot(t)
		return status(ctx, p, o)
	}
	g.do = func(providers.Op) (providers.OpResult, error) {
		h.forget(t, copied)
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	if err := h.operate(providers.Refund, 1000); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpSucceeded)
}

// Of two operations "of all that is left" the slower one takes what the faster one left, or nothing.
func TestTheRemainingAmountIsComputedAnewAfterAConflict(t *testing.T) {
	t.Parallel()
	h, _ := atTheOffice(t, providers.Paid)
	h.flow.Store = &conflicting{Store: h.flow.Store, before: func() {
		s := h.session()
		s.Last().Refunded = 100_000
		if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
			t.Fatal(err)
		}
	}}
	_, n, err := h.flow.Operate(t.Context(), h.id, session.NewOperation{Kind: providers.Refund})
	if err != nil {
		t.Fatal(err)
	}
	if op := h.session().Operation(n); op.Amount != 23_450 {
		t.Errorf("refunds %d", op.Amount)
	}
}

// conflicting is a store in which somebody else is faster, once.
type conflicting struct {
	flow.Store
	before func()
}

func (c *conflicting) Save(ctx context.Context, s *session.Session, change session.Change) error {
	if first := c.before; first != nil {
		c.before = nil
		first()
	}
	return c.Store.Save(ctx, s, change)
}

// money makes inquiries about a reference answer that our sum was taken, by an order that the gateway knows by that id.
func (h *house) money(reference string) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.order(reference).charges++
}

func TestAReferenceUnderWhichOurMoneyStandsIsPaidByItAndNotChargedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.money("order-1") // by an attempt that the database has forgotten
	h.gw.taken = map[string]error{"order-1": &providers.AlreadyPaid{Ref: providers.Ref{Reference: "order-1", OrderID: "g-order-1"}, Ours: true}}
	h.submit()
	h.forward(time.Second)
	h.is(session.Paid)
	if h.charges() != 1 || h.sent("order-1", "pay") != 0 {
		t.Errorf("charged %d times", h.charges())
	}
}

func TestMoneyUnderAReferenceWithoutOurMarkIsNeitherBelievedNorChargedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.money("order-1")
	h.gw.taken = map[string]error{"order-1": &providers.AlreadyPaid{Ref: providers.Ref{Reference: "order-1", OrderID: "g-order-1"}}}
	h.submit()
	h.forward(10 * 24 * time.Hour)
	a := h.is(session.Mismatched)
	if h.told("payment.needs_review") != 1 || !a.NeedsReview || a.Mismatch == "" || h.session().OutcomeKnown() {
		t.Errorf("needs review %v, held for %q, events %v", a.NeedsReview, a.Mismatch, h.events())
	}
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) {
		t.Errorf("another card is answered with %v", err)
	}
	if h.sent("order-1", "pay") != 0 || h.charges() != 1 {
		t.Error("paid again")
	}
}

func TestMoneyWithoutOurMarkNeedsReview(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		return providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Amount: p.Amount, Held: p.Amount.Minor, Captured: p.Amount.Minor, Unproven: true}, nil
	}
	h.submit()
	h.forward(time.Minute)
	h.is(session.Mismatched)
	if h.told("payment.needs_review") != 1 {
		t.Errorf("events %v", h.events())
	}
}

func TestReferencesThatAnotherSystemUsedAreSkippedWithoutUsingUpAnAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.taken = map[string]error{"order-1": providers.ErrReferenceTaken, "order-2": providers.ErrReferenceTaken}
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		if p.Ref.Reference == "order-3" {
			o.outcome = providers.Refused
			step := said(providers.Declined, p)
			return step, nil
		}
		return h.gw.take(p, o), nil
	}
	h.submit()
	if a := h.is(session.Declined); a.N != 1 || a.Ref.Reference != "order-3" {
		t.Errorf("attempt %d is %s", a.N, a.Ref.Reference)
	}
	h.submit()
	h.forward(time.Second)
	if a := h.is(session.Paid); a.N != 2 || a.Ref.Reference != "order-4" {
		t.Errorf("attempt %d is %s", a.N, a.Ref.Reference)
	}
}

// debitRefused is a gateway whose one-stage payment left a hold behind.
func debitRefused(t *testing.T) (*house, *office) {
	t.Helper()
	g := &office{}
	h := newHouse(t, func(h *house) {
		g.gateway = h.gw
		h.acc.Provider = g
	})
	return h, g
}

func (h *house) leaves(st providers.Standing) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		st.Ref, st.Amount = p.Ref, p.Amount
		return st, nil
	}
}

func TestAHoldWhoseDebitWasRefusedIsReleasedOnceAndTheShopperMayTryAgain(t *testing.T) {
	t.Parallel()
	h, g := debitRefused(t)
	funds := &providers.Decline{Reason: providers.InsufficientFunds}
	h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450, Decline: funds})
	g.do = func(op providers.Op) (providers.OpResult, error) {
		if op.Kind != providers.Void || op.Amount.Minor != 123_450 {
			t.Errorf("%s of %d", op.Kind, op.Amount.Minor)
		}
		h.leaves(providers.Standing{Outcome: providers.Voided})
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	h.submit()
	h.forward(10 * time.Second)
	if a := h.is(session.Declined); a.Decline == nil || a.Decline.Reason != providers.InsufficientFunds || len(g.done) != 1 {
		t.Errorf("decline %+v, released %d times", a.Decline, len(g.done))
	}
	for _, e := range h.events() {
		if e == "payment.authorized" || e == "payment.paid" {
			t.Error("it was told as a success")
		}
	}
	if h.session().Status() != session.StatusOpen {
		t.Errorf("the session is %s", h.session().Status())
	}
}

func TestAHoldWhoseReleaseIsRefusedNeedsReviewAndNoOtherAttemptBegins(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(h *house, g *office){
		"by the operation": func(_ *house, g *office) {
			g.do = func(providers.Op) (providers.OpResult, error) {
				return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}, nil
			}
		},
		"by a later status": func(h *house, g *office) {
			g.do = func(providers.Op) (providers.OpResult, error) {
				h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450, VoidRefused: true})
				return providers.OpResult{State: providers.OpPending}, nil
			}
			g.inquire = func(providers.Op) (providers.OpResult, error) {
				return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, g := debitRefused(t)
			h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450})
			refuse(h, g)
			h.submit()
			h.forward(time.Hour)
			if a := h.last(); !a.State.Live() || !a.NeedsReview || len(g.done) != 1 || h.told("payment.needs_review") != 1 {
				t.Errorf("%s, needs review %v, released %d times; events %v", a.State, a.NeedsReview, len(g.done), h.events())
			}
			h.leaves(providers.Standing{Outcome: providers.Voided})
			h.forward(2 * time.Hour)
			if a := h.last(); a.State.Live() || a.State.Funded() {
				t.Errorf("once the hold is gone the attempt is %s", a.State)
			}
		})
	}
}

func TestTheReleaseOfAHoldSurvivesACrashAtEveryPlace(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"status.stored", "operation.permitted", "operation.answered", "operation.stored"} {
		t.Run(place, func(t *testing.T) {
			h, g := debitRefused(t)
			h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450})
			g.do = func(providers.Op) (providers.OpResult, error) {
				h.leaves(providers.Standing{Outcome: providers.Voided})
				return providers.OpResult{State: providers.OpSucceeded}, nil
			}
			g.inquire = func(providers.Op) (providers.OpResult, error) {
				if len(g.done) > 0 {
					return providers.OpResult{State: providers.OpSucceeded}, nil
				}
				return providers.OpResult{State: providers.OpMissing}, nil
			}
			h.dieNext(place)
			h.submit()
			h.forward(time.Hour)
			if h.is(session.Declined); len(g.done) != 1 {
				t.Errorf("released %d times", len(g.done))
			}
		})
	}
}

// An attempt that was proved to have failed may turn out to hold the shopper's money after all, without having taken it.
func TestAHoldLeftUnderAnAttemptThatHasEndedIsReleasedToo(t *testing.T) {
	t.Parallel()
	h, g := debitRefused(t)
	h.gw.pay = never(h)
	h.submit()
	h.forward(2 * time.Minute)
	h.is(session.Failed)
	h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450})
	g.do = func(providers.Op) (providers.OpResult, error) {
		h.leaves(providers.Standing{Outcome: providers.Voided})
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	h.forward(time.Hour)
	if a := h.is(session.Failed); len(g.done) != 1 || a.NeedsReview {
		t.Errorf("released %d times, needs review %v", len(g.done), a.NeedsReview)
	}
}

func TestAHoldLeftUnderAnEndedAttemptThatIsNotReleasedWaitsForAPerson(t *testing.T) {
	t.Parallel()
	h, g := debitRefused(t)
	h.gw.pay = never(h)
	h.submit()
	h.forward(2 * time.Minute)
	h.leaves(providers.Standing{Outcome: providers.HoldLeft, Held: 123_450})
	g.do = func(providers.Op) (providers.OpResult, error) {
		return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}, nil
	}
	h.forward(time.Hour)
	if a := h.is(session.Failed); len(g.done) != 1 || !a.NeedsReview || h.told("payment.needs_review") != 1 {
		t.Errorf("released %d times, needs review %v; events %v", len(g.done), a.NeedsReview, h.events())
	}
}

// A gateway that says no to the bank's answer and waits for it all the same is not sent it for ever.
func TestAnAnswerThatTheGatewayRefusesForEverIsSentATwelfthTimeAtMost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withCloser)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	sent := 0
	h.gw.resume = func(context.Context, providers.Payment, providers.Answer, *order) (providers.Step, error) {
		sent++
		return providers.Step{}, &providers.Failure{Op: "resume", Code: "5", Text: "no such result"}
	}
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(3 * time.Hour)
	if sent < 2 || sent > 11 {
		t.Errorf("sent %d times", sent)
	}
	h.is(session.Failed)
}
