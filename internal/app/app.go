// Package app builds everything from Options and runs it.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/handlers"
	"tollgate/internal/brake"
	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/i18n"
	"tollgate/internal/invoice"
	"tollgate/internal/jobs"
	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/session"
	"tollgate/session/browser"
	"tollgate/session/flow"
)

// Role says what of Tollgate a process is.
type Role int

// What a process can be.
const (
	Both    Role = iota // the front, and in sandbox mode the sandbox beside it
	Front               // the front only; its accounts point at a sandbox elsewhere
	Sandbox             // the simulators only
)

// Options are what a start can be given; the zero value of each but Config is filled in.
type Options struct {
	Config          config.Config
	Role            Role
	Clock           *clock.Clock // shared by front and sandbox
	Rand            io.Reader
	Log             *slog.Logger
	Security        io.Writer            // the security log, a line for each write; nil: none is kept
	LogStream       *Stream              // what Log writes to, where that may stall; nil: it is not looked at
	FrontListener   net.Listener         // in place of Config.Listen
	SandboxListener net.Listener         // in place of Config.SandboxListen
	SandboxURL      string               // Front only: where the sandbox is
	At              func(place string)   // see flow.Options
	Tune            func(*config.Config) // the last word on what the sandbox would configure, for tests

	// What follows is for a simulation, which runs many processes in one and owns their network, disk and chance.
	// A program of its own leaves all of it empty.

	// Free tells how many bytes the data folder's disk has left; nil: the system's word.
	Free func(folder string) (uint64, error)

	Name      string        // of this process, in leases; "": the host's
	Dial      Dialer        // every way out: to gateways, webhook receivers and, of the sandbox, to the front; nil: the network
	SQLite    SQLiteDriver  // reaches the data file in place of the built-in engine; nil: that engine
	Shared    bool          // SQLite: other processes of the simulation use the same file
	Poll      time.Duration // how often the queues look for work that nobody woke them for; 0: as often as they think best
	Beat      time.Duration // between two signs of life to the other fronts; 0: frontBeat
	NoBrake   bool          // takes on all that is new, however busy the machine is: for tests beside other tests
	JobChance func() uint64 // worker names and the spread of retries; safe for concurrent use; nil: math/rand
}

// Dialer connects to an address, as net.Dialer.DialContext does.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// SQLiteDriver makes the connections to a data file; see sqlstore.Options.
type SQLiteDriver = func(dsn string) driver.Connector

// App is a Tollgate that was built and not yet run.
type App struct {
	o        Options
	log      *slog.Logger
	store    *sqlstore.Store
	cards    *wallet.Wallet
	flow     *flow.Flow
	runner   atomic.Pointer[jobs.Runner]     // the same
	webhooks atomic.Pointer[webhook.Service] // the store, opened first, tells it of changes
	front    *http.Server
	sandbox  *sandboxParts
	metrics  *metrics
	security *security.Log
	streams  logStreams
	alarms   sync.WaitGroup // that are being told
	keys     *browser.Keys
	me       sqlstore.Front // as the other fronts know it
	joined   bool
	tls      *tls.Config // of calls to gateways; nil: the system's roots
	// installation is what the fronts of one database are known by to whoever asks whether they are ready.
	installation string
	unready      atomic.Pointer[string] // why this front takes no payments now; "" while it does
	time         *serverTime
	hub          *flow.Hub
	brake        *brake.Brake
	FrontURL     string
	SandboxURL   string

	frontListener, sandboxListener, metricsListener net.Listener
}

