// Package invoice holds bills: what a merchant has a gateway ask of a customer on a page of the gateway's own. A bill is written
// down before the gateway is asked to make it, made once under its reference, inquired about, renewed, and made again where
// the gateway proves not to have it. Nothing of it is a session.
package invoice

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/money"
	"tollgate/providers"
)

// Invoice is a bill with a page of the gateway's own. It is not a session: nobody pays it with us, and the gateway alone
// knows how it stands.
type Invoice struct {
	ID          string             `json:"id"` // ours, unguessable: inv_…
	Version     int64              `json:"-"`  // as loaded
	Merchant    string             `json:"merchant"`
	Account     string             `json:"account"`
	Reference   string             `json:"reference"` // used once in its account; what the merchant gave, after its RefTag
	RefTag      string             `json:"ref_tag,omitempty"`
	Amount      money.Amount       `json:"amount"`
	Description string             `json:"description,omitempty"`
	Customer    providers.Customer `json:"customer,omitzero"`
	ReturnURL   string             `json:"return_url"` // where the gateway's page leads back to
	Metadata    map[string]string  `json:"metadata,omitempty"`
	Status      Status             `json:"status"`
	GatewayID   string             `json:"gateway_id,omitempty"`
	URL         string             `json:"url,omitempty"`     // where it is paid
	Deadline    time.Time          `json:"deadline,omitzero"` // of the call that creates it; before that it is not sent again
	CreatedAt   time.Time          `json:"created_at"`
	CheckedAt   time.Time          `json:"asked_at,omitzero"` // when the gateway last said how it stands
	NewsAt      time.Time          `json:"news_at,omitzero"`  // when its status or address last changed; inquiries are scheduled from then
	Told        bool               `json:"told,omitempty"`    // invoice.created was told
	NeedsReview bool               `json:"needs_review,omitempty"`
}

// Status is how an invoice stands.
type Status string

// Invoice statuses.
const (
	Unknown Status = "unknown" // nobody knows whether the gateway has it
	Open    Status = "open"
	Paid    Status = "paid"
	Closed  Status = "closed" // expired or cancelled
	Failed  Status = "failed" // the gateway does not have it
)

// What can be answered in place of an invoice.
var (
	ErrNotFound = errors.New("invoice: not found")
	ErrConflict = errors.New("invoice: changed by somebody else")
	// ErrReference says that a reference belongs to something else; it is an account's only once, for ever.
	ErrReference = errors.New("invoice: the reference is in use")
	ErrPaid      = errors.New("invoice: paid already")
)

// Store keeps invoices. storetest says how it must behave.
type Store interface {
	// AddInvoice writes a new one, with what belongs to it. ErrReference where the account has one with that reference.
	AddInvoice(ctx context.Context, in *Invoice, c Change) error
	// SaveInvoice is compare-and-swap on Version, and sets the new one. ErrConflict, and nothing written.
	SaveInvoice(ctx context.Context, in *Invoice, c Change) error
	// DropInvoice forgets one that was not changed since. ErrNotFound.
	DropInvoice(ctx context.Context, in *Invoice) error
	// Invoice and InvoiceOf read one. ErrNotFound.
	Invoice(ctx context.Context, merchant, id string) (Invoice, error)
	InvoiceOf(ctx context.Context, account, reference string) (Invoice, error)
	// ListInvoices finds a merchant's, newest first.
	ListInvoices(ctx context.Context, f Filter) ([]Invoice, error)
}

// Filter chooses invoices for ListInvoices.
type Filter struct {
	Merchant  string // always set
	Account   string
	Reference string // as the merchant gave it, or with the merchant's tag
	Status    Status
	Before    string // the id of the last invoice of the page before; "" for the first page
	Limit     int    // at most 100
}

// reserve lets one call make the invoice: it begins within one timeout of now, and is over within the next.
func (in *Invoice) reserve(acc account.Account, now time.Time) {
	in.Status, in.Deadline, in.NewsAt = Unknown, now.Add(2*acc.CallTimeout), now
}

// apply takes in what the gateway said, and tells whether that counts: paid is final, and not found is no proof while the
// call that makes the invoice may be under way.
func (in *Invoice) apply(said providers.Invoice, now time.Time) bool {
	if in.Status == Paid || said.Status == providers.NotFound && (in.GatewayID != "" || now.Before(in.Deadline)) {
		return false
	}
	switch {
	case said.Amount != in.Amount: // another's bill, or not what was asked for
		in.Status = Unknown
	case said.Status == providers.NotFound:
		in.Status = Failed
	case said.Status == providers.Waiting || said.Status == providers.Processing:
		in.Status = Open
	case said.Status == providers.Paid || said.Status == providers.Authorized:
		in.Status = Paid
	case said.Status == providers.Closed || said.Status == providers.Voided || said.Status == providers.Refused:
		in.Status = Closed
	default:
		in.Status = Unknown
	}
	in.CheckedAt = now
	if said.GatewayID != "" {
		in.GatewayID = said.GatewayID
	}
	if said.URL != "" {
		in.URL = said.URL
	}
	return true
}
