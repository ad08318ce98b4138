package rbs

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/amount"
)

// body is a JSON object that keeps the order in which the gateway writes its members.
type body []member

type member struct {
	name  string
	value any
}

func (b body) with(name string, value any) body { return append(b, member{name, value}) }

// opt adds the member only if its value is not empty.
func (b body) opt(name, value string) body {
	if value == "" {
		return b
	}
	return b.with(name, value)
}

func (b body) get(name string) any {
	for _, m := range b {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (b body) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range b {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(strconv.Quote(m.name) + ":")
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

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
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a failed write means that the client is gone
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// luhn is the check digit rule of ISO/IEC 7812.
func luhn(pan string) bool {
	sum := 0
	for i := range len(pan) {
		d := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
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
