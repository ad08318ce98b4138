package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// Transfers from card to card, beside those of the table.
func TestTransfersWithoutScript(t *testing.T) {
	sharedWorld(t)
	alongside(t, []spec{
		{"the bank's words are shown before the way to the bank", theBanksWordsAreShownBeforeTheWayToTheBank},
		{"from a card and from a saved card to a virtual card", fromACardAndASavedCardToAVirtualCard},
		{"from a saved card to a card that is typed", fromASavedCardToACardThatIsTyped},
		{"what is wrong with the recipient's card is said beside it", whatIsWrongWithTheRecipientsCardIsSaidBesideIt},
		{"a second try asks for the recipient again", aSecondTryAsksForTheRecipientAgain},
		{"two tabs make one transfer", twoTabsMakeOneTransfer},
		{"a second browser has the saved cards only after a login of its own", aSecondBrowserHasTheSavedCardsOnlyAfterALoginOfItsOwn},
		{"a phone that is nobody's is said calmly, and another may be given", aPhoneThatIsNobodysIsSaidCalmly},
		{"a code that is too old is said, and another is sent", aCodeThatIsTooOldIsSaid},
		{"accounts say which can, and the others refuse", accountsSayWhichCanAndTheOthersRefuse},
		{"the shopper who is lost at the bank sees a calm page until the gateway gives up", theShopperWhoIsLostAtTheBankSeesACalmPage},
	}, func(s spec) string { return s.name }, func(t *testing.T, s spec) { s.test(t) })
}

func transfer(more map[string]any) map[string]any {
	fields := map[string]any{"kind": "transfer"}
	for k, v := range more {
		fields[k] = v
	}
	return fields
}

func theBanksWordsAreShownBeforeTheWayToTheBank(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "sber", transfer(map[string]any{"fee": 5000}))
	if header := b.doc.Find("header").Text(); !strings.Contains(header, "Transfer 12,345\u00a0₸, fee 50\u00a0₸") {
		t.Errorf("the page does not tell amount and fee: %q", header)
	}
	if button := b.doc.Find("#pay").Text(); !strings.Contains(button, "Transfer 12,395\u00a0₸") {
		t.Errorf("the button says %q", button)
	}
	b.pay(challenged, "123")
	b.look(made.URL, "the way to the bank", func() bool { return b.kind() != waitPage })
	b.sees(bankPage, "Confirm the transfer at your bank")
	if !strings.Contains(b.words(), "Your order is proceeded, redirecting...") {
		t.Errorf("the bank's words are missing: %s", b.words())
	}
	if strings.Contains(b.body, ".submit.call") {
		t.Error("the page goes on before anybody has read it")
	}
	b.rest(visit{})
	b.sees(resultPage, saysTransferred)
	if title := b.doc.Find("title").Text(); !strings.HasPrefix(title, "Transferred") {
		t.Errorf("the end is called %q", title)
	}
	w.onceOnly(t, made)
	for _, e := range w.events(t, made.ID) {
		if !strings.Contains(string(e.Data), `"session_kind":"transfer"`) {
			t.Errorf("%s: %s", e.Type, e.Data)
		}
	}
}

// savedCards are the choices of a page: ours, by last four digits.
func (b *walker) savedCards() map[string]string {
	cards := map[string]string{}
	b.doc.Find("label.choice").Each(func(_ int, c *goquery.Selection) {
		if id := c.Find("input[name=card]").AttrOr("value", ""); id != "new" {
			words := strings.Fields(c.Find("span").First().Text())
			cards[words[len(words)-1]] = id
		}
	})
	return cards
}

// choose presses the button of the choice of cards; to is typed where the page asks for it.
func (b *walker) choose(id, to string) hop {
	b.t.Helper()
	r := formOf(b.document, b.doc.Find("input[name=card]").First().Closest("form"), "card="+id)
	if _, asked := r.form["to_number"]; asked != (to != "") {
		b.t.Fatalf("the page asks for the recipient: %v", asked)
	} else if asked {
		b.to = to
		r.form.Set("to_number", to)
	}
	return r
}

