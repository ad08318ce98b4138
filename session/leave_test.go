package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// leaving are attempts as somebody may want to leave them.
var leaving = []struct {
	name  string
	state State
	make  func(*Turn, *Attempt)
}{
	{"at a step that can be withheld", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable = true }},
	{"at a step that can be withheld, no call in the book", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable, a.Calls = true, nil }},
	{"at a step that can be withheld, a call unanswered", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable = true; unanswer(a) }},
	{"at a step that can be withheld, an error in the book", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable, a.Calls[0].Result = true, resultError }},
	{"at a step that can be withheld, a refusal in the book", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable, a.Calls[0].Result = true, resultRefused }},
	{"at a step that can be withheld, shown", Shopper, func(_ *Turn, a *Attempt) { a.Step.Withholdable, a.Runs[0].ShownAt = true, noon.Add(-time.Minute) }},
	{"at the bank", Shopper, func(*Turn, *Attempt) {}},
	{"at the bank, its call unanswered", Shopper, func(_ *Turn, a *Attempt) { unanswer(a) }},
	{"at the bank, its call unanswered and not over", Shopper, func(_ *Turn, a *Attempt) { unanswer(a); a.Deadline = noon.Add(-59 * time.Second) }},
	{"at the bank for a minute", Shopper, func(_ *Turn, a *Attempt) { a.StepAt = noon.Add(-time.Minute) }},
	{"at no step", Shopper, func(_ *Turn, a *Attempt) { a.Step = nil }},
	{"with the gateway, after a step that can be withheld", Gateway, func(_ *Turn, a *Attempt) {
		step := challenge("c")
		step.Withholdable = true
		a.Step = &step
	}},
	{"with the gateway", Gateway, func(*Turn, *Attempt) {}},
	{"with the gateway, its call unanswered", Gateway, func(_ *Turn, a *Attempt) { unanswer(a) }},
	{"with the gateway, its call unanswered and not over", Gateway, func(_ *Turn, a *Attempt) { unanswer(a); a.Deadline = noon.Add(-59 * time.Second) }},
	{"with the gateway, its deadline ahead", Gateway, func(_ *Turn, a *Attempt) { a.Deadline = noon.Add(5 * time.Minute) }},
	{"with the gateway for an hour", Gateway, func(_ *Turn, a *Attempt) { a.CreatedAt = noon.Add(-time.Hour) }},
	{"new", New, func(*Turn, *Attempt) {}},
	{"new, its deadline ahead", New, func(_ *Turn, a *Attempt) { a.Deadline = noon.Add(time.Hour) }},
	{"calling", Calling, func(*Turn, *Attempt) {}},
	{"calling, its deadline ahead", Calling, func(_ *Turn, a *Attempt) { a.Deadline = noon.Add(time.Hour) }},
	{"unknown", Unknown, func(*Turn, *Attempt) {}},
	{"unknown, its order's life over", Unknown, func(_ *Turn, a *Attempt) { a.CreatedAt = noon.Add(-48 * time.Hour) }},
	{"held", Mismatched, func(*Turn, *Attempt) {}},
	{"declined", Declined, func(*Turn, *Attempt) {}},
	{"paid", Paid, func(*Turn, *Attempt) {}},
	{"a payout", Gateway, func(t *Turn, _ *Attempt) { t.S.Kind = KindPayout }},
}