// New opens the store, the listeners and the accounts. What makes the database not ours to work on is found before anything
// listens. All faults of the configuration come at once, as config.Faults.
func New(ctx context.Context, o Options) (a *App, err error) {
	if o.Clock == nil {
		o.Clock = &clock.Clock{}
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = slog.New(boundedLog{o.Log.Handler()})
	a = &App{o: o, log: o.Log}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	a.openSecurityLog()
	if o.Role != Sandbox {
		if err := a.openStore(ctx); err != nil {
			return a, err
		}
	}
	if err := a.listen(); err != nil {
		return a, err
	}
	if a.sandboxListener != nil {
		if a.sandbox, err = a.buildSandbox(); err != nil {
			return a, err
		}
	}
	if o.Role == Sandbox {
		return a, nil
	}
	return a, a.buildFront(ctx)
}

// listen takes the addresses first: they are part of what is configured.
func (a *App) listen() (err error) {
	c := &a.o.Config
	if a.frontListener = a.o.FrontListener; a.frontListener == nil && a.o.Role != Sandbox {
		if a.frontListener, err = net.Listen("tcp", c.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	if a.frontListener != nil {
		a.FrontURL = c.PublicURL
		if a.FrontURL == "" {
			a.FrontURL = "http://" + reachable(a.frontListener.Addr(), "127.0.0.1")
		}
	} else {
		a.FrontURL = "http://" + strings.Replace(c.Listen, "0.0.0.0", "127.0.0.1", 1)
	}
	a.SandboxURL = a.o.SandboxURL
	if c.Sandbox && a.o.Role != Front {
		if a.sandboxListener = a.o.SandboxListener; a.sandboxListener == nil {
			if a.sandboxListener, err = net.Listen("tcp", c.SandboxListen); err != nil {
				return fmt.Errorf("sandbox_listen: %w", err)
			}
		}
		// Another site than the front's, so that cookies behave as they do between a shop and a bank.
		a.SandboxURL = "http://" + reachable(a.sandboxListener.Addr(), "localhost")
	}
	if c.Metrics != "" && a.o.Role != Sandbox {
		if a.metricsListener, err = net.Listen("tcp", c.Metrics); err != nil {
			return fmt.Errorf("metrics_listen: %w", err)
		}
	}
	return nil
}

// reachable is host:port of a listener as a browser on this machine would write it.
func reachable(addr net.Addr, loopbackName string) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = loopbackName
	}
	return net.JoinHostPort(host, port)
}

// openStore opens the database and sees that this front may work on it.
func (a *App) openStore(ctx context.Context) (err error) {
	c := a.o.Config
	a.hub = &flow.Hub{}
	a.brake = brake.New(time.Now) // by the machine's clock: it measures the machine
	waited := func(d time.Duration) { a.brake.Waited("change", d) }
	if a.o.SQLite != nil { // the disk is simulated, and its delays are faults
		waited = nil
	}
	a.store, err = sqlstore.Open(ctx, sqlstore.Options{
		URL: c.DatabaseURL, Dir: c.Data, Now: a.o.Clock.Now, Log: a.log, SQLite: a.o.SQLite, Shared: a.o.Shared,
		Waited: waited, Failed: a.o.Clock.Doubt,
		OnSession: func(id string) {
			a.hub.Changed(id)
			a.wakeWebhooks()
		},
		OnJobs: func() {
			if r := a.runner.Load(); r != nil {
				r.Wake()
			}
		},
	})
	if err != nil {
		return err
	}
	a.time = newServerTime(a)
	if err := a.time.follow(ctx); err != nil {
		return err
	}
	if err := a.openKeys(ctx); err != nil {
		return err
	}
	if _, err := a.store.Memory(ctx); err != nil { // from now on it is watched whether the database forgets
		return err
	}
	switch weak, err := a.store.Durability(ctx); {
	case err != nil:
		return err
	case weak != "":
		a.log.Warn("the database may forget payments: "+weak, "see", "docs/operations.md, What PostgreSQL must be set to")
	}
	if err := a.agreeOnAddress(ctx); err != nil {
		return err
	}
	if err := a.noteChanges(ctx); err != nil {
		return err
	}
	var b [8]byte
	if _, err := io.ReadFull(a.o.Rand, b[:]); err != nil {
		return err
	}
	a.installation, err = a.store.Agree(ctx, sqlstore.Installation, hex.EncodeToString(b[:]))
	return err
}

// runDue has what waits for calls of dead processes run now, in a store that no other process uses.
func runDue(ctx context.Context, a *App) error {
	if !a.store.Alone() {
		return nil
	}
	now := a.o.Clock.Now()
	kinds, by := session.DueAtStart(now, a.store.Committed())
	if by.After(now.Add(time.Hour / 2)) {
		a.log.Warn("the clock has gone back since the last start", "last commit", a.store.Committed())
	}
	return a.store.RunNow(ctx, now, by, kinds...)
}

func (a *App) buildFront(ctx context.Context) error {
	c := a.o.Config
	if c.Sandbox {
		a.demo(&c)
	}
	if a.o.Tune != nil {
		a.o.Tune(&c)
	}
	a.o.Config = c
	a.metrics = newMetrics()
	accounts, accountErr := a.accounts(c)
	merchants, merchantErr := c.Directory()
	if err := errors.Join(accountErr, merchantErr); err != nil {
		return err
	}
	texts, err := i18n.New()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	host = cmp.Or(a.o.Name, host)
	runner := jobs.New(a.store, jobs.Options{
		Now: a.o.Clock.Now, Name: host, Workers: jobWorkers, Log: a.log, Poll: a.o.Poll, Chance: a.o.JobChance,
		Waited: func(d time.Duration) { a.brake.Full("worker", d) },
	})
	a.runner.Store(runner)
	keys := sealer{a.keys, a.log}
	cards, bills := a.keepers(accounts, keys)
	a.cards = cards
	limits := a.limiter(c)
	store := outcomes{a.store, limits}
	a.flow = flow.New(flow.Options{
		Store: store, Wallet: cards, Accounts: accounts, Sealer: keys, Hub: a.hub, Now: a.o.Clock.Now, Sure: a.time.sure, Rand: a.o.Rand,
		Bills: bills, BaseURL: a.FrontURL, Log: a.log, At: a.o.At, Alone: a.store.Alone(),
		Memory: a.store.Memory, Owners: owners(c.Merchants, merchants, a.store), Lived: a.metrics.lived,
	})
	if err := runDue(ctx, a); err != nil {
		return err
	}
	handleAll(runner, a.flow.Jobs(), bills.Jobs())
	lines := a.store.Webhooks()
	lines.SetReserve(webhookSenders / 4)
	hooks := webhook.New(webhook.Options{
		Store: lines, Sealer: keys, Types: append(session.EventTypes(), invoice.EventTypes()...), Guard: a.guard(c),
		Now: a.o.Clock.Now, Rand: a.o.Rand,
		Senders: webhookSenders, Name: host, Log: a.log, Poll: a.o.Poll, JobChance: a.o.JobChance,
	})
	a.webhooks.Store(hooks)
	stopping := make(chan struct{})
	var brakes handlers.Brake // nil: none
	if !a.o.NoBrake {
		brakes = a.brake
	}
	front := handlers.Options{
		Flow: a.flow, Store: store, Limits: limits, Security: a.security,
		Customers: a.store, Wallet: cards, Invoices: bills, Merchants: merchants, Tags: a.store,
		Books:       flow.BooksOf(a.flow),
		Revocations: a.store, Idempotency: a.store.Idempotency(), AloneSince: a.aloneSince(), Webhooks: hooks,
		History: a.store, Texts: texts,
		Now: a.o.Clock.Now, Rand: a.o.Rand,
		Browsers: browser.New(a.store.Browser(), a.keys, strings.HasPrefix(a.FrontURL, "https://"), a.o.Clock.Now, a.o.Rand, a.log),
		BaseURL:  a.FrontURL, Sandbox: c.Testing(), Ready: a.ready, Installation: a.installation, Log: a.log, Observe: a.metrics.observe,
		MaxStreams: c.MaxStreams, Stopping: stopping, Brake: brakes,
		IP:       clientIP(c.TrustedProxies),
		Away:     away,
		Violated: func(directive, page string) { a.metrics.violations.WithLabelValues(directive, page).Inc() },
	}
	if err := mailReceipts(runner, &front, c, keys); err != nil {
		return err
	}
	e := handlers.New(front)
	a.metrics.watch(a.store, a.flow, runner)
	a.metrics.clock(a.o.Clock)
	a.metrics.logs(a.streams.lost)
	a.metrics.brake(a.brake)
	a.front = server(e, a.log)
	a.front.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) }))
	a.warn(ctx)
	return nil
}

