package wire

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// NoAddress says what is wrong with the shape of an API's root address in the configuration; "" where nothing is.
func NoAddress(base string) string {
	u, err := url.Parse(base)
	switch {
	case base == "":
		return "missing"
	case err != nil || u.Host == "" || u.Opaque != "":
		return "not an absolute address"
	case u.User != nil:
		return "credentials do not belong into the address"
	case u.RawQuery != "" || u.Fragment != "":
		return "must have neither query nor fragment"
	}
	return ""
}

// OpenAddress says that an address would send credentials in the clear; "" where it would not.
func OpenAddress(base string) string {
	if u, err := url.Parse(base); err == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())) {
		return ""
	}
	return "must be https (plain http only on loopback)"
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && net.IP(ip.AsSlice()).IsLoopback()
}
