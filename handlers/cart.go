package handlers

import (
	"errors"
	"fmt"
	"strings"

	"tollgate/providers"
	"tollgate/session"
)

// cartIn checks a request's cart against the amount that is paid for it.
func cartIn(in *Cart, amount int64, bad *fieldErrors) *providers.Cart {
	if in == nil {
		return nil
	}
	cart := &providers.Cart{}
	for i, line := range in.Items {
		item := providers.CartItem{
			Name: line.Name, Code: line.Code, Quantity: providers.One, Unit: string(line.Unit), UnitPrice: line.UnitPrice, Discount: line.Discount,
			Amount: line.Amount, Tax: string(line.Tax), PaymentMethod: string(line.PaymentMethod), PaymentObject: string(line.PaymentObject),
			Agent: string(line.Agent), MarkCode: line.MarkCode,
		}
		if line.Quantity != "" {
			var err error
			if item.Quantity, err = providers.ParseQuantity(line.Quantity); err != nil {
				bad.add(fmt.Sprintf("cart/items/%d/quantity", i), "must be decimal text with at most three digits after the point")
				return nil
			}
		}
		if s := line.Supplier; s != nil {
			item.Supplier = &providers.CartSupplier{Name: s.Name, TaxID: s.TaxID, Phones: s.Phones}
		}
		cart.Items = append(cart.Items, item)
	}
	if err := cart.Settle(amount); err != nil {
		var refusal *providers.Refusal
		if errors.As(err, &refusal) {
			bad.add(strings.ReplaceAll(refusal.Field, ".", "/"), refusal.Text)
		}
		return nil
	}
	for i, line := range in.Items {
		if tax := cart.Items[i].TaxAmount(); line.TaxAmount != 0 && line.TaxAmount != tax {
			bad.add(fmt.Sprintf("cart/items/%d/tax_amount", i), fmt.Sprintf("must be %d, the tax in the line's amount", tax))
		}
	}
	return cart
}

// cartOut is a session's cart with its sums.
func cartOut(cart *providers.Cart) *Cart {
	if cart == nil {
		return nil
	}
	out := &Cart{Items: []CartItem{}}
	for _, i := range cart.Items {
		line := CartItem{
			Name: i.Name, Code: i.Code, Quantity: i.Quantity.String(), Unit: CartItemUnit(i.Unit), UnitPrice: i.UnitPrice, Discount: i.Discount,
			Amount: i.Amount, Tax: CartItemTax(i.Tax), TaxAmount: i.TaxAmount(), PaymentMethod: CartItemPaymentMethod(i.PaymentMethod),
			PaymentObject: CartItemPaymentObject(i.PaymentObject), Agent: CartItemAgent(i.Agent), MarkCode: i.MarkCode,
		}
		if s := i.Supplier; s != nil {
			line.Supplier = &CartSupplier{Name: s.Name, TaxID: s.TaxID, Phones: s.Phones}
		}
		out.Items = append(out.Items, line)
	}
	return out
}

// itemsIn are the items that an operation is of.
func itemsIn(in []OperationItem) (items []session.OperationItem, err error) {
	for i, item := range in {
		quantity, err := providers.ParseQuantity(item.Quantity)
		if err != nil {
			return nil, fieldError(fmt.Sprintf("items/%d/quantity", i), "must be decimal text with at most three digits after the point")
		}
		items = append(items, session.OperationItem{Line: item.Line, Quantity: quantity})
	}
	return items, nil
}

func itemsOut(portions []providers.CartPortion) (items []OperationItem) {
	for _, p := range portions {
		items = append(items, OperationItem{Line: p.Line + 1, Quantity: p.Quantity.String()})
	}
	return items
}

func receiptsOf(a *session.Attempt) (out []Receipt) {
	for _, r := range a.Receipts {
		out = append(out, Receipt{
			ID: r.ID, Kind: ReceiptKind(r.Kind), State: ReceiptState(r.State), Amount: r.Amount, At: r.At, Register: r.Register,
			Storage: r.Storage, Document: r.Document, Sign: r.Sign,
		})
	}
	return out
}
