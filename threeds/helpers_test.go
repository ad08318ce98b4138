package threeds

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	serverID = "c54097ea-74e7-4163-9148-3c1655874b00"
	acsID    = "12555922-eff3-4c94-9982-203762a37f29"
)

// ours is the waiting run of most tests.
var ours = IDs{ThreeDSServerTransID: serverID, ACSTransID: acsID, MessageVersion: "2.2.0"}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// cres is the JSON of a good CRes with old replaced by new.
func cres(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(`{"threeDSServerTransID":"` + serverID + `","acsTransID":"` + acsID +
		`","messageType":"CRes","messageVersion":"2.2.0","transStatus":"Y","challengeCompletionInd":"Y"}`)
}

func post(contentType, body, query string) *http.Request {
	req := httptest.NewRequest("POST", "/3ds/token/return?"+query, strings.NewReader(body))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

func zlibbed(t testing.TB, doc string) string {
	t.Helper()
	var buf bytes.Buffer
	w := zlib.NewWriter(&buf)
	if _, err := w.Write([]byte(doc)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

func deflated(t testing.TB, doc string) string {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(doc)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

// fold breaks s as a MIME encoder does.
func fold(s string, width int) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\r\n")
		s = s[width:]
	}
	return b.String() + s
}

func wantReason(t testing.TB, err error, want string) {
	t.Helper()
	if got := ReasonOf(err); got != want {
		t.Errorf("reason %q (%v), want %q", got, err, want)
	}
}
