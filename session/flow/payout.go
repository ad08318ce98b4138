package flow

import (
	"context"

	"tollgate/providers"
	"tollgate/session"
)

// pay sends what an attempt is about: a payment, a transfer or a payout.
func pay(ctx context.Context, acc Account, p providers.Payment, in Submission) (providers.Step, error) {
	if in.Kind != session.KindPayout {
		p.Transfer = in.To // the number is needed by this call alone, and kept nowhere
		return acc.Provider.Pay(ctx, p, in.instrument(), in.Browser)
	}
	payer, ok := acc.Provider.(providers.Payer)
	if !ok {
		return providers.Step{V: providers.StepVersion, Kind: providers.Declined, Ref: p.Ref, Decline: &providers.Decline{Reason: providers.OtherReason}}, nil
	}
	r, err := payer.Payout(ctx, p, *in.To)
	if err != nil {
		return providers.Step{}, err
	}
	step := providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}
	step.Ref.OrderID = r.GatewayID
	if r.State == providers.OpFailed {
		step.Kind, step.Decline = providers.Declined, r.Decline
	}
	return step, nil
}

// register makes an order known; a payout has none.
func register(ctx context.Context, acc Account, p providers.Payment, in Submission) (providers.Ref, error) {
	if in.Kind == session.KindPayout {
		return p.Ref, nil
	}
	return acc.Provider.Register(ctx, p)
}

// ask is the inquiry, by the call that fits the kind.
func ask(ctx context.Context, acc Account, s *session.Session, p providers.Payment) (providers.Standing, error) {
	if s.Kind != session.KindPayout {
		return acc.Provider.Status(ctx, p)
	}
	payer, ok := acc.Provider.(providers.Payer)
	if !ok {
		return providers.Standing{Outcome: providers.Unclear}, nil
	}
	r, err := payer.InquirePayout(ctx, p, providers.OpResult{State: providers.OpPending, GatewayID: p.Ref.OrderID})
	if err != nil {
		return providers.Standing{}, err
	}
	st := providers.Standing{Ref: p.Ref, Amount: s.Amount}
	if r.GatewayID != "" {
		st.Ref.OrderID = r.GatewayID // the answer to the call may be lost, and with it the id
	}
	switch r.State {
	case providers.OpSucceeded:
		st.Outcome, st.Captured = providers.Paid, s.Amount.Minor
	case providers.OpFailed:
		st.Outcome, st.Decline = providers.Refused, r.Decline
	case providers.OpPending:
		st.Outcome = providers.Processing
	case providers.OpMissing:
		st.Outcome = providers.NotFound
	default:
		st.Outcome = providers.Unclear
	}
	return st, nil
}

// CanPayOut tells whether an account's gateway pays out.
func (f *Flow) CanPayOut(account string) bool {
	_, ok := f.Accounts[account].Provider.(providers.Payer)
	return ok
}
