package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// leaveCase is one cell of the table gateway and step, in the real program.
type leaveCase struct {
	name, account, card string
	session             map[string]any
	outlives            bool // neither proof is to be had: the page says until when
}

func leaveCases() []leaveCase {
	rub := map[string]any{"currency": "RUB"}
	qr := map[string]any{"currency": "RUB", "payment_method": "qr"}
	const challenge, paReq, html = "4000019900020720", "4000019900040702", "4000019900070006"
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
	}
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
			if b.doc.Find("img.qr").Length() > 0 {
				return true
			}
			b.again()
		case bankPage:
			return true
		}
		return false
	})
	b.frames.Wait()
}

// begin brings a shopper to the step of a cell.
func (c leaveCase) begin(t *testing.T, w *world) (*walker, sessionView) {
	t.Helper()
	if c.card == "" {
		b, made := w.begins(t, c.account, c.session)
		b.goTo(formOf(b.document, b.doc.Find("main form").First(), ""))
		b.toTheBank()
		return b, made
	}
	b, made := w.visits(t, c.account, c.session)
	b.pay(c.card, "123")
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

// At every gateway and step the shopper can leave for another card, by the forms of the page and without script; the second
// card pays, and the first is charged by nobody, whatever the bank says late.
func TestLeavingTheBankForAnotherCard(t *testing.T) {
	w := sharedWorld(t)
	alongside(t, leaveCases(), func(c leaveCase) string { return c.name }, func(t *testing.T, c leaveCase) {
		b, made := c.begin(t, w)
		if c.outlives {
			c.staysUntil(t, b, made)
			return
		}
		late := *b.document // the page as the shopper's other tab still has it
		b.submits(otherWay)
		if b.kind() != cardForm && b.doc.Find("input[name=card]").Length() == 0 || !strings.Contains(b.words(), saysNotCharged) {
			t.Fatalf("the shopper sees %s: %s", b.kind(), b.words())
		}
		b.pay("4000019900050008", "123")
		b.rest(visit{})
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
	for _, c := range leaveCases() {
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
