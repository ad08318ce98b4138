package session

import (
	"errors"
	"time"

	"tollgate/providers"
)

// This file is the life of a payment after its success: what the gateway says of it is compared with our books, and taken into
// them where the gateway stated it.

// fit is what a standing is to our books.
type fit int

const (
	silent  fit = iota // it says nothing of the payment's money
	agrees             // as the books say, as far as the gateway states it
	renewed            // the books were another, and are the gateway's now
	lags               // it does not show yet what an operation is known to have done
	misfits            // what it says can come of no act that is known, or it states no sum
)

// afterSuccess applies what an inquiry says of a payment that has succeeded. other is in what that is another payment than ours.
func (t verdict) afterSuccess(a *Attempt, seen Seen, st providers.Standing, other string) error {
	a.LookFailedSince = time.Time{}
	if t.outdated(a, seen) {
		t.queueInquiry(a, t.Now)
		return nil
	}
	if other != "" {
		t.alarm("the gateway tells of another payment than ours", "attempt", a.N, "what", other)
		a.Mismatch = other
		t.reviewSums(a, st)
		return t.lookLater(a)
	}
	t.followReceipts(a, st.Receipts)
	op := t.S.unconfirmedOn(a)
	books := recordedSums(a)
	got := t.follow(a, st)
	if got == agrees || got == renewed {
		Settlements(t).ofOperations(a, st.Stated, books)
	}
	switch got {
	case misfits:
		t.reviewSums(a, st)
	case agrees, renewed:
		if a.Mismatch != secondOrder { // of which this order says nothing
			a.NeedsReview, a.Mismatch = a.NeedsReview && a.Withheld && !a.GivenBack(), ""
		}
		if op != nil {
			op.Unconfirmed, op.NeedsReview = false, false
		}
	}
	if got == renewed {
		a.NewsAt = t.Now
	}
	if a.Withheld {
		if err := Leaving(t).giveBack(a); err != nil {
			return err
		}
	}
	return t.lookLater(a)
}

// follow compares a standing with the books, and renews them where the gateway states something else that can be: an act in its
// cabinet, by the bank, or by time.
func (t verdict) follow(a *Attempt, st providers.Standing) fit {
	got, refunded := misfits, a.Refunded
	switch {
	case st.Outcome == providers.Processing, st.Outcome == providers.Unclear, st.Outcome == providers.NotFound:
		got = silent // old orders leave the gateways' archives
	case a.State == Authorized && !a.Voided:
		got = t.followLiveHold(a, st)
	case st.Outcome == providers.Voided, a.State == Authorized && st.Outcome == providers.Closed:
		got = t.followVoid(a, st)
	case !a.Voided && st.Outcome == providers.Paid:
		got = t.followTaken(a, st)
	}
	if got == misfits && t.S.unconfirmedOn(a) != nil && before(a, st) {
		got = lags
	}
	if disputed := t.followDispute(a, st.Dispute, refunded); got == agrees && disputed {
		got = renewed
	}
	return got
}

// before tells whether a standing is an earlier state of the payment than the books have.
func before(a *Attempt, st providers.Standing) bool {
	return st.Outcome == providers.Authorized || st.Outcome == providers.Paid && !a.Voided
}

// followLiveHold compares what is said of a hold that lives.
func (t verdict) followLiveHold(a *Attempt, st providers.Standing) fit {
	switch st.Outcome {
	case providers.Authorized:
		less := a.AmountAuthorized - st.Held
		switch {
		case st.Stated && less < 0:
			return misfits
		case !st.Stated, less == 0:
			return agrees
		}
		a.AmountAuthorized = st.Held
		t.recordMove(a, EventVoidElsewhere, less)
		return renewed
	case providers.Paid:
		a.Captured = st.Captured
		if a.Captured == 0 {
			a.Captured = a.AmountAuthorized
		}
		if err := t.move(a, Pay); err != nil { // authorized may become paid
			return misfits
		}
		t.recordMove(a, EventCaptureElsewhere, a.Captured)
		if t.followTaken(a, st) == misfits {
			return misfits
		}
		return renewed
	case providers.Voided, providers.Closed:
		return t.followVoid(a, st)
	}
	return misfits
}

// followVoid compares what is said of a payment whose money is back: a hold that is gone, or a payment that was reversed
// before it was settled.
func (t verdict) followVoid(a *Attempt, st providers.Standing) fit {
	if a.Voided {
		return agrees
	}
	moved := a.AmountAuthorized
	if a.State == Paid {
		if a.Refunded > 0 {
			return misfits
		}
		moved, a.Captured = a.Captured, 0
	}
	a.Voided = true
	if st.RanOut || st.Outcome == providers.Closed {
		t.recordMove(a, EventAuthorizationExpired, moved)
	} else {
		t.recordMove(a, EventVoidElsewhere, moved)
	}
	return renewed
}

