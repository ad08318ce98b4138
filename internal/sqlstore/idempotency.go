package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tollgate/internal/merchant"
	"tollgate/session"
)

// book is the idempotency book of a store.
type book struct{ *Store }

var _ merchant.Book = book{}

// Idempotency is the book of merchants' requests.
func (st *Store) Idempotency() merchant.Book { return book{st} }

// forgetAtMost is how many entries whose time is over one new entry takes with it: the table does not grow.
const forgetAtMost = 20

// Insert writes a new idempotency entry, or answers the one that has its place.
func (st book) Insert(ctx context.Context, e merchant.Entry, now time.Time) (taken *merchant.Entry, err error) {
	skip := ""
	if st.pg {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	err = st.change(ctx, notice{}, func(tx *tx) error {
		taken = nil
		err := tx.exec(`DELETE FROM idempotency WHERE merchant = $1 AND key = $2 AND expires_at <= $3`, e.Merchant, e.Key, micros(now))
		if err != nil {
			return err
		}
		n, err := tx.affected(`INSERT INTO idempotency (merchant, key, token, salt, print, lease_until, expires_at, session, operation,
			status, content_type, location, body) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, 0, '', '', '')
			ON CONFLICT (merchant, key) DO NOTHING`,
			e.Merchant, e.Key, e.Token, e.Salt, e.Print, micros(e.LeaseUntil), micros(e.Until))
		if err != nil {
			return err
		}
		if n == 0 {
			taken, err = readEntry(tx, e.Merchant, e.Key)
			if errors.Is(err, sql.ErrNoRows) { // freed this moment
				return errAgain
			}
			return err
		}
		return tx.exec(`DELETE FROM idempotency WHERE (merchant, key) IN
			(SELECT merchant, key FROM idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 + 0`+skip+`)`, micros(now),
			forgetAtMost)
	})
	return taken, err
}

func readEntry(tx *tx, owner, key string) (*merchant.Entry, error) {
	e := &merchant.Entry{Merchant: owner, Key: key}
	var lease, until int64
	var a merchant.Answer
	err := tx.QueryRowContext(tx.ctx,
		`SELECT token, salt, print, lease_until, expires_at, session, operation, status, content_type, location, body
		FROM idempotency WHERE merchant = $1 AND key = $2`, owner, key).
		Scan(&e.Token, &e.Salt, &e.Print, &lease, &until, &e.Effect.Session, &e.Effect.Operation, &a.Status, &a.ContentType,
			&a.Location, &a.Body)
	if err != nil {
		return nil, err
	}
	e.LeaseUntil, e.Until = instant(lease), instant(until)
	if a.Status != 0 {
		e.Answer = &a
	}
	return e, nil
}

// TakeOver gives an unanswered entry another owner.
func (st book) TakeOver(ctx context.Context, e merchant.Entry, old string) (effect merchant.Effect, ok bool, err error) {
	err = st.change(ctx, notice{}, func(tx *tx) error {
		err := tx.QueryRowContext(tx.ctx, `UPDATE idempotency SET token = $4, lease_until = $5
			WHERE merchant = $1 AND key = $2 AND token = $3 AND status = 0 RETURNING session, operation`,
			e.Merchant, e.Key, old, e.Token, micros(e.LeaseUntil)).Scan(&effect.Session, &effect.Operation)
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return effect, ok, err
}

// Answer stores what a claim's request was answered.
func (st book) Answer(ctx context.Context, e merchant.Entry, a merchant.Answer) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		body := a.Body
		if body == nil {
			body = []byte{}
		}
		n, err := tx.affected(`UPDATE idempotency SET status = $4, content_type = $5, location = $6, body = $7
			WHERE merchant = $1 AND key = $2 AND token = $3`, e.Merchant, e.Key, e.Token, a.Status, a.ContentType, a.Location, body)
		if err == nil && n == 0 {
			err = merchant.ErrClaimLost
		}
		return err
	})
}

// Release frees a claim that ends without an answer.
func (st book) Release(ctx context.Context, e merchant.Entry) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		err := tx.exec(`DELETE FROM idempotency WHERE merchant = $1 AND key = $2 AND token = $3 AND session = ''`, e.Merchant,
			e.Key, e.Token)
		if err != nil {
			return err
		}
		return tx.exec(`UPDATE idempotency SET lease_until = 0 WHERE merchant = $1 AND key = $2 AND token = $3`, e.Merchant,
			e.Key, e.Token)
	})
}

// markClaim marks in the claim's row, in the transaction of the change itself, what is changed under it. Where the claim is
// another's by now nothing is changed: session.ErrClaimLost.
func markClaim(s *session.Session, c *session.Claim) step {
	return step{
		query:   `UPDATE idempotency SET session = $4, operation = $5 WHERE merchant = $1 AND key = $2 AND token = $3`,
		args:    []any{c.Merchant, c.Key, c.Token, s.ID, len(s.Operations)},
		missing: session.ErrClaimLost,
	}
}
