package rbs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	frictionless = "4000019900020001"
	noMethod     = "4000019900021009"
	refusedN     = "4000019900020100"
	attemptA     = "4000019900020209"
	rejectedR    = "4000019900020308"
	informedI    = "4000019900020407"
	unavailableU = "4000019900020506"
	dsTimeout    = "4000019900020605"
	challengeOK  = "4000019900020704"
	challengeNo  = "4000019900020712"
	cancelled    = "4000019900020738"
	neverBack    = "4000019900020746"
	erro         = "4000019900020753"
	byGet        = "4000019900020795"
	decoupled    = "4000019900020803"
	soft         = "4000019900020902"
	legacyOK     = "4000019900040702"
	legacyNo     = "4000019900040710"
	noTDS        = "4000019900050008"
	noFunds      = "4000019900050107"
	noHonor      = "4000019900060700"
)

func TestChecksumsEqualThePublishedAndComputedOnes(t *testing.T) {
	files, _ := filepath.Glob("testdata/callback_hmac_*.json")
	if len(files) != 4 {
		t.Fatalf("vectors: %v", files)
	}
	for _, file := range files {
		var v struct {
			Params                 map[string]string
			Key, Message, Checksum string
		}
		raw, _ := os.ReadFile(file)
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		form := url.Values{}
		for k, p := range v.Params {
			form.Set(k, p)
		}
		if got := signedText(form); got != v.Message {
			t.Errorf("%s: message %s", file, got)
		}
		if got := symmetricChecksum(v.Key, form); got != v.Checksum {
			t.Errorf("%s: checksum %s", file, got)
		}
	}
	third := url.Values{"mdOrder": {"order-1"}, "operation": {"deposited"}, "orderNumber": {"orna-1"}, "status": {"1"}, "sign_alias": {"x"}}
	if got := symmetricChecksum("callback-secret", third); got != "3B49A9EE4800F57FD0C2D2F7FAE249C66ABAF7F72196285BDF62BD4481C5DED1" {
		t.Errorf("vector 3: %s", got)
	}
}

func TestTheRSAVectorIsOverTheSameText(t *testing.T) {
	var v struct {
		Params       map[string]string
		PublicKeyPem string
	}
	raw, _ := os.ReadFile("testdata/callback_rsa_sha512_vector.json")
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for k, p := range v.Params {
		form.Set(k, p)
	}
	block, _ := pem.Decode([]byte(v.PublicKeyPem))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	verifyRSA(t, key.(*rsa.PublicKey), form)
}

func verifyRSA(t *testing.T, key *rsa.PublicKey, form url.Values) {
	t.Helper()
	sum := sha512.Sum512([]byte(signedText(form)))
	sig, err := hex.DecodeString(form.Get("checksum"))
	if err != nil || form.Get("checksum") != strings.ToUpper(form.Get("checksum")) {
		t.Fatalf("checksum is not upper-case hex: %s", form.Get("checksum"))
	}
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA512, sum[:], sig); err != nil {
		t.Fatal(err)
	}
}

func TestCredentialsAreAUserOrATokenAndNeverBoth(t *testing.T) {
	w := newWorld(t, nil)
	a := w.cfg.Accounts[0]
	id := w.register("register.do", "1")
	for name, v := range map[string]url.Values{
		"none":           {},
		"wrong password": {"userName": {a.UserName}, "password": {"x"}},
		"no password":    {"userName": {a.UserName}},
		"wrong token":    {"token": {"x"}},
		"both":           {"userName": {a.UserName}, "password": {a.Password}, "token": {a.Token}},
	} {
		v.Set("orderId", id)
		if got := w.raw("getOrderStatusExtended.do", v); got.code() != "5" {
			t.Errorf("%s: %v", name, got)
		}
		v.Set("MDORDER", id)
		if got := w.raw("paymentorder.do", v); got.code() != "5" || got.text("error") == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := w.raw("getOrderStatusExtended.do", url.Values{"token": {a.Token}, "orderId": {id}}); got.code() != "0" {
		t.Errorf("token: %v", got)
	}
}

func TestRegistrationRefusesWhatTheGatewayRefuses(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.MinAmount, a.MaxAmount, a.NumbersOrders = 100, 1_000_000, false })
	w.register("register.do", "dup")
	ok := []string{"orderNumber", "n", "amount", "2000", "currency", "398", "returnUrl", "https://shop.example/ok"}
	for name, c := range map[string]struct {
		code  string
		pairs []string
	}{
		"duplicate number":    {"1", []string{"orderNumber", "dup"}},
		"no number":           {"4", []string{"orderNumber", ""}},
		"long number":         {"4", []string{"orderNumber", strings.Repeat("9", 37)}},
		"no amount":           {"4", []string{"amount", ""}},
		"zero":                {"4", []string{"amount", "0"}},
		"negative":            {"4", []string{"amount", "-1"}},
		"decimal":             {"4", []string{"amount", "20.00"}},
		"under the limit":     {"5", []string{"amount", "99"}},
		"over the limit":      {"5", []string{"amount", "1000001"}},
		"currency in letters": {"3", []string{"currency", "KZT"}},
		"unknown currency":    {"3", []string{"currency", "999"}},
		"no returnUrl":        {"4", []string{"returnUrl", ""}},
		"script returnUrl":    {"4", []string{"returnUrl", "javascript:alert(1)"}},
		"long returnUrl":      {"4", []string{"returnUrl", "https://shop.example/" + strings.Repeat("a", 500)}},
		"bad callback":        {"4", []string{"dynamicCallbackUrl", "callback"}},
		"bad jsonParams":      {"4", []string{"jsonParams", "{"}},
		"bad feature":         {"14", []string{"features", "VERIFY"}},
		"bad timeout":         {"4", []string{"sessionTimeoutSecs", "-5"}},
	} {
		if got := w.call("register.do", append(ok, c.pairs...)...); got.code() != c.code || got.text("orderId") != "" || got.text("errorMessage") == "" {
			t.Errorf("%s: code %s wanted, got %v", name, c.code, got)
		}
	}
	if got := w.call("registerPreAuth.do", ok...); got.text("orderId") == "" || got["errorCode"] != nil {
		t.Errorf("a success carries no errorCode: %v", got)
	}
}

