package flow

import (
	"context"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// pay sends what an attempt is about: a payment, a transfer or a payout.
func pay(ctx context.Context, acc account.Account, p providers.Payment, in Submission) (
	step providers.Step, made []account.Request, err error,
) {
	if in.Kind == session.KindPayout {
		return payOut(ctx, acc, p, *in.To)
	}
	p.Transfer = in.To // the number is needed by this call alone, and kept nowhere
	made, err = account.Call(ctx, acc, session.CallPay, func(call context.Context, gateway providers.Provider) (err error) {
		step, err = gateway.Pay(call, p, in.instrument(p.BeginsSeries), in.Browser)
		return err
	})
	return step, made, err
}

func payOut(ctx context.Context, acc account.Account, p providers.Payment, to providers.Destination) (
	providers.Step, []account.Request, error,
) {
	step := providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}
	if !acc.PaysOut() {
		step.Kind, step.Decline = providers.Declined, &providers.Decline{Reason: providers.OtherReason}
		return step, nil, nil
	}
	var r providers.OpResult
	made, err := account.Call(ctx, acc, session.CallPay, func(call context.Context, gateway providers.Payer) (err error) {
		r, err = gateway.Payout(call, p, to)
		return err
	})
	if err != nil {
		return providers.Step{}, made, err
	}
	step.Ref.OrderID = r.GatewayID
	if r.State == providers.OpFailed {
		step.Kind, step.Decline = providers.Declined, r.Decline
	}
	return step, made, nil
}

// payoutStatus is the inquiry about a payout, its answer in the form of a payment's.
func payoutStatus(ctx context.Context, acc account.Account, p providers.Payment) (providers.Standing, []account.Request, error) {
	if !acc.PaysOut() {
		return providers.Standing{Outcome: providers.Unclear}, nil, nil
	}
	var r providers.OpResult
	made, err := account.Call(ctx, acc, "status", func(call context.Context, gateway providers.Payer) (err error) {
		r, err = gateway.InquirePayout(call, p, providers.OpResult{State: providers.OpPending, GatewayID: p.Ref.OrderID})
		return err
	})
	if err != nil {
		return providers.Standing{}, made, err
	}
	st := providers.Standing{Ref: p.Ref, Amount: p.Amount}
	if r.GatewayID != "" {
		st.Ref.OrderID = r.GatewayID // the answer to the call may be lost, and with it the id
	}
	switch r.State {
	case providers.OpSucceeded:
		st.Outcome, st.Captured = providers.Paid, p.Amount.Minor
	case providers.OpFailed:
		st.Outcome, st.Decline = providers.Refused, r.Decline
	case providers.OpPending:
		st.Outcome = providers.Processing
	case providers.OpMissing:
		st.Outcome = providers.NotFound
	default:
		st.Outcome = providers.Unclear
	}
	return st, made, nil
}
