// Package answers is what providers share in reading gateways: one strict JSON object, and texts made fit for a log. It
// knows no gateway.
package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reasons why an answer cannot be read. They quote nothing of it.
var (
	errNotUTF8   = errors.New("not UTF-8")
	errNotObject = errors.New("not a JSON object")
	errTrailing  = errors.New("something after the object")
	errTwice     = errors.New("a name twice in one object")
	errDeep      = errors.New("nested too deep")
	errSyntax    = errors.New("not JSON")
)

const maxDepth = 16

// Object reads exactly one JSON object; numbers are json.Number. encoding/json alone would let a second orderStatus win
// over the first, and OrderStatus pass for orderStatus.
func Object(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errNotObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errTrailing
	}
	return m, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t, err := d.Token()
	if err != nil {
		return nil, errSyntax
	}
	switch t {
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, errSyntax
			}
			name, ok := k.(string)
			if !ok {
				return nil, errSyntax
			}
			if _, there := m[name]; there {
				return nil, errTwice
			}
			if m[name], err = value(d, depth+1); err != nil {
				return nil, err
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, errSyntax
		}
		return m, nil
	case json.Delim('['):
		a := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, errSyntax
		}
		return a, nil
	}
	return t, nil
}

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
