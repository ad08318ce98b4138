package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// entry is what a simulated gateway really did with one order.
type entry struct {
	Gateway, Reference, Currency           string
	Amount, Authorized, Captured, Refunded int64
	Charges                                int
}

// ledger is the truth about an order; not ok while the gateways are down.
func (w *World) ledger(orderID string) (mine []entry, charges int, ok bool) {
	var all []entry
	if err := w.observe(sandboxURL+"/ledger", &all); err != nil {
		if !w.troubled() {
			w.violation("the simulation: %v", err)
		}
		return nil, 0, false
	}
	for _, e := range all {
		if e.Reference == orderID || strings.HasPrefix(e.Reference, orderID+"-") { // of an invoice the gateway numbers only later tries
			mine = append(mine, e)
			charges += e.Charges
			if w.Profile.ledgerLies && !w.troubled() {
				charges++
			}
		}
	}
	return mine, charges, true
}

// checkPage compares what a page claims with the ledger, at the moment it is read.
func (w *World) checkPage(s *shopper, p *page) {
	if p.url.Host != frontAddr || p.status != http.StatusOK {
		return
	}
	kind, text := p.kind(), p.text()
	if s.story == paidOut || s.story == billed {
		return
	}
	unpaid := strings.Contains(text, "You were not charged") ||
		kind == "card" && !strings.Contains(text, "page was open too long") && !w.Profile.forgetsAttempts() // what is forgotten whole shows no trace
	paid := kind == "end" && (strings.Contains(text, "The payment went through") || strings.Contains(text, "The transfer went through"))
	if !unpaid && !paid {
		return
	}
	ledger, charges, ok := w.ledger(s.orderID)
	switch {
	case !ok:
	case unpaid && charges > 0:
		w.violation("%s reads %q, and the ledger says %+v", s.name, text[:min(len(text), 100)], ledger)
	case paid && charges == 0:
		w.violation("%s reads %q, and nothing was charged", s.name, text[:min(len(text), 100)])
	}
}

type sessionView struct {
	ID, Status   string
	OutcomeKnown bool `json:"outcome_known"`
	NeedsReview  bool `json:"needs_review"`
	Amount       int64
	Payment      *paymentView
	Operations   []operationView
	Attempts     []attemptView
}

type operationView struct {
	Kind, State string
	Unconfirmed bool `json:"sums_unconfirmed"`
}

type attemptView struct {
	N                int
	State, Reference string
	PaidLate         bool `json:"paid_late"`
}

// check holds the end of a world against what must always be true.
func (w *World) check(all []*shopper) {
	for _, s := range all {
		if !s.end.reached() && !w.awaitsAPerson(s) {
			w.violation("%s %s", s.name, s.end)
		}
		w.tally.Payments++
		ledger, charges, _ := w.ledger(s.orderID)
		if charges > 1 {
			w.violation("%s is CHARGED %d TIMES: %+v", s.orderID, charges, ledger)
		}
		if s.id == "" {
			if charges > 0 {
				w.violation("%s was charged without a session: %+v", s.orderID, ledger)
			}
			continue
		}
		if strings.HasPrefix(s.id, "inv_") {
			w.checkBill(s, charges)
			continue
		}
		var v sessionView
		if err := w.observe(frontURL+"/v1/sessions/"+s.id, &v); err != nil {
			w.violation("%s: %v; the ledger says %+v", s.orderID, err, ledger)
			continue
		}
		if s.story == paidOut && s.pay == "" {
			w.checkPayout(s, v, ledger)
		} else {
			w.checkBooks(s, v, ledger, charges)
		}
		w.checkEvents(s, v)
		if s.pay == "" {
			continue
		}
		if _, err := s.get(s.pay); err != nil { // who comes back later reads the truth too: see checkPage
			w.violation("%s cannot open the page again: %v", s.name, err)
		}
		w.checkFree(s, v)
	}
	w.checkFeed()
	w.checkJobs()
	w.checkOther(all)
	for _, s := range all {
		s.browser.CloseIdleConnections()
	}
}

