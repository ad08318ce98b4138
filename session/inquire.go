package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tollgate/providers"
	"tollgate/threeds"
)

// inquireDue is the inquiry job.
func (f *Flow) inquireDue(ctx context.Context, p jobPayload) error {
	if !p.Look {
		s, err := f.Store.Load(ctx, p.Session)
		if err != nil {
			return err
		}
		if a := s.Attempt(p.Attempt); a == nil || !a.State.Live() {
			return nil // the end came by another way
		}
	}
	return f.inquire(ctx, p.Session, p.Attempt)
}

// inquire asks the gateway what became of an attempt and believes the answer. It never charges.
func (f *Flow) inquire(ctx context.Context, id string, n int) error {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	a := s.Attempt(n)
	if a == nil || a.State == Paid {
		return nil
	}
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	seen, credential := view{a.State, a.StepN}, f.credential(ctx, s)
	standing, dialled, askErr := f.status(ctx, acc, s, a)
	if askErr == nil && f.lostStep(s, a, acc) && standing.Outcome == providers.Waiting {
		var more []TimelineEntry
		standing, more, askErr = f.closeOrder(ctx, acc, s, a, standing)
		dialled = append(dialled, more...)
	}
	if standing.Outcome == providers.HoldLeft {
		defer f.flights.take(id)()
	}
	s, err = f.update(ctx, id, func(s *Session, c *Change) error {
		a := s.Attempt(n)
		a.AskedAt, a.NextAsk = f.Now(), time.Time{}
		a.note(dialled...)
		if askErr != nil {
			f.Log.Warn("inquiry without an answer", "session", id, "attempt", n, "error", askErr)
			if errors.Is(askErr, providers.ErrCredential) {
				f.loggedOut(ctx, s, credential)
				if a.State == Gateway { // nobody can say how it ends until the customer logs in again
					if err := f.move(s, a, c, Overdue); err != nil {
						return err
					}
				}
			}
			return f.askLater(s, a, c)
		}
		return f.judge(s, a, c, acc, standing, seen)
	})
	f.At("status.stored")
	if err != nil {
		return err
	}
	if op := s.openOn(s.Attempt(n)); op != nil && op.Release && op.State == OpNew && standing.Outcome == providers.HoldLeft {
		f.operate(ctx, id, op.N)
	}
	return nil
}

// view is what an inquiry saw of the attempt before it asked: news that is older than the attempt's own is dropped.
type view struct {
	state State
	stepN int
}

func (f *Flow) status(ctx context.Context, acc Account, s *Session, a *Attempt) (standing providers.Standing, dialled []TimelineEntry, err error) {
	dialled, err = f.dial(ctx, acc, "status", func(call context.Context) (err error) {
		standing, err = ask(call, acc, s, f.payment(ctx, s, a))
		return err
	})
	f.At("status.answered")
	return standing, dialled, err
}

// lostStep tells whether what the gateway waits for can no longer come, or must not: the shopper's time is over, money
// stands for the session already, or the call that would have brought it has no answer and the time for a late one is
// over too.
func (f *Flow) lostStep(s *Session, a *Attempt, acc Account) bool {
	now := f.Now()
	switch a.State {
	case Shopper:
		return !now.Before(a.StepAt.Add(ChallengeWait)) || s.otherMoney(a) != nil
	case Unknown, Gateway:
		return a.settled(now, acc) && !now.Before(a.UpdatedAt.Add(acc.SettleAfter))
	}
	return false
}

// closeOrder makes an order unpayable where the gateway can, and asks again. Where it cannot, the order is outlived.
func (f *Flow) closeOrder(ctx context.Context, acc Account, s *Session, a *Attempt, before providers.Standing) (providers.Standing, []TimelineEntry, error) {
	closer, can := acc.Provider.(providers.Closer)
	if !can {
		if !f.Now().Before(a.CreatedAt.Add(acc.OrderLife)) || a.untouched(before) {
			before.Outcome = providers.Closed
		}
		return before, nil, nil
	}
	dialled, err := f.dial(ctx, acc, "close", func(call context.Context) error { return closer.Close(call, f.payment(ctx, s, a)) })
	f.At("close.answered")
	if err != nil {
		f.Log.Warn("order could not be closed", "session", s.ID, "attempt", a.N, "error", err)
	}
	after, more, err := f.status(ctx, acc, s, a)
	return after, append(dialled, more...), err
}

