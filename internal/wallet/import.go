package wallet

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/providers"
)

// ErrNotYours says that the gateway does not keep the card for this customer, or that another customer or merchant holds it; which
// of them it does not say.
var ErrNotYours = errors.New("wallet: not a card of this customer")

// Import is a card that a gateway keeps already, as the merchant knows it from another system.
type Import struct {
	Holder
	GatewayID string
	Card      card.Masked
	Expiry    string
	Name      string
	SeriesID  string
}

// Import takes a card over: ErrNotYours where it is somebody else's. It is checked against the gateway where that can tell;
// SavedCard.CheckedAt says whether it was. Repeated, it answers with the same card and asks nobody.
func (w *Wallet) Import(ctx context.Context, in Import) (SavedCard, error) {
	acc, err := w.Accounts.Find(in.Account)
	if err == nil && !acc.KeepsCards() {
		err = account.ErrCannot
	}
	if err != nil {
		return SavedCard{}, err
	}
	holders, err := w.Customers.CardHolders(ctx, in.Account, in.GatewayID)
	if err != nil {
		return SavedCard{}, err
	}
	for _, c := range holders {
		if c.Merchant != in.Merchant || c.Customer != in.Customer {
			return SavedCard{}, ErrNotYours
		}
	}
	if len(holders) > 0 {
		return holders[0], nil
	}
	said, checked, err := w.ask(ctx, acc, in)
	if err != nil {
		return SavedCard{}, err
	}
	token, err := w.Token()
	if err != nil {
		return SavedCard{}, err
	}
	made := in.Holder.card(said)
	made.ID, made.CreatedAt, made.SeriesID, made.Imported = "sc_"+token, w.Now().Truncate(time.Microsecond), in.SeriesID, true
	made.GatewayCustomer = in.Customer
	if checked {
		made.CheckedAt = made.CreatedAt
	}
	return *made, w.Customers.ImportCard(ctx, made)
}

// ask is what the gateway says of a card, over what the merchant says.
func (w *Wallet) ask(ctx context.Context, acc account.Account, in Import) (said providers.SavedCard, checked bool, err error) {
	owner := providers.Owner{CustomerID: in.Customer}
	told := providers.SavedCard{ID: in.GatewayID, Card: in.Card, Expiry: in.Expiry, Name: in.Name}
	if acc.LogsIn() {
		owner, err = w.loggedInOwner(ctx, in.Holder)
		if errors.Is(err, ErrLogin) || errors.Is(err, ErrNotFound) {
			return told, false, nil // the list that the next login brings tells
		}
		if err != nil {
			return said, false, err
		}
	}
	one, err := w.asking(ctx, acc, owner)
	if err == nil {
		said, err = one(in.GatewayID)
	}
	switch {
	case errors.Is(err, account.ErrCannot):
		return told, false, nil
	case errors.Is(err, providers.ErrNoCard):
		return said, false, ErrNotYours
	case errors.Is(err, providers.ErrCredential):
		return told, false, nil
	case err != nil:
		return said, false, err
	}
	if said.Card.Last4 == "" {
		said.Card = told.Card
	} else if told.Card.Last4 != "" && told.Card.Last4 != said.Card.Last4 {
		return said, false, ErrNotYours
	}
	if said.Expiry == "" {
		said.Expiry = told.Expiry
	}
	if said.Name == "" {
		said.Name = told.Name
	}
	said.ID = in.GatewayID
	return said, true, nil
}

// turn waits until the account's gateway may be asked about another card. ErrTooFast where that would take longer than the caller
// has.
func (w *Wallet) turn(ctx context.Context, acc account.Account) error {
	if acc.CardCalls <= 0 {
		return nil
	}
	gap := time.Second / time.Duration(acc.CardCalls)
	w.mu.Lock()
	now := w.Now()
	at := w.next[acc.Name]
	if at.Before(now) {
		at = now
	}
	wait := at.Sub(now)
	if wait > longestTurn {
		w.mu.Unlock()
		return &TooFast{Wait: wait}
	}
	w.next[acc.Name] = at.Add(gap)
	w.mu.Unlock()
	return w.Pause(ctx, wait)
}

// longestTurn is how long a caller waits for a turn at a gateway.
const longestTurn = 5 * time.Second

// TooFast says that more is asked of a gateway about saved cards than its account allows in a second.
type TooFast struct{ Wait time.Duration }

func (t *TooFast) Error() string { return "wallet: the account's calls in a second are used up" }

// pause waits by the machine's clock.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
