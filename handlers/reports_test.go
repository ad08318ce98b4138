package handlers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

func TestOfAViolationTheDirectiveTheOriginAndTheKindOfPageAreKept(t *testing.T) {
	var log bytes.Buffer
	counted := map[string]int{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		log: slog.New(slog.NewTextHandler(&log, nil)), violated: func(directive, page string) { counted[directive+" "+page]++ },
	})
	report := func(body, kind, from string) int {
		r := httptest.NewRequest(http.MethodPost, "/reports/csp", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.RemoteAddr = from + ":4000"
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w.Code
	}
	old := `{"csp-report":{"document-uri":"https://pay.example/pay/cs_secret?lang=kk","referrer":"https://shop.example/cart?id=7",
		"violated-directive":"script-src-elem","effective-directive":"script-src-elem","original-policy":"x",
		"blocked-uri":"https://evil.example/a/path?q=4000019900020704","script-sample":"secret sample"}}`
	fresh := `[{"type":"csp-violation","url":"https://pay.example/pay/cs_secret","body":{"documentURL":"https://pay.example/pay/cs_secret/frame/1/0",
		"effectiveDirective":"connect-src","blockedURL":"inline","sample":"secret sample","referrer":"https://shop.example/cart"}},{"type":"deprecation","body":{}}]`
	for _, one := range []struct{ body, kind string }{
		{old, "application/csp-report"}, {fresh, "application/reports+json"}, {"{", "application/csp-report"}, {"", ""}, {"[[[[", "application/reports+json"},
		{strings.Repeat("x", 1<<20), "application/csp-report"},
	} {
		if code := report(one.body, one.kind, "203.0.113.9"); code != http.StatusNoContent && code != http.StatusRequestEntityTooLarge {
			t.Errorf("%.20q: %d", one.body, code)
		}
	}
	if counted["script-src-elem payment"] != 1 || counted["connect-src payment frame"] != 1 || len(counted) != 2 {
		t.Errorf("counted %v", counted)
	}
	for _, never := range []string{"cs_secret", "4000019900020704", "secret sample", "cart", "a/path"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("the log has %q: %s", never, log.String())
		}
	}
	if !strings.Contains(log.String(), "https://evil.example") {
		t.Errorf("the log lacks the blocked origin: %s", log.String())
	}
	log.Reset()
	for i := range 2000 { // strangers may say anything
		report(fmt.Sprintf(`{"csp-report":{"effective-directive":"d%d","blocked-uri":"https://h%d.example/","document-uri":"https://x/%d"}}`, i, i, i),
			"application/csp-report", fmt.Sprintf("198.51.%d.%d", i/250, i%250))
	}
	for range 1000 {
		report(old, "application/csp-report", "203.0.113.9")
	}
	if lines := strings.Count(log.String(), "\n"); lines > 300 || len(counted) != 3 {
		t.Errorf("%d lines, labels %v", lines, counted)
	}
	if n := counted["script-src-elem payment"]; n > 60 {
		t.Errorf("%d reports of one address were counted", n)
	}
}
