// Package rbs speaks the RBS (BPC) "eCommerce API V1": Bereke, Alfa, BT iPay and others. Cards are entered on our page
// and sent with paymentorder.do; 3-D Secure runs in the shopper's browser; getOrderStatusExtended.do is the only word
// about money that is believed.
package rbs

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// Ways to run 3-D Secure 1.0.2.
const (
	ThreeDS1Gateway  = "gateway"  // MD = mdOrder and the gateway's own termUrl: it finishes and sends the shopper back
	ThreeDS1Own      = "own"      // our TermUrl, then finish3dsPayment.do; needs a permission of the bank's
	ThreeDS1Redirect = "redirect" // acsRedirect.do does it all
)

// Ways to end a 3-D Secure 2 challenge.
const (
	ThreeDS2Finish  = "finish"  // threeDSVer2FinishUrl is ours, then finish3dsVer2Payment.do
	ThreeDS2Gateway = "gateway" // no finish URL: the gateway finishes and sends the shopper back
)

// Order lifetimes in seconds that are asked for, whatever the session's expiry is.
const (
	minSessionTimeout = 60
	maxSessionTimeout = 86400
)

// features that an account may name; one that the bank has not permitted is answered with error 14.
var features = []string{"VERIFY", "FORCE_TDS", "FORCE_SSL", "FORCE_FULL_TDS", "FORCE_CREATE_BINDING", "PARTIAL_AUTHORIZATION",
	"FORCE_PAYMENT_WAY"}

// Config is an account at an RBS gateway.
type Config struct {
	// BaseURL is the API's root, up to and with "/payment/rest/".
	BaseURL  string           `toml:"base_url"`
	UserName string           `toml:"user_name"`
	Password providers.Secret `toml:"password"`
	// Token replaces user name and password; the gateway refuses both together.
	Token providers.Secret `toml:"token"`

	// One of the two, as the bank set callbacks up; with neither, callbacks prove nothing and are refused.
	CallbackSecret    providers.Secret `toml:"callback_secret"`     // HMAC-SHA256
	CallbackPublicKey string           `toml:"callback_public_key"` // PEM, public key or certificate: RSA with SHA-512

	ThreeDS1 string `toml:"three_ds1"` // gateway (default), own, redirect
	ThreeDS2 string `toml:"three_ds2"` // finish (default), gateway
	// MethodNotification sends our threeDSMethodNotificationUrl; without it every 3DS Method waits its full ten seconds.
	MethodNotification *bool `toml:"method_notification"`
	// BindingCode asks for the CVC of a saved card too.
	BindingCode bool `toml:"binding_code"`
	// BrowserInfo sends clientBrowserInfo, which some banks have to permit.
	BrowserInfo *bool `toml:"browser_info"`

	// SessionTimeout caps the lifetime of an order at the gateway, in seconds; 0 is a day.
	SessionTimeout int      `toml:"session_timeout"`
	Features       []string `toml:"features"`
	// Languages the gateway knows, two letters each; a shopper's language that is not among them becomes the first.
	Languages []string `toml:"languages"`

	// RecurringFrequency and RecurringDays tell the card's bank, with a payment that saves the card, of the charges that
	// follow: so many days lie between them at least, and so many after the payment is the last. Both or neither.
	RecurringFrequency int `toml:"recurring_frequency"`
	RecurringDays      int `toml:"recurring_days"`

	// GooglePay: the contract has Google Pay, whose tokens the merchant's app brings by the API.
	GooglePay bool `toml:"google_pay"`

	// FeeInput: the contract lets a fee be taken on top of the amount.
	FeeInput bool `toml:"fee_input"`
	// PayerData is what the gateway learns of the payer beside the e-mail address: phone, order_payer, billing_payer.
	PayerData []string `toml:"payer_data"`
	// MerchantLogin is the child merchant on whose behalf orders are registered, unless a session names another.
	MerchantLogin string `toml:"merchant_login"`
	// UTCOffset is the gateway's time zone, in minutes east of UTC: expirationDate is written in it.
	UTCOffset int `toml:"utc_offset"`

	// CartFormat is how a session's cart is sent: attributes, fields; without it it is not.
	CartFormat string `toml:"cart_format"`
	// FFD is the version of the fiscal data format that receipts are made in: 1.05, 1.2; without it none are made of the cart.
	FFD string `toml:"ffd"`
	// TaxSystem of the account's company: osn, usn_income, usn_income_outcome, envd, esn, patent.
	TaxSystem string `toml:"tax_system"`
	// What the receipts say of the company, with CartFormat fields.
	CompanyEmail   string `toml:"company_email"`
	CompanyINN     string `toml:"company_inn"`
	CompanyAddress string `toml:"company_address"`

	// SEToken has the shopper's browser encrypt the card, so that our server sees no number. SEKey is the gateway's key, PEM; without
	// it the key is fetched from the gateway.
	SEToken bool   `toml:"se_token"`
	SEKey   string `toml:"se_key"`
}

