package cashier_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/threeds"
)

// sameJSON compares a request with a documented one, whatever the order of names.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		t.Fatalf("not JSON: %s / %s", got, want)
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Error(d)
	}
}

const (
	authorizeAnswer = `{"Response":{"Success":true},"Order":{"OrderId":"` + external + `","MerchantOrderId":"merchantOrderId","Amount":100,"Currency":"RUB","Status":"CHARGED"},"Authorize":{},"Card":{}}`
	formAnswer      = `{"id":"123456","externalOrderId":"` + external + `"}`
)

func TestLoginOrderFormAndCardAsTheyGoOverTheWire(t *testing.T) {
	f := newFake(map[string][]said{"order": {{0, orderAnswer(t)}}, "form": {{0, formAnswer}}, "authorize": {{0, authorizeAnswer}}})
	p := f.open(t, nil)
	pay := payment(t, false)
	ref, err := p.Register(t.Context(), pay)
	if err != nil {
		t.Fatal(err)
	}
	want := providers.Ref{Reference: "merchantOrderId", OrderID: "123456", More: map[string]string{"externalOrderId": external}}
	if d := cmp.Diff(want, ref); d != "" {
		t.Error(d)
	}
	pay.Ref = ref
	if step, err := p.Pay(t.Context(), pay, instrument(t), browser()); err != nil || step.Kind != providers.Finished {
		t.Fatalf("%+v %v", step, err)
	}
	wire := []sent{
		{"login", "POST https://identity.authpoint.pro/api/v1/public/login", "content-type: application/json", `{"login":"mail@email.com","password":"Password123"}`},
		{"order", "POST https://kanyonpay.pay2day.kz/api/v1/order", "authorization-token: token-1\ncontent-type: application/json\nx-req-id: " + f.reqID(1),
			`{"merchantOrderId":"merchantOrderId","paymentAmount":100,"orderCurrency":"RUB","tspId":1,"description":"comment","callbackUrl":"https://pay.example/callbacks/cashier"}`},
		{"form", "POST https://kanyonpay.pay2day.kz/api/v1/public/order/form/shop/123456", "content-type: application/json\nx-req-id: " + f.reqID(2), `{}`},
		{"authorize", "POST https://kanyonpay.pay2day.kz/api/v1/payments/authorize", "authorization-token: token-1\ncontent-type: application/json\nx-req-id: " + f.reqID(3),
			`{"OrderId":"` + external + `","PaymentType":"SMS","Card":{"Pan":"4000019900050008","ExpMonth":"07","ExpYear":"2030","Cvv":"987","Holder":"AIGERIM TEST"},` +
				`"ThreeDS":{"browserAcceptHeader":"text/html","browserUserAgent":"Mozilla/5.0","browserIP":"203.0.113.7","browserLanguage":"kk","browserJavaEnabled":false,"browserJavascriptEnabled":true,"browserColorDepth":"24","browserScreenHeight":"1080","browserScreenWidth":"1920","browserTZ":"-300"},` +
				`"Metadata":{"MerchantOrderId":"merchantOrderId","Description":"comment","CustomerId":"c1","Email":"a@b.example","Phone":"+7 (987) 654-32-10","Ip":"203.0.113.7"}}`},
	}
	if d := cmp.Diff(wire, f.seen, cmp.AllowUnexported(sent{})); d != "" {
		t.Error(d)
	}
	sameJSON(t, f.seen[0].body, read(t, "requests/login_request.json"))
}

// reqID is the x-req-id of the n-th request, which must look like a UUID.
func (f *fake) reqID(n int) string {
	if _, id, found := strings.Cut(f.seen[n].headers, "x-req-id: "); found && len(id) == 36 && strings.Count(id, "-") == 4 {
		return id
	}
	return "none"
}

