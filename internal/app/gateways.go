package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"syscall"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/card"
	"tollgate/internal/config"
	"tollgate/internal/invoice"
	"tollgate/internal/sandbox"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/providers/payneteasy"
	"tollgate/providers/rbs"
	"tollgate/providers/sber"
	"tollgate/providers/transactworld"
	"tollgate/session/flow"
)

// gateways is the one place that knows which providers there are.
func gateways() map[string]func() providers.Config {
	return map[string]func() providers.Config{
		"rbs":           func() providers.Config { return new(rbs.Config) },
		"payneteasy":    func() providers.Config { return new(payneteasy.Config) },
		"sber":          func() providers.Config { return new(sber.Config) },
		"cashier":       func() providers.Config { return new(cashier.Config) },
		"transactworld": func() providers.Config { return new(transactworld.Config) },
	}
}

// accounts opens every configured account. All faults come at once.
func (a *App) accounts(c config.Config) (account.Accounts, error) {
	known := gateways()
	opened := account.Accounts{}
	var watcher account.CallWatcher
	if a.metrics != nil {
		watcher = a.metrics
	}
	var faults config.Faults
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		acc := c.Accounts[name]
		fault := func(text string) { faults = append(faults, c.AccountFault(name, text)) }
		make, ok := known[acc.Gateway]
		if !ok {
			fault(fmt.Sprintf("gateway %q is not one of %v", acc.Gateway, slices.Sorted(maps.Keys(known))))
			continue
		}
		settings := make()
		err := acc.Into(settings)
		unknown, _ := errors.AsType[config.Unknown](err)
		for _, key := range unknown {
			fault(key + ": is not a setting of this gateway")
		}
		if err != nil && unknown == nil {
			fault(err.Error())
			continue
		}
		found := settings.Faults()
		for _, id := range acc.Cards {
			if !card.Known(id) {
				faults = append(faults, c.Fault("account."+name+".cards", fmt.Sprintf("%q is none of the payment systems we know", id)))
			}
		}
		for _, f := range found {
			fault(f)
		}
		if len(found)+len(unknown) > 0 {
			continue
		}
		client, wrong := a.client(name, acc)
		for _, f := range wrong {
			faults = append(faults, c.Fault("account."+name, f))
		}
		env := providers.Env{HTTP: client, Now: a.o.Clock.Now, Loopback: c.Testing()}
		provider, err := settings.Open(env)
		if err != nil {
			fault(err.Error())
			continue
		}
		opened[name] = account.Open(account.Settings{
			Name: name, Gateway: acc.Gateway, Provider: provider, SettleAfter: time.Duration(acc.SettleAfter),
			CallTimeout: time.Duration(acc.CallTimeout), OrderLife: time.Duration(acc.OrderLife), Cards: acc.Cards,
			Framed:    acc.Framed,
			FollowFor: time.Duration(acc.FollowFor), Now: a.o.Clock.Now, Watcher: watcher, CardCalls: acc.CardCalls,
			Log: a.log,
		})
		with, wrong := besides(opened[name], acc, make(), env)
		for _, f := range wrong {
			faults = append(faults, c.Fault("account."+name+".other", f))
		}
		opened[name] = with
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return opened, nil
}

// besides opens an account's gateway with its other credentials as well, where it has any. It is the same account at the same gateway:
// only secrets, keys and names for a login may differ.
func besides(opened account.Account, acc config.Account, settings providers.Config, env providers.Env) (account.Account, []string) {
	if len(acc.Other) == 0 {
		return opened, nil
	}
	var faults []string
	for _, key := range slices.Sorted(maps.Keys(acc.Other)) {
		if !credential(reflect.TypeOf(settings), key) {
			faults = append(faults, key+" is no credential of this gateway: only those may differ")
		}
	}
	if faults != nil {
		return opened, faults
	}
	with := maps.Clone(acc.Settings)
	maps.Copy(with, acc.Other)
	if err := (config.Account{Settings: with}).Into(settings); err != nil {
		return opened, []string{err.Error()}
	}
	if faults = settings.Faults(); faults != nil {
		return opened, faults
	}
	provider, err := settings.Open(env)
	if err != nil {
		return opened, []string{err.Error()}
	}
	return opened.Beside(provider), nil
}

