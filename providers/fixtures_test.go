package providers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A recorded or documented message that no test names proves nothing: in each gateway's tests somebody has to say what the
// file means.
func TestEveryFixtureIsNamedByATest(t *testing.T) {
	folders, err := filepath.Glob("*/testdata")
	if err != nil || len(folders) != 5 {
		t.Fatalf("%v, %v", folders, err)
	}
	for _, folder := range folders {
		named := literals(t, filepath.Dir(folder))
		err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if d != nil && d.Name() == "fuzz" { // inputs that once failed: the target says what must hold
					return fs.SkipDir
				}
				return err
			}
			stem := strings.TrimSuffix(d.Name(), path.Ext(d.Name()))
			if _, status, ok := strings.Cut(stem, "status_"); !named[d.Name()] && !named[stem] && (!ok || !named[status]) {
				t.Errorf("no test names %s", file)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// literals are the last elements of all texts in a package's tests.
func literals(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", dir, files, err)
	}
	all := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil {
					all[path.Base(text)] = true
				}
			}
			return true
		})
	}
	return all
}
