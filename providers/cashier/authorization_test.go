package cashier_test

import (
	"strings"
	"testing"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

func TestTheAuthorizationIsTheOrdersOrTheOneOfAuthorize(t *testing.T) {
	shown := `{"success":true,"order":{"id":123456,"merchantOrderId":"merchantOrderId","status":"CHARGED","paymentAmount":100,"paymentCurrency":"RUB","orderAmount":97,"orderCurrency":"RUB",
		"paymentInfo":{"paymentDetails":{"authCode":"123456","rrn":"408012345678","expiry":"203012"}}}}`
	st, err := newFake(map[string][]said{"read": {{0, shown}}}).open(t, nil).Status(t.Context(), payment(t, true))
	if err != nil {
		t.Fatal(err)
	}
	if want := (providers.Authorization{ApprovalCode: "123456", RRN: "408012345678", CardExpiry: "12/30",
		TakenAmount: 100, TakenCurrency: "RUB", GatewayFee: 3, CreditedAmount: 97, CreditedCurrency: "RUB"}); st.Authorization != want {
		t.Errorf("%+v", st.Authorization)
	}
	providertest.TellsAuthorization(t, "cashier", st.Authorization)

	for _, name := range []string{"Rrn", "RRN"} {
		answer := `{"Response":{"Success":true},"Order":{"OrderId":"` + external + `","Status":"CHARGED"},"Authorize":{"AuthCode":"654321","` + name + `":"99"}}`
		plain := strings.Replace(shown, `"authCode":"123456","rrn":"408012345678",`, "", 1)
		g := newFake(map[string][]said{"authorize": {{0, answer}}, "read": {{0, plain}}}).open(t, nil)
		p := payment(t, true)
		step, err := g.Pay(t.Context(), p, instrument(t), browser())
		if err != nil {
			t.Fatal(err)
		}
		p.Ref = step.Ref
		if st, err = g.Status(t.Context(), p); err != nil || st.Authorization.ApprovalCode != "654321" || st.Authorization.RRN != "99" {
			t.Errorf("%+v %v", st.Authorization, err)
		}
	}
}
