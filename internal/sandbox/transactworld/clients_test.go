package transactworld

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The calls as public clients make them, beside those of the documents' own paths.
func TestPublicClientsNameOperationsInThePathAndAskByTheirOwnNumber(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(rest+"payments", w.payment("C-1", plain, "paymentType", "PA")).get("paymentId")
	by := func(path, id, sum string, more ...string) answer {
		v := url.Values{}
		values := []string{w.acc.MemberID, w.acc.SecureKey, id}
		if sum != "" {
			v.Set("amount", sum)
			values = append(values, sum)
		}
		set(v, more)
		return w.send(rest+path+"/"+id, w.sign(v, values...))
	}
	w.want(by("payments", "C-1", "", "paymentType", "IN", "idType", "MID"), "result.code", "00026", "paymentId", id)
	w.want(by("payments", "C-9", "", "paymentType", "IN", "idType", "MID"), "result.code", "10009")
	w.want(by("getStatus", id, ""), "status", "authsuccessful")
	w.want(by("capture", id, "30.00"), "result.code", "00004", "status", "capturesuccess")
	w.want(by("refund", id, "10.00", "paymentType", "CP"), "result.code", "20007")
	w.want(by("refund", id, "10.00"), "status", "reversed")
	held := w.send(rest+"payments", w.payment("C-2", plain, "paymentType", "PA")).get("paymentId")
	w.want(by("cancel", held, ""), "status", "cancelled")
	if e := w.entry("C-1"); e.Captured != 3000 || e.Refunded != 1000 {
		t.Errorf("%+v", e)
	}
}

func TestAPaymentWithATokenNeedsANumberOfOurs(t *testing.T) {
	w := newWorld(t, nil)
	token := w.send(rest+"payments", w.payment("N-1", plain, "createRegistration", "true")).get("registrationId")
	v := url.Values{"amount": {"7.50"}, "currency": {"EUR"}, "paymentType": {"DB"}, "card.cvv": {"123"}}
	w.want(w.send(rest+"paywithtoken/"+token, w.sign(v, w.acc.MemberID, w.acc.SecureKey, token, "7.50")), "result.code", "20001", "transactionStatus", "N")
}

func TestAPartnersTokenSpeaksForItsMembers(t *testing.T) {
	w := newWorld(t, nil)
	ask := func(key string) answer {
		w.token = ""
		_, _, body := w.post(rest+"partnerAuthToken", "application/x-www-form-urlencoded", "", url.Values{
			"authentication.partnerId": {w.acc.PartnerID}, "partner.userName": {w.acc.PartnerUser}, "authentication.sKey": {key},
		}.Encode())
		return decode(t, body)
	}
	w.want(ask("wrong"), "result.code", "401", "AuthToken", "")
	a := w.want(ask(w.acc.PartnerKey), "result.code", "200", "LoginName", w.acc.PartnerUser, "memberId", "")
	w.token = a.get("AuthToken")
	w.want(w.send(rest+"payments", w.payment("P-1", plain)), "transactionStatus", "Y")
	v := w.payment("P-2", plain)
	v.Set("authentication.memberId", "12755")
	if status, _, body := w.post(rest+"payments", "application/x-www-form-urlencoded", "", v.Encode()); status != http.StatusUnauthorized {
		t.Errorf("another partner's member: %d %s", status, body)
	}
}

func TestRegistrationsAreListedAsALabelDoes(t *testing.T) {
	w := newWorld(t, nil)
	list := func(customer string) answer {
		return w.send(rest+"getCardsAndAccounts", w.sign(url.Values{"customer.customerId": {customer}}, w.acc.MemberID, w.acc.SecureKey))
	}
	w.want(list("c7"), "result.code", "10009")
	token := w.send(rest+"payments", w.payment("L-1", plain, "createRegistration", "true", "customer.customerId", "c7")).get("registrationId")
	all, _ := w.want(list("c7"), "result.code", "00026")["cards"].([]any)
	if len(all) != 1 || answer(all[0].(map[string]any)).get("registrationId") != token || answer(all[0].(map[string]any)).get("card.last4Digits") != "0008" {
		t.Errorf("%+v", all)
	}
	w.want(list("c8"), "result.code", "10009")
}

var hidden = regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`)

func TestTheCheckoutPageAsksForTheCardAndKeepsNothingBefore(t *testing.T) {
	w := newWorld(t, nil)
	shop := func(reference, sum string, more ...string) url.Values {
		v := url.Values{"memberId": {w.acc.MemberID}, "totype": {"transactworld"}, "amount": {sum}, "currency": {"EUR"}, "merchantTransactionId": {reference},
			"merchantRedirectUrl": {w.shop.URL + "/done"}, "notificationUrl": {w.shop.URL + "/notify"}, "transactionType": {"DB"}, "lang": {"en"}}
		v.Set("checksum", checksum(w.acc.MemberID, "transactworld", sum, reference, w.shop.URL+"/done", w.acc.SecureKey))
		set(v, more)
		return v
	}
	open := func(v url.Values) string {
		t.Helper()
		status, _, body := w.post("transaction/Checkout", "application/x-www-form-urlencoded", "", v.Encode())
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return body
	}
	if page := open(shop("K-1", "50.00", "amount", "1.00")); !strings.Contains(page, "checksum does not match") {
		t.Error(page)
	}
	page := open(shop("K-1", "50.00"))
	w.login()
	w.want(w.inquire("K-1"), "result.code", "10009")
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, v := range map[string]string{"card.number": plain, "card.expiryMonth": "12", "card.expiryYear": "2030", "card.cvv": "123"} {
		if _, asked := form[name]; !asked {
			t.Errorf("the page does not ask for %s", name)
		}
		form.Set(name, v)
	}
	if page := open(form); !strings.Contains(page, "Back to the shop") || strings.Contains(page, plain) {
		t.Error(page)
	}
	w.want(w.inquire("K-1"), "status", "capturesuccess", "amount", "50.00")
	open(form) // pressed twice
	if e := w.entry("K-1"); e.Charges != 1 {
		t.Errorf("%+v", e)
	}
}
