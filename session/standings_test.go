package session

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tollgate/providers"
)

// Whatever a gateway says, in whatever order and for however long: after nine days every attempt has ended, or is in a
// person's hands.
func TestNoSequenceOfStandingsLeavesAnAttemptWithoutAnEnd(t *testing.T) {
	all := everyNews()
	var live []State
	for _, s := range states {
		if s.Live() {
			live = append(live, s)
		}
	}
	operations := []OperationAnswer{
		{Err: errNoAnswer}, {OpResult: providers.OpResult{State: providers.OpMissing}}, {OpResult: providers.OpResult{State: providers.OpPending}},
		{OpResult: providers.OpResult{State: providers.OpFailed}}, {OpResult: providers.OpResult{State: providers.OpSucceeded}},
	}
	count, inquiries := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		c := courseFrom(rapid.SampledFrom(live).Draw(r, "state"))
		// Of an endless sequence the last part repeats: that is what the sequence comes to.
		some := rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 1, 40).Draw(r, "standings")
		ops := rapid.SliceOfN(rapid.IntRange(0, len(operations)-1), 1, 5).Draw(r, "operations")
		until := c.start.Add(9 * 24 * time.Hour)
		for i := 0; !c.over() && c.next(until, all[some[i%len(some)]], operations[ops[i%len(ops)]]); i++ {
			inquiries++
			if i > 20000 {
				r.Fatal("somebody asks in a circle")
			}
		}
		count++
		if !c.over() {
			r.Fatalf("%s, nobody looks, and nothing is asked after %s", c.attempt().State, c.now.Sub(c.start))
		}
		if left := c.now.Sub(c.start); left > 8*24*time.Hour {
			r.Fatalf("it took %s", left)
		}
	})
	t.Logf("%d sequences, %d inquiries", count, inquiries)
}

func TestTheTableOfStandingsHasAnEndInEveryCell(t *testing.T) {
	if table := standingsTable(); strings.Contains(table, "NO END") {
		t.Error(table)
	}
	for _, o := range []providers.Outcome{
		providers.NotFound, providers.Waiting, providers.Processing, providers.Authorized, providers.Paid, providers.Refused, providers.Voided,
		providers.Closed, providers.Unclear, providers.HoldLeft,
	} {
		found := false
		for _, n := range everyNews() {
			found = found || n.make(courseFrom(Gateway).attempt(), courseFrom(Gateway).s.Amount).Standing.Outcome == o
		}
		if !found {
			t.Errorf("no column for %s", o)
		}
	}
}