func TestAnOrderWithoutNumberIsNumberedByTheGateway(t *testing.T) {
	w := newWorld(t, nil)
	a := w.call("register.do", "amount", "2000", "currency", "978", "returnUrl", "finish.html")
	s := w.mustStatus(a.text("orderId"), 0, -100)
	if s.text("orderNumber") == "" || s.text("currency") != "978" {
		t.Fatalf("%v", s)
	}
	if got := w.pay(a.text("orderId"), noTDS); !strings.HasPrefix(got.text("redirect"), w.Server.URL+"/rbs/payment/merchants/rbs/finish.html?orderId=") {
		t.Fatalf("a relative returnUrl is a page of the gateway: %v", got)
	}
}

func TestACardWithoutTDSIsPaidAtOnceAndOnce(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "n-1", "jsonParams", `{"recurringFrequency":"5","deep":{"a":1}}`, "description", "d")
	got := w.pay(id, noTDS, "ip", "10.0.0.9")
	if got.code() != "0" || got.text("redirect") != w.shop.URL+"/ok?orderId="+id+"&lang=en" || got["error"] != nil || got["acsUrl"] != nil {
		t.Fatalf("%v", got)
	}
	s := w.mustStatus(id, 2, 0)
	if s.text("errorCode") != "0" || s.text("ip") != "10.0.0.9" || s.int("amount") != 2000 || s.in("paymentAmountInfo").text("paymentState") != "DEPOSITED" ||
		s.in("paymentAmountInfo").int("depositedAmount") != 2000 || s.in("cardAuthInfo").text("maskedPan") != "400001**0008" || s.text("authRefNum") == "" {
		t.Fatalf("%v", s)
	}
	w.mustLedger(id, 1, 2000, 2000, 0)
	cb := w.callback("operation", "deposited", "status", "1", "orderNumber", "n-1", "mdOrder", id, "amount", "2000")
	if cb.Get("checksum") != symmetricChecksum(w.cfg.Accounts[0].CallbackKey, cb) {
		t.Fatalf("checksum: %v", cb)
	}
	for range 3 {
		if got := w.pay(id, noTDS); got.code() != "5" {
			t.Fatalf("a paid order cannot be paid: %v", got)
		}
	}
	w.mustLedger(id, 1, 2000, 2000, 0)
	old := w.call("getOrderStatus.do", "orderId", id)
	if old.text("ErrorCode") != "0" || old.int("OrderStatus") != 2 || old.text("OrderNumber") != "n-1" || old.int("depositAmount") != 2000 || old.text("Pan") != "400001**0008" {
		t.Fatalf("%v", old)
	}
	if e := w.ledger(id); e.Gateway != "rbs" || e.Reference != "n-1" || e.Currency != "KZT" || e.Amount != 2000 {
		t.Fatalf("%+v", e)
	}
}

func TestUnknownOrdersAreError6(t *testing.T) {
	w := newWorld(t, nil)
	for _, call := range []string{"getOrderStatusExtended.do", "deposit.do", "reverse.do", "refund.do", "decline.do"} {
		if got := w.call(call, "orderId", "nope", "amount", "1"); got.code() != "6" {
			t.Errorf("%s: %v", call, got)
		}
	}
	if got := w.call("getOrderStatusExtended.do", "orderNumber", "nope"); got.code() != "6" || got["orderStatus"] != nil || got["attributes"] == nil {
		t.Errorf("%v", got)
	}
	if got := w.call("getOrderStatus.do", "orderId", "nope"); got.text("ErrorCode") != "6" {
		t.Errorf("%v", got)
	}
}

