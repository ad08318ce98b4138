package transactworld

import (
	"fmt"
	"strconv"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// nextReference is the merchantTransactionId of the invoice's next payment.
func (v *invoice) nextReference() string {
	if v.Tries == 0 {
		return v.Reference
	}
	return fmt.Sprintf("%s-%d", v.Reference, v.Tries+1)
}

// generate is POST /invoiceServices/REST/v1/generate.
func (g *Gateway) generate(c *call) (object, *fault) {
	reference := c.get("merchantInvoiceId")
	c.logReference(reference)
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, reference, c.get("amount"), c.get("merchantRedirectUrl")); bad != nil {
		return nil, bad
	}
	sum, ok := parseAmount(c.get("amount"))
	currency := c.get("currency")
	switch {
	case reference == "":
		return nil, missing("merchantInvoiceId")
	case !ok || sum == 0:
		return nil, malformed("amount")
	case amount.Digits(currency) == "" || amount.Letters(currency) != currency || amount.Exponent(currency) == 0 && sum%100 != 0:
		return nil, malformed("currency")
	case !sim.WebURL(c.get("merchantRedirectUrl")):
		return nil, malformed("merchantRedirectUrl")
	}
	if _, taken := g.bills[[2]string{c.a.MemberID, reference}]; taken {
		return nil, refuse("20003", "merchantInvoiceId already exists")
	}
	v := &invoice{
		ID: strconv.FormatInt(g.lastInvoice+1, 10), Member: c.a.MemberID, Reference: reference, Amount: sum, Currency: currency,
		RedirectURL: c.get("merchantRedirectUrl"),
		NotifyURL:   c.get("notificationUrl"), Description: c.get("orderDescriptor"), Email: c.get("customer.email"),
		Token: g.random(32), Created: g.now(), Expires: g.now().Add(invoiceLife),
	}
	if bad := g.saveInvoice(v); bad != nil {
		return nil, bad
	}
	return g.invoiceObject(c.a, v, "Invoice generated successfully"), nil
}

// regenerate gives an unpaid invoice a new address; the old one dies.
func (g *Gateway) regenerate(c *call) (object, *fault) {
	id := c.get("invoiceId")
	if bad := c.signed(id, c.a.MemberID, c.a.SecureKey, c.get("merchantRedirectUrl")); bad != nil {
		return nil, bad
	}
	v := g.invoices.Get(id)
	if v == nil || v.Member != c.a.MemberID {
		return nil, errNone
	}
	c.logReference(v.Reference)
	if p := g.open(v.Payment); p != nil && (p.waiting() || p.Charges > 0) {
		return nil, errState
	}
	if u := c.get("merchantRedirectUrl"); u != "" {
		if !sim.WebURL(u) {
			return nil, malformed("merchantRedirectUrl")
		}
		v.RedirectURL = u
	}
	v.Token, v.Expires = g.random(32), g.now().Add(invoiceLife)
	if bad := g.saveInvoice(v); bad != nil {
		return nil, bad
	}
	return g.invoiceObject(c.a, v, "Invoice regenerated successfully"), nil
}

func (g *Gateway) invoiceInquiry(c *call) (object, *fault) {
	reference := c.get("merchantInvoiceId")
	c.logReference(reference)
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, reference); bad != nil {
		return nil, bad
	}
	v := g.invoices.Get(g.bills[[2]string{c.a.MemberID, reference}])
	if v == nil {
		return nil, errNone
	}
	return g.invoiceObject(c.a, v, "Record found"), nil
}

// invoiceConfig answers what the account's invoices are made with.
func (g *Gateway) invoiceConfig(c *call) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey); bad != nil {
		return nil, bad
	}
	return object{}.With("memberId", c.a.MemberID).
		With("invoiceConfigDetails", object{}.With("expirationPeriod", strconv.Itoa(int(invoiceLife/time.Hour))).
			With("currency", "USD").With("paymentMode", "CC")).With("result", result("00026", "Record found")), nil
}

// invoiceObject shows an invoice. Its statuses are generated, processed (paid), failed (the newest try) and expired.
func (g *Gateway) invoiceObject(a *Account, v *invoice, text string) object {
	status := "generated"
	p := g.open(v.Payment)
	switch {
	case p != nil && p.Charges > 0:
		status = "processed"
	case !g.now().Before(v.Expires):
		status = "expired"
	case p != nil && !p.waiting():
		status = "failed"
	}
	details := object{}.With("invoiceId", a.number(v.ID)).With("merchantInvoiceId", v.Reference).
		With("amount", a.number(formatAmount(v.Amount))).With("currency", v.Currency).
		With("status", status).With("transactionUrl", g.url("/invoice/"+v.Token)).
		With("date", v.Created.UTC().Format("2006-01-02 15:04:05"))
	if p != nil {
		details = details.With("paymentId", a.number(p.ID))
	}
	code := "00050"
	if text == "Record found" {
		code = "00026"
	}
	return object{}.With("invoiceDetails", details).With("result", result(code, text)).With("timestamp", g.stamp())
}
