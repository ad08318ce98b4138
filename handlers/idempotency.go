package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/merchant"
	"tollgate/session"
)

// Headers of idempotent requests.
const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
)

// workLimit is how long a request under a claim may work: it is over before its claim may be taken over.
const workLimit = merchant.ClaimLease - 5*time.Second

// idempotent lets a POST with an Idempotency-Key happen once. The same request, byte for byte, is answered as the first
// time for 48 hours; see merchant.Once for what happens in between, and merchant.Final for which answers are kept. A
// request whose process died runs again: one that changes a session looks first for what its claim says was done, any other
// must do no more in two runs than in one.
func (a admission) idempotent(next echo.HandlerFunc) echo.HandlerFunc {
	once := merchant.Once{Book: a.Idempotency, Now: a.Now, Rand: a.Rand, Sealer: a.Flow.Sealer, AloneSince: a.AloneSince}
	return func(c echo.Context) error {
		r := c.Request()
		keys := r.Header.Values(headerIdempotencyKey)
		if r.Method != http.MethodPost || len(keys) == 0 {
			return next(c)
		}
		if len(keys) > 1 {
			return merchant.ErrIdempotencyKey
		}
		body, err := io.ReadAll(r.Body)
		if he, ok := errors.AsType[*echo.HTTPError](err); ok { // too large
			return he
		}
		if err != nil {
			return errBadJSON // cut short
		}
		// Neither method nor target can hold a line's end.
		request := append([]byte(r.Method+" "+r.URL.RequestURI()+"\n"), body...)
		claim, replay, err := once.Begin(r.Context(), merchantOf(r.Context()).ID, keys[0], request)
		switch {
		case errors.Is(err, merchant.ErrInFlight):
			c.Response().Header().Set("Retry-After", "1")
			return err
		case err != nil:
			return err
		case replay != nil:
			return replayAnswer(c, replay)
		}
		work, done := context.WithTimeout(context.WithValue(r.Context(), claimKey{}, claim), workLimit)
		defer done()
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.SetRequest(r.WithContext(work))

		kept := &bufferedAnswer{to: c.Response().Writer}
		c.Response().Writer = kept
		finished := false
		defer func() { // a panic: free the claim, and let it be answered as panics are
			c.Response().Writer = kept.to
			c.SetRequest(r)
			if !finished {
				a.logClaimError(once.Book.Release(context.WithoutCancel(r.Context()), *claim))
			}
		}()
		if err := next(c); err != nil {
			if errors.Is(err, session.ErrClaimLost) {
				c.Response().Header().Set("Retry-After", "1")
			}
			c.Error(err)
		}
		finished = true
		h := c.Response().Header()
		// Stored before it is sent: what the caller has read is what a repetition will read.
		a.logClaimError(once.End(context.WithoutCancel(r.Context()), *claim, merchant.Answer{
			Status: kept.status, ContentType: h.Get(echo.HeaderContentType), Location: h.Get(echo.HeaderLocation),
			Body: kept.body.Bytes(),
		}))
		return kept.send()
	}
}

// claimOf is the claim that the request was let in under; nil where it has no key.
func claimOf(ctx context.Context) *merchant.Entry {
	claim, _ := ctx.Value(claimKey{}).(*merchant.Entry)
	return claim
}

// logClaimError logs that a claim could not be completed or released. The answer is sent all the same: once the lease is over, a
// repetition finds what was done.
func (a admission) logClaimError(err error) {
	if err != nil && !errors.Is(err, merchant.ErrClaimLost) {
		a.Log.Warn("an idempotent answer was not stored", "error", err)
	}
}

func replayAnswer(c echo.Context, old *merchant.Answer) error {
	c.Response().Header().Set(headerReplayed, "true")
	if old.Location != "" {
		c.Response().Header().Set(echo.HeaderLocation, old.Location)
	}
	if len(old.Body) == 0 {
		return c.NoContent(old.Status)
	}
	return c.Blob(old.Status, old.ContentType, old.Body)
}

// bufferedAnswer holds an answer back until it is stored.
type bufferedAnswer struct {
	to     http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *bufferedAnswer) Header() http.Header { return a.to.Header() }

func (a *bufferedAnswer) WriteHeader(status int) { a.status = status }

func (a *bufferedAnswer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.body.Write(b)
}

func (a *bufferedAnswer) send() error {
	a.to.WriteHeader(a.status)
	_, err := a.to.Write(a.body.Bytes())
	return err
}
