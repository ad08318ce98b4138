package handlers

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// wholeNumbers writes numbers such as 1000.0 as 1000: many languages write a number so that was computed, and means a whole one.
// What is no JSON stays so.
func wholeNumbers(body []byte) []byte {
	if !bytes.ContainsRune(body, '.') {
		return body
	}
	out, text := make([]byte, 0, len(body)), false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case text && c == '\\' && i+1 < len(body):
			out = append(out, c)
			i++
			c = body[i]
		case c == '"':
			text = !text
		case !text && c == '.' && i > 0 && body[i-1] >= '0' && body[i-1] <= '9':
			end := i + 1
			for end < len(body) && body[end] == '0' {
				end++
			}
			if end > i+1 && (end == len(body) || bytes.IndexByte([]byte(",]} \t\r\n"), body[end]) >= 0) {
				i = end - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// typeErrors lists the members of a body that its type does not allow; empty where the body is no JSON.
func typeErrors(body []byte, t reflect.Type) []FieldError {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return nil
	}
	if _, object := value.(map[string]any); !object {
		return nil
	}
	return typeErrorsAt("", value, t)
}

func typeErrorsAt(at string, value any, t reflect.Type) (bad []FieldError) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	fits, must := value == nil, "" // null is as if it were left out
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		members, object := value.(map[string]any)
		fits, must = fits || object, "must be an object"
		for _, name := range slices.Sorted(maps.Keys(members)) {
			pointer := at + "/" + pointerName(name)
			if of := memberType(t, name); of != nil {
				bad = append(bad, typeErrorsAt(pointer, members[name], of)...)
			} else {
				bad = append(bad, FieldError{Pointer: pointer, Detail: "is not known"})
			}
		}
	case reflect.Slice:
		items, list := value.([]any)
		fits, must = fits || list, "must be a list"
		for i, item := range items {
			bad = append(bad, typeErrorsAt(at+"/"+strconv.Itoa(i), item, t.Elem())...)
		}
	case reflect.String:
		_, text := value.(string)
		fits, must = fits || text, "must be text"
	case reflect.Bool:
		_, truth := value.(bool)
		fits, must = fits || truth, "must be true or false"
	default:
		number, _ := value.(json.Number)
		_, err := strconv.ParseInt(number.String(), 10, 64)
		fits, must = fits || err == nil, "must be a whole number"
	}
	if !fits {
		bad = append(bad, FieldError{Pointer: at, Detail: must})
	}
	return bad
}

// memberType is the type of an object's member, or nil where it has none of that name. Package json takes names in
// capitals as well.
func memberType(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); strings.EqualFold(tag, name) {
			return t.Field(i).Type
		}
	}
	return nil
}

// pointerName is a member's name as it stands in a JSON pointer.
func pointerName(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
