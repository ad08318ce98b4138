package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
)

// Two logins at once may store what they got in the other order, and only the later is any good.
func newestCredential(t *testing.T, st Store) {
	issued := time.Now()
	save := func(account, customer, sealed string, after, life time.Duration) {
		t.Helper()
		must(t, st.SaveCredential(t.Context(), "shop", account, customer, sealed, issued.Add(after), issued.Add(life)))
	}
	save("acc", "c-1", "second", 0, time.Hour)
	save("acc", "c-1", "first", -time.Second, 2*time.Hour)
	save("acc", "c-2", "another customer's", time.Second, time.Hour)
	save("other", "c-1", "elsewhere", time.Second, time.Hour)
	for _, want := range []string{"second", "third"} {
		if got, err := st.Credential(t.Context(), "acc", "c-1"); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
		save("acc", "c-1", "third", time.Second, time.Minute)
	}
}

func credentialEnds(t *testing.T, st Store) {
	now := time.Now()
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "old", now.Add(-time.Hour), now.Add(-time.Second)))
	for _, customer := range []string{"c-1", "nobody"} {
		if got, err := st.Credential(t.Context(), "acc", customer); !errors.Is(err, wallet.ErrNotFound) {
			t.Errorf("%s has %q %v", customer, got, err)
		}
	}
}

func savedCardPerMerchant(t *testing.T, st Store) {
	for id, owner := range map[string]string{"sc_1": "shop", "sc_2": "rival"} {
		c := wallet.SavedCard{ID: id, Merchant: owner, Account: "acc", Customer: "c-1", GatewayID: "binding", Expiry: "12/30",
			Name: owner, CreatedAt: noon}
		must(t, st.SaveCard(t.Context(), &c))
		if c.ID != id {
			t.Errorf("%s was told of %s", owner, c.ID)
		}
	}
	for id, owner := range map[string]string{"sc_1": "shop", "sc_2": "rival"} {
		found, err := st.SavedCards(t.Context(), owner, "acc", "c-1")
		must(t, err)
		if len(found) != 1 || found[0].ID != id || found[0].Name != owner {
			t.Errorf("%s has %+v", owner, found)
		}
	}
	must(t, st.DropSavedCard(t.Context(), "rival", "sc_2"))
	if _, err := st.SavedCard(t.Context(), "shop", "sc_1"); err != nil {
		t.Errorf("the shop's: %v", err)
	}
}

func credentialDropped(t *testing.T, st Store) {
	now := time.Now()
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "newer", now, now.Add(time.Hour)))
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-2", "older", now, now.Add(time.Hour)))
	must(t, st.DropCredential(t.Context(), "acc", "c-1", "older"))
	if got, err := st.Credential(t.Context(), "acc", "c-1"); err != nil || got != "newer" {
		t.Errorf("after the drop of another it is %q %v", got, err)
	}
	must(t, st.DropCredential(t.Context(), "acc", "c-1", "newer"))
	if got, err := st.Credential(t.Context(), "acc", "c-1"); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("after its drop it is %q %v", got, err)
	}
	if met, err := st.Met(t.Context(), "shop", "acc", "c-1"); err != nil || !met {
		t.Errorf("the customer is forgotten too: %v", err)
	}
	if got, err := st.Credential(t.Context(), "acc", "c-2"); err != nil || got != "older" {
		t.Errorf("another customer's is %q %v", got, err)
	}
}

