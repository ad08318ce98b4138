package rbs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/answers"
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
	o, err := c.ask(ctx, op, form, hide...)
	if err != nil {
		return object{}, err
	}
	return judge(op, o)
}

// judge turns an answer that refuses the call into a Failure.
func judge(op string, o object) (object, error) {
	if code, ok := o.refused(); ok {
		text := or(o.words("errorMessage", "error", "displayErrorMessage"), o.child("error").words("message", "description"))
		return object{}, &providers.Failure{Op: op, Code: code, Text: text}
	}
	return o, nil
}

// ask is call without the judgement.
func (c *client) ask(ctx context.Context, op string, form url.Values, hide ...string) (object, error) {
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
	req.Header.Set("Accept", "application/json")
	status, body, err := providers.Exchange(c.http, op, req)
	if err != nil {
		if f, ok := errors.AsType[*providers.Failure](err); ok && f.Err != nil {
			err = f.Err
		}
		return object{}, &providers.Failure{Op: op, Err: &quiet{answers.Scrub(err.Error(), hide), err}}
	}
	if status != http.StatusOK {
		return object{}, &providers.Failure{Op: op, Err: fmt.Errorf("HTTP %d", status)}
	}
	members, err := answers.Object(body)
	if err != nil {
		return object{}, providers.Unreadable(op, status, err)
	}
	return object{members, hide}, nil
}

// quiet is an error whose text was scrubbed: net/http quotes the first bytes of an answer that is not HTTP.
type quiet struct {
	text string
	err  error
}

func (q *quiet) Error() string { return q.text }
func (q *quiet) Unwrap() error { return q.err }

// object is an answer. Names are compared exactly; scalars are read whether they came as text or as number.
type object struct {
	members map[string]any
	hide    []string
}

// text is the first named member that is there and is a scalar, as text.
func (o object) text(names ...string) string {
	for _, n := range names {
		switch v := o.members[n].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		case bool:
			return strconv.FormatBool(v)
		}
	}
	return ""
}

// shortNumber is what a CVC looks like.
var shortNumber = regexp.MustCompile(`\b[0-9]{3,4}\b`)

// words is text for people: scrubbed and cut, fit for a log. A later answer might repeat the CVC of an earlier call, which
// nobody remembers by then: so every number of three or four digits is hidden.
func (o object) words(names ...string) string {
	for _, n := range names {
		if s := o.text(n); s != "" {
			return shortNumber.ReplaceAllStringFunc(answers.Scrub(s, o.hide), func(string) string { return "•••" })
		}
	}
	return ""
}

// plain is a short value of the given characters only, or nothing.
func (o object) plain(characters string, longest int, names ...string) string {
	s := o.text(names...)
	if len(s) > longest || strings.Trim(s, characters) != "" {
		return ""
	}
	return s
}

// number is an integer of at least 0; found is false where the member is absent or null.
func (o object) number(name string) (n int64, found bool, err error) {
	if o.members[name] == nil {
		return 0, false, nil
	}
	s := o.text(name)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, true, fmt.Errorf("%s is not a number", name)
	}
	if n, err = strconv.ParseInt(s, 10, 64); err != nil {
		return 0, true, fmt.Errorf("%s is out of range", name)
	}
	return n, true, nil
}

// child is a member that is an object; an empty one where it is not.
func (o object) child(name string) object {
	m, _ := o.members[name].(map[string]any)
	return object{m, o.hide}
}

// list are the objects in a member that is an array.
func (o object) list(name string) []object {
	a, _ := o.members[name].([]any)
	var out []object
	for _, v := range a {
		if m, ok := v.(map[string]any); ok {
			out = append(out, object{m, o.hide})
		}
	}
	return out
}

// refused applies the gateway's rule: success, where it is there, wins; else an errorCode other than 0 is a refusal.
func (o object) refused() (code string, refused bool) {
	if _, there := o.members["success"]; there {
		if o.text("success") == "true" {
			return "", false
		}
		return or(short(o.child("error").text("code"), o.hide), "?"), true
	}
	v, there := o.members["errorCode"]
	if !there || v == nil {
		return "", false
	}
	if s := o.text("errorCode"); s == "" || strings.Trim(s, "0") != "" {
		return or(short(s, o.hide), "?"), true
	}
	return "", false
}

