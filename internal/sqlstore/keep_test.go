package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/session"
)

// In a rolling upgrade an older machine saves what a newer one has written.
func TestMembersOfANewerVersionSurviveASave(t *testing.T) {
	t.Parallel()
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now().Truncate(time.Microsecond)
	s := &session.Session{
		ID: "cs_1", Merchant: "shop", Account: "acc", Kind: "payment", OrderID: "o", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Login:      &session.Login{Phone: "77010000001"},
		Operations: []*session.Operation{{N: 1, Kind: "refund", State: session.OpSucceeded, Attempt: 1}},
		Attempts:   []*session.Attempt{{N: 1, State: session.Paid, Runs: []*session.Run{{N: 1, Token: "t"}}}},
	}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	newer := func(table, where, from, to string) {
		t.Helper()
		res, err := st.w.ExecContext(t.Context(), `UPDATE `+table+` SET body = REPLACE(body, $1, $2) WHERE `+where, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := res.RowsAffected(); n != 1 {
			t.Fatalf("%d rows of %s", n, table)
		}
	}
	newer("session", "id = 'cs_1'", fmt.Sprintf(`"v":%d`, session.BodyVersion), `"v":9,"new_session":{"deep":[1]}`)
	newer("session", "id = 'cs_1'", `"phone":`, `"new_login":true,"phone":`)
	newer("session", "id = 'cs_1'", `"kind":"refund"`, `"new_op":7,"kind":"refund"`)
	newer("attempt", "session = 'cs_1'", `"token":`, `"new_run":"r","token":`)
	newer("attempt", "session = 'cs_1'", `"state":`, `"new_attempt":"a","state":`)
	st.recent = newRecent() // as in another process
	loaded, err := st.Load(t.Context(), "cs_1")
	if err != nil {
		t.Fatal(err)
	}
	loaded.Login.Done = true
	loaded.Attempts[0].Refunded = 5
	loaded.Description = "changed"
	if err := st.Save(t.Context(), loaded, session.Change{}); err != nil {
		t.Fatal(err)
	}
	var body, attempt string
	if err := st.r.QueryRowContext(t.Context(), `SELECT s.body, a.body FROM session s, attempt a WHERE s.id = 'cs_1'`).Scan(&body, &attempt); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"new_session":{"deep":[1]}`, `"new_login":true`, `"new_op":7`, `"v":9`, `"description":"changed"`, `"done":true`} {
		if !strings.Contains(body, want) {
			t.Errorf("the session's body lacks %s: %s", want, body)
		}
	}
	for _, want := range []string{`"new_run":"r"`, `"new_attempt":"a"`, `"refunded":5`} {
		if !strings.Contains(attempt, want) {
			t.Errorf("the attempt's body lacks %s: %s", want, attempt)
		}
	}
	if !json.Valid([]byte(body)) || !json.Valid([]byte(attempt)) {
		t.Error("not JSON any more")
	}
}

func TestMembersThatWereTakenAwayStayAway(t *testing.T) {
	t.Parallel()
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now()
	s := &session.Session{
		ID: "cs_1", Merchant: "shop", Account: "acc", Kind: "payment", OrderID: "o", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		BodyVersion: 9, Description: "goes", Login: &session.Login{Phone: "1", Challenge: "goes too"},
	}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.w.ExecContext(t.Context(), fmt.Sprintf(`UPDATE session SET body = REPLACE(body, '"v":%d', '"v":9')`, session.BodyVersion)); err != nil {
		t.Fatal(err)
	}
	loaded, err := st.Load(t.Context(), "cs_1")
	if err != nil {
		t.Fatal(err)
	}
	loaded.Description, loaded.Login.Challenge = "", ""
	if err := st.Save(t.Context(), loaded, session.Change{}); err != nil {
		t.Fatal(err)
	}
	again, err := st.Load(t.Context(), "cs_1")
	if err != nil {
		t.Fatal(err)
	}
	if again.Description != "" || again.Login.Challenge != "" {
		t.Errorf("still there: %q, %q", again.Description, again.Login.Challenge)
	}
}