// credential tells whether a gateway's setting is a secret, a key, or the name that goes with one.
func credential(settings reflect.Type, key string) bool {
	if slices.Contains([]string{"user_name", "username", "login", "callback_public_key", "card_public_key"}, key) {
		return true
	}
	for f := range settings.Elem().Fields() {
		if f.Tag.Get("toml") == key {
			return f.Type == reflect.TypeFor[providers.Secret]()
		}
	}
	return false
}

// client is the way out for one account. It repeats nothing and follows no redirect.
func (a *App) client(name string, acc config.Account) (*http.Client, []string) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	transport.Proxy = nil
	if a.tls != nil {
		transport.TLSClientConfig = a.tls
	}
	faults := throughNetwork(transport, acc)
	switch {
	case a.o.Dial != nil:
		transport.DialContext = a.o.Dial
	case !a.o.Config.Testing() && acc.Proxy == "": // a proxy may well stand on this machine
		transport.DialContext = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: elsewhere}).DialContext
	}
	var way http.RoundTripper = transport
	if !a.o.Config.Testing() {
		way = realGateways{way}
	}
	return &http.Client{
		Transport:     account.Transport(name, way, a.o.Clock.Now, a.log, a.metrics.heldBack),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, faults
}

// throughNetwork sets what an account says of the way to its gateway: a proxy, who may have signed its certificate, our own.
func throughNetwork(transport *http.Transport, acc config.Account) (faults []string) {
	if acc.Proxy != "" {
		if u, err := url.Parse(acc.Proxy); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			faults = append(faults, "proxy: must be http://host:port")
		} else {
			transport.Proxy = http.ProxyURL(u)
		}
	}
	if acc.CAFile == "" && acc.CertFile == "" && acc.KeyFile == "" {
		return faults
	}
	with := &tls.Config{MinVersion: tls.VersionTLS12}
	if transport.TLSClientConfig != nil {
		with = transport.TLSClientConfig.Clone()
	}
	if acc.CAFile != "" {
		raw, err := os.ReadFile(acc.CAFile)
		with.RootCAs = x509.NewCertPool()
		if err != nil {
			faults = append(faults, "ca_file: "+err.Error())
		} else if !with.RootCAs.AppendCertsFromPEM(raw) {
			faults = append(faults, "ca_file: has no certificate in PEM")
		}
	}
	if acc.CertFile != "" || acc.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(acc.CertFile, acc.KeyFile)
		if err != nil {
			faults = append(faults, "client_certificate: and client_key do not make a pair: "+err.Error())
		}
		with.Certificates = []tls.Certificate{pair}
	}
	transport.TLSClientConfig = with
	return faults
}

var errThisMachine = errors.New("the gateway's name leads to this machine, where there is none; for trying out set test_mode = true")

// elsewhere lets no connection begin that ends on this machine, whatever name led to it.
func elsewhere(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err == nil && config.ThisMachine(to.Addr()) {
		err = errThisMachine
	}
	return err
}

// realGateways takes no answer from a sandbox: to it every card is a test card, and its payments are nobody's money.
type realGateways struct{ http.RoundTripper }

var errSandboxGateway = errors.New("this is a Tollgate sandbox and no gateway; for trying out set test_mode = true")

func (g realGateways) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := g.RoundTripper.RoundTrip(r)
	if err == nil && res.Header.Get(sandbox.Mark) != "" {
		_ = res.Body.Close()
		return nil, errSandboxGateway
	}
	return res, err
}

// keepers opens what is kept for customers, and what bills them, over the accounts.
func (a *App) keepers(accounts account.Accounts, sealer wallet.Sealer) (*wallet.Wallet, *invoice.Service) {
	token := func() (string, error) { return flow.NewToken(a.o.Rand) }
	return wallet.New(wallet.Options{
			Customers: a.store, Accounts: accounts, Sealer: sealer, Now: a.o.Clock.Now, Token: token, Log: a.log,
		}), invoice.New(invoice.Options{
			Store: a.store, Accounts: accounts, Now: a.o.Clock.Now, Sure: a.time.sure, Token: token, Log: a.log,
			BaseURL: a.FrontURL,
		})
}
