package e2e_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// ownFiles are the files that pages load, as they lie in the program, and the stream of events. A new one is tried too.
func ownFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("../static/files")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"events"}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if len(files) < 8 {
		t.Fatal(files)
	}
	return files
}

// elsewhere are files that no page of a payment by card loads, and where else they are lost.
var elsewhere = map[string]string{
	"code.js":  "login and QR, below",
	"form.js":  "login and QR, below",
	"seal.js":  "the form of an encrypted card, below",
	"work.js":  "proof of work: without script time does for it",
	"frame.js": "a page in a shop's frame: only its height is told",
	"icon.svg": "the browser's own picture of the tab",
}

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
	if file == "events" {
		return "/pay/*/events?*"
	}
	name, ext, _ := strings.Cut(file, ".")
	return "/static/" + name + ".*." + ext
}

// mostWait is how long a page may go on waiting once the server knows the end, whatever was lost on the way.
const mostWait = 10 * time.Second

// endsInTime fails where the page that is there now began later than that after the last event of its session.
func (b *tab) endsInTime(s sessionView) {
	b.Helper()
	all := b.w.events(b, s.ID)
	ended := all[len(all)-1].At
	if ended.IsZero() {
		b.Fatal("events have no time")
	}
	began := time.UnixMicro(int64(1000 * ask[float64](b, "performance.timeOrigin")))
	if took := began.Sub(ended); took > mostWait {
		b.Errorf("the page came %s after the server's end", took)
	}
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

// Script is on, and one file never comes: every kind of step is passed all the same, and no page waits much longer than the server. make
// pages takes each file from every row that Chromium walks.
func TestAPaymentSucceedsWithAScriptFileMissing(t *testing.T) {
	w := sharedWorld(t)
	few := []string{"rbs: frictionless, Method answers", "payneteasy: bank's page 2.2.0, code passes"}
	more := append([]string{
		"rbs: challenge passed", "rbs: bank's page 2.2.0, wrong code, then right", "rbs: 3DS 1.0.2 Y", "rbs-redirect: 3DS 1.0.2, bank's page",
		"rbs: declined for funds, no 3DS", "payneteasy: html, bank's page passes",
	}, few...)
	type visit struct{ file, row string }
	var visits []visit
	for _, file := range ownFiles(t) {
		rows := map[string][]string{"live.js": more, "card.js": more}[file]
		switch {
		case elsewhere[file] != "":
			continue
		case *everyLook:
			rows = inChromium
		case rows == nil:
			rows = few
		}
		for _, row := range rows {
			visits = append(visits, visit{file, row})
		}
	}
	table := scenarios()
	inTurn(t, visits, func(v visit) string { return v.file + " lost, " + v.row }, func(t *testing.T, v visit) {
		i := slices.IndexFunc(table, func(row scenario) bool { return row.name == v.row })
		if i < 0 {
			t.Fatal("the table has no such row")
		}
		b := open(t, w)
		b.loses(v.file)
		s, at := b.walks(table[i])
		if strings.HasSuffix(v.row, "posted twice") {
			b.forgive("Unsafe attempt to initiate navigation") // as with all files
		}
		b.agrees(s, at, table[i].want)
		b.endsInTime(s)
		if slices.Contains(few, v.row) { // others may wait for nothing
			b.lost()
		}
	})
}

func TestLoginQRAndSavedCardSucceedWithAScriptFileMissing(t *testing.T) {
	w := sharedWorld(t)
	for _, script := range []string{"live.js", "card.js", "code.js", "form.js", "pay.css", "events"} {
		t.Run(script+" lost", func(t *testing.T) {
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
			g.endsInTime(s)
			g.lost()
		})
	}
}

// Where the browser lost the script that encrypts, the gateway's own page takes the card, and a form that was shown already is left.
func TestWithoutTheScriptThatEncryptsTheGatewaysPageTakesTheCard(t *testing.T) {
	w := sharedWorld(t)
	b := open(t, w)
	b.loses("seal.js")
	s := w.create(t, "rbs-sealed", nil)
	b.do(chromedp.Navigate(s.URL))
	b.press("#seal-page button")
	b.find(30*time.Second, "the gateway's page", func(v *view) bool { return strings.Contains(v.URL, "/rbs/payment/merchants/") })
	b.lost()
}
