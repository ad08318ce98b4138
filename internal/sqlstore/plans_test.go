package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/invoice"
	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook"
	"tollgate/internal/webhook/webhooktest"
	"tollgate/session"
	"tollgate/session/storetest"
)

// growing are the tables that hold more with every payment, and what aliases their rows have in statements.
var growing = map[string]string{
	"session": "session", "s": "session", "attempt": "attempt", "a": "attempt", "run": "run", "gateway_call": "gateway_call", "c": "gateway_call",
	"event": "event", "e": "event", "account_event": "account_event", "webhook_endpoint": "webhook_endpoint",
	"webhook_delivery": "webhook_delivery", "webhook_try": "webhook_try", "credential": "credential", "saved_card": "saved_card",
	"met_customer": "met_customer", "card_order": "card_order", "invoice": "invoice", "idempotency": "idempotency",
	"browser_session": "browser_session", "unmatched_callback": "unmatched_callback", "limit_bucket": "limit_bucket",
}

// small are the indexes that hold only what is at hand, and may be read whole.
var small = []string{"event_unplaced", "account_event_unplaced", "webhook_endpoint_due", "webhook_endpoint_held",
	"session_needs_review", "session_held", "attempt_live_account"}

func reviews(needsReview, _ int, err error) (int, error) { return needsReview, err }

// statements collects the statements of stores, each text once, with the first parameters of the shop, or else the first.
type statements struct {
	mu  sync.Mutex
	all map[string][]any
}

var blanks = regexp.MustCompile(`\s+`)

func plain(query string) string { return strings.TrimSpace(blanks.ReplaceAllString(query, " ")) }

