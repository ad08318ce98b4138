package simulation

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tollgate/internal/sqlstore"
)

var (
	seedsFlag    = flag.String("seeds", "", "TestSeeds: `which`, such as 57 or 1000-1999 or 4,57")
	profileFlag  = flag.String("profile", "failover", "TestSeeds: the kind of world, or all")
	accountsFlag = flag.String("accounts", "", "TestSeeds: the accounts that are paid with, in place of the profile's")
	shoppersFlag = flag.Int("shoppers", 0, "TestSeeds: so many in each world, in place of the profile's number")
	forFlag      = flag.Duration("for", 0, "TestSeeds: begin no other seed after so long")
	reportFlag   = flag.String("report", "", "TestSeeds: a `file` that the figures are written to, in Markdown")
	shrinkFlag   = flag.Int("shrink", 0, "TestSeeds: live at most so many worlds to shorten the story of a violation")
	traceFlag    = flag.String("trace", "", "TestSeeds: a `folder` for the stories of violations, in place of the test's output")
)

func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1) // goroutines take turns in nearly the same order, run for run
	if err := makeTemplate(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// makeTemplate makes the tables once for all worlds.
func makeTemplate() error {
	dir, err := os.MkdirTemp("", "simulation")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := sqlstore.Open(context.Background(), sqlstore.Options{Dir: dir})
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	template, err = os.ReadFile(filepath.Join(dir, "tollgate.db"))
	return err
}

// run lives a world and reports what was wrong in it: its story is written down, and drawn, only then.
func run(t *testing.T, seed uint64, p Profile) (tally Tally, trace []string) {
	t.Helper()
	l := live(t, seed, p, nil)
	if len(l.wrong) == 0 {
		return l.tally, l.trace
	}
	whole := l
	if *shrinkFlag > 0 {
		l = shrink(t, seed, p, l, *shrinkFlag)
	}
	title := fmt.Sprintf("seed %d of profile %s, accounts %s", seed, p.Name, strings.Join(p.Accounts, ","))
	if *traceFlag == "" {
		t.Errorf("%s:\n%s\n\n%s\n", title, strings.Join(l.wrong, "\n"), strings.Join(l.trace, "\n"))
		return whole.tally, whole.trace
	}
	name := filepath.Join(*traceFlag, fmt.Sprintf("%s-%s-%d", p.Name, strings.Join(p.Accounts, "-"), seed))
	if err := write(name, title, l); err != nil {
		t.Error(err)
	}
	t.Errorf("%s: %s", title, strings.Join(l.wrong, "\n"))
	return whole.tally, whole.trace
}

func (t Tally) String() string {
	return fmt.Sprintf("%d worlds, %d shoppers, %d payments, %d paid, %.0f virtual hours, %d exchanges, %d network faults, %d kills, "+
		"%d crashes of gateways, %d failovers that lost %d commits, %d violations",
		t.Worlds, t.Shoppers, t.Payments, t.Paid, t.Virtual.Hours(), t.Exchanges, t.Faults, t.Kills, t.Crashes, t.Failovers, t.Lost, t.Violations)
}

// TestSeeds runs the worlds that are asked for.
func TestSeeds(t *testing.T) {
	if *seedsFlag == "" {
		return // nobody asks
	}
	names := []string{*profileFlag}
	if *profileFlag == "all" {
		names = slices.Sorted(maps.Keys(profiles))
	}
	seeds, err := parseSeeds(*seedsFlag)
	if err != nil {
		t.Fatal(err)
	}
	r := report{command: command(), sums: map[string]*row{}}
	begun := time.Now()
	for n, seed := range seeds { // each profile gets its share of the time, however long there is
		for _, name := range names {
			p, ok := profiles[name]
			if !ok {
				t.Fatalf("there is no profile %q", name)
			}
			if *accountsFlag != "" {
				p.Accounts = strings.Split(*accountsFlag, ",")
			}
			if *shoppersFlag > 0 {
				p = p.crowdedBy(*shoppersFlag)
			}
			used := cpuTime()
			t.Run(fmt.Sprint(name, "/", seed), func(t *testing.T) {
				tally, _ := run(t, seed, p)
				r.add(name, tally, cpuTime()-used)
			})
		}
		over := *forFlag > 0 && time.Since(begun) > *forFlag
		if *reportFlag != "" && (over || n%10 == 0 || n == len(seeds)-1) {
			if err := os.WriteFile(*reportFlag, []byte(r.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if over {
			break
		}
	}
	for _, name := range names {
		if sum := r.sums[name]; sum != nil {
			t.Logf("%s: %s; %.0f CPU seconds, %.1f payments and %.0f virtual hours per CPU second", name, sum.Tally, sum.used.Seconds(),
				float64(sum.Payments)/sum.used.Seconds(), sum.Virtual.Hours()/sum.used.Seconds())
		}
	}
	for _, what := range slices.Sorted(maps.Keys(r.all.Reached)) {
		t.Logf("reached %6d × %s", r.all.Reached[what], what)
	}
}

// command is how the run was asked for.
func command() string {
	s := "make simulate PROFILE=" + *profileFlag + " SEEDS=" + *seedsFlag
	if *shoppersFlag > 0 {
		s += fmt.Sprint(" SHOPPERS=", *shoppersFlag)
	}
	if *forFlag > 0 {
		s += fmt.Sprint(" FOR=", *forFlag)
	}
	return s + " REPORT=docs/certainty.md"
}

func parseSeeds(list string) (seeds []uint64, err error) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			return nil, err
		}
		last, err := strconv.ParseUint(to, 10, 64)
		if err != nil {
			return nil, err
		}
		for seed := first; seed <= last; seed++ {
			seeds = append(seeds, seed)
		}
	}
	return seeds, nil
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