func TestBadCardDataKeepsTheOrderAndTheAttempt(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.SEToken = false })
	id := w.register("register.do", "1")
	for name, c := range map[string]struct {
		code  string
		pairs []string
	}{
		"Luhn":      {"1", []string{"$PAN", "4000019900020002"}},
		"no PAN":    {"4", []string{"$PAN", ""}},
		"no CVC":    {"4", []string{"$CVC", ""}},
		"bad CVC":   {"4", []string{"$CVC", "12a"}},
		"no holder": {"4", []string{"TEXT", ""}},
		"month 13":  {"1", []string{"MM", "13"}},
		"seToken":   {"5", []string{"seToken", "x"}},
		"bad URL":   {"4", []string{"threeDSVer2FinishUrl", "javascript:1"}},
		"bad order": {"6", []string{"MDORDER", "x"}},
	} {
		if got := w.pay(id, noTDS, c.pairs...); got.code() != c.code || got["redirect"] != nil {
			t.Errorf("%s: code %s wanted, got %v", name, c.code, got)
		}
	}
	w.mustStatus(id, 0, -100)
	if got := w.pay(id, noTDS, "YYYY", "", "MM", "", "$EXPIRY", "203012"); got.text("redirect") == "" {
		t.Fatalf("%v", got)
	}
}

func TestRefusedAttemptsAreErrorCode0WithAnErrorAndLeaveTheOrderOpenUntilTheyAreUsedUp(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	got := w.pay(id, noFunds)
	if got.code() != "0" || got.text("error") == "" || got.text("errorTypeName") == "" || got.text("processingErrorType") == "" ||
		got.text("redirect") != w.shop.URL+"/fail?x=1&orderId="+id+"&lang=en" {
		t.Fatalf("%v", got)
	}
	w.mustStatus(id, 0, 116)
	w.callback("operation", "deposited", "status", "0")
	if got := w.pay(id, noTDS, "$CVC", "124"); got.text("error") == "" {
		t.Fatalf("%v", got)
	}
	w.mustStatus(id, 0, 82)
	if got := w.pay(id, noTDS, "YYYY", "2020"); got.text("error") == "" {
		t.Fatalf("%v", got)
	}
	s := w.mustStatus(id, 6, 101)
	if s.in("paymentAmountInfo").text("paymentState") != "DECLINED" {
		t.Fatalf("%v", s)
	}
	if got := w.pay(id, noTDS); got.code() != "5" {
		t.Fatalf("a fourth attempt: %v", got)
	}
	other := w.register("register.do", "2")
	if got := w.pay(other, "4111111111111111"); got.text("error") == "" {
		t.Fatalf("unlisted cards are declined: %v", got)
	}
	w.mustStatus(other, 0, 111)
	if got := w.pay(other, noTDS); got["error"] != nil {
		t.Fatalf("the next attempt may succeed: %v", got)
	}
	w.mustLedger(other, 1, 2000, 2000, 0)
	w.mustLedger(id, 0, 0, 0, 0)
}

func TestTheFirst3DS2AnswerIsTheMethodStep(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	got := w.pay(id, frictionless, "threeDSMethodNotificationUrl", "https://shop.example/3ds/notify")
	trans := got.text("threeDSServerTransId")
	if got.code() != "0" || got["is3DSVer2"] != true || trans == "" || got["acsUrl"] != nil || got["redirect"] != nil ||
		got.text("threeDSMethodURL") != w.Server.URL+"/acs/method" || got.text("threeDSMethodURLServer") != w.Server.URL+"/rbs/3dsserver/api/v1/client/gather?threeDSServerTransID="+trans {
		t.Fatalf("%v", got)
	}
	raw, err := base64.RawURLEncoding.DecodeString(got.text("threeDSMethodDataPacked"))
	var packed map[string]string
	if err != nil || json.Unmarshal(raw, &packed) != nil || packed["threeDSServerTransID"] != trans || packed["threeDSMethodNotificationURL"] != "https://shop.example/3ds/notify" {
		t.Fatalf("%s %v", raw, err)
	}
	b := w.browser().post(got.text("threeDSMethodURLServer"), nil)
	if b.status != 200 {
		t.Fatalf("the 3DS server's page answers %d", b.status)
	}
	w.mustStatus(id, 0, -100)
	if got := w.pay(id, noTDS); got.code() != "5" {
		t.Fatalf("a second attempt while one is open: %v", got)
	}
	second := w.register("register.do", "2")
	if got := w.pay(second, noMethod); got["threeDSMethodURL"] != nil || got["threeDSMethodDataPacked"] != nil || got.text("threeDSMethodURLServer") == "" {
		t.Fatalf("a card without Method URL: %v", got)
	}
}

func TestTheServersFrameMayComeWithoutAScheme(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.SchemelessServer = true })
	id := w.register("register.do", "1")
	if got := w.pay(id, frictionless).text("threeDSMethodURLServer"); !strings.HasPrefix(got, strings.TrimPrefix(w.Server.URL, "http://")+"/rbs/3dsserver/") {
		t.Fatal(got)
	}
}

func TestWithoutANotificationURLTheGatewayReceivesTheMethodNotification(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	got := w.pay(id, frictionless)
	b := w.browser().post(got.text("threeDSMethodURL"), url.Values{"threeDSMethodData": {got.text("threeDSMethodDataPacked")}})
	if b = b.submit(); b.status != 200 || !strings.Contains(b.url.Path, "/3dsserver/api/v1/acs/notification") {
		t.Fatalf("%d %s", b.status, b.url)
	}
	if !w.g.orders.Get(id).Try.MethodDone {
		t.Fatal("the notification was not kept")
	}
}

