package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/security"
)

func entries(t *testing.T, text []byte) (kinds []security.Kind) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		var e security.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestAStartWithOtherSettingsIsALineOfTheSecurityLog(t *testing.T) {
	s := &site{t, "", t.TempDir(), &clock.Clock{}}
	a := s.must()
	start := func(environ ...string) []security.Kind {
		t.Helper()
		c, err := config.Load(config.Flags{}, append([]string{"TOLLGATE_DATA=" + s.dir}, environ...))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		a.o.Config, a.security = c, security.New(&out, "one", s.clock.Now, nil)
		if err := a.noteChanges(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), s.dir) {
			t.Errorf("the log tells a setting: %s", out.String())
		}
		return entries(t, out.Bytes())
	}
	if got := start(); !slices.Equal(got, []security.Kind{security.ConfigChanged}) {
		t.Errorf("the first settings that were read: %v", got)
	}
	if got := start(); len(got) != 0 {
		t.Errorf("the same settings again: %v", got)
	}
	if got := start("TOLLGATE_LOG_LEVEL=error"); !slices.Equal(got, []security.Kind{security.ConfigChanged}) {
		t.Errorf("other settings: %v", got)
	}
}

func TestACommandThatChangesSealingKeysIsALineOfTheSecurityLog(t *testing.T) {
	dir := t.TempDir()
	c := config.Config{KeysFile: filepath.Join(dir, "keys"), SecurityLog: filepath.Join(dir, "security.log")}
	write(t, c.KeysFile, keyText(t)+"\n", 0o600)
	id, err := AddSealingKey(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := PromoteSealingKey(c, id); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.SecurityLog)
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(t, text); !slices.Equal(got, []security.Kind{security.SealAdded, security.SealPromoted}) || !strings.Contains(string(text), id) {
		t.Errorf("%s", text)
	}
	if info, err := os.Stat(c.SecurityLog); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
