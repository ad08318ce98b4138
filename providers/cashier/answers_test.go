package cashier_test

import (
	"errors"
	"strings"
	"testing"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/cashier"
)

// Every status of the document, and what its sisters add, as an inquiry answers it. The bodies are constructed around the
// documented names: 100 cents in an order of euros, 102.50 roubles to be paid.
func TestEveryStatusOfTheDocument(t *testing.T) {
	inOrder := func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder }
	for _, c := range []struct {
		status                   string
		outcome, hold            providers.Outcome // in one stage, and of a hold
		held, captured, refunded int64
		next                     providers.Kind
	}{
		{"CREATED", providers.Waiting, providers.Waiting, 0, 0, 0, ""}, // "final" in the document, read as pending
		{"QRCDATA_IN_PROGRESS", providers.Processing, providers.Processing, 0, 0, 0, ""},
		{"QRCDATA_CREATED", providers.Waiting, providers.Waiting, 0, 0, 0, ""}, // the body has no QR code to show
		{"IN_PROCESS", providers.Processing, providers.Processing, 0, 0, 0, ""},
		{"PAYOUT_IN_PROGRESS", providers.Unclear, providers.Unclear, 0, 0, 0, ""},
		{"AUTHORIZATION", providers.Processing, providers.Processing, 0, 0, 0, ""},
		{"PRE_AUTHORIZED_3DS", providers.Waiting, providers.Waiting, 0, 0, 0, providers.PayerPage},
		{"AUTHORIZED", providers.Processing, providers.Authorized, 100, 0, 0, ""},
		{"CHARGE_IN_PROGRESS", providers.Processing, providers.Processing, 100, 0, 0, ""},
		{"VOID_IN_PROGRESS", providers.Processing, providers.Processing, 100, 0, 0, ""},
		{"VOID_DECLINED", providers.HoldLeft, providers.Authorized, 100, 0, 0, ""},
		{"VOIDED", providers.Voided, providers.Voided, 0, 0, 0, ""},
		{"IPS_ACCEPTED", providers.Paid, providers.Paid, 100, 100, 0, ""},
		{"SBP_ACCEPTED", providers.Paid, providers.Paid, 100, 100, 0, ""},
		{"PAID", providers.Unclear, providers.Unclear, 0, 0, 0, ""}, // a payout was made; of a payment it proves nothing
		{"DECLINED", providers.Refused, providers.Refused, 0, 0, 0, ""},
		{"EXPIRED", providers.Closed, providers.Closed, 0, 0, 0, ""},
	} {
		f := newFake(map[string][]said{"read": {{0, read(t, "answers/status_"+c.status+".json")}}})
		p := f.open(t, inOrder)
		for want, hold := range map[bool]providers.Outcome{false: c.outcome, true: c.hold} {
			pay := payment(t, true)
			pay.Hold, pay.Amount.Currency = want, currency(t, "EUR")
			s, err := p.Status(t.Context(), pay)
			if err != nil || s.Outcome != hold || s.Held != c.held || s.Captured != c.captured || s.Refunded != c.refunded || s.Amount != pay.Amount ||
				s.Reference != "merchantOrderId" || s.Ref.OrderID != "123456" {
				t.Errorf("%s, hold %v: %+v %v", c.status, want, s, err)
			}
			if c.next == "" && s.Next != nil || c.next != "" && (s.Next == nil || s.Next.Kind != c.next) {
				t.Errorf("%s: next %+v", c.status, s.Next)
			}
			if (s.Decline != nil) != (c.status == "DECLINED" || hold == providers.HoldLeft) {
				t.Errorf("%s: %+v", c.status, s.Decline)
			}
		}
	}
	for _, c := range []struct {
		status                   string
		refundedAmount           any
		outcome                  providers.Outcome
		held, captured, refunded int64
	}{
		{"CHARGED", nil, providers.Paid, 100, 100, 0},
		{"CHARGE_DECLINED", nil, providers.HoldLeft, 100, 0, 0}, // the hold is still there, and nobody asked for one
		{"REFUNDED", nil, providers.Paid, 100, 100, 100},
		{"PARTIALLY_REFUNDED", 40, providers.Paid, 100, 100, 40},
		{"PARTIALLY_REFUNDED", nil, providers.Paid, 100, 100, 0}, // the gateway does not say how much
		{"PROCESSING", nil, providers.Processing, 0, 0, 0},
		{"CANCELLED", nil, providers.Closed, 0, 0, 0},
		{"SUSPENDED", nil, providers.Processing, 0, 0, 0}, // unknown is no end
		{"charged", nil, providers.Processing, 0, 0, 0},
	} {
		f := newFake(map[string][]said{"read": {{0, orderAnswer(t, "status", c.status, "refundedAmount", c.refundedAmount)}}})
		s, err := f.open(t, nil).Status(t.Context(), payment(t, true))
		if err != nil || s.Outcome != c.outcome || s.Held != c.held || s.Captured != c.captured || s.Refunded != c.refunded {
			t.Errorf("%s: %+v %v", c.status, s, err)
		}
	}
}

