package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mutant is one change of one place.
type mutant struct {
	id       int
	file     string // from the module's root
	line     int
	function string // the function or declaration that it is in
	what     string // what was changed into what
	result   string
}

// key names a mutant without its line, so that a table of known ones outlives changes elsewhere in the file.
func (m *mutant) key() string { return m.file + "\x00" + m.function + "\x00" + m.what }

// edit wraps a piece of the source, the edits inside it already applied.
type edit struct {
	from, to int
	wrap     func(inner string) string
}

// mutator writes one file anew, so that each of its mutants can be switched on when the program runs.
type mutator struct {
	fset    *token.FileSet
	src     []byte
	file    *ast.File
	name    string
	info    *types.Info
	pkg     *types.Package
	skip    map[int]bool // mutants that did not build
	nextID  *int
	imports map[string]string     // path to the name in this file
	consts  bool                  // constants may be turned into variables
	fixed   map[types.Object]bool // but for these

	edits   []edit
	mutants []*mutant
	stack   []ast.Node
	same    map[string]int
}

const on = "mutantsOn(%d)"

func (m *mutator) offset(p token.Pos) int { return m.fset.Position(p).Offset }
func (m *mutator) text(n ast.Node) string { return string(m.src[m.offset(n.Pos()):m.offset(n.End())]) }
func (m *mutator) parent(up int) ast.Node { return at(m.stack, len(m.stack)-1-up) }
func at(nodes []ast.Node, i int) ast.Node {
	if i < 0 {
		return nil
	}
	return nodes[i]
}
func oneLine(s string) string { return short(strings.Join(strings.Fields(s), " ")) }
func short(s string) string {
	if r := []rune(s); len(r) > 90 {
		return string(r[:87]) + "…"
	}
	return s
}

// add makes a mutant at a node; wrap is given the switch.
func (m *mutator) add(n ast.Node, what string, wrap func(on string, inner string) string) {
	*m.nextID++
	id := *m.nextID
	one := &mutant{id: id, file: m.name, line: m.fset.Position(n.Pos()).Line, function: m.function(), what: what}
	m.same[one.key()]++
	if n := m.same[one.key()]; n > 1 {
		one.what = fmt.Sprintf("%s (%d)", what, n)
	}
	m.mutants = append(m.mutants, one)
	if m.skip[id] {
		one.result = notBuilt
		return
	}
	m.edits = append(m.edits, edit{m.offset(n.Pos()), m.offset(n.End()),
		func(inner string) string { return wrap(fmt.Sprintf(on, id), inner) }})
}

// function names the declaration that is being walked.
func (m *mutator) function() string {
	for i := len(m.stack) - 1; i >= 0; i-- {
		switch d := m.stack[i].(type) {
		case *ast.FuncDecl:
			return d.Name.Name
		case *ast.ValueSpec:
			if _, top := at(m.stack, i-2).(*ast.File); top {
				return d.Names[0].Name
			}
		}
	}
	return "file"
}

// typeText writes a type as this file would; ok is false where it cannot.
func (m *mutator) typeText(t types.Type) (text string, ok bool) {
	if t == nil {
		return "", false
	}
	if b, basic := t.(*types.Basic); basic && b.Info()&types.IsUntyped != 0 {
		if t = types.Default(t); t == types.Typ[types.UntypedNil] {
			return "", false
		}
	}
	ok = true
	text = types.TypeString(t, func(p *types.Package) string {
		if p == m.pkg {
			return ""
		}
		name, known := m.imports[p.Path()]
		ok = ok && known
		return name
	})
	return text, ok
}

func isBool(t types.Type) bool { b, ok := t.(*types.Basic); return ok && b.Info()&types.IsBoolean != 0 }
func isKind(t types.Type, k types.BasicInfo) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&k != 0
}

