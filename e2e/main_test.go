package e2e_test

import (
	"fmt"
	"os"
	"testing"
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
	stopScreen()
	if shared.stop != nil {
		shared.stop()
	}
	os.Exit(code)
}

// sharedWorld is the shared world, started by the first test that wants it and stopped after the last.
func sharedWorld(t testing.TB) *world {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "tollgate-e2e-")
		if err != nil {
			t.Fatal(err)
		}
		shared.w = boot(t, dir)
		shared.stop = func() {
			if err := shared.w.halt(); err != nil {
				fmt.Fprintln(os.Stderr, "the shared world:", err)
			}
			os.RemoveAll(dir)
		}
	})
	if shared.w == nil {
		t.Fatal("the shared world did not start")
	}
	return shared.w
}
