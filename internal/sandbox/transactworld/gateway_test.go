package transactworld

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	plain     = "4000019900050008"
	broke     = "4000019900050107"
	challenge = "4000019900020704"
	failing   = "4000019900020712"
	manual    = "4000019900020720"
	html7     = "4000019900070006"
)

// The vectors of the platform's documents and of public clients.
func TestChecksums(t *testing.T) {
	for text, want := range map[string]string{
		"12754|TESTSECUREKEY0000000000000000000|00001|50.00":                             "692e4fbcab6cf1c2fa0006bcd4651f7d",
		"12754|00001|50.00|TESTSECUREKEY0000000000000000000":                             "448bf8a281c86ff7c78ecfa99295763f",
		"9001|12754|TESTSECUREKEY0000000000000000000|https://shop.example/return":        "0cf0c0f1facb95ad409d529897a8d206",
		"77251|011E1D8A5C034|156.00|N|TESTSECUREKEY0000000000000000000":                  "7f11daf3f93d7fc77e802392ecb6eca1",
		"12754|TESTSECUREKEY0000000000000000000|INV-1|50.00|https://shop.example/return": "d6d533e1188853f2f25ccec1c1697a4e",
	} {
		if got := checksum(strings.Split(text, "|")...); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestATokenLivesAnHour(t *testing.T) {
	w := newWorld(t, nil)
	w.login()
	w.Pass(time.Hour - time.Second)
	w.want(w.send(rest+"payments", w.payment("A-1", plain)), "transactionStatus", "Y")
	w.Restart()
	w.want(w.inquire("A-1"), "transactionStatus", "Y")
	w.Pass(time.Second)
	status, _, body := w.post(rest+"payments", "application/x-www-form-urlencoded", "", w.payment("A-2", plain).Encode())
	if a := decode(t, body); status != 401 || a.get("result.code") != "401" || a.get("paymentId") != "" {
		t.Fatalf("%d %s", status, body)
	}
	w.login()
	w.want(w.inquire("A-2"), "result.code", "10009")
}

func TestWrongCredentialsAnswer200WithCode401(t *testing.T) {
	w := newWorld(t, nil)
	status, _, body := w.post(rest+"authToken", "application/x-www-form-urlencoded", "", "authentication.partnerId="+w.acc.PartnerID+"&merchant.username="+w.acc.Username+"&authentication.sKey=wrong")
	if a := decode(t, body); status != 200 || a.get("result.code") != "401" || a.get("AuthToken") != "" {
		t.Fatalf("%d %s", status, body)
	}
	w.token = "NO_TOKEN_GENERATED"
	if status, _, body = w.post(rest+"payments", "application/x-www-form-urlencoded", "", w.payment("A-1", plain).Encode()); status != 401 {
		t.Fatalf("%d %s", status, body)
	}
}

func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		pan, typ, cvv              string
		first, short, long, remark string
		charges                    int
	}{
		"paid at once":          {plain, "DB", "123", "Y", "Y", "capturesuccess", "Transaction Successful", 1},
		"held at once":          {plain, "PA", "123", "Y", "Y", "authsuccessful", "Transaction Successful", 1},
		"no money":              {broke, "DB", "123", "N", "N", "authfailed", "Insufficient funds", 0},
		"wrong cvv":             {plain, "DB", "999", "N", "N", "authfailed", "Wrong CVV", 0},
		"unlisted":              {"4111110000000021", "DB", "123", "N", "N", "authfailed", "Card is not one of the test cards", 0},
		"3D, passes":            {challenge, "DB", "123", "3D", "Y", "capturesuccess", "Transaction Successful", 1},
		"3D, held":              {challenge, "PA", "123", "3D", "Y", "authsuccessful", "Transaction Successful", 1},
		"3D, fails":             {failing, "DB", "123", "3D", "N", "authfailed", "3-D Secure authentication failed", 0},
		"3D, by hand":           {manual, "DB", "123", "3D", "Y", "capturesuccess", "Transaction Successful", 1},
		"asynchronous":          {html7, "DB", "123", "P", "Y", "capturesuccess", "Transaction Successful", 1},
		"3D, the bank declines": {"4000019900060700", "DB", "123", "3D", "N", "authfailed", "Do not honor", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			a := w.send(rest+"payments", w.payment("A-1", c.pan, "paymentType", c.typ, "card.cvv", c.cvv))
			w.want(a, "transactionStatus", c.first, "merchantTransactionId", "A-1", "amount", "50.00", "currency", "EUR")
			if c.first == "3D" || c.first == "P" {
				w.want(w.inquire("A-1"), "transactionStatus", c.first, "redirect.url", "")
				back := w.follow(a)
				if back.Get("_method") != "POST" || back.Get("status") != c.short || back.Get("checksum") != checksum(a.get("paymentId"), "A-1", "50.00", c.short, w.acc.SecureKey) {
					t.Errorf("the browser brought %v", back)
				}
			}
			w.want(w.inquire("A-1"), "transactionStatus", c.short, "status", c.long, "remark", c.remark, "result.code", "00026", "paymentId", a.get("paymentId"))
			n, r := w.notified()
			w.want(n, "status", c.long, "transactionStatus", c.short, "checksum", checksum(a.get("paymentId"), "A-1", "50.00", c.short, w.acc.SecureKey))
			if r.Method != http.MethodPost {
				t.Error(r.Method)
			}
			if e := w.entry("A-1"); e.Charges != c.charges || e.Amount != 5000 || e.Authorized != int64(c.charges)*5000 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.RequireAddress = true })
	address := []string{"customer.phone", "77010000000", "shipping.country", "KZ", "shipping.city", "Almaty", "shipping.postcode", "050000", "shipping.street1", "Abay 1"}
	for name, c := range map[string]struct {
		change []string
		code   string
	}{
		"amount with one digit":    {[]string{"amount", "50.0"}, "20001"},
		"amount of 11 digits":      {[]string{"amount", "12345678901.00"}, "20001"},
		"amount zero":              {[]string{"amount", "0.00"}, "20001"},
		"half a yen":               {[]string{"currency", "JPY", "amount", "50.50"}, "20001"},
		"unknown currency":         {[]string{"currency", "XXX"}, "20001"},
		"no city":                  {[]string{"shipping.city", ""}, "20001"},
		"Luhn":                     {[]string{"card.number", "4000019900050009"}, "20001"},
		"no cvv":                   {[]string{"card.cvv", ""}, "20001"},
		"year of two digits":       {[]string{"card.expiryYear", "30"}, "20001"},
		"another payment type":     {[]string{"paymentType", "XX"}, "20007"},
		"a wallet":                 {[]string{"paymentMode", "EW"}, "20007"},
		"another terminal":         {[]string{"authentication.terminalId", "1"}, "20001"},
		"a repeat of nothing":      {[]string{"recurringType", "REPEATED"}, "20001"},
		"3D without a way back":    {[]string{"card.number", challenge, "merchantRedirectUrl", ""}, "20001"},
		"no merchantTransactionId": {[]string{"merchantTransactionId", ""}, "20001"},
	} {
		a := w.send(rest+"payments", w.payment("R-"+strings.ReplaceAll(name, " ", ""), plain, append(append([]string{}, address...), c.change...)...))
		if a.get("result.code") != c.code || a.get("transactionStatus") != "N" || a.get("paymentId") != "-" {
			t.Errorf("%s: %v", name, a)
		}
	}
	if all := w.Env.Ledger.All(); len(all) != 0 {
		t.Errorf("refused, yet kept: %v", all)
	}
	for name, spoil := range map[string]func(url.Values){
		"upper case": func(v url.Values) {
			v.Set("authentication.checksum", strings.ToUpper(v.Get("authentication.checksum")))
		},
		"payout order": func(v url.Values) { w.sign(v, w.acc.MemberID, "C-1", "50.00", w.acc.SecureKey) },
		"other amount": func(v url.Values) { v.Set("amount", "51.00") },
		"other member": func(v url.Values) { v.Set("authentication.memberId", "1") },
	} {
		v := w.payment("C-1", plain, address...)
		spoil(v)
		if a := w.send(rest+"payments", v); a.get("result.code") != "20002" || a.get("transactionStatus") != "" {
			t.Errorf("%s: %v", name, a)
		}
	}
	first := w.want(w.send(rest+"payments", w.payment("D-1", plain, address...)), "transactionStatus", "Y")
	w.want(w.send(rest+"payments", w.payment("D-1", plain, address...)), "result.code", "20003", "transactionStatus", "N", "paymentId", first.get("paymentId"))
	if e := w.entry("D-1"); e.Charges != 1 {
		t.Errorf("%+v", e)
	}
}

