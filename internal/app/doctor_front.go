package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tollgate/handlers"
	"tollgate/internal/account"
	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// place looks at what a start takes on this machine: the data folder and the addresses to listen on.
func (d *doctor) place(ctx context.Context) {
	if d.c.DatabaseURL == "" || filepath.Dir(d.c.KeysFile) == filepath.Clean(d.c.Data) {
		if err := mayWriteBelow(d.c.Data); err != nil {
			d.wrong("make it a folder that the user who runs Tollgate may write to, or set data", "data folder: %v", err)
		}
	}
	for _, l := range []struct{ name, addr string }{{"listen", d.c.Listen}, {"metrics_listen", d.c.Metrics}} {
		if l.addr == "" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.addr)
		switch {
		case err == nil:
			_ = listener.Close()
			d.ok("%s: %s is free", l.name, l.addr)
		case d.inUse:
			d.ok("%s: %s is in use, as the database is", l.name, l.addr)
		case l.name == "listen" && isFront(ctx, l.addr):
			d.ok("%s: a Tollgate listens on %s", l.name, l.addr)
		default:
			d.wrong("stop what listens there, or set another address", "%s: %s: %v", l.name, l.addr, plain(err))
		}
	}
	if !d.c.Testing() && len(d.c.TrustedProxies) == 0 {
		d.wrong("set trusted_proxies to the network that the proxy connects from, as [\"127.0.0.0/8\"]",
			"trusted_proxies: empty, and TLS is a proxy's business: banks would be told the proxy's address for every shopper's, "+
				"and limits would count all shoppers as one")
	}
}

// mayWriteBelow sees whether a folder may be written to, or, where there is none yet, be made.
func mayWriteBelow(name string) error {
	for at := filepath.Clean(name); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is no folder", at)
		}
		probe, err := os.CreateTemp(at, ".tollgate-doctor-*")
		if err != nil {
			return fmt.Errorf("%s cannot be written to: %w", at, plain(err))
		}
		_ = probe.Close()
		return os.Remove(probe.Name())
	}
}

func isFront(ctx context.Context, addr string) bool {
	ctx, done := context.WithTimeout(ctx, dialLimit)
	defer done()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK && res.Header.Get(handlers.InstallationHeader) != ""
}

// abandoned finds accounts that the configuration has no more, and whose payments are under way.
func (d *doctor) abandoned(ctx context.Context) {
	if d.noDatabase || !d.made {
		return
	}
	ctx, done := context.WithTimeout(ctx, lookLimit)
	defer done()
	var live map[string]int
	err := sqlstore.View(ctx, sqlstore.Options{URL: d.c.DatabaseURL, Dir: d.c.Data}, func(st *sqlstore.Store) (err error) {
		d.installation, err = st.Agreed(ctx, sqlstore.Installation)
		if err == nil {
			live, err = st.LiveByAccount(ctx)
		}
		return err
	})
	if errors.Is(err, sqlstore.ErrNoTables) {
		return
	}
	if err != nil {
		d.wrong("see what the database says", "payments under way: %v", err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if _, known := d.c.Accounts[name]; !known {
			d.wrong("put it back until they have ended; take it out of its merchants' lists instead, so that no more begin",
				"account %s: not configured any more, and %d of its payments are under way: nobody can ask about, refund or end them", name,
				live[name])
		}
	}
}

// probe asks a gateway about an order that nobody made: only who is let in is told that there is none.
func (d *doctor) probe(ctx context.Context) {
	a := &App{o: Options{Config: d.c, Clock: &clock.Clock{}, Dial: d.o.Dial}, log: slog.New(slog.DiscardHandler)}
	if d.o.Roots != nil {
		a.tls = &tls.Config{RootCAs: d.o.Roots, MinVersion: tls.VersionTLS12}
	}
	accounts, err := a.accounts(d.c)
	if err != nil {
		return // Check tells
	}
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if !d.reached[name] {
			continue
		}
		what := "account " + name + ": "
		switch found, err := ask(ctx, accounts[name]); {
		case errors.Is(err, providers.ErrCredential), errors.Is(err, account.ErrCannot):
			d.note("nothing can be asked before a customer has logged in", "%sthe credentials were not tried", what)
		case err != nil:
			d.wrong("see user, password, keys and the path in base_url with what the gateway's contract says",
				"%san inquiry about an order that nobody made is not answered as one: %v", what, plain(err))
		case found != providers.NotFound:
			d.wrong("see base_url: this does not answer as a gateway", "%san order that nobody made is %s", what, found)
		default:
			d.ok("%slets us in", what)
		}
	}
}

// advise tells what of the gateways' settings will surprise.
func (d *doctor) advise() {
	for _, name := range slices.Sorted(maps.Keys(d.c.Accounts)) {
		open, known := gateways()[d.c.Accounts[name].Gateway]
		if !known {
			continue
		}
		settings := open()
		adviser, ok := settings.(interface{ Advice() []string })
		if !ok || d.c.Accounts[name].Into(settings) != nil {
			continue
		}
		for _, text := range adviser.Advice() {
			d.note("set them in [account."+name+".settings.billing], or have the shop send them", "account %s: %s", name, text)
		}
	}
}

func ask(ctx context.Context, a account.Account) (found providers.Outcome, err error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	currency, err := money.ParseCurrency("RUB")
	if err != nil {
		return "", err
	}
	reference := "doctor-" + hex.EncodeToString(b[:])
	ctx, done := context.WithTimeout(ctx, 2*dialLimit)
	defer done()
	_, err = account.Call(ctx, a, "status", func(call context.Context, gateway providers.Provider) error {
		standing, err := gateway.Status(call, providers.Payment{
			Ref: providers.Ref{Reference: reference}, OrderID: reference, Amount: money.Amount{Minor: 100, Currency: currency},
		})
		found = standing.Outcome
		return err
	})
	return found, err
}

// sameInstallation sees that the public address leads to a front of this database.
func (d *doctor) sameInstallation(what string, res *http.Response) bool {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	switch got := res.Header.Get(handlers.InstallationHeader); {
	case got == "":
		d.wrong("see where the proxy passes requests on to", "%s: another program answers there", what)
		return false
	case d.installation != "" && got != d.installation:
		d.wrong("see where the proxy passes requests on to, and which database that front uses",
			"%s: a Tollgate with another database answers there", what)
		return false
	}
	return true
}

// warn says at a start what doctor would call wrong and what does not keep payments from being taken.
func (a *App) warn(ctx context.Context) {
	c := a.o.Config
	if !c.Testing() && len(c.TrustedProxies) == 0 {
		a.log.Warn("trusted_proxies is empty: behind a proxy every shopper has the proxy's address, at the bank and for limits")
	}
	live, err := a.store.LiveByAccount(ctx)
	if err != nil {
		a.log.Warn("payments under way cannot be counted", "error", err)
	}
	var gone []string
	for name := range live {
		if _, known := c.Accounts[name]; !known {
			gone = append(gone, name)
		}
	}
	if slices.Sort(gone); len(gone) > 0 {
		a.log.Error("accounts are not configured any more, and payments of theirs are under way: put them back until they have ended",
			"accounts", strings.Join(gone, ", "))
	}
}
