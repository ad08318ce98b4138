package simulation

import (
	"testing"
	"time"
)

// A shopper does what a person would do who reads the page; else a world tells of faults that are the shopper's own. Once they sent
// pages that told them to wait the same again at once, a thousand times, and gave up a transfer whose recipient's card they had mistyped.
func TestShoppersDoWhatThePagesTellThem(t *testing.T) {
	for _, c := range []struct {
		what  string
		world Profile
	}{
		{"a shopper who corrects the card that a transfer goes to", Profile{Stories: true, only: transfer, cards: recipients[:1]}},
		{"a shopper who has to wait before the next try", Profile{
			cards: []string{approved[0]}, NetRate: 0.8, NetLinks: "front1>sandbox", NetFaults: []fault{requestLate}, NetDelays: []time.Duration{time.Minute},
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := c.world
			p.Name, p.Fronts, p.Shoppers, p.Accounts = "told", 1, 1, []string{"sber"}
			tally, _ := run(t, 1, p)
			if tally.Reached[c.what] == 0 || tally.Paid != 1 {
				t.Errorf("paid %d times; reached %v", tally.Paid, tally.Reached)
			}
		})
	}
}
