package sber

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
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
		return object{}, providers.Quiet(op, err, func(s string) string { return wire.Scrub(s, hide) })
	}
	o, err := readAnswer(op, status, answer, hide)
	id := requestID(answer, hide)
	providers.NoteAnswerID(ctx, id)
	if err == nil {
		return o, nil
	}
	if f, ok := errors.AsType[*providers.Failure](err); ok {
		f.ID = id
	}
	return object{}, ofUs(op, status, token, err)
}

// requestID is the gateway's id of an answer, whatever else stands in it.
func requestID(answer []byte, hide []string) string {
	members, err := wire.Decode(answer)
	if err != nil {
		return ""
	}
	o := object{Members: members, Hide: hide}
	return providers.Fact(wire.Short(o.Text("requestId"), hide))
}

// ofUs classes the refusals that are of us: of a call that takes no customer's token, or an HTTP 403, or an error code that is
// about access or about what the request lacks (assumption 2). finish is not among the last: its codes may speak of the order.
func ofUs(op string, status int, token providers.Secret, err error) error {
	f, ok := errors.AsType[*providers.Failure](err)
	switch {
	case !ok:
		return err
	case status == http.StatusForbidden, status == http.StatusUnauthorized && token.Empty():
		f.Code = cmp.Or(f.Code, fmt.Sprintf("HTTP %d", status))
		return f.Misconfigured(!strings.HasSuffix(op, "/finish"))
	case f.Err == nil && f.Code == codeAccess && !token.Empty() && !strings.HasSuffix(op, "/finish"):
		f.Err = providers.ErrCredential // a dead token says so too; were it the merchant, the next login would tell
		return f
	case f.Err == nil && op != opToken && !strings.HasSuffix(op, "/finish") && op != opChange && op != opDelete &&
		slices.Contains(codesOfUs, f.Code):
		return f.Misconfigured(true)
	}
	return err
}

// codeAccess says that access is denied.
const codeAccess = "5"

// codesOfUs are: currency (3), a parameter that is missing (4), access (5), cart (8), features (14).
var codesOfUs = []string{"3", "4", "5", "8", "14"}

// readAnswer judges an answer. What a refusal looks like is not published: any status other than SUCCESS with an errorCode is
// one, its code and text are taken from the names that the vendor's other gateway uses (assumption 1).
func readAnswer(op string, status int, answer []byte, hide []string) (object, error) {
	members, err := wire.Decode(answer)
	if err != nil {
		return object{}, providers.Unreadable(op, status, err)
	}
	o := object{Members: members, Hide: hide}
	word := o.Text("status")
	switch {
	case word == "":
		return object{}, providers.Unreadable(op, status, errShape)
	case word == success && status == http.StatusOK && strings.Trim(o.Text("errorCode"), "0") == "":
		return o, nil
	case word == success, status >= 500:
		return object{}, &providers.Failure{Op: op, Err: fmt.Errorf("HTTP %d does not fit the answer", status)}
	}
	// "maintenance" is a status too, and refuses nothing; only that a client is unknown is said by some word alone.
	if o.Text("errorCode") == "" && status != http.StatusUnauthorized && op != opFindClient {
		return object{}, providers.Unreadable(op, status, errShape)
	}
	f := &providers.Failure{Op: op, Code: cmp.Or(wire.Short(o.Text("errorCode"), hide), "?"), Text: o.Words("errorMessage", "error")}
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

// object is an answer, or a part of one.
type object = wire.Object

// Reasons why a call cannot be made or an answer cannot be used. They quote nothing of it.
var (
	errRequest = errors.New("request cannot be written")
	errShape   = errors.New("none of the documented shapes")
)

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

const dateLayout = "02.01.2006 15:04:05.000"

// mask reads a maskedPan: 4111111199 as documented, or with stars between.
func mask(s string) card.Masked {
	first6, last4 := wire.CardEnds(s, 10)
	if first6 == "" {
		return card.Masked{}
	}
	return card.Masked{Brand: card.Brand(first6), First6: first6, Last4: last4}
}