func TestHowAPaymentUnderWayIsLeft(t *testing.T) {
	t.Parallel()
	decisions(t, "leaving", func(d *table) {
		for _, l := range leaving {
			made := func() (*Turn, *Attempt) {
				a := attemptIn(1, l.state)
				turn := turnOf(a)
				l.make(turn, a)
				return turn, a
			}
			for _, closes := range []bool{false, true} {
				turn, a := made()
				turn.Rules.Closes = closes
				d.is(fmt.Sprintf("%s, orders can be closed %v: the exit, and until when", l.name, closes), turn, func(t *Turn) (string, error) {
					return fmt.Sprintf("%v until %s", Leaving{t}.Exit(a), Leaving{t}.Until(a).Sub(noon)), nil
				})
			}
			same, other := challenge("c"), challenge("another")
			for name, in := range map[string]InquiryAnswer{
				"it waits":                  {Standing: standing(1, providers.Waiting)},
				"it waits at the same step": {Standing: withNext(standing(1, providers.Waiting), same)},
				"it waits at another step":  {Standing: withNext(standing(1, providers.Waiting), other)},
				"it waits, no answer":       {Standing: standing(1, providers.Waiting), Err: errors.New("cut")},
				"it waits, of another":      {Standing: providers.Standing{Outcome: providers.Waiting, Reference: "o-2"}},
				"it waits, seen elsewhere":  {Standing: standing(1, providers.Waiting), Seen: Seen{State: Gateway, StepN: 7}},
				"it works":                  {Standing: standing(1, providers.Processing)},
				"it is closed":              {Standing: standing(1, providers.Closed)},
				"it is paid":                {Standing: standing(1, providers.Paid)},
			} {
				for _, cancel := range []bool{false, true} {
					if cancel && name != "it waits" && name != "it is closed" && name != "it is paid" {
						continue
					}
					turn, a := made()
					if in.Seen == (Seen{}) {
						in.Seen = a.Seen()
					}
					in.Wire = []TimelineEntry{{Name: "POST /status"}}
					d.is(fmt.Sprintf("%s, cancelled %v: %s", l.name, cancel, name), turn, func(t *Turn) (string, error) { return "", Leaving{t}.Leave(1, in, cancel) })
				}
			}
		}
		for _, cancel := range []bool{false, true} {
			d.is(fmt.Sprintf("an attempt that is not there, cancelled %v", cancel), turnOf(), func(t *Turn) (string, error) { return "", Leaving{t}.Leave(1, InquiryAnswer{}, cancel) })
		}
		turn := turnOf(attemptIn(1, Shopper))
		turn.Token = func() (string, error) { return "", errors.New("no randomness") }
		next := challenge("another")
		next.NewRun = true
		d.is("at the bank, no token to be had: it waits at a step of a new run", turn, func(t *Turn) (string, error) {
			return "", Leaving{t}.Leave(1, InquiryAnswer{Seen: t.S.Attempts[0].Seen(), Standing: withNext(standing(1, providers.Waiting), next)}, true)
		})
		busy := &CannotLeave{Until: noon}
		d.is("what cannot be left", turnOf(), func(*Turn) (string, error) {
			return fmt.Sprint(busy, errors.Is(busy, ErrBusy), errors.Is(busy, ErrEnded)), nil
		})
	})
}

// The permission that is used up without sending is in the call book as answered, so that nobody inquires about a call.
func TestAPermissionThatIsWithheldIsAnsweredInTheBook(t *testing.T) {
	t.Parallel()
	turn := turnOf(attemptIn(1, Shopper))
	a := turn.S.Attempts[0]
	a.Step.Withholdable = true
	must(t, Leaving{turn}.Leave(1, InquiryAnswer{Seen: a.Seen(), Standing: standing(1, providers.Waiting)}, false))
	want := Call{Attempt: 1, Kind: CallResume, Round: 2, SentAt: noon, AnsweredAt: noon, Result: resultWithheld}
	if got := turn.Change.Calls; len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}

func withNext(st providers.Standing, step providers.Step) providers.Standing {
	st.Next = &step
	return st
}

