package sim

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Records are a gateway's records of one kind, such as its orders: in memory, and in the journal before anybody learns of a
// change. A record is replaced as a whole, never changed in place, so that money and state are one line of the journal and a
// kill between them is not possible; whoever asks for one gets a copy. The gateway's lock guards them.
type Records[K comparable, R any] struct {
	env    *Env
	bucket string
	id     func(*R) K
	clone  func(*R) *R
	kept   func(before, now *R)
	byID   map[K]*R
	ids    []K // as they were made
}

// Kind says what records of one kind are.
type Kind[K comparable, R any] struct {
	Bucket string               // of the journal
	ID     func(*R) K           // its text is the key in the journal
	Clone  func(*R) *R          // nil: the record holds nothing that could be changed in place
	Kept   func(before, now *R) // the gateway's indexes and the ledger; before is nil for a new record; nil: nothing to do
}

// Load makes the records from the journal.
func (k Kind[K, R]) Load(e *Env) (*Records[K, R], error) {
	r := &Records[K, R]{env: e, bucket: k.Bucket, id: k.ID, clone: k.Clone, kept: k.Kept, byID: map[K]*R{}}
	if r.clone == nil {
		r.clone = func(v *R) *R { c := *v; return &c }
	}
	if r.kept == nil {
		r.kept = func(_, _ *R) {}
	}
	err := e.Journal.Each(k.Bucket, func(_ string, raw json.RawMessage) error {
		v := new(R)
		if err := json.Unmarshal(raw, v); err != nil {
			return err
		}
		r.keep(v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Bucket, err)
	}
	return r, nil
}

func (r *Records[K, R]) keep(v *R) {
	id := r.id(v)
	before, known := r.byID[id]
	if !known {
		r.ids = append(r.ids, id)
	}
	r.byID[id] = r.clone(v)
	r.kept(before, v)
}

// Save writes the whole record down, then makes it the present one. Where that fails nothing has changed; it is in the log.
func (r *Records[K, R]) Save(v *R) error {
	if err := r.env.Journal.Put(r.bucket, fmt.Sprint(r.id(v)), v); err != nil {
		r.env.Log.Error("change not kept", "bucket", r.bucket, "err", err)
		return err
	}
	r.keep(v)
	return nil
}

// Get is a copy of the record, nil where there is none.
func (r *Records[K, R]) Get(id K) *R {
	if v, known := r.byID[id]; known {
		return r.clone(v)
	}
	return nil
}

// IDs are the records' ids in the order in which they were made.
func (r *Records[K, R]) IDs() []K { return slices.Clone(r.ids) }

// All are copies of the records in the order in which they were made. They may be saved meanwhile.
func (r *Records[K, R]) All() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for _, id := range r.IDs() {
			if !yield(r.Get(id)) {
				return
			}
		}
	}
}

// Len is how many there are.
func (r *Records[K, R]) Len() int { return len(r.ids) }

// Reset forgets them. The sandbox empties the journal itself.
func (r *Records[K, R]) Reset() { r.byID, r.ids = map[K]*R{}, nil }