func (s *statements) hear(one sqlstore.Statement) {
	query := plain(one.SQL)
	if !regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|WITH) `).MatchString(query) || strings.Contains(query, "goose") || strings.Contains(query, "sqlite_master") ||
		strings.HasSuffix(query, ";") { // a migration's
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ofShop := func(args []any) bool { return slices.Contains(args, any("shop")) } // of whom there are rows: see fill
	if args, known := s.all[query]; !known || !ofShop(args) && ofShop(one.Args) {
		s.all[query] = one.Args
	}
}

// every runs what the package can do, on SQLite: the text is one for both engines.
func every(t *testing.T) map[string][]any {
	s := &statements{all: map[string][]any{}}
	options := func(t *testing.T) sqlstore.Options {
		o := sqlstore.Options{Dir: t.TempDir(), NoSync: true}
		o.Listen(s.hear)
		return o
	}
	storetest.Run(t, func(t *testing.T) storetest.Store { o := options(t); return reopenable{open(t, o), o} })
	shared := func(t *testing.T) sqlstore.Options { // as several processes use a database: leases are in it
		o := options(t)
		o.Shared = true
		return o
	}
	storetest.Run(t, func(t *testing.T) storetest.Store { o := shared(t); return reopenable{open(t, o), o} })
	webhooktest.Run(t, func(t *testing.T) webhooktest.Store { return webhooks(open(t, options(t))) })
	st := open(t, options(t))
	ctx := t.Context()
	ok := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	happen(t, st, webhooktest.Session{ID: "cs_1", Merchant: "shop"}, "x")
	event := webhook.EventID("cs_1", 1, "")
	for mask := range 1 << 6 {
		f := session.Filter{Merchant: "shop"}
		given := func(bit int, set func()) {
			if mask>>bit&1 > 0 {
				set()
			}
		}
		given(0, func() { f.Account = "acc" })
		given(1, func() { f.OrderID = "order" })
		given(2, func() { f.Status = session.StatusOpen })
		given(3, func() { f.Before = "cs_1" })
		given(4, func() { f.Since = noon })
		given(5, func() { f.Until = noon })
		ok(st.List(ctx, f))
	}
	ok(st.Webhooks().Waiting(ctx))
	yes := true
	for _, f := range []session.Filter{{}, {Account: "acc"}, {OrderID: "order"}, {Before: "cs_1"}, {Status: session.StatusOpen}, {Since: noon}} {
		f.Merchant, f.NeedsReview = "shop", &yes
		ok(st.List(ctx, f))
		f.NeedsReview, f.Held = nil, &yes
		ok(st.List(ctx, f))
	}
	ok(reviews(st.Reviews(ctx)))
	ok(st.LiveByAccount(ctx))
	rate := limit.Rate{N: 1, Per: time.Hour}
	ok(st.Limits().Take(ctx, "key", rate, noon))
	ok(st.Limits().Look(ctx, "key", rate, noon))
	ok(nil, st.Limits().Give(ctx, "key", rate, noon))
	ok(nil, st.Limits().Sweep(ctx))
	in := &invoice.Invoice{ID: "inv_1", Merchant: "shop", Account: "acc", Reference: "one"}
	ok(nil, st.AddInvoice(ctx, in, invoice.Change{}))
	for mask := range 1 << 4 {
		pick := func(bit int, v string) string { return map[bool]string{true: v}[mask>>bit&1 > 0] }
		ok(st.ListInvoices(ctx, invoice.Filter{
			Merchant: "shop", Account: pick(0, "acc"), Reference: pick(1, "one"), Status: invoice.Status(pick(2, "open")), Before: pick(3, "inv_1"),
		}))
		for _, state := range []string{"pending", "delivered", "given_up"} {
			ok(st.Webhooks().Deliveries(ctx, webhook.Filter{
				Merchant: "shop", Endpoint: pick(0, "e"), Event: pick(1, event), State: webhook.State(pick(2, state)), Before: pick(3, "wd_1"),
			}))
		}
	}
	ok(st.History(ctx, "shop", 0, 10))
	ok(st.EventsAfter(ctx, "shop", event, 10))
	ok(st.LatestEvent(ctx, "shop"))
	st.Exec(t, `UPDATE event SET merchant = NULL`)
	ok(st.Webhooks().Own(ctx, 10))
	ok(nil, st.Settle())
	for range 2 { // no event waits, one does
		ok(st.Webhooks().Feed(ctx, noon, 100))
		ok(st.Webhooks().Wanted(ctx))
		happen(t, st, webhooktest.Session{ID: "cs_w", Merchant: "shop"}, "x")
	}
	ok(st.Webhooks().Wanted(ctx))
	delete(s.all, `UPDATE event SET merchant = NULL`)
	ok(st.Backlog(ctx))
	ok(nil, st.RunNow(ctx, noon, noon, "k"))
	ok(nil, st.Health(ctx))
	ok(st.Tag(ctx, "shop"))
	ok(nil, st.Revoke(ctx, "hash", noon))
	ok(st.Revoked(ctx, "hash"))
	b := st.Browser()
	ok(nil, b.CommitCtx(ctx, "token", []byte{}, noon))
	st.Depart()
	ok(nil, b.DeleteCtx(ctx, "token"))
	ok(nil, b.Sweep(ctx))
	_, _, err := b.FindCtx(ctx, "token")
	ok(nil, err)
	book := st.Idempotency()
	entry := merchant.Entry{Merchant: "shop", Key: "k", Token: "t", LeaseUntil: noon, Until: noon.Add(time.Hour)}
	for range 2 {
		ok(book.Insert(ctx, entry, noon))
	}
	_, _, err = book.TakeOver(ctx, entry, "t")
	ok(nil, err)
	claimed := session.Change{Claim: &session.Claim{Merchant: "shop", Key: "k", Token: "t"}}
	ok(nil, st.Create(ctx, &session.Session{ID: "cs_2", Merchant: "shop", Account: "acc", OrderID: "2"}, claimed))
	ok(nil, book.Answer(ctx, entry, merchant.Answer{}))
	ok(nil, book.Release(ctx, entry))
	before := sqlstore.Front{ID: "front-1", Seals: "a", Opens: []string{"a", "b"}}
	ok(nil, st.Join(ctx, before, nil))
	ok(st.Beat(ctx, before.ID))
	ok(nil, st.Leave(ctx, before.ID))
	after := sqlstore.Front{ID: "front-2", Seals: "b", Opens: []string{"b"}}
	ok(nil, st.Join(ctx, after, func(context.Context, []string) (map[string]int, error) { return nil, nil }))
	ok(nil, st.Clean(ctx, "a"))
	ok(st.Agree(ctx, "name", "value"))
	ok(st.Agreed(ctx, "name"))
	ok(nil, st.Replace(ctx, "name", "other"))
	ok(st.Memory(ctx))
	ok(nil, st.AddUnmatched(ctx, session.Unmatched{Account: "acc", Reference: "one", LastAt: noon}, nil))
	ok(st.Unmatched(ctx, "acc", "one"))
	ok(nil, st.UnmatchedAsked(ctx, "acc", "one", noon))
	ok(st.UnmatchedCallbacks(ctx, "acc", noon, noon, 10))
	if _, err := st.EventsAfter(ctx, "shop", "evt_cs_1_7-lost", 10); !errors.Is(err, &session.EventLost{}) {
		t.Fatal(err)
	}
	ok(nil, st.DeclareRestored(ctx, noon, noon))
	unheard := open(t, sqlstore.Options{Dir: t.TempDir(), NoSync: true}) // what is sealed is looked for in whole tables
	sealedAnswer(t, st)
	sealedAnswer(t, unheard)
	ok(nil, unheard.EachSealed(ctx, nil, func(one sqlstore.Sealed) error { _, err := st.Reseal(ctx, one, "fresh"); return err }))
	return s.all
}

// literals are the beginnings of all statements that stand in the package, but for those that look at the schema itself.
func literals(t *testing.T) (found []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") || f.Name() == "examine.go" || f.Name() == "schema.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			text, _, _ = strings.Cut(plain(text), "%")
			if regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|WITH) .`).MatchString(text) && !regexp.MustCompile(`pg_notify|set_config`).MatchString(text) {
				found = append(found, strings.TrimSpace(text))
			}
			return true
		})
	}
	return found
}

