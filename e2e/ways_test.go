package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// press submits the form of the page that an element stands in, with what is given filled in.
func (b *walker) press(css string, fill url.Values) {
	b.t.Helper()
	form := b.doc.Find(css).First().Closest("form")
	if form.Length() == 0 {
		b.t.Fatalf("there is no %s on: %s", css, b.words())
	}
	r := formOf(b.document, form, "")
	for name, values := range fill {
		r.form[name] = values
	}
	b.goTo(r)
}

// begins opens a new session's address and logs in where that is asked; it stays at whatever comes before the payment.
func (w *world) begins(t testing.TB, account string, session map[string]any) (*walker, sessionView) {
	t.Helper()
	made := w.create(t, account, session)
	b := newWalker(t, w)
	b.order, b.id = made.OrderID, made.ID
	b.open(made.URL)
	return b, made
}

// paidOnce holds page, session and ledger against a payment that went through.
func (b *walker) paidOnce(s sessionView) {
	b.t.Helper()
	if b.kind() != resultPage || !strings.Contains(b.words(), saysPaid) {
		b.t.Errorf("the shopper sees %s: %s", b.kind(), b.words())
	}
	b.w.stands(b.t, s, "paid", s.Amount, 0)
}

// savedCardView is a saved card as the API answers it.
type savedCardView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Card struct {
		Last4 string `json:"last4"`
	} `json:"card"`
}

func (w *world) savedCards(t testing.TB, account, customer string) []savedCardView {
	t.Helper()
	var list struct {
		Data []savedCardView `json:"data"`
	}
	if code := w.api(t, "GET", "/v1/customers/"+customer+"/cards?account="+account, nil, &list); code != http.StatusOK {
		t.Fatalf("GET saved cards: %d", code)
	}
	return list.Data
}

// A card is saved with a payment, offered to its customer, paid with on the page and by the merchant, and forgotten.
func TestASavedCardFromItsFirstPaymentToItsEnd(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		if a.account == "sber" { // its customers log in: TestTheBindingsOfACustomerWhoLoggedIn
			continue
		}
		t.Run(a.account, func(t *testing.T) {
			t.Parallel()
			customer := fmt.Sprintf("customer-%d", orders.Add(1))
			mine := map[string]any{"currency": a.currency, "customer": map[string]any{"id": customer, "email": "shopper@example.com"}}
			with := func(more map[string]any) map[string]any {
				all := map[string]any{}
				for _, m := range []map[string]any{mine, more} {
					for k, v := range m {
						all[k] = v
					}
				}
				return all
			}
			a.pays(t, w, with(map[string]any{"save_card": true}))
			w.savedCard(t, customer)
			saved := w.savedCards(t, a.account, customer)[0]
			if saved.Card.Last4 != "0008" {
				t.Errorf("the saved card ends in %q", saved.Card.Last4)
			}

			b, s := w.begins(t, a.account, with(map[string]any{"payment_method": "saved_card"}))
			robot := newWalker(t, w)
			robot.open(s.URL)
			for _, first := range []*walker{robot, b} {
				if first.doc.Find("input[name=card]").Length() > 0 || strings.Contains(first.body, "0008") {
					t.Error("the customer's cards are shown to a browser in which nobody asked for them")
				}
			}
			b.press("form#saved", nil)
			if offered := b.doc.Find("input[type=radio][value^=sc_], input[type=radio][value=new]"); offered.Length() != 2 || offered.First().AttrOr("value", "") != saved.ID {
				t.Fatalf("offered are %d cards: %s", offered.Length(), b.words())
			}
			other := newWalker(t, w)
			other.open(s.URL)
			if other.doc.Find("form#saved").Length() > 0 {
				t.Error("a second browser is offered the customer's cards")
			}
			if other.doc.Find("input[name=card]").Length() > 0 || strings.Contains(other.body, "0008") {
				t.Error("a second browser with the link sees the customer's cards")
			}
			fill := url.Values{"card": {saved.ID}}
			if b.doc.Find("input[name=cvc]").Length() > 0 {
				fill.Set("cvc", "123")
			}
			b.press("input[name=card]", fill)
			b.rest(visit{})
			b.paidOnce(s)

			var charged sessionView
			reference := order()
			body := map[string]any{"saved_card": saved.ID, "amount": 4200, "currency": a.currency, "reference": reference}
			if code := w.api(t, "POST", "/v1/charges", body, &charged); code != http.StatusCreated {
				t.Fatalf("the charge is answered %d", code)
			}
			until(t, 30*time.Second, "the charge ends", func() bool { return w.session(t, charged.ID).Status == "paid" })
			w.stands(t, charged, "paid", 4200, 0)
			if a.account == "transactworld" && w.count(t, charged.Attempts[0].Reference, "payments-repeat") != 1 {
				t.Error("the charge does not repeat the sale that saved the card")
			}
			if code := w.api(t, "POST", "/v1/charges", body, nil); code != http.StatusConflict {
				t.Errorf("the same reference again is answered %d", code)
			}

			if code := w.api(t, "PATCH", "/v1/cards/"+saved.ID, map[string]any{"name": "Holiday"}, nil); code != http.StatusOK {
				t.Errorf("the card is not renamed: %d", code)
			}
			if named := w.savedCards(t, a.account, customer); len(named) != 1 || named[0].Name != "Holiday" {
				t.Errorf("renamed: %+v", named)
			}
			if code := w.api(t, "DELETE", "/v1/cards/"+saved.ID, nil, nil); code != http.StatusNoContent {
				t.Errorf("the card is not forgotten: %d", code)
			}
			if left := w.savedCards(t, a.account, customer); len(left) != 0 {
				t.Errorf("left are %+v", left)
			}
		})
	}
}

