package handlers_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// estate is what one merchant has, by the parameter of a path that names it, and names of the same form that nobody has.
type estate struct{ owned, nobodys map[string]string }

// of is a path of somebody's.
func (e estate) of(path string, names map[string]string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, ":") {
			parts[i] = names[part]
		}
	}
	return strings.Join(parts, "/")
}

// bootEstate is a front where the shop has something of everything, a neighbour shares its account, and a stranger has one of its own.
// Both have a key of every single scope and one of all. The keys are told by what they may.
func bootEstate(t *testing.T) (m *machine, e estate, neighbours, strangers map[string]string) {
	keysOf := func(who string) (keys map[string]string, list []merchant.Key) {
		keys = map[string]string{"all": "sk_" + who + "_all_0123456789abcdef"}
		list = []merchant.Key{{Hash: merchant.HashKey(keys["all"])}}
		for _, s := range merchant.Scopes() {
			key := "sk_" + who + "_" + string(s) + "_0123456789abcdef"
			keys[string(s)] = key
			list = append(list, merchant.Key{Hash: merchant.HashKey(key), Scopes: []merchant.Scope{s}})
		}
		return keys, list
	}
	neighbours, near := keysOf("neighbour")
	strangers, far := keysOf("stranger")
	m = boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return fullGateway{g} },
		merchants: []merchant.Merchant{
			theShop, {ID: "neighbour", Name: "Neighbour", Accounts: []string{"acc"}, Keys: near}, {ID: "stranger", Name: "Stranger", Accounts: []string{"acc-2"}, Keys: far},
		},
	})
	id := m.paid("secret-order")
	m.call(http.MethodPost, "/v1/sessions/"+id+"/refunds", `{"amount":1}`).is(http.StatusCreated, "")
	endpoint, delivery := m.delivered()
	bill := m.call(http.MethodPost, "/v1/invoices", invoice("acc", "secret-bill"))
	bill.is(http.StatusCreated, "")
	return m, estate{
		owned: map[string]string{":session": id, ":n": "1", ":card": m.savedCard("sc_theirs"), ":customer": "c-1", ":account": "acc", ":endpoint": endpoint,
			":delivery": delivery, ":key": merchant.HashKey(shopKey), ":invoice": bill.field("id")},
		nobodys: map[string]string{":session": "cs_never-order0", ":n": "1", ":card": "sc_never0", ":customer": "c-9", ":account": "nix",
			":endpoint": "we_" + strings.Repeat("0", len(endpoint)-3), ":delivery": strings.Repeat("0", len(delivery)), ":key": merchant.HashKey("nobody's"), ":invoice": "inv_never0"},
	}, neighbours, strangers
}

// as with every header of the answer, but for what differs between any two.
func (m *machine) wholly(key, method, path, body string) reply {
	m.key = key
	defer func() { m.key = shopKey }()
	r := m.call(method, path, body, "Content-Type", "application/json", "X-Request-Id", "same")
	r.Header().Del("Date")
	return r
}

