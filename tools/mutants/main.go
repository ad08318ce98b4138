// Command mutants changes the code that decides, one place at a time, and tells which changes no test of the package
// notices. A change that no test notices is either a missing test or no change at all; those of the second kind stand in
// docs/mutants.md with the reason. Every other survivor is a failure.
//
// Each package is built once, with all its mutants in it behind a switch that an environment variable turns, so that one
// mutant costs one run of those of the package's tests that come by it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scope is what is changed in one package.
type scope struct {
	dir   string
	files []string // none: all but tests and generated ones
	first string   // these tests run first; the others only for what they do not notice
	last  string   // or all but these run first
	args  []string // of the others
}

var scopes = []scope{
	{dir: "session", args: []string{"-walk", "4"}},
	{dir: "session/browser"},
	{dir: "internal/merchant"},
	{dir: "providers/cashier", files: []string{"notify.go"}},
	{dir: "providers/payneteasy", files: []string{"notify.go"}},
	{dir: "providers/rbs", files: []string{"notify.go"}},
	{dir: "providers/transactworld", files: []string{"notify.go"}},
}

const (
	killed   = "killed"
	survived = "survived"
	notBuilt = "did not build"
)

// helper is added to the package that is changed.
const helper = `package %s

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"sync"
)

var mutantsActive, _ = strconv.Atoi(os.Getenv("MUTANT"))

var mutantsMet = struct {
	sync.Mutex
	file *os.File
	ids  map[int]bool
}{file: mutantsFile(), ids: map[int]bool{}}

func mutantsFile() *os.File {
	f, _ := os.OpenFile(os.Getenv("MUTANTS_MET"), os.O_APPEND|os.O_WRONLY, 0)
	return f
}

func mutantsOn(id int) bool {
	if mutantsMet.file != nil {
		mutantsMet.Lock()
		if !mutantsMet.ids[id] {
			mutantsMet.ids[id] = true
			fmt.Fprintln(mutantsMet.file, id)
		}
		mutantsMet.Unlock()
	}
	return id == mutantsActive
}

func mutantsZero[T any](on bool, v T) T {
	if on {
		return *new(T)
	}
	return v
}

func mutantsOr[T any](on bool, v, other func() T) T {
	if on {
		return other()
	}
	return v()
}

type mutantsNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

func mutantsAdd[T mutantsNumber](on bool, v T, by int) T {
	if on {
		return v + T(by)
	}
	return v
}

func mutantsGone[T mutantsNumber | ~string](on bool, v T) T {
	switch r := reflect.ValueOf(&v).Elem(); {
	case !on:
	case r.CanInt():
		r.SetInt(-77)
	case r.CanUint():
		r.SetUint(77)
	default:
		r.SetString("\x00mutant")
	}
	return v
}
`

func main() {
	root := flag.String("root", "..", "the module's root")
	only := flag.String("only", "", "only this file or folder, from the root, or several with commas between them")
	verbose := flag.Bool("v", false, "list what was killed too")
	quick := flag.Bool("quick", false, "leave the longer tests out: what survives may be killed by one of them")
	flag.Parse()
	ok, err := run(*root, *only, *verbose, *quick)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(root, only string, verbose, quick bool) (ok bool, err error) {
	known, err := readKnown(filepath.Join(root, "docs", "mutants.md"))
	if err != nil {
		return false, err
	}
	type figures struct{ tried, killed, explained, unexplained, notBuilt int }
	var order []string
	sums := map[string]*figures{}
	met := map[string]bool{}
	all := true
	for _, s := range scopes {
		mutants, err := runScope(root, s, only, quick, func(m *mutant) {
			reason := known[m.key()]
			if m.result != killed || verbose {
				fmt.Printf("%s:%d\t%s\t%s\t%s\t%s\n", m.file, m.line, m.function, m.what, m.result, reason)
			}
		})
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.dir, err)
		}
		for _, m := range mutants {
			f := sums[m.file]
			if f == nil {
				f = &figures{}
				sums[m.file], order = f, append(order, m.file)
			}
			if m.result == notBuilt {
				f.notBuilt++
				continue
			}
			f.tried++
			_, explained := known[m.key()]
			switch {
			case m.result == killed && explained:
				fmt.Printf("%s:%d\t%s\t%s\tis killed: take it out of docs/mutants.md\n", m.file, m.line, m.function, m.what)
				all = false
				f.killed++
			case m.result == killed:
				f.killed++
			case explained:
				f.explained++
			default:
				f.unexplained++
				all = false
			}
			met[m.key()] = true
		}
	}
	fmt.Printf("\n%-36s %6s %6s %10s %10s %10s\n", "file", "tried", "killed", "explained", "survivors", "not built")
	total := figures{}
	for _, name := range order {
		f := sums[name]
		fmt.Printf("%-36s %6d %6d %10d %10d %10d\n", name, f.tried, f.killed, f.explained, f.unexplained, f.notBuilt)
		total = figures{total.tried + f.tried, total.killed + f.killed, total.explained + f.explained,
			total.unexplained + f.unexplained, total.notBuilt + f.notBuilt}
	}
	fmt.Printf("%-36s %6d %6d %10d %10d %10d\n", "all", total.tried, total.killed, total.explained, total.unexplained,
		total.notBuilt)
	for key := range known {
		if file, _, _ := strings.Cut(key, "\x00"); !met[key] && within(file, only) {
			fmt.Printf("docs/mutants.md names what is not tried: %s\n", strings.ReplaceAll(key, "\x00", " | "))
			all = false
		}
	}
	return all, nil
}

