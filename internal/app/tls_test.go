package app

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/config"
)

func TestGatewaysAreNotCalledOverTLSOlderThan12(t *testing.T) {
	for version, spoken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		gateway.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
		gateway.Config.ErrorLog = log.New(io.Discard, "", 0)
		gateway.StartTLS()
		trusted := gateway.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		a := &App{
			o: Options{Config: config.Config{TestMode: true}, Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler),
			tls: &tls.Config{RootCAs: trusted}, // a version stands nowhere: the library's oldest counts
		}
		client, wrong := a.client("g", config.Account{})
		if wrong != nil {
			t.Fatal(wrong)
		}
		res, err := client.Get(gateway.URL)
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != spoken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		gateway.Close()
	}
}

// written puts PEM into a file of its own.
func written(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAnAccountHasItsOwnProxyAuthorityAndClientCertificate(t *testing.T) {
	shown := 0
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { shown = len(r.TLS.PeerCertificates) }))
	gateway.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	gateway.Config.ErrorLog = log.New(io.Discard, "", 0)
	gateway.StartTLS()
	defer gateway.Close()
	certificate := gateway.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, keyFile := written(t, "CERTIFICATE", certificate.Certificate[0]), written(t, "PRIVATE KEY", key)
	a := &App{o: Options{Config: config.Config{TestMode: true}, Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler)}
	get := func(acc config.Account, address string) error {
		client, wrong := a.client("g", acc)
		if wrong != nil {
			t.Fatal(wrong)
		}
		res, err := client.Get(address)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	if get(config.Account{}, gateway.URL) == nil {
		t.Error("an authority that nobody named is believed")
	}
	if err := get(config.Account{CAFile: ca}, gateway.URL); err != nil || shown != 0 {
		t.Errorf("with its authority: %v, %d certificates shown", err, shown)
	}
	if err := get(config.Account{CAFile: ca, CertFile: ca, KeyFile: keyFile}, gateway.URL); err != nil || shown != 1 {
		t.Errorf("with a certificate of ours: %v, %d shown", err, shown)
	}
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	if err := get(config.Account{Proxy: proxy.URL}, "http://gateway.example/x"); err != nil || asked != "http://gateway.example/x" {
		t.Errorf("through the proxy: %q, %v", asked, err)
	}
	garbage := make([]byte, 100)
	_, _ = rand.Read(garbage)
	for name, acc := range map[string]config.Account{
		"proxy": {Proxy: "gateway:3128"}, "ca_file": {CAFile: written(t, "CERTIFICATE", garbage)}, "client_certificate": {CertFile: ca},
		"ca_file: open": {CAFile: filepath.Join(t.TempDir(), "none")},
	} {
		if _, wrong := a.client("g", acc); len(wrong) != 1 || !strings.HasPrefix(wrong[0], name) {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

// Whatever name leads here, by the hosts file or by somebody's DNS, no call of a real account ends on this machine.
func TestNoCallOfARealAccountEndsOnThisMachine(t *testing.T) {
	reached := 0
	here := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer here.Close()
	_, port, err := net.SplitHostPort(here.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		for _, testing := range []bool{false, true} {
			a := &App{o: Options{Config: config.Config{TestMode: testing}, Clock: &clock.Clock{}}, log: slog.New(slog.DiscardHandler)}
			client, wrong := a.client("g", config.Account{})
			if len(wrong) > 0 {
				t.Fatal(wrong)
			}
			reached = 0
			res, err := client.Get("http://" + host + ":" + port + "/")
			if err == nil {
				res.Body.Close()
			}
			if taken := err == nil; taken != testing || (reached > 0) != testing || !testing && !errors.Is(err, errThisMachine) {
				t.Errorf("%s, test mode %v: %v, reached %d times", host, testing, err, reached)
			}
		}
	}
}
