package handlers

import (
	"context"
	"errors"

	"tollgate/internal/card"
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
		CreatedAt: c.CreatedAt.UTC(),
	}
}
