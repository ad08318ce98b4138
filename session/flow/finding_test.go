package flow_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

func TestARegistrationWhoseAnswerWasLostIsRepeatedWithTheSameNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	lost := 0
	h.gw.register = func() error {
		if lost++; lost <= 2 {
			return &providers.Failure{Op: "register.do", Err: errCut}
		}
		return nil
	}
	h.submit()
	if a := h.is(session.Paid); a.N != 1 || a.Ref.Reference != "order-1" || h.charges() != 1 {
		t.Errorf("attempt %d, %s, %d charges", a.N, a.Ref.Reference, h.charges())
	}
}

func TestARegistrationThatNeverAnswersBurnsNoTry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.register = func() error { return &providers.Failure{Op: "register.do", Err: errCut} }
	h.submit()
	h.is(session.Failed)
	if left := h.session().TriesLeft(); left != session.MaxAttempts {
		t.Errorf("%d tries left", left)
	}
}

// late is a gateway that names the card that a payment saved only when asked for the so-manieth time.
type late struct {
	*shelf
	after int
}

func (l *late) Remember(context.Context, providers.Payment, providers.Standing) (providers.SavedCard, error) {
	l.asked++
	switch {
	case l.after == 0 || l.asked < l.after && l.asked%2 == 0:
		return providers.SavedCard{}, nil
	case l.asked < l.after:
		return providers.SavedCard{}, errors.New("busy")
	}
	return providers.SavedCard{ID: "b-1", Active: true}, nil
}

func TestASavedCardThatIsNamedLateIsFetchedOnASchedule(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 4, 7, 0} {
		cards := &late{shelf: &shelf{}, after: after}
		h := newHouse(t, func(h *house) { cards.gateway = h.gw; h.acc.Provider = cards })
		s := h.session()
		s.Customer.ID, s.SaveCard = "c-1", true
		if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
			t.Fatal(err)
		}
		h.submit()
		h.is(session.Paid)
		h.forward(48 * time.Hour)
		saved, not := h.told(string(session.EventCardSaved)), h.told(string(session.EventCardNotSaved))
		if want := after > 0; (saved == 1) != want || (not == 1) == want || saved+not != 1 {
			t.Errorf("named at %d: saved %d, not saved %d, asked %d times", after, saved, not, cards.asked)
		}
		if after == 0 && cards.asked != 7 {
			t.Errorf("asked %d times", cards.asked)
		}
	}
}

// nameless is a gateway whose callbacks leave our number out.
type nameless struct {
	*gateway
	alias bool // the order is named by another id than its own
}

func (n nameless) Notified(r *http.Request) (providers.Notice, error) {
	notice, err := n.gateway.Notified(r)
	if notice.Reference = ""; n.alias && err == nil {
		notice.OrderID, notice.Alias = "", notice.OrderID
	}
	return notice, err
}

func (n nameless) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	if p.Ref.Reference == "" { // by its own id
		p.Ref.Reference = strings.TrimPrefix(p.Ref.OrderID, "g-")
	}
	return n.gateway.Status(ctx, p)
}

func TestACallbackThatLeavesOurNumberOutIsFoundByTheGatewaysOrder(t *testing.T) {
	t.Parallel()
	for _, alias := range []bool{false, true} {
		foundByTheGatewaysOrder(t, alias)
	}
}

func foundByTheGatewaysOrder(t *testing.T, alias bool) {
	t.Helper()
	h := newHouse(t, func(h *house) { h.acc.Provider = nameless{h.gw, alias} })
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		return said(providers.Wait, p), nil
	}
	h.submit()
	h.gw.mu.Lock()
	h.gw.order("order-1").charges = 1
	h.gw.mu.Unlock()
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.is(session.Paid)
	if err := h.callback("order-1", "bad"); !errors.Is(err, providers.ErrForged) {
		t.Errorf("a forged one: %v", err)
	}
}

// retries is a gateway whose own form opens a second order under our reference for a second card. Callbacks and returns carry the
// same signed fields.
type retries struct {
	*gateway
	second func() (providers.Outcome, error) // what it says of order "b"
	asked  map[string]int                    // by order
}

func (g *retries) Notified(r *http.Request) (providers.Notice, error) {
	q := r.URL.Query()
	if q.Get("control") != "good" {
		return providers.Notice{}, providers.ErrForged
	}
	return providers.Notice{Reference: q.Get("client_orderid"), OrderID: q.Get("orderid")}, nil
}

func (g *retries) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	g.mu.Lock()
	g.asked[p.Ref.OrderID]++
	g.mu.Unlock()
	if p.Ref.OrderID != "b" {
		return g.gateway.Status(ctx, p)
	}
	outcome, err := g.second()
	st := providers.Standing{Outcome: outcome, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount}
	if outcome == providers.Paid {
		st.Held, st.Captured = p.Amount.Minor, p.Amount.Minor
	}
	return st, err
}

func (g *retries) callback(t *testing.T, h *house, order string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://pay.example/callbacks/"+shop+"?control=good&client_orderid=order-1&orderid="+order, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.do(func() error { return h.flow.Callback(context.Background(), shop, r) }); err != nil {
		t.Fatal(err)
	}
}

func withRetries(t *testing.T) (*house, *retries) {
	t.Helper()
	g := &retries{asked: map[string]int{}, second: func() (providers.Outcome, error) { return providers.Paid, nil }}
	h := newHouse(t, func(h *house) { g.gateway, h.acc.Provider = h.gw, g })
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := said(providers.Redirect, p)
		step.Link = "https://gateway.example/form"
		return step, nil
	}
	before := h.count("pay.stored")
	if err := h.do(func() error { return h.flow.Submit(context.Background(), h.id, flow.Submission{Kind: "hosted"}) }); err != nil {
		t.Fatal(err)
	}
	h.await(before, "pay.stored")
	h.is(session.Shopper)
	return h, g
}

