package payneteasy

import (
	"encoding/base64"
	"errors"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
)

// acquirer authenticates the payers of orders, asks the issuer for the money, and moves orders on with time.
type acquirer struct{ books }

// open returns a copy of the order to work on, after what time has done to it. Nil if there is none.
func (g *acquirer) open(id string) *order {
	o := g.orders.Get(id)
	if o != nil {
		g.applyElapsed(o)
	}
	return o
}

// findOrder is the order that the call names; orderid may be missing, client_orderid may not.
func (g *acquirer) findOrder(c *call) (*order, *fault) {
	id := c.value("orderid")
	if c.client == "" {
		return nil, missing("client_orderid")
	}
	if id == "" {
		id = g.clients[[2]string{c.acc.Login, c.client}]
	}
	o := g.open(id)
	if o == nil || o.Login != c.acc.Login || o.Client != c.client {
		return nil, errNoOrder
	}
	c.order = o.ID
	return o, nil
}

// pay begins the payment with a card. noTDS authorises at once. own is set on the gateway's own form, where the browser
// is here and every step of 3-D Secure is the gateway's page.
func (g *acquirer) pay(a *Account, o *order, in cardInput, noTDS, own bool) *fault {
	card, listed := issuer.Find(in.pan)
	o.Card = card.Masked()
	o.Step = stepNone
	switch {
	case in.cvv == "217":
		o.Status, o.Stage = unknown, o.Type+"_unknown"
		return g.save(o)
	case cvvDeclines[in.cvv] != "":
		return g.decline(a, o, in.cvv, cvvDeclines[in.cvv])
	case in.cvv != "123" && in.cvv != "1234" && in.cvv != "321" && in.cvv != "111":
		return g.decline(a, o, "82", "Wrong CVV2")
	case !listed:
		return g.decline(a, o, "14", "Card is not one of the test cards")
	case in.year+in.month < g.now().Format("200601"):
		return g.decline(a, o, "101", cvvDeclines["101"])
	case noTDS || in.cvv == "111" || card.Protocol == "" && in.cvv != "321":
		return g.authorize(a, o, card)
	case card.HTML || in.cvv == "321" || own:
		o.Paged = true
		o.wait(stepPage, g.now())
		return g.save(o)
	case card.Protocol == "1.0.2":
		if bad := g.beginVer1(a, o, card); bad != nil {
			return bad
		}
		return g.save(o)
	}
	if bad := g.begin(o, card, false); bad != nil {
		return bad
	}
	o.wait(stepMethod, g.now())
	return g.save(o)
}

// begin opens an EMV 3DS authentication.
func (g *acquirer) begin(o *order, card issuer.Card, mandate bool) *fault {
	auth, err := g.env.Issuer.Begin(card, mandate)
	if err != nil {
		g.env.Log.Error("authentication not begun", "gateway", gatewayName, "err", err)
		return errSystem
	}
	o.TransID, o.MethodURL, o.Second = auth.ServerTransID, auth.MethodURL, mandate
	return nil
}

// beginVer1 opens 3DS 1.0.2; the caller saves.
func (g *acquirer) beginVer1(a *Account, o *order, card issuer.Card) *fault {
	o.XID = base64.StdEncoding.EncodeToString(g.env.Random(20))
	var err error
	o.ACSURL, o.PaReq, err = g.env.Issuer.PaReq(card, issuer.Purchase{
		XID: o.XID, MerchantName: issuer.ShopName, Amount: amount.FromHundredths(o.Amount, o.Currency), Currency: o.Currency,
		Exponent: amount.Exponent(o.Currency),
	})
	if err != nil {
		g.env.Log.Error("PaReq not made", "gateway", gatewayName, "err", err)
		return errSystem
	}
	o.wait(stepPaReq, g.now())
	return nil
}

// authenticate sends the AReq; the table of what follows stands in the package comment. A refusal by the issuer is a
// malformed browser element, and changes nothing.
func (g *acquirer) authenticate(a *Account, o *order, card issuer.Card, compInd string, browser map[string]string) *fault {
	ares, err := g.env.Issuer.Authenticate(issuer.AReq{
		ServerTransID: o.TransID, CompInd: compInd, NotificationURL: o.NotificationURL, Browser: browser,
		Amount: amount.FromHundredths(o.Amount, o.Currency), Currency: o.Currency,
	})
	if err != nil {
		return wrong("3-D Secure data is refused: " + err.Error())
	}
	switch {
	case ares.Timeout:
		return g.decline(a, o, "405", "3-D Secure directory server did not answer")
	case ares.TransStatus == "C":
		o.ACSURL, o.CReq = ares.ACSURL, ares.CReq
		o.wait(stepCReq, g.now())
		return g.save(o)
	case ares.TransStatus == "D":
		o.wait(stepDecoupled, g.now())
		return g.save(o)
	case ares.TransStatus == "Y" && card.Soft() && !o.Second:
		// The bank wants the cardholder: the gateway has all the browser data already and asks again by itself.
		if bad := g.begin(o, card, true); bad != nil {
			return bad
		}
		return g.authenticate(a, o, card, compInd, browser)
	}
	return g.verdict(a, o, ares.TransStatus)
}

