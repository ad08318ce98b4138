// Package payneteasy speaks the v2 API of the PaynetEasy family of gateways (PaynetEasy, SBC and other white labels of
// the same software): sale and preauth with the direct 3-D Secure scheme, the status inquiry, capture, return and void.
// Its facts, and what was assumed where the documentation is silent, stand in docs/gateways/payneteasy.md.
package payneteasy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// Config is an account at a PaynetEasy gateway.
type Config struct {
	// BaseURL includes the white label's path prefix: https://gate.example/paynet, elsewhere /payment.
	BaseURL string `toml:"base_url"`
	// EndpointID or EndpointGroupID, exactly one of them.
	EndpointID      string           `toml:"endpoint_id"`
	EndpointGroupID string           `toml:"endpoint_group_id"`
	Login           string           `toml:"login"`
	MerchantControl providers.Secret `toml:"merchant_control"`
	// Answers is the dialect of the answers: "form" (default) or "json".
	Answers string `toml:"answers"`
	// Notify is the parameter that carries our callback address: "notify_url" (default), "server_callback_url" (the
	// gateway then stays silent about captures and cancels) or "none".
	Notify  string `toml:"notify"`
	SiteURL string `toml:"site_url"`
	// RebillCommand repeats a payment with a card reference: "make-rebill" (default) or "make-rebill-sale".
	RebillCommand string `toml:"rebill_command"`
	// RebillCVV asks for the CVV of a saved card too.
	RebillCVV bool `toml:"rebill_cvv"`
	// WithholdUploads says that the gateway has confirmed in writing that no money moves at MethodUrlFrame and CReqForm
	// unless we upload a result. Then a shopper can leave there. At PaReqForm the documents say so themselves.
	WithholdUploads bool `toml:"withhold_uploads"`
	// MethodWait is how many seconds the bank's 3DS Method may take; 0: 10, as EMV 3DS has it.
	MethodWait int64   `toml:"method_wait"`
	Billing    Billing `toml:"billing"`
}

// Billing stands in for what the merchant did not send: the gateway insists on an address.
type Billing struct {
	FirstName string `toml:"first_name"`
	LastName  string `toml:"last_name"`
	Address   string `toml:"address"`
	City      string `toml:"city"`
	State     string `toml:"state"`
	Zip       string `toml:"zip"`
	Country   string `toml:"country"`
	Phone     string `toml:"phone"`
	Email     string `toml:"email"`
}

// Faults names all that is wrong with the settings.
func (c Config) Faults() []string {
	var faults []string
	fault := func(key, what string) { faults = append(faults, key+": "+what) }
	if c.MethodWait != 0 && (c.MethodWait < 5 || c.MethodWait > 30) {
		fault("method_wait", "must be from 5 to 30 seconds")
	}
	if c.RebillCommand != "" && c.RebillCommand != "make-rebill" && c.RebillCommand != "make-rebill-sale" {
		fault("rebill_command", "must be make-rebill or make-rebill-sale")
	}
	base, wrong := providers.ParseAddress(c.BaseURL)
	for _, what := range wrong {
		fault("base_url", what)
	}
	if base != nil && strings.Contains(base.Path, "/api/") {
		fault("base_url", "ends before /api, as in https://gate.example/paynet")
	}
	switch {
	case c.EndpointID == "" && c.EndpointGroupID == "":
		fault("endpoint_id", "missing (or endpoint_group_id)")
	case c.EndpointID != "" && c.EndpointGroupID != "":
		fault("endpoint_id", "and endpoint_group_id exclude each other")
	case !wire.Digits(c.EndpointID + c.EndpointGroupID):
		fault("endpoint_id", "digits only")
	}
	if c.Login == "" || len(c.Login) > 20 {
		fault("login", "1 to 20 characters")
	}
	if c.MerchantControl.Reveal() == "" {
		fault("merchant_control", "missing")
	}
	if c.Answers != "" && c.Answers != "form" && c.Answers != "json" {
		fault("answers", `"form" or "json"`)
	}
	if c.Notify != "" && c.Notify != "notify_url" && c.Notify != "server_callback_url" && c.Notify != "none" {
		fault("notify", `"notify_url", "server_callback_url" or "none"`)
	}
	for _, d := range c.Billing.fields() {
		if d.value != "" && !d.fits() {
			fault("billing."+d.name, d.rule)
		}
	}
	return faults
}