// loggedIn begins a visit of a new session as the customer of the phone.
func (w *world) loggedIn(t *testing.T, phone string, session map[string]any) (*walker, sessionView) {
	t.Helper()
	b, made := w.begins(t, "sber", session)
	b.logInAs(phone)
	return b, made
}

// saves makes a payment that saves the card, as the customer of the phone, in a browser of its own.
func (w *world) saves(t *testing.T, phone, number string) sessionView {
	t.Helper()
	b, made := w.loggedIn(t, phone, map[string]any{"save_card": true})
	if b.kind() != cardForm {
		b.goTo(b.choose("new", ""))
	}
	b.pay(number, "123")
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
	return made
}

func fromACardAndASavedCardToAVirtualCard(t *testing.T) {
	w := sharedWorld(t)
	phone := phoneOf()
	customer := w.customer(t, w.saves(t, phone, oldThreeDS))
	var virtual savedCardView
	if code := w.api(t, "POST", "/v1/virtual_cards", map[string]any{"account": "sber", "customer": customer, "reference": order()}, &virtual); code != http.StatusCreated {
		t.Fatalf("no virtual card: %d", code)
	}
	b, _ := w.loggedIn(t, phone, nil)
	last4 := virtual.Card.Last4
	saved := b.savedCards()["0702"]
	if saved == "" || b.savedCards()[last4] != virtual.ID {
		t.Fatalf("the customer's cards: %v", b.savedCards())
	}
	target := transfer(map[string]any{"transfer": map[string]any{"saved_card": virtual.ID}})
	to := "To card •• " + last4
	t.Run("from a card", func(t *testing.T) {
		b, made := w.loggedIn(t, phone, target)
		if got := b.savedCards(); len(got) != 1 || got["0702"] != saved {
			t.Errorf("the card that the money goes to is offered: %v", got)
		}
		b.goTo(b.choose("new", ""))
		if !strings.Contains(b.doc.Find("header").Text(), to) || b.doc.Find("[name=to_number]").Length() != 0 {
			t.Errorf("the page does not say %q, or asks for it", to)
		}
		b.pay(noThreeDS, "123")
		b.rest(visit{})
		b.sees(resultPage, saysTransferred)
		w.onceOnly(t, made)
		if a := w.session(t, made.ID).Attempts[0]; a.To.Last4 != last4 || a.Card.Last4 != "0008" {
			t.Errorf("the API tells of a transfer from %s to %s", a.Card.Last4, a.To.Last4)
		}
	})
	t.Run("from a saved card", func(t *testing.T) {
		b, made := w.loggedIn(t, phone, target)
		if !strings.Contains(b.doc.Find("header").Text(), to) {
			t.Errorf("the page does not say %q", to)
		}
		b.goTo(b.choose(saved, ""))
		b.look(made.URL, "the way to the bank", func() bool { return b.kind() != waitPage })
		b.sees(bankPage, "Your order is proceeded, redirecting...")
		b.rest(visit{})
		b.sees(resultPage, saysTransferred)
		w.onceOnly(t, made)
		if a := w.session(t, made.ID).Attempts[0]; a.To.Last4 != last4 || a.Card.Last4 != "0702" {
			t.Errorf("the API tells of a transfer from %s to %s", a.Card.Last4, a.To.Last4)
		}
	})
	t.Run("by another customer, who gets no code", func(t *testing.T) {
		made := w.create(t, "sber", target)
		b := newWalker(t, w)
		b.open(made.URL)
		r := formOf(b.document, b.doc.Find("input[name=phone]").Closest("form"), "phone="+phoneOf())
		b.expect(r, http.StatusUnprocessableEntity)
		if !strings.Contains(b.words(), "no customer with this number") {
			t.Errorf("the page says %s", b.words())
		}
	})
}

