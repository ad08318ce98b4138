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

// demo is what the sandbox is configured with: one merchant, one account per gateway. The variants beside the plain
// accounts are contracts of another shape at the same simulated gateway.
func (a *App) demo(c *config.Config) {
	rbs := sandboxrbs.DemoAccount()
	payneteasy := sandboxpayneteasy.DemoAccount()
	payneteasyOther := sandboxpayneteasy.OtherAccount()
	cashier := sandboxcashier.DemoAccount()
	address := map[string]any{ // what these gateways insist on and the demo shop does not ask
		"first_name": "Demo", "last_name": "Shopper", "address": "Abay Avenue 1", "city": "Almaty", "zip": "050000", "country": "KZ",
		"phone": "77010000000", "email": "shopper@example.com",
	}
	account := func(gateway string, settings map[string]any) config.Account {
		return config.Account{Gateway: gateway, Settings: settings}
	}
	rbsWith := func(more map[string]any) config.Account {
		settings := map[string]any{
			"base_url": a.SandboxURL + "/rbs/payment/rest/", "user_name": rbs.UserName, "password": rbs.Password,
			"callback_secret": rbs.CallbackKey,
		}
		for k, v := range more {
			settings[k] = v
		}
		return account("rbs", settings)
	}
	c.Accounts = map[string]config.Account{
		"rbs":          rbsWith(nil),
		"rbs-own":      rbsWith(map[string]any{"three_ds1": "own"}),
		"rbs-redirect": rbsWith(map[string]any{"three_ds1": "redirect"}),
		"rbs-gateway":  rbsWith(map[string]any{"three_ds2": "gateway"}),
		"rbs-terms": rbsWith(map[string]any{
			"fee_input": true, "payer_data": []any{"phone", "order_payer", "billing_payer"}, "merchant_login": rbs.Children[0],
			"features": []any{"FORCE_SSL"}, "recurring_frequency": int64(28), "recurring_days": int64(365), "utc_offset": int64(0),
		}),
		"rbs-bare": rbsWith(map[string]any{
			"user_name": "", "password": "", "token": rbs.Token, "method_notification": false, "browser_info": false, "binding_code": true,
			"session_timeout": int64(3600), "languages": []any{"en"},
		}),
		"rbs-cart": rbsWith(map[string]any{
			"cart_format": "fields", "ffd": "1.2", "tax_system": "osn", "company_email": "shop@example.com", "company_inn": "7707083893",
			"company_address": "https://shop.example",
		}),
		"rbs-cart-105": rbsWith(map[string]any{"cart_format": "attributes", "ffd": "1.05", "tax_system": "usn_income"}),
		"rbs-sealed":   rbsWith(map[string]any{"se_token": true}),
		"sber": account("sber", map[string]any{
			"base_url": a.SandboxURL + "/sber/sbersafe", "merchant_login": sandboxsber.DemoAccount().MerchantLogin,
		}),
		"payneteasy": account("payneteasy", map[string]any{
			"base_url": a.SandboxURL + "/payneteasy/paynet", "endpoint_id": payneteasy.Endpoints[0], "login": payneteasy.Login,
			"merchant_control": payneteasy.Control,
			"billing":          address,
		}),
		"payneteasy-other": account("payneteasy", map[string]any{ // all that can be otherwise, at an account where all is done otherwise
			"base_url": a.SandboxURL + "/payneteasy/paynet", "endpoint_group_id": payneteasyOther.Groups[0], "login": payneteasyOther.Login,
			"merchant_control": payneteasyOther.Control, "answers": "json", "notify": "server_callback_url", "rebill_command": "make-rebill-sale",
			"rebill_cvv": true, "site_url": "https://shop.example", "withhold_uploads": true,
			"billing": address,
		}),
		"cashier-order": cashierAccount(a.SandboxURL, map[string]any{
			"amount_mode": "order", "bearer": true, "api_key": "demo", "saved_card_code": false, "card_public_key": sandboxcashier.PublicKey(cashier.CardKey),
		}),
		"cashier-qr": cashierAccount(a.SandboxURL, map[string]any{"tsp_code": "", "form_url": ""}),
		"cashier":    cashierAccount(a.SandboxURL, nil),
	}
	maps.Copy(c.Accounts, transactworldAccounts(a.SandboxURL+"/transactworld", address))
	names := []string{
		"rbs", "payneteasy", "sber", "cashier", "transactworld", "rbs-own", "rbs-redirect", "rbs-gateway", "rbs-terms", "rbs-bare",
		"rbs-cart", "rbs-cart-105", "rbs-sealed", "transactworld-flat", "transactworld-json", "transactworld-whole",
		"payneteasy-other", "cashier-order", "cashier-qr",
	}
	c.Merchants = []config.Merchant{{ID: "demo", Name: "Demo shop", APIKeys: []string{DemoKey}, Accounts: names,
		Looks: []config.Look{config.SampleLook()}}}
}

// cashierAccount is the demo account at the cashier's gateway, with some settings otherwise.
func cashierAccount(sandboxURL string, more map[string]any) config.Account {
	cashier := sandboxcashier.DemoAccount()
	settings := map[string]any{
		"base_url": sandboxURL + "/cashier/api/v1", "identity_url": sandboxURL + "/cashier/identity/api/v1",
		"form_url": sandboxURL + "/cashier/form",
		"login":    cashier.Login, "password": cashier.Password, "tsp_id": int64(sandboxcashier.DemoTSP),
		"tsp_code":            cashier.TSPs[sandboxcashier.DemoTSP],
		"callback_public_key": sandboxcashier.PublicKey(cashier.CallbackKey),
	}
	maps.Copy(settings, more)
	return config.Account{Gateway: "cashier", Settings: settings}
}

// transactworldAccounts are TransactWorld's plain contract and those of its other settings.
func transactworldAccounts(address string, billing map[string]any) map[string]config.Account {
	as := func(member sandboxtransactworld.Account, more map[string]any) config.Account {
		settings := map[string]any{
			"base_url": address, "member_id": member.MemberID, "partner_id": member.PartnerID,
			"username": member.Username, "secure_key": member.SecureKey, "terminal_id": member.TerminalID, "billing": billing,
			"to_type": "transactworld",
		}
		maps.Copy(settings, more)
		return config.Account{Gateway: "transactworld", Settings: settings}
	}
	plain := sandboxtransactworld.DemoAccount()
	return map[string]config.Account{
		"transactworld":      as(plain, nil),
		"transactworld-flat": as(plain, map[string]any{"requests": "flat", "answers": "xml"}),
		"transactworld-json": as(plain, map[string]any{
			"requests": "json", "repeat_by": "token", "attempt_three_d": "3D", "payment_mode": "DC", "require_address": true,
		}),
		"transactworld-whole": as(sandboxtransactworld.WholeAccount(), map[string]any{
			"partial_void": false, "recurring": false, "token_cvc": false,
		}),
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
