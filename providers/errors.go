package providers

import (
	"errors"
	"fmt"
)

// ErrUnsent says that a request never left: the breaker of a gateway that is down refused it.
var ErrUnsent = errors.New("providers: not sent")

// ErrForged says that a callback's signature does not fit. It changes nothing and costs no inquiry.
var ErrForged = errors.New("providers: callback not proved")

// Refusal is a payment that the gateway cannot express. Field is the merchant's name of the input, such as billing.zip,
// Text may be shown to the merchant.
type Refusal struct{ Field, Text string }

func (r *Refusal) Error() string { return fmt.Sprintf("providers: %s: %s", r.Field, r.Text) }

// Failure is an answer, or none, from which the outcome cannot be told.
type Failure struct {
	Op   string // the gateway's name of the call
	Code string // the gateway's error code; "" where it never answered in its own words
	Text string // the gateway's words; private
	Err  error
}

func (f *Failure) Error() string {
	switch {
	case f.Err != nil:
		return fmt.Sprintf("providers: %s: %v", f.Op, f.Err)
	default:
		return fmt.Sprintf("providers: %s: %s %s", f.Op, f.Code, f.Text)
	}
}

func (f *Failure) Unwrap() error { return f.Err }
