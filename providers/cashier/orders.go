package cashier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// orders are the gateway's orders, as the account makes, finds and reads them.
type orders struct {
	client        client
	now           func() time.Time
	login         string
	tsp           int64
	byOrder       bool
	orderCurrency string
	payCurrency   string // what customers pay in
	tellCurrency  string // that, where the gateway is told
	past          *pastOrders
}

// newOrder is the body of POST /order.
type newOrder struct {
	MerchantOrderID string `json:"merchantOrderId"`
	OrderAmount     int64  `json:"orderAmount,omitempty"`
	PaymentAmount   int64  `json:"paymentAmount,omitempty"`
	OrderCurrency   string `json:"orderCurrency"`
	PaymentCurrency string `json:"paymentCurrency,omitempty"`
	TSPID           int64  `json:"tspId"`
	Description     string `json:"description,omitempty"`
	CallbackURL     string `json:"callbackUrl,omitempty"`
	Type            string `json:"type,omitempty"`
}

// order is an order as the gateway shows it, in either layer.
type order struct {
	id, number, external, status string
	orderAmount, paymentAmount   *int64
	orderCurrency, payCurrency   string
	refunded                     *int64
	payload, link                string // QR code, deep link
	token, masked, expiry, eci   string
	errCode, errText             string
	kind, created                string
	authCode, rrn                string
}

func deref(o *order) order {
	if o == nil {
		return order{}
	}
	return *o
}

// readOrder reads an order object of the cashier layer. The QR code stands at the top in the answer that made it, and
// deeper in later ones.
func readOrder(in object) (order, error) {
	info := in.child("paymentInfo")
	details, qrc := info.child("paymentDetails"), info.child("qrc")
	o := order{
		id: in.text("id"), number: in.text("merchantOrderId"),
		external: cmp.Or(in.text("externalOrderId"), details.text("externalId")), status: in.text("status"),
		orderCurrency: in.text("orderCurrency"), payCurrency: in.text("paymentCurrency"),
		payload: cmp.Or(in.text("payload"), qrc.text("payload")), link: in.text("deepLink", "deeplink"),
		token: details.text("cardToken"), masked: details.text("maskedPan"), expiry: details.text("expiry"), eci: details.text("eci"),
		errCode: scrub(details.text("errCode"), in.Hide), errText: details.words("errMessage"), kind: in.text("type"),
		created: in.text("createdAt"), authCode: details.text("authCode", "AuthCode"), rrn: details.text("rrn", "Rrn", "RRN"),
	}
	if !isID(o.id) || o.external != "" && !isID(o.external) || o.status == "" {
		return order{}, errShape
	}
	for name, to := range map[string]**int64{"orderAmount": &o.orderAmount, "paymentAmount": &o.paymentAmount,
		"refundedAmount": &o.refunded} {
		n, found, err := in.number(name)
		if err != nil {
			return order{}, err
		}
		if found {
			*to = &n
		}
	}
	return o, nil
}

// isID accepts what may stand in a path.
func isID(s string) bool { return s != "" && len(s) <= 64 && strings.Trim(s, plainID) == "" }

// reqID is the x-req-id of a call about a payment, or about an operation on it.
func (g *orders) reqID(op string, references ...string) string {
	return reqID(append([]string{g.client.base, g.login, strconv.FormatInt(g.tsp, 10), op}, references...)...)
}

