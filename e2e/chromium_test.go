package e2e_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// inChromium are the rows of the table that Chromium walks: every kind of step once per gateway, every shape in which a
// bank answers, every page on which a shopper has to act.
var inChromium = []string{
	"rbs: no 3DS",
	"rbs: declined for funds, no 3DS",
	"rbs: frictionless, Method answers",
	"rbs: frictionless, no Method URL",
	"rbs: frictionless, Method answers twice",
	"rbs: frictionless, Method answers garbage",
	"rbs: challenge passed",
	"rbs: challenge failed",
	"rbs: challenge, CRes padded",
	"rbs: challenge, CRes folded",
	"rbs: challenge, CRes posted twice",
	"rbs: challenge, CRes by GET",
	"rbs: challenge ends in Erro",
	"rbs: challenge passed, held",
	"rbs: soft decline, then challenge",
	"rbs: bank's page 2.2.0, wrong code, then right",
	"rbs: bank's page 2.2.0, Cancel",
	"rbs: bank's page 2.1.0, code passes",
	"rbs: bank's page 2.3.1, Fail",
	"rbs: 3DS 1.0.2 Y",
	"rbs: 3DS 1.0.2 N",
	"rbs: 3DS 1.0.2, bank's page, code passes",
	"rbs-own: 3DS 1.0.2 Y",
	"rbs-redirect: 3DS 1.0.2, bank's page",
	"rbs-gateway: challenge passed",
	"rbs-gateway: soft decline, then challenge",
	"payneteasy: no 3DS",
	"payneteasy: frictionless, Method answers",
	"payneteasy: frictionless, Method answers garbage",
	"payneteasy: challenge failed",
	"payneteasy: challenge, CRes posted twice",
	"payneteasy: bank's page 2.2.0, code passes",
	"payneteasy: soft decline, then challenge",
	"payneteasy: 3DS 1.0.2, bank's page, code passes",
	"payneteasy: html, bank's page passes",
	"payneteasy: html by CVV2, no 3DS",
}

// inTurn runs the tests a few at a time: most of a payment is waiting for the gateway.
func inTurn[T any](t *testing.T, rows []T, name func(T) string, f func(*testing.T, T)) {
	var wg sync.WaitGroup
	gate := make(chan struct{}, 4)
	for _, row := range rows {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			t.Run(name(row), func(t *testing.T) { f(t, row) })
		})
	}
	wg.Wait()
}

// The table, in a browser with script whose bank is on another site: page, API and ledger agree, and nothing went wrong
// in the browser.
func TestScenariosInChromium(t *testing.T) {
	w := sharedWorld(t)
	var rows []scenario
	for _, name := range inChromium {
		n := len(rows)
		for _, row := range scenarios() {
			if row.name == name {
				rows = append(rows, row)
			}
		}
		if len(rows) != n+1 {
			t.Errorf("the table has %d rows called %q", len(rows)-n, name)
		}
	}
	inTurn(t, rows, func(row scenario) string { return row.name }, func(t *testing.T, row scenario) {
		b := open(t, w)
		s, v := b.walks(row)
		if strings.HasSuffix(row.name, "posted twice") {
			// The first copy lands in a frame of the bank's page. Without the shopper's press, the browser does not let it
			// open the payment in the whole window; the second copy does.
			b.forgive("Unsafe attempt to initiate navigation")
		}
		b.agrees(s, v, row.want)
	})
}

// walks pays as a row of the table says, and tells where the browser rests.
func (b *tab) walks(row scenario) (sessionView, *view) {
	b.Helper()
	s := b.w.create(b, row.account, row.session)
	if v := b.goTo(s.URL); v.Kind != "card" {
		b.Fatalf("the session opens with %s: %s", v.Kind, v.Text)
	}
	c := cardNumber(row.card)
	if row.cvc != "" {
		c.CVC = row.cvc
	}
	b.fill(c)
	b.press("#pay")
	v := b.rest(30 * time.Second)
	for _, what := range row.visit.bank {
		if v.Kind != "acs" {
			b.Fatalf("in place of the bank's page stands %s: %s", v.Kind, v.Text)
		}
		b.answerBank(what)
		v = b.rest(30 * time.Second)
	}
	if v.Kind == "bank" {
		// A gateway that finishes by itself sends the shopper back to the address it got when the order was registered,
		// the first authentication's. That is only a hint, and the page goes on when the gateway has been asked.
		v = b.rest(20 * time.Second)
	}
	return s, v
}

