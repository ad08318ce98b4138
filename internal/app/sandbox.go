package app

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"tollgate/internal/config"
	"tollgate/internal/i18n"
	"tollgate/internal/look"
	"tollgate/internal/sandbox"
	sandboxcashier "tollgate/internal/sandbox/cashier"
	sandboxpayneteasy "tollgate/internal/sandbox/payneteasy"
	sandboxrbs "tollgate/internal/sandbox/rbs"
	sandboxsber "tollgate/internal/sandbox/sber"
	"tollgate/internal/sandbox/sim"
	sandboxtransactworld "tollgate/internal/sandbox/transactworld"
)

// DemoKey is the demo merchant's API key in the sandbox.
const DemoKey = "sk_sandbox_demo"

// sandboxParts is the sandbox with what it stands on.
type sandboxParts struct {
	env      *sim.Env
	gateways []sandbox.Gateway
	box      *sandbox.Sandbox
	server   *http.Server
}

func (s *sandboxParts) run(ctx context.Context) { s.box.Run(ctx) }

func (a *App) buildSandbox() (*sandboxParts, error) {
	env, err := sim.New(sim.Options{BaseURL: a.SandboxURL, Dir: a.o.Config.Data, Now: a.o.Clock.Now, Rand: a.o.Rand, Log: a.log,
		Dial: a.o.Dial})
	if err != nil {
		return nil, err
	}
	parts := &sandboxParts{env: env}
	rbs, err := sandboxrbs.New(env, sandboxrbs.Config{})
	if err != nil {
		return parts, err
	}
	payneteasy, err := sandboxpayneteasy.New(env, sandboxpayneteasy.Config{})
	if err != nil {
		return parts, err
	}
	sber, err := sandboxsber.New(env, sandboxsber.Config{})
	if err != nil {
		return parts, err
	}
	cashier, err := sandboxcashier.New(env, sandboxcashier.Config{})
	if err != nil {
		return parts, err
	}
	transactworld, err := sandboxtransactworld.New(env, sandboxtransactworld.Config{})
	if err != nil {
		return parts, err
	}
	parts.gateways = []sandbox.Gateway{rbs, payneteasy, sber, cashier, transactworld}
	parts.box, err = sandbox.New(sandbox.Options{
		Env: env, FrontURL: a.FrontURL, APIKey: DemoKey, Gateways: parts.gateways, Look: a.shopLook(), Languages: languages(),
		Advance: func(d time.Duration) {
			a.o.Clock.Advance(d)
			a.Wake()
		},
	})
	if err != nil {
		return parts, err
	}
	parts.server = server(parts.box, a.log)
	return parts, nil
}

// languages are those of the payment pages, by tag and name.
func languages() (all [][2]string) {
	for _, l := range i18n.All() {
		all = append(all, [2]string{l.Tag, l.Name})
	}
	return all
}

// shopLook is the look of the demo shop's pages; a front that the sandbox stands beside has looks of its own.
func (a *App) shopLook() string {
	if a.o.Config.Sandbox {
		return look.Sample().Name
	}
	return ""
}

// demo is what the sandbox is configured with: one merchant, with all the accounts.
func (a *App) demo(c *config.Config) {
	c.Accounts = map[string]config.Account{}
	var names []string
	for _, d := range sandboxAccounts(a.SandboxURL) {
		c.Accounts[d.name] = config.Account{Gateway: d.gateway, Settings: d.settings}
		names = append(names, d.name)
	}
	c.Merchants = []config.Merchant{{ID: "demo", Name: "Demo shop", APIKeys: []string{DemoKey}, Accounts: names,
		Looks: []config.Look{config.SampleLook()}}}
}

// demoAccount is an account of the demo merchant.
type demoAccount struct {
	name, gateway string
	settings      map[string]any
}

