package session

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"tollgate/providers"
)

// What several orders under one reference come to, and whether a second has money.
func TestWhatSeveralOrdersUnderOneReferenceComeTo(t *testing.T) {
	t.Parallel()
	order := func(id string, outcome providers.Outcome) OtherOrder {
		st := standing(1, outcome)
		st.Ref.OrderID = id
		return OtherOrder{ID: id, Standing: st}
	}
	decisions(t, "orders", func(d *table) {
		together := func(situation string, state State, main providers.Standing, err error, others ...OtherOrder) {
			a := attemptIn(1, state)
			d.is(situation, turnOf(a), func(*Turn) (string, error) {
				st, second, doubt, err := a.Together(main, err, others)
				return fmt.Sprintf("%s of %s, second %q, doubt %v", st.Outcome, st.Ref.OrderID, second, doubt), err
			})
		}
		cut := errors.New("cut")
		for _, state := range []State{Unknown, Paid} {
			for _, main := range outcomes {
				for _, other := range outcomes {
					together(fmt.Sprintf("%s: %s and %s", state, main, other), state, standing(1, main), nil, order("g-2", other))
				}
				together(fmt.Sprintf("%s: %s and no answer", state, main), state, standing(1, main), nil, OtherOrder{ID: "g-2", Err: cut})
				together(fmt.Sprintf("%s: no answer and %s", state, main), state, providers.Standing{}, cut, order("g-2", main))
				together(fmt.Sprintf("%s: %s, no answer, and closed", state, main), state, standing(1, main), nil, OtherOrder{ID: "g-2", Err: cut}, order("g-3", providers.Closed))
			}
			back, part, held := order("g-2", providers.Paid), order("g-2", providers.Paid), order("g-2", providers.Authorized)
			back.Standing.Refunded, part.Standing.Refunded, held.Standing.Captured = 1000, 999, 0
			for _, main := range []providers.Outcome{providers.Paid, providers.Waiting} {
				together(fmt.Sprintf("%s: %s and paid, given back", state, main), state, standing(1, main), nil, back)
				together(fmt.Sprintf("%s: %s and paid, given back in part", state, main), state, standing(1, main), nil, part)
				together(fmt.Sprintf("%s: %s and authorized, nothing captured", state, main), state, standing(1, main), nil, held)
				together(fmt.Sprintf("%s: %s, two of them paid", state, main), state, standing(1, main), nil, order("g-2", providers.Paid), order("g-3", providers.Paid))
				for name, change := range map[string]func(*OtherOrder){
					"another order than was asked for": func(o *OtherOrder) { o.Standing.Ref.OrderID = "g-7" }, "another reference": func(o *OtherOrder) { o.Standing.Reference = "o-7" },
					"no reference": func(o *OtherOrder) { o.Standing.Reference = "" },
				} {
					o := order("g-2", providers.Paid)
					change(&o)
					together(fmt.Sprintf("%s: %s and paid, %s", state, main, name), state, standing(1, main), nil, o)
				}
			}
			together(fmt.Sprintf("%s: alone", state), state, standing(1, providers.Paid), nil)
			two := errors.New("another")
			together(fmt.Sprintf("%s: two without an answer", state), state, providers.Standing{}, cut, OtherOrder{ID: "g-2", Err: two})
			together(fmt.Sprintf("%s: closed, two without an answer", state), state, standing(1, providers.Closed), nil, OtherOrder{ID: "g-2", Err: two}, OtherOrder{ID: "g-3", Err: cut})
		}
		inquiry := func(situation string, turn *Turn, in InquiryAnswer) { d.is("an inquiry: "+situation, turn, looked(in)) }
		for _, state := range []State{Shopper, Unknown, Mismatched, Authorized, Paid, Declined} {
			for _, was := range []string{"", secondOrder, "sums"} {
				for name, in := range map[string]InquiryAnswer{
					"a second has money":              {Standing: standing(1, providers.Paid), Second: "g-2"},
					"no second has money":             {Standing: standing(1, providers.Paid)},
					"nobody can say whether one has":  {Standing: standing(1, providers.Paid), Doubt: true},
					"a second has money, it works":    {Standing: standing(1, providers.Processing), Second: "g-2"},
					"no answer":                       {Err: cut},
					"no answer but a second's money":  {Err: cut, Second: "g-2"},
					"a second has money, and another": {Standing: providers.Standing{Outcome: providers.Paid, Reference: "o-2"}, Second: "g-2"},
				} {
					a := attemptIn(1, state)
					a.OtherOrders, a.Mismatch, a.NeedsReview = []string{"g-2"}, was, was != ""
					inquiry(fmt.Sprintf("%s, looked at for %q: %s", state, was, name), turnOf(a), in)
				}
			}
		}
		for name, in := range map[string]InquiryAnswer{
			"the second order counts":               {Standing: order("g-2", providers.Paid).Standing},
			"the second order counts, no answer":    {Standing: order("g-2", providers.Paid).Standing, Err: cut},
			"the second is none of ours":            {Standing: standing(1, providers.Waiting), NotOurs: []string{"g-2"}},
			"another is none of ours":               {Standing: standing(1, providers.Waiting), NotOurs: []string{"g-3"}},
			"another is named":                      {Standing: standing(1, providers.Waiting), Named: "g-3"},
			"another is named, no answer":           {Err: cut, Named: "g-3"},
			"another is named, and is none of ours": {Standing: standing(1, providers.Waiting), Named: "g-3", NotOurs: []string{"g-3"}},
		} {
			a := attemptIn(1, Unknown)
			a.OtherOrders = []string{"g-2"}
			inquiry(name, turnOf(a), in)
		}
		for _, ruled := range []string{secondOrder, "sums"} {
			turn := turnOf(attemptIn(1, Paid))
			turn.S.Settlements = []*Settlement{{N: 1, Attempt: 1, Outcome: RuledPaid, Amount: 1000, HeldFor: ruled, Confirmed: noon, Was: "paid"}}
			inquiry("a person has ruled on "+ruled+": a second has money", turn, InquiryAnswer{Standing: standing(1, providers.Paid), Second: "g-2"})
		}
		no := turnOf(attemptIn(1, Shopper))
		no.Token = func() (string, error) { return "", errors.New("no randomness") }
		next := challenge("another")
		next.NewRun = true
		st := standing(1, providers.Waiting)
		st.Next = &next
		inquiry("a second has money, no token to be had", no, InquiryAnswer{Standing: st, Second: "g-2"})
	})
}

