package jobs_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tollgate/internal/jobs"
)

// memory is a Queue in memory, faithful to the interface's comments.
type memory struct {
	mu     sync.Mutex
	nextID int64
	jobs   map[int64]*held
	down   error // answered by every call while set
	lose   bool  // claims lease, but their answer is lost
}

type held struct {
	jobs.Job
	until time.Time
}

func newMemory() *memory { return &memory{jobs: map[int64]*held{}} }

func (m *memory) locked(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	f()
	return nil
}

func (m *memory) waiting(kind, key string) *held {
	for _, h := range m.jobs {
		if h.Worker == "" && h.Kind == kind && h.Key == key {
			return h
		}
	}
	return nil
}

func (m *memory) Enqueue(_ context.Context, js ...jobs.Job) error {
	return m.locked(func() {
		for _, j := range js {
			if h := m.waiting(j.Kind, j.Key); h != nil {
				delete(m.jobs, h.ID)
			}
			m.nextID++
			j.ID, j.Worker, j.Attempt = m.nextID, "", 0
			m.jobs[j.ID] = &held{Job: j}
		}
	})
}

func (m *memory) Claim(_ context.Context, worker string, now time.Time, lease time.Duration, n int) (out []jobs.Job, err error) {
	lost := false
	err = m.locked(func() {
		var due []*held
		for _, h := range m.jobs {
			if !h.RunAt.After(now) && (h.Worker == "" || h.until.Before(now)) {
				due = append(due, h)
			}
		}
		slices.SortFunc(due, func(a, b *held) int { return cmp.Or(a.RunAt.Compare(b.RunAt), cmp.Compare(a.ID, b.ID)) })
		for _, h := range due[:min(n, len(due))] {
			h.Worker, h.until = worker, now.Add(lease)
			h.Attempt++
			out = append(out, h.Job)
		}
		lost = m.lose
	})
	if lost {
		return nil, errors.New("connection lost")
	}
	return out, err
}

func (m *memory) Extend(_ context.Context, worker string, now time.Time, lease time.Duration) error {
	return m.locked(func() {
		for _, h := range m.jobs {
			if h.Worker == worker && worker != "" {
				h.until = now.Add(lease)
			}
		}
	})
}

func (m *memory) holds(j jobs.Job) *held {
	h := m.jobs[j.ID]
	if h == nil || h.Worker == "" || h.Worker != j.Worker || h.Attempt != j.Attempt {
		return nil
	}
	return h
}

func (m *memory) Done(_ context.Context, j jobs.Job) error {
	return m.locked(func() {
		if m.holds(j) != nil {
			delete(m.jobs, j.ID)
		}
	})
}

func (m *memory) Retry(_ context.Context, j jobs.Job, at time.Time) error {
	return m.locked(func() {
		h := m.holds(j)
		switch {
		case h == nil:
		case m.waiting(j.Kind, j.Key) != nil:
			delete(m.jobs, j.ID)
		default:
			h.Worker, h.RunAt = "", at
		}
	})
}

func (m *memory) FreeAll(context.Context) error {
	return m.locked(func() {
		for _, h := range m.jobs {
			h.Worker = ""
		}
	})
}

func (m *memory) left() (waiting, leased int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.jobs {
		if h.Worker == "" {
			waiting++
		} else {
			leased++
		}
	}
	return waiting, leased
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// run sets a Runner to work. stop ends it and waits; it fails the test if handlers did not stop.
func run(t *testing.T, r *jobs.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func enqueue(t *testing.T, q jobs.Queue, key string, at time.Time) {
	t.Helper()
	if err := q.Enqueue(t.Context(), jobs.Job{Kind: "k", Key: key, RunAt: at}); err != nil {
		t.Fatal(err)
	}
}

func steady() float64 { return 0.999999 }

func TestADueJobIsDoneOnceAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "now", time.Now())
		enqueue(t, q, "later", time.Now().Add(time.Minute))
		r := jobs.New(q, jobs.Options{})
		var mu sync.Mutex
		var done []string
		r.Handle("k", func(_ context.Context, j jobs.Job) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, j.Key)
			return nil
		})
		stop := run(t, r)
		time.Sleep(time.Second)
		mu.Lock()
		if !slices.Equal(done, []string{"now"}) {
			t.Errorf("done after a second: %v", done)
		}
		mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		if !slices.Equal(done, []string{"now", "later"}) {
			t.Errorf("done after a minute: %v", done)
		}
		if w, l := q.left(); w+l != 0 {
			t.Errorf("%d waiting and %d leased jobs are left", w, l)
		}
		if s := r.Stats(); s.Done != 2 || s.Failed != 0 || s.Running != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWakeDoesNotWaitForThePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		r := jobs.New(q, jobs.Options{Poll: time.Hour})
		var at time.Time
		r.Handle("k", func(context.Context, jobs.Job) error { at = time.Now(); return nil })
		stop := run(t, r)
		time.Sleep(time.Second)
		enqueue(t, q, "a", time.Now())
		woken := time.Now()
		r.Wake()
		r.Wake()
		synctest.Wait()
		stop()
		if !at.Equal(woken) {
			t.Errorf("done %v after the call", at.Sub(woken))
		}
	})
}

func TestAMovedClockMakesJobsDueWithinAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		q := newMemory()
		enqueue(t, q, "a", now().Add(24*time.Hour))
		r := jobs.New(q, jobs.Options{Now: now})
		var done atomic.Bool
		r.Handle("k", func(context.Context, jobs.Job) error { done.Store(true); return nil })
		stop := run(t, r)
		time.Sleep(time.Minute)
		if done.Load() {
			t.Fatal("done a day early")
		}
		offset.Store(int64(24 * time.Hour))
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		stop()
		if !done.Load() {
			t.Error("not done a poll after the clock was moved")
		}
	})
}

func TestARunningJobIsNotStartedAgainWhenTheClockIsMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		q := newMemory()
		enqueue(t, q, "a", now())
		r := jobs.New(q, jobs.Options{Now: now})
		var calls atomic.Int32
		r.Handle("k", func(context.Context, jobs.Job) error {
			calls.Add(1)
			time.Sleep(5 * time.Second)
			return nil
		})
		stop := run(t, r)
		time.Sleep(time.Second)
		offset.Store(int64(time.Hour)) // its lease is over by this clock
		time.Sleep(time.Minute)
		stop()
		if calls.Load() != 1 {
			t.Errorf("the handler was called %d times", calls.Load())
		}
		if w, l := q.left(); w+l != 0 {
			t.Errorf("%d waiting and %d leased jobs are left", w, l)
		}
	})
}

func TestAFailedJobComesBackLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{Jitter: steady, Poll: time.Millisecond})
		var at []time.Time
		r.Handle("k", func(_ context.Context, j jobs.Job) error {
			at = append(at, time.Now())
			if j.Attempt != len(at) {
				t.Errorf("call %d says attempt %d", len(at), j.Attempt)
			}
			if len(at) < 10 {
				return errors.New("not yet")
			}
			return nil
		})
		stop := run(t, r)
		time.Sleep(10 * time.Minute)
		stop()
		var rests []string
		for i := 1; i < len(at); i++ {
			rests = append(rests, at[i].Sub(at[i-1]).Round(10*time.Millisecond).String())
		}
		if got, want := strings.Join(rests, " "), "1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s"; got != want {
			t.Errorf("rests %s, want %s", got, want)
		}
		if w, l := q.left(); w+l != 0 {
			t.Errorf("%d waiting and %d leased jobs are left after the success", w, l)
		}
	})
}

func TestRetriesAreSpreadOverTheUpperHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{Jitter: func() float64 { return 0 }, Poll: time.Millisecond})
		var at []time.Time
		r.Handle("k", func(context.Context, jobs.Job) error {
			at = append(at, time.Now())
			return errors.New("never")
		})
		stop := run(t, r)
		time.Sleep(2 * time.Second)
		stop()
		if rest := at[1].Sub(at[0]).Round(10 * time.Millisecond); rest != 500*time.Millisecond {
			t.Errorf("the first rest is %v", rest)
		}
	})
}

func TestAPanicIsAFailureLoggedWithoutItsValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		var log bytes.Buffer
		r := jobs.New(q, jobs.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		calls := 0
		r.Handle("k", func(context.Context, jobs.Job) error {
			if calls++; calls == 1 {
				panic("4000000000000002")
			}
			return nil
		})
		stop := run(t, r)
		time.Sleep(5 * time.Second)
		stop()
		if w, l := q.left(); calls != 2 || w+l != 0 {
			t.Errorf("%d calls; %d waiting, %d leased", calls, w, l)
		}
		if s := log.String(); strings.Contains(s, "4000000000000002") || !strings.Contains(s, "TestAPanicIsAFailure") || !strings.Contains(s, "string") {
			t.Errorf("the log shows the value, or not where it happened: %s", s)
		}
	})
}

func TestKindsUnknownHereAreLeftForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		old := jobs.New(q, jobs.Options{})
		stopOld := run(t, old)
		time.Sleep(time.Minute + 100*time.Millisecond) // the two do not poll at one moment
		if w, l := q.left(); w+l != 1 {
			t.Fatalf("%d waiting, %d leased", w, l)
		}
		knows := jobs.New(q, jobs.Options{})
		done := false
		knows.Handle("k", func(context.Context, jobs.Job) error { done = true; return nil })
		stopKnows := run(t, knows)
		time.Sleep(2 * time.Minute)
		stopOld()
		stopKnows()
		if w, l := q.left(); !done || w+l != 0 {
			t.Errorf("done %v; %d waiting, %d leased", done, w, l)
		}
	})
}

func TestNoMoreJobsThanWorkersRunAndAFreeWorkerTakesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		for i := range 9 {
			enqueue(t, q, strconv.Itoa(i), time.Now())
		}
		r := jobs.New(q, jobs.Options{Workers: 3, Poll: time.Hour})
		var now, most, all atomic.Int32
		r.Handle("k", func(context.Context, jobs.Job) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			all.Add(1)
			return nil
		})
		stop := run(t, r)
		time.Sleep(3100 * time.Millisecond) // three by three; no poll comes
		stop()
		if most.Load() != 3 || all.Load() != 9 {
			t.Errorf("%d at once, %d done", most.Load(), all.Load())
		}
	})
}

func TestTheHeartbeatKeepsALongJobFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		var calls atomic.Int32
		var stops []func()
		for range 2 {
			r := jobs.New(q, jobs.Options{})
			r.Handle("k", func(context.Context, jobs.Job) error {
				calls.Add(1)
				time.Sleep(5 * time.Minute)
				return nil
			})
			stops = append(stops, run(t, r))
		}
		time.Sleep(6 * time.Minute)
		for _, stop := range stops {
			stop()
		}
		if w, l := q.left(); calls.Load() != 1 || w+l != 0 {
			t.Errorf("%d calls; %d waiting, %d leased", calls.Load(), w, l)
		}
	})
}

func TestTwoRunnersNeverDoOneJobAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		const all = 200
		for i := range all {
			enqueue(t, q, strconv.Itoa(i), time.Now())
		}
		var mu sync.Mutex
		running, done := map[string]int{}, map[string]int{}
		var stops []func()
		for range 2 {
			r := jobs.New(q, jobs.Options{Workers: 4})
			rng := rand.New(rand.NewPCG(1, 2))
			r.Handle("k", func(_ context.Context, j jobs.Job) error {
				mu.Lock()
				if running[j.Key]++; running[j.Key] > 1 {
					t.Errorf("job %s is run twice at once", j.Key)
				}
				wait, fail := time.Duration(rng.IntN(3000))*time.Millisecond, rng.IntN(4) == 0
				mu.Unlock()
				time.Sleep(wait)
				mu.Lock()
				defer mu.Unlock()
				running[j.Key]--
				if fail {
					return errors.New("by chance")
				}
				done[j.Key]++
				return nil
			})
			stops = append(stops, run(t, r))
		}
		time.Sleep(5 * time.Minute)
		for _, stop := range stops {
			stop()
		}
		if len(done) != all {
			t.Errorf("%d jobs done, want %d", len(done), all)
		}
		for key, n := range done {
			if n != 1 {
				t.Errorf("job %s succeeded %d times", key, n)
			}
		}
	})
}

// A process that is killed just stops: no word to the queue, no heartbeat.
func TestAKilledProcessLeavesItsJobToOthersAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		if js, err := q.Claim(t.Context(), "killed", time.Now(), 10*time.Second, 1); err != nil || len(js) != 1 {
			t.Fatal(js, err)
		}
		killed := time.Now()
		r := jobs.New(q, jobs.Options{})
		var at time.Time
		r.Handle("k", func(_ context.Context, j jobs.Job) error { at = time.Now(); return nil })
		stop := run(t, r)
		time.Sleep(time.Minute)
		stop()
		if silence := at.Sub(killed); silence < 10*time.Second || silence > 10*time.Second+2*250*time.Millisecond {
			t.Errorf("done after %v of silence", silence)
		}
	})
}

