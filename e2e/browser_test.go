package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const chromiumPath = "/usr/bin/chromium"

// chromium is the one browser of the package; it starts with the first test that needs it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop []func()
}

func startChromium() {
	if _, err := os.Stat(chromiumPath); err != nil {
		chromium.err = errors.New("there is no Chromium: run make setup")
		return
	}
	dir, err := os.MkdirTemp("", "tollgate-chromium-")
	if err != nil {
		chromium.err = err
		return
	}
	// Site isolation stays on: it is what shoppers have.
	alloc, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(chromiumPath), chromedp.UserDataDir(dir),
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, quit := chromedp.NewContext(alloc)
	chromium.stop = []func(){func() { os.RemoveAll(dir) }, stop, quit}
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
}

func stopChromium() {
	for _, stop := range slices.Backward(chromium.stop) {
		stop()
	}
}

// tab is a shopper's browser: a tab with cookies of its own that writes down all that should not happen on a page.
type tab struct {
	testing.TB
	w        *world
	ctx      context.Context
	noScript bool
	lax      bool  // what the browser complains of is no fault of the test
	last     *view // where it rested last

	mu      sync.Mutex
	trouble []string
	foreign []string // origins of others that the test itself brings in
	blocked int      // files that the test took away
	sent    []request
}

// request is one that the browser sent: of pages, their parts and the frames of the same site.
type request struct {
	Method, URL string
	Document    bool
	At          time.Time
	Body        string // as far as the browser tells
}

// violations says on the console what a Content-Security-Policy stopped; other errors say so by themselves.
const violations = `addEventListener("securitypolicyviolation", function (e) { console.error("policy: " + e.violatedDirective + " stopped " + e.blockedURI + " at " + e.sourceFile + ":" + e.lineNumber) })`

// open makes a tab. When the test ends, the tab must have met no console error, no exception, no policy violation and no
// other host than front and sandbox.
func open(t testing.TB, w *world, how ...func(*tab)) *tab {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	b := &tab{TB: t, w: w}
	for _, f := range how {
		f(b)
	}
	ctx, closeTab := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.heard))
	t.Cleanup(closeTab)
	// The first run binds the tab's life to the context it is given: it must be one without a limit.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	b.ctx = limited
	b.call(func() error {
		_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
		return err
	})
	if b.noScript {
		b.call(func() error {
			_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return err
		})
	}
	t.Cleanup(func() {
		for _, what := range b.troubles() {
			if b.lax {
				t.Logf("in the browser: %s", what)
				continue
			}
			t.Errorf("in the browser: %s", what)
		}
		if t.Failed() && limited.Err() == nil {
			t.Logf("the browser was at last at %s, and had asked for:%s", b.where(), b.way())
		}
	})
	return b
}

// withoutScript is a browser in which script is switched off.
func withoutScript(b *tab) { b.noScript = true }

// another opens a second tab with the same cookies.
func (b *tab) another() *tab {
	b.Helper()
	c := &tab{TB: b.TB, w: b.w, noScript: b.noScript}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithListener(c.heard))
	b.Cleanup(closeTab)
	c.ctx = ctx
	c.do(chromedp.EmulateViewport(390, 844))
	c.call(func() error {
		_, err := chromedp.Call(c.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
		return err
	})
	b.Cleanup(func() {
		for _, what := range c.troubles() {
			b.Errorf("in the second tab: %s", what)
		}
	})
	return c
}

// heard runs in the loop that reads the tab's messages.
func (b *tab) heard(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			text := ""
			for _, a := range ev.Args {
				text += " " + strings.Trim(string(a.Value), `"`)
			}
			b.trouble = append(b.trouble, "console:"+text)
		}
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			text += " " + ev.ExceptionDetails.Exception.Description
		}
		b.trouble = append(b.trouble, "exception: "+text)
	case *log.EventEntryAdded:
		if strings.HasSuffix(ev.Entry.URL, "/favicon.ico") {
			return // the sandbox's pages have none
		}
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			b.trouble = append(b.trouble, fmt.Sprintf("%s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
		}
	case *network.EventLoadingFailed:
		if ev.BlockedReason == network.BlockedReasonInspector {
			b.blocked++
		}
	case *network.EventRequestWillBeSent:
		r := request{Method: ev.Request.Method, URL: ev.Request.URL, Document: ev.Type == network.ResourceTypeDocument, At: time.Now()}
		for _, part := range ev.Request.PostDataEntries {
			r.Body += string(part.Bytes)
		}
		b.sent = append(b.sent, r)
		known := slices.ContainsFunc(b.foreign, func(o string) bool { return strings.HasPrefix(r.URL, o) })
		if u, err := url.Parse(r.URL); !known && (err != nil || u.Scheme != "data" && !strings.HasPrefix(r.URL, b.w.Front+"/") && !strings.HasPrefix(r.URL, b.w.Sandbox+"/")) {
			b.trouble = append(b.trouble, "a request to a foreign host: "+r.URL)
		}
	}
}