// answerBank types a code into the bank's page, or presses one of its buttons.
func (b *tab) answerBank(what string) {
	b.Helper()
	if what[0] >= '0' && what[0] <= '9' {
		b.do(chromedp.SendKeys(chromedp.ID("otp"), what))
		b.press("button.main")
		return
	}
	b.press("button[value=" + what + "]")
}

var kinds = map[shown]string{
	cardForm: "card", sameCard: "again", methodPage: "method", bankPage: "bank", waitPage: "wait", resultPage: "result", lostPage: "other",
}

// agrees compares the page that the browser rests at, the API's answer and the gateway's ledger with the wanted end.
func (b *tab) agrees(s sessionView, v *view, want ending) {
	b.Helper()
	if v.Kind != kinds[want.page] || !strings.Contains(v.Text, want.says) {
		b.Errorf("the browser rests at %s (%s), want %s with %q", v.Kind, v.Text, want.page, want.says)
	}
	got := b.w.session(b, s.ID)
	if got.Status != want.status || !got.OutcomeKnown {
		b.Errorf("the session is %s (outcome known: %t), want %s", got.Status, got.OutcomeKnown, want.status)
	}
	if n := b.w.charges(b, s.OrderID); n != want.charges {
		b.Errorf("the ledger counts %d charges, want %d", n, want.charges)
	}
	if len(got.Attempts) == 0 {
		b.Fatal("the session has no attempt")
	}
	a := got.Attempts[len(got.Attempts)-1]
	reason := ""
	if a.Decline != nil {
		reason = a.Decline.Reason
	}
	if a.State != want.state || reason != want.decline || len(a.Runs) != want.runs {
		b.Errorf("the attempt is %s, declined for %q, with %d runs; want %s, %q, %d", a.State, reason, len(a.Runs), want.state, want.decline, want.runs)
	}
	letters := ""
	for _, r := range a.Runs {
		letters += (r.CompInd + "-")[:1]
	}
	if letters != want.compInd {
		b.Errorf("the completion indicators are %q, want %q", letters, want.compInd)
	}
	if want.charges == 0 {
		return
	}
	if got.Payment == nil || got.Payment.Authorized != s.Amount {
		b.Fatalf("the payment is %+v, want %d", got.Payment, s.Amount)
	}
	var how threeDS
	if d := got.Payment.ThreeDS; d != nil {
		how = threeDS{d.Version, d.TransStatus, d.ECI}
	}
	if how != want.threeDS {
		b.Errorf("the cardholder was authenticated so: %+v, want %+v", how, want.threeDS)
	}
}

// paidOnce checks the end that most visits of a shopper have, whatever was pressed on the way.
func (b *tab) paidOnce(s sessionView, v *view) {
	b.Helper()
	if v.Kind != "result" || v.Mark != "good" {
		b.Errorf("the browser rests at %s: %s", v.Kind, v.Text)
	}
	got := b.w.session(b, s.ID)
	if n := b.w.charges(b, s.OrderID); n != 1 || got.Status != "paid" || len(got.Attempts) != 1 {
		b.Errorf("%d charges, session %s with %d attempts; want one of each, paid", n, got.Status, len(got.Attempts))
	}
}

const creqs = "/acs/challenge"

func TestBackFromTheBankPostsNoCReqByItself(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"rbs", "payneteasy"} {
		t.Run(account, func(t *testing.T) {
			w := sharedWorld(t)
			b := open(t, w)
			s := w.create(t, account, nil)
			b.pay(s, cardByHand)
			b.until("acs")
			b.back()
			v := b.until("bank")
			if n := b.posts(creqs); n != 1 {
				t.Errorf("the bank got the CReq %d times", n)
			}
			if v.Moving || v.URL != s.URL {
				t.Errorf("Back from the bank leads to %s", v.URL)
			}
			b.press("#bank button")
			b.until("acs")
			b.answerBank("1234")
			b.paidOnce(s, b.rest(20*time.Second))
		})
	}
}

func TestBackAfterSuccessShowsThatItIsPaid(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	s := w.create(t, "rbs", nil)
	b.pay(s, cardPlain)
	b.until("result")
	b.until("shop") // the page goes on by itself
	b.back()
	v := b.until("result")
	b.paidOnce(s, v)
	if n := b.posts("/card"); n != 1 {
		t.Errorf("the card was posted %d times", n)
	}
}

