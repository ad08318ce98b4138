package e2e_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// everyLook makes the gallery's test look at every page in every language, in light, dark and forced colours, and keep pictures:
// make pages.
var everyLook = flag.Bool("pages", false, "judge every page of the gallery in every look")

// mainPages makes the pictures of the ten main pages anew: docs/pages has one of each, artefacts/pages all languages and sizes.
var mainPages = flag.Bool("pictures", false, "take the pictures of docs/pages anew")

func TestThePicturesOfTheTenMainPages(t *testing.T) {
	kept, err := filepath.Glob("../docs/pages/*.png")
	if err != nil || len(kept) != 10 {
		t.Fatalf("docs/pages has %d pictures, %v", len(kept), err)
	}
	if !*mainPages {
		t.Log("taken anew by make pictures")
		return
	}
	g := newGallery(t, sharedWorld(t))
	g.prefer("light") // and no motion: marks are drawn at once
	for _, file := range kept {
		part := strings.Split(filepath.Base(file), ".") // name, language, width, png
		for _, lang := range languages {
			g.do(chromedp.Navigate(g.w.Front + "/gallery/" + lang + "/" + part[0]))
			g.picture("gallery." + part[0] + "." + lang)
		}
		png, err := os.ReadFile(filepath.Join(artefacts(t), "pages", "gallery."+filepath.Base(file)))
		if err == nil {
			err = os.WriteFile(file, png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stories are the names of the gallery's pages.
func (g *gallery) stories() []string {
	g.Helper()
	g.do(chromedp.Navigate(g.w.Front + "/gallery"))
	return strings.Split(ask[string](g.tab, `Array.from(document.querySelectorAll(".gallery strong"), function (e) { return e.textContent }).join(",")`), ",")
}

// forced says whether the system's own colours are forced on pages.
func (g *gallery) forced(value string) {
	g.Helper()
	g.call(func() error {
		_, err := chromedp.Call(g.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "forced-colors", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

func TestEveryPageOfTheGalleryIsAccessible(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := newGallery(t, w)
	langs := []string{"kk", "ar-XB"} // one in Cyrillic letters, one from right to left
	if *everyLook {
		g.do(chromedp.Navigate(w.Front + "/gallery"))
		langs = ask[[]string](g.tab, `Array.from(document.querySelectorAll(".gallery li:first-child a"), function (a) { return a.lang })`)
	}
	for _, name := range g.stories() {
		if strings.HasPrefix(name, "method-") { // documents of hidden frames
			continue
		}
		for _, lang := range langs {
			g.do(chromedp.Navigate(w.Front + "/gallery/" + lang + "/" + name))
			g.judge(name + " in " + lang)
			g.fits(name+" in "+lang, 320)
			g.forced("active")
			g.contrasts(name + " in " + lang)
			g.forced("none")
			if *everyLook || lang == "kk" {
				g.large(true)
				g.fits(name+" in large letters in "+lang, 320)
				g.large(false)
			}
			if *everyLook {
				g.picture("gallery." + name + "." + lang)
			}
		}
	}
}

// large makes the browser's own letters twice as large, or not.
func (g *gallery) large(is bool) {
	g.Helper()
	size := int64(16)
	if is {
		size = 32
	}
	g.call(func() error {
		_, err := chromedp.Call(g.ctx, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: size, Fixed: size}})
		return err
	})
}

func TestTheDocumentationIsAccessible(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	g := newGallery(t, w)
	g.do(chromedp.Navigate(w.Front + "/docs"))
	until(t, 20*time.Second, "the contract, drawn", func() bool { return ask[int](g.tab, `document.querySelectorAll(".opblock").length`) > 20 })
	g.judge("docs")
}

// fits fails where the page is wider than a screen of that width: also 1280 pixels at 400 %.
func (g *gallery) fits(name string, width int64) {
	g.Helper()
	g.do(chromedp.EmulateViewport(width, 640))
	if wide := ask[int64](g.tab, "document.documentElement.scrollWidth"); wide > width {
		g.Errorf("%s is %d pixels wide on a screen of %d", name, wide, width)
	}
	g.do(chromedp.EmulateViewport(sizes[0].width, sizes[0].height))
}

// contrasts fails where a button has no edge of its own in forced colours.
func (g *gallery) contrasts(name string) {
	g.Helper()
	if bare := ask[int](g.tab, `Array.from(document.querySelectorAll("button, .button, .note")).filter(function (e) { return e.offsetParent && parseFloat(getComputedStyle(e).borderTopWidth) === 0 }).length`); bare > 0 {
		g.Errorf("%s: %d buttons or notes have no edge in forced colours", name, bare)
	}
}

func TestTheGalleryIsTheSandboxsAlone(t *testing.T) {
	w := sharedWorld(t)
	b := newWalker(t, w)
	b.open(w.Front + "/gallery")
	if b.status != 200 || b.doc.Find(".gallery li").Length() < 30 {
		t.Errorf("the gallery: %d, %s", b.status, b.words())
	}
}
