package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	noThreeDS     = "4000019900050008" // no 3DS, approved
	withoutMoney  = "4000019900050107" // no 3DS, declined for funds
	challenged    = "4000019900020704" // challenge that passes by itself
	challengeLost = "4000019900020712" // challenge that fails by itself
	onBankPage    = "4000019900020720" // the bank's own page
	unchallenged  = "4000019900020001"
	softDeclined  = "4000019900020902"
	oldThreeDS    = "4000019900040702" // 3DS 1.0.2
)

var bothGateways = []string{"rbs", "payneteasy"}

// atOnce sends one request in each of several windows within a few milliseconds.
func atOnce(t *testing.T, tabs []*walker, hops []hop) {
	t.Helper()
	var all sync.WaitGroup
	docs := make([]*document, len(tabs))
	for i := range tabs {
		all.Go(func() {
			d, err := tabs[i].send(hops[i])
			if err != nil {
				t.Error(err)
			}
			docs[i] = d
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i, b := range tabs {
		b.document = docs[i]
		b.inspect(docs[i], http.StatusOK)
	}
}

// sees fails where the window shows something else.
func (b *walker) sees(kind shown, words string) {
	b.t.Helper()
	if b.kind() != kind || !strings.Contains(b.words(), words) {
		b.t.Errorf("the shopper sees %s: %q; want %s: %q", b.kind(), b.words(), kind, words)
	}
}

// onceOnly holds the ledger to one order and one charge.
func (w *world) onceOnly(t *testing.T, made sessionView) {
	t.Helper()
	entries := w.ledger(t, made.OrderID)
	if len(entries) != 1 || entries[0].Charges != 1 || entries[0].Captured != made.Amount {
		t.Errorf("the ledger says %+v, want one charge of %d", entries, made.Amount)
	}
	if s := w.session(t, made.ID); s.Status != "paid" || len(s.Attempts) != 1 {
		t.Errorf("the session is %s after %d attempts", s.Status, len(s.Attempts))
	}
	w.history(t, made.ID)
}

// What shoppers do with the one address of a payment.
func TestVisitsWithoutScript(t *testing.T) {
	sharedWorld(t)
	alongside(t, []spec{
		{"a double click pays once", aDoubleClickPaysOnce},
		{"the same address in two tabs pays once, whichever card is typed where", theSameAddressInTwoTabsPaysOnceWhicheverCardIsTypedWhere},
		{"two tabs press Pay at once, a hundred times", twoTabsPressPayAtOnceAHundredTimes},
		{"the same link in a second browser", theSameLinkInASecondBrowser},
		{"reloading the post at every step pays once", reloadingThePostAtEveryStepPaysOnce},
		{"Back after success, and Pay again", backAfterSuccessAndPayAgain},
		{"a challenge is posted by itself only once", aChallengeIsPostedByItselfOnceOnly},
		{"what is wrong is said beside the field", whatIsWrongIsSaidBesideTheField},
		{"fields that the shopper invents are ignored", fieldsThatTheShopperInventsAreIgnored},
		{"a post that another site made is refused calmly", aPostThatAnotherSiteMadeIsRefusedCalmly},
		{"a browser that loses or keeps no cookie pays", aBrowserThatLosesOrKeepsNoCookiePays},
		{"Cancel ends the session for every tab", cancelEndsTheSessionForEveryTab},
		{"a payment that the bank may still take cannot be cancelled", aPaymentThatTheBankMayStillTakeCannotBeCancelled},
		{"a session expires by the clock and its form takes nothing any more", aSessionExpiresByTheClockAndItsFormTakesNothingAnyMore},
		{"five declines use the tries up", fiveDeclinesUseTheTriesUp},
		{"a decline is followed by a payment with another card", aDeclineIsFollowedByAPaymentWithAnotherCard},
		{"the language that the shopper chooses stays", theLanguageThatTheShopperChoosesStays},
		{"an unknown payment is a calm page", anUnknownPaymentIsACalmPage},
		{"other methods change nothing", otherMethodsChangeNothing},
		{"an order is not paid in two sessions", anOrderIsNotPaidInTwoSessions},
		{"looking at a page costs no gateway call", lookingAtAPageCostsNoGatewayCall},
		{"what the gateway says of another payment is held, not paid", whatTheGatewaySaysOfAnotherPaymentIsHeldNotPaid},
		{"a late approval is reported as paid late", aLateApprovalIsReportedAsPaidLate},
	}, func(s spec) string { return s.name }, func(t *testing.T, s spec) { s.test(t) })
}

func aDoubleClickPaysOnce(t *testing.T) {
	w := sharedWorld(t)
	rows := [][2]string{}
	for _, account := range bothGateways {
		for _, number := range []string{noThreeDS, challenged, oldThreeDS} {
			rows = append(rows, [2]string{account, number})
		}
	}
	alongside(t, rows, func(r [2]string) string { return r[0] + " " + r[1][12:] }, func(t *testing.T, row [2]string) {
		b, made := w.visits(t, row[0], nil)
		first, second := b.fill(row[1], "123"), b.tab()
		second.document = b.document
		again := second.fill(row[1], "123")
		atOnce(t, []*walker{b, second}, []hop{first, again})
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		second.open(made.URL)
		second.sees(resultPage, saysPaid)
		w.onceOnly(t, made)
	})
}

func theSameAddressInTwoTabsPaysOnceWhicheverCardIsTypedWhere(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		b, made := w.visits(t, account, nil)
		other := b.tab()
		other.open(made.URL)
		other.sees(cardForm, saysPayByCard)
		atOnce(t, []*walker{b, other}, []hop{b.fill(unchallenged, "123"), other.fill(challenged, "123")})
		b.rest(visit{})
		other.rest(visit{})
		b.sees(resultPage, saysPaid)
		other.sees(resultPage, saysPaid)
		w.onceOnly(t, made)
	})
}

func twoTabsPressPayAtOnceAHundredTimes(t *testing.T) {
	w := sharedWorld(t)
	for n := range 100 {
		b, made := w.visits(t, bothGateways[n%2], nil)
		other := b.tab()
		other.open(made.URL)
		atOnce(t, []*walker{b, other}, []hop{b.fill(noThreeDS, "123"), other.fill(noThreeDS, "123")})
		for _, tab := range []*walker{b, other} {
			tab.rest(visit{})
			tab.sees(resultPage, saysPaid)
		}
		w.onceOnly(t, made)
		if t.Failed() {
			return
		}
	}
}

func theSameLinkInASecondBrowser(t *testing.T) {
	w := sharedWorld(t)
	t.Run("may pay, and pays once", func(t *testing.T) {
		b, made := w.visits(t, "rbs", nil)
		stranger := newWalker(t, w)
		stranger.order, stranger.modern = made.OrderID, true
		stranger.open(made.URL)
		stranger.sees(cardForm, saysPayByCard)
		atOnce(t, []*walker{b, stranger}, []hop{b.fill(challenged, "123"), stranger.fill(challenged, "123")})
		stranger.rest(visit{})
		stranger.sees(resultPage, saysPaid)
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		w.onceOnly(t, made)
	})
	t.Run("sees where the payment is, and nothing of the person", func(t *testing.T) {
		b, made := w.visits(t, "rbs", map[string]any{"customer": map[string]any{"id": "customer-77", "email": "aigerim@example.com", "phone": "+77017654321"}})
		private := []string{"TEST SHOPPER", "12/30", "customer-77", "aigerim", "7654321", "400001", "0712"}
		stranger := newWalker(t, w)
		stranger.order, stranger.card = made.OrderID, challengeLost
		glance := func(kind shown) {
			t.Helper()
			stranger.open(made.URL)
			stranger.sees(kind, "")
			for _, p := range private {
				if strings.Contains(strings.ReplaceAll(stranger.body, made.OrderID, ""), p) {
					t.Errorf("%s shows %q to a second browser", kind, p)
				}
			}
		}
		b.pay(challengeLost, "123")
		for b.kind() == methodPage || b.kind() == waitPage {
			b.runFrames(true)
			b.again()
		}
		b.sees(bankPage, "Continue to your bank")
		glance(bankPage)
		b.rest(visit{})
		b.sees(cardForm, saysNotYou)
		glance(cardForm)
		stranger.sees(cardForm, saysNotYou)
	})
}

func reloadingThePostAtEveryStepPaysOnce(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		b, made := w.visits(t, account, nil)
		post := b.fill(challenged, "123")
		seen := map[shown]bool{}
		b.goTo(post)
		until(t, 30*time.Second, "a result", func() bool {
			was := b.kind()
			if !seen[was] {
				seen[was] = true
				b.goTo(post) // the browser asks "send again?", and the shopper says yes
				return false
			}
			switch b.kind() {
			case methodPage:
				b.runFrames(true)
				b.again()
			case waitPage:
				b.again()
			case bankPage:
				b.rest(visit{})
			}
			return b.kind() == resultPage
		})
		b.goTo(post)
		b.sees(resultPage, saysPaid)
		if !seen[methodPage] || !seen[bankPage] {
			t.Errorf("the post was reloaded at %v only", seen)
		}
		w.onceOnly(t, made)
	})
}