// phoneOf is a customer's own: a second login of the same one would end the first.
func phoneOf() string { return fmt.Sprintf("+7 917 %07d", orders.Add(1)*100+1) }

// At Sber a customer logs in by phone and code before anything is offered, and pays with a binding of theirs.
func TestTheBindingsOfACustomerWhoLoggedIn(t *testing.T) {
	w := sharedWorld(t)
	phone := phoneOf()
	b, s := w.loggedIn(t, phone, map[string]any{"save_card": true, "fee": 5000})
	if b.kind() != cardForm {
		b.press("input[name=card][value=new]", url.Values{"card": {"new"}})
	}
	b.pay(cardPlain, "123")
	b.rest(visit{})
	b.paidOnce(s)

	again, s2 := w.begins(t, "sber", map[string]any{"payment_method": "saved_card"})
	if again.doc.Find("input[name=card]").Length() > 0 {
		t.Error("cards are offered before the login")
	}
	again.logInAs(phone)
	offered := again.doc.Find("input[name=card]").First().AttrOr("value", "")
	if offered == "" || offered == "new" {
		t.Fatalf("no binding is offered: %s", again.words())
	}
	fill := url.Values{"card": {offered}}
	if again.doc.Find("input[name=cvc]").Length() > 0 {
		fill.Set("cvc", "123")
	}
	again.press("input[name=card]", fill)
	again.rest(visit{})
	again.paidOnce(s2)

	stranger := newWalker(t, w)
	stranger.open(s2.URL)
	if strings.Contains(stranger.body, "0008") {
		t.Error("a second browser sees the customer's card")
	}
}

// app opens an address of the gateway's as a bank's app does, and presses one of its buttons.
func (b *walker) app(link string, fill url.Values) {
	b.t.Helper()
	app := newWalker(b.t, b.w)
	app.open(link)
	forms := app.doc.Find("form")
	if forms.Length() == 0 {
		b.t.Fatalf("the app has nothing to press: %s", app.body)
	}
	r := formOf(app.document, forms.First(), "")
	for name, values := range fill {
		r.form[name] = values
	}
	app.goTo(r)
}

