package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tollgate/internal/app"
)

// history measures what a long history costs on SQLite: one front has none, another that of so many sessions, and both are asked the same in
// turns. Beside it: how long a start takes, what an idle process holds, what is kept of a payment, and how large the program is.
func history(ctx context.Context, w *world, s settings, t *table) error {
	if s.database != "" {
		return errors.New("is of SQLite alone")
	}
	if err := keptEach(ctx, w, s, t); err != nil {
		return err
	}
	small, err := newHouse(ctx, w, "small")
	if err != nil {
		return err
	}
	defer small.stop()
	big, err := newHouse(ctx, w, "big")
	if err != nil {
		return err
	}
	big.stop()
	if err := fill(ctx, big.file(), s.sessions); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	name := fmt.Sprintf("%d sessions: ", s.sessions)
	for round := range s.rounds {
		small.stop()
		if err := small.start(ctx); err != nil {
			return err
		}
		t.add("no sessions: start to ready", "ms", float64(small.took)/1e6)
		if round > 0 {
			big.stop()
		}
		if err := big.start(ctx); err != nil {
			return err
		}
		t.add(name+"start to ready", "ms", float64(big.took)/1e6)
	}
	defer big.stop()
	timer := time.NewTimer(s.window)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.add("no sessions: idle memory", "MB", resident(small.front.pid()))
	t.add(name+"idle memory", "MB", resident(big.front.pid()))
	for _, ask := range asked {
		for range 100 {
			for _, h := range []*house{small, big} {
				took, err := h.ask(ctx, ask.path)
				if err != nil {
					return err
				}
				name := name
				if h == small {
					name = "no sessions: "
				}
				t.add(name+ask.name, "ms", float64(took)/1e6)
			}
		}
	}
	return program(ctx, w, t)
}

// asked are the shop's requests; a path without one makes a session.
var asked = []struct{ name, path string }{
	{"POST /v1/sessions", ""},
	{"list", "/v1/sessions?limit=20"},
	{"list, order_id", "/v1/sessions?limit=20&order_id=old-600"},
	{"list, order_id that is none", "/v1/sessions?limit=20&order_id=none"},
	{"list, status without a match", "/v1/sessions?limit=20&status=refunded"},
	{"list, account without a match", "/v1/sessions?limit=20&account=sber"},
	{"events, first page", "/v1/events?limit=20"},
}

// house is one front with a database of its own.
type house struct {
	w     *world
	front *child
	dir   string
	took  time.Duration // from its launch until it can take payments
}

func newHouse(ctx context.Context, w *world, name string) (*house, error) {
	h := &house{w: w, dir: filepath.Join(w.dir, name)}
	return h, h.start(ctx)
}

func (h *house) file() string { return filepath.Join(h.dir, "tollgate.db") }

func (h *house) start(ctx context.Context) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	begun := time.Now()
	h.front, err = launch(ctx, "front", "-listen", addresses[0], "-sandbox", h.w.sandbox.said["url"], "-data", h.dir,
		"-keys", filepath.Join(h.w.dir, "keys"))
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		res, err := h.w.client.Get(h.front.said["url"] + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				h.took = time.Since(begun)
				return nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return ctx.Err()
}

func (h *house) stop() {
	h.front.stop()
	h.front = nil
}

func (h *house) ask(ctx context.Context, path string) (time.Duration, error) {
	begun := time.Now()
	if path == "" {
		own := *h.w
		own.fronts = []*child{h.front}
		_, err := own.create(ctx, nil)
		h.w.orders = own.orders
		return time.Since(begun), err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.front.said["url"]+path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+app.DemoKey)
	res, err := h.w.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %d %w", path, res.StatusCode, err)
	}
	return time.Since(begun), nil
}

