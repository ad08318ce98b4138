package payneteasy

import (
	"net"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// verify checks a card and takes nothing; it may be saved afterwards. sync tells the result at once, as a status does.
func (g *Gateway) verify(c *call, sync bool) (*reply, *fault) {
	if c.get("control") == "" {
		return nil, missing("control")
	}
	if !sameControl(c.get("control"), control(c.endpoint, c.client, c.get("email"), c.acc.Control)) {
		return nil, errControl
	}
	if bad := c.check([]rule{{"client_orderid", true, 128}, {"order_desc", false, 65536}, {"address1", true, 50}, {"city", true, 50},
		{"zip_code", true, 10}, {"country", true, 2}, {"email", true, 50}, {"ipaddress", true, 45}}); bad != nil {
		return nil, bad
	}
	if net.ParseIP(c.get("ipaddress")) == nil {
		return nil, malformed("ipaddress")
	}
	in, bad := c.card()
	if bad != nil {
		return nil, bad
	}
	o, bad := g.newOrder(c, "verification", 0, c.get("currency"))
	if bad != nil {
		return nil, bad
	}
	if !o.again {
		o.setCard(in)
		card, listed := issuer.Find(in.pan)
		o.Card = card.Masked()
		switch {
		case cvvDeclines[in.cvv] != "":
			bad = g.decline(c.acc, o, in.cvv, cvvDeclines[in.cvv])
		case !listed:
			bad = g.decline(c.acc, o, "14", "Card is not one of the test cards")
		case card.Bank != "":
			bad = g.decline(c.acc, o, "5", "Declined")
		default:
			o.Status, o.Stage, o.PaidAt = approved, "verification_approved", g.now()
			bad = g.save(o)
		}
		if bad != nil {
			return nil, bad
		}
	}
	if !sync {
		return g.async(o, o.Serial).add("end-point-id", c.endpoint), nil
	}
	return newReply("status-response").add("serial-number", o.Serial).add("merchant-order-id", o.Client).add("paynet-order-id", o.ID).
		add("status", o.Status).add("transaction-type", o.Type).add("order-stage", o.Stage).opt("bin", o.Bin).
		opt("last-four-digits", o.Last4).opt("card-type", o.CardType).opt("error-code", o.ErrorCode).opt("error-message", o.ErrorText), nil
}

// transferByRef moves money from one saved card to another.
func (g *Gateway) transferByRef(c *call) (*reply, *fault) {
	sent, err := parseAmount(c.get("amount"))
	if err != nil {
		return nil, malformed("amount")
	}
	from, to := c.value("source-card-ref-id"), c.value("destination-card-ref-id")
	if bad := c.signed(c.client, from, to, strconv.FormatInt(sent, 10), c.get("currency")); bad != nil {
		return nil, bad
	}
	if bad := c.check([]rule{{"client_orderid", true, 128}, {"order_desc", false, 65536}, {"amount", true, 10}, {"currency", true, 3}}); bad != nil {
		return nil, bad
	}
	sum, currency, bad := c.money()
	if bad != nil {
		return nil, bad
	}
	for name, id := range map[string]string{"source-card-ref-id": from, "destination-card-ref-id": to} {
		if id == "" {
			return nil, missing(name)
		}
		if ref := g.cards.Get(id); ref == nil || ref.Login != c.acc.Login {
			return nil, errNoCard
		}
	}
	o, bad := g.newOrder(c, "transfer", sum, currency)
	if bad != nil || o.again {
		return asyncOr(g, o, bad)
	}
	ref := g.cards.Get(from)
	o.Bin, o.Last4, o.Holder, o.Month, o.Year, o.CardType = ref.Bin, ref.Last4, ref.Holder, ref.Month, ref.Year, ref.CardType
	in := cardInput{month: ref.Month, year: ref.Year, holder: ref.Holder, cvv: c.get("cvv2")}
	if in.cvv == "" {
		in.cvv = "123"
	}
	if card, listed := issuer.Named(ref.Card); listed {
		in.pan = card.PAN
	}
	o.Hide = c.acc.SaleProcessing
	return asyncOr(g, o, g.pay(c.acc, o, in, true, false))
}

func asyncOr(g *Gateway, o *order, bad *fault) (*reply, *fault) {
	if bad != nil {
		return nil, bad
	}
	return g.async(o, o.Serial), nil
}

// payout sends money to a card. Its control is not published: that of a sale and that of a repeated payment are both taken.
func (g *Gateway) payout(c *call) (*reply, *fault) {
	sent, err := parseAmount(c.get("amount"))
	if err != nil {
		return nil, malformed("amount")
	}
	minor, ref := strconv.FormatInt(sent, 10), c.value("destination-card-ref-id", "cardrefid")
	sale := control(c.endpoint, c.client, minor, c.get("email"), c.acc.Control)
	if !c.oauth && !sameControl(c.get("control"), sale) && c.signed(c.client, ref, minor, c.get("currency")) != nil {
		return nil, errControl
	}
	sum, currency, bad := c.money()
	if bad != nil {
		return nil, bad
	}
	pan := strings.ReplaceAll(c.value("destination-card-no", "credit_card_number", "destination_card_no"), " ", "")
	var in cardInput
	switch saved := g.cards.Get(ref); {
	case c.client == "":
		return nil, missing("client_orderid")
	case ref != "" && (saved == nil || saved.Login != c.acc.Login):
		return nil, errNoCard
	case ref != "":
		if card, listed := issuer.Named(saved.Card); listed {
			in.pan = card.PAN
		}
	case pan == "":
		return nil, missing("destination-card-no")
	case !sim.AllDigits(pan) || len(pan) < 12 || !sim.Luhn(pan):
		return nil, malformed("destination-card-no")
	default:
		in.pan = pan
	}
	o, bad := g.newOrder(c, "payout", sum, currency)
	if bad != nil || o.again {
		return asyncOr(g, o, bad)
	}
	card, listed := issuer.Find(in.pan)
	if o.Card = card.Masked(); len(in.pan) >= 12 {
		o.Bin, o.Last4, o.CardType = in.pan[:6], in.pan[len(in.pan)-4:], cardType(in.pan)
	}
	if !listed || card.Bank != "" {
		return asyncOr(g, o, g.decline(c.acc, o, "14", "Card is not one of the test cards"))
	}
	return asyncOr(g, o, g.authorize(c.acc, o, card))
}
