package cashier

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAPaymentInOneStage(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("sms-1", "")
	ext := w.form(id)
	a := w.authorize(ext, "SMS", "4000019900050008")
	if a.at("Response.Success") != "true" || a.at("Order.Status") != "CHARGED" || a.at("Order.OrderId") != ext || a.at("Authorize.AuthCode") == "" || a.at("Card.MaskedPan") != "400001******0008" {
		t.Fatal(a)
	}
	w.status(id, "CHARGED")
	w.mustLedger("sms-1", 1, 123456, 123456, 0)
	if e := w.ledger("sms-1"); e.Gateway != "cashier" || e.GatewayOrderID != id || e.Amount != 123456 || e.Currency != "RUB" {
		t.Errorf("%+v", e)
	}
}

func TestAHoldIsChargedOrVoidedOnce(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		call, status       string
		captured, authored int64
	}{{"charge", "CHARGED", 123456, 123456}, {"void", "VOIDED", 0, 0}} {
		number := "dms-" + c.call
		id := w.order(number, "")
		ext := w.form(id)
		if a := w.authorize(ext, "DMS", "4000019900050008"); a.at("Order.Status") != "AUTHORIZED" {
			t.Fatal(a)
		}
		w.mustLedger(number, 1, 123456, 0, 0)
		body := `{"OrderId":"` + ext + `"}`
		if a := w.call(200, "POST", "/payments/"+c.call, body); a.at("Order.Status") != c.status || a.at("Response.Success") != "true" {
			t.Fatal(a)
		}
		for _, again := range []string{"charge", "void"} {
			if a := w.call(200, "POST", "/payments/"+again, body); a.at("Response.Success") != "false" || a.at("Response.ErrCode") == "" {
				t.Errorf("%s after %s: %v", again, c.call, a)
			}
		}
		w.mustLedger(number, 1, c.authored, c.captured, 0)
	}
}

func TestEveryCardEndsAsTheIssuerSays(t *testing.T) {
	w := newWorld(t, nil)
	for n, c := range []struct{ pan, answered, ends, home string }{
		{"4000019900020001", "CHARGED", "CHARGED", ""},
		{"4000019900020100", "DECLINED", "DECLINED", ""},
		{"4000019900020605", "DECLINED", "DECLINED", ""},
		{"4000019900050107", "DECLINED", "DECLINED", ""},
		{"4000019900020704", "PRE_AUTHORIZED_3DS", "CHARGED", "/success"},
		{"4000019900020712", "PRE_AUTHORIZED_3DS", "DECLINED", "/fail"},
		{"4000019900020902", "PRE_AUTHORIZED_3DS", "CHARGED", "/success"},
		{"4000019900040702", "PRE_AUTHORIZED_3DS", "CHARGED", "/success"},
		{"4000019900040710", "PRE_AUTHORIZED_3DS", "DECLINED", "/fail"},
		{"4000019900060700", "PRE_AUTHORIZED_3DS", "DECLINED", "/fail"},
		{"4111111111111111", "DECLINED", "DECLINED", ""},
	} {
		number := fmt.Sprintf("card-%d", n)
		id := w.order(number, "")
		ext := w.form(id)
		if a := w.authorize(ext, "SMS", c.pan); a.at("Order.Status") != c.answered || (a.at("Response.Success") == "true") != (c.answered != "DECLINED") {
			t.Fatalf("%s: %v", c.pan, a)
		}
		if c.home != "" {
			w.status(id, "PRE_AUTHORIZED_3DS")
			w.mustLedger(number, 0, 0, 0, 0)
			if home := w.hosted(ext).home(); home != c.home {
				t.Errorf("%s came home to %s", c.pan, home)
			}
			if home := w.hosted(ext).home(); home != c.home {
				t.Errorf("%s, opened again, came home to %s", c.pan, home)
			}
		}
		w.status(id, c.ends)
		charges := 0
		if c.ends == "CHARGED" {
			charges = 1
		}
		if e := w.ledger(number); e.Charges != charges {
			t.Errorf("%s: %+v", c.pan, e)
		}
	}
}

