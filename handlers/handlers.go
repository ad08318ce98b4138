// Package handlers is Tollgate's HTTP front: routes, requests, answers, and nothing else. The flow lives in session.
package handlers

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"tollgate/internal/i18n"
	"tollgate/internal/invoice"
	"tollgate/internal/limit"
	"tollgate/internal/look"
	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/session/browser"
	"tollgate/session/flow"
	"tollgate/static"
)

//go:generate go run ./eventdocs openapi.yaml ../docs/api/guide.md
//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml

// Options is what the front needs.
type Options struct {
	Flow        *flow.Flow
	Store       flow.Store
	Customers   wallet.Customers
	Wallet      *wallet.Wallet
	Invoices    *invoice.Service
	Books       flow.Books
	Merchants   *merchant.Directory
	Tags        merchant.Tags
	Revocations merchant.Revocations
	Idempotency merchant.Book
	AloneSince  time.Time // as in merchant.Once
	Webhooks    *webhook.Service
	Limits      *limit.Limiter
	Security    *security.Log // nil: none is kept
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
	MaxStreams  int                                                      // live waits open at once; 0: usualStreams
	Mail        MailSender                                               // nil: receipts are not sent by e-mail
	Brake       Brake                                                    // nil: none
	Stopping    <-chan struct{}                                          // closed when live waits are to end; nil: never
	IP          echo.IPExtractor                                         // nil: the peer's address

	Away     func(error) bool             // tells the store's own state apart from faults of ours; nil: nothing is
	Violated func(directive, page string) // metrics; nil: nobody counts

	Installation string // what the fronts of one database are known by to whoever asks whether they are ready

	drawing *drawing
}

// MaxBody caps what a browser or a merchant may post, in bytes; PaRes and CRes have caps of their own below it.
const MaxBody = 512 << 10

// New builds the front. Every route stands here, but for those of the merchant's API: they stand in the contract.
func New(o Options) *echo.Echo {
	o.drawing = newDrawing(o.Sandbox)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = o.IP
	if e.IPExtractor == nil {
		e.IPExtractor = echo.ExtractIPDirect()
	}
	e.HTTPErrorHandler = errorPage{o}.handle
	e.Binder = strictJSON{}
	around(e,
		identified(o.Rand),
		recovered(o.Log),
		logged(o.Log, o.Observe),
		withoutReadDeadline,
		bodyless,
		securityHeaders(strings.HasPrefix(o.BaseURL, "https://")),
		cleanPath,
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: "512K"}),
	)

	// The contract of the merchant's API is among them.
	d := docs{}
	for path, get := range map[string]echo.HandlerFunc{
		"/":                 pay{screens: screens{visit: visit{o}}}.home,
		"/favicon.ico":      func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, static.URL("icon.svg")) },
		"/robots.txt":       func(c echo.Context) error { return c.String(http.StatusOK, "User-agent: *\nDisallow: /\n") },
		"/healthz":          readiness{nil, o.Installation}.alive,
		"/readyz":           readiness{o.Ready, o.Installation}.get,
		static.Prefix + "*": echo.WrapHandler(static.Handler()),
		look.Prefix + "*":   visit{o}.lookFile,
		"/embed.js":         embedScript,
		"/openapi.yaml":     d.contract,
		"/docs":             d.page,
		"/docs/:file":       d.file,
	} {
		e.GET(path, get)
		e.HEAD(path, get)
	}

	galleryPages{o}.routes(e)
	e.POST(reportsPath, newReports(o).take)

	// The shopper's pages. Only these have a browser session.
	p := pay{screens{visit{o}, newTyped(o.Now)}, newStreams(o)}
	pages := newRoutes(e, "/pay/:session", detached, echo.WrapMiddleware(o.Browsers.LoadAndSave), visits, renderErrors, p.posts, p.sameSite)
	pages.GET("", p.show)
	pages.POST("", p.submit) // a form without its action, reloaded or kept by a browser extension
	pages.POST("/card", p.submit)
	pages.POST("/cancel", p.cancel)
	pages.POST("/other", p.other)
	pages.POST("/start", p.start)
	pages.POST("/saved", p.saved)
	pages.POST("/saved/delete", p.deleteSaved)
	pages.POST("/customer", p.customer)
	pages.POST("/receipt", p.mailReceipt)
	p.logins(pages)
	pages.GET("/new", p.newCard)
	pages.both("/*", p.redirectToPage)
	e.HEAD("/pay/:session", p.head)
	e.HEAD("/pay/:session/*", p.redirectToPage)
	e.GET("/pay/:session/events", p.events)
	e.GET("/pay/:session/frame/:step/:n", p.frame)
	e.GET("/pay/:session/page/:step", p.gatewayPage)

	// The bank's and the gateways' way back. No cookie is read or set; the path token is the key.
	b := bank{o}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
		e.Add(method, "/3ds/:run/notify", b.notify, detached)
		e.Add(method, "/3ds/:run/return", b.returned, detached)
	}
	e.GET("/callbacks/:account", b.callback, detached)
	e.POST("/callbacks/:account", b.callback, detached)

	// The merchant's API.
	a := admission{o}
	v1 := newRoutes(e, "/v1", a.authenticated, a.requireScope(), knownFilters(), cleanQuery, plainTarget, a.braked, a.idempotent, parameterErrors, a.owned)
	RegisterHandlers(contractRoutes{EchoRouter: e, routes: v1}, NewStrictHandler(newAPI(o), nil))
	return e
}

// readiness tells whether payments can be taken.
type readiness struct {
	ready        func(context.Context) error
	installation string
}

// InstallationHeader says which installation answers, so that doctor can tell it from any other server.
const InstallationHeader = "Tollgate-Installation"

func (r readiness) alive(c echo.Context) error {
	c.Response().Header().Set(InstallationHeader, r.installation)
	return c.String(http.StatusOK, "ok\n")
}

func (r readiness) get(c echo.Context) error {
	c.Response().Header().Set(InstallationHeader, r.installation)
	ctx, done := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer done()
	if err := r.ready(ctx); err != nil {
		return c.String(http.StatusServiceUnavailable, "not ready\n")
	}
	return c.String(http.StatusOK, "ready\n")
}
