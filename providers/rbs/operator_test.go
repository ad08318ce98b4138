package rbs_test

import (
	"errors"
	"testing"

	"tollgate/providers"
)

// What the gateway answers to an operation: done, refused for sure, or unknown. Only an errorCode is an answer.
func TestAnOperationWithoutAReadableAnswerIsUnknown(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       providers.OpState // "" is unknown
	}{
		{"done", answer(t, "omnipay_RefundRequestSuccess.json"), providers.OpSucceeded},
		{"done, code as text", answer(t, "omnipay_VoidRequestSuccess.json"), providers.OpSucceeded},
		{"wrong state or amount", answer(t, "ecom_deposit_200_error.json"), providers.OpFailed},
		{"no such order", answer(t, "omnipay_CaptureRequestError.json"), providers.OpFailed},
		{"system error", `{"errorCode":7,"errorMessage":"System error"}`, ""},
		{"a code nobody lists", `{"errorCode":"42"}`, ""},
		{"html", "<html>", ""},
		{"maintenance", `{"status":"maintenance","retryAfter":60}`, ""},
		{"an empty object", `{}`, ""},
		{"a list", `[]`, ""},
		{"another dialect's success", `{"success":true}`, ""},
		{"another dialect's refusal", `{"success":false,"error":{"code":"5","message":"no"}}`, ""},
		{"an empty errorCode", `{"errorCode":null}`, ""},
		{"the answer of register.do", answer(t, "bpc_register_ok.json"), ""},
		{"the answer of the inquiry", answer(t, "seed_status_1_held_binding.json"), ""},
		{"of a finished payment", `{"redirect":"https://shop.example/","errorCode":0}`, ""},
		{"of another order", `{"errorCode":0,"orderId":"00000000-8f96-7fbe-bc2b-4b7e00a7d8c0"}`, ""},
		{"nothing", "", ""},
	} {
		f := newFake(t).on("deposit.do", tt.body).on("reverse.do", tt.body).on("refund.do", tt.body)
		o := f.open().(providers.Operator)
		for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
			res, err := o.Do(t.Context(), registered(t), providers.Op{Kind: kind, Reference: "r", Amount: amount(t, 500, "EUR")})
			if res.State != tt.want || (err != nil) != (tt.want == "") || (res.Decline != nil) != (tt.want == providers.OpFailed) {
				t.Errorf("%s, %s: %+v, %v", tt.name, kind, res, err)
			}
		}
		if f.calls() != "deposit.do reverse.do refund.do" {
			t.Errorf("called %s", f.calls())
		}
	}
}

// On this wire amount=0 means everything: it never goes out, and neither does an operation the gateway lacks.
func TestOperationsRefused(t *testing.T) {
	f := newFake(t)
	o := f.open().(providers.Operator)
	for _, op := range []providers.Op{{Kind: providers.Capture}, {Kind: providers.Refund}, {Kind: providers.Refund, Amount: amount(t, -1, "EUR")},
		{Kind: providers.Payout, Amount: amount(t, 1, "EUR")}} {
		if _, err := o.Do(t.Context(), registered(t), op); err == nil {
			t.Errorf("%+v went through", op)
		} else if _, ok := errors.AsType[*providers.Refusal](err); !ok {
			t.Errorf("%+v: %v", op, err)
		}
	}
	if _, err := o.Do(t.Context(), payment(t), providers.Op{Kind: providers.Void}); err == nil {
		t.Error("a reversal of an order without the gateway's id")
	}
	if f.calls() != "" {
		t.Errorf("called %s", f.calls())
	}
}

