package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tollgate/providers"
)

// stated is a standing whose sums the gateway itself told.
func stated(outcome providers.Outcome, held, captured, refunded int64) providers.Standing {
	st := standing(1, outcome)
	st.Held, st.Captured, st.Refunded, st.Stated = held, captured, refunded, true
	return st
}

// after is what an inquiry about a payment that has succeeded leads to.
func after(t *testing.T, turn *Turn, st providers.Standing) (*Attempt, []string) {
	t.Helper()
	a := turn.S.Attempt(1)
	if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: st}); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range turn.Change.Events {
		told = append(told, string(e.Type))
	}
	return a, told
}

func dataOf(t *testing.T, e Event) map[string]any {
	t.Helper()
	data := map[string]any{}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// What is done in the gateway's cabinet, by the bank or by time is in our books after one inquiry, and told by its own event.
func TestWhatTheGatewayStatesGoesIntoTheBooks(t *testing.T) {
	t.Parallel()
	lost, opened, won := providers.DisputeLost, providers.DisputeOpened, providers.DisputeWon
	claim := func(state providers.DisputeState, amount int64) func(*providers.Standing) {
		return func(st *providers.Standing) {
			st.Stated, st.Dispute = false, &providers.Dispute{State: state, Amount: amount}
		}
	}
	for _, c := range []struct {
		name   string
		state  State
		was    func(*Attempt)
		st     providers.Standing
		more   func(*providers.Standing)
		told   []string
		moved  float64
		status Status
		sums   [4]int64 // authorized, captured, refunded, disputed
	}{
		{"a refund of a part", Paid, nil, stated(providers.Paid, 1000, 1000, 400), nil, []string{"refund.elsewhere"}, 400, StatusPartiallyRefunded, [4]int64{1000, 1000, 400}},
		{"a refund of all", Paid, nil, stated(providers.Paid, 1000, 1000, 1000), nil, []string{"refund.elsewhere"}, 1000, StatusRefunded, [4]int64{1000, 1000, 1000}},
		{"a refund after ours", Paid, func(a *Attempt) { a.Refunded = 400 }, stated(providers.Paid, 1000, 1000, 700), nil, []string{"refund.elsewhere"}, 300, StatusPartiallyRefunded, [4]int64{1000, 1000, 700}},
		{"a refund undone", Paid, func(a *Attempt) { a.Refunded = 1000 }, stated(providers.Paid, 1000, 1000, 0), nil, []string{"refund.undone"}, 1000, StatusPaid, [4]int64{1000, 1000}},
		{"a refund undone in part", Paid, func(a *Attempt) { a.Refunded = 1000 }, stated(providers.Paid, 1000, 1000, 250), nil, []string{"refund.undone"}, 750, StatusPartiallyRefunded, [4]int64{1000, 1000, 250}},
		{"told less what was given back", Paid, func(a *Attempt) { a.Refunded = 400 }, stated(providers.Paid, 1000, 600, 400), nil, nil, 0, StatusPartiallyRefunded, [4]int64{1000, 1000, 400}},
		{"of a part that was captured, told by the whole hold", Paid, func(a *Attempt) { a.Captured = 600 }, stated(providers.Paid, 1000, 1000, 600), nil, []string{"refund.elsewhere"}, 200, StatusPartiallyRefunded, [4]int64{1000, 600, 200}},
		{"more of the hold captured, and as much given back", Paid, func(a *Attempt) { a.Captured = 600 }, stated(providers.Paid, 1000, 800, 200), nil, []string{"capture.elsewhere", "refund.elsewhere"}, 200, StatusPartiallyRefunded, [4]int64{1000, 800, 200}},
		{"a payment reversed on the same day", Paid, nil, stated(providers.Voided, 0, 0, 0), nil, []string{"void.elsewhere"}, 1000, StatusVoided, [4]int64{1000}},
		{"a capture", Authorized, nil, stated(providers.Paid, 1000, 1000, 0), nil, []string{"payment.paid", "capture.elsewhere"}, 1000, StatusPaid, [4]int64{1000, 1000}},
		{"a capture of a part", Authorized, nil, stated(providers.Paid, 1000, 300, 0), nil, []string{"payment.paid", "capture.elsewhere"}, 300, StatusPaid, [4]int64{1000, 300}},
		{"a capture, and a refund of it", Authorized, nil, stated(providers.Paid, 1000, 1000, 200), nil, []string{"payment.paid", "capture.elsewhere", "refund.elsewhere"}, 200, StatusPartiallyRefunded, [4]int64{1000, 1000, 200}},
		{"a void", Authorized, nil, stated(providers.Voided, 0, 0, 0), nil, []string{"void.elsewhere"}, 1000, StatusVoided, [4]int64{1000}},
		{"a void of a part", Authorized, nil, stated(providers.Authorized, 700, 0, 0), nil, []string{"void.elsewhere"}, 300, StatusAuthorized, [4]int64{700}},
		{"a hold that ran out", Authorized, nil, stated(providers.Voided, 0, 0, 0), func(st *providers.Standing) { st.RanOut = true }, []string{"authorization.expired"}, 1000, StatusVoided, [4]int64{1000}},
		{"a hold whose order expired", Authorized, nil, stated(providers.Closed, 0, 0, 0), nil, []string{"authorization.expired"}, 1000, StatusVoided, [4]int64{1000}},
		{"a chargeback opened", Paid, nil, stated(providers.Paid, 1000, 1000, 0), claim(opened, 400), []string{"payment.chargeback"}, 0, StatusPaid, [4]int64{1000, 1000, 0, 400}},
		{"a chargeback of nobody knows how much", Paid, func(a *Attempt) { a.Refunded = 100 }, stated(providers.Paid, 1000, 1000, 0), claim(lost, 0), []string{"payment.chargeback"}, 0, StatusPartiallyRefunded, [4]int64{1000, 1000, 100, 900}},
		{"a chargeback of a hold", Authorized, nil, stated(providers.Authorized, 1000, 0, 0), claim(opened, 0), []string{"payment.chargeback"}, 0, StatusAuthorized, [4]int64{1000, 0, 0, 1000}},
		{"a chargeback of a hold that was captured elsewhere", Authorized, nil, stated(providers.Paid, 1000, 700, 0), claim(lost, 0), []string{"payment.paid", "capture.elsewhere", "payment.chargeback"}, 0, StatusPaid, [4]int64{1000, 700, 0, 700}},
		{"a chargeback lost", Paid, func(a *Attempt) { a.Dispute, a.Disputed = "opened", 400 }, stated(providers.Paid, 1000, 1000, 0), claim(lost, 0), []string{"payment.chargeback"}, 0, StatusPaid, [4]int64{1000, 1000, 0, 400}},
		{"a chargeback won", Paid, func(a *Attempt) { a.Dispute, a.Disputed = "opened", 400 }, stated(providers.Paid, 1000, 1000, 0), claim(won, 0), []string{"payment.chargeback"}, 0, StatusPaid, [4]int64{1000, 1000}},
		{"a chargeback that was won, and never was one", Paid, nil, stated(providers.Paid, 1000, 1000, 0), claim(won, 0), nil, 0, StatusPaid, [4]int64{1000, 1000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			paid := attemptIn(1, c.state)
			if c.was != nil {
				c.was(paid)
			}
			if c.more != nil {
				c.more(&c.st)
			}
			turn := turnOf(paid)
			a, told := after(t, turn, c.st)
			if !slices.Equal(told, c.told) || turn.S.Status() != c.status || [4]int64{a.AmountAuthorized, a.Captured, a.Refunded, a.Disputed} != c.sums || a.NeedsReview {
				t.Errorf("told %v, %s, authorized %d, captured %d, refunded %d, disputed %d, review %v", told, turn.S.Status(), a.AmountAuthorized, a.Captured, a.Refunded, a.Disputed, a.NeedsReview)
			}
			if n := len(turn.Change.Events); c.moved != 0 && dataOf(t, turn.Change.Events[n-1])["amount_moved"] != c.moved {
				t.Errorf("moved %v", dataOf(t, turn.Change.Events[n-1]))
			}
			if _, again := after(t, turnOf(a), c.st); len(again) != 0 {
				t.Errorf("told again: %v", again)
			}
		})
	}
}

// An unstated sum never changes the books; where it says that something was given back of which we know nothing, a person looks.
func TestAnUnstatedSumChangesNothingAndIsLookedAtWhereItContradicts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refunded int64
		st       func(*providers.Standing)
		review   bool
	}{
		"nothing was refunded, it says":           {0, func(*providers.Standing) {}, false},
		"400 were refunded, it supposes nothing":  {400, func(*providers.Standing) {}, false},
		"400 were refunded, it supposes all":      {400, func(st *providers.Standing) { st.Refunded = 1000 }, false},
		"nothing was refunded, it supposes all":   {0, func(st *providers.Standing) { st.Refunded = 1000 }, true},
		"nothing was refunded, it says something": {0, func(st *providers.Standing) { st.Returned = true }, true},
		"less was captured, it supposes":          {0, func(st *providers.Standing) { st.Captured = 600 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := attemptIn(1, Paid)
			a.Refunded = c.refunded
			st := standing(1, providers.Paid)
			c.st(&st)
			turn := turnOf(a)
			_, told := after(t, turn, st)
			if a.Refunded != c.refunded || a.Captured != 1000 || a.NeedsReview != c.review || slices.Contains(told, "payment.needs_review") != c.review {
				t.Errorf("refunded %d, captured %d, review %v, told %v", a.Refunded, a.Captured, a.NeedsReview, told)
			}
			if c.review {
				if says, ok := dataOf(t, turn.Change.Events[0])["gateway"].(map[string]any); !ok || says["stated"] != nil {
					t.Errorf("without the gateway's figures: %s", turn.Change.Events[0].Data)
				}
				if _, told := after(t, turnOf(a), stated(providers.Paid, 1000, 1000, 500)); a.NeedsReview || a.Refunded != 500 || len(told) != 1 {
					t.Errorf("once it states them: review %v, refunded %d, %v", a.NeedsReview, a.Refunded, told)
				}
			}
		})
	}
}

