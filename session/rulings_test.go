package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

// ruledPaid is a payment that a person called paid an hour ago, at so much.
func ruledPaid(amount int64) (*Turn, *Settlement) {
	a := attemptIn(1, Paid)
	a.AmountAuthorized, a.Captured, a.Mismatch = amount, amount, "amount"
	turn := turnOf(a)
	r := &Settlement{N: 1, Attempt: 1, Outcome: RuledPaid, Amount: amount, At: noon.Add(-time.Hour), Was: "unknown", HeldFor: "amount", Reason: "seen"}
	turn.S.Settlements = []*Settlement{r}
	return turn, r
}

// What the gateway says of a payment that counts as paid by a person's word alone.
func TestWhatTheGatewaySaysOfAPaymentThatAPersonCalledPaid(t *testing.T) {
	t.Parallel()
	decisions(t, "rulings", func(d *table) {
		says := func(name string, amount int64, st providers.Standing, make ...func(*Turn, *Settlement)) {
			turn, r := ruledPaid(amount)
			for _, m := range make {
				m(turn, r)
			}
			d.is(fmt.Sprintf("called paid at %d: %s", amount, name), turn, looked(InquiryAnswer{Standing: st}))
		}
		for _, outcome := range outcomes {
			says(string(outcome), 1000, standing(1, outcome))
			st := standing(1, outcome)
			st.Stated, st.Decline = true, &providers.Decline{Reason: providers.Limit}
			says(string(outcome)+", as it states", 1000, st)
			says(string(outcome)+", its session over", 1000, standing(1, outcome), func(t *Turn, _ *Settlement) { t.S.ClosedReason, t.S.Attempts[0].PaidLate = Expired, true })
			says(string(outcome)+", a week after the ruling", 1000, standing(1, outcome), func(_ *Turn, r *Settlement) { r.At = noon.Add(-7 * 24 * time.Hour) })
			says(string(outcome)+", confirmed before", 1000, standing(1, outcome), func(_ *Turn, r *Settlement) { r.Confirmed = noon.Add(-time.Minute) })
			says(string(outcome)+", contradicted before", 1000, standing(1, outcome), func(_ *Turn, r *Settlement) { r.Refuted = noon.Add(-time.Minute) })
		}
		for name, change := range map[string]func(*providers.Standing){
			"captured not told": func(st *providers.Standing) { st.Captured = 0 }, "no sum at all": func(st *providers.Standing) { st.Captured, st.Held, st.Amount = 0, 0, money.Amount{} },
			"an amount alone, less":   func(st *providers.Standing) { st.Captured, st.Held, st.Amount.Minor = 0, 0, 900 },
			"captured less":           func(st *providers.Standing) { st.Captured = 900 },
			"captured, no amount":     func(st *providers.Standing) { st.Amount = money.Amount{} },
			"captured 600, no amount": func(st *providers.Standing) { st.Captured, st.Amount = 600, money.Amount{} },
			"told less what was back": func(st *providers.Standing) { st.Captured, st.Refunded = 600, 400 },
			"refunded in part":        func(st *providers.Standing) { st.Refunded = 400 },
			"another reference":       func(st *providers.Standing) { st.Reference = "o-2" },
			"another order":           func(st *providers.Standing) { st.Ref.OrderID = "g-2" },
			"another currency":        func(st *providers.Standing) { st.Amount.Currency = money.Currency{Code: "USD", Digits: 2} },
			"another currency, no sum": func(st *providers.Standing) {
				st.Captured, st.Held, st.Amount.Currency = 0, 0, money.Currency{Code: "USD", Digits: 2}
			},
			"not proved to be ours": func(st *providers.Standing) { st.Unproven = true },
		} {
			for _, amount := range []int64{1000, 900} {
				for _, outcome := range []providers.Outcome{providers.Paid, providers.Refused} {
					st := standing(1, outcome)
					change(&st)
					says(fmt.Sprintf("%s, %s", outcome, name), amount, st)
				}
			}
		}
		for _, of := range []string{"another attempt's", "an operation's"} {
			turn, r := ruledPaid(1000)
			if of == "another attempt's" {
				r.Attempt = 2
			} else {
				r.Operation = 1
			}
			d.is(of+" ruling: refused", turn, looked(InquiryAnswer{Standing: standing(1, providers.Refused)}))
		}
		turn, _ := ruledPaid(1000)
		turn.S.Settlements = append(turn.S.Settlements, &Settlement{N: 2, Attempt: 1, Outcome: RuledNotPaid, At: noon})
		d.is("called paid and then not paid: refused", turn, looked(InquiryAnswer{Standing: standing(1, providers.Refused)}))
	})
}

