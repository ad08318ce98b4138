package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

var errStore = errors.New("the store has the hiccups")

// failing is a store that fails where it is told to.
type failing struct {
	flow.Store
	load func() error
	save func(*session.Session) error
	call func() // after a permission was saved
}

func (f *failing) Load(ctx context.Context, id string) (*session.Session, error) {
	if f.load != nil {
		if err := f.load(); err != nil {
			return nil, err
		}
	}
	return f.Store.Load(ctx, id)
}

func (f *failing) Save(ctx context.Context, s *session.Session, c session.Change) error {
	if f.save != nil {
		if err := f.save(s); err != nil {
			return err
		}
	}
	err := f.Store.Save(ctx, s, c)
	if err == nil && len(c.Calls) > 0 && f.call != nil {
		f.call()
	}
	return err
}

// What is read between the permission and the call may fail, and uses the permission up without a call.
func TestNothingIsReadBetweenAPermissionAndItsCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = challenged
	h.submit()
	store := &failing{Store: h.flow.Store}
	h.flow.Store = store
	broken := false
	store.call = func() { broken = true }
	store.load = func() error {
		if broken {
			broken = false
			return errStore
		}
		return nil
	}
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		return h.gw.take(p, o), nil
	}
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	if n := h.sent("order-1", "cres "+cres(trans1).CRes); n != 1 {
		t.Errorf("the bank's answer was sent %d times", n)
	}
}

// A change that was not saved has not happened: the card is needed for the next try of it.
func TestACardIsForgottenOnlyOnceTheEndIsSaved(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := said(providers.Method, p)
		step.Forms = []threeds.Form{threeds.MethodForm("https://bank.example/method", "data")}
		o.outcome = providers.Waiting
		return step, nil
	}
	h.submit()
	h.is(session.Shopper)
	store := &failing{Store: h.flow.Store}
	h.flow.Store = store
	store.save = func(s *session.Session) error {
		if !s.Last().State.Live() {
			return errStore
		}
		return nil
	}
	h.gw.mu.Lock()
	h.gw.order("order-1").outcome = providers.Refused
	h.gw.mu.Unlock()
	if _, err := h.flow.Inquire(t.Context(), h.id); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	if n := h.flow.CardsHeld(); n != 1 {
		t.Errorf("%d cards are held though the end was not saved", n)
	}
	store.save = nil
	if _, err := h.flow.Inquire(t.Context(), h.id); err != nil {
		t.Fatal(err)
	}
	if n := h.flow.CardsHeld(); n != 0 {
		t.Errorf("%d cards are held after the end", n)
	}
}