func TestWhatFitsNoActNeedsReviewWithTheGatewaysFigures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state State
		was   func(*Attempt)
		st    providers.Standing
	}{
		"paid, and refused now":                     {Paid, nil, stated(providers.Refused, 0, 0, 0)},
		"paid, and unpaid now":                      {Paid, nil, stated(providers.Waiting, 0, 0, 0)},
		"paid, and only held now":                   {Paid, nil, stated(providers.Authorized, 1000, 0, 0)},
		"captured less and refunded more":           {Paid, nil, stated(providers.Paid, 1000, 500, 100)},
		"held more than before":                     {Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, stated(providers.Authorized, 1000, 0, 0)},
		"voided, and held again":                    {Authorized, func(a *Attempt) { a.Voided = true }, stated(providers.Authorized, 1000, 0, 0)},
		"voided, and taken":                         {Authorized, func(a *Attempt) { a.Voided = true }, stated(providers.Paid, 1000, 1000, 0)},
		"held, and refused":                         {Authorized, nil, stated(providers.Refused, 0, 0, 0)},
		"refunded, and reversed":                    {Paid, func(a *Attempt) { a.Refunded = 100 }, stated(providers.Voided, 0, 0, 0)},
		"refunded more than was taken":              {Paid, nil, stated(providers.Paid, 1000, 1000, 1001)},
		"captured more than was held":               {Paid, func(a *Attempt) { a.AmountAuthorized, a.Captured = 700, 700 }, stated(providers.Paid, 1000, 1000, 0)},
		"captured more than is left of a void hold": {Authorized, func(a *Attempt) { a.AmountAuthorized = 700 }, stated(providers.Paid, 700, 701, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			a := attemptIn(1, c.state)
			if c.was != nil {
				c.was(a)
			}
			before := recordedSums(a)
			turn := turnOf(a)
			_, told := after(t, turn, c.st)
			if !slices.Equal(told, []string{"payment.needs_review"}) || recordedSums(a) != before {
				t.Errorf("told %v, books %+v", told, recordedSums(a))
			}
			if _, told := after(t, turnOf(a), c.st); len(told) != 0 {
				t.Errorf("told again: %v", told)
			}
		})
	}
}