// fill puts as many sessions, with what belongs to them, into a store, each with an address of its own: one of twenty is the
// shop's, all others are of a big merchant's.
func fill(t testing.TB, st *sqlstore.Store, sessions int) {
	t.Helper()
	const from = ` WITH RECURSIVE seq (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM seq WHERE i < $1) SELECT `
	const id, owner = `'f' || CAST(i AS TEXT)`, `CASE WHEN i % 20 = 0 THEN 'shop' ELSE 'big' END`
	micros := strconv.FormatInt(noon.UnixMicro(), 10) + ` + i * 1000000`
	for _, statement := range []string{
		`INSERT INTO session (id, version, merchant, account, order_id, claims_order, order_disputed, status, created_at, expires_at, body)` + from + id + `, 1, ` + owner +
			`, CASE WHEN i % 3 = 0 THEN 'acc-2' ELSE 'acc' END, 'order-' || CAST(i AS TEXT), i % 2 = 0, FALSE, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'expired' END, ` +
			micros + `, ` + micros + `, '{"id":"f' || CAST(i AS TEXT) || '","merchant":"shop","account":"acc","order_id":"order"}' FROM seq`,
		`INSERT INTO attempt (session, n, state, live, account, order_id, reference, body)` + from + id +
			`, 1, 'paid', FALSE, 'acc', 'order-' || CAST(i AS TEXT), 'order-' || CAST(i AS TEXT) || '-1', '{"n":1,"state":"paid"}' FROM seq`,
		`INSERT INTO run (token, session, attempt, n)` + from + `'t' || CAST(i AS TEXT), ` + id + `, 1, 1 FROM seq`,
		`INSERT INTO gateway_call (session, attempt, kind, round, version, sent_at, answered_at, result)` + from + id + `, 1, 'pay', 1, 1, 1, 1, '' FROM seq`,
		`INSERT INTO event (session, n, type, at, data, pos, merchant)` + from + id + `, 1, 'session.created', ` + micros + `, '', i, ` + owner + ` FROM seq`,
		`INSERT INTO event (session, n, type, at, data, pos, merchant)` + from + id + `, 2, 'payment.paid', ` + micros + `, '', i + 100000000, ` + owner + ` FROM seq`,
		`INSERT INTO account_event (merchant, subject, n, type, at, data, pos)` + from + owner + `, ` + id + `, 1, 'x', 1, '', i + 200000000 FROM seq`,
		`INSERT INTO webhook_endpoint (id, num, merchant, url, session_url, enabled, description, events, created_at, updated_at, deleted_at, failures,
			failing_since, failing, last_seq, last_event, due_at, holder, held_until, claims)` + from + id + `, i, ` + owner + `, 'https://shop.example/' || CAST(i AS TEXT),
			TRUE, TRUE, '', '[]', ` + micros + `, ` + micros + `, 0, 0, 0, FALSE, 1, 0, 0, '', 0, 0 FROM seq`,
		`INSERT INTO webhook_delivery (id, num, endpoint, seq, merchant, event, session, n, type, body, state, resend, tries, created_at, ended_at)` + from + id + `, i, ` + id +
			`, 1, ` + owner + `, 'evt_f' || CAST(i AS TEXT) || '_1', ` + id + `, 1, 'session.created', '', 'delivered', FALSE, 1, ` + micros + `, ` + micros + ` FROM seq`,
		`INSERT INTO webhook_try (delivery, n, body)` + from + id + `, 1, '{}' FROM seq`,
		`INSERT INTO credential (account, customer, sealed, expires_at)` + from + `'acc', ` + id + `, '', 1 FROM seq`,
		`INSERT INTO met_customer (merchant, account, customer)` + from + owner + `, 'acc', ` + id + ` FROM seq`,
		`INSERT INTO saved_card (id, merchant, account, customer, gateway_id, brand, first6, last4, expiry, name, series_id, created_at)` + from + id + `, ` + owner +
			`, 'acc', ` + id + `, ` + id + `, '', '', '', '', '', '', 1 FROM seq`,
		`INSERT INTO card_order (account, reference, merchant, customer, kind, card, created_at)` + from + `'acc', ` + id + `, ` + owner + `, ` + id + `, '', '', 1 FROM seq`,
		`INSERT INTO invoice (id, version, merchant, account, reference, status, created_at, body)` + from + id + `, 1, ` + owner + `, CASE WHEN i % 3 = 0 THEN 'acc-2' ELSE 'acc' END, ` + id + `, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'open' END, ` + micros + `, '{}' FROM seq`,
		`INSERT INTO idempotency (merchant, key, token, salt, print, lease_until, expires_at, session, operation, status, content_type, location, body)` + from + owner + `, ` + id +
			`, '', '', '', 0, ` + micros + `, '', 0, 201, '', '', '' FROM seq`,
		`INSERT INTO unmatched_callback (account, reference, gateway_order, event, times, first_at, last_at, asked_at)` + from + `'acc', ` + id + `, '', '', 1, ` +
			micros + `, 1, 0 FROM seq`,
		`INSERT INTO limit_bucket (key, back)` + from + id + `, ` + micros + ` + i FROM seq`,
		`INSERT INTO browser_session (token, data, expires_at)` + from + id + `, '', ` + micros + ` + 100000000000000 FROM seq`,
	} {
		st.Exec(t, statement, sessions)
	}
	st.Exec(t, `UPDATE event_place SET last = 300000000`)
	st.Exec(t, `UPDATE webhook_feed SET pos = 300000000`)
}

