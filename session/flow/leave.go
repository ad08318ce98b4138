package flow

import (
	"context"
	"errors"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// Exits lets a payment that is under way be left.
type Exits struct{ flow *Flow }

// Other lets the shopper leave the payment under way for another card or way to pay. *session.CannotLeave where neither proof
// (session.Leaving.Exit) is to be had now. Where nobody is paying it does nothing.
func (x Exits) Other(ctx context.Context, id string) (*session.Session, error) {
	return x.leave(ctx, nil, id, false)
}

// Way is how the payment under way may be left as far as is known without asking the gateway, and until when the bank may
// take it where it cannot.
func (x Exits) Way(s *session.Session, a *session.Attempt) (providers.Exit, time.Time) {
	t := session.Leaving{Turn: x.flow.newTurn(s)}
	return t.Exit(a), t.Until(a)
}

// leave tries again where the attempt moved on while the gateway was asked, as it does while a bank's answer is forwarded.
func (x Exits) leave(ctx context.Context, claim *session.Claim, id string, cancel bool) (s *session.Session, err error) {
	for range 3 {
		moved := false
		if s, moved, err = x.leaveOnce(ctx, claim, id, cancel); !moved {
			break
		}
	}
	return s, err
}

// leaveOnce asks the gateway first: the database may be older than the truth, and money that is there is not left.
func (x Exits) leaveOnce(ctx context.Context, claim *session.Claim, id string, cancel bool) (
	s *session.Session, moved bool, err error,
) {
	f := x.flow
	if s, err = f.Store.Load(ctx, id); err != nil {
		return nil, false, err
	}
	a := s.Live()
	if a == nil {
		if !cancel {
			return s, false, nil
		}
		switch err := f.recall.beforeItEnds(ctx, s); {
		case errors.Is(err, errLaterAttempt):
			return s, true, &session.CannotLeave{Until: f.Now().Add(time.Minute)}
		case err != nil:
			f.Log.Warn("a session is cancelled, and the gateway does not say what it knows of it", "session", id, "error", err)
		}
		s, err = f.update(ctx, id, under(claim, (*session.Turn).Cancel))
		return s, false, err
	}
	t := session.Leaving{Turn: f.newTurn(s)}
	if !session.Asking(t).MayAsk(a) || a.State == session.New || a.State == session.Calling || s.Kind == session.KindPayout {
		return s, false, &session.CannotLeave{Until: t.Until(a)}
	}
	acc, err := f.account(s)
	if err != nil {
		return s, false, err
	}
	in := asking{f}.ask(ctx, acc, s, a)
	if in.Err == nil && in.Standing.Outcome == providers.Waiting && t.Exit(a) == providers.Closes {
		var more []session.TimelineEntry
		in.Standing, more, in.Err = asking{f}.closeOrder(ctx, acc, s, a, in.Standing)
		in.Wire = append(in.Wire, more...)
	}
	f.At("leave.asked")
	defer f.inFlight.begin(id)()
	ctx = context.WithoutCancel(ctx) // what the gateway was asked is stored, whoever still waits for it
	s, effects, err := f.turn(ctx, id, under(claim, func(t *session.Turn) error {
		moved = t.S.Attempt(a.N).Seen() != in.Seen
		return session.Leaving{Turn: t}.Leave(a.N, in, cancel)
	}))
	f.At("leave.stored")
	if err != nil {
		return s, false, err
	}
	release(ctx, f, id, effects)
	if now := s.Live(); now != nil {
		return s, moved, &session.CannotLeave{Until: session.Leaving{Turn: f.newTurn(s)}.Until(now)}
	}
	return s, false, nil
}
