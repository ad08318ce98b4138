// Package e2e tests Tollgate as a whole: the program is started as main starts it, and after that there is only HTTP.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/clock"
	"tollgate/internal/config"
)

// world is one running Tollgate with its sandbox.
type world struct {
	Front   string // http://127.0.0.1:…
	Sandbox string // http://localhost:…: another site
	Data    string // data folder
	Clock   *clock.Clock
	App     *app.App
	Log     *logBuffer
	nudged  pace
	stop    func()       // of a world of a test's own
	halt    func() error // what Run ended with
}

// pace is when a crowd last moved a world's clock.
type pace struct {
	mu sync.Mutex
	at time.Time
}

// nudge moves the clock on for one of a crowd that waits, three times a second at most for all of them: on a busy machine the clock
// of those who wait would outrun the calls of the others.
func (w *world) nudge(d time.Duration) {
	w.nudged.mu.Lock()
	defer w.nudged.mu.Unlock()
	if time.Since(w.nudged.at) >= 300*time.Millisecond {
		w.Clock.Advance(d)
		w.nudged.at = time.Now()
	}
}

// logBuffer keeps all that the program logs, at the finest level, to be searched for what must not be there.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// boot runs front and sandbox on free ports of loopback, with their data in dir, until stopped.
func boot(t testing.TB, dir string, tune ...func(*app.Options)) *world {
	t.Helper()
	w := &world{Data: dir, Clock: &clock.Clock{}, Log: &logBuffer{}}
	c, err := config.Load(config.Flags{Listen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := app.Options{
		NoBrake: true,
		Config:  c, Clock: w.Clock, Log: slog.New(slog.NewJSONHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		FrontListener: listen(t), SandboxListener: listen(t),
	}
	for _, f := range tune {
		f(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.App, err = app.New(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w.Front, w.Sandbox = w.App.FrontURL, w.App.SandboxURL
	done := make(chan error, 1)
	go func() { done <- w.App.Run(ctx) }()
	w.halt = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	return w
}

// start is boot until the test ends.
func start(t testing.TB, tune ...func(*app.Options)) *world {
	t.Helper()
	w := boot(t, t.TempDir(), tune...)
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			if err := w.halt(); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(w.stop)
	t.Cleanup(func() {
		if t.Failed() {
			log := w.Log.String()
			t.Logf("the program's log ends:\n%s", log[max(0, len(log)-6000):])
		}
	})
	return w
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// shared is the world of the tests that do not move the clock, script faults for everybody or stop the program.
var shared struct {
	once sync.Once
	w    *world
	stop func()
}

var orders atomic.Int64

// order is an order id nobody else uses. It has no digits, which could look like a part of a card's number or its code.
func order() string {
	id := fmt.Sprintf("order-%d-%d", time.Now().UnixNano()%1e9, orders.Add(1))
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			r += 'a' - '0'
		}
		return r
	}, id)
}

// maskedView is a card as the API shows it.
type maskedView struct{ Brand, First6, Last4 string }

// sessionView is a session as the API answers it.
type sessionView struct {
	ID           string `json:"id"`
	URL          string `json:"url"`
	Status       string `json:"status"`
	OutcomeKnown bool   `json:"outcome_known"`
	Amount       int64  `json:"amount"`
	Currency     string `json:"currency"`
	OrderID      string `json:"order_id"`
	Attempts     []struct {
		N         int        `json:"n"`
		State     string     `json:"state"`
		Reference string     `json:"reference"`
		Card      maskedView `json:"card"`
		To        maskedView `json:"to"`
		Runs      []struct {
			N          int    `json:"n"`
			CompInd    string `json:"comp_ind"`
			MethodAt   string `json:"method_at"`
			NotifiedAt string `json:"notified_at"`
			ShownAt    string `json:"shown_at"`
			ReturnedAt string `json:"returned_at"`
		} `json:"runs"`
		Decline *struct {
			Reason, Code string
		} `json:"decline"`
		PaidLate bool `json:"paid_late"`
	} `json:"attempts"`
	Payment *struct {
		Authorized     int64  `json:"amount_authorized"`
		Captured       int64  `json:"amount_captured"`
		Refunded       int64  `json:"amount_refunded"`
		GatewayOrderID string `json:"gateway_order_id"`
		ThreeDS        *struct {
			Version     string `json:"version"`
			TransStatus string `json:"trans_status"`
			ECI         string `json:"eci"`
		} `json:"three_ds"`
	} `json:"payment"`
}

// api calls the merchant's API with the demo key and decodes the answer; it returns the status.
func (w *world) api(t testing.TB, method, path string, body, answer any) int {
	t.Helper()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.Front+path, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+app.DemoKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(raw, answer); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, res.StatusCode, raw, err)
		}
	}
	return res.StatusCode
}

// create makes a session; fields add to or replace the usual ones.
func (w *world) create(t testing.TB, account string, fields map[string]any) sessionView {
	t.Helper()
	body := map[string]any{
		"account": account, "amount": 1234500, "currency": "KZT", "order_id": order(),
		"success_url": w.Sandbox + "/shop/done?from=shop", "cancel_url": w.Sandbox + "/shop/done",
	}
	for k, v := range fields {
		body[k] = v
	}
	var s sessionView
	if code := w.api(t, "POST", "/v1/sessions", body, &s); code != http.StatusCreated {
		t.Fatalf("a session is not created: %d", code)
	}
	return s
}

func (w *world) session(t testing.TB, id string) sessionView {
	t.Helper()
	var s sessionView
	if code := w.api(t, "GET", "/v1/sessions/"+id, nil, &s); code != http.StatusOK {
		t.Fatalf("GET session: %d", code)
	}
	return s
}

// eventView is one line of a session's history.
type eventView struct {
	N    int             `json:"n"`
	Type string          `json:"type"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

func (w *world) events(t testing.TB, id string) []eventView {
	t.Helper()
	var page struct {
		Data []eventView `json:"data"`
	}
	if code := w.api(t, "GET", "/v1/sessions/"+id+"/events", nil, &page); code != http.StatusOK {
		t.Fatalf("GET events: %d", code)
	}
	return page.Data
}

// ledgerEntry is what the simulated gateways really did with one order.
type ledgerEntry struct {
	Gateway        string `json:"gateway"`
	Reference      string `json:"reference"`
	GatewayOrderID string `json:"gateway_order_id"`
	Amount         int64  `json:"amount"`
	Currency       string `json:"currency"`
	Authorized     int64  `json:"authorized"`
	Captured       int64  `json:"captured"`
	Refunded       int64  `json:"refunded"`
	Charges        int    `json:"charges"`
}

// ledger lists the entries of an order id's references.
func (w *world) ledger(t testing.TB, orderID string) []ledgerEntry {
	t.Helper()
	var all, mine []ledgerEntry
	w.sandbox(t, "GET", "/ledger", nil, &all)
	for _, e := range all {
		if strings.HasPrefix(e.Reference, orderID+"-") {
			mine = append(mine, e)
		}
	}
	return mine
}

// charges adds up how often money was taken for an order id.
func (w *world) charges(t testing.TB, orderID string) int {
	t.Helper()
	n := 0
	for _, e := range w.ledger(t, orderID) {
		n += e.Charges
	}
	return n
}

// gatewayCall is one line of the simulators' own log.
type gatewayCall struct {
	Time      time.Time `json:"time"`
	Gateway   string    `json:"gateway"`
	Call      string    `json:"call"`
	Reference string    `json:"reference"`
	Status    int       `json:"status"`
}

func (w *world) calls(t testing.TB, reference string) []gatewayCall {
	t.Helper()
	var all []gatewayCall
	w.sandbox(t, "GET", "/calls?reference="+url.QueryEscape(reference), nil, &all)
	return all
}

// fault scripts a fault of the sandbox; see internal/sandbox/faults.
func (w *world) fault(t testing.TB, f map[string]any) {
	t.Helper()
	w.sandbox(t, "POST", "/faults", f, nil)
}

func (w *world) sandbox(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.Sandbox+path, r)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, raw, err)
	}
	if answer != nil {
		if err := json.Unmarshal(raw, answer); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

// until polls a condition that HTTP can only be asked for; it is bounded, and no test passes by waiting.
func until(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		tick := time.NewTimer(20 * time.Millisecond)
		<-tick.C
	}
}

// artefacts is where screenshots and recordings are kept.
func artefacts(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../artefacts")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
