package handlers_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/handlers"
	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/threeds"
)

// constants are the constants of a type in a file.
func constants(t *testing.T, name, of string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, isLit := spec.Values[0].(*ast.BasicLit)
		if kind, ok := spec.Type.(*ast.Ident); ok && isLit && kind.Name == of {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, text)
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s: no constant of type %s was found", name, of)
	}
	return values
}

// elsewhere are the steps that are not the browser's: the shopper waits, or the try has ended.
var elsewhere = []providers.Kind{providers.Wait, providers.Resend, providers.Finished, providers.Declined}

// Each step of the browser's, and what its page holds.
var steps = map[providers.Kind]struct {
	step  providers.Step
	holds string
}{
	providers.Method: {providers.Step{Forms: []threeds.Form{{Action: "https://bank.example/method"}}}, "/frame/1/0"},
	providers.Challenge: {
		providers.Step{Forms: []threeds.Form{{Action: "https://bank.example/challenge", Fields: []threeds.Field{{Name: "creq", Value: "e30"}}}}},
		`action="https://bank.example/challenge"`,
	},
	providers.PayerPage: {
		providers.Step{Forms: []threeds.Form{{Action: "https://bank.example/payer", Fields: []threeds.Field{{Name: "PaReq", Value: "e30"}}}}},
		`action="https://bank.example/payer"`,
	},
	providers.Page:     {providers.Step{HTML: "<p>gateway</p>"}, "/page/1"},
	providers.Redirect: {providers.Step{Link: "https://gateway.example/go"}, "https://gateway.example/go"},
	providers.Scan:     {providers.Step{Link: "https://qr.example/1"}, "https://qr.example/1"},
	providers.AskCard:  {providers.Step{}, "Enter the same card again"},
}

// stepGateway is a gateway that answers a payment with a step.
type stepGateway struct {
	fullGateway
	step providers.Step
}

func (g stepGateway) Pay(_ context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	g.step.V, g.step.Ref, g.step.NewRun = providers.StepVersion, p.Ref, true
	return g.step, nil
}

func (g stepGateway) Status(_ context.Context, p providers.Payment) (providers.Standing, error) {
	return providers.Standing{Outcome: providers.Waiting, Ref: p.Ref, Reference: p.Ref.Reference, Amount: p.Amount}, nil
}

func TestEveryBrowserStepHasItsPage(t *testing.T) {
	for _, name := range constants(t, "../providers/providers.go", "Kind") {
		kind := providers.Kind(name)
		if slices.Contains(elsewhere, kind) {
			continue
		}
		want, known := steps[kind]
		if !known {
			t.Errorf("handlers/view_test.go: steps lacks the step %q, or elsewhere does", kind)
			continue
		}
		t.Run(name, func(t *testing.T) {
			want.step.Kind = kind
			asks := func(g *gateway) providers.Provider { return stepGateway{fullGateway{g}, want.step} }
			m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: asks})
			path, b := m.opens("g", ""), &shopper{m: m}
			typed := url.Values{"number": {"4000 0199 0002 0720"}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}}
			b.press(b.see(path), path+"/card", typed).is(http.StatusSeeOther, "")
			s, err := m.store.Load(t.Context(), strings.TrimPrefix(path, "/pay/"))
			if err != nil {
				t.Fatal(err)
			}
			if a := s.Last(); a == nil || a.State != session.Shopper || a.Step == nil || a.Step.Kind != kind {
				t.Fatalf("session/step.go: applyStep does not give the browser the step %q", kind)
			}
			if at := handlers.PageOf(s); at == "working" {
				t.Fatalf("handlers/view.go: stepPage has no page for the step %q: the shopper waits", kind)
			}
			if page := b.see(path); !strings.Contains(page, want.holds) {
				t.Errorf("handlers/screens.go: the page of the step %q lacks %q: %s", kind, want.holds, page)
			}
		})
	}
}

