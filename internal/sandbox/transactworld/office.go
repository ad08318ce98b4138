package transactworld

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// number writes an id or amount as this account's answers do.
func (a *Account) number(s string) any {
	if a.Numbers && s != "" {
		return json.Number(s)
	}
	return s
}

// backOffice is POST /payments/{id}: IN, CP, RV, RF, and a repeated payment.
func (g *Gateway) backOffice(c *call) (object, *fault) {
	id, typ := c.r.PathValue("id"), c.get("paymentType")
	p := g.open(id)
	if typ == "IN" && c.get("idType") == "MID" { // then the path names our number
		p = g.open(g.references[[2]string{c.a.MemberID, id}])
	}
	if p != nil && p.Member != c.a.MemberID {
		p = nil
	}
	if typ == "IN" {
		return g.ask(c, id, p)
	}
	c.money = true
	if p == nil {
		return nil, errNone
	}
	if c.get("recurringType") == "REPEATED" {
		return g.repeat(c, p)
	}
	c.logReference(p.Reference)
	switch typ {
	case "CP":
		return g.capture(c, p)
	case "RV":
		return g.reverse(c, p)
	case "RF":
		return g.refund(c, p)
	case "":
		return nil, missing("paymentType")
	}
	return nil, errMode
}

// inquiry is POST /inquiry, by PID or MID.
func (g *Gateway) inquiry(c *call) (object, *fault) {
	if c.get("paymentType") != "IN" {
		return nil, malformed("paymentType")
	}
	id := c.get("paymentId")
	key := id
	switch c.get("idType") {
	case "PID", "":
	case "MID":
		key = c.get("merchantTransactionId")
		id = g.references[[2]string{c.a.MemberID, key}]
	default:
		return nil, malformed("idType")
	}
	if key == "" {
		return nil, missing("paymentId or merchantTransactionId")
	}
	p := g.open(id)
	if p != nil && p.Member != c.a.MemberID {
		p = nil
	}
	return g.ask(c, key, p)
}

func (g *Gateway) ask(c *call, key string, p *payment) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, key); bad != nil {
		return nil, bad
	}
	if p == nil {
		return nil, errNone
	}
	return g.inquiryAnswer(c, p)
}

// byResource is the GET of the resourcePath that the browser brings back; it carries the token alone.
func (g *Gateway) byResource(c *call) (object, *fault) {
	p := g.open(c.r.PathValue("id"))
	if p == nil || p.Member != c.a.MemberID {
		return nil, errNone
	}
	return g.inquiryAnswer(c, p)
}

// sum is the amount of a capture or refund.
func (c *call) sum() (int64, *fault) {
	if c.get("amount") == "" {
		return 0, missing("amount")
	}
	n, ok := parseAmount(c.get("amount"))
	if !ok || n == 0 {
		return 0, malformed("amount")
	}
	return n, nil
}

func (g *Gateway) capture(c *call, p *payment) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, p.ID, c.get("amount")); bad != nil {
		return nil, bad
	}
	sum, bad := c.sum()
	switch {
	case bad != nil:
		return nil, bad
	case p.Status != authSuccessful || p.Type != "PA" || p.Op != nil:
		return nil, errState
	case sum > p.Held:
		return nil, errAmount
	}
	return g.operate(c, p, "CP", captureStarted, sum)
}

// reverse gives a hold back: all of it, or a part where the account may.
func (g *Gateway) reverse(c *call, p *payment) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, p.ID); bad != nil {
		return nil, bad
	}
	if p.Status != authSuccessful || p.Type != "PA" || p.Op != nil || p.Released {
		return nil, errState
	}
	sum := p.Held
	if c.get("amount") != "" {
		n, bad := c.sum()
		switch {
		case bad != nil:
			return nil, bad
		case n > p.Held:
			return nil, errAmount
		case n < p.Held && !c.a.PartialReversal:
			return nil, malformed("amount")
		}
		sum = n
	}
	return g.operate(c, p, "RV", cancelStarted, sum)
}

// refund gives back what was taken, wholly or in part, once.
func (g *Gateway) refund(c *call, p *payment) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey, p.ID, c.get("amount")); bad != nil {
		return nil, bad
	}
	sum, bad := c.sum()
	switch {
	case bad != nil:
		return nil, bad
	case p.Status != captureSuccess || p.Op != nil:
		return nil, errState
	case sum > p.Captured:
		return nil, errAmount
	}
	return g.operate(c, p, "RF", marked, sum)
}

