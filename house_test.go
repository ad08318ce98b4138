package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows says which rooms of the house a room may import. A room is the longest of these paths that a package lies in.
var arrows = map[string][]string{
	"":                  {"internal/app", "internal/config"},
	"handlers":          {"session", "session/browser", "threeds", "templates", "static", "providers", "internal/merchant", "internal/webhook", "internal/i18n", "internal/money", "internal/card"},
	"templates":         {"static", "internal/i18n"},
	"static":            {},
	"session":           {"providers", "threeds", "internal/money", "internal/card", "internal/clock", "internal/jobs"},
	"session/browser":   {},
	"session/storetest": {"session", "providers", "threeds", "internal/money", "internal/card", "internal/jobs"},
	"providers":         {"threeds", "internal/money", "internal/card"},
	"threeds":           {},
	"client":            {},
	"e2e":               {"internal/app", "internal/config", "internal/clock", "internal/pgtest", "client"},
	"internal/app":      {"*"},
	"internal/config":   {"internal/merchant"},
	"internal/merchant": {},
	"internal/sqlstore": {"session", "providers", "threeds", "internal/jobs", "internal/money", "internal/card", "internal/merchant", "internal/webhook"},
	"internal/jobs":     {},
	"internal/webhook":  {"internal/jobs"},
	"internal/money":    {},
	"internal/card":     {},
	"internal/clock":    {},
	"internal/i18n":     {},
	"internal/pgtest":   {},
	"internal/sandbox":  {"client"},

	"internal/simulation": {}, // tests only
}

// testArrows are what tests may import beyond the arrows of their room.
var testArrows = map[string][]string{
	"session":           {"internal/sqlstore", "internal/clock"},
	"providers":         {"internal/sandbox", "internal/clock"},
	"internal/sqlstore": {"session/storetest", "internal/pgtest"},
	"internal/webhook":  {"internal/sqlstore", "session"},
	"handlers":          {"internal/sqlstore", "internal/clock", "internal/jobs", "internal/pgtest"},

	"internal/simulation": {"internal/app", "internal/config", "internal/clock", "internal/sqlstore"},
}

// suites hold tests that other packages call: they are read as test files.
var suites = []string{"providers/providertest"}

func TestImportsRunOnlyAlongTheArrows(t *testing.T) {
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
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
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
				return err
			}
			to, ours := strings.CutPrefix(path, "tollgate/")
			if !ours {
				continue
			}
			if to = room(to); to != from && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
				t.Errorf("%s: %q may not import %q", name, from, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d Go files were found: the walk is broken", seen)
	}
}

// Providers are apart from each other, and so are the simulators from what they judge.
func TestGatewaysDoNotKnowEachOther(t *testing.T) {
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
				for _, gateway := range []string{"rbs", "payneteasy", "sber", "cashier", "transactworld"} {
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
