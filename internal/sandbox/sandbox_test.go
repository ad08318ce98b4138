package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
)

// toy is the least gateway there can be: /pay takes 100 KZT for the order named in the body.
type toy struct {
	e *sim.Env
	n int
}

func (g *toy) Name() string { return "toy" }
func (g *toy) Reset()       { g.n = 0 }
func (g *toy) Credentials() map[string]string {
	return map[string]string{"login": "toy-api", "password": "<secret>"}
}
func (g *toy) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rest/pay", func(w http.ResponseWriter, r *http.Request) {
		order, _ := io.ReadAll(r.Body)
		faults.SetReference(r, string(order))
		g.n++
		if err := g.e.Journal.Put("toy.orders", string(order), g.n); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		g.e.Ledger.Put(ledger.Entry{Gateway: "toy", Reference: string(order), GatewayOrderID: fmt.Sprint(g.n), Amount: 100, Currency: "KZT", Authorized: 100, Captured: 100, Charges: 1})
		fmt.Fprint(w, "taken")
	})
	return mux
}

// town is a whole sandbox on a socket, beside a front that answers from a script.
type town struct {
	t    *testing.T
	url  string
	env  *sim.Env
	box  *Sandbox
	mu   sync.Mutex
	now  time.Time
	jump []time.Duration

	front    *httptest.Server
	sessions []map[string]any              // bodies of POST /v1/sessions
	keys     []string                      // their Idempotency-Key and Authorization
	create   func(w http.ResponseWriter)   // answer to it
	read     func(id string) (int, string) // answer to GET /v1/sessions/{id}
}

// created answers as the merchant API does.
func created(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, body)
}