func TestTheHostedFormTakesACardAndGoesBackToTheShop(t *testing.T) {
	w := newWorld(t, nil)
	for n, c := range []struct{ pan, home, ends string }{
		{"4000 0199 0005 0008", "/success", "CHARGED"}, {"4000019900050107", "/fail", "DECLINED"}, {"4000019900020704", "/success", "CHARGED"},
	} {
		id := w.order(fmt.Sprintf("hosted-%d", n), "")
		b := w.hosted(w.form(id))
		for _, bad := range []string{"", "4000019900050009"} {
			if b.submit("number", bad, "expiry", "12/30", "cvc", "123"); !strings.Contains(b.page, "Card number") {
				t.Fatalf("%q was taken: %s", bad, b.page)
			}
		}
		if home := b.submit("number", c.pan, "expiry", "12/30", "cvc", "123", "name", "TEST").home(); home != c.home {
			t.Errorf("%s came home to %s", c.pan, home)
		}
		w.status(id, c.ends)
	}
	id := w.order("opened-by-get", "")
	ext := w.form(id)
	if b := w.open(w.Server.URL+"/cashier/form/"+ext, nil).submit("number", "4000019900050008", "expiry", "12/30", "cvc", "123"); !strings.Contains(b.page, "CHARGED") {
		t.Error(b.page)
	}
}

func TestADecoupledCardIsDecidedWithoutABrowser(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("decoupled", "")
	if a := w.authorize(w.form(id), "SMS", "4000019900020803"); a.at("Order.Status") != "AUTHORIZATION" {
		t.Fatal(a)
	}
	w.status(id, "AUTHORIZATION")
	w.Pass(10 * time.Second)
	w.status(id, "CHARGED")
}

func TestRefundsNeverExceedWhatWasCharged(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("refunds", "")
	if a := w.call(400, "POST", "/order/refund/"+id, `{"amount":1}`); a.at("success") != "false" || a.at("description") == "" {
		t.Error(a)
	}
	w.authorize(w.form(id), "SMS", "4000019900050008")
	w.call(200, "POST", "/order/refund/"+id, `{"amount":300}`)
	if a := w.status(id, "PARTIALLY_REFUNDED"); a.at("order.refundedAmount") != "300" {
		t.Error(a)
	}
	for _, bad := range []string{`{"amount":123157}`, `{"amount":0}`, `{"amount":-1}`, `{"amount":"1"}`, `{"amount":1.5}`} {
		w.call(400, "POST", "/order/refund/"+id, bad)
	}
	w.call(200, "POST", "/order/refund/"+id, "")
	w.status(id, "REFUNDED")
	w.call(400, "POST", "/order/refund/"+id, "")
	w.mustLedger("refunds", 1, 123456, 123456, 123456)
}