func TestBackToTheBankAfterSuccessChangesNothing(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	s := w.create(t, "rbs", nil)
	b.pay(s, cardByHand)
	b.until("acs")
	b.answerBank("pass")
	b.until("result")
	// The browser would post the CReq again; the page's form-action stops it, and says so.
	b.back()
	until(t, 10*time.Second, "the stopped post", func() bool { return len(b.troubles()) == 2 })
	b.forgive("form-action")
	b.paidOnce(s, b.find(5*time.Second, "a page that rests", func(v *view) bool { return !v.Moving }))
	if n := b.posts(creqs); n != 1 {
		t.Errorf("the bank got the CReq %d times", n)
	}
}

// A page is whatever is true when it is reloaded; reloading never posts, pays or asks the bank again.
func TestReloadingAnyPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := open(t, w)
	s := w.create(t, "rbs", nil)
	b.goTo(s.URL)
	if v := b.reload(); v.Kind != "card" {
		t.Errorf("the card form, reloaded, is %s", v.Kind)
	}
	// The Method never comes back, so that its page stays.
	b.fill(cardNumber("4000019900022007"))
	b.press("#pay")
	b.until("method")
	b.do(chromedp.Reload())
	b.until("method")
	w.fault(t, map[string]any{"gateway": "rbs", "call": "continue.do", "do": "slow", "when": "before", "hold_ms": 3000})
	w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 11}, nil)
	b.until("wait")
	b.do(chromedp.Reload())
	b.until("result")
	v := b.reload()
	b.paidOnce(s, v)
	if n := b.posts("/card"); n != 1 {
		t.Errorf("the card was posted %d times", n)
	}

	s = w.create(t, "rbs", nil)
	b.pay(s, cardByHand)
	b.until("acs")
	b.goTo(s.URL)
	if v := b.reload(); v.Kind != "bank" || b.posts(creqs) != 1 {
		t.Errorf("the way to the bank, reloaded, is %s; the bank got %d CReqs", v.Kind, b.posts(creqs))
	}
	b.press("#bank button")
	b.until("acs")
	b.answerBank("pass")
	b.paidOnce(s, b.rest(20*time.Second))
}

func TestTwoTabsAndAnotherBrowser(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	s := w.create(t, "rbs", map[string]any{"customer": map[string]any{"id": "c-1", "email": "aigerim@example.com", "phone": "77011234567"}})
	b.pay(s, cardByHand)
	b.until("acs")

	second, other := b.another(), open(t, w)
	for what, c := range map[string]*tab{"the second tab": second, "another browser": other} {
		v := c.goTo(s.URL)
		if v.Kind != "bank" || c.posts("/") != 0 {
			t.Errorf("%s shows %s and has posted %d times", what, v.Kind, c.posts("/"))
		}
		if html := ask[string](c, "document.documentElement.outerHTML"); strings.Contains(html, "aigerim") || strings.Contains(html, "7701123") || strings.Contains(html, "0720") {
			t.Errorf("%s shows what belongs to the customer", what)
		}
	}
	b.answerBank("pass")
	b.paidOnce(s, b.rest(20*time.Second))
	// Their pages go on by themselves.
	second.paidOnce(s, second.rest(10*time.Second))
	other.paidOnce(s, other.rest(10*time.Second))
}

func TestPayPressedInTwoTabs(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	first := open(t, w)
	s := w.create(t, "rbs", nil)
	second := first.another()
	for _, b := range []*tab{first, second} {
		b.goTo(s.URL)
		b.fill(cardNumber(cardPlain))
	}
	var both sync.WaitGroup
	for _, b := range []*tab{first, second} {
		both.Go(func() { _ = chromedp.Do(b.ctx, chromedp.Click(chromedp.ID("pay"))) })
	}
	both.Wait()
	for _, b := range []*tab{first, second} {
		b.paidOnce(s, b.rest(20*time.Second))
	}
}

func TestPayPressedTwice(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	for name, how := range map[string]func(*tab){"with script": func(*tab) {}, "without script": withoutScript} {
		t.Run(name, func(t *testing.T) {
			b := open(t, w, how)
			s := w.create(t, "rbs", nil)
			b.goTo(s.URL)
			b.fill(cardNumber(cardPlain))
			box, err := chromedp.Run(b.ctx, chromedp.Dimensions(chromedp.ID("pay")))
			if err != nil {
				t.Fatal(err)
			}
			x, y := (box.Content[0]+box.Content[4])/2, (box.Content[1]+box.Content[5])/2
			if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y), chromedp.MouseClickXY(x, y)); err != nil && !strings.Contains(err.Error(), "navigated or closed") {
				t.Fatal(err)
			}
			b.paidOnce(s, b.rest(20*time.Second))
			if n := b.posts("/card"); !b.noScript && n != 1 {
				t.Errorf("the card was posted %d times", n)
			}
		})
	}
}

