package cashier

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

const typePayOut = "PayOut"

// listed is when an order must be in the list. A payout is sent only after its order's creation was answered, with the id
// that the answer gave: where there is no order by then, none was sent.
const listed = 15 * time.Minute

// Payout sends money to a card, or to a phone at a bank. The order of type PayOut comes first and moves none.
func (g *provider) Payout(ctx context.Context, p providers.Payment, to providers.Destination) (providers.OpResult, error) {
	p.Instrument, p.Hold = "", false // those of payments
	if err := g.Check(p); err != nil {
		return providers.OpResult{}, err
	}
	r, err := payoutRequest(to)
	if err != nil {
		return providers.OpResult{}, err
	}
	o, err := g.newOrder(ctx, p, typePayOut)
	if err != nil {
		return providers.OpResult{}, err
	}
	r.path += url.PathEscape(o.id)
	r.method, r.reqID, r.token = http.MethodPost, g.reqID(r.op, p.Ref.Reference), needToken
	answer, err := g.client.call(ctx, r)
	known := providers.OpResult{GatewayID: o.id}
	if err != nil {
		return known, err
	}
	if answer.requestRejected() {
		return providers.OpResult{State: providers.OpFailed, GatewayID: o.id,
			Decline: answer.refusal(r.op)}, nil
	}
	now, err := g.orderFrom(r.op, answer)
	switch {
	case err != nil:
		return known, err
	case now.id != o.id:
		return known, &providers.Failure{Op: r.op, Text: "answer of another order"}
	}
	return payoutResult(now), nil
}

// CheckPayout takes a card, with the holder's phone or without, or a phone at a bank of the list.
func (g *provider) CheckPayout(_ providers.Payment, to providers.Destination) error {
	_, err := payoutRequest(to)
	return err
}

// payoutRequest is the call for a destination, without the order.
func payoutRequest(to providers.Destination) (request, error) {
	switch {
	case to.PaymentID != "":
		return request{}, providers.Refuse("to.payment", "this gateway pays out to a card or a phone, not back to a payment's card")
	case to.Saved != "":
		return request{}, providers.Refuse("to.saved_card", "this gateway pays out to a card by its number, or to a phone")
	case to.Card != nil && to.BankID != "":
		return request{}, providers.Refuse("to.bank_id", "belongs to a phone: a card says by itself whose it is")
	case to.Phone != "" && phoneDigits(to.Phone) == "":
		return request{}, providers.Refuse("to.phone", "not a phone number in international format")
	case to.Card != nil:
		return request{op: opPayout, path: "/order/payout/card/", hide: []string{to.Card.Number.Reveal()}, body: struct {
			Pan    string `json:"pan"`
			Holder string `json:"holder,omitempty"`
			Phone  string `json:"phone,omitempty"`
		}{to.Card.Number.Reveal(), wire.Cut(cmp.Or(to.Card.Name, strings.TrimSpace(to.First+" "+to.Last)), maxText),
			phoneDigits(to.Phone)}}, nil
	case to.Phone != "":
		if !wire.Digits(to.BankID) {
			return request{}, providers.Refuse("to.bank_id", "needed with a phone: a number of the list of banks")
		}
		return request{op: opPayoutIPS, path: "/order/payout/ips/", body: struct {
			Account string `json:"accountNumber"`
			Bank    string `json:"bankId"`
			First   string `json:"firstName,omitempty"`
			Last    string `json:"lastName,omitempty"`
			Middle  string `json:"middleName,omitempty"`
		}{phoneDigits(to.Phone), to.BankID, wire.Cut(to.First, maxText), wire.Cut(to.Last, maxText), wire.Cut(to.Middle, maxText)}}, nil
	}
	return request{}, providers.Refuse("to", "this gateway pays out to a card or a phone")
}

// payoutResult reads a payout order. CREATED means that the payout has not begun; whether it still may, its end tells.
func payoutResult(o order) providers.OpResult {
	r := providers.OpResult{State: providers.OpPending, GatewayID: o.id}
	switch o.status {
	case "PAID":
		r.State = providers.OpSucceeded
	case "DECLINED", "EXPIRED":
		r.State, r.Decline = providers.OpFailed, decline(o)
	}
	return r
}

// InquirePayout asks for the payout's order: by its id, or by our reference where the answer that named it was lost.
func (g *provider) InquirePayout(ctx context.Context, p providers.Payment, r providers.OpResult) (providers.OpResult, error) {
	if r.GatewayID != "" {
		p.Ref.OrderID = r.GatewayID
	}
	o, there, err := g.inquire(ctx, p)
	switch {
	case err != nil:
		return r, err
	case !there && p.Ref.OrderID == "" && !p.CreatedAt.IsZero() && g.now().Sub(p.CreatedAt) > listed:
		return providers.OpResult{State: providers.OpFailed, Decline: &providers.Decline{Reason: providers.TryAgainLater}}, nil
	case !there && p.Ref.OrderID == "" && p.Forgotten != nil: // asked before the first call: see orders.find
		return providers.OpResult{State: providers.OpMissing}, nil
	case !there:
		return r, &providers.Failure{Op: opRead, Text: "no order has our reference"}
	case p.Ref.OrderID != "" && o.id != p.Ref.OrderID, o.number != "" && o.number != p.Ref.Reference:
		return r, &providers.Failure{Op: opRead, Text: "answer of another order"}
	}
	if sum, said := g.amount(o); said && sum != p.Amount {
		return r, &providers.Failure{Op: opRead, Text: "the order has another amount"}
	}
	return payoutResult(o), nil
}

// Banks lists the banks that payouts by phone can go to (assumption 12).
func (g *provider) Banks(ctx context.Context) ([]providers.Bank, error) {
	r, err := g.client.call(ctx, request{op: opBanks, method: http.MethodGet, path: "/public/banks"})
	if err != nil {
		return nil, err
	}
	list, there := r.list("BankList")
	if r.status != http.StatusOK || !there {
		return nil, r.failure(opBanks, r.status)
	}
	banks := []providers.Bank{}
	for _, b := range list {
		bank := providers.Bank{ID: b.text("bankId", "id"), Name: wire.Cut(b.text("bankName", "name"), maxText)}
		if wire.Digits(bank.ID) {
			banks = append(banks, bank)
		}
	}
	return banks, nil
}
