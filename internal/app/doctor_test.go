package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/config"
	"tollgate/internal/money"
	"tollgate/internal/pgtest"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
)

// patient is a configuration that is well, with all that stands around it.
type patient struct {
	config.Config
	options DoctorOptions
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{}
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		id := "ours" // of a front that runs on the patient's database
		_ = sqlstore.View(r.Context(), sqlstore.Options{URL: p.DatabaseURL, Dir: p.Data}, func(st *sqlstore.Store) (err error) {
			id, err = st.Agreed(r.Context(), sqlstore.Installation)
			return err
		})
		w.Header().Set("Tollgate-Installation", id)
	}))
	gateway := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/payment/rest/getOrderStatusExtended.do":
			w.WriteHeader(http.StatusNotFound)
		case r.PostFormValue("token") != "x":
			io.WriteString(w, `{"errorCode":"5","errorMessage":"Access denied"}`)
		default:
			io.WriteString(w, `{"errorCode":"6","errorMessage":"Order not found"}`)
		}
	}))
	t.Cleanup(front.Close)
	t.Cleanup(gateway.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate()) // the test servers' certificate is for example.com
	hosts := map[string]string{"example.com:443": front.Listener.Addr().String(), "example.com:8443": gateway.Listener.Addr().String()}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := makeKeys(keys, rand.Reader); err != nil {
		t.Fatal(err)
	}
	*p = patient{
		Config: config.Config{
			Listen: "127.0.0.1:0", TrustedProxies: []string{"127.0.0.0/8"}, Data: t.TempDir(), KeysFile: keys, PublicURL: "https://example.com",
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
	return p
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
		"public address of a program that answers 200 to everything": {func(t *testing.T, p *patient) {
			p.PublicURL = p.serves(t, func(http.ResponseWriter, *http.Request) {})
		}, "another program answers there"},
		"public address of a front of another database": {func(t *testing.T, p *patient) {
			p.made(t, nil)
			p.PublicURL = p.serves(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Tollgate-Installation", "theirs") })
		}, "a Tollgate with another database answers there"},
		"gateway that does not let us in": {func(_ *testing.T, p *patient) { p.Accounts["acc"].Settings["token"] = "wrong" }, "account acc: an inquiry about an order that nobody made"},
		"gateway at another path": {func(_ *testing.T, p *patient) {
			p.Accounts["acc"].Settings["base_url"] = "https://example.com:8443/rest/"
		}, "account acc: an inquiry about an order that nobody made"},
		"gateway that is a sandbox": {func(t *testing.T, p *patient) {
			p.Accounts["acc"].Settings["base_url"] = p.serves(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Tollgate-Sandbox", "1")
				io.WriteString(w, `{"errorCode":"6"}`)
			}) + "/payment/rest/"
		}, "this is a Tollgate sandbox and no gateway"},
		"no trusted proxies": {func(_ *testing.T, p *patient) { p.TrustedProxies = nil }, "trusted_proxies: empty"},
		"address that another program listens on": {func(t *testing.T, p *patient) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			p.Metrics = l.Addr().String()
		}, "metrics_listen: 127.0.0.1:"},
		"data folder below a file": {func(t *testing.T, p *patient) {
			write(t, filepath.Join(p.Data, "file"), "", 0o600)
			p.Data = filepath.Join(p.Data, "file", "data")
		}, "data folder: "},
		"account that was taken out with a payment under way": {func(t *testing.T, p *patient) {
			p.made(t, func(st *sqlstore.Store) { underWay(t, st, "gone") })
		}, "account gone: not configured any more, and 1 of its payments are under way"},
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

// serves starts a server that the patient knows, and answers its address.
func (p *patient) serves(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	before := p.options.Dial
	p.options.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "www.example.com:443" {
			addr = s.Listener.Addr().String()
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		return before(ctx, network, addr)
	}
	return "https://www.example.com"
}

// made is a patient that has run before: its database is there.
func (p *patient) made(t *testing.T, fill func(*sqlstore.Store)) {
	t.Helper()
	st, err := sqlstore.Open(t.Context(), sqlstore.Options{Dir: p.Data, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Agree(t.Context(), sqlstore.Installation, "ours"); err != nil {
		t.Fatal(err)
	}
	if fill != nil {
		fill(st)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// underWay stores a payment whose outcome is not known.
func underWay(t *testing.T, st *sqlstore.Store, account string) {
	t.Helper()
	rub, err := money.ParseCurrency("RUB")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s := &session.Session{
		ID: "cs_1", Merchant: "shop", Account: account, Kind: "payment", OrderID: "o", Amount: money.Amount{Minor: 100, Currency: rub}, Method: "card",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Attempts: []*session.Attempt{{N: 1, State: session.Unknown, Ref: providers.Ref{Reference: "o-1"}, Instrument: "card", CreatedAt: now}},
	}
	if err := st.Create(t.Context(), s, session.Change{}); err != nil {
		t.Fatal(err)
	}
}

func TestTheDoctorSaysWhichAddressFieldsEverySessionHasToBring(t *testing.T) {
	p := newPatient(t)
	settings := map[string]any{"base_url": "https://example.com:8443/paynet", "endpoint_id": "1", "login": "shop", "merchant_control": "x"}
	p.Accounts = map[string]config.Account{"pay": {Gateway: "payneteasy", Settings: settings}}
	told := func() (all []string) {
		for _, f := range Doctor(t.Context(), p.Config, p.options) {
			if strings.Contains(f.What, "billing: ") && f.Do != "" && !f.Wrong {
				all = append(all, f.What)
			}
		}
		return all
	}
	if got := told(); len(got) != 1 || !strings.Contains(got[0], "address, city, zip, country, phone, email") {
		t.Errorf("%q", got)
	}
	settings["billing"] = map[string]any{"address": "a", "city": "c", "zip": "1", "country": "KZ", "phone": "7", "email": "a@b.example"}
	if got := told(); len(got) != 0 {
		t.Errorf("with all of them: %q", got)
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