func fromASavedCardToACardThatIsTyped(t *testing.T) {
	w := sharedWorld(t)
	phone := phoneOf()
	w.saves(t, phone, noThreeDS)
	w.saves(t, phone, oldThreeDS)
	b, made := w.loggedIn(t, phone, transfer(nil))
	cards := b.savedCards()
	chosen := "input[name=card][value=" + cards["0008"] + "]"
	for to, says := range map[string]string{"": "Enter the recipient's card number", "4000019900021000": "Check the recipient's card number"} {
		r := b.choose(cards["0008"], recipient)
		r.form.Set("to_number", to)
		b.expect(r, http.StatusUnprocessableEntity)
		if got := b.doc.Find("#to_number-error").Text(); !strings.Contains(got, says) {
			t.Errorf("beside %q stands %q", to, got)
		}
		if _, kept := b.doc.Find(chosen).Attr("checked"); !kept || b.doc.Find("#to_number").AttrOr("value", "") != "" {
			t.Error("the choice is lost, or the number is shown again")
		}
	}
	b.goTo(b.choose(cards["0008"], recipient))
	b.rest(visit{})
	b.sees(resultPage, saysTransferred)
	w.onceOnly(t, made)
	if a := w.session(t, made.ID).Attempts[0]; a.To.First6 != recipient[:6] || a.To.Last4 != recipient[12:] || a.Card.Last4 != "0008" {
		t.Errorf("the API tells of a transfer from %s to %s", a.Card.Last4, a.To.Last4)
	}
}

func whatIsWrongWithTheRecipientsCardIsSaidBesideIt(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "sber", transfer(nil))
	for _, c := range []struct{ value, says string }{
		{"", "Enter the recipient's card number"},
		{"4000 0199 0002 1000", "Check the recipient's card number"},
		{"4000", "Check the recipient's card number"},
		{"no digits", "Check the recipient's card number"},
		{"4000-0199-0005-0008", "This is the card you are transferring from"},
	} {
		r := b.fill(noThreeDS, "123")
		r.form.Set("to_number", c.value)
		b.expect(r, http.StatusUnprocessableEntity)
		if text := b.doc.Find("#to_number-error").Text(); !strings.Contains(text, c.says) {
			t.Errorf("beside %q stands %q, want %q", c.value, text, c.says)
		}
		if b.doc.Find("[aria-invalid]").Length() != 1 || b.doc.Find("#errors a[href='#to_number']").Length() != 1 {
			t.Errorf("%q: the field is not marked, or another is", c.value)
		}
		for _, field := range []string{"number", "to_number"} {
			if b.doc.Find("#"+field).AttrOr("value", "") != "" {
				t.Errorf("%s is shown again", field)
			}
		}
	}
	if s := w.session(t, made.ID); len(s.Attempts) != 0 {
		t.Errorf("forms that were refused made %d attempts", len(s.Attempts))
	}
}

func aSecondTryAsksForTheRecipientAgain(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "sber", transfer(nil))
	b.pay(withoutMoney, "123")
	b.rest(visit{})
	b.sees(cardForm, saysNoMoney)
	r := b.fill(noThreeDS, "123")
	r.form.Del("to_number")
	b.expect(r, http.StatusUnprocessableEntity)
	b.sees(cardForm, "Enter the recipient's card number")
	b.pay(noThreeDS, "123")
	b.rest(visit{})
	b.sees(resultPage, saysTransferred)
	if n := w.charges(t, made.OrderID); n != 1 {
		t.Errorf("%d charges", n)
	}
}

func twoTabsMakeOneTransfer(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "sber", transfer(nil))
	other := b.tab()
	other.open(made.URL)
	atOnce(t, []*walker{b, other}, []hop{b.fill(challenged, "123"), other.fill(noThreeDS, "123")})
	b.rest(visit{})
	other.rest(visit{})
	b.sees(resultPage, saysTransferred)
	other.sees(resultPage, saysTransferred)
	w.onceOnly(t, made)
}

