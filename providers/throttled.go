package providers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Throttled says that the gateway wants to be left alone for a while: HTTP 429, or 503.
type Throttled struct {
	Status int
	Wait   time.Duration // as Retry-After says; 0: it does not
}

func (t *Throttled) Error() string { return fmt.Sprintf("HTTP %d, wait %s", t.Status, t.Wait) }

const (
	usualWait   = time.Minute    // where a gateway that is busy does not say how long
	longestWait = 24 * time.Hour // of a wait that is obeyed
)

// RetryAfter tells how long the gateway is not to be asked after an error; 0 where the error says nothing of that.
func RetryAfter(err error) time.Duration {
	busy, ok := errors.AsType[*Throttled](err)
	switch {
	case !ok:
		return 0
	case busy.Wait <= 0:
		return usualWait
	}
	return min(busy.Wait, longestWait)
}

// throttled reads an answer's status and Retry-After, which is seconds or a date; a date counts from the answer's own.
func throttled(res *http.Response) *Throttled {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return nil
	}
	t := &Throttled{Status: res.StatusCode}
	said := strings.TrimSpace(res.Header.Get("Retry-After"))
	if n, err := strconv.ParseUint(said, 10, 31); err == nil {
		t.Wait = time.Duration(n) * time.Second
	} else if until, err := http.ParseTime(said); err == nil {
		if now, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			t.Wait = max(0, until.Sub(now))
		}
	}
	return t
}

// Classes of errors, as merchants read them in events.
const (
	ClassRateLimited = "rate_limited" // HTTP 429
	ClassUnavailable = "unavailable"  // HTTP 503, or the breaker is open
	ClassRefused     = "refused"      // the gateway refused the request in its own words
	ClassLogin       = "login_needed" // the customer's login is refused
	ClassUnreadable  = "unreadable"   // an answer that is not in the gateway's language
	ClassNoAnswer    = "no_answer"    // none, or cut short
)

// ErrUnreadable is in the error of every answer that is not in the gateway's language.
var ErrUnreadable = errors.New("unreadable answer")

// ClassOf names the class of a call's error; "" of none.
func ClassOf(err error) string {
	failure, _ := errors.AsType[*Failure](err)
	busy, isBusy := errors.AsType[*Throttled](err)
	switch {
	case err == nil:
		return ""
	case isBusy && busy.Status == http.StatusTooManyRequests:
		return ClassRateLimited
	case isBusy, errors.Is(err, ErrUnsent):
		return ClassUnavailable
	case errors.Is(err, ErrCredential):
		return ClassLogin
	case failure != nil && failure.Code != "":
		return ClassRefused
	case errors.Is(err, ErrUnreadable), failure != nil && failure.Err == nil:
		return ClassUnreadable
	}
	return ClassNoAnswer
}