func TestARepeatGetsTheFirstAnswerAndIsNotExecuted(t *testing.T) {
	w := newWorld(t, nil)
	body := `{"merchantOrderId":"once","paymentAmount":100,"orderCurrency":"RUB","tspId":483}`
	first := w.call(200, "POST", "/order", body, "x-req-id", "id-1")
	id := first.at("order.id")
	if again := w.call(200, "POST", "/order", body, "x-req-id", "id-1"); again.at("order.id") != id {
		t.Fatalf("a second order: %v", again)
	}
	w.call(409, "POST", "/order", strings.Replace(body, "100", "101", 1), "x-req-id", "id-1")
	ext := w.form(id)
	pay := `{"OrderId":"` + ext + `","PaymentType":"SMS","Card":` + cardJSON("4000019900050008") + `}`
	status, one := w.raw("POST", "/api/v1/payments/authorize", pay, "x-req-id", "id-2")
	w.restart()
	if again, two := w.raw("POST", "/api/v1/payments/authorize", pay, "x-req-id", "id-2"); again != status || string(two) != string(one) {
		t.Errorf("%s, then %s", one, two)
	}
	w.call(200, "POST", "/order/refund/"+id, `{"amount":40}`, "x-req-id", "id-3")
	w.call(200, "POST", "/order/refund/"+id, `{"amount":40}`, "x-req-id", "id-3")
	w.mustLedger("once", 1, 100, 100, 40)
	w.Pass(59 * time.Minute)
	w.login()
	w.call(200, "POST", "/order/refund/"+id, `{"amount":40}`, "x-req-id", "id-3")
	w.mustLedger("once", 1, 100, 100, 40)
	w.Pass(2 * time.Minute)
	w.call(200, "POST", "/order/refund/"+id, `{"amount":40}`, "x-req-id", "id-3")
	w.mustLedger("once", 1, 100, 100, 80) // after an hour it is a new request
}

func TestTokensExpireAndBothHeadersCarryThem(t *testing.T) {
	w := newWorld(t, nil)
	if status, raw := w.raw("POST", "/identity/api/v1/public/login", `{"login":"cashier@sandbox.example","password":"no"}`); status != 401 || parse(t, raw).at("success") != "false" {
		t.Errorf("%d %s", status, raw)
	}
	for _, headers := range [][]string{nil, {"Authorization-Token", "no"}, {"Authorization", "Bearer no"}} {
		if status, raw := w.raw("GET", "/api/v1/orders", "", headers...); status != 401 || parse(t, raw).at("success") != "false" {
			t.Errorf("%v: %d %s", headers, status, raw)
		}
	}
	if status, _ := w.raw("GET", "/api/v1/orders", "", "Authorization", "Bearer "+w.token); status != 200 {
		t.Error(status)
	}
	w.Pass(time.Hour)
	w.call(401, "GET", "/orders", "")
	w.login()
	w.call(200, "GET", "/orders", "")
	w.call(401, "POST", "/payments/charge", `{"OrderId":"x"}`, "Authorization-Token", "stale")
}

