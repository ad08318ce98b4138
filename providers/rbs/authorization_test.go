package rbs_test

import (
	"strings"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/providertest"
)

func authorizationOf(t *testing.T, body, number, order string, minor int64, currency string) providers.Authorization {
	t.Helper()
	p := payment(t)
	p.Ref = providers.Ref{Reference: number, OrderID: order}
	p.Amount = amount(t, minor, currency)
	st, err := newFake(t).on("getOrderStatusExtended.do", body).open().Status(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return st.Authorization
}

func TestTheAuthorizationIsReadOfTheGatewaysOwnBodies(t *testing.T) {
	for name, want := range map[string]providers.Authorization{
		"seed_status_2_deposited_binding.json": {ApprovalCode: "123456", RRN: "947633173729", At: time.UnixMilli(1618816705914).UTC(),
			Terminal: "123456", CardExpiry: "12/24", CardHolder: "TEST CARDHOLDER"},
		"mock_alewon_status_2_partial_refund.json": {ApprovalCode: "123456", BankName: "Alfa", BankCountry: "RU", CardExpiry: "12/34",
			CardHolder: "TEST CARDHOLDER", PaymentSystem: "VISA"},
		"rec_getOrderStatus_old_caps.json":     {ApprovalCode: "123456", CardExpiry: "12/15", CardHolder: "trtr"},
		"rec_status_6_expired_no_attempt.json": {Terminal: "21224205"},
	} {
		if got := authorizationOf(t, answer(t, name), "x", "", 2000, "EUR"); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEveryMemberOfTheTableIsTold(t *testing.T) {
	body := strings.Replace(answer(t, "mock_alewon_status_2_partial_refund.json"), `"orderStatus":2,`,
		`"orderStatus":2,"authDateTime":1618816705914,"terminalId":"123456","authRefNum":"947633173729",`, 1)
	providertest.TellsAuthorization(t, "rbs", authorizationOf(t, body, "x", "", 2000, "EUR"))
	beside := strings.Replace(answer(t, "mock_alewon_status_2_partial_refund.json"), `"bindingInfo":{`,
		`"bindingInfo":{"authDateTime":1618816705914,"terminalId":"123456","authRefNum":"947633173729",`, 1)
	providertest.TellsAuthorization(t, "rbs", authorizationOf(t, beside, "x", "", 2000, "EUR"))
}

// A card number in the place of a name is kept nowhere.
func TestAHolderThatIsANumberIsLeftOut(t *testing.T) {
	body := strings.Replace(answer(t, "mock_alewon_status_2_partial_refund.json"), "TEST CARDHOLDER", "4111 1111 1111 1111", 1)
	if got := authorizationOf(t, body, "x", "", 2000, "EUR"); got.CardHolder != "" {
		t.Error(got.CardHolder)
	}
}

// A callback may leave our number out (amount, mdOrder, operation, status): the order has it.
func TestAnOrderOfTheGatewaysNameTellsOurNumber(t *testing.T) {
	f := newFake(t).on("getOrderStatusExtended.do", answer(t, "seed_status_2_deposited_binding.json"))
	st, err := f.open().Status(t.Context(), providers.Payment{Ref: providers.Ref{OrderID: "01791274-d9ca-7103-b148-7dc000a7d8c0"}})
	if err != nil || st.Reference != "11045" || f.last().form.Get("orderId") != "01791274-d9ca-7103-b148-7dc000a7d8c0" {
		t.Errorf("%+v %v", st, err)
	}
}
