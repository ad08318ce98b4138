package cashier

import (
	"context"
	"net/http"
	"net/url"

	"tollgate/providers"
)

// Kinds says what can be done with an order's money. charge and void name no amount, so they are for the whole. Refunds
// are in what the customer paid in: for an account that sends orderAmount a part is converted at the order's own rate.
func (g *provider) Kinds() []providers.OpLimits {
	return []providers.OpLimits{
		{Kind: providers.Capture, Once: true},
		{Kind: providers.Void, Once: true},
		{Kind: providers.Refund, Partial: true},
	}
}

// Do asks for one operation. Its x-req-id comes from our references of payment and operation.
func (g *provider) Do(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	switch {
	case p.Ref.OrderID == "":
		return providers.OpResult{}, &providers.Failure{Op: string(op.Kind), Err: errNoOrder}
	case op.Kind != providers.Void && op.Amount.Currency.Code != p.Amount.Currency.Code:
		return providers.OpResult{}, providers.Refuse("currency", "must be the payment's")
	}
	switch op.Kind {
	case providers.Capture:
		if op.Amount.Minor != p.Amount.Minor {
			return providers.OpResult{}, providers.Refuse("amount", "this gateway charges the whole hold only")
		}
		return g.captureOrVoid(ctx, p, op, opCharge)
	case providers.Void:
		return g.captureOrVoid(ctx, p, op, opVoid)
	case providers.Refund:
		return g.refund(ctx, p, op)
	}
	return providers.OpResult{}, providers.Refuse("operation", "this gateway has no such operation")
}

// captureOrVoid calls charge or void, which name the order by its external id.
func (g *provider) captureOrVoid(ctx context.Context, p providers.Payment, op providers.Op, call string) (providers.OpResult,
	error) {
	external := p.Ref.More[moreExternal]
	if external == "" {
		return providers.OpResult{}, &providers.Failure{Op: call, Err: errNoForm}
	}
	r, err := g.client.call(ctx, request{
		op: call, method: http.MethodPost, path: "/payments/" + call, reqID: g.reqID(call, p.Ref.Reference, op.Reference),
		token: mayToken,
		body: struct {
			OrderID string `json:"OrderId"`
		}{external},
	})
	if err != nil {
		return providers.OpResult{}, err
	}
	in, response := r.child("Order"), r.child("Response")
	code := response.text("ErrCode", "ErrorCode")
	if r.status != http.StatusOK || in.text("Status") != "" && in.text("OrderId") != external {
		return providers.OpResult{}, r.failure(call, r.status)
	}
	d := decline(order{errCode: scrub(code, r.Hide), errText: response.words("ErrMessage", "Message")})
	if result, told := captureOrVoidResult(op.Kind, in.text("Status"), d); told {
		return result, nil
	}
	if refusalsOfUs[code] && response.says("Success", false) {
		return providers.OpResult{}, r.plainFailure(call, r.status).Misconfigured(true)
	}
	if definiteRefusals[code] && response.says("Success", false) {
		return providers.OpResult{State: providers.OpFailed, Decline: d}, nil
	}
	return providers.OpResult{}, r.failure(call, r.status)
}

// captureOrVoidResult reads the result of a charge or a void off the order's status; told is false where the status does not say.
func captureOrVoidResult(kind providers.OpKind, status string, d *providers.Decline) (r providers.OpResult, told bool) {
	done, busy, no := "CHARGED", "CHARGE_IN_PROGRESS", "CHARGE_DECLINED"
	if kind == providers.Void {
		done, busy, no = "VOIDED", "VOID_IN_PROGRESS", "VOID_DECLINED"
	}
	switch status {
	case done:
		return providers.OpResult{State: providers.OpSucceeded}, true
	case busy:
		return providers.OpResult{State: providers.OpPending}, true
	case no:
		return providers.OpResult{State: providers.OpFailed, Decline: d}, true
	}
	return providers.OpResult{}, false
}

