package rbs

import (
	"cmp"
	"net/url"
	"strconv"

	"tollgate/internal/sandbox/issuer"
)

// recurrentPayment registers an order and pays it with a binding, the customer away, in one call. success says that the request
// was handled; whether the order was paid, its status says.
func (g *registry) recurrentPayment(c *call) (body, *fault) {
	f := c.form
	for _, name := range []string{"orderNumber", "bindingId"} {
		if f.Get(name) == "" {
			return nil, missing(name)
		}
	}
	b := g.bindings.Get(f.Get("bindingId"))
	if b == nil || b.Account != c.acc.UserName || !b.Active {
		return nil, errNoBinding
	}
	card, ok := issuer.Named(b.Card)
	if !ok {
		return nil, errNoBinding
	}
	if g.byNumber(c.acc, f.Get("orderNumber")) != nil {
		return nil, refuse(10, "Order with this number is already registered in the system.")
	}
	f.Set("clientId", b.Client)
	f.Set("returnUrl", cmp.Or(f.Get("returnUrl"), "finish.html"))
	if f.Get("jsonParams") == "" && f.Get("additionalParameters") != "" {
		f.Set("jsonParams", f.Get("additionalParameters"))
	}
	o, bad := g.newOrder(c, f.Get("preAuth") == "true")
	if bad != nil {
		return nil, bad
	}
	o.Features = append(o.Features, "AUTO_PAYMENT")
	o.Attempts = c.acc.Attempts - 1 // no shopper is there for another
	o.Try = &attempt{Masked: b.Masked, Expiry: b.Expiry, Holder: b.Holder, System: b.System, Binding: b.ID}
	if _, bad := g.start(c.acc, o, card.PAN, goodCVC, true); bad != nil {
		return nil, bad
	}
	return body{}.With("success", true).With("data", body{}.With("orderId", o.ID).With("orderNumber", o.Number)).
		With("orderStatus", extended(o)), nil
}

// instantPayment registers an order and pays it with a card or a binding in one call. After the Method frames it is sent again,
// with threeDSServerTransId and threeDSVer2MdOrder.
func (g *registry) instantPayment(c *call) (body, *fault) { return g.directPayment(c, false) }

// motoPayment is the same for cards that were named by letter or telephone: no 3-D Secure.
func (g *registry) motoPayment(c *call) (body, *fault) { return g.directPayment(c, true) }

func (g *registry) directPayment(c *call, noTDS bool) (body, *fault) {
	if id := c.form.Get("threeDSVer2MdOrder"); id != "" {
		o, bad := g.checkOwner(c, g.open(id))
		if bad != nil {
			return nil, bad
		}
		if !o.unpaid() || o.Try == nil || o.Try.Step != stepMethod || o.Try.TransID != c.form.Get("threeDSServerTransId") {
			return nil, errState
		}
		answer, bad := g.authenticate(c.acc, o)
		return directAnswer(o, answer), bad
	}
	f := c.form
	var in cardInput
	var b *binding
	var bad *fault
	if f.Get("pan") == "" && f.Get("bindingId") != "" {
		if b = g.bindings.Get(f.Get("bindingId")); b == nil || b.Account != c.acc.UserName || !b.Active {
			return nil, errNoBinding
		}
		card, ok := issuer.Named(b.Card)
		if !ok {
			return nil, errNoBinding
		}
		f.Set("clientId", b.Client)
		in = cardInput{pan: card.PAN, expiry: b.Expiry, holder: b.Holder, cvc: cmp.Or(f.Get("cvc"), goodCVC)}
	} else if in, bad = plainCard(f, noTDS); bad != nil {
		return nil, bad
	}
	o, bad := g.newOrder(c, f.Get("preAuth") == "true")
	if bad != nil {
		return nil, bad
	}
	o.Try = &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry, Holder: in.holder, System: system(in.pan),
		NoBinding: f.Get("bindingNotNeeded") == "true", FinishURL: f.Get("threeDSVer2FinishUrl"),
		NotificationURL: f.Get("threeDSMethodNotificationUrl")}
	if b != nil {
		o.Try.Binding = b.ID
	}
	answer, bad := g.start(c.acc, o, in.pan, in.cvc, noTDS || o.has("FORCE_SSL") || o.has("AUTO_PAYMENT"))
	if bad != nil {
		return nil, bad
	}
	return directAnswer(o, answer), nil
}

