package account

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"tollgate/providers"
)

// quiet is until when a gateway does not want to be asked. HTTP 429 counts the account's requests and not those about one payment, so
// the Retry-After of one inquiry holds back the others.
type quiet struct {
	mu    sync.Mutex
	until time.Time
}

// longestQuiet bounds it: then one inquiry finds out whether it still holds. The one that was refused obeys its Retry-After in full.
const longestQuiet = 10 * time.Minute

// asks tells whether a call does nothing but ask what became of something.
func asks(call string) bool { return call == "status" || call == "inquire" }

// refuse is the error of an inquiry that is held back; nil where it may go.
func (q *quiet) refuse(call string, now time.Time) error {
	if q == nil || !asks(call) {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.until.Sub(now)
	if left <= 0 || left > longestQuiet { // the latter where the clock has gone back
		return nil
	}
	return &providers.Failure{Op: call, Err: &providers.Throttled{Status: http.StatusTooManyRequests, Wait: left}}
}

// heard keeps what an inquiry's error says.
func (q *quiet) heard(call string, now time.Time, err error) {
	busy, ok := errors.AsType[*providers.Throttled](err)
	if q == nil || !asks(call) || !ok || busy.Status != http.StatusTooManyRequests {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.until = now.Add(min(providers.RetryAfter(err), longestQuiet))
}
