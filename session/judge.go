package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tollgate/providers"
)

// Seen is the place of an attempt at the moment an inquiry about it was sent. Where the attempt has moved on since, the answer
// is dropped unless it is of money.
type Seen struct {
	State State
	StepN int
	Money Money
}

// Money is what our books say of an attempt's.
type Money struct {
	Held, Captured, Refunded int64
	Voided                   bool
}

// Seen is the attempt's place now.
func (a *Attempt) Seen() Seen {
	return Seen{a.State, a.StepN, Money{a.AmountAuthorized, a.Captured, a.Refunded, a.Voided}}
}

// InquiryAnswer is what an inquiry about an attempt brought.
type InquiryAnswer struct {
	Seen     Seen // the attempt as it was when the gateway was asked
	Standing providers.Standing
	Err      error // no answer; Standing says nothing then
	Wire     []TimelineEntry

	Second  string   // a further order under the attempt's reference that has money beside the one of Standing
	Doubt   bool     // whether a further order has money could not be told
	Named   string   // the id of a further order that the gateway named itself
	NotOurs []string // ids of further orders that the gateway says are none

	LoginRefused bool // the gateway refused the customer's credential
	LoginLost    bool // and the customer has no newer one
}

// Inquired applies what an inquiry about attempt n brought.
func (t *Turn) Inquired(n int, in InquiryAnswer) error {
	a := t.S.Attempt(n)
	a.InquiredAt, a.NextInquiry = t.Now, time.Time{}
	a.notAhead(t.Now, t.Rules.CallTimeout)
	a.Note(in.Wire...)
	gatewayOrders{t}.count(a, in)
	err := verdict{t}.inquired(a, in)
	if in.Second != "" && (err == nil || errors.Is(err, ErrNothing)) {
		gatewayOrders{t}.reviewSecond(a, in)
		return nil
	}
	if a.State.Live() && !a.NeedsReview && a.tooOld(t.Now) && (err == nil || errors.Is(err, ErrNothing)) {
		t.needsReview(a)
		return nil
	}
	return err
}

// notAhead takes back moments that are in the future because the clock has gone back: what they are counted from was then, or before.
func (a *Attempt) notAhead(now time.Time, timeout time.Duration) {
	for _, at := range []*time.Time{&a.NewsAt, &a.UpdatedAt, &a.StepAt} {
		if at.After(now) {
			*at = now
		}
	}
	if latest := now.Add(timeout); a.Deadline.After(latest) {
		a.Deadline = latest
	}
}

// tooOld tells whether an attempt has lived so long that a person has to look, whatever the gateway says.
func (a *Attempt) tooOld(now time.Time) bool { return !now.Before(a.CreatedAt.Add(reviewAfter)) }

func (t verdict) inquired(a *Attempt, in InquiryAnswer) error {
	if in.Err == nil {
		return Asking(t).heard(a, func() error { return t.applyStanding(a, in.Seen, in.Standing) })
	}
	t.warn("inquiry without an answer", "attempt", a.N, "error", in.Err)
	Asking(t).unheard(a, in.Err)
	t.tellMisconfigured(in.Err, a)
	if a.State.Funded() {
		return t.lookFailed(a, in.Err)
	}
	if in.LoginLost {
		t.S.dropLogin()
	}
	if in.LoginRefused && a.State == Gateway { // nobody can say how it ends until the customer logs in again
		if err := t.move(a, Overdue); err != nil {
			return err
		}
	}
	if err := t.inquireLater(a); !errors.Is(err, ErrNothing) || t.Change.Notice == nil {
		return err
	}
	return nil // there is something to tell
}

// verdict applies what the gateway says of an attempt.
type verdict struct{ *Turn }

// rememberSeen keeps what a standing tells beside the outcome, whatever comes of that.
func (a *Attempt) rememberSeen(st providers.Standing) {
	if st.Ref.OrderID != "" && a.Ref.OrderID == "" {
		a.Ref.OrderID = st.Ref.OrderID
	}
	if a.Card.Last4 == "" {
		a.Card = st.Card
	}
	if st.ThreeDS != (providers.ThreeDS{}) {
		a.ThreeDS = st.ThreeDS
	}
}

