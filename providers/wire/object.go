package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
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

// ValidText is an answer whose texts can be read. In another encoding than UTF-8 (old gateways write Russian in windows-1251) they lose
// what cannot be: names, states, sums and ids are of ASCII.
func ValidText(body []byte) []byte { return bytes.ToValidUTF8(body, []byte("\ufffd")) }

// Decode reads exactly one JSON object; numbers are json.Number. encoding/json alone would let a second orderStatus win
// over the first, and OrderStatus pass for orderStatus. Texts are as of ValidText.
func Decode(body []byte) (map[string]any, error) {
	if bytes.IndexByte(body, 0) >= 0 { // UTF-16
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(ValidText(bytes.TrimPrefix(body, []byte("\ufeff")))))
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

// Object is an object of an answer. Names are compared exactly; scalars are read whether they came as text or as number.
type Object struct {
	Members map[string]any // as Decode gives them
	Hide    []string       // what Words must not repeat
}

// Text is the first named member that is there and is a scalar, as text.
func (o Object) Text(names ...string) string {
	for _, n := range names {
		switch v := o.Members[n].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		case bool:
			return strconv.FormatBool(v)
		}
	}
	return ""
}

// shortNumber is what a CVC looks like.
var shortNumber = regexp.MustCompile(`\b[0-9]{3,4}\b`)

// Words is text for people: scrubbed and cut, fit for a log. An answer might repeat the CVC or one-time code of an earlier
// call, which nobody remembers by then: so every number of three or four digits is hidden.
func (o Object) Words(names ...string) string {
	for _, n := range names {
		if s := o.Text(n); s != "" {
			return shortNumber.ReplaceAllStringFunc(Scrub(s, o.Hide), func(string) string { return "•••" })
		}
	}
	return ""
}

// Plain is a short value of the given characters only, or nothing.
func (o Object) Plain(characters string, longest int, names ...string) string {
	s := o.Text(names...)
	if len(s) > longest || strings.Trim(s, characters) != "" {
		return ""
	}
	return s
}

// Number is an integer of at least 0; found is false where the member is absent or null.
func (o Object) Number(name string) (n int64, found bool, err error) {
	if o.Members[name] == nil {
		return 0, false, nil
	}
	s := o.Text(name)
	if !Digits(s) {
		return 0, true, fmt.Errorf("%s is not a number", name)
	}
	if n, err = strconv.ParseInt(s, 10, 64); err != nil {
		return 0, true, fmt.Errorf("%s is out of range", name)
	}
	return n, true, nil
}

// Child is the member object at a path of names; an empty one where there is none.
func (o Object) Child(path ...string) Object {
	for _, n := range path {
		m, _ := o.Members[n].(map[string]any)
		o = Object{m, o.Hide}
	}
	return o
}

// List are the objects in a member that is an array; nil where it is none.
func (o Object) List(name string) []Object {
	a, ok := o.Members[name].([]any)
	if !ok {
		return nil
	}
	out := []Object{}
	for _, v := range a {
		if m, ok := v.(map[string]any); ok {
			out = append(out, Object{m, o.Hide})
		}
	}
	return out
}
