package flow_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/clock"
	"tollgate/internal/money"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/threeds"
)

// order is what the fake gateway really has of a reference.
type order struct {
	charges int               // how often money was taken
	outcome providers.Outcome // while no money was taken
	asked   *providers.Step   // what it asked of the browser last
	next    *providers.Step   // what it repeats in a Standing
	lastTry *providers.Decline
	working bool           // though it says otherwise
	sent    map[string]int // calls that can move money, by what they were
}

// gateway is a fake provider with a truth of its own. Without a script it registers, takes the money, and tells the truth.
type gateway struct {
	mu       sync.Mutex
	orders   map[string]*order
	asked    []time.Time // inquiries
	answers  []providers.Answer
	now      func() time.Time
	amount   money.Amount // what a Standing speaks of; zero: what was asked
	register func() error
	taken    map[string]error // what a registration of that number answers
	pay      func(ctx context.Context, p providers.Payment, o *order) (providers.Step, error)
	resume   func(ctx context.Context, p providers.Payment, a providers.Answer, o *order) (providers.Step, error)
	status   func(ctx context.Context, p providers.Payment, o *order) (providers.Standing, error)
}

var errCut = errors.New("connection reset by peer")

func (g *gateway) order(reference string) *order {
	if g.orders[reference] == nil {
		g.orders[reference] = &order{outcome: providers.Waiting, sent: map[string]int{}}
	}
	return g.orders[reference]
}

func (g *gateway) Check(providers.Payment) error { return nil }

func (g *gateway) Register(_ context.Context, p providers.Payment) (providers.Ref, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.taken[p.Ref.Reference]; err != nil {
		return providers.Ref{}, err
	}
	if g.register != nil {
		if err := g.register(); err != nil {
			return providers.Ref{}, err
		}
	}
	return providers.Ref{Reference: p.Ref.Reference, OrderID: "g-" + p.Ref.Reference}, nil
}

func (g *gateway) Pay(ctx context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	g.mu.Lock()
	o := g.order(p.Ref.Reference)
	o.sent["pay"]++
	script := g.pay
	g.mu.Unlock()
	if script != nil {
		return script(ctx, p, o)
	}
	return g.take(p, o), nil
}

func (g *gateway) Resume(ctx context.Context, p providers.Payment, a providers.Answer) (providers.Step, error) {
	g.mu.Lock()
	o := g.order(p.Ref.Reference)
	o.sent[string(a.Kind)+" "+a.CompInd+a.CRes]++
	g.answers = append(g.answers, a)
	script := g.resume
	g.mu.Unlock()
	if script != nil {
		return script(ctx, p, a, o)
	}
	return g.take(p, o), nil
}

// take moves the money, as real gateways do: once.
func (g *gateway) take(p providers.Payment, o *order) providers.Step {
	g.mu.Lock()
	defer g.mu.Unlock()
	o.charges++
	return said(providers.Finished, p)
}

func (g *gateway) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	g.mu.Lock()
	g.asked = append(g.asked, g.now())
	o, known := g.orders[p.Ref.Reference]
	script := g.status
	g.mu.Unlock()
	if script != nil {
		return script(ctx, p, o)
	}
	if !known {
		return providers.Standing{Outcome: providers.NotFound, Ref: p.Ref}, nil
	}
	return g.truth(p, o), nil
}

// truth is the honest answer to an inquiry.
func (g *gateway) truth(p providers.Payment, o *order) providers.Standing {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := providers.Standing{Outcome: o.outcome, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount, Next: o.next, LastTry: o.lastTry}
	if g.amount.Currency.Code != "" {
		st.Amount = g.amount
	}
	if o.charges > 0 {
		st.Outcome, st.Held, st.Captured, st.Next, st.LastTry = providers.Paid, st.Amount.Minor, st.Amount.Minor, nil, nil
	}
	return st
}

func (g *gateway) Notified(r *http.Request) (providers.Notice, error) {
	if r.Header.Get("Signature") != "good" {
		return providers.Notice{}, providers.ErrForged
	}
	return providers.Notice{Reference: r.URL.Query().Get("order"), OrderID: "g-" + r.URL.Query().Get("order")}, nil
}