// A request is the same as a form, as nested or flat JSON, and as XML; so is an answer as JSON and XML.
func TestDialects(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.Numbers = true })
	w.login()
	nested := map[string]any{}
	flat := map[string]string{}
	xml := "<request>"
	for name, v := range w.payment("J-1", challenge) {
		head, tail, deep := strings.Cut(name, ".")
		if !deep {
			nested[name] = v[0]
			continue
		}
		o, _ := nested[head].(map[string]any)
		if o == nil {
			o = map[string]any{}
			nested[head] = o
		}
		o[tail] = v[0]
	}
	for name, v := range w.payment("J-2", challenge) {
		flat[name] = v[0]
	}
	for name, v := range w.payment("J-3", challenge) {
		head, tail, deep := strings.Cut(name, ".")
		if deep {
			xml += "<" + head + "><" + tail + ">" + v[0] + "</" + tail + "></" + head + ">"
		} else {
			xml += "<" + name + ">" + v[0] + "</" + name + ">"
		}
	}
	one, _ := json.Marshal(nested)
	two, _ := json.Marshal(flat)
	for i, c := range [][2]string{{"application/json", string(one)}, {"application/json;charset=UTF-8", string(two)}, {"application/xml", xml + "</request>"}} {
		_, kind, body := w.post(rest+"payments", c[0], "", c[1])
		if kind != "application/json;charset=UTF-8" {
			t.Error(kind)
		}
		a := w.want(decode(t, body), "transactionStatus", "3D", "merchantTransactionId", fmt.Sprintf("J-%d", i+1))
		if _, number := a["paymentId"].(json.Number); !number {
			t.Errorf("paymentId %T", a["paymentId"])
		}
	}
	_, kind, body := w.post(rest+"payments", "application/x-www-form-urlencoded", "application/xml", w.payment("J-4", challenge).Encode())
	if kind != "application/xml;charset=UTF-8" || !strings.Contains(body, "<transactionStatus>3D</transactionStatus>") || strings.Count(body, "<parameters>") != 3 || !strings.Contains(body, "<result><code>00100</code>") {
		t.Fatalf("%s %s", kind, body)
	}
	for _, bad := range [][2]string{{"application/json", "{"}, {"application/json", "[]"}, {"application/xml", "<a>"}, {"application/x-www-form-urlencoded", "%zz"}} {
		if status, _, body := w.post(rest+"payments", bad[0], "", bad[1]); status != 400 {
			t.Errorf("%v: %d %s", bad, status, body)
		}
	}
}

