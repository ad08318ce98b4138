package handlers_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/session"
)

// held makes a session of which the gateway tells of another's order, so that a person has to look.
func (m *machine) held(id string) string {
	m.t.Helper()
	kzt, err := money.ParseCurrency("KZT")
	if err != nil {
		m.t.Fatal(err)
	}
	now := m.clock.Now()
	s := &session.Session{
		ID: "cs_" + id, Merchant: "shop", Account: "acc", Kind: "payment", OrderID: id, Amount: money.Amount{Minor: 1500, Currency: kzt}, Method: "card",
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	if err := m.store.Create(m.t.Context(), s, session.Change{}); err != nil {
		m.t.Fatal(err)
	}
	s.Attempts = []*session.Attempt{{
		N: 1, State: session.Mismatched, Ref: providers.Ref{Reference: id + "-1"}, Instrument: "card", CreatedAt: now,
		Mismatch: "amount", Unproven: true, NeedsReview: true,
		Said: &session.Figures{Outcome: providers.Paid, OrderID: "g-7", Amount: 1400, Currency: "KZT", Held: 1400, Captured: 1400, At: now},
	}}
	if err := m.store.Save(m.t.Context(), s, session.Change{}); err != nil {
		m.t.Fatal(err)
	}
	return s.ID
}

func TestWhatAPersonHasToLookAtIsFoundWithTheGatewaysFigures(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	m.paid("fine")
	id := m.held("odd")
	for _, filter := range []string{"needs_review=true", "held=true", "held=true&needs_review=true&order_id=odd"} {
		if found := m.call(http.MethodGet, "/v1/sessions?"+filter, "").list(); len(found) != 1 || found[0]["id"] != id {
			t.Errorf("%s: %v", filter, found)
		}
	}
	if found := m.call(http.MethodGet, "/v1/sessions?needs_review=false", "").list(); len(found) != 1 || found[0]["id"] != "cs_fine" {
		t.Errorf("the others: %v", found)
	}
	got := m.call(http.MethodGet, "/v1/sessions/"+id, "")
	var s struct {
		Held        bool
		NeedsReview bool `json:"needs_review"`
		Reviews     []struct {
			Attempt int
			Reason  string
			Gateway struct {
				Amount   int64
				Captured int64 `json:"amount_captured"`
				Outcome  string
			}
		}
	}
	if err := json.Unmarshal(got.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Held || !s.NeedsReview || len(s.Reviews) != 1 || s.Reviews[0].Gateway.Captured != 1400 || s.Reviews[0].Reason != "amount" {
		t.Errorf("%s", got.Body)
	}
	for _, status := range []string{"held", "needs_review"} { // no status, but a hint where it is found
		refused := m.call(http.MethodGet, "/v1/sessions?status="+status, "")
		if refused.is(http.StatusUnprocessableEntity, "invalid"); !strings.Contains(refused.Body.String(), status+"=true") {
			t.Errorf("%s", refused.Body)
		}
	}
	if bad := m.call(http.MethodGet, "/v1/sessions?held=perhaps", ""); bad.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(bad.Body.String(), "true or false") {
		t.Errorf("%d %s", bad.Code, bad.Body)
	}
}

func TestAPersonSettlesByTheAPI(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := boot(t, &clock.Clock{}, at, tune{})
		id := m.held("odd")
		path, body := "/v1/sessions/"+id+"/settle", `{"outcome":"paid","amount":1400,"reason":"the bank's register"}`
		got := m.call(http.MethodPost, path, body, keyHeader, "once")
		got.is(http.StatusOK, "")
		m.call(http.MethodPost, path, body, keyHeader, "once").same(got)
		m.call(http.MethodPost, path, body).is(http.StatusOK, "") // the same ruling again
		m.call(http.MethodPost, path, `{"outcome":"not_paid","reason":"no"}`).is(http.StatusConflict, "nothing-to-settle")
		var s struct {
			Status  string
			Held    bool
			Payment struct {
				Captured int64 `json:"amount_captured"`
			}
			Settlements []struct{ Outcome, Reason, By string }
		}
		if err := json.Unmarshal(m.call(http.MethodGet, "/v1/sessions/"+id, "").Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if s.Status != "paid" || s.Held || s.Payment.Captured != 1400 || len(s.Settlements) != 1 || s.Settlements[0].By != merchant.HashKey(shopKey)[:8] {
			t.Errorf("%+v", s)
		}
		var told []string
		for _, e := range m.call(http.MethodGet, "/v1/sessions/"+id+"/events", "").list() {
			told = append(told, e["type"].(string))
		}
		if !slices.Equal(told, []string{"payment.paid", "payment.settled"}) {
			t.Errorf("events %v", told)
		}
		if found := m.call(http.MethodGet, "/v1/sessions?held=true", "").list(); len(found) != 0 {
			t.Errorf("still held: %v", found)
		}
	})
}

func TestARulingThatCannotBeIsRefusedWithItsReason(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	paid, held := m.paid("fine"), m.held("odd")
	for _, c := range []struct {
		session, body string
		code          int
		problem, says string
	}{
		{paid, `{"outcome":"not_paid","reason":"x"}`, http.StatusConflict, "nothing-to-settle", ""},
		{paid, `{"outcome":"failed","reason":"x"}`, http.StatusConflict, "nothing-to-settle", ""},
		{held, `{"outcome":"failed","operation":3,"reason":"x"}`, http.StatusUnprocessableEntity, "unfit-settlement", ""},
		{held, `{"outcome":"perhaps","reason":"x"}`, http.StatusUnprocessableEntity, "invalid", "/outcome"},
		{held, `{"outcome":"paid"}`, http.StatusUnprocessableEntity, "invalid", "/reason"},
		{held, `{"outcome":"paid","reason":"  "}`, http.StatusUnprocessableEntity, "invalid", "/reason"},
		{held, `{"outcome":"paid","reason":"x","amount":-1}`, http.StatusUnprocessableEntity, "invalid", "/amount"},
		{held, `{"outcome":"paid","reason":"x","operation":1}`, http.StatusUnprocessableEntity, "invalid", "/operation"},
		{held, `{"outcome":"not_paid","reason":"x","amount":5}`, http.StatusUnprocessableEntity, "amount", ""},
		{held, `{"outcome":"paid","reason":"` + strings.Repeat("x", 501) + `"}`, http.StatusUnprocessableEntity, "invalid", "/reason"},
		{"cs_nobody", `{"outcome":"paid","reason":"x"}`, http.StatusNotFound, "not-found", ""},
	} {
		got := m.call(http.MethodPost, "/v1/sessions/"+c.session+"/settle", c.body)
		got.is(c.code, c.problem)
		if !strings.Contains(got.Body.String(), c.says) {
			t.Errorf("%s: %s", c.body, got.Body)
		}
	}
}
