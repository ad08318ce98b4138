package wallet

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/providers"
)

// CardOrder is a card that a merchant asks of a gateway outside any payment. Its row is the only permission to ask: what is
// not answered is never asked again under the same reference.
type CardOrder struct {
	Merchant  string
	Account   string
	Reference string // the account's only once, for ever; RefTag stands in front of what the merchant gave
	RefTag    string // the merchant's, in an account that others use too; not kept
	Customer  string
	Kind      CardOrderKind
	Card      string // the saved card that came of it: ours; "" while that is not known
	CreatedAt time.Time
}

func (o CardOrder) holder() Holder { return Holder{o.Merchant, o.Account, o.Customer} }

// CardOrderKind says what is asked.
type CardOrderKind string

// Kinds of card orders.
const (
	VirtualCard CardOrderKind = "virtual"
	Registered  CardOrderKind = "registered"
)

// IssueVirtualCard has the gateway make a virtual card of a customer's, who has logged in to a session of the merchant's
// where the gateway has logins (ErrLogin). Repeated with its reference it answers with the same card; while it is not known
// what came of the first call that is ErrUnsettled. A reference of something else is ErrReference.
func (w *Wallet) IssueVirtualCard(ctx context.Context, o CardOrder) (SavedCard, error) {
	o.Kind = VirtualCard
	acc := w.Accounts[o.Account]
	if !acc.IssuesVirtualCards() {
		return SavedCard{}, account.ErrCannot
	}
	return w.order(ctx, acc, o, card.Masked{}, func(ctx context.Context, owner providers.Owner) (made providers.SavedCard,
		err error) {
		_, err = account.Call(ctx, acc, "card", func(call context.Context, gateway providers.VirtualCardIssuer) (err error) {
			made, err = gateway.IssueVirtualCard(call, owner, o.Reference)
			return err
		})
		return made, err
	})
}

// RegisterCard has the gateway keep a customer's card without a payment; its number and code are in memory only. For the
// rest as IssueVirtualCard.
func (w *Wallet) RegisterCard(ctx context.Context, o CardOrder, c card.Card, of providers.Customer) (SavedCard, error) {
	o.Kind, of.ID = Registered, o.RefTag+o.Customer
	acc := w.Accounts[o.Account]
	if !acc.RegistersCards() {
		return SavedCard{}, account.ErrCannot
	}
	return w.order(ctx, acc, o, c.Number.Masked(),
		func(ctx context.Context, owner providers.Owner) (made providers.SavedCard, err error) {
			_, err = account.Call(ctx, acc, "card", func(call context.Context, gateway providers.CardRegistrar) (err error) {
				now := w.Now()
				made, err = gateway.RegisterCard(call, owner, o.Reference, c, providers.Payment{
					Ref: providers.Ref{Reference: o.Reference}, OrderID: o.Reference, Customer: of, CreatedAt: now,
					ExpiresAt: now.Add(account.DefaultCallTimeout),
				})
				return err
			})
			return made, err
		})
}

// order writes an order down and asks for its card, once. shown is what is known of the card before.
func (w *Wallet) order(ctx context.Context, acc account.Account, o CardOrder, shown card.Masked,
	ask func(context.Context, providers.Owner) (providers.SavedCard, error),
) (SavedCard, error) {
	owner := providers.Owner{CustomerID: o.RefTag + o.Customer}
	if acc.LogsIn() { // the gateway has customers of its own
		var err error
		if owner, err = w.loggedInOwner(ctx, o.holder()); errors.Is(err, ErrNotFound) {
			err = ErrLogin
		}
		if err != nil {
			return SavedCard{}, err
		}
	}
	o.CreatedAt = w.Now()
	earlier, err := w.Customers.AddCardOrder(ctx, o)
	if err != nil {
		return SavedCard{}, err
	}
	if earlier != nil {
		return w.ordered(ctx, o, *earlier, shown)
	}
	ctx, done := account.Detached(ctx)
	defer done()
	said, err := ask(ctx, owner)
	if err != nil {
		w.needsLogin(ctx, o.Account, owner, err) //nolint:errcheck // provenNotCreated says so too
		if proved := provenNotCreated(err); proved != nil {
			return SavedCard{}, errors.Join(proved, w.Customers.DropCardOrder(ctx, o))
		}
		return SavedCard{}, err
	}
	if said.Card == (card.Masked{}) {
		said.Card = shown
	}
	token, err := w.Token()
	if err != nil {
		return SavedCard{}, err
	}
	made := SavedCard{
		ID: "sc_" + token, Merchant: o.Merchant, Account: o.Account, Customer: o.Customer, GatewayID: said.ID,
		GatewayCustomer: owner.CustomerID, Card: said.Card, Expiry: said.Expiry, Name: said.Name,
		CreatedAt: w.Now().Truncate(time.Microsecond), // as it is stored
		Kind:      said.Kind, System: said.System, Info: said.Info, IssuedAt: said.IssuedAt,
	}
	return made, w.Customers.FillCardOrder(ctx, o, &made)
}

// ordered answers an order that was written down before.
func (w *Wallet) ordered(ctx context.Context, o, earlier CardOrder, shown card.Masked) (SavedCard, error) {
	if earlier.Merchant != o.Merchant || earlier.Customer != o.Customer || earlier.Kind != o.Kind {
		return SavedCard{}, ErrReference
	}
	if earlier.Card == "" {
		return SavedCard{}, ErrUnsettled
	}
	made, err := w.Customers.SavedCard(ctx, o.Merchant, earlier.Card)
	if errors.Is(err, ErrNotFound) || err == nil && shown != (card.Masked{}) &&
		(made.Card.First6 != shown.First6 || made.Card.Last4 != shown.Last4) {
		return SavedCard{}, ErrReference // of a card that was forgotten since, or of another
	}
	return made, err
}

// provenNotCreated is the error to tell where err proves that no card was made, else nil.
func provenNotCreated(err error) error {
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok { // before any call
		return refusal
	}
	if errors.Is(err, providers.ErrCredential) {
		return ErrLogin
	}
	if failure, ok := errors.AsType[*providers.Failure](err); ok && failure.Code != "" {
		return errors.Join(ErrRefused, failure)
	}
	return nil
}