func TestCaptureReverseRefund(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.PartialReversal = false })
	pay := func(reference, typ string) string {
		return w.want(w.send(rest+"payments", w.payment(reference, plain, "paymentType", typ)), "transactionStatus", "Y").get("paymentId")
	}
	id := pay("P-1", "PA")
	w.want(w.office(id, "CP", "50.01"), "result.code", "20005", "transactionStatus", "N")
	w.want(w.office(id, "RF", "1.00"), "result.code", "20004")
	w.want(w.office(id, "RV", "1.00"), "result.code", "20001")
	w.want(w.office(id, "CP", "30.00"), "result.code", "00004", "status", "capturesuccess")
	w.want(w.office(id, "CP", "10.00"), "result.code", "20004")
	w.want(w.office(id, "RV", ""), "result.code", "20004")
	w.want(w.office(id, "RF", "30.01"), "result.code", "20005")
	w.want(w.office(id, "RF", "12.34"), "result.code", "00006", "status", "reversed")
	w.want(w.office(id, "RF", "1.00"), "result.code", "20004")
	w.want(w.inquire("P-1"), "captureamount", "30.00", "refundamount", "12.34", "amount", "50.00")
	if e := w.entry("P-1"); e.Authorized != 5000 || e.Captured != 3000 || e.Refunded != 1234 || e.Charges != 1 {
		t.Errorf("%+v", e)
	}
	id = pay("P-2", "PA")
	w.want(w.office(id, "RV", ""), "result.code", "00005", "status", "cancelled", "transactionStatus", "C")
	w.want(w.office(id, "RV", ""), "result.code", "20004")
	if e := w.entry("P-2"); e.Authorized != 0 || e.Charges != 1 {
		t.Errorf("%+v", e)
	}
	id = pay("P-3", "DB")
	w.want(w.office(id, "RV", ""), "result.code", "20004")
	w.want(w.office("1", "RV", ""), "result.code", "10009", "paymentId", "-")
	v := url.Values{"paymentType": {"RF"}, "amount": {"1.00"}}
	w.want(w.send(rest+"payments/"+id, w.sign(v, w.acc.MemberID, w.acc.SecureKey, id)), "result.code", "20002")
}

