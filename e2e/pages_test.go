package e2e_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var languages = []string{"en", "ru", "kk"}

// gallery looks at pages: it judges them by axe-core in every language and keeps a picture of each.
type gallery struct {
	*tab
	axe string
}

// held is a browser in which no page goes on by itself: what takes a second or more never comes, nor does an event.
const held = `delete window.EventSource; window.setTimeout = function (st) { return function (f, ms) { return ms >= 1000 ? 0 : st(f, ms) } }(window.setTimeout)`

func newGallery(t *testing.T, w *world) *gallery {
	t.Helper()
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, w)
	b.call(func() error {
		_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: held})
		return err
	})
	return &gallery{b, string(axe)}
}

// axeFinding is a rule that a page breaks.
type axeFinding struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

const runAxe = `axe.run(document, {iframes: false, resultTypes: ["violations"], %s}).then(function (r) { return JSON.stringify(r.violations) })`

// judge reports everything that axe-core finds, in light and in dark.
func (g *gallery) judge(name string) {
	g.Helper()
	g.do(chromedp.Evaluate[chromedp.Void](g.axe))
	for scheme, rules := range map[string]string{"light": "", "dark": `runOnly: ["color-contrast"]`} {
		g.prefer(scheme)
		raw, err := chromedp.Run(g.ctx, chromedp.Evaluate[string](fmt.Sprintf(runAxe, rules), chromedp.EvalAwaitPromise))
		if err != nil {
			g.Fatalf("%s: axe: %v", name, err)
		}
		var found []axeFinding
		if err := json.Unmarshal([]byte(raw), &found); err != nil {
			g.Fatal(err)
		}
		for _, f := range found {
			g.Errorf("%s, %s: %s (%s): %s", name, scheme, f.ID, f.Impact, f.Help)
			for _, n := range f.Nodes {
				g.Logf("  %s: %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
			}
		}
	}
	g.prefer("light")
}

// prefer chooses a colour scheme, and no animations.
func (g *gallery) prefer(scheme string) {
	g.Helper()
	g.call(func() error {
		_, err := chromedp.Call(g.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

var sizes = []struct{ width, height int64 }{{390, 844}, {1280, 900}}

// picture keeps the page at the sizes of a phone and a desk, and no page is wider than its screen.
func (g *gallery) picture(name string) {
	g.Helper()
	dir := filepath.Join(artefacts(g), "pages")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		g.Fatal(err)
	}
	for _, size := range sizes {
		g.do(chromedp.EmulateViewport(size.width, size.height))
		png, err := chromedp.Run(g.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			g.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.%d.png", name, size.width)), png, 0o644); err != nil {
			g.Fatal(err)
		}
		if wide := ask[int64](g.tab, "document.documentElement.scrollWidth"); wide > size.width {
			g.Errorf("%s is %d pixels wide on a screen of %d", name, wide, size.width)
		}
	}
	g.do(chromedp.EmulateViewport(sizes[0].width, sizes[0].height))
}

// show looks at a page of the front in every language.
func (g *gallery) show(name, address, kind string) {
	g.Helper()
	for _, lang := range languages {
		g.do(chromedp.Navigate(address + "?lang=" + lang))
		v := g.find(20*time.Second, "the page "+name, func(v *view) bool {
			return v.Kind == kind && v.Doc > 0 && strings.HasPrefix(v.URL, address) && (g.last == nil || v.Doc != g.last.Doc)
		})
		g.last = v
		if got := ask[string](g.tab, "document.documentElement.lang"); got != lang {
			g.Errorf("%s is in %q, asked for %q", name, got, lang)
		}
		if m := untranslated.FindString(v.Text); m != "" && lang != "en" {
			g.Errorf("%s in %s says %q", name, lang, m)
		}
		g.judge(name + " in " + lang)
		g.picture(name + "." + lang)
	}
}

// untranslated are words that only an English page has.
var untranslated = regexp.MustCompile(`\b(Please|your|You|card|payment|Continue)\b`)

// here looks at the page that is there now, in one language.
func (g *gallery) here(name string) {
	g.Helper()
	g.judge(name)
	g.picture(name)
}

func TestEveryPageForEveryShopper(t *testing.T) {
	t.Parallel()
	w := start(t)
	drive, g := open(t, w), newGallery(t, w)
	clock := func(d time.Duration) {
		w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": d.Seconds()}, nil)
	}
	fresh := func(account string, fields map[string]any) sessionView {
		more := map[string]any{"description": "Абай жолы, I–II", "expires_in": 3600}
		for k, v := range fields {
			more[k] = v
		}
		return w.create(t, account, more)
	}

	s := fresh("rbs", nil)
	g.show("card", s.URL, "card")
	g.do(chromedp.Navigate(s.URL + "?lang=en"))
	g.until("card")
	g.fill(typedCard{Number: "4000019900020002", Expiry: "1230"})
	g.press("#pay")
	g.here("card-slips.en")

	drive.pay(s, "4000019900050107")
	drive.until("card")
	g.show("card-declined", s.URL, "card")
	for range 4 {
		drive.fill(cardNumber("4000019900050107"))
		drive.press("#pay")
		drive.rest(20 * time.Second)
	}
	g.show("result-declined", s.URL, "result")

	for _, lang := range languages { // the Method's ten seconds do not wait for three languages
		s := fresh("rbs", map[string]any{"locale": lang})
		drive.pay(s, "4000019900022007")
		drive.until("method")
		g.do(chromedp.Navigate(s.URL + "?lang=" + lang))
		g.until("method")
		g.judge("method in " + lang)
		g.picture("method." + lang)
	}

	w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "hang", "when": "before", "hold_ms": 12000})
	s = fresh("rbs", nil)
	drive.pay(s, cardPlain)
	drive.until("wait")
	g.show("wait", s.URL, "wait")

	w.fault(t, map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "status", "when": "after", "status": 500})
	w.fault(t, map[string]any{"gateway": "rbs", "call": "getOrderStatusExtended.do", "do": "status", "status": 500, "times": -1})
	s = fresh("rbs", nil)
	drive.pay(s, cardPlain)
	drive.until("wait")
	g.show("wait-checking", s.URL, "wait")
	w.sandbox(t, "DELETE", "/faults", nil, nil)

	s = fresh("rbs", nil)
	drive.pay(s, cardByHand)
	drive.until("acs")
	g.show("bank", s.URL, "bank")
	g.do(chromedp.Navigate(s.URL + "?lang=en"))
	g.until("bank")
	g.press("#bank button")
	g.until("acs")
	g.here("sandbox-bank")
	g.answerBank("1234")
	g.until("result")
	g.show("result-paid", s.URL, "result")
	g.do(chromedp.Navigate(w.Sandbox + "/shop/done?session=" + s.ID))
	g.until("shop")
	g.here("shop-done")
	g.do(chromedp.Navigate(w.Sandbox + "/shop"))
	g.until("basket")
	g.here("shop")
	g.do(chromedp.Navigate(w.Sandbox + "/"))
	g.until("console")
	g.here("console")

	s = fresh("payneteasy", nil)
	drive.pay(s, "4000019900070006")
	drive.until("acs")
	g.show("leave", s.URL, "leave")

	s = fresh("rbs", map[string]any{"capture": "manual"})
	drive.pay(s, cardPlain)
	drive.until("result")
	g.show("result-authorized", s.URL, "result")

	s = fresh("rbs", nil)
	drive.goTo(s.URL)
	drive.press(".cancel button")
	drive.until("result")
	g.show("result-cancelled", s.URL, "result")

	s = fresh("rbs", map[string]any{"expires_in": 60})
	drive.goTo(s.URL)
	clock(2 * time.Minute)
	g.show("result-expired", s.URL, "result")

	for _, lang := range languages {
		g.do(chromedp.Navigate(w.Front + "/pay/cs_nobody-knows-this-one?lang=" + lang))
		g.find(10*time.Second, "no such payment", func(v *view) bool { return v.Kind == "other" && v.Mark == "plain" && !v.Moving })
		g.judge("no such payment in " + lang)
		g.picture("not-found." + lang)
	}
	g.forgive("404")
}

func TestTheLoginAndTheTransferForEveryShopper(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := newGallery(t, w)
	s := w.create(t, "sber", transfer(map[string]any{"fee": 5000}))
	g.show("login-phone", s.URL, "login")
	g.do(chromedp.Navigate(s.URL + "?lang=ru"))
	g.until("login")
	g.do(chromedp.SendKeys(chromedp.ID("phone"), "+7 917 000-00-00")) // nobody's
	g.press("main form button")
	g.until("login")
	g.here("login-unknown.ru")
	g.do(chromedp.Navigate(s.URL + "?lang=en"))
	g.until("login")
	g.do(chromedp.SendKeys(chromedp.ID("phone"), phoneOf()))
	g.press("main form button")
	g.until("login")
	g.show("login-code", s.URL, "login")
	g.do(chromedp.SendKeys(chromedp.ID("code"), "000000"))
	g.press("main form button")
	g.until("login")
	g.here("login-wrong-code.kk")
	g.forgive("422") // what answers a slip
	s = w.create(t, "sber", transfer(map[string]any{"fee": 5000}))
	g.do(chromedp.Navigate(s.URL + "?lang=en"))
	g.logIn(s)
	g.show("transfer", s.URL, "card")
}

// The message beside the field that is left moves everything below it; the press that left it still counts.
func TestPressingPayCountsWhileAFieldIsInvalid(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	b.goTo(w.create(t, "rbs", nil).URL)
	b.do(chromedp.SendKeys(chromedp.ID("number"), "4000019900020002"))
	top := ask[struct{ X, Y float64 }](b, `(function (r) { return {X: r.x + r.width / 2, Y: r.y + 3} })(document.getElementById("pay").getBoundingClientRect())`)
	b.do(chromedp.MouseClickXY(top.X, top.Y))
	b.find(5*time.Second, "what is wrong is listed", func(*view) bool { return ask[bool](b, `!document.getElementById("errors").hidden`) })
}

func TestTheCountdownOfALoginCodeEnds(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	b.goTo(w.create(t, "sber", nil).URL)
	b.do(chromedp.SendKeys(chromedp.ID("phone"), phoneOf()))
	b.press("main form button")
	if v := b.until("login"); !strings.Contains(v.Text, "The code is good for") {
		t.Fatalf("the page says: %s", v.Text)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`Date.now = (function (now) { return function () { return now() + 61000 } })(Date.now)`))
	b.find(10*time.Second, "the code is said to be too old", func(v *view) bool {
		return strings.Contains(v.Text, "This code is too old") && !strings.Contains(v.Text, "The code is good for")
	})
}

