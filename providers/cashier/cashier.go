package cashier

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// provider is an opened account. Between calls it keeps the access token alone.
type provider struct {
	client        client
	now           func() time.Time
	loopback      bool
	login         string
	tsp           int64
	tspCode       string
	formURL       string
	byOrder       bool
	orderCurrency string
	rub           money.Currency
	callbackKey   *rsa.PublicKey
	cardKey       *rsa.PublicKey
	asksCode      bool
}

var (
	_ providers.Provider         = (*provider)(nil)
	_ providers.InstrumentLister = (*provider)(nil)
	_ providers.Notifier         = (*provider)(nil)
	_ providers.Operator         = (*provider)(nil)
	_ providers.CardKeeper       = (*provider)(nil)
	_ providers.Payer            = (*provider)(nil)
	_ providers.BankLister       = (*provider)(nil)
	_ providers.Historian        = (*provider)(nil)
)

// What is remembered in Ref.More between the calls.
const (
	moreExternal = "externalOrderId" // what the card calls and the hosted form name the order by
	moreBy       = "by"              // hosted: the shopper is sent to the form although no card was sent
	byHosted     = "hosted"
)

const (
	maxAmount = 999_999_999_999 // assumption 14
	maxText   = 255
	// repeatable is how long we count on a repeated x-req-id to recover an order: the gateway promises 60 minutes.
	repeatable = 50 * time.Minute
)

// Check refuses what the gateway has no words for. Amounts are minor units; all its currencies have two digits.
func (g *provider) Check(p providers.Payment) error {
	switch c := p.Amount.Currency.Code; {
	case !g.byOrder && c != paymentCurrency:
		return providers.Refuse("currency", "this account takes roubles (RUB) only")
	case g.byOrder && !slices.Contains(orderCurrencies, c):
		return providers.Refuse("currency", "this gateway takes "+strings.Join(orderCurrencies, ", ")+" only")
	case p.Amount.Minor <= 0:
		return providers.Refuse("amount", "must be positive")
	case p.Amount.Minor > maxAmount:
		return providers.Refuse("amount", "has more than twelve digits")
	case p.Fee != 0:
		return providers.Refuse("fee", "the gateway adds its own fees")
	case p.Transfer != nil:
		return providers.Refuse("kind", "this gateway has no transfers")
	}
	return g.checkInstrument(p.Instrument, p.Hold)
}

// Instruments are the ways to pay beyond cards.
func (g *provider) Instruments() []string {
	if g.tspCode == "" {
		return []string{"qr", "sberpay"}
	}
	return []string{"qr", "sberpay", byHosted}
}

// checkInstrument refuses what the account cannot take; "" is not known yet.
func (g *provider) checkInstrument(kind string, hold bool) error {
	switch kind {
	case "":
	case "card", "saved_card", byHosted:
		if g.tspCode == "" {
			return providers.Refuse("payment_method", "this account takes qr and sberpay only")
		}
	case "qr", "sberpay":
	default:
		return providers.Refuse("payment_method", "this gateway has no such way to pay")
	}
	if hold && (kind == "qr" || kind == "sberpay" || kind == byHosted) { // assumption 19
		return providers.Refuse("capture", "only cards can be held at this gateway")
	}
	return nil
}

// newOrder is the body of POST /order.
type newOrder struct {
	MerchantOrderID string `json:"merchantOrderId"`
	OrderAmount     int64  `json:"orderAmount,omitempty"`
	PaymentAmount   int64  `json:"paymentAmount,omitempty"`
	OrderCurrency   string `json:"orderCurrency"`
	TSPID           int64  `json:"tspId"`
	Description     string `json:"description,omitempty"`
	CallbackURL     string `json:"callbackUrl,omitempty"`
	Type            string `json:"type,omitempty"`
}

