package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func isFault(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Field == "url"
}

func TestAddressesThatMustNotBePostedToAreRefusedWhenSaved(t *testing.T) {
	g := &Guard{}
	for _, raw := range []string{
		"", "x", "/path", "//host.example/", "https:", "https://", "https:///path", "https:host.example", "ftp://host.example/", "javascript:alert(1)", "file:///etc/passwd", "gopher://host.example/",
		"http://host.example/", // in the clear
		"https://user@host.example/", "https://user:secret@host.example/", "https://@host.example/", "https://host.example@10.0.0.1/",
		"https://host.example/#fragment", "https://host.example/#", "https://host.example\\@10.0.0.1/", "https://host.example/\r\nX: y", "https://host.example/ x", "https://host.example/\x00", "https://host\t.example/",
		"https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://127.0.0.1/", "https://127.1/", "https://127.0.0.1./", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/",
		"https://0/", "https://0.0.0.0/", "https://[::]/",
		"https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0x7f.1/", "https://127.0.1/", "https://10.0x1/", "https://1.2.3.08/", "https://1.2.3.4.5/", "https://256.1.1.1/",
		"https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://100.100.100.200/",
		"https://192.0.0.192/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://0.1.2.3/",
		"https://[::ffff:10.0.0.1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://[::10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[64:ff9b:1::a00:1]/", "https://[2002:a00:1::]/", "https://[2001::a00:1]/",
		"https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[2606:4700::1%25eth0]/", "https://[fec0::1]/", "https://[fd00::1]/", "https://[fd00:ec2::254]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[3fff::1]/", "https://[100::1]/", "https://[5f00::1]/",
		"https://intranet/", "https://metadata/", "https://metadata.google.internal/", "https://printer.local/", "https://x.localhost/", "https://router.home.arpa/", "https://1.0.0.10.in-addr.arpa/",
		"https://host..example/", "https://.host.example/", "https://host.example./", "https://-host.example/", "https://host-.example/", "https://ho_st.example/", "https://ho%73t.example/", "https://h\u00f6st.example/", "https://\uff11\uff10.0.0.1/",
		"https://" + strings.Repeat("a", 64) + ".example/", "https://" + strings.Repeat("a.", 130) + "example/",
		"https://host.example:22/", "https://host.example:6379/", "https://host.example:0/", "https://host.example:/", "https://host.example:0443/", "https://host.example:65536/", "https://host.example:x/", "https://host.example:443443/",
		"https://host.example/" + strings.Repeat("a", 1024),
	} {
		if err := g.CheckURL(raw); !isFault(err) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestPublicAddressesAreTaken(t *testing.T) {
	g := &Guard{}
	for _, raw := range []string{
		"https://host.example/", "https://host.example", "HTTPS://Shop.Example/hook?x=1&y=%2e", "https://host.example:443/", "https://host.example:8443/a/../b", "https://host.example:8080/", "https://xn--80ak6aa92e.example/",
		"https://8.8.8.8/", "https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]:8443/", "https://9-9.example/", "https://10.example/",
	} {
		if err := g.CheckURL(raw); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestOnlyTheSandboxPostsToThisMachine(t *testing.T) {
	for _, raw := range []string{"http://127.0.0.1:34567/hook", "http://localhost:8081/", "https://127.8.9.10/", "http://[::1]:9/"} {
		if err := (&Guard{Sandbox: true}).CheckURL(raw); err != nil {
			t.Errorf("in the sandbox %q: %v", raw, err)
		}
		if err := (&Guard{}).CheckURL(raw); !isFault(err) {
			t.Errorf("outside %q: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://10.0.0.1/", "http://169.254.169.254/", "http://host.example:22/", "http://[::ffff:10.0.0.1]/", "http://user@127.0.0.1/", "http://2130706433/", "http://0.0.0.0/", "http://127.1/"} {
		if err := (&Guard{Sandbox: true}).CheckURL(raw); !isFault(err) {
			t.Errorf("in the sandbox %q: %v", raw, err)
		}
	}
}

// names is a resolver with a list of answers per name; the last is repeated.
type names map[string][][]string

func (n names) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	answers, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n[host] = answers[1:]
	}
	var found []netip.Addr
	for _, a := range answers[0] {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

func TestANameThatLeadsInsideIsRefusedWhenSaved(t *testing.T) {
	g := &Guard{Lookup: names{
		"inside.example": {{"10.0.0.1"}}, "mixed.example": {{"8.8.8.8", "192.168.0.1"}}, "mapped.example": {{"::ffff:169.254.169.254"}}, "self.example": {{"127.0.0.1"}}, "out.example": {{"8.8.8.8", "2606:4700::1"}},
	}.lookup}
	for _, host := range []string{"inside", "mixed", "mapped", "self"} {
		if err := g.Resolve(t.Context(), "https://"+host+".example/"); !isFault(err) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"out", "unknown"} { // what means nothing yet is asked again at every connection
		if err := g.Resolve(t.Context(), "https://"+host+".example/"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// The receiver listens on loopback: whatever reaches it went through the guard.
func TestNoRequestLeavesForAnAddressInside(t *testing.T) {
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	g := &Guard{Lookup: names{
		"rebound.example": {{"8.8.8.8"}, {"127.0.0.1"}}, // public when saved
		"mixed.example":   {{"127.0.0.1", "8.8.8.8"}},
	}.lookup}
	if err := g.Resolve(t.Context(), "https://rebound.example/"); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "rebound.example", "mixed.example", "10.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0", "[::]"} {
		res, err := g.Client().Post("http://"+host+port+"/", "text/plain", strings.NewReader("x"))
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v", host, err)
		}
	}
	// The sandbox lets loopback through and nothing else.
	box := &Guard{Sandbox: true, Lookup: g.Lookup}
	if _, err := box.Client().Post("http://10.0.0.1"+port+"/", "text/plain", strings.NewReader("x")); !errors.Is(err, errForbidden) {
		t.Errorf("10.0.0.1 from the sandbox: %v", err)
	}
	if n := reached.Load(); n != 0 {
		t.Fatalf("%d requests arrived inside", n)
	}
	res, err := box.Client().Post(inside.URL, "text/plain", strings.NewReader("x"))
	if err != nil || reached.Load() != 1 {
		t.Fatalf("loopback from the sandbox: %v", err)
	}
	res.Body.Close()
}

// Even where a name was checked, what is dialled has the last word.
func TestTheAddressThatIsDialledIsChecked(t *testing.T) {
	g := &Guard{}
	for _, c := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "8.8.8.8:443", true},
		{"tcp6", "[2606:4700::1]:8443", true},
		{"tcp4", "8.8.8.8:22", false},
		{"tcp4", "127.0.0.1:443", false},
		{"tcp6", "[::ffff:10.0.0.1]:443", false},
		{"udp4", "8.8.8.8:443", false},
		{"unix", "/run/docker.sock", false},
		{"tcp4", "host.example:443", false},
	} {
		if err := g.control(t.Context(), c.network, c.address, nil); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
	}
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if p := (&Guard{}).Client().Transport.(*http.Transport).Proxy; p != nil {
		t.Error("a proxy dials in our place: the guard sees nothing")
	}
}