// applyStanding applies a gateway's standing to an attempt. Only here do attempts become authorized or paid.
func (t verdict) applyStanding(a *Attempt, seen Seen, st providers.Standing) error {
	t.heard = &st
	other, unproven := mismatch(t.S, a, st), anothers(t.S, a, st)
	a.rememberSeen(st)
	if other == "" {
		a.rememberAuthorization(t.Now, st.Authorization)
	}
	if op := t.S.openOn(a); op != nil { // the operation's own inquiry tells what it has moved
		t.queueOperationInquiry(op, t.Now)
		return nil
	}
	if t.S.Unconfirmed(a) {
		if done, err := t.onSettled(a, t.S.settlementOf(a.N, 0), st); done {
			return err
		}
	}
	if a.State.Funded() {
		return t.afterSuccess(a, seen, st, other)
	}
	if unproven && a.numberTaken() && passedOver(other, st) {
		if a.State.Live() {
			return t.endCalling(a, Disprove)
		}
		return t.recheckLater(a)
	}
	switch st.Outcome {
	case providers.Paid, providers.Authorized:
		if other == "" && (st.Unproven || a.Unproven || unproven) {
			a.Unproven = true
			other = notOurs
		}
		if other != "" {
			return t.onMismatch(a, other)
		}
		return t.onMoney(a, st)
	}
	if other != "" { // of another payment than ours: it proves nothing
		t.warn("inquiry answered for something else", "attempt", a.N, "what", other)
		return t.inquireLater(a)
	}
	if st.Outcome == providers.HoldLeft && !a.State.Live() {
		return t.onHoldLeft(a, st)
	}
	if !a.State.Live() { // an inquiry about a final state: only money would have changed it
		return t.recheckLater(a)
	}
	if a.Seen() != seen {
		return ErrNothing // the attempt moved on while we asked; its own inquiry is queued
	}
	if t.underWay(a) {
		t.inquireAtDeadline(a)
		return nil
	}
	switch st.Outcome {
	case providers.Refused:
		a.Decline = orOther(st.Decline)
		return t.endCalling(a, Decline)
	case providers.Closed, providers.Voided:
		return t.onClosed(a, st)
	case providers.HoldLeft:
		return t.onHoldLeft(a, st)
	case providers.NotFound:
		return t.notSeen(a)
	case providers.Waiting:
		return t.onWaiting(a, st)
	case providers.Processing:
		return t.onProcessing(a)
	case providers.Unclear:
		a.Unclear = true
	}
	return t.inquireLater(a)
}

// onClosed applies that the order of a live attempt is unpaid and cannot be paid any more.
func (t verdict) onClosed(a *Attempt, st providers.Standing) error {
	if a.Unanswered() && !t.settled(a) { // its call may still arrive, or another process is about to make it
		return t.inquireLater(a)
	}
	if st.Decline != nil {
		a.Decline = st.Decline
	}
	switch {
	case t.S.released(a):
		return t.endCalling(a, Decline)
	case a.State == Shopper:
		return t.move(a, Abandon)
	}
	return t.endCalling(a, Disprove)
}

// underWay tells that the process that makes the attempt's call, or is about to, may be alive: its deadline is waited for.
func (t verdict) underWay(a *Attempt) bool {
	return (a.State == New || a.State == Calling) && t.Now.Before(a.Deadline) && !t.CallerDied
}

// Unanswered tells that the newest call has no answer in the book, or that there is no call at all.
func (a *Attempt) Unanswered() bool {
	return len(a.Calls) == 0 || a.Calls[len(a.Calls)-1].AnsweredAt.IsZero()
}

// endCalling ends an attempt whose call is past its deadline: calling must pass through unknown before it may fail.
func (t *Turn) endCalling(a *Attempt, trigger Trigger) error {
	if trigger != Decline || a.State == New {
		if err := t.markOverdue(a); err != nil {
			return err
		}
	}
	return t.move(a, trigger)
}

// markOverdue makes a new or calling attempt unknown: its call has no answer by the deadline, or the process that was to make it
// is dead. That no call is in the book does not prove that none was sent, because the database may have lost its newest
// commits (restored, failed over). Any other attempt stays as it is.
func (t *Turn) markOverdue(a *Attempt) error {
	if a.State != Calling && a.State != New {
		return nil
	}
	return t.move(a, Overdue)
}

