package sim

import (
	"net/url"
	"strings"
)

// AllDigits tells whether s is digits only, at least one.
func AllDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Luhn is the check digit rule of ISO/IEC 7812. The number must be digits only.
func Luhn(pan string) bool {
	sum := 0
	for i := range len(pan) {
		d := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// WebURL tells whether a browser could be sent there.
func WebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