// newOrder creates the order, or finds it again. kind is "" for payments, which is PayIn, or PayOut.
func (g *orders) newOrder(ctx context.Context, p providers.Payment, kind string) (order, error) {
	if p.Forgotten != nil || !p.CreatedAt.IsZero() && g.now().Sub(p.CreatedAt) > repeatable {
		known, err := g.find(ctx, p)
		if err != nil || known != nil {
			return deref(known), err
		}
	}
	body := newOrder{
		MerchantOrderID: p.Ref.Reference, OrderCurrency: g.orderCurrency, PaymentCurrency: g.tellCurrency, TSPID: g.tsp,
		Description: wire.Cut(cmp.Or(p.Description, p.OrderID), maxText),
		CallbackURL: p.CallbackURL, Type: kind,
	}
	if g.byOrder {
		body.OrderAmount, body.OrderCurrency = p.Amount.Minor, p.Amount.Currency.Code
	} else {
		body.PaymentAmount = p.Amount.Minor
	}
	op := opOrder
	if kind != "" {
		op += kind
	}
	r, err := g.client.call(ctx, request{op: opOrder, method: http.MethodPost, path: "/order", body: body,
		reqID: g.reqID(op, p.Ref.Reference), token: needToken})
	if err != nil {
		return order{}, err
	}
	if r.requestRejected() && r.status != http.StatusConflict { // no card was sent yet, so that only our request can be wrong
		return order{}, r.plainFailure(opOrder, r.status).Misconfigured(true)
	}
	o, err := g.orderFrom(opOrder, r)
	switch {
	case err != nil:
		return order{}, err
	case o.number != "" && o.number != p.Ref.Reference:
		return order{}, &providers.Failure{Op: opOrder, Text: "answer of another order"}
	}
	if sum, said := g.amount(o); said && sum != p.Amount { // recovered by its x-req-id from another request
		return order{}, &providers.Failure{Op: opOrder, Err: fmt.Errorf("%w: it has another amount", providers.ErrReferenceTaken)}
	}
	return o, nil
}

// find looks for our reference in the list of orders; nil where it is not there. Of one that our database may have forgotten the
// whole list is read if it is short, else all that may be forgotten (pastOrders); of any other the time around the attempt's.
func (g *orders) find(ctx context.Context, p providers.Payment) (*order, error) {
	const pages, short = 20, 5
	if p.Forgotten != nil {
		found, err := g.list(ctx, p.Ref.Reference, short, time.Time{}, time.Time{})
		if !errors.Is(err, errNoEnd) {
			return found, err
		}
		return g.past.find(ctx, g, p.Ref.Reference, p.Forgotten.From, p.Forgotten.Until)
	}
	if p.CreatedAt.IsZero() {
		return g.list(ctx, p.Ref.Reference, pages, time.Time{}, time.Time{})
	}
	return g.list(ctx, p.Ref.Reference, pages, p.CreatedAt.Add(-10*time.Minute), p.CreatedAt.Add(90*time.Minute))
}

// errNoEnd says that a list has more pages than were read.
var errNoEnd = errors.New("the list has no end")

// list reads the list of orders of a time for a reference; a zero bound is none.
func (g *orders) list(ctx context.Context, reference string, pages int, from, until time.Time) (found *order, err error) {
	for n := range pages {
		list, err := g.page(ctx, n, from, until)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if o.number != reference || found != nil && found.id == o.id {
				continue
			}
			if found != nil {
				return nil, &providers.Failure{Op: opOrders, Text: "two orders have our reference"}
			}
			found = &o
		}
		if len(list) < listPage {
			return found, nil
		}
	}
	return nil, &providers.Failure{Op: opOrders, Err: errNoEnd}
}

const listPage = 100

