package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

func ruling(r session.Ruling) session.NewSettlement {
	return session.NewSettlement{Outcome: r, Reason: "the bank's register of 4 March"}
}

func (h *house) settle(in session.NewSettlement) (*session.Session, error) {
	return h.flow.Under(nil).Settle(context.Background(), h.id, in)
}

// inReview is a house whose payment the gateway could not say anything of for eight days.
func inReview(t *testing.T, tune ...func(*house)) *house {
	t.Helper()
	h := newHouse(t, tune...)
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, errCut
	}
	h.says(providers.Unclear)
	h.submit()
	h.forward(8 * 24 * time.Hour)
	if a := h.is(session.Unknown); !a.NeedsReview {
		t.Fatal("nobody has to look")
	}
	return h
}

// says has every inquiry bring that outcome.
func (h *house) says(outcome providers.Outcome) {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	h.gw.status = func(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
		st := providers.Standing{Outcome: outcome, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount}
		if outcome == providers.Paid {
			st.Held, st.Captured = p.Amount.Minor, p.Amount.Minor
		}
		return st, nil
	}
}

func TestBeforeAPaymentIsCalledNotPaidItsOrderIsClosed(t *testing.T) {
	t.Parallel()
	closed := 0
	h := inReview(t, func(h *house) {
		h.acc.Provider = closer{gateway: h.gw, close: func(*order) error { closed++; return nil }}
	})
	if _, err := h.settle(ruling(session.RuledNotPaid)); err != nil {
		t.Fatal(err)
	}
	h.is(session.Failed)
	if closed != 1 || h.told("payment.settled") != 1 || h.session().Status() != session.StatusCancelled {
		t.Errorf("closed %d times, events %v", closed, h.events())
	}
	again := &session.Session{Merchant: "demo", Account: shop, Kind: "payment", OrderID: "order", Amount: h.session().Amount, Method: "card",
		CreatedAt: h.now(), ExpiresAt: h.now().Add(time.Hour)}
	if err := h.flow.Create(t.Context(), again); !errors.Is(err, session.ErrOrderTaken) {
		t.Errorf("the order id is free: %v", err)
	}
}

func TestAnOrderThatMayBeAnothersIsNotClosed(t *testing.T) {
	t.Parallel()
	closed := 0
	h := newHouse(t, func(h *house) {
		h.acc.Provider = closer{gateway: h.gw, close: func(*order) error { closed++; return nil }}
	})
	h.gw.taken = map[string]error{"order-1": &providers.AlreadyPaid{
		Ref:      providers.Ref{Reference: "order-1", OrderID: "g-other"},
		Standing: providers.Standing{Outcome: providers.Paid, Amount: money.Amount{Minor: 777, Currency: h.session().Amount.Currency}, Captured: 777},
	}}
	h.submit()
	if r := h.session().Reviews(); len(r) != 1 || r[0].Gateway == nil || r[0].Gateway.Captured != 777 {
		t.Fatalf("%+v", r)
	}
	if _, err := h.settle(ruling(session.RuledNotPaid)); err != nil {
		t.Fatal(err)
	}
	if h.is(session.Failed); closed != 0 {
		t.Error("another system's order was closed")
	}
}

// The gateway is asked before a ruling is taken, and what it says counts.
func TestARulingGivesWayToWhatTheGatewaySaysAtThatMoment(t *testing.T) {
	t.Parallel()
	h := inReview(t)
	h.says(providers.Paid)
	if _, err := h.settle(ruling(session.RuledNotPaid)); !errors.Is(err, session.ErrNoReview) {
		t.Fatalf("settled: %v", err)
	}
	if h.is(session.Paid); h.told("payment.settled") != 0 {
		t.Errorf("events %v", h.events())
	}
}

func TestARulingIsTakenThoughTheGatewayCannotBeReached(t *testing.T) {
	t.Parallel()
	h := inReview(t)
	h.gw.mu.Lock()
	h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
		return providers.Standing{}, errCut
	}
	h.gw.mu.Unlock()
	if _, err := h.settle(ruling(session.RuledPaid)); err != nil {
		t.Fatal(err)
	}
	h.is(session.Paid)
}

// Somebody else is faster: the ruling is decided anew on the session as it is by then.
func TestOfARulingAndATruthAtOnceTheTruthWins(t *testing.T) {
	t.Parallel()
	h := inReview(t)
	store := &conflicting{Store: h.flow.Store}
	h.flow.Store = store
	at := 0
	store.before = func() { // the inquiry before the ruling saves first; the ruling's own save is the next
		at++
		store.before = func() {
			at++
			s := h.session()
			a := s.Last()
			a.State, a.NeedsReview, a.Captured, a.AmountAuthorized = session.Paid, false, 123450, 123450
			if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := h.settle(ruling(session.RuledNotPaid)); !errors.Is(err, session.ErrNoReview) || at != 2 {
		t.Fatalf("settled: %v, after %d saves", err, at)
	}
	h.is(session.Paid)
}

func TestTheGatewayIsStillAskedOfWhatAPersonSettledAndItsWordCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ruling session.Ruling
		says   providers.Outcome
		is     session.State
	}{
		"called paid, and refused":   {session.RuledPaid, providers.Refused, session.Failed},
		"called not paid, and taken": {session.RuledNotPaid, providers.Paid, session.Paid},
	} {
		h := inReview(t)
		if _, err := h.settle(ruling(c.ruling)); err != nil {
			t.Fatal(err)
		}
		h.says(c.says)
		h.forward(11 * time.Minute)
		if h.is(c.is); h.told("payment.settlement_contradicted") != 1 {
			t.Errorf("%s: events %v", name, h.events())
		}
	}
}

// kill -9 around a ruling: it is there or it is not, with its event.
func TestADyingProcessLeavesARulingWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]int{"settle.asked": 0, "settle.stored": 1} {
		h := inReview(t)
		h.dieNext(place)
		_ = h.do(func() error { _, err := h.settle(ruling(session.RuledPaid)); return err })
		h.restart()
		if got := h.told("payment.settled"); got != want || len(h.session().Settlements) != want {
			t.Errorf("died at %s: %d events, %d rulings", place, got, len(h.session().Settlements))
		}
		if _, err := h.settle(ruling(session.RuledPaid)); err != nil {
			t.Fatal(err)
		}
		if got := h.told("payment.settled"); got != 1 {
			t.Errorf("died at %s, and again: %d events", place, got)
		}
	}
}

func TestAnOperationIsSettledByAPerson(t *testing.T) {
	t.Parallel()
	h, g := atTheOffice(t, providers.Paid)
	g.do, g.inquire = cut, cut
	_, n, err := h.flow.Operate(t.Context(), h.id, session.NewOperation{Kind: providers.Refund, Amount: 1000})
	if err != nil {
		t.Fatal(err)
	}
	h.forward(8 * 24 * time.Hour)
	if r := h.session().Reviews(); len(r) != 1 || r[0].Operation != n {
		t.Fatalf("%+v", r)
	}
	if _, err := h.settle(ruling(session.RuledSucceeded)); err != nil {
		t.Fatal(err)
	}
	if s := h.session(); s.Operation(n).State != session.OpSucceeded || s.Last().Refunded != 1000 || s.NeedsReview() {
		t.Errorf("%+v %+v", s.Operation(n), s.Last())
	}
}

var _ = flow.Claimed.Settle
