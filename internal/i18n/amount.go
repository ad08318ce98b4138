package i18n

import (
	"strconv"
	"strings"
)

const (
	nbsp  = "\u00a0"
	minus = "\u2212"
)

// languageOf is the language of that tag, or English.
func languageOf(lang string) Language {
	all := All()
	for _, l := range all {
		if l.Tag == lang {
			return l
		}
	}
	return all[0]
}

// FormatDecimal writes a decimal number, such as "0.5", with the point of the language.
func FormatDecimal(lang, number string) string {
	return strings.Replace(number, ".", languageOf(lang).point, 1)
}

// FormatAmount writes minor units of a currency with that many digits after the point, as lang writes money:
// "$1,234.50" and "1,234.50 ₸" in English, "1 234,50 ₸" in Russian and Kazakh, with no-break spaces; whole amounts without a
// fraction. Currencies without a sign of their own here show their ISO 4217 code.
func FormatAmount(lang string, minor int64, digits int, code string) string {
	in := languageOf(lang)
	abs := uint64(minor)
	if minor < 0 {
		abs = -abs
	}
	s := strconv.FormatUint(abs, 10)
	if digits < 0 {
		digits = 0
	}
	if pad := digits + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	whole, fraction := s[:len(s)-digits], s[len(s)-digits:]
	var n strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			n.WriteString(in.group)
		}
		n.WriteRune(d)
	}
	if strings.Trim(fraction, "0") != "" {
		n.WriteString(in.point + fraction)
	}
	sign := ""
	if minor < 0 {
		sign = minus
	}
	symbol := map[string]string{"RUB": "₽", "KZT": "₸", "USD": "$", "EUR": "€", "GBP": "£", "CNY": "CN¥"}[code]
	if own, ok := in.signs[code]; ok {
		symbol = own
	}
	switch {
	case symbol == "":
		return sign + n.String() + nbsp + code
	case in.signFirst && strings.ContainsAny(symbol, "$€£¥"):
		return sign + symbol + n.String()
	default:
		return sign + n.String() + nbsp + symbol
	}
}
