package providers

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrUnsent says that a request never left: the breaker of a gateway that is down refused it.
var ErrUnsent = errors.New("providers: not sent")

// ErrForged says that a callback's signature is not valid. It changes nothing and causes no inquiry.
var ErrForged = errors.New("providers: callback not proved")

// ErrReferenceTaken says that our number belongs to another order, or to one that can no longer be paid: nothing was taken
// for us under it, and the next number may be used.
var ErrReferenceTaken = errors.New("providers: the number belongs to another order")

// ErrAlreadyPaid is what every AlreadyPaid is.
var ErrAlreadyPaid = errors.New("providers: the order under our number has money, or had")

// AlreadyPaid is the answer to a Register whose number belongs to an order of our amount and currency that holds or held money,
// or may yet (it is being processed). The order must neither be paid again nor be ignored.
type AlreadyPaid struct {
	Ref      Ref
	Marks    bool // the gateway keeps Payment.OwnershipMark: without it the money is another's, or nobody knows whose
	Ours     bool // Payment.OwnershipMark is on it
	Standing Standing
}

func (a *AlreadyPaid) Error() string {
	return fmt.Sprintf("%v: %s", ErrAlreadyPaid, a.Standing.Outcome)
}

// Is makes every AlreadyPaid ErrAlreadyPaid.
func (a *AlreadyPaid) Is(target error) bool { return target == ErrAlreadyPaid }

// ErrMisconfigured says that the gateway refused us and not the shopper: credentials, a control sum, a feature that the contract
// lacks, a cart that is wanted, an account that is blocked. A customer's refused token is ErrCredential. That the call did
// nothing is proved only where Failure.Untaken says so.
var ErrMisconfigured = errors.New("providers: the gateway refuses our account")

// Refusal is a payment that the gateway cannot express. Field is the merchant's name of the input, such as billing.zip,
// Text may be shown to the merchant.
type Refusal struct{ Field, Text string }

// Refuse is the Refusal as an error.
func Refuse(field, text string) error { return &Refusal{Field: field, Text: text} }

func (r *Refusal) Error() string { return fmt.Sprintf("providers: %s: %s", r.Field, r.Text) }

// Failure is an answer, or none, from which the outcome cannot be told.
type Failure struct {
	Op   string // the gateway's name of the call
	Code string // the gateway's error code; "" where it never answered in its own words
	Text string // the gateway's words; private
	Err  error
	ID   string // the gateway's of its answer, where it has one: its support asks for it

	Untaken bool // the gateway's own words, or that nothing was sent, prove that this call did nothing and never will
	Again   bool // a refusal of us: the call may be repeated with other credentials, since its order can be paid but once
}

// Misconfigured is the failure as a refusal of us; untaken tells that the call is proved to have done nothing.
func (f Failure) Misconfigured(untaken bool) *Failure {
	f.Err, f.Untaken = ErrMisconfigured, untaken
	return &f
}

// RefusalOfUs is the gateway's refusal of our account that an error holds, nil where it holds none.
func RefusalOfUs(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok && errors.Is(f, ErrMisconfigured) {
		return f
	}
	return nil
}

// DeniedHTTP is the failure of an answer's HTTP status that refuses us: 401 and 403 without a customer's token; nil of any other.
func DeniedHTTP(op string, status int) error {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return nil
	}
	return Failure{Op: op, Code: fmt.Sprintf("HTTP %d", status)}.Misconfigured(false)
}

func (f *Failure) Error() string {
	answer := ""
	if f.ID != "" {
		answer = " (request " + f.ID + ")"
	}
	switch {
	case f.Err != nil && f.Code != "":
		return fmt.Sprintf("providers: %s: %s %s: %v%s", f.Op, f.Code, f.Text, f.Err, answer)
	case f.Err != nil:
		return fmt.Sprintf("providers: %s: %v%s", f.Op, f.Err, answer)
	default:
		return fmt.Sprintf("providers: %s: %s %s%s", f.Op, f.Code, f.Text, answer)
	}
}

func (f *Failure) Unwrap() error { return f.Err }
