package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tollgate/internal/jobs"
	"tollgate/session"
)

// sessionStore keeps sessions with their attempts, runs, calls and events.
type sessionStore struct{ *database }

// Create saves a new session and sets its Version and EarlierAttempts.
func (st *sessionStore) Create(ctx context.Context, s *session.Session, c session.Change) error {
	base, collisions := 0, 0
	own := &saving{}
	own.stored = func() {
		s.Version, s.EarlierAttempts = 1, base
		st.keep(own, s, c)
	}
	err := st.change(ctx, notice{s.ID, st.anyDue(c.Jobs), own}, func(tx *tx) error {
		// order_disputed too: money came for that order. Two look-ups, since one OR could use neither partial index; + 0, since
		// SQLite would rather use an index that has the order, and read all of the account's.
		var owner string
		switch err := tx.QueryRowContext(tx.ctx, `SELECT id, created_at + 0 FROM session
			WHERE merchant = $1 AND account = $2 AND order_id = $3 AND claims_order
			UNION ALL SELECT id, created_at + 0 FROM session
			WHERE merchant = $1 AND account = $2 AND order_id = $3 AND order_disputed
			ORDER BY 2 LIMIT 1`, s.Merchant, s.Account, s.OrderID).Scan(&owner, new(int64)); {
		case err == nil && s.ClaimsOrder():
			return &session.OrderTaken{SessionID: owner}
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		var err error
		if base, err = referenceBase(tx, s); err != nil {
			return err
		}
		s.BodyVersion = session.BodyVersion
		stored := *s
		stored.EarlierAttempts = base
		body, err := json.Marshal(&stored)
		if err != nil {
			return err
		}
		err = tx.exec(`INSERT INTO session (id, version, merchant, account, order_id, claims_order, order_disputed, status,
			created_at, expires_at, body) VALUES ($1, 1, $2, $3, $4, $5, FALSE, $6, $7, $8, $9)`,
			s.ID, s.Merchant, s.Account, s.OrderID, s.ClaimsOrder(), string(s.Status()),
			micros(s.CreatedAt), micros(s.ExpiresAt), string(body))
		if unique(err) {
			// The order id was claimed since we looked, which the next look shows; or the session's id is not new.
			if collisions++; collisions > 1 {
				return session.ErrConflict
			}
			return errAgain
		}
		if err != nil {
			return err
		}
		belongs, err := st.attached(s, c)
		if err == nil && c.Notice != nil {
			_, err = tell(tx, c.Notice.AccountEvent, c.Notice.Quiet)
		}
		if err == nil {
			err = belongs.run(tx)
		}
		return err
	})
	if err != nil {
		st.forget(own, s.ID)
	}
	return err
}

// keep keeps what was saved.
func (st *sessionStore) keep(own *saving, s *session.Session, c session.Change) {
	if r := st.keeps(); r != nil {
		r.saved(&own.reading, s, c)
	}
}

// forget ends a saving that failed.
func (st *sessionStore) forget(own *saving, id string) {
	if r := st.keeps(); r != nil {
		r.put(id, &own.reading, nil)
	}
}

// keeps is where sessions are kept in memory; nil: nowhere.
func (st *sessionStore) keeps() *recent {
	if st.pg {
		return st.checked
	}
	return st.recent
}

// referenceBase counts the attempts that earlier sessions of the merchant's order had, and goes on to where none of the
// references that this session may give is taken: one of the same text may be another order's, or another merchant's who
// used the account before.
func referenceBase(tx *tx, s *session.Session) (base int, err error) {
	if err := tx.QueryRowContext(tx.ctx, `SELECT COUNT(*) FROM attempt
		WHERE account = $1 AND order_id = $2 AND (SELECT merchant FROM session WHERE id = attempt.session) = $3`, s.Account, s.OrderID,
		s.Merchant).Scan(&base); err != nil {
		return 0, err
	}
	try := *s
	for {
		try.EarlierAttempts = base
		args, place := []any{s.Account}, map[string]int{}
		for n := 1; n <= session.MaxAttempts; n++ {
			args = append(args, try.Reference(n))
			place[try.Reference(n)] = n
		}
		rows, err := tx.QueryContext(tx.ctx,
			`SELECT reference FROM attempt WHERE account = $1 AND reference IN `+list(2, session.MaxAttempts), args...)
		if err != nil {
			return 0, err
		}
		taken, err := scanAll(rows, func() (n int, err error) {
			var reference string
			err = rows.Scan(&reference)
			return place[reference], err
		})
		if err != nil || len(taken) == 0 {
			return base, err
		}
		base += slices.Max(taken)
	}
}

// Save is compare-and-swap on the session's version, with everything that belongs to the change.
//
// Money beats the index: where an approval comes so late that another session has the order id by then, claims_order
// cannot become true again, but the approval must be stored. It is, and order_disputed with it: the order id stays
// refused to new sessions, and becomes this session's when the other lets it go and this one is saved again.
func (st *sessionStore) Save(ctx context.Context, s *session.Session, c session.Change) error {
	s.BodyVersion = max(s.BodyVersion, session.BodyVersion)
	body, err := json.Marshal(s)
	if err == nil && s.Newer != nil {
		body, err = keepUnknown(body, s.Newer.Session, reflect.TypeFor[session.Session]())
	}
	if err != nil {
		return err
	}
	var disputed bool
	write := func() (script, error) {
		belongs, err := st.attached(s, c)
		return append(script{{query: `UPDATE session SET version = version + 1, status = $3, expires_at = $4, body = $5,
			claims_order = CAST($6 AS BOOLEAN) AND (claims_order OR NOT EXISTS (SELECT 1 FROM session AS other
				WHERE other.merchant = session.merchant AND other.account = session.account AND other.order_id = session.order_id
				AND other.claims_order)),
			order_disputed = CAST($6 AS BOOLEAN) AND NOT claims_order AND EXISTS (SELECT 1 FROM session AS other
				WHERE other.merchant = session.merchant AND other.account = session.account AND other.order_id = session.order_id
				AND other.claims_order),
			needs_review = $7, held = $8
			WHERE id = $1 AND version = $2`,
			args:    []any{s.ID, s.Version, string(s.Status()), micros(s.ExpiresAt), string(body), s.ClaimsOrder(), s.NeedsReview(), s.Held()},
			returns: "order_disputed", into: &disputed, missing: session.ErrConflict,
			taken: errAgain, // the order id was claimed this moment
		}}, belongs...), err
	}
	own, done := &saving{}, func() {}
	if st.pg {
		done = sync.OnceFunc(st.checked.change(s.ID, &own.reading))
		defer done()
	}
	own.stored = func() {
		done()
		s.Version++
		st.keep(own, s, c)
	}
	if n := (notice{s.ID, st.anyDue(c.Jobs), own}); c.Notice == nil {
		err = st.scripted(ctx, n, write)
	} else { // what is told depends on what was told before
		err = st.change(ctx, n, func(tx *tx) error {
			steps, err := write()
			if err == nil {
				err = steps.run(tx)
			}
			if err == nil {
				_, err = tell(tx, c.Notice.AccountEvent, c.Notice.Quiet)
			}
			return err
		})
	}
	if err != nil {
		st.forget(own, s.ID)
		return err
	}
	if disputed {
		st.o.Log.Warn("order id belongs to another session by now", "session", s.ID)
	}
	return nil
}

// anyDue tells whether one of the jobs can be done now. Of the others nobody has to be told: whoever works looks for them in time.
func (st *database) anyDue(js []session.Job) bool {
	now := st.o.Now()
	return slices.ContainsFunc(js, func(j session.Job) bool { return !j.RunAt.After(now) })
}

// attached writes what belongs to a session just written: attempts, runs, call book, events, jobs.
func (st *sessionStore) attached(s *session.Session, c session.Change) (script, error) {
	var steps script
	if c.Claim != nil {
		steps = append(steps, markClaim(s, c.Claim))
	}
	attempts, err := attachAttempts(s)
	if err != nil {
		return nil, err
	}
	steps = append(append(append(steps, attempts...), attachRuns(s)...), attachCalls(s, c)...)
	if len(c.Events) > 0 {
		var args []any
		for _, e := range c.Events {
			args = append(args, s.ID, e.N, string(e.Type), micros(e.At), string(e.Data), s.Merchant, e.Suffix)
		}
		steps = append(steps, step{query: `INSERT INTO event (session, n, type, at, data, merchant, suffix) VALUES ` + values(len(c.Events), 7),
			args: args, taken: session.ErrConflict})
	}
	for _, j := range c.Drop {
		steps = append(steps, step{query: `DELETE FROM job WHERE kind = $1 AND key = $2 AND worker = ''`, args: []any{j.Kind, j.Key}})
	}
	queued := make([]jobs.Job, len(c.Jobs))
	for i, j := range c.Jobs {
		queued[i] = jobs.Job{Kind: j.Kind, Key: j.Key, Payload: j.Payload, RunAt: j.RunAt}
	}
	return append(steps, st.enqueued(queued)...), nil
}

// attachAttempts writes the attempts that differ from their rows, those that are not live first: of two attempts that
// change places the index must never see both live.
func attachAttempts(s *session.Session) (script, error) {
	if len(s.Attempts) == 0 {
		return nil, nil
	}
	var args []any
	for _, live := range []bool{false, true} {
		for _, a := range s.Attempts {
			if a.State.Live() != live {
				continue
			}
			body, err := json.Marshal(a)
			if err == nil && s.Newer != nil && s.Newer.Attempts[a.N] != nil {
				body, err = keepUnknown(body, s.Newer.Attempts[a.N], reflect.TypeFor[session.Attempt]())
			}
			if err != nil {
				return nil, err
			}
			args = append(args, s.ID, a.N, string(a.State), live, s.Account, s.OrderID, a.Ref.Reference, string(body))
		}
	}
	return script{{query: `INSERT INTO attempt (session, n, state, live, account, order_id, reference, body)
		VALUES ` + values(len(s.Attempts), 8) + `
		ON CONFLICT (session, n) DO UPDATE
		SET state = excluded.state, live = excluded.live, reference = excluded.reference, body = excluded.body
		WHERE attempt.body <> excluded.body`, args: args, taken: session.ErrConflict}}, nil
}

// attachRuns makes the tokens of new runs known. A token that leads elsewhere already is a conflict, never moved: it would lose its
// session, which a run must have.
func attachRuns(s *session.Session) script {
	var args []any
	n := 0
	for _, a := range s.Attempts {
		for _, r := range a.Runs {
			args = append(args, r.Token, s.ID, a.N, r.N)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return script{{query: `INSERT INTO run (token, session, attempt, n) VALUES ` + values(n, 4) + ` ON CONFLICT (token) DO UPDATE SET session = NULL
		WHERE run.session <> excluded.session OR run.attempt <> excluded.attempt OR run.n <> excluded.n`, args: args, taken: session.ErrConflict}}
}

// movesRun tells that a run's token leads elsewhere.
func movesRun(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code == "23502"
	}
	se, ok := errors.AsType[*sqlite.Error](err)
	return ok && se.Code() == sqlite3.SQLITE_CONSTRAINT_NOTNULL
}

func attachCalls(s *session.Session, c session.Change) (steps script) {
	if len(c.Calls) > 0 {
		var args []any
		for _, l := range c.Calls {
			args = append(args, s.ID, l.Attempt, l.Kind, l.Round, s.Version+1, micros(l.SentAt), micros(l.AnsweredAt), l.Result)
		}
		steps = append(steps, step{query: `INSERT INTO gateway_call (session, attempt, kind, round, version, sent_at, answered_at, result)
			VALUES ` + values(len(c.Calls), 8), args: args, taken: session.ErrCallExists})
	}
	for _, l := range c.Answered {
		steps = append(steps, step{
			query: `UPDATE gateway_call SET answered_at = $5, result = $6
			WHERE session = $1 AND attempt = $2 AND kind = $3 AND round = $4`,
			args:    []any{s.ID, l.Attempt, l.Kind, l.Round, micros(l.AnsweredAt), l.Result},
			missing: fmt.Errorf("sqlstore: answer to a call that is not in the book: attempt %d, %s, round %d", l.Attempt, l.Kind, l.Round),
		})
	}
	return steps
}

// Load reads a session with attempts and call book.
func (st *sessionStore) Load(ctx context.Context, id string) (s *session.Session, err error) {
	if st.pg {
		return st.loadChecked(ctx, id)
	}
	if st.recent != nil {
		known, look := st.recent.get(id)
		if known != nil {
			return known, ctx.Err()
		}
		defer func() { st.recent.put(id, look, s) }()
	}
	return one(st.sessions(ctx, "''", `id = $1`, id))
}

// loadChecked is Load where others may have changed the session: what is kept is of use if the database still has that version, in
// the history in which it was read. A database that failed over may give the number of a version that was lost to another.
func (st *sessionStore) loadChecked(ctx context.Context, id string) (*session.Session, error) {
	known, look := st.checked.get(id)
	if known != nil {
		var version int64
		var history string
		err := st.r.QueryRowContext(ctx, `SELECT version, `+st.historySQL+` FROM session WHERE id = $1`, id).Scan(&version, &history)
		if err == nil && version == known.Version && st.checked.of(history) {
			return known, nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		st.checked.change(id, nil)()
		if _, look = st.checked.get(id); look == nil {
			look = &reading{old: true} // another has just read it
		}
	}
	s, history, err := withHistory(st.sessions(ctx, st.historySQL, `id = $1`, id))
	if err == nil && !st.checked.of(history) {
		look.old = true
	}
	st.checked.put(id, look, s)
	return s, err
}

func one(found []*session.Session, _ string, err error) (*session.Session, error) {
	s, _, err := withHistory(found, "", err)
	return s, err
}

func withHistory(found []*session.Session, history string, err error) (*session.Session, string, error) {
	if err == nil && len(found) == 0 {
		err = session.ErrNotFound
	}
	if err != nil {
		return nil, history, err
	}
	return found[0], history, nil
}

// Versions reads the versions of sessions.
func (st *sessionStore) Versions(ctx context.Context, ids []string) (map[string]int64, error) {
	found := map[string]int64{}
	for some := range slices.Chunk(ids, versionsAtOnce) {
		args := make([]any, versionsAtOnce) // always as many: one statement to prepare
		for i := range args {
			args[i] = some[min(i, len(some)-1)]
		}
		rows, err := st.r.QueryContext(ctx, `SELECT id, version FROM session WHERE id IN `+list(1, versionsAtOnce), args...)
		if err != nil {
			return nil, err
		}
		if _, err := scanAll(rows, func() (n int64, err error) {
			var id string
			err = rows.Scan(&id, &n)
			found[id] = n
			return n, err
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

const versionsAtOnce = 200

// maxPage is how many sessions List answers at most.
const maxPage = 100

// List finds a merchant's sessions, newest first. A Limit outside 1 to 100 means 100.
func (st *sessionStore) List(ctx context.Context, f session.Filter) ([]*session.Session, error) {
	where, args := []string{"merchant = $1"}, []any{f.Merchant}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	only := "" // an order has few sessions: no other index may look better
	if f.OrderID != "" {
		and("order_id = ?", f.OrderID)
		only = " || ''"
	}
	if f.Account != "" {
		and("account"+only+" = ?", f.Account)
	}
	if f.Status != "" {
		and("status"+only+" = ?", string(f.Status))
	}
	for _, is := range []struct {
		column string
		want   *bool
	}{{"needs_review", f.NeedsReview}, {"held", f.Held}} {
		switch {
		case is.want != nil && *is.want:
			where = append(where, is.column)
		case is.want != nil:
			where = append(where, "NOT "+is.column)
		}
	}
	if !f.Since.IsZero() {
		and("created_at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		and("created_at < ?", micros(f.Until))
	}
	if f.Before != "" { // looked up first: its place never changes, and the page is then a plain range of an index
		var at int64
		err := st.r.QueryRowContext(ctx, `SELECT created_at FROM session WHERE id = $1 AND merchant = $2`, f.Before,
			f.Merchant).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		args = append(args, at, f.Before)
		where = append(where, fmt.Sprintf("(created_at, id) < ($%d, $%d)", len(args)-1, len(args)))
	}
	if f.Limit < 1 || f.Limit > maxPage {
		f.Limit = maxPage
	}
	found, _, err := st.sessions(ctx, "''", fmt.Sprintf("%s ORDER BY created_at DESC, id DESC LIMIT %d", strings.Join(where, " AND "), f.Limit),
		args...)
	return found, err
}

// sessions reads sessions whole, newest first, in one statement and so as of one moment. SQLite does not change the order of
// a CROSS JOIN: with another it would read all attempts to join them to the page.
// history is the expression that tells the database's history, or one that tells nothing.
func (st *sessionStore) sessions(ctx context.Context, history, where string, args ...any) (
	found []*session.Session, of string, err error,
) {
	rows, err := st.r.QueryContext(ctx, `WITH page AS (SELECT id, version, created_at, body FROM session WHERE `+where+`)
		SELECT 1 AS part, -created_at AS place, id AS session, version AS n, 0 AS round, `+history+` AS kind, body, 0 AS sent_at, 0 AS answered_at FROM page
		UNION ALL
		SELECT 2, a.n, a.session, a.n, 0, '', a.body, 0, 0 FROM page CROSS JOIN attempt a WHERE a.session = page.id
		UNION ALL
		SELECT 3, c.version, c.session, c.attempt, c.round, c.kind, c.result, c.sent_at, c.answered_at FROM page CROSS JOIN gateway_call c WHERE c.session = page.id
		ORDER BY 1, 2, 3 DESC, 6, 5`, args...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	byID := map[string]*session.Session{}
	for rows.Next() {
		var part, place, n, round, sentAt, answeredAt int64
		var id, kind, body string
		if err := rows.Scan(&part, &place, &id, &n, &round, &kind, &body, &sentAt, &answeredAt); err != nil {
			return nil, "", err
		}
		s := byID[id]
		switch part {
		case 1:
			s, of = &session.Session{Version: n}, kind
			if err := json.Unmarshal([]byte(body), s); err != nil {
				return nil, "", fmt.Errorf("sqlstore: session %s: %w", id, err)
			}
			if s.BodyVersion > session.BodyVersion {
				s.Newer = &session.NewerBodies{Session: json.RawMessage(body), Attempts: map[int]json.RawMessage{}}
			}
			byID[id] = s
			found = append(found, s)
		case 2:
			a := new(session.Attempt)
			if err := json.Unmarshal([]byte(body), a); err != nil {
				return nil, "", fmt.Errorf("sqlstore: session %s, attempt %d: %w", id, n, err)
			}
			if s.Newer != nil {
				s.Newer.Attempts[a.N] = json.RawMessage(body)
			}
			s.Attempts = append(s.Attempts, a)
		case 3:
			a := s.Attempt(int(n))
			a.Calls = append(a.Calls, session.Call{
				Attempt: int(n), Kind: kind, Round: int(round),
				SentAt: instant(sentAt), AnsweredAt: instant(answeredAt), Result: body,
			})
		}
	}
	return found, of, rows.Err()
}

// FindRun names the session and attempt of a run's token.
func (st *sessionStore) FindRun(ctx context.Context, token string) (id string, attempt int, err error) {
	return st.find(ctx, `SELECT session, attempt FROM run WHERE token = $1`, token)
}

// FindReference names the session and attempt of a reference in an account.
func (st *sessionStore) FindReference(ctx context.Context, account, reference string) (id string, attempt int, err error) {
	return st.find(ctx, `SELECT session, n FROM attempt WHERE account = $1 AND reference = $2`, account, reference)
}

func (st *sessionStore) find(ctx context.Context, query string, args ...any) (id string, attempt int, err error) {
	err = st.r.QueryRowContext(ctx, query, args...).Scan(&id, &attempt)
	if errors.Is(err, sql.ErrNoRows) {
		err = session.ErrNotFound
	}
	return id, attempt, err
}

// Events lists a session's events after the given number.
func (st *sessionStore) Events(ctx context.Context, id string, after, limit int) ([]session.Event, error) {
	rows, err := st.r.QueryContext(ctx, `SELECT n, type, at, data, COALESCE(suffix, '') FROM event WHERE session = $1 AND n > $2 ORDER BY n LIMIT $3 + 0`,
		id, after, max(limit, 0))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []session.Event
	for rows.Next() {
		var e session.Event
		var at int64
		var data string
		if err := rows.Scan(&e.N, &e.Type, &at, &data, &e.Suffix); err != nil {
			return nil, err
		}
		e.At, e.Data = instant(at), raw(data)
		events = append(events, e)
	}
	return events, rows.Err()
}

// LiveByAccount counts the attempts that are under way, by account.
func (st *sessionStore) LiveByAccount(ctx context.Context) (map[string]int, error) {
	rows, err := st.r.QueryContext(ctx, `SELECT account, COUNT(*) FROM attempt WHERE live GROUP BY account`)
	if err != nil {
		return nil, err
	}
	live := map[string]int{}
	_, err = scanAll(rows, func() (struct{}, error) {
		var name string
		var n int
		err := rows.Scan(&name, &n)
		live[name] = n
		return struct{}{}, err
	})
	return live, err
}

// Reviews counts the sessions that a person has to look at, and those that are held, for the metrics.
func (st *sessionStore) Reviews(ctx context.Context) (needsReview, held int, err error) {
	err = st.r.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM session WHERE needs_review), (SELECT COUNT(*) FROM session WHERE held)`).
		Scan(&needsReview, &held)
	return needsReview, held, err
}