func TestOrdersAreRefusedForWhatTheGatewayCannotTake(t *testing.T) {
	w := newWorld(t, nil)
	for _, body := range []string{
		`{}`, `[]`, `{`, `{"paymentAmount":1,"tspId":483}`, `{"paymentAmount":1,"orderCurrency":"KZT","tspId":483}`,
		`{"paymentAmount":1,"orderAmount":1,"orderCurrency":"RUB","tspId":483}`, `{"paymentAmount":0,"orderCurrency":"RUB","tspId":483}`,
		`{"paymentAmount":"1","orderCurrency":"RUB","tspId":483}`, `{"paymentAmount":1,"orderCurrency":"RUB"}`, `{"paymentAmount":1,"orderCurrency":"RUB","tspId":484}`,
		`{"paymentAmount":1,"orderCurrency":"RUB","tspId":483,"type":"Other"}`, `{"paymentAmount":1,"orderCurrency":"RUB","tspId":483,"callbackUrl":"callback.com"}`,
	} {
		if a := w.call(400, "POST", "/order", body); a.at("success") != "false" || a.at("description") == "" {
			t.Errorf("%s: %v", body, a)
		}
	}
	if len(w.Env.Ledger.All()) != 0 {
		t.Error("orders came of it")
	}
	for path, body := range map[string]string{"refund": `{"amount":1}`, "qrcData": "", "sberPay": `{"phoneNumber":"+79876543210"}`,
		"payout/ips": `{"accountNumber":"79011234567","bankId":"100000000001","firstName":"A","lastName":"B","middleName":"C"}`, "payout/card": `{"pan":"4000019900050008"}`} {
		if a := w.call(404, "POST", "/order/"+path+"/999999", body); a.at("success") != "false" || a.at("description") == "" {
			t.Errorf("%s of no order: %v", path, a)
		}
	}
	for _, call := range []string{"charge", "void"} {
		if a := w.call(200, "POST", "/payments/"+call, `{"OrderId":"none"}`); a.at("Response.Success") != "false" || a.at("Response.ErrCode") != "ORDER_NOT_FOUND" {
			t.Errorf("%s of no order: %v", call, a)
		}
	}
	w.call(404, "GET", "/order/999999", "")
	w.call(400, "GET", "/order/x", "")
	id := w.order("no-form", "")
	w.call(404, "POST", "/public/order/form/other/"+id, "")
	ext := w.call(200, "GET", "/order/"+id, "").at("order.externalOrderId")
	if a := w.authorize(ext, "SMS", "4000019900050008"); a.at("Response.ErrCode") != "ORDER_NOT_FOUND" {
		t.Errorf("authorized without a form: %v", a)
	}
	w.form(id)
	for _, card := range []string{`{}`, `{"Pan":"4000019900050009","ExpMonth":"12","ExpYear":"2030","Cvv":"123"}`, `{"Token":"none"}`, `{"EncryptedData":"none"}`,
		`{"Pan":"4000019900050008","ExpMonth":"13","ExpYear":"2030","Cvv":"123"}`} {
		if a := w.call(200, "POST", "/payments/authorize", `{"OrderId":"`+ext+`","Card":`+card+`}`); a.at("Response.Success") != "false" || a.at("Order.Status") != "" {
			t.Errorf("%s: %v", card, a)
		}
	}
	w.status(id, "CREATED")
	w.authorize(ext, "SMS", "4000019900050008")
	if a := w.authorize(ext, "SMS", "4000019900050008"); a.at("Response.ErrCode") != "STATUS_ERROR" {
		t.Errorf("paid twice: %v", a)
	}
	w.mustLedger("no-form", 1, 123456, 123456, 0)
}

func TestAnOrderAmountIsConvertedAndTheFeeComesOnTop(t *testing.T) {
	w := newWorld(t, nil)
	a := w.call(200, "POST", "/order", `{"merchantOrderId":"euros","orderAmount":100,"orderCurrency":"EUR","tspId":483}`)
	if a.at("order.orderAmount") != "100" || a.at("order.orderCurrency") != "EUR" || a.at("order.paymentAmount") != "10250" || a.at("order.paymentCurrency") != "RUB" {
		t.Fatal(a)
	}
	id := a.at("order.id")
	w.authorize(w.form(id), "SMS", "4000019900050008")
	if e := w.ledger("euros"); e.Amount != 100 || e.Currency != "EUR" || e.Captured != 100 {
		t.Errorf("the ledger speaks of what was sent: %+v", e)
	}
	w.call(200, "POST", "/order/refund/"+id, "")
	w.mustLedger("euros", 1, 100, 100, 100)
	if a := w.call(200, "POST", "/order", `{"paymentAmount":100,"orderCurrency":"RUB","tspId":483}`); a.at("order.paymentAmount") != "100" || a.at("order.orderAmount") != "97" {
		t.Error(a)
	}
}

func TestAQRCodeIsPaidOnce(t *testing.T) {
	w := newWorld(t, nil)
	for n, c := range []struct{ result, ends string }{{"", "IPS_ACCEPTED"}, {"declined", "DECLINED"}} {
		number := fmt.Sprintf("qr-%d", n)
		id := w.order(number, "")
		a := w.call(200, "POST", "/order/qrcData/"+id, `{}`)
		qrc, payload := a.at("order.qrcId"), a.at("order.payload")
		if a.at("order.status") != "QRCDATA_CREATED" || payload != w.Server.URL+"/cashier/sandbox/pay/"+qrc {
			t.Fatal(a)
		}
		if again := w.call(200, "POST", "/order/qrcData/"+id, "null"); again.at("order.qrcId") != qrc {
			t.Error("another code for the same order")
		}
		if a := w.status(id, "QRCDATA_CREATED"); a.at("order.payload") != "" || a.at("order.paymentInfo.qrc.payload") != payload {
			t.Error("a read shows the code deeper", a)
		}
		if b := w.open(payload, nil); !strings.Contains(b.page, "1\u00a0234.56") {
			t.Error(b.page)
		}
		if b := w.open(payload, url.Values{"result": {c.result}}); b.code != 200 {
			t.Error(b.code, b.page)
		}
		if b := w.open(payload, url.Values{}); b.code != 409 {
			t.Error("paid twice", b.code)
		}
		w.status(id, c.ends)
	}
	w.mustLedger("qr-0", 1, 123456, 123456, 0)
	w.mustLedger("qr-1", 0, 0, 0, 0)
}

