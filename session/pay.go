package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/threeds"
)

// Submission is a filled card form, or the choice of another way to pay.
type Submission struct {
	Kind    string // "" is "card"; else saved_card, qr, sberpay, hosted
	Card    card.Card
	Saved   *SavedCard // saved_card; its CVC, where the gateway asks, is in Card.Code
	Phone   string     // sberpay
	Browser threeds.BrowserData
	IP      string

	Merchant bool // the merchant pays with a saved card while the customer is away

	To *providers.Destination // of a payout, or of a transfer that the shopper aims; a card of it is in memory only
}

func (in Submission) instrument() providers.Instrument {
	i := providers.Instrument{Kind: in.Kind, Card: in.Card, Phone: in.Phone, Merchant: in.Merchant}
	if in.Saved != nil {
		i.Card = card.Card{}
		i.Saved, i.Code, i.First = in.Saved.GatewayID, in.Card.Code, in.Saved.SeriesID
	}
	return i
}

// Submit begins an attempt and returns once it is written down; the gateway is called in the background.
// ErrBusy where an attempt lives (a second click, another tab), ErrEnded where none may begin any more.
func (f *Flow) Submit(ctx context.Context, id string, in Submission) error {
	if in.Kind == "" {
		in.Kind = "card"
	}
	var a *Attempt
	landed := f.flights.take(id)
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		if err := f.mayBegin(s); err != nil {
			return err
		}
		now := f.Now()
		n := len(s.Attempts) + 1
		a = &Attempt{
			N: n, State: New, Instrument: in.Kind, Card: in.Card.Number.Masked(), Browser: in.Browser, IP: in.IP, Merchant: in.Merchant,
			Ref:       providers.Ref{Reference: fmt.Sprintf("%s-%d", s.OrderID, s.RefBase+n)},
			CreatedAt: now, UpdatedAt: now,
		}
		if in.Saved != nil {
			a.Saved, a.Card = in.Saved.ID, in.Saved.Card
		}
		if err := f.aim(s, a, &in); err != nil {
			return err
		}
		if err := f.newRun(a, threeds.IDs{}); err != nil {
			return err
		}
		acc, err := f.account(s)
		if err != nil {
			return err
		}
		s.Attempts = append(s.Attempts, a)
		a.Deadline = now.Add(acc.CallTimeout)
		f.told(s, a, c, eventOf[New])
		c.Jobs = append(c.Jobs, f.inquireJob(s, a, a.Deadline.Add(time.Second)))
		return nil
	})
	if err != nil {
		landed()
		return err
	}
	f.At("attempt.written")
	if in.Kind == "card" {
		f.vault.put(vaultKey(s, a), in.Card)
	}
	f.background(func(ctx context.Context) {
		defer landed()
		f.begin(ctx, s, a, in)
	})
	return nil
}

// mayBegin tells whether a new attempt is allowed.
func (f *Flow) mayBegin(s *Session) error {
	switch {
	case s.Live() != nil:
		return ErrBusy
	case s.Status() != StatusOpen, len(s.Attempts) >= MaxAttempts:
		return ErrEnded
	case !f.Now().Before(s.ExpiresAt):
		return ErrEnded
	}
	return nil
}

