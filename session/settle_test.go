package session

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/providers"
)

func eventTypes(t *Turn) (all []EventType) {
	for _, e := range t.Change.Events {
		all = append(all, e.Type)
	}
	return all
}

func settle(r Ruling, amount int64) NewSettlement {
	return NewSettlement{Outcome: r, Amount: amount, Reason: "seen in the bank's register", By: "0123abcd"}
}

// What a person rules is decided in every state, with and without need.
func TestWhatAPersonMaySettle(t *testing.T) {
	decisions(t, "settlements", func(d *table) {
		for _, state := range states {
			for _, review := range []bool{false, true} {
				for _, ruling := range []Ruling{RuledPaid, RuledNotPaid} {
					for _, amount := range []int64{0, 900, -1} {
						a := attemptIn(1, state)
						a.NeedsReview = review
						turn := turnOf(a)
						d.is(fmt.Sprintf("%s, needs review %v: %s %d", state, review, ruling, amount), turn, func(t *Turn) (string, error) {
							return "", t.Settlements().Settle(settle(ruling, amount))
						})
					}
				}
			}
		}
		for _, state := range []OpState{OpNew, OpCalling, OpPending, OpUnknown, OpSucceeded, OpFailed} {
			for _, review := range []bool{false, true} {
				for _, ruling := range []Ruling{RuledSucceeded, RuledFailed} {
					for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
						of := Paid
						if kind != providers.Refund {
							of = Authorized
						}
						turn, op := withOperation(of, kind, state)
						op.NeedsReview = review
						d.is(fmt.Sprintf("%s %s, needs review %v: %s", kind, state, review, ruling), turn, func(t *Turn) (string, error) {
							return "", t.Settlements().Settle(settle(ruling, 0))
						})
					}
				}
			}
		}
	})
}

// inReviewFor is a turn on an attempt of unknown outcome whose schedule is over.
func inReviewFor(state State) *Turn {
	a := attemptIn(1, state)
	a.NeedsReview = true
	return turnOf(a)
}

func TestAPersonSettlesOnlyWhatNeedsReviewOrIsHeld(t *testing.T) {
	for _, state := range states {
		turn := turnOf(attemptIn(1, state))
		err := turn.Settlements().Settle(settle(RuledNotPaid, 0))
		if state == Mismatched {
			if err != nil {
				t.Errorf("held: %v", err)
			}
		} else if !errors.Is(err, ErrNoReview) {
			t.Errorf("%s without need: %v", state, err)
		}
	}
}

func TestNotPaidEndsTheSessionAndItsOrderStaysClaimed(t *testing.T) {
	turn := inReviewFor(Unknown)
	must(t, turn.Settlements().Settle(settle(RuledNotPaid, 0)))
	s := turn.S
	if s.Status() != StatusCancelled || !s.ClaimsOrder() || !s.OutcomeKnown() || len(s.Reviews()) != 0 || s.Attempts[0].State != Failed {
		t.Errorf("%s, claims the order %t, %+v", s.Status(), s.ClaimsOrder(), s.Attempts[0])
	}
	if err := turn.Attempts().MayBegin(); !errors.Is(err, ErrEnded) {
		t.Errorf("another attempt: %v", err)
	}
	want := []EventType{EventPaymentFailed, EventPaymentSettled, EventSessionCancelled}
	if got := eventTypes(turn); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if len(turn.Change.Calls) != 0 {
		t.Error("a ruling permits a call")
	}
}

func TestTheSameRulingAgainChangesNothing(t *testing.T) {
	turn := inReviewFor(Unknown)
	must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
	if err := turn.Settlements().Settle(settle(RuledPaid, 0)); !errors.Is(err, ErrNothing) {
		t.Errorf("again: %v", err)
	}
	if err := turn.Settlements().Settle(settle(RuledNotPaid, 0)); !errors.Is(err, ErrNoReview) {
		t.Errorf("the contrary: %v", err)
	}
}

