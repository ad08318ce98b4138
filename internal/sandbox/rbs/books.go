package rbs

import (
	"net/url"
	"sync"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// books are what the gateway keeps: orders, bindings, how they are found, and whose they are. One lock orders all changes.
type books struct {
	env      *sim.Env
	accounts []*Account

	mu       sync.Mutex
	orders   *sim.Records[string, order]   // by mdOrder
	bindings *sim.Records[string, binding] // by bindingId
	numbers  map[[2]string]string          // account and orderNumber to mdOrder
	trans    map[string]string             // threeDSServerTransID to mdOrder
	tokens   map[string]bool               // UUIDs of the encrypted cards that were used
	sslCards map[[2]string]bool            // account and card: those that updateSSLCardList.do named
	ofClient map[[2]string][]string        // account and clientId to their bindingIds, as they were made
	ofCard   map[[2]string][]string        // account and card to theirs
}

func (g *books) clear() {
	g.numbers, g.trans, g.sslCards = map[[2]string]string{}, map[string]string{}, map[[2]string]bool{}
	g.tokens = map[string]bool{}
	g.ofClient, g.ofCard = map[[2]string][]string{}, map[[2]string][]string{}
}

// onBinding keeps the indexes of bindings; whose a binding is, and of which card, never changes.
func (g *books) onBinding(before, b *binding) {
	if before == nil {
		client, card := [2]string{b.Account, b.Client}, [2]string{b.Account, b.Card}
		g.ofClient[client], g.ofCard[card] = append(g.ofClient[client], b.ID), append(g.ofCard[card], b.ID)
	}
}

func (g *books) now() time.Time { return g.env.Now() }

func (g *books) url(path string) string { return g.env.BaseURL + "/" + gatewayName + path }

// onSave is called with every new state of an order.
func (g *books) onSave(_, o *order) {
	g.numbers[[2]string{o.Account, o.Number}] = o.ID
	if o.Try != nil && o.Try.TransID != "" {
		g.trans[o.Try.TransID] = o.ID
	}
	for _, id := range o.Tokens {
		g.tokens[id] = true
	}
	if o.SSLCard != "" {
		g.sslCards[[2]string{o.Account, o.SSLCard}] = true
	}
	captured, authorized := o.Deposited, o.Approved
	if o.Status == statusReversed {
		captured, authorized = 0, 0
	}
	g.env.Ledger.Put(ledger.Entry{
		Gateway: gatewayName, Reference: o.Number, GatewayOrderID: o.ID, Amount: o.Amount, Currency: o.iso(),
		Authorized: authorized, Captured: captured, Refunded: o.Refunded, Charges: o.Charges,
	})
}

func (g *books) save(o *order) *fault {
	if g.orders.Save(o) != nil {
		return errSystem
	}
	return nil
}

func (g *books) saveBinding(b *binding) *fault {
	if g.bindings.Save(b) != nil {
		return errSystem
	}
	return nil
}

// checkOwner refuses the orders of other accounts as if they did not exist.
func (g *books) checkOwner(c *call, o *order) (*order, *fault) {
	if o == nil || o.Account != c.acc.UserName {
		return nil, errNoOrder
	}
	faults.SetReference(c.r, o.Number)
	return o, nil
}

// account authenticates: userName and password, or token, never both.
func (g *books) account(f url.Values) (*Account, *fault) {
	user, pass, token := f.Get("userName"), f.Get("password"), f.Get("token")
	for _, a := range g.accounts {
		switch {
		case token != "" && (user != "" || pass != ""):
			return nil, errAccess
		case token != "" && a.Token == token:
			return a, nil
		case token == "" && user != "" && a.UserName == user && a.Password == pass:
			return a, nil
		}
	}
	return nil, errAccess
}

func (g *books) accountOf(o *order) *Account {
	for _, a := range g.accounts {
		if a.UserName == o.Account {
			return a
		}
	}
	return &Account{UserName: o.Account, Attempts: defaultAttempts}
}

// bindingFor finds the client's binding of this card; a new one has no ID yet.
func (g *books) bindingFor(o *order) *binding {
	t := o.Try
	for _, id := range g.ofClient[[2]string{o.Account, o.ClientID}] {
		if b := g.bindings.Get(id); b.Card == t.Card && b.Expiry == t.Expiry && b.Active {
			return b
		}
	}
	return &binding{Account: o.Account, Client: o.ClientID, Masked: t.Masked, Expiry: t.Expiry, Holder: t.Holder,
		System: t.System, Card: t.Card, Active: true}
}
