package cashier

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

const opLogin = "login"

// tokenMargin is how long before its end a token is renewed.
const tokenMargin = 30 * time.Second

// tokenSource keeps one access token for all calls of an account. Logging in moves no money; a token that the gateway still
// takes is never renewed.
type tokenSource struct {
	http     *http.Client
	now      func() time.Time
	base     string
	login    string
	password providers.Secret

	turn    chan struct{} // one login at a time; whoever waits gives up with its own deadline
	token   providers.Secret
	expires time.Time // zero: until it is refused
}

func newAccess(c *http.Client, now func() time.Time, base, login string, password providers.Secret) *tokenSource {
	return &tokenSource{http: c, now: now, base: base, login: login, password: password, turn: make(chan struct{}, 1)}
}

// get gives a token that is good as far as we know, and not the one that was just refused.
func (a *tokenSource) get(ctx context.Context, refused providers.Secret) (providers.Secret, error) {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return providers.Secret{}, &providers.Failure{Op: opLogin, Err: ctx.Err()}
	}
	defer func() { <-a.turn }()
	fresh := a.expires.IsZero() || a.now().Add(tokenMargin).Before(a.expires)
	if !a.token.Empty() && fresh && a.token.Reveal() != refused.Reveal() {
		return a.token, nil
	}
	a.token = providers.Secret{}
	raw, err := json.Marshal(struct {
		Login    string `json:"login"`
		Password string `json:"password"`
	}{a.login, a.password.Reveal()})
	if err != nil {
		return providers.Secret{}, &providers.Failure{Op: opLogin, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/public/login", bytes.NewReader(raw))
	if err != nil {
		return providers.Secret{}, &providers.Failure{Op: opLogin, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	status, body, err := providers.Exchange(a.http, opLogin, req)
	if err != nil {
		return providers.Secret{}, providers.Quiet(opLogin, err,
			func(s string) string { return scrub(s, []string{a.password.Reveal()}) })
	}
	o, err := decode(body, a.password.Reveal())
	switch {
	case err != nil && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return providers.Secret{}, object{}.failure(opLogin, status)
	case err != nil:
		return providers.Secret{}, providers.Unreadable(opLogin, status, err)
	case status < 500 && !o.success(): // nothing else can be wrong with a login
		return providers.Secret{}, o.plainFailure(opLogin, status).Misconfigured(true)
	case status != http.StatusOK || !o.success():
		return providers.Secret{}, o.failure(opLogin, status)
	}
	token := o.text("accessToken")
	if token == "" || !wire.HeaderSafe(token) {
		return providers.Secret{}, providers.Unreadable(opLogin, status, errShape)
	}
	a.token, a.expires = providers.NewSecret(token), parseTime(o.text("expiresAccess"))
	return a.token, nil
}

// parseTime reads a token's expiry: Unix seconds, as number or text, or RFC 3339. What it cannot read is zero: no expiry.
func parseTime(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		if n > 1e11 { // milliseconds
			return time.UnixMilli(n)
		}
		return time.Unix(n, 0)
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	return time.Time{}
}