// A status in an order by order amount says what was refunded of what was paid, in kopecks.
func TestPartsOfConvertedSums(t *testing.T) {
	f := newFake(map[string][]said{"read": {{0, orderAnswer(t, "status", "PARTIALLY_REFUNDED", "orderCurrency", "USD", "orderAmount", 999_999_999_999, "paymentAmount", 999_999_999_998, "refundedAmount", 499_999_999_999)}}})
	pay := payment(t, true)
	pay.Amount = money.Amount{Minor: 999_999_999_999, Currency: currency(t, "USD")}
	s, err := f.open(t, func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder }).Status(t.Context(), pay)
	if err != nil || s.Refunded != 499_999_999_999 {
		t.Errorf("%+v %v", s, err)
	}
}

// Documented answers whose objects are empty in the public copy, and the known shapes around them.
func TestAnswersThatProveNothing(t *testing.T) {
	pay := payment(t, true)
	order := pay
	order.Ref = providers.Ref{Reference: order.Ref.Reference}
	for name, c := range map[string]struct {
		call, body string
		run        func(*cashier.Provider) error
	}{
		"an order object without members": {"read", read(t, "answers/order_shell.json"), func(p *cashier.Provider) error { _, err := p.Status(t.Context(), pay); return err }},
		"the same to a new order":         {"order", read(t, "answers/order_shell.json"), func(p *cashier.Provider) error { _, err := p.Register(t.Context(), order); return err }},
		"an error without a status":       {"read", read(t, "answers/constructed_error_cashier.json"), func(p *cashier.Provider) error { _, err := p.Status(t.Context(), pay); return err }},
		"authorize with empty objects": {"authorize", read(t, "answers/authorize_shell.json"), func(p *cashier.Provider) error {
			_, err := p.Pay(t.Context(), pay, instrument(t), browser())
			return err
		}},
		"charge with empty objects": {"charge", read(t, "answers/charge_shell.json"), func(p *cashier.Provider) error {
			_, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Capture, Amount: pay.Amount})
			return err
		}},
		"void with empty objects": {"void", read(t, "answers/void_shell.json"), func(p *cashier.Provider) error {
			_, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Void})
			return err
		}},
		"authorize, an order that is not ours": {"authorize", read(t, "answers/paymentapi_create_ok.json"), func(p *cashier.Provider) error {
			_, err := p.Pay(t.Context(), pay, instrument(t), browser())
			return err
		}},
	} {
		f := newFake(map[string][]said{c.call: {{0, c.body}}})
		var failure *providers.Failure
		if err := c.run(f.open(t, nil)); !errors.As(err, &failure) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Empty lists are answers: no orders, no banks.
	f := newFake(map[string][]said{"orders": {{0, read(t, "answers/orders_list_shell.json")}}, "banks": {{0, read(t, "answers/banklist_shell.json")}}})
	p := f.open(t, nil)
	if lines, _, err := p.History(t.Context(), providers.HistoryQuery{}); err != nil || len(lines) != 0 {
		t.Errorf("%v %v", lines, err)
	}
	if banks, err := p.Banks(t.Context()); err != nil || len(banks) != 0 {
		t.Errorf("%v %v", banks, err)
	}
	if s, err := p.Status(t.Context(), order); err != nil || s.Outcome != providers.NotFound {
		t.Errorf("%+v %v", s, err)
	}
}

