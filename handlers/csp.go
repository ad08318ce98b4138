package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"tollgate/internal/i18n"
	"tollgate/internal/limit"
	"tollgate/session"
	"tollgate/static"
	"tollgate/templates"
)

// policy is the Content-Security-Policy of a page, each tied to what the page does (docs/threeds.md §4).
type policy int

const (
	// ownPage posts to us only. It may wait, as a methodPage does: so the script that looks again stands under its hash.
	ownPage policy = iota
	// bankPage posts to a bank. It has no form-action: Chromium and Safari apply that to the redirects that follow,
	// whose hosts nobody can list.
	bankPage
	// methodPage runs the hidden frames, whose banks redirect as well.
	methodPage
	// framedPage lives inside a frame of ours.
	framedPage
)

// header is the policy. embedder is the one origin that may frame the page, where there is one.
func (p policy) header(nonce, embedder string, loopback bool) string {
	ancestors := "frame-ancestors 'none'"
	if embedder != "" {
		ancestors = "frame-ancestors " + embedder
	}
	script := "script-src 'self'"
	if p == ownPage || p == methodPage {
		script += " " + templates.GuardHash()
	}
	if nonce != "" {
		script += " 'nonce-" + nonce + "'"
	}
	parts := []string{
		"default-src 'none'", script, "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "base-uri 'none'",
	}
	switch p {
	case ownPage:
		parts = append(parts, "form-action 'self'", ancestors)
	case bankPage:
		parts = append(parts, ancestors)
	case methodPage:
		frames := "frame-src 'self' https:"
		if loopback {
			frames += " http:"
		}
		parts = append(parts, "form-action 'self'", ancestors, frames)
	case framedPage:
		own := "frame-ancestors 'self'"
		if embedder != "" { // every page around it is asked about, and the shop's is the outermost
			own += " " + embedder
		}
		parts = append(parts, own)
	}
	parts = append(parts, "report-uri "+reportsPath, "report-to "+reportsGroup)
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
	c.Response().Header().Set("Content-Security-Policy", o.drawing.policy(p, nonce, embedder(c)))
	return write(c, o, code, page)
}

// drawing is what pages are drawn with.
type drawing struct {
	templates.Outlines
	buffers  sync.Pool              // *[]byte
	policies [framedPage + 1]string // without nonce and embedder
	loopback bool
}

func newDrawing(loopback bool) *drawing {
	d := &drawing{loopback: loopback}
	for p := range d.policies {
		d.policies[p] = policy(p).header("", "", loopback)
	}
	return d
}

func (d *drawing) policy(p policy, nonce, embedder string) string {
	if nonce == "" && embedder == "" {
		return d.policies[p]
	}
	return p.header(nonce, embedder, d.loopback)
}

// write writes a page whose Content-Security-Policy is set already.
func write(c echo.Context, o Options, code int, page templ.Component) error {
	b, _ := o.drawing.buffers.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	defer o.drawing.buffers.Put(b)
	var body []byte
	var packed bool
	var err error
	if code == http.StatusUnprocessableEntity { // a form with mistakes: each set of them would be an outline of its own
		body, packed, err = templates.Draw((*b)[:0], page)
	} else {
		body, packed, err = o.drawing.Append((*b)[:0], page, static.AcceptsGzip(c.Request().Header.Get(echo.HeaderAcceptEncoding)))
	}
	if err != nil {
		return err
	}
	*b = body
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	if packed {
		h.Set(echo.HeaderContentEncoding, "gzip")
	}
	c.Response().WriteHeader(code)
	_, err = c.Response().Write(body)
	return err
}

// errorPage answers every error: problem details to merchants, an HTML page to shoppers. The cause is never shown.
type errorPage struct{ Options }

// clientGone is the status of a request whose client went away before its answer, in log and metrics.
const clientGone = 499

func (p errorPage) handle(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	k := kindOf(err)
	away := k == internal && p.Away != nil && p.Away(err)
	if away { // the same may succeed later
		k = kind{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable."}
	}
	p.recordError(c, err)
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil { // nobody reads an answer; strangers go away as they please
		if !strings.HasPrefix(c.Request().URL.Path, "/v1/") {
			c.NoContent(clientGone) //nolint:errcheck // likewise
			return
		}
		k, err = kind{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable."}, errOverloaded // as the contract has it
	}
	if errors.Is(err, errOverloaded) {
		c.Set(brakedMark, true)
	} else if k.status >= 500 {
		p.Log.Error("request failed", "route", c.Path(), "error", err, "request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	}
	if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
		if err := writeProblem(c, k, err); err != nil {
			p.Log.Warn("cannot answer", "error", err)
		}
		return
	}
	s, id := p.session(c)
	if wait, limited := limit.WaitOf(err); limited {
		if err := p.limited(c, s, wait); err != nil {
			p.Log.Warn("cannot answer", "error", err)
		}
		return
	}
	if s != nil && c.Request().Method == http.MethodPost && timedOut(err) {
		if err := redirectToPay(c, s.ID); err != nil { // to the page that is true now; what was permitted once is not sent again
			p.Log.Warn("cannot answer", "error", err)
		}
		return
	}
	layout := templates.Layout{T: p.language(c, s), SandboxNotice: p.Sandbox}
	var page templ.Component
	if k.status == 404 || k.status == 405 {
		page = templates.NotFound(templates.NotFoundPage{Layout: layout})
	} else {
		problem := templates.ProblemPage{Layout: layout, RequestID: c.Response().Header().Get(echo.HeaderXRequestID)}
		if id != "" {
			problem.Retry = payPath(id)
		}
		page = templates.Problem(problem)
		if k.status == 503 {
			c.Response().Header().Set("Retry-After", "5")
		}
	}
	if err := render(c, p.Options, k.status, ownPage, "", page); err != nil {
		p.Log.Warn("cannot answer", "error", err)
	}
}

// session finds the session of a failed request, by the address of its page or of a return from the bank. Where it cannot be
// loaded, its id is returned all the same.
func (p errorPage) session(c echo.Context) (s *session.Session, id string) {
	ctx, done := context.WithTimeout(context.WithoutCancel(c.Request().Context()), 2*time.Second)
	defer done()
	id = c.Param("session")
	if run := c.Param("run"); run != "" {
		id, _, _ = p.Store.FindRun(ctx, run) //nolint:dogsled // a run of nobody's has no session
	}
	if id == "" || sessionID.FindString(id) != id {
		return nil, ""
	}
	s, err := p.Store.Load(ctx, id)
	if err != nil {
		s = nil
	}
	if errors.Is(err, session.ErrNotFound) {
		id = ""
	}
	return s, id
}

// timedOut tells that a request was given up, and not that anything is wrong with it.
func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &n) && n.Timeout()
}

// language is the session's pages' where the session is known; else what was asked for, and then the browser's.
func (p errorPage) language(c echo.Context, s *session.Session) *i18n.Localizer {
	if s != nil {
		return visit(p).language(c, s)
	}
	return p.Texts.For(c.QueryParam("lang"), c.Request().Header.Get("Accept-Language"))
}
