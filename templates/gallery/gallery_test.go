package gallery_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"tollgate/internal/i18n"
	"tollgate/templates/gallery"
)

// A page that nobody looks at is a page that nobody has seen.
func TestEveryPageIsInTheGallery(t *testing.T) {
	shown, err := os.ReadFile("gallery.go")
	if err != nil {
		t.Fatal(err)
	}
	models, err := parser.ParseFile(token.NewFileSet(), "../models.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(models, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || !strings.HasSuffix(spec.Name.Name, "Page") {
			return true
		}
		n++
		if !bytes.Contains(shown, []byte("templates."+spec.Name.Name+"{")) {
			t.Errorf("the gallery has no %s: add it to templates/gallery/gallery.go", spec.Name.Name)
		}
		return true
	})
	if n < 15 {
		t.Errorf("only %d pages were found", n)
	}
}

func TestEveryStoryIsDrawnInEveryLanguageUnderANameOfItsOwn(t *testing.T) {
	texts, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range i18n.Languages() {
		names := map[string]bool{}
		for _, s := range gallery.Stories(texts.For(lang), "/pay/s1") {
			var b bytes.Buffer
			if err := s.Page.Render(t.Context(), &b); err != nil || b.Len() == 0 {
				t.Errorf("%s in %s: %v", s.Name, lang, err)
			}
			if names[s.Name] {
				t.Errorf("two stories are called %s", s.Name)
			}
			names[s.Name] = true
		}
	}
}