// A person reads the gateway's newest figures; that they have changed is told.
func TestFiguresForReviewAreTheNewestAndToldWhereTheyChange(t *testing.T) {
	t.Parallel()
	a := attemptIn(1, Paid)
	for _, c := range []struct {
		captured, refunded int64
		told               int
	}{{500, 100, 1}, {500, 100, 0}, {400, 100, 1}, {500, 100, 1}} {
		_, told := after(t, turnOf(a), stated(providers.Paid, 1000, c.captured, c.refunded))
		if len(told) != c.told || a.Said.Captured != c.captured || a.Said.Refunded != c.refunded {
			t.Errorf("captured %d, refunded %d: told %v, kept %s", c.captured, c.refunded, told, a.Said)
		}
	}
}

// A look that brings no answer changes nothing of a payment but when it was looked at.
func TestAFailedLookAfterSuccessChangesOnlyWhenItWasLookedAt(t *testing.T) {
	t.Parallel()
	for _, state := range []State{Authorized, Paid} {
		for _, in := range []InquiryAnswer{{Err: errors.New("cut")}, {Err: providers.ErrCredential, LoginRefused: true, LoginLost: true}} {
			turn := turnOf(attemptIn(1, state))
			turn.S.Login = &Login{Customer: "c", Done: true}
			a := turn.S.Attempt(1)
			want := *a
			in.Seen = a.Seen()
			if err := turn.Inquired(1, in); err != nil {
				t.Fatal(err)
			}
			want.InquiredAt, want.LookFailedSince = a.InquiredAt, a.LookFailedSince
			if got, expected := fmt.Sprint(*a), fmt.Sprint(want); got != expected || len(turn.Change.Events) != 0 || !turn.S.Login.Done || !a.InquiredAt.Equal(noon) {
				t.Errorf("%s, want %s", got, expected)
			}
			if n := len(turn.Change.Jobs); n != 1 {
				t.Errorf("%d jobs follow", n)
			}
		}
	}
}

