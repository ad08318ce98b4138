package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"tollgate/session"
)

// fillAll gives every member of v a value, so that no reference is left out.
func fillAll(v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1, 2).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillAll(value, depth+1)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAll(v.Field(i), depth+1)
			}
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint('1')
	case reflect.Bool:
		v.SetBool(true)
	}
}

// shared names what two values have in common in memory.
func shared(a, b reflect.Value, path string) (found []string) {
	if a.Type() == reflect.TypeFor[time.Time]() {
		return nil
	}
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() && a.Pointer() == b.Pointer() {
			return []string{path}
		}
		if !a.IsNil() {
			return shared(a.Elem(), b.Elem(), path)
		}
	case reflect.Slice:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			return []string{path}
		}
		for i := range a.Len() {
			found = append(found, shared(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Map:
		if a.Pointer() == b.Pointer() {
			return []string{path}
		}
		for _, k := range a.MapKeys() {
			found = append(found, shared(a.MapIndex(k), b.MapIndex(k), path+"[]")...)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			found = append(found, shared(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name)...)
		}
	}
	return found
}

func TestACopyOfASessionIsEqualAndSharesNothingWithIt(t *testing.T) {
	t.Parallel()
	r := newRecent()
	var s session.Session
	fillAll(reflect.ValueOf(&s).Elem(), 0)
	if len(s.Attempts) == 0 || len(s.Attempts[0].Runs) == 0 || s.Attempts[0].Step == nil || len(s.Operations) == 0 {
		t.Fatal("the session is not filled")
	}
	c := r.copy(&s)
	if !reflect.DeepEqual(&s, c) {
		t.Error("the copy differs")
	}
	for _, path := range shared(reflect.ValueOf(s), reflect.ValueOf(*c), "session") {
		t.Errorf("the copy shares %s", path)
	}
	if empty := r.copy(&session.Session{}); !reflect.DeepEqual(empty, &session.Session{}) {
		t.Errorf("the copy of an empty session is %+v", empty)
	}
}

func TestWhatIsReadOfASessionIsNeverOlderThanItsLastSave(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	s := &session.Session{ID: "a", Merchant: "shop", Account: "acc", OrderID: "1"}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	load := func() *session.Session {
		t.Helper()
		s, err := st.Load(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := load()
	load().Description = "of who read it only"
	if load().Description != "" {
		t.Error("a reader changed what others read")
	}
	_, look := st.recent.get("b") // a reading begins
	first.Description = "saved"
	first.LastEvent = 1
	if err := st.Save(t.Context(), first, session.Change{Events: []session.Event{{N: 1, Type: "x", Data: json.RawMessage(`{}`)}}}); err != nil {
		t.Fatal(err)
	}
	if got := load(); got.Description != "saved" || got.Version != 2 {
		t.Errorf("read after the save: %q, version %d", got.Description, got.Version)
	}
	st.recent.change("b", nil)() // and the reading ends with what was there before
	st.recent.put("b", look, &session.Session{ID: "b"})
	if kept, _ := st.recent.get("b"); kept != nil {
		t.Error("what was read before a change is kept after it")
	}
}

// A job is claimed as soon as it is committed, which may be before the change that queued it is told.
func TestWhoReadsASessionAfterACommitReadsWhatWasCommittedAlthoughNobodyWasToldYet(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	s := &session.Session{ID: "a", Merchant: "shop", Account: "acc", OrderID: "1"}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	read := map[string]string{}
	load := func(place string) {
		got, err := st.Load(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		read[place] = got.Description
	}
	load("at rest")
	st.group.at = load
	s.Description = "saved"
	if err := st.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	st.group.at = nil
	load("at the end")
	for place, want := range map[string]string{"batch.before": "", "batch.committed": "saved", "at the end": "saved"} {
		if got, there := read[place]; got != want || !there {
			t.Errorf("%s it read %q, want %q", place, got, want)
		}
	}
	if len(st.recent.changing) != 0 {
		t.Error("a change never ended")
	}
	if kept, _ := st.recent.get("a"); kept == nil {
		t.Error("what is read at rest is not kept")
	}
}

func TestFewSessionsAreKept(t *testing.T) {
	t.Parallel()
	r := newRecent()
	for i := range 2 * recentAtMost {
		id := fmt.Sprint(i)
		_, look := r.get(id)
		r.put(id, look, &session.Session{ID: id})
	}
	if r.order.Len() != recentAtMost || len(r.kept) != recentAtMost || len(r.reading) != 0 {
		t.Errorf("%d sessions are kept, %d are being read", r.order.Len(), len(r.reading))
	}
}
