package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tollgate/internal/account"
	"tollgate/session"
)

// Timeline is everything that is known of an attempt, in order of time.
func (ts *turns) Timeline(ctx context.Context, s *session.Session, n int) ([]session.TimelineEntry, error) {
	a := s.Attempt(n)
	if a == nil {
		return nil, session.ErrNotFound
	}
	all := slices.Clone(a.Trace)
	for _, c := range a.Calls {
		e := session.TimelineEntry{At: c.SentAt, Kind: session.EntryCall, Name: c.Kind, Result: c.Result}
		if !c.AnsweredAt.IsZero() {
			e.Took = c.AnsweredAt.Sub(c.SentAt)
		}
		all = append(all, e)
	}
	const page = 500
	for after := 0; ; {
		events, err := ts.Store.Events(ctx, s.ID, after, page)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			var of struct {
				Attempt  int    `json:"attempt"`
				Mismatch string `json:"held_for"`
			}
			if err := json.Unmarshal(e.Data, &of); err != nil {
				return nil, fmt.Errorf("session: event %d cannot be read: %w", e.N, err)
			}
			if of.Attempt == n {
				all = append(all, session.TimelineEntry{At: e.At, Kind: session.EntryState, Name: string(e.Type), Result: of.Mismatch})
			}
			after = e.N
		}
		if len(events) < page {
			break
		}
	}
	slices.SortStableFunc(all, func(x, y session.TimelineEntry) int { return x.At.Compare(y.At) })
	return all, nil
}

// entries are the requests of a call as a timeline has them.
func entries(made []account.Request) []session.TimelineEntry {
	var all []session.TimelineEntry
	for _, r := range made {
		e := session.TimelineEntry{At: r.At, Kind: session.EntryHTTP, Name: r.Name, Result: r.Result, Took: r.Took}
		if r.ID != "" {
			e.Fields = map[string]string{"request_id": r.ID}
		}
		all = append(all, e)
	}
	return all
}
