package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// paysWithout3DS is a payment that has come to rest, by a card that asks nothing.
func (w *world) paysWithout3DS(t testing.TB, account string, fields map[string]any) sessionView {
	t.Helper()
	b, made := w.visits(t, account, fields)
	b.pay(cardPlain, "123")
	if !b.rest(visit{}) {
		t.Fatal("the shopper got lost")
	}
	return w.session(t, made.ID)
}

// clearFaults takes back what was scripted.
func (w *world) clearFaults(t testing.TB) {
	t.Helper()
	w.sandbox(t, "DELETE", "/faults", nil, nil)
}

// What the gateway has not finished is pending: nothing is counted, nothing else may begin, and nothing is sent twice, until
// the gateway says how it ended.
func TestOperationsThatSettleLaterArePendingUntilTheGatewayAnswers(t *testing.T) {
	t.Parallel()
	const whole, part = 1234500, 50000
	busy := map[string]string{"status": "processing"} // PaynetEasy says it itself of what it has not finished
	for _, row := range []struct {
		account, operation, hold string
		slow                     string            // the call whose answers say that it is not over; the first one is asked before
		says                     map[string]string // what they say
		status                   string            // of the session, in the end
		captured, refunded       int64
	}{
		{"payneteasy", "capture", "manual", "status", busy, "paid", part, 0},
		{"payneteasy", "void", "manual", "status", busy, "voided", 0, 0},
		{"payneteasy", "refunds", "automatic", "status", busy, "partially_refunded", whole, part},
		{"transactworld", "capture", "manual", "payments-id", map[string]string{"status": "capturestarted", "transactionStatus": "P"}, "paid", part, 0},
		{"transactworld", "void", "manual", "payments-id", map[string]string{"status": "cancelstarted", "transactionStatus": "P"}, "voided", 0, 0},
		{"transactworld", "refunds", "automatic", "payments-id", map[string]string{"status": "markedforreversal", "transactionStatus": "P"}, "partially_refunded", whole, part},
	} {
		t.Run(row.account+" "+row.operation, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.fault(t, map[string]any{"call": "callback", "do": "drop", "times": -1}) // session's tests show that one settles it as well
			s := w.paysWithout3DS(t, row.account, map[string]any{"capture": row.hold})
			w.fault(t, map[string]any{"gateway": row.account, "call": row.slow, "do": "set", "set": row.says, "skip": 1, "times": -1})
			path := "/v1/sessions/" + s.ID + "/" + row.operation
			var body any = map[string]any{"amount": part}
			if row.operation == "void" {
				body = nil
			}
			var op operationView
			if code := w.api(t, "POST", path, body, &op); code != http.StatusCreated || op.State != "pending" {
				t.Fatalf("answered %d, %+v", code, op)
			}
			if code := w.api(t, "POST", path, body, nil); code != http.StatusConflict {
				t.Errorf("a second one beside it is answered %d", code)
			}
			asked := len(w.calls(t, s.Attempts[0].Reference))
			w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 10}, nil)
			until(t, 20*time.Second, "the gateway is asked how it ended", func() bool { return len(w.calls(t, s.Attempts[0].Reference)) > asked })
			operation := fmt.Sprintf("/v1/sessions/%s/operations/%d", s.ID, op.N)
			if w.api(t, "GET", operation, nil, &op); op.State != "pending" {
				t.Errorf("while the gateway works the operation is %s", op.State)
			}
			if now := w.session(t, s.ID); now.Status != s.Status || now.Payment.Captured != s.Payment.Captured || now.Payment.Refunded != 0 {
				t.Errorf("while the gateway works the session is %s, %+v", now.Status, now.Payment)
			}

			w.clearFaults(t)
			w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 10}, nil)
			until(t, 20*time.Second, "the operation ends", func() bool {
				w.api(t, "GET", operation, nil, &op)
				return op.State != "pending"
			})
			now := w.session(t, s.ID)
			if op.State != "succeeded" || now.Status != row.status || now.Payment.Captured != row.captured || now.Payment.Refunded != row.refunded {
				t.Errorf("%+v; the session is %s, %+v", op, now.Status, now.Payment)
			}
			truth := w.ledger(t, s.OrderID)
			if len(truth) != 1 || truth[0].Captured != row.captured || truth[0].Refunded != row.refunded || truth[0].Charges != 1 {
				t.Errorf("the ledger has %+v", truth)
			}
			moves := 0
			for _, c := range w.calls(t, s.Attempts[0].Reference) {
				if c.Call == "capture" || c.Call == "return" {
					moves++
				}
			}
			if row.account == "payneteasy" && moves != 1 {
				t.Errorf("it was sent %d times", moves)
			}
		})
	}
}

