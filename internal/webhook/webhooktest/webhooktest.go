// Package webhooktest says how a webhook.Store must behave, whatever is underneath.
package webhooktest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/jobs"
	"tollgate/internal/webhook"
)

// Store is what the suite needs of a store.
type Store struct {
	webhook.Store
	// Happen writes events of these types into a session's history, made if it is not there, as a payment would.
	Happen func(t *testing.T, s Session, types ...string)
}

// Session is a session as far as webhooks care.
type Session struct{ ID, Merchant, WebhookURL string }

// Run runs the suite. open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"an event is delivered once to each endpoint that wants it":             eachEndpoint,
		"an event is fed once, whoever feeds":                                   fedOnce,
		"a queue has the order of the events":                                   inOrder,
		"a batch of events goes on where the last one ended":                    inBatches,
		"events before an endpoint was made are not its":                        notBefore,
		"a session's own address has a queue, one for each address":             sessionURL,
		"an address is not told twice of one event":                             notTwice,
		"one worker at a time has a queue":                                      oneHolder,
		"a worker whose lease was lost records nothing":                         fenced,
		"a queue given back is tried when it is due":                            givenBack,
		"all leases can be freed":                                               freed,
		"a failure makes all behind it wait, by the schedule":                   waits,
		"a new event has a queue that fails tried soon":                         probed,
		"an event that comes during a try that fails has it tried soon":         probedDuring,
		"the first tries and the newest are kept":                               triesBounded,
		"one failing endpoint does not hold up another":                         noHoldUp,
		"endpoints that fail are claimed last, and leave workers free":          failingLast,
		"twenty minutes of failures raise one alert, and the end of it another": alert,
		"an event is given up after thirty days":                                givenUp,
		"every try is kept":                                                     triesKept,
		"a disabled endpoint is passed by, and goes on where it stood":          disabled,
		"another address begins afresh":                                         otherAddress,
		"a deleted endpoint gets nothing more":                                  deleted,
		"a merchant has at most so many endpoints":                              tooMany,
		"keys are replaced by whoever read the newest":                          keys,
		"a delivery is sent again under its event's id":                         resend,
		"what waits is not sent again beside itself":                            resendWaiting,
		"a span of events is sent again in order":                               resendRange,
		"a cancelled delivery lets those behind it go":                          cancel,
		"nothing of another merchant can be seen or touched":                    tenants,
		"deliveries are listed newest first, filtered and paged":                lists,
		"what ended long ago is swept":                                          sweep,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const lease = 10 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error %v, want %v", got, want)
	}
}

func endpoint(t *testing.T, st Store, merchant, id string, events ...string) webhook.Endpoint {
	t.Helper()
	e := webhook.Endpoint{
		ID: id, Merchant: merchant, URL: "https://" + id + ".example/", Events: events, Enabled: true, CreatedAt: noon, UpdatedAt: noon,
	}
	must(t, st.CreateEndpoint(t.Context(), e, []webhook.Key{{Kind: webhook.HMAC, Sealed: "sealed", CreatedAt: noon}}))
	return e
}

func feed(t *testing.T, st Store) int {
	t.Helper()
	n, err := st.Feed(t.Context(), noon, 1000)
	must(t, err)
	return n
}

var randomEnd = regexp.MustCompile(`-[a-z2-7]{8}$`)