// Register makes the order known, and its form where it will be paid with one. Repeated, it recovers the order: within the
// hour by its x-req-id, later from the list of orders.
func (g *provider) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	if err := g.Check(p); err != nil {
		return providers.Ref{}, err
	}
	o, err := g.newOrder(ctx, p, "")
	if err != nil {
		return providers.Ref{}, err
	}
	ref := providers.Ref{Reference: p.Ref.Reference, OrderID: o.id, More: p.Ref.More}
	if err := g.usable(p, o); err != nil {
		return providers.Ref{}, err
	}
	if g.tspCode == "" || p.Instrument == "qr" || p.Instrument == "sberpay" {
		return ref, nil
	}
	r, err := g.client.call(ctx, request{
		op: opForm, method: http.MethodPost, path: "/public/order/form/" + url.PathEscape(g.tspCode) + "/" + o.id, body: struct{}{},
		reqID: g.mark(opForm, p.Ref.Reference),
	})
	if err != nil {
		return providers.Ref{}, err
	}
	external := r.text("externalOrderId")
	if r.status != http.StatusOK || r.text("id") != o.id || !isID(external) || o.external != "" && external != o.external {
		return providers.Ref{}, r.failure(opForm, r.status)
	}
	return ref.With(moreExternal, external), nil
}

// usable looks at an order that was found again: one that money stands with, did or may is neither paid again nor passed over,
// one that can no longer be paid is passed over. Nothing in an order proves that it is this session's.
func (g *provider) usable(p providers.Payment, o order) error {
	s := g.standing(p, o)
	switch {
	case s.Amount.Currency.Code != "" && s.Amount != p.Amount:
		return &providers.Failure{Op: opOrder, Err: fmt.Errorf("%w: it has another amount", providers.ErrReferenceTaken)}
	case s.Outcome == providers.Refused, s.Outcome == providers.Closed:
		return &providers.Failure{Op: opOrder, Err: fmt.Errorf("%w: %s", providers.ErrReferenceTaken, o.status)}
	case s.Outcome == providers.Paid, s.Outcome == providers.Authorized, s.Outcome == providers.Voided, s.Held != 0:
		return &providers.AlreadyPaid{Ref: s.Ref, Standing: s}
	}
	return nil
}

// mark is the x-req-id of a call about a payment, or about an operation on it.
func (g *provider) mark(op string, references ...string) string {
	return reqID(append([]string{g.client.base, g.login, strconv.FormatInt(g.tsp, 10), op}, references...)...)
}

