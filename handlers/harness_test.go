package handlers_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"tollgate/handlers"
	"tollgate/internal/account"
	"tollgate/internal/clock"
	"tollgate/internal/i18n"
	invoices "tollgate/internal/invoice"
	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/security"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/browser"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// gateway is a provider that says what a test wants and counts what moves money.
type gateway struct {
	check   func()
	refunds atomic.Int64
	holds   sync.Map // reference to the providers.Op that ended the hold
}

func (g *gateway) Check(providers.Payment) error {
	if g.check != nil {
		g.check()
	}
	return nil
}

func (g *gateway) Register(_ context.Context, p providers.Payment) (providers.Ref, error) {
	return p.Ref, nil
}

func (g *gateway) Pay(_ context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	return providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}, nil
}

func (g *gateway) Resume(_ context.Context, p providers.Payment, _ providers.Answer) (providers.Step, error) {
	return providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}, nil
}

func (g *gateway) Status(_ context.Context, p providers.Payment) (providers.Standing, error) {
	return providers.Standing{Outcome: providers.Paid, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount, Captured: p.Amount.Minor}, nil
}

func (g *gateway) Kinds() []providers.OpLimits {
	return []providers.OpLimits{{Kind: providers.Refund, Partial: true}}
}

func (g *gateway) Do(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	g.refunds.Add(1)
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

func (g *gateway) Inquire(context.Context, providers.Payment, providers.Op) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpSucceeded}, nil
}

// Keys of the two merchants, and of one that may do less.
const (
	shopKey  = "sk_test_shop_00000000000000000"
	otherKey = "sk_test_other_0000000000000000"
	spareKey = "sk_test_spare_000000000000000000"
)

// theShop is the merchant that tests ask for, where nothing else is said beside one who shares its account.
var theShop = merchant.Merchant{
	ID: "shop", Name: "Shop", Keys: []merchant.Key{{Hash: merchant.HashKey(shopKey)}, {Hash: merchant.HashKey(spareKey)}}, Accounts: []string{"acc"},
}

// machine is a front over a store, with everything a test may reach into.
type machine struct {
	*echo.Echo
	t       *testing.T
	clock   *clock.Clock
	store   *sqlstore.Store
	gateway *gateway
	flow    *flow.Flow
	bills   *invoices.Service
	key     string
	judged  func(operation, int) // hears of every call that the contract describes

	options     handlers.Options
	keys        *browser.Keys
	limits      *limit.Limiter
	browserRows atomic.Int64 // how often a browser session was stored
}

// sealing is shared by all machines, as the file of sealing keys is.
var sealing = sync.OnceValue(func() []byte {
	key := make([]byte, browser.KeySize)
	rand.Read(key)
	return key
})

// counting is the store of browser sessions; it counts what is stored.
type counting struct {
	scs.CtxStore
	n *atomic.Int64
}

func (c counting) CommitCtx(ctx context.Context, token string, data []byte, until time.Time) error {
	c.n.Add(1)
	return c.CtxStore.CommitCtx(ctx, token, data, until)
}

type tune struct {
	violated  func(directive, page string)
	store     func(flow.Store) flow.Store
	book      func(merchant.Book) merchant.Book
	provider  func(*gateway) providers.Provider
	merchants []merchant.Merchant
	log       *slog.Logger
	streams   int
	limits    *limit.Settings // nil: the usual ones
	baseURL   string          // "": https://pay.example
	security  io.Writer       // hears the security log
	stopping  <-chan struct{}
	brake     handlers.Brake
	mail      handlers.MailSender
	observe   func(route, method string, code int, took time.Duration)
}

func boot(t *testing.T, clock *clock.Clock, where sqlstore.Options, with tune) *machine {
	t.Helper()
	hub := &flow.Hub{}
	where.Now, where.OnSession = clock.Now, hub.Changed
	st, err := sqlitetest.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := browser.NewKeys(sealing())
	if err != nil {
		t.Fatal(err)
	}
	texts, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	log := with.log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &machine{t: t, clock: clock, store: st, gateway: &gateway{}, key: shopKey}
	var store flow.Store = st
	if with.store != nil {
		store = with.store(st)
	}
	book := st.Idempotency()
	if with.book != nil {
		book = with.book(book)
	}
	var provider providers.Provider = m.gateway
	if with.provider != nil {
		provider = with.provider(m.gateway)
	}
	if with.merchants == nil {
		with.merchants = []merchant.Merchant{
			theShop,
			{ID: "other", Name: "Other", Keys: []merchant.Key{{Hash: merchant.HashKey(otherKey)}}, Accounts: []string{"acc"}},
		}
	}
	accounts := account.Accounts{"acc": account.Open(account.Settings{
		Name: "acc", Gateway: "fake", Provider: provider, Now: clock.Now, CardCalls: 1000,
	})}
	token := func() (string, error) { return flow.NewToken(rand.Reader) }
	cards := wallet.New(wallet.Options{Customers: st, Accounts: accounts, Sealer: keys, Now: clock.Now, Token: token, Log: log})
	bills := invoices.New(invoices.Options{Store: st, Accounts: accounts, Now: clock.Now, BaseURL: "https://pay.example", Token: token, Log: log})
	m.bills = bills
	m.flow = flow.New(flow.Options{
		Store: store, Bills: bills, Wallet: cards, Accounts: accounts, Sealer: keys, Hub: hub, Now: clock.Now, BaseURL: "https://pay.example", Log: log,
	})
	var kept *security.Log
	if with.security != nil {
		kept = security.New(with.security, "one", clock.Now, nil)
	}
	m.limits = limit.New(limit.Options{
		Buckets: limit.NewMemory(0), Print: keys.Fingerprint, Now: clock.Now, Rand: rand.Reader, Log: log,
		Settings: func(string) limit.Settings {
			if with.limits != nil {
				return *with.limits
			}
			return limit.Usual()
		},
	})
	m.keys, m.options = keys, handlers.Options{
		Limits: m.limits, Security: kept,
		Flow: m.flow, Store: store, Customers: st, Wallet: cards, Merchants: merchant.NewDirectory(with.merchants...), Tags: st, Revocations: st, Idempotency: book, History: st,
		Invoices: bills, Books: flow.BooksOf(m.flow),
		Browsers: browser.New(counting{st.Browser(), &m.browserRows}, keys, true, clock.Now, rand.Reader, log), Texts: texts, Now: clock.Now, Rand: rand.Reader,
		Webhooks: webhook.New(webhook.Options{
			Store: st.Webhooks(), Sealer: keys, Types: session.EventTypes(), Now: clock.Now, Log: log,
			Guard: &webhook.Guard{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no names here") }},
		}),
		BaseURL: cmp.Or(with.baseURL, "https://pay.example"), Ready: st.Health, Log: log, Observe: with.observe, Violated: with.violated, Away: sqlstore.Unavailable, MaxStreams: with.streams, Stopping: with.stopping, Brake: with.brake,
		Mail: with.mail,
	}
	m.Echo = handlers.New(m.options)
	t.Cleanup(m.stop)
	return m
}

// stop ends the machine as a crash would leave it: what is stored stays.
func (m *machine) stop() {
	ctx, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	m.flow.Close(ctx)
	if err := m.store.Close(); err != nil {
		m.t.Error(err)
	}
}

type reply struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// call sends a request; headers come in pairs.
func (m *machine) call(method, path, body string, headers ...string) reply {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+m.key)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return reply{w, m.t}
}

