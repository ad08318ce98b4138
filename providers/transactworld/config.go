// Package transactworld speaks the REST API v1 of TransactWorld and the other labels of the Paymentz platform: payments with
// redirects for 3-D Secure, back office, registrations, payouts, invoices and the transaction list. Its facts, and what was
// assumed where the documentation is silent, stand in docs/gateways/transactworld.md.
package transactworld

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// Config is an account at a TransactWorld gateway.
type Config struct {
	// BaseURL is what stands before /transactionServices and /invoiceServices: https://secure.example.
	BaseURL   string           `toml:"base_url"`
	MemberID  string           `toml:"member_id"`
	PartnerID string           `toml:"partner_id"`
	Username  string           `toml:"username"`
	SecureKey providers.Secret `toml:"secure_key"` // sKey of the token, key of every checksum
	// TerminalID and AccountID are sent along if set.
	TerminalID string `toml:"terminal_id"`
	AccountID  string `toml:"account_id"`

	Requests string `toml:"requests"` // "form" (default), "json" (nested objects) or "flat" (JSON with dotted names)
	Answers  string `toml:"answers"`  // "json" (default) or "xml"

	PaymentMode   string            `toml:"payment_mode"`    // default CC
	Brands        map[string]string `toml:"brands"`          // paymentBrand by our word for the card, over the usual ones
	AttemptThreeD string            `toml:"attempt_three_d"` // "", "3D", "only3D" or "direct"
	// ToType is the label's own name, by which its checkout page is opened; without it the page is not offered.
	ToType string `toml:"to_type"`
	// Recurring (default true) says that the account's bank supports recurring payments: INITIAL and REPEATED are sent.
	Recurring *bool `toml:"recurring"`
	// RepeatBy is what a REPEATED payment names in its path: "payment" (default), the INITIAL one, or "token", the registration.
	RepeatBy string `toml:"repeat_by"`
	// PartialVoid (default true, as the document has it) says that the account may reverse a part of a hold.
	PartialVoid *bool `toml:"partial_void"`
	// TokenCVC (default true) says that a shopper who pays with a saved card is asked for its CVC.
	TokenCVC *bool `toml:"token_cvc"`
	// RequireAddress says that the acquirer refuses payments without e-mail, phone and address.
	RequireAddress bool `toml:"require_address"`
	// TimeZone (default UTC) is what the gateway's days and timestamps are in: IANA name.
	TimeZone string  `toml:"time_zone"`
	Billing  Billing `toml:"billing"`
}

// Billing stands in for what the merchant did not send.
type Billing struct {
	FirstName string `toml:"first_name"`
	LastName  string `toml:"last_name"`
	Address   string `toml:"address"`
	City      string `toml:"city"`
	State     string `toml:"state"`
	Zip       string `toml:"zip"`
	Country   string `toml:"country"`
	PhoneCode string `toml:"phone_code"` // telnocc, the country's calling code
	Phone     string `toml:"phone"`
	Email     string `toml:"email"`
}

var identifier = regexp.MustCompile(`^[0-9A-Za-z_-]{1,100}$`)

// Faults names all that is wrong with the settings.
func (c Config) Faults() []string {
	var faults []string
	fault := func(key, what string) { faults = append(faults, key+": "+what) }
	base, wrong := providers.ParseAddress(c.BaseURL)
	for _, what := range wrong {
		fault("base_url", what)
	}
	if base != nil && strings.Contains(base.Path, "Services") {
		fault("base_url", "ends before /transactionServices")
	}
	for _, f := range []struct {
		key, value string
		needed     bool
	}{{"member_id", c.MemberID, true}, {"partner_id", c.PartnerID, true}, {"terminal_id", c.TerminalID, false},
		{"account_id", c.AccountID, false}} {
		if f.needed && f.value == "" {
			fault(f.key, "missing")
		} else if f.value != "" && !wire.Digits(f.value) {
			fault(f.key, "digits only")
		}
	}
	if c.Username == "" {
		fault("username", "missing")
	}
	if c.SecureKey.Empty() {
		fault("secure_key", "missing")
	}
	oneOf := func(key, value string, words ...string) {
		for _, w := range words {
			if value == w {
				return
			}
		}
		fault(key, fmt.Sprintf("one of %q", words))
	}
	oneOf("requests", c.Requests, "", "form", "json", "flat")
	oneOf("answers", c.Answers, "", "json", "xml")
	oneOf("payment_mode", c.PaymentMode, "", "CC", "DC")
	oneOf("repeat_by", c.RepeatBy, "", "payment", "token")
	oneOf("attempt_three_d", c.AttemptThreeD, "", "3D", "only3D", "direct")
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		fault("time_zone", "not an IANA name")
	}
	for _, d := range c.Billing.fields() {
		if d.value != "" && !d.fits() {
			fault("billing."+d.name, d.rule)
		}
	}
	return faults
}

// usualBrands are the documents' words.
var usualBrands = map[string]string{"visa": "VISA", "mastercard": "MC", "maestro": "MAESTRO", "amex": "AMEX", "jcb": "JCB",
	"unionpay": "CUP", "diners": "DINER"}

