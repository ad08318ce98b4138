package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"tollgate/session"
)

// Timeline is everything that is known of an attempt, in order of time.
func (f *Flow) Timeline(ctx context.Context, s *session.Session, n int) ([]session.TimelineEntry, error) {
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
		events, err := f.Store.Events(ctx, s.ID, after, page)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			var of struct {
				Attempt int `json:"attempt"`
			}
			if err := json.Unmarshal(e.Data, &of); err != nil {
				return nil, fmt.Errorf("session: event %d cannot be read: %w", e.N, err)
			}
			if of.Attempt == n {
				all = append(all, session.TimelineEntry{At: e.At, Kind: session.EntryState, Name: string(e.Type)})
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

// wire collects the HTTP requests of one provider call.
type wire struct {
	mu      sync.Mutex
	entries []session.TimelineEntry
}

func (w *wire) take() []session.TimelineEntry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.entries)
}

type wireKey struct{}

// recording is a context whose requests to the gateway are noted.
func recording(ctx context.Context) (context.Context, *wire) {
	w := &wire{}
	return context.WithValue(ctx, wireKey{}, w), w
}

// Recorded makes a gateway client's requests appear in timelines: method, path without query, status and time.
func Recorded(next http.RoundTripper, now func() time.Time) http.RoundTripper {
	return recorder{next, now}
}

type recorder struct {
	next http.RoundTripper
	now  func() time.Time
}

func (r recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	w, ok := q.Context().Value(wireKey{}).(*wire)
	if !ok {
		return r.next.RoundTrip(q)
	}
	e := session.TimelineEntry{At: r.now(), Kind: session.EntryHTTP, Name: q.Method + " " + q.URL.Path, Result: "no answer"}
	answer, err := r.next.RoundTrip(q)
	if err == nil {
		e.Result = fmt.Sprint(answer.StatusCode)
	}
	e.Took = r.now().Sub(e.At)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
	return answer, err
}
