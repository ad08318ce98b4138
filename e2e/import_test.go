package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/app"
)

// A list of subscribers is taken over, the process is killed in the middle, and the same list is given again from its beginning. Each
// card is taken once, the gateway is asked about each once (about those that were under way twice), and one of them is charged.
func TestAnImportGoesOnAfterAKillAndAnImportedCardIsCharged(t *testing.T) {
	t.Parallel()
	w, f := startFront(t, "")
	const all = 24
	bindings := make([]string, all)
	for i := range bindings {
		res, err := http.PostForm(w.Sandbox+"/rbs/payment/rest/createBindingNoPayment.do", url.Values{
			"userName": {w.App.Credentials()["rbs"]["userName"]}, "password": {w.App.Credentials()["rbs"]["password"]},
			"clientId": {fmt.Sprintf("subscriber-%d", i)}, "cardholderName": {"TEST"}, "expiryDate": {"203012"}, "pan": {cardPlain}, "cvc": {"123"},
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		res.Body.Close()
		var made struct {
			BindingID string `json:"bindingId"`
		}
		if err != nil || json.Unmarshal(raw, &made) != nil || made.BindingID == "" {
			t.Fatalf("%v: %s", err, raw)
		}
		bindings[i] = made.BindingID
	}
	saved := map[string]string{}
	take := func(i int, within time.Duration) bool {
		body := fmt.Sprintf(`{"account":"rbs","gateway_id":%q}`, bindings[i])
		req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/v1/customers/subscriber-%d/cards/import", w.Front, i), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+app.DemoKey)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", order())
		res, err := (&http.Client{Timeout: within}).Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		var made struct {
			ID   string
			Card struct{ Last4 string }
		}
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		if res.StatusCode != http.StatusCreated || json.Unmarshal(raw, &made) != nil || made.Card.Last4 != cardPlain[len(cardPlain)-4:] {
			t.Fatalf("line %d: %d %s", i, res.StatusCode, raw)
		}
		if before := saved[bindings[i]]; before != "" && before != made.ID {
			t.Errorf("line %d was taken twice: %s and %s", i, before, made.ID)
		}
		saved[bindings[i]] = made.ID
		return true
	}
	const middle = 10
	var killed atomic.Bool
	for i := range middle {
		if !take(i, 20*time.Second) {
			t.Fatalf("line %d is not taken", i)
		}
	}
	over := make(chan struct{})
	go func() { // while line 10 is under way
		defer close(over)
		f.kill()
		killed.Store(true)
	}()
	for i := middle; i < all && !killed.Load(); i++ {
		take(i, 20*time.Second)
	}
	<-over
	for i := range all {
		until(t, 30*time.Second, fmt.Sprintf("line %d", i), func() bool { return take(i, 20*time.Second) })
	}
	if len(saved) != all {
		t.Errorf("%d cards of %d", len(saved), all)
	}
	var calls []struct{ Gateway, Call string }
	w.sandbox(t, http.MethodGet, "/calls", nil, &calls)
	asked := 0
	for _, c := range calls {
		if c.Call == "getBindings.do" {
			asked++
		}
	}
	if asked < all || asked > all+2 {
		t.Errorf("the gateway was asked %d times about %d cards", asked, all)
	}
	var charge sessionView
	if code := w.api(t, http.MethodPost, "/v1/charges", map[string]any{
		"saved_card": saved[bindings[all-1]], "amount": 120000, "currency": "KZT", "reference": order(),
	}, &charge); code != http.StatusCreated || charge.Status != "paid" {
		t.Errorf("a charge by an imported card: %d %+v", code, charge)
	}
}
