package wallet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/providers"
)

// Cards lists a holder's cards. Where customers log in, the gateway's own list is the truth, for it knows cards that we never
// saw: it is asked as the given owner, who has so long to wait, and refuses them with providers.ErrCredential.
func (w *Wallet) Cards(ctx context.Context, h Holder, as providers.Owner, within time.Duration) ([]SavedCard, error) {
	acc, err := w.Accounts.Find(h.Account)
	if err != nil {
		return nil, err
	}
	if acc.LogsIn() {
		if err := w.fetchCards(ctx, acc, h, as, within); err != nil {
			return nil, err
		}
	}
	return w.Customers.SavedCards(ctx, h.Merchant, h.Account, h.Customer)
}

// fetchCards keeps what the gateway lists. One that cannot list leaves the list to us.
func (w *Wallet) fetchCards(ctx context.Context, acc account.Account, h Holder, as providers.Owner, within time.Duration) error {
	limited, done := context.WithTimeout(ctx, within)
	defer done()
	var found []providers.SavedCard
	_, err := account.Call(limited, acc, "cards", func(call context.Context, gateway providers.CardKeeper) (err error) {
		found, err = gateway.Cards(call, as)
		return err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	byID := map[string]providers.SavedCard{}
	for _, c := range found {
		byID[c.ID] = c
		listed := h.card(c)
		listed.CheckedAt = w.Now()
		if err := w.keep(ctx, listed); err != nil {
			return err
		}
	}
	kept, err := w.Customers.SavedCards(ctx, h.Merchant, h.Account, h.Customer)
	if err != nil {
		return err
	}
	for _, ours := range kept { // what was deleted or renamed elsewhere, in the bank's app
		theirs, there := byID[ours.GatewayID]
		switch {
		case !there:
			err = w.Customers.DropSavedCard(ctx, h.Merchant, ours.ID)
		case theirs.Name != "" && theirs.Name != ours.Name:
			err = w.Customers.RenameSavedCard(ctx, h.Merchant, ours.ID, theirs.Name)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// card is a holder's card as the gateway tells it; it has no ID yet.
func (h Holder) card(c providers.SavedCard) *SavedCard {
	return &SavedCard{Merchant: h.Merchant, Account: h.Account, Customer: h.Customer, GatewayID: c.ID, Card: c.Card,
		Expiry: c.Expiry, Name: c.Name, Kind: c.Kind, System: c.System, Info: c.Info, IssuedAt: c.IssuedAt}
}

func (w *Wallet) keep(ctx context.Context, c *SavedCard) error {
	token, err := w.Token()
	if err != nil {
		return err
	}
	c.ID, c.CreatedAt = "sc_"+token, w.Now()
	return w.Customers.SaveCard(ctx, c)
}

// Remember asks the gateway for the name of the card that a good payment saved, and keeps it. shown is what is known of the
// card otherwise. A card without a name was not saved after all.
func (w *Wallet) Remember(ctx context.Context, h Holder, p providers.Payment, st providers.Standing,
	shown card.Masked) (saved providers.SavedCard, err error) {
	acc, err := w.Accounts.Find(h.Account)
	if err != nil {
		return saved, err
	}
	if _, err = account.Call(ctx, acc, "remember", func(call context.Context, gateway providers.CardKeeper) (err error) {
		saved, err = gateway.Remember(call, p, st)
		return err
	}); err != nil || saved.ID == "" {
		return saved, err
	}
	if saved.Card == (card.Masked{}) {
		saved.Card = shown
	}
	kept := h.card(saved)
	kept.GatewayCustomer = p.Customer.ID
	if p.BeginsSeries {
		kept.SeriesID = cmp.Or(p.Ref.OrderID, st.Ref.OrderID)
	}
	return saved, w.keep(ctx, kept)
}

// BeganSeries keeps that a payment with a saved card began a series of charges without the customer. The first stays; a card that
// was forgotten since is no error.
func (w *Wallet) BeganSeries(ctx context.Context, merchant, id, series string) error {
	if err := w.Customers.BeginSeries(ctx, merchant, id, series); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// Forget deletes a saved card at the gateway and here. ErrLogin where the customer has to log in first.
func (w *Wallet) Forget(ctx context.Context, merchant, id string) error {
	c, acc, err := w.kept(ctx, merchant, id)
	if err != nil {
		return err
	}
	owner, err := w.ownerOf(ctx, acc, c)
	if err != nil {
		return err
	}
	if _, err := account.Call(ctx, acc, "forget", func(call context.Context, gateway providers.CardKeeper) error {
		return gateway.Forget(call, owner, "forget-"+id[max(0, len(id)-20):], c.GatewayID)
	}); err != nil {
		return w.needsLogin(ctx, c.Account, owner, err)
	}
	return w.Customers.DropSavedCard(ctx, merchant, id)
}

// Rename gives a saved card a name, at the gateway too where it knows names. ErrLogin as Forget.
func (w *Wallet) Rename(ctx context.Context, merchant, id, name string) error {
	c, acc, err := w.kept(ctx, merchant, id)
	if err != nil {
		return err
	}
	if acc.RenamesCards() {
		owner, err := w.ownerOf(ctx, acc, c)
		if err != nil {
			return err
		}
		if _, err := account.Call(ctx, acc, "rename", func(call context.Context, gateway providers.CardRenamer) error {
			return gateway.RenameCard(call, owner, fmt.Sprintf("rename-%d", w.Now().UnixMicro()), c.GatewayID, name)
		}); err != nil {
			return w.needsLogin(ctx, c.Account, owner, err)
		}
	}
	return w.Customers.RenameSavedCard(ctx, merchant, id, name)
}

// kept finds a saved card and the account that keeps it.
func (w *Wallet) kept(ctx context.Context, merchant, id string) (SavedCard, account.Account, error) {
	c, err := w.Customers.SavedCard(ctx, merchant, id)
	if err != nil {
		return c, account.Account{}, err
	}
	acc, err := w.Accounts.Find(c.Account)
	if err == nil && !acc.KeepsCards() {
		err = account.ErrCannot
	}
	return c, acc, err
}