func TestPartialReversalAndPendingOperationsAreTheAccounts(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.PartialReversal, a.PendingOps = true, 1 })
	id := w.send(rest+"payments", w.payment("P-1", plain, "paymentType", "PA")).get("paymentId")
	w.want(w.office(id, "RV", "20.00"), "status", "cancelstarted", "transactionStatus", "P", "result.code", "00007")
	w.want(w.office(id, "CP", "30.00"), "result.code", "20004")
	w.Restart()
	w.want(w.inquire("P-1"), "status", "cancelstarted")
	w.want(w.inquire("P-1"), "status", "authsuccessful")
	if e := w.entry("P-1"); e.Authorized != 3000 {
		t.Errorf("%+v", e)
	}
	w.want(w.office(id, "CP", "30.00"), "status", "capturestarted")
	w.inquire("P-1")
	w.want(w.inquire("P-1"), "status", "capturesuccess", "captureamount", "30.00")
	w.want(w.office(id, "RF", "30.00"), "status", "markedforreversal")
	if e := w.entry("P-1"); e.Refunded != 0 {
		t.Errorf("%+v", e)
	}
	w.inquire("P-1")
	w.want(w.inquire("P-1"), "status", "reversed", "refundamount", "30.00")
}

func TestTokensAndRecurring(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(rest+"payments", w.payment("T-1", plain, "createRegistration", "true", "recurringType", "INITIAL", "customer.customerId", "c7"))
	first, token := a.get("paymentId"), a.get("registrationId")
	if len(token) != 32 {
		t.Fatal(a)
	}
	with := func(reference string, pairs ...string) answer {
		v := url.Values{"merchantTransactionId": {reference}, "amount": {"7.50"}, "currency": {"EUR"}, "paymentType": {"DB"}, "card.cvv": {"123"}, "merchantRedirectUrl": {w.shop.URL + "/done"}}
		set(v, pairs)
		return w.send(rest+"paywithtoken/"+token, w.sign(v, w.acc.MemberID, w.acc.SecureKey, token, v.Get("amount")))
	}
	w.want(with("T-2"), "transactionStatus", "Y", "amount", "7.50", "card.last4Digits", "0008")
	w.want(with("T-3", "card.cvv", ""), "result.code", "20001")
	w.want(with("T-4", "card.cvv", "", "recurringType", "REPEATED"), "transactionStatus", "Y")
	again := url.Values{"merchantTransactionId": {"T-5"}, "amount": {"8.00"}, "currency": {"EUR"}, "paymentType": {"DB"}, "recurringType": {"REPEATED"}}
	w.want(w.send(rest+"payments/"+first, w.sign(again, w.acc.MemberID, w.acc.SecureKey, first, "8.00")), "transactionStatus", "Y", "merchantTransactionId", "T-5")
	if e := w.entry("T-5"); e.Charges != 1 || e.Amount != 800 {
		t.Errorf("%+v", e)
	}
	w.want(w.send(rest+"payments", w.payment("T-6", broke, "createRegistration", "true")), "transactionStatus", "N", "registrationId", "")
	w.Restart()
	gone := w.sign(url.Values{"paymentType": {"DL"}}, w.acc.MemberID, w.acc.SecureKey, token)
	w.want(w.send(rest+"registrations/"+token, gone), "result.code", "00031")
	w.want(w.send(rest+"registrations/"+token, gone), "result.code", "20006")
	w.want(with("T-7"), "result.code", "20006", "transactionStatus", "N")

	v := w.payment("", challenge, "createRegistration", "true", "merchantTransactionId", "")
	alone := w.want(w.send(rest+"registrations", w.sign(v, w.acc.MemberID, w.acc.SecureKey)), "result.code", "00030", "card.bin", "400001")
	token = alone.get("id")
	w.want(with("T-9", "card.cvv", "", "recurringType", "REPEATED"), "result.code", "20008", "transactionStatus", "N")
	a = w.want(with("T-8", "paymentType", "PA"), "transactionStatus", "3D")
	w.follow(a)
	w.want(w.inquire("T-8"), "status", "authsuccessful", "registrationId", token)
}

