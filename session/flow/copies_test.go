package flow_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
)

var everyCopy = flag.Bool("every-copy", false, "restore a copy of every moment of every payment, not of one")

// lived is one way for a payment to go: from the first card to its end at the gateway.
type lived struct {
	name   string
	closes bool
	live   func(h *house)
}

// oneCharge makes the fake like a gateway that finishes an order once.
func (h *house) oneCharge() {
	h.gw.resume = func(_ context.Context, p providers.Payment, _ providers.Answer, o *order) (providers.Step, error) {
		h.gw.mu.Lock()
		done := o.charges > 0
		h.gw.mu.Unlock()
		if done {
			return providers.Step{}, &providers.Failure{Op: "finish", Code: "5", Text: "the order is paid"}
		}
		return h.gw.take(p, o), nil
	}
}

// tries pays with the house's card, where the payment may begin.
func (h *house) tries() {
	err := h.do(func() error {
		return h.flow.Submit(context.Background(), h.id, flow.Submission{Card: theCard, IP: "192.0.2.1"})
	})
	if err != nil && !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) {
		h.t.Fatalf("submit: %v", err)
	}
	flow.WaitForCalls(h.flow)
}

// answers brings the bank's answer of the newest run.
func (h *house) answers() {
	if a := h.session().Last(); a != nil && a.Run() != nil {
		if _, err := h.returned(a.Run().Token, cres(trans1)); err != nil {
			h.t.Fatalf("%v", err)
		}
	}
}

func lives() []lived {
	asks := func(h *house) { h.gw.pay = waits(false, true) }
	holds := func(h *house) { h.gw.pay = waits(true, true) }
	cut := func(charges bool) func(h *house) {
		return func(h *house) {
			h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
				if charges {
					h.gw.take(p, o)
				}
				return providers.Step{}, errCut
			}
		}
	}
	declines := func(h *house) {
		h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
			h.gw.mu.Lock()
			o.outcome = providers.Refused
			h.gw.mu.Unlock()
			step := said(providers.Declined, p)
			step.Decline = &providers.Decline{Reason: providers.DoNotHonor}
			return step, nil
		}
	}
	works := func(h *house) {
		h.gw.pay = func(_ context.Context, p providers.Payment, o *order) (providers.Step, error) {
			h.gw.mu.Lock()
			o.outcome = providers.Processing
			h.gw.mu.Unlock()
			return said(providers.Wait, p), nil
		}
	}
	honest := func(h *house) { h.gw.pay = nil }
	do := func(steps ...func(h *house)) func(h *house) {
		return func(h *house) {
			for _, step := range steps {
				step(h)
			}
		}
	}
	tries, answers := (*house).tries, (*house).answers
	wait := func(d time.Duration) func(h *house) { return func(h *house) { h.forward(d) } }
	leaves := func(h *house) { _ = h.leave() }
	cancels := func(h *house) { _ = h.cancel() }
	charged := func(h *house) { h.charge("order-1") }
	return []lived{
		{"paid at once", false, do(tries, wait(time.Minute))},
		{"paid after a challenge", false, do(asks, tries, answers, wait(time.Minute))},
		{"paid after a challenge, at a gateway that closes", true, do(asks, tries, answers, wait(time.Minute))},
		{"the answer lost, and charged", false, do(cut(true), tries, wait(10*time.Minute))},
		{"the answer lost, and not charged, at a gateway that closes", true, do(cut(false), tries, wait(10*time.Minute), honest, tries, wait(time.Minute))},
		{"declined, and another card", false, do(declines, tries, wait(time.Minute), honest, tries, wait(time.Minute))},
		{"worked on for long", false, do(works, tries, wait(10*time.Minute), charged, wait(time.Hour))},
		{"left by closing, and another card", true, do(asks, tries, leaves, wait(time.Minute), honest, tries, wait(time.Minute))},
		{"left by withholding, and another card", false, do(holds, tries, leaves, wait(time.Minute), honest, tries, wait(time.Minute))},
		{"cancelled at the bank", true, do(asks, tries, cancels, wait(time.Minute))},
		{"nobody came back", true, do(asks, tries, wait(30*time.Minute))},
		{"nobody came back, and it cannot be closed", false, do(asks, tries, wait(25*time.Hour))},
	}
}

