package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/pgtest"
)

// leaveCase is one cell of the table gateway and step, in the real program.
type leaveCase struct {
	name, account, card string
	session             map[string]any
	outlives            bool           // neither proof is to be had: the page says until when
	method              bool           // at the 3DS Method, whose page goes on by itself within ten seconds: the merchant cancels
	saved               bool           // with a card that an earlier payment saved
	fault               map[string]any // of the gateway, in a world of its own
}

// world is the world of a cell: shared, but where the gateway is made to answer otherwise.
func (c leaveCase) world(t *testing.T, shared *world) *world {
	t.Helper()
	if c.fault == nil {
		return shared
	}
	w := start(t)
	w.fault(t, c.fault)
	return w
}

func leaveCases() []leaveCase {
	rub := map[string]any{"currency": "RUB"}
	qr := map[string]any{"currency": "RUB", "payment_method": "qr"}
	sberPay := map[string]any{"currency": "RUB", "payment_method": "sberpay", "customer": map[string]any{"phone": "+79171234567"}}
	const challenge, paReq, html, silent = "4000019900020720", "4000019900040702", "4000019900070006", "4000019900022007"
	withoutHTML := map[string]any{"gateway": "payneteasy", "call": "*", "times": -1, "do": "set", "set": map[string]string{"html": ""}}
	return []leaveCase{
		{name: "RBS, challenge with our finish URL", account: "rbs", card: challenge},
		{name: "RBS, challenge that the gateway finishes", account: "rbs-gateway", card: challenge},
		{name: "RBS, PaReq with the gateway's TermUrl", account: "rbs", card: paReq},
		{name: "RBS, PaReq with our TermUrl", account: "rbs-own", card: paReq},
		{name: "RBS, acsRedirect", account: "rbs-redirect", card: paReq},
		{name: "Sber, PaReq and info", account: "sber", card: challenge},
		{name: "PaynetEasy, PaReqForm", account: "payneteasy", card: paReq},
		{name: "PaynetEasy, CReqForm", account: "payneteasy", card: challenge, outlives: true},
		{name: "PaynetEasy, html", account: "payneteasy", card: html, outlives: true},
		{name: "Cashier, form", account: "cashier", card: challenge, session: rub, outlives: true},
		{name: "Cashier, QR", account: "cashier", session: qr, outlives: true},
		{name: "TransactWorld, redirect", account: "transactworld", card: challenge, outlives: true},
		{name: "TransactWorld, redirect by GET", account: "transactworld", card: html, outlives: true},
		{name: "RBS, Method", account: "rbs", card: silent, method: true},
		{name: "RBS, challenge of a saved card", account: "rbs", card: challenge, saved: true},
		{name: "RBS, form of an encrypted card", account: "rbs-sealed"},
		{name: "PaynetEasy, Method", account: "payneteasy", card: silent, method: true, outlives: true},
		{name: "PaynetEasy, Method that is withheld", account: "payneteasy-other", card: silent, method: true},
		{name: "PaynetEasy, CReqForm that is withheld", account: "payneteasy-other", card: challenge},
		{name: "PaynetEasy, redirect-to", account: "payneteasy", card: html, outlives: true, fault: withoutHTML},
		{name: "Cashier, SberPay", account: "cashier", session: sberPay, outlives: true},
	}
}

// shownCases are the cells whose page waits for the shopper.
func shownCases() []leaveCase {
	return slices.DeleteFunc(leaveCases(), func(c leaveCase) bool { return c.method })
}

// toTheBank goes on until the shopper or the bank is awaited, without going there.
func (b *walker) toTheBank() {
	b.t.Helper()
	until(b.t, 20*time.Second, "the way to the bank", func() bool {
		switch b.kind() {
		case methodPage:
			b.runFrames(true)
			b.again()
		case waitPage:
			if b.doc.Find("img.qr, a.button").Length() > 0 {
				return true
			}
			b.again()
		case bankPage:
			return true
		}
		return b.doc.Find("form#seal").Length() > 0
	})
	b.frames.Wait()
}

