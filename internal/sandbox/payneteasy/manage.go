package payneteasy

import (
	"strconv"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
)

// optionalAmount reads the amount and currency of capture and return, which come both or not at all, and checks the control,
// which covers them only if they were sent.
func (g *Gateway) optionalAmount(c *call) (o *order, sum int64, bad *fault) {
	parts := []string{c.client, c.value("orderid")}
	sent, currency := c.get("amount"), c.get("currency")
	if sent != "" {
		n, err := parseAmount(sent)
		if err != nil || n == 0 {
			return nil, 0, malformed("amount")
		}
		sum = n
		parts = append(parts, strconv.FormatInt(n, 10))
	}
	if currency != "" {
		parts = append(parts, currency)
	}
	if bad := c.signed(parts...); bad != nil && !(sent == "" && currency == "" && signedWhole(g, c)) {
		return nil, 0, bad
	}
	if sent != "" && currency == "" {
		return nil, 0, missing("currency")
	}
	if c.value("orderid") == "" {
		return nil, 0, missing("orderid")
	}
	if o, bad = g.findOrder(c); bad != nil {
		return nil, 0, bad
	}
	if currency != "" && currency != o.Currency || amount.Exponent(o.Currency) == 0 && sum%100 != 0 {
		return nil, 0, malformed("currency")
	}
	if len([]rune(c.get("comment"))) > 50 {
		return nil, 0, malformed("comment")
	}
	return o, sum, nil
}

// signedWhole tells whether amount and currency of the order are in the control though they were not sent: three of the vendor's own
// packages sign a capture like that.
func signedWhole(g *Gateway, c *call) bool {
	o, bad := g.findOrder(c)
	return bad == nil && c.signed(c.client, c.value("orderid"), strconv.FormatInt(o.Amount, 10), o.Currency) == nil
}

// operation writes the request down with the money it moved and answers.
func (g *Gateway) operation(c *call, o *order, typ, stage string, sum int64) (*reply, *fault) {
	serial := g.serial()
	o.Requests = append(o.Requests, request{Serial: serial, Type: typ, Stage: stage, Amount: sum})
	o.Stage = stage
	if bad := g.save(o); bad != nil {
		return nil, bad
	}
	g.notify(c.acc, o, typ, approved, sum, false)
	return g.async(o, serial), nil
}

// capture takes a hold, once, wholly or in part; the rest of the hold is released.
func (g *Gateway) capture(c *call) (*reply, *fault) {
	o, sum, bad := g.optionalAmount(c)
	if bad != nil {
		return nil, bad
	}
	if o.Status != approved || o.Type != "preauth" || o.Captured > 0 || o.Held == 0 {
		return nil, errState
	}
	if sum == 0 {
		sum = o.Held
	}
	if sum > o.Held {
		return nil, errAmount
	}
	o.Captured = sum
	return g.operation(c, o, "capture", "capture_approved", sum)
}

// returnCommand is the command return: it releases a hold, or gives back what was taken, in as many parts as the merchant likes.
func (g *Gateway) returnCommand(c *call) (*reply, *fault) {
	o, sum, bad := g.optionalAmount(c)
	if bad != nil {
		return nil, bad
	}
	if o.Status != approved {
		return nil, errState
	}
	if o.Captured == 0 {
		return g.release(c, o, sum)
	}
	left := o.Captured - o.Refunded
	if sum == 0 {
		sum = left
	}
	if left == 0 {
		return nil, errState
	}
	if sum > left {
		return nil, errAmount
	}
	o.Refunded += sum
	return g.operation(c, o, "reversal", "reversal_approved", sum)
}

func (g *Gateway) release(c *call, o *order, sum int64) (*reply, *fault) {
	if o.Held == 0 {
		return nil, errState
	}
	if sum == 0 {
		sum = o.Held
	}
	if sum > o.Held {
		return nil, errAmount
	}
	o.Held -= sum
	return g.operation(c, o, "cancel", "cancel_approved", sum)
}

