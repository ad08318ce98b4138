package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"tollgate/internal/jobs"
)

// leases are those of a database that no other process uses. They end with the process in any case (FreeAll at the next start),
// so they are kept in memory: a claim and a heartbeat wait for no disk. In the database a leased job is one that waits; one of
// its kind and key that is enqueued meanwhile takes its row under another id, which no lease has.
type leases struct {
	mu   sync.Mutex
	held map[int64]lease // by job
}

type lease struct {
	worker  string
	attempt int
	until   time.Time
	ended   bool // the job is done; its row goes with the next commit
}

func newLeases() *leases { return &leases{held: map[int64]lease{}} }

// lease leases due jobs to the worker. The mutex is held from the reading on: a job that was read, and ended before it is looked
// for among the leases, would be done again.
func (st *queue) lease(ctx context.Context, worker string, now, until time.Time, n int) ([]jobs.Job, error) {
	l := st.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, err := st.r.QueryContext(ctx, `SELECT id, kind, key, payload, run_at, attempt, `+st.historySQL+` FROM job
		WHERE run_at <= $1 AND worker = '' ORDER BY run_at, id LIMIT $2 + 0`, micros(now), n+len(l.held))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []jobs.Job
	for rows.Next() {
		var j jobs.Job
		var payload string
		var runAt int64
		if err := rows.Scan(&j.ID, &j.Kind, &j.Key, &payload, &runAt, &j.Attempt, &j.History); err != nil {
			return nil, err
		}
		if h, leased := l.held[j.ID]; leased {
			if h.ended || !h.until.Before(now) {
				continue
			}
			j.Attempt = h.attempt
		}
		j.Attempt++
		j.Worker, j.Payload, j.RunAt = worker, raw(payload), instant(runAt)
		due = append(due, j)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	due = due[:min(n, len(due))]
	for _, j := range due {
		l.held[j.ID] = lease{worker: worker, attempt: j.Attempt, until: until}
	}
	return due, nil
}

func (l *leases) fits(j jobs.Job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, leased := l.held[j.ID]
	return leased && h.worker == j.Worker && h.attempt == j.Attempt
}

// ending marks a lease whose job is done, if the fence still fits.
func (l *leases) ending(j jobs.Job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, leased := l.held[j.ID]
	if !leased || h.worker != j.Worker || h.attempt != j.Attempt || h.ended {
		return false
	}
	h.ended = true
	l.held[j.ID] = h
	return true
}

// end comes after the commit that removed the job or gave it back.
func (l *leases) end(j jobs.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[j.ID]; h.worker == j.Worker && h.attempt == j.Attempt {
		delete(l.held, j.ID)
	}
}

func (l *leases) extend(worker string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, h := range l.held {
		if h.worker == worker {
			h.until = until
			l.held[id] = h
		}
	}
}

func (l *leases) freeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
}

// ids are the jobs under a lease, in order.
func (l *leases) ids() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]int64, 0, len(l.held))
	for id := range l.held {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[int64])
	return ids
}