// begin brings a shopper to the step of a cell.
func (c leaveCase) begin(t *testing.T, w *world) (*walker, sessionView) {
	t.Helper()
	if c.saved {
		return c.beginSaved(t, w)
	}
	if c.card == "" {
		b, made := w.begins(t, c.account, c.session)
		b.goTo(formOf(b.document, b.doc.Find("main form").First(), ""))
		b.toTheBank()
		return b, made
	}
	b, made := w.visits(t, c.account, c.session)
	b.pay(c.card, "123")
	if c.method {
		until(t, 20*time.Second, "the Method", func() bool {
			if b.kind() == waitPage {
				b.again()
			}
			return b.kind() == methodPage
		})
		return b, made
	}
	b.toTheBank()
	return b, made
}

// beginSaved brings a shopper to the bank with the card that an earlier payment of theirs saved.
func (c leaveCase) beginSaved(t *testing.T, w *world) (*walker, sessionView) {
	t.Helper()
	customer := fmt.Sprintf("customer-%d", orders.Add(1))
	mine := map[string]any{"id": customer, "email": "shopper@example.com"}
	b, _ := w.visits(t, c.account, map[string]any{"customer": mine, "save_card": true})
	b.pay(c.card, "123")
	b.rest(visit{bank: []string{"1234"}})
	w.savedCard(t, customer)
	b, made := w.begins(t, c.account, map[string]any{"customer": mine, "payment_method": "saved_card"})
	b.press("form#saved", nil)
	b.press("input[name=card]", url.Values{"card": {w.savedCards(t, c.account, customer)[0].ID}, "cvc": {"123"}})
	b.toTheBank()
	return b, made
}

// press submits one of the forms of the way out.
func (b *walker) submits(form string) {
	b.t.Helper()
	found := b.doc.Find(form)
	if found.Length() != 1 {
		b.t.Fatalf("%d of %s: %s", found.Length(), form, b.words())
	}
	b.goTo(formOf(b.document, found, ""))
}

const (
	otherWay  = "#exit form#other"
	cancelWay = "#exit form[action$=cancel]"
)

// paySecond pays with a second card, from whatever the page offers after the first was left.
func (b *walker) paySecond(s sessionView) {
	b.t.Helper()
	if b.doc.Find("#seal-page").Length() > 0 { // without script the card is typed on the gateway's page
		b.press("#seal-page button", url.Values{"way": {"hosted"}})
		b.onGatewaysPage()
		b.rest(visit{})
		b.look(s.URL, "the result", func() bool { return b.kind() == resultPage })
		return
	}
	b.logIn()
	b.pay("4000019900050008", "123")
	b.rest(visit{})
}

// paidBySecond holds page, session and ledger against a payment whose second card paid.
func (b *walker) paidBySecond(s sessionView) {
	b.t.Helper()
	now := b.w.session(b.t, s.ID)
	if b.kind() != resultPage || now.Status != "paid" || len(now.Attempts) != 2 || b.w.charges(b.t, s.OrderID) != 1 {
		b.t.Errorf("%s: %s, %+v", b.kind(), now.Status, b.w.ledger(b.t, s.OrderID))
	}
}

// At every gateway and step the shopper can leave for another card, by the forms of the page and without script; the second
// card pays, and the first is charged by nobody, whatever the bank says late.
func TestLeavingTheBankForAnotherCard(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, shownCases(), func(c leaveCase) string { return c.name }, func(t *testing.T, c leaveCase) {
		w := c.world(t, w)
		b, made := c.begin(t, w)
		if c.outlives {
			c.staysUntil(t, b, made)
			return
		}
		late := *b.document // the page as the shopper's other tab still has it
		b.submits(otherWay)
		if b.kind() != cardForm && b.doc.Find("input[name=card], #seal-page").Length() == 0 || !strings.Contains(b.words(), saysNotCharged) {
			t.Fatalf("the shopper sees %s: %s", b.kind(), b.words())
		}
		b.paySecond(made)
		if b.kind() != resultPage || !strings.Contains(b.words(), saysPaid) {
			t.Fatalf("the shopper sees %s: %s", b.kind(), b.words())
		}
		other := b.tab() // the bank's answer of the first attempt comes now
		other.document = &late
		other.toBank()
		other.rest(visit{bank: []string{"1234"}})
		if s := w.session(t, made.ID); s.Status != "paid" || len(s.Attempts) != 2 || s.Attempts[0].State != "abandoned" {
			t.Errorf("%+v", s)
		}
		if n := w.charges(t, made.OrderID); n != 1 {
			t.Errorf("%d charges: %+v", n, w.ledger(t, made.OrderID))
		}
	})
}