// A page whose address only a lost answer had is nobody's: its attempt is left. One that anybody may have seen is not.
func TestWhichWaitingPageNobodyWasSentTo(t *testing.T) {
	t.Parallel()
	decisions(t, "unreached", func(d *table) {
		try := func(name string, make func(*Attempt, *providers.Standing)) {
			for _, state := range []State{Unknown, Gateway, Calling} {
				a := attemptIn(1, state)
				st := standing(1, providers.Waiting)
				st.AwaitsPage, a.Step, a.Calls[0].Result = true, nil, resultError
				make(a, &st)
				d.is(fmt.Sprintf("%s, %s", state, name), turnOf(a), looked(InquiryAnswer{Standing: st}))
			}
		}
		try("its answer was lost", func(*Attempt, *providers.Standing) {})
		try("it awaits no page", func(_ *Attempt, st *providers.Standing) { st.AwaitsPage = false })
		try("the step is told again", func(_ *Attempt, st *providers.Standing) { *st = withNext(*st, challenge("c")) })
		try("a step was given", func(a *Attempt, _ *providers.Standing) { s := challenge("c"); a.Step = &s })
		try("a page was shown", func(a *Attempt, _ *providers.Standing) { a.Runs[0].ShownAt = noon.Add(-time.Hour) })
		try("a page was shown in an earlier run", func(a *Attempt, _ *providers.Standing) {
			a.Runs = []*Run{{N: 1, Token: "r", ShownAt: noon.Add(-time.Hour)}, {N: 2, Token: "s"}}
		})
		try("no call in the book", func(a *Attempt, _ *providers.Standing) { a.Calls = nil })
		try("two calls, both lost", func(a *Attempt, _ *providers.Standing) {
			a.Calls = append(a.Calls, Call{Attempt: 1, Kind: CallResume, Round: 2, AnsweredAt: noon.Add(-9 * time.Minute), Result: resultError})
		})
		try("its answer came", func(a *Attempt, _ *providers.Standing) { a.Calls[0].Result = "wait" })
		try("its answer was refused", func(a *Attempt, _ *providers.Standing) { a.Calls[0].Result = resultRefused })
		try("refused after a try", func(_ *Attempt, st *providers.Standing) { st.LastTry = &providers.Decline{Reason: providers.Limit} })
	})
}

