package card

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Holds tells whether a text that is no card's field holds the number of a card, in digits of any script, as people write them
// (4000 0199 0005 0107, 4000-0199-..., with words around it) or as an address carries them (4000%200199). Such a text is refused
// wherever it would be stored. What is told apart from a card, and why, is in docs/decisions.
func Holds(text string) bool {
	if Digits(text) < Shortest { // nearly always
		return false
	}
	if strings.ContainsAny(text, "%+") && holds(unescaped(text)) {
		return true
	}
	return holds(text)
}

// Resembles tells whether a typed text may be a card number, whole or with a digit missing or mistaken: such a text is not shown
// again. It is true of all that Holds is true of. Telephone numbers have twelve digits at most where Tollgate is used.
func Resembles(typed string) bool {
	if _, err := ParseNumber(typed); err == nil {
		return true
	}
	return Digits(typed) >= Shortest-1
}

// Digits counts digits of any script: a number typed in full-width digits is a number.
func Digits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' || r > unicode.MaxASCII && unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// Shortest is how many digits the shortest number has that Holds looks for.
const Shortest = 14

func holds(text string) bool {
	text = withoutTokens(Plain(text))
	for _, groups := range digitGroups(text) {
		for from := range groups {
			d := ""
			for i, group := range groups[from:] {
				if d += group; len(d) > 19 {
					break
				}
				if printed(groups[from:from+i+1]) && isNumber(d) {
					return true
				}
			}
		}
	}
	return false
}

// printed tells whether digits are parted as cards and people part them: not at all, each by itself, in fours with the rest behind
// them, in two eights, 4-6-5, 4-6-4, or 6 and the rest. What is parted otherwise, such as a count behind a moment, is something else: one in ten of those
// would have a fitting check digit.
func printed(groups []string) bool {
	n := len(groups)
	every := func(length int, groups []string) bool {
		return !slices.ContainsFunc(groups, func(g string) bool { return len(g) != length })
	}
	switch {
	case n == 1, every(1, groups), every(8, groups), n > 3 && every(4, groups[:n-1]) && len(groups[n-1]) <= 4:
		return true
	case n == 3:
		return len(groups[0]) == 4 && len(groups[1]) == 6
	}
	return n == 2 && len(groups[0]) == 6
}

// isNumber tells whether digits are a number as payment systems give out today. What ParseNumber takes beyond that is
// more often something else in a text: 13 digits are a barcode, 15 that begin with 4 the number of a telephone's hardware, 12 a
// taxpayer's, 14 with 30 a person's.
func isNumber(d string) bool {
	system, known := SystemOf(d)
	n := len(d)
	switch {
	case !known || !luhn(d):
		return false
	case system.ID == "visa":
		return n == 16 || n == 19
	case system.ID == "amex":
		return n == 15
	case system.ID == "diners" && n == 14:
		return d[1] != '0'
	}
	return n >= 16 && n <= system.MaxDigits
}

// digitGroups are runs of digits that at most three marks part, in rows: what stands in one row may be one number.
func digitGroups(text string) (rows [][]string) {
	var row []string
	group, marks := "", 0
	for _, r := range text + "\n" { // a letter ends the last row as well
		switch {
		case r >= '0' && r <= '9':
			if marks > 3 && len(row) > 0 {
				rows, row = append(rows, row), nil
			}
			group, marks = group+string(r), 0
			continue
		case group != "":
			row, group = append(row, group), ""
		}
		if marks++; !strings.ContainsRune(" -._/", r) && len(row) > 0 {
			rows, row = append(rows, row), nil
		}
	}
	return rows
}

var (
	uuid    = regexp.MustCompile(`[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`)
	hexRun  = regexp.MustCompile(`[0-9A-Fa-f]{24,}`)
	escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// withoutTokens drops what machines make of hexadecimal digits: among many of them sixteen in a row pass for a card's.
func withoutTokens(text string) string {
	for _, form := range []*regexp.Regexp{uuid, hexRun} {
		text = form.ReplaceAllStringFunc(text, func(token string) string {
			if strings.ContainsFunc(token, unicode.IsLetter) {
				return "x"
			}
			return token
		})
	}
	return text
}

// unescaped is the text as an address means it. What is no escape stays.
func unescaped(text string) string {
	text = escaped.ReplaceAllStringFunc(text, func(e string) string {
		plain, _ := url.QueryUnescape(e) // it is one
		return plain
	})
	return strings.ReplaceAll(text, "+", " ")
}
