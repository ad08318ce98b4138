package sqlstore_test

import (
	"errors"
	"testing"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook/webhooktest"
	"tollgate/session"
)

func TestSQLiteKeepsTheContractOfWebhooks(t *testing.T) {
	webhooktest.Run(t, func(t *testing.T) webhooktest.Store {
		return webhooks(open(t, sqlstore.Options{Dir: t.TempDir()}))
	})
}

func TestPostgreSQLKeepsTheContractOfWebhooks(t *testing.T) {
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
		e := session.Event{N: stored.LastEvent, Type: kind, At: noon, Data: []byte(`{"status":"open"}`)}
		if err := st.Save(t.Context(), stored, session.Change{Events: []session.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
}

// What happened to an endpoint stands in the merchant's one history, after what caused it.
func TestEventsAboutEndpointsAreInTheHistory(t *testing.T) {
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