// Open makes the provider.
func (c Config) Open(env providers.Env) (providers.Provider, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, fmt.Errorf("payneteasy: %s", strings.Join(faults, "; "))
	}
	endpoint, path := c.EndpointID, c.EndpointID
	if c.EndpointGroupID != "" {
		endpoint, path = c.EndpointGroupID, "group/"+c.EndpointGroupID
	}
	return &provider{
		client: client{
			http: env.HTTP, base: strings.TrimRight(c.BaseURL, "/"), endpoint: endpoint, path: path,
			login: c.Login, control: c.MerchantControl, json: c.Answers == "json",
		},
		notify:   c.Notify,
		site:     c.SiteURL,
		defaults: c.Billing,
		rebills:  cmp.Or(c.RebillCommand, "make-rebill"),
		rebillCV: c.RebillCVV,
		loopback: env.Loopback, now: env.Now, withholds: c.WithholdUploads, methodWait: cmp.Or(time.Duration(c.MethodWait)*time.Second, methodWait),
	}, nil
}

// billingField is one address field with the gateway's rule for it.
type billingField struct {
	name, value, param string
	max                int
	needed             bool
	rule               string
}

func (f billingField) fits() bool {
	switch f.name {
	case "country", "state":
		return len(f.value) == 2 && strings.ToUpper(f.value) == f.value && strings.Trim(f.value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	case "email":
		at := strings.LastIndexByte(f.value, '@')
		return at > 0 && at < len(f.value)-1 && len(f.value) <= f.max && !strings.ContainsAny(f.value, " \t\r\n")
	}
	return len([]rune(f.value)) <= f.max
}

func (b Billing) fields() []billingField {
	longest := func(name, value, param string, max int, needed bool) billingField {
		return billingField{name, strings.TrimSpace(value), param, max, needed, fmt.Sprintf("at most %d characters", max)}
	}
	return []billingField{
		longest("first_name", b.FirstName, "first_name", 50, false),
		longest("last_name", b.LastName, "last_name", 50, false),
		longest("address", b.Address, "address1", 50, true),
		longest("city", b.City, "city", 50, true),
		{"state", strings.TrimSpace(b.State), "state", 2, b.Country == "US" || b.Country == "CA" || b.Country == "AU",
			"two capital letters; needed in US, CA and AU"},
		longest("zip", b.Zip, "zip_code", 10, true),
		{"country", strings.TrimSpace(b.Country), "country", 2, true, "ISO 3166 alpha-2, two capital letters"},
		longest("phone", b.Phone, "phone", 15, true),
		{"email", strings.TrimSpace(b.Email), "email", 50, true, "an e-mail address of at most 50 characters"},
	}
}

// Advice names what every session has to bring because the account has no default for it.
func (c *Config) Advice() []string {
	var missing []string
	for _, f := range c.Billing.fields() {
		if f.needed && f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{"billing: the gateway insists on " + strings.Join(missing, ", ") + ", and there is no default: " +
		"sessions whose billing has not all of them are refused (422)"}
}

// billing is what goes to the gateway: the merchant's words, then the customer's, then the account's.
func (p *provider) billing(pay providers.Payment) Billing {
	first := func(values ...string) string {
		for _, v := range values {
			if v = strings.TrimSpace(v); v != "" {
				return v
			}
		}
		return ""
	}
	m, d := pay.Billing, p.defaults
	b := Billing{
		FirstName: first(m.FirstName, d.FirstName),
		LastName:  first(m.LastName, d.LastName),
		Address:   first(m.Address, d.Address),
		City:      first(m.City, d.City),
		Zip:       first(m.Zip, d.Zip),
		Country:   first(m.Country, d.Country),
		Phone:     first(m.Phone, pay.Customer.Phone, d.Phone),
		Email:     first(m.Email, pay.Customer.Email, d.Email),
	}
	b.State = m.State
	if b.State == "" && b.Country == d.Country {
		b.State = d.State // an account's default state says nothing of another country
	}
	return b
}

// amount writes what the gateway calls an amount: major units with a point, at most ten characters. The control sums
// hold hundredths whatever the currency, so only currencies with two decimals can be said without ambiguity.
func amount(a money.Amount) (string, error) {
	if a.Currency.Digits != 2 {
		return "", providers.Refuse("currency", "this gateway takes currencies with two decimals only")
	}
	if a.Minor <= 0 {
		return "", providers.Refuse("amount", "must be more than zero")
	}
	s := a.Decimal()
	if len(s) > 10 {
		return "", providers.Refuse("amount", "this gateway takes at most 9999999.99")
	}
	return s, nil
}