func savedCards(t *testing.T, st Store) {
	keep := func(id, account, customer, gatewayID string, at time.Duration) wallet.SavedCard {
		t.Helper()
		c := wallet.SavedCard{
			ID: id, Merchant: "shop", Account: account, Customer: customer, GatewayID: gatewayID, Expiry: "12/30", CreatedAt: noon.Add(at),
			Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0008"},
		}
		must(t, st.SaveCard(t.Context(), &c))
		return c
	}
	want := keep("sc_1", "acc", "c-1", "binding-1", 0)
	keep("sc_2", "acc", "c-1", "binding-2", time.Second)
	keep("sc_3", "acc", "c-2", "binding-3", 0)
	keep("sc_4", "other", "c-1", "binding-4", -time.Second)
	if again := keep("sc_5", "acc", "c-1", "binding-1", time.Minute); again.ID != "sc_1" {
		t.Errorf("saved again it is called %s", again.ID)
	}
	for account, want := range map[string]string{"acc": "sc_2 sc_1 ", "": "sc_2 sc_1 sc_4 "} {
		found, err := st.SavedCards(t.Context(), "shop", account, "c-1")
		must(t, err)
		ids := ""
		for _, c := range found {
			ids += c.ID + " "
		}
		if ids != want {
			t.Errorf("in account %q: %s, want %s", account, ids, want)
		}
	}
	must(t, st.RenameSavedCard(t.Context(), "shop", "sc_1", "Kaspi"))
	must(t, st.BeginSeries(t.Context(), "shop", "sc_1", "first"))
	must(t, st.BeginSeries(t.Context(), "shop", "sc_1", "second"))
	keep("sc_6", "acc", "c-1", "binding-1", time.Minute) // told again, without a series
	want.Name, want.SeriesID = "Kaspi", "first"
	if got, err := st.SavedCard(t.Context(), "shop", "sc_1"); err != nil || got != want {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	must(t, st.DropSavedCard(t.Context(), "shop", "sc_1"))
	_, gone := st.SavedCard(t.Context(), "shop", "sc_1")
	_, foreign := st.SavedCard(t.Context(), "another", "sc_2")
	for what, err := range map[string]error{
		"read": gone, "another merchant's": foreign,
		"dropped": st.DropSavedCard(t.Context(), "shop", "sc_1"), "renamed": st.RenameSavedCard(t.Context(), "shop", "sc_1", "x"),
		"a series":   st.BeginSeries(t.Context(), "shop", "sc_1", "x"),
		"and theirs": st.BeginSeries(t.Context(), "another", "sc_2", "x"),
	} {
		if !errors.Is(err, wallet.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// importedCards: a card is found by the gateway's name of it, and nobody imports what somebody else holds.
func importedCards(t *testing.T, st Store) {
	card := func(merchant, customer, gatewayID string) *wallet.SavedCard {
		return &wallet.SavedCard{ID: "sc_" + merchant + customer + gatewayID, Merchant: merchant, Account: "acc", Customer: customer,
			GatewayID: gatewayID, CreatedAt: noon, IssuedAt: noon.Add(-time.Hour), Kind: "CARD", System: "VISA", Info: "{}", Imported: true}
	}
	first := card("shop", "c-1", "g-1")
	must(t, st.ImportCard(t.Context(), first))
	must(t, st.ImportCard(t.Context(), card("shop", "c-1", "g-1")))
	for _, other := range []*wallet.SavedCard{card("rival", "c-1", "g-1"), card("shop", "c-2", "g-1")} {
		if err := st.ImportCard(t.Context(), other); !errors.Is(err, wallet.ErrNotYours) {
			t.Errorf("%s's %s: %v", other.Merchant, other.Customer, err)
		}
	}
	held, err := st.CardHolders(t.Context(), "acc", "g-1")
	must(t, err)
	if diff := cmp.Diff([]wallet.SavedCard{*first}, held); diff != "" {
		t.Error(diff)
	}
	must(t, st.ImportCard(t.Context(), card("shop", "c-2", "g-2")))
	must(t, st.ImportCard(t.Context(), card("shop", "c-2", "g-3")))
	later := noon.Add(24 * time.Hour)
	due, err := st.CardsToAsk(t.Context(), "acc", later, 10)
	must(t, err)
	if len(due) != 2 {
		t.Errorf("to be asked about are %v", due)
	}
	h := wallet.Holder{Merchant: "shop", Account: "acc", Customer: "c-2"}
	for n, want := range []bool{true, false} {
		if mine, err := st.TakeCards(t.Context(), h, later, later); err != nil || mine != want {
			t.Errorf("take %d: %v, %v", n, mine, err)
		}
	}
	now := *first
	now.Expiry, now.CheckedAt, now.Kind = "01/35", later, "OTHER"
	must(t, st.UpdateCard(t.Context(), &now))
	if got, err := st.SavedCard(t.Context(), "shop", first.ID); err != nil || got != now {
		t.Errorf("%+v, %v", got, err)
	}
	if due, err = st.CardsToAsk(t.Context(), "acc", later, 10); err != nil || len(due) != 0 {
		t.Errorf("%v, %v", due, err)
	}
	if err := st.UpdateCard(t.Context(), card("rival", "c-1", "g-1")); !errors.Is(err, wallet.ErrNotFound) {
		t.Error(err)
	}
}

// cardOrderBeforeSharing: a card that was ordered before others used the account too is not ordered again.
func cardOrderBeforeSharing(t *testing.T, st Store) {
	_, err := st.AddCardOrder(t.Context(), order)
	must(t, err)
	tagged := order
	tagged.RefTag, tagged.Reference = "ab1c", "ab1c"+order.Reference
	earlier, err := st.AddCardOrder(t.Context(), tagged)
	must(t, err)
	if earlier == nil || earlier.Reference != order.Reference || earlier.Merchant != "shop" {
		t.Errorf("of the shop: %+v", earlier)
	}
	tagged.Merchant, tagged.RefTag, tagged.Reference = "rival", "zz9z", "zz9z"+order.Reference
	if earlier, err = st.AddCardOrder(t.Context(), tagged); err != nil || earlier != nil {
		t.Errorf("a neighbour is told of %+v, %v", earlier, err)
	}
}

var order = wallet.CardOrder{Merchant: "shop", Account: "acc", Reference: "one", Customer: "c-1", Kind: wallet.VirtualCard,
	CreatedAt: noon}

func cardOrderOnce(t *testing.T, st Store) {
	var all sync.WaitGroup
	var written atomic.Int64
	for range 8 {
		all.Go(func() {
			earlier, err := st.AddCardOrder(t.Context(), order)
			if err != nil {
				t.Error(err)
			} else if earlier == nil {
				written.Add(1)
			}
		})
	}
	all.Wait()
	if written.Load() != 1 {
		t.Errorf("written %d times", written.Load())
	}
	made := wallet.SavedCard{
		ID: "sc_1", Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "g",
		Card:   card.Masked{Brand: "visa", First6: "400001", Last4: "0720"},
		Expiry: "12/30", Name: "n", CreatedAt: noon, GatewayCustomer: "ab1cc-1",
	}
	must(t, st.FillCardOrder(t.Context(), order, &made))
	want := order
	want.Card = made.ID
	earlier, err := st.AddCardOrder(t.Context(),
		wallet.CardOrder{Merchant: "another", Account: "acc", Reference: "one", Kind: wallet.Registered})
	must(t, err)
	if diff := cmp.Diff(&want, earlier); diff != "" {
		t.Error(diff)
	}
	kept, err := st.SavedCard(t.Context(), "shop", made.ID)
	must(t, err)
	if diff := cmp.Diff(made, kept); diff != "" {
		t.Error(diff)
	}
}

func cardOrderDropped(t *testing.T, st Store) {
	taken := func() bool {
		t.Helper()
		earlier, err := st.AddCardOrder(t.Context(), order)
		must(t, err)
		return earlier != nil
	}
	taken()
	must(t, st.DropCardOrder(t.Context(), order))
	if taken() {
		t.Error("forgotten, and still there")
	}
	must(t, st.FillCardOrder(t.Context(), order,
		&wallet.SavedCard{ID: "sc_1", Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "g", CreatedAt: noon}))
	must(t, st.DropCardOrder(t.Context(), order))
	if !taken() {
		t.Error("an order with a card was forgotten")
	}
}

func customerMet(t *testing.T, st Store) {
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "sealed", noon, noon))
	must(t, st.SaveCredential(t.Context(), "shop", "acc", "c-1", "newer", noon, noon))
	for _, c := range []struct {
		merchant, account, customer string
		want                        bool
	}{{"shop", "acc", "c-1", true}, {"another", "acc", "c-1", false}, {"shop", "acc-2", "c-1", false},
		{"shop", "acc", "c-2", false}} {
		got, err := st.Met(t.Context(), c.merchant, c.account, c.customer)
		must(t, err)
		if got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