func TestAuthorizeEndsInOneOfItsSteps(t *testing.T) {
	pay := payment(t, true)
	pay.Ref.Reference = "FL-20260611-TEST01" // of the constructed body
	mine := func(status string) string {
		return strings.Replace(read(t, "answers/constructed_authorize_3ds.json"), "PRE_AUTHORIZED_3DS", status, 1)
	}
	declined := strings.Replace(mine("DECLINED"), `"Success": true`, `"Success": false, "ErrCode": "AUTHORIZE_FAILED", "ErrMessage": "Insufficient funds"`, 1)
	refused := read(t, "answers/paymentapi_error.json") // ACCESS_DENIED, no order
	for name, c := range map[string]struct {
		body, read string
		kind       providers.Kind // "": an error
		reason     providers.Reason
	}{
		"3-D Secure on the hosted form":   {mine("PRE_AUTHORIZED_3DS"), "", providers.PayerPage, ""},
		"held":                            {mine("AUTHORIZED"), "", providers.Finished, ""},
		"taken":                           {mine("CHARGED"), "", providers.Finished, ""},
		"working":                         {mine("AUTHORIZATION"), "", providers.Wait, ""},
		"a status nobody knows":           {mine("SETTLED"), "", providers.Wait, ""},
		"declined, and the order says so": {declined, "DECLINED", providers.Declined, providers.InsufficientFunds},
		"declined, but the order is paid": {declined, "CHARGED", providers.Wait, ""},
		"refused as such, and the order is as is":  {strings.Replace(refused, "ACCESS_DENIED", "CARD_NOT_FOUND", 1), "CREATED", providers.Declined, ""},
		"we are refused, and the order is as is":   {refused, "CREATED", "", ""},
		"refused as such, yet something happened":  {refused, "AUTHORIZATION", "", ""},
		"refused for a reason that proves nothing": {strings.Replace(refused, "ACCESS_DENIED", "AUTHORIZE_FAILED", 1), "CREATED", "", ""},
	} {
		f := newFake(map[string][]said{"authorize": {{0, c.body}}, "read": {{0, orderAnswer(t, "status", c.read, "merchantOrderId", "FL-20260611-TEST01")}}})
		step, err := f.open(t, nil).Pay(t.Context(), pay, instrument(t), browser())
		if step.Kind != c.kind || (err == nil) != (c.kind != "") {
			t.Errorf("%s: %+v %v", name, step, err)
		}
		if c.reason != "" && (step.Decline == nil || step.Decline.Reason != c.reason || step.Decline.Code == "") {
			t.Errorf("%s: %+v", name, step.Decline)
		}
		if c.kind == providers.PayerPage {
			form := step.Forms[0]
			if form.Action != "https://payment.pay2day.kz/"+external || len(form.Fields) != 2 || form.Fields[0].Name != "successUrl" || form.Fields[1].Name != "failUrl" ||
				form.Fields[0].Value != pay.Run.ReturnURL || form.Fields[1].Value != pay.Run.ReturnURL {
				t.Errorf("%+v", form)
			}
		}
	}
}

