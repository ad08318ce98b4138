package account

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"tollgate/providers"
)

// Request is one HTTP request that a call made. It holds nothing that opens a door: of the address only the path.
type Request struct {
	At     time.Time
	Name   string // method and path
	Result string // the status, or "no answer"
	Took   time.Duration
	ID     string // the gateway's of its answer, where it has one
}

// requests collects those of one call.
type requests struct {
	mu   sync.Mutex
	made []Request
}

func (r *requests) take() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.made)
}

type requestsKey struct{}

// recording is a context whose requests to the gateway are noted.
func recording(ctx context.Context) (context.Context, *requests) {
	r := &requests{}
	ctx = providers.WithAnswerIDs(ctx, func(id string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.made); n > 0 {
			r.made[n-1].ID = id
		}
	})
	return context.WithValue(ctx, requestsKey{}, r), r
}

// Recorded makes a gateway client's requests come back from Call: method, path without query, status and time.
func Recorded(next http.RoundTripper, now func() time.Time) http.RoundTripper {
	return recorder{next, now}
}

type recorder struct {
	next http.RoundTripper
	now  func() time.Time
}

func (r recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	into, ok := q.Context().Value(requestsKey{}).(*requests)
	if !ok {
		return r.next.RoundTrip(q)
	}
	one := Request{At: r.now(), Name: q.Method + " " + q.URL.Path, Result: "no answer"}
	answer, err := r.next.RoundTrip(q)
	if err == nil {
		one.Result = fmt.Sprint(answer.StatusCode)
	}
	one.Took = r.now().Sub(one.At)
	into.mu.Lock()
	defer into.mu.Unlock()
	into.made = append(into.made, one)
	return answer, err
}