// What a person may rule on, at which amount, and which ruling is the same again.
func TestOnWhatAPersonRules(t *testing.T) {
	t.Parallel()
	decisions(t, "ruled", func(d *table) {
		rules := func(name string, turn *Turn, in NewSettlement) {
			d.is(name, turn, func(t *Turn) (string, error) {
				err := t.Settlements().Settle(in)
				for _, e := range t.Change.Events {
					if e.Type == EventPaymentSettled {
						return string(e.Data), err
					}
				}
				return "", err
			})
		}
		for _, amount := range []int64{1, 999, 1000, 1001, maxSettled, maxSettled + 1} {
			for _, state := range []State{Unknown, Authorized, Paid} {
				for _, ruling := range []Ruling{RuledPaid, RuledNotPaid} {
					rules(fmt.Sprintf("%s: %s %d", state, ruling, amount), inReviewFor(state), settle(ruling, amount))
				}
			}
		}
		for _, end := range []ClosedReason{Expired, Cancelled} {
			for _, state := range []State{Unknown, Paid} {
				for _, ruling := range []Ruling{RuledPaid, RuledNotPaid} {
					turn := inReviewFor(state)
					turn.S.ClosedReason = end
					rules(fmt.Sprintf("%s, the session %s: %s", state, end, ruling), turn, settle(ruling, 0))
				}
			}
		}
		for _, beside := range []State{Declined, Paid} {
			turn := inReviewFor(Unknown)
			turn.S.Attempts = append(turn.S.Attempts, attemptIn(2, beside))
			rules(fmt.Sprintf("unknown, beside another that is %s: paid", beside), turn, settle(RuledPaid, 0))
		}
		two := turnOf(attemptIn(1, Mismatched), attemptIn(2, Mismatched))
		rules("two are held: paid", two, settle(RuledPaid, 0))
		rules("of an operation, for a payment: paid", inReviewFor(Unknown), NewSettlement{Outcome: RuledPaid, Operation: 1})
		held := turnOf(attemptIn(1, Mismatched))
		held.S.Attempts[0].Decline = &providers.Decline{Reason: providers.Limit}
		rules("held and declined before: paid", held, settle(RuledPaid, 0))
		for _, state := range []State{Unknown, Mismatched, Authorized, Paid} {
			for _, was := range []int64{800, 1200} {
				turn := inReviewFor(state)
				turn.S.Attempts[0].AmountAuthorized = was
				rules(fmt.Sprintf("%s, %d held by the books: paid 900", state, was), turn, settle(RuledPaid, 900))
			}
		}
		operations := func(of ...bool) *Turn {
			turn := turnOf(attemptIn(1, Paid))
			for n, review := range of {
				turn.S.Operations = append(turn.S.Operations, &Operation{N: n + 1, Attempt: 1, Kind: providers.Refund, State: OpUnknown, Amount: 300, NeedsReview: review, CreatedAt: noon.Add(-time.Hour)})
			}
			return turn
		}
		for _, n := range []int{0, 1, 2, 3} {
			for name, of := range map[string][]bool{"no operation": nil, "one that waits": {true}, "one that does not wait": {false}, "the second waits": {false, true}, "both wait": {true, true}} {
				for _, ruling := range []Ruling{RuledSucceeded, RuledFailed} {
					rules(fmt.Sprintf("%s: operation %d %s", name, n, ruling), operations(of...), NewSettlement{Outcome: ruling, Operation: n, Reason: "seen"})
				}
			}
		}
		for _, amount := range []int64{299, 300, 301} {
			rules(fmt.Sprintf("one that waits: succeeded, %d", amount), operations(true), NewSettlement{Outcome: RuledSucceeded, Amount: amount})
		}
		for _, kind := range []providers.OpKind{providers.Refund, providers.Void, providers.Capture} {
			for _, amount := range []int64{300, 1000} {
				for _, ruling := range []Ruling{RuledSucceeded, RuledFailed} {
					b := book{state: map[providers.OpKind]State{providers.Refund: Paid, providers.Void: Authorized, providers.Capture: Paid}[kind], write: done(kind, amount)}
					turn := b.turn()
					turn.S.Operations[0].NeedsReview = true
					rules(fmt.Sprintf("a %s of %d that was never seen: %s", kind, amount, ruling), turn, NewSettlement{Outcome: ruling, Reason: "seen"})
				}
			}
		}
		less := book{state: Paid, write: done(providers.Refund, 300)}.turn()
		less.S.Operations[0].NeedsReview, less.S.Attempts[0].Refunded = true, 200
		rules("a refund of 300 that was never seen, the books have less: failed", less, NewSettlement{Outcome: RuledFailed})
		ruling := NewSettlement{Outcome: RuledSucceeded, Operation: 1, Amount: 300, Reason: "seen"}
		for name, change := range map[string]func(*Settlement, *NewSettlement){
			"the same": func(*Settlement, *NewSettlement) {}, "no operation named": func(_ *Settlement, in *NewSettlement) { in.Operation = 0 }, "no amount named": func(_ *Settlement, in *NewSettlement) { in.Amount = 0 },
			"another reason": func(_ *Settlement, in *NewSettlement) { in.Reason = "heard" }, "another amount": func(_ *Settlement, in *NewSettlement) { in.Amount = 299 },
			"the contrary": func(_ *Settlement, in *NewSettlement) { in.Outcome = RuledFailed }, "another operation": func(r *Settlement, _ *NewSettlement) { r.Operation = 2 },
			"contradicted by now": func(r *Settlement, _ *NewSettlement) { r.Refuted = noon }, "confirmed by now": func(r *Settlement, _ *NewSettlement) { r.Confirmed = noon },
		} {
			turn := operations(false)
			turn.S.Operations[0].State = OpSucceeded
			r, in := &Settlement{N: 1, Attempt: 1, Operation: 1, Outcome: RuledSucceeded, Amount: 300, Reason: "seen"}, ruling
			change(r, &in)
			turn.S.Settlements = []*Settlement{{N: 7, Attempt: 1, Outcome: RuledPaid}, r}
			rules("ruled before, again: "+name, turn, in)
		}
	})
}

