package cli

import (
	"context"
	"flag"
	"fmt"
	"time"

	"tollgate/internal/app"
)

const restoredHelp = `Run this after a backup was put in the place of the database, before Tollgate starts again. What was paid
after the backup was made is not in it, and the shop may post those orders again: from now on every order is asked about at its
gateway before any money is sent for it. -copied says when the backup was made; the gateways' lists are then read from that
time on, and otherwise as far as they go.`

func restored(ctx context.Context, p process, set *flag.FlagSet) int {
	copied := set.String("copied", "", "`when` the backup was made, such as 2026-11-27T03:00:00Z")
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	var at time.Time
	if *copied != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, *copied); err != nil {
			fmt.Fprintf(p.err, "tollgate restored: -copied: %q is not a time such as 2026-11-27T03:00:00Z\n", *copied)
			return exitAsked
		}
	}
	if at.After(time.Now()) {
		fmt.Fprintf(p.err, "tollgate restored: -copied: %s is still to come\n", *copied)
		return exitAsked
	}
	if err := app.DeclareRestored(ctx, c, at); err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintln(p.out, "written down: every order is asked about at its gateway before any money is sent for it")
	return exitDone
}
