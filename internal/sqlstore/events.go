package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"tollgate/internal/webhook"
	"tollgate/session"
)

// EventsAfter lists a merchant's events after one of them, named by its id, at most limit, in the order of History; ""
// begins with the first. session.ErrNotFound where the merchant has no such event.
func (st *history) EventsAfter(ctx context.Context, merchant, after string, limit int) ([]webhook.Event, error) {
	if err := st.place(ctx); err != nil {
		return nil, err
	}
	pos := int64(0)
	if after != "" {
		subject, n, err := eventName(after)
		if err != nil {
			return nil, err
		}
		err = st.r.QueryRowContext(ctx,
			`SELECT e.pos FROM event e JOIN session s ON s.id = e.session WHERE e.session = $1 AND e.n = $2 AND s.merchant = $3
			UNION ALL SELECT pos FROM account_event WHERE subject = $1 AND n = $2 AND merchant = $3`, subject, n, merchant).Scan(&pos)
		if errors.Is(err, sql.ErrNoRows) {
			err = session.ErrNotFound
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
	var subject string
	var n int
	err := st.r.QueryRowContext(ctx,
		`SELECT * FROM (SELECT pos, session, n FROM event WHERE merchant = $1 AND pos > 0 ORDER BY pos DESC LIMIT 1) AS own
		UNION ALL
		SELECT * FROM (SELECT pos, session, n FROM event e CROSS JOIN session s
			WHERE s.id = e.session AND e.merchant IS NULL AND e.pos > 0 AND s.merchant = $1 ORDER BY pos DESC LIMIT 1) AS unowned
		UNION ALL
		SELECT * FROM (SELECT pos, subject, n FROM account_event WHERE merchant = $1 AND pos > 0 ORDER BY pos DESC LIMIT 1) AS other
		ORDER BY 1 DESC LIMIT 1`, merchant).Scan(new(int64), &subject, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return webhook.EventID(subject, n), err
}

// eventName takes webhook.EventID apart.
func eventName(id string) (subject string, n int, err error) {
	rest, ok := strings.CutPrefix(id, "evt_")
	i := strings.LastIndexByte(rest, '_')
	if !ok || i < 0 {
		return "", 0, session.ErrNotFound
	}
	if n, err = strconv.Atoi(rest[i+1:]); err != nil {
		return "", 0, session.ErrNotFound
	}
	return rest[:i], n, nil
}
