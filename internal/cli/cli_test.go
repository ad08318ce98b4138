package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tollgate/internal/app"
)

// buffer is written by a command and read by a test.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// find waits for a match in what was written and answers its first group.
func (b *buffer) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var m []string
	if !holds(20*time.Second, func() bool { m = re.FindStringSubmatch(b.String()); return m != nil }) {
		t.Fatalf("nothing like %s in:\n%s", pattern, b.String())
	}
	return m[len(m)-1]
}

// holds asks until cond holds, at most so long: what runs in the background tells nobody when it is ready.
func holds(limit time.Duration, cond func() bool) bool {
	end, tick := time.NewTimer(limit), time.NewTicker(10*time.Millisecond)
	defer end.Stop()
	defer tick.Stop()
	for !cond() {
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// tollgate runs a command to its end.
func tollgate(t *testing.T, environ []string, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	code = run(ctx, process{args: args, environ: environ, in: strings.NewReader(in), out: &o, err: &e})
	return code, o.String(), e.String()
}

// background runs a command until the test ends; stop ends it sooner and answers its exit code.
func background(t *testing.T, environ []string, args ...string) (out, errs *buffer, stop func() int) {
	t.Helper()
	out, errs = &buffer{}, &buffer{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, process{args: args, environ: environ, in: strings.NewReader(""), out: out, err: errs})
	}()
	stop = sync.OnceValue(func() int { cancel(); return <-ended })
	t.Cleanup(func() { stop() })
	return out, errs, stop
}

// served is a running Tollgate; what the commands need of the environment.
func served(t *testing.T) []string {
	t.Helper()
	out, _, _ := background(t, nil, "-listen", "127.0.0.1:0", "-sandbox-listen", "127.0.0.1:0", "-data", t.TempDir())
	return []string{"TOLLGATE_URL=" + out.find(t, `Tollgate is at +(\S+)`)}
}

func TestHelpNamesEveryCommandAndEveryCommandHelps(t *testing.T) {
	code, out, _ := tollgate(t, nil, "", "help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, c := range commands() {
		if !strings.Contains(out, "  "+c.name+" ") {
			t.Errorf("help does not name %q", c.name)
		}
		args := append(strings.Split(c.name, " "), "-h")
		code, out, errs := tollgate(t, nil, "", args...)
		if code != 0 || errs != "" || !strings.HasPrefix(out, "Usage: tollgate "+c.name) || !strings.Contains(out, c.long) {
			t.Errorf("%s -h: %d %q %q", c.name, code, out, errs)
		}
		if code, again, _ := tollgate(t, nil, "", append([]string{"help"}, strings.Split(c.name, " ")...)...); code != 0 || again != out {
			t.Errorf("help %s says something else", c.name)
		}
	}
	for _, args := range [][]string{{"-h"}, {"--help"}} {
		if code, again, _ := tollgate(t, nil, "", args...); code != 0 || again != out {
			t.Errorf("%v: %d", args, code)
		}
	}
}

func TestAWrongCommandLineExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"bogus"}, {"sessions"}, {"sessions", "bogus"}, {"sessions", "show"}, {"sessions", "show", "a", "b"}, {"serve", "more"}, {"-bogus"},
		{"sessions", "create", "-amount", "1.50"}, {"sessions", "create", "-expires-in", "soon"}, {"help", "bogus"}, {"keys"}, {"events", "tail", "-forward-to", "ftp://x"},
		{"keys", "seal"}, {"keys", "seal", "bogus"}, {"keys", "seal", "promote"},
		{"events", "tail", "-forward-to", "http://shop.example/hooks"}, {"-config", "/no/such/file"}, {"-listen", "nowhere"},
	} {
		code, out, errs := tollgate(t, nil, "", args...)
		if code != 2 || out != "" || errs == "" || strings.Contains(errs, "strconv") {
			t.Errorf("%v: code %d, output %q, errors %q", args, code, out, errs)
		}
	}
	if code, _, errs := tollgate(t, []string{"TOLLGATE_URL=nowhere"}, "", "sessions", "list"); code != 2 || !strings.Contains(errs, "TOLLGATE_URL") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestKeys(t *testing.T) {
	code, out, _ := tollgate(t, nil, "", "keys", "new")
	m := regexp.MustCompile(`^key   (sk_\S{32})\nhash  ([0-9a-f]{64})\n$`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("%d %q", code, out)
	}
	if code, hash, _ := tollgate(t, nil, m[1]+"\n", "keys", "hash"); code != 0 || hash != m[2]+"\n" {
		t.Errorf("%d %q, want %s", code, hash, m[2])
	}
	if code, out, errs := tollgate(t, nil, "\n", "keys", "hash"); code != 2 || out != "" || !strings.Contains(errs, "standard input") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if code, out, errs := tollgate(t, nil, "short", "keys", "hash"); code != 2 || out != "" || strings.Contains(errs, "short\n") {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

func TestTheCommandsRotateASealingKeyAndSayWhereItStands(t *testing.T) {
	data := t.TempDir()
	do := func(want int, words string, args ...string) string {
		t.Helper()
		code, out, errs := tollgate(t, nil, "", slices.Concat([]string{"keys", "seal"}, args[:1], []string{"-data", data}, args[1:])...)
		if code != want || !strings.Contains(out+errs, words) {
			t.Errorf("%v: code %d, %q %q; want %d and %q", args, code, out, errs, want, words)
		}
		return out
	}
	restart := func() (log *buffer, stop func() int) {
		t.Helper()
		out, log, stop := background(t, nil, "-listen", "127.0.0.1:0", "-sandbox-listen", "127.0.0.1:0", "-data", data)
		out.find(t, `Tollgate is at +(\S+)`)
		return log, stop
	}
	do(1, "no database", "status")
	do(1, "no such file", "add")
	log, stop := restart()
	log.find(t, "(a sealing key was made)")
	code, _, errs := tollgate(t, nil, "", "serve", "-listen", "127.0.0.1:0", "-sandbox-listen", "127.0.0.1:0", "-data", data)
	if code != 1 || !strings.Contains(errs, "another Tollgate is using it") {
		t.Errorf("a second one on the same folder: %d %q", code, errs)
	}
	old := regexp.MustCompile(`([a-z2-7]{7}) +seals +1 `).FindStringSubmatch(do(0, "seals on", "status"))
	if old == nil {
		t.Fatal("the status does not tell the key")
	}
	prints := regexp.MustCompile(`fingerprints of cards: key [a-z2-7]{7}`).FindString(do(0, "seals on", "status"))
	if prints == "" {
		t.Error("the status does not tell the key of fingerprints")
	}
	fresh := regexp.MustCompile(`([a-z2-7]{7}) opens now`).FindStringSubmatch(do(0, "opens now", "add"))
	if fresh == nil {
		t.Fatal("no key was added")
	}
	do(1, "has no key 2222222", "promote", "2222222")
	do(0, "seals now", "promote", fresh[1])
	do(1, "seals; promote another first", "retire", fresh[1])
	do(1, "still seals on", "retire", old[1])
	stop()
	do(1, "1 values are still sealed with key "+old[1], "retire", old[1])
	_, stop = restart()
	if !holds(30*time.Second, func() bool {
		_, out, _ := tollgate(t, nil, "", "keys", "seal", "status", "-data", data)
		return strings.Contains(out, "nothing is sealed with it; may be taken out from ")
	}) {
		t.Fatal("the old key is never free")
	}
	do(1, "may still come back sealed with key "+old[1], "retire", old[1])
	do(0, "no longer", "retire", "-at-once", old[1])
	stop()
	if _, stop = restart(); stop() != 0 {
		t.Error("it does not run with the new key alone")
	}
	if !strings.Contains(do(0, "retired on", "status"), prints) {
		t.Errorf("the key of fingerprints changed with the sealing key; it was %q", prints)
	}
}

func TestARevokedKeyIsRefusedFromThenOn(t *testing.T) {
	env := served(t)
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("sk_sandbox_demo"))) // too short for keys hash
	if code, out, errs := tollgate(t, env, "", "keys", "revoke", strings.Repeat("0", 64)); code != 1 || out != "" || !strings.Contains(errs, "not-found") {
		t.Errorf("nobody's key: %d %q %q", code, out, errs)
	}
	if code, out, errs := tollgate(t, env, "", "keys", "revoke", hash); code != 0 || out != "revoked\n" {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if code, _, errs := tollgate(t, env, "", "sessions", "list"); code != 1 || !strings.Contains(errs, "unauthorized") {
		t.Errorf("a revoked key: %d %q", code, errs)
	}
}

func TestSessionsAreCreatedShownAndListed(t *testing.T) {
	env := served(t)
	code, out, errs := tollgate(t, env, "", "sessions", "create", "-order", "cli-1", "-amount", "1500", "-currency", "KZT", "-description", "Tea")
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	id := regexp.MustCompile(`session +(cs_\S+)`).FindStringSubmatch(out)
	if id == nil || !regexp.MustCompile(`pay at +http://127\.0\.0\.1:\d+/pay/`+id[1]).MatchString(out) || !strings.Contains(out, "1500 KZT") {
		t.Fatalf("%s", out)
	}
	if code, out, _ := tollgate(t, env, "", "sessions", "show", id[1]); code != 0 || !strings.Contains(out, "open") || !strings.Contains(out, "cli-1") {
		t.Errorf("show: %d %s", code, out)
	}
	if code, out, _ := tollgate(t, env, "", "sessions", "show", "-json", id[1]); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("show -json: %d %s", code, out)
	}
	if code, out, _ := tollgate(t, env, "", "sessions", "list", "-order", "cli-1"); code != 0 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, id[1]) {
		t.Errorf("list: %d %s", code, out)
	}
	if code, out, errs := tollgate(t, env, "", "sessions", "list", "-logged", app.LoggedSession(id[1])); code != 0 || !strings.Contains(out, id[1]) {
		t.Errorf("by its name in logs: %d %s%s", code, out, errs)
	}
	if code, out, errs := tollgate(t, env, "", "sessions", "list", "-logged", "s-0000000000000000"); code != 1 || out != "" || !strings.Contains(errs, "s-0000000000000000") {
		t.Errorf("by a name of nobody's: %d %s%s", code, out, errs)
	}
	code, _, errs = tollgate(t, env, "", "sessions", "create", "-order", "cli-1")
	if code != 1 || !strings.Contains(errs, id[1]) || !strings.Contains(errs, "order-in-use") {
		t.Errorf("the same order again: %d %s", code, errs)
	}
	code, _, errs = tollgate(t, env, "", "sessions", "create", "-currency", "xx", "-success-url", "javascript:x")
	if code != 1 || !strings.Contains(errs, "currency must be") || !strings.Contains(errs, "success_url must be") {
		t.Errorf("invalid: %d %s", code, errs)
	}
	if code, _, errs := tollgate(t, env, "", "sessions", "show", "cs_never"); code != 1 || !strings.Contains(errs, "not-found") {
		t.Errorf("unknown: %d %s", code, errs)
	}
	if code, _, errs := tollgate(t, append(env, "TOLLGATE_API_KEY=wrong"), "", "sessions", "list"); code != 1 || !strings.Contains(errs, "unauthorized") {
		t.Errorf("wrong key: %d %s", code, errs)
	}
}

