package sber

import (
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// books are what the gateway keeps: customers, cards and orders, and how they are found. One lock orders all changes.
type books struct {
	env       *sim.Env
	accounts  []Account
	tokenLife time.Duration

	mu       sync.Mutex
	clients  *sim.Records[string, client]  // by uuid
	bindings *sim.Records[string, binding] // by uuid
	orders   *sim.Records[string, order]   // by mdOrder
	contacts map[string]string             // type and value to client
	codes    map[string]string             // accessCode to client
	tokens   map[string]string             // hash of an accessToken to client
	numbers  map[[2]string]string          // merchant and transactionNumber to mdOrder or binding
}

// bindingOf finds an active card of the customer's.
func (g *books) bindingOf(c *client, id string) *binding {
	b := g.bindings.Get(id)
	if b == nil || b.Client != c.UUID || !b.Active {
		return nil
	}
	return b
}

// balances are what virtual cards hold, by currency: a sum over the orders, so that it cannot disagree with them.
func (g *books) balance(id, currency string) int64 {
	var sum int64
	for o := range g.orders.All() {
		if o.Currency != currency {
			continue
		}
		if o.Target.Binding == id {
			sum += o.Taken
		}
		if o.Source.Binding == id {
			sum -= o.Taken
		}
	}
	return sum
}

func (g *books) clear() {
	g.contacts, g.codes, g.tokens, g.numbers = map[string]string{}, map[string]string{}, map[string]string{}, map[[2]string]string{}
}

func (g *books) now() time.Time { return g.env.Now() }

// hex32 is a customer's and a binding's kind of id.
func (g *books) hex32() string { return strings.ToUpper(hex.EncodeToString(g.env.Random(16))) }

// onSave is called with every new state of an order.
func (g *books) onSave(_, o *order) {
	g.numbers[[2]string{o.Merchant, o.Number}] = o.ID
	iso, _ := letters(o.Currency) // checked by start
	g.env.Ledger.Put(ledger.Entry{
		Gateway: gatewayName, Reference: o.Number, GatewayOrderID: o.ID, Amount: o.Amount, Currency: iso,
		Authorized: o.Taken, Captured: o.Taken, Refunded: o.Back, Charges: o.Charges,
	})
}

func (g *books) onSaveClient(old, c *client) {
	if old != nil {
		delete(g.codes, old.Code.AccessCode)
		for _, t := range old.Tokens {
			delete(g.tokens, t.Hash)
		}
	}
	for _, k := range c.Contacts {
		g.contacts[k.key()] = c.UUID
	}
	if c.Code.AccessCode != "" {
		g.codes[c.Code.AccessCode] = c.UUID
	}
	for _, t := range c.Tokens {
		g.tokens[t.Hash] = c.UUID
	}
}

func (g *books) onSaveBinding(_, b *binding) {
	if b.Number != "" {
		g.numbers[[2]string{b.Merchant, b.Number}] = b.UUID
	}
}

func (g *books) save(o *order) *fault { return written(g.orders.Save(o)) }

func (g *books) saveClient(c *client) *fault { return written(g.clients.Save(c)) }

func (g *books) saveBinding(b *binding) *fault { return written(g.bindings.Save(b)) }

func (g *books) merchant(login string) (Account, bool) {
	for _, a := range g.accounts {
		if a.MerchantLogin == login {
			return a, true
		}
	}
	return Account{}, false
}

func (g *books) requestID() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.env.UUID()
}

// checkNewNumber refuses a transactionNumber that is missing, too long or taken.
func (g *books) checkNewNumber(c *call, transactionNumber string) *fault {
	switch {
	case transactionNumber == "":
		return missing("transactionNumber")
	case len(transactionNumber) > 36:
		return malformed("transactionNumber")
	}
	if _, taken := g.numbers[[2]string{c.merchant.MerchantLogin, transactionNumber}]; taken {
		return errTwice
	}
	return nil
}

// bindingFor finds the customer's saved card, or makes one.
func (g *books) bindingFor(o *order, s party) *binding {
	for b := range g.bindings.All() {
		if b.Client == o.Client && b.Active && b.Card == s.Card && b.Expiry == s.Expiry {
			return b
		}
	}
	return &binding{UUID: g.hex32(), Client: o.Client, Created: g.now(), Masked: s.Masked, Expiry: s.Expiry, Card: s.Card,
		Active: true}
}

// orderOf finds an order of this customer and merchant, after what time has done to it.
func (g *books) orderOf(c *call, id string) *order {
	o := g.orders.Get(id)
	if o == nil || o.Client != c.client.UUID || o.Merchant != c.merchant.MerchantLogin {
		return nil
	}
	if o.Status == created && !g.now().Before(o.Created.Add(orderLife)) {
		o.Status, o.Action = declined, actionTimedOut
		if g.save(o) != nil {
			return g.orders.Get(id) // as it was
		}
	}
	return o
}
