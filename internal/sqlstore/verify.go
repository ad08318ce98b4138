package sqlstore

import (
	"context"
	"fmt"
	"reflect"

	"tollgate/session"
)

// asRead panics where what is kept of a session differs from what the database has of it. Tests alone have it done.
func (st *Store) asRead(kept *session.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), txLimit)
	defer cancel()
	stored, err := one(st.sessions(ctx, "''", `id = $1`, kept.ID))
	if err != nil || stored.Version != kept.Version { // changed meanwhile
		return
	}
	if where := differs(reflect.ValueOf(*kept), reflect.ValueOf(*stored)); where != "" {
		panic("sqlstore: what is kept of a session is not what was stored: " + where)
	}
}

// differs names the first place in which two values of one type differ; "" where they are equal.
func differs(a, b reflect.Value) string {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return ""
	}
	switch {
	case a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
		return differs(a.Elem(), b.Elem())
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			if f := a.Type().Field(i); f.IsExported() {
				if where := differs(a.Field(i), b.Field(i)); where != "" {
					return f.Name + "." + where
				}
			}
		}
	case a.Kind() == reflect.Slice && a.Len() == b.Len() && a.Len() > 0:
		for i := range a.Len() {
			if where := differs(a.Index(i), b.Index(i)); where != "" {
				return fmt.Sprintf("%d.%s", i, where)
			}
		}
	}
	return fmt.Sprintf(" %#v, %#v", a.Interface(), b.Interface())
}
