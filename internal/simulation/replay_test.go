package simulation

import (
	"fmt"
	"slices"
	"testing"
)

// A violation can be looked into only if its seed shows it again.
func TestAWorldLivesTheSameLifeAgain(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			first, _, story := live(t, seed, profiles["failover"])
			again, _, same := live(t, seed, profiles["failover"])
			if first != again || !slices.Equal(story, same) {
				for i := range min(len(story), len(same)) {
					if story[i] != same[i] {
						for j := max(0, i-12); j < i+6; j++ {
							t.Log(story[j], "\n", same[j])
						}
						t.Fatalf("line %d differs:\n%s\n%s", i+1, story[i], same[i])
					}
				}
				t.Fatalf("%v\n%v", first, again)
			}
		})
	}
}
