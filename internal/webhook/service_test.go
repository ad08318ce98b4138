package webhook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tollgate/internal/jobs"
	"tollgate/internal/sqlstore"
	"tollgate/internal/sqlstore/sqlitetest"
	"tollgate/internal/webhook"
	"tollgate/session"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// clock is moved by tests alone.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time  { return time.UnixMicro(c.at.Load()).UTC() }
func (c *clock) Set(t time.Time) { c.at.Store(t.UnixMicro()) }

// sealer keeps secrets as they are, bound to their name.
type sealer struct{}

func (sealer) Seal(name string, v []byte) (string, error) {
	return name + "|" + base64.StdEncoding.EncodeToString(v), nil
}

func (sealer) Unseal(name, sealed string) ([]byte, error) {
	body, ok := strings.CutPrefix(sealed, name+"|")
	if !ok {
		return nil, errors.New("sealed for another")
	}
	return base64.StdEncoding.DecodeString(body)
}

// house is a running Service over a store of its own.
type house struct {
	t     testing.TB
	dir   string
	clock *clock
	db    *sqlstore.Store
	*webhook.Service
	news chan struct{} // something was recorded
	held atomic.Int64  // queues in hand
	stop func()
}

// told passes on to whoever waits that a try was stored or a queue let go, and knows how many queues are in hand.
type told struct {
	*sqlstore.Webhooks
	news chan struct{}
	held *atomic.Int64
}

func (s told) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s told) Record(ctx context.Context, job jobs.Job, id string, try webhook.Try, now time.Time) error {
	defer s.tell()
	return s.Webhooks.Record(ctx, job, id, try, now)
}

func (s told) Claim(ctx context.Context, worker string, now time.Time, lease time.Duration, n int) ([]jobs.Job, error) {
	js, err := s.Webhooks.Claim(ctx, worker, now, lease, n)
	s.held.Add(int64(len(js)))
	return js, err
}

func (s told) Done(ctx context.Context, job jobs.Job) error {
	defer s.tell()
	err := s.Webhooks.Done(ctx, job)
	s.held.Add(-1)
	return err
}

func newHouse(t testing.TB) *house {
	h := &house{t: t, dir: t.TempDir(), clock: &clock{}, news: make(chan struct{}, 1)}
	h.clock.Set(noon)
	h.open()
	t.Cleanup(func() { h.close() })
	return h
}

func (h *house) open() {
	h.t.Helper()
	db, err := sqlitetest.Open(context.Background(), sqlstore.Options{Dir: h.dir, Now: h.clock.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	h.db = db
	h.Service = webhook.New(webhook.Options{
		Store: told{db.Webhooks(), h.news, &h.held}, Sealer: sealer{}, Types: session.EventTypes(), Guard: &webhook.Guard{Sandbox: true}, Now: h.clock.Now,
	})
	h.stop = func() {}
}

func (h *house) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
}

func (h *house) close() {
	h.stop()
	if err := h.db.Close(); err != nil {
		h.t.Error(err)
	}
}

// happen writes events of a session, each in the transaction of a change.
func (h *house) happen(id, merchant, url string, types ...string) {
	h.t.Helper()
	ctx := context.Background()
	s, err := h.db.Load(ctx, id)
	if errors.Is(err, session.ErrNotFound) {
		s = &session.Session{ID: id, Merchant: merchant, Account: "acc", OrderID: id, WebhookURL: url, CreatedAt: h.clock.Now()}
		err = h.db.Create(ctx, s, session.Change{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	for _, kind := range types {
		s.LastEvent++
		e := session.Event{N: s.LastEvent, Type: session.EventType(kind), At: h.clock.Now(), Data: json.RawMessage(`{"status":"paid","amount":12345}`)}
		if err := h.db.Save(ctx, s, session.Change{Events: []session.Event{e}}); err != nil {
			h.t.Fatal(err)
		}
	}
	h.Wake()
}

func (h *house) create(merchant, url string) webhook.Shown {
	h.t.Helper()
	shown, err := h.Create(context.Background(), merchant, webhook.NewEndpoint{URL: url})
	if err != nil {
		h.t.Fatal(err)
	}
	return shown
}

// until waits for cond, looking again whenever a try was stored.
func (h *house) until(what string, cond func() bool) {
	h.t.Helper()
	limit := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-h.news:
		case <-limit:
			h.t.Fatalf("%s did not come", what)
		}
	}
}

// receiver is a merchant's server.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	status atomic.Int64
}

type message struct {
	http.Header
	body []byte
}

func (m message) id() string { return m.Get("webhook-id") }

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.status.Store(200)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.got = append(r.got, message{req.Header, body})
		r.mu.Unlock()
		w.WriteHeader(int(r.status.Load()))
		fmt.Fprint(w, "seen")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

var randomEnd = regexp.MustCompile(`-[a-z2-7]{8}$`)

// plainID is an event's id without the random end that an event of an endpoint has; what stands before it may have hyphens.
func plainID(id string) string {
	if m := randomEnd.FindStringIndex(id); m != nil {
		return id[:m[0]]
	}
	return id
}

func (r *receiver) ids() []string {
	var ids []string
	for _, m := range r.messages() {
		ids = append(ids, plainID(m.id()))
	}
	return ids
}

func verifies(t testing.TB, secret string, m message) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return w.Verify(m.body, m.Header)
}

