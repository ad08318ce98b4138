package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tollgate/internal/config"
	"tollgate/internal/i18n"
	"tollgate/internal/invoice"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// Whoever adds an event, a language, a setting has to touch several places. The tests here, and those of the rooms, name each
// place that was forgotten.

// eventLists are the files that name events by their text; all others name the constants. Tests say what stands on the wire.
var eventLists = []string{"session/events.go", "internal/webhook/events.go", "internal/invoice/events.go"}

func TestEventsAreNamedInTheirListsOnly(t *testing.T) {
	known := session.EventTypes()
	for _, e := range webhook.Events() {
		known = append(known, e.Type)
	}
	known = append(known, invoice.EventTypes()...)
	seen := map[string]bool{}
	everyFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "internal/webhook/webhooktest/") || ast.IsGenerated(file) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil || !slices.Contains(known, text) {
					return true
				}
				seen[text] = true
				if !slices.Contains(eventLists, name) {
					t.Errorf("%s: the event %q is a string: name its constant, of %s", name, text, strings.Join(eventLists, " or "))
				}
			}
			return true
		})
	})
	for _, e := range known {
		if !seen[e] {
			t.Errorf("the event %q stands in none of %v: the walk is broken", e, eventLists)
		}
	}
}

// Places that package i18n cannot reach list its languages themselves; the order is the same everywhere.
func TestEveryListOfLanguagesIsTheOneOfPackageI18n(t *testing.T) {
	var tags, names []string
	for _, l := range i18n.All() {
		tags, names = append(tags, l.Tag), append(names, l.Name)
	}
	spoken := make([]string, 0, 2*len(tags)) // the tag and the name of each
	for i := range tags {
		spoken = append(spoken, tags[i], names[i])
	}
	for name, want := range map[string][]string{"internal/sandbox/shop/shop.go": spoken, "e2e/pages_test.go": tags} {
		if got := textsOf(t, name, "languages"); !slices.Equal(got, want) {
			t.Errorf("%s: languages are %q, those of internal/i18n %q", name, got, want)
		}
	}
	for name, line := range map[string]string{
		"handlers/openapi.yaml":    "    Locale:\n      type: string\n      enum: [" + strings.Join(tags, ", ") + "]\n",
		"internal/cli/sessions.go": "`LANGUAGE` of the pages: " + strings.Join(tags, ", ") + `"`,
	} {
		if !strings.Contains(document(t, name), line) {
			t.Errorf("%s lacks %q, the languages of internal/i18n", name, line)
		}
	}
}

// That a setting stands in tollgate.example.toml is tested in internal/app.
func TestEverySettingOfTheFirstPartHasItsNameInTheEnvironmentAndInTheReadme(t *testing.T) {
	readme, settings := document(t, "README.md"), 0
	for f := range reflect.TypeFor[config.Config]().Fields() {
		name := f.Tag.Get("toml")
		if name == "" || name == "-" || name == "merchant" || name == "account" || name == "limits" { // tables have no name there
			continue
		}
		settings++
		want := strings.ToUpper(name)
		if got := f.Tag.Get("env"); got != want {
			t.Errorf("internal/config/config.go: the setting %q has the environment name %q, not %q", name, got, want)
		}
		if !strings.Contains(readme, "`"+config.EnvPrefix+want+"`") {
			t.Errorf("README.md lacks `%s%s`, the environment's name of the setting %q", config.EnvPrefix, want, name)
		}
	}
	if settings < 10 {
		t.Errorf("%d settings were found: the walk is broken", settings)
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// textsOf are the strings in the value of a file's variable.
func textsOf(t *testing.T, name, variable string) (texts []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != variable {
			return true
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text)
			}
			return true
		})
		return false
	})
	return texts
}