func backAfterSuccessAndPayAgain(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, operators, func(a abilities) string { return a.account }, func(t *testing.T, a abilities) {
		b, made := w.visits(t, a.account, map[string]any{"currency": a.currency})
		page := b.document
		b.pay(challenged, "123")
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		b.document = page // as the browser kept it
		b.pay(noThreeDS, "123")
		b.sees(resultPage, saysPaid)
		if to := b.doc.Find("#continue").AttrOr("href", ""); !strings.Contains(to, "session="+made.ID) {
			t.Errorf("no way back to the shop: %q", to)
		}
		w.onceOnly(t, made)
	})
}

func aChallengeIsPostedByItselfOnceOnly(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	b.pay(onBankPage, "123")
	for b.kind() == methodPage || b.kind() == waitPage {
		b.runFrames(true)
		b.again()
	}
	b.sees(bankPage, "Continue to your bank")
	const auto = "HTMLFormElement.prototype.submit"
	if !strings.Contains(b.body, auto) {
		t.Error("the first page to the bank does not go on by itself")
	}
	for range 3 {
		b.open(made.URL)
		b.sees(bankPage, "Continue to your bank")
		if strings.Contains(b.body, auto) {
			t.Error("a page that is only looked at again posts to the bank")
		}
	}
	b.rest(visit{bank: []string{"1234"}})
	b.sees(resultPage, saysPaid)
}