// A payout that the gateway has not finished is a session that is processing; only the order's own word ends it.
func TestAPayoutInProcessIsNeitherPaidNorDeclined(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		to    map[string]any
		call  string
		word  string
		takes bool
	}{
		"to a card":             {map[string]any{"card": map[string]any{"number": cardPlain, "holder": "IVAN IVANOV"}}, "payout-card", "IN_PROCESS", true},
		"to a card, declined":   {map[string]any{"card": map[string]any{"number": "4000019900050107"}}, "payout-card", "IN_PROCESS", false},
		"to a phone, at a bank": {map[string]any{"phone": "79011234567", "bank_id": "100000000001", "first_name": "Ivan", "last_name": "Ivanov"}, "payout-ips", "PAYOUT_IN_PROGRESS", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			for _, call := range []string{row.call, "read"} {
				w.fault(t, map[string]any{"gateway": "cashier", "call": call, "do": "set", "set": map[string]string{"order.status": row.word}, "times": -1})
			}
			reference := strings.ReplaceAll(order(), "order", "out")
			var s sessionView
			code := w.api(t, "POST", "/v1/payouts", map[string]any{"account": "cashier", "amount": 77700, "currency": "RUB", "reference": reference, "to": row.to}, &s)
			if code != http.StatusCreated || s.Status != "processing" {
				t.Errorf("answered %d, %s", code, s.Status)
			}
			w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 60}, nil)
			w.api(t, "POST", "/v1/sessions/"+s.ID+"/inquire", nil, &s)
			if s.Status != "processing" {
				t.Errorf("after an inquiry it is %s", s.Status)
			}
			w.clearFaults(t)
			want, charges := "paid", 1
			if !row.takes {
				want, charges = "declined", 0
			}
			w.sandbox(t, "POST", "/clock/advance", map[string]any{"seconds": 60}, nil)
			until(t, 20*time.Second, "the payout ends", func() bool { return w.session(t, s.ID).Status != "processing" })
			if got := w.session(t, s.ID).Status; got != want {
				t.Errorf("ends as %s, want %s", got, want)
			}
			if n := w.charges(t, reference); n != charges {
				t.Errorf("sent %d times, want %d", n, charges)
			}
		})
	}
}

// A bank that wants the customer after all, though the merchant charges a card they saved: the charge waits for them at its
// url, where they go through 3-D Secure as in any payment.
func TestAChargeThatNeedsTheCustomerIsActionRequiredWithAnAddress(t *testing.T) {
	t.Parallel()
	wire, tune := tapped(t)
	wire.rewrite = func(c sent) string { // a merchant without the permission to charge alone
		return strings.Replace(c.body, "features=AUTO_PAYMENT&", "", 1)
	}
	w := start(t, tune)
	b, first := w.visits(t, "rbs", map[string]any{"save_card": true, "customer": map[string]any{"id": "c-1"}})
	b.pay(cardChallenge, "123")
	b.rest(visit{})
	reference := order()
	var s sessionView
	charge := map[string]any{"saved_card": w.savedCard(t, "c-1"), "amount": 99900, "currency": first.Currency, "reference": reference}
	if code := w.api(t, "POST", "/v1/charges", charge, &s); code != http.StatusCreated || s.Status != "action_required" || s.URL == "" {
		t.Fatalf("answered %d, %s at %q", code, s.Status, s.URL)
	}
	if n := w.charges(t, reference); n != 0 {
		t.Fatalf("%d charges before the customer came", n)
	}
	if !strings.Contains(wire.about(reference)[0].body, "AUTO_PAYMENT") {
		t.Error("the gateway was not told that the merchant charges alone")
	}
	customer := newWalker(t, w)
	customer.open(s.URL)
	if !customer.rest(visit{}) || customer.kind() != resultPage {
		t.Fatalf("the customer's visit ends at: %s", customer.words())
	}
	if s = w.session(t, s.ID); s.Status != "paid" || w.charges(t, reference) != 1 {
		t.Errorf("the session is %s, with %d charges", s.Status, w.charges(t, reference))
	}
}

// A card that was saved with one payment is charged while its customer is away, in each gateway's own way.
func TestASavedCardIsChargedWhileTheCustomerIsAway(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ account, currency, capture, status string }{
		{"rbs", "KZT", "automatic", "paid"}, {"payneteasy", "KZT", "automatic", "paid"}, {"payneteasy", "KZT", "manual", "authorized"},
		{"cashier", "RUB", "automatic", "paid"}, {"transactworld", "KZT", "automatic", "paid"}, {"transactworld", "KZT", "manual", "authorized"},
	} {
		t.Run(row.account+" "+row.capture, func(t *testing.T) {
			t.Parallel()
			w, customer := sharedWorld(t), order()
			w.paysWithout3DS(t, row.account, map[string]any{"save_card": true, "customer": map[string]any{"id": customer}, "currency": row.currency})
			charge := map[string]any{"saved_card": w.savedCard(t, customer), "amount": 99900, "currency": row.currency, "reference": order(), "capture": row.capture}
			var s sessionView
			if code := w.api(t, "POST", "/v1/charges", charge, &s); code != http.StatusCreated || s.Status != row.status {
				t.Fatalf("answered %d, %s", code, s.Status)
			}
			if code := w.api(t, "POST", "/v1/charges", charge, nil); code != http.StatusConflict {
				t.Errorf("the same reference again is answered %d", code)
			}
			truth := w.ledger(t, s.OrderID)
			if len(truth) != 1 || truth[0].Amount != 99900 || truth[0].Authorized != 99900 || truth[0].Charges != 1 || (truth[0].Captured != 0) != (row.status == "paid") {
				t.Errorf("the ledger has %+v", truth)
			}
		})
	}
}

// savedCard is the id of the one card that a customer saved.
func (w *world) savedCard(t testing.TB, customer string) string {
	t.Helper()
	until(t, 20*time.Second, "the card is saved", func() bool { return len(w.savedCards(t, "", customer)) == 1 })
	return w.savedCards(t, "", customer)[0].ID
}
