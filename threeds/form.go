package threeds

import (
	"net/netip"
	"net/url"
	"strings"
)

// Form is one HTML form that the shopper's browser posts. Fields are in order and their values byte for byte:
// an ACS refuses a message that was re-encoded on the way. It is meant for method=post and
// application/x-www-form-urlencoded; whoever renders it escapes the values for HTML.
type Form struct {
	Action string  `json:"action"`
	Fields []Field `json:"fields"`
}

// Field is one hidden input.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MethodForm is the form of a hidden 3DS Method frame. threeDSMethodData is posted as given.
// Without data the form is empty: RBS wants that at its threeDSMethodURLServer.
func MethodForm(methodURL, threeDSMethodData string) Form {
	f := Form{Action: methodURL, Fields: []Field{}}
	if threeDSMethodData != "" {
		f.Fields = append(f.Fields, Field{"threeDSMethodData", threeDSMethodData})
	}
	return f
}

// ChallengeForm carries a CReq to the ACS. threeDSSessionData is left out when empty; nothing else may be added.
func ChallengeForm(acsURL, creq, sessionData string) Form {
	f := Form{Action: acsURL, Fields: []Field{{"creq", creq}}}
	if sessionData != "" {
		f.Fields = append(f.Fields, Field{"threeDSSessionData", sessionData})
	}
	return f
}

// PayerAuthForm carries a 3DS 1.0.2 PaReq to the ACS. MD is always there, empty or not: some ACSs insist on it.
func PayerAuthForm(acsURL, paReq, termURL, md string) Form {
	return Form{Action: acsURL, Fields: []Field{{"PaReq", paReq}, {"TermUrl", termURL}, {"MD", md}}}
}

// MaxURL is the length in bytes of the longest address CheckURL accepts (EMV: acsURL).
const MaxURL = 2048

// CompleteURL puts https:// before an address that came without a scheme ("example.com/3dsserver/x", as the RBS
// documentation prints it, or "//example.com/x"). Everything else comes back unchanged, javascript: and data: included.
func CompleteURL(raw string) string { return completeURL(raw, "https") }

func completeURL(raw, scheme string) string {
	if rest, ok := strings.CutPrefix(raw, "//"); ok {
		if bareHost(rest) != "" {
			return scheme + "://" + rest
		}
		return raw
	}
	if bareHost(raw) == "" {
		return raw
	}
	return scheme + "://" + raw
}

// bareHost returns the host of a scheme-less "host[:port][/…]", and "" when raw does not begin with one.
// A name without a dot counts only as localhost, so that "foo/bar" stays a relative path.
func bareHost(raw string) string {
	auth := raw
	if i := strings.IndexAny(raw, "/?#"); i >= 0 {
		auth = raw[:i]
	}
	host, port, hasPort := strings.Cut(auth, ":")
	if hasPort && !allDigits(port) {
		return ""
	}
	if !hostName(host) || !strings.Contains(host, ".") && !strings.EqualFold(host, "localhost") {
		return ""
	}
	return host
}

// CheckURL returns an address that a gateway gave (acsURL, threeDSMethodURL, a redirect) when the shopper's browser may
// be sent there, and otherwise an [Error] with reason bad_url, too_large or empty. It must be absolute, https, ASCII, at
// most [MaxURL] bytes, without userinfo (https://bank@evil), quotes, angle brackets, backslashes, spaces or control
// characters, so that neither javascript: nor data: nor an attribute break gets through. A missing scheme is completed
// as [CompleteURL] does. Surrounding white space is dropped: gateways send line feeds.
//
// Loopback hosts are refused, unless allowLoopbackHTTP (the sandbox) says otherwise; then, and only for them, plain http
// is accepted and is what a missing scheme is completed with.
func CheckURL(raw string, allowLoopbackHTTP bool) (string, error) {
	s := strings.Trim(raw, " \t\r\n")
	if s == "" {
		return "", fail(ReasonEmpty, "url")
	}
	if len(s) > MaxURL {
		return "", fail(ReasonTooLarge, "url")
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'`<>\\", c) >= 0 {
			return "", failf(ReasonBadURL, "url", "character not allowed")
		}
	}
	scheme := "https"
	if allowLoopbackHTTP && loopback(bareHost(strings.TrimPrefix(s, "//"))) {
		scheme = "http"
	}
	s = completeURL(s, scheme)
	if len(s) > MaxURL {
		return "", fail(ReasonTooLarge, "url")
	}
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || u.Opaque != "" || u.Host == "" {
		return "", failf(ReasonBadURL, "url", "not an absolute address")
	}
	if u.User != nil {
		return "", failf(ReasonBadURL, "url", "userinfo")
	}
	host := u.Hostname()
	if !hostLiteral(u.Host, host) {
		return "", failf(ReasonBadURL, "url", "host")
	}
	if p := u.Port(); p != "" && (len(p) > 5 || len(p) == 5 && p > "65535" || strings.Trim(p, "0") == "") {
		return "", failf(ReasonBadURL, "url", "port")
	}
	local := loopback(host)
	if local && !allowLoopbackHTTP {
		return "", failf(ReasonBadURL, "url", "loopback host")
	}
	if u.Scheme != "https" && !(local && u.Scheme == "http") {
		return "", failf(ReasonBadURL, "url", "not https")
	}
	return s, nil
}

// hostLiteral accepts a DNS name, a dotted IPv4 address or a bracketed IPv6 address without zone. Names whose last label
// is a number are refused: browsers read https://2130706433/ and https://0x7f.1/ as 127.0.0.1.
func hostLiteral(hostport, host string) bool {
	if strings.HasPrefix(hostport, "[") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Is4()
	}
	if !hostName(host) {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(labels[len(labels)-1])
	return !allDigits(last) && !strings.HasPrefix(last, "0x")
}

func hostName(s string) bool {
	if s == "" || len(s) > 253 || strings.Contains(s, "..") || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			continue
		}
		return false
	}
	return true
}

func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap()
	return a.IsLoopback() || a.IsUnspecified()
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
