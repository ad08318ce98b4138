package wallet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
)

// sealedCredential binds a sealed credential to its use.
const sealedCredential = "credential"

// KeepCredential seals a credential and keeps it in place of the customer's earlier one.
func (w *Wallet) KeepCredential(ctx context.Context, h Holder, c providers.Credential, issued time.Time) error {
	sealed, err := w.Sealer.Seal(sealedCredential, []byte(c.Token.Reveal()))
	if err != nil {
		return err
	}
	return w.Customers.SaveCredential(ctx, h.Merchant, h.Account, h.Customer, sealed, issued, c.ExpiresAt)
}

// Credential is the newest of a customer; empty where there is none.
func (w *Wallet) Credential(ctx context.Context, account, customer string) providers.Secret {
	_, token := w.stored(ctx, account, customer)
	return token
}

// LoginMark names the login of a customer's newest credential, and tells nothing of it; "" where there is none. A later login has
// another.
func (w *Wallet) LoginMark(ctx context.Context, account, customer string) string {
	token := w.Credential(ctx, account, customer)
	if token.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte("login " + token.Reveal()))
	return hex.EncodeToString(sum[:16])
}

// stored reads a customer's credential as it is kept, and opened.
func (w *Wallet) stored(ctx context.Context, account, customer string) (sealed string, token providers.Secret) {
	sealed, err := w.Customers.Credential(ctx, account, customer)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			w.Log.Error("cannot read a credential", "account", account, "error", err)
		}
		return "", providers.Secret{}
	}
	raw, err := w.Sealer.Unseal(sealedCredential, sealed)
	if err != nil {
		w.Log.Error("a stored credential cannot be opened", "account", account)
		return sealed, providers.Secret{}
	}
	return sealed, providers.NewSecret(string(raw))
}

// ForgetCredential drops a credential that the gateway refused, unless the customer has a newer one by now, which it tells.
func (w *Wallet) ForgetCredential(ctx context.Context, account, customer string, refused providers.Secret) (newer bool) {
	sealed, token := w.stored(ctx, account, customer)
	switch {
	case sealed == "":
		return false
	case !token.Empty() && token.Reveal() != refused.Reveal():
		return true
	}
	if err := w.Customers.DropCredential(ctx, account, customer, sealed); err != nil {
		w.Log.Error("cannot drop a refused credential", "account", account, "error", err)
	}
	return false
}

// needsLogin is ErrLogin where err is the gateway's refusal of a customer's credential, which is then forgotten.
func (w *Wallet) needsLogin(ctx context.Context, account string, o providers.Owner, err error) error {
	if !errors.Is(err, providers.ErrCredential) {
		return err
	}
	w.ForgetCredential(context.WithoutCancel(ctx), account, o.CustomerID, o.Credential)
	return errors.Join(ErrLogin, err)
}

// loggedInOwner is a customer who has logged in to one of the merchant's sessions, with the credential: ErrNotFound for one
// the merchant never met, ErrLogin where the login is over. Merchants that share an account share its gateway's customers, and a
// credential opens what the gateway keeps for the customer: it is lent only to a merchant to whom the customer has logged in.
func (w *Wallet) loggedInOwner(ctx context.Context, h Holder) (providers.Owner, error) {
	known, err := w.Customers.Met(ctx, h.Merchant, h.Account, h.Customer)
	if err != nil {
		return providers.Owner{}, err
	}
	if !known {
		return providers.Owner{}, ErrNotFound
	}
	owner := providers.Owner{CustomerID: h.Customer, Credential: w.Credential(ctx, h.Account, h.Customer)}
	if owner.Credential.Empty() {
		return owner, ErrLogin
	}
	return owner, nil
}

// ownerOf is whose card it is, as the gateway is told. ErrLogin where the customer has to log in first.
func (w *Wallet) ownerOf(ctx context.Context, acc account.Account, c SavedCard) (providers.Owner, error) {
	if !acc.LogsIn() {
		return providers.Owner{CustomerID: c.Owner()}, nil
	}
	owner, err := w.loggedInOwner(ctx, Holder{c.Merchant, c.Account, c.Customer})
	if errors.Is(err, ErrNotFound) {
		err = ErrLogin
	}
	return owner, err
}
