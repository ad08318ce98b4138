// Package amount knows as much of ISO 4217 as the sandbox's pages and messages need.
package amount

import (
	"fmt"
	"strings"
)

type currency struct {
	letters, digits string
	exponent        int
}

var currencies = []currency{
	{"KZT", "398", 2}, {"RUB", "643", 2}, {"USD", "840", 2}, {"EUR", "978", 2}, {"GBP", "826", 2}, {"BYN", "933", 2},
	{"UAH", "980", 2}, {"UZS", "860", 2}, {"KGS", "417", 2}, {"AED", "784", 2}, {"THB", "764", 2}, {"TRY", "949", 2},
	{"CNY", "156", 2}, {"INR", "356", 2}, {"CHF", "756", 2}, {"PLN", "985", 2}, {"DZD", "012", 2}, {"GEL", "981", 2},
	{"AMD", "051", 2}, {"AZN", "944", 2}, {"JPY", "392", 0}, {"KRW", "410", 0}, {"VND", "704", 0}, {"CLP", "152", 0},
	{"ISK", "352", 0}, {"KWD", "414", 3}, {"BHD", "048", 3}, {"OMR", "512", 3}, {"TND", "788", 3}, {"JOD", "400", 3},
}

// Letters turns an ISO 4217 code, letters or digits, into letters; what it does not know it returns as it came.
func Letters(code string) string {
	for _, c := range currencies {
		if c.digits == code {
			return c.letters
		}
	}
	return code
}

// Digits is the three-digit code, "" when it is not known.
func Digits(code string) string {
	for _, c := range currencies {
		if c.letters == code || c.digits == code {
			return c.digits
		}
	}
	return ""
}

// Exponent is the number of minor digits; 2 for a currency that is not known.
func Exponent(code string) int {
	for _, c := range currencies {
		if c.letters == code || c.digits == code {
			return c.exponent
		}
	}
	return 2
}

// FromHundredths turns hundredths, which some gateways count in whatever the currency, into minor units.
func FromHundredths(hundredths int64, code string) int64 {
	switch Exponent(code) {
	case 0:
		return hundredths / 100
	case 3:
		return hundredths * 10
	}
	return hundredths
}

// ToHundredths turns minor units into the hundredths that some gateways count in. It fails for what they cannot express.
func ToHundredths(minor int64, code string) (int64, error) {
	switch Exponent(code) {
	case 0:
		return minor * 100, nil
	case 3:
		if minor%10 != 0 {
			return 0, fmt.Errorf("amount: %d thousandths are no hundredths", minor)
		}
		return minor / 10, nil
	}
	return minor, nil
}

// Decimal writes minor units with the currency's point: 2000 KZT is "20.00".
func Decimal(minor int64, code string) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	e := Exponent(code)
	s := fmt.Sprintf("%0*d", e+1, minor)
	if e == 0 {
		return sign + s
	}
	return sign + s[:len(s)-e] + "." + s[len(s)-e:]
}

// Format is for people: 1234567 KZT is "12 345.67 KZT", with no-break spaces.
func Format(minor int64, code string) string {
	whole, rest, point := strings.Cut(Decimal(minor, code), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString("\u00a0")
		}
		b.WriteRune(d)
	}
	if point {
		b.WriteString("." + rest)
	}
	return sign + b.String() + "\u00a0" + Letters(code)
}
