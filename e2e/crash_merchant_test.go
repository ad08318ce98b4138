package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/app"
)

// insists posts as a careful merchant's program does: under one Idempotency-Key, again until there is an answer. The front
// dies meanwhile, which watch sees to.
func (w *world) insists(t *testing.T, f *front, path string, body, answer any, watch func() bool) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	key := order()
	once := func() (int, []byte, error) {
		req, err := http.NewRequest(http.MethodPost, w.Front+path, bytes.NewReader(raw))
		if err != nil {
			return 0, nil, err
		}
		req.Header.Set("Authorization", "Bearer "+app.DemoKey)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, nil, err
		}
		defer res.Body.Close()
		told, err := io.ReadAll(res.Body)
		return res.StatusCode, told, err
	}
	done := make(chan []byte, 1)
	go func() {
		defer close(done)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); pause(20 * time.Millisecond) {
			status, told, err := once()
			switch {
			case err != nil: // it died
			case strings.Contains(string(told), "problem:request-in-flight"):
				f.move(w, 31*time.Second) // the claim of the process that died
			case status != http.StatusCreated:
				t.Errorf("%s is answered %d %s", path, status, told)
				return
			default:
				if _, again, err := once(); err == nil && !bytes.Equal(told, again) {
					t.Errorf("%s is answered %s, and then %s", path, told, again)
				}
				done <- told
				return
			}
		}
		t.Errorf("%s is not answered", path)
	}()
	until(t, 20*time.Second, "the front was killed", watch)
	if err := json.Unmarshal(<-done, answer); err != nil {
		t.Fatal(err)
	}
}

// dies arms the front for one place; watch kills it where the gateway holds its answer back, and tells whether it died.
func (c crash) dies(t *testing.T, w *world, f *front, gateway, reference string, skip int) (watch func() bool) {
	t.Helper()
	before := f.died()
	if c.place != "" {
		f.dieAt(c.place, c.n)
	} else {
		w.fault(t, map[string]any{"gateway": gateway, "call": c.call, "do": "hang", "when": "after", "hold_ms": 60_000, "skip": skip})
	}
	return func() bool {
		if f.died() == before && c.call != "" && hangs(t, w, reference, c.call) {
			f.kill()
		}
		return f.died() > before
	}
}

// count is how often the gateway has received a call about a payment.
func (w *world) count(t testing.TB, reference, call string) int {
	t.Helper()
	n := 0
	for _, c := range w.calls(t, reference) {
		if c.Call == call {
			n++
		}
	}
	return n
}

// ops are the calls that an account's operations are, by their path in our API.
var ops = map[string]map[string]string{
	"rbs":           {"capture": "deposit.do", "void": "reverse.do", "refunds": "refund.do"},
	"payneteasy":    {"capture": "capture", "void": "return", "refunds": "return"},
	"cashier":       {"capture": "charge", "void": "void", "refunds": "refund"},
	"transactworld": {"capture": "payments-id", "void": "payments-id", "refunds": "payments-id"}, // as is the inquiry
}

// asksFirst is how many inquiries with the name of the operation's own call come before it.
func asksFirst(call string) int {
	if call == "payments-id" {
		return 1
	}
	return 0
}

// operable is a payment on which the operation is possible: held money, or taken.
func operable(t testing.TB, w *world, a abilities, path string) sessionView {
	t.Helper()
	capture := "manual"
	if path == "refunds" {
		capture = "automatic"
	}
	w.fault(t, map[string]any{"gateway": a.account, "call": "callback", "do": "drop", "times": -1})
	return a.pays(t, w, map[string]any{"capture": capture})
}

// finishes waits for the end of a session's operation.
func (w *world) finishes(t testing.TB, id string, n int, patience func()) operationView {
	t.Helper()
	var op operationView
	until(t, 20*time.Second, "the operation ends", func() bool {
		w.api(t, "GET", fmt.Sprintf("/v1/sessions/%s/operations/%d", id, n), nil, &op)
		if op.State == "succeeded" || op.State == "failed" {
			return true
		}
		patience()
		return false
	})
	return op
}

// didOnce holds an operation's end against the ledger. One that failed moved nothing, and may be asked for again.
func (w *world) didOnce(t *testing.T, s sessionView, a abilities, path string, op operationView) {
	t.Helper()
	call := ops[a.account][path]
	if n := w.count(t, s.Attempts[0].Reference, call); call != "payments-id" && n > 1 {
		t.Errorf("%s was called %d times", call, n)
	}
	if op.State == "failed" {
		if path == "refunds" {
			w.stands(t, s, "paid", s.Amount, 0)
		} else {
			w.stands(t, s, "authorized", 0, 0)
		}
		w.did(t, s.ID, path, 0)
	}
	switch path {
	case "capture":
		w.stands(t, s, "paid", s.Amount, 0)
	case "void":
		w.stands(t, s, "voided", 0, 0)
	case "refunds":
		w.stands(t, s, "refunded", s.Amount, s.Amount)
	}
	if !w.session(t, s.ID).OutcomeKnown {
		t.Error("the outcome is unknown")
	}
}

