package providers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// routes finds the calls that a simulator takes, in the files that list them.
var routes = map[string]*regexp.Regexp{
	"cashier":       regexp.MustCompile(`(?m)^\tpath\w+ += "(?:/identity)?/api/v1(/[^"]+)"`),
	"payneteasy":    regexp.MustCompile(`(?m)^\t"([a-z-]+)": +(?:\(\*Gateway\)|func)`),
	"rbs":           regexp.MustCompile(`(?m)^\t"([\w/]+\.do)": `),
	"sber":          regexp.MustCompile(`(?m)^\t"([a-z/]+)": +\{`),
	"transactworld": regexp.MustCompile(`(?:rest|bill)\+"(/[^"]+)"`),
}

var ticked = regexp.MustCompile("`([^`]+)`")

// helpers are the folders beside the gateways'.
var helpers = []string{"providertest", "wire"}

// gatewayFolders are the gateways that there are folders of.
func gatewayFolders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(helpers, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// The tables of docs/gateways name functions and tests that exist, and every call that the simulator takes.
func TestTheTablesOfCallsAreTrue(t *testing.T) {
	shared := functions(t, "../e2e/*_test.go")
	for _, gateway := range gatewayFolders(t) {
		route, known := routes[gateway]
		if !known {
			t.Errorf("providers/docs_test.go: routes does not say how the calls of %s are found", gateway)
			continue
		}
		page, err := os.ReadFile("../docs/gateways/" + gateway + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		_, tables, found := strings.Cut(string(page), "\n## Every call")
		if !found {
			t.Errorf("docs/gateways/%s.md has no table of calls", gateway)
			continue
		}
		provider, tests := functions(t, gateway+"/*.go"), functions(t, gateway+"/*_test.go", "../internal/sandbox/"+gateway+"/*_test.go")
		rows := 0
		for line := range strings.Lines(tables) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			if len(cells) != 3 || strings.HasPrefix(cells[2], "test") {
				continue
			}
			rows++
			if head, _, _ := strings.Cut(tables, "\nWhat the simulator refuses"); strings.Contains(head, line) && cells[1] != "simulator only" {
				names := ticked.FindAllStringSubmatch(cells[1], -1)
				for _, name := range names {
					if !provider[name[1]] {
						t.Errorf("%s: no function %s", gateway, name[1])
					}
				}
				if len(names) == 0 {
					t.Errorf("%s: nowhere: %s", gateway, line)
				}
			}
			for _, test := range strings.Split(strings.TrimSpace(cells[2]), ", ") {
				if !tests[test] && !shared[test] {
					t.Errorf("%s: no test %q", gateway, test)
				}
			}
		}
		if rows < 20 {
			t.Errorf("%s: %d rows", gateway, rows)
		}
		takes := 0
		for _, file := range []string{"gateway.go", "paths.go"} {
			source, err := os.ReadFile("../internal/sandbox/" + gateway + "/" + file)
			if err != nil {
				continue // not every simulator has a file of paths
			}
			for _, call := range route.FindAllStringSubmatch(string(source), -1) {
				takes++
				if !strings.Contains(tables, call[1]+"`") {
					t.Errorf("%s: the simulator takes %s, and the table does not name it", gateway, call[1])
				}
			}
		}
		if takes < 10 {
			t.Errorf("%s: %d calls found", gateway, takes)
		}
	}
}

var setting = regexp.MustCompile("toml:\"([a-z0-9_]+)\"")

func TestEverySettingIsExplained(t *testing.T) {
	for _, gateway := range gatewayFolders(t) {
		page, err := os.ReadFile("../docs/gateways/" + gateway + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		source, err := os.ReadFile(gateway + "/config.go")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range setting.FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(string(page), "`"+name[1]+"`") && !strings.Contains(string(page), "`["+name[1]+"]`") {
				t.Errorf("%s: %s is not explained", gateway, name[1])
			}
		}
	}
}

// functions are the names declared in files; methods by their own name and after their type's.
func functions(t *testing.T, patterns ...string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") != strings.HasSuffix(pattern, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				all[f.Name.Name] = true
				if f.Recv == nil {
					continue
				}
				receiver := f.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				if name, ok := receiver.(*ast.Ident); ok {
					all[name.Name+"."+f.Name.Name] = true
				}
			}
		}
	}
	return all
}