// awaitsAPerson tells whether a shopper finds no end because a person has to say whose money it is that only the number of a forgotten
// attempt proves to be this order's. Nobody does in a world.
func (w *World) awaitsAPerson(s *shopper) bool {
	var v sessionView
	if !w.Profile.forgetsAttempts() || s.id == "" || w.observe(frontURL+"/v1/sessions/"+s.id, &v) != nil {
		return false
	}
	held := slices.ContainsFunc(v.Attempts, func(a attemptView) bool { return a.State == "held" })
	if held && v.NeedsReview {
		w.reach("a shopper who waits for a person")
	}
	return held && v.NeedsReview
}

// checkJobs looks for work that fails over and over: what cannot succeed now is tried again by a schedule. Two hundred times are
// more than three hours, and longer than anything is down in a world.
func (w *World) checkJobs() {
	w.mu.Lock()
	logs := slices.Clone(w.logs)
	w.mu.Unlock()
	for _, line := range logs {
		if strings.Contains(line, `msg="job failed"`) && strings.Contains(line, " attempt=200 ") {
			w.violation("a job fails again and again: %s", line)
		}
	}
}

// peaceful tells that nothing goes wrong in a world but what people do: then who does what the pages ask pays.
func (w *World) peaceful() bool {
	p := w.Profile
	return p.Kills == 0 && p.NetRate == 0 && !p.Gateways && !p.Lies && p.Crashes == 0
}

// checkBooks compares the session with the ledger.
func (w *World) checkBooks(s *shopper, v sessionView, ledger []entry, charges int) {
	left := map[string]entry{}
	for _, e := range ledger {
		left[e.Reference] = e
	}
	asked := slices.ContainsFunc(v.Attempts, func(a attemptView) bool { return a.State == "held" && w.Profile.forgetsAttempts() })
	if asked { // money that only the number proves to be this order's
		w.reach("a person has to look")
		return
	}
	if !v.OutcomeKnown && !s.whoseRefund(v) {
		w.violation("%s: the outcome is not known at the end of every schedule: %+v", s.orderID, v)
	}
	late := false
	for _, a := range v.Attempts {
		e := left[a.Reference]
		delete(left, a.Reference)
		late = late || a.PaidLate
		w.reach("an attempt: " + a.State)
		switch a.State {
		case "paid", "authorized":
			if e.Charges != 1 || !s.hold && e.Captured != v.Amount {
				w.violation("%s: attempt %d is %s, and the ledger says %+v", s.orderID, a.N, a.State, e)
			}
			w.checkSums(s, v, e)
		case "declined", "failed", "abandoned":
			if e.Charges != 0 {
				w.violation("%s: attempt %d is %s, and the ledger says %+v", s.orderID, a.N, a.State, e)
			}
		default:
			w.violation("%s: attempt %d is still %s at the end of every schedule", s.orderID, a.N, a.State)
		}
	}
	for _, e := range left {
		if e.Charges > 0 {
			w.violation("%s: no attempt knows of %+v", s.orderID, e)
		}
	}
	w.reach("a session: " + v.Status)
	paid := slices.Contains([]string{"paid", "authorized", "partially_refunded", "refunded", "voided"}, v.Status)
	if paid {
		w.tally.Paid++
	}
	if s.honest && w.peaceful() && !paid && slices.ContainsFunc(s.cards[:s.typed], func(c string) bool { return slices.Contains(approved, c) }) {
		w.violation("%s did all that was asked with cards %s, and the session is %s", s.name, masked(s.cards[:s.typed]...), v.Status)
	}
	if paid != (charges > 0) && !late {
		w.violation("%s: the session is %s, with %d charges", s.orderID, v.Status, charges)
	}
}

type eventView struct {
	N    int
	Type string
	Data struct{ Attempt int }
}

// history is all of a session's events, page by page.
func (w *World) history(session string) (all []eventView, err error) {
	for {
		var page struct {
			Data    []eventView
			HasMore bool `json:"has_more"`
		}
		url := fmt.Sprintf("%s/v1/sessions/%s/events?after=%d", frontURL, session, len(all))
		if err := w.observe(url, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Data...); !page.HasMore {
			return all, nil
		}
	}
}

