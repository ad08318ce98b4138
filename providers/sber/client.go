package sber

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/answers"
)

// The gateway's calls, by their paths under /api/. The inquiry's path is the account's.
const (
	opFindClient     = "clients/find"
	opClient         = "clients/"
	opOTP            = "auth/otp"
	opToken          = "auth/token"
	opPaymentStart   = "payment/start"
	opPaymentFinish  = "payment/finish"
	opTransferStart  = "transfer/start"
	opTransferFinish = "transfer/finish"
	opVirtualCard    = "vcard/create"
	opTransactions   = "transactions/"
	opChange         = "change"
	opDelete         = "delete"
)

// client sends the gateway's objects and reads its answers. It repeats nothing.
type client struct {
	http *http.Client
	base string // ends in /api/
}

// success is the one status that says that a request was handled.
const success = "SUCCESS"

// call posts one object and returns the answer, provided that the gateway says SUCCESS. Every error is a
// *providers.Failure: with a Code where the gateway refused in its own words, with ErrCredential where it refused the
// token. None of its texts holds the token, a card number or one of hide.
func (c *client) call(ctx context.Context, op string, token providers.Secret, in any, hide ...string) (object, error) {
	hide = append(hide, token.Reveal())
	body, err := json.Marshal(in)
	if err != nil {
		return object{}, &providers.Failure{Op: op, Err: errRequest}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+op, bytes.NewReader(body))
	if err != nil {
		return object{}, &providers.Failure{Op: op, Err: errRequest}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json; version=1.0")
	if !token.Empty() {
		req.Header.Set("Authorization", token.Reveal()) // bare, without a scheme
	}
	status, answer, err := providers.Exchange(c.http, op, req)
	if err != nil {
		if f, ok := errors.AsType[*providers.Failure](err); ok && f.Err != nil {
			err = f.Err
		}
		return object{}, &providers.Failure{Op: op, Err: &quiet{answers.Scrub(err.Error(), hide), err}}
	}
	return read(op, status, answer, hide)
}

// read judges an answer. What a refusal looks like is not published: any status other than SUCCESS with an errorCode is one,
// its code and text are taken from the names that the vendor's other gateway uses (assumption 1).
func read(op string, status int, answer []byte, hide []string) (object, error) {
	members, err := answers.Object(answer)
	if err != nil {
		return object{}, providers.Unreadable(op, status, err)
	}
	o := object{members, hide}
	word := o.text("status")
	switch {
	case word == "":
		return object{}, providers.Unreadable(op, status, errShape)
	case word == success && status == http.StatusOK && strings.Trim(o.text("errorCode"), "0") == "":
		return o, nil
	case word == success, status >= 500:
		return object{}, &providers.Failure{Op: op, Err: fmt.Errorf("HTTP %d does not fit the answer", status)}
	}
	// "maintenance" is a status too, and refuses nothing; only that a client is unknown is said by some word alone.
	if o.text("errorCode") == "" && status != http.StatusUnauthorized && op != opFindClient {
		return object{}, providers.Unreadable(op, status, errShape)
	}
	f := &providers.Failure{Op: op, Code: or(short(o.text("errorCode"), hide), "?"), Text: o.words("errorMessage", "error")}
	if status == http.StatusUnauthorized {
		f.Err = providers.ErrCredential
	}
	return object{}, f
}

// refused is the gateway's own refusal of a call.
func refused(err error) (*providers.Failure, bool) {
	f, ok := errors.AsType[*providers.Failure](err)
	return f, ok && f.Code != "" && f.Err == nil
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

// words is text for people: scrubbed and cut, fit for a log. An answer might repeat the CVC or one-time code of an earlier
// call, which nobody remembers by then: so every number of three or four digits is hidden.
func (o object) words(names ...string) string {
	for _, n := range names {
		if s := o.text(n); s != "" {
			return shortNumber.ReplaceAllStringFunc(answers.Scrub(s, o.hide), func(string) string { return "•••" })
		}
	}
	return ""
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
func (o object) child(names ...string) object {
	for _, n := range names {
		m, _ := o.members[n].(map[string]any)
		o = object{m, o.hide}
	}
	return o
}

// list are the objects in a member that is an array; found is false where it is none.
func (o object) list(name string) (out []object, found bool) {
	a, found := o.members[name].([]any)
	for _, v := range a {
		if m, ok := v.(map[string]any); ok {
			out = append(out, object{m, o.hide})
		}
	}
	return out, found
}

func short(s string, hide []string) string {
	if s = answers.Scrub(s, hide); len(s) > 16 {
		return "?"
	}
	return s
}

// Reasons why a call cannot be made or an answer cannot be used. They quote nothing of it.
var (
	errRequest = errors.New("request cannot be written")
	errShape   = errors.New("none of the documented shapes")
)

// mask reads the first six and last four digits out of a maskedPan: 4111111199 as documented, or with stars between.
func mask(s string) card.Masked {
	if len(s) > 32 {
		return card.Masked{}
	}
	head := len(s) - len(strings.TrimLeft(s, "0123456789"))
	tail := len(s) - len(strings.TrimRight(s, "0123456789"))
	if head < 6 || tail < 4 || head == len(s) && head < 10 {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(s[:6]), First6: s[:6], Last4: s[len(s)-4:]}
}

// cut is at most n characters of s on one line.
func cut(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > n {
		s = strings.TrimSpace(string(r[:n]))
	}
	return s
}

// What start sends, in the documents' order.
type startRequest struct {
	TransactionNumber string     `json:"transactionNumber"`
	Source            source     `json:"source"`
	Target            *target    `json:"target,omitempty"`
	Amount            amount     `json:"amount"`
	ReturnURL         *returnURL `json:"returnUrl,omitempty"`
}

type source struct {
	Card    *sourceCard `json:"card,omitempty"`
	Binding string      `json:"binding,omitempty"`
}

type sourceCard struct {
	PAN            string `json:"pan"`
	ExpiryDate     string `json:"expiryDate"` // YYYY-MM
	CardholderName string `json:"cardholderName"`
	CVC            string `json:"cvc"`
	SaveCard       *bool  `json:"saveCard,omitempty"`   // of a payment
	SaveSource     *bool  `json:"saveSource,omitempty"` // of a transfer
}

type target struct {
	Card    *targetCard `json:"card,omitempty"`
	Binding string      `json:"binding,omitempty"`
}

type targetCard struct {
	PAN        string `json:"pan"`
	SaveTarget bool   `json:"saveTarget"`
}

type amount struct {
	TransactionAmount int64  `json:"transactionAmount"` // minor units
	TransactionFee    int64  `json:"transactionFee"`
	Currency          string `json:"currency"` // ISO 4217 number
}

type returnURL struct {
	Success string `json:"success"`
	Fail    string `json:"fail"`
}

type finishRequest struct {
	MdOrder           string `json:"mdOrder"`
	TransactionNumber string `json:"transactionNumber"`
	PaRes             string `json:"paRes,omitempty"`
}

// findRequest has exactly one of its members.
type findRequest struct {
	MdOrder           string `json:"mdOrder,omitempty"`
	TransactionNumber string `json:"transactionNumber,omitempty"`
}

// moscow is the zone of the gateway's dates (assumption 12). Russia has no summer time.
var moscow = time.FixedZone("MSK", 3*60*60)

const stamp = "02.01.2006 15:04:05.000"