func TestTheSameRulingOnWhatNeedsReviewAgainIsAnotherRuling(t *testing.T) {
	turn := inReviewFor(Unknown)
	must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
	turn.S.Attempts[0].NeedsReview = true // for something else, by now
	must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
	if len(turn.S.Settlements) != 2 || turn.S.Settlements[1].N != 2 || turn.S.NeedsReview() {
		t.Errorf("%d rulings, needs review %v", len(turn.S.Settlements), turn.S.NeedsReview())
	}
}

// A person said what was taken in all, while a capture had no outcome: the capture ends by whoever's word, and is not counted beside that.
func TestACaptureOfWhatAPersonCalledPaidEndsAndIsNotCountedTwice(t *testing.T) {
	answer := func(state providers.OpState) func(*Turn) error {
		return func(t *Turn) error {
			return t.Operations().Answered(1, OperationAnswer{OpResult: providers.OpResult{State: state}}, nil)
		}
	}
	ruling := func(r Ruling) func(*Turn) error {
		return func(t *Turn) error { return t.Settlements().Settle(settle(r, 0)) }
	}
	for name, c := range map[string]struct {
		ends func(*Turn) error
		is   OpState
	}{
		"the gateway did it": {answer(providers.OpSucceeded), OpSucceeded}, "a person says that it was done": {ruling(RuledSucceeded), OpSucceeded},
		"a person says that it was not": {ruling(RuledFailed), OpFailed},
	} {
		turn, op := withOperation(Authorized, providers.Capture, OpUnknown)
		a := turn.S.Attempts[0]
		op.NeedsReview, a.NeedsReview = true, true
		must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
		if err := c.ends(turn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if op.State != c.is || a.State != Paid || a.Captured != 1000 || a.AmountAuthorized != 1000 {
			t.Errorf("%s: the capture is %s, the payment %s, captured %d of %d", name, op.State, a.State, a.Captured, a.AmountAuthorized)
		}
	}
}

// The gateway's own word beats a person's, and is told.
func TestTheTruthOfTheGatewayBeatsARuling(t *testing.T) {
	held := func(amount int64) providers.Standing {
		st := standing(1, providers.Paid)
		st.Amount.Minor, st.Held, st.Captured = amount, amount, amount
		return st
	}
	for _, c := range []struct {
		name    string
		state   State
		ruling  Ruling
		amount  int64
		then    providers.Standing
		is      State
		status  Status
		taken   int64
		refuted bool
		review  bool
	}{
		{"not paid, and it is", Unknown, RuledNotPaid, 0, standing(1, providers.Paid), Paid, StatusCancelled, 1000, true, false},
		{"not paid, and it is held", Unknown, RuledNotPaid, 0, standing(1, providers.Authorized), Authorized, StatusCancelled, 0, true, false},
		{"not paid, and it is not", Unknown, RuledNotPaid, 0, standing(1, providers.Refused), Failed, StatusCancelled, 0, false, false},
		{"not paid, and other money stands there as before", Mismatched, RuledNotPaid, 0, held(900), Failed, StatusCancelled, 0, false, false},
		{"paid, and it is", Unknown, RuledPaid, 0, standing(1, providers.Paid), Paid, StatusPaid, 1000, false, false},
		{"paid, and it was refused", Unknown, RuledPaid, 0, standing(1, providers.Refused), Failed, StatusCancelled, 0, true, false},
		{"paid, and it was closed", Gateway, RuledPaid, 0, standing(1, providers.Closed), Failed, StatusCancelled, 0, true, false},
		{"paid, and the gateway does not find it", Unknown, RuledPaid, 0, standing(1, providers.NotFound), Paid, StatusPaid, 1000, false, false},
		{"paid, and the gateway does not know", Unknown, RuledPaid, 0, standing(1, providers.Unclear), Paid, StatusPaid, 1000, false, false},
		{"paid 900, as the gateway says", Mismatched, RuledPaid, 900, held(900), Paid, StatusPaid, 900, false, false},
		{"paid 900, and it is 800", Mismatched, RuledPaid, 900, held(800), Paid, StatusPaid, 800, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			turn := inReviewFor(c.state)
			if c.state == Mismatched {
				turn.S.Attempts[0].Mismatch = "amount"
			}
			must(t, turn.Settlements().Settle(settle(c.ruling, c.amount)))
			turn.Change = Change{}
			turn.Now = turn.Now.Add(time.Hour)
			a := turn.S.Attempts[0]
			if err := turn.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: c.then}); err != nil && !errors.Is(err, ErrNothing) {
				t.Fatal(err)
			}
			told := slices.Contains(eventTypes(turn), EventSettlementContradicted)
			if a.State != c.is || turn.S.Status() != c.status || a.Captured != c.taken || told != c.refuted || a.NeedsReview != c.review {
				t.Errorf("%s, %s, captured %d, contradicted %t, review %t; want %s, %s, %d, %t, %t",
					a.State, turn.S.Status(), a.Captured, told, a.NeedsReview, c.is, c.status, c.taken, c.refuted, c.review)
			}
			if r := turn.S.Settlements[0]; r.Refuted.IsZero() == c.refuted {
				t.Errorf("the ruling: %+v", r)
			}
			if c.refuted && !slices.ContainsFunc(turn.Notes, func(n Note) bool { return n.Error }) {
				t.Error("nobody is alarmed")
			}
			if !turn.S.ClaimsOrder() {
				t.Error("the order is free")
			}
		})
	}
}

