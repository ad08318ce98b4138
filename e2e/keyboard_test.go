package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused is what a shopper without a mouse has to go by.
type focused struct {
	Is      string  `json:"is"`      // a selector of the element, or what it is
	Seen    bool    `json:"seen"`    // it has a mark that it lacks without focus
	Inside  bool    `json:"inside"`  // it is on the screen, and nothing covers it
	Doc     float64 `json:"doc"`     // tells documents apart
	Matches bool    `json:"matches"` // it is the one that is looked for
}

// whatHasFocus compares the focused element with itself without focus. The focus is put back.
const whatHasFocus = `(function (css) {
	var e = document.activeElement, v = {is: "", seen: false, inside: false, doc: performance.timeOrigin, matches: false}
	if (!e || e === document.body) return v
	function look() {
		for (var out = "", n = e, i = 0; n && n !== document.body && i < 3; n = n.parentElement, i++) {
			var s = getComputedStyle(n)
			out += [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.borderColor, s.borderWidth, s.backgroundColor, s.textDecorationLine].join()
		}
		return out
	}
	v.is = e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.name ? "[name=" + e.name + "]" : "") + " " + (e.innerText || "").trim().slice(0, 30)
	v.matches = e.matches(css)
	var r = e.getBoundingClientRect(), top = document.elementFromPoint(r.left + r.width / 2, Math.min(r.top + r.height / 2, innerHeight - 1))
	v.inside = r.left >= -1 && r.right <= innerWidth + 1 && r.bottom > 0 && r.top < innerHeight && !!top && (e.contains(top) || top.contains(e) || !!e.labels && Array.from(e.labels).some(function (l) { return l.contains(top) }))
	v.seen = e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2
	if (!v.seen) { var on = look(); e.blur(); v.seen = on !== look(); e.focus({preventScroll: true}) }
	return v
})`

func (b *tab) key(keys string) {
	b.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// tabTo presses Tab until the element has the focus; at each stop on the way the focus is seen.
func (b *tab) tabTo(css string) (stops []string) {
	b.Helper()
	for range 60 {
		f := ask[focused](b, whatHasFocus+"("+quoted(css)+")")
		if f.Is != "" {
			stops = append(stops, f.Is)
			if !f.Seen {
				b.Errorf("the focus is not seen at %s", f.Is)
			}
			if !f.Inside {
				b.Errorf("the focus is off the screen, or covered, at %s", f.Is)
			}
		}
		if f.Matches {
			return stops
		}
		b.key(kb.Tab)
	}
	b.Fatalf("Tab does not reach %s; it stops at %q", css, stops)
	return nil
}

func quoted(s string) string { return "`" + s + "`" }

// narrow fails where a page is wider than the screen.
func (b *tab) narrow(name string) {
	b.Helper()
	if wide, screen := ask[int64](b, "document.documentElement.scrollWidth"), ask[int64](b, "innerWidth"); wide > screen {
		b.Errorf("%s is %d pixels wide on a screen of %d", name, wide, screen)
	}
}

// A shopper with a keyboard alone, on a screen of 1280 × 1024 at 400 %, who wants no motion: Tab, Space, Enter and typing pay through
// the bank's page, a mistake and a decline on the way.
func TestAWholePaymentByKeyboardAloneAtFourTimesTheSize(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	b.do(chromedp.EmulateViewport(320, 256))
	b.call(func() error {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
	still := func(name string) {
		t.Helper()
		if n := ask[int](b, `document.getAnimations().filter(function (a) { return a.playState === "running" && a.effect.getComputedTiming().duration > 1 }).length`); n != 0 {
			t.Errorf("%s moves: %d animations", name, n)
		}
	}
	s := w.create(t, "rbs", nil)
	b.goTo(s.URL)
	b.narrow("the card page")
	still("the card page")
	fill := func(c typedCard) {
		for _, f := range []struct{ css, keys string }{{"#number", c.Number}, {"#expiry", c.Expiry}, {"#cvc", c.CVC}, {"#name", c.Name}} {
			b.tabTo(f.css)
			if ask[string](b, "document.activeElement.value") == "" {
				b.key(f.keys)
			}
		}
		b.tabTo("#pay")
	}
	wrong := cardNumber(cardByHand)
	wrong.Number = "4000019900020002"
	fill(wrong)
	b.key(" ")
	b.find(10*time.Second, "the mistake", func(v *view) bool { return v.Errors != "" })
	b.narrow("the card page with a mistake")
	b.tabTo("#number")
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`)) // as Ctrl+A does
	b.key(cardByHand)
	b.tabTo("#name")
	b.key(kb.Enter)
	b.until("acs")
	b.narrow("the bank's page")
	b.tabTo("#otp")
	b.key("1234")
	b.tabTo("button.main")
	b.key(" ")
	b.until("result")
	b.narrow("the result page")
	still("the result page")
	stops := b.tabTo("#continue")
	b.key(kb.Enter)
	b.until("shop")
	if len(stops) > 8 {
		t.Errorf("the way on to the shop is the %dth stop: %q", len(stops), stops)
	}
	if n := w.charges(t, s.OrderID); n != 1 {
		t.Errorf("%d charges", n)
	}
}