// void releases the whole of a hold that was not captured.
func (g *Gateway) void(c *call) (*reply, *fault) {
	if bad := c.signed(c.client, c.value("orderid")); bad != nil {
		return nil, bad
	}
	o, bad := g.findOrder(c)
	if bad != nil {
		return nil, bad
	}
	if o.Status != approved || o.Type != "preauth" || o.Captured > 0 {
		return nil, errState
	}
	return g.release(c, o, 0)
}

// createCardRef saves the card of an approved order; asked again it names the same reference.
func (g *Gateway) createCardRef(c *call) (*reply, *fault) {
	if bad := c.signed(c.client, c.value("orderid")); bad != nil {
		return nil, bad
	}
	o, bad := g.findOrder(c)
	if bad != nil {
		return nil, bad
	}
	if !o.final() || o.Status != approved || o.Hide > 0 || o.Last4 == "" {
		return nil, errState
	}
	var ref *cardRef
	for known := range g.cards.All() {
		if known.Order == o.ID {
			ref = known
		}
	}
	if ref == nil {
		ref = &cardRef{strconv.FormatInt(g.lastCard+1, 10), o.Login, o.ID, o.Card, o.Bin, o.Last4, o.Holder, o.Month, o.Year,
			o.CardType}
		if g.cards.Save(ref) != nil {
			return nil, errSystem
		}
	}
	return newReply("create-card-ref-response").add("status", approved).add("card-ref-id", ref.ID).
		add("serial-number", g.serial()), nil
}

func (g *Gateway) cardInfo(c *call) (*reply, *fault) {
	if bad := c.signed(c.get("cardrefid")); bad != nil {
		return nil, bad
	}
	ref, bad := g.savedCard(c)
	if bad != nil {
		return nil, bad
	}
	return newReply("get-card-info-response").add("card-printed-name", ref.Holder).add("expire-year", ref.Year).
		add("expire-month", ref.Month).
		add("bin", ref.Bin).add("last-four-digits", ref.Last4).add("serial-number", g.serial()), nil
}

// rebill charges a saved card. Of enumerate_amounts nothing is needed here: no test card refuses an amount for its size.
func (g *Gateway) rebill(c *call, typ string) (*reply, *fault) {
	sent, err := parseAmount(c.get("amount"))
	if err != nil {
		if c.get("amount") == "" {
			return nil, missing("amount")
		}
		return nil, malformed("amount")
	}
	if bad := c.signed(c.client, c.get("cardrefid"), strconv.FormatInt(sent, 10), c.get("currency")); bad != nil {
		return nil, bad
	}
	if bad := c.check([]rule{{"client_orderid", true, 128}, {"cardrefid", true, 20}, {"currency", true, 3},
		{"comment", false, 50}}); bad != nil {
		return nil, bad
	}
	sum, currency, bad := c.money()
	if bad != nil {
		return nil, bad
	}
	for _, name := range []string{"redirect_url", "server_callback_url", "notify_url"} {
		if v := c.get(name); v != "" && !sim.WebURL(v) {
			return nil, malformed(name)
		}
	}
	ref, bad := g.savedCard(c)
	if bad != nil {
		return nil, bad
	}
	in := cardInput{month: ref.Month, year: ref.Year, holder: ref.Holder, cvv: c.get("cvv2")}
	if in.cvv == "" {
		in.cvv = "123" // the bank accepts a saved card without it
	}
	card, listed := issuer.Named(ref.Card)
	if listed {
		in.pan = card.PAN
	}
	o, bad := g.newOrder(c, typ, sum, currency)
	if bad != nil {
		return nil, bad
	}
	if o.again {
		return g.async(o, o.Serial), nil
	}
	o.Bin, o.Last4, o.Holder, o.Month, o.Year, o.CardType = ref.Bin, ref.Last4, ref.Holder, ref.Month, ref.Year, ref.CardType
	o.Hide = c.acc.SaleProcessing
	if bad := g.pay(c.acc, o, in, !c.acc.Rebill3DS, false); bad != nil {
		return nil, bad
	}
	return g.async(o, o.Serial), nil
}
