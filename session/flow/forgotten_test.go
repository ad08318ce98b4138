package flow_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

// doubting is a house whose Flow asks what its store may have forgotten, and whose gateway names the card that paid.
func doubting(h *house) {
	h.doubt = true
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if o == nil {
			return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
		}
		st := h.gw.truth(p, o)
		st.Ref.OrderID = "g-" + p.Ref.Reference
		st.Card = theCard.Number.Masked()
		return st, nil
	}
}

func anotherCard(t *testing.T) card.Card {
	t.Helper()
	n, err := card.ParseNumber("4000019900020001")
	if err != nil {
		t.Fatal(err)
	}
	c := theCard
	c.Number = n
	return c
}

// pays submits a card for the house's session and lets what follows happen.
func (h *house) pays(c card.Card) {
	h.t.Helper()
	before := h.count("pay.stored") + h.count("register.stored")
	if err := h.do(func() error { return h.flow.Submit(context.Background(), h.id, flow.Submission{Card: c}) }); err != nil {
		h.t.Fatalf("submit: %v", err)
	}
	h.await(before, "pay.stored", "register.stored")
	h.forward(2 * time.Minute)
}

func TestAnAttemptThatTheDatabaseForgotIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		other bool
		want  session.State
	}{
		{"with the same card it is found to be paid", false, session.Paid},
		{"with another card a person has to look", true, session.Mismatched},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, doubting)
			copied := h.snapshot(t)
			h.pays(theCard)
			h.is(session.Paid)
			h.restore(t, copied)
			if n := len(h.session().Attempts); n != 0 {
				t.Fatalf("%d attempts are remembered", n)
			}
			second := theCard
			if c.other {
				second = anotherCard(t)
			}
			h.pays(second)
			a := h.is(c.want)
			if n := h.charges(); n != 1 {
				t.Errorf("charged %d times", n)
			}
			if a.NeedsReview != c.other {
				t.Errorf("a person is told to look: %t", a.NeedsReview)
			}
		})
	}
}

// The copy has none of the attempts, and the last was paid. The numbers before it prove nothing: the first waits at the bank, or they
// never reached the gateway, as long as a session may go on so.
func TestALaterAttemptThatTheDatabaseForgotIsFoundBeforeTheFirstIsMadeAgain(t *testing.T) {
	t.Parallel()
	unreached := func(times int) func(h *house) {
		return func(h *house) {
			h.gw.register = func() error { return &providers.Failure{Op: "register", Code: "7", Text: "try later"} }
			for range times {
				h.submit()
			}
			h.gw.register = nil
		}
	}
	for name, first := range map[string]func(h *house){
		"the first waits at the bank": func(h *house) {
			h.gw.pay = waits(true, true)
			h.submit()
			if err := h.leave(); err != nil {
				h.t.Fatalf("%v", err)
			}
		},
		"the first never reached the gateway":        unreached(1),
		"nineteen of them never reached the gateway": unreached(session.MostAttempts - 1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, doubting)
			copied := h.snapshot(t)
			first(h)
			h.gw.pay = nil
			h.pays(theCard)
			if a := h.is(session.Paid); a.N < 2 {
				t.Fatalf("paid by attempt %d", a.N)
			}
			h.restore(t, copied)
			h.pays(theCard)
			h.forward(48 * time.Hour)
			if s := h.session(); h.charges() != 1 || s.Status() != session.StatusPaid {
				t.Errorf("%d charges, %s; %v", h.charges(), s.Status(), h.events())
			}
		})
	}
}

// The shopper was charged, and reads a card form again. They go away.
func TestASessionWhoseAttemptTheDatabaseForgotDoesNotEndUnpaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*house)
	}{
		{"when it expires", func(h *house) { h.forward(48 * time.Hour) }},
		{"when it is cancelled", func(h *house) {
			if err := h.do(func() error { _, err := h.flow.Cancel(context.Background(), h.id); return err }); !errors.Is(err, session.ErrEnded) {
				h.t.Errorf("cancelled: %v", err)
			}
			h.forward(time.Minute)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, doubting)
			copied := h.snapshot(t)
			h.pays(theCard)
			h.restore(t, copied)
			c.end(h)
			if a := h.is(session.Paid); a.PaidLate || h.session().Status() != session.StatusPaid || h.charges() != 1 {
				t.Errorf("late %t, session %s, charged %d times", a.PaidLate, h.session().Status(), h.charges())
			}
		})
	}
}

