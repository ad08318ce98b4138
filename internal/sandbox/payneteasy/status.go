package payneteasy

import (
	"strconv"
	"time"
)

// status is the inquiry. Until the order is final it carries the step that the gateway waits for, again and again.
func (g *Gateway) status(c *call) (*reply, *fault) {
	if bad := c.signed(c.client, c.value("orderid")); bad != nil {
		return nil, bad
	}
	o, bad := g.findOrder(c)
	if bad != nil {
		return nil, bad
	}
	r := newReply("status-response").add("serial-number", g.serial()).add("merchant-order-id", o.Client).add("paynet-order-id", o.ID)
	if sn := c.get("by-request-sn"); sn != "" && sn != o.Serial {
		for _, q := range o.Requests {
			if q.Serial == sn {
				return r.add("status", q.status()).add("amount", formatAmount(q.Amount)).add("currency", o.Currency).
					add("transaction-type", q.Type).
					add("order-stage", q.Stage).add("by-request-sn", sn).add("initial-amount", formatAmount(o.Amount)), nil
			}
		}
		return nil, refuse("4", "Request is not found")
	}
	shown, stage := o.Status, o.Stage
	if n := len(o.Requests); n > 0 {
		shown = o.Requests[n-1].status()
	}
	if o.Hide > 0 {
		o.Hide--
		if bad := g.save(o); bad != nil {
			return nil, bad
		}
		shown, stage = processing, o.Type+"_processing"
		r.add("status", shown)
	} else {
		r.add("status", shown)
		g.step(o, r)
	}
	typ := o.Type
	if n := len(o.Requests); n > 0 {
		typ = o.Requests[n-1].Type
	}
	r.add("amount", formatAmount(o.approvedAmount())).add("currency", o.Currency).opt("original-gate-descriptor", "Sandbox")
	r.add("transaction-type", typ).opt("receipt-id", o.Receipt).opt("name", o.Holder).opt("cardholder-name", o.Holder).
		opt("card-exp-month", o.Month).opt("card-exp-year", o.Year).opt("email", o.Email).add("order-stage", stage).
		opt("last-four-digits", o.Last4).opt("bin", o.Bin).opt("card-type", o.CardType).opt("phone", o.Phone).
		opt("bank-name", "UNKNOWN")
	if shown == approved || shown == declined {
		at := o.PaidAt // the same at every look
		if at.IsZero() {
			at = g.now()
		}
		r.add("paynet-processing-date", at.UTC().Add(3*time.Hour).Format("2006-01-02 15:04:05")+" MSK")
		r.opt("approval-code", o.Approval).opt("processor-rrn", o.RRN).opt("processor-tx-id", processorID(o)).
			opt("verified-3d-status", o.Verified)
	}
	if shown == declined {
		r.opt("error-code", o.ErrorCode).opt("error-message", o.ErrorText)
	}
	if shown == approved {
		r.add("gate-partial-reversal", "enabled").add("gate-partial-capture", "enabled")
	}
	r.opt("first-name", o.First).opt("last-name", o.Last).opt("merchantdata", o.Data)
	if sn := c.get("by-request-sn"); sn != "" {
		r.add("by-request-sn", sn)
	}
	return r.add("initial-amount", formatAmount(o.Amount)), nil
}

func processorID(o *order) string {
	if o.RRN == "" {
		return ""
	}
	n, _ := strconv.ParseInt(o.ID, 10, 64)
	return "PNTEST-" + strconv.FormatInt(n, 10)
}

// step adds the fields of the step that is waited for.
func (g *Gateway) step(o *order, r *reply) {
	if o.Status != processing {
		return
	}
	name := "tds_status" // the only field of them all with an underscore
	if g.accountOf(o).HyphenStatus {
		name = "tds-status"
	}
	if o.Step == stepMethod || o.Step == stepPaReq { // older clients know nothing but the gateway's page
		to := g.pageURL(o)
		defer func() { r.add("html", redirectHTML(to, [][2]string{{"token", o.Token}})).add("redirect-to", to) }()
	}
	switch o.Step {
	case stepMethod:
		r.add(name, "MethodUrlFrame").add("tds-method-url-frame-3ds-server-trans-id", o.TransID).
			opt("tds-method-url-frame-3ds-method-url", o.MethodURL)
	case stepCReq:
		r.add(name, "CReqForm").add("tds-creq-form-creq", o.CReq).add("tds-creq-form-acs-url", o.ACSURL)
	case stepPaReq:
		r.add(name, "PaReqForm").add("tds-pareq-form-pareq", o.PaReq).add("tds-pareq-form-acs-url", o.ACSURL)
	case stepPage:
		to := g.pageURL(o)
		r.add("html", redirectHTML(to, [][2]string{{"token", o.Token}})).add("redirect-to", to)
	}
}

func (g *Gateway) pageURL(o *order) string { return g.url("/form/redirect/" + o.ID + "/" + o.Token) }