func aSecondBrowserHasTheSavedCardsOnlyAfterALoginOfItsOwn(t *testing.T) {
	w := sharedWorld(t)
	phone := phoneOf()
	w.saves(t, phone, oldThreeDS)
	b, made := w.loggedIn(t, phone, transfer(nil))
	saved := b.savedCards()["0702"]
	if saved == "" {
		t.Fatalf("the customer sees no saved card: %s", b.words())
	}
	pay := b.choose(saved, recipient)
	stranger := newWalker(t, w)
	stranger.modern = true
	stranger.open(made.URL)
	if len(stranger.savedCards()) != 0 || strings.Contains(stranger.body, "0702") || strings.Contains(stranger.body, saved) {
		t.Errorf("a second browser sees saved cards: %s", stranger.words())
	}
	stranger.goTo(hop{method: http.MethodPost, to: pay.to, form: pay.form, from: stranger.url})
	if n := len(w.session(t, made.ID).Attempts); n != 0 {
		t.Fatalf("a second browser began %d transfers from a saved card", n)
	}

	// Before anybody has logged in, neither card nor saved card is taken. A second browser may log in: then the cards are
	// shown there, and in the first no more.
	made = w.create(t, "sber", transfer(nil))
	b, stranger = newWalker(t, w), newWalker(t, w)
	b.open(made.URL)
	stranger.open(made.URL)
	for _, path := range []string{"/saved", "/card"} {
		form := url.Values{
			"csrf": {stranger.doc.Find("[name=csrf]").AttrOr("value", "")}, "card": {saved}, "number": {noThreeDS}, "expiry": {"12/30"}, "cvc": {"123"},
			"name": {"TEST SHOPPER"}, "to_number": {recipient},
		}
		stranger.goTo(hop{method: http.MethodPost, to: made.URL + path, form: form, from: stranger.url})
		if n := len(w.session(t, made.ID).Attempts); n != 0 {
			t.Errorf("a post to %s before the login began %d transfers", path, n)
		}
	}
	stranger.logInAs(phone)
	if stranger.savedCards()["0702"] != saved {
		t.Errorf("whoever logs in does not see their cards: %s", stranger.words())
	}
	b.open(made.URL)
	if len(b.savedCards()) != 0 {
		t.Errorf("the first browser sees the cards of another's login: %s", b.words())
	}
	stranger.goTo(stranger.choose(saved, recipient))
	stranger.rest(visit{})
	stranger.sees(resultPage, saysTransferred)
	w.onceOnly(t, made)
}

func aPhoneThatIsNobodysIsSaidCalmly(t *testing.T) {
	w := sharedWorld(t)
	b := newWalker(t, w)
	b.open(w.create(t, "sber", nil).URL)
	r := formOf(b.document, b.doc.Find("input[name=phone]").Closest("form"), "phone=+7 917 113 12 00")
	b.expect(r, http.StatusUnprocessableEntity)
	if !strings.Contains(b.words(), "The bank has no customer with this number") || b.doc.Find("#phone").AttrOr("value", "") != "+7 917 113 12 00" {
		t.Errorf("the page says %s", b.words())
	}
	b.logIn()
	b.sees(cardForm, saysPayByCard)
}

func aCodeThatIsTooOldIsSaid(t *testing.T) {
	w := start(t)
	b, stranger := newWalker(t, w), newWalker(t, w)
	made := w.create(t, "sber", nil)
	b.open(made.URL)
	b.goTo(formOf(b.document, b.doc.Find("input[name=phone]").Closest("form"), "phone=+7 917 113 12 31"))
	code := func(code string) hop {
		return formOf(b.document, b.doc.Find("input[name=code]").Closest("form"), "code="+code)
	}
	b.expect(code("000000"), http.StatusUnprocessableEntity)
	if !strings.Contains(b.words(), "This code is not right") {
		t.Errorf("a wrong code: %s", b.words())
	}
	w.advance(t, time.Minute)
	b.expect(code("111111"), http.StatusUnprocessableEntity)
	if !strings.Contains(b.words(), "This code is too old. Please ask for another one") {
		t.Errorf("an old code: %s", b.words())
	}
	b.goTo(formOf(b.document, b.doc.Find("form[action$='/code/again']"), ""))
	stranger.open(made.URL) // and cannot have another sent to a phone that another browser gave: it would end this one
	csrf := url.Values{"csrf": {stranger.doc.Find("[name=csrf]").AttrOr("value", "")}}
	stranger.goTo(hop{method: http.MethodPost, to: made.URL + "/code/again", form: csrf, from: stranger.url})
	b.goTo(code("111111"))
	b.sees(cardForm, saysPayByCard)
}

