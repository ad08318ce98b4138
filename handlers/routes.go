package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// together puts middleware around a handler. echo does so anew for each request, wherever it is given any.
func together(h echo.HandlerFunc, all ...echo.MiddlewareFunc) echo.HandlerFunc {
	for i := len(all) - 1; i >= 0; i-- {
		h = all[i](h)
	}
	return h
}

// around puts middleware around every route, and around what is no route.
func around(e *echo.Echo, all ...echo.MiddlewareFunc) {
	whole := together(func(c echo.Context) error { return c.Handler()(c) }, all...)
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return whole })
}

// routes are those below one path, with middleware around each, and around what is no route there.
type routes struct {
	e      *echo.Echo
	prefix string
	all    []echo.MiddlewareFunc
}

func newRoutes(e *echo.Echo, prefix string, all ...echo.MiddlewareFunc) routes {
	r := routes{e, prefix, all}
	r.add(echo.RouteNotFound, "", echo.NotFoundHandler)
	r.add(echo.RouteNotFound, "/*", echo.NotFoundHandler)
	return r
}

func (r routes) add(method, path string, h echo.HandlerFunc) *echo.Route {
	return r.e.Add(method, r.prefix+path, together(h, r.all...))
}

// GET registers a page.
func (r routes) GET(path string, h echo.HandlerFunc) { r.add(http.MethodGet, path, h) }

// both registers what does the same with either.
func (r routes) both(path string, h echo.HandlerFunc) {
	r.GET(path, h)
	r.POST(path, h)
}

// POST registers what a form posts to.
func (r routes) POST(path string, h echo.HandlerFunc) { r.add(http.MethodPost, path, h) }