func whatIsWrongIsSaidBesideTheField(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	for _, c := range []struct{ field, value, says string }{
		{"number", "", "Enter the card number"},
		{"number", "4000 0199 0005 0009", "Check the card number"},
		{"number", "4000", "Check the card number"},
		{"number", "no digits", "Check the card number"},
		{"expiry", "", "Enter the month and year printed on the card"},
		{"expiry", "13/30", "Enter the month and year like this"},
		{"expiry", "01/20", "This date is past"},
		{"cvc", "", "Enter the CVC"},
		{"cvc", "12", "The code has 3 digits"},
		{"name", "", "Enter the name"},
		{"name", "<script>alert(1)</script>", "Write the name in Latin letters"},
	} {
		t.Run(c.field+" "+c.value, func(t *testing.T) {
			r := b.fill(noThreeDS, "123")
			r.form.Set("expiry", "11/31")
			r.form.Set("name", "AIGERIM SERIK")
			r.form.Set(c.field, c.value)
			b.expect(r, http.StatusUnprocessableEntity)
			field := b.doc.Find("#" + c.field)
			if text := b.doc.Find("#" + c.field + "-error").Text(); !strings.Contains(text, c.says) {
				t.Errorf("beside the field stands %q, want %q", text, c.says)
			}
			if field.AttrOr("aria-invalid", "") != "true" || b.doc.Find("#errors a[href='#"+c.field+"']").Length() != 1 {
				t.Error("the field is not marked, or not in the list of faults")
			}
			if n := b.doc.Find("[aria-invalid]").Length(); n != 1 {
				t.Errorf("%d fields are marked", n)
			}
			for name, want := range map[string]string{"expiry": "11/31", "name": "AIGERIM SERIK", "number": "", "cvc": ""} {
				if name == c.field && want != "" {
					want = strings.TrimSpace(c.value)
				}
				if got := b.doc.Find("#"+name).AttrOr("value", ""); got != want {
					t.Errorf("%s keeps %q, want %q", name, got, want)
				}
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		r := b.fill(noThreeDS, "123")
		for _, name := range []string{"number", "expiry", "cvc", "name"} {
			r.form.Del(name)
		}
		b.expect(r, http.StatusUnprocessableEntity)
		if n := b.doc.Find("#errors li").Length(); n != 4 {
			t.Errorf("%d faults are listed, want 4", n)
		}
	})
	if s := w.session(t, made.ID); len(s.Attempts) != 0 || s.Status != "open" {
		t.Errorf("forms that were refused made %d attempts; the session is %s", len(s.Attempts), s.Status)
	}
	b.pay(noThreeDS, "123")
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
	w.onceOnly(t, made)
}

func fieldsThatTheShopperInventsAreIgnored(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		victim := w.create(t, account, nil)
		b, made := w.visits(t, account, nil)
		r := b.fill(challenged, "123")
		for name, value := range map[string]string{"amount": "1", "currency": "USD", "session": victim.ID, "order_id": victim.OrderID, "account": "rbs-own", "attempt": "7",
			"reference": victim.OrderID + "-1", "status": "paid", "MD": "x", "cres": "e30", "browserColorDepth": "9999", "browserTZ": "<script>", "browserLanguage": strings.Repeat("x", 4000)} {
			r.form.Set(name, value)
		}
		r.to += "?amount=1&session=" + victim.ID + "&number=4000019900050107"
		b.goTo(r)
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		w.onceOnly(t, made)
		if s := w.session(t, victim.ID); len(s.Attempts) != 0 || len(w.ledger(t, victim.OrderID)) != 0 {
			t.Error("the other session was touched")
		}
	})
}

