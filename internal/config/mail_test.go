package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tollgate/internal/config"
)

func TestEveryFaultOfTheMailServerIsToldWithTheOthers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tollgate.toml")
	doc := "log_level = \"loud\"\n[mail]\nhost = \"smtp.example:25\"\nport = 70000\ntls = \"ssl\"\nuser = \"u\"\nfrom = \"shop\"\n"
	if err := os.WriteFile(name, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(config.Flags{Config: name}, nil)
	for _, want := range []string{":1: log_level", ":3: mail.host", ":4: mail.port", ":5: mail.tls", "mail.password", ":7: mail.from"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
}