// walk finds what can be changed.
func (m *mutator) walk() {
	m.same = map[string]int{}
	ast.Inspect(m.file, func(n ast.Node) bool {
		if n == nil {
			m.stack = m.stack[:len(m.stack)-1]
			return true
		}
		m.stack = append(m.stack, n)
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field, *ast.TypeSpec, *ast.ArrayType:
			m.stack = m.stack[:len(m.stack)-1]
			return false
		case *ast.GenDecl:
			if n.Tok == token.CONST && !m.constants(n) {
				m.stack = m.stack[:len(m.stack)-1]
				return false
			}
		case ast.Stmt:
			m.statement(n)
		case *ast.KeyValueExpr:
			m.member(n)
		case *ast.BasicLit:
			m.number(n)
			m.word(n)
		case *ast.Ident:
			m.converted(n)
			m.expression(n)
		case ast.Expr:
			m.expression(n)
		}
		return true
	})
}

// lengths are the constants in the lengths of arrays, which no variable can stand for.
func lengths(files []*ast.File, info *types.Info) map[types.Object]bool {
	all := map[types.Object]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if a, ok := n.(*ast.ArrayType); ok && a.Len != nil {
				ast.Inspect(a.Len, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil {
						all[info.Uses[id]] = true
					}
					return true
				})
			}
			return true
		})
	}
	return all
}

// constants turns a group of constants into variables, where it holds a number.
func (m *mutator) constants(d *ast.GenDecl) bool {
	number := false
	for _, s := range d.Specs {
		spec := s.(*ast.ValueSpec)
		if len(spec.Values) == 0 || slices.ContainsFunc(spec.Names, func(n *ast.Ident) bool { return m.fixed[m.info.Defs[n]] }) {
			return false
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.INT {
				number = true
			}
			return true
		})
	}
	if !number || !m.consts {
		return false
	}
	from := m.offset(d.Pos())
	m.edits = append(m.edits, edit{from, from + len("const"), func(string) string { return "var" }})
	return true
}

// whole is the expression of constants that one stands in: it has its type as a whole.
func (m *mutator) whole(n ast.Expr) ast.Expr {
	for i := 1; ; i++ {
		e, ok := m.parent(i).(ast.Expr)
		if !ok || m.info.Types[e].Value == nil {
			return n
		}
		if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.SHL || b.Op == token.SHR) && b.Y == n {
			return n
		}
		n = e
	}
}

// converted keeps a constant without a type usable as what it was used as, now that it may be a variable.
func (m *mutator) converted(n *ast.Ident) {
	c, ok := m.info.Uses[n].(*types.Const)
	if !ok || c.Pkg() != m.pkg || c.Type() != types.Typ[types.UntypedInt] {
		return
	}
	whole := m.whole(n)
	if b, ok := m.info.TypeOf(whole).(*types.Basic); ok && b.Info()&types.IsUntyped == 0 && b.Kind() != types.Int {
		m.edits = append(m.edits, edit{m.offset(n.Pos()), m.offset(n.End()),
			func(inner string) string { return b.Name() + "(" + inner + ")" }})
	}
}

func (m *mutator) statement(n ast.Stmt) {
	switch n := n.(type) {
	case *ast.IfStmt:
		m.never(n.Cond)
	case *ast.SwitchStmt:
		for _, c := range n.Body.List {
			for _, e := range c.(*ast.CaseClause).List {
				if n.Tag == nil {
					m.never(e)
					continue
				}
				t := m.info.TypeOf(n.Tag)
				if text, ok := m.typeText(t); ok && isKind(t, types.IsString|types.IsInteger) {
					m.add(e, "case "+oneLine(m.text(e))+" deleted", func(on, inner string) string {
						return fmt.Sprintf("mutantsGone[%s](%s, %s)", text, on, inner)
					})
				}
			}
		}
	case *ast.ReturnStmt:
		m.returned(n)
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "panic" {
				return
			}
		}
		m.drop(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			m.drop(n)
		}
	case *ast.IncDecStmt, *ast.BranchStmt:
		m.drop(n)
	}
}

// never replaces a condition by one that is never true.
func (m *mutator) never(cond ast.Expr) {
	m.add(cond, oneLine(m.text(cond))+" never", func(on, inner string) string { return fmt.Sprintf("((%s) && !%s)", inner, on) })
}

