package payneteasy

import (
	"context"
	"errors"

	"tollgate/internal/card"
	"tollgate/providers"
)

// Kinds are the operations of the v2 API. return cancels a hold and reverses a sale or a capture.
func (p *provider) Kinds() []providers.OpLimits {
	return []providers.OpLimits{
		{Kind: providers.Capture, Partial: true, Once: true},
		{Kind: providers.Void, Once: true},
		{Kind: providers.Refund, Partial: true},
	}
}

// ApprovesLate: "a final status may still change after reconciliation; no change for one hour: stop polling".
func (p *provider) ApprovesLate() {}

// Do sends capture or return. A void of a hold is a return without an amount: the one way of cancelling that is
// documented. The answer is always pending; its serial number is what Inquire asks by.
func (p *provider) Do(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
	var command, sum, currency string
	switch op.Kind {
	case providers.Capture:
		command = "capture"
	case providers.Void, providers.Refund:
		command = "return"
	default:
		return providers.OpResult{}, providers.Refuse("kind", "this gateway has no "+string(op.Kind))
	}
	if pay.Ref.OrderID == "" {
		return providers.OpResult{}, &providers.Failure{Op: command, Err: errors.New("no paynet-order-id")}
	}
	if op.Kind != providers.Void {
		if op.Amount.Currency.Code != pay.Amount.Currency.Code {
			return providers.OpResult{}, providers.Refuse("currency", "must be the payment's")
		}
		var err error
		if sum, err = amount(op.Amount); err != nil {
			return providers.OpResult{}, err
		}
		currency = op.Amount.Currency.Code
	}
	a, err := p.client.operate(ctx, command, pay.Ref.Reference, pay.Ref.OrderID, sum, currency, op.Amount.Minor)
	if err != nil {
		return providers.OpResult{}, err
	}
	a = a.scrubbed(card.Card{})
	if a.rejected() {
		if a["type"] != typeInvalid || a.refusesUs() {
			return providers.OpResult{}, a.failure(command)
		}
		return providers.OpResult{State: providers.OpFailed, Decline: a.decline()}, nil
	}
	if _, err := acceptedStep(command, pay.Ref, a); err != nil {
		return providers.OpResult{}, err
	}
	return providers.OpResult{State: providers.OpPending, GatewayID: a["serial-number"]}, nil
}

// Inquire asks status for the one request, by its serial number. Without one (the answer to Do was lost) it compares the
// order with what it was before; where nothing moved, the operation is missing. A reversal whose sum the gateway does not
// state proves nothing of the one that is asked about.
func (p *provider) Inquire(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
	a, err := p.client.status(ctx, pay.Ref.Reference, pay.Ref.OrderID, op.GatewayID)
	if err != nil {
		return providers.OpResult{}, err
	}
	a = a.scrubbed(card.Card{})
	s, err := p.standing(pay, a)
	if err != nil {
		return providers.OpResult{}, err
	}
	if s.Reference != pay.Ref.Reference {
		return providers.OpResult{}, &providers.Failure{Op: "status", Text: "answer of another order"}
	}
	if op.GatewayID != "" && a["by-request-sn"] == op.GatewayID {
		switch a["status"] {
		case "approved":
			return providers.OpResult{State: providers.OpSucceeded, GatewayID: op.GatewayID}, nil
		case "declined", "filtered", "error":
			return providers.OpResult{State: providers.OpFailed, GatewayID: op.GatewayID, Decline: a.decline()}, nil
		case "processing", "chain_declined":
			return providers.OpResult{State: providers.OpPending, GatewayID: op.GatewayID}, nil
		}
		return providers.OpResult{}, &providers.Failure{Op: "status", Text: "the gateway does not know: " + a["status"]}
	}
	if s.OtherAmount(pay.Amount) { // less would look like money given back
		return providers.OpResult{}, &providers.Failure{Op: "status", Text: "the order is of another amount"}
	}
	seen := providers.OpPending
	switch op.Kind {
	case providers.Capture:
		seen = s.CaptureSeen(op)
	case providers.Void:
		switch {
		case s.Outcome == providers.Voided:
			seen = providers.OpSucceeded
		case s.Outcome != providers.Paid && s.Unmoved(op.Standing):
			seen = providers.OpMissing
		}
	case providers.Refund:
		seen = s.RefundSeen(op)
	}
	if s.EndedInstead(op) {
		seen = providers.OpMissing
	}
	switch {
	case seen == providers.OpSucceeded:
		return providers.OpResult{State: providers.OpSucceeded, GatewayID: op.GatewayID}, nil
	case a["status"] == "processing":
		return providers.OpResult{State: providers.OpPending, GatewayID: op.GatewayID}, nil
	case op.GatewayID == "" && seen == providers.OpMissing:
		return providers.OpResult{State: providers.OpMissing}, nil
	}
	return providers.OpResult{}, &providers.Failure{Op: "status", Text: "no sign of the " + string(op.Kind)}
}
