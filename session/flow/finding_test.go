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
type nameless struct{ *gateway }

func (n nameless) Notified(r *http.Request) (providers.Notice, error) {
	notice, err := n.gateway.Notified(r)
	notice.Reference = ""
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
	h := newHouse(t, func(h *house) { h.acc.Provider = nameless{h.gw} })
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