// A payment that a person called paid takes no operation before the gateway's fresh word agrees.
func TestAPaymentSettledAsPaidTakesOperationsOnceTheGatewayAgrees(t *testing.T) {
	for name, c := range map[string]struct {
		then providers.Standing
		goes bool
	}{
		"the gateway agrees":       {standing(1, providers.Paid), true},
		"the gateway works":        {standing(1, providers.Processing), false},
		"the gateway names no sum": {providers.Standing{Outcome: providers.Paid, Ref: providers.Ref{OrderID: "g-1"}}, false},
		"the gateway names another": {func() providers.Standing {
			st := standing(1, providers.Paid)
			st.Captured, st.Held = 900, 900
			return st
		}(), false},
		"the gateway only holds it":  {standing(1, providers.Authorized), false},
		"the gateway does not find":  {standing(1, providers.NotFound), false},
		"the gateway says it failed": {standing(1, providers.Refused), false},
	} {
		turn := inReviewFor(Unknown)
		must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
		op, err := turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 400})
		must(t, err)
		_, goes, err := turn.Operations().Permit(op.N, c.then, nil, nil)
		must(t, err)
		if goes != c.goes || goes == turn.S.Unconfirmed(turn.S.Attempts[0]) {
			t.Errorf("%s: sent %t, want %t; confirmed by a person's word alone %t", name, goes, c.goes, turn.S.Unconfirmed(turn.S.Attempts[0]))
		}
		if !goes && op.State != OpFailed {
			t.Errorf("%s: the refund is %s", name, op.State)
		}
	}
}

// unconfirmed is a payment with an operation that the gateway called done and never showed in its sums, after the schedule.
func unconfirmed(t *testing.T, kind providers.OpKind) (*Turn, *Operation) {
	t.Helper()
	of := Authorized
	if kind == providers.Refund {
		of = Paid
	}
	turn, op := withOperation(of, kind, OpCalling)
	if kind == providers.Void {
		op.Amount = 1000
	}
	must(t, turn.Operations().Answered(1, OperationAnswer{OpResult: providers.OpResult{State: providers.OpSucceeded}}, nil))
	turn.Now = noon.Add(reviewAfter + time.Minute)
	before := standing(1, of2(of))
	before.Stated = true
	must(t, turn.Inquired(1, InquiryAnswer{Seen: turn.S.Attempts[0].Seen(), Standing: before}))
	if !op.NeedsReview || !turn.S.NeedsReview() || len(turn.S.Reviews()) != 1 || turn.S.Reviews()[0].Operation != 1 {
		t.Fatalf("%s: %+v, reviews %+v", kind, op, turn.S.Reviews())
	}
	turn.Change = Change{}
	return turn, op
}