// sandboxAccounts has one plain account per gateway, then contracts of another shape at the same simulated gateways: what the
// plain account of the gateway has, with some settings otherwise.
func sandboxAccounts(sandboxURL string) []demoAccount {
	set := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	rbs := func(name string, pairs ...any) demoAccount {
		return demoAccount{name, "rbs", overlaid(rbsSettings(sandboxURL), set(pairs...))}
	}
	payneteasy := func(name string, account sandboxpayneteasy.Account, pairs ...any) demoAccount {
		return demoAccount{name, "payneteasy", overlaid(payneteasySettings(sandboxURL, account), set(pairs...))}
	}
	cashier := func(name string, pairs ...any) demoAccount {
		return demoAccount{name, "cashier", overlaid(cashierSettings(sandboxURL), set(pairs...))}
	}
	transactworld := func(name string, account sandboxtransactworld.Account, pairs ...any) demoAccount {
		return demoAccount{name, "transactworld", overlaid(transactworldSettings(sandboxURL, account), set(pairs...))}
	}
	plainPaynetEasy, otherPaynetEasy := sandboxpayneteasy.DemoAccount(), sandboxpayneteasy.OtherAccount()
	plainTransactWorld, wholeTransactWorld := sandboxtransactworld.DemoAccount(), sandboxtransactworld.WholeAccount()
	atRBS, atCashier := sandboxrbs.DemoAccount(), sandboxcashier.DemoAccount()

	return []demoAccount{
		rbs("rbs", "google_pay", true),
		payneteasy("payneteasy", plainPaynetEasy, "endpoint_id", plainPaynetEasy.Endpoints[0]),
		{"sber", "sber", set("base_url", sandboxURL+"/sber/sbersafe", "merchant_login", sandboxsber.DemoAccount().MerchantLogin)},
		cashier("cashier"),
		transactworld("transactworld", plainTransactWorld),

		rbs("rbs-own", "three_ds1", "own"),
		rbs("rbs-redirect", "three_ds1", "redirect"),
		rbs("rbs-gateway", "three_ds2", "gateway"),
		rbs("rbs-terms", "fee_input", true, "payer_data", []any{"phone", "order_payer", "billing_payer"},
			"merchant_login", atRBS.Children[0], "features", []any{"FORCE_SSL"}, "recurring_frequency", int64(28),
			"recurring_days", int64(365), "utc_offset", int64(0)),
		rbs("rbs-bare", "user_name", "", "password", "", "token", atRBS.Token, "method_notification", false, "browser_info", false,
			"binding_code", true, "session_timeout", int64(3600), "languages", []any{"en"}),
		rbs("rbs-cart", "cart_format", "fields", "ffd", "1.2", "tax_system", "osn", "company_email", "shop@example.com",
			"company_inn", "7707083893", "company_address", "https://shop.example"),
		rbs("rbs-cart-105", "cart_format", "attributes", "ffd", "1.05", "tax_system", "usn_income"),
		rbs("rbs-sealed", "se_token", true),

		transactworld("transactworld-flat", plainTransactWorld, "requests", "flat", "answers", "xml"),
		transactworld("transactworld-json", plainTransactWorld, "requests", "json", "repeat_by", "token", "attempt_three_d", "3D",
			"payment_mode", "DC", "require_address", true),
		transactworld("transactworld-whole", wholeTransactWorld, "partial_void", false, "recurring", false, "token_cvc", false),

		payneteasy("payneteasy-other", otherPaynetEasy, // all that can be otherwise, at an account where all is done otherwise
			"endpoint_group_id", otherPaynetEasy.Groups[0], "answers", "json", "notify", "server_callback_url",
			"rebill_command", "make-rebill-sale", "rebill_cvv", true, "site_url", "https://shop.example", "withhold_uploads", true, "method_wait", int64(12)),

		cashier("cashier-order", "amount_mode", "order", "bearer", true, "api_key", "demo", "saved_card_code", false,
			"card_public_key", sandboxcashier.PublicKey(atCashier.CardKey)),
		cashier("cashier-qr", "tsp_code", "", "form_url", ""),
		cashier("cashier-kzt", "payment_currency", "KZT"),
	}
}

// overlaid is a map with some of its values otherwise.
func overlaid(plain, more map[string]any) map[string]any {
	maps.Copy(plain, more)
	return plain
}

// demoBilling is what two gateways insist on and the demo shop does not ask.
func demoBilling() map[string]any {
	return map[string]any{
		"first_name": "Demo", "last_name": "Shopper", "address": "Abay Avenue 1", "city": "Almaty", "zip": "050000", "country": "KZ",
		"phone": "77010000000", "email": "shopper@example.com",
	}
}

func rbsSettings(sandboxURL string) map[string]any {
	account := sandboxrbs.DemoAccount()
	return map[string]any{
		"base_url": sandboxURL + "/rbs/payment/rest/", "user_name": account.UserName, "password": account.Password,
		"callback_secret": account.CallbackKey,
	}
}

func payneteasySettings(sandboxURL string, account sandboxpayneteasy.Account) map[string]any {
	return map[string]any{
		"base_url": sandboxURL + "/payneteasy/paynet", "login": account.Login, "merchant_control": account.Control,
		"billing": demoBilling(),
	}
}

func cashierSettings(sandboxURL string) map[string]any {
	account := sandboxcashier.DemoAccount()
	return map[string]any{
		"base_url": sandboxURL + "/cashier/api/v1", "identity_url": sandboxURL + "/cashier/identity/api/v1",
		"form_url": sandboxURL + "/cashier/form",
		"login":    account.Login, "password": account.Password, "tsp_id": int64(sandboxcashier.DemoTSP),
		"tsp_code":            account.TSPs[sandboxcashier.DemoTSP],
		"callback_public_key": sandboxcashier.PublicKey(account.CallbackKey),
	}
}

func transactworldSettings(sandboxURL string, account sandboxtransactworld.Account) map[string]any {
	return map[string]any{
		"base_url": sandboxURL + "/transactworld", "member_id": account.MemberID, "partner_id": account.PartnerID,
		"username": account.Username, "secure_key": account.SecureKey, "terminal_id": account.TerminalID, "billing": demoBilling(),
		"to_type": "transactworld",
	}
}

// DemoAccounts are the accounts of a front elsewhere that lead to this sandbox, as its configuration file has them.
func (a *App) DemoAccounts() string {
	var c config.Config
	a.demo(&c)
	type account struct {
		Gateway  string         `toml:"gateway"`
		Settings map[string]any `toml:"settings"`
	}
	plain := map[string]account{}
	for _, name := range Gateways() {
		plain[name] = account{c.Accounts[name].Gateway, c.Accounts[name].Settings}
	}
	var b strings.Builder
	enc := toml.NewEncoder(&b)
	enc.SetTablesInline(false)
	if err := enc.Encode(map[string]any{"account": plain}); err != nil {
		return "# " + err.Error()
	}
	return b.String()
}

// Credentials are the simulated gateways' demo credentials, by gateway; nil without a sandbox.
func (a *App) Credentials() map[string]map[string]string {
	if a.sandbox == nil {
		return nil
	}
	all := map[string]map[string]string{}
	for _, g := range a.sandbox.gateways {
		all[g.Name()] = g.Credentials()
	}
	return all
}