func TestAPersonSettlesByACommand(t *testing.T) {
	var asked []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		session := `{"id":"cs_1","status":"cancelled","outcome_known":true,
			"reviews":[{"attempt":1,"reason":"amount","gateway":{"outcome":"paid","gateway_order_id":"g-7","amount":900,"currency":"KZT","amount_captured":900}}],
			"settlements":[{"outcome":"not_paid","reason":"not there","at":"2026-05-01T12:00:00Z","contradicted_at":"2026-05-02T12:00:00Z"}]}`
		if r.Method == http.MethodGet {
			session = `{"data":[` + session + `],"has_more":false}`
		}
		fmt.Fprint(w, session)
	}))
	defer front.Close()
	env := []string{"TOLLGATE_URL=" + front.URL}
	code, out, errs := tollgate(t, env, "", "sessions", "settle", "-outcome", "not_paid", "-reason", "not there", "cs_1")
	if code != 0 || !strings.Contains(out, "captured 900") || !strings.Contains(out, "the gateway said otherwise") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, out, errs := tollgate(t, env, "", "sessions", "list", "-needs-review", "-held"); code != 0 || !strings.Contains(out, "to be reviewed: amount") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	want := []string{`POST /v1/sessions/cs_1/settle {"outcome":"not_paid","reason":"not there"}`, "GET /v1/sessions?held=true&needs_review=true "}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	for _, args := range [][]string{{"-outcome", "paid", "cs_1"}, {"-reason", "x", "cs_1"}, {"-outcome", "paid", "-reason", "x"}, {"-amount", "1.5", "cs_1"}} {
		if code, _, _ := tollgate(t, env, "", append([]string{"sessions", "settle"}, args...)...); code != 2 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

func TestCardsAreImportedFromAFileOfEitherKind(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	busy := true
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case strings.Contains(string(body), "b-9"):
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"type":"urn:tollgate:problem:not-yours","title":"The card is not one that this customer may be given.","status":409}`)
			return
		case busy:
			busy = false
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"type":"urn:tollgate:problem:too-many-requests","title":"Too many tries.","status":429}`)
			return
		}
		asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"sc_1","expiry":"12/30","checked_at":"2026-05-01T12:00:00Z","card":{"first6":"400001","last4":"0720"}}`)
	}))
	defer front.Close()
	env := []string{"TOLLGATE_URL=" + front.URL}
	csv := "\ufeffcustomer, bindingId,first6,last4\nc 1,b-1,400001,0720\n\"c,2\",b-2,,\nc-3,b-9,,\n"
	code, out, errs := tollgate(t, env, csv, "cards", "import", "-account", "rbs", "-")
	if code != 1 || !strings.Contains(errs, "line 4: The card is not one") || !strings.Contains(out, "2 cards taken over, 0 of them unchecked; 1 refused") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	lines := `{"customer":"c-3","account":"sber","gateway_id":"b-3","series":"s"}` + "\n\n{\n" + `{"customer":"c-4","gateway_id":"b-4"}`
	code, out, errs = tollgate(t, env, lines, "cards", "import", "-account", "rbs", "-quiet", "-")
	if code != 1 || !strings.Contains(errs, "line 3: is no JSON object") || strings.Contains(out, "sc_1") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	slices.Sort(asked)
	want := []string{
		`POST /v1/customers/c%201/cards/import {"account":"rbs","card":{"first6":"400001","last4":"0720"},"gateway_id":"b-1"}`,
		`POST /v1/customers/c%2C2/cards/import {"account":"rbs","gateway_id":"b-2"}`,
		`POST /v1/customers/c-3/cards/import {"account":"sber","gateway_id":"b-3","series":"s"}`,
		`POST /v1/customers/c-4/cards/import {"account":"rbs","gateway_id":"b-4"}`,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
}

func TestReconcileReadsTheBanksFilePrintsWhatDiffersAndExitsWith1(t *testing.T) {
	var asked []map[string]any
	differ := `[{"kind":"missing_here","reference":"lost-1","ours":{},"theirs":{"state":"paid","amount":700,"currency":"KZT","amount_captured":700}}]`
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/accounts/rbs/reconcile" {
			t.Errorf("%s %v", r.URL.Path, err)
		}
		asked = append(asked, body)
		fmt.Fprintf(w, `{"source":"list","ours":3,"theirs":2,"complete":true,"differences":%s}`, differ)
	}))
	defer front.Close()
	env := []string{"TOLLGATE_URL=" + front.URL}
	file := filepath.Join(t.TempDir(), "bank.csv")
	if err := os.WriteFile(file, []byte("\ufeffOrder;Sum;Currency;Status\na-1;1 500,00;KZT;Deposited\nb-1;;;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := []string{"reconcile", "-account", "rbs", "-from", "2026-11-20", "-to", "2026-11-22"}
	code, out, errs := tollgate(t, env, "", base...)
	if code != 1 || strings.Count(out, "lost-1") != 2 || !strings.Contains(out, "6 of ours and 4 of theirs compared by the gateway's list: 2 differ") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if len(asked) != 2 || asked[0]["from"] != "2026-11-20T00:00:00Z" || asked[0]["to"] != "2026-11-21T00:00:00Z" || asked[1]["to"] != "2026-11-22T00:00:00Z" {
		t.Errorf("asked %v", asked)
	}
	asked = nil
	if code, out, errs := tollgate(t, env, "", append(base, "-orders", file, "-csv", "-repair")...); code != 1 || !strings.HasPrefix(out, "kind,reference") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	orders, _ := json.Marshal(asked[0]["orders"])
	if len(asked) != 1 || asked[0]["repair"] != true ||
		string(orders) != `[{"amount":"1500.00","currency":"KZT","reference":"a-1","status":"Deposited"},{"reference":"b-1"}]` {
		t.Errorf("asked %v", asked)
	}
	differ = `[{"kind":"state","reference":"a-1","repaired":true,"ours":{},"theirs":{}}]`
	if code, out, _ := tollgate(t, env, "", append(base, "-json")...); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("repaired: %d %s", code, out)
	}
	for _, args := range [][]string{{"-from", "2026-11-20"}, {"-account", "rbs"}, {"-account", "rbs", "-from", "yesterday"},
		{"-account", "rbs", "-from", "2026-11-20", "-to", "2026-11-20"}, {"-account", "rbs", "-from", "2026-11-20", "-csv", "-json"},
		{"-account", "rbs", "-from", "2026-11-20", "-orders", "/nowhere.csv"}} {
		if code, _, _ := tollgate(t, env, "", append([]string{"reconcile"}, args...)...); code != 2 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

func TestARequestWithoutAnAnswerIsRepeatedWithTheSameIdempotencyKey(t *testing.T) {
	var keys []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"cs_1"}`)
	}))
	defer front.Close()
	code, _, errs := tollgate(t, []string{"TOLLGATE_URL=" + front.URL}, "", "sessions", "create")
	if code != 0 || len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("code %d, keys %q, %s", code, keys, errs)
	}
}

// hook is a shop's webhook receiver.
type hook struct {
	mu   sync.Mutex
	ids  []string
	errs []error
	wh   *standardwebhooks.Webhook
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		err = h.wh.Verify(body, r.Header)
	}
	if err != nil {
		h.errs = append(h.errs, err)
	}
	h.ids = append(h.ids, r.Header.Get("webhook-id"))
	w.WriteHeader(http.StatusNoContent)
}

func TestEventsAreForwardedOnceEachInOrderAndSigned(t *testing.T) {
	env := served(t)
	secret := "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	receiver := &hook{wh: wh}
	shop := httptest.NewServer(receiver)
	defer shop.Close()
	create := func(order string) string {
		t.Helper()
		code, out, errs := tollgate(t, env, "", "sessions", "create", "-order", order, "-json")
		if code != 0 {
			t.Fatal(errs)
		}
		var s struct{ ID string }
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	create("before") // told to nobody: tail begins now
	out, errs, stop := background(t, append(env, "TOLLGATE_WEBHOOK_SECRET="+secret), "events", "tail", "-forward-to", shop.URL)
	errs.find(t, "(waiting) for events")
	var want []string
	for _, o := range []string{"one", "two", "three"} {
		id := create(o)
		want = append(want, out.find(t, "("+regexp.QuoteMeta("evt_"+id+"_1")+"-[a-z2-7]{8})"))
	}
	out.find(t, "(session.created)")
	holds(10*time.Second, func() bool { // if not, the comparison below says so
		receiver.mu.Lock()
		defer receiver.mu.Unlock()
		return len(receiver.ids) >= 3
	})
	if code := stop(); code != 0 {
		t.Errorf("interrupted, it exits with %d: %s", code, errs)
	}
	if strings.Join(receiver.ids, " ") != strings.Join(want, " ") {
		t.Errorf("received %q, want %q", receiver.ids, want)
	}
	for _, err := range receiver.errs {
		t.Errorf("signature: %v", err)
	}
	code, all, _ := tollgate(t, env, "", "events", "tail", "-after", "", "-once", "-json")
	if code != 0 || strings.Count(all, "\n") != 4 {
		t.Errorf("all events so far: %d\n%s", code, all)
	}
	code, rest, _ := tollgate(t, env, "", "events", "tail", "-after", want[1], "-once")
	if code != 0 || strings.Count(rest, "\n") != 1 || !strings.Contains(rest, want[2]) {
		t.Errorf("after the second: %d\n%s", code, rest)
	}
}

func TestResendAsksForTheDelivery(t *testing.T) {
	var path, method string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, method = r.URL.Path, r.Method
		fmt.Fprint(w, `{"id":"wd_2","event":"evt_cs_1","state":"pending"}`)
	}))
	defer front.Close()
	code, out, _ := tollgate(t, []string{"TOLLGATE_URL=" + front.URL}, "", "events", "resend", "wd_1")
	if code != 0 || method != http.MethodPost || path != "/v1/webhook_deliveries/wd_1/resend" || !strings.Contains(out, "evt_cs_1") {
		t.Errorf("%d %s %s %q", code, method, path, out)
	}
}

