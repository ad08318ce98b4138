package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/session"
)

func job(key string, at time.Time) jobs.Job { return jobs.Job{Kind: "k", Key: key, RunAt: at} }

func enqueue(t *testing.T, st Store, js ...jobs.Job) {
	t.Helper()
	must(t, st.Enqueue(t.Context(), js...))
}

func claimOne(t *testing.T, st Store, worker string, now time.Time) jobs.Job {
	t.Helper()
	js := claim(t, st, worker, now, 2)
	if len(js) != 1 {
		t.Fatalf("claimed %d jobs, want 1: %+v", len(js), js)
	}
	return js[0]
}

func wantNone(t *testing.T, st Store, now time.Time) {
	t.Helper()
	if js := claim(t, st, "nobody", now, 10); len(js) != 0 {
		t.Fatalf("claimed %+v, want none", js)
	}
}

func jobReplaced(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	enqueue(t, st, jobs.Job{Kind: "k", Key: "a", RunAt: noon, Payload: json.RawMessage(`1`)})
	enqueue(t, st, jobs.Job{Kind: "other", Key: "a", RunAt: noon.Add(time.Hour)}, job("b", noon.Add(time.Hour)))
	later := jobs.Job{Kind: "k", Key: "a", RunAt: noon.Add(time.Minute), Payload: json.RawMessage(`2`)}
	must(t, st.Save(t.Context(), s, session.Change{Jobs: []session.Job{{Kind: later.Kind, Key: later.Key, Payload: later.Payload,
		RunAt: later.RunAt}}}))
	wantNone(t, st, noon)
	if j := claimOne(t, st, "w", noon.Add(time.Minute)); string(j.Payload) != "2" || j.Attempt != 1 {
		t.Errorf("claimed %+v", j)
	}
	// Twice in one change: the last stands.
	enqueue(t, st, job("c", noon.Add(time.Hour)), job("c", noon))
	if j := claimOne(t, st, "w", noon); j.Key != "c" {
		t.Errorf("claimed %+v", j)
	}
}

// A change drops the job that waits; one that is in hand is its worker's, and its end finds nothing to take away.
func jobDropped(t *testing.T, st Store) {
	s := create(t, st, newSession("a"))
	enqueue(t, st, job("a", noon), job("b", noon))
	must(t, st.Save(t.Context(), s, session.Change{Drop: []session.Job{{Kind: "k", Key: "a"}, {Kind: "k", Key: "none"}}}))
	held := claimOne(t, st, "w", noon)
	if held.Key != "b" {
		t.Fatalf("claimed %+v", held)
	}
	stale := *s
	stale.Version--
	enqueue(t, st, job("c", noon))
	wantErr(t, st.Save(t.Context(), &stale, session.Change{Drop: []session.Job{{Kind: "k", Key: "c"}}}), session.ErrConflict)
	must(t, st.Save(t.Context(), s, session.Change{Drop: []session.Job{{Kind: "k", Key: "b"}}}))
	must(t, st.Done(t.Context(), held))
	if j := claimOne(t, st, "w", noon); j.Key != "c" {
		t.Errorf("claimed %+v", j)
	}
	wantNone(t, st, noon)
}

func jobBeside(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	first := claimOne(t, st, "w1", noon)
	enqueue(t, st, job("a", noon.Add(time.Second)))
	wantNone(t, st, noon)
	second := claimOne(t, st, "w2", noon.Add(time.Second))
	if second.ID == first.ID {
		t.Error("the job in hand was claimed again")
	}
	must(t, st.Done(t.Context(), first))
	must(t, st.Done(t.Context(), second))
	wantNone(t, st, noon.Add(time.Hour))
}

func oldestFirst(t *testing.T, st Store) {
	enqueue(t, st, job("c", noon.Add(2*time.Second)), job("a", noon), job("d", noon.Add(time.Hour)), job("b", noon.Add(time.Second)))
	var got string
	for range 2 {
		for _, j := range claim(t, st, "w", noon.Add(time.Minute), 2) {
			got += j.Key
		}
	}
	if got != "abc" {
		t.Errorf("claimed in the order %q", got)
	}
}

func leasedToOne(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	first := claimOne(t, st, "w1", noon)
	if first.Worker != "w1" || first.Attempt != 1 {
		t.Errorf("claimed %+v", first)
	}
	wantNone(t, st, noon.Add(10*time.Second)) // the lease ends after this moment
	second := claimOne(t, st, "w2", noon.Add(10*time.Second+time.Microsecond))
	if second.ID != first.ID || second.Worker != "w2" || second.Attempt != 2 {
		t.Errorf("claimed %+v", second)
	}
}

