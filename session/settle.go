package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
)

// Ruling is what a person says became of a payment or an operation.
type Ruling string

// Rulings. The first two are of payments, the others of operations.
const (
	RuledPaid      Ruling = "paid"
	RuledNotPaid   Ruling = "not_paid"
	RuledSucceeded Ruling = "succeeded"
	RuledFailed    Ruling = "failed"
)

// OfOperation tells whether the ruling is on an operation.
func (r Ruling) OfOperation() bool { return r == RuledSucceeded || r == RuledFailed }

// Settlement is one ruling of a person on what no inquiry could tell. It is kept for ever; the gateway's own word, should it
// come, counts more.
type Settlement struct {
	N         int       `json:"n"`
	Attempt   int       `json:"attempt"`
	Operation int       `json:"operation,omitempty"` // 0: the payment itself
	Outcome   Ruling    `json:"outcome"`
	Amount    int64     `json:"amount"` // minor units, of the payment or the operation; 0 where nothing was paid
	Reason    string    `json:"reason"`
	By        string    `json:"by,omitempty"` // which API key, by the first digits of its hash
	At        time.Time `json:"at"`
	Was       string    `json:"was"`                      // the state it was settled from
	HeldFor   string    `json:"held_for,omitempty"`       // the mismatch that stood then: the same again is no news
	Confirmed time.Time `json:"confirmed_at,omitzero"`    // the gateway said the same
	Refuted   time.Time `json:"contradicted_at,omitzero"` // the gateway said otherwise, and was believed
}

// open tells whether the gateway has neither confirmed nor contradicted it.
func (r *Settlement) open() bool { return r.Confirmed.IsZero() && r.Refuted.IsZero() }

// Figures are what a gateway last said of a payment that a person has to look at.
type Figures struct {
	Outcome   providers.Outcome `json:"outcome"`
	Reference string            `json:"reference,omitempty"`
	OrderID   string            `json:"gateway_order_id,omitempty"`
	Amount    int64             `json:"amount,omitempty"` // of the order; with Currency only
	Currency  string            `json:"currency,omitempty"`
	Held      int64             `json:"amount_authorized"`
	Captured  int64             `json:"amount_captured"`
	Refunded  int64             `json:"amount_refunded"`
	Stated    bool              `json:"stated,omitempty"` // the gateway itself told the sums
	At        time.Time         `json:"at"`
}

// String is for the log.
func (f Figures) String() string {
	return fmt.Sprintf("%s, order %s of %d %s, authorized %d, captured %d, refunded %d", f.Outcome, f.OrderID, f.Amount, f.Currency,
		f.Held, f.Captured, f.Refunded)
}

func figuresOf(st providers.Standing, at time.Time) *Figures {
	return &Figures{
		Outcome: st.Outcome, Reference: st.Reference, OrderID: st.Ref.OrderID, Amount: st.Amount.Minor, Currency: st.Amount.Currency.Code,
		Held: st.Held, Captured: st.Captured, Refunded: st.Refunded, Stated: st.Stated, At: at,
	}
}

// same tells whether two gateways' words are the same figures, whenever they were said; nil is no word.
func (f *Figures) same(as *Figures) bool {
	if f == nil {
		return false
	}
	then := *f
	then.At = as.At
	return then == *as
}

// remember keeps what the gateway has just said, for whoever has to look; nil: nothing.
func (a *Attempt) remember(heard *providers.Standing, now time.Time) {
	if heard != nil {
		a.Said = figuresOf(*heard, now)
	}
}

// Review is something of a session's that a person has to look at.
type Review struct {
	Attempt   int
	Operation int    // 0: the payment itself
	Reason    string // why, in words that stay the same
	Held      bool   // the gateway tells of another payment than ours
	Gateway   *Figures
}

// Why a person has to look, beside what a mismatch is in.
const (
	reviewNoOutcome = "no outcome by the end of the schedule"
	reviewHoldLeft  = "a hold that was not let go"
	reviewSums      = "sums that do not show what was done"
)

// inReview tells whether a person has to look at the attempt, or may settle it.
func (a *Attempt) inReview() bool {
	return a.NeedsReview && a.State != New && a.State != Calling || a.State == Mismatched
}

// inReview likewise, of an operation: of unknown outcome, or done as the gateway said, and never seen in its sums.
func (op *Operation) inReview() bool {
	return op.NeedsReview && (op.State == OpUnknown || op.State == OpPending || op.State == OpSucceeded && op.Unconfirmed)
}