// untouched tells that the gateway knows an order and nothing of a card, long after any call that may have been sent: no
// call is in the book, so this attempt's caller died between registering the order and its permission. Ways to pay that
// need no call of ours once their page was shown (a QR code) are not told apart so.
func (a *Attempt) untouched(st providers.Standing) bool {
	byCard := a.Instrument == "card" || a.Instrument == "saved_card"
	return len(a.Calls) == 0 && byCard && st.Outcome == providers.Waiting && st.Next == nil && st.LastTry == nil
}

// judge applies a gateway's standing to an attempt. Only here do attempts become authorized or paid.
func (f *Flow) judge(s *Session, a *Attempt, c *Change, acc Account, st providers.Standing, seen view) error {
	if st.Ref.OrderID != "" && a.Ref.OrderID == "" {
		a.Ref.OrderID = st.Ref.OrderID
	}
	if a.Card.Last4 == "" {
		a.Card = st.Card
	}
	if st.ThreeDS != (providers.ThreeDS{}) {
		a.ThreeDS = st.ThreeDS
	}
	if op := s.openOn(a); op != nil { // what it moves is judged when it ends
		c.Jobs = append(c.Jobs, f.operateJob(s, op, f.Now()))
		return nil
	}
	other := f.mismatch(s, a, st)
	switch st.Outcome {
	case providers.Paid, providers.Authorized:
		if other == "" && (st.Unproven || a.Unproven) && a.State != Authorized {
			a.Unproven = true
			other = notOurs
		}
		if other != "" {
			return f.hold(s, a, c, other)
		}
		return f.good(s, a, c, st)
	}
	if other != "" { // whatever it says, it is of something else
		f.Log.Warn("inquiry answered for something else", "session", s.ID, "attempt", a.N, "what", other)
		return f.askLater(s, a, c)
	}
	if !a.State.Live() { // a second look at a final state: only money would have changed it
		return f.lookAgain(s, a, c)
	}
	if a.State != seen.state || a.StepN != seen.stepN {
		return errNothing // the attempt moved on while we asked; its own inquiry is queued
	}
	if f.underWay(s, a) {
		f.askAtDeadline(s, a, c)
		return nil
	}
	switch st.Outcome {
	case providers.Refused:
		a.Decline = orOther(st.Decline)
		return f.endCalling(s, a, c, Decline)
	case providers.Closed, providers.Voided:
		if a.unanswered() && !a.settled(f.Now(), acc) { // its call may still arrive, or be another process's to finish
			return f.askLater(s, a, c)
		}
		if st.Decline != nil {
			a.Decline = st.Decline
		}
		switch {
		case s.released(a):
			return f.endCalling(s, a, c, Decline)
		case a.State == Shopper:
			return f.move(s, a, c, Abandon)
		}
		return f.endCalling(s, a, c, Disprove)
	case providers.HoldLeft:
		return f.holdLeft(s, a, c, st)
	case providers.NotFound:
		return f.notFound(s, a, c, acc)
	case providers.Waiting:
		return f.waiting(s, a, c, st)
	case providers.Processing:
		return f.processing(s, a, c)
	case providers.Unclear:
		a.Unclear = true
	}
	return f.askLater(s, a, c)
}

// underWay tells that whoever makes the attempt's call, or is about to, may be alive: there is a deadline to wait for.
func (f *Flow) underWay(s *Session, a *Attempt) bool {
	return (a.State == New || a.State == Calling) && f.Now().Before(a.Deadline) && !f.orphaned(s)
}

// unanswered tells that the newest call has no answer in the book, or that there is no call at all.
func (a *Attempt) unanswered() bool {
	return len(a.Calls) == 0 || a.Calls[len(a.Calls)-1].AnsweredAt.IsZero()
}

// endCalling ends an attempt whose call is past its deadline: the table knows no short way from calling to an end.
func (f *Flow) endCalling(s *Session, a *Attempt, c *Change, t Trigger) error {
	if t != Decline || a.State == New {
		if err := f.doubt(s, a, c); err != nil {
			return err
		}
	}
	return f.move(s, a, c, t)
}

// doubt is a call that is still out past its deadline, or an attempt whose caller is gone: that its call is not in the
// book proves nothing, because the database may be older than the truth (restored, failed over). Any other attempt
// stays as it is.
func (f *Flow) doubt(s *Session, a *Attempt, c *Change) error {
	if a.State != Calling && a.State != New {
		return nil
	}
	return f.move(s, a, c, Overdue)
}

// settled tells that a call of the attempt's that has not reached the gateway by now never will: its deadline and the
// account's settle_after are over. Where no call is in the book, one may have been sent all the same (doubt), after the
// order was registered.
func (a *Attempt) settled(now time.Time, acc Account) bool {
	deadline := a.Deadline
	if len(a.Calls) == 0 {
		deadline = a.CreatedAt.Add(2 * acc.CallTimeout)
	}
	return !now.Before(deadline.Add(acc.SettleAfter))
}