func TestSberPayIsConfirmedByTheDeepLink(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("sber", "")
	w.call(400, "POST", "/order/sberPay/"+id, `{"phoneNumber":"+7"}`)
	a := w.call(200, "POST", "/order/sberPay/"+id, `{"BackUrl":"`+w.shop.URL+`/back","phoneNumber":"+79876543210"}`)
	if a.at("succes") != "true" || a.at("order.status") != "IN_PROCESS" {
		t.Fatal(a)
	}
	if b := w.open(a.at("order.deepLink"), url.Values{}); b.url.Path != "/back" {
		t.Error(b.url)
	}
	w.status(id, "CHARGED")
	w.mustLedger("sber", 1, 123456, 123456, 0)
}

func TestPayoutsNeedTheirTypeAndEndLater(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.Processing = 1 })
	in := w.order("not-a-payout", "")
	for _, c := range []struct{ call, body, first, then string }{
		{"ips", `{"accountNumber":79011234567,"bankId":100000000001,"firstName":"Ivanov","lastName":"Ivan","middleName":"Ivanovich"}`, "PAYOUT_IN_PROGRESS", "PAID"},
		{"ips", `{"accountNumber":"79000000000","bankId":"100000000001"}`, "DECLINED", "DECLINED"},
		{"card", `{"pan":4000019900050008,"holder":"Ivan Ivanov","phone":79998887766}`, "IN_PROCESS", "PAID"},
		{"card", `{"pan":"4000019900050107"}`, "IN_PROCESS", "DECLINED"},
		{"card", `{"pan":"4189732800687140"}`, "IN_PROCESS", "DECLINED"},
	} {
		number := "payout-" + c.call + c.body[len(c.body)-10:]
		w.call(400, "POST", "/order/payout/"+c.call+"/"+in, c.body)
		id := w.order(number, `,"type":"PayOut"`)
		w.call(400, "POST", "/public/order/form/sandbox/"+id, "")
		if a := w.call(200, "POST", "/order/payout/"+c.call+"/"+id, c.body); a.at("order.status") != c.first {
			t.Fatalf("%s: %v", c.body, a)
		}
		w.call(400, "POST", "/order/payout/"+c.call+"/"+id, c.body)
		w.status(id, c.first)
		w.status(id, c.then)
		charges := 0
		if c.then == "PAID" {
			charges = 1
		}
		if e := w.ledger(number); e.Charges != charges || e.Captured != int64(charges)*123456 {
			t.Errorf("%s: %+v", c.body, e)
		}
	}
	id := w.order("payout-refused", `,"type":"PayOut"`)
	for _, bad := range []string{`{}`, `{"accountNumber":"79011234567"}`, `{"accountNumber":"79011234567","bankId":"1"}`, `{"accountNumber":"+7","bankId":"100000000001"}`} {
		w.call(400, "POST", "/order/payout/ips/"+id, bad)
	}
	status, raw := w.raw("GET", "/api/v1/public/banks", "")
	if status != 200 || !strings.Contains(string(raw), `"BankList":[{"bankId":"100000000001"`) {
		t.Errorf("%s", raw)
	}
}