// moments are where copies are taken in a life: after the first and the last passing of each place.
func (l lived) moments(t *testing.T) []int {
	h := newHouse(t, l.tune)
	h.oneCharge()
	var mu sync.Mutex
	n, first, last := 0, map[string]int{}, map[string]int{}
	h.watch = func(place string) {
		mu.Lock()
		defer mu.Unlock()
		if n++; first[place] == 0 {
			first[place] = n
		}
		last[place] = n
	}
	l.live(h)
	all := append([]int{0}, slices.Collect(maps.Values(first))...)
	all = append(all, slices.Collect(maps.Values(last))...)
	slices.Sort(all)
	return slices.Compact(all)
}

// A copy of the database is taken at some moment of a payment, the payment lives on to its end, and the copy is put in its place. The
// shopper opens the link again and pays as far as they are asked to. Nobody is charged twice, and where the ledger has a charge nobody
// is told that there is none: the session is paid, or a person looks.
func TestAfterTheRestoreOfACopyOfAnyMomentNobodyIsChargedTwiceNorToldThatTheyAreNot(t *testing.T) {
	t.Parallel()
	tried, states := 0, map[string]int{}
	for n, life := range lives() {
		moments := life.moments(t)
		if !*everyCopy { // each life at one moment, all of them at others
			moments = moments[(n*5)%len(moments):][:1]
		}
		for _, at := range moments {
			state, ok := life.restored(t, at)
			if !ok {
				continue // the order of events differs a little from run to run
			}
			tried++
			states[state]++
		}
	}
	t.Logf("%d copies restored, by the state of the attempt in them: %v", tried, states)
	if *everyCopy && (tried < 100 || len(states) < 8) || tried < 8 {
		t.Errorf("only %d copies, in the states %v", tried, states)
	}
}

// restored lives a life, restores the copy of a moment of it and goes on. It tells the state that the attempt was restored to.
func (l lived) restored(t *testing.T, at int) (state string, ok bool) {
	h := newHouse(t, l.tune)
	h.oneCharge()
	copied, seen, place := "", 0, "the beginning"
	var mu sync.Mutex
	if at == 0 {
		copied = h.snapshot(t)
	}
	h.watch = func(now string) {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == at {
			copied, place = h.snapshot(t), now
		}
	}
	l.live(h)
	h.watch = nil
	if copied == "" {
		return "", false
	}
	lost := h.session()
	doubting(h)
	h.gw.pay = nil
	h.restore(t, copied)
	state = "none"
	if a := h.session().Last(); a != nil {
		state = string(a.State)
	}
	h.goesOnAfterTheCopy()
	h.holdsAfterTheCopy(fmt.Sprintf("%s: a copy after %s (%d), restored to %s when it was %s", l.name, place, at, state, lost.Status()))
	return state, true
}

func (l lived) tune(h *house) {
	if l.closes {
		withCloser(h)
	}
}

// goesOnAfterTheCopy is a shopper who does what the page asks for, until nothing is left to do.
func (h *house) goesOnAfterTheCopy() {
	h.forward(time.Second)
	for range 3 {
		s := h.session()
		if a := s.Live(); a != nil && a.State == session.Shopper {
			h.answers()
		} else if a == nil {
			h.tries()
		}
		h.forward(3 * time.Minute)
	}
	h.forward(48 * time.Hour)
}

func (h *house) holdsAfterTheCopy(name string) {
	h.t.Helper()
	s, n := h.session(), h.charges()
	if n > 1 {
		h.t.Errorf("%s: %d charges; %s, %v", name, n, s.Status(), h.events())
	}
	looks, funded := false, false
	for _, a := range s.Attempts {
		looks = looks || a.NeedsReview
		funded = funded || a.State.Funded()
	}
	if n > 0 && !looks && !funded {
		h.t.Errorf("%s: charged, and the session says %s: %v", name, s.Status(), h.events())
	}
	if n == 0 && funded {
		h.t.Errorf("%s: nothing was charged, and the session says %s", name, s.Status())
	}
	if strings.Contains(h.log.String(), "impossible") {
		h.t.Errorf("%s: %s", name, h.log.String())
	}
}