// Reviews is everything of a session that a person has to look at.
func (s *Session) Reviews() []Review {
	var all []Review
	for _, a := range s.Attempts {
		if !a.inReview() {
			continue
		}
		r := Review{Attempt: a.N, Reason: a.Mismatch, Held: a.State == Mismatched, Gateway: a.Said}
		switch {
		case r.Reason != "":
		case a.Said != nil && a.Said.Outcome == providers.HoldLeft:
			r.Reason = reviewHoldLeft
		default:
			r.Reason = reviewNoOutcome
		}
		all = append(all, r)
	}
	for _, op := range s.Operations {
		if !op.inReview() {
			continue
		}
		r := Review{Attempt: op.Attempt, Operation: op.N, Reason: reviewNoOutcome, Gateway: s.Attempt(op.Attempt).Said}
		if op.Unconfirmed {
			r.Reason = reviewSums
		}
		all = append(all, r)
	}
	return all
}

// NeedsReview tells whether the schedule of something of the session's is over, or a person has to look at it otherwise.
func (s *Session) NeedsReview() bool {
	return slices.ContainsFunc(s.Attempts, func(a *Attempt) bool { return a.NeedsReview && a.inReview() }) ||
		slices.ContainsFunc(s.Operations, (*Operation).inReview)
}

// Held tells whether the gateway tells of another payment than ours under a reference of the session's.
func (s *Session) Held() bool {
	return slices.ContainsFunc(s.Attempts, func(a *Attempt) bool { return a.State == Mismatched })
}

// settlementOf is the newest ruling on a payment (operation 0) or an operation, or nil.
func (s *Session) settlementOf(attempt, operation int) *Settlement {
	for i := len(s.Settlements) - 1; i >= 0; i-- {
		if r := s.Settlements[i]; r.Attempt == attempt && r.Operation == operation {
			return r
		}
	}
	return nil
}

// Unconfirmed tells whether an attempt counts as paid by a person's word alone, so that the gateway is still to be asked.
func (s *Session) Unconfirmed(a *Attempt) bool {
	r := s.settlementOf(a.N, 0)
	return a.State == Paid && r != nil && r.Outcome == RuledPaid && r.open()
}

// amountOf is what an attempt is to have moved: the session's amount, or what a person settled it at.
func (s *Session) amountOf(a *Attempt) int64 {
	r := s.settlementOf(a.N, 0)
	if r != nil && r.Outcome == RuledPaid && r.Refuted.IsZero() && !State(r.Was).Funded() {
		return r.Amount
	}
	return s.Amount.Minor
}

// What a ruling can be refused for.
var (
	ErrNoReview = errors.New("session: nothing here waits for a person")
	ErrRuling   = errors.New("session: that ruling does not fit what is to be settled")
)

// Settlements decides about what a person rules.
type Settlements struct{ *Turn }

// Settlements is a turn that takes a person's ruling.
func (t *Turn) Settlements() Settlements { return Settlements{t} }

// NewSettlement is what a person rules.
type NewSettlement struct {
	Outcome   Ruling
	Operation int   // of RuledSucceeded and RuledFailed
	Amount    int64 // 0: the session's, or the operation's
	Reason    string
	By        string
}

// ToSettle finds what a ruling is on: ErrNoReview where none waits for a person. Of several the newest counts.
func (s *Session) ToSettle(in NewSettlement) (*Attempt, *Operation, error) {
	if in.Outcome.OfOperation() {
		op := s.Operation(in.Operation)
		switch {
		case op == nil && in.Operation != 0:
			return nil, nil, ErrRuling
		case op == nil:
			if i := slices.IndexFunc(s.Operations, (*Operation).inReview); i >= 0 {
				op = s.Operations[i]
			}
		}
		if op == nil || !op.inReview() {
			return nil, nil, ErrNoReview
		}
		return s.Attempt(op.Attempt), op, nil
	}
	if in.Operation != 0 {
		return nil, nil, ErrRuling
	}
	for _, a := range slices.Backward(s.Attempts) {
		if a.inReview() {
			return a, nil, nil
		}
	}
	return nil, nil, ErrNoReview
}

// Settle takes a person's ruling on what waits for one. The same ruling again changes nothing. ErrNoReview where nothing waits
// (any more: the gateway may have spoken meanwhile), ErrRuling and ErrAmount where it does not fit.
func (t Settlements) Settle(in NewSettlement) error {
	s := t.S
	a, op, err := s.ToSettle(in)
	if errors.Is(err, ErrNoReview) && len(s.Settlements) > 0 {
		last := s.Settlements[len(s.Settlements)-1]
		if last.Outcome == in.Outcome && last.Reason == in.Reason && last.open() && (in.Amount == 0 || in.Amount == last.Amount) &&
			(in.Operation == 0 || in.Operation == last.Operation) {
			return ErrNothing
		}
	}
	if err != nil {
		return err
	}
	r := &Settlement{
		N: len(s.Settlements) + 1, Attempt: a.N, Outcome: in.Outcome, Reason: in.Reason, By: in.By, At: t.Now,
		Was: string(a.State), HeldFor: a.Mismatch,
	}
	if op != nil {
		return t.operation(op, r, in.Amount)
	}
	return t.payment(a, r, in.Amount)
}

