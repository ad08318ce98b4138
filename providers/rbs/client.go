package rbs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
	"tollgate/threeds"
)

// The gateway's calls, by their paths under the API's root. The paths are case-sensitive.
const (
	opRegister        = "register.do"
	opRegisterPreAuth = "registerPreAuth.do"
	opPay             = "paymentorder.do"
	opContinue        = "3ds/continue.do"
	opFinish2         = "finish3dsVer2Payment.do"
	opFinish1         = "finish3dsPayment.do"
	opStatus          = "getOrderStatusExtended.do"
	opDecline         = "decline.do"
	opDeposit         = "deposit.do"
	opReverse         = "reverse.do"
	opRefund          = "refund.do"
)

// client sends the gateway's forms and reads its objects. It repeats nothing.
type client struct {
	http     *http.Client
	base     string // ends in a slash
	user     string
	password providers.Secret
	token    providers.Secret
}

// call posts one form and returns the answer's object, provided that the gateway says that it handled the request.
// Every error is a *providers.Failure; none of its texts holds the credentials, a card number or one of hide.
func (c *client) call(ctx context.Context, op string, form url.Values, hide ...string) (object, error) {
	o, err := c.post(ctx, op, form, hide...)
	if err != nil {
		return object{}, err
	}
	return refusedAnswer(op, o)
}

// refusedAnswer returns a Failure if the answer refuses the call.
func refusedAnswer(op string, o object) (object, error) {
	if code, ok := refused(o); ok {
		text := cmp.Or(o.Words("errorMessage", "error", "displayErrorMessage"), o.Child("error").Words("message", "description"))
		return object{}, refusal(providers.Failure{Op: op, Code: code, Text: text})
	}
	return o, nil
}

// refusal classes a refusal of a call. An errorCode never says by itself whether access was denied (5) or the state, the time or
// the amount of an order forbids the call, so it refuses us only where the call is about no order that we know, or asks only:
// docs/gateways/rbs.md has the table.
func refusal(f providers.Failure) error {
	if slices.Contains(ours[f.Op], f.Code) {
		return f.Misconfigured(true)
	}
	return &f
}

// ours are the error codes that refuse us, by call. Calls that pay are refusedPay's.
var ours = map[string][]string{
	opRegister:        {"3", "4", "5", "8", "14"},
	opRegisterPreAuth: {"3", "4", "5", "8", "14"},
	opStatus:          {"4", "5"},
	opBindings:        {"4", "5"},
	opUnbind:          {"4", "5"},
	opDeposit:         {"4", "8"},
	opRefund:          {"4", "8"},
	opReverse:         {"4"},
	opDecline:         {"4"},
}

