package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// inquireDue is the inquiry job.
func (f *Flow) inquireDue(ctx context.Context, task session.Task) error {
	if !task.Look {
		s, err := f.Store.Load(ctx, task.Session)
		if err != nil {
			return err
		}
		if a := s.Attempt(task.Attempt); a == nil || !a.State.Live() {
			return nil // the attempt has ended meanwhile
		}
	}
	return f.inquire(ctx, task.Session, task.Attempt)
}

// inquire asks the gateway what became of an attempt and applies the answer. It never charges.
func (f *Flow) inquire(ctx context.Context, id string, n int) error {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	a := s.Attempt(n)
	if a == nil {
		return nil
	}
	if !(session.Asking{Turn: f.newTurn(s)}).MayAsk(a) {
		_, err := f.update(ctx, id, func(t *session.Turn) error { return session.Asking{Turn: t}.NotAsked(n) })
		return err
	}
	begun := f.called.asking()
	return f.heard(ctx, s, a, asking{f}.hear(ctx, s, a), begun)
}

// asking asks gateways how attempts stand. It stores nothing.
type asking struct{ *Flow }

// hear asks the gateway what became of an attempt, and closes its order where that is to be.
func (f asking) hear(ctx context.Context, s *session.Session, a *session.Attempt) session.InquiryAnswer {
	in, credential := session.InquiryAnswer{Seen: a.Seen()}, f.credential(ctx, s)
	acc, err := f.account(s)
	if err != nil {
		in.Err = err // its sessions end all the same, at last with a person
	} else {
		in = f.ask(ctx, acc, s, a)
	}
	if in.Err == nil && in.Standing.Outcome == providers.Waiting && (a.Withheld || f.newTurn(s).LostStep(a)) {
		var more []session.TimelineEntry
		in.Standing, more, in.Err = f.closeOrder(ctx, acc, s, a, in.Standing)
		in.Wire = append(in.Wire, more...)
	}
	in.LoginRefused, in.LoginLost = f.loginRefused(ctx, s, credential, in.Err)
	return in
}

// heard applies what an inquiry brought that was begun then.
func (f *Flow) heard(ctx context.Context, s *session.Session, a *session.Attempt, in session.InquiryAnswer, begun int) error {
	return applied(ctx, f, s, a, in, begun, func(t *session.Turn) error { return t.Inquired(a.N, in) })
}

func applied(ctx context.Context, f *Flow, s *session.Session, a *session.Attempt, in session.InquiryAnswer, begun int,
	decide func(*session.Turn) error,
) error {
	if in.Standing.Outcome == providers.HoldLeft || a.Withheld {
		defer f.inFlight.begin(s.ID)()
	}
	_, effects, err := f.turn(ctx, s.ID, decide)
	f.At("status.stored")
	if err != nil {
		return err
	}
	if in.Err == nil {
		f.called.asked(s.ID, a.N, begun)
	}
	release(ctx, f, s.ID, effects)
	return nil
}

// ask is status, of every order that the gateway has under the attempt's reference.
func (f asking) ask(ctx context.Context, acc account.Account, s *session.Session, a *session.Attempt) session.InquiryAnswer {
	in := session.InquiryAnswer{Seen: a.Seen()}
	in.Standing, in.Wire, in.Err = f.status(ctx, acc, s, a)
	var others []session.OtherOrder
	ids := a.OtherOrders
	if id := in.Standing.OtherOrder; in.Err == nil && id != "" && id != a.Ref.OrderID && !slices.Contains(ids, id) {
		in.Named, ids = id, append(slices.Clone(ids), id)
	}
	for _, id := range ids {
		p := f.payment(ctx, s, a)
		p.Ref.OrderID = id
		st, wire, err := f.recall.statusOf(ctx, acc, s.Kind, p)
		in.Wire = append(in.Wire, wire...)
		if providers.ClassOf(err) == providers.ClassRefused && providers.RefusalOfUs(err) == nil {
			in.NotOurs = append(in.NotOurs, id)
			continue
		}
		others = append(others, session.OtherOrder{ID: id, Standing: st, Err: err})
	}
	if len(others) > 0 {
		in.Standing, in.Second, in.Doubt, in.Err = a.Together(in.Standing, in.Err, others)
	}
	return in
}

// status asks how an attempt stands, by the call that fits its session's kind.
func (f asking) status(ctx context.Context, acc account.Account, s *session.Session, a *session.Attempt) (
	standing providers.Standing, wire []session.TimelineEntry, err error,
) {
	p := f.payment(ctx, s, a)
	if a.Unanswered() && s.Kind != session.KindPayout { // what the call said may be forgotten, and what was sent after it
		if m := f.recall.memory(ctx); m.After(a.CreatedAt) {
			p.Forgotten = window(m)
			p.Forgotten.Arrived = !f.Now().Before(m.Last().Add(acc.CallTimeout + acc.SettleAfter))
		}
	}
	return f.recall.statusOf(ctx, acc, s.Kind, p)
}

