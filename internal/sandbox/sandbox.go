// Package sandbox serves what merchants test against: simulated gateways, an issuer bank with its ACS, a demo shop and a console,
// all offline. The card number decides the outcome, faults can be scripted, time can be moved, and the ledger says what was
// really charged.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"tollgate/internal/sandbox/page"
	"tollgate/internal/sandbox/shop"
	"tollgate/internal/sandbox/sim"
)

// Gateway is one simulated gateway.
type Gateway = sim.Gateway

// Options of a sandbox. Env and FrontURL must be set; everything of time, randomness, storage and addresses comes from Env.
type Options struct {
	Env       *sim.Env            // from sim.New; the gateways are built on the same one
	FrontURL  string              // Tollgate as shoppers reach it: http://127.0.0.1:8080
	APIKey    string              // the demo merchant's, for the shop
	Advance   func(time.Duration) // moves the clock that Env.Now reads; nil if it cannot be moved
	Gateways  []Gateway           // in the order in which the console lists them
	Accounts  []string            // what the shop offers; default: the gateways' names
	Languages [][2]string         // tag and name of those that the payment pages have
	Look      string              // that the shop's payment pages have; empty: the front's own
	Client    *http.Client        // the shop's, towards FrontURL; default: 30 s
}

// Sandbox is an http.Handler once made, and works in the background while Run runs.
type Sandbox struct {
	o       Options
	handler http.Handler
	reset   sync.Mutex
}

// New puts the parts together. It refuses gateways of the same name, or with a name that the sandbox uses itself.
func New(o Options) (*Sandbox, error) {
	if o.Env == nil || o.FrontURL == "" {
		return nil, errors.New("sandbox: Env and FrontURL must be set")
	}
	o.FrontURL = strings.TrimSuffix(o.FrontURL, "/")
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 30 * time.Second}
	}
	s := &Sandbox{o: o}
	mux := http.NewServeMux()
	taken := map[string]bool{"": true, "acs": true, "shop": true, "ledger": true, "reset": true, "faults": true, "calls": true,
		"clock": true, "console": true, "cabinet": true}
	for _, g := range o.Gateways {
		name := g.Name()
		if taken[name] || strings.ContainsAny(name, "/{} ") {
			return nil, fmt.Errorf("sandbox: a gateway cannot be called %q", name)
		}
		taken[name] = true
		if o.Accounts == nil || len(o.Accounts) < len(o.Gateways) {
			s.o.Accounts = append(s.o.Accounts, name)
		}
		// The faults stand inside StripPrefix, so that a simulator can name its calls by the path it knows.
		mux.Handle("/"+name+"/", http.StripPrefix("/"+name, o.Env.Faults.Wrap(name, g.Handler())))
	}
	mux.Handle("/acs/", o.Env.Faults.Wrap("acs", o.Env.Issuer.Handler()))

	// What changes the sandbox may be called by anybody without a browser, and by browsers only from our own pages.
	own := http.NewCrossOriginProtection()
	safe := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, own.Handler(h)) }
	e := o.Env
	safe("GET /ledger", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, e.Ledger.All()) })
	safe("POST /reset", s.serveReset)
	safe("/faults", e.Faults.ServeFaults)
	safe("GET /calls", e.Faults.ServeCalls)
	safe("GET /cabinet", s.serveActs)
	safe("POST /cabinet", s.serveAct)
	safe("POST /credentials", s.serveExchange)
	safe("POST /console/cabinet", s.consoleAct)
	safe("GET /clock", s.serveClock)
	safe("POST /clock/advance", s.serveAdvance)
	safe("GET /sandbox.css", page.ServeCSS)
	safe("GET /{$}", s.console)
	safe("POST /console/fault", s.consoleFault)
	safe("POST /console/clear", s.consoleClear)
	safe("POST /console/advance", s.consoleAdvance)
	safe("POST /console/reset", s.consoleReset)
	if len(s.o.Accounts) > 0 {
		demo, err := shop.New(shop.Options{BaseURL: e.BaseURL, FrontURL: o.FrontURL, APIKey: o.APIKey, Accounts: s.o.Accounts, Look: o.Look, Languages: o.Languages,
			Client: o.Client, Ledger: e.Ledger, Now: e.Now, Rand: e.Rand})
		if err != nil {
			return nil, err
		}
		mux.Handle("/shop", own.Handler(demo.Handler()))
		mux.Handle("/shop/", own.Handler(demo.Handler()))
	}
	s.handler = mux
	return s, nil
}

func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(Mark, "1")
	s.handler.ServeHTTP(w, r)
}

// Mark is a header of every answer, by which a front for real money knows that it was pointed at a sandbox.
const Mark = "Tollgate-Sandbox"

// Run sends the gateways' callbacks and ends challenges whose time is over, until ctx is done.
func (s *Sandbox) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.o.Env.Callbacks.Run(ctx) })
	wg.Go(func() {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				s.o.Env.Issuer.Sweep()
			}
		}
	})
	wg.Wait()
}

// Reset forgets everything: orders, ledger, challenges, callbacks, faults, calls and what is on disk of them. A call that is
// being answered meanwhile may leave its order behind.
func (s *Sandbox) Reset() error {
	s.reset.Lock()
	defer s.reset.Unlock()
	e := s.o.Env
	e.Faults.Clear()
	e.Callbacks.Reset()
	err := e.Journal.Reset()
	for _, g := range s.o.Gateways {
		g.Reset()
	}
	e.Ledger.Reset()
	e.Faults.Log.Reset()
	return errors.Join(err, e.Issuer.Reset())
}

func (s *Sandbox) serveReset(w http.ResponseWriter, r *http.Request) {
	if err := s.Reset(); err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type clockState struct {
	Now     time.Time `json:"now"`
	Movable bool      `json:"movable"`
}

func (s *Sandbox) serveClock(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, clockState{s.o.Env.Now(), s.o.Advance != nil})
}

// maxAdvance bounds one move of the clock.
const maxAdvance = 400 * 24 * time.Hour

var errClock = errors.New("the clock of this sandbox cannot be moved")

func (s *Sandbox) advance(seconds float64) error {
	if s.o.Advance == nil {
		return errClock
	}
	if !(seconds > 0) || seconds > maxAdvance.Seconds() {
		return fmt.Errorf("seconds must be more than 0 and at most %.0f", maxAdvance.Seconds())
	}
	s.o.Advance(time.Duration(seconds * float64(time.Second)))
	s.o.Env.Issuer.Sweep()
	s.o.Env.Callbacks.Kick()
	return nil
}

func (s *Sandbox) serveAdvance(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Seconds float64 `json:"seconds"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12)).Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "want {\"seconds\": N}"})
		return
	}
	if err := s.advance(in.Seconds); err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errClock) {
			status = http.StatusConflict
		}
		writeJSON(w, status, map[string]string{"error": err.Error()})
		return
	}
	s.serveClock(w, r)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
