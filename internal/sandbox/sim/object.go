package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// Object is an answer that keeps the order in which the gateway writes its members.
type Object []Member

// Member is one of them.
type Member struct {
	Name  string
	Value any
}

// With is the object with one more member; the receiver is not changed.
func (o Object) With(name string, value any) Object {
	return append(slices.Clip(o), Member{name, value})
}

// Opt adds the member only if its value is not empty.
func (o Object) Opt(name, value string) Object {
	if value == "" {
		return o
	}
	return o.With(name, value)
}

// Get is a member's value; nil where there is none.
func (o Object) Get(name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// MarshalJSON keeps the order, and writes <, > and & as they are.
func (o Object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(strconv.Quote(m.Name) + ":")
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.Value); err != nil {
			return nil, err
		}
		out.Truncate(out.Len() - 1) // the line feed
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
