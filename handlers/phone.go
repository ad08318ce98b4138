package handlers

import (
	"strings"
	"unicode"

	"tollgate/internal/card"
	"tollgate/templates"
)

// mostPhone is how many digits a shopper's phone has at most. The longest numbers have 15, and so have cards with a digit missing;
// a phone is stored.
const mostPhone = 13

// readPhone takes a phone as people write it: 8 in front of ten digits is how 7 is dialled at home, 00 and 8~10 are how a number
// abroad is dialled, and words behind it are none of it.
func readPhone(s string) (phone string, wrong templates.LoginError) {
	text := strings.TrimSpace(card.Plain(truncate(s, mostTyped)))
	if text == "" {
		return "", templates.PhoneMissing
	}
	first := strings.IndexAny(text, "0123456789")
	if first < 0 {
		return "", templates.PhoneInvalid
	}
	abroad := strings.Contains(text[:first], "+")
	if end := strings.IndexFunc(text[first:], func(r rune) bool { return unicode.IsLetter(r) || r == ',' || r == ';' || r == '#' }); end > 0 {
		text = text[:first+end]
	}
	d := card.OnlyDigits(text)
	for _, dialled := range []string{"00", "810"} {
		if rest, ok := strings.CutPrefix(d, dialled); ok && !abroad && len(rest) > 9 {
			d, abroad = rest, true
		}
	}
	switch {
	case len(d) == 11 && d[0] == '8' && (!abroad || d[1] == '7' || d[1] == '9'): // no country begins with +87 or +89
		d = "7" + d[1:]
	case !abroad && len(d) == 10 && d[0] != '0':
		d = "7" + d
	}
	if len(d) < 10 || len(d) > mostPhone || d[0] == '0' || d[0] == '7' && len(d) != 11 {
		return "", templates.PhoneInvalid
	}
	return d, ""
}

// readCode takes a one-time code as it is typed or pasted: with spaces, or with the words of the message that brought it. It is ""
// where there is none, or more than one could be meant.
func readCode(s string) string {
	longest := ""
	for part := range strings.FieldsFuncSeq(card.Plain(truncate(s, mostTyped)), unicode.IsLetter) {
		if d := card.OnlyDigits(part); len(d) > len(longest) {
			longest = d
		}
	}
	if len(longest) > mostCode {
		return ""
	}
	return longest
}

// mostCode is more digits than a one-time code has: what is longer was pasted by mistake, and would only use up a try.
const mostCode = 12
