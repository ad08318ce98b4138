package session_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// operator is a gateway that takes operations at once and says only later how they ended.
type operator struct {
	*gateway
	ended *atomic.Bool
}

func (operator) Kinds() []providers.OpLimits {
	return []providers.OpLimits{{Kind: providers.Capture, Partial: true, Once: true}, {Kind: providers.Void, Partial: true, Once: true}, {Kind: providers.Refund, Partial: true}}
}

func (operator) Do(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpPending, GatewayID: "op"}, nil
}

func (o operator) Inquire(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	if o.ended.Load() {
		return providers.OpResult{State: providers.OpSucceeded}, nil
	}
	return providers.OpResult{State: providers.OpPending}, nil
}

// held is a house whose session's payment is held, at a gateway that operates later; ended says that it has.
func held(t *testing.T) (h *house, ended *atomic.Bool) {
	t.Helper()
	ended = new(atomic.Bool)
	h = newHouse(t, func(h *house) { h.acc.Provider = operator{h.gw, ended} })
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		o.outcome = providers.Authorized
		return said(providers.Finished, p), nil
	}
	h.submit()
	h.forward(time.Second)
	h.is(session.Authorized)
	return h, ended
}

// operate asks for an operation and returns once the gateway has taken it.
func (h *house) operate(kind providers.OpKind, amount int64) {
	h.t.Helper()
	before := h.count("operation.stored")
	_, n, err := h.flow.Operate(context.Background(), h.id, kind, amount)
	if err != nil {
		h.t.Fatalf("%s: %v", kind, err)
	}
	h.await(before, "operation.stored")
	if op := h.session().Operation(n); op.State != session.OpPending {
		h.t.Fatalf("%s is %s", kind, op.State)
	}
}

// captured is a gateway that has taken a part of the hold.
func captured(_ context.Context, p providers.Payment, _ *order) (providers.Standing, error) {
	return providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount, Held: 123450, Captured: 50000}, nil
}

// operated holds the newest operation and the payment's sums against what they have to be.
func (h *house) operated(state session.OpState, held, captured, refunded int64) {
	h.t.Helper()
	s := h.session()
	op, a := s.Operations[len(s.Operations)-1], s.Good()
	if op.State != state || a.Held != held || a.Captured != captured || a.Refunded != refunded {
		h.t.Errorf("%s %s; held %d, captured %d, refunded %d; want %s, %d, %d, %d", op.Kind, op.State, a.Held, a.Captured, a.Refunded, state, held, captured, refunded)
	}
}

func TestAnOperationIsPendingUntilAnInquirySettlesIt(t *testing.T) {
	h, ended := held(t)
	h.operate(providers.Capture, 50000)
	h.forward(time.Minute)
	h.operated(session.OpPending, 123450, 0, 0)
	h.is(session.Authorized)
	ended.Store(true)
	h.forward(5 * time.Second)
	h.operated(session.OpSucceeded, 123450, 50000, 0)
	h.is(session.Paid)
}

func TestACallbackSettlesAnOperationThatIsPending(t *testing.T) {
	h, ended := held(t)
	for _, kind := range []providers.OpKind{providers.Capture, providers.Refund} {
		ended.Store(false)
		h.operate(kind, 50000)
		ended.Store(true)
		h.gw.status = captured
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(err)
		}
		h.forward(time.Second) // the schedule would have waited for three
		if s := h.session(); s.Operations[len(s.Operations)-1].State != session.OpSucceeded {
			t.Errorf("%s is %s", kind, s.Operations[len(s.Operations)-1].State)
		}
	}
	h.operated(session.OpSucceeded, 123450, 50000, 50000)
}

// The gateway tells of the money before it is asked about the operation that took it: it is counted once.
func TestAnInquiryDuringACaptureDoesNotCountItTwice(t *testing.T) {
	h, ended := held(t)
	h.operate(providers.Capture, 50000)
	h.gw.status = captured
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.forward(time.Second)
	h.operated(session.OpPending, 123450, 0, 0)
	h.is(session.Authorized)
	ended.Store(true)
	h.forward(5 * time.Second)
	h.operated(session.OpSucceeded, 123450, 50000, 0)
	if h.is(session.Paid); h.told("payment.paid") != 1 || h.told("capture.succeeded") != 1 {
		t.Errorf("events %v", h.events())
	}
}

func TestAfterAPartOfAHoldIsVoidedTheRestCanBeCaptured(t *testing.T) {
	h, ended := held(t)
	ended.Store(true)
	h.operate(providers.Void, 23450)
	h.forward(5 * time.Second)
	h.operated(session.OpSucceeded, 100000, 0, 0)
	h.is(session.Authorized)
	h.operate(providers.Capture, 0)
	h.forward(5 * time.Second)
	h.operated(session.OpSucceeded, 100000, 100000, 0)
	h.is(session.Paid)
}
