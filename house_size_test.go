package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// What one reader can keep in mind. Generated files and tests may be larger.
const (
	mostMethods = 40 // of one type
	mostLines   = 80 // of one function, unless the comment directly above it says why it stays "in one piece"
)

// stillTooLarge are types and functions that are being split. Whoever has done it takes the line away: the test fails
// while one stands here that is no longer too large.
var stillTooLarge = []string{}

func TestTypesAndFunctionsAreSmallEnoughToRead(t *testing.T) {
	methods := map[string]int{}
	large := map[string]bool{}
	functions := 0
	everyFile(t, func(name string, _ *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(file) {
			return
		}
		dir := name[:max(strings.LastIndex(name, "/"), 0)]
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			functions++
			in := dir
			if f.Recv != nil {
				in += "." + receiver(f.Recv.List[0].Type)
				methods[in]++
			}
			lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
			if lines <= mostLines || strings.Contains(f.Doc.Text(), "in one piece") {
				continue
			}
			whole := in + "." + f.Name.Name
			large[whole] = true
			if !slices.Contains(stillTooLarge, whole) {
				t.Errorf("%s: %s has %d lines, more than %d, and no comment above it says why it stays in one piece", name, whole, lines, mostLines)
			}
		}
	})
	if functions < 2000 || len(methods) < 100 {
		t.Errorf("%d functions and %d types with methods were found: the walk is broken", functions, len(methods))
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if methods[name] <= mostMethods {
			continue
		}
		large[name] = true
		if !slices.Contains(stillTooLarge, name) {
			t.Errorf("%s has %d methods, more than %d: split it by embedding types that each hold what they need", name, methods[name], mostMethods)
		}
	}
	for _, name := range stillTooLarge {
		if !large[name] {
			t.Errorf("%s is no longer too large: take it from the list", name)
		}
	}
}

// receiver is the name of a method's type, without pointer and type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return "?"
}

// A commit that does not wait for the disk is for tests alone.
func TestTheProgramsDatabaseSyncsEveryCommit(t *testing.T) {
	const quick = "internal/sqlstore/sqlitetest"
	seen := false
	everyFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") || name == "internal/sqlstore/store.go" {
			return
		}
		inQuick := strings.HasPrefix(name, quick+"/")
		for _, imp := range file.Imports {
			if strings.Trim(imp.Path.Value, `"`) == "tollgate/"+quick {
				t.Errorf("%s imports %s", name, quick)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "NoSync" {
				seen = true
				if !inQuick {
					t.Errorf("%s opens a store whose commits do not wait for the disk", name)
				}
			}
			return true
		})
	})
	if !seen {
		t.Error("nobody sets NoSync: the walk is broken, or the option can go")
	}
}
