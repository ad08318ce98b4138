package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/providers"
	"tollgate/session"
)

// operationWait is how long a POST of an operation waits for its end; after that the answer says how far it is.
const operationWait = 8 * time.Second

type newOperation struct {
	Amount *int64 `json:"amount"` // minor units; absent: all that is left
}

type operationObject struct {
	N         int                `json:"n"`
	Kind      providers.OpKind   `json:"kind"`
	State     session.OpState    `json:"state"`
	Attempt   int                `json:"attempt"`
	Amount    int64              `json:"amount"`
	Currency  string             `json:"currency"`
	Reference string             `json:"reference"`
	Decline   *providers.Decline `json:"decline,omitempty"`
	CreatedAt string             `json:"created_at"`
	UpdatedAt string             `json:"updated_at"`
}

func operationOf(s *session.Session, op *session.Operation) operationObject {
	return operationObject{op.N, op.Kind, op.State, op.Attempt, op.Amount, s.Amount.Currency.Code, op.Reference, op.Decline, stamp(op.CreatedAt), stamp(op.UpdatedAt)}
}

// operate starts an operation of one kind and waits a while for its end.
func (a api) operate(kind providers.OpKind) echo.HandlerFunc {
	return func(c echo.Context) error {
		s, err := a.mine(c)
		if err != nil {
			return err
		}
		var in newOperation
		if c.Request().ContentLength != 0 {
			if err := readJSON(c, &in); err != nil {
				return err
			}
		}
		amount := int64(0)
		if in.Amount != nil {
			if *in.Amount <= 0 {
				return &invalid{[]fieldError{{"/amount", "must be positive; leave it out for all that is left"}}}
			}
			amount = *in.Amount
		}
		_, n, err := a.Flow.Operate(c.Request().Context(), s.ID, kind, amount)
		if err != nil {
			return err
		}
		return a.operated(c, s.ID, n)
	}
}

// operated waits a while for an operation's end and answers with it.
func (a api) operated(c echo.Context, id string, n int) error {
	limited, done := context.WithTimeout(c.Request().Context(), operationWait)
	defer done()
	s, err := a.Flow.Wait(limited, id, func(s *session.Session) bool {
		state := s.Operation(n).State
		return state != session.OpNew && state != session.OpCalling
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, operationOf(s, s.Operation(n)))
}

func (a api) operations(c echo.Context) error {
	s, err := a.mine(c)
	if err != nil {
		return err
	}
	out := page[operationObject]{Data: []operationObject{}}
	for _, op := range s.Operations {
		out.Data = append(out.Data, operationOf(s, op))
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) operation(c echo.Context) error {
	s, err := a.mine(c)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Param("n"))
	if err != nil || s.Operation(n) == nil {
		return session.ErrNotFound
	}
	return c.JSON(http.StatusOK, operationOf(s, s.Operation(n)))
}