func TestAnOperationOfAKilledProcessIsDoneOnceAndSettled(t *testing.T) {
	t.Parallel()
	each(t, operating(), func(t *testing.T, account string) {
		a := operatorOf(account)
		w, f := startFront(t, "")
		for _, path := range []string{"capture", "void", "refunds"} {
			call := ops[account][path]
			for _, c := range []crash{{name: "the gateway did it and did not answer", call: call}} {
				t.Run(path+": "+c.name, func(t *testing.T) {
					s := operable(t, w, a, path)
					reference := s.Attempts[0].Reference
					dead := c.dies(t, w, f, account, reference, asksFirst(call))
					var op operationView
					w.insists(t, f, "/v1/sessions/"+s.ID+"/"+path, map[string]any{}, &op, dead)
					moved := time.Duration(0)
					op = w.finishes(t, s.ID, op.N, func() {
						f.move(w, 32*time.Second)
						moved += 32 * time.Second
						pause(50 * time.Millisecond)
					})
					t.Logf("%s after %s", op.State, moved)
					w.didOnce(t, s, a, path, op)
				})
			}
		}
	})
}

// survivesSending posts what moves money without a browser, is killed where the gateway has moved it and did not answer, and goes
// on until the end.
func survivesSending(t *testing.T, w *world, f *front, path, account, call string, body map[string]any) {
	t.Helper()
	c := crash{call: call}
	body["reference"] = order()
	reference := body["reference"].(string) + "-1"
	w.fault(t, map[string]any{"gateway": account, "call": "callback", "do": "drop", "times": -1})
	var s sessionView
	w.insists(t, f, path, body, &s, c.dies(t, w, f, account, reference, 0))
	moved := time.Duration(0)
	until(t, 20*time.Second, "the end is known", func() bool {
		s = w.session(t, s.ID)
		if a := s.Attempts[0].State; a == "paid" || a == "failed" || a == "declined" {
			return true
		}
		step := 32 * time.Second
		if moved > 10*time.Minute {
			step = 10 * time.Minute
		}
		f.move(w, step)
		moved += step
		pause(50 * time.Millisecond)
		return false
	})
	t.Logf("%s after %s", s.Attempts[0].State, moved)
	moves := 0
	for _, e := range w.ledger(t, s.OrderID) {
		switch moved := e.Captured + e.Refunded; { // what goes out stands in one or the other
		case moved == s.Amount && e.Charges <= 1:
			moves++
		case moved != 0 || e.Charges != 0:
			t.Errorf("the ledger says %+v", e)
		}
	}
	if paid := s.Status == "paid"; paid != (moves == 1) || moves > 1 || !s.OutcomeKnown {
		t.Errorf("session %s, outcome known: %v, money moved %d times", s.Status, s.OutcomeKnown, moves)
	}
	history(t, w, s)
	if n := w.count(t, reference, call); n > 1 {
		t.Errorf("%s was called %d times", call, n)
	}
}

func TestKilledInAChargeByTheMerchantNobodyPaysTwice(t *testing.T) {
	t.Parallel()
	calls := map[string]string{"rbs": "paymentOrderBinding.do", "payneteasy": "make-rebill", "cashier": "authorize", "transactworld": "payments-repeat"}
	each(t, []string{"rbs", "payneteasy", "cashier", "transactworld"}, func(t *testing.T, account string) {
		a := operatorOf(account)
		w, f := startFront(t, "")
		customer := order()
		a.pays(t, w, map[string]any{"save_card": true, "customer": map[string]any{"id": customer, "email": "shopper@example.com"}})
		saved := w.savedCard(t, customer)
		survivesSending(t, w, f, "/v1/charges", account, calls[account], map[string]any{"saved_card": saved, "amount": 4200, "currency": a.currency})
	})
}

func TestKilledInAPayoutTheMoneyGoesOutOnce(t *testing.T) {
	t.Parallel()
	each(t, []string{"cashier", "transactworld"}, func(t *testing.T, account string) {
		a := operatorOf(account)
		w, f := startFront(t, "")
		to, call := map[string]any{"card": map[string]any{"number": cardPlain, "holder": "TEST SHOPPER"}}, "payout-card"
		if account == "transactworld" {
			to, call = map[string]any{"payment": a.pays(t, w, nil).ID}, "payout"
		}
		survivesSending(t, w, f, "/v1/payouts", account, call, map[string]any{"account": account, "amount": 7700, "currency": a.currency, "to": to})
	})
}