// Where two orders have money a person has to look until the gateway says that one was given back: that it could not be asked, or
// does not say, takes nothing back.
func TestTheReviewOfASecondOrderEndsOnlyByTheGatewaysWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second OtherOrder
		ends   bool
	}{
		"no answer":              {OtherOrder{ID: "g-2", Err: errors.New("cut")}, false},
		"not found":              {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.NotFound, Ref: providers.Ref{OrderID: "g-2"}}}, false},
		"it works":               {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Processing, Ref: providers.Ref{OrderID: "g-2"}}}, false},
		"it does not know":       {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Unclear, Ref: providers.Ref{OrderID: "g-2"}}}, false},
		"of another order":       {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Voided, Ref: providers.Ref{OrderID: "g-9"}}}, false},
		"it stands":              {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Paid, Ref: providers.Ref{OrderID: "g-2"}, Captured: 1000}}, false},
		"it was reversed":        {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Voided, Ref: providers.Ref{OrderID: "g-2"}}}, true},
		"it was refunded":        {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Paid, Ref: providers.Ref{OrderID: "g-2"}, Captured: 1000, Refunded: 1000}}, true},
		"it is unpaid after all": {OtherOrder{ID: "g-2", Standing: providers.Standing{Outcome: providers.Waiting, Ref: providers.Ref{OrderID: "g-2"}}}, true},
	} {
		a := attemptIn(1, Paid)
		a.OtherOrders, a.Mismatch, a.NeedsReview = []string{"g-2"}, secondOrder, true
		turn := turnOf(a)
		in := InquiryAnswer{Seen: a.Seen()}
		in.Standing, in.Second, in.Doubt, in.Err = a.Together(standing(1, providers.Paid), nil, []OtherOrder{c.second})
		must(t, turn.Inquired(1, in))
		if a.NeedsReview == c.ends || len(turn.S.Reviews()) == 0 != c.ends || slices.Contains(eventTypes(turn), EventPaymentNeedsReview) {
			t.Errorf("%s: needs review %v, %+v, told %v", name, a.NeedsReview, turn.S.Reviews(), eventTypes(turn))
		}
	}
}
