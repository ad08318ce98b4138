package rbs

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

const info = "Your order is proceeded, redirecting..."

// cardInput is a card as a payment call brings it. It lives for the length of the call.
type cardInput struct {
	pan, expiry, holder, cvc string
	token                    string // the UUID of the seToken that it came in
}

// cardOf reads the card of a payment call: in the clear, or encrypted by the shopper's browser.
func (g *acquirer) cardOf(c *call) (in cardInput, bad *fault) {
	token := c.form.Get("seToken")
	if token == "" || !c.acc.SEToken {
		return readCard(c.form)
	}
	if c.form.Get("$PAN") != "" || c.form.Get("$CVC") != "" {
		return in, refuse(5, "[seToken] and card data are not taken together")
	}
	if in, bad = g.openToken(c.form, token); bad != nil {
		return in, bad
	}
	return in, checkCard(in)
}

func readCard(f url.Values) (cardInput, *fault) {
	in := cardInput{pan: strings.ReplaceAll(f.Get("$PAN"), " ", ""), cvc: f.Get("$CVC"), holder: f.Get("TEXT"),
		expiry: f.Get("$EXPIRY")}
	if f.Get("seToken") != "" {
		return in, refuse(5, "[seToken] is not enabled for the merchant")
	}
	if in.expiry == "" {
		if f.Get("YYYY") == "" {
			return in, missing("YYYY")
		}
		if f.Get("MM") == "" {
			return in, missing("MM")
		}
		mm := f.Get("MM")
		if len(mm) == 1 {
			mm = "0" + mm
		}
		in.expiry = f.Get("YYYY") + mm
	}
	return in, checkCard(in)
}

func checkCard(in cardInput) *fault {
	switch {
	case in.pan == "":
		return missing("$PAN")
	case in.cvc == "":
		return missing("$CVC")
	case in.holder == "":
		return missing("TEXT")
	case !goodPAN(in.pan):
		return refuse(1, "Wrong card number")
	case !sim.AllDigits(in.cvc) || len(in.cvc) < 3 || len(in.cvc) > 4:
		return refuse(4, "[$CVC] is malformed")
	}
	if _, err := time.Parse("200601", in.expiry); err != nil {
		return refuse(1, "Wrong card expiration date")
	}
	return nil
}

func goodPAN(pan string) bool {
	return sim.AllDigits(pan) && len(pan) >= 12 && len(pan) <= 19 && sim.Luhn(pan)
}

// paymentOrder starts an attempt with a card, or goes on with one after a soft decline.
func (g *Gateway) paymentOrder(c *call) (body, *fault) {
	id := c.form.Get("MDORDER")
	if id == "" {
		return nil, missing("MDORDER")
	}
	o, bad := g.checkOwner(c, g.open(id))
	if bad != nil {
		return nil, bad
	}
	in, bad := g.cardOf(c)
	if bad != nil {
		return nil, bad
	}
	if in.token != "" {
		o.Tokens = append(o.Tokens, in.token)
	}
	finish, notification := c.form.Get("threeDSVer2FinishUrl"), c.form.Get("threeDSMethodNotificationUrl")
	for name, v := range map[string]string{"threeDSVer2FinishUrl": finish, "threeDSMethodNotificationUrl": notification} {
		if v != "" && !sim.WebURL(v) || len(v) > 512 {
			return nil, refuse(4, "["+name+"] is malformed")
		}
	}
	if b := c.form.Get("clientBrowserInfo"); b != "" && !json.Valid([]byte(b)) {
		return nil, refuse(4, "[clientBrowserInfo] is malformed")
	}
	trans := c.form.Get("threeDSServerTransId")
	if trans == "" {
		trans = c.form.Get("threeDSServerTransID")
	}
	if trans != "" {
		return g.secondRound(c.acc, o, in, trans, finish)
	}
	if bad := g.payable(c.acc, o); bad != nil {
		return nil, bad
	}
	if o.BindingID != "" {
		return nil, refuse(1, "Order can be paid by its binding only")
	}
	if ip := c.form.Get("ip"); ip != "" {
		o.IP = ip
	}
	o.Try = &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry, Holder: in.holder, System: system(in.pan),
		NoBinding: c.form.Get("bindingNotNeeded") == "true", FinishURL: finish, NotificationURL: notification}
	answer, bad := g.start(c.acc, o, in.pan, in.cvc, o.has("FORCE_SSL") || o.has("AUTO_PAYMENT"))
	return c.withoutMethod(o, answer, bad)
}

