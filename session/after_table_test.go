package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

// book is a payment that has succeeded, as it may stand in our books.
type book struct {
	name  string
	state State
	write func(*Turn, *Attempt)
	kind  bookKind
}

// bookKind is what a book is one of, beside its sums.
type bookKind int

const (
	plainSums bookKind = iota
	disputes
	reviews
	lefts
)

func (b book) turn() *Turn {
	a := attemptIn(1, b.state)
	turn := turnOf(a)
	b.write(turn, a)
	return turn
}

// done is an operation that succeeded a minute ago and that the gateway's sums have not shown yet.
func done(kind providers.OpKind, amount int64) func(*Turn, *Attempt) {
	return func(t *Turn, a *Attempt) {
		switch kind {
		case providers.Refund:
			a.Refunded += amount
		case providers.Capture:
			a.Captured = amount
		case providers.Void:
			if amount == a.AmountAuthorized {
				a.Voided = true
			} else {
				a.AmountAuthorized -= amount
			}
		}
		t.S.Operations = append(t.S.Operations, &Operation{
			N: 1, Kind: kind, State: OpSucceeded, Attempt: 1, Amount: amount, Reference: "o-1-x1", Unconfirmed: true,
			CreatedAt: noon.Add(-time.Minute), UpdatedAt: noon.Add(-time.Minute),
		})
	}
}

// left makes a payment one that was left, and whose money came all the same.
func left(of func(*Attempt)) func(*Turn, *Attempt) {
	return func(t *Turn, a *Attempt) {
		a.Withheld, a.PaidLate, t.S.ClosedReason = true, true, Cancelled
		of(a)
	}
}

func only(of func(*Attempt)) func(*Turn, *Attempt) { return func(_ *Turn, a *Attempt) { of(a) } }

var books = []book{
	{"paid", Paid, only(func(*Attempt) {}), plainSums},
	{"paid, 400 refunded", Paid, only(func(a *Attempt) { a.Refunded = 400 }), plainSums},
	{"paid, all refunded", Paid, only(func(a *Attempt) { a.Refunded = 1000 }), plainSums},
	{"paid 600 of the hold", Paid, only(func(a *Attempt) { a.Captured = 600 }), plainSums},
	{"paid 600 of the hold, 200 refunded", Paid, only(func(a *Attempt) { a.Captured, a.Refunded = 600, 200 }), plainSums},
	{"paid all of a hold of 700", Paid, only(func(a *Attempt) { a.AmountAuthorized, a.Captured = 700, 700 }), plainSums},
	{"paid, its hold not in the books", Paid, only(func(a *Attempt) { a.AmountAuthorized = 0 }), plainSums},
	{"paid and reversed", Paid, only(func(a *Attempt) { a.Captured, a.Voided = 0, true }), plainSums},
	{"paid, a refund of 300 not confirmed", Paid, done(providers.Refund, 300), plainSums},
	{"paid, a capture of 600 not confirmed", Paid, done(providers.Capture, 600), plainSums},
	{"paid, in dispute about 400", Paid, only(func(a *Attempt) { a.Dispute, a.Disputed = "opened", 400 }), disputes},
	{"paid, a dispute about 400 lost", Paid, only(func(a *Attempt) { a.Dispute, a.Disputed = "lost", 400 }), disputes},
	{"paid, a dispute won", Paid, only(func(a *Attempt) { a.Dispute = "won" }), disputes},
	{"paid, its sums to be looked at", Paid, only(func(a *Attempt) { a.NeedsReview, a.Mismatch = true, "sums" }), reviews},
	{"paid, another order to be looked at", Paid, only(func(a *Attempt) { a.NeedsReview, a.Mismatch = true, secondOrder }), reviews},
	{"paid after it was left", Paid, left(func(*Attempt) {}), lefts},
	{"paid after it was left, 400 refunded", Paid, left(func(a *Attempt) { a.Refunded = 400 }), lefts},
	{"paid after it was left, to be looked at", Paid, left(func(a *Attempt) { a.NeedsReview = true }), lefts},
	{"paid after it was left, all refunded, to be looked at", Paid, left(func(a *Attempt) { a.Refunded, a.NeedsReview = 1000, true }), lefts},
	{"authorized", Authorized, only(func(*Attempt) {}), plainSums},
	{"authorized, 300 of it voided", Authorized, only(func(a *Attempt) { a.AmountAuthorized = 700 }), plainSums},
	{"authorized and voided", Authorized, only(func(a *Attempt) { a.Voided = true }), plainSums},
	{"authorized, a void of 300 not confirmed", Authorized, done(providers.Void, 300), plainSums},
	{"authorized, a void of all not confirmed", Authorized, done(providers.Void, 1000), plainSums},
	{"authorized after it was left", Authorized, left(func(*Attempt) {}), lefts},
}

