package e2e_test

import (
	"net/url"
	"strings"
	"syscall"
	"testing"

	"tollgate/internal/app"
)

// In the browsers that are not Chromium: the whole way of a shopper whose bank asks for a code, then a card that the browser
// encrypts for the gateway, whose number is nowhere in what the browser sent.
func TestAFullPaymentAndAnEncryptedCardInFirefoxAndWebKit(t *testing.T) {
	t.Parallel()
	inTurn(t, browsers()[1:], func(k browserKind) string { return k.name }, func(t *testing.T, k browserKind) {
		roll := &tape{Listener: listen(t)}
		w := start(t, func(o *app.Options) {
			_ = o.FrontListener.Close()
			o.FrontListener = roll
		})
		b := k.window(t, w, browserSetup{})
		s := w.create(t, "rbs", nil)
		b.pays(s)
		b.paidOnce(s)

		s = w.create(t, "rbs-sealed", nil)
		b.must(b.open(s.URL))
		b.wait("the way to the form", func(*view) bool {
			there, err := b.find("#seal-go")
			return err == nil && there
		})
		b.press("#seal-go")
		b.wait("the form that encrypts", func(*view) bool {
			ready := false
			err := b.run(`!!document.getElementById("seal") && !document.getElementById("pay").disabled`, &ready)
			return err == nil && ready
		})
		b.fill(cardNumber(noThreeDS))
		b.press("#pay")
		b.last = b.wait("the end", func(v *view) bool { return v.Kind == "result" && strings.Contains(v.Text, saysPaid) })
		b.paidOnce(s)
		sent, err := url.QueryUnescape(roll.all())
		if err != nil {
			sent = ""
		}
		sent += roll.all()
		for _, form := range []string{noThreeDS, noThreeDS[6:], noThreeDS[8:12] + " " + noThreeDS[12:], noThreeDS[8:12] + "+" + noThreeDS[12:]} {
			if strings.Contains(sent, form) {
				t.Errorf("%s sent %q", k.name, form)
			}
		}
		if !strings.Contains(sent, "se_token=") {
			t.Error("no encrypted card was sent: nothing was searched")
		}
	})
}

// ofThisRun makes a program the head of a group of its own, which ends with the test run, also where that is cut short.
func ofThisRun() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
