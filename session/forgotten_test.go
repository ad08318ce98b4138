package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/providers"
)

// A database that is older than the truth has forgotten attempts. What the gateway says of one is written down with a call
// without an answer, and the attempt that the database has as live was left before it.
func TestWhatIsMadeOfAnAttemptThatTheDatabaseHasForgotten(t *testing.T) {
	t.Parallel()
	wire := []TimelineEntry{{Kind: EntryHTTP, Name: "POST /status"}}
	of := func(n int, outcome providers.Outcome) providers.Standing {
		st := standing(n, outcome)
		st.Ref.OrderID = fmt.Sprintf("g-%d", n)
		return st
	}
	found := func(n int, st providers.Standing) func(*Turn) (string, error) {
		return func(t *Turn) (string, error) { return "", t.Attempts().FoundAttempt(n, st, wire) }
	}
	decisions(t, "forgotten", func(d *table) {
		for _, outcome := range outcomes {
			for _, n := range []int{1, 2, 3} {
				d.is(fmt.Sprintf("nothing is known: attempt %d is %s", n, outcome), turnOf(), found(n, of(n, outcome)))
			}
		}
		for _, state := range states {
			for _, outcome := range []providers.Outcome{providers.Paid, providers.Waiting, providers.Refused, providers.NotFound} {
				d.is(fmt.Sprintf("the first is %s: the second is %s", state, outcome), turnOf(attemptIn(1, state)), found(2, of(2, outcome)))
			}
			d.is(fmt.Sprintf("the first is %s: it is paid", state), turnOf(attemptIn(1, state)), found(1, of(1, providers.Paid)))
			d.is(fmt.Sprintf("the first is declined, the second %s: the third is paid", state), turnOf(attemptIn(1, Declined), attemptIn(2, state)), found(3, of(3, providers.Paid)))
		}
		of2 := of(2, providers.Paid)
		of2.Reference = "o-1"
		d.is("the first is unknown: the second is another's", turnOf(attemptIn(1, Unknown)), found(2, of2))
		d.is("the first is declined, the second unknown: the first is waiting", turnOf(attemptIn(1, Declined), attemptIn(2, Unknown)), found(1, of(1, providers.Waiting)))
		turn := turnOf(attemptIn(1, Unknown))
		turn.S.ExpiresAt, turn.S.EarlierAttempts, turn.S.RefTag, turn.S.Method = noon, 4, "m-", "qr"
		st := of(2, providers.Paid)
		st.Reference = "m-o-6"
		d.is("a session of another number that is over: its second is paid", turn, found(2, st))
		for _, outcome := range []providers.Outcome{providers.Paid, providers.Waiting} {
			turn = turnOf(attemptIn(1, Unknown))
			turn.Token = func() (string, error) { return "", errors.New("no randomness") }
			d.is(fmt.Sprintf("no token to be had: the second is %s", outcome), turn, found(2, of(2, outcome)))
		}
		turn = turnOf()
		turn.CallerDied = true
		d.is("nothing is known, the caller dead: the first is waiting", turn, found(1, of(1, providers.Waiting)))
		next := challenge("c")
		next.NewRun = true
		turn = turnOf()
		tokens := 0
		turn.Token = func() (string, error) {
			if tokens++; tokens > 1 {
				return "", errors.New("no randomness")
			}
			return "new-token-1", nil
		}
		st = of(1, providers.Waiting)
		st.Next = &next
		d.is("nothing is known, no second token to be had: the first waits for a challenge of a new run", turn, found(1, st))
	})
}

// Moments that lie ahead because the clock has gone back put nothing off, and a call's deadline is no further than a call's time.
func TestWhatAnInquiryMakesOfMomentsThatLieAhead(t *testing.T) {
	t.Parallel()
	decisions(t, "clock", func(d *table) {
		for _, state := range states {
			for _, ahead := range []time.Duration{time.Second, 30 * time.Second, 30*time.Second + 1, time.Hour} {
				for _, in := range []struct {
					name string
					in   InquiryAnswer
				}{{"no answer", InquiryAnswer{Err: errors.New("cut")}}, {"not found", InquiryAnswer{Standing: standing(1, providers.NotFound)}}} {
					a := attemptIn(1, state)
					a.Deadline, a.NewsAt, a.UpdatedAt = noon.Add(ahead), noon.Add(ahead), noon.Add(ahead)
					if !a.StepAt.IsZero() {
						a.StepAt = noon.Add(ahead)
					}
					d.is(fmt.Sprintf("%s, all of it %s ahead: %s", state, ahead, in.name), turnOf(a), looked(in.in))
				}
			}
		}
	})
}

