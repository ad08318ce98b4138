package sber_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sandbox/issuer"
	sandbox "tollgate/internal/sandbox/sber"
	"tollgate/internal/sandbox/sim"
	"tollgate/providers"
	"tollgate/providers/providertest"
	"tollgate/providers/sber"
	"tollgate/threeds"
)

func TestEveryTestCardEndsAsItsTableSays(t *testing.T) {
	for name, c := range map[string]sber.Config{"nested inquiry": {}, "flat inquiry": {FindPath: sber.FindFlat}} {
		t.Run(name, func(t *testing.T) { providertest.Cards(t, newWorld(t, c).harness()) })
	}
}

func TestATransferEndsAsItsCardSays(t *testing.T) {
	h := newWorld(t, sber.Config{}).harness()
	h.Payment.Transfer = &providers.Destination{Card: typed(t, "4000019900020001")}
	providertest.Cards(t, h)
}

// world is the simulator with a customer who has logged in.
type world struct {
	t       *testing.T
	server  *httptest.Server
	env     *sim.Env
	now     clock.Clock
	config  sber.Config
	account sandbox.Account
	login   providers.Login
	token   providers.Secret
	site    *httptest.Server // our side of the browser
	back    chan threeds.Reply
}

const demoPhone = "79171131231"

func newWorld(t *testing.T, c sber.Config) *world {
	t.Helper()
	w := &world{t: t, server: httptest.NewUnstartedServer(nil), account: sandbox.DemoAccount()}
	var err error
	w.env, err = sim.New(sim.Options{BaseURL: "http://" + w.server.Listener.Addr().String(), Now: w.now.Now, Issuer: issuer.Options{LateMethod: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := sandbox.New(w.env, sandbox.Config{Accounts: []sandbox.Account{w.account}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sber/", http.StripPrefix("/sber", gateway.Handler()))
	mux.Handle("/acs/", w.env.Issuer.Handler())
	w.server.Config.Handler = mux
	w.server.Start()
	t.Cleanup(w.server.Close)
	w.back = make(chan threeds.Reply, 8)
	w.site = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if reply, err := threeds.ReadReply(r); err == nil {
			w.back <- reply
		}
	}))
	t.Cleanup(w.site.Close)
	c.BaseURL, c.MerchantLogin = w.server.URL+"/sber/sbersafe", w.account.MerchantLogin
	w.config = c
	p := w.open(http.DefaultTransport)
	w.login = p.(providers.Login)
	w.token = w.logIn(demoPhone)
	return w
}

func (w *world) open(transport http.RoundTripper) providers.Provider {
	w.t.Helper()
	p, err := w.config.Open(providers.Env{HTTP: &http.Client{Transport: transport}, Now: w.now.Now, Loopback: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) logIn(phone string) providers.Secret {
	w.t.Helper()
	customer, err := w.login.FindCustomer(w.t.Context(), phone)
	if err != nil {
		w.t.Fatal(err)
	}
	challenge, err := w.login.SendCode(w.t.Context(), customer)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.login.Exchange(w.t.Context(), challenge, sandbox.DemoCode)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Token
}

// bank posts a PaReq and presses the buttons of the pages that follow, as a browser without script does.
func (w *world) bank(form threeds.Form) providers.Answer {
	w.t.Helper()
	v, to := url.Values{}, form.Action
	for _, f := range form.Fields {
		v.Set(f.Name, f.Value)
	}
	for range 4 {
		res, err := http.PostForm(to, v)
		if err != nil {
			w.t.Fatal(err)
		}
		doc, err := goquery.NewDocumentFromReader(res.Body)
		res.Body.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		select {
		case r := <-w.back:
			return providers.Answer{Kind: providers.PayerAuth, PaRes: r.PaRes, MD: r.MD, Fields: r.Extra}
		default:
		}
		page := doc.Find("form").First()
		next, err := res.Request.URL.Parse(page.AttrOr("action", ""))
		if err != nil {
			w.t.Fatal(err)
		}
		to, v = next.String(), url.Values{}
		page.Find("input[name]").Each(func(_ int, in *goquery.Selection) { v.Set(in.AttrOr("name", ""), in.AttrOr("value", "")) })
	}
	w.t.Fatal("the bank has pages without an end")
	return providers.Answer{}
}

// callName is how the documents call a request.
func callName(r *http.Request) string {
	_, name, _ := strings.Cut(r.URL.Path, "/api/")
	return name
}

func (w *world) entries(reference string) (out []providertest.Entry) {
	for _, e := range w.env.Ledger.All() {
		if e.Reference == reference {
			out = append(out, providertest.Entry{Amount: e.Amount, Authorized: e.Authorized, Captured: e.Captured, Charges: e.Charges})
		}
	}
	return out
}

func (w *world) harness() providertest.Harness {
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		w.t.Fatal(err)
	}
	var cards []providertest.Card
	for _, card := range issuer.Table() {
		cards = append(cards, providertest.Card(card))
	}
	find := w.config.FindPath
	if find == "" {
		find = sber.FindNested
	}
	return providertest.Harness{
		Open: w.config.Open,
		Payment: providers.Payment{
			Amount: money.Amount{Minor: 123456, Currency: rub}, Fee: 100, Description: "Conformance", Locale: "en", Credential: w.token,
		},
		Cards:   cards,
		Ledger:  w.entries,
		Now:     w.now.Now,
		Advance: func(d time.Duration) { w.now.Advance(d); w.env.Issuer.Sweep() },
		Call:    callName,
		Status:  find,
		Spoils: []providertest.Spoil{
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "mdOrderStatus", "BAKED") })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "mdOrderStatus", 2) })},
			{Lie: providertest.UnknownStatus, Edit: edit(func(o map[string]any) bool { return replace(o, "mdOrderStatus", "deposited") })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replaceIn(o, "transactionAmount", 123457) })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replaceIn(o, "transactionFee", 101) })},
			{Lie: providertest.OtherAmount, Edit: edit(func(o map[string]any) bool { return replaceIn(o, "currency", "840") })},
			{Lie: providertest.OtherOrder, Edit: edit(func(o map[string]any) bool {
				return replace(o, "mdOrder", "01234567-89ab-4cde-8f01-23456789abcd") && replace(o, "transactionNumber", "other-1")
			})},
			{Lie: providertest.NoProof, Edit: refusal},
			{Lie: providertest.NoProof, Edit: edit(func(o map[string]any) bool { delete(o, "transactionNumber"); return true })},
			{Lie: providertest.NoProof, Edit: edit(func(o map[string]any) bool { delete(o, "amount"); return true })},
			{Lie: providertest.NoProof, Call: "payment/finish", Edit: refusal},
		},
		Words:    []string{`{"status":"SUCCESS","requestId":"1"}`},
		Secrets:  []string{w.token.Reveal()},
		Journeys: []string{"4000019900040702", "4000019900050008", "4000019900050107"},
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

func replaceIn(o map[string]any, name string, value any) bool {
	amount, ok := o["amount"].(map[string]any)
	return ok && replace(amount, name, value)
}

// refusal is the gateway's word for a failure of its own, which may follow a charge.
func refusal([]byte) []byte {
	return []byte(`{"requestId":"1","status":"ERROR","errorCode":"7","errorMessage":"System error"}`)
}

// The whole suite. Money is taken at once and nobody calls back: of these two the suite only makes sure that they are refused.
func TestConformance(t *testing.T) {
	h := newWorld(t, sber.Config{}).harness()
	h.NoHold, h.NoCallbacks = "money is taken at once", "polling only"
	providertest.Run(t, h)
}
