// Package money holds amounts as integer minor units with their ISO 4217 currency.
package money

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	gomoney "github.com/Rhymond/go-money"
)

// Currency is an ISO 4217 currency: letters ("KZT"), number ("398") and how many digits its minor unit has.
type Currency struct {
	Code    string
	Numeric string
	Digits  int
}

// Amount is so many minor units of a currency.
type Amount struct {
	Minor    int64
	Currency Currency
}

// ErrUnknownCurrency says that ISO 4217 (as we know it) has no such currency.
var ErrUnknownCurrency = errors.New("money: unknown currency")

// ErrSyntax says that a text is not a decimal amount of the currency.
var ErrSyntax = errors.New("money: not an amount")

// ParseCurrency finds a currency by its three capital letters. Unknown codes are refused: the table behind it
// would otherwise answer two digits for them.
func ParseCurrency(code string) (Currency, error) {
	c := gomoney.GetCurrency(code)
	if c == nil || c.Code != code {
		return Currency{}, fmt.Errorf("%w: %q", ErrUnknownCurrency, code)
	}
	return Currency{Code: c.Code, Numeric: c.NumericCode, Digits: c.Fraction}, nil
}

// ParseNumeric finds a currency by its ISO number; where that was sent as a number and not as text, it has lost its leading zeros (the
// Algerian dinar's 012). Russian gateways still send 810 for the rouble.
func ParseNumeric(number string) (Currency, error) {
	if n := len(number); n == 1 || n == 2 {
		number = "000"[n:] + number
	}
	if number == "810" {
		number = "643"
	}
	if c := gomoney.GetCurrencyByNumericCode(number); c != nil && number != "" {
		return ParseCurrency(c.Code)
	}
	return Currency{}, fmt.Errorf("%w: %q", ErrUnknownCurrency, number)
}

// Decimal writes the amount in major units with a point and exactly the currency's digits: "12345.60", "500", "0.001".
func (a Amount) Decimal() string {
	sign, n := "", a.Minor
	if n < 0 {
		sign, n = "-", -n
	}
	s := strconv.FormatInt(n, 10)
	if a.Currency.Digits == 0 {
		return sign + s
	}
	if pad := a.Currency.Digits + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	cut := len(s) - a.Currency.Digits
	return sign + s[:cut] + "." + s[cut:]
}

// ParseDecimal reads major units ("10.5", "10", "10.50") exactly; more digits than the currency has are refused
// unless they are zeros. No float is involved.
func ParseDecimal(s string, c Currency) (Amount, error) {
	whole, frac, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	for len(frac) > c.Digits && strings.HasSuffix(frac, "0") {
		frac = frac[:len(frac)-1]
	}
	if whole == "" || len(frac) > c.Digits || !digits(whole) || !digits(frac) {
		return Amount{}, fmt.Errorf("%w: %q", ErrSyntax, s)
	}
	n, err := strconv.ParseInt(whole+frac+strings.Repeat("0", c.Digits-len(frac)), 10, 64)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %q", ErrSyntax, s)
	}
	if neg {
		n = -n
	}
	return Amount{Minor: n, Currency: c}, nil
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
