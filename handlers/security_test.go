package handlers_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tollgate/internal/limit"
	"tollgate/internal/merchant"
	"tollgate/internal/security"
	"tollgate/providers"
)

func TestEachAttemptAtTheDoorsIsALineOfTheSecurityLog(t *testing.T) {
	var out bytes.Buffer
	shop := theShop
	shop.Keys = append(shop.Keys[:len(shop.Keys):len(shop.Keys)], merchant.Key{Hash: merchant.HashKey("sk_reads_only_0123456789abcdef"), Scopes: []merchant.Scope{merchant.Read}})
	m, id := front(t, tune{security: &out, merchants: []merchant.Merchant{shop}})
	last := func() (e security.Entry) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
			t.Fatalf("%q: %v", lines[len(lines)-1], err)
		}
		return e
	}
	is := func(what string, e security.Entry, kind security.Kind, outcome string) {
		t.Helper()
		if e.Kind != kind || e.Outcome != outcome || e.Time.IsZero() || e.Instance == "" {
			t.Errorf("%s is written as %+v", what, e)
		}
	}
	e := last()
	if is("a good key", e, security.AuthAccepted, "ok"); e.Key != merchant.HashKey(shopKey)[:12] || e.Merchant != "shop" || e.Address == "" || e.RequestID == "" {
		t.Errorf("%+v", e)
	}
	m.key = "sk_nobodys_0123456789abcdef000"
	m.call(http.MethodGet, "/v1/sessions", "").is(http.StatusUnauthorized, "")
	is("a wrong key", last(), security.AuthRefused, "refused")
	for range limit.WrongKeys.N {
		m.call(http.MethodGet, "/v1/sessions", "")
	}
	is("too many", last(), security.LimitMet, "refused")
	m.key = "sk_reads_only_0123456789abcdef"
	m.call(http.MethodPost, "/v1/sessions", order("x")).is(http.StatusForbidden, "")
	if e := last(); e.Merchant != "shop" || e.Resource != "POST /v1/sessions" {
		t.Errorf("%+v", e)
	}
	is("a key that does not reach so far", last(), security.ScopeRefused, "refused")
	m.shopper(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(""), "Sec-Fetch-Site", "cross-site")
	if is("a post of another site's", last(), security.FormRefused, "refused"); last().Session == "" || strings.Contains(out.String(), id) {
		t.Errorf("the session is told as %q", last().Session)
	}
	m.shopper(http.MethodPost, "/3ds/nobody/return", strings.NewReader("cres=e30"))
	is("a return of nobody's", last(), security.ReturnForged, "refused")
	m.key = shopKey
	m.call(http.MethodDelete, "/v1/api_keys/"+merchant.HashKey(spareKey), "").is(http.StatusNoContent, "")
	if is("a key that is revoked", last(), security.KeyRevoked, "ok"); last().Key != merchant.HashKey(spareKey)[:12] {
		t.Errorf("%+v", last())
	}
	m.call(http.MethodPost, "/v1/webhook_keys/rotate", "{}").is(http.StatusOK, "")
	if is("a secret that is rotated", last(), security.WebhookRotated, "ok"); last().Merchant != "shop" || last().Resource != "webhook keys" {
		t.Errorf("%+v", last())
	}
	made := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`).field("id")
	if is("an endpoint that is made", last(), security.WebhookChanged, "ok"); !strings.Contains(last().Resource, made) {
		t.Errorf("%+v", last())
	}
	m.call(http.MethodPatch, "/v1/webhook_endpoints/"+made, `{"description":"x"}`).is(http.StatusOK, "")
	is("an endpoint that is changed", last(), security.WebhookChanged, "ok")
	m.call(http.MethodDelete, "/v1/webhook_endpoints/"+made, "").is(http.StatusNoContent, "")
	is("an endpoint that is deleted", last(), security.WebhookChanged, "ok")
	for _, order := range []string{"odd", "odder"} { // each is a line of its own
		id := m.held(order)
		m.call(http.MethodPost, "/v1/sessions/"+id+"/settle", `{"outcome":"not_paid","reason":"not in the register"}`).is(http.StatusOK, "")
		if e := last(); e.Kind != security.Settled || e.Session != security.Session(id) || e.Detail != "not_paid" || e.Key == "" {
			t.Errorf("a ruling is written as %+v", e)
		}
	}
	for _, secret := range []string{shopKey, spareKey, "sk_nobodys", merchant.HashKey(shopKey)} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

// signing is a gateway whose signature fits no callback.
type signing struct{ *gateway }

func (signing) Notified(*http.Request) (providers.Notice, error) {
	return providers.Notice{}, providers.ErrForged
}

func TestAForgedCallbackIsALineOfTheSecurityLog(t *testing.T) {
	var out bytes.Buffer
	m, _ := front(t, tune{security: &out, provider: func(g *gateway) providers.Provider { return signing{g} }})
	out.Reset()
	m.call(http.MethodPost, "/callbacks/acc", "").is(http.StatusForbidden, "")
	var e security.Entry
	if err := json.Unmarshal(out.Bytes(), &e); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	if e.Kind != security.CallbackForged || e.Outcome != "refused" || e.Detail != "account acc" || e.Address == "" {
		t.Errorf("%+v", e)
	}
}