// Every route of the contract, with keys of a neighbour, of a stranger and of nobody, each of every single scope and of all: what is
// another's is answered as what is nobody's, byte for byte and header for header, and no answer names anything of the owner's.
func TestNoRouteTellsAMerchantOfAnothersThings(t *testing.T) {
	m, e, neighbours, strangers := bootEstate(t)
	bodies := map[string]string{
		"PATCH /v1/cards/:card":                        `{"name":"x"}`,
		"POST /v1/accounts/:account/reconcile":         `{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z"}`,
		"POST /v1/sessions/:session/settle":            `{"outcome":"not_paid","reason":"x"}`,
		"POST /v1/sessions/:session/refunds":           `{"amount":1,"reference":"r-1"}`,
		"PATCH /v1/webhook_endpoints/:endpoint":        `{"description":"x"}`,
		"POST /v1/webhook_endpoints/:endpoint/rotate":  `{"overlap_seconds":1}`,
		"POST /v1/webhook_endpoints/:endpoint/resend":  `{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z"}`,
		"POST /v1/customers/:customer/cards":           registerCardBody("nix"),
		"POST /v1/customers/:customer/cards/import":    `{"account":"nix","gateway_id":"b-sc_theirs"}`,
		"POST /v1/customers/:customer/cards/refresh":   `{"account":"acc"}`,
		"POST /v1/webhook_deliveries/:delivery/resend": ``,
	}
	secrets := []string{"secret-", e.owned[":session"], e.owned[":card"], e.owned[":endpoint"], e.owned[":delivery"], "400001", "c-1", "Shop"}
	asked := 0
	for _, r := range apiRoutes(t, m) {
		name := r[0] + " " + r[1]
		if !strings.Contains(r[1], ":") {
			continue
		}
		for who, keys := range map[string]map[string]string{"neighbour": neighbours, "stranger": strangers} {
			if who == "neighbour" && strings.Contains(r[1], ":account") {
				continue // the account is the neighbour's as well
			}
			for scope, key := range keys {
				asked++
				theirs := m.wholly(key, r[0], e.of(r[1], e.owned), bodies[name])
				nobodys := m.wholly(key, r[0], e.of(r[1], e.nobodys), bodies[name])
				theirs.same(nobodys)
				if a, b := fmt.Sprint(theirs.Header()), fmt.Sprint(nobodys.Header()); a != b {
					t.Errorf("%s with %s of the %s: headers %s, of nobody's %s", name, scope, who, a, b)
				}
				customers := strings.HasPrefix(r[1], "/v1/customers/:customer") // a word of the merchant's own; every merchant may have it
				if theirs.Code != http.StatusNotFound && theirs.Code != http.StatusForbidden && !customers {
					t.Errorf("%s with %s of the %s: %d %s", name, scope, who, theirs.Code, theirs.Body)
				}
				for _, secret := range secrets {
					if strings.Contains(theirs.Body.String(), secret) {
						t.Errorf("%s with %s of the %s says %s: %s", name, scope, who, secret, theirs.Body)
					}
				}
			}
		}
		for _, path := range []string{e.of(r[1], e.owned), e.of(r[1], e.nobodys)} {
			if got := m.wholly("sk_nobodys_0123456789abcdef000", r[0], path, bodies[name]); got.Code != http.StatusUnauthorized && got.Code != http.StatusTooManyRequests {
				t.Errorf("%s without a key: %d", name, got.Code)
			}
		}
	}
	if routes := len(neighbours); asked < 50*routes {
		t.Errorf("%d requests: the walk is broken", asked)
	}
	m.ownerStillHasEverything(e)
}

// ownerStillHasEverything tells that nothing that was tried had an effect.
func (m *machine) ownerStillHasEverything(e estate) {
	m.t.Helper()
	for _, path := range []string{"/v1/sessions/:session", "/v1/webhook_endpoints/:endpoint", "/v1/webhook_deliveries/:delivery", "/v1/invoices/:invoice", "/v1/accounts"} {
		m.call(http.MethodGet, e.of(path, e.owned), "").is(http.StatusOK, "")
	}
	if n := len(m.call(http.MethodGet, e.of("/v1/sessions/:session/operations", e.owned), "").list()); n != 1 {
		m.t.Errorf("%d operations", n)
	}
	cards := m.call(http.MethodGet, "/v1/customers/c-1/cards", "").list()
	if len(cards) != 1 || cards[0]["name"] != "blue" {
		m.t.Errorf("the owner's cards are %v", cards)
	}
}

