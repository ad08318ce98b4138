package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

const sealStatusHelp = `Tells of each sealing key whether it seals, on which machines, and how many of the values that
the database keeps are sealed with it. It changes nothing, and may be asked while Tollgate runs. The exit code is 1
where something cannot be opened, or a start with the key file would be refused.`

const sealAddHelp = `Puts a new key into the key file, in a line that begins with "open:": it opens what others seal
with it, and does not seal. Copy the file to every machine and restart each; then tollgate keys seal promote.
docs/operations.md has the whole rotation.`

const sealPromoteHelp = `Makes a key of the key file the one that seals; the others open only. Every machine must have
the key already. Copy the file to every machine and restart each; the fronts then seal anew, by themselves, what the
database keeps.`

const sealRetireHelp = `Takes a key out of the key file, if nothing that the database keeps is sealed with it, no
machine seals with it, and a day has passed since, in which cookies, forms and payments under way have come back or
ended. With -at-once it does not wait for these: for a key that others may know. Copy the file to every machine and restart each.`

const configAcceptHelp = `Makes the public_url of the configuration the one that every front of this database has to
have. Stop every front first: payments under way were given addresses that begin with the old one, so let the proxy
answer at both for a day.`

// readConfig parses a command line that has so many arguments, and reads the configuration. Where it fails, the code is to be exited
// with, and everything was said.
func readConfig(p process, set *flag.FlagSet, arguments int) (config.Config, int, bool) {
	flags := settings(set)
	if code, ok := p.parse(set, arguments); !ok {
		return config.Config{}, code, false
	}
	c, faults := configured(*flags, p.environ)
	if len(faults) > 0 {
		fmt.Fprintln(p.err, faults)
		return c, exitAsked, false
	}
	return c, exitDone, true
}

func sealStatus(ctx context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	s, err := app.LookAtSeals(ctx, c)
	if err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintf(p.out, "%-9s %-12s %8s  %s\n", "key", "in the file", "values", "")
	for _, k := range s.Keys {
		id, here, says := k.ID, "-", []string(nil)
		switch {
		case k.ID == "":
			if id = "(none)"; k.Values == 0 {
				continue
			}
			says = append(says, "sealed by an earlier version")
		case k.Here && k.Seals:
			here = "seals"
		case k.Here:
			here = "opens"
		}
		if len(k.Fronts) > 0 {
			says = append(says, "seals on "+strings.Join(k.Fronts, ", "))
		}
		switch {
		case !k.Retired.IsZero():
			says = append(says, "retired on "+k.Retired.Format(time.DateOnly))
		case k.ID != "" && k.Since.IsZero():
			says = append(says, "has not sealed yet")
		case k.Here && k.Clean() && time.Now().Before(k.RemovableAt()):
			says = append(says, "nothing is sealed with it; may be taken out from "+k.RemovableAt().UTC().Format(time.RFC3339)+
				", when what left the house is over")
		case k.Here && k.Clean():
			says = append(says, "may be taken out: tollgate keys seal retire "+k.ID)
		}
		fmt.Fprintf(p.out, "%-9s %-12s %8d  %s\n", id, here, k.Values, strings.Join(says, "; "))
	}
	if s.Prints != "" {
		fmt.Fprintf(p.out, "\nfingerprints of cards: key %s, the database's own\n", s.Prints)
	}
	if s.Lost > 0 {
		fmt.Fprintf(p.out, "\n%d of %d values cannot be opened with the keys of %s\n", s.Lost, s.Kept, c.KeysFile)
		code = exitFailed
	}
	if s.Fault != nil {
		fmt.Fprintf(p.out, "\na start with %s is refused: %v\n", c.KeysFile, s.Fault)
		code = exitFailed
	}
	return code
}

func (p process) failed(set *flag.FlagSet, err error) int {
	fmt.Fprintf(p.err, "tollgate %s: %v\n", set.Name(), err)
	return exitFailed
}

func sealAdd(_ context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	id, err := app.AddSealingKey(c)
	if err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintf(p.out, "%s opens now, in %s\n"+
		"Copy the file to every machine and restart each, then: tollgate keys seal promote %s\n", id, c.KeysFile, id)
	return exitDone
}

func sealPromote(_ context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 1)
	if !ok {
		return code
	}
	if err := app.PromoteSealingKey(c, set.Arg(0)); err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintf(p.out, "%s seals now, in %s\n"+
		"Copy the file to every machine and restart each, then see: tollgate keys seal status\n", set.Arg(0), c.KeysFile)
	return exitDone
}

func sealRetire(ctx context.Context, p process, set *flag.FlagSet) int {
	atOnce := set.Bool("at-once", false, "do not wait until what left the house is over")
	c, code, ok := readConfig(p, set, 1)
	if !ok {
		return code
	}
	if err := app.RetireSealingKey(ctx, c, set.Arg(0), time.Now(), *atOnce); err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintf(p.out, "%s is no longer in %s\nCopy the file to every machine and restart each\n", set.Arg(0), c.KeysFile)
	return exitDone
}

func configAccept(ctx context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	if c.Sandbox {
		fmt.Fprintln(p.err, "tollgate config accept: the sandbox has no public_url")
		return exitAsked
	}
	before, err := app.AcceptAddress(ctx, c)
	if err != nil {
		return p.failed(set, err)
	}
	if before == "" {
		before = "none"
	}
	fmt.Fprintf(p.out, "public_url: %s (before: %s)\n", c.PublicURL, before)
	return exitDone
}
