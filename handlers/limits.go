package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/limit"
	"tollgate/internal/security"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
)

// try asks whether what a shopper sends may go to the gateway. A nil error is a yes.
func (p pay) try(c echo.Context, s *session.Session, in *flow.Submission) error {
	t := limit.Try{
		Merchant: s.Merchant, Account: s.Account, Session: s.ID, Address: in.IP, First: len(s.Attempts) == 0, Card: in.Card.Number.Reveal(),
		Typed: in.Kind == "", Task: c.FormValue("task"), Number: c.FormValue("task_number"),
	}
	switch {
	case in.Saved != nil:
		t.Card = in.Saved.ID
	case t.Card == "": // it is encrypted: nobody here knows which it is
		t.Card = s.ID
	}
	return p.Limits.Try(c.Request().Context(), t)
}

// prove shows the card form again with the work that the try costs. Number and code have to be typed once more: they are never
// sent back.
func (p pay) prove(c echo.Context, s *session.Session, f form, need *limit.NeedsProof) error {
	c.Response().Header().Set("Retry-After", seconds(need.Work.Wait))
	f.proof = need
	return p.page(c, s, f)
}

// seconds is a time to wait as the header has it, never 0.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

// What a form of a payment page may hold: the card, the browser's data and the proof of work are a tenth of it.
const (
	mostForm   = 32 << 10
	mostFields = 100
)

// posts counts what is posted to a page, before anything is read of it but where it comes from, and bounds it.
func (p pay) posts(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.Method == http.MethodPost {
			if r.ContentLength > mostForm {
				return echo.ErrStatusRequestEntityTooLarge
			}
			r.Body = http.MaxBytesReader(c.Response(), r.Body, mostForm)
			if err := p.Limits.Post(c.Request().Context(), c.Param("session")); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// limited is the page of whoever has to wait: the same words, whatever limit it was.
func (p errorPage) limited(c echo.Context, s *session.Session, wait time.Duration) error {
	c.Response().Header().Set("Retry-After", seconds(wait))
	page := templates.LimitedPage{Minutes: max(1, int((wait+time.Minute-1)/time.Minute))}
	if s == nil {
		page.Layout = templates.Layout{T: p.language(c, nil), SandboxNotice: p.Sandbox}
	} else {
		page.Layout, page.Retry = visit(p).layout(c, s), payPath(s.ID)
	}
	return render(c, p.Options, http.StatusTooManyRequests, ownPage, "", templates.Limited(page))
}

// suspected tells whether reasons are told to this address: who tests cards learns from them.
func (v visit) suspected(c echo.Context, s *session.Session) bool {
	return v.Limits.Suspected(c.Request().Context(), s.Merchant, s.Account, c.RealIP())
}

// reason is why an attempt was declined, as this browser may know it.
func (v visit) reason(c echo.Context, s *session.Session, a *session.Attempt) string {
	if v.suspected(c, s) {
		return "other"
	}
	return string(a.Decline.Reason)
}

// wrongKey counts an API key that nobody has against the address it came from.
func (a admission) wrongKey(ctx context.Context, c echo.Context, err error) error {
	a.record(c, security.Entry{Kind: security.AuthRefused, Outcome: refused, Resource: "/v1"})
	if limited := a.Limits.WrongKey(ctx, c.RealIP()); limited != nil {
		return limited
	}
	return err
}

// rateHeaders tell an API's caller how long to wait.
func rateHeaders(h http.Header, err error) {
	if l, ok := errors.AsType[*limit.Limited](err); ok {
		h.Set("Retry-After", seconds(l.Wait))
		h.Set("RateLimit-Limit", strconv.Itoa(limit.WrongKeys.N))
		h.Set("RateLimit-Remaining", "0")
		h.Set("RateLimit-Reset", seconds(l.Wait))
	}
}
