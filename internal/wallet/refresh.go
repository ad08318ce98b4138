package wallet

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
)

// RefreshEvery is how often the gateway is asked by schedule how a saved card is.
const RefreshEvery = 24 * time.Hour

// Refresh asks the gateway how a holder's cards are now: those it keeps no more are dropped, expiry and name follow it. ErrLogin
// where the customer has to log in first, ErrNotFound where they never did; account.ErrCannot where the gateway tells nothing.
func (w *Wallet) Refresh(ctx context.Context, h Holder) ([]SavedCard, error) {
	acc, err := w.Accounts.Find(h.Account)
	if err == nil && !acc.KeepsCards() {
		err = account.ErrCannot
	}
	if err != nil {
		return nil, err
	}
	if acc.LogsIn() {
		owner, err := w.loggedInOwner(ctx, h)
		if err != nil {
			return nil, err
		}
		if err := w.fetchCards(ctx, acc, h, owner, acc.CallTimeout); err != nil {
			return nil, w.needsLogin(ctx, h.Account, owner, err)
		}
	} else if err := w.renew(ctx, acc, h); err != nil {
		return nil, err
	}
	return w.Customers.SavedCards(ctx, h.Merchant, h.Account, h.Customer)
}

// renew brings the cards that we keep of a holder up to date. It adds none: what else the gateway lists under the customer's id may
// be another merchant's.
func (w *Wallet) renew(ctx context.Context, acc account.Account, h Holder) error {
	kept, err := w.Customers.SavedCards(ctx, h.Merchant, h.Account, h.Customer)
	if err != nil || len(kept) == 0 {
		return err
	}
	ask := map[string]func(string) (providers.SavedCard, error){} // by the customer as the gateway was told
	for _, ours := range kept {
		one := ask[ours.Owner()]
		if one == nil {
			if one, err = w.asking(ctx, acc, providers.Owner{CustomerID: ours.Owner()}); err != nil {
				return err
			}
			ask[ours.Owner()] = one
		}
		theirs, err := one(ours.GatewayID)
		if err == nil {
			err = w.update(ctx, ours, theirs)
		} else if errors.Is(err, providers.ErrNoCard) {
			err = w.Customers.DropSavedCard(ctx, ours.Merchant, ours.ID)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// asking is a function that tells how the gateway keeps one card of an owner's: providers.ErrNoCard where it does not. It asks for
// the list once, where there is one, and else for each card. account.ErrCannot where the gateway tells nothing of cards.
func (w *Wallet) asking(ctx context.Context, acc account.Account, o providers.Owner) (
	func(id string) (providers.SavedCard, error), error,
) {
	if err := w.turn(ctx, acc); err != nil {
		return nil, err
	}
	var found []providers.SavedCard
	_, err := account.Call(ctx, acc, "cards", func(call context.Context, gateway providers.CardKeeper) (err error) {
		found, err = gateway.Cards(call, o)
		return err
	})
	if err == nil {
		return func(id string) (providers.SavedCard, error) {
			for _, c := range found {
				if c.ID == id {
					return c, nil
				}
			}
			return providers.SavedCard{}, providers.ErrNoCard
		}, nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	if !acc.ChecksCards() {
		return nil, account.ErrCannot
	}
	first := true
	return func(id string) (c providers.SavedCard, err error) {
		if !first {
			if err := w.turn(ctx, acc); err != nil {
				return c, err
			}
		}
		first = false
		_, err = account.Call(ctx, acc, "card info", func(call context.Context, gateway providers.CardChecker) (err error) {
			c, err = gateway.CheckCard(call, o, id)
			return err
		})
		return c, err
	}, nil
}

// update keeps what the gateway says of a card that we have.
func (w *Wallet) update(ctx context.Context, ours SavedCard, theirs providers.SavedCard) error {
	said := Holder{ours.Merchant, ours.Account, ours.Customer}.card(theirs)
	said.ID, said.CreatedAt, said.CheckedAt = ours.ID, ours.CreatedAt, w.Now()
	if said.Card.Last4 == "" {
		said.Card = ours.Card
	}
	if said.Expiry == "" {
		said.Expiry = ours.Expiry
	}
	if err := w.Customers.UpdateCard(ctx, said); err != nil {
		return err
	}
	if theirs.Name != "" && theirs.Name != ours.Name {
		return w.Customers.RenameSavedCard(ctx, ours.Merchant, ours.ID, theirs.Name)
	}
	return nil
}

// RefreshDue asks about the cards of which the gateway was not asked for RefreshEvery, a few at a time, and tells how many holders it
// asked for. Several machines may do so at once: each card's holder is taken by one of them.
func (w *Wallet) RefreshDue(ctx context.Context) (asked int) {
	before := w.Now().Add(-RefreshEvery)
	for name, acc := range w.Accounts {
		if !acc.KeepsCards() {
			continue
		}
		due, err := w.Customers.CardsToAsk(ctx, name, before, refreshBatch)
		if err != nil {
			w.Log.Error("saved cards cannot be read", "account", name, "error", err)
			continue
		}
		for _, h := range due {
			mine, err := w.Customers.TakeCards(ctx, h, before, w.Now())
			if err != nil || !mine {
				continue
			}
			_, err = w.Refresh(ctx, h)
			quiet := errors.Is(err, account.ErrCannot) || errors.Is(err, ErrLogin) || errors.Is(err, ErrNotFound)
			if err != nil && !quiet {
				w.Log.Warn("saved cards were not refreshed", "account", name, "error", err)
			}
			if asked++; ctx.Err() != nil {
				return asked
			}
		}
	}
	return asked
}

const refreshBatch = 500