func (c leaveCase) staysUntil(t *testing.T, b *walker, made sessionView) {
	t.Helper()
	if b.doc.Find("#exit form").Length() != 0 {
		t.Errorf("a way out that is none: %s", b.words())
	}
	to := b.doc.Find("#exit a#shop").AttrOr("href", "")
	if to != b.w.Sandbox+"/shop/done?session="+made.ID || !strings.Contains(b.words(), "the bank may still take it within the next 2") {
		t.Errorf("%q: %s", to, b.words())
	}
	var problem struct {
		Type  string
		Until time.Time
	}
	if code := b.w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, &problem); code != http.StatusConflict ||
		!strings.HasSuffix(problem.Type, "attempt-under-way") || problem.Until.Before(b.w.Clock.Now().Add(23*time.Hour)) {
		t.Errorf("cancel is answered %d %+v", code, problem)
	}
	if s := b.w.session(t, made.ID); len(s.Attempts) != 1 || s.Status != "action_required" {
		t.Errorf("%+v", s)
	}
}

func TestCancellingAtTheBankGoesBackToTheShop(t *testing.T) {
	w := sharedWorld(t)
	var leavable []leaveCase
	for _, c := range shownCases() {
		if !c.outlives {
			leavable = append(leavable, c)
		}
	}
	alongside(t, leavable, func(c leaveCase) string { return c.name }, func(t *testing.T, c leaveCase) {
		b, made := c.begin(t, w)
		late := *b.document
		b.submits(cancelWay)
		if b.kind() != resultPage || !strings.Contains(b.words(), "Payment cancelled") {
			t.Fatalf("the shopper sees %s: %s", b.kind(), b.words())
		}
		other := b.tab()
		other.document = &late
		other.toBank()
		other.rest(visit{bank: []string{"1234"}})
		if s := w.session(t, made.ID); s.Status != "cancelled" || s.Attempts[0].State != "abandoned" {
			t.Errorf("%+v", s)
		}
		if n := w.charges(t, made.OrderID); n != 0 {
			t.Errorf("%d charges", n)
		}
		if made = w.create(t, c.account, map[string]any{"order_id": made.OrderID}); made.Status != "open" {
			t.Error("the order id is not free")
		}
	})
}

// The merchant cancels while the shopper is at the bank.
func TestAMerchantCancelsAPaymentAtTheBank(t *testing.T) {
	w := sharedWorld(t)
	for _, c := range leaveCases()[:1] {
		_, made := c.begin(t, w)
		var s sessionView
		if code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, &s); code != http.StatusOK || s.Status != "cancelled" {
			t.Errorf("%d %+v", code, s)
		}
	}
}

// backThrice goes to the bank three times and back as often. An issuer that refuses a further challenge posts its refusal.
func (b *walker) backThrice(s sessionView, way string) {
	b.t.Helper()
	for range 3 {
		switch app := b.doc.Find("a.button").AttrOr("href", ""); {
		case b.doc.Find("form#seal").Length() > 0: // the card is typed here
		case b.kind() != bankPage:
			newWalker(b.t, b.w).open(app)
		default:
			b.toBank()
		}
		for b.kind() == "" && !b.ours(b.url) && b.doc.Find("input[name=otp]").Length() == 0 && b.doc.Find("form").Length() > 0 {
			b.goTo(b.copies(b.document, b.doc.Find("form")))
		}
		b.look(s.URL, "a way on", func() bool { return b.kind() == bankPage || b.doc.Find(way).Length() == 1 })
	}
}

