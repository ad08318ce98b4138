package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// abilities is what an account's gateway can do with money that is held or taken;
// TestTheOperationsAreThoseTheAccountsPromise holds it against the API.
type abilities struct {
	account, currency  string
	capture, inPart    bool // in part: of a hold
	refund, refundPart bool
	refundOnce         bool
}

var operators = []abilities{
	{account: "rbs", currency: "KZT", capture: true, inPart: true, refund: true, refundPart: true},
	{account: "payneteasy", currency: "KZT", capture: true, inPart: true, refund: true, refundPart: true},
	{account: "cashier", currency: "RUB", capture: true, refund: true, refundPart: true},
	{account: "transactworld", currency: "KZT", capture: true, inPart: true, refund: true, refundPart: true, refundOnce: true},
	{account: "sber", currency: "KZT"},
}

// operatorOf is an account's abilities.
func operatorOf(account string) abilities {
	return operators[slices.IndexFunc(operators, func(a abilities) bool { return a.account == account })]
}

// operationView is an operation as the API answers it.
type operationView struct {
	N      int    `json:"n"`
	Kind   string `json:"kind"`
	State  string `json:"state"`
	Amount int64  `json:"amount"`
	Type   string `json:"type"` // of the problem, where it was refused
}

// operate asks for an operation and waits for its end; amount 0 is all that is left. A refusal's status is answered.
func (w *world) operate(t testing.TB, id, path string, amount int64) (operationView, int) {
	t.Helper()
	body := map[string]any{}
	if amount > 0 {
		body["amount"] = amount
	}
	var op operationView
	code := w.api(t, "POST", "/v1/sessions/"+id+"/"+path, body, &op)
	if code != http.StatusCreated {
		return op, code
	}
	until(t, 30*time.Second, "the "+op.Kind+" ends", func() bool {
		w.api(t, "GET", fmt.Sprintf("/v1/sessions/%s/operations/%d", id, op.N), nil, &op)
		return op.State == "succeeded" || op.State == "failed"
	})
	return op, code
}

// did is operate that succeeds.
func (w *world) did(t testing.TB, id, path string, amount int64) {
	t.Helper()
	if op, code := w.operate(t, id, path, amount); code != http.StatusCreated || op.State != "succeeded" {
		t.Errorf("%s of %d: %d %+v", path, amount, code, op)
	}
}

// refuses is operate that is refused before any call.
func (w *world) refuses(t testing.TB, id, path string, amount int64, status int, problem string) {
	t.Helper()
	if op, code := w.operate(t, id, path, amount); code != status || op.Type != "urn:tollgate:problem:"+problem {
		t.Errorf("%s of %d: %d %s, want %d %s", path, amount, code, op.Type, status, problem)
	}
}

// stands holds the session and the ledger against one another and what is wanted: status, held, captured, refunded.
func (w *world) stands(t testing.TB, s sessionView, status string, captured, refunded int64) {
	t.Helper()
	now := w.session(t, s.ID)
	if now.Status != status || now.Payment == nil || now.Payment.Captured != captured || now.Payment.Refunded != refunded {
		t.Errorf("the session is %s, %+v; want %s, captured %d, refunded %d", now.Status, now.Payment, status, captured, refunded)
	}
	entries := w.ledger(t, s.OrderID)
	if len(entries) != 1 || entries[0].Charges != 1 || entries[0].Captured != captured || entries[0].Refunded != refunded {
		t.Errorf("the ledger says %+v; want 1 charge, captured %d, refunded %d", entries, captured, refunded)
	}
	w.history(t, s.ID)
}

// pays makes a session that is paid, or held, with a card without 3-D Secure.
func (a abilities) pays(t testing.TB, w *world, session map[string]any) sessionView {
	t.Helper()
	fields := map[string]any{"currency": a.currency}
	for k, v := range session {
		fields[k] = v
	}
	return w.paysWithout3DS(t, a.account, fields)
}

func TestAnAuthorizationIsCapturedOrVoided(t *testing.T) {
	w := sharedWorld(t)
	hold := map[string]any{"capture": "manual"}
	rows := []struct {
		name string
		can  func(abilities) bool
		do   func(*testing.T, abilities, sessionView)
	}{
		{"taken whole, once", func(a abilities) bool { return a.capture }, func(t *testing.T, a abilities, s sessionView) {
			w.stands(t, s, "authorized", 0, 0)
			w.refuses(t, s.ID, "capture", s.Amount+1, http.StatusUnprocessableEntity, "amount")
			w.did(t, s.ID, "capture", 0)
			w.stands(t, s, "paid", s.Amount, 0)
			w.refuses(t, s.ID, "capture", 0, http.StatusConflict, "already-done")
			w.refuses(t, s.ID, "void", 0, http.StatusConflict, "already-done")
		}},
		{"taken in part", func(a abilities) bool { return a.capture && a.inPart }, func(t *testing.T, a abilities, s sessionView) {
			w.did(t, s.ID, "capture", s.Amount/2)
			w.stands(t, s, "paid", s.Amount/2, 0)
			w.did(t, s.ID, "refunds", 500)
			w.stands(t, s, "partially_refunded", s.Amount/2, 500)
		}},
		{"no part where only the whole is possible", func(a abilities) bool { return a.capture && !a.inPart }, func(t *testing.T, a abilities, s sessionView) {
			w.refuses(t, s.ID, "capture", s.Amount/2, http.StatusUnprocessableEntity, "amount")
			w.stands(t, s, "authorized", 0, 0)
		}},
		{"given back", func(a abilities) bool { return a.capture }, func(t *testing.T, a abilities, s sessionView) {
			w.did(t, s.ID, "void", 0)
			w.stands(t, s, "voided", 0, 0)
			w.refuses(t, s.ID, "capture", 0, http.StatusConflict, "already-done")
			w.refuses(t, s.ID, "refunds", 0, http.StatusConflict, "no-payment")
		}},
	}
	for _, row := range rows {
		for _, a := range operators {
			if !row.can(a) {
				continue
			}
			t.Run(a.account+": "+row.name, func(t *testing.T) {
				t.Parallel()
				row.do(t, a, a.pays(t, w, hold))
			})
		}
	}
}