func aPostThatAnotherSiteMadeIsRefusedCalmly(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	forged := b.fill(noThreeDS, "123")
	elsewhere, err := url.Parse(w.Sandbox + "/evil")
	if err != nil {
		t.Fatal(err)
	}
	forged.from = elsewhere // so no cookie goes with it
	for name, change := range map[string]func(url.Values){
		"with the page's token":  func(url.Values) {},
		"without a token":        func(v url.Values) { v.Del("csrf") },
		"with an invented token": func(v url.Values) { v.Set("csrf", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") },
	} {
		for _, modern := range []bool{true, false} {
			stranger := b.tab()
			stranger.modern = modern
			r := forged
			r.form = url.Values{}
			for k, v := range forged.form {
				r.form[k] = v
			}
			change(r.form)
			stranger.expect(r, http.StatusUnprocessableEntity)
			if !strings.Contains(stranger.words(), "Nothing was sent") {
				t.Errorf("%s: %s", name, stranger.words())
			}
			r.to = made.URL + "/cancel"
			stranger.expect(r, http.StatusUnprocessableEntity)
		}
	}
	// With its cookie and a token that is not the page's, from where the browser does not say.
	wrong := b.fill(noThreeDS, "123")
	wrong.from = nil
	wrong.form.Set("csrf", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	b.expect(wrong, http.StatusUnprocessableEntity)
	if s := w.session(t, made.ID); s.Status != "open" || len(s.Attempts) != 0 || len(w.ledger(t, made.OrderID)) != 0 {
		t.Errorf("the session is %s with %d attempts", s.Status, len(s.Attempts))
	}
	b.pay(noThreeDS, "123") // the refused page is a card form that works
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
}

// An old browser says its Origin only; one that does not even say that has the page's token, which is good for half an hour.
func aBrowserThatLosesOrKeepsNoCookiePays(t *testing.T) {
	w := sharedWorld(t)
	for name, lose := range map[string]func(b *walker, r *hop){
		"lost between page and post": func(*walker, *hop) {},
		"no Origin either":           func(_ *walker, r *hop) { r.silent = true },
		"Fetch Metadata":             func(b *walker, _ *hop) { b.modern = true },
	} {
		t.Run(name, func(t *testing.T) {
			b, made := w.visits(t, "rbs", nil)
			r := b.fill(challenged, "123")
			b.jar.mu.Lock()
			clear(b.jar.byHost)
			b.jar.mu.Unlock()
			lose(b, &r)
			b.goTo(r)
			b.rest(visit{})
			b.sees(resultPage, saysPaid)
			w.onceOnly(t, made)
		})
	}
}

func cancelEndsTheSessionForEveryTab(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "payneteasy", nil)
	other := b.tab()
	other.open(made.URL)
	late := other.fill(noThreeDS, "123")
	b.goTo(formOf(b.document, b.doc.Find("form.cancel"), ""))
	b.sees(resultPage, "Payment cancelled")
	if to := b.doc.Find("#continue").AttrOr("href", ""); to != w.Sandbox+"/shop/done?session="+made.ID {
		t.Errorf("the cancelled shopper is sent to %q", to)
	}
	other.goTo(late)
	other.sees(resultPage, "Payment cancelled")
	other.goTo(hop{method: http.MethodPost, to: made.URL + "/cancel", form: late.form, from: other.url})
	other.sees(resultPage, "Payment cancelled")
	if s := w.session(t, made.ID); s.Status != "cancelled" || len(s.Attempts) != 0 || len(w.ledger(t, made.OrderID)) != 0 {
		t.Errorf("the session is %s with %d attempts", s.Status, len(s.Attempts))
	}
	if types := w.history(t, made.ID); strings.Join(types, " ") != "session.created session.cancelled" {
		t.Errorf("events: %v", types)
	}
}

// At a gateway that closes nothing and needs no further call of ours.
func aPaymentThatTheBankMayStillTakeCannotBeCancelled(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "transactworld", nil)
	cancel := formOf(b.document, b.doc.Find("form.cancel"), "")
	b.pay(onBankPage, "123")
	for b.kind() == methodPage || b.kind() == waitPage {
		b.runFrames(true)
		b.again()
	}
	if code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, nil); code != http.StatusConflict {
		t.Errorf("the merchant's cancel is answered with %d", code)
	}
	b.goTo(cancel)
	b.sees(bankPage, "")
	b.rest(visit{bank: []string{"1234"}})
	b.sees(resultPage, saysPaid)
	w.onceOnly(t, made)
	if code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, nil); code != http.StatusConflict {
		t.Errorf("the cancel of a paid session is answered with %d", code)
	}
}

