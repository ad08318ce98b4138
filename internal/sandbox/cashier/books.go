package cashier

import (
	"strconv"
	"sync"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// books are what the gateway keeps: orders, how they are found, and whose they are. One lock orders all changes.
type books struct {
	env      *sim.Env
	accounts []*Account

	mu       sync.Mutex
	orders   *sim.Records[int64, order]
	external map[string]int64
	qrs      map[string]int64
	sber     map[string]int64
	trans    map[string]int64
	tokens   map[string]int64    // card token to the order that made it
	requests map[string]answered // by login and x-req-id
	access   map[string]access   // by access token; they do not outlive the process
	lastID   int64
}

type access struct {
	login   string
	expires time.Time
}

func (g *books) clear() {
	g.lastID = firstOrder - 1
	g.external, g.qrs, g.sber = map[string]int64{}, map[string]int64{}, map[string]int64{}
	g.trans, g.tokens = map[string]int64{}, map[string]int64{}
	g.requests, g.access = map[string]answered{}, map[string]access{}
}

func (g *books) now() time.Time { return g.env.Now() }

func (g *books) url(path string) string { return g.env.BaseURL + "/" + gatewayName + path }

// onSave is called with every new state of an order.
func (g *books) onSave(_, o *order) {
	g.external[o.External], g.lastID = o.ID, max(g.lastID, o.ID)
	for key, index := range map[string]map[string]int64{o.QRC: g.qrs, o.SberToken: g.sber, o.TransID: g.trans, o.Token: g.tokens} {
		if key != "" {
			index[key] = o.ID
		}
	}
	for _, a := range o.Answers {
		g.requests[o.Account+"\x00"+a.ID] = a
	}
	e := ledger.Entry{
		Gateway: gatewayName, Reference: o.Number, GatewayOrderID: o.key(), Amount: o.Amount, Currency: o.Currency,
		Authorized: o.inSentUnit(o.Held), Captured: o.inSentUnit(o.Captured + o.PaidOut), Refunded: o.inSentUnit(o.Refunded),
		Charges: o.Charges,
	}
	if o.ByOrder {
		e.Amount, e.Currency = o.OrderAmount, o.OrderCur
	}
	if o.Status == voided {
		e.Authorized = 0
	}
	g.env.Ledger.Put(e)
}

// save writes the whole order down, with the answer it led to, before anybody learns of the change; then the callbacks go.
func (g *books) save(o *order) *fault {
	if g.orders.Save(o) != nil {
		return errSystem
	}
	for _, raw := range o.news {
		g.notify(o, raw)
	}
	o.news = nil
	return nil
}

func (g *books) accountOf(o *order) *Account {
	for _, a := range g.accounts {
		if a.Login == o.Account {
			return a
		}
	}
	return &Account{Login: o.Account, TokenLife: time.Hour, OrderLife: 30 * time.Minute}
}

func (g *books) saveQuietly(o *order) {
	if bad := g.save(o); bad != nil {
		g.env.Log.Error("change not kept", "gateway", gatewayName, "reference", o.Number, "err", bad)
	}
}

// countRead counts a read of the order: an operation in progress ends after a number of them.
func (g *books) countRead(o *order) {
	if o.Next == "" {
		return
	}
	if o.Polls > 0 {
		o.Polls--
	} else {
		next := o.Next
		o.Next = ""
		g.settle(o, next)
	}
	g.saveQuietly(o)
}

// settle reaches the end of an operation: now the money moves.
func (g *books) settle(o *order, status string) {
	switch status {
	case charged:
		o.Captured = o.Amount
	case paid:
		o.PaidOut = o.Amount
		o.Charges++
	}
	o.set(status)
}

// loginOf is whose call it is; calls without a token belong to the owner of the order that they name.
func (g *books) loginOf(c *call) string {
	if c.acc != nil {
		return c.acc.Login
	}
	id := g.external[c.in.text("OrderId")]
	if n, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64); err == nil {
		id = n
	}
	if o := g.orders.Get(id); o != nil {
		return o.Account
	}
	return ""
}

func (g *books) checkOwner(c *call, o *order) (*order, *fault) {
	if o == nil || c.acc != nil && o.Account != c.acc.Login {
		return nil, errNoOrder
	}
	faults.SetReference(c.r, o.Number)
	return o, nil
}
