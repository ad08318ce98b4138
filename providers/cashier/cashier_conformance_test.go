package cashier_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/money"
	sandbox "tollgate/internal/sandbox/cashier"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/sim"
	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/providers/providertest"
)

func TestConformance(t *testing.T) {
	providertest.Run(t, harness(t, cashier.Config{}, sandbox.DemoAccount()))
}

// The account's other options and the gateway's other habits.
func TestConformanceOfOtherOptions(t *testing.T) {
	demo := sandbox.DemoAccount()
	slow := sandbox.DemoAccount()
	slow.Processing, slow.UnixExpiry = 3, true
	for name, c := range map[string]struct {
		config  cashier.Config
		account sandbox.Account
	}{
		"orders by order amount":          {cashier.Config{AmountMode: cashier.ModeOrder}, demo},
		"payment amounts in a euro order": {cashier.Config{OrderCurrency: "EUR"}, demo},
		"sealed cards, bearer tokens":     {cashier.Config{CardPublicKey: sandbox.PublicKey(demo.CardKey), Bearer: true}, demo},
		"a slow acquirer":                 {cashier.Config{}, slow},
	} {
		t.Run(name, func(t *testing.T) { providertest.Cards(t, harness(t, c.config, c.account)) })
	}
}

// gateway is the simulator on loopback with its clock.
type gateway struct {
	url     string
	env     *sim.Env
	now     *clock.Clock
	account sandbox.Account
	signs   *signatures
}

func newGateway(t *testing.T, account sandbox.Account) *gateway {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	now := new(clock.Clock)
	signs := &signatures{of: map[string]string{}}
	env, err := sim.New(sim.Options{
		BaseURL: "http://" + server.Listener.Addr().String(), Now: now.Now, Issuer: issuer.Options{LateMethod: time.Hour}, Client: &http.Client{Transport: signs},
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := sandbox.New(env, sandbox.Config{Accounts: []sandbox.Account{account}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/cashier/", http.StripPrefix("/cashier", env.Faults.Wrap("cashier", g.Handler())))
	mux.Handle("/acs/", env.Issuer.Handler())
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	done := make(chan struct{})
	go func() { defer close(done); env.Callbacks.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	return &gateway{server.URL, env, now, account, signs}
}

func (g *gateway) config(c cashier.Config) cashier.Config {
	c.BaseURL, c.IdentityURL, c.FormURL = g.url+"/cashier/api/v1", g.url+"/cashier/identity/api/v1", g.url+"/cashier/form"
	c.Login, c.Password = g.account.Login, providers.NewSecret(g.account.Password)
	c.TSPID, c.TSPCode = 483, g.account.TSPs[483]
	c.CallbackPublicKey = sandbox.PublicKey(g.account.CallbackKey)
	return c
}

func (g *gateway) advance(d time.Duration) {
	g.now.Advance(d)
	g.env.Issuer.Sweep()
	g.env.Callbacks.Kick()
}

func (g *gateway) ledger(reference string) (out []providertest.Entry) {
	for _, e := range g.env.Ledger.All() {
		if e.Reference == reference {
			out = append(out, providertest.Entry{Amount: e.Amount, Authorized: e.Authorized, Captured: e.Captured, Charges: e.Charges})
		}
	}
	return out
}

// signatures notes the Payment-Sign of each callback by its body: the suite hands on bodies without their headers.
type signatures struct {
	mu sync.Mutex
	of map[string]string
}

func (s *signatures) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.of[string(body)] = r.Header.Get("Payment-Sign")
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// signed gives a callback its signature back.
type signed struct {
	*cashier.Provider
	signs *signatures
}

func (s signed) Notified(r *http.Request) (providers.Notice, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return providers.Notice{}, err
	}
	s.signs.mu.Lock()
	r.Header.Set("Payment-Sign", s.signs.of[string(body)])
	s.signs.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.Provider.Notified(r)
}

func harness(t *testing.T, c cashier.Config, account sandbox.Account) providertest.Harness {
	t.Helper()
	g := newGateway(t, account)
	c = g.config(c)
	var cards []providertest.Card
	for _, card := range issuer.Table() {
		cards = append(cards, providertest.Card(card))
	}
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		t.Fatal(err)
	}
	return providertest.Harness{
		Open: func(env providers.Env) (providers.Provider, error) {
			p, err := c.Open(env)
			if err != nil {
				return nil, err
			}
			return signed{p.(*cashier.Provider), g.signs}, nil
		},
		Payment: providers.Payment{Amount: money.Amount{Minor: 123456, Currency: rub}, Description: "Conformance", Locale: "en", Customer: providers.Customer{Email: "a@b.example"}},
		Cards:   cards,
		Ledger:  g.ledger,
		Now:     g.now.Now,
		Advance: g.advance,
		Call:    callName,
		Status:  "read",
		Spoils: []providertest.Spoil{
			{Lie: providertest.UnknownStatus, Edit: order("status", "SETTLED")},
			{Lie: providertest.UnknownStatus, Edit: order("status", "PAID")},
			{Lie: providertest.OtherAmount, Edit: order("paymentAmount", 123457)},
			{Lie: providertest.OtherAmount, Edit: order("paymentCurrency", "USD")},
			{Lie: providertest.OtherAmount, Edit: order("paymentCurrency", "USDT")},
			{Lie: providertest.OtherOrder, Edit: order("merchantOrderId", "other-1")},
			{Lie: providertest.OtherOrder, Edit: order("id", 1)},
			{Lie: providertest.NoProof, Edit: says(`{"success":false,"description":"internal error"}`)},
			{Lie: providertest.NoProof, Edit: says(`{"success":true,"description":"string","order":{}}`)},
			{Lie: providertest.NoProof, Call: "authorize", Edit: says(`{"Response":{"Success":false,"ErrCode":"SYSTEM_ERROR","ErrMessage":"internal error"}}`)},
			{Lie: providertest.NoProof, Call: "authorize", Edit: says(`{"Response":{"Success":false,"ErrCode":"AUTHORIZE_FAILED"}}`)},
			{Lie: providertest.NoProof, Call: "authorize", Edit: says(`{"Response":{},"Order":{},"Authorize":{},"Card":{}}`)},
			{Lie: providertest.NoProof, Call: "authorize", Edit: says(`{"success":false,"description":"order not found"}`)},
		},
		Secrets:  []string{account.Password},
		Journeys: []string{"4000019900020704", "4000019900040702", "4000019900050008", "4000019900050107"},
	}
}

// callName names a request as the gateway's documents do.
func callName(r *http.Request) string {
	name := path.Base(r.URL.Path)
	parent := path.Base(path.Dir(r.URL.Path))
	switch {
	case strings.Contains(r.URL.Path, "/order/form/"):
		return "form"
	case r.Method == http.MethodGet && parent == "order":
		return "read"
	case parent == "status" || parent == "refund" || parent == "qrcData" || parent == "sberPay":
		return parent
	case path.Base(path.Dir(path.Dir(r.URL.Path))) == "payout":
		return "payout-" + parent
	}
	return name
}

// order changes a member of the order in an answer and leaves its numbers as they are written.
func order(name string, value any) func([]byte) []byte {
	return func(body []byte) []byte {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var o map[string]any
		if d.Decode(&o) != nil {
			return nil
		}
		in, ok := o["order"].(map[string]any)
		if _, there := in[name]; !ok || !there {
			return nil
		}
		in[name] = value
		out, err := json.Marshal(o)
		if err != nil {
			return nil
		}
		return out
	}
}

func says(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }
