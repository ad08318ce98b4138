package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
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

// Whoever reads a log opens no door with it: no payment page, no return, no gateway, no merchant's account.
func TestNoLogLineOpensADoor(t *testing.T) {
	const id = "cs_q7Wd0aXk3Zb-9_fTuVyLmNpRsEh"
	var out bytes.Buffer
	log := slog.New(boundedLog{slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	inner := &url.Error{Op: "Post", URL: "https://login:Zq81mPx4@gateway.example/rest/pay?password=Zq81mPx4&order=1#Zq81mPx4", Err: errors.New("refused")}
	for what, write := range map[string]func(){
		"a session":            func() { log.Debug("event", "session", id) },
		"in an error":          func() { log.Warn("x", "error", fmt.Errorf("load %s: %w", id, errors.New("gone"))) },
		"in a job's key":       func() { log.Warn("job failed", "key", "inquire-"+id+"-1") },
		"in an event's id":     func() { log.Warn("x", "event", "evt_"+id+"_12-abcdefgh") },
		"in an address":        func() { log.Warn("x", "error", "get https://pay.example/pay/"+id+"/card: timeout") },
		"in the message":       func() { log.Warn("session " + id) },
		"in a group":           func() { log.WithGroup("g").With("session", id).Warn("x", slog.Group("h", "session", id)) },
		"behind much":          func() { log.Warn(strings.Repeat("ы", 480) + id) },
		"an error of net/http": func() { log.Error("x", "error", inner) },
		"wrapped":              func() { log.Error("x", "error", fmt.Errorf("status: %w", errors.Join(inner, errors.New("again")))) },
		"a run's token":        func() { log.Warn("x", "error", errors.New("no such page: /3ds/Zq81mPx4Zb-9_fTuVyLmNpRsEh0/return")) },
		"an API key":           func() { log.Warn("x", "error", "header Authorization: Bearer sk_Zq81mPx4Zb-9_fTuVyLmNpRsEh0") },
		"an API key alone":     func() { log.Warn("sk_Zq81mPx4Zb-9_fTuVyLmNpRsEh0 is no key") },
		"a webhook's secret":   func() { log.Warn("x", "secret", "whsec_Zq81mPx4Zb9fTuVyLmNpRsEh0aaaa+/==") },
		"a database's address": func() {
			log.Error("store", "error", "cannot connect to postgres://tollgate:Zq81mPx4@db:5432/t?sslmode=off&password=Zq81mPx4")
		},
		"a card's number":       func() { log.Error("x", "error", `gateway: {"pan":"4000 0199 0005 0107"}`) },
		"a number without gaps": func() { log.Error("x 4000019900050107") },
	} {
		out.Reset()
		write()
		for _, secret := range []string{id, "q7Wd0aXk3Z", "Zq81mPx4", "0199", "login:"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: %s", what, out.String())
			}
		}
	}
	out.Reset()
	log.Warn("x", "session", id, "error", inner)
	if line := out.String(); !strings.Contains(line, `"session":"`+LoggedSession(id)+`"`) || !strings.Contains(line, "gateway.example/rest/pay?…") ||
		!strings.Contains(line, "refused") || len(LoggedSession(id)) != 18 {
		t.Errorf("a line says too little: %s", line)
	}
}
