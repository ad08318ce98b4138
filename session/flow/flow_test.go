package flow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/jobs"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// never is a call that did not reach the gateway.
func never(h *house) func(context.Context, providers.Payment, *order) (providers.Step, error) {
	return func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		h.gw.mu.Lock()
		defer h.gw.mu.Unlock()
		delete(h.gw.orders, p.Ref.Reference)
		return providers.Step{}, errCut
	}
}

// challenged answers a payment with a challenge, which inquiries cannot repeat.
func challenged(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
	return challenge(p, trans1), nil
}

func (h *house) charge(reference string) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.order(reference).charges++
}

func TestAnOrderThatIsNotRegisteredFailsWithoutACallThatCouldMoveMoney(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.register = func() error { return errCut }
	h.submit()
	h.is(session.Failed)
	if n := h.sent("order-1", "pay"); n != 0 {
		t.Errorf("%d payments were sent", n)
	}
	if h.session().Status() != session.StatusOpen {
		t.Error("the shopper cannot try again")
	}
}

func TestApprovedByTheCallIsPaidOnlyByTheInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return said(providers.Finished, p), nil
	}
	h.submit()
	h.forward(time.Minute)
	h.is(session.Gateway)
	h.charge("order-1")
	h.forward(10 * time.Second)
	h.is(session.Paid)
}

func TestAPaymentWithoutAnAnswerIsUnknownUntilAnInquiryDecidesAndIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	down := true
	h.gw.pay = func(_ context.Context, _ providers.Payment, o *order) (providers.Step, error) {
		o.charges++
		return providers.Step{}, errCut
	}
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if down {
			return providers.Standing{}, errCut
		}
		return h.gw.truth(p, o), nil
	}
	h.submit()
	h.is(session.Unknown)
	h.forward(time.Hour)
	h.is(session.Unknown)
	if h.session().OutcomeKnown() {
		t.Error("the merchant is told that the outcome is known")
	}
	down = false
	h.forward(time.Hour)
	h.is(session.Paid)
	if n := h.sent("order-1", "pay"); n != 1 || h.charges() != 1 {
		t.Errorf("sent %d times, charged %d times", n, h.charges())
	}
}

func TestNotFoundIsProofOnlyAfterDeadlineAndSettlingTimeAndASecondLook(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = never(h)
	h.submit()
	settled := account.DefaultCallTimeout + account.DefaultSettleAfter
	h.forward(settled - time.Second)
	h.is(session.Unknown)
	h.forward(2 * fast)
	h.is(session.Failed)
	if n := len(h.gw.asked); n < 3 {
		t.Errorf("believed after %d looks", n)
	}
	h.gw.pay = nil
	h.submit()
	h.is(session.Paid)
	if h.charges() != 1 {
		t.Errorf("charged %d times", h.charges())
	}
}

// fast is the longest turn of the fast loop.
const fast = 5 * time.Second

func TestAFirstNotFoundLongAfterTheDeadlineIsConfirmedByASecondInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = never(h)
	down := true
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		switch {
		case down:
			return providers.Standing{}, errCut
		case o == nil:
			return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
		}
		return h.gw.truth(p, o), nil
	}
	h.submit()
	h.forward(4 * time.Minute)
	down = false
	asked := len(h.gw.asked)
	for h.last().State == session.Unknown {
		h.forward(time.Second)
	}
	h.is(session.Failed)
	if n := len(h.gw.asked) - asked; n != 2 {
		t.Errorf("%d answers were proof, want 2", n)
	}
}

func TestALostChallengeIsClosedAndThenNothingCanBeCharged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withCloser)
	h.gw.pay = challenged
	h.submit()
	h.forward(session.ChallengeWait - time.Second)
	h.is(session.Shopper)
	h.forward(2 * time.Minute)
	h.is(session.Abandoned)
	if h.gw.order("order-1").outcome != providers.Closed {
		t.Error("the order can still be paid")
	}
}

func TestAPaymentApprovedWhileItsOrderIsClosedIsPaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(h *house) {
		h.acc.Provider = closer{h.gw, func(o *order) error { o.charges++; return nil }}
	})
	h.gw.pay = challenged
	h.submit()
	h.forward(session.ChallengeWait + 2*time.Minute)
	h.is(session.Paid)
}

func TestACloseWithoutAnAnswerProvesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(h *house) {
		h.acc.Provider = closer{h.gw, func(*order) error { return errCut }}
	})
	h.gw.pay = challenged
	h.submit()
	h.forward(time.Hour)
	h.is(session.Shopper)
}

func TestAnOrderThatCannotBeClosedIsOutlived(t *testing.T) {
	t.Parallel()
	const life = 2 * time.Hour
	h := newHouse(t, func(h *house) { h.acc.OrderLife = life })
	h.gw.pay = challenged
	h.submit()
	h.forward(life - time.Minute)
	h.is(session.Shopper)
	h.forward(5 * time.Minute)
	h.is(session.Abandoned)
	if got := h.session().Status(); got != session.StatusExpired {
		t.Errorf("the session is %s", got)
	}
}

func TestALateApprovalOfAFailedAttemptPaysASessionThatIsStillOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = never(h)
	h.submit()
	h.forward(2 * time.Minute)
	h.is(session.Failed)
	h.charge("order-1")
	h.forward(11 * time.Minute)
	if a := h.is(session.Paid); a.PaidLate || h.session().Status() != session.StatusPaid {
		t.Errorf("paid late %v, session %s", a.PaidLate, h.session().Status())
	}
}

func TestALateApprovalAfterTheEndOfTheSessionIsReportedOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		by   func(t *testing.T, h *house)
		want session.Status
	}{
		"expired":   {func(t *testing.T, h *house) { h.forward(40 * time.Minute) }, session.StatusExpired},
		"cancelled": {cancel, session.StatusCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.gw.pay = never(h)
			h.submit()
			h.forward(2 * time.Minute)
			h.is(session.Failed)
			end.by(t, h)
			h.charge("order-1")
			h.forward(48 * time.Hour)
			if a := h.is(session.Paid); !a.PaidLate {
				t.Error("not marked as late")
			}
			if h.told("payment.paid_late") != 1 || h.told("payment.paid") != 0 || h.session().Status() != end.want {
				t.Errorf("session %s, events %v", h.session().Status(), h.events())
			}
		})
	}
}

func cancel(t *testing.T, h *house) {
	t.Helper()
	if _, err := h.flow.Cancel(t.Context(), h.id); err != nil {
		t.Fatal(err)
	}
}

func TestALateApprovalBesideAPaymentIsReportedAndDoesNotHideIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = never(h)
	h.submit()
	h.forward(2 * time.Minute)
	h.gw.pay = nil
	h.submit()
	h.is(session.Paid)
	h.charge("order-1") // the gateway had the first one after all
	h.forward(48 * time.Hour)
	first := h.session().Attempts[0]
	if first.State != session.Paid || !first.PaidLate || h.told("payment.paid_late") != 1 || h.told("payment.paid") != 1 ||
		h.session().Status() != session.StatusPaid {
		t.Errorf("first attempt %s, late %v; events %v", first.State, first.PaidLate, h.events())
	}
}

func TestAnApprovalOfAnotherAmountIsAMismatchUntilTheGatewayStatesTheRightOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.amount = h.session().Amount
	h.gw.amount.Minor = 999
	h.submit()
	h.is(session.Mismatched)
	h.forward(time.Hour)
	h.is(session.Mismatched)
	if h.session().OutcomeKnown() || h.told("payment.paid") != 0 {
		t.Error("believed")
	}
	h.gw.amount = h.session().Amount
	h.forward(time.Hour)
	h.is(session.Paid)
}

func TestADeclineOfAnotherAmountIsNotADecline(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.amount = h.session().Amount
	h.gw.amount.Minor = 999
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Refused
		return said(providers.Wait, p), nil
	}
	h.submit()
	h.forward(time.Minute)
	if h.told("payment.declined") != 0 {
		t.Errorf("events %v", h.events())
	}
}

