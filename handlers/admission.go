package handlers

import (
	"context"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/session"
)

// admission authenticates requests of the merchant API and puts merchant, key, claim and session into their context.
type admission struct{ Options }

type (
	merchantKey struct{}
	callerKey   struct{}
	sessionKey  struct{}
	claimKey    struct{}
)

func (a admission) authenticated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		m, key, err := a.Merchants.ByKey(r.Header.Get(echo.HeaderAuthorization), a.Now())
		if err != nil {
			return a.wrongKey(r.Context(), c, err)
		}
		revoked, err := a.Revocations.Revoked(r.Context(), key.Hash)
		if err != nil {
			return err
		}
		if revoked {
			return a.wrongKey(r.Context(), c, merchant.ErrKey)
		}
		a.record(c, security.Entry{Kind: security.AuthAccepted, Outcome: "ok", Key: shortKey(key), Merchant: m.ID, Resource: "/v1"})
		ctx := context.WithValue(r.Context(), merchantKey{}, m)
		c.SetRequest(r.WithContext(context.WithValue(ctx, callerKey{}, key)))
		return next(c)
	}
}

func merchantOf(ctx context.Context) merchant.Merchant {
	return ctx.Value(merchantKey{}).(merchant.Merchant)
}

// keyOf is the key that the caller showed.
func keyOf(ctx context.Context) merchant.Key {
	return ctx.Value(callerKey{}).(merchant.Key)
}

// owned refuses what is another merchant's, as if it did not exist, before anything is said of the body. The session that
// a path names is loaded here; sessionOf has it.
func (a admission) owned(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		m := merchantOf(r.Context()).ID
		if id := c.Param("session"); id != "" {
			s, err := a.Store.Load(r.Context(), id)
			if err != nil {
				return err
			}
			if s.Merchant != m {
				return session.ErrNotFound
			}
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), sessionKey{}, s)))
		}
		if id := c.Param("endpoint"); id != "" {
			if _, err := a.Webhooks.Read(r.Context(), m, id); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// sessionOf is the session that the request's path names, the caller's own.
func sessionOf(ctx context.Context) *session.Session {
	return ctx.Value(sessionKey{}).(*session.Session)
}
