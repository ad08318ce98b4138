package payneteasy

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// client is the gateway's wire: url-encoded POSTs with a SHA-1 control, answers as url-encoded pairs with line feeds or
// as JSON. It knows nothing of steps.
type client struct {
	http     *http.Client
	base     string // with the path prefix, no slash at the end
	endpoint string // the id that goes into the sale's control
	path     string // the same with "group/" before a group's; the 3ds/v1 uploads take the bare id
	login    string
	control  providers.Secret
	json     bool
}

// sign is the control: lower-case hex SHA-1 of the parts and the merchant control, joined by nothing.
func (c *client) sign(parts ...string) string {
	sum := sha1.Sum([]byte(strings.Join(parts, "") + c.control.Reveal()))
	return hex.EncodeToString(sum[:])
}

// start is a sale or a preauth; form holds everything but the control.
func (c *client) start(ctx context.Context, command string, minor int64, form url.Values) (answer, error) {
	form.Set("control", c.sign(c.endpoint, form.Get("client_orderid"), strconv.FormatInt(minor, 10), form.Get("email")))
	return c.post(ctx, command, "/api/v2/"+command+"/"+c.path, form)
}

// rebill repeats a payment with a card reference; form holds everything but login and control.
func (c *client) rebill(ctx context.Context, command string, minor int64, form url.Values) (answer, error) {
	form.Set("login", c.login)
	form.Set("control", c.sign(c.login, form.Get("client_orderid"), form.Get("cardrefid"), strconv.FormatInt(minor, 10),
		form.Get("currency")))
	return c.post(ctx, command, "/api/v2/"+command+"/"+c.path, form)
}

// cardInfo asks what a card reference shows of its card.
func (c *client) cardInfo(ctx context.Context, ref string) (answer, error) {
	form := url.Values{"login": {c.login}, "cardrefid": {ref}, "control": {c.sign(c.login, ref)}}
	return c.post(ctx, "get-card-info", "/api/v2/get-card-info/"+c.path, form)
}

// status asks for an order; orderID may be empty as long as the order number is unique. requestSN asks for one request
// of the order's (a capture, a return) by its serial number.
func (c *client) status(ctx context.Context, reference, orderID, requestSN string) (answer, error) {
	form := c.orderForm("client_orderid", reference, orderID)
	if requestSN != "" {
		form.Set("by-request-sn", requestSN)
	}
	return c.post(ctx, "status", "/api/v2/status/"+c.path, form)
}

// upload is one of the three 3ds/v1 calls. They spell the order number with hyphens and take a group's id bare.
func (c *client) upload(ctx context.Context, command, reference, orderID string, fields [][2]string) (answer, error) {
	form := c.orderForm("client-order-id", reference, orderID)
	for _, f := range fields {
		form.Set(f[0], f[1])
	}
	return c.post(ctx, command, "/api/3ds/v1/"+command+"/"+c.endpoint, form)
}

// operate is capture, return or void. Amount and currency go both or not at all, into the control as into the form.
func (c *client) operate(ctx context.Context, command, reference, orderID, amount, currency string, minor int64) (answer, error) {
	form := c.orderForm("client_orderid", reference, orderID)
	if amount != "" {
		form.Set("amount", amount)
		form.Set("currency", currency)
		form.Set("control", c.sign(c.login, reference, orderID, strconv.FormatInt(minor, 10), currency))
	}
	return c.post(ctx, command, "/api/v2/"+command+"/"+c.path, form)
}

func (c *client) orderForm(name, reference, orderID string) url.Values {
	form := url.Values{"login": {c.login}, name: {reference}, "control": {c.sign(c.login, reference, orderID)}}
	if orderID != "" {
		form.Set("orderid", orderID)
	}
	return form
}

func (c *client) post(ctx context.Context, op, path string, form url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &providers.Failure{Op: op, Err: err}
	}
	req.GetBody = nil // nobody below may send it a second time
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.json {
		req.Header.Set("Accept", "application/vnd.pay+json")
	}
	status, body, whole, err := providers.ExchangeWhole(c.http, op, req)
	if err != nil {
		return nil, err
	}
	a, err := decode(status, body, whole)
	if denied := providers.DeniedHTTP(op, status); denied != nil && (err != nil || !a.rejected()) {
		return nil, denied
	}
	if err != nil {
		return nil, providers.Unreadable(op, status, err)
	}
	return a, nil
}

// answer is what the gateway said, by the gateway's names. Empty values are dropped.
type answer map[string]string

// The types of an answer. JSON answers of the newer software leave the type out.
const (
	typeAsync    = "async-response"
	typeForm     = "async-form-response"
	typeStatus   = "status-response"
	typeCardRef  = "create-card-ref-response"
	typeCardInfo = "get-card-info-response"
	typeInvalid  = "validation-error"
	typeError    = "error"
	typeNameless = ""
)

