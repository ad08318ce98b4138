package providers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// An ability is an interface of abilities.go or providers.go. What a provider can do is found by type assertion in a few functions: one that
// is forgotten there is shown nowhere, neither in the list of accounts nor in the table of the gateways.
func TestEveryAbilityIsAskedAboutWhereCapabilitiesAreNamed(t *testing.T) {
	asserted := map[string]bool{}
	for _, name := range []string{"capabilities.go", "abilities.go"} {
		ast.Inspect(parse(t, name), func(n ast.Node) bool {
			if a, ok := n.(*ast.TypeAssertExpr); ok {
				if id, ok := a.Type.(*ast.Ident); ok {
					asserted[id.Name] = true
				}
			}
			return true
		})
	}
	abilities := 0
	each := func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name == "Provider" { // what every gateway is
			return true
		}
		if _, ok := spec.Type.(*ast.InterfaceType); ok {
			abilities++
			if !asserted[spec.Name.Name] {
				t.Errorf("the ability %s is not asked about in providers/capabilities.go", spec.Name.Name)
			}
		}
		return true
	}
	ast.Inspect(parse(t, "abilities.go"), each)
	ast.Inspect(parse(t, "providers.go"), each)
	if abilities < 10 {
		t.Errorf("%d abilities were found: the walk is broken", abilities)
	}
}

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
