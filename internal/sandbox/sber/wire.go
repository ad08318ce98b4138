package sber

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// body is an answer in the order in which the gateway writes it.
type body = sim.Object

// fault is a refusal in the gateway's shape.
type fault struct {
	http    int
	code    string
	message string
}

func (f *fault) Error() string { return f.code + " " + f.message }

func refuse(code, message string) *fault { return &fault{http.StatusOK, code, message} }

func missing(name string) *fault   { return refuse("4", "["+name+"] is empty") }
func malformed(name string) *fault { return refuse("4", "["+name+"] is malformed") }

var (
	errToken     = &fault{http.StatusUnauthorized, "5", "Access denied"}
	errMerchant  = refuse("5", "Access denied")
	errJSON      = &fault{http.StatusBadRequest, "4", "Request is malformed"}
	errTwice     = refuse("1", "Transaction with given number is processed already")
	errNoBinding = refuse("2", "Binding not found")
	errCurrency  = refuse("3", "Unknown currency")
	errCode      = refuse("5", "Wrong or expired one-time password")
	errNoClient  = refuse("6", "Client not found")
	errNoOrder   = refuse("6", "Order not found")
	errState     = refuse("5", "Operation is not possible in the current state of the order")
	errPaRes     = refuse("5", "[paRes] is not valid")
	errSystem    = refuse("7", "System error")
)

// number is written by clients as a number or as text.
type number int64

var errNumber = errors.New("not a whole number")

func (n *number) UnmarshalJSON(raw []byte) error {
	s := strings.Trim(string(raw), `"`)
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strings.Trim(s, "0123456789") != "" || len(s) > 12 {
		return errNumber
	}
	*n = number(v)
	return nil
}

// moscow is the zone of all dates on the wire.
var moscow = time.FixedZone("MSK", 3*60*60)

const stamp = "02.01.2006 15:04:05.000"

func date(t time.Time) string { return t.In(moscow).Format(stamp) }

func panOK(pan string) bool {
	return sim.AllDigits(pan) && len(pan) >= 13 && len(pan) <= 19 && sim.Luhn(pan)
}

// maskPAN is how this gateway prints a number: first six and last four digits, nothing between them.
func maskPAN(pan string) string { return pan[:6] + pan[len(pan)-4:] }

func system(masked string) string {
	switch {
	case strings.HasPrefix(masked, "4"):
		return "VISA"
	case strings.HasPrefix(masked, "5"):
		return "MASTERCARD"
	case strings.HasPrefix(masked, "220"):
		return "MIR"
	}
	return "OTHER"
}

// letters turns the currency's ISO 4217 number into its letters.
func letters(number string) (string, bool) {
	if number == "" || amount.Digits(number) != number {
		return "", false
	}
	return amount.Letters(number), true
}
