package session

import "tollgate/providers"

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

// notOurs is the mismatch of money under our reference whose order lacks our mark of ownership.
const notOurs = "order that nothing proves to be ours"
