package handlers

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// identified gives every request an id, which stands in its answer, its problem and its log lines: the caller's own where
// that is safe to repeat, else 64 random bits.
func identified(random io.Reader) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			id := c.Request().Header.Get(echo.HeaderXRequestID)
			if !safeRequestID(id) {
				id = newRequestID(random)
			}
			c.Response().Header().Set(echo.HeaderXRequestID, id)
			return next(c)
		}
	}
}

func newRequestID(random io.Reader) string {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "none"
	}
	return hex.EncodeToString(b[:])
}

// recovered answers a panic with 500. The panic's value is not logged: it may hold card data.
func recovered(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if v == http.ErrAbortHandler {
					panic(v)
				}
				log.Error("panic in a handler", "route", c.Path(), "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
				err = echo.NewHTTPError(http.StatusInternalServerError)
			}()
			return next(c)
		}
	}
}

// logged writes one line per request: the route's pattern, never the address itself, whose path and query are secrets.
func logged(log *slog.Logger, observe func(route, method string, code int, took time.Duration)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			if !c.Response().Committed { // net/http would make an empty 200 of it
				log.Error("a request without an answer", "route", c.Path())
				answerWithoutHandler(c)
			}
			took := time.Since(start)
			level := slog.LevelDebug
			if c.Response().Status >= 500 && c.Get(brakedMark) == nil { // there would be thousands of those
				level = slog.LevelError
			}
			method := methodName(c.Request().Method)
			if ctx := c.Request().Context(); log.Enabled(ctx, level) {
				log.Log(ctx, level, "request", "method", method, "route", c.Path(), "status", c.Response().Status,
					"took", took, "request_id", c.Response().Header().Get(echo.HeaderXRequestID))
			}
			if observe != nil {
				observe(c.Path(), method, c.Response().Status, took)
			}
			return nil
		}
	}
}

// answerWithoutHandler answers a request that no handler and no error page could answer: a shopper's POST is redirected to the
// payment page, everything else gets 503.
func answerWithoutHandler(c echo.Context) {
	if id := c.Param("session"); id != "" && c.Request().Method == http.MethodPost {
		redirectToPay(c, id) //nolint:errcheck // it writes a header
		return
	}
	c.NoContent(http.StatusServiceUnavailable) //nolint:errcheck // likewise
}

// withoutReadDeadline lifts the connection's read deadline once the request is read whole. The deadline is for slow senders,
// but net/http lets it run on and then cancels the context of a request whose answer takes long.
func withoutReadDeadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, control := c.Request(), http.NewResponseController(c.Response().Writer)
		lift := func() { control.SetReadDeadline(time.Time{}) } //nolint:errcheck // a writer that has none needs none
		if r.Body == nil || r.Body == http.NoBody {
			lift()
		} else {
			r.Body = &watchedBody{ReadCloser: r.Body, whole: lift}
		}
		return next(c)
	}
}

// watchedBody calls whole once it was read to its end.
type watchedBody struct {
	io.ReadCloser
	whole func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.whole != nil {
		b.whole()
		b.whole = nil
	}
	return n, err
}

// detached lets a request run to its end although its client has disconnected: what a shopper or a bank sent once is processed.
// Every wait in it has a limit of its own.
func detached(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.SetRequest(c.Request().WithContext(context.WithoutCancel(c.Request().Context())))
		return next(c)
	}
}

// bodyless answers HEAD with what GET would, without its body.
func bodyless(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodHead {
			c.Response().Writer = headWriter{c.Response().Writer}
		}
		return next(c)
	}
}

type headWriter struct{ http.ResponseWriter }

func (headWriter) Write(p []byte) (int, error)   { return len(p), nil }
func (w headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// visited marks a request that has a browser session.
const visited = "visited"

func visits(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(visited, true)
		return next(c)
	}
}

// permissions are what our pages and the frames in them may not use. Features that a bank's page may need are not named, so
// that nothing of ours forbids them: payment, publickey-credentials-get, local network access of a bank's app.
const permissions = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), clipboard-read=(), " +
	"clipboard-write=(self), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), " +
	"magnetometer=(), microphone=(), midi=(), picture-in-picture=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// securityHeaders sets what every answer has. Pages add their own Content-Security-Policy. Whether shoppers come by https is
// known from our own address: what a proxy says of it may be anybody's word.
func securityHeaders(https bool) echo.MiddlewareFunc {
	all := headersOfAll(https)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			all.set(c.Response().Header())
			return next(c)
		}
	}
}

// headerLines are headers that many answers share: a value is replaced, never changed.
type headerLines []struct {
	name  string
	value []string
}

func (all headerLines) set(h http.Header) {
	for _, one := range all {
		h[one.name] = one.value
	}
}

func headersOfAll(https bool) (all headerLines) {
	add := func(name, value string) {
		all = append(all, headerLines{{http.CanonicalHeaderKey(name), slices.Clip([]string{value})}}...)
	}
	add("X-Content-Type-Options", "nosniff")
	// The bank sees our origin and nothing of the address; "no-referrer" would make our posts carry Origin: null,
	// which some banks refuse (docs/threeds.md §4).
	add("Referrer-Policy", "strict-origin")
	add("Cache-Control", "no-store")
	add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	add("Cross-Origin-Opener-Policy", "same-origin-allow-popups") // a bank may open its app in a window of its own
	add("Cross-Origin-Resource-Policy", "same-origin")
	add("Permissions-Policy", permissions)
	add("X-Robots-Tag", "noindex, nofollow")
	add("Reporting-Endpoints", reportsGroup+`="`+reportsPath+`"`)
	if https {
		add("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	return all
}

// cleanPath replaces NUL and invalid UTF-8 in path values: PostgreSQL rejects them, and so they are simply not found. Where
// Echo left the values percent-encoded, it decodes them.
func cleanPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		values, u := c.ParamValues(), c.Request().URL
		for i, v := range values {
			if plain, err := url.PathUnescape(v); err == nil && u.RawPath != "" {
				v = plain
			}
			values[i] = cleanText(v)
		}
		u.RawPath = ""
		c.SetParamValues(values...)
		return next(c)
	}
}

// cleanQuery does the same for the query, drops empty values and keeps the first of several. It must not be used for returns
// from a bank: they are forwarded byte for byte.
func cleanQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if u.RawQuery == "" {
			return next(c)
		}
		query := url.Values{}
		for name, all := range u.Query() {
			if all[0] != "" {
				query.Set(name, cleanText(all[0]))
			}
		}
		u.RawQuery = query.Encode()
		return next(c)
	}
}

func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// renderErrors renders errors inside the middleware of the browser session, which is saved once and before the body.
func renderErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}
