package session

import (
	"fmt"
	"slices"

	"tollgate/providers"
)

// This file is what captures and refunds are of, where the session has a cart.

// OperationItem is so much of a line of the session's cart.
type OperationItem struct {
	Line     int // from 1
	Quantity providers.Quantity
}

// portions checks the items that an operation names, and gives it their sum as its amount where it names none. A fault is a
// *providers.Refusal.
func (t Operations) portions(in *NewOperation) ([]providers.CartPortion, error) {
	if len(in.Items) == 0 {
		return nil, nil
	}
	cart := t.S.Cart
	if cart == nil || in.Kind == providers.Void {
		return nil, providers.Refuse("items", "the session has no cart to take them from")
	}
	left := itemsLeft(t.S, in.Kind)
	var portions []providers.CartPortion
	for i, item := range in.Items {
		field := fmt.Sprintf("items.%d.", i)
		named := func(p providers.CartPortion) bool { return p.Line == item.Line-1 }
		at := slices.IndexFunc(left, named)
		switch {
		case item.Line < 1 || item.Line > len(cart.Items):
			return nil, providers.Refuse(field+"line", fmt.Sprintf("must be from 1 to %d, a line of the session's cart", len(cart.Items)))
		case slices.ContainsFunc(portions, named):
			return nil, providers.Refuse(field+"line", "is named twice")
		case at < 0 || item.Quantity > left[at].Quantity:
			return nil, providers.Refuse(field+"quantity", "is more than there is left")
		case item.Quantity <= 0:
			return nil, providers.Refuse(field+"quantity", "must be positive")
		}
		portions = append(portions, providers.CartPortion{Line: item.Line - 1, From: left[at].From, Quantity: item.Quantity})
	}
	sum := providers.SumOf(cart.Portion(portions))
	if sum == 0 { // an amount of 0 is all that is left
		return nil, providers.Refuse("items", "come to nothing")
	}
	if in.Amount != 0 && in.Amount != sum {
		return nil, providers.Refuse("items", fmt.Sprintf("come to %d, and the amount is %d", sum, in.Amount))
	}
	in.Amount = sum
	return portions, nil
}

// allItems are the items of an operation that names none: all that are left, where they come to its amount. Where receipts are
// made of them, an operation on a part has to name them.
func (t Operations) allItems(kind providers.OpKind, amount int64, named []providers.CartPortion) ([]providers.CartPortion, error) {
	if len(named) > 0 || t.S.Cart == nil || kind == providers.Void {
		return named, nil
	}
	if left := itemsLeft(t.S, kind); providers.SumOf(t.S.Cart.Portion(left)) == amount {
		return left, nil
	}
	if t.Rules.Receipts {
		return nil, providers.Refuse("items", "needed: a receipt is made of them, and the amount is a part of what is left")
	}
	return nil, nil
}

// itemsLeft is what of the cart is not captured yet, or captured and not refunded yet. What was moved without naming items is not
// known of any.
func itemsLeft(s *Session, kind providers.OpKind) (left []providers.CartPortion) {
	for line, item := range s.Cart.Items {
		left = append(left, providers.CartPortion{Line: line, Quantity: item.Quantity})
	}
	for _, op := range s.Operations {
		if op.State != OpSucceeded || len(op.Items) == 0 {
			continue
		}
		for i := range left {
			of := slices.IndexFunc(op.Items, func(p providers.CartPortion) bool { return p.Line == left[i].Line })
			taken := providers.Quantity(0)
			if of >= 0 {
				taken = op.Items[of].Quantity
			}
			switch {
			case op.Kind == providers.Capture && kind == providers.Refund: // only what was captured can be refunded
				left[i].Quantity = taken
			case op.Kind == kind:
				left[i].From, left[i].Quantity = left[i].From+taken, left[i].Quantity-taken
			}
		}
	}
	return slices.DeleteFunc(left, func(p providers.CartPortion) bool { return p.Quantity <= 0 })
}

// itemsOf are the parts of the cart that an operation is about, as receipts show them.
func itemsOf(s *Session, op *Operation) []providers.CartPart {
	if s.Cart == nil {
		return nil
	}
	return s.Cart.Portion(op.Items)
}

// followReceipts takes what the gateway tells of a payment's receipts, and tells of those that are made or have failed.
func (t verdict) followReceipts(a *Attempt, told []providers.Receipt) {
	if len(told) == 0 {
		return
	}
	news := false
	for _, r := range told {
		known := slices.IndexFunc(a.Receipts, func(k providers.Receipt) bool { return k.ID == r.ID })
		news = news || r.State != providers.ReceiptPending && (known < 0 || a.Receipts[known].State != r.State)
	}
	a.Receipts = told
	if news {
		t.recordAttemptWith(a, EventPaymentReceipt, map[string]any{"receipts": told})
	}
}

// receiptsPending tells of receipts that are still being made.
func (a *Attempt) receiptsPending() bool {
	return slices.ContainsFunc(a.Receipts, func(r providers.Receipt) bool { return r.State == providers.ReceiptPending })
}
