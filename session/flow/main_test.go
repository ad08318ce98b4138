package flow_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// Each test has a store of its own and is soon over: the collector may wait.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30)
	os.Exit(m.Run())
}
