// Package cli holds the commands of the program: what they are called, their flags, help and exit codes.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitAsked  = 2 // asked wrongly: arguments or configuration
)

// process is what a command has of the world.
type process struct {
	args    []string
	environ []string
	in      io.Reader
	out     io.Writer
	err     io.Writer
}

// command is one subcommand. Its flags are declared on the set that do gets, which parses them with p.parse.
type command struct {
	name  string // up to three words
	args  string // what follows the flags, for the help
	short string
	long  string
	do    func(ctx context.Context, p process, set *flag.FlagSet) int
}

// commands is every subcommand, in the order of the help.
func commands() []command {
	return []command{
		{"serve", "", "run Tollgate (this is what no command means)", serveHelp, serve},
		{"sandbox", "", "run only the simulated gateways, the issuer bank and the demo shop", sandboxHelp, sandbox},
		{"migrate", "", "make or renew the tables, and exit", migrateHelp, migrate},
		{"doctor", "", "check configuration, database, clocks, keys, gateways and the public address", doctorHelp, doctor},
		{"version", "", "tell which version this is", versionHelp, version},
		{"restored", "", "tell Tollgate that its database was restored from a copy", restoredHelp, restored},
		{"keys new", "", "make an API key", keysNewHelp, keysNew},
		{"keys hash", "", "hash an API key for the configuration file", keysHashHelp, keysHash},
		{"keys revoke", "HASH", "revoke an API key at once", keysRevokeHelp, keysRevoke},
		{"keys seal status", "", "tell which sealing keys are in use, and for how much", sealStatusHelp, sealStatus},
		{"keys seal add", "", "add a sealing key, which opens only", sealAddHelp, sealAdd},
		{"keys seal promote", "KEY", "let a sealing key seal", sealPromoteHelp, sealPromote},
		{"keys seal retire", "KEY", "take out a sealing key that nothing is sealed with", sealRetireHelp, sealRetire},
		{"look preview", "FOLDER", "show how the merchants' payment pages look", lookPreviewHelp, lookPreview},
		{"config accept", "", "accept another public_url for this database", configAcceptHelp, configAccept},
		{"sessions create", "", "create a checkout session", sessionsCreateHelp, sessionsCreate},
		{"sessions show", "SESSION", "show a session", sessionsShowHelp, sessionsShow},
		{"sessions list", "", "list sessions, newest first", sessionsListHelp, sessionsList},
		{"sessions settle", "SESSION", "say what became of a payment that no inquiry could tell", sessionsSettleHelp, sessionsSettle},
		{"cards import", "FILE", "take over saved cards that a gateway keeps already", cardsImportHelp, cardsImport},
		{"reconcile", "", "compare the books with the gateway's, and print what differs", reconcileHelp, reconcile},
		{"events tail", "", "print events as they happen, and forward them to a local address", eventsTailHelp, eventsTail},
		{"events resend", "DELIVERY", "send a webhook delivery again", eventsResendHelp, eventsResend},
	}
}

// Run does what the arguments say and answers the exit code. It ends when ctx does.
func Run(ctx context.Context, args, environ []string, in io.Reader, out, err io.Writer) int {
	return run(ctx, process{args: args, environ: environ, in: in, out: out, err: err})
}

// run finds the command and answers the exit code. Without a command, or with flags first, it serves.
func run(ctx context.Context, p process) int {
	if len(p.args) == 0 {
		return find("serve").run(ctx, p)
	}
	switch first := p.args[0]; {
	case slices.Contains([]string{"-h", "-help", "--help"}, first):
		overview(p.out)
		return exitDone
	case first == "help":
		return help(p)
	case strings.HasPrefix(first, "-"):
		return find("serve").run(ctx, p)
	}
	for words := min(3, len(p.args)); words > 0; words-- {
		if c := find(strings.Join(p.args[:words], " ")); c != nil {
			p.args = p.args[words:]
			return c.run(ctx, p)
		}
	}
	for words := min(2, len(p.args)); words > 0; words-- {
		name, rest := strings.Join(p.args[:words], " "), p.args[words:]
		group := under(name)
		if len(group) == 0 {
			continue
		}
		if len(rest) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, rest[0]) {
			list(p.out, group)
			return exitDone
		}
		if len(rest) == 0 {
			fmt.Fprintf(p.err, "tollgate %s: what of it?\n\n", name)
		} else {
			fmt.Fprintf(p.err, "tollgate %s: there is no %q\n\n", name, rest[0])
		}
		list(p.err, group)
		return exitAsked
	}
	fmt.Fprintf(p.err, "tollgate: there is no command %q; tollgate help lists them\n", p.args[0])
	return exitAsked
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return &c
		}
	}
	return nil
}

// under is every command of a group.
func under(group string) (found []command) {
	for _, c := range commands() {
		if strings.HasPrefix(c.name, group+" ") {
			found = append(found, c)
		}
	}
	return found
}

func (c *command) run(ctx context.Context, p process) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	return c.do(ctx, p, set)
}

// parse reads the flags and checks how many arguments follow. ok is false where the command must end with the code.
func (p process) parse(set *flag.FlagSet, arguments int) (code int, ok bool) {
	c := find(set.Name())
	err := set.Parse(p.args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(p.out, set)
		return exitDone, false
	case err != nil:
		fmt.Fprintf(p.err, "tollgate %s: %v\n\n", c.name, err)
		c.help(p.err, set)
		return exitAsked, false
	case set.NArg() > arguments:
		fmt.Fprintf(p.err, "tollgate %s: what is %q?\n", c.name, set.Arg(arguments))
		return exitAsked, false
	case set.NArg() < arguments:
		fmt.Fprintf(p.err, "tollgate %s: %s is missing\n", c.name, c.args)
		return exitAsked, false
	}
	return 0, true
}

func help(p process) int {
	name := strings.Join(p.args[1:], " ")
	if name == "" {
		overview(p.out)
		return exitDone
	}
	if c := find(name); c != nil {
		p.args = []string{"-h"}
		return c.run(context.Background(), p)
	}
	if group := under(name); len(group) > 0 {
		list(p.out, group)
		return exitDone
	}
	fmt.Fprintf(p.err, "tollgate: there is no command %q; tollgate help lists them\n", name)
	return exitAsked
}

func overview(w io.Writer) {
	fmt.Fprint(w, `Tollgate is a self-hosted web front for card payments.

Usage: tollgate [command] [flags]

Without a configuration file it is the sandbox: simulated gateways, a demo shop, test cards.

`)
	list(w, commands())
	fmt.Fprint(w, `
tollgate help COMMAND tells more of one. Commands about sessions and events talk to a running Tollgate:
TOLLGATE_URL says where it is (default http://127.0.0.1:8080), TOLLGATE_API_KEY who asks (default: the sandbox's demo key).

Exit codes: 0 done, 1 failed, 2 asked wrongly.
`)
}

func list(w io.Writer, commands []command) {
	for _, c := range commands {
		fmt.Fprintf(w, "  %-17s %s\n", c.name, c.short)
	}
}

// help prints what a command does and its flags.
func (c *command) help(w io.Writer, set *flag.FlagSet) {
	usage := "tollgate " + c.name
	flags := false
	set.VisitAll(func(*flag.Flag) { flags = true })
	if flags {
		usage += " [flags]"
	}
	if c.args != "" {
		usage += " " + c.args
	}
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", usage, c.long)
	if flags {
		fmt.Fprintln(w, "\nFlags:")
	}
	set.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(w, "  -%-24s %s\n", f.Name+value, text)
	})
}