// Open makes the provider.
func (c Config) Open(env providers.Env) (providers.Provider, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, fmt.Errorf("transactworld: %s", strings.Join(faults, "; "))
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("transactworld: %w", err)
	}
	brands := map[string]string{}
	for _, m := range []map[string]string{usualBrands, c.Brands} {
		for ours, theirs := range m {
			brands[ours] = theirs
		}
	}
	mode := c.PaymentMode
	if mode == "" {
		mode = "CC"
	}
	return &provider{
		client: &client{
			http: env.HTTP, now: env.Now, base: strings.TrimRight(c.BaseURL, "/"), member: c.MemberID, partner: c.PartnerID,
			username: c.Username, key: c.SecureKey,
			json: c.Requests == "json", flat: c.Requests == "flat", xml: c.Answers == "xml", turn: make(chan struct{}, 1),
		},
		terminal: c.TerminalID, accountID: c.AccountID, mode: mode, brands: brands, attempt: c.AttemptThreeD,
		partialVoid: c.PartialVoid == nil || *c.PartialVoid, recurring: c.Recurring == nil || *c.Recurring, byToken: c.RepeatBy == "token", toType: c.ToType,
		tokenCode: c.TokenCVC == nil || *c.TokenCVC, address: c.RequireAddress, zone: zone, defaults: c.Billing,
		loopback: env.Loopback,
	}, nil
}

// billingField is one field with the gateway's name for it and its rule.
type billingField struct {
	name, value, param string
	max                int
	needed             bool // where the account requires the address
	rule               string
}

var (
	callingCode = regexp.MustCompile(`^\+?[0-9]{1,4}$`)
	phoneNumber = regexp.MustCompile(`^\+?[0-9][0-9 ()-]{2,22}$`)
)

func (f billingField) fits() bool {
	switch f.name {
	case "country":
		return len(f.value) == 2 && strings.Trim(f.value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	case "email":
		at := strings.LastIndexByte(f.value, '@')
		return at > 0 && at < len(f.value)-1 && len(f.value) <= f.max && !strings.ContainsAny(f.value, " \t\r\n")
	case "phone":
		return phoneNumber.MatchString(f.value)
	case "phone_code":
		return callingCode.MatchString(f.value)
	}
	return len([]rune(f.value)) <= f.max
}

func (b Billing) fields() []billingField {
	at := func(name, value, param string, max int, needed bool) billingField {
		return billingField{name, strings.TrimSpace(value), param, max, needed, fmt.Sprintf("at most %d characters", max)}
	}
	return []billingField{
		at("first_name", b.FirstName, "customer.givenName", 50, false),
		at("last_name", b.LastName, "customer.surname", 50, false),
		at("address", b.Address, "shipping.street1", 150, true),
		at("city", b.City, "shipping.city", 50, true),
		at("state", b.State, "shipping.state", 50, false),
		at("zip", b.Zip, "shipping.postcode", 10, true),
		{"country", strings.TrimSpace(b.Country), "shipping.country", 2, true, "ISO 3166 alpha-2, two capital letters"},
		{"phone_code", strings.TrimSpace(b.PhoneCode), "customer.telnocc", 5, false, "a calling code: +7"},
		{"phone", strings.TrimSpace(b.Phone), "customer.phone", 24, true, "a telephone number"},
		{"email", strings.TrimSpace(b.Email), "customer.email", 100, true, "an e-mail address of at most 100 characters"},
	}
}

// Advice names what every session has to bring because the account requires it and has no default for it.
func (c *Config) Advice() []string {
	var missing []string
	for _, f := range c.Billing.fields() {
		if c.RequireAddress && f.needed && f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{"billing: require_address is set, and there is no default for " + strings.Join(missing, ", ") + ": " +
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
		FirstName: first(m.FirstName, d.FirstName), LastName: first(m.LastName, d.LastName), Address: first(m.Address, d.Address),
		City: first(m.City, d.City), Zip: first(m.Zip, d.Zip), Country: first(m.Country, d.Country),
		Phone: first(m.Phone, pay.Customer.Phone, d.Phone), Email: first(m.Email, pay.Customer.Email, d.Email),
	}
	b.State = m.State
	if b.State == "" && b.Country == d.Country {
		b.State = d.State // an account's default state says nothing of another country
	}
	if b.Phone == d.Phone {
		b.PhoneCode = d.PhoneCode // and its calling code nothing of another number
	}
	return b
}

// amount writes [0-9]{1,10}\.[0-9]{2}. The gateway's samples write two decimals in every currency, also where the currency has
// none, and a fraction of a yen beside them: so only currencies with two decimals can be said without ambiguity.
func amount(a money.Amount) (string, error) {
	if a.Currency.Digits != 2 {
		return "", providers.Refuse("currency", "this gateway takes currencies with two decimals only")
	}
	if a.Minor <= 0 {
		return "", providers.Refuse("amount", "must be more than zero")
	}
	s := a.Decimal()
	if len(s) > 13 {
		return "", providers.Refuse("amount", "this gateway takes at most 9999999999.99")
	}
	return s, nil
}
