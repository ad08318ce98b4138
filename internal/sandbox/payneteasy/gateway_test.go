package payneteasy

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
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
	erroBack     = "4000019900020753"
	padded       = "4000019900020761"
	folded       = "4000019900020779"
	decoupled    = "4000019900020803"
	soft         = "4000019900020902"
	legacyOK     = "4000019900040702"
	legacyNo     = "4000019900040710"
	noTDS        = "4000019900050008"
	noFunds      = "4000019900050107"
	noHonor      = "4000019900060700"
	gatewayPage  = "4000019900070006"
)

func TestControlsEqualThePublishedOnes(t *testing.T) {
	raw, err := os.ReadFile("testdata/control_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Command string
		Parts   []struct{ Value string }
		SHA1    string `json:"sha1_hex"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 14 {
		t.Fatal(err, len(vectors))
	}
	for _, v := range vectors {
		var parts []string
		for _, p := range v.Parts {
			parts = append(parts, p.Value)
		}
		if got := control(parts...); got != v.SHA1 {
			t.Errorf("%s: %s", v.Command, got)
		}
	}
}

func TestAmountsAreMajorUnitsAndSignedAsHundredths(t *testing.T) {
	for in, want := range map[string]int64{"10.42": 1042, "10.5": 1050, "10": 1000, "0.99": 99, "19.99": 1999, "1234567.89": 123456789} {
		if got, err := parseAmount(in); err != nil || got != want {
			t.Errorf("%s: %d %v", in, got, err)
		}
	}
	for _, in := range []string{"", ".", "1.", ".5", "1,5", "-1", "+1", "1e3", "1.234", " 1", "12345678901", "0x1", "1.2.3"} {
		if got, err := parseAmount(in); err == nil {
			t.Errorf("%q was read as %d", in, got)
		}
	}
}

// TestRequestsThatPublicClientsReallySend replays recorded requests against an account with the keys they were signed with.
func TestRequestsThatPublicClientsReallySend(t *testing.T) {
	w := newWorld(t, func(a *Account) {
		a.Login, a.Control, a.Endpoints = "test-login", "00000000-1111-2222-3333-444444444444", []string{"789"}
	})
	for file, want := range map[string]map[string]string{
		"phplib_sale.http":  {"type": "async-response", "merchant-order-id": "CLIENT-112244", "end-point-id": "789"},
		"woo_sale.http":     {"type": "validation-error", "error-code": "1", "error-message": "Parameter address1 is required", "merchant-order-id": "CLIENT-1"},
		"woo_sale_bad.http": {"type": "validation-error", "error-code": "1", "error-message": "Parameter order_desc is required"},
	} {
		raw, err := os.ReadFile(filepath.Join("testdata/client_requests", file))
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(raw), "\n\n")
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\n\n")))
		if err != nil {
			t.Fatal(err)
		}
		out, err := http.NewRequest(r.Method, w.Server.URL+"/payneteasy"+r.URL.Path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		out.Header = r.Header
		res, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		a := decode(t, string(got))
		for name, v := range want {
			if a[name] != v {
				t.Errorf("%s: %s is %q, want %q in %v", file, name, a[name], v, a)
			}
		}
	}
	for o := range w.g.orders.All() {
		if a := w.mustStatus(o.Client, o.ID, "declined"); o.Client != "CLIENT-112244" || a["error-message"] == "" {
			t.Errorf("its CVV2 084 is declined: %v", a)
		}
	}
}

func TestTheBodyHasALineFeedAtTheEndOfEachValue(t *testing.T) {
	w := newWorld(t, nil)
	res, body := w.raw("v2/sale/"+w.id(), w.saleForm("A-1", noTDS))
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if res.Header.Get("Content-Type") != "text/html;charset=utf-8" || len(lines) != 5 || lines[0] != "type=async-response" || !strings.HasSuffix(body, "\n") {
		t.Fatalf("%q", body)
	}
	for i, name := range []string{"type=", "&serial-number=00000000-0000-0000-0000-0000", "&merchant-order-id=A-1", "&paynet-order-id=6684127", "&end-point-id=39529"} {
		if !strings.HasPrefix(lines[i], name) {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
}

func TestJSONIsAnsweredWhereItIsAccepted(t *testing.T) {
	w := newWorld(t, nil)
	send := func(path string, v url.Values) (int, map[string]any) {
		r, _ := http.NewRequest("POST", w.Server.URL+"/payneteasy/paynet/api/"+path, strings.NewReader(v.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/vnd.pay+json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		m := map[string]any{}
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, m
	}
	code, m := send("v2/sale/"+w.id(), w.saleForm("J-1", noTDS))
	if code != 200 || m["type"] != "async-response" || m["paynet-order-id"] != float64(6684127) {
		t.Fatalf("%d %v", code, m)
	}
	if code, m = send("v2/status/"+w.id(), w.signed("J-1", "6684127")); code != 200 || m["paynet-order-id"] != "6684127" || m["status"] != "approved" {
		t.Fatalf("%d %v", code, m)
	}
	if code, m = send("v2/sale/"+w.id(), w.saleForm("J-2", noTDS, "credit_card_number", "")); code != 400 || m["error-code"] != float64(1) || m["error-message"] != "Parameter credit_card_number is required" {
		t.Fatalf("%d %v", code, m)
	}
}

func TestASaleIsRefusedForAWrongControlAndForEachParameterByName(t *testing.T) {
	w := newWorld(t, nil)
	path := "v2/sale/" + w.id()
	for name, c := range map[string]string{"of another key": control(w.id(), "A", "1042", "john@example.com", "x"), "upper case": strings.ToUpper(control(w.id(), "A", "1042", "john@example.com", w.acc.Control)),
		"of another amount": control(w.id(), "A", "1041", "john@example.com", w.acc.Control), "of the group": control("2545", "A", "1042", "john@example.com", w.acc.Control)} {
		a := w.send(path, w.saleForm("A", noTDS, "control", c))
		if w.mustRefuse(a, "2"); a["merchant-order-id"] != "A" {
			t.Errorf("%s: %v", name, a)
		}
	}
	for _, name := range []string{"client_orderid", "order_desc", "address1", "city", "zip_code", "country", "phone", "email", "amount", "currency", "ipaddress",
		"card_printed_name", "credit_card_number", "expire_month", "expire_year", "cvv2", "redirect_url"} {
		a := w.send(path, w.saleForm("A", noTDS, name, ""))
		if w.mustRefuse(a, "1"); a["error-message"] != "Parameter "+name+" is required" || a["type"] != "validation-error" {
			t.Errorf("%s: %v", name, a)
		}
	}
	for name, v := range map[string]string{"amount": "1.234", "currency": "XXX", "credit_card_number": "4000019900020002", "expire_month": "13", "expire_year": "203",
		"cvv2": "12a", "ipaddress": "nowhere", "country": "KAZ", "redirect_url": "javascript:alert(1)", "email": "nobody", "notify_url": "x"} {
		a := w.send(path, w.saleForm("A", noTDS, name, v))
		if w.mustRefuse(a, "1"); a["error-message"] != "Parameter "+name+" is invalid" {
			t.Errorf("%s: %v", name, a)
		}
	}
	if a := w.send(path, w.saleForm("A", noTDS, "country", "US")); a["error-message"] != "Parameter state is required" {
		t.Errorf("%v", a)
	}
	if a := w.send(path, w.saleForm("A", noTDS, "currency", "JPY")); a["error-message"] != "Parameter amount is invalid" {
		t.Errorf("yen have no hundredths: %v", a)
	}
	if a := w.send("v2/sale/1", w.saleForm("A", noTDS)); a["error-code"] != "3" {
		t.Errorf("%v", a)
	}
	if len(w.Env.Ledger.All()) != 0 {
		t.Errorf("a refused sale left an order: %v", w.Env.Ledger.All())
	}
}

func TestASaleWithoutTDSIsApprovedOnceAndItsNumberIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("sale", "A-1", noTDS, "notify_url", w.shop.URL+"/callback?x=1")
	a := w.mustStatus("A-1", id, "approved")
	if a["amount"] != "10.42" || a["currency"] != "EUR" || a["transaction-type"] != "sale" || a["order-stage"] != "sale_approved" || a["last-four-digits"] != "0008" ||
		a["bin"] != "400001" || a["card-type"] != "VISA" || a["approval-code"] == "" || a["tds_status"] != "" || a["html"] != "" || a["initial-amount"] != "10.42" {
		t.Fatalf("%v", a)
	}
	w.mustLedger("A-1", 1, 1042, 1042, 0)
	w.callback("status", "approved", "type", "sale", "orderid", id, "merchant_order", "A-1", "client_orderid", "A-1", "amount", "10.42", "x", "1", "last-four-digits", "0008")
	again := w.send("v2/sale/"+w.id(), w.saleForm("A-1", noTDS))
	if w.mustRefuse(again, "8"); again["paynet-order-id"] != id {
		t.Fatalf("%v", again)
	}
	w.mustLedger("A-1", 1, 1042, 1042, 0)
}

func TestTheGroupPathHasItsOwnControl(t *testing.T) {
	w := newWorld(t, nil)
	v := w.saleForm("G-1", noTDS)
	v.Set("control", control("2545", "G-1", "1042", "john@example.com", w.acc.Control))
	a := w.send("v2/sale/group/2545", v)
	w.mustAsync(a)
	s := w.send("v2/status/group/2545", w.signed("G-1", a["paynet-order-id"]))
	if s["status"] != "approved" {
		t.Fatalf("%v", s)
	}
	if a := w.send("v2/sale/2545", v); a["error-code"] != "3" {
		t.Fatalf("a group is no end point: %v", a)
	}
}

func TestTheCVVDecidesAsInTheGatewaysSandbox(t *testing.T) {
	w := newWorld(t, nil)
	for cvv, want := range map[string]string{"123": "approved", "1234": "approved", "217": "unknown", "101": "declined", "116": "declined", "119": "declined", "209": "declined", "084": "declined", "999": "declined"} {
		id := w.begin("sale", "C-"+cvv, noTDS, "cvv2", cvv)
		a := w.mustStatus("C-"+cvv, id, want)
		if charges := map[bool]int{true: 1}[want == "approved"]; true {
			w.mustLedger("C-"+cvv, charges, int64(charges)*1042, int64(charges)*1042, 0)
		}
		if want == "declined" && (a["error-message"] == "" || a["error-code"] == "") {
			t.Errorf("%s: %v", cvv, a)
		}
	}
	id := w.begin("sale", "C-111", challengeOK, "cvv2", "111")
	w.mustStatus("C-111", id, "approved")
	id = w.begin("sale", "C-321", noTDS, "cvv2", "321")
	if a := w.mustStatus("C-321", id, "processing"); a["html"] == "" || a["redirect-to"] == "" {
		t.Errorf("%v", a)
	}
	for client, pan := range map[string]string{"C-funds": noFunds, "C-unlisted": "4444444444444448"} {
		id := w.begin("sale", client, pan)
		w.mustStatus(client, id, "declined")
		w.mustLedger(client, 0, 0, 0, 0)
	}
	id = w.begin("sale", "C-old", noTDS, "expire_year", "20")
	if a := w.mustStatus("C-old", id, "declined"); a["error-message"] != "Expired card" {
		t.Errorf("%v", a)
	}
}

func TestUnknownStaysUnknownUntilItIsResolved(t *testing.T) {
	w := newWorld(t, nil)
	for to, charges := range map[string]int{"approved": 1, "declined": 0} {
		id := w.begin("sale", "U-"+to, noTDS, "cvv2", "217", "notify_url", w.shop.URL+"/callback")
		w.Pass(24 * time.Hour)
		w.mustStatus("U-"+to, id, "unknown")
		res, err := http.Post(w.Server.URL+"/payneteasy/sandbox/resolve/U-"+to+"?to="+to, "", nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatal(res.Status, err)
		}
		w.mustStatus("U-"+to, id, to)
		w.callback("status", to)
		w.mustLedger("U-"+to, charges, int64(charges)*1042, int64(charges)*1042, 0)
		if err := w.g.Resolve("U-"+to, true); err == nil {
			t.Error("resolved twice")
		}
	}
}

func TestStatusIsRefusedForWrongLoginControlAndOrder(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("sale", "S-1", noTDS)
	path := "v2/status/" + w.id()
	v := w.signed("S-1", id)
	v.Set("control", control(w.acc.Login, "S-1", id, "x"))
	w.mustRefuse(w.send(path, v), "2")
	v = w.signed("S-1", id)
	v.Set("login", "other")
	w.mustRefuse(w.send(path, v), "2")
	w.mustRefuse(w.send(path, w.signed("S-2", id)), "4")
	w.mustRefuse(w.send(path, w.signed("S-1", "1")), "4")
	byClient := w.signed("S-1", "")
	byClient.Del("orderid")
	if a := w.send(path, byClient); a["status"] != "approved" || a["paynet-order-id"] != id {
		t.Fatalf("orderid may be left out: %v", a)
	}
}

// methodStep begins a sale of a 3DS 2 card and returns the order and its transaction.
func (w *world) methodStep(command, client, pan string, pairs ...string) (id, trans string) {
	w.T.Helper()
	id = w.begin(command, client, pan, pairs...)
	for range 3 { // repeated until the upload is accepted
		a := w.mustStatus(client, id, "processing")
		if a["tds_status"] != "MethodUrlFrame" || a["tds-method-url-frame-3ds-server-trans-id"] == "" || a["order-stage"] != command+"_3d_validating" {
			w.T.Fatalf("%v", a)
		}
		trans = a["tds-method-url-frame-3ds-server-trans-id"]
	}
	return id, trans
}

func TestTheResultOfTheMethodIsUploadedOnceAndDecidesByTheARes(t *testing.T) {
	for name, c := range map[string]struct{ pan, want string }{
		"Y": {frictionless, "approved"}, "Y without Method URL": {noMethod, "approved"}, "A": {attemptA, "approved"}, "I": {informedI, "approved"},
		"N": {refusedN, "declined"}, "R": {rejectedR, "declined"}, "U": {unavailableU, "declined"}, "DS timeout": {dsTimeout, "declined"},
		"Cardinal": {"4000000000001000", "approved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id, trans := w.methodStep("sale", "M-1", c.pan)
			a := w.status("M-1", id)
			ind := "Y"
			if c.pan == noMethod {
				ind = "U"
			}
			if (a["tds-method-url-frame-3ds-method-url"] == "") != (ind == "U") {
				t.Fatalf("%v", a)
			}
			w.mustAsync(w.method("M-1", id, trans, "threeDSCompInd", ind))
			if a := w.mustStatus("M-1", id, "processing"); a["tds_status"] != "" {
				t.Fatalf("%v", a)
			}
			w.mustStatus("M-1", id, c.want)
			w.mustRefuse(w.method("M-1", id, trans), "5")
			charges := map[bool]int{true: 1}[c.want == "approved"]
			w.mustLedger("M-1", charges, int64(charges)*1042, int64(charges)*1042, 0)
		})
	}
}

func TestAnUploadOfTheMethodIsCheckedElementByElementAndChangesNothingWhenRefused(t *testing.T) {
	w := newWorld(t, nil)
	id, trans := w.methodStep("sale", "M-1", frictionless)
	for _, name := range []string{"threeDSServerTransID", "threeDSCompInd", "notificationURL", "browserAcceptHeader", "browserIP", "browserJavascriptEnabled",
		"browserLanguage", "browserJavaEnabled", "browserColorDepth", "browserScreenHeight", "browserScreenWidth", "browserTZ"} {
		a := w.method("M-1", id, trans, name, "")
		if w.mustRefuse(a, "1"); a["error-message"] != "Parameter "+name+" is required" {
			t.Errorf("%s: %v", name, a)
		}
	}
	for name, v := range map[string]string{"threeDSServerTransID": "3d671629-a410-4a5d-9288-b38ceadd41f2", "threeDSCompInd": "X", "notificationURL": "x",
		"browserLanguage": "en-US-x-long", "browserColorDepth": "99", "browserTZ": "UTC"} {
		w.mustRefuse(w.method("M-1", id, trans, name, v), "1")
	}
	w.mustRefuse(w.method("M-1", id, trans, "control", "x"), "2")
	w.mustRefuse(w.method("M-1", id, trans, "orderid", ""), "2")
	w.mustRefuse(w.send("3ds/v1/upload-cres-result/"+w.id(), w.signed("M-1", id, "cRes", "x")), "5")
	if a := w.mustStatus("M-1", id, "processing"); a["tds_status"] != "MethodUrlFrame" {
		t.Fatalf("%v", a)
	}
	w.mustAsync(w.method("M-1", id, trans, "browserJavascriptEnabled", "false", "browserColorDepth", "", "browserScreenHeight", "", "browserScreenWidth", "", "browserTZ", "", "browserJavaEnabled", ""))
	w.status("M-1", id)
	w.mustStatus("M-1", id, "approved")
}

func TestTheNumberOfProcessingAnswersAndTheSpellingAreTheAccounts(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.Processing, a.SaleProcessing, a.HyphenStatus = 3, 2, true })
	id := w.begin("sale", "P-1", frictionless)
	for range 2 {
		if a := w.mustStatus("P-1", id, "processing"); a["tds-status"] != "" {
			t.Fatalf("%v", a)
		}
	}
	a := w.mustStatus("P-1", id, "processing")
	if a["tds-status"] != "MethodUrlFrame" || a["tds_status"] != "" {
		t.Fatalf("%v", a)
	}
	w.mustAsync(w.method("P-1", id, a["tds-method-url-frame-3ds-server-trans-id"]))
	for range 3 {
		w.mustStatus("P-1", id, "processing")
	}
	w.mustStatus("P-1", id, "approved")

	none := newWorld(t, func(a *Account) { a.Processing = -1 })
	id, trans := none.methodStep("sale", "P-2", frictionless)
	none.mustAsync(none.method("P-2", id, trans))
	none.mustStatus("P-2", id, "approved")
}

// challengeStep goes on to CReqForm and plays the bank's pages; it returns what the browser would bring back.
func (w *world) challengeStep(client, pan string, pairs ...string) (id, field, value string) {
	w.T.Helper()
	id, trans := w.methodStep("sale", client, pan, pairs...)
	w.mustAsync(w.method(client, id, trans))
	w.mustStatus(client, id, "processing")
	a := w.mustStatus(client, id, "processing")
	if a["tds_status"] != "CReqForm" || a["tds-creq-form-creq"] == "" || a["tds-creq-form-acs-url"] != w.Server.URL+"/acs/challenge" {
		w.T.Fatalf("%v", a)
	}
	if pan == neverBack {
		w.browser().post(a["tds-creq-form-acs-url"], url.Values{"creq": {a["tds-creq-form-creq"]}})
		return id, "", ""
	}
	b := w.browser().post(a["tds-creq-form-acs-url"], url.Values{"creq": {a["tds-creq-form-creq"]}, "threeDSSessionData": {"NjY4MDU3NQ"}})
	_, action, v := b.fields()
	if action != w.shop.URL+"/3ds/return" || v.Get("threeDSSessionData") != "NjY4MDU3NQ" {
		w.T.Fatalf("%s %v", action, v)
	}
	for _, name := range []string{"cres", "erro"} {
		if v.Get(name) != "" {
			return id, name, v.Get(name)
		}
	}
	w.T.Fatalf("nothing comes back: %v", v)
	return "", "", ""
}

func (w *world) uploadCRes(client, id string, pairs ...string) answer {
	w.T.Helper()
	v := w.signed(client, id, pairs...)
	v.Set("client-order-id", v.Get("client_orderid"))
	v.Del("client_orderid")
	return w.send("3ds/v1/upload-cres-result/"+w.id(), v)
}

func TestAChallengeEndsAsTheBankSaysAndNotAsTheCResSays(t *testing.T) {
	for name, c := range map[string]struct{ pan, want, field string }{
		"passed": {challengeOK, "approved", "cRes"}, "failed": {challengeNo, "declined", "cres"}, "cancelled": {cancelled, "declined", "CRES"},
		"Erro": {erroBack, "declined", "cRes"}, "padded": {padded, "approved", "cRes"}, "folded": {folded, "approved", "cRes"},
		"declined by the bank": {noHonor, "declined", "cRes"}, "soft decline": {soft, "approved", "cRes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id, _, cres := w.challengeStep("X-1", c.pan)
			w.mustAsync(w.uploadCRes("X-1", id, c.field, cres))
			if a := w.mustStatus("X-1", id, "processing"); a["tds_status"] != "" {
				t.Fatalf("%v", a)
			}
			w.mustStatus("X-1", id, c.want)
			w.mustRefuse(w.uploadCRes("X-1", id, c.field, cres), "5")
			charges := map[bool]int{true: 1}[c.want == "approved"]
			w.mustLedger("X-1", charges, int64(charges)*1042, int64(charges)*1042, 0)
		})
	}
}

func TestAForgedForeignOrEarlyCResChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	other, _, foreign := w.challengeStep("X-2", challengeOK)
	id, _, cres := w.challengeStep("X-1", challengeNo)
	early, trans := w.methodStep("sale", "X-3", challengeOK)
	w.mustAsync(w.method("X-3", early, trans))
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"messageType":"CRes","messageVersion":"2.2.0","acsTransID":"a","transStatus":"Y","threeDSServerTransID":"` + trans + `"}`))
	w.mustRefuse(w.uploadCRes("X-3", early, "cRes", forged), "5")
	w.mustRefuse(w.uploadCRes("X-1", id, "cRes", foreign), "1")
	w.mustRefuse(w.uploadCRes("X-1", id, "cRes", "%%%"), "1")
	w.mustRefuse(w.uploadCRes("X-1", id), "1")
	if a := w.mustStatus("X-1", id, "processing"); a["tds_status"] != "CReqForm" {
		t.Fatalf("the step is repeated: %v", a)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(cres)
	lie := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"transStatus":"N"`, `"transStatus":"Y"`, 1)))
	w.mustAsync(w.uploadCRes("X-1", id, "cRes", lie))
	w.status("X-1", id)
	w.mustStatus("X-1", id, "declined")
	w.mustLedger("X-1", 0, 0, 0, 0)
	w.mustLedger("X-2", 0, 0, 0, 0)
	w.mustStatus("X-2", other, "processing")
}

func TestAStepThatNobodyAnswersEndsAfterFifteenMinutes(t *testing.T) {
	w := newWorld(t, nil)
	id, _, _ := w.challengeStep("T-1", neverBack, "notify_url", w.shop.URL+"/callback")
	w.Pass(14 * time.Minute)
	w.mustStatus("T-1", id, "processing")
	w.Pass(2 * time.Minute)
	if a := w.mustStatus("T-1", id, "declined"); a["error-message"] != "3-D Secure authentication timed out" {
		t.Fatalf("%v", a)
	}
	w.callback("status", "declined", "error_message", "3-D Secure authentication timed out")
	w.mustLedger("T-1", 0, 0, 0, 0)
}

func TestADecoupledAuthenticationShowsNoStepAndEndsByItself(t *testing.T) {
	w := newWorld(t, nil)
	id, trans := w.methodStep("sale", "D-1", decoupled, "notify_url", w.shop.URL+"/callback")
	w.mustAsync(w.method("D-1", id, trans))
	for range 3 {
		if a := w.mustStatus("D-1", id, "processing"); a["tds_status"] != "" || a["html"] != "" {
			t.Fatalf("%v", a)
		}
	}
	w.Pass(20 * time.Second)
	w.callback("status", "approved") // nobody had to ask
	w.mustStatus("D-1", id, "approved")
	w.mustLedger("D-1", 1, 1042, 1042, 0)
}

func TestA3DS1CardShowsPaReqFormAndItsPaResIsVerified(t *testing.T) {
	w := newWorld(t, nil)
	paRes := map[string]string{}
	ids := map[string]string{}
	for client, pan := range map[string]string{"L-1": legacyOK, "L-2": legacyNo} {
		ids[client] = w.begin("sale", client, pan)
		a := w.mustStatus(client, ids[client], "processing")
		if a["tds_status"] != "PaReqForm" || a["tds-pareq-form-acs-url"] == "" {
			t.Fatalf("%v", a)
		}
		b := w.browser().post(a["tds-pareq-form-acs-url"], url.Values{"PaReq": {a["tds-pareq-form-pareq"]}, "MD": {"m"}, "TermUrl": {w.shop.URL + "/term"}})
		_, _, v := b.fields()
		paRes[client] = v.Get("PaRes")
	}
	upload := func(client, value string) answer {
		return w.send("3ds/v1/upload-pares-result/"+w.id(), w.signed(client, ids[client], "paRes", value, "md", "m"))
	}
	w.mustRefuse(upload("L-2", paRes["L-1"]), "1")
	w.mustRefuse(upload("L-1", "garbage"), "1")
	w.mustAsync(upload("L-1", paRes["L-1"]))
	w.mustAsync(upload("L-2", paRes["L-2"]))
	w.mustRefuse(upload("L-1", paRes["L-1"]), "5")
	for client, want := range map[string]string{"L-1": "approved", "L-2": "declined"} {
		w.mustStatus(client, ids[client], "processing")
		w.mustStatus(client, ids[client], want)
	}
	w.mustLedger("L-1", 1, 1042, 1042, 0)
	w.mustLedger("L-2", 0, 0, 0, 0)
}

func TestTheGatewaysPageComesAsHTMLAndAsAddressAndEndsInASignedPostToTheShop(t *testing.T) {
	for name, c := range map[string]struct{ code, want string }{"passed": {"1234", "approved"}, "failed": {"3333", "declined"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id := w.begin("sale", "H-1", gatewayPage)
			a := w.mustStatus("H-1", id, "processing")
			if a["tds_status"] != "" || !strings.Contains(a["html"], `action="`+a["redirect-to"]+`"`) || !strings.Contains(a["html"], "<noscript>") {
				t.Fatalf("%v", a)
			}
			b := (&browser{w: w, page: a["html"]}).submit() // the gateway's page
			b = b.submit()                                  // the bank's
			u, _ := url.Parse(w.Server.URL)
			if b.url.Host != u.Host || !strings.HasPrefix(b.url.Path, "/acs/") {
				t.Fatalf("at %s: %s", b.url, b.page)
			}
			first := formTag.FindStringSubmatch(b.page)
			to, _ := b.url.Parse(actionTag.FindStringSubmatch(first[1])[1])
			b.post(to.String(), url.Values{"otp": {c.code}})
			w.mustStatus("H-1", id, "processing")
			b.submit() // back to the gateway
			w.mustStatus("H-1", id, c.want)
			b.submit() // and to the shop
			w.finalRedirect("status", c.want, "orderid", id, "client_orderid", "H-1", "merchant_order", "H-1", "amount", "10.42")
			charges := map[bool]int{true: 1}[c.want == "approved"]
			w.mustLedger("H-1", charges, int64(charges)*1042, int64(charges)*1042, 0)
			if b := w.browser().get(a["redirect-to"]); !strings.Contains(b.page, w.shop.URL+"/done") {
				t.Fatalf("afterwards the page leads to the shop: %s", b.page)
			}
			w.mustLedger("H-1", charges, int64(charges)*1042, int64(charges)*1042, 0)
		})
	}
}

func TestTheCVV321RunsAnyCardBehindTheGatewaysPage(t *testing.T) {
	for pan, want := range map[string]string{noTDS: "approved", legacyOK: "approved", challengeNo: "declined", frictionless: "approved"} {
		w := newWorld(t, nil)
		id := w.begin("sale", "V-1", pan, "cvv2", "321")
		b := w.browser().get(w.mustStatus("V-1", id, "processing")["redirect-to"])
		for range 3 {
			if _, action, _ := b.fields(); strings.HasPrefix(action, w.shop.URL) {
				break
			}
			b.submit()
		}
		b.submit()
		w.finalRedirect("status", want)
		w.mustStatus("V-1", id, want)
	}
}

func TestTheHostedFormTakesACardWithoutScript(t *testing.T) {
	w := newWorld(t, nil)
	form := w.saleForm("F-1", "")
	for _, name := range []string{"credit_card_number", "card_printed_name", "expire_month", "expire_year", "cvv2"} {
		form.Del(name)
	}
	a := w.send("v2/preauth-form/"+w.id(), form)
	if a["type"] != "async-form-response" || a["redirect-url"] == "" {
		t.Fatalf("%v", a)
	}
	id := a["paynet-order-id"]
	w.mustStatus("F-1", id, "processing")
	card := []string{"credit_card_number", challengeOK, "expire_month", "12", "expire_year", "30", "cvv2", "123", "card_printed_name", "J S"}
	b := w.browser().get(a["redirect-url"]).submit(append(card, "credit_card_number", "4000")...)
	if !strings.Contains(b.page, "Parameter credit_card_number is invalid") {
		t.Fatalf("%s", b.page)
	}
	b.submit(card...).submit().submit().submit()
	w.finalRedirect("status", "approved", "type", "preauth", "last-four-digits", "0704")
	w.mustStatus("F-1", id, "approved")
	w.mustLedger("F-1", 1, 1042, 0, 0)
	form.Set("client_orderid", "F-2")
	form.Set("control", control(w.id(), "F-2", "1042", "john@example.com", w.acc.Control))
	left := w.send("v2/sale-form/"+w.id(), form)
	w.Pass(31 * time.Minute)
	w.mustStatus("F-2", left["paynet-order-id"], "declined")
	if b := w.browser().get(w.Server.URL + "/payneteasy/paynet/form/init/nobody"); b.code != http.StatusNotFound {
		t.Fatalf("%d", b.code)
	}
}

func (w *world) money(command, client, id, amount, currency string) answer {
	w.T.Helper()
	v := url.Values{"login": {w.acc.Login}, "client_orderid": {client}, "orderid": {id}}
	parts := []string{w.acc.Login, client, id}
	if amount != "" {
		v.Set("amount", amount)
		parts = append(parts, minorText(amount))
	}
	if currency != "" {
		v.Set("currency", currency)
		parts = append(parts, currency)
	}
	v.Set("control", control(append(parts, w.acc.Control)...))
	return w.send("v2/"+command+"/"+w.id(), v)
}

func TestAHoldIsCapturedOnceWhollyOrInPart(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("preauth", "K-1", noTDS, "notify_url", w.shop.URL+"/callback")
	a := w.mustStatus("K-1", id, "approved")
	if a["transaction-type"] != "preauth" || a["order-stage"] != "auth_approved" {
		t.Fatalf("%v", a)
	}
	w.callback("type", "preauth", "status", "approved")
	w.mustLedger("K-1", 1, 1042, 0, 0)
	w.mustRefuse(w.money("capture", "K-1", id, "10.43", "EUR"), "6")
	w.mustRefuse(w.money("capture", "K-1", id, "5.00", ""), "1")
	w.mustRefuse(w.money("capture", "K-1", id, "5.00", "USD"), "1")
	unsigned := w.signed("K-1", id, "amount", "5.00", "currency", "EUR")
	w.mustRefuse(w.send("v2/capture/"+w.id(), unsigned), "2")
	got := w.mustAsync(w.money("capture", "K-1", id, "5.00", "EUR"))
	w.callback("type", "capture", "status", "approved", "amount", "5.00")
	w.mustLedger("K-1", 1, 1042, 500, 0)
	w.mustRefuse(w.money("capture", "K-1", id, "", ""), "5")
	a = w.mustStatus("K-1", id, "approved")
	if a["transaction-type"] != "capture" || a["amount"] != "5.00" || a["initial-amount"] != "10.42" {
		t.Fatalf("%v", a)
	}
	one := w.send("v2/status/"+w.id(), w.signed("K-1", id, "by-request-sn", got["serial-number"]))
	if one["transaction-type"] != "capture" || one["amount"] != "5.00" || one["by-request-sn"] != got["serial-number"] {
		t.Fatalf("%v", one)
	}
	w.mustRefuse(w.send("v2/status/"+w.id(), w.signed("K-1", id, "by-request-sn", "x")), "4")
	sale := w.begin("sale", "K-2", noTDS)
	w.mustRefuse(w.money("capture", "K-2", sale, "", ""), "5")
}

func TestReturnCancelsAHoldAndRefundsASaleInParts(t *testing.T) {
	w := newWorld(t, nil)
	hold := w.begin("preauth", "R-1", noTDS)
	w.mustAsync(w.money("return", "R-1", hold, "", ""))
	w.mustLedger("R-1", 1, 0, 0, 0)
	w.mustRefuse(w.money("return", "R-1", hold, "", ""), "5")
	w.mustRefuse(w.money("capture", "R-1", hold, "", ""), "5")
	if a := w.mustStatus("R-1", hold, "approved"); a["transaction-type"] != "cancel" || a["order-stage"] != "cancel_approved" {
		t.Fatalf("%v", a)
	}
	sale := w.begin("sale", "R-2", noTDS)
	w.mustRefuse(w.money("return", "R-2", sale, "10.43", "EUR"), "6")
	w.mustAsync(w.money("return", "R-2", sale, "4.00", "EUR"))
	w.mustRefuse(w.money("return", "R-2", sale, "6.43", "EUR"), "6")
	w.mustAsync(w.money("return", "R-2", sale, "", ""))
	w.mustLedger("R-2", 1, 1042, 1042, 1042)
	w.mustRefuse(w.money("return", "R-2", sale, "", ""), "5")
	void := w.begin("preauth", "R-3", noTDS)
	w.mustAsync(w.money("void", "R-3", void, "", ""))
	w.mustRefuse(w.money("void", "R-3", void, "", ""), "5")
	w.mustRefuse(w.money("void", "R-2", sale, "", ""), "5")
	w.mustLedger("R-3", 1, 0, 0, 0)
	no := w.begin("sale", "R-4", noFunds)
	w.mustRefuse(w.money("return", "R-4", no, "", ""), "5")
	// A client that signs a return with the sale's formula is refused, as by the real gateway.
	v := w.signed("R-2", sale, "control", control(w.id(), "R-2", "1042", "john@example.com", w.acc.Control))
	w.mustRefuse(w.send("v2/return/"+w.id(), v), "2")
}

func TestServerCallbackURLSilencesLaterCallbacks(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("preauth", "N-1", noTDS, "server_callback_url", w.shop.URL+"/callback/server", "notify_url", w.shop.URL+"/callback/notify")
	w.callback("_path", "/callback/server", "type", "preauth")
	w.mustAsync(w.money("capture", "N-1", id, "", ""))
	other := w.begin("sale", "N-2", noTDS, "notify_url", w.shop.URL+"/callback/notify")
	w.callback("_path", "/callback/notify", "type", "sale", "orderid", other)
}

func TestNoReferenceIsMadeOfTheCardOfADeclinedOrder(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("sale", "D-1", noFunds)
	w.status("D-1", id)
	w.mustStatus("D-1", id, "declined")
	w.mustRefuse(w.send("v2/create-card-ref/"+w.id(), w.signed("D-1", id)), "5")
}

func TestASavedCardIsRepeatedWithoutTDSUnlessTheAccountSaysSo(t *testing.T) {
	w := newWorld(t, nil)
	id, _, cres := w.challengeStep("B-1", challengeOK)
	ref := func() answer { return w.send("v2/create-card-ref/"+w.id(), w.signed("B-1", id)) }
	w.mustRefuse(ref(), "5")
	w.mustAsync(w.uploadCRes("B-1", id, "cres", cres))
	w.mustRefuse(ref(), "5")
	w.status("B-1", id)
	w.mustStatus("B-1", id, "approved")
	a := ref()
	if a["type"] != "create-card-ref-response" || a["status"] != "approved" || a["card-ref-id"] == "" || ref()["card-ref-id"] != a["card-ref-id"] {
		t.Fatalf("%v", a)
	}
	card := a["card-ref-id"]
	info := w.send("v2/get-card-info/"+w.id(), url.Values{"login": {w.acc.Login}, "cardrefid": {card}, "control": {control(w.acc.Login, card, w.acc.Control)}})
	if info["type"] != "get-card-info-response" || info["bin"] != "400001" || info["last-four-digits"] != "0704" || info["expire-month"] != "12" || info["card-printed-name"] != "JOHN SMITH" {
		t.Fatalf("%v", info)
	}
	rebill := func(command, client, amount, card string) answer {
		v := url.Values{"login": {w.acc.Login}, "client_orderid": {client}, "cardrefid": {card}, "amount": {amount}, "currency": {"EUR"},
			"control": {control(w.acc.Login, client, card, minorText(amount), "EUR", w.acc.Control)}}
		return w.send("v2/"+command+"/"+w.id(), v)
	}
	w.Restart()
	for command, captured := range map[string]int64{"make-rebill": 1052, "make-rebill-sale": 1052, "make-rebill-preauth": 0} {
		a := w.mustAsync(rebill(command, "B-"+command, "10.52", card))
		w.mustStatus("B-"+command, a["paynet-order-id"], "approved")
		w.mustLedger("B-"+command, 1, 1052, captured, 0)
		w.mustRefuse(rebill(command, "B-"+command, "10.52", card), "8")
	}
	w.mustRefuse(rebill("make-rebill", "B-9", "10.52", "999"), "7")
	bad := url.Values{"login": {w.acc.Login}, "client_orderid": {"B-9"}, "cardrefid": {card}, "amount": {"10.52"}, "currency": {"EUR"}, "control": {"x"}}
	w.mustRefuse(w.send("v2/make-rebill/"+w.id(), bad), "2")

	strict := newWorld(t, func(a *Account) { a.Rebill3DS = true })
	first := strict.begin("sale", "B-1", frictionless, "cvv2", "111")
	c := strict.send("v2/create-card-ref/"+strict.id(), strict.signed("B-1", first))["card-ref-id"]
	w = strict
	again := w.mustAsync(rebill("make-rebill", "B-2", "10.52", c))
	if a := w.mustStatus("B-2", again["paynet-order-id"], "processing"); a["tds_status"] != "MethodUrlFrame" {
		t.Fatalf("%v", a)
	}
}

func TestARestartInTheMiddleOfAChallengeLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	paid := w.begin("preauth", "Z-0", noTDS)
	id, _, cres := w.challengeStep("Z-1", challengeOK)
	w.Restart()
	w.mustLedger("Z-0", 1, 1042, 0, 0)
	if a := w.mustStatus("Z-1", id, "processing"); a["tds_status"] != "CReqForm" {
		t.Fatalf("%v", a)
	}
	w.mustRefuse(w.send("v2/sale/"+w.id(), w.saleForm("Z-0", noTDS)), "8")
	w.mustAsync(w.uploadCRes("Z-1", id, "cRes", cres))
	w.Restart()
	w.mustStatus("Z-1", id, "processing")
	w.mustStatus("Z-1", id, "approved")
	w.mustRefuse(w.uploadCRes("Z-1", id, "cRes", cres), "5")
	w.mustLedger("Z-1", 1, 1042, 1042, 0)
	if next := w.begin("sale", "Z-2", noTDS); next == id || next == paid {
		t.Fatalf("order id %s was given twice", next)
	}
}

func TestNoCardNumberReachesTheDisk(t *testing.T) {
	w := newWorld(t, nil)
	pans := []string{noTDS, challengeOK, legacyOK, gatewayPage, noFunds}
	for i, pan := range pans {
		client := "Q-" + string(rune('a'+i))
		id := w.begin("sale", client, pan)
		w.status(client, id)
		w.send("v2/create-card-ref/"+w.id(), w.signed(client, id))
	}
	w.Stop()
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*"))
	if len(files) == 0 {
		t.Fatal("nothing was journalled")
	}
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		for _, pan := range pans {
			if strings.Contains(string(raw), pan) {
				t.Errorf("%s holds a card number", filepath.Base(f))
			}
		}
	}
	w.Start()
}

func TestTwentySalesWithOneNumberAtOnceAreOneCharge(t *testing.T) {
	w := newWorld(t, nil)
	done := make(chan answer, 20)
	for range 20 {
		go func() { done <- w.send("v2/sale/"+w.id(), w.saleForm("O-1", noTDS)) }()
	}
	taken := 0
	for range 20 {
		if a := <-done; a["type"] == "async-response" {
			taken++
		}
	}
	if taken != 1 || len(w.Env.Ledger.All()) != 1 {
		t.Fatalf("%d answers took the sale", taken)
	}
	w.mustLedger("O-1", 1, 1042, 1042, 0)
}

func TestResetForgetsEveryOrder(t *testing.T) {
	w := newWorld(t, nil)
	id := w.begin("sale", "O-1", noTDS)
	w.g.Reset()
	w.mustRefuse(w.status("O-1", id), "4")
	if c := w.g.Credentials(); c["login"] == "" || c["merchant_control"] == "" || c["endpoint_id"] != w.id() || w.g.Name() != "payneteasy" {
		t.Fatalf("%v", c)
	}
}

func TestUnknownCommandsAndMethodsAreNotFound(t *testing.T) {
	w := newWorld(t, nil)
	for path, want := range map[string]int{"v2/nonsense/" + w.id(): 404, "v3/sale/" + w.id(): 404} {
		if res, _ := w.raw(path, nil); res.StatusCode != want {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	res, err := http.Get(w.Server.URL + "/payneteasy/paynet/api/v2/sale/" + w.id())
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%v %v", res.Status, err)
	}
}