func TestSlowAndRefusingAcquirers(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.Processing = 2 })
	id := w.order("slow", "")
	w.authorize(w.form(id), "SMS", "4000019900050008")
	w.status(id, "CHARGE_IN_PROGRESS")
	w.mustLedger("slow", 1, 123456, 0, 0)
	w.status(id, "CHARGED")
	w.mustLedger("slow", 1, 123456, 123456, 0)

	w = newWorld(t, func(a *Account) { a.DeclineCharge, a.DeclineVoid = true, true })
	id = w.order("refusing", "")
	ext := w.form(id)
	w.authorize(ext, "DMS", "4000019900050008")
	if a := w.call(200, "POST", "/payments/charge", `{"OrderId":"`+ext+`"}`); a.at("Response.Success") != "false" || a.at("Order.Status") != "CHARGE_DECLINED" {
		t.Error(a)
	}
	if a := w.call(200, "POST", "/payments/void", `{"OrderId":"`+ext+`"}`); a.at("Order.Status") != "VOID_DECLINED" {
		t.Error(a)
	}
	w.mustLedger("refusing", 1, 123456, 0, 0)
}

func TestTokensAndEncryptedCards(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("save", "")
	a := w.call(200, "POST", "/payments/authorize", `{"OrderId":"`+w.form(id)+`","PaymentType":"SMS","Card":`+strings.Replace(cardJSON("4000019900020704"), "}", `,"Save":true}`, 1)+`,"ThreeDS":{}}`)
	if a.at("Order.Status") != "PRE_AUTHORIZED_3DS" {
		t.Fatal(a)
	}
	w.hosted(a.at("Order.OrderId")).home()
	token := w.status(id, "CHARGED").at("order.paymentInfo.paymentDetails.cardToken")
	w.restart()
	for n, c := range []struct{ more, status string }{{"", "CHARGED"}, {`,"ThreeDS":{}`, "PRE_AUTHORIZED_3DS"}} {
		id := w.order(fmt.Sprintf("token-%d", n), "")
		if a := w.call(200, "POST", "/payments/authorize", `{"OrderId":"`+w.form(id)+`","PaymentType":"SMS","Card":{"Token":"`+token+`"}`+c.more+`}`); a.at("Order.Status") != c.status {
			t.Errorf("%s: %v", c.more, a)
		}
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &w.cfg.Accounts[0].CardKey.PublicKey, []byte(cardJSON("4000019900050008")), nil)
	if err != nil {
		t.Fatal(err)
	}
	id = w.order("encrypted", "")
	if a := w.call(200, "POST", "/payments/authorize", `{"OrderId":"`+w.form(id)+`","Card":{"EncryptedData":"`+base64.StdEncoding.EncodeToString(sealed)+`"}}`); a.at("Order.Status") != "AUTHORIZED" {
		t.Errorf("DMS is the default: %v", a)
	}
	if j := w.journal(); strings.Contains(j, "4000019900020704") || strings.Contains(j, "4000019900050008") {
		t.Error("a card number was written down")
	}
}

func TestCallbacksAreSignedOverTheirBytes(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("told", "")
	w.authorize(w.form(id), "SMS", "4000019900050008")
	for _, status := range []string{"CREATED", "AUTHORIZED", "CHARGED"} {
		h := w.callback(id, status)
		sum := sha1.Sum(h.raw)
		signature, err := base64.StdEncoding.DecodeString(h.sign)
		if err != nil || rsa.VerifyPKCS1v15(&w.cfg.Accounts[0].CallbackKey.PublicKey, crypto.SHA1, sum[:], signature) != nil {
			t.Errorf("%s: %q", h.raw, h.sign)
		}
		if h.body.at("order.merchantOrderId") != "told" || h.body.at("success") != "true" {
			t.Error(h.body)
		}
	}
}