func TestContinueDecidesOnceByTheAResOfTheCard(t *testing.T) {
	for name, c := range map[string]struct {
		pan            string
		status, action int64
		charges        int
	}{
		"Y":               {frictionless, 2, 0, 1},
		"Y without URL":   {noMethod, 2, 0, 1},
		"N":               {refusedN, 0, -2006, 0},
		"A":               {attemptA, 2, 0, 1},
		"R":               {rejectedR, 0, -2006, 0},
		"I":               {informedI, 2, 0, 1},
		"U":               {unavailableU, 0, -2011, 0},
		"DS timeout":      {dsTimeout, 0, -2016, 0},
		"Cardinal alias":  {"4000000000002701", 2, 0, 1},
		"Cardinal no":     {"4000000000001018", 0, -2006, 0},
		"lookup time-out": {"4000000000001075", 0, -2016, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id := w.register("register.do", "1")
			if got := w.call("3ds/continue.do", "mdOrder", id); got.code() != "5" {
				t.Fatalf("continue before paying: %v", got)
			}
			w.pay(id, c.pan)
			got := w.call("3ds/continue.do", "mdOrder", id)
			if got.code() != "0" || got.text("redirect") == "" || (got["error"] == nil) != (c.charges == 1) {
				t.Fatalf("%v", got)
			}
			w.mustStatus(id, c.status, c.action)
			if again := w.call("3ds/continue.do", "mdOrder", id); again.code() != "5" {
				t.Fatalf("continue is taken once: %v", again)
			}
			w.mustLedger(id, c.charges, int64(c.charges)*2000, int64(c.charges)*2000, 0)
		})
	}
}

// challenge registers, pays and continues; it returns the order and the answer with acsUrl and packedCReq.
func (w *world) challenge(number, pan string, pairs ...string) (id, trans string, a answer) {
	w.T.Helper()
	id = w.register("register.do", number)
	trans = w.pay(id, pan, pairs...).text("threeDSServerTransId")
	a = w.call("3ds/continue.do", "mdOrder", id)
	if a.code() != "0" || a.text("acsUrl") == "" || a.text("packedCReq") == "" || a["is3DSVer2"] != true || a["redirect"] != nil {
		w.T.Fatalf("no challenge: %v", a)
	}
	w.mustStatus(id, 5, -100)
	return id, trans, a
}

func TestAChallengeWithTheShopsFinishURLMovesMoneyOnlyAtTheFinishCall(t *testing.T) {
	w := newWorld(t, nil)
	id, trans, a := w.challenge("1", challengeOK, "threeDSVer2FinishUrl", w.shop.URL+"/3ds/return")
	if got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); got.code() != "5" {
		t.Fatalf("finish before the bank has a result: %v", got)
	}
	b := w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}}).submit()
	if b.url.String() != w.shop.URL+"/3ds/return" {
		t.Fatalf("the CRes went to %s", b.url)
	}
	w.mustStatus(id, 5, -100)
	w.mustLedger(id, 0, 0, 0, 0)
	got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans)
	if got.code() != "0" || got["is3DSVer2"] != true || got.text("redirect") != w.shop.URL+"/ok?orderId="+id+"&lang=en" || got["error"] != nil {
		t.Fatalf("%v", got)
	}
	s := w.mustStatus(id, 2, 0)
	info := s.in("cardAuthInfo").in("secureAuthInfo")
	if info.int("eci") != 5 || info.text("aresTransStatus") != "C" || info.text("rreqTransStatus") != "Y" || info.text("threeDSProtocolVersion") != "2.2.0" || info.in("threeDSInfo").text("cavv") == "" {
		t.Fatalf("%v", info)
	}
	for range 3 {
		if again := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); again.code() != "5" {
			t.Fatalf("finish is taken once: %v", again)
		}
	}
	w.mustLedger(id, 1, 2000, 2000, 0)
}

func TestAChallengeWithoutFinishURLIsFinishedByTheGateway(t *testing.T) {
	for name, c := range map[string]struct {
		pan    string
		status int64
		action int64
		back   string
	}{
		"passed":           {challengeOK, 2, 0, "/ok"},
		"failed":           {challengeNo, 0, -2006, "/fail"},
		"cancelled":        {cancelled, 0, -2006, "/fail"},
		"Erro":             {erro, 0, -2011, "/fail"},
		"CRes by GET":      {byGet, 2, 0, "/ok"},
		"declined by bank": {noHonor, 0, 5, "/fail"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id, trans, a := w.challenge("1", c.pan)
			if got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); got.code() != "5" {
				t.Fatalf("there is nothing to finish: %v", got)
			}
			b := w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}}).submit()
			if b.url.Host != strings.TrimPrefix(w.shop.URL, "http://") || b.url.Path != c.back || b.url.Query().Get("orderId") != id {
				t.Fatalf("the browser ended at %s", b.url)
			}
			w.mustStatus(id, c.status, c.action)
			charges := 0
			if c.status == 2 {
				charges = 1
			}
			w.mustLedger(id, charges, int64(charges)*2000, int64(charges)*2000, 0)
			again := w.browser().get(w.Server.URL + "/rbs/3dsserver/api/v1/acs/return/" + trans)
			if again.url.Path != c.back {
				t.Fatalf("a repeated return ended at %s", again.url)
			}
			w.mustLedger(id, charges, int64(charges)*2000, int64(charges)*2000, 0)
		})
	}
}

func TestAForgedReturnChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	id, trans, _ := w.challenge("1", challengeOK)
	w.browser().post(w.Server.URL+"/rbs/3dsserver/api/v1/acs/return/"+trans, url.Values{"cres": {"eyJ0cmFuc1N0YXR1cyI6IlkifQ"}})
	w.mustStatus(id, 5, -100)
	w.mustLedger(id, 0, 0, 0, 0)
}

func TestAShopperWhoNeverReturnsLeavesTheOrderToItsLifetime(t *testing.T) {
	w := newWorld(t, nil)
	id, _, a := w.challenge("1", neverBack)
	w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}})
	w.Pass(19 * time.Minute)
	w.mustStatus(id, 5, -100)
	w.Pass(2 * time.Minute)
	w.mustStatus(id, 6, -2009)
	w.callback("operation", "declinedByTimeout", "status", "1")
	if got := w.pay(id, noTDS); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	fresh := w.register("register.do", "2", "sessionTimeoutSecs", "60")
	w.Pass(time.Minute)
	w.mustStatus(fresh, 6, -2007)
}

func TestADecoupledAuthenticationEndsByItself(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	w.pay(id, decoupled)
	if got := w.call("3ds/continue.do", "mdOrder", id); got.text("redirect") == "" || got["error"] != nil {
		t.Fatalf("%v", got)
	}
	w.mustStatus(id, 7, -30001)
	w.mustLedger(id, 0, 0, 0, 0)
	w.Pass(30 * time.Second)
	w.callback("operation", "deposited", "status", "1") // nobody had to ask
	w.mustStatus(id, 2, 0)
	w.mustLedger(id, 1, 2000, 2000, 0)
}

func TestASoftDeclineAsksForTheSameCardAgainWithANewTransaction(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	first := w.pay(id, soft)
	second := w.call("3ds/continue.do", "mdOrder", id)
	trans := second.text("threeDSServerTransId")
	if second.code() != "0" || trans == "" || trans == first.text("threeDSServerTransId") || second["acsUrl"] != nil || second.text("threeDSMethodURLServer") == "" {
		t.Fatalf("%v", second)
	}
	w.mustLedger(id, 0, 0, 0, 0)
	for name, got := range map[string]answer{
		"continue":       w.call("3ds/continue.do", "mdOrder", id),
		"without id":     w.pay(id, soft),
		"the old id":     w.pay(id, soft, "threeDSServerTransId", first.text("threeDSServerTransId")),
		"another card":   w.pay(id, noTDS, "threeDSServerTransId", trans),
		"another expiry": w.pay(id, soft, "threeDSServerTransId", trans, "MM", "11"),
	} {
		if got.code() != "5" {
			t.Errorf("%s: %v", name, got)
		}
	}
	a := w.pay(id, soft, "threeDSServerTransID", trans) // the other spelling of the documents
	if a.text("acsUrl") == "" || a.text("packedCReq") == "" {
		t.Fatalf("%v", a)
	}
	w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}}).submit()
	w.mustStatus(id, 2, 0)
	w.mustLedger(id, 1, 2000, 2000, 0)
}

func TestASoftDeclineIsFinalForAMerchantWithoutTheSetting(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.HardSoftDecline = true })
	id := w.register("register.do", "1")
	w.pay(id, soft)
	if got := w.call("3ds/continue.do", "mdOrder", id); got.text("error") == "" {
		t.Fatalf("%v", got)
	}
	w.mustStatus(id, 0, 1434)
}

