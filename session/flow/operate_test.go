package flow_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/session"
)

// office is a gateway that captures, voids and refunds. Without a script it does so at once.
type office struct {
	*gateway
	do      func(op providers.Op) (providers.OpResult, error)
	inquire func(op providers.Op) (providers.OpResult, error)
	done    []providers.Op // what reached it
}

func (g *office) Kinds() []providers.OpLimits {
	return []providers.OpLimits{{Kind: providers.Capture, Partial: true, Once: true}, {Kind: providers.Void, Partial: true, Once: true}, {Kind: providers.Refund, Partial: true}}
}

func (g *office) Do(_ context.Context, _ providers.Payment, op providers.Op) (providers.OpResult, error) {
	g.mu.Lock()
	g.done = append(g.done, op)
	g.mu.Unlock()
	if g.do != nil {
		return g.do(op)
	}
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

func (g *office) Inquire(_ context.Context, _ providers.Payment, op providers.Op) (providers.OpResult, error) {
	if g.inquire != nil {
		return g.inquire(op)
	}
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

func pending(providers.Op) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpPending}, nil
}

func cut(providers.Op) (providers.OpResult, error) { return providers.OpResult{}, errCut }

// atTheOffice is a house whose payment the gateway says to be of that outcome.
func atTheOffice(t *testing.T, outcome providers.Outcome) (*house, *office) {
	t.Helper()
	g := &office{}
	h := newHouse(t, func(h *house) {
		g.gateway = h.gw
		h.acc.Provider = g
	})
	h.finds(outcome)
	h.submit()
	h.forward(time.Second)
	return h, g
}

// finds makes inquiries about the payment answer so.
func (h *house) finds(outcome providers.Outcome) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		st := providers.Standing{Outcome: outcome, Ref: p.Ref, Amount: p.Amount, Held: p.Amount.Minor}
		if outcome == providers.Paid {
			st.Captured = p.Amount.Minor
		}
		return st, nil
	}
}

// holds makes inquiries say that so much is held.
func (h *house) holds(minor int64) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		return providers.Standing{Outcome: providers.Authorized, Ref: p.Ref, Amount: p.Amount, Held: minor}, nil
	}
}

// operate asks for an operation and returns once the gateway's answer is stored, or the process died.
func (h *house) operate(kind providers.OpKind, amount int64) error {
	h.t.Helper()
	before := h.count("operation.stored")
	err := h.do(func() error {
		_, _, err := h.flow.Operate(context.Background(), h.id, session.NewOperation{Kind: kind, Amount: amount})
		return err
	})
	if err == nil {
		h.await(before, "operation.stored")
		h.mu.Lock()
		died := h.died
		h.mu.Unlock()
		if !died {
			h.forward(0) // the sums are asked for
		}
	}
	return err
}

func (h *house) op(t *testing.T, n int, want session.OpState) *session.Operation {
	t.Helper()
	op := h.session().Operation(n)
	if op == nil || op.State != want {
		t.Fatalf("operation %d is %+v, want %s; events %v", n, op, want, h.events())
	}
	return op
}

func TestAHoldIsCapturedOnce(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Authorized)
	if err := h.operate(providers.Capture, 100_000); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpSucceeded)
	if err := h.operate(providers.Capture, 0); !errors.Is(err, session.ErrOpenOp) {
		t.Errorf("another one before the gateway shows the first: %v", err)
	}
	h.finds(providers.Paid)
	h.forward(5 * time.Second)
	if a := h.is(session.Paid); a.Captured != 100_000 || h.session().Status() != session.StatusPaid {
		t.Errorf("captured %d, %s", a.Captured, h.session().Status())
	}
	for _, kind := range []providers.OpKind{providers.Capture, providers.Void} {
		if err := h.operate(kind, 0); !errors.Is(err, session.ErrDone) {
			t.Errorf("%s after the capture: %v", kind, err)
		}
	}
	if len(g.done) != 1 {
		t.Errorf("%d calls", len(g.done))
	}
}

// The gateway tells of the money before it is asked about the operation that took it.
func TestAnInquiryDuringACaptureDoesNotCountTheCaptureTwice(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Authorized)
	g.do, g.inquire = pending, pending
	if err := h.operate(providers.Capture, 0); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpPending)
	h.finds(providers.Paid)
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Authorized)
	g.inquire = nil
	h.forward(time.Minute)
	h.op(t, 1, session.OpSucceeded)
	if a := h.is(session.Paid); a.Captured != 123_450 || h.told("payment.paid") != 1 {
		t.Errorf("captured %d; %v", a.Captured, h.events())
	}
}

