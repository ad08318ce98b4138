package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"tollgate/session"
)

// Tell writes an event that is of no session.
func (st *sessionStore) Tell(ctx context.Context, e session.AccountEvent, quiet time.Duration) (told bool, err error) {
	err = st.change(ctx, notice{session: e.Subject}, func(tx *tx) (err error) {
		told, err = tell(tx, e, quiet)
		return err
	})
	return told, err
}

// tell is Tell in a transaction that writes more; its notice names the subject, so that whoever sends webhooks is woken.
func tell(tx *tx, e session.AccountEvent, quiet time.Duration) (told bool, err error) {
	var n, last int64
	err = tx.QueryRowContext(tx.ctx, `SELECT n FROM account_event WHERE subject = $1 ORDER BY n DESC LIMIT 1`, e.Subject).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	if quiet > 0 {
		err = tx.QueryRowContext(tx.ctx, `SELECT at FROM account_event WHERE subject = $1 AND type = $2 ORDER BY n DESC LIMIT 1`,
			e.Subject, string(e.Type)).Scan(&last)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return false, err
		case e.At.Sub(instant(last)) < quiet:
			return false, nil
		}
	}
	err = tx.exec(`INSERT INTO account_event (merchant, subject, n, type, at, data, suffix) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.Merchant, e.Subject, n+1, string(e.Type), micros(e.At), cmp.Or(string(e.Data), "{}"), e.Suffix)
	if unique(err) { // another told of the same subject this moment
		return false, errAgain
	}
	return err == nil, err
}
