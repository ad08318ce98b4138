package e2e_test

import (
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the database is copied beside the running front
)

// copyDatabase copies the front's database as it is now; the front goes on.
func (f *front) copyDatabase(t *testing.T) (copied string) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "copy.db")
	db, err := sql.Open("sqlite", filepath.Join(f.order.Data, "tollgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `VACUUM INTO ?`, copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// restore kills the front, puts the copy in its database's place and lets it start again.
func (f *front) restore(copied string) {
	f.mu.Lock()
	f.between = func() error {
		file := filepath.Join(f.order.Data, "tollgate.db")
		raw, err := os.ReadFile(copied)
		if err != nil {
			return err
		}
		return errors.Join(os.RemoveAll(file+"-wal"), os.RemoveAll(file+"-shm"), os.WriteFile(file, raw, 0o600))
	}
	f.mu.Unlock()
	f.kill()
}

// A restored database may lack payments that were made: their shoppers, paying again, are not charged again.
func TestAfterARestoreOfAnOlderDatabaseNobodyIsChargedTwice(t *testing.T) {
	t.Parallel()
	w, f := startFront(t, "")
	gateways := []string{"rbs", "payneteasy", "transactworld", "cashier"}
	cards := map[string]string{"no 3-D Secure": cardPlain, "challenge": cardChallenge}
	open := map[string]sessionView{}
	for _, gateway := range gateways {
		for name := range cards {
			open[gateway+", "+name] = w.create(t, gateway, map[string]any{"expires_in": 86400, "currency": operatorOf(gateway).currency})
		}
	}
	copied := f.copyDatabase(t)
	for name, s := range open {
		_, kind, _ := strings.Cut(name, ", ")
		if end := newVisitor(t).walk(t, s.URL, cards[kind], func() { f.move(w, 4*time.Second) }); !end.paid() {
			t.Fatalf("%s: not paid before the restore", name)
		}
	}
	f.restore(copied)
	for name, s := range open {
		_, kind, _ := strings.Cut(name, ", ")
		if got := w.session(t, s.ID); got.Status != "open" {
			t.Fatalf("%s: after the restore the session is %s", name, got.Status)
		}
		v := newVisitor(t)
		if end := v.walk(t, s.URL, cards[kind], func() { f.move(w, 32*time.Second) }); !end.paid() {
			t.Errorf("%s: the shopper who pays again ends on %q", name, strings.Join(strings.Fields(end.Doc.Find("main").Text()), " "))
		}
		if n := w.charges(t, s.OrderID); n != 1 {
			t.Errorf("%s: charged %d times", name, n)
		}
		if got := settled(t, w, s.ID, s.OrderID); got.Status != "paid" {
			t.Errorf("%s: session %s", name, got.Status)
		}
		v.calm(t)
	}
}

// A session that was lost with the restore is made again by the shop under its order id: nothing of the new one proves that
// the money under the number is its own.
func TestASessionThatWasLostWithARestoreIsNotPaidAgainUnderItsOrderID(t *testing.T) {
	t.Parallel()
	w, again := lostAndMadeAgain(t, "rbs")
	v := newVisitor(t)
	page, err := v.get(again.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = v.pay(page, cardPlain); err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "the session waits for a person", func() bool {
		w.move(32 * time.Second)
		for _, e := range w.events(t, again.ID) {
			if e.Type == "payment.needs_review" {
				return true
			}
		}
		return false
	})
	got := w.session(t, again.ID)
	if got.OutcomeKnown || got.Status == "paid" || len(got.Attempts) != 1 || w.charges(t, again.OrderID) != 1 {
		t.Errorf("session %s, outcome known %v, %d attempts, charged %d times",
			got.Status, got.OutcomeKnown, len(got.Attempts), w.charges(t, again.OrderID))
	}
	var told struct {
		Attempts []struct {
			HeldFor     string `json:"held_for"`
			NeedsReview bool   `json:"needs_review"`
		}
	}
	if w.api(t, "GET", "/v1/sessions/"+again.ID, nil, &told); len(told.Attempts) != 1 || told.Attempts[0].HeldFor == "" || !told.Attempts[0].NeedsReview {
		t.Errorf("the merchant is told %+v", told)
	}
	if page, err = v.get(again.URL); err != nil || page.kind() == "card" {
		t.Errorf("the page shown is %s, %v", page.kind(), err)
	}
}

// Where the gateway keeps no mark of ours, the card that paid is one: the money is this order's, and is not taken again.
func TestASessionThatWasLostWithARestoreIsPaidByTheMoneyOfTheSameCard(t *testing.T) {
	t.Parallel()
	w, again := lostAndMadeAgain(t, "payneteasy")
	v := newVisitor(t)
	if end := v.walk(t, again.URL, cardPlain, func() { w.move(32 * time.Second) }); !end.paid() {
		t.Errorf("the shopper ends on %q", strings.Join(strings.Fields(end.Doc.Find("main").Text()), " "))
	}
	got := settled(t, w.world, again.ID, again.OrderID)
	if got.Status != "paid" || len(got.Attempts) != 1 || w.charges(t, again.OrderID) != 1 {
		t.Errorf("session %s, %d attempts, charged %d times", got.Status, len(got.Attempts), w.charges(t, again.OrderID))
	}
	v.calm(t)
}

// restored is a world whose front has an older database than its gateways know.
type restored struct {
	*world
	front *front
}

func (r restored) move(d time.Duration) { r.front.move(r.world, d) }

// lostAndMadeAgain pays a session with cardPlain, loses it with a restore, and makes it again under its order id.
func lostAndMadeAgain(t *testing.T, account string) (restored, sessionView) {
	t.Helper()
	w, f := startFront(t, "")
	copied := f.copyDatabase(t)
	lost := w.create(t, account, nil)
	if end := newVisitor(t).walk(t, lost.URL, cardPlain, func() { f.move(w, 4*time.Second) }); !end.paid() {
		t.Fatal("not paid before the restore")
	}
	f.restore(copied)
	return restored{w, f}, w.create(t, account, map[string]any{"order_id": lost.OrderID, "expires_in": 86400})
}

// What a restored database lacks is found by the gateway's own list: exactly the payments that were made after the copy.
func TestAfterARestoreReconciliationListsExactlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	w, f := startFront(t, "")
	from := time.Now().Add(-time.Hour)
	type side struct{ State string }
	reconcile := func(account string) (differ map[string]string, source string) {
		t.Helper()
		var report struct {
			Source      string
			Complete    bool
			Differences []struct {
				Kind, Reference string
				Theirs          side
			}
		}
		body := map[string]any{"from": from.Format(time.RFC3339), "to": time.Now().Add(48 * time.Hour).Format(time.RFC3339)}
		if code := w.api(t, "POST", "/v1/accounts/"+account+"/reconcile", body, &report); code != 200 || !report.Complete {
			t.Fatalf("%s: answered %d %+v", account, code, report)
		}
		differ = map[string]string{}
		for _, d := range report.Differences {
			differ[d.Reference] = d.Kind
		}
		return differ, report.Source
	}
	// The list of sber is its customer's: who pays after the restore logs in anew, and then all of theirs is there.
	gateways, phone := []string{"rbs", "transactworld", "cashier", "sber"}, phoneOf()
	pay := func(gateway string) sessionView {
		t.Helper()
		s := w.create(t, gateway, map[string]any{"expires_in": 86400, "currency": operatorOf(gateway).currency})
		v := newVisitor(t)
		v.phone = phone
		if end := v.walk(t, s.URL, cardPlain, func() { f.move(w, 4*time.Second) }); !end.paid() {
			t.Fatalf("%s: not paid", gateway)
		}
		settled(t, w, s.ID, s.OrderID)
		return s
	}
	for _, gateway := range gateways {
		pay(gateway)
	}
	copied := f.copyDatabase(t)
	lost := map[string]map[string]string{}
	for _, gateway := range gateways {
		lost[gateway] = map[string]string{}
		for range 2 {
			lost[gateway][pay(gateway).OrderID+"-1"] = "missing_here"
		}
	}
	for _, gateway := range gateways {
		if got, source := reconcile(gateway); len(got) != 0 || source != "list" {
			t.Errorf("%s, before the restore: %v by %s", gateway, got, source)
		}
	}
	f.restore(copied)
	pay("sber")
	for _, gateway := range gateways {
		if got, source := reconcile(gateway); !maps.Equal(got, lost[gateway]) {
			t.Errorf("%s: %v by %s, want %v", gateway, got, source, lost[gateway])
		}
	}
}
