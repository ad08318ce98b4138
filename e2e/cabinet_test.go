package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// acted is something done in a gateway's cabinet, and what the merchant learns of it.
type acted struct {
	account string
	hold    bool
	before  []string // acts that come before; "+" asks for them by our API
	act     string
	part    bool
	event   string
	status  string
	silent  bool // the gateway has no callback for it
}

var cabinetActs = []acted{
	{account: "rbs", act: "refund", event: "refund.elsewhere", status: "refunded"},
	{account: "rbs", act: "refund", part: true, event: "refund.elsewhere", status: "partially_refunded"},
	{account: "rbs", before: []string{"refund"}, act: "refund_undone", event: "refund.undone", status: "paid"},
	{account: "rbs", hold: true, act: "capture", event: "capture.elsewhere", status: "paid"},
	{account: "rbs", hold: true, act: "capture", part: true, event: "capture.elsewhere", status: "paid"},
	{account: "rbs", hold: true, act: "void", event: "void.elsewhere", status: "voided"},
	{account: "rbs", hold: true, act: "void", part: true, event: "void.elsewhere", status: "authorized"},
	{account: "rbs", act: "void", event: "void.elsewhere", status: "voided"},
	{account: "rbs", hold: true, act: "hold_expired", event: "authorization.expired", status: "voided"},
	{account: "rbs", act: "chargeback_lost", event: "payment.chargeback", status: "paid", silent: true},
	{account: "rbs", before: []string{"chargeback_lost"}, act: "chargeback_won", event: "payment.chargeback", status: "paid", silent: true},
	{account: "payneteasy", act: "refund", event: "refund.elsewhere", status: "refunded"},
	{account: "payneteasy", act: "refund", part: true, event: "refund.elsewhere", status: "partially_refunded"},
	{account: "payneteasy", hold: true, act: "capture", part: true, event: "capture.elsewhere", status: "paid"},
	{account: "payneteasy", hold: true, act: "void", event: "void.elsewhere", status: "voided"},
	{account: "payneteasy", act: "chargeback_opened", event: "payment.chargeback", status: "paid", silent: true},
	{account: "payneteasy", act: "chargeback_lost", event: "payment.chargeback", status: "paid"},
	{account: "payneteasy", before: []string{"chargeback_opened"}, act: "chargeback_won", event: "payment.chargeback", status: "paid"},
	{account: "cashier", act: "refund", event: "refund.elsewhere", status: "refunded"},
	{account: "cashier", act: "refund", part: true, event: "refund.elsewhere", status: "partially_refunded"},
	{account: "cashier", before: []string{"refund"}, act: "refund_undone", part: true, event: "refund.undone", status: "partially_refunded"},
	{account: "cashier", hold: true, act: "capture", event: "capture.elsewhere", status: "paid"},
	{account: "cashier", hold: true, act: "void", event: "void.elsewhere", status: "voided"},
	{account: "cashier", hold: true, act: "hold_expired", event: "authorization.expired", status: "voided"},
	{account: "transactworld", act: "refund", event: "refund.elsewhere", status: "refunded"},
	{account: "transactworld", act: "refund", part: true, event: "refund.elsewhere", status: "partially_refunded"},
	{account: "transactworld", before: []string{"refund"}, act: "refund_undone", event: "refund.undone", status: "paid"},
	{account: "transactworld", hold: true, act: "capture", part: true, event: "capture.elsewhere", status: "paid"},
	{account: "transactworld", hold: true, act: "void", event: "void.elsewhere", status: "voided"},
	{account: "transactworld", hold: true, act: "hold_expired", event: "authorization.expired", status: "voided"},
	{account: "transactworld", act: "chargeback_lost", part: true, event: "payment.chargeback", status: "paid"},
	{account: "transactworld", before: []string{"chargeback_lost"}, act: "chargeback_won", event: "payment.chargeback", status: "paid"},
}

func (c acted) String() string {
	name := c.account + ": " + strings.Join(append(slices.Clone(c.before), c.act), ", then ")
	if c.part {
		name += " of a part"
	}
	if c.hold {
		name += ", of a hold"
	}
	return name
}

// inCabinet does something to a session's order in its gateway's cabinet.
func (w *world) inCabinet(t testing.TB, s sessionView, account, act string, amount int64) {
	t.Helper()
	in := map[string]any{"gateway": account, "reference": s.Attempts[0].Reference, "act": act, "amount": amount}
	w.sandbox(t, "POST", "/cabinet", in, nil)
}

// told counts the events of a type.
func (w *world) told(t testing.TB, id, event string) (n int) {
	for _, e := range w.events(t, id) {
		if e.Type == event {
			n++
		}
	}
	return n
}

