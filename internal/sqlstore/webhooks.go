package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tollgate/internal/jobs"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// Webhooks keeps endpoints, keys and deliveries.
type Webhooks struct {
	st      *Store
	reserve int
}

// SetReserve says how many workers endpoints that fail leave free for those that do not. It comes before any claim.
func (w *Webhooks) SetReserve(workers int) { w.reserve = workers }

var _ webhook.Store = (*Webhooks)(nil)

// Webhooks is the store of webhooks.
func (st *Store) Webhooks() *Webhooks { return &Webhooks{st: st} }

// maxRows is how many rows one INSERT brings: SQLite takes 32766 parameters.
const maxRows = 1000

func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

const endpointColumns = `id, merchant, url, session_url, enabled, description, events, created_at, updated_at,
	due_at, failures, failing_since, failing`

type scanner interface{ Scan(...any) error }

func scanEndpoint(row scanner, more ...any) (e webhook.Endpoint, err error) {
	var events string
	var created, updated, due, failing int64
	err = row.Scan(append([]any{&e.ID, &e.Merchant, &e.URL, &e.SessionURL, &e.Enabled, &e.Description, &events, &created, &updated,
		&due, &e.Failures, &failing, &e.Failing}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return e, webhook.ErrNotFound
	}
	if err != nil {
		return e, err
	}
	e.CreatedAt, e.UpdatedAt, e.NextTry, e.FailingSince = instant(created), instant(updated), instant(due), instant(failing)
	return e, json.Unmarshal([]byte(events), &e.Events)
}

// insertEndpoint adds an endpoint. Of two that stand for the same webhook_url at once the first stays.
func (w *Webhooks) insertEndpoint(tx *tx, e webhook.Endpoint) error {
	if e.Events == nil {
		e.Events = []string{}
	}
	events, err := json.Marshal(e.Events)
	if err != nil {
		return err
	}
	err = tx.exec(
		`INSERT INTO webhook_endpoint (id, num, merchant, url, session_url, enabled, description, events, created_at, updated_at,
		deleted_at, failures, failing_since, failing, last_seq, last_event, due_at, holder, held_until, claims)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, FALSE, 0, 0, 0, '', 0, 0)
		ON CONFLICT (merchant, url) WHERE session_url DO NOTHING`,
		e.ID, w.st.newJobID(), e.Merchant, e.URL, e.SessionURL, e.Enabled, e.Description, string(events), micros(e.CreatedAt),
		micros(e.UpdatedAt))
	if unique(err) { // num: see newJobID
		return errAgain
	}
	return err
}

// CreateEndpoint adds an endpoint with its keys.
func (w *Webhooks) CreateEndpoint(ctx context.Context, e webhook.Endpoint, keys []webhook.Key) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		// Locks, so that of creates at once the last is one too many.
		if err := tx.exec(`UPDATE webhook_feed SET pos = pos WHERE one = 1`); err != nil {
			return err
		}
		var taken bool
		var have int
		if err := tx.QueryRowContext(tx.ctx, `SELECT EXISTS (SELECT 1 FROM webhook_endpoint WHERE id = $2),
			(SELECT COUNT(*) FROM webhook_endpoint WHERE merchant = $1 AND NOT session_url AND deleted_at = 0)`,
			e.Merchant, e.ID).Scan(&taken, &have); err != nil {
			return err
		}
		if taken {
			return webhook.ErrConflict
		}
		if have >= webhook.MaxEndpoints {
			return webhook.ErrTooMany
		}
		if err := w.insertEndpoint(tx, e); err != nil {
			return err
		}
		return putKeys(tx, e.Signer(), keys, 0)
	})
}

// Endpoint reads one of the merchant's.
func (w *Webhooks) Endpoint(ctx context.Context, merchant, id string) (webhook.Endpoint, error) {
	return scanEndpoint(w.st.r.QueryRowContext(ctx, `SELECT `+endpointColumns+` FROM webhook_endpoint
		WHERE id = $1 AND merchant = $2 AND deleted_at = 0`, id, merchant))
}

// Endpoints lists the merchant's own, oldest first, or those that sessions named, newest first.
func (w *Webhooks) Endpoints(ctx context.Context, merchant string, sessionURLs bool) ([]webhook.Endpoint, error) {
	which := "NOT session_url AND deleted_at = 0 ORDER BY created_at, num" // word for word as their indexes
	if sessionURLs {
		which = "session_url AND deleted_at = 0 ORDER BY created_at DESC, num DESC"
	}
	rows, err := w.st.r.QueryContext(ctx, `SELECT `+endpointColumns+` FROM webhook_endpoint
		WHERE merchant = $1 AND `+which+` LIMIT 100`, merchant)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (webhook.Endpoint, error) { return scanEndpoint(rows) })
}