func aSessionExpiresByTheClockAndItsFormTakesNothingAnyMore(t *testing.T) {
	w := start(t)
	b, made := w.visits(t, "rbs", nil)
	late := b.fill(noThreeDS, "123")
	w.advance(t, 29*time.Minute)
	b.open(made.URL)
	b.sees(cardForm, saysPayByCard)
	w.advance(t, 2*time.Minute)
	b.open(made.URL)
	b.sees(resultPage, "The time to pay has run out")
	b.goTo(late)
	b.sees(resultPage, "The time to pay has run out")
	until(t, 10*time.Second, "the session is expired", func() bool { return w.session(t, made.ID).Status == "expired" })
	if len(w.session(t, made.ID).Attempts) != 0 || len(w.ledger(t, made.OrderID)) != 0 {
		t.Error("an expired session was tried")
	}
	w.create(t, "rbs", map[string]any{"order_id": made.OrderID}) // the order may be paid in a new session
}

func fiveDeclinesUseTheTriesUp(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		b, made := w.visits(t, account, nil)
		var form hop
		for n := 1; n <= 5; n++ {
			form = b.fill(withoutMoney, "123")
			b.goTo(form)
			b.rest(visit{})
			switch {
			case n == 4:
				b.sees(cardForm, "You have 1 try left")
			case n < 5:
				b.sees(cardForm, saysNoMoney)
			}
		}
		b.sees(resultPage, "There are no more tries")
		b.sees(resultPage, saysNoMoney)
		b.goTo(form)
		b.sees(resultPage, "There are no more tries")
		s := w.session(t, made.ID)
		if s.Status != "declined" || len(s.Attempts) != 5 {
			t.Fatalf("the session is %s after %d attempts", s.Status, len(s.Attempts))
		}
		entries := w.ledger(t, made.OrderID)
		if len(entries) != 5 || w.charges(t, made.OrderID) != 0 {
			t.Errorf("the ledger says %+v", entries)
		}
		for i, a := range s.Attempts {
			if want := made.OrderID + "-" + string(rune('1'+i)); a.Reference != want || a.State != "declined" {
				t.Errorf("attempt %d is %s %s", i+1, a.Reference, a.State)
			}
		}
	})
}

func aDeclineIsFollowedByAPaymentWithAnotherCard(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, bothGateways, itself, func(t *testing.T, account string) {
		b, made := w.visits(t, account, nil)
		b.pay(challengeLost, "123")
		b.rest(visit{})
		b.sees(cardForm, saysNotYou)
		b.pay(challenged, "123")
		b.rest(visit{})
		b.sees(resultPage, saysPaid)
		if s := w.session(t, made.ID); s.Status != "paid" || len(s.Attempts) != 2 || s.Attempts[0].State != "declined" || s.Attempts[1].State != "paid" || w.charges(t, made.OrderID) != 1 {
			t.Errorf("%+v, %d charges", s, w.charges(t, made.OrderID))
		}
	})
}

