package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// MaxAnswer caps a gateway's answer, in bytes. The longest real ones (html pages, PaReq) stay far below.
const MaxAnswer = 1 << 20

// ErrTooLarge says that an answer went over MaxAnswer.
var ErrTooLarge = errors.New("providers: answer too large")

// Exchange sends one request, once, and reads the whole answer. Every error is a *Failure: the request may have been
// taken. op is the gateway's name of the call. The status code is the caller's to judge, but for 429 and 503: they are
// Throttled, whatever stands in the answer.
func Exchange(c *http.Client, op string, req *http.Request) (status int, body []byte, err error) {
	status, body, _, err = ExchangeWhole(c, op, req)
	return status, body, err
}

// ExchangeWhole is Exchange that also tells whether the answer is proved to be whole: it announced its length and kept it.
func ExchangeWhole(c *http.Client, op string, req *http.Request) (status int, body []byte, whole bool, err error) {
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, false, &Failure{Op: op, Err: err}
	}
	defer res.Body.Close()
	if busy := throttled(res); busy != nil {
		return res.StatusCode, nil, false, &Failure{Op: op, Err: busy}
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return res.StatusCode, nil, false, &Failure{Op: op, Err: err}
	case len(body) > MaxAnswer:
		return res.StatusCode, nil, false, &Failure{Op: op, Err: ErrTooLarge}
	}
	return res.StatusCode, body, res.ContentLength == int64(len(body)), nil
}

type answerIDKey struct{}

// WithAnswerIDs is a context whose calls tell the gateway's ids of their answers to note.
func WithAnswerIDs(ctx context.Context, note func(id string)) context.Context {
	return context.WithValue(ctx, answerIDKey{}, note)
}

// NoteAnswerID tells the gateway's id of the newest answer of a call; its support asks for it.
func NoteAnswerID(ctx context.Context, id string) {
	if note, ok := ctx.Value(answerIDKey{}).(func(string)); ok && id != "" {
		note(id)
	}
}

// Unreadable is the Failure for an answer that is not in the gateway's language. The body is not kept: it may hold anything.
func Unreadable(op string, status int, err error) error {
	return &Failure{Op: op, Err: fmt.Errorf("%w, HTTP %d: %w", ErrUnreadable, status, err)}
}

// Quiet is the failure of an Exchange with its text put through scrub: net/http quotes the first bytes of an answer that is
// not HTTP.
func Quiet(op string, err error, scrub func(string) string) error {
	if f, ok := errors.AsType[*Failure](err); ok && f.Err != nil {
		err = f.Err
	}
	return &Failure{Op: op, Err: &scrubbedError{scrub(err.Error()), err}}
}

// scrubbedError replaces an error's text by a scrubbed one and keeps its identity.
type scrubbedError struct {
	text string
	err  error
}

func (q *scrubbedError) Error() string { return q.text }
func (q *scrubbedError) Unwrap() error { return q.err }
