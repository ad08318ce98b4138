package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tollgate/providers"
)

// bought is a session of 20.00 with a cart: three pieces whose discount does not divide, and one kilogram and a half.
func bought(t *testing.T, state State, receipts bool) *Turn {
	t.Helper()
	turn := turnOf(attemptIn(1, state))
	turn.Rules.Operations = []providers.OpLimits{{Kind: providers.Capture, Partial: true}, {Kind: providers.Refund, Partial: true}, {Kind: providers.Void}}
	turn.Rules.Receipts = receipts
	turn.S.Amount.Minor = 2000
	turn.S.Cart = &providers.Cart{Items: []providers.CartItem{
		{Name: "Soap", Quantity: 3 * providers.One, UnitPrice: 200, Discount: 100},
		{Name: "Grapes", Quantity: 1500, UnitPrice: 1000},
	}}
	if err := turn.S.Cart.Settle(2000); err != nil {
		t.Fatal(err)
	}
	a := turn.S.Attempts[0]
	a.AmountAuthorized, a.Captured = 2000, 0
	if state == Paid {
		a.Captured = 2000
	}
	return turn
}

// operate begins an operation and lets it succeed.
func operate(t *testing.T, turn *Turn, in NewOperation) *Operation {
	t.Helper()
	op, err := turn.Operations().Begin(in)
	if err != nil {
		t.Fatal(err)
	}
	op.State = OpSucceeded
	a := turn.S.Attempts[0]
	switch op.Kind {
	case providers.Capture:
		a.State, a.Captured = Paid, op.Amount
	case providers.Refund:
		a.Refunded += op.Amount
	}
	return op
}

func refused(t *testing.T, turn *Turn, in NewOperation) string {
	t.Helper()
	_, err := turn.Operations().Begin(in)
	if r, ok := errors.AsType[*providers.Refusal](err); ok {
		return r.Field
	}
	t.Fatalf("no refusal of a field: %v", err)
	return ""
}

func TestARefundOfItemsIsWhatTheyComeTo(t *testing.T) {
	turn := bought(t, Paid, true)
	one := []OperationItem{{Line: 1, Quantity: providers.One}}
	first := operate(t, turn, NewOperation{Kind: providers.Refund, Items: one})
	second := operate(t, turn, NewOperation{Kind: providers.Refund, Items: one, Amount: 167})
	if first.Amount != 166 || second.Amount != 167 { // of 500 for three: 166, 167, 167
		t.Errorf("%d, then %d", first.Amount, second.Amount)
	}
	if parts := turn.S.AtProvider(second).Items; len(parts) != 1 || parts[0].Position != 2 || parts[0].UnitPrice != 167 {
		t.Errorf("the gateway is told of %+v", parts)
	}
	rest := operate(t, turn, NewOperation{Kind: providers.Refund})
	if want := []providers.CartPortion{{Line: 0, From: 2000, Quantity: 1000}, {Line: 1, Quantity: 1500}}; rest.Amount != 1667 || !slices.Equal(rest.Items, want) {
		t.Errorf("all that is left is known: %d of %+v", rest.Amount, rest.Items)
	}
	if providers.SumOf(turn.S.AtProvider(rest).Items) != 1667 {
		t.Errorf("%+v", turn.S.AtProvider(rest).Items)
	}
}

func TestItemsThatAreNotThereAreRefusedByName(t *testing.T) {
	for want, in := range map[string]NewOperation{
		"items":            {Kind: providers.Refund, Amount: 500},
		"items.0.line":     {Kind: providers.Refund, Items: []OperationItem{{Line: 3, Quantity: providers.One}}},
		"items.1.line":     {Kind: providers.Refund, Items: []OperationItem{{Line: 1, Quantity: providers.One}, {Line: 1, Quantity: providers.One}}},
		"items.0.quantity": {Kind: providers.Refund, Items: []OperationItem{{Line: 1, Quantity: 3001}}},
		"items.1.quantity": {Kind: providers.Refund, Items: []OperationItem{{Line: 2, Quantity: 1}, {Line: 1, Quantity: 0}}},
	} {
		if got := refused(t, bought(t, Paid, true), in); got != want {
			t.Errorf("%+v: %s, want %s", in, got, want)
		}
	}
	if got := refused(t, bought(t, Paid, true), NewOperation{Kind: providers.Refund, Amount: 165, Items: []OperationItem{{Line: 1, Quantity: providers.One}}}); got != "items" {
		t.Errorf("another amount than theirs: %s", got)
	}
	if got := refused(t, bought(t, Authorized, true), NewOperation{Kind: providers.Void, Items: []OperationItem{{Line: 1, Quantity: providers.One}}}); got != "items" {
		t.Errorf("a void: %s", got)
	}
	turn := bought(t, Paid, true)
	turn.S.Cart = nil
	if got := refused(t, turn, NewOperation{Kind: providers.Refund, Items: []OperationItem{{Line: 1, Quantity: providers.One}}}); got != "items" {
		t.Errorf("no cart: %s", got)
	}
}

