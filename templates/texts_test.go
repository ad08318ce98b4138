package templates

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// textIDs are the ids of the English texts; that the other languages have the same is tested in package i18n.
func textIDs(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("../internal/i18n/locales/en.toml")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := toml.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for id := range m {
		ids[id] = true
	}
	return ids
}

// literals are the string literals of the pages, and which of them are surely ids.
func literals(t *testing.T) (all, ids map[string]bool) {
	t.Helper()
	all, ids = map[string]bool{}, map[string]bool{}
	pages, err := filepath.Glob("*.templ")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages")
	}
	quoted, id := regexp.MustCompile(`"(\w+)"`), regexp.MustCompile(`(?:\b(?:T|words)\(|\btitle\(p\.Layout, )"(\w+)"`)
	for _, p := range pages {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllSubmatch(b, -1) {
			all[string(m[1])] = true
		}
		for _, m := range id.FindAllSubmatch(b, -1) {
			ids[string(m[1])] = true
		}
	}
	for _, name := range []string{"texts.go", "fields.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				all[s] = true
			}
			return true
		})
	}
	for _, v := range declineTexts {
		ids[v] = true
	}
	for _, v := range cardErrorTexts {
		ids[v] = true
	}
	for _, v := range loginErrorTexts {
		ids[v] = true
	}
	for _, o := range append([]Outcome{""}, allOutcomes()...) {
		t := ResultPage{Outcome: o}.texts()
		ids[t.title], ids[t.text] = true, true
	}
	for id, own := range transferTexts {
		ids[id], ids[own] = true, true
	}
	for _, f := range append((CardPage{AskTo: true}).fields(), (SavedCardsPage{}).cvcField()) {
		for _, v := range []string{f.label, f.hint, f.missing, f.invalid, f.past} {
			ids[v] = v != ""
		}
	}
	delete(ids, "")
	return all, ids
}

func allOutcomes() []Outcome {
	var all []Outcome
	for o := range outcomes {
		all = append(all, o)
	}
	return all
}

func TestEveryTextThatAPageShowsExists(t *testing.T) {
	texts := textIDs(t)
	_, ids := literals(t)
	if len(ids) < 80 {
		t.Fatalf("only %d ids were found", len(ids))
	}
	for id := range ids {
		if !texts[id] {
			t.Errorf("no text for %q", id)
		}
	}
}

func TestEveryTextIsShownSomewhere(t *testing.T) {
	all, _ := literals(t)
	for id := range textIDs(t) {
		if !all[id] {
			t.Errorf("no page shows %q", id)
		}
	}
}

// A new error without a text would leave the field marked and silent.
func TestEveryErrorHasAText(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "models.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, _ := spec.Type.(*ast.Ident)
		lit, _ := spec.Values[0].(*ast.BasicLit)
		if kind == nil || lit == nil {
			return true
		}
		value := strings.Trim(lit.Value, `"`)
		switch kind.Name {
		case "CardError":
			n++
			if cardErrorTexts[CardError(value)] == "" {
				t.Errorf("no text for %s", spec.Names[0])
			}
		case "LoginError":
			n++
			if loginErrorTexts[LoginError(value)] == "" {
				t.Errorf("no text for %s", spec.Names[0])
			}
		case "Outcome":
			n++
			if _, ok := outcomes[Outcome(value)]; !ok {
				t.Errorf("no text for %s", spec.Names[0])
			}
		}
		return true
	})
	if n < 20 {
		t.Fatalf("only %d constants were found", n)
	}
}