func TestNoStatementReadsAGrowingTableWhole(t *testing.T) {
	t.Parallel()
	all := every(t)
	for _, text := range literals(t) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(q string) bool { return strings.Contains(q, text) }) {
			t.Errorf("no test came by %s", text)
		}
	}
	t.Run("and none crosses merchants", func(t *testing.T) { crossesNoMerchants(t, all) })
	t.Run("none is planned anew each time it runs", func(t *testing.T) {
		for query := range all {
			if alone.MatchString(query) {
				t.Error(query)
			}
		}
	})
	read := func(t *testing.T, st *sqlstore.Store, o sqlstore.Options, settings ...string) {
		t.Helper()
		conn, err := st.DB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, s := range settings {
			if _, err := conn.ExecContext(t.Context(), "SET "+s); err != nil {
				t.Fatal(err)
			}
		}
		for _, asHeard := range slices.Sorted(maps.Keys(all)) {
			var text string
			var bad []string
			query, args := asHeard, all[asHeard]
			if o.URL != "" {
				query = strings.ReplaceAll(query, sqlstore.SQLiteHistory, sqlstore.PostgreSQLHistory)
			}
			switch {
			case o.URL != "" && strings.Contains(query, "total_changes()"): // which only SQLite has, and is asked
			case o.URL == "":
				text, bad = sqlitePlan(t, conn, query, args)
			case slices.Contains(settings, generic): // the plan that a connection keeps, whatever the parameters
				if _, err := conn.ExecContext(t.Context(), "PREPARE p AS "+query); err != nil {
					t.Fatal(query, err)
				}
				with := "(" + strings.TrimPrefix(strings.Repeat(", NULL", len(args)), ", ") + ")"
				if with == "()" {
					with = ""
				}
				text, bad = postgresPlan(t, conn, query, "EXECUTE p"+with)
				if _, err := conn.ExecContext(t.Context(), "DEALLOCATE p"); err != nil {
					t.Fatal(err)
				}
			default:
				text, bad = postgresPlan(t, conn, query, query, args...)
			}
			for _, what := range bad {
				t.Errorf("%s\n%s\n%s", what, query, text)
			}
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		o := sqlstore.Options{Dir: t.TempDir(), NoSync: true}
		st := open(t, o)
		t.Run("new", func(t *testing.T) { read(t, st, o) })
		fill(t, st, 5000)
		t.Run("filled", func(t *testing.T) { read(t, st, o) })
		st.Exec(t, "ANALYZE")
		t.Run("analyzed", func(t *testing.T) { read(t, st, o) })
	})
	t.Run("SQLite analyzed when it was new", func(t *testing.T) {
		o := sqlstore.Options{Dir: t.TempDir(), NoSync: true}
		st := open(t, o)
		st.Exec(t, "ANALYZE")
		read(t, st, o)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		o := sqlstore.Options{URL: pgtest.Start(t)}
		st := open(t, o)
		fill(t, st, 10_000)
		t.Run("filled", func(t *testing.T) { read(t, st, o) })
		st.Exec(t, "ANALYZE")
		t.Run("analyzed", func(t *testing.T) { read(t, st, o) })
		t.Run("for all parameters", func(t *testing.T) { read(t, st, o, generic) })
	})
}

