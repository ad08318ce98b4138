package config

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tollgate/internal/merchant"
)

// Testing tells whether no money moves here: the sandbox, or a configured front in test mode.
func (c Config) Testing() bool { return c.Sandbox || c.TestMode }

// checkPlaces finds addresses that a real front must not have, and a sandbox that strangers could reach.
func (c *Config) checkPlaces(fault func(path, format string, args ...any)) {
	if c.Sandbox && !c.SandboxAnywhere {
		for _, l := range []struct{ name, addr string }{{"listen", c.Listen}, {"sandbox_listen", c.SandboxListen}} {
			if host, _, err := net.SplitHostPort(l.addr); err == nil && !isLoopback(host) {
				fault(l.name, "%q is reached from other machines, and this is the sandbox, whose key everybody knows: "+
					"listen on 127.0.0.1, or say -sandbox-anywhere", l.addr)
			}
		}
	}
	for _, p := range c.WebhookNetworks {
		if _, err := netip.ParsePrefix(p); err != nil {
			fault("webhook_networks", "%q is not a network such as 10.1.0.0/16", p)
		}
	}
	if c.Testing() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		for _, key := range GatewayAddresses {
			raw, _ := c.Accounts[name].Settings[key].(string)
			u, err := url.Parse(raw)
			switch {
			case err != nil || u.Host == "": // the gateway's own check says so
			case leadsHere(u.Hostname()):
				fault("account."+name+".settings."+key, "%s is this machine: a sandbox or a stand-in, and no gateway. "+
					"For trying out set test_mode = true", raw)
			case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r > unicode.MaxASCII }):
				fault("account."+name+".settings."+key, "%s: a host has letters of ASCII alone; others are written as xn--…", raw)
			}
		}
	}
}

// GatewayAddresses are the settings of an account that name hosts of a gateway's.
var GatewayAddresses = []string{"base_url", "identity_url", "form_url"}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// leadsHere tells whether whoever dials a host reaches this machine, in whatever spelling a resolver takes: an address that is not given
// (0.0.0.0, ::) leads here as well, and so do the names that systems give themselves.
func leadsHere(host string) bool {
	host = strings.ToLower(strings.TrimRight(host, "."))
	for _, name := range []string{"localhost", "localdomain", "ip6-localhost", "ip6-loopback"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		a = numericAddr(host)
	}
	return ThisMachine(a)
}

// ThisMachine tells whether whoever dials an address reaches this machine alone.
func ThisMachine(a netip.Addr) bool {
	if a = a.Unmap().WithZone(""); a.Is6() {
		for _, carries := range []string{"64:ff9b::/96", "::/96"} { // an address of IPv4 inside
			if raw := a.As16(); netip.MustParsePrefix(carries).Contains(a) && a != netip.IPv6Loopback() && !a.IsUnspecified() {
				return ThisMachine(netip.AddrFrom4([4]byte(raw[12:])))
			}
		}
	}
	return a.IsLoopback() || a.IsUnspecified() || a.Is4() && a.As4()[0] == 0
}

// numericAddr reads an address of IPv4 as resolvers have always taken it: one to four numbers, decimal, octal or hexadecimal, the last
// of which fills what is left. The zero value where it is none.
func numericAddr(host string) netip.Addr {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}
	}
	var sum uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil || strings.Contains(part, "_") || strings.HasPrefix(part, "0o") || strings.HasPrefix(part, "0b") { // Go alone writes so
			return netip.Addr{}
		}
		sum = sum<<bits | n
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], uint32(sum)) //nolint:gosec // four bytes are summed
	return netip.AddrFrom4(raw)
}

// databaseFault says what is wrong with the database's address, without repeating it: it holds a password.
func databaseFault(raw string) string {
	if raw == "" || strings.HasPrefix(raw, "file:") || strings.HasPrefix(raw, "env:") { // what could not be read was told
		return ""
	}
	if !strings.HasPrefix(raw, "postgres://") && !strings.HasPrefix(raw, "postgresql://") {
		return "must be empty or begin with postgres://"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Fragment != "" || strings.Contains(raw, "#") || strings.Count(raw, "@") > 1 {
		return "cannot be read: in a user name or password write # as %23, @ as %40, / as %2F, : as %3A, ? as %3F and % as %25"
	}
	return ""
}

// checkOrigins checks every merchant's list of origins and writes each as browsers do.
func (c *Config) checkOrigins(fault func(path, format string, args ...any)) {
	for i := range c.Merchants {
		list := slices.Clone(c.Merchants[i].ReturnOrigins)
		for j, raw := range list {
			origin, err := merchant.CheckOrigin(raw, c.Testing())
			if err != nil {
				fault(fmt.Sprintf("merchant[%d].return_origins", i), "%q %v", raw, err)
				continue
			}
			list[j] = origin
		}
		c.Merchants[i].ReturnOrigins = list
	}
}

// otherVariables are what the commands and their users read besides settings.
var otherVariables = []string{"CONFIG", "KEY", "URL", "API_KEY", "WEBHOOK_SECRET"}

// misspelt finds variables that begin as settings do and are none. Those that a setting names with "env:" are somebody's own
// choice; those of Kubernetes, for a service that is called tollgate, are nobody's.
func (c *Config) misspelt(doc string) (faults Faults) {
	known := slices.Clone(otherVariables)
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			known = append(known, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		short, ours := strings.CutPrefix(name, EnvPrefix)
		if !ours || slices.Contains(known, short) || strings.Contains(doc, name) || strings.HasPrefix(short, "SERVICE_") ||
			short == "PORT" || strings.HasPrefix(short, "PORT_") {
			continue
		}
		text := name + ": is not a setting"
		if like := nearest(short, known); like != "" {
			text += "; " + EnvPrefix + like + " is"
		}
		faults = append(faults, text)
	}
	return faults
}

// nearest is the word that at most two letters make another; "" for none.
func nearest(word string, all []string) (best string) {
	least := 3
	for _, one := range all {
		if d := distance(word, one); d < least {
			best, least = one, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before := row[0]
		row[0] = i + 1
		for j := range b {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
