package app

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/pgtest"
)

// A front on a machine whose clock is wrong goes by the database's, and says so.
func TestAFrontGoesByTheDatabasesTime(t *testing.T) {
	t.Parallel()
	wrong := 90 * time.Second
	c := clock.Of(func() time.Time { return time.Now().Add(wrong) })
	var log bytes.Buffer
	a := &App{o: Options{Clock: c, Rand: rand.Reader, Config: config.Config{DatabaseURL: pgtest.Start(t), Data: t.TempDir(), KeysFile: t.TempDir() + "/keys"}},
		log: slog.New(slog.NewTextHandler(&log, nil)), metrics: newMetrics()}
	if err := a.openStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	right := func() {
		t.Helper()
		if d := time.Until(c.Now()).Abs(); d > clock.Bound {
			t.Errorf("the front's time is wrong by %v", d)
		}
	}
	right()
	if !strings.Contains(log.String(), "this machine's clock differs from the database's") {
		t.Errorf("it says nothing of it: %s", log.String())
	}
	a.metrics.clock(c)
	if text := scrape(t, a); !strings.Contains(text, "tollgate_database_clock_ahead_seconds -9") && !strings.Contains(text, "tollgate_database_clock_ahead_seconds -8") ||
		!strings.Contains(text, "tollgate_clock_sure 1") {
		t.Errorf("the metrics say:\n%s", text)
	}
	wrong = 0
	right()
	if text := scrape(t, a); !strings.Contains(text, "tollgate_clock_sure 0") {
		t.Error("the machine's clock was set, and the time counts as known")
	}
	if err := a.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if right(); !c.Sure() || !strings.Contains(log.String(), "agrees with the database's again") {
		t.Errorf("sure: %t; %s", c.Sure(), log.String())
	}
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	c.Doubt()
	if err := a.time.sure(t.Context()); err == nil {
		t.Error("the time is known without a database")
	}
}

func scrape(t *testing.T, a *App) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
