package sqlstore_test

import (
	"errors"
	"testing"

	"tollgate/internal/sqlstore"
)

func TestAStartOnANewerSchemaIsRefusedAndARunningStoreMayNotWrite(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		if err := st.Writable(t.Context()); err != nil {
			t.Errorf("on its own schema: %v", err)
		}
		st.Exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, TRUE)`)
		if err := st.Writable(t.Context()); !errors.Is(err, sqlstore.ErrNewer) {
			t.Errorf("while it runs: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlstore.Open(t.Context(), o); !errors.Is(err, sqlstore.ErrNewer) {
			t.Errorf("a start: %v", err)
		}
		if x, err := sqlstore.Examine(t.Context(), o); err != nil || !x.Newer {
			t.Errorf("a look: %+v, %v", x, err)
		}
	})
}

// During a rolling upgrade the machines of the older version work on.
func TestANewerSchemaThatDeclaresItselfCompatibleIsAccepted(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		st.Exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, TRUE)`)
		st.Exec(t, `INSERT INTO schema_reach (version, writable_from) VALUES (9001, 9)`)
		if err := st.Writable(t.Context()); err != nil {
			t.Errorf("while it runs: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		st = open(t, o)
		st.Exec(t, `UPDATE schema_reach SET writable_from = 9001`)
		if err := st.Writable(t.Context()); !errors.Is(err, sqlstore.ErrNewer) {
			t.Errorf("one that needs newer programs: %v", err)
		}
	})
}