// After a week a person has to look at what lives, whatever the gateway says; that is told once.
func TestWhatLivesForAWeekNeedsReviewOnce(t *testing.T) {
	t.Parallel()
	decisions(t, "old", func(d *table) {
		for _, state := range states {
			for _, age := range []time.Duration{reviewAfter - time.Second, reviewAfter} {
				for _, reviewed := range []bool{false, true} {
					for name, in := range map[string]InquiryAnswer{
						"it waits": {Standing: standing(1, providers.Waiting)}, "it works": {Standing: standing(1, providers.Processing)},
						"refused": {Standing: standing(1, providers.Refused)}, "no answer": {Err: errors.New("cut")},
					} {
						a := attemptIn(1, state)
						a.CreatedAt, a.NeedsReview = noon.Add(-age), reviewed
						d.is(fmt.Sprintf("%s for %s, reviewed %v: %s", state, age, reviewed, name), turnOf(a), looked(in))
					}
				}
			}
		}
		for _, reviewed := range []bool{false, true} {
			a := attemptIn(1, Unknown)
			a.CreatedAt, a.NeedsReview, a.StepN = noon.Add(-reviewAfter), reviewed, 1
			d.is(fmt.Sprintf("unknown for a week, reviewed %v: refused, asked before it moved on", reviewed), turnOf(a), func(t *Turn) (string, error) {
				return "", t.Inquired(1, InquiryAnswer{Seen: Seen{State: Gateway, StepN: 1}, Standing: standing(1, providers.Refused)})
			})
			a = attemptIn(1, Shopper)
			a.CreatedAt, a.NeedsReview = noon.Add(-reviewAfter), reviewed
			next := challenge("another")
			next.NewRun = true
			st := standing(1, providers.Waiting)
			st.Next = &next
			turn := turnOf(a)
			turn.Token = func() (string, error) { return "", errors.New("no randomness") }
			d.is(fmt.Sprintf("shopper for a week, reviewed %v: a new run, no token to be had", reviewed), turn, inquired(1, st))
		}
	})
}

// What the gateway refuses of the account itself is told, whoever met it.
func TestARefusalOfTheAccountIsTold(t *testing.T) {
	t.Parallel()
	refusal := providers.Failure{Op: "status", Code: "5", Text: "access denied"}.Misconfigured(false)
	decisions(t, "misconfigured", func(d *table) {
		for _, state := range states {
			for _, rules := range []bool{false, true} {
				turn := turnOf(attemptIn(1, state))
				turn.Rules.DeclineMayChange = rules
				turn.S.Attempts[0].NewsAt = noon.Add(-40 * 24 * time.Hour)
				d.is(fmt.Sprintf("%s, a decline may change %v: an inquiry", state, rules), turn, looked(InquiryAnswer{Err: refusal}))
			}
			d.is(fmt.Sprintf("%s: its registration", state), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) {
				return "", t.Attempts().NotRegistered(1, refusal, false, nil)
			})
			for _, in := range []CallAnswer{{Err: refusal}, {Err: refusal, Untaken: true}, {Err: refusal, Refused: true}} {
				d.is(fmt.Sprintf("%s: its call, untaken %v, refused %v", state, in.Untaken, in.Refused), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) {
					ask, err := t.Attempts().Answered(Call{Attempt: 1, Kind: CallPay, Round: 1, SentAt: noon.Add(-11 * time.Minute)}, in)
					return fmt.Sprintf("ask at once %v", ask), err
				})
			}
		}
		for _, is := range opStates {
			for _, untaken := range []bool{false, true} {
				turn, _ := withOperation(Paid, providers.Refund, is)
				d.is(fmt.Sprintf("a refund that is %s: its call, untaken %v", is, untaken), turn, func(t *Turn) (string, error) {
					return "", t.Operations().Answered(1, OperationAnswer{Err: refusal, Untaken: untaken}, &Call{Attempt: 1, Kind: "refund", Round: 1, SentAt: noon.Add(-time.Minute)})
				})
			}
			turn, _ := withOperation(Paid, providers.Refund, is)
			d.is(fmt.Sprintf("a refund that is %s: the inquiry before it", is), turn, func(t *Turn) (string, error) {
				_, ok, err := t.Operations().Permit(1, providers.Standing{}, refusal, nil)
				return fmt.Sprintf("permitted %v", ok), err
			})
		}
		for name, err := range map[string]error{"the account": refusal, "nothing of the account": errors.New("cut")} {
			d.is("a login, refused is "+name, turnOf(), func(t *Turn) (string, error) { return "", t.Logins().TellMisconfigured(err) })
		}
	})
}
