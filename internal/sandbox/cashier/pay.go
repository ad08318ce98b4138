package cashier

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// cardInput is a card as a call brings it. It lives for the length of the call.
type cardInput struct {
	pan, expiry, cvv string // expiry is YYYYMM
}

const goodCVV = "123"

// form gives the externalOrderId, which opens the hosted form and is what the card calls want. It moves no money.
func (g *Gateway) form(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	switch {
	case bad != nil:
		return reply{}, bad
	case g.accountOf(o).TSPs[o.TSP] != c.r.PathValue("tspCode"):
		return reply{}, errNoOrder
	case o.Type != typeIn:
		return reply{}, errType
	}
	o.Formed = true
	c.o = o
	return ok(body{}.With("id", o.key()).With("externalOrderId", o.External)), nil
}

// orderNamed finds the order of the card calls, whose form must have been asked for.
func (g *Gateway) orderNamed(c *call) (*order, *fault) {
	id := c.in.text("OrderId")
	if id == "" {
		return nil, missing("OrderId")
	}
	o, bad := g.owned(c, g.open(g.external[id]))
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

// authorize takes a card, a token or an encrypted card.
func (g *Gateway) authorize(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if kind := c.in.text("PaymentType"); kind != "" && kind != "SMS" && kind != "DMS" {
		return reply{}, malformed("PaymentType")
	}
	o.DMS = c.in.text("PaymentType") != "SMS"
	if o.Status != created {
		return reply{}, errState
	}
	card, there := c.in.object("Card")
	if !there {
		return reply{}, missing("Card")
	}
	if sealed := card.text("EncryptedData"); sealed != "" {
		if card, bad = decrypt(g.accountOf(o).CardKey, sealed); bad != nil {
			return reply{}, bad
		}
	}
	threeDS, with3DS := c.in.object("ThreeDS")
	if with3DS {
		o.Browser = map[string]string{}
		for name := range threeDS {
			if strings.HasPrefix(name, "browser") {
				o.Browser[name] = string(threeDS.raw(name))
				var s string
				if json.Unmarshal(threeDS.raw(name), &s) == nil {
					o.Browser[name] = s
				}
			}
		}
	}
	o.Metadata = c.in.raw("Metadata")
	o.Save = string(card.raw("Save")) == "true"
	var in cardInput
	typed := true
	if token := card.text("Token"); token != "" {
		if in, bad = g.cardOf(o, token, card.text("Cvv")); bad != nil {
			return reply{}, bad
		}
		typed = false
	} else if in, bad = readCard(card); bad != nil {
		return reply{}, bad
	}
	g.pay(o, in, typed || with3DS)
	c.o = o
	detail := body{}.Opt("AuthCode", o.AuthCode).Opt("Rrn", o.RRN).Opt("Eci", o.ECI)
	if o.Status == preAuthorized {
		detail = detail.With("ThreeDS", body{})
	}
	return ok(o.paymentAnswer("Authorize", detail)), nil
}

// decrypt opens an encrypted card: RSA-OAEP with SHA-256 over the JSON of Card, in base64.
func decrypt(key *rsa.PrivateKey, sealed string) (input, *fault) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if key == nil || err != nil {
		return nil, malformed("EncryptedData")
	}
	text, err := rsa.DecryptOAEP(sha256.New(), nil, key, raw, nil)
	var in input
	if err != nil || json.Unmarshal(text, &in) != nil || in == nil {
		return nil, malformed("EncryptedData")
	}
	return in, nil
}

func readCard(in input) (cardInput, *fault) {
	c := cardInput{pan: strings.ReplaceAll(in.text("Pan"), " ", ""), cvv: in.text("Cvv")}
	month, year := in.text("ExpMonth"), in.text("ExpYear")
	switch {
	case c.pan == "":
		return c, missing("Pan")
	case !sim.AllDigits(c.pan) || len(c.pan) < 12 || len(c.pan) > 19 || !sim.Luhn(c.pan):
		return c, malformed("Pan")
	case month == "":
		return c, missing("ExpMonth")
	case year == "":
		return c, missing("ExpYear")
	case c.cvv == "":
		return c, missing("Cvv")
	case !sim.AllDigits(c.cvv) || len(c.cvv) < 3 || len(c.cvv) > 4:
		return c, malformed("Cvv")
	}
	if len(month) == 1 {
		month = "0" + month
	}
	if len(year) == 2 {
		year = "20" + year
	}
	c.expiry = year + month
	if _, err := time.Parse("200601", c.expiry); err != nil {
		return c, malformed("ExpMonth")
	}
	return c, nil
}