func of2(s State) providers.Outcome {
	if s == Paid {
		return providers.Paid
	}
	return providers.Authorized
}

func TestAPersonSettlesAnOperationWhoseSumsNeverShowed(t *testing.T) {
	for _, kind := range []providers.OpKind{providers.Refund, providers.Void, providers.Capture} {
		turn, op := unconfirmed(t, kind)
		sums := recordedSums(turn.S.Attempts[0])
		must(t, turn.Settlements().Settle(settle(RuledSucceeded, 0)))
		if op.State != OpSucceeded || op.Unconfirmed || turn.S.NeedsReview() || recordedSums(turn.S.Attempts[0]) != sums {
			t.Errorf("%s done: %+v", kind, op)
		}
		if got := eventTypes(turn); !slices.Equal(got, []EventType{EventPaymentSettled}) {
			t.Errorf("%s done: events %v", kind, got)
		}

		turn, op = unconfirmed(t, kind)
		err := turn.Settlements().Settle(settle(RuledFailed, 0))
		if kind == providers.Capture {
			if !errors.Is(err, ErrRuling) {
				t.Errorf("a capture that did not happen: %v", err)
			}
			continue
		}
		a := turn.S.Attempts[0]
		if must(t, err); op.State != OpFailed || op.Unconfirmed || turn.S.NeedsReview() || a.Refunded != 0 || a.Voided || a.AmountAuthorized != 1000 {
			t.Errorf("%s not done: %+v; refunded %d, voided %t, held %d", kind, op, a.Refunded, a.Voided, a.AmountAuthorized)
		}
	}
}

// The gateway's own sums beat a person's word on an operation, and confirm it.
func TestTheGatewaysSumsConfirmOrContradictARulingOnAnOperationThatWasDone(t *testing.T) {
	for refunded, confirmed := range map[int64]bool{300: true, 0: false} {
		turn, _ := unconfirmed(t, providers.Refund)
		must(t, turn.Settlements().Settle(settle(RuledSucceeded, 0)))
		st := standing(1, providers.Paid)
		st.Refunded, st.Stated = refunded, true
		must(t, turn.Inquired(1, InquiryAnswer{Seen: turn.S.Attempts[0].Seen(), Standing: st}))
		r := turn.S.Settlements[0]
		told := eventTypes(turn)
		if r.Confirmed.IsZero() == confirmed || r.Refuted.IsZero() != confirmed || slices.Contains(told, EventSettlementContradicted) == confirmed ||
			slices.Contains(told, EventRefundUndone) == confirmed || turn.S.Attempts[0].Refunded != refunded {
			t.Errorf("the gateway states %d: %+v, told %v", refunded, r, told)
		}
	}
}

// Of two that have money the one that a person rules on does not count beside the one that does.
func TestLateMoneyThatAPersonCallsPaidIsLateBesideAnotherPayment(t *testing.T) {
	for _, beside := range []bool{false, true} {
		late := attemptIn(1, Paid)
		late.PaidLate, late.Withheld, late.NeedsReview = true, true, true
		turn := turnOf(late)
		if beside {
			turn.S.Attempts = append(turn.S.Attempts, attemptIn(2, Paid))
		}
		must(t, turn.Settlements().Settle(settle(RuledPaid, 0)))
		if late.PaidLate != beside {
			t.Errorf("another stands: %t; late: %t", beside, late.PaidLate)
		}
		// What a person keeps is not given back, nor is anybody to look at it again.
		must(t, turn.Inquired(1, InquiryAnswer{Seen: late.Seen(), Standing: standing(1, providers.Paid)}))
		if len(turn.S.Operations) != 0 || late.NeedsReview || len(turn.After) != 0 {
			t.Errorf("another stands: %t; operations %v, needs review %t", beside, turn.S.Operations, late.NeedsReview)
		}
	}
}

