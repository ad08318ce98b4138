package flow

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/session"
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

// CardOrderKind says what is asked.
type CardOrderKind string

// Kinds of card orders.
const (
	VirtualCard CardOrderKind = "virtual"
	Registered  CardOrderKind = "registered"
)

// What a card order can be answered beside its card.
var (
	// ErrLogin says that the gateway wants the customer to log in first, on the page of a session.
	ErrLogin = errors.New("session: the customer has to log in")
	// ErrRefused says that the gateway refused in its own words: there is no card.
	ErrRefused = errors.New("session: the gateway refused")
)

// IssueVirtualCard has the gateway make a virtual card of a customer's, who has logged in to a session of the merchant's
// where the gateway has logins (ErrLogin). Repeated with its reference it answers with the same card; while it is not known
// what came of the first call that is session.ErrUnsettled. A reference of something else is ErrReference.
func (f *Flow) IssueVirtualCard(ctx context.Context, o CardOrder) (SavedCard, error) {
	o.Kind = VirtualCard
	issuer, ok := f.Accounts[o.Account].Provider.(providers.VirtualCardIssuer)
	if !ok {
		return SavedCard{}, session.ErrOperation
	}
	return f.order(ctx, o, card.Masked{}, func(ctx context.Context, owner providers.Owner) (providers.SavedCard, error) {
		return issuer.IssueVirtualCard(ctx, owner, o.Reference)
	})
}

// RegisterCard has the gateway keep a customer's card without a payment; its number and code are in memory only. For the
// rest as IssueVirtualCard.
func (f *Flow) RegisterCard(ctx context.Context, o CardOrder, c card.Card, of providers.Customer) (SavedCard, error) {
	o.Kind, of.ID = Registered, o.Customer
	registrar, ok := f.Accounts[o.Account].Provider.(providers.CardRegistrar)
	if !ok {
		return SavedCard{}, session.ErrOperation
	}
	return f.order(ctx, o, c.Number.Masked(), func(ctx context.Context, owner providers.Owner) (providers.SavedCard, error) {
		now := f.Now()
		return registrar.RegisterCard(ctx, owner, o.Reference, c, providers.Payment{
			Ref: providers.Ref{Reference: o.Reference}, OrderID: o.Reference, Customer: of, CreatedAt: now, ExpiresAt: now.Add(session.CallTimeout),
		})
	})
}

// order writes an order down and asks for its card, once. shown is what is known of the card before.
func (f *Flow) order(ctx context.Context, o CardOrder, shown card.Masked, ask func(context.Context, providers.Owner) (providers.SavedCard, error)) (SavedCard, error) {
	owner := providers.Owner{CustomerID: o.Customer}
	if _, logs := f.Accounts[o.Account].Provider.(providers.Login); logs { // the gateway has customers of its own
		var err error
		if owner, err = f.met(ctx, o.Merchant, o.Account, o.Customer); errors.Is(err, session.ErrNotFound) {
			err = ErrLogin
		}
		if err != nil {
			return SavedCard{}, err
		}
	}
	o.CreatedAt = f.Now()
	earlier, err := f.Customers.AddCardOrder(ctx, o)
	if err != nil {
		return SavedCard{}, err
	}
	if earlier != nil {
		return f.ordered(ctx, o, *earlier, shown)
	}
	acc := f.Accounts[o.Account].withDefaults()
	ctx, done := unhurried(ctx)
	defer done()
	var said providers.SavedCard
	_, err = f.dial(ctx, acc, "card", func(call context.Context) (err error) {
		said, err = ask(call, owner)
		return err
	})
	if err != nil {
		f.needsLogin(ctx, o.Account, owner, err) //nolint:errcheck // unmade says so too
		if proved := unmade(err); proved != nil {
			return SavedCard{}, errors.Join(proved, f.Customers.DropCardOrder(ctx, o))
		}
		return SavedCard{}, err
	}
	if said.Card == (card.Masked{}) {
		said.Card = shown
	}
	token, err := f.token()
	if err != nil {
		return SavedCard{}, err
	}
	made := SavedCard{
		ID: "sc_" + token, Merchant: o.Merchant, Account: o.Account, Customer: o.Customer, GatewayID: said.ID,
		Card: said.Card, Expiry: said.Expiry, Name: said.Name, CreatedAt: f.Now().Truncate(time.Microsecond), // as it is stored
	}
	return made, f.Customers.FillCardOrder(ctx, o, &made)
}

// unhurried lets a call to the gateway end although whoever asked for it has gone, within the time that a merchant's
// request may take.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
}

// met is a customer who has logged in to one of the merchant's sessions, with the credential: session.ErrNotFound for one the
// merchant never met, ErrLogin where the login is over.
func (f *Flow) met(ctx context.Context, merchant, account, customer string) (providers.Owner, error) {
	known, err := f.Customers.Met(ctx, merchant, account, customer)
	if err != nil {
		return providers.Owner{}, err
	}
	if !known {
		return providers.Owner{}, session.ErrNotFound
	}
	owner := f.ownerOf(ctx, SavedCard{Account: account, Customer: customer})
	if owner.Credential.Empty() {
		return owner, ErrLogin
	}
	return owner, nil
}

// ordered answers an order that was written down before.
func (f *Flow) ordered(ctx context.Context, o, earlier CardOrder, shown card.Masked) (SavedCard, error) {
	if earlier.Merchant != o.Merchant || earlier.Customer != o.Customer || earlier.Kind != o.Kind {
		return SavedCard{}, ErrReference
	}
	if earlier.Card == "" {
		return SavedCard{}, session.ErrUnsettled
	}
	made, err := f.Customers.SavedCard(ctx, o.Merchant, earlier.Card)
	if errors.Is(err, session.ErrNotFound) || err == nil && shown != (card.Masked{}) && (made.Card.First6 != shown.First6 || made.Card.Last4 != shown.Last4) {
		return SavedCard{}, ErrReference // of a card that was forgotten since, or of another
	}
	return made, err
}

// unmade is the error to tell where err proves that no card was made, else nil.
func unmade(err error) error {
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
