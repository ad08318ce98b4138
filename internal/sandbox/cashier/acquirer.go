package cashier

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
)

// acquirer authenticates the payers of orders, asks the issuer for the money, and moves orders on with time.
type acquirer struct{ books }

// open returns a copy of the order to work on, after what time has done to it. Nil if there is none.
func (g *acquirer) open(id int64) *order {
	o := g.orders.Get(id)
	if o != nil {
		g.applyElapsed(o)
	}
	return o
}

// applyElapsed applies what happened since the order was last looked at.
func (g *acquirer) applyElapsed(o *order) {
	if o.Status == authorization && o.TransID != "" {
		if res, err := g.env.Issuer.Result(o.TransID); err == nil && res.Done {
			g.verdict(o, res.TransStatus, res.ECI)
			g.saveQuietly(o)
		}
	}
	if o.unpaid() && !g.now().Before(o.Expires) {
		o.set(expired)
		g.saveQuietly(o)
	}
}

// orderOf finds the order of the path. Other accounts' orders do not exist; without a token it is anybody's.
func (g *acquirer) orderOf(c *call) (*order, *fault) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, malformed("id")
	}
	return g.checkOwner(c, g.open(id))
}

// orderNamed finds the order of the card calls, whose form must have been asked for.
func (g *acquirer) orderNamed(c *call) (*order, *fault) {
	id := c.in.text("OrderId")
	if id == "" {
		return nil, missing("OrderId")
	}
	o, bad := g.checkOwner(c, g.open(g.external[id]))
	switch {
	case bad != nil:
		return nil, bad
	case !o.Formed:
		return nil, errNoOrder
	case o.Type != typeIn:
		return nil, errType
	}
	return o, nil
}

// cardOf is the card behind a token, which only the account that got it may use.
func (g *acquirer) cardOf(o *order, token, cvv string) (cardInput, *fault) {
	made := g.orders.Get(g.tokens[token])
	if made == nil || made.Account != o.Account || made.Token != token {
		return cardInput{}, errCard
	}
	card, there := issuer.Named(made.Card)
	if !there {
		return cardInput{}, errCard
	}
	if cvv == "" {
		cvv = goodCVV // the bank accepts a saved card without it
	}
	return cardInput{pan: card.PAN, expiry: made.Expiry, cvv: cvv}, nil
}

// pay runs the order's one try as far as it gets without the shopper.
func (g *acquirer) pay(o *order, in cardInput, threeDS bool) {
	card, listed := issuer.Find(in.pan)
	o.Card, o.Expiry = card.Masked(), in.expiry
	if !listed {
		o.Card = in.pan[:6] + strings.Repeat("*", len(in.pan)-10) + in.pan[len(in.pan)-4:]
	}
	switch {
	case !listed:
		g.decline(o, "AUTHORIZE_FAILED", "Card is not one of the test cards")
	case in.expiry < g.now().Format("200601"):
		g.decline(o, "AUTHORIZE_FAILED", "Expired card")
	case in.cvv != goodCVV:
		g.decline(o, "AUTHORIZE_FAILED", "Wrong CVV")
	case !threeDS || card.Protocol == "":
		g.authorize(o, card)
	case card.Protocol == "1.0.2" || card.ARes == "C" || card.Soft():
		o.set(preAuthorized)
	default:
		g.authenticate3DS(o, card)
	}
}

// authenticate3DS sends the AReq of a card whose bank wants, or may want, no challenge; no Method runs on anybody's page.
func (g *acquirer) authenticate3DS(o *order, card issuer.Card) {
	auth, err := g.env.Issuer.Begin(card, card.Soft())
	if err != nil {
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure is unavailable")
		return
	}
	o.TransID = auth.ServerTransID
	ind := "N"
	if auth.MethodURL == "" {
		ind = "U"
	}
	ares, err := g.env.Issuer.Authenticate(issuer.AReq{
		ServerTransID: o.TransID, CompInd: ind, NotificationURL: g.returnURL(o), Browser: o.Browser, Amount: o.Amount,
		Currency: o.Currency,
	})
	switch {
	case err != nil:
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure data is refused")
	case ares.Timeout:
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure directory server did not answer")
	case ares.TransStatus == "C":
		o.ACSURL, o.CReq = ares.ACSURL, ares.CReq
		o.set(preAuthorized)
	case ares.TransStatus == "D":
		o.set(authorization)
	default:
		g.verdict(o, ares.TransStatus, ares.ECI)
	}
}

