package merchant_test

import (
	"errors"
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

func TestWhyAnAddressIsRefused(t *testing.T) {
	full := "https://shop.example/" + strings.Repeat("a", 1024-len("https://shop.example/"))
	for raw, want := range map[string]error{
		full: nil, full + "a": merchant.ErrURLLength,
		"https://shop.example/a b": merchant.ErrURLParts, "https://shop.example/a\x7fb": merchant.ErrURLParts, "https://shop.example/a~b": nil, "https://shop.example/a!b": nil, "https://shop.example/a\x1f": merchant.ErrURLParts,
		`https://shop.example/a\b`: merchant.ErrURLParts, `https://shop.example/?a"b`: merchant.ErrURLParts, "https://shop.example/?a<b": merchant.ErrURLParts, "https://shop.example/?a>b": merchant.ErrURLParts,
		"https://[::1": merchant.ErrURL, "https:shop.example": merchant.ErrURL, "https:": merchant.ErrURL, "/thanks": merchant.ErrURL, "": merchant.ErrURL, "https:///x": merchant.ErrURL, "%zz": merchant.ErrURL,
		"https://u@shop.example/": merchant.ErrURLParts, "https://shop.example/#": merchant.ErrURLParts, "https://shop.example/#a": merchant.ErrURLParts, "https://shop.example/a/../b": merchant.ErrURLParts,
		"https://shop.example/a/./b": merchant.ErrURLParts, "https://shop.example/%2e%2e/b": merchant.ErrURLParts, "https://shop.example/a..b": nil,
		"https://:443/": merchant.ErrURLHost, "https://shöp.example/": merchant.ErrURLHost, "https://a~b.example/": nil, "https://xn--80a.example/": merchant.ErrURLHost, "https://www.xn--80a.example/": merchant.ErrURLHost,
		"https://axn--80a.example/": nil, "ftp://127.0.0.1/": merchant.ErrURL, "http://127.0.0.1/": merchant.ErrURL, "javascript://127.0.0.1/": merchant.ErrURL,
	} {
		if err := merchant.CheckReturnURL(raw, nil, false); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%.60q: %v, want %v", raw, err, want)
		}
	}
	for raw, want := range map[string]error{
		"ftp://127.0.0.1/": merchant.ErrURL, "javascript://localhost/": merchant.ErrURL, "http://127.0.0.1/": nil, "http://a.example/": merchant.ErrURL, "http://127.0.0.1.example/": merchant.ErrURL, "https://127.0.0.1/": nil,
	} {
		if err := merchant.CheckReturnURL(raw, nil, true); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("in the sandbox %q: %v, want %v", raw, err, want)
		}
	}
	if err := merchant.CheckReturnURL("https://other.example/", []string{"https://shop.example"}, false); !errors.Is(err, merchant.ErrURLOrigin) {
		t.Errorf("another origin than the one on the list: %v", err)
	}
	if err := merchant.CheckReturnURL("https://shop.example:8443/", []string{"https://shop.example"}, false); !errors.Is(err, merchant.ErrURLOrigin) {
		t.Errorf("another port than the one on the list: %v", err)
	}
}