// refund gives money back. A part is named in kopecks; all of an order by its own amount is said by naming none.
func (g *provider) refund(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	var body struct {
		Amount int64 `json:"amount,omitempty"`
	}
	switch {
	case op.Amount.Minor <= 0:
		return providers.OpResult{}, providers.Refuse("amount", "must be positive")
	case !g.byOrder:
		body.Amount = op.Amount.Minor
	case op.Standing.Refunded+op.Amount.Minor != p.Amount.Minor: // all that is left needs no sum
		var err error
		if body.Amount, err = g.partInRoubles(ctx, p, op); err != nil {
			return providers.OpResult{}, err
		}
	}
	r, err := g.client.call(ctx, request{
		op: opRefund, method: http.MethodPost, path: "/order/refund/" + url.PathEscape(p.Ref.OrderID), body: body,
		reqID: g.reqID(opRefund, p.Ref.Reference, op.Reference), token: needToken,
	})
	if err != nil {
		return providers.OpResult{}, err
	}
	if r.requestRejected() {
		return providers.OpResult{State: providers.OpFailed, Decline: r.refusal(opRefund)}, nil
	}
	o, err := g.orderFrom(opRefund, r)
	switch {
	case err != nil:
		return providers.OpResult{}, err
	case o.id != p.Ref.OrderID:
		return providers.OpResult{}, &providers.Failure{Op: opRefund, Text: "answer of another order"}
	case o.status == "REFUNDED" || o.status == "PARTIALLY_REFUNDED":
		// The state is this refund's where there was none before, or where the sum has grown by it.
		if now := g.standing(p, o); op.Standing.Refunded == 0 && op.Standing.Stated && !now.Stated || now.RefundSeen(op) == providers.OpSucceeded ||
			now.Stated && now.Refunded >= op.Standing.Refunded+op.Amount.Minor {
			return providers.OpResult{State: providers.OpSucceeded}, nil
		}
	}
	return providers.OpResult{State: providers.OpPending}, nil
}

// partInRoubles is a part of an order by its own amount in what the customer paid, at the order's own rate and with the same share
// of the fee. It is read off the order, so that all parts together are what was paid.
func (g *provider) partInRoubles(ctx context.Context, p providers.Payment, op providers.Op) (int64, error) {
	o, there, err := g.read(ctx, p.Ref.OrderID)
	switch {
	case err != nil:
		return 0, &providers.Failure{Op: opRefund, Err: err, Untaken: true}
	case !there || o.id != p.Ref.OrderID || o.orderAmount == nil || o.paymentAmount == nil || *o.orderAmount != p.Amount.Minor:
		return 0, &providers.Failure{Op: opRefund, Text: "the order does not tell its rate", Untaken: true}
	}
	before := int64(0)
	if o.refunded != nil {
		before = *o.refunded
	}
	after, exact := convert(op.Standing.Refunded+op.Amount.Minor, *o.paymentAmount, p.Amount.Minor)
	back, again := convert(after, p.Amount.Minor, *o.paymentAmount)
	if !exact || !again || back != op.Standing.Refunded+op.Amount.Minor || after <= before || (before == 0) != (op.Standing.Refunded == 0) {
		return 0, providers.Refuse("amount", "this part cannot be told in roubles: refund the whole")
	}
	return after - before, nil
}

// Inquire tells from the order whether the operation was done. The call is never repeated: its x-req-id would give the
// first answer only if there was one, and within the hour.
func (g *provider) Inquire(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	o, there, err := g.inquire(ctx, p)
	switch {
	case err != nil:
		return providers.OpResult{}, err
	case !there, p.Ref.OrderID != "" && o.id != p.Ref.OrderID, o.number != "" && o.number != p.Ref.Reference:
		return providers.OpResult{}, &providers.Failure{Op: opRead, Text: "no sign of the order"}
	}
	now := g.standing(p, o)
	if now.OtherAmount(p.Amount) { // what was taken is read off it: less would look like money given back
		return providers.OpResult{}, &providers.Failure{Op: opRead, Text: "the order is of another amount"}
	}
	switch op.Kind {
	case providers.Capture, providers.Void:
		if r, told := captureOrVoidResult(op.Kind, o.status, decline(o)); told {
			return r, nil
		}
		other := providers.Voided // the other operation was faster
		if op.Kind == providers.Void {
			other = providers.Paid
		}
		if now.Outcome == other {
			return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.OtherReason,
				Code: o.status}}, nil
		}
		if op.Kind == providers.Capture && now.Outcome == providers.Paid { // charged, and more since
			return providers.OpResult{State: providers.OpSucceeded}, nil
		}
	case providers.Refund:
		seen := now.RefundSeen(op)
		switch {
		case now.Stated && now.Refunded >= op.Standing.Refunded+op.Amount.Minor, seen == providers.OpSucceeded:
			return providers.OpResult{State: providers.OpSucceeded}, nil
		case o.status == "PARTIALLY_REFUNDED" && !now.Stated: // by ours, or by an earlier one
			return providers.OpResult{}, &providers.Failure{Op: opRead, Text: "partly refunded, the gateway does not say how much"}
		case now.Outcome == providers.Paid:
			return providers.OpResult{State: seen}, nil
		}
	default:
		return providers.OpResult{}, providers.Refuse("operation", "this gateway has no such operation")
	}
	if now.Unmoved(op.Standing) {
		return providers.OpResult{State: providers.OpMissing}, nil
	}
	return providers.OpResult{State: providers.OpPending}, nil
}