// The QR code stands at the top of the answer that made it, and deeper in a read.
func TestAQRCodeIsFoundInEveryMemberThatMayHoldIt(t *testing.T) {
	nested := strings.Replace(read(t, "answers/order_get_qrc_nested.json"), `"merchantOrderId": "merchantOrderId"`, `"merchantOrderId": "merchantOrderId", "externalOrderId": "`+external+`"`, 1)
	pay := payment(t, true)
	qr := providers.Instrument{Kind: "qr"}
	const link = "https://qr.nspk.ru/AD10000TEST"

	f := newFake(map[string][]said{"qrcData": {{0, orderAnswer(t, "status", "QRCDATA_CREATED", "qrcId", "AD10000TEST", "payload", link)}}})
	if step, err := f.open(t, nil).Pay(t.Context(), pay, qr, browser()); err != nil || step.Kind != providers.Scan || step.Link != link || f.last().body != "{}" {
		t.Errorf("%+v %v", step, err)
	}
	// qrcData may fail although the order has a code: users of the gateway re-read the order.
	f = newFake(map[string][]said{"qrcData": {{-1, ""}}, "read": {{0, nested}}})
	if step, err := f.open(t, nil).Pay(t.Context(), pay, qr, browser()); err != nil || step.Link != link {
		t.Errorf("%+v %v", step, err)
	}
	// It moves no money: where the order has no code, the same request is sent once more.
	f = newFake(map[string][]said{"qrcData": {{500, "oops"}, {0, orderAnswer(t, "status", "QRCDATA_CREATED", "payload", link)}}, "read": {{0, orderAnswer(t)}}})
	if step, err := f.open(t, nil).Pay(t.Context(), pay, qr, browser()); err != nil || step.Link != link || f.calls() != "login qrcData read qrcData" || f.reqID(1) != f.reqID(3) {
		t.Errorf("%+v %v; %s", step, err, f.calls())
	}
	f = newFake(map[string][]said{"read": {{0, nested}}})
	p := f.open(t, func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder })
	pay.Amount.Currency = currency(t, "EUR")
	s, err := p.Status(t.Context(), pay)
	if err != nil || s.Outcome != providers.Waiting || s.Next == nil || s.Next.Kind != providers.Scan || s.Next.Link != link {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range []string{"javascript:alert(1)", "data:text/html,x", "http://qr.nspk.ru/A", "https://qr.nspk.ru/\"onclick", "intent://x"} {
		f := newFake(map[string][]said{"qrcData": {{0, orderAnswer(t, "status", "QRCDATA_CREATED", "payload", bad)}}, "read": {{0, orderAnswer(t, "status", "QRCDATA_CREATED")}}})
		if step, err := f.open(t, nil).Pay(t.Context(), payment(t, true), qr, browser()); step.Link != "" {
			t.Errorf("%s: %+v %v", bad, step, err)
		}
	}
}

func TestSberPayWithoutALinkWaitsForTheApp(t *testing.T) {
	f := newFake(map[string][]said{"sberPay": {{0, orderAnswer(t, "status", "IN_PROCESS")}}})
	pay := payment(t, true)
	step, err := f.open(t, nil).Pay(t.Context(), pay, providers.Instrument{Kind: "sberpay"}, browser())
	if err != nil || step.Kind != providers.Wait || !strings.Contains(f.last().body, `"phoneNumber":"+79876543210"`) {
		t.Errorf("%+v %v %s", step, err, f.last().body)
	}
}

