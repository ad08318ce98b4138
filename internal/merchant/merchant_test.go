package merchant_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tollgate/internal/look"
	"tollgate/internal/merchant"
)

func TestAKeyOpensItsMerchantOnlyWhileItLasts(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	d := merchant.NewDirectory(
		merchant.Merchant{ID: "a", Name: "Shop A", Accounts: []string{"x", "both"}, Keys: []merchant.Key{
			{Hash: merchant.HashKey("old"), Expires: now}, {Hash: merchant.HashKey("going"), Expires: now.Add(1)}, {Hash: merchant.HashKey("new"), Scopes: []merchant.Scope{merchant.Read}},
		}},
		merchant.Merchant{ID: "b", Name: "Shop B", Accounts: []string{"both"}, Keys: []merchant.Key{{Hash: merchant.HashKey("other")}, {Hash: merchant.HashKey("")}}},
	)
	for header, want := range map[string]string{
		"Bearer new": "a", "bearer new": "a", "BEARER  new ": "a", "Bearer going": "a", "Bearer other": "b",
		"Bearer old": "", "Bearer none": "", "Bearer ": "", "Bearer": "", "": "", "new": "", "Basic new": "", "Bearer " + merchant.HashKey("new"): "", "Bearer ne": "",
	} {
		m, k, err := d.ByKey(header, now)
		if m.ID != want || (err == nil) != (want != "") || want == "" && (!errors.Is(err, merchant.ErrKey) || k.Hash != "") {
			t.Errorf("%q opens %q with %+v, %v", header, m.ID, k, err)
		}
		if header == "Bearer new" && (k.Hash != merchant.HashKey("new") || !slices.Equal(k.Scopes, []merchant.Scope{merchant.Read})) {
			t.Errorf("%q is the key %+v", header, k)
		}
	}
	if d.Name("b") != "Shop B" || d.Name("gone") != "gone" {
		t.Errorf("names %q, %q", d.Name("b"), d.Name("gone"))
	}
	for account, shared := range map[string]bool{"x": false, "both": true, "none": false} {
		if d.Shared(account) != shared {
			t.Errorf("%s is shared: %v", account, !shared)
		}
	}
	if m := (merchant.Merchant{Accounts: []string{"x"}}); !m.May("x") || m.May("y") {
		t.Error("a merchant uses its own accounts and no others")
	}
	if got := merchant.HashKey("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("a key is kept as %q", got)
	}
}

func TestAKeyReachesAsFarAsItsScopes(t *testing.T) {
	all, refunds := merchant.Key{}, merchant.Key{Scopes: []merchant.Scope{merchant.Refunds, merchant.Read}}
	for _, s := range merchant.Scopes() {
		if !all.May(s) {
			t.Errorf("a key without a list may not %s", s)
		}
		if want := s == merchant.Refunds || s == merchant.Read; refunds.May(s) != want {
			t.Errorf("a key for refunds may %s: %v", s, !want)
		}
	}
	if len(merchant.Scopes()) != 6 || !refunds.May(merchant.Payouts, merchant.Read) || refunds.May(merchant.Payouts, merchant.Sessions) || refunds.May() || !all.May() {
		t.Error("one of the named scopes is enough, none is not")
	}
}

func TestWhoMayRevokeAKey(t *testing.T) {
	m := merchant.Merchant{Keys: []merchant.Key{{Hash: "one"}, {Hash: "two"}}}
	for _, c := range []struct {
		caller merchant.Key
		hash   string
		want   error
	}{
		{merchant.Key{Hash: "one"}, "one", nil}, {merchant.Key{Hash: "one"}, "two", nil}, {merchant.Key{Hash: "one", Scopes: []merchant.Scope{merchant.Read}}, "one", nil},
		{merchant.Key{Hash: "one", Scopes: []merchant.Scope{merchant.Read}}, "two", merchant.ErrScope}, {merchant.Key{Hash: "one"}, "three", merchant.ErrKey},
		{merchant.Key{Hash: "one", Scopes: []merchant.Scope{merchant.Read}}, "three", merchant.ErrKey},
	} {
		if err := m.MayRevoke(c.caller, c.hash); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%+v revokes %s: %v", c.caller, c.hash, err)
		}
	}
}

// References that were given stand in databases and at gateways: what a tag takes of their length does not change.
func TestATagTakesFourCharacters(t *testing.T) {
	if merchant.TagLength != 4 {
		t.Errorf("it takes %d", merchant.TagLength)
	}
}

// The log and the settings name a key by the first digits of its hash, which open nothing.
func TestAKeyIsNamedByTheFirstEightDigitsOfItsHash(t *testing.T) {
	for hash, want := range map[string]string{"": "", "1234567": "1234567", "12345678": "12345678", "123456789": "12345678"} {
		if got := (merchant.Key{Hash: hash}).Name(); got != want {
			t.Errorf("%q is named %q", hash, got)
		}
	}
}

func TestAllMerchantsAreListedAndTheListIsTheCallers(t *testing.T) {
	d := merchant.NewDirectory(merchant.Merchant{ID: "a"}, merchant.Merchant{ID: "b"})
	all := d.All()
	if len(all) != 2 || all[0].ID != "a" || all[1].ID != "b" {
		t.Fatalf("%+v", all)
	}
	if all[0].ID = "c"; d.All()[0].ID != "a" {
		t.Error("who changes the list changes the directory")
	}
}

// A session that asks for no look has the merchant's default one; a name that the merchant has not given has none.
func TestAPageHasTheLookOfItsOwnMerchant(t *testing.T) {
	of := func(name, accent string) *look.Look {
		t.Helper()
		l, err := look.New(look.Settings{Name: name, Accent: accent}, []string{"en"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	usual, winter, other := of(look.Default, "#0b6354"), of("winter", "#7a1f1f"), of("summer", "#1f3a7a")
	d := merchant.NewDirectory(
		merchant.Merchant{ID: "plain"}, merchant.Merchant{ID: "a", Looks: []*look.Look{usual, winter}}, merchant.Merchant{ID: "b", Looks: []*look.Look{other}},
	)
	for asked, want := range map[[2]string]*look.Look{
		{"a", ""}: usual, {"a", look.Default}: usual, {"a", "winter"}: winter, {"a", "summer"}: nil, {"b", ""}: nil, {"b", "summer"}: other, {"plain", ""}: nil, {"gone", ""}: nil,
	} {
		if got := d.Look(asked[0], asked[1]); got != want {
			t.Errorf("%q of %q: %+v", asked[1], asked[0], got)
		}
	}
	for _, l := range []*look.Look{usual, winter, other} {
		if f, ok := d.LookFile(l.Sheet.Path); !ok || f.Path != l.Sheet.Path || string(f.Body) != string(l.Sheet.Body) {
			t.Errorf("%s is %+v, %v", l.Sheet.Path, f, ok)
		}
	}
	if f, ok := d.LookFile(usual.Sheet.Path + "x"); ok || f.Path != "" {
		t.Errorf("a path of no look's: %+v, %v", f, ok)
	}
}