// settled tells that a call of the attempt's that has not reached the gateway by now never will: its deadline and the
// account's settle_after are over. Where no call is in the book, one may have been sent all the same (markOverdue), after
// the order was registered.
func (t *Turn) settled(a *Attempt) bool {
	deadline := a.Deadline
	if len(a.Calls) == 0 {
		deadline = deadline.Add(t.Rules.CallTimeout)
	}
	return !t.Now.Before(deadline.Add(t.Rules.SettleAfter))
}

// LostStep tells whether what the gateway waits for can no longer come, or must not: the shopper's time is over, another attempt
// has paid the session, or the call that would have brought it has no answer and the time for a late one is over too. Then
// the order is to be closed.
func (t *Turn) LostStep(a *Attempt) bool {
	switch a.State {
	case Shopper:
		return !t.Now.Before(a.StepAt.Add(ChallengeWait)) || t.S.standsBesides(a) != nil
	case Unknown, Gateway:
		return t.settled(a) && !t.Now.Before(a.UpdatedAt.Add(t.Rules.SettleAfter))
	}
	return false
}

// Outlived tells whether an unpaid order that the gateway cannot close is abandoned all the same: its life is over, or the
// gateway knows the order and nothing of a card or a bank's page long after any call that may have been sent. In the second case no call is
// in the book, so this attempt's caller died between registering the order and its permission; ways to pay that need no
// call of ours once their page was shown (a QR code) are not told apart so.
func (t *Turn) Outlived(a *Attempt, st providers.Standing) bool {
	byCard := a.Instrument == "card" || a.Instrument == "saved_card" || a.Instrument == providers.GooglePay
	untouched := len(a.Calls) == 0 && byCard && !st.Unproven && st.Outcome == providers.Waiting && st.Next == nil && st.LastTry == nil &&
		!st.AwaitsPage && st.Card.Last4 == ""
	return untouched || !t.Now.Before(a.CreatedAt.Add(t.Rules.OrderLife))
}

// needsReview records, once, that a person has to look. The figures are the newest.
func (t *Turn) needsReview(a *Attempt) {
	a.remember(t.heard, t.Now)
	if !a.NeedsReview {
		a.NeedsReview = true
		t.recordAttempt(a, EventPaymentNeedsReview)
	}
}

// onMismatch: the gateway approved another amount, currency or order than ours; it needs review.
func (t verdict) onMismatch(a *Attempt, what string) error {
	if r := t.S.settlementOf(a.N, 0); r != nil && r.HeldFor == what && !a.State.Live() { // what a person has seen and ruled on
		return t.recheckLater(a)
	}
	a.Mismatch = what
	a.remember(t.heard, t.Now)
	t.alarm("the gateway approved something else than we asked", "attempt", a.N, "what", what, "gateway", a.Said)
	if err := t.markOverdue(a); err != nil {
		return err
	}
	if !a.State.Live() {
		if a.NeedsReview {
			return ErrNothing
		}
		t.needsReview(a)
		return nil
	}
	if err := t.move(a, Mismatch); err != nil {
		return err
	}
	if a.Unproven { // no later inquiry will say more
		t.needsReview(a)
	}
	return t.inquireLater(a)
}

// onMoney applies that the gateway holds or has taken the right amount.
func (t verdict) onMoney(a *Attempt, st providers.Standing) error {
	s := t.S
	held, captured := st.Held, st.Captured
	if held == 0 {
		held = s.Amount.Minor
	}
	trigger := Authorize
	if st.Outcome == providers.Paid {
		trigger = Pay
		if captured == 0 {
			captured = s.Amount.Minor
		}
	}
	// the money counts, unless the session has ended, was paid otherwise, or the attempt was left
	a.PaidLate = s.ClosedReason != "" || s.standsBesides(a) != nil || a.Withheld
	if a.State == New {
		if err := t.markOverdue(a); err != nil {
			return err
		}
	}
	a.AmountAuthorized, a.Captured, a.Refunded = held, captured, 0
	if st.Stated {
		a.Refunded = st.Refunded
	}
	if r := s.settlementOf(a.N, 0); r != nil && r.Outcome == RuledNotPaid && r.open() {
		t.Settlements().refute(a, r)
	}
	a.Decline, a.Mismatch = nil, ""
	if err := t.move(a, trigger); err != nil {
		return err
	}
	if t.followReceipts(a, st.Receipts); a.receiptsPending() { // of which the look that is queued with the success knows nothing
		if err := t.lookLater(a); err != nil {
			return err
		}
	}
	if t.followDispute(a, st.Dispute, a.Refunded); st.Outcome == providers.Paid && t.followTaken(a, st) == misfits {
		t.reviewSums(a, st)
	}
	if live := s.Live(); live != nil { // the inquiry closes its order, where the gateway can
		t.queueInquiry(live, t.Now)
	}
	if (s.SaveCard && a.Saved == "" && !a.NotKept || a.BeginsSeries) && !a.Withheld {
		t.queueRemember(a, 0, t.Now)
	}
	return Leaving(t).giveBack(a)
}

