// Package page is the common frame of the sandbox's console and demo shop: layout, stylesheet, security headers.
package page

import (
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"tollgate/internal/sandbox/amount"
)

//go:embed files
var files embed.FS

// Parse makes templates out of fsys's files and the common ones ("head", "foot"); a fault in them is a fault of the build.
func Parse(fsys fs.FS, patterns ...string) *template.Template {
	t := template.New("").Funcs(template.FuncMap{"amount": amount.Format, "lower": strings.ToLower, "words": words})
	return template.Must(template.Must(t.ParseFS(files, "files/*.html")).ParseFS(fsys, patterns...))
}

// words writes a name of our own for people: refund_undone is "refund undone".
func words(name any) string { return strings.ReplaceAll(fmt.Sprint(name), "_", " ") }

// Frame is embedded in what a page shows.
type Frame struct {
	Title   string
	Section string // "console" or "shop"
	Nonce   string // set by Render
	Refresh int    // seconds until the page asks again; 0 never
}

// SetNonce lets Render reach the frame inside a view.
func (f *Frame) SetNonce(nonce string) { f.Nonce = nonce }

// Render writes the page. formAction lists the origins, beside our own, to which a form's redirects may lead.
func Render(w http.ResponseWriter, status int, t *template.Template, name string, view interface{ SetNonce(string) },
	formAction ...string) {
	nonce := rand.Text()
	view.SetNonce(nonce)
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, view); err != nil {
		http.Error(w, "page failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'nonce-"+nonce+
		"'; form-action 'self' "+strings.Join(formAction, " ")+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}

// ServeCSS serves the stylesheet at /sandbox.css.
func ServeCSS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, files, "files/sandbox.css")
}
