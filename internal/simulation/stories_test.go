package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What is ordered beside payments by card, and what follows a payment: saved cards, charges, payouts, invoices, virtual cards.

// call is the shop's, with a body; see ask.
func (s *shopper) call(method, path, key string, body map[string]any, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	if body == nil {
		raw = nil
	}
	return s.ask(method, path, key, raw, answer)
}

type savedCard struct{ ID string }

// afterwards is what a payment that saved a card, or a login, makes possible.
func (s *shopper) afterwards() {
	if s.end != seesTheEnd || s.story != saving && s.story != withPlain {
		return
	}
	customer := s.customer()
	if s.account == "sber" {
		if customer = s.verified(); customer == "" {
			return
		}
	}
	if s.story == withPlain {
		s.virtualCard(customer)
		return
	}
	card := s.kept(customer)
	if card == "" {
		s.w.reach("a card that was not kept")
		return
	}
	s.w.reach("a card that was kept")
	time.Sleep(time.Duration(s.pick(int(4*time.Hour), "comes back in")))
	s.orders(bySaved, nil).follow()
	if s.account == "sber" {
		return
	}
	t := s.orders(charged, map[string]any{"saved_card": card})
	t.charge(card)
}

// follow is an order of somebody who has ordered before.
func (s *shopper) follow() {
	s.w.reach(string(s.story))
	s.buy()
}

// verified is how the gateway calls who has logged in.
func (s *shopper) verified() string {
	var page struct {
		Data []struct {
			Type string
			Data struct{ Customer string }
		}
	}
	if err := s.ask(http.MethodGet, "/v1/sessions/"+s.id+"/events", "", nil, &page); err != nil {
		return ""
	}
	for _, e := range page.Data {
		if e.Type == "session.customer_verified" {
			return e.Data.Customer
		}
	}
	return ""
}

// kept waits for the customer's card.
func (s *shopper) kept(customer string) string {
	for range 20 {
		var list struct{ Data []savedCard }
		if err := s.ask(http.MethodGet, "/v1/customers/"+customer+"/cards?account="+s.account, "", nil, &list); err == nil && len(list.Data) > 0 {
			return list.Data[0].ID
		}
		time.Sleep(30 * time.Second)
	}
	return ""
}

// charge is the shop's: nobody is there. Where the bank wants to see the customer, they come.
func (s *shopper) charge(card string) {
	s.w.reach(string(s.story))
	s.end = seesTheEnd
	var made struct{ ID, Status, URL string }
	err := s.call(http.MethodPost, "/v1/charges", s.orderID, map[string]any{
		"saved_card": card, "amount": price, "currency": currencies[s.account], "reference": s.orderID,
		"webhook_url": "http://" + receiverAddr + "/hook", "success_url": sandboxURL + "/shop/done?from=shop", "cancel_url": sandboxURL + "/shop/done",
	}, &made)
	s.w.tracef("%s's shop charges the saved card: %s %v", s.name, made.Status, err)
	if err != nil {
		s.lookFor()
		return
	}
	s.id = made.ID
	s.w.owns(made.ID, s.name)
	if made.Status == "action_required" && made.URL != "" {
		s.w.reach("a charge that wants the customer")
		s.pay = made.URL
		s.end = s.visit()
	}
}

// lookFor finds the session of a call that was not answered: it may have been made.
func (s *shopper) lookFor() {
	var list struct {
		Data []struct{ ID, OrderID string }
	}
	if err := s.ask(http.MethodGet, "/v1/sessions?order_id="+s.orderID, "", nil, &list); err == nil && len(list.Data) > 0 {
		s.id = list.Data[0].ID
		s.w.owns(s.id, s.name)
	}
}

