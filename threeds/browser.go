package threeds

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxHeader is EMV's limit for browserAcceptHeader and browserUserAgent; we count bytes, which is never less strict.
const maxHeader = 2048

// maxLanguage is the limit of browserLanguage that 3DS Servers publish for 2.1 to 2.3.
const maxLanguage = 8

// BrowserData is what an AReq says of the shopper's browser, under EMV's names and in its formats: strings, but for the
// two booleans. An empty member is unknown. What the browser said is checked and normalised, never trusted: the values
// arrive in hidden inputs.
type BrowserData struct {
	AcceptHeader      string   `json:"browserAcceptHeader,omitempty"` // at most 2048 bytes
	UserAgent         string   `json:"browserUserAgent,omitempty"`    // at most 2048 bytes
	IP                string   `json:"browserIP,omitempty"`           // IPv4 or IPv6, without port and zone
	Language          string   `json:"browserLanguage,omitempty"`     // BCP 47, at most 8 characters
	JavaEnabled       bool     `json:"browserJavaEnabled"`
	JavascriptEnabled bool     `json:"browserJavascriptEnabled"`      // our script ran
	ColorDepth        string   `json:"browserColorDepth,omitempty"`   // 1 4 8 15 16 24 32 48
	ScreenHeight      string   `json:"browserScreenHeight,omitempty"` // CSS pixels, 1 to 6 digits
	ScreenWidth       string   `json:"browserScreenWidth,omitempty"`  // CSS pixels, 1 to 6 digits
	TZ                string   `json:"browserTZ,omitempty"`           // minutes, as getTimezoneOffset says: UTC+5 is -300
	AcceptLanguage    []string `json:"acceptLanguage,omitempty"`      // tags in the order of the header; 2.3.1
}

// ReadBrowserData collects browser data from a page navigation: pass the headers of the request that submitted the card
// form (those of a fetch would carry Accept: */*), the shopper's address as the trusted proxy gives it, and the form with
// the inputs browserLanguage, browserColorDepth, browserScreenHeight, browserScreenWidth, browserTZ, browserJavaEnabled
// and browserJavascriptEnabled. Without script those are absent, which is what then is reported.
//
// A value that cannot be what a browser says is dropped, never an error: a payment does not fail for a strange screen. A
// language that is missing or dropped is taken from Accept-Language.
func ReadBrowserData(h http.Header, ip string, form url.Values) BrowserData {
	b := BrowserData{
		AcceptHeader:      headerText(h, "Accept"),
		UserAgent:         headerText(h, "User-Agent"),
		IP:                plainIP(ip),
		Language:          language(form.Get("browserLanguage")),
		JavaEnabled:       isTrue(form.Get("browserJavaEnabled")),
		JavascriptEnabled: isTrue(form.Get("browserJavascriptEnabled")),
		ColorDepth:        colorDepth(form.Get("browserColorDepth")),
		ScreenHeight:      pixels(form.Get("browserScreenHeight")),
		ScreenWidth:       pixels(form.Get("browserScreenWidth")),
		TZ:                timeZone(form.Get("browserTZ")),
		AcceptLanguage:    acceptLanguage(h),
	}
	for _, tag := range b.AcceptLanguage {
		if b.Language != "" {
			break
		}
		b.Language = language(tag)
	}
	return b
}

// headerText returns a header as it came, without what JSON or a gateway's form could not carry (control characters,
// bytes that are no UTF-8), cut to maxHeader.
func headerText(h http.Header, name string) string {
	s := strings.Join(h.Values(name), ", ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if len(s) > maxHeader {
		s = s[:maxHeader]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// plainIP reads "203.0.113.7", "203.0.113.7:443", "[2001:db8::1]:443" and "fe80::1%eth0". An IPv4 address in IPv6
// clothes is undressed: some gateways take IPv4 only.
func plainIP(s string) string {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return ""
		}
		a = ap.Addr()
	}
	return a.WithZone("").Unmap().String()
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// language cuts a BCP 47 tag to maxLanguage at a subtag; a singleton left at the end ("zh-u") says nothing and goes too.
// en_US becomes en-US.
func language(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "_", "-")
	if len(s) > 255 || !languageTag.MatchString(s) {
		return ""
	}
	cut := len(s) > maxLanguage
	for len(s) > maxLanguage {
		s = s[:strings.LastIndexByte(s, '-')]
	}
	if n := len(s); cut && n > 2 && s[n-2] == '-' {
		s = s[:n-2]
	}
	return s
}

// acceptLanguage lists the tags of Accept-Language in order, each once, at most 99 (EMV 2.3.1), without "*" and q=0.
func acceptLanguage(h http.Header) []string {
	var tags []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Language"), ","), ",") {
		tag, params, _ := strings.Cut(part, ";")
		tag = strings.ReplaceAll(strings.TrimSpace(tag), "_", "-")
		if len(tag) > 100 || !languageTag.MatchString(tag) || seen[strings.ToLower(tag)] {
			continue
		}
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			if f, err := strconv.ParseFloat(q, 64); err == nil && f <= 0 {
				continue
			}
		}
		seen[strings.ToLower(tag)] = true
		if tags = append(tags, tag); len(tags) == 99 {
			break
		}
	}
	return tags
}

// isTrue is false for what old scripts send when navigator.javaEnabled is gone: "undefined", "null", "".
func isTrue(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "true") }

// colorDepth sends the next lower value that EMV has: HDR screens report 30 or 36, which 3DS Servers refuse. Below the
// lowest (privacy modes report 0) it is 1.
func colorDepth(s string) string {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil || n > 128 {
		return ""
	}
	best := uint64(1)
	for _, allowed := range []uint64{4, 8, 15, 16, 24, 32, 48} {
		if allowed <= n {
			best = allowed
		}
	}
	return strconv.FormatUint(best, 10)
}

var pixelText = regexp.MustCompile(`^([0-9]{1,6})(\.[0-9]{1,20})?$`)

// pixels drops the fraction that zoomed browsers report.
func pixels(s string) string {
	m := pixelText.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return ""
	}
	n, _ := strconv.Atoi(m[1]) // six digits
	return strconv.Itoa(n)
}

var zoneText = regexp.MustCompile(`^[+-]?[0-9]{1,4}$`)

// timeZone keeps the sign that getTimezoneOffset gave. "+300" in a form that was not escaped arrives as " 300".
func timeZone(s string) string {
	s = strings.TrimSpace(s)
	if !zoneText.MatchString(s) {
		return ""
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < -840 || n > 720 {
		return ""
	}
	return strconv.Itoa(n)
}
