package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tollgate/internal/jobs"
)

// queue keeps jobs.
type queue struct{ *database }

// Enqueue adds jobs outside any other change.
func (st *queue) Enqueue(ctx context.Context, js ...jobs.Job) error {
	if len(js) == 0 {
		return nil
	}
	return st.change(ctx, notice{jobs: true}, func(tx *tx) error { return st.enqueue(tx, js) })
}

// Claim leases due jobs to the worker, oldest due first.
func (st *queue) Claim(ctx context.Context, worker string, now time.Time, lease time.Duration, n int) (
	claimed []jobs.Job, err error,
) {
	if st.leases != nil {
		return st.lease(ctx, worker, now, now.Add(lease), n)
	}
	var some bool
	if err := st.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM job WHERE run_at <= $1 AND (worker = '' OR lease_until < $1))`,
		micros(now)).Scan(&some); err != nil || !some {
		return nil, err
	}
	skip := ""
	if st.pg {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	err = st.change(ctx, notice{}, func(tx *tx) error {
		claimed = nil
		if st.pg {
			if err := tx.exec(unsynced); err != nil {
				return err
			}
		}
		rows, err := tx.QueryContext(tx.ctx, `UPDATE job SET worker = $1, lease_until = $2, attempt = attempt + 1
			WHERE id IN (SELECT id FROM job WHERE run_at <= $3 AND (worker = '' OR lease_until < $3)
				ORDER BY run_at, id LIMIT $4 + 0`+skip+`)
			RETURNING id, kind, key, payload, run_at, attempt, worker, `+st.historySQL,
			worker, micros(now.Add(lease)), micros(now), n)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var j jobs.Job
			var payload string
			var runAt int64
			if err := rows.Scan(&j.ID, &j.Kind, &j.Key, &payload, &runAt, &j.Attempt, &j.Worker, &j.History); err != nil {
				return err
			}
			j.Payload, j.RunAt = raw(payload), instant(runAt)
			claimed = append(claimed, j)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claimed, func(a, b jobs.Job) int { return cmp.Or(a.RunAt.Compare(b.RunAt), cmp.Compare(a.ID, b.ID)) })
	return claimed, nil
}

// Extend pushes the lease of the worker's jobs to now+lease.
func (st *queue) Extend(ctx context.Context, worker string, now time.Time, lease time.Duration) error {
	if st.leases != nil {
		st.leases.extend(worker, now.Add(lease))
		return nil
	}
	return st.light(ctx, step{query: `UPDATE job SET lease_until = $2 WHERE worker = $1 AND worker <> ''`,
		args: []any{worker, micros(now.Add(lease))}})
}

// Done removes a job, if the fence still fits. Where the database has another history than when the job was claimed, what was
// done for it may be forgotten: it is to be done again. On SQLite its end travels with the next commit, and until then it stays
// leased: a crash in that moment lets it be done once more, as one a moment earlier would.
func (st *queue) Done(ctx context.Context, j jobs.Job) error {
	end := func(tx *tx) error {
		var now string
		if err := tx.QueryRowContext(tx.ctx, `SELECT `+st.historySQL).Scan(&now); err != nil {
			return err
		}
		if now != j.History {
			return st.retry(tx, j, j.RunAt)
		}
		return st.remove(tx, j)
	}
	if st.leases == nil {
		return st.settle(ctx, j, end)
	}
	if st.leases.ending(j) {
		st.ride("the end of a job", end, func(error) { st.leases.end(j) })
	}
	return nil
}

// settle makes the change that ends a lease, if the fence still fits.
func (st *queue) settle(ctx context.Context, j jobs.Job, f func(*tx) error) error {
	if st.leases == nil {
		return st.change(ctx, notice{}, f)
	}
	if !st.leases.fits(j) {
		return nil
	}
	if err := st.change(ctx, notice{}, f); err != nil {
		return err
	}
	st.leases.end(j)
	return nil
}

func (st *queue) remove(tx *tx, j jobs.Job) error {
	if st.leases != nil {
		return tx.exec(`DELETE FROM job WHERE id = $1`, j.ID)
	}
	return tx.exec(`DELETE FROM job WHERE id = $1 AND worker = $2 AND attempt = $3 AND worker <> ''`, j.ID, j.Worker, j.Attempt)
}

// Retry gives a job back to run at a later time, if the fence still fits and no other of its kind and key waits.
func (st *queue) Retry(ctx context.Context, j jobs.Job, at time.Time) error {
	return st.settle(ctx, j, func(tx *tx) error { return st.retry(tx, j, at) })
}

func (st *queue) retry(tx *tx, j jobs.Job, at time.Time) error {
	if st.leases != nil { // it waits already, unless another took its place under another id
		return tx.exec(`UPDATE job SET run_at = $2, attempt = $3 WHERE id = $1`, j.ID, micros(at), j.Attempt)
	}
	n, err := tx.affected(`UPDATE job SET worker = '', lease_until = 0, run_at = $4
		WHERE id = $1 AND worker = $2 AND attempt = $3 AND worker <> ''
		AND NOT EXISTS (SELECT 1 FROM job AS other WHERE other.kind = job.kind AND other.key = job.key AND other.worker = '')`,
		j.ID, j.Worker, j.Attempt, micros(at))
	switch {
	case unique(err):
		return errAgain
	case err != nil || n > 0:
		return err
	}
	return st.remove(tx, j)
}

// FreeAll ends every lease. Of several jobs of one kind and key the newest stays.
func (st *queue) FreeAll(ctx context.Context) error {
	if st.leases != nil {
		st.leases.freeAll()
	}
	return st.change(ctx, notice{}, func(tx *tx) error {
		err := tx.exec(`DELETE FROM job WHERE worker <> '' AND EXISTS (SELECT 1 FROM job AS other
			WHERE other.kind = job.kind AND other.key = job.key AND other.id <> job.id AND (other.worker = '' OR other.id > job.id))`)
		if err != nil {
			return err
		}
		return tx.exec(`UPDATE job SET worker = '', lease_until = 0 WHERE worker <> ''`)
	})
}

// Hasten makes waiting jobs of the kinds that are due by a time due now.
func (st *queue) RunNow(ctx context.Context, now, by time.Time, kinds ...string) error {
	return st.change(ctx, notice{jobs: true}, func(tx *tx) error {
		for _, kind := range kinds {
			if err := tx.exec(`UPDATE job SET run_at = $1 WHERE kind = $2 AND run_at > $1 AND run_at <= $3`, micros(now), kind,
				micros(by)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Backlog counts the jobs, for metrics.
func (st *queue) Backlog(ctx context.Context) (jobs.Backlog, error) {
	var b jobs.Backlog
	var oldest int64
	now := st.o.Now()
	leased, args := `worker <> ''`, []any{micros(now)}
	if st.leases != nil {
		for _, id := range st.leases.ids() {
			args = append(args, id)
			leased += fmt.Sprintf(" OR id = $%d", len(args))
		}
	}
	err := st.r.QueryRowContext(ctx, `SELECT
		COALESCE(SUM(CASE WHEN run_at <= $1 AND NOT (`+leased+`) THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN run_at > $1 AND NOT (`+leased+`) THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN `+leased+` THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN run_at <= $1 AND NOT (`+leased+`) THEN run_at END), 0) FROM job`, args...).
		Scan(&b.Due, &b.Later, &b.Leased, &oldest)
	if oldest > 0 {
		b.Oldest = now.Sub(instant(oldest))
	}
	return b, err
}

// raw is stored JSON; "" stands for none.
func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// enqueue replaces waiting jobs of the same kind and key wholly, by a new id: the fence of an earlier holder then
// never fits, though attempts are counted from the beginning.
func (st *database) enqueue(tx *tx, js []jobs.Job) error { return st.enqueued(js).run(tx) }

func (st *database) enqueued(js []jobs.Job) script {
	if len(js) == 0 {
		return nil
	}
	type name struct{ kind, key string }
	last := map[name]jobs.Job{}
	for _, j := range js {
		last[name{j.Kind, j.Key}] = j
	}
	js = js[:0:0]
	for _, j := range last {
		js = append(js, j)
	}
	// In one order everywhere, so that two transactions never wait for each other.
	slices.SortFunc(js, func(a, b jobs.Job) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	var args []any
	for _, j := range js {
		args = append(args, st.newJobID(), j.Kind, j.Key, string(j.Payload), micros(j.RunAt), 0, "", 0)
	}
	return script{{query: `INSERT INTO job (id, kind, key, payload, run_at, attempt, worker, lease_until)
		VALUES ` + values(len(js), 8) + `
		ON CONFLICT (kind, key) WHERE worker = ''
		DO UPDATE SET id = excluded.id, payload = excluded.payload, run_at = excluded.run_at, attempt = 0`,
		args: args, taken: errAgain, // the id: another process drew the same one in the same microsecond
	}}
}
