package sqlstore

import (
	"context"
	"time"

	"tollgate/session"
)

// AddUnmatched keeps a callback about a reference that no attempt has. What came before for it counts as not asked about.
func (st *sessionStore) AddUnmatched(ctx context.Context, u session.Unmatched, tells []session.AccountEvent) error {
	subject := ""
	if len(tells) > 0 {
		subject = tells[0].Subject
	}
	return st.change(ctx, notice{session: subject}, func(tx *tx) error {
		var times int
		err := tx.QueryRowContext(tx.ctx, `INSERT INTO unmatched_callback
			(account, reference, gateway_order, event, times, first_at, last_at, asked_at) VALUES ($1, $2, $3, $4, 1, $5, $5, 0)
			ON CONFLICT (account, reference) DO UPDATE SET times = unmatched_callback.times + 1, last_at = excluded.last_at,
			event = excluded.event, asked_at = 0 RETURNING times`,
			u.Account, u.Reference, u.GatewayOrder, u.Event, micros(u.LastAt)).Scan(&times)
		if err != nil || times > 1 {
			return err
		}
		for _, e := range tells {
			if _, err := tell(tx, e, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unmatched tells whether a callback about a reference came that nobody has asked the gateway about.
func (st *sessionStore) Unmatched(ctx context.Context, account, reference string) (found bool, err error) {
	err = st.r.QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM unmatched_callback WHERE account = $1 AND reference = $2 AND asked_at = 0)`,
		account, reference).Scan(&found)
	return found, err
}

// UnmatchedAsked notes that the gateway was asked about a reference.
func (st *sessionStore) UnmatchedAsked(ctx context.Context, account, reference string, now time.Time) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE unmatched_callback SET asked_at = $3 WHERE account = $1 AND reference = $2`, account, reference, micros(now))
	})
}

// UnmatchedCallbacks lists the callbacks of an account whose first came within a time, oldest first, at most limit.
func (st *sessionStore) UnmatchedCallbacks(ctx context.Context, account string, from, to time.Time, limit int) (
	[]session.Unmatched, error,
) {
	rows, err := st.r.QueryContext(ctx, `SELECT account, reference, gateway_order, event, times, first_at, last_at, asked_at
		FROM unmatched_callback WHERE account = $1 AND first_at >= $2 AND first_at < $3 ORDER BY first_at, reference LIMIT $4 + 0`,
		account, micros(from), micros(to), max(limit, 0))
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (session.Unmatched, error) {
		var u session.Unmatched
		var first, last, asked int64
		err := rows.Scan(&u.Account, &u.Reference, &u.GatewayOrder, &u.Event, &u.Times, &first, &last, &asked)
		u.FirstAt, u.LastAt, u.AskedAt = instant(first), instant(last), instant(asked)
		return u, err
	})
}
