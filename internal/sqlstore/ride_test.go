package sqlstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/session"
)

func TestWhatRidesIsMadeWithTheNextCommitAndToldAfterIt(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	_, before := st.Written()
	ended := make(chan error, 3)
	committed := false
	st.group.at = func(place string) { committed = committed || place == "batch.committed" }
	for _, f := range []func(*tx) error{
		put("a"),
		func(tx *tx) error { return errors.Join(put("b")(tx), session.ErrConflict) },
		put("c"),
	} {
		st.group.ride(f, func(err error) {
			if !committed {
				t.Error("told before the commit")
			}
			ended <- err
		})
	}
	if got := kept(t, st); got != "" {
		t.Errorf("made at once: %q", got)
	}
	if err := st.change(t.Context(), notice{}, put("d")); err != nil {
		t.Fatal(err)
	}
	if a, b, c := <-ended, <-ended, <-ended; a != nil || !errors.Is(b, session.ErrConflict) || c != nil {
		t.Error(a, b, c)
	}
	if _, after := st.Written(); after-before != 1 {
		t.Errorf("%d commits", after-before)
	}
	if got := kept(t, st); got != "a c d" {
		t.Error(got)
	}
}

func TestWhatRidesIsMadeByItselfWhereNobodyElseComes(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	alone, many := make(chan error, 1), make(chan error, ridersAtMost)
	begun := time.Now()
	st.group.ride(put("alone"), func(err error) { alone <- err })
	if err := <-alone; err != nil || time.Since(begun) < rideAtMost {
		t.Error(err, time.Since(begun))
	}
	begun = time.Now()
	for i := range ridersAtMost {
		st.group.ride(put(fmt.Sprint(i)), func(err error) { many <- err })
	}
	for range ridersAtMost {
		if err := <-many; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > rideAtMost/2 {
		t.Errorf("so many had to wait %v", took)
	}
}

func TestWhatRidesIsMadeBeforeTheStoreCloses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st := openGroup(t, Options{Dir: dir, NoSync: true})
	ended := make(chan error, 2)
	st.group.ride(put("a"), func(err error) { ended <- err })
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st.group.ride(put("b"), func(err error) { ended <- err })
	if a, b := <-ended, <-ended; a != nil || b == nil {
		t.Errorf("before %v, after the end %v", a, b)
	}
	if got := kept(t, openGroup(t, Options{Dir: dir, NoSync: true})); got != "a" {
		t.Error(got)
	}
}

func TestAJobThatIsDoneIsNotDoneAgainWhileItsRowWaitsToGo(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	ctx, now := t.Context(), time.Now()
	if err := st.Enqueue(ctx, jobs.Job{Kind: "k", Key: "a", RunAt: now}); err != nil {
		t.Fatal(err)
	}
	claimed, err := st.Claim(ctx, "w", now, time.Minute, 1)
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	_, before := st.Written()
	if err := st.Done(ctx, claimed[0]); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, now.Add(time.Hour)} {
		if again, err := st.Claim(ctx, "w", at, time.Minute, 1); err != nil || len(again) != 0 {
			t.Errorf("claimed again: %v, %v", again, err)
		}
	}
	if _, after := st.Written(); after != before {
		t.Errorf("its end took %d commits", after-before)
	}
	// One that is asked for meanwhile is another.
	if err := st.Enqueue(ctx, jobs.Job{Kind: "k", Key: "a", RunAt: now}); err != nil {
		t.Fatal(err)
	}
	if _, after := st.Written(); after-before != 1 {
		t.Errorf("both took %d commits", after-before)
	}
	if again, err := st.Claim(ctx, "w", now, time.Minute, 1); err != nil || len(again) != 1 || again[0].ID == claimed[0].ID {
		t.Errorf("the new one: %v, %v", again, err)
	}
}

func TestABrowserSessionIsFoundBeforeItsRowIsThere(t *testing.T) {
	t.Parallel()
	st := openGroup(t, Options{NoSync: true})
	b, until := st.Browser(), time.Now().Add(time.Hour)
	find := func(want string) {
		t.Helper()
		if got, found, err := b.Find("t"); err != nil || found != (want != "") || string(got) != want {
			t.Errorf("%q, %v, %v; want %q", got, found, err, want)
		}
	}
	for _, v := range []string{"one", "two"} {
		if err := b.Commit("t", []byte(v), until); err != nil {
			t.Fatal(err)
		}
		find(v)
	}
	if got := kept(t, st); got != "" {
		t.Errorf("written at once: %q", got)
	}
	st.group.depart()
	find("two")
	if got := kept(t, st); got != "t" || len(st.visiting.rows) != 0 {
		t.Errorf("%q, %d waiting", got, len(st.visiting.rows))
	}
	if err := b.Commit("t", []byte("three"), until); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete("t"); err != nil { // before its row is written
		t.Fatal(err)
	}
	find("")
	st.group.depart()
	find("")
}