// checkEvents looks at the session's history, and whether the receiver has all of it.
func (w *World) checkEvents(s *shopper, v sessionView) {
	events, err := w.history(s.id)
	if err != nil {
		w.violation("%s: %v", s.orderID, err)
		return
	}
	w.receiver.mu.Lock()
	defer w.receiver.mu.Unlock()
	taken, bodies, last := map[int]bool{}, map[string]string{}, 0
	for _, d := range w.receiver.got[s.id] {
		body, known := bodies[d.id]
		bodies[d.id] = d.body
		taken[d.n] = taken[d.n] || d.taken
		if known && body != d.body {
			w.violation("%s: webhook %s came with two bodies", s.orderID, d.id)
		}
		if w.Profile.Lose > 0 { // the number of an event that was lost is given to another
			continue
		}
		if !known && d.n != last+1 {
			w.violation("%s: the webhook of event %d came after that of %d", s.orderID, d.n, last)
		}
		last = max(last, d.n)
	}
	w.checkKept(s, events)
	started := 0
	for i, e := range events {
		if e.N != i+1 {
			w.violation("%s: event %d has number %d", s.orderID, i+1, e.N)
		}
		if e.Type == "payment.started" {
			started++
		}
		if !taken[e.N] {
			w.violation("%s: the receiver has not taken event %d (%s)", s.orderID, e.N, e.Type)
		}
	}
	if started != len(v.Attempts) && s.story != paidOut && s.story != charged {
		w.violation("%s: %d payments started, %d attempts", s.orderID, started, len(v.Attempts))
	}
}

// checkKept sees that what was told as proved stays so, in worlds where nothing is later than the program waits for: no attempt that was
// declined or has failed is paid after all, and nothing of ours is taken for somebody else's.
func (w *World) checkKept(s *shopper, events []eventView) {
	if !w.Profile.Punctual {
		return
	}
	over := map[int]string{}
	for _, e := range events {
		switch kind, _, _ := strings.Cut(e.Type, "."); {
		case e.Type == "payment.declined", e.Type == "payment.failed":
			over[e.Data.Attempt] = e.Type
		case over[e.Data.Attempt] != "" && slices.Contains([]string{"payment.paid", "payment.authorized", "payment.paid_late"}, e.Type):
			w.violation("%s: %s after %s of attempt %d", s.orderID, e.Type, over[e.Data.Attempt], e.Data.Attempt)
		case strings.HasSuffix(e.Type, ".elsewhere") && !s.inCabinetDone:
			w.violation("%s: %s, and nobody else did a %s", s.orderID, e.Type, kind)
		}
	}
}

// checkFeed reads all events of the merchant, page by page: in order, one body for each id, and that of the webhook.
func (w *World) checkFeed() {
	last, seen := map[string]int{}, map[string]bool{}
	w.receiver.mu.Lock()
	bodies := map[string]string{}
	for _, all := range w.receiver.got {
		for _, d := range all {
			bodies[d.id] = d.body
		}
	}
	w.receiver.mu.Unlock()
	for after := ""; ; {
		var page struct {
			Data    []json.RawMessage
			HasMore bool `json:"has_more"`
			Next    string
		}
		if err := w.observe(frontURL+"/v1/events?limit=100&after="+after, &page); err != nil {
			w.violation("the events: %v", err)
			return
		}
		for _, raw := range page.Data {
			var e struct {
				ID, Type, Session string
				N                 int
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				w.violation("an event that is none: %v", err)
			}
			if seen[e.ID] {
				w.violation("event %s is listed twice", e.ID)
			}
			seen[e.ID] = true
			if e.Session != "" && e.N != last[e.Session]+1 {
				w.violation("event %s, %d of its session, is listed after %d", e.ID, e.N, last[e.Session])
			}
			last[e.Session] = e.N
			if body, told := bodies[e.ID]; told && !alike(body, string(raw)) {
				w.violation("event %s is %s to the API, and %s to the webhook", e.ID, raw, body)
			}
		}
		if after = page.Next; !page.HasMore {
			return
		}
	}
}

// alike compares JSON by its values.
func alike(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