// background runs a call under Flow's own life, not the request's. A panic in it is a call without an answer: the queued
// inquiry looks after it, and the process lives. Its value is not logged, it may hold what was typed.
func (f *Flow) background(do func(ctx context.Context)) {
	f.calls.Add(1)
	go func() {
		defer f.calls.Done()
		defer func() {
			if v := recover(); v != nil {
				f.Log.Error("panic in a gateway call", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			}
		}()
		do(f.stop)
	}()
}

// begin registers the order and pays. It is never repeated: the card is in memory only.
func (f *Flow) begin(ctx context.Context, s *Session, a *Attempt, in Submission) {
	acc, err := f.account(s)
	if err != nil {
		f.Log.Error("attempt without an account", "session", s.ID, "error", err)
		return
	}
	log := f.Log.With("session", s.ID, "attempt", a.N, "account", acc.Name)
	var ref providers.Ref
	credential := f.credential(ctx, s)
	dialled, err := f.dial(ctx, acc, "register", func(call context.Context) (err error) {
		ref, err = register(call, acc, f.payment(ctx, s, a), in)
		return err
	})
	f.At("register.answered")
	if err != nil {
		log.Warn("order was not registered", "error", err)
		_, err = f.update(ctx, s.ID, func(s *Session, c *Change) error {
			a := s.Attempt(a.N)
			if a == nil || a.State != New {
				return errNothing
			}
			a.note(dialled...)
			if errors.Is(err, providers.ErrCredential) {
				f.loggedOut(ctx, s, credential)
			}
			a.Decline = &providers.Decline{Reason: providers.TryAgainLater, Code: failureCode(err)}
			return f.move(s, a, c, Unregistered)
		})
		if err != nil {
			log.Error("cannot write that the order was not registered", "error", err)
		}
		f.At("register.stored")
		return
	}
	ref.Reference = a.Ref.Reference
	f.call(ctx, s.ID, a.N, outgoing{kind: callPay, from: New, prepare: func(a *Attempt) { a.Ref = ref; a.note(dialled...) }},
		func(ctx context.Context, p providers.Payment) (providers.Step, error) {
			return pay(ctx, acc, p, in)
		})
}

func failureCode(err error) string {
	var failure *providers.Failure
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

// Kinds of calls in the call book, beside those of operations.
const (
	callPay    = "pay"
	callResume = "resume"
)

// outgoing describes a call that can move money.
type outgoing struct {
	kind    string // of the call book
	from    State
	stepN   int // resume only: the step it answers; 0 for pay
	prepare func(*Attempt)
}

// call is the only way a call that can move money leaves: its row in the call book, the new state and the inquiry that
// looks after it are committed first, and inserting the row is the permission. Somebody else's permission, or a step
// that is over, sends nothing.
func (f *Flow) call(ctx context.Context, id string, n int, out outgoing, send func(context.Context, providers.Payment) (providers.Step, error)) {
	var row Call
	var acc Account
	var p providers.Payment
	sent := false
	defer f.flights.take(id)()
	_, err := f.update(ctx, id, func(s *Session, c *Change) error {
		sent = false
		a := s.Attempt(n)
		if a == nil || a.State != out.from || a.StepN != out.stepN {
			return errNothing
		}
		var err error
		if acc, err = f.account(s); err != nil {
			return err
		}
		if out.prepare != nil {
			out.prepare(a)
		}
		row = Call{Attempt: n, Kind: out.kind, Round: a.StepN + 1, SentAt: f.Now()}
		if err := f.move(s, a, c, Send); err != nil {
			return err
		}
		a.Deadline = f.Now().Add(acc.CallTimeout)
		a.Inquiries = 0
		c.Calls = append(c.Calls, row)
		c.Jobs = append(c.Jobs, f.inquireJob(s, a, a.Deadline.Add(time.Second)))
		p = f.payment(ctx, s, a)
		sent = true
		return nil
	})
	switch {
	case errors.Is(err, ErrCallExists):
		return // whoever has the permission sends it; the inquiry looks after it
	case err != nil:
		f.Log.Error("cannot write down a call", "session", id, "attempt", n, "call", out.kind, "error", err)
		return
	case !sent:
		return
	}
	f.At(out.kind + ".permitted")
	var step providers.Step
	dialled, err := f.dial(ctx, acc, out.kind, func(call context.Context) (err error) {
		step, err = send(call, p)
		return err
	})
	f.At(out.kind + ".answered")
	if err != nil {
		f.Log.Warn("a gateway call has no clear answer", "session", id, "attempt", n, "call", out.kind, "error", err)
	}
	f.answered(context.WithoutCancel(ctx), id, row, p.Credential, dialled, step, err)
	f.At(out.kind + ".stored")
}

// answered stores what a call brought, which was made with a customer's credential where the gateway has logins.
func (f *Flow) answered(
	ctx context.Context, id string, row Call, credential providers.Secret,
	dialled []TimelineEntry, step providers.Step, callErr error,
) {
	news := false
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		news = false
		a := s.Attempt(row.Attempt)
		a.note(dialled...)
		row.AnsweredAt, row.Result = f.Now(), string(step.Kind)
		if callErr != nil {
			row.Result = "error"
		}
		c.Answered = append(c.Answered, row)
		for i := range a.Calls {
			if a.Calls[i].Kind == row.Kind && a.Calls[i].Round == row.Round {
				a.Calls[i] = row
			}
		}
		loggedOut := errors.Is(callErr, providers.ErrCredential)
		if loggedOut {
			f.loggedOut(ctx, s, credential)
		}
		if a.State != Calling && a.State != Unknown && a.State != Gateway {
			return nil // an inquiry was faster: only the call book learns of it
		}
		var refusal *providers.Refusal
		refused := loggedOut && a.allAnswered(row) // this call took nothing; one before it may have
		unsent := row.Kind == callPay && errors.Is(callErr, providers.ErrUnsent) && len(dialled) == 0
		if (refused || unsent || errors.As(callErr, &refusal)) && a.State == Calling {
			// Nothing was taken: the customer has to log in again, no request left at all, or the provider saw before it sent
			// anything that the gateway cannot express this.
			a.Decline = &providers.Decline{Reason: providers.TryAgainLater}
			return f.move(s, a, c, Disprove)
		}
		if callErr != nil {
			news = true
			return f.unclear(s, a, c)
		}
		var err error
		news, err = f.take(s, a, c, step)
		return err
	})
	if err != nil {
		f.Log.Error("cannot store a gateway's answer; the inquiry will ask again", "session", id, "attempt", row.Attempt, "error", err)
		return
	}
	// The gateway is asked at once, without a turn through the queue; the queued inquiry is the net below.
	if a := s.Attempt(row.Attempt); news && a != nil && (a.State == Gateway || a.State == Unknown) {
		if err := f.inquire(ctx, id, row.Attempt); err != nil {
			f.Log.Warn("the first inquiry failed", "session", id, "attempt", row.Attempt, "error", err)
		}
	}
}

