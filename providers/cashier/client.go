package cashier

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// The gateway's calls. The paths of those marked * are not published.
const (
	opOrders    = "orders"    // * GET  /orders
	opOrder     = "order"     //   POST /order
	opRead      = "read"      //   GET  /order/{id}
	opStatus    = "status"    //   GET  /status/{id}
	opRefund    = "refund"    // * POST /order/refund/{id}
	opQR        = "qrcData"   //   POST /order/qrcData/{id}
	opSberPay   = "sberPay"   // * POST /order/sberPay/{id}
	opPayoutIPS = "payoutIPS" // * POST /order/payout/ips/{id}
	opPayout    = "payout"    // * POST /order/payout/card/{id}
	opBanks     = "banks"     // * GET  /public/banks
	opForm      = "form"      // * POST /public/order/form/{tspCode}/{id}
	opAuthorize = "authorize" // * POST /payments/authorize
	opCharge    = "charge"    // * POST /payments/charge
	opVoid      = "void"      // * POST /payments/void
)

// tokenUse says how a call is authorised.
type tokenUse int

const (
	noToken   tokenUse = iota
	needToken          // the cashier layer
	mayToken           // the card calls: the document names no scheme for them, so the token goes along where there is one
)

// request is one call. body nil sends none.
type request struct {
	op, method, path string
	query            url.Values
	body             any
	reqID            string // x-req-id of a changing call
	token            tokenUse
	hide             []string // what no error may repeat
}

// client sends requests and reads answers. It repeats nothing but a call whose access token was refused.
type client struct {
	http   *http.Client
	base   string // ends in /api/v1
	bearer bool
	apiKey providers.Secret
	access *tokenSource
}

// reply is an answer in the gateway's language, whatever it says.
type reply struct {
	status int
	object
}

// call sends one request and reads the answer. Every error is a *providers.Failure: the request may have been taken. A
// refused access token proves that it was not: the token is renewed and the same request, under the same x-req-id, sent
// once more.
func (c *client) call(ctx context.Context, r request) (reply, error) {
	var raw []byte
	if r.body != nil {
		var err error
		if raw, err = json.Marshal(r.body); err != nil {
			return reply{}, &providers.Failure{Op: r.op, Err: errors.New("request cannot be written")}
		}
	}
	var token providers.Secret
	if r.token != noToken {
		var err error
		if token, err = c.access.get(ctx, token); err != nil && r.token == needToken {
			return reply{}, r.unsent(err)
		}
	}
	answer, err := c.send(ctx, r, raw, token)
	if err != nil || answer.status != http.StatusUnauthorized || token.Empty() {
		return answer, err
	}
	if token, err = c.access.get(ctx, token); err != nil {
		return reply{}, r.unsent(err)
	}
	return c.send(ctx, r, raw, token)
}

// unsent is the failure of a login before a call: a call that changes something has changed nothing, and is not sent any more.
func (r request) unsent(err error) error {
	f, ok := errors.AsType[*providers.Failure](err)
	if !ok || r.reqID == "" {
		return err
	}
	without := *f
	without.Untaken = true
	return &without
}

func (c *client) send(ctx context.Context, r request, raw []byte, token providers.Secret) (reply, error) {
	to := c.base + r.path
	if len(r.query) > 0 {
		to += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to, bytes.NewReader(raw))
	if err != nil {
		return reply{}, &providers.Failure{Op: r.op, Err: errors.New("request cannot be written")}
	}
	req.GetBody = nil // nobody below may send it a second time
	req.Header.Set("Accept", "application/json")
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.reqID != "" {
		req.Header.Set("x-req-id", r.reqID)
	}
	switch {
	case token.Empty():
	case c.bearer:
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	default:
		req.Header.Set("Authorization-Token", token.Reveal())
	}
	if r.token == mayToken && !c.apiKey.Empty() {
		req.Header.Set("x-api-key", c.apiKey.Reveal())
	}
	hide := append([]string{token.Reveal(), c.apiKey.Reveal(), c.access.password.Reveal()}, r.hide...)
	status, body, err := providers.Exchange(c.http, r.op, req)
	if err != nil {
		return reply{}, providers.Quiet(r.op, err, func(s string) string { return scrub(s, hide) })
	}
	o, err := decode(body, hide...)
	if denied := providers.DeniedHTTP(r.op, status); err != nil && denied != nil && token.Empty() {
		return reply{}, denied
	}
	if err != nil {
		return reply{}, providers.Unreadable(r.op, status, err)
	}
	return reply{status, o}, nil
}

