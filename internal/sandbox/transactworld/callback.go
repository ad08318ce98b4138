package transactworld

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/sim"
)

// retries of a notification; the real gateway's are not published.
func retries() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
}

// notify queues the notification. Its checksum, as that of every answer, is over the short status.
func (g *books) notify(a *Account, p *payment) {
	to := p.NotifyURL
	if to == "" {
		return
	}
	if !strings.Contains(to, "://") {
		to = "http://" + to
	}
	o := g.paymentObject(a, p).With("result", g.resultOf(p))
	cb := sim.Callback{Gateway: gatewayName, Reference: p.Reference, Method: http.MethodPost, URL: to, Retry: retries()}
	if a.NotifyForm {
		v := url.Values{}
		flatten(o, "", v)
		cb.Header, cb.Body = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(v.Encode())
	} else {
		raw, err := json.Marshal(o)
		if err != nil {
			g.env.Log.Error("notification not made", "gateway", gatewayName, "err", err)
			return
		}
		cb.Header, cb.Body = map[string]string{"Content-Type": "application/json"}, raw
	}
	if err := g.env.Callbacks.Send(cb); err != nil {
		g.env.Log.Error("notification not queued", "gateway", gatewayName, "err", err)
	}
}

// returnFields are the fields that the browser brings to merchantRedirectUrl.
func (g *books) returnFields(a *Account, p *payment) []field {
	sum := formatAmount(p.Amount)
	fields := []field{
		{Name: "paymentId", Value: p.ID}, {Name: "merchantTransactionId", Value: p.Reference}, {Name: "amount", Value: sum},
		{Name: "currency", Value: p.Currency},
		{Name: "status", Value: short[p.Status]}, {Name: "descriptor", Value: p.Descriptor}, {Name: "eci", Value: p.ECI},
		{Name: "resultCode", Value: p.Code}, {Name: "resultDescription", Value: p.Text}, {Name: "cardBin", Value: p.Bin},
		{Name: "cardLast4Digits", Value: p.Last4},
		{Name: "timestamp", Value: g.stamp()}, {Name: "resourcePath", Value: "/transactionServices/REST/v1/payments/" + p.ID},
		{Name: "checksum", Value: checksum(p.ID, p.Reference, sum, short[p.Status], a.SecureKey)},
	}
	if p.Registration != "" {
		fields = append(fields, field{Name: "registrationId", Value: p.Registration}, field{Name: "token", Value: p.Registration})
	}
	return fields
}

func (g *books) resultOf(p *payment) object {
	return result(p.Code, p.Text).Opt("bankCode", p.BankCode).Opt("bankDescription", p.BankText)
}

// paymentObject is everything but the result, whose code depends on who asked what.
func (g *books) paymentObject(a *Account, p *payment) object {
	o := object{}.With("paymentId", a.number(p.ID)).With("status", p.Status).With("transactionStatus", short[p.Status]).
		With("paymentBrand", p.Brand).With("paymentMode", p.Mode).With("paymentType", p.Type).With("firstName", p.First).
		With("lastName", p.Last).
		With("amount", a.number(formatAmount(p.Amount))).With("currency", p.Currency).Opt("tmpl_amount", p.TmplAmount).
		Opt("tmpl_currency", p.TmplCurrency).
		With("descriptor", p.Descriptor).With("merchantTransactionId", p.Reference).With("remark", p.Remark).
		Opt("registrationId", p.Registration).Opt("token", p.Registration).Opt("recurringType", p.Recurring)
	o = o.With("card", object{}.With("bin", p.Bin).With("lastFourDigits", p.Last4).With("last4Digits", p.Last4).
		With("expiryMonth", p.Month).With("expiryYear", p.Year))
	o = o.With("customer", object{}.With("email", p.Email).With("id", p.Customer))
	return o.With("eci", p.ECI).With("bankReferenceId", p.BankRef).With("terminalId", p.Terminal).With("timestamp", g.stamp()).
		With("checksum", checksum(p.ID, p.Reference, formatAmount(p.Amount), short[p.Status], a.SecureKey))
}
