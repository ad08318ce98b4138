package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// toPage goes from the session's address to the gateway's own page.
func (b *walker) toPage() {
	b.t.Helper()
	b.press("form[action$='/start'] button", nil)
	until(b.t, 20*time.Second, "the gateway's page", func() bool {
		switch {
		case b.ours(b.url) && b.kind() == bankPage:
			b.toBank()
		case b.ours(b.url):
			b.again()
		}
		return !b.ours(b.url)
	})
}

// The gateway's page goes on taking cards as long as its order is open. A shopper who leaves it unpaid, and pays with another
// order, must find the first one closed.
func TestAPageThatWasLeftUnpaidTakesNoCardAnyMore(t *testing.T) {
	t.Parallel()
	wire, tune := tapped(t)
	w := start(t, tune)
	card := func(number string) url.Values {
		return url.Values{"$PAN": {number}, "$CVC": {"123"}, "MM": {"12"}, "YYYY": {"2030"}, "TEXT": {"TEST SHOPPER"}}
	}
	b, s := w.begins(t, "rbs", map[string]any{"payment_method": "hosted"})
	b.toPage()
	page := b.url
	b.press("form", card("4000019900050107"))
	if !strings.Contains(b.body, "Insufficient funds") {
		t.Fatalf("the page says: %s", b.body)
	}
	if got := w.session(t, s.ID); got.Status != "action_required" {
		t.Errorf("while the page takes another card the session is %s", got.Status)
	}

	registered, err := url.ParseQuery(wire.about(s.OrderID + "-1")[0].body)
	if err != nil {
		t.Fatal(err)
	}
	b.open(registered.Get("returnUrl") + "?orderId=" + page.Query().Get("mdOrder") + "&lang=ru") // the page's way back to the shop
	b.rest(visit{})
	b.look(s.URL, "the start again", func() bool { return b.doc.Find("form[action$='/start']").Length() == 1 })
	if !strings.Contains(b.words(), saysNoMoney) {
		t.Errorf("the shopper reads: %s", b.words())
	}
	stale := newWalker(t, w)
	stale.expect(hop{method: http.MethodGet, to: page.String()}, http.StatusOK)
	if stale.doc.Find("input[name='$PAN']").Length() > 0 {
		t.Error("the first order's page takes cards")
	}

	b.open(s.URL)
	b.toPage()
	b.press("form", card(cardChallenge))
	b.rest(visit{})
	until(t, 20*time.Second, "the session is paid", func() bool { return w.session(t, s.ID).Status == "paid" })
	if got := w.session(t, s.ID); len(got.Attempts) != 2 || got.Attempts[0].Decline == nil || got.Attempts[0].Decline.Reason != "insufficient_funds" || w.charges(t, s.OrderID) != 1 {
		t.Errorf("attempts %+v, %d charges", got.Attempts, w.charges(t, s.OrderID))
	}
}
