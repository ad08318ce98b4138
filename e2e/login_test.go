package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// presses submits the form that has the input or action.
func (b *walker) presses(css string, fill url.Values) hop {
	b.t.Helper()
	form := b.doc.Find(css).Closest("form")
	if form.Length() != 1 {
		b.t.Fatalf("%d forms of %s: %s", form.Length(), css, b.words())
	}
	r := formOf(b.document, form, "")
	for name, values := range fill {
		r.form[name] = values
	}
	return r
}

// A second login of the customer ends the token of the first, and its own answer is lost: nobody holds a token that is good.
func TestAPaymentWhoseCustomersTokenDiedEndsAfterAnotherLogin(t *testing.T) {
	t.Parallel()
	w := start(t)
	phone := phoneOf()
	b, s := w.loggedIn(t, phone, map[string]any{"save_card": true})
	saved, paidBefore := b, s
	saved.pay(cardPlain, "123")
	saved.rest(visit{})
	saved.paidOnce(paidBefore)

	b, s = w.loggedIn(t, phone, nil)
	if b.kind() != cardForm {
		b.press("input[name=card][value=new]", url.Values{"card": {"new"}})
	}
	w.fault(t, map[string]any{"gateway": "sber", "call": "transactions/find", "do": "close", "times": -1, "skip": 1})
	w.fault(t, map[string]any{"gateway": "sber", "call": "auth/token", "do": "close", "when": "after"})
	b.pay(cardPlain, "123")
	other, _ := w.begins(t, "sber", nil)
	other.goTo(other.presses("input[name=phone]", url.Values{"phone": {phone}}))
	other.expect(other.presses("input[name=code]", url.Values{"code": {"111111"}}), http.StatusUnprocessableEntity)
	if !strings.Contains(other.words(), "The bank does not answer right now") {
		t.Errorf("the login whose answer was lost: %s", other.words())
	}
	w.clearFaults(t)
	b.cvc = "any" // 123 stands in the phone that the page has as an example
	b.look(s.URL, "the phone again", func() bool { return b.doc.Find("input[name=phone]").Length() == 1 })
	if !strings.Contains(b.words(), "We are checking your payment") || !strings.Contains(b.words(), "You will not be charged twice") ||
		b.doc.Find("form[action$='/cancel']").Length() != 0 {
		t.Errorf("the page says %s", b.words())
	}
	w.advance(t, 8*time.Hour)
	if now := w.session(t, s.ID); now.OutcomeKnown || now.Status != "processing" {
		t.Errorf("the session is %s, outcome known: %t", now.Status, now.OutcomeKnown)
	}
	b.expect(b.presses("input[name=phone]", url.Values{"phone": {"+7 917 113 12 00"}}), http.StatusUnprocessableEntity)
	if !strings.Contains(b.words(), "begun with another phone") {
		t.Errorf("another phone: %s", b.words())
	}
	b.open(s.URL)
	b.logInAs(phone)
	b.sees(resultPage, saysPaid)
	b.paidOnce(s)
}

// Whoever logged in elsewhere since holds the customer's token; ours is dead, and only the customer can help.
func TestCallsForACustomerWhoseTokenDiedSayThatALoginIsNeeded(t *testing.T) {
	t.Parallel()
	w := start(t)
	phone := phoneOf()
	w.saves(t, phone, cardPlain)
	b, s := w.loggedIn(t, phone, nil)
	card := b.doc.Find("input[name=card]").First().AttrOr("value", "")
	customer := w.customerOf(t, s.ID)
	w.fault(t, map[string]any{"gateway": "sber", "call": "auth/token", "do": "close", "when": "after"})
	other, _ := w.begins(t, "sber", nil)
	other.goTo(other.presses("input[name=phone]", url.Values{"phone": {phone}}))
	other.expect(other.presses("input[name=code]", url.Values{"code": {"111111"}}), http.StatusUnprocessableEntity)
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{"PATCH", "/v1/cards/" + card, map[string]any{"name": "Mine"}},
		{"DELETE", "/v1/cards/" + card, nil},
		{"GET", "/v1/accounts/sber/history?customer=" + customer, nil},
	} {
		var problem struct{ Type string }
		if code := w.api(t, call.method, call.path, call.body, &problem); code != http.StatusConflict || problem.Type != "urn:tollgate:problem:login-needed" {
			t.Errorf("%s %s: %d %s", call.method, call.path, code, problem.Type)
		}
	}
	b.open(s.URL)
	if b.doc.Find("input[name=phone]").Length() != 1 {
		t.Errorf("the shopper whose cards cannot be listed sees %s", b.words())
	}
	b.logInAs(phone)
	var renamed struct{ Name string }
	if code := w.api(t, "PATCH", "/v1/cards/"+card, map[string]any{"name": "Mine"}, &renamed); code != http.StatusOK || renamed.Name != "Mine" {
		t.Errorf("after the login: %d %+v", code, renamed)
	}
}

// customerOf is the gateway's customer who logged in to a session.
func (w *world) customerOf(t *testing.T, id string) string {
	t.Helper()
	for _, e := range w.events(t, id) {
		if e.Type == "session.customer_verified" {
			var data struct{ Customer string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatal(err)
			}
			return data.Customer
		}
	}
	t.Fatal("nobody logged in")
	return ""
}

// Codes are bounded, and the page says so where they end.
func TestACodePageLetsThePhoneBeChangedAndSaysWhenNoMoreCodesAreSent(t *testing.T) {
	t.Parallel()
	w := start(t)
	b, s := w.begins(t, "sber", nil)
	phone := func(n string) hop { return b.presses("input[name=phone]", url.Values{"phone": {n}}) }
	b.goTo(phone(phoneOf()))
	b.goTo(b.presses("form[action$='/phone/other'] button", nil))
	if b.doc.Find("input[name=phone]").Length() != 1 {
		t.Fatalf("after the wish for another phone stands %s", b.words())
	}
	b.goTo(phone(phoneOf()))
	for range 3 {
		w.advance(t, 6*time.Second)
		b.goTo(b.presses("form[action$='/code/again'] button", nil))
	}
	if !strings.Contains(b.words(), "This was the last code") || b.doc.Find("form[action$='/code/again'], form[action$='/phone/other']").Length() != 0 {
		t.Errorf("after five codes: %s", b.words())
	}
	for range 4 {
		b.expect(b.presses("input[name=code]", url.Values{"code": {"222222"}}), http.StatusUnprocessableEntity)
	}
	b.goTo(b.presses("input[name=code]", url.Values{"code": {"222222"}}))
	if !strings.Contains(b.words(), "No more codes can be sent") || b.doc.Find("input[name=code], input[name=phone]").Length() != 0 {
		t.Errorf("after five codes and five tries: %s", b.words())
	}
	b.goTo(b.presses("form[action$='/cancel'] button", nil))
	if now := w.session(t, s.ID); now.Status != "cancelled" {
		t.Errorf("the session is %s", now.Status)
	}
}
