package sqlstore

import (
	"context"

	"tollgate/session"
)

// Placed is an event with its place in the one order of all events.
type Placed struct {
	session.Event
	SessionID string // "" where the event is of no session
	Subject   string // whose history it is a line of: the session, or a webhook endpoint
	Pos       int64  // the cursor: ask for events after it
}

// placeAtMost is how many events one transaction gives places to.
const placeAtMost = 1000

// history is what happened, in the order in which it became visible.
type history struct{ *database }

// History lists a merchant's events after a place, at most limit, in an order that never changes: who has read up to a
// place has missed nothing before it.
//
// A number drawn when an event is written cannot promise that on PostgreSQL: a transaction that drew 7 may commit after
// one that drew 8, when a reader has passed 8 already; and holding a lock from the drawing to the commit would let one
// change at a time through. So events are written without a place, and whoever reads places first those that are
// visible by then, one reader at a time, after all placed before. Within a session the order is that of its numbers;
// of several sessions placed together the older event comes first.
func (st *history) History(ctx context.Context, merchant string, after int64, limit int) ([]Placed, error) {
	if err := st.place(ctx); err != nil {
		return nil, err
	}
	found, err := fedEvents(ctx, st.r, `pos > $1`, merchant, after, max(limit, 0))
	list := make([]Placed, len(found))
	for i, f := range found {
		list[i] = Placed{session.Event{N: f.N, Type: session.EventType(f.Type), At: f.At, Data: f.Data}, f.Session, f.Subject, f.Pos}
	}
	return list, err
}

// Own fills in whose event is whose where the writer did not say: an earlier version of Tollgate. It takes at most limit of
// them, a small part of a big table at a time, and tells how many there were. Readers find those left over more slowly.
func (w *Webhooks) Own(ctx context.Context, limit int) (count int, err error) {
	st := w.st
	const unowned = `merchant IS NULL AND pos > 0` // the others get it with their place
	var some bool
	if err := st.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE `+unowned+`)`).Scan(&some); err != nil || !some {
		return 0, err
	}
	err = st.change(ctx, notice{}, func(tx *tx) error {
		// One at a time, as the placing of events, which changes the same rows.
		if err := tx.exec(`UPDATE event_place SET last = last WHERE one = 1`); err != nil {
			return err
		}
		n, err := tx.affected(`UPDATE event SET merchant = (SELECT merchant FROM session WHERE session.id = event.session)
			WHERE pos IN (SELECT pos FROM event WHERE `+unowned+` ORDER BY pos LIMIT $1 + 0)`, limit)
		count = int(n)
		return err
	})
	return count, err
}

// place gives every event that has none its place.
func (st *history) place(ctx context.Context) error {
	for {
		var some bool
		if err := st.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE pos IS NULL)
			OR EXISTS (SELECT 1 FROM account_event WHERE pos IS NULL)`).Scan(&some); err != nil || !some {
			return err
		}
		if err := st.change(ctx, notice{}, placeSome); err != nil {
			return err
		}
	}
}

// placeSome gives so many events their place.
func placeSome(tx *tx) error {
	// Locks the row until the commit: one placer at a time, and the next sees what this one placed.
	var last int64
	if err := tx.QueryRowContext(tx.ctx,
		`UPDATE event_place SET last = last WHERE one = 1 RETURNING last`).Scan(&last); err != nil {
		return err
	}
	n, err := tx.affected(`UPDATE event SET pos = $1 + fresh.place,
		merchant = COALESCE(event.merchant, (SELECT s.merchant FROM session s WHERE s.id = event.session))
		FROM (SELECT session, n, ROW_NUMBER() OVER (ORDER BY since, session, n) AS place
			FROM (SELECT session, n, MAX(at) OVER (PARTITION BY session ORDER BY n) AS since FROM event WHERE pos IS NULL) AS waiting
			ORDER BY since, session, n LIMIT $2 + 0) AS fresh
		WHERE event.session = fresh.session AND event.n = fresh.n`, last, placeAtMost)
	if err != nil {
		return err
	}
	last += n
	if n, err = tx.affected(`UPDATE account_event SET pos = $1 + fresh.place
		FROM (SELECT subject, n, ROW_NUMBER() OVER (ORDER BY subject, n) AS place
			FROM account_event WHERE pos IS NULL ORDER BY subject, n LIMIT $2 + 0) AS fresh
		WHERE account_event.subject = fresh.subject AND account_event.n = fresh.n`, last, placeAtMost); err != nil {
		return err
	}
	return tx.exec(`UPDATE event_place SET last = $1 WHERE one = 1`, last+n)
}