// acts pays, does what the case says, and waits until the merchant is told.
func (c acted) acts(t *testing.T, w *world, wait time.Duration, learn func(sessionView)) {
	fields := map[string]any{}
	if c.hold {
		fields["capture"] = "manual"
	}
	s := operatorOf(c.account).pays(t, w, fields)
	for _, act := range c.before {
		event, before := map[string]string{"refund": "refund.elsewhere"}[act], 0
		if event == "" {
			event = "payment.chargeback"
		}
		before = w.told(t, s.ID, event)
		w.inCabinet(t, s, c.account, act, 0)
		w.api(t, "POST", "/v1/sessions/"+s.ID+"/inquire", nil, nil)
		until(t, 5*time.Second, "the "+act+" is told", func() bool { return w.told(t, s.ID, event) > before })
	}
	amount := int64(0)
	if c.part {
		amount = s.Amount / 4
	}
	before := w.told(t, s.ID, c.event)
	w.inCabinet(t, s, c.account, c.act, amount)
	if learn != nil {
		learn(s)
	}
	until(t, wait, c.String()+" is told", func() bool { return w.told(t, s.ID, c.event) == before+1 })
	now, e := w.session(t, s.ID), w.ledger(t, s.OrderID)[0]
	if now.Status != c.status || now.Payment.Captured != e.Captured || now.Payment.Refunded != e.Refunded || c.status == "authorized" && now.Payment.Authorized != e.Authorized {
		t.Errorf("the session is %s, %+v; the ledger %+v", now.Status, now.Payment, e)
	}
}

// What is done in the gateway's cabinet is told within five seconds of the gateway's callback.
func TestWhatIsDoneInTheCabinetIsToldByACallback(t *testing.T) {
	w := sharedWorld(t)
	for _, c := range cabinetActs {
		if !c.silent {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				c.acts(t, w, 5*time.Second, nil)
			})
		}
	}
}

// Where the gateway sends no callback, or it is lost, the schedule finds it, and so does an inquiry by the merchant.
func TestWhatIsDoneInTheCabinetIsFoundWithoutACallback(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fault(t, map[string]any{"call": "callback", "do": "drop", "times": -1})
	var waiting []func()
	for _, c := range cabinetActs {
		fields := map[string]any{}
		if c.hold {
			fields["capture"] = "manual"
		}
		if len(c.before) > 0 {
			t.Run(c.String()+", asked by the merchant", func(t *testing.T) {
				c.acts(t, w, 5*time.Second, func(s sessionView) { w.api(t, "POST", "/v1/sessions/"+s.ID+"/inquire", nil, nil) })
			})
			continue
		}
		s := operatorOf(c.account).pays(t, w, fields)
		amount := int64(0)
		if c.part {
			amount = s.Amount / 4
		}
		w.inCabinet(t, s, c.account, c.act, amount)
		waiting = append(waiting, func() {
			until(t, 20*time.Second, c.String()+" is found", func() bool { return w.told(t, s.ID, c.event) == 1 })
			if now := w.session(t, s.ID); now.Status != c.status {
				t.Errorf("%s: the session is %s", c, now.Status)
			}
		})
	}
	w.advance(t, 61*time.Minute)
	for _, wait := range waiting {
		wait()
	}
}

// A refund that the gateway has and we had not learned of refuses ours, with the fresh sums; once the merchant knows of it, it is sent.
func TestARefundOnSumsThatAreOutOfDateIsRefusedWithTheFreshOnes(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.fault(t, map[string]any{"call": "callback", "do": "drop", "times": -1})
	for _, a := range operators {
		if !a.refund {
			continue
		}
		t.Run(a.account, func(t *testing.T) {
			s := a.pays(t, w, nil)
			half := s.Amount / 2
			w.inCabinet(t, s, a.account, "refund", half)
			var problem struct {
				Type    string `json:"type"`
				Payment struct {
					Refunded int64 `json:"amount_refunded"`
				} `json:"payment"`
			}
			if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/refunds", map[string]any{"amount": half}, &problem); code != http.StatusConflict ||
				problem.Type != "urn:tollgate:problem:sums-differ" || problem.Payment.Refunded != half {
				t.Errorf("%d %+v", code, problem)
			}
			if a.refundOnce {
				return
			}
			var op struct{ State, Reference string }
			body := map[string]any{"amount": half, "expected_refunded": half, "reference": "back-1"}
			if code := w.api(t, "POST", "/v1/sessions/"+s.ID+"/refunds", body, &op); code != http.StatusCreated || op.State != "succeeded" || op.Reference != "back-1" {
				t.Errorf("%d %+v", code, op)
			}
			w.stands(t, s, "refunded", s.Amount, s.Amount)
			told := false
			for _, e := range w.events(t, s.ID) {
				told = told || strings.Contains(fmt.Sprintf("%s %v", e.Type, e.Data), "refund.succeeded") && strings.Contains(string(e.Data), `"merchant_reference":"back-1"`)
			}
			if !told {
				t.Error("the merchant's reference is not in the operation's events")
			}
		})
	}
}
