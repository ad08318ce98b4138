package providers_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tollgate/providers"
)

// What a gateway answers with 429 or 503 is never read, and Retry-After is told in seconds and as a date.
func TestAGatewayThatWantsToBeLeftAloneIsHeard(t *testing.T) {
	for _, c := range []struct {
		status int
		after  string
		want   time.Duration
		class  string
	}{
		{429, "60", time.Minute, "rate_limited"}, {429, "", time.Minute, "rate_limited"}, {503, " 3600 ", time.Hour, "unavailable"},
		{503, "Fri, 27 Nov 2026 10:05:00 GMT", 5 * time.Minute, "unavailable"}, {429, "Fri, 27 Nov 2026 09:00:00 GMT", time.Minute, "rate_limited"},
		{429, "soon", time.Minute, "rate_limited"}, {429, "-5", time.Minute, "rate_limited"}, {429, "99999999", 24 * time.Hour, "rate_limited"},
		{200, "60", 0, ""}, {500, "60", 0, ""},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Fri, 27 Nov 2026 10:00:00 GMT")
			w.Header().Set("Retry-After", c.after)
			w.WriteHeader(c.status)
			fmt.Fprint(w, `{"errorCode":"0"}`)
		}))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = providers.Exchange(s.Client(), "status", req)
		s.Close()
		if got := providers.RetryAfter(err); got != c.want || providers.ClassOf(err) != c.class {
			t.Errorf("%d with Retry-After %q: %s %q", c.status, c.after, got, providers.ClassOf(err))
		}
		if c.want != 0 {
			if scrubbed := providers.Quiet("status", err, func(string) string { return "" }); providers.RetryAfter(scrubbed) != c.want {
				t.Error("a scrubbed error has forgotten it")
			}
		}
	}
}

func TestEveryErrorOfACallHasAClass(t *testing.T) {
	cut := errors.New("cut")
	for want, err := range map[string]error{
		"": nil, "no_answer": cut, "refused": &providers.Failure{Code: "5"}, "unreadable": providers.Unreadable("status", 200, cut),
		"login_needed": &providers.Failure{Code: "401", Err: providers.ErrCredential}, "unavailable": &providers.Failure{Err: providers.ErrUnsent},
	} {
		if got := providers.ClassOf(err); got != want {
			t.Errorf("%v is %q, not %q", err, got, want)
		}
	}
	if got := providers.ClassOf(&providers.Failure{Op: "status", Text: "names no order"}); got != "unreadable" {
		t.Error(got)
	}
}