func TestTheListIsFilteredAndCounted(t *testing.T) {
	w := newWorld(t, nil)
	for n := range 5 {
		w.order(fmt.Sprintf("list-%d", n), "")
		w.Pass(time.Minute)
	}
	a := w.call(200, "GET", "/orders?tspId=483&dateFrom=2026-11-21T12:01:00Z&dateTo=2026-11-21T12:03:00Z&status=CREATED&limit=2&offset=1", "")
	list, _ := a["orders"].([]any)
	if len(list) != 2 || a.at("meta.total") != "3" || answer(list[0].(map[string]any)).at("merchantOrderId") != "list-2" {
		t.Error(a)
	}
	for _, bad := range []string{"tspId=x", "limit=-1", "dateFrom=today"} {
		w.call(400, "GET", "/orders?"+bad, "")
	}
	if a := w.call(200, "GET", "/orders?tspId=1", ""); a.at("meta.total") != "0" {
		t.Error(a)
	}
}

func TestAnUnpaidOrderExpires(t *testing.T) {
	w := newWorld(t, nil)
	plain, threeDS := w.order("expires", ""), w.order("expires-3ds", "")
	ext := w.form(threeDS)
	w.authorize(ext, "SMS", "4000019900020704")
	w.Pass(30 * time.Minute)
	for _, id := range []string{plain, threeDS} {
		w.status(id, "EXPIRED")
	}
	if home := w.hosted(ext).home(); home != "/fail" {
		t.Error(home)
	}
	if status, raw := w.raw("GET", "/api/v1/status/"+plain, ""); status != 200 || parse(t, raw).at("order.status") != "EXPIRED" {
		t.Errorf("the status needs no token: %d %s", status, raw)
	}
	w.g.Reset()
	w.login()
	w.call(404, "GET", "/order/"+plain, "")
}

func TestARestartLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	id := w.order("restart", "")
	ext := w.form(id)
	w.authorize(ext, "DMS", "4000019900020720") // the bank's page waits for the shopper
	w.restart()
	w.status(id, "PRE_AUTHORIZED_3DS")
	b := w.hosted(ext).submit()
	if home := b.submit("otp", "1234").home(); home != "/success" {
		t.Error(home)
	}
	w.restart()
	w.status(id, "AUTHORIZED")
	w.mustLedger("restart", 1, 123456, 0, 0)
}

func TestAnOrderInUSDTAndAPublicOrderByTheShopsCode(t *testing.T) {
	w := newWorld(t, nil)
	a := w.call(200, "POST", "/order", `{"merchantOrderId":"tether","orderAmount":100,"orderCurrency":"USDT","tspId":483}`)
	if a.at("order.orderCurrency") != "USDT" || a.at("order.paymentCurrency") != "RUB" || a.at("order.paymentAmount") == "100" {
		t.Error(a)
	}
	code := DemoAccount().TSPs[483]
	send := func(path, body string) (int, string) {
		res, err := http.Post(w.Server.URL+"/cashier/api/v1"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(raw)
	}
	status, body := send("/public/order", `{"tspCode":"`+code+`","merchantOrderId":"public","paymentAmount":500,"orderCurrency":"RUB"}`)
	if status != 200 || !strings.Contains(body, `"merchantOrderId":"public"`) {
		t.Fatalf("%d %s", status, body)
	}
	id := regexp.MustCompile(`"id":([0-9]+)`).FindStringSubmatch(body)[1]
	if status, body := send("/public/order/qrcData/"+code+"/"+id, `{}`); status != 200 || !strings.Contains(body, `"payload":`) {
		t.Errorf("%d %s", status, body)
	}
	for path, body := range map[string]string{"/public/order": `{"tspCode":"nobody","paymentAmount":500,"orderCurrency":"RUB"}`, "/public/order/qrcData/nobody/" + id: `{}`} {
		if status, _ := send(path, body); status == 200 {
			t.Errorf("%s for a shop that is not there: %d", path, status)
		}
	}
}