func TestSandboxIsTheSimulatorsAlone(t *testing.T) {
	out, _, stop := background(t, nil, "sandbox", "-sandbox-listen", "127.0.0.1:0", "-listen", "127.0.0.1:0", "-data", t.TempDir())
	box := out.find(t, `The sandbox is at (\S+)/`)
	res, err := http.Get(box + "/ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || strings.TrimSpace(string(body)) != "[]" {
		t.Errorf("ledger: %s %v", body, err)
	}
	out.find(t, "(Gateways' demo credentials)")
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestMigrateMakesTheTablesAndDoctorFindsThem(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if code, out, _ := tollgate(t, nil, "", "doctor", "-data", data); code != 0 || !strings.Contains(out, "new") {
		t.Errorf("before: %d %s", code, out)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Error("doctor made the folder")
	}
	if code, out, errs := tollgate(t, nil, "", "migrate", "-data", data); code != 0 || !strings.Contains(out, "up to date") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if code, out, _ := tollgate(t, nil, "", "doctor", "-data", data); code != 0 || !strings.Contains(out, "tables up to date") || !strings.Contains(out, "nothing is wrong") {
		t.Errorf("after: %d %s", code, out)
	}
}

func TestDoctorNamesEveryFaultOfTheConfigurationAndExitsWith1(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tollgate.toml")
	text := "public_url = \"http://x\"\nwhat = 1\n[[merchant]]\nid = \"a\"\n[account.x]\ngateway = \"rbs\"\n[account.x.settings]\nbase_url = \"http://bank.example\"\nwrong = 1\n[account.y]\ngateway = \"nobody\"\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := tollgate(t, nil, "", "doctor", "-config", name)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{":1: public_url", ":2: what", ":3: merchant.name", ":3: merchant: an API key", ":9: account.x.settings.wrong: is not", ":8: account.x.settings.base_url: must be https", ":7: account.x.settings.user_name", `:10: account.y: gateway "nobody"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}

func TestARestoreIsDeclaredWithTheTimeOfItsCopy(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"restored", "-data", dir}, 0, "every order is asked about"},
		{[]string{"restored", "-data", dir, "-copied", "2026-11-01T03:00:00Z"}, 0, "every order is asked about"},
		{[]string{"restored", "-data", dir, "-copied", "yesterday"}, 2, "is not a time"},
		{[]string{"restored", "-data", dir, "-copied", "2999-11-01T03:00:00Z"}, 2, "still to come"},
	} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), c.args, nil, nil, &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%v: %d, %s%s", c.args, code, out.String(), errs.String())
		}
	}
}
