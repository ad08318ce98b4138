// Package card holds a card as the shopper typed it, in memory only: neither number nor code can print, marshal or log itself.
package card

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Number is a primary account number. It shows itself as first six and last four digits, whatever the verb: the digits are
// behind a pointer, which fmt does not follow even where it cannot call our methods (unexported fields of others).
type Number struct{ digits *string }

// Code is a CVC. It never shows itself.
type Code struct{ digits *string }

// Card is what a shopper typed.
type Card struct {
	Number Number
	Month  int // 1 to 12
	Year   int // four digits
	Code   Code
	Name   string // as printed on the card
}

// Masked is what may be stored and shown of a card.
type Masked struct {
	Brand  string `json:"brand,omitempty"`
	First6 string `json:"first6,omitempty"`
	Last4  string `json:"last4,omitempty"`
}

// What can be wrong with an input; the texts are for logs, pages have their own.
var (
	ErrNumberMissing = errors.New("card: number missing")
	ErrNumberLength  = errors.New("card: number too short or too long")
	ErrNumberCheck   = errors.New("card: number fails the Luhn check")
	ErrExpiryMissing = errors.New("card: expiry missing")
	ErrExpiryFormat  = errors.New("card: expiry is not MM/YY")
	ErrExpired       = errors.New("card: expired")
	ErrCodeMissing   = errors.New("card: code missing")
	ErrCodeFormat    = errors.New("card: code is not three or four digits")
)

// ParseNumber takes 12 to 19 digits with the spaces and hyphens people type and checks the Luhn digit.
func ParseNumber(s string) (Number, error) {
	d := strip(s)
	switch {
	case d == "":
		return Number{}, ErrNumberMissing
	case strings.Trim(d, "0123456789") != "" || len(d) < 12 || len(d) > 19:
		return Number{}, ErrNumberLength
	case !luhn(d):
		return Number{}, ErrNumberCheck
	}
	return Number{&d}, nil
}

// ParseExpiry takes MM/YY, MM/YYYY, MMYY and "MM / YY"; a card is good to the end of its month.
func ParseExpiry(s string, now time.Time) (month, year int, err error) {
	d := strings.NewReplacer(" ", "", "\u00a0", "", "/", "", "-", "", ".", "").Replace(s)
	if d == "" {
		return 0, 0, ErrExpiryMissing
	}
	if len(d) == 3 { // 1/29
		d = "0" + d
	}
	if strings.Trim(d, "0123456789") != "" || (len(d) != 4 && len(d) != 6) {
		return 0, 0, ErrExpiryFormat
	}
	month = int(d[0]-'0')*10 + int(d[1]-'0')
	for _, c := range d[2:] {
		year = year*10 + int(c-'0')
	}
	if len(d) == 4 {
		year += 2000
	}
	if month < 1 || month > 12 || year > now.Year()+30 {
		return 0, 0, ErrExpiryFormat
	}
	// Somewhere on Earth it is still the last day of the month for 12 more hours.
	if end := time.Date(year, time.Month(month)+1, 1, 12, 0, 0, 0, time.UTC); !now.Before(end) {
		return 0, 0, ErrExpired
	}
	return month, year, nil
}

// ParseCode takes three or four digits.
func ParseCode(s string) (Code, error) {
	d := strip(s)
	if d == "" {
		return Code{}, ErrCodeMissing
	}
	if strings.Trim(d, "0123456789") != "" || len(d) < 3 || len(d) > 4 {
		return Code{}, ErrCodeFormat
	}
	return Code{&d}, nil
}

func strip(s string) string {
	return strings.NewReplacer(" ", "", "\u00a0", "", "-", "", "\t", "").Replace(strings.TrimSpace(s))
}

func luhn(d string) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// Reveal gives the digits; only a provider's client may ask for them.
func (n Number) Reveal() string { return reveal(n.digits) }

// Reveal gives the digits; only a provider's client may ask for them.
func (c Code) Reveal() string { return reveal(c.digits) }

func reveal(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Zero tells whether there is a code at all.
func (c Code) Zero() bool { return c.Reveal() == "" }

// Masked is the part that may be kept.
func (n Number) Masked() Masked {
	d := n.Reveal()
	if len(d) < 12 {
		return Masked{}
	}
	return Masked{Brand: Brand(d), First6: d[:6], Last4: d[len(d)-4:]}
}

// Same tells whether the number fits what was kept of an earlier one.
func (m Masked) Same(n Number) bool {
	o := n.Masked()
	return m.First6 == o.First6 && m.Last4 == o.Last4 && m.Last4 != ""
}

const hidden = "•••"

func (n Number) String() string               { m := n.Masked(); return m.First6 + "…" + m.Last4 }
func (n Number) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(n.String())) }
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }
func (n Number) LogValue() slog.Value         { return slog.StringValue(n.String()) }
func (c Code) String() string                 { return hidden }
func (c Code) Format(f fmt.State, _ rune)     { _, _ = f.Write([]byte(hidden)) }
func (c Code) MarshalText() ([]byte, error)   { return []byte(hidden), nil }
func (c Code) LogValue() slog.Value           { return slog.StringValue(hidden) }
func (c Card) String() string                 { return c.Number.String() }
func (c Card) Format(f fmt.State, _ rune)     { _, _ = f.Write([]byte(c.Number.String())) }
func (c Card) LogValue() slog.Value           { return slog.StringValue(c.Number.String()) }

// Brand names the payment system by the first digits; empty where we do not know it.
func Brand(digits string) string {
	if len(digits) < 6 {
		return ""
	}
	p := func(n int) int {
		v := 0
		for _, c := range digits[:n] {
			v = v*10 + int(c-'0')
		}
		return v
	}
	switch p2, p4, p6 := p(2), p(4), p(6); {
	case p4 >= 2200 && p4 <= 2204:
		return "mir"
	case digits[0] == '4':
		return "visa"
	case p2 >= 51 && p2 <= 55, p4 >= 2221 && p4 <= 2720:
		return "mastercard"
	case p2 == 34, p2 == 37:
		return "amex"
	case p2 == 62, p2 == 81:
		return "unionpay"
	case p4 >= 3528 && p4 <= 3589:
		return "jcb"
	case p4 == 8600, p4 == 5614:
		return "uzcard"
	case p4 == 9860:
		return "humo"
	case p4 == 9417:
		return "elcart"
	case p2 == 36, p2 == 38, p6 >= 300000 && p6 <= 305999:
		return "diners"
	case p2 == 50, p2 >= 56 && p2 <= 58, p2 == 67:
		return "maestro"
	}
	return ""
}
