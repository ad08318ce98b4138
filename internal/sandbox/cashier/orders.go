package cashier

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tollgate/internal/sandbox/faults"
)

// rates are kopecks for one unit of a currency; the fee is on top of an order amount and comes off a payment amount.
var rates = map[string]int64{"RUB": 100, "USD": 9_000, "EUR": 10_000, "AED": 2_450, "THB": 260, "TRY": 270, "USDT": 9_100}

// payRates are those of the currencies that customers may pay in.
var payRates = map[string]int64{"RUB": 100, "USD": 9_000, "EUR": 10_000, "KZT": 19}

const (
	feePerMille     = 25
	paymentCurrency = "RUB"
)

// publicOrder registers an order of a shop that is named by its code, without a token.
func (g *Gateway) publicOrder(c *call) (reply, *fault) {
	code := c.in.text("tspCode")
	if code == "" {
		return reply{}, missing("tspCode")
	}
	for _, acc := range g.accounts {
		for tsp, its := range acc.TSPs {
			if its == code {
				c.acc, c.in["tspId"] = acc, json.RawMessage(strconv.FormatInt(tsp, 10))
				return g.create(c)
			}
		}
	}
	return reply{}, refuse(http.StatusBadRequest, "ACCESS_DENIED", "tspCode is unknown")
}

// create registers an order by orderAmount or by paymentAmount.
func (g *Gateway) create(c *call) (reply, *fault) {
	in := c.in
	number, currency, kind := in.text("merchantOrderId"), in.text("orderCurrency"), in.text("type")
	faults.SetReference(c.r, number)
	byOrder, byPayment := in.has("orderAmount"), in.has("paymentAmount")
	rate, known := rates[currency]
	pays := cmp.Or(in.text("paymentCurrency"), paymentCurrency)
	tsp, bad := in.number("tspId")
	callback := in.text("callbackUrl")
	switch {
	case byOrder == byPayment:
		return reply{}, refuse(http.StatusBadRequest, "AMOUNT_ERROR", "either orderAmount or paymentAmount is required")
	case currency == "":
		return reply{}, missing("orderCurrency")
	case !known:
		return reply{}, malformed("orderCurrency")
	case payRates[pays] == 0:
		return reply{}, malformed("paymentCurrency")
	case bad != nil:
		return reply{}, bad
	case c.acc.TSPs[tsp] == "":
		return reply{}, refuse(http.StatusBadRequest, "ACCESS_DENIED", "tspId is unknown")
	case kind != "" && kind != typeIn && kind != typeOut:
		return reply{}, malformed("type")
	case len(number) > 255:
		return reply{}, malformed("merchantOrderId")
	}
	if callback != "" {
		if u, err := url.Parse(callback); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return reply{}, malformed("callbackUrl")
		}
	}
	if kind == "" {
		kind = typeIn
	}
	now := g.now()
	o := &order{
		ID: g.lastID + 1, External: g.env.UUID(), Account: c.acc.Login, TSP: tsp, Number: number, Type: kind, ByOrder: byOrder,
		OrderCur: currency,
		Currency: pays, Description: in.text("description"), CallbackURL: callback, Created: now,
		Expires: now.Add(c.acc.OrderLife),
	}
	if byOrder {
		if o.OrderAmount, bad = in.number("orderAmount"); bad != nil {
			return reply{}, bad
		}
		if o.OrderAmount > 1_000_000_000_000 {
			return reply{}, refuse(http.StatusBadRequest, "AMOUNT_ERROR", "amount is too large")
		}
		o.Amount = max(1, o.OrderAmount*rate/payRates[pays]*(1000+feePerMille)/1000)
	} else {
		if o.Amount, bad = in.number("paymentAmount"); bad != nil {
			return reply{}, bad
		}
		if o.Amount > 1_000_000_000_000 {
			return reply{}, refuse(http.StatusBadRequest, "AMOUNT_ERROR", "amount is too large")
		}
		o.OrderAmount = o.Amount * payRates[pays] / rate * (1000 - feePerMille) / 1000
	}
	o.set(created)
	c.o = o
	return ok(o.answer()), nil
}

// read is GET /order/{id} and GET /status/{id}.
func (g *Gateway) read(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return reply{}, bad
	}
	g.countRead(o)
	return ok(o.answer()), nil
}

// list shows a shop's orders, the newest first.
func (g *Gateway) list(c *call) (reply, *fault) {
	q := c.r.URL.Query()
	number := func(name string, otherwise int64) (int64, *fault) {
		if q.Get(name) == "" {
			return otherwise, nil
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < 0 {
			return 0, malformed(name)
		}
		return n, nil
	}
	var bad *fault
	var tsp, limit, offset int64
	for name, to := range map[string]*int64{"tspId": &tsp, "limit": &limit, "offset": &offset} {
		if *to, bad = number(name, map[string]int64{"limit": 30}[name]); bad != nil {
			return reply{}, bad
		}
	}
	moment := func(name string) (time.Time, *fault) {
		if q.Get(name) == "" {
			return time.Time{}, nil
		}
		at, err := time.Parse(time.RFC3339, q.Get(name))
		if err != nil {
			return at, malformed(name)
		}
		return at, nil
	}
	from, bad := moment("dateFrom")
	if bad != nil {
		return reply{}, bad
	}
	to, bad := moment("dateTo")
	if bad != nil {
		return reply{}, bad
	}
	found := []body{}
	var total int64
	for _, id := range slices.Backward(g.orders.IDs()) {
		o := g.open(id)
		if o.Account != c.acc.Login || tsp != 0 && o.TSP != tsp || q.Get("status") != "" && q.Get("status") != o.Status ||
			!from.IsZero() && o.Created.Before(from) || !to.IsZero() && o.Created.After(to) {
			continue
		}
		if total >= offset && int64(len(found)) < limit {
			found = append(found, o.view())
		}
		total++
	}
	return ok(body{}.With("success", true).With("description", "").With("orders", found).
		With("meta", body{}.With("total", total).With("limit", limit).With("offset", offset))), nil
}

// refund gives back a part, or all that is left.
func (g *Gateway) refund(c *call) (reply, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return reply{}, bad
	}
	left := o.Captured - o.Refunded
	sum := left
	if c.in.has("amount") {
		if sum, bad = c.in.number("amount"); bad != nil {
			return reply{}, bad
		}
	}
	switch {
	case !slices.Contains([]string{charged, ipsAccepted, partlyRefunded}, o.Status) || left <= 0:
		return reply{}, errState
	case sum > left:
		return reply{}, refuse(http.StatusBadRequest, "AMOUNT_ERROR", "amount exceeds what was charged")
	}
	o.Refunded += sum
	if o.Refunded == o.Captured {
		o.set(refunded)
	} else {
		o.Status = "" // each partial refund is told, also after another
		o.set(partlyRefunded)
	}
	c.o = o
	return ok(o.answer()), nil
}