// Money that comes for an attempt that was left is given back, once, by an operation under the call book; what cannot be given back
// is a person's.
func TestMoneyOfAnAttemptThatWasLeftIsGivenBack(t *testing.T) {
	t.Parallel()
	later, no := &providers.Decline{Reason: providers.TryAgainLater}, &providers.Decline{Reason: providers.OtherReason}
	decisions(t, "given-back", func(d *table) {
		give := func(name string, state State, make func(*Turn, *Attempt)) {
			a := attemptIn(1, state)
			a.Withheld, a.PaidLate = true, true
			turn := turnOf(a)
			turn.S.ClosedReason = Cancelled
			make(turn, a)
			d.is(fmt.Sprintf("%s: %s", state, name), turn, func(t *Turn) (string, error) {
				return fmt.Sprintf("given back %v", a.GivenBack()), Leaving{t}.giveBack(a)
			})
			var beside *Attempt
			d.is(fmt.Sprintf("%s: %s: stands for its session", state, name), turn, func(t *Turn) (string, error) {
				return fmt.Sprint(t.S.standsBesides(beside) == a, t.S.ClaimsOrder()), nil
			})
		}
		tried := func(kind providers.OpKind, state OpState, why *providers.Decline, times int) func(*Turn, *Attempt) {
			return func(t *Turn, _ *Attempt) {
				for range times {
					t.S.Operations = append(t.S.Operations, &Operation{N: len(t.S.Operations) + 1, Attempt: 1, Kind: kind, State: state, Decline: why, GiveBack: true})
				}
			}
		}
		for _, state := range states {
			give("all of it", state, func(*Turn, *Attempt) {})
			give("not left", state, func(_ *Turn, a *Attempt) { a.Withheld = false })
			give("voided", state, func(_ *Turn, a *Attempt) { a.Voided = true })
		}
		for _, state := range []State{Authorized, Paid} {
			kind, otherKind := providers.Refund, providers.Void
			if state == Authorized {
				kind, otherKind = providers.Void, providers.Refund
			}
			for _, sums := range [][2]int64{{1000, 400}, {1000, 999}, {1000, 1000}, {1000, 1001}, {1, 0}, {1, 1}} {
				give(fmt.Sprintf("captured %d, refunded %d", sums[0], sums[1]), state, func(_ *Turn, a *Attempt) { a.Captured, a.Refunded = sums[0], sums[1] })
			}
			for _, disputed := range []int64{400, 999, 1000} {
				give(fmt.Sprintf("in dispute about %d", disputed), state, func(_ *Turn, a *Attempt) { a.Dispute, a.Disputed = "opened", disputed })
			}
			give("in dispute about 400, 600 refunded", state, func(_ *Turn, a *Attempt) { a.Dispute, a.Disputed, a.Refunded = "lost", 400, 600 })
			give("not left, all refunded", state, func(_ *Turn, a *Attempt) { a.Withheld, a.Captured, a.Refunded = false, 1000, 1000 })
			give("not left, voided", state, func(_ *Turn, a *Attempt) { a.Withheld, a.Voided = false, true })
			give("a part of the hold", state, func(_ *Turn, a *Attempt) { a.AmountAuthorized = 700 })
			give("the gateway cannot", state, func(t *Turn, _ *Attempt) { t.Rules.Operations = []providers.OpLimits{{Kind: otherKind}} })
			give("the gateway can do nothing else", state, func(t *Turn, _ *Attempt) { t.Rules.Operations = []providers.OpLimits{{Kind: kind}} })
			for _, is := range opStates {
				if is != OpSucceeded {
					give(fmt.Sprintf("tried, and that is %s", is), state, tried(kind, is, later, 1))
				}
				give(fmt.Sprintf("tried, and that is %s, why is not known", is), state, tried(kind, is, nil, 1))
				give(fmt.Sprintf("tried otherwise, and that is %s", is), state, tried(otherKind, is, no, 1))
			}
			give("tried and refused", state, tried(kind, OpFailed, no, 1))
			give("tried, and the account was refused", state, tried(kind, OpFailed, &providers.Decline{Reason: providers.Misconfigured}, 1))
			give("tried and refused, then put off", state, func(t *Turn, a *Attempt) { tried(kind, OpFailed, no, 1)(t, a); tried(kind, OpFailed, later, 1)(t, a) })
			for _, times := range []int{maxReleases - 1, maxReleases} {
				give(fmt.Sprintf("put off %d times", times), state, tried(kind, OpFailed, later, times))
				give(fmt.Sprintf("put off %d times, for another attempt", times), state, func(t *Turn, a *Attempt) {
					tried(kind, OpFailed, no, times)(t, a)
					for _, op := range t.S.Operations {
						op.Attempt = 2
					}
				})
				give(fmt.Sprintf("put off %d times, by the merchant", times), state, func(t *Turn, a *Attempt) {
					tried(kind, OpFailed, no, times)(t, a)
					for _, op := range t.S.Operations {
						op.GiveBack = false
					}
				})
			}
			for _, ruling := range []Ruling{RuledPaid, RuledNotPaid} {
				give("a person says "+string(ruling), state, func(t *Turn, _ *Attempt) {
					t.S.Settlements = []*Settlement{{N: 1, Attempt: 1, Outcome: ruling, Amount: 1000, Confirmed: noon}}
				})
			}
			give("no token to be had", state, func(t *Turn, a *Attempt) {
				a.Ref.Reference = "a reference of thirty-one letters"
				t.Token = func() (string, error) { return "", errors.New("no randomness") }
			})
		}
	})
}

// What the card holder's bank claims back is not given back beside it: the shop would lose it twice.
func TestMoneyThatTheBankClaimsBackIsNotGivenBackTwice(t *testing.T) {
	t.Parallel()
	for disputed, want := range map[int64]int64{0: 1000, 400: 600, 1000: 0} {
		for _, state := range []State{Abandoned, Paid} { // the money comes with its dispute, or was there
			a := attemptIn(1, state)
			a.Withheld, a.PaidLate = true, true
			turn := turnOf(a)
			st := standing(1, providers.Paid)
			if disputed > 0 {
				st.Dispute = &providers.Dispute{State: providers.DisputeOpened, Amount: disputed}
			}
			must(t, turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: st}))
			given := int64(0)
			for _, op := range turn.S.Operations {
				given += op.Amount
			}
			if given != want || a.NeedsReview != (want == 0) {
				t.Errorf("%s, %d claimed back: %d given back, needs review %v", state, disputed, given, a.NeedsReview)
			}
		}
	}
}

