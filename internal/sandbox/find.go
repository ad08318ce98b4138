package sandbox

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/ledger"
)

// finding is what the console is asked to show: words, a gateway, a state, and which page of each list.
type finding struct {
	Words, Gateway, State string
	orders, calls         int
}

// orderStates are the states that the console can be narrowed to, as they are written.
var orderStates = []string{"taken", "held", "refunded", "partly refunded", "nothing taken"}

// States are offered by the form.
func (finding) States() []string { return orderStates }

// Narrowed says whether anything but pages was asked for.
func (f finding) Narrowed() bool { return f.Words != "" || f.Gateway != "" || f.State != "" }

func readFinding(q url.Values) finding {
	number := func(name string) int {
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 {
			return 1
		}
		return n
	}
	f := finding{Words: strings.TrimSpace(q.Get("q")), Gateway: q.Get("gateway"), orders: number("orders"), calls: number("calls")}
	if slices.Contains(orderStates, q.Get("state")) {
		f.State = q.Get("state")
	}
	return f
}

// address is the console's for other pages of the same finding.
func (f finding) address(orders, calls int, at string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Words, "gateway": f.Gateway, "state": f.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if orders > 1 {
		q.Set("orders", strconv.Itoa(orders))
	}
	if calls > 1 {
		q.Set("calls", strconv.Itoa(calls))
	}
	if len(q) == 0 {
		return "/#" + at
	}
	return "/?" + q.Encode() + "#" + at
}

// pageOf is one page of a list.
type pageOf struct {
	Of              string // what the list is of
	From, To, Total int    // the lines that are shown, from 1
	Newer, Older    string // addresses; empty where there are none
}

// cut says which lines of a list are on the page asked for; one behind the end is the last.
func cut(of string, total, page, size int, address func(int) string) pageOf {
	last := max(1, (total+size-1)/size)
	page = min(page, last)
	p := pageOf{Of: of, From: min((page-1)*size+1, total), To: min(page*size, total), Total: total}
	if page > 1 {
		p.Newer = address(page - 1)
	}
	if page < last {
		p.Older = address(page + 1)
	}
	return p
}

// stateOf says in words what became of an order's money, and its colour.
func stateOf(e ledger.Entry) (state, tone string) {
	switch {
	case e.Charges == 0 || e.Authorized == 0 && e.Captured == 0:
		return "nothing taken", ""
	case e.Refunded > 0 && e.Refunded >= e.Captured:
		return "refunded", "waiting"
	case e.Refunded > 0:
		return "partly refunded", "waiting"
	case e.Captured == 0:
		return "held", "waiting"
	}
	return "taken", "good"
}

// holds says whether one of the texts holds the words, whatever the case of the letters.
func holds(words string, texts ...string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), strings.ToLower(words)) })
}

// ordersFor is a page of the ledger, newest first.
func (s *Sandbox) ordersFor(f finding) (pageOf, []ledgerView) {
	var found []ledgerView
	for _, e := range s.o.Env.Ledger.Newest() {
		v := ledgerView{Entry: e}
		v.State, v.Tone = stateOf(e)
		if (f.Gateway == "" || f.Gateway == e.Gateway) && (f.State == "" || f.State == v.State) && holds(f.Words, e.Reference, e.GatewayOrderID) {
			found = append(found, v)
		}
	}
	p := cut("orders", len(found), f.orders, shownOrders, func(n int) string { return f.address(n, f.calls, "orders") })
	if p.Total == 0 {
		return p, nil
	}
	found = found[p.From-1 : p.To]
	for i := range found {
		if c := s.cabinet(found[i].Gateway); c != nil {
			found[i].Acts = c.Acts()
		}
	}
	return p, found
}

// callsFor is a page of the calls, newest first.
func callsFor(f finding, calls []faults.Call) (pageOf, []callView) {
	var found []callView
	for _, c := range slices.Backward(calls) {
		if f.Gateway != "" && f.Gateway != c.Gateway || !holds(f.Words, c.Reference, c.Call) {
			continue
		}
		v := callView{Call: c, At: c.Time.UTC().Format("15:04:05.000"), Answer: strconv.Itoa(c.Status), Tone: "good"}
		switch {
		case c.Status == 0:
			v.Answer, v.Tone = "none", "bad"
		case c.Status >= 400:
			v.Tone = "bad"
		}
		found = append(found, v)
	}
	p := cut("calls", len(found), f.calls, shownCalls, func(n int) string { return f.address(f.orders, n, "calls") })
	if p.Total == 0 {
		return p, nil
	}
	return p, found[p.From-1 : p.To]
}
