package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestNoLogLineIsAsLongAsWhatAStrangerSent(t *testing.T) {
	long := strings.Repeat("ы", 30<<10)
	var out bytes.Buffer
	log := slog.New(boundedLog{slog.NewJSONHandler(&out, nil)})
	for _, write := range []func(){
		func() { log.Warn("m", "text", long) },
		func() { log.Warn(long) },
		func() { log.Warn("m", "error", errors.New(long)) },
		func() { log.With("text", long).Warn("m") },
		func() { log.WithGroup("g").Warn("m", slog.Group("h", "text", long)) },
	} {
		out.Reset()
		write()
		if n := out.Len(); n > 1500 || n < 1000 || !strings.Contains(out.String(), "…") {
			t.Errorf("a line of %d bytes: %.100s", n, out.String())
		}
	}
	out.Reset()
	log.Warn("m", "text", "short", "n", 7, "error", error(nil))
	if !strings.Contains(out.String(), `"text":"short","n":7,"error":null`) {
		t.Errorf("a short line becomes %s", out.String())
	}
}
