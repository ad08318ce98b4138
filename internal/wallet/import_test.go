package wallet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
)

// vault is a gateway without logins that keeps cards.
type vault struct {
	providers.Provider
	cards map[string]map[string]providers.SavedCard // by customer and name
	calls int
	err   error
}

func (g *vault) Cards(_ context.Context, o providers.Owner) (all []providers.SavedCard, err error) {
	g.calls++
	for _, c := range g.cards[o.CustomerID] {
		all = append(all, c)
	}
	return all, g.err
}

func (g *vault) Remember(context.Context, providers.Payment, providers.Standing) (providers.SavedCard, error) {
	return providers.SavedCard{}, nil
}
func (g *vault) Forget(context.Context, providers.Owner, string, string) error { return nil }
func (g *vault) AsksCode() bool                                                { return false }

// refs knows single cards only, and no customers.
type refs struct{ *vault }

func (refs) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

func (g refs) CheckCard(_ context.Context, _ providers.Owner, id string) (providers.SavedCard, error) {
	g.calls++
	c, ok := g.cards[""][id]
	if g.err == nil && !ok {
		return c, providers.ErrNoCard
	}
	return c, g.err
}

// mute tells nothing of the cards that it keeps.
type mute struct{ *vault }

func (mute) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

// shelf keeps cards in memory, as the store does; storetest has the rules.
type shelf struct {
	wallet.Customers
	cards map[[2]string][]wallet.SavedCard // by account and gateway's name
	asked map[string]time.Time             // by ID
}

func (s *shelf) all(yes func(wallet.SavedCard) bool) (found []wallet.SavedCard) {
	for _, held := range s.cards {
		for _, c := range held {
			if yes(c) {
				found = append(found, c)
			}
		}
	}
	return found
}

func (s *shelf) SavedCards(_ context.Context, merchant, account, customer string) ([]wallet.SavedCard, error) {
	return s.all(func(c wallet.SavedCard) bool {
		return c.Merchant == merchant && c.Account == account && c.Customer == customer
	}), nil
}

func (s *shelf) CardHolders(_ context.Context, account, id string) ([]wallet.SavedCard, error) {
	return s.cards[[2]string{account, id}], nil
}

func (s *shelf) ImportCard(_ context.Context, c *wallet.SavedCard) error {
	key := [2]string{c.Account, c.GatewayID}
	s.cards[key], s.asked[c.ID] = append(s.cards[key], *c), c.CreatedAt
	return nil
}

func (s *shelf) change(id string, do func(*wallet.SavedCard)) {
	for key, held := range s.cards {
		for i := range held {
			if held[i].ID == id {
				do(&s.cards[key][i])
			}
		}
	}
}

func (s *shelf) UpdateCard(_ context.Context, now *wallet.SavedCard) error {
	s.change(now.ID, func(c *wallet.SavedCard) { c.Card, c.Expiry, c.CheckedAt = now.Card, now.Expiry, now.CheckedAt })
	return nil
}

func (s *shelf) RenameSavedCard(_ context.Context, _, id, name string) error {
	s.change(id, func(c *wallet.SavedCard) { c.Name = name })
	return nil
}

func (s *shelf) DropSavedCard(_ context.Context, _, id string) error {
	for key, held := range s.cards {
		s.cards[key] = slices.DeleteFunc(held, func(c wallet.SavedCard) bool { return c.ID == id })
	}
	return nil
}

func (s *shelf) CardsToAsk(_ context.Context, account string, before time.Time, _ int) (due []wallet.Holder, err error) {
	for _, c := range s.all(func(c wallet.SavedCard) bool { return c.Account == account && s.asked[c.ID].Before(before) }) {
		if h := (wallet.Holder{Merchant: c.Merchant, Account: c.Account, Customer: c.Customer}); !slices.Contains(due, h) {
			due = append(due, h)
		}
	}
	return due, nil
}

