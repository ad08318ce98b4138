package session

import (
	"errors"
	"time"

	"tollgate/providers"
)

// blindAfter is how long inquiries may bring no answer before the outcome counts as unknown.
const blindAfter = 20 * time.Second

// awaited tells whether the shopper or the gateway is awaited: the outcome counts as known, as long as inquiries are answered.
func (a *Attempt) awaited() bool { return a.State == Shopper || a.State == Gateway }

// Asking decides about inquiries that bring no answer, and about when the gateway may be asked.
type Asking struct{ *Turn }

// heard applies an answer of the gateway, which ends a time without any. Where the outcome counted as unknown and the answer
// moves nothing, the state's event is told again.
func (t Asking) heard(a *Attempt, apply func() error) error {
	blind, last := a.Blind, t.S.LastEvent
	a.AskFailedSince, a.AskAfter, a.Blind = time.Time{}, time.Time{}, false
	err := apply()
	if !blind || err != nil && !errors.Is(err, ErrNothing) {
		return err
	}
	if a.State.Live() && t.S.LastEvent == last {
		t.recordAttempt(a, eventOf[a.State])
	}
	return nil
}

// unheard notes that an inquiry had no answer, and how long the gateway wants to be left alone.
func (t Asking) unheard(a *Attempt, err error) {
	t.reason = providers.ClassOf(err)
	if wait := providers.RetryAfter(err); wait > 0 {
		a.AskAfter = t.Now.Add(wait)
	}
	if a.awaited() && (a.AskFailedSince.IsZero() || a.AskFailedSince.After(t.Now)) { // elsewhere the outcome is not known anyway
		a.AskFailedSince, a.AskFailure = t.Now, t.reason
	}
	t.goBlind(a)
}

// goBlind makes the outcome of a live attempt unknown once inquiries have had no answer for blindAfter. Its state stays: the
// shopper may well be at the bank.
func (t Asking) goBlind(a *Attempt) {
	if !a.awaited() || a.Blind || a.AskFailedSince.IsZero() || t.Now.Before(a.AskFailedSince.Add(blindAfter)) {
		return
	}
	a.Blind = true
	t.recordAttempt(a, EventPaymentUnknown)
}

// whileUnheard is when the next inquiry job runs where it was to run at a time: not before the gateway wants to be asked, but
// no later than the outcome has to count as unknown, and no later than a person has to look.
func (t Asking) whileUnheard(a *Attempt, at time.Time) time.Time {
	if at.Before(a.AskAfter) {
		at = a.AskAfter
	}
	blind := a.AskFailedSince.Add(blindAfter)
	if a.awaited() && !a.AskFailedSince.IsZero() && !a.Blind && blind.After(t.Now) && blind.Before(at) {
		at = blind
	}
	if review := a.CreatedAt.Add(reviewAfter); review.After(t.Now) && review.Before(at) {
		at = review
	}
	return at
}

// MayAsk tells whether the gateway may be asked about an attempt now: it may have asked to be left alone.
func (t Asking) MayAsk(a *Attempt) bool { return !t.Now.Before(a.AskAfter) }

// NotAsked puts an inquiry about attempt n off because the gateway wants to be left alone.
func (t Asking) NotAsked(n int) error {
	a := t.S.Attempt(n)
	if a == nil || t.MayAsk(a) {
		return ErrNothing
	}
	t.reason = a.AskFailure
	t.goBlind(a)
	if a.State.Live() && a.tooOld(t.Now) {
		t.needsReview(a)
		return nil
	}
	at := t.whileUnheard(a, a.AskAfter)
	if a.State.Live() {
		t.queueInquiry(a, at)
	} else {
		t.queueRecheck(a, at)
	}
	return nil
}
