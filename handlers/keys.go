package handlers

import (
	"context"
	"errors"

	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/session"
)

// keyAPI is what a merchant does with its API keys.
type keyAPI struct{ Options }

// RevokeAPIKey is DELETE /v1/api_keys/{key}.
func (a keyAPI) RevokeAPIKey(ctx context.Context, r RevokeAPIKeyRequestObject) (RevokeAPIKeyResponseObject, error) {
	switch err := merchantOf(ctx).MayRevoke(keyOf(ctx), r.Key); {
	case errors.Is(err, merchant.ErrKey):
		return nil, session.ErrNotFound
	case err != nil:
		return nil, err
	}
	if err := a.Revocations.Revoke(ctx, r.Key, a.Now()); err != nil {
		return nil, err
	}
	a.recordKey(ctx, security.KeyRevoked, shortKey(merchant.Key{Hash: r.Key}), "api key")
	return RevokeAPIKey204Response{}, nil
}