// payment takes a ruling on a payment.
func (t Settlements) payment(a *Attempt, r *Settlement, amount int64) error {
	s := t.S
	switch {
	case r.Outcome == RuledNotPaid && amount != 0, amount < 0, amount > maxSettled:
		return ErrAmount
	case r.Outcome == RuledNotPaid && a.State.Funded(): // the gateway itself said that money moved
		return ErrRuling
	case r.Outcome == RuledPaid:
		if r.Amount = amount; r.Amount == 0 {
			r.Amount = s.Amount.Minor
		}
	}
	a.NeedsReview, a.NewsAt = false, t.Now
	s.Settlements = append(s.Settlements, r)
	trigger := SettleUnpaid
	if r.Outcome == RuledPaid {
		trigger = SettlePaid
		a.PaidLate = s.standsBesides(a) != nil || !a.State.Funded() && s.ClosedReason != ""
		if a.Captured, a.Decline = r.Amount, nil; !a.State.Funded() || a.AmountAuthorized < r.Amount {
			a.AmountAuthorized = r.Amount
		}
	}
	ends := r.Outcome == RuledNotPaid && s.ClosedReason == ""
	if ends {
		s.ClosedReason = Cancelled
	}
	if _, err := next(a.State, trigger); err == nil {
		if err := t.move(a, trigger); err != nil {
			return err
		}
	}
	t.record(EventPaymentSettled, settlementData(r))
	if ends {
		t.record(EventSessionCancelled, nil)
	}
	t.queueRecheck(a, t.Now.Add(recheckSchedule[0]))
	return nil
}

// operation takes a ruling on an operation.
func (t Settlements) operation(op *Operation, r *Settlement, amount int64) error {
	switch {
	case amount != 0 && amount != op.Amount:
		return ErrAmount
	case op.State == OpSucceeded && r.Outcome == RuledFailed && op.Kind == providers.Capture: // taken money is not a hold again
		return ErrRuling
	}
	r.Operation, r.Amount, r.Was, r.HeldFor = op.N, op.Amount, string(op.State), ""
	t.S.Settlements = append(t.S.Settlements, r)
	to := OpSucceeded
	if r.Outcome == RuledFailed {
		to, op.Decline = OpFailed, &providers.Decline{Reason: providers.OtherReason, Code: declineSettled}
	}
	if op.NeedsReview = false; op.State == OpSucceeded {
		op.Unconfirmed = false
		if to == OpFailed {
			t.takeBack(op)
		}
	}
	if err := t.Operations().move(op, to); err != nil {
		return err
	}
	t.record(EventPaymentSettled, settlementData(r))
	t.queueRecheck(t.S.Attempt(op.Attempt), t.Now.Add(recheckSchedule[0]))
	return nil
}

// takeBack takes an operation that was counted as done out of the payment's sums.
func (t Settlements) takeBack(op *Operation) {
	switch a := t.S.Attempt(op.Attempt); {
	case op.Kind == providers.Refund:
		a.Refunded = max(0, a.Refunded-op.Amount)
	case a.Voided:
		a.Voided = false
	default:
		a.AmountAuthorized += op.Amount
	}
}

// ofOperations compares what the gateway has just said of a payment's sums with rulings on its operations. books are the sums
// before it was believed. That nothing has moved confirms no failure: it may be seen late (settledSums).
func (t Settlements) ofOperations(a *Attempt, stated bool, books Baseline) {
	for _, r := range t.S.Settlements {
		switch {
		case r.Attempt != a.N || !r.Outcome.OfOperation() || !r.open():
		case r.Outcome == RuledFailed:
			if movedSince(a, t.S.Operation(r.Operation).Kind, books) {
				t.refute(a, r)
			}
		case a.Refunded < books.Refunded:
			t.refute(a, r)
		case stated:
			r.Confirmed = t.Now
		}
	}
}

// movedSince tells whether a payment's sums have moved as an operation of a kind moves them.
func movedSince(a *Attempt, kind providers.OpKind, books Baseline) bool {
	now := recordedSums(a)
	switch kind {
	case providers.Refund:
		return now.Refunded > books.Refunded
	case providers.Void:
		return now.Held < books.Held || now.Outcome != books.Outcome && now.Outcome == providers.Voided
	}
	return now.Captured > books.Captured
}

const (
	declineSettled = "settled_by_hand"  // of an operation that a person says has failed
	declineSums    = "sums_unconfirmed" // of one that waits until the gateway's sums agree with a ruling

	maxSettled int64 = 999_999_999_999 // as of a session's amount
)

