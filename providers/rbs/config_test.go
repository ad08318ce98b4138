package rbs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

func TestConfigFaults(t *testing.T) {
	good := rbs.Config{BaseURL: "https://3dsec.berekebank.kz/payment/rest/", UserName: "u", Password: providers.NewSecret("p")}
	if f := good.Faults(); f != nil {
		t.Fatalf("a plain account has faults: %v", f)
	}
	for _, tt := range []struct {
		key    string
		change func(*rbs.Config)
	}{
		{"base_url", func(c *rbs.Config) { c.BaseURL = "" }},
		{"base_url", func(c *rbs.Config) { c.BaseURL = "3dsec.berekebank.kz/payment/rest" }},
		{"base_url", func(c *rbs.Config) { c.BaseURL = "http://3dsec.berekebank.kz/payment/rest/" }},
		{"base_url", func(c *rbs.Config) { c.BaseURL = "https://u:p@3dsec.berekebank.kz/payment/rest/" }},
		{"base_url", func(c *rbs.Config) { c.BaseURL = "https://3dsec.berekebank.kz/payment/rest/?a=1" }},
		{"base_url", func(c *rbs.Config) { c.BaseURL, c.ThreeDS1 = "https://3dsec.berekebank.kz/api/", rbs.ThreeDS1Redirect }},
		{"user_name", func(c *rbs.Config) { c.UserName = "" }},
		{"password", func(c *rbs.Config) { c.Password = providers.Secret{} }},
		{"token", func(c *rbs.Config) { c.Token = providers.NewSecret("t") }},
		{"callback_public_key", func(c *rbs.Config) { c.CallbackPublicKey = "-----BEGIN PUBLIC KEY-----" }},
		{"callback_public_key", func(c *rbs.Config) {
			c.CallbackPublicKey = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PUBLIC KEY-----"
		}},
		{"callback_public_key", func(c *rbs.Config) {
			v, _ := readCallback(t, "callback_rsa_sha512_vector.json")
			c.CallbackPublicKey, c.CallbackSecret = v.PublicKeyPem, providers.NewSecret("k")
		}},
		{"three_ds1", func(c *rbs.Config) { c.ThreeDS1 = "popup" }},
		{"three_ds2", func(c *rbs.Config) { c.ThreeDS2 = "own" }},
		{"session_timeout", func(c *rbs.Config) { c.SessionTimeout = 30 }},
		{"features", func(c *rbs.Config) { c.Features = []string{"AUTO_PAYMENT"} }},
		{"recurring_frequency", func(c *rbs.Config) { c.RecurringFrequency = 28 }},
		{"recurring_frequency", func(c *rbs.Config) { c.RecurringFrequency, c.RecurringDays = -1, 365 }},
		{"languages", func(c *rbs.Config) { c.Languages = []string{"rus"} }},
	} {
		c := good
		tt.change(&c)
		if f := c.Faults(); len(f) != 1 || !strings.HasPrefix(f[0], tt.key+": ") {
			t.Errorf("%s: faults %q", tt.key, f)
		}
		if _, err := c.Open(providers.Env{}); err == nil {
			t.Errorf("%s: opened in spite of %q", tt.key, c.Faults())
		}
	}
	if f := (&rbs.Config{}).Faults(); len(f) != 3 {
		t.Errorf("an empty account has the faults %q, want all three at once", f)
	}
	for _, base := range []string{"http://127.0.0.1:8081/rbs/payment/rest/", "http://localhost:8081/rbs/payment/rest", "http://[::1]:8081/rbs/payment/rest/"} {
		c := good
		c.BaseURL = base
		if f := c.Faults(); f != nil {
			t.Errorf("%s: %q", base, f)
		}
	}
}

func TestConfigFromFile(t *testing.T) {
	var c rbs.Config
	d := toml.NewDecoder(strings.NewReader(`
base_url = "https://3dsec.berekebank.kz/payment/rest/"
user_name = "u"
password = " p "
callback_secret = "k"
three_ds1 = "own"
three_ds2 = "gateway"
method_notification = false
browser_info = false
session_timeout = 1200
features = ["FORCE_TDS"]
languages = ["kk", "ru"]
`))
	if err := d.DisallowUnknownFields().Decode(&c); err != nil {
		t.Fatal(err)
	}
	if f := c.Faults(); f != nil {
		t.Fatal(f)
	}
	if c.ThreeDS1 != "own" || c.ThreeDS2 != "gateway" || *c.MethodNotification || *c.BrowserInfo || c.SessionTimeout != 1200 ||
		!slices.Equal(c.Languages, []string{"kk", "ru"}) || c.Password.Empty() || c.CallbackSecret.Empty() || !c.Token.Empty() {
		t.Errorf("read as %+v", c)
	}
	out, err := toml.Marshal(c)
	if err != nil || strings.Contains(string(out), "'p'") || !strings.Contains(string(out), "•••") {
		t.Errorf("written as %s, %v", out, err)
	}
}