func TestMobileCashierPaymentsByQRSberPayAndHostedForm(t *testing.T) {
	w := sharedWorld(t)
	link := func(b *walker) string {
		b.t.Helper()
		to := b.doc.Find("a.button").First().AttrOr("href", "")
		if !strings.HasPrefix(to, w.Sandbox) {
			b.t.Fatalf("the page has no link into the bank's app: %q, %s", to, b.words())
		}
		return to
	}
	for _, row := range []struct {
		name, method string
		fields       map[string]any
		do           func(*testing.T, *walker, sessionView)
	}{
		{"a QR code, paid in the bank's app", "qr", nil, func(t *testing.T, b *walker, s sessionView) {
			b.press("button", nil)
			if src := b.doc.Find("img.qr").AttrOr("src", ""); !strings.HasPrefix(src, "data:image/png;base64,") {
				t.Errorf("no picture of the code: %.60q", src)
			}
			b.app(link(b), nil)
			b.look(s.URL, "the result", func() bool { return b.kind() == resultPage })
			b.paidOnce(s)
		}},
		{"a QR code, declined in the bank's app", "qr", nil, func(t *testing.T, b *walker, s sessionView) {
			b.press("button", nil)
			b.app(link(b), url.Values{"result": {"declined"}})
			b.look(s.URL, "the way to try again", func() bool { return b.doc.Find("img.qr").Length() == 0 })
			if now := w.session(t, s.ID); now.Status != "open" || now.Attempts[0].State != "declined" || w.charges(t, s.OrderID) != 0 {
				t.Errorf("the session is %s, %+v", now.Status, now.Attempts)
			}
		}},
		{"SberPay, the phone asked for here", "sberpay", nil, func(t *testing.T, b *walker, s sessionView) {
			b.press("input[name=phone]", url.Values{"phone": {"8 (917) 123-45-67"}})
			b.app(link(b), nil)
			b.look(s.URL, "the result", func() bool { return b.kind() == resultPage })
			b.paidOnce(s)
		}},
		{"SberPay, the phone known", "sberpay", map[string]any{"customer": map[string]any{"phone": "+79171234567"}}, func(t *testing.T, b *walker, s sessionView) {
			b.press("button", nil)
			b.app(link(b), nil)
			b.look(s.URL, "the result", func() bool { return b.kind() == resultPage })
			b.paidOnce(s)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fields := map[string]any{"currency": "RUB", "payment_method": row.method}
			for k, v := range row.fields {
				fields[k] = v
			}
			b, s := w.begins(t, "cashier", fields)
			row.do(t, b, s)
		})
	}
}

// onGatewaysPage goes on to the gateway's own page and pays there with a card without 3-D Secure.
func (b *walker) onGatewaysPage() {
	b.t.Helper()
	typed := map[string][]string{ // gateways name the fields of their page as they please
		"number": {cardPlain}, "credit_card_number": {cardPlain}, "expiry": {"12/30"}, "cvc": {"123"}, "cvv2": {"123"}, "name": {"TEST SHOPPER"},
		"card_printed_name": {"TEST SHOPPER"}, "expire_month": {"12"}, "expire_year": {"2030"},
		"$PAN": {cardPlain}, "$CVC": {"123"}, "MM": {"12"}, "YYYY": {"2030"}, "TEXT": {"TEST SHOPPER"},
		"card.number": {cardPlain}, "card.expiryMonth": {"12"}, "card.expiryYear": {"2030"}, "card.cvv": {"123"},
	}
	until(b.t, 20*time.Second, "the gateway's page", func() bool {
		if !b.ours(b.url) {
			return true
		}
		if b.kind() == bankPage {
			b.toBank()
		} else {
			b.again()
		}
		return !b.ours(b.url)
	})
	fill := url.Values{}
	b.doc.Find("input[name]").Each(func(_ int, in *goquery.Selection) {
		if v, ok := typed[in.AttrOr("name", "")]; ok {
			fill[in.AttrOr("name", "")] = v
		}
	})
	b.press("form", fill)
}

// The gateway's own page takes the card; the shopper goes there and comes back.
func TestOnTheGatewaysOwnPage(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		if !slices.Contains(w.capabilities(t, a.account), "pay_hosted") {
			continue
		}
		t.Run(a.account, func(t *testing.T) {
			t.Parallel()
			b, s := w.begins(t, a.account, map[string]any{"currency": a.currency, "payment_method": "hosted"})
			b.press("button", nil)
			b.onGatewaysPage()
			b.rest(visit{})
			b.look(s.URL, "the result", func() bool { return b.kind() == resultPage })
			b.paidOnce(s)
		})
	}
}

// Money goes out by the API alone: to a card, to a phone's bank account, back to the card of a payment.
func TestPayoutsAreSent(t *testing.T) {
	w := sharedWorld(t)
	var banks struct {
		Data []struct{ ID, Name string } `json:"data"`
	}
	if code := w.api(t, "GET", "/v1/accounts/cashier/banks", nil, &banks); code != http.StatusOK || len(banks.Data) == 0 {
		t.Fatalf("banks: %d %+v", code, banks)
	}
	paid := operators[3].pays(t, w, nil)
	for _, row := range []struct {
		name, account, currency string
		to                      map[string]any
	}{
		{"cashier, to a card", "cashier", "RUB", map[string]any{"card": map[string]any{"number": "4000019900050008", "holder": "TEST SHOPPER"}}},
		{"cashier, to a phone's bank account", "cashier", "RUB", map[string]any{"phone": "79171234567", "bank_id": banks.Data[0].ID, "first_name": "Ivan", "last_name": "Petrov"}},
		{"transactworld, back to the card of a payment", "transactworld", "KZT", map[string]any{"payment": paid.ID}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var s sessionView
			body := map[string]any{"account": row.account, "amount": 7700, "currency": row.currency, "reference": order(), "to": row.to}
			if code := w.api(t, "POST", "/v1/payouts", body, &s); code != http.StatusCreated {
				t.Fatalf("answered %d", code)
			}
			until(t, 30*time.Second, "the payout ends", func() bool { return w.session(t, s.ID).Status == "paid" })
			if w.api(t, "POST", "/v1/payouts", body, nil) != http.StatusConflict {
				t.Error("the same reference is paid out again")
			}
			if sent := w.ledger(t, s.OrderID); len(sent) != 1 || sent[0].Amount != 7700 {
				t.Errorf("the ledger says %+v", sent)
			}
		})
	}
}

