package config_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/config"
)

// says fails unless exactly the wanted faults are told, each by a part of it.
func says(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d faults, want %d: %q", what, len(got), len(want), got)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%s: %q does not say %q", what, got[i], want[i])
		}
	}
}

func TestAFileOfSecretsThatOthersMayUseIsRefused(t *testing.T) {
	for _, kind := range []struct{ name, text string }{
		{"a password", strings.Replace(good, `"plain"`, `"file:NAME"`, 1)},
		{"the database's address", `database_url = "file:NAME"` + "\n" + good},
		{"an API key", strings.Replace(good, `api_keys = ["0123456789abcdef0123456789"]`, `api_key_files = ["NAME"]`, 1)},
		{"a key with scopes", strings.Replace(good, "[account.a]", "[[merchant.key]]\nfile = \"NAME\"\n[account.a]", 1)},
	} {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("postgres://u:Zq81mPx4@db/x7Lk2Wc9"), 0o600); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(kind.text, "NAME", secret, 1)
		for _, one := range []struct {
			mode       os.FileMode
			plain, set string // the fault without and with allow_readable_keys
		}{
			{0o600, "", ""}, {0o400, "", ""}, {0o640, "others may read", ""}, {0o604, "others may read", ""}, {0o644, "others may read", ""},
			{0o620, "others may write", "others may write"}, {0o602, "others may write", "others may write"}, {0o666, "others may write", "others may write"},
		} {
			if err := os.Chmod(secret, one.mode); err != nil {
				t.Fatal(err)
			}
			for setting, want := range map[string]string{"": one.plain, "allow_readable_keys = true\n": one.set} {
				wants := []string{want}
				if want == "" {
					wants = nil
				}
				says(t, kind.name+" "+one.mode.String()+" "+setting, faults(t, setting+text), wants...)
			}
		}
	}
}

// Whoever may write to the folder of a file puts another in its place.
func TestAFileOfSecretsInAFolderOfOthersIsRefused(t *testing.T) {
	folder, other := filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "other")
	for _, name := range []string{folder, other} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secret, link := filepath.Join(folder, "secret"), filepath.Join(other, "link")
	if err := errors.Join(os.WriteFile(secret, []byte("Zq81mPx4x7Lk2Wc9Zb44"), 0o600), os.Symlink(secret, link)); err != nil {
		t.Fatal(err)
	}
	group := os.Chown(folder, -1, 65534) == nil || os.Getuid() != os.Getgid() // a group that is not the owner's alone
	for mode, want := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o777: false, 0o707: false, 0o702: false, 0o770: !group, 0o775: !group,
		0o777 | os.ModeSticky: true, 0o775 | os.ModeSetgid: !group} {
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{secret, link} {
			wants := []string{"others may replace " + secret + ", for they may write to its folder"}
			if want {
				wants = nil
			}
			says(t, name+" in "+mode.String(), faults(t, strings.Replace(good, `"plain"`, `"file:`+name+`"`, 1)), wants...)
		}
	}
	if err := errors.Join(os.Chmod(folder, 0o700), os.Chmod(other, 0o777)); err != nil {
		t.Fatal(err)
	}
	says(t, "a link in a folder of others", faults(t, strings.Replace(good, `"plain"`, `"file:`+link+`"`, 1)), "others may replace "+link)
}

func TestAConfigurationThatOthersMayChangeIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tollgate.toml")
	if err := os.WriteFile(name, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: false, 0o602: true, 0o666: true, 0o646: true} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(config.Flags{Config: name}, nil)
		if told := err != nil && strings.Contains(err.Error(), "others may write to it"); told != refused {
			t.Errorf("%04o: %v", mode, err)
		}
	}
	if err := os.WriteFile(name, []byte("test_mode = true\n"+good), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.Flags{Config: name}, nil); err != nil {
		t.Errorf("in test mode: %v", err)
	}
}

func TestAPublicKeyMayBeReadByOthersAndNotWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, []byte("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(good, `"plain"`, `"file:`+name+`"`, 1)
	for mode, want := range map[os.FileMode][]string{0o644: nil, 0o664: {"others may write"}} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		says(t, mode.String(), faults(t, text), want...)
	}
	both := "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"
	if err := errors.Join(os.WriteFile(name, []byte(both), 0o600), os.Chmod(name, 0o644)); err != nil {
		t.Fatal(err)
	}
	says(t, "a certificate with its private key", faults(t, text), "others may read")
}