// guard is what webhooks may be sent to.
func (a *App) guard(c config.Config) *webhook.Guard {
	g := &webhook.Guard{Sandbox: c.Testing(), Dial: a.o.Dial}
	for _, p := range c.WebhookNetworks {
		if network, err := netip.ParsePrefix(p); err == nil {
			g.Allow = append(g.Allow, network.Masked())
		}
	}
	return g
}

// jobWorkers is how many inquiries and answers may be out at once.
const jobWorkers = 64

// webhookSenders is how many webhook endpoints are posted to at once.
const webhookSenders = 256

// Wake has the queues look now for what is due. Whoever moved the clock calls it.
func (a *App) Wake() {
	if r := a.runner.Load(); r != nil {
		r.Wake()
	}
	a.wakeWebhooks()
}

func (a *App) wakeWebhooks() {
	if w := a.webhooks.Load(); w != nil {
		w.Wake()
	}
}

// clientIP believes X-Forwarded-For only from the configured networks.
func clientIP(proxies []string) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		if _, network, err := net.ParseCIDR(p); err == nil {
			trust = append(trust, echo.TrustIPRange(network))
		}
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// Grace is how long a stopping process lets requests and gateway calls end.
const Grace = 30 * time.Second

// Run serves until ctx ends, then drains: no new requests, running calls to their end, leases given back.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	a.security.Record(security.Entry{Kind: security.Started, Outcome: "ok"})
	defer a.streams.drain()
	defer a.security.Record(security.Entry{Kind: security.Stopped, Outcome: "ok"})
	failed := make(chan error, 4)
	running := 0
	serve := func(s *http.Server, l net.Listener, most int) {
		running++
		of := a.connections(most)
		s.ConnState, l = of.state, bounded{l, of}
		go func() {
			err := s.Serve(l)
			if errors.Is(err, http.ErrServerClosed) {
				err = nil
			}
			failed <- err
		}()
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var background sync.WaitGroup // what a stop waits for
	if a.front != nil {
		background.Go(func() {
			if err := a.runner.Load().Run(work); err != nil && !errors.Is(err, context.Canceled) {
				a.log.Error("jobs stopped", "error", err)
			}
		})
		background.Go(func() {
			if err := a.webhooks.Load().Run(work); err != nil {
				a.log.Error("webhooks stopped", "error", err)
			}
		})
		background.Go(func() { a.watch(work) })
		background.Go(func() { a.refreshCards(work) })
		go a.sweep(work)
		background.Go(func() { a.watchPages(work) })
		serve(a.front, a.frontListener, a.o.Config.ConnectionCap())
	}
	var metricsServer *http.Server
	if a.metricsListener != nil {
		metricsServer = server(a.metrics.handler(), a.log)
		serve(metricsServer, a.metricsListener, metricsConnections)
	}
	if a.sandbox != nil {
		go a.sandbox.run(work)
		serve(a.sandbox.server, a.sandboxListener, a.o.Config.ConnectionCap())
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		running--
	}
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer done()
	if a.front != nil {
		if shutErr := shut(drain, a.front); shutErr != nil {
			a.log.Warn("requests were cut off", "error", shutErr)
		}
		a.flow.Close(drain)
	}
	stopWork()
	background.Wait()
	a.alarms.Wait()
	if metricsServer != nil {
		_ = metricsServer.Close()
	}
	if a.sandbox != nil {
		_ = a.sandbox.server.Close()
	}
	for range running {
		err = errors.Join(err, <-failed)
	}
	return err
}

