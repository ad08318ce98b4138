package rbs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// send sends a request to a path under /rbs and reads the answer, which may have any HTTP status.
func (w *world) send(method, path, contentType, body string) (int, answer) {
	w.T.Helper()
	req, err := http.NewRequest(method, w.Server.URL+"/rbs"+path, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	a := answer{}
	if err := d.Decode(&a); err != nil {
		w.T.Fatalf("%s %s answers no JSON: %s", method, path, raw)
	}
	return res.StatusCode, a
}

// partner calls the JSON dialect.
func (w *world) partner(call string, members map[string]any) answer {
	w.T.Helper()
	all := map[string]any{"userName": w.cfg.Accounts[0].UserName, "password": w.cfg.Accounts[0].Password}
	for name, v := range members {
		all[name] = v
	}
	body, _ := json.Marshal(all)
	status, a := w.send("POST", "/ecomm/gw/partner/api/v1/"+call, "application/json", string(body))
	if status != 200 {
		w.T.Fatalf("%s answers %d %v", call, status, a)
	}
	if _, text := a["errorCode"].(string); !text && a["success"] == nil {
		w.T.Fatalf("%s: errorCode is always there, as text: %v", call, a)
	}
	return a
}

func TestAWrongContentTypeIsToldAsWhatItIs(t *testing.T) {
	w := newWorld(t, nil)
	form := w.form("orderNumber", "1", "amount", "2000", "returnUrl", w.shop.URL)
	asJSON := `{"userName":"` + form.Get("userName") + `","password":"` + form.Get("password") + `","amount":2000}`
	var parts bytes.Buffer
	m := multipart.NewWriter(&parts)
	for name := range form {
		m.WriteField(name, form.Get(name))
	}
	m.Close()
	for name, c := range map[string]struct{ method, path, kind, body, want string }{
		"JSON to the form API":           {"POST", "/payment/rest/register.do", "application/json", asJSON, "application/json"},
		"multipart to the form API":      {"POST", "/payment/rest/register.do", m.FormDataContentType(), parts.String(), "multipart/form-data"},
		"text to the form API":           {"POST", "/payment/rest/register.do", "text/plain", form.Encode(), "text/plain"},
		"a form without a type":          {"POST", "/payment/rest/register.do", "", form.Encode(), "no Content-Type"},
		"a GET with a body":              {"GET", "/payment/rest/register.do", "application/x-www-form-urlencoded", form.Encode(), "GET"},
		"a form to the JSON dialect":     {"POST", "/ecomm/gw/partner/api/v1/register.do", "application/x-www-form-urlencoded", form.Encode(), "application/json"},
		"multipart to recurrentPayment":  {"POST", "/payment/recurrentPayment.do", m.FormDataContentType(), parts.String(), "multipart/form-data"},
		"a list to the JSON dialect":     {"POST", "/ecomm/gw/partner/api/v1/register.do", "application/json", `[1]`, "JSON object"},
		"JSON to a payment call":         {"POST", "/payment/rest/paymentorder.do", "application/json", asJSON, "paymentorder.do"},
		"JSON to getOrderStatus.do":      {"POST", "/payment/rest/getOrderStatus.do", "application/json", asJSON, "getOrderStatus.do"},
		"JSON to createBindingNoPayment": {"POST", "/payment/rest/createBindingNoPayment.do", "application/json", asJSON, "x-www-form-urlencoded"},
	} {
		t.Run(name, func(t *testing.T) {
			status, a := w.send(c.method, c.path, c.kind, c.body)
			all, _ := json.Marshal(a)
			if status != 200 || !strings.Contains(string(all), c.want) || strings.Contains(string(all), "Access denied") ||
				!strings.Contains(string(all), "4") {
				t.Errorf("%d %s", status, all)
			}
		})
	}
	if len(w.Env.Ledger.All()) != 0 {
		t.Error("an order was registered")
	}
	// Parameters in the query are read, whatever an empty body says of itself.
	for _, method := range []string{"GET", "POST"} {
		form.Set("orderNumber", method)
		if _, a := w.send(method, "/payment/rest/register.do?"+form.Encode(), "application/json", "{}"); a.text("orderId") == "" {
			t.Errorf("%s with a query: %v", method, a)
		}
	}
}

func TestARecurrentPaymentIsRegisteredAndPaidInOneCallByEveryPath(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "first", "clientId", "client-1")
	w.pay(id, noTDS)
	binding := w.status(id).in("bindingInfo").text("bindingId")
	user, password := w.cfg.Accounts[0].UserName, w.cfg.Accounts[0].Password
	asJSON := func(number, binding string) string {
		text, _ := json.Marshal(map[string]any{"userName": user, "password": password, "orderNumber": number, "language": "EN",
			"bindingId": binding, "amount": 1200, "currency": "398", "description": "Test",
			"additionalParameters": map[string]any{"plan": "gold"}})
		return string(text)
	}
	form := url.Values{"userName": {user}, "password": {password}, "orderNumber": {"by-form"}, "bindingId": {binding}, "amount": {"1200"}}
	for name, send := range map[string]func() (int, answer){
		"JSON beside rest": func() (int, answer) {
			return w.send("POST", "/payment/recurrentPayment.do", "application/json", asJSON("a", binding))
		},
		"JSON under rest": func() (int, answer) {
			return w.send("POST", "/payment/rest/recurrentPayment.do", "application/json", asJSON("b", binding))
		},
		"a form under rest": func() (int, answer) {
			return w.send("POST", "/payment/rest/recurrentPayment.do", "application/x-www-form-urlencoded", form.Encode())
		},
		"the JSON dialect": func() (int, answer) {
			return w.send("POST", "/ecomm/gw/partner/api/v1/recurrentPayment.do", "application/json", asJSON("c", binding))
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, a := send()
			if status != 200 || a["success"] != true || a["errorCode"] != nil || a.in("orderStatus").int("orderStatus") != 2 {
				t.Fatalf("%d %v", status, a)
			}
			id := a.in("data").text("orderId")
			w.mustLedger(id, 1, 1200, 1200, 0)
			w.mustStatus(id, 2, 0)
		})
	}
	for name, c := range map[string]struct{ body, code string }{
		"the same number again": {asJSON("a", binding), "10"},
		"an unknown binding":    {asJSON("d", "none"), "2"},
		"no binding":            {asJSON("e", ""), "4"},
		"a wrong password":      {strings.Replace(asJSON("f", binding), password, "wrong", 1), "5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, a := w.send("POST", "/payment/recurrentPayment.do", "application/json", c.body)
			if a["success"] != false || a.in("error").text("code") != c.code || a.in("error").text("message") == "" || a["errorCode"] != nil {
				t.Errorf("%v", a)
			}
		})
	}
}