// closer is a gateway that can make an order unpayable.
type closer struct {
	*gateway
	close func(o *order) error // nil: does it
}

func (g closer) Close(_ context.Context, p providers.Payment) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.order(p.Ref.Reference)
	if g.close != nil {
		return g.close(o)
	}
	if o.charges == 0 {
		o.outcome, o.next = providers.Closed, nil
	}
	return nil
}

func said(kind providers.Kind, p providers.Payment) providers.Step {
	return providers.Step{V: providers.StepVersion, Kind: kind, Ref: p.Ref}
}

// The ids of the fake's authentications.
const (
	trans1 = "11111111-1111-4111-8111-111111111111"
	trans2 = "22222222-2222-4222-8222-222222222222"
	acs    = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
)

func challenge(p providers.Payment, trans string) providers.Step {
	s := said(providers.Challenge, p)
	s.Forms = []threeds.Form{threeds.ChallengeForm("https://bank.example/challenge", "creq-"+trans, p.Run.SessionData)}
	s.ThreeDS = threeds.IDs{ThreeDSServerTransID: trans, ACSTransID: acs, MessageVersion: "2.2.0"}
	return s
}

func method(p providers.Payment, trans string) providers.Step {
	s := said(providers.Method, p)
	s.Forms = []threeds.Form{threeds.MethodForm("https://bank.example/method", "data")}
	s.ThreeDS = threeds.IDs{ThreeDSServerTransID: trans}
	return s
}

// cres is what a browser brings from the challenge.
func cres(trans string) threeds.Reply {
	raw := fmt.Sprintf(`{"messageType":"CRes","messageVersion":"2.2.0","threeDSServerTransID":%q,"acsTransID":%q,"transStatus":"Y"}`, trans, acs)
	return threeds.Reply{Method: "POST", CRes: base64.RawURLEncoding.EncodeToString([]byte(raw))}
}

// erro is what a browser brings where the bank will not go on with a challenge.
func erro(trans string) threeds.Reply {
	raw := fmt.Sprintf(`{"messageType":"Erro","messageVersion":"2.2.0","errorCode":"103","errorComponent":"A","errorDescription":"no","errorDetail":"no","errorMessageType":"CReq","threeDSServerTransID":%q,"acsTransID":%q}`, trans, acs)
	return threeds.Reply{Method: "POST", Erro: base64.RawURLEncoding.EncodeToString([]byte(raw))}
}

// plainSeal stands in for the sealing keys: it binds a value to its name and hides nothing.
type plainSeal struct{}

func (plainSeal) Seal(name string, v []byte) (string, error) {
	return name + "." + base64.RawURLEncoding.EncodeToString(v), nil
}

func (plainSeal) Fingerprint(v []byte) string { return fmt.Sprintf("%x", sha256.Sum256(v)) }

func (plainSeal) Unseal(name, sealed string) ([]byte, error) {
	raw, ok := strings.CutPrefix(sealed, name+".")
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return base64.RawURLEncoding.DecodeString(raw)
}

// house is a Flow on a real store, whose time stands still unless it is moved and whose jobs run one by one, each at its
// time. It can die at any labelled place and go on as a new process would.
type house struct {
	t      checker
	store  *sqlstore.Store
	gw     *gateway
	acc    account.Settings
	id     string   // of the session
	dir    string   // of the database
	alone  bool     // no other process uses the store
	doubt  bool     // the store is asked what it may have forgotten
	owners []string // merchants of the account
	gone   bool     // the session's account is not configured any more
	coin   string   // the session's currency; "": KZT
	queued bool     // what the browser brings goes out by its job

	level     slog.Level
	lived     func(account, event string)
	committed time.Time // of the last commit before a restart whose clock is another
	log       bytes.Buffer

	machine *clock.Clock // of the process, where its machine's time is not the house's
	skew    time.Duration
	follows bool // the house's time, in place of its machine's

	mu     sync.Mutex
	time   time.Time
	flow   *flow.Flow
	places map[string]int
	passed *sync.Cond
	dieAt  string
	died   bool // the present process
	watch  func(place string)
}

