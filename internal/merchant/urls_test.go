package merchant_test

import (
	"strings"
	"testing"

	"tollgate/internal/merchant"
)

// CHECKS T42: none of these may ever be where a shopper is sent.
func TestOpenRedirectsAreRefused(t *testing.T) {
	for _, raw := range []string{
		"", "//evil.example", "https:evil.example", "https:/evil.example", "javascript:alert(1)", "data:text/html,x", "http://shop.example/", "ftp://shop.example/",
		"https://user@shop.example/", "https://user:pw@shop.example/", "https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/%2e%2e/admin", "https://shop.example/a/../b",
		"https://shop.example/./", "https://shop.example\\@evil.example/", "https://shoр.example/", "https://xn--sho-7ed.example/", "https://shop.example/#frag", "https://", "/relative",
		"https://shop.example/ space", "https://shop.example/<b>", "https://shop.example/" + strings.Repeat("a", 1024), "http://127.0.0.1/", "http://localhost:8081/",
	} {
		if err := merchant.CheckReturnURL(raw, nil, false); err == nil {
			t.Errorf("%q was taken", raw)
		}
	}
}

func TestAShopsAddressKeepsItsPortAndQuery(t *testing.T) {
	for _, raw := range []string{"https://shop.example/thanks?a=1&b=2", "https://shop.example:8443/", "https://shop.example", "https://shop.example/%D1%81"} {
		if err := merchant.CheckReturnURL(raw, nil, false); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestWithAListOnlyItsOriginsPass(t *testing.T) {
	list := []string{"https://shop.example", "https://shop.example:8443", "https://xn--80a.example"}
	for raw, want := range map[string]bool{
		"https://shop.example/x": true, "https://SHOP.example/x": true, "https://shop.example:8443/x": true, "https://xn--80a.example/": true,
		"https://shop.example:444/x": false, "https://shop.example.evil.example/": false, "https://evil.example/": false, "http://shop.example/": false,
	} {
		if err := merchant.CheckReturnURL(raw, list, false); (err == nil) != want {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestTheSandboxMaySendToLoopback(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://localhost:8081/shop/done": true, "http://127.0.0.1:3000/": true, "http://[::1]:3000/": true, "http://10.0.0.1/": false, "http://shop.example/": false,
		"http://localhost.evil.example/": false,
	} {
		if err := merchant.CheckReturnURL(raw, nil, true); (err == nil) != want {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