func theLanguageThatTheShopperChoosesStays(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	lang := func(want string) {
		t.Helper()
		if got := b.doc.Find("html").AttrOr("lang", ""); got != want {
			t.Errorf("the page is in %q, want %q", got, want)
		}
	}
	lang("en")
	link := b.doc.Find("a[hreflang=ru]").AttrOr("href", "")
	b.open(w.Front + link)
	lang("ru")
	if b.url.RawQuery != "" || b.url.String() != made.URL {
		t.Errorf("the payment's address became %s", b.url)
	}
	b.open(made.URL + "?lang=xx")
	lang("ru")
	b.pay(withoutMoney, "123")
	b.rest(visit{})
	lang("ru")
	b.open(made.URL + "?lang=kk")
	lang("kk")
	b.open(made.URL + "?lang=en")
	lang("en")
	stranger := newWalker(t, w)
	stranger.open(w.create(t, "rbs", map[string]any{"locale": "kk"}).URL)
	if got := stranger.doc.Find("html").AttrOr("lang", ""); got != "kk" {
		t.Errorf("the shop asked for Kazakh; the page is in %q", got)
	}
}

func anUnknownPaymentIsACalmPage(t *testing.T) {
	w := sharedWorld(t)
	b := newWalker(t, w)
	for _, path := range []string{"/pay/cs_unknown", "/pay/cs_unknown?lang=ru", "/pay/cs_unknown/frame/1/0", "/pay/cs_unknown/page/1", "/pay/..%2f..%2fetc", "/nothing", "/pay/" + strings.Repeat("x", 5000)} {
		b.expect(hop{method: http.MethodGet, to: w.Front + path}, http.StatusNotFound)
		if b.doc.Find("h1").Length() != 1 || b.doc.Find("form").Length() != 0 {
			t.Errorf("%.40s: %s", path, b.words())
		}
	}
	b.expect(hop{method: http.MethodPost, to: w.Front + "/pay/cs_unknown/card", form: url.Values{"number": {noThreeDS}}}, http.StatusNotFound)
}

func otherMethodsChangeNothing(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	b.pay(onBankPage, "123")
	for b.kind() == methodPage || b.kind() == waitPage {
		b.runFrames(true)
		b.again()
	}
	before := w.snapshot(t, made.ID)
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		for _, path := range []string{"/pay/" + made.ID, "/pay/" + made.ID + "/card", "/pay/" + made.ID + "/cancel", "/pay/" + made.ID + "/events", "/v1/sessions/" + made.ID, "/callbacks/rbs", "/healthz", "/"} {
			req, err := http.NewRequest(method, w.Front+path, strings.NewReader("number="+noThreeDS))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode >= 500 {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
		}
	}
	if after := w.snapshot(t, made.ID); after != before {
		t.Errorf("the session changed:\n%s\n%s", before, after)
	}
	b.rest(visit{bank: []string{"1234"}})
	b.sees(resultPage, saysPaid)
}

func anOrderIsNotPaidInTwoSessions(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "rbs", nil)
	refused := func(when string) {
		t.Helper()
		body := map[string]any{"account": "rbs", "amount": made.Amount, "currency": "KZT", "order_id": made.OrderID, "success_url": w.Sandbox + "/shop/done", "cancel_url": w.Sandbox + "/shop/done"}
		var problem struct {
			Type, Session string
		}
		code := w.api(t, "POST", "/v1/sessions", body, &problem)
		if code != http.StatusConflict || problem.Type != "urn:tollgate:problem:order-in-use" || problem.Session != made.ID {
			t.Errorf("%s: %d %+v", when, code, problem)
		}
	}
	refused("open")
	b.pay(withoutMoney, "123")
	b.rest(visit{})
	refused("declined once")
	b.pay(noThreeDS, "123")
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
	refused("paid")

	b, made = w.visits(t, "rbs", nil)
	b.pay(withoutMoney, "123")
	b.rest(visit{})
	b.goTo(formOf(b.document, b.doc.Find("form.cancel"), ""))
	b.sees(resultPage, "Payment cancelled")
	b, next := w.visits(t, "rbs", map[string]any{"order_id": made.OrderID})
	b.pay(noThreeDS, "123")
	b.rest(visit{})
	b.sees(resultPage, saysPaid)
	if a := w.session(t, next.ID).Attempts; len(a) != 1 || a[0].Reference != made.OrderID+"-2" {
		t.Errorf("the second session's attempts: %+v", a)
	}
	if n := w.charges(t, made.OrderID); n != 1 {
		t.Errorf("%d charges", n)
	}
}

