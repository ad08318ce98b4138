package session

import (
	"time"

	"tollgate/providers"
)

// mismatch names in what a standing is not of our payment; "" where it is, as far as it says. Of a payment that has succeeded
// the sums are compared with the books (follow).
func mismatch(s *Session, a *Attempt, st providers.Standing) string {
	whole := s.amountOf(a)
	switch {
	case st.Reference != "" && st.Reference != a.Ref.Reference:
		return "reference"
	case st.Ref.OrderID != "" && a.Ref.OrderID != "" && st.Ref.OrderID != a.Ref.OrderID:
		return "gateway order"
	case st.Amount.Currency.Code != "" && st.Amount.Currency.Code != s.Amount.Currency.Code:
		return "currency"
	case st.Amount.Currency.Code != "" && st.Amount.Minor != whole:
		return "amount"
	case !sumsPossible(s, a, st):
		return "sums"
	case a.State.Funded():
		return ""
	case st.Outcome == providers.Authorized && st.Held != 0 && st.Held != whole:
		return "amount authorized"
	case st.Outcome == providers.Paid && st.Captured != 0 && st.Captured != whole && st.Captured+st.Refunded != whole:
		return "amount captured"
	}
	return ""
}

// sumsPossible tells whether the sums of a standing are possible: none negative, no more authorized than was asked for, no more
// captured than authorized (less what was voided of it), no more refunded than captured. A sum of 0 may not have been stated.
func sumsPossible(s *Session, a *Attempt, st providers.Standing) bool {
	asked := s.amountOf(a)
	most := asked
	if a.State == Authorized {
		most = a.AmountAuthorized
	}
	if st.Held != 0 {
		most = min(most, st.Held)
	}
	taken := st.Captured
	if taken == 0 && st.Outcome == providers.Paid {
		taken = most
	}
	return min(st.Held, st.Captured, st.Refunded) >= 0 && st.Held <= asked && st.Captured <= most && st.Refunded <= taken
}

// longBefore is how long before its session was made a payment was authorized that is another system's: no zone or clock is so far off.
const longBefore = 24 * time.Hour

// anothers tells whether the order under an attempt's number may be another system's: the gateway refused our call because the number
// has an order, or the money was authorized long before there was a session. Only our card proves that it is ours all the same.
func anothers(s *Session, a *Attempt, st providers.Standing) bool {
	at := st.Authorization.At
	if !a.numberTaken() && (at.IsZero() || !at.Before(s.CreatedAt.Add(-longBefore))) {
		return false
	}
	typed := a.Instrument == "card" || a.Instrument == "saved_card"
	return !typed || a.Card.Last4 == "" || a.Card.First6 != st.Card.First6 || a.Card.Last4 != st.Card.Last4
}

// passedOver tells whether another's order under our number is none of our business: it is about another sum, or no money stands or can
// come under it.
func passedOver(other string, st providers.Standing) bool {
	return other == "amount" || other == "currency" ||
		other == "" && (st.Outcome == providers.Refused || st.Outcome == providers.Closed || st.Outcome == providers.Voided)
}

// notOurs is the mismatch of money under our reference whose order lacks our mark of ownership.
const notOurs = "order that nothing proves to be ours"