// The same call about the same reference has the same x-req-id, in another process too; any other call has another.
func TestXReqIDsNameTheCallAndTheReference(t *testing.T) {
	ids := map[string]string{}
	run := func(who string, change func(*cashier.Config), reference string) {
		f := newFake(map[string][]said{"order": {{0, orderAnswer(t, "merchantOrderId", reference)}}, "form": {{0, formAnswer}}, "authorize": {{0, authorizeAnswer}},
			"refund": {{0, orderAnswer(t, "status", "REFUNDED")}}, "qrcData": {{0, orderAnswer(t, "status", "QRCDATA_CREATED", "payload", "https://qr.nspk.ru/A")}}})
		p := f.open(t, change)
		pay := payment(t, true)
		pay.Ref.Reference = reference
		if _, err := p.Register(t.Context(), pay); err != nil {
			t.Fatal(err)
		}
		_, _ = p.Pay(t.Context(), pay, instrument(t), browser())
		_, _ = p.Pay(t.Context(), pay, providers.Instrument{Kind: "qr"}, browser())
		for _, op := range []string{"r1", "r2"} {
			_, _ = p.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: op, Amount: pay.Amount})
		}
		for n, s := range f.seen {
			if s.call == "login" {
				continue
			}
			id := f.reqID(n)
			if id == "none" {
				t.Fatalf("%s has no x-req-id", s.call)
			}
			key := who + reference + s.line + s.body
			if s.call == "refund" {
				key += id // the two differ by nothing else
			}
			if other, used := ids[id]; used && other != key {
				t.Errorf("%s is used twice: %s, %s", id, other, key)
			}
			ids[id] = key
		}
	}
	run("a", nil, "ref-1")
	before := len(ids)
	run("a", nil, "ref-1")
	if before != 6 || len(ids) != before {
		t.Errorf("the same calls had other ids: %d, then %d", before, len(ids))
	}
	run("a", nil, "ref-2")
	run("b", func(c *cashier.Config) { c.Login = "other@email.com" }, "ref-1")
	run("c", func(c *cashier.Config) { c.TSPID = 2 }, "ref-1")
}

