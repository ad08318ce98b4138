// Package handlers is Tollgate's HTTP front: routes, requests, answers, and nothing else. The flow lives in session.
package handlers

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"tollgate/internal/i18n"
	"tollgate/internal/merchant"
	"tollgate/internal/webhook"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/browser"
	"tollgate/static"
)

// Options is what the front needs.
type Options struct {
	Flow        *session.Flow
	Store       session.Store
	Customers   session.Customers
	Merchants   *merchant.Directory
	Idempotency merchant.Book
	Webhooks    *webhook.Service
	History     History
	Browsers    *browser.Browsers
	Texts       *i18n.Bundle
	Now         func() time.Time
	Rand        io.Reader
	BaseURL     string // public address, no slash at the end
	Sandbox     bool   // test mode: said on every page; bank pages may be http on loopback; return URLs may be http on loopback
	Ready       func(context.Context) error
	Log         *slog.Logger
	Observe     func(route, method string, code int, took time.Duration) // metrics; nil: nobody counts
	IP          echo.IPExtractor                                         // nil: the peer's address
}

// MaxBody caps what a browser or a merchant may post, in bytes; PaRes and CRes have caps of their own below it.
const MaxBody = 512 << 10

// New builds the front. Every route stands here.
func New(o Options) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = o.IP
	if e.IPExtractor == nil {
		e.IPExtractor = echo.ExtractIPDirect()
	}
	e.HTTPErrorHandler = errorPage{o}.handle
	e.Use(
		middleware.RequestIDWithConfig(middleware.RequestIDConfig{Generator: requestID(o.Rand)}),
		recovered(o.Log),
		logged(o.Log, o.Observe),
		hardened,
		legible,
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: "512K"}),
	)

	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", readiness{o.Ready}.get)
	e.GET(static.Prefix+"*", echo.WrapHandler(static.Handler()))

	// The contract of the merchant's API.
	d := docs{}
	e.GET("/openapi.yaml", d.contract)
	e.GET("/docs", d.page)
	e.GET("/docs/:file", d.file)

	// The shopper's pages. Only these have a browser session.
	p := pay{o}
	pages := e.Group("/pay/:session", echo.WrapMiddleware(o.Browsers.LoadAndSave), answeredInside, p.sameSite)
	pages.GET("", p.show)
	pages.POST("", p.submit) // a form without its action, reloaded or kept by a browser extension
	pages.POST("/card", p.submit)
	pages.POST("/cancel", p.cancel)
	pages.POST("/start", p.start)
	pages.POST("/saved", p.saved)
	pages.POST("/phone", p.phone)
	pages.POST("/code", p.code)
	pages.POST("/code/again", p.codeAgain)
	pages.GET("/new", p.newCard)
	e.GET("/pay/:session/events", p.events)
	e.GET("/pay/:session/frame/:step/:n", p.frame)
	e.GET("/pay/:session/page/:step", p.gatewayPage)

	// The bank's and the gateways' way back. No cookie is read or set; the path token is the key.
	b := bank{o}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
		e.Add(method, "/3ds/:run/notify", b.notify)
		e.Add(method, "/3ds/:run/return", b.returned)
	}
	e.GET("/callbacks/:account", b.callback)
	e.POST("/callbacks/:account", b.callback)

	// The merchant's API.
	a := api{o}
	v1 := e.Group("/v1", a.authenticated, scoped(), legibleQuery, a.idempotent)
	v1.POST("/sessions", a.create)
	v1.GET("/sessions", a.list)
	v1.GET("/sessions/:session", a.read)
	v1.POST("/sessions/:session/cancel", a.cancel)
	v1.POST("/sessions/:session/inquire", a.inquire)
	v1.GET("/sessions/:session/events", a.events)
	v1.POST("/sessions/:session/capture", a.operate(providers.Capture))
	v1.POST("/sessions/:session/void", a.operate(providers.Void))
	v1.POST("/sessions/:session/refunds", a.operate(providers.Refund))
	v1.GET("/sessions/:session/operations", a.operations)
	v1.GET("/sessions/:session/operations/:n", a.operation)
	v1.GET("/events", a.allEvents)
	v1.POST("/charges", a.charge)
	v1.POST("/payouts", a.payout)
	v1.GET("/customers/:customer/cards", a.savedCards)
	v1.PATCH("/cards/:card", a.renameCard)
	v1.DELETE("/cards/:card", a.forgetCard)
	v1.GET("/accounts", a.accounts)
	v1.GET("/accounts/:account/banks", a.banks)
	v1.GET("/accounts/:account/history", a.history)
	v1.POST("/webhook_endpoints", a.createEndpoint)
	v1.GET("/webhook_endpoints", a.endpoints)
	v1.GET("/webhook_endpoints/:endpoint", a.endpoint)
	v1.PATCH("/webhook_endpoints/:endpoint", a.changeEndpoint)
	v1.DELETE("/webhook_endpoints/:endpoint", a.deleteEndpoint)
	v1.POST("/webhook_endpoints/:endpoint/rotate", a.rotateEndpoint)
	v1.POST("/webhook_endpoints/:endpoint/resend", a.resendRange)
	v1.GET("/webhook_keys", a.defaultKeys)
	v1.POST("/webhook_keys/rotate", a.rotateDefault)
	v1.GET("/webhook_deliveries", a.deliveries)
	v1.GET("/webhook_deliveries/:delivery", a.delivery)
	v1.POST("/webhook_deliveries/:delivery/resend", a.resend)
	v1.POST("/webhook_deliveries/:delivery/cancel", a.cancelDelivery)
	return e
}

// readiness tells whether payments can be taken.
type readiness struct{ ready func(context.Context) error }

func (r readiness) get(c echo.Context) error {
	ctx, done := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer done()
	if err := r.ready(ctx); err != nil {
		return c.String(http.StatusServiceUnavailable, "not ready\n")
	}
	return c.String(http.StatusOK, "ready\n")
}