// Whether an operation may go out after a person's ruling.
func TestWhichOperationsWaitForTheGatewaysWordAfterARuling(t *testing.T) {
	t.Parallel()
	decisions(t, "ruled-operations", func(d *table) {
		for _, of := range opKinds {
			for _, ruled := range opKinds {
				for _, is := range []string{"open", "confirmed", "refuted", "succeeded"} {
					for name, change := range map[string]func(*providers.Standing){
						"as the books":          func(*providers.Standing) {},
						"not stated":            func(st *providers.Standing) { st.Stated = false },
						"another outcome":       func(st *providers.Standing) { st.Outcome = providers.Processing },
						"held less":             func(st *providers.Standing) { st.Held = 700 },
						"captured less":         func(st *providers.Standing) { st.Captured -= 300 },
						"refunded":              func(st *providers.Standing) { st.Refunded = 300 },
						"captured and refunded": func(st *providers.Standing) { st.Captured, st.Refunded = st.Captured-300, 300 },
					} {
						if is != "open" && name != "refunded" && name != "as the books" || of.state == Authorized && strings.Contains(name, "captured") {
							continue
						}
						turn, op := withOperation(of.state, of.kind, OpFailed)
						op.Kind = ruled.kind
						turn.S.Operations = append(turn.S.Operations, &Operation{
							N: 2, Kind: of.kind, State: OpNew, Attempt: 1, Amount: 100, Reference: "o-1-x2", CreatedAt: noon, Deadline: noon.Add(30 * time.Second),
							Baseline: recordedSums(turn.S.Attempts[0]), Expected: recordedSums(turn.S.Attempts[0]),
						})
						r := &Settlement{N: 1, Attempt: 1, Operation: 1, Outcome: RuledFailed, Amount: 300, At: noon.Add(-time.Hour)}
						switch is {
						case "confirmed":
							r.Confirmed = noon
						case "refuted":
							r.Refuted = noon
						case "succeeded":
							r.Outcome = RuledSucceeded
						}
						turn.S.Settlements = []*Settlement{r}
						st := standing(1, of.st)
						st.Stated = true
						change(&st)
						d.is(fmt.Sprintf("a %s after a %s that was ruled on, %s: %s", of.kind, ruled.kind, is, name), turn, func(t *Turn) (string, error) {
							_, ok, err := t.Operations().Permit(2, st, nil, nil)
							a := t.S.Attempts[0]
							a.Said = nil
							return fmt.Sprintf("permitted %v", ok), err
						})
					}
				}
			}
		}
		for name, st := range map[string]providers.Standing{
			"paid": standing(1, providers.Paid), "works": standing(1, providers.Processing), "paid, no amount": {Outcome: providers.Paid, Captured: 1000},
			"paid, nothing stated": {Outcome: providers.Paid}, "paid, captured not told": {Outcome: providers.Paid, Amount: money.Amount{Minor: 1000, Currency: tenge}},
			"paid, less": {Outcome: providers.Paid, Captured: 900},
		} {
			for _, is := range []string{"open", "confirmed"} {
				turn, r := ruledPaid(1000)
				if is == "confirmed" {
					r.Confirmed = noon
				}
				op, err := turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 100})
				must(t, err)
				turn.Change = Change{}
				d.is(fmt.Sprintf("a refund of what was called paid, %s: %s", is, name), turn, func(t *Turn) (string, error) {
					_, ok, err := t.Operations().Permit(op.N, st, nil, nil)
					t.S.Attempts[0].Said = nil
					return fmt.Sprintf("permitted %v", ok), err
				})
			}
		}
		for _, ruling := range []Ruling{RuledSucceeded, RuledFailed} {
			for _, attempt := range []int{1, 2} {
				for _, is := range []string{"open", "confirmed", "refuted"} {
					for name, st := range map[string]providers.Standing{
						"as the books": stated(providers.Paid, 1000, 1000, 300), "not stated": standing(1, providers.Paid), "less given back": stated(providers.Paid, 1000, 1000, 200), "it works": standing(1, providers.Processing),
						"more given back": stated(providers.Paid, 1000, 1000, 400), "it fits nothing": stated(providers.Waiting, 0, 0, 0),
					} {
						a := attemptIn(1, Paid)
						a.Refunded = 300
						turn := turnOf(a)
						r := &Settlement{N: 1, Attempt: attempt, Operation: 1, Outcome: ruling, Amount: 300, At: noon.Add(-time.Hour)}
						switch is {
						case "confirmed":
							r.Confirmed = noon.Add(-1)
						case "refuted":
							r.Refuted = noon.Add(-1)
						}
						turn.S.Operations = []*Operation{{N: 1, Attempt: 1, Kind: providers.Refund, State: map[Ruling]OpState{RuledSucceeded: OpSucceeded, RuledFailed: OpFailed}[ruling], Amount: 300}}
						turn.S.Settlements = []*Settlement{r}
						d.is(fmt.Sprintf("a refund ruled %s, of attempt %d, %s: %s", ruling, attempt, is, name), turn, looked(InquiryAnswer{Standing: st}))
					}
				}
			}
		}
	})
}

