package transactworld

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"tollgate/internal/card"
	"tollgate/providers"
)

// Kinds are the operations of the back office. The platform refunds a payment once; that a hold is captured or cancelled
// once is assumed.
func (p *Provider) Kinds() []providers.OpLimits {
	return []providers.OpLimits{
		{Kind: providers.Capture, Partial: true, Once: true},
		{Kind: providers.Void, Partial: p.partialVoid, Once: true},
		{Kind: providers.Refund, Partial: true, Once: true},
	}
}

// Do sends CP, RV or RF. What the gateway would refuse is refused before the call: a second refund above all.
func (p *Provider) Do(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
	id := pay.Ref.OrderID
	if !identifier.MatchString(id) {
		return providers.OpResult{}, &providers.Failure{Op: string(op.Kind), Err: errors.New("no paymentId")}
	}
	total := ""
	if op.Kind != providers.Void || op.Amount.Minor != 0 {
		var err error
		if total, err = amount(op.Amount); err != nil {
			return providers.OpResult{}, err
		}
		if op.Amount.Currency.Code != pay.Amount.Currency.Code {
			return providers.OpResult{}, &providers.Refusal{Field: "currency", Text: "must be the payment's"}
		}
		if op.Amount.Minor > pay.Amount.Minor {
			return providers.OpResult{}, &providers.Refusal{Field: "amount", Text: "more than the payment's"}
		}
	}
	form := url.Values{}
	if p.terminal != "" {
		form.Set("authentication.terminalId", p.terminal)
	}
	checksum, word := "", ""
	switch op.Kind {
	case providers.Capture:
		if op.Standing.Captured > 0 {
			return providers.OpResult{}, &providers.Refusal{Field: "kind", Text: "this gateway captures a payment once"}
		}
		word, checksum = "CP", p.client.signAmount(id, total)
	case providers.Refund:
		if op.Standing.Refunded > 0 {
			return providers.OpResult{}, &providers.Refusal{Field: "kind", Text: "this gateway refunds a payment once"}
		}
		word, checksum = "RF", p.client.signAmount(id, total)
	case providers.Void:
		whole := op.Standing.Held
		if whole == 0 {
			whole = pay.Amount.Minor
		}
		if total != "" && op.Amount.Minor != whole && !p.partialVoid {
			return providers.OpResult{}, &providers.Refusal{Field: "amount", Text: "this account gives back whole holds only"}
		}
		if op.Amount.Minor == whole {
			total = "" // the plain reversal, as every account knows it
		}
		word, checksum = "RV", p.client.signID(id)
	default:
		return providers.OpResult{}, &providers.Refusal{Field: "kind", Text: "this gateway has no " + string(op.Kind)}
	}
	form.Set("paymentType", word)
	if total != "" {
		form.Set("amount", total)
	}
	a, err := p.client.call(ctx, word, restPath+"payments/"+id, p.client.signed(form, checksum))
	if err != nil {
		return providers.OpResult{}, err
	}
	if said := a.paymentID(); said != "" && said != id {
		return providers.OpResult{}, &providers.Failure{Op: word, Text: "answer of another payment"}
	}
	if said := a.text("merchantTransactionId"); said != "" && said != pay.Ref.Reference {
		return providers.OpResult{}, &providers.Failure{Op: word, Text: "answer of another payment"}
	}
	return done(word, a)
}

// progress is how far each operation is by the payment's long status.
var progress = map[string]map[string]providers.OpState{
	"CP": {"capturesuccess": providers.OpSucceeded, "settled": providers.OpSucceeded, "capturestarted": providers.OpPending, "capturefailed": providers.OpFailed},
	"RV": {"cancelled": providers.OpSucceeded, "authcancelled": providers.OpSucceeded, "cancelstarted": providers.OpPending},
	"RF": {reversed: providers.OpSucceeded, "markedforreversal": providers.OpPending},
	"PO": {"payoutsuccessful": providers.OpSucceeded, "payoutstarted": providers.OpPending, "payoutfailed": providers.OpFailed},
}

// done reads the answer to an operation. Samples have a bare result beside those with statuses: 0… is success then.
func done(word string, a answer) (providers.OpResult, error) {
	short, long := a.said()
	code := a.code()
	if state, ok := progress[word][long]; ok {
		switch {
		case state == providers.OpSucceeded && (short == "N" || !strings.HasPrefix(code, "0")):
		case state == providers.OpFailed && (short == "Y" || strings.HasPrefix(code, "0")):
		case state == providers.OpFailed:
			return providers.OpResult{State: state, GatewayID: a.paymentID(), Decline: a.decline(card.Code{})}, nil
		default:
			return providers.OpResult{State: state, GatewayID: a.paymentID()}, nil
		}
		return providers.OpResult{}, a.failure(word)
	}
	switch {
	case strings.HasPrefix(code, "0") && short == "P":
		return providers.OpResult{State: providers.OpPending, GatewayID: a.paymentID()}, nil
	case strings.HasPrefix(code, "0") && (short == "Y" || short == "C" && word == "RV" || short == "" && long == "") && word != "PO":
		return providers.OpResult{State: providers.OpSucceeded, GatewayID: a.paymentID()}, nil
	case (strings.HasPrefix(code, "1") || strings.HasPrefix(code, "2")) && (short == "N" || short == "") && (long == "" || long == "failed") && !speaksOfAnother(a):
		return providers.OpResult{State: providers.OpFailed, GatewayID: a.paymentID(), Decline: a.decline(card.Code{})}, nil
	}
	return providers.OpResult{}, a.failure(word)
}

// Inquire reads the operation off the payment's status. Where nothing moved (the answer to Do was lost) it is
// missing. Part of a hold given back need not show, so that stays unknown.
func (p *Provider) Inquire(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
	word := map[providers.OpKind]string{providers.Capture: "CP", providers.Void: "RV", providers.Refund: "RF"}[op.Kind]
	if word == "" {
		return providers.OpResult{}, &providers.Refusal{Field: "kind", Text: "this gateway has no " + string(op.Kind)}
	}
	a, err := p.client.inquire(ctx, pay.Ref.OrderID, pay.Ref.Reference)
	if err != nil {
		return providers.OpResult{}, err
	}
	s, err := p.standing(pay, a)
	if err != nil {
		return providers.OpResult{}, err
	}
	_, long := a.said()
	state := progress[word][long]
	if word == "CP" && (long == reversed || long == "markedforreversal" || long == "chargeback") {
		state = providers.OpSucceeded // it was captured, and given back since
	}
	part := word == "RV" && op.Amount.Minor < op.Standing.Held
	switch {
	case state == "" && !part && s.Unmoved(op.Standing):
		return providers.OpResult{State: providers.OpMissing}, nil
	case s.Outcome == providers.Unclear, state == "":
		return providers.OpResult{}, &providers.Failure{Op: "IN", Text: "no sign of the " + string(op.Kind)}
	}
	r := providers.OpResult{State: state, GatewayID: s.Ref.OrderID}
	if state == providers.OpFailed {
		r.Decline = a.decline(card.Code{})
	}
	return r, nil
}
