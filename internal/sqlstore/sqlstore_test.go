package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/jobs"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/storetest"
)

// reopenable is a store as the suite wants it.
type reopenable struct {
	*sqlstore.Store
	options sqlstore.Options
}

func (r reopenable) Reopen(t *testing.T) storetest.Store {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return reopenable{open(t, r.options), r.options}
}

func open(t testing.TB, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	return opened(t)(sqlstore.Open(t.Context(), o))
}

// quick opens a store that begins as a copy; what it was opened with opens it again.
func quick(t testing.TB, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	return opened(t)(sqlitetest.Open(t.Context(), o))
}

func opened(t testing.TB) func(st *sqlstore.Store, err error) *sqlstore.Store {
	return func(st *sqlstore.Store, err error) *sqlstore.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		return st
	}
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store {
		o := sqlstore.Options{Dir: t.TempDir(), NoSync: true}
		return reopenable{quick(t, o), o}
	})
}

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	t.Parallel()
	o := sqlstore.Options{URL: pgtest.Start(t)}
	storetest.Run(t, func(t *testing.T) storetest.Store {
		st := open(t, o)
		execPostgres(t, o.URL, `TRUNCATE session, attempt, run, gateway_call, event, job, browser_session, invoice, card_order, met_customer, credential, saved_card, account_event`)
		return reopenable{st, o}
	})
}

func execPostgres(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// engines runs a test on both.
func engines(t *testing.T, test func(t *testing.T, o sqlstore.Options)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqlstore.Options{Dir: t.TempDir(), NoSync: true}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, sqlstore.Options{URL: pgtest.Start(t)}) })
}

func create(t testing.TB, st *sqlstore.Store, id string) *session.Session {
	t.Helper()
	s := &session.Session{ID: id, Merchant: "shop", Account: "acc", OrderID: "order-" + id, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestADataFolderIsUsedByOneProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	first := open(t, sqlstore.Options{Dir: dir})
	_, err := sqlstore.Open(t.Context(), sqlstore.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another Tollgate is using it") || !strings.Contains(err.Error(), dir) {
		t.Fatalf("second opening: %v", err)
	}
	create(t, first, "a") // the first is not disturbed
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, sqlstore.Options{Dir: dir})
	if _, err := second.Load(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	st := open(t, sqlstore.Options{Dir: dir})
	create(t, st, "a")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f.Name(), info.Mode())
		}
	}
	if len(files) < 3 { // lock, database, WAL
		t.Errorf("files: %v", files)
	}
}

func TestAFolderWithOddCharactersIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?c#d%41ж&_txlock=deferred")
	open(t, sqlstore.Options{Dir: dir})
	if _, err := os.Stat(filepath.Join(dir, "tollgate.db")); err != nil {
		t.Error(err)
	}
}

func TestStartingOnSQLiteFreesLeases(t *testing.T) {
	t.Parallel()
	o := sqlstore.Options{Dir: t.TempDir()}
	st := open(t, o)
	if err := st.Enqueue(t.Context(), jobs.Job{Kind: "k", Key: "a", RunAt: noon}); err != nil {
		t.Fatal(err)
	}
	if js, err := st.Claim(t.Context(), "killed", noon, time.Hour, 1); err != nil || len(js) != 1 {
		t.Fatal(js, err)
	}
	st.Close()
	if js, err := open(t, o).Claim(t.Context(), "next", noon, time.Hour, 1); err != nil || len(js) != 1 {
		t.Errorf("claimed %v, %v", js, err)
	}
}

