package gallery

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tollgate/internal/look"
	"tollgate/static"
)

// Pages name their files by absolute paths; opened as files they need relative ones.
var assetPath = regexp.MustCompile(`"(?:` + static.Prefix + `|` + look.Prefix + `)([^"]+)"`)

// Write writes pages that a browser opens without a server, each as NAME.html, with index.html to list them. Files are those of
// the looks that they have.
func Write(dir string, pages []Story, files []look.File) error {
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o755); err != nil {
		return err
	}
	bodies := map[string][]byte{}
	index := "<!DOCTYPE html><meta charset=utf-8><title>Tollgate pages</title>\n"
	for _, s := range pages {
		var page bytes.Buffer
		if err := s.Page.Render(context.Background(), &page); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, m := range assetPath.FindAllSubmatch(page.Bytes(), -1) {
			bodies[string(m[1])] = nil
		}
		name := s.Name + ".html"
		if err := os.WriteFile(filepath.Join(dir, name), assetPath.ReplaceAll(page.Bytes(), []byte(`"static/$1"`)), 0o644); err != nil {
			return err
		}
		index += fmt.Sprintf("<p><a href=%q>%s</a>\n", name, name)
	}
	for _, f := range files {
		bodies[strings.TrimPrefix(f.Path, look.Prefix)] = f.Body
	}
	for name, body := range bodies {
		if body == nil {
			w := httptest.NewRecorder()
			static.Handler().ServeHTTP(w, httptest.NewRequest("GET", static.Prefix+name, nil))
			body = w.Body.Bytes()
		}
		if err := os.WriteFile(filepath.Join(dir, "static", name), body, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "index.html"), []byte(index), 0o644)
}
