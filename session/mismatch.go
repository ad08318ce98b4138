package session

import "tollgate/providers"

// mismatch names in what a standing is not of our payment; "" where it is, as far as it says.
func mismatch(s *Session, a *Attempt, st providers.Standing) string {
	asked := s.amountOf(a)
	held, captured := asked, asked
	switch a.State {
	case Authorized:
		held = a.AmountAuthorized // of which a part may have been voided
	case Paid:
		held, captured = a.AmountAuthorized, a.Captured // of a hold perhaps a part
	}
	switch {
	case st.Reference != "" && st.Reference != a.Ref.Reference:
		return "reference"
	case st.Ref.OrderID != "" && a.Ref.OrderID != "" && st.Ref.OrderID != a.Ref.OrderID:
		return "gateway order"
	case st.Amount.Currency.Code != "" && st.Amount.Currency.Code != s.Amount.Currency.Code:
		return "currency"
	case st.Amount.Currency.Code != "" && st.Amount.Minor != asked:
		return "amount"
	case !sumsPossible(s, a, st):
		return "sums"
	case st.Outcome == providers.Authorized && st.Held != 0 && st.Held != held:
		return "amount authorized"
	case st.Outcome == providers.Paid && a.State != Authorized && st.Captured != 0 && st.Captured != captured &&
		st.Captured+st.Refunded != captured:
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