func orOther(d *providers.Decline) *providers.Decline {
	if d == nil {
		return &providers.Decline{Reason: providers.OtherReason}
	}
	return d
}

// mismatch names in what a standing is not of our payment; "" where it is, as far as it says.
func (f *Flow) mismatch(s *Session, a *Attempt, st providers.Standing) string {
	held, captured := s.Amount.Minor, s.Amount.Minor
	switch a.State {
	case Authorized:
		held = a.Held // of which a part may have been voided
	case Paid:
		held, captured = a.Held, a.Captured // of a hold perhaps a part
	}
	switch {
	case st.Reference != "" && st.Reference != a.Ref.Reference:
		return "reference"
	case st.Ref.OrderID != "" && a.Ref.OrderID != "" && st.Ref.OrderID != a.Ref.OrderID:
		return "gateway order"
	case st.Amount.Currency.Code != "" && st.Amount.Currency.Code != s.Amount.Currency.Code:
		return "currency"
	case st.Amount.Currency.Code != "" && st.Amount.Minor != s.Amount.Minor:
		return "amount"
	case !possible(s, a, st):
		return "sums"
	case st.Outcome == providers.Authorized && st.Held != 0 && st.Held != held:
		return "amount authorized"
	case st.Outcome == providers.Paid && a.State != Authorized && st.Captured != 0 && st.Captured != captured && st.Captured+st.Refunded != captured:
		return "amount captured"
	}
	return ""
}

// possible tells whether the sums of a standing can be: nothing negative, no more held than was asked for, no more taken
// than was held (after a part of it was voided, than what was left), no more given back than was taken. A sum of 0 may
// not have been stated.
func possible(s *Session, a *Attempt, st providers.Standing) bool {
	most := s.Amount.Minor
	if a.State == Authorized {
		most = a.Held
	}
	if st.Held != 0 {
		most = min(most, st.Held)
	}
	taken := st.Captured
	if taken == 0 && st.Outcome == providers.Paid {
		taken = most
	}
	return min(st.Held, st.Captured, st.Refunded) >= 0 && st.Held <= s.Amount.Minor && st.Captured <= most && st.Refunded <= taken
}

// notOurs is said of money under our number that nothing proves to be ours.
const notOurs = "order that nothing proves to be ours"

// needsReview asks for a person, once.
func (f *Flow) needsReview(s *Session, a *Attempt, c *Change) {
	if !a.NeedsEyes {
		a.NeedsEyes = true
		f.told(s, a, c, "payment.needs_review")
	}
}

// hold is money for something else than we asked: a person has to look.
func (f *Flow) hold(s *Session, a *Attempt, c *Change, what string) error {
	a.HeldFor = what
	f.Log.Error("the gateway approved something else than we asked", "session", s.ID, "attempt", a.N, "what", what)
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	if !a.State.Live() {
		if a.NeedsEyes {
			return errNothing
		}
		f.needsReview(s, a, c)
		return nil
	}
	if err := f.move(s, a, c, Mismatch); err != nil {
		return err
	}
	if a.Unproven { // no later inquiry will say more
		f.needsReview(s, a, c)
	}
	return f.askLater(s, a, c)
}

// good is money held or taken.
func (f *Flow) good(s *Session, a *Attempt, c *Change, st providers.Standing) error {
	held, captured := st.Held, st.Captured
	if held == 0 {
		held = s.Amount.Minor
	}
	t := Authorize
	if st.Outcome == providers.Paid {
		t = Pay
		if captured == 0 {
			captured = s.Amount.Minor
		}
	}
	if a.State != Authorized { // the money counts, unless the session has ended or was paid otherwise
		a.PaidLate = s.End != "" || s.otherMoney(a) != nil
	}
	if a.State == New {
		if err := f.doubt(s, a, c); err != nil {
			return err
		}
	}
	if _, err := next(a.State, t); err != nil {
		return f.askLater(s, a, c) // authorized, seen again: nothing new
	}
	a.Held, a.Captured, a.Refunded = held, captured, st.Refunded
	a.Decline, a.HeldFor = nil, ""
	if err := f.move(s, a, c, t); err != nil {
		return err
	}
	if a.PaidLate {
		f.told(s, a, c, "payment.paid_late")
	}
	if live := s.Live(); live != nil { // its order is closed now, where the gateway can
		c.Jobs = append(c.Jobs, f.inquireJob(s, live, f.Now()))
	}
	if s.SaveCard && a.Saved == "" {
		c.Jobs = append(c.Jobs, f.rememberJob(s, a, f.Now()))
	}
	return nil
}

