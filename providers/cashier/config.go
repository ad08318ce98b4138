// Package cashier speaks the "Mobile Cashier" API 1.1.7 (Pay2Day, Kanyon, AdvancedPay) and the PaymentAPI layer that its card
// calls belong to: orders by order or payment amount, cards, the hosted payment form, QR of the fast payment system, SberPay,
// payouts. Much of that API is not published: what was assumed stands in docs/gateways/cashier.md, by number.
package cashier

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"tollgate/internal/money"
	"tollgate/providers"
)

// Ways to say an amount.
const (
	ModePayment = "payment" // paymentAmount: the customer pays exactly it, in the payment's currency
	ModeOrder   = "order"   // orderAmount: the gateway converts to the payment's currency and adds its fee
)

// orderCurrencies are those that an order may be in.
var orderCurrencies = []string{"USD", "EUR", "AED", "THB", "RUB", "TRY"}

// rouble is what customers pay in where the account does not say otherwise.
const rouble = "RUB"

// Config is a cashier's account.
type Config struct {
	// BaseURL and IdentityURL end in /api/v1; logins go to the second, which is another host.
	BaseURL     string           `toml:"base_url"`
	IdentityURL string           `toml:"identity_url"`
	Login       string           `toml:"login"`
	Password    providers.Secret `toml:"password"`
	TSPID       int64            `toml:"tsp_id"` // the shop's number
	// TSPCode and FormURL (https://payment.{domain}) are needed for cards and the hosted form; without them QR and SberPay remain.
	TSPCode string `toml:"tsp_code"`
	FormURL string `toml:"form_url"`

	AmountMode    string `toml:"amount_mode"`    // payment (default) or order
	OrderCurrency string `toml:"order_currency"` // of orders by payment amount; default RUB
	// PaymentCurrency is what customers pay in, where the contract says so; "" is RUB, and is not sent.
	PaymentCurrency string `toml:"payment_currency"`

	// CallbackPublicKey checks Payment-Sign (PEM). Without it callbacks prove nothing and are refused.
	CallbackPublicKey string `toml:"callback_public_key"`
	// CardPublicKey seals the card to the gateway (PEM); without it the card goes as the TLS connection protects it.
	CardPublicKey string `toml:"card_public_key"`
	// Bearer sends the access token as Authorization: Bearer in place of Authorization-Token.
	Bearer bool `toml:"bearer"`
	// APIKey goes along as x-api-key with authorize, charge and void, as the sister APIs want it.
	APIKey providers.Secret `toml:"api_key"`
	// SavedCardCode tells whether the CVC is asked for with a saved card; default true.
	SavedCardCode *bool `toml:"saved_card_code"`
}

var _ providers.Config = (*Config)(nil)

// Faults names all that is wrong; no text holds a credential.
func (c *Config) Faults() []string {
	var faults []string
	fault := func(key, what string) { faults = append(faults, key+": "+what) }
	for _, a := range []struct {
		key, value string
		needed     bool
	}{{"base_url", c.BaseURL, true}, {"identity_url", c.IdentityURL, true}, {"form_url", c.FormURL, c.TSPCode != ""}} {
		if a.value == "" && !a.needed {
			continue
		}
		if what := addressFault(a.value); what != "" {
			fault(a.key, what)
		}
	}
	if c.FormURL != "" && c.TSPCode == "" {
		fault("tsp_code", "needed with form_url")
	}
	if strings.Trim(c.TSPCode, plainID) != "" {
		fault("tsp_code", "letters, digits, hyphen and underscore only")
	}
	if c.Login == "" {
		fault("login", "missing")
	}
	if c.Password.Empty() {
		fault("password", "missing")
	}
	if c.TSPID <= 0 {
		fault("tsp_id", "the shop's number is missing")
	}
	if !slices.Contains([]string{"", ModePayment, ModeOrder}, c.AmountMode) {
		fault("amount_mode", `"payment" or "order"`)
	}
	switch {
	case c.OrderCurrency == "":
	case c.AmountMode == ModeOrder:
		fault("order_currency", "only with amount_mode payment: otherwise it is the session's")
	case !slices.Contains(orderCurrencies, c.OrderCurrency):
		fault("order_currency", "one of "+strings.Join(orderCurrencies, ", "))
	}
	if c.PaymentCurrency != "" {
		if known, err := money.ParseCurrency(c.PaymentCurrency); err != nil || known.Digits != 2 {
			fault("payment_currency", "a currency of ISO 4217 with two digits after the point, such as KZT")
		}
	}
	for key, text := range map[string]string{"callback_public_key": c.CallbackPublicKey, "card_public_key": c.CardPublicKey} {
		if text == "" {
			continue
		}
		if _, err := publicKey(text); err != nil {
			fault(key, err.Error())
		}
	}
	slices.Sort(faults)
	return faults
}

// Open makes the provider.
func (c *Config) Open(env providers.Env) (providers.Provider, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, errors.New("cashier: " + strings.Join(faults, "; "))
	}
	p := &provider{
		orders: orders{
			client: client{
				http: env.HTTP, base: strings.TrimRight(c.BaseURL, "/"), bearer: c.Bearer, apiKey: c.APIKey,
				access: newAccess(env.HTTP, env.Now, strings.TrimRight(c.IdentityURL, "/"), c.Login, c.Password),
			},
			now: env.Now, login: c.Login, tsp: c.TSPID,
			byOrder: c.AmountMode == ModeOrder, orderCurrency: cmp.Or(c.OrderCurrency, rouble), past: &pastOrders{},
			payCurrency: cmp.Or(c.PaymentCurrency, rouble), tellCurrency: c.PaymentCurrency,
		},
		loopback: env.Loopback, tspCode: c.TSPCode, formURL: strings.TrimRight(c.FormURL, "/"),
		asksCode: c.SavedCardCode == nil || *c.SavedCardCode,
	}
	var err error
	if c.CallbackPublicKey != "" {
		if p.callbackKey, err = publicKey(c.CallbackPublicKey); err != nil {
			return nil, err
		}
	}
	if c.CardPublicKey != "" {
		if p.cardKey, err = publicKey(c.CardPublicKey); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func addressFault(text string) string {
	if text == "" {
		return "missing"
	}
	if _, faults := providers.ParseAddress(text); len(faults) > 0 {
		return faults[0]
	}
	return ""
}

func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a public key")
	}
	k, isRSA := key.(*rsa.PublicKey)
	if !isRSA {
		return nil, errors.New("not an RSA key")
	}
	return k, nil
}

const plainID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