// alone is a parameter that is the whole of a LIMIT. SQLite looks at it when it plans, and plans a prepared statement anew each time
// that another is bound: what is prepared once has a sum there.
var alone = regexp.MustCompile(`(LIMIT|OFFSET) (\$\d+|\?)( *$|\)| [^+ ])`)

// generic has PostgreSQL plan without a look at the parameters.
const generic = "plan_cache_mode = force_generic_plan"

// narrow is a search of sessions by account or status without the order id.
var narrow = regexp.MustCompile(`^merchant=\? AND (account|status)=\?( AND (status|created_at).*)?$`)

var sqliteStep = regexp.MustCompile(`^(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+)| USING INTEGER PRIMARY KEY)?(?: \((.*)\))?`)

func sqlitePlan(t *testing.T, conn *sql.Conn, query string, args []any) (text string, bad []string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		text += "  " + detail + "\n"
		step := sqliteStep.FindStringSubmatch(detail)
		if step == nil || growing[step[2]] == "" || slices.Contains(small, step[3]) {
			continue
		}
		if step[1] == "SCAN" {
			bad = append(bad, "reads all of "+growing[step[2]])
		} else if growing[step[2]] == "session" && narrow.MatchString(step[4]) && strings.Contains(query, "order_id = ") {
			bad = append(bad, "reads sessions of other orders")
		} else if wide(query, step[4] == "merchant=?", growing[step[2]]) {
			bad = append(bad, "reads all of a merchant's "+growing[step[2]])
		}
	}
	return text, bad
}

// wide tells whether a search by merchant alone reads more than a page: a list without a filter, in the order of its index,
// is a page.
func wide(query string, byMerchant bool, table string) bool {
	if !byMerchant || !slices.Contains([]string{"session", "event", "invoice", "webhook_delivery"}, table) {
		return false
	}
	if !strings.Contains(query, "state <> 'delivered'") { // what is delivered is nearly everything
		query = strings.ReplaceAll(query, " state = ", " ")
	}
	return regexp.MustCompile(`(order_id|account|status|reference|state|endpoint|event) (=|IN) `).MatchString(query) || !strings.Contains(query, "LIMIT")
}

func postgresPlan(t *testing.T, conn *sql.Conn, query, run string, args ...any) (text string, bad []string) {
	t.Helper()
	var raw []byte
	if err := conn.QueryRowContext(t.Context(), "EXPLAIN (FORMAT JSON) "+run, args...).Scan(&raw); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	type node struct {
		Type     string `json:"Node Type"`
		Relation string `json:"Relation Name"`
		Index    string `json:"Index Name"`
		Cond     string `json:"Index Cond"`
		Filter   string
		Plans    []json.RawMessage
	}
	var walk func(raw json.RawMessage, depth int, table string)
	walk = func(raw json.RawMessage, depth int, table string) {
		var n node
		if err := json.Unmarshal(raw, &n); err != nil {
			t.Fatal(err)
		}
		if n.Relation != "" {
			table = n.Relation
		}
		text += fmt.Sprintf("%s%s %s %s %s | %s\n", strings.Repeat("  ", depth+1), n.Type, n.Relation, n.Index, n.Cond, n.Filter)
		indexed := strings.Contains(n.Type, "Index") && n.Index != ""
		if table != "" && growing[table] == table && !slices.Contains(small, n.Index) {
			switch {
			case n.Index == "webhook_delivery_num_key" && run != query: // of two merchants every second row is the one's
			case n.Type == "Seq Scan", indexed && n.Cond == "":
				bad = append(bad, "reads all of "+table)
			case indexed && wide(query, regexp.MustCompile(`^\(merchant = [^)]*\)$`).MatchString(n.Cond), table):
				bad = append(bad, "reads all of a merchant's "+table)
			}
		}
		for _, p := range n.Plans {
			walk(p, depth+1, table)
		}
	}
	var top []struct{ Plan json.RawMessage }
	if err := json.Unmarshal(raw, &top); err != nil {
		t.Fatal(err)
	}
	walk(top[0].Plan, 0, "")
	return text, bad
}
