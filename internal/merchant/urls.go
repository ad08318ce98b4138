package merchant

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// What can be wrong with an address that a browser or a webhook is to be sent to.
var (
	ErrURL      = errors.New("must be an absolute https address")
	ErrURLParts = errors.New("must not hold user info, a fragment, control characters or dot segments")
	ErrURLHost  = errors.New("must name its host in plain ASCII letters " +
		"(an international name in its xn-- form only if the merchant's list has it)")
	ErrURLOrigin = errors.New("is not of an origin on the merchant's list")
	ErrURLLength = errors.New("must be at most 1024 characters")
)

// CheckReturnURL refuses every form of an open redirect (CHECKS T42): the address comes from the merchant's server at
// creation, is absolute https, and of one of the merchant's origins where it has a list. loopback allows http on
// 127.0.0.0/8, ::1 and localhost: the sandbox.
func CheckReturnURL(raw string, origins []string, loopback bool) error {
	if len(raw) > 1024 {
		return ErrURLLength
	}
	if strings.ContainsFunc(raw, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`\"<>`, r)
	}) {
		return ErrURLParts
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return ErrURL
	}
	if u.User != nil || u.Fragment != "" || strings.Contains(raw, "#") || dotSegments(u) {
		return ErrURLParts
	}
	host := strings.ToLower(u.Hostname())
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e }) {
		return ErrURLHost
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback && isLoopback(host):
	default:
		return ErrURL
	}
	if len(origins) > 0 {
		if !slices.Contains(origins, origin) {
			return ErrURLOrigin
		}
		return nil
	}
	if strings.HasPrefix(host, "xn--") || strings.Contains(host, ".xn--") {
		return ErrURLHost
	}
	return nil
}

func dotSegments(u *url.URL) bool {
	for _, seg := range strings.Split(u.Path, "/") { // Path is decoded: %2e%2e is seen too
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