// The shopper goes to the bank, back, and there again: an issuer that refuses the second challenge leaves no gateway's shopper
// without a way on. Another card pays once; a payment that cannot be left says until when it may be taken.
func TestAfterBackTwiceAtTheBankThereIsAWayOn(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, shownCases(), func(c leaveCase) string { return c.name }, func(t *testing.T, c leaveCase) {
		w := c.world(t, w)
		if c.card == "4000019900040702" { // of a bank that asks nobody
			c.card = "4000019900040728"
		}
		if c.name == "PaynetEasy, CReqForm that is withheld" {
			c.outlives = true // the issuer's refusal was uploaded, and no answer says that nothing came of it
		}
		b, made := c.begin(t, w)
		if c.outlives {
			b.backThrice(made, "#exit a#shop")
			c.staysUntil(t, b, made)
			return
		}
		b.backThrice(made, otherWay)
		b.submits(otherWay)
		if b.kind() != cardForm && b.doc.Find("input[name=card], #seal-page").Length() == 0 {
			t.Fatalf("%s: %s", b.kind(), b.words())
		}
		b.paySecond(made)
		b.paidBySecond(made)
	})
}

// A QR code that the gateway cancelled is no longer shown: the shopper may pay otherwise, or go.
func TestACancelledCodeIsShownNoMore(t *testing.T) {
	w := start(t)
	b, made := leaveCase{account: "cashier", session: map[string]any{"currency": "RUB", "payment_method": "qr"}}.begin(t, w)
	w.fault(t, map[string]any{"gateway": "cashier", "call": "*", "times": -1, "do": "set", "set": map[string]any{"order.status": "CANCELLED"}})
	w.advance(t, time.Minute)
	b.look(made.URL, "the code is gone", func() bool { return b.doc.Find("img.qr").Length() == 0 && strings.Contains(b.words(), saysNotCharged) })
	if s := w.session(t, made.ID); s.Status != "open" || s.Attempts[0].State != "abandoned" {
		t.Errorf("%+v", s)
	}
	if code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, nil); code != http.StatusOK {
		t.Errorf("cancel: %d", code)
	}
}

// The answer to a TransactWorld payment is lost, and with it the bank's address: nobody can be there, and the next card pays.
func TestAPaymentWhoseBankNobodyWasSentToIsLeftByItself(t *testing.T) {
	w := start(t)
	b, made := w.visits(t, "transactworld", nil)
	w.fault(t, map[string]any{"gateway": "transactworld", "call": "payments", "do": "close", "when": "after"})
	b.pay("4000019900020720", "123")
	b.look(made.URL, "the card form", func() bool { return b.kind() == cardForm })
	b.pay("4000019900050008", "123")
	b.rest(visit{})
	b.paidBySecond(made)
}

// Every cell that is outlived ends by itself once the gateway's own time is over. Before that no second card begins; then one pays.
func TestAPaymentThatCannotBeLeftIsOutlivedAndTheSecondCardPaysOnce(t *testing.T) {
	w := start(t)
	type visitOf struct {
		c    leaveCase
		b    *walker
		made sessionView
	}
	var all []visitOf
	for _, c := range shownCases() {
		if !c.outlives || c.fault != nil {
			continue
		}
		fields := map[string]any{"expires_in": 86400}
		for name, v := range c.session {
			fields[name] = v
		}
		c.session = fields
		b, made := c.begin(t, w)
		b.backThrice(made, "#exit a#shop")
		all = append(all, visitOf{c, b, made})
	}
	ended := map[string]bool{}
	for minutes := 0; len(ended) < len(all) && minutes < 26*60; minutes += 5 {
		for _, v := range all {
			s := w.session(t, v.made.ID)
			if len(s.Attempts) != 1 {
				t.Fatalf("%s: %d attempts", v.c.name, len(s.Attempts))
			}
			if ended[v.c.name] = slices.Contains([]string{"declined", "failed", "abandoned"}, s.Attempts[0].State); ended[v.c.name] {
				continue
			}
			delete(ended, v.c.name)
			if code := w.api(t, "POST", "/v1/sessions/"+v.made.ID+"/cancel", nil, nil); minutes%60 == 0 && code != http.StatusConflict {
				t.Errorf("%s: cancel is answered %d after %d min, %+v", v.c.name, code, minutes, s.Attempts[0])
			}
		}
		w.advance(t, 5*time.Minute)
	}
	for _, v := range all {
		if !ended[v.c.name] {
			t.Errorf("%s: no end: %+v", v.c.name, w.session(t, v.made.ID).Attempts)
			continue
		}
		b := newWalker(t, w)
		b.order, b.id = v.made.OrderID, v.made.ID
		b.open(v.made.URL)
		if b.kind() != cardForm { // of a session for a code
			continue
		}
		b.pay("4000019900050008", "123")
		b.rest(visit{})
		b.paidBySecond(v.made)
	}
}