// payout sends money to the card of an earlier payment, or to one that the request names.
func (g *Gateway) payout(c *call) (object, *fault) {
	c.money = true
	c.logReference(c.get("merchantTransactionId"))
	if bad := c.signed(c.a.MemberID, c.get("merchantTransactionId"), c.get("amount"), c.a.SecureKey); bad != nil {
		return nil, bad
	}
	if c.get("merchantTransactionId") == "" {
		return nil, missing("merchantTransactionId")
	}
	if t := c.get("paymentType"); t != "" && t != "PO" { // public clients leave it out
		return nil, errMode
	}
	p, bad := g.begin(c, "PO")
	if bad != nil {
		return nil, bad
	}
	known := false
	if id := c.get("paymentId"); id != "" {
		first := g.open(id)
		if first == nil || first.Member != c.a.MemberID || first.Charges == 0 {
			return nil, errNone
		}
		if p.Currency == "" {
			p.Currency = first.Currency
		}
		p.Brand, p.Mode, p.Card, p.Bin, p.Last4, p.Month, p.Year = first.Brand, first.Mode, first.Card, first.Bin, first.Last4,
			first.Month, first.Year
		p.First, p.Last, p.Email, known = first.First, first.Last, first.Email, true
		if p.NotifyURL == "" {
			p.NotifyURL = first.NotifyURL
		}
	} else {
		pan := c.get("card.number")
		switch {
		case pan == "":
			return nil, missing("paymentId or card.number")
		case !sim.AllDigits(pan) || len(pan) < 12 || len(pan) > 19 || !sim.Luhn(pan):
			return nil, malformed("card.number")
		}
		p.Bin, p.Last4, p.Month, p.Year = pan[:6], pan[len(pan)-4:], c.get("card.expiryMonth"), c.get("card.expiryYear")
		p.Card = maskOf(pan)
		known = p.Card != ""
	}
	if bad := c.check(p); bad != nil {
		return nil, bad
	}
	card, _ := issuer.Named(p.Card)
	if !known || card.Bank != "" {
		p.Status, p.Code, p.Text, p.Remark, p.BankCode, p.BankText = payoutFailed, "10001", "Transaction failed", "Payout Failed",
			"14", "Invalid card number"
		if bad := g.save(p); bad != nil {
			return nil, bad
		}
		g.notify(c.a, p)
		return g.paymentObject(c.a, p).With("result", g.resultOf(p)), nil
	}
	p.Code, p.Text, p.Remark = "00001", "Transaction succeeded", "Payout Successful"
	return g.operate(c, p, "PO", payoutStarted, p.Amount)
}

const listDate = "02/01/2006"

// list is POST /getTransactionList, newest first.
func (g *Gateway) list(c *call) (object, *fault) {
	if bad := c.signed(c.a.MemberID, c.a.SecureKey); bad != nil {
		return nil, bad
	}
	from, err := time.Parse(listDate, c.get("pagination.fromdate"))
	if err != nil {
		return nil, malformed("pagination.fromdate")
	}
	to, err := time.Parse(listDate, c.get("pagination.todate"))
	if err != nil || to.Before(from) {
		return nil, malformed("pagination.todate")
	}
	page, records := 1, 10
	if v := c.get("pagination.pageno"); v != "" {
		if page, err = strconv.Atoi(v); err != nil || page < 1 {
			return nil, malformed("pagination.pageno")
		}
	}
	if v := c.get("pagination.records"); v != "" {
		if records, err = strconv.Atoi(v); err != nil || records < 1 || records > 100 {
			return nil, malformed("pagination.records")
		}
	}
	var all []object
	skip := (page - 1) * records
	for _, id := range slices.Backward(g.payments.IDs()) {
		p := g.open(id)
		day := p.Created.UTC()
		if p.Member != c.a.MemberID || day.Before(from) || !day.Before(to.AddDate(0, 0, 1)) ||
			c.get("status") != "" && c.get("status") != p.Status {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(all) == records {
			break
		}
		all = append(all, object{}.With("systemPaymentId", c.a.number(p.ID)).With("merchantTransactionId", p.Reference).
			With("transactionStatus", p.Status).
			With("amount", c.a.number(formatAmount(p.Amount))).With("currency", p.Currency).
			With("captureamount", c.a.number(formatAmount(p.Captured))).
			With("refundamount", c.a.number(formatAmount(p.Refunded))).With("chargebackamount", c.a.number(formatAmount(p.Disputed))).
			With("payoutamount", c.a.number(formatAmount(p.PaidOut))).
			With("paymentType", p.Type).With("date", day.Format("2006-01-02 15:04:05")).
			With("transactionDate", day.Format("2006-01-02 15:04:05")).With("remark", p.Remark).
			With("customer", object{}.With("email", p.Email).With("id", p.Customer)).
			With("card", object{}.With("bin", p.Bin).With("lastFourDigits", p.Last4).With("last4Digits", p.Last4).
				With("expiryMonth", p.Month).With("expiryYear", p.Year)).
			With("bankReferenceId", p.BankRef).With("terminalid", p.Terminal))
	}
	if len(all) == 0 {
		return nil, errNone
	}
	return object{}.With("result", result("00026", "Record found")).With("transaction", all).With("timestamp", g.stamp()), nil
}
