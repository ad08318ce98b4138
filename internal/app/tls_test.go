package app

import (
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
		res, err := a.client("g").Get(gateway.URL)
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != spoken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		gateway.Close()
	}
}
