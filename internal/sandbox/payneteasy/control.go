package payneteasy

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// control is the gateway's signature: lower-case hex SHA-1 of the parts, joined by nothing, the merchant control last.
func control(parts ...string) string {
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// sameControl compares in constant time and, as the strict reading of the documentation, takes lower-case hex only.
func sameControl(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// parseAmount reads an amount in major units ("10.5", "10.42", "10") as hundredths. The gateway multiplies by one
// hundred whatever the currency, so that is the unit of every control too. More than two decimals are refused.
func parseAmount(s string) (int64, error) {
	whole, frac, dot := strings.Cut(s, ".")
	if s == "" || len(s) > 10 || whole == "" || dot && frac == "" || len(frac) > 2 {
		return 0, fmt.Errorf("amount %q is malformed", s)
	}
	for _, r := range whole + frac {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("amount %q is malformed", s)
		}
	}
	n, err := strconv.ParseInt(whole+(frac + "00")[:2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %q is malformed", s)
	}
	return n, nil
}

// formatAmount writes hundredths as the gateway prints amounts: major units with two decimals.
func formatAmount(minor int64) string {
	return fmt.Sprintf("%d.%02d", minor/100, minor%100)
}
