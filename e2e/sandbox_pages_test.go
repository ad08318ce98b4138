package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// atGateway is where a shopper comes who goes on from our pages to the gateway's.
func (b *walker) atGateway() string {
	b.t.Helper()
	until(b.t, 20*time.Second, "a page of others", func() bool {
		if !b.ours(b.url) {
			return true
		}
		switch b.kind() {
		case bankPage:
			b.toBank()
		case methodPage:
			b.runFrames(true)
			b.again()
		default:
			b.again()
		}
		return !b.ours(b.url)
	})
	return b.url.String()
}

// sandboxPages are addresses of what the sandbox shows to people: console, shop, each gateway's own page, the bank, its app.
func (w *world) sandboxPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, a := range operators {
		if !slices.Contains(w.capabilities(t, a.account), "pay_hosted") {
			continue
		}
		s := w.create(t, a.account, map[string]any{"currency": a.currency, "payment_method": "hosted", "description": "Абай жолы, I–II"})
		pages["hosted-"+a.account] = s.URL // the browser goes on to it by itself: some are posted to
	}
	for method, fill := range map[string]map[string][]string{"qr": nil, "sberpay": {"phone": {"8 (917) 123-45-67"}}} {
		b, _ := w.begins(t, "cashier", map[string]any{"currency": "RUB", "payment_method": method})
		if fill == nil {
			b.press("button", nil)
		} else {
			b.press("input[name=phone]", fill)
		}
		pages["app-"+method] = b.doc.Find("a.button").First().AttrOr("href", "")
	}
	for name, locale := range map[string]string{"bank": "en", "bank-ru": "ru", "bank-kk": "kk"} {
		b, _ := w.begins(t, "rbs", map[string]any{"locale": locale})
		b.pay(cardByHand, "123")
		b.atGateway()
		pages[name] = w.Sandbox + b.doc.Find("form").First().AttrOr("action", "")
	}
	b, old := w.visits(t, "payneteasy", nil)
	b.pay("4000019900040728", "123")
	b.atGateway()
	pages["bank-3ds1"] = w.Sandbox + b.doc.Find("form").First().AttrOr("action", "")
	pages["shop-open"] = w.Sandbox + "/shop/done?session=" + old.ID
	b, s := w.visits(t, "rbs", nil)
	b.pay(noThreeDS, "123")
	b.rest(visit{})
	pages["shop-paid"] = w.Sandbox + "/shop/done?session=" + s.ID
	pages["shop-unknown"] = w.Sandbox + "/shop/done?session=cs_unknown"
	pages["shop"] = w.Sandbox + "/shop"
	pages["console"] = w.Sandbox + "/"
	pages["console-found"] = w.Sandbox + "/?q=order&gateway=rbs&state=taken"
	pages["console-nothing"] = w.Sandbox + "/?q=no+such+order"
	return pages
}

func TestEveryPageOfTheSandboxIsAccessible(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := newGallery(t, w)
	pages := w.sandboxPages(t)
	for name, address := range pages {
		g.do(chromedp.Navigate(address))
		if strings.HasPrefix(name, "hosted-") {
			g.press("main form button")
		}
		g.find(20*time.Second, "a page of the sandbox", func(v *view) bool {
			return strings.HasPrefix(v.URL, w.Sandbox+"/") && (!v.Moving || v.Kind == "bounce") && v.Head != ""
		})
		g.judge(name)
		g.fits(name, 320)
		g.forced("active")
		g.contrasts(name)
		g.forced("none")
		if title, lang := ask[string](g.tab, "document.title"), ask[string](g.tab, "document.documentElement.lang"); title == "" || lang == "" {
			t.Errorf("%s has title %q and language %q", name, title, lang)
		}
		if *everyLook {
			for _, scheme := range []string{"light", "dark"} {
				g.prefer(scheme)
				g.picture("sandbox." + name + "." + scheme)
			}
			g.prefer("light")
		}
	}
	g.forgive("502") // the shop asks for a payment that nobody knows
}
