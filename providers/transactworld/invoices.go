package transactworld

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// CreateInvoice makes a bill with a page of the platform's own.
func (p *provider) CreateInvoice(ctx context.Context, in providers.Invoice) (providers.Invoice, error) {
	total, err := amount(in.Amount)
	if err != nil {
		return providers.Invoice{}, err
	}
	form := url.Values{
		"merchantInvoiceId": {in.Reference}, "amount": {total}, "currency": {in.Amount.Currency.Code},
		"merchantRedirectUrl": {in.ReturnURL},
		"orderDescriptor":     {description(in.Description, in.Reference)},
	}
	for _, f := range [][2]string{
		{"notificationUrl", in.CallbackURL}, {"customer.email", in.Customer.Email}, {"customer.phone", in.Customer.Phone},
		{"customer.customerId", in.Customer.ID}, {"authentication.terminalId", p.terminal},
	} {
		if f[1] != "" {
			form.Set(f[0], f[1])
		}
	}
	return p.invoice(ctx, "generate", in, p.client.signed(form, p.client.signInvoice(in.Reference, total, in.ReturnURL)))
}

// RenewInvoice gives an old bill a new address; the old one dies.
func (p *provider) RenewInvoice(ctx context.Context, in providers.Invoice) (providers.Invoice, error) {
	if !identifier.MatchString(in.GatewayID) {
		return providers.Invoice{}, providers.Refuse("invoice", "the gateway's invoice id is missing")
	}
	form := url.Values{"invoiceId": {in.GatewayID}, "merchantRedirectUrl": {in.ReturnURL}}
	return p.invoice(ctx, "regenerate", in, p.client.signed(form, p.client.signRenewal(in.GatewayID, in.ReturnURL)))
}

// InquireInvoice asks by our number.
func (p *provider) InquireInvoice(ctx context.Context, in providers.Invoice) (providers.Invoice, error) {
	return p.invoice(ctx, "inquiry", in, p.client.signed(url.Values{"merchantInvoiceId": {in.Reference}},
		p.client.signID(in.Reference)))
}

// billed are the platform's words for an invoice; others read as unclear.
var billed = map[string]providers.Outcome{
	// it may be tried again
	"generated": providers.Waiting, "mailed": providers.Waiting, "regenerated": providers.Waiting, "failed": providers.Waiting,
	"processed": providers.Paid, "capturesuccess": providers.Paid, "expired": providers.Closed, "cancelled": providers.Voided,
	"canceled": providers.Voided,
}

// parseAmount reads an amount as answers write it.
func parseAmount(sum, code string) (money.Amount, error) {
	currency, err := money.ParseCurrency(code)
	if err != nil {
		return money.Amount{}, err
	}
	return money.ParseDecimal(sum, currency)
}

func (p *provider) invoice(ctx context.Context, op string, in providers.Invoice, form url.Values) (providers.Invoice, error) {
	a, err := p.client.call(ctx, op, invoicePath+op, form)
	if err != nil {
		return providers.Invoice{}, err
	}
	if !strings.HasPrefix(a.code(), "0") {
		if op == "inquiry" && a.code() == codeNotFound {
			in.Status = providers.NotFound
			return in, nil
		}
		return providers.Invoice{}, a.failure(op)
	}
	said := func(name string) string {
		if v := a.text("invoiceDetails", name); v != "" {
			return v
		}
		return a.text(name)
	}
	if ref := said("merchantInvoiceId"); ref != "" && ref != in.Reference {
		return providers.Invoice{}, &providers.Failure{Op: op, Text: "answer of another invoice"}
	}
	if id := said("invoiceId"); id != "" {
		in.GatewayID = id
	}
	if to := said("transactionUrl"); to != "" {
		if in.URL, err = threeds.CheckURL(to, p.loopback); err != nil {
			return providers.Invoice{}, &providers.Failure{Op: op, Err: err}
		}
	} else if op != "inquiry" {
		return providers.Invoice{}, &providers.Failure{Op: op, Text: "no transactionUrl"}
	}
	if sum := said("amount"); sum != "" { // where the platform says it; what it is compared with is the caller's
		in.Amount, err = parseAmount(sum, cmp.Or(said("currency"), in.Amount.Currency.Code))
		if err != nil {
			return providers.Invoice{}, &providers.Failure{Op: op, Err: err}
		}
	}
	word := strings.ToLower(said("status"))
	known := false
	if in.Status, known = billed[word]; !known {
		in.Status = providers.Unclear
		if word == "" && op != "inquiry" {
			in.Status = providers.Waiting
		}
	}
	return in, nil
}
