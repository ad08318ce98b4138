package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tollgate/session"
)

// api implements the operations of the contract. Refusals are errors, which errors.go turns into problems.
type api struct {
	sessionAPI
	operationAPI
	chargeAPI
	cardAPI
	invoiceAPI
	webhookAPI
	listAPI
	keyAPI
}

func newAPI(o Options) api {
	with := orders{o}
	return api{
		sessionAPI{with}, operationAPI{with}, chargeAPI{with}, cardAPI{with}, invoiceAPI{with}, webhookAPI{o}, listAPI{o},
		keyAPI{o},
	}
}

var _ StrictServerInterface = api{}

// contractRoutes registers the contract's routes, whose paths are whole.
type contractRoutes struct {
	EchoRouter // of methods that the contract has not
	routes     routes
}

func (u contractRoutes) GET(path string, h echo.HandlerFunc, _ ...echo.MiddlewareFunc) *echo.Route {
	u.add(http.MethodHead, path, h)
	return u.add(http.MethodGet, path, h)
}

func (u contractRoutes) POST(path string, h echo.HandlerFunc, _ ...echo.MiddlewareFunc) *echo.Route {
	return u.add(http.MethodPost, path, h)
}

func (u contractRoutes) PATCH(path string, h echo.HandlerFunc, _ ...echo.MiddlewareFunc) *echo.Route {
	return u.add(http.MethodPatch, path, h)
}

func (u contractRoutes) DELETE(path string, h echo.HandlerFunc, _ ...echo.MiddlewareFunc) *echo.Route {
	return u.add(http.MethodDelete, path, h)
}

func (u contractRoutes) add(method, path string, h echo.HandlerFunc) *echo.Route {
	return u.routes.add(method, strings.TrimPrefix(path, u.routes.prefix), h)
}

// strictJSON reads one JSON object; unknown members are refused, so that a misspelt one is not silently lost. So is the
// character NUL, wherever it stands: PostgreSQL stores no text with it. So is the number of a card where none is asked for. No body
// at all is io.EOF as well, for operations that can do without.
type strictJSON struct{}

// Bind fails with errBadJSON, or with *invalidRequest where a member is at fault.
func (strictJSON) Bind(v any, c echo.Context) error {
	body, err := io.ReadAll(c.Request().Body)
	var he *echo.HTTPError
	if errors.As(err, &he) { // too large
		return he
	}
	if err != nil || holdsNUL(body) {
		return errBadJSON
	}
	if len(body) == 0 {
		return fmt.Errorf("%w: %w", errBadJSON, io.EOF)
	}
	body = wholeNumbers(body)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err = d.Decode(&v)
	if err == nil && v == nil { // null is no object
		return errBadJSON
	}
	if err == nil {
		if _, trailing := d.Token(); trailing != io.EOF {
			err = errBadJSON
		}
	}
	if err == nil {
		return withoutCardNumbers(body, v)
	}
	if bad := typeErrors(body, reflect.TypeOf(v)); len(bad) > 0 {
		return &invalidRequest{bad}
	}
	return errBadJSON
}

// parameterErrors answers a query parameter that cannot be parsed as a field error (the generated code would answer a plain
// 400), and a path parameter that cannot be parsed as not found.
func parameterErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		he, ok := errors.AsType[*echo.HTTPError](err)
		if !ok {
			return err
		}
		name, ok := strings.CutPrefix(fmt.Sprint(he.Message), "Invalid format for parameter ")
		if !ok {
			return err
		}
		name, _, _ = strings.Cut(name, ":")
		if slices.Contains(c.ParamNames(), name) {
			return session.ErrNotFound
		}
		if name == "needs_review" || name == "held" {
			return fieldError(name, "must be true or false")
		}
		return fieldError(name, "must be a whole number") // all others are text
	}
}

func holdsNUL(body []byte) bool {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return false
	}
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil { // the end, or no JSON: that is found elsewhere
			return false
		}
		if text, _ := token.(string); strings.Contains(text, "\x00") {
			return true
		}
	}
}