// Nothing is typed here: the shopper goes to the bank's app or to the gateway, or takes a card that is saved.
func TestTheOtherPaymentMethodsForEveryShopper(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := newGallery(t, w)
	for _, way := range []string{"qr", "sberpay", "hosted"} {
		s := w.create(t, "cashier", map[string]any{"currency": "RUB", "payment_method": way, "description": "Абай жолы, I–II"})
		g.show("start-"+way, s.URL, "start")
		if way == "hosted" {
			continue
		}
		if way == "sberpay" {
			g.do(chromedp.SendKeys(chromedp.ID("phone"), "+7 917 123-45-67"))
		}
		g.press("main form button")
		g.until("scan")
		g.show("scan-"+way, s.URL, "scan")
	}
	for _, a := range []abilities{{account: "rbs", currency: "KZT"}, {account: "payneteasy", currency: "KZT"}} {
		customer := map[string]any{"id": order()}
		a.pays(t, w, map[string]any{"customer": customer, "save_card": true})
		w.savedCard(t, customer["id"].(string))
		s := w.create(t, a.account, map[string]any{"customer": customer, "payment_method": "saved_card"})
		g.show("saved-offer-"+a.account, s.URL, "offer")
		g.press("form#saved button")
		g.until("choice")
		g.show("saved-"+a.account, s.URL, "choice")
	}
}

