package flow

import (
	"context"
	"time"

	"tollgate/internal/card"
)

// SavedCard is a card that a gateway keeps for a merchant's customer.
type SavedCard struct {
	ID        string // ours, unguessable: sc_…
	Merchant  string
	Account   string
	Customer  string // the merchant's id of the customer; with gateways that have logins, the gateway's
	GatewayID string // bindingId, card-ref-id, registrationId, token
	Card      card.Masked
	Expiry    string // MM/YY or ""
	Name      string // the customer's own name for it
	SeriesID  string // the gateway's id of the payment that began a series of merchant-initiated ones
	CreatedAt time.Time
}

// Customers keeps what outlives a session: credentials of customers, sealed, and names of saved cards. storetest says how
// it must behave.
type Customers interface {
	// SaveCredential keeps the newest sealed credential of a customer in an account (one that was issued before the one that is
	// kept changes nothing); the merchant has met the customer.
	SaveCredential(ctx context.Context, merchant, account, customer, sealed string, issued, expires time.Time) error
	// Met tells whether a credential of the customer's was ever saved for the merchant.
	Met(ctx context.Context, merchant, account, customer string) (bool, error)
	// Credential reads it. session.ErrNotFound where there is none or its time is over.
	Credential(ctx context.Context, account, customer string) (sealed string, err error)
	// DropCredential forgets it, if it is still the given one; else nothing happens.
	DropCredential(ctx context.Context, account, customer, sealed string) error
	// SaveCard keeps a saved card. A known gateway id of the same account and customer is replaced and keeps its ID.
	SaveCard(ctx context.Context, c *SavedCard) error
	// SavedCards lists a customer's cards in an account, newest first; account "" means all of the merchant's.
	SavedCards(ctx context.Context, merchant, account, customer string) ([]SavedCard, error)
	// SavedCard reads one. session.ErrNotFound.
	SavedCard(ctx context.Context, merchant, id string) (SavedCard, error)
	// RenameSavedCard and DropSavedCard change one. session.ErrNotFound.
	RenameSavedCard(ctx context.Context, merchant, id, name string) error
	DropSavedCard(ctx context.Context, merchant, id string) error
	// AddCardOrder writes an order without a card, or answers the one that has its account and reference.
	AddCardOrder(ctx context.Context, o CardOrder) (earlier *CardOrder, err error)
	// FillCardOrder keeps the card that came of an order, as SaveCard does, and its ID with the order.
	FillCardOrder(ctx context.Context, o CardOrder, c *SavedCard) error
	// DropCardOrder forgets an order that no card came of; its reference is free again.
	DropCardOrder(ctx context.Context, o CardOrder) error
}
