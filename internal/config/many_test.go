package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has worked so far: the machine may be busy with something else.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Each fault wants the line of its setting, and each merchant its keys compared: neither may be work for each pair.
func TestTwoThousandMerchantsAndThreeThousandAccountsAreReadInUnderASecond(t *testing.T) {
	var b strings.Builder
	b.WriteString("public_url = \"https://pay.example\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "[[merchant]]\nid = \"m%d\"\nname = \"Shop %d\"\naccounts = [\"a%d\", \"a%d\"]\napi_key_hashes = [\"%064x\"]\nreturn_origins = [\"https://shop%d.example\"]\n",
			i, i, i, i+1000, i+1, i)
	}
	for i := range 3000 {
		fmt.Fprintf(&b, "[account.a%d]\ngateway = \"rbs\"\n[account.a%d.settings]\nbase_url = \"https://gw.example/payment/rest/\"\nuser_name = \"u\"\npassword = \"p\"\n", i, i)
	}
	name := filepath.Join(t.TempDir(), "tollgate.toml")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 3 {
		began := cpuTime(t)
		c, err := Load(Flags{Config: name, Data: t.TempDir()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Directory(); err != nil {
			t.Fatal(err)
		}
		if best = min(best, cpuTime(t)-began); len(c.Accounts) != 3000 || len(c.Merchants) != 2000 {
			t.Fatalf("%d accounts, %d merchants", len(c.Accounts), len(c.Merchants))
		}
		if best < time.Second {
			break
		}
	}
	t.Logf("read in %s", best)
	if best > time.Second {
		t.Errorf("read in %s", best)
	}
}
