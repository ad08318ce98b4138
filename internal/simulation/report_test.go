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
	command string
	sums    map[string]*row // by profile
	all     row
}

// row is what the worlds of one profile came to.
type row struct {
	Tally
	used time.Duration
}

func (r *report) add(profile string, t Tally, used time.Duration) {
	if r.sums[profile] == nil {
		r.sums[profile] = &row{}
	}
	for _, sum := range []*row{r.sums[profile], &r.all} {
		sum.add(t)
		sum.used += used
	}
}

func (r *row) line(name string) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %.0f | %d | %d | %d | %d | %d | %d | %d | %.0f | %.1f |", name, r.Worlds, r.Payments, r.Paid,
		r.Virtual.Hours()/24, r.Exchanges, r.Faults, r.Kills, r.Crashes, r.Failovers, r.Lost, r.Violations, r.used.Seconds(),
		float64(r.Payments)/max(1, r.used.Seconds()))
}

func (r *report) String() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(r.sums)) {
		lines = append(lines, r.sums[name].line(name))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What the simulation has seen

Whole Tollgates, the gateways, the bank, shoppers and shops in worlds of virtual time that a seed decides
(`+"`internal/simulation`"+`). Made by

`+"```"+`
%s
`+"```"+`

%.2f virtual years, %.0f CPU seconds. What was found by such runs, and mended, stands in
[decisions/2026-11-27-what-the-simulation-found.md](decisions/2026-11-27-what-the-simulation-found.md).

| world | worlds | payments | paid | virtual days | exchanges | network faults | fronts killed | gateways crashed | failovers | commits lost | violations | CPU s | payments per CPU s |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
%s
%s

Payments are orders of any kind: payments, charges, transfers, payouts, invoices. Checked in each world: no order charged twice; no
charge that no attempt knows of; no page that says "not charged" while money was taken, or "paid" while none was; sums equal to the
gateways' to the minor unit, with what was done in their cabinets; payouts sent once; invoices paid exactly where the ledger says so;
events numbered without gap, one body for each id, to API and webhooks alike, and all of them delivered; nothing live or unknown at
the end of every schedule, unless a person was asked; every shopper at an end, and none who is shown no way out for half an hour; what
was not paid can be ordered again, what was paid cannot; nothing of a merchant's in an answer to another; no card number in any store,
log, webhook or story.

## Situations reached

| situation | times |
|---|---|
`, r.command, r.all.Virtual.Hours()/24/365, r.all.used.Seconds(), strings.Join(lines, "\n"), r.all.line("**all**"))
	for _, what := range slices.Sorted(maps.Keys(r.all.Reached)) {
		fmt.Fprintf(&b, "| %s | %d |\n", what, r.all.Reached[what])
	}
	return b.String()
}
