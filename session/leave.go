package session

import (
	"errors"
	"slices"
	"time"

	"tollgate/providers"
)

// CannotLeave says that the payment under way can be left by no proof now: the bank may still take it until then. It is ErrBusy.
type CannotLeave struct{ Until time.Time }

func (e *CannotLeave) Error() string        { return ErrBusy.Error() + ", and may still be taken" }
func (e *CannotLeave) Is(target error) bool { return target == ErrBusy }

// resultWithheld is the result of a permission that was used up without sending: no money can move any more.
const resultWithheld = "withheld"

// Leaving decides about leaving a payment that is under way.
type Leaving struct{ *Turn }

// Exit is the proof by which a live attempt may be left, before the gateway is asked whether it still holds.
func (t Leaving) Exit(a *Attempt) providers.Exit {
	switch {
	case t.S.Kind == KindPayout, a.State == New, a.State == Calling, a.State == Mismatched:
		return providers.Outlives
	case a.withholdable():
		return providers.Withholds
	case t.Rules.Closes && (a.State == Shopper || !a.Unanswered() || t.settled(a)):
		return providers.Closes
	}
	return providers.Outlives
}

// withholdable tells whether no money can move without one more call of ours, and every call that was sent has its answer in
// the book. An attempt without a call in the book has lost it: the database is older than the truth.
func (a *Attempt) withholdable() bool {
	return a.State == Shopper && a.Step != nil && a.Step.Withholdable && len(a.Calls) > 0 && a.allAnswered(Call{})
}

// everShown tells whether a browser was ever sent to the bank or the gateway for the attempt.
func (a *Attempt) everShown() bool {
	return slices.ContainsFunc(a.Runs, func(r *Run) bool { return !r.ShownAt.IsZero() })
}

// unreached tells whether the gateway waits at a page whose address only the answer to our one call had, and that answer was
// lost: the call has arrived, nobody was or will be sent to the page, and nothing else can move the money.
func (a *Attempt) unreached(st providers.Standing) bool {
	return st.AwaitsPage && st.Next == nil && a.Step == nil && !a.everShown() && len(a.Calls) == 1 && a.Calls[0].Result == resultError
}

// Until is the latest moment at which the bank may still take an attempt that cannot be left now.
func (t Leaving) Until(a *Attempt) time.Time {
	until := a.CreatedAt.Add(t.Rules.OrderLife)
	switch {
	case a.State == New, a.State == Calling:
		until = a.Deadline.Add(t.Rules.SettleAfter)
	case t.Rules.Closes && a.State == Shopper:
		until = a.StepAt.Add(ChallengeWait)
	case t.Rules.Closes:
		until = a.Deadline.Add(2 * t.Rules.SettleAfter)
	}
	if again := t.Now.Add(shopperAtEnd); until.Before(again) { // its end is due, and is still to be proved
		until = again
	}
	return until
}

// Leave lets the shopper or the merchant leave attempt n; in is what the gateway said just now, its order closed where it can
// be. With cancel the session ends too. Where neither proof is to be had the attempt stays live, and the answer of the gateway
// is applied like any other.
func (t Leaving) Leave(n int, in InquiryAnswer, cancel bool) error {
	a := t.S.Attempt(n)
	if a == nil || !a.State.Live() {
		if cancel {
			return t.Cancel()
		}
		return ErrNothing
	}
	t.cancels = cancel
	waits := in.Err == nil && in.Standing.Outcome == providers.Waiting && a.Seen() == in.Seen && mismatch(t.S, a, in.Standing) == ""
	if waits && a.withholdable() && (in.Standing.Next == nil || sameStep(*a.Step, *in.Standing.Next)) {
		a.InquiredAt = t.Now
		a.Note(in.Wire...)
		return t.withhold(a)
	}
	if err := t.Inquired(n, in); !errors.Is(err, ErrNothing) {
		return err
	}
	return nil
}

// withhold uses up the permission for the attempt's next call without sending it, and ends the attempt in the same save. No
// later call of it is permitted. Where the gateway can close the order, the next look does.
func (t Leaving) withhold(a *Attempt) error {
	t.Change.Calls = append(t.Change.Calls, Call{
		Attempt: a.N, Kind: CallResume, Round: a.StepN + 1, SentAt: t.Now, AnsweredAt: t.Now, Result: resultWithheld,
	})
	a.Withheld = true
	if err := t.move(a, Withhold); err != nil {
		return err
	}
	t.queueRecheck(a, t.Now)
	return nil
}

