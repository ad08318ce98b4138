package handlers

import (
	"context"
	"strings"

	"tollgate/session"
)

// maxReason is how long a person may say how they know, in characters.
const maxReason = 500

// SettleSession is POST /v1/sessions/{session}/settle.
func (a sessionAPI) SettleSession(ctx context.Context, r SettleSessionRequestObject) (SettleSessionResponseObject, error) {
	in := session.NewSettlement{
		Outcome: session.Ruling(r.Body.Outcome), Operation: r.Body.Operation, Amount: r.Body.Amount, Reason: strings.TrimSpace(r.Body.Reason),
		By: keyOf(ctx).Name(),
	}
	var bad fieldErrors
	if !r.Body.Outcome.Valid() {
		bad.add("outcome", "must be one of paid, not_paid, succeeded, failed")
	}
	if in.Amount < 0 || in.Amount > MaxAmount {
		bad.add("amount", "must be minor units; leave it out for the session's amount")
	}
	if in.Operation < 0 || in.Operation > 0 && !in.Outcome.OfOperation() {
		bad.add("operation", "must be the number of an operation, and stands with succeeded and failed only")
	}
	if in.Reason == "" {
		bad.add("reason", "must say how you know")
	}
	bad.text("reason", in.Reason, maxReason)
	if len(bad) > 0 {
		return nil, &invalidRequest{bad}
	}
	s, err := a.flowUnderClaim(ctx).Settle(ctx, r.Session, in)
	if err != nil {
		return nil, err
	}
	a.recordSettled(ctx, r.Session, string(in.Outcome))
	return SettleSession200JSONResponse{SessionNowJSONResponse(a.object(s))}, nil
}

// reviewsOf is what a person has to look at.
func reviewsOf(s *session.Session) (all []Review) {
	for _, r := range s.Reviews() {
		view := Review{Attempt: r.Attempt, Operation: r.Operation, Reason: r.Reason}
		if g := r.Gateway; g != nil {
			view.Gateway = &GatewayFigures{
				Outcome: string(g.Outcome), Reference: g.Reference, GatewayOrderID: g.OrderID, Amount: g.Amount, Currency: g.Currency,
				AmountAuthorized: g.Held, AmountCaptured: g.Captured, AmountRefunded: g.Refunded, At: g.At.UTC(),
			}
			if g.Currency == "" {
				view.Gateway.Amount = 0
			}
		}
		all = append(all, view)
	}
	return all
}

// settlementsOf is what persons have said.
func settlementsOf(s *session.Session) (all []Settlement) {
	for _, r := range s.Settlements {
		all = append(all, Settlement{
			N: r.N, Attempt: r.Attempt, Operation: r.Operation, Outcome: SettlementOutcome(r.Outcome), Amount: r.Amount, Reason: r.Reason,
			By: r.By, At: r.At.UTC(), ConfirmedAt: r.Confirmed.UTC(), ContradictedAt: r.Refuted.UTC(),
		})
	}
	return all
}