// A registration that no INITIAL sale was made with cannot be repeated, nor can a sale that was not INITIAL.
func TestARepeatNeedsAnInitialSale(t *testing.T) {
	w := newWorld(t, nil)
	sale := w.send(rest+"payments", w.payment("R-1", plain, "createRegistration", "true"))
	token, first := sale.get("registrationId"), sale.get("paymentId")
	by := func(path, id, reference, kind string) answer {
		v := url.Values{"merchantTransactionId": {reference}, "amount": {"7.50"}, "currency": {"EUR"}, "paymentType": {"DB"},
			"recurringType": {kind}, "merchantRedirectUrl": {w.shop.URL + "/done"}}
		return w.send(rest+path+"/"+id, w.sign(v, w.acc.MemberID, w.acc.SecureKey, id, "7.50"))
	}
	w.want(by("paywithtoken", token, "R-2", "REPEATED"), "result.code", "20008", "transactionStatus", "N")
	w.want(by("payments", first, "R-3", "REPEATED"), "result.code", "20008", "transactionStatus", "N")
	initial := w.want(by("paywithtoken", token, "R-4", "INITIAL"), "transactionStatus", "Y").get("paymentId")
	w.want(by("paywithtoken", token, "R-5", "REPEATED"), "transactionStatus", "Y")
	w.want(by("payments", initial, "R-6", "REPEATED"), "transactionStatus", "Y")
	w.want(by("payments", first, "R-7", "REPEATED"), "result.code", "20008")
	w.Restart()
	w.want(by("paywithtoken", token, "R-8", "REPEATED"), "transactionStatus", "Y")

	none := newWorld(t, func(a *Account) { a.NoRecurring = true })
	none.want(none.send(rest+"payments", none.payment("R-1", plain, "recurringType", "INITIAL")), "result.code", "20007")
}

