package account_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tollgate/internal/account"
	"tollgate/providers"
)

// lister is a gateway that can list banks, and nothing else.
type lister struct {
	providers.Provider
	banks func(context.Context) error
}

func (l lister) Banks(ctx context.Context) ([]providers.Bank, error) { return nil, l.banks(ctx) }

// watched are the calls that the metrics are told of.
type watched []string

func (w *watched) Called(gateway, call, result string, took time.Duration) {
	*w = append(*w, gateway+" "+call+" "+result+" "+took.String())
}

func TestACallEndsAtTheAccountsDeadlineAndIsTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told watched
		waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for timeout, want := range map[time.Duration]time.Duration{0: account.DefaultCallTimeout, time.Second: time.Second} {
			acc := account.Open(account.Settings{Gateway: "fake", Provider: lister{banks: waits}, CallTimeout: timeout, Watcher: &told})
			start := time.Now()
			if _, err := acc.Banks(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != want {
				t.Errorf("%v after %s, want %s", err, time.Since(start), want)
			}
			if want := "fake banks error " + want.String(); told[len(told)-1] != want {
				t.Errorf("told %q, want %q", told, want)
			}
		}
	})
}

// A refusal of the account is a word of its own in the metrics, and an error in the log, whatever call met it.
func TestARefusalOfTheAccountIsCountedAndLoggedAsAnError(t *testing.T) {
	var told watched
	var log bytes.Buffer
	refuses := func(context.Context) error {
		return providers.Failure{Op: "banks", Code: "5", Text: "Access denied"}.Misconfigured(true)
	}
	acc := account.Open(account.Settings{
		Name: "main", Gateway: "fake", Provider: lister{banks: refuses}, Watcher: &told, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Now: func() time.Time { return time.Time{} },
	})
	if _, err := acc.Banks(t.Context()); !errors.Is(err, providers.ErrMisconfigured) {
		t.Error(err)
	}
	if told[0] != "fake banks misconfigured 0s" {
		t.Errorf("counted %q", told)
	}
	for _, want := range []string{"level=ERROR", "account=main", "code=5", `text="Access denied"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}

func TestACallsRequestsComeBackThoughItFailed(t *testing.T) {
	cut := errors.New("cut")
	gets := func(ctx context.Context, answer roundTrip, url string) {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if res, err := account.Recorded(answer, time.Now).RoundTrip(q); err == nil {
			_ = res.Body.Close()
		}
	}
	ok := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	}
	lost := func(*http.Request) (*http.Response, error) { return nil, cut }
	acc := account.Open(account.Settings{Provider: lister{}})
	made, err := account.Call(t.Context(), acc, "banks", func(call context.Context, _ providers.BankLister) error {
		gets(call, ok, "https://gateway.example/banks?key=secret")
		gets(call, lost, "https://gateway.example/more")
		return cut
	})
	var told []string
	for _, r := range made {
		told = append(told, r.Name+" "+r.Result)
	}
	if want := []string{"GET /banks 200", "GET /more no answer"}; !errors.Is(err, cut) || !slices.Equal(told, want) {
		t.Errorf("%v %q, want %q", err, told, want)
	}
	gets(t.Context(), ok, "https://gateway.example/outside") // is nobody's call
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhatAGatewayCannotDoIsNotCalled(t *testing.T) {
	var told watched
	acc := account.Open(account.Settings{Provider: lister{}, Watcher: &told})
	_, err := account.Call(t.Context(), acc, "close", func(context.Context, providers.Closer) error {
		t.Error("called")
		return nil
	})
	if !errors.Is(err, account.ErrCannot) || len(told) != 0 {
		t.Errorf("%v, told %q", err, told)
	}
	if acc.Closes() || acc.LogsIn() || acc.AsksCode() || acc.Operations() != nil {
		t.Error("it is said to be able")
	}
}

func TestAnAccountThatIsNotConfiguredCanDoNothing(t *testing.T) {
	all := account.Accounts{"a": account.Open(account.Settings{Name: "a"})}
	if acc, err := all.Find("a"); err != nil || acc.Name != "a" || acc.SettleAfter != account.DefaultSettleAfter || acc.OrderLife != account.DefaultOrderLife {
		t.Errorf("%+v %v", acc, err)
	}
	acc, err := all.Find("b")
	if !errors.Is(err, account.ErrNotConfigured) {
		t.Error(err)
	}
	if _, err := acc.Banks(t.Context()); !errors.Is(err, account.ErrCannot) {
		t.Error(err)
	}
}

// What the documents promise of time: one call, the doubt after it, an order's life.
func TestTheDefaultsAreAsDocumented(t *testing.T) {
	a := account.Open(account.Settings{})
	if a.CallTimeout != 30*time.Second || a.SettleAfter != time.Minute || a.OrderLife != 24*time.Hour {
		t.Errorf("%s, %s, %s", a.CallTimeout, a.SettleAfter, a.OrderLife)
	}
}

// asked is a gateway whose every inquiry ends in an error.
type asked struct {
	providers.Provider
	times int
	err   error
}

func (a *asked) Status(context.Context, providers.Payment) (providers.Standing, error) {
	a.times++
	return providers.Standing{}, a.err
}

func (a *asked) Register(context.Context, providers.Payment) (providers.Ref, error) {
	a.times++
	return providers.Ref{}, nil
}

// A gateway counts an account's requests: what one inquiry is told to wait all wait. Calls that are no inquiries go on.
func TestTheRetryAfterOfOneInquiryHoldsBackTheAccountsOthers(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		busy providers.Throttled
		held time.Duration
	}{
		"a minute":         {providers.Throttled{Status: 429, Wait: time.Minute}, time.Minute},
		"not said":         {providers.Throttled{Status: 429}, time.Minute},
		"a day":            {providers.Throttled{Status: 429, Wait: 24 * time.Hour}, 10 * time.Minute},
		"out of order: no": {providers.Throttled{Status: 503, Wait: time.Hour}, 0},
	} {
		g := &asked{err: &providers.Failure{Op: "status", Err: &c.busy}}
		at := now
		acc := account.Open(account.Settings{Provider: g, Now: func() time.Time { return at }})
		ask := func() error {
			_, err := account.Call(t.Context(), acc, "status", func(ctx context.Context, p providers.Provider) error {
				_, err := p.Status(ctx, providers.Payment{})
				return err
			})
			return err
		}
		_ = ask()
		g.err = nil
		at = now.Add(c.held - time.Second)
		if err := ask(); c.held > 0 && (g.times != 1 || providers.RetryAfter(err) != time.Second || providers.ClassOf(err) != providers.ClassRateLimited) {
			t.Errorf("%s: asked %d times, %v", name, g.times, err)
		}
		if _, err := account.Call(t.Context(), acc, "register", func(ctx context.Context, p providers.Provider) error {
			_, err := p.Register(ctx, providers.Payment{})
			return err
		}); err != nil {
			t.Errorf("%s: a registration is held back: %v", name, err)
		}
		before := g.times
		at = now.Add(c.held)
		if err := ask(); err != nil || g.times != before+1 {
			t.Errorf("%s: afterwards: asked %d times, %v", name, g.times-before, err)
		}
	}
}