func TestAGatewayThatDoesNotKnowItselfIsAskedSlowly(t *testing.T) {
	t.Parallel()
	asked := func(outcome providers.Outcome) int {
		h := newHouse(t)
		h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
			o.outcome = outcome
			return said(providers.Wait, p), nil
		}
		h.submit()
		h.forward(5 * time.Minute)
		if outcome == providers.Unclear {
			h.is(session.Unknown)
		} else {
			h.is(session.Gateway)
		}
		return len(h.gw.asked)
	}
	working, unclear := asked(providers.Processing), asked(providers.Unclear)
	if working < 55 || working > 75 || unclear > 6 {
		t.Errorf("in five minutes asked %d times while it worked, %d times while it did not know", working, unclear)
	}
}

func TestAfterSevenDaysThePaymentNeedsReviewOnceAndInquiriesEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Processing
		return said(providers.Wait, p), nil
	}
	h.submit()
	h.forward(6 * 24 * time.Hour)
	if h.told("payment.needs_review") != 0 {
		t.Error("asked too early")
	}
	h.forward(2 * 24 * time.Hour)
	asked := len(h.gw.asked)
	h.forward(30 * 24 * time.Hour)
	if h.told("payment.needs_review") != 1 || len(h.gw.asked) != asked {
		t.Errorf("asked a person %d times, and the gateway %d times more", h.told("payment.needs_review"), len(h.gw.asked)-asked)
	}
	h.is(session.Gateway)
	h.charge("order-1")
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Paid)
}

func TestAStepOfAnUnknownKindOrVersionLeadsToAnInquiryNeverToADecline(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]providers.Step{
		"kind":    {V: providers.StepVersion, Kind: "dance"},
		"version": {V: providers.StepVersion + 1, Kind: providers.Declined, Decline: &providers.Decline{Reason: providers.Fraud}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				o.outcome = providers.Processing
				step.Ref = p.Ref
				return step, nil
			}
			h.submit()
			h.is(session.Gateway)
			h.charge("order-1")
			h.forward(10 * time.Second)
			h.is(session.Paid)
		})
	}
}