// The program is killed before and after a withholding is stored, on both engines: it is whole or not at all, and the call that was
// withheld is never sent, whatever the bank's late answer says.
func TestAWithheldCallIsNeverSentThoughTheProgramIsKilledAroundIt(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := ""
			if engine == "PostgreSQL" {
				database = pgtest.Start(t)
			}
			w, f := startFront(t, database)
			for _, place := range []string{"leave.asked", "leave.stored"} {
				b, made := leaveCase{account: "payneteasy", card: "4000019900040702"}.begin(t, w)
				late := *b.document
				before := f.died()
				f.dieAt(place, 1)
				cancel := func() (code int) {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Front+"/v1/sessions/"+made.ID+"/cancel", nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Authorization", "Bearer "+app.DemoKey)
					if res, err := http.DefaultClient.Do(r); err == nil {
						code = res.StatusCode
						_ = res.Body.Close()
					}
					return code
				}
				if code := cancel(); code != 0 {
					t.Fatalf("%s: answered %d by a process that was to die", place, code)
				}
				until(t, 20*time.Second, "the killed front runs again", func() bool { return f.died() > before })
				s := w.session(t, made.ID)
				if left := s.Attempts[0].State == "abandoned"; left != (place == "leave.stored") || left != (s.Status == "cancelled") {
					t.Errorf("%s: %s, %+v", place, s.Status, s.Attempts[0])
				}
				if code := cancel(); code != http.StatusOK {
					t.Errorf("%s: cancelled again: %d", place, code)
				}
				other := b.tab()
				other.document = &late
				other.toBank()
				other.rest(visit{bank: []string{"1234"}})
				f.move(w, time.Hour)
				if s := w.session(t, made.ID); s.Status != "cancelled" || s.Attempts[0].State == "paid" {
					t.Errorf("%s: %s, %+v", place, s.Status, s.Attempts[0])
				}
				for _, call := range w.calls(t, made.OrderID+"-1") {
					if strings.Contains(call.Call, "upload") {
						t.Errorf("%s: the withheld call was sent", place)
					}
				}
				if n := w.charges(t, made.OrderID); n != 0 {
					t.Errorf("%s: %d charges", place, n)
				}
			}
		})
	}
}