// What the gateway remembers is listed with our references; where customers log in, it is each one's own list.
func TestTheGatewaysHistory(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		if !slices.Contains(w.capabilities(t, a.account), "history") {
			continue
		}
		t.Run(a.account, func(t *testing.T) {
			t.Parallel()
			since := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
			s := a.pays(t, w, nil)
			reference, customer := w.session(t, s.ID).Attempts[0].Reference, w.customer(t, s)
			if (customer != "") != (a.account == "sber") {
				t.Fatalf("the customer is %q", customer)
			}
			var list struct {
				Data []struct {
					Reference, Kind, Outcome, Currency string
					Amount                             int64
				} `json:"data"`
			}
			if code := w.api(t, "GET", "/v1/accounts/"+a.account+"/history?limit=100&from="+since+"&customer="+customer, nil, &list); code != http.StatusOK {
				t.Fatalf("answered %d", code)
			}
			for _, l := range list.Data {
				if l.Reference == reference {
					outcome := "paid"
					if a.account == "sber" { // whose list does not tell
						outcome = "unclear"
					}
					if l.Amount != s.Amount || l.Currency != a.currency || l.Outcome != outcome {
						t.Errorf("it is listed as %+v", l)
					}
					return
				}
			}
			t.Errorf("%s is not among %d lines", reference, len(list.Data))
		})
	}
}

// What a gateway calls back about is proved genuine, taken, and asked about.
func TestCallbacksOfEveryGatewayAreAccepted(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		calls := slices.Contains(w.capabilities(t, a.account), "callbacks")
		if calls == (a.account == "sber") {
			t.Errorf("%s calls back: %v", a.account, calls)
		}
		if !calls {
			continue
		}
		t.Run(a.account, func(t *testing.T) {
			t.Parallel()
			s := a.pays(t, w, nil)
			reference := w.session(t, s.ID).Attempts[0].Reference
			answered := 0
			until(t, 20*time.Second, "the gateway calls back", func() bool {
				for _, c := range w.calls(t, reference) {
					if c.Call == "callback" {
						answered = c.Status
					}
				}
				return answered != 0
			})
			if answered != http.StatusOK {
				t.Errorf("the callback is answered %d", answered)
			}
			w.stands(t, s, "paid", s.Amount, 0)
		})
	}
}

func TestACardIsKeptOnlyWhereTheShopperAgreed(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	for _, agrees := range []bool{false, true} {
		customer := fmt.Sprintf("customer-%d", orders.Add(1))
		b, s := w.begins(t, "rbs", map[string]any{"save_card": true, "customer": map[string]any{"id": customer}})
		box := b.doc.Find("#card input[name=save_card]")
		if _, ticked := box.Attr("checked"); box.Length() != 1 || ticked || !strings.Contains(b.words(), "Keep this card") {
			t.Fatalf("the page asks so: %s", b.words())
		}
		form := b.fill(noThreeDS, "123")
		if !agrees {
			form.form.Del("save_card")
		}
		b.goTo(form)
		b.rest(visit{})
		b.paidOnce(s)
		if agrees {
			w.savedCard(t, customer)
			b, _ := w.begins(t, "rbs", map[string]any{"payment_method": "saved_card", "customer": map[string]any{"id": customer}})
			b.press("form#saved", nil)
			b.press(".delete form", nil)
			if n := len(w.savedCards(t, "rbs", customer)); n != 0 || b.kind() != cardForm {
				t.Errorf("after it was deleted on the page %d cards are kept; the page is %v", n, b.words())
			}
		} else if n := len(w.savedCards(t, "rbs", customer)); n != 0 || b.w.session(t, s.ID).Status != "paid" {
			t.Errorf("%d cards are kept of a shopper who did not agree", n)
		}
	}
}

