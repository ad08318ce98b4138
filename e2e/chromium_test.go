package e2e_test

import (
	"testing"
	"time"
)

func TestAPaymentWithTheBanksOwnPage(t *testing.T) {
	w := together(t)
	for _, account := range []string{"rbs", "payneteasy"} {
		t.Run(account, func(t *testing.T) {
			b := open(t, w)
			s := w.create(t, account, nil)
			b.pay(s, "4000019900020720")
			v := b.rest(20 * time.Second)
			t.Log(v.Kind, v.URL, v.Text)
			b.press("button[value=pass]")
			v = b.rest(20 * time.Second)
			t.Log(v.Kind, v.URL, v.Text)
			for _, r := range b.sent {
				t.Log(r.Method, r.URL)
			}
		})
	}
}