// rejected tells whether the gateway refused the request as such; that is not yet the verdict on a payment.
func (a answer) rejected() bool {
	t := a["type"]
	return t == typeInvalid || t == typeError || t == typeNameless && a["status"] == "" && a["error-message"] != ""
}

var errAnswer = errors.New("not in the gateway's language")

// decode reads an answer in either dialect, told apart by the first byte: white labels answer forms to callers that
// asked for JSON. Form answers come with 200 only; JSON rejections with 4xx too. Everything else proves nothing.
//
// whole says that HTTP proved the answer to be all there; otherwise the line feeds have to (see decodeForm).
func decode(status int, body []byte, whole bool) (answer, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	text := bytes.TrimSpace(body)
	isJSON := len(text) > 0 && text[0] == '{'
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: empty", errAnswer)
	case bytes.IndexByte(text, 0) >= 0:
		return nil, fmt.Errorf("%w: UTF-16", errAnswer)
	case status == http.StatusOK:
	case isJSON && status >= 400 && status < 500:
	default:
		return nil, fmt.Errorf("%w: HTTP status", errAnswer)
	}
	var a answer
	var err error
	if isJSON {
		a, err = decodeJSON(wire.ValidText(body))
	} else {
		a, err = decodeForm(body, whole)
	}
	if err != nil {
		return nil, err
	}
	switch t, named := a["type"]; {
	case t == typeAsync, t == typeForm, t == typeStatus, t == typeCardRef, t == typeCardInfo:
		if status != http.StatusOK {
			return nil, fmt.Errorf("%w: %s with an error status", errAnswer, t)
		}
	case t == typeInvalid, t == typeError:
	case !named && isJSON && (status != http.StatusOK) == a.rejected():
	default:
		return nil, fmt.Errorf("%w: type", errAnswer)
	}
	return a, nil
}

// words are members for people. Servers were seen to leave their texts unescaped, in windows-1251 too; nothing is decided by them.
var words = map[string]bool{"error-message": true, "bank-name": true, "dest-bank-name": true, "name": true, "first-name": true,
	"last-name": true, "cardholder-name": true, "card-holder-name": true, "descriptor": true, "original-gate-descriptor": true,
	"comment": true, "purpose": true, "email": true, "phone": true, "paynet-processing-date": true, "acquirer-processing-date": true,
	"merchantdata": true, "ips-src-payment-product-name": true, "ips-src-payment-type-name": true}

// decodeForm reads url-encoded pairs whose values end with a line feed. A status or an acceptance whose values have line
// feeds except the last was cut on the way: "amount=1" may have been 10.42, an order id may lack digits. (A recorded
// async-form-response does end like that.) Unless the answer had as many bytes as it announced: then it is whole.
func decodeForm(body []byte, whole bool) (answer, error) {
	text := string(body)
	a := answer{}
	for pair := range strings.SplitSeq(text, "&") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(strings.TrimSpace(name))
		if err != nil || !found || !wireName(name) {
			return nil, fmt.Errorf("%w: pair", errAnswer)
		}
		value = strings.TrimSpace(value)
		escaped := !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f })
		if !escaped && (!words[strings.ToLower(name)] || strings.Contains(value, "¤")) {
			return nil, fmt.Errorf("%w: unescaped text", errAnswer) // pairs run together: a browser made "¤cy" of "&currency"
		}
		plain, err := url.QueryUnescape(value)
		switch {
		case err == nil:
			value = plain
		case !words[strings.ToLower(name)]:
			return nil, fmt.Errorf("%w: escape", errAnswer)
		}
		if err := a.put(name, string(wire.ValidText([]byte(value)))); err != nil {
			return nil, err
		}
	}
	cut := strings.Contains(text, "\n&") && !strings.HasSuffix(text, "\n")
	if t := a["type"]; (t == typeStatus || t == typeAsync) && !whole && cut {
		return nil, fmt.Errorf("%w: cut short", errAnswer)
	}
	return a, nil
}

// decodeJSON reads one flat object. Numbers keep their digits: order ids are longer than a float is exact.
func decodeJSON(body []byte) (answer, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%w: JSON", errAnswer)
	}
	a := answer{}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: JSON", errAnswer)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%w: JSON", errAnswer)
		}
		var list []json.RawMessage
		if raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) == 1 { // one value as a list
			raw = list[0]
		}
		value := string(raw)
		switch raw[0] {
		case '"':
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, fmt.Errorf("%w: JSON", errAnswer)
			}
		case '{', '[':
			continue // nothing we read is nested
		case 'n':
			value = ""
		}
		if err := a.put(name, value); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, fmt.Errorf("%w: JSON", errAnswer)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one object", errAnswer)
	}
	return a, nil
}

// put adds a pair. A name with two different values is an error.
func (a answer) put(name, value string) error {
	name, value = strings.ToLower(name), strings.TrimSpace(value)
	if old, twice := a[name]; twice && old != value {
		return fmt.Errorf("%w: a name twice", errAnswer)
	}
	if value != "" {
		a[name] = value
	}
	return nil
}

func wireName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