func Test3DS1EndsAtTheGatewaysTermURLOrByFinish3dsPayment(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	a := w.pay(id, legacyOK)
	if a.code() != "0" || a.text("acsUrl") == "" || a.text("paReq") == "" || a.text("termUrl") != w.Server.URL+"/rbs/payment/rest/finish3ds.do?lang=en" {
		t.Fatalf("%v", a)
	}
	w.mustStatus(id, 5, -100)
	forged := w.call("finish3dsPayment.do", "mdOrder", id, "paRes", "eJxVUtFu4jAQ")
	if forged.code() != "5" {
		t.Fatalf("%v", forged)
	}
	b := w.browser().post(a.text("acsUrl"), url.Values{"PaReq": {a.text("paReq")}, "MD": {id}, "TermUrl": {a.text("termUrl")}}).submit()
	if b.url.Path != "/ok" {
		t.Fatalf("the browser ended at %s: %s", b.url, b.page)
	}
	s := w.mustStatus(id, 2, 0)
	if s.in("cardAuthInfo").in("secureAuthInfo").text("paResStatus") != "Y" {
		t.Fatalf("%v", s)
	}
	w.mustLedger(id, 1, 2000, 2000, 0)

	own := w.register("register.do", "2")
	a = w.pay(own, legacyOK)
	b = w.browser().post(a.text("acsUrl"), url.Values{"PaReq": {a.text("paReq")}, "MD": {"x"}, "TermUrl": {w.shop.URL + "/term"}})
	paRes := inputValue(b.page, "PaRes")
	if got := w.call("finish3dsPayment.do", "mdOrder", id, "paRes", paRes); got.code() != "5" {
		t.Fatalf("a PaRes for a paid order: %v", got)
	}
	third := w.register("register.do", "3")
	w.pay(third, legacyOK)
	if got := w.call("finish3dsPayment.do", "mdOrder", third, "paRes", paRes); got.code() != "5" {
		t.Fatalf("a PaRes of another order: %v", got)
	}
	got := w.call("finish3dsPayment.do", "mdOrder", own, "paRes", paRes)
	if got.code() != "0" || got.text("redirect") == "" || got["error"] != nil {
		t.Fatalf("%v", got)
	}
	if got := w.call("finish3dsPayment.do", "mdOrder", own, "paRes", paRes); got.code() != "5" {
		t.Fatalf("twice: %v", got)
	}
	w.mustLedger(own, 1, 2000, 2000, 0)
}

func TestAcsRedirectLeadsThroughTheChallengeToTheShop(t *testing.T) {
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		pan, back string
		legacy    bool
	}{"3DS 1": {legacyOK, "/ok", true}, "3DS 1 failed": {legacyNo, "/fail", true}, "challenge": {challengeOK, "/ok", false}} {
		id := w.register("register.do", strings.ReplaceAll(name, " ", ""))
		w.pay(id, c.pan)
		if !c.legacy {
			w.call("3ds/continue.do", "mdOrder", id)
		}
		b := w.browser().get(w.Server.URL + "/rbs/payment/acsRedirect.do?orderId=" + id).submit().submit()
		if b.url.Path != c.back {
			t.Errorf("%s ended at %s", name, b.url)
		}
		if b := w.browser().get(w.Server.URL + "/rbs/payment/acsRedirect.do?orderId=" + id); b.url.Path != c.back {
			t.Errorf("%s: once it is over the page leads to %s", name, b.url)
		}
	}
	if b := w.browser().get(w.Server.URL + "/rbs/payment/acsRedirect.do?orderId=x"); b.status != http.StatusNotFound {
		t.Errorf("%d", b.status)
	}
}

func inputValue(page, name string) string {
	for _, in := range inputTag.FindAllStringSubmatch(page, -1) {
		if in[1] == name {
			return in[2]
		}
	}
	return ""
}

func TestTheHostedPageTakesACardWithoutScript(t *testing.T) {
	w := newWorld(t, nil)
	a := w.call("register.do", "orderNumber", "1", "amount", "2000", "currency", "398", "returnUrl", w.shop.URL+"/ok", "failUrl", w.shop.URL+"/fail", "language", "en")
	card := []string{"$PAN", challengeOK, "MM", "12", "YYYY", "2030", "$CVC", "123", "TEXT", "X Y"}
	b := w.browser().get(a.text("formUrl")).submit(append(card, "$PAN", "4000019900020002")...)
	if !strings.Contains(b.page, "Wrong card number") {
		t.Fatalf("%s", b.page)
	}
	b = b.submit(append(card, "$PAN", noFunds)...)
	if !strings.Contains(b.page, "Insufficient funds") {
		t.Fatalf("%s", b.page)
	}
	b = b.submit(card...).submit().submit()
	if b.url.Path != "/ok" {
		t.Fatalf("ended at %s: %s", b.url, b.page)
	}
	w.mustLedger(a.text("orderId"), 1, 2000, 2000, 0)
	if b := w.browser().get(a.text("formUrl")); b.url.Path != "/ok" {
		t.Fatalf("a paid order's page leads to %s", b.url)
	}
}

func TestAHoldIsCapturedOnceWhollyOrInPart(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("registerPreAuth.do", "1")
	if got := w.call("deposit.do", "orderId", id, "amount", "0"); got.code() != "7" {
		t.Fatalf("nothing is held yet: %v", got)
	}
	w.pay(id, noTDS)
	w.callback("operation", "approved", "status", "1")
	s := w.mustStatus(id, 1, 0)
	if s.in("paymentAmountInfo").text("paymentState") != "APPROVED" || s.in("paymentAmountInfo").int("depositedAmount") != 0 {
		t.Fatalf("%v", s)
	}
	w.mustLedger(id, 1, 2000, 0, 0)
	if got := w.call("refund.do", "orderId", id, "amount", "100"); got.code() != "7" {
		t.Fatalf("nothing was deposited: %v", got)
	}
	if got := w.call("deposit.do", "orderId", id, "amount", "2001"); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	if got := w.call("deposit.do", "orderId", id, "amount", "1500"); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	w.callback("operation", "deposited", "amount", "1500")
	w.mustStatus(id, 2, 0)
	w.mustLedger(id, 1, 2000, 1500, 0)
	if got := w.call("deposit.do", "orderId", id, "amount", "500"); got.code() != "5" {
		t.Fatalf("a second capture: %v", got)
	}
	whole := w.register("registerPreAuth.do", "2")
	w.pay(whole, noTDS)
	w.call("deposit.do", "orderId", whole, "amount", "0")
	w.mustLedger(whole, 1, 2000, 2000, 0)
}