// queued lists the events waiting for an endpoint, first to be sent first.
func queued(t *testing.T, st Store, merchant, endpoint string) string {
	t.Helper()
	found, err := st.Deliveries(t.Context(), webhook.Filter{Merchant: merchant, Endpoint: endpoint, State: webhook.Pending})
	must(t, err)
	var ids []string
	for _, d := range slices.Backward(found) {
		id := strings.TrimPrefix(d.Event, "evt_")
		if m := randomEnd.FindStringIndex(id); m != nil { // that an event of an endpoint has
			id = id[:m[0]]
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func wantLine(t *testing.T, st Store, merchant, endpoint, want string) {
	t.Helper()
	if got := queued(t, st, merchant, endpoint); got != want {
		t.Fatalf("%s has waiting %q, want %q", endpoint, got, want)
	}
}

func claim(t *testing.T, st Store, worker string, now time.Time, n int) []jobs.Job {
	t.Helper()
	js, err := st.Claim(t.Context(), worker, now, lease, n)
	must(t, err)
	return js
}

func claimOne(t *testing.T, st Store, worker string, now time.Time) jobs.Job {
	t.Helper()
	js := claim(t, st, worker, now, 2)
	if len(js) != 1 || js[0].Worker != worker {
		t.Fatalf("claimed %+v, want one", js)
	}
	return js[0]
}

func wantNone(t *testing.T, st Store, now time.Time) {
	t.Helper()
	if js := claim(t, st, "nobody", now, 10); len(js) > 0 {
		t.Fatalf("claimed %+v, want none", js)
	}
}

// try sends the head of a queue, as far as the store knows, and lets the queue go.
func try(t *testing.T, st Store, now time.Time, status int) webhook.Delivery {
	t.Helper()
	j := claimOne(t, st, "w", now)
	d := record(t, st, j, now, status)
	must(t, st.Done(t.Context(), j))
	return d
}

func record(t *testing.T, st Store, j jobs.Job, now time.Time, status int) webhook.Delivery {
	t.Helper()
	d, e, err := st.Next(t.Context(), j, now)
	must(t, err)
	if d == nil || e.ID != j.Key || d.Endpoint != e.ID {
		t.Fatalf("head %+v of %+v", d, e)
	}
	must(t, st.Record(t.Context(), j, d.ID, webhook.Try{At: now, URL: e.URL, Status: status}, now))
	return *d
}

func eachEndpoint(t *testing.T, st Store) {
	endpoint(t, st, "shop", "all")
	endpoint(t, st, "shop", "payments", "payment.*")
	endpoint(t, st, "shop", "paid", "payment.paid", "session.created")
	endpoint(t, st, "rival", "theirs")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "session.created", "payment.started", "payment.paid")
	if n := feed(t, st); n != 3 {
		t.Errorf("fed %d events", n)
	}
	wantLine(t, st, "shop", "all", "s_1 s_2 s_3")
	wantLine(t, st, "shop", "payments", "s_2 s_3")
	wantLine(t, st, "shop", "paid", "s_1 s_3")
	wantLine(t, st, "rival", "theirs", "")
	found, err := st.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", Endpoint: "payments"})
	must(t, err)
	d := found[0]
	if d.Type != "payment.paid" || d.Session != "s" || d.N != 3 || d.State != webhook.Pending || d.Resend ||
		!d.CreatedAt.Equal(noon) ||
		!strings.HasPrefix(string(d.Body), `{"id":"evt_s_3","type":"payment.paid","created_at":"`) ||
		!strings.Contains(string(d.Body), `"session":"s","n":3,"data":{`) {
		t.Errorf("delivery %+v with body %s", d, d.Body)
	}
}

func fedOnce(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	var want []string
	for i := range 20 {
		st.Happen(t, Session{ID: fmt.Sprintf("s%02d", i), Merchant: "shop"}, "a", "b")
		want = append(want, fmt.Sprintf("s%02d_1 s%02d_2", i, i))
	}
	var wg sync.WaitGroup
	total, mu := 0, sync.Mutex{}
	for range 4 {
		wg.Go(func() {
			for {
				n, err := st.Feed(t.Context(), noon, 7)
				if err != nil {
					t.Error(err)
				}
				if n == 0 || err != nil {
					return
				}
				mu.Lock()
				total += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if total != 40 {
		t.Errorf("fed %d events, want 40", total)
	}
	wantLine(t, st, "shop", "e", strings.Join(want, " "))
	if n := feed(t, st); n != 0 {
		t.Errorf("%d events were fed again", n)
	}
}

func inOrder(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	b, a := Session{ID: "b", Merchant: "shop"}, Session{ID: "a", Merchant: "shop"}
	st.Happen(t, b, "x")
	feed(t, st)
	st.Happen(t, a, "x")
	feed(t, st)
	st.Happen(t, b, "x", "x")
	feed(t, st)
	wantLine(t, st, "shop", "e", "b_1 a_1 b_2 b_3")
	for _, want := range []string{"evt_b_1", "evt_a_1", "evt_b_2", "evt_b_3"} {
		if d := try(t, st, noon, 200); d.Event != want {
			t.Errorf("sent %s, want %s", d.Event, want)
		}
	}
	wantNone(t, st, noon.Add(time.Hour))
}

func inBatches(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "a", "b", "c", "d", "e")
	for _, want := range []int{2, 2, 1, 0} {
		if n, err := st.Feed(t.Context(), noon, 2); err != nil || n != want {
			t.Errorf("fed %d, %v; want %d", n, err, want)
		}
	}
	wantLine(t, st, "shop", "e", "s_1 s_2 s_3 s_4 s_5")
}

func notBefore(t *testing.T, st Store) {
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "old")
	feed(t, st)
	endpoint(t, st, "shop", "e")
	st.Happen(t, s, "new")
	feed(t, st)
	wantLine(t, st, "shop", "e", "s_2")
}

func sessionURL(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{"a", "shop", "https://a.example/"}, "x")
	st.Happen(t, Session{"b", "shop", "https://b.example/"}, "x")
	st.Happen(t, Session{"c", "shop", "https://a.example/"}, "x")
	st.Happen(t, Session{"d", "rival", "https://a.example/"}, "x")
	feed(t, st)
	st.Happen(t, Session{"a", "shop", "https://a.example/"}, "x")
	feed(t, st)
	wantLine(t, st, "shop", "e", "a_1 b_1 c_1 a_2")
	own, err := st.Endpoints(t.Context(), "shop", false)
	must(t, err)
	if len(own) != 1 || own[0].ID != "e" {
		t.Errorf("the merchant's own: %+v", own)
	}
	named, err := st.Endpoints(t.Context(), "shop", true)
	must(t, err)
	if len(named) != 2 {
		t.Fatalf("named by sessions: %+v", named)
	}
	queues := map[string]string{}
	for _, e := range named {
		queues[e.URL] = queued(t, st, "shop", e.ID)
		if !e.SessionURL || !e.Enabled || e.Signer() != webhook.DefaultSigner("shop") {
			t.Errorf("%+v", e)
		}
	}
	if queues["https://a.example/"] != "a_1 c_1 a_2" || queues["https://b.example/"] != "b_1" {
		t.Errorf("queues %v", queues)
	}
}

func notTwice(t *testing.T, st Store) {
	e := endpoint(t, st, "shop", "e", "x")
	st.Happen(t, Session{"s", "shop", e.URL}, "x", "y")
	feed(t, st)
	wantLine(t, st, "shop", "e", "s_1")
	named, err := st.Endpoints(t.Context(), "shop", true)
	must(t, err)
	if len(named) != 1 {
		t.Fatalf("%+v", named)
	}
	wantLine(t, st, "shop", named[0].ID, "s_2") // which the endpoint does not want
}

func oneHolder(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	wantNone(t, st, noon) // nothing to send
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "y")
	feed(t, st)
	j := claimOne(t, st, "w1", noon)
	if j.Key != "e" || j.Kind != webhook.JobKind {
		t.Errorf("claimed %+v", j)
	}
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "z")
	feed(t, st)
	wantNone(t, st, noon.Add(lease)) // the lease ends after this moment
	must(t, st.Extend(t.Context(), "w1", noon.Add(lease), lease))
	must(t, st.Extend(t.Context(), "w2", noon.Add(time.Hour), lease))
	wantNone(t, st, noon.Add(2*lease))
	claimOne(t, st, "w2", noon.Add(2*lease+time.Microsecond))
}

func fenced(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x")
	feed(t, st)
	first := claimOne(t, st, "w", noon)
	d, _, err := st.Next(t.Context(), first, noon)
	must(t, err)
	later := noon.Add(lease + time.Second)
	second := claimOne(t, st, "w", later) // of the same name: the claim counts
	if _, _, err := st.Next(t.Context(), first, later); !errors.Is(err, webhook.ErrLost) {
		t.Errorf("head for who lost it: %v", err)
	}
	wantErr(t, st.Record(t.Context(), first, d.ID, webhook.Try{Status: 200}, later), webhook.ErrLost)
	must(t, st.Done(t.Context(), first))
	must(t, st.Retry(t.Context(), first, later.Add(time.Hour)))
	wantNone(t, st, later)
	if got := record(t, st, second, later, 200); got.ID != d.ID || got.Tries != 0 {
		t.Errorf("head %+v", got)
	}
	wantErr(t, st.Record(t.Context(), second, "wd_unknown", webhook.Try{Status: 200}, later), webhook.ErrLost)
}

func givenBack(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "y")
	feed(t, st)
	must(t, st.Done(t.Context(), claimOne(t, st, "w", noon))) // nothing was done: still due
	j := claimOne(t, st, "w", noon)
	must(t, st.Retry(t.Context(), j, noon.Add(time.Minute)))
	wantNone(t, st, noon.Add(time.Minute-time.Microsecond))
	j = claimOne(t, st, "w", noon.Add(time.Minute))
	record(t, st, j, noon.Add(time.Minute), 500)
	must(t, st.Retry(t.Context(), j, noon.Add(time.Minute))) // no earlier than its retry
	wantNone(t, st, noon.Add(time.Minute+4*time.Second))
	must(t, st.Enqueue(t.Context(), jobs.Job{Key: "e", RunAt: noon.Add(2 * time.Minute)}, jobs.Job{Key: "unknown", RunAt: noon}))
	wantNone(t, st, noon.Add(time.Minute+time.Second*59))
	claimOne(t, st, "w", noon.Add(2*time.Minute))
}

func freed(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x")
	feed(t, st)
	claimOne(t, st, "killed", noon)
	wantNone(t, st, noon)
	must(t, st.FreeAll(t.Context()))
	claimOne(t, st, "next", noon)
}

func waits(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "y")
	feed(t, st)
	now := noon
	for i, wait := range []time.Duration{
		5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 100 * time.Minute, 3 * time.Hour,
		6 * time.Hour, 12 * time.Hour, 12 * time.Hour,
	} {
		if d := try(t, st, now, 503); d.Event != "evt_s_1" || d.Tries != i {
			t.Fatalf("tried %+v", d)
		}
		wantNone(t, st, now.Add(wait-time.Microsecond))
		now = now.Add(wait)
	}
	wantLine(t, st, "shop", "e", "s_1 s_2")
	try(t, st, now, 204)
	if d := try(t, st, now, 200); d.Event != "evt_s_2" { // at once
		t.Errorf("then %+v", d)
	}
	e, err := st.Endpoint(t.Context(), "shop", "e")
	must(t, err)
	if e.Failures != 0 || e.Failing || !e.FailingSince.IsZero() || !e.NextTry.IsZero() {
		t.Errorf("%+v", e)
	}
}

func feedAt(t *testing.T, st Store, now time.Time) {
	t.Helper()
	_, err := st.Feed(t.Context(), now, 1000)
	must(t, err)
}

