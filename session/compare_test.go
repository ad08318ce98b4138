package session

import (
	"fmt"
	"testing"

	"tollgate/internal/money"
	"tollgate/providers"
)

// In what a gateway's word differs from our books is what a comparison of registers shows a person.
func TestInWhatAGatewaysWordDiffersFromTheBooks(t *testing.T) {
	t.Parallel()
	decisions(t, "differences", func(d *table) {
		differs := func(situation string, turn *Turn, st providers.Standing) {
			d.is(situation, turn, func(t *Turn) (string, error) {
				if what := Difference(t.S, t.S.Attempts[0], st); what != "" {
					return "differs in " + what, nil
				}
				return "", nil
			})
		}
		for _, state := range states {
			if state.Funded() {
				continue
			}
			for _, outcome := range outcomes {
				differs(fmt.Sprintf("%s: %s", state, outcome), turnOf(attemptIn(1, state)), standing(1, outcome))
			}
		}
		for _, b := range books {
			if b.kind != plainSums {
				continue
			}
			for _, outcome := range outcomes {
				differs(fmt.Sprintf("%s: %s", b.name, outcome), b.turn(), standing(1, outcome))
			}
			for _, isStated := range []bool{false, true} {
				if !isStated && b.name != "paid" && b.name != "authorized" {
					continue
				}
				for _, held := range []int64{700, 999, 1000} {
					st := standing(1, providers.Authorized)
					st.Held, st.Stated = held, isStated
					differs(fmt.Sprintf("%s: held %d, stated %v", b.name, held, isStated), b.turn(), st)
				}
				for _, sum := range [][2]int64{{1000, 0}, {1000, 300}, {1000, 400}, {1000, 1000}, {999, 0}, {999, 1}, {600, 0}, {600, 200}, {600, 400}, {400, 200}, {0, 0}} {
					st := standing(1, providers.Paid)
					st.Captured, st.Refunded, st.Stated = sum[0], sum[1], isStated
					differs(fmt.Sprintf("%s: captured %d, refunded %d, stated %v", b.name, sum[0], sum[1], isStated), b.turn(), st)
				}
			}
		}
		for _, state := range []State{Authorized, Paid, Declined} {
			for name, of := range map[string]money.Amount{
				"no amount": {}, "an amount without a currency": {Minor: 5}, "a larger amount": {Minor: 1001, Currency: tenge},
				"a smaller amount": {Minor: 999, Currency: tenge}, "another currency": {Minor: 1000, Currency: money.Currency{Code: "USD"}},
			} {
				st := standing(1, map[State]providers.Outcome{Authorized: providers.Authorized}[state])
				if state != Authorized {
					st = standing(1, providers.Paid)
				}
				st.Amount = of
				differs(fmt.Sprintf("%s: %s", state, name), turnOf(attemptIn(1, state)), st)
			}
		}
		for _, outcome := range []providers.Outcome{providers.Refused, providers.Processing} {
			st := standing(1, outcome)
			st.Amount.Minor, st.Stated = 999, true
			differs(fmt.Sprintf("declined: %s, another amount", outcome), turnOf(attemptIn(1, Declined)), st)
		}
		least := attemptIn(1, Paid)
		least.Captured, least.Refunded = 1, 1
		differs("paid the least and refunded it: closed", turnOf(least), standing(1, providers.Closed))
		for _, amount := range []int64{900, 1000} {
			turn := inReviewFor(Unknown)
			must(t, turn.Settlements().Settle(settle(RuledPaid, 900)))
			turn.Change, turn.After = Change{}, nil
			st := standing(1, providers.Paid)
			st.Amount.Minor = amount
			differs(fmt.Sprintf("paid 900, as a person said: an order of %d", amount), turn, st)
		}
	})
}
