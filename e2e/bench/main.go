// Command bench measures Tollgate as a whole: front and sandbox are processes of their own, shoppers come by HTTP, and in the
// same run, in turns, it measures what no program could beat on this machine: a bare net/http server and bare commits.
//
//	go run ./e2e/bench [-rounds 5] [-seconds 5] [-rows pages,closed,open,create,streams] [-database postgres://…] [-fronts 1] [-profile FOLDER]
//
// It prints one line for each figure: the median of the rounds, the smallest and the largest, and the limit beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	rounds   int
	window   time.Duration
	rows     []string
	database string
	fronts   int
	shoppers int
	streams  int
	sessions int
	hostile  int
	kinds    []string
	rate     float64
	profile  string
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] { // the other processes of a run
		case "front":
			exit(front(os.Args[2:]))
		case "sandbox":
			exit(sandbox(os.Args[2:]))
		case "bare":
			exit(bare(os.Args[2:]))
		}
	}
	var s settings
	var rows string
	flag.IntVar(&s.rounds, "rounds", 5, "`WINDOWS` of each kind; they take turns")
	flag.DurationVar(&s.window, "window", 5*time.Second, "length of a window")
	flag.StringVar(&rows, "rows", "pages,closed,open,create", "what to measure, of pages, closed, open, create, streams, history, hostile")
	flag.StringVar(&s.database, "database", "", "`URL` of PostgreSQL; SQLite without")
	flag.IntVar(&s.fronts, "fronts", 1, "front processes, with PostgreSQL")
	flag.IntVar(&s.shoppers, "shoppers", 24, "shoppers of the closed loop")
	flag.IntVar(&s.streams, "streams", 5000, "waiting pages of the row streams")
	flag.IntVar(&s.sessions, "sessions", 1_000_000, "sessions of the past in the row history")
	flag.StringVar(&s.profile, "profile", "", "`FOLDER` for a CPU profile of the front in each kind of window")
	flag.IntVar(&s.hostile, "n", 20_000, "hostile requests of each kind, from one address and from a thousand, of the row hostile")
	flag.Float64Var(&s.rate, "rate", 300, "hostile requests a second")
	flag.Func("kinds", "hostile `KINDS`, with commas between them; all without", func(text string) error {
		s.kinds = strings.Split(text, ",")
		return nil
	})
	flag.Parse()
	s.rows = strings.Split(rows, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, s settings) error {
	w, err := startWorld(ctx, s)
	if err != nil {
		return err
	}
	defer w.stop()
	t := &table{}
	fmt.Printf("%d cores, %s, %d windows of %v each, %s\n\n", runtime.NumCPU(), runtime.Version(), s.rounds, s.window, w.engine())
	for _, row := range []struct {
		name string
		do   func(context.Context, *world, settings, *table) error
	}{{"pages", pages}, {"closed", closedLoop}, {"open", openLoop}, {"create", creates}, {"streams", waiting}, {"history", history}, {"hostile", hostile}} {
		if !slices.Contains(s.rows, row.name) {
			continue
		}
		if err := row.do(ctx, w, s, t); err != nil {
			t.print(os.Stdout)
			return fmt.Errorf("%s: %w", row.name, err)
		}
		t.print(os.Stdout)
	}
	return ctx.Err()
}