// A person called an operation failed, and the gateway's sums show it after all: that is told, whoever asked.
func TestALookThatShowsAnOperationThatAPersonCalledFailedContradictsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		kind    providers.OpKind
		state   State
		st      providers.Standing
		refuted bool
	}{
		{"a refund, and nothing was given back", providers.Refund, Paid, stated(providers.Paid, 1000, 1000, 0), false},
		{"a refund, and it was given back", providers.Refund, Paid, stated(providers.Paid, 1000, 1000, 300), true},
		{"a refund, and less was captured", providers.Refund, Paid, stated(providers.Paid, 1000, 700, 0), false},
		{"a void, and the hold stands", providers.Void, Authorized, stated(providers.Authorized, 1000, 0, 0), false},
		{"a void, and a part of it is gone", providers.Void, Authorized, stated(providers.Authorized, 700, 0, 0), true},
		{"a void, and all of it is gone", providers.Void, Authorized, stated(providers.Voided, 0, 0, 0), true},
		{"a void, and it was captured", providers.Void, Authorized, stated(providers.Paid, 1000, 1000, 0), false},
		{"a capture, and the hold stands", providers.Capture, Authorized, stated(providers.Authorized, 1000, 0, 0), false},
		{"a capture, and a part of the hold is gone", providers.Capture, Authorized, stated(providers.Authorized, 700, 0, 0), false},
		{"a capture, and it was captured", providers.Capture, Authorized, stated(providers.Paid, 1000, 300, 0), true},
	} {
		for _, of := range []string{"a look", "the inquiry before another"} {
			if of != "a look" && (c.st.Outcome != map[State]providers.Outcome{Paid: providers.Paid, Authorized: providers.Authorized}[c.state]) {
				continue // which is not begun any more
			}
			turn, op := withOperation(c.state, c.kind, OpUnknown)
			op.NeedsReview = true
			must(t, turn.Settlements().Settle(settle(RuledFailed, 0)))
			a, r := turn.S.Attempts[0], turn.S.Settlements[0]
			turn = &Turn{S: turn.S, Now: noon.Add(time.Hour), Rules: turn.Rules}
			if of == "a look" {
				must(t, turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: c.st}))
			} else {
				next, err := turn.Operations().Begin(NewOperation{Kind: c.kind})
				must(t, err)
				_, _, err = turn.Operations().Permit(next.N, c.st, nil, nil)
				must(t, err)
			}
			told := 0
			for _, e := range eventTypes(turn) {
				if e == EventSettlementContradicted {
					told++
				}
			}
			if r.Refuted.IsZero() == c.refuted || (told == 1) != c.refuted || c.refuted && !r.Confirmed.IsZero() {
				if c.name != "a refund, and less was captured" || of == "a look" {
					t.Errorf("%s, by %s: told %d times, %+v", c.name, of, told, r)
				}
			}
		}
	}
}