// The shop posts its order again, days later, to a database that knows nothing of it.
// A question that nobody can answer now is not asked each minute for a day: of a gateway that is down, or that wants the customer's own
// login before it says anything.
func TestASessionThatCannotEndAsksTheGatewayBySchedule(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]error{
		"the gateway does not answer":  errCut,
		"nobody is logged in":          &providers.Failure{Op: "find", Err: providers.ErrCredential},
		"the account is not there any": nil,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, doubting)
			h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
				return providers.Standing{}, refuses
			}
			h.gone = refuses == nil
			copied := h.snapshot(t)
			h.restore(t, copied)
			h.forward(24*time.Hour + 29*time.Minute)
			told := strings.Count(h.log.String(), "the gateway does not say what it knows of it")
			if told < 20 || told > 30 || h.session().Status() != session.StatusOpen {
				t.Errorf("asked %d times, the session is %s", told, h.session().Status())
			}
			h.forward(time.Minute)
			if s := h.session(); s.Status() != session.StatusExpired {
				t.Errorf("a day after its time the session is %s", s.Status())
			}
		})
	}
}

func TestASessionThatWaitsForItsCustomerToEndAsksOnceTheyLogIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withLogin(&counterState{}), doubting)
	truth := h.gw.status
	h.gw.status = func(ctx context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if p.Credential.Empty() {
			return providers.Standing{}, &providers.Failure{Op: "find", Err: providers.ErrCredential}
		}
		return truth(ctx, p, o)
	}
	copied := h.snapshot(t)
	h.logsIn("b", phone)
	h.pays(theCard)
	h.is(session.Paid)
	h.restore(t, copied)
	h.forward(5 * time.Hour)
	if s := h.session(); s.Status() != session.StatusOpen {
		t.Fatalf("the session is %s", s.Status())
	}
	h.logsIn("b", phone)
	h.forward(time.Second)
	if s := h.session(); s.Status() != session.StatusPaid || h.charges() != 1 {
		t.Errorf("the session is %s, charged %d times", s.Status(), h.charges())
	}
}

func TestAnOrderThatTheDatabaseForgotIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		declared bool
		after    time.Duration
	}{
		{"posted again at once", false, time.Minute},
		{"posted again within a day", false, 23 * time.Hour},
		{"posted again long after a declared restore", true, 30 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, doubting)
			copied := h.snapshot(t)
			later := h.wish()
			later.OrderID, later.Kind, later.Target = "later", "payment", nil
			pay := func() {
				h.t.Helper()
				s := *later
				s.CreatedAt, s.ExpiresAt = h.now(), h.now().Add(time.Hour)
				if err := h.flow.Create(t.Context(), &s); err != nil {
					t.Fatal(err)
				}
				h.id = s.ID
				h.pays(theCard)
				h.is(session.Paid)
			}
			pay()
			h.restore(t, copied)
			if c.declared {
				if err := h.store.DeclareRestored(t.Context(), time.Time{}, h.now()); err != nil {
					t.Fatal(err)
				}
			}
			h.forward(c.after)
			pay()
			if n := h.charges(); n != 1 {
				t.Errorf("charged %d times", n)
			}
		})
	}
}

func TestAForgottenNumberThatCanBePaidNoMoreIsPassedOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, doubting)
	h.gw.order("order-1").outcome = providers.Refused
	h.gw.order("order-2").outcome = providers.Closed
	h.pays(theCard)
	if a := h.is(session.Paid); a.Ref.Reference != "order-3" {
		t.Errorf("paid as %s", a.Ref.Reference)
	}
}

func TestWhereTheGatewayCannotBeAskedNothingIsPaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, doubting)
	h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
		return providers.Standing{}, errCut
	}
	h.pays(theCard)
	h.is(session.Failed)
	if n := h.sent("order-1", "pay"); n != 0 {
		t.Errorf("sent %d times", n)
	}
}

