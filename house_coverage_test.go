package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tollgate/internal/app"
)

const coveragePage = "docs/gateways/coverage.md"

// reachedFrom are the words of the second column of docs/gateways/coverage.md. The last two say that an item is not reached.
var reachedFrom = []string{
	"every call", "session", "charge", "payout", "invoice", "operation", "inquiry", "callback", "page", "login", "cards", "virtual cards", "history",
	"banks", "setting", "command", notBuilt, nothingToBuild,
}

const (
	notBuilt       = "not built"
	nothingToBuild = "nothing to build"
)

// callsSent finds the paths of the calls that a provider sends, in its own files.
var callsSent = map[string]*regexp.Regexp{
	"cashier":       regexp.MustCompile(`(?:path: |\.base\s*\+\s*)"(/[a-zA-Z/]+)`),
	"payneteasy":    regexp.MustCompile(`(?:command :?= |command, fields :?= |RebillCommand, |/api/v2/|c\.post\(ctx, )"?([a-z]+(?:-[a-z]+)*)["/]`),
	"rbs":           regexp.MustCompile(`"/?((?:[a-z0-9]+/)?[a-zA-Z0-9]+\.do)"`),
	"sber":          regexp.MustCompile(`(?m)^\t(?:op|Find)\w+ += "([a-z/]+)"`),
	"transactworld": regexp.MustCompile(`(?:restPath ?\+ ?|p\.invoice\(ctx, |const op = |path, checksum :?= |path = |Command += )"([a-zA-Z]+)/?"`),
}

// coverageRow is one line of a table of coverage.md.
type coverageRow struct {
	gateway, part    string
	item, from, says string
	shownBy          string
	line             int
}

var (
	ticks      = regexp.MustCompile("`([^`]+)`")
	decision   = regexp.MustCompile(`\]\(\.\./decisions/(20[0-9]{2}-[0-9]{2}-[0-9]{2}-[a-z0-9-]+\.md)\)`)
	assumption = regexp.MustCompile(`assumption ([0-9]+)`)
	lacking    = regexp.MustCompile(`(?i)\b(missing|wrong|unreachable|todo)\b`)
)

// readCoverage reads the rows, and the lines of the summary by their gateways.
func readCoverage(t *testing.T) (rows []coverageRow, summary map[string]string) {
	t.Helper()
	page, err := os.ReadFile(coveragePage)
	if err != nil {
		t.Fatal(err)
	}
	summary = map[string]string{}
	gateway, part := "", ""
	for n, line := range strings.Split(string(page), "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			gateway, _, _ = strings.Cut(strings.TrimPrefix(line, "## "), ":")
			part = ""
		case strings.HasPrefix(line, "### "):
			part = strings.TrimPrefix(line, "### ")
		case !strings.HasPrefix(line, "|"), strings.HasPrefix(line, "|---"), strings.HasPrefix(line, "| item |"), strings.HasPrefix(line, "| gateway |"):
		case gateway == "":
			name, _, _ := strings.Cut(strings.Trim(line, "| *"), " ")
			summary[strings.Trim(name, "*")] = line
		default:
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
			if len(cells) != 4 || slices.Contains(cells, "") {
				t.Errorf("%s:%d: a row has four cells: %s", coveragePage, n+1, line)
				continue
			}
			rows = append(rows, coverageRow{gateway, part, cells[0], cells[1], cells[2], cells[3], n + 1})
		}
	}
	return rows, summary
}

// Every item of the gateways' documents says from where it is reached and which test shows it, or why it is not built.
func TestEveryItemOfTheGatewaysDocumentsIsShownByATestOrDecidedAgainst(t *testing.T) {
	rows, _ := readCoverage(t)
	tests := testsOf(t)
	seen := map[string]int{}
	for _, r := range rows {
		at := fmt.Sprintf("%s:%d: %s", coveragePage, r.line, r.item)
		if !slices.Contains(app.Gateways(), r.gateway) {
			t.Errorf("%s: there is no gateway %q", at, r.gateway)
		}
		key := r.gateway + "/" + r.part + "/" + r.item
		if seen[key]++; seen[key] > 1 {
			t.Errorf("%s: stands twice in %q", at, r.part)
		}
		from := strings.Split(r.from, ", ")
		for _, word := range from {
			if !slices.Contains(reachedFrom, word) {
				t.Errorf("%s: %q is no place to reach it from: %q", at, word, reachedFrom)
			}
		}
		if len(from) > 1 && (slices.Contains(from, notBuilt) || slices.Contains(from, nothingToBuild)) {
			t.Errorf("%s: is %q and reached all the same", at, r.from)
		}
		for _, m := range assumption.FindAllStringSubmatch(r.says, -1) {
			if !strings.Contains(readPage(t, "docs/gateways/"+r.gateway+".md"), "\n"+m[1]+". ") {
				t.Errorf("%s: docs/gateways/%s.md has no assumption %s", at, r.gateway, m[1])
			}
		}
		decisions := decision.FindAllStringSubmatch(r.says+" "+r.shownBy, -1)
		for _, d := range decisions {
			text := readPage(t, "docs/decisions/"+d[1])
			for _, name := range ticks.FindAllStringSubmatch(r.item, -1) {
				if r.from == notBuilt && !strings.Contains(text, name[1]) {
					t.Errorf("%s: the decision %s does not speak of %s", at, d[1], name[1])
				}
			}
		}
		if word := lacking.FindString(r.item + " " + r.says); word != "" && len(decisions) == 0 {
			t.Errorf("%s: %q without a decision", at, word)
		}
		named := ticks.FindAllStringSubmatch(r.shownBy, -1)
		switch {
		case r.from == notBuilt && (len(decisions) == 0 || len(named) > 0):
			t.Errorf("%s: what is not built names the decision, and no test", at)
		case r.from != notBuilt && r.from != nothingToBuild && len(named) == 0:
			t.Errorf("%s: no test shows it", at)
		}
		for _, name := range named {
			tests.check(t, at, r.gateway, name[1])
		}
	}
}