func TestAnEventArrivesSignedAndItsTryCanBeRead(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	e := h.create("shop", r.URL+"/hook")
	h.run()
	h.happen("cs_1", "shop", "", "session.created", "payment.paid")
	h.until("both events", func() bool { return len(r.messages()) == 2 })
	m := r.messages()[1]
	if err := verifies(t, e.Secret.Reveal(), m); err != nil {
		t.Error(err)
	}
	if want := `{"id":"evt_cs_1_2","type":"payment.paid","created_at":"2026-03-04T12:00:00.000000Z","session":"cs_1","n":2,"data":{"status":"paid","amount":12345}}`; string(m.body) != want || m.id() != "evt_cs_1_2" {
		t.Errorf("got %s, want %s", m.body, want)
	}
	m.body[len(m.body)-3]++
	if err := verifies(t, e.Secret.Reveal(), m); !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
		t.Errorf("of a changed body: %v", err)
	}
	var found []webhook.Delivery
	h.until("the record", func() bool {
		var err error
		if found, err = h.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", State: webhook.Delivered}); err != nil {
			t.Fatal(err)
		}
		return len(found) == 2
	})
	_, tries, err := h.Delivery(t.Context(), "shop", found[0].ID)
	if err != nil || len(tries) != 1 {
		t.Fatal(tries, err)
	}
	if tr := tries[0]; tr.Status != 200 || tr.Answer != "seen" || tr.URL != r.URL+"/hook" || tr.RequestHeaders["webhook-id"] != "evt_cs_1_2" || tr.RequestHeaders["webhook-signature"] == "" || !tr.At.Equal(noon) {
		t.Errorf("%+v", tr)
	}
}

