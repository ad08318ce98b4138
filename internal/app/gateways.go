package app

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"

	"tollgate/internal/config"
	"tollgate/providers"
	"tollgate/providers/cashier"
	"tollgate/providers/payneteasy"
	"tollgate/providers/rbs"
	"tollgate/providers/sber"
	"tollgate/providers/transactworld"
	"tollgate/session"
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
func (a *App) accounts(c config.Config) (map[string]session.Account, error) {
	known := gateways()
	opened := map[string]session.Account{}
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
		for _, f := range found {
			fault(f)
		}
		if len(found)+len(unknown) > 0 {
			continue
		}
		provider, err := settings.Open(providers.Env{HTTP: a.client(name), Now: a.o.Clock.Now, Loopback: c.Sandbox})
		if err != nil {
			fault(err.Error())
			continue
		}
		opened[name] = session.Account{
			Name: name, Gateway: acc.Gateway, Provider: provider, SettleAfter: time.Duration(acc.SettleAfter),
			CallTimeout: time.Duration(acc.CallTimeout), OrderLife: time.Duration(acc.OrderLife),
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return opened, nil
}

// client is the way out for one account. It repeats nothing and follows no redirect; a breaker spares a gateway that
// does not answer, and us the waiting.
func (a *App) client(account string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	transport.Proxy = nil
	if a.o.Dial != nil {
		transport.DialContext = a.o.Dial
	}
	return &http.Client{
		Transport: &breaker{next: session.Recorded(transport, a.o.Clock.Now), gate: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Name: account, Timeout: 5 * time.Second, MaxRequests: 2,
			ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 20 },
			OnStateChange: func(name string, from, to gobreaker.State) {
				a.log.Warn("gateway breaker", "account", name, "from", from.String(), "to", to.String())
			},
		})},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// breaker counts what tells that a gateway is down: no answer, or 5xx. A decline is an answer.
type breaker struct {
	next http.RoundTripper
	gate *gobreaker.TwoStepCircuitBreaker[any]
}

var errDown = errors.New("HTTP 5xx")

func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	done, err := b.gate.Allow()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", providers.ErrUnsent, err)
	}
	res, err := b.next.RoundTrip(r)
	switch {
	case err != nil:
		done(err)
	case res.StatusCode >= 500:
		done(errDown)
	default:
		done(nil)
	}
	return res, err
}