// elsewhere are members that the answers of other calls have.
var elsewhere = []string{"formUrl", "redirect", "acsUrl", "paReq", "packedCReq", "orderStatus", "OrderStatus", "bindings", "bindingId"}

// done tells that the answer is the one of deposit.do, reverse.do, refund.do, decline.do or unBindCard.do to a request that
// was carried out: an errorCode, which is 0 (all documented and recorded answers have it), and nothing of another call.
func (o object) done(orderID string) bool {
	code := o.text("errorCode")
	if code == "" || strings.Trim(code, "0") != "" || o.members["success"] != nil && o.text("success") != "true" {
		return false
	}
	for _, name := range elsewhere {
		if o.members[name] != nil {
			return false
		}
	}
	said := o.text("orderId")
	return said == "" || orderID == "" || said == orderID
}

// carryOut is one of those calls: done, refused by an errorCode, or unreadable.
func (c *client) carryOut(ctx context.Context, op string, form url.Values) error {
	o, err := c.ask(ctx, op, form)
	switch {
	case err != nil:
		return err
	case o.done(form.Get("orderId")):
		return nil
	}
	if code := o.text("errorCode"); code != "" && strings.Trim(code, "0") != "" && o.members["success"] == nil {
		return &providers.Failure{Op: op, Code: short(code, o.hide), Text: o.words("errorMessage", "error", "displayErrorMessage")}
	}
	return providers.Unreadable(op, http.StatusOK, errShape)
}

func short(s string, hide []string) string {
	if s = answers.Scrub(s, hide); len(s) > 16 {
		return "?"
	}
	return s
}

// errShape quotes nothing of the answer.
var errShape = errors.New("none of the documented shapes")

// mask reads the first six and last four digits out of whatever the gateway calls a masked number: 411111**1111,
// 555555XXXXXX5599, 5555555****5599, or the whole number.
func mask(s string) card.Masked {
	if len(s) > 32 {
		return card.Masked{}
	}
	head := len(s) - len(strings.TrimLeft(s, "0123456789"))
	tail := len(s) - len(strings.TrimRight(s, "0123456789"))
	if head < 6 || tail < 4 || head == len(s) && head < 12 {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(s[:6]), First6: s[:6], Last4: s[len(s)-4:]}
}

// set puts a value into the form unless it is empty.
func set(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// cardForm is the part of paymentorder.do that holds the card, and the texts of it that no error may repeat.
func cardForm(form url.Values, c card.Card) (hide []string) {
	number, code := c.Number.Reveal(), c.Code.Reveal()
	form.Set("$PAN", number)
	set(form, "$CVC", code)
	form.Set("YYYY", fmt.Sprintf("%04d", c.Year))
	form.Set("MM", fmt.Sprintf("%02d", c.Month))
	form.Set("TEXT", or(cut(c.Name, 512), "CARDHOLDER"))
	return []string{number, code}
}

// browserInfo is clientBrowserInfo; "" where nothing is known of the browser.
func browserInfo(p providers.Payment, b threeds.BrowserData) string {
	if b.UserAgent == "" && b.AcceptHeader == "" && b.Language == "" {
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
	}{b.UserAgent, b.AcceptHeader, address(b.IP), b.Language, b.TZ, b.ColorDepth, b.ScreenHeight, b.ScreenWidth, b.JavaEnabled, b.JavascriptEnabled})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(buf.String())
}

// address is the first IP address among the texts, without zone, at most 39 characters.
func address(texts ...string) string {
	for _, t := range texts {
		if ip, err := netip.ParseAddr(t); err == nil {
			return ip.Unmap().WithZone("").String()
		}
	}
	return ""
}

// cut is at most n characters of s on one line.
func cut(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > n {
		s = strings.TrimSpace(string(r[:n]))
	}
	return s
}