// plainCard reads a card under the names of the calls that take one beside the order's parameters.
func plainCard(f url.Values, noCVC bool) (cardInput, *fault) {
	cvc := f.Get("cvc")
	if cvc == "" && noCVC {
		cvc = goodCVC
	}
	if f.Get("pan") == "" {
		return cardInput{}, missing("pan")
	}
	return readCard(url.Values{"$PAN": {f.Get("pan")}, "$CVC": {cvc}, "$EXPIRY": {cmp.Or(f.Get("expiry"), f.Get("expiryDate"))},
		"TEXT": {cmp.Or(f.Get("cardholderName"), "CARDHOLDER")}, "seToken": {f.Get("seToken")}})
}

// directAnswer is a payment's answer with the order's id and its status under the old names.
func directAnswer(o *order, answer body) body {
	out := body{}.With("errorCode", "0").With("orderId", o.ID)
	for _, m := range answer {
		if m.Name != "errorCode" {
			out = append(out, m)
		}
	}
	return out.With("orderStatus", oldStatus(o))
}

// verifyCard asks the bank whether a card is good, and takes nothing: its order is reversed from the start.
func (g *registry) verifyCard(c *call) (body, *fault) {
	f := c.form
	in, bad := plainCard(f, false)
	if bad != nil {
		return nil, bad
	}
	f.Set("amount", cmp.Or(f.Get("amount"), "100"))
	if f.Get("amount") == "0" {
		f.Set("amount", "100")
	}
	f.Set("returnUrl", cmp.Or(f.Get("returnUrl"), "finish.html"))
	if f.Get("orderNumber") == "" {
		f.Set("orderNumber", "verify-"+g.env.Digits(12))
	}
	o, bad := g.newOrder(c, true)
	if bad != nil {
		return nil, bad
	}
	card, listed := issuer.Find(in.pan)
	o.Try = &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry, Holder: in.holder, System: system(in.pan), Card: card.Masked()}
	o.Action, o.Status = bankVerdict(card, listed, in, g.now().Format("200601")), statusReversed
	if o.Action == actionOK {
		o.Try.Approval, o.Try.RefNum = g.env.Digits(6), g.env.Digits(12)
	} else {
		o.Status = statusDeclined
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	rrn, _ := strconv.ParseInt(o.Try.RefNum, 10, 64) // 0 where there is none
	approval, _ := strconv.Atoi(o.Try.Approval)
	return done().With("orderId", o.ID).With("orderNumber", o.Number).With("actionCode", strconv.Itoa(o.Action)).
		With("actionCodeDescription", actionText[o.Action]).With("authCode", approval).With("rrn", rrn).
		With("time", g.now().UnixMilli()).With("eci", 7).With("amount", 0).With("currency", o.Currency), nil
}

// bankVerdict is the action code of a card that is asked about, or charged, without 3-D Secure.
func bankVerdict(card issuer.Card, listed bool, in cardInput, month string) int {
	switch {
	case !listed:
		return actionBadPAN
	case in.expiry < month:
		return actionExpiredCard
	case in.cvc != goodCVC:
		return actionWrongCVC
	case card.Bank == issuer.DeclineFunds:
		return actionFunds
	case card.Bank == issuer.DeclineHonor:
		return actionDoNotHonor
	}
	return actionOK
}

// verifyEnrollment tells whether a card takes part in 3-D Secure.
func (g *registry) verifyEnrollment(c *call) (body, *fault) {
	pan := c.form.Get("pan")
	if pan == "" {
		return nil, missing("pan")
	}
	if !goodPAN(pan) {
		return nil, refuse(1, "Wrong card number")
	}
	enrolled := "N"
	if card, ok := issuer.Find(pan); ok && card.Protocol != "" {
		enrolled = "Y"
	}
	return done().With("emitterName", "TEST CARD").With("emitterCountryCode", "KZ").With("enrolled", enrolled), nil
}

// updateSSLCardList puts the card that an order was paid with on the merchant's list of cards that need no 3-D Secure.
func (g *registry) updateSSLCardList(c *call) (body, *fault) {
	id := cmp.Or(c.form.Get("mdorder"), c.form.Get("mdOrder"))
	if id == "" {
		return nil, missing("mdorder")
	}
	o, bad := g.checkOwner(c, g.open(id))
	if bad != nil {
		return nil, bad
	}
	if o.Try == nil || o.Paid.IsZero() {
		return nil, errNoDeposit
	}
	o.SSLCard = o.Try.Card
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return done(), nil
}