func TestAFullPaymentWithoutScript(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := open(t, w, withoutScript)
	s := w.create(t, "rbs", nil)
	b.pay(s, cardByHand)
	b.until("method") // nobody presses in a hidden frame: the time goes by
	w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 11}, nil)
	b.until("bank")
	b.press("#bank button")
	b.until("acs")
	b.answerBank("1234")
	b.until("bounce") // the bank's way back, which no script submits
	b.press("form button")
	v := b.rest(20 * time.Second)
	b.paidOnce(s, v)
	if ind := w.session(t, s.ID).Attempts[0].Runs[0].CompInd; ind != "N" {
		t.Errorf("threeDSCompInd is %q", ind)
	}
	// Without script the page stays, and the shopper goes on.
	b.press("#continue")
	if v := b.until("shop"); !strings.Contains(v.Text, s.ID) || !strings.Contains(v.URL, "from=shop&session="+s.ID) {
		t.Errorf("the shop is reached at %s: %s", v.URL, v.Text)
	}
}

// The gateway takes longer than the page would wait before it looks again, and the page stays as it is until the moment
// that something changes.
func TestTheWaitingPageGoesOnWhenTheStateChanges(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "slow", "when": "before", "hold_ms": 7500})
	b := open(t, w)
	s := w.create(t, "rbs", nil)
	b.pay(s, cardPlain)
	waiting := b.until("wait")
	v := b.find(20*time.Second, "another document", func(v *view) bool { return v.Doc != waiting.Doc && !v.Moving })
	b.paidOnce(s, v)
	path := strings.TrimPrefix(s.URL, w.Front)
	if n := b.gets(path); n != 3 {
		t.Errorf("the address was asked for %d times, want card form, waiting page and result", n)
	}
}

// restart stops the program and starts it again on the same addresses and the same data.
func (w *world) restart(t *testing.T) {
	t.Helper()
	w.stop()
	again := start(t, func(o *app.Options) {
		o.Clock, o.Config.Data, o.Config.KeysFile = w.Clock, w.Data, filepath.Join(w.Data, "keys")
		for _, at := range []struct {
			l       *net.Listener
			address string
		}{{&o.FrontListener, w.Front}, {&o.SandboxListener, w.Sandbox}} {
			(*at.l).Close()
			u, err := url.Parse(at.address)
			if err != nil {
				t.Fatal(err)
			}
			if *at.l, err = net.Listen("tcp", "127.0.0.1:"+u.Port()); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.App, w.Log, w.stop = again.App, again.Log, again.stop
}

// Nobody remembers the card when the bank asks for a second authentication.
func TestTheSameCardIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := open(t, w)
	s := w.create(t, "rbs", nil)
	w.fault(t, map[string]any{"gateway": "acs", "call": "method", "do": "status", "status": 503})
	b.pay(s, "4000019900020902")
	b.until("method")
	w.restart(t)
	w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 11}, nil)
	v := b.until("again")
	if !strings.Contains(v.Text, "0902") || strings.Contains(v.Text, "4000") {
		t.Errorf("the page asks for the card so: %s", v.Text)
	}
	b.fill(cardNumber(cardPlain))
	b.press("#pay")
	if v := b.until("again"); v.Errors == "" || w.charges(t, s.OrderID) != 0 {
		t.Errorf("another card is answered %s: %s", v.Kind, v.Text)
	}
	b.forgive("422")
	b.fill(typedCard{Number: "4000019900020902", CVC: "123"}) // the rest was kept
	b.press("#pay")
	b.paidOnce(s, b.rest(30*time.Second))
	b.forgive("503")      // the bank's Method page, which the test took away
	b.forgive("/events?") // while the program was away
	if n := len(w.session(t, s.ID).Attempts[0].Runs); n != 2 {
		t.Errorf("the attempt has %d authentications", n)
	}
}

