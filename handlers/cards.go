package handlers

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"tollgate/internal/card"
	"tollgate/internal/limit"
	"tollgate/internal/wallet"
	"tollgate/providers"
)

// cardAPI is what a merchant does with customers' saved cards.
type cardAPI struct{ orders }

// cardOrder checks what all orders of cards have in common.
func (a cardAPI) cardOrder(ctx context.Context, account, customer, reference string) (wallet.CardOrder, []FieldError, error) {
	m := merchantOf(ctx)
	var bad []FieldError
	if !m.May(account) {
		bad = append(bad, FieldError{Pointer: "/account", Detail: "is not one of the merchant's accounts"})
	}
	if n := len([]rune(customer)); n < 1 || n > 128 {
		bad = append(bad, FieldError{Pointer: "/customer", Detail: "must be 1 to 128 characters"})
	}
	if wrong := a.checkReference(account, reference); wrong != "" {
		bad = append(bad, FieldError{Pointer: "/reference", Detail: wrong})
	}
	tag, err := a.tag(ctx, account)
	return wallet.CardOrder{Merchant: m.ID, Account: account, Customer: customer, Reference: tag + reference, RefTag: tag}, bad, err
}

// IssueVirtualCard is POST /v1/virtual_cards.
func (a cardAPI) IssueVirtualCard(ctx context.Context, r IssueVirtualCardRequestObject) (IssueVirtualCardResponseObject, error) {
	o, bad, err := a.cardOrder(ctx, r.Body.Account, r.Body.Customer, r.Body.Reference)
	if err != nil {
		return nil, err
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	made, err := a.Wallet.IssueVirtualCard(ctx, o)
	return IssueVirtualCard201JSONResponse(savedCardOf(made)), err
}

// RegisterCard is POST /v1/customers/{customer}/cards. Number and code are in memory only.
func (a cardAPI) RegisterCard(ctx context.Context, r RegisterCardRequestObject) (RegisterCardResponseObject, error) {
	in := r.Body
	o, bad, err := a.cardOrder(ctx, in.Account, r.Customer, in.Reference)
	if err != nil {
		return nil, err
	}
	check := func(field, detail string, err error) {
		if err != nil {
			bad = append(bad, FieldError{Pointer: "/" + field, Detail: detail})
		}
	}
	c := card.Card{Name: card.LatinName(in.Card.Name)}
	c.Number, err = card.ParseNumber(in.Card.Number)
	check("card/number", "is not a card number", err)
	c.Month, c.Year, err = card.ParseExpiry(in.Card.Expiry, a.Now())
	check("card/expiry", "must be MM/YY and not be over", err)
	if in.Card.Cvc != "" {
		c.Code, err = card.ParseCode(in.Card.Cvc)
		check("card/cvc", "must be three or four digits", err)
	}
	if n := len([]rune(in.Card.Name)); n < 1 || n > 64 {
		check("card/name", "must be 1 to 64 characters", errInvalid)
	}
	if in.Email != "" {
		check("email", "must be an e-mail address", checkEmail(in.Email))
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	made, err := a.Wallet.RegisterCard(ctx, o, c, providers.Customer{Email: in.Email})
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok && refusal.Field == "card" {
		err = fieldError("card/number", refusal.Text)
	}
	return RegisterCard201JSONResponse(savedCardOf(made)), err
}

// ImportCard is POST /v1/customers/{customer}/cards/import.
func (a cardAPI) ImportCard(ctx context.Context, r ImportCardRequestObject) (ImportCardResponseObject, error) {
	in, m := r.Body, merchantOf(ctx)
	var bad []FieldError
	check := func(field, detail string, ok bool) {
		if !ok {
			bad = append(bad, FieldError{Pointer: "/" + field, Detail: detail})
		}
	}
	long := func(s string, least, most int) bool {
		n := len([]rune(s))
		return n >= least && n <= most && strings.ToValidUTF8(s, "") == s && !strings.ContainsFunc(s, unicode.IsControl)
	}
	check("account", "is not one of the merchant's accounts", m.May(in.Account))
	check("customer", "must be 1 to 128 characters", long(r.Customer, 1, 128))
	check("gateway_id", "must be 1 to 128 characters", long(in.GatewayID, 1, 128))
	check("name", "must be at most 64 characters", long(in.Name, 0, 64))
	check("series", "must be at most 100 characters", long(in.Series, 0, 100))
	check("expiry", "must be MM/YY", in.Expiry == "" || expiryText.MatchString(in.Expiry))
	of := wallet.Import{Holder: wallet.Holder{Merchant: m.ID, Account: in.Account, Customer: r.Customer}, GatewayID: in.GatewayID,
		Expiry: in.Expiry, Name: in.Name, SeriesID: in.Series}
	if c := in.Card; c != nil {
		check("card", "needs first6 and last4 in digits", card.OnlyDigits(c.First6) == c.First6 && card.OnlyDigits(c.Last4) == c.Last4 &&
			len(c.First6) == 6 && len(c.Last4) == 4)
		of.Card = card.Masked{Brand: card.Brand(c.First6), First6: c.First6, Last4: c.Last4}
	}
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	made, err := a.Wallet.Import(ctx, of)
	if err == nil || errors.Is(err, wallet.ErrNotYours) {
		a.recordImport(ctx, in.Account, err == nil)
	}
	return ImportCard201JSONResponse(savedCardOf(made)), tooFast(err)
}

var expiryText = regexp.MustCompile(`^(0[1-9]|1[0-2])/[0-9]{2}$`)

// tooFast tells how long to wait, where the account's calls in a second are used up.
func tooFast(err error) error {
	if fast, ok := errors.AsType[*wallet.TooFast](err); ok {
		return &limit.Limited{Wait: fast.Wait}
	}
	return err
}

// RefreshCards is POST /v1/customers/{customer}/cards/refresh.
func (a cardAPI) RefreshCards(ctx context.Context, r RefreshCardsRequestObject) (RefreshCardsResponseObject, error) {
	m := merchantOf(ctx)
	if !m.May(r.Body.Account) {
		return nil, fieldError("account", "is not one of the merchant's accounts")
	}
	found, err := a.Wallet.Refresh(ctx, wallet.Holder{Merchant: m.ID, Account: r.Body.Account, Customer: r.Customer})
	if err != nil {
		return nil, tooFast(err)
	}
	out := RefreshCards200JSONResponse{Data: []SavedCard{}}
	for _, one := range found {
		out.Data = append(out.Data, savedCardOf(one))
	}
	return out, nil
}

// ListSavedCards is GET /v1/customers/{customer}/cards.
func (a cardAPI) ListSavedCards(ctx context.Context, r ListSavedCardsRequestObject) (ListSavedCardsResponseObject, error) {
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
func (a cardAPI) RenameSavedCard(ctx context.Context, r RenameSavedCardRequestObject) (RenameSavedCardResponseObject, error) {
	if n := len([]rune(r.Body.Name)); n < 1 || n > 64 {
		return nil, fieldError("name", "must be 1 to 64 characters")
	}
	m := merchantOf(ctx).ID
	if err := a.Wallet.Rename(ctx, m, r.Card, r.Body.Name); err != nil {
		return nil, err
	}
	saved, err := a.Customers.SavedCard(ctx, m, r.Card)
	return RenameSavedCard200JSONResponse(savedCardOf(saved)), err
}

// DeleteSavedCard is DELETE /v1/cards/{card}.
func (a cardAPI) DeleteSavedCard(ctx context.Context, r DeleteSavedCardRequestObject) (DeleteSavedCardResponseObject, error) {
	return DeleteSavedCard204Response{}, a.Wallet.Forget(ctx, merchantOf(ctx).ID, r.Card)
}

func savedCardOf(c wallet.SavedCard) SavedCard {
	return SavedCard{
		ID: c.ID, Account: c.Account, Customer: c.Customer, Card: masked(c.Card), Expiry: c.Expiry, Name: c.Name,
		CreatedAt: c.CreatedAt.UTC(), Kind: c.Kind, PaymentSystem: c.System, Info: c.Info, IssuedAt: c.IssuedAt, CheckedAt: c.CheckedAt,
		Imported: c.Imported,
	}
}
