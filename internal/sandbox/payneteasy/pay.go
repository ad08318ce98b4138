package payneteasy

import "tollgate/internal/sandbox/issuer"

// declines of the gateway's test CVVs; any CVV that is not listed here or in pay is declined too.
var cvvDeclines = map[string]string{"101": "Expired card", "116": "Insufficient funds", "119": "Transaction is not permitted",
	"209": "Stolen card"}

// Resolve ends an order whose status is unknown, as the gateway's staff would. The order is named by client_orderid.
func (g *Gateway) Resolve(clientOrderID string, approve bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for o := range g.orders.All() {
		if o.Client != clientOrderID || o.Status != unknown {
			continue
		}
		a := g.accountOf(o)
		var bad *fault
		if approve {
			bad = g.authorize(a, o, issuer.Card{})
		} else {
			bad = g.decline(a, o, "3", "Declined")
		}
		if bad != nil {
			return bad
		}
		return nil
	}
	return errNoOrder
}

// approvedAmount is what a status shows as the amount: what was captured or is still held, otherwise what was asked for.
func (o *order) approvedAmount() int64 {
	switch {
	case o.Refunded > 0:
		return o.Captured - o.Refunded
	case o.Type == "preauth" && o.Captured > 0:
		return o.Captured
	case o.Type == "preauth" && o.Held > 0:
		return o.Held
	}
	return o.Amount
}