// page is one page of the list of orders of a time; a zero bound is none.
func (g *orders) page(ctx context.Context, n int, from, until time.Time) ([]order, error) {
	q := url.Values{"tspId": {strconv.FormatInt(g.tsp, 10)}, "limit": {strconv.Itoa(listPage)}, "offset": {strconv.Itoa(n * listPage)}}
	if !from.IsZero() {
		q.Set("dateFrom", from.UTC().Format(time.RFC3339))
	}
	if !until.IsZero() {
		q.Set("dateTo", until.Add(time.Second).UTC().Format(time.RFC3339)) // whole seconds, rounded up
	}
	r, err := g.client.call(ctx, request{op: opOrders, method: http.MethodGet, path: "/orders", query: q, token: needToken})
	if err != nil {
		return nil, err
	}
	list, there := r.list("orders")
	if r.status != http.StatusOK || !r.success() || !there {
		return nil, r.failure(opOrders, r.status)
	}
	all := make([]order, 0, len(list))
	for _, raw := range list {
		o, err := readOrder(raw)
		if err != nil {
			return nil, providers.Unreadable(opOrders, r.status, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// orderFrom reads the order out of an answer of the cashier layer.
func (g *orders) orderFrom(op string, r reply) (order, error) {
	if r.status != http.StatusOK || !r.success() {
		return order{}, r.failure(op, r.status)
	}
	o, err := readOrder(r.child("order"))
	if err != nil {
		return order{}, providers.Unreadable(op, r.status, err)
	}
	return o, nil
}

// amount is the order's in the field that was sent: the other one is converted and has fees in it or off it.
func (g *orders) amount(o order) (money.Amount, bool) {
	minor, code := o.paymentAmount, cmp.Or(o.payCurrency, g.payCurrency)
	if g.byOrder {
		minor, code = o.orderAmount, o.orderCurrency
	}
	if minor == nil || code == "" {
		return money.Amount{}, false
	}
	c, err := money.ParseCurrency(strings.ToUpper(code))
	if err != nil { // USDT and the like: certainly not what we sent
		c = money.Currency{Code: code}
	}
	return money.Amount{Minor: *minor, Currency: c}, true
}

// inquire finds the order; there is false where the gateway says that it has none.
func (g *orders) inquire(ctx context.Context, p providers.Payment) (o order, there bool, err error) {
	if p.Ref.Reference == "" && strings.Trim(p.Ref.OrderID, "0123456789") != "" {
		return g.byExternal(ctx, p.Ref.OrderID)
	}
	if p.Ref.OrderID == "" {
		known, err := g.find(ctx, p)
		return deref(known), known != nil, err
	}
	return g.read(ctx, p.Ref.OrderID)
}

// byExternal looks for the order that the PaymentAPI layer names so, among those that may still be paid, and then among the newer ones.
func (g *orders) byExternal(ctx context.Context, external string) (o order, there bool, err error) {
	const pages = 20
	now := g.now()
	for _, ago := range []time.Duration{2 * time.Hour, 3 * 24 * time.Hour} {
		for n := range pages {
			list, err := g.page(ctx, n, now.Add(-ago), now)
			if err != nil {
				return order{}, false, err
			}
			for _, o := range list {
				if o.external == external {
					return o, true, nil
				}
			}
			if len(list) < listPage {
				break
			}
		}
	}
	return order{}, false, nil
}

func (g *orders) read(ctx context.Context, id string) (o order, there bool, err error) {
	r, err := g.client.call(ctx, request{op: opRead, method: http.MethodGet, path: "/order/" + url.PathEscape(id), token: needToken})
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Op == opLogin && ctx.Err() == nil {
		r, err = g.client.call(ctx, request{op: opStatus, method: http.MethodGet, path: "/status/" + url.PathEscape(id)})
	}
	if err != nil {
		return order{}, false, err
	}
	if r.status == http.StatusNotFound && r.requestRejected() {
		return order{}, false, nil
	}
	o, err = g.orderFrom(opRead, r)
	return o, err == nil, err
}

// refunded is what was given back, in the unit of the field that was sent; said is false where the gateway does not say.
func (g *orders) refunded(o order) (minor int64, said bool) {
	switch {
	case o.refunded == nil || *o.refunded <= 0:
		return 0, false
	case !g.byOrder:
		return *o.refunded, true
	case o.orderAmount == nil || o.paymentAmount == nil || *o.refunded < 0 || *o.orderAmount < 0 ||
		*o.refunded > *o.paymentAmount || *o.paymentAmount <= 0:
		return 0, false
	}
	minor, said = convert(*o.refunded, *o.orderAmount, *o.paymentAmount)
	return minor, said
}

// convert is sum × to / from, to the nearest unit; false where that cannot be computed.
func convert(sum, to, from int64) (int64, bool) {
	if sum < 0 || to < 0 || from <= 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(sum), uint64(to))
	lo, carry := bits.Add64(lo, uint64(from-1)/2, 0)
	if hi += carry; hi >= uint64(from) {
		return 0, false
	}
	out, _ := bits.Div64(hi, lo, uint64(from))
	return int64(out), out <= math.MaxInt64
}