// Each call that a provider sends stands in a row of its gateway.
func TestEveryCallOfAProviderStandsInTheCoverage(t *testing.T) {
	rows, _ := readCoverage(t)
	for _, gateway := range app.Gateways() {
		pattern, known := callsSent[gateway]
		if !known {
			t.Errorf("house_coverage_test.go: callsSent does not say how the calls of %s are found", gateway)
			continue
		}
		var items []string
		for _, r := range rows {
			if r.gateway == gateway {
				for _, name := range ticks.FindAllStringSubmatch(r.item, -1) {
					items = append(items, name[1])
				}
			}
		}
		if len(items) < 20 {
			t.Errorf("%s: %d names in its rows", gateway, len(items))
		}
		files, err := filepath.Glob("providers/" + gateway + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, call := range pattern.FindAllStringSubmatch(readPage(t, file), -1) {
				name := strings.Trim(call[1], "/")
				found[name] = true
				if !slices.ContainsFunc(items, func(item string) bool { return strings.Contains(item, name) }) {
					t.Errorf("%s: no row of %s names the call %s", file, coveragePage, name)
				}
			}
		}
		if len(found) < 8 {
			t.Errorf("%s: only the calls %v were found: the pattern is broken", gateway, found)
		}
	}
}

// The counts at the top are those of the rows.
func TestTheCountsOfTheCoverageAreThoseOfItsRows(t *testing.T) {
	rows, summary := readCoverage(t)
	count := func(gateway string) string {
		items, setting, not, none := 0, 0, 0, 0
		for _, r := range rows {
			if gateway != "all" && r.gateway != gateway {
				continue
			}
			items++
			switch r.from {
			case "setting":
				setting++
			case notBuilt:
				not++
			case nothingToBuild:
				none++
			}
		}
		return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |", gateway, items, items-setting-not-none, setting, not, none)
	}
	for _, gateway := range append(app.Gateways(), "all") {
		if want := count(gateway); summary[gateway] != want {
			t.Errorf("%s: the summary has\n%s\nand the rows are\n%s", coveragePage, summary[gateway], want)
		}
	}
	if len(rows) < 385 {
		t.Errorf("%d rows: the documents have 385 items", len(rows))
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// testTree is which test functions each folder has, and which texts its test files write.
type testTree struct {
	folders map[string][]string        // of a test function
	texts   map[string]map[string]bool // of a folder
}

func testsOf(t *testing.T) testTree {
	t.Helper()
	tree := testTree{map[string][]string{}, map[string]map[string]bool{}}
	everyFile(t, func(name string, file *ast.File) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if tree.texts[dir] == nil {
			tree.texts[dir] = map[string]bool{}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					tree.texts[dir][text] = true
				}
			}
			return true
		})
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tree.folders[f.Name.Name] = append(tree.folders[f.Name.Name], dir)
			}
		}
	})
	return tree
}

// check looks for a test that a row of a gateway names: a function, or function/row where the row is a text of the test's folder.
// Tests of other gateways show nothing of this one.
func (tree testTree) check(t *testing.T, at, gateway, name string) {
	t.Helper()
	function, row, isRow := strings.Cut(name, "/")
	var folders []string
	for _, dir := range tree.folders[function] {
		last := dir[strings.LastIndex(dir, "/")+1:]
		if last == gateway || !slices.Contains(app.Gateways(), last) {
			folders = append(folders, dir)
		}
	}
	if len(folders) == 0 {
		t.Errorf("%s: there is no test %s", at, function)
		return
	}
	if isRow && !slices.ContainsFunc(folders, func(dir string) bool { return tree.texts[dir][row] }) {
		t.Errorf("%s: %s has no row %q", at, function, row)
	}
}