func TestATransferInChromium(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := &gallery{tab: open(t, w)}
	g.prefer("light")
	s := w.create(t, "sber", transfer(map[string]any{"fee": 5000}))
	if v := g.logIn(s); v.Kind != "card" || v.Head != "Transfer from card to card" {
		t.Fatalf("after the login stands %s: %s", v.Kind, v.Text)
	}
	g.fill(cardNumber(cardByHand))
	g.do(chromedp.SendKeys(chromedp.ID("to_number"), recipient[:15]+"0"))
	g.press("#pay")
	wrong := "Check the recipient's card number"
	g.find(5*time.Second, wrong, func(v *view) bool { return strings.Contains(v.Text, wrong) })
	if n := len(w.session(t, s.ID).Attempts); n != 0 {
		t.Errorf("a form with a mistake in it made %d attempts", n)
	}
	g.picture("transfer-slip")
	g.do(chromedp.SendKeys(chromedp.ID("to_number"), "\b"+recipient[15:]))
	if got := ask[string](g.tab, "document.getElementById('to_number').value"); got != "4000 0199 0002 1009" {
		t.Errorf("the recipient's number is shown as %q", got)
	}
	g.picture("transfer-filled")
	g.press("#pay")
	if v := g.until("bank"); !strings.Contains(v.Text, "Your order is proceeded, redirecting...") {
		t.Errorf("before the bank stands %s", v.Text)
	}
	g.picture("transfer-bank")
	g.press("#bank button")
	g.until("acs")
	g.answerBank("1234")
	v := g.until("result")
	g.paidOnce(s, v)
	if v.Head != "Transferred" {
		t.Errorf("the end says %q", v.Head)
	}
	g.picture("transfer-result")
}

// What reaches the gateway of the browser is what the browser is.
func TestTheBrowserIsDescribedTruthfully(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := map[string]url.Values{}
	var upstream *url.URL
	wire := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if form, err := url.ParseQuery(string(body)); err == nil && (form.Has("clientBrowserInfo") || form.Has("browserAcceptHeader")) {
			mu.Lock()
			arrived[strings.Split(r.URL.Path, "/")[1]] = form
			mu.Unlock()
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(upstream); p.Out.Host = upstream.Host }}).ServeHTTP(rw, r)
	}))
	t.Cleanup(wire.Close)
	w := start(t, func(o *app.Options) {
		o.Tune = func(c *config.Config) {
			for _, name := range []string{"rbs", "payneteasy"} {
				settings := c.Accounts[name].Settings
				base, err := url.Parse(settings["base_url"].(string))
				if err != nil {
					t.Fatal(err)
				}
				upstream = &url.URL{Scheme: base.Scheme, Host: base.Host}
				settings["base_url"] = wire.URL + base.Path
			}
		}
	})
	for name, how := range map[string]func(*tab){"with script": func(*tab) {}, "without script": withoutScript} {
		for _, account := range []string{"rbs", "payneteasy"} {
			t.Run(account+" "+name, func(t *testing.T) {
				b := open(t, w, how)
				b.call(func() error {
					_, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Almaty"})
					return err
				})
				b.call(func() error {
					_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
						Width: 412, Height: 800, DeviceScaleFactor: 1, ScreenWidth: 412, ScreenHeight: 915,
					})
					return err
				})
				s := w.create(t, account, nil)
				b.pay(s, "4000019900021009") // no Method: nothing to wait for without script
				agent := ask[string](b, "navigator.userAgent")
				until(t, 20*time.Second, "the browser's data at the gateway", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return arrived[account] != nil
				})
				mu.Lock()
				form := arrived[account]
				delete(arrived, account)
				mu.Unlock()
				field := form.Get
				names := []string{"browserUserAgent", "browserJavascriptEnabled", "browserLanguage", "browserColorDepth", "browserScreenWidth", "browserScreenHeight", "browserTZ"}
				if account == "rbs" {
					info := map[string]any{}
					if err := json.Unmarshal([]byte(form.Get("clientBrowserInfo")), &info); err != nil {
						t.Fatal(err)
					}
					field = func(name string) string {
						switch v := info[name].(type) {
						case bool:
							return map[bool]string{true: "true", false: "false"}[v]
						case string:
							return v
						}
						return ""
					}
					names = []string{"userAgent", "javascriptEnabled", "browserLanguage", "colorDepth", "screenWidth", "screenHeight", "browserTimeZoneOffset"}
				}
				want := []string{agent, "true", "en-US", "24", "412", "915", "-300"}
				if b.noScript {
					want = []string{agent, "false", "en-US", "", "", "", ""}
				}
				for i, name := range names {
					if got := field(name); got != want[i] {
						t.Errorf("%s is %q, want %q", name, got, want[i])
					}
				}
			})
		}
	}
}