func scanAll[T any](rows *sql.Rows, scan func() (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// lockEndpoint reads an endpoint of the merchant and keeps others from changing it until the commit.
func lockEndpoint(tx *tx, merchant, id string, more ...any) (webhook.Endpoint, error) {
	extra := ""
	if len(more) > 0 {
		extra = ", last_seq"
	}
	return scanEndpoint(tx.QueryRowContext(tx.ctx, `UPDATE webhook_endpoint SET num = num
		WHERE id = $1 AND merchant = $2 AND deleted_at = 0 RETURNING `+endpointColumns+extra, id, merchant), more...)
}

// ChangeEndpoint lets change alter what the merchant may alter.
func (w *Webhooks) ChangeEndpoint(
	ctx context.Context, merchant, id string, now time.Time, change func(*webhook.Endpoint) error,
) (e webhook.Endpoint, err error) {
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		if e, err = lockEndpoint(tx, merchant, id); err != nil {
			return err
		}
		before := e
		if err := change(&e); err != nil {
			return err
		}
		if e.Events == nil {
			e.Events = []string{}
		}
		events, err := json.Marshal(e.Events)
		if err != nil {
			return err
		}
		e.UpdatedAt = now
		if e.URL != before.URL || e.Enabled && !before.Enabled {
			e.QueueState = webhook.QueueState{}
		}
		switch waiting, err := pending(tx, id); {
		case err != nil:
			return err
		case !e.Enabled || !waiting:
			e.NextTry = time.Time{}
		case e.URL != before.URL || !before.Enabled:
			e.NextTry = now
		}
		return tx.exec(`UPDATE webhook_endpoint SET url = $2, description = $3, events = $4, enabled = $5, updated_at = $6,
			failures = $7, failing_since = $8, failing = $9, due_at = $10 WHERE id = $1`,
			id, e.URL, e.Description, string(events), e.Enabled, micros(now), e.Failures, micros(e.FailingSince), e.Failing,
			micros(e.NextTry))
	})
	return e, err
}

func pending(tx *tx, endpoint string) (some bool, err error) {
	err = tx.QueryRowContext(tx.ctx, `SELECT EXISTS (SELECT 1 FROM webhook_delivery WHERE endpoint = $1 AND state = 'pending')`,
		endpoint).Scan(&some)
	return some, err
}

// DeleteEndpoint takes an endpoint away and cancels what waited.
func (w *Webhooks) DeleteEndpoint(ctx context.Context, merchant, id string, now time.Time) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		e, err := lockEndpoint(tx, merchant, id)
		if err != nil {
			return err
		}
		if err := tx.exec(`UPDATE webhook_delivery SET state = 'cancelled', ended_at = $2 WHERE endpoint = $1 AND state = 'pending'`,
			id, micros(now)); err != nil {
			return err
		}
		if !e.SessionURL {
			if err := tx.exec(`DELETE FROM webhook_signer WHERE signer = $1`, e.Signer()); err != nil {
				return err
			}
		}
		// One that a session named may be named again: it must not stand in the way of its like.
		return tx.exec(`UPDATE webhook_endpoint SET deleted_at = $2, enabled = FALSE, session_url = FALSE, due_at = 0 WHERE id = $1`,
			id, micros(now))
	})
}

// Keys lists a signer's keys.
func (w *Webhooks) Keys(ctx context.Context, signer string) (keys []webhook.Key, version int64, err error) {
	var text string
	err = w.st.r.QueryRowContext(ctx, `SELECT version, keys FROM webhook_signer WHERE signer = $1`, signer).Scan(&version, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return keys, version, json.Unmarshal([]byte(text), &keys)
}

// PutKeys is compare-and-swap on the version.
func (w *Webhooks) PutKeys(ctx context.Context, signer string, keys []webhook.Key, version int64) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error { return putKeys(tx, signer, keys, version) })
}

func putKeys(tx *tx, signer string, keys []webhook.Key, version int64) error {
	text, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	var n int64
	if version == 0 {
		n, err = tx.affected(`INSERT INTO webhook_signer (signer, version, keys) VALUES ($1, 1, $2) ON CONFLICT (signer) DO NOTHING`,
			signer, string(text))
	} else {
		n, err = tx.affected(`UPDATE webhook_signer SET keys = $2, version = version + 1 WHERE signer = $1 AND version = $3`, signer,
			string(text), version)
	}
	if err == nil && n == 0 {
		err = webhook.ErrConflict
	}
	return err
}

// fed is an event with the webhook_url of its session.
type fed struct {
	webhook.Event
	url string
}