// outdated tells whether money was moved between the asking and the hearing of a payment that has succeeded: the answer may be of
// before that, and seem to undo it.
func (t verdict) outdated(a *Attempt, seen Seen) bool {
	operated := slices.ContainsFunc(t.S.Operations, func(op *Operation) bool { return op.Attempt == a.N })
	return a.Seen().Money != seen.Money && (seen.State.Funded() || operated)
}

// notSeen applies "not found". It proves a failure only when it is repeated after the call's deadline and settle_after.
func (t verdict) notSeen(a *Attempt) error {
	switch {
	case t.Now.Before(a.Deadline):
		return t.inquireLater(a)
	case a.NotFoundSince.IsZero(), a.NotFoundSince.After(t.Now): // the clock may have gone back
		a.NotFoundSince = t.Now
		if t.settled(a) { // one more answer like this proves it, however long nobody asked
			t.queueInquiry(a, t.Now.Add(fastFirst))
			return t.markOverdue(a)
		}
		return t.inquireLater(a)
	case !t.settled(a), !t.Now.After(a.NotFoundSince):
		return t.inquireLater(a)
	}
	if a.Decline == nil { // else what the gateway said to the call
		a.Decline = &providers.Decline{Reason: providers.TryAgainLater}
	}
	if a.State == Shopper { // an order that vanished while the shopper was at the bank
		return t.move(a, Abandon)
	}
	return t.endCalling(a, Disprove)
}

// onWaiting applies that the gateway knows the order and that it is unpaid.
func (t verdict) onWaiting(a *Attempt, st providers.Standing) error {
	a.NotFoundSince = time.Time{}
	run := a.Run()
	if run != nil && run.EmptyReturn && a.State == Shopper { // the challenge is not answered yet: it may be shown again
		run.EmptyReturn, run.ReturnedAt = false, time.Time{}
	}
	if st.LastTry != nil && st.Next == nil {
		a.Decline = st.LastTry
		return t.endCalling(a, Decline)
	}
	if a.unreached(st) {
		return Leaving(t).leaveUnreached(a)
	}
	if a.State == Mismatched { // other money stands under its reference: nothing is sent for it
		return t.inquireLater(a)
	}
	failed := failedInARow(a)
	rested := failed == 0 || !t.Now.Before(a.lastAnswer().Add(resendAfter(failed)))
	if a.State != Shopper && a.Step != nil && (st.Next == nil || sameStep(*a.Step, *st.Next)) {
		switch {
		case run.LaterAnswer && (failed > 0 || run.UnreadableAnswer) && rested && len(a.Calls) < maxCalls:
			return t.resendAnswer(a) // what was forwarded was lost or unreadable; a later answer is stored
		case run.UnreadableAnswer && !run.LaterAnswer && len(a.Calls) < maxCalls:
			return t.backToBank(a)
		}
	}
	switch {
	case st.Next == nil:
		return t.inquireLater(a)
	case a.Step == nil || !sameStep(*a.Step, *st.Next):
		if err := t.markOverdue(a); err != nil {
			return err
		}
		return t.giveStep(a, *st.Next)
	case a.State == Shopper, failed == 0, !rested: // it waits for the shopper, has our answer and is slow, or resending is not due
		return t.inquireLater(a)
	case refusedInARow(a) >= maxRefused:
		return Leaving(t).leaveRefused(a)
	case len(a.Calls) >= maxCalls: // it will not take this answer: the order is closed, or outlived
		return t.inquireLater(a)
	}
	return t.resendAnswer(a)
}

