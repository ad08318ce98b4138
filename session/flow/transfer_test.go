package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// transferrer is a gateway that moves money from card to card.
type transferrer struct {
	*gateway
	transfersTo
}

type transfersTo []string

func (t transfersTo) TransfersTo() []string { return t }

func transferring(to ...string) func(*house) {
	return func(h *house) { h.acc.Provider = transferrer{h.gw, to} }
}

// newTransfer is a house whose session is a transfer, and what its gateway is told of each one's target.
func newTransfer(t *testing.T, target *session.Target) (*house, func() []providers.Destination) {
	t.Helper()
	h := newHouse(t, transferring("card", "saved_card"))
	if target != nil {
		h.saveCard(target.Saved, shop, "demo", "customer")
	}
	s := h.wish()
	s.Target = target
	if err := h.flow.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	h.id = s.ID
	var aims []providers.Destination
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		h.gw.mu.Lock()
		if p.Transfer == nil {
			t.Error("a transfer went out as a payment")
		} else {
			aims = append(aims, *p.Transfer)
		}
		h.gw.mu.Unlock()
		return h.gw.take(p, o), nil
	}
	return h, func() []providers.Destination {
		h.gw.mu.Lock()
		defer h.gw.mu.Unlock()
		return slices.Clone(aims)
	}
}

// wish is a transfer that a merchant may ask for.
func (h *house) wish() *session.Session {
	s := *h.session()
	s.ID, s.Version, s.LastEvent, s.Kind, s.OrderID = "", 0, 0, session.KindTransfer, "transfer"
	s.Customer.ID = "customer"
	return &s
}

func (h *house) saveCard(id, account, merchant, customer string) {
	h.t.Helper()
	c := wallet.SavedCard{ID: id, Account: account, Merchant: merchant, Customer: customer, GatewayID: "binding-" + id, Card: otherCard.Number.Masked(), CreatedAt: h.now()}
	if err := h.store.SaveCard(context.Background(), &c); err != nil {
		h.t.Fatalf("%v", err)
	}
}

var otherCard = func() card.Card {
	n, err := card.ParseNumber("4000019900050008")
	if err != nil {
		panic(err)
	}
	return card.Card{Number: n}
}()

func typedTo(c card.Card) flow.Submission {
	return flow.Submission{Card: theCard, To: &providers.Destination{Card: &c}}
}

func (h *house) transfers(in flow.Submission) {
	h.t.Helper()
	before := h.count("pay.stored")
	if err := h.flow.Submit(context.Background(), h.id, in); err != nil {
		h.t.Fatalf("%v", err)
	}
	h.await(before, "pay.stored")
}

func TestATransferGoesToTheCardThatTheShopperTypes(t *testing.T) {
	t.Parallel()
	h, aims := newTransfer(t, nil)
	h.transfers(typedTo(otherCard))
	a := h.is(session.Paid)
	if to := aims(); len(to) != 1 || to[0].Card.Number.Reveal() != otherCard.Number.Reveal() || to[0].Saved != "" {
		t.Errorf("the money went to %+v", to)
	}
	if a.To != otherCard.Number.Masked() || a.Card != theCard.Number.Masked() {
		t.Errorf("from %+v to %+v", a.Card, a.To)
	}
	raw, err := json.Marshal(h.session())
	if err != nil {
		t.Fatal(err)
	}
	attempt, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{string(raw), string(attempt), h.log.String()} {
		if strings.Contains(kept, otherCard.Number.Reveal()) {
			t.Error("the target's number is kept")
		}
	}
	found, err := h.store.Events(t.Context(), h.id, 0, 100)
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, e := range found {
		if !strings.Contains(string(e.Data), `"session_kind":"transfer"`) {
			t.Errorf("%s does not say that it is of a transfer: %s", e.Type, e.Data)
		}
	}
}

func TestATransferGoesToTheCardThatTheMerchantNamedWhateverABrowserSends(t *testing.T) {
	t.Parallel()
	h, aims := newTransfer(t, &session.Target{Saved: "sc_1"})
	h.transfers(typedTo(theCard))
	a := h.is(session.Paid)
	if to := aims(); len(to) != 1 || to[0].Card != nil || to[0].Saved != "binding-sc_1" {
		t.Errorf("the money went to %+v", to)
	}
	if h.session().AsksTarget() || a.To != otherCard.Number.Masked() {
		t.Errorf("the attempt says that it goes to %+v", a.To)
	}
}

