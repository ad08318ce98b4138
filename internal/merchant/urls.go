package merchant

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What can be wrong with an address that a browser or a webhook is to be sent to.
var (
	ErrURL      = errors.New("must be an absolute https address")
	ErrURLParts = errors.New("must not hold user info, a fragment, control characters or dot segments")
	ErrURLHost  = errors.New("must name its host in plain ASCII letters " +
		"(an international name in its xn-- form only if the merchant's list has it)")
	ErrURLNumbers = errors.New("must name its host by a full name such as shop.example, not by numbers or a name of one part " +
		"(another one only if the merchant's list has it)")
	ErrURLPort   = errors.New("must have a port from 1 to 65535, or none")
	ErrURLOrigin = errors.New("is not of an origin on the merchant's list")
	ErrURLLength = errors.New("must be at most 1024 characters")
)

// CheckReturnURL refuses every form of an open redirect (CHECKS T42): the address comes from the merchant's server at
// creation, is absolute https, and of one of the merchant's origins where it has a list. The sandbox also takes http on this machine
// and on private networks, where a developer's shop, phone or container is.
func CheckReturnURL(raw string, origins []string, sandbox bool) error {
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
	if host == "" || !plainHost(host) {
		return ErrURLHost
	}
	port, ok := portOf(u)
	if !ok {
		return ErrURLPort
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && sandbox && isNear(host):
	default:
		return ErrURL
	}
	if len(origins) > 0 {
		if !slices.Contains(origins, originOf(u.Scheme, host, port)) {
			return ErrURLOrigin
		}
		return nil
	}
	if strings.HasPrefix(host, "xn--") || strings.Contains(host, ".xn--") {
		return ErrURLHost
	}
	if !fullName(host) && (!sandbox || !isNear(host)) {
		return ErrURLNumbers
	}
	return nil
}

// CheckOrigin checks a line of a merchant's list of origins, and answers it as browsers write it.
func CheckOrigin(raw string, sandbox bool) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", ErrOrigin
	}
	host := strings.ToLower(u.Hostname())
	port, ok := portOf(u)
	if !ok {
		return "", ErrURLPort
	}
	if host == "" || !plainHost(host) {
		return "", ErrOrigin
	}
	origin := originOf(u.Scheme, host, port)
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && sandbox && isNear(host):
	default:
		return "", ErrOrigin
	}
	if u.User != nil || u.Path != "" || strings.ContainsAny(raw, "?#") {
		return "", fmt.Errorf("%w: here %s", ErrOrigin, origin)
	}
	return origin, nil
}

// ErrOrigin says that a line of a merchant's list is none.
var ErrOrigin = errors.New("must be https://host[:port] and nothing more: no path, no slash at the end, no *")

// Origin is an address's, written in one way.
func Origin(u *url.URL) string { return originOf(u.Scheme, strings.ToLower(u.Hostname()), u.Port()) }

// originOf leaves out the scheme's own port, as browsers do.
func originOf(scheme, host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + port
}

// portOf is the port of an address without leading zeros, "" for none.
func portOf(u *url.URL) (port string, ok bool) {
	if port = u.Port(); port == "" {
		return "", !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return strconv.FormatUint(n, 10), err == nil && n > 0
}

// plainHost tells whether a host, small, is written with what names and addresses are written with.
func plainHost(host string) bool {
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_~.:") == ""
}

// fullName tells a public host's name from an address in any of its spellings (127.1, 2130706433, 0x7f.1), from a name that
// means something on one network only, and from one that is not written in the only way browsers compare.
func fullName(host string) bool {
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	return len(labels) > 1 && !slices.Contains(labels, "") && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x") &&
		!strings.Contains(host, ":") && !slices.Contains([]string{"localhost", "local", "internal", "lan", "home", "corp"}, last)
}

func dotSegments(u *url.URL) bool {
	for _, seg := range strings.Split(u.Path, "/") { // Path is decoded: %2e%2e is seen too
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}

// isNear tells whether a host is this machine, as a container sees it too, or of a private network.
func isNear(host string) bool {
	if host == "localhost" || host == "host.docker.internal" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == "" && (a.IsLoopback() || a.IsPrivate())
}
