package merchant

import (
	"context"
	"slices"
	"time"
)

// Revocations remembers which keys were revoked at run time, for every machine and across restarts. A hash that is
// revoked stays so, whatever the configuration says.
type Revocations interface {
	Revoke(ctx context.Context, hash string, at time.Time) error
	Revoked(ctx context.Context, hash string) (bool, error)
}

// MayRevoke tells whether the caller of a key may revoke another of the merchant's: every key itself, one without a list
// of scopes any. ErrKey where the merchant has no such key, ErrScope where it has.
func (m Merchant) MayRevoke(caller Key, hash string) error {
	switch {
	case !slices.ContainsFunc(m.Keys, func(k Key) bool { return k.Hash == hash }):
		return ErrKey
	case caller.Hash != hash && len(caller.Scopes) > 0:
		return ErrScope
	}
	return nil
}
