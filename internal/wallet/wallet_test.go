package wallet_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tollgate/internal/wallet"
	"tollgate/providers"
)

// kept is the one credential that there is, sealed; "" for none.
type kept struct {
	wallet.Customers
	sealed string
}

func (k *kept) SaveCredential(_ context.Context, _, _, _, sealed string, _, _ time.Time) error {
	k.sealed = sealed
	return nil
}

func (k *kept) Credential(context.Context, string, string) (string, error) {
	if k.sealed == "" {
		return "", wallet.ErrNotFound
	}
	return k.sealed, nil
}

func (k *kept) DropCredential(_ context.Context, _, _, sealed string) error {
	if k.sealed == sealed {
		k.sealed = ""
	}
	return nil
}

// seal binds a value to its name, and turns it round.
type seal struct{}

func turned(s string) string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		b.WriteByte(s[i])
	}
	return b.String()
}

func (seal) Seal(name string, v []byte) (string, error) { return name + "." + turned(string(v)), nil }

func (seal) Unseal(name, sealed string) ([]byte, error) {
	raw, ok := strings.CutPrefix(sealed, name+".")
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return []byte(turned(raw)), nil
}

func TestACredentialIsKeptSealedAndForgottenOnlyWhereItIsTheOneThatWasRefused(t *testing.T) {
	store := &kept{}
	w := wallet.New(wallet.Options{Customers: store, Sealer: seal{}, Log: slog.New(slog.DiscardHandler)})
	if token := w.Credential(t.Context(), "acc", "c-1"); !token.Empty() {
		t.Error("there is one before any login")
	}
	for _, token := range []string{"first", "second"} {
		h := wallet.Holder{Merchant: "shop", Account: "acc", Customer: "c-1"}
		if err := w.KeepCredential(t.Context(), h, providers.Credential{Token: providers.NewSecret(token)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(store.sealed, "second") {
		t.Errorf("kept as %q", store.sealed)
	}
	if newer := w.ForgetCredential(t.Context(), "acc", "c-1", providers.NewSecret("first")); !newer {
		t.Error("a late refusal of the earlier one is taken for one of the newest")
	}
	if token := w.Credential(t.Context(), "acc", "c-1"); token.Reveal() != "second" {
		t.Error("the newest is gone")
	}
	if newer := w.ForgetCredential(t.Context(), "acc", "c-1", providers.NewSecret("second")); newer || store.sealed != "" {
		t.Errorf("a newer one: %t, kept %q", newer, store.sealed)
	}
}
