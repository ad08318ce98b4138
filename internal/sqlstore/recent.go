package sqlstore

import (
	"cmp"
	lru "container/list"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"tollgate/session"
)

// recent keeps sessions as they were last read, for the one process that changes them: a payment reads its session some thirty
// times, and a waiting page over and over. What is kept is never handed out, only copies of it. From before the commit of a change
// until after it nothing of its session is kept: jobs and callers find a commit before whoever made it is told, and who is sent by
// it must not read what was before it. After it what was saved is kept, as the database would give it back.
//
// It decides nothing: a save is judged by the row.
type recent struct {
	copier *copier

	mu       sync.Mutex
	kept     map[string]*lru.Element     // of *session.Session
	order    *lru.List                   // the most recently read in front
	reading  map[string][]*reading       // that go on
	changing map[string]int              // changes that go on
	verify   func(kept *session.Session) // of tests
	history  string                      // of the database in which all that is kept was read, where it is checked; see loadChecked
}

// reading is one look into the database. What it brings may be old once its session was changed meanwhile.
type reading struct{ old bool }

// saving is what is to be kept of a session that is saved.
type saving struct {
	reading
	stored func() // called after the commit, before anybody is told of it
}

// recentAtMost bounds the memory: a session is some kilobytes.
const recentAtMost = 1000

func newRecent() *recent {
	r := &recent{copier: learnCopier(reflect.TypeFor[session.Session](), map[reflect.Type]*copier{}), kept: map[string]*lru.Element{}, order: lru.New(), reading: map[string][]*reading{},
		changing: map[string]int{}}
	return r
}

// get is a session that is kept, or what to give to put with what the database says.
func (r *recent) get(id string) (*session.Session, *reading) {
	r.mu.Lock()
	if e := r.kept[id]; e != nil {
		r.order.MoveToFront(e)
		s := e.Value.(*session.Session)
		r.mu.Unlock()
		return r.copy(s), nil
	}
	defer r.mu.Unlock()
	look := &reading{}
	r.reading[id] = append(r.reading[id], look)
	return nil, look
}

// put keeps what a reading brought; nil: nothing.
func (r *recent) put(id string, look *reading, s *session.Session) {
	if s != nil {
		s = r.copy(s)
	}
	r.place(id, look, s)
}

// place is put for a session that nobody else has.
func (r *recent) place(id string, look *reading, s *session.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []*reading
	for _, o := range r.reading[id] {
		if o != look {
			others = append(others, o)
		}
	}
	if r.reading[id] = others; others == nil {
		delete(r.reading, id)
	}
	if s == nil || look.old || r.changing[id] > 0 || r.kept[id] != nil {
		return
	}
	r.kept[id] = r.order.PushFront(s)
	if r.order.Len() > recentAtMost {
		last := r.order.Back()
		delete(r.kept, last.Value.(*session.Session).ID)
		r.order.Remove(last)
	}
}

// change begins a change of a session; done ends it, however it ended. own, where it is not nil, counts as a reading that the change
// does not make old, only others that come meanwhile do: put gets with it what was saved.
func (r *recent) change(id string, own *reading) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changing[id]++
	r.drop(id, nil)
	if own != nil {
		own.old = false
		r.reading[id] = append(r.reading[id], own)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.changing[id]--; r.changing[id] == 0 {
			delete(r.changing, id)
		}
		r.drop(id, own)
	}
}

// of tells whether what is kept was read in that history of the database. If not, all is forgotten, and from now on that is the one.
func (r *recent) of(history string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.history == history {
		return true
	}
	r.history = history
	clear(r.kept)
	r.order.Init()
	for _, looks := range r.reading {
		for _, look := range looks {
			look.old = true
		}
	}
	return false
}

// drop forgets a session. The mutex is held.
func (r *recent) drop(id string, but *reading) {
	for _, look := range r.reading[id] {
		look.old = look.old || look != but
	}
	if e := r.kept[id]; e != nil {
		delete(r.kept, id)
		r.order.Remove(e)
	}
}