// checker is what *testing.T and *rapid.T share.
type checker interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

const shop = "shop-account"

// newHouse opens a store and one session of 1234.50 on the fake gateway.
func newHouse(t *testing.T, tune ...func(*house)) *house {
	t.Helper()
	var h *house
	dir := t.TempDir()
	st, err := sqlitetest.Open(t.Context(), sqlstore.Options{
		Dir: dir, Now: func() time.Time { return h.now() }, OnSession: func(id string) { h.changed(id) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	tune = append([]func(*house){func(made *house) { h = made; h.dir = dir }}, tune...)
	return houseOn(t, st, "order", tune...)
}

// snapshot copies the database as it is now; the process goes on.
func (h *house) snapshot(t *testing.T) (copied string) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "copy.db")
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "tollgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `VACUUM INTO ?`, copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// forget puts the tables of the copy in the place of the present ones, under the running process.
func (h *house) forget(t *testing.T, copied string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "tollgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`ATTACH '` + copied + `' AS old`, `PRAGMA busy_timeout = 5000`, `BEGIN IMMEDIATE`,
		`DELETE FROM gateway_call`, `DELETE FROM job`, `DELETE FROM event`,
		`REPLACE INTO session SELECT * FROM old.session`, `REPLACE INTO attempt SELECT * FROM old.attempt`,
		`INSERT INTO gateway_call SELECT * FROM old.gateway_call`, `INSERT INTO job SELECT * FROM old.job`,
		`INSERT INTO event SELECT * FROM old.event`, `COMMIT`,
	} {
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// restore ends the process, puts the copy in the database's place and starts anew: all that was committed since the copy
// was made is lost, as after a failover to a standby that had not seen it.
func (h *house) restore(t *testing.T, copied string) {
	t.Helper()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(h.dir, "tollgate.db")
	for _, old := range []string{file + "-wal", file + "-shm"} {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if h.store, err = sqlitetest.Open(t.Context(), sqlstore.Options{Dir: h.dir, Now: h.now, OnSession: h.changed}); err != nil {
		t.Fatal(err)
	}
	h.restart()
}

func houseOn(t checker, st *sqlstore.Store, orderID string, tune ...func(*house)) *house {
	t.Helper()
	h := &house{t: t, store: st, time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), places: map[string]int{}}
	h.passed = sync.NewCond(&h.mu)
	h.gw = &gateway{orders: map[string]*order{}, now: h.now}
	h.acc = account.Settings{Name: shop, Gateway: "fake", Provider: h.gw}
	for _, f := range tune {
		f(h)
	}
	h.start()
	currency, err := money.ParseCurrency(cmp.Or(h.coin, "KZT"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	s := &session.Session{
		Merchant: "demo", Account: shop, Kind: "payment", OrderID: orderID, Amount: money.Amount{Minor: 123450, Currency: currency}, Method: "card",
		SuccessURL: "https://shop.example/ok", CancelURL: "https://shop.example/no", CreatedAt: h.now(), ExpiresAt: h.now().Add(30 * time.Minute),
	}
	if err := h.flow.Create(context.Background(), s); err != nil {
		t.Fatalf("%v", err)
	}
	h.id = s.ID
	return h
}

// byItsJob leaves what the browser brings to its job, as where the database may have forgotten something.
func byItsJob(h *house) { h.queued = true }

func withCloser(h *house) { h.acc.Provider = closer{gateway: h.gw} }

// changed wakes who waits for a session in the present process.
func (h *house) changed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flow.Hub.Changed(id)
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.time
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// start is a new process over the same store.
func (h *house) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.died, h.dieAt = false, ""
	dead := new(bool)
	log := slog.New(slog.NewTextHandler(lockedWriter{&h.mu, &h.log}, &slog.HandlerOptions{Level: h.level}))
	h.acc.Now, h.acc.Log = h.now, log
	accounts := account.Accounts{shop: account.Open(h.acc)}
	if h.gone {
		accounts = account.Accounts{"other": account.Open(h.acc)}
	}
	var memory func(context.Context) (session.Memory, error)
	if h.doubt {
		memory = h.store.Memory
	}
	now, sure := h.now, func(context.Context) error { return nil }
	if skew := h.skew; skew != 0 {
		h.machine = clock.Of(func() time.Time { return h.now().Add(skew) })
		now = h.machine.Now
		sure = func(ctx context.Context) error {
			if !h.follows || h.machine.Sure() && h.machine.Following() {
				return nil
			}
			return h.machine.Follow(ctx, func(context.Context) (time.Time, error) { return h.now(), nil })
		}
	}
	h.flow = flow.New(flow.Options{
		Sure:  sure,
		Lived: h.lived, Memory: memory, Owners: func(context.Context, string, string) ([]string, error) { return h.owners, nil }, Store: h.store, Accounts: accounts, Sealer: plainSeal{}, Now: now, BaseURL: "https://pay.example", Alone: h.alone, Queued: h.queued, Log: log,
		Wallet: wallet.New(wallet.Options{
			Customers: h.store, Accounts: accounts, Sealer: plainSeal{}, Now: h.now, Log: log,
			Token: func() (string, error) { return flow.NewToken(rand.Reader) },
		}),
		At: func(place string) {
			h.mu.Lock()
			h.places[place]++
			if !*dead && h.dieAt == place {
				*dead, h.died = true, true
			}
			gone, watch := *dead, h.watch
			h.passed.Broadcast()
			h.mu.Unlock()
			if watch != nil {
				watch(place)
			}
			if gone {
				runtime.Goexit() // nothing of a dead process goes on
			}
		},
	})
}

// restart is kill -9 between two instructions, and the next start, which frees the leases of the dead.
func (h *house) restart() {
	h.t.Helper()
	if err := h.store.FreeAll(context.Background()); err != nil {
		h.t.Fatalf("%v", err)
	}
	if now := h.now(); h.alone {
		kinds, by := session.DueAtStart(now, h.committed)
		if err := h.store.RunNow(context.Background(), now, by, kinds...); err != nil {
			h.t.Fatalf("%v", err)
		}
	}
	h.start()
}

func (h *house) dieNext(place string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dieAt = place
}

func (h *house) count(place string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places[place]
}

// await waits until the process has passed one of the places more often than before, or is dead. A timer bounds it.
func (h *house) await(before int, places ...string) {
	h.t.Helper()
	late := false
	timer := time.AfterFunc(10*time.Second, func() {
		h.mu.Lock()
		late = true
		h.passed.Broadcast()
		h.mu.Unlock()
	})
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		n := 0
		for _, p := range places {
			n += h.places[p]
		}
		if n > before || h.died {
			return
		}
		if late {
			h.t.Fatalf("none of %v was passed", places)
		}
		h.passed.Wait()
	}
}

var theCard = func() card.Card {
	n, err := card.ParseNumber("4000019900020704")
	if err != nil {
		panic(err)
	}
	code, err := card.ParseCode("123")
	if err != nil {
		panic(err)
	}
	return card.Card{Number: n, Month: 12, Year: 2030, Code: code, Name: "TEST SHOPPER"}
}()

// submit pays with the card and returns when the gateway's answer is stored, or the process died.
func (h *house) submit() {
	h.t.Helper()
	before := h.count("pay.stored") + h.count("register.stored")
	h.submitOnly()
	h.await(before, "pay.stored", "register.stored")
}

// submitOnly pays and leaves the call under way. A process that dies before the call even leaves dies here.
func (h *house) submitOnly() {
	h.t.Helper()
	err := h.do(func() error {
		return h.flow.Submit(context.Background(), h.id, flow.Submission{Card: theCard, IP: "192.0.2.1"})
	})
	if err != nil {
		h.t.Fatalf("submit: %v", err)
	}
}

// do runs f where a dying process takes only this call with it.
func (h *house) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// returned and notified are posts from the bank. Where one of them goes out at once, they wait until its answer is stored.
func (h *house) returned(token string, in threeds.Reply) (flow.Page, error) {
	return h.arrives(func() (flow.Page, error) { return h.flow.Returned(context.Background(), token, in) })
}

func (h *house) notified(token string) (flow.Page, error) {
	return h.arrives(func() (flow.Page, error) {
		return h.flow.Notified(context.Background(), token, threeds.Reply{Method: "POST"})
	})
}

func (h *house) arrives(post func() (flow.Page, error)) (page flow.Page, err error) {
	permitted, stored := h.calls(), h.count("resume.stored")
	err = h.do(func() (e error) { page, e = post(); return e })
	if h.calls() > permitted && err == nil {
		h.await(stored, "resume.stored")
	}
	return page, err
}

// calls counts the permissions in the call book.
func (h *house) calls() int {
	n := 0
	for _, a := range h.session().Attempts {
		n += len(a.Calls)
	}
	return n
}

func (h *house) callback(reference, signature string) error {
	r, err := http.NewRequest(http.MethodGet, "https://pay.example/callbacks/"+shop+"?order="+reference, nil)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	r.Header.Set("Signature", signature)
	return h.do(func() error { return h.flow.Callback(context.Background(), shop, r) })
}

// next runs the job that is due first, if one is due by the limit, at its time.
func (h *house) next(limit time.Time) bool {
	h.t.Helper()
	ctx := context.Background()
	claimed, err := h.store.Claim(ctx, "hand", limit, time.Second, 1)
	if err != nil {
		h.t.Fatalf("claim: %v", err)
	}
	if len(claimed) == 0 {
		return false
	}
	j := claimed[0]
	h.mu.Lock()
	if j.RunAt.After(h.time) {
		h.time = j.RunAt
	}
	h.mu.Unlock()
	err = h.do(func() error { return h.flow.Jobs()[j.Kind](ctx, j) })
	h.mu.Lock()
	died := h.died
	h.mu.Unlock()
	switch {
	case died:
		return true // its lease is freed by the next start
	case err != nil:
		err = h.store.Retry(ctx, j, h.now().Add(time.Second))
	default:
		err = h.store.Done(ctx, j)
	}
	if err != nil {
		h.t.Fatalf("settling a job: %v", err)
	}
	return true
}

// forward moves the clock, and runs each job on the way at its time.
func (h *house) forward(d time.Duration) {
	h.t.Helper()
	until := h.now().Add(d)
	for n := 0; h.next(until); n++ {
		h.mu.Lock()
		died := h.died
		h.mu.Unlock()
		if died {
			h.restart()
		}
		if n > 5000 {
			h.t.Fatalf("5000 jobs within %s: somebody asks in a circle", d)
		}
	}
	h.mu.Lock()
	h.time = until
	h.mu.Unlock()
}

func (h *house) session() *session.Session {
	h.t.Helper()
	s, err := h.store.Load(context.Background(), h.id)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	return s
}

func (h *house) last() *session.Attempt {
	h.t.Helper()
	a := h.session().Last()
	if a == nil {
		h.t.Fatalf("there is no attempt")
	}
	return a
}

func (h *house) token() string { return h.last().Run().Token }

// is fails unless the newest attempt is in that state.
func (h *house) is(want session.State) *session.Attempt {
	h.t.Helper()
	a := h.last()
	if a.State != want {
		h.t.Fatalf("attempt %d is %s, want %s; events %v", a.N, a.State, want, h.events())
	}
	return a
}

// events are the types of the session's events, whose numbers are checked.
func (h *house) events() []string {
	h.t.Helper()
	found, err := h.store.Events(context.Background(), h.id, 0, 1000)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	var types []string
	for i, e := range found {
		if e.N != i+1 {
			h.t.Fatalf("event %d has number %d", i+1, e.N)
		}
		types = append(types, string(e.Type))
	}
	return types
}

func (h *house) told(kind string) int {
	h.t.Helper()
	n := 0
	for _, e := range h.events() {
		if e == kind {
			n++
		}
	}
	return n
}

// charges is the gateway's truth over all attempts.
func (h *house) charges() int {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	n := 0
	for _, o := range h.gw.orders {
		n += o.charges
	}
	return n
}

// sent is how often a call that can move money reached the gateway.
func (h *house) sent(reference, call string) int {
	h.gw.mu.Lock()
	defer h.gw.mu.Unlock()
	if o := h.gw.orders[reference]; o != nil { // looking must not make the order known
		return o.sent[call]
	}
	return 0
}
