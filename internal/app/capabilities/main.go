// Command capabilities writes what the providers implement: a page of its own, and the table in the README.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"tollgate/internal/app"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: capabilities PAGE README")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The table in the README stands between these lines.
const (
	begin = "<!-- capabilities: generated, do not edit -->\n"
	end   = "<!-- /capabilities -->\n"
)

func write(page, readme string) error {
	var b bytes.Buffer
	if err := app.WriteCapabilities(&b); err != nil {
		return err
	}
	if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
		return err
	}
	table, err := app.CapabilityTable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the table", readme)
	}
	return os.WriteFile(readme, []byte(before+begin+"\n"+table+"\n"+end+after), 0o644)
}