// within tells whether a file is one of those that are asked for, or in such a folder.
func within(file, only string) bool {
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(one string) bool {
		one = strings.TrimSuffix(one, "/")
		return file == one || strings.HasPrefix(file, one+"/")
	})
}

// readKnown reads the table of survivors that are no change: file, function, change, reason.
func readKnown(name string) (map[string]string, error) {
	known := map[string]string{}
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x01")
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) != 4 || !strings.Contains(cells[0], ".go") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(strings.ReplaceAll(cells[i], "\x01", "|")), "`")
		}
		known[strings.Join(cells[:3], "\x00")] = cells[3]
	}
	return known, nil
}

type listed struct {
	ImportPath, Dir, Export, Name, ForTest string
	GoFiles                                []string
}

// runScope builds a package with its mutants and tries each.
func runScope(root string, s scope, only string, quick bool, tell func(*mutant)) ([]*mutant, error) {
	if !within(s.dir, only) && !slices.ContainsFunc(strings.Split(only, ","), func(one string) bool { return within(one, s.dir) }) {
		return nil, nil
	}
	pkg, exports, err := list(root, s.dir)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	binary := filepath.Join(temp, "test")
	mutants, err := build(root, temp, binary, s, only, pkg, exports)
	if err != nil || len(mutants) == 0 {
		return nil, err
	}
	tests, err := survey(binary, pkg.Dir, filepath.Join(temp, "met"), s.args)
	if err != nil {
		return nil, err
	}
	killers := map[string][]string{} // of a function, the newest first: they are likely to notice its next mutant too
	for _, m := range mutants {
		if m.result != notBuilt {
			m.result = survived
			for _, group := range reaching(tests, m.id, killers[m.function], quick) {
				said, _, passed := try(binary, pkg.Dir, m.id, group.limit(), "", append([]string{"-test.run", group.pattern()}, s.args...))
				if passed {
					continue
				}
				m.result = killed
				if by := failed.FindStringSubmatch(said); by != nil {
					others := slices.DeleteFunc(killers[m.function], func(name string) bool { return name == by[1] })
					killers[m.function] = slices.Insert(others, 0, by[1])
				}
				break
			}
		}
		tell(m)
	}
	return mutants, nil
}

var failed = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// test is one test of a package: how long it takes, what it computes of that, and which mutants it comes by.
type test struct {
	name       string
	took, busy time.Duration
	met        map[int]bool
}

// survey runs each test by itself without a mutant.
func survey(binary, dir, met string, args []string) ([]test, error) {
	cmd := exec.Command(binary, "-test.list", "^(Test|Fuzz|Example)")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []test
	for _, name := range strings.Fields(string(out)) {
		if err := os.WriteFile(met, nil, 0o600); err != nil {
			return nil, err
		}
		start := time.Now()
		out, busy, passed := try(binary, dir, 0, 5*time.Minute, met, append([]string{"-test.run", "^" + name + "$"}, args...))
		if !passed {
			return nil, fmt.Errorf("%s fails without a mutant:\n%s", name, out)
		}
		one := test{name: name, took: time.Since(start), busy: busy, met: map[int]bool{}}
		raw, err := os.ReadFile(met)
		if err != nil {
			return nil, err
		}
		for _, id := range strings.Fields(string(raw)) {
			n, _ := strconv.Atoi(id)
			one.met[n] = true
		}
		all = append(all, one)
	}
	return all, nil
}

type group []test

// reaching are the tests that come by a mutant: first those that are likely to notice it, then the others, the shorter ones together
// and first. Computing counts, not waiting: others may use the machine.
func reaching(tests []test, id int, likely []string, quick bool) []group {
	together := make([]group, 4)
	var alone []group
	for _, t := range tests {
		switch {
		case !t.met[id]:
		case slices.Contains(likely[:min(len(likely), 3)], t.name):
			together[0] = append(together[0], t)
		case t.busy < 30*time.Millisecond:
			together[1] = append(together[1], t)
		case t.busy < 100*time.Millisecond:
			together[2] = append(together[2], t)
		case quick:
		case t.busy < time.Second:
			together[3] = append(together[3], t)
		default:
			alone = append(alone, group{t})
		}
	}
	slices.SortFunc(alone, func(a, b group) int { return int(a[0].busy - b[0].busy) })
	return slices.DeleteFunc(append(together, alone...), func(g group) bool { return len(g) == 0 })
}

