package simulation

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/clock"
	"tollgate/internal/config"
)

// Proc is one life of a front. Once killed it is fenced: nothing that its code still does reaches anybody. What it had
// sent before is on its way.
type Proc struct {
	w     *World
	place int // which of the fronts
	name  string
	l     *listener
	app   *app.App
	clock *clock.Clock // what it goes by
	wrong atomic.Int64 // by how much its machine's clock is
	stop  context.CancelFunc
	ended chan struct{} // the sandbox's: it has let go of its files

	mu    sync.Mutex
	dead  bool
	conns map[*conn]bool
}

// isDead is false of nil: a process that nobody kills.
func (p *Proc) isDead() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *Proc) adopt(c *conn) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns[c] = true
	}
}

func (p *Proc) forget(c *conn) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}
}

// at is app.Options.At: the program has come to a labelled place.
func (p *Proc) at(place string) {
	p.w.turn(p.name + " at " + place)
	if !p.isDead() {
		p.w.tracef("%s is at %s", p.name, place)
		if !p.w.killsAt(place) {
			return
		}
		p.w.killed(p, "at "+place)
	}
	if p.isDead() { // its other goroutines end at the next thing that they want of the world
		runtime.Goexit()
	}
}

// die is kill -9, or the machine's end.
func (p *Proc) die() {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return
	}
	p.dead = true
	var conns []*conn
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	slices.SortFunc(conns, func(a, b *conn) int {
		return cmp.Or(strings.Compare(a.local.String(), b.local.String()), strings.Compare(a.remote.String(), b.remote.String()))
	})
	_ = p.l.Close()
	for _, c := range conns {
		c.out.send(time.Millisecond, nil, errReset)
		c.in.arrive(nil, errDead)
	}
	p.stop()
}

// launch starts a life of a front, and tries again should it not come up.
func (w *World) launch(place int) {
	w.mu.Lock()
	over := w.over
	w.lives++
	p := &Proc{w: w, place: place, name: fmt.Sprintf("front%d.%d", place+1, w.lives), conns: map[*conn]bool{}}
	w.mu.Unlock()
	if over {
		return
	}
	err := w.start(p)
	switch {
	case err == nil:
		w.tracef("%s starts", p.name)
	case p.isDead():
	default:
		w.tracef("%s does not start: %v", p.name, err)
		w.relaunch(p, time.Second)
	}
}

func (w *World) relaunch(p *Proc, after time.Duration) {
	w.running.Go(func() {
		time.Sleep(after)
		w.launch(p.place)
	})
}

func (w *World) start(p *Proc) error {
	c, err := config.Load(config.Flags{Listen: frontAddr, SandboxListen: sandboxAddr, Data: filepath.Join(w.dir, p.name)}, nil)
	if err != nil {
		return err
	}
	c.KeysFile = filepath.Join(w.dir, "keys")
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.l = w.net.listen(frontAddr, p)
	p.wrong.Store(int64(w.skew(p)))
	p.clock = clock.Of(func() time.Time { return time.Now().Add(time.Duration(p.wrong.Load())) })
	p.clock.Advance(time.Until(w.clock.Now()))
	from := fmt.Sprint("front", p.place+1)
	p.app, err = app.New(ctx, app.Options{
		Config: c, Role: app.Front, Clock: p.clock, Tune: w.withOtherMerchant, Log: w.logger(p.name, p), FrontListener: p.l, SandboxURL: sandboxURL,
		At: p.at, Name: p.name, Dial: w.net.dialer(from, p), SQLite: w.disk.driver(p), Shared: w.Profile.Fronts > 1,
		Poll: neverPoll, Beat: neverPoll, JobChance: w.chanceOf("jobs " + from),
	})
	if err != nil {
		_ = p.l.Close()
		stop()
		return err
	}
	w.mu.Lock()
	w.fronts[p.place] = p
	w.mu.Unlock()
	w.running.Go(func() {
		if err := p.app.Run(ctx); err != nil && !p.isDead() {
			w.violation("%s: Run: %v", p.name, err)
		}
	})
	return nil
}

// neverPoll: who looks after the queues in a world is World.pace.
const neverPoll = 1000 * time.Hour

// alive are the fronts that live.
func (w *World) alive() []*Proc {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*Proc
	for _, p := range w.fronts {
		if p != nil && !p.isDead() {
			all = append(all, p)
		}
	}
	return all
}

// killed is the death of a process, with what the profile has die with it: the database may fail over to a standby that
// lacks the last commits, and the other fronts may go down too, or live on.
func (w *World) killed(p *Proc, why string) {
	if p.isDead() {
		return
	}
	w.mu.Lock()
	w.tally.Kills++
	w.mu.Unlock()
	n := w.nth("killed", why)
	most := 0
	if w.Profile.Lose > 0 {
		most = w.between("lost commits", why, n, 0, w.Profile.Lose)
	}
	if most > 0 && !w.lets(fmt.Sprintf("failover|%s|%d", why, n)) {
		most = 0
	}
	end := oneDies
	if most > 0 {
		end = w.Profile.Endings[w.between("ending", why, n, 0, len(w.Profile.Endings)-1)]
	}
	dying := []*Proc{p}
	switch end {
	case allDie:
		dying = w.alive()
	case noneDies:
		dying = nil
	}
	w.tracef("%s is KILLED %s; %s", p.name, why, end)
	w.reach("a kill: " + strings.Join(strings.Fields(why)[:2], " "))
	for _, p := range dying {
		p.die()
	}
	if most > 0 {
		down := time.Duration(w.between("down", why, n, 0, 4000)) * time.Millisecond
		lost, err := w.disk.failover(most, down)
		if err != nil {
			w.violation("the simulation: failover: %v", err)
		}
		w.mu.Lock()
		w.tally.Failovers++
		w.tally.Lost += len(lost)
		w.mu.Unlock()
		for _, what := range lost {
			for _, word := range []string{"+session", "+run", "+gateway_call", "~gateway_call", "+event"} {
				if strings.Contains(what+" ", word+" ") {
					w.reach("a failover that lost " + word)
				}
			}
		}
		w.tracef("FAILOVER for %s; lost: %s", down, strings.Join(lost, " | "))
	}
	for _, p := range dying {
		w.relaunch(p, time.Duration(w.between("start again", why, n*10+p.place, 100, 8000))*time.Millisecond)
	}
}

// ending is which fronts die when the database fails over; without a failover one does.
type ending string

const (
	oneDies  ending = "it dies alone"
	allDie   ending = "every front dies"
	noneDies ending = "no front dies, only their connections to the database"
)

// logger has a program's log in the story; that of the dead is not heard.
func (w *World) logger(who string, p *Proc) *slog.Logger {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(&logTo{w, who, p}, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: noTime}))
}

type logTo struct {
	w   *World
	who string
	p   *Proc
}

func (l *logTo) Write(b []byte) (int, error) {
	if l.p.isDead() {
		return len(b), nil
	}
	line := strings.TrimSpace(string(b))
	l.w.mu.Lock()
	l.w.logs = append(l.w.logs, line)
	l.w.mu.Unlock()
	if !strings.HasPrefix(line, "level=INFO") {
		l.w.tracef("%s says: %s", l.who, line)
	}
	return len(b), nil
}
