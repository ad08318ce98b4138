package rbs

import (
	"cmp"
	"slices"
	"time"

	"tollgate/internal/sandbox/issuer"
)

// shown is a binding as the lists show it.
func (b *binding) shown() body {
	return body{}.With("bindingId", b.ID).With("maskedPan", b.Masked).With("expiryDate", b.Expiry).
		With("paymentWay", "CARD").With("paymentSystem", b.System).With("displayLabel", "XXXXXXXXXXXX"+b.Masked[len(b.Masked)-4:]).
		With("bindingCategory", "COMMON").With("clientId", b.Client)
}

// bindingList answers with those of the bindings that are active; of expired cards only if asked for.
func (g *registry) bindingList(c *call, ids []string) (body, *fault) {
	list := []body{}
	for _, id := range ids {
		b := g.bindings.Get(id)
		expired := b.Expiry < g.now().Format("200601") && c.form.Get("showExpired") != "true"
		if b.Active && !expired {
			list = append(list, b.shown())
		}
	}
	if len(list) == 0 {
		return nil, refuse(2, "Information not found")
	}
	return done().With("bindings", list), nil
}

func (g *registry) getBindings(c *call) (body, *fault) {
	client, only := c.form.Get("clientId"), c.form.Get("bindingId")
	if client == "" {
		return nil, missing("clientId")
	}
	ids := g.ofClient[[2]string{c.acc.UserName, client}]
	if only != "" {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id != only })
	}
	return g.bindingList(c, ids)
}

// bindingsByCardOrID lists the bindings of a card, whosever they are; a card's number wins over a binding's id.
func (g *registry) bindingsByCardOrID(c *call) (body, *fault) {
	pan, id := c.form.Get("pan"), c.form.Get("bindingId")
	switch {
	case pan == "" && id == "":
		return nil, missing("pan")
	case pan != "" && !goodPAN(pan):
		return nil, refuse(1, "Wrong card number")
	case pan != "":
		if card, listed := issuer.Find(pan); listed {
			return g.bindingList(c, g.ofCard[[2]string{c.acc.UserName, card.Masked()}])
		}
		return g.bindingList(c, nil)
	}
	if of := g.bindings.Get(id); of != nil && of.Account == c.acc.UserName {
		return g.bindingList(c, g.ofCard[[2]string{c.acc.UserName, of.Card}])
	}
	return g.bindingList(c, nil)
}

func (g *registry) unBindCard(c *call) (body, *fault) { return g.setBinding(c, false) }
func (g *registry) bindCard(c *call) (body, *fault)   { return g.setBinding(c, true) }

func (g *registry) bindingOf(c *call) (*binding, *fault) {
	id := c.form.Get("bindingId")
	if id == "" {
		return nil, missing("bindingId")
	}
	b := g.bindings.Get(id)
	if b == nil || b.Account != c.acc.UserName {
		return nil, errNoBinding
	}
	return b, nil
}

func (g *registry) setBinding(c *call, active bool) (body, *fault) {
	b, bad := g.bindingOf(c)
	switch {
	case bad != nil:
		return nil, bad
	case b.Active == active && active:
		return nil, refuse(2, "Binding is active")
	case b.Active == active:
		return nil, refuse(2, "Binding isn't active")
	}
	b.Active = active
	if bad := g.saveBinding(b); bad != nil {
		return nil, bad
	}
	return done(), nil
}

// extendBinding gives a binding the date of the card's successor.
func (g *registry) extendBinding(c *call) (body, *fault) {
	b, bad := g.bindingOf(c)
	if bad != nil {
		return nil, bad
	}
	expiry := c.form.Get("newExpiry")
	if expiry == "" {
		return nil, missing("newExpiry")
	}
	if _, err := time.Parse("200601", expiry); err != nil || expiry < g.now().Format("200601") {
		return nil, refuse(5, "[newExpiry] is malformed")
	}
	if !b.Active {
		return nil, refuse(2, "Binding isn't active")
	}
	b.Expiry = expiry
	if bad := g.saveBinding(b); bad != nil {
		return nil, bad
	}
	return done(), nil
}

// createBinding is createBindingNoPayment.do: it keeps a card that nothing was paid with.
func (g *registry) createBinding(c *call) (body, *fault) {
	f := c.form
	for _, name := range []string{"clientId", "cardholderName", "expiryDate", "pan"} {
		if f.Get(name) == "" {
			return nil, missing(name)
		}
	}
	if len(f.Get("clientId")) > 255 {
		return nil, refuse(4, "[clientId] is longer than 255")
	}
	in, bad := plainCard(f, true)
	if bad != nil {
		return nil, bad
	}
	card, listed := issuer.Find(in.pan)
	if !listed {
		return nil, refuse(1, "Wrong card number")
	}
	o := &order{Account: c.acc.UserName, ClientID: f.Get("clientId"), Try: &attempt{Masked: maskPAN(in.pan), Expiry: in.expiry,
		Holder: in.holder, System: system(in.pan), Card: card.Masked()}}
	b := g.bindingFor(o)
	b.ID = cmp.Or(b.ID, g.env.UUID())
	if bad := g.saveBinding(b); bad != nil {
		return nil, bad
	}
	return body{}.With("maskedPan", b.Masked).With("expiryDate", b.Expiry).With("cardholderName", b.Holder).
		With("clientId", b.Client).With("bindingId", b.ID).With("errorCode", 0).With("error", false), nil
}
