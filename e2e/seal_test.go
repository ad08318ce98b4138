package e2e_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// saysNothingOf fails where a request of the browser's, or anything that the front wrote, holds the card's number.
func (b *tab) saysNothingOf(number string) {
	b.Helper()
	b.mu.Lock()
	sent := append([]request(nil), b.sent...)
	b.mu.Unlock()
	sealed := 0
	for _, r := range sent {
		body, err := url.QueryUnescape(r.Body)
		if err != nil {
			body = r.Body
		}
		for _, form := range []string{number, number[:4] + " " + number[4:8], number[6:]} {
			if strings.Contains(r.URL, form) || strings.Contains(r.Body, form) || strings.Contains(body, form) {
				b.Errorf("%s %s holds the number", r.Method, r.URL)
			}
		}
		if strings.Contains(r.Body, "se_token=") {
			sealed++
			if strings.Contains(r.Body, "number=") || strings.Contains(r.Body, "cvc=") || strings.Contains(r.Body, "expiry=") {
				b.Errorf("%s holds a field of the card", r.URL)
			}
		}
	}
	if sealed == 0 {
		b.Error("no encrypted card was sent: nothing was searched")
	}
	if strings.Contains(b.w.Log.String(), number) {
		b.Error("the log holds the number")
	}
}

// The shopper's browser encrypts the card for the gateway: no request of ours has its number, and what is known of the card the
// gateway says. A soft decline asks for the card once more.
func TestACardThatTheBrowserEncryptsIsPaidAndItsNumberIsNowhere(t *testing.T) {
	w := sharedWorld(t)
	type row struct {
		name, number string
		forms        int
	}
	rows := []row{
		{"no 3DS", cardPlain, 1},
		{"challenge", "4000019900020704", 1},
		{"soft decline", "4000019900020902", 2},
	}
	inTurn(t, rows, func(r row) string { return r.name }, func(t *testing.T, row row) {
		b := open(t, w)
		s := w.create(t, "rbs-sealed", nil)
		b.do(chromedp.Navigate(s.URL))
		b.press("#seal-go")
		for n := range row.forms {
			b.find(30*time.Second, "the form for the card", func(v *view) bool {
				return ask[bool](b, `!!document.getElementById("seal") && !document.getElementById("pay").disabled`) && (n == 0 || b.posts("/card") > n)
			})
			if named := ask[int](b, `document.querySelectorAll("#seal [name]").length`); named != 0 {
				t.Errorf("%d fields have names", named)
			}
			b.fill(cardNumber(row.number))
			if n == 0 {
				b.press("#pay")
			} else {
				b.do(chromedp.SendKeys(chromedp.ID("cvc"), "\r")) // Enter does as well
			}
		}
		b.find(30*time.Second, "the end", func(v *view) bool { return strings.Contains(v.Text, saysPaid) })
		b.saysNothingOf(row.number)
		now := w.session(t, s.ID)
		if now.Status != "paid" || len(now.Attempts) != 1 || now.Attempts[0].Card.Last4 != row.number[12:] || now.Attempts[0].Card.First6 != row.number[:6] {
			t.Errorf("%+v", now)
		}
		if got := w.charges(t, s.OrderID); got != 1 {
			t.Errorf("%d charges", got)
		}
	})
}

// Without script the card is typed on the gateway's own page.
func TestABrowserThatCannotEncryptGoesToTheGatewaysPage(t *testing.T) {
	w := sharedWorld(t)
	s := w.create(t, "rbs-sealed", nil)
	b := open(t, w, withoutScript)
	b.goTo(s.URL)
	b.press("#seal-page button")
	b.find(20*time.Second, "the gateway's own page", func(v *view) bool { return strings.Contains(v.URL, "/rbs/payment/merchants/") })
	if now := w.session(t, s.ID); now.Status != "action_required" {
		t.Errorf("%+v", now)
	}
}
