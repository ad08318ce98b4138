package flow

import (
	"context"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// Leave lets the shopper leave the payment under way for another card or way to pay. *session.CannotLeave where neither proof
// (session.Turn.Exit) is to be had now. Where nobody is paying it does nothing.
func (f *Flow) Leave(ctx context.Context, id string) (*session.Session, error) {
	return f.leave(ctx, nil, id, false)
}

// leave asks the gateway first: the database may be older than the truth, and money that is there is not left.
func (f *Flow) leave(ctx context.Context, claim *session.Claim, id string, cancel bool) (*session.Session, error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	a := s.Live()
	if a == nil {
		if !cancel {
			return s, nil
		}
		return f.update(ctx, id, under(claim, (*session.Turn).Cancel))
	}
	t := f.newTurn(s)
	exit := t.Exit(a)
	if !t.MayAsk(a) || a.State == session.New || a.State == session.Calling || s.Kind == session.KindPayout {
		return s, &session.CannotLeave{Until: t.Until(a)}
	}
	acc, err := f.account(s)
	if err != nil {
		return s, err
	}
	in := session.InquiryAnswer{Seen: a.Seen()}
	in.Standing, in.Wire, in.Err = f.status(ctx, acc, s, a)
	if in.Err == nil && in.Standing.Outcome == providers.Waiting && exit == providers.Closes {
		var more []session.TimelineEntry
		in.Standing, more, in.Err = f.closeOrder(ctx, acc, s, a, in.Standing)
		in.Wire = append(in.Wire, more...)
	}
	f.At("leave.asked")
	defer f.inFlight.begin(id)()
	s, effects, err := f.turn(ctx, id, under(claim, func(t *session.Turn) error { return t.Leave(a.N, in, cancel) }))
	f.At("leave.stored")
	if err != nil {
		return s, err
	}
	f.release(ctx, id, effects)
	if now := s.Live(); now != nil {
		return s, &session.CannotLeave{Until: f.newTurn(s).Until(now)}
	}
	return s, nil
}

// Exit is how the payment under way may be left as far as is known without asking the gateway, and until when the bank may
// take it where it cannot.
func (f *Flow) Exit(s *session.Session, a *session.Attempt) (providers.Exit, time.Time) {
	t := f.newTurn(s)
	return t.Exit(a), t.Until(a)
}