func (g *acquirer) verdict(a *Account, o *order, transStatus string) *fault {
	card, ok := issuer.Named(o.Card)
	if !ok {
		return errSystem
	}
	switch transStatus {
	case "Y", "A", "I":
		o.Verified = "AUTHENTICATED"
		if transStatus == "I" {
			o.Verified = "UNKNOWN"
		}
		return g.authorize(a, o, card)
	case "N", "R":
		o.Verified = "NOT_AUTHENTICATED"
		return g.decline(a, o, "3", "3-D Secure authentication failed")
	}
	o.Verified = "UNSUPPORTED"
	return g.decline(a, o, "3", "3-D Secure authentication could not be performed")
}

// authorize asks the bank for the money. It is the only place that takes any, and only once for an order.
func (g *acquirer) authorize(a *Account, o *order, card issuer.Card) *fault {
	if o.Charges > 0 || o.final() {
		return errState
	}
	switch card.Bank {
	case issuer.DeclineFunds:
		return g.decline(a, o, "116", cvvDeclines["116"])
	case issuer.DeclineHonor:
		return g.decline(a, o, "5", "Do not honor")
	}
	o.Status, o.Stage, o.Step = approved, o.Type+"_approved", stepNone
	o.Charges++
	o.Held, o.PaidAt, o.Approval, o.RRN, o.Receipt = o.Amount, g.now(), g.env.Digits(6), g.env.Digits(12), g.serial()
	if o.Type == "preauth" {
		o.Stage = "auth_approved"
	} else {
		o.Captured = o.Amount
	}
	if bad := g.save(o); bad != nil {
		return bad
	}
	g.notify(a, o, o.Type, approved, o.Amount, true)
	return nil
}

func (g *acquirer) decline(a *Account, o *order, code, text string) *fault {
	o.Status, o.Stage, o.Step, o.ErrorCode, o.ErrorText = declined, o.Type+"_declined", stepNone, code, text
	if bad := g.save(o); bad != nil {
		return bad
	}
	g.notify(a, o, o.Type, declined, o.Amount, true)
	return nil
}

// applyElapsed applies what happened since the order was last looked at: a decoupled authentication that ended, a step whose
// time is over.
func (g *acquirer) applyElapsed(o *order) {
	if o.Status != processing || o.Step == stepNone {
		return
	}
	a := g.accountOf(o)
	if o.Step == stepDecoupled {
		if res, err := g.env.Issuer.Result(o.TransID); err == nil && res.Done {
			if bad := g.verdict(a, o, res.TransStatus); bad != nil {
				g.env.Log.Error("decoupled authentication not settled", "gateway", gatewayName, "err", bad)
			}
			return
		}
	}
	life := stepLife
	if o.Step == stepForm {
		life = formLife
	}
	if g.now().Sub(o.StepSince) < life {
		return
	}
	text := "3-D Secure authentication timed out"
	if o.Step == stepForm {
		text = "Payment form timed out"
	}
	if bad := g.decline(a, o, "402", text); bad != nil {
		g.env.Log.Error("step not ended", "gateway", gatewayName, "err", bad)
	}
}

// decoupledResult is the bank's decision on an authentication without a browser.
func (g *acquirer) decoupledResult(trans string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, ok := g.trans[trans]; ok {
		g.open(id)
	}
}

func (g *acquirer) finishChallenge(a *Account, o *order) *fault {
	res, err := g.env.Issuer.Result(o.TransID)
	if err != nil && !errors.Is(err, issuer.ErrUnknown) {
		g.env.Log.Error("no result", "gateway", gatewayName, "err", err)
		return errSystem
	}
	if err == nil && !res.Done {
		return refuse("5", "3-D Secure challenge is not completed")
	}
	return g.verdict(a, o, res.TransStatus)
}

// takePaRes verifies the message and that it answers this order's PaReq; anything else changes nothing.
func (g *acquirer) takePaRes(a *Account, o *order, paRes string) *fault {
	res, err := g.env.Issuer.CheckPaRes(paRes)
	if err != nil || res.XID != o.XID {
		return malformed("paRes")
	}
	return g.verdict(a, o, res.Status)
}
