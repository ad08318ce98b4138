package flow_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// repeats is a gateway whose charges without the customer name the payment that began their series.
type repeats struct {
	*gateway
	said     []providers.Instrument
	payments []providers.Payment
}

func (g *repeats) Pay(ctx context.Context, p providers.Payment, in providers.Instrument, b threeds.BrowserData) (providers.Step, error) {
	g.mu.Lock()
	g.said, g.payments = append(g.said, in), append(g.payments, p)
	g.mu.Unlock()
	return g.gateway.Pay(ctx, p, in, b)
}

func (g *repeats) KeepsSeries() bool { return true }

func (g *repeats) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

func (g *repeats) Remember(_ context.Context, p providers.Payment, _ providers.Standing) (providers.SavedCard, error) {
	return providers.SavedCard{ID: "token-of-" + p.Ref.Reference}, nil
}

func (g *repeats) Forget(context.Context, providers.Owner, string, string) error { return nil }

func (g *repeats) AsksCode() bool { return false }

// buys makes another session of the house's account and customer, and pays it.
func (h *house) buys(order string, save bool, in flow.Submission) *session.Session {
	h.t.Helper()
	first := h.session()
	s := &session.Session{
		Merchant: first.Merchant, Account: shop, Kind: "payment", OrderID: order, Amount: first.Amount, Method: "card", SaveCard: save,
		Customer: providers.Customer{ID: "c-1"}, SuccessURL: first.SuccessURL, CancelURL: first.CancelURL, CreatedAt: h.now(),
		ExpiresAt: h.now().Add(30 * time.Minute),
	}
	if err := h.flow.Create(context.Background(), s); err != nil {
		h.t.Fatalf("%v", err)
	}
	h.id = s.ID
	before := h.count("pay.stored")
	if err := h.flow.Submit(context.Background(), s.ID, in); err != nil {
		h.t.Fatalf("%v", err)
	}
	h.await(before, "pay.stored")
	h.forward(time.Minute)
	return h.session()
}

func (h *house) onlyCard() *wallet.SavedCard {
	h.t.Helper()
	cards, err := h.store.SavedCards(context.Background(), "demo", shop, "c-1")
	if err != nil || len(cards) != 1 {
		h.t.Fatalf("%v, %v", cards, err)
	}
	return &cards[0]
}

func TestASeriesBeginsWithTheSaleThatSavesTheCardAndItsChargesNameThatSale(t *testing.T) {
	t.Parallel()
	gw := &repeats{}
	h := newHouse(t, func(h *house) { gw.gateway = h.gw; h.acc.Provider = gw })
	typed := flow.Submission{Kind: "card", Card: theCard}
	h.buys("unsaved", false, typed)
	sale := h.buys("first", true, typed)
	c := h.onlyCard()
	if c.SeriesID != sale.Attempts[0].Ref.OrderID || c.SeriesID == "" {
		t.Errorf("the card's series is %q", c.SeriesID)
	}
	h.buys("second", false, flow.Submission{Kind: "saved_card", Saved: c, MerchantInitiated: true})
	h.buys("by hand", false, flow.Submission{Kind: "saved_card", Saved: c})
	var initial []bool
	var first []string
	for _, in := range gw.said {
		initial, first = append(initial, in.Initial), append(first, in.First)
	}
	if want := []bool{false, true, false, false}; !slices.Equal(initial, want) {
		t.Errorf("the first of a series: %v, want %v", initial, want)
	}
	if first[2] != c.SeriesID {
		t.Errorf("the charge names %q", first[2])
	}
}

func TestACardWithoutASeriesIsChargedAsTheFirstOfOneUntilThatIsPaid(t *testing.T) {
	t.Parallel()
	gw := &repeats{}
	h := newHouse(t, func(h *house) { gw.gateway = h.gw; h.acc.Provider = gw })
	if err := h.store.SaveCard(t.Context(), &wallet.SavedCard{ID: "sc_1", Merchant: "demo", Account: shop, Customer: "c-1",
		GatewayID: "token", CreatedAt: h.now()}); err != nil {
		t.Fatal(err)
	}
	charge := func(order string) {
		h.buys(order, false, flow.Submission{Kind: "saved_card", Saved: h.onlyCard(), MerchantInitiated: true})
	}
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Refused
		step := said(providers.Declined, p)
		step.Decline = &providers.Decline{Reason: providers.InsufficientFunds}
		return step, nil
	}
	charge("declined")
	h.gw.pay = nil
	charge("first")
	charge("repeated")
	want := []providers.Instrument{
		{Kind: "saved_card", Saved: "token", Merchant: true, Initial: true},
		{Kind: "saved_card", Saved: "token", Merchant: true, Initial: true},
		{Kind: "saved_card", Saved: "token", Merchant: true, First: h.onlyCard().SeriesID},
	}
	if !slices.Equal(gw.said, want) || want[2].First == "" {
		t.Errorf("sent %+v", gw.said)
	}
}