func probed(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e", "x", "y")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x")
	feed(t, st)
	fail := func(after time.Duration) webhook.Endpoint {
		t.Helper()
		if d := try(t, st, noon.Add(after), 500); d.Event != "evt_s_1" {
			t.Errorf("tried %+v", d)
		}
		e, err := st.Endpoint(t.Context(), "shop", "e")
		must(t, err)
		return e
	}
	news := func(after time.Duration) {
		t.Helper()
		st.Happen(t, s, "y")
		feedAt(t, st, noon.Add(after))
	}
	fail(0)
	news(time.Second)
	wantNone(t, st, noon.Add(4*time.Second)) // the schedule was sooner
	for _, at := range []int{5, 15, 30, 60, 90, 120, 180, 300} {
		fail(time.Duration(at) * time.Second)
	}
	news(304 * time.Second) // at most once in ten seconds
	wantNone(t, st, noon.Add(310*time.Second-time.Microsecond))
	fail(310 * time.Second)
	wantNone(t, st, noon.Add(330*time.Second)) // nothing new: the schedule again
	news(350 * time.Second)                    // at once
	if e := fail(350 * time.Second); !e.NextTry.Equal(noon.Add(10 * time.Minute)) {
		t.Errorf("the tries in between moved the schedule to %v", e.NextTry)
	}
	fail(10 * time.Minute)
	fail(20 * time.Minute)
	fail(40 * time.Minute)
	news(59 * time.Minute)
	fail(59 * time.Minute)
	fail(80 * time.Minute)
	news(80*time.Minute + time.Second) // after an hour once in a minute
	wantNone(t, st, noon.Add(81*time.Minute-time.Microsecond))
	if d := try(t, st, noon.Add(81*time.Minute), 200); d.Event != "evt_s_1" {
		t.Errorf("tried %+v", d)
	}
	for n := range 5 { // and all that waited, in order, at once
		if d := try(t, st, noon.Add(81*time.Minute), 200); d.N != n+2 {
			t.Errorf("then %+v", d)
		}
	}
}

func probedDuring(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x")
	feed(t, st)
	var now time.Time
	for _, at := range []int{0, 5, 15, 30, 60, 90, 120, 180} {
		now = noon.Add(time.Duration(at) * time.Second)
		try(t, st, now, 500)
	}
	now = noon.Add(5 * time.Minute)
	j := claimOne(t, st, "w", now)
	d, _, err := st.Next(t.Context(), j, now)
	must(t, err)
	st.Happen(t, s, "y")
	feedAt(t, st, now.Add(time.Second))
	wantNone(t, st, now.Add(2*time.Second)) // it is in hand
	must(t, st.Record(t.Context(), j, d.ID, webhook.Try{At: now}, now.Add(5*time.Second)))
	must(t, st.Done(t.Context(), j))
	wantNone(t, st, now.Add(15*time.Second-time.Microsecond))
	try(t, st, now.Add(15*time.Second), 200)
}

func triesBounded(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x")
	feed(t, st)
	id := ""
	for i := range webhook.KeepTries + 20 {
		now := noon.Add(time.Duration(i) * 10 * time.Second)
		if i > 0 {
			st.Happen(t, s, "y")
			feedAt(t, st, now)
		}
		for _, j := range claim(t, st, "w", now, 1) {
			id = record(t, st, j, now, 500).ID
			must(t, st.Done(t.Context(), j))
		}
	}
	d, tries, err := st.Delivery(t.Context(), "shop", id)
	must(t, err)
	if d.Tries <= webhook.KeepTries || len(tries) != webhook.KeepTries || tries[webhook.KeepFirst-1].N != webhook.KeepFirst ||
		tries[len(tries)-1].N != d.Tries || tries[webhook.KeepFirst].N != d.Tries-webhook.KeepTries+webhook.KeepFirst+1 {
		t.Errorf("of %d tries %d are kept: %d … %d", d.Tries, len(tries), tries[0].N, tries[len(tries)-1].N)
	}
}

func noHoldUp(t *testing.T, st Store) {
	endpoint(t, st, "shop", "slow", "x")
	endpoint(t, st, "shop", "quick", "x")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x", "x", "x")
	feed(t, st)
	js := claim(t, st, "w", noon, 10)
	if len(js) != 2 {
		t.Fatalf("claimed %+v", js)
	}
	for _, j := range js {
		if j.Key == "quick" { // while the other is held by a request that hangs
			for range 3 {
				record(t, st, j, noon, 200)
			}
			must(t, st.Done(t.Context(), j))
		}
	}
	st.Happen(t, s, "x")
	feed(t, st)
	if d := try(t, st, noon, 200); d.Endpoint != "quick" || d.N != 4 {
		t.Errorf("sent %+v", d)
	}
	wantLine(t, st, "shop", "slow", "s_1 s_2 s_3 s_4")
}

func failingLast(t *testing.T, st Store) {
	for _, id := range []string{"f1", "f2", "f3"} {
		endpoint(t, st, "shop", id, "bad")
	}
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "bad")
	feed(t, st)
	for range 3 {
		try1(t, st, noon, 500)
	}
	endpoint(t, st, "shop", "h1", "good")
	st.Happen(t, s, "good")
	feed(t, st)
	later := noon.Add(time.Hour)
	js := claim(t, st, "w", later, 2)
	if len(js) != 2 || js[0].Key != "h1" {
		t.Errorf("claimed %+v, want the healthy one first", js)
	}
	if r, ok := st.Store.(interface{ SetReserve(int) }); ok {
		must(t, st.FreeAll(t.Context()))
		r.SetReserve(3)
		if js := claim(t, st, "w", later, 4); len(js) != 2 || js[0].Key != "h1" {
			t.Errorf("of four workers %+v are at work, want the healthy one's and one more", js)
		}
	} else {
		t.Error("the store keeps no workers free")
	}
}

// try1 is try where several queues are due.
func try1(t *testing.T, st Store, now time.Time, status int) {
	t.Helper()
	js := claim(t, st, "w", now, 1)
	if len(js) != 1 {
		t.Fatalf("claimed %+v", js)
	}
	record(t, st, js[0], now, status)
	must(t, st.Done(t.Context(), js[0]))
}

