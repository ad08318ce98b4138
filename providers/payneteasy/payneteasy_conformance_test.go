package payneteasy_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sandbox/issuer"
	sandbox "tollgate/internal/sandbox/payneteasy"
	"tollgate/internal/sandbox/sim"
	"tollgate/providers"
	"tollgate/providers/payneteasy"
	"tollgate/providers/providertest"
)

func TestConformance(t *testing.T) {
	providertest.Run(t, harness(t, payneteasy.Config{}, sandbox.DemoAccount()))
}

// The account's other options and the gateway's other habits.
func TestConformanceOfOtherOptions(t *testing.T) {
	slow := sandbox.DemoAccount()
	slow.Processing, slow.SaleProcessing, slow.HyphenStatus = 3, 2, true
	quick := sandbox.DemoAccount()
	quick.Processing = -1
	group := sandbox.DemoAccount()
	for name, c := range map[string]struct {
		config  payneteasy.Config
		account sandbox.Account
	}{
		"a slow gateway that writes tds-status":  {payneteasy.Config{}, slow},
		"a gateway that goes on at once":         {payneteasy.Config{}, quick},
		"JSON from a group of endpoints":         {payneteasy.Config{Answers: "json", EndpointGroupID: group.Groups[0]}, group},
		"no callbacks beyond the first, and few": {payneteasy.Config{Notify: "server_callback_url"}, group},
	} {
		t.Run(name, func(t *testing.T) { providertest.Cards(t, harness(t, c.config, c.account)) })
	}
}

// A CVV that leaves the gateway itself in doubt: neither paid nor declined, until its staff resolve it.
func TestAPaymentThatTheGatewayHoldsInDoubtIsUnknown(t *testing.T) {
	providertest.InDoubt(t, harness(t, payneteasy.Config{}, sandbox.DemoAccount()), "4000019900050008", "217")
}

func harness(t *testing.T, c payneteasy.Config, account sandbox.Account) providertest.Harness {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	var now clock.Clock
	env, err := sim.New(sim.Options{BaseURL: "http://" + server.Listener.Addr().String(), Now: now.Now, Issuer: issuer.Options{LateMethod: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := sandbox.New(env, sandbox.Config{Accounts: []sandbox.Account{account}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/payneteasy/", http.StripPrefix("/payneteasy", gateway.Handler()))
	mux.Handle("/acs/", env.Issuer.Handler())
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	done := make(chan struct{})
	go func() { defer close(done); env.Callbacks.Run(t.Context()) }()
	t.Cleanup(func() { <-done })

	var cards []providertest.Card
	for _, card := range issuer.Table() {
		cards = append(cards, providertest.Card(card))
	}
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL, c.Login, c.MerchantControl = server.URL+"/payneteasy/paynet", account.Login, providers.NewSecret(account.Control)
	if c.EndpointGroupID == "" {
		c.EndpointID = account.Endpoints[0]
	}
	c.Billing = payneteasy.Billing{Address: "1 Abay Avenue", City: "Almaty", Zip: "050000", Country: "KZ", Phone: "77270000000", Email: "shop@example.com"}
	return providertest.Harness{
		Open:    c.Open,
		Payment: providers.Payment{Amount: money.Amount{Minor: 123456, Currency: rub}, Description: "Conformance", Locale: "en", Customer: providers.Customer{Email: "a@b.example"}},
		Cards:   cards,
		Ledger: func(reference string) (out []providertest.Entry) {
			for _, e := range env.Ledger.All() {
				if e.Reference == reference {
					out = append(out, providertest.Entry{Amount: e.Amount, Authorized: e.Authorized, Captured: e.Captured, Charges: e.Charges})
				}
			}
			return out
		},
		Now:     now.Now,
		Advance: func(d time.Duration) { now.Advance(d); env.Issuer.Sweep(); env.Callbacks.Kick() },
		Call: func(r *http.Request) string {
			for _, part := range strings.Split(r.URL.Path, "/") {
				switch part {
				case "sale", "preauth", "status", "upload-method-url-result", "upload-cres-result", "upload-pares-result":
					return part
				}
			}
			return r.URL.Path
		},
		Status: "status",
		Spoils: []providertest.Spoil{
			{Lie: providertest.UnknownStatus, Edit: field("status", "unknown")},
			{Lie: providertest.UnknownStatus, Edit: field("status", "reconciled")},
			{Lie: providertest.OtherAmount, Edit: field("amount", "1234.57")},
			{Lie: providertest.OtherAmount, Edit: field("currency", "USD")},
			{Lie: providertest.OtherOrder, Edit: field("merchant-order-id", "other-1")},
			{Lie: providertest.OtherOrder, Edit: field("paynet-order-id", "1")},
			{Lie: providertest.NoProof, Edit: answer("error", "Internal error")},
			{Lie: providertest.NoProof, Edit: answer("validation-error", "Invalid control code")},
			{Lie: providertest.NoProof, Edit: answer("error", "End point is not found")},
			{Lie: providertest.NoProof, Call: "sale", Edit: answer("error", "Internal error")},
			{Lie: providertest.NoProof, Call: "sale", Edit: answer("validation-error", "Order with this client_orderid already exists")},
			{Lie: providertest.NoProof, Call: "upload-cres-result", Edit: answer("validation-error", "Parameter cres is invalid")},
		},
		Signed:   []string{"control", "status", "orderid"}, // merchant_order stands in for client_orderid
		Secrets:  []string{account.Control},
		Journeys: []string{"4000019900020704", "4000019900040702", "4000019900050008", "4000019900070006", "4000019900050107"},
	}
}

// field changes one pair of a form answer.
func field(name, value string) func([]byte) []byte {
	return func(body []byte) []byte {
		pairs := bytes.Split(body, []byte("&"))
		found := false
		for i, p := range pairs {
			if bytes.HasPrefix(p, []byte(name+"=")) {
				pairs[i], found = []byte(name+"="+value+"\n"), true
			}
		}
		if !found {
			return nil
		}
		return bytes.Join(pairs, []byte("&"))
	}
}

// answer replaces an answer by a refusal.
func answer(kind, text string) func([]byte) []byte {
	return func([]byte) []byte {
		return []byte("type=" + kind + "\n&serial-number=00000000-0000-0000-0000-000000000001\n&error-message=" + url.QueryEscape(text) + "\n&error-code=1\n")
	}
}