// fedEvents reads events in order: a merchant's, or with "" everybody's. The condition may speak of pos and at; the last
// parameter is the limit. Each table is read no further than that; by pos, where the condition is a range of it.
//
// A merchant's are read from an index of the merchant's own. An event without a merchant, which an earlier version wrote
// (see Own), is looked for beside them, through the same index.
func fedEvents(ctx context.Context, q querier, where, merchant string, args ...any) ([]fed, error) {
	limit := fmt.Sprintf(" LIMIT $%d + 0", len(args))
	end := limit
	if strings.HasPrefix(where, "pos ") {
		end = " ORDER BY pos" + limit
	}
	own, unowned := "", ""
	if merchant != "" {
		args = append(args, merchant)
		own = fmt.Sprintf("merchant = $%d AND ", len(args))
		unowned = ` UNION ALL SELECT * FROM (SELECT pos, session, session, s.merchant, n, type, at, data, COALESCE(suffix, ''), s.body FROM event e CROSS JOIN session s
			WHERE s.id = e.session AND e.merchant IS NULL AND s.` + own + where + end + `) AS unowned`
	}
	rows, err := q.QueryContext(ctx, `SELECT pos, session, session, s.merchant, n, type, at, data, COALESCE(suffix, ''), s.body
		FROM (SELECT pos, session, n, type, at, data, suffix FROM event WHERE `+own+where+end+`) AS part CROSS JOIN session s WHERE s.id = part.session`+unowned+`
		UNION ALL SELECT * FROM (SELECT pos, '', subject, merchant, n, type, at, data, COALESCE(suffix, ''), '' FROM account_event WHERE `+own+where+end+`) AS other
		ORDER BY 1`+limit, args...)
	if err != nil {
		return nil, err
	}
	urls := map[string]string{}
	return scanAll(rows, func() (fed, error) {
		var f fed
		var at int64
		var data, body string
		if err := rows.Scan(&f.Pos, &f.Session, &f.Subject, &f.Merchant, &f.N, &f.Type, &at, &data, &f.Suffix, &body); err != nil {
			return f, err
		}
		f.At, f.Data = instant(at), raw(data)
		if f.Session == "" {
			return f, nil
		}
		url, known := urls[f.Session]
		if !known {
			var s session.Session
			if err := json.Unmarshal([]byte(body), &s); err != nil {
				return f, fmt.Errorf("sqlstore: session %s: %w", f.Session, err)
			}
			url = s.WebhookURL
			urls[f.Session] = url
		}
		f.url = url
		return f, nil
	})
}

// Wanted tells whether somebody may be told of an event that is not fed yet. An address that a session is the first to name is
// not known here yet.
func (w *Webhooks) Wanted(ctx context.Context) (some bool, err error) {
	if err := w.st.r.QueryRowContext(ctx, `SELECT (SELECT f.pos < p.last FROM webhook_feed f, event_place p)
		OR EXISTS (SELECT 1 FROM account_event WHERE pos IS NULL)`).Scan(&some); err != nil || some {
		return some, err
	}
	const few = 10
	rows, err := w.st.r.QueryContext(ctx, `SELECT DISTINCT COALESCE(merchant, '') FROM event WHERE pos IS NULL LIMIT $1 + 0`, few)
	if err != nil {
		return false, err
	}
	merchants, err := scanAll(rows, func() (s string, err error) { err = rows.Scan(&s); return s, err })
	if err != nil || len(merchants) == few {
		return true, err
	}
	for _, m := range merchants {
		if err := w.st.r.QueryRowContext(ctx, `SELECT COALESCE(
			(SELECT TRUE FROM webhook_endpoint WHERE merchant = $1 AND NOT session_url AND deleted_at = 0 ORDER BY created_at, num LIMIT 1),
			(SELECT TRUE FROM webhook_endpoint WHERE merchant = $1 AND session_url AND deleted_at = 0 ORDER BY created_at, num LIMIT 1), FALSE)`, m).
			Scan(&some); err != nil || some {
			return some, err
		}
	}
	return false, nil
}

// Feed turns the next events into deliveries, and gives those a place that have none. The one row of webhook_feed is locked
// from the reading to the commit: one feeder at a time, and so one order for every queue.
func (w *Webhooks) Feed(ctx context.Context, now time.Time, limit int) (count int, err error) {
	var some, unplaced bool
	err = w.st.r.QueryRowContext(ctx, `SELECT (SELECT f.pos < p.last FROM webhook_feed f, event_place p),
		EXISTS (SELECT 1 FROM event WHERE pos IS NULL) OR EXISTS (SELECT 1 FROM account_event WHERE pos IS NULL)`).Scan(&some, &unplaced)
	if err != nil || !some && !unplaced {
		return 0, err
	}
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		count = 0
		if unplaced {
			if err := placeSome(tx); err != nil {
				return err
			}
		}
		var pos int64
		if err := tx.QueryRowContext(tx.ctx, `UPDATE webhook_feed SET pos = pos WHERE one = 1 RETURNING pos`).Scan(&pos); err != nil {
			return err
		}
		events, err := fedEvents(tx.ctx, tx, `pos > $1`, "", pos, limit)
		if err != nil || len(events) == 0 {
			return err
		}
		count = len(events)
		queues, err := w.route(tx, events, now)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(queues)) { // in one order everywhere
			if err := w.append(tx, id, queues[id], false, now); err != nil {
				return err
			}
		}
		return tx.exec(`UPDATE webhook_feed SET pos = $1 WHERE one = 1`, events[len(events)-1].Pos)
	})
	return count, err
}