func TestOnePermissionOneCallHoweverManyMachinesHaveTheJob(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byItsJob)
	h.gw.pay = challenged
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	claimed, err := h.store.Claim(t.Context(), "hand", h.now(), time.Minute, 10)
	if err != nil {
		t.Fatal(err)
	}
	var resume *jobs.Job
	for _, j := range claimed {
		if j.Kind == "session.resume" {
			resume = &j
		}
	}
	if resume == nil {
		t.Fatal("no job answers the step")
	}
	first := h.flow
	h.start() // a second machine, over the same store
	var all sync.WaitGroup
	for i := range 20 {
		flow := first
		if i%2 == 0 {
			flow = h.flow
		}
		all.Go(func() {
			if err := flow.Jobs()[resume.Kind](context.Background(), *resume); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	h.is(session.Paid)
	if n := len(h.gw.answers); n != 1 || h.charges() != 1 {
		t.Errorf("%d answers were sent, charged %d times", n, h.charges())
	}
}

func TestTwoTabsBeginOneAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	var all sync.WaitGroup
	var mu sync.Mutex
	taken, busy := 0, 0
	for range 10 {
		all.Go(func() {
			err := h.flow.Submit(context.Background(), h.id, flow.Submission{Card: theCard, IP: "192.0.2.1"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken++
			case errors.Is(err, session.ErrBusy):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken != 1 || busy != 9 || len(h.session().Attempts) != 1 {
		t.Errorf("%d taken, %d told to wait, %d attempts", taken, busy, len(h.session().Attempts))
	}
}

func TestAChallengeAnswerThatWasLostIsSentAgainOnlyWhileTheGatewayWaitsForItAndAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	var sent []time.Time
	h.gw.resume = func(context.Context, providers.Payment, providers.Answer, *order) (providers.Step, error) {
		sent = append(sent, h.now())
		return providers.Step{}, errCut
	}
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(5 * time.Minute)
	if len(sent) < 4 || len(sent) > 12 {
		t.Fatalf("sent %d times in five minutes", len(sent))
	}
	for i := 2; i < len(sent); i++ {
		if a, b := sent[i-1].Sub(sent[i-2]), sent[i].Sub(sent[i-1]); b < min(a, time.Minute) {
			t.Errorf("the waits shrink: %s, then %s", a, b)
		}
	}
	for _, a := range h.gw.answers {
		if a.CRes != h.gw.answers[0].CRes {
			t.Error("it was not the same answer")
		}
	}
	h.gw.resume = nil
	h.forward(2 * time.Minute)
	h.is(session.Paid)
	if h.charges() != 1 {
		t.Errorf("charged %d times", h.charges())
	}
}

func TestAResumeCallWithoutAnAnswerIsNotRepeatedWhileTheGatewayIsProcessing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.gw.resume = func(_ context.Context, _ providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		o.outcome = providers.Processing
		return providers.Step{}, errCut
	}
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(2 * time.Hour)
	if n := len(h.gw.answers); n != 1 {
		t.Errorf("sent %d times", n)
	}
	h.charge("order-1")
	h.forward(time.Hour)
	h.is(session.Paid)
}

func TestTheSameReturnAHundredTimesIsForwardedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	token, taken := h.token(), 0
	for range 50 {
		page, err := h.returned(token, cres(trans1))
		if err != nil {
			t.Fatal(err)
		}
		if page.Taken {
			taken++
		}
	}
	h.forward(time.Second)
	for range 50 {
		if page, err := h.returned(token, cres(trans1)); err != nil || page.Taken {
			t.Fatalf("taken %v, %v", page.Taken, err)
		}
	}
	h.forward(time.Hour)
	h.is(session.Paid)
	if taken != 1 || len(h.gw.answers) != 1 || h.charges() != 1 {
		t.Errorf("%d taken, %d sent, %d charges", taken, len(h.gw.answers), h.charges())
	}
}

func TestAnAnswerOfAnotherAuthenticationChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	before := h.session().Version
	if _, err := h.returned(h.token(), cres(trans2)); !errors.Is(err, session.ErrContradicts) {
		t.Errorf("error %v", err)
	}
	if _, err := h.returned("AAAAAAAAAAAAAAAAAAAAAAAAAAA", cres(trans1)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if h.session().Version != before {
		t.Error("the session was changed")
	}
}

// soft is a gateway that declines softly after the Method: a second run, whose Method leads to the card again.
func soft(h *house) {
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return method(p, trans1), nil
	}
	h.gw.resume = func(_ context.Context, p providers.Payment, a providers.Answer, o *order) (providers.Step, error) {
		switch {
		case a.Kind == providers.MethodDone && p.Run.N == 1:
			s := method(p, trans2)
			s.NewRun = true
			return s, nil
		case a.Card == nil:
			return said(providers.AskCard, p), nil
		}
		return h.gw.take(p, o), nil
	}
}

func TestAnswersOfAnEarlierRunChangeNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	soft(h)
	h.submit()
	first := h.token()
	if _, err := h.notified(first); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	a := h.is(session.Shopper)
	if len(a.Runs) != 2 || a.Run().Token == first {
		t.Fatalf("%d runs", len(a.Runs))
	}
	if page, err := h.notified(first); page.Taken || err != nil && !errors.Is(err, session.ErrStale) {
		t.Errorf("taken %v, %v", page.Taken, err)
	}
	if page, _ := h.returned(first, cres(trans1)); page.Taken {
		t.Error("taken")
	}
	if after := h.is(session.Shopper); after.StepN != a.StepN || !after.Run().NotifiedAt.IsZero() || !after.Run().ReturnedAt.IsZero() {
		t.Error("the second run was changed")
	}
}

func TestASoftDeclineGoesOnWithTheCardInMemory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	soft(h)
	h.submit()
	for range 2 {
		if _, err := h.notified(h.token()); err != nil {
			t.Fatal(err)
		}
		h.forward(time.Second)
	}
	h.is(session.Paid)
}