func TestAReversalIsTakenOnce(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("registerPreAuth.do", "1")
	if got := w.call("reverse.do", "orderId", id); got.code() != "7" {
		t.Fatalf("%v", got)
	}
	w.pay(id, noTDS)
	if got := w.call("reverse.do", "orderId", id); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	s := w.mustStatus(id, 3, 0)
	if s.in("paymentAmountInfo").int("approvedAmount") != 0 || s.int("reversedDate") <= 0 {
		t.Fatalf("%v", s)
	}
	if got := w.call("reverse.do", "orderId", id); got.code() != "5" {
		t.Fatalf("twice: %v", got)
	}
	if got := w.call("deposit.do", "orderId", id, "amount", "0"); got.code() != "5" {
		t.Fatalf("a reversed hold cannot be captured: %v", got)
	}
	w.mustLedger(id, 1, 0, 0, 0)

	late := w.register("register.do", "2")
	w.pay(late, noTDS)
	w.Pass(25 * time.Hour)
	if got := w.call("reverse.do", "orderId", late); got.code() != "5" {
		t.Fatalf("after a day: %v", got)
	}
	failed := w.register("registerPreAuth.do", "3")
	w.pay(failed, noTDS)
	if got := w.call("reverse.do", "orderId", failed, "amount", "3000"); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	if got := w.call("reverse.do", "orderId", failed); got.code() != "5" {
		t.Fatalf("a failed reversal blocks later ones: %v", got)
	}
}

func TestRefundsAreManyGuardedAndIdempotentByTheirExternalID(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	w.pay(id, noTDS)
	if got := w.call("refund.do", "orderId", id, "amount", "2001"); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	for range 3 {
		if got := w.call("refund.do", "orderId", id, "amount", "500", "externalRefundId", "r-1"); got.code() != "0" {
			t.Fatalf("%v", got)
		}
	}
	s := w.mustStatus(id, 2, 0)
	if s.in("paymentAmountInfo").int("refundedAmount") != 500 || s.in("paymentAmountInfo").int("depositedAmount") != 1500 || len(s["refunds"].([]any)) != 1 {
		t.Fatalf("%v", s)
	}
	if got := w.call("refund.do", "orderId", id, "amount", "500", "expectedDepositedAmount", "2000"); got.code() != "5" {
		t.Fatalf("the guard: %v", got)
	}
	if got := w.call("refund.do", "orderId", id, "amount", "500", "expectedDepositedAmount", "1500"); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	if got := w.call("refund.do", "orderId", id, "amount", "1001"); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	if got := w.call("refund.do", "orderId", id, "amount", "0"); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	s = w.mustStatus(id, 4, 0)
	if s.in("paymentAmountInfo").text("paymentState") != "REFUNDED" || s.in("paymentAmountInfo").int("depositedAmount") != 0 {
		t.Fatalf("%v", s)
	}
	if got := w.call("refund.do", "orderId", id, "amount", "1"); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	w.mustLedger(id, 1, 2000, 2000, 2000)
}

func TestDeclineMakesAnOrderUnpayable(t *testing.T) {
	w := newWorld(t, nil)
	id, trans, a := w.challenge("1", challengeOK)
	if got := w.call("decline.do", "orderId", id); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}}).submit()
	if got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	if got := w.pay(id, noTDS); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	w.mustStatus(id, 6, -100)
	w.mustLedger(id, 0, 0, 0, 0)
	paid := w.register("register.do", "2")
	w.pay(paid, noTDS)
	if got := w.call("decline.do", "orderId", paid); got.code() != "5" {
		t.Fatalf("a paid order: %v", got)
	}
}