func TestEveryStateOfAnAttemptAndEveryStatusHasItsPage(t *testing.T) {
	pages := map[session.State]string{
		session.New: "working", session.Calling: "working", session.Gateway: "working", session.Shopper: "working", // its step was answered
		session.Unknown: "checking", session.Mismatched: "checking",
	}
	for _, name := range constants(t, "../session/states.go", "State") {
		state := session.State(name)
		if !state.Live() {
			continue
		}
		s := &session.Session{Attempts: []*session.Attempt{{N: 1, State: state, Runs: []*session.Run{{N: 1}}}}}
		if want, known := pages[state]; !known {
			t.Errorf("handlers/view.go: which page has the state %q? This test has to know it too", state)
		} else if got := handlers.PageOf(s); got != want {
			t.Errorf("handlers/view.go: an attempt that is %q is at the page %q, not %q", state, got, want)
		}
	}
	going := []session.Status{session.StatusOpen, session.StatusActionRequired, session.StatusProcessing}
	for _, name := range constants(t, "../session/status.go", "Status") {
		if status := session.Status(name); !slices.Contains(going, status) && !handlers.HasOutcome(status) {
			t.Errorf("handlers/screens.go: outcomes lacks the status %q", status)
		}
	}
}

// challenged is a gateway whose payment waits for the bank's answer; it writes down what is forwarded to it.
type challenged struct {
	stepGateway
	forwarded *[]providers.Answer
	mu        *sync.Mutex
}

func (g challenged) Resume(_ context.Context, p providers.Payment, a providers.Answer) (providers.Step, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*g.forwarded = append(*g.forwarded, a)
	return providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}, nil
}

// atBank is a machine with one payment that is at the bank with the given step.
func atBank(t *testing.T, step providers.Step) (m *machine, path string, b *shopper, forwarded func() []providers.Answer) {
	t.Helper()
	var answers []providers.Answer
	var mu sync.Mutex
	asks := func(g *gateway) providers.Provider {
		return challenged{stepGateway{fullGateway{g}, step}, &answers, &mu}
	}
	m = boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: asks})
	path, b = m.opens("g", ""), &shopper{m: m}
	typed := url.Values{"number": {"4000 0199 0002 0720"}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}}
	b.press(b.see(path), path+"/card", typed).is(http.StatusSeeOther, "")
	return m, path, b, func() []providers.Answer {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(answers)
	}
}

// runOf is the token of the payment's latest run.
func (m *machine) runOf(path string) (token string, version int64) {
	m.t.Helper()
	s, err := m.store.Load(m.t.Context(), strings.TrimPrefix(path, "/pay/"))
	if err != nil {
		m.t.Fatal(err)
	}
	runs := s.Last().Runs
	return runs[len(runs)-1].Token, int64(s.Version)
}