// notFound is not yet proof: the call may still be under way.
func (f *Flow) notFound(s *Session, a *Attempt, c *Change, acc Account) error {
	now := f.Now()
	if now.Before(a.Deadline) {
		return f.askLater(s, a, c)
	}
	if a.Missing.IsZero() {
		a.Missing = now
		return f.askLater(s, a, c)
	}
	if !a.settled(now, acc) || !now.After(a.Missing) {
		return f.askLater(s, a, c)
	}
	a.Decline = &providers.Decline{Reason: providers.TryAgainLater}
	if a.State == Shopper { // an order that vanished while the shopper was at the bank
		return f.move(s, a, c, Abandon)
	}
	return f.endCalling(s, a, c, Disprove)
}

// waiting is an order that is known and unpaid.
func (f *Flow) waiting(s *Session, a *Attempt, c *Change, st providers.Standing) error {
	a.Missing = time.Time{}
	if run := a.Run(); run != nil && run.Bare && a.State == Shopper { // nobody has been at the bank yet: the way there again
		run.Bare, run.ReturnedAt = false, time.Time{}
	}
	if st.LastTry != nil && st.Next == nil {
		a.Decline = st.LastTry
		return f.endCalling(s, a, c, Decline)
	}
	if run := a.Run(); a.State != Shopper && a.Step != nil && (st.Next == nil || sameStep(*a.Step, *st.Next)) {
		failed := failedInARow(a)
		switch {
		case run.Unsent && (failed > 0 || run.Weak) && (failed == 0 || !f.Now().Before(a.lastAnswer().Add(againAfter(failed)))):
			return f.again(s, a, c) // what was forwarded was not it; this may be
		case run.Weak && !run.Unsent && len(a.Calls) < maxCalls:
			return f.backToBank(s, a, c)
		}
	}
	if st.Next == nil {
		return f.askLater(s, a, c)
	}
	if a.State == Shopper && a.Step != nil && sameStep(*a.Step, *st.Next) {
		return f.askLater(s, a, c)
	}
	if a.Step != nil && sameStep(*a.Step, *st.Next) {
		if failedInARow(a) == 0 || f.Now().Before(a.lastAnswer().Add(againAfter(failedInARow(a)))) {
			return f.askLater(s, a, c) // it has our answer and is slow; or it is too soon to try again
		}
		return f.again(s, a, c)
	}
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	return f.ask(s, a, c, *st.Next)
}

// again repeats a step whose answer was lost on the way to the gateway: the inquiry says that the gateway still waits
// for it. What the browser brought is still there.
func (f *Flow) again(s *Session, a *Attempt, c *Change) error {
	run := a.Run()
	kept := *run
	step := *a.Step
	step.NewRun = false
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	if err := f.ask(s, a, c, step); err != nil {
		return err
	}
	run.CompInd, run.NotifiedAt, run.MethodAt = kept.CompInd, kept.NotifiedAt, kept.MethodAt
	run.ShownAt, run.ReturnedAt, run.Sealed = kept.ShownAt, kept.ReturnedAt, kept.Sealed
	c.Jobs = append(c.Jobs, f.resumeJob(s, a, f.Now()))
	return nil
}

// backToBank shows the way to the bank once more: what came back was no answer, and the gateway still waits for one. The
// page does not post by itself again, and the shopper's time runs on.
func (f *Flow) backToBank(s *Session, a *Attempt, c *Change) error {
	run, at := a.Run(), a.StepAt
	shown, step := run.ShownAt, *a.Step
	step.NewRun = false
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	if err := f.ask(s, a, c, step); err != nil {
		return err
	}
	run.ShownAt, run.Weak, a.StepAt = shown, false, at
	return nil
}

