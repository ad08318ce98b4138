package cashier_test

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"tollgate/providers"
	"tollgate/providers/cashier"
)

func TestConfigFaults(t *testing.T) {
	good := config()
	if f := good.Faults(); f != nil {
		t.Fatalf("a plain account has faults: %v", f)
	}
	for _, tt := range []struct {
		key    string
		change func(*cashier.Config)
	}{
		{"base_url", func(c *cashier.Config) { c.BaseURL = "" }},
		{"base_url", func(c *cashier.Config) { c.BaseURL = "http://pay.kanyon.pro/api/v1" }},
		{"base_url", func(c *cashier.Config) { c.BaseURL = "https://u:p@pay.kanyon.pro/api/v1" }},
		{"identity_url", func(c *cashier.Config) { c.IdentityURL = "identity.authpoint.pro" }},
		{"form_url", func(c *cashier.Config) { c.FormURL = "" }},
		{"form_url", func(c *cashier.Config) { c.FormURL = "https://payment.kanyon.pro/?x=1" }},
		{"tsp_code", func(c *cashier.Config) { c.TSPCode = "" }},
		{"tsp_code", func(c *cashier.Config) { c.TSPCode = "../x" }},
		{"login", func(c *cashier.Config) { c.Login = "" }},
		{"password", func(c *cashier.Config) { c.Password = providers.Secret{} }},
		{"tsp_id", func(c *cashier.Config) { c.TSPID = 0 }},
		{"amount_mode", func(c *cashier.Config) { c.AmountMode = "both" }},
		{"order_currency", func(c *cashier.Config) { c.OrderCurrency = "KZT" }},
		{"order_currency", func(c *cashier.Config) { c.OrderCurrency, c.AmountMode = "EUR", cashier.ModeOrder }},
		{"callback_public_key", func(c *cashier.Config) { c.CallbackPublicKey = "-----BEGIN PUBLIC KEY-----" }},
		{"card_public_key", func(c *cashier.Config) {
			c.CardPublicKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----" // Ed25519
		}},
	} {
		c := good
		tt.change(&c)
		if f := c.Faults(); len(f) != 1 || !strings.HasPrefix(f[0], tt.key+": ") {
			t.Errorf("%s: faults %q", tt.key, f)
		}
		if _, err := c.Open(providers.Env{}); err == nil {
			t.Errorf("%s: opened in spite of it", tt.key)
		}
	}
	if f := (&cashier.Config{}).Faults(); len(f) != 5 {
		t.Errorf("an empty account has the faults %q, want all five at once", f)
	}
}

func TestConfigFromFile(t *testing.T) {
	var c cashier.Config
	d := toml.NewDecoder(strings.NewReader(`
base_url = "https://kanyonpay.pay2day.kz/api/v1"
identity_url = "https://identity.authpoint.pro/api/v1"
form_url = "https://payment.kanyonpay.pay2day.kz"
login = "mail@email.com"
password = " p "
tsp_id = 483
tsp_code = "shop"
amount_mode = "payment"
order_currency = "EUR"
callback_public_key = ""
card_public_key = ""
bearer = true
api_key = "k"
saved_card_code = false
`))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if f := c.Faults(); f != nil || c.Password.Reveal() != "p" || c.TSPID != 483 || !c.Bearer || *c.SavedCardCode {
		t.Errorf("%q %+v", f, c)
	}
	p, err := c.Open(providers.Env{})
	if err != nil || p.(providers.CardKeeper).AsksCode() {
		t.Error(err)
	}
}
