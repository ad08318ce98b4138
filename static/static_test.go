package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"tollgate/static"
)

func get(t *testing.T, method, url, acceptEncoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	if acceptEncoding != "" {
		r.Header.Set("Accept-Encoding", acceptEncoding)
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryFileIsServedUnderANameThatCarriesItsHashForEver(t *testing.T) {
	types := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	files, err := fs.ReadDir(os.DirFS("files"), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, f := range files {
		source, err := os.ReadFile("files/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"read.js"} {
			text, err := os.ReadFile("parts/" + part)
			if err != nil {
				t.Fatal(err)
			}
			source = bytes.ReplaceAll(source, []byte("// include "+part+"\n"), append(text, '\n'))
		}
		base, ext, _ := strings.Cut(f.Name(), ".")
		url := static.URL(f.Name())
		if !regexp.MustCompile(`^/static/` + base + `\.[0-9a-f]{10}\.` + ext + `$`).MatchString(url) {
			t.Errorf("%s has the address %s", f.Name(), url)
		}
		plain := get(t, "GET", url, "")
		want := body(t, plain.Body)
		if plain.StatusCode != 200 || read(want) != read(string(source)) {
			t.Errorf("%s: status %d, or not what the file says", url, plain.StatusCode)
		}
		if strings.Contains(want, "\n ") || regexp.MustCompile(`(?m)^\s*//|/\*`).MatchString(want) || len(want) > len(source) {
			t.Errorf("%s is served with what only people read", url)
		}
		for name, value := range map[string]string{
			"Content-Type": types[ext], "Cache-Control": "public, max-age=31536000, immutable",
			"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding", "Content-Encoding": "", "Set-Cookie": "",
		} {
			if got := plain.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", url, name, got, value)
			}
		}
		packed := get(t, "GET", url, "br, gzip;q=0.8")
		if packed.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s is not compressed for a browser that takes gzip", url)
		}
		unzip, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body(t, unzip) != string(want) {
			t.Errorf("%s unpacks to something else", url)
		}
	}
}

// read is a file without comments and white space: what is left must be the same as served.
func read(s string) string {
	s = regexp.MustCompile(`(?ms)^\s*//[^\n]*$|/\*.*?\*/`).ReplaceAllString(s, "")
	return strings.ReplaceAll(regexp.MustCompile(`\s`).ReplaceAllString(s, ""), ";}", "}")
}

func TestGzipIsSentOnlyWhereItIsAccepted(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "identity": "", "br": "", "gzip": "gzip", "GZIP": "gzip", "*": "gzip", "gzip;q=0": "", "gzip; q=0.0, *": "",
		"*;q=0": "", "gzip;q=1.0": "gzip", "xgzip": "",
	} {
		if got := get(t, "GET", static.URL("pay.css"), header).Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", header, got, want)
		}
	}
}

func TestOtherNamesAndOtherMethodsAreRefused(t *testing.T) {
	url := static.URL("pay.css")
	for _, other := range []string{"/static/pay.css", "/static/pay.0000000000.css", "/static/", "/static/../static.go"} {
		if got := get(t, "GET", other, "").StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: status %d", other, got)
		}
	}
	if got := get(t, "POST", url, ""); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d, Allow %q", got.StatusCode, got.Header.Get("Allow"))
	}
	head := get(t, "HEAD", url, "")
	if head.StatusCode != 200 || head.Header.Get("Content-Length") == "" || body(t, head.Body) != "" {
		t.Errorf("HEAD: status %d, length %q, or a body", head.StatusCode, head.Header.Get("Content-Length"))
	}
}

// A page must not fetch from, or reveal the shopper to, anybody else.
func TestNoFileNamesAnotherSite(t *testing.T) {
	for _, file := range static.Files() {
		name, text := file.Name, string(file.Body)
		if strings.HasSuffix(name, ".svg") {
			text = strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "") // a name
		}
		if m := regexp.MustCompile(`(?i)url\(|@import|https?://|//[a-z0-9-]+\.[a-z]`).FindString(text); m != "" {
			t.Errorf("%s has %q", name, m)
		}
	}
}