// A binding that was made elsewhere is imported for its customer, checked against the gateway, charged, and gone once it is gone there.
func TestABindingIsImportedChargedAndFollowed(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	customer := fmt.Sprintf("imported-%d", orders.Add(1))
	operatorOf("rbs").pays(t, w, map[string]any{"save_card": true, "customer": map[string]any{"id": customer}})
	w.savedCard(t, customer)
	rbs := func(call string, with url.Values) (answer struct {
		Bindings []struct{ BindingID string }
	}) {
		t.Helper()
		c := w.App.Credentials()["rbs"]
		with.Set("userName", c["userName"])
		with.Set("password", c["password"])
		res, err := http.PostForm(w.Sandbox+"/rbs/payment/rest/"+call, with)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	listed := rbs("getBindings.do", url.Values{"clientId": {customer}}).Bindings
	if len(listed) != 1 {
		t.Fatalf("the gateway lists %+v", listed)
	}
	imports := func(customer string, want int) (made struct {
		savedCardView
		CheckedAt string `json:"checked_at"`
		Expiry    string
	}) {
		t.Helper()
		body := map[string]any{"account": "rbs-own", "gateway_id": listed[0].BindingID}
		if code := w.api(t, "POST", "/v1/customers/"+customer+"/cards/import", body, &made); code != want {
			t.Fatalf("the import for %s is answered %d", customer, code)
		}
		return made
	}
	imports("another-"+customer, http.StatusConflict)
	made := imports(customer, http.StatusCreated)
	if made.CheckedAt == "" || made.Card.Last4 != "0008" || made.Expiry == "" {
		t.Errorf("imported as %+v", made)
	}
	var charged sessionView
	if code := w.api(t, "POST", "/v1/charges", map[string]any{"saved_card": made.ID, "amount": 4200, "currency": "KZT", "reference": order()}, &charged); code != http.StatusCreated {
		t.Fatalf("the charge is answered %d", code)
	}
	until(t, 30*time.Second, "the charge ends", func() bool { return w.session(t, charged.ID).Status == "paid" })
	rbs("unBindCard.do", url.Values{"bindingId": {listed[0].BindingID}})
	for _, account := range []string{"rbs", "rbs-own"} {
		if code := w.api(t, "POST", "/v1/customers/"+customer+"/cards/refresh", map[string]any{"account": account}, nil); code != http.StatusOK {
			t.Errorf("a refresh of %s is answered %d", account, code)
		}
		if left := w.savedCards(t, account, customer); len(left) != 0 {
			t.Errorf("a card that is gone at the gateway is still offered at %s: %+v", account, left)
		}
	}
}

// Each setting of a TransactWorld account that changes the wire, from the payment to what is done to it.
func TestOtherContractsOfTransactWorld(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	for account, want := range map[string]struct {
		partial int // what the API answers to a part of a hold given back
		charge  string
	}{
		"transactworld-flat":  {http.StatusCreated, "payments-repeat"},
		"transactworld-json":  {http.StatusCreated, "paywithtoken-id"},
		"transactworld-whole": {http.StatusUnprocessableEntity, "paywithtoken-id"},
	} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			customer := fmt.Sprintf("contract-%d", orders.Add(1))
			b, s := w.begins(t, account, map[string]any{"currency": "EUR", "capture": "manual", "save_card": true,
				"customer": map[string]any{"id": customer, "email": "shopper@example.com"}})
			b.pay(oldThreeDS, "123")
			b.rest(visit{})
			until(t, 30*time.Second, "the hold stands", func() bool { return w.session(t, s.ID).Status == "authorized" })
			if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/void", map[string]any{"amount": 100}, nil); code != want.partial {
				t.Errorf("a part of the hold given back is answered %d", code)
			}
			var saved []savedCardView
			until(t, 30*time.Second, "the card is saved", func() bool { saved = w.savedCards(t, account, customer); return len(saved) == 1 })
			var charged sessionView
			if code := w.api(t, "POST", "/v1/charges", map[string]any{"saved_card": saved[0].ID, "amount": 4200, "currency": "EUR", "reference": order()}, &charged); code != http.StatusCreated {
				t.Fatalf("the charge is answered %d", code)
			}
			if want.charge == "paywithtoken-id" && account == "transactworld-whole" { // the bank wants the customer, for it is a payment like any other
				until(t, 30*time.Second, "the bank asks", func() bool { return w.session(t, charged.ID).Status == "action_required" })
			} else {
				until(t, 30*time.Second, "the charge ends", func() bool { return w.session(t, charged.ID).Status == "paid" })
			}
			if n := w.count(t, w.session(t, charged.ID).Attempts[0].Reference, want.charge); n != 1 {
				t.Errorf("%s was called %d times", want.charge, n)
			}
		})
	}
}