// When an attempt that has ended is looked at, where it was left, and what a browser brings for it then.
func TestWhenAnAttemptThatWasLeftIsLookedAt(t *testing.T) {
	t.Parallel()
	decisions(t, "left", func(d *table) {
		for _, state := range []State{Abandoned, Failed, Declined} {
			for _, ago := range []time.Duration{0, time.Minute - 1, time.Minute, 6 * time.Minute, 21 * time.Minute, 81 * time.Minute, 24*time.Hour + time.Minute - 1, 24*time.Hour + time.Minute, 48 * time.Hour} {
				for _, life := range []time.Duration{24 * time.Hour, time.Minute} {
					if life == time.Minute && state != Abandoned {
						continue
					}
					a := attemptIn(1, state)
					a.Withheld, a.UpdatedAt, a.CreatedAt = true, noon.Add(-ago), noon.Add(-ago)
					turn := turnOf(a)
					turn.Rules.OrderLife = life
					d.is(fmt.Sprintf("%s, left %s ago, an order lives for %s: it waits", state, ago, life), turn, looked(InquiryAnswer{Standing: standing(1, providers.Waiting)}))
				}
			}
			for _, ago := range []time.Duration{15 * time.Minute, 16*time.Minute - 1, 16 * time.Minute} {
				a := attemptIn(1, state)
				a.Withheld, a.UpdatedAt, a.CreatedAt = true, noon.Add(-ago), noon.Add(-ago)
				turn := turnOf(a)
				turn.Rules.OrderLife = time.Minute
				d.is(fmt.Sprintf("%s, left %s ago, an order lives for less than a shopper may take: it waits", state, ago), turn, looked(InquiryAnswer{Standing: standing(1, providers.Waiting)}))
			}
		}
		for _, reason := range []providers.Reason{"", providers.TryAgainLater, providers.OtherReason, providers.Limit, providers.AuthenticationFailed} {
			step := challenge("c")
			a := attemptIn(1, Unknown)
			a.Step, a.StepN = &step, 1
			if reason != "" {
				a.Decline = &providers.Decline{Reason: reason, Code: "7"}
			}
			a.Calls = nil
			for n := range 3 {
				a.Calls = append(a.Calls, Call{Attempt: 1, Kind: CallResume, Round: n + 1, AnsweredAt: noon.Add(-time.Hour), Result: resultRefused})
			}
			d.is(fmt.Sprintf("its answer was refused three times, declined for %q", reason), turnOf(a), looked(InquiryAnswer{Standing: withNext(standing(1, providers.Waiting), step)}))
		}
		for _, withheld := range []bool{false, true} {
			for _, state := range []State{Abandoned, Failed, Declined, Paid} {
				a := attemptIn(1, state)
				a.Withheld = withheld
				d.is(fmt.Sprintf("%s, left %v: its answer comes", state, withheld), turnOf(a), func(t *Turn) (string, error) {
					got, err := t.Arrivals().Returned(1, "run-1", threeds.Reply{CRes: cresOf(serverID, acsID)}, "sealed")
					return fmt.Sprintf("taken %v asked %v", got.Taken, got.Asked), err
				})
			}
		}
		for n := range len(rememberSchedule) + 2 {
			d.is(fmt.Sprintf("no card was named, the time after %d", n), turnOf(attemptIn(1, Paid)), func(t *Turn) (string, error) {
				err := t.Attempts().CardNotYetSaved(1, n)
				said := ""
				for _, e := range t.Change.Events {
					said += string(e.Data)
				}
				for _, j := range t.Change.Jobs {
					said += string(j.Payload)
				}
				return said, err
			})
		}
	})
}