func TestARecurrentPaymentThatTheBankRefusesIsHandledAndNotPaid(t *testing.T) {
	w := newWorld(t, nil)
	made := w.call("createBindingNoPayment.do", "clientId", "c", "cardholderName", "A B", "expiryDate", "203012", "pan", noFunds)
	if made["error"] != false || made.int("errorCode") != 0 || made.text("bindingId") == "" {
		t.Fatalf("%v", made)
	}
	a := w.call("recurrentPayment.do", "orderNumber", "1", "amount", "1200", "bindingId", made.text("bindingId"))
	if a["success"] != true || a.in("orderStatus").int("orderStatus") != 6 || a.in("orderStatus").int("actionCode") != 116 {
		t.Fatalf("%v", a)
	}
	w.mustLedger(a.in("data").text("orderId"), 0, 0, 0, 0)
}

func TestAnInstantPaymentRegistersAndPaysAndShowsTheOldStatus(t *testing.T) {
	w := newWorld(t, nil)
	pay := func(number, pan string, more ...string) answer {
		return w.call("instantPayment.do", append([]string{"orderNumber", number, "amount", "2000", "currency", "398", "returnUrl",
			w.shop.URL + "/ok", "pan", pan, "cvc", "123", "expiry", "203012", "cardholderName", "A B"}, more...)...)
	}
	a := pay("1", noTDS)
	if a.code() != "0" || a.in("orderStatus").int("OrderStatus") != 2 || a.text("redirect") == "" || a.in("orderStatus").text("OrderNumber") != "1" {
		t.Fatalf("%v", a)
	}
	w.mustLedger(a.text("orderId"), 1, 2000, 2000, 0)
	if a := pay("2", noTDS, "preAuth", "true"); a.in("orderStatus").int("OrderStatus") != 1 {
		t.Errorf("a hold: %v", a)
	}
	if a := pay("3", noFunds); a.code() != "0" || a.in("orderStatus").int("OrderStatus") != 0 || a.text("error") == "" {
		t.Errorf("a refusal: %v", a)
	}
	a = pay("4", frictionless, "threeDSVer2FinishUrl", w.shop.URL+"/3ds")
	if a["is3DSVer2"] != true || a.in("orderStatus").int("OrderStatus") != 0 {
		t.Fatalf("the Method step: %v", a)
	}
	a = w.call("instantPayment.do", "amount", "2000", "returnUrl", w.shop.URL, "threeDSVer2MdOrder", a.text("orderId"),
		"threeDSServerTransId", a.text("threeDSServerTransId"))
	if a.in("orderStatus").int("OrderStatus") != 2 {
		t.Errorf("after the Method: %v", a)
	}
	if a := w.call("motoPayment.do", "orderNumber", "5", "amount", "100", "returnUrl", w.shop.URL, "pan", challengeOK, "expiry", "203012"); a.in("orderStatus").int("OrderStatus") != 2 {
		t.Errorf("an order by telephone knows no 3-D Secure: %v", a)
	}
	if a := pay("1", noTDS); a.code() != "1" {
		t.Errorf("a number twice: %v", a)
	}
}

