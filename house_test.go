package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tollgate/internal/app"
)

// arrows lists what each part of the tree may import. A package belongs to the part with the longest matching path.
var arrows = map[string][]string{
	"":                       {"internal/cli"},
	"handlers":               {"templates/gallery", "session", "session/flow", "session/browser", "internal/account", "internal/wallet", "internal/invoice", "internal/reconcile", "threeds", "templates", "static", "providers", "internal/merchant", "internal/webhook", "internal/i18n", "internal/money", "internal/card", "internal/limit", "internal/security", "internal/look", "internal/mail"},
	"templates":              {"static", "internal/i18n", "internal/look", "templates/gallery"}, // the gallery only by the program that writes it to files
	"templates/gallery":      {"templates", "static", "internal/i18n", "internal/card", "internal/look"},
	"static":                 {},
	"session":                {"providers", "threeds", "internal/money", "internal/card"},
	"session/flow":           {"session", "internal/account", "internal/wallet", "internal/jobs", "internal/card", "providers", "threeds"},
	"session/browser":        {},
	"session/storetest":      {"session", "session/flow", "internal/wallet", "internal/invoice", "providers", "threeds", "internal/money", "internal/card", "internal/jobs"},
	"providers":              {"providers/wire", "threeds", "internal/money", "internal/card"},
	"providers/wire":         {},
	"threeds":                {},
	"client":                 {},
	"e2e":                    {"internal/app", "internal/config", "internal/clock", "internal/pgtest", "client"},
	"internal/account":       {"providers"},
	"internal/wallet":        {"internal/account", "providers", "internal/card", "internal/money"},
	"internal/invoice":       {"internal/account", "providers", "internal/money", "internal/jobs"},
	"internal/reconcile":     {"session", "session/flow", "internal/account", "internal/wallet", "providers"},
	"internal/app":           {"*"},
	"internal/cli":           {"internal/app", "internal/config", "client", "templates/gallery", "internal/i18n", "internal/look"},
	"internal/config":        {"internal/merchant", "internal/limit", "internal/look", "internal/i18n", "internal/mail"},
	"internal/limit":         {},
	"internal/inventory":     {"templates", "templates/gallery", "static", "internal/i18n"},
	"internal/security":      {},
	"internal/look":          {},
	"internal/mail":          {"internal/mail/smtptest"}, // its tests
	"internal/mail/smtptest": {},
	"internal/merchant":      {"internal/look"},
	"internal/sqlstore":      {"session", "session/flow", "internal/wallet", "internal/invoice", "providers", "threeds", "internal/jobs", "internal/money", "internal/card", "internal/merchant", "internal/webhook", "internal/limit"},
	"internal/jobs":          {},
	"internal/webhook":       {"internal/jobs"},
	"internal/money":         {},
	"internal/brake":         {},
	"internal/card":          {},
	"internal/clock":         {},
	"internal/i18n":          {},
	"internal/pgtest":        {},
	"internal/sandbox":       {"client"},

	"internal/simulation": {}, // tests only
}

// testArrows are what tests may import beyond the arrows of their room.
var testArrows = map[string][]string{
	"":                  {"internal/app", "internal/webhook", "internal/invoice", "internal/i18n", "internal/config", "session"},
	"session/flow":      {"internal/sqlstore", "internal/clock", "internal/pgtest", "internal/money"},
	"session/browser":   {"internal/clock"},
	"providers":         {"internal/sandbox", "internal/clock"},
	"templates":         {"internal/card"},
	"internal/sqlstore": {"session/storetest", "internal/pgtest"},
	"internal/webhook":  {"internal/sqlstore", "session"},
	"handlers":          {"internal/mail/smtptest", "internal/sqlstore", "internal/clock", "internal/jobs", "internal/pgtest"},

	"internal/simulation": {"internal/app", "internal/config", "internal/clock", "internal/sqlstore"},
}

// suites hold tests that other packages call: they are read as test files.
var suites = []string{"providers/providertest"}

func TestImportsFollowTheArchitecture(t *testing.T) {
	everyFile(t, func(name string, file *ast.File) {
		pkg := filepath.ToSlash(filepath.Dir(name))
		if pkg == "." {
			pkg = ""
		}
		from := room(pkg)
		allowed := arrows[from]
		if strings.HasSuffix(name, "_test.go") || slices.Contains(suites, pkg) {
			allowed = append(slices.Clone(allowed), testArrows[from]...)
		}
		for _, imp := range file.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(path, "tollgate/")
			if !ours {
				continue
			}
			if to = room(to); to != from && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
				t.Errorf("%s: %q may not import %q", name, from, path)
			}
		}
	})
}

// everyFile reads every Go file of ours.
func everyFile(t *testing.T, look func(name string, file *ast.File)) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name == "node_modules" || name == "tools" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		seen++
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		look(filepath.ToSlash(name), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d Go files were found: the walk is broken", seen)
	}
}

