package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Browser keeps the shoppers' browser sessions for scs. What is expired is judged by our clock.
//
// On SQLite a session's row travels with the next commit: nothing of a payment needs it, and a crash in that moment lets the browser
// begin anew.
type Browser struct{ st *Store }

// visiting are the browser sessions whose rows are not committed yet.
type visiting struct {
	mu   sync.Mutex
	last int
	rows map[string]visitRow
}

type visitRow struct {
	n      int
	data   []byte
	expiry time.Time
}

func (v *visiting) put(token string, data []byte, expiry time.Time) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	v.rows[token] = visitRow{v.last, data, expiry}
	return v.last
}

func (v *visiting) get(token string) (visitRow, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	row, waits := v.rows[token]
	return row, waits
}

func (v *visiting) sweep(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.rows, func(_ string, row visitRow) bool { return !row.expiry.After(now) })
}

// drop forgets a row; n not zero: unless it is another by now.
func (v *visiting) drop(token string, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n == 0 || v.rows[token].n == n {
		delete(v.rows, token)
	}
}

var _ scs.CtxStore = (*Browser)(nil)

// Browser is the store of browser sessions.
func (st *Store) Browser() *Browser { return &Browser{st} }

// FindCtx reads a session's data; found is false if the token is unknown or expired.
func (b *Browser) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	if b.st.group != nil {
		if row, waits := b.st.visiting.get(token); waits {
			if !row.expiry.After(b.st.o.Now()) {
				return nil, false, nil
			}
			return row.data, true, nil
		}
	}
	err = b.st.r.QueryRowContext(ctx, `SELECT data FROM browser_session WHERE token = $1 AND expires_at > $2`,
		token, micros(b.st.o.Now())).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx writes a session's data and expiry.
func (b *Browser) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	row := step{query: `INSERT INTO browser_session (token, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
		args: []any{token, data, micros(expiry)}}
	if b.st.group == nil {
		return b.st.light(ctx, row)
	}
	n := b.st.visiting.put(token, data, expiry)
	b.st.ride("a browser session", func(tx *tx) error {
		if now, waits := b.st.visiting.get(token); !waits || now.n != n { // it was removed, or written anew
			return nil
		}
		return row.run(tx)
	}, func(error) { b.st.visiting.drop(token, n) })
	return nil
}

// DeleteCtx removes a session; an unknown token is no error.
func (b *Browser) DeleteCtx(ctx context.Context, token string) error {
	b.st.visiting.drop(token, 0)
	return b.st.light(ctx, step{query: `DELETE FROM browser_session WHERE token = $1`, args: []any{token}})
}

// Sweep removes expired sessions.
func (b *Browser) Sweep(ctx context.Context) error {
	b.st.visiting.sweep(b.st.o.Now())
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
