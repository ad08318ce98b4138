package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of one request.
const (
	sendLimit   = 10 * time.Second // from the first packet to the end of the answer
	lookupLimit = 3 * time.Second
	maxURL      = 1024
	maxAnswer   = 16 << 10
)

// Guard keeps what merchants have us post to from being a way into our own network (CHECKS T43). The address is checked
// when it is saved, and again when it is dialled: a name may lead elsewhere by then.
type Guard struct {
	// Sandbox allows loopback, at any port, and http.
	Sandbox bool
	// Allow are private networks of the operator's that may be posted to, over TLS as everywhere.
	Allow []netip.Prefix
	// Lookup finds the addresses of a name; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that was found and checked; nil: the network, which checks it once more.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// errForbidden says that an address is not on the public internet. It does not say which address: a merchant must not
// learn from us what a name means in our network.
var errForbidden = errors.New("the host is not on the public internet")

// ports that may be posted to outside the sandbox.
var ports = []string{"443", "80", "8443", "8080"}

// refused are networks that are not the public internet, beside what netip knows by itself. IPv6 outside 2000::/3 is
// refused altogether.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers' NAT; some clouds' metadata
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // among them Teredo, which carries IPv4 addresses
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4, the same
	netip.MustParsePrefix("3fff::/20"),
}

var global6 = netip.MustParsePrefix("2000::/3")

// allows tells whether an address may be connected to.
func (g *Guard) allows(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	if a = a.Unmap(); a.IsLoopback() {
		return g.Sandbox
	}
	if a.IsPrivate() && slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return true
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !global6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(refused, func(p netip.Prefix) bool { return p.Contains(a) })
}

// CheckURL refuses every address that can be seen to be wrong without asking anybody. A *Fault of the field "url".
func (g *Guard) CheckURL(raw string) error {
	bad := func(text string) error { return &Fault{"url", text} }
	if len(raw) > maxURL {
		return bad(fmt.Sprintf("must be at most %d characters", maxURL))
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) }) {
		return bad("must be plain ASCII without blanks, backslashes, quotes or brackets")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return bad("must be an absolute https address")
	}
	if u.Scheme == "http" && !g.Sandbox {
		return bad("must be an absolute https address")
	}
	if u.User != nil || strings.Contains(u.Host, "@") || strings.Contains(raw, "#") {
		return bad("must hold neither user info nor a fragment")
	}
	host := strings.ToLower(u.Hostname())
	loopback, err := g.checkHost(host)
	if err != nil {
		return bad(err.Error())
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return bad("must name a port after the colon")
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port) {
		return bad("must name a port from 1 to 65535")
	}
	if port != "" && !loopback && !slices.Contains(ports, port) {
		return bad("must use one of the ports " + strings.Join(ports, ", "))
	}
	return nil
}

var errHost = errors.New("must name its host as host.example or as a plain public address")

// checkHost refuses names that are only known inside a network and every odd spelling of an address (0x7f.1, 017700000001,
// 2130706433), which some resolvers understand. It tells whether the host is this machine.
func (g *Guard) checkHost(host string) (loopback bool, err error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if !g.allows(a) {
			return false, errForbidden
		}
		return a.Unmap().IsLoopback(), nil
	}
	if host == "localhost" {
		if g.Sandbox {
			return true, nil
		}
		return false, errForbidden
	}
	if host == "" || len(host) > 253 {
		return false, errHost
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
			return false, errHost
		}
	}
	last := labels[len(labels)-1]
	_, number := strconv.ParseUint(last, 0, 64)
	switch {
	case len(labels) == 1, number == nil, strings.Trim(last, "0123456789") == "", strings.HasPrefix(last, "0x"):
		return false, errHost
	case slices.Contains([]string{
		"local", "localhost", "internal", "intranet", "lan", "home", "corp", "private", "localdomain", "onion", "test", "invalid",
	}, last) && (len(g.Allow) == 0 || slices.Contains([]string{"localhost", "onion", "invalid"}, last)),
		strings.HasSuffix(host, ".home.arpa") && len(g.Allow) == 0, strings.HasSuffix(host, ".in-addr.arpa"), strings.HasSuffix(host, ".ip6.arpa"):
		return false, errForbidden
	}
	return false, nil
}

// Resolve is CheckURL, and asks what the host's name means now: one forbidden address among several is enough to refuse
// it. A name that means nothing yet is let pass; it is asked again at every connection.
func (g *Guard) Resolve(ctx context.Context, raw string) error {
	if err := g.CheckURL(raw); err != nil {
		return err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	if _, err := g.addresses(ctx, u.Hostname()); errors.Is(err, errForbidden) {
		return &Fault{"url", err.Error()}
	}
	return nil
}

// addresses of a host, all of them allowed. errForbidden where one is not.
func (g *Guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, done := context.WithTimeout(ctx, lookupLimit)
	defer done()
	lookup := g.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	var found []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		found = []netip.Addr{a}
	} else if found, err = lookup(ctx, host); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, a := range found {
		if !g.allows(a) {
			return nil, errForbidden
		}
	}
	return found, nil
}

// control has the last word: it sees the address that is about to be connected to.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !g.allows(at.Addr()) {
		return errForbidden
	}
	if a := at.Addr().Unmap(); !a.IsLoopback() && !slices.Contains(ports, strconv.Itoa(int(at.Port()))) {
		return errForbidden
	}
	return nil
}

// dial connects to an address that was checked, and to no other: the name is not asked again after the check.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	connect := g.Dial
	if connect == nil {
		connect = (&net.Dialer{Timeout: sendLimit / 2, ControlContext: g.control}).DialContext
	}
	for i, a := range found[:min(len(found), 3)] {
		var conn net.Conn
		if conn, err = connect(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil || i == 2 {
			return conn, err
		}
	}
	return nil, err
}

// Client is the way out: guarded, without a proxy (which would dial in our place), following no redirect, unpacking
// nothing, within sendLimit.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Timeout: sendLimit,
		Transport: &http.Transport{
			Proxy: nil, DialContext: g.dial, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
			TLSHandshakeTimeout: sendLimit / 2, MaxIdleConns: 256, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
