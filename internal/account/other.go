package account

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"tollgate/providers"
)

// other is the account's gateway with other credentials: while a password, a key or a secret is exchanged at the gateway, either
// may be the one that holds. A call that is refused, and by that proved to have done nothing or to be harmless twice, is made once
// more with the other ones; which were taken last are shown first from then on.
type other struct {
	provider providers.Provider
	first    atomic.Bool
}

// Beside is the account with the same gateway opened with other credentials, which hold beside its own.
func (a Account) Beside(gateway providers.Provider) Account {
	a.other = &other{provider: gateway}
	return a
}

func (a Account) first() any {
	if a.other != nil && a.other.first.Load() {
		return a.other.provider
	}
	return a.provider
}

// second is nil where there are no other credentials.
func (a Account) second() any {
	switch {
	case a.other == nil:
		return nil
	case a.other.first.Load():
		return a.provider
	}
	return a.other.provider
}

// exchange notes that the credentials that were shown first were refused, and the others taken.
func (a Account) exchange(refused any) {
	a.other.first.Store(refused == any(a.provider))
	if a.log != nil {
		a.log.Warn("the gateway takes the account's other credentials now", "account", a.Name)
	}
}

// mostNotified is more than a callback may hold; the gateways' own bounds are below it.
const mostNotified = 128 << 10

// Notified reads a gateway's callback. ErrCannot where it sends none, providers.ErrForged for one that it did not send. Signed with
// either of two secrets it is the gateway's.
func (a Account) Notified(r *http.Request) (providers.Notice, error) {
	notifier, ok := a.first().(providers.Notifier)
	if !ok {
		return providers.Notice{}, ErrCannot
	}
	second, two := a.second().(providers.Notifier)
	if !two || r.Body == nil {
		return notifier.Notified(r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, mostNotified))
	if err != nil {
		return providers.Notice{}, err
	}
	read := func(by providers.Notifier) (providers.Notice, error) {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return by.Notified(again)
	}
	n, err := read(notifier)
	if errors.Is(err, providers.ErrForged) {
		n, err = read(second)
	}
	return n, err
}
