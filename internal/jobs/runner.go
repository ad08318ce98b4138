package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Handler does a job. It may be called again for a job it has done: it must be idempotent. Its context ends when the
// lease cannot be kept or the process stops; it must then return soon.
type Handler func(ctx context.Context, job Job) error

// Options are a Runner's settings; what is zero gets the value in brackets.
type Options struct {
	Now       func() time.Time    // the one clock [time.Now]: what is due, and until when a lease holds, is judged by it
	Name      string              // of this process, in leases; a random part is added, so that no lease outlives its process
	Workers   int                 // handlers at once [8]
	Lease     time.Duration       // silence that frees a job [10 s]
	Heartbeat time.Duration       // [2 s]
	Poll      time.Duration       // [250 ms]
	Grace     time.Duration       // how long handlers may go on after Run's context ended [10 s]
	Chance    func() uint64       // 64 random bits, for the spread of retries and the names in leases [math/rand]
	Jitter    func() float64      // in [0,1), spreads retries [of Chance]
	Log       *slog.Logger        // [discarded]
	Waited    func(time.Duration) // told for how long no worker has been free; nil: nobody asks
}

const (
	firstRetry  = time.Second
	lastRetry   = time.Minute
	callLimit   = 5 * time.Second // for one call of the queue
	defaultPoll = 250 * time.Millisecond
	lastWords   = time.Second // between the end of a handler's context and giving it up
)

// Why a handler's context ends; see context.Cause.
var (
	ErrLeaseLost = errors.New("jobs: the lease could not be kept")
	ErrStopping  = errors.New("jobs: stopping")
)

// Stats are a Runner's numbers since it was made.
type Stats struct {
	Running int   // handlers now
	Done    int64 // jobs removed after success
	Failed  int64 // handler calls that ended with an error or a panic
}

// Backlog is how much a queue holds, for metrics.
type Backlog struct {
	Due    int           // waiting, time has come
	Later  int           // waiting for their time
	Leased int           // being done
	Oldest time.Duration // how long the oldest due job has been due
}

// Runner claims due jobs and does them.
type Runner struct {
	q        Queue
	o        Options
	handlers map[string]Handler
	wake     chan struct{}
	freed    chan struct{}
	tasks    sync.WaitGroup

	mu      sync.Mutex
	running map[int64]*task
	worker  string // under which the next claim is made
	stats   Stats
	full    time.Time       // since when no worker is free
	unknown map[string]bool // kinds without a handler, already logged
}

// task is a job that a handler is running. The Runner's mutex guards it.
type task struct {
	job     Job
	renewed time.Time // monotonic: when the lease was last known to be ours
	cancel  context.CancelCauseFunc
}

// New makes a Runner; Handle tells it what it can do, Run sets it to work.
func New(q Queue, o Options) *Runner {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Lease, 10*time.Second)
	def(&o.Heartbeat, 2*time.Second)
	def(&o.Poll, defaultPoll)
	def(&o.Grace, 10*time.Second)
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Chance == nil {
		o.Chance = rand.Uint64
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return float64(o.Chance()>>11) / (1 << 53) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		q: q, o: o,
		handlers: map[string]Handler{},
		wake:     make(chan struct{}, 1),
		freed:    make(chan struct{}, 1),
		running:  map[int64]*task{},
		unknown:  map[string]bool{},
	}
	r.worker = r.newWorker()
	return r
}

// newWorker is a name no lease was ever made under. A claim whose answer was lost may have leased jobs that nobody
// does; were the name kept, the heartbeat would keep those leases for ever.
func (r *Runner) newWorker() string {
	return fmt.Sprintf("%s-%016x", r.o.Name, r.o.Chance())
}

// Handle says who does jobs of a kind. All calls come before Run. Jobs of other kinds, which a newer process may have
// enqueued, are given back for about a second, so that one that knows them gets them and they stand in nobody's way.
func (r *Runner) Handle(kind string, f Handler) { r.handlers[kind] = f }

// Wake makes the Runner look for due jobs now, not at the next poll. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Stats tells what the Runner has done so far.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Running = len(r.running)
	return s
}

// Run works until ctx ends. Then it claims nothing more, lets handlers finish for Grace, ends the context of the rest
// and gives their jobs back. A handler that even then does not return keeps its lease, which lapses by itself: giving
// it back would let another process do the job beside it. Such a handler is the only error.
func (r *Runner) Run(ctx context.Context) error {
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	beat, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	var beating sync.WaitGroup
	beating.Go(func() { r.heartbeat(beat) })
	defer beating.Wait()
	defer stopBeat()
	defer stopWork(ErrStopping)

	timer := time.NewTimer(r.o.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		var freed chan struct{}
		if r.claim(ctx, work) {
			freed = r.freed
		}
		timer.Reset(r.o.Poll)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.wake:
		case <-freed:
		}
	}

	idle := make(chan struct{})
	go func() { r.tasks.Wait(); close(idle) }()
	for _, limit := range []time.Duration{r.o.Grace, lastWords} {
		timer.Reset(limit)
		select {
		case <-idle:
			return nil
		case <-timer.C:
			stopWork(ErrStopping)
		}
	}
	return fmt.Errorf("jobs: %d handlers did not stop", r.Stats().Running)
}

