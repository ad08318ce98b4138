package handlers_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// The page is the same for every browser; one that takes gzip gets fewer bytes of it.
func TestPagesAreCompressedForBrowsersThatTakeIt(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	path := "/pay/" + m.call(http.MethodPost, "/v1/sessions", order("z-1")).field("id")
	cookie := m.call(http.MethodGet, path, "").Header().Get("Set-Cookie")
	clockwise := regexp.MustCompile(`data-seconds="\d+"|\d+:\d\d`) // the time that is left
	get := func(method, path, accept string) reply {
		answer := m.call(method, path, "", "Cookie", cookie, "Accept-Encoding", accept)
		if answer.Code != http.StatusOK || answer.Header().Get("Vary") != "Accept-Encoding" || answer.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s %s: %d, %v", method, path, answer.Code, answer.Header())
		}
		return answer
	}
	for _, path := range []string{path, "/"} {
		plain := get(http.MethodGet, path, "")
		want := clockwise.ReplaceAllString(plain.Body.String(), "")
		for _, accept := range []string{"gzip", "deflate, gzip;q=0.5, br", "*", "GZIP"} {
			answer := get(http.MethodGet, path, accept)
			if answer.Header().Get("Content-Encoding") != "gzip" || answer.Header().Get("Content-Type") != "text/html; charset=UTF-8" ||
				answer.Header().Get("Content-Length") != strconv.Itoa(answer.Body.Len()) || answer.Body.Len()*10 > plain.Body.Len()*7 {
				t.Fatalf("%s, %q: %d bytes of %d, %v", path, accept, answer.Body.Len(), plain.Body.Len(), answer.Header())
			}
			z, err := gzip.NewReader(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if page, err := io.ReadAll(z); err != nil || clockwise.ReplaceAllString(string(page), "") != want {
				t.Errorf("%s, %q: another page, %v", path, accept, err)
			}
		}
		for _, accept := range []string{"identity", "gzip;q=0", "br", "gzip;q=0, *"} {
			answer := get(http.MethodGet, path, accept)
			if answer.Header().Get("Content-Encoding") != "" || clockwise.ReplaceAllString(answer.Body.String(), "") != want {
				t.Errorf("%s: %q gets %q", path, accept, answer.Header().Get("Content-Encoding"))
			}
		}
	}
	if answer := get(http.MethodHead, "/", "gzip"); answer.Body.Len() != 0 || answer.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d bytes, %v", answer.Body.Len(), answer.Header())
	}
}
