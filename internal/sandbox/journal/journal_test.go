package journal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func put(t *testing.T, j *Journal, bucket, key string, v any) {
	t.Helper()
	if err := j.Put(bucket, key, v); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, j *Journal, bucket string) []string {
	t.Helper()
	var out []string
	err := j.Each(bucket, func(key string, raw json.RawMessage) error {
		out = append(out, key+"="+string(raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEntriesSurviveAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "journal")
	j := open(t, path) // never closed before the next open, as after kill -9
	put(t, j, "orders", "b", 1)
	put(t, j, "orders", "a", map[string]int{"n": 1})
	put(t, j, "orders", "b", 2)
	put(t, j, "other", "a", "x\ny")
	if err := j.Delete("other", "a"); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if diff := cmp.Diff([]string{"b=2", `a={"n":1}`}, all(t, again, "orders")); diff != "" {
		t.Error(diff)
	}
	if got := all(t, again, "other"); got != nil {
		t.Errorf("deleted key came back: %v", got)
	}
}

func TestATornLastLineIsDroppedAndTheRestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	put(t, j, "b", "kept", "yes")
	put(t, j, "b", "torn", "no")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for cut := 1; cut <= len(lines[1]); cut++ { // every place at which a write can have stopped, but its end
		torn := lines[0] + lines[1][:len(lines[1])-cut]
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, path)
		if diff := cmp.Diff([]string{`kept="yes"`}, all(t, again, "b")); diff != "" {
			t.Fatalf("cut %d: %s", cut, diff)
		}
		put(t, again, "b", "next", 1) // must not be glued to the torn rest
		if diff := cmp.Diff([]string{`kept="yes"`, "next=1"}, all(t, open(t, path), "b")); diff != "" {
			t.Fatalf("cut %d, after writing on: %s", cut, diff)
		}
	}
}

func TestACorruptLineInTheMiddleIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("{\"b\":\"x\",\n{\"b\":\"x\",\"k\":\"y\",\"v\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error %v, want one that names line 1", err)
	}
}

func TestOpeningCompacts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for n := range 100 {
		put(t, j, "b", "k", n)
	}
	open(t, path)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(raw), "\n"); got != 1 {
		t.Errorf("%d lines after compaction, want 1", got)
	}
}

func TestResetForgetsOnDiskToo(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "journal")} {
		j := open(t, path)
		put(t, j, "b", "old", 1)
		if err := j.Reset(); err != nil {
			t.Fatal(err)
		}
		put(t, j, "b", "new", 1)
		if path != "" {
			j = open(t, path)
		}
		if diff := cmp.Diff([]string{"new=1"}, all(t, j, "b")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAKeyDeletedAndPutAgainIsListedLast(t *testing.T) {
	j := open(t, "")
	put(t, j, "b", "first", 1)
	put(t, j, "b", "second", 1)
	if err := j.Delete("b", "first"); err != nil {
		t.Fatal(err)
	}
	put(t, j, "b", "first", 2)
	if diff := cmp.Diff([]string{"second=1", "first=2"}, all(t, j, "b")); diff != "" {
		t.Error(diff)
	}
}

func TestAPutAfterCloseIsAnError(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Put("b", "k", 1); err == nil {
		t.Error("Put after Close says it is durable")
	}
}
