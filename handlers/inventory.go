package handlers

import (
	"net/http"
	"slices"
	"strings"
)

// PageHeader is a header that every page has.
type PageHeader struct{ Name, Value, Purpose string }

// PageHeaders are the headers of every page, but for its Content-Security-Policy.
func PageHeaders(https bool) (all []PageHeader) {
	h := http.Header{}
	headersOfAll(https).set(h)
	for name, purpose := range map[string]string{
		"X-Content-Type-Options":       "a file is what its type says",
		"Referrer-Policy":              "the bank learns our origin, nobody the address of a payment",
		"Cache-Control":                "no page of a payment is kept by a browser or proxy",
		"Cross-Origin-Opener-Policy":   "pages that open ours do not reach into it; a bank's app may be opened",
		"Cross-Origin-Resource-Policy": "other sites cannot load what is served",
		"Permissions-Policy":           "no camera, place or other sensor for the page and what it frames",
		"X-Robots-Tag":                 "no payment is found by a search",
		"Reporting-Endpoints":          "browsers report what a policy stopped",
		"Strict-Transport-Security":    "browsers come by TLS only, for a year",
	} {
		if v := h.Get(name); v != "" {
			all = append(all, PageHeader{name, v, purpose})
		}
	}
	slices.SortFunc(all, func(a, b PageHeader) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// PagePolicy is a Content-Security-Policy that pages of a kind have.
type PagePolicy struct{ Pages, Value string }

// PagePolicies are all that pages may have. The nonce, fresh for each answer, and the origin that may frame the page ("": none) stand
// there as they are given.
func PagePolicies(nonce, embedder string, testing bool) []PagePolicy {
	return []PagePolicy{
		{"every page that posts to us", ownPage.header("", embedder, testing)},
		{"the same with a nonce", ownPage.header(nonce, embedder, testing)},
		{"a page that posts to the bank or goes on to the gateway: no form-action, which browsers apply to the bank's redirects", bankPage.header(nonce, embedder, testing)},
		{"a page with the bank's hidden 3DS Method frames", methodPage.header(nonce, embedder, testing)},
		{"a document in one of these frames", framedPage.header(nonce, embedder, testing)},
	}
}
