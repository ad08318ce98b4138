package payneteasy

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Clients that know nothing of the direct scheme follow html or redirect-to with any card of 3-D Secure, and come to an end.
func TestClientsThatReadOnlyHTMLOrRedirectToPayWithEveryListedCard(t *testing.T) {
	for name, c := range map[string]struct{ pan, code, want string }{
		"challenge passed": {challengeOK, "1234", "approved"}, "challenge failed": {challengeNo, "3333", "declined"},
		"3DS 1.0.2": {legacyOK, "1234", "approved"}, "3DS 1.0.2, failed": {legacyNo, "3333", "declined"}, "frictionless": {frictionless, "", "approved"},
	} {
		for _, by := range []string{"html", "redirect-to"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				w := newWorld(t, nil)
				id := w.begin("sale", "H-1", c.pan)
				a := w.mustStatus("H-1", id, "processing")
				b := w.browser().get(a["redirect-to"])
				if by == "html" {
					b = (&browser{w: w, page: a["html"]}).submit()
				}
				for range 6 {
					if strings.Contains(b.page, `name="otp"`) {
						first := formTag.FindStringSubmatch(b.page)
						to, _ := b.url.Parse(actionTag.FindStringSubmatch(first[1])[1])
						b = b.post(to.String(), url.Values{"otp": {c.code}})
						continue
					}
					if strings.Contains(b.url.String(), w.shop.URL) {
						break
					}
					b = b.submit()
				}
				w.finalRedirect("status", c.want, "orderid", id)
				w.mustStatus("H-1", id, c.want)
			})
		}
	}
}

func TestARepeatedNumberIsAnsweredAsTheAccountSays(t *testing.T) {
	for _, same := range []bool{false, true} {
		w := newWorld(t, func(a *Account) { a.SameAnswer = same })
		id := w.begin("sale", "S-1", noTDS)
		again := w.send("v2/sale/"+w.id(), w.saleForm("S-1", noTDS))
		if same && (again["paynet-order-id"] != id || again["type"] != "async-response") || !same && again["error-code"] != "8" {
			t.Errorf("the same answer %v: %v", same, again)
		}
		w.mustRefuse(w.send("v2/sale/"+w.id(), w.saleForm("S-1", noTDS, "amount", "10.43")), "8")
		w.mustRefuse(w.send("v2/preauth/"+w.id(), w.saleForm("S-1", noTDS)), "8")
		w.mustLedger("S-1", 1, 1042, 1042, 0)
		form := w.send("v2/sale-form/"+w.id(), w.saleForm("F-1", noTDS))
		if again := w.send("v2/sale-form/"+w.id(), w.saleForm("F-1", noTDS)); same && again["redirect-url"] != form["redirect-url"] {
			t.Errorf("%v, then %v", form, again)
		}
	}
}

func TestACaptureMayBeSignedOverAmountAndCurrencyThatAreNotSent(t *testing.T) {
	w := newWorld(t, nil)
	for client, parts := range map[string][]string{"C-1": {"1042", "EUR"}, "C-2": nil} {
		id := w.begin("preauth", client, noTDS)
		w.status(client, id)
		v := w.signed(client, id)
		v.Set("control", control(append(append([]string{w.acc.Login, client, id}, parts...), w.acc.Control)...))
		w.mustAsync(w.send("v2/capture/"+w.id(), v))
		w.mustLedger(client, 1, 1042, 1042, 0)
	}
	id := w.begin("preauth", "C-3", noTDS)
	v := w.signed("C-3", id)
	v.Set("control", control(w.acc.Login, "C-3", id, "1043", "EUR", w.acc.Control))
	w.mustRefuse(w.send("v2/capture/"+w.id(), v), "2")
}

func TestACardIsVerifiedWithoutMoneyAndThenSaved(t *testing.T) {
	w := newWorld(t, nil)
	verify := func(command, client, pan string) answer {
		v := w.saleForm(client, pan)
		v.Set("control", control(w.id(), client, v.Get("email"), w.acc.Control))
		return w.send("v2/"+command+"/"+w.id(), v)
	}
	id := w.mustAsync(verify("account-verification", "V-1", noTDS))["paynet-order-id"]
	if a := w.mustStatus("V-1", id, "approved"); a["transaction-type"] != "verification" {
		t.Errorf("%v", a)
	}
	now := verify("sync/account-verification", "V-2", noTDS)
	if now["type"] != "status-response" || now["status"] != "approved" || now["last-four-digits"] != noTDS[12:] {
		t.Errorf("%v", now)
	}
	if now = verify("sync/account-verification", "V-3", noFunds); now["status"] != "declined" || now["error-message"] == "" {
		t.Errorf("%v", now)
	}
	w.mustLedger("V-1", 0, 0, 0, 0)
	w.mustRefuse(w.send("v2/account-verification/"+w.id(), w.saleForm("V-4", noTDS)), "2")
	if ref := w.send("v2/create-card-ref/"+w.id(), w.signed("V-1", id)); ref["card-ref-id"] == "" {
		t.Errorf("%v", ref)
	}
}

