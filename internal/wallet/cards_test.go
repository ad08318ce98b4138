package wallet_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/wallet"
	"tollgate/providers"
)

// drawer keeps cards in memory.
type drawer struct {
	wallet.Customers
	cards []wallet.SavedCard
}

func (d *drawer) SaveCard(_ context.Context, c *wallet.SavedCard) error {
	if !slices.ContainsFunc(d.cards, func(o wallet.SavedCard) bool { return o.GatewayID == c.GatewayID }) {
		d.cards = append(d.cards, *c)
	}
	return nil
}

func (d *drawer) SavedCards(context.Context, string, string, string) ([]wallet.SavedCard, error) {
	return slices.Clone(d.cards), nil
}

func (d *drawer) RenameSavedCard(_ context.Context, _, id, name string) error {
	for i := range d.cards {
		if d.cards[i].ID == id {
			d.cards[i].Name = name
		}
	}
	return nil
}

func (d *drawer) DropSavedCard(_ context.Context, _, id string) error {
	d.cards = slices.DeleteFunc(d.cards, func(c wallet.SavedCard) bool { return c.ID == id })
	return nil
}

// bank lists cards to a customer who has logged in.
type bank struct {
	providers.Provider
	providers.Login
	lists []providers.SavedCard
}

func (b *bank) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return b.lists, nil
}
func (b *bank) Remember(context.Context, providers.Payment, providers.Standing) (providers.SavedCard, error) {
	return providers.SavedCard{}, nil
}
func (b *bank) Forget(context.Context, providers.Owner, string, string) error { return nil }
func (b *bank) AsksCode() bool                                                { return false }

func TestACardThatWasDeletedOrRenamedElsewhereIsNotShownAsItWas(t *testing.T) {
	gateway, store, n := &bank{}, &drawer{}, 0
	w := wallet.New(wallet.Options{
		Customers: store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Accounts: account.Accounts{"sber": account.Open(account.Settings{Name: "sber", Provider: gateway})},
		Token:    func() (string, error) { n++; return strconv.Itoa(n), nil },
	})
	list := func(lists ...providers.SavedCard) (names []string) {
		t.Helper()
		gateway.lists = lists
		cards, err := w.Cards(t.Context(), wallet.Holder{Merchant: "shop", Account: "sber", Customer: "c"}, providers.Owner{}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cards {
			names = append(names, c.GatewayID+" "+c.Name)
		}
		return names
	}
	one, two := providers.SavedCard{ID: "a", Name: "Salary"}, providers.SavedCard{ID: "b", Name: "Holiday"}
	if got := list(one, two); !slices.Equal(got, []string{"a Salary", "b Holiday"}) {
		t.Errorf("%q", got)
	}
	one.Name = "Pocket"
	if got := list(one); !slices.Equal(got, []string{"a Pocket"}) {
		t.Errorf("renamed and deleted elsewhere: %q", got)
	}
	one.Name = "" // the list tells no names
	if got := list(one); !slices.Equal(got, []string{"a Pocket"}) {
		t.Errorf("%q", got)
	}
}
