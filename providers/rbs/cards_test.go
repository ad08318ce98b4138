package rbs_test

import (
	"testing"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

func keeper(t *testing.T, f *fake, change ...func(*rbs.Config)) providers.CardKeeper {
	t.Helper()
	return f.open(change...).(providers.CardKeeper)
}

func TestSavedCardsAreReadWhateverTheirTypes(t *testing.T) {
	owner := providers.Owner{CustomerID: "c-1"}
	for name, want := range map[string][]providers.SavedCard{
		"alfa_getBindings_ok.json":               {{ID: "44779116-41a5-7798-b072-c0a30760e2b0", Expiry: "12/34", Active: true}},
		"omnipay_GetBindingsRequestSuccess.json": {{ID: "156456146", Expiry: "01/19", Active: true}}, // id and expiry are numbers
		"omnipay_GetBindingsRequestError.json":   nil,                                                // error 2: the customer has none
	} {
		got, err := keeper(t, newFake(t).on("getBindings.do", answer(t, name))).Cards(t.Context(), owner)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		for i := range want {
			if got[i].Card.Last4 == "" || got[i].Card.First6 == "" {
				t.Errorf("%s: the mask was not read: %+v", name, got[i])
			}
			got[i].Card = want[i].Card
			if got[i] != want[i] {
				t.Errorf("%s: %+v, want %+v", name, got[i], want[i])
			}
		}
	}
}

func TestSavedCardsAreNotRequestedWithoutACustomer(t *testing.T) {
	f := newFake(t)
	if _, err := keeper(t, f).Cards(t.Context(), providers.Owner{}); err == nil || len(f.seen) != 0 {
		t.Errorf("err %v after %d calls", err, len(f.seen))
	}
}

func TestAListThatCannotBeReadIsNotAnEmptyList(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"errorCode":"5","errorMessage":"Access denied"}`, `{"errorCode":`} {
		if _, err := keeper(t, newFake(t).on("getBindings.do", body)).Cards(t.Context(), providers.Owner{CustomerID: "c-1"}); err == nil {
			t.Errorf("%q reads as a list", body)
		}
	}
}

func TestAPaymentsBindingIsRemembered(t *testing.T) {
	f := newFake(t).on("getOrderStatusExtended.do", answer(t, "seed_status_1_held_binding.json"))
	got, err := keeper(t, f).Remember(t.Context(), registered(t), providers.Standing{})
	if err != nil || got.ID != "0162d467-bbfe-77f3-9c21-415c00a7d8c0" || got.Card.Last4 != "6662" || got.Expiry != "12/24" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestForgettingACardTwiceIsNoError(t *testing.T) {
	for _, body := range []string{answer(t, "omnipay_BindCardRequestSuccess.json"), answer(t, "bpc_unBindCard_err_inactive.json")} {
		f := newFake(t).on("unBindCard.do", body)
		if err := keeper(t, f).Forget(t.Context(), providers.Owner{}, "", "b-1"); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if f.last().form.Get("bindingId") != "b-1" {
			t.Errorf("sent %v", f.last().form)
		}
	}
	if err := keeper(t, newFake(t).on("unBindCard.do", `{"errorCode":"5"}`)).Forget(t.Context(), providers.Owner{}, "", "b-1"); err == nil {
		t.Error("a refusal passes for done")
	}
}

func TestASavedCardPaysByItsBindingAndNotByANumber(t *testing.T) {
	f := newFake(t).on("paymentOrderBinding.do", answer(t, "seed_paymentOrderBinding_ok.json"))
	step, err := f.open().Pay(t.Context(), registered(t), providers.Instrument{Kind: "saved_card", Saved: "01491394-63a6-7d45-a88f-7bce00a7d8c0"}, browser)
	if err != nil || step.Kind != providers.Finished {
		t.Fatalf("%+v, %v", step, err)
	}
	form := f.last().form
	if form.Get("bindingId") != "01491394-63a6-7d45-a88f-7bce00a7d8c0" || form.Get("mdOrder") != mdOrder || form.Has("$PAN") || form.Has("cvc") {
		t.Errorf("sent %v", form)
	}
	if form.Get("threeDSMethodNotificationUrl") == "" || form.Get("threeDSVer2FinishUrl") == "" {
		t.Errorf("the customer is there, and 3-D Secure has no way back: %v", form)
	}
}

func TestAMerchantsChargeNamesTheCustomerAndTheFeature(t *testing.T) {
	f := newFake(t).on("register.do", answer(t, "seed_register_autopayment_ok.json"))
	p := payment(t)
	p.Instrument, p.Merchant = "saved_card", true
	if _, err := f.open().Register(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if form := f.last().form; form.Get("clientId") != p.Customer.ID || form.Get("features") != "AUTO_PAYMENT" {
		t.Errorf("sent %v", form)
	}
}

func TestASavedCardThatTheGatewayRefusesIsUnknown(t *testing.T) {
	f := newFake(t).on("paymentOrderBinding.do", answer(t, "bpc_paymentOrderBinding_err.json")).
		on("getOrderStatusExtended.do", `{"errorCode":"7","errorMessage":"System error"}`)
	if _, err := f.open().Pay(t.Context(), registered(t), providers.Instrument{Kind: "saved_card", Saved: "b-1"}, browser); err == nil {
		t.Error("an API error passes for an answer")
	}
}

// Some accounts show no bindingInfo in the order: the customer's list has the binding.
func TestASavedCardIsFoundInTheListOfBindings(t *testing.T) {
	const order = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":2,"actionCode":0,"amount":2000,"currency":"978","cardAuthInfo":{"maskedPan":"400000**1118","expiration":"203012"}}`
	const other = `{"bindingId":"b-0","maskedPan":"555555**5599","expiryDate":"203012"}`
	const ours = `{"bindingId":"b-1","maskedPan":"400000**1118","expiryDate":"203012"}`
	const older = `{"bindingId":"b-2","maskedPan":"400000**1118","expiryDate":"202701"}`
	const twin = `{"bindingId":"b-3","maskedPan":"400000**1118","expiryDate":"203012"}`
	for list, want := range map[string]string{other + "," + ours: "b-1", ours + "," + older: "b-1", other: "", ours + "," + twin: ""} {
		f := newFake(t).on("getOrderStatusExtended.do", order).on("getBindings.do", `{"errorCode":"0","bindings":[`+list+`]}`)
		saved, err := f.open().(providers.CardKeeper).Remember(t.Context(), registered(t), providers.Standing{})
		if err != nil || saved.ID != want || f.last().form.Get("clientId") != "659753456" {
			t.Errorf("%s: %+v %v", list, saved, err)
		}
	}
	f := newFake(t).on("getOrderStatusExtended.do", order).on("getBindings.do", `{"errorCode":"2","errorMessage":"none"}`)
	if saved, err := f.open().(providers.CardKeeper).Remember(t.Context(), registered(t), providers.Standing{}); err != nil || saved.ID != "" {
		t.Errorf("%+v %v", saved, err)
	}
}
