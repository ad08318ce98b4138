package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"

	"tollgate/internal/merchant"
)

var _ merchant.Tags = (*Store)(nil)

const tagLetters = "0123456789abcdefghijklmnopqrstuvwxyz" // one case: a gateway may not tell the other apart

// Tag is the merchant's tag, made when it is first asked for.
func (st *merchantStore) Tag(ctx context.Context, owner string) (tag string, err error) {
	read := func(row *sql.Row) error { return row.Scan(&tag) }
	const query = `SELECT tag FROM merchant_tag WHERE merchant = $1`
	if err = read(st.r.QueryRowContext(ctx, query, owner)); !errors.Is(err, sql.ErrNoRows) {
		return tag, err
	}
	err = st.change(ctx, notice{}, func(tx *tx) error {
		// Another process may make this merchant's, or draw the same for another merchant: nothing is inserted then.
		if err := tx.exec(`INSERT INTO merchant_tag (merchant, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING`, owner,
			newTag()); err != nil {
			return err
		}
		err := read(tx.QueryRowContext(tx.ctx, query, owner))
		if errors.Is(err, sql.ErrNoRows) {
			return errAgain
		}
		return err
	})
	return tag, err
}

func newTag() string {
	tag := make([]byte, 0, merchant.TagLength)
	for len(tag) < merchant.TagLength {
		var b [1]byte
		rand.Read(b[:])
		if n := int(b[0]); n < 256/len(tagLetters)*len(tagLetters) { // every letter as likely as the others
			tag = append(tag, tagLetters[n%len(tagLetters)])
		}
	}
	return string(tag)
}