func TestASecondOrderUnderOurReferenceIsAskedAboutBeforeTheShopperIsToldThatNothingWasCharged(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]func(t *testing.T, h *house, g *retries){
		"told by a callback": func(t *testing.T, h *house, g *retries) { g.callback(t, h, "b") },
		"brought by the browser": func(t *testing.T, h *house, _ *retries) {
			extra := map[string]string{"control": "good", "client_orderid": "order-1", "orderid": "b", "status": "approved"}
			if _, err := h.returned(h.token(), threeds.Reply{Method: "POST", Extra: extra}); err != nil {
				t.Fatal(err)
			}
		},
		"named by the gateway": func(_ *testing.T, h *house, _ *retries) {
			h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
				st := h.gw.truth(p, o)
				st.OtherOrder = "b"
				return st, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, g := withRetries(t)
			h.gw.order("order-1").outcome = providers.Refused
			comes(t, h, g)
			h.forward(time.Minute)
			if a := h.is(session.Paid); a.Ref.OrderID != "b" || h.told("payment.declined") != 0 {
				t.Errorf("by order %s; %v", a.Ref.OrderID, h.events())
			}
			if h.session().Status() != session.StatusPaid {
				t.Error(h.session().Status())
			}
		})
	}
}

func TestWhileASecondOrderIsUnderWayNoOtherCardBegins(t *testing.T) {
	t.Parallel()
	h, g := withRetries(t)
	says, err := providers.Processing, error(nil)
	g.second = func() (providers.Outcome, error) { return says, err }
	h.gw.order("order-1").outcome = providers.Refused
	g.callback(t, h, "b")
	h.forward(time.Minute)
	if h.session().Live() == nil {
		t.Fatalf("ended while the second order works: %v", h.events())
	}
	says, err = "", errCut // whether the second is over nobody knows
	h.forward(time.Minute)
	if h.session().Live() == nil {
		t.Fatalf("ended although the second order was not asked: %v", h.events())
	}
	says, err = providers.Refused, nil
	h.forward(2 * time.Minute)
	h.is(session.Declined)
}

func TestASecondOrderThatTheGatewayDoesNotKnowIsForgotten(t *testing.T) {
	t.Parallel()
	h, g := withRetries(t)
	g.second = func() (providers.Outcome, error) {
		return "", &providers.Failure{Op: "status", Code: "4", Text: "no such order"}
	}
	h.gw.order("order-1").outcome = providers.Refused
	g.callback(t, h, "b")
	h.forward(time.Minute)
	if a := h.is(session.Declined); len(a.OtherOrders) != 0 || g.asked["b"] != 1 {
		t.Errorf("%v, asked %d times", a.OtherOrders, g.asked["b"])
	}
}

func TestTwoPaidOrdersUnderOneReferenceAreForAPerson(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after success"} {
		h, g := withRetries(t)
		h.charge("order-1")
		if when == "after success" {
			g.callback(t, h, "g-order-1")
			h.forward(time.Minute)
			h.is(session.Paid)
		}
		g.callback(t, h, "b")
		h.forward(time.Minute)
		if a := h.is(session.Paid); !a.NeedsReview || a.Mismatch != "second gateway order" || h.told("payment.needs_review") != 1 || a.Ref.OrderID == "b" {
			t.Errorf("%s: needs review %t for %q; %v", when, a.NeedsReview, a.Mismatch, h.events())
		}
		h.forward(48 * time.Hour)
		if !h.last().NeedsReview || h.told("payment.needs_review") != 1 {
			t.Errorf("%s: %v", when, h.events())
		}
	}
}

func TestALateSecondOrderOfADeclinedAttemptIsFound(t *testing.T) {
	t.Parallel()
	h, g := withRetries(t)
	h.gw.order("order-1").outcome = providers.Refused
	h.forward(time.Minute)
	h.is(session.Declined)
	extra := map[string]string{"control": "good", "client_orderid": "order-1", "orderid": "b", "status": "approved"}
	if _, err := h.returned(h.token(), threeds.Reply{Method: "POST", Extra: extra}); err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{"control": "bad", "client_orderid": "order-1", "orderid": "c", "status": "approved"}
	if _, err := h.returned(h.token(), threeds.Reply{Method: "POST", Extra: forged}); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	if h.is(session.Paid); g.asked["c"] != 0 || h.session().Status() != session.StatusPaid {
		t.Errorf("%s, %v", h.session().Status(), g.asked)
	}
}

// The gateway's form refused one card, and took another as an order that nobody has named yet: it is asked once more before a further
// card is sent.
func TestTheGatewayIsAskedAboutItsFormBeforeAnotherCardIsSent(t *testing.T) {
	t.Parallel()
	h, g := withRetries(t)
	h.gw.order("order-1").outcome = providers.Refused
	h.forward(time.Minute)
	h.is(session.Declined)
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if p.Ref.Reference != "order-1" {
			return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
		}
		st := h.gw.truth(p, o)
		st.OtherOrder = "b"
		return st, nil
	}
	h.gw.pay = nil
	h.submitOnly()
	h.flow.Close(t.Context()) // which waits for what the press began
	h.restart()
	h.forward(time.Minute)
	first := h.session().Attempt(1)
	if first.State != session.Paid || first.Ref.OrderID != "b" || g.asked["b"] == 0 || h.gw.order("order-2").charges != 0 {
		t.Errorf("the first is %s by %s; the second was charged %d times; %v", first.State, first.Ref.OrderID, h.gw.order("order-2").charges, h.events())
	}
	if s := h.session(); s.Status() != session.StatusPaid {
		t.Errorf("%s; %v", s.Status(), h.events())
	}
}
