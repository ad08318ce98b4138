package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// refusal is the gateway's refusal of the account.
func refusal(untaken bool) error {
	return providers.Failure{Op: "register.do", Code: "5", Text: "Access denied"}.Misconfigured(untaken)
}

// notices are the events about accounts that the merchant was told.
func (h *house) notices(merchant string) (told []map[string]any) {
	h.t.Helper()
	all, err := h.store.EventsAfter(context.Background(), merchant, "", 1000)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	for _, e := range all {
		if string(e.Type) != string(session.EventAccountMisconfigured) {
			continue
		}
		var data map[string]any
		if err := json.Unmarshal(e.Data, &data); err != nil || e.Session != "" {
			h.t.Fatalf("%s: %v", e.Data, err)
		}
		told = append(told, data)
	}
	return told
}

func TestARefusalOfTheAccountBurnsNoTryAndIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.register = func() error { return refusal(true) }
	for n := 1; n <= 7; n++ {
		h.submit()
		a := h.is(session.Failed)
		if d := a.Decline; d == nil || d.Reason != providers.Misconfigured || d.Code != "5" || d.Message != "Access denied" {
			t.Fatalf("declined for %+v", d)
		}
	}
	if s := h.session(); s.Status() != session.StatusOpen || s.TriesLeft() != session.MaxAttempts {
		t.Errorf("%s, %d tries left", s.Status(), s.TriesLeft())
	}
	told := h.notices("demo")
	if len(told) != 1 || told[0]["account"] != shop || told[0]["code"] != "5" || told[0]["message"] != "Access denied" ||
		told[0]["gateway_call"] != "register.do" || told[0]["session"] != h.id {
		t.Errorf("told %v", told)
	}
	if !strings.Contains(h.log.String(), "level=ERROR") {
		t.Error("nothing stands in the log as an error")
	}
	h.mu.Lock()
	h.time = h.time.Add(59 * time.Minute)
	h.mu.Unlock()
	other := &session.Session{
		Merchant: "demo", Account: shop, Kind: "payment", OrderID: "order2", Amount: h.session().Amount, Method: "card",
		SuccessURL: "https://shop.example/ok", CancelURL: "https://shop.example/no", CreatedAt: h.now(), ExpiresAt: h.now().Add(time.Hour),
	}
	if err := h.flow.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	h.id = other.ID
	h.submit()
	if n := len(h.notices("demo")); n != 1 {
		t.Errorf("%d within an hour", n)
	}
	h.mu.Lock()
	h.time = h.time.Add(time.Minute)
	h.mu.Unlock()
	h.submit()
	if n := len(h.notices("demo")); n != 2 {
		t.Errorf("%d after an hour", n)
	}
	if n := len(h.notices("rival")); n != 0 {
		t.Errorf("another merchant was told %d times", n)
	}
}

func TestAttemptsThatBurnNoTryAreBoundedAllTheSame(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.register = func() error { return refusal(true) }
	for range session.MostAttempts {
		h.submit()
		h.is(session.Failed)
	}
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("one more: %v", err)
	}
	if s := h.session(); s.Status() != session.StatusDeclined {
		t.Errorf("the session is %s", s.Status())
	}
}

func TestARefusedPaymentHasFailedOnlyWhereTheRefusalIsAProof(t *testing.T) {
	t.Parallel()
	for _, untaken := range []bool{true, false} {
		h := newHouse(t, withCloser)
		h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
			return providers.Step{}, refusal(untaken)
		}
		h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
			return providers.Standing{}, refusal(true)
		}
		h.submit()
		if untaken {
			if a := h.is(session.Failed); a.Decline.Reason != providers.Misconfigured || a.Decline.Code != "5" {
				t.Errorf("declined for %+v", a.Decline)
			}
			continue
		}
		h.is(session.Unknown)
		if s := h.session(); s.OutcomeKnown() || len(h.notices("demo")) != 1 {
			t.Errorf("outcome known %t, %d told", s.OutcomeKnown(), len(h.notices("demo")))
		}
		h.gw.mu.Lock()
		h.gw.status = nil
		h.gw.mu.Unlock()
		h.forward(10 * time.Minute) // the account is mended, and the unpaid order is closed
		if a := h.is(session.Failed); a.Decline == nil || a.Decline.Reason != providers.Misconfigured || a.Decline.Message != "Access denied" {
			t.Errorf("declined for %+v", a.Decline)
		}
		if left := h.session().TriesLeft(); left != session.MaxAttempts {
			t.Errorf("%d tries left", left)
		}
	}
}

// The words that the gateway refused a call with are kept, though only an inquiry tells that nothing was taken.
func TestARefusedCallKeepsTheGatewaysCodeAndWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withCloser)
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, &providers.Failure{Op: "paymentorder.do", Code: "17", Text: "Nothing of the kind"}
	}
	h.submit()
	h.is(session.Unknown)
	h.forward(10 * time.Minute)
	a := h.is(session.Failed)
	if d := a.Decline; d == nil || d.Reason != providers.TryAgainLater || d.Code != "17" || d.Message != "Nothing of the kind" {
		t.Errorf("%+v", d)
	}
	if left := h.session().TriesLeft(); left != session.MaxAttempts-1 {
		t.Errorf("%d tries left", left)
	}
}

func TestAnOperationThatTheGatewayRefusesToUsHasFailedAndIsTold(t *testing.T) {
	t.Parallel()
	h, _ := atTheOffice(t, providers.Paid)
	h.gw.mu.Lock()
	h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
		return providers.Standing{}, refusal(true)
	}
	h.gw.mu.Unlock()
	if err := h.operate(providers.Refund, 0); err != nil {
		t.Fatal(err)
	}
	op := h.op(t, 1, session.OpFailed)
	if op.Decline == nil || op.Decline.Reason != providers.Misconfigured || op.Decline.Code != "5" || op.Decline.Message != "Access denied" {
		t.Errorf("declined for %+v", op.Decline)
	}
	if len(h.notices("demo")) != 1 || slices.Contains(h.events(), string(session.EventAccountMisconfigured)) {
		t.Errorf("told %v, in the session %v", h.notices("demo"), h.events())
	}
}

// A call that its provider proves not to have been sent is over at once, whatever kept it back.
func TestACallThatWasNotSentForWantOfALoginIsOverAtOnce(t *testing.T) {
	t.Parallel()
	unsent := &providers.Failure{Op: "login", Err: errCut, Untaken: true}
	h := newHouse(t)
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, unsent
	}
	h.submit()
	if a := h.is(session.Failed); a.Decline == nil || a.Decline.Reason != providers.TryAgainLater {
		t.Errorf("declined for %+v", a.Decline)
	}

	h, g := atTheOffice(t, providers.Paid)
	g.do = func(providers.Op) (providers.OpResult, error) { return providers.OpResult{}, unsent }
	if err := h.operate(providers.Refund, 0); err != nil {
		t.Fatal(err)
	}
	if op := h.op(t, 1, session.OpFailed); op.Decline == nil || op.Decline.Reason != providers.TryAgainLater || !h.session().OutcomeKnown() {
		t.Errorf("%+v", op)
	}
}