func TestWhatIsSentDependsOnTheAccountAndThePayment(t *testing.T) {
	f := newFake(map[string][]said{"order": {{0, orderAnswer(t, "orderAmount", 100, "orderCurrency", "EUR", "paymentAmount", 10250)}}, "form": {{0, formAnswer}}, "authorize": {{0, authorizeAnswer}}})
	pay := payment(t, true)
	pay.Amount.Currency = currency(t, "EUR")
	p := f.open(t, func(c *cashier.Config) {
		c.AmountMode, c.Bearer, c.APIKey = cashier.ModeOrder, true, providers.NewSecret("key-1")
	})
	if _, err := p.Register(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	if got := f.seen[1]; got.body != `{"merchantOrderId":"merchantOrderId","orderAmount":100,"orderCurrency":"EUR","tspId":1,"description":"comment","callbackUrl":"https://pay.example/callbacks/cashier"}` ||
		got.headers != "authorization: Bearer token-1\ncontent-type: application/json\nx-req-id: "+f.reqID(1) {
		t.Errorf("%+v", got)
	}

	pay.Hold = true
	in := providers.Instrument{Kind: "saved_card", Saved: "tok-1", Merchant: true}
	if _, err := p.Pay(t.Context(), pay, in, threeds.BrowserData{}); err != nil {
		t.Fatal(err)
	}
	got := f.last()
	if got.headers != "authorization: Bearer token-1\ncontent-type: application/json\nx-api-key: key-1\nx-req-id: "+f.reqID(3) {
		t.Error(got.headers)
	}
	sameJSON(t, got.body, `{"OrderId":"`+external+`","PaymentType":"DMS","Card":{"Token":"tok-1"},
		"Metadata":{"MerchantOrderId":"merchantOrderId","Description":"comment","CustomerId":"c1","Email":"a@b.example","Phone":"+7 (987) 654-32-10"}}`)
	in.Merchant = false
	in.Code = instrument(t).Card.Code
	if _, err := p.Pay(t.Context(), pay, in, browser()); err != nil {
		t.Fatal(err)
	}
	var body struct {
		Card    struct{ Token, Cvv string }
		ThreeDS map[string]any
	}
	if err := json.Unmarshal([]byte(f.last().body), &body); err != nil || body.Card.Cvv != "987" || body.ThreeDS["browserIP"] != "203.0.113.7" {
		t.Errorf("%+v %v", body, err)
	}

	// paymentAmount in an order of another currency is the document's second variant.
	f = newFake(map[string][]said{"order": {{0, orderAnswer(t, "orderCurrency", "EUR")}}})
	p = f.open(t, func(c *cashier.Config) { c.OrderCurrency, c.TSPCode, c.FormURL = "EUR", "", "" })
	pay = payment(t, false)
	pay.CallbackURL = "callback.com"
	if _, err := p.Register(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, f.last().body, read(t, "requests/order_create_request_paymentAmount.json"))
}

func TestOperationsAndPayoutsAsTheyGoOverTheWire(t *testing.T) {
	f := newFake(map[string][]said{
		"refund":      {{0, orderAnswer(t, "status", "PARTIALLY_REFUNDED", "refundedAmount", 300)}},
		"charge":      {{0, `{"Response":{"Success":true},"Order":{"OrderId":"` + external + `","Status":"CHARGED"},"Charge":{}}`}},
		"void":        {{0, `{"Response":{"Success":true},"Order":{"OrderId":"` + external + `","Status":"VOIDED"},"Void":{}}`}},
		"sberPay":     {{0, `{"succes":true,"description":"string","order":{"id":123456,"status":"IN_PROCESS","deepLink":"android-app://ru.testbankmobile/main"}}`}},
		"order":       {{0, orderAnswer(t)}},
		"payout-ips":  {{0, orderAnswer(t, "status", "PAYOUT_IN_PROGRESS")}},
		"payout-card": {{0, orderAnswer(t, "status", "IN_PROCESS")}},
	})
	p, pay := f.open(t, nil), payment(t, true)
	body := func(err error, call string) string {
		t.Helper()
		if err != nil || f.last().call != call {
			t.Fatalf("%s: %v; %s", call, err, f.calls())
		}
		return f.last().body
	}
	_, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r1", Amount: money.Amount{Minor: 300, Currency: pay.Amount.Currency}})
	sameJSON(t, body(err, "refund"), read(t, "requests/refund_request_partial.json"))
	_, err = p.Do(t.Context(), pay, providers.Op{Kind: providers.Capture, Reference: "c1", Amount: pay.Amount})
	ofOrder := strings.Replace(read(t, "requests/charge_request.json"), "ExternalOrderId", external, 1)
	sameJSON(t, body(err, "charge"), ofOrder)
	_, err = p.Do(t.Context(), pay, providers.Op{Kind: providers.Void, Reference: "v1"})
	sameJSON(t, body(err, "void"), ofOrder)

	// The document's sample writes deepLink where its table says BackUrl: we follow the table.
	sample := read(t, "requests/sberpay_request_sample.json")
	step, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "sberpay", Phone: "+79876543210"}, browser())
	sameJSON(t, body(err, "sberPay"), strings.NewReplacer("deepLink", "BackUrl", "android-app://ru.testbankmobile/main", "https://pay.example/3ds/token/return").Replace(sample))
	if step.Kind != providers.Scan || step.Link != "android-app://ru.testbankmobile/main" {
		t.Errorf("%+v", step)
	}

	pay = payment(t, false)
	_, err = p.Payout(t.Context(), pay, providers.Destination{Phone: "+7 901 123-45-67", BankID: "100000000001", First: "Ivanov", Last: "Ivan", Middle: "Ivanovich"})
	// The sample has numbers where the table says string: we follow the table.
	sameJSON(t, body(err, "payout-ips"), strings.NewReplacer("79011234567", `"79011234567"`, "100000000001", `"100000000001"`).Replace(read(t, "requests/payout_ips_request.json")))
	if f.seen[len(f.seen)-2].body != `{"merchantOrderId":"merchantOrderId","paymentAmount":100,"orderCurrency":"RUB","tspId":1,"description":"comment","callbackUrl":"https://pay.example/callbacks/cashier","type":"PayOut"}` {
		t.Error(f.seen[len(f.seen)-2].body)
	}
	in := instrument(t).Card
	in.Name = "Ivan Ivanov"
	_, err = p.Payout(t.Context(), pay, providers.Destination{Card: &card.Card{Number: in.Number, Name: in.Name}, Phone: "79998887766"})
	sameJSON(t, body(err, "payout-card"), `{"pan":"4000019900050008","holder":"Ivan Ivanov","phone":"79998887766"}`)
}

