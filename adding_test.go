package main

import (
	"go/ast"
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

// The contract lists the languages of package i18n, in its order, and no code lists them again.
func TestEveryListOfLanguagesIsTheOneOfPackageI18n(t *testing.T) {
	tags := i18n.Languages()
	line := "    Locale:\n      type: string\n      enum: [" + strings.Join(tags, ", ") + "]\n"
	if !strings.Contains(document(t, "handlers/openapi.yaml"), line) {
		t.Errorf("handlers/openapi.yaml lacks %q, the languages of internal/i18n: go generate ./...", line)
	}
	// A language is a file and an entry of i18n.All. Nothing else names those that came after the first three.
	everyFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".gen.go") || strings.HasPrefix(name, "internal/i18n/") || ast.IsGenerated(file) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && slices.Contains(tags[3:], text) {
				t.Errorf("%s names the language %q: let it ask internal/i18n", name, text)
			}
			return true
		})
	})
}

// That a setting stands in tollgate.example.toml is tested in internal/app.
func TestEverySettingOfTheFirstPartHasItsNameInTheEnvironmentAndInTheReadme(t *testing.T) {
	readme, settings := document(t, "README.md"), 0
	for f := range reflect.TypeFor[config.Config]().Fields() {
		name := f.Tag.Get("toml")
		if name == "" || name == "-" || name == "merchant" || name == "account" || name == "limits" || name == "mail" { // tables have no name there
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
