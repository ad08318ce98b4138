package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// openWriter is the one writing connection of a new store, by itself.
func openWriter(t *testing.T) (*Store, *sql.Conn) {
	t.Helper()
	st, err := Open(t.Context(), Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := st.w.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(), st.Close()) })
	return st, conn
}

func TestAStatementIsPreparedOnceForEachConnectionAndFewAreKept(t *testing.T) {
	t.Parallel()
	_, conn := openWriter(t)
	kept := func() (n int) {
		_ = conn.Raw(func(c any) error { n = len(c.(*preparedConn).kept); return nil })
		return n
	}
	before := kept()
	for range 10 {
		if err := conn.QueryRowContext(t.Context(), `SELECT $1 + 0`, 1).Scan(new(int)); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept() - before; n != 1 {
		t.Errorf("%d statements are kept of one text", n)
	}
	for i := range 3 * keepStatements {
		var got int
		if err := conn.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %d`, i)).Scan(&got); err != nil || got != i {
			t.Fatal(got, err)
		}
	}
	if n := kept(); n != keepStatements {
		t.Errorf("%d statements are kept, at most %d should be", n, keepStatements)
	}
}

func TestOneTextMayBeReadTwiceAtATime(t *testing.T) {
	t.Parallel()
	_, conn := openWriter(t)
	const query = `SELECT value FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3) WHERE value <> $1`
	outer, err := conn.QueryContext(t.Context(), query, 0)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for outer.Next() {
		var a, b int
		if err := outer.Scan(&a); err != nil {
			t.Fatal(err)
		}
		inner, err := conn.QueryContext(t.Context(), query, a)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			if err := inner.Scan(&b); err != nil {
				t.Fatal(err)
			}
			said += fmt.Sprint(a, b, ";")
		}
		if err := inner.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(outer.Err(), outer.Close()); err != nil || said != "1 2;1 3;2 1;2 3;3 1;3 2;" {
		t.Error(said, err)
	}
}

// SQLite may have rolled back by itself: what came next would be committed without what came before.
func TestNothingRunsInATransactionAfterAStatementFailed(t *testing.T) {
	t.Parallel()
	st, conn := openWriter(t)
	if _, err := conn.ExecContext(t.Context(), `CREATE TABLE p (x INTEGER PRIMARY KEY CHECK (x < 10)); CREATE TABLE gone (x)`); err != nil {
		t.Fatal(err)
	}
	has := func(want string) {
		t.Helper()
		var got string
		if err := st.r.QueryRow(`SELECT COALESCE(group_concat(x), '') FROM p`).Scan(&got); err != nil || got != want {
			t.Errorf("the table has %q, %v; want %q", got, err, want)
		}
	}
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) error {
		_, err := tx.Exec(query)
		return err
	}
	if err := errors.Join(exec(`INSERT INTO p VALUES (1)`), exec(`INSERT INTO p VALUES (2)`)); err != nil {
		t.Fatal(err)
	}
	if exec(`INSERT INTO p VALUES (2)`) == nil || exec(`INSERT INTO p VALUES (11)`) == nil {
		t.Fatal("constraints do not hold")
	}
	if err := errors.Join(exec(`INSERT INTO p VALUES (3)`), tx.Commit()); err != nil {
		t.Fatal("a violated constraint undoes its statement alone:", err)
	}
	has("1,2,3")

	if tx, err = conn.BeginTx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := exec(`INSERT INTO p VALUES (4)`); err != nil {
		t.Fatal(err)
	}
	if exec(`INSERT INTO nowhere VALUES (1)`) == nil {
		t.Fatal("a table that is not there takes rows")
	}
	if err := exec(`INSERT INTO p VALUES (5)`); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error("a statement ran after another had failed:", err)
	}
	if tx.Commit() == nil {
		t.Error("a transaction was committed though a statement of it had failed")
	}
	has("1,2,3")

	if tx, err = conn.BeginTx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(exec(`INSERT INTO p VALUES (6)`), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	has("1,2,3,6")
}

func TestAKeptStatementOutlivesAChangeOfItsTable(t *testing.T) {
	t.Parallel()
	_, conn := openWriter(t)
	for _, query := range []string{
		`CREATE TABLE p (x)`, `INSERT INTO p VALUES (1)`, `ALTER TABLE p ADD COLUMN y`, `INSERT INTO p VALUES (2, 3)`,
		`CREATE INDEX p_x ON p (x)`, `DELETE FROM p WHERE x = 2`, `DROP INDEX p_x`, `DELETE FROM p WHERE x = 2`, `INSERT INTO p VALUES (2, 3)`,
	} {
		if _, err := conn.ExecContext(t.Context(), query); err != nil {
			t.Fatal(query, err)
		}
	}
}
