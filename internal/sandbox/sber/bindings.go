package sber

import "time"

// binding is a saved or virtual card of one customer. It holds no card number.
type binding struct {
	UUID     string    `json:"uuid"`
	Client   string    `json:"client"`
	Created  time.Time `json:"created"`
	Masked   string    `json:"masked"`
	Expiry   string    `json:"expiry,omitempty"` // YYYY-MM
	Card     string    `json:"card,omitempty"`   // its mask in the issuer's table; "" for a virtual card
	Mnemonic string    `json:"mnemonic,omitempty"`
	Active   bool      `json:"active"`

	Virtual  bool   `json:"virtual,omitempty"`
	Merchant string `json:"merchant,omitempty"` // of a virtual card: who had it made,
	Number   string `json:"number,omitempty"`   // under which transactionNumber
}

func (b *binding) block() body {
	kind := "CARD"
	if b.Virtual {
		kind = "VIRTUAL_CARD"
	}
	return body{}.With("uuid", b.UUID).With("createdDate", date(b.Created)).With("paymentType", kind).
		With("paymentSystem", system(b.Masked))
}

func (b *binding) card() body {
	return body{}.With("maskedPan", b.Masked).Opt("expiryDate", b.Expiry).With("extendedInfo", body{})
}

func (g *Gateway) vcardCreate(c *call) (body, *fault) {
	var in struct{ TransactionNumber string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	c.reference(in.TransactionNumber)
	if bad := g.checkNewNumber(c, in.TransactionNumber); bad != nil {
		return nil, bad
	}
	b := &binding{
		UUID: g.hex32(), Client: c.client.UUID, Created: g.now(), Masked: "400002" + g.env.Digits(4), Active: true,
		Expiry: g.now().AddDate(3, 0, 0).Format("2006-01"), Virtual: true, Merchant: c.merchant.MerchantLogin,
		Number: in.TransactionNumber,
	}
	if bad := g.saveBinding(b); bad != nil {
		return nil, bad
	}
	return body{}.With("transactionNumber", in.TransactionNumber).With("binding", b.block()).With("card", b.card()), nil
}

func (g *Gateway) change(c *call) (body, *fault) {
	var in struct {
		TransactionNumber string
		Binding           struct{ UUID, Mnemonic string }
	}
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	switch {
	case in.TransactionNumber == "":
		return nil, missing("transactionNumber")
	case in.Binding.UUID == "":
		return nil, missing("binding.uuid")
	case len([]rune(in.Binding.Mnemonic)) > 64:
		return nil, malformed("binding.mnemonic")
	}
	b := g.bindingOf(c.client, in.Binding.UUID)
	if b == nil {
		return nil, errNoBinding
	}
	b.Mnemonic = in.Binding.Mnemonic
	if bad := g.saveBinding(b); bad != nil {
		return nil, bad
	}
	return body{}.With("transactionNumber", in.TransactionNumber), nil
}

// remove is delete. A customer who is deleted loses cards and tokens; the phone finds a new one.
func (g *Gateway) remove(c *call) (body, *fault) {
	var in struct{ TransactionNumber, Type, UUID string }
	if bad := c.read(&in); bad != nil {
		return nil, bad
	}
	switch in.Type {
	case "binding":
		b := g.bindingOf(c.client, in.UUID)
		if b == nil {
			return nil, errNoBinding
		}
		b.Active = false
		if bad := g.saveBinding(b); bad != nil {
			return nil, bad
		}
	case "client":
		if in.UUID != c.client.UUID {
			return nil, errNoClient
		}
		for _, id := range g.bindings.IDs() {
			if b := g.bindingOf(c.client, id); b != nil {
				b.Active = false
				if bad := g.saveBinding(b); bad != nil {
					return nil, bad
				}
			}
		}
		for _, k := range c.client.Contacts {
			delete(g.contacts, k.key())
		}
		gone := &client{UUID: c.client.UUID, Created: c.client.Created}
		if bad := g.saveClient(gone); bad != nil {
			return nil, bad
		}
	default:
		return nil, malformed("type")
	}
	return body{}.Opt("transactionNumber", in.TransactionNumber), nil
}