func TestTransfersAndPayouts(t *testing.T) {
	w := newWorld(t, nil)
	refs := map[string]string{}
	for _, client := range []string{"A", "B"} {
		id := w.begin("sale", client, noTDS)
		w.status(client, id)
		refs[client] = w.send("v2/create-card-ref/"+w.id(), w.signed(client, id))["card-ref-id"]
	}
	v := url.Values{"login": {w.acc.Login}, "client_orderid": {"T-1"}, "source-card-ref-id": {refs["A"]}, "destination-card-ref-id": {refs["B"]},
		"amount": {"5.00"}, "currency": {"EUR"}, "control": {control(w.acc.Login, "T-1", refs["A"], refs["B"], "500", "EUR", w.acc.Control)}}
	id := w.mustAsync(w.send("v2/transfer-by-ref/"+w.id(), v))["paynet-order-id"]
	if a := w.mustStatus("T-1", id, "approved"); a["transaction-type"] != "transfer" || a["order-stage"] != "transfer_approved" {
		t.Errorf("%v", a)
	}
	w.mustLedger("T-1", 1, 500, 500, 0)
	v.Set("destination-card-ref-id", "1")
	w.mustRefuse(w.send("v2/transfer-by-ref/"+w.id(), v), "2")

	form := w.send("v2/transfer-form/"+w.id(), w.saleForm("T-2", noTDS, "credit_card_number", ""))
	b := w.browser().get(form["redirect-url"])
	if form["type"] != "async-form-response" || !strings.Contains(b.page, "credit_card_number") {
		t.Errorf("%v", form)
	}

	p := url.Values{"client_orderid": {"P-1"}, "destination-card-no": {noTDS}, "amount": {"7.00"}, "currency": {"EUR"}, "email": {"john@example.com"},
		"control": {control(w.id(), "P-1", "700", "john@example.com", w.acc.Control)}}
	id = w.mustAsync(w.send("v2/payout/"+w.id(), p))["paynet-order-id"]
	w.mustStatus("P-1", id, "approved")
	q := url.Values{"login": {w.acc.Login}, "client_orderid": {"P-2"}, "destination-card-ref-id": {refs["A"]}, "amount": {"7.00"}, "currency": {"EUR"},
		"control": {control(w.acc.Login, "P-2", refs["A"], "700", "EUR", w.acc.Control)}}
	w.mustAsync(w.send("v2/payout/"+w.id(), q))
	p.Set("control", "0")
	w.mustRefuse(w.send("v2/payout/"+w.id(), p), "2")
}

func TestVersionFourIsSignedByOAuth(t *testing.T) {
	for _, c := range []struct {
		form  url.Values
		given map[string]string
		want  string
	}{
		{url.Values{"amount": {"1.00"}, "client_orderid": {"hf-1"}}, map[string]string{"oauth_consumer_key": "merchant"},
			"POST&https%3A%2F%2Fgateway.example%2Fpaynet%2Fapi%2Fv4%2Fsale%2F123&amount%3D1.00%26client_orderid%3Dhf-1%26oauth_consumer_key%3Dmerchant"},
		{url.Values{"amount": {"1.00"}, "client_orderid": {"hf-1"}, "order_desc": {"It's a (test)! é*"}},
			map[string]string{"oauth_consumer_key": "merchant", "oauth_nonce": "n0nce", "oauth_signature_method": "RSA-SHA256", "oauth_timestamp": "1700000000", "oauth_version": "1.0"},
			"POST&https%3A%2F%2Fgateway.example%2Fpaynet%2Fapi%2Fv4%2Fsale%2F123&amount%3D1.00%26client_orderid%3Dhf-1%26oauth_consumer_key%3Dmerchant%26oauth_nonce%3Dn0nce%26oauth_signature_method%3DRSA-SHA256%26oauth_timestamp%3D1700000000%26oauth_version%3D1.0%26order_desc%3DIt%2527s%2520a%2520%2528test%2529%2521%2520%25C3%25A9%252A"},
	} {
		if got := oauthBase("POST", "https://gateway.example/paynet/api/v4/sale/123", c.form, c.given); got != c.want {
			t.Errorf("%s", got)
		}
	}
	w := newWorld(t, nil)
	res, err := http.Get(w.Server.URL + "/payneteasy/sandbox/v4_private_key.pem")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(res.Body)
	res.Body.Close()
	block, _ := pem.Decode(raw)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	send := func(command string, form url.Values, spoil func(map[string]string)) answer {
		at := w.Server.URL + "/payneteasy/paynet/api/v4/" + command + "/" + w.id()
		given := map[string]string{"oauth_consumer_key": w.acc.Login, "oauth_nonce": "n", "oauth_signature_method": "RSA-SHA256", "oauth_timestamp": "1700000000", "oauth_version": "1.0"}
		sum := sha256.Sum256([]byte(oauthBase("POST", at, form, given)))
		signature, err := rsa.SignPKCS1v15(rand.Reader, parsed.(*rsa.PrivateKey), crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		given["oauth_signature"] = base64.StdEncoding.EncodeToString(signature)
		spoil(given)
		var parts []string
		for name, value := range maps.All(given) {
			parts = append(parts, name+`="`+percent(value)+`"`)
		}
		r, _ := http.NewRequest("POST", at, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "OAuth "+strings.Join(parts, ", "))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return decode(t, string(body))
	}
	good := func(map[string]string) {}
	v := w.saleForm("O-1", noTDS, "control", "-")
	v.Del("control")
	id := w.mustAsync(send("sale", v, good))["paynet-order-id"]
	if a := send("status", url.Values{"client_orderid": {"O-1"}, "orderid": {id}}, good); a["status"] != "approved" {
		t.Errorf("%v", a)
	}
	w.mustRefuse(send("sale", v, func(g map[string]string) { g["oauth_nonce"] = "other" }), "2")
	w.mustRefuse(send("sale", v, func(g map[string]string) { g["oauth_consumer_key"] = "other" }), "2")
	w.mustRefuse(w.send("v4/sale/"+w.id(), w.saleForm("O-2", noTDS)), "1")
	w.mustLedger("O-1", 1, 1042, 1042, 0)
}