// resendAnswer sends the stored answer of a step to the gateway again: it was lost on the way, for the inquiry says that the
// gateway still waits for it.
func (t verdict) resendAnswer(a *Attempt) error {
	if err := t.markOverdue(a); err != nil {
		return err
	}
	return t.sendAnswerAgain(a)
}

// sendAnswerAgain gives the attempt the same step once more, answered as it was, so that the answer goes out as a call of its own.
func (t *Turn) sendAnswerAgain(a *Attempt) error {
	run := a.Run()
	kept := *run
	step := *a.Step
	step.NewRun = false
	if err := t.giveStep(a, step); err != nil {
		return err
	}
	run.CompInd, run.NotifiedAt, run.MethodAt = kept.CompInd, kept.NotifiedAt, kept.MethodAt
	run.ShownAt, run.ReturnedAt, run.Sealed = kept.ShownAt, kept.ReturnedAt, kept.Sealed
	t.queueResume(a, t.Now)
	return nil
}

// backToBank shows the challenge again: what came back could not be read as an answer, and the gateway still waits for one. The
// page does not post by itself again, and the shopper's time runs on.
func (t verdict) backToBank(a *Attempt) error {
	run, at := a.Run(), a.StepAt
	shown, step := run.ShownAt, *a.Step
	step.NewRun = false
	if err := t.markOverdue(a); err != nil {
		return err
	}
	if err := t.giveStep(a, step); err != nil {
		return err
	}
	run.ShownAt, run.UnreadableAnswer, a.StepAt = shown, false, at
	return nil
}

// failedInARow counts the newest calls in a row whose answer was not clear, or was not stored because the process died.
func failedInARow(a *Attempt) int {
	n := 0
	for i := len(a.Calls) - 1; i >= 0; i-- {
		if c := a.Calls[i]; !c.AnsweredAt.IsZero() && c.Result != resultError && c.Result != resultRefused {
			break
		}
		n++
	}
	return n
}

// refusedInARow counts the newest calls in a row that the gateway refused in words.
func refusedInARow(a *Attempt) int {
	n := 0
	for i := len(a.Calls) - 1; i >= 0 && a.Calls[i].Result == resultRefused; i-- {
		n++
	}
	return n
}

// lastAnswer is when the newest call was answered; its deadline, where no answer was written down.
func (a *Attempt) lastAnswer() time.Time {
	if len(a.Calls) == 0 {
		return time.Time{}
	}
	last := a.Calls[len(a.Calls)-1]
	if last.AnsweredAt.IsZero() {
		return a.Deadline
	}
	return last.AnsweredAt
}

func (t verdict) onProcessing(a *Attempt) error {
	a.NotFoundSince = time.Time{}
	a.Unclear = false
	if a.State == Calling || a.State == Unknown {
		if err := t.move(a, Work); err != nil {
			return err
		}
	}
	return t.inquireLater(a)
}

// inquireLater queues the next inquiry by the schedule.
func (t verdict) inquireLater(a *Attempt) error {
	if !a.State.Live() {
		return t.recheckLater(a)
	}
	if t.underWay(a) {
		t.inquireAtDeadline(a)
		return nil
	}
	if err := t.markOverdue(a); err != nil {
		return err
	}
	if a.State == Gateway && a.Unclear {
		if err := t.move(a, Overdue); err != nil {
			return err
		}
	}
	if a.tooOld(t.Now) {
		t.needsReview(a)
		return nil
	}
	var wait time.Duration
	switch run := a.Run(); {
	case a.State == Shopper && run != nil && run.EmptyReturn:
		if wait, _ = inquiryAfter(t.Now.Sub(run.ReturnedAt), false); wait == 0 {
			wait = hourly
		}
	case a.State == Shopper:
		wait = a.shopperAfter(t.Now)
		if left := a.StepAt.Add(ChallengeWait).Sub(t.Now); left > 0 && left < wait {
			wait = left
		}
	default:
		var more bool
		since := t.Now.Sub(a.newsAt())
		if wait, more = inquiryAfter(since, a.Unclear || a.State == Mismatched); !more {
			t.needsReview(a)
			return nil
		}
		if a.State == Gateway && since < firstLook {
			wait = firstLook - since
		}
	}
	t.queueInquiry(a, Asking(t).whileUnheard(a, t.Now.Add(wait)))
	return nil
}