func TestAnAPIKeyThatCanBeGuessedIsRefused(t *testing.T) {
	for _, key := range []string{strings.Repeat("a", 24), strings.Repeat("ab", 20), strings.Repeat("0123", 10), strings.Repeat(" ", 30) + "x",
		"abcdefghijklmnopqrstuvwxyz", "sk_abcdefghijklmnopqrstuvwx", "zyxwvutsrqponmlkjihgfedcba", strings.Repeat("Zq81mPx4Lk", 3), "Zq81mPx4Lk7WZq81mPx4Lk7W",
		"sk_" + strings.Repeat("0", 12) + "123456789abcdef"} {
		says(t, key, faults(t, strings.Replace(good, "0123456789abcdef0123456789", key, 1)), `of merchant "shop": `)
	}
	for range 100 {
		key, _, err := config.NewKey(randomness{})
		if err != nil {
			t.Fatal(err)
		}
		says(t, key, faults(t, strings.Replace(good, "0123456789abcdef0123456789", key, 1)))
	}
}

func TestAMisspeltVariableIsNamed(t *testing.T) {
	says(t, "three of them", faults(t, good, "TOLLGATE_LISTN=127.0.0.1:2", "TOLLGATE_DATABASEURL=x", "TOLLGATE_NOTHING_LIKE_IT=1"),
		"TOLLGATE_DATABASEURL: is not a setting; TOLLGATE_DATABASE_URL is", "TOLLGATE_LISTN: is not a setting; TOLLGATE_LISTEN is",
		"TOLLGATE_NOTHING_LIKE_IT: is not a setting")
	says(t, "those that are well", faults(t, strings.Replace(good, `"plain"`, `"env:TOLLGATE_BANK_PASSWORD"`, 1), "TOLLGATE_BANK_PASSWORD=x", "TOLLGATE_KEY=x", "TOLLGATE_URL=x",
		"TOLLGATE_SERVICE_HOST=10.0.0.1", "TOLLGATE_PORT=tcp://10.0.0.1:80", "TOLLGATE_PORT_80_TCP_ADDR=10.0.0.1", "OTHER=x"))
}

func TestAReturnOriginThatWouldRefuseEverySessionIsAFault(t *testing.T) {
	for _, origin := range []string{"https://shop.example/", "https://shop.example/pay", "https://*.shop.example", "shop.example", "http://shop.example", "https://shop.example:0"} {
		says(t, origin, faults(t, strings.Replace(good, `accounts = ["a"]`, `accounts = ["a"]`+"\nreturn_origins = [\""+origin+`"]`, 1)),
			`tollgate.toml:9: merchant.return_origins: "`+origin+`" must`)
	}
	c := load(t, strings.Replace(good, `accounts = ["a"]`, `accounts = ["a"]`+"\n"+`return_origins = ["https://SHOP.example:443"]`, 1))
	if list := c.Merchants[0].ReturnOrigins; !slices.Equal(list, []string{"https://shop.example"}) {
		t.Errorf("the list is %q", list)
	}
}

func TestAnAccountOfARealFrontMustNotLeadToThisMachine(t *testing.T) {
	for _, host := range []string{"localhost:8081", "127.0.0.1", "127.8.8.8:1", "[::1]:8081", "[::ffff:127.0.0.1]", "bank.localhost", "LOCALHOST.", "localhost..",
		"localhost.localdomain", "localhost6.localdomain", "ip6-localhost", "ip6-loopback:1", "0.0.0.0:8081", "0", "[::]:8081", "[::1%25lo]", "[0:0:0:0:0:0:0:1]", "[::ffff:7f00:1]",
		"[::127.0.0.1]", "[64:ff9b::7f00:1]", "2130706433", "0x7f000001", "017700000001", "127.1", "127.0.1", "0x7f.0.0.1", "0177.0.0.01", "127.0.0.1.", "0.0.0.1",
		"bank.example@127.0.0.1"} {
		for _, key := range []string{"base_url", "identity_url", "form_url"} {
			text := good + key + ` = "http://` + host + `/rbs/"` + "\n"
			says(t, host, faults(t, text), "account.a.settings."+key+": http://"+host+"/rbs/ is this machine")
			says(t, host+" in test mode", faults(t, "test_mode = true\n"+text))
		}
	}
	for _, host := range []string{"bank.example", "10.0.0.5:8443", "134744072", "localhost.bank.example", "[2001:db8::1]", "127-0-0-1.example", "0b1.example"} {
		says(t, host, faults(t, good+`base_url = "https://`+host+`/rbs/"`))
	}
	says(t, "a name in wide letters", faults(t, good+`base_url = "https://ｌｏｃａｌｈｏｓｔ/rbs/"`), "letters of ASCII alone")
}

