package sqlitetest_test

import (
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
)

func open(t *testing.T, dir string) *sqlstore.Store {
	t.Helper()
	st, err := sqlitetest.Open(t.Context(), sqlstore.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestStoresOfOneTemplateAreApartAndAStoreThatIsThereIsKept(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	due := func(st *sqlstore.Store) int {
		claimed, err := st.Claim(t.Context(), "w", now, time.Minute, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(claimed)
	}
	dir := t.TempDir()
	first := open(t, dir)
	if err := first.Enqueue(t.Context(), jobs.Job{Kind: "k", Key: "a", RunAt: now}); err != nil {
		t.Fatal(err)
	}
	if n := due(open(t, t.TempDir())); n != 0 {
		t.Errorf("another store has %d jobs", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n := due(open(t, dir)); n != 1 {
		t.Errorf("opened again, the store has %d jobs", n)
	}
}