// looks are the times at which a payment is looked at, if every look finds it unchanged.
func looks(t *testing.T, a *Attempt, for_ time.Duration, rules func(*Rules)) []time.Duration {
	t.Helper()
	a.NewsAt = noon
	st := stated(providers.Paid, 1000, 1000, 0)
	if a.State == Authorized {
		st = stated(providers.Authorized, 1000, 0, 0)
	}
	var all []time.Duration
	for at := time.Duration(0); at < for_; {
		turn := turnOf(a)
		if rules != nil {
			rules(&turn.Rules)
		}
		turn.Now = noon.Add(at)
		if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: st}); err != nil {
			t.Fatal(err)
		}
		if len(turn.Change.Jobs) == 0 {
			return all
		}
		at = turn.Change.Jobs[0].RunAt.Sub(noon)
		all = append(all, at)
	}
	return all
}

func TestAPaymentIsLookedAtByThePrintedSchedule(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	want := []time.Duration{time.Hour, day, 3 * day, 10 * day, 17 * day, 24 * day, 31 * day, 38 * day, 45 * day}
	if got := looks(t, attemptIn(1, Paid), 400*day, nil); !slices.Equal(got, want) {
		t.Errorf("paid: %v", got)
	}
	if got := looks(t, attemptIn(1, Authorized), 100*day, nil); len(got) < 15 || got[14]-got[13] != 7*day {
		t.Errorf("held: %v", got)
	}
	voided := attemptIn(1, Authorized)
	voided.Voided = true
	if got := looks(t, voided, 400*day, nil); len(got) != len(want) && got[0] != time.Hour {
		t.Errorf("voided: %v", got)
	}
	if got := looks(t, attemptIn(1, Paid), 400*day, func(r *Rules) { r.FollowFor = 2 * day }); !slices.Equal(got, want[:2]) {
		t.Errorf("an account that follows for two days: %v", got)
	}
}

// A callback asks at once. Repeated, it costs at most one inquiry every few seconds, and does not put off the one that is due.
func TestACallbackThatIsRepeatedCostsOneInquiryEveryFewSeconds(t *testing.T) {
	t.Parallel()
	for _, state := range []State{Paid, Authorized, Gateway, Declined} {
		a := attemptIn(1, state)
		inquiries, due := 0, map[string]time.Duration{}
		for at := time.Duration(0); at < time.Minute; at += 100 * time.Millisecond {
			turn := turnOf(a)
			turn.Now = noon.Add(at)
			switch err := turn.Arrivals().CalledBack(1, "g-1"); {
			case err == nil:
				due[turn.Change.Jobs[0].Key] = turn.Change.Jobs[0].RunAt.Sub(noon)
			case !errors.Is(err, ErrNothing):
				t.Fatal(err)
			}
			for key, when := range due { // a worker that is late, so that every callback comes between due and claimed
				if when < at {
					delete(due, key)
					inquiries++
				}
			}
		}
		if inquiries < 19 || inquiries > 21 {
			t.Errorf("%s: 600 callbacks in a minute cost %d inquiries", state, inquiries)
		}
	}
}

