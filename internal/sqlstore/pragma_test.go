package sqlstore

import (
	"database/sql"
	"testing"
)

// A power cut cannot be tried here; what protects from it can be asked for.
func TestSQLiteConnectionsAreSetUpForMoney(t *testing.T) {
	t.Parallel()
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for name, db := range map[string]*sql.DB{"writer": st.w, "reader": st.r} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2" /* FULL */, "foreign_keys": "1", "trusted_schema": "0", "busy_timeout": "5000",
		} {
			var got string
			if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s is %q, %v; want %q", name, pragma, got, err, want)
			}
		}
	}
	if _, err := st.r.Exec(`DELETE FROM job`); err == nil {
		t.Error("a reader can write")
	}
	if n := st.w.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections write", n)
	}
}
