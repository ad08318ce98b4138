package rbs

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/amount"
	"tollgate/internal/sandbox/sim"
)

// body is an answer in the order in which the gateway writes it.
type body = sim.Object

// fault is a refusal at the API's own level: the order keeps its state. code is written as a number by the payment
// calls and as text by the rest, as in the recorded bodies.
type fault struct {
	code    int
	message string
}

func (f *fault) Error() string { return strconv.Itoa(f.code) + " " + f.message }

func refuse(code int, message string) *fault { return &fault{code, message} }

var (
	errAccess    = refuse(5, "Access denied")
	errNoOrder   = refuse(6, "Order not found")
	errExpired   = refuse(5, "Order lifetime has expired")
	errState     = refuse(5, "Operation is not possible in the current state of the order")
	errLocked    = refuse(5, "Order is locked by another action")
	errAttempts  = refuse(5, "Payment attempts are used up")
	errAmount    = refuse(5, "Wrong amount")
	errNoDeposit = refuse(7, "Operation is impossible: there is no successful payment")
	errNoHold    = refuse(7, "Operation is impossible: there is no successful pre-authorisation")
	errSystem    = refuse(7, "System error")
	errNoBinding = refuse(2, "Binding not found")
)

func missing(name string) *fault { return refuse(4, "["+name+"] is empty") }

// writeJSON answers 200, as the gateway does for business errors too, and as text/plain, as it was recorded.
func writeJSON(w http.ResponseWriter, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a failed write means that the client is gone
}

// maskPAN is the mask this gateway prints: first six, two stars, last four.
func maskPAN(pan string) string { return pan[:6] + "**" + pan[len(pan)-4:] }

func system(pan string) string {
	switch {
	case strings.HasPrefix(pan, "4"):
		return "VISA"
	case strings.HasPrefix(pan, "5"):
		return "MASTERCARD"
	case strings.HasPrefix(pan, "220"):
		return "MIR"
	}
	return "OTHER"
}

// letters turns the currency's ISO 4217 number into its letters; 810 is the rouble of before 1998, which old clients still send.
func letters(number string) (string, bool) {
	if number == "810" {
		number = "643"
	}
	if amount.Digits(number) != number || number == "" {
		return "", false
	}
	return amount.Letters(number), true
}
