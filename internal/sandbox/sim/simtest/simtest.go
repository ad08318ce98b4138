// Package simtest is what the simulators' tests stand on.
package simtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tollgate/internal/sandbox/sim"
)

// World is a sandbox of one gateway and the issuer alone, on loopback, with a clock of its own.
type World struct {
	T      *testing.T
	Dir    string
	Server *httptest.Server
	Env    *sim.Env
	Stop   func()

	open func(*sim.Env) (sim.Gateway, error)
	mu   sync.Mutex
	now  time.Time
}

// New starts a world, which ends with the test. open makes the gateway at every start.
func New(t *testing.T, open func(*sim.Env) (sim.Gateway, error)) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), open: open, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w.Start()
	t.Cleanup(func() { w.Stop() })
	return w
}

// Start is the start after a Stop.
func (w *World) Start() {
	w.T.Helper()
	mux := http.NewServeMux()
	w.Server = httptest.NewServer(mux)
	env, err := sim.New(sim.Options{BaseURL: w.Server.URL, Dir: w.Dir, Now: w.Clock})
	if err != nil {
		w.T.Fatal(err)
	}
	w.Env = env
	gateway, err := w.open(env)
	if err != nil {
		w.T.Fatal(err)
	}
	name := gateway.Name()
	mux.Handle("/"+name+"/", http.StripPrefix("/"+name, env.Faults.Wrap(name, gateway.Handler())))
	mux.Handle("/acs/", env.Issuer.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { env.Callbacks.Run(ctx); close(done) }()
	w.Stop = func() {
		cancel()
		<-done
		w.Server.Close()
		_ = env.Close()
	}
}

// Restart is a kill and a new start on the same data folder, at another address.
func (w *World) Restart() {
	w.T.Helper()
	w.Stop()
	w.Start()
}

// Clock is the sandbox's clock.
func (w *World) Clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Pass moves the clock on, and lets happen what became due.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.Env.Issuer.Sweep()
	w.Env.Callbacks.Kick()
}