func TestWhatTheGatewayCannotExpressIsRefusedBeforeAnyCall(t *testing.T) {
	held := payment(t, true)
	held.Hold = true
	for _, kind := range []string{"qr", "sberpay", "hosted", "cheque"} {
		pay := held
		pay.Hold = kind != "cheque"
		f := newFake(nil)
		var refusal *providers.Refusal
		if step, err := f.open(t, nil).Pay(t.Context(), pay, providers.Instrument{Kind: kind}, browser()); !errors.As(err, &refusal) || f.calls() != "" {
			t.Errorf("%s: %+v %v; %s", kind, step, err, f.calls())
		}
		pay.Instrument = kind
		if _, err := f.open(t, nil).Register(t.Context(), pay); !errors.As(err, &refusal) || f.calls() != "" {
			t.Errorf("%s: %v; %s", kind, err, f.calls())
		}
	}
	// Without the shop's code there is no form, and so no card.
	p := newFake(nil).open(t, func(c *cashier.Config) { c.TSPCode, c.FormURL = "", "" })
	for kind, taken := range map[string]bool{"": true, "card": false, "saved_card": false, "hosted": false, "qr": true, "sberpay": true} {
		pay := payment(t, false)
		pay.Instrument = kind
		if err := p.Check(pay); (err == nil) != taken {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, k := range p.Instruments() {
		if k == "hosted" {
			t.Error("a hosted form without the shop's code")
		}
	}
}

// A form is asked for only where the order will be paid with it.
func TestQRAndSberPayNeedNoForm(t *testing.T) {
	for kind, calls := range map[string]string{"qr": "login order", "sberpay": "login order", "card": "login order form", "hosted": "login order form", "": "login order form"} {
		f := newFake(map[string][]said{"order": {{0, orderAnswer(t)}}, "form": {{0, formAnswer}}})
		pay := payment(t, false)
		pay.Instrument = kind
		if _, err := f.open(t, nil).Register(t.Context(), pay); err != nil || f.calls() != calls {
			t.Errorf("%s: %s %v", kind, f.calls(), err)
		}
	}
}

// Whatever is not one JSON object in the gateway's shape is no answer at all.
func TestHostileAnswersAreErrors(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{"success":true}`, `{"success":true,"order":{"id":123456,"status":"CHARGED"}} x`, "\xff\xfe{}",
		`{"success":true,"order":{"id":"../1","status":"CHARGED"}}`, `{"success":true,"order":{"id":123456,"status":"DECLINED","status":"CHARGED"}}`,
		`{"success":true,"order":{"id":123456,"status":"CHARGED","paymentAmount":1.5}}`, `{"success":true,"order":{"id":123456,"status":"CHARGED","paymentAmount":"x"}}`,
		`{"success":true,"order":{"id":123456,"status":"CHARGED","paymentAmount":99999999999999999999}}`, `{"success":true,"order":{"id":123456,"status":{}}}`,
		`{"success":"yes","order":{"id":123456,"status":"CHARGED"}}`, `{"order":{"id":123456,"status":"CHARGED"}}`, strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100),
	} {
		f := newFake(map[string][]said{"read": {{0, body}}})
		if s, err := f.open(t, nil).Status(t.Context(), payment(t, true)); err == nil {
			t.Errorf("%s: %+v", body, s)
		}
	}
	for _, status := range []int{201, 204, 302, 403, 404, 500, 502} {
		f := newFake(map[string][]said{"read": {{status, orderAnswer(t, "status", "CHARGED")}}})
		if s, err := f.open(t, nil).Status(t.Context(), payment(t, true)); err == nil {
			t.Errorf("HTTP %d: %+v", status, s)
		}
	}
	f := newFake(map[string][]said{"read": {{404, read(t, "answers/constructed_error_cashier.json")}}})
	if s, err := f.open(t, nil).Status(t.Context(), payment(t, true)); err != nil || s.Outcome != providers.NotFound {
		t.Errorf("not found in the gateway's own words: %+v %v", s, err)
	}
}

// Nothing that the gateway repeats of what it was sent gets into an error.
func TestErrorsRepeatNoSecret(t *testing.T) {
	echo := `token-1 ` + password + ` key-1 ` + pan + ` 4000 0199 0005 0008 987`
	for _, body := range []string{
		`{"Response":{"Success":false,"ErrCode":"` + echo + `","ErrMessage":"` + echo + `"}}`, `{"success":false,"description":"` + echo + `"}`,
		`{"Response":{"Success":false,"ErrMessage":"` + echo + `","ErrCode":"X"},"Order":{"OrderId":"` + external + `","Status":"DECLINED"}}`, echo,
	} {
		for _, status := range []int{200, 400, 500} {
			f := newFake(map[string][]said{"authorize": {{status, body}}, "read": {{0, orderAnswer(t, "status", "DECLINED")}}})
			step, err := f.open(t, func(c *cashier.Config) { c.APIKey = providers.NewSecret("key-1") }).Pay(t.Context(), payment(t, true), instrument(t), browser())
			text := ""
			if err != nil {
				text = err.Error()
			} else if step.Decline != nil {
				text = step.Decline.Code + step.Decline.Message
			}
			for _, secret := range []string{"token-1", password, "key-1", pan, "0005 0008", "987"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s in %q", secret, text)
				}
			}
		}
	}
}
