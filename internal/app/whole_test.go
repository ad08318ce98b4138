package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/config"
)

const root = "../../"

// house is what a gateway has to stand in, beside the gateway map.
type house struct {
	demo       config.Config
	simulators []string
}

func readHouse(t *testing.T) (h house) {
	t.Helper()
	a := &App{o: Options{Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler), SandboxURL: "http://localhost:8081", FrontURL: "http://127.0.0.1:8080"}
	a.demo(&h.demo)
	parts, err := a.buildSandbox()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parts.env.Close() })
	for _, g := range parts.gateways {
		h.simulators = append(h.simulators, g.Name())
	}
	return h
}

// missing names the places that lack the gateway.
func (h house) missing(gateway string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, file := range []string{"config.go", "client.go", gateway + ".go"} {
		if name := "providers/" + gateway + "/" + file; !exists(name) {
			fault("%s: no such file", name)
		}
	}
	if !contains("providers/"+gateway+"/*_test.go", regexp.MustCompile(`\bprovidertest\.Run\(`)) {
		fault("providers/%s: no test calls providertest.Run", gateway)
	}
	if name := "internal/sandbox/" + gateway + "/gateway.go"; !exists(name) {
		fault("%s: no such file: it has no simulator", name)
	}
	if !slices.Contains(h.simulators, gateway) {
		fault("internal/app/sandbox.go: buildSandbox has no simulator %q", gateway)
	}
	if account, ok := h.demo.Accounts[gateway]; !ok || account.Gateway != gateway {
		fault("internal/app/sandbox.go: demo has no account %q of gateway %q", gateway, gateway)
	}
	if !slices.Contains(h.demo.Merchants[0].Accounts, gateway) {
		fault("internal/app/sandbox.go: the demo merchant may not use the account %q", gateway)
	}
	for _, page := range []string{"README.md", "docs/gateways/README.md"} {
		if !contains(page, regexp.MustCompile(`(?m)^\| \|.* `+gateway+` \|`)) {
			fault("%s: the table of what each gateway offers has no column %q: run go generate ./...", page, gateway)
		}
	}
	if name := "docs/gateways/" + gateway + ".md"; !exists(name) {
		fault("%s: no such page", name)
	}
	if !contains("tollgate.example.toml", regexp.MustCompile(`(?m)^#? ?gateway = "`+gateway+`"`)) {
		fault("tollgate.example.toml: no account shows gateway = %q", gateway)
	}
	return faults
}

func exists(name string) bool {
	_, err := os.Stat(root + name)
	return err == nil
}

// contains tells whether one of the files has a text.
func contains(pattern string, text *regexp.Regexp) bool {
	files, _ := filepath.Glob(root + pattern) // no file: it does not
	return slices.ContainsFunc(files, func(name string) bool {
		raw, err := os.ReadFile(name)
		return err == nil && text.Match(raw)
	})
}

func TestEveryGatewayStandsWhereverOneHasTo(t *testing.T) {
	h := readHouse(t)
	for _, gateway := range Gateways() {
		for _, fault := range h.missing(gateway) {
			t.Error(fault)
		}
	}
}

// The other way round: what looks like a gateway is in the map.
func TestWhateverLooksLikeAGatewayIsInTheGatewayMap(t *testing.T) {
	h := readHouse(t)
	looks := map[string]string{} // by name, where it was seen
	see := func(pattern string, name func(file string) string) {
		files, err := filepath.Glob(root + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			looks[name(file)] = strings.TrimPrefix(file, root)
		}
	}
	folder := func(file string) string { return filepath.Base(filepath.Dir(file)) }
	see("providers/*/*.go", folder)
	see("internal/sandbox/*/gateway.go", folder)
	see("docs/gateways/*.md", func(file string) string { return strings.TrimSuffix(filepath.Base(file), ".md") })
	for _, name := range h.simulators {
		looks[name] = "internal/app/sandbox.go"
	}
	for _, other := range []string{"providertest", "wire", "README", "coverage"} {
		delete(looks, other)
	}
	for name, where := range looks {
		if !slices.Contains(Gateways(), name) {
			t.Errorf("internal/app/gateways.go: gateways has no line %q, and %s is there", name, where)
			for _, fault := range h.missing(name) {
				t.Error(fault)
			}
		}
	}
}

// A gateway that is nowhere is told every place, so that none of the checks above has gone blind.
func TestAForgottenGatewayIsReportedWithEveryPlace(t *testing.T) {
	faults := strings.Join(readHouse(t).missing("nowhere"), "\n")
	for _, place := range []string{
		"providers/nowhere/config.go", "providers/nowhere/client.go", "providers/nowhere/nowhere.go", "calls providertest.Run",
		"internal/sandbox/nowhere/gateway.go", "buildSandbox", "demo has no account", "demo merchant", "\nREADME.md", "docs/gateways/README.md",
		"docs/gateways/nowhere.md", "tollgate.example.toml",
	} {
		if !strings.Contains(faults, place) {
			t.Errorf("%s is not named:\n%s", place, faults)
		}
	}
}
