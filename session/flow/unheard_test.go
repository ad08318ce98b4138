package flow_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// silent makes every inquiry fail with an error while *down is true.
func (h *house) silent(down *bool, err error) {
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if *down {
			return providers.Standing{}, err
		}
		return h.gw.truth(p, o), nil
	}
}

// reasons are the reasons of the session's events of a type.
func (h *house) reasons(kind string) (all []string) {
	h.t.Helper()
	found, err := h.store.Events(context.Background(), h.id, 0, 1000)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	for _, e := range found {
		var data struct {
			Reason       string
			OutcomeKnown bool `json:"outcome_known"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			h.t.Fatalf("%v", err)
		}
		if string(e.Type) == kind {
			if data.OutcomeKnown {
				h.t.Errorf("%s says that the outcome is known", kind)
			}
			all = append(all, data.Reason)
		}
	}
	return all
}

// While inquiries of a payment under way fail the outcome is not known after twenty seconds, whatever its state; and is again
// once the gateway answers.
func TestTheOutcomeIsUnknownAfterTwentySecondsWithoutAnswers(t *testing.T) {
	t.Parallel()
	for state, pay := range map[session.State]func(context.Context, providers.Payment, *order) (providers.Step, error){
		session.Shopper: challenged,
		session.Gateway: func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
			o.outcome = providers.Processing
			return said(providers.Wait, p), nil
		},
	} {
		for reason, err := range map[string]error{
			providers.ClassNoAnswer:    errCut,
			providers.ClassRefused:     &providers.Failure{Op: "status", Code: "5", Text: "access denied"},
			providers.ClassUnreadable:  providers.Unreadable("status", 200, errCut),
			providers.ClassUnavailable: &providers.Failure{Op: "status", Err: &providers.Throttled{Status: 503}},
			providers.ClassRateLimited: &providers.Failure{Op: "status", Err: &providers.Throttled{Status: 429, Wait: time.Hour}},
		} {
			t.Run(string(state)+" "+reason, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				down := true
				h.gw.pay = pay
				h.silent(&down, err)
				h.submit()
				failed := h.is(state).AskFailedSince
				if failed.IsZero() { // the first inquiry while the shopper is at the bank comes after 15 seconds
					h.forward(15 * time.Second)
					failed = h.is(state).AskFailedSince
				}
				h.forward(failed.Add(19 * time.Second).Sub(h.now()))
				if !h.session().OutcomeKnown() {
					t.Fatal("unknown too early")
				}
				h.forward(2 * time.Second)
				h.is(state)
				if got := h.reasons("payment.unknown"); h.session().OutcomeKnown() || len(got) != 1 || got[0] != reason {
					t.Fatalf("known %v, %q", h.session().OutcomeKnown(), got)
				}
				before := h.told("payment." + map[session.State]string{session.Shopper: "action_required", session.Gateway: "processing"}[state])
				down = false
				h.forward(2 * time.Hour)
				if state == session.Gateway {
					if got := h.told("payment.processing"); !h.session().OutcomeKnown() || got != before+1 {
						t.Errorf("known %v, told %d times; %v", h.session().OutcomeKnown(), got, h.events())
					}
				}
				if len(h.reasons("payment.unknown")) != 1 {
					t.Errorf("told again: %v", h.events())
				}
			})
		}
	}
}

// Retry-After is obeyed by every way to ask: the schedule, a callback, a visitor of the return address and the merchant.
func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	down := true
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Processing
		return said(providers.Wait, p), nil
	}
	h.silent(&down, &providers.Failure{Op: "status", Err: &providers.Throttled{Status: 429, Wait: 10 * time.Minute}})
	h.submit()
	asked := len(h.gw.asked)
	h.forward(time.Minute)
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	if _, err := h.flow.Inquire(t.Context(), h.id); err != nil {
		t.Fatal(err)
	}
	h.forward(7 * time.Minute)
	if n := len(h.gw.asked); n != asked {
		t.Errorf("asked %d times although the gateway wants to be left alone", n-asked)
	}
	down = false
	h.charge("order-1")
	h.forward(time.Minute)
	h.is(session.Paid)
	if n := len(h.gw.asked); n != asked+1 {
		t.Errorf("asked %d times at the end of the wait", n-asked)
	}
}

// An open operation whose inquiries fail is unknown, with the reason.
func TestAnOperationWhoseInquiriesFailSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withOperator)
	h.submit()
	h.is(session.Paid)
	h.acc.Provider = unanswered{operates{gateway: h.gw}}
	h.start()
	before := h.count("operation.stored")
	if _, _, err := h.flow.Operate(t.Context(), h.id, session.NewOperation{Kind: providers.Refund, Amount: 100}); err != nil {
		t.Fatal(err)
	}
	h.await(before, "operation.stored")
	if got := h.reasons("refund.unknown"); len(got) != 1 || got[0] != providers.ClassRateLimited {
		t.Errorf("%q", got)
	}
}

type unanswered struct{ operates }

func (unanswered) Do(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	return providers.OpResult{}, &providers.Failure{Op: "refund", Err: &providers.Throttled{Status: 429}}
}

// A person has it after seven days although the shopper is still awaited; nobody asks for ever.
func TestAShopperWhoIsAwaitedForSevenDaysIsForAPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Processing // as words that nobody knows are read
		step := said(providers.Scan, p)
		step.Link = "https://qr.example/1"
		return step, nil
	}
	h.submit()
	h.is(session.Shopper)
	h.forward(7*24*time.Hour - time.Minute)
	if h.told("payment.needs_review") != 0 {
		t.Error("too early")
	}
	h.forward(2 * time.Minute)
	if a := h.is(session.Shopper); !a.NeedsReview || h.told("payment.needs_review") != 1 {
		t.Errorf("%v", h.events())
	}
	asked := len(h.gw.asked)
	h.forward(48 * time.Hour)
	if len(h.gw.asked) != asked {
		t.Errorf("still asked %d times", len(h.gw.asked)-asked)
	}
}

// Its account is no longer configured: the attempt ends with a person all the same.
func TestAnAttemptOfAnAccountThatIsGoneIsForAPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	h.acc.Name = "other"
	h.gone = true
	h.start()
	h.forward(8 * 24 * time.Hour)
	if a := h.is(session.Shopper); !a.NeedsReview || h.session().OutcomeKnown() {
		t.Errorf("%v", h.events())
	}
}

// The bank refuses to go on with the challenge (an Erro), and the gateway still waits: the shopper gets the way to the bank back.
func TestABankThatRefusesAChallengeLeavesTheWayToItOpen(t *testing.T) {
	t.Parallel()
	for _, repeats := range []bool{true, false} {
		for _, fails := range []bool{true, false} {
			h := newHouse(t)
			h.gw.pay = waits(true, repeats)
			h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, _ *order) (providers.Step, error) {
				if fails {
					return providers.Step{}, &providers.Failure{Op: "resume", Code: "7", Text: "challenge is not completed"}
				}
				return said(providers.Wait, p), nil
			}
			h.submit()
			for range 3 {
				if _, err := h.returned(h.token(), erro(trans1)); err != nil {
					t.Fatal(err)
				}
				h.forward(10 * time.Second)
				a := h.is(session.Shopper)
				if run := a.Run(); !run.ReturnedAt.IsZero() || a.Step.Kind != providers.Challenge {
					t.Fatalf("no way to the bank: %+v", run)
				}
			}
			h.gw.resume = nil
			if _, err := h.returned(h.token(), cres(trans1)); err != nil {
				t.Fatal(err)
			}
			h.forward(10 * time.Second)
			h.is(session.Paid)
			if h.charges() != 1 {
				t.Error(h.charges())
			}
		}
	}
}
