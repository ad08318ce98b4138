package session

import (
	"slices"

	"tollgate/providers"
)

// A form of the gateway's own may open another order under our reference for a second card. Each is asked about by its own id.

// gatewayOrders decides about them.
type gatewayOrders struct{ *Turn }

// maxOrders bounds the further orders of one attempt. A form gives a shopper no more tries than that.
const maxOrders = 8

// name keeps the gateway's id of an order under the attempt's reference, and tells whether it is news.
func (t gatewayOrders) name(a *Attempt, id string) bool {
	switch {
	case id == "" || id == a.Ref.OrderID || a.State == New || slices.Contains(a.OtherOrders, id):
		return false
	case a.Ref.OrderID == "":
		a.Ref.OrderID = id
	case len(a.OtherOrders) == maxOrders:
		t.alarm("too many orders of the gateway under one reference", "attempt", a.N, "gateway order", id)
		return false
	default:
		t.warn("the gateway has another order under our reference", "attempt", a.N, "gateway order", id)
		a.OtherOrders = append(a.OtherOrders, id)
	}
	return true
}

// OtherOrder is what the gateway says of a further order under an attempt's reference.
type OtherOrder struct {
	ID       string
	Standing providers.Standing
	Err      error // no answer
}

// Together is what several orders under one reference come to. An order by which money moves, or may yet, counts more than one
// that has ended; where one of them could not be asked only money counts. second is the id of an order that has money beside
// the one that counts; without one, doubt tells that nobody can say that none has: an order had no answer, or one that leaves it open.
func (a *Attempt) Together(main providers.Standing, err error, others []OtherOrder) (
	_ providers.Standing, second string, doubt bool, _ error,
) {
	best, unheard := main, err
	if err != nil {
		best = providers.Standing{Outcome: providers.NotFound}
	}
	for _, o := range others {
		if o.Err != nil {
			if doubt = true; unheard == nil {
				unheard = o.Err
			}
			continue
		}
		if o.Standing.Ref.OrderID != o.ID || o.Standing.Reference != "" && o.Standing.Reference != a.Ref.Reference {
			doubt = true
			continue // it is not what was asked for
		}
		st := o.Standing
		doubt = doubt || weight(st.Outcome) == ofDoubt || st.Outcome == providers.NotFound
		funded := weight(st.Outcome) == ofMoney && (st.Captured == 0 || st.Refunded < st.Captured)
		switch {
		case funded && (a.State.Funded() || weight(best.Outcome) == ofMoney):
			second = o.ID
		case weight(o.Standing.Outcome) > weight(best.Outcome):
			best = o.Standing
		}
	}
	if weight(best.Outcome) == ofMoney {
		unheard = nil
	}
	return best, second, doubt, unheard
}

// Weights of outcomes that say that there is money, and that do not say whether there is.
const (
	ofMoney = 3
	ofDoubt = 2
)

// weight orders outcomes by what they may yet come to.
func weight(o providers.Outcome) int {
	switch o {
	case providers.Paid, providers.Authorized, providers.HoldLeft:
		return ofMoney
	case providers.Refused, providers.Closed, providers.Voided:
		return 0
	case providers.NotFound:
		return -1
	case providers.Waiting:
		return 1
	}
	return ofDoubt
}

// count makes the order that an inquiry found to count the attempt's own, and has a person look where two have money.
func (t gatewayOrders) count(a *Attempt, in InquiryAnswer) {
	a.OtherOrders = slices.DeleteFunc(a.OtherOrders, func(id string) bool { return slices.Contains(in.NotOurs, id) })
	if in.Err == nil && !slices.Contains(in.NotOurs, in.Named) {
		t.name(a, in.Named)
	}
	id := in.Standing.Ref.OrderID
	if i := slices.Index(a.OtherOrders, id); i >= 0 && in.Err == nil {
		a.OtherOrders[i], a.Ref.OrderID = a.Ref.OrderID, id
	}
	if in.Second == "" && !in.Doubt && in.Err == nil && a.Mismatch == secondOrder { // it was given back
		a.Mismatch, a.NeedsReview = "", false
	}
	if in.Second != "" && a.Mismatch != secondOrder {
		t.alarm("two orders of the gateway under one reference have money", "attempt", a.N, "gateway order", a.Ref.OrderID, "and", in.Second)
	}
}

// secondOrder is the mismatch of a payment beside which another order under our reference has money.
const secondOrder = "second gateway order"

// reviewSecond has a person look at a payment beside which another order under its reference has money.
func (t gatewayOrders) reviewSecond(a *Attempt, in InquiryAnswer) {
	if a.Mismatch == secondOrder {
		return
	}
	if r := t.S.settlementOf(a.N, 0); r != nil && r.HeldFor == secondOrder { // a person has ruled on it
		return
	}
	a.Mismatch, a.NeedsReview = secondOrder, false
	if t.heard = nil; in.Err == nil {
		t.heard = &in.Standing
	}
	t.needsReview(a)
}
