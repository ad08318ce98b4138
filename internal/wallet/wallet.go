// Package wallet holds what outlives a session on the customer's side: the credential of a customer who has logged in, sealed
// at rest per account and customer; the cards that a gateway keeps for a customer; the cards that a merchant orders outside any
// payment; and the gateway's list of a customer's transactions, which takes that credential. Whose session it is, and in which
// browser, package session/flow decides.
package wallet

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/providers"
)

// What a wallet can answer.
var (
	// ErrNotFound says that there is no such card, credential or customer.
	ErrNotFound = errors.New("wallet: not found")
	// ErrLogin says that the gateway wants the customer to log in first, on the page of a session.
	ErrLogin = errors.New("wallet: the customer has to log in")
	// ErrRefused says that the gateway refused in its own words: there is no card.
	ErrRefused = errors.New("wallet: the gateway refused")
	// ErrReference says that a reference belongs to something else; it is an account's only once, for ever.
	ErrReference = errors.New("wallet: the reference is in use")
	// ErrUnsettled says that it is not known yet what came of the first call.
	ErrUnsettled = errors.New("wallet: the outcome is not known")
)

// SavedCard is a card that a gateway keeps for a merchant's customer.
type SavedCard struct {
	ID        string // ours, unguessable: sc_…
	Merchant  string
	Account   string
	Customer  string // the merchant's id of the customer; with gateways that have logins, the gateway's
	GatewayID string // bindingId, card-ref-id, registrationId, token
	// GatewayCustomer is Customer as the gateway was told: another where merchants share the account. "" in rows of versions
	// that told Customer.
	GatewayCustomer string
	Card            card.Masked
	Expiry          string // MM/YY or ""
	Name            string // the customer's own name for it
	SeriesID        string // the gateway's id of the payment that began a series of merchant-initiated ones
	CreatedAt       time.Time

	Kind      string // the gateway's word for what it is
	System    string // the payment system, in the gateway's word
	Info      string // what else the gateway says of it, a JSON object
	IssuedAt  time.Time
	CheckedAt time.Time // when the gateway last said that it keeps the card; zero: it was never asked
	Imported  bool
}

// Owner is whose card it is at the gateway.
func (c SavedCard) Owner() string { return cmp.Or(c.GatewayCustomer, c.Customer) }

// Holder is whose cards are meant: a merchant's customer in an account.
type Holder struct{ Merchant, Account, Customer string }

// Customers keeps credentials of customers, sealed, and names of saved cards. storetest says how it must behave.
type Customers interface {
	// SaveCredential keeps the newest sealed credential of a customer in an account (one that was issued before the one that is
	// kept changes nothing); the merchant has met the customer.
	SaveCredential(ctx context.Context, merchant, account, customer, sealed string, issued, expires time.Time) error
	// Met tells whether a credential of the customer's was ever saved for the merchant.
	Met(ctx context.Context, merchant, account, customer string) (bool, error)
	// Credential reads it. ErrNotFound where there is none or its time is over.
	Credential(ctx context.Context, account, customer string) (sealed string, err error)
	// DropCredential forgets it, if it is still the given one; else nothing happens.
	DropCredential(ctx context.Context, account, customer, sealed string) error
	// SaveCard keeps a saved card. A known gateway id of the same account and customer is replaced and keeps its ID, its name
	// and, where the newer names none, its series.
	SaveCard(ctx context.Context, c *SavedCard) error
	// SavedCards lists a customer's cards in an account, newest first; account "" means all of the merchant's.
	SavedCards(ctx context.Context, merchant, account, customer string) ([]SavedCard, error)
	// SavedCard reads one. ErrNotFound.
	SavedCard(ctx context.Context, merchant, id string) (SavedCard, error)
	// BeginSeries keeps the payment that began a card's series, unless one did before. ErrNotFound.
	BeginSeries(ctx context.Context, merchant, id, series string) error
	// RenameSavedCard and DropSavedCard change one. ErrNotFound.
	RenameSavedCard(ctx context.Context, merchant, id, name string) error
	DropSavedCard(ctx context.Context, merchant, id string) error
	// UpdateCard keeps what the gateway says of a card now; its name and series stay. ErrNotFound.
	UpdateCard(ctx context.Context, c *SavedCard) error
	// CardHolders are the cards of an account under a gateway's name, whoever's they are.
	CardHolders(ctx context.Context, account, gatewayID string) ([]SavedCard, error)
	// ImportCard keeps a card that nobody else holds: ErrNotYours. It sets the ID that the holder's card has.
	ImportCard(ctx context.Context, c *SavedCard) error
	// CardsToAsk lists holders in an account about one of whose cards nobody asked since before, the longest ago first.
	CardsToAsk(ctx context.Context, account string, before time.Time, limit int) ([]Holder, error)
	// TakeCards notes that a holder's cards are being asked about, and tells whether they were due.
	TakeCards(ctx context.Context, h Holder, before, now time.Time) (bool, error)
	// AddCardOrder writes an order without a card, or answers the one that has its account and reference.
	AddCardOrder(ctx context.Context, o CardOrder) (earlier *CardOrder, err error)
	// FillCardOrder keeps the card that came of an order, as SaveCard does, and its ID with the order.
	FillCardOrder(ctx context.Context, o CardOrder, c *SavedCard) error
	// DropCardOrder forgets an order that no card came of; its reference is free again.
	DropCardOrder(ctx context.Context, o CardOrder) error
}

// Sealer seals bytes so that only Tollgate can read and make them.
type Sealer interface {
	Seal(name string, v []byte) (string, error)
	Unseal(name, sealed string) ([]byte, error)
}

// Options is what a Wallet needs.
type Options struct {
	Customers Customers
	Accounts  account.Accounts
	Sealer    Sealer
	Now       func() time.Time
	Token     func() (string, error) // makes what is unguessable in an id
	Log       *slog.Logger
	Pause     func(ctx context.Context, d time.Duration) error // nil: by the machine's clock
}

// Wallet keeps cards and credentials for customers.
type Wallet struct {
	Options

	mu   sync.Mutex
	next map[string]time.Time // when an account's gateway may be asked about a card again
}

// New makes a Wallet.
func New(o Options) *Wallet {
	if o.Pause == nil {
		o.Pause = pause
	}
	return &Wallet{Options: o, next: map[string]time.Time{}}
}

// History is the gateway's own list of transactions; with gateways that have logins it is one customer's, who has logged in
// to one of the merchant's sessions: ErrNotFound for one the merchant never met, ErrLogin where the login is over.
// account.ErrCannot where the gateway has no list.
func (w *Wallet) History(ctx context.Context, h Holder, q providers.HistoryQuery) (
	lines []providers.HistoryLine, next string, err error,
) {
	acc, err := w.Accounts.Find(h.Account)
	if err != nil {
		return nil, "", err
	}
	if !acc.ListsHistory() {
		return nil, "", account.ErrCannot
	}
	if acc.LogsIn() {
		if q.Owner, err = w.loggedInOwner(ctx, h); err != nil {
			return nil, "", err
		}
	} else if q.Kinds != "" || q.Everywhere {
		return nil, "", providers.Refuse("kinds", "this gateway keeps no list for each customer")
	}
	_, err = account.Call(ctx, acc, "history", func(call context.Context, gateway providers.Historian) (err error) {
		lines, next, err = gateway.History(call, q)
		return err
	})
	return lines, next, w.needsLogin(ctx, h.Account, q.Owner, err)
}
