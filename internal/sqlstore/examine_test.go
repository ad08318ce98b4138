package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
)

func TestExaminingAStoreChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	x, err := sqlstore.Examine(t.Context(), sqlstore.Options{Dir: dir})
	if err != nil || !x.Missing || x.Pending == 0 {
		t.Errorf("where nothing is: %+v, %v", x, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the look made the folder")
	}

	url := pgtest.Start(t)
	x, err = sqlstore.Examine(t.Context(), sqlstore.Options{URL: url})
	if err != nil || !x.Missing || x.Pending == 0 {
		t.Errorf("an empty database: %+v, %v", x, err)
	}
	again, err := sqlstore.Examine(t.Context(), sqlstore.Options{URL: url})
	if err != nil || !again.Missing || again.Pending != x.Pending {
		t.Errorf("the look made tables: %+v, %v", again, err)
	}
}

func TestExaminingAStoreTellsWhetherItIsReady(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		x, err := sqlstore.Examine(t.Context(), o)
		if err != nil || x.Missing || x.Pending != 0 || x.Newer || x.Ahead.Abs() > time.Second || x.InUse != (o.URL == "") {
			t.Errorf("while it is in use: %+v, %v", x, err)
		}
		if err := st.Health(t.Context()); err != nil {
			t.Errorf("the look disturbed it: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if x, err = sqlstore.Examine(t.Context(), o); err != nil || x.InUse {
			t.Errorf("afterwards: %+v, %v", x, err)
		}
		open(t, o) // the look holds no lock
	})
}

func TestADamagedFileIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tollgate.db"), []byte("this is no database, whatever its name says; it is long enough to be one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err := sqlstore.Examine(t.Context(), sqlstore.Options{Dir: dir}); err == nil {
		t.Errorf("%+v", x)
	}
}
