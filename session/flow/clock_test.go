package flow_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/clock"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// jump is a kill -9, and a next start whose clock shows another time.
func (h *house) jump(by time.Duration) {
	h.t.Helper()
	h.mu.Lock()
	h.committed = h.time
	h.time = h.time.Add(by)
	h.mu.Unlock()
	h.restart()
}

// Wherever the process dies, and whichever way the clock jumps before the next start: no attempt is lost, none is charged twice, and
// none waits for the hour to be over.
func TestAClockThatJumpsAtARestartLosesDoublesAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	challenged := func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		o.next = &step
		return step, nil
	}
	queued := func(h *house) {
		h.gw.pay, h.queued = challenged, true
		h.start()
		h.submit()
		bringsAnswer(h)
	}
	for i, c := range []struct {
		dies   string
		before func(h *house) // the shopper has got so far
		act    func(h *house) // in which the process dies
		after  func(h *house) // what the shopper does after the start
		want   map[session.State]bool
	}{
		{"attempt.written", nil, (*house).submitOnly, nil, states(session.Failed)},
		{"pay.permitted", nil, (*house).submitOnly, nil, states(session.Failed)},
		{"pay.answered", nil, (*house).submitOnly, nil, states(session.Paid)},
		{"pay.answered", func(h *house) { h.gw.pay = challenged }, (*house).submitOnly, bringsAnswer, states(session.Paid)},
		{"pay.stored", func(h *house) { h.gw.pay = challenged }, (*house).submitOnly, bringsAnswer, states(session.Paid)},
		{"returned.stored", func(h *house) { h.gw.pay = challenged; h.submit() }, bringsAnswer, nil, states(session.Paid)},
		{"resume.permitted", func(h *house) { h.gw.pay = challenged; h.submit() }, bringsAnswer, nil, states(session.Paid)},
		{"resume.answered", func(h *house) { h.gw.pay = challenged; h.submit() }, bringsAnswer, nil, states(session.Paid)},
		{"resume.permitted", queued, aJob, nil, states(session.Paid)},
		{"resume.answered", queued, aJob, nil, states(session.Paid)},
		{"status.answered", nil, (*house).submitOnly, nil, states(session.Paid)},
		{"returned.stored", func(h *house) { // an empty return, about which the gateway is asked
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				step := said(providers.Redirect, p)
				step.Link = "https://bank.example/"
				o.next = &step
				return step, nil
			}
			h.submit()
		}, func(h *house) { h.charge("order-1"); _, _ = h.returned(h.token(), threeds.Reply{Method: "GET"}) }, nil, states(session.Paid)},
		{"notified.stored", func(h *house) {
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				step := method(p, trans1)
				o.next = &step
				return step, nil
			}
			h.submit()
		}, func(h *house) { _, _ = h.notified(h.token()) }, nil, states(session.Paid)},
	} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(fmt.Sprintf("%d: %s, %s", i, c.dies, by), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, alone)
				if c.before != nil {
					c.before(h)
				}
				h.dieNext(c.dies)
				before := h.count(c.dies)
				c.act(h)
				h.await(before, c.dies)
				h.jump(by)
				h.forward(10 * time.Second)
				if c.after != nil {
					c.after(h)
				}
				h.forward(3 * time.Minute)
				a := h.last()
				if !c.want[a.State] {
					t.Fatalf("%s three minutes after the start; %v", a.State, h.events())
				}
				if n := h.charges(); n > 1 || (n == 1) != (a.State == session.Paid) {
					t.Errorf("%d charges, %s", n, a.State)
				}
				// A session whose time is over by the new clock has ended; of any other the shopper goes on.
				if a.State == session.Failed && h.session().Status() == session.StatusOpen {
					h.gw.pay = nil
					if err := h.do(func() error { return h.flow.Submit(t.Context(), h.id, flow.Submission{Card: theCard}) }); err != nil {
						t.Fatal(err)
					}
					h.forward(time.Minute)
				}
				h.forward(48 * time.Hour)
				if n := h.charges(); n > 1 || h.session().Live() != nil {
					t.Errorf("%d charges in the end; %v", n, h.events())
				}
			})
		}
	}
}

func states(all ...session.State) map[session.State]bool {
	out := map[session.State]bool{}
	for _, s := range all {
		out[s] = true
	}
	return out
}

func bringsAnswer(h *house) {
	if a := h.last(); a.State.Live() {
		_, _ = h.returned(h.token(), cres(trans1))
	}
}

func aJob(h *house) { h.next(h.now()) }

// The machine that sends a payout is behind and dies; the one that asks about it is ahead. By its own clock the payout's request must
// have arrived long ago, or never.
func TestMachinesWhoseClocksDifferDoNotSayThatARequestOnItsWayWasLost(t *testing.T) {
	t.Parallel()
	h := paysOut(t, func(string) providers.OpResult { return providers.OpResult{State: providers.OpMissing} },
		func(h *house) { h.skew, h.follows = -79*time.Second, true })
	h.skew = 79 * time.Second
	h.restart()
	h.asksAgain(3, 4*time.Second)
	if a := h.last(); !a.State.Live() {
		t.Fatalf("twelve seconds after the request left the payout is %s", a.State)
	}
	h.forward(account.DefaultCallTimeout + account.DefaultSettleAfter + 2*time.Minute)
	h.is(session.Failed)
}

// What a machine's clock is set to while the process runs changes nothing either, and while nobody knows the time nothing is judged.
func TestAClockThatIsSetWhileACallIsOutDecidesNothing(t *testing.T) {
	t.Parallel()
	var jumped, unknown atomic.Bool
	h := paysOut(t, func(string) providers.OpResult { return providers.OpResult{State: providers.OpMissing} })
	h.machine = clock.Of(func() time.Time {
		if jumped.Load() {
			return h.now().Add(158 * time.Second)
		}
		return h.now()
	})
	h.flow.Now = h.machine.Now
	h.flow.Sure = func(ctx context.Context) error {
		if h.machine.Sure() && h.machine.Following() {
			return nil
		}
		return h.machine.Follow(ctx, func(context.Context) (time.Time, error) {
			if unknown.Load() {
				return time.Time{}, errCut
			}
			return h.now(), nil
		})
	}
	h.asksAgain(1, time.Second)
	jumped.Store(true)
	h.asksAgain(3, 4*time.Second)
	if a := h.last(); !a.State.Live() {
		t.Fatalf("thirteen seconds after the request left the payout is %s", a.State)
	}
	unknown.Store(true)
	h.time = h.time.Add(time.Hour)
	if _, err := h.flow.Inquire(t.Context(), h.id); !errors.Is(err, errCut) {
		t.Errorf("nobody knows the time, and the inquiry says: %v", err)
	}
	if a := h.last(); !a.State.Live() {
		t.Errorf("judged without a time: %s", a.State)
	}
	unknown.Store(false)
	h.forward(5 * time.Minute)
	h.is(session.Failed)
}

// asksAgain has the gateway asked so often, after so long each time.
func (h *house) asksAgain(times int, after time.Duration) {
	h.t.Helper()
	for range times {
		h.mu.Lock()
		h.time = h.time.Add(after)
		h.mu.Unlock()
		if _, err := h.flow.Inquire(context.Background(), h.id); err != nil {
			h.t.Fatalf("inquire: %v", err)
		}
	}
}
