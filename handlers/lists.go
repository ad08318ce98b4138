package handlers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	if strings.Trim(r.Params.Shop, "0123456789") != "" || len(r.Params.Shop) > 19 {
		return nil, fieldError("shop", "must be the gateway's number of a shop")
	}
	if r.Params.Offset > 0 && r.Params.After != "" {
		return nil, fieldError("after", "stands without offset")
	}
	q := providers.HistoryQuery{To: a.Now(), Limit: most, After: r.Params.After, Status: r.Params.Status, Kinds: r.Params.Kinds, AccountID: r.Params.Shop,
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
	lines, next, err := a.history(ctx, r.Account, r.Params.Customer, r.Params.Offset, q)
	if errors.Is(err, wallet.ErrNotFound) {
		return nil, fieldError("customer", "must be one who has logged in to a session of yours")
	}
	if err != nil {
		return nil, err
	}
	out := ListHistory200JSONResponse{Data: []HistoryLine{}, HasMore: next != "", Next: next}
	for _, l := range lines {
		out.Data = append(out.Data, HistoryLine{
			Reference: l.Reference, GatewayOrderID: l.OrderID, At: l.At.UTC(), Kind: l.Kind, Outcome: string(l.Outcome),
			Amount: l.Amount.Minor, Currency: l.Amount.Currency.Code, Card: masked(l.Card),
			Authorization: authorizationOf(l.Authorization), Partner: HistoryPartner{Login: l.Partner.Login, Info: l.Partner.Info},
		})
	}
	return out, nil
}

// Bounds of what is read of a gateway's list for one answer.
const (
	historyPart  = 100
	historyParts = 20
)

// history is a part of the gateway's list, and where the rest begins: the gateway's own place, and how many lines after it. Of an
// account that other merchants use too it is the list of the caller's own lines: what sessions and invoices of the caller's
// are about.
func (a listAPI) history(
	ctx context.Context, account, customer string, skip int, q providers.HistoryQuery,
) (lines []providers.HistoryLine, next string, err error) {
	m := merchantOf(ctx).ID
	of := wallet.Holder{Merchant: m, Account: account, Customer: customer}
	shared, limit, first := a.Merchants.Shared(account), q.Limit, 0
	if place, taken, there := strings.Cut(q.After, "~"); there {
		if first, err = strconv.Atoi(taken); err != nil || first < 0 || first > historyPart {
			return nil, "", fieldError("after", "must be what an earlier answer gave as next")
		}
		q.After = place
	}
	q.Limit = historyPart
	for range historyParts {
		found, after, err := a.Wallet.History(ctx, of, q)
		if err != nil {
			return nil, "", err
		}
		for i := min(first, len(found)); i < len(found); i++ {
			mine := true
			if shared {
				if mine, err = a.belongsTo(ctx, m, account, found[i].Reference); err != nil {
					return nil, "", err
				}
			}
			switch {
			case !mine:
			case skip > 0:
				skip--
			case len(lines) == limit:
				return lines, fmt.Sprintf("%s~%d", q.After, i), nil
			default:
				lines = append(lines, found[i])
			}
		}
		if first, q.After = 0, after; after == "" {
			return lines, "", nil
		}
	}
	if skip > 0 {
		return nil, "", fieldError("offset", "is too far: read on with after, from the next of an earlier answer")
	}
	return lines, q.After, nil
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