func settlementData(r *Settlement) map[string]any {
	data := map[string]any{"settlement": r.N, "outcome": r.Outcome, "attempt": r.Attempt, "settled_amount": r.Amount, "reason": r.Reason,
		"was": r.Was}
	if r.Operation != 0 {
		data["operation"] = r.Operation
	}
	return data
}

// refute notes, loudly, that the gateway's own word contradicts a person's, and counts.
func (t Settlements) refute(a *Attempt, r *Settlement) {
	r.Refuted = t.Now
	data := settlementData(r)
	if a.remember(t.heard, t.Now); t.heard != nil {
		data["gateway"] = a.Said
	}
	t.alarm("the gateway contradicts what a person settled", "attempt", r.Attempt, "operation", r.Operation, "settled", r.Outcome)
	t.record(EventSettlementContradicted, data)
}

// onSettled applies a standing to a payment that a person said is paid, until the gateway has confirmed or contradicted that. A
// word that says neither changes nothing. done is false where the standing is to be applied as any other.
func (t verdict) onSettled(a *Attempt, r *Settlement, st providers.Standing) (done bool, err error) {
	switch of := mismatch(t.S, a, st); of {
	case "reference", "gateway order", "currency": // of another payment: it says nothing of this one
		return true, t.recheckSettled(a, r)
	}
	switch st.Outcome {
	case providers.Refused, providers.Closed, providers.Voided:
		t.Settlements().refute(a, r)
		if st.Decline != nil {
			a.Decline = st.Decline
		}
		if t.S.ClosedReason == "" { // the shop took the order for paid: no second card without its knowing
			t.S.ClosedReason = Cancelled
		}
		a.AmountAuthorized, a.Captured, a.Refunded, a.PaidLate = 0, 0, 0, false
		return true, t.move(a, Contradict)
	case providers.Paid:
		if !paidAs(st, r.Amount) {
			t.Settlements().refute(a, r)
			if taken := takenBy(st, t.S.Amount); taken > 0 {
				a.AmountAuthorized, a.Captured = taken, taken
			}
			t.needsReview(a)
			return true, nil
		}
		r.Confirmed = t.Now
		a.Mismatch = ""
		return false, nil
	}
	return true, t.recheckSettled(a, r)
}

// takenBy is what a gateway says was taken; 0 where it does not say, or speaks of another currency.
func takenBy(st providers.Standing, of money.Amount) int64 {
	switch {
	case st.Captured != 0:
		return st.Captured
	case st.Amount.Currency.Code == of.Currency.Code:
		return st.Amount.Minor
	}
	return 0
}

// paidAs tells whether a gateway's word that it is paid fits an amount.
func paidAs(st providers.Standing, amount int64) bool {
	if st.Captured == 0 && st.Amount.Currency.Code == "" {
		return true // it states no sum
	}
	return st.Captured == amount || st.Captured == 0 && st.Amount.Minor == amount || st.Captured != 0 && st.Captured+st.Refunded == amount
}

// recheckSettled asks again by the schedule of ended attempts: a person's word ends nothing for the gateway.
func (t verdict) recheckSettled(a *Attempt, r *Settlement) error {
	wait, more := recheckAfter(t.Now.Sub(r.At))
	if !more {
		return ErrNothing
	}
	t.queueRecheck(a, t.Now.Add(wait))
	return nil
}

// settledSums decides whether an operation may go out after a person's ruling: a payment settled as paid, and a kind of which an
// operation was settled as failed, wait until the gateway's fresh word agrees. heard is that word.
func (t Operations) settledSums(a *Attempt, kind providers.OpKind, st providers.Standing) bool {
	t.heard = &st
	if r := t.S.settlementOf(a.N, 0); r != nil && r.Outcome == RuledPaid && r.open() {
		if st.Outcome != providers.Paid || !paidAs(st, r.Amount) || st.Captured == 0 && st.Amount.Currency.Code == "" {
			return false
		}
		r.Confirmed = t.Now
	}
	for _, op := range t.S.Operations {
		r := t.S.settlementOf(op.Attempt, op.N)
		if r == nil || r.Outcome != RuledFailed || op.Kind != kind || !r.open() {
			continue
		}
		ours := recordedSums(a)
		switch {
		case !st.Stated, st.Outcome != ours.Outcome:
			return false
		case kind == providers.Void && st.Held == ours.Held,
			kind != providers.Void && st.Captured == ours.Captured && st.Refunded == ours.Refunded:
			r.Confirmed = t.Now
		default:
			t.Settlements().refute(a, r)
			t.queueRecheck(a, t.Now)
			return false
		}
	}
	return true
}
