package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// ErrNoAccount says that an account is not configured.
var ErrNoAccount = errors.New("session: account is not configured")

// Account is a merchant's contract with one gateway, opened.
type Account struct {
	Name        string
	Gateway     string // the provider's name: rbs, payneteasy, …
	Provider    providers.Provider
	SettleAfter time.Duration // 0: session.SettleAfter
	CallTimeout time.Duration // 0: session.CallTimeout
	OrderLife   time.Duration // 0: session.OrderLifetime
}

// CallWatcher is told of gateway calls, for metrics.
type CallWatcher interface {
	Called(gateway, call, result string, took time.Duration)
}

func (f *Flow) account(s *session.Session) (Account, error) {
	acc, ok := f.Accounts[s.Account]
	if !ok {
		return Account{}, fmt.Errorf("%w: %s", ErrNoAccount, s.Account)
	}
	return acc.withDefaults(), nil
}

func (acc Account) withDefaults() Account {
	if acc.SettleAfter == 0 {
		acc.SettleAfter = session.SettleAfter
	}
	if acc.CallTimeout == 0 {
		acc.CallTimeout = session.CallTimeout
	}
	if acc.OrderLife == 0 {
		acc.OrderLife = session.OrderLifetime
	}
	return acc
}

// operations is what the gateway can do to a payment; empty where it can do nothing.
func (acc Account) operations() []providers.OpLimits {
	if operator, ok := acc.Provider.(providers.Operator); ok {
		return operator.Kinds()
	}
	return nil
}

// dial makes one provider call under the account's deadline; it is timed for the metrics, and its requests come back
// for the timeline.
func (f *Flow) dial(ctx context.Context, acc Account, name string, do func(context.Context) error) ([]session.TimelineEntry, error) {
	limited, done := context.WithTimeout(ctx, acc.CallTimeout)
	defer done()
	call, wire := recording(limited)
	start := f.Now()
	err := do(call)
	if f.Calls != nil {
		result := "answered"
		if err != nil {
			result = "error"
		}
		f.Calls.Called(acc.Gateway, name, result, f.Now().Sub(start))
	}
	return wire.take(), err
}
