package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is what a long run is published as: docs/certainty.md.
type report struct {
	seeds string
	rows  []string
	all   Tally
	used  time.Duration
}

func (r *report) add(profile string, t Tally, used time.Duration) {
	r.all.add(t)
	r.used += used
	r.rows = append(r.rows, r.row(profile, t, used))
}

func (r *report) row(name string, t Tally, used time.Duration) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %.0f | %d | %d | %d | %d | %d | %d | %.0f |", name, t.Worlds, t.Shoppers, t.Paid, t.Virtual.Hours()/24,
		t.Exchanges, t.Faults, t.Kills, t.Failovers, t.Lost, t.Violations, used.Seconds())
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What the simulation has seen

Whole Tollgates, the gateways, shoppers and shops in worlds of virtual time that a seed decides (`+"`internal/simulation`"+`).
Made by

`+"```"+`
make simulate PROFILE=all SEEDS=%s REPORT=docs/certainty.md
`+"```"+`

| world | worlds | shoppers | paid | virtual days | exchanges | network faults | crashes | failovers | commits lost | violations | CPU s |
|---|---|---|---|---|---|---|---|---|---|---|---|
%s
%s

Checked in each: no order charged twice; no charge that no attempt knows of; no page that says "not charged" while money was
taken, or "paid" while none was; sums equal to the gateways' to the minor unit; events numbered without gap, and all of them
delivered; nothing live or unknown at the end of every schedule; every shopper at an end.

## Situations reached

| situation | times |
|---|---|
`, r.seeds, strings.Join(r.rows, "\n"), r.row("**all**", r.all, r.used))
	for _, what := range slices.Sorted(maps.Keys(r.all.Reached)) {
		fmt.Fprintf(&b, "| %s | %d |\n", what, r.all.Reached[what])
	}
	return b.String()
}
