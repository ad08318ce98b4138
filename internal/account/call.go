package account

import (
	"context"
	"crypto/rsa"
	"time"

	"tollgate/providers"
)

// CallWatcher is told of gateway calls, for metrics.
type CallWatcher interface {
	Called(gateway, call, result string, took time.Duration)
}

// Call makes one call to an account's gateway under the account's deadline. do gets the gateway as the ability that it
// names, such as providers.Closer; where the gateway has none of the kind nothing is done: ErrCannot. The call is timed for
// the metrics under its name, and its HTTP requests come back, whether or not it failed. An inquiry is held back while the gateway
// wants to be left alone.
func Call[T any](ctx context.Context, a Account, name string, do func(context.Context, T) error) ([]Request, error) {
	gateway, ok := a.first().(T)
	if !ok {
		return nil, ErrCannot
	}
	if err := a.quiet.refuse(name, a.now()); err != nil {
		return nil, err
	}
	limited, done := context.WithTimeout(ctx, a.CallTimeout)
	defer done()
	call, made := recording(limited)
	start := a.now()
	err := do(call, gateway)
	refused := providers.RefusalOfUs(err)
	if second, ok := a.second().(T); ok && refused != nil && (refused.Untaken || refused.Again) {
		if again := do(call, second); providers.RefusalOfUs(again) == nil {
			a.exchange(gateway)
			err, refused = again, nil
		}
	}
	if refused != nil && a.log != nil {
		a.log.Error("the gateway refuses the account: its settings or the contract have to be mended",
			"account", a.Name, "call", name, "gateway_call", refused.Op, "code", refused.Code, "text", refused.Text)
	}
	a.quiet.heard(name, a.now(), err)
	if a.watcher != nil {
		result := "answered"
		switch {
		case refused != nil:
			result = "misconfigured"
		case err != nil:
			result = "error"
		}
		a.watcher.Called(a.Gateway, name, result, a.now().Sub(start))
	}
	return made.take(), err
}

// Detached lets a call end although whoever asked for it has gone, within the time that a merchant's request may take.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
}

// Banks lists where fast payouts can go. ErrCannot where the gateway has no such list.
func (a Account) Banks(ctx context.Context) (banks []providers.Bank, err error) {
	_, err = Call(ctx, a, "banks", func(call context.Context, gateway providers.BankLister) (err error) {
		banks, err = gateway.Banks(call)
		return err
	})
	return banks, err
}

// SealingKey is the key that the shopper's browser encrypts the card with. ErrCannot where none does.
func (a Account) SealingKey(ctx context.Context) (key *rsa.PublicKey, err error) {
	if !a.SealsCards() {
		return nil, ErrCannot
	}
	_, err = Call(ctx, a, "sealing_key", func(call context.Context, gateway providers.CardSealer) (err error) {
		key, err = gateway.SealingKey(call)
		return err
	})
	return key, err
}