// claim takes as many due jobs as there are free workers and tells whether there may be more.
func (r *Runner) claim(ctx, work context.Context) (more bool) {
	r.mu.Lock()
	free, worker := r.o.Workers-len(r.running), r.worker
	if free > 0 {
		r.full = time.Time{}
	} else if r.full.IsZero() {
		r.full = time.Now()
	}
	full := r.full
	r.mu.Unlock()
	if r.o.Waited != nil {
		waited := time.Duration(0)
		if !full.IsZero() {
			waited = time.Since(full)
		}
		r.o.Waited(waited)
	}
	if free <= 0 {
		return true
	}
	// Not cut short by the end of ctx: what it leased must be known, to be given back.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	asked := time.Now()
	claimed, err := r.q.Claim(call, worker, r.o.Now(), r.o.Lease, free)
	if err != nil {
		r.o.Log.Error("claiming jobs", "err", err)
		r.mu.Lock()
		r.worker = r.newWorker()
		r.mu.Unlock()
		return false
	}
	for _, job := range claimed {
		r.start(ctx, work, job, asked)
	}
	return len(claimed) == free
}

func (r *Runner) start(ctx, work context.Context, job Job, leased time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.running[job.ID]; t != nil {
		// Our own lease ran out by a clock that was moved. The job is in hand: it goes on under the new lease.
		t.job, t.renewed = job, leased
		return
	}
	own, cancel := context.WithCancelCause(work)
	t := &task{job: job, renewed: leased, cancel: cancel}
	r.running[job.ID] = t
	f := r.handlers[job.Kind]
	if f == nil && !r.unknown[job.Kind] {
		r.unknown[job.Kind] = true
		r.o.Log.Warn("jobs of a kind unknown here are left alone", "kind", job.Kind)
	}
	r.tasks.Go(func() {
		defer cancel(nil)
		switch {
		case ctx.Err() != nil: // claimed in the last moment
			r.finish(work, t, func(c context.Context, j Job) error { return r.q.Retry(c, j, j.RunAt) })
		case f == nil:
			at := r.o.Now().Add(r.spread(firstRetry))
			r.finish(work, t, func(c context.Context, j Job) error { return r.q.Retry(c, j, at) })
		default:
			r.do(work, own, t, job, f)
		}
	})
}

// do calls the handler and settles the job.
func (r *Runner) do(work, own context.Context, t *task, job Job, f Handler) {
	err := r.call(own, f, job)
	if err == nil {
		r.finish(work, t, r.q.Done)
		r.count(func(s *Stats) { s.Done++ })
		return
	}
	r.count(func(s *Stats) { s.Failed++ })
	at := r.o.Now()
	if !errors.Is(context.Cause(own), ErrStopping) {
		at = at.Add(r.backoff(job.Attempt))
	}
	r.o.Log.Warn("job failed", "kind", job.Kind, "key", job.Key, "attempt", job.Attempt, "again", at, "err", err)
	r.finish(work, t, func(c context.Context, j Job) error { return r.q.Retry(c, j, at) })
}

// call turns a panic into an error that says where, not with what: the value may hold what must not be logged.
func (r *Runner) call(ctx context.Context, f Handler, job Job) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("jobs: panic (%T) at %s", v, panicked())
		}
	}()
	return f(ctx, job)
}

// panicked names the functions and lines that led to the panic being recovered from.
func panicked() string {
	pcs := make([]uintptr, 12)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	s := ""
	for {
		f, more := frames.Next()
		s += fmt.Sprintf("%s:%d ", f.Function, f.Line)
		if !more {
			return s
		}
	}
}

// finish settles a job, trying until the queue has taken it: a job that is done but still leased to us would be kept
// from everybody by the heartbeat. When work ends it tries once more; then the lease lapses.
func (r *Runner) finish(work context.Context, t *task, settle func(context.Context, Job) error) {
	defer func() {
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}()
	r.mu.Lock()
	job := t.job
	r.mu.Unlock()
	for {
		last := work.Err() != nil
		c, cancel := context.WithTimeout(context.WithoutCancel(work), callLimit)
		err := settle(c, job)
		cancel()
		r.mu.Lock()
		renewed := t.job.Attempt != job.Attempt // a moved clock let us lease it again meanwhile: that lease is to be settled too
		if (err == nil && !renewed) || last {
			delete(r.running, job.ID)
			r.mu.Unlock()
			return
		}
		job = t.job
		r.mu.Unlock()
		if err == nil {
			continue
		}
		r.o.Log.Error("settling a job", "kind", job.Kind, "key", job.Key, "err", err)
		timer := time.NewTimer(min(r.o.Poll, defaultPoll))
		select {
		case <-timer.C:
		case <-work.Done():
			timer.Stop()
		}
	}
}

// backoff is how long a job rests after its n-th failure: 1, 2, 4 … s up to a minute, spread over its upper half.
func (r *Runner) backoff(n int) time.Duration {
	d := lastRetry
	if n < 7 {
		d = min(d, firstRetry<<max(n-1, 0))
	}
	return r.spread(d)
}

func (r *Runner) spread(d time.Duration) time.Duration {
	return d/2 + time.Duration(r.o.Jitter()*float64(d/2))
}

func (r *Runner) count(f func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.stats)
}

// heartbeat keeps the leases of jobs in hand, and ends the work on those it cannot keep before anybody else may claim
// them.
func (r *Runner) heartbeat(ctx context.Context) {
	tick := time.NewTicker(r.o.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		names := map[string]bool{}
		for _, t := range r.running {
			names[t.job.Worker] = true
		}
		r.mu.Unlock()
		for name := range names {
			asked := time.Now()
			call, cancel := context.WithTimeout(ctx, r.o.Heartbeat)
			err := r.q.Extend(call, name, r.o.Now(), r.o.Lease)
			cancel()
			if err != nil && ctx.Err() == nil {
				r.o.Log.Error("keeping leases", "err", err)
			}
			r.mu.Lock()
			for _, t := range r.running {
				switch {
				case t.job.Worker != name:
				case err == nil:
					t.renewed = asked
				case time.Since(t.renewed) >= r.o.Lease-r.o.Heartbeat:
					t.cancel(ErrLeaseLost)
				}
			}
			r.mu.Unlock()
		}
	}
}
