package flow

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/session"
)

// Invoice is a bill with a page of the gateway's own. It is not a session: nobody pays it with us, and the gateway alone
// knows how it stands.
type Invoice struct {
	ID          string             `json:"id"` // ours, unguessable: inv_…
	Version     int64              `json:"-"`  // as loaded
	Merchant    string             `json:"merchant"`
	Account     string             `json:"account"`
	Reference   string             `json:"reference"` // the account's only once, for ever; the gateway knows it; RefTag stands in front of what the merchant gave
	RefTag      string             `json:"ref_tag,omitempty"`
	Amount      money.Amount       `json:"amount"`
	Description string             `json:"description,omitempty"`
	Customer    providers.Customer `json:"customer,omitzero"`
	ReturnURL   string             `json:"return_url"` // where the gateway's page leads back to
	Metadata    map[string]string  `json:"metadata,omitempty"`
	Status      InvoiceStatus      `json:"status"`
	GatewayID   string             `json:"gateway_id,omitempty"`
	URL         string             `json:"url,omitempty"`     // where it is paid
	Deadline    time.Time          `json:"deadline,omitzero"` // when the call that makes it is over for sure; before that nobody makes it again
	CreatedAt   time.Time          `json:"created_at"`
	AskedAt     time.Time          `json:"asked_at,omitzero"` // when the gateway last said how it stands
}

// InvoiceStatus is how an invoice stands.
type InvoiceStatus string

// Invoice statuses.
const (
	InvoiceUnknown InvoiceStatus = "unknown" // nobody knows whether the gateway has it
	InvoiceOpen    InvoiceStatus = "open"
	InvoicePaid    InvoiceStatus = "paid"
	InvoiceClosed  InvoiceStatus = "closed" // expired or cancelled
	InvoiceFailed  InvoiceStatus = "failed" // the gateway does not have it
)

// ErrReference says that a reference belongs to something else; it is an account's only once, for ever.
var ErrReference = errors.New("session: the reference is in use")

// Invoices keeps invoices. storetest says how it must behave.
type Invoices interface {
	// AddInvoice writes a new one. ErrReference where the account has one with that reference.
	AddInvoice(ctx context.Context, in *Invoice) error
	// SaveInvoice is compare-and-swap on Version, and sets the new one. session.ErrConflict.
	SaveInvoice(ctx context.Context, in *Invoice) error
	// DropInvoice forgets one that was not changed since. session.ErrNotFound.
	DropInvoice(ctx context.Context, in *Invoice) error
	// Invoice and InvoiceOf read one. session.ErrNotFound.
	Invoice(ctx context.Context, merchant, id string) (Invoice, error)
	InvoiceOf(ctx context.Context, account, reference string) (Invoice, error)
	// ListInvoices finds a merchant's, newest first.
	ListInvoices(ctx context.Context, f InvoiceFilter) ([]Invoice, error)
}

// InvoiceFilter chooses invoices for ListInvoices.
type InvoiceFilter struct {
	Merchant  string // always set
	Account   string
	Reference string // as the merchant gave it, or with the merchant's tag
	Status    InvoiceStatus
	Before    string // the id of the last invoice of the page before; "" for the first page
	Limit     int    // at most 100
}

func (f *Flow) invoicer(account string) (Account, providers.Invoicer, error) {
	acc, ok := f.Accounts[account]
	if !ok {
		return acc, nil, ErrNoAccount
	}
	invoicer, ok := acc.Provider.(providers.Invoicer)
	if !ok {
		return acc, nil, session.ErrOperation
	}
	return acc.withDefaults(), invoicer, nil
}

// Bill makes an invoice at the gateway. The row is written first: repeated with the same reference and terms it finds that
// one and, where it is not known whether the gateway has it, asks before it makes it again. Other terms are ErrReference.
// A gateway without a clear answer leaves the invoice InvoiceUnknown, which is no error.
func (f *Flow) Bill(ctx context.Context, in Invoice) (Invoice, error) {
	acc, _, err := f.invoicer(in.Account)
	if err != nil {
		return in, err
	}
	token, err := f.token()
	if err != nil {
		return in, err
	}
	in.ID, in.CreatedAt = "inv_"+token, f.Now()
	in.permit(acc, in.CreatedAt)
	err = f.Invoices.AddInvoice(ctx, &in)
	if err == nil {
		return f.makeInvoice(ctx, in)
	}
	if !errors.Is(err, ErrReference) {
		return in, err
	}
	earlier, err := f.Invoices.InvoiceOf(ctx, in.Account, in.Reference)
	if err != nil {
		return in, err
	}
	if earlier.Merchant != in.Merchant || earlier.Amount != in.Amount || earlier.Description != in.Description ||
		earlier.Customer != in.Customer || earlier.ReturnURL != in.ReturnURL {
		return in, ErrReference
	}
	if earlier.GatewayID == "" {
		if earlier, err = f.recoverInvoice(ctx, earlier); err != nil {
			return earlier, err
		}
	}
	if earlier.Status == InvoiceOpen && earlier.URL == "" && !f.Now().Before(earlier.Deadline) { // the answer with its address was lost
		return f.renewInvoice(ctx, earlier)
	}
	return earlier, nil
}

// permit lets one call make the invoice: it begins within one timeout of now, and is over within the next.
func (in *Invoice) permit(acc Account, now time.Time) {
	in.Status, in.Deadline = InvoiceUnknown, now.Add(2*acc.CallTimeout)
}