func handleAll(runner *jobs.Runner, of ...map[string]func(context.Context, jobs.Job) error) {
	for _, all := range of {
		for kind, do := range all {
			runner.Handle(kind, do)
		}
	}
}

// refreshCards asks the gateways, now and then, how they keep the saved cards.
func (a *App) refreshCards(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.cards.RefreshDue(ctx)
		}
	}
}

// metricsConnections is how many clients may look at the metrics at once.
const metricsConnections = 64

// connections bounds those of a listener.
func (a *App) connections(most int) *connections {
	of := &connections{most: places(most)}
	for _, p := range a.o.Config.TrustedProxies {
		if network, err := netip.ParsePrefix(p); err == nil {
			of.proxies = append(of.proxies, network)
		}
	}
	if of.most < most {
		a.log.Warn("this process may open few files: it holds fewer connections than it is set to", "connections", of.most, "set", most)
	}
	if a.metrics != nil {
		of.refused = func(why string) { a.metrics.refused.WithLabelValues(why).Inc() }
	}
	return of
}

// sweep drops browser sessions whose time is over.
func (a *App) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.store.Browser().Sweep(ctx); err != nil {
				a.log.Warn("browser sessions were not swept", "error", err)
			}
			if err := a.store.Limits().Sweep(ctx); err != nil {
				a.log.Warn("limits were not swept", "error", err)
			}
		}
	}
}