func TestACardThatNobodyRemembersIsAskedForAndNoOtherIsTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	soft(h)
	h.submit()
	if _, err := h.notified(h.token()); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.restart() // the card is gone
	if _, err := h.notified(h.token()); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	if a := h.is(session.Shopper); a.Step.Kind != providers.AskCard {
		t.Fatalf("step %s", a.Step.Kind)
	}
	other := theCard
	var err error
	if other.Number, err = card.ParseNumber("4000019900050008"); err != nil {
		t.Fatal(err)
	}
	if err := h.flow.CardAgain(t.Context(), h.id, flow.Submission{Card: other}); !errors.Is(err, session.ErrOtherCard) {
		t.Errorf("another card: %v", err)
	}
	if h.flow.CardsHeld() != 0 {
		t.Error("the other card is kept")
	}
	before := h.count("resume.stored")
	if err := h.flow.CardAgain(t.Context(), h.id, flow.Submission{Card: theCard}); err != nil {
		t.Fatal(err)
	}
	h.await(before, "resume.stored")
	h.is(session.Paid)
	if err := h.flow.CardAgain(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrStale) {
		t.Errorf("once more: %v", err)
	}
	if h.charges() != 1 || h.flow.CardsHeld() != 0 {
		t.Errorf("charged %d times, %d cards kept", h.charges(), h.flow.CardsHeld())
	}
}

func TestTheCardIsForgottenAtTheEndAndAfterFifteenMinutes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	if h.flow.CardsHeld() != 1 {
		t.Fatalf("%d cards held", h.flow.CardsHeld())
	}
	h.forward(flow.VaultKeeps)
	if h.flow.CardsHeld() != 0 {
		t.Error("kept too long")
	}
	done := newHouse(t)
	done.submit()
	done.is(session.Paid)
	if done.flow.CardsHeld() != 0 {
		t.Error("kept after the end")
	}
}

func TestExpiryDoesNotCutAnAttemptThatIsRunning(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.forward(29 * time.Minute)
	h.gw.pay = challenged
	h.submit()
	h.forward(5 * time.Minute)
	h.is(session.Shopper)
	if got := h.session().Status(); got != session.StatusActionRequired {
		t.Errorf("the session is %s", got)
	}
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	h.is(session.Paid)
	if h.session().Status() != session.StatusPaid || h.told("session.expired") != 0 {
		t.Errorf("events %v", h.events())
	}
}

func TestASessionThatNobodyPaysExpiresOnceAndTakesNoCard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.forward(31 * time.Minute)
	if h.session().Status() != session.StatusExpired || h.told("session.expired") != 1 {
		t.Errorf("session %s, events %v", h.session().Status(), h.events())
	}
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("submit: %v", err)
	}
}

func TestASessionTakesFiveAttempts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Refused
		s := said(providers.Declined, p)
		s.Decline = &providers.Decline{Reason: providers.InsufficientFunds}
		return s, nil
	}
	for range session.MaxAttempts {
		h.submit()
		h.is(session.Declined)
	}
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a sixth: %v", err)
	}
	if h.session().Status() != session.StatusDeclined || h.told("session.declined") != 1 {
		t.Errorf("session %s, events %v", h.session().Status(), h.events())
	}
}

func TestACallbackOnAFinalStateQueuesAnInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Refused
		return said(providers.Declined, p), nil
	}
	h.submit()
	h.is(session.Declined)
	h.charge("order-1")
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Paid)
}

func TestAForgedCallbackQueuesNoInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	asked, version := len(h.gw.asked), h.session().Version
	if err := h.callback("order-1", "bad"); !errors.Is(err, providers.ErrForged) {
		t.Errorf("error %v", err)
	}
	h.forward(time.Second)
	if len(h.gw.asked) != asked || h.session().Version != version {
		t.Error("it changed something")
	}
}

func TestACallbackThatSaysMoreThanTheCallIsOnlyAHint(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	for range 20 {
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(err)
		}
		h.forward(time.Second)
	}
	h.is(session.Shopper)
}

func TestACallbackDuringACallDoesNotTakeThePlaceOfTheInquiryThatLooksAfterIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	at, free := make(chan struct{}), make(chan struct{})
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Processing
		close(at)
		<-free
		return said(providers.Wait, p), nil
	}
	h.submitOnly()
	<-at
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second) // the inquiry of the callback finds the gateway at work
	h.is(session.Calling)
	before := h.count("pay.answered")
	h.dieNext("pay.answered")
	close(free)
	h.await(before, "pay.answered")
	h.restart()
	h.charge("order-1")
	h.forward(time.Minute)
	h.is(session.Paid)
}

