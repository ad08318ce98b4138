package sqlstore_test

import (
	"database/sql"
	"errors"
	"strconv"
	"testing"
	"time"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook/webhooktest"
	"tollgate/session"
)

func TestSQLiteKeepsTheContractOfWebhooks(t *testing.T) {
	t.Parallel()
	webhooktest.Run(t, func(t *testing.T) webhooktest.Store {
		return webhooks(quick(t, sqlstore.Options{Dir: t.TempDir()}))
	})
}

func TestPostgreSQLKeepsTheContractOfWebhooks(t *testing.T) {
	t.Parallel()
	webhooktest.Run(t, func(t *testing.T) webhooktest.Store {
		return webhooks(open(t, sqlstore.Options{URL: pgtest.Start(t)}))
	})
}

func webhooks(st *sqlstore.Store) webhooktest.Store {
	return webhooktest.Store{Store: st.Webhooks(), Happen: func(t *testing.T, s webhooktest.Session, types ...string) {
		t.Helper()
		happen(t, st, s, types...)
	}}
}

func happen(t *testing.T, st *sqlstore.Store, s webhooktest.Session, types ...string) {
	t.Helper()
	stored, err := st.Load(t.Context(), s.ID)
	if errors.Is(err, session.ErrNotFound) {
		stored = &session.Session{ID: s.ID, Merchant: s.Merchant, WebhookURL: s.WebhookURL, Account: "acc", OrderID: s.ID, CreatedAt: noon}
		err = st.Create(t.Context(), stored, session.Change{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range types {
		stored.LastEvent++
		e := session.Event{N: stored.LastEvent, Type: session.EventType(kind), At: noon, Data: []byte(`{"status":"open"}`)}
		if err := st.Save(t.Context(), stored, session.Change{Events: []session.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
}

// What happened to an endpoint stands in the merchant's one history, after what caused it.
func TestEventsAboutEndpointsAreInTheHistory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		w := webhooks(st)
		happen(t, st, webhooktest.Session{ID: "s", Merchant: "shop"}, "before")
		if got := history(t, st, "shop", 0); len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		webhooktest.MakeFail(t, w, "shop", "e", "s")
		happen(t, st, webhooktest.Session{ID: "rival", Merchant: "rival"}, "x")
		got := history(t, st, "shop", 1)
		if len(got) != 2 || got[1].Type != "webhook_endpoint.failing" || got[1].Subject != "e" || got[1].SessionID != "" || got[1].N != 1 || got[1].Pos <= got[0].Pos {
			t.Errorf("%+v", got)
		}
		if got[0].SessionID != "s" || got[0].Subject != "s" {
			t.Errorf("%+v", got[0])
		}
		if got := history(t, st, "rival", 0); len(got) != 1 || got[0].SessionID != "rival" {
			t.Errorf("of another merchant: %+v", got)
		}
	})
}

func history(t *testing.T, st *sqlstore.Store, merchant string, after int64) []sqlstore.Placed {
	t.Helper()
	list, err := st.History(t.Context(), merchant, after, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Rows that an earlier version wrote say nothing of their merchant. They are read as the others, and come to say it.
func TestEventsOfAnEarlierVersionAreReadAndGivenTheirMerchant(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		read := func() string {
			t.Helper()
			all := ""
			for _, owner := range []string{"shop", "rival"} {
				list, err := st.EventsAfter(t.Context(), owner, "", 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range list {
					all += e.ID() + " "
				}
				latest, err := st.LatestEvent(t.Context(), owner)
				if err != nil || latest != list[len(list)-1].ID() {
					t.Errorf("the latest of %s is %s, %v, not the last of %v", owner, latest, err, list)
				}
			}
			return all
		}
		unowned := func() (n int) {
			t.Helper()
			if err := st.DB().QueryRow(`SELECT COUNT(*) FROM event WHERE merchant IS NULL`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i := range 3 {
			for _, owner := range []string{"shop", "rival"} {
				happen(t, st, webhooktest.Session{ID: owner + strconv.Itoa(i), Merchant: owner}, "x", "y")
			}
			read()
		}
		webhooktest.MakeFail(t, webhooks(st), "shop", "e", "s")
		want := read()
		st.Exec(t, `UPDATE event SET merchant = NULL WHERE session = 'shop1' OR session = 'rival2'`) // placed by an earlier version
		if got := read(); got != want {
			t.Errorf("with some of an earlier version\n%s, want\n%s", got, want)
		}
		st.Exec(t, `UPDATE event SET merchant = NULL`)
		if got := read(); got != want {
			t.Errorf("with all of an earlier version\n%s, want\n%s", got, want)
		}
		all := unowned()
		for left := all; left > 0; left -= 5 {
			if n, err := st.Webhooks().Own(t.Context(), 5); err != nil || n != min(left, 5) || unowned() != left-n {
				t.Fatalf("%d of %d were given their merchant, %v", n, left, err)
			}
			if got := read(); got != want {
				t.Errorf("half way\n%s, want\n%s", got, want)
			}
		}
		if n, err := st.Webhooks().Own(t.Context(), 5); err != nil || n != 0 {
			t.Errorf("of none left: %d, %v", n, err)
		}
		happen(t, st, webhooktest.Session{ID: "shop1", Merchant: "shop"}, "z") // written by an earlier version, placed by this one
		st.Exec(t, `UPDATE event SET merchant = NULL WHERE pos IS NULL`)
		if read(); unowned() != 0 {
			t.Error("an event was given its place and not its merchant")
		}
	})
}

// A merchant whose sessions each name an address of their own has as many endpoints, and the feed reads those of the events
// at hand.
func TestAddressesThatSessionsNameAreSweptWithTheirDeliveries(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		w := st.Webhooks()
		for i := range 30 {
			happen(t, st, webhooktest.Session{ID: "s" + strconv.Itoa(i), Merchant: "shop", WebhookURL: "https://shop.example/" + strconv.Itoa(i)}, "x")
		}
		if n, err := w.Feed(t.Context(), noon, 100); err != nil || n != 30 {
			t.Fatal(n, err)
		}
		st.Exec(t, `UPDATE webhook_delivery SET state = 'delivered', ended_at = 1`)
		st.Exec(t, `UPDATE webhook_endpoint SET due_at = 0`)
		swept := 0
		for n := 7; n > 0; swept += n {
			var err error
			if n, err = w.Sweep(t.Context(), noon.Add(time.Hour), 7); err != nil || n > 7 {
				t.Fatal(n, err)
			}
		}
		var left int
		if err := st.DB().QueryRow(`SELECT COUNT(*) FROM webhook_endpoint`).Scan(&left); err != nil || left != 0 || swept != 60 {
			t.Errorf("%d endpoints are left, %v; swept %d deliveries and endpoints", left, err, swept)
		}
	})
}

func TestAStoreOfTheVersionBeforeIsTakenOverWithAllItHolds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		sqlstore.OpenAt(t, o, 7, func(db *sql.DB) {
			for _, statement := range []string{
				`INSERT INTO session (id, version, merchant, account, order_id, claims_order, order_disputed, status, created_at, expires_at, body)
					VALUES ('cs_1', 1, 'shop', 'acc', 'one', TRUE, FALSE, 'open', 1, 2, '{"id":"cs_1","merchant":"shop","account":"acc","order_id":"one"}')`,
				`INSERT INTO attempt (session, n, state, live, account, order_id, reference, body)
					VALUES ('cs_1', 1, 'declined', FALSE, 'acc', 'one', 'one-1', '{"n":1,"state":"declined","ref":{"Reference":"one-1"}}')`,
				`INSERT INTO event (session, n, type, at, data, pos) VALUES ('cs_1', 1, 'session.created', 1, '{}', 1)`,
				`INSERT INTO event (session, n, type, at, data) VALUES ('cs_1', 2, 'payment.declined', 2, '{}')`,
				`UPDATE event_place SET last = 1`,
				`INSERT INTO saved_card (id, merchant, account, customer, gateway_id, brand, first6, last4, expiry, name, series_id, created_at)
					VALUES ('sc_1', 'shop', 'acc', 'c-1', 'binding', 'visa', '400001', '0008', '12/30', 'blue', 'series', 5)`,
			} {
				if _, err := db.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
		})
		st := open(t, o)
		if c, err := st.SavedCard(t.Context(), "shop", "sc_1"); err != nil || c.GatewayID != "binding" || c.Name != "blue" || c.SeriesID != "series" {
			t.Errorf("the card: %+v, %v", c, err)
		}
		list, err := st.EventsAfter(t.Context(), "shop", "", 10)
		if err != nil || len(list) != 2 || list[0].Type != "session.created" || list[1].Pos != 2 {
			t.Errorf("the events: %+v, %v", list, err)
		}
		var taken *session.OrderTaken
		err = st.Create(t.Context(), &session.Session{ID: "cs_2", Merchant: "shop", Account: "acc", OrderID: "one"}, session.Change{})
		if !errors.As(err, &taken) || taken.SessionID != "cs_1" {
			t.Errorf("the order id: %v", err)
		}
		theirs := &session.Session{ID: "cs_3", Merchant: "rival", Account: "acc", OrderID: "one"}
		if err := st.Create(t.Context(), theirs, session.Change{}); err != nil || theirs.Reference(1) != "one-2" { // one-1 is the shop's
			t.Errorf("another merchant's reference: %s, %v", theirs.Reference(1), err)
		}
	})
}