// A word on another payment than ours neither confirms nor contradicts what a person ruled, and nothing is sent on it.
func TestAWordOnAnotherPaymentSaysNothingOfARuling(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*providers.Standing){
		"another reference": func(st *providers.Standing) { st.Reference = "o-2" }, "another order": func(st *providers.Standing) { st.Ref.OrderID = "g-2" },
		"another currency": func(st *providers.Standing) { st.Amount.Currency = money.Currency{Code: "USD", Digits: 2} }, "another amount": func(st *providers.Standing) { st.Amount.Minor = 999 },
		"impossible sums": func(st *providers.Standing) { st.Refunded = 1001 },
	} {
		for _, refunded := range []int64{0, 300} {
			st := stated(providers.Paid, 1000, 1000, refunded)
			change(&st)
			turn, r := ruledPaid(1000)
			op, err := turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 100})
			must(t, err)
			if _, sent, err := turn.Operations().Permit(op.N, st, nil, nil); err != nil || sent || !r.open() {
				t.Errorf("called paid, %s: sent %v, %v, %+v", name, sent, err, r)
			}
			turn, failed := withOperation(Paid, providers.Refund, OpUnknown)
			failed.NeedsReview = true
			must(t, turn.Settlements().Settle(settle(RuledFailed, 0)))
			op, err = turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 100})
			must(t, err)
			if _, sent, err := turn.Operations().Permit(op.N, st, nil, nil); err != nil || sent || !turn.S.Settlements[0].open() {
				t.Errorf("called failed, %s: sent %v, %v, %+v", name, sent, err, turn.S.Settlements[0])
			}
		}
	}
}