// What the gateway says may change is asked about again, at a gateway that says so.
func TestADeclineIsLookedAtAgainWhereItsGatewayMayChangeIt(t *testing.T) {
	t.Parallel()
	for _, changes := range []bool{false, true} {
		turn := turnOf(attemptIn(1, Gateway))
		turn.Rules.DeclineMayChange = changes
		a := turn.S.Attempt(1)
		if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: standing(1, providers.Refused)}); err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for len(turn.Change.Jobs) == 1 {
			at = append(at, turn.Change.Jobs[0].RunAt.Sub(noon))
			turn = turnOf(a)
			turn.Rules.DeclineMayChange, turn.Now = changes, noon.Add(at[len(at)-1])
			if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: standing(1, providers.Refused)}); err != nil && !errors.Is(err, ErrNothing) {
				t.Fatal(err)
			}
		}
		want := []time.Duration{10 * time.Minute, time.Hour}
		if !changes {
			want = nil
		}
		if !slices.Equal(at, want) {
			t.Errorf("may change %v: asked after %v", changes, at)
		}
		if _, told := after(t, turnOf(a), standing(1, providers.Paid)); !slices.Contains(told, "payment.paid") {
			t.Errorf("an approval after all: %v", told)
		}
	}
}

// The gateway's guard is told our books, the inquiry compares with what was read just before.
func TestAnOperationKnowsTheBooksApartFromWhatWasReadBeforeIt(t *testing.T) {
	t.Parallel()
	four := int64(400)
	for name, c := range map[string]struct {
		books    int64
		expected *int64
		st       providers.Standing
		sent     bool
		told     []string
		refunded int64
	}{
		"they agree":                      {0, nil, stated(providers.Paid, 1000, 1000, 0), true, nil, 0},
		"the gateway refunded more":       {0, nil, stated(providers.Paid, 1000, 1000, 400), false, []string{"refund.elsewhere", "refund.failed"}, 400},
		"the merchant knew of it":         {0, &four, stated(providers.Paid, 1000, 1000, 400), true, []string{"refund.elsewhere"}, 400},
		"the merchant expected it":        {0, &four, stated(providers.Paid, 1000, 1000, 0), false, []string{"refund.failed"}, 0},
		"the merchant expected something": {400, &four, stated(providers.Paid, 1000, 1000, 400), true, nil, 400},
		"nothing stated":                  {400, nil, standing(1, providers.Paid), true, nil, 400},
		"nothing stated, and something given back": {0, nil, func() providers.Standing {
			st := standing(1, providers.Paid)
			st.Returned = true
			return st
		}(), false, []string{"payment.needs_review", "refund.failed"}, 0},
		"the payment was reversed": {0, nil, stated(providers.Voided, 0, 0, 0), false, []string{"void.elsewhere", "refund.failed"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := attemptIn(1, Paid)
			a.Refunded = c.books
			turn := turnOf(a)
			op, err := turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 100, Reference: "r", ExpectedRefunded: c.expected})
			if err != nil {
				t.Fatal(err)
			}
			turn = &Turn{S: turn.S, Now: noon, Token: turn.Token, Rules: turn.Rules}
			_, sent, err := turn.Operations().Permit(op.N, c.st, nil, nil)
			var told []string
			for _, e := range turn.Change.Events {
				if e.Type != "refund.calling" {
					told = append(told, string(e.Type))
				}
			}
			if err != nil || sent != c.sent || !slices.Equal(told, c.told) || a.Refunded != c.refunded || op.SumsDiffer == c.sent {
				t.Errorf("sent %v, told %v, refunded %d, differs %v, %v", sent, told, a.Refunded, op.SumsDiffer, err)
			}
			if differed := turn.S.Differed(op); (differed == nil) != c.sent || !c.sent && !errors.Is(differed, ErrSumsDiffer) {
				t.Errorf("differed: %v", differed)
			}
			want := c.books
			if c.expected != nil {
				want = *c.expected
			}
			if at := turn.S.AtProvider(op); c.sent && (at.Expected.Refunded != want || at.Standing.Refunded != c.st.Refunded) {
				t.Errorf("expected %d, before %d", at.Expected.Refunded, at.Standing.Refunded)
			}
		})
	}
}