func TestBindingsAreMadeWithoutPaymentFoundByCardAndExtended(t *testing.T) {
	w := newWorld(t, nil)
	create := func(client string, more ...string) answer {
		return w.call("createBindingNoPayment.do", append([]string{"clientId", client, "cardholderName", "A B", "expiryDate", "202701",
			"pan", noTDS}, more...)...)
	}
	one, two := create("one"), create("two")
	if one.text("maskedPan") != "400001**0008" || one.text("clientId") != "one" || one.text("bindingId") == two.text("bindingId") {
		t.Fatalf("%v %v", one, two)
	}
	if bad := create("three", "pan", "4000019900050009"); bad.code() != "1" || bad["error"] != true {
		t.Errorf("a wrong number: %v", bad)
	}
	if bad := create(""); bad.code() != "4" || bad["error"] != true {
		t.Errorf("no client: %v", bad)
	}
	list := func(pairs ...string) int {
		a := w.call("getBindingsByCardOrId.do", pairs...)
		found, _ := a["bindings"].([]any)
		if a.code() != "0" && a.code() != "2" {
			t.Errorf("%v: %v", pairs, a)
		}
		return len(found)
	}
	if n := list("pan", noTDS); n != 2 {
		t.Errorf("by card %d", n)
	}
	if n := list("bindingId", two.text("bindingId")); n != 2 {
		t.Errorf("by binding %d: its card's", n)
	}
	if n := list("pan", frictionless); n != 0 {
		t.Errorf("another card has %d", n)
	}
	if a := w.call("getBindingsByCardOrId.do"); a.code() != "4" {
		t.Errorf("nothing named: %v", a)
	}
	w.Pass(9000 * time.Hour)
	if n := list("pan", noTDS); n != 0 {
		t.Errorf("expired %d", n)
	}
	if n := list("pan", noTDS, "showExpired", "true"); n != 2 {
		t.Errorf("with expired %d", n)
	}
	if a := w.call("extendBinding.do", "bindingId", one.text("bindingId"), "newExpiry", "203512", "language", "en"); a.text("errorCode") != "0" {
		t.Errorf("%v", a)
	}
	if n := list("pan", noTDS); n != 1 {
		t.Errorf("extended %d", n)
	}
	for want, pairs := range map[string][]string{"2": {"bindingId", "none", "newExpiry", "203512"},
		"5": {"bindingId", one.text("bindingId"), "newExpiry", "202613"}, "4": {"bindingId", one.text("bindingId")}} {
		if a := w.call("extendBinding.do", pairs...); a.text("errorCode") != want {
			t.Errorf("%v: %v", pairs, a)
		}
	}
}

