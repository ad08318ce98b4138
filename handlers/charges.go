package handlers

import (
	"context"
	"errors"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/invoice"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// chargeWait is how long a charge or payout waits for its end; after that the answer says how far it is.
const chargeWait = 8 * time.Second

// CreateCharge is POST /v1/charges: it pays with a saved card while the customer is away. Where the bank wants the customer
// after all, the answer is action_required with the url to send them to.
func (a api) CreateCharge(ctx context.Context, r CreateChargeRequestObject) (CreateChargeResponseObject, error) {
	in, m := r.Body, merchantOf(ctx)
	saved, err := a.Customers.SavedCard(ctx, m.ID, in.SavedCard)
	if errors.Is(err, wallet.ErrNotFound) {
		return nil, faulty("saved_card", "is not one of the merchant's saved cards")
	}
	if err != nil {
		return nil, err
	}
	s, err := a.session(ctx, NewSession{
		Account: saved.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: orShop(in.SuccessURL, a.BaseURL),
		CancelURL: orShop(in.CancelURL, a.BaseURL), PaymentMethod: NewSessionPaymentMethodSavedCard, Capture: in.Capture, Description: in.Description,
		Customer: Customer{ID: saved.Customer}, Billing: in.Billing, Metadata: in.Metadata, WebhookURL: in.WebhookURL, SavedCard: saved.ID,
	})
	if err != nil {
		return nil, renamed(err, "order_id", "reference")
	}
	now, err := a.send(ctx, s, flow.Submission{Kind: "saved_card", Saved: &saved, MerchantInitiated: true})
	return CreateCharge201JSONResponse{now}, err
}

// orShop stands in for an address that nobody may need: the front's own.
func orShop(url, front string) string {
	if url == "" {
		return front + "/"
	}
	return url
}

// renamed gives a field the name that the caller knows it by.
func renamed(err error, from, to string) error {
	if bad, ok := err.(*invalid); ok {
		for i := range bad.fields {
			if bad.fields[i].Pointer == "/"+from {
				bad.fields[i].Pointer = "/" + to
			}
		}
	}
	return err
}

// send creates a session whose order id was never used, pays it without a page, and waits a while for its end. Where an
// earlier run of the same idempotent request created it, that one is paid, unless it was already.
func (a api) send(ctx context.Context, s *session.Session, in flow.Submission) (SessionNowJSONResponse, error) {
	var none SessionNowJSONResponse
	earlier, err := a.created(ctx)
	if err != nil {
		return none, err
	}
	if earlier != nil {
		s = earlier
	} else {
		used, err := a.Store.List(ctx, session.Filter{Merchant: s.Merchant, Account: s.Account, OrderID: s.OrderID, Limit: 1})
		if err != nil {
			return none, err
		}
		if len(used) > 0 {
			return none, &session.OrderTaken{SessionID: used[0].ID}
		}
		if err := a.claimed(ctx).Create(ctx, s); err != nil {
			return none, err
		}
	}
	if len(s.Attempts) == 0 {
		if err := a.claimed(ctx).Submit(ctx, s.ID, in); err != nil {
			return none, err
		}
	}
	limited, done := context.WithTimeout(ctx, chargeWait)
	defer done()
	s, err = a.Flow.Wait(limited, s.ID, func(s *session.Session) bool {
		return s.Live() == nil || s.Live().State == session.Shopper || s.Live().State == session.Unknown
	})
	if err != nil {
		return none, err
	}
	return SessionNowJSONResponse(a.object(s)), nil
}

// CreatePayout is POST /v1/payouts: it sends money out. The card number of a destination is in memory only.
func (a api) CreatePayout(ctx context.Context, r CreatePayoutRequestObject) (CreatePayoutResponseObject, error) {
	in, m := r.Body, merchantOf(ctx)
	s, err := a.session(ctx, NewSession{
		Account: in.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: a.BaseURL + "/", CancelURL: a.BaseURL + "/",
		Description: in.Description, Metadata: in.Metadata, WebhookURL: in.WebhookURL,
	})
	if err != nil {
		return nil, renamed(err, "order_id", "reference")
	}
	to, err := a.destination(ctx, m.ID, in)
	if err != nil {
		return nil, err
	}
	s.Kind, s.Method = session.KindPayout, session.KindPayout
	now, err := a.send(ctx, s, flow.Submission{Kind: session.KindPayout, To: to})
	return CreatePayout201JSONResponse{now}, err
}

func (a api) destination(ctx context.Context, owner string, in *NewPayout) (*providers.Destination, error) {
	to := &providers.Destination{BankID: in.To.BankID, First: in.To.FirstName, Middle: in.To.MiddleName, Last: in.To.LastName}
	bad := func(field, detail string) error { return faulty("to"+field, detail) }
	ways := 0
	if in.To.Card != nil {
		ways++
		number, err := card.ParseNumber(in.To.Card.Number)
		if err != nil {
			return nil, bad("/card/number", "is not a card number")
		}
		to.Card = &card.Card{Number: number, Name: in.To.Card.Holder}
	}
	if in.To.SavedCard != "" {
		ways++
		saved, err := a.Customers.SavedCard(ctx, owner, in.To.SavedCard)
		if err != nil && !errors.Is(err, wallet.ErrNotFound) {
			return nil, err
		}
		if err != nil || saved.Account != in.Account {
			return nil, bad("/saved_card", "is not one of the merchant's saved cards in this account")
		}
		to.Saved = saved.GatewayID
	}
	if in.To.Phone != "" {
		ways++
		if !phone.MatchString(in.To.Phone) {
			return nil, bad("/phone", "must be digits with an optional + in front")
		}
		to.Phone = digitsOf(in.To.Phone)
	}
	if in.To.Payment != "" {
		ways++
		paid, err := a.Store.Load(ctx, in.To.Payment)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return nil, err
		}
		if err != nil || paid.Merchant != owner || paid.Account != in.Account || paid.Good() == nil {
			return nil, bad("/payment", "is not a payment of this account")
		}
		to.PaymentID = paid.Good().Ref.OrderID
	}
	if ways != 1 {
		return nil, bad("", "must name exactly one of card, saved_card, phone and payment")
	}
	return to, nil
}