// inquireAtDeadline queues the inquiry for the deadline of the call that is out, in case the process that waits for the answer
// dies. An inquiry that ran earlier (a callback's) replaced it, for it has the same key, and queues it again.
func (t *Turn) inquireAtDeadline(a *Attempt) {
	t.queueInquiry(a, a.Deadline.Add(time.Second))
}

// recheckLater queues the next inquiry about a final state that the gateway did not state itself.
func (t verdict) recheckLater(a *Attempt) error {
	wait, more := recheckAfter(t.Now.Sub(a.newsAt()))
	switch {
	case a.Withheld:
		wait, more = Leaving(t).leftAfter(a)
	case a.State == Declined:
		wait, more = laterOf(declinedSchedule, t.Now.Sub(a.newsAt()))
		more = more && t.Rules.DeclineMayChange
	}
	if !more {
		return ErrNothing
	}
	t.queueRecheck(a, t.Now.Add(wait))
	return nil
}

// newsAt is when the attempt had its last news. Attempts that an older version wrote have no NewsAt.
func (a *Attempt) newsAt() time.Time {
	if a.NewsAt.IsZero() {
		return a.UpdatedAt
	}
	return a.NewsAt
}

// CalledBack takes a proved callback about attempt n: it queues an inquiry and may supply the gateway's id. What it says
// is a hint only.
func (t Arrivals) CalledBack(n int, gatewayOrder string) error {
	a := t.S.Attempt(n)
	known := !gatewayOrders(t).name(a, gatewayOrder)
	at, due := a.callbackTurn(t.Now)
	if !due {
		if known {
			return ErrNothing
		}
		return nil
	}
	t.askAt(a, at)
	return nil
}

// askAt queues an inquiry that was asked for. An open operation is asked about in turn (applyStanding). The job has a key of its
// own: neither an answer to an earlier inquiry nor a further callback may put it off.
func (t Arrivals) askAt(a *Attempt, at time.Time) {
	t.enqueue(JobInquire, fmt.Sprintf("/%d/callback%d", a.N, at.UnixMilli()), Task{Attempt: a.N, Look: true}, at)
}

// maxReleases bounds how many releases of one hold are begun of which none reached the gateway.
const maxReleases = 5

// onHoldLeft is a payment whose debit was refused while its hold stands. The hold is released as an operation under the call
// book; only the gateway's word that it is gone ends the attempt, and until then no other begins.
func (t verdict) onHoldLeft(a *Attempt, st providers.Standing) error {
	if a.State.Live() && (a.Decline == nil || !st.VoidRefused) { // the reason for refusing the void is not that of the debit
		a.Decline = orOther(st.Decline)
	}
	if err := t.markOverdue(a); err != nil {
		return err
	}
	tries, sent := 0, false
	for _, op := range t.S.Operations {
		if op.Attempt == a.N && op.Release {
			tries++
			sent = sent || op.State == OpSucceeded || op.Decline == nil || !unsentReason(op.Decline.Reason)
		}
	}
	if st.VoidRefused || sent || tries >= maxReleases {
		a.Unclear = true
		if st.VoidRefused || !t.S.released(a) {
			t.needsReview(a)
		}
		return t.followHold(a)
	}
	amount := st.Held
	if amount == 0 {
		amount = t.S.Amount.Minor
	}
	op, err := t.Operations().write(&Operation{
		Kind: providers.Void, Attempt: a.N, Amount: amount, Release: true, Baseline: baselineOf(st),
	})
	if err != nil {
		return err
	}
	t.After = append(t.After, Release{op.N})
	return t.followHold(a)
}

// unsentReason tells whether an operation that failed for a reason never did anything, and may be begun anew.
func unsentReason(r providers.Reason) bool {
	return r == providers.TryAgainLater || r == providers.Misconfigured
}

// followHold asks again by the schedule. That of an attempt that has ended may be over: what was decided is saved all the
// same, and the release has an inquiry of its own.
func (t verdict) followHold(a *Attempt) error {
	if err := t.inquireLater(a); !errors.Is(err, ErrNothing) {
		return err
	}
	return nil
}
