package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// scripts are the files that pages load.
var scripts = []string{"live", "card", "code", "form", "pay"}

// loses takes one of our files, or the stream of events, away from a tab, as a filter or a broken connection does.
func (b *tab) loses(script string) {
	b.Helper()
	b.call(func() error {
		_, err := chromedp.Call(b.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{
			URLPatterns: []*network.BlockPattern{{URLPattern: b.w.Front + lossOf(script), Block: true}},
		})
		return err
	})
}

func lossOf(file string) string {
	switch file {
	case "events":
		return "/pay/*/events?*"
	case "pay":
		return "/static/pay.*.css"
	}
	return "/static/" + file + ".*.js"
}

// lost fails where the tab never asked for the file.
func (b *tab) lost() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blocked == 0 {
		b.Error("no file was lost")
	}
}

// Script is on, and one file of it never comes: every kind of step is passed all the same.
func TestAPaymentSucceedsWithAScriptFileMissing(t *testing.T) {
	w := sharedWorld(t)
	type visit struct{ script, row string }
	var visits []visit
	for _, script := range []string{"live", "card"} {
		for _, row := range []string{
			"rbs: frictionless, Method answers", "rbs: challenge passed", "rbs: bank's page 2.2.0, wrong code, then right", "rbs: 3DS 1.0.2 Y",
			"rbs-redirect: 3DS 1.0.2, bank's page",
			"payneteasy: no 3DS", "payneteasy: frictionless, Method answers", "payneteasy: bank's page 2.2.0, code passes", "payneteasy: html, bank's page passes",
		} {
			visits = append(visits, visit{script, row})
		}
	}
	for _, file := range []string{"events", "pay"} {
		visits = append(visits, visit{file, "rbs: frictionless, Method answers"}, visit{file, "payneteasy: bank's page 2.2.0, code passes"})
	}
	table := scenarios()
	inTurn(t, visits, func(v visit) string { return v.script + " lost, " + v.row }, func(t *testing.T, v visit) {
		i := slices.IndexFunc(table, func(row scenario) bool { return row.name == v.row })
		if i < 0 {
			t.Fatal("the table has no such row")
		}
		b := open(t, w)
		b.loses(v.script)
		s, at := b.walks(table[i])
		b.agrees(s, at, table[i].want)
		b.lost()
	})
}

func TestLoginQRAndSavedCardSucceedWithAScriptFileMissing(t *testing.T) {
	w := sharedWorld(t)
	for _, script := range scripts {
		t.Run(script+".js lost", func(t *testing.T) {
			t.Parallel()
			g := &gallery{tab: open(t, w)}
			g.loses(script)
			s := w.create(t, "sber", map[string]any{"currency": "RUB", "save_card": true})
			if v := g.logIn(s); v.Kind == "choice" {
				g.do(chromedp.Click("input[value=new]"))
				g.press("main form button")
				g.until("card")
			}
			g.fill(cardNumber(cardPlain))
			g.press("#pay")
			g.paidOnce(s, g.rest(30*time.Second))

			s = w.create(t, "cashier", map[string]any{"currency": "RUB", "payment_method": "qr"})
			g.goTo(s.URL)
			g.press("form button")
			g.until("scan")
			app := g.another()
			app.do(chromedp.Navigate(ask[string](g.tab, `document.querySelector("a.button").href`)))
			app.press("button")
			g.paidOnce(s, g.find(30*time.Second, "the result, without a press", func(v *view) bool { return v.Kind == "result" }))
			g.lost()
		})
	}
}