func (g *acquirer) returnURL(o *order) string { return g.url("/form/" + o.External + "/3ds") }

// begin3DS starts the challenge when the shopper opens the hosted form: a CReq is good for half a minute.
func (g *acquirer) begin3DS(o *order) *fault {
	card, there := issuer.Named(o.Card)
	if !there {
		return errSystem
	}
	if card.Protocol != "1.0.2" {
		g.authenticate3DS(o, card)
		return g.save(o)
	}
	o.XID = base64.StdEncoding.EncodeToString(g.env.Random(20))
	var err error
	o.ACSURL, o.PaReq, err = g.env.Issuer.PaReq(card, issuer.Purchase{
		XID: o.XID, MerchantName: issuer.ShopName, Amount: o.Amount, Currency: o.Currency, Exponent: amount.Exponent(o.Currency),
	})
	if err != nil {
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure is unavailable")
	}
	return g.save(o)
}

func (g *acquirer) verdict(o *order, transStatus, eci string) {
	card, there := issuer.Named(o.Card)
	o.ECI = eci
	switch {
	case !there:
		g.decline(o, "AUTHORIZE_FAILED", "Card is not one of the test cards")
	case slices.Contains([]string{"Y", "A", "I"}, transStatus):
		g.authorize(o, card)
	case transStatus == "N", transStatus == "R":
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure authentication failed")
	default:
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure authentication could not be performed")
	}
}

// authorize asks the bank for the money. It is the only place that takes any from a card, and only once for an order.
func (g *acquirer) authorize(o *order, card issuer.Card) {
	if o.Charges > 0 {
		return
	}
	switch card.Bank {
	case issuer.DeclineFunds:
		g.decline(o, "AUTHORIZE_FAILED", "Insufficient funds")
		return
	case issuer.DeclineHonor:
		g.decline(o, "AUTHORIZE_FAILED", "Do not honor")
		return
	}
	o.Charges++
	o.Held, o.AuthCode, o.RRN = o.Amount, g.env.Digits(6), g.env.Digits(12)
	if o.Save {
		o.Token = hex.EncodeToString(g.env.Random(16))
	}
	o.set(authorized)
	if !o.DMS {
		g.chargeHold(o)
	}
}

// chargeHold takes what is held. The acquirer of an account may refuse; then the hold stays.
func (g *acquirer) chargeHold(o *order) {
	a := g.accountOf(o)
	switch {
	case a.DeclineCharge:
		o.ErrCode, o.ErrText = "CHARGE_FAILED", "Charge was declined"
		o.set(chargeDeclined)
	case a.Processing > 0:
		o.settleAfter(chargeProgress, charged, a.Processing-1)
	default:
		g.settle(o, charged)
	}
}

func (g *acquirer) decline(o *order, code, text string) {
	o.ErrCode, o.ErrText = code, text
	o.set(declined)
}

// finish3DS believes the bank alone, never what a browser brought, but for the PaRes, which the bank signed.
func (g *acquirer) finish3DS(o *order, paRes string) {
	switch {
	case o.CReq != "":
		res, err := g.env.Issuer.Result(o.TransID)
		if err != nil || !res.Done {
			return
		}
		g.verdict(o, res.TransStatus, res.ECI)
	case o.PaReq != "":
		res, err := g.env.Issuer.CheckPaRes(paRes)
		if err != nil || res.XID != o.XID {
			return
		}
		g.verdict(o, res.Status, res.ECI)
	default:
		return
	}
	g.saveQuietly(o)
}

// decoupledResult is the bank's decision on an authentication without a browser.
func (g *acquirer) decoupledResult(trans string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, there := g.trans[trans]; there {
		g.open(id)
	}
}
