package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tollgate/internal/account"
	"tollgate/internal/invoice"
	"tollgate/internal/money"
	"tollgate/internal/reconcile"
	"tollgate/providers"
)

// maxBankOrders is how many lines of the bank's list one report takes; the body's limit is reached about there.
const maxBankOrders = 5000

// bankWords are what banks write of an order in their lists; an empty word means that the order stands in a list of payments.
var bankWords = map[string]providers.Outcome{
	"": providers.Paid, "paid": providers.Paid, "deposited": providers.Paid, "captured": providers.Paid, "success": providers.Paid,
	"successful": providers.Paid, "settled": providers.Paid, "completed": providers.Paid, "refunded": providers.Paid,
	"partially_refunded": providers.Paid, "approved": providers.Authorized, "authorized": providers.Authorized, "held": providers.Authorized,
	"declined": providers.Refused, "refused": providers.Refused, "failed": providers.Refused,
	"reversed": providers.Voided, "voided": providers.Voided, "cancelled": providers.Closed, "canceled": providers.Closed,
	"expired": providers.Closed, "created": providers.Waiting,
}

// Reconcile is POST /v1/accounts/{account}/reconcile.
func (a listAPI) Reconcile(ctx context.Context, r ReconcileRequestObject) (ReconcileResponseObject, error) {
	m := merchantOf(ctx)
	if !m.May(r.Account) {
		return nil, account.ErrNotConfigured
	}
	q := reconcile.Query{Merchant: m.ID, Account: r.Account, From: r.Body.From, To: r.Body.To, Repair: r.Body.Repair}
	var bad fieldErrors
	switch {
	case !q.From.Before(q.To):
		bad.add("to", "must be after from")
	case q.To.Sub(q.From) > reconcile.MaxSpan:
		bad.add("to", "must be at most 31 days after from")
	}
	if len(r.Body.Orders) > maxBankOrders {
		bad.add("orders", fmt.Sprintf("must have at most %d lines", maxBankOrders))
	}
	if r.Body.Orders != nil {
		q.Orders = []reconcile.Order{}
	}
	for i, o := range r.Body.Orders {
		line, field, detail := bankOrder(o)
		if detail != "" {
			bad.add(fmt.Sprintf("orders/%d/%s", i, field), detail)
		}
		q.Orders = append(q.Orders, line)
		if len(bad) > 20 {
			break
		}
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	if a.Merchants.Shared(r.Account) { // a line that nobody here knows may be another merchant's
		tag, err := a.Tags.Tag(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		q.Ours = func(_ context.Context, reference string) (bool, error) { return strings.HasPrefix(reference, tag), nil }
	}
	report, err := a.reconciler().Report(ctx, q)
	if err != nil {
		return nil, err
	}
	return Reconcile200JSONResponse(reportOf(report)), nil
}

// reconciler compares over what the front has.
func (a listAPI) reconciler() *reconcile.Reconciler {
	return reconcile.New(reconcile.Options{
		Books: a.Books, Accounts: a.Flow.Accounts, Wallet: a.Wallet,
		Known: func(ctx context.Context, account, reference string) (bool, error) {
			for _, one := range []string{reference, invoice.WithoutTry(reference)} {
				if one == "" {
					continue
				}
				_, err := a.Invoices.Store.InvoiceOf(ctx, account, one)
				if err == nil || !errors.Is(err, invoice.ErrNotFound) {
					return err == nil, err
				}
			}
			return false, nil
		},
		Unmatched: a.Books.Unmatched,
	})
}

// bankOrder reads a line of the bank's list; detail says what is wrong with which member.
func bankOrder(o BankOrder) (line reconcile.Order, field, detail string) {
	line = reconcile.Order{Reference: o.Reference, OrderID: o.GatewayOrderID, Kind: "payment"}
	if o.Reference == "" {
		return line, "reference", "must be what the gateway knows the order by"
	}
	var known bool
	if line.Outcome, known = bankWords[strings.ToLower(strings.TrimSpace(o.Status))]; !known {
		return line, "status", "must be one of paid, refunded, approved, declined, reversed, expired, or a usual word for one of them"
	}
	if o.Amount == "" {
		return line, "", ""
	}
	currency, err := money.ParseCurrency(o.Currency)
	if err != nil {
		return line, "currency", "must be a currency of ISO 4217, such as KZT"
	}
	if line.Amount, err = money.ParseDecimal(o.Amount, currency); err != nil {
		return line, "amount", "must be a sum in major units, such as 1500.00"
	}
	return line, "", ""
}

func reportOf(r reconcile.Report) Reconciliation {
	out := Reconciliation{
		Account: r.Account, From: r.From.UTC(), To: r.To.UTC(), Source: ReconciliationSource(r.Source), Ours: r.Ours, Theirs: r.Theirs,
		Complete: r.Complete, Differences: []BookDifference{},
	}
	side := func(s reconcile.Side) BookSide {
		return BookSide{State: s.State, Currency: s.Currency, Amount: s.Amount, AmountAuthorized: s.Held, AmountCaptured: s.Captured,
			AmountRefunded: s.Refunded}
	}
	for _, d := range r.Differences {
		out.Differences = append(out.Differences, BookDifference{
			Kind: BookDifferenceKind(d.Kind), Reference: d.Reference, GatewayOrderID: d.OrderID, Session: d.Session, Attempt: d.Attempt,
			Ours: side(d.Ours), Theirs: side(d.Theirs), Repaired: d.Repaired,
		})
	}
	return out
}
