package rbs_test

import (
	"fmt"
	"testing"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

const formURL = "https://3dsec.berekebank.kz/payment/merchants/rbs/payment_en.html?mdOrder=" + mdOrder

// onPage is a payment whose shopper is at the gateway's page.
func onPage(t *testing.T) providers.Payment {
	t.Helper()
	p := registered(t)
	p.Instrument = "hosted"
	p.Ref = p.Ref.With("formUrl", formURL)
	return p
}

func stands(status int, action string) string {
	return fmt.Sprintf(`{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":%d,"actionCode":%s}`, status, action)
}

func TestTheShopperIsRedirectedToTheHostedPageOfTheOrder(t *testing.T) {
	f := newFake(t).on("register.do", fmt.Sprintf(`{"orderId":%q,"formUrl":%q}`, mdOrder, formURL))
	p := payment(t)
	p.Instrument = "hosted"
	g := f.open()
	ref, err := g.Register(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	p.Ref = ref
	step, err := g.Pay(t.Context(), p, providers.Instrument{Kind: "hosted"}, browser)
	if err != nil || step.Kind != providers.Redirect || step.Link != formURL || step.Ref.OrderID != mdOrder || f.calls() != "register.do" {
		t.Errorf("%+v, %v; %s", step, err, f.calls())
	}
	for _, bad := range []string{"", "javascript:alert(1)", "http://3dsec.berekebank.kz/"} {
		p.Ref = ref.With("formUrl", bad)
		if step, err := newFake(t).open().Pay(t.Context(), p, providers.Instrument{Kind: "hosted"}, browser); err == nil {
			t.Errorf("%q: %+v", bad, step)
		}
	}
}

// The page takes one card after another: a refused one does not end the attempt, and the way there can be shown again.
func TestADeclineOnTheHostedPageLeavesTheOrderOpen(t *testing.T) {
	for _, body := range []string{stands(0, "-100"), stands(0, "116"), stands(5, "-100")} {
		st, err := newFake(t).on("getOrderStatusExtended.do", body).open().Status(t.Context(), onPage(t))
		if err != nil || st.Outcome != providers.Waiting || st.LastTry != nil || st.Next == nil || st.Next.Kind != providers.Redirect || st.Next.Link != formURL {
			t.Errorf("%s: %+v, %v", body, st, err)
		}
	}
	if st, err := newFake(t).on("getOrderStatusExtended.do", stands(2, "0")).open().Status(t.Context(), onPage(t)); err != nil || st.Outcome != providers.Paid || st.Next != nil {
		t.Errorf("paid: %+v, %v", st, err)
	}
}

// Once the shopper has left the page, an order that nobody pays must not stay payable there.
func TestAnOrderWhosePageWasLeftUnpaidIsClosed(t *testing.T) {
	const asks, closes = "getOrderStatusExtended.do", "getOrderStatusExtended.do decline.do"
	for _, c := range []struct {
		status int
		action string
		want   string
	}{
		{0, "-100", closes}, {0, "null", closes}, {0, "116", closes}, {0, "-2006", closes},
		{0, "-30001", asks}, {0, "151019", asks}, {0, "-2009", asks}, // the bank may not be through with it
		{5, "-100", asks}, {1, "0", asks}, {2, "0", asks}, {6, "-2007", asks}, {7, "0", asks},
	} {
		f := newFake(t).on("getOrderStatusExtended.do", stands(c.status, c.action)).on("decline.do", answer(t, "bpc_decline_ok.json"))
		step, err := f.open().Resume(t.Context(), onPage(t), providers.Answer{Kind: providers.Returned})
		if err != nil || step.Kind != providers.Finished || f.calls() != c.want {
			t.Errorf("%d %s: %s, %v; %s", c.status, c.action, step.Kind, err, f.calls())
		}
	}
	f := newFake(t).on("getOrderStatusExtended.do", stands(0, "116")).on("decline.do", `{"errorCode":"7"}`)
	if _, err := f.open().Resume(t.Context(), onPage(t), providers.Answer{Kind: providers.Returned}); err == nil {
		t.Error("an order that could not be closed passes for closed")
	}
	// A card typed on our own page comes back from the bank by other ways.
	f = newFake(t)
	if _, err := f.open(func(c *rbs.Config) { c.ThreeDS2 = rbs.ThreeDS2Gateway }).Resume(t.Context(), registered(t), providers.Answer{Kind: providers.Returned}); err != nil || f.calls() != "" {
		t.Errorf("%v; %s", err, f.calls())
	}
}
