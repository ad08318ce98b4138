package storetest

import (
	"errors"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/session"
	"tollgate/session/flow"
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
		if got, err := st.Credential(t.Context(), "acc", customer); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s has %q %v", customer, got, err)
		}
	}
}

func savedCardPerMerchant(t *testing.T, st Store) {
	for id, owner := range map[string]string{"sc_1": "shop", "sc_2": "rival"} {
		c := flow.SavedCard{ID: id, Merchant: owner, Account: "acc", Customer: "c-1", GatewayID: "binding", Expiry: "12/30", Name: owner, CreatedAt: noon}
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
	if got, err := st.Credential(t.Context(), "acc", "c-1"); !errors.Is(err, session.ErrNotFound) {
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
	keep := func(id, account, customer, gatewayID string, at time.Duration) flow.SavedCard {
		t.Helper()
		c := flow.SavedCard{
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
	want.Name = "Kaspi"
	if got, err := st.SavedCard(t.Context(), "shop", "sc_1"); err != nil || got != want {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	must(t, st.DropSavedCard(t.Context(), "shop", "sc_1"))
	_, gone := st.SavedCard(t.Context(), "shop", "sc_1")
	_, foreign := st.SavedCard(t.Context(), "another", "sc_2")
	for what, err := range map[string]error{
		"read": gone, "another merchant's": foreign,
		"dropped": st.DropSavedCard(t.Context(), "shop", "sc_1"), "renamed": st.RenameSavedCard(t.Context(), "shop", "sc_1", "x"),
	} {
		if !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
