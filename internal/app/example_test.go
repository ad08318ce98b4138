package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/config"
)

// example is tollgate.example.toml with its folder of secrets at hand, under another name.
func example(t *testing.T, change func(string) string) config.Config {
	t.Helper()
	raw, err := os.ReadFile("../../tollgate.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	secrets := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1)}
	signed, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`/etc/tollgate/([\w.-]+)`).FindAllSubmatch(raw, -1) {
		value := []byte("a secret that is long enough: " + string(m[1]))
		switch {
		case strings.HasSuffix(string(m[1]), ".pem"):
			value = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		case strings.HasSuffix(string(m[1]), ".crt"):
			value = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
		case strings.HasSuffix(string(m[1]), ".private"):
			value = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
		case strings.HasSuffix(string(m[1]), ".svg"):
			value = []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>`)
		case string(m[1]) == "database_url":
			value = []byte("postgres://db/tollgate")
		}
		if err := os.WriteFile(filepath.Join(secrets, string(m[1])), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(secrets, "tollgate.toml")
	text := strings.ReplaceAll(change(string(raw)), "/etc/tollgate/", secrets+"/")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Flags{Config: name}, []string{"SHOP_PAYOUT_KEY=sk_0123456789abcdef0123456789"})
	faults, _ := errors.AsType[config.Faults](err)
	for _, f := range append(faults, Check(c)...) {
		t.Error(f)
	}
	return c
}

func TestTheExampleIsAConfiguration(t *testing.T) {
	c := example(t, func(s string) string { return s })
	var used []string
	for _, a := range c.Accounts {
		used = append(used, a.Gateway)
	}
	for name := range gateways() {
		if !slices.Contains(used, name) {
			t.Errorf("the example has no account at %s", name)
		}
	}
}

// off matches a setting that the example has switched off.
var off = regexp.MustCompile(`(?m)^#([a-z_0-9]+ = )`)

func TestEveryLineOfTheExampleThatIsOffCanBeSwitchedOn(t *testing.T) {
	// Of each of these pairs a file has one.
	alternatives := regexp.MustCompile(`(?m)^(user_name|#?password = .*bereke|callback_secret|endpoint_id|env = ).*$`)
	example(t, func(s string) string { return off.ReplaceAllString(alternatives.ReplaceAllString(s, ""), "$1") })
}

func TestTheExampleHasEverySetting(t *testing.T) {
	raw, err := os.ReadFile("../../tollgate.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := off.ReplaceAllString(string(raw), "$1")
	part := func(from, to string) string {
		_, after, ok := strings.Cut(text, from)
		if !ok {
			t.Fatalf("the example has no %s", from)
		}
		if to != "" {
			after, _, _ = strings.Cut(after, to)
		}
		return after
	}
	has := func(where, text string, of reflect.Type) {
		for _, key := range keys(of) {
			if !regexp.MustCompile(`(?m)^(` + key + ` = |\[.*\b` + key + `(\.NAME|\.kk)?\])`).MatchString(text) {
				t.Errorf("%s: %s is not in the example", where, key)
			}
		}
	}
	has("top", text[:strings.Index(text, "[[merchant]]")]+"[[merchant]]\n[account]\n", reflect.TypeFor[config.Config]())
	has("merchant", part("[[merchant]]", "[account"), reflect.TypeFor[config.Merchant]())
	has("merchant.key", part("[[merchant.key]]", "[account"), reflect.TypeFor[config.Key]())
	has("merchant.look", part("[[merchant.look]]", "[account"), reflect.TypeFor[config.Look]())
	has("merchant.look.text", part("[merchant.look.text.kk]", "[account"), reflect.TypeFor[config.LookText]())
	has("account", part("[account.bereke]", "# PaynetEasy"), reflect.TypeFor[config.Account]())
	for name, make := range gateways() {
		section := part(`gateway = "`+name+`"`, `gateway = "`)
		of := reflect.TypeOf(make()).Elem()
		has(name, section, of)
		if f, ok := of.FieldByName("Billing"); ok {
			_, billing, _ := strings.Cut(section, ".billing]")
			has(name+".billing", billing, f.Type)
		}
	}
}

// keys is every toml key of a struct.
func keys(of reflect.Type) (all []string) {
	for f := range of.Fields() {
		if key := f.Tag.Get("toml"); key != "" && key != "-" {
			all = append(all, key)
		}
	}
	return all
}
