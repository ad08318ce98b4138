package handlers

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
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

// recovered turns a panic into a plain failure. The value of the panic is not logged: it may hold what was typed.
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
			if err := next(c); err != nil {
				c.Error(err)
			}
			took := time.Since(start)
			level := slog.LevelDebug
			if c.Response().Status >= 500 {
				level = slog.LevelError
			}
			method := methodName(c.Request().Method)
			log.Log(c.Request().Context(), level, "request", "method", method, "route", c.Path(), "status", c.Response().Status,
				"took", took, "request_id", c.Response().Header().Get(echo.HeaderXRequestID))
			if observe != nil {
				observe(c.Path(), method, c.Response().Status, took)
			}
			return nil
		}
	}
}

// hardened sets what every answer has. Pages add their own Content-Security-Policy.
func hardened(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		// The bank sees our origin and nothing of the address; "no-referrer" would make our posts carry Origin: null,
		// which some banks refuse (facts/threeds.md §6.1).
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if c.Scheme() == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		return next(c)
	}
}

// legible replaces what no name of ours holds, NUL and bytes that are not UTF-8, in the values of the path: PostgreSQL
// refuses to look for them. So they find nothing, as any other unknown name. Of a path with escapes of its own, which Echo
// leaves as they are, it makes plain values.
func legible(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		values, u := c.ParamValues(), c.Request().URL
		for i, v := range values {
			if plain, err := url.PathUnescape(v); err == nil && u.RawPath != "" {
				v = plain
			}
			values[i] = legibleText(v)
		}
		u.RawPath = ""
		c.SetParamValues(values...)
		return next(c)
	}
}

// legibleQuery does so in the query, where an empty value is as if it were left out, and of several the first counts. Not
// for what comes from a bank: that is forwarded byte for byte.
func legibleQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if u.RawQuery == "" {
			return next(c)
		}
		query := url.Values{}
		for name, all := range u.Query() {
			if all[0] != "" {
				query.Set(name, legibleText(all[0]))
			}
		}
		u.RawQuery = query.Encode()
		return next(c)
	}
}

func legibleText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// answeredInside renders errors inside the browser session's layer, so that it commits once and before the body.
func answeredInside(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}
