package handlers_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

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