// paymentOrderBinding pays with a saved card. Orders with the feature AUTO_PAYMENT are initiated by the merchant:
// they need neither CVC nor 3-D Secure.
func (g *Gateway) paymentOrderBinding(c *call) (body, *fault) {
	id, bindingID := c.form.Get("mdOrder"), c.form.Get("bindingId")
	if id == "" {
		return nil, missing("mdOrder")
	}
	if bindingID == "" {
		return nil, missing("bindingId")
	}
	o, bad := g.checkOwner(c, g.open(id))
	if bad != nil {
		return nil, bad
	}
	if bad := g.payable(c.acc, o); bad != nil {
		return nil, bad
	}
	b := g.bindings.Get(bindingID)
	switch {
	case o.ClientID == "":
		return nil, refuse(5, "[clientId] is empty")
	case b == nil || b.Account != c.acc.UserName || !b.Active:
		return nil, errNoBinding
	case b.Client != o.ClientID, o.BindingID != "" && o.BindingID != bindingID:
		return nil, refuse(1, "Order cannot be paid by this binding")
	}
	card, ok := issuer.Named(b.Card)
	if !ok {
		return nil, errNoBinding
	}
	if ip := c.form.Get("ip"); ip != "" {
		o.IP = ip
	}
	finish, notification := c.form.Get("threeDSVer2FinishUrl"), c.form.Get("threeDSMethodNotificationUrl")
	o.Try = &attempt{Masked: b.Masked, Expiry: b.Expiry, Holder: b.Holder, System: b.System, Binding: b.ID, FinishURL: finish,
		NotificationURL: notification}
	cvc := c.form.Get("cvc")
	if cvc == "" {
		cvc = goodCVC // the bank accepts a saved card without it
	}
	answer, bad := g.start(c.acc, o, card.PAN, cvc, o.has("AUTO_PAYMENT"))
	return c.withoutMethod(o, answer, bad)
}

const goodCVC = "123"

// continueOrder sends the AReq once both frames were run. It is taken once.
func (g *Gateway) continueOrder(c *call) (body, *fault) {
	id := c.form.Get("mdOrder")
	if id == "" {
		return nil, missing("mdOrder")
	}
	o, bad := g.checkOwner(c, g.open(id))
	if bad != nil {
		return nil, bad
	}
	if !o.unpaid() || o.Try == nil || o.Try.Step != stepMethod {
		return nil, errState
	}
	return g.authenticate(c.acc, o)
}

func challengeAnswer(o *order) body {
	return body{}.With("info", info).With("errorCode", 0).With("acsUrl", o.Try.ACSURL).With("is3DSVer2", true).
		With("packedCReq", o.Try.PackedCReq)
}

// finishVer2 ends a challenge whose CRes went to the shop's threeDSVer2FinishUrl; only now money moves.
func (g *Gateway) finishVer2(c *call) (body, *fault) {
	trans := c.form.Get("threeDSServerTransId")
	if trans == "" {
		return nil, missing("threeDSServerTransId")
	}
	o, bad := g.checkOwner(c, g.open(g.trans[trans]))
	if bad != nil {
		return nil, bad
	}
	if o.Status != statusACS || o.Try == nil || o.Try.Step != stepChallenge || o.Try.TransID != trans || o.Try.FinishURL == "" {
		return nil, errState
	}
	b, bad := g.finishChallenge(c.acc, o)
	if bad != nil {
		return nil, bad
	}
	if b.Get("error") == nil {
		b = body{}.With("redirect", b.Get("redirect")).With("errorCode", 0).With("is3DSVer2", true)
	}
	return b, nil
}

// finishVer1 takes a PaRes that came to the shop's own TermUrl.
func (g *Gateway) finishVer1(c *call) (body, *fault) {
	id, paRes := c.form.Get("mdOrder"), c.form.Get("paRes")
	if id == "" {
		return nil, missing("mdOrder")
	}
	if paRes == "" {
		return nil, missing("paRes")
	}
	o, bad := g.checkOwner(c, g.open(id))
	if bad != nil {
		return nil, bad
	}
	b, bad := g.takePaRes(c.acc, o, paRes)
	if bad != nil {
		return nil, bad
	}
	if b.Get("error") == nil {
		b = body{}.With("redirect", b.Get("redirect")).With("errorCode", 0).With("is3DSVer2", false)
	}
	return b, nil
}