// virtualCard is issued to a customer who has logged in, and money is sent to it.
func (s *shopper) virtualCard(customer string) {
	var made savedCard
	err := s.call(http.MethodPost, "/v1/virtual_cards", "virtual-"+s.name,
		map[string]any{"account": s.account, "customer": customer, "reference": "virtual." + s.name}, &made)
	s.w.tracef("%s's virtual card: %v", s.name, err)
	if err != nil {
		s.w.reach("a virtual card that is refused")
		return
	}
	s.w.reach("a virtual card that is issued")
	s.orders(transfer, map[string]any{"transfer": map[string]any{"saved_card": made.ID}}).follow()
}

// withoutSession is what begins without a page of ours.
func (s *shopper) withoutSession() {
	s.end = seesTheEnd
	switch s.story {
	case paidOut:
		if s.account == "transactworld" { // back to the card of a payment
			s.buy()
			if s.end == seesTheEnd {
				s.orders(paidOut, nil).payOut(map[string]any{"payment": s.id})
			}
			return
		}
		s.payOut(map[string]any{"card": map[string]any{"number": s.cards[0], "holder": "TEST SHOPPER"}})
	case billed:
		s.bill()
	case registered:
		s.register()
	}
}

// payOut sends money.
func (s *shopper) payOut(to map[string]any) {
	s.end = seesTheEnd
	s.w.reach(string(s.story) + " of " + s.account)
	s.w.typed(s.cards[0])
	var made struct{ ID, Status string }
	err := s.call(http.MethodPost, "/v1/payouts", s.orderID, map[string]any{
		"account": s.account, "amount": price / 10, "currency": currencies[s.account], "reference": s.orderID, "to": to,
		"webhook_url": "http://" + receiverAddr + "/hook",
	}, &made)
	s.w.tracef("%s's shop pays out: %s %v", s.name, made.Status, err)
	s.story = paidOut
	if err != nil {
		s.lookFor()
		return
	}
	s.id = made.ID
	s.w.owns(made.ID, s.name)
}

// bill has the gateway ask for the money on a page of its own.
func (s *shopper) bill() {
	var made struct{ ID, URL, Status string }
	for range 5 {
		err := s.call(http.MethodPost, "/v1/invoices", "", map[string]any{
			"account": s.account, "amount": price, "currency": currencies[s.account], "reference": s.orderID, "success_url": sandboxURL + "/shop/done",
			"customer": map[string]any{"email": "shopper@example.com"},
		}, &made)
		s.w.tracef("%s's invoice: %s %v", s.name, made.Status, err)
		if err == nil && made.URL != "" {
			break
		}
		time.Sleep(time.Minute)
	}
	s.id = made.ID
	if made.URL == "" || s.chance(0.3, "does not pay the bill") {
		return
	}
	for range 3 {
		at, err := s.get(made.URL)
		if err == nil {
			at, err = s.confirm(at, nil)
		}
		if err == nil && at != nil && strings.HasPrefix(at.url.Path, "/shop/") {
			s.w.reach("an invoice that is paid")
			return
		}
		time.Sleep(time.Minute)
	}
}

// register keeps a card without a payment, and charges it.
func (s *shopper) register() {
	s.w.typed(s.cards[0])
	var made savedCard
	err := s.call(http.MethodPost, "/v1/customers/"+s.customer()+"/cards", "register-"+s.name, map[string]any{
		"account": s.account, "reference": "card." + s.name, "email": "shopper@example.com",
		"card": map[string]any{"number": s.cards[0], "expiry": "12/30", "cvc": "123", "name": "TEST SHOPPER"},
	}, &made)
	s.w.tracef("%s's card is registered: %v", s.name, err)
	if err == nil && made.ID != "" {
		s.w.reach("a card is registered alone")
		s.orders(charged, nil).charge(made.ID)
	}
}

// checkBill compares an invoice with the ledger.
func (w *World) checkBill(s *shopper, charges int) {
	var v struct {
		Status      string
		NeedsReview bool `json:"needs_review"`
	}
	if err := w.observe(frontURL+"/v1/invoices/"+s.id, &v); err != nil {
		w.violation("%s: %v", s.orderID, err)
		return
	}
	w.reach("an invoice: " + v.Status)
	if (v.Status == "paid") != (charges == 1) || v.Status == "unknown" && !v.NeedsReview {
		w.violation("%s: the invoice is %s, with %d charges", s.orderID, v.Status, charges)
	}
}