func TestWhatIsDueSoonIsDueNowAndNothingElse(t *testing.T) {
	t.Parallel()
	st := open(t, sqlstore.Options{Dir: t.TempDir()})
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for key, j := range map[string]jobs.Job{
		"soon": {Kind: "a", RunAt: now.Add(30 * time.Second)}, "later": {Kind: "a", RunAt: now.Add(2 * time.Minute)}, "another": {Kind: "b", RunAt: now.Add(30 * time.Second)},
	} {
		j.Key, j.Payload = key, []byte("{}")
		if err := st.Enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.RunNow(t.Context(), now, now.Add(time.Minute), "a"); err != nil {
		t.Fatal(err)
	}
	due, err := st.Claim(t.Context(), "w", now, time.Second, 10)
	if err != nil || len(due) != 1 || due[0].Key != "soon" {
		t.Errorf("due now: %v %v", due, err)
	}
}

func TestOtherDatabasesAreRefusedAndPasswordsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mysql://u:secret@localhost/x", "postgres://u:secret@localhost:port/x", "postgres://u:secret@127.0.0.1:1/x"} {
		_, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

// heard collects what a store's callbacks say.
type heard struct {
	mu       sync.Mutex
	sessions []string
	jobs     int
	more     chan struct{}
}

func newHeard(o *sqlstore.Options) *heard {
	h := &heard{more: make(chan struct{}, 100)}
	o.OnSession = func(id string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sessions = append(h.sessions, id)
		h.more <- struct{}{}
	}
	o.OnJobs = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.jobs++
		h.more <- struct{}{}
	}
	return h
}

// until waits for cond, looking again whenever something was heard.
func (h *heard) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		ok := cond()
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-h.more:
		case <-limit:
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("%s was not heard; heard of sessions %v and %d times of jobs", what, h.sessions, h.jobs)
		}
	}
}

func TestNobodyIsWokenForAJobWhoseTimeHasNotCome(t *testing.T) {
	t.Parallel()
	o := sqlstore.Options{Dir: t.TempDir(), NoSync: true, Now: func() time.Time { return noon }}
	h := newHeard(&o)
	st := open(t, o)
	s := &session.Session{ID: "cs_1", Merchant: "shop", Account: "acc", OrderID: "o"}
	later := []session.Job{{Kind: "k", Key: "later", RunAt: noon.Add(1)}}
	if err := st.Create(t.Context(), s, session.Change{Jobs: later}); err != nil {
		t.Fatal(err)
	}
	if err := st.Save(t.Context(), s, session.Change{Jobs: later}); err != nil {
		t.Fatal(err)
	}
	if h.jobs != 0 {
		t.Errorf("woken %d times", h.jobs)
	}
	if err := st.Save(t.Context(), s, session.Change{Jobs: append(later, session.Job{Kind: "k", Key: "now", RunAt: noon})}); err != nil {
		t.Fatal(err)
	}
	if h.jobs != 1 {
		t.Errorf("woken %d times for a job that is due", h.jobs)
	}
}

func TestWhoCommitsIsToldAtOnceAndNobodyIsToldOfAFailure(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		h := newHeard(&o)
		st := open(t, o)
		if st.Health(t.Context()) != nil { // a write that changes no session
			t.Fatal("not healthy")
		}
		s := create(t, st, "a")
		old := *s
		if err := st.Save(t.Context(), s, session.Change{Jobs: []session.Job{{Kind: "k", Key: "a", RunAt: noon}}}); err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		if !slices.Equal(h.sessions, []string{"a", "a"}) || h.jobs < 1 {
			t.Errorf("heard of sessions %v and %d times of jobs", h.sessions, h.jobs)
		}
		h.mu.Unlock()
		if err := st.Save(t.Context(), &old, session.Change{}); err == nil {
			t.Fatal("an old version was saved")
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.sessions) != 2 {
			t.Errorf("heard of sessions %v", h.sessions)
		}
	})
}