// looked is an inquiry whose events' sums are told too.
func looked(in InquiryAnswer) func(*Turn) (string, error) {
	return func(t *Turn) (string, error) {
		in.Seen = t.S.Attempt(1).Seen()
		err := t.Inquired(1, in)
		var sums []string
		if a := t.S.Attempt(1); a.Said != nil {
			sums, a.Said = append(sums, "kept: "+a.Said.String()), nil
		}
		for _, e := range t.Change.Events {
			var data struct {
				Moved    int64 `json:"amount_moved"`
				Disputed int64 `json:"amount_disputed"`
				Gateway  *struct{}
			}
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return "", err
			}
			switch {
			case data.Moved != 0:
				sums = append(sums, fmt.Sprintf("moved %d", data.Moved))
			case e.Type == EventPaymentChargeback:
				sums = append(sums, fmt.Sprintf("disputed %d", data.Disputed))
			case e.Type == EventPaymentNeedsReview && data.Gateway != nil:
				sums = append(sums, "its figures told")
			}
		}
		return strings.Join(sums, ", "), err
	}
}

func TestWhatTheGatewaySaysOfAPaymentThatHasSucceeded(t *testing.T) {
	t.Parallel()
	decisions(t, "after-success", func(d *table) {
		says := func(b book, what string, st providers.Standing) {
			d.is(b.name+": "+what, b.turn(), looked(InquiryAnswer{Standing: st}))
		}
		for _, b := range books {
			for _, outcome := range outcomes {
				st := standing(1, outcome)
				if st.Stated = true; b.state == Paid && outcome == providers.Paid {
					st.Held, st.Captured = 0, 0
				}
				says(b, fmt.Sprintf("%s, as it states", outcome), st)
			}
			other := standing(1, b.turn().followedBy())
			other.Reference = "o-2"
			says(b, "what is of another payment", other)
			if b.kind == lefts || b.kind == reviews {
				continue
			}
			unstated := standing(1, b.turn().followedBy())
			says(b, "as before, its sums supposed", unstated)
			unstated.Returned = true
			says(b, "as before, and that something was given back", unstated)
			st := stated(providers.Voided, 0, 0, 0)
			st.RanOut = true
			says(b, "voided, of itself", st)
			if b.name == "paid" {
				refunded := b.turn()
				refunded.S.Attempts[0].Refunded = 1
				d.is("paid, the least refunded: voided, as it states", refunded, looked(InquiryAnswer{Standing: stated(providers.Voided, 0, 0, 0)}))
			}
			sums := [][2]int64{
				{1000, 0}, {1000, 1}, {1000, 299}, {1000, 300}, {1000, 301}, {1000, 399}, {1000, 400}, {1000, 401}, {1000, 600}, {1000, 1000}, {999, 0}, {999, 1}, {800, 200},
				{701, 0}, {601, 0}, {601, 1}, {600, 0}, {600, 200}, {600, 400}, {600, 401}, {599, 0}, {599, 200}, {0, 1}, {0, 400},
			}
			if b.state == Authorized {
				sums = [][2]int64{{0, 0}, {1000, 0}, {700, 0}, {701, 0}, {600, 100}, {1, 1}, {1000, 1000}}
				for _, held := range []int64{1000, 999, 701, 700, 699, 1} {
					says(b, fmt.Sprintf("held %d", held), stated(providers.Authorized, held, 0, 0))
				}
			}
			if b.kind == disputes {
				sums = nil
			}
			for _, sum := range sums {
				says(b, fmt.Sprintf("captured %d, refunded %d", sum[0], sum[1]), stated(providers.Paid, 0, sum[0], sum[1]))
			}
			for _, of := range []providers.DisputeState{providers.DisputeOpened, providers.DisputeLost, providers.DisputeWon} {
				for _, amount := range []int64{-1, 0, 1, 400, 1000, 1001} {
					if b.kind != disputes && b.name != "paid, 400 refunded" || amount != 0 && amount != 400 && of != providers.DisputeOpened {
						continue
					}
					st := standing(1, providers.Paid)
					st.Dispute = &providers.Dispute{State: of, Amount: amount}
					says(b, fmt.Sprintf("a dispute about %d is %s", amount, of), st)
				}
			}
			for _, outcome := range []providers.Outcome{providers.Processing, providers.Refused, providers.Paid} {
				if b.name == "paid" || b.name == "paid, a refund of 300 not confirmed" {
					st := standing(1, outcome)
					st.Stated, st.Dispute = true, &providers.Dispute{State: providers.DisputeOpened, Amount: 400}
					says(b, fmt.Sprintf("%s, and a dispute", outcome), st)
				}
			}
			if b.state == Paid && b.kind != disputes {
				for _, refunded := range []int64{1, 400} {
					st := standing(1, providers.Paid)
					st.Refunded = refunded
					says(b, fmt.Sprintf("that %d were refunded, it supposes", refunded), st)
				}
			}
		}
	})
}