func TestASessionsOwnAddressIsSignedWithTheMerchantsDefaultSecret(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	first, secret, err := h.RotateDefault(t.Context(), "shop", webhook.Rotation{})
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	h.run()
	h.happen("cs_1", "shop", r.URL, "a")
	h.happen("cs_2", "rival", r.URL, "a") // whose secret is made when it is needed
	h.until("both", func() bool { return len(r.messages()) == 2 })
	for _, m := range r.messages() {
		if err := verifies(t, secret.Reveal(), m); (err == nil) != (m.id() == "evt_cs_1_1") {
			t.Errorf("%s: %v", m.id(), err)
		}
	}
	keys, err := h.DefaultKeys(t.Context(), "rival")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	// The rival learns a secret by rotating; with the overlap both sign.
	_, theirs, err := h.RotateDefault(t.Context(), "rival", webhook.Rotation{Overlap: time.Hour, Asymmetric: true})
	if err != nil {
		t.Fatal(err)
	}
	h.happen("cs_2", "rival", r.URL, "b")
	h.until("the third", func() bool { return len(r.messages()) == 3 })
	m := r.messages()[2]
	if err := verifies(t, theirs.Reveal(), m); err != nil {
		t.Error(err)
	}
	if s := m.Get("webhook-signature"); strings.Count(s, "v1,") != 2 || strings.Count(s, "v1a,") != 1 {
		t.Errorf("signed %s", s)
	}
}

func TestDuringARotationBothSecretsPass(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	e := h.create("shop", r.URL)
	next, err := h.Rotate(t.Context(), "shop", e.ID, webhook.Rotation{Overlap: time.Hour})
	if err != nil || len(next.Keys) != 2 || next.Secret.Reveal() == e.Secret.Reveal() {
		t.Fatalf("%v, %v", next, err)
	}
	h.run()
	send := func(n int) message {
		t.Helper()
		h.happen("cs_1", "shop", "", "x")
		h.until("the event", func() bool { return len(r.messages()) == n })
		return r.messages()[n-1]
	}
	m := send(1)
	for _, secret := range []string{e.Secret.Reveal(), next.Secret.Reveal()} {
		if err := verifies(t, secret, m); err != nil {
			t.Error(err)
		}
	}
	h.clock.Set(noon.Add(time.Hour))
	m = send(2)
	if err := verifies(t, e.Secret.Reveal(), m); err == nil {
		t.Error("the old secret passes after the overlap")
	}
	if err := verifies(t, next.Secret.Reveal(), m); err != nil {
		t.Error(err)
	}
	if shown, err := h.Read(t.Context(), "shop", e.ID); err != nil || len(shown.Keys) != 1 || shown.Secret.Reveal() != "" {
		t.Errorf("%+v, %v", shown, err)
	}
}