func (m *mutator) listed() bool {
	switch m.parent(1).(type) {
	case *ast.BlockStmt, *ast.CaseClause:
		return true
	}
	return false
}

func (m *mutator) drop(n ast.Stmt) {
	if m.listed() {
		m.add(n, oneLine(m.text(n))+" dropped", func(on, inner string) string { return fmt.Sprintf("if !%s { %s }", on, inner) })
	}
}

// returned replaces each returned value by its zero.
func (m *mutator) returned(n *ast.ReturnStmt) {
	var results *ast.FieldList
	for i := len(m.stack) - 1; i >= 0 && results == nil; i-- {
		switch f := m.stack[i].(type) {
		case *ast.FuncDecl:
			results = f.Type.Results
		case *ast.FuncLit:
			results = f.Type.Results
		}
	}
	if results == nil || len(n.Results) != results.NumFields() || !m.listed() {
		return
	}
	var wanted []ast.Expr
	for _, f := range results.List {
		for range max(1, len(f.Names)) {
			wanted = append(wanted, f.Type)
		}
	}
	for i, e := range n.Results {
		if isZero(e) || isBool(m.info.TypeOf(wanted[i])) {
			continue
		}
		values := make([]string, len(n.Results))
		for j, other := range n.Results {
			values[j] = m.text(other)
		}
		values[i] = fmt.Sprintf("*new(%s)", m.text(wanted[i]))
		m.add(n, fmt.Sprintf("%s returns zero for %s", oneLine(m.text(n)), oneLine(m.text(e))), func(on, inner string) string {
			return fmt.Sprintf("if %s { return %s }; %s", on, strings.Join(values, ", "), inner)
		})
	}
}

func isZero(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "false"
	case *ast.BasicLit:
		return e.Value == "0" || e.Value == `""`
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	}
	return false
}

// member leaves out a member of a struct, or an entry of a map.
func (m *mutator) member(n *ast.KeyValueExpr) {
	lit, ok := m.parent(1).(*ast.CompositeLit)
	if !ok {
		return
	}
	if _, ok := m.info.TypeOf(lit).Underlying().(*types.Map); ok {
		t := m.info.TypeOf(n.Key)
		if text, ok := m.typeText(t); ok && isKind(t, types.IsString|types.IsInteger) {
			m.add(n.Key, "entry "+oneLine(m.text(n.Key))+" gone", func(on, inner string) string {
				return fmt.Sprintf("mutantsGone[%s](%s, %s)", text, on, inner)
			})
		}
		return
	}
	t := m.info.TypeOf(n.Value)
	if text, ok := m.typeText(t); ok && !isZero(n.Value) && !isBool(t) {
		m.add(n.Value, oneLine(m.text(n))+" left out", func(on, inner string) string {
			return fmt.Sprintf("mutantsZero[%s](%s, %s)", text, on, inner)
		})
	}
}

// number makes a number one larger and one smaller.
func (m *mutator) number(n *ast.BasicLit) {
	t := m.info.TypeOf(m.whole(n))
	text, ok := m.typeText(t)
	if n.Kind != token.INT || !ok || !isKind(t, types.IsInteger) {
		return
	}
	for _, by := range []string{"+1", "-1"} {
		context := ast.Node(n)
		if p, ok := m.parent(1).(ast.Expr); ok {
			context = p
		}
		m.add(n, fmt.Sprintf("%s in %s", n.Value+by, oneLine(m.text(context))), func(on, inner string) string {
			return fmt.Sprintf("mutantsAdd[%s](%s, %s, %s)", text, on, inner, by)
		})
	}
}

// word changes an element of a list of strings.
func (m *mutator) word(n *ast.BasicLit) {
	lit, ok := m.parent(1).(*ast.CompositeLit)
	if !ok || n.Kind != token.STRING {
		return
	}
	if _, ok := m.info.TypeOf(lit).Underlying().(*types.Slice); ok {
		m.add(n, "element "+n.Value+" gone", func(on, inner string) string {
			return fmt.Sprintf("mutantsGone[string](%s, %s)", on, inner)
		})
	}
}

