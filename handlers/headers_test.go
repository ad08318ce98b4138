package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// One answer of every kind: pages, files, errors, the API, returns from banks.
var oneOfEach = []string{"/", "/pay/cs_unknown", "/nothing", "/healthz", "/v1/sessions", "/v1/nothing", "/3ds/nobody/notify", "/3ds/nobody/return", "/callbacks/nobody", "/docs", "/openapi.yaml"}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	m, id := front(t, tune{})
	for _, path := range append(oneOfEach, "/pay/"+id, "/pay/"+id+"/new") {
		for _, proxySays := range []string{"", "http", "https"} {
			h := m.call(http.MethodGet, path, "", "X-Forwarded-Proto", proxySays).Header()
			for name, want := range map[string]string{
				"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex, nofollow",
				"Cross-Origin-Opener-Policy": "same-origin-allow-popups", "Referrer-Policy": "strict-origin",
			} {
				if h.Get(name) != want {
					t.Errorf("%s behind a proxy that says %q: %s is %q", path, proxySays, name, h.Get(name))
				}
			}
			corp, public := h.Get("Cross-Origin-Resource-Policy"), path == "/openapi.yaml"
			if (corp == "cross-origin") != public || !public && corp != "same-origin" {
				t.Errorf("%s: Cross-Origin-Resource-Policy %q", path, corp)
			}
			policy := h.Get("Permissions-Policy")
			if !strings.Contains(policy, "camera=()") || !strings.Contains(policy, "clipboard-write=(self)") || strings.Contains(policy, "payment") || strings.Contains(policy, "publickey") {
				t.Errorf("%s: Permissions-Policy %q", path, policy)
			}
			if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors") {
				t.Errorf("%s: Content-Security-Policy %q", path, csp)
			}
		}
	}
}

// A front without TLS is the sandbox: it must not teach browsers that this host has it.
func TestAFrontWithoutTLSDoesNotPromiseIt(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{baseURL: "http://127.0.0.1:8080"})
	if got := m.call(http.MethodGet, "/", "", "X-Forwarded-Proto", "https").Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("it says %q", got)
	}
}