func TestAnAnswerThatComesAfterTheInquiryDecidedChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	at, free := make(chan struct{}), make(chan struct{})
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.charges++
		close(at)
		<-free
		return said(providers.Declined, p), nil
	}
	h.submitOnly()
	<-at
	h.forward(account.DefaultCallTimeout + 2*time.Second)
	h.is(session.Paid)
	before := h.count("pay.stored")
	close(free)
	h.await(before, "pay.stored")
	h.is(session.Paid)
	if calls := h.last().Calls; len(calls) != 1 || calls[0].AnsweredAt.IsZero() {
		t.Errorf("the call book: %+v", calls)
	}
}

func TestAnAttemptWhoseProcessDiedBeforeAnythingWasSentFails(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"attempt.written", "register.answered"} {
		t.Run(place, func(t *testing.T) {
			h := newHouse(t)
			before := h.count(place)
			h.dieNext(place)
			h.submitOnly()
			h.await(before, place)
			h.restart()
			h.forward(account.DefaultCallTimeout - time.Second)
			h.is(session.New)
			h.forward(5 * time.Second)
			h.is(session.Unknown) // that no permission is in the book is not proof: the gateway is asked
			h.forward(account.DefaultCallTimeout + account.DefaultSettleAfter)
			h.is(session.Failed)
			if h.sent("order-1", "pay") != 0 {
				t.Error("sent")
			}
		})
	}
}

func TestAPermissionOfADeadProcessIsNotUsedByAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.dieNext("pay.permitted")
	before := h.count("pay.permitted")
	h.submitOnly()
	h.await(before, "pay.permitted")
	h.restart()
	h.forward(10 * time.Minute)
	h.is(session.Failed)
	if h.sent("order-1", "pay") != 0 {
		t.Error("somebody sent it")
	}
	if calls := h.last().Calls; len(calls) != 1 || !calls[0].AnsweredAt.IsZero() {
		t.Errorf("the call book: %+v", calls)
	}
}

func TestAMethodWithoutANotificationGoesOnAfterTenSecondsWithIndicatorN(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return method(p, trans1), nil
	}
	h.submit()
	if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
		t.Fatal(err)
	}
	h.forward(10 * time.Second)
	if len(h.gw.answers) != 0 {
		t.Fatal("went on before ten seconds were over")
	}
	h.forward(time.Second)
	if len(h.gw.answers) != 1 || h.gw.answers[0].CompInd != "N" {
		t.Fatalf("answers %+v", h.gw.answers)
	}
	if page, _ := h.notified(h.token()); page.Taken {
		t.Error("a late notification was taken")
	}
	h.is(session.Paid)
}

func TestWithoutAMethodTheIndicatorIsUAndNobodyWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		s := method(p, trans1)
		s.Forms = nil
		return s, nil
	}
	h.submit()
	h.forward(0)
	if len(h.gw.answers) != 1 || h.gw.answers[0].CompInd != "U" {
		t.Errorf("answers %+v", h.gw.answers)
	}
}

func TestOnlyTheFirstViewOfAChallengePagePostsByItself(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	var shown []bool
	for range 3 {
		first, err := h.flow.Shown(t.Context(), h.id, h.last().StepN)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, first)
	}
	if !slices.Equal(shown, []bool{true, false, false}) {
		t.Errorf("shown first: %v", shown)
	}
}

func TestAnEmptyReturnOnlyQueuesAnInquiryAndNotOften(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	asked := len(h.gw.asked)
	for range 30 {
		if page, err := h.returned(h.token(), threeds.Reply{Method: "GET"}); err != nil || page.Taken {
			t.Fatalf("taken %v, %v", page.Taken, err)
		}
		h.forward(200 * time.Millisecond)
	}
	h.is(session.Shopper)
	if n := len(h.gw.asked) - asked; n < 1 || n > 4 {
		t.Errorf("30 visits in six seconds cost %d inquiries", n)
	}
}

