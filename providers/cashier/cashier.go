package cashier

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// provider is an opened account. Between calls it keeps the access token alone.
type provider struct {
	orders
	loopback    bool
	tspCode     string
	formURL     string
	callbackKey *rsa.PublicKey
	cardKey     *rsa.PublicKey
	asksCode    bool
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
	_ providers.Converter        = (*provider)(nil)
)

// What is remembered in Ref.More between the calls.
const (
	moreExternal = "externalOrderId" // what the card calls and the hosted form name the order by
	moreBy       = "by"              // hosted: the shopper is sent to the form although no card was sent
	moreAuthCode = "authCode"        // of the answer to authorize
	moreRRN      = "rrn"
	byHosted     = "hosted"
)

const (
	maxAmount = 999_999_999_999 // assumption 14
	maxText   = 255
	// repeatable is how long we count on a repeated x-req-id to recover an order: the gateway promises 60 minutes.
	repeatable = 50 * time.Minute
)

// Check refuses what the gateway cannot express. Amounts are minor units; all its currencies have two digits.
func (g *provider) Check(p providers.Payment) error {
	switch c := p.Amount.Currency.Code; {
	case !g.byOrder && c != g.payCurrency:
		return providers.Refuse("currency", "this account takes "+g.payCurrency+" only")
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
	var ways []string
	if g.payCurrency == rouble {
		ways = append(ways, "qr", "sberpay")
	}
	if g.tspCode != "" {
		ways = append(ways, byHosted)
	}
	return ways
}

// Converts: an order by its own amount is taken in the payment's currency, with fees on top.
func (g *provider) Converts() string {
	if g.byOrder {
		return g.payCurrency
	}
	return ""
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
		if g.payCurrency != rouble {
			return providers.Refuse("payment_method", "the fast payment system and SberPay pay in roubles")
		}
	default:
		return providers.Refuse("payment_method", "this gateway has no such way to pay")
	}
	if hold && (kind == "qr" || kind == "sberpay" || kind == byHosted) { // assumption 19
		return providers.Refuse("capture", "only cards can be held at this gateway")
	}
	return nil
}

// Register makes the order known, and its form where it will be paid with one. Repeated, it recovers the order: within the
// hour by its x-req-id, later from the list of orders. Where our database may have forgotten the number, the list is read first:
// an order that is older than an hour would be made once more.
func (g *provider) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	if err := g.Check(p); err != nil {
		return providers.Ref{}, err
	}
	o, err := g.newOrder(ctx, p, "")
	if err != nil {
		return providers.Ref{}, err
	}
	ref := providers.Ref{Reference: p.Ref.Reference, OrderID: o.id, More: p.Ref.More}
	if err := g.checkReusable(p, o); err != nil {
		return providers.Ref{}, err
	}
	if g.tspCode == "" || p.Instrument == "qr" || p.Instrument == "sberpay" {
		return ref, nil
	}
	r, err := g.client.call(ctx, request{
		op: opForm, method: http.MethodPost, path: "/public/order/form/" + url.PathEscape(g.tspCode) + "/" + o.id, body: struct{}{},
		reqID: g.reqID(opForm, p.Ref.Reference),
	})
	if err != nil {
		return providers.Ref{}, err
	}
	if r.requestRejected() && r.status != http.StatusConflict {
		return providers.Ref{}, r.plainFailure(opForm, r.status).Misconfigured(true)
	}
	external := r.text("externalOrderId")
	if r.status != http.StatusOK || r.text("id") != o.id || !isID(external) || o.external != "" && external != o.external {
		return providers.Ref{}, r.failure(opForm, r.status)
	}
	return ref.With(moreExternal, external), nil
}

// RecoversOrders: see Register.
func (g *provider) RecoversOrders() {}

// checkReusable checks an order that was found again. One with money on it, now, earlier or possibly later, is
// ErrAlreadyPaid; one that can no longer be paid is ErrReferenceTaken, and so is one whose money is all back, unless our database
// may have forgotten it. Nothing in an order proves that it belongs to this session.
func (g *provider) checkReusable(p providers.Payment, o order) error {
	s := g.standing(p, o)
	switch {
	case s.Amount.Currency.Code != "" && s.Amount != p.Amount:
		return &providers.Failure{Op: opOrder, Err: fmt.Errorf("%w: it has another amount", providers.ErrReferenceTaken)}
	case s.Outcome == providers.Refused, s.Outcome == providers.Closed,
		p.Forgotten == nil && (s.Outcome == providers.Voided || s.Outcome == providers.Paid && s.Stated && s.Refunded == s.Captured):
		return &providers.Failure{Op: opOrder, Err: fmt.Errorf("%w: %s", providers.ErrReferenceTaken, o.status)}
	case s.Outcome == providers.Paid, s.Outcome == providers.Authorized, s.Outcome == providers.Voided, s.Held != 0:
		return &providers.AlreadyPaid{Ref: s.Ref, Standing: s}
	}
	return nil
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
	"CANCELLED":           providers.Closed,
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

// standing translates the order.
func (g *provider) standing(p providers.Payment, o order) providers.Standing {
	ref := p.Ref
	ref.OrderID = o.id
	if o.external != "" && ref.More[moreExternal] == "" {
		ref = ref.With(moreExternal, o.external)
	}
	s := providers.Standing{Outcome: outcome(o.status), Ref: ref, Reference: o.number, Card: mask(o.masked),
		ThreeDS: providers.ThreeDS{ECI: eci(o.eci)}, Authorization: g.conversion(o.authorization(ref), o)}
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
		s.Refunded, s.Stated, s.Returned = total, true, true
	case "PARTIALLY_REFUNDED":
		s.Refunded, s.Stated = g.refunded(o)
		s.Returned = true
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

// next is the step that an unpaid order waits for, where it can be repeated.
func (g *provider) next(p providers.Payment, o order, ref providers.Ref) *providers.Step {
	p.Ref = ref
	var step providers.Step
	var err error
	switch {
	case o.status == "PRE_AUTHORIZED_3DS", o.status == "CREATED" && ref.More[moreBy] == byHosted:
		step, err = g.hostedForm(p)
	case o.status == "QRCDATA_CREATED":
		step, err = g.scan(p, o.payload)
		step.Deadline = qrLife
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return &step
}

// hostedForm sends the shopper to the hosted payment form: with a card already sent, it finishes 3-D Secure (assumption 6). Both
// ways back are the run's; which of them was taken proves nothing.
func (g *provider) hostedForm(p providers.Payment) (providers.Step, error) {
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

// qrLife is how long a QR code is good: no answer tells, and where the request may say it (PaymentAPI, QrTtl) it is 15 minutes.
const qrLife = 15 * time.Minute

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
