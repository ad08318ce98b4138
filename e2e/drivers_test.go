package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// webDriver is one tab of a browser, driven in the way that the browser offers: Chromium by DevTools, Firefox by WebDriver BiDi,
// WebKitGTK by WebDriver. Its methods act as a shopper does, but for run, which asks the page.
type webDriver interface {
	open(url string) error
	find(css string) (bool, error)
	typeInto(css, keys string) error
	click(css string) error
	text(css string) (string, error)
	run(expression string, answer any) error // answer may be nil
	back() error
	reload() error
	another() (webDriver, error) // a second tab with the same cookies, in front
	front() error                // this tab before the others
	frame() (webDriver, error)   // the first frame of the page, to be asked only
}

// how a browser is started.
type browserSetup struct {
	noScript     bool
	private      bool
	noThirdParty bool // third-party cookies are blocked
}

// browserKind is a browser that shoppers have.
type browserKind struct {
	name  string
	start func(testing.TB, *world, browserSetup) webDriver
}

func browsers() []browserKind {
	return []browserKind{{"Chromium", startChromiumTab}, {"Firefox", startFirefox}, {"WebKitGTK", startWebKit}}
}

// window is a shopper in front of a browser of any kind.
type window struct {
	testing.TB
	webDriver
	w     *world
	setup browserSetup
	last  *view
}

func (k browserKind) window(t testing.TB, w *world, setup browserSetup) *window {
	t.Helper()
	return &window{TB: t, webDriver: k.start(t, w, setup), w: w, setup: setup}
}

func (b *window) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%v, at %s", err, b.where())
	}
}

func (b *window) where() string {
	v, err := b.look()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s: %s", v.Kind, v.URL, v.Text)
}

func (b *window) look() (*view, error) {
	v := &view{}
	return v, b.run(strings.Replace(kindOf, "FRONT", b.w.Front, 1)+fmt.Sprintf("(%t)", !b.setup.noScript), v)
}

// wait polls for a page that the condition takes.
func (b *window) wait(what string, cond func(*view) bool) *view {
	b.Helper()
	deadline := time.Now().Add(40 * time.Second)
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if v, err := b.look(); err == nil && cond(v) {
			return v
		}
		if time.Now().After(deadline) {
			b.Fatalf("not within 40 s: %s; the browser is at %s", what, b.where())
		}
		<-tick.C
	}
}

// until waits for another document than the last one that rests and is of this kind.
func (b *window) until(kind string) *view {
	b.Helper()
	b.last = b.wait("a page of kind "+kind, func(v *view) bool {
		return v.Kind == kind && (b.last == nil || v.Doc != b.last.Doc) && (kind == "wait" || kind == "method" || !v.Moving)
	})
	return b.last
}

func (b *window) visit(address, kind string) *view {
	b.Helper()
	b.must(b.open(address))
	return b.until(kind)
}

// value asks the page.
func value[T any](b *window, expression string) T {
	b.Helper()
	var v T
	b.must(b.run(expression, &v))
	return v
}

func (b *window) press(css string) {
	b.Helper()
	b.must(b.click(css))
}

func (b *window) write(css, keys string) {
	b.Helper()
	b.must(b.typeInto(css, keys))
}

// fill types into the card form, key by key.
func (b *window) fill(c typedCard) {
	b.Helper()
	if b.setup.noScript {
		c.Expiry = c.Expiry[:2] + "/" + c.Expiry[2:]
	}
	b.write("#number", c.Number)
	b.write("#expiry", c.Expiry)
	b.write("#cvc", c.CVC)
	b.write("#name", c.Name)
}

// pays takes a payment through the bank's own page to its end.
func (b *window) pays(s sessionView) *view {
	b.Helper()
	b.visit(s.URL, "card")
	b.fill(cardNumber(cardByHand))
	b.press("#pay")
	b.throughBank()
	return b.last
}

