// Package jobs is a durable queue that knows nothing of payments. Jobs are enqueued in the transaction of whatever
// caused them (the stores do that), leased by one worker at a time, and run at least once: handlers are idempotent.
package jobs

import (
	"context"
	"encoding/json"
	"time"
)

// Job is work that must survive a crash.
type Job struct {
	ID      int64
	Kind    string
	Key     string          // at most one waiting job per kind and key: enqueueing another replaces its time and payload
	Payload json.RawMessage // small; never a card, never a secret in the clear
	RunAt   time.Time
	Attempt int    // counts from 1; part of the fence
	Worker  string // who holds the lease; "" while waiting
	History string // of the database in which it was claimed; part of the fence of Done
}

// Queue is where jobs are kept. sqlstore has one; storetest says how it must behave.
type Queue interface {
	// Enqueue adds jobs outside any other change.
	Enqueue(ctx context.Context, jobs ...Job) error
	// Claim leases up to n due jobs to the worker until now+lease, oldest due first; due means RunAt ≤ now and not
	// leased, or leased until before now. Each claim counts Attempt up.
	Claim(ctx context.Context, worker string, now time.Time, lease time.Duration, n int) ([]Job, error)
	// Extend pushes the lease of the worker's jobs to now+lease. Jobs that are not the worker's any more are ignored.
	Extend(ctx context.Context, worker string, now time.Time, lease time.Duration) error
	// Done removes a job, if ID, Worker and Attempt still fit; otherwise it does nothing. Where the database has another
	// history than that of the claim (it failed over or was restored), what the job did may be lost: it waits again, due.
	Done(ctx context.Context, job Job) error
	// Retry gives a job back to run at a later time, fenced as Done. Where another job of the same kind and key waits
	// meanwhile, that one stands and this one is removed.
	Retry(ctx context.Context, job Job, at time.Time) error
	// FreeAll ends every lease; only for a store that no other process uses (SQLite at start).
	FreeAll(ctx context.Context) error
}
