package cashier_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/providers"
)

const refusedToken = `{"success":false,"description":"token is invalid or expired"}`

// A refused token proves that nothing was taken: it is renewed, and the same request goes once more under the same x-req-id.
func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	second := strings.Replace(loginAnswer, "token-1", "token-2", 1)
	f := newFake(map[string][]said{"login": {{0, loginAnswer}, {0, second}}, "refund": {{401, refusedToken}, {0, orderAnswer(t, "status", "REFUNDED")}}})
	p, pay := f.open(t, nil), payment(t, true)
	r, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r1", Amount: pay.Amount})
	if err != nil || r.State != providers.OpSucceeded || f.calls() != "login refund login refund" {
		t.Fatalf("%+v %v; %s", r, err, f.calls())
	}
	if a, b := f.seen[1], f.seen[3]; !strings.Contains(a.headers, "token-1") || !strings.Contains(b.headers, "token-2") || a.body != b.body || a.line != b.line || f.reqID(1) != f.reqID(3) {
		t.Errorf("%+v\n%+v", a, b)
	}
	f = newFake(map[string][]said{"refund": {{401, refusedToken}}})
	if _, err := f.open(t, nil).Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r1", Amount: pay.Amount}); err == nil || f.calls() != "login refund login refund" {
		t.Errorf("%v; %s", err, f.calls())
	}
	// A page in front of the gateway that wants a login is not the gateway's word: nothing is sent again.
	f = newFake(map[string][]said{"refund": {{401, "<html>Log in</html>"}}})
	if _, err := f.open(t, nil).Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r1", Amount: pay.Amount}); err == nil || f.calls() != "login refund" {
		t.Errorf("%v; %s", err, f.calls())
	}
}

func TestATokenLivesAsLongAsTheGatewaySays(t *testing.T) {
	for expires, logins := range map[string]int{
		`"1795262500"`: 1, `1795262500`: 1, `"1795262429"`: 2, `"2026-11-21T12:01:00Z"`: 1, `"2026-11-21T12:00:10Z"`: 2, `1795262500000`: 1, `"soon"`: 1, `""`: 1, `null`: 1,
	} {
		f := newFake(map[string][]said{"login": {{0, strings.Replace(loginAnswer, `"1795266000"`, expires, 1)}}, "read": {{0, orderAnswer(t)}}})
		p := f.open(t, nil)
		for range 2 {
			if _, err := p.Status(t.Context(), payment(t, true)); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(f.calls(), "login"); got != logins {
			t.Errorf("expiresAccess %s: %d logins", expires, got)
		}
	}
}

// status needs no token: an inquiry gets through while the identity host is down. Nothing that changes anything does.
func TestTheInquiryOutlivesTheLoginHost(t *testing.T) {
	f := newFake(map[string][]said{"login": {{503, "down"}}, "status": {{0, orderAnswer(t, "status", "CHARGED")}}})
	p, pay := f.open(t, nil), payment(t, true)
	if s, err := p.Status(t.Context(), pay); err != nil || s.Outcome != providers.Paid || f.calls() != "login status" || strings.Contains(f.last().headers, "token") {
		t.Errorf("%+v %v; %s", s, err, f.calls())
	}
	if _, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r", Amount: pay.Amount}); err == nil || strings.Contains(f.calls(), "refund") {
		t.Errorf("%v; %s", err, f.calls())
	}
}

// A call whose login failed was not sent, or its token was refused: it has done nothing, and is not left open until somebody looks.
func TestACallWhoseLoginFailedIsProvedToHaveDoneNothing(t *testing.T) {
	pay := payment(t, true)
	refund := providers.Op{Kind: providers.Refund, Reference: "r1", Amount: pay.Amount}
	for _, login := range []said{{401, `{"success":false}`}, {503, "down"}, {200, "<html>"}, {200, `{"success":true}`}, {-1, ""}} {
		for name, c := range map[string]struct {
			answers map[string][]said
			want    string
		}{
			"before the call":       {map[string][]said{"login": {login}}, "login"},
			"for its renewed token": {map[string][]said{"login": {{0, loginAnswer}, login}, "refund": {{401, refusedToken}}}, "login refund login"},
		} {
			f := newFake(c.answers)
			_, err := f.open(t, nil).Do(t.Context(), pay, refund)
			var failure *providers.Failure
			if !errors.As(err, &failure) || !failure.Untaken || f.calls() != c.want {
				t.Errorf("login %+v %s: %v; %s", login, name, err, f.calls())
			}
		}
	}
	f := newFake(map[string][]said{"login": {{0, loginAnswer}}, "refund": {{-1, ""}}})
	_, err := f.open(t, nil).Do(t.Context(), pay, refund)
	if failure, ok := errors.AsType[*providers.Failure](err); !ok || failure.Untaken {
		t.Errorf("a refund that was sent: %v", err)
	}
}

func TestRefusedLoginsSayNothingOfThePassword(t *testing.T) {
	for _, a := range []said{{401, `{"success":false,"description":"wrong ` + password + `"}`}, {200, `{"success":true}`}, {200, `{"success":true,"accessToken":"a b"}`}, {500, password}, {-1, ""}} {
		f := newFake(map[string][]said{"login": {a}})
		_, err := f.open(t, nil).Register(t.Context(), payment(t, false))
		var failure *providers.Failure
		if !errors.As(err, &failure) || failure.Op != "login" || strings.Contains(err.Error(), password) || f.calls() != "login" {
			t.Errorf("%+v: %v; %s", a, err, f.calls())
		}
	}
}

// Many payments at once share one login, and whoever waits for it gives up with its own deadline.
func TestOneLoginServesAll(t *testing.T) {
	f := newFake(map[string][]said{"read": {{0, orderAnswer(t)}}})
	p := f.open(t, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := p.Status(t.Context(), payment(t, true)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(f.calls(), "login"); n != 1 {
		t.Errorf("%d logins", n)
	}

	entered, release := make(chan struct{}), make(chan struct{})
	c := config()
	hanging, err := c.Open(providers.Env{Now: func() time.Time { return noon }, HTTP: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		close(entered)
		<-release
		return nil, errors.New("down")
	})}})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { _, _ = hanging.Register(t.Context(), payment(t, false)) })
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hanging.Register(gone, payment(t, false)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	wg.Wait()
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
