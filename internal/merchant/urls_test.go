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

func TestTheSandboxMaySendToThisMachineAndToPrivateNetworks(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://localhost:8081/shop/done": true, "http://127.0.0.1:3000/": true, "http://[::1]:3000/": true, "http://10.0.0.1/": true, "http://shop.example/": false,
		"http://192.168.1.5:3000/": true, "http://172.16.0.1/": true, "http://[fd00::1]/": true, "http://host.docker.internal:3000/": true,
		"http://172.32.0.1/": false, "http://169.254.169.254/": false, "http://metadata.google.internal/": false, "http://8.8.8.8/": false,
		"http://192.168.1/": false, "http://0xc0a80105/": false, "http://host.docker.internal.evil.example/": false,
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
		"https://sh!op.example/": merchant.ErrURLHost, "https://*.shop.example/": merchant.ErrURLHost, "https://axn--80a.example/": nil, "ftp://127.0.0.1/": merchant.ErrURL, "http://127.0.0.1/": merchant.ErrURL, "javascript://127.0.0.1/": merchant.ErrURL,
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
	if err := merchant.CheckReturnURL("https://sh!op.example/", []string{"https://sh!op.example"}, false); !errors.Is(err, merchant.ErrURLHost) {
		t.Errorf("a host that is written with what no host has, though it is on the list: %v", err)
	}
}

// Without a list an address is a public name: whoever may create sessions sends shoppers nowhere on their own machine or network.
func TestWithoutAListNumbersAndLocalNamesAreRefused(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "0", "0.0.0.0", "169.254.169.254", "10.0.0.1",
		"203.0.113.5", "localhost", "shop.localhost", "LOCALHOST", "intranet", "printer.local", "metadata.google.internal", "shop.example.", "shop..example", ".example",
		"127.0.0.0x7f", "printer.lan", "nas.home", "wiki.corp",
	} {
		for _, loopback := range []bool{false, true} {
			raw := "https://" + host + "/"
			err := merchant.CheckReturnURL(raw, nil, loopback)
			allowed := loopback && strings.Contains(" 127.0.0.1 [::1] localhost LOCALHOST [::ffff:127.0.0.1] 10.0.0.1 ", " "+host+" ")
			if (err == nil) != allowed {
				t.Errorf("%s, loopback %v: %v", raw, loopback, err)
			}
		}
	}
	if err := merchant.CheckReturnURL("https://203.0.113.5/", []string{"https://203.0.113.5"}, false); err != nil {
		t.Errorf("with a list: %v", err)
	}
}

func TestAPortIsOneThatCanBeReached(t *testing.T) {
	for port, want := range map[string]bool{":0": false, ":99999": false, ":65536": false, ":": false, ":65535": true, ":1": true, ":443": true, ":-1": false} {
		if err := merchant.CheckReturnURL("https://shop.example"+port+"/", nil, false); (err == nil) != want {
			t.Errorf("%s: %v", port, err)
		}
	}
	if err := merchant.CheckReturnURL("https://shop.example:443/", []string{"https://shop.example"}, false); err != nil {
		t.Errorf("the usual port is another origin: %v", err)
	}
}

func TestALineOfTheListIsAnOrigin(t *testing.T) {
	for raw, want := range map[string]string{
		"https://shop.example": "https://shop.example", "https://SHOP.example:443": "https://shop.example", "https://shop.example:8443": "https://shop.example:8443",
		"https://shop.example/": "", "https://shop.example/pay": "", "https://*.shop.example": "", "*": "", "shop.example": "", "//shop.example": "", "http://shop.example": "",
		"https://shop.example?x": "", "https://shop.example?": "", "https://shop.example#": "", "https://u@shop.example": "", "https://shop.example:0": "", "https://shop.example:99999": "",
		"https:shop.example": "", "": "", "https://": "", "https://shop example": "", "http://localhost:3000": "", "https://sh!op.example": "", "https://:443": "", "https:///": "",
	} {
		if got, err := merchant.CheckOrigin(raw, false); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
	for raw, want := range map[string]string{
		"http://localhost:3000": "http://localhost:3000", "http://localhost:80": "http://localhost", "http://localhost:443": "http://localhost:443", "http://[::1]:3000": "http://[::1]:3000",
		"https://shop.example:80": "https://shop.example:80", "https://[2001:db8::1]": "https://[2001:db8::1]", "http://shop.example": "", "ftp://localhost": "", "ws://localhost:3000": "",
	} {
		if got, err := merchant.CheckOrigin(raw, true); got != want || (want == "") != errors.Is(err, merchant.ErrOrigin) {
			t.Errorf("in the sandbox %q: %q, %v", raw, got, err)
		}
	}
	if _, err := merchant.CheckOrigin("https://shop.example/pay/", false); err == nil || !strings.Contains(err.Error(), "here https://shop.example") {
		t.Errorf("it is told as %v", err)
	}
}
