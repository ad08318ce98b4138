package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/config"
	"tollgate/internal/pgtest"
)

// patient is a configuration that is well, with all that stands around it.
type patient struct {
	config.Config
	options DoctorOptions
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	gateway := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(front.Close)
	t.Cleanup(gateway.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate()) // the test servers' certificate is for example.com
	hosts := map[string]string{"example.com:443": front.Listener.Addr().String(), "example.com:8443": gateway.Listener.Addr().String()}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := makeKeys(keys, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return &patient{
		Config: config.Config{
			Data: t.TempDir(), KeysFile: keys, PublicURL: "https://example.com",
			Merchants: []config.Merchant{{ID: "shop", APIKeyHashes: []string{strings.Repeat("0", 64)}}},
			Accounts:  map[string]config.Account{"acc": {Gateway: "rbs", Settings: map[string]any{"base_url": "https://example.com:8443/payment/rest/", "token": "x"}}},
		},
		options: DoctorOptions{Roots: roots, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to, known := hosts[addr]
			if !known {
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}}
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}},
	}
}

// wrong is what is wrong with the patient; a fault without advice is a fault of the doctor's.
func (p *patient) wrong(t *testing.T) string {
	t.Helper()
	var all []string
	for _, f := range Doctor(t.Context(), p.Config, p.options) {
		if f.Wrong {
			all = append(all, f.What)
			if f.Do == "" {
				t.Errorf("%s: and what is one to do?", f.What)
			}
		}
	}
	return strings.Join(all, "\n")
}

func TestTheDoctorReportsNothingForAHealthyFront(t *testing.T) {
	p := newPatient(t)
	if got := p.wrong(t); got != "" {
		t.Error(got)
	}
	p.DatabaseURL = pgtest.Start(t)
	if got := p.wrong(t); got != "" {
		t.Error(got)
	}
}

func TestTheDoctorReportsEachFaultByItself(t *testing.T) {
	for name, one := range map[string]struct {
		hurt func(t *testing.T, p *patient)
		want string
	}{
		"database that is not there": {func(_ *testing.T, p *patient) {
			p.DatabaseURL = "postgres://u:secret-word@127.0.0.1:1/x?connect_timeout=2"
		}, "database: PostgreSQL"},
		"damaged file": {func(t *testing.T, p *patient) {
			write(t, filepath.Join(p.Data, "tollgate.db"), strings.Repeat("no database ", 100), 0o600)
		}, "database: SQLite"},
		"sealing keys that others may read": {func(t *testing.T, p *patient) { chmod(t, p.KeysFile, 0o640) }, "others may read"},
		"sealing key that is too short":     {func(t *testing.T, p *patient) { write(t, p.KeysFile, "c2hvcnQ=\n", 0o600) }, "has 5 bytes, not 64"},
		"gateway that nobody knows": {func(_ *testing.T, p *patient) {
			p.Accounts["acc"].Settings["base_url"] = "https://nobody.example/rest/"
		}, "account acc: nobody.example"},
		"gateway whose certificate is nobody's": {func(_ *testing.T, p *patient) { p.options.Roots = x509.NewCertPool() }, "account acc: example.com:8443: tls: failed to verify"},
		"public address of another program":     {func(_ *testing.T, p *patient) { p.PublicURL = "https://example.com:8443" }, "404"},
		"keys that have all ended": {func(_ *testing.T, p *patient) {
			p.Merchants[0] = config.Merchant{ID: "shop", Keys: []config.Key{{Env: "X", Expires: time.Now().Add(-time.Minute)}}}
		}, "merchant shop: no API key is valid"},
		"API key that others may read": {func(t *testing.T, p *patient) {
			name := filepath.Join(p.Data, "shop.key")
			write(t, name, "key", 0o644)
			p.Merchants[0].Keys = []config.Key{{File: name}}
		}, "merchant shop: others may read"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t)
			one.hurt(t, p)
			got := p.wrong(t)
			if !strings.Contains(got, one.want) {
				t.Errorf("%q does not say %q", got, one.want)
			}
			if strings.Contains(got, "secret-word") {
				t.Errorf("a password is printed: %s", got)
			}
		})
	}
}

func TestClocksMayBeTwoSecondsApart(t *testing.T) {
	for ahead, wrong := range map[time.Duration]bool{0: false, 2 * time.Second: false, -2 * time.Second: false, 2100 * time.Millisecond: true, -time.Hour: true} {
		d := doctor{}
		if d.clock(ahead); d.found[0].Wrong != wrong {
			t.Errorf("%v: %+v", ahead, d.found[0])
		}
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