// The shopper was at the bank with the first card when the copy was made, went back, and paid with another. The first bank's
// answer comes to a database that knows of the first attempt alone.
func TestAnAnswerOfTheBankIsNotForwardedWhereALaterAttemptHasPaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		outcome providers.Outcome
		charges int // of the later attempt
		sent    bool
		want    []session.State
	}{
		{"it was paid", "", 1, false, []session.State{session.Abandoned, session.Paid}},
		{"it is being paid", providers.Processing, 0, false, []session.State{session.Abandoned, session.Gateway}},
		{"it waits for its shopper", providers.Waiting, 0, false, []session.State{session.Abandoned, session.Unknown}},
		{"it was refused", providers.Refused, 0, true, []session.State{session.Paid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, doubting)
			h.acc.Provider = closer{gateway: h.gw}
			h.restart()
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				step := challenge(p, trans1)
				o.next = &step
				return step, nil
			}
			h.submit()
			h.is(session.Shopper)
			token := h.token()
			copied := h.snapshot(t)
			later := h.gw.order("order-2")
			later.charges, later.outcome = c.charges, c.outcome
			h.forward(time.Second)
			h.restore(t, copied)
			if _, err := h.returned(token, cres(trans1)); err != nil {
				t.Fatal(err)
			}
			h.forward(20 * time.Second)
			resent := h.sent("order-1", string(providers.Challenged)+" "+cres(trans1).CRes)
			if (resent > 0) != c.sent {
				t.Errorf("forwarded %d times", resent)
			}
			var states []session.State
			for _, a := range h.session().Attempts {
				states = append(states, a.State)
			}
			if len(states) != len(c.want) || states[0] != c.want[0] || states[len(states)-1] != c.want[len(c.want)-1] {
				t.Errorf("attempts are %v, want %v", states, c.want)
			}
			if c.outcome == providers.Processing { // while the found attempt lives no third begins, and its money is the session's
				if err := h.do(func() error { return h.flow.Submit(context.Background(), h.id, flow.Submission{Card: theCard}) }); !errors.Is(err, session.ErrBusy) {
					t.Errorf("a third card: %v", err)
				}
				h.charge("order-2")
				h.forward(time.Minute)
				if a := h.is(session.Paid); a.PaidLate || h.session().Status() != session.StatusPaid || h.charges() != 1 {
					t.Errorf("late %t, session %s, charged %d times", a.PaidLate, h.session().Status(), h.charges())
				}
			}
			if o := h.gw.order("order-1"); c.want[0] == session.Abandoned && o.outcome != providers.Closed {
				t.Errorf("the order that was left before is %s", o.outcome)
			}
		})
	}
}

func TestAPayoutThatTheDatabaseForgotIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h := paysOut(t, func(string) providers.OpResult {
		return providers.OpResult{State: providers.OpSucceeded, GatewayID: "77"}
	},
		func(h *house) { h.doubt = true })
	if n := h.sent("order-1", "payout"); n != 0 {
		t.Errorf("sent %d times", n)
	}
	if a := h.is(session.Paid); a.Ref.OrderID != "77" {
		t.Errorf("the gateway's id is %q", a.Ref.OrderID)
	}
}

func TestADatabaseThatDoesNotSayWhatItForgotHasForgotten(t *testing.T) {
	t.Parallel()
	f := flow.New(flow.Options{
		Memory: func(context.Context) (session.Memory, error) { return session.Memory{}, errors.New("gone") },
		Now:    time.Now, Accounts: account.Accounts{}, Log: slog.New(slog.DiscardHandler),
	})
	if m := flow.MemoryOf(f, t.Context()); m.Restored.IsZero() {
		t.Errorf("%+v", m)
	}
}

