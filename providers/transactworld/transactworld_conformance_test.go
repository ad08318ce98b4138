package transactworld_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
	sandbox "tollgate/internal/sandbox/transactworld"
	"tollgate/providers"
	"tollgate/providers/providertest"
	"tollgate/providers/transactworld"
)

// The suite changes callbacks that are forms; that those in JSON and XML are read as strictly is TestForgedNotifications.
func TestConformance(t *testing.T) {
	account := sandbox.DemoAccount()
	account.NotifyForm = true
	providertest.Run(t, newHouse(t, transactworld.Config{}, account).Harness)
}

// The account's other options and the gateway's other habits.
func TestConformanceOfOtherOptions(t *testing.T) {
	numbers := sandbox.DemoAccount()
	numbers.Numbers = true
	strict := sandbox.DemoAccount()
	strict.RequireAddress = true
	for name, c := range map[string]struct {
		config  transactworld.Config
		account sandbox.Account
	}{
		"requests in JSON, answers in XML": {transactworld.Config{Requests: "json", Answers: "xml"}, sandbox.DemoAccount()},
		"ids and amounts as numbers":       {transactworld.Config{TerminalID: "4927", AttemptThreeD: "3D"}, numbers},
		"an acquirer that wants addresses": {transactworld.Config{RequireAddress: true, PaymentMode: "DC", Billing: address}, strict},
	} {
		t.Run(name, func(t *testing.T) { providertest.Cards(t, newHouse(t, c.config, c.account).Harness) })
	}
}

var address = transactworld.Billing{Address: "1 Abay Avenue", City: "Almaty", Zip: "050000", Country: "KZ", PhoneCode: "+7", Phone: "7270000000", Email: "shop@example.com"}

// house is a simulator with the test harness of an account at it.
type house struct {
	providertest.Harness
	env     *sim.Env
	gateway *sandbox.Gateway
	server  *httptest.Server
}

func newHouse(t *testing.T, c transactworld.Config, account sandbox.Account) *house {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	var now clock.Clock
	env, err := sim.New(sim.Options{BaseURL: "http://" + server.Listener.Addr().String(), Now: now.Now})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := sandbox.New(env, sandbox.Config{Accounts: []sandbox.Account{account}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/transactworld/", http.StripPrefix("/transactworld", gateway.Handler()))
	mux.Handle("/acs/", env.Issuer.Handler())
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	done := make(chan struct{})
	go func() { defer close(done); env.Callbacks.Run(t.Context()) }()
	t.Cleanup(func() { <-done })

	var cards []providertest.Card
	ends := map[string]providertest.End{}
	for _, card := range issuer.Table() {
		cards = append(cards, providertest.Card(card))
		// Without 3-D Secure 2 nobody asks the bank, and a card that needs no challenge is simply paid.
		if slices.Contains([]string{"N", "R", "U", "timeout"}, card.ARes) {
			ends[card.PAN] = providertest.Good
		}
	}
	c.BaseURL, c.MemberID, c.PartnerID, c.Username = server.URL+"/transactworld", account.MemberID, account.PartnerID, account.Username
	c.SecureKey = providers.NewSecret(account.SecureKey)
	h := &house{env: env, gateway: gateway, server: server}
	h.Harness = providertest.Harness{
		Open:    c.Open,
		Payment: providers.Payment{Amount: money.Amount{Minor: 123456, Currency: currency(t, "EUR")}, Description: "Conformance", Locale: "en", Customer: providers.Customer{Email: "a@b.example"}},
		Cards:   cards,
		Ends:    ends,
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
		Call:    callName,
		Status:  "IN",
		Spoils: []providertest.Spoil{
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "status", "reconciled") })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "transactionStatus", "Q") })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "status", "payoutsuccessful") })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { // one says well, the other ill
				if o["transactionStatus"] == "Y" {
					return replace(o, "transactionStatus", "N")
				}
				return replace(o, "transactionStatus", "Y")
			})},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replace(o, "amount", "1234.57") })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replace(o, "currency", "USD") })},
			{Lie: providertest.OtherOrder, Edit: edit(func(o map[string]any) bool { return replace(o, "merchantTransactionId", "other-1") })},
			{Lie: providertest.OtherOrder, Edit: edit(func(o map[string]any) bool {
				return replace(o, "paymentId", "1") && replace(o, "merchantTransactionId", "")
			})},
			{Lie: providertest.NoProof, Edit: result("30000", "Internal error")},
			{Lie: providertest.NoProof, Edit: result("20002", "Checksum does not match")},
			{Lie: providertest.NoProof, Edit: result("10001", "Transaction failed")},
			{Lie: providertest.NoProof, Call: "payments", Edit: result("30000", "Internal error")},
			{Lie: providertest.NoProof, Call: "payments", Edit: result("10001", "Transaction failed")},
			{Lie: providertest.NoProof, Call: "payments", Edit: func([]byte) []byte {
				return []byte(`{"paymentId":"-","transactionStatus":"N","result":{"code":"20003","description":"merchantTransactionId already exists"}}`)
			}},
			{Lie: providertest.NoProof, Call: "authToken", Edit: result("401", "Authentication failed")},
		},
		Signed:   []string{"checksum", "paymentId", "merchantTransactionId", "amount", "transactionStatus"},
		Words:    []string{`{"AuthToken":"x","result":{"code":"200","description":"Token generated successfully"}}`},
		Secrets:  []string{account.SecureKey, "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"},
		Journeys: []string{"4000019900020704", "4000019900040702", "4000019900050008", "4000019900070006", "4000019900060700"},
	}
	return h
}

func callName(r *http.Request) string {
	_, name, _ := strings.Cut(r.URL.Path, "/REST/v1/")
	if strings.HasPrefix(name, "payments/") || name == "inquiry" {
		return "IN"
	}
	return name
}

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
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

func result(code, text string) func([]byte) []byte {
	return func([]byte) []byte {
		return []byte(`{"result":{"code":"` + code + `","description":"` + text + `"}}`)
	}
}
