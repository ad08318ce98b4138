package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/clock"
	invoices "tollgate/internal/invoice"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
)

const scopedKey = "sk_test_scoped_00000000000000000"

// apiRoutes is every route under /v1 that the front has.
func apiRoutes(t *testing.T, m *machine) (routes [][2]string) {
	t.Helper()
	for _, r := range m.Routes() {
		if strings.HasPrefix(r.Path, "/v1/") && r.Method != "echo_route_not_found" && r.Method != http.MethodHead { // HEAD is as GET
			routes = append(routes, [2]string{r.Method, r.Path})
		}
	}
	if len(routes) < 15 {
		t.Fatalf("only %d routes: the list is not read", len(routes))
	}
	return routes
}

func shop(keys ...merchant.Key) tune {
	return tune{merchants: []merchant.Merchant{{ID: "shop", Name: "Shop", Keys: keys, Accounts: []string{"acc"}}}}
}

func TestEveryRouteDeclaresItsScopes(t *testing.T) {
	accepted := map[string][]merchant.Scope{}
	for _, scope := range merchant.Scopes() {
		m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, shop(merchant.Key{Hash: merchant.HashKey(scopedKey), Scopes: []merchant.Scope{scope}}))
		m.key = scopedKey
		for _, r := range apiRoutes(t, m) {
			name := r[0] + " " + r[1]
			got := m.call(r[0], strings.ReplaceAll(r[1], ":", "no-such-"), "{}")
			if got.Code == http.StatusForbidden {
				got.is(http.StatusForbidden, "scope")
				continue
			}
			accepted[name] = append(accepted[name], scope)
			if scope == merchant.Read && r[0] != http.MethodGet {
				t.Errorf("%s: a key that may only read is let through", name)
			}
		}
	}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for _, r := range apiRoutes(t, m) {
		name := r[0] + " " + r[1]
		if len(accepted[name]) == 0 {
			t.Errorf("%s: no scope reaches it; give it a line in scopes()", name)
		}
		if got := m.call(r[0], strings.ReplaceAll(r[1], ":", "no-such-"), "{}"); got.Code == http.StatusForbidden || got.Code == http.StatusUnauthorized {
			t.Errorf("%s: a key of every scope gets %d", name, got.Code)
		}
	}
	for name, want := range map[string]merchant.Scope{
		"POST /v1/sessions": merchant.Sessions, "POST /v1/payouts": merchant.Payouts, "POST /v1/sessions/:session/refunds": merchant.Refunds,
		"POST /v1/sessions/:session/capture": merchant.Refunds, "POST /v1/sessions/:session/void": merchant.Refunds,
	} {
		if got := accepted[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s takes %v, want %s alone", name, got, want)
		}
	}
}

func TestAKeyCallsOnlyTheRoutesOfItsScopes(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, shop(merchant.Key{Hash: merchant.HashKey(scopedKey), Scopes: []merchant.Scope{merchant.Refunds}}))
	id := m.paid("one")
	m.key = scopedKey
	m.call(http.MethodPost, "/v1/sessions", order("two"), keyHeader, "k").is(http.StatusForbidden, "scope")
	m.call(http.MethodGet, "/v1/sessions/"+id, "").is(http.StatusOK, "")
	m.call(http.MethodPost, "/v1/sessions/"+id+"/refunds", `{"amount":1}`).is(http.StatusCreated, "")
	m.call(http.MethodGet, "/v1/no-such-call", "").is(http.StatusNotFound, "not-found")
	if n := m.sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestKeysRotateWithOverlap(t *testing.T) {
	c := &clock.Clock{}
	m := boot(t, c, sqlstore.Options{Dir: t.TempDir()}, shop(
		merchant.Key{Hash: merchant.HashKey(shopKey), Expires: c.Now().Add(time.Hour)}, merchant.Key{Hash: merchant.HashKey(scopedKey)}))
	for _, key := range []string{shopKey, scopedKey} {
		m.key = key
		m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusOK, "")
	}
	c.Advance(time.Hour)
	m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusOK, "")
	m.key = shopKey
	m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusUnauthorized, "unauthorized")
}

func TestARevokedKeyIsRefusedForever(t *testing.T) {
	at := sqlstore.Options{Dir: t.TempDir()}
	lesser := merchant.Key{Hash: merchant.HashKey(scopedKey), Scopes: []merchant.Scope{merchant.Refunds}}
	keys := shop(merchant.Key{Hash: merchant.HashKey(shopKey)}, lesser)
	m := boot(t, &clock.Clock{}, at, keys)
	m.key = scopedKey
	m.call(http.MethodDelete, "/v1/api_keys/"+merchant.HashKey(shopKey), "").is(http.StatusForbidden, "scope")
	m.call(http.MethodDelete, "/v1/api_keys/"+merchant.HashKey("nobody's"), "").is(http.StatusNotFound, "not-found")
	m.call(http.MethodDelete, "/v1/api_keys/"+lesser.Hash, "").is(http.StatusNoContent, "")
	m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusUnauthorized, "unauthorized")
	m.key = shopKey
	m.call(http.MethodDelete, "/v1/api_keys/"+lesser.Hash, "").is(http.StatusNoContent, "")
	m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusOK, "")
	m.stop()
	m = boot(t, &clock.Clock{}, at, keys)
	m.key = scopedKey
	m.call(http.MethodGet, "/v1/accounts", "").is(http.StatusUnauthorized, "unauthorized")
}

