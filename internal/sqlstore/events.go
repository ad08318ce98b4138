package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"strconv"
	"strings"

	"tollgate/internal/webhook"
	"tollgate/session"
)

// EventsAfter lists a merchant's events after one of them, named by its id, at most limit, in the order of History; ""
// begins with the first. session.ErrNotFound for what is no id, *session.EventLost where the merchant has no such event.
func (st *history) EventsAfter(ctx context.Context, merchant, after string, limit int) ([]webhook.Event, error) {
	if err := st.place(ctx); err != nil {
		return nil, err
	}
	pos := int64(0)
	if after != "" {
		subject, n, suffix, err := eventName(after)
		if err != nil {
			return nil, err
		}
		err = st.r.QueryRowContext(ctx,
			`SELECT e.pos FROM event e JOIN session s ON s.id = e.session
				WHERE e.session = $1 AND e.n = $2 AND COALESCE(e.suffix, '') = $4 AND s.merchant = $3
			UNION ALL SELECT pos FROM account_event WHERE subject = $1 AND n = $2 AND COALESCE(suffix, '') = $4 AND merchant = $3`,
			subject, n, merchant, suffix).Scan(&pos)
		if errors.Is(err, sql.ErrNoRows) {
			err = st.lost(ctx, merchant, subject, n)
		}
		if err != nil {
			return nil, err
		}
	}
	found, err := fedEvents(ctx, st.r, `pos > $1`, merchant, pos, max(limit, 0))
	list := make([]webhook.Event, len(found))
	for i, f := range found {
		list[i] = f.Event
	}
	return list, err
}

// LatestEvent is the id of a merchant's newest event; "" before the first.
func (st *history) LatestEvent(ctx context.Context, merchant string) (string, error) {
	if err := st.place(ctx); err != nil {
		return "", err
	}
	var subject, suffix string
	var n int
	err := st.r.QueryRowContext(ctx,
		`SELECT * FROM (SELECT pos, session, n, COALESCE(suffix, '') FROM event WHERE merchant = $1 AND pos > 0 ORDER BY pos DESC LIMIT 1) AS own
		UNION ALL
		SELECT * FROM (SELECT pos, session, n, COALESCE(suffix, '') FROM event e CROSS JOIN session s
			WHERE s.id = e.session AND e.merchant IS NULL AND e.pos > 0 AND s.merchant = $1 ORDER BY pos DESC LIMIT 1) AS unowned
		UNION ALL
		SELECT * FROM (SELECT pos, subject, n, COALESCE(suffix, '') FROM account_event WHERE merchant = $1 AND pos > 0 ORDER BY pos DESC LIMIT 1) AS other
		ORDER BY 1 DESC LIMIT 1`, merchant).Scan(new(int64), &subject, &n, &suffix)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return webhook.EventID(subject, n, suffix), err
}

// lost is the error about an event that is not there. Reading may go on after the newest event of the same history with a
// smaller number; where there is none, from the first event.
func (st *history) lost(ctx context.Context, merchant, subject string, n int) error {
	var before int
	var suffix string
	err := st.r.QueryRowContext(ctx,
		`SELECT n, COALESCE(suffix, '') FROM event WHERE session = $1 AND n < $2
			AND EXISTS (SELECT 1 FROM session WHERE id = $1 AND merchant = $3)
		UNION ALL SELECT n, COALESCE(suffix, '') FROM account_event WHERE subject = $1 AND n < $2 AND merchant = $3
		ORDER BY 1 DESC LIMIT 1`, subject, n, merchant).Scan(&before, &suffix)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return &session.EventLost{}
	case err != nil:
		return err
	}
	return &session.EventLost{After: webhook.EventID(subject, before, suffix)}
}

// newSuffix is the random end of an event's id.
func newSuffix() string {
	var b [5]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// eventName takes webhook.EventID apart. A suffix has no "_".
func eventName(id string) (subject string, n int, suffix string, err error) {
	rest, ok := strings.CutPrefix(id, "evt_")
	i := strings.LastIndexByte(rest, '_')
	if !ok || i < 0 {
		return "", 0, "", session.ErrNotFound
	}
	number, suffix, _ := strings.Cut(rest[i+1:], "-")
	if n, err = strconv.Atoi(number); err != nil {
		return "", 0, "", session.ErrNotFound
	}
	return rest[:i], n, suffix, nil
}
