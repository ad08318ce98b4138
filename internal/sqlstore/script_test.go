package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
)

// sealedAnswer is a session with an answer of the bank that is sealed with an old key, as somebody loaded it.
func sealedAnswer(t *testing.T, st *sqlstore.Store) *session.Session {
	t.Helper()
	s := &session.Session{ID: "cs_sealed", Merchant: "shop", Account: "acc", OrderID: "sealed"}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	s.Attempts = []*session.Attempt{{N: 1, State: session.Calling, Runs: []*session.Run{{N: 1, Token: "sealed", Sealed: "old"}}}}
	if err := st.Save(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	loaded, err := st.Load(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Else a key that was retired because nothing is sealed with it any more would be needed again.
func TestWhoLoadedASessionBeforeItWasSealedAnewDoesNotSaveTheOldSeal(t *testing.T) {
	t.Parallel()
	st := open(t, sqlstore.Options{Dir: t.TempDir(), NoSync: true})
	before := sealedAnswer(t, st)
	var seen []sqlstore.Sealed
	if err := st.EachSealed(t.Context(), nil, func(one sqlstore.Sealed) error { seen = append(seen, one); return nil }); err != nil || len(seen) != 1 {
		t.Fatal(seen, err)
	}
	if done, err := st.Reseal(t.Context(), seen[0], "new"); !done || err != nil {
		t.Fatal(done, err)
	}
	if err := st.Save(t.Context(), before, session.Change{}); !errors.Is(err, session.ErrConflict) {
		t.Errorf("the old seal was saved: %v", err)
	}
	now, err := st.Load(t.Context(), before.ID)
	if err != nil || now.Attempts[0].Runs[0].Sealed != "new" {
		t.Errorf("%v, %+v", err, now.Attempts[0].Runs[0])
	}
	if done, err := st.Reseal(t.Context(), seen[0], "newer"); done || err != nil {
		t.Errorf("a row that has changed was sealed anew: %v, %v", done, err)
	}
	if again, err := st.Load(t.Context(), before.ID); err != nil || again.Version != now.Version {
		t.Errorf("%v: version %d became %d although nothing was changed", err, now.Version, again.Version)
	}
}

// afterAFailover: a version that was lost is made again, with something else in it.
func afterAFailover(t *testing.T, p *pgtest.Pair, here *sqlstore.Store) {
	t.Helper()
	p.Lag()
	change := func(st *sqlstore.Store, locale string) {
		t.Helper()
		s, err := st.Load(t.Context(), "cs_0")
		if err == nil {
			s.Locale = locale
			err = st.Save(t.Context(), s, session.Change{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(st *sqlstore.Store, want string) {
		t.Helper()
		for range 3 {
			s, err := st.Load(t.Context(), "cs_0")
			for tries := 0; err != nil && tries < 50; tries++ { // connections to the dead server
				s, err = st.Load(t.Context(), "cs_0")
			}
			if err != nil || s.Version != 3 || s.Locale != want {
				t.Fatalf("%v, %+v", err, s)
			}
			s.Locale = "the reader's own" // what is kept is not what was handed out
		}
	}
	change(here, "lost")
	is(here, "lost")
	there := open(t, sqlstore.Options{URL: p.URL(), Now: func() time.Time { return noon }})
	is(there, "lost")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.Promote()
	must(there.Close())
	there = open(t, sqlstore.Options{URL: p.URL(), Now: func() time.Time { return noon }})
	change(there, "made again")
	is(there, "made again")
	is(here, "made again")
}

// PostgreSQL refuses a notice of 8,000 bytes, and with it the change.
func TestANoticeIsShortHoweverLongTheNameOfWhatChanged(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 30, 200, 201, 10_000} {
		if said := sqlstore.NoticeOf(strings.Repeat("x", n)); len(said) > 250 {
			t.Errorf("a name of %d bytes is told in %d", n, len(said))
		}
	}
	o := sqlstore.Options{URL: pgtest.Start(t)}
	st := open(t, o)
	told, err := st.Tell(t.Context(), session.AccountEvent{Merchant: "shop", Subject: strings.Repeat("x", 2000), Type: "x", At: noon}, 0)
	if !told || err != nil {
		t.Error(told, err)
	}
}

// Leases, the pulse and browser sessions do not wait for the disk; all else does, whatever comes between.
func TestACrashOfPostgreSQLLosesNothingThatHasToLast(t *testing.T) {
	t.Parallel()
	p := pgtest.StartPair(t, false)
	st := open(t, sqlstore.Options{URL: p.URL(), Now: func() time.Time { return noon }})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	light := func() {
		t.Helper()
		must(st.Browser().CommitCtx(ctx, "token", []byte("x"), noon.Add(time.Hour)))
		must(st.Health(ctx))
		_, err := st.Claim(ctx, "worker", noon, time.Minute, 1)
		must(err)
		must(st.Extend(ctx, "worker", noon, time.Hour))
	}
	const sessions = 5
	call := session.Call{Attempt: 1, Kind: session.CallPay, Round: 1, SentAt: noon}
	rate := limit.Rate{N: 3, Per: time.Hour}
	for i := range sessions {
		s := &session.Session{ID: fmt.Sprintf("cs_%d", i), Merchant: "shop", Account: "acc", OrderID: fmt.Sprint(i)}
		light()
		must(st.Create(ctx, s, session.Change{Events: []session.Event{{N: 1, Type: "x", At: noon, Data: json.RawMessage(`{}`)}}}))
		light()
		s.Attempts = []*session.Attempt{{N: 1, State: session.Calling, Ref: providers.Ref{Reference: s.ID}, Runs: []*session.Run{{N: 1, Token: s.ID}}}}
		must(st.Save(ctx, s, session.Change{
			Calls: []session.Call{call}, Events: []session.Event{{N: 2, Type: "x", At: noon, Data: json.RawMessage(`{}`)}},
			Jobs: []session.Job{{Kind: "k", Key: s.ID, RunAt: noon.Add(time.Hour)}},
		}))
		light()
		_, err := st.Idempotency().Insert(ctx, merchant.Entry{Merchant: "shop", Key: s.ID, Token: "t", LeaseUntil: noon, Until: noon.Add(time.Hour)}, noon)
		must(err)
		light()
		_, err = st.Limits().Take(ctx, s.ID, rate, noon)
		must(err)
		must(st.Enqueue(ctx, jobs.Job{Kind: "other", Key: s.ID, RunAt: noon.Add(time.Hour)}))
	}
	light() // the last thing before the crash
	p.Crash()
	must(st.Close())
	st = open(t, sqlstore.Options{URL: p.URL(), Now: func() time.Time { return noon }})
	for i := range sessions {
		id := fmt.Sprintf("cs_%d", i)
		s, err := st.Load(ctx, id)
		must(err)
		if s.Version != 2 || len(s.Attempts) != 1 || len(s.Attempts[0].Calls) != 1 {
			t.Errorf("%s: version %d, %d attempts", id, s.Version, len(s.Attempts))
		}
		if events, err := st.Events(ctx, id, 0, 10); err != nil || len(events) != 2 {
			t.Errorf("%s: %d events, %v", id, len(events), err)
		}
		if got, err := st.Idempotency().Insert(ctx, merchant.Entry{Merchant: "shop", Key: id, Token: "u", LeaseUntil: noon, Until: noon.Add(time.Hour)}, noon); err != nil || got == nil {
			t.Errorf("%s: its key is free: %v, %v", id, got, err)
		}
	}
	afterAFailover(t, p, st)
	due, err := st.Claim(context.WithoutCancel(ctx), "next", noon.Add(2*time.Hour), time.Minute, 100)
	if err != nil || len(due) != 2*sessions {
		t.Errorf("%d jobs, %v", len(due), err)
	}
}
