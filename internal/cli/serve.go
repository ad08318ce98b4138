package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

const serveHelp = `Runs the payment pages and the merchant API until it is interrupted, then lets running requests and gateway calls end.
Without a configuration file the sandbox runs beside it. Settings come from defaults, the file, the environment
(TOLLGATE_LISTEN, TOLLGATE_DATA, TOLLGATE_DATABASE_URL, …) and these flags; the later wins. tollgate.example.toml explains
every setting.`

const sandboxHelp = `Runs the simulated gateways, the issuer bank, the demo shop and the console, and no front: for a Tollgate that runs
elsewhere with a configuration of its own, whose accounts point here. It prints the gateways' addresses and credentials.`

const migrateHelp = `Makes or renews the tables and exits. Every start does the same; this is for those who let nobody else do it.`

const doctorHelp = `Looks at the configuration and at everything it leads to, changes nothing, and says what to do about what is wrong.
The exit code is 1 where something is.`

// settings declares the flags that decide the configuration.
func settings(set *flag.FlagSet) *config.Flags {
	f := &config.Flags{}
	set.StringVar(&f.Config, "config", "", "configuration `FILE`; without one Tollgate is the sandbox")
	set.StringVar(&f.Listen, "listen", "", "`ADDRESS` of the payment pages and the API (default 127.0.0.1:8080)")
	set.StringVar(&f.SandboxListen, "sandbox-listen", "", "`ADDRESS` of the sandbox (default localhost:8081)")
	set.BoolVar(&f.SandboxAnywhere, "sandbox-anywhere", false, "let the sandbox listen for other machines, whose key everybody knows")
	set.StringVar(&f.Data, "data", "", "data `FOLDER` (default ./data)")
	return f
}

// configured reads the configuration with all that can be wrong with it, the gateways' settings as well.
func configured(flags config.Flags, environ []string) (config.Config, config.Faults) {
	c, err := config.Load(flags, environ)
	faults, _ := err.(config.Faults)
	if err != nil && faults == nil {
		faults = config.Faults{err.Error()}
	}
	return c, append(faults, app.Check(c)...)
}

func serve(ctx context.Context, p process, set *flag.FlagSet) int {
	return start(ctx, p, set, app.Both)
}

func sandbox(ctx context.Context, p process, set *flag.FlagSet) int {
	return start(ctx, p, set, app.Sandbox)
}

func start(ctx context.Context, p process, set *flag.FlagSet, role app.Role) int {
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	if role == app.Sandbox && !c.Sandbox {
		fmt.Fprintln(p.err, "tollgate sandbox: takes no configuration file; leave out -config and TOLLGATE_CONFIG")
		return exitAsked
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		fmt.Fprintln(p.err, err)
		return exitAsked
	}
	stream := app.NewStream(p.err) // a pipe that nobody reads holds no request up
	var events io.Writer = stream
	if file, err := app.SecurityFile(c); err != nil {
		fmt.Fprintln(p.err, "tollgate: security_log:", err)
		return exitFailed
	} else if file != nil {
		defer file.Close()
		events = file
	}
	a, err := app.New(ctx, app.Options{Config: c, Role: role, Security: events, LogStream: stream,
		Log: slog.New(slog.NewJSONHandler(stream, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		fmt.Fprintln(p.err, "tollgate:", err)
		return exitFailed
	}
	greet(p.out, a, c.Sandbox, role)
	if err := a.Run(ctx); err != nil {
		fmt.Fprintln(p.err, "tollgate:", err)
		return exitFailed
	}
	return exitDone
}

// greet prints what somebody who just started it needs.
func greet(w io.Writer, a *app.App, sandbox bool, role app.Role) {
	if role == app.Sandbox {
		fmt.Fprintf(w, "The sandbox is at %s/\nIts shop buys at  %s\n\nTest card: 4000 0199 0002 0720, any future expiry, CVC 123 (asks for a code: 1234)\n\n", a.SandboxURL, a.FrontURL)
		fmt.Fprintf(w, "Gateways' demo credentials, as accounts for the configuration of a front with test_mode = true:\n\n%s\n", a.DemoAccounts())
		return
	}
	fmt.Fprintf(w, "Tollgate is at   %s\n", a.FrontURL)
	if !sandbox {
		return
	}
	fmt.Fprintf(w, `Demo shop:       %s/shop     pay here
Sandbox console: %s/
API, described:  %s/docs

API key:         Authorization: Bearer %s
Test card:       4000 0199 0002 0720, any future expiry, CVC 123 (asks for a code: 1234)

`, a.SandboxURL, a.SandboxURL, a.FrontURL, app.DemoKey)
	credentials(w, a)
}

func credentials(w io.Writer, a *app.App) {
	fmt.Fprintln(w, "Gateways' demo credentials:")
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

func migrate(ctx context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 0)
	if !ok {
		return code
	}
	where, err := app.Migrate(ctx, c)
	if err != nil {
		fmt.Fprintln(p.err, "tollgate migrate:", err)
		return exitFailed
	}
	fmt.Fprintf(p.out, "%s: the tables are up to date\n", where)
	return exitDone
}

func doctor(ctx context.Context, p process, set *flag.FlagSet) int {
	flags := settings(set)
	pages := set.Bool("pages", false, "compare the pages that the public address serves with the inventory (docs/scripts.md)")
	if code, ok := p.parse(set, 0); !ok {
		return code
	}
	c, faults := configured(*flags, p.environ)
	findings := []app.Finding{}
	for _, f := range faults {
		findings = append(findings, app.Finding{Wrong: true, What: "configuration: " + f,
			Do: "correct it; tollgate.example.toml explains every setting"})
	}
	switch {
	case len(faults) > 0: // nothing behind a wrong setting is worth a look
	case c.Sandbox:
		findings = append(findings, app.Finding{What: "configuration: none, this is the sandbox"})
	default:
		findings = append(findings, app.Finding{What: "configuration: fine"})
	}
	if len(faults) == 0 {
		findings = append(findings, app.Doctor(ctx, c, app.DoctorOptions{Pages: *pages})...)
	}
	wrong := 0
	for _, f := range findings {
		mark := "ok   "
		switch {
		case f.Wrong:
			mark = "WRONG"
			wrong++
		case f.Do != "":
			mark = "note "
		}
		fmt.Fprintf(p.out, "%s  %s\n", mark, f.What)
		if f.Do != "" {
			fmt.Fprintf(p.out, "       -> %s\n", f.Do)
		}
	}
	if wrong > 0 {
		fmt.Fprintf(p.out, "\n%d of %d are wrong\n", wrong, len(findings))
		return exitFailed
	}
	fmt.Fprintln(p.out, "\nnothing is wrong")
	return exitDone
}
