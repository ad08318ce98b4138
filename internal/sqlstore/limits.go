package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tollgate/internal/limit"
)

// Limits keeps counts that all machines of the database share. Each is one statement: none is lost when a machine dies.
type Limits struct{ *database }

var _ limit.Buckets = Limits{}

// Limits are the shared counts.
func (st *Store) Limits() Limits { return Limits{st.database} }

// Take is of limit.Buckets.
func (b Limits) Take(ctx context.Context, key string, r limit.Rate, now time.Time) (limit.Level, error) {
	level, counted, err := b.add(ctx, key, r, now, r.Per)
	if counted {
		level.Wait = 0
	}
	return level, err
}

// Add is of limit.Buckets.
func (b Limits) Add(ctx context.Context, key string, r limit.Rate, now time.Time) (limit.Level, error) {
	level, _, err := b.add(ctx, key, r, now, 2*r.Per)
	return level, err
}

// add counts one if the bucket is empty again within most of now by then.
func (b Limits) add(ctx context.Context, key string, r limit.Rate, now time.Time, most time.Duration) (l limit.Level, counted bool, err error) {
	first, _ := limit.After(r, time.Time{}, now)
	each, at := first.Sub(now).Microseconds(), micros(now)
	err = b.change(ctx, notice{}, func(tx *tx) error {
		var back int64
		err := tx.QueryRowContext(tx.ctx, `INSERT INTO limit_bucket (key, back) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE
			SET back = CASE WHEN limit_bucket.back > $3 THEN limit_bucket.back ELSE $3 END + $4
			WHERE CASE WHEN limit_bucket.back > $3 THEN limit_bucket.back ELSE $3 END + $4 <= $5
			RETURNING back`, key, at+each, at, each, micros(now.Add(most))).Scan(&back)
		counted = err == nil
		l = limit.Levels(r, instant(back), now)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	if err == nil && !counted {
		l, err = b.Look(ctx, key, r, now)
	}
	return l, counted, err
}

// Give is of limit.Buckets.
func (b Limits) Give(ctx context.Context, key string, r limit.Rate, now time.Time) error {
	first, _ := limit.After(r, time.Time{}, now)
	return b.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE limit_bucket SET back = back - $2 WHERE key = $1 AND back > $3`, key, first.Sub(now).Microseconds(), micros(now))
	})
}

// Look is of limit.Buckets.
func (b Limits) Look(ctx context.Context, key string, r limit.Rate, now time.Time) (limit.Level, error) {
	var back int64
	err := b.r.QueryRowContext(ctx, `SELECT back FROM limit_bucket WHERE key = $1`, key).Scan(&back)
	if errors.Is(err, sql.ErrNoRows) {
		return limit.Level{}, nil
	}
	return limit.Levels(r, instant(back), now), err
}

// Sweep removes what has come back.
func (b Limits) Sweep(ctx context.Context) error {
	return b.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`DELETE FROM limit_bucket WHERE back <= $1`, micros(b.o.Now()))
	})
}