func TestPayout(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(rest+"payments", w.payment("O-1", plain)).get("paymentId")
	out := func(reference string, pairs ...string) answer {
		v := url.Values{"merchantTransactionId": {reference}, "amount": {"9.00"}, "paymentType": {"PO"}}
		set(v, pairs)
		return w.send(rest+"payout", w.sign(v, w.acc.MemberID, reference, "9.00", w.acc.SecureKey))
	}
	w.want(out("O-2", "paymentId", id), "status", "payoutsuccessful", "transactionStatus", "Y", "currency", "EUR")
	w.want(out("O-2", "paymentId", id), "result.code", "20003")
	w.want(out("O-3", "card.number", broke, "currency", "EUR"), "status", "payoutfailed", "transactionStatus", "N")
	w.want(out("O-4", "paymentId", "1"), "result.code", "10009")
	if e := w.entry("O-2"); e.Refunded != 900 || e.Charges != 0 || e.Captured != 0 {
		t.Errorf("%+v", e)
	}
	w.want(w.inquire("O-2"), "status", "payoutsuccessful", "paymentType", "PO")
}

func TestTransactionList(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		w.send(rest+"payments", w.payment(fmt.Sprintf("L-%d", i+1), plain))
	}
	list := func(pairs ...string) answer {
		v := url.Values{"pagination.fromdate": {"21/11/2026"}, "pagination.todate": {"21/11/2026"}, "pagination.pageno": {"1"}, "pagination.records": {"2"}}
		set(v, pairs)
		return w.send(rest+"getTransactionList", w.sign(v, w.acc.MemberID, w.acc.SecureKey))
	}
	refs := func(a answer) (out string) {
		all, _ := a["transaction"].([]any)
		for _, v := range all {
			out += v.(map[string]any)["merchantTransactionId"].(string) + " "
		}
		return out
	}
	if got := refs(list()) + "|" + refs(list("pagination.pageno", "3")); got != "L-5 L-4 |L-1 " {
		t.Error(got)
	}
	w.want(list("pagination.fromdate", "22/11/2026", "pagination.todate", "23/11/2026"), "result.code", "10009")
	w.want(list("status", "authfailed"), "result.code", "10009")
	w.want(list("pagination.fromdate", "2026-11-21"), "result.code", "20001")
}

func TestInvoices(t *testing.T) {
	w := newWorld(t, nil)
	back := w.shop.URL + "/done"
	v := url.Values{"merchantInvoiceId": {"INV-1"}, "amount": {"50.00"}, "currency": {"EUR"}, "merchantRedirectUrl": {back}, "customer.email": {"a@b.example"}}
	made := w.send(bills+"generate", w.sign(v, w.acc.MemberID, w.acc.SecureKey, "INV-1", "50.00", back))
	id, first := made.get("invoiceDetails.invoiceId"), made.get("invoiceDetails.transactionUrl")
	w.want(w.send(bills+"generate", v), "result.code", "20003")
	renew := url.Values{"invoiceId": {id}, "merchantRedirectUrl": {back}}
	again := w.send(bills+"regenerate", w.sign(renew, id, w.acc.MemberID, w.acc.SecureKey, back))
	if res, err := http.Get(first); err != nil || res.StatusCode != 404 {
		t.Errorf("the old address: %v %v", res, err)
	}
	ask := w.sign(url.Values{"merchantInvoiceId": {"INV-1"}}, w.acc.MemberID, w.acc.SecureKey, "INV-1")
	w.want(w.send(bills+"inquiry", ask), "invoiceDetails.status", "generated")
	w.browse(again.get("invoiceDetails.transactionUrl"), url.Values{"card.number": {challenge}, "card.expiryMonth": {"12"}, "card.expiryYear": {"2030"}, "card.cvv": {"123"}})
	if got := w.returned(); got.Get("status") != "Y" {
		t.Error(got)
	}
	w.Restart()
	w.want(w.send(bills+"inquiry", ask), "invoiceDetails.status", "processed", "result.code", "00026")
	w.want(w.send(bills+"regenerate", renew), "result.code", "20004")
	if e := w.entry("INV-1"); e.Charges != 1 || e.Captured != 5000 {
		t.Errorf("%+v", e)
	}
	w.want(w.send(bills+"getinvoiceconfigdetails", w.sign(url.Values{}, w.acc.MemberID, w.acc.SecureKey)), "memberId", w.acc.MemberID)
}

