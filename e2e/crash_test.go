package e2e_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/internal/pgtest"
)

// frontEnv makes this test binary a front, so that it can be killed; see front.
const frontEnv = "TOLLGATE_E2E_FRONT"

// frontOrder is what a front of its own process is told at its start.
type frontOrder struct {
	Data, DatabaseURL, SandboxURL string
	Offset                        time.Duration // of its clock
}

// frontMain is the process that is killed. The listener is inherited, so that the address stays while processes come
// and go. Lines on its input move its clock and say where it has to die; the end of its input ends it.
func frontMain(order string) error {
	var o frontOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	c, err := config.Load(config.Flags{Listen: listener.Addr().String(), Data: o.Data}, nil)
	if err != nil {
		return err
	}
	c.DatabaseURL = o.DatabaseURL
	var time clock.Clock
	time.Advance(o.Offset)
	var plan deathPlan
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := app.New(ctx, app.Options{
		NoBrake: true,
		Config:  c, Role: app.Front, Clock: &time, FrontListener: listener, SandboxURL: o.SandboxURL, At: plan.at,
		Log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		return err
	}
	go func() {
		defer cancel()
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			var n int64
			var place string
			if _, err := fmt.Sscanf(in.Text(), "clock %d", &n); err == nil {
				time.Advance(durationOf(n) - o.Offset)
				o.Offset = durationOf(n)
			} else if _, err := fmt.Sscanf(in.Text(), "die %s %d", &place, &n); err == nil {
				plan.set(place, int(n))
			}
			fmt.Println("done")
		}
	}()
	fmt.Println("ready")
	return a.Run(ctx)
}

func durationOf(n int64) time.Duration { return time.Duration(n) }

// deathPlan ends the process as kill -9 does, at the n-th time a place is passed.
type deathPlan struct {
	mu    sync.Mutex
	place string
	n     int
}

func (p *deathPlan) set(place string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.place, p.n = place, n
}

func (p *deathPlan) at(place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if place != p.place {
		return
	}
	if p.n--; p.n == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing of this process goes on
	}
}

// front is Tollgate's front in a process of its own, started again each time it dies.
type front struct {
	t        *testing.T
	order    frontOrder
	listener *os.File
	log      *logBuffer

	mu      sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	deaths  int
	between func() error // done once between a death and the next start
	over    bool
	stopped chan struct{}
}

// startFront runs sandbox and front apart: the sandbox here, the front where it can be killed.
func startFront(t *testing.T, database string) (*world, *front) {
	t.Helper()
	f := &front{t: t, log: &logBuffer{}, stopped: make(chan struct{})}
	w := start(t, func(o *app.Options) {
		file, err := o.FrontListener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		f.listener = file
		o.Config.Listen = o.FrontListener.Addr().String()
		o.FrontListener.Close() // the file keeps the socket
		o.FrontListener, o.Role = nil, app.Sandbox
	})
	f.order = frontOrder{Data: t.TempDir(), DatabaseURL: database, SandboxURL: w.Sandbox}
	f.mu.Lock()
	err := f.launch()
	f.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.mu.Lock()
		f.over = true
		f.in.Close()
		f.mu.Unlock()
		<-f.stopped
		f.listener.Close()
		if t.Failed() {
			log := f.log.String()
			t.Logf("the front's log ends:\n%s", log[max(0, len(log)-8000):])
		}
	})
	return w, f
}

// launch starts the process and returns when it is ready; f.mu is held.
func (f *front) launch() error {
	order, err := json.Marshal(f.order)
	if err != nil {
		return err
	}
	f.cmd = exec.Command(os.Args[0])
	f.cmd.Env = append(os.Environ(), frontEnv+"="+string(order))
	f.cmd.ExtraFiles = []*os.File{f.listener}
	f.cmd.Stderr = f.log
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	f.out = bufio.NewScanner(out)
	if err := f.cmd.Start(); err != nil {
		return err
	}
	if !f.out.Scan() || f.out.Text() != "ready" {
		_ = f.cmd.Process.Kill()
		_ = f.cmd.Wait()
		return errors.New("the front does not start: " + f.out.Text())
	}
	go f.attend(f.cmd)
	return nil
}

