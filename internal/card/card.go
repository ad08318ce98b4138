// Package card holds a card as the shopper typed it, in memory only: neither number nor code can print, marshal or log itself.
package card

import (
	"errors"
	"fmt"
	"log/slog"
)

// Number is a primary account number. It shows itself as first six and last four digits, whatever the verb: the digits are
// behind a pointer, which fmt does not follow even where it cannot call our methods (unexported fields of others).
type Number struct{ digits *string }

// Code is a CVC. It never shows itself.
type Code struct{ digits *string }

// Sealed is a card that the shopper's browser encrypted for the gateway, so that nobody here can read it. It never shows itself.
type Sealed struct{ text *string }

// NewSealed holds what the browser made.
func NewSealed(text string) Sealed { return Sealed{&text} }

// Card is what a shopper typed.
type Card struct {
	Sealed Sealed // in place of number, date and code
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
	ErrCodeFormat    = errors.New("card: code is not three or four digits, as the brand has them")
)

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

// Reveal gives the text; only a provider's client may ask for it.
func (s Sealed) Reveal() string { return reveal(s.text) }

// Zero tells whether there is none.
func (s Sealed) Zero() bool { return s.Reveal() == "" }

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
func (s Sealed) String() string               { return hidden }
func (s Sealed) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(hidden)) }
func (s Sealed) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (s Sealed) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (c Card) String() string                 { return c.Number.String() }
func (c Card) Format(f fmt.State, _ rune)     { _, _ = f.Write([]byte(c.Number.String())) }
func (c Card) LogValue() slog.Value           { return slog.StringValue(c.Number.String()) }