// followedBy is the outcome that says of a payment what our books do.
func (t *Turn) followedBy() providers.Outcome { return recordedSums(t.S.Attempts[0]).Outcome }

// When a payment that has succeeded is looked at again, whatever makes it sooner.
func TestWhenAPaymentThatHasSucceededIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	decisions(t, "looks", func(d *table) {
		day := 24 * time.Hour
		look := func(situation string, turn *Turn, in InquiryAnswer) {
			d.is(situation, turn, looked(in))
		}
		found := func(b book) InquiryAnswer {
			return InquiryAnswer{Standing: standing(1, b.turn().followedBy())}
		}
		held, taken, voided, reversed := books[19], books[0], books[21], books[7]
		for _, ago := range []time.Duration{10 * time.Second, time.Minute, time.Hour, 8 * day, 45 * day, 52 * day} {
			for _, b := range []book{taken, held, voided, reversed} {
				turn := b.turn()
				turn.S.Attempts[0].NewsAt = noon.Add(-ago)
				look(fmt.Sprintf("%s, the news %s ago", b.name, ago), turn, found(b))
				for _, receipt := range []providers.ReceiptState{providers.ReceiptPending, providers.ReceiptDone} {
					turn := b.turn()
					turn.S.Attempts[0].NewsAt = noon.Add(-ago)
					turn.S.Attempts[0].Receipts = []providers.Receipt{{ID: "r", State: receipt}}
					look(fmt.Sprintf("%s, the news %s ago, a receipt %s", b.name, ago, receipt), turn, found(b))
				}
			}
		}
		for _, ago := range []time.Duration{time.Second, 45 * day} {
			turn := taken.turn()
			turn.S.Kind, turn.S.Attempts[0].NewsAt = KindPayout, noon.Add(-ago)
			look(fmt.Sprintf("a payout, the news %s ago", ago), turn, found(taken))
		}
		short := func(turn *Turn) *Turn { // a payment that is not followed any more, a moment before a look would have been due
			turn.Rules.FollowFor, turn.S.Attempts[0].NewsAt = 30*time.Minute, noon.Add(-59*time.Minute-50*time.Second)
			return turn
		}
		look("paid, followed no more", short(taken.turn()), found(taken))
		pending := short(taken.turn())
		pending.S.Attempts[0].Receipts = []providers.Receipt{{ID: "r", State: providers.ReceiptPending}}
		look("paid, followed no more, a receipt pending", pending, found(taken))
		unseen := short(books[8].turn())
		unseen.S.Operations[0].UpdatedAt = unseen.S.Attempts[0].NewsAt
		look("paid, followed no more, a refund of 300 not confirmed", unseen, InquiryAnswer{Standing: stated(providers.Paid, 1000, 1000, 0)})
		unheard := short(taken.turn())
		unheard.S.Attempts[0].LookFailedSince = noon.Add(-30 * time.Second)
		look("paid, followed no more, looks without an answer", unheard, InquiryAnswer{Err: errors.New("cut")})
		for _, ago := range []time.Duration{time.Second, 31 * time.Second, 6 * time.Minute, 59*time.Minute + 50*time.Second, 7*day - time.Second, 7 * day, 60 * day} {
			for _, reviewed := range []bool{false, true} {
				turn := books[8].turn()
				op := turn.S.Operations[0]
				op.UpdatedAt, op.NeedsReview, turn.S.Attempts[0].NewsAt = noon.Add(-ago), reviewed, noon.Add(-ago)
				d.is(fmt.Sprintf("a refund done %s ago and not seen yet, reviewed %v", ago, reviewed), turn, func(t *Turn) (string, error) {
					err := t.Inquired(1, InquiryAnswer{Seen: t.S.Attempts[0].Seen(), Standing: stated(providers.Paid, 1000, 1000, 0)})
					for _, e := range t.Change.Events {
						return string(e.Data), err
					}
					return "", err
				})
			}
		}
		silence := map[string]error{
			"no answer": errors.New("cut"), "the customer's credential refused": providers.ErrCredential,
			"the account refused": providers.Failure{Op: "status", Code: "5", Text: "access denied"}.Misconfigured(false),
		}
		for name, err := range silence {
			for _, since := range []time.Duration{-1, time.Second, 61 * time.Second, 2 * time.Hour, day - time.Second, day, 2 * day} {
				for _, ago := range []time.Duration{10 * time.Minute, 50 * day} {
					turn := taken.turn()
					a := turn.S.Attempts[0]
					if a.NewsAt = noon.Add(-ago); since >= 0 {
						a.LookFailedSince = noon.Add(-since)
					}
					look(fmt.Sprintf("paid, the news %s ago, looks without an answer since %s: %s", ago, since, name), turn, InquiryAnswer{Err: err})
				}
			}
		}
		turn := taken.turn()
		turn.S.Attempts[0].LookFailedSince = noon.Add(-time.Hour)
		look("paid, an answer after looks without one", turn, found(taken))
		turn = taken.turn()
		turn.S.Attempts[0].LookFailedSince = noon.Add(-time.Hour)
		other := standing(1, providers.Paid)
		other.Amount.Minor = 1
		look("paid, an answer of another payment after looks without one", turn, InquiryAnswer{Standing: other})
		st := standing(1, providers.Paid)
		st.Receipts = []providers.Receipt{{ID: "r", State: providers.ReceiptDone}}
		look("paid, and a receipt was made", taken.turn(), InquiryAnswer{Standing: st})
		st.Authorization = providers.Authorization{ApprovalCode: "123456"}
		look("paid, and what the bank authorized is told", taken.turn(), InquiryAnswer{Standing: st})
		st.Amount = money.Amount{Minor: 1, Currency: tenge}
		look("paid, and what the bank authorized of another amount is told", taken.turn(), InquiryAnswer{Standing: st})
		no := books[15].turn()
		no.S.Attempts[0].Ref.Reference, no.Token = strings.Repeat("o", 40), func() (string, error) { return "", errors.New("no randomness") }
		st = standing(1, providers.Paid)
		st.Reference = ""
		look("paid after it was left, no token to be had", no, InquiryAnswer{Standing: st})
	})
}

