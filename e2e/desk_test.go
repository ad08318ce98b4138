package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What merchants ask of gateways beside payments, over HTTP against the simulators.

func TestAnInvoiceIsPaidOnTheGatewaysPage(t *testing.T) {
	w := sharedWorld(t)
	var bill struct{ ID, URL, Status, Reference string }
	body := map[string]any{
		"account": "transactworld", "amount": 5000, "currency": "EUR", "reference": order(), "success_url": w.Sandbox + "/shop/done",
		"customer": map[string]any{"email": "shopper@shop.example"},
	}
	if code := w.api(t, "POST", "/v1/invoices", body, &bill); code != http.StatusCreated || bill.Status != "open" {
		t.Fatalf("answered %d %+v", code, bill)
	}
	old := bill.URL
	if code := w.api(t, "POST", "/v1/invoices/"+bill.ID+"/renew", nil, &bill); code != http.StatusOK || bill.URL == old {
		t.Fatalf("renewed: %d %+v", code, bill)
	}
	b := newWalker(t, w)
	b.app(bill.URL, url.Values{"card.number": {cardPlain}, "card.expiryMonth": {"12"}, "card.expiryYear": {"2030"}, "card.cvv": {"123"}})
	until(t, 20*time.Second, "the list says paid, which nobody read it for", func() bool {
		var page struct{ Data []struct{ ID string } }
		w.api(t, "GET", "/v1/invoices?status=paid&reference="+bill.Reference, nil, &page)
		return len(page.Data) == 1
	})
	paid := 0
	for after := ""; ; {
		var page struct {
			Data    []json.RawMessage
			HasMore bool `json:"has_more"`
			Next    string
		}
		w.api(t, "GET", "/v1/events?after="+after, nil, &page)
		for _, raw := range page.Data {
			if strings.Contains(string(raw), bill.ID) && strings.Contains(string(raw), `"invoice.paid"`) {
				paid++
			}
		}
		if after = page.Next; !page.HasMore {
			break
		}
	}
	if paid != 1 {
		t.Errorf("invoice.paid was told %d times", paid)
	}
	if code := w.api(t, "GET", "/v1/invoices/"+bill.ID, nil, &bill); code != http.StatusOK || bill.Status != "paid" {
		t.Fatalf("after it was paid: %d %+v", code, bill)
	}
	if code := w.api(t, "POST", "/v1/invoices/"+bill.ID+"/renew", nil, nil); code != http.StatusConflict {
		t.Errorf("a paid one is renewed: %d", code)
	}
	var again struct{ ID string }
	if code := w.api(t, "POST", "/v1/invoices", body, &again); code != http.StatusCreated || again.ID != bill.ID {
		t.Errorf("repeated: %d %s, want %s", code, again.ID, bill.ID)
	}
	var ledger []ledgerEntry
	w.sandbox(t, "GET", "/ledger", nil, &ledger)
	charges := 0
	for _, e := range ledger {
		if strings.HasPrefix(e.Reference, bill.Reference) { // the gateway numbers tries after the first
			if charges += e.Charges; e.Captured != 5000 {
				t.Errorf("the ledger says %+v", e)
			}
		}
	}
	if charges != 1 {
		t.Errorf("charged %d times", charges)
	}
}

func TestACardRegisteredAloneIsCharged(t *testing.T) {
	w := sharedWorld(t)
	customer := order()
	body := map[string]any{
		"account": "transactworld", "reference": order(), "email": "shopper@shop.example",
		"card": map[string]any{"number": cardPlain, "expiry": "12/30", "cvc": "123", "name": "TEST SHOPPER"},
	}
	var saved struct {
		ID   string
		Card struct{ Last4 string }
	}
	if code := w.api(t, "POST", "/v1/customers/"+customer+"/cards", body, &saved); code != http.StatusCreated || saved.Card.Last4 != "0008" {
		t.Fatalf("answered %d %+v", code, saved)
	}
	var s sessionView
	charge := map[string]any{"saved_card": saved.ID, "amount": 7700, "currency": "EUR", "reference": order()}
	if code := w.api(t, "POST", "/v1/charges", charge, &s); code != http.StatusCreated {
		t.Fatalf("answered %d", code)
	}
	until(t, 30*time.Second, "the charge ends", func() bool { return w.session(t, s.ID).Status == "paid" })
}

// customer is how the gateway calls who has logged in to a session.
func (w *world) customer(t *testing.T, s sessionView) string {
	t.Helper()
	customer := ""
	for _, e := range w.events(t, s.ID) {
		var data struct{ Customer string }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		if e.Type == "session.customer_verified" {
			customer = data.Customer
		}
	}
	return customer
}

func TestAVirtualCardOfACustomerWhoLoggedIn(t *testing.T) {
	w := sharedWorld(t)
	_, s := w.loggedIn(t, phoneOf(), nil)
	customer := w.customer(t, s)
	var made, again struct{ ID string }
	body := map[string]any{"account": "sber", "customer": customer, "reference": order()}
	if code := w.api(t, "POST", "/v1/virtual_cards", body, &made); code != http.StatusCreated {
		t.Fatalf("for customer %q answered %d", customer, code)
	}
	if code := w.api(t, "POST", "/v1/virtual_cards", body, &again); code != http.StatusCreated || again.ID != made.ID {
		t.Errorf("repeated: %d %s, want %s", code, again.ID, made.ID)
	}
	var list struct{ Data []struct{ ID string } }
	if w.api(t, "GET", "/v1/customers/"+customer+"/cards", nil, &list); len(list.Data) == 0 || list.Data[0].ID != made.ID {
		t.Errorf("%s is not in the list %+v", made.ID, list)
	}
	body["customer"], body["reference"] = "nobody", order()
	if code := w.api(t, "POST", "/v1/virtual_cards", body, nil); code != http.StatusConflict {
		t.Errorf("for a customer nobody has met: %d", code)
	}
}