// What a query or a body names is answered in the same way: an id of another merchant's is as unknown as one that never was.
func TestNoNameInAQueryOrBodyTellsAMerchantOfAnothersThings(t *testing.T) {
	m, e, neighbours, strangers := bootEstate(t)
	event := m.call(http.MethodGet, "/v1/events", "").list()[0]["id"].(string)
	owned, nobodys := maps.Clone(e.owned), maps.Clone(e.nobodys)
	owned[":order"], nobodys[":order"] = "secret-order", "never-order0"
	owned[":bill"], nobodys[":bill"] = "secret-bill", "never-bill0"
	owned[":event"], nobodys[":event"] = event, "evt_cs_never-order0_1-abcdefgh"
	for _, ask := range [][2]string{
		{"/v1/sessions?before=:session", ""}, {"/v1/sessions?order_id=:order", ""}, {"/v1/invoices?before=:invoice", ""},
		{"/v1/invoices?reference=:bill", ""}, {"/v1/webhook_deliveries?before=:delivery", ""}, {"/v1/webhook_deliveries?endpoint=:endpoint", ""},
		{"/v1/webhook_deliveries?event=:event", ""}, {"/v1/events?after=:event", ""}, {"/v1/customers/:customer/cards", ""},
		{"/v1/accounts/acc/history?customer=:customer", ""},
		{"/v1/charges", `{"saved_card":":card","amount":1,"currency":"KZT","reference":"r"}`},
		{"/v1/payouts", `{"account":"acc","amount":1,"currency":"KZT","reference":"r","to":{"saved_card":":card"}}`},
		{"/v1/payouts", `{"account":"acc","amount":1,"currency":"KZT","reference":"r","to":{"payment":":session"}}`},
		{"/v1/sessions", strings.Replace(order("mine"), "}", `,"saved_card":":card","customer":{"id":"c-1"}}`, 1)},
		{"/v1/sessions", strings.Replace(order("mine"), "}", `,"kind":"transfer","transfer":{"saved_card":":card"}}`, 1)},
		{"/v1/sessions", strings.Replace(order("mine"), "}", `,"look":":order"}`, 1)},
		{"/v1/accounts/acc/reconcile", `{"from":"2000-01-01T00:00:00Z","to":"2000-01-20T00:00:00Z","orders":[{"reference":":order-1","status":"paid","amount":"15.00","currency":"KZT"}]}`},
		{"/v1/accounts/acc/reconcile", `{"from":"2000-01-01T00:00:00Z","to":"2000-01-20T00:00:00Z","orders":[{"reference":":bill","status":"paid","amount":"15.00","currency":"KZT"}]}`},
	} {
		method := http.MethodGet
		if ask[1] != "" {
			method = http.MethodPost
		}
		for who, keys := range map[string]map[string]string{"neighbour": neighbours, "stranger": strangers} {
			var answers []string
			for _, names := range []map[string]string{owned, nobodys} {
				fill := func(text string) string {
					for _, name := range slices.Sorted(maps.Keys(names)) {
						text = strings.ReplaceAll(text, name, names[name])
					}
					return text
				}
				got := m.wholly(keys["all"], method, fill(ask[0]), fill(ask[1]))
				told := fmt.Sprint(got.Code, got.Header(), got.Body)
				for _, name := range slices.Sorted(maps.Keys(names)) {
					if name != ":n" && name != ":account" {
						told = strings.ReplaceAll(told, names[name], name) // what the caller said itself
					}
				}
				answers = append(answers, told)
				if got.Code == http.StatusCreated || got.Code < 300 && strings.Contains(got.Body.String(), "400001") {
					t.Errorf("%s %s of the %s: %d %s", ask[0], ask[1], who, got.Code, got.Body)
				}
			}
			if answers[0] != answers[1] {
				t.Errorf("%s %s of the %s:\n%s\nof nobody's\n%s", ask[0], ask[1], who, answers[0], answers[1])
			}
		}
	}
	for _, list := range []string{"/v1/sessions", "/v1/events", "/v1/invoices", "/v1/webhook_endpoints", "/v1/webhook_endpoints?kind=session", "/v1/webhook_deliveries", "/v1/accounts/acc/history"} {
		for who, keys := range map[string]map[string]string{"neighbour": neighbours, "stranger": strangers} {
			got := m.wholly(keys["all"], http.MethodGet, list, "")
			if got.Code == http.StatusOK && len(got.list()) > 0 {
				t.Errorf("%s of the %s: %s", list, who, got.Body)
			}
		}
	}
	m.ownerStillHasEverything(e)
}