// The inquiry about an operation reads the order; as long as nothing moved the operation is missing.
func TestOperationInquired(t *testing.T) {
	const order = `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":`
	held := order + `1,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":0,"refundedAmount":0}}`
	captured := order + `2,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":1500,"refundedAmount":0}}`
	refunded := order + `2,"paymentAmountInfo":{"approvedAmount":2000,"depositedAmount":1000,"refundedAmount":500}}`
	listed := order + `4,"refunds":[{"externalRefundId":"other"},{"externalRefundId":"r-2","amount":500}]}`
	const tacit = order + `2}`
	const whole = order + `4}`
	failed := order + `2,"refunds":[{"externalRefundId":"r-2","amount":500,"actionCode":"5"}]}`
	reversed := answer(t, "constructed_status_3_reversed.json")
	before := providers.Standing{Outcome: providers.Authorized, Held: 2000}
	paid := providers.Standing{Outcome: providers.Paid, Held: 2000, Captured: 1500}
	for _, tt := range []struct {
		name, body string
		op         providers.Op
		want       providers.OpState
	}{
		{"capture, still held", held, providers.Op{Kind: providers.Capture, Standing: before}, providers.OpMissing},
		{"capture, done", captured, providers.Op{Kind: providers.Capture, Standing: before}, providers.OpSucceeded},
		{"capture, reversed meanwhile", reversed, providers.Op{Kind: providers.Capture, Standing: before}, providers.OpFailed},
		{"void, still held", held, providers.Op{Kind: providers.Void, Standing: before}, providers.OpMissing},
		{"void, done", reversed, providers.Op{Kind: providers.Void, Standing: before}, providers.OpSucceeded},
		{"void, captured meanwhile", captured, providers.Op{Kind: providers.Void, Standing: before}, providers.OpFailed},
		{"refund, nothing moved", captured, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 500, "EUR"), Standing: paid}, providers.OpMissing},
		{"refund, another one moved it, which is less", refunded, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 900, "EUR"), Standing: paid}, providers.OpMissing},
		{"refund, done", refunded, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 500, "EUR"), Standing: paid}, providers.OpSucceeded},
		{"refund, no sums: neither made", tacit, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 500, "EUR"), Standing: providers.Standing{Outcome: providers.Paid, Held: 2000, Captured: 2000}}, providers.OpPending},
		{"refund, no sums: nor of which size", whole, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 500, "EUR"), Standing: paid}, providers.OpPending},
		{"refund, listed as refused", failed, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 500, "EUR"), Standing: paid}, providers.OpPending},
		{"capture of a part, no sums", tacit, providers.Op{Kind: providers.Capture, Amount: amount(t, 500, "EUR"), Standing: before}, providers.OpPending},
		{"capture of the whole, no sums", tacit, providers.Op{Kind: providers.Capture, Amount: amount(t, 2000, "EUR"), Standing: before}, providers.OpSucceeded},
		{"refund, listed by our id", listed, providers.Op{Kind: providers.Refund, Reference: "r-2", Amount: amount(t, 9000, "EUR"), Standing: paid}, providers.OpSucceeded},
	} {
		f := newFake(t).on("getOrderStatusExtended.do", tt.body)
		p := registered(t)
		p.Hold = true
		res, err := f.open().(providers.Operator).Inquire(t.Context(), p, tt.op)
		if err != nil || res.State != tt.want {
			t.Errorf("%s: %+v, %v; want %s", tt.name, res, err, tt.want)
		}
	}
}

// decline.do answers like an operation: an order is not closed by an answer that says nothing.
func TestAnOrderIsNotClosedWithoutAReadableAnswer(t *testing.T) {
	for body, closed := range map[string]bool{
		answer(t, "bpc_decline_ok.json"): true, `{"errorCode":"0"}`: true,
		`{}`: false, `[]`: false, ``: false, `{"status":"maintenance","retryAfter":60}`: false, `{"success":true}`: false, `{"errorCode":5}`: false,
	} {
		err := newFake(t).on("decline.do", body).open().(providers.Closer).Close(t.Context(), registered(t))
		if (err == nil) != closed {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// In one stage: an authorization will be captured by the gateway itself; it is not the result of a two-stage payment.
func TestAnAuthorizationOfAOneStagePaymentIsProcessing(t *testing.T) {
	p := registered(t)
	st, err := status(t, `{"errorCode":"0","orderNumber":"A-17-1","amount":2000,"currency":"978","orderStatus":1}`, p)
	if err != nil || st.Outcome != providers.Processing || st.Held != 2000 {
		t.Errorf("%+v %v", st, err)
	}
}
