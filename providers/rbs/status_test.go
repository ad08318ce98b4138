package rbs_test

import (
	"fmt"
	"testing"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
)

func status(t *testing.T, body string, p providers.Payment) (providers.Standing, error) {
	t.Helper()
	return newFake(t).on("getOrderStatusExtended.do", body).open().Status(t.Context(), p)
}

// Every body that is known of the inquiry, with what it means. R is recorded, D documented, M a test double of others,
// C constructed by the field tables.
func TestStatusFixtures(t *testing.T) {
	visa := card.Masked{Brand: "visa", First6: "411111", Last4: "1111"}
	unasked := providers.Payment{Ref: providers.Ref{Reference: "A-17-1"}, Amount: amount(t, 2000, "EUR"), Locale: "en"}
	known := func(id string) providers.Payment {
		p := unasked
		p.Ref.OrderID = id
		return p
	}
	for _, tt := range []struct {
		name, class string
		p           providers.Payment
		want        providers.Standing
	}{
		{"rec_status_6_expired_no_attempt.json", "R: expired with no card entered", unasked, providers.Standing{
			Outcome: providers.Closed, Reference: "96", Amount: amount(t, 35000, "RUB"),
			Ref: providers.Ref{Reference: "A-17-1", OrderID: "9d5ec036-b573-7aa3-9d54-27a501fa9b92"}}},
		{"rec_status_not_found.json", "R: the gateway does not know the order", unasked, providers.Standing{
			Outcome: providers.NotFound, Ref: providers.Ref{Reference: "A-17-1"}}},
		{"seed_status_1_held_binding.json", "D: held", held(known("017908cc-57c6-739a-ad25-df0d00a7d8c0")), providers.Standing{
			Stated:  true,
			Outcome: providers.Authorized, Reference: "11044", Amount: amount(t, 2000, "EUR"), Held: 2000,
			Ref:  providers.Ref{Reference: "A-17-1", OrderID: "017908cc-57c6-739a-ad25-df0d00a7d8c0"},
			Card: card.Masked{Brand: "visa", First6: "401200", Last4: "6662"}}},
		{"seed_status_2_deposited_binding.json", "D: paid with a saved card", unasked, providers.Standing{
			Stated:  true,
			Outcome: providers.Paid, Reference: "11045", Amount: amount(t, 2000, "EUR"), Held: 2000, Captured: 2000,
			Ref:  providers.Ref{Reference: "A-17-1", OrderID: "01791274-d9ca-7103-b148-7dc000a7d8c0"},
			Card: card.Masked{Brand: "mastercard", First6: "555555", Last4: "5599"}}},
		{"rec_credibanco_min_status_2.json", "M: paid, and nothing else said", unasked, providers.Standing{
			Outcome: providers.Paid, Held: 2000, Captured: 2000, Ref: providers.Ref{Reference: "A-17-1"}}},
		{"mock_laravel_status_2.json", "M: paid, amount without currency is held against ours", unasked, providers.Standing{
			Outcome: providers.Paid, Amount: amount(t, 5000, "EUR"), Held: 5000, Captured: 5000, Ref: providers.Ref{Reference: "A-17-1"}}},
		{"mock_alewon_status_2_partial_refund.json", "M: paid, 500 given back, roubles as 810, actionCode as text", unasked, providers.Standing{
			Stated:  true,
			Outcome: providers.Paid, Reference: "7005", Amount: amount(t, 2000, "RUB"), Held: 2000, Captured: 2000, Refunded: 500,
			Ref: providers.Ref{Reference: "A-17-1"}, Card: visa, ThreeDS: providers.ThreeDS{Version: "2.2.0", TransStatus: "Y", ECI: "05"}}},
		{"constructed_status_3_reversed.json", "C: reversed", unasked, providers.Standing{
			Stated:  true,
			Outcome: providers.Voided, Reference: "7005", Amount: amount(t, 2000, "EUR"), Card: visa,
			Ref: providers.Ref{Reference: "A-17-1", OrderID: "01491d0b-c848-7dd6-a20d-e96900a7d8c0"}}},
		{"constructed_status_4_refunded_with_refunds.json", "C: paid and wholly refunded", unasked, providers.Standing{
			Stated:  true,
			Outcome: providers.Paid, Reference: "7005", Amount: amount(t, 2000, "EUR"), Card: visa, Held: 2000, Captured: 2000, Refunded: 2000,
			Ref: providers.Ref{Reference: "A-17-1", OrderID: "01491d0b-c848-7dd6-a20d-e96900a7d8c0"}}},
		{"constructed_status_5_acs.json", "C: the shopper is at the bank (not errorCode 5)", unasked, providers.Standing{
			Outcome: providers.Waiting, Reference: "7005", Amount: amount(t, 2000, "EUR"), Card: visa,
			Ref: providers.Ref{Reference: "A-17-1", OrderID: "01491d0b-c848-7dd6-a20d-e96900a7d8c0"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := status(t, answer(t, tt.name), tt.p)
			if err != nil {
				t.Fatal(err)
			}
			got.Authorization = providers.Authorization{} // has tests of its own
			same(t, tt.class, got, tt.want)
		})
	}
}

// The old call's capitalised names are read alike; two spellings with different values are an error.
func TestTheOldStatusSpellingIsRead(t *testing.T) {
	unasked := registered(t)
	unasked.Ref.OrderID = ""
	st, err := status(t, answer(t, "rec_getOrderStatus_old_caps.json"), unasked)
	if err != nil || st.Outcome != providers.Paid || st.Reference != "23asdafaf" || st.Amount != amount(t, 789789, "RUB") || st.Card.Last4 != "1111" || st.Stated {
		t.Errorf("%+v %v", st, err)
	}
	if st, err = status(t, answer(t, "omnipay_OrderStatusRequestSuccess.json"), unasked); err != nil || st.Outcome != providers.Paid || st.Reference != "99999" {
		t.Errorf("%+v %v", st, err)
	}
	if st, err = status(t, `{"ErrorCode":"6","ErrorMessage":"no"}`, unasked); err != nil || st.Outcome != providers.NotFound {
		t.Errorf("%+v %v", st, err)
	}
	if st, err = status(t, `{"ErrorCode":"5"}`, unasked); err == nil {
		t.Errorf("%+v", st)
	}
	if st, err = status(t, `{"errorCode":"0","OrderStatus":2,"orderStatus":6}`, unasked); err == nil {
		t.Errorf("%+v", st)
	}
}

// Answers that are no order's: an API error, a wrapped order. None of them is an outcome.
func TestStatusRefusesOtherAnswers(t *testing.T) {
	for _, name := range []string{"omnipay_ExtendedOrderStatusRequestError.json", "ecom_getOrderStatusExtended_200_error.json",
		"bpc_tokenized_payment_ok.json", "rec_sdk_finished_info_approved.json"} {
		if st, err := status(t, answer(t, name), registered(t)); err == nil {
			t.Errorf("%s read as %+v", name, st)
		}
	}
}

// orderStatus and actionCode, the whole table.
func TestOutcomes(t *testing.T) {
	const money0 = `,"paymentAmountInfo":{"approvedAmount":0,"depositedAmount":0,"refundedAmount":0}`
	for _, tt := range []struct {
		status, action, rest string
		want                 providers.Outcome
		reason               providers.Reason // of the last try or the decline
	}{
		{"0", "-100", money0, providers.Waiting, ""},
		{"0", "0", "", providers.Waiting, ""},
		{"0", "null", "", providers.Waiting, ""},
		{"0", "-30001", "", providers.Waiting, ""}, // being looked into
		{"0", "-2009", "", providers.Waiting, ""},  // may still come back from the bank
		{"0", "151019", "", providers.Waiting, ""}, // the bank may have paid
		{"0", "-2025", money0, providers.Waiting, providers.AuthenticationFailed},
		{"0", "-2006", "", providers.Waiting, providers.AuthenticationFailed},
		{"0", `"116"`, "", providers.Waiting, providers.InsufficientFunds},
		{"0", "77777", "", providers.Waiting, providers.OtherReason},
		{`"0"`, "5", "", providers.Waiting, providers.DoNotHonor},
		{"1", "0", "", providers.Authorized, ""},
		{"2", `"000"`, "", providers.Paid, ""},
		{"3", "0", money0, providers.Voided, ""},
		{"4", "0", "", providers.Paid, ""},
		{"5", "-100", money0, providers.Waiting, ""},
		{"5", "116", money0, providers.Waiting, ""},
		{"6", "-2007", "", providers.Closed, ""},
		{"6", "-2014", "", providers.Closed, ""},
		{"6", "-2009", "", providers.Closed, ""},
		{"6", "-100", "", providers.Closed, ""},
		{"6", "4005", "", providers.Closed, ""},
		{"6", "151019", "", providers.Unclear, ""},
		{"6", "-2013", "", providers.Refused, providers.Limit},
		{"6", "101", "", providers.Refused, providers.ExpiredCard},
		{"6", "82", "", providers.Refused, providers.WrongCVC},
		{"6", "151", "", providers.Refused, providers.Fraud},
		{"6", "907", "", providers.Refused, providers.TryAgainLater},
		{"6", "125", "", providers.Refused, providers.CardNotSupported},
		{"6", "-20010", "", providers.Refused, providers.Limit},
		{"6", "null", "", providers.Refused, providers.OtherReason},
		{"7", "-30001", "", providers.Processing, ""},
		{"8", "0", "", providers.Processing, ""},
		{"9", "0", "", providers.Unclear, ""},
		{"22", "0", "", providers.Unclear, ""},
		// State and sums against each other.
		{"0", "-100", `,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":2000,"refundedAmount":0}`, providers.Unclear, ""},
		{"6", "116", `,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":"2000","refundedAmount":0}`, providers.Unclear, ""},
		{"2", "0", money0, providers.Unclear, ""},
		{"1", "0", money0, providers.Unclear, ""},
		{"2", "0", `,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":100,"refundedAmount":2000}`, providers.Unclear, ""},
	} {
		body := fmt.Sprintf(`{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":%s,"actionCode":%s%s}`, tt.status, tt.action, tt.rest)
		st, err := status(t, body, held(registered(t)))
		if err != nil {
			t.Errorf("%s/%s: %v", tt.status, tt.action, err)
			continue
		}
		d := st.Decline
		if st.Outcome == providers.Waiting {
			d = st.LastTry
		}
		got := providers.Reason("")
		if d != nil {
			got = d.Reason
		}
		if st.Outcome != tt.want || got != tt.reason {
			t.Errorf("orderStatus %s, actionCode %s%s: %s %q, want %s %q", tt.status, tt.action, tt.rest, st.Outcome, got, tt.want, tt.reason)
		}
	}
}

func TestSums(t *testing.T) {
	for _, tt := range []struct {
		status                               int
		approved, deposited, refunded        string
		wantHeld, wantCaptured, wantRefunded int64
	}{
		{1, "2000", "0", "0", 2000, 0, 0},
		{1, `"1900"`, "null", "0", 1900, 0, 0},      // a part was approved
		{2, "2000", "1500", "0", 2000, 1500, 0},     // captured in part
		{2, "2000", "1500", "500", 2000, 2000, 500}, // documented: depositedAmount falls with each refund
		{2, "2000", "2000", "500", 2000, 2000, 500}, // seen in a test double: it does not
		{4, "2000", "0", "2000", 2000, 2000, 2000},  // all given back
		{4, "0", "0", "2000", 2000, 2000, 2000},     // one-phase orders need not say what was approved
	} {
		body := fmt.Sprintf(`{"orderStatus":%d,"amount":2000,"currency":978,"paymentAmountInfo":{"paymentState":"payment_deposited","approvedAmount":%s,"depositedAmount":%s,"refundedAmount":%s}}`,
			tt.status, tt.approved, tt.deposited, tt.refunded)
		st, err := status(t, body, registered(t))
		if err != nil || st.Held != tt.wantHeld || st.Captured != tt.wantCaptured || st.Refunded != tt.wantRefunded {
			t.Errorf("%s: held %d, captured %d, refunded %d, %v", body, st.Held, st.Captured, st.Refunded, err)
		}
	}
	st, err := status(t, `{"orderStatus":4,"amount":2000,"currency":978}`, registered(t))
	if err != nil || st.Captured != 2000 || st.Refunded != 2000 {
		t.Errorf("refunded without sums: %+v, %v", st, err)
	}
}

// Another currency, number or order is said as it is: the caller holds such money.
func TestAnInquiryThatShowsAnotherOrderAmountOrCurrency(t *testing.T) {
	st, err := status(t, `{"orderStatus":2,"amount":2001,"currency":"999","orderNumber":"B-1","attributes":[{"name":"mdOrder","value":"other"}]}`, registered(t))
	if err != nil {
		t.Fatal(err)
	}
	if st.Reference != "B-1" || st.Ref.OrderID != "other" || st.Amount.Minor != 2001 || st.Amount.Currency.Code != "?999" {
		t.Errorf("got %+v", st)
	}
	st, err = status(t, `{"orderStatus":2,"orderNumber":"A-17-1"}`, registered(t))
	if err != nil || st.Amount != (money.Amount{}) {
		t.Errorf("no amount became %+v, %v", st.Amount, err)
	}
}

// Masks as gateways write them, the whole number included, come out as first six and last four.
func TestCardMasks(t *testing.T) {
	for in, want := range map[string]string{
		"411111**1111": "411111 1111", "555555XXXXXX5599": "555555 5599", "220138*******0047": "220138 0047", "5555555****5599": "555555 5599",
		"4111111111111111": "411111 1111", "": " ", "****": " ", "12345678": " ", "4111********1111": " ",
	} {
		st, err := status(t, `{"orderStatus":2,"cardAuthInfo":{"pan":"`+in+`"}}`, registered(t))
		if got := st.Card.First6 + " " + st.Card.Last4; err != nil || got != want {
			t.Errorf("%q read as %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestNotFoundIsNotGuessed(t *testing.T) {
	unknown := payment(t)
	for _, tt := range []struct {
		name, body string
		p          providers.Payment
		want       providers.Outcome // "" is an error
	}{
		{"code 6", `{"errorCode":6}`, registered(t), providers.NotFound},
		{"no orderStatus, as documented", `{"errorCode":"0","errorMessage":"Success"}`, unknown, providers.NotFound},
		{"no orderStatus of an order it gave us", `{"errorCode":"0"}`, registered(t), providers.Unclear},
		{"no orderStatus but an amount", `{"errorCode":"0","amount":2000,"currency":"978"}`, unknown, providers.Unclear},
		{"empty object", `{}`, unknown, ""},
		{"access denied", `{"errorCode":"5","errorMessage":"Access denied"}`, unknown, ""},
		{"system error", `{"errorCode":"7"}`, unknown, ""},
	} {
		st, err := status(t, tt.body, tt.p)
		if (err != nil) != (tt.want == "") || st.Outcome != tt.want {
			t.Errorf("%s: %q, %v", tt.name, st.Outcome, err)
		}
	}
}

func held(p providers.Payment) providers.Payment {
	p.Hold = true
	return p
}
