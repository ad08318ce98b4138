package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A shopper at the bank, with script, who presses Back once or twice: the page of the payment has the way to another card and the
// way back to the shop, and both leave the bank's payment behind for good.
func TestLeavingTheBankInChromium(t *testing.T) {
	t.Parallel()
	type way struct {
		account, card string
		backs         int
		cancels       bool
	}
	const paReq = "4000019900040728" // 3DS 1.0.2, the bank's own page
	ways := []way{
		{"rbs", cardByHand, 1, false}, {"rbs", cardByHand, 2, false}, {"rbs", cardByHand, 1, true},
		{"rbs-own", paReq, 1, false}, {"payneteasy", paReq, 1, false}, {"payneteasy", paReq, 1, true},
	}
	name := func(c way) string {
		return fmt.Sprintf("%s %s, back %d times, cancels %t", c.account, c.card, c.backs, c.cancels)
	}
	inTurn(t, ways, name, func(t *testing.T, c way) {
		w := sharedWorld(t)
		b := open(t, w)
		s := w.create(t, c.account, nil)
		b.pay(s, c.card)
		b.until("acs")
		for n := range c.backs {
			b.back()
			b.until("bank")
			if n+1 < c.backs {
				b.press("#bank button")
				b.until("acs")
			}
		}
		if c.cancels {
			b.press("#exit form[action$=cancel] button")
			b.find(20*time.Second, "the way back to the shop", func(v *view) bool { return v.Kind == "shop" || v.Kind == "result" })
			if got := w.session(t, s.ID); got.Status != "cancelled" || w.charges(t, s.OrderID) != 0 {
				t.Errorf("%s, %d charges", got.Status, w.charges(t, s.OrderID))
			}
			return
		}
		b.press("#exit form#other button")
		v := b.until("card")
		if !strings.Contains(v.Text, saysNotCharged) {
			t.Errorf("the form for another card says %q", v.Text)
		}
		b.fill(cardNumber(cardPlain))
		b.press("#pay")
		v = b.find(30*time.Second, "the end", func(v *view) bool { return v.Kind == "result" || v.Kind == "shop" })
		got := w.session(t, s.ID)
		if n := w.charges(t, s.OrderID); n != 1 || got.Status != "paid" || len(got.Attempts) != 2 || got.Attempts[0].State != "abandoned" {
			t.Errorf("%d charges, session %s, %d attempts, at %s: %s", n, got.Status, len(got.Attempts), v.Kind, v.Text)
		}
	})
}

// A QR code cannot be taken back at the gateway: the page says until when it may be paid, and has the way to the shop alone.
func TestAQRCodeInChromiumHasTheWayToTheShopAndSaysUntilWhen(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	s := w.create(t, "cashier", map[string]any{"currency": "RUB", "payment_method": "qr"})
	b.goTo(s.URL)
	b.press("main form button")
	b.until("scan")
	if n := ask[int](b, `document.querySelectorAll("#exit form#other, #exit form[action$=cancel]").length`); n != 0 {
		t.Errorf("%d ways that the gateway does not allow", n)
	}
	if !ask[bool](b, `!!document.querySelector("#exit a#shop")`) {
		t.Errorf("no way to the shop: %s", ask[string](b, "document.body.innerText"))
	}
	if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/cancel", nil, nil); code != 409 {
		t.Errorf("cancelled: %d", code)
	}
}
