package simulation

import (
	"maps"
	"regexp"
	"slices"
	"testing"
)

// shrink leaves faults out, many at once and then one by one, as long as the same thing goes wrong: what is left is the story.
// It lives at most so many worlds.
func shrink(t *testing.T, seed uint64, p Profile, l life, most int) life {
	t.Helper()
	kind, without := kindOf(l.wrong[0]), faults{}
	for size := max(1, len(l.struck)/2); most > 0; size = size / 2 {
		for from := 0; from < len(l.struck) && most > 0; {
			try := maps.Clone(without)
			for _, key := range l.struck[from:min(len(l.struck), from+size)] {
				try[key] = true
			}
			most--
			next := live(t, seed, p, try)
			if !slices.ContainsFunc(next.wrong, func(s string) bool { return kindOf(s) == kind }) {
				from += size
				continue
			}
			l, without = next, try
		}
		if size <= 1 {
			break
		}
	}
	return l
}

// names are what differs between two tellings of the same violation.
var names = regexp.MustCompile(`order\.[a-z.]+|cs_\S+|evt_\S+|[0-9]+|\b[a-z](\.[a-z]+)?\b`)

// kindOf is a violation without names and numbers.
func kindOf(violation string) string {
	s := names.ReplaceAllString(violation, "")
	return s[:min(len(s), 60)]
}

// A fault that has nothing to do with what went wrong is not in the story that is told.
func TestAStoryIsShrunkToTheFaultsThatItNeeds(t *testing.T) {
	p := withALyingLedger("gateways")
	whole := live(t, 4, p, nil)
	if len(whole.wrong) == 0 || len(whole.struck) < 10 {
		t.Fatalf("%d violations with %d faults: too little to shrink", len(whole.wrong), len(whole.struck))
	}
	small := shrink(t, 4, p, whole, 30)
	if len(small.wrong) == 0 || len(small.struck) > len(whole.struck)/4 {
		t.Errorf("of %d faults %d are left, with %d violations", len(whole.struck), len(small.struck), len(small.wrong))
	}
	t.Logf("of %d faults %d are left; the story has %d lines instead of %d", len(whole.struck), len(small.struck), len(small.trace), len(whole.trace))
}