// A callback came for a payment that the database has forgotten, so that nothing but the callback knows of it.
func TestAReferenceOfAnUnmatchedCallbackIsAskedAboutBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	for _, recovers := range []bool{false, true} {
		h := newHouse(t, doubting, func(h *house) {
			h.doubt = false // a long time after the failover
			h.owners = []string{"demo"}
			if recovers {
				h.acc.Provider = recoverer{h.gw}
			}
		})
		h.gw.order("order-1").charges = 1
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(err)
		}
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(err)
		}
		if err := h.callback("order-1", "forged"); !errors.Is(err, providers.ErrForged) {
			t.Fatal(err)
		}
		if err := h.callback("another system's", "good"); !errors.Is(err, session.ErrNotFound) {
			t.Fatal(err)
		}
		told, err := h.store.EventsAfter(t.Context(), "demo", "", 100)
		if err != nil || len(told) != 2 || told[1].Type != "callback.unmatched" || !strings.Contains(string(told[1].Data), `"reference":"order-1"`) {
			t.Fatalf("told %+v, %v", told, err)
		}
		kept, err := h.store.UnmatchedCallbacks(t.Context(), shop, h.now(), h.now().Add(time.Hour), 10)
		if err != nil || len(kept) != 1 || kept[0].Times != 2 || !kept[0].AskedAt.IsZero() {
			t.Fatalf("kept %+v, %v", kept, err)
		}
		h.pays(theCard)
		h.is(session.Paid)
		if n := h.charges(); n != 1 {
			t.Errorf("charged %d times", n)
		}
		if kept, err = h.store.UnmatchedCallbacks(t.Context(), shop, kept[0].FirstAt, h.now().Add(time.Hour), 10); err != nil || kept[0].AskedAt.IsZero() {
			t.Errorf("kept %+v, %v", kept, err)
		}
	}
}

// recoverer is a gateway whose registration finds an order again.
type recoverer struct{ *gateway }

func (recoverer) RecoversOrders() {}

func (g recoverer) Register(ctx context.Context, p providers.Payment) (providers.Ref, error) {
	st, err := g.Status(ctx, p)
	if err == nil && p.Forgotten != nil && st.Outcome == providers.Paid {
		return providers.Ref{}, &providers.AlreadyPaid{Ref: st.Ref, Standing: st}
	}
	return g.gateway.Register(ctx, p)
}

// Whoever drops repeats by their id must not drop the event that took the place of one that was lost.
func TestTheEventThatTakesALostOnesPlaceHasAnotherID(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	copied := h.snapshot(t)
	ids := func() (all []string) {
		found, err := h.store.EventsAfter(t.Context(), "demo", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			all = append(all, e.ID())
		}
		return all
	}
	h.pays(theCard)
	before := ids()
	h.restore(t, copied)
	h.pays(theCard)
	after := ids()
	if len(before) < 3 || len(before) != len(after) || before[0] != after[0] {
		t.Fatalf("before %v, after %v", before, after)
	}
	for i := 1; i < len(before); i++ {
		if before[i] == after[i] {
			t.Errorf("event %d has the id %s again", i+1, after[i])
		}
	}
	var lost *session.EventLost
	if _, err := h.store.EventsAfter(t.Context(), "demo", before[2], 100); !errors.As(err, &lost) || lost.After != after[1] {
		t.Errorf("after a lost event: %v, %+v", err, lost)
	}
}

// After a crash the store may have forgotten that the call's answer was followed by another call. That one has arrived soon, or
// never will: nobody waits for it as long as an order lives.
func TestAfterACrashAForgottenCallIsWaitedForUntilItHasArrived(t *testing.T) {
	t.Parallel()
	h := newHouse(t, doubting, alone)
	h.gw.status = func(_ context.Context, p providers.Payment, o *order) (providers.Standing, error) {
		if o == nil {
			return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
		}
		st := h.gw.truth(p, o)
		switch {
		case p.Forgotten == nil || p.Forgotten.Arrived:
			st.Outcome = providers.Closed
		default:
			st.Outcome, st.Unproven = providers.Waiting, true
		}
		return st, nil
	}
	h.gw.pay = func(context.Context, providers.Payment, *order) (providers.Step, error) {
		return providers.Step{}, errCut
	}
	h.dieNext("pay.answered")
	h.submitOnly()
	h.await(0, "pay.answered")
	h.restart()
	h.forward(30 * time.Second)
	h.is(session.Unknown)
	h.forward(account.DefaultCallTimeout + account.DefaultSettleAfter)
	h.is(session.Failed)
}
