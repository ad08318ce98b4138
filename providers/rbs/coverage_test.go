package rbs_test

import (
	"maps"
	"testing"

	"tollgate/providers"
	"tollgate/threeds"
)

// The document's recurring payment: the order, the binding, the customer's address and the language, and nothing of a browser.
func TestTheAddressOfARecurringPaymentIsSent(t *testing.T) {
	f := newFake(t).on("paymentOrderBinding.do", answer(t, "seed_paymentOrderBinding_ok.json"))
	p := registered(t)
	p.Merchant, p.Locale, p.Customer = true, "en", providers.Customer{ID: "259753456", IP: "1d0d:db8:6:1::77"}
	in := providers.Instrument{Kind: "saved_card", Saved: "01491394-63a6-7d45-a88f-7bce00a7d8c0", Merchant: true}
	if step, err := f.open().Pay(t.Context(), p, in, threeds.BrowserData{}); err != nil || step.Kind != providers.Finished {
		t.Fatalf("%+v %v", step, err)
	}
	got := map[string]string{}
	for name := range f.last().form {
		got[name] = f.last().form.Get(name)
	}
	want := map[string]string{"userName": "test_user", "password": password, "mdOrder": mdOrder, "bindingId": in.Saved, "ip": "1d0d:db8:6:1::77", "language": "en"}
	if !maps.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}
