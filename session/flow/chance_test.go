package flow_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tollgate/internal/account"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// fate decides what the gateway does next; it is drawn before each action, since the gateway is called from elsewhere.
type fate struct {
	h      *house
	drawn  []int
	sentAt map[string]time.Time
	honest bool
}

func (f *fate) draw(t *rapid.T) { f.drawn = rapid.SliceOfN(rapid.IntRange(0, 9), 8, 8).Draw(t, "fate") }

func (f *fate) next() int {
	if f.honest || len(f.drawn) == 0 {
		return 0
	}
	n := f.drawn[0]
	f.drawn = f.drawn[1:]
	return n
}

// moneyCall is what can become of a call that can move money. A charge is counted each time the gateway is asked for
// one: a second call would be a second charge.
func (f *fate) moneyCall(p providers.Payment, o *order, first bool, mayMethod, maySoft bool) (providers.Step, error) {
	g := f.h.gw
	f.sentAt[p.Ref.Reference] = f.h.now()
	n := f.next()
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.outcome == providers.Refused || o.outcome == providers.Closed {
		return said(providers.Declined, p), nil
	}
	if o.working && o.charges > 0 { // it asked for the repeat itself
		return said(providers.Finished, p), nil
	}
	answered := o.asked
	o.next, o.asked = nil, nil
	asks := func(s providers.Step) providers.Step { o.asked = &s; return s }
	answer := func(s providers.Step, lost bool) (providers.Step, error) {
		if lost {
			return providers.Step{}, errCut
		}
		return s, nil
	}
	switch n {
	case 0, 1:
		o.charges++
		return answer(said(providers.Finished, p), n == 1)
	case 2: // lost on its way
		if first {
			delete(g.orders, p.Ref.Reference)
		} else if o.asked = answered; f.next()%2 == 0 {
			o.next = answered // it still waits for what got lost, and says so
		}
		return providers.Step{}, errCut
	case 3, 4, 5:
		step := asks(challenge(p, trans1))
		if n != 3 {
			o.next = &step
		}
		return answer(step, n == 5)
	case 6:
		o.outcome = providers.Refused
		return answer(said(providers.Declined, p), false)
	case 7:
		if answered != nil && f.next()%2 == 0 {
			o.next, o.working = answered, true // it has our answer, and for a while still says that it waits for it
		} else {
			o.outcome = providers.Processing
		}
		return said(providers.Wait, p), nil
	case 8:
		if mayMethod {
			return asks(method(p, trans1)), nil
		}
		if maySoft {
			s := method(p, trans2)
			s.NewRun = true
			return asks(s), nil
		}
		o.outcome = providers.Refused
		return answer(providers.Step{}, true)
	}
	o.outcome = providers.Processing
	return answer(providers.Step{}, true)
}

func (f *fate) pay(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
	return f.moneyCall(p, o, true, true, false)
}

func (f *fate) resume(_ context.Context, p providers.Payment, a providers.Answer, o *order) (providers.Step, error) {
	if a.Card == nil && a.Kind == providers.MethodDone && p.Run.N == 2 {
		o.asked = nil // that step is ours
		return said(providers.AskCard, p), nil
	}
	return f.moneyCall(p, o, false, false, p.Run.N == 1)
}