// Gateways that finish by themselves send the shopper back with nothing in hand.
func TestAfterAnEmptyReturnTheShopperIsSentToTheBankAgainOnlyIfTheGatewayStillWaits(t *testing.T) {
	t.Parallel()
	redirected := func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		step := said(providers.Redirect, p)
		step.Link = "https://gateway.example/page"
		return step, nil
	}
	back := threeds.Reply{Method: "GET"}

	h := newHouse(t)
	h.gw.pay = redirected
	h.submit()
	h.forward(20 * time.Second) // an inquiry was made, so that the next one is not at once
	if page, err := h.returned(h.token(), back); err != nil || !page.Taken {
		t.Fatalf("taken %v, %v", page.Taken, err)
	}
	if h.last().Run().ReturnedAt.IsZero() {
		t.Error("the way to the bank is shown to somebody who comes from there")
	}
	h.forward(5 * time.Second)
	if a := h.is(session.Shopper); !a.Run().ReturnedAt.IsZero() {
		t.Error("the gateway waits, and the way to the bank is not shown")
	}

	h.gw.order(h.last().Ref.Reference).charges++
	if _, err := h.returned(h.token(), back); err != nil {
		t.Fatal(err)
	}
	h.forward(5 * time.Second)
	h.is(session.Paid)
}

func TestAnAcceptedChallengeAnswerIsNotSentAgainWhileTheGatewayIsSlow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, _ *order) (providers.Step, error) {
		return said(providers.Wait, p), nil // and every inquiry still shows the challenge
	}
	h.submit()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(10 * time.Minute)
	if n := len(h.gw.answers); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestAPanicInAGatewayCallIsACallWithoutAnAnswerAndSaysNothingOfTheCard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	panicked := make(chan struct{})
	h.gw.pay = func(_ context.Context, _ providers.Payment, o *order) (providers.Step, error) {
		defer close(panicked)
		o.charges++
		panic("cannot charge " + theCard.Number.Reveal() + " with code " + theCard.Code.Reveal())
	}
	h.submitOnly()
	<-panicked
	h.flow.Close(t.Context())
	h.restart()
	h.forward(time.Minute)
	h.is(session.Paid)
	if log := h.log.String(); !strings.Contains(log, "panic") || strings.Contains(log, theCard.Number.Reveal()) || strings.Contains(log, "cannot charge") {
		t.Errorf("the log: %s", log)
	}
}

// The breaker of a gateway that is down lets nothing out: that is proof, and the shopper need not wait for more of it.
func TestACallThatProvablyNeverLeftFailsAtOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		dials int
		want  session.State
	}{
		"nothing left":                {0, session.Failed},
		"an earlier request had left": {1, session.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.gw.pay = func(ctx context.Context, p providers.Payment, o *order) (providers.Step, error) {
				delete(h.gw.orders, p.Ref.Reference)
				for range row.dials {
					h.gets(ctx, 200, "https://gateway.example/sale")
				}
				return providers.Step{}, &providers.Failure{Op: "sale", Err: fmt.Errorf("%w: breaker", providers.ErrUnsent)}
			}
			h.submit()
			h.is(row.want)
		})
	}
}

// At the finest level the log tells a payment's whole way by its session and order.
func TestEveryEventOfAPaymentIsInTheLogAtTheFinestLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var mu sync.Mutex
		var told []string
		h := newHouse(t, func(h *house) {
			h.level = level
			h.lived = func(account, event string) {
				mu.Lock()
				defer mu.Unlock()
				if told = append(told, event); account != shop {
					t.Errorf("%s of account %s", event, account)
				}
			}
		})
		h.submit()
		h.is(session.Paid)
		for n, kind := range h.events() {
			line := fmt.Sprintf("msg=event session=%s order=order account=%s merchant=demo n=%d type=%s\n", h.id, shop, n+1, kind)
			mu.Lock()
			if n >= len(told) || told[n] != kind {
				t.Errorf("event %d is %s; told was %v", n+1, kind, told)
			}
			mu.Unlock()
			if strings.Contains(h.log.String(), line) != want {
				t.Errorf("%s: %q in %s", level, line, h.log.String())
			}
		}
	}
}
