package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/config"
	"tollgate/internal/merchant"
)

// file writes a configuration and answers its name.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tollgate.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t *testing.T, text string, environ ...string) config.Config {
	t.Helper()
	c, err := config.Load(config.Flags{Config: file(t, text)}, environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faults is what is wrong, each without the folder the file is in.
func faults(t *testing.T, text string, environ ...string) []string {
	t.Helper()
	name := file(t, text)
	_, err := config.Load(config.Flags{Config: name}, environ)
	if err == nil {
		return nil
	}
	var list []string
	for _, f := range err.(config.Faults) {
		list = append(list, strings.ReplaceAll(f, filepath.Dir(name)+"/", ""))
	}
	return list
}

const good = `public_url = "https://pay.example"
listen = "127.0.0.1:1"
data = "/from/file"
[[merchant]]
id = "shop"
name = "Shop"
api_keys = ["0123456789abcdef0123456789"]
accounts = ["a"]
[account.a]
gateway = "rbs"
[account.a.settings]
password = "plain"
`

func TestAllFaultsComeAtOnceEachWithItsLine(t *testing.T) {
	got := faults(t, `public_url = "http://pay.example/path"
listen = "nowhere"
misspelt = true
log_level = "loud"
trusted_proxies = ["10.0.0.1"]

[[merchant]]
id = "shop"
api_key_hashes = ["abc"]
accounts = ["a", "b"]

[[merchant]]
id = "shop"
name = "Second"
[[merchant.key]]
env = "NO_SUCH_KEY"
scopes = ["everything"]
[[merchant.key]]
file = "/no/such/file"
[[merchant.key]]
scopes = ["read"]

[account.a]
[account.a.settings]
user_name = "u"
password = "file:/no/such/password"
token = "env:NO_SUCH_TOKEN"
`, "TOLLGATE_METRICS_LISTEN=here")
	for _, want := range []string{
		"tollgate.toml:3: misspelt is not a setting",
		"tollgate.toml:1: public_url: must be https://",
		`tollgate.toml:2: listen: "nowhere" is not host:port`,
		"TOLLGATE_METRICS_LISTEN: ",
		"tollgate.toml:4: log_level: ",
		"tollgate.toml:5: trusted_proxies: ",
		"tollgate.toml:7: merchant.name: is what shoppers read",
		"tollgate.toml:9: merchant.api_key_hashes: ",
		`tollgate.toml:10: merchant.accounts: account "b" is not configured`,
		"tollgate.toml:13: merchant.id: ",
		`tollgate.toml:15: merchant.key: of merchant "shop": scopes: "everything"`,
		"tollgate.toml:18: merchant.key: of merchant \"shop\": open /no/such/file",
		"tollgate.toml:20: merchant.key: of merchant \"shop\": exactly one of",
		"tollgate.toml:23: account.a.gateway: is required",
		"tollgate.toml:26: account.a.settings.password: open /no/such/password",
		"tollgate.toml:27: account.a.settings.token: the environment has no NO_SUCH_TOKEN",
	} {
		if i := slices.IndexFunc(got, func(f string) bool { return strings.HasPrefix(f, want) }); i < 0 {
			t.Errorf("not said: %s", want)
		} else {
			got = slices.Delete(got, i, i+1)
		}
	}
	for _, f := range got {
		t.Errorf("said as well: %s", f)
	}
}

func TestAFileThatCannotBeParsedIsOneFault(t *testing.T) {
	if got := faults(t, "listen = \"x:1\"\nlisten 5"); len(got) != 1 || !strings.HasPrefix(got[0], "tollgate.toml:2:") {
		t.Errorf("%q", got)
	}
	_, err := config.Load(config.Flags{Config: "/no/such/file.toml"}, nil)
	if err == nil || len(err.(config.Faults)) != 1 {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A value of the wrong type hides nothing behind it, and its setting is not said to be missing besides.
func TestAValueOfTheWrongTypeIsOneFaultAmongTheOthers(t *testing.T) {
	got := faults(t, `listen = 5
log_level = "loud"
misspelt = 1
[[merchant]]
id = 7
[account.a]
gateway = "rbs"
settle_after = "soon"
call_timeout = "-5s"
`)
	for _, want := range []string{":1: listen is not of the type", ":2: ", ":3: misspelt is not a setting", ":5: merchant.id is not of the type", ":8: account.a.settle_after is not valid", ":9: account.a.call_timeout is not valid: negative"} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(f string) bool { return !strings.Contains(f, "tollgate.toml"+want) })); n != 1 {
			t.Errorf("%d faults like %q in %q", n, want, got)
		}
	}
}