func (b *tab) troubles() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.trouble)
}

// forgive takes back what was written down if it holds the words, for what a test brings about on purpose.
func (b *tab) forgive(words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = slices.DeleteFunc(b.trouble, func(s string) bool { return strings.Contains(s, words) })
}

// way lists what the browser asked for, without static files.
func (b *tab) way() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := ""
	for _, r := range b.sent {
		if !strings.Contains(r.URL, "/static/") && !strings.HasSuffix(r.URL, ".css") {
			out += fmt.Sprintf("\n%s %s %s", r.At.Format("05.000"), r.Method, strings.NewReplacer(b.w.Front, "", b.w.Sandbox, "sandbox:").Replace(r.URL))
		}
	}
	return out
}

// posts counts the posts to addresses that hold the words.
func (b *tab) posts(words string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.sent {
		if r.Method == "POST" && strings.Contains(r.URL, words) {
			n++
		}
	}
	return n
}

// gets counts the documents that were fetched from addresses ending so.
func (b *tab) gets(end string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.sent {
		if r.Method == "GET" && r.Document && strings.HasSuffix(r.URL, end) {
			n++
		}
	}
	return n
}

func (b *tab) call(f func() error) {
	b.Helper()
	if err := f(); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatalf("%v, at %s", err, b.where())
	}
}

// where tells the page in a few words.
func (b *tab) where() string {
	v, err := b.look()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s: %s", v.Kind, v.URL, v.Text)
}

func ask[T any](b *tab, expression string) T {
	b.Helper()
	for try := 1; ; try++ {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
		if err == nil {
			return v
		}
		if try == 5 || !strings.Contains(err.Error(), "navigated or closed") { // the document went while it was asked
			b.Fatalf("%s: %v", expression, err)
		}
	}
}

// view is what a page shows.
type view struct {
	Kind   string  `json:"kind"` // see kindOf
	Moving bool    `json:"moving"`
	Doc    float64 `json:"doc"` // when the document began; tells two documents apart
	URL    string  `json:"url"`
	Title  string  `json:"title"`
	Head   string  `json:"head"`   // the heading
	Mark   string  `json:"mark"`   // of a result page: good, bad, plain
	Errors string  `json:"errors"` // of a card form: what stands beside the fields and above them
	Text   string  `json:"text"`
}

// kindOf tells the kind of a page, and whether it goes on without the shopper: login, offer (of saved cards), choice, start, scan,
// card, again (the same card once more), method, wait, bank (the form that posts to the bank), leave, result, other; and of the sandbox acs (the bank asks), bounce
// (forms that submit themselves), acs-message, basket, shop, console.
const kindOf = `(function (script) {
	function $(s) { return document.querySelector(s) }
	function text(s) { var e = $(s); return e ? e.innerText.replace(/\s+/g, " ").trim() : "" }
	var v = {doc: performance.timeOrigin, url: location.href, title: document.title, head: text("h1"), mark: "", errors: "", text: text("body").slice(0, 2000), moving: false}
	var p = location.pathname, ours = location.origin === "FRONT"
	if (ours && $("#card")) { v.kind = /\d{4}/.test(text("h1 + p")) ? "again" : "card"; v.errors = text("#notice") + text("#errors") }
	else if (ours && $("form[action$='/start']")) v.kind = "start"
	else if (ours && $("img.qr")) v.kind = "scan"
	else if (ours && $("#phone, #code")) v.kind = "login"
	else if (ours && $("input[name=card]")) v.kind = "choice"
	else if (ours && $("form#saved")) v.kind = "offer"
	else if (ours && $("iframe.unseen")) { v.kind = "method"; v.moving = true }
	else if (ours && $(".spinner")) { v.kind = "wait"; v.moving = true }
	else if (ours && $("#bank")) { v.kind = "bank"; v.moving = script && !$("script[data-back]") }
	else if (ours && $("#leave")) { v.kind = "leave"; v.moving = script && !$("script[data-back]") || !!$("meta[http-equiv=refresh]") }
	else if (ours && $(".mark")) { v.kind = $("#continue") ? "result" : "other"; v.mark = $(".mark").classList[1] }
	else if (!ours && $("#otp")) v.kind = "acs"
	else if (p === "/shop/done") v.kind = "shop"
	else if (p.slice(0, 5) === "/shop") v.kind = "basket"
	else if (!ours && p === "/") v.kind = "console"
	else if (document.forms.length) { v.kind = "bounce"; v.moving = script }
	else if (!ours && p.slice(0, 5) === "/acs/") v.kind = "acs-message"
	else { v.kind = "other" }
	if (document.readyState !== "complete") v.moving = true
	return v
})`

