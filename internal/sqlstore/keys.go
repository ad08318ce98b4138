package sqlstore

import (
	"context"
	"time"

	"tollgate/internal/merchant"
)

var _ merchant.Revocations = (*Store)(nil)

// merchantStore keeps what there is of merchants: revoked keys and tags.
type merchantStore struct{ *database }

// Revoke remembers that a key is revoked; a second time changes nothing.
func (st *merchantStore) Revoke(ctx context.Context, hash string, at time.Time) error {
	return st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`INSERT INTO revoked_key (hash, revoked_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`, hash, micros(at))
	})
}

// Revoked tells whether a key was revoked.
func (st *merchantStore) Revoked(ctx context.Context, hash string) (revoked bool, err error) {
	err = st.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM revoked_key WHERE hash = $1)`, hash).Scan(&revoked)
	return revoked, err
}
