package card

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// System is a payment system: how its numbers begin, how long they and their codes are. It is the one table of server, page and
// script.
type System struct {
	ID, Name string
	Lang     string // of Name, where it is not written in Latin letters
	// Ranges are the first digits: "4", or "2221-2720", both of one length.
	Ranges             []string
	MinDigits          int
	MaxDigits          int
	CodeDigits         int
	WithoutCheckDigits bool // numbers of the system may have no Luhn digit
}

// Systems are those that we know, in the order in which pages show them. The list is everybody's: it is only read.
func Systems() []System { return systems() }

var systems = sync.OnceValue(func() []System {
	return []System{
		{ID: "visa", Name: "Visa", Ranges: []string{"4"}, MinDigits: 13, MaxDigits: 19, CodeDigits: 3},
		{ID: "mastercard", Name: "Mastercard", Ranges: []string{"51-55", "2221-2720"}, MinDigits: 16, MaxDigits: 16, CodeDigits: 3},
		{ID: "mir", Name: "Мир", Lang: "ru", Ranges: []string{"2200-2204"}, MinDigits: 16, MaxDigits: 19, CodeDigits: 3},
		{ID: "unionpay", Name: "UnionPay", Ranges: []string{"62", "81"}, MinDigits: 13, MaxDigits: 19, CodeDigits: 3,
			WithoutCheckDigits: true},
		{ID: "amex", Name: "American Express", Ranges: []string{"34", "37"}, MinDigits: 15, MaxDigits: 15, CodeDigits: 4},
		{ID: "jcb", Name: "JCB", Ranges: []string{"3528-3589"}, MinDigits: 16, MaxDigits: 19, CodeDigits: 3},
		{ID: "discover", Name: "Discover", Ranges: []string{"6011", "644-649", "65"}, MinDigits: 16, MaxDigits: 19, CodeDigits: 3},
		{ID: "diners", Name: "Diners Club", Ranges: []string{"300-305", "3095", "36", "38-39"}, MinDigits: 14, MaxDigits: 19,
			CodeDigits: 3},
		{ID: "maestro", Name: "Maestro", Ranges: []string{"50", "56-58", "60-61", "63", "66-69"}, MinDigits: 12, MaxDigits: 19,
			CodeDigits: 3},
		{ID: "uzcard", Name: "UzCard", Ranges: []string{"8600", "5614"}, MinDigits: 16, MaxDigits: 16, CodeDigits: 3},
		{ID: "humo", Name: "Humo", Ranges: []string{"9860"}, MinDigits: 16, MaxDigits: 16, CodeDigits: 3},
		{ID: "elcart", Name: "Elcart", Ranges: []string{"9417"}, MinDigits: 16, MaxDigits: 16, CodeDigits: 3},
	}
})

// UsualSystems are what an account takes that does not say which cards its contract covers.
func UsualSystems() []string { return []string{"visa", "mastercard", "mir", "unionpay", "amex"} }

// SystemOf finds the system of a number by its first digits, the longest range first; false where it is of none that we know.
// A number that is not typed to its end may do already.
func SystemOf(digits string) (System, bool) {
	var best System
	longest := 0
	for _, s := range Systems() {
		for _, r := range s.Ranges {
			lo, hi, isRange := strings.Cut(r, "-")
			if !isRange {
				hi = lo
			}
			if n := len(lo); n > longest && len(digits) >= n && digits[:n] >= lo && digits[:n] <= hi {
				best, longest = s, n
			}
		}
	}
	return best, longest > 0
}

// Known tells whether there is a system of that id.
func Known(id string) bool {
	return slices.ContainsFunc(Systems(), func(s System) bool { return s.ID == id })
}

// Table is the systems as the page's script reads them: "id:ranges:least-most:code" and ":-" where a number may have no check
// digit, with ";" between systems and "," between ranges.
func Table() string { return table() }

var table = sync.OnceValue(func() string {
	var all []string
	for _, s := range Systems() {
		line := s.ID + ":" + strings.Join(s.Ranges, ",") + ":" + strconv.Itoa(s.MinDigits) + "-" + strconv.Itoa(s.MaxDigits) + ":" +
			strconv.Itoa(s.CodeDigits)
		if s.WithoutCheckDigits {
			line += ":-"
		}
		all = append(all, line)
	}
	return strings.Join(all, ";")
})

// Brand names the payment system by the first digits; empty where we do not know it.
func Brand(digits string) string {
	if len(digits) < 6 {
		return ""
	}
	s, _ := SystemOf(digits)
	return s.ID
}

// Brand is the payment system of the number; empty where we do not know it.
func (n Number) Brand() string { return Brand(n.Reveal()) }