var _ providers.Config = (*Config)(nil)

// Faults names all that is wrong; no text holds a credential.
func (c *Config) Faults() []string {
	var faults []string
	fault := func(key, format string, args ...any) {
		faults = append(faults, key+": "+fmt.Sprintf(format, args...))
	}
	if what := cmp.Or(wire.NoAddress(c.BaseURL), wire.OpenAddress(c.BaseURL)); what != "" {
		fault("base_url", "%s", what)
	} else if c.ThreeDS1 == ThreeDS1Redirect && acsRedirect(c.BaseURL) == "" {
		fault("base_url", "does not end in /rest/, so that acsRedirect.do cannot be found (three_ds1 = %q)", c.ThreeDS1)
	}
	switch named := c.UserName != "" || !c.Password.Empty(); {
	case !c.Token.Empty() && named:
		fault("token", "not together with user_name and password")
	case c.Token.Empty() && c.UserName == "":
		fault("user_name", "missing (or a token)")
	}
	if c.Token.Empty() && c.Password.Empty() {
		fault("password", "missing (or a token)")
	}
	if len(c.UserName) > 100 {
		fault("user_name", "longer than 100")
	}
	if !c.CallbackSecret.Empty() && c.CallbackPublicKey != "" {
		fault("callback_public_key", "not together with callback_secret: the account has one kind of checksum")
	}
	if c.CallbackPublicKey != "" {
		if _, err := publicKey(c.CallbackPublicKey); err != nil {
			fault("callback_public_key", "%v", err)
		}
	}
	if !slices.Contains([]string{"", ThreeDS1Gateway, ThreeDS1Own, ThreeDS1Redirect}, c.ThreeDS1) {
		fault("three_ds1", "%q is none of gateway, own, redirect", c.ThreeDS1)
	}
	if !slices.Contains([]string{"", ThreeDS2Finish, ThreeDS2Gateway}, c.ThreeDS2) {
		fault("three_ds2", "%q is none of finish, gateway", c.ThreeDS2)
	}
	if c.SessionTimeout != 0 && (c.SessionTimeout < minSessionTimeout || c.SessionTimeout > maxSessionTimeout) {
		fault("session_timeout", "%d is not between %d and %d seconds", c.SessionTimeout, minSessionTimeout, maxSessionTimeout)
	}
	for _, f := range c.Features {
		if !slices.Contains(features, f) {
			fault("features", "%q is none of %s", f, strings.Join(features, ", "))
		}
	}
	for _, l := range c.Languages {
		if len(l) != 2 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz") != "" {
			fault("languages", "%q is not two small letters", l)
		}
	}
	if c.RecurringFrequency < 0 || c.RecurringDays < 0 || (c.RecurringFrequency == 0) != (c.RecurringDays == 0) {
		fault("recurring_frequency", "and recurring_days must both be set, in days, or neither")
	}
	for _, part := range c.PayerData {
		if !slices.Contains(payerParts, part) {
			fault("payer_data", "%q is none of %s", part, strings.Join(payerParts, ", "))
		}
	}
	switch {
	case c.GooglePay && googlePayAddress(c.BaseURL) == "":
		fault("google_pay", "base_url does not end in /rest/, so that google/payment.do cannot be found")
	case c.GooglePay && c.UserName == "" && c.MerchantLogin == "":
		fault("google_pay", "needs user_name or merchant_login: the call names the merchant")
	}
	c.cartFaults(fault)
	c.sealFaults(fault)
	if len(c.MerchantLogin) > 255 {
		fault("merchant_login", "longer than 255")
	}
	if c.UTCOffset < -14*60 || c.UTCOffset > 14*60 {
		fault("utc_offset", "%d is not within 840 minutes of UTC", c.UTCOffset)
	}
	return faults
}

