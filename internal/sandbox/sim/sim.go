// Package sim is what a simulated gateway gets from the sandbox around it.
package sim

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/issuer"
	"tollgate/internal/sandbox/journal"
	"tollgate/internal/sandbox/ledger"
)

// Gateway is one simulated gateway.
type Gateway interface {
	// Name is the first path element under which the sandbox serves it: "rbs".
	Name() string
	// Handler serves the gateway with /NAME stripped: "/rbs/payment/rest/register.do" arrives as "/payment/rest/register.do".
	// The sandbox wraps it with the faults and the log of calls.
	Handler() http.Handler
	// Reset forgets every order. The sandbox empties ledger and journal itself.
	Reset()
	// Credentials are the demo credentials to print, by the name the gateway's documents give them.
	Credentials() map[string]string
}

// Env is shared by all simulated gateways of one sandbox.
type Env struct {
	Ledger    *ledger.Ledger
	Journal   *journal.Journal // buckets are named after the gateway: "rbs.orders"
	Issuer    *issuer.Issuer
	Faults    *faults.Script
	Callbacks *Callbacks
	Now       func() time.Time
	BaseURL   string // where browsers reach the sandbox, without trailing slash; a gateway lives at BaseURL/NAME
	Client    *http.Client
	Rand      io.Reader
	Log       *slog.Logger
}

// Options of an Env. BaseURL is the only one that must be set.
type Options struct {
	BaseURL string           // http://localhost:8081
	Dir     string           // data folder; "" keeps everything in memory
	Now     func() time.Time // default time.Now
	Rand    io.Reader        // default crypto/rand
	Client  *http.Client     // for callbacks; default: 10 s, no redirects followed
	// Dial is the default Client's way out; default: the network. A simulation has its own.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Log    *slog.Logger   // default: none
	Issuer issuer.Options // limits only; the rest is filled in
}

// New opens the journal in the data folder and loads the issuer. Close it when done.
func New(o Options) (*Env, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if o.Dial != nil {
			o.Client.Transport = &http.Transport{DialContext: o.Dial}
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Rand = &lockedReader{r: o.Rand}
	path := ""
	if o.Dir != "" {
		path = filepath.Join(o.Dir, "sandbox.journal")
	}
	j, err := journal.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	io := o.Issuer
	io.BaseURL, io.Now, io.Journal, io.Rand = o.BaseURL, o.Now, j, o.Rand
	bank, err := issuer.New(io)
	if err != nil {
		j.Close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	e := &Env{Ledger: &ledger.Ledger{}, Journal: j, Issuer: bank, Faults: faults.New(o.Now), Now: o.Now, BaseURL: o.BaseURL,
		Client: o.Client, Rand: o.Rand, Log: o.Log}
	if e.Callbacks, err = newCallbacks(e); err != nil {
		j.Close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return e, nil
}

// lockedReader lets the parts of a sandbox share a test's reader, which need not be safe for concurrent use.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// Close closes the journal. Answers given after it are lost.
func (e *Env) Close() error { return e.Journal.Close() }
