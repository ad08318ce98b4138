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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