func TestACallbackSettlesAnOperationAtOnce(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	g.do, g.inquire = pending, pending
	if err := h.operate(providers.Refund, 5_000); err != nil {
		t.Fatal(err)
	}
	h.forward(20 * time.Minute) // the schedule is slow by now
	h.op(t, 1, session.OpPending)
	g.inquire = nil
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(0)
	h.op(t, 1, session.OpSucceeded)
}

func TestAnOperationWithoutAnAnswerIsUnknownAndNeverSentAgain(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	g.do, g.inquire = cut, cut
	if err := h.operate(providers.Refund, 0); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Hour)
	h.op(t, 1, session.OpUnknown)
	if h.session().OutcomeKnown() {
		t.Error("the session's outcome is called known")
	}
	if err := h.operate(providers.Refund, 1); !errors.Is(err, session.ErrUnsettled) {
		t.Errorf("another refund meanwhile: %v", err)
	}
	g.inquire = nil
	h.forward(2 * time.Hour)
	h.op(t, 1, session.OpSucceeded)
	if s := h.session(); len(g.done) != 1 || s.Status() != session.StatusRefunded || s.Last().Refunded != 123_450 {
		t.Errorf("%d calls; %s, refunded %d", len(g.done), s.Status(), s.Last().Refunded)
	}
}

// As with an order that is not found: seen twice, past the call's deadline and settle_after. What the gateway said to have
// taken is waited for however long nothing shows.
func TestAnOperationTheGatewayShowsNoSignOfHasFailedInTheEnd(t *testing.T) {
	t.Parallel()
	missing := func(providers.Op) (providers.OpResult, error) {
		return providers.OpResult{State: providers.OpMissing}, nil
	}
	for name, c := range map[string]struct {
		do          func(providers.Op) (providers.OpResult, error)
		soon, later session.OpState
	}{
		"the call had no answer": {cut, session.OpUnknown, session.OpFailed},
		"the gateway took it":    {pending, session.OpPending, session.OpPending},
	} {
		t.Run(name, func(t *testing.T) {
			h, g := atTheOffice(t, providers.Paid)
			g.do, g.inquire = c.do, missing
			if err := h.operate(providers.Refund, 5_000); err != nil {
				t.Fatal(err)
			}
			h.forward(account.DefaultCallTimeout + account.DefaultSettleAfter - time.Second)
			h.op(t, 1, c.soon)
			h.forward(time.Minute)
			h.op(t, 1, c.later)
			if n := len(g.done); n != 1 || h.last().Refunded != 0 {
				t.Errorf("sent %d times, refunded %d", n, h.last().Refunded)
			}
		})
	}
}

// The process dies before a refund is permitted, and the first inquiry after it has no answer, so that our books stand for what was
// before. They name what was held of a payment that is taken; a gateway need not.
func TestARefundThatWasNeverSentHasFailedThoughTheFirstInquiryFailed(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	h.dieNext("operation.written")
	if err := h.operate(providers.Refund, 5_000); err != nil {
		t.Fatal(err)
	}
	asked := 0
	now := func(p providers.Payment) providers.Standing {
		return providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Amount: p.Amount, Captured: 123_450, Stated: true}
	}
	h.gw.mu.Lock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		if asked++; asked == 1 {
			return providers.Standing{}, errCut
		}
		return now(p), nil
	}
	h.gw.mu.Unlock()
	g.inquire = func(op providers.Op) (providers.OpResult, error) {
		return providers.OpResult{State: now(providers.Payment{}).RefundSeen(op)}, nil
	}
	h.restart()
	h.forward(time.Hour)
	h.op(t, 1, session.OpFailed)
	if len(g.done) != 0 || asked == 0 || !h.session().OutcomeKnown() {
		t.Errorf("sent %d times, asked %d times", len(g.done), asked)
	}
}

// Somebody gives back a part in the cabinet while a refund of all has no answer. Ours is not among it: it has failed in the end, and
// our books have what was given back.
func TestAPartGivenBackElsewhereEndsARefundThatNeverArrived(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	var refunded int64
	h.sums(g, &refunded)
	g.do = cut
	g.inquire = func(op providers.Op) (providers.OpResult, error) {
		st, err := h.gw.status(t.Context(), providers.Payment{Amount: money.Amount{Minor: 123_450}}, nil)
		return providers.OpResult{State: st.RefundSeen(op)}, err
	}
	if err := h.operate(providers.Refund, 0); err != nil {
		t.Fatal(err)
	}
	h.gw.mu.Lock()
	refunded = 41_150
	h.gw.mu.Unlock()
	h.forward(time.Hour)
	h.op(t, 1, session.OpFailed)
	if a := h.last(); a.Refunded != 41_150 || a.NeedsReview || h.session().Status() != session.StatusPartiallyRefunded {
		t.Errorf("refunded %d, needs review %v", a.Refunded, a.NeedsReview)
	}
}