func (c *Config) sealFaults(fault func(key, format string, args ...any)) {
	switch key, err := publicKey(c.SEKey); {
	case c.SEKey == "" && c.SEToken && keysAddress(c.BaseURL) == "":
		fault("se_key", "needed: base_url does not end in /rest/, so that the gateway's key cannot be found")
	case c.SEKey == "":
	case !c.SEToken:
		fault("se_token", "must be true for se_key to be used")
	case err != nil:
		fault("se_key", "%v", err)
	case key.Size() < 2048/8:
		fault("se_key", "is shorter than 2048 bits")
	}
}

// cartFaults names what is wrong with the settings about carts and receipts.
func (c *Config) cartFaults(fault func(key, format string, args ...any)) {
	switch {
	case !slices.Contains([]string{"", CartAttributes, CartFields}, c.CartFormat):
		fault("cart_format", "%q is none of attributes, fields", c.CartFormat)
	case !slices.Contains([]string{"", "1.05", "1.2"}, c.FFD):
		fault("ffd", "%q is none of 1.05, 1.2", c.FFD)
	case c.TaxSystem != "" && !slices.Contains(taxSystems, c.TaxSystem):
		fault("tax_system", "%q is none of %s", c.TaxSystem, strings.Join(taxSystems, ", "))
	case c.FFD != "" && c.CartFormat == "":
		fault("cart_format", "needed with ffd")
	case c.FFD != "" && c.TaxSystem == "":
		fault("tax_system", "needed with ffd")
	case c.FFD != "" && c.CartFormat == CartFields && (c.CompanyEmail == "" || c.CompanyINN == "" || c.CompanyAddress == ""):
		fault("company_inn", "company_email and company_address are needed with ffd and cart_format fields")
	}
	if inn := c.CompanyINN; inn != "" && (len(inn) != 10 && len(inn) != 12 || strings.Trim(inn, "0123456789") != "") {
		fault("company_inn", "is not 10 or 12 digits")
	}
}

// Open makes the provider.
func (c *Config) Open(env providers.Env) (providers.Provider, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, errors.New("rbs: " + strings.Join(faults, "; "))
	}
	p := &provider{
		client:   client{http: env.HTTP, base: withSlash(c.BaseURL), user: c.UserName, password: c.Password, token: c.Token},
		loopback: env.Loopback,
		threeDS1: cmp.Or(c.ThreeDS1, ThreeDS1Gateway), threeDS2: cmp.Or(c.ThreeDS2, ThreeDS2Finish),
		notify: c.MethodNotification == nil || *c.MethodNotification, browser: c.BrowserInfo == nil || *c.BrowserInfo,
		acsRedirect: acsRedirect(c.BaseURL),
		languages:   slices.Clone(c.Languages), secret: c.CallbackSecret, bindingCode: c.BindingCode,
		fiscal:  fiscal{c.CartFormat, c.FFD, c.TaxSystem, c.CompanyEmail, c.CompanyINN, c.CompanyAddress},
		sealing: &sealing{calls: env.HTTP, clock: env.Now, on: c.SEToken, keys: keysAddress(c.BaseURL)},
		terms: terms{
			now: env.Now, timeout: c.SessionTimeout, features: slices.Clone(c.Features), recurringFrequency: c.RecurringFrequency,
			recurringDays: c.RecurringDays, feeInput: c.FeeInput, payer: slices.Clone(c.PayerData), merchantLogin: c.MerchantLogin,
			utcOffset: time.Duration(c.UTCOffset) * time.Minute,
		},
	}
	if p.timeout == 0 {
		p.timeout = maxSessionTimeout
	}
	if len(p.languages) == 0 {
		p.languages = []string{"ru", "en"}
	}
	if c.GooglePay {
		p.googlePay = googlePayAddress(c.BaseURL)
	}
	if c.SEKey != "" {
		key, err := publicKey(c.SEKey)
		if err != nil {
			return nil, err
		}
		p.sealing.set = key
	}
	if c.CallbackPublicKey != "" {
		key, err := publicKey(c.CallbackPublicKey)
		if err != nil {
			return nil, err
		}
		p.public = key
	}
	return p, nil
}

func withSlash(base string) string { return strings.TrimSuffix(base, "/") + "/" }

// acsRedirect is the browser's address beside the API: /payment/acsRedirect.do next to /payment/rest/.
func acsRedirect(base string) string {
	root, ok := strings.CutSuffix(withSlash(base), "/rest/")
	if !ok {
		return ""
	}
	return root + "/acsRedirect.do"
}

func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "CERTIFICATE": // banks hand those out; the dates in it are not judged
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("not a public key or certificate")
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return k, nil
}