// What is decided when money comes for an attempt: whether it counts, whose card is kept, what is refuted.
func TestWhatMoneyThatComesMeans(t *testing.T) {
	t.Parallel()
	decisions(t, "money", func(d *table) {
		for _, outcome := range []providers.Outcome{providers.Paid, providers.Authorized} {
			for _, state := range []State{New, Unknown, Declined, Abandoned} {
				comes := func(name string, make func(*Turn, *Attempt, *providers.Standing)) {
					a := attemptIn(1, state)
					turn := turnOf(a)
					st := standing(1, outcome)
					make(turn, a, &st)
					d.is(fmt.Sprintf("%s, %s: %s", state, outcome, name), turn, func(t *Turn) (string, error) {
						decided, err := looked(InquiryAnswer{Standing: st})(t)
						for _, j := range t.Change.Jobs {
							if j.Kind == JobRemember {
								decided += " " + string(j.Payload)
							}
						}
						return decided, err
					})
				}
				comes("it was left", func(t *Turn, a *Attempt, _ *providers.Standing) { a.Withheld = true })
				comes("it was left, its card to be saved", func(t *Turn, a *Attempt, _ *providers.Standing) { a.Withheld, t.S.SaveCard = true, true })
				comes("its card to be saved", func(t *Turn, _ *Attempt, _ *providers.Standing) { t.S.SaveCard = true })
				comes("its card to be saved, the shopper did not agree", func(t *Turn, a *Attempt, _ *providers.Standing) { t.S.SaveCard, a.NotKept = true, true })
				comes("it begins a series", func(_ *Turn, a *Attempt, _ *providers.Standing) { a.BeginsSeries = true })
				comes("it begins a series with a saved card, the shopper did not agree", func(_ *Turn, a *Attempt, _ *providers.Standing) {
					a.BeginsSeries, a.NotKept, a.Saved = true, true, "sc_1"
				})
				comes("a part of it refunded, stated", func(_ *Turn, _ *Attempt, st *providers.Standing) {
					st.Refunded, st.Stated = 400, outcome == providers.Paid
				})
				comes("a part of it refunded, supposed", func(_ *Turn, _ *Attempt, st *providers.Standing) { st.Refunded = 400 })
				comes("something given back, supposed", func(_ *Turn, _ *Attempt, st *providers.Standing) { st.Returned = true })
				comes("a chargeback", func(_ *Turn, _ *Attempt, st *providers.Standing) {
					st.Dispute = &providers.Dispute{State: providers.DisputeOpened, Amount: 300}
				})
				comes("a receipt was made", func(_ *Turn, _ *Attempt, st *providers.Standing) {
					st.Receipts = []providers.Receipt{{ID: "r", State: providers.ReceiptDone}}
				})
				comes("what the bank authorized", func(_ *Turn, _ *Attempt, st *providers.Standing) { st.Authorization.ApprovalCode = "123456" })
				comes("what the bank authorized of another amount", func(_ *Turn, _ *Attempt, st *providers.Standing) {
					st.Authorization.ApprovalCode, st.Amount = "123456", money.Amount{Minor: 1, Currency: tenge}
				})
				for _, ruling := range []Ruling{RuledPaid, RuledNotPaid} {
					for _, is := range []string{"open", "confirmed", "refuted"} {
						comes(fmt.Sprintf("a person said %s, and that is %s", ruling, is), func(t *Turn, a *Attempt, _ *providers.Standing) {
							r := &Settlement{N: 1, Attempt: 1, Outcome: ruling, At: noon.Add(-time.Hour), Was: "unknown"}
							if ruling == RuledPaid {
								r.Amount = 1000
							}
							switch is {
							case "confirmed":
								r.Confirmed = noon.Add(-time.Minute)
							case "refuted":
								r.Refuted = noon.Add(-time.Minute)
							}
							t.S.Settlements = []*Settlement{r}
						})
					}
				}
				for _, heldFor := range []string{"", "amount", "sums"} {
					for _, ago := range []time.Duration{time.Minute, 40 * 24 * time.Hour} {
						comes(fmt.Sprintf("of another amount, a person ruled on %q, the news %s ago", heldFor, ago), func(t *Turn, a *Attempt, st *providers.Standing) {
							a.NewsAt, st.Amount.Minor = noon.Add(-ago), 900
							t.S.Settlements = []*Settlement{{N: 1, Attempt: 1, Outcome: RuledNotPaid, HeldFor: heldFor, Was: "held"}}
						})
					}
				}
				comes("it was left, no token to be had", func(t *Turn, a *Attempt, st *providers.Standing) {
					a.Withheld, a.Ref.Reference, st.Reference = true, "a reference of thirty-one letters", ""
					t.Token = func() (string, error) { return "", errors.New("no randomness") }
				})
			}
		}
	})
}
