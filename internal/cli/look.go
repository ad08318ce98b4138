package cli

import (
	"context"
	"flag"
	"fmt"

	"tollgate/internal/i18n"
	"tollgate/internal/look"
	"tollgate/templates/gallery"
)

const lookPreviewHelp = `Checks every look of every merchant and writes what shoppers see most, in every language, into a folder that a browser opens
without a server: index.html lists the pages.

  tollgate look preview -config tollgate.toml /tmp/looks`

// lookPreview writes the pages of all looks.
func lookPreview(_ context.Context, p process, set *flag.FlagSet) int {
	c, code, ok := readConfig(p, set, 1)
	if !ok {
		return code
	}
	directory, err := c.Directory()
	if err != nil {
		return p.failed(set, err)
	}
	texts, err := i18n.New()
	if err != nil {
		return p.failed(set, err)
	}
	var pages []gallery.Story
	var files []look.File
	looks := 0
	for _, m := range directory.All() {
		for _, l := range m.Looks {
			looks++
			files = append(files, l.Files()...)
			for _, lang := range i18n.Languages() {
				for _, s := range gallery.Preview(texts.For(lang), m.Name, l) {
					pages = append(pages, gallery.Story{Name: m.ID + "." + l.Name + "." + s.Name + "." + lang, Page: s.Page})
				}
			}
		}
	}
	if looks == 0 {
		fmt.Fprintln(p.err, "tollgate look preview: no merchant has a look; [[merchant.look]] makes one")
		return exitFailed
	}
	if err := gallery.Write(set.Arg(0), pages, files); err != nil {
		return p.failed(set, err)
	}
	fmt.Fprintf(p.out, "%d looks, %d pages: %s/index.html\n", looks, len(pages), set.Arg(0))
	return exitDone
}
