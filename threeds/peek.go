package threeds

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// Caps on the encoded text of each value, in bytes. A CRes may carry about 80 KiB of message extensions.
const (
	MaxMethodData  = 8 << 10
	MaxChallenge   = 128 << 10 // creq, cres, erro
	MaxSessionData = 1024
	MaxPayerAuth   = 64 << 10 // PaReq, PaRes
	MaxMD          = 8 << 10
)

// maxDepth bounds the nesting of JSON and of XML. The deepest EMV message seen has six levels.
const maxDepth = 32

// entities are line ends that went through an XML or HTML escape too many: "eJx…&#13;\n…".
var entities = strings.NewReplacer("&#13;", "", "&#10;", "", "&#9;", "", "&#xD;", "", "&#xA;", "", "&#xd;", "", "&#xa;", "")

// decode64 reads base64 as it really arrives: either alphabet or both mixed, with or without padding, folded, with
// spaces where a form decoder ate a '+'. What no encoder produces is refused: padding inside, foreign bytes, a length of
// 4n+1, non-zero trailing bits (one message must not have two spellings).
func decode64(value, field string, limit int) ([]byte, error) {
	if len(value) > limit {
		return nil, fail(ReasonTooLarge, field)
	}
	if strings.Contains(value, "&#") {
		value = entities.Replace(value)
	}
	b := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '\r', '\n', '\t':
		case ' ':
			b = append(b, '+')
		case '-':
			b = append(b, '+')
		case '_':
			b = append(b, '/')
		default:
			b = append(b, c)
		}
	}
	if len(b) == 0 {
		return nil, fail(ReasonEmpty, field)
	}
	for range 2 {
		b = bytes.TrimSuffix(b, []byte{'='})
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(b)))
	n, err := base64.RawStdEncoding.Strict().Decode(out, b)
	if err != nil || len(b) == 0 {
		return nil, fail(ReasonBadBase64, field)
	}
	return out[:n], nil
}

// object is a JSON object by member name, names exactly as written.
type object map[string]json.RawMessage

// decodeObject reads exactly one JSON object: UTF-8 (one BOM dropped), nothing after it, no name twice at any depth, no
// deeper than maxDepth. encoding/json alone would match names in any case, keep the last duplicate and repair bad UTF-8.
func decodeObject(b []byte, field string) (object, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, fail(ReasonBadJSON, field)
	}
	b = bytes.TrimLeft(b, " \t\r\n")
	if b[0] != '{' {
		return nil, fail(ReasonNotObject, field)
	}
	// From here on the text is known to be valid JSON; the walk looks for names and depth only.
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	type level struct {
		names map[string]bool // nil in an array
		name  bool            // the next token is a name
	}
	var stack []level
	top := object{}
	var name string
	var start int64
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return top, nil
		}
		if err != nil {
			return nil, fail(ReasonBadJSON, field)
		}
		if d, ok := tok.(json.Delim); ok && (d == '{' || d == '[') {
			if len(stack) == maxDepth {
				return nil, failf(ReasonBadJSON, field, "nested too deep")
			}
			l := level{}
			if d == '{' {
				l = level{names: map[string]bool{}, name: true}
			}
			stack = append(stack, l)
			continue
		}
		cur := &stack[len(stack)-1]
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				continue
			}
			cur = &stack[len(stack)-1]
		} else if cur.names != nil && cur.name {
			s, _ := tok.(string)
			if cur.names[s] {
				return nil, fail(ReasonDuplicateKey, field)
			}
			cur.names[s] = true
			cur.name = false
			if len(stack) == 1 {
				name, start = s, dec.InputOffset()
			}
			continue
		}
		// A whole value has ended.
		if cur.names != nil {
			cur.name = true
			if len(stack) == 1 {
				raw := bytes.TrimLeft(b[start:dec.InputOffset()], " \t\r\n:")
				top[name] = json.RawMessage(bytes.Clone(raw))
			}
		}
	}
}

// decodeMessage is decode64 and decodeObject in one.
func decodeMessage(value, field string, limit int) (object, error) {
	b, err := decode64(value, field, limit)
	if err != nil {
		return nil, err
	}
	return decodeObject(b, field)
}

// text returns a member as text: a string's content, nothing for null and absent, and any other value as it is written
// (some ACSs send errorCode as a number). A non-string can therefore never equal an allowed id, version or status.
func (o object) text(name string) string {
	raw := o[name]
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] != '"' {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// raw returns a member as written; nil for null and absent.
func (o object) raw(name string) json.RawMessage {
	if raw := o[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// encodeMessage writes compact JSON in struct order as base64url without padding. HTML escaping is off: some ACSs
// search the notification URL in the text and do not know \u0026.
func encodeMessage(v any) (string, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", failf(ReasonBadJSON, "", err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})), nil
}

// isUUID accepts the canonical 8-4-4-4-12 form of any version and either case; real ACSs send version 1.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

func checkUUID(s, field string) error {
	if s == "" {
		return fail(ReasonMissingField, field)
	}
	if !isUUID(s) {
		return fail(ReasonBadUUID, field)
	}
	return nil
}
