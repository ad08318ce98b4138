package session

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tollgate/providers"
)

func TestEveryEventIsInTheListOnceWithALineThatSaysWhatItTells(t *testing.T) {
	var listed []EventType
	for _, e := range Events() {
		if slices.Contains(listed, e.Type) {
			t.Errorf("session/events.go: Events has %q twice", e.Type)
		}
		listed = append(listed, e.Type)
		if !regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(string(e.Type)) {
			t.Errorf("session/events.go: %q is no name of an event", e.Type)
		}
		if !strings.HasSuffix(e.Doc, ".") || strings.Contains(e.Doc, "\n") || strings.Contains(e.Doc, "|") {
			t.Errorf("session/events.go: %q needs one line of text: %q", e.Type, e.Doc)
		}
	}
	in := func(e EventType, why string) {
		if !slices.Contains(listed, e) {
			t.Errorf("session/events.go: Events lacks %q (%s)", e, why)
		}
	}
	named := constants(t, "events.go", "EventType")
	if len(named) < 20 {
		t.Fatalf("%d constants of EventType were found", len(named))
	}
	for name, value := range named {
		in(EventType(value), name)
	}
	for _, s := range states {
		if eventOf[s] == "" {
			t.Errorf("session/events.go: eventOf lacks the state %q", s)
			continue
		}
		in(eventOf[s], "attempt state "+string(s))
	}
	for name, kind := range constants(t, "../providers/providers.go", "OpKind") {
		if providers.OpKind(kind) == providers.Payout { // a session of its own kind, not an operation of one
			continue
		}
		for _, state := range constants(t, "states.go", "OpState") {
			in(OperationEvent(providers.OpKind(kind), OpState(state)), "providers."+name+", state "+state)
		}
	}
}

// constants are the constants of a type in a file, by name.
func constants(t *testing.T, name, of string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		lit, isLit := spec.Values[0].(*ast.BasicLit)
		if ok && isLit && kind.Name == of {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[spec.Names[0].Name] = text
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s: no constant of type %s was found", name, of)
	}
	return found
}

func TestTheNamesOfTheEventsAreThoseOfTheListInItsOrder(t *testing.T) {
	names := EventTypes()
	if len(names) != len(Events()) {
		t.Fatalf("%d names of %d events", len(names), len(Events()))
	}
	for i, e := range Events() {
		if names[i] != string(e.Type) {
			t.Errorf("name %d is %q, not %q", i, names[i], e.Type)
		}
	}
}