// The table of exits is what the program does: at each of its steps the page has the way out that the table says, and an order that
// can be closed is closed. At the Method, whose page goes on by itself, the merchant's cancel is answered as the table says.
func TestTheTableOfExitsIsWhatThePagesOffer(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/gateways/README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, line := range strings.Split(string(raw), "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) == 3 && strings.Contains(cells[2], "outlives") || len(cells) == 3 && strings.Contains(cells[2], "withholds") ||
			len(cells) == 3 && strings.HasPrefix(cells[2], "closes") {
			table[strings.TrimPrefix(cells[0], "| ")+": "+cells[1]] = strings.TrimSuffix(cells[2], " |")
		}
	}
	stops := map[string]string{
		"RBS, challenge with our finish URL":       "rbs: challenge, our finish URL (`three_ds2 = finish`)",
		"RBS, challenge that the gateway finishes": "rbs: challenge, the gateway finishes (`three_ds2 = gateway`)",
		"RBS, PaReq with the gateway's TermUrl":    "rbs: PaReq, the gateway's TermUrl (`three_ds1 = gateway`)",
		"RBS, PaReq with our TermUrl":              "rbs: PaReq, our TermUrl (`three_ds1 = own`)",
		"RBS, acsRedirect":                         "rbs: acsRedirect.do (`three_ds1 = redirect`)",
		"Sber, PaReq and info":                     "sber: PaReq and info, before `payment/finish` or `transfer/finish`",
		"PaynetEasy, PaReqForm":                    "payneteasy: PaReqForm",
		"PaynetEasy, CReqForm":                     "payneteasy: CReqForm",
		"PaynetEasy, html":                         "payneteasy: html",
		"Cashier, form":                            "cashier: form for 3-D Secure (PRE_AUTHORIZED_3DS)",
		"Cashier, QR":                              "cashier: QR code",
		"TransactWorld, redirect":                  "transactworld: redirect by POST",
		"RBS, own page":                            "rbs: the gateway's own page",
		"PaynetEasy, own page":                     "payneteasy: the gateway's own page",
		"Cashier, own page":                        "cashier: hosted form",
		"TransactWorld, own page":                  "transactworld: checkout page",
		"TransactWorld, redirect by GET":           "transactworld: redirect by GET",
		"RBS, Method":                              "rbs: 3DS Method, before `3ds/continue.do`",
		"RBS, challenge of a saved card":           "rbs: challenge of a saved card",
		"RBS, form of an encrypted card":           "rbs: card form of an order (`se_token`)",
		"PaynetEasy, Method":                       "payneteasy: MethodUrlFrame",
		"PaynetEasy, Method that is withheld":      "payneteasy: MethodUrlFrame (`withhold_uploads = true`)",
		"PaynetEasy, CReqForm that is withheld":    "payneteasy: CReqForm (`withhold_uploads = true`)",
		"PaynetEasy, redirect-to":                  "payneteasy: redirect-to",
		"Cashier, SberPay":                         "cashier: SberPay",
	}
	hosted := func(currency string) map[string]any {
		return map[string]any{"payment_method": "hosted", "currency": currency}
	}
	cells := append(leaveCases(), leaveCase{name: "RBS, own page", account: "rbs", session: hosted("KZT")},
		leaveCase{name: "PaynetEasy, own page", account: "payneteasy", session: hosted("KZT")},
		leaveCase{name: "Cashier, own page", account: "cashier", session: hosted("RUB")},
		leaveCase{name: "TransactWorld, own page", account: "transactworld", session: hosted("EUR")})
	left := maps.Clone(table)
	for _, c := range cells {
		delete(left, stops[c.name])
	}
	if len(left) > 0 || len(table) < 25 {
		t.Errorf("of %d rows nobody looks at %v", len(table), left)
	}
	w := sharedWorld(t)
	alongside(t, cells, func(c leaveCase) string { return c.name }, func(t *testing.T, c leaveCase) {
		says := table[stops[c.name]]
		if says == "" {
			t.Fatalf("no row for %q", stops[c.name])
		}
		w := c.world(t, w)
		b, made := c.begin(t, w)
		if c.name == "PaynetEasy, redirect-to" && b.doc.Find("a#leave").AttrOr("href", "")[:len(w.Sandbox)] != w.Sandbox {
			t.Fatalf("the shopper is not redirected: %s", b.body)
		}
		if c.method {
			code := w.api(t, "POST", "/v1/sessions/"+made.ID+"/cancel", nil, nil)
			if left := code == http.StatusOK; left == (says == "outlives") {
				t.Fatalf("the table says %q, cancel is answered %d", says, code)
			}
		} else if leaves := b.doc.Find(otherWay).Length() == 1; leaves == (says == "outlives") {
			t.Fatalf("the table says %q, the page: %s", says, b.words())
		}
		if says == "outlives" {
			return
		}
		if !c.method {
			b.submits(otherWay)
		}
		closed := false
		until(t, 10*time.Second, "the look after leaving", func() bool {
			for _, call := range w.calls(t, made.OrderID+"-1") {
				closed = closed || strings.HasPrefix(call.Call, "decline")
			}
			return closed || !strings.Contains(says, "closes")
		})
		if closed != strings.Contains(says, "closes") {
			t.Errorf("the table says %q, closed: %t", says, closed)
		}
	})
}