// The largest messages that banks and gateways make pass our pages and come back byte for byte: a CReq of 64 KB, a PaReq of 16 KB with the
// characters that forms spoil, session data of 1,024 bytes, a page of 300 KB.
func TestTheLargestMessagesPassByteForByte(t *testing.T) {
	raw := make([]byte, 200<<10)
	for i := range raw {
		raw[i] = byte(i*i>>3 ^ i)
	}
	creq, pareq := base64.RawURLEncoding.EncodeToString(raw[:48<<10]), base64.StdEncoding.EncodeToString(raw[:12<<10+1])
	data := strings.Repeat("s", 1024)
	for kind, form := range map[providers.Kind]threeds.Form{
		providers.Challenge: {Action: "https://bank.example/c", Fields: []threeds.Field{{Name: "creq", Value: creq}, {Name: "threeDSSessionData", Value: data}}},
		providers.PayerPage: {Action: "https://bank.example/p", Fields: []threeds.Field{{Name: "PaReq", Value: pareq}, {Name: "MD", Value: "m+d/=="}}},
	} {
		m, path, b, forwarded := atBank(t, providers.Step{Kind: kind, Forms: []threeds.Form{form}})
		page := b.see(path)
		for _, field := range form.Fields {
			if !strings.Contains(page, `value="`+field.Value+`"`) {
				t.Errorf("%s: %s of %d bytes is not in the page as it came", kind, field.Name, len(field.Value))
			}
		}
		token, _ := m.runOf(path)
		back := url.Values{"cres": {creq}, "threeDSSessionData": {data}}
		if kind == providers.PayerPage {
			back = url.Values{"PaRes": {pareq}, "MD": {"m+d/=="}}
		}
		if got := m.call(http.MethodPost, "/3ds/"+token+"/return", back.Encode(), "Content-Type", "application/x-www-form-urlencoded"); got.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", kind, got.Code, got.Body)
		}
		eventually(t, func() bool { return len(forwarded()) == 1 })
		if a := forwarded()[0]; a.CRes != back.Get("cres") || a.PaRes != back.Get("PaRes") || a.MD != back.Get("MD") {
			t.Errorf("%s: forwarded otherwise: %d and %d bytes", kind, len(a.CRes), len(a.PaRes))
		}
		over := url.Values{"cres": {strings.Repeat("A", 600<<10)}}
		if got := m.call(http.MethodPost, "/3ds/"+token+"/return", over.Encode(), "Content-Type", "application/x-www-form-urlencoded"); got.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: more than there can be is answered %d", kind, got.Code)
		}
	}
	html := "<!doctype html><p>" + base64.StdEncoding.EncodeToString(raw) + "</p>"
	_, path, b, _ := atBank(t, providers.Step{Kind: providers.Page, HTML: html})
	if got := b.send(http.MethodGet, path+"/page/1", ""); got.Body.String() != html || !strings.Contains(got.Header().Get("Content-Security-Policy"), "sandbox ") {
		t.Errorf("a page of %d bytes comes with %d, under %q", len(html), got.Body.Len(), got.Header().Get("Content-Security-Policy"))
	}
}

// Ten thousand returns with tokens of nobody's, or with ids of another authentication under the payment's own: the answers of each kind are
// alike to the byte, nothing is forwarded, and the payment is as it was.
func TestTenThousandForgedReturnsChangeNothingAndAreAnsweredAlike(t *testing.T) {
	const id = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e"
	m, path, _, forwarded := atBank(t, providers.Step{
		Kind: providers.Challenge, ThreeDS: threeds.IDs{ThreeDSServerTransID: id},
		Forms: []threeds.Form{{Action: "https://bank.example/c", Fields: []threeds.Field{{Name: "creq", Value: "e30"}}}},
	})
	token, version := m.runOf(path)
	answers := map[string]int{}
	for i := range 10_000 {
		forged := fmt.Sprintf("%08x-d2d2-4067-bcb1-b08d1690b26e", i)
		cres := base64.RawURLEncoding.EncodeToString([]byte(`{"messageType":"CRes","messageVersion":"2.2.0","threeDSServerTransID":"` + forged + `","acsTransID":"` + id + `","transStatus":"Y"}`))
		to, what := token, "own token"
		if i%4 > 0 {
			sum := sha256.Sum256([]byte(forged))
			to, what = base64.RawURLEncoding.EncodeToString(sum[:20]), "no token"
		}
		door := []string{"return", "notify"}[i/4%2]
		got := m.call(http.MethodPost, "/3ds/"+to+"/"+door, url.Values{"cres": {cres}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "X-Request-Id", "same")
		answers[fmt.Sprintf("%s at %s: %d %s %s", what, door, got.Code, got.Header().Get("Location"), nonces.ReplaceAllString(got.Body.String(), ""))]++
	}
	if len(answers) != 4 {
		for answer, n := range answers {
			t.Errorf("%d times %.200s", n, answer)
		}
	}
	if now, at := m.runOf(path); now != token || at != version || len(forwarded()) != 0 {
		t.Errorf("the payment changed: version %d, then %d; %d answers forwarded", version, at, len(forwarded()))
	}
}

var nonces = regexp.MustCompile(`nonce="[^"]*"|[0-9a-f]{16}`)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !what(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}
