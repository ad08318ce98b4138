package transactworld

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// answer is what the gateway said: a text, an object (names in lower case, because its documents and clients disagree about
// them) or a list.
type answer struct {
	object map[string]any // string, map[string]any or []any; empty texts stay
	http   int
}

var errAnswer = errors.New("not in the gateway's language")

const maxDepth = 12

// decode reads an answer in either language, told apart by the first byte. Besides 200 only a 4xx is the gateway's own word.
// Its errors say nothing of the body.
func decode(status int, body []byte) (answer, error) {
	if status != http.StatusOK && (status < 400 || status >= 500) {
		return answer{}, fmt.Errorf("%w: HTTP status", errAnswer)
	}
	o, err := readObject(body)
	if err != nil {
		return answer{}, err
	}
	a := answer{object: o, http: status}
	if a.code() == "" {
		return answer{}, fmt.Errorf("%w: no result.code", errAnswer)
	}
	return a, nil
}

// readObject reads one JSON object or one XML document.
func readObject(body []byte) (map[string]any, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: empty", errAnswer)
	case text[0] == '{':
		return readJSON(wire.ValidText(text))
	case text[0] == '<':
		return readXML(text)
	}
	return nil, fmt.Errorf("%w: neither JSON nor XML", errAnswer)
}

// readJSON refuses a name that says two things, and whatever follows the object. Numbers keep their digits.
func readJSON(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jsonValue(d, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: JSON", errAnswer)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: more than one value", errAnswer)
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: JSON", errAnswer)
	}
	return o, nil
}

func jsonValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return nil, errAnswer
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			list := []any{}
			for d.More() {
				v, err := jsonValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		o := map[string]any{}
		for d.More() {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return nil, errAnswer
			}
			v, err := jsonValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			if v == nil {
				continue
			}
			if err := put(o, name, v); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return o, err
	case string:
		return t, nil
	case json.Number:
		return t.String(), nil
	case bool:
		return fmt.Sprint(t), nil
	}
	return nil, nil // null
}

// put adds a member; a repeated name must have the same value.
func put(o map[string]any, name string, v any) error {
	name = strings.ToLower(name)
	if old, ok := o[name]; ok {
		if a, text := old.(string); !text || a != v {
			return errAnswer
		}
	}
	o[name] = v
	return nil
}

// readXML reads elements as members; an element repeated is a list. Attributes say nothing. Comments, declarations of types
// and text between elements are refused: they let one text say two things.
func readXML(text []byte) (map[string]any, error) {
	bad := fmt.Errorf("%w: XML", errAnswer)
	d := xml.NewDecoder(bytes.NewReader(text))
	var root map[string]any
	for {
		t, err := d.Token()
		if err == io.EOF && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, bad
		}
		switch t := t.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, bad
			}
			v, err := xmlValue(d, 0)
			if err != nil {
				return nil, bad
			}
			o, ok := v.(map[string]any)
			if !ok {
				return nil, bad
			}
			root = o
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, bad
			}
		case xml.ProcInst:
			if t.Target != "xml" || root != nil {
				return nil, bad
			}
		default:
			return nil, bad
		}
	}
}

func xmlValue(d *xml.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errAnswer
	}
	var o map[string]any
	text := ""
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			v, err := xmlValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			if o == nil {
				o = map[string]any{}
			}
			name := strings.ToLower(t.Name.Local)
			switch old := o[name].(type) {
			case nil:
				o[name] = v
			case []any:
				o[name] = append(old, v)
			case string: // a text twice is no list of ours
				if old != v {
					return nil, errAnswer
				}
			default:
				o[name] = []any{old, v}
			}
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if o == nil {
				return text, nil
			}
			if strings.TrimSpace(text) != "" {
				return nil, errAnswer
			}
			return o, nil
		default:
			return nil, errAnswer
		}
	}
}

// value finds a member by its path, whatever the case of its names.
func value(o map[string]any, path ...string) any {
	var v any = o
	for _, name := range path {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = wire.Alone(inner[strings.ToLower(name)])
	}
	return v
}

func text(o map[string]any, path ...string) string { return strings.TrimSpace(verbatim(o, path...)) }

// verbatim is a text with the white space around it.
func verbatim(o map[string]any, path ...string) string {
	s, _ := value(o, path...).(string)
	return s
}

// list is a member as a list: one object alone is a list of one.
func list(o map[string]any, path ...string) []map[string]any {
	var out []map[string]any
	switch v := value(o, path...).(type) {
	case map[string]any:
		out = append(out, v)
	case []any:
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				out = append(out, m)
			}
		}
	}
	return out
}

func (a answer) text(path ...string) string { return text(a.object, path...) }
func (a answer) code() string               { return a.text("result", "code") }

// paymentID is the gateway's id; rejected payments write "-".
func (a answer) paymentID() string {
	id := a.text("paymentId")
	if id == "-" {
		return ""
	}
	return id
}

// statuses are the short and the long status; the long one in lower case and without blanks ("3D Authstarted").
func (a answer) statuses() (short, long string) {
	return strings.ToUpper(a.text("transactionStatus")), strings.ToLower(strings.ReplaceAll(a.text("status"), " ", ""))
}

// tokenRefused tells whether the gateway refused the token and says nothing else: the request was not looked at.
func (a answer) tokenRefused() bool {
	short, long := a.statuses()
	return (a.code() == codeUnauthented || a.http == http.StatusUnauthorized) && a.code() != codeToken &&
		!strings.HasPrefix(a.code(), "0") &&
		a.paymentID() == "" && short == "" && long == "" && value(a.object, "redirect") == nil
}

// cardToken is the token of a stored card, in the place where this answer has it.
func (a answer) cardToken() string {
	for _, name := range []string{"registrationId", "token"} {
		if id := a.text(name); identifier.MatchString(id) {
			return id
		}
	}
	return ""
}

// failure is a refusal. It proves that the request did nothing only where it refuses us before anything else was looked at: a
// rejection that names no status but "failed".
func (a answer) failure(op string, codes ...card.Code) error {
	f := providers.Failure{Op: op, Code: a.code(), Text: clean(a.text("result", "description"), codes...)}
	if !a.refusesUs() {
		return &f
	}
	short, long := a.statuses()
	return f.Misconfigured((short == "" || short == "N") && (long == "" || long == "failed"))
}

// refusesUs tells whether an answer refuses our account and not the shopper: the token or the credentials (401), or, in words
// beside a rejection (2xxxx), the checksum, the member, the terminal, or a parameter that is no card's.
func (a answer) refusesUs() bool {
	if a.code() == codeUnauthented || a.http == http.StatusUnauthorized || a.http == http.StatusForbidden {
		return true
	}
	said := strings.ToLower(a.text("result", "description"))
	return len(a.code()) == 5 && (a.code()[0] == '2' || a.code()[0] == '1') && !isDuplicate(a) &&
		(wire.ContainsAny(said, "checksum", "memberid", "member id", "authtoken", "terminal", "partner", "access denied", "not authorized",
			"unauthorized", "permission", "secure key", "credential", "ip address") && !wire.ContainsAny(said, "card") ||
			wire.ContainsAny(said, "merchant", "account", "currency", "payment mode", "paymentmode", "paymentbrand") &&
				wire.ContainsAny(said, "block", "disabled", "suspend", "not active", "inactive", "not found", "not allowed", "not supported",
					"not configured", "not possible", "is missing") && !wire.ContainsAny(said, "card"))
}