// attend starts the front again when it has died.
func (f *front) attend(cmd *exec.Cmd) {
	state, _ := cmd.Process.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = cmd.Wait() // its pipes
	if f.over {
		close(f.stopped)
		return
	}
	f.deaths++
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		f.t.Errorf("the front ended by itself: %v", state)
	}
	var err error
	if do := f.between; do != nil {
		f.between = nil
		err = do()
	}
	if err == nil {
		err = f.launch()
	}
	if err != nil {
		f.t.Errorf("the front did not start again: %v", err)
		f.over = true
		close(f.stopped)
	}
}

// say gives the front an order; one that died meanwhile learns of it at its next start.
func (f *front) say(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fmt.Fprintln(f.in, line); err == nil {
		f.out.Scan()
	}
}

func (f *front) dieAt(place string, n int) { f.say(fmt.Sprintf("die %s %d", place, n)) }

// kill is kill -9 from outside.
func (f *front) kill() {
	before := f.died()
	f.mu.Lock()
	_ = f.cmd.Process.Kill()
	f.mu.Unlock()
	until(f.t, 20*time.Second, "the killed front runs again", func() bool { return f.died() > before })
}

func (f *front) died() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deaths
}

// move moves the clocks of front and sandbox.
func (f *front) move(w *world, d time.Duration) {
	w.Clock.Advance(d)
	f.mu.Lock()
	f.order.Offset += d
	n := int64(f.order.Offset)
	f.mu.Unlock()
	f.say(fmt.Sprintf("clock %d", n))
}

// crash is one place to die at.
type crash struct {
	name  string
	place string // inside the front, the n-th time
	n     int
	call  string // or: the gateway has done this call and not answered it
	kind  string // or: the shopper sees such a page
	card  string // "" is one whose challenge passes
}

// Every place of the program is died at in internal/simulation, at every gateway. Here real processes are killed, on real engines:
// for each gateway and shape where the gateway has moved the money and did not answer, and with a page of the dead one still open.

// challenged are the places of a challenge payment; last is the gateway's call that takes the money.
func challenged3DS(last string) []crash {
	return []crash{
		{name: "the shopper is at the challenge", kind: "bank"},
		{name: "the shopper's return is stored", place: "returned.stored", n: 1},
		{name: "the gateway takes the money and did not answer", call: last},
	}
}

func TestAKilledProcessChargesNobodyTwiceAndLosesNoOrder(t *testing.T) {
	t.Parallel()
	gateways := map[string][]crash{"rbs": challenged3DS("finish3dsVer2Payment.do"), "payneteasy": challenged3DS("upload-cres-result")}
	onSQLite := map[string][]crash{
		"sber":          startAndFinish("payment"),
		"cashier":       atTheirs("authorize"),
		"transactworld": atTheirs("payments"),
	}
	var all sync.WaitGroup // they wait more than they work: all at once, however few the cores
	for gateway, places := range onSQLite {
		all.Go(func() {
			// An order of Mobile Cashier cannot be closed: until it has expired nobody may pay again.
			fields := map[string]any{"expires_in": 86400, "currency": operatorOf(gateway).currency}
			t.Run(gateway+" on SQLite", func(t *testing.T) {
				w, f := startFront(t, "")
				for _, c := range places {
					t.Run(c.name, func(t *testing.T) { survive(t, w, f, gateway, fields, c) })
				}
			})
		})
	}
	for gateway, places := range gateways {
		for _, engine := range []string{"SQLite", "PostgreSQL"} {
			all.Go(func() {
				t.Run(gateway+" on "+engine, func(t *testing.T) {
					database := ""
					if engine == "PostgreSQL" {
						database = pgtest.Start(t)
					}
					w, f := startFront(t, database)
					for _, c := range places {
						t.Run(c.name, func(t *testing.T) { survive(t, w, f, gateway, nil, c) })
					}
				})
			})
		}
	}
	all.Wait()
}

