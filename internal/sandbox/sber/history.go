package sber

import (
	"slices"
	"time"
)

func (g *Gateway) findNested(c *call) (body, *fault) { return g.find(c, nested) }
func (g *Gateway) findFlat(c *call) (body, *fault)   { return g.find(c, flat) }

// find is the inquiry, by exactly one of the two numbers.
func (g *Gateway) find(c *call, shape func(*order) body) (body, *fault) {
	var in struct{ MdOrder, TransactionNumber string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	if (in.MdOrder == "") == (in.TransactionNumber == "") {
		return nil, malformed("mdOrder")
	}
	id := in.MdOrder
	if id == "" {
		id = g.numbers[[2]string{c.merchant.MerchantLogin, in.TransactionNumber}]
		c.reference(in.TransactionNumber)
	}
	o := g.orderOf(c, id)
	if o == nil {
		return body{}, nil
	}
	c.reference(o.Number)
	out := body{}.With("mdOrder", o.ID).With("mdOrderStatus", o.Status).With("transactionNumber", o.Number).
		With("transactionType", o.Type).With("transactionDate", date(o.Created))
	out = append(out, shape(o)...)
	return out.With("amount", body{}.With("transactionAmount", o.Amount).With("transactionFee", o.Fee).
		With("currency", o.Currency)), nil
}

// nested is the shape of the reference table and of transactions/find.
func nested(o *order) body {
	one := func(s party) body {
		return body{}.With("card", body{}.With("maskedPan", s.Masked)).Opt("binding", s.Binding)
	}
	details := body{}.With("source", one(o.Source))
	if o.Type == transfer {
		details = details.With("target", one(o.Target))
	}
	return body{}.With("transactionDetails", details)
}

// flat is the shape of the scenario tables and of find.
func flat(o *order) body {
	one := func(s party) body { return body{}.With("maskedPan", s.Masked).Opt("binding", s.Binding) }
	out := body{}.With("source", one(o.Source))
	if o.Type == transfer {
		out = out.With("target", one(o.Target))
	}
	return out
}

// transactions lists what the customer did, oldest first.
func (g *Gateway) transactions(c *call) (body, *fault) {
	var in struct {
		DateFrom, DateTo, ResponseType string
		Local                          bool
	}
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	from, err := time.ParseInLocation(stamp, in.DateFrom, moscow)
	if err != nil {
		return nil, malformed("dateFrom")
	}
	to, err := time.ParseInLocation(stamp, in.DateTo, moscow)
	if err != nil || to.Before(from) {
		return nil, malformed("dateTo")
	}
	kinds := csv(in.ResponseType)
	for _, k := range kinds {
		if !slices.Contains([]string{"payment", "transfer", "vcard", "loyalty", "change"}, k) {
			return nil, malformed("responseType")
		}
	}
	type line struct {
		at   time.Time
		body body
	}
	var lines []line
	add := func(kind, merchant, client string, at time.Time, b body) {
		wanted := len(kinds) == 0 || slices.Contains(kinds, kind)
		if client != c.client.UUID || !wanted || in.Local && merchant != c.merchant.MerchantLogin || at.Before(from) || at.After(to) {
			return
		}
		a, _ := g.merchant(merchant)
		lines = append(lines, line{at, b.With("partner", body{}.With("merchantLogin", merchant).Opt("merchantInfo", a.Info))})
	}
	for o := range g.orders.All() {
		if o.Status != deposited {
			continue
		}
		kind := map[string]string{purchase: "payment", transfer: "transfer"}[o.Type]
		add(kind, o.Merchant, o.Client, o.Created, body{}.With("mdOrder", o.ID).With("transactionNumber", o.Number).
			With("transactionDate", date(o.Created)).With("transactionType", o.Type).With("transactionWay", "Card").
			With("amount", body{}.With("transactionAmount", o.Amount).With("currency", o.Currency)))
	}
	for b := range g.bindings.All() {
		if b.Virtual {
			add("vcard", b.Merchant, b.Client, b.Created, body{}.With("transactionNumber", b.Number).
				With("transactionDate", date(b.Created)).
				With("transactionType", "VCARD"))
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	list := []body{}
	for _, l := range lines {
		list = append(list, l.body)
	}
	return body{}.With("transactions", list), nil
}