func claimAtOnce(t *testing.T, st Store) {
	const all = 60
	var js []jobs.Job
	for i := range all {
		js = append(js, job(fmt.Sprint(i), noon))
	}
	enqueue(t, st, js...)
	var mu sync.Mutex
	holders := map[int64][]string{}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for range 100 {
				name := fmt.Sprintf("w%d", w)
				got, err := st.Claim(t.Context(), name, noon, time.Minute, 3)
				if err != nil {
					t.Error(err)
					return
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, j := range got {
					holders[j.ID] = append(holders[j.ID], name)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// A claim may find nothing while others hold rows it looked at; what is left is there for the next.
	for _, j := range claim(t, st, "last", noon, all) {
		holders[j.ID] = append(holders[j.ID], "last")
	}
	if len(holders) != all {
		t.Errorf("%d jobs were claimed, want %d", len(holders), all)
	}
	for id, names := range holders {
		if len(names) != 1 {
			t.Errorf("job %d was leased to %v", id, names)
		}
	}
}

func extend(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	mine := claimOne(t, st, "w1", noon)
	enqueue(t, st, job("b", noon))
	claimOne(t, st, "w2", noon)
	must(t, st.Extend(t.Context(), "w1", noon.Add(8*time.Second), 10*time.Second))
	lapsed := claimOne(t, st, "w3", noon.Add(15*time.Second))
	if lapsed.Key != "b" {
		t.Errorf("the extended lease lapsed: %+v", lapsed)
	}
	must(t, st.Extend(t.Context(), "w2", noon.Add(15*time.Second), time.Hour)) // not w2's any more
	must(t, st.Done(t.Context(), mine))
	if again := claimOne(t, st, "w4", noon.Add(time.Minute)); again.Key != "b" {
		t.Errorf("claimed %+v", again)
	}
	must(t, st.Extend(t.Context(), "", noon, time.Hour)) // nobody's jobs are waiting, not leased
}

func fence(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	old := claimOne(t, st, "w1", noon)
	later := noon.Add(time.Minute)
	current := claimOne(t, st, "w1", later) // the same worker, the next attempt
	must(t, st.Done(t.Context(), old))
	must(t, st.Retry(t.Context(), old, noon))
	stranger := current
	stranger.Worker = "w2"
	must(t, st.Done(t.Context(), stranger))
	wantNone(t, st, later)
	waiting := current
	waiting.Worker = ""
	must(t, st.Done(t.Context(), waiting))
	if again := claimOne(t, st, "w3", later.Add(time.Minute)); again.Attempt != 3 {
		t.Errorf("claimed %+v", again)
	}
}

func fenceOfForerunner(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	forerunner := claimOne(t, st, "w", noon)
	must(t, st.Retry(t.Context(), claimOne(t, st, "x", noon.Add(time.Minute)), noon))
	enqueue(t, st, job("a", noon))
	claimOne(t, st, "w", noon)
	must(t, st.Done(t.Context(), forerunner))
	claimOne(t, st, "y", noon.Add(time.Minute)) // it is still there
}

func retryCounts(t *testing.T, st Store) {
	enqueue(t, st, jobs.Job{Kind: "k", Key: "a", RunAt: noon, Payload: json.RawMessage(`{"x":1}`)})
	at := noon
	for n := 1; n <= 3; n++ {
		j := claimOne(t, st, "w", at)
		if j.Attempt != n || string(j.Payload) != `{"x":1}` {
			t.Errorf("claimed %+v, want attempt %d", j, n)
		}
		at = at.Add(time.Minute)
		must(t, st.Retry(t.Context(), j, at))
		wantNone(t, st, at.Add(-time.Microsecond))
	}
}

func retryYields(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon))
	old := claimOne(t, st, "w", noon)
	enqueue(t, st, jobs.Job{Kind: "k", Key: "a", RunAt: noon.Add(time.Hour), Payload: json.RawMessage(`"newer"`)})
	must(t, st.Retry(t.Context(), old, noon))
	wantNone(t, st, noon.Add(time.Minute))
	if j := claimOne(t, st, "w", noon.Add(time.Hour)); string(j.Payload) != `"newer"` {
		t.Errorf("claimed %+v", j)
	}
}

func freeAll(t *testing.T, st Store) {
	enqueue(t, st, job("a", noon), job("b", noon))
	claim(t, st, "dead", noon, 2)
	// b is there three times: leased, leased later, waiting.
	enqueue(t, st, job("b", noon))
	claimOne(t, st, "dead too", noon)
	enqueue(t, st, jobs.Job{Kind: "k", Key: "b", RunAt: noon, Payload: json.RawMessage(`"newest"`)})
	// c twice, both leased.
	enqueue(t, st, job("c", noon.Add(-time.Second)))
	claim(t, st, "dead", noon, 1)
	enqueue(t, st, jobs.Job{Kind: "k", Key: "c", RunAt: noon.Add(-time.Second), Payload: json.RawMessage(`"newest"`)})
	claim(t, st, "dead too", noon, 1)

	must(t, st.FreeAll(t.Context()))
	got := map[string]string{}
	for _, j := range claim(t, st, "w", noon, 10) {
		if _, twice := got[j.Key]; twice {
			t.Errorf("%s is there twice", j.Key)
		}
		got[j.Key] = string(j.Payload)
	}
	if len(got) != 3 || got["b"] != `"newest"` || got["c"] != `"newest"` {
		t.Errorf("claimed %v", got)
	}
}
