package sqlstore_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/limit"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
)

func TestSharedCountsAreThoseOfMemory(t *testing.T) {
	for name, o := range map[string]sqlstore.Options{"SQLite": {Dir: t.TempDir()}, "PostgreSQL": {URL: pgtest.Start(t)}} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
			o.Now = func() time.Time { return now }
			shared, memory := limit.Buckets(open(t, o).Limits()), limit.Buckets(limit.NewMemory(0))
			r := limit.Rate{N: 3, Per: time.Minute}
			ctx := t.Context()
			for i, step := range "tttt.t.tggtlaaaaaaaaal..gtt" {
				var got, want limit.Level
				var err error
				switch step {
				case 't':
					got, err = shared.Take(ctx, "k", r, now)
					want, _ = memory.Take(ctx, "k", r, now)
				case 'a':
					got, err = shared.Add(ctx, "k", r, now)
					want, _ = memory.Add(ctx, "k", r, now)
				case 'g':
					err = shared.Give(ctx, "k", r, now)
					memory.Give(ctx, "k", r, now)
				case 'l':
					got, err = shared.Look(ctx, "k", r, now)
					want, _ = memory.Look(ctx, "k", r, now)
				case '.':
					now = now.Add(21 * time.Second)
				}
				if err != nil || got != want {
					t.Errorf("step %d, %c: %+v, %v; in memory %+v", i, step, got, err, want)
				}
			}
			now = now.Add(time.Hour)
			if err := shared.(sqlstore.Limits).Sweep(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Sixty at once on three machines: as many as the rate has, and what is counted is still counted when a machine is gone.
func TestThreeMachinesShareOneRate(t *testing.T) {
	url, now, r := pgtest.Start(t), time.Now(), limit.Rate{N: 5, Per: time.Hour}
	var machines []limit.Buckets
	for range 3 {
		machines = append(machines, open(t, sqlstore.Options{URL: url}).Limits())
	}
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			l, err := machines[i%3].Take(context.Background(), "phone", r, now)
			if err != nil {
				t.Error(err)
			}
			if l.Wait == 0 {
				allowed.Add(1)
			}
		})
	}
	wg.Wait()
	later := open(t, sqlstore.Options{URL: url}).Limits()
	if l, err := later.Take(t.Context(), "phone", r, now); allowed.Load() != 5 || err != nil || l.Wait == 0 {
		t.Errorf("%d of 60 were allowed; a machine that starts later: %+v, %v", allowed.Load(), l, err)
	}
}