// T52: every event afterwards, in order, under one id; the alert was raised; the first at the first try after it is up.
func TestAnEndpointThatWasDownForADayGetsEverythingInOrder(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	ears := newReceiver(t)
	r.status.Store(503)
	e := h.create("shop", r.URL)
	if _, err := h.Create(t.Context(), "shop", webhook.NewEndpoint{URL: ears.URL, Events: []string{"webhook_endpoint.*"}}); err != nil {
		t.Fatal(err)
	}
	h.run()
	var want []string
	happen := func(n int) {
		for range n {
			h.clock.Set(h.clock.Now().Add(time.Microsecond))
			id := fmt.Sprintf("cs_%d", len(want)%3)
			h.happen(id, "shop", "", "x")
			want = append(want, fmt.Sprintf("evt_%s_%d", id, len(want)/3+1))
		}
	}
	happen(30)
	up := noon.Add(24 * time.Hour)
	tries := 0
	line := func() webhook.Shown {
		t.Helper()
		s, err := h.Read(t.Context(), "shop", e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for {
		tries++
		h.until("a failure", func() bool { return line().Failures == tries && h.held.Load() == 0 })
		next := line().NextTry
		if next.After(up) {
			h.clock.Set(up)
			r.status.Store(200)
			happen(10) // they do not overtake, and have the queue tried at once
			break
		}
		h.clock.Set(next)
		if tries == 13 {
			happen(20)
		}
		h.Wake()
	}
	h.Wake()
	alerts := []string{"evt_" + e.ID + "_1", "evt_" + e.ID + "_2"}
	want = slices.Insert(want, 30, alerts[0]) // the alert was written before the later events
	h.until("everything", func() bool { return len(r.messages()) >= tries+len(want)+1 && len(ears.messages()) == 2 })
	got := r.ids()
	if over := slices.Index(got, alerts[1]); over <= tries { // that it is over, when it was: among the last events
		t.Errorf("the end of the alert has place %d", over)
	} else {
		got = slices.Delete(got, over, over+1)
	}
	for _, id := range got[:tries] {
		if id != want[0] {
			t.Fatalf("while it was down %s was tried", id)
		}
	}
	if !slices.Equal(got[tries:], want) {
		t.Errorf("afterwards\n%v, want\n%v", got[tries:], want)
	}
	for _, m := range r.messages() {
		if err := verifies(t, e.Secret.Reveal(), m); err != nil {
			t.Errorf("%s: %v", m.id(), err)
		}
	}
	if !slices.Equal(ears.ids(), alerts) {
		t.Errorf("alerts %v", ears.ids())
	}
	t.Logf("%d tries while it was down, %d events afterwards", tries, len(want))
}

// A short outage costs little: with a new event all that waited comes at once, and without one within half a minute.
func TestAnEndpointThatIsUpAgainIsToldSoon(t *testing.T) {
	for name, news := range map[string]bool{"a new event": true, "nothing new": false} {
		t.Run(name, func(t *testing.T) {
			h, r := newHouse(t), newReceiver(t)
			r.status.Store(503)
			e := h.create("shop", r.URL)
			h.run()
			want := []string{"evt_cs_1_1", "evt_cs_1_2", "evt_cs_2_1"}
			h.happen("cs_1", "shop", "", "x", "y")
			h.happen("cs_2", "shop", "", "x")
			up := noon.Add(75 * time.Second)
			next := noon
			for tries := 1; !next.After(up); tries++ {
				h.clock.Set(next)
				h.Wake()
				h.until("a failure", func() bool {
					shown, err := h.Read(t.Context(), "shop", e.ID)
					if err != nil {
						t.Fatal(err)
					}
					next = shown.NextTry
					return shown.Failures == tries && h.held.Load() == 0
				})
			}
			before := len(r.messages())
			r.status.Store(200)
			if news {
				h.clock.Set(up.Add(400 * time.Millisecond))
				h.happen("cs_3", "shop", "", "x")
				want = append(want, "evt_cs_3_1")
			} else {
				h.clock.Set(up.Add(30 * time.Second))
				h.Wake()
			}
			h.until("everything", func() bool { return len(r.messages()) == before+len(want) })
			if got := r.ids()[before:]; !slices.Equal(got, want) {
				t.Errorf("afterwards %v, want %v", got, want)
			}
		})
	}
}

// T53 by counts: while one receiver holds its request, the others get everything.
func TestAHangingEndpointDelaysNoOther(t *testing.T) {
	h := newHouse(t)
	released, asked := make(chan struct{}), atomic.Int64{}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		select {
		case <-released:
		case <-req.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(released)
	h.create("shop", hanging.URL)
	same, other, named := newReceiver(t), newReceiver(t), newReceiver(t)
	h.create("shop", same.URL)
	h.create("other", other.URL)
	h.run()
	const events = 100
	for i := range events {
		h.happen(fmt.Sprint("cs_a", i%5), "shop", named.URL, "x")
		h.happen(fmt.Sprint("cs_b", i%5), "other", hanging.URL+"/named", "x")
	}
	h.until("all others", func() bool {
		return len(same.messages()) == events && len(other.messages()) == events && len(named.messages()) == events
	})
	if n := asked.Load(); n != 2 {
		t.Errorf("the hanging server was asked %d times, want once by each queue", n)
	}
	for _, r := range []*receiver{same, other, named} {
		last := map[string]int{}
		for _, m := range r.messages() {
			var e struct {
				Session string
				N       int
			}
			if err := json.Unmarshal(m.body, &e); err != nil || e.N != last[e.Session]+1 {
				t.Fatalf("%s after %d, %v", m.body, last[e.Session], err)
			}
			last[e.Session] = e.N
		}
	}
}

func TestARestartBetweenCommitAndSendLosesNothing(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	e := h.create("shop", r.URL)
	h.happen("cs_1", "shop", "", "written, not fed")
	h.close()
	h.open()
	h.happen("cs_1", "shop", "", "fed, not sent")
	if n, err := h.Store.Feed(t.Context(), h.clock.Now(), 10); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if js, err := h.Store.Claim(t.Context(), "killed", h.clock.Now(), time.Hour, 1); err != nil || len(js) != 1 {
		t.Fatal(js, err) // and died with the lease in hand
	}
	h.close()
	h.open()
	h.run()
	h.until("both", func() bool { return len(r.messages()) == 2 })
	if ids := r.ids(); !slices.Equal(ids, []string{"evt_cs_1_1", "evt_cs_1_2"}) {
		t.Errorf("arrived %v", ids)
	}
	if err := verifies(t, e.Secret.Reveal(), r.messages()[0]); err != nil {
		t.Error(err)
	}
}

func TestAProcessThatStopsLetsRequestsEndAndForgetsNone(t *testing.T) {
	h := newHouse(t)
	arrived, goOn := make(chan string, 10), make(chan struct{})
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		arrived <- req.Header.Get("webhook-id")
		<-goOn
	}))
	defer r.Close()
	h.create("shop", r.URL)
	h.run()
	h.happen("cs_1", "shop", "", "a", "b")
	if id := <-arrived; id != "evt_cs_1_1" {
		t.Fatal(id)
	}
	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	h.until("the stop to be noticed", func() bool {
		select {
		case h.news <- struct{}{}:
		default:
		}
		return h.Stopping()
	})
	close(goOn)
	<-stopped
	found, err := h.Deliveries(t.Context(), webhook.Filter{Merchant: "shop"})
	if err != nil || found[1].State != webhook.Delivered || found[0].State != webhook.Pending {
		t.Errorf("%+v, %v", found, err)
	}
	h.run()
	if id := <-arrived; id != "evt_cs_1_2" {
		t.Errorf("after the restart %s", id)
	}
}

