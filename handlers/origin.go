package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/session"
)

// token is what the forms of a session's pages carry: the proof of this browser, and a bare one for browsers that keep no cookies.
func (v visit) token(c echo.Context, s *session.Session) (string, error) {
	own, err := v.Browsers.CSRF(c.Request().Context(), s.ID)
	return own + tokenGap + v.Browsers.Bare(s.ID), err
}

// tokenGap stands between the two.
const tokenGap = "~"

// proves tells whether a form was posted from a page that this very browser was shown.
func (v visit) proves(c echo.Context) bool {
	own, _, _ := strings.Cut(c.FormValue("csrf"), tokenGap)
	return v.Browsers.Proves(c.Request().Context(), c.Param("session"), own)
}

// sameSite refuses a POST that another site made a browser send. Where this browser's own token does not prove it, what the browser
// says of itself counts: Fetch Metadata, else its Origin, which has to be ours. One that says neither shows the page's bare token, which
// another site cannot read; that is enough to pay and to cancel, and for nothing that is a customer's.
func (p pay) sameSite(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method != http.MethodPost {
			return next(c)
		}
		if err := readForm(r); err != nil {
			return err
		}
		// Proved first: a browser that keeps our cookies is known from here on, whatever else it says of itself.
		if p.proves(c) || p.saysSameOrigin(r) || p.provesBare(c) {
			return next(c)
		}
		s, err := p.load(c)
		if err != nil {
			return err
		}
		p.record(c, security.Entry{Kind: security.FormRefused, Outcome: refused})
		return p.page(c, s, form{stale: true})
	}
}

// saysSameOrigin tells whether the browser says that a page of ours made the request. A page with an Origin of its own, or "null", is
// none of ours, whatever else is said.
func (p pay) saysSameOrigin(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin != "" && !sameOrigin(origin, p.BaseURL) {
		return false
	}
	return site == "same-origin" || site == "" && origin != ""
}

func sameOrigin(origin, base string) bool {
	a, err := url.Parse(origin)
	b, err2 := url.Parse(base)
	return err == nil && err2 == nil && merchant.Origin(a) == merchant.Origin(b)
}

// barePaths are what a bare token is good for, below a session's address: paying and leaving. Saved cards, logins and deleting want a
// browser that is known.
var barePaths = []string{"", "/card", "/start", "/cancel", "/other"}

func (p pay) provesBare(c echo.Context) bool {
	r := c.Request()
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" ||
		!slices.Contains(barePaths, strings.TrimPrefix(c.Path(), "/pay/:session")) {
		return false
	}
	_, bare, _ := strings.Cut(c.FormValue("csrf"), tokenGap)
	return p.Browsers.ProvesBare(c.Param("session"), bare)
}