// checkPayout compares a payout with the ledger: what goes out stands among what was captured, or given back.
func (w *World) checkPayout(s *shopper, v sessionView, ledger []entry) {
	moves := 0
	for _, e := range ledger {
		switch moved := e.Captured + e.Refunded; {
		case moved == v.Amount && e.Charges <= 1:
			moves++
		case moved != 0 || e.Charges != 0:
			w.violation("%s: the ledger says %+v", s.orderID, e)
		}
	}
	w.reach("a payout: " + v.Status)
	if v.Status == "paid" {
		w.tally.Paid++
	}
	if !v.OutcomeKnown || moves > 1 || (v.Status == "paid") != (moves == 1) {
		w.violation("%s: the payout is %s, outcome known: %v, and money went out %d times", s.orderID, v.Status, v.OutcomeKnown, moves)
	}
}

// secret is what must be nowhere.
func (w *World) checkSecrets() {
	look := func(where string, text []byte) {
		for number := range w.cards {
			if i := strings.Index(string(text), number); i >= 0 {
				w.violation("a card's number stands in %s: %.60q", where, text[max(0, i-20):])
			}
		}
	}
	for name, raw := range w.disk.everything() {
		look(name, raw)
	}
	for _, line := range w.logs {
		look("a log", []byte(line))
	}
	for _, line := range w.trace {
		look("the story", []byte(line))
	}
	for _, all := range w.receiver.got {
		for _, d := range all {
			look("a webhook", []byte(d.body))
		}
	}
}

// checkOther asks as another merchant for what is not theirs.
func (w *World) checkOther(orders []*shopper) {
	get := func(path string, answer any) int {
		status, err := askAs(w.observer, otherKey, http.MethodGet, frontURL+path, "", nil, answer)
		if err != nil {
			w.violation("another merchant asks for %s: %v", path, err)
		}
		return status
	}
	for _, path := range []string{"/v1/sessions?limit=10", "/v1/events?limit=10", "/v1/webhook_deliveries?limit=10", "/v1/invoices?limit=10"} {
		var page struct{ Data []json.RawMessage }
		if status := get(path, &page); status != http.StatusOK || len(page.Data) > 0 {
			w.violation("another merchant reads %s: %d %s", path, status, page.Data)
		}
	}
	for _, s := range orders {
		for _, path := range []string{"/v1/sessions/" + s.id, "/v1/sessions/" + s.id + "/events", "/v1/invoices/" + s.id} {
			if status := get(path, &struct{}{}); s.id != "" && status != http.StatusNotFound {
				w.violation("another merchant reads %s: %d", path, status)
			}
		}
	}
}

// checkFree orders again what was not paid: an order id is not lost to the shop. What was paid, or may be, is not sold twice.
func (w *World) checkFree(s *shopper, v sessionView) {
	body, err := json.Marshal(map[string]any{
		"account": s.account, "amount": price, "currency": currencies[s.account], "order_id": s.orderID, "expires_in": 600,
		"success_url": sandboxURL + "/shop/done", "cancel_url": sandboxURL + "/shop/done",
	})
	if err != nil {
		panic(err)
	}
	var made struct{ ID string }
	status, err := ask(w.observer, http.MethodPost, frontURL+"/v1/sessions", "again-"+s.name, body, &made)
	if err != nil {
		w.violation("%s: %v", s.orderID, err)
		return
	}
	want := http.StatusConflict
	switch v.Status {
	case "expired", "cancelled", "declined", "voided", "refunded":
		want = http.StatusCreated
	}
	if v.Status == "voided" || v.Status == "refunded" { // the contract leaves this to the state of the payment
		return
	}
	if status != want {
		w.violation("%s is %s; ordered again it is answered %d", s.orderID, v.Status, status)
	}
	w.reach(fmt.Sprintf("an order id that is used again: %d", status))
}
