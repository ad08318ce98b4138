package payneteasy

import (
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// books are what the gateway keeps: orders, cards, how they are found, and whose they are. One lock orders all changes.
type books struct {
	env      *sim.Env
	accounts []*Account

	mu       sync.Mutex
	orders   *sim.Records[string, order] // by paynet-order-id
	cards    *sim.Records[string, cardRef]
	clients  map[[2]string]string // login and client_orderid to paynet-order-id
	tokens   map[string]string    // page token to paynet-order-id
	trans    map[string]string    // threeDSServerTransID to paynet-order-id
	lastID   int64
	lastCard int64
}

func (g *books) clear() {
	g.clients, g.tokens, g.trans = map[[2]string]string{}, map[string]string{}, map[string]string{}
	g.lastID, g.lastCard = firstOrder-1, firstCard-1
}

func (g *books) now() time.Time { return g.env.Now() }

func (g *books) url(path string) string {
	return g.env.BaseURL + "/" + gatewayName + "/paynet" + path
}

// serial is a serial-number as the gateway prints them.
func (g *books) serial() string {
	return "00000000-0000-0000-0000-0000" + hex.EncodeToString(g.env.Random(4))
}

// onSave is called with every new state of an order.
func (g *books) onSave(_, o *order) {
	g.clients[[2]string{o.Login, o.Client}] = o.ID
	g.tokens[o.Token] = o.ID
	if o.TransID != "" {
		g.trans[o.TransID] = o.ID
	}
	if n, err := strconv.ParseInt(o.ID, 10, 64); err == nil {
		g.lastID = max(g.lastID, n)
	}
	g.env.Ledger.Put(ledger.Entry{
		Gateway: gatewayName, Reference: o.Client, GatewayOrderID: o.ID, Currency: o.Currency, Charges: o.Charges,
		Amount: amount.FromHundredths(o.Amount, o.Currency), Authorized: amount.FromHundredths(o.Held, o.Currency),
		Captured: amount.FromHundredths(o.Captured, o.Currency), Refunded: amount.FromHundredths(o.Refunded, o.Currency),
	})
}

func (g *books) save(o *order) *fault {
	if g.orders.Save(o) != nil {
		return errSystem
	}
	return nil
}

func (g *books) onSaveCard(_, c *cardRef) {
	if n, err := strconv.ParseInt(c.ID, 10, 64); err == nil {
		g.lastCard = max(g.lastCard, n)
	}
}

func (g *books) accountOf(o *order) *Account {
	for _, a := range g.accounts {
		if a.Login == o.Login {
			return a
		}
	}
	return &Account{Login: o.Login, Processing: 1}
}

func (g *books) account(id string, w where) *Account {
	for _, a := range g.accounts {
		if w != groupOnly && slices.Contains(a.Endpoints, id) || w != endpointOnly && slices.Contains(a.Groups, id) {
			return a
		}
	}
	return nil
}

func (g *books) lockedSerial() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.serial()
}

func (g *books) savedCard(c *call) (*cardRef, *fault) {
	id := c.get("cardrefid")
	if id == "" {
		return nil, missing("cardrefid")
	}
	ref := g.cards.Get(id)
	if ref == nil || ref.Login != c.acc.Login {
		return nil, errNoCard
	}
	return ref, nil
}