// What a person has to look at, and why.
func TestWhatAPersonHasToLookAt(t *testing.T) {
	t.Parallel()
	decisions(t, "reviews", func(d *table) {
		look := func(name string, turn *Turn) {
			d.is(name, turn, func(t *Turn) (string, error) {
				said := fmt.Sprintf("needs review %v, held %v", t.S.NeedsReview(), t.S.Held())
				for _, r := range t.S.Reviews() {
					said += fmt.Sprintf("; attempt %d operation %d: %s, held %v, figures %v", r.Attempt, r.Operation, r.Reason, r.Held, r.Gateway != nil)
				}
				return said, nil
			})
		}
		for _, state := range states {
			for _, review := range []bool{false, true} {
				for _, mismatch := range []string{"", "amount"} {
					a := attemptIn(1, state)
					a.NeedsReview, a.Mismatch = review, mismatch
					look(fmt.Sprintf("%s, reviewed %v, of another %q", state, review, mismatch), turnOf(a))
				}
			}
			for _, outcome := range []providers.Outcome{providers.HoldLeft, providers.Processing} {
				a := attemptIn(1, state)
				a.NeedsReview, a.Said = true, &Figures{Outcome: outcome}
				look(fmt.Sprintf("%s, the gateway said %s", state, outcome), turnOf(a))
			}
		}
		for _, is := range opStates {
			for _, review := range []bool{false, true} {
				for _, unseen := range []bool{false, true} {
					turn, op := withOperation(Paid, providers.Refund, is)
					op.NeedsReview, op.Unconfirmed = review, unseen
					turn.S.Attempts[0].Said = &Figures{}
					look(fmt.Sprintf("a refund that is %s, reviewed %v, not seen in the sums %v", is, review, unseen), turn)
				}
			}
		}
		f := figuresOf(stated(providers.Paid, 1000, 900, 100), noon)
		d.is("figures for the log", turnOf(), func(*Turn) (string, error) { return f.String(), nil })
		for _, r := range []Ruling{RuledPaid, RuledNotPaid, RuledSucceeded, RuledFailed} {
			d.is("of an operation: "+string(r), turnOf(), func(*Turn) (string, error) { return fmt.Sprint(r.OfOperation()), nil })
		}
		for _, state := range states {
			for _, r := range []*Settlement{
				{Attempt: 1, Outcome: RuledPaid, Amount: 900, Was: "unknown"}, {Attempt: 1, Outcome: RuledPaid, Amount: 900, Was: "paid"}, {Attempt: 1, Outcome: RuledPaid, Amount: 900, Was: "held", Refuted: noon},
				{Attempt: 1, Outcome: RuledPaid, Amount: 900, Was: "held", Confirmed: noon}, {Attempt: 1, Outcome: RuledNotPaid, Was: "unknown"}, {Attempt: 2, Outcome: RuledPaid, Amount: 900, Was: "unknown"},
			} {
				if state != Paid && state != Failed {
					continue
				}
				turn := turnOf(attemptIn(1, state))
				turn.S.Settlements = []*Settlement{r}
				d.is(fmt.Sprintf("%s, attempt %d ruled %s from %s, confirmed %v, refuted %v: its amount, and whether the gateway is to be asked", state, r.Attempt, r.Outcome, r.Was, !r.Confirmed.IsZero(), !r.Refuted.IsZero()), turn,
					func(t *Turn) (string, error) {
						return fmt.Sprint(t.S.amountOf(t.S.Attempts[0]), t.S.Unconfirmed(t.S.Attempts[0])), nil
					})
			}
		}
	})
	if errors.Is(ErrNoReview, ErrRuling) {
		t.Error("two faults are one")
	}
}
