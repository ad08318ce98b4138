package app

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"tollgate/internal/account"
	"tollgate/internal/clock"
	"tollgate/internal/config"
	"tollgate/providers"
)

// Gateways are the names of all gateways, sorted. It is the one list of them: everything else is compared with it by tests.
func Gateways() []string { return slices.Sorted(maps.Keys(gateways())) }

//go:generate go run ./capabilities ../../docs/gateways/README.md ../../README.md
//go:generate go run ./scripts ../../docs/scripts.md

// WriteCapabilities prints docs/gateways/README.md.
func WriteCapabilities(w io.Writer) error {
	table, err := CapabilityTable()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# What each gateway offers\n\nGenerated from the code by `go generate ./...`; `GET /v1/accounts` answers the same. Do not edit.\n\n" + table)
	exits, err := ExitTable()
	if err != nil {
		return err
	}
	b.WriteString("\n" + exits + "\nSettings, call order, mapping tables and assumptions:")
	for i, name := range Gateways() {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " [%s](%s.md)", name, name)
	}
	b.WriteString(".\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// ExitTable says of every gateway and step by which proof a payment can be left there, in Markdown.
func ExitTable() (string, error) {
	accounts, err := demoAccounts()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# How a payment can be left\n\nWhile the shopper or the bank is awaited. **withholds**: no money can move without one more " +
		"call of ours, and the permission for it is used up without sending. **closes**: the gateway makes the order unpayable. **outlives**: " +
		"neither; the bank may take it until the order's life is over, and no second card begins before.\n\n| gateway | step | left by |\n|---|---|---|\n")
	for _, name := range Gateways() {
		stops := accounts[name].Stops()
		if len(stops) == 0 {
			return "", fmt.Errorf("providers/%s lists no steps (providers.Leaver)", name)
		}
		for _, stop := range stops {
			var ways []string
			for _, exit := range stop.Exits(accounts[name].Closes()) {
				ways = append(ways, string(exit))
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, stop.Name, strings.Join(ways, ", "))
		}
	}
	return b.String(), nil
}

// demoAccounts are the sandbox's, one for each gateway at least.
func demoAccounts() (account.Accounts, error) {
	a := &App{o: Options{Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler), SandboxURL: "http://localhost:8081"}
	c := config.Config{Sandbox: true}
	a.demo(&c)
	return a.accounts(c)
}

// CapabilityTable is what each gateway offers, as its provider's interfaces say it, in Markdown. The accounts are the
// sandbox's; an account's own options may narrow what it offers.
func CapabilityTable() (string, error) {
	accounts, err := demoAccounts()
	if err != nil {
		return "", err
	}
	names := Gateways()
	offers := map[string][]string{}
	var rows []string
	for _, name := range names {
		acc, known := accounts[name]
		if !known {
			return "", fmt.Errorf("internal/app/sandbox.go: demo has no account %q", name)
		}
		offers[name] = acc.Capabilities()
		for _, o := range offers[name] {
			if !slices.Contains(rows, o) {
				rows = append(rows, o)
			}
		}
	}
	slices.Sort(rows)
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, row := range rows {
		b.WriteString("| " + strings.ReplaceAll(row, "_", " "))
		for _, name := range names {
			cell := ""
			if slices.Contains(offers[name], row) {
				cell = "yes" + limits(accounts[name].Operations(), providers.OpKind(row))
			}
			b.WriteString(" | " + cell)
		}
		b.WriteString(" |\n")
	}
	return b.String(), nil
}

func limits(operations []providers.OpLimits, kind providers.OpKind) string {
	for _, k := range operations {
		if k.Kind != kind {
			continue
		}
		var words []string
		if k.Partial {
			words = append(words, "in part")
		}
		if k.Once {
			words = append(words, "once")
		}
		if len(words) > 0 {
			return ", " + strings.Join(words, ", ")
		}
	}
	return ""
}