// What was answered survives a kill, and no card number reaches the disk.
func TestARestartLosesNothingAndStoresNoCardNumber(t *testing.T) {
	w := newWorld(t, nil)
	a := w.want(w.send(rest+"payments", w.payment("K-1", manual)), "transactionStatus", "3D")
	w.send(rest+"payments", w.payment("K-2", plain, "createRegistration", "true"))
	before := w.Env.Ledger.All()
	w.Restart()
	if got, want := fmt.Sprint(w.Env.Ledger.All()), fmt.Sprint(before); got != want {
		t.Errorf("%s, before the kill %s", got, want)
	}
	w.want(w.inquire("K-1"), "transactionStatus", "3D", "paymentId", a.get("paymentId"))
	w.want(w.send(rest+"payments", w.payment("K-2", plain)), "result.code", "20003")
	w.Pass(stepLife)
	w.want(w.inquire("K-1"), "transactionStatus", "N", "remark", "Customer authentication timed out")
	raw, err := os.ReadFile(filepath.Join(w.Dir, "sandbox.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pan := range []string{manual, plain} {
		if strings.Contains(string(raw), pan) {
			t.Errorf("%s is on disk", pan)
		}
	}
}

func TestNotificationAsAForm(t *testing.T) {
	w := newWorld(t, func(a *Account) { a.NotifyForm = true })
	a := w.send(rest+"payments", w.payment("N-1", plain))
	_, r := w.notified()
	v, err := url.ParseQuery(r.Form.Get("body"))
	if err != nil || v.Get("paymentId") != a.get("paymentId") || v.Get("transactionStatus") != "Y" || v.Get("result.code") != "00001" ||
		v.Get("checksum") != checksum(a.get("paymentId"), "N-1", "50.00", "Y", w.acc.SecureKey) {
		t.Errorf("%v %v", v, err)
	}
}

// A forged answer of the bank changes nothing.
func TestAForgedPaRes(t *testing.T) {
	w := newWorld(t, nil)
	w.send(rest+"payments", w.payment("F-1", challenge))
	w.g.mu.Lock()
	token := w.g.payments.Get(w.g.references[[2]string{w.acc.MemberID, "F-1"}]).Token
	w.g.mu.Unlock()
	w.browse(w.Server.URL+"/transactworld/3ds/"+token, url.Values{"PaRes": {"eJxTYGBgAAAABQAB"}, "MD": {"1"}})
	if got := w.returned(); got.Get("status") != "3D" {
		t.Error(got)
	}
	w.want(w.inquire("F-1"), "transactionStatus", "3D")
	if e := w.entry("F-1"); e.Charges != 0 {
		t.Errorf("%+v", e)
	}
}

// The browser brings a resourcePath; asking there takes the token alone.
func TestResourcePath(t *testing.T) {
	w := newWorld(t, nil)
	a := w.send(rest+"payments", w.payment("G-1", challenge))
	path := w.follow(a).Get("resourcePath")
	get := func(token string) (int, answer) {
		r, err := http.NewRequest(http.MethodGet, w.Server.URL+"/transactworld"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("AuthToken", token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got answer
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, got
	}
	if status, got := get(w.token); status != 200 || got.get("transactionStatus") != "Y" || got.get("merchantTransactionId") != "G-1" {
		t.Errorf("%d %v", status, got)
	}
	if status, got := get("x"); status != 401 || got.get("transactionStatus") != "" {
		t.Errorf("%d %v", status, got)
	}
}