func TestCardsAreVerifiedWithoutTakingAnything(t *testing.T) {
	w := newWorld(t, nil)
	for pan, want := range map[string]string{challengeOK: "Y", legacyOK: "Y", noTDS: "N"} {
		if a := w.call("verifyEnrollment.do", "pan", pan); a.text("errorCode") != "0" || a.text("enrolled") != want || a.text("emitterCountryCode") == "" {
			t.Errorf("%s: %v", pan, a)
		}
	}
	for pan, want := range map[string]string{noTDS: "0", noFunds: "116", frictionless: "0"} {
		a := w.call("verifyCard.do", "pan", pan, "cvc", "123", "expiry", "203012")
		if a.text("errorCode") != "0" || a.text("actionCode") != want || a.text("orderId") == "" {
			t.Errorf("%s: %v", pan, a)
		}
		w.mustLedger(a.text("orderId"), 0, 0, 0, 0)
	}
	if a := w.call("verifyCard.do", "pan", noTDS, "cvc", "124", "expiry", "203012"); a.text("actionCode") != "82" {
		t.Errorf("a wrong CVC: %v", a)
	}
}

func TestACardOnTheSSLListNeedsNo3DSAnyMore(t *testing.T) {
	w := newWorld(t, nil)
	id, _, a := w.challenge("1", challengeOK)
	w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}}).submit()
	w.mustStatus(id, 2, 0)
	if a := w.call("updateSSLCardList.do", "mdorder", id); a.text("errorCode") != "0" {
		t.Fatalf("%v", a)
	}
	w.restart()
	if a := w.pay(w.register("register.do", "2"), challengeOK); a.text("redirect") == "" {
		t.Errorf("%v", a)
	}
	if a := w.call("updateSSLCardList.do", "mdorder", w.register("register.do", "3")); a.code() != "7" {
		t.Errorf("an order without a card: %v", a)
	}
}

