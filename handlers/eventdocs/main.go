// Command eventdocs writes the list of events into the contract and the guide, between the lines that mark its place there, and the
// list of languages into the contract.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"tollgate/internal/i18n"
	"tollgate/internal/invoice"
	"tollgate/internal/webhook"
	"tollgate/session"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: eventdocs CONTRACT GUIDE")
		os.Exit(2)
	}
	for i, list := range []string{contract(), guide()} {
		if err := write(os.Args[1+i], list); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(name, list string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text, err := between(string(old), list)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	text = locales.ReplaceAllString(text, "${1}"+strings.Join(i18n.Languages(), ", ")+"]")
	return os.WriteFile(name, []byte(text), 0o644)
}

// locales are the languages of the pages, in the contract.
var locales = regexp.MustCompile(`(?m)(^    Locale:\n      type: string\n      enum: \[).*\]$`)

// The marks: the list stands on the lines between a line that holds the one and a line that holds the other.
const (
	begin = "events: generated from session/events.go, internal/invoice/events.go and internal/webhook/events.go by go generate"
	end   = "events: end"
)

// between puts the list in its place in a text.
func between(text, list string) (string, error) {
	head, rest, found := strings.Cut(text, begin)
	line, rest, more := strings.Cut(rest, "\n")
	i := strings.Index(rest, end)
	if !found || !more || i < 0 {
		return "", fmt.Errorf("it lacks the line %q or the line %q after it", begin, end)
	}
	i = strings.LastIndex(rest[:i], "\n") + 1
	return head + begin + line + "\n" + list + rest[i:], nil
}

// events are all there are: of sessions, then of invoices, then of webhook endpoints.
func events() []webhook.EventDoc {
	var all []webhook.EventDoc
	for _, e := range session.Events() {
		all = append(all, webhook.EventDoc{Type: string(e.Type), Doc: e.Doc})
	}
	for _, e := range invoice.Events() {
		all = append(all, webhook.EventDoc(e))
	}
	return append(all, webhook.Events()...)
}

// contract is the schema of an event's type: an open enumeration, which has no name of its own in OpenAPI 3.0.
func contract() string {
	var b strings.Builder
	b.WriteString(`    EventType:
      type: string
      pattern: '^[a-z_]+\.[a-z_]+$'
      description: |
        What happened. There may be more of them one day: let those pass that you do not know.

        | type | what it tells |
        |---|---|
`)
	for _, e := range events() {
		fmt.Fprintf(&b, "        | `%s` | %s |\n", e.Type, e.Doc)
	}
	b.WriteString("      example: payment.paid\n      x-extensible-enum:\n")
	for _, e := range events() {
		fmt.Fprintf(&b, "        - %s\n", e.Type)
	}
	return b.String()
}

// guide is the list for people.
func guide() string {
	var b strings.Builder
	b.WriteString("\n| event | what it tells |\n|---|---|\n")
	for _, e := range events() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Type, e.Doc)
	}
	b.WriteString("\n")
	return b.String()
}