// shut stops taking requests; open event streams are cut after a moment, since they would last for ever.
func shut(ctx context.Context, s *http.Server) error {
	soft, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	if err := s.Shutdown(soft); err == nil || ctx.Err() != nil {
		return err
	}
	return s.Close()
}

// close gives back what New took; what was never taken is left.
func (a *App) close() {
	for _, l := range []net.Listener{a.frontListener, a.sandboxListener, a.metricsListener} {
		if l != nil {
			_ = l.Close()
		}
	}
	if a.store != nil {
		if a.joined {
			ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
			if err := a.store.Leave(ctx, a.me.ID); err != nil {
				a.log.Warn("the other fronts take this one for running for a while", "error", err)
			}
			done()
		}
		if err := a.store.Close(); err != nil {
			a.log.Error("store", "error", err)
		}
	}
	if a.sandbox != nil {
		if err := a.sandbox.env.Close(); err != nil {
			a.log.Error("sandbox", "error", err)
		}
	}
}

// Metrics serves the numbers, for whoever does not want a listener of their own.
func (a *App) Metrics() http.Handler { return a.metrics.handler() }

// DatabaseFile is where SQLite keeps the data, for backups and tests; "" with PostgreSQL.
func (a *App) DatabaseFile() string {
	if a.o.Config.DatabaseURL != "" {
		return ""
	}
	return filepath.Join(a.o.Config.Data, "tollgate.db")
}

// aloneSince is now where no other process uses the store; called once, at the start. Zero where others may.
func (a *App) aloneSince() time.Time {
	if !a.store.Alone() {
		return time.Time{}
	}
	return a.o.Clock.Now()
}

// owners tells whose a reference of an account is: the account's merchant's, or, where several share it, the one's whose tag
// it begins with.
func owners(all []config.Merchant, d *merchant.Directory, tags *sqlstore.Store) func(context.Context, string, string) ([]string, error) {
	return func(ctx context.Context, account, reference string) (mine []string, err error) {
		for _, m := range all {
			if !slices.Contains(m.Accounts, account) {
				continue
			}
			tag := ""
			if d.Shared(account) {
				if tag, err = tags.Tag(ctx, m.ID); err != nil {
					return nil, err
				}
			}
			if strings.HasPrefix(reference, tag) {
				mine = append(mine, m.ID)
			}
		}
		return mine, nil
	}
}