// route finds which events go to which endpoint.
func (w *Webhooks) route(tx *tx, events []fed, now time.Time) (map[string][]webhook.Event, error) {
	own := map[string][]webhook.Endpoint{}
	named := map[[2]string]string{} // merchant, URL
	queues := map[string][]webhook.Event{}
	for _, e := range events {
		endpoints, known := own[e.Merchant]
		if !known {
			rows, err := tx.QueryContext(tx.ctx, `SELECT `+endpointColumns+` FROM webhook_endpoint
				WHERE merchant = $1 AND NOT session_url AND enabled AND deleted_at = 0`, e.Merchant)
			if err != nil {
				return nil, err
			}
			if endpoints, err = scanAll(rows, func() (webhook.Endpoint, error) { return scanEndpoint(rows) }); err != nil {
				return nil, err
			}
			own[e.Merchant] = endpoints
		}
		told := false
		for _, p := range endpoints {
			if p.Wants(e.Type) {
				queues[p.ID] = append(queues[p.ID], e.Event)
				told = told || p.URL == e.url
			}
		}
		if e.url == "" || told { // the same address is not told twice
			continue
		}
		name := [2]string{e.Merchant, e.url}
		id, known := named[name]
		if !known {
			var err error
			if id, err = w.named(tx, e.Merchant, e.url, now); err != nil {
				return nil, err
			}
			named[name] = id
		}
		if id != "" {
			queues[id] = append(queues[id], e.Event)
		}
	}
	return queues, nil
}

// named finds the endpoint that stands for an address that sessions name, and makes it when it is first needed; "" where
// the merchant disabled it.
func (w *Webhooks) named(tx *tx, merchant, url string, now time.Time) (id string, err error) {
	var enabled bool
	find := func() error {
		return tx.QueryRowContext(tx.ctx, `SELECT id, enabled FROM webhook_endpoint WHERE merchant = $1 AND url = $2 AND session_url`,
			merchant, url).Scan(&id, &enabled)
	}
	if err = find(); errors.Is(err, sql.ErrNoRows) {
		err = w.insertEndpoint(tx, webhook.Endpoint{
			ID: newID("we_"), Merchant: merchant, URL: url, SessionURL: true, Enabled: true, CreatedAt: now, UpdatedAt: now,
		})
		if err == nil {
			err = find()
		}
	}
	if err != nil || !enabled {
		return "", err
	}
	return id, nil
}

