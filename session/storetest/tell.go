package storetest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/session"
)

func accountEvents(t *testing.T, st Store) {
	tell := func(subject string, kind session.EventType, at time.Time, quiet time.Duration) bool {
		t.Helper()
		told, err := st.Tell(t.Context(), session.AccountEvent{
			Merchant: "shop", Subject: subject, Type: kind, At: at, Data: json.RawMessage(`{"a":1}`),
		}, quiet)
		must(t, err)
		return told
	}
	for _, c := range []struct {
		name, subject string
		kind          session.EventType
		after, quiet  time.Duration
		want          bool
	}{
		{"the first", "shop.acc", "x.y", 0, time.Hour, true},
		{"the same within the hour", "shop.acc", "x.y", time.Hour - 1000, time.Hour, false},
		{"another type within it", "shop.acc", "x.z", time.Minute, time.Hour, true},
		{"another subject within it", "rival.acc", "x.y", time.Minute, time.Hour, true},
		{"the same after the hour", "shop.acc", "x.y", time.Hour, time.Hour, true},
		{"the same at once, where no quiet is wanted", "shop.acc", "x.y", time.Hour, 0, true},
	} {
		if got := tell(c.subject, c.kind, noon.Add(c.after), c.quiet); got != c.want {
			t.Errorf("%s: told %t, want %t", c.name, got, c.want)
		}
	}
	// Of many at once in a quiet time one is told.
	var told atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ok, err := st.Tell(t.Context(), session.AccountEvent{Merchant: "shop", Subject: "shop.busy", Type: "x.y", At: noon}, time.Hour)
			if err != nil {
				t.Error(err)
			}
			if ok {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("of four at once %d were told", told.Load())
	}
}
