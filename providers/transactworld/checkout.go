package transactworld

import (
	"tollgate/providers"
	"tollgate/threeds"
)

// keyCheckout marks a payment whose shopper was sent to the platform's checkout page: the platform knows nothing of it before the card
// is given there.
const keyCheckout = "checkout"

// Instruments beyond cards: the platform's own page, where the account says by which totype it is opened.
func (p *provider) Instruments() []string {
	if p.toType == "" {
		return nil
	}
	return []string{"hosted"}
}

// checkout is the form that opens the platform's page. It makes no call: the browser's post is the first that the platform sees.
func (p *provider) checkout(pay providers.Payment, b threeds.BrowserData) (providers.Step, error) {
	total, err := amount(pay.Amount)
	if err != nil {
		return providers.Step{}, err
	}
	kind := "DB"
	if pay.Hold {
		kind = "PA"
	}
	ip := pay.Customer.IP
	if ip == "" {
		ip = b.IP
	}
	step := providers.NewStep(providers.PayerPage, pay.Ref.With(keyCheckout, "1"))
	form := threeds.Form{Action: p.client.base + "/transaction/Checkout"}
	for _, f := range []threeds.Field{
		{Name: "memberId", Value: p.client.member}, {Name: "totype", Value: p.toType}, {Name: "amount", Value: total},
		{Name: "currency", Value: pay.Amount.Currency.Code}, {Name: "merchantTransactionId", Value: pay.Ref.Reference},
		{Name: "checksum", Value: p.client.signCheckout(p.toType, total, pay.Ref.Reference, pay.Run.ReturnURL)},
		{Name: "merchantRedirectUrl", Value: pay.Run.ReturnURL}, {Name: "notificationUrl", Value: pay.CallbackURL},
		{Name: "transactionType", Value: kind}, {Name: "terminalid", Value: p.terminal}, {Name: "lang", Value: pay.Locale},
		{Name: "ip", Value: ip},
	} {
		if f.Value != "" {
			form.Fields = append(form.Fields, f)
		}
	}
	step.Forms = []threeds.Form{form}
	return step, nil
}

// awaitsCard is the standing of a payment that the platform does not know although its shopper was sent to the checkout page: the card
// may be given there yet, for as long as the page stands open somewhere.
func (p *provider) awaitsCard(pay providers.Payment) (providers.Standing, error) {
	again, err := p.checkout(pay, threeds.BrowserData{})
	if err != nil {
		return providers.Standing{}, err
	}
	return providers.Standing{Outcome: providers.Waiting, Ref: pay.Ref, AwaitsPage: true, Next: &again}, nil
}
