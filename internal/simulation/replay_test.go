package simulation

import (
	"fmt"
	"testing"
)

// A violation can be looked into only if its seed shows it again.
func TestARunIsRepeatableFromItsSeed(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			first := live(t, seed, profiles["failover"], nil).trace
			again := live(t, seed, profiles["failover"], nil).trace
			for i := range max(len(first), len(again)) {
				if i == len(first) || i == len(again) || first[i] != again[i] {
					t.Fatalf("the stories part at line %d:\n%q\n%q", i+1, first[i:min(len(first), i+1)], again[i:min(len(again), i+1)])
				}
			}
		})
	}
}