func alert(t *testing.T, st Store) {
	endpoint(t, st, "shop", "down", "x")
	endpoint(t, st, "shop", "ears", "webhook_endpoint.*")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "x")
	feed(t, st)
	now := noon
	fail := func() {
		t.Helper()
		try(t, st, now, 0)
		e, err := st.Endpoint(t.Context(), "shop", "down")
		must(t, err)
		if !e.FailingSince.Equal(noon) {
			t.Errorf("failing since %v", e.FailingSince)
		}
		now = e.NextTry
	}
	failures := 0
	for now.Before(noon.Add(webhook.FailingAfter)) {
		fail()
		failures++
	}
	if feed(t, st) != 0 {
		t.Errorf("an alert after %d failures", failures)
	}
	fail()
	failures++
	if e, err := st.Endpoint(t.Context(), "shop", "down"); err != nil || !e.Failing || e.Failures != failures {
		t.Errorf("%+v, %v", e, err)
	}
	feed(t, st)
	wantLine(t, st, "shop", "ears", "down_1")
	found, err := st.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", Endpoint: "ears"})
	must(t, err)
	if d := found[0]; d.Type != webhook.FailingEvent || d.Session != "" || strings.Contains(string(d.Body), `"session"`) ||
		!strings.Contains(string(d.Body), `"endpoint":"down"`) ||
		!strings.Contains(string(d.Body), fmt.Sprintf(`"failures":%d`, failures)) {
		t.Errorf("alert %+v: %s", d, d.Body)
	}
	if d := try(t, st, noon.Add(22*time.Minute), 200); d.Endpoint != "ears" {
		t.Fatalf("%+v", d)
	}
	fail() // no second alert
	if feed(t, st) != 0 {
		t.Error("a second alert")
	}
	try(t, st, now, 200)
	feed(t, st)
	wantLine(t, st, "shop", "ears", "down_2")
	found, err = st.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", Endpoint: "ears", State: webhook.Pending})
	must(t, err)
	if found[0].Type != webhook.RecoveredEvent ||
		!strings.Contains(string(found[0].Body), fmt.Sprintf(`"failures":%d`, failures+1)) {
		t.Errorf("%+v: %s", found[0], found[0].Body)
	}
}

func givenUp(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e", "x")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x")
	feed(t, st)
	st.Happen(t, s, "x")
	if _, err := st.Feed(t.Context(), noon.Add(24*time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	now := noon
	for now.Before(noon.Add(webhook.GiveUpAfter)) {
		if d := try(t, st, now, 500); d.N != 1 {
			t.Fatalf("tried %+v before %v", d, now)
		}
		e, err := st.Endpoint(t.Context(), "shop", "e")
		must(t, err)
		now = e.NextTry
	}
	first := try(t, st, now, 500)
	if d, tries, err := st.Delivery(t.Context(), "shop", first.ID); err != nil || d.State != webhook.GivenUp || len(tries) < 60 ||
		!d.EndedAt.Equal(now) {
		t.Errorf("%+v after %d tries, %v", d, len(tries), err)
	}
	wantNone(t, st, now.Add(11*time.Hour)) // the next is tried at the queue's pace
	if d := try(t, st, now.Add(12*time.Hour), 200); d.N != 2 {
		t.Errorf("then %+v", d)
	}
}

func triesKept(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x")
	feed(t, st)
	want := []webhook.Try{
		{N: 1, At: noon, Took: time.Second, URL: "https://e.example/", RequestHeaders: map[string]string{"webhook-id": "evt_s_1"},
			Error: "no answer"},
		{
			N: 2, At: noon.Add(time.Minute), URL: "https://e.example/", RequestHeaders: map[string]string{"a": "b"}, Status: 200,
			AnswerHeaders: map[string]string{"Content-Type": "text/plain"}, Answer: "ok \u00e9 <\"'\n", Cut: true,
		},
	}
	id := ""
	for _, tr := range want {
		j := claimOne(t, st, "w", tr.At)
		d, _, err := st.Next(t.Context(), j, tr.At)
		must(t, err)
		id = d.ID
		tr.N = 0 // the store counts
		must(t, st.Record(t.Context(), j, id, tr, tr.At))
		must(t, st.Done(t.Context(), j))
	}
	d, tries, err := st.Delivery(t.Context(), "shop", id)
	must(t, err)
	if d.State != webhook.Delivered || d.Tries != 2 || !d.EndedAt.Equal(want[1].At) {
		t.Errorf("%+v", d)
	}
	if got, w := fmt.Sprintf("%+v", tries), fmt.Sprintf("%+v", want); got != w {
		t.Errorf("tries\n%s, want\n%s", got, w)
	}
}

func change(t *testing.T, st Store, id string, now time.Time, f func(*webhook.Endpoint)) webhook.Endpoint {
	t.Helper()
	e, err := st.ChangeEndpoint(t.Context(), "shop", id, now, func(e *webhook.Endpoint) error { f(e); return nil })
	must(t, err)
	return e
}

func disabled(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x")
	feed(t, st)
	try(t, st, noon, 500)
	change(t, st, "e", noon.Add(time.Second), func(e *webhook.Endpoint) { e.Enabled = false })
	st.Happen(t, s, "passed by")
	feed(t, st)
	wantNone(t, st, noon.Add(time.Hour))
	e := change(t, st, "e", noon.Add(2*time.Second), func(e *webhook.Endpoint) { e.Enabled, e.Description = true, "new" })
	if e.Failures != 0 || e.Description != "new" || !e.UpdatedAt.Equal(noon.Add(2*time.Second)) {
		t.Errorf("%+v", e)
	}
	st.Happen(t, s, "y")
	feed(t, st)
	wantLine(t, st, "shop", "e", "s_1 s_3")
	try(t, st, noon.Add(2*time.Second), 200) // without waiting for the retry
	// A change that fails changes nothing.
	no := errors.New("no")
	_, err := st.ChangeEndpoint(t.Context(), "shop", "e", noon, func(e *webhook.Endpoint) error { e.URL = "x"; return no })
	wantErr(t, err, no)
	got, err := st.Endpoint(t.Context(), "shop", "e")
	must(t, err)
	if got.URL != "https://e.example/" {
		t.Errorf("%+v", got)
	}
}

func otherAddress(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x")
	feed(t, st)
	for now, i := noon, 0; i < 6; i++ {
		try(t, st, now, 500)
		e, err := st.Endpoint(t.Context(), "shop", "e")
		must(t, err)
		now = e.NextTry
	}
	e := change(t, st, "e", noon, func(e *webhook.Endpoint) { e.Description = "does not count" })
	if e.Failures != 6 || !e.NextTry.After(noon.Add(time.Minute)) {
		t.Errorf("%+v", e)
	}
	e = change(t, st, "e", noon.Add(time.Hour), func(e *webhook.Endpoint) { e.URL = "https://new.example/" })
	if e.Failures != 0 || e.Failing || !e.NextTry.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", e)
	}
}

