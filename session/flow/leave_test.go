package flow_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// waits answers a payment with a challenge of which the provider says whether money can move without one more call of ours.
func waits(withholdable bool, repeats bool) func(context.Context, providers.Payment, *order) (providers.Step, error) {
	return func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		step.Withholdable = withholdable
		if repeats {
			o.next = &step
		}
		return step, nil
	}
}

// operates makes the fake gateway one that voids and refunds.
type operates struct {
	*gateway
	fails error
	later *refusals
}

// refusals are operations that are refused for a reason that may pass.
type refusals struct {
	reason providers.Reason
	left   int
	now    func() time.Time
	at     []time.Time
}

func (g operates) Kinds() []providers.OpLimits {
	return []providers.OpLimits{{Kind: providers.Void}, {Kind: providers.Refund, Partial: true}}
}

func (g operates) Do(_ context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.order(p.Ref.Reference).sent[string(op.Kind)]++
	if r := g.later; r != nil {
		if r.at = append(r.at, r.now()); r.left > 0 {
			r.left--
			return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: r.reason}}, nil
		}
	}
	if g.fails != nil {
		return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason}}, nil
	}
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

func (g operates) Inquire(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpPending}, nil
}

func withOperator(h *house) { h.acc.Provider = operates{gateway: h.gw} }

func (h *house) leave() error {
	return h.do(func() error { _, err := h.flow.Exits.Other(context.Background(), h.id); return err })
}

func (h *house) cancel() error {
	return h.do(func() error { _, err := h.flow.Cancel(context.Background(), h.id); return err })
}

func TestAPaymentIsLeftByEveryProofForAnotherCardAndByCancel(t *testing.T) {
	t.Parallel()
	for _, closes := range []bool{true, false} {
		for _, withholds := range []bool{true, false} {
			for _, cancels := range []bool{true, false} {
				t.Run(fmt.Sprintf("closes %v, withholds %v, cancel %v", closes, withholds, cancels), func(t *testing.T) {
					t.Parallel()
					h := newHouse(t)
					if closes {
						h = newHouse(t, withCloser)
					}
					h.gw.pay = waits(withholds, true)
					h.submit()
					h.is(session.Shopper)
					token, leave := h.token(), h.leave
					if cancels {
						leave = h.cancel
					}
					err := leave()
					if !closes && !withholds {
						var cannot *session.CannotLeave
						if !errors.As(err, &cannot) || !errors.Is(err, session.ErrBusy) || !cannot.Until.Equal(h.last().CreatedAt.Add(24*time.Hour)) {
							t.Fatalf("%v", err)
						}
						h.is(session.Shopper)
						if h.session().Status() != session.StatusActionRequired {
							t.Error(h.session().Status())
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					h.is(session.Abandoned)
					if page, err := h.returned(token, cres(trans1)); err != nil || page.Taken || page.Asked {
						t.Errorf("a late answer is taken: %+v %v", page, err)
					}
					h.forward(time.Minute)
					if n := h.sent("order-1", "cres Y"); len(h.gw.answers) != 0 {
						t.Errorf("%d answers were sent", n)
					}
					if o := h.gw.orders["order-1"]; closes && o.outcome != providers.Closed {
						t.Errorf("the order is %s: it can be closed, and is not", o.outcome)
					}
					if cancels {
						if s := h.session(); s.Status() != session.StatusCancelled || s.ClaimsOrder() || h.told("session.cancelled") != 1 {
							t.Errorf("%s %v", s.Status(), h.events())
						}
						if err := h.cancel(); err != nil {
							t.Errorf("a repeated cancel: %v", err)
						}
						return
					}
					h.gw.pay = nil
					h.submit()
					h.is(session.Paid)
					h.forward(48 * time.Hour)
					if h.charges() != 1 || h.session().Status() != session.StatusPaid {
						t.Errorf("%d charges, %s", h.charges(), h.session().Status())
					}
				})
			}
		}
	}
}

// What the gateway says while the shopper leaves decides: money is not left, and an order that is worked on neither.
func TestMoneyIsNotLeft(t *testing.T) {
	t.Parallel()
	for _, cancels := range []bool{true, false} {
		h := newHouse(t, withCloser)
		h.gw.pay = waits(true, true)
		h.submit()
		h.charge("order-1")
		if !cancels {
			if err := h.leave(); err != nil {
				t.Fatal(err)
			}
		} else if err := h.cancel(); !errors.Is(err, session.ErrEnded) {
			t.Fatal(err)
		}
		h.is(session.Paid)
		if s := h.session(); s.Status() != session.StatusPaid || s.Last().PaidLate {
			t.Error(s.Status())
		}
	}
}

func TestNothingIsWithheldBeforeTheGatewaySaidThatItWaits(t *testing.T) {
	t.Parallel()
	for _, outcome := range []providers.Outcome{providers.Processing, providers.Unclear, providers.NotFound, ""} {
		h := newHouse(t)
		h.gw.pay = waits(true, true)
		h.submit()
		h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
			if outcome == "" {
				return providers.Standing{}, errCut
			}
			return providers.Standing{Outcome: outcome, Ref: p.Ref, Reference: p.Ref.Reference}, nil
		}
		if err := h.leave(); !errors.Is(err, session.ErrBusy) {
			t.Errorf("%s: %v", outcome, err)
		}
		h.is(session.Shopper)
	}
}

// Every call that was sent needs its answer in the book: one that is not clear may still be taken.
func TestNothingIsWithheldWhileACallHasNoClearAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		step.Withholdable = true
		o.next = &step
		return providers.Step{}, errCut
	}
	h.submit()
	h.is(session.Shopper) // the inquiry repeats the challenge
	if err := h.leave(); !errors.Is(err, session.ErrBusy) {
		t.Errorf("%v", err)
	}
	h.is(session.Shopper)
}