func TestTheJSONDialectPaysThroughEveryStep(t *testing.T) {
	w := newWorld(t, nil)
	register := func(number string) string {
		a := w.partner("register.do", map[string]any{"orderNumber": number, "amount": 2000, "currency": "398", "features": "FORCE_TDS",
			"returnUrl": w.shop.URL + "/ok", "clientId": "c", "jsonParams": map[string]any{"a": "b"}})
		if !strings.Contains(a.text("formUrl"), "/rbs/pp/pay_ru?orderId="+a.text("orderId")) || a.text("errorMessage") == "" {
			t.Fatalf("%v", a)
		}
		return a.text("orderId")
	}
	pay := func(id, pan string, more map[string]any) answer {
		all := map[string]any{"MDORDER": id, "$PAN": pan, "$CVC": "123", "YYYY": "2030", "MM": "12", "ip": "127.0.0.1",
			"jsonParams": map[string]any{"browserLanguage": "ru"}}
		for k, v := range more {
			all[k] = v
		}
		return w.partner("paymentOrder.do", all)
	}
	status := func(id string) int64 {
		return w.partner("getOrderStatusExtended.do", map[string]any{"orderId": id}).int("orderStatus")
	}

	id := register("plain")
	if a := pay(id, noTDS, nil); a.text("redirect") == "" || a.text("error") == "" || a["is3DSVer2"] != nil || status(id) != 2 {
		t.Errorf("no 3-D Secure: %v", a)
	}
	binding := w.partner("getBindings.do", map[string]any{"clientId": "c"})["bindings"].([]any)[0].(map[string]any)["bindingId"].(string)
	if a := w.partner("paymentOrderBinding.do", map[string]any{"mdOrder": register("bound"), "bindingId": binding, "ip": "127.0.0.1"}); a.text("redirect") == "" {
		t.Errorf("by binding: %v", a)
	}
	if a := w.partner("unbindCard.do", map[string]any{"bindingId": binding}); a.text("errorCode") != "0" {
		t.Errorf("%v", a)
	}
	if a := w.partner("unBindCard.do", map[string]any{"bindingId": binding}); a.text("errorCode") != "2" {
		t.Errorf("the other spelling: %v", a)
	}

	for name, pan := range map[string]string{"with a Method": challengeOK, "soft decline": soft} {
		id = register(name)
		ours := map[string]any{"termUrl": w.shop.URL + "/term", "threeDSMethodNotificationUrl": w.shop.URL + "/method"}
		a := pay(id, pan, ours)
		if a.text("threeDSMethodURL") == "" || a.text("threeDSMethodData") == "" || a["threeDSMethodURLServer"] != nil {
			t.Fatalf("%s: %v", name, a)
		}
		a = w.partner("finish3dsMethod.do", map[string]any{"mdOrder": id, "threeDSServerTransId": a.text("threeDSServerTransId"), "threeDSCompInd": "Y"})
		if a.text("cReq") == "" || a.text("termUrl") != w.shop.URL+"/term" || a["packedCReq"] != nil {
			t.Fatalf("%s: %v", name, a)
		}
		cres := w.answerOf(w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("cReq")}}).page, "cres")
		if bad := w.partner("finish3dsPayment.do", map[string]any{"mdOrder": id, "cRes": "e30"}); bad.text("errorCode") != "5" {
			t.Errorf("%s: another's CRes: %v", name, bad)
		}
		w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("cReq")}})
		if a = w.partner("finish3dsPayment.do", map[string]any{"mdOrder": id, "cRes": cres}); a.text("redirect") == "" || status(id) != 2 {
			t.Errorf("%s: %v", name, a)
		}
		w.mustLedger(id, 1, 2000, 2000, 0)
	}

	id = register("no method")
	if a := pay(id, noMethod, nil); a.text("redirect") == "" || status(id) != 2 {
		t.Errorf("a card without a Method goes on by itself: %v", a)
	}
	id = register("1.0.2")
	a := pay(id, legacyOK, map[string]any{"termUrl": w.shop.URL + "/term"})
	if a.text("paReq") == "" || a.text("termUrl") != w.shop.URL+"/term" {
		t.Fatalf("%v", a)
	}
	pares := w.answerOf(w.browser().post(a.text("acsUrl"), url.Values{"PaReq": {a.text("paReq")}, "MD": {id}, "TermUrl": {a.text("termUrl")}}).page, "PaRes")
	if a := w.partner("finish3dsPayment.do", map[string]any{"mdOrder": id, "paRes": pares}); a.text("redirect") == "" || status(id) != 2 {
		t.Errorf("%v", a)
	}
	for call, members := range map[string]map[string]any{
		"refund.do":  {"orderId": id, "amount": 500},
		"reverse.do": {"orderId": register("to reverse")},
	} {
		if a := w.partner(call, members); a.text("errorMessage") == "" {
			t.Errorf("%s: %v", call, a)
		}
	}
	if b := w.browser().get(w.partner("register.do", map[string]any{"orderNumber": "page", "amount": 100, "returnUrl": w.shop.URL})["formUrl"].(string)); !strings.Contains(b.page, "$PAN") {
		t.Errorf("the page at formUrl: %s", b.page)
	}
}

// answerOf is the value of a field of the page's form.
func (w *world) answerOf(page, field string) string {
	w.T.Helper()
	for _, in := range inputTag.FindAllStringSubmatch(page, -1) {
		if in[1] == field {
			return in[2]
		}
	}
	w.T.Fatalf("no %s in %s", field, page)
	return ""
}

const bundle = `{"ffdVersion":"1.05","cartItems":{"items":[
	{"positionId":"1","name":"Grapes","quantity":{"value":0.4,"measure":"kg"},"itemPrice":2500,"itemAmount":1000,"itemCode":"a",
	 "tax":{"taxType":6},"paymentMethod":"full_payment","paymentObject":"commodity"},
	{"positionId":2,"name":"Delivery","quantity":{"value":"1","measure":"pcs"},"itemPrice":"1000","itemCode":"b","tax":{"taxType":0},
	 "itemAttributes":{"attributes":[{"name":"paymentMethod","value":"4"},{"name":"paymentObject","value":"4"}]}}]}}`