// allAnswered tells whether every call but the given one got a clear answer.
func (a *Attempt) allAnswered(but Call) bool {
	return !slices.ContainsFunc(a.Calls, func(c Call) bool {
		return (c.Kind != but.Kind || c.Round != but.Round) && (c.AnsweredAt.IsZero() || c.Result == "error")
	})
}

// unclear is an attempt whose call has no clear answer: nobody sends again, somebody asks.
func (f *Flow) unclear(s *Session, a *Attempt, c *Change) error {
	a.Inquiries = 0
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, f.Now().Add(fastFirst)))
	return f.move(s, a, c, Overdue)
}

// take stores a step. ask tells that the gateway should be asked now.
func (f *Flow) take(s *Session, a *Attempt, c *Change, step providers.Step) (ask bool, err error) {
	now := f.Now()
	a.learn(step.Ref)
	kind := step.Kind
	if step.V != providers.StepVersion {
		kind = "" // a step of a newer Tollgate
	}
	switch kind {
	case providers.Declined:
		a.Decline = step.Decline
		if a.Decline == nil {
			a.Decline = &providers.Decline{Reason: providers.OtherReason}
		}
		return false, f.move(s, a, c, Decline)
	case providers.Method, providers.Challenge, providers.PayerPage, providers.Page, providers.Redirect, providers.Scan, providers.AskCard:
		return false, f.ask(s, a, c, step)
	}
	// Wait, Finished, and whatever we do not know: the inquiry decides.
	a.Inquiries = 0
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, now.Add(fastFirst)))
	return true, f.move(s, a, c, Work)
}

