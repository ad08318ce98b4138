package e2e_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
	"tollgate/internal/pgtest"
)

// machine is one of several fronts over one database.
type machine struct {
	*world // its own Front; sandbox and clock are shared
}

// join starts one more front on the database; all share the sealing keys.
func join(t *testing.T, w *world, database, keys string) *machine {
	t.Helper()
	return joinFrom(t, w, database, t.TempDir(), keys)
}

// joinFrom is join with a data folder that is there, perhaps with SQLite's file in it.
func joinFrom(t *testing.T, w *world, database, data, keys string, tune ...func(*config.Config)) *machine {
	t.Helper()
	c, err := config.Load(config.Flags{Listen: "127.0.0.1:0", Data: data}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.DatabaseURL, c.KeysFile = database, keys
	log := &logBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, app.Options{
		NoBrake: true,
		Config:  c, Role: app.Front, Clock: w.Clock, FrontListener: listen(t), SandboxURL: w.Sandbox,
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Tune: func(c *config.Config) {
			for _, f := range tune {
				f(c)
			}
		},
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	m := &machine{&world{Front: a.FrontURL, Sandbox: w.Sandbox, Clock: w.Clock, App: a, Log: log}}
	stopped := false
	m.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	}
	t.Cleanup(m.stop)
	return m
}

// machines are two fronts, one PostgreSQL and one sandbox.
func machines(t *testing.T) (w *world, first, second *machine) {
	t.Helper()
	w = start(t, func(o *app.Options) {
		o.FrontListener.Close()
		o.FrontListener, o.Role = nil, app.Sandbox
	})
	database, keys := pgtest.Start(t), filepath.Join(t.TempDir(), "keys")
	return w, join(t, w, database, keys), join(t, w, database, keys)
}

// at is the same address on this machine.
func (m *machine) at(t testing.TB, address string) string {
	t.Helper()
	u := mustParse(t, address)
	own := mustParse(t, m.Front)
	u.Scheme, u.Host = own.Scheme, own.Host
	return u.String()
}

// elsewhere runs the Method frames, and brings what the bank sends back to another machine than it was meant for.
func (v *visitor) elsewhere(t *testing.T, page *sheet, m *machine) {
	t.Helper()
	notified := 0
	for _, frame := range page.Doc.Find("iframe.unseen").EachIter() {
		src, err := page.URL.Parse(frame.AttrOr("src", ""))
		if err != nil {
			t.Fatal(err)
		}
		in, err := v.get(src.String())
		if err != nil {
			t.Fatal(err)
		}
		if in, err = v.submit(in, in.Doc.Find("form#bank"), nil); err != nil {
			t.Fatal(err)
		}
		if form := in.Doc.Find("form").First(); form.Length() > 0 {
			form.SetAttr("action", m.at(t, form.AttrOr("action", "")))
			if _, err := v.submit(in, form, nil); err != nil {
				t.Fatal(err)
			}
			notified++
		}
	}
	if notified != 1 {
		t.Fatalf("%d Methods notified", notified)
	}
}

// show opens the address until a page of that kind is there.
func (v *visitor) show(t *testing.T, address, kind string) *sheet {
	t.Helper()
	var page *sheet
	until(t, 20*time.Second, "a page of kind "+kind, func() bool {
		var err error
		page, err = v.get(address)
		return err == nil && page.kind() == kind
	})
	return page
}

func TestAnyMachineServesAnyRequestAndWakesPagesOfTheOthers(t *testing.T) {
	t.Parallel()
	w, first, second := machines(t)
	s := first.create(t, "rbs", nil)
	v := newVisitor(t)
	card, err := v.get(second.at(t, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = v.pay(card, cardChallenge); err != nil {
		t.Fatal(err)
	}
	page := v.show(t, second.at(t, s.URL), "method")

	// The second machine's page waits for its event; the notification comes to the first machine.
	woken, opened := make(chan time.Duration, 1), make(chan time.Time, 1)
	stream, err := page.URL.Parse(page.Doc.Find("[data-events]").AttrOr("data-events", ""))
	if err != nil || stream.Path == page.URL.Path {
		t.Fatalf("the page has no event stream: %v", err)
	}
	ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	go func() {
		defer close(woken)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, stream.String(), nil)
		if err != nil {
			return
		}
		res, err := v.client.Do(req)
		if err != nil {
			return
		}
		defer res.Body.Close()
		began := time.Now()
		opened <- began
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if lines.Text() == "event: change" {
				woken <- time.Since(began)
				return
			}
		}
	}()
	select {
	case <-opened:
	case <-ctx.Done():
		t.Fatal("the event stream does not open")
	}
	v.elsewhere(t, page, first)
	// The safety net looks every five seconds: anything sooner came from the other machine's notification.
	if took, ok := <-woken; !ok || took > 4500*time.Millisecond {
		t.Errorf("woken %v, after %s", ok, took)
	}
	if end := v.walk(t, first.at(t, s.URL), cardChallenge, w.seconds(2*time.Second)); !end.paid() {
		t.Error("not paid")
	}
	for _, m := range []*machine{first, second} {
		if got := settled(t, m.world, s.ID, s.OrderID); got.Status != "paid" || len(got.Attempts) != 1 {
			t.Errorf("session %s, %d attempts", got.Status, len(got.Attempts))
		}
	}
	v.calm(t)
}

func TestTheMachineWithoutTheCardAsksForTheSameCard(t *testing.T) {
	t.Parallel()
	w, first, second := machines(t)
	s := first.create(t, "rbs", nil)
	v := newVisitor(t)
	page, err := v.get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.pay(page, cardSoft); err != nil {
		t.Fatal(err)
	}
	page = v.show(t, s.URL, "method")
	v.elsewhere(t, page, first)
	var again *sheet
	until(t, 20*time.Second, "the second run's Method", func() bool {
		again, err = v.get(s.URL)
		return err == nil && again.kind() == "method" && len(second.session(t, s.ID).Attempts[0].Runs) == 2
	})
	first.stop() // and with it the card
	elsewhere := second.at(t, s.URL)
	again = v.show(t, elsewhere, "method")
	v.elsewhere(t, again, second)
	asks := v.show(t, elsewhere, "card")
	if text := asks.Doc.Find("main").Text(); !strings.Contains(text, cardSoft[12:]) || strings.Contains(text, cardSoft[:12]) {
		t.Errorf("the page does not say which card: %s", strings.Join(strings.Fields(text), " "))
	}
	other, err := v.pay(asks, cardPlain)
	if err != nil {
		t.Fatal(err)
	}
	if other.kind() != "card" || other.Doc.Find(`#number[aria-invalid="true"]`).Length() != 1 {
		t.Errorf("another card leads to a page of kind %s", other.kind())
	}
	if got := second.session(t, s.ID); got.Status != "action_required" || second.charges(t, s.OrderID) != 0 {
		t.Errorf("after another card: session %s, charges %d", got.Status, second.charges(t, s.OrderID))
	}
	if _, err := v.pay(asks, cardSoft); err != nil {
		t.Fatal(err)
	}
	if end := v.walk(t, elsewhere, cardSoft, w.seconds(2*time.Second)); !end.paid() {
		t.Error("not paid")
	}
	if got := settled(t, second.world, s.ID, s.OrderID); got.Status != "paid" || len(got.Attempts) != 1 || len(got.Attempts[0].Runs) != 2 {
		t.Errorf("session %s, %d attempts", got.Status, len(got.Attempts))
	}
	v.calm(t)
}

func TestAnotherMachineFinishesTheWorkOfADeadOne(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	w, dying := startFront(t, database)
	s := w.create(t, "rbs", nil)
	v := newVisitor(t)
	w.fault(t, map[string]any{"gateway": "rbs", "call": "finish3dsVer2Payment.do", "do": "hang", "when": "after", "hold_ms": 60_000})
	w.fault(t, map[string]any{"gateway": "rbs", "call": "callback", "do": "drop"})
	page := reach(t, v, s.URL, cardChallenge, "bank")
	if _, err := v.act(page, cardChallenge); err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "the gateway has the last call", func() bool { return hangs(t, w, s.OrderID+"-1", "finish3dsVer2Payment.do") })
	living := join(t, w, database, filepath.Join(dying.order.Data, "keys"))
	dying.end()
	moved := time.Duration(0)
	end := v.walk(t, living.at(t, s.URL), cardChallenge, func() {
		w.Clock.Advance(5 * time.Second)
		moved += 5 * time.Second
	})
	if !end.paid() {
		t.Error("not paid")
	}
	if got := settled(t, living.world, s.ID, s.OrderID); got.Status != "paid" || len(got.Attempts) != 1 {
		t.Errorf("session %s, %d attempts", got.Status, len(got.Attempts))
	}
	// The call's deadline, the lease of ten seconds, and a turn of the queue.
	if limit := 60 * time.Second; moved > limit {
		t.Errorf("it took %s, want at most %s", moved, limit)
	}
	v.calm(t)
}

// end kills the front for good.
func (f *front) end() {
	f.mu.Lock()
	f.over = true
	err := f.cmd.Process.Kill()
	f.mu.Unlock()
	if err != nil {
		f.t.Error(err)
	}
	<-f.stopped
}
