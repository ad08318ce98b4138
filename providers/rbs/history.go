package rbs

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

var _ providers.Historian = (*provider)(nil)

const (
	opOrders   = "getLastOrdersForMerchants.do"
	listTime   = "20060102150405"
	listStates = "CREATED,APPROVED,DEPOSITED,DECLINED,REVERSED,REFUNDED"
	longest    = 100
	anyZone    = 14 * time.Hour // the list's times are the bank's own, and which zone that is nobody tells
)

// History is the gateway's list of orders, a page of it for each call. Its times have no zone: more is asked for than is wanted, and
// what is outside the asked times is passed over here.
func (g *provider) History(ctx context.Context, q providers.HistoryQuery) (out []providers.HistoryLine, next string, err error) {
	if q.Status != "" {
		return nil, "", providers.Refuse("status", "this gateway's list takes no word of the gateway's; leave it out")
	}
	limit := q.Limit
	if limit <= 0 || limit > longest {
		limit = longest
	}
	at, err := q.Places(2)
	if err != nil {
		return nil, "", err
	}
	page, first := at[0], at[1]
	lines, err := ordersPage(ctx, g, q, page)
	if err != nil {
		return nil, "", err
	}
	for i := min(first, len(lines)); i < len(lines); i++ {
		if l := lines[i]; !l.At.IsZero() && (l.At.Before(q.From) || l.At.After(q.To)) {
			continue
		}
		if len(out) == limit {
			return out, providers.Cursor(page, i), nil
		}
		out = append(out, lines[i])
	}
	if len(lines) < longest {
		return out, "", nil
	}
	return out, providers.Cursor(page+1, 0), nil
}

// ordersPage is one page, counted from nought.
func ordersPage(ctx context.Context, g *provider, q providers.HistoryQuery, page int) ([]providers.HistoryLine, error) {
	answer, err := g.call(ctx, opOrders, url.Values{
		"from": {q.From.UTC().Add(-anyZone).Format(listTime)}, "to": {q.To.UTC().Add(anyZone).Format(listTime)},
		"transactionStates": {listStates}, "merchants": {q.AccountID}, "searchByCreatedDate": {"true"},
		"page": {strconv.Itoa(page)}, "size": {strconv.Itoa(longest)},
	})
	if err != nil {
		return nil, err
	}
	if !answer.Has("orderStatuses") && answer.Text("totalCount") == "" {
		return nil, providers.Unreadable(opOrders, 200, errShape)
	}
	var lines []providers.HistoryLine
	for _, o := range answer.List("orderStatuses") {
		if o, err = currentNames(o); err != nil {
			return nil, err
		}
		// Held, so that a hold is told as what it is: whether the account captures by itself is not the list's matter.
		st, err := standing(providers.Payment{Hold: true, Ref: providers.Ref{Reference: wire.Line(o.Text("orderNumber"), 64)}}, o)
		if err != nil {
			return nil, providers.Unreadable(opOrders, 200, err)
		}
		line := providers.HistoryLine{
			Reference: st.Reference, OrderID: st.Ref.OrderID, Kind: "payment", Outcome: st.Outcome, Card: st.Card,
			Held: st.Held, Captured: st.Captured, Refunded: st.Refunded, Stated: st.Stated,
		}
		if st.Amount.Currency.Digits != 0 || st.Amount.Currency.Code != "" {
			line.Amount = st.Amount
		}
		if ms, found, err := o.Number("date"); err == nil && found {
			line.At = time.UnixMilli(ms).UTC()
		}
		lines = append(lines, line)
	}
	return lines, nil
}
