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
func (p *provider) Kinds() []providers.OpLimits {
	return []providers.OpLimits{
		{Kind: providers.Capture, Partial: true, Once: true},
		{Kind: providers.Void, Partial: p.partialVoid, Once: true},
		{Kind: providers.Refund, Partial: true, Once: true},
	}
}

// Do sends CP, RV or RF. What the gateway would refuse is refused before the call: a second refund above all.
func (p *provider) Do(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
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
			return providers.OpResult{}, providers.Refuse("currency", "must be the payment's")
		}
		if op.Amount.Minor > pay.Amount.Minor {
			return providers.OpResult{}, providers.Refuse("amount", "more than the payment's")
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
			return providers.OpResult{}, providers.Refuse("kind", "this gateway captures a payment once")
		}
		word, checksum = "CP", p.client.signAmount(id, total)
	case providers.Refund:
		if op.Standing.Refunded > 0 {
			return providers.OpResult{}, providers.Refuse("kind", "this gateway refunds a payment once")
		}
		word, checksum = "RF", p.client.signAmount(id, total)
	case providers.Void:
		whole := op.Standing.Held
		if whole == 0 {
			whole = pay.Amount.Minor
		}
		if total != "" && op.Amount.Minor != whole && !p.partialVoid {
			return providers.OpResult{}, providers.Refuse("amount", "this account gives back whole holds only")
		}
		if op.Amount.Minor == whole {
			total = "" // the plain reversal, as every account knows it
		}
		word, checksum = "RV", p.client.signID(id)
	default:
		return providers.OpResult{}, providers.Refuse("kind", "this gateway has no "+string(op.Kind))
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
	if word == "RV" && total != "" && a.isAbout(id, pay.Ref.Reference) && a.code() != codeFound && strings.HasPrefix(a.code(), "0") {
		if short, long := a.statuses(); short == "Y" && long == "authsuccessful" { // the rest of the hold stands on
			return providers.OpResult{State: providers.OpSucceeded, GatewayID: a.paymentID()}, nil
		}
	}
	return operationResult(word, a, id, pay.Ref.Reference)
}

// isAbout tells whether the answer says which payment it speaks of, and that it is this one; id may not be known yet.
func (a answer) isAbout(id, reference string) bool {
	said, number := a.paymentID(), a.text("merchantTransactionId")
	if said != "" && id != "" && said != id || number != "" && number != reference {
		return false
	}
	return said != "" && said == id || number != ""
}

// progress is how far each operation is by the payment's long status.
var progress = map[string]map[string]providers.OpState{
	"CP": {"capturesuccess": providers.OpSucceeded, "settled": providers.OpSucceeded, "capturestarted": providers.OpPending,
		"capturefailed": providers.OpFailed},
	"RV": {"cancelled": providers.OpSucceeded, "authcancelled": providers.OpSucceeded, "cancelstarted": providers.OpPending},
	"RF": {reversed: providers.OpSucceeded, "markedforreversal": providers.OpPending},
	"PO": {"payoutsuccessful": providers.OpSucceeded, "payoutstarted": providers.OpPending, "payoutfailed": providers.OpFailed},
}

// operationResult reads the answer to an operation. It was carried out where the answer names the payment and has the
// operation's long status, or the short one alone; 00026 is what an inquiry is answered, and so says nothing without the long
// one. A recorded answer to a capture has nothing but 00004, which says "captured" by itself.
func operationResult(word string, a answer, id, reference string) (providers.OpResult, error) {
	short, long := a.statuses()
	code := a.code()
	named := a.isAbout(id, reference)
	if state, ok := progress[word][long]; ok {
		switch {
		case state == providers.OpSucceeded && (short == "N" || !strings.HasPrefix(code, "0")):
		case state != providers.OpFailed && !named:
		case state == providers.OpFailed && (short == "Y" || strings.HasPrefix(code, "0")):
		case state == providers.OpFailed:
			return providers.OpResult{State: state, GatewayID: a.paymentID(), Decline: a.decline(card.Code{})}, nil
		default:
			return providers.OpResult{State: state, GatewayID: a.paymentID()}, nil
		}
		return providers.OpResult{}, a.failure(word)
	}
	switch {
	case word == "CP" && code == codeCaptured && short == "" && long == "":
		return providers.OpResult{State: providers.OpSucceeded, GatewayID: a.paymentID()}, nil
	case !strings.HasPrefix(code, "0"):
	case !named || code == codeFound || long != "":
	case short == "P":
		return providers.OpResult{State: providers.OpPending, GatewayID: a.paymentID()}, nil
	case (short == "Y" || short == "C" && word == "RV") && word != "PO":
		return providers.OpResult{State: providers.OpSucceeded, GatewayID: a.paymentID()}, nil
	}
	// 10009 is an inquiry's, and of a payment that the gateway named not believable.
	refusal := len(code) == 5 && code != codeNotFound && (code[0] == '1' || code[0] == '2')
	if refusal && !a.refusesUs() && (short == "N" || short == "") && (long == "" || long == "failed") && !isDuplicate(a) {
		return providers.OpResult{State: providers.OpFailed, GatewayID: a.paymentID(), Decline: a.decline(card.Code{})}, nil
	}
	return providers.OpResult{}, a.failure(word)
}

// Inquire reads the operation off the payment's status. Where nothing moved (the answer to Do was lost) it is
// missing. Part of a hold given back need not show, so that stays unknown; and a part taken or given back shows only where
// the gateway states its sum.
func (p *provider) Inquire(ctx context.Context, pay providers.Payment, op providers.Op) (providers.OpResult, error) {
	word := map[providers.OpKind]string{providers.Capture: "CP", providers.Void: "RV", providers.Refund: "RF"}[op.Kind]
	if word == "" {
		return providers.OpResult{}, providers.Refuse("kind", "this gateway has no "+string(op.Kind))
	}
	a, err := p.client.inquire(ctx, pay.Ref.OrderID, pay.Ref.Reference)
	if err != nil {
		return providers.OpResult{}, err
	}
	s, err := p.standing(pay, a)
	if err != nil {
		return providers.OpResult{}, err
	}
	_, long := a.statuses()
	state := progress[word][long]
	if word == "CP" && (long == reversed || long == "markedforreversal" || long == "chargeback") {
		state = providers.OpSucceeded // it was captured, and given back since
	}
	proved := true
	switch {
	case word == "CP":
		proved = s.Captured == op.Amount.Minor || op.Amount.Minor >= op.Standing.Held
	case word == "RF" && s.Stated:
		proved = s.Refunded >= op.Standing.Refunded+op.Amount.Minor
	case word == "RF":
		proved = op.Amount.Minor >= op.Standing.Captured-op.Standing.Refunded
	}
	if word == "RF" && long == reversed && !proved && s.RefundSeen(op) == providers.OpMissing { // another refund, which is less
		return providers.OpResult{State: providers.OpMissing}, nil
	}
	if state == providers.OpSucceeded && !proved {
		return providers.OpResult{}, &providers.Failure{Op: "IN", Text: "no sum that proves the " + string(op.Kind)}
	}
	if state == "" && s.EndedInstead(op) {
		return providers.OpResult{State: providers.OpMissing}, nil
	}
	plain := word != "RF" || s.Stated || long == "capturesuccess" || long == "settled"
	part := word == "RV" && op.Amount.Minor < op.Standing.Held
	switch {
	case state == "" && !part && plain && s.Unmoved(op.Standing):
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
