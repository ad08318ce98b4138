package transactworld

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// CheckPayout takes a card of a brand that the account pays out to, or an earlier payment.
func (p *provider) CheckPayout(_ providers.Payment, to providers.Destination) error {
	switch {
	case to.Phone != "":
		return providers.Refuse("to.phone", "this gateway pays out to a card, or to the card of an earlier payment")
	case to.BankID != "":
		return providers.Refuse("to.bank_id", "this gateway pays out to no banks")
	case to.Saved != "":
		return providers.Refuse("to.saved_card", "this gateway pays out to a card by its number, or to the card of an earlier payment")
	case to.PaymentID != "" && !identifier.MatchString(to.PaymentID):
		return providers.Refuse("to.payment", "the gateway's id of that payment is not known")
	case to.Card != nil:
		if _, ok := p.brands[to.Card.Number.Masked().Brand]; !ok {
			return providers.Refuse("to.card.number", "this account does not take this brand")
		}
	case to.PaymentID == "":
		return providers.Refuse("to", "this gateway pays out to a card, or to the card of an earlier payment")
	}
	return nil
}

// Payout sends money to the card of an earlier payment, or to a card. Repeated with the same reference it is refused by the
// gateway, which takes a number once.
func (p *provider) Payout(ctx context.Context, pay providers.Payment, to providers.Destination) (providers.OpResult, error) {
	const op = "PO"
	if err := p.CheckPayout(pay, to); err != nil {
		return providers.OpResult{}, err
	}
	total, err := amount(pay.Amount)
	if err != nil {
		return providers.OpResult{}, err
	}
	form := url.Values{
		"paymentType": {op}, "merchantTransactionId": {pay.Ref.Reference}, "amount": {total}, "currency": {pay.Amount.Currency.Code},
		"orderDescriptor": {description(pay.Description, pay.OrderID)},
	}
	told := [][2]string{{"authentication.terminalId", p.terminal}, {"notificationUrl", pay.CallbackURL},
		{"customer.customerId", pay.Customer.ID}}
	for _, f := range p.billing(pay).fields() {
		told = append(told, [2]string{f.param, f.value})
	}
	for _, f := range append(told, [2]string{"customer.givenName", to.First}, [2]string{"customer.surname", to.Last}) {
		if f[1] != "" {
			form.Set(f[0], f[1])
		}
	}
	if to.Card == nil {
		form.Set("paymentId", to.PaymentID)
	} else {
		form.Set("paymentMode", p.mode)
		form.Set("paymentBrand", p.brands[to.Card.Number.Masked().Brand])
		form.Set("card.number", to.Card.Number.Reveal())
		if to.Card.Month != 0 {
			form.Set("card.expiryMonth", wire.TwoDigits(to.Card.Month))
			form.Set("card.expiryYear", strconv.Itoa(to.Card.Year))
		}
		customerNames(form, to.Card.Name)
	}
	a, err := p.client.call(ctx, op, restPath+"payout", p.client.signed(form, p.client.signPayout(pay.Ref.Reference, total)))
	if err != nil {
		return providers.OpResult{}, err
	}
	if said := a.text("merchantTransactionId"); said != "" && said != pay.Ref.Reference {
		return providers.OpResult{}, &providers.Failure{Op: op, Text: "answer of another payment"}
	}
	return operationResult(op, a, "", pay.Ref.Reference)
}

// InquirePayout asks for the payout as for a payment. One that is not found is missing: its call may be under way.
func (p *provider) InquirePayout(ctx context.Context, pay providers.Payment, r providers.OpResult) (providers.OpResult, error) {
	const op = "IN"
	a, err := p.client.inquire(ctx, r.GatewayID, pay.Ref.Reference)
	if err != nil {
		return providers.OpResult{}, err
	}
	short, long := a.statuses()
	state, known := progress["PO"][long]
	switch {
	case short == "" && long == "" && a.code() == codeNotFound && r.GatewayID == "" && a.paymentID() == "":
		return providers.OpResult{State: providers.OpMissing}, nil
	case a.text("merchantTransactionId") != pay.Ref.Reference:
		return providers.OpResult{}, a.failure(op)
	case !known, state == providers.OpSucceeded && short == "N", state == providers.OpFailed && short == "Y":
		return providers.OpResult{}, &providers.Failure{Op: op, Code: a.code(), Err: errors.New("no word of the payout's end")}
	}
	if total, err := a.amount("amount", pay.Amount.Currency); err != nil || total.Currency.Code != "" && total != pay.Amount {
		return providers.OpResult{}, &providers.Failure{Op: op, Text: "another amount"}
	}
	out := providers.OpResult{State: state, GatewayID: a.paymentID()}
	if state == providers.OpFailed {
		out.Decline = a.decline(card.Code{})
	}
	return out, nil
}