func (s *shelf) TakeCards(ctx context.Context, h wallet.Holder, before, now time.Time) (mine bool, err error) {
	cards, err := s.SavedCards(ctx, h.Merchant, h.Account, h.Customer)
	for _, c := range cards {
		mine = mine || s.asked[c.ID].Before(before)
		s.asked[c.ID] = now
	}
	return mine, err
}

type moving struct {
	wallet *wallet.Wallet
	store  *shelf
	now    time.Time
	waited time.Duration
}

func newMoving(t *testing.T, gateway providers.Provider, rate int) *moving {
	t.Helper()
	m := &moving{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	m.store = &shelf{cards: map[[2]string][]wallet.SavedCard{}, asked: map[string]time.Time{}}
	n := 0
	m.wallet = wallet.New(wallet.Options{
		Customers: m.store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return m.now },
		Accounts: account.Accounts{"acc": account.Open(account.Settings{Name: "acc", Provider: gateway, CardCalls: rate})},
		Token:    func() (string, error) { n++; return strconv.Itoa(n), nil },
		Pause: func(_ context.Context, d time.Duration) error {
			m.now, m.waited = m.now.Add(d), m.waited+d
			return nil
		},
	})
	return m
}

func of(merchant, customer, id string) wallet.Import {
	return wallet.Import{Holder: wallet.Holder{Merchant: merchant, Account: "acc", Customer: customer}, GatewayID: id,
		Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}, Expiry: "12/29", Name: "the blue one", SeriesID: "first"}
}

func theirs(id, last4, expiry string) providers.SavedCard {
	return providers.SavedCard{ID: id, Card: card.Masked{Brand: "visa", First6: "400001", Last4: last4}, Expiry: expiry, Active: true}
}

func TestAnImportedCardIsAsTheGatewaySaysAndNobodyElses(t *testing.T) {
	for name, gateway := range map[string]func(*vault) providers.Provider{
		"a list": func(g *vault) providers.Provider { return g }, "one card": func(g *vault) providers.Provider { return refs{g} },
		"nothing": func(g *vault) providers.Provider { return mute{g} },
	} {
		t.Run(name, func(t *testing.T) {
			g := &vault{cards: map[string]map[string]providers.SavedCard{"c-1": {"b-1": theirs("b-1", "0720", "11/31")}, "": {"b-1": theirs("b-1", "0720", "11/31")}}}
			m := newMoving(t, gateway(g), 10)
			made, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-1"))
			if err != nil {
				t.Fatal(err)
			}
			expiry, checked := "11/31", true
			if name == "nothing" {
				expiry, checked = "12/29", false
			}
			if made.Expiry != expiry || made.CheckedAt.IsZero() == checked || made.Card.Last4 != "0720" || !made.Imported || made.SeriesID != "first" || made.Name != "the blue one" {
				t.Errorf("%+v", made)
			}
			calls := g.calls
			if again, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-1")); err != nil || again.ID != made.ID || g.calls != calls {
				t.Errorf("again: %+v, %v, %d calls", again, err, g.calls)
			}
			for _, other := range []wallet.Import{of("shop", "c-2", "b-1"), of("rival", "c-1", "b-1")} {
				if c, err := m.wallet.Import(t.Context(), other); !errors.Is(err, wallet.ErrNotYours) || c.ID != "" || strings.Contains(err.Error(), "c-1") {
					t.Errorf("%s's %s: %+v, %v", other.Merchant, other.Customer, c, err)
				}
			}
			if name != "nothing" {
				if _, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-9")); !errors.Is(err, wallet.ErrNotYours) {
					t.Errorf("one that the gateway does not keep: %v", err)
				}
				g.cards["c-1"]["b-2"], g.cards[""]["b-2"] = theirs("b-2", "0001", ""), theirs("b-2", "0001", "")
				if _, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-2")); !errors.Is(err, wallet.ErrNotYours) {
					t.Errorf("another card under the name: %v", err)
				}
				g.err = errors.New("cut")
				if _, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-3")); err == nil {
					t.Error("taken over although the gateway did not answer")
				}
			}
		})
	}
}

