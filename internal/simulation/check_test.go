package simulation

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// entry is what a simulated gateway really did with one order.
type entry struct {
	Gateway, Reference, Currency           string
	Amount, Authorized, Captured, Refunded int64
	Charges                                int
}

// ledger is the truth about an order.
func (w *World) ledger(orderID string) (mine []entry, charges int) {
	var all []entry
	if err := w.observe(sandboxURL+"/ledger", &all); err != nil {
		w.violation("the simulation: %v", err)
	}
	for _, e := range all {
		if strings.HasPrefix(e.Reference, orderID+"-") {
			mine = append(mine, e)
			charges += e.Charges
		}
	}
	return mine, charges
}

// checkPage compares what a page claims with the ledger, at the moment it is read.
func (w *World) checkPage(s *shopper, p *page) {
	if p.url.Host != frontAddr || p.status != http.StatusOK {
		return
	}
	kind, text := p.kind(), p.text()
	unpaid := strings.Contains(text, "You were not charged") || kind == "card" && !strings.Contains(text, "page was open too long")
	paid := kind == "end" && strings.Contains(text, "The payment went through")
	if !unpaid && !paid {
		return
	}
	ledger, charges := w.ledger(s.orderID)
	switch {
	case unpaid && charges > 0:
		w.violation("%s reads %q, and the ledger says %+v", s.name, text[:min(len(text), 100)], ledger)
	case paid && charges == 0:
		w.violation("%s reads %q, and nothing was charged", s.name, text[:min(len(text), 100)])
	}
}

type sessionView struct {
	ID, Status   string
	OutcomeKnown bool `json:"outcome_known"`
	Amount       int64
	Payment      *paymentView
	Operations   []struct{ State string }
	Attempts     []attemptView
}

type attemptView struct {
	N                int
	State, Reference string
	PaidLate         bool `json:"paid_late"`
}

// check holds the end of a world against what must always be true.
func (w *World) check(all []*shopper) {
	for _, s := range all {
		if !s.end.reached() {
			w.violation("%s %s", s.name, s.end)
		}
		ledger, charges := w.ledger(s.orderID)
		if charges > 1 {
			w.violation("%s is CHARGED %d TIMES: %+v", s.orderID, charges, ledger)
		}
		if s.id == "" {
			if charges > 0 {
				w.violation("%s was charged without a session: %+v", s.orderID, ledger)
			}
			continue
		}
		var v sessionView
		if err := w.observe(frontURL+"/v1/sessions/"+s.id, &v); err != nil {
			w.violation("%s: %v; the ledger says %+v", s.orderID, err, ledger)
			continue
		}
		w.checkBooks(s, v, ledger, charges)
		w.checkEvents(s, v)
		if _, err := s.get(s.pay); err != nil { // who comes back later reads the truth too: see checkPage
			w.violation("%s cannot open the page again: %v", s.name, err)
		}
		s.browser.CloseIdleConnections()
	}
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
	if !v.OutcomeKnown {
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
	if paid != (charges > 0) && !late {
		w.violation("%s: the session is %s, with %d charges", s.orderID, v.Status, charges)
	}
}

type eventView struct {
	N    int
	Type string
}

// history is all of a session's events, page by page.
func (w *World) history(session string) (all []eventView, err error) {
	for {
		var page struct {
			Data    []eventView
			HasMore bool `json:"has_more"`
		}
		url := fmt.Sprintf("%s/v1/sessions/%s/events?limit=100&after=%d", frontURL, session, len(all))
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
		if w.Profile.Lose > 0 { // an id whose event was lost is used again
			continue
		}
		if known && body != d.body {
			w.violation("%s: webhook %s came with two bodies", s.orderID, d.id)
		}
		if !known && d.n != last+1 {
			w.violation("%s: the webhook of event %d came after that of %d", s.orderID, d.n, last)
		}
		last = max(last, d.n)
	}
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
	if started != len(v.Attempts) {
		w.violation("%s: %d payments started, %d attempts", s.orderID, started, len(v.Attempts))
	}
}