// reqID makes an x-req-id: the same for the same call about the same thing, a UUID by its looks. That a repeat is then
// recognised holds for 60 minutes.
func reqID(parts ...string) string {
	sum := sha256.Sum256([]byte("tollgate\x00" + strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

var (
	errAnswer = errors.New("not in the gateway's language")
	errShape  = errors.New("a needed field is missing or malformed")
)

// object is a JSON object of an answer, whose texts come without blanks around them.
type object struct{ wire.Object }

// decode reads the one object of an answer.
func decode(body []byte, hide ...string) (object, error) {
	members, err := wire.Decode(body)
	if err != nil {
		return object{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return object{wire.Object{Members: members, Hide: hide}}, nil
}

// text is the first named member that is a scalar and not empty, as text.
func (o object) text(names ...string) string {
	for _, n := range names {
		if s := strings.TrimSpace(o.Text(n)); s != "" {
			return s
		}
	}
	return ""
}

// says tells whether a member is there and says so.
func (o object) says(name string, yes bool) bool { return o.Has(name) && o.True(name) == yes }

// number is a whole number, written as one or as text; found is false where the member is absent, null or blank.
func (o object) number(name string) (n int64, found bool, err error) {
	said := o.text(name)
	if _, text := o.Value(name).(string); !o.Has(name) || text && said == "" {
		return 0, false, nil
	}
	if n, err = strconv.ParseInt(said, 10, 64); err != nil {
		return 0, true, fmt.Errorf("%w: %s", errShape, name)
	}
	return n, true, nil
}

// child is a member object; empty where there is none.
func (o object) child(name string) object { return object{o.Child(name)} }

func (o object) list(name string) (all []object, found bool) {
	members := o.List(name)
	for _, one := range members {
		all = append(all, object{one})
	}
	return all, members != nil
}

// words is text for people: scrubbed and cut, fit for a log.
func (o object) words(names ...string) string { return scrub(o.text(names...), o.Hide) }

// success is the cashier layer's word for a call that was handled; SberPay's answer spells it with one s.
func (o object) success() bool {
	for _, name := range []string{"success", "succes"} {
		if o.Has(name) {
			return o.True(name)
		}
	}
	return false
}

// refusalsOfUs are error codes that refuse us and not the shopper.
var refusalsOfUs = map[string]bool{"ACCESS_DENIED": true, "BUYERS_ADDRESS_NOT_SPECIFIED": true, "CREATE_RECEIPT_ERROR": true}

// failure is a refusal. It proves nothing about money, but for an access that was refused: then nothing was carried out.
func (o object) failure(op string, status int) error {
	f := o.plainFailure(op, status)
	if denied := status == http.StatusUnauthorized; denied || status == http.StatusForbidden || refusalsOfUs[f.Code] {
		return f.Misconfigured(denied || op == opLogin)
	}
	return &f
}

func (o object) plainFailure(op string, status int) providers.Failure {
	response := o.child("Response")
	return providers.Failure{
		Op: op, Code: cmp.Or(scrub(response.text("ErrCode", "ErrorCode"), o.Hide), fmt.Sprintf("HTTP %d", status)),
		Text: cmp.Or(o.words("description", "message"), response.words("ErrMessage", "Message")),
	}
}

// requestRejected tells whether the gateway refused the request itself: a readable answer with a 4xx status.
func (r reply) requestRejected() bool {
	said := r.Has("success")
	switch r.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return said && !r.success()
	}
	return false
}

// numbers are what a card number, or a CVC, looks like. A later answer might repeat the CVC of an earlier call, which nobody
// remembers by then: so every number of three or four digits is hidden.
var numbers = regexp.MustCompile(`(?:[0-9][ -]?){11,}[0-9]|\b[0-9]{3,4}\b`)

// scrub hides what must not be repeated, and cuts.
func scrub(s string, hide []string) string {
	for _, h := range hide {
		if h != "" {
			s = strings.ReplaceAll(s, h, "…")
		}
	}
	s = numbers.ReplaceAllString(s, "…")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return wire.Cut(s, 300)
}