func deleted(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	s := Session{ID: "s", Merchant: "shop"}
	st.Happen(t, s, "x", "y")
	feed(t, st)
	j := claimOne(t, st, "w", noon)
	d := record(t, st, j, noon, 200)
	next, _, err := st.Next(t.Context(), j, noon)
	must(t, err)
	must(t, st.DeleteEndpoint(t.Context(), "shop", "e", noon))
	wantErr(t, st.Record(t.Context(), j, next.ID, webhook.Try{Status: 200}, noon), webhook.ErrLost)
	st.Happen(t, s, "z")
	feed(t, st)
	wantNone(t, st, noon.Add(time.Hour))
	wantLine(t, st, "shop", "e", "")
	if got, tries, err := st.Delivery(t.Context(), "shop", d.ID); err != nil || got.State != webhook.Delivered || len(tries) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _, err := st.Delivery(t.Context(), "shop", next.ID); err != nil || got.State != webhook.Cancelled {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = st.Endpoint(t.Context(), "shop", "e")
	wantErr(t, err, webhook.ErrNotFound)
	wantErr(t, st.DeleteEndpoint(t.Context(), "shop", "e", noon), webhook.ErrNotFound)
	_, err = st.Resend(t.Context(), "shop", d.ID, noon)
	wantErr(t, err, webhook.ErrNotFound)
	if keys, _, err := st.Keys(t.Context(), "e"); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v", keys, err)
	}
}

