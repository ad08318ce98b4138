package session

import "tollgate/providers"

// Differences between the books and a gateway's word.
const (
	DifferState  = "state"  // one of them says that money stands, the other that it does not, or held against taken
	DifferAmount = "amount" // the sums are others
)

// Difference says in what a gateway's word on an attempt is other than our books; "" in nothing. A word that says nothing for
// certain (it works, it waits, it does not know) differs from books that say that money stands, and from no others.
func Difference(s *Session, a *Attempt, st providers.Standing) string {
	ours := a.State.Funded() && !a.Voided
	back := a.Captured > 0 && a.Refunded >= a.Captured
	theirs := st.Outcome == providers.Paid || st.Outcome == providers.Authorized || st.Outcome == providers.HoldLeft
	asked := s.amountOf(a)
	switch {
	case !ours && !theirs, back && !theirs:
		return ""
	case ours != theirs:
		return DifferState
	case st.Amount.Currency.Code != "" && (st.Amount.Currency.Code != s.Amount.Currency.Code || st.Amount.Minor != asked):
		return DifferAmount
	case (st.Outcome == providers.Paid) != (a.State == Paid):
		return DifferState
	case st.Stated && a.State == Paid && (st.Refunded != a.Refunded || st.Captured != a.Captured && st.Captured+st.Refunded != a.Captured),
		st.Stated && a.State == Authorized && st.Held != a.AmountAuthorized:
		return DifferAmount
	}
	return ""
}