var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.LAND: token.LOR,
	token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
}

func (m *mutator) expression(n ast.Expr) {
	tv, ok := m.info.Types[n]
	if !ok || !tv.IsValue() {
		return
	}
	b, binary := n.(*ast.BinaryExpr)
	other := ""
	if binary && swapped[b.Op] != 0 {
		other = fmt.Sprintf("%s %s %s", m.text(b.X), swapped[b.Op], m.text(b.Y))
	}
	if !isBool(tv.Type) {
		text, ok := m.typeText(tv.Type)
		if other != "" && ok && tv.Value == nil && isKind(tv.Type, types.IsInteger) {
			m.add(n, fmt.Sprintf("%s in place of %s: %s", swapped[b.Op], b.Op, oneLine(m.text(n))), func(on, inner string) string {
				return fmt.Sprintf("mutantsOr(%s, func() %s { return %s }, func() %s { return %s })", on, text, inner, text, other)
			})
		}
		return
	}
	if _, paren := n.(*ast.ParenExpr); paren {
		return
	}
	if u, ok := n.(*ast.UnaryExpr); ok && u.Op == token.NOT {
		return
	}
	if other != "" {
		m.add(n, fmt.Sprintf("%s in place of %s: %s", swapped[b.Op], b.Op, oneLine(m.text(n))), func(on, inner string) string {
			return fmt.Sprintf("(%s && (%s) || !%s && (%s))", on, other, on, inner)
		})
		if b.Op == token.LAND || b.Op == token.LOR {
			return
		}
	}
	if !m.leaf(n) {
		return
	}
	m.add(n, oneLine(m.text(n))+" negated", func(on, inner string) string { return fmt.Sprintf("((%s) != %s)", inner, on) })
	for i := 1; ; i++ {
		switch p := m.parent(i).(type) {
		case *ast.ParenExpr:
			continue
		case *ast.UnaryExpr:
			continue
		case *ast.BinaryExpr:
			neutral := p.Op == token.LAND
			if i > 1 { // through a "!" or a parenthesis: which of both is neutral depends
				if u, ok := m.parent(1).(*ast.UnaryExpr); ok && u.Op == token.NOT {
					neutral = !neutral
				}
			}
			switch {
			case p.Op != token.LAND && p.Op != token.LOR:
			case neutral:
				m.add(n, oneLine(m.text(n))+" always", func(on, inner string) string { return fmt.Sprintf("((%s) || %s)", inner, on) })
			default:
				m.add(n, oneLine(m.text(n))+" never", func(on, inner string) string { return fmt.Sprintf("((%s) && !%s)", inner, on) })
			}
		}
		return
	}
}

// leaf tells whether a boolean expression may be changed as a whole.
func (m *mutator) leaf(n ast.Expr) bool {
	switch p := m.parent(1).(type) {
	case *ast.AssignStmt:
		return !slices.Contains(p.Lhs, n)
	case *ast.SelectorExpr, *ast.IncDecStmt, *ast.RangeStmt, *ast.ExprStmt:
		return false
	case *ast.KeyValueExpr:
		return p.Key != n
	case *ast.UnaryExpr:
		return p.Op == token.NOT
	case *ast.BinaryExpr:
		return p.Op == token.LAND || p.Op == token.LOR
	case *ast.CallExpr:
		return p.Fun != n
	}
	return true
}

// write is the file with all its mutants in it, switched off.
func (m *mutator) write() string {
	slices.SortStableFunc(m.edits, func(a, b edit) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	var render func(from, to int, edits []edit) string
	render = func(from, to int, edits []edit) string {
		var b strings.Builder
		for len(edits) > 0 {
			e := edits[0]
			n := 1
			for n < len(edits) && edits[n].from < e.to {
				n++
			}
			b.Write(m.src[from:e.from])
			b.WriteString(e.wrap(render(e.from, e.to, edits[1:n])))
			from, edits = e.to, edits[n:]
		}
		b.Write(m.src[from:to])
		return b.String()
	}
	return render(0, len(m.src), m.edits)
}
