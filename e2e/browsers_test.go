package e2e_test

import "testing"

// The whole way of a shopper whose bank asks for a code, in the browsers that are not Chromium.
func TestAFullChallengePaymentInFirefoxAndWebKit(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	inTurn(t, browsers()[1:], func(k browserKind) string { return k.name }, func(t *testing.T, k browserKind) {
		s := w.create(t, "rbs", nil)
		b := k.window(t, w, browserSetup{})
		b.pays(s)
		b.paidOnce(s)
	})
}