// fill writes thin rows of sessions that were paid: each with an attempt, its run, a call, three events and the look that is queued.
func fill(ctx context.Context, file string, sessions int) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	const from = ` WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < $1) SELECT `
	const id, at = `'cs_old' || i`, `1700000000000000 + i * 1000000`
	const moment = `strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + i, 'unixepoch')`
	for _, q := range []string{
		`INSERT INTO session (id, version, merchant, account, order_id, claims_order, order_disputed, status, created_at, expires_at, body)` + from + id +
			`, 5, 'demo', 'rbs', 'old-' || i, TRUE, FALSE, 'paid', ` + at + `, ` + at + `, json_object('id', ` + id + `, 'merchant', 'demo', 'account', 'rbs',
			'kind', 'payment', 'order_id', 'old-' || i, 'amount', json('{"Minor":1990,"Currency":{"Code":"RUB","Numeric":"643","Digits":2}}'),
			'payment_method', 'card', 'success_url', 'https://shop.example/ok', 'cancel_url', 'https://shop.example/no', 'created_at', ` + moment + `,
			'expires_at', ` + moment + `, 'ref_base', 0, 'last_event', 3) FROM seq`,
		`INSERT INTO attempt (session, n, state, live, account, order_id, reference, body)` + from + id +
			`, 1, 'paid', FALSE, 'rbs', 'old-' || i, 'old-' || i || '-1', json_object('n', 1, 'state', 'paid', 'ref', json_object('reference', 'old-' || i || '-1'),
			'instrument', 'card', 'step_n', 0, 'held', 1990, 'captured', 1990, 'refunded', 0, 'created_at', ` + moment + `, 'updated_at', ` + moment + `) FROM seq`,
		`INSERT INTO run (token, session, attempt, n)` + from + `'old-run-' || i, ` + id + `, 1, 1 FROM seq`,
		`INSERT INTO gateway_call (session, attempt, kind, round, version, sent_at, answered_at, result)` + from + id + `, 1, 'pay', 1, 3, ` + at + `, ` + at + `, 'finished' FROM seq`,
		`INSERT INTO event (session, n, type, at, data, pos, merchant, suffix)` + from + id + `, 1, 'session.created', ` + at + `, '{}', i * 3, 'demo', 'x' FROM seq`,
		`INSERT INTO event (session, n, type, at, data, pos, merchant, suffix)` + from + id + `, 2, 'payment.started', ` + at + `, '{}', i * 3 + 1, 'demo', 'x' FROM seq`,
		`INSERT INTO event (session, n, type, at, data, pos, merchant, suffix)` + from + id + `, 3, 'payment.paid', ` + at + `, '{}', i * 3 + 2, 'demo', 'x' FROM seq`,
		`INSERT INTO job (id, kind, key, payload, run_at, attempt, worker, lease_until)` + from + `i, 'session.inquire', ` + id +
			` || '/1', json_object('session', ` + id + `, 'attempt', 1, 'look', json('true')), 4102444800000000 + i, 0, '', 0 FROM seq`,
		`UPDATE event_place SET last = $1 * 3 + 3`, `UPDATE webhook_feed SET pos = $1 * 3 + 3`,
	} {
		if _, err := db.ExecContext(ctx, q, sessions); err != nil {
			return fmt.Errorf("%.40s: %w", q, err)
		}
	}
	_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// keptEach is by how much the database grows with a payment.
func keptEach(ctx context.Context, w *world, s settings, t *table) error {
	size := func() (bytes float64, err error) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "front0", "tollgate.db")+"?mode=ro")
		if err != nil {
			return 0, err
		}
		defer db.Close()
		err = db.QueryRowContext(ctx, `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)
			- (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)`).Scan(&bytes)
		return bytes, err
	}
	before, err := size()
	if err != nil {
		return err
	}
	n, err := loop(ctx, s.shoppers, 2*s.window, func() error { return w.payment(ctx, nil) })
	if err != nil {
		return err
	}
	after, err := size()
	t.add("kept of a payment that was just made", "kB", (after-before)/float64(max(n, 1))/1024)
	return err
}

// program is the size of the program without its symbols.
func program(ctx context.Context, w *world, t *table) error {
	to := filepath.Join(w.dir, "tollgate")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "tollgate").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	info, err := os.Stat(to)
	if err == nil {
		t.add("program, stripped", "MB", float64(info.Size())/(1<<20))
	}
	return err
}
