// Package static holds the stylesheet, scripts and icon of the pages. Their names carry the hash of their content, so
// browsers may keep them for ever. They are served without the comments and the indentation that people read.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed files parts
var embedded embed.FS

//go:embed embed.js
var embedScript []byte

// Embed is the script that shops load to show a payment page in theirs. It has one address for ever, and so no hash.
func Embed() []byte { return embedScript }

// Prefix is the path the files are served under.
const Prefix = "/static/"

type asset struct {
	url         string
	contentType string
	plain, gzip []byte
}

type library struct {
	byName map[string]asset // as they are called in this folder
	byURL  map[string]asset
}

// load depends on nothing but the embedded bytes.
var load = sync.OnceValue(func() library {
	l := library{map[string]asset{}, map[string]asset{}}
	entries, err := fs.ReadDir(embedded, "files")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(embedded, "files/"+e.Name())
		if err != nil {
			panic(err)
		}
		ext := path.Ext(e.Name())
		body = small(ext, withParts(body))
		sum := sha256.Sum256(body)
		a := asset{
			url:         Prefix + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:5]) + ext,
			contentType: contentTypes[ext],
			plain:       body,
			gzip:        compress(body),
		}
		if a.contentType == "" {
			panic("static: no content type for " + e.Name())
		}
		l.byName[e.Name()], l.byURL[a.url] = a, a
	}
	return l
})

var include = regexp.MustCompile(`(?m)^\s*// include (\S+)$`)

// withParts puts what several scripts have in common where they include it: a page loads it with the script, and not beside it.
func withParts(body []byte) []byte {
	return include.ReplaceAllFunc(body, func(line []byte) []byte {
		part, err := fs.ReadFile(embedded, "parts/"+string(include.FindSubmatch(line)[1]))
		if err != nil {
			panic(err)
		}
		return part
	})
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

var (
	lineComment = regexp.MustCompile(`(?m)^\s*//.*$`)
	comment     = regexp.MustCompile(`(?s)/\*.*?\*/`)
	around      = regexp.MustCompile(`\s*([{};,])\s*`)
	declared    = regexp.MustCompile(`([{;][a-z-]+):\s+`)
	lineStart   = regexp.MustCompile(`\s*\n\s*`)
)

// small leaves out what only people read. Scripts keep their lines, whose ends may end a statement; a comment has its own line.
func small(ext string, body []byte) []byte {
	switch ext {
	case ".js":
		body = lineStart.ReplaceAll(lineComment.ReplaceAll(body, nil), []byte("\n"))
	case ".css":
		body = around.ReplaceAll(comment.ReplaceAll(body, nil), []byte("$1"))
		body = bytes.ReplaceAll(declared.ReplaceAll(body, []byte("$1:")), []byte(";}"), []byte("}"))
	}
	return bytes.TrimSpace(body)
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w.Write(body) //nolint:errcheck // a bytes.Buffer does not fail
	w.Close()     //nolint:errcheck
	return b.Bytes()
}

// URL is the address of the file called name in this folder, such as "pay.css". It panics on a name that is not there:
// that is a mistake in a page, found by the first test that renders it.
func URL(name string) string {
	a, ok := load().byName[name]
	if !ok {
		panic(fmt.Sprintf("static: no file %q", name))
	}
	return a.url
}

// Handler serves the files under Prefix; it expects the whole path of the request. Unknown names, and names with an
// earlier hash, are 404. It sets no cookie.
func Handler() http.Handler {
	byURL := load().byURL
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := byURL[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		body := a.plain
		if AcceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = a.gzip
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			w.Write(body) //nolint:errcheck // the reader has gone; nobody is left to be told
		}
	})
}

// AcceptsGzip reads Accept-Encoding as far as RFC 9110 §12.5.3 matters here: gzip, or *, and not with q=0.
func AcceptsGzip(header string) bool {
	accepted := false
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		name, q, _ := strings.Cut(strings.ReplaceAll(params, " ", ""), "=")
		weight, err := strconv.ParseFloat(q, 64)
		refused := strings.EqualFold(name, "q") && err == nil && weight == 0
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip":
			return !refused
		case "*":
			accepted = !refused
		}
	}
	return accepted
}

// File is one of the files, as it is served.
type File struct {
	Name, URL string
	Body      []byte
}

// Files lists them by name.
func Files() (all []File) {
	for name, a := range load().byName {
		all = append(all, File{name, a.url, bytes.Clone(a.plain)})
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return all
}