func savedCardOf(c wallet.SavedCard) SavedCard {
	return SavedCard{ID: c.ID, Account: c.Account, Customer: c.Customer, Card: masked(c.Card), Expiry: c.Expiry, Name: c.Name, CreatedAt: c.CreatedAt.UTC()}
}

// ListSavedCards is GET /v1/customers/{customer}/cards.
func (a api) ListSavedCards(ctx context.Context, r ListSavedCardsRequestObject) (ListSavedCardsResponseObject, error) {
	found, err := a.Customers.SavedCards(ctx, merchantOf(ctx).ID, r.Params.Account, r.Customer)
	if err != nil {
		return nil, err
	}
	out := ListSavedCards200JSONResponse{Data: []SavedCard{}}
	for _, one := range found {
		out.Data = append(out.Data, savedCardOf(one))
	}
	return out, nil
}

// RenameSavedCard is PATCH /v1/cards/{card}.
func (a api) RenameSavedCard(ctx context.Context, r RenameSavedCardRequestObject) (RenameSavedCardResponseObject, error) {
	if n := len([]rune(r.Body.Name)); n < 1 || n > 64 {
		return nil, faulty("name", "must be 1 to 64 characters")
	}
	m := merchantOf(ctx).ID
	if err := a.Wallet.Rename(ctx, m, r.Card, r.Body.Name); err != nil {
		return nil, err
	}
	saved, err := a.Customers.SavedCard(ctx, m, r.Card)
	return RenameSavedCard200JSONResponse(savedCardOf(saved)), err
}

// DeleteSavedCard is DELETE /v1/cards/{card}.
func (a api) DeleteSavedCard(ctx context.Context, r DeleteSavedCardRequestObject) (DeleteSavedCardResponseObject, error) {
	return DeleteSavedCard204Response{}, a.Wallet.Forget(ctx, merchantOf(ctx).ID, r.Card)
}

// ListBanks is GET /v1/accounts/{account}/banks.
func (a api) ListBanks(ctx context.Context, r ListBanksRequestObject) (ListBanksResponseObject, error) {
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
func (a api) ListHistory(ctx context.Context, r ListHistoryRequestObject) (ListHistoryResponseObject, error) {
	m := merchantOf(ctx)
	if !m.May(r.Account) {
		return nil, account.ErrNotConfigured
	}
	most, err := limit(r.Params.Limit, 30)
	if err != nil {
		return nil, err
	}
	if r.Params.Offset < 0 || r.Params.Offset > 100_000 {
		return nil, faulty("offset", "must be from 0 to 100000")
	}
	q := providers.HistoryQuery{To: a.Now(), Limit: most, Offset: r.Params.Offset, Status: r.Params.Status}
	q.From = q.To.Add(-24 * time.Hour)
	var bad []FieldError
	if r.Params.From != "" {
		q.From = instant("from", r.Params.From, &bad)
	}
	if r.Params.To != "" {
		q.To = instant("to", r.Params.To, &bad)
	}
	if len(bad) > 0 {
		return nil, &invalid{bad}
	}
	lines, more, err := a.history(ctx, r.Account, r.Params.Customer, q)
	if errors.Is(err, wallet.ErrNotFound) {
		return nil, faulty("customer", "must be one who has logged in to a session of yours")
	}
	if err != nil {
		return nil, err
	}
	out := ListHistory200JSONResponse{Data: []HistoryLine{}, HasMore: more}
	for _, l := range lines {
		out.Data = append(out.Data, HistoryLine{
			Reference: l.Reference, GatewayOrderID: l.OrderID, At: l.At.UTC(), Kind: l.Kind, Outcome: string(l.Outcome),
			Amount: l.Amount.Minor, Currency: l.Amount.Currency.Code, Card: masked(l.Card),
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
func (a api) history(ctx context.Context, account, customer string, q providers.HistoryQuery) (lines []providers.HistoryLine, more bool, err error) {
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
			mine, err := a.isOf(ctx, m, account, l.Reference)
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

// isOf tells whether a reference in an account is of the merchant's.
func (a api) isOf(ctx context.Context, owner, account, reference string) (bool, error) {
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