func (g group) pattern() string {
	names := make([]string, len(g))
	for i, t := range g {
		names[i] = t.name
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

func (g group) limit() time.Duration {
	sum := time.Duration(0)
	for _, t := range g {
		sum += t.took
	}
	return 10*time.Second + 10*sum
}

// try runs tests with one mutant, and tells how long they computed. Memory is bounded: a loop without an end may also fill it.
func try(binary, dir string, id int, limit time.Duration, met string, args []string) (said string, busy time.Duration, passed bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh",
		append([]string{"-c", `ulimit -v 8000000; exec "$@"`, "sh", binary, "-test.failfast"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(id), "MUTANTS_MET="+met)
	out, err := cmd.CombinedOutput()
	if p := cmd.ProcessState; p != nil {
		busy = p.UserTime() + p.SystemTime()
	}
	return string(out), busy, err == nil
}

// list asks the go command for a package and for what its imports export.
func list(root, dir string) (pkg listed, exports map[string]string, err error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,Name,GoFiles", "./"+dir)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return pkg, nil, err
	}
	exports = map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var one listed
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return pkg, exports, nil // the package itself comes last
		} else if err != nil {
			return pkg, nil, err
		}
		exports[one.ImportPath], pkg = one.Export, one
	}
}

// build writes the package anew with its mutants and builds its tests. Mutants that do not build are left out and listed.
func build(root, temp, binary string, s scope, only string, pkg listed, exports map[string]string) ([]*mutant, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	checked, err := conf.Check(pkg.ImportPath, fset, files, info)
	if err != nil {
		return nil, err
	}
	fixed := lengths(files, info)
	skip := map[int]bool{}
	for range 20 {
		var all []*mutant
		nextID := 0
		written := map[string]string{}
		lines := map[string][]string{}
		for i, name := range pkg.GoFiles {
			path := filepath.ToSlash(filepath.Join(s.dir, name))
			if len(s.files) > 0 && !slices.Contains(s.files, name) || !within(path, only) || ast.IsGenerated(files[i]) {
				continue
			}
			src, err := os.ReadFile(filepath.Join(pkg.Dir, name))
			if err != nil {
				return nil, err
			}
			m := &mutator{
				fset: fset, src: src, file: files[i], name: path, info: info, pkg: checked, skip: skip, nextID: &nextID,
				imports: map[string]string{}, consts: true, fixed: fixed,
			}
			for _, imp := range files[i].Imports {
				p, _ := strconv.Unquote(imp.Path.Value)
				if i := slices.IndexFunc(checked.Imports(), func(one *types.Package) bool { return one.Path() == p }); i >= 0 {
					m.imports[p] = checked.Imports()[i].Name()
				}
				if imp.Name != nil {
					m.imports[p] = imp.Name.Name
				}
			}
			m.walk()
			all = append(all, m.mutants...)
			text := m.write()
			out := filepath.Join(temp, name)
			if err := os.WriteFile(out, []byte(text), 0o600); err != nil {
				return nil, err
			}
			written[filepath.Join(pkg.Dir, name)] = out
			lines[out], lines[filepath.Join(pkg.Dir, name)] = strings.Split(text, "\n"), strings.Split(text, "\n")
		}
		if len(all) == 0 {
			return nil, nil
		}
		extra := filepath.Join(temp, "mutants_switch.go")
		if err := os.WriteFile(extra, []byte(fmt.Sprintf(helper, pkg.Name)), 0o600); err != nil {
			return nil, err
		}
		written[filepath.Join(pkg.Dir, "mutants_switch.go")] = extra
		overlay, _ := json.Marshal(map[string]any{"Replace": written})
		file := filepath.Join(temp, "overlay.json")
		if err := os.WriteFile(file, overlay, 0o600); err != nil {
			return nil, err
		}
		cmd := exec.Command("go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay", file, "-o", binary, "./"+s.dir)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil {
			return all, nil
		}
		before := len(skip)
		for _, found := range regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: `).FindAllStringSubmatch(string(out), -1) {
			path := found[1]
			if !filepath.IsAbs(path) {
				path, _ = filepath.Abs(filepath.Join(root, path))
			}
			n, _ := strconv.Atoi(found[2])
			if text := lines[path]; n <= len(text) {
				for _, id := range regexp.MustCompile(`mutantsOn\((\d+)\)`).FindAllStringSubmatch(text[n-1], -1) {
					number, _ := strconv.Atoi(id[1])
					skip[number] = true
				}
			}
		}
		if len(skip) == before {
			return nil, fmt.Errorf("does not build:\n%s", out)
		}
		if os.Getenv("MUTANTS_DEBUG") != "" {
			fmt.Fprintf(os.Stderr, "%s", out)
		}
	}
	return nil, errors.New("does not build")
}