// cardOf is the card behind a token, which only the account that got it may use.
func (g *Gateway) cardOf(o *order, token, cvv string) (cardInput, *fault) {
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
func (g *Gateway) pay(o *order, in cardInput, threeDS bool) {
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
		g.take(o, card)
	case card.Protocol == "1.0.2" || card.ARes == "C" || card.Soft():
		o.set(preAuthorized)
	default:
		g.authenticate3DS(o, card)
	}
}

// authenticate3DS sends the AReq of a card whose bank wants, or may want, no challenge; no Method runs on anybody's page.
func (g *Gateway) authenticate3DS(o *order, card issuer.Card) {
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
		ServerTransID: o.TransID, CompInd: ind, NotificationURL: g.returnURL(o), Browser: o.Browser, Amount: o.Amount, Currency: o.Currency,
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

func (g *Gateway) returnURL(o *order) string { return g.url("/form/" + o.External + "/3ds") }

// begin3DS starts the challenge when the shopper opens the hosted form: a CReq is good for half a minute.
func (g *Gateway) begin3DS(o *order) *fault {
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
		XID: o.XID, MerchantName: "Mobile Cashier", Amount: o.Amount, Currency: o.Currency, Exponent: amount.Exponent(o.Currency),
	})
	if err != nil {
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure is unavailable")
	}
	return g.save(o)
}

func (g *Gateway) verdict(o *order, transStatus, eci string) {
	card, there := issuer.Named(o.Card)
	o.ECI = eci
	switch {
	case !there:
		g.decline(o, "AUTHORIZE_FAILED", "Card is not one of the test cards")
	case slices.Contains([]string{"Y", "A", "I"}, transStatus):
		g.take(o, card)
	case transStatus == "N", transStatus == "R":
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure authentication failed")
	default:
		g.decline(o, "AUTHORIZE_FAILED", "3-D Secure authentication could not be performed")
	}
}

// take asks the bank for the money. It is the only place that takes any from a card, and only once for an order.
func (g *Gateway) take(o *order, card issuer.Card) {
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
func (g *Gateway) chargeHold(o *order) {
	a := g.accountOf(o)
	switch {
	case a.DeclineCharge:
		o.ErrCode, o.ErrText = "CHARGE_FAILED", "Charge was declined"
		o.set(chargeDeclined)
	case a.Processing > 0:
		o.later(chargeProgress, charged, a.Processing-1)
	default:
		g.settle(o, charged)
	}
}

func (g *Gateway) decline(o *order, code, text string) {
	o.ErrCode, o.ErrText = code, text
	o.set(declined)
}

func (g *Gateway) charge(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if !slices.Contains([]string{authorized, chargeDeclined, voidDeclined}, o.Status) {
		return reply{}, refuse(http.StatusBadRequest, "CHARGE_FAILED", errState.text)
	}
	o.ErrCode, o.ErrText = "", ""
	g.chargeHold(o)
	c.o = o
	return ok(o.paymentAnswer("Charge", body{}.With("Amount", o.Captured).Opt("Rrn", o.RRN))), nil
}

func (g *Gateway) void(c *call) (reply, *fault) {
	o, bad := g.orderNamed(c)
	if bad != nil {
		return reply{}, bad
	}
	if !slices.Contains([]string{authorized, chargeDeclined, voidDeclined}, o.Status) {
		return reply{}, refuse(http.StatusBadRequest, "VOID_FAILED", errState.text)
	}
	o.ErrCode, o.ErrText = "", ""
	switch a := g.accountOf(o); {
	case a.DeclineVoid:
		o.ErrCode, o.ErrText = "VOID_FAILED", "Void was declined"
		o.set(voidDeclined)
	case a.Processing > 0:
		o.later(voidProgress, voided, a.Processing-1)
	default:
		o.set(voided)
	}
	c.o = o
	return ok(o.paymentAnswer("Void", body{}.Opt("Rrn", o.RRN))), nil
}

// finish3DS believes the bank alone, never what a browser brought, but for the PaRes, which the bank signed.
func (g *Gateway) finish3DS(o *order, paRes string) {
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

// decoupledResult is the bank's word on an authentication that needs no browser.
func (g *Gateway) decoupledResult(trans string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, there := g.trans[trans]; there {
		g.open(id)
	}
}