// An operation that succeeded is confirmed by the gateway's sums; until then no other begins.
func TestASucceededOperationWaitsForTheGatewaysSums(t *testing.T) {
	t.Parallel()
	turn, op := withOperation(Paid, providers.Refund, OpCalling)
	a := turn.S.Attempt(1)
	if err := turn.Operations().Answered(1, OperationAnswer{OpResult: providers.OpResult{State: providers.OpSucceeded}}, nil); err != nil {
		t.Fatal(err)
	}
	begin := func() error {
		copied := turnOf()
		copied.S = cloneSession(turn.S)
		_, err := copied.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 1})
		return err
	}
	if !op.Unconfirmed || a.Refunded != 300 || !errors.Is(begin(), ErrOpenOp) {
		t.Fatalf("unconfirmed %v, refunded %d, another: %v", op.Unconfirmed, a.Refunded, begin())
	}
	turn = &Turn{S: turn.S, Now: noon.Add(time.Second), Rules: turn.Rules}
	if _, told := after(t, turn, stated(providers.Paid, 1000, 1000, 0)); len(told) != 0 || !op.Unconfirmed || a.Refunded != 300 {
		t.Errorf("the gateway lags: told %v, unconfirmed %v, refunded %d", told, op.Unconfirmed, a.Refunded)
	}
	if at := turn.Change.Jobs[0].RunAt.Sub(turn.Now); at != fastFirst {
		t.Errorf("asked again after %s", at)
	}
	late := &Turn{S: cloneSession(turn.S), Now: noon.Add(8 * 24 * time.Hour), Rules: turn.Rules}
	if _, told := after(t, late, stated(providers.Paid, 1000, 1000, 0)); !slices.Equal(told, []string{"operation.needs_review"}) {
		t.Errorf("a week later: %v", told)
	}
	turn = &Turn{S: turn.S, Now: noon.Add(4 * time.Second), Rules: turn.Rules}
	if _, told := after(t, turn, stated(providers.Paid, 1000, 1000, 500)); !slices.Equal(told, []string{"refund.elsewhere"}) || op.Unconfirmed || a.Refunded != 500 || begin() != nil {
		t.Errorf("ours and somebody else's: told %v, unconfirmed %v, refunded %d, another: %v", told, op.Unconfirmed, a.Refunded, begin())
	}
}

// Whatever a gateway says of a payment, in whatever order, its books never say more than was taken, and somebody goes on looking.
func TestNoSequenceOfStandingsLeavesImpossibleBooks(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		state := []State{Authorized, Paid}[random.IntN(2)]
		a := attemptIn(1, state)
		for range 8 {
			st := stated(outcomes[random.IntN(len(outcomes))], random.Int64N(1100), random.Int64N(1100), random.Int64N(1100))
			st.Stated, st.Returned, st.RanOut = random.IntN(2) == 0, random.IntN(4) == 0, random.IntN(4) == 0
			if random.IntN(4) == 0 {
				st.Dispute = &providers.Dispute{State: []providers.DisputeState{"opened", "won", "lost"}[random.IntN(3)], Amount: random.Int64N(1100)}
			}
			turn := turnOf(a)
			if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: st}); err != nil {
				t.Fatal(err)
			}
			if a.Refunded > a.Captured || a.Captured > 1000 || a.AmountAuthorized > 1000 || min(a.Refunded, a.Captured, a.Disputed) < 0 || a.Disputed > 1000 || !a.State.Funded() {
				t.Fatalf("%+v leads to %+v", st, a)
			}
			if len(turn.Change.Jobs) == 0 {
				t.Fatalf("%+v: nobody looks again", st)
			}
		}
	}
}

// The order of events is their number; a clock that was set back does not make their times contradict it.
func TestEventTimesNeverRunBackwards(t *testing.T) {
	t.Parallel()
	turn := turnOf(attemptIn(1, Paid))
	turn.recordAttempt(turn.S.Attempt(1), EventPaymentPaid)
	late := &Turn{S: turn.S, Now: noon.Add(-time.Minute), Rules: turn.Rules}
	late.recordAttempt(turn.S.Attempt(1), EventRefundElsewhere)
	if at := late.Change.Events[0].At; !at.Equal(noon) {
		t.Errorf("after an event of %s one of %s", noon, at)
	}
}
