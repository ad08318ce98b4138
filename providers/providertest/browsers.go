package providertest

import (
	"maps"
	"net/http"
	"net/url"
	"testing"

	"tollgate/threeds"
)

// browsers pays with every kind of browser there is: one that tells all, those that keep things to themselves, and those that tell
// what is not so. The gateway refuses what the real one refuses; every one of them pays all the same.
func browsers(t *testing.T, h Harness) {
	cards := pick(h.Cards, h.Journeys)
	for _, c := range cards {
		if want, ok := h.Ends[c.PAN]; ok && want != Good || !ok && usual(c) != Good || c.HTML {
			continue
		}
		for name, b := range browserVariants() {
			t.Run(c.PAN+" "+name, func(t *testing.T) {
				w := begin(t, h, nil)
				w.browser, w.p.Locale = b, "kk"
				if end := w.pay(c); end != Good {
					t.Fatalf("ended %s; last standing %+v; %v", end, w.last, w.story)
				}
				w.agree(Good)
			})
		}
	}
}

// browserVariants are what handlers read of 18 browsers.
func browserVariants() map[string]threeds.BrowserData {
	headers := http.Header{
		"Accept": {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Accept-Language": {"ru-RU,ru;q=0.9"},
	}
	script := url.Values{
		"browserLanguage": {"ru-RU"}, "browserColorDepth": {"24"}, "browserScreenHeight": {"1080"}, "browserScreenWidth": {"1920"},
		"browserTZ": {"-300"}, "browserJavaEnabled": {"false"}, "browserJavascriptEnabled": {"true"},
	}
	all := map[string]threeds.BrowserData{}
	add := func(name string, change func(http.Header, url.Values)) {
		h, form := headers.Clone(), maps.Clone(script)
		change(h, form)
		all[name] = threeds.ReadBrowserData(h, "192.0.2.7", form)
	}
	without := func(names ...string) func(http.Header, url.Values) {
		return func(h http.Header, form url.Values) {
			for _, name := range names {
				h.Del(name)
				form.Del(name)
			}
		}
	}
	with := func(name, value string) func(http.Header, url.Values) {
		return func(_ http.Header, form url.Values) { form.Set(name, value) }
	}
	noScript := func(h http.Header, form url.Values) { clear(form); form.Set("browserJavascriptEnabled", "false") }
	add("ordinary", without())
	add("no Accept-Language", without("Accept-Language"))
	add("language C", func(h http.Header, form url.Values) { h.Del("Accept-Language"); form.Set("browserLanguage", "C") })
	add("no language at all", without("Accept-Language", "browserLanguage"))
	add("long language", with("browserLanguage", "zh-Hans-CN"))
	add("no Accept", without("Accept"))
	add("no User-Agent", without("User-Agent"))
	add("empty colour depth", with("browserColorDepth", ""))
	add("colour depth of an HDR screen", with("browserColorDepth", "30"))
	add("colour depth undefined", with("browserColorDepth", "undefined"))
	add("empty screen", without("browserScreenHeight", "browserScreenWidth"))
	add("zoomed screen", with("browserScreenWidth", "1536.5"))
	add("empty time zone", with("browserTZ", ""))
	add("time zone NaN", with("browserTZ", "NaN"))
	add("nothing but script", func(h http.Header, form url.Values) {
		clear(h)
		clear(form)
		form.Set("browserJavascriptEnabled", "true")
	})
	add("script off", noScript)
	add("script off, no Accept-Language", func(h http.Header, form url.Values) { noScript(h, form); h.Del("Accept-Language") })
	add("nothing at all", func(h http.Header, form url.Values) { clear(h); noScript(h, form) })
	return all
}
