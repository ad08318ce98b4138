package rbs_test

import (
	"fmt"
	"net/http"
	"testing"

	"tollgate/providers"
)

const untriedOrder = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":-100,"amount":2000,"currency":"978"}`
const closedOrder = `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":6,"actionCode":-2007,"amount":2000,"currency":"978"}`

func refusedWith(code, text string) string {
	return fmt.Sprintf(`{"errorCode":"%s","errorMessage":"%s"}`, code, text)
}

// refusesUs tells whether an error refuses our account, with the gateway's code and words, and whether it is a proof.
func refusesUs(t *testing.T, err error, code, text string, untaken bool) {
	t.Helper()
	f := providers.RefusalOfUs(err)
	if f == nil {
		t.Fatalf("%v is no refusal of us", err)
	}
	if f.Code != code || f.Text != text || f.Untaken != untaken {
		t.Errorf("code %q, text %q, untaken %t", f.Code, f.Text, f.Untaken)
	}
}

func TestARegistrationThatIsRefusedForWhatIsOursToMendIsMisconfigured(t *testing.T) {
	for code, text := range map[string]string{"5": "Access denied", "4": "[orderBundle] is empty", "8": "Cart mismatch", "14": "Features",
		"3": "Unknown currency"} {
		_, err := newFake(t).on("register.do", refusedWith(code, text)).open().Register(t.Context(), payment(t))
		refusesUs(t, err, code, text, true)
	}
	for _, code := range []string{"7", "20"} {
		_, err := newFake(t).on("register.do", refusedWith(code, "x")).open().Register(t.Context(), payment(t))
		if providers.RefusalOfUs(err) != nil || err == nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// The codes mean several things: the order says whether a card was tried, and only a closed order is a proof.
func TestACardThatIsRefusedWithoutATryClosesTheOrderAndIsMisconfigured(t *testing.T) {
	for _, code := range []string{"3", "4", "5", "8", "14"} {
		for _, call := range []string{"paymentorder.do", "paymentOrderBinding.do"} {
			in := providers.Instrument{Kind: "card", Card: testCard(t)}
			if call != "paymentorder.do" {
				in = providers.Instrument{Kind: "saved_card", Saved: "b-1"}
			}
			f := newFake(t).on(call, refusedWith(code, "Words")).on("getOrderStatusExtended.do", untriedOrder, closedOrder).
				on("decline.do", `{"errorCode":"0"}`)
			_, err := f.open().Pay(t.Context(), registered(t), in, browser)
			refusesUs(t, err, code, "Words", true)
		}
	}
}

func TestARefusedCallIsNoProofWhileTheOrderIsNotClosed(t *testing.T) {
	f := newFake(t).on("paymentorder.do", refusedWith("5", "Access denied")).on("getOrderStatusExtended.do", refusedWith("5", "Access denied"))
	_, err := pay(t, f.open(), registered(t))
	refusesUs(t, err, "5", "Access denied", false)
	if !providers.RefusalOfUs(err).Again {
		t.Error("the same order may not be paid with other credentials")
	}

	f = newFake(t).on("paymentorder.do", refusedWith("5", "x")).on("getOrderStatusExtended.do", untriedOrder).on("decline.do", refusedWith("7", "x"))
	if _, err := pay(t, f.open(), registered(t)); err == nil || providers.RefusalOfUs(err) != nil {
		t.Errorf("the order could not be closed: %v", err)
	}
	tried := `{"errorCode":"0","orderNumber":"A-17-1","orderStatus":0,"actionCode":116,"amount":2000,"currency":"978"}`
	f = newFake(t).on("paymentorder.do", refusedWith("5", "x")).on("getOrderStatusExtended.do", tried)
	if _, err := pay(t, f.open(), registered(t)); err == nil || providers.RefusalOfUs(err) != nil {
		t.Errorf("a card was tried: %v", err)
	}
}

func TestARefusedBindingIsADeclineWithTheGatewaysWords(t *testing.T) {
	for _, code := range []string{"1", "2", "15"} {
		f := newFake(t).on("paymentOrderBinding.do", refusedWith(code, "Binding not found")).on("getOrderStatusExtended.do", untriedOrder, closedOrder).
			on("decline.do", `{"errorCode":"0"}`)
		step, err := f.open().Pay(t.Context(), registered(t), providers.Instrument{Kind: "saved_card", Saved: "b-1"}, browser)
		if err != nil || step.Kind != providers.Declined || step.Decline.Code != code || step.Decline.Message != "Binding not found" {
			t.Errorf("%s: %+v %v", code, step, err)
		}
	}
}

func TestAnInquiryThatIsRefusedIsMisconfigured(t *testing.T) {
	f := newFake(t).on("getOrderStatusExtended.do", refusedWith("5", "Access denied"))
	_, err := f.open().Status(t.Context(), registered(t))
	refusesUs(t, err, "5", "Access denied", true)
	f.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	if _, err := f.open().Status(t.Context(), registered(t)); providers.RefusalOfUs(err) == nil || providers.RefusalOfUs(err).Untaken {
		t.Errorf("HTTP 403: %v", err)
	}
}

func TestAnOperationWithoutAParameterThatTheContractWantsIsMisconfigured(t *testing.T) {
	g := newFake(t).on("refund.do", refusedWith("4", "[refundItems] is empty")).open()
	_, err := g.(providers.Operator).Do(t.Context(), registered(t), providers.Op{Kind: providers.Refund, Amount: amount(t, 2000, "EUR"), Reference: "r"})
	refusesUs(t, err, "4", "[refundItems] is empty", true)
}
