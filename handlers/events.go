package handlers

import (
	"context"
	"errors"
	"time"

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

// eventTime is written with a fraction of fixed width, so that the texts sort as the times do.
type eventTime time.Time

// MarshalText writes it as webhooks do.
func (t eventTime) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(webhook.TimeFormat)), nil
}

// latest in place of a cursor means the end: what is told from now on.
const latest = "latest"

// ListEvents is GET /v1/events: everything after a cursor. Who keeps Next and asks with it again misses nothing.
func (a listAPI) ListEvents(ctx context.Context, r ListEventsRequestObject) (ListEventsResponseObject, error) {
	most, err := limit(r.Params.Limit, 100)
	if err != nil {
		return nil, err
	}
	m := merchantOf(ctx).ID
	out := ListEvents200JSONResponse{Data: []Event{}, Next: r.Params.After}
	if out.Next == latest {
		out.Next, err = a.History.LatestEvent(ctx, m)
		return out, err
	}
	found, err := a.History.EventsAfter(ctx, m, out.Next, most)
	if errors.Is(err, session.ErrNotFound) {
		return nil, fieldError("after", "must be the id of an event, or latest")
	}
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		body, err := e.Body()
		if err != nil {
			return nil, err
		}
		out.Data, out.Next = append(out.Data, body), e.ID()
	}
	out.HasMore = len(found) == most
	return out, nil
}
