package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/app"
)

// merchantAPI is Tollgate's API as the commands use it.
type merchantAPI struct {
	base, key string
	http      *http.Client
}

// dial reads where Tollgate is and who asks.
func dial(environ []string) (*merchantAPI, error) {
	a := &merchantAPI{base: "http://127.0.0.1:8080", key: app.DemoKey, http: &http.Client{Timeout: 30 * time.Second}}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case value == "":
		case name == "TOLLGATE_URL":
			a.base = strings.TrimRight(value, "/")
		case name == "TOLLGATE_API_KEY":
			a.key = value
		}
	}
	if u, err := url.Parse(a.base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("TOLLGATE_URL: %q is not an http(s) address", a.base)
	}
	return a, nil
}

// connect is parse for a command that speaks to Tollgate.
func (p process) connect(set *flag.FlagSet, arguments int) (api *merchantAPI, code int, ok bool) {
	if code, ok = p.parse(set, arguments); !ok {
		return nil, code, false
	}
	api, err := dial(p.environ)
	if err != nil {
		fmt.Fprintln(p.err, err)
		return nil, exitAsked, false
	}
	return api, 0, true
}

// refusal is an answer that is a problem (RFC 9457).
type refusal struct {
	Status  int    `json:"status"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	Session string `json:"session"`
	Errors  []struct{ Pointer, Detail string }
}

func (r *refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d, %s)", r.Title, r.Status, r.Type[strings.LastIndex(r.Type, ":")+1:])
	if r.Session != "" {
		fmt.Fprintf(&b, "\n  session %s", r.Session)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "\n  %s %s", strings.TrimPrefix(e.Pointer, "/"), e.Detail)
	}
	return b.String()
}

// call asks once and answers the body. header may be nil.
func (a *merchantAPI) call(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		problem := &refusal{}
		if json.Unmarshal(raw, problem) != nil || problem.Title == "" {
			return nil, fmt.Errorf("%s answered %s, and not as Tollgate does", a.base, res.Status)
		}
		return nil, problem
	}
	return raw, nil
}

// retryable tells whether the same request may come through a moment later: nothing was answered, or "not now".
func retryable(err error) bool {
	if _, lost := errors.AsType[*url.Error](err); lost {
		return true
	}
	r, refused := errors.AsType[*refusal](err)
	return refused && (r.Status >= 500 || strings.HasSuffix(r.Type, ":request-in-flight"))
}

// fail prints why a command did not do what it should.
func (p process) fail(name string, err error) int {
	fmt.Fprintf(p.err, "tollgate %s: %v\n", name, err)
	return exitFailed
}