func TestAnOperationThatProvablyNeverLeftHasFailedAtOnce(t *testing.T) {
	t.Parallel()
	for _, never := range []error{&providers.Refusal{Field: "amount", Text: "too small"}, &providers.Failure{Op: "refund", Err: providers.ErrUnsent}} {
		h, g := atTheOffice(t, providers.Paid)
		g.do = func(providers.Op) (providers.OpResult, error) { return providers.OpResult{}, never }
		if err := h.operate(providers.Refund, 0); err != nil {
			t.Fatal(err)
		}
		h.op(t, 1, session.OpFailed)
	}
}

func TestARefusedOperationChangesNothingAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	g.do = func(providers.Op) (providers.OpResult, error) {
		return providers.OpResult{State: providers.OpFailed}, nil
	}
	if err := h.operate(providers.Refund, 5_000); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpFailed)
	g.do = nil
	for i, amount := range []int64{5_000, 0} {
		if err := h.operate(providers.Refund, amount); err != nil {
			t.Fatal(err)
		}
		h.op(t, i+2, session.OpSucceeded)
	}
	if a := h.last(); a.Refunded != 123_450 {
		t.Errorf("refunded %d", a.Refunded)
	}
	if err := h.operate(providers.Refund, 1); !errors.Is(err, session.ErrAmount) {
		t.Errorf("more than there was: %v", err)
	}
}

func TestAfterAPartOfAHoldIsVoidedTheRestCanBeCaptured(t *testing.T) {
	t.Parallel()
	h, _ := atTheOffice(t, providers.Authorized)
	if err := h.operate(providers.Void, 23_450); err != nil {
		t.Fatal(err)
	}
	if a := h.is(session.Authorized); a.AmountAuthorized != 100_000 || a.Voided {
		t.Errorf("held %d, voided %v", a.AmountAuthorized, a.Voided)
	}
	h.holds(100_000)
	if err := h.operate(providers.Capture, 0); err != nil {
		t.Fatal(err)
	}
	h.op(t, 2, session.OpSucceeded)
	if a := h.is(session.Paid); a.Captured != 100_000 {
		t.Errorf("captured %d", a.Captured)
	}
}

func TestWhatWasCapturedInPartCanBeRefunded(t *testing.T) {
	t.Parallel()
	h, _ := atTheOffice(t, providers.Authorized)
	if err := h.operate(providers.Capture, 50_000); err != nil {
		t.Fatal(err)
	}
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		return providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Amount: p.Amount, Held: p.Amount.Minor, Captured: 50_000}, nil
	}
	h.forward(5 * time.Second)
	if err := h.operate(providers.Refund, 0); err != nil {
		t.Fatal(err)
	}
	h.op(t, 2, session.OpSucceeded)
	if a := h.last(); a.Refunded != 50_000 || h.session().Status() != session.StatusRefunded {
		t.Errorf("refunded %d, %s", a.Refunded, h.session().Status())
	}
}

// Before it sends, Flow asks where the payment stands: somebody may have been at the gateway's own office.
func TestAnOperationIsNotSentWhereTheInquiryBeforeItContradicts(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Authorized)
	h.finds(providers.Voided)
	if err := h.operate(providers.Capture, 0); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpFailed)
	if len(g.done) != 0 {
		t.Errorf("%d calls", len(g.done))
	}
}

// kill -9 anywhere in an operation: it is sent at most once, and in the end everybody knows what became of it.
func TestAnOperationSurvivesACrashAtEveryPlace(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"operation.written", "status.answered", "operation.permitted", "operation.answered", "operation.stored"} {
		t.Run(place, func(t *testing.T) {
			h, g := atTheOffice(t, providers.Paid)
			g.inquire = func(op providers.Op) (providers.OpResult, error) {
				if len(g.done) == 0 {
					return providers.OpResult{State: providers.OpFailed}, nil
				}
				return providers.OpResult{State: providers.OpSucceeded}, nil
			}
			h.dieNext(place)
			if err := h.operate(providers.Refund, 0); err != nil {
				t.Fatal(err)
			}
			h.restart()
			h.forward(time.Hour)
			op := h.session().Operation(1)
			if sent := len(g.done); sent > 1 || (op.State == session.OpSucceeded) != (sent == 1) || op.State.Open() {
				t.Errorf("sent %d times, the operation is %s", sent, op.State)
			}
			if refunded := h.last().Refunded; (refunded == 123_450) != (len(g.done) == 1) {
				t.Errorf("refunded %d", refunded)
			}
		})
	}
}