// An operation that a person called failed blocks its kind until the gateway's own sums agree.
func TestAnOperationSettledAsFailedBlocksItsKindUntilTheSumsAgree(t *testing.T) {
	stated := func(refunded int64) providers.Standing {
		st := standing(1, providers.Paid)
		st.Refunded, st.Stated = refunded, true
		return st
	}
	unstated := standing(1, providers.Paid)
	for name, c := range map[string]struct {
		then    providers.Standing
		goes    bool
		refuted bool
	}{
		"the sums agree":               {stated(0), true, false},
		"the sums are not stated":      {unstated, false, false},
		"the money has gone after all": {stated(300), false, true},
	} {
		turn, op := withOperation(Paid, providers.Refund, OpUnknown)
		op.NeedsReview = true
		must(t, turn.Settlements().Settle(settle(RuledFailed, 0)))
		if op.State != OpFailed || op.inReview() {
			t.Errorf("%s: %+v", name, op)
		}
		next, err := turn.Operations().Begin(NewOperation{Kind: providers.Refund, Amount: 100})
		must(t, err)
		_, goes, err := turn.Operations().Permit(next.N, c.then, nil, nil)
		must(t, err)
		refuted := slices.Contains(eventTypes(turn), EventSettlementContradicted)
		if goes != c.goes || refuted != c.refuted {
			t.Errorf("%s: sent %t, contradicted %t; want %t, %t", name, goes, refuted, c.goes, c.refuted)
		}
	}
}

func TestAHeldPaymentTellsTheGatewaysFigures(t *testing.T) {
	turn := turnOf(attemptIn(1, Gateway))
	st := standing(1, providers.Paid)
	st.Amount.Minor, st.Held, st.Captured = 900, 900, 900
	must(t, turn.Inquired(1, InquiryAnswer{Seen: turn.S.Attempts[0].Seen(), Standing: st}))
	all := turn.S.Reviews()
	if len(all) != 1 || !all[0].Held || all[0].Reason != "amount" || all[0].Gateway.Captured != 900 || all[0].Gateway.Amount != 900 {
		t.Fatalf("%+v", all)
	}
	for _, e := range turn.Change.Events {
		if e.Type == EventPaymentHeld && !strings.Contains(string(e.Data), `"gateway":{"outcome":"paid"`) {
			t.Errorf("the event says %s", e.Data)
		}
	}
	if n := turn.Notes[len(turn.Notes)-1]; !strings.Contains(fmt.Sprint(n.Args...), "captured 900") {
		t.Errorf("the log says %v", n.Args)
	}
}

// The third walk is of a payment that waits for a person: every order of rulings, inquiries, callbacks, the shopper, the
// merchant's cancel, and a gateway whose word comes late or changes.
type review struct{ *world }

func newReview(closer bool, charges int) review {
	w := newWorld(closer, true, false)
	a := &Attempt{
		N: 1, State: Unknown, Instrument: "card", Ref: providers.Ref{Reference: "o-1"}, NeedsReview: true, CreatedAt: walkStart,
		UpdatedAt: walkStart, Runs: []*Run{{N: 1, Token: "r"}}, Calls: []Call{{Attempt: 1, Kind: CallPay, Round: 1, SentAt: walkStart}},
	}
	w.s.Attempts, w.s.ExpiresAt = []*Attempt{a}, walkStart.Add(30*24*time.Hour)
	w.orders["o-1"] = order{charges: charges}
	w.now = 8 * 24 * time.Hour
	w.crashes, w.forgets, w.failures = 0, 0, 0
	return review{w}
}

var noReview review

// wrap makes a happening of the small world one of this.
func wrap(name string, do func(*world) *world) happening[review] {
	return happening[review]{name, func(r review) review {
		if w := do(r.world); w != nil {
			return review{w}
		}
		return noReview
	}}
}