// followTaken compares what is said of money that was taken. Sums that the gateway did not state change nothing; where they say
// that something was given back of which our books know nothing, a person has to look.
func (t verdict) followTaken(a *Attempt, st providers.Standing) fit {
	if !st.Stated {
		if (st.Refunded > 0 || st.Returned) && a.Refunded == 0 {
			return misfits
		}
		return agrees
	}
	captured := st.Captured
	if captured == 0 || captured+st.Refunded == a.Captured { // not told, or told less what was given back
		captured = a.Captured
	}
	got := agrees
	more, back := captured-a.Captured, st.Refunded-a.Refunded
	whole := st.Captured == a.AmountAuthorized || st.Captured == t.S.amountOf(a)
	if left := st.Captured - st.Refunded; more > 0 && back > 0 && left <= a.Captured && whole {
		// Told of the whole hold, of which a part was captured: what is left of the money is what counts.
		more, back = 0, a.Captured-left-a.Refunded
	}
	late := t.S.unconfirmedOn(a) != nil
	switch {
	case late && (more < 0 || back < 0):
		return lags
	case more < 0 && back != 0, more > 0 && captured > a.AmountAuthorized:
		return misfits
	case more > 0:
		a.Captured = captured
		t.recordMove(a, EventCaptureElsewhere, more)
		got = renewed
	case more < 0:
		a.Captured = captured
		t.recordMove(a, EventVoidElsewhere, -more)
		got = renewed
	}
	switch {
	case back > 0:
		a.Refunded += back
		t.recordMove(a, EventRefundElsewhere, back)
		got = renewed
	case back < 0:
		a.Refunded += back
		t.recordMove(a, EventRefundUndone, -back)
		got = renewed
	}
	return got
}

// followDispute takes a chargeback into the books, and tells whether it was news. refunded is how much was given back before: what
// goes back with the chargeback may be told as given back, too.
func (t verdict) followDispute(a *Attempt, d *providers.Dispute, refunded int64) bool {
	if d == nil || d.State == providers.DisputeWon && a.Dispute == "" {
		return false
	}
	amount, most := d.Amount, a.Captured
	if a.State == Authorized && !a.Voided {
		most = a.AmountAuthorized
	}
	switch {
	case d.State == providers.DisputeWon:
		amount = 0
	case amount <= 0 || amount > most:
		amount = most - min(refunded, a.Refunded)
		if a.Dispute != "" && a.Dispute != string(providers.DisputeWon) {
			amount = a.Disputed // of which the gateway says no more
		}
	}
	if a.Dispute == string(d.State) && a.Disputed == amount {
		return false
	}
	a.Dispute, a.Disputed = string(d.State), amount
	t.recordAttempt(a, EventPaymentChargeback)
	return true
}

// recordMove writes the event of money that moved without an operation of ours.
func (t verdict) recordMove(a *Attempt, kind EventType, amount int64) {
	t.recordAttemptWith(a, kind, map[string]any{"amount_moved": amount})
}

// reviewSums records that a person has to look at what the gateway says of a payment, with the gateway's figures: once, and again
// where they are others than those that were told.
func (t verdict) reviewSums(a *Attempt, st providers.Standing) {
	known := a.NeedsReview && a.Said.same(figuresOf(st, t.Now))
	a.remember(&st, t.Now)
	if known {
		return
	}
	a.NeedsReview = true
	if a.Mismatch == "" {
		a.Mismatch = "sums"
	}
	t.recordAttempt(a, EventPaymentNeedsReview)
}

// lookLater queues the next look at a payment that has succeeded.
func (t verdict) lookLater(a *Attempt) error {
	if t.S.Kind == KindPayout {
		return nil
	}
	wait, more := lookAfter(t.Now.Sub(a.newsAt()), t.Rules.FollowFor, a.State == Authorized && !a.Voided)
	if soon, asking := inquiryAfter(t.Now.Sub(a.newsAt()), false); a.receiptsPending() && asking && (!more || soon < wait) {
		wait, more = soon, true
	}
	if op := t.S.unconfirmedOn(a); op != nil {
		soon, asking := inquiryAfter(t.Now.Sub(op.UpdatedAt), false)
		switch {
		case asking && (!more || soon < wait):
			wait, more = soon, true
		case !asking && !op.NeedsReview:
			op.NeedsReview = true
			t.record(EventOperationNeedsReview, map[string]any{"operation": op.N, "kind": op.Kind})
		}
	}
	if failing := t.Now.Sub(a.LookFailedSince); failing < lookAgainFor {
		if soon := nextOf(slowSchedule, hourly, failing); !more || soon < wait {
			wait, more = soon, true
		}
	}
	if more {
		t.queueRecheck(a, t.Now.Add(wait))
	}
	return nil
}

// lookFailed is a look after success that brought no answer: of the payment it changes nothing. A customer's credential that is
// refused brings no answer until they log in again.
func (t verdict) lookFailed(a *Attempt, err error) error {
	if a.LookFailedSince.IsZero() && !errors.Is(err, providers.ErrCredential) {
		a.LookFailedSince = t.Now
	}
	return t.lookLater(a)
}

// callbackTurn tells when an inquiry is due that a callback about a payment asks for: at once, or a moment after the one before.
// False where one is queued already, so that a callback that is repeated costs no more than that.
func (a *Attempt) callbackTurn(now time.Time) (at time.Time, due bool) {
	switch next := a.CalledBackAt.Add(CallbackGap); {
	case a.CalledBackAt.After(now.Add(CallbackGap)): // the clock has gone back
		at = now
	case a.CalledBackAt.After(now):
		return time.Time{}, false
	case next.After(now):
		at = next
	default:
		at = now
	}
	a.CalledBackAt = at
	return at, true
}
