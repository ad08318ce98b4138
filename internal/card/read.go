package card

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Plain is a text as people mean it: digits of any script become ASCII ones; marks that nobody sees are dropped; spaces, dashes and
// slashes of every kind become one of each.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.Is(unicode.Nd, r):
			return '0' + digitValue(r)
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Me, unicode.Variation_Selector), r == '\u034f':
			return -1
		case unicode.Is(unicode.Pd, r), r == '\u2212':
			return '-'
		case r == '\uff0f', r == '\u2044', r == '\u2215':
			return '/'
		case r == '\uff0b':
			return '+'
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
	d := strings.NewReplacer(" ", "", "-", "", ".", "").Replace(Plain(s))
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
// date and the code.
func ReadNumber(s string) (Number, error) {
	n, err := ParseNumber(s)
	if err == nil || err == ErrNumberMissing {
		return n, err
	}
	text := Plain(s)
	alone := strings.Trim(text, "0123456789 -.") == "" // then a digit too many is a mistake, and nothing that stood beside the number
	d, err := numberAmong(numberRuns(text), alone)
	if err != nil && !strings.ContainsFunc(text, unicode.IsLetter) { // whatever else stands between the digits
		if all := OnlyDigits(text); numberFault(all) == nil {
			d, err = all, nil
		}
	}
	if err != nil {
		return Number{}, err
	}
	return Number{&d}, nil
}

// numberAmong finds the number in runs of groups of digits: that of a payment system we know, if there is one.
func numberAmong(runs [][]string, alone bool) (found string, fault error) {
	known := false
	for _, groups := range runs {
		for end := len(groups); end > 0; end-- { // a number may be followed by what is none of it
			for start := range end {
				d := strings.Join(groups[start:end], "")
				if len(d) < 12 {
					break
				}
				err := numberFault(d)
				system, ofSystem := SystemOf(d)
				switch {
				case err != nil && fault == nil:
					fault = err
				case err != nil || alone && (start > 0 || !follow(groups[end:], system.CodeDigits)):
				case found == "" || ofSystem && !known:
					found, known = d, ofSystem
				}
			}
		}
	}
	switch {
	case found != "":
		return found, nil
	case fault == nil:
		return "", ErrNumberLength
	}
	return "", fault
}

// follow tells whether groups of digits are what stands behind a number: the date, the code of so many digits, or both.
func follow(groups []string, codeDigits int) bool {
	if n := len(groups); n > 0 && len(groups[n-1]) == codeDigits {
		groups = groups[:n-1]
	} else if n > 0 && len(groups[0]) == codeDigits && n > 1 {
		groups = groups[1:]
	}
	month, _ := monthAndYear(monthOfDate(groups))
	return len(groups) == 0 || month >= 1 && month <= 12
}

// OnlyDigits are the digits of a text, whatever script they are written in.
func OnlyDigits(s string) string { return strings.Join(strings.FieldsFunc(Plain(s), notDigit), "") }

func notDigit(r rune) bool { return r < '0' || r > '9' }

// numberRuns are the groups of digits that only spaces, dashes and dots part. A group that a slash follows begins a date.
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
		case strings.ContainsRune(" -._\u00b7\u2022", r):
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

// ParseExpiry takes a month and a year in every order that people, browsers and password managers write: MM/YY, MM/YYYY, MMYY,
// M/YY, "MM / YY", YYYY-MM, YYYYMM, YY-MM, a whole date, the month by its name. A card is good to the end of its month.
func ParseExpiry(s string, now time.Time) (month, year int, err error) {
	text := strings.TrimSpace(namedMonth(Plain(s)))
	if text == "" {
		return 0, 0, ErrExpiryMissing
	}
	groups := strings.FieldsFunc(text, notDigit)
	if slices.ContainsFunc(groups, func(g string) bool { return len(g) > 6 }) {
		return 0, 0, ErrExpiryFormat
	}
	month, year = monthAndYear(monthOfDate(groups))
	if month < 1 || month > 12 || year < 2000 || year > now.Year()+30 {
		return 0, 0, ErrExpiryFormat
	}
	// Somewhere on Earth it is still the last day of the month for 12 more hours.
	if end := time.Date(year, time.Month(month)+1, 1, 12, 0, 0, 0, time.UTC); !now.Before(end) {
		return 0, 0, ErrExpired
	}
	return month, year, nil
}

// monthNames are how the names of the months begin, in English, Russian, Kazakh and Uzbek (Kyrgyz has the Russian ones), one line for
// each month. The page's script has the same.
const monthNames = "jan янв қаң yan|feb фев ақп fev|mar мар нау|apr апр сәу|may май мам мая|jun июн мау iyun|jul июл шіл iyul|aug авг там avg|" +
	"sep сен қыр sen|oct окт қаз okt|nov ноя қар noy|dec дек жел dek"

// namedMonth writes the month that a text names as a number.
func namedMonth(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, word := range words {
		lower := strings.ToLower(word)
		for i, names := range strings.Split(monthNames, "|") {
			for name := range strings.SplitSeq(names, " ") {
				if strings.HasPrefix(lower, name) {
					return strings.Replace(text, word, " "+strconv.Itoa(i+1)+" ", 1)
				}
			}
		}
	}
	return text
}

// monthOfDate leaves month and year of what is more: the day of a whole date, a time, or the code that stands behind.
func monthOfDate(g []string) []string {
	n := len(g)
	if n < 3 {
		return g
	}
	switch {
	case len(g[0]) == 4 && len(g[1]) <= 2: // 2030-12-31, 2030-12-31T00:00:00Z
		return g[:2]
	case n == 3 && len(g[2]) == 3: // 12/30 123
		return g[:2]
	case n != 3 || len(g[2]) != 4 || len(g[0]) > 2 || len(g[1]) > 2:
		return g
	case value(g[0]) > 12, value(g[0]) == 1 && value(g[1]) <= 12: // 31.12.2030, and the first of a month
		return g[1:]
	case value(g[1]) > 12, value(g[1]) == 1, value(g[0]) == value(g[1]): // 12/31/2030
		return []string{g[0], g[2]}
	}
	return g
}

// monthAndYear reads groups of digits; the month is 0 where they are no date.
func monthAndYear(groups []string) (month, year int) {
	if len(groups) == 1 {
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

// ParseCode takes three or four digits, with the spaces between them and the words before them that are pasted with a code.
func ParseCode(s string) (Code, error) {
	text := strings.TrimSpace(Plain(s))
	if text == "" {
		return Code{}, ErrCodeMissing
	}
	d := strings.NewReplacer(" ", "", "-", "", ".", "").Replace(text)
	if strings.ContainsFunc(text, unicode.IsLetter) {
		if groups := strings.FieldsFunc(text, notDigit); len(groups) > 0 {
			d = groups[len(groups)-1]
		}
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
