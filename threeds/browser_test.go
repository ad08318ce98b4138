package threeds

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestBrowserDataOfAnOrdinaryBrowser(t *testing.T) {
	h := http.Header{
		"Accept":          {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64)"},
		"Accept-Language": {"kk-KZ, ru;q=0.9, en-US;q=0.8, *;q=0.1, xx;q=0, ru"},
	}
	form := url.Values{
		"browserLanguage": {"ru-RU"}, "browserColorDepth": {"30"}, "browserScreenHeight": {"1080"}, "browserScreenWidth": {"1920"},
		"browserTZ": {"-300"}, "browserJavaEnabled": {"undefined"}, "browserJavascriptEnabled": {"true"},
	}
	b, err := json.Marshal(ReadBrowserData(h, "203.0.113.7:51234", form))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"browserAcceptHeader":"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8","browserUserAgent":"Mozilla/5.0 (X11; Linux x86_64)",` +
		`"browserIP":"203.0.113.7","browserLanguage":"ru-RU","browserJavaEnabled":false,"browserJavascriptEnabled":true,"browserColorDepth":"24",` +
		`"browserScreenHeight":"1080","browserScreenWidth":"1920","browserTZ":"-300","acceptLanguage":["kk-KZ","ru","en-US"]}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
}

func TestBrowserDataWithoutScript(t *testing.T) {
	h := http.Header{"Accept": {"text/html"}, "User-Agent": {"w3m"}, "Accept-Language": {"*, zh-Hans-CN;q=0.5"}}
	want := BrowserData{AcceptHeader: "text/html", UserAgent: "w3m", Language: "zh-Hans", AcceptLanguage: []string{"zh-Hans-CN"}}
	if d := cmp.Diff(want, ReadBrowserData(h, "", url.Values{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(BrowserData{}, ReadBrowserData(nil, "", nil)); d != "" {
		t.Error(d)
	}
}

func TestBrowserValuesAreNormalisedOrDropped(t *testing.T) {
	read := func(name, value string) BrowserData {
		return ReadBrowserData(nil, "", url.Values{name: {value}})
	}
	for in, want := range map[string]string{
		"1": "1", "4": "4", "8": "8", "15": "15", "16": "16", "24": "24", "32": "32", "48": "48",
		"0": "1", "2": "1", "12": "8", "30": "24", "36": "32", "64": "48", " 24 ": "24", "024": "24",
		"": "", "-1": "", "24.5": "", "x": "", "129": "", "99999999999999999999": "", "2４": "",
	} {
		if got := read("browserColorDepth", in).ColorDepth; got != want {
			t.Errorf("colour depth %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"300": "300", "-300": "-300", "+300": "300", " 300": "300", "-345": "-345", "0": "0", "-0": "0", "-840": "-840", "720": "720", "0060": "60",
		"-841": "", "721": "", "9999": "", "30000": "", "5.5": "", "": "", "Asia/Almaty": "", "--5": "",
	} {
		if got := read("browserTZ", in).TZ; got != want {
			t.Errorf("zone %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"1080": "1080", "1080.5": "1080", "0": "0", "000720": "720", "999999": "999999",
		"1000000": "", "-1": "", "1e3": "", "": "", "1080px": "", "1,080": "",
	} {
		if got := read("browserScreenWidth", in).ScreenWidth; got != want {
			t.Errorf("width %q: %q, want %q", in, got, want)
		}
		if got := read("browserScreenHeight", in).ScreenHeight; got != want {
			t.Errorf("height %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"ru": "ru", "ru-KZ": "ru-KZ", "en_US": "en-US", "zh-Hans-CN": "zh-Hans", "zh-u-co-pinyin": "zh-u-co", "abc-u-longer": "abc",
		"ca-ES-valencia": "ca-ES", "en-a-bbb": "en-a-bbb", "kk-Cyrl-KZ": "kk-Cyrl",
		"": "", "e": "", "*": "", "en-": "", "en--US": "", "ен": "", "en\r\nX: y": "", "en;q=1": "", "toolonglanguage": "", "en-toolongsubtag": "",
	} {
		if got := read("browserLanguage", in).Language; got != want {
			t.Errorf("language %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "203.0.113.7:443": "203.0.113.7", "2001:DB8::1": "2001:db8::1", "[2001:db8::1]:443": "2001:db8::1",
		"[2001:db8::1]": "2001:db8::1", "fe80::1%eth0": "fe80::1", "[fe80::1%eth0]:80": "fe80::1", "::ffff:203.0.113.7": "203.0.113.7", " 10.0.0.1 ": "10.0.0.1",
		"": "", "unknown": "", "1.2.3": "", "1.2.3.4, 5.6.7.8": "", "01.2.3.4": "", "localhost:80": "", "<script>": "",
	} {
		if got := ReadBrowserData(nil, in, nil).IP; got != want {
			t.Errorf("address %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{"true": true, "True": true, "false": false, "": false, "undefined": false, "null": false, "1": false} {
		if b := ReadBrowserData(nil, "", url.Values{"browserJavaEnabled": {in}, "browserJavascriptEnabled": {in}}); b.JavaEnabled != want || b.JavascriptEnabled != want {
			t.Errorf("boolean %q: %v", in, b)
		}
	}
}

func TestHeadersAreCutAndCleaned(t *testing.T) {
	h := http.Header{
		"User-Agent":      {strings.Repeat("я", 2000)},
		"Accept":          {"a/b", "c\x00\x1b\xff/d\n"},
		"Accept-Language": {strings.Repeat("en,", 10) + strings.Join(manyTags(300), ",")},
	}
	b := ReadBrowserData(h, "", nil)
	if len(b.UserAgent) > 2048 || len(b.UserAgent) < 2046 || !utf8.ValidString(b.UserAgent) {
		t.Errorf("user agent: %d bytes", len(b.UserAgent))
	}
	if b.AcceptHeader != "a/b, c/d" {
		t.Errorf("accept: %q", b.AcceptHeader)
	}
	if len(b.AcceptLanguage) != 99 || b.AcceptLanguage[1] != "en-X0aa" {
		t.Errorf("%d languages, second %q", len(b.AcceptLanguage), b.AcceptLanguage[1])
	}
}

func manyTags(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "en-X0" + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
	}
	return tags
}