// atTheirs are the places of a payment with 3-D Secure that the gateway itself takes from the bank, and of one without.
func atTheirs(pay string) []crash {
	return []crash{
		{name: "the gateway has the card and did not answer", call: pay},
		{name: "no 3DS: the gateway has the money and did not answer", call: pay, card: cardPlain},
	}
}

// survive pays a session with those fields, is killed at the place, and goes on.
func survive(t *testing.T, w *world, f *front, gateway string, fields map[string]any, c crash) sessionView {
	number := cmp.Or(c.card, "4000019900020704")
	s := w.create(t, gateway, fields)
	before := f.died()
	v := newVisitor(t)
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range w.events(t, s.ID) {
				t.Log(e.N, e.Type)
			}
			t.Logf("%+v\n%+v", w.session(t, s.ID), w.calls(t, s.OrderID+"-1"))
		}
	})
	moved := time.Duration(0)
	patience := func() {
		s := w.session(t, s.ID)
		step := 4 * time.Second // a turn of the inquiry's fast loop; the bank waits 30 s for its CReq
		if a := s.Attempts; len(a) > 0 && slices.Contains([]string{"new", "calling", "unknown"}, a[len(a)-1].State) {
			step = 32 * time.Second // past a call's deadline
		}
		if moved >= 5*time.Minute {
			step = 5 * time.Minute
		}
		moved += step
		f.move(w, step)
	}
	switch {
	case c.place != "":
		f.dieAt(c.place, c.n)
	case c.call != "":
		w.fault(t, map[string]any{"gateway": gateway, "call": c.call, "do": "hang", "when": "after", "hold_ms": 60_000})
		w.fault(t, map[string]any{"gateway": gateway, "call": "callback", "do": "drop", "times": 3}) // as many as tell of one payment
		// Looked at whenever the shopper waits in front of a spinner: the gateway has the call and is silent.
		move := patience
		patience = func() {
			if f.died() > before {
				move()
			} else if hangs(t, w, s.OrderID+"-1", c.call) {
				f.kill()
			}
		}
	}
	if c.kind != "" {
		page := reach(t, v, s.URL, number, c.kind)
		f.kill()
		if next, err := v.act(page, number); err == nil && next != nil && next.Status >= 400 {
			t.Errorf("the page that was open leads to %d", next.Status)
		}
	}
	end := v.walk(t, s.URL, number, patience)
	if !end.paid() {
		t.Errorf("the shopper ends on %q", strings.Join(strings.Fields(end.Doc.Find("main").Text()), " "))
	}
	until(t, 20*time.Second, "the front was killed", func() bool { return f.died() == before+1 })
	got := settled(t, w, s.ID, s.OrderID)
	if got.Status != "paid" {
		t.Errorf("session %s", got.Status)
	}
	v.calm(t)
	t.Logf("clock moved %s, %d attempts", moved, len(got.Attempts))
	return got
}

// hangs tells whether the gateway has the call and holds its answer back.
func hangs(t *testing.T, w *world, reference, call string) bool {
	t.Helper()
	var calls []struct{ Fault string }
	w.sandbox(t, "GET", "/calls?reference="+url.QueryEscape(reference)+"&call="+url.QueryEscape(call), nil, &calls)
	return len(calls) > 0 && calls[len(calls)-1].Fault == "hang"
}

// reach walks until a page of that kind is shown.
func reach(t *testing.T, v *visitor, payURL, number, kind string) *sheet {
	t.Helper()
	var page *sheet
	until(t, 30*time.Second, "the shopper sees a page of kind "+kind, func() bool {
		var err error
		if page, err = v.get(payURL); err != nil || page.kind() == kind {
			return err == nil
		}
		_, _ = v.act(page, number)
		return false
	})
	return page
}
