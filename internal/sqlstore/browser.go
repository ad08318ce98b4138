package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Browser keeps the shoppers' browser sessions for scs. What is expired is judged by our clock.
type Browser struct{ st *Store }

var _ scs.CtxStore = (*Browser)(nil)

// Browser is the store of browser sessions.
func (st *Store) Browser() *Browser { return &Browser{st} }

// FindCtx reads a session's data; found is false if the token is unknown or expired.
func (b *Browser) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = b.st.r.QueryRowContext(ctx, `SELECT data FROM browser_session WHERE token = $1 AND expires_at > $2`,
		token, micros(b.st.o.Now())).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx writes a session's data and expiry.
func (b *Browser) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return b.st.light(ctx, step{query: `INSERT INTO browser_session (token, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
		args: []any{token, data, micros(expiry)}})
}

// DeleteCtx removes a session; an unknown token is no error.
func (b *Browser) DeleteCtx(ctx context.Context, token string) error {
	return b.st.light(ctx, step{query: `DELETE FROM browser_session WHERE token = $1`, args: []any{token}})
}

// Sweep removes expired sessions.
func (b *Browser) Sweep(ctx context.Context) error {
	return b.st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`DELETE FROM browser_session WHERE expires_at <= $1`, micros(b.st.o.Now()))
	})
}

// Find is FindCtx for callers without a context.
func (b *Browser) Find(token string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), txLimit)
	defer cancel()
	return b.FindCtx(ctx, token)
}

// Commit is CommitCtx for callers without a context.
func (b *Browser) Commit(token string, data []byte, expiry time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), txLimit)
	defer cancel()
	return b.CommitCtx(ctx, token, data, expiry)
}

// Delete is DeleteCtx for callers without a context.
func (b *Browser) Delete(token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), txLimit)
	defer cancel()
	return b.DeleteCtx(ctx, token)
}