func lookingAtAPageCostsNoGatewayCall(t *testing.T) {
	w := sharedWorld(t)
	b, made := w.visits(t, "payneteasy", nil)
	b.pay(onBankPage, "123")
	for b.kind() == methodPage || b.kind() == waitPage {
		b.runFrames(true)
		b.again()
	}
	reference := w.session(t, made.ID).Attempts[0].Reference
	before := len(w.calls(t, reference))
	for range 100 {
		b.open(made.URL)
	}
	if n := len(w.calls(t, reference)) - before; n > 1 { // the schedule's own inquiry may fall into this moment
		t.Errorf("100 looks at the page cost %d gateway calls", n)
	}
	b.rest(visit{bank: []string{"fail"}})
	b.sees(cardForm, saysNotYou)
}

// An inquiry that contradicts our payment is not applied, and the shopper cannot pay again.
func whatTheGatewaySaysOfAnotherPaymentIsHeldNotPaid(t *testing.T) {
	type lie struct {
		account, call string
		set           map[string]string
		status        string // of the session, while it lasts
	}
	rbs, payneteasy := "getOrderStatusExtended.do", "status"
	for name, l := range map[string]lie{
		"rbs amount":             {"rbs", rbs, map[string]string{"amount": "1"}, "held"},
		"rbs currency":           {"rbs", rbs, map[string]string{"currency": "840"}, "held"},
		"rbs order":              {"rbs", rbs, map[string]string{"orderNumber": "somebody-else-1"}, "held"},
		"rbs captured":           {"rbs", rbs, map[string]string{"paymentAmountInfo.depositedAmount": "1", "paymentAmountInfo.approvedAmount": "1"}, "held"},
		"rbs unknown status":     {"rbs", rbs, map[string]string{"orderStatus": "99"}, "unknown"},
		"payneteasy amount":      {"payneteasy", payneteasy, map[string]string{"amount": "1.00"}, "held"},
		"payneteasy currency":    {"payneteasy", payneteasy, map[string]string{"currency": "USD"}, "held"},
		"payneteasy order":       {"payneteasy", payneteasy, map[string]string{"merchant-order-id": "somebody-else-1"}, ""},
		"payneteasy new status":  {"payneteasy", payneteasy, map[string]string{"status": "wonderful"}, "unknown"},
		"payneteasy new type":    {"payneteasy", payneteasy, map[string]string{"transaction-type": "gift"}, "unknown"},
		"payneteasy two decimal": {"payneteasy", payneteasy, map[string]string{"amount": "12345.001"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.fault(t, map[string]any{"gateway": l.account, "call": l.call, "do": "set", "set": l.set, "times": -1})
			b, made := w.visits(t, l.account, nil)
			b.pay(noThreeDS, "123")
			settled := func() bool {
				b.open(made.URL)
				s := w.session(t, made.ID)
				return b.kind() == waitPage && (l.status == "" || s.Attempts[0].State == l.status)
			}
			until(t, 10*time.Second, "the attempt is "+l.status, settled)
			w.advance(t, 10*time.Minute)
			until(t, 10*time.Second, "the attempt is still "+l.status, settled)
			if s := w.session(t, made.ID); s.Status != "processing" || s.Payment != nil || l.status != "" && s.OutcomeKnown {
				t.Errorf("the session is %s (outcome known: %v)", s.Status, s.OutcomeKnown)
			}
			if l.status != "" {
				b.sees(waitPage, "You will not be charged twice")
			}
			b.goTo(hop{method: http.MethodPost, to: made.URL + "/card", form: url.Values{"number": {noThreeDS}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}}, from: b.url})
			w.sandbox(t, "DELETE", "/faults", nil, nil)
			b.look(made.URL, "the truth", func() bool {
				w.advance(t, 10*time.Minute) // again and again: an inquiry that is out still brings the lie
				return b.kind() == resultPage
			})
			b.open(made.URL)
			b.sees(resultPage, saysPaid)
			w.onceOnly(t, made)
		})
	}
}