func tooMany(t *testing.T, st Store) {
	endpoint(t, st, "rival", "theirs")
	for i := range webhook.MaxEndpoints - 1 {
		endpoint(t, st, "shop", fmt.Sprint("e", i))
	}
	st.Happen(t, Session{"s", "shop", "https://named.example/"}, "x") // does not count
	feed(t, st)
	var wg sync.WaitGroup
	refused, mu := 0, sync.Mutex{}
	for i := range 4 {
		wg.Go(func() {
			err := st.CreateEndpoint(t.Context(), webhook.Endpoint{ID: fmt.Sprint("race", i), Merchant: "shop", Enabled: true}, nil)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, webhook.ErrTooMany) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if refused != 3 {
		t.Errorf("%d of 4 were refused", refused)
	}
	must(t, st.DeleteEndpoint(t.Context(), "shop", "e0", noon))
	endpoint(t, st, "shop", "again")
	for _, id := range []string{"again", "e0", "theirs"} { // an id is taken once, whoever has it and whether it is gone
		wantErr(t, st.CreateEndpoint(t.Context(), webhook.Endpoint{ID: id, Merchant: "shop"}, nil), webhook.ErrConflict)
	}
}

func keys(t *testing.T, st Store) {
	ctx := t.Context()
	if ks, version, err := st.Keys(ctx, "merchant:shop"); err != nil || len(ks) != 0 || version != 0 {
		t.Fatalf("%v, %d, %v", ks, version, err)
	}
	first := []webhook.Key{{Kind: webhook.Ed25519, Sealed: "s", Public: "whpk_x", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}}
	must(t, st.PutKeys(ctx, "merchant:shop", first, 0))
	wantErr(t, st.PutKeys(ctx, "merchant:shop", nil, 0), webhook.ErrConflict)
	got, version, err := st.Keys(ctx, "merchant:shop")
	must(t, err)
	if fmt.Sprint(got) != fmt.Sprint(first) {
		t.Errorf("%v", got)
	}
	must(t, st.PutKeys(ctx, "merchant:shop", append(got, webhook.Key{Kind: webhook.HMAC}), version))
	wantErr(t, st.PutKeys(ctx, "merchant:shop", nil, version), webhook.ErrConflict)
	if got, _, err := st.Keys(ctx, "merchant:shop"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	endpoint(t, st, "shop", "e")
	if got, _, err := st.Keys(ctx, "e"); err != nil || len(got) != 1 || got[0].Sealed != "sealed" {
		t.Errorf("of an endpoint: %v, %v", got, err)
	}
}

func resend(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "y")
	feed(t, st)
	first := try(t, st, noon, 200)
	try(t, st, noon, 200)
	later := noon.Add(time.Hour)
	again, err := st.Resend(t.Context(), "shop", first.ID, later)
	must(t, err)
	if again.ID == first.ID || again.Event != first.Event || !again.Resend || again.State != webhook.Pending || again.Tries != 0 ||
		!again.CreatedAt.Equal(later) {
		t.Errorf("%+v", again)
	}
	got := try(t, st, later, 200)
	if got.ID != again.ID || got.Event != "evt_s_1" || string(got.Body) != string(first.Body) {
		t.Errorf("sent %+v", got)
	}
	wantNone(t, st, later)
	change(t, st, "e", later, func(e *webhook.Endpoint) { e.Enabled = false })
	_, err = st.Resend(t.Context(), "shop", first.ID, later)
	wantErr(t, err, webhook.ErrDisabled)
	_, err = st.ResendRange(t.Context(), "shop", "e", noon.Add(-time.Hour), later, later)
	wantErr(t, err, webhook.ErrDisabled)
}

func resendWaiting(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x", "y")
	feed(t, st)
	first := try(t, st, noon, 500)
	again, err := st.Resend(t.Context(), "shop", first.ID, noon.Add(time.Second))
	must(t, err)
	if again.ID != first.ID || again.Tries != 1 {
		t.Errorf("%+v", again)
	}
	wantLine(t, st, "shop", "e", "s_1 s_2")
	try(t, st, noon.Add(time.Second), 200) // now, not at the retry
}

func resendRange(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e", "x")
	a, b := Session{ID: "a", Merchant: "shop"}, Session{"b", "shop", "https://named.example/"}
	st.Happen(t, a, "x", "y")
	feed(t, st)
	st.Happen(t, b, "x")
	st.Happen(t, Session{ID: "c", Merchant: "rival"}, "x")
	feed(t, st)
	st.Happen(t, a, "x")
	feed(t, st)
	for range 2 {
		for _, j := range claim(t, st, "w", noon, 10) {
			if j.Key == "e" {
				record(t, st, j, noon, 200)
			}
			must(t, st.Done(t.Context(), j))
		}
	}
	wantLine(t, st, "shop", "e", "a_3")
	from, to := noon.Add(-time.Hour), noon.Add(time.Hour)
	n, err := st.ResendRange(t.Context(), "shop", "e", from, to, noon)
	if err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	wantLine(t, st, "shop", "e", "a_3 a_1 b_1") // what waited is left there
	for _, span := range [][2]time.Time{{from, from.Add(time.Minute)}, {to, to.Add(time.Hour)}} {
		if n, err := st.ResendRange(t.Context(), "shop", "e", span[0], span[1], noon); err != nil || n != 0 {
			t.Errorf("%v: %d, %v", span, n, err)
		}
	}
	named, err := st.Endpoints(t.Context(), "shop", true)
	must(t, err)
	d, err := st.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", Endpoint: named[0].ID})
	must(t, err)
	_, err = st.Cancel(t.Context(), "shop", d[0].ID, noon)
	must(t, err)
	if n, err := st.ResendRange(t.Context(), "shop", named[0].ID, from, to, noon); err != nil || n != 1 {
		t.Errorf("of an address that a session named: %d, %v", n, err)
	}
	wantLine(t, st, "shop", named[0].ID, "b_1")
}

func cancel(t *testing.T, st Store) {
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "poison", "y")
	feed(t, st)
	d := try(t, st, noon, 500)
	got, err := st.Cancel(t.Context(), "shop", d.ID, noon.Add(time.Second))
	must(t, err)
	if got.State != webhook.Cancelled || !got.EndedAt.Equal(noon.Add(time.Second)) {
		t.Errorf("%+v", got)
	}
	_, err = st.Cancel(t.Context(), "shop", d.ID, noon.Add(time.Second))
	wantErr(t, err, webhook.ErrDone)
	if next := try(t, st, noon.Add(time.Second), 200); next.N != 2 {
		t.Errorf("then %+v", next)
	}
	// The last of a queue leaves it at rest.
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "z")
	feed(t, st)
	d = try(t, st, noon, 500)
	_, err = st.Cancel(t.Context(), "shop", d.ID, noon)
	must(t, err)
	wantNone(t, st, noon.Add(time.Hour))
	// One that arrived after all is delivered.
	again, err := st.Resend(t.Context(), "shop", d.ID, noon)
	must(t, err)
	j := claimOne(t, st, "w", noon)
	_, err = st.Cancel(t.Context(), "shop", again.ID, noon)
	must(t, err)
	must(t, st.Record(t.Context(), j, again.ID, webhook.Try{Status: 200}, noon))
	if got, _, err := st.Delivery(t.Context(), "shop", again.ID); err != nil || got.State != webhook.Delivered {
		t.Errorf("%+v, %v", got, err)
	}
}