// look reads the page that is there now; a page on its way out is an error.
func (b *tab) look() (*view, error) {
	try, stop := context.WithTimeout(b.ctx, 2*time.Second)
	defer stop()
	v, err := chromedp.Run(try, chromedp.Evaluate[view](strings.Replace(kindOf, "FRONT", b.w.Front, 1)+fmt.Sprintf("(%t)", !b.noScript)))
	return &v, err
}

// rest waits until another document than the last one stays, and says which it is.
func (b *tab) rest(limit time.Duration) *view {
	b.Helper()
	v := b.find(limit, "a page that rests", func(v *view) bool { return !v.Moving && (b.last == nil || v.Doc != b.last.Doc) })
	b.last = v
	return v
}

// find waits for a page that the condition takes.
func (b *tab) find(limit time.Duration, what string, cond func(*view) bool) *view {
	b.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := b.look()
		if err == nil && cond(v) {
			return v
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.Fatalf("not within %s: %s; the browser is at %s", limit, what, b.where())
		}
		<-tick.C
	}
}

// until waits for the next page of this kind.
func (b *tab) until(kind string) *view {
	b.Helper()
	v := b.find(20*time.Second, "a page of kind "+kind, func(v *view) bool {
		return v.Kind == kind && (b.last == nil || v.Doc != b.last.Doc) && (kind == "wait" || kind == "method" || !v.Moving)
	})
	b.last = v
	return v
}

// goTo opens an address as a link from elsewhere does.
func (b *tab) goTo(address string) *view {
	b.Helper()
	b.do(chromedp.Navigate(address))
	return b.rest(20 * time.Second)
}

// typedCard is what the shopper types.
type typedCard struct{ Number, Expiry, CVC, Name string }

func cardNumber(number string) typedCard { return typedCard{number, "1230", "123", "Aigerim Serik"} }

// fill types into the card form, key by key.
func (b *tab) fill(c typedCard) {
	b.Helper()
	for _, f := range []struct{ id, keys string }{{"number", c.Number}, {"expiry", c.Expiry}, {"cvc", c.CVC}, {"name", c.Name}} {
		if f.id == "expiry" && b.noScript && len(f.keys) == 4 {
			f.keys = f.keys[:2] + "/" + f.keys[2:]
		}
		if f.id == "expiry" || f.id == "name" { // after a decline they are there already
			if kept := ask[string](b, `document.getElementById("`+f.id+`").value`); kept != "" {
				continue
			}
		}
		b.do(chromedp.SendKeys(chromedp.ID(f.id), f.keys))
	}
}

// logIn opens the session's address and gives a customer's phone and code; what comes after them is shown.
func (b *tab) logIn(s sessionView) *view {
	b.Helper()
	b.goTo(s.URL)
	b.do(chromedp.SendKeys(chromedp.ID("phone"), phoneOf()))
	b.press("main form button")
	b.last = b.find(20*time.Second, "the form for the code", func(v *view) bool { return v.Head == "Code from the message" && !v.Moving })
	b.do(chromedp.SendKeys(chromedp.ID("code"), "111111"))
	b.press("main form button")
	return b.rest(20 * time.Second)
}

// press clicks with the mouse where the element is. The page may be gone before the click is answered.
func (b *tab) press(css string) {
	b.Helper()
	limited, stop := context.WithTimeout(b.ctx, 20*time.Second)
	defer stop()
	err := chromedp.Do(limited, chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
	if err != nil && !strings.Contains(err.Error(), "navigated or closed") {
		b.Fatalf("%s: %v, at %s", css, err, b.where())
	}
}

// pay opens the session's address, types the card and presses Pay.
func (b *tab) pay(s sessionView, number string) {
	b.Helper()
	if v := b.goTo(s.URL); v.Kind != "card" {
		b.Fatalf("the session opens with %s: %s", v.Kind, v.Text)
	}
	b.fill(cardNumber(number))
	b.press("#pay")
}

// back answers before the browser leaves the page.
func (b *tab) back() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("void setTimeout(function () { history.back() })"))
}

func (b *tab) reload() *view {
	b.Helper()
	b.do(chromedp.Reload())
	return b.rest(20 * time.Second)
}