// The card page with all that it loads fits the first flight of packets of a new connection, by the bodies as they really
// come to a browser that takes gzip.
func TestTheCardPageIsSmallAsServed(t *testing.T) {
	t.Parallel()
	const budget = 14 << 10
	w := sharedWorld(t)
	b := newWalker(t, w)
	b.open(w.create(t, "rbs", nil).URL)
	all := []string{"en"}
	b.doc.Find("footer a[hreflang]").Each(func(_ int, a *goquery.Selection) { all = append(all, a.AttrOr("hreflang", "")) })
	if len(all) < 6 {
		t.Errorf("the page offers %v", all)
	}
	for _, lang := range all {
		s := w.create(t, "rbs", map[string]any{"locale": lang})
		total := 0
		var parts []string
		fetch := func(address string) string {
			req, err := http.NewRequest("GET", address, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", "gzip")
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%s: %d %v", address, res.StatusCode, err)
			}
			total += len(body)
			parts = append(parts, fmt.Sprintf("%s %d", address[strings.LastIndexByte(address, '/')+1:], len(body)))
			if res.Header.Get("Content-Encoding") == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(string(body)))
				if err != nil {
					t.Fatal(err)
				}
				if body, err = io.ReadAll(z); err != nil {
					t.Fatal(err)
				}
			}
			return string(body)
		}
		html := fetch(s.URL)
		for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(html, -1) {
			fetch(w.Front + m[1])
		}
		t.Logf("%s: %d bytes: %s", lang, total, strings.Join(parts, ", "))
		if total > budget || len(parts) != 4 {
			t.Errorf("%s: the card page takes %d bytes in %d files, want at most %d in 4", lang, total, len(parts), budget)
		}
	}
}

// A newcomer's first minute: the demo shop, a test card, the bank's page, and how it ended.
func TestTheDemoShop(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := &gallery{tab: open(t, w)}
	g.prefer("light")
	g.goTo(w.Sandbox + "/shop")
	g.press("input[value=payneteasy]")
	g.press("#basket button.main")
	if v := g.until("card"); !strings.Contains(v.Text, "T-shirt") {
		t.Errorf("the card page does not say what is bought: %s", v.Text)
	}
	g.fill(cardNumber(cardByHand))
	g.picture("demo-card")
	g.press("#pay")
	g.until("acs")
	g.picture("demo-bank")
	g.answerBank("1234")
	v := g.until("result")
	if v.Mark != "good" {
		t.Errorf("the payment ends so: %s", v.Text)
	}
	g.picture("demo-result")
	v = g.until("shop")
	if !strings.Contains(v.Text, "paid") || !strings.Contains(v.Text, "ledger agrees") {
		t.Errorf("the shop says: %s", v.Text)
	}
	g.picture("demo-done")
}
