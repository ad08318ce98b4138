package e2e_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// A cart goes to the gateway, receipts come back and are told of, and a part is refunded by its items.
func TestReceiptsOfACartComeBackAndAPartIsRefundedByItsItems(t *testing.T) {
	t.Parallel()
	w := start(t)
	cart := map[string]any{"items": []map[string]any{
		{"name": "Soap", "quantity": "3", "unit_price": 200, "discount": 100, "tax": "vat20"},
		{"name": "Grapes", "quantity": "0.75", "unit": "kilogram", "unit_price": 2000, "tax": "vat10"},
	}}
	for _, account := range []string{"rbs-cart", "rbs-cart-105"} {
		s := w.paysWithout3DS(t, account, map[string]any{"amount": 2000, "cart": cart, "customer": map[string]any{"email": "ann@example.com"}})
		if s.Status != "paid" {
			t.Fatalf("%s: %+v", account, s)
		}
		type receiptView struct {
			Kind, State, Document string
			Amount                int64
		}
		receipts := func() []receiptView {
			var now struct {
				Payment struct {
					Receipts []receiptView `json:"receipts"`
				} `json:"payment"`
			}
			w.api(t, "GET", "/v1/sessions/"+s.ID, nil, &now)
			return now.Payment.Receipts
		}
		until(t, 10*time.Second, "the receipt is being made", func() bool { return len(receipts()) == 1 })
		w.advance(t, time.Minute)
		until(t, 10*time.Second, "the receipt is told of", func() bool { return w.told(t, s.ID, "payment.receipt") == 1 })
		if got := receipts(); got[0].State != "done" || got[0].Kind != "sale" || got[0].Amount != 2000 || got[0].Document == "" {
			t.Errorf("%s: %+v", account, got)
		}

		var problem struct {
			Errors []struct{ Pointer string } `json:"errors"`
		}
		if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/refunds", map[string]any{"amount": 166}, &problem); code != http.StatusUnprocessableEntity || problem.Errors[0].Pointer != "/items" {
			t.Errorf("%s: a part without items: %d %+v", account, code, problem)
		}
		var op struct {
			operationView
			Items json.RawMessage `json:"items"`
		}
		part := map[string]any{"items": []map[string]any{{"line": 1, "quantity": "1"}, {"line": 2, "quantity": "0.25"}}}
		if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/refunds", part, &op); code != http.StatusCreated || op.Amount != 666 || op.State != "succeeded" {
			t.Fatalf("%s: a refund of items: %d %+v", account, code, op)
		}
		w.did(t, s.ID, "refunds", 0)
		w.stands(t, s, "refunded", 2000, 2000)
		w.advance(t, time.Minute)
		w.api(t, "POST", "/v1/sessions/"+s.ID+"/inquire", nil, nil)
		until(t, 10*time.Second, "both refunds have their receipts", func() bool { return w.told(t, s.ID, "payment.receipt") >= 2 })
		if got := receipts(); len(got) != 3 || got[1].Kind != "refund" || got[1].Amount != 666 || got[2].Amount != 1334 || got[2].State != "done" {
			t.Errorf("%s: %+v", account, got)
		}
	}
}
