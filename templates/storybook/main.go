// Command storybook writes every page, with made-up data, as files that a browser opens without a server:
//
//	go run ./templates/storybook DIR
//
// Files are called NAME.LANGUAGE.html; index.html lists them.
package main

import (
	"log"
	"os"

	"tollgate/internal/i18n"
	"tollgate/internal/look"
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

func write(dir string) error {
	bundle, err := i18n.New()
	if err != nil {
		return err
	}
	sample, err := look.New(look.Sample(), i18n.Languages())
	if err != nil {
		return err
	}
	var pages []gallery.Story
	all := []*i18n.Localizer{bundle.Mirrored()}
	for _, lang := range i18n.Languages() {
		all = append(all, bundle.For(lang))
	}
	for _, t := range all {
		for _, s := range gallery.Stories(t, "/pay/s1") {
			pages = append(pages, gallery.Story{Name: s.Name + "." + t.Lang(), Page: s.Page})
		}
	}
	return gallery.Write(dir, pages, sample.Files())
}
