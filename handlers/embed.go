package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tollgate/session"
	"tollgate/static"
	"tollgate/templates"
)

// embedKey is where a request keeps the origin that may frame its session's pages.
const embedKey = "embed origin"

func embedder(c echo.Context) string {
	origin, _ := c.Get(embedKey).(string)
	return origin
}

// framed tells whether the browser shows this answer in a frame.
func framed(c echo.Context) bool {
	dest := c.Request().Header.Get("Sec-Fetch-Dest")
	return dest == "iframe" || dest == "frame"
}

// embedScript is the script that a shop's page shows a payment page with. Other sites load it.
func embedScript(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", static.Embed())
}

// leavesFrame tells whether a page belongs into the whole window: banks refuse frames unless the account is known to allow them, and
// a frame of another site has no cookie of ours, by which a login or saved cards are one browser's.
func (p screens) leavesFrame(c echo.Context, s *session.Session) bool {
	if s.EmbedOrigin == "" || !framed(c) {
		return false
	}
	switch viewOf(s).page {
	case pageBank, pageGateway, pageRedirect:
		return !p.Flow.Accounts[s.Account].Framed
	case pageLogin:
		return true
	case pageStart:
		return p.Flow.Logins.Needed(s)
	}
	return false
}

// toTop is the page that leads out of a frame. What the shopper has to do at the bank begins in the whole window.
func (p screens) toTop(c echo.Context, s *session.Session) error {
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.ToTop(templates.ToTopPage{Layout: p.layout(c, s), PayURL: payPath(s.ID)}))
}
