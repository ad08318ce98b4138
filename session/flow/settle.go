package flow

import (
	"context"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// settling takes rulings of persons.
type settling struct{ *Flow }

// settle takes a person's ruling on what no inquiry could tell. The gateway is asked first, once more; where a payment is to be
// called not paid, its order is closed before that, so far as the gateway can. What the gateway then says counts, and may
// leave nothing to settle: session.ErrNoReview.
func (f settling) settle(ctx context.Context, claim *session.Claim, id string, in session.NewSettlement) (*session.Session, error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	// A ruling that cannot be is refused before the gateway hears of it.
	if a, op, err := s.ToSettle(in); err == nil {
		f.askGateway(ctx, s, a, op, in)
	}
	f.At("settle.asked")
	s, err = f.update(ctx, id, under(claim, func(t *session.Turn) error { return session.Settlements{Turn: t}.Settle(in) }))
	f.At("settle.stored")
	return s, err
}

// askGateway closes the order where it is to be called not paid, and applies what the gateway says now. A gateway that
// cannot be reached, or whose account is gone, does not keep a person from ruling.
func (f settling) askGateway(
	ctx context.Context, s *session.Session, a *session.Attempt, op *session.Operation, in session.NewSettlement,
) {
	ctx, done := account.Detached(ctx)
	defer done()
	if op != nil && op.State.Open() {
		if err := f.operateDue(ctx, session.Task{Session: s.ID, Attempt: a.N, Operation: op.N}); err != nil {
			f.Log.Warn("the inquiry before a ruling failed", "session", s.ID, "operation", op.N, "error", err)
		}
		return
	}
	// An order that nothing proves to be ours may be another system's: it is not ours to close.
	if acc, err := f.account(s); err == nil && op == nil && acc.Closes() && in.Outcome == session.RuledNotPaid && a.State.Live() && !a.Unproven &&
		s.Kind != session.KindPayout {
		_, err := account.Call(ctx, acc, "close", func(call context.Context, gateway providers.Closer) error {
			return gateway.Close(call, f.payment(ctx, s, a))
		})
		if err != nil {
			f.Log.Warn("order could not be closed before a ruling", "session", s.ID, "attempt", a.N, "error", err)
		}
	}
	if err := f.inquire(ctx, s.ID, a.N); err != nil {
		f.Log.Warn("the inquiry before a ruling failed", "session", s.ID, "attempt", a.N, "error", err)
	}
}
