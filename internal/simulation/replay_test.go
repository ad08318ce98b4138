package simulation

import (
	"fmt"
	"slices"
	"testing"
)

// A violation can be looked into only if its seed shows it again.
func TestARunIsRepeatableFromItsSeed(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			first := live(t, seed, profiles["failover"], nil).trace
			again := live(t, seed, profiles["failover"], nil).trace
			if i := parts(first, again); i >= 0 {
				t.Fatalf("the stories part at line %d:\n%q\n%q", i+1, first[max(0, i-3):min(len(first), i+1)], again[max(0, i-3):min(len(again), i+1)])
			}
		})
	}
}

// parts is the first line in which two stories differ; less than 0 where there is none.
func parts(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if i == len(a) || i == len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

// withALyingLedger is a profile whose gateways say to whoever checks, and to nobody else, that every order was charged once more:
// in each of its worlds with a payment something is wrong.
func withALyingLedger(name string) Profile {
	p := profiles[name]
	p.Shoppers, p.ledgerLies = 3, true
	return p
}

// What went wrong once goes wrong again. Its story is the same word for word unless the machine is so busy that it stops the
// program between two things of one instant.
func TestAViolationIsSeenAgainTenTimesOfTen(t *testing.T) {
	p := withALyingLedger("swarm")
	first := live(t, 3, p, nil)
	if len(first.wrong) == 0 {
		t.Fatal("nothing is wrong")
	}
	for n := range 10 {
		again := live(t, 3, p, nil)
		if !slices.Equal(first.wrong, again.wrong) {
			t.Errorf("run %d: %q, and not %q", n+1, again.wrong, first.wrong)
		}
		if i := parts(first.trace, again.trace); i >= 0 {
			t.Logf("run %d tells another story from line %d on:\n%q\n%q", n+1, i+1,
				first.trace[max(0, i-2):min(len(first.trace), i+3)], again.trace[max(0, i-2):min(len(again.trace), i+3)])
		}
	}
}
