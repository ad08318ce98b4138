package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
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
// over the first. Texts are as of ValidText.
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

// Alone is what a list of one holds; anything else is itself. Some serializers write one value as a list.
func Alone(v any) any {
	for depth := 0; depth < maxDepth; depth++ {
		list, ok := v.([]any)
		if !ok || len(list) != 1 {
			break
		}
		v = list[0]
	}
	return v
}

// Member is a member by its name. Where nothing has exactly that name it may be spelt with other capitals, as long as the spellings
// that are there say one thing.
func Member(members map[string]any, name string) (v any, there bool) {
	if v, there = members[name]; there {
		return v, true
	}
	for spelt, other := range members {
		switch {
		case len(spelt) != len(name) || !strings.EqualFold(spelt, name):
		case there && !reflect.DeepEqual(v, other):
			return nil, false
		default:
			v, there = other, true
		}
	}
	return v, there
}

// True tells whether a member says yes: true, or 1, as text or not.
func True(v any) bool {
	switch v := Alone(v).(type) {
	case bool:
		return v
	case json.Number:
		return v == "1"
	case string:
		v = strings.TrimSpace(v)
		return strings.EqualFold(v, "true") || v == "1"
	}
	return false
}

// Object is an object of an answer. Names are found as of Member; scalars are read whether they came as text or as number, alone or in
// a list of one.
type Object struct {
	Members map[string]any // as Decode gives them
	Hide    []string       // what Words must not repeat
}

// Value is a member, however its name is spelt, alone or in a list of one; nil where there is none.
func (o Object) Value(name string) any {
	v, _ := Member(o.Members, name)
	return Alone(v)
}

// Has tells whether a member is there and is not null.
func (o Object) Has(name string) bool { return o.Value(name) != nil }

// True tells whether a member says yes.
func (o Object) True(name string) bool { return True(o.Value(name)) }

// Text is the first named member that is a scalar and not empty, as text.
func (o Object) Text(names ...string) string {
	for _, n := range names {
		switch v := o.Value(n).(type) {
		case string:
			if v != "" {
				return v
			}
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

// Number is a whole number of at least 0; found is false where the member is absent, null or blank.
func (o Object) Number(name string) (n int64, found bool, err error) {
	if text, ok := o.Value(name).(string); !o.Has(name) || ok && strings.TrimSpace(text) == "" {
		return 0, false, nil
	}
	s := strings.TrimSpace(o.Text(name))
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
		m, _ := o.Value(n).(map[string]any)
		o = Object{m, o.Hide}
	}
	return o
}

// List are the objects in a member that is an array; nil where it is none.
func (o Object) List(name string) []Object {
	v, _ := Member(o.Members, name)
	a, ok := v.([]any)
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