func newTown(t *testing.T) *town {
	t.Helper()
	c := &town{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	front := http.NewServeMux()
	front.HandleFunc("POST /v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		c.sessions = append(c.sessions, body)
		c.keys = append(c.keys, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"))
		c.create(w)
	})
	front.HandleFunc("GET /v1/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		status, body := c.read(r.PathValue("id"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
	c.front = httptest.NewServer(front)
	t.Cleanup(c.front.Close)
	srv := httptest.NewUnstartedServer(nil)
	c.url = "http://" + srv.Listener.Addr().String()
	var err error
	c.env, err = sim.New(sim.Options{BaseURL: c.url, Now: c.clock})
	if err != nil {
		t.Fatal(err)
	}
	c.box, err = New(Options{Env: c.env, FrontURL: c.front.URL, APIKey: "sk_sandbox_demo", Gateways: []Gateway{&toy{e: c.env}}, Languages: [][2]string{{"en", "English"}, {"kk", "Қазақша"}}, Advance: func(d time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now, c.jump = c.now.Add(d), append(c.jump, d)
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = c.box
	srv.Start()
	t.Cleanup(srv.Close)
	return c
}

func (c *town) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// do sends a request without following redirects.
func (c *town) do(method, path, contentType, body string, header ...string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(raw)
}

func (c *town) page(path string) *goquery.Document {
	c.t.Helper()
	_, body := c.do("GET", path, "", "")
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	return doc
}

func (c *town) form(path string, values url.Values) (*http.Response, string) {
	c.t.Helper()
	return c.do("POST", path, "application/x-www-form-urlencoded", values.Encode())
}

func TestAnEmptyLedgerIsAnEmptyArray(t *testing.T) {
	c := newTown(t)
	if _, body := c.do("GET", "/ledger", "", ""); strings.TrimSpace(body) != "[]" {
		t.Error(body)
	}
}

func TestGatewaysAreServedUnderTheirNamesAndLogged(t *testing.T) {
	c := newTown(t)
	if _, body := c.do("POST", "/toy/rest/pay", "", "order-1"); body != "taken" {
		t.Fatal(body)
	}
	_, body := c.do("GET", "/calls?reference=order-1&call=pay", "", "")
	want := `[{"time":"2026-11-21T12:00:00Z","gateway":"toy","call":"pay","reference":"order-1","status":200}]`
	if diff := cmp.Diff(want, strings.TrimSpace(body)); diff != "" {
		t.Error(diff)
	}
	_, body = c.do("GET", "/ledger", "", "")
	if !strings.Contains(body, `"reference":"order-1","gateway_order_id":"1"`) {
		t.Error(body)
	}
}

func TestAGatewayCannotTakeANameOfTheSandbox(t *testing.T) {
	c := newTown(t)
	for _, gateways := range [][]Gateway{{&toy{e: c.env}, &toy{e: c.env}}, {named{"acs"}}, {named{"a/b"}}, {named{""}}} {
		if _, err := New(Options{Env: c.env, FrontURL: "http://127.0.0.1:8080", Gateways: gateways}); err == nil {
			t.Errorf("taken: %v", gateways[len(gateways)-1].Name())
		}
	}
}

type named struct{ name string }

func (g named) Name() string                 { return g.name }
func (named) Handler() http.Handler          { return http.NotFoundHandler() }
func (named) Reset()                         {}
func (named) Credentials() map[string]string { return nil }

func TestResetForgetsEverything(t *testing.T) {
	c := newTown(t)
	c.do("POST", "/toy/rest/pay", "", "order-1")
	card, _ := issuer.Find("4000019900020704")
	auth, err := c.env.Issuer.Begin(card, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.env.Callbacks.Send(sim.Callback{Gateway: "toy", Reference: "order-1", Method: "GET", URL: c.front.URL}); err != nil {
		t.Fatal(err)
	}
	c.do("POST", "/faults", "application/json", `{"do":"close","times":-1}`)
	if res, _ := c.do("POST", "/reset", "", ""); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.Status)
	}
	for _, path := range []string{"/ledger", "/faults", "/calls"} {
		if _, body := c.do("GET", path, "", ""); strings.TrimSpace(body) != "[]" {
			t.Errorf("%s after reset: %s", path, body)
		}
	}
	if _, err := c.env.Issuer.Result(auth.ServerTransID); err == nil {
		t.Error("the bank remembers")
	}
	if n := c.env.Callbacks.Waiting(); n != 0 {
		t.Errorf("%d callbacks wait", n)
	}
	err = c.env.Journal.Each("toy.orders", func(key string, _ json.RawMessage) error { return fmt.Errorf("%s is journalled", key) })
	if err != nil {
		t.Error(err)
	}
	c.do("POST", "/toy/rest/pay", "", "order-2")
	if got := c.env.Ledger.All(); len(got) != 1 || got[0].GatewayOrderID != "1" {
		t.Errorf("the gateway was not reset: %+v", got)
	}
}

func TestTheClockMovesAndTimeLimitsAreAppliedAtOnce(t *testing.T) {
	c := newTown(t)
	card, _ := issuer.Find("4000019900020704")
	auth, err := c.env.Issuer.Begin(card, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.env.Issuer.Authenticate(issuer.AReq{ServerTransID: auth.ServerTransID, CompInd: "Y", NotificationURL: "http://127.0.0.1/", Amount: 1, Currency: "KZT"}); err != nil {
		t.Fatal(err)
	}
	var heard []issuer.Result
	c.env.Issuer.OnResult(func(_ string, r issuer.Result) { heard = append(heard, r) })
	_, body := c.do("POST", "/clock/advance", "application/json", `{"seconds":31.5}`)
	if strings.TrimSpace(body) != `{"now":"2026-11-21T12:00:31.5Z","movable":true}` {
		t.Error(body)
	}
	if len(heard) != 1 || heard[0].ChallengeCancel != "05" {
		t.Errorf("%+v", heard)
	}
	for _, bad := range []string{`{"seconds":0}`, `{"seconds":-5}`, `{"seconds":1e12}`, `{}`, `x`} {
		if res, _ := c.do("POST", "/clock/advance", "application/json", bad); res.StatusCode != 400 {
			t.Errorf("%s: %s", bad, res.Status)
		}
	}
	if diff := cmp.Diff([]time.Duration{31500 * time.Millisecond}, c.jump); diff != "" {
		t.Error(diff)
	}
	c.box.o.Advance = nil
	if res, _ := c.do("POST", "/clock/advance", "application/json", `{"seconds":1}`); res.StatusCode != http.StatusConflict {
		t.Errorf("a clock that cannot move: %s", res.Status)
	}
}

func TestOtherSitesCannotPressTheSandboxsButtons(t *testing.T) {
	c := newTown(t)
	for _, path := range []string{"/reset", "/faults", "/clock/advance", "/console/reset", "/shop"} {
		if res, _ := c.do("POST", path, "application/json", `{}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if res, _ := c.do("POST", "/acs/challenge", "application/x-www-form-urlencoded", "creq=e30", "Origin", "null", "Sec-Fetch-Site", "cross-site"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("the bank must take posts from anywhere: %s", res.Status)
	}
}

func TestTheConsoleShowsAndDoesWhatItSays(t *testing.T) {
	c := newTown(t)
	c.do("POST", "/toy/rest/pay", "", "order-<1>")
	doc := c.page("/")
	text := doc.Text()
	for _, want := range []string{c.url, c.front.URL, "sk_sandbox_demo", "toy-api", "<secret>", "order-<1>", "100\u00a0KZT"} {
		if want == "100\u00a0KZT" {
			want = "1.00\u00a0KZT"
		}
		if !strings.Contains(text, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	doc.Find("#preset option").Each(func(_ int, o *goquery.Selection) {
		c.env.Faults.Clear()
		res, _ := c.form("/console/fault", url.Values{"preset": {o.AttrOr("value", "")}, "gateway": {"toy"}, "call": {"pay"}})
		if res.Header.Get("Location") != "/?did=fault" || len(c.env.Faults.List()) != 1 {
			t.Errorf("%s: %s, %v", o.Text(), res.Header.Get("Location"), c.env.Faults.List())
		}
	})
	if got := c.page("/").Find("section ul li").Text(); got != "toy, callback: drop, once" {
		t.Errorf("in force: %q", got)
	}
	c.form("/console/clear", nil)
	if n := len(c.env.Faults.List()); n != 0 {
		t.Errorf("%d faults after clearing", n)
	}
	c.form("/console/advance", url.Values{"seconds": {"600"}})
	if !strings.Contains(c.page("/").Text(), "21 November 2026, 12:10:00 UTC") {
		t.Error("the clock did not move")
	}
	c.form("/console/reset", nil)
	if n := len(c.env.Ledger.All()); n != 0 {
		t.Errorf("%d orders after the reset", n)
	}
}

func TestTheConsoleIsSearchedNarrowedAndTurnedPageByPage(t *testing.T) {
	c := newTown(t)
	for i := range 23 {
		c.env.Ledger.Put(ledger.Entry{Gateway: "toy", Reference: fmt.Sprintf("order-%02d-1", i), GatewayOrderID: fmt.Sprintf("G%02d", i), Amount: 100, Currency: "KZT",
			Authorized: 100 * int64(i%2), Captured: 100 * int64(i%2), Charges: i % 2})
	}
	c.do("POST", "/toy/rest/pay", "", "order-07-1") // one order more, newest
	rows := func(address string) (said []string, pages *goquery.Selection) {
		doc := c.page(address)
		doc.Find("#ledger tbody tr td:first-child > code").Each(func(_ int, r *goquery.Selection) { said = append(said, r.Text()) })
		return said, doc.Find("#orders nav.pages")
	}
	first, pages := rows("/")
	if len(first) != 10 || first[1] != "order-22-1" || !strings.Contains(pages.Text(), "1–10 of 24") || pages.Find("[rel=prev]").Length() != 0 {
		t.Errorf("the first page: %v, %s", first, pages.Text())
	}
	second, pages := rows(pages.Find("[rel=next]").AttrOr("href", ""))
	third, pages := rows(pages.Find("[rel=next]").AttrOr("href", ""))
	if len(second) != 10 || len(third) != 4 || third[3] != "order-00-1" || pages.Find("[rel=next]").Length() != 0 {
		t.Errorf("the others: %v, %v", second, third)
	}
	for address, want := range map[string]int{
		"/?q=ORDER-07": 2, "/?q=g07": 1, "/?state=taken": 10, "/?state=nothing+taken&q=order-0": 5, "/?gateway=toy&orders=3": 4, "/?gateway=other": 0,
		"/?orders=99": 4, "/?orders=-1": 10, "/?state=%3Cb%3E": 10, "/?q=%3Cscript%3E": 0,
	} {
		if got, _ := rows(address); len(got) != want {
			t.Errorf("%s lists %d: %v", address, len(got), got)
		}
	}
	_, pages = rows("/?state=taken")
	if to := pages.Find("[rel=next]").AttrOr("href", ""); to != "/?orders=2&state=taken#orders" {
		t.Errorf("the next page of what was found is %q", to)
	}
	if got := c.page("/?q=order-07").Find("#calls-table tbody tr").Length(); got != 1 {
		t.Errorf("%d calls of the order", got)
	}
}

func TestRunStopsWhenItIsTold(t *testing.T) {
	c := newTown(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.box.Run(ctx) // returns
}

func TestTheShopSellsThroughTheMerchantAPI(t *testing.T) {
	c := newTown(t)
	c.create = func(w http.ResponseWriter) { created(w, `{"id":"cs_1","url":"http://127.0.0.1:8080/pay/cs_1"}`) }
	doc := c.page("/shop")
	values := url.Values{"do": {"pay"}}
	doc.Find("#basket input, #basket select").Each(func(_ int, in *goquery.Selection) {
		name := in.AttrOr("name", "")
		switch {
		case goquery.NodeName(in) == "select":
			o := in.Find("option[selected]")
			values.Set(name, o.AttrOr("value", o.Text()))
		case in.AttrOr("type", "") != "radio":
			values.Set(name, in.AttrOr("value", ""))
		default:
			if _, on := in.Attr("checked"); on {
				values.Set(name, in.AttrOr("value", ""))
			}
		}
	})
	values.Set("mug", "2")
	values.Set("currency", "RUB")
	values.Set("capture", "manual")
	values.Set("locale", "kk")
	res, body := c.form("/shop", values)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "http://127.0.0.1:8080/pay/cs_1" {
		t.Fatalf("%s %s", res.Status, body)
	}
	got := c.sessions[0]
	order, _ := got["order_id"].(string)
	if !regexp.MustCompile(`^shop-[a-z2-7]{8}$`).MatchString(order) || c.keys[0] != order || c.keys[1] != "Bearer sk_sandbox_demo" {
		t.Errorf("order %q, %v", order, c.keys)
	}
	want := map[string]any{"account": "toy", "amount": 351000.0, "currency": "RUB", "order_id": order, "capture": "manual", "locale": "kk", "description": "T-shirt x 1, Mug x 2",
		"success_url": c.url + "/shop/done", "cancel_url": c.url + "/shop/done?cancelled=1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c.form("/shop", values)
	if c.sessions[1]["order_id"] == order {
		t.Error("two orders of the same number")
	}
}

func TestTheShopPageFitsItsPrices(t *testing.T) {
	c := newTown(t)
	_, body := c.form("/shop", url.Values{"do": {"total"}, "tshirt": {"3"}, "mug": {"-4"}, "sticker": {"x"}, "currency": {"JPY"}, "account": {"nowhere"}})
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Find("#total").Text(); got != "9\u00a0000\u00a0JPY" {
		t.Errorf("total %q", got)
	}
	if got := doc.Find("input[name=account][checked]").AttrOr("value", ""); got != "toy" {
		t.Errorf("account %q", got)
	}
	if len(c.sessions) != 0 {
		t.Error("looking at the total bought something")
	}
	for _, card := range issuer.Table() {
		if !strings.Contains(strings.ReplaceAll(body, " ", ""), card.PAN) {
			t.Errorf("%s is not in the list of test cards", card)
		}
	}
	if res, _ := c.form("/shop", url.Values{"do": {"pay"}}); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an empty basket: %s", res.Status)
	}
}

func TestTheShopShowsWhyTollgateRefused(t *testing.T) {
	c := newTown(t)
	c.create = func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(422)
		fmt.Fprint(w, `{"type":"https://tollgate.example/problems/currency","title":"Currency not supported","detail":"toy takes no <JPY>","status":422,"errors":[{"pointer":"/currency","detail":"no"}]}`)
	}
	res, body := c.form("/shop", url.Values{"do": {"pay"}, "mug": {"1"}})
	doc, _ := goquery.NewDocumentFromReader(strings.NewReader(body))
	alert := doc.Find("[role=alert]").Text()
	if res.StatusCode != 502 || !strings.Contains(alert, "Currency not supported") || !strings.Contains(alert, "toy takes no <JPY>") || !strings.Contains(alert, `"pointer": "/currency"`) {
		t.Errorf("%s %s", res.Status, alert)
	}
	if doc.Find("#mug").AttrOr("value", "") != "1" {
		t.Error("the basket was emptied")
	}
	for _, answer := range []string{`{"url":"javascript:alert(1)"}`, `not json`} {
		c.create = func(w http.ResponseWriter) { created(w, answer) }
		if res, _ := c.form("/shop", url.Values{"do": {"pay"}, "mug": {"1"}}); res.StatusCode != 502 {
			t.Errorf("%s: %s", answer, res.Status)
		}
	}
	c.front.Close()
	if res, body := c.form("/shop", url.Values{"do": {"pay"}, "mug": {"1"}}); res.StatusCode != 502 || !strings.Contains(body, "Tollgate does not answer") {
		t.Errorf("without a front: %s", res.Status)
	}
}

func TestTheShopsEndPageReliesOnlyOnTheServersAnswer(t *testing.T) {
	for name, s := range map[string]struct {
		session  string
		ledger   ledger.Entry
		headline string
		verdict  string
		refresh  bool
	}{
		"paid": {`{"id":"cs_1","status":"paid","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":true,"payment":{"amount_authorized":2000,"amount_captured":2000},
			"attempts":[{"n":1,"state":"declined","reference":"shop-a-1","card":{"brand":"visa","first6":"400001","last4":"0107"},"decline":{"reason":"insufficient_funds","code":"116"}},{"n":2,"state":"paid","reference":"shop-a-2"}]}`,
			ledger.Entry{Reference: "shop-a-2", Amount: 2000, Authorized: 2000, Captured: 2000, Charges: 1}, "Paid. Thank you!", "The gateway's ledger agrees.", false},
		"paid, charged twice": {`{"id":"cs_1","status":"paid","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":true}`,
			ledger.Entry{Reference: "shop-a-2", Amount: 2000, Authorized: 4000, Captured: 4000, Charges: 2}, "Paid. Thank you!", "The gateway's ledger says something else.", false},
		"declined, not charged": {`{"id":"cs_1","status":"declined","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":true}`,
			ledger.Entry{Reference: "shop-a-1", Amount: 2000}, "Not paid: the card was declined", "The gateway's ledger agrees.", false},
		"declined, but charged": {`{"id":"cs_1","status":"declined","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":true}`,
			ledger.Entry{Reference: "shop-a-1", Amount: 2000, Charges: 1}, "Not paid: the card was declined", "The gateway's ledger says something else.", false},
		"processing": {`{"id":"cs_1","status":"processing","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":false}`,
			ledger.Entry{Reference: "shop-a-1", Amount: 2000, Charges: 1}, "We are waiting for the payment", "The gateway's ledger is ahead: the answer is on its way.", true},
		"another order of like name": {`{"id":"cs_1","status":"authorized","amount":2000,"currency":"KZT","order_id":"shop-a","outcome_known":true}`,
			ledger.Entry{Reference: "shop-a-b-1", Amount: 2000, Authorized: 2000, Charges: 1}, "Reserved. The shop takes the money when it ships.", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTown(t)
			c.read = func(id string) (int, string) { return 200, s.session }
			s.ledger.Gateway, s.ledger.GatewayOrderID, s.ledger.Currency = "toy", "1", "KZT"
			c.env.Ledger.Put(s.ledger)
			doc := c.page("/shop/done?session=cs_1&status=paid")
			if got := doc.Find("h1").Text(); got != s.headline {
				t.Errorf("headline %q", got)
			}
			if got := strings.TrimSpace(doc.Find("section .note").Text()); got != s.verdict {
				t.Errorf("verdict %q", got)
			}
			if got := strings.Contains(doc.Find("head noscript").Text(), `http-equiv="refresh"`); got != s.refresh {
				t.Errorf("refresh %v", got)
			}
			if name == "paid" {
				if got := doc.Find("#attempts").Text(); !strings.Contains(got, "insufficient funds") || !strings.Contains(got, "visa 400001••••••0107") {
					t.Errorf("attempts %q", got)
				}
			}
		})
	}
}

func TestTheEndPageWithoutAnOrder(t *testing.T) {
	c := newTown(t)
	c.read = func(id string) (int, string) { return 404, `{"title":"Not found"}` }
	for path, status := range map[string]int{"/shop/done": 404, "/shop/done?session=../../x": 404, "/shop/done?session=cs_unknown": 502} {
		if res, _ := c.do("GET", path, "", ""); res.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, res.Status, status)
		}
	}
}

func TestPagesCarryAPolicyWithoutUnsafeInline(t *testing.T) {
	c := newTown(t)
	for _, path := range []string{"/", "/shop", "/shop/done"} {
		res, body := c.do("GET", path, "", "")
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: %s", path, csp)
		}
		doc, _ := goquery.NewDocumentFromReader(strings.NewReader(body))
		if n := doc.Find("[style], [onclick], [onload], style").Length(); n != 0 {
			t.Errorf("%s: %d inline styles or handlers", path, n)
		}
		doc.Find("script").Each(func(_ int, s *goquery.Selection) {
			if nonce := s.AttrOr("nonce", ""); nonce == "" || !strings.Contains(csp, "'nonce-"+nonce+"'") {
				t.Errorf("%s: a script without the page's nonce", path)
			}
		})
	}
	if res, css := c.do("GET", "/sandbox.css", "", ""); res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") || css == "" {
		t.Errorf("stylesheet: %s %s", res.Status, res.Header.Get("Content-Type"))
	}
}
