package handlers_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
)

var pathValue = regexp.MustCompile(`:[a-z]+`)

// Every route of the contract, with a key of another merchant, of every single scope, and of nobody: what is another's is answered as
// what is nobody's, byte for byte, and no answer names anything of the owner's.
func TestNoRouteTellsAMerchantOfAnothersThings(t *testing.T) {
	keys := map[string][]merchant.Scope{"sk_other_all_0123456789abcdef": nil}
	for _, s := range merchant.Scopes() {
		keys["sk_other_"+string(s)+"_0123456789abcdef"] = []merchant.Scope{s}
	}
	other := merchant.Merchant{ID: "other", Name: "Other", Accounts: []string{"acc"}}
	for key, scopes := range keys {
		other.Keys = append(other.Keys, merchant.Key{Hash: merchant.HashKey(key), Scopes: scopes})
	}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{theShop, other}})
	owned := m.paid("secret-order")
	routes := 0
	for _, r := range m.Routes() {
		if !strings.HasPrefix(r.Path, "/v1/") || !strings.Contains(r.Path, ":session") || strings.Contains(r.Path, "*") {
			continue
		}
		routes++
		ask := func(session, key string) reply {
			path := pathValue.ReplaceAllString(strings.Replace(r.Path, ":session", session, 1), "1")
			m.key = key
			return m.call(r.Method, path, "{}", "Content-Type", "application/json", "X-Request-Id", "same")
		}
		for key := range keys {
			theirs, nobodys := ask(owned, key), ask("cs_0000000000000000000000", key)
			if theirs.Code != http.StatusNotFound && theirs.Code != http.StatusForbidden {
				t.Errorf("%s %s with %s: %d", r.Method, r.Path, key, theirs.Code)
			}
			theirs.same(nobodys)
			if strings.Contains(theirs.Body.String(), "secret-order") || strings.Contains(theirs.Body.String(), owned) {
				t.Errorf("%s %s with %s says %s", r.Method, r.Path, key, theirs.Body)
			}
		}
		if answer := ask(owned, "sk_nobodys_0123456789abcdef000"); answer.Code != http.StatusUnauthorized && answer.Code != http.StatusTooManyRequests {
			t.Errorf("%s %s without a key: %d", r.Method, r.Path, answer.Code)
		}
	}
	if routes < 10 {
		t.Errorf("%d routes were found: the walk is broken", routes)
	}
}
