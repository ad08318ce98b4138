package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Brake decides how much that is new is taken on: payments under way go before it. What a bank, a gateway or a shopper under way
// brings is never asked about, nor is what ends something.
type Brake interface {
	Admit() bool     // a new session
	AdmitNext() bool // a new attempt in one
}

// errOverloaded says that nothing was written and that it is to be tried again.
var errOverloaded = errors.New("handlers: too busy for anything new")

// brakedMark marks, in its context, a request that was refused so.
const brakedMark = "braked"

// braked refuses new sessions while the process is too busy, before a claim is written: under the same Idempotency-Key the request
// is run when it comes again.
func (a admission) braked(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a.Brake != nil && c.Request().Method == http.MethodPost && c.Path() == "/v1/sessions" && !a.Brake.Admit() {
			return errOverloaded
		}
		return next(c)
	}
}

// mayBegin refuses a new attempt while the process is too busy even for those of sessions that it has taken on.
func (v visit) mayBegin() error {
	if v.Brake != nil && !v.Brake.AdmitNext() {
		return errOverloaded
	}
	return nil
}