func TestProcessesOnPostgreSQLHearEachOther(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	o := sqlstore.Options{URL: url}
	h := newHeard(&o)
	open(t, o)
	other := open(t, sqlstore.Options{URL: url})
	h.until(t, "that the ear is open", func() bool { return h.jobs > 0 })
	jobsBefore := h.jobs

	s := create(t, other, "a")
	h.until(t, "the session", func() bool { return slices.Contains(h.sessions, "a") })
	if err := other.Save(t.Context(), s, session.Change{Jobs: []session.Job{{Kind: "k", Key: "a", RunAt: noon}}}); err != nil {
		t.Fatal(err)
	}
	h.until(t, "the job", func() bool { return h.jobs > jobsBefore && len(h.sessions) == 2 })

	// A broken connection is made again, and what may have been missed is looked for.
	jobsBefore = h.jobs
	execPostgres(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE query = 'LISTEN tollgate' AND datname = current_database()`)
	h.until(t, "the connection made again", func() bool { return h.jobs > jobsBefore })
	create(t, other, "b")
	h.until(t, "the next session", func() bool { return slices.Contains(h.sessions, "b") })
}

func TestProcessesStartingAtOnceMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			st, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Options{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(st.Health(context.WithoutCancel(t.Context())), st.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestHealthIsAWriteThatArrives(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		if err := st.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		st.Close()
		if err := st.Health(t.Context()); err == nil {
			t.Error("a closed store is healthy")
		}
	})
	t.Run("a standby that answers reads is not healthy", func(t *testing.T) {
		url := pgtest.Start(t)
		open(t, sqlstore.Options{URL: url})
		st := open(t, sqlstore.Options{URL: url + "&default_transaction_read_only=on"})
		if err := st.Health(t.Context()); err == nil {
			t.Error("a store that takes no writes is healthy")
		}
	})
}

func TestTheBacklogIsCounted(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		o.Now = func() time.Time { return noon }
		st := open(t, o)
		if b, err := st.Backlog(t.Context()); err != nil || b != (jobs.Backlog{}) {
			t.Errorf("of nothing: %+v, %v", b, err)
		}
		var js []jobs.Job
		for i, at := range []time.Duration{-time.Minute, -30 * time.Second, 0, time.Microsecond, time.Hour} {
			js = append(js, jobs.Job{Kind: "k", Key: string(rune('a' + i)), RunAt: noon.Add(at)})
		}
		if err := st.Enqueue(t.Context(), js...); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Claim(t.Context(), "w", noon, time.Minute, 1); err != nil {
			t.Fatal(err)
		}
		b, err := st.Backlog(t.Context())
		if want := (jobs.Backlog{Due: 2, Later: 2, Leased: 1, Oldest: 30 * time.Second}); err != nil || b != want {
			t.Errorf("got %+v, %v; want %+v", b, err, want)
		}
	})
}

func TestBrowserSessions(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		now := noon
		o.Now = func() time.Time { return now }
		b := open(t, o).Browser()
		ctx := t.Context()
		want := func(token, data string) {
			t.Helper()
			got, found, err := b.FindCtx(ctx, token)
			if err != nil || found != (data != "") || string(got) != data {
				t.Errorf("%s: %q, %v, %v; want %q", token, got, found, err, data)
			}
		}
		commit := func(token, data string, expiry time.Time) {
			t.Helper()
			if err := b.CommitCtx(ctx, token, []byte(data), expiry); err != nil {
				t.Fatal(err)
			}
		}
		want("a", "")
		commit("a", "one\x00\xff", noon.Add(time.Minute))
		commit("b", "other", noon.Add(time.Hour))
		want("a", "one\x00\xff")
		commit("a", "two", noon.Add(2*time.Minute))
		want("a", "two")
		now = noon.Add(2 * time.Minute)
		want("a", "")
		want("b", "other")
		if err := b.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		now = noon
		want("a", "") // swept, not only hidden
		want("b", "other")
		for range 2 { // an unknown token is no error
			if err := b.DeleteCtx(ctx, "b"); err != nil {
				t.Fatal(err)
			}
		}
		want("b", "")

		if err := b.Commit("c", []byte("no context"), noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, found, err := b.Find("c"); err != nil || !found || string(got) != "no context" {
			t.Errorf("%q, %v, %v", got, found, err)
		}
		if err := b.Delete("c"); err != nil {
			t.Fatal(err)
		}
		want("c", "")
	})
}

// A reader that goes on from the last place it saw must see every event once, in each session's order, though writers
// commit in another order than they began.
func TestWhoReadsOnFromAPlaceMissesNoEvent(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		const writers, each = 6, 15
		st := open(t, o)
		var writing sync.WaitGroup
		for w := range writers {
			s := create(t, st, string(rune('a'+w)))
			writing.Go(func() {
				for i := range each {
					if err := st.Save(t.Context(), s, session.Change{Events: []session.Event{{N: i + 1, Type: "x", At: noon}}}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		rival := &session.Session{ID: "rival", Merchant: "rival", Account: "acc", OrderID: "r"}
		if err := st.Create(t.Context(), rival, session.Change{Events: []session.Event{{N: 1, Type: "x", At: noon}}}); err != nil {
			t.Fatal(err)
		}
		written := make(chan struct{})
		go func() { writing.Wait(); close(written) }()
		var reading sync.WaitGroup
		for range 2 {
			reading.Go(func() {
				last := map[string]int{}
				var pos int64
				all := 0
				for over := false; ; {
					select {
					case <-written:
						over = true
					default:
					}
					page, err := st.History(t.Context(), "shop", pos, 10)
					if err != nil {
						t.Error(err)
						return
					}
					for _, p := range page {
						if p.Pos <= pos || p.N != last[p.SessionID]+1 {
							t.Errorf("place %d after %d, event %d of %s after %d", p.Pos, pos, p.N, p.SessionID, last[p.SessionID])
						}
						pos, last[p.SessionID] = p.Pos, p.N
						all++
					}
					if over && len(page) == 0 {
						break
					}
				}
				if all != writers*each {
					t.Errorf("read %d events, want %d", all, writers*each)
				}
			})
		}
		reading.Wait()
	})
}

// A claim made between the look and the write is seen at the second try, on the engine where that can happen.
func TestALateApprovalIsSavedWhileTheOrderIDIsBeingClaimed(t *testing.T) {
	t.Parallel()
	st := open(t, sqlstore.Options{URL: pgtest.Start(t)})
	for round := range 20 {
		id := strconv.Itoa(round)
		paid := create(t, st, "paid-"+id)
		paid.Attempts = []*session.Attempt{{N: 1, State: session.Abandoned, Ref: providers.Ref{Reference: id}}}
		paid.ClosedReason = session.Expired
		if err := st.Save(t.Context(), paid, session.Change{}); err != nil {
			t.Fatal(err)
		}
		paid.Attempts[0].State = session.Paid
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := st.Save(t.Context(), paid, session.Change{}); err != nil {
				t.Errorf("the approval: %v", err)
			}
		})
		wg.Go(func() {
			next := &session.Session{ID: "next-" + id, Merchant: "shop", Account: "acc", OrderID: paid.OrderID}
			if err := st.Create(t.Context(), next, session.Change{}); err != nil && !errors.Is(err, session.ErrOrderTaken) {
				t.Errorf("the next session: %v", err)
			}
		})
		wg.Wait()
	}
}

func TestAMerchantHasOneTagForEverWhoeverAsksFirst(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		tags := map[string]string{}
		for i := range 20 {
			owner := "m" + strconv.Itoa(i)
			var mu sync.Mutex
			var wg sync.WaitGroup
			got := map[string]bool{}
			for range 4 {
				wg.Go(func() {
					tag, err := st.Tag(t.Context(), owner)
					mu.Lock()
					defer mu.Unlock()
					if got[tag] = true; err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if len(got) != 1 {
				t.Fatalf("%s has %v", owner, got)
			}
			for tag := range got {
				if len(tag) != 4 || strings.Trim(tag, "0123456789abcdefghijklmnopqrstuvwxyz") != "" || tags[tag] != "" {
					t.Errorf("%s has %q, which is %q's", owner, tag, tags[tag])
				}
				tags[tag] = owner
			}
		}
		st.Close()
		again := open(t, o)
		for tag, owner := range tags {
			if got, err := again.Tag(t.Context(), owner); err != nil || got != tag {
				t.Errorf("%s has %q now, had %q: %v", owner, got, tag, err)
			}
		}
	})
}
