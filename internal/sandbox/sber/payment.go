package sber

import (
	"encoding/base64"
	"net/url"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

const (
	info    = "Your order is proceeded, redirecting..."
	goodCVC = "123"
)

// startRequest is payment/start and transfer/start. It lives for the length of the call.
type startRequest struct {
	TransactionNumber string
	Source            struct {
		Card    *sourceCard
		Binding string
	}
	Target struct {
		Card *struct {
			PAN        string
			SaveTarget bool
		}
		Binding string
	}
	Amount struct {
		TransactionAmount *number
		TransactionFee    number
		Currency          string
	}
	ReturnURL struct{ Success, Fail string }
}

type sourceCard struct {
	PAN, ExpiryDate, CardholderName, CVC string
	SaveCard, SaveSource                 bool
}

func (c *sourceCard) check() *fault {
	switch {
	case c.PAN == "":
		return missing("source.card.pan")
	case c.ExpiryDate == "":
		return missing("source.card.expiryDate")
	case c.CardholderName == "":
		return missing("source.card.cardholderName")
	case c.CVC == "":
		return missing("source.card.cvc")
	case !panOK(c.PAN):
		return malformed("source.card.pan")
	case !sim.AllDigits(c.CVC) || len(c.CVC) < 3 || len(c.CVC) > 4:
		return malformed("source.card.cvc")
	}
	if _, err := time.Parse("2006-01", c.ExpiryDate); err != nil {
		return malformed("source.card.expiryDate")
	}
	return nil
}

func (g *Gateway) paymentStart(c *call) (body, *fault)  { return g.start(c, purchase) }
func (g *Gateway) transferStart(c *call) (body, *fault) { return g.start(c, transfer) }

// start makes the order and says what finish will want. It moves no money.
func (g *Gateway) start(c *call, kind string) (body, *fault) {
	var in startRequest
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	c.reference(in.TransactionNumber)
	if bad := g.checkNewNumber(c, in.TransactionNumber); bad != nil {
		return nil, bad
	}
	o := &order{
		ID: g.env.UUID(), Number: in.TransactionNumber, Merchant: c.merchant.MerchantLogin, Client: c.client.UUID, Type: kind,
		Created: g.now(), Fee: int64(in.Amount.TransactionFee), Currency: in.Amount.Currency, Status: created,
	}
	if in.Amount.TransactionAmount == nil {
		return nil, missing("amount.transactionAmount")
	}
	if o.Amount = int64(*in.Amount.TransactionAmount); o.Amount == 0 {
		return nil, malformed("amount.transactionAmount")
	}
	if _, ok := letters(o.Currency); !ok {
		return nil, errCurrency
	}
	for _, u := range []string{in.ReturnURL.Success, in.ReturnURL.Fail} {
		if p, err := url.Parse(u); u != "" && (err != nil || p.Host == "") {
			return nil, malformed("returnUrl")
		}
	}
	card, bad := g.source(c, o, in)
	if bad == nil && kind == transfer {
		bad = g.target(c, o, in)
	}
	if bad != nil {
		return nil, bad
	}
	out := body{}.With("transactionNumber", o.Number).With("mdOrder", o.ID)
	if asksBank(card) && o.Doom == "" {
		o.XID = base64.StdEncoding.EncodeToString(g.env.Random(20))
		iso, _ := letters(o.Currency)
		acsURL, paReq, err := g.env.Issuer.PaReq(card, issuer.Purchase{
			XID: o.XID, MerchantName: issuer.ShopName, Amount: o.Amount + o.Fee, Currency: iso, Exponent: amount.Exponent(iso),
		})
		if err != nil {
			g.env.Log.Error("PaReq not made", "gateway", gatewayName, "err", err)
			return nil, errSystem
		}
		out = out.With("info", info).With("redirectUrl", acsURL).With("paReq", paReq)
	}
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return out, nil
}

// source reads who pays: a card, or a saved one. What is wrong with a card that can be written shows at finish.
func (g *Gateway) source(c *call, o *order, in startRequest) (card issuer.Card, bad *fault) {
	s := in.Source
	switch {
	case (s.Card == nil) == (s.Binding == ""):
		return card, malformed("source")
	case s.Card != nil:
		if bad := s.Card.check(); bad != nil {
			return card, bad
		}
		o.Source = party{Masked: maskPAN(s.Card.PAN), Expiry: s.Card.ExpiryDate, Save: s.Card.SaveCard || s.Card.SaveSource}
		if card, ok := issuer.Find(s.Card.PAN); ok {
			o.Source.Card = card.Masked()
		}
		if s.Card.CVC != goodCVC {
			o.Doom = actionWrongCVC
		}
	default:
		b := g.bindingOf(c.client, s.Binding)
		if b == nil {
			return card, errNoBinding
		}
		o.Source = party{Masked: b.Masked, Card: b.Card, Expiry: b.Expiry, Binding: b.UUID}
		if b.Virtual {
			return card, nil
		}
	}
	card, listed := issuer.Named(o.Source.Card)
	switch {
	case !listed:
		o.Doom = actionBadPAN
	case o.Source.Expiry < g.now().Format("2006-01"):
		o.Doom = actionExpiredCard
	case o.Doom == "":
		o.Doom = refusalWithoutTDS(card)
	}
	return card, nil
}

func (g *Gateway) target(c *call, o *order, in startRequest) *fault {
	t := in.Target
	switch {
	case (t.Card == nil) == (t.Binding == ""):
		return malformed("target")
	case t.Card != nil:
		if !panOK(t.Card.PAN) {
			return malformed("target.card.pan")
		}
		o.Target = party{Masked: maskPAN(t.Card.PAN), Save: t.Card.SaveTarget}
		card, listed := issuer.Find(t.Card.PAN)
		if o.Target.Card = card.Masked(); !listed {
			o.Target.Card, o.Doom = "", actionBadPAN
		}
	default:
		b := g.bindingOf(c.client, t.Binding)
		if b == nil {
			return errNoBinding
		}
		o.Target = party{Masked: b.Masked, Card: b.Card, Binding: b.UUID}
	}
	if o.Target.Binding != "" && o.Target.Binding == o.Source.Binding {
		return malformed("target")
	}
	return nil
}

// asksBank tells which cards run 3DS 1.0.2: those with their own, and those whose bank wants a challenge.
func asksBank(c issuer.Card) bool {
	return c.Protocol == "1.0.2" || c.ARes == "C" || c.ARes == "D" || c.Soft()
}

// refusalWithoutTDS is for cards whose bank does not authenticate and has no challenge to offer.
func refusalWithoutTDS(c issuer.Card) string {
	switch c.ARes {
	case "N", "R":
		return actionRefused3DS
	case "U":
		return actionUnavailable
	case "timeout":
		return actionDSTimeout
	}
	return ""
}

func (g *Gateway) paymentFinish(c *call) (body, *fault) {
	return g.finish(c, purchase, transfer)
}

func (g *Gateway) transferFinish(c *call) (body, *fault) { return g.finish(c, transfer) }

// finish takes the money, or says why not. It is the only call that does.
func (g *Gateway) finish(c *call, kinds ...string) (body, *fault) {
	var in struct{ MdOrder, TransactionNumber, PaRes string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	switch {
	case in.MdOrder == "":
		return nil, missing("mdOrder")
	case in.TransactionNumber == "":
		return nil, missing("transactionNumber")
	}
	c.reference(in.TransactionNumber)
	o := g.orderOf(c, in.MdOrder)
	if o == nil || o.Number != in.TransactionNumber || o.Type != kinds[0] && o.Type != kinds[len(kinds)-1] {
		return nil, errNoOrder
	}
	if o.Status != created {
		return nil, errState
	}
	switch {
	case o.XID != "" && in.PaRes == "":
		return nil, missing("paRes")
	case o.XID == "" && in.PaRes != "":
		return nil, errPaRes
	case o.XID != "":
		res, err := g.env.Issuer.CheckPaRes(in.PaRes)
		if err != nil || res.XID != o.XID {
			return nil, errPaRes
		}
		switch res.Status {
		case "Y", "A":
		case "N":
			o.Doom = actionRefused3DS
		default:
			o.Doom = actionUnavailable
		}
	}
	if action := g.verdict(o); action != "" {
		return g.decline(o, action)
	}
	if bad := g.charge(o); bad != nil {
		return nil, bad
	}
	switch {
	case o.XID != "":
		return body{}.With("mdOrder", o.ID), nil
	case o.Type == purchase:
		return body{}.With("transactionNumber", o.Number).With("mdOrder", o.ID), nil
	}
	return body{}, nil
}

// verdict is the bank's: "" approves.
func (g *Gateway) verdict(o *order) string {
	if o.Doom != "" {
		return o.Doom
	}
	if b := g.bindings.Get(o.Source.Binding); b != nil && b.Virtual {
		if g.balance(b.UUID, o.Currency) < o.Amount {
			return actionFunds
		}
		return ""
	}
	card, ok := issuer.Named(o.Source.Card)
	switch {
	case !ok:
		return actionBadPAN
	case card.Bank == issuer.DeclineFunds:
		return actionFunds
	case card.Bank == issuer.DeclineHonor:
		return actionDoNotHonor
	}
	return ""
}

func (g *Gateway) decline(o *order, action string) (body, *fault) {
	o.Status, o.Action = declined, action
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	return nil, refuse(action, actionText[action])
}

// charge takes the money and saves the cards that were to be saved. Money and state are one record, so a kill between
// them is not possible.
func (g *Gateway) charge(o *order) *fault {
	for _, s := range []*party{&o.Source, &o.Target} {
		if !s.Save || s.Binding != "" {
			continue
		}
		b := g.bindingFor(o, *s)
		if bad := g.saveBinding(b); bad != nil {
			return bad
		}
		s.Binding = b.UUID
	}
	o.Status, o.Taken = deposited, o.Amount
	o.Charges++
	return g.save(o)
}