func TestOnlyTestModeHasAPlainAddressOfThisMachine(t *testing.T) {
	for address, want := range map[string]string{"http://127.0.0.1:8080": "", "http://localhost": "", "http://pay.example": "public_url: must be"} {
		text := strings.Replace(good, "https://pay.example", address, 1)
		wants := []string{want}
		if want == "" {
			wants = nil
		}
		says(t, address+" in test mode", faults(t, "test_mode = true\n"+text), wants...)
		says(t, address, faults(t, text), "public_url: must be")
	}
}

// Everybody knows the sandbox's key: whoever reaches it is the merchant.
func TestTheSandboxListensOnThisMachineOnlyUnlessToldOtherwise(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "10.0.0.5:8080", "tollgate.example:8080"} {
		for _, anywhere := range []bool{false, true} {
			for _, flags := range []config.Flags{{Listen: listen}, {SandboxListen: listen}} {
				flags.SandboxAnywhere = anywhere
				if _, err := config.Load(flags, nil); (err == nil) != anywhere {
					t.Errorf("%+v: %v", flags, err)
				}
			}
		}
	}
	says(t, "a configured front", faults(t, strings.Replace(good, "127.0.0.1:1", "0.0.0.0:8080", 1)))
}

func TestTheWantedTypeIsNamed(t *testing.T) {
	got := faults(t, `listen = 5
max_streams = "x"
trusted_proxies = "10.0.0.0/8"
test_mode = "yes"
[[merchant]]
id = 7
[[merchant.key]]
expires = "soon"
[account.a]
gateway = 3
settings = 5
`)
	for _, want := range []string{":1: listen is not of the type that is wanted: a text in quotes", ":2: max_streams is not of the type that is wanted: a whole number",
		":3: trusted_proxies is not of the type that is wanted: a list of texts", ":4: test_mode is not of the type that is wanted: true or false",
		":6: merchant.id is not of the type that is wanted: a text", ":10: account.a.gateway is not of the type that is wanted: a text",
		":11: account.a.settings is not of the type that is wanted: a table"} {
		if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, "tollgate.toml"+want) }) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	var settings struct {
		Retries int `toml:"retries"`
	}
	if err := (config.Account{Settings: map[string]any{"retries": "x"}}).Into(&settings); err == nil || !strings.Contains(err.Error(), "a whole number") {
		t.Errorf("a gateway's own setting: %v", err)
	}
}

func TestALetterThatHasToBeEncodedInTheDatabasesAddressIsHinted(t *testing.T) {
	for _, address := range []string{"postgres://u:pass#word@db/x", "postgres://u:p@ss@db/x", "postgres://u:p/ss@db:5432/x#", "postgres://u:100%@db/x"} {
		got := faults(t, `database_url = "`+address+`"`+"\n"+good)
		says(t, address, got, "%23")
		if strings.Contains(strings.Join(got, ""), "ss@db") {
			t.Errorf("the address is repeated: %q", got)
		}
	}
	says(t, "encoded", faults(t, `database_url = "postgres://u:p%40ss%23@db/x"`+"\n"+good))
}

// A table that stands twice is one fault, at the line of the second.
func TestADuplicateAccountIsOneFaultAtItsLine(t *testing.T) {
	says(t, "twice", faults(t, good+"[account.a]\ngateway = \"rbs\"\n"), "tollgate.toml:13")
	says(t, "a setting twice", faults(t, good+"password = \"again\"\n"), "tollgate.toml:13")
}

func TestANetworkOfOneMachineIsHinted(t *testing.T) {
	says(t, "an address", faults(t, `trusted_proxies = ["10.0.0.1", "::1"]`+"\n"+good), "10.0.0.1/32 is one", "::1/128 is one")
	says(t, "webhook networks", faults(t, `webhook_networks = ["10.0.0.1"]`+"\n"+good), "webhook_networks: ")
}

// randomness is the system's.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) { return rand.Read(b) }
