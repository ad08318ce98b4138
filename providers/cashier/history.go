package cashier

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tollgate/providers"
)

// History is the gateway's list of a shop's orders. Status is the gateway's word.
func (g *provider) History(ctx context.Context, q providers.HistoryQuery) (lines []providers.HistoryLine, next string, err error) {
	limit := q.Limit
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	at, err := q.Places(1)
	if err != nil {
		return nil, "", err
	}
	v := url.Values{"tspId": {cmp.Or(q.AccountID, strconv.FormatInt(g.tsp, 10))}, "limit": {strconv.Itoa(limit)},
		"offset": {strconv.Itoa(at[0])}}
	if !q.From.IsZero() {
		v.Set("dateFrom", q.From.UTC().Format(time.RFC3339))
	}
	if !q.To.IsZero() { // whole seconds, and the last one is meant too
		v.Set("dateTo", q.To.Add(time.Second-1).UTC().Format(time.RFC3339))
	}
	if q.Status != "" {
		v.Set("status", q.Status)
	}
	r, err := g.client.call(ctx, request{op: opOrders, method: http.MethodGet, path: "/orders", query: v, token: needToken})
	if err != nil {
		return nil, "", err
	}
	list, there := r.list("orders")
	if r.status != http.StatusOK || !r.success() || !there {
		return nil, "", r.failure(opOrders, r.status)
	}
	lines = []providers.HistoryLine{}
	for _, raw := range list {
		o, err := readOrder(raw)
		if err != nil {
			return nil, "", providers.Unreadable(opOrders, r.status, err)
		}
		line := providers.HistoryLine{Reference: o.number, OrderID: o.id, Kind: "payment", Outcome: outcome(o.status),
			Card: mask(o.masked), Authorization: g.conversion(o.authorization(providers.Ref{}), o)}
		if at, err := time.Parse(time.RFC3339, o.created); err == nil {
			line.At = at
		}
		if o.kind == typePayOut || o.status == "PAID" || o.status == "PAYOUT_IN_PROGRESS" {
			line.Kind = "payout"
			switch payoutResult(o).State {
			case providers.OpSucceeded:
				line.Outcome = providers.Paid
			case providers.OpPending:
				line.Outcome = providers.Processing
			}
		}
		if sum, said := g.amount(o); said {
			line.Amount = sum
		}
		lines = append(lines, line)
	}
	if len(list) >= limit {
		next = providers.Cursor(at[0] + len(list))
	}
	return lines, next, nil
}