func TestACartThatDoesNotFitTheOrderIsError8(t *testing.T) {
	w := newWorld(t, nil)
	w.register("register.do", "fits", "orderBundle", bundle)
	for name, change := range map[string][2]string{
		"sum":                    {`"itemAmount":1000`, `"itemAmount":1001`},
		"price times quantity":   {`"itemPrice":2500`, `"itemPrice":2400`},
		"position twice":         {`"positionId":2`, `"positionId":1`},
		"no position":            {`"positionId":2`, `"position":2`},
		"no name":                {`"name":"Grapes"`, `"name":""`},
		"no measure":             {`"measure":"kg"`, `"unit":"kg"`},
		"four decimals":          {`"value":0.4`, `"value":0.4001`},
		"nothing":                {`"value":0.4`, `"value":0`},
		"unknown tax":            {`"taxType":6`, `"taxType":99`},
		"no payment method":      {`"paymentMethod":"full_payment"`, `"a":"b"`},
		"unknown format":         {`"1.05"`, `"1.1"`},
		"a measure without code": {`"1.05"`, `"1.2"`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(bundle, change[0], change[1], 1)
			a := w.call("register.do", "orderNumber", name, "amount", "2000", "returnUrl", w.shop.URL, "orderBundle", changed)
			if a.text("errorCode") != "8" || a.text("orderId") != "" || changed == bundle {
				t.Errorf("%v", a)
			}
		})
	}
	if a := w.call("register.do", "orderNumber", "x", "amount", "2000", "returnUrl", w.shop.URL, "orderBundle", "{"); a.text("errorCode") != "4" {
		t.Errorf("no JSON: %v", a)
	}
}

func TestReceiptsFollowTheMoneyAndAreDeliveredALittleLater(t *testing.T) {
	w := newWorld(t, nil)
	receipts := func(pairs ...string) []answer {
		t.Helper()
		a := w.call("getReceiptStatus.do", pairs...)
		list, ok := a["receipt"].([]any)
		if a.text("errorCode") != "0" || !ok {
			t.Fatalf("%v", a)
		}
		var out []answer
		for _, one := range list {
			out = append(out, one.(map[string]any))
		}
		return out
	}
	id := w.register("register.do", "1", "orderBundle", bundle)
	if got := receipts("orderId", id); len(got) != 0 {
		t.Fatalf("before the payment: %v", got)
	}
	w.pay(id, noTDS)
	got := receipts("orderId", id)
	if len(got) != 1 || got[0].int("receiptStatus") != 0 || got[0].int("amount_total") != 2000 {
		t.Fatalf("%v", got)
	}
	w.Pass(receiptDelay)
	if got = receipts("uuid", got[0].text("uuid")); got[0].int("receiptStatus") != 1 || got[0].text("fiscal_receipt_number") == "" {
		t.Fatalf("%v", got)
	}
	if a := w.call("refund.do", "orderId", id, "amount", "500"); a.text("errorCode") != "8" {
		t.Errorf("a part without its items: %v", a)
	}
	part := func(quantity, amount string) string {
		return `{"items":[{"positionId":"1","name":"Grapes","quantity":{"value":` + quantity + `,"measure":"kg"},"itemPrice":2500,
			"itemAmount":` + amount + `,"tax":{"taxType":6},"paymentMethod":"full_payment","paymentObject":"commodity"}]}`
	}
	if a := w.call("refund.do", "orderId", id, "amount", "1500", "refundItems", part("0.6", "1500")); a.text("errorCode") != "8" {
		t.Errorf("more than was bought: %v", a)
	}
	if a := w.call("refund.do", "orderId", id, "amount", "500", "refundItems", part("0.2", "500")); a.text("errorCode") != "0" {
		t.Fatalf("%v", a)
	}
	w.restart()
	if a := w.call("refund.do", "orderId", id, "amount", "1500"); a.text("errorCode") != "0" {
		t.Fatalf("the rest needs no items: %v", a)
	}
	w.Pass(receiptDelay)
	got = receipts("orderNumber", "1")
	if len(got) != 3 || got[1].int("receiptStatus") != 4 || got[2].int("amount_total") != 1500 {
		t.Fatalf("%v", got)
	}
	items, _ := got[2]["ofdOrderBundle"].([]any)
	if len(items) != 2 || answer(items[0].(map[string]any)).int("itemAmount") != 500 || answer(items[0].(map[string]any)).in("quantity").text("value") != "0.2" {
		t.Fatalf("%v", items)
	}

	id = w.register("registerPreAuth.do", "2", "orderBundle", strings.Replace(bundle, "Delivery", failingItem, 1))
	w.pay(id, noTDS)
	if len(receipts("orderId", id)) != 0 {
		t.Error("a hold has no receipt")
	}
	w.call("deposit.do", "orderId", id, "amount", "2000")
	if got := receipts("orderId", id); len(got) != 1 || got[0].int("receiptStatus") != 2 {
		t.Errorf("%v", got)
	}
	status, a := w.send("POST", "/ecomm/gw/partner/api/ofd/v1/getReceiptStatus", "application/json",
		`{"userName":"tollgate-api","password":"sandbox-rbs-password","orderId":"`+id+`"}`)
	if list, _ := a["receipts"].([]any); status != 200 || len(list) != 1 {
		t.Errorf("the JSON dialect: %d %v", status, a)
	}
	status, a = w.send("POST", "/ecomm/gw/partner/api/ofd/v1/getReceiptStatus", "application/json",
		`{"userName":"tollgate-api","password":"sandbox-rbs-password","orderId":"none"}`)
	if status != 404 || a.text("message") == "" {
		t.Errorf("%d %v", status, a)
	}
}