func TestATransferWithoutADestinationIsNotSent(t *testing.T) {
	t.Parallel()
	h, aims := newTransfer(t, nil)
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); err == nil {
		t.Error("it was taken")
	}
	if len(h.session().Attempts) != 0 || len(aims()) != 0 {
		t.Error("an attempt was made")
	}
}

func TestTheNextAttemptOfATransferIsGivenADestinationAgain(t *testing.T) {
	t.Parallel()
	h, aims := newTransfer(t, nil)
	take := h.gw.pay
	h.gw.pay = func(ctx context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		s := said(providers.Declined, p)
		s.Decline = &providers.Decline{Reason: providers.InsufficientFunds}
		return s, nil
	}
	h.transfers(typedTo(otherCard))
	h.is(session.Declined)
	if err := h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}); err == nil {
		t.Error("the first try's target was still known")
	}
	h.gw.pay = take
	h.transfers(typedTo(theCard))
	h.is(session.Paid)
	if to := aims(); len(to) != 1 || to[0].Card.Number.Reveal() != theCard.Number.Reveal() {
		t.Errorf("the money went to %+v", to)
	}
}

func TestTwoTabsMakeOneTransfer(t *testing.T) {
	t.Parallel()
	h, aims := newTransfer(t, nil)
	var tabs sync.WaitGroup
	taken := make(chan error, 8)
	for range cap(taken) {
		tabs.Go(func() { taken <- h.flow.Submit(context.Background(), h.id, typedTo(otherCard)) })
	}
	tabs.Wait()
	close(taken)
	good := 0
	for err := range taken {
		switch {
		case err == nil:
			good++
		case !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded):
			t.Error(err)
		}
	}
	h.await(0, "pay.stored")
	h.forward(time.Minute)
	h.is(session.Paid)
	if good != 1 || len(aims()) != 1 || h.charges() != 1 {
		t.Errorf("%d were taken, %d sent, %d charged", good, len(aims()), h.charges())
	}
}

func TestOnlyATransferThatTheAccountCanMakeIsCreated(t *testing.T) {
	t.Parallel()
	both := []string{"card", "saved_card"}
	named := func(id string) func(*session.Session) {
		return func(s *session.Session) { s.Target = &session.Target{Saved: id} }
	}
	for name, c := range map[string]struct {
		to    []string // what the gateway transfers to; nil: it makes no transfers
		wish  func(*session.Session)
		field string // that is refused; "" none
	}{
		"to a card that is typed":                  {both, func(*session.Session) {}, ""},
		"to a saved card of the customer":          {both, named("sc_mine"), ""},
		"by a gateway that makes none":             {nil, func(*session.Session) {}, "kind"},
		"to a card that is typed, which it cannot": {[]string{"saved_card"}, func(*session.Session) {}, "transfer"},
		"to a saved card, which it cannot":         {[]string{"card"}, named("sc_mine"), "transfer"},
		"a payment with a target":                  {both, func(s *session.Session) { s.Kind = "payment"; named("sc_mine")(s) }, "transfer"},
		"to a card that nobody knows":              {both, named("sc_unknown"), "transfer/saved_card"},
		"to another customer's card":               {both, named("sc_customers"), "transfer/saved_card"},
		"to a card in another account":             {both, named("sc_accounts"), "transfer/saved_card"},
		"to a card of another merchant's":          {both, named("sc_merchants"), "transfer/saved_card"},
		"to the card that it is to be paid with":   {both, func(s *session.Session) { s.SavedCard = "sc_mine"; named("sc_mine")(s) }, "transfer/saved_card"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if c.to != nil {
				transferring(c.to...)(h)
				h.start()
			}
			h.saveCard("sc_mine", shop, "demo", "customer")
			h.saveCard("sc_customers", shop, "demo", "another")
			h.saveCard("sc_accounts", "another", "demo", "customer")
			h.saveCard("sc_merchants", shop+"-2", "another", "customer")
			s := h.wish()
			c.wish(s)
			err := h.flow.Create(t.Context(), s)
			refusal, _ := errors.AsType[*providers.Refusal](err)
			switch {
			case c.field == "" && err != nil:
				t.Error(err)
			case c.field != "" && (refusal == nil || refusal.Field != c.field):
				t.Errorf("%v; want a refusal of %s", err, c.field)
			}
		})
	}
}
