package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tollgate/internal/webhook"
	"tollgate/session"
)

// Whoever adds an event, a language, a setting has to touch several places. The tests here, and those of the rooms, name each
// place that was forgotten.

// eventLists are the files that name events by their text; all others name the constants. Tests say what stands on the wire.
var eventLists = []string{"session/events.go", "internal/webhook/events.go"}

func TestEventsAreNamedInTheirListsOnly(t *testing.T) {
	known := session.EventTypes()
	for _, e := range webhook.Events() {
		known = append(known, e.Type)
	}
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
