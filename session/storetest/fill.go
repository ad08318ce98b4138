package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fill gives every field of the struct behind p a value of its own that is not zero, through pointers, lists and maps.
// Fields that another package keeps out of JSON stay zero: they are not meant to be stored. In types of session and
// jobs there are no such fields: what JSON leaves out there has a place of its own in the store.
func fill(t *testing.T, p any) {
	t.Helper()
	n := 0
	fillValue(t, reflect.ValueOf(p).Elem(), &n, 0)
}

func fillValue(t *testing.T, v reflect.Value, n *int, depth int) {
	t.Helper()
	if depth > 12 {
		t.Fatalf("%s holds itself", v.Type())
	}
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 1000*(*n), time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(fmt.Sprintf(`{"n":%d}`, *n)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("v%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(t, v.Elem(), n, depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillValue(t, v.Index(i), n, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fillValue(t, key, n, depth+1)
			fillValue(t, value, n, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		own := strings.HasSuffix(v.Type().PkgPath(), "/session") || strings.HasSuffix(v.Type().PkgPath(), "/jobs")
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Tag.Get("json") == "-" && !own {
				continue
			}
			fillValue(t, v.Field(i), n, depth+1)
		}
	default:
		t.Fatalf("storetest cannot fill a %s", v.Type())
	}
}