// sums makes inquiries state what the office really gave back.
func (h *house) sums(g *office, refunded *int64) {
	h.gw.mu.Lock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		h.gw.mu.Lock()
		defer h.gw.mu.Unlock()
		return providers.Standing{
			Outcome: providers.Paid, Ref: p.Ref, Amount: p.Amount, Held: p.Amount.Minor, Captured: p.Amount.Minor, Refunded: *refunded, Stated: true,
		}, nil
	}
	h.gw.mu.Unlock()
	g.do = func(op providers.Op) (providers.OpResult, error) {
		h.gw.mu.Lock()
		defer h.gw.mu.Unlock()
		*refunded += op.Amount.Minor
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
}

// A restored database has forgotten a refund, and the merchant asks for it once more.
func TestARefundThatARestoredDatabaseForgotIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	var refunded int64
	h.sums(g, &refunded)
	copied := h.snapshot(t)
	if err := h.operate(providers.Refund, 1000); err != nil {
		t.Fatal(err)
	}
	h.op(t, 1, session.OpSucceeded)
	h.restore(t, copied)
	if err := h.operate(providers.Refund, 1000); err != nil {
		t.Fatal(err)
	}
	op := h.op(t, 1, session.OpFailed)
	if differed := h.session().Differed(op); !errors.Is(differed, session.ErrSumsDiffer) || len(g.done) != 1 || refunded != 1000 || h.last().Refunded != 1000 {
		t.Errorf("%v; sent %d times, refunded %d, our books %d", differed, len(g.done), refunded, h.last().Refunded)
	}
}

// A refund made in the cabinet becomes known by a callback at once, by the schedule without one, and by asking.
func TestARefundMadeElsewhereIsLearnedByCallbackScheduleAndAsking(t *testing.T) {
	t.Parallel()
	for name, learn := range map[string]func(*testing.T, *house){
		"callback": func(t *testing.T, h *house) {
			if err := h.callback("order-1", "good"); err != nil {
				t.Fatal(err)
			}
			h.forward(0)
		},
		"schedule": func(_ *testing.T, h *house) { h.forward(time.Hour) },
		"asking": func(t *testing.T, h *house) {
			if _, err := h.flow.Inquire(t.Context(), h.id); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, g := atTheOffice(t, providers.Paid)
			var refunded int64
			h.sums(g, &refunded)
			h.gw.mu.Lock()
			refunded = 5_000
			h.gw.mu.Unlock()
			learn(t, h)
			if a := h.is(session.Paid); a.Refunded != 5_000 || h.told("refund.elsewhere") != 1 || h.session().Status() != session.StatusPartiallyRefunded {
				t.Errorf("refunded %d, told %v", a.Refunded, h.events())
			}
		})
	}
}

// Whoever asked before a refund and hears after it hears of a payment that was whole: that undoes nothing.
func TestAnAnswerFromBeforeARefundDoesNotUndoIt(t *testing.T) {
	t.Parallel()
	for asked, known := range map[string]bool{"while the payment was known to be paid": true, "before that was known": false} {
		t.Run(asked, func(t *testing.T) {
			t.Parallel()
			var refunded int64
			var silent atomic.Bool
			var meanwhile func()
			g := &office{do: func(op providers.Op) (providers.OpResult, error) {
				refunded += op.Amount.Minor
				return providers.OpResult{State: providers.OpSucceeded}, nil
			}}
			h := newHouse(t, func(h *house) { g.gateway, h.acc.Provider = h.gw, g })
			h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
				return providers.Step{}, errCut
			}
			h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
				if silent.Load() {
					return providers.Standing{}, errCut
				}
				st := providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Amount: p.Amount, Held: p.Amount.Minor, Captured: p.Amount.Minor,
					Refunded: refunded, Stated: true}
				if do := meanwhile; do != nil {
					meanwhile = nil
					do()
				}
				return st, nil
			}
			inquire := func() {
				if _, err := h.flow.Inquire(t.Context(), h.id); err != nil {
					t.Error(err)
				}
			}
			silent.Store(true)
			h.submit()
			h.await(0, "status.stored")
			silent.Store(false)
			if known {
				inquire()
			}
			meanwhile = func() {
				if !known {
					inquire()
				}
				if err := h.operate(providers.Refund, 50000); err != nil {
					t.Error(err)
				}
			}
			inquire()
			h.forward(time.Hour)
			h.op(t, 1, session.OpSucceeded)
			for _, e := range h.events() {
				if e == "refund.undone" || e == "refund.elsewhere" {
					t.Errorf("told: %v", h.events())
					break
				}
			}
			if a := h.is(session.Paid); a.Refunded != 50000 {
				t.Errorf("refunded by our books: %d", a.Refunded)
			}
		})
	}
}
