// Package ledger records the sandbox's money: what the simulated gateways really took, held and gave back.
// Tests compare what Tollgate believes with it, to the minor unit.
package ledger

import (
	"cmp"
	"slices"
	"sync"
)

// Entry is one order as a simulated gateway knows it. Amounts are minor units of Currency.
type Entry struct {
	Gateway        string `json:"gateway"`
	Reference      string `json:"reference"` // the order's number as the merchant side sent it
	GatewayOrderID string `json:"gateway_order_id"`
	Amount         int64  `json:"amount"`
	Currency       string `json:"currency"`   // ISO 4217 letters
	Authorized     int64  `json:"authorized"` // held or taken at authorization
	Captured       int64  `json:"captured"`
	Refunded       int64  `json:"refunded"`
	Charges        int    `json:"charges"` // how often money was taken or held; a capture of a hold adds none
}

// Ledger keeps entries in memory only. Its durable source is each simulator's own journalled order, so that the two
// cannot disagree after a crash: a simulator puts every order again when it loads. The zero value is ready.
type Ledger struct {
	mu    sync.Mutex
	index map[[2]string]int
	rows  []Entry
}

// Put adds the entry or replaces the one with the same gateway and gateway order id.
func (l *Ledger) Put(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{e.Gateway, e.GatewayOrderID}
	if i, ok := l.index[key]; ok {
		l.rows[i] = e
		return
	}
	if l.index == nil {
		l.index = map[[2]string]int{}
	}
	l.index[key] = len(l.rows)
	l.rows = append(l.rows, e)
}

// All returns a copy: by gateway name, and within a gateway in the order in which the orders were first put. Never nil.
func (l *Ledger) All() []Entry {
	l.mu.Lock()
	out := make([]Entry, len(l.rows))
	copy(out, l.rows)
	l.mu.Unlock()
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(a.Gateway, b.Gateway) })
	return out
}

// Newest returns a copy, the order that was first put last before the others. Never nil.
func (l *Ledger) Newest() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Entry, len(l.rows))
	copy(out, l.rows)
	slices.Reverse(out)
	return out
}

// Reset forgets everything.
func (l *Ledger) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index, l.rows = nil, nil
}