// learn keeps what the gateway calls the attempt. Our own reference stays ours, whatever the gateway makes of it.
func (a *Attempt) learn(ref providers.Ref) {
	if ref.Reference == "" {
		return
	}
	ref.Reference = a.Ref.Reference
	a.Ref = ref
}

// ask stores a step for the browser.
func (f *Flow) ask(s *Session, a *Attempt, c *Change, step providers.Step) error {
	now := f.Now()
	a.learn(step.Ref)
	if step.NewRun {
		if err := f.newRun(a, step.ThreeDS); err != nil {
			return err
		}
	}
	run := a.Run()
	if step.ThreeDS != (threeds.IDs{}) {
		run.IDs = step.ThreeDS
	}
	switch step.Kind {
	case providers.Method:
		run.CompInd, run.NotifiedAt, run.MethodAt = "", time.Time{}, time.Time{}
	case providers.AskCard:
	default:
		run.ShownAt, run.ReturnedAt, run.Sealed, run.Bare = time.Time{}, time.Time{}, "", false
	}
	a.Step = &step
	a.noteForms(now, step.Forms)
	a.StepN++
	a.StepAt = now
	a.Inquiries = 0
	a.Unclear = false
	if noBrowser(step) {
		// Nothing for the browser to do: the gateway only wants to be told so.
		run.CompInd = "U"
		c.Jobs = append(c.Jobs, f.resumeJob(s, a, now), f.inquireJob(s, a, now.Add(fastFirst)))
		return f.move(s, a, c, Work)
	}
	if err := f.move(s, a, c, Ask); err != nil {
		return err
	}
	if step.Kind == providers.Method {
		c.Jobs = append(c.Jobs, f.resumeJob(s, a, a.MethodDeadline()))
	}
	c.Jobs = append(c.Jobs, f.inquireJob(s, a, now.Add(shopperAfter(0))))
	return nil
}

// noBrowser is a 3DS Method without frames: there is no Method URL, and the next call is ours (completion indicator U).
func noBrowser(step providers.Step) bool {
	return step.Kind == providers.Method && len(step.Forms) == 0
}

// CardAgain is the same card, typed once more because nobody remembers it. ErrOtherCard where first six or last four
// differ; ErrStale where the step is over.
func (f *Flow) CardAgain(ctx context.Context, id string, in Submission) error {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	a := s.Live()
	if a == nil || a.State != Shopper || a.Step == nil || a.Step.Kind != providers.AskCard {
		return ErrStale
	}
	if !a.Card.Same(in.Card.Number) {
		return ErrOtherCard
	}
	f.vault.put(vaultKey(s, a), in.Card)
	f.sendAnswer(s, a, providers.Answer{Kind: providers.CardAgain, Browser: a.Browser, Card: &in.Card, CompInd: a.Run().CompInd})
	return nil
}

// sendAnswer resumes in the background.
func (f *Flow) sendAnswer(s *Session, a *Attempt, answer providers.Answer) {
	id, n, stepN := s.ID, a.N, a.StepN
	f.background(func(ctx context.Context) { f.resume(ctx, id, n, stepN, Shopper, answer) })
}

// resume sends what the browser brought, if the step is still the one it was brought for.
func (f *Flow) resume(ctx context.Context, id string, n, stepN int, from State, answer providers.Answer) {
	f.call(ctx, id, n, outgoing{kind: callResume, from: from, stepN: stepN},
		func(ctx context.Context, p providers.Payment) (providers.Step, error) {
			s, err := f.Store.Load(ctx, id)
			if err != nil {
				return providers.Step{}, err
			}
			acc, err := f.account(s)
			if err != nil {
				return providers.Step{}, err
			}
			return acc.Provider.Resume(ctx, p, answer)
		})
}