// The permission that is used up is the one that would have been asked for: whichever machine comes first.
func TestAPermissionThatIsWithheldIsNeverGiven(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byItsJob)
	h.gw.pay = waits(true, true)
	h.submit()
	token := h.token()
	if _, err := h.returned(token, cres(trans1)); err != nil { // its job is queued, and not run yet
		t.Fatal(err)
	}
	if err := h.leave(); err != nil {
		t.Fatal(err)
	}
	a := h.is(session.Abandoned)
	if n := len(a.Calls); n != 2 || a.Calls[1].Result != "withheld" || a.Calls[1].AnsweredAt.IsZero() {
		t.Errorf("%+v", a.Calls)
	}
	h.forward(time.Hour)
	if len(h.gw.answers) != 0 {
		t.Error("the answer was sent")
	}
}

func TestMoneyThatComesForALeftAttemptIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"another card paid", "cancelled", "open"} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, withOperator)
			h.gw.pay = waits(true, true)
			h.submit()
			if ends == "cancelled" {
				if err := h.cancel(); err != nil {
					t.Fatal(err)
				}
			} else if err := h.leave(); err != nil {
				t.Fatal(err)
			}
			if ends == "another card paid" {
				h.gw.pay = nil
				h.submit()
				h.is(session.Paid)
			}
			h.charge("order-1")
			h.forward(2 * time.Minute)
			a := h.session().Attempt(1)
			if a.State != session.Paid || !a.PaidLate || a.Refunded != a.Captured || h.sent("order-1", "refund") != 1 || !a.GivenBack() {
				t.Fatalf("%s, refunded %d of %d; %v", a.State, a.Refunded, a.Captured, h.events())
			}
			if h.told("payment.paid_late") != 1 || h.told("refund.succeeded") != 1 || a.NeedsReview {
				t.Errorf("%v", h.events())
			}
			want := map[string]session.Status{"another card paid": session.StatusPaid, "cancelled": session.StatusCancelled, "open": session.StatusOpen}[ends]
			if s := h.session(); s.Status() != want {
				t.Errorf("%s", s.Status())
			}
			if ends == "open" { // what was given back is in nobody's way
				h.gw.pay = nil
				h.submit()
				h.is(session.Paid)
				if h.session().Status() != session.StatusPaid {
					t.Error(h.session().Status())
				}
			}
		})
	}
}