func tenants(t *testing.T, st Store) {
	ctx := t.Context()
	endpoint(t, st, "shop", "e")
	st.Happen(t, Session{ID: "s", Merchant: "shop"}, "x")
	feed(t, st)
	d := try(t, st, noon, 500)
	for name, act := range map[string]func() error{
		"Endpoint": func() error { _, err := st.Endpoint(ctx, "rival", "e"); return err },
		"ChangeEndpoint": func() error {
			_, err := st.ChangeEndpoint(ctx, "rival", "e", noon, func(*webhook.Endpoint) error { t.Error("shown"); return nil })
			return err
		},
		"DeleteEndpoint": func() error { return st.DeleteEndpoint(ctx, "rival", "e", noon) },
		"Delivery":       func() error { _, _, err := st.Delivery(ctx, "rival", d.ID); return err },
		"Resend":         func() error { _, err := st.Resend(ctx, "rival", d.ID, noon); return err },
		"ResendRange": func() error {
			_, err := st.ResendRange(ctx, "rival", "e", noon.Add(-time.Hour), noon.Add(time.Hour), noon)
			return err
		},
		"Cancel": func() error { _, err := st.Cancel(ctx, "rival", d.ID, noon); return err },
	} {
		if err := act(); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []webhook.Filter{{Merchant: "rival"}, {Merchant: "rival", Endpoint: "e"}, {Merchant: "rival", Event: d.Event},
		{Merchant: "rival", Before: d.ID}} {
		if found, err := st.Deliveries(ctx, f); err != nil || len(found) > 0 {
			t.Errorf("%+v: %v, %v", f, found, err)
		}
	}
	if found, err := st.Endpoints(ctx, "rival", false); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	try(t, st, noon.Add(5*time.Second), 200) // undisturbed
}

func lists(t *testing.T, st Store) {
	ctx := t.Context()
	endpoint(t, st, "shop", "e1")
	endpoint(t, st, "shop", "e2", "b")
	for i := range 5 {
		st.Happen(t, Session{ID: fmt.Sprint("s", i), Merchant: "shop"}, "a", "b")
		feed(t, st)
	}
	want, err := st.Deliveries(ctx, webhook.Filter{Merchant: "shop"})
	must(t, err)
	if len(want) != 15 || want[14].Event != "evt_s0_1" || want[0].Event != "evt_s4_2" {
		t.Fatalf("%d: %+v", len(want), want)
	}
	var got []string
	f := webhook.Filter{Merchant: "shop", Limit: 4}
	for {
		page, err := st.Deliveries(ctx, f)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			got = append(got, d.ID)
		}
		f.Before = page[len(page)-1].ID
	}
	for i, d := range want {
		if i >= len(got) || got[i] != d.ID {
			t.Fatalf("paged %v", got)
		}
	}
	for n, f := range map[int]webhook.Filter{
		5:  {Merchant: "shop", Endpoint: "e2"},
		2:  {Merchant: "shop", Event: "evt_s3_2"},
		10: {Merchant: "shop", Endpoint: "e1", State: webhook.Pending},
		0:  {Merchant: "shop", State: webhook.Delivered},
	} {
		if found, err := st.Deliveries(ctx, f); err != nil || len(found) != n {
			t.Errorf("%+v: %d, %v", f, len(found), err)
		}
	}
	own, err := st.Endpoints(ctx, "shop", false)
	must(t, err)
	if len(own) != 2 || own[0].ID != "e1" || own[1].ID != "e2" || !slices.Equal(own[1].Events, []string{"b"}) ||
		!own[0].CreatedAt.Equal(noon) {
		t.Errorf("%+v", own)
	}
}

func sweep(t *testing.T, st Store) {
	ctx := t.Context()
	endpoint(t, st, "shop", "e", "x")
	for i := range 3 {
		st.Happen(t, Session{fmt.Sprint("s", i), "shop", "https://named.example/"}, "y")
		st.Happen(t, Session{ID: fmt.Sprint("s", i), Merchant: "shop"}, "x")
	}
	st.Happen(t, Session{ID: "waits", Merchant: "shop"}, "x")
	feed(t, st)
	for range 3 {
		for _, j := range claim(t, st, "w", noon, 10) {
			record(t, st, j, noon, 200)
			must(t, st.Done(t.Context(), j))
		}
	}
	// What the third turn of the named address was, and what still waits, is not of interest: only that it ended or not.
	left := func() int {
		found, err := st.Deliveries(ctx, webhook.Filter{Merchant: "shop"})
		must(t, err)
		return len(found)
	}
	before := left()
	if n, err := st.Sweep(ctx, noon, 100); err != nil || n != 0 {
		t.Errorf("swept %d at the moment of the end, %v", n, err)
	}
	ended, err := st.Deliveries(ctx, webhook.Filter{Merchant: "shop", State: webhook.Delivered})
	must(t, err)
	for n := len(ended); n > 0; {
		swept, err := st.Sweep(ctx, noon.Add(time.Hour), 2)
		if err != nil || swept != min(n, 2) {
			t.Fatalf("swept %d of %d, %v", swept, n, err)
		}
		n -= swept
	}
	if left() != before-len(ended) || left() == 0 {
		t.Errorf("%d of %d are left", left(), before)
	}
	if _, err := st.Sweep(ctx, noon.Add(time.Hour), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Endpoint(ctx, "shop", "e"); err != nil {
		t.Errorf("the merchant's own endpoint: %v", err)
	}
}

// MakeFail gives a merchant an endpoint that failed so often that the alert was raised, over an event of a session.
func MakeFail(t *testing.T, st Store, merchant, id, session string) {
	t.Helper()
	endpoint(t, st, merchant, id)
	st.Happen(t, Session{ID: session, Merchant: merchant}, "x")
	feed(t, st)
	for now := noon; ; {
		try(t, st, now, 500)
		e, err := st.Endpoint(t.Context(), merchant, id)
		must(t, err)
		if now = e.NextTry; e.Failing {
			return
		}
	}
}
