package handlers

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/invoice"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// listAPI is what a merchant reads of its accounts and of everything that happened.
type listAPI struct{ Options }

// ListAccounts is GET /v1/accounts.
func (a listAPI) ListAccounts(ctx context.Context, _ ListAccountsRequestObject) (ListAccountsResponseObject, error) {
	out := ListAccounts200JSONResponse{Data: []Account{}}
	for _, name := range merchantOf(ctx).Accounts {
		if acc, ok := a.Flow.Accounts[name]; ok {
			out.Data = append(out.Data, Account{Name: acc.Name, Gateway: acc.Gateway, Capabilities: acc.Capabilities()})
		}
	}
	return out, nil
}

// ListBanks is GET /v1/accounts/{account}/banks.
func (a listAPI) ListBanks(ctx context.Context, r ListBanksRequestObject) (ListBanksResponseObject, error) {
	if !merchantOf(ctx).May(r.Account) {
		return nil, account.ErrNotConfigured
	}
	acc, err := a.Flow.Accounts.Find(r.Account)
	if err != nil {
		return nil, err
	}
	banks, err := acc.Banks(ctx)
	if err != nil {
		return nil, err
	}
	out := ListBanks200JSONResponse{Data: []Bank{}}
	for _, b := range banks {
		out.Data = append(out.Data, Bank(b))
	}
	return out, nil
}

// ListHistory is GET /v1/accounts/{account}/history: the gateway's own list of transactions.
func (a listAPI) ListHistory(ctx context.Context, r ListHistoryRequestObject) (ListHistoryResponseObject, error) {
	m := merchantOf(ctx)
	if !m.May(r.Account) {
		return nil, account.ErrNotConfigured
	}
	most, err := pageLimit(r.Params.Limit, 30)
	if err != nil {
		return nil, err
	}
	if r.Params.Offset < 0 || r.Params.Offset > 100_000 {
		return nil, fieldError("offset", "must be from 0 to 100000")
	}
	q := providers.HistoryQuery{To: a.Now(), Limit: most, Offset: r.Params.Offset, Status: r.Params.Status, Kinds: r.Params.Kinds,
		Everywhere: r.Params.Everywhere != nil && *r.Params.Everywhere}
	q.From = q.To.Add(-24 * time.Hour)
	var bad []FieldError
	if r.Params.From != "" {
		q.From = instant("from", r.Params.From, &bad)
	}
	if r.Params.To != "" {
		q.To = instant("to", r.Params.To, &bad)
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	lines, more, err := a.history(ctx, r.Account, r.Params.Customer, q)
	if errors.Is(err, wallet.ErrNotFound) {
		return nil, fieldError("customer", "must be one who has logged in to a session of yours")
	}
	if err != nil {
		return nil, err
	}
	out := ListHistory200JSONResponse{Data: []HistoryLine{}, HasMore: more}
	for _, l := range lines {
		out.Data = append(out.Data, HistoryLine{
			Reference: l.Reference, GatewayOrderID: l.OrderID, At: l.At.UTC(), Kind: l.Kind, Outcome: string(l.Outcome),
			Amount: l.Amount.Minor, Currency: l.Amount.Currency.Code, Card: masked(l.Card),
			Authorization: authorizationOf(l.Authorization), Partner: HistoryPartner{Login: l.Partner.Login, Info: l.Partner.Info},
		})
	}
	return out, nil
}

// Bounds of a search in the list of an account that several merchants use.
const (
	sharedPage  = 100
	sharedPages = 20
)

// history is a part of the gateway's list, and whether there is more of it. Of an account that other merchants use too it
// is the list of the caller's own lines: what sessions and invoices of the caller's are about.
func (a listAPI) history(
	ctx context.Context, account, customer string, q providers.HistoryQuery,
) (lines []providers.HistoryLine, more bool, err error) {
	m := merchantOf(ctx).ID
	of := wallet.Holder{Merchant: m, Account: account, Customer: customer}
	if !a.Merchants.Shared(account) {
		lines, err = a.Wallet.History(ctx, of, q)
		return lines, len(lines) == q.Limit, err
	}
	skip, page := q.Offset, q
	page.Limit, page.Offset = sharedPage, 0
	for range sharedPages {
		found, err := a.Wallet.History(ctx, of, page)
		if err != nil {
			return nil, false, err
		}
		for _, l := range found {
			mine, err := a.belongsTo(ctx, m, account, l.Reference)
			switch {
			case err != nil:
				return nil, false, err
			case !mine:
			case skip > 0:
				skip--
			case len(lines) == q.Limit:
				return lines, true, nil
			default:
				lines = append(lines, l)
			}
		}
		if len(found) < sharedPage {
			return lines, false, nil
		}
		page.Offset += len(found)
	}
	return lines, len(lines) == q.Limit, nil
}

// belongsTo tells whether a reference in an account is of the merchant's.
func (a listAPI) belongsTo(ctx context.Context, owner, account, reference string) (bool, error) {
	if reference == "" {
		return false, nil
	}
	id, _, err := a.Store.FindReference(ctx, account, reference)
	if err == nil {
		s, err := a.Store.Load(ctx, id)
		return err == nil && s.Merchant == owner, err
	}
	if !errors.Is(err, session.ErrNotFound) {
		return false, err
	}
	in, err := a.Invoices.Store.InvoiceOf(ctx, account, reference)
	if errors.Is(err, invoice.ErrNotFound) {
		return false, nil
	}
	return in.Merchant == owner, err
}

// instant reads a time of RFC 3339, or adds to what is bad.
func instant(field, text string, bad *[]FieldError) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		*bad = append(*bad, FieldError{Pointer: "/" + field, Detail: "must be a time of RFC 3339, such as 2026-03-04T12:00:00Z"})
	}
	return at
}