// Golden amounts: minor units of two-digit currencies, or a refusal before anything is sent.
func TestAmountsAreMinorUnitsOrRefused(t *testing.T) {
	for _, c := range []struct {
		mode, code string
		minor      int64
		want       string // what is sent, or the refused field
	}{
		{cashier.ModePayment, "RUB", 1, `"paymentAmount":1,`},
		{cashier.ModePayment, "RUB", 9_999_999_999, `"paymentAmount":9999999999,`},
		{cashier.ModePayment, "USD", 100, "currency"},
		{cashier.ModePayment, "KZT", 100, "currency"},
		{cashier.ModePayment, "JPY", 100, "currency"},
		{cashier.ModePayment, "KWD", 100, "currency"},
		{cashier.ModePayment, "RUB", 0, "amount"},
		{cashier.ModePayment, "RUB", 1_000_000_000_000, "amount"},
		{cashier.ModeOrder, "RUB", 1, `"orderAmount":1,"orderCurrency":"RUB"`},
		{cashier.ModeOrder, "USD", 9_999_999_999, `"orderAmount":9999999999,"orderCurrency":"USD"`},
		{cashier.ModeOrder, "KZT", 100, "currency"},
		{cashier.ModeOrder, "JPY", 100, "currency"},
		{cashier.ModeOrder, "KWD", 100, "currency"},
	} {
		f := newFake(map[string][]said{"order": {{-1, ""}}})
		p := f.open(t, func(s *cashier.Config) { s.AmountMode = c.mode })
		pay := payment(t, false)
		pay.Amount = money.Amount{Minor: c.minor, Currency: currency(t, c.code)}
		refusal, isRefusal := p.Check(pay).(*providers.Refusal)
		_, err := p.Register(t.Context(), pay)
		if err == nil {
			t.Fatal("registered without an answer")
		}
		if isRefusal {
			if refusal.Field != c.want || len(f.seen) != 0 {
				t.Errorf("%s %s %d: %v, %s", c.mode, c.code, c.minor, refusal, f.calls())
			}
			continue
		}
		if body := f.last().body; len(c.want) < 10 || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %d: %s", c.mode, c.code, c.minor, body)
		}
	}
	p := newFake(nil).open(t, nil)
	for field, change := range map[string]func(*providers.Payment){
		"fee":  func(p *providers.Payment) { p.Fee = 1 },
		"kind": func(p *providers.Payment) { p.Transfer = &providers.Destination{Phone: "7"} },
	} {
		pay := payment(t, false)
		change(&pay)
		if r, ok := p.Check(pay).(*providers.Refusal); !ok || r.Field != field {
			t.Errorf("%s: %v", field, r)
		}
	}
}

// A contract that pays in another currency: the gateway is told, sums are compared in it, and what pays in roubles alone is not offered.
func TestAnAccountThatPaysInAnotherCurrencySaysSo(t *testing.T) {
	f := newFake(map[string][]said{"order": {{0, orderAnswer(t, "orderCurrency", "KZT", "paymentCurrency", "KZT")}}, "form": {{0, formAnswer}},
		"read": {{0, orderAnswer(t, "status", "CHARGED", "paymentCurrency", "KZT")}, {0, orderAnswer(t, "status", "CHARGED")}}})
	p := f.open(t, func(c *cashier.Config) { c.PaymentCurrency = "KZT" })
	pay := payment(t, false)
	pay.Amount.Currency = currency(t, "KZT")
	if err := p.Check(pay); err != nil {
		t.Error(err)
	}
	if _, err := p.Register(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, f.seen[1].body, `{"merchantOrderId":"merchantOrderId","paymentAmount":100,"orderCurrency":"RUB","paymentCurrency":"KZT","tspId":1,
		"description":"comment","callbackUrl":"https://pay.example/callbacks/cashier"}`)
	known := payment(t, true)
	known.Amount.Currency = currency(t, "KZT")
	if s, err := p.Status(t.Context(), known); err != nil || s.Outcome != providers.Paid || s.Amount != known.Amount {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := p.Status(t.Context(), known); err != nil || !s.OtherAmount(known.Amount) {
		t.Errorf("an order in roubles: %+v %v", s, err)
	}
	if got := p.Instruments(); !slices.Equal(got, []string{"hosted"}) {
		t.Errorf("%v", got)
	}
	for _, refused := range []func(*providers.Payment){
		func(p *providers.Payment) { p.Amount.Currency = currency(t, "RUB") }, func(p *providers.Payment) { p.Instrument = "qr" },
		func(p *providers.Payment) { p.Instrument = "sberpay" },
	} {
		other := pay
		refused(&other)
		if err := p.Check(other); err == nil {
			t.Errorf("%+v is taken", other)
		}
	}
	for code, good := range map[string]bool{"": true, "KZT": true, "USD": true, "JPY": false, "USDT": false, "kzt": false} {
		c := config()
		c.PaymentCurrency = code
		if faults := c.Faults(); (len(faults) == 0) != good {
			t.Errorf("%q: %v", code, faults)
		}
	}
}