// An approval that comes after the session has ended is never silent.
func aLateApprovalIsReportedAsPaidLate(t *testing.T) {
	for name, c := range map[string]struct {
		account   string
		charge    map[string]any
		denial    map[string]any
		expire    bool
		nextState string
	}{
		"rbs, cancelled": {account: "rbs",
			charge: map[string]any{"gateway": "rbs", "call": "paymentorder.do", "do": "close", "when": "after"},
			denial: map[string]any{"gateway": "rbs", "call": "getOrderStatusExtended.do", "do": "set", "times": -1, "set": map[string]string{"orderStatus": "6", "actionCode": "-2007", "paymentAmountInfo": ""}}},
		"payneteasy, cancelled": {account: "payneteasy",
			charge: map[string]any{"gateway": "payneteasy", "call": "sale", "do": "close", "when": "after"},
			denial: map[string]any{"gateway": "payneteasy", "call": "status", "do": "body", "times": -1, "content_type": "text/html", "body": "type=validation-error\n&serial-number=1\n&error-code=4\n&error-message=Order+is+not+found\n"}},
		"payneteasy, expired": {account: "payneteasy", expire: true,
			charge: map[string]any{"gateway": "payneteasy", "call": "sale", "do": "close", "when": "after"},
			denial: map[string]any{"gateway": "payneteasy", "call": "status", "do": "body", "times": -1, "content_type": "text/html", "body": "type=validation-error\n&serial-number=1\n&error-code=4\n&error-message=Order+is+not+found\n"}},
		"transactworld, cancelled": {account: "transactworld",
			charge: map[string]any{"gateway": "transactworld", "call": "payments", "do": "close", "when": "after"},
			denial: map[string]any{"gateway": "transactworld", "call": "inquiry", "do": "body", "times": -1, "content_type": "application/json", "body": `{"result":{"code":"10009","description":"Record not found"}}`}},
		"cashier, cancelled": {account: "cashier",
			charge: map[string]any{"gateway": "cashier", "call": "authorize", "do": "close", "when": "after"},
			denial: map[string]any{"gateway": "cashier", "call": "read", "do": "set", "times": -1, "set": map[string]string{"order.status": "EXPIRED"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.fault(t, map[string]any{"gateway": c.account, "call": "callback", "do": "drop", "times": -1})
			w.fault(t, c.charge)
			w.fault(t, c.denial)
			b, made := w.visits(t, c.account, map[string]any{"expires_in": 1800, "currency": operatorOf(c.account).currency})
			b.pay(noThreeDS, "123")
			until(t, 20*time.Second, "the attempt has failed", func() bool {
				w.advance(t, 20*time.Second)
				return w.session(t, made.ID).Attempts[0].State == "failed"
			})
			b.open(made.URL)
			b.sees(cardForm, saysNotCharged)
			want := "cancelled"
			if c.expire {
				want = "expired"
				w.advance(t, 31*time.Minute)
			} else if code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, nil); code != http.StatusOK {
				t.Fatalf("cancel: %d", code)
			}
			until(t, 10*time.Second, "the session is "+want, func() bool { return w.session(t, made.ID).Status == want })
			w.sandbox(t, "DELETE", "/faults", nil, nil)
			until(t, 10*time.Second, "the late approval is seen", func() bool {
				w.advance(t, 10*time.Minute)
				return w.session(t, made.ID).Attempts[0].PaidLate
			})
			s := w.session(t, made.ID)
			if s.Attempts[0].State != "paid" || s.Status != want || s.Payment == nil || s.Payment.Captured != made.Amount {
				t.Errorf("%+v", s)
			}
			b.open(made.URL)
			b.sees(resultPage, "This payment is closed")
			if strings.Contains(b.words(), "not charged") || b.doc.Find("#receipt").Length() != 1 {
				t.Errorf("of money that was taken late the page says: %s", b.words())
			}
			types := w.history(t, made.ID)
			if types[len(types)-1] != "payment.paid_late" || w.charges(t, made.OrderID) != 1 {
				t.Errorf("events %v, %d charges", types, w.charges(t, made.OrderID))
			}
		})
	}
}

// People type into the wrong field; what looks like a card number is shown to nobody, not even back to them.
func TestANumberTypedIntoAnotherFieldIsNotShownAgain(t *testing.T) {
	const typed = "4000019900020001"
	b, _ := sharedWorld(t).visits(t, "rbs", nil)
	r := b.fill("4000019900050008", "123")
	r.form.Set("name", typed)
	r.form.Set("expiry", typed)
	b.expect(r, http.StatusUnprocessableEntity)
	if strings.Contains(b.body, typed[:10]) {
		t.Error("the page shows what was typed")
	}
	for _, field := range []string{"name", "expiry"} {
		if v := b.doc.Find("input[name="+field+"]").AttrOr("value", ""); v != "" {
			t.Errorf("%s keeps %q", field, v)
		}
	}
}
