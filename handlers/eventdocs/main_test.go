package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"tollgate/internal/security"
)

func TestTheContractAndTheGuideListTheEventsAsTheCodeDoes(t *testing.T) {
	for name, list := range map[string]string{"../openapi.yaml": contract(), "../../docs/api/guide.md": guide()} {
		old, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := between(string(old), list)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text != string(old) {
			t.Errorf("%s lists other events than session/events.go and internal/webhook/events.go: run go generate ./...", name)
		}
	}
}

// A document that names an event that there is not misleads whoever waits for it.
func TestTheDocumentsNameNoEventThatThereIsNot(t *testing.T) {
	known, groups := map[string]bool{}, map[string]bool{}
	for _, e := range events() {
		known[e.Type] = true
		group, _, _ := strings.Cut(e.Type, ".")
		groups[group] = true
	}
	for _, k := range security.Kinds() { // of the security log, which operations.md explains
		known[string(k.Kind)] = true
	}
	named := 0
	for _, name := range []string{
		"../openapi.yaml", "../../docs/api/guide.md", "../../docs/api/first-payment.md", "../../docs/operations.md", "../../docs/transitions.md",
		"../../README.md",
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("[`\"]([a-z_]+)\\.([a-z_]+)[`\"]").FindAllStringSubmatch(string(text), -1) {
			if event := m[1] + "." + m[2]; groups[m[1]] && !known[event] {
				t.Errorf("%s names the event %q, which is not in the lists", name, event)
			} else if groups[m[1]] {
				named++
			}
		}
	}
	if named < 80 {
		t.Errorf("%d events were found in the documents: the search is broken", named)
	}
}