// status lies only by saying too little, and "not found" only as long as the call may be under way.
func (f *fate) status(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
	switch n := f.next(); {
	case n == 5:
		return providers.Standing{}, errCut
	case n == 6:
		return providers.Standing{Outcome: providers.Unclear, Ref: p.Ref}, nil
	case n == 7:
		return providers.Standing{Outcome: providers.Processing, Ref: p.Ref}, nil
	case o == nil, n >= 8 && f.h.now().Sub(f.sentAt[p.Ref.Reference]) < account.DefaultCallTimeout+account.DefaultSettleAfter:
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	return f.h.gw.truth(p, o), nil
}

func (f *fate) close(o *order) error {
	n := f.next()
	if o.charges == 0 && o.outcome != providers.Refused {
		switch n {
		case 1: // the shopper's bank was faster; what the browser brings of that is its answer, and no second payment
			o.charges++
			o.working = true
			return nil
		case 2:
			return errCut
		}
		o.outcome, o.next = providers.Closed, nil
	}
	if n == 3 {
		return errCut
	}
	return nil
}

// bank decides one order that is being worked on.
func (f *fate) bank(yes bool) {
	g := f.h.gw
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range g.orders {
		if (o.outcome == providers.Processing || o.working && o.outcome == providers.Waiting) && o.charges == 0 {
			if yes {
				o.charges++
			} else {
				o.outcome = providers.Refused
			}
			return
		}
	}
}

var places = []string{
	"attempt.written", "register.answered", "register.stored", "pay.permitted", "pay.answered", "pay.stored", "resume.permitted", "resume.answered",
	"resume.stored", "notified.stored", "returned.stored", "status.answered", "status.stored", "close.answered",
}

// Whatever the gateway answers or does not, whatever browsers bring, in whatever order, however often the process dies:
// nobody is charged twice, final states stay, the events have no gap, and in the end everything is known and true.
func TestRandomRunsNeverChargeTwiceNorLoseAPayment(t *testing.T) {
	t.Parallel()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		st, err := sqlitetest.Open(t.Context(), sqlstore.Options{Dir: fmt.Sprintf("%s/%d", t.TempDir(), run)})
		if err != nil {
			rt.Fatalf("%v", err)
		}
		defer st.Close()
		f := &fate{sentAt: map[string]time.Time{}}
		closes := rapid.Bool().Draw(rt, "the gateway can close orders")
		alone := rapid.Bool().Draw(rt, "no other process uses the store")
		queued := rapid.Bool().Draw(rt, "what the browser brings is left to its job")
		h := houseOn(rt, st, "order", func(h *house) {
			h.acc.OrderLife, h.alone, h.queued = time.Hour, alone, queued
			if closes {
				h.acc.Provider = closer{h.gw, f.close}
			}
			h.gw.pay, h.gw.resume, h.gw.status = f.pay, f.resume, f.status
			h.gw.register = func() error {
				if f.next() == 9 {
					return errCut
				}
				return nil
			}
		})
		f.h = h
		seen := map[int]session.State{}
		token := func(rt *rapid.T) string { // of any run there ever was
			var all []string
			for _, a := range h.session().Attempts {
				for _, r := range a.Runs {
					all = append(all, r.Token)
				}
			}
			if len(all) == 0 {
				rt.Skip("no run yet")
			}
			return rapid.SampledFrom(all).Draw(rt, "run")
		}
		may := func(rt *rapid.T, err error, allowed ...error) {
			for _, a := range allowed {
				if errors.Is(err, a) {
					return
				}
			}
			if err != nil {
				rt.Fatalf("%v", err)
			}
		}
		act := func(do func(rt *rapid.T)) func(*rapid.T) {
			return func(rt *rapid.T) {
				h.t = rt
				f.draw(rt)
				do(rt)
				h.mu.Lock()
				died := h.died
				h.mu.Unlock()
				if died {
					h.restart()
				}
			}
		}
		submit := func(rt *rapid.T) {
			before := h.count("pay.stored") + h.count("register.stored")
			err := h.do(func() error {
				return h.flow.Submit(context.Background(), h.id, flow.Submission{Card: theCard, IP: "192.0.2.1"})
			})
			may(rt, err, session.ErrBusy, session.ErrEnded)
			if err == nil {
				h.await(before, "pay.stored", "register.stored")
			}
		}
		again := func(rt *rapid.T) {
			before := h.count("resume.stored")
			err := h.do(func() error { return h.flow.CardAgain(context.Background(), h.id, flow.Submission{Card: theCard}) })
			may(rt, err, session.ErrStale)
			if err == nil {
				h.await(before, "resume.stored")
			}
		}
		// A shopper who does what the page wants.
		shopper := act(func(rt *rapid.T) {
			a := h.session().Live()
			switch {
			case a == nil:
				submit(rt)
			case a.State != session.Shopper:
				h.next(h.now().Add(5 * time.Second))
			case a.Step.Kind == providers.Method:
				_, err := h.notified(a.Run().Token)
				may(rt, err)
			case a.Step.Kind == providers.AskCard:
				again(rt)
			default:
				_, err := h.returned(a.Run().Token, cres(a.Run().IDs.ThreeDSServerTransID))
				may(rt, err)
			}
		})
		job := act(func(rt *rapid.T) { h.next(h.now().Add(time.Minute)) })
		callback := act(func(rt *rapid.T) {
			n := rapid.IntRange(1, max(1, len(h.session().Attempts))).Draw(rt, "attempt")
			may(rt, h.callback(fmt.Sprintf("order-%d", n), "good"), session.ErrNotFound)
		})
		dying := act(func(rt *rapid.T) { h.dieNext(rapid.SampledFrom(places).Draw(rt, "at")) })
		rt.Repeat(map[string]func(*rapid.T){
			"the shopper acts": shopper, "the shopper goes on": shopper, "the shopper still goes on": shopper,
			"a job": job, "another job": job,
			"a callback": callback, "another callback": callback,
			"it will die": dying, "it will die somewhere": dying,
			"it dies":           act(func(rt *rapid.T) { h.restart() }),
			"a second Pay":      act(submit),
			"a forged callback": act(func(rt *rapid.T) { may(rt, h.callback("order-1", "bad"), providers.ErrForged) }),
			"any Method notifies": act(func(rt *rapid.T) {
				_, err := h.notified(token(rt))
				may(rt, err, session.ErrStale, session.ErrContradicts)
			}),
			"any bank returns": act(func(rt *rapid.T) {
				_, err := h.returned(token(rt), cres(rapid.SampledFrom([]string{trans1, trans2}).Draw(rt, "of")))
				may(rt, err, session.ErrStale, session.ErrContradicts)
			}),
			"somebody opens a return address": act(func(rt *rapid.T) {
				_, err := h.returned(token(rt), threeds.Reply{Method: "GET"})
				may(rt, err, session.ErrStale)
			}),
			"the bank decides": act(func(rt *rapid.T) { f.bank(rapid.Bool().Draw(rt, "yes")) }),
			"time passes": act(func(rt *rapid.T) {
				h.forward(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds")) * time.Second)
			}),
			"the merchant inquires": act(func(rt *rapid.T) {
				may(rt, h.do(func() error { _, err := h.flow.Inquire(context.Background(), h.id); return err }))
			}),
			"the merchant cancels": act(func(rt *rapid.T) {
				if rapid.IntRange(0, 9).Draw(rt, "really") == 0 {
					may(rt, h.cancel(), session.ErrBusy, session.ErrEnded)
				}
			}),
			"the shopper leaves": act(func(rt *rapid.T) { may(rt, h.leave(), session.ErrBusy) }),
			"": func(rt *rapid.T) {
				h.t = rt
				h.consistent(rt, seen)
			},
		})

		// The gateway is well again, and everybody waits.
		h.t = rt
		h.restart()
		f.honest = true
		for range session.MaxAttempts {
			f.bank(rapid.Bool().Draw(rt, "yes in the end"))
		}
		h.forward(6 * time.Hour)
		h.consistent(rt, seen)
		s := h.session()
		for _, a := range s.Attempts {
			if a.State.Live() {
				rt.Fatalf("attempt %d is left %s; %v", a.N, a.State, h.events())
			}
			charged := h.gw.orders[a.Ref.Reference] != nil && h.gw.orders[a.Ref.Reference].charges > 0
			if a.State.Funded() != charged {
				rt.Fatalf("attempt %d is %s, charged %v; %v", a.N, a.State, charged, h.events())
			}
		}
		if !s.OutcomeKnown() || (h.told("payment.paid") == 1) != (h.charges() == 1) {
			rt.Fatalf("session %s, charged %d times; %v", s.Status(), h.charges(), h.events())
		}
	})
}

