package session

import (
	"os"
	"runtime/debug"
	"testing"
)

// The walks make millions of short-lived worlds: half of their time would be the collector's.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30)
	os.Exit(m.Run())
}