func accountsSayWhichCanAndTheOthersRefuse(t *testing.T) {
	w := sharedWorld(t)
	var list struct {
		Data []struct {
			Name, Gateway string
			Capabilities  []string
		}
	}
	w.api(t, "GET", "/v1/accounts", nil, &list)
	for _, account := range list.Data {
		can := strings.Contains(strings.Join(account.Capabilities, " ")+" ", "transfers ")
		if can != (account.Gateway == "sber") {
			t.Errorf("%s says that it makes transfers: %v", account.Name, can)
		}
		var problem struct{ Errors []struct{ Pointer string } }
		code := w.api(t, "POST", "/v1/sessions", map[string]any{
			"account": account.Name, "kind": "transfer", "amount": 1000, "currency": "RUB", "order_id": order(),
			"success_url": w.Sandbox + "/shop/done", "cancel_url": w.Sandbox + "/shop/done",
		}, &problem)
		switch {
		case can && code != http.StatusCreated:
			t.Errorf("%s: %d %+v", account.Name, code, problem)
		case !can && (code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/kind"):
			t.Errorf("%s: %d %+v", account.Name, code, problem)
		}
	}
}

// Nothing closes an order of this gateway. Until it ends by itself, after twenty minutes, the way to the bank stays open.
func theShopperWhoIsLostAtTheBankSeesACalmPage(t *testing.T) {
	w := start(t)
	b, made := w.visits(t, "sber", transfer(map[string]any{"expires_in": 86400}))
	b.pay("4000019900020746", "123")
	b.rest(visit{})
	for range 3 {
		b.open(made.URL)
		b.sees(bankPage, "Confirm the transfer at your bank")
		w.advance(t, 6*time.Minute)
	}
	b.look(made.URL, "the gateway gives up", func() bool {
		w.advance(t, time.Minute)
		return b.kind() != bankPage && b.kind() != waitPage
	})
	b.sees(cardForm, "You were not charged")
	if n := w.charges(t, made.OrderID); n != 0 {
		t.Errorf("%d charges", n)
	}
}

// startAndFinish are places of a payment or a transfer at Sber, with 3-D Secure and without.
func startAndFinish(kind string) []crash {
	return []crash{
		{name: "3DS: the gateway has started and did not answer", call: kind + "/start"},
		{name: "3DS: the shopper is at the bank", kind: "bank"},
		{name: "3DS: the gateway takes the money and did not answer", call: kind + "/finish"},
		{name: "no 3DS: the gateway takes the money and did not answer", call: kind + "/finish", card: noThreeDS},
	}
}

// The target is known to the process that was killed alone. Start is not sent again, and finish needs no target. An order whose
// start has no answer in the book may have a finish that the database has forgotten: nobody may pay again until it has expired at
// the gateway, so these sessions live longer than the order.
func TestKilledAnywhereInATransferNobodyPaysTwice(t *testing.T) {
	t.Parallel()
	w, f := startFront(t, "")
	for _, c := range startAndFinish("transfer") {
		t.Run(c.name, func(t *testing.T) {
			for _, a := range survive(t, w, f, "sber", transfer(map[string]any{"expires_in": 86400}), c).Attempts {
				for _, call := range w.calls(t, a.Reference) {
					if strings.HasPrefix(call.Call, "payment/") {
						t.Errorf("%s of a transfer", call.Call)
					}
				}
			}
		})
	}
}
