package handlers

import (
	"encoding/base64"
	"io"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"tollgate/internal/i18n"
	"tollgate/templates"
)

// policy is the Content-Security-Policy of a page, each tied to what the page does (facts/threeds.md §6.2).
type policy int

const (
	// ownPage posts to us only.
	ownPage policy = iota
	// bankPage posts to a bank. It has no form-action: Chromium and Safari apply that to the redirects that follow,
	// whose hosts nobody can list.
	bankPage
	// methodPage runs the hidden frames, whose banks redirect as well.
	methodPage
	// framedPage lives inside a frame of ours.
	framedPage
)

func (p policy) header(nonce string, loopback bool) string {
	script := "script-src 'self'"
	if nonce != "" {
		script += " 'nonce-" + nonce + "'"
	}
	parts := []string{"default-src 'none'", script, "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "base-uri 'none'"}
	switch p {
	case ownPage:
		parts = append(parts, "form-action 'self'", "frame-ancestors 'none'")
	case bankPage:
		parts = append(parts, "frame-ancestors 'none'")
	case methodPage:
		frames := "frame-src 'self' https:"
		if loopback {
			frames += " http:"
		}
		parts = append(parts, "form-action 'self'", "frame-ancestors 'none'", frames)
	case framedPage:
		parts = append(parts, "frame-ancestors 'self'")
	}
	return strings.Join(parts, "; ")
}

// nonce is 128 random bits for one answer.
func nonce(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// render writes a page whole: it is built before the first byte goes out.
func render(c echo.Context, o Options, code int, p policy, nonce string, page templ.Component) error {
	c.Response().Header().Set("Content-Security-Policy", p.header(nonce, o.Sandbox))
	return write(c, code, page)
}

// write writes a page whose Content-Security-Policy is set already.
func write(c echo.Context, code int, page templ.Component) error {
	var b strings.Builder
	if err := page.Render(c.Request().Context(), &b); err != nil {
		return err
	}
	return c.HTML(code, b.String())
}

// errorPage answers every error: problem details to merchants, a calm page to shoppers, never a word of the cause.
type errorPage struct{ Options }

func (p errorPage) handle(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	k := kindOf(err)
	if k.status >= 500 {
		p.Log.Error("request failed", "route", c.Path(), "error", err, "request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	}
	if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
		if err := writeProblem(c, k, err); err != nil {
			p.Log.Warn("cannot answer", "error", err)
		}
		return
	}
	layout := templates.Layout{T: p.language(c), SandboxNotice: p.Sandbox}
	var page templ.Component
	if k.status == 404 || k.status == 405 {
		page = templates.NotFound(templates.NotFoundPage{Layout: layout})
	} else {
		page = templates.Problem(templates.ProblemPage{Layout: layout, RequestID: c.Response().Header().Get(echo.HeaderXRequestID)})
		if k.status == 503 {
			c.Response().Header().Set("Retry-After", "5")
		}
	}
	if err := render(c, p.Options, k.status, ownPage, "", page); err != nil {
		p.Log.Warn("cannot answer", "error", err)
	}
}

func (p errorPage) language(c echo.Context) *i18n.Localizer {
	return p.Texts.For(c.QueryParam("lang"), c.Request().Header.Get("Accept-Language"))
}
