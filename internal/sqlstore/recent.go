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
	copier copier

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

// recentAtMost bounds the memory: a session is some kilobytes.
const recentAtMost = 1000

func newRecent() *recent {
	r := &recent{copier: copier{}, kept: map[string]*lru.Element{}, order: lru.New(), reading: map[string][]*reading{},
		changing: map[string]int{}}
	r.copier.learn(reflect.TypeFor[session.Session]())
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
	r.put(s.ID, own, kept)
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

// copier makes deep copies; it knows which types hold references.
type copier map[reflect.Type]bool

// learn finds out about a type and all that it is made of.
func (c copier) learn(t reflect.Type) bool {
	if refers, known := c[t]; known {
		return refers
	}
	c[t] = t.Kind() == reflect.Pointer // meanwhile: a type may be part of itself
	refers := false
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		c.learn(t.Elem())
		refers = true
	case reflect.Map:
		c.learn(t.Elem())
		refers = true
	case reflect.Array:
		refers = c.learn(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() { // its location is never changed
			break
		}
		for i := range t.NumField() {
			if c.learn(t.Field(i).Type) {
				refers = true
				if !t.Field(i).IsExported() {
					panic(fmt.Sprintf("sqlstore: a copy of %v would share its %s", t, t.Field(i).Name))
				}
			}
		}
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		panic(fmt.Sprintf("sqlstore: a session holds a %v", t))
	}
	c[t] = refers
	return refers
}

// own replaces all that v refers to by copies, and what is empty by nothing: so it is stored.
func (c copier) own(v reflect.Value) {
	if !c[v.Type()] {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n := reflect.New(v.Type().Elem())
			n.Elem().Set(v.Elem())
			c.own(n.Elem())
			v.Set(n)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		} else {
			n := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(n, v)
			if c[v.Type().Elem()] {
				for i := range n.Len() {
					c.own(n.Index(i))
				}
			}
			v.Set(n)
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.SetZero()
		} else {
			n := reflect.MakeMapWithSize(v.Type(), v.Len())
			for each := v.MapRange(); each.Next(); {
				value := reflect.New(v.Type().Elem()).Elem()
				value.Set(each.Value())
				c.own(value)
				n.SetMapIndex(each.Key(), value)
			}
			v.Set(n)
		}
	case reflect.Array:
		for i := range v.Len() {
			c.own(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.own(v.Field(i))
		}
	}
}
