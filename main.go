// Command tollgate is a self-hosted web front for card payments. Without a configuration it is the sandbox.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tollgate/internal/cli"
)

func main() {
	// A terminal that goes away, or a service manager that reloads, stops Tollgate as it should be stopped: it drains.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
