// Package client is a Go client of Tollgate's merchant API. Types and calls are generated from the contract
// (handlers/openapi.yaml); this file makes them pleasant: New, refusals as errors, and VerifyWebhook.
package client

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

//go:generate go run ../handlers/eventdocs ../handlers/openapi.yaml ../docs/api/guide.md
//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml ../handlers/openapi.yaml

// New makes a client of the Tollgate at baseURL, such as https://pay.example, with an API key. Every call answers with its
// success or an error: a refusal is an *Error, anything else means that nobody knows whether the request arrived. Then
// repeat it with the same Idempotency-Key. The client repeats nothing by itself.
func New(baseURL, key string, options ...ClientOption) (*ClientWithResponses, error) {
	if key == "" {
		return nil, errors.New("tollgate: an API key is needed")
	}
	authorize := WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})
	refuse := func(c *Client) error {
		if c.Client == nil {
			c.Client = &http.Client{Timeout: 30 * time.Second} // the longest call waits 8 s for its gateway
		}
		c.Client = refusing{c.Client}
		return nil
	}
	return NewClientWithResponses(baseURL, append(options, authorize, refuse)...)
}

// Error is an answer that is no success. Decide by Problem.Type; Problem.Errors names the fields at fault.
type Error struct {
	Problem    Problem
	RetryAfter time.Duration // where the answer says when to ask again
}

// Error names the problem and the fields at fault.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tollgate: %d %s", e.Problem.Status, e.Problem.Title)
	for _, f := range e.Problem.Errors {
		fmt.Fprintf(&b, " %s %s;", f.Pointer, f.Detail)
	}
	if e.Problem.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.Problem.RequestID)
	}
	return b.String()
}

// IsProblem tells whether err is a refusal of that type.
func IsProblem(err error, t ProblemType) bool {
	var e *Error
	return errors.As(err, &e) && e.Problem.Type == t
}

// refusing makes errors of answers that are no success.
type refusing struct{ HttpRequestDoer }

// maxProblem bounds what is read of a refusal, in bytes: what answers may be a proxy.
const maxProblem = 64 << 10

func (d refusing) Do(r *http.Request) (*http.Response, error) {
	answer, err := d.HttpRequestDoer.Do(r)
	if err != nil || answer.StatusCode < 300 {
		return answer, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	e := &Error{}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") ||
		json.Unmarshal(body, &e.Problem) != nil {
		e.Problem = Problem{Title: http.StatusText(answer.StatusCode)}
	}
	e.Problem.Status = answer.StatusCode
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return nil, e
}

// What can be wrong with a webhook.
var (
	ErrSignature = errors.New("tollgate: the webhook is not signed with any of the keys, or is older than five minutes")
	ErrKey       = errors.New("tollgate: a key to verify webhooks with is whsec_… of at least 24 bytes, or whpk_…")
)

// VerifyWebhook proves that a webhook is Tollgate's and was sent within the last five minutes, and reads its event. body
// is the request's, byte for byte. A key is a shared secret (whsec_…) or a public key (whpk_…); during a rotation give
// both, the old and the new. The same event may come twice: keep the ids of those you have handled.
func VerifyWebhook(body []byte, header http.Header, keys ...string) (Event, error) {
	var e Event
	proved := false
	for _, key := range keys {
		ok, err := verified(body, header, key)
		if err != nil {
			return e, err
		}
		proved = proved || ok
	}
	if !proved {
		return e, ErrSignature
	}
	err := json.Unmarshal(body, &e)
	return e, err
}

func verified(body []byte, header http.Header, key string) (bool, error) {
	if secret, ok := strings.CutPrefix(key, "whsec_"); ok {
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil || len(raw) < 24 { // the library would take an empty one
			return false, ErrKey
		}
		w, err := standardwebhooks.NewWebhookRaw(raw)
		if err != nil {
			return false, ErrKey
		}
		return w.Verify(body, header) == nil, nil
	}
	public, ok := strings.CutPrefix(key, "whpk_")
	raw, err := base64.StdEncoding.DecodeString(public)
	if !ok || err != nil || len(raw) != ed25519.PublicKeySize {
		return false, ErrKey
	}
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false, nil
	}
	message := append([]byte(id+"."+stamp+"."), body...)
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		text, ok := strings.CutPrefix(signature, "v1a,")
		if s, err := base64.StdEncoding.DecodeString(text); ok && err == nil && ed25519.Verify(raw, message, s) {
			return true, nil
		}
	}
	return false, nil
}