// leaveUnreached ends an attempt whose order waits at a page that nobody was ever sent to, and that nobody will be.
func (t Leaving) leaveUnreached(a *Attempt) error {
	a.Withheld = true
	if err := t.endCalling(a, Disprove); err != nil {
		return err
	}
	t.queueRecheck(a, t.Now)
	return nil
}

// leaveRefused ends an attempt whose gateway refuses again and again, in words, the answer that it waits for. Nothing was taken by
// those calls, and none is sent any more; money that comes all the same is given back.
func (t Leaving) leaveRefused(a *Attempt) error {
	a.Withheld = true
	if a.Decline = orOther(a.Decline); a.Decline.Reason == providers.TryAgainLater || a.Decline.Reason == providers.OtherReason {
		a.Decline.Reason = providers.AuthenticationFailed // of a step of 3-D Secure, which did not end well
	}
	if err := t.endCalling(a, Decline); err != nil {
		return err
	}
	t.queueRecheck(a, t.Now)
	return nil
}

// leftSchedule is when an attempt that was left is looked at, from its end on; then every hour until its order's life is over.
var leftSchedule = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// leftAfter tells in how long an attempt that was left is looked at again; false once the gateway's own end is over.
func (t Leaving) leftAfter(a *Attempt) (time.Duration, bool) {
	if !t.Now.Before(a.CreatedAt.Add(max(t.Rules.OrderLife, ChallengeWait)).Add(t.Rules.SettleAfter)) {
		return 0, false
	}
	return nextOf(leftSchedule, hourly, t.Now.Sub(a.UpdatedAt)), true
}

// lateReply notes what a browser brought for an attempt that was left: it is told, and never sent.
func (t Arrivals) lateReply(a *Attempt, note func()) error {
	if !a.Withheld {
		return ErrNothing
	}
	note()
	return nil
}

// standsBesides is an attempt but the given one by which money stands for the session, or nil. Money that came for an attempt
// that was left, and was given back, stands no more.
func (s *Session) standsBesides(a *Attempt) *Attempt {
	for _, o := range s.Attempts {
		if o != a && o.State.Funded() && !o.GivenBack() {
			return o
		}
	}
	return nil
}

// GivenBack tells whether the money of an attempt that was left was voided or refunded whole.
func (a *Attempt) GivenBack() bool {
	return a.Withheld && a.State.Funded() && (a.Voided || a.Captured > 0 && a.Refunded >= a.Captured)
}

// giveBack voids or refunds money that was found for an attempt that was left: the shopper was told that nothing is taken. What
// cannot be given back so is for a person.
func (t Leaving) giveBack(a *Attempt) error {
	if !a.Withheld || !a.State.Funded() || a.GivenBack() || t.S.openOn(a) != nil {
		return nil
	}
	if r := t.S.settlementOf(a.N, 0); r != nil && r.Outcome == RuledPaid { // a person keeps it
		return nil
	}
	kind, amount := providers.Refund, a.Captured-a.Refunded-a.Disputed // what the bank claims back is not given back twice
	if a.State == Authorized {
		kind, amount = providers.Void, a.AmountAuthorized
	}
	can := slices.ContainsFunc(t.Rules.Operations, func(l providers.OpLimits) bool { return l.Kind == kind })
	tries := 0
	for _, op := range t.S.Operations {
		if op.Attempt == a.N && op.GiveBack && op.Kind == kind {
			tries++
			can = can && op.Decline != nil && unsentReason(op.Decline.Reason)
		}
	}
	if !can || tries >= maxReleases || amount <= 0 {
		t.needsReview(a)
		return nil
	}
	op, err := t.Operations().write(&Operation{
		Kind: kind, Attempt: a.N, Amount: amount, GiveBack: true, Expected: recordedSums(a), Baseline: recordedSums(a),
	})
	if err != nil {
		return err
	}
	t.After = append(t.After, Release{op.N})
	return nil
}