// InquireInvoice asks the gateway how an invoice stands, unless that cannot change any more. Without a clear answer it
// stands as before.
func (f *Flow) InquireInvoice(ctx context.Context, merchant, id string) (Invoice, error) {
	in, err := f.Invoices.Invoice(ctx, merchant, id)
	if err != nil || in.Status == InvoicePaid {
		return in, err
	}
	return f.askInvoice(ctx, in)
}

// RenewInvoice gives an invoice a new address, where it is not paid; the old one dies. session.ErrDone for one that is paid. What
// the gateway does not have is made.
func (f *Flow) RenewInvoice(ctx context.Context, merchant, id string) (Invoice, error) {
	in, err := f.InquireInvoice(ctx, merchant, id)
	if err != nil {
		return in, err
	}
	if in.Status == InvoicePaid {
		return in, session.ErrDone
	}
	if in.GatewayID == "" {
		return f.recoverInvoice(ctx, in)
	}
	return f.renewInvoice(ctx, in)
}

func (f *Flow) renewInvoice(ctx context.Context, in Invoice) (Invoice, error) {
	said, err := f.dialInvoice(ctx, in, "invoice", providers.Invoicer.RenewInvoice)
	if err != nil {
		return in, err
	}
	return f.toldInvoice(ctx, in, said)
}

// recoverInvoice makes an invoice that the gateway may not have. Nobody does so before the deadline of the call that was to
// make it.
func (f *Flow) recoverInvoice(ctx context.Context, in Invoice) (Invoice, error) {
	in, err := f.askInvoice(ctx, in)
	if err != nil || in.Status != InvoiceFailed {
		return in, err
	}
	acc, _, err := f.invoicer(in.Account)
	if err != nil {
		return in, err
	}
	in.permit(acc, f.Now())
	if err := f.Invoices.SaveInvoice(ctx, &in); err != nil { // session.ErrConflict: somebody else makes it
		return in, err
	}
	return f.makeInvoice(ctx, in)
}

// makeInvoice sends the call that an invoice's row permits, unless it comes too late for that.
func (f *Flow) makeInvoice(ctx context.Context, in Invoice) (Invoice, error) {
	if acc, _, err := f.invoicer(in.Account); err != nil || !f.Now().Before(in.Deadline.Add(-acc.CallTimeout)) {
		return in, err
	}
	said, err := f.dialInvoice(ctx, in, "invoice", providers.Invoicer.CreateInvoice)
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok { // before any call
		return in, errors.Join(refusal, f.Invoices.DropInvoice(context.WithoutCancel(ctx), &in))
	}
	if err != nil {
		f.Log.Warn("an invoice has no clear answer", "invoice", in.ID, "error", err)
		return in, nil
	}
	return f.toldInvoice(ctx, in, said)
}

func (f *Flow) askInvoice(ctx context.Context, in Invoice) (Invoice, error) {
	said, err := f.dialInvoice(ctx, in, "inquire", providers.Invoicer.InquireInvoice)
	if err != nil {
		f.Log.Warn("an invoice has no clear answer", "invoice", in.ID, "error", err)
		return in, nil
	}
	return f.toldInvoice(ctx, in, said)
}

// dialInvoice makes one call about an invoice.
func (f *Flow) dialInvoice(ctx context.Context, in Invoice, name string,
	call func(providers.Invoicer, context.Context, providers.Invoice) (providers.Invoice, error),
) (said providers.Invoice, err error) {
	acc, invoicer, err := f.invoicer(in.Account)
	if err != nil {
		return said, err
	}
	ctx, done := unhurried(ctx)
	defer done()
	_, err = f.dial(ctx, acc, name, func(ctx context.Context) (err error) {
		said, err = call(invoicer, ctx, providers.Invoice{
			Reference: in.Reference, GatewayID: in.GatewayID, Amount: in.Amount, Description: in.Description, Customer: in.Customer,
			ReturnURL: in.ReturnURL, URL: in.URL,
		})
		return err
	})
	return said, err
}

// toldInvoice stores what the gateway said. Where somebody else stored something meanwhile, it is said of that.
func (f *Flow) toldInvoice(ctx context.Context, in Invoice, said providers.Invoice) (Invoice, error) {
	ctx = context.WithoutCancel(ctx)
	for {
		if !in.hear(said, f.Now()) {
			return in, nil
		}
		err := f.Invoices.SaveInvoice(ctx, &in)
		if !errors.Is(err, session.ErrConflict) {
			return in, err
		}
		if in, err = f.Invoices.Invoice(ctx, in.Merchant, in.ID); err != nil {
			return in, err
		}
	}
}

// hear takes in what the gateway said, and tells whether that counts: paid is final, and not found is no proof while the
// call that makes the invoice may be under way.
func (in *Invoice) hear(said providers.Invoice, now time.Time) bool {
	if in.Status == InvoicePaid || said.Status == providers.NotFound && (in.GatewayID != "" || now.Before(in.Deadline)) {
		return false
	}
	switch {
	case said.Amount != in.Amount: // another's bill, or not what was asked for
		in.Status = InvoiceUnknown
	case said.Status == providers.NotFound:
		in.Status = InvoiceFailed
	case said.Status == providers.Waiting || said.Status == providers.Processing:
		in.Status = InvoiceOpen
	case said.Status == providers.Paid || said.Status == providers.Authorized:
		in.Status = InvoicePaid
	case said.Status == providers.Closed || said.Status == providers.Voided || said.Status == providers.Refused:
		in.Status = InvoiceClosed
	default:
		in.Status = InvoiceUnknown
	}
	in.AskedAt = now
	if said.GatewayID != "" {
		in.GatewayID = said.GatewayID
	}
	if said.URL != "" {
		in.URL = said.URL
	}
	return true
}