// saved keeps what was saved with c as a load would bring it, where it can be told: as of that the change's other readings are old.
func (r *recent) saved(own *reading, s *session.Session, c session.Change) {
	kept := r.copy(s)
	if !asLoaded(kept, c) {
		kept = nil
	}
	r.place(s.ID, own, kept)
	if verify := r.verify; verify != nil && kept != nil {
		verify(kept)
	}
}

// asLoaded makes of a session that was saved with c what a load brings, and tells whether it can.
func asLoaded(s *session.Session, c session.Change) bool {
	if s.Newer != nil || len(c.Calls) > 1 { // the order of those the database tells
		return false
	}
	for _, row := range slices.Concat(c.Calls, c.Answered) {
		a := s.Attempt(row.Attempt)
		if a == nil || !slices.ContainsFunc(a.Calls, func(l session.Call) bool {
			return l.Kind == row.Kind && l.Round == row.Round
		}) {
			return false
		}
	}
	slices.SortStableFunc(s.Attempts, func(a, b *session.Attempt) int { return cmp.Compare(a.N, b.N) })
	for _, a := range s.Attempts {
		for i := range a.Calls {
			a.Calls[i].SentAt, a.Calls[i].AnsweredAt = instant(micros(a.Calls[i].SentAt)), instant(micros(a.Calls[i].AnsweredAt))
		}
	}
	return true
}

func (r *recent) copy(s *session.Session) *session.Session {
	c := *s
	r.copier.own(reflect.ValueOf(&c).Elem())
	return &c
}

// copier makes deep copies. It is what is known of a type beforehand: only what refers to something is looked at.
type copier struct {
	kind   reflect.Kind
	elem   *copier       // of a pointer, slice, map or array; nil: it refers to nothing
	fields []copierField // of a struct, those that refer to something
}

type copierField struct {
	index  int
	copier *copier
}

// learnCopier finds out about a type and all that it is made of; nil where it refers to nothing.
func learnCopier(t reflect.Type, known map[reflect.Type]*copier) *copier {
	if c, learnt := known[t]; learnt {
		return c
	}
	c := &copier{kind: t.Kind()}
	known[t] = c // meanwhile: a type may be part of itself
	refers := false
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		c.elem, refers = learnCopier(t.Elem(), known), true
	case reflect.Array:
		c.elem = learnCopier(t.Elem(), known)
		refers = c.elem != nil
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() { // its location is never changed
			break
		}
		for i := range t.NumField() {
			f := t.Field(i)
			own := learnCopier(f.Type, known)
			if own == nil {
				continue
			}
			if !f.IsExported() {
				panic(fmt.Sprintf("sqlstore: a copy of %v would share its %s", t, f.Name))
			}
			c.fields, refers = append(c.fields, copierField{i, own}), true
		}
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		panic(fmt.Sprintf("sqlstore: a session holds a %v", t))
	}
	if !refers {
		c = nil
	}
	known[t] = c
	return c
}

// own replaces all that v refers to by copies, and what is empty by nothing: so it is stored.
func (c *copier) own(v reflect.Value) {
	switch c.kind {
	case reflect.Struct:
		for _, f := range c.fields {
			f.copier.own(v.Field(f.index))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			n := reflect.New(v.Type().Elem())
			n.Elem().Set(v.Elem())
			if c.elem != nil {
				c.elem.own(n.Elem())
			}
			v.Set(n)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			if !v.IsNil() {
				v.SetZero()
			}
			return
		}
		n := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(n, v)
		for i := 0; c.elem != nil && i < n.Len(); i++ {
			c.elem.own(n.Index(i))
		}
		v.Set(n)
	case reflect.Map:
		if v.Len() == 0 {
			if !v.IsNil() {
				v.SetZero()
			}
			return
		}
		n := reflect.MakeMapWithSize(v.Type(), v.Len())
		value := reflect.New(v.Type().Elem()).Elem()
		for each := v.MapRange(); each.Next(); {
			value.Set(each.Value())
			if c.elem != nil {
				c.elem.own(value)
			}
			n.SetMapIndex(each.Key(), value)
		}
		v.Set(n)
	case reflect.Array:
		for i := range v.Len() {
			c.elem.own(v.Index(i))
		}
	}
}
