package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tollgate/providers"
)

// A callback is answered by an inquiry that is made at once where nobody has the attempt in hand, nothing new is to be kept of it, and
// none has just been made.
func TestWhichCallbacksAreAskedAboutAtOnce(t *testing.T) {
	t.Parallel()
	decisions(t, "asked-at-once", func(d *table) {
		ask := func(name, order string, make func(*Attempt), state State) {
			a := attemptIn(1, state)
			make(a)
			d.is(fmt.Sprintf("%s, %s: a callback of %q", state, name, order), turnOf(a), func(t *Turn) (string, error) {
				return fmt.Sprint(t.Arrivals().AskedAtOnce(1, order)), nil
			})
		}
		for _, state := range states {
			for _, order := range []string{"", "g-1", "g-2"} {
				ask("no callback before", order, func(*Attempt) {}, state)
			}
			for _, before := range []time.Duration{-CallbackGap, -CallbackGap + 1, 0, 1, CallbackGap + 1} {
				ask(fmt.Sprintf("one before, at %s", before), "g-1", func(a *Attempt) { a.CalledBackAt = noon.Add(before) }, state)
			}
			ask("not to be asked for a moment", "g-1", func(a *Attempt) { a.AskAfter = noon.Add(1) }, state)
			ask("to be asked again from now on", "g-1", func(a *Attempt) { a.AskAfter = noon }, state)
		}
		d.is("an attempt that is not there", turnOf(attemptIn(1, Paid)), func(t *Turn) (string, error) {
			return fmt.Sprint(t.Arrivals().AskedAtOnce(2, "g-1")), nil
		})
	})
}

// What the inquiry brings is stored with the callback. Of a payment that has succeeded nothing is stored where it brings nothing new.
func TestWhatACallbackStoresWithTheAnswerToItsInquiry(t *testing.T) {
	t.Parallel()
	decisions(t, "called-back-and-asked", func(d *table) {
		bank := providers.Authorization{ApprovalCode: "123456", RequestID: "r-1"}
		called := func(name, order string, in InquiryAnswer, make func(*Turn)) {
			turn, before := turnOf(attemptIn(1, Paid)), turnOf(attemptIn(1, Paid))
			make(turn)
			make(before)
			d.is(fmt.Sprintf("%s, a callback of %q", name, order), turn, func(t *Turn) (string, error) {
				in.Seen = t.S.Attempts[0].Seen()
				err := t.Arrivals().CalledBackAndAsked(1, order, in, before.S)
				if len(t.S.Attempts[0].Trace) > 0 {
					return fmt.Sprintf("%d lines of the timeline", len(t.S.Attempts[0].Trace)), err
				}
				return "", err
			})
		}
		for _, state := range states {
			if state == New || state == Calling {
				continue
			}
			for _, outcome := range outcomes {
				called(fmt.Sprintf("%s: %s", state, outcome), "g-1", InquiryAnswer{Standing: standing(1, outcome)}, func(t *Turn) { t.S.Attempts = []*Attempt{attemptIn(1, state)} })
			}
			called(string(state)+": no answer", "g-1", InquiryAnswer{Err: errors.New("cut")}, func(t *Turn) { t.S.Attempts = []*Attempt{attemptIn(1, state)} })
		}
		for name, make := range map[string]func(*Turn){
			"as it was": func(*Turn) {},
			"another attempt beside it": func(t *Turn) {
				t.S.Attempts = append([]*Attempt{attemptIn(2, Declined)}, t.S.Attempts...)
			},
			"told of the authorization before": func(t *Turn) { t.S.Attempts[0].Authorization = bank },
			"called back a minute ago":         func(t *Turn) { t.S.Attempts[0].CalledBackAt = noon.Add(-time.Minute) },
			"to be asked in a minute":          func(t *Turn) { t.S.Attempts[0].NextInquiry = noon.Add(time.Minute) },
			"looks failed before":              func(t *Turn) { t.S.Attempts[0].LookFailedSince = noon.Add(-time.Minute) },
			"with lines of its timeline":       func(t *Turn) { t.S.Attempts[0].Trace = []TimelineEntry{{Kind: "k", Name: "n"}} },
			"a refund of it under way": func(t *Turn) {
				t.S.Operations = []*Operation{{N: 1, Attempt: 1, Kind: providers.Refund, State: OpPending, Amount: 300, CreatedAt: noon.Add(-time.Minute), Deadline: noon.Add(-time.Minute)}}
			},
		} {
			for news, change := range map[string]func(*providers.Standing){
				"nothing new": func(*providers.Standing) {}, "the authorization": func(st *providers.Standing) { st.Authorization = bank },
				"the authorization in another answer": func(st *providers.Standing) { st.Authorization = bank; st.Authorization.RequestID = "r-2" },
				"an answer's id":                      func(st *providers.Standing) { st.Authorization.RequestID = "r-2" },
				"a refund":                            func(st *providers.Standing) { st.Refunded, st.Stated = 300, true },
				"a receipt":                           func(st *providers.Standing) { st.Receipts = []providers.Receipt{{}} },
			} {
				for _, order := range []string{"g-1", "g-2"} {
					st := standing(1, providers.Paid)
					change(&st)
					called(fmt.Sprintf("paid, %s: %s", name, news), order, InquiryAnswer{Standing: st}, make)
				}
			}
		}
		gone := turnOf(attemptIn(1, Paid))
		d.is("an attempt that was not there before", gone, func(t *Turn) (string, error) {
			return "", t.Arrivals().CalledBackAndAsked(1, "g-1", InquiryAnswer{Seen: t.S.Attempts[0].Seen(), Standing: standing(1, providers.Paid)}, turnOf().S)
		})
	})
}