func TestWhatAMerchantSaysOfAnEndpointIsChecked(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	for field, in := range map[string]webhook.NewEndpoint{
		"url":         {URL: "http://10.0.0.1/"},
		"description": {URL: "http://127.0.0.1/", Description: strings.Repeat("ж", 501)},
		"events":      {URL: "http://127.0.0.1/", Events: slices.Repeat([]string{"a"}, 51)},
		"events/1":    {URL: "http://127.0.0.1/", Events: []string{"payment.*", "Payment paid"}},
		"events/2":    {URL: "http://127.0.0.1/", Events: []string{"webhook_endpoint.failing", "payment.paid", "payment.payed"}},
		"secret":      {URL: "http://127.0.0.1/", Secret: "whsec_c2hvcnQ="},
	} {
		var fault *webhook.Fault
		if _, err := h.Create(ctx, "shop", in); !errors.As(err, &fault) || fault.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	e, err := h.Create(ctx, "shop", webhook.NewEndpoint{URL: "http://127.0.0.1/", Events: []string{"*", "payment.*", "session.created"}, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Disabled: true, Asymmetric: true})
	if err != nil || e.Enabled || len(e.Keys) != 2 || e.Secret.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Fatalf("%+v, %v", e, err)
	}
	bad, long := "http://169.254.169.254/", strings.Repeat("x", 501)
	for field, u := range map[string]webhook.Update{"url": {URL: &bad}, "description": {Description: &long}, "events/0": {Events: &[]string{""}}} {
		var fault *webhook.Fault
		if _, err := h.Change(ctx, "shop", e.ID, u); !errors.As(err, &fault) || fault.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var fault *webhook.Fault
	if _, err := h.Rotate(ctx, "shop", e.ID, webhook.Rotation{Overlap: webhook.MaxOverlap + 1}); !errors.As(err, &fault) || fault.Field != "overlap_seconds" {
		t.Error(err)
	}
	if _, err := h.Rotate(ctx, "rival", e.ID, webhook.Rotation{}); !errors.Is(err, webhook.ErrNotFound) {
		t.Error(err)
	}
	if _, err := h.ResendRange(ctx, "shop", e.ID, noon, noon); !errors.As(err, &fault) || fault.Field != "to" {
		t.Error(err)
	}
}

// A request that died before its answer was out runs again, with the same mark.
func TestARequestThatRunsAgainMakesNothingMoreAndShowsTheSameSecret(t *testing.T) {
	h := newHouse(t)
	in := webhook.NewEndpoint{URL: "http://127.0.0.1/", RequestID: "request 1"}
	first, err := h.Create(t.Context(), "shop", in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Create(t.Context(), "shop", in)
	if err != nil || again.ID != first.ID || again.Secret.Reveal() != first.Secret.Reveal() {
		t.Errorf("%+v, %v", again, err)
	}
	if other, err := h.Create(t.Context(), "rival", in); err != nil || other.ID == first.ID || other.Secret.Reveal() == first.Secret.Reveal() {
		t.Errorf("another merchant's with an equal mark: %+v, %v", other, err)
	}
	r := webhook.Rotation{Overlap: time.Hour, RequestID: "request 2"}
	rotated, err := h.Rotate(t.Context(), "shop", first.ID, r)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := h.Rotate(t.Context(), "shop", first.ID, r)
	if err != nil || twice.Secret.Reveal() != rotated.Secret.Reveal() || len(twice.Keys) != 2 || twice.Keys[0].RequestID != "request 1" {
		t.Errorf("%+v, %v", twice, err)
	}
}

// losable is a sealer whose key may be away.
type losable struct {
	sealer
	lost atomic.Bool
}

func (l *losable) Unseal(name, sealed string) ([]byte, error) {
	if l.lost.Load() {
		return nil, errors.New("not sealed by us")
	}
	return l.sealer.Unseal(name, sealed)
}

func TestAnEndpointWhoseSecretCannotBeReadIsFailingAtOnceLosesNothingAndLivesAgainWithTheKey(t *testing.T) {
	h, r := newHouse(t), newReceiver(t)
	keys, log := &losable{}, &strings.Builder{}
	h.Sealer, h.Log = keys, slog.New(slog.NewJSONHandler(log, nil))
	e := h.create("shop", r.URL)
	keys.lost.Store(true)
	h.run()
	h.happen("cs_1", "shop", "", "payment.paid")
	shown := func() webhook.Shown {
		shown, err := h.Read(t.Context(), "shop", e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return shown
	}
	h.until("the alert", func() bool { return shown().Failing })
	h.clock.Set(h.clock.Now().Add(40 * 24 * time.Hour)) // longer than a receiver's fault is waited for
	h.Wake()
	h.until("another try", func() bool { return shown().Failures > 1 })
	if got := r.messages(); len(got) > 0 {
		t.Fatalf("%d messages were sent, signed with what?", len(got))
	}
	keys.lost.Store(false)
	h.clock.Set(h.clock.Now().Add(time.Minute))
	h.Wake()
	h.until("what was missed, in its order", func() bool { return len(r.messages()) >= 3 }) // paid, failing, recovered
	if m := r.messages()[0]; m.id() != "evt_cs_1_1" || verifies(t, e.Secret.Reveal(), m) != nil {
		t.Errorf("the first is %s", m.id())
	}
	if shown().Failing {
		t.Error("still failing")
	}
	h.stop()
	if !strings.Contains(log.String(), `"level":"ERROR","msg":"a webhook cannot be signed`) || strings.Contains(log.String(), `"WARN","msg":"job failed"`) {
		t.Errorf("the log says: %s", log)
	}
}
