package simulation

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/clock"
	"tollgate/internal/config"
)

const (
	frontURL   = "http://" + frontAddr
	sandboxURL = "http://localhost:8081" // another site than the front's
)

// World is everything there is, from a seed.
type World struct {
	Seed    uint64
	Profile Profile

	t        testing.TB
	dir      string
	began    time.Time
	clock    *clock.Clock
	net      *network
	disk     *disk
	receiver *receiver
	observer *http.Client   // nothing happens to what it asks
	running  sync.WaitGroup // lives of fronts
	stop     chan struct{}

	mu      sync.Mutex
	fronts  []*Proc // the newest of each place
	sandbox *Proc
	lives   int
	over    bool           // no front is started again
	calm    bool           // nothing goes wrong any more
	counts  map[string]int // how often something could have gone wrong
	without faults         // that are left out
	struck  []string       // keys of the faults, in order
	has     faults         // the same
	owners  map[string]string
	cards   map[string]bool // numbers that were typed
	logs    []string        // what the programs wrote to their logs
	trace   []string
	wrong   []string
	tally   Tally
}

// faults are some of a world's, by key.
type faults map[string]bool

// Tally counts what happened.
type Tally struct {
	Worlds, Shoppers, Payments, Paid, Exchanges, Faults, Kills, Crashes, Failovers, Lost, Violations int
	Virtual                                                                                          time.Duration
	Reached                                                                                          map[string]int // situations
}

func (t *Tally) add(o Tally) {
	t.Worlds += o.Worlds
	t.Shoppers += o.Shoppers
	t.Payments += o.Payments
	t.Crashes += o.Crashes
	t.Paid += o.Paid
	t.Exchanges += o.Exchanges
	t.Faults += o.Faults
	t.Kills += o.Kills
	t.Failovers += o.Failovers
	t.Lost += o.Lost
	t.Violations += o.Violations
	t.Virtual += o.Virtual
	if t.Reached == nil {
		t.Reached = map[string]int{}
	}
	for what, n := range o.Reached {
		t.Reached[what] += n
	}
}

// life is what became of a world.
type life struct {
	tally                Tally
	wrong, trace, struck []string
}

// live runs a world to its end; without some of its faults, where that is asked.
func live(t *testing.T, seed uint64, p Profile, without faults) (l life) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	dir := tempDir(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, p, dir, without)
		orders := w.shop()
		w.settle(settleFor)
		w.check(orders)
		w.close()
		w.checkSecrets()
		w.tally.Worlds, w.tally.Shoppers, w.tally.Violations = 1, p.Shoppers, len(w.wrong)
		w.tally.Virtual = w.clock.Now().Sub(w.began)
		l = life{w.tally, w.wrong, w.trace, w.struck}
	})
	return l
}

// settleFor is longer than any schedule of inquiries.
const settleFor = 9 * 24 * time.Hour

// tempDir is in memory where there is such a place.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "simulation")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newWorld(t testing.TB, seed uint64, p Profile, dir string, without faults) *World {
	t.Helper()
	// Where the program asks the machine for the time, not its clock, it must not see the year 2000.
	time.Sleep(time.Until(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	w := &World{
		Seed: seed, Profile: p, t: t, dir: dir, began: time.Now().UTC(), clock: &clock.Clock{}, stop: make(chan struct{}),
		fronts: make([]*Proc, p.Fronts), counts: map[string]int{}, owners: map[string]string{}, cards: map[string]bool{}, without: without, has: faults{},
	}
	w.draw()
	w.net = &network{w: w, listeners: map[string][]*listener{}, conns: map[*conn]bool{}}
	w.observer = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: w.net.dialer(observer, nil)}}
	w.receiver = newReceiver(w)
	var err error
	if w.disk, err = newDisk(w, dir); err != nil {
		t.Fatal(err)
	}
	w.startSandbox()
	w.running.Go(w.trouble)
	for i := range p.Fronts {
		w.launch(i)
	}
	w.running.Go(w.pace)
	return w
}

// observer is the link of whoever checks.
const observer = "observer"