// What package session decides is decided from what it is given: the same turn on the same session decides the same again.
func TestPackageSessionPerformsNoIO(t *testing.T) {
	files, err := filepath.Glob("session/*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	forbidden := []string{
		"context", "net", "net/http", "sync", "sync/atomic", "database/sql", "log", "log/slog", "os", "io", "crypto/rand", "math/rand", "math/rand/v2",
	}
	clocks := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "session/docs.go" { // docs.go writes to the io.Writer it is given
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); slices.Contains(forbidden, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", name)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%s reads the clock: time.%s", name, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// A gateway is called in one way. A provider is opened by internal/app, which gives it to account.Open; package account hands
// it, as one of the interfaces of package providers, to the function given to account.Call, and to nobody else. So whatever of
// those interfaces a caller has, it has as a parameter, and for the time of one Call.
func TestGatewaysAreCalledOnlyThroughAccountCall(t *testing.T) {
	abilities := interfacesOf(t, "providers", "Config")
	if len(abilities) < 14 {
		t.Fatalf("package providers has the interfaces %v: the list is not read", abilities)
	}
	isAbility := func(n ast.Node) string {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "providers" && slices.Contains(abilities, sel.Sel.Name) {
				return sel.Sel.Name
			}
		}
		return ""
	}
	calls := 0
	everyFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "providers/") {
			return
		}
		parameters := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncType:
				for _, p := range n.Params.List {
					parameters[p.Type] = true
				}
				if n.Results == nil {
					break
				}
				ast.Inspect(n.Results, func(r ast.Node) bool {
					if what := isAbility(r); what != "" {
						t.Errorf("%s: a function answers with a providers.%s", name, what)
					}
					return true
				})
			case *ast.StructType:
				for _, f := range n.Fields.List {
					hidden := len(f.Names) > 0 && !f.Names[0].IsExported()
					opens := len(f.Names) > 0 && f.Names[0].Name == "Provider" // of account.Settings
					if what := isAbility(f.Type); what != "" && !(room(filepath.ToSlash(filepath.Dir(name))) == "internal/account" && (hidden || opens)) {
						t.Errorf("%s: a struct keeps a providers.%s", name, what)
					}
				}
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Call" {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "account" {
						calls++
					}
				}
			case *ast.CompositeLit:
				if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Env" && name != "internal/app/gateways.go" {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "providers" {
						t.Errorf("%s opens a provider", name)
					}
				}
			}
			return true
		})
		if strings.HasPrefix(name, "internal/account/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if what := isAbility(n); what != "" && !parameters[n] {
				t.Errorf("%s: providers.%s is more than a parameter: gateways are reached in an account.Call", name, what)
			}
			return true
		})
	})
	if calls < 20 {
		t.Errorf("%d calls of gateways were found: the walk is broken", calls)
	}
}

// interfacesOf names a package's exported interfaces, but for one.
func interfacesOf(t *testing.T, dir, except string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() && spec.Name.Name != except {
				if _, ok := spec.Type.(*ast.InterfaceType); ok {
					names = append(names, spec.Name.Name)
				}
			}
			return true
		})
	}
	return names
}

// A state is changed by the two functions that look into a table of transitions, and nowhere else. (An unexported field would
// say so to the compiler, and cost every load and save an encoding of its own.)
func TestStatesAreChangedOnlyByTheTransitionTable(t *testing.T) {
	movers := map[string]int{"session/turn.go": 1, "session/operation.go": 2} // Turn.move; Operations.move and the first state
	for _, root := range []string{"session", "handlers", "internal/app", "internal/sqlstore", "internal/wallet", "internal/cli"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "storetest") ||
				strings.HasSuffix(name, "webhooks.go") { // deliveries have states of their own
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				assign, ok := n.(*ast.AssignStmt)
				if !ok {
					return true
				}
				for _, left := range assign.Lhs {
					if x, ok := left.(*ast.SelectorExpr); ok && x.Sel.Name == "State" {
						if movers[name]--; movers[name] < 0 {
							t.Errorf("%s sets a state", set.Position(assign.Pos()))
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, left := range movers {
		if left > 0 {
			t.Errorf("%s sets a state less often than the list says", name)
		}
	}
}

// Providers are apart from each other, and so are the simulators from what they judge.
func TestGatewayPackagesDoNotImportEachOther(t *testing.T) {
	for _, root := range []string{"providers", "internal/sandbox"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			own := strings.Split(filepath.ToSlash(name), "/")
			for _, imp := range file.Imports {
				path := strings.Trim(imp.Path.Value, `"`)
				for _, gateway := range app.Gateways() {
					if strings.HasSuffix(path, root+"/"+gateway) && !slices.Contains(own, gateway) {
						t.Errorf("%s imports %s", name, path)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func room(pkg string) string {
	for p := pkg; p != ""; {
		if _, ok := arrows[p]; ok {
			return p
		}
		i := strings.LastIndex(p, "/")
		if i < 0 {
			return p
		}
		p = p[:i]
	}
	return ""
}