func TestABindingIsMadeListedUsedAndSwitchedOff(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.call("getBindings.do", "clientId", "c-1"); got.code() != "2" {
		t.Fatalf("%v", got)
	}
	id := w.register("register.do", "1", "clientId", "c-1")
	w.pay(id, frictionless)
	w.call("3ds/continue.do", "mdOrder", id)
	w.callback("operation", "deposited")
	w.callback("operation", "bindingCreated", "clientId", "c-1")
	binding := w.status(id).in("bindingInfo").text("bindingId")
	list := w.call("getBindings.do", "clientId", "c-1")["bindings"].([]any)
	if row := answer(list[0].(map[string]any)); binding == "" || len(list) != 1 || row.text("bindingId") != binding || row.text("maskedPan") != "400001**0001" || row.text("expiryDate") != "203012" {
		t.Fatalf("%v", list)
	}
	anonymous := w.register("register.do", "2")
	if got := w.call("paymentOrderBinding.do", "mdOrder", anonymous, "bindingId", binding); got.code() != "5" || got.text("error") != "[clientId] is empty" {
		t.Fatalf("%v", got)
	}
	other := w.register("register.do", "3", "clientId", "c-2")
	if got := w.call("paymentOrderBinding.do", "mdOrder", other, "bindingId", binding); got.code() != "1" {
		t.Fatalf("another client's binding: %v", got)
	}
	auto := w.register("register.do", "4", "clientId", "c-1", "features", "AUTO_PAYMENT")
	got := w.call("paymentOrderBinding.do", "mdOrder", auto, "bindingId", binding, "language", "en")
	if got.code() != "0" || got.text("redirect") == "" || got["threeDSMethodURLServer"] != nil {
		t.Fatalf("%v", got)
	}
	w.mustLedger(auto, 1, 2000, 2000, 0)
	present := w.register("register.do", "5", "clientId", "c-1")
	if got := w.call("paymentOrderBinding.do", "mdOrder", present, "bindingId", binding); got.text("threeDSMethodURLServer") == "" {
		t.Fatalf("a shopper's own payment runs 3DS: %v", got)
	}
	if got := w.call("bindCard.do", "bindingId", binding); got.code() != "2" {
		t.Fatalf("%v", got)
	}
	if got := w.call("unBindCard.do", "bindingId", binding); got.code() != "0" {
		t.Fatalf("%v", got)
	}
	if got := w.call("unBindCard.do", "bindingId", binding); got.code() != "2" {
		t.Fatalf("%v", got)
	}
	off := w.register("register.do", "6", "clientId", "c-1")
	if got := w.call("paymentOrderBinding.do", "mdOrder", off, "bindingId", binding); got.code() != "2" {
		t.Fatalf("%v", got)
	}
	w.restart()
	if got := w.call("bindCard.do", "bindingId", binding); got.code() != "0" {
		t.Fatalf("%v", got)
	}
}

func TestARestartInTheMiddleOfAChallengeLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	paid := w.register("registerPreAuth.do", "paid")
	w.pay(paid, noTDS)
	id, trans, a := w.challenge("1", challengeOK, "threeDSVer2FinishUrl", w.shop.URL+"/return")
	w.browser().post(a.text("acsUrl"), url.Values{"creq": {a.text("packedCReq")}})
	w.restart()
	w.mustStatus(id, 5, -100)
	w.mustLedger(id, 0, 0, 0, 0)
	w.mustLedger(paid, 1, 2000, 0, 0)
	if got := w.call("register.do", "orderNumber", "1", "amount", "1", "currency", "398", "returnUrl", "https://shop.example"); got.code() != "1" {
		t.Fatalf("the number is still taken: %v", got)
	}
	if got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); got.code() != "0" || got["error"] != nil {
		t.Fatalf("%v", got)
	}
	w.restart()
	if got := w.call("finish3dsVer2Payment.do", "threeDSServerTransId", trans); got.code() != "5" {
		t.Fatalf("%v", got)
	}
	w.mustLedger(id, 1, 2000, 2000, 0)
	w.mustStatus(id, 2, 0)
}

func TestNoCardNumberReachesTheDisk(t *testing.T) {
	w := newWorld(t, nil)
	for i, pan := range []string{noTDS, challengeOK, legacyOK, soft, noFunds} {
		id := w.register("register.do", string(rune('a'+i)), "clientId", "c")
		w.pay(id, pan)
		w.call("3ds/continue.do", "mdOrder", id)
	}
	w.Stop()
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*"))
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		for _, pan := range []string{noTDS, challengeOK, legacyOK, soft, noFunds} {
			if strings.Contains(string(raw), pan) {
				t.Errorf("%s holds a card number", filepath.Base(f))
			}
		}
	}
	w.Start()
}

func TestCallbacksAreSignedWithRSAWhereTheAccountSaysSo(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(a *Account) { a.CallbackRSA, a.CallbackAlias, a.CallbackPOST = key, "SHA-256 with RSA", true })
	id := w.register("register.do", "1")
	w.pay(id, noTDS)
	cb := w.callback("operation", "deposited", "sign_alias", "SHA-256 with RSA")
	verifyRSA(t, &key.PublicKey, cb)
}

func TestTwentyPaymentsOfOneOrderAtOnceAreOneCharge(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	done := make(chan answer, 20)
	for range 20 {
		go func() { done <- w.pay(id, noTDS) }()
	}
	paid := 0
	for range 20 {
		if a := <-done; a.code() == "0" && a["error"] == nil {
			paid++
		}
	}
	if paid != 1 {
		t.Fatalf("%d answers said paid", paid)
	}
	w.mustLedger(id, 1, 2000, 2000, 0)
}

func TestResetForgetsEveryOrder(t *testing.T) {
	w := newWorld(t, nil)
	id := w.register("register.do", "1")
	w.g.Reset()
	if got := w.status(id); got.code() != "6" {
		t.Fatalf("%v", got)
	}
	if c := w.g.Credentials(); c["userName"] == "" || c["password"] == "" || w.g.Name() != "rbs" {
		t.Fatalf("%v", c)
	}
}
