package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// paymentView is the money of a session as the API tells it.
type paymentView struct {
	Authorized int64 `json:"amount_authorized"`
	Captured   int64 `json:"amount_captured"`
	Refunded   int64 `json:"amount_refunded"`
}

// operate is the shop after the payment: it captures or voids what is held, gives back a part or all, and repeats what was not
// answered under the same key. Somebody in the gateway's cabinet does the same without telling anybody.
func (s *shopper) operate() {
	if s.id == "" {
		return
	}
	for round := range 3 {
		time.Sleep(time.Duration(1+s.pick(90, "operates in")) * time.Second)
		var v sessionView
		if err := s.ask(http.MethodGet, "/v1/sessions/"+s.id, "", nil, &v); err != nil || v.Payment == nil {
			continue
		}
		amount := []int64{0, price / 3}[s.pick(2, "part")]
		if s.chance(0.2, "cabinet") {
			s.inCabinet(v, amount)
			continue
		}
		what := map[string][]string{"authorized": {"capture", "capture", "void"}, "paid": {"refunds"}, "partially_refunded": {"refunds"}}[v.Status]
		if len(what) == 0 || s.chance(0.2, "leaves it") {
			continue
		}
		kind := what[s.pick(len(what), "what")]
		if kind != "refunds" {
			amount = 0
		}
		s.w.reach("an operation: " + kind)
		var op struct{ State string }
		body, err := json.Marshal(map[string]int64{"amount": amount})
		if amount == 0 {
			body = []byte(`{}`)
		}
		if err != nil {
			panic(err)
		}
		err = s.ask(http.MethodPost, "/v1/sessions/"+s.id+"/"+kind, fmt.Sprintf("%s-%d", s.orderID, round), body, &op)
		s.w.tracef("%s's shop asks for %s of %d: %s %v", s.name, kind, amount, op.State, err)
	}
}

// ask is the shop's: it repeats what was not answered, under the same key.
func (s *shopper) ask(method, path, key string, body []byte, answer any) error {
	out := &http.Transport{DialContext: s.w.net.dialer("shop "+s.name, nil), DisableKeepAlives: true}
	client := &http.Client{Timeout: 30 * time.Second, Transport: out}
	for range 60 {
		status, err := ask(client, method, frontURL+path, key, body, answer)
		switch {
		case err == nil && status < 300:
			return nil
		case err == nil && status < 500 && status != http.StatusConflict:
			return fmt.Errorf("%d", status)
		}
		time.Sleep(2*time.Second + time.Duration(s.pick(3000, "asks again"))*time.Millisecond)
	}
	return errDown
}

// inCabinet is somebody who does something at the gateway and tells nobody.
func (s *shopper) inCabinet(v sessionView, amount int64) {
	act := map[string]string{"authorized": "capture", "paid": "refund", "partially_refunded": "refund"}[v.Status]
	if act == "" {
		return
	}
	if act == "capture" {
		amount = 0
	}
	for _, a := range v.Attempts {
		if a.State != "paid" && a.State != "authorized" {
			continue
		}
		body, err := json.Marshal(map[string]any{"gateway": s.account, "reference": a.Reference, "act": act, "amount": amount})
		if err != nil {
			panic(err)
		}
		status, err := ask(s.w.observer, http.MethodPost, sandboxURL+"/cabinet", "", body, &entry{})
		s.w.tracef("the cabinet: %s of %d on %s: %d %v", act, amount, a.Reference, status, err)
		if err == nil && status == http.StatusOK {
			s.inCabinetDone = true
			s.w.reach("the cabinet: " + act)
		}
	}
}

// checkSums compares the sums of a payment with the ledger's, to the minor unit.
func (w *World) checkSums(s *shopper, v sessionView, e entry) {
	if v.Payment == nil {
		w.violation("%s is %s and tells no sums", s.orderID, v.Status)
		return
	}
	if s.account == "sber" && s.inCabinetDone && v.NeedsReview { // its inquiry names no sum of what is given back
		w.reach("a person has to look")
		return
	}
	// Sber has no callbacks and answers no inquiry without its customer's login: that their books follow what is done in the cabinet
	// once the login is over asked too much. They follow again after the customer's next login.
	if s.account == "sber" && s.inCabinetDone && e.Refunded > v.Payment.Refunded && w.loginIsOver(s) {
		w.reach("a payment that cannot be asked about before its customer logs in again")
		return
	}
	if s.whoseRefund(v) {
		w.reach("a refund that a person has to look at")
		return
	}
	if v.Payment.Captured != e.Captured || v.Payment.Refunded != e.Refunded {
		w.violation("%s: the books say %+v, the ledger %+v", s.orderID, *v.Payment, e)
	}
	for _, op := range v.Operations {
		w.reach("an operation ended as " + op.State)
		switch op.State {
		case "succeeded", "failed":
		default:
			if v.NeedsReview {
				w.reach("an operation that a person has to look at")
				continue
			}
			w.violation("%s: an operation is still %s at the end of every schedule", s.orderID, op.State)
		}
	}
}

// whoseRefund tells that somebody gave money back in the cabinet while a refund of ours was under way, and that a person was asked: as much
// may be gone as both came to, and the sums do not tell whose it was, since refunds may also be undone.
func (s *shopper) whoseRefund(v sessionView) bool {
	return s.inCabinetDone && v.NeedsReview && slices.ContainsFunc(v.Operations, func(op operationView) bool {
		return op.Kind == "refund" && op.State != "succeeded" && op.State != "failed"
	})
}

// loginIsOver tells whether the session's customer has to log in before the gateway answers about what is theirs.
func (w *World) loginIsOver(s *shopper) bool {
	customer := s.verified()
	status, err := ask(w.observer, http.MethodPost, frontURL+"/v1/customers/"+customer+"/cards/refresh", "login-of-"+s.orderID,
		[]byte(`{"account": "sber"}`), &struct{}{})
	return customer != "" && err == nil && status == http.StatusConflict
}
