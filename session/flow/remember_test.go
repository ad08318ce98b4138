package flow_test

import (
	"context"
	"encoding/json"
	"testing"

	"tollgate/internal/jobs"
	"tollgate/providers"
	"tollgate/session"
)

// shelf is a gateway that keeps cards.
type shelf struct {
	*gateway
	asked int
}

func (s *shelf) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, nil
}
func (s *shelf) Remember(context.Context, providers.Payment, providers.Standing) (providers.SavedCard, error) {
	s.asked++
	return providers.SavedCard{}, nil
}
func (s *shelf) Forget(context.Context, providers.Owner, string, string) error { return nil }
func (s *shelf) AsksCode() bool                                                { return true }

func TestOnlyTheCardOfAFundedPaymentIsRemembered(t *testing.T) {
	for state, kind := range map[session.State]providers.Kind{session.Declined: providers.Declined, session.Paid: providers.Finished} {
		cards := &shelf{}
		h := newHouse(t, func(h *house) { cards.gateway = h.gw; h.acc.Provider = cards })
		h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
			if kind == providers.Declined {
				o.outcome = providers.Refused
				return said(kind, p), nil
			}
			return h.gw.take(p, o), nil
		}
		s := h.session()
		s.Customer.ID = "c-1"
		if err := h.store.Save(t.Context(), s, session.Change{}); err != nil {
			t.Fatal(err)
		}
		h.submit()
		h.is(state)
		payload, err := json.Marshal(session.Task{Session: h.id, Attempt: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.flow.Jobs()[session.JobRemember](t.Context(), jobs.Job{Kind: session.JobRemember, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		if want := map[session.State]int{session.Paid: 1}[state]; cards.asked != want {
			t.Errorf("of a payment that is %s the card was asked for %d times", state, cards.asked)
		}
	}
}

func TestOnlyTheFirstBrowserIsTheCustomers(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		browser string
		first   bool
	}{{"one", true}, {"two", false}, {"one", true}} {
		if first, err := h.flow.Open(t.Context(), h.id, c.browser); err != nil || first != c.first {
			t.Errorf("%s is the customer's: %v, %v", c.browser, first, err)
		}
	}
}