// A callback asks at once, or a moment after the inquiry that the one before caused.
func TestWhenACallbackAsks(t *testing.T) {
	t.Parallel()
	decisions(t, "callbacks", func(d *table) {
		for _, state := range []State{Gateway, Paid, Declined} {
			for _, last := range []time.Duration{
				-time.Hour, -CallbackGap, -CallbackGap + 1, -time.Second, 0, 1, time.Second, CallbackGap, CallbackGap + 1, time.Hour,
			} {
				for _, known := range []bool{true, false} {
					a := attemptIn(1, state)
					a.CalledBackAt = noon.Add(last)
					id := "g-1"
					if !known {
						id = "g-2"
					}
					d.is(fmt.Sprintf("%s, the last one at %s: of the order %s", state, last, id), turnOf(a), func(t *Turn) (string, error) {
						return "", t.Arrivals().CalledBack(1, id)
					})
					a = attemptIn(1, state)
					a.CalledBackAt = noon.Add(last)
					d.is(fmt.Sprintf("%s, the last one at %s: a browser names the order %s", state, last, id), turnOf(a), func(t *Turn) (string, error) {
						return fmt.Sprintf("news %v", t.Arrivals().Named(1, id)), nil
					})
				}
			}
			d.is(fmt.Sprintf("%s: the first", state), turnOf(attemptIn(1, state)), func(t *Turn) (string, error) { return "", t.Arrivals().CalledBack(1, "g-1") })
		}
		for _, state := range states {
			for _, had := range []string{"", "g-1"} {
				for _, beside := range []int{0, 1, maxOrders - 1, maxOrders} {
					if beside > 0 && had == "" {
						continue
					}
					for _, id := range []string{"", "g-1", "g-2", "g-new"} {
						a := attemptIn(1, state)
						a.Ref.OrderID = had
						for n := range beside {
							a.OtherOrders = append(a.OtherOrders, fmt.Sprintf("g-%d", n+2))
						}
						if beside > 1 && (id != "g-new" || state != Gateway) {
							continue
						}
						d.is(fmt.Sprintf("%s, its order %q and %d others: a browser names %q", state, had, beside, id), turnOf(a), func(t *Turn) (string, error) {
							return fmt.Sprintf("news %v", t.Arrivals().Named(1, id)), nil
						})
					}
				}
			}
		}
		d.is("an attempt that is not there: a browser names an order", turnOf(), func(t *Turn) (string, error) {
			return fmt.Sprintf("news %v", t.Arrivals().Named(1, "g-1")), nil
		})
	})
}

// Whatever the books and the gateway say: what our books lose or gain is told, and never without the gateway having stated it.
func TestOfAPaymentThatHasSucceededNothingMovesWithoutAnEvent(t *testing.T) {
	t.Parallel()
	for _, b := range books {
		for _, outcome := range outcomes {
			for _, isStated := range []bool{false, true} {
				turn := b.turn()
				a := turn.S.Attempts[0]
				before, st := recordedSums(a), standing(1, outcome)
				st.Stated = isStated
				if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: st}); err != nil && !errors.Is(err, ErrNothing) {
					t.Fatal(err)
				}
				told := slices.ContainsFunc(eventTypes(turn), func(e EventType) bool {
					return strings.HasSuffix(string(e), ".elsewhere") || e == EventRefundUndone || e == EventAuthorizationExpired
				})
				if told != (recordedSums(a) != before) {
					t.Errorf("%s, %s, stated %v: told %v, and the books were %+v and are %+v", b.name, outcome, isStated, told, before, recordedSums(a))
				}
			}
		}
	}
}
