package flow_test

import (
	"context"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// atTheChallenge is a payment whose shopper is sent to the bank.
func atTheChallenge(t *testing.T, tune ...func(*house)) *house {
	t.Helper()
	h := newHouse(t, tune...)
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return challenge(p, trans1), nil
	}
	h.submit()
	h.is(session.Shopper)
	return h
}

func TestACallbackThatTellsNothingNewStoresNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.submit()
	h.is(session.Paid)
	before, asked := h.session(), len(h.gw.asked)
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	if after := h.session(); after.Version != before.Version {
		t.Errorf("the session was saved: version %d, %d", before.Version, after.Version)
	}
	if len(h.gw.asked) != asked+1 {
		t.Errorf("the gateway was asked %d times", len(h.gw.asked)-asked)
	}
	h.forward(time.Second)
	if len(h.gw.asked) != asked+1 {
		t.Errorf("a job asked again: %d", len(h.gw.asked)-asked)
	}
}

func TestCallbacksThatAreRepeatedAreBoundedByWhatIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.submit()
	asked := len(h.gw.asked)
	for range 50 {
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(err)
		}
		h.forward(10 * time.Millisecond)
	}
	h.forward(10 * time.Second)
	if n := len(h.gw.asked) - asked; n > 3 {
		t.Errorf("fifty callbacks within half a second had the gateway asked %d times", n)
	}
}

func TestACallbackIsAnsweredAfterWhatItsInquiryBroughtIsStored(t *testing.T) {
	t.Parallel()
	h := atTheChallenge(t)
	version := h.session().Version
	h.gw.order("order-1").charges++ // the shopper has paid at the bank, and did not come back
	if err := h.callback("order-1", "good"); err != nil {
		t.Fatal(err)
	}
	h.is(session.Paid) // without any job
	if after := h.session().Version; after != version+1 {
		t.Errorf("it took %d saves", after-version)
	}
}

func TestACallbackIsStoredWithAJobWhereTheGatewayDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		wait bool // for longer than a callback does
	}{{"an error", false}, {"silence", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := atTheChallenge(t)
			h.gw.order("order-1").charges++
			release := make(chan bool)
			h.gw.status = func(context.Context, providers.Payment, *order) (providers.Standing, error) {
				if c.wait {
					<-release
				}
				return providers.Standing{}, errCut
			}
			if err := h.callback("order-1", "good"); err != nil {
				t.Fatal(err)
			}
			close(release)
			h.is(session.Shopper)
			h.gw.mu.Lock()
			h.gw.status = nil
			h.gw.mu.Unlock()
			h.forward(0)
			h.is(session.Paid)
		})
	}
}

func TestAKillBeforeACallbackIsAnsweredLosesNothing(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"status.answered", "status.stored"} {
		h := atTheChallenge(t)
		h.gw.order("order-1").charges++
		h.dieNext(place)
		_ = h.callback("order-1", "good") // it is not answered: the gateway repeats it
		h.restart()
		if err := h.callback("order-1", "good"); err != nil {
			t.Fatal(place, err)
		}
		h.forward(0)
		h.is(session.Paid)
		if n := h.told("payment.paid"); n != 1 {
			t.Errorf("%s: told %d times", place, n)
		}
	}
}

func TestACallbackDuringACallIsAnsweredByTheInquiryAfterIt(t *testing.T) {
	t.Parallel()
	h := atTheChallenge(t)
	called := make(chan error, 1)
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		waits := make(chan bool)
		go func() { close(waits); called <- h.callback("order-1", "good") }()
		<-waits
		return h.gw.take(p, o), nil
	}
	version := h.session().Version
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	if err := <-called; err != nil {
		t.Fatal(err)
	}
	h.is(session.Paid)
	if after := h.session().Version; after != version+2 {
		t.Errorf("%d saves: want the bank's answer with its permission, and what that brought with its inquiry", after-version)
	}
}

func TestThatAPageWasShownIsStoredWithTheNextChange(t *testing.T) {
	t.Parallel()
	h := atTheChallenge(t, func(h *house) { h.alone = true })
	version := h.session().Version
	shown := func(want bool) {
		t.Helper()
		if first, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil || first != want {
			t.Errorf("first %v, %v; want %v", first, err, want)
		}
	}
	shown(true)
	shown(false)
	if after := h.session(); after.Version != version || !after.Last().Run().ShownAt.IsZero() {
		t.Error("it was stored at once")
	}
	at := h.now()
	h.mu.Lock()
	h.time = h.time.Add(time.Second)
	h.mu.Unlock()
	if _, err := h.returned(h.token(), cres(trans1)); err != nil {
		t.Fatal(err)
	}
	if got := h.last().Run().ShownAt; !got.Equal(at) {
		t.Errorf("shown at %v, want %v", got, at)
	}
	if after := h.session().Version; after != version+2 {
		t.Errorf("%d saves", after-version)
	}
}

func TestThatAPageWasShownIsStoredByItselfWhereNothingElseChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(h *house)
	}{
		{"after a while", func(h *house) { h.await(0, "shown.stored") }},
		{"at the end of the process", func(h *house) { h.flow.Close(context.Background()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := atTheChallenge(t, func(h *house) { h.alone = true })
			if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
				t.Fatal(err)
			}
			c.end(h)
			if h.last().Run().ShownAt.IsZero() {
				t.Error("it was not stored")
			}
			if first, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil || first {
				t.Error("it counts as shown for the first time again", err)
			}
		})
	}
}

func TestAMethodsTimeCountsFromWhenItsFramesWereShown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(h *house) { h.alone = true })
	h.gw.pay = func(_ context.Context, p providers.Payment, _ *order) (providers.Step, error) {
		return method(p, trans1), nil
	}
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, _ *order) (providers.Step, error) {
		return challenge(p, trans1), nil
	}
	h.submit()
	h.mu.Lock()
	h.time = h.time.Add(5 * time.Second)
	h.mu.Unlock()
	if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
		t.Fatal(err)
	}
	h.forward(session.MethodWait - time.Second)
	if a := h.is(session.Shopper); a.Step.Kind != providers.Method || len(h.gw.answers) != 0 {
		t.Fatalf("%s: the gateway was told of a silent Method too soon", a.Step.Kind)
	}
	h.forward(2 * time.Second)
	if len(h.gw.answers) != 1 || h.gw.answers[0].CompInd != "N" {
		t.Errorf("%+v", h.gw.answers)
	}
}

func TestThatAPageWasShownIsStoredAtOnceWhereSomethingIsConcludedFromIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(h *house) { h.alone = true })
	h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
		step := challenge(p, trans1)
		h.gw.mu.Lock()
		o.next = &step
		h.gw.mu.Unlock()
		return providers.Step{}, errCut
	}
	h.submit()
	h.forward(10 * time.Second) // the inquiry repeats the step
	h.is(session.Shopper)
	if _, err := h.flow.Shown(t.Context(), h.id, h.last().StepN); err != nil {
		t.Fatal(err)
	}
	if h.last().Run().ShownAt.IsZero() {
		t.Error("whether a browser was sent there is not known after a crash")
	}
}