// startSandbox begins a life of the gateways and the bank; what they wrote down before they know again.
func (w *World) startSandbox() {
	c, err := config.Load(config.Flags{Listen: frontAddr, SandboxListen: sandboxAddr, Data: filepath.Join(w.dir, "sandbox")}, nil)
	if err == nil {
		err = os.MkdirAll(c.Data, 0o700)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proc{w: w, name: "sandbox", conns: map[*conn]bool{}, stop: stop, ended: make(chan struct{})}
	p.l = w.net.listen(sandboxAddr, p)
	box, err := app.New(ctx, app.Options{
		Config: c, Role: app.Sandbox, Clock: w.clock, Log: w.logger("sandbox", p), SandboxListener: p.l,
		Dial: w.net.dialer("sandbox", p),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.sandbox = p
	w.mu.Unlock()
	w.running.Go(func() {
		defer close(p.ended)
		if err := box.Run(ctx); err != nil && !p.isDead() {
			w.violation("the simulation: the sandbox: %v", err)
		}
	})
	w.running.Go(func() {
		select {
		case <-w.stop:
			stop()
		case <-p.ended:
		}
	})
}

// pace wakes the fronts when work is due, and a moment after each commit that may have enqueued some for another front: what
// polling brings about in production, without a query four times a second through days of virtual time.
func (w *World) pace() {
	const poll = 250 * time.Millisecond
	for {
		wait := time.Hour
		at, ok, _, err := w.disk.due()
		if err != nil {
			w.violation("the simulation: %v", err)
		}
		if ok {
			wait = min(wait, at.Sub(w.clock.Now())+time.Millisecond)
		}
		if wait <= time.Millisecond {
			w.wake()
			wait = poll
		}
		timer := time.NewTimer(wait)
		select {
		case <-w.stop:
			timer.Stop()
			return
		case <-timer.C:
		case <-w.disk.changed:
			timer.Stop()
			time.Sleep(poll)
		}
	}
}

func (w *World) wake() {
	for _, p := range w.alive() {
		p.app.Wake()
		time.Sleep(time.Millisecond) // the next finds what this one has left
	}
}

// shop has everybody shop, and ends when the last has left. What they ordered comes back.
func (w *World) shop() (orders []*shopper) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range w.Profile.Shoppers {
		s := newShopper(w, i)
		wg.Go(func() {
			s.run()
			mu.Lock()
			defer mu.Unlock()
			orders = append(orders, s.all()...)
		})
	}
	wg.Wait()
	slices.SortFunc(orders, func(a, b *shopper) int { return strings.Compare(a.name, b.name) })
	return orders
}

// settle ends all trouble and lets time pass, from one thing that is due to the next, until nothing is within the horizon.
func (w *World) settle(horizon time.Duration) {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	w.tracef("from here nothing goes wrong")
	w.mend()
	time.Sleep(2 * time.Minute) // deadlines of calls that were lost, leases of the dead
	end := w.clock.Now().Add(horizon)
	for range 5000 {
		at, ok, busy, err := w.disk.due()
		switch d := at.Sub(w.clock.Now()); {
		case err != nil:
			w.violation("the simulation: %v", err)
			return
		case !ok, at.After(end):
			return
		case !busy:
			w.advance(max(0, d))
			w.wake() // again where the fronts' clock, which is the database server's, is a moment behind
		}
		time.Sleep(500 * time.Millisecond)
	}
	w.violation("work without end: the queues are never empty: %s", w.disk.waiting(w.clock.Now()))
}

func (w *World) close() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	close(w.stop)
	for _, p := range w.alive() {
		p.stop()
	}
	w.receiver.close()
	w.observer.CloseIdleConnections()
	w.running.Wait()
	w.net.closeAll()
	if err := w.disk.close(); err != nil {
		w.violation("the simulation: %v", err)
	}
}

// hash is 64 bits from the seed and a key.
func (w *World) hash(kind, place string, n int) uint64 {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], w.Seed)
	h.Write(b[:])
	fmt.Fprintf(h, "%s\x00%s\x00%d", kind, place, n)
	x := h.Sum64() // the finish of MurmurHash3: FNV's high bits are poor
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// nth counts the occasions of a kind at a place.
func (w *World) nth(kind, place string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := kind + "\x00" + place
	w.counts[key]++
	return w.counts[key]
}

// chance is true at this rate; each call is the next occasion.
func (w *World) chance(rate float64, kind, place string) bool {
	return w.strikes(rate, kind, place, w.nth(kind, place))
}

// pick draws from 0 to below n; each call is the next occasion.
func (w *World) pick(n int, kind, place string) int {
	return int(w.hash(kind, place, w.nth(kind, place)) % uint64(n))
}

// between draws for an occasion that has a number of its own.
func (w *World) between(kind, place string, n, least, most int) int {
	return least + int(w.hash(kind, place, n)%uint64(most-least+1))
}

// strikes tells whether a fault that has this key is one of this world.
func (w *World) strikes(rate float64, kind, place string, n int) bool {
	if float64(w.hash(kind, place, n)>>11)/(1<<53) >= rate {
		return false
	}
	return w.lets(fmt.Sprintf("%s|%s|%d", kind, place, n))
}

// lets writes a fault down, unless it is left out.
func (w *World) lets(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.without[key] {
		return false
	}
	if !w.has[key] {
		w.has[key] = true
		w.struck = append(w.struck, key)
	}
	return true
}

