package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"

	"tollgate/internal/app"
	"tollgate/internal/clock"
	"tollgate/internal/config"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(frontEnv); order != "" {
		if err := frontMain(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	stopChromium()
	if shared.stop != nil {
		shared.stop()
	}
	os.Exit(code)
}

// together is the shared world, started by the first test that wants it and stopped after the last.
func together(t testing.TB) *world {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "tollgate-e2e-")
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Data: dir, Clock: &clock.Clock{}, Log: &logBuffer{}}
		c, err := config.Load(config.Flags{Listen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var listeners [2]net.Listener
		for i := range listeners {
			if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		w.App, err = app.New(ctx, app.Options{
			Config: c, Clock: w.Clock, Log: slog.New(slog.NewJSONHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			FrontListener: listeners[0], SandboxListener: listeners[1],
		})
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		w.Front, w.Sandbox = w.App.FrontURL, w.App.SandboxURL
		done := make(chan error, 1)
		go func() { done <- w.App.Run(ctx) }()
		shared.w = w
		shared.stop = func() {
			cancel()
			<-done
			os.RemoveAll(dir)
		}
	})
	if shared.w == nil {
		t.Fatal("the shared world did not start")
	}
	return shared.w
}