func TestPaymentsAreRefunded(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		t.Run(a.account, func(t *testing.T) {
			t.Parallel()
			s := a.pays(t, w, nil)
			switch {
			case !a.refund:
				w.refuses(t, s.ID, "refunds", 0, http.StatusUnprocessableEntity, "unsupported")
				w.stands(t, s, "paid", s.Amount, 0)
			case a.refundOnce:
				w.did(t, s.ID, "refunds", 500)
				w.stands(t, s, "partially_refunded", s.Amount, 500)
				w.refuses(t, s.ID, "refunds", 500, http.StatusConflict, "already-done")
			default:
				w.did(t, s.ID, "refunds", 500)
				w.stands(t, s, "partially_refunded", s.Amount, 500)
				w.refuses(t, s.ID, "refunds", s.Amount-499, http.StatusUnprocessableEntity, "amount")
				w.did(t, s.ID, "refunds", 0)
				w.stands(t, s, "refunded", s.Amount, s.Amount)
				w.refuses(t, s.ID, "refunds", 1, http.StatusUnprocessableEntity, "amount")
			}
		})
	}
}

// capabilities is what GET /v1/accounts says of an account.
func (w *world) capabilities(t testing.TB, account string) []string {
	t.Helper()
	var list struct {
		Data []struct {
			Name         string   `json:"name"`
			Capabilities []string `json:"capabilities"`
		} `json:"data"`
	}
	w.api(t, "GET", "/v1/accounts", nil, &list)
	for _, a := range list.Data {
		if a.Name == account {
			return a.Capabilities
		}
	}
	t.Fatalf("no account %s", account)
	return nil
}

func TestTheOperationsAreThoseTheAccountsPromise(t *testing.T) {
	w := sharedWorld(t)
	for _, a := range operators {
		can := w.capabilities(t, a.account)
		for name, want := range map[string]bool{"capture": a.capture, "void": a.capture, "refund": a.refund} {
			if slices.Contains(can, name) != want {
				t.Errorf("%s promises %v, this file says %s: %v", a.account, can, name, want)
			}
		}
	}
}

// An operation without an answer is never sent again; the inquiry tells whether it was done.
func TestAnOperationWhoseAnswerOrRequestIsLost(t *testing.T) {
	t.Parallel()
	each(t, operating(), func(t *testing.T, account string) {
		w := start(t, shortDeadlines)
		for _, row := range []struct {
			name, state string
			fault       map[string]any
		}{
			{"the gateway does it and hangs", "succeeded", map[string]any{"do": "hang", "when": "after", "hold_ms": 60_000}},
			{"it never arrives", "failed", map[string]any{"do": "close", "when": "before"}},
		} {
			for path, call := range ops[account] {
				t.Run(path+": "+row.name, func(t *testing.T) {
					s := operable(t, w, operatorOf(account), path)
					row.fault["gateway"], row.fault["call"], row.fault["skip"] = account, call, asksFirst(call)
					w.fault(t, row.fault)
					var op, other operationView
					if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/"+path, nil, &op); code != http.StatusCreated {
						t.Fatalf("answered %d", code)
					}
					if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/"+path, nil, &other); code != http.StatusConflict || other.Type != "urn:tollgate:problem:outcome-unknown" {
						t.Errorf("another one while the first is in doubt is answered %d %s", code, other.Type)
					}
					if op = w.finishes(t, s.ID, op.N, func() { w.Clock.Advance(2 * time.Second) }); op.State != row.state {
						t.Errorf("it %s", op.State)
					}
					w.didOnce(t, s, operatorOf(account), path, op)
				})
			}
		}
	})
}

// operating are the accounts that capture, void and refund.
func operating() (accounts []string) {
	for _, a := range operators {
		if a.capture {
			accounts = append(accounts, a.account)
		}
	}
	return accounts
}

// Of two requests at once one is done. The other is refused: because of the first, or because too little is left.
func TestTwoOperationsAtOnceAreOne(t *testing.T) {
	w := sharedWorld(t)
	each(t, operating(), func(t *testing.T, account string) {
		for _, path := range []string{"refunds", "capture"} {
			a := operatorOf(account)
			capture, body := "automatic", map[string]any{}
			if a.refundPart && path == "refunds" {
				body["amount"] = 1234500 * 6 / 10
			}
			if path == "capture" {
				capture = "manual"
			}
			s := a.pays(t, w, map[string]any{"capture": capture})
			var codes [2]int
			var views [2]operationView
			var both sync.WaitGroup
			for i := range codes {
				both.Go(func() { codes[i] = w.api(t, "POST", "/v1/sessions/"+s.ID+"/"+path, body, &views[i]) })
			}
			both.Wait()
			slices.Sort(codes[:])
			if codes[0] != http.StatusCreated || codes[1] != http.StatusConflict && codes[1] != http.StatusUnprocessableEntity {
				t.Errorf("two at once of %s: %v", path, codes)
			}
			w.finishes(t, s.ID, 1, func() {})
			if path == "capture" {
				w.stands(t, s, "paid", s.Amount, 0)
			} else {
				w.stands(t, s, "partially_refunded", s.Amount, s.Amount*6/10)
			}
		}
	})
}
