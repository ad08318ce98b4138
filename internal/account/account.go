// Package account holds a merchant's contract with one gateway, opened, and Call, the only way to that gateway.
//
// An Account answers what its gateway can do (abilities.go) and never hands the gateway out: whoever wants to call it gives
// Call a function, which gets the gateway as the ability that it names. So every call has its deadline, is timed for the
// metrics, and has its HTTP requests recorded. The package knows nothing of sessions, saved cards or invoices.
package account

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tollgate/providers"
)

// What an account can be refused with.
var (
	// ErrNotConfigured says that there is no such account.
	ErrNotConfigured = errors.New("account: not configured")
	// ErrCannot says that the account's gateway has no such ability.
	ErrCannot = errors.New("account: the gateway cannot do this")
)

// What holds where an account says nothing else.
const (
	// DefaultSettleAfter is how long after a call's deadline "not found" becomes proof.
	DefaultSettleAfter = time.Minute
	// DefaultCallTimeout bounds one gateway call.
	DefaultCallTimeout = 30 * time.Second
	// DefaultFollowFor is how long a payment is looked at after its success, and after each later news of it.
	DefaultFollowFor = 45 * 24 * time.Hour
	// DefaultOrderLife is how long an order at a gateway that cannot close one may still be paid.
	DefaultOrderLife = 24 * time.Hour
	// DefaultCardCalls is how many calls in a second ask about saved cards, by import and refresh together.
	DefaultCardCalls = 10
)

// Settings are what an account is opened with.
type Settings struct {
	Name        string
	Gateway     string // the provider's name: rbs, payneteasy, …
	Provider    providers.Provider
	SettleAfter time.Duration    // 0: DefaultSettleAfter
	CallTimeout time.Duration    // 0: DefaultCallTimeout
	OrderLife   time.Duration    // 0: DefaultOrderLife
	Framed      bool             // its banks' pages may be shown in a frame
	Cards       []string         // ids of the payment systems its contract covers; none: the usual ones
	FollowFor   time.Duration    // 0: DefaultFollowFor
	CardCalls   int              // how many calls in a second may ask about saved cards; 0: DefaultCardCalls
	Now         func() time.Time // times the calls; nil: time.Now
	Watcher     CallWatcher      // told of every call; nil: nobody
	Log         *slog.Logger     // told of refusals of the account itself; nil: nobody
}

// Account is an open account. The zero one has a gateway that can do nothing.
type Account struct {
	Name        string
	Gateway     string
	SettleAfter time.Duration
	CallTimeout time.Duration
	OrderLife   time.Duration
	Framed      bool
	Cards       []string
	FollowFor   time.Duration
	CardCalls   int

	provider providers.Provider // no other package gets hold of it but in a Call
	other    *other             // nil: there are no other credentials
	quiet    *quiet             // nil: of an account that was not opened
	now      func() time.Time
	watcher  CallWatcher
	log      *slog.Logger
}

// Open opens an account.
func Open(s Settings) Account {
	if s.Now == nil {
		s.Now = time.Now
	}
	return Account{
		Name: s.Name, Gateway: s.Gateway, provider: s.Provider, quiet: &quiet{}, now: s.Now, watcher: s.Watcher, log: s.Log,
		SettleAfter: cmp.Or(s.SettleAfter, DefaultSettleAfter), CallTimeout: cmp.Or(s.CallTimeout, DefaultCallTimeout),
		OrderLife: cmp.Or(s.OrderLife, DefaultOrderLife), FollowFor: cmp.Or(s.FollowFor, DefaultFollowFor), CardCalls: cmp.Or(s.CardCalls, DefaultCardCalls), Cards: s.Cards, Framed: s.Framed,
	}
}

// Accounts are the configured ones by name.
type Accounts map[string]Account

// Find finds one. ErrNotConfigured.
func (all Accounts) Find(name string) (Account, error) {
	acc, ok := all[name]
	if !ok {
		return Account{}, fmt.Errorf("%w: %s", ErrNotConfigured, name)
	}
	return acc, nil
}
