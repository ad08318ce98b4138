package rbs

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tollgate/providers"
)

// Kinds says what can be done with an order's money: a deposit releases the rest of the hold; a reversal can be asked
// for once, and a failed one blocks those after it; refunds come in as many parts as the shop likes.
func (g *provider) Kinds() []providers.OpLimits {
	return []providers.OpLimits{
		{Kind: providers.Capture, Partial: true, Once: true},
		{Kind: providers.Void, Once: true},
		{Kind: providers.Refund, Partial: true},
	}
}

// definiteRefusals are error codes that say the operation was looked at and not done. Others (7, a system error, and
// those that are not listed) leave it unknown.
var definiteRefusals = []string{"3", "4", "5", "6"}

// Do asks for one operation. An amount of 0 means "all" on this wire, and so is never sent.
func (g *provider) Do(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	if p.Ref.OrderID == "" {
		return providers.OpResult{}, &providers.Failure{Op: string(op.Kind), Err: errNoOrder}
	}
	if op.Kind != providers.Void && op.Amount.Minor <= 0 {
		return providers.OpResult{}, providers.Refuse("amount", "must be positive")
	}
	form := url.Values{"orderId": {p.Ref.OrderID}, "language": {g.language(p)}}
	call := ""
	switch op.Kind {
	case providers.Capture:
		call = opDeposit
		form.Set("amount", strconv.FormatInt(op.Amount.Minor, 10))
	case providers.Void:
		call = opReverse
	case providers.Refund:
		call = opRefund
		form.Set("amount", strconv.FormatInt(op.Amount.Minor, 10))
		form.Set("externalRefundId", op.Reference)
		form.Set("expectedDepositedAmount", strconv.FormatInt(op.Expected.Captured-op.Expected.Refunded, 10))
	default:
		return providers.OpResult{}, providers.Refuse("operation", "this gateway has no such operation")
	}
	g.setItems(form, p, op)
	err := g.execute(ctx, call, form)
	if f, ok := errors.AsType[*providers.Failure](err); ok && f.Err == nil && slices.Contains(definiteRefusals, f.Code) {
		return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason,
			Code: f.Code, Message: f.Text}}, nil
	}
	if err != nil {
		return providers.OpResult{}, err
	}
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

// Inquire tells from the order whether the operation was done. As long as nothing moved it is missing: the call may still
// be under way. An account that sees no sums learns of a refund by the list of refunds alone.
func (g *provider) Inquire(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	o, err := g.inquire(ctx, p)
	if err != nil {
		return providers.OpResult{}, err
	}
	now, err := standing(p, o)
	if err != nil {
		return providers.OpResult{}, providers.Unreadable(opStatus, 200, err)
	}
	state := providers.OpPending
	switch op.Kind {
	case providers.Capture:
		state = now.CaptureSeen(op)
		if now.Outcome == providers.Voided || now.Outcome == providers.Refused || now.Outcome == providers.Closed {
			state = providers.OpFailed
		}
	case providers.Void:
		if now.Outcome != providers.Paid && now.Unmoved(op.Standing) {
			state = providers.OpMissing
		}
		switch now.Outcome {
		case providers.Voided:
			state = providers.OpSucceeded
		case providers.Paid:
			if op.Standing.Outcome == providers.Authorized {
				state = providers.OpFailed // captured meanwhile
			}
		}
	case providers.Refund:
		state = now.RefundSeen(op)
		if now.Stated && now.Refunded >= op.Standing.Refunded+op.Amount.Minor {
			state = providers.OpSucceeded
		}
		if now.Stated && othersOnly(o, op.Reference, now.Refunded) {
			state = providers.OpMissing
		}
		for _, r := range o.List("refunds") { // by our own name for it, which is more than the sums
			if op.Reference == "" || r.Text("externalRefundId") != op.Reference {
				continue
			}
			state = providers.OpPending
			if strings.Trim(r.Text("actionCode"), "0") == "" {
				state = providers.OpSucceeded
			}
		}
	default:
		return providers.OpResult{}, providers.Refuse("operation", "this gateway has no such operation")
	}
	return providers.OpResult{State: state}, nil
}

// othersOnly tells whether the list of refunds explains all that was given back without the refund of our name: each of them has
// a name of its own.
func othersOnly(o object, ours string, refunded int64) bool {
	list, sum := o.List("refunds"), int64(0)
	for _, r := range list {
		n, _, err := r.Number("amount")
		if name := r.Text("externalRefundId"); err != nil || name == "" || name == ours {
			return false
		}
		if strings.Trim(r.Text("actionCode"), "0") == "" {
			sum += n
		}
	}
	return ours != "" && len(list) > 0 && sum == refunded
}
