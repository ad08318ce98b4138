package wire

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// MaxWords is how many runes of a gateway's text are kept.
const MaxWords = 300

// Scrub makes a gateway's text fit for a log: without the secrets of the call, without anything that looks like a card
// number, without control characters, and short.
func Scrub(s string, hide []string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 8*MaxWords { // whatever is cut below is not worth masking
		s = strings.ToValidUTF8(s[:8*MaxWords], "")
	}
	for _, h := range hide {
		if len(h) >= 3 {
			s = strings.ReplaceAll(s, h, "•••")
		}
	}
	s = MaskDigits(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > MaxWords {
		s = string(r[:MaxWords]) + "…"
	}
	return strings.TrimSpace(s)
}

// MaskDigits hides the middle of every run of 12 or more digits, spaces, points and hyphens inside it included.
func MaskDigits(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			out.WriteByte(s[i])
			i++
			continue
		}
		end, digits := i, []byte(nil)
		for j := i; j < len(s); j++ {
			if s[j] >= '0' && s[j] <= '9' {
				digits, end = append(digits, s[j]), j+1
			} else if s[j] != ' ' && s[j] != '-' && s[j] != '.' || j-end > 0 {
				break
			}
		}
		if len(digits) < 12 {
			out.WriteString(s[i:end])
		} else {
			out.WriteString(string(digits[:6]) + "…" + string(digits[len(digits)-4:]))
		}
		i = end
	}
	return out.String()
}

// ID is an identifier of the gateway's that may be stored and sent back: short and of harmless characters.
func ID(s string) string {
	if len(s) > 64 {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return ""
		}
	}
	return s
}

// Short is a gateway's code, scrubbed; "?" in place of one that is too long to be a code.
func Short(s string, hide []string) string {
	if s = Scrub(s, hide); len(s) > 16 {
		return "?"
	}
	return s
}

// Cut is at most n characters of s.
func Cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// Line is at most n characters of s on one line, with single blanks between its words.
func Line(s string, n int) string {
	return strings.TrimSpace(Cut(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "), n))
}

// Digits tells whether s is digits only, at least one.
func Digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// TwoDigits writes a month, or the end of a year.
func TwoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// HeaderSafe tells whether s may be the value of a header: visible ASCII only.
func HeaderSafe(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// ContainsAny tells whether s contains one of the words.
func ContainsAny(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// CardEnds reads the first six and last four digits out of whatever a gateway calls a masked number: 411111**1111,
// 555555XXXXXX5599, 5555555****5599, or digits alone, at least shortest of them. It answers "" where there are none.
func CardEnds(s string, shortest int) (first6, last4 string) {
	if len(s) > 32 {
		return "", ""
	}
	head := len(s) - len(strings.TrimLeft(s, "0123456789"))
	tail := len(s) - len(strings.TrimRight(s, "0123456789"))
	if head < 6 || tail < 4 || head == len(s) && head < shortest {
		return "", ""
	}
	return s[:6], s[len(s)-4:]
}