func ruled(r Ruling) func(*world) *world {
	return func(w *world) *world {
		return w.after(func(t *Turn) error { return t.Settlements().Settle(settle(r, 0)) })
	}
}

// gatewaySays lets the gateway learn late what became of its order.
func gatewaySays(change func(*order)) func(*world) *world {
	return func(w *world) *world {
		n := w.clone()
		o := n.orders["o-1"]
		if o.charges > 0 || o.declined || o.closed {
			return nil // its word is final
		}
		change(&o)
		n.orders["o-1"] = o
		return n
	}
}

var reviewHappenings = []happening[review]{
	wrap("a person says paid", ruled(RuledPaid)),
	wrap("a person says not paid", ruled(RuledNotPaid)),
	wrap("the gateway takes the money", gatewaySays(func(o *order) { o.charges = 1 })),
	wrap("the gateway refuses", gatewaySays(func(o *order) { o.declined = true })),
	wrap("an inquiry", (*world).ask),
	wrap("a shopper pays", (*world).pay),
	wrap("the request arrives: money", func(w *world) *world { return w.arrives(providers.Finished) }),
	wrap("the merchant cancels", func(w *world) *world { return w.after(func(t *Turn) error { return t.Cancel() }) }),
	wrap("a day passes", func(w *world) *world { n := w.clone(); n.now += walkLife; return n }),
}

// ask inquires about the first attempt, as a callback or the schedule would.
func (w *world) ask() *world {
	n := w.clone()
	a := n.s.Attempts[0]
	if a.State == Paid && !n.s.Unconfirmed(a) {
		return nil
	}
	n.do(func(t *Turn) error {
		return t.Inquired(1, InquiryAnswer{Seen: a.Seen(), Standing: n.truth(a)})
	})
	n.heard = n.orders["o-1"]
	return n
}

func (r review) broken() string {
	a, o := r.s.Attempts[0], r.orders["o-1"]
	charges := 0
	for _, one := range r.orders {
		charges += one.charges
	}
	var last *Settlement
	if len(r.s.Settlements) > 0 {
		last = r.s.Settlements[len(r.s.Settlements)-1]
	}
	switch {
	case a.State == Paid && o.charges == 0 && (last == nil || last.Outcome != RuledPaid || !last.open()):
		return "paid without money and without a person's word"
	case last != nil && !r.s.ClaimsOrder():
		return "the order of a settled session is free"
	case last != nil && r.turn().Attempts().MayBegin() == nil:
		return "another attempt may begin after a ruling"
	case charges > 1:
		return "charged twice"
	case len(r.s.Settlements) > 1:
		return "a ruling without need"
	case last != nil && r.heard.charges > 0 && a.State != Paid:
		return "the gateway said paid, and a person is believed"
	case last != nil && r.heard.declined && a.State == Paid:
		return "the gateway refused, and a person is believed"
	case last != nil && last.Outcome == RuledNotPaid && r.heard.charges > 0 && last.Refuted.IsZero(),
		last != nil && last.Outcome == RuledPaid && r.heard.declined && last.Refuted.IsZero():
		return "a contradiction that is not told"
	}
	return ""
}

func (r review) key() [16]byte {
	h := fnv.New128a()
	h.Write(r.append(nil))
	fmt.Fprint(h, r.heard)
	for _, one := range r.s.Settlements {
		fmt.Fprint(h, one.Outcome, one.Confirmed.IsZero(), one.Refuted.IsZero(), r.rel(one.At))
	}
	return [16]byte(h.Sum(nil))
}

func TestEveryOrderOfRulingsAndTruthsKeepsTheInvariants(t *testing.T) {
	for _, charges := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d charges at the gateway", charges), func(t *testing.T) {
			t.Parallel()
			walk(t, newReview(true, charges), reviewHappenings, *walkDepth)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