// consistent checks what holds at every moment.
func (h *house) consistent(rt *rapid.T, seen map[int]session.State) {
	if n := h.charges(); n > 1 {
		rt.Fatalf("charged %d times; %v", n, h.events())
	}
	s := h.session()
	if n := len(h.events()); n != s.LastEvent {
		rt.Fatalf("%d events, the last has number %d", n, s.LastEvent)
	}
	live := 0
	for _, a := range s.Attempts {
		if a.State.Live() {
			live++
		}
		if was, ok := seen[a.N]; ok && !was.Live() && was != a.State && !a.State.Funded() {
			rt.Fatalf("attempt %d was %s and is %s", a.N, was, a.State)
		}
		seen[a.N] = a.State
		for i, c := range a.Calls {
			for _, other := range a.Calls[:i] {
				if c.Kind == other.Kind && c.Round == other.Round {
					rt.Fatalf("attempt %d has two permissions for %s %d", a.N, c.Kind, c.Round)
				}
			}
		}
		if h.sent(a.Ref.Reference, "pay") > 1 {
			rt.Fatalf("attempt %d was sent twice", a.N)
		}
		if o := h.gw.orders[a.Ref.Reference]; a.State == session.Paid && (o == nil || o.charges != 1) {
			rt.Fatalf("attempt %d is paid and nothing was taken", a.N)
		}
	}
	if live > 1 {
		rt.Fatalf("%d attempts live", live)
	}
	if live == 0 && h.flow.CardsHeld() > 0 {
		rt.Fatalf("%d cards are kept after the end", h.flow.CardsHeld())
	}
}
