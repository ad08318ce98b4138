package cli

import (
	"context"
	"flag"
	"fmt"

	"tollgate/internal/app"
)

const versionHelp = `Prints the version, the commit it was made from, and the version of Go.`

func version(_ context.Context, p process, set *flag.FlagSet) int {
	if code, ok := p.parse(set, 0); !ok {
		return code
	}
	b := app.BuildOf()
	commit := b.Revision
	if commit == "" {
		commit = "of an unknown commit"
	} else if b.Changed {
		commit += " with changes"
	}
	fmt.Fprintf(p.out, "tollgate %s %s, %s\n", b.Version, commit, b.Go)
	return exitDone
}
