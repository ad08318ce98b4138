package transactworld

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// Cards answers errors.ErrUnsupported: the platform's call that lists tokens has no public path; we keep the list.
func (p *provider) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

// Remember names the registration that the payment made. The inquiry is asked for it, and for the card's expiry; without its
// answer the registration that the payment's own answer brought is enough.
func (p *provider) Remember(ctx context.Context, pay providers.Payment, s providers.Standing) (providers.SavedCard, error) {
	id := s.Ref.More[keyRegistration]
	if id == "" {
		id = pay.Ref.More[keyRegistration]
	}
	saved := providers.SavedCard{ID: id, Card: s.Card, Active: true}
	a, err := p.client.inquire(ctx, pay.Ref.OrderID, pay.Ref.Reference)
	if err != nil && id == "" {
		return providers.SavedCard{}, err
	}
	if err == nil && a.text("merchantTransactionId") == pay.Ref.Reference {
		if saved.ID == "" {
			saved.ID = a.cardToken()
		}
		if saved.Card.Last4 == "" {
			saved.Card = a.card()
		}
		saved.Expiry = a.expiry()
	}
	if saved.ID == "" {
		return providers.SavedCard{}, &providers.Failure{Op: "IN", Text: "no registrationId"}
	}
	return saved, nil
}

// expiry is MM/YY, "" where the answer has none.
func (a answer) expiry() string {
	m, y := a.text("card", "expiryMonth"), a.text("card", "expiryYear")
	if len(m) != 2 || !wire.Digits(m) || len(y) != 4 || !wire.Digits(y) {
		return ""
	}
	return m + "/" + y[2:]
}

// Forget deletes a registration (DL).
func (p *provider) Forget(ctx context.Context, _ providers.Owner, _, id string) error {
	const op = "DL"
	if !identifier.MatchString(id) {
		return providers.Refuse("saved_card", "not a registration")
	}
	form := url.Values{"paymentType": {op}}
	if p.terminal != "" {
		form.Set("authentication.terminalId", p.terminal)
	}
	a, err := p.client.call(ctx, op, restPath+"registrations/"+id, p.client.signed(form, p.client.signID(id)))
	if err != nil {
		return err
	}
	if strings.HasPrefix(a.code(), "0") || a.code() == codeNotFound ||
		wire.ContainsAny(strings.ToLower(a.text("result", "description")), "not found") {
		return nil
	}
	return a.failure(op)
}

// AsksCode tells whether a shopper who pays with a registration types the CVC; an option of the account.
func (p *provider) AsksCode() bool { return p.tokenCode }

// KeepsSeries tells that REPEATED payments name an INITIAL one; an option of the account.
func (p *provider) KeepsSeries() bool { return p.recurring }

// RegisterCard stores a card without a payment.
func (p *provider) RegisterCard(ctx context.Context, o providers.Owner, reference string, c card.Card,
	pay providers.Payment) (providers.SavedCard, error) {
	const op = "registrations"
	brand, ok := p.brands[c.Number.Masked().Brand]
	if !ok {
		return providers.SavedCard{}, providers.Refuse("card", "this gateway does not take this brand")
	}
	pay.Customer.ID = o.CustomerID
	form := p.form(pay, threeds.BrowserData{})
	for _, name := range []string{"currency", "paymentType", "orderDescriptor", "merchantRedirectUrl", "notificationUrl",
		"attemptThreeD"} {
		form.Del(name)
	}
	form.Set("merchantTransactionId", reference)
	form.Set("createRegistration", "true")
	form.Set("paymentMode", p.mode)
	form.Set("paymentBrand", brand)
	cardFields(form, c)
	customerNames(form, c.Name)
	a, err := p.client.call(ctx, op, restPath+op, p.client.signed(form, p.client.signID(reference)))
	if err != nil {
		return providers.SavedCard{}, err
	}
	id := a.cardToken()
	if id == "" {
		id = a.text("id") // the answer is the registration itself
	}
	if !strings.HasPrefix(a.code(), "0") || !identifier.MatchString(id) {
		return providers.SavedCard{}, &providers.Failure{Op: op, Code: a.code(), Text: clean(a.text("result", "description"), c.Code)}
	}
	return providers.SavedCard{ID: id, Card: c.Number.Masked(),
		Expiry: wire.TwoDigits(c.Month) + "/" + wire.TwoDigits(c.Year%100), Active: true}, nil
}
