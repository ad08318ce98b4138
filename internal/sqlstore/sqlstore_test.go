package sqlstore_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
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
	st, err := sqlstore.Open(t.Context(), o)
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

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		o := sqlstore.Options{Dir: t.TempDir()}
		return reopenable{open(t, o), o}
	})
}

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	o := sqlstore.Options{URL: pgtest.Start(t)}
	storetest.Run(t, func(t *testing.T) storetest.Store {
		st := open(t, o)
		execPostgres(t, o.URL, `TRUNCATE session, attempt, run, gateway_call, event, job, browser_session`)
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
