// Command storybook writes every page, with made-up data, as files that a browser opens without a server:
//
//	go run ./templates/storybook DIR
//
// Files are called NAME.LANGUAGE.html; index.html lists them.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"

	"tollgate/internal/i18n"
	"tollgate/static"
	"tollgate/templates/gallery"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: storybook DIR")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// Pages name their files by absolute paths; opened as files they need relative ones.
var assetPath = regexp.MustCompile(`"` + static.Prefix + `([^"]+)"`)

func write(dir string) error {
	bundle, err := i18n.New()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o755); err != nil {
		return err
	}
	assets := map[string]bool{}
	index := "<!DOCTYPE html><meta charset=utf-8><title>Tollgate pages</title>\n"
	for _, lang := range i18n.Languages() {
		for _, s := range gallery.Stories(bundle.For(lang), "/pay/s1") {
			var page bytes.Buffer
			if err := s.Page.Render(context.Background(), &page); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			for _, m := range assetPath.FindAllSubmatch(page.Bytes(), -1) {
				assets[string(m[1])] = true
			}
			name := s.Name + "." + lang + ".html"
			if err := os.WriteFile(filepath.Join(dir, name), assetPath.ReplaceAll(page.Bytes(), []byte(`"static/$1"`)),
				0o644); err != nil {
				return err
			}
			index += fmt.Sprintf("<p><a href=%q>%s</a>\n", name, name)
		}
	}
	for name := range assets {
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, httptest.NewRequest("GET", static.Prefix+name, nil))
		if err := os.WriteFile(filepath.Join(dir, "static", name), w.Body.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "index.html"), []byte(index), 0o644)
}
