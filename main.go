// Command tollgate is a self-hosted web front for card payments. Without a configuration it is the sandbox.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is main with everything of the process handed in. It answers the exit code: 0 stopped as asked, 1 failed, 2 asked wrongly.
func run(args, environ []string, stdout, stderr io.Writer) int {
	var flags config.Flags
	set := flag.NewFlagSet("tollgate", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&flags.Listen, "listen", "", "address of the payment pages and the API (default 127.0.0.1:8080)")
	set.StringVar(&flags.SandboxListen, "sandbox-listen", "", "address of the sandbox (default localhost:8081)")
	set.StringVar(&flags.Data, "data", "", "data folder (default ./data)")
	set.StringVar(&flags.Config, "config", "", "configuration file; without one Tollgate is the sandbox")
	if err := set.Parse(args); err != nil {
		return 2
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "tollgate: what is %q?\n", set.Arg(0))
		return 2
	}
	c, err := config.Load(flags, environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a, err := app.New(ctx, app.Options{Config: c, Log: slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		fmt.Fprintln(stderr, "tollgate:", err)
		return 1
	}
	greet(stdout, a, c.Sandbox)
	if err := a.Run(ctx); err != nil {
		fmt.Fprintln(stderr, "tollgate:", err)
		return 1
	}
	return 0
}

// greet prints what somebody who just started it needs.
func greet(w io.Writer, a *app.App, sandbox bool) {
	fmt.Fprintf(w, "Tollgate is at   %s\n", a.FrontURL)
	if !sandbox {
		return
	}
	fmt.Fprintf(w, `Demo shop:       %s/shop     pay here
Sandbox console: %s/

API key:         Authorization: Bearer %s
Test card:       4000 0199 0002 0720, any future expiry, CVC 123 (asks for a code: 1234)

Gateways' demo credentials:
`, a.SandboxURL, a.SandboxURL, app.DemoKey)
	all := a.Credentials()
	for _, gateway := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(w, "  %-14s", gateway)
		for _, name := range slices.Sorted(maps.Keys(all[gateway])) {
			fmt.Fprintf(w, " %s=%s", name, all[gateway][name])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}