func TestCardsOfAGatewayThatListsByCustomerAreNotImportedForAnotherCustomer(t *testing.T) {
	g := &vault{cards: map[string]map[string]providers.SavedCard{"c-2": {"b-1": theirs("b-1", "0720", "")}}}
	m := newMoving(t, g, 10)
	if _, err := m.wallet.Import(t.Context(), of("shop", "c-1", "b-1")); !errors.Is(err, wallet.ErrNotYours) {
		t.Error(err)
	}
}

func TestNoMoreCardsAreAskedAboutInASecondThanTheAccountAllows(t *testing.T) {
	const cards, rate = 10_000, 50
	g := &vault{cards: map[string]map[string]providers.SavedCard{"": {}}}
	for i := range cards {
		id := fmt.Sprintf("r-%d", i)
		g.cards[""][id] = theirs(id, "0720", "12/30")
	}
	m := newMoving(t, refs{g}, rate)
	all := func(from int) {
		for i := from; i < cards; i++ {
			if _, err := m.wallet.Import(t.Context(), of("shop", fmt.Sprintf("c-%d", i), fmt.Sprintf("r-%d", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := time.Now()
	all(0)
	took, calls := m.waited, g.calls
	if least := time.Duration(cards-1) * time.Second / rate; took != least || calls != cards {
		t.Errorf("%d calls within %s, want %d within %s", calls, took, cards, least)
	}
	all(0) // begun again after a kill
	if g.calls != cards || m.waited != took {
		t.Errorf("begun again it asks %d times more", g.calls-cards)
	}
	t.Logf("%d cards at %d calls a second: %s by the gateway's clock; twice through in %s of ours", cards, rate, took, time.Since(start))
}

func TestARefreshDropsWhatIsGoneAndFollowsExpiryAndName(t *testing.T) {
	for name, gateway := range map[string]func(*vault) providers.Provider{
		"a list": func(g *vault) providers.Provider { return g }, "one card": func(g *vault) providers.Provider { return refs{g} },
	} {
		t.Run(name, func(t *testing.T) {
			keeps := map[string]providers.SavedCard{}
			g := &vault{cards: map[string]map[string]providers.SavedCard{"c-1": keeps, "": keeps}}
			m := newMoving(t, gateway(g), 10)
			for _, id := range []string{"stays", "renewed", "gone"} {
				keeps[id] = theirs(id, "0720", "12/29")
				if _, err := m.wallet.Import(t.Context(), of("shop", "c-1", id)); err != nil {
					t.Fatal(err)
				}
			}
			delete(keeps, "gone")
			renewed := theirs("renewed", "0720", "12/34")
			renewed.Name = "Salary"
			keeps["renewed"], keeps["unknown to us"] = renewed, theirs("unknown to us", "0001", "")
			h := of("shop", "c-1", "").Holder
			show := func() (all []string) {
				cards, err := m.store.SavedCards(t.Context(), h.Merchant, h.Account, h.Customer)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range cards {
					all = append(all, strings.Join([]string{c.GatewayID, c.Expiry, c.Name, c.SeriesID}, " "))
				}
				slices.Sort(all)
				return all
			}
			g.err = errors.New("cut")
			if before := show(); len(before) != 3 {
				t.Fatal(before)
			}
			if _, err := m.wallet.Refresh(t.Context(), h); err == nil || len(show()) != 3 {
				t.Errorf("a gateway that does not answer: %v, %q", err, show())
			}
			g.err = nil
			m.wallet.RefreshDue(t.Context())
			if len(show()) != 3 {
				t.Error("asked before its time")
			}
			m.now = m.now.Add(wallet.RefreshEvery + time.Hour)
			if n := m.wallet.RefreshDue(t.Context()); n != 1 {
				t.Errorf("asked for %d holders", n)
			}
			if got, want := show(), []string{"renewed 12/34 Salary first", "stays 12/29 the blue one first"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if n := m.wallet.RefreshDue(t.Context()); n != 0 {
				t.Errorf("asked again for %d", n)
			}
		})
	}
}
