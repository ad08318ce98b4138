package transactworld

import (
	"testing"

	"tollgate/providers/providertest"
)

func TestTheAuthorizationIsToldAsFarAsThePlatformTells(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"paymentId":"54289","merchantTransactionId":"00001","status":"capturesuccess","transactionStatus":"Y",
		"amount":"50.00","currency":"EUR","paymentBrand":"VISA","terminalId":"4927","bankReferenceId":"756209","descriptor":"SHOP*TEST",
		"card":{"bin":"411111","last4Digits":"0021","expiryMonth":"12","expiryYear":"2030"},"timestamp":"2026-11-21 12:00:00","result":{"code":"00026"}}`)}
	st, err := testProvider(t, w).Status(t.Context(), payment(t))
	if err != nil {
		t.Fatal(err)
	}
	a := st.Authorization
	if a.BankReference != "756209" || a.Terminal != "4927" || a.CardExpiry != "12/30" || a.PaymentSystem != "VISA" || a.Descriptor != "SHOP*TEST" {
		t.Errorf("%+v", a)
	}
	providertest.TellsAuthorization(t, "transactworld", a)
}