func TestFlagsOverrideEnvironmentOverridesFileOverridesDefaults(t *testing.T) {
	if c, err := config.Load(config.Flags{}, nil); err != nil || c.Listen != "127.0.0.1:8080" || c.SandboxListen != "localhost:8081" || c.Data != "./data" || !c.Sandbox {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	name := file(t, good)
	env := []string{"TOLLGATE_CONFIG=" + name, "TOLLGATE_DATA=/from/env", "TOLLGATE_TRUSTED_PROXIES=10.0.0.0/8,192.168.0.0/16"}
	c, err := config.Load(config.Flags{}, env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Sandbox || c.Listen != "127.0.0.1:1" || c.Data != "/from/env" || c.KeysFile != "/from/env/keys" || len(c.TrustedProxies) != 2 || c.SandboxListen != "localhost:8081" {
		t.Errorf("environment over file: %+v", c)
	}
	c, err = config.Load(config.Flags{Data: "/from/flag", Listen: "127.0.0.1:2", SandboxListen: "localhost:3"}, env)
	if err != nil || c.Data != "/from/flag" || c.Listen != "127.0.0.1:2" || c.SandboxListen != "localhost:3" {
		t.Errorf("flags over all: %+v, %v", c, err)
	}
	if _, err := config.Load(config.Flags{Listen: "bad", Config: name}, []string{"TOLLGATE_LISTEN=worse"}); err == nil || !strings.Contains(err.Error(), "-listen: \"bad\"") {
		t.Errorf("a flag's fault names the flag: %v", err)
	}
}

func TestSecretsComeFromFilesAndEnvironment(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("  from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, strings.Replace(good, `"plain"`, `"file:`+secret+`"`, 1)+`token = "env:TOKEN"
plain = "as it is"
[account.a.settings.billing]
phone = "env:PHONE"
`, "TOKEN=from the environment", "PHONE=77", "TOLLGATE_DATABASE_URL=env:DB", "DB=postgres://db/x")
	var got struct {
		Password, Token, Plain string
		Billing                struct{ Phone string }
	}
	if err := c.Accounts["a"].Into(&got); err != nil {
		t.Fatal(err)
	}
	if got.Password != "from a file" || got.Token != "from the environment" || got.Plain != "as it is" || got.Billing.Phone != "77" || c.DatabaseURL != "postgres://db/x" {
		t.Errorf("%+v, %s", got, c.DatabaseURL)
	}
	var less struct{ Password string }
	var other struct{ Token int }
	if err := c.Accounts["a"].Into(&other); err == nil || !strings.HasPrefix(err.Error(), "token: ") || strings.Contains(err.Error(), "struct") {
		t.Errorf("a setting of another type: %v", err)
	}
	if err := c.Accounts["a"].Into(&less); err == nil || !strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "from the environment") {
		t.Errorf("unknown settings are named, their values are not: %v", err)
	}
}

func TestMerchantsKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte("sk_in_a_file_0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, strings.Replace(good, "[account.a]", `[[merchant.key]]
file = "`+name+`"
scopes = ["refunds", "read"]
expires = 2026-12-01T00:00:00Z
[[merchant.key]]
hash = "`+merchant.HashKey("sk_hashed_0123456789abcdefgh")+`"
[[merchant.key]]
env = "KEY"
scopes = ["payouts"]
[account.a]`, 1), "KEY=sk_environment_0123456789abcdef")
	d, err := c.Directory()
	if err != nil {
		t.Fatal(err)
	}
	before, after := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	may := func(key string, at time.Time, s merchant.Scope) string {
		m, k, err := d.ByKey("Bearer "+key, at)
		switch {
		case err != nil:
			return "unknown"
		case m.ID != "shop":
			return "somebody else's"
		case k.May(s):
			return "yes"
		}
		return "no"
	}
	for _, one := range []struct {
		key   string
		at    time.Time
		scope merchant.Scope
		want  string
	}{
		{"0123456789abcdef0123456789", after, merchant.Payouts, "yes"},
		{"sk_in_a_file_0123456789abcdef", before, merchant.Refunds, "yes"},
		{"sk_in_a_file_0123456789abcdef", before, merchant.Payouts, "no"},
		{"sk_in_a_file_0123456789abcdef", after, merchant.Refunds, "unknown"},
		{"sk_hashed_0123456789abcdefgh", after, merchant.Sessions, "yes"},
		{"sk_environment_0123456789abcdef", after, merchant.Payouts, "yes"},
		{"sk_environment_0123456789abcdef", after, merchant.Read, "no"},
		{"sk_environment_0123456789abcde", after, merchant.Payouts, "unknown"},
	} {
		if got := may(one.key, one.at, one.scope); got != one.want {
			t.Errorf("%s, %s, %v: %s, want %s", one.key, one.scope, one.at, got, one.want)
		}
	}
}

func TestTwoMerchantsCannotShareAKey(t *testing.T) {
	got := faults(t, strings.Replace(good, "[account.a]", `[[merchant]]
id = "second"
name = "Second"
api_keys = ["0123456789abcdef0123456789"]
[account.a]`, 1))
	if len(got) != 1 || got[0] != `tollgate.toml:12: merchant.api_keys: merchant "shop" has the same key` {
		t.Errorf("%q", got)
	}
}

func TestADurationHasAUnit(t *testing.T) {
	got := faults(t, strings.Replace(good, "[account.a]", "[account.a]\nsettle_after = 90", 1))
	if len(got) != 1 || !strings.HasPrefix(got[0], "tollgate.toml:10: account.a.settle_after: needs") {
		t.Errorf("%q", got)
	}
	c := load(t, strings.Replace(good, "[account.a]", "[account.a]\nsettle_after = \"90s\"", 1))
	if time.Duration(c.Accounts["a"].SettleAfter) != 90*time.Second {
		t.Errorf("%v", c.Accounts["a"].SettleAfter)
	}
}

func TestAGatewaysFaultHasTheLineOfItsSetting(t *testing.T) {
	c := load(t, good)
	for text, want := range map[string]string{
		"password: too short":       ":12: account.a.settings.password: too short",
		"base_url: missing":         ":11: account.a.settings.base_url: missing",
		`gateway "x" is not one of`: `:9: account.a: gateway "x" is not one of`,
	} {
		if got := c.AccountFault("a", text); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestANewKeyIsLongAndItsHashIsTheOneThatIsCompared(t *testing.T) {
	key, hash, err := config.NewKey(strings.NewReader("0123456789abcdef01234567"))
	if err != nil || key != "sk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3" || hash != merchant.HashKey(key) {
		t.Errorf("%s %s %v", key, hash, err)
	}
	if h, err := config.HashKey(key); err != nil || h != hash {
		t.Errorf("%s %v", h, err)
	}
	if _, err := config.HashKey("short"); err == nil {
		t.Error("a key that can be guessed was hashed")
	}
}