func TestOnlyWhatWasCapturedOfTheCartCanBeRefunded(t *testing.T) {
	turn := bought(t, Authorized, true)
	capture := operate(t, turn, NewOperation{Kind: providers.Capture, Items: []OperationItem{{Line: 1, Quantity: 2 * providers.One}}})
	if capture.Amount != 333 {
		t.Errorf("captured %d", capture.Amount)
	}
	for want, items := range map[string][]OperationItem{
		"items.0.quantity": {{Line: 1, Quantity: 2001}}, "items.0.line": {{Line: 0, Quantity: 1}},
	} {
		if got := refused(t, turn, NewOperation{Kind: providers.Refund, Items: items}); got != want {
			t.Errorf("%+v: %s", items, got)
		}
	}
	if got := refused(t, turn, NewOperation{Kind: providers.Refund, Items: []OperationItem{{Line: 2, Quantity: 1}}}); got != "items.0.quantity" {
		t.Errorf("a line that was not captured: %s", got)
	}
	if all := operate(t, turn, NewOperation{Kind: providers.Refund}); all.Amount != 333 || len(all.Items) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestWithoutReceiptsAPartNeedsNoItems(t *testing.T) {
	turn := bought(t, Paid, false)
	part := operate(t, turn, NewOperation{Kind: providers.Refund, Amount: 100})
	rest := operate(t, turn, NewOperation{Kind: providers.Refund})
	if part.Items != nil || rest.Items != nil || rest.Amount != 1900 {
		t.Errorf("%+v %+v", part.Items, rest)
	}
}

func TestAReceiptIsToldWhenItIsMadeOrFailsAndOnce(t *testing.T) {
	turn := bought(t, Paid, true)
	a := turn.S.Attempts[0]
	receipt := func(id string, state providers.ReceiptState) providers.Receipt {
		return providers.Receipt{ID: id, Kind: "sale", State: state, Amount: 2000}
	}
	told := func(receipts ...providers.Receipt) (n int) {
		before := len(turn.Change.Events)
		verdict{turn}.followReceipts(a, receipts)
		for _, e := range turn.Change.Events[before:] {
			var data struct{ Receipts []providers.Receipt }
			if e.Type != EventPaymentReceipt || json.Unmarshal(e.Data, &data) != nil || !slices.Equal(data.Receipts, receipts) {
				t.Errorf("%s %s", e.Type, e.Data)
			}
			n++
		}
		return n
	}
	pending, done, failed := receipt("a", providers.ReceiptPending), receipt("a", providers.ReceiptDone), receipt("b", providers.ReceiptFailed)
	if n := told(pending); n != 0 || !a.receiptsPending() {
		t.Errorf("a receipt that was sent: %d events", n)
	}
	if n := told(done); n != 1 || a.receiptsPending() {
		t.Errorf("made: %d events", n)
	}
	if n := told(done); n != 0 {
		t.Errorf("again: %d events", n)
	}
	if n := told(done, failed); n != 1 {
		t.Errorf("a second that failed: %d events", n)
	}
	if n := told(); n != 0 || len(a.Receipts) != 2 {
		t.Errorf("an inquiry that tells of none forgets none: %d events, %d receipts", n, len(a.Receipts))
	}
}

func TestWhereAReceiptIsBeingMadeWhenTheMoneyComesThePaymentIsLookedAtSoon(t *testing.T) {
	turn := bought(t, Gateway, true)
	a := turn.S.Attempts[0]
	st := providers.Standing{Outcome: providers.Paid, Amount: turn.S.Amount, Captured: 2000, Stated: true, Reference: a.Ref.Reference,
		Receipts: []providers.Receipt{{ID: "a", Kind: "sale", State: providers.ReceiptPending, Amount: 2000}}}
	if err := (verdict{turn}).applyStanding(a, a.Seen(), st); err != nil || a.State != Paid {
		t.Fatal(a.State, a.Mismatch, err)
	}
	looks := slices.DeleteFunc(slices.Clone(turn.Change.Jobs), func(j Job) bool { return j.Kind != JobInquire })
	if len(looks) != 1 || looks[0].RunAt.After(turn.Now.Add(time.Minute)) {
		t.Errorf("%+v", looks)
	}
}

func TestAPaymentIsLookedAtSoonerWhileAReceiptIsBeingMade(t *testing.T) {
	next := func(state providers.ReceiptState) time.Time {
		turn := bought(t, Paid, true)
		a := turn.S.Attempts[0]
		a.NewsAt = turn.Now
		a.Receipts = []providers.Receipt{{ID: "a", State: state}}
		if err := (verdict{turn}).lookLater(a); err != nil && !errors.Is(err, ErrNothing) {
			t.Fatal(err)
		}
		if len(turn.Change.Jobs) != 1 {
			t.Fatalf("%d jobs", len(turn.Change.Jobs))
		}
		return turn.Change.Jobs[0].RunAt
	}
	if pending, done := next(providers.ReceiptPending), next(providers.ReceiptDone); !pending.Before(done) {
		t.Errorf("%s and %s", pending, done)
	}
}

// An operation without an amount is of all that is left: one of items that come to nothing (a gift, a gram) is none of those.
func TestAnOperationOnItemsThatComeToNothingIsRefused(t *testing.T) {
	gram := []OperationItem{{Line: 2, Quantity: 1}}
	for _, kind := range []providers.OpKind{providers.Refund, providers.Capture} {
		state := map[providers.OpKind]State{providers.Refund: Paid, providers.Capture: Authorized}[kind]
		turn := bought(t, state, true)
		turn.S.Cart = &providers.Cart{Items: []providers.CartItem{
			{Name: "Soap", Quantity: providers.One, UnitPrice: 2000}, {Name: "Saffron", Quantity: 1500, UnitPrice: 0},
		}}
		if err := turn.S.Cart.Settle(2000); err != nil {
			t.Fatal(err)
		}
		if got := refused(t, turn, NewOperation{Kind: kind, Items: gram}); got != "items" {
			t.Errorf("a %s of a gift: %s", kind, got)
		}
		both := operate(t, turn, NewOperation{Kind: kind, Items: append(gram, OperationItem{Line: 1, Quantity: providers.One})})
		if both.Amount != 2000 {
			t.Errorf("a %s of a gift and what was paid for: %d", kind, both.Amount)
		}
	}
	turn := bought(t, Paid, true)
	turn.S.Cart.Items[0].UnitPrice, turn.S.Cart.Items[0].Quantity = 1, 2000
	if got := refused(t, turn, NewOperation{Kind: providers.Refund, Items: []OperationItem{{Line: 1, Quantity: 1}}}); got != "items" {
		t.Errorf("a refund of less than the least coin: %s", got)
	}
}

// What is left of a cart: what was captured and not refunded, line by line; only what succeeded counts, and what names no items
// is not known of any.
func TestWhatIsLeftOfACart(t *testing.T) {
	type past struct {
		kind  providers.OpKind
		state OpState
		items []providers.CartPortion
	}
	soap, grapes := providers.CartPortion{Line: 0, Quantity: 1000}, providers.CartPortion{Line: 1, Quantity: 500}
	decisions(t, "carts", func(d *table) {
		for name, before := range map[string][]past{
			"nothing":                       nil,
			"a refund that failed":          {{providers.Refund, OpFailed, []providers.CartPortion{soap}}},
			"a refund that is unknown":      {{providers.Refund, OpUnknown, []providers.CartPortion{soap}}},
			"a refund of no items":          {{providers.Refund, OpSucceeded, nil}},
			"a refund of one":               {{providers.Refund, OpSucceeded, []providers.CartPortion{soap}}},
			"two refunds of one":            {{providers.Refund, OpSucceeded, []providers.CartPortion{soap}}, {providers.Refund, OpSucceeded, []providers.CartPortion{soap, grapes}}},
			"a capture of one":              {{providers.Capture, OpSucceeded, []providers.CartPortion{soap}}},
			"a capture of no items":         {{providers.Capture, OpSucceeded, nil}},
			"a capture that failed":         {{providers.Capture, OpFailed, []providers.CartPortion{soap}}},
			"a capture and a refund":        {{providers.Capture, OpSucceeded, []providers.CartPortion{soap, grapes}}, {providers.Refund, OpSucceeded, []providers.CartPortion{grapes}}},
			"a refund of all but the least": {{providers.Refund, OpSucceeded, []providers.CartPortion{{Line: 0, Quantity: 2999}, {Line: 1, Quantity: 1500}}}},
			"a void":                        {{providers.Void, OpSucceeded, []providers.CartPortion{soap}}},
		} {
			for _, kind := range []providers.OpKind{providers.Capture, providers.Refund, providers.Void} {
				turn := bought(t, Paid, true)
				for i, p := range before {
					turn.S.Operations = append(turn.S.Operations, &Operation{N: i + 1, Attempt: 1, Kind: p.kind, State: p.state, Items: p.items})
				}
				d.is(fmt.Sprintf("%s: left for a %s", name, kind), turn, func(t *Turn) (string, error) { return fmt.Sprintf("%+v", itemsLeft(t.S, kind)), nil })
			}
		}
		for _, items := range [][]OperationItem{
			{{Line: 1, Quantity: 3000}}, {{Line: 1, Quantity: 3001}}, {{Line: 2, Quantity: 1500}}, {{Line: 2, Quantity: 1501}}, {{Line: 1, Quantity: 3000}, {Line: 2, Quantity: 1500}},
			{{Line: 1, Quantity: 1}}, {{Line: 1, Quantity: 0}}, {{Line: 1, Quantity: -1}}, {{Line: 0, Quantity: 1}}, {{Line: 3, Quantity: 1}}, {{Line: 2, Quantity: 1}, {Line: 2, Quantity: 1}},
		} {
			for _, amount := range []int64{0, 500, 499} {
				turn := bought(t, Paid, true)
				d.is(fmt.Sprintf("a refund of %v for %d", items, amount), turn, func(t *Turn) (string, error) {
					in := NewOperation{Kind: providers.Refund, Amount: amount, Items: items}
					portions, err := t.Operations().portions(&in)
					return fmt.Sprintf("%+v come to %d", portions, in.Amount), err
				})
			}
		}
		for _, kind := range []providers.OpKind{providers.Capture, providers.Refund, providers.Void} {
			for _, receipts := range []bool{false, true} {
				for _, cart := range []bool{false, true} {
					for _, amount := range []int64{2000, 1999} {
						turn := bought(t, Authorized, receipts)
						if !cart {
							turn.S.Cart = nil
						}
						d.is(fmt.Sprintf("a %s of %d, no items named, a cart %v, receipts %v", kind, amount, cart, receipts), turn, func(t *Turn) (string, error) {
							items, err := t.Operations().allItems(kind, amount, nil)
							return fmt.Sprintf("%+v", items), err
						})
					}
				}
			}
		}
		for name, op := range map[string]*Operation{"no items": {}, "items": {Items: []providers.CartPortion{soap}}} {
			for _, cart := range []bool{false, true} {
				turn := bought(t, Paid, true)
				if !cart {
					turn.S.Cart = nil
				}
				d.is(fmt.Sprintf("an operation of %s, a cart %v: as receipts show them", name, cart), turn, func(t *Turn) (string, error) {
					parts := itemsOf(t.S, op)
					return fmt.Sprintf("none %v, %d", parts == nil, len(parts)), nil
				})
			}
		}
		for name, told := range map[string][]providers.Receipt{
			"nothing": nil, "one being made": {{ID: "a", State: providers.ReceiptPending}}, "one made": {{ID: "a", State: providers.ReceiptDone}},
			"one failed": {{ID: "a", State: providers.ReceiptFailed}}, "another made": {{ID: "b", State: providers.ReceiptDone}},
			"another made beside it": {{ID: "b", State: providers.ReceiptDone}, {ID: "a", State: providers.ReceiptPending}},
		} {
			for _, known := range []providers.ReceiptState{"", providers.ReceiptPending, providers.ReceiptDone} {
				turn := bought(t, Paid, true)
				if known != "" {
					turn.S.Attempts[0].Receipts = []providers.Receipt{{ID: "a", State: known}}
				}
				d.is(fmt.Sprintf("a receipt known as %q, told of %s", known, name), turn, func(t *Turn) (string, error) {
					verdict{t}.followReceipts(t.S.Attempts[0], told)
					return "", nil
				})
			}
		}
	})
}
