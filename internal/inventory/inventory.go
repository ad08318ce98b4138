// Package inventory lists every script that a payment page may have, with its hash, what it is for and whose it is, and finds the
// scripts of a page as it was served (PCI DSS 6.4.3, 11.6.1).
package inventory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"tollgate/internal/i18n"
	"tollgate/static"
	"tollgate/templates"
	"tollgate/templates/gallery"
)

// Script is a script that pages may have.
type Script struct {
	Name    string // of its file, or of what stands in the page
	Hash    string // of its bytes as a browser runs them, as Subresource Integrity writes it
	Inline  bool   // it stands in the page, under a nonce or under its hash
	Address string // of the file
	Purpose string
	Pages   []string // of the gallery, that have it
}

// Owner of every script: there is none of anybody else's.
const Owner = "Tollgate"

// purposes say why a payment page may have a script (PCI DSS 6.4.3). A script that has no line here fails a test.
var purposes = map[string]string{ // never written to
	"card.js":  "card form: groups digits, shows the card's system, says what is wrong at once, counts the time left, describes the browser to the bank (EMV 3DS)",
	"code.js":  "one-time code: counts how long the code is good",
	"form.js":  "forms: a second press sends nothing",
	"frame.js": "a page in a frame of the shop's: tells the shop's page its height and when the payment has ended",
	"live.js":  "pages that wait: listens for the next page, looks again when it hears nothing, counts down",
	"test.js":  "test mode only, loaded by card.js: one press fills in a card of the sandbox",
	"seal.js":  "encrypts the card for the gateway, of accounts that have it so",
	"work.js":  "proof of work while a card is typed, where cards are tested",

	"look again":     "pages that wait: looks again should live.js be lost",
	"to the bank":    "posts the challenge to the bank without a press",
	"to the gateway": "goes on to the gateway's page without a press",
	"out of a frame": "leads out of the frame in which a return came",
	"method over":    "tells the payment page that the bank's hidden 3DS Method frame is over",
}

// inline tells scripts that stand in pages apart, by a part of their text.
var inline = []struct{ name, part string }{
	{"method over", `tollgate: "method"`},
	{"to the gateway", `getElementById("leave")`},
	{"out of a frame", `getElementById("top")`},
	{"to the bank", `getElementById("bank")`},
}

// Found is a script of a page, as it came.
type Found struct {
	Address string // "": it stands in the page
	Text    string
}

// Hash of a script's bytes.
func Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Find lists the scripts of a page, and what else of it runs a script: handlers in attributes, addresses of the javascript scheme.
func Find(page io.Reader) (scripts []Found, other []string, err error) {
	doc, err := html.Parse(page)
	if err != nil {
		return nil, nil, err
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "data-test" { // card.js loads it
				scripts = append(scripts, Found{Address: a.Val})
			}
			if name := strings.ToLower(a.Key); strings.HasPrefix(name, "on") ||
				strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				other = append(other, fmt.Sprintf("%s of <%s>", name, n.Data))
			}
		}
		switch n.Data {
		case "script":
			var f Found
			for _, a := range n.Attr {
				if a.Key == "src" {
					f.Address = a.Val
				}
			}
			if f.Address == "" && n.FirstChild != nil {
				f.Text = n.FirstChild.Data
			}
			scripts = append(scripts, f)
		case "object", "embed", "applet", "base":
			other = append(other, "<"+n.Data+">")
		}
	}
	return scripts, other, nil
}

// Scripts lists all there are, files first. It renders every page of the gallery in every language.
func Scripts() ([]Script, error) {
	texts, err := i18n.New()
	if err != nil {
		return nil, err
	}
	by := map[string]*Script{}
	for _, f := range static.Files() {
		if strings.HasSuffix(f.Name, ".js") {
			by[f.URL] = &Script{Name: f.Name, Hash: Hash(f.Body), Address: f.URL, Purpose: purposes[f.Name]}
		}
	}
	for _, lang := range i18n.Languages() {
		for _, story := range append(gallery.Stories(texts.For(lang), "/pay/x"), more(texts.For(lang))...) {
			var page bytes.Buffer
			if err := story.Page.Render(context.Background(), &page); err != nil {
				return nil, fmt.Errorf("%s: %w", story.Name, err)
			}
			scripts, other, err := Find(&page)
			if err != nil || len(other) > 0 {
				return nil, fmt.Errorf("%s: %v: %w", story.Name, other, err)
			}
			for _, f := range scripts {
				s := by[f.Address+f.Text]
				if s == nil {
					name := nameOf(f)
					s = &Script{Name: name, Hash: Hash([]byte(f.Text)), Inline: f.Address == "", Address: f.Address, Purpose: purposes[name]}
					by[f.Address+f.Text] = s
				}
				if !slices.Contains(s.Pages, story.Name) {
					s.Pages = append(s.Pages, story.Name)
				}
			}
		}
	}
	all := []Script{}
	for _, s := range by {
		slices.Sort(s.Pages)
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Script) int {
		if a.Inline != b.Inline {
			return map[bool]int{true: 1, false: -1}[a.Inline]
		}
		return strings.Compare(a.Name+a.Hash, b.Name+b.Hash)
	})
	return all, nil
}

// more are pages with scripts that the gallery shows without them, since there they would lead away.
func more(t *i18n.Localizer) []gallery.Story {
	l := templates.Layout{T: t, Nonce: "n", EmbedOrigin: "https://shop.example"}
	return []gallery.Story{
		{Name: "leave, at once", Page: templates.Leave(templates.LeavePage{Layout: l, URL: "https://bank.example/", Auto: true})},
		{Name: "challenge, at once", Page: templates.Challenge(templates.ChallengePage{Layout: l, Action: "https://bank.example/", AutoSubmit: true})},
		{Name: "card, with work to do, in a frame", Page: templates.Card(templates.CardPage{Layout: l, Task: "t", TaskBits: 15})},
		{Name: "result, in a frame", Page: templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, Delay: 10})},
	}
}

func nameOf(f Found) string {
	if f.Address != "" {
		return f.Address
	}
	for _, one := range inline {
		if strings.Contains(f.Text, one.part) {
			return one.name
		}
	}
	return "look again"
}