// chanceOf is a source of chance for the program itself.
func (w *World) chanceOf(whose string) func() uint64 {
	return func() uint64 { return w.hash("chance", whose, w.nth("chance", whose)) }
}

func (w *World) latency(place string) time.Duration {
	if strings.HasPrefix(place, observer) {
		return 1
	}
	return time.Millisecond + time.Duration(w.pick(19_000_000, "latency", place)) // in nanoseconds: see turn
}

// away is how far it is to connect to somebody.
func (w *World) away(link string) time.Duration {
	if strings.HasPrefix(link, observer) {
		return 1
	}
	return time.Millisecond + time.Duration(w.hash("away", link, 0)%19_000_000)
}

// turn has a goroutine wait for an instant of its own, in which no other of the world can run: what happens at one instant
// happens in an order that nobody decides, and no run would be like the other.
func (w *World) turn(place string) { time.Sleep(1 + time.Duration(w.pick(50_000, "turn", place))) }

// reach counts a situation.
func (w *World) reach(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tally.Reached == nil {
		w.tally.Reached = map[string]int{}
	}
	w.tally.Reached[what]++
}

func (w *World) troubled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm
}

// exchangeFault decides about the next exchange at a place.
func (w *World) exchangeFault(link, place string) (fault, time.Duration) {
	n := w.nth("exchange", place)
	p := w.Profile
	w.mu.Lock()
	w.tally.Exchanges++
	w.mu.Unlock()
	if len(p.NetFaults) == 0 || !strings.HasPrefix(link, p.NetLinks) || !strings.HasSuffix(link, p.NetTo) || strings.HasPrefix(link, observer) || !w.troubled() ||
		!w.strikes(p.NetRate, "exchange", place, n) {
		return none, 0
	}
	w.mu.Lock()
	w.tally.Faults++
	w.mu.Unlock()
	w.reach("a fault of the network on a link from " + strings.TrimRight(strings.Fields(link)[0], "0123456789."))
	f := p.NetFaults[w.hash("fault", place, n)%uint64(len(p.NetFaults))]
	if f != requestLate && f != answerLate {
		return f, 0
	}
	return f, p.NetDelays[w.hash("delay", place, n)%uint64(len(p.NetDelays))]
}

// commitFault is what becomes of a commit.
type commitFault int

const (
	killBefore commitFault = iota + 1
	killAfter
	answerOfCommitLost
)

func (w *World) commitFault(name string) commitFault {
	n := w.nth("commit", name)
	x := float64(w.hash("commit", name, n)>>11) / (1 << 53)
	key := fmt.Sprintf("commit|%s|%d", name, n)
	switch p := w.Profile; {
	case !w.troubled():
	case x < p.KillCommit && w.mayKill() && w.lets(key):
		return killBefore + commitFault(w.hash("before or after", name, n)%2)
	case x >= p.KillCommit && x < p.KillCommit+p.LoseAnswer && w.lets(key):
		w.reach("a commit whose answer is lost")
		return answerOfCommitLost
	}
	return 0
}

// killsAt decides about a labelled place.
func (w *World) killsAt(place string) bool {
	rate := w.Profile.KillAt
	if w.Profile.killPlace != "" {
		return place == w.Profile.killPlace && w.nth("kill", place) == w.Profile.killNth
	}
	if strings.HasSuffix(place, ".answered") {
		rate = w.Profile.KillAnswered
	}
	n := w.nth("kill", place)
	return w.troubled() && w.mayKill() && w.strikes(rate, "kill", place, n)
}

func (w *World) mayKill() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tally.Kills < w.Profile.Kills
}

// owns remembers whose a session is.
func (w *World) owns(session, shopper string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners[session] = shopper
}

// whose tells from a statement's values which shopper it is about: session ids are random and name nothing by themselves.
func (w *World) whose(args []driver.NamedValue) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	session, order := "", ""
	for _, a := range args {
		s, ok := a.Value.(string)
		switch {
		case !ok:
		case strings.HasPrefix(s, "cs_"):
			session, _, _ = strings.Cut(s, "/")
			if name := w.owners[session]; name != "" {
				return name
			}
		case strings.HasPrefix(s, orderPrefix):
			order, _, _ = strings.Cut(strings.TrimPrefix(s, orderPrefix), "-")
		}
	}
	if session != "" && order != "" {
		w.owners[session] = order
	}
	return order
}

// advance moves everybody's clock.
func (w *World) advance(d time.Duration) {
	w.clock.Advance(d)
	for _, p := range w.alive() {
		p.clock.Advance(d)
	}
}

// tracef adds a line to the story.
func (w *World) tracef(format string, args ...any) {
	at := w.clock.Now().Sub(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%14s ", at.Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

// violation says that something is wrong that must never be.
func (w *World) violation(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	w.tracef("VIOLATION %s", s)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, s)
}