// append puts events at the end of an endpoint's queue. A queue at rest becomes due; one that waits for a retry is tried
// webhook.QueueState.Probe after its last try at the latest, or now if the merchant had them sent again. An endpoint that is gone
// or disabled gets nothing.
func (w *Webhooks) append(tx *tx, endpoint string, events []webhook.Event, resend bool, now time.Time) error {
	if len(events) == 0 {
		return nil
	}
	var seq, tried int64
	e, err := scanEndpoint(tx.QueryRowContext(tx.ctx, `UPDATE webhook_endpoint SET last_seq = last_seq + $2
		WHERE id = $1 AND enabled AND deleted_at = 0 RETURNING `+endpointColumns+`, last_seq, tried_at`, endpoint, len(events)), &seq,
		&tried)
	if errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	due := now
	if e.Failures > 0 && !resend {
		due = later(now, instant(tried).Add(e.Probe(now)))
	}
	if e.NextTry.IsZero() || resend || due.Before(e.NextTry) {
		if err := tx.exec(`UPDATE webhook_endpoint SET due_at = $2 WHERE id = $1`, endpoint, micros(due)); err != nil {
			return err
		}
	}
	seq -= int64(len(events))
	for chunk := range slices.Chunk(events, maxRows) {
		var args []any
		for _, e := range chunk {
			body, err := e.Body()
			if err != nil {
				return fmt.Errorf("sqlstore: event %s: %w", e.ID(), err)
			}
			seq++
			args = append(args, newID("wd_"), w.st.newJobID(), endpoint, seq, e.Merchant, e.ID(), e.Session, e.N, e.Type, string(body),
				string(webhook.Pending), resend, 0, micros(now), 0)
		}
		err := tx.exec(`INSERT INTO webhook_delivery (id, num, endpoint, seq, merchant, event, session, n, type, body,
			state, resend, tries, created_at, ended_at) VALUES `+values(len(chunk), 15), args...)
		if unique(err) { // num: see newJobID
			return errAgain
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// heldBy is the condition that the job still holds its queue.
const heldBy = ` num = $1 AND holder = $2 AND claims = $3 AND holder <> '' AND deleted_at = 0 `

// Next is the head of the queue that the job holds.
func (w *Webhooks) Next(ctx context.Context, job jobs.Job, now time.Time) (*webhook.Delivery, webhook.Endpoint, error) {
	e, err := scanEndpoint(w.st.r.QueryRowContext(ctx, `SELECT `+endpointColumns+` FROM webhook_endpoint WHERE`+heldBy, job.ID,
		job.Worker, job.Attempt))
	if errors.Is(err, webhook.ErrNotFound) {
		return nil, e, webhook.ErrLost
	}
	if err != nil || !e.Enabled || e.NextTry.IsZero() || e.NextTry.After(now) {
		return nil, e, err
	}
	d, err := scanDelivery(w.st.r.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM webhook_delivery
		WHERE endpoint = $1 AND state = 'pending' ORDER BY seq LIMIT 1`, e.ID))
	if errors.Is(err, webhook.ErrNotFound) {
		return nil, e, nil
	}
	return &d, e, err
}

// Record stores a try and moves the queue on.
func (w *Webhooks) Record(ctx context.Context, job jobs.Job, delivery string, t webhook.Try, now time.Time) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		var n int64
		e, err := scanEndpoint(tx.QueryRowContext(tx.ctx,
			`UPDATE webhook_endpoint SET num = num WHERE`+heldBy+`RETURNING `+endpointColumns+`, last_event`,
			job.ID, job.Worker, job.Attempt), &n)
		if errors.Is(err, webhook.ErrNotFound) {
			return webhook.ErrLost
		}
		if err != nil {
			return err
		}
		if err := recordTry(tx, e.ID, delivery, t, now); err != nil {
			return err
		}
		queue, wait, event := e.After(t, now)
		if !t.OK() && !t.Unsigned {
			if err := tx.exec(`UPDATE webhook_delivery SET state = 'given_up', ended_at = $2
				WHERE endpoint = $1 AND state = 'pending' AND created_at <= $3`, e.ID, micros(now),
				micros(now.Add(-webhook.GiveUpAfter))); err != nil {
				return err
			}
		}
		waiting, err := pending(tx, e.ID)
		if err != nil {
			return err
		}
		due := time.Time{}
		if waiting && e.Enabled {
			due = now.Add(wait)
		}
		if !due.IsZero() && !t.OK() { // what came during the try is news as well
			var newest int64
			if err := tx.QueryRowContext(tx.ctx, `SELECT created_at FROM webhook_delivery
				WHERE endpoint = $1 AND state = 'pending' ORDER BY seq DESC LIMIT 1`, e.ID).Scan(&newest); err != nil {
				return err
			}
			if probe := now.Add(queue.Probe(now)); !t.Unsigned && instant(newest).After(t.At) && probe.Before(due) {
				due = probe
			}
		}
		if event != "" {
			n++
			data, err := json.Marshal(map[string]any{
				"endpoint": e.ID, "url": e.URL, "failures": max(queue.Failures, e.Failures),
				"failing_since": cmpTime(queue.FailingSince, e.FailingSince).Format(time.RFC3339Nano),
			})
			if err != nil {
				return err
			}
			if err := tx.exec(`INSERT INTO account_event (merchant, subject, n, type, at, data, suffix)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, e.Merchant, e.ID, n, event, micros(now), string(data), newSuffix()); err != nil {
				return err
			}
		}
		return tx.exec(
			`UPDATE webhook_endpoint SET failures = $2, failing_since = $3, failing = $4, due_at = $5, last_event = $6, tried_at = $7
			WHERE id = $1`, e.ID, queue.Failures, micros(queue.FailingSince), queue.Failing, micros(due), n, micros(now))
	})
}

func cmpTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

func recordTry(tx *tx, endpoint, delivery string, t webhook.Try, now time.Time) error {
	state, ended := webhook.Pending, int64(0)
	if t.OK() {
		state, ended = webhook.Delivered, micros(now)
	}
	// What the receiver took is delivered, though it was cancelled meanwhile.
	err := tx.QueryRowContext(tx.ctx, `UPDATE webhook_delivery SET tries = tries + 1,
		state = CASE WHEN state = 'pending' OR $3 = 'delivered' THEN $3 ELSE state END,
		ended_at = CASE WHEN state = 'pending' OR $3 = 'delivered' THEN $4 ELSE ended_at END
		WHERE id = $1 AND endpoint = $2 RETURNING tries`, delivery, endpoint, string(state), ended).Scan(&t.N)
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.ErrLost
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := tx.exec(`INSERT INTO webhook_try (delivery, n, body) VALUES ($1, $2, $3)`, delivery, t.N, string(body)); err != nil {
		return err
	}
	if t.N <= webhook.KeepTries {
		return nil
	}
	return tx.exec(`DELETE FROM webhook_try WHERE delivery = $1 AND n = $2`, delivery, t.N-webhook.KeepTries+webhook.KeepFirst)
}