// post sends one call and decodes its answer, but does not check whether the gateway refused it.
func (c *client) post(ctx context.Context, op string, form url.Values, hide ...string) (object, error) {
	if c.token.Empty() {
		form.Set("userName", c.user)
		form.Set("password", c.password.Reveal())
	} else {
		form.Set("token", c.token.Reveal())
	}
	hide = append(hide, c.password.Reveal(), c.token.Reveal())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+op, strings.NewReader(form.Encode()))
	if err != nil {
		return object{}, &providers.Failure{Op: op, Err: errors.New("request cannot be written")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(op, req, hide)
}

func (c *client) send(op string, req *http.Request, hide []string) (object, error) {
	req.Header.Set("Accept", "application/json")
	status, body, err := providers.Exchange(c.http, op, req)
	if err != nil {
		return object{}, providers.Quiet(op, err, func(s string) string { return wire.Scrub(s, hide) })
	}
	if denied := providers.DeniedHTTP(op, status); denied != nil {
		return object{}, denied
	}
	if status != http.StatusOK {
		return object{}, &providers.Failure{Op: op, Err: fmt.Errorf("HTTP %d", status)}
	}
	members, err := wire.Decode(body)
	if err != nil {
		return object{}, providers.Unreadable(op, status, err)
	}
	return object{Members: members, Hide: hide}, nil
}

// object is an answer, or a part of one.
type object = wire.Object

// refused applies the gateway's rule: success, where it is there, wins; else an errorCode other than 0 is a refusal.
func refused(o object) (code string, refused bool) {
	if o.Has("success") {
		if o.True("success") {
			return "", false
		}
		return cmp.Or(wire.Short(o.Child("error").Text("code"), o.Hide), "?"), true
	}
	if s := strings.TrimSpace(o.Text("errorCode")); !isZero(s) && (s != "" || noText(o, "errorCode")) {
		return cmp.Or(wire.Short(s, o.Hide), "?"), true
	}
	return "", false
}

// isZero tells whether an errorCode says that nothing went wrong: 0, "0", "00".
func isZero(code string) bool {
	code = strings.TrimSpace(code)
	return code != "" && strings.Trim(code, "0") == ""
}

// noText tells whether a member is there and is neither text nor number.
func noText(o object, name string) bool {
	_, text := o.Value(name).(string)
	return o.Has(name) && !text
}

// membersOfOtherCalls occur only in the answers of other calls.
var membersOfOtherCalls = []string{"formUrl", "redirect", "acsUrl", "paReq", "packedCReq", "orderStatus", "OrderStatus",
	"bindings", "bindingId"}

// executed tells whether the answer is the one of deposit.do, reverse.do, refund.do, decline.do or unBindCard.do to a request
// that was carried out: an errorCode, which is 0 (all documented and recorded answers have it), and nothing of another call.
func executed(o object, orderID string) bool {
	if !isZero(o.Text("errorCode")) || o.Has("success") && !o.True("success") {
		return false
	}
	for _, name := range membersOfOtherCalls {
		if o.Has(name) {
			return false
		}
	}
	said := o.Text("orderId")
	return said == "" || orderID == "" || said == orderID
}

// execute sends one of those calls: nil if it was executed, else a Failure (refused by an errorCode, or unreadable).
func (c *client) execute(ctx context.Context, op string, form url.Values) error {
	o, err := c.post(ctx, op, form)
	switch {
	case err != nil:
		return err
	case executed(o, form.Get("orderId")):
		return nil
	}
	if code := strings.TrimSpace(o.Text("errorCode")); code != "" && !isZero(code) && !o.Has("success") {
		return refusal(providers.Failure{Op: op, Code: wire.Short(code, o.Hide),
			Text: o.Words("errorMessage", "error", "displayErrorMessage")})
	}
	return providers.Unreadable(op, http.StatusOK, errShape)
}

// errShape quotes nothing of the answer.
var errShape = errors.New("none of the documented shapes")

// set puts a value into the form unless it is empty.
func set(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// cardForm is the part of paymentorder.do that holds the card, and the texts of it that no error may repeat.
func cardForm(form url.Values, c card.Card) (hide []string) {
	form.Set("TEXT", cmp.Or(wire.Line(c.Name, 512), "CARDHOLDER"))
	if sealed := c.Sealed.Reveal(); sealed != "" {
		form.Set("seToken", sealed)
		return []string{sealed}
	}
	number, code := c.Number.Reveal(), c.Code.Reveal()
	form.Set("$PAN", number)
	set(form, "$CVC", code)
	form.Set("YYYY", fmt.Sprintf("%04d", c.Year))
	form.Set("MM", fmt.Sprintf("%02d", c.Month))
	return []string{number, code}
}

// browserInfo is clientBrowserInfo; "" where nothing is known of the browser.
func browserInfo(p providers.Payment, b threeds.BrowserData) string {
	if !providers.BrowserKnown(b) {
		return ""
	}
	b = providers.Browser(p, b)
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		UserAgent    string `json:"userAgent,omitempty"`
		Accept       string `json:"browserAcceptHeader,omitempty"`
		IP           string `json:"browserIpAddress,omitempty"`
		Language     string `json:"browserLanguage,omitempty"`
		TZ           string `json:"browserTimeZoneOffset,omitempty"`
		ColorDepth   string `json:"colorDepth,omitempty"`
		ScreenHeight string `json:"screenHeight,omitempty"`
		ScreenWidth  string `json:"screenWidth,omitempty"`
		Java         bool   `json:"javaEnabled"`
		Javascript   bool   `json:"javascriptEnabled"`
	}{b.UserAgent, b.AcceptHeader, ipAddress(b.IP), b.Language, b.TZ, b.ColorDepth, b.ScreenHeight, b.ScreenWidth, b.JavaEnabled,
		b.JavascriptEnabled})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(buf.String())
}

// ipAddress is the first IP address among the texts, without zone, at most 39 characters.
func ipAddress(texts ...string) string {
	for _, t := range texts {
		if ip, err := netip.ParseAddr(t); err == nil {
			return ip.Unmap().WithZone("").String()
		}
	}
	return ""
}

// mask reads a masked number; the gateway may write the whole one.
func mask(s string) card.Masked {
	first6, last4 := wire.CardEnds(s, 12)
	if first6 == "" {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(first6), First6: first6, Last4: last4}
}