// field reads a string member of a JSON answer.
func (r reply) field(name string) string {
	r.t.Helper()
	var all map[string]any
	if err := json.Unmarshal(r.Body.Bytes(), &all); err != nil {
		r.t.Fatalf("%d %s: %v", r.Code, r.Body, err)
	}
	s, _ := all[name].(string)
	return s
}

// list reads the items of a page.
func (r reply) list() []map[string]any {
	r.t.Helper()
	var page struct{ Data []map[string]any }
	if err := json.Unmarshal(r.Body.Bytes(), &page); err != nil || r.Code != http.StatusOK {
		r.t.Fatalf("%d %s: %v", r.Code, r.Body, err)
	}
	return page.Data
}

// faults reads what a problem says of fields: pointer and detail.
func (r reply) faults() (told [][2]string) {
	r.t.Helper()
	var problem struct {
		Errors []struct{ Pointer, Detail string }
	}
	if err := json.Unmarshal(r.Body.Bytes(), &problem); err != nil {
		r.t.Fatalf("%d %s: %v", r.Code, r.Body, err)
	}
	for _, e := range problem.Errors {
		told = append(told, [2]string{e.Pointer, e.Detail})
	}
	return told
}

func (r reply) is(code int, problem string) {
	r.t.Helper()
	if r.Code != code {
		r.t.Fatalf("answer %d, want %d: %s", r.Code, code, r.Body)
	}
	if problem != "" && r.field("type") != "urn:tollgate:problem:"+problem {
		r.t.Fatalf("problem %s, want %s", r.field("type"), problem)
	}
}

func (r reply) same(other reply) {
	r.t.Helper()
	for _, h := range []string{"Content-Type", "Location"} {
		if r.Header().Get(h) != other.Header().Get(h) {
			r.t.Errorf("%s: %q and %q", h, r.Header().Get(h), other.Header().Get(h))
		}
	}
	if r.Code != other.Code || !bytes.Equal(r.Body.Bytes(), other.Body.Bytes()) {
		r.t.Errorf("answers differ: %d %s\nand %d %s", r.Code, r.Body, other.Code, other.Body)
	}
}

func order(id string) string {
	return `{"account":"acc","amount":1500,"currency":"KZT","order_id":"` + id + `","success_url":"https://shop.example/ok","cancel_url":"https://shop.example/no"}`
}

// sessions counts what the merchant has.
func (m *machine) sessions() int {
	m.t.Helper()
	all, err := m.store.List(m.t.Context(), session.Filter{Merchant: "shop", Limit: 100})
	if err != nil {
		m.t.Fatal(err)
	}
	return len(all)
}

// paid makes a session that was paid.
func (m *machine) paid(id string) string {
	m.t.Helper()
	kzt, err := money.ParseCurrency("KZT")
	if err != nil {
		m.t.Fatal(err)
	}
	now := m.clock.Now()
	s := &session.Session{
		ID: "cs_" + id, Merchant: "shop", Account: "acc", Kind: "payment", OrderID: id, Amount: money.Amount{Minor: 1500, Currency: kzt}, Method: "card",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Attempts: []*session.Attempt{{N: 1, State: session.Paid, Ref: providers.Ref{Reference: id + "-1"}, Instrument: "card", Captured: 1500, CreatedAt: now}},
	}
	if err := m.store.Create(m.t.Context(), s, session.Change{}); err != nil {
		m.t.Fatal(err)
	}
	return s.ID
}

// scenario runs a test on both engines. Machines of one scenario share the store: on SQLite, which one process uses at a
// time, a second machine is the first one started again.
func scenario(t *testing.T, test func(t *testing.T, at sqlstore.Options, many bool)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqlstore.Options{Dir: t.TempDir()}, false) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, sqlstore.Options{URL: postgres(t)}, true) })
}

var _ http.Handler = (*machine)(nil)
