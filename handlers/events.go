package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tollgate/internal/webhook"
	"tollgate/session"
)

// History lists a merchant's events, of all its sessions and endpoints, in one order that never changes.
type History interface {
	// EventsAfter begins after the event of that id; "" with the first. session.ErrNotFound.
	EventsAfter(ctx context.Context, merchant, after string, limit int) ([]webhook.Event, error)
	// LatestEvent is the newest event's id; "" before the first.
	LatestEvent(ctx context.Context, merchant string) (string, error)
}

// latest in place of a cursor means the end: what is told from now on.
const latest = "latest"

type eventPage struct {
	Data    []json.RawMessage `json:"data"` // each as webhooks post it, byte for byte
	HasMore bool              `json:"has_more"`
	Next    string            `json:"next"` // the cursor for the next page, also where that is empty as yet
}

// allEvents is GET /v1/events: everything after a cursor. Who keeps Next and asks with it again misses nothing.
func (a api) allEvents(c echo.Context) error {
	limit := 100
	if v := c.QueryParam("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 100 {
			return &invalid{[]fieldError{{"/limit", "must be from 1 to 100"}}}
		}
		limit = n
	}
	ctx, m := c.Request().Context(), merchantOf(c).ID
	out := eventPage{Data: []json.RawMessage{}, Next: c.QueryParam("after")}
	if out.Next == latest {
		var err error
		if out.Next, err = a.History.LatestEvent(ctx, m); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, out)
	}
	found, err := a.History.EventsAfter(ctx, m, out.Next, limit)
	if errors.Is(err, session.ErrNotFound) {
		return &invalid{[]fieldError{{"/after", "must be the id of an event, or latest"}}}
	}
	if err != nil {
		return err
	}
	for _, e := range found {
		body, err := e.Body()
		if err != nil {
			return err
		}
		out.Data, out.Next = append(out.Data, body), e.ID()
	}
	out.HasMore = len(found) == limit
	return c.JSON(http.StatusOK, out)
}