// closeOrder closes an order where the gateway can, and inquires again. Where it cannot, the order counts as closed once it is
// outlived (session.Turn.Outlived).
func (f asking) closeOrder(
	ctx context.Context, acc account.Account, s *session.Session, a *session.Attempt, before providers.Standing,
) (providers.Standing, []session.TimelineEntry, error) {
	if !acc.Closes() || len(a.OtherOrders) > 0 { // closing one leaves the others
		if f.newTurn(s).Outlived(a, before) {
			before.Outcome = providers.Closed
		}
		return before, nil, nil
	}
	made, err := account.Call(ctx, acc, "close", func(call context.Context, gateway providers.Closer) error {
		return gateway.Close(call, f.payment(ctx, s, a))
	})
	f.At("close.answered")
	if err != nil {
		f.Log.Warn("order could not be closed", "session", s.ID, "attempt", a.N, "error", err)
	}
	after, more, err := f.status(ctx, acc, s, a)
	return after, append(entries(made), more...), err
}

// Inquire asks the gateway now, as a merchant may: about a session's newest attempt, and about the one that has its money.
func (f *Flow) Inquire(ctx context.Context, id string) (*session.Session, error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	funded := s.FundedAttempt()
	if a := s.Last(); a != nil {
		if err := f.inquire(ctx, id, a.N); err != nil {
			return nil, err
		}
		if funded != nil && funded.N != a.N {
			if err := f.inquire(ctx, id, funded.N); err != nil {
				return nil, err
			}
		}
	}
	return f.Store.Load(ctx, id)
}

// inquireNow asks at once and waits a moment for the answer; the queued inquiry follows if this one fails.
func (f *Flow) inquireNow(ctx context.Context, id string, n int) {
	answered := make(chan struct{})
	f.calls.run(func(ctx context.Context) {
		defer close(answered)
		if err := f.inquire(ctx, id, n); err != nil {
			f.Log.Warn("the inquiry after a login failed", "session", id, "attempt", n, "error", err)
		}
	})
	limited, done := context.WithTimeout(ctx, session.SubmitWait)
	defer done()
	select {
	case <-answered:
	case <-limited.Done():
	}
}

// Callback takes a gateway's callback for an account. A proved one queues an inquiry, stored before the callback is answered; a
// forged one changes nothing (providers.ErrForged). What it says is a hint only. One about a reference that no attempt has is
// kept, and told: session.ErrNotFound where it cannot be of ours.
func (f *Flow) Callback(ctx context.Context, name string, r *http.Request) error {
	acc, err := f.Accounts.Find(name)
	if err != nil {
		return err
	}
	notice, err := acc.Notified(r)
	if errors.Is(err, account.ErrCannot) {
		return fmt.Errorf("%w: %s takes no callbacks", account.ErrNotConfigured, name)
	}
	if err != nil {
		return err
	}
	if id := cmp.Or(notice.OrderID, notice.Alias); notice.Reference == "" && id != "" { // the gateway left our number out, and knows it
		if notice.Reference, err = referenceOf(ctx, acc, id); err != nil {
			return err
		}
	}
	if notice.Reference == "" {
		return nil
	}
	id, n, err := f.Store.FindReference(ctx, name, notice.Reference)
	if errors.Is(err, session.ErrNotFound) && f.Bills != nil {
		if known, billErr := f.Bills.CalledBack(ctx, name, notice); known || billErr != nil {
			return billErr
		}
	}
	if errors.Is(err, session.ErrNotFound) {
		return f.recall.unmatched(ctx, name, notice)
	}
	if err != nil {
		return err
	}
	if !f.Queued && askedAtOnce(ctx, f, id, n, notice.OrderID) {
		return nil
	}
	_, err = f.update(ctx, id, func(t *session.Turn) error { return t.Arrivals().CalledBack(n, notice.OrderID) })
	return err
}

// referenceOf asks the gateway which number of ours one of its orders has; "" where it has none.
func referenceOf(ctx context.Context, acc account.Account, order string) (string, error) {
	limited, done := context.WithTimeout(ctx, callbackAsks)
	defer done()
	var st providers.Standing
	_, err := account.Call(limited, acc, "status", func(call context.Context, gateway providers.Provider) (err error) {
		st, err = gateway.Status(call, providers.Payment{Ref: providers.Ref{OrderID: order}})
		return err
	})
	return st.Reference, err
}

// callbackAsks bounds the question that a callback without our number needs answered before it can be stored.
const callbackAsks = 5 * time.Second