const deliveryColumns = `id, endpoint, merchant, event, session, n, type, body, state, resend, tries, created_at, ended_at`

func scanDelivery(row scanner) (d webhook.Delivery, err error) {
	var created, ended int64
	var body, state string
	err = row.Scan(&d.ID, &d.Endpoint, &d.Merchant, &d.Event, &d.Session, &d.N, &d.Type, &body, &state, &d.Resend, &d.Tries,
		&created, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return d, webhook.ErrNotFound
	}
	d.Body, d.State, d.CreatedAt, d.EndedAt = []byte(body), webhook.State(state), instant(created), instant(ended)
	return d, err
}

// Deliveries lists a merchant's, newest first.
func (w *Webhooks) Deliveries(ctx context.Context, f webhook.Filter) ([]webhook.Delivery, error) {
	where, args := []string{"merchant = $1"}, []any{f.Merchant}
	and := func(condition string, arg string) {
		if arg != "" {
			args = append(args, arg)
			where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
		}
	}
	place := "num"
	if f.Endpoint != "" && f.Event == "" && (f.State == "" || f.State == webhook.Delivered) { // its queue's own order
		place = "seq"
		args = append(args, f.Endpoint)
		where = []string{"endpoint = (SELECT id FROM webhook_endpoint WHERE id = $2 AND merchant = $1)"}
	} else {
		and("endpoint = ?", f.Endpoint)
	}
	and("event = ?", f.Event)
	if f.State != "" && f.State != webhook.Delivered { // word for word as the index of those
		where = append(where, "state <> 'delivered'")
	}
	and("state = ?", string(f.State))
	and(place+" < (SELECT "+place+" FROM webhook_delivery WHERE id = ? AND merchant = $1)", f.Before)
	if f.Limit < 1 || f.Limit > maxPage {
		f.Limit = maxPage
	}
	rows, err := w.st.r.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM webhook_delivery WHERE %s ORDER BY %s DESC LIMIT %d`,
		deliveryColumns, strings.Join(where, " AND "), place, f.Limit), args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, func() (webhook.Delivery, error) { return scanDelivery(rows) })
}

// Delivery reads one of the merchant's with its tries, oldest first.
func (w *Webhooks) Delivery(ctx context.Context, merchant, id string) (webhook.Delivery, []webhook.Try, error) {
	d, err := scanDelivery(w.st.r.QueryRowContext(ctx,
		`SELECT `+deliveryColumns+` FROM webhook_delivery WHERE id = $1 AND merchant = $2`, id, merchant))
	if err != nil {
		return d, nil, err
	}
	rows, err := w.st.r.QueryContext(ctx, `SELECT body FROM webhook_try WHERE delivery = $1 ORDER BY n`, id)
	if err != nil {
		return d, nil, err
	}
	tries, err := scanAll(rows, func() (t webhook.Try, err error) {
		var body string
		if err = rows.Scan(&body); err == nil {
			err = json.Unmarshal([]byte(body), &t)
		}
		return t, err
	})
	return d, tries, err
}

// Resend puts a delivery's event at the end of its endpoint's queue again.
func (w *Webhooks) Resend(ctx context.Context, merchant, id string, now time.Time) (d webhook.Delivery, err error) {
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		if d, err = scanDelivery(tx.QueryRowContext(tx.ctx,
			`SELECT `+deliveryColumns+` FROM webhook_delivery WHERE id = $1 AND merchant = $2`, id, merchant)); err != nil {
			return err
		}
		var seq int64
		e, err := lockEndpoint(tx, merchant, d.Endpoint, &seq)
		if err != nil {
			return err
		}
		if !e.Enabled {
			return webhook.ErrDisabled
		}
		// One of the event that waits, this one or another, stays the only one.
		waiting, err := scanDelivery(tx.QueryRowContext(tx.ctx, `SELECT `+deliveryColumns+` FROM webhook_delivery
			WHERE endpoint = $1 AND event = $2 AND state = 'pending' ORDER BY seq LIMIT 1`, e.ID, d.Event))
		if err == nil {
			d = waiting
			return tx.exec(`UPDATE webhook_endpoint SET due_at = $2 WHERE id = $1`, e.ID, micros(now))
		}
		if !errors.Is(err, webhook.ErrNotFound) {
			return err
		}
		d.ID, d.State, d.Resend, d.Tries, d.CreatedAt, d.EndedAt = newID("wd_"), webhook.Pending, true, 0, now, time.Time{}
		err = tx.exec(`INSERT INTO webhook_delivery (id, num, endpoint, seq, merchant, event, session, n, type, body,
			state, resend, tries, created_at, ended_at) VALUES `+values(1, 15),
			d.ID, w.st.newJobID(), d.Endpoint, seq+1, d.Merchant, d.Event, d.Session, d.N, d.Type, string(d.Body), string(d.State), true,
			0, micros(now), 0)
		if unique(err) {
			return errAgain
		}
		if err != nil {
			return err
		}
		return tx.exec(`UPDATE webhook_endpoint SET last_seq = $2, due_at = $3 WHERE id = $1`, e.ID, seq+1, micros(now))
	})
	return d, err
}

// ResendRange puts the events of a span at the end of an endpoint's queue again; those that wait in it are left there.
func (w *Webhooks) ResendRange(ctx context.Context, merchant, endpoint string, from, to, now time.Time) (count int, err error) {
	if err := w.st.place(ctx); err != nil {
		return 0, err
	}
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		count = 0
		e, err := lockEndpoint(tx, merchant, endpoint)
		if err != nil {
			return err
		}
		if !e.Enabled {
			return webhook.ErrDisabled
		}
		var fedTo int64 // what comes after is fed in its turn
		if err := tx.QueryRowContext(tx.ctx, `SELECT pos FROM webhook_feed`).Scan(&fedTo); err != nil {
			return err
		}
		events, err := fedEvents(tx.ctx, tx, `at >= $1 AND at < $2 AND pos IS NOT NULL`, merchant, micros(from), micros(to),
			webhook.MaxResend+1)
		if err != nil {
			return err
		}
		if len(events) > webhook.MaxResend {
			return &webhook.Fault{Field: "to", Text: fmt.Sprintf("holds more than %d events together with from; ask for less at once",
				webhook.MaxResend)}
		}
		rows, err := tx.QueryContext(tx.ctx, `SELECT event FROM webhook_delivery WHERE endpoint = $1 AND state = 'pending'`, endpoint)
		if err != nil {
			return err
		}
		waiting := map[string]bool{}
		if _, err := scanAll(rows, func() (s string, err error) { err = rows.Scan(&s); waiting[s] = true; return s, err }); err != nil {
			return err
		}
		var again []webhook.Event
		for _, f := range events {
			if f.Pos <= fedTo && e.Wants(f.Type) && (!e.SessionURL || f.url == e.URL) && !waiting[f.ID()] {
				again = append(again, f.Event)
			}
		}
		count = len(again)
		return w.append(tx, endpoint, again, true, now)
	})
	return count, err
}

// Cancel ends a pending delivery; those behind it are tried now.
func (w *Webhooks) Cancel(ctx context.Context, merchant, id string, now time.Time) (d webhook.Delivery, err error) {
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		if d, err = scanDelivery(tx.QueryRowContext(tx.ctx,
			`SELECT `+deliveryColumns+` FROM webhook_delivery WHERE id = $1 AND merchant = $2`, id, merchant)); err != nil {
			return err
		}
		// The queue first, as everywhere; then the delivery as it is now.
		if err := tx.exec(`UPDATE webhook_endpoint SET num = num WHERE id = $1`, d.Endpoint); err != nil {
			return err
		}
		switch n, err := tx.affected(
			`UPDATE webhook_delivery SET state = 'cancelled', ended_at = $2 WHERE id = $1 AND state = 'pending'`, id, micros(now)); {
		case err != nil:
			return err
		case n == 0:
			return webhook.ErrDone
		}
		d.State, d.EndedAt = webhook.Cancelled, now
		waiting, err := pending(tx, d.Endpoint)
		if err != nil {
			return err
		}
		due := int64(0)
		if waiting {
			due = micros(now)
		}
		return tx.exec(`UPDATE webhook_endpoint SET due_at = $2 WHERE id = $1 AND due_at > 0`, d.Endpoint, due)
	})
	return d, err
}

// Sweep removes what ended long ago.
func (w *Webhooks) Sweep(ctx context.Context, before time.Time, limit int) (count int, err error) {
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		rows, err := tx.QueryContext(tx.ctx,
			`SELECT id FROM webhook_delivery WHERE ended_at > 0 AND ended_at < $1 ORDER BY ended_at LIMIT $2 + 0`, micros(before), limit)
		if err != nil {
			return err
		}
		ids, err := scanAll(rows, func() (id any, err error) {
			var s string
			err = rows.Scan(&s)
			return s, err
		})
		if err != nil {
			return err
		}
		count = len(ids)
		if count > 0 {
			in := ` IN (` + strings.Trim(strings.ReplaceAll(values(count, 1), "), (", ", "), "()") + `)`
			if err := tx.exec(`DELETE FROM webhook_try WHERE delivery`+in, ids...); err != nil {
				return err
			}
			return tx.exec(`DELETE FROM webhook_delivery WHERE id`+in, ids...)
		}
		n, err := tx.affected(`DELETE FROM webhook_endpoint WHERE id IN (SELECT id FROM webhook_endpoint
			WHERE (session_url OR deleted_at > 0) AND updated_at < $1 AND due_at = 0 AND holder = ''
			AND NOT EXISTS (SELECT 1 FROM webhook_delivery WHERE webhook_delivery.endpoint = webhook_endpoint.id)
			ORDER BY updated_at LIMIT $2 + 0)`, micros(before), limit)
		count = int(n)
		return err
	})
	return count, err
}

// The queue: one job per endpoint with something to send.

// Enqueue has queues with something to send tried at RunAt.
func (w *Webhooks) Enqueue(ctx context.Context, js ...jobs.Job) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		for _, j := range slices.SortedFunc(slices.Values(js), func(a, b jobs.Job) int { return cmp.Compare(a.Key, b.Key) }) {
			if err := tx.exec(`UPDATE webhook_endpoint SET due_at = $2 WHERE id = $1 AND due_at > 0`, j.Key, micros(j.RunAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Claim leases due queues to the worker: first those that do not fail, oldest due first; then, while more than the reserve of
// workers are free, those that do.
func (w *Webhooks) Claim(ctx context.Context, worker string, now time.Time, lease time.Duration, n int) (
	claimed []jobs.Job, err error,
) {
	const due = ` due_at > 0 AND due_at <= $1 AND (holder = '' OR held_until < $1) `
	var some bool
	if err := w.st.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_endpoint WHERE`+due+`)`,
		micros(now)).Scan(&some); err != nil || !some {
		return nil, err
	}
	skip := ""
	if w.st.pg {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	err = w.st.change(ctx, notice{}, func(tx *tx) error {
		claimed = nil
		for _, failing := range []bool{false, true} {
			most := n - len(claimed)
			if failing {
				most = min(most, n-w.reserve)
			}
			if most <= 0 {
				break
			}
			rows, err := tx.QueryContext(tx.ctx, `UPDATE webhook_endpoint SET holder = $2, held_until = $3, claims = claims + 1
				WHERE id IN (SELECT id FROM webhook_endpoint WHERE`+due+`AND (failures > 0) = $4 ORDER BY due_at, num LIMIT $5 + 0`+skip+`)
				RETURNING num, id, claims, holder, due_at`, micros(now), worker, micros(now.Add(lease)), failing, most)
			if err != nil {
				return err
			}
			found, err := scanAll(rows, func() (j jobs.Job, err error) {
				var at int64
				j.Kind = webhook.JobKind
				err = rows.Scan(&j.ID, &j.Key, &j.Attempt, &j.Worker, &at)
				j.RunAt = instant(at)
				return j, err
			})
			if err != nil {
				return err
			}
			slices.SortFunc(found, func(a, b jobs.Job) int { return cmp.Or(a.RunAt.Compare(b.RunAt), cmp.Compare(a.ID, b.ID)) })
			claimed = append(claimed, found...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Extend pushes the lease of the worker's queues to now+lease.
func (w *Webhooks) Extend(ctx context.Context, worker string, now time.Time, lease time.Duration) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE webhook_endpoint SET held_until = $2 WHERE holder = $1 AND holder <> ''`, worker, micros(now.Add(lease)))
	})
}

// Done lets a queue go, if the fence still fits. When it is due again Record has said already.
func (w *Webhooks) Done(ctx context.Context, j jobs.Job) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE webhook_endpoint SET holder = '', held_until = 0 WHERE num = $1 AND holder = $2 AND claims = $3`, j.ID,
			j.Worker, j.Attempt)
	})
}

// Retry lets a queue go and has it tried then, or later if Record said so, fenced as Done.
func (w *Webhooks) Retry(ctx context.Context, j jobs.Job, at time.Time) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(
			`UPDATE webhook_endpoint SET holder = '', held_until = 0, due_at = CASE WHEN due_at > 0 AND due_at < $4 THEN $4 ELSE due_at END
			WHERE num = $1 AND holder = $2 AND claims = $3`, j.ID, j.Worker, j.Attempt, micros(at))
	})
}

// FreeAll ends every lease; only for a store that no other process uses.
func (w *Webhooks) FreeAll(ctx context.Context) error {
	return w.st.change(ctx, notice{}, func(tx *tx) error {
		return tx.exec(`UPDATE webhook_endpoint SET holder = '', held_until = 0 WHERE holder <> ''`)
	})
}

// Waiting counts the endpoints that have something to be sent to.
func (w *Webhooks) Waiting(ctx context.Context) (n int, err error) {
	err = w.st.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM webhook_endpoint WHERE due_at > 0`).Scan(&n)
	return n, err
}