// registerCardBody is the body that registers a card.
func registerCardBody(account string) string {
	return `{"account":"` + account + `","reference":"r","card":{"number":"4000019900020720","expiry":"12/30","cvc":"123","name":"A B"}}`
}

func invoice(account, reference string) string {
	return `{"account":"` + account + `","amount":5000,"currency":"KZT","reference":"` + reference + `","success_url":"https://shop.example/ok"}`
}

// Every route that Echo knows: a new one that shows another merchant's data fails here.
func TestAMerchantSeesNothingOfAnother(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{
		{ID: "shop", Name: "Shop", Keys: []merchant.Key{{Hash: merchant.HashKey(shopKey)}}, Accounts: []string{"acc"}},
		{ID: "other", Name: "Other", Keys: []merchant.Key{{Hash: merchant.HashKey(otherKey)}}, Accounts: []string{"acc-2"}},
	}})
	id := m.paid("one")
	m.call(http.MethodPost, "/v1/sessions/"+id+"/refunds", `{"amount":1}`).is(http.StatusCreated, "")
	saved := &wallet.SavedCard{ID: "sc_theirs", Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "b-1", Card: card.Masked{First6: "400001", Last4: "0720"}, CreatedAt: m.clock.Now()}
	if err := m.store.SaveCard(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	bill := &invoices.Invoice{ID: "inv_theirs", Merchant: "shop", Account: "acc", Reference: "bill", Status: invoices.Open, CreatedAt: m.clock.Now()}
	if err := m.store.AddInvoice(t.Context(), bill, invoices.Change{}); err != nil {
		t.Fatal(err)
	}
	endpoint, delivery := m.delivered()
	theirs := map[string]string{
		":session": id, ":n": "1", ":card": saved.ID, ":customer": saved.Customer, ":account": "acc", ":endpoint": endpoint, ":delivery": delivery,
		":key":     merchant.HashKey(shopKey),
		":invoice": bill.ID,
	}
	bodies := map[string]string{
		"PATCH /v1/cards/:card":                `{"name":"x"}`,
		"POST /v1/accounts/:account/reconcile": `{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z"}`,
	}
	m.key = otherKey
	for _, r := range apiRoutes(t, m) {
		name, path := r[0]+" "+r[1], r[1]
		for _, part := range strings.Split(r[1], "/") {
			if !strings.HasPrefix(part, ":") {
				continue
			}
			value, ok := theirs[part]
			if !ok {
				t.Errorf("%s: what is %s of the other merchant? This test has none", name, part)
			}
			path = strings.Replace(path, part, value, 1)
		}
		if path == r[1] {
			continue
		}
		if strings.HasPrefix(name, "POST /v1/customers/:customer/cards") { // names no object of theirs but in its body: see below
			continue
		}
		got := m.call(r[0], path, bodies[name])
		if name == "GET /v1/customers/:customer/cards" { // every merchant may have a customer of that name
			got.is(http.StatusOK, "")
			if strings.Contains(got.Body.String(), saved.ID) {
				t.Errorf("%s shows another merchant's card", name)
			}
			continue
		}
		if got.Code != http.StatusNotFound || strings.Contains(got.Body.String(), id) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}

	for name, list := range map[string]string{"sessions": "/v1/sessions?order_id=one", "accounts": "/v1/accounts", "endpoints": "/v1/webhook_endpoints", "deliveries": "/v1/webhook_deliveries?endpoint=" + endpoint, "invoices": "/v1/invoices"} {
		if got := m.call(http.MethodGet, list, ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"data":[]`) {
			t.Errorf("list of %s: %d %s", name, got.Code, got.Body)
		}
	}
	// Named in a body, another merchant's objects are as unknown as those that never were.
	for _, pair := range [][3]string{
		{"/v1/sessions", order("x"), strings.Replace(order("x"), `"acc"`, `"never"`, 1)},
		{"/v1/charges", `{"saved_card":"sc_theirs","amount":1,"currency":"KZT","reference":"r"}`, `{"saved_card":"sc_never","amount":1,"currency":"KZT","reference":"r"}`},
		{"/v1/payouts", `{"account":"acc","amount":1,"currency":"KZT","reference":"r","to":{"phone":"77010000000"}}`, `{"account":"never","amount":1,"currency":"KZT","reference":"r","to":{"phone":"77010000000"}}`},
		{"/v1/virtual_cards", `{"account":"acc","customer":"c-1","reference":"r"}`, `{"account":"never","customer":"c-1","reference":"r"}`},
		{"/v1/customers/c-1/cards", registerCardBody("acc"), registerCardBody("never")},
		{"/v1/invoices", invoice("acc", "r"), invoice("never", "r")},
	} {
		a, b := m.call(http.MethodPost, pair[0], pair[1]), m.call(http.MethodPost, pair[0], pair[2])
		a.is(http.StatusUnprocessableEntity, "invalid")
		b.is(http.StatusUnprocessableEntity, "invalid")
	}
	m.key = shopKey
	s, err := m.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Operations) != 1 {
		t.Errorf("another merchant's key made operations: %d", len(s.Operations))
	}
	if _, err := m.store.SavedCard(t.Context(), "shop", saved.ID); err != nil {
		t.Errorf("the card is gone: %v", err)
	}
}