func TestAnOrderMayHaveAFeeAChildMerchantAndDatesOfItsHold(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "fee", "feeInput", "150", "merchantLogin", "tollgate-branch", "phone", "+77010000000")
	w.pay(id, noTDS)
	if s := w.status(id); s.in("paymentAmountInfo").int("totalAmount") != 2150 || s.int("amount") != 2000 {
		t.Errorf("%v", s)
	}
	for name, pairs := range map[string][]string{"5": {"merchantLogin", "stranger"}, "4": {"phone", "call me"}} {
		if a := w.call("register.do", append([]string{"orderNumber", name, "amount", "1", "returnUrl", w.shop.URL}, pairs...)...); a.text("errorCode") != name {
			t.Errorf("%v: %v", pairs, a)
		}
	}
	at := w.Clock().Add(time.Hour).UTC().Format(wireTime)
	captured := w.register("registerPreAuth.do", "completes", "autocompletionDate", at)
	reversed := w.register("registerPreAuth.do", "reverses", "autoReverseDate", at)
	w.pay(captured, noTDS)
	w.pay(reversed, noTDS)
	w.mustStatus(captured, 1, 0)
	w.Pass(time.Hour)
	w.mustStatus(captured, 2, 0)
	w.mustStatus(reversed, 3, 0)
	w.mustLedger(captured, 1, 2000, 2000, 0)
}

func TestTheHostedPageSaysItsLanguage(t *testing.T) {
	w := newWorld(t, nil)
	for lang, want := range map[string][2]string{"ru": {`lang="ru"`, "Номер карты"}, "en": {`lang="en"`, "Card number"}, "kk": {`lang="en"`, "Card number"}} {
		a := w.call("register.do", "orderNumber", lang, "amount", "1", "returnUrl", w.shop.URL, "language", lang)
		b := w.browser().get(a.text("formUrl"))
		if !strings.Contains(b.page, want[0]) || !strings.Contains(b.page, want[1]) {
			t.Errorf("%s: %s", lang, b.page)
		}
		if lang == "ru" {
			b.submit("$PAN", noFunds, "MM", "12", "YYYY", "2030", "$CVC", "123", "TEXT", "A B")
			if !strings.Contains(b.page, "Недостаточно средств") || !strings.Contains(b.page, `lang="ru"`) {
				t.Errorf("a refusal: %s", b.page)
			}
		}
	}
}

func TestEveryCallIsServed(t *testing.T) {
	w := newWorld(t, nil)
	for name := range methods {
		if a := w.raw(name, url.Values{"userName": {"tollgate-api"}, "password": {"wrong"}}); !strings.Contains(fmt.Sprint(a), "Access denied") {
			t.Errorf("%s: %v", name, a)
		}
	}
	for name := range partnerMethods {
		if _, a := w.send("POST", "/ecomm/gw/partner/api/v1/"+name, "application/json", `{"token":"wrong"}`); !strings.Contains(fmt.Sprint(a), "Access denied") {
			t.Errorf("%s: %v", name, a)
		}
	}
}
