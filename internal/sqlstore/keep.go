package sqlstore

import (
	"encoding/json"
	"reflect"
	"strings"
)

// keepUnknown puts members that this version of Tollgate does not know back into a body that it writes: in a rolling upgrade a
// newer version has written them. mine is what is written, theirs what was loaded, and known the type of both. Lists are
// matched place by place: those of a session only grow.
func keepUnknown(mine, theirs []byte, known reflect.Type) ([]byte, error) {
	for known.Kind() == reflect.Pointer {
		known = known.Elem()
	}
	switch known.Kind() {
	case reflect.Struct:
		return keepMembers(mine, theirs, known)
	case reflect.Slice:
		return keepElements(mine, theirs, known.Elem())
	}
	return mine, nil
}

func keepMembers(mine, theirs []byte, known reflect.Type) ([]byte, error) {
	fields := membersOf(known)
	if len(fields) == 0 { // a type with an encoding of its own, such as a time
		return mine, nil
	}
	var m, old map[string]json.RawMessage
	if json.Unmarshal(mine, &m) != nil || json.Unmarshal(theirs, &old) != nil || m == nil {
		return mine, nil // null, or another kind of value by now
	}
	for name, raw := range old {
		field, ours := fields[name]
		switch now, written := m[name]; {
		case !ours:
			m[name] = raw
		case written:
			kept, err := keepUnknown(now, raw, field)
			if err != nil {
				return nil, err
			}
			m[name] = kept
		}
	}
	return json.Marshal(m)
}

func keepElements(mine, theirs []byte, known reflect.Type) ([]byte, error) {
	var m, old []json.RawMessage
	if json.Unmarshal(mine, &m) != nil || json.Unmarshal(theirs, &old) != nil {
		return mine, nil
	}
	for i := range min(len(m), len(old)) {
		kept, err := keepUnknown(m[i], old[i], known)
		if err != nil {
			return nil, err
		}
		m[i] = kept
	}
	return json.Marshal(m)
}

// membersOf names the JSON members of a struct and their types.
func membersOf(t reflect.Type) map[string]reflect.Type {
	members := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case name == "" && f.Anonymous:
			for n, ft := range membersOf(f.Type) {
				members[n] = ft
			}
		case name == "":
			members[f.Name] = f.Type
		default:
			members[name] = f.Type
		}
	}
	return members
}
