package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/internal/sqlstore"
)

// A front that outlives a failover has done a job in a history that is gone. The new primary, which remembers the claim and
// nothing of what followed it, must not lose the job by its end.
func TestTheEndOfAJobDoesNotCountInAnotherHistory(t *testing.T) {
	st := open(t, sqlstore.Options{Dir: t.TempDir(), NoSync: true})
	ctx := t.Context()
	if err := st.Enqueue(ctx, jobs.Job{Kind: "k", Key: "a", RunAt: noon}, jobs.Job{Kind: "k", Key: "b", RunAt: noon}); err != nil {
		t.Fatal(err)
	}
	claimed, err := st.Claim(ctx, "worker", noon, time.Minute, 2)
	if err != nil || len(claimed) != 2 {
		t.Fatal(claimed, err)
	}
	if err := st.Done(ctx, claimed[0]); err != nil {
		t.Fatal(err)
	}
	st.Depart()
	st.Exec(t, `PRAGMA user_version = 7`) // as after a failover
	if err := st.Done(ctx, claimed[1]); err != nil {
		t.Fatal(err)
	}
	st.Depart()
	again, err := st.Claim(ctx, "another", noon, time.Minute, 2)
	if err != nil || len(again) != 1 || again[0].Key != "b" {
		t.Fatalf("claimed %v, %v: want b alone", again, err)
	}
	if err := st.Done(ctx, again[0]); err != nil {
		t.Fatal(err)
	}
	if left, err := st.Claim(ctx, "another", noon.Add(time.Hour), time.Minute, 2); err != nil || len(left) > 0 {
		t.Fatalf("left %v, %v", left, err)
	}
}

func TestADatabaseTellsSinceWhenItHasOneHistory(t *testing.T) {
	now := noon
	st := open(t, sqlstore.Options{Dir: t.TempDir(), NoSync: true, Now: func() time.Time { return now }})
	check := func(what string, since, restored time.Time) {
		t.Helper()
		m, err := st.Memory(t.Context())
		if err != nil || !m.Since.Equal(since) || !m.Restored.Equal(restored) {
			t.Errorf("%s: %+v, %v; want %v, %v", what, m, err, since, restored)
		}
	}
	check("at the start", noon, time.Time{})
	now = noon.Add(time.Hour)
	check("after the start", noon, time.Time{})
	st.Exec(t, `PRAGMA user_version = 7`)
	check("when a failover is noticed", now, time.Time{})
	now = noon.Add(2 * time.Hour)
	check("later", noon.Add(time.Hour), time.Time{})
	if err := st.DeclareRestored(t.Context(), noon, now); err != nil {
		t.Fatal(err)
	}
	check("after a declared restore", now, now)
	if m, err := st.Memory(t.Context()); err != nil || !m.CopiedAt.Equal(noon) {
		t.Errorf("the copy is of %v, %v", m.CopiedAt, err)
	}
}

func TestWhatLetsPostgreSQLForgetIsSaid(t *testing.T) {
	for _, c := range []struct {
		commit, standbys, fsync, pages, want string
	}{
		{"on", "ANY 1 (a, b)", "on", "on", ""},
		{"remote_apply", "a", "on", "on", ""},
		{"on", "", "on", "on", "synchronous_standby_names"},
		{"off", "a", "on", "on", "synchronous_commit is off"},
		{"local", "a", "on", "on", "synchronous_commit is local"},
		{"on", "a", "off", "on", "fsync"},
		{"on", "a", "on", "off", "full_page_writes"},
	} {
		if got := sqlstore.JudgeDurability(c.commit, c.standbys, c.fsync, c.pages); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