// failedInARow counts the newest calls that got no clear answer, or none was written down before a crash.
func failedInARow(a *Attempt) int {
	n := 0
	for i := len(a.Calls) - 1; i >= 0 && (a.Calls[i].AnsweredAt.IsZero() || a.Calls[i].Result == "error"); i-- {
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

// sameStep compares what the gateway asks for. What we put into the forms ourselves is new at each inquiry.
func sameStep(a, b providers.Step) bool {
	if a.Kind != b.Kind || a.HTML != b.HTML || a.Link != b.Link || len(a.Forms) != len(b.Forms) {
		return false
	}
	if a.ThreeDS != b.ThreeDS {
		return false
	}
	return slices.EqualFunc(a.Forms, b.Forms, func(x, y threeds.Form) bool {
		return x.Action == y.Action && slices.EqualFunc(x.Fields, y.Fields, func(p, q threeds.Field) bool {
			return p.Name == q.Name && (p.Value == q.Value || slices.Contains(ownFields, p.Name))
		})
	})
}

// ownFields hold addresses and tokens of ours.
var ownFields = []string{"threeDSSessionData", "MD", "TermUrl", "threeDSMethodData"}

func (f *Flow) processing(s *Session, a *Attempt, c *Change) error {
	a.Missing = time.Time{}
	a.Unclear = false
	if a.State == Calling {
		if err := f.move(s, a, c, Work); err != nil {
			return err
		}
	}
	if a.State == Unknown {
		if err := f.move(s, a, c, Work); err != nil {
			return err
		}
	}
	return f.askLater(s, a, c)
}

// askLater queues the next inquiry by the schedule.
func (f *Flow) askLater(s *Session, a *Attempt, c *Change) error {
	now := f.Now()
	if !a.State.Live() {
		return f.lookAgain(s, a, c)
	}
	if f.underWay(s, a) {
		f.askAtDeadline(s, a, c)
		return nil
	}
	if err := f.doubt(s, a, c); err != nil {
		return err
	}
	if a.State == Gateway && a.Unclear {
		if err := f.move(s, a, c, Overdue); err != nil {
			return err
		}
	}
	var wait time.Duration
	if run := a.Run(); a.State == Shopper && run != nil && run.Bare {
		if wait, _ = inquiryAfter(now.Sub(run.ReturnedAt), false); wait == 0 {
			wait = hourly
		}
	} else if a.State == Shopper {
		wait = shopperAfter(now.Sub(a.StepAt))
		if left := a.StepAt.Add(ChallengeWait).Sub(now); left > 0 && left < wait {
			wait = left
		}
	} else {
		var more bool
		if wait, more = inquiryAfter(now.Sub(a.newsAt()), a.Unclear || a.State == Held); !more {
			f.needsReview(s, a, c)
			return nil
		}
	}
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, now.Add(wait)))
	return nil
}

// askAtDeadline waits for the answer of the call that is out. The inquiry of its deadline is queued anew: a callback's,
// which has the same key, took its place, and the process that waits for the answer may die.
func (f *Flow) askAtDeadline(s *Session, a *Attempt, c *Change) {
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, a.Deadline.Add(time.Second)))
}

// lookAgain follows a final state that was proved without the gateway's own final word.
func (f *Flow) lookAgain(s *Session, a *Attempt, c *Change) error {
	if a.State.Good() || a.State == Declined {
		return errNothing
	}
	wait, more := lookAfter(f.Now().Sub(a.newsAt()))
	if !more {
		return errNothing
	}
	c.Jobs = append(c.Jobs, f.lookJob(s, a, f.Now().Add(wait)))
	return nil
}

// newsAt is when the attempt had its last news. Attempts that an older version wrote have no such mark.
func (a *Attempt) newsAt() time.Time {
	if a.NewsAt.IsZero() {
		return a.UpdatedAt
	}
	return a.NewsAt
}

// Inquire asks the gateways about a session's newest attempt now, as a merchant may.
func (f *Flow) Inquire(ctx context.Context, id string) (*Session, error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if a := s.Last(); a != nil {
		if err := f.inquire(ctx, id, a.N); err != nil {
			return nil, err
		}
	}
	return f.Store.Load(ctx, id)
}

// Callback takes a gateway's callback for an account: proved, it queues an inquiry and is stored before it is answered;
// forged, it changes nothing (providers.ErrForged). What it says is a hint only.
func (f *Flow) Callback(ctx context.Context, account string, r *http.Request) error {
	acc, ok := f.Accounts[account]
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoAccount, account)
	}
	notifier, ok := acc.Provider.(providers.Notifier)
	if !ok {
		return fmt.Errorf("%w: %s takes no callbacks", ErrNoAccount, account)
	}
	notice, err := notifier.Notified(r)
	if err != nil {
		return err
	}
	if notice.Reference == "" {
		return nil
	}
	id, n, err := f.Store.FindReference(ctx, account, notice.Reference)
	if err != nil {
		return err
	}
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		a := s.Attempt(n)
		if a.Ref.OrderID == "" && notice.OrderID != "" && a.State != New {
			a.Ref.OrderID = notice.OrderID
		}
		c.Jobs = append(c.Jobs, f.lookJob(s, a, f.Now()))
		if op := s.openOn(a); op != nil { // perhaps it speaks of that
			c.Jobs = append(c.Jobs, f.operateJob(s, op, f.Now()))
		}
		return nil
	})
	return err
}
