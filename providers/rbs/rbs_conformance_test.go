package rbs_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sandbox/issuer"
	sandbox "tollgate/internal/sandbox/rbs"
	"tollgate/internal/sandbox/sim"
	"tollgate/providers"
	"tollgate/providers/providertest"
	"tollgate/providers/rbs"
)

func TestConformance(t *testing.T) {
	providertest.Run(t, harness(t, rbs.Config{}))
}

// The account's other ways to run 3-D Secure: what the gateway finishes by itself, and what it hands to us.
func TestConformanceOfOtherOptions(t *testing.T) {
	off := false
	for name, c := range map[string]rbs.Config{
		"the gateway finishes challenges": {ThreeDS2: rbs.ThreeDS2Gateway},
		"our own TermUrl":                 {ThreeDS1: rbs.ThreeDS1Own},
		"acsRedirect":                     {ThreeDS1: rbs.ThreeDS1Redirect},
		"nothing but the card":            {BrowserInfo: &off},
	} {
		t.Run(name, func(t *testing.T) { providertest.Cards(t, harness(t, c)) })
	}
}

func harness(t *testing.T, c rbs.Config) providertest.Harness {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	var now clock.Clock
	env, err := sim.New(sim.Options{BaseURL: "http://" + server.Listener.Addr().String(), Now: now.Now, Issuer: issuer.Options{LateMethod: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	account := sandbox.DemoAccount()
	gateway, err := sandbox.New(env, sandbox.Config{Accounts: []sandbox.Account{account}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/rbs/", http.StripPrefix("/rbs", gateway.Handler()))
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
	c.BaseURL = server.URL + "/rbs/payment/rest/"
	c.UserName, c.Password = account.UserName, providers.NewSecret(account.Password)
	c.CallbackSecret = providers.NewSecret(account.CallbackKey)
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
		Call:    func(r *http.Request) string { return path.Base(r.URL.Path) },
		Status:  "getOrderStatusExtended.do",
		Spoils: []providertest.Spoil{
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "orderStatus", 99) })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "orderStatus", "paid") })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replace(o, "amount", 123457) })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replace(o, "currency", "840") })},
			{Lie: providertest.OtherOrder, Edit: edit(func(o map[string]any) bool {
				o["attributes"] = []map[string]string{{"name": "mdOrder", "value": "01234567-89ab-4cde-8f01-23456789abcd"}}
				return replace(o, "orderNumber", "other-1")
			})},
			{Lie: providertest.NoProof, Edit: isDecline},
			{Lie: providertest.NoProof, Call: "paymentorder.do", Edit: isDecline},
			{Lie: providertest.NoProof, Call: "continue.do", Edit: isDecline},
			{Lie: providertest.NoProof, Call: "finish3dsVer2Payment.do", Edit: isDecline},
		},
		Words:    []string{`{"errorCode":"0","errorMessage":"Success"}`, `{"orderStatus":2}`},
		Signed:   []string{"checksum", "mdOrder", "orderNumber", "operation", "status"},
		Secrets:  []string{account.Password, account.CallbackKey},
		Journeys: []string{"4000019900020704", "4000019900020902", "4000019900040702", "4000019900050008", "4000019900050107"},
	}
}

// edit changes a JSON object and leaves its numbers as they are written.
func edit(change func(map[string]any) bool) func([]byte) []byte {
	return func(body []byte) []byte {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var o map[string]any
		if d.Decode(&o) != nil || !change(o) {
			return nil
		}
		out, err := json.Marshal(o)
		if err != nil {
			return nil
		}
		return out
	}
}

func replace(o map[string]any, name string, value any) bool {
	if _, ok := o[name]; !ok {
		return false
	}
	o[name] = value
	return true
}

// isDecline is the gateway's word for a failure of its own, which may follow a charge.
func isDecline([]byte) []byte { return []byte(`{"errorCode":"7","errorMessage":"System error"}`) }
