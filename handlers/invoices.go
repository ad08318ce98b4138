package handlers

import (
	"context"
	"errors"
	"strings"

	"tollgate/internal/invoice"
)

// invoiceAPI is what a merchant does with invoices.
type invoiceAPI struct{ orders }

func invoiceOf(in invoice.Invoice) Invoice {
	return Invoice{
		ID: in.ID, Account: in.Account, Reference: strings.TrimPrefix(in.Reference, in.RefTag),
		Status: InvoiceStatus(in.Status), Amount: in.Amount.Minor,
		Currency: in.Amount.Currency.Code, Description: in.Description, SuccessURL: in.ReturnURL, Metadata: in.Metadata,
		URL:         in.URL,
		NeedsReview: in.NeedsReview,
		Customer:    customerOf(in.Customer), GatewayInvoiceID: in.GatewayID, CheckedAt: in.CheckedAt.UTC(),
		CreatedAt: in.CreatedAt.UTC(),
	}
}

// CreateInvoice is POST /v1/invoices.
func (a invoiceAPI) CreateInvoice(ctx context.Context, r CreateInvoiceRequestObject) (CreateInvoiceResponseObject, error) {
	in := r.Body
	s, err := a.session(ctx, NewSession{ // the same is asked of both
		Account: in.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: in.SuccessURL,
		CancelURL:   a.BaseURL + "/",
		Description: in.Description, Customer: in.Customer, Metadata: in.Metadata,
	})
	if err != nil {
		return nil, renameField(err, "order_id", "reference")
	}
	if s.RefTag != "" { // one from before the account was shared has none
		earlier, err := a.Invoices.Store.InvoiceOf(ctx, s.Account, s.OrderID)
		if err != nil && !errors.Is(err, invoice.ErrNotFound) {
			return nil, err
		}
		if err == nil && earlier.Merchant == s.Merchant {
			s.RefTag = ""
		}
	}
	made, err := a.Invoices.Create(ctx, invoice.Invoice{
		Merchant: s.Merchant, Account: s.Account, Reference: s.RefTag + s.OrderID, RefTag: s.RefTag, Amount: s.Amount,
		Description: s.Description, Customer: s.Customer,
		ReturnURL: s.SuccessURL, Metadata: s.Metadata,
	})
	return CreateInvoice201JSONResponse{
		Body: invoiceOf(made), Headers: CreateInvoice201ResponseHeaders{Location: a.BaseURL + "/v1/invoices/" + made.ID},
	}, err
}

// GetInvoice is GET /v1/invoices/{invoice}.
func (a invoiceAPI) GetInvoice(ctx context.Context, r GetInvoiceRequestObject) (GetInvoiceResponseObject, error) {
	in, err := a.Invoices.Inquire(ctx, merchantOf(ctx).ID, r.Invoice)
	return GetInvoice200JSONResponse(invoiceOf(in)), err
}

// RenewInvoice is POST /v1/invoices/{invoice}/renew.
func (a invoiceAPI) RenewInvoice(ctx context.Context, r RenewInvoiceRequestObject) (RenewInvoiceResponseObject, error) {
	in, err := a.Invoices.Renew(ctx, merchantOf(ctx).ID, r.Invoice)
	return RenewInvoice200JSONResponse(invoiceOf(in)), err
}

// ListInvoices is GET /v1/invoices.
func (a invoiceAPI) ListInvoices(ctx context.Context, r ListInvoicesRequestObject) (ListInvoicesResponseObject, error) {
	most, err := pageLimit(r.Params.Limit, 20)
	if err != nil {
		return nil, err
	}
	if status := r.Params.Status; status != "" && !status.Valid() {
		return nil, fieldError("status", "must be one of the statuses of an invoice")
	}
	m := merchantOf(ctx).ID
	if r.Params.Before != "" {
		_, err := a.Invoices.Store.Invoice(ctx, m, r.Params.Before)
		if errors.Is(err, invoice.ErrNotFound) {
			return nil, fieldError("before", "must be the id of an invoice")
		}
		if err != nil {
			return nil, err
		}
	}
	found, err := a.Invoices.Store.ListInvoices(ctx, invoice.Filter{
		Merchant: m, Account: r.Params.Account, Reference: r.Params.Reference,
		Status: invoice.Status(r.Params.Status), Before: r.Params.Before, Limit: most,
	})
	if err != nil {
		return nil, err
	}
	out := ListInvoices200JSONResponse{Data: []Invoice{}, HasMore: len(found) == most}
	for _, in := range found {
		out.Data = append(out.Data, invoiceOf(in))
	}
	return out, nil
}