// throughBank goes on where no script does it, and answers the bank.
func (b *window) throughBank() {
	b.Helper()
	for {
		b.last = b.wait("the bank", func(v *view) bool {
			return !v.Moving && (b.last == nil || v.Doc != b.last.Doc) && v.Kind != "card" && v.Kind != "wait" && v.Kind != "method" &&
				v.URL != "about:blank"
		})
		switch b.last.Kind {
		case "acs":
			b.write("#otp", "1234")
			b.press("button.main")
		case "bank":
			b.press("#bank button")
		case "bounce":
			b.press("form button")
		case "result":
			return
		default:
			b.Fatalf("the payment comes to %s: %s", b.last.Kind, b.last.Text)
		}
	}
}

// paidOnce holds page, API and ledger to one charge.
func (b *window) paidOnce(s sessionView) {
	b.Helper()
	if b.last.Kind != "result" || b.last.Mark != "good" {
		b.Errorf("the browser rests at %s: %s", b.last.Kind, b.last.Text)
	}
	got := b.w.session(b, s.ID)
	if n := b.w.charges(b, s.OrderID); n != 1 || got.Status != "paid" || len(got.Attempts) != 1 {
		b.Errorf("%d charges, session %s with %d attempts; want one of each, paid", n, got.Status, len(got.Attempts))
	}
}

// chromiumTab drives a tab of the package's one Chromium.
type chromiumTab struct{ *tab }

func startChromiumTab(t testing.TB, w *world, setup browserSetup) webDriver {
	t.Helper()
	b := open(t, w, func(b *tab) { b.noScript, b.lax = setup.noScript, true })
	if setup.noThirdParty {
		b.call(func() error {
			_, err := chromedp.Call(b.ctx, network.SetCookieControls, network.SetCookieControlsParams{EnableThirdPartyCookieRestriction: true})
			return err
		})
	}
	return chromiumTab{b}
}

func (c chromiumTab) open(url string) error { return chromedp.Do(c.ctx, chromedp.Navigate(url)) }

func (c chromiumTab) find(css string) (there bool, err error) {
	return there, c.run(fmt.Sprintf("!!document.querySelector(%q)", css), &there)
}

func (c chromiumTab) typeInto(css, keys string) error {
	return chromedp.Do(c.ctx, chromedp.SendKeys(chromedp.CSS(css), keys))
}

func (c chromiumTab) click(css string) error {
	limited, stop := context.WithTimeout(c.ctx, 20*time.Second)
	defer stop()
	err := chromedp.Do(limited, chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
	if err != nil && strings.Contains(err.Error(), "navigated or closed") {
		return nil
	}
	return err
}

func (c chromiumTab) text(css string) (words string, err error) {
	return words, c.run(fmt.Sprintf("document.querySelector(%q).innerText", css), &words)
}

func (c chromiumTab) run(expression string, answer any) error {
	limited, stop := context.WithTimeout(c.ctx, 5*time.Second)
	defer stop()
	raw, err := chromedp.Run(limited, chromedp.Evaluate[string](stringified(expression)))
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal([]byte(raw), answer)
}

func (c chromiumTab) back() error {
	at, err := chromedp.Call(c.ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(c.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: at.Entries[at.CurrentIndex-1].ID})
	return err
}

func (c chromiumTab) reload() error { return chromedp.Do(c.ctx, chromedp.Reload()) }

func (c chromiumTab) another() (webDriver, error) { return chromiumTab{c.tab.another()}, nil }

func (c chromiumTab) front() error {
	_, err := chromedp.Call(c.ctx, page.BringToFront, cdp.Empty{})
	return err
}

// frame is a target of its own where its site is another one.
func (c chromiumTab) frame() (webDriver, error) {
	all, err := chromedp.Targets(c.ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range all {
		if info.Type == "iframe" && strings.HasPrefix(info.URL, c.w.Front) {
			ctx, done := chromedp.NewContext(c.ctx, chromedp.WithTargetID(info.TargetID))
			c.Cleanup(done)
			return chromiumTab{&tab{TB: c.TB, w: c.w, ctx: ctx, lax: true}}, chromedp.Do(ctx) // binds to the target, without a limit
		}
	}
	return nil, fmt.Errorf("no frame shows %s", c.w.Front)
}

// stringified is an expression whose value every driver carries in the same way.
func stringified(expression string) string {
	return "(function (v) { return v === undefined ? 'null' : JSON.stringify(v) })(" + expression + ")"
}

// needs fails where set-up has not installed a program.
func needs(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make setup", err)
	}
}
