package handlers

import (
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/providers"
)

// record writes a line of the security log about a request.
func (o Options) record(c echo.Context, e security.Entry) {
	e.Address, e.RequestID = c.RealIP(), c.Response().Header().Get(echo.HeaderXRequestID)
	if e.Resource == "" {
		e.Resource = methodName(c.Request().Method) + " " + c.Path()
	}
	if id := c.Param("session"); id != "" {
		e.Session = security.Session(id)
	}
	o.Security.Record(e)
}

// recordError writes down what of the errors that end requests is somebody's attempt.
func (o Options) recordError(c echo.Context, err error) {
	_, limited := errors.AsType[*limit.Limited](err)
	switch {
	case limited:
		o.record(c, security.Entry{Kind: security.LimitMet, Outcome: refused})
	case errors.Is(err, providers.ErrForged):
		o.record(c, security.Entry{Kind: security.CallbackForged, Outcome: refused, Detail: "account " + c.Param("account")})
	}
}

const refused = "refused"

// shortKey names an API key where the key and its hash must not be.
func shortKey(k merchant.Key) string { return k.Hash[:min(len(k.Hash), 12)] }

// recordImport writes down that a card was taken over, or refused to be. Which card, it does not say.
func (o Options) recordImport(ctx context.Context, account string, taken bool) {
	outcome := refused
	if taken {
		outcome = "ok"
	}
	o.Security.Record(security.Entry{
		Kind: security.CardImported, Outcome: outcome, Key: shortKey(keyOf(ctx)), Merchant: merchantOf(ctx).ID, Resource: "account " + account,
	})
}

// recordSettled writes down what a person said.
func (o Options) recordSettled(ctx context.Context, id, outcome string) {
	o.Security.Record(security.Entry{
		Kind: security.Settled, Outcome: "ok", Key: shortKey(keyOf(ctx)), Merchant: merchantOf(ctx).ID, Resource: "session", Session: security.Session(id),
		Detail: outcome,
	})
}

// recordKey writes down what a merchant's server did with a key or secret.
func (o Options) recordKey(ctx context.Context, kind security.Kind, key, resource string) {
	o.Security.Record(security.Entry{
		Kind: kind, Outcome: "ok", Key: key, Merchant: merchantOf(ctx).ID, Resource: resource, Detail: "by key " + shortKey(keyOf(ctx)),
	})
}
