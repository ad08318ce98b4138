package card

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Digits of any script become ASCII ones; marks that nobody sees are dropped; spaces and dashes of every kind become one of each.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.Is(unicode.Nd, r):
			return '0' + digitValue(r)
		case unicode.Is(unicode.Cf, r), r == '\u034f', unicode.Is(unicode.Variation_Selector, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Pd, r), r == '\u2212':
			return '-'
		case r == '\uff0f', r == '\u2044', r == '\u2215':
			return '/'
		}
		return r
	}, s)
}

// digitValue relies on Unicode's promise that the ten digits of a script stand in order: there are as many before r, in its run of
// digits, as it is worth, modulo ten.
func digitValue(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if lo := rune(t.Lo); r >= lo && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if lo := rune(t.Lo); r >= lo && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	return 0
}

// ParseNumber takes 12 to 19 digits with the spaces and dashes people type, as many as its brand has, and checks the Luhn digit
// where the brand has one.
func ParseNumber(s string) (Number, error) {
	d := strings.NewReplacer(" ", "", "-", "", ".", "").Replace(plain(s))
	switch err := numberFault(d); {
	case d == "":
		return Number{}, ErrNumberMissing
	case err != nil:
		return Number{}, err
	}
	return Number{&d}, nil
}

func numberFault(d string) error {
	system, known := SystemOf(d)
	if !known {
		system = System{MinDigits: 12, MaxDigits: 19}
	}
	switch {
	case !digitsOnly(d) || len(d) < system.MinDigits || len(d) > system.MaxDigits:
		return ErrNumberLength
	case !luhn(d) && !system.WithoutCheckDigits:
		return ErrNumberCheck
	}
	return nil
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// ReadNumber finds the card number in what a shopper typed, pasted or had filled in: with words around it, or followed by the
// date.
func ReadNumber(s string) (Number, error) {
	n, err := ParseNumber(s)
	if err == nil || err == ErrNumberMissing {
		return n, err
	}
	first := error(nil)
	text := plain(s)
	alone := strings.Trim(text, "0123456789 -.") == "" // then a digit too many is a mistake, and nothing that stood beside the number
	for _, groups := range numberRuns(text) {
		for end := len(groups); end > 0; end-- { // a number may be followed by what is none of it
			for start := range end {
				d := strings.Join(groups[start:end], "")
				if len(d) < 12 {
					break
				}
				fault := numberFault(d)
				month, _ := monthAndYear(groups[end:])
				if fault == nil && (!alone || start == 0 && month >= 1 && month <= 12) {
					return Number{&d}, nil
				}
				if first == nil && fault != nil {
					first = fault
				}
			}
		}
	}
	if first == nil {
		first = ErrNumberLength
	}
	return Number{}, first
}

// numberRuns are the groups of digits that only spaces and dashes part. A group that a slash follows begins a date.
func numberRuns(s string) (runs [][]string) {
	var run []string
	group := ""
	flush := func(whole bool) {
		if group != "" {
			run = append(run, group)
			group = ""
		}
		if whole && len(run) > 0 {
			runs = append(runs, run)
			run = nil
		}
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			group += string(r)
		case r == ' ', r == '-', r == '.':
			flush(false)
		case r == '/':
			if len(group) <= 2 {
				group = ""
			}
			flush(true)
		default:
			flush(true)
		}
	}
	flush(true)
	return runs
}

// ParseExpiry takes a month and a year in every order that people and browsers write: MM/YY, MM/YYYY, MMYY, M/YY, "MM / YY",
// YYYY-MM, YYYYMM, YY-MM. A card is good to the end of its month.
func ParseExpiry(s string, now time.Time) (month, year int, err error) {
	text := strings.TrimSpace(plain(s))
	if text == "" {
		return 0, 0, ErrExpiryMissing
	}
	groups := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if slices.ContainsFunc(groups, func(g string) bool { return len(g) > 6 }) {
		return 0, 0, ErrExpiryFormat
	}
	month, year = monthAndYear(groups)
	if month < 1 || month > 12 || year < 2000 || year > now.Year()+30 {
		return 0, 0, ErrExpiryFormat
	}
	// Somewhere on Earth it is still the last day of the month for 12 more hours.
	if end := time.Date(year, time.Month(month)+1, 1, 12, 0, 0, 0, time.UTC); !now.Before(end) {
		return 0, 0, ErrExpired
	}
	return month, year, nil
}

// monthAndYear reads groups of digits; the month is 0 where they are no date.
func monthAndYear(groups []string) (month, year int) {
	switch {
	case len(groups) == 3 && len(groups[0]) == 4 && len(groups[1]) == 2 && len(groups[2]) == 2: // 2030-12-31
		groups = groups[:2]
	case len(groups) == 1:
		groups = splitDate(groups[0])
	}
	if len(groups) != 2 {
		return 0, 0
	}
	a, b := groups[0], groups[1]
	if len(a) == 4 || len(a) == 2 && value(a) > 12 {
		a, b = b, a
	}
	switch {
	case len(a) > 2 || len(b) != 2 && len(b) != 4:
		return 0, 0
	case len(b) == 2:
		return value(a), 2000 + value(b)
	}
	return value(a), value(b)
}

// splitDate parts a month and a year that nothing stands between.
func splitDate(d string) []string {
	switch n := len(d); {
	case n == 3, n == 5: // 130, 12030
		return []string{d[:1], d[1:]}
	case n == 6 && (value(d[:2]) > 12 || d[2:4] != "20"): // 203012
		return []string{d[:4], d[4:]}
	case n == 4, n == 6:
		return []string{d[:2], d[2:]}
	}
	return nil
}

func value(d string) (n int) {
	for _, c := range d {
		n = n*10 + int(c-'0')
	}
	return n
}

// ParseCode takes three or four digits.
func ParseCode(s string) (Code, error) {
	d := strings.ReplaceAll(strings.TrimSpace(plain(s)), " ", "")
	if d == "" {
		return Code{}, ErrCodeMissing
	}
	if !digitsOnly(d) || len(d) < 3 || len(d) > 4 {
		return Code{}, ErrCodeFormat
	}
	return Code{&d}, nil
}

// ParseCodeOf takes as many digits as the code of the brand has; of an unknown one three or four.
func ParseCodeOf(brand, s string) (Code, error) {
	code, err := ParseCode(s)
	if err != nil {
		return Code{}, err
	}
	for _, system := range Systems() {
		if system.ID == brand && len(code.Reveal()) != system.CodeDigits {
			return Code{}, ErrCodeFormat
		}
	}
	return code, nil
}