// newOrder creates the order, or finds it again. kind is "" for payments, which is PayIn, or PayOut.
func (g *provider) newOrder(ctx context.Context, p providers.Payment, kind string) (order, error) {
	if !p.CreatedAt.IsZero() && g.now().Sub(p.CreatedAt) > repeatable {
		known, err := g.find(ctx, p)
		if err != nil || known != nil {
			return deref(known), err
		}
	}
	body := newOrder{
		MerchantOrderID: p.Ref.Reference, OrderCurrency: g.orderCurrency, TSPID: g.tsp, Description: wire.Cut(cmp.Or(p.Description, p.OrderID), maxText),
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
	r, err := g.client.call(ctx, request{op: opOrder, method: http.MethodPost, path: "/order", body: body, reqID: g.mark(op, p.Ref.Reference), token: needToken})
	if err != nil {
		return order{}, err
	}
	o, err := g.orderIn(opOrder, r)
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

func deref(o *order) order {
	if o == nil {
		return order{}
	}
	return *o
}

// find looks for our reference in the list of orders around the attempt's time; nil where it is not there.
func (g *provider) find(ctx context.Context, p providers.Payment) (*order, error) {
	var found *order
	const page, pages = 100, 20
	for n := range pages {
		q := url.Values{"tspId": {strconv.FormatInt(g.tsp, 10)}, "limit": {strconv.Itoa(page)}, "offset": {strconv.Itoa(n * page)}}
		if !p.CreatedAt.IsZero() {
			q.Set("dateFrom", p.CreatedAt.Add(-10*time.Minute).UTC().Format(time.RFC3339))
			q.Set("dateTo", p.CreatedAt.Add(90*time.Minute).UTC().Format(time.RFC3339))
		}
		r, err := g.client.call(ctx, request{op: opOrders, method: http.MethodGet, path: "/orders", query: q, token: needToken})
		if err != nil {
			return nil, err
		}
		list, there := r.list("orders")
		if r.status != http.StatusOK || !r.success() || !there {
			return nil, r.failure(opOrders, r.status)
		}
		for _, raw := range list {
			o, err := readOrder(raw)
			if err != nil {
				return nil, providers.Unreadable(opOrders, r.status, err)
			}
			if o.number != p.Ref.Reference || found != nil && found.id == o.id {
				continue
			}
			if found != nil {
				return nil, &providers.Failure{Op: opOrders, Text: "two orders have our reference"}
			}
			found = &o
		}
		if len(list) < page {
			return found, nil
		}
	}
	return nil, &providers.Failure{Op: opOrders, Text: "the list has no end"}
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
}

// orderIn reads the order out of an answer of the cashier layer.
func (g *provider) orderIn(op string, r reply) (order, error) {
	if r.status != http.StatusOK || !r.success() {
		return order{}, r.failure(op, r.status)
	}
	o, err := readOrder(r.child("order"))
	if err != nil {
		return order{}, providers.Unreadable(op, r.status, err)
	}
	return o, nil
}

// readOrder reads an order object of the cashier layer. The QR code stands at the top in the answer that made it, and
// deeper in later ones.
func readOrder(in object) (order, error) {
	info := in.child("paymentInfo")
	details, qrc := info.child("paymentDetails"), info.child("qrc")
	o := order{
		id: in.text("id"), number: in.text("merchantOrderId"), external: cmp.Or(in.text("externalOrderId"), details.text("externalId")), status: in.text("status"),
		orderCurrency: in.text("orderCurrency"), payCurrency: in.text("paymentCurrency"),
		payload: cmp.Or(in.text("payload"), qrc.text("payload")), link: in.text("deepLink", "deeplink"),
		token: details.text("cardToken"), masked: details.text("maskedPan"), expiry: details.text("expiry"), eci: details.text("eci"),
		errCode: scrub(details.text("errCode"), in.hide), errText: details.words("errMessage"), kind: in.text("type"), created: in.text("createdAt"),
	}
	if !isID(o.id) || o.external != "" && !isID(o.external) || o.status == "" {
		return order{}, errShape
	}
	for name, to := range map[string]**int64{"orderAmount": &o.orderAmount, "paymentAmount": &o.paymentAmount, "refundedAmount": &o.refunded} {
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

// amount is the order's in the field that was sent: the other one is converted and has fees in it or off it.
func (g *provider) amount(o order) (money.Amount, bool) {
	minor, code := o.paymentAmount, cmp.Or(o.payCurrency, paymentCurrency)
	if g.byOrder {
		minor, code = o.orderAmount, o.orderCurrency
	}
	if minor == nil || code == "" {
		return money.Amount{}, false
	}
	c, err := money.ParseCurrency(code)
	if err != nil { // USDT and the like: certainly not what we sent
		c = money.Currency{Code: code}
	}
	return money.Amount{Minor: *minor, Currency: c}, true
}

// Status asks for the order; if the gateway's login is down, by the call that needs none.
func (g *provider) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	o, there, err := g.inquire(ctx, p)
	if err != nil {
		return providers.Standing{}, err
	}
	if !there {
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	return g.standing(p, o), nil
}

// inquire finds the order; there is false where the gateway says that it has none.
func (g *provider) inquire(ctx context.Context, p providers.Payment) (o order, there bool, err error) {
	if p.Ref.OrderID == "" {
		known, err := g.find(ctx, p)
		return deref(known), known != nil, err
	}
	return g.read(ctx, p.Ref.OrderID)
}

func (g *provider) read(ctx context.Context, id string) (o order, there bool, err error) {
	r, err := g.client.call(ctx, request{op: opRead, method: http.MethodGet, path: "/order/" + url.PathEscape(id), token: needToken})
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Op == opLogin && ctx.Err() == nil {
		r, err = g.client.call(ctx, request{op: opStatus, method: http.MethodGet, path: "/status/" + url.PathEscape(id)})
	}
	if err != nil {
		return order{}, false, err
	}
	if r.status == http.StatusNotFound && r.refusedAsSuch() {
		return order{}, false, nil
	}
	o, err = g.orderIn(opRead, r)
	return o, err == nil, err
}

// outcomes are the document's statuses, and two that its sisters have. Any other is processing: unknown is not an end.
var outcomes = map[string]providers.Outcome{
	"CREATED":             providers.Waiting, // "final" in the document, which cannot be meant
	"QRCDATA_IN_PROGRESS": providers.Processing,
	"QRCDATA_CREATED":     providers.Waiting,
	"PRE_AUTHORIZED_3DS":  providers.Waiting,
	"IN_PROCESS":          providers.Processing,
	"PROCESSING":          providers.Processing,
	"AUTHORIZATION":       providers.Processing,
	"AUTHORIZED":          providers.Authorized,
	"CHARGE_IN_PROGRESS":  providers.Processing,
	"CHARGE_DECLINED":     providers.Authorized, // the hold is still there
	"VOID_IN_PROGRESS":    providers.Processing,
	"VOID_DECLINED":       providers.Authorized, // the same
	"CHARGED":             providers.Paid,
	"IPS_ACCEPTED":        providers.Paid,
	"SBP_ACCEPTED":        providers.Paid,
	"PARTIALLY_REFUNDED":  providers.Paid,
	"REFUNDED":            providers.Paid,
	"DECLINED":            providers.Refused,
	"EXPIRED":             providers.Closed,
	"VOIDED":              providers.Voided,
	"PAYOUT_IN_PROGRESS":  providers.Unclear, // of a payout; a payment cannot be there
	"PAID":                providers.Unclear, // the same
}

func outcome(status string) providers.Outcome {
	if out, known := outcomes[status]; known {
		return out
	}
	return providers.Processing
}

// standing is the order in our words.
func (g *provider) standing(p providers.Payment, o order) providers.Standing {
	ref := p.Ref
	ref.OrderID = o.id
	if o.external != "" && ref.More[moreExternal] == "" {
		ref = ref.With(moreExternal, o.external)
	}
	s := providers.Standing{Outcome: outcome(o.status), Ref: ref, Reference: o.number, Card: mask(o.masked), ThreeDS: providers.ThreeDS{ECI: eci(o.eci)}}
	total := p.Amount.Minor
	if sum, said := g.amount(o); said {
		s.Amount, total = sum, sum.Minor
	}
	switch o.status {
	case "AUTHORIZED":
		if !p.Hold { // in one stage the charge follows by itself
			s.Outcome = providers.Processing
		}
		s.Held, s.Stated = total, true // no other part of a hold is known here than all
	case "CHARGE_DECLINED", "VOID_DECLINED":
		s.Held, s.Stated, s.VoidRefused = total, true, o.status == "VOID_DECLINED"
		if !p.Hold { // nobody asked for a hold: what was to be taken was refused
			s.Outcome, s.Decline = providers.HoldLeft, decline(o)
		}
	case "CHARGE_IN_PROGRESS", "VOID_IN_PROGRESS":
		s.Held = total
	case "REFUNDED":
		s.Refunded, s.Stated = total, true
	case "PARTIALLY_REFUNDED":
		s.Refunded, s.Stated = g.refunded(o)
	case "CHARGED", "IPS_ACCEPTED", "SBP_ACCEPTED":
		s.Stated = true // a refund would have changed the status
	case "DECLINED":
		s.Decline = decline(o)
	}
	if s.Outcome == providers.Paid {
		s.Held, s.Captured = total, total
	}
	if s.Outcome == providers.Waiting {
		s.Next = g.next(p, o, ref)
	}
	return s
}

// refunded is what was given back, in the unit of the field that was sent; said is false where the gateway does not say.
func (g *provider) refunded(o order) (minor int64, said bool) {
	switch {
	case o.refunded == nil || *o.refunded <= 0:
		return 0, false
	case !g.byOrder:
		return *o.refunded, true
	case o.orderAmount == nil || o.paymentAmount == nil || *o.refunded < 0 || *o.orderAmount < 0 || *o.refunded > *o.paymentAmount || *o.paymentAmount <= 0:
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(*o.refunded), uint64(*o.orderAmount))
	sum, _ := bits.Div64(hi, lo, uint64(*o.paymentAmount)) // no more than the order amount, as refunded is no more than was paid
	return int64(sum), true
}

// next is the step that an unpaid order waits for, where it can be repeated.
func (g *provider) next(p providers.Payment, o order, ref providers.Ref) *providers.Step {
	p.Ref = ref
	var step providers.Step
	var err error
	switch {
	case o.status == "PRE_AUTHORIZED_3DS", o.status == "CREATED" && ref.More[moreBy] == byHosted:
		step, err = g.form(p)
	case o.status == "QRCDATA_CREATED":
		step, err = g.scan(p, o.payload)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return &step
}

// form sends the shopper to the hosted payment form: with a card already sent, it finishes 3-D Secure (assumption 6). Both
// ways back are the run's; which of them was taken proves nothing.
func (g *provider) form(p providers.Payment) (providers.Step, error) {
	external := p.Ref.More[moreExternal]
	if external == "" || g.formURL == "" {
		return providers.Step{}, &providers.Failure{Op: opForm, Err: errNoForm}
	}
	s := providers.NewStep(providers.PayerPage, p.Ref)
	s.Forms = []threeds.Form{{Action: g.formURL + "/" + url.PathEscape(external), Fields: []threeds.Field{
		{Name: "successUrl", Value: p.Run.ReturnURL}, {Name: "failUrl", Value: p.Run.ReturnURL},
	}}}
	return s, nil
}

var (
	errNoForm  = errors.New("the order has no form: tsp_code and form_url are not set")
	errNoOrder = errors.New("the order is not known by the gateway's id")
)

// scan shows a QR code or a deep link. A link is opened by the shopper's browser, so it is checked.
func (g *provider) scan(p providers.Payment, link string) (providers.Step, error) {
	to, err := appLink(link, g.loopback)
	if err != nil {
		return providers.Step{}, err
	}
	s := providers.NewStep(providers.Scan, p.Ref)
	s.Link = to
	return s, nil
}

// appSchemes are those of bank apps that a deep link may have.
var appSchemes = []string{"sberpay", "sbolpay", "sbolonline", "android-app", "ios-app", "bank100000000111"}

func appLink(link string, loopback bool) (string, error) {
	to, err := threeds.CheckURL(link, loopback)
	if err == nil {
		return to, nil
	}
	u, parseErr := url.Parse(link)
	plain := len(link) <= threeds.MaxURL && wire.HeaderSafe(link) && !strings.ContainsAny(link, "\"'`<>\\")
	if parseErr == nil && plain && u.Opaque == "" && slices.Contains(appSchemes, u.Scheme) {
		return link, nil
	}
	return "", fmt.Errorf("%w: link", errShape)
}

// mask reads 400001******0008; anything else is no card.
func mask(s string) card.Masked {
	if len(s) < 12 || !wire.Digits(s[:6]) || !wire.Digits(s[len(s)-4:]) || strings.Trim(s[6:len(s)-4], "*xX") != "" {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(s[:6]), First6: s[:6], Last4: s[len(s)-4:]}
}

func eci(s string) string {
	if len(s) > 2 || !wire.Digits(s) {
		return ""
	}
	return s
}