func TestMoneyThatCannotBeGivenBackIsForAPerson(t *testing.T) {
	t.Parallel()
	for _, tune := range [][]func(*house){nil, {func(h *house) { h.acc.Provider = operates{gateway: h.gw, fails: errCut} }}} {
		h := newHouse(t, tune...)
		h.gw.pay = waits(true, true)
		h.submit()
		if err := h.leave(); err != nil {
			t.Fatal(err)
		}
		h.charge("order-1")
		h.forward(time.Hour)
		if a := h.is(session.Paid); !a.NeedsReview || !a.PaidLate || h.told("payment.needs_review") != 1 {
			t.Errorf("%+v %v", a, h.events())
		}
	}
}

// What may pass is tried again, five times, each time later than the time before; then a person looks. What was given back meanwhile
// is given back once.
func TestGivingBackIsTriedFiveTimesAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	for _, reason := range []providers.Reason{providers.TryAgainLater, providers.Misconfigured} {
		for left, want := range map[int]int{3: 4, 100: 5} {
			r := &refusals{reason: reason, left: left}
			h := newHouse(t, func(h *house) { h.acc.Provider = operates{gateway: h.gw, later: r} })
			r.now = h.flow.Now
			h.gw.pay = waits(true, true)
			h.submit()
			if err := h.leave(); err != nil {
				t.Fatal(err)
			}
			h.charge("order-1")
			h.forward(48 * time.Hour)
			a := h.is(session.Paid)
			if len(r.at) != want || a.GivenBack() != (left == 3) || a.NeedsReview == (left == 3) || h.told("payment.paid_late") != 1 {
				t.Errorf("%s, refused %d times: tried at %v, given back %t, for a person %t; %v", reason, left, r.at, a.GivenBack(), a.NeedsReview, h.events())
			}
			for i := 2; i < len(r.at); i++ {
				if r.at[i].Sub(r.at[i-1]) <= r.at[i-1].Sub(r.at[i-2]) {
					t.Errorf("%s: not at growing intervals: %v", reason, r.at)
				}
			}
		}
	}
}

// Killed at every place around the withholding: what is stored is all of it or nothing, and the call is never sent after it.
func TestAWithholdingThatIsKilledIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"status.answered", "leave.asked", "leave.stored"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(h *house) { h.alone = true })
			h.gw.pay = waits(true, true)
			h.submit()
			token := h.token()
			h.dieNext(place)
			_ = h.leave()
			h.restart()
			a := h.last()
			withheld := len(a.Calls) == 2 && a.Calls[1].Result == "withheld"
			if withheld != (a.State == session.Abandoned) || withheld != (place == "leave.stored") {
				t.Fatalf("%s with the book %+v", a.State, a.Calls)
			}
			if !withheld {
				if err := h.leave(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := h.returned(token, cres(trans1)); err != nil {
				t.Fatal(err)
			}
			h.forward(time.Hour)
			if len(h.gw.answers) != 0 {
				t.Error("the withheld call was sent")
			}
		})
	}
}

// A database that is older than the truth: the challenge was answered and paid since. Leaving finds the money.
func TestAnAttemptThatWasPaidSinceTheCopyIsNotLeft(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = waits(true, true)
	h.submit()
	copied := h.snapshot(t)
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	h.is(session.Paid)
	h.restore(t, copied)
	if err := h.leave(); err != nil {
		t.Fatal(err)
	}
	h.is(session.Paid)
	if h.charges() != 1 || h.session().Attempts[0].PaidLate {
		t.Error(h.charges())
	}
}

// The gateway waits at a page whose address only the lost answer had: nobody can be there, and the shopper goes on at once.
func TestAnAttemptWhosePageNobodyWasSentToEnds(t *testing.T) {
	t.Parallel()
	for _, repeats := range []bool{false, true} {
		h := newHouse(t)
		h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
			return providers.Step{}, errCut
		}
		h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
			st := h.gw.truth(p, o)
			st.AwaitsPage = st.Outcome == providers.Waiting
			if repeats && st.AwaitsPage {
				step := challenge(p, trans1)
				st.Next = &step
			}
			return st, nil
		}
		h.submit()
		if repeats {
			h.is(session.Shopper)
			continue
		}
		h.is(session.Failed)
		h.gw.pay, h.gw.status = nil, nil
		h.submit()
		h.is(session.Paid)
		if h.charges() != 1 {
			t.Error(h.charges())
		}
	}
}
