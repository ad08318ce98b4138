package cashier_test

import (
	"testing"

	"tollgate/providers"
)

func TestARefusedLoginIsMisconfiguredAtEveryCallAndNothingWasSent(t *testing.T) {
	for _, answer := range []said{
		{401, `{"success":false,"description":"wrong login or password","Response":{"ErrCode":"ACCESS_DENIED"}}`},
		{200, `{"success":false,"description":"account is blocked"}`},
		{403, `<html>forbidden</html>`},
	} {
		f := newFake(map[string][]said{"login": {answer}, "status": {{401, `{"success":false}`}}})
		g := f.open(t, nil)
		_, register := g.Register(t.Context(), payment(t, false))
		_, qr := g.Pay(t.Context(), payment(t, true), providers.Instrument{Kind: "qr"}, browser())
		_, app := g.Pay(t.Context(), payment(t, true), providers.Instrument{Kind: "sberpay"}, browser())
		_, refund := g.Do(t.Context(), payment(t, true), providers.Op{Kind: providers.Refund, Amount: payment(t, true).Amount})
		_, payout := g.Payout(t.Context(), payment(t, false), providers.Destination{Phone: "79876543210", BankID: "1000"})
		_, status := g.Status(t.Context(), payment(t, false))
		for call, err := range map[string]error{"register": register, "qr": qr, "sberpay": app, "refund": refund, "payout": payout, "status": status} {
			if f := providers.RefusalOfUs(err); f == nil || !f.Untaken {
				t.Errorf("%d, %s: %v", answer.status, call, err)
			}
		}
	}
	f := newFake(map[string][]said{"login": {{500, `{"success":false}`}}})
	if _, err := f.open(t, nil).Register(t.Context(), payment(t, false)); providers.RefusalOfUs(err) != nil || err == nil {
		t.Errorf("a failure of the gateway's own: %v", err)
	}
}

func TestAnOrderThatIsRejectedIsMisconfigured(t *testing.T) {
	f := newFake(map[string][]said{"order": {{400, `{"success":false,"description":"tspId is unknown"}`}}})
	_, err := f.open(t, nil).Register(t.Context(), payment(t, false))
	if f := providers.RefusalOfUs(err); f == nil || f.Code != "HTTP 400" || f.Text != "tspId is unknown" || !f.Untaken {
		t.Errorf("%v", err)
	}
}

func TestAnAuthorizationThatRefusesUsIsMisconfiguredOnceTheOrderShowsNoTry(t *testing.T) {
	for _, code := range []string{"ACCESS_DENIED", "BUYERS_ADDRESS_NOT_SPECIFIED"} {
		refused := `{"Response":{"Success":false,"ErrCode":"` + code + `","ErrMessage":"Words"}}`
		f := newFake(map[string][]said{"authorize": {{0, refused}}, "charge": {{0, refused}},
			"read": {{0, orderAnswer(t, "status", "CREATED")}}})
		g := f.open(t, nil)
		_, pay := g.Pay(t.Context(), payment(t, true), instrument(t), browser())
		_, charge := g.Do(t.Context(), payment(t, true), providers.Op{Kind: providers.Capture, Amount: payment(t, true).Amount})
		for _, err := range []error{pay, charge} {
			if code == "BUYERS_ADDRESS_NOT_SPECIFIED" && err == nil {
				t.Error("no error")
			}
			if f := providers.RefusalOfUs(err); f == nil || f.Code != code || f.Text != "Words" || !f.Untaken {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
}

func TestARejectedRefundKeepsTheGatewaysCodeAndWords(t *testing.T) {
	f := newFake(map[string][]said{"refund": {{400, `{"success":false,"description":"nothing to refund","Response":{"ErrCode":"AMOUNT_ERROR"}}`}}})
	r, err := f.open(t, nil).Do(t.Context(), payment(t, true), providers.Op{Kind: providers.Refund, Amount: payment(t, true).Amount})
	if err != nil || r.Decline == nil || r.Decline.Code != "AMOUNT_ERROR" || r.Decline.Message != "nothing to refund" {
		t.Errorf("%+v %v", r, err)
	}
}