func TestAJobWhoseClaimWasLostIsNotKeptByTheHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		r := jobs.New(q, jobs.Options{})
		done := map[string]bool{}
		var mu sync.Mutex
		r.Handle("k", func(_ context.Context, j jobs.Job) error {
			if j.Key == "long" {
				time.Sleep(10 * time.Minute) // keeps the heartbeat going
			}
			mu.Lock()
			defer mu.Unlock()
			done[j.Key] = true
			return nil
		})
		stop := run(t, r)
		q.set(func() { q.lose = true })
		enqueue(t, q, "lost", time.Now())
		time.Sleep(time.Second)
		q.set(func() { q.lose = false })
		enqueue(t, q, "long", time.Now())
		time.Sleep(15 * time.Second)
		mu.Lock()
		if !done["lost"] {
			t.Error("the lost job is still leased")
		}
		mu.Unlock()
		time.Sleep(10 * time.Minute)
		stop()
	})
}

func TestAFinishedJobIsSettledOnceTheQueueIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{})
		calls := 0
		r.Handle("k", func(context.Context, jobs.Job) error {
			calls++
			q.set(func() { q.down = errors.New("away") })
			return nil
		})
		stop := run(t, r)
		time.Sleep(5 * time.Second)
		q.set(func() { q.down = nil })
		time.Sleep(time.Minute)
		stop()
		if w, l := q.left(); calls != 1 || w+l != 0 {
			t.Errorf("%d calls; %d waiting, %d leased", calls, w, l)
		}
	})
}

func TestWorkStopsBeforeALeaseThatCannotBeKeptIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{})
		var worked time.Duration
		var why error
		r.Handle("k", func(ctx context.Context, j jobs.Job) error {
			if j.Attempt > 1 {
				return nil
			}
			begun := time.Now()
			<-ctx.Done()
			worked, why = time.Since(begun), context.Cause(ctx)
			return ctx.Err()
		})
		stop := run(t, r)
		time.Sleep(300 * time.Millisecond)
		q.set(func() { q.down = errors.New("away") })
		time.Sleep(time.Minute)
		q.set(func() { q.down = nil })
		time.Sleep(time.Minute)
		stop()
		if !errors.Is(why, jobs.ErrLeaseLost) || worked > 10*time.Second {
			t.Errorf("worked %v and was stopped by %v", worked, why)
		}
		if w, l := q.left(); w+l != 0 {
			t.Errorf("%d waiting, %d leased", w, l)
		}
	})
}

func TestStoppingLetsHandlersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{Workers: 1})
		r.Handle("k", func(ctx context.Context, _ jobs.Job) error {
			time.Sleep(8 * time.Second)
			return ctx.Err()
		})
		stop := run(t, r)
		time.Sleep(time.Second)
		enqueue(t, q, "b", time.Now())
		stop()
		if w, l := q.left(); w != 1 || l != 0 {
			t.Errorf("%d waiting, %d leased; want only the job that was not begun", w, l)
		}
	})
}

func TestStoppingGivesUnfinishedJobsBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{Grace: 3 * time.Second})
		var why error
		r.Handle("k", func(ctx context.Context, _ jobs.Job) error {
			<-ctx.Done()
			why = context.Cause(ctx)
			return ctx.Err()
		})
		stop := run(t, r)
		time.Sleep(time.Second)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if !errors.Is(why, jobs.ErrStopping) {
			t.Errorf("stopped by %v", why)
		}
		if js, _ := q.Claim(t.Context(), "next", time.Now(), time.Minute, 1); len(js) != 1 {
			t.Error("the next process cannot have the job at once")
		}
	})
}

func TestAHandlerThatDoesNotStopKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemory()
		enqueue(t, q, "a", time.Now())
		r := jobs.New(q, jobs.Options{Grace: time.Second})
		deaf := make(chan struct{})
		r.Handle("k", func(context.Context, jobs.Job) error { <-deaf; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-ended; err == nil {
			t.Error("Run does not tell of a handler that did not stop")
		}
		if js, _ := q.Claim(t.Context(), "next", time.Now(), time.Minute, 1); len(js) != 0 {
			t.Error("the job was given to another while the handler still has it")
		}
		close(deaf)
	})
}
