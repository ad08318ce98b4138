package e2e_test

import (
	"maps"
	"net/http"
	"testing"
)

// problemView is a refusal as the API answers it.
type problemView struct {
	Type   string
	Errors []struct{ Pointer, Detail string }
}

// refusedAt is the field that a request is refused for; the problem's type where it names none, "" where it is not refused.
func (w *world) refusedAt(t testing.TB, path string, body map[string]any) string {
	t.Helper()
	var p problemView
	switch code := w.api(t, "POST", path, body, &p); {
	case code == http.StatusCreated:
		return ""
	case code != http.StatusUnprocessableEntity:
		t.Errorf("%v: answered %d", body, code)
		return "?"
	case len(p.Errors) == 0:
		return p.Type
	}
	return p.Errors[0].Pointer
}

// What a gateway cannot do is refused when it is asked for, with the field; the reference stays free, for nothing was sent.
func TestWhatAGatewayCannotDoIsRefusedAtCreationAndBurnsNoReference(t *testing.T) {
	t.Parallel()
	const unsupported = "urn:tollgate:problem:unsupported"
	w := sharedWorld(t)
	currency := map[string]string{"rbs": "KZT", "payneteasy": "KZT", "sber": "RUB", "cashier": "RUB", "transactworld": "KZT"}
	saved, paid, customers := map[string]string{}, map[string]string{}, map[string]string{}
	for account := range currency {
		customers[account] = order()
		s := operatorOf(account).pays(t, w, map[string]any{"save_card": true, "customer": map[string]any{"id": customers[account], "email": "shopper@example.com"}})
		if paid[account] = s.ID; account == "sber" {
			customers[account] = w.customer(t, s)
			continue
		}
		saved[account] = w.savedCard(t, customers[account])
	}
	card := map[string]any{"number": cardPlain, "holder": "TEST SHOPPER"}
	for _, row := range []struct {
		name   string
		to     func(account string) map[string]any
		answer map[string]string // by account; others are unsupported
	}{
		{"a phone and its bank", func(string) map[string]any {
			return map[string]any{"phone": "79010000000", "bank_id": "100000000111", "first_name": "Ivan", "last_name": "Petrov"}
		}, map[string]string{"cashier": "", "transactworld": "/to/phone"}},
		{"a phone without its bank", func(string) map[string]any { return map[string]any{"phone": "79010000000"} },
			map[string]string{"cashier": "/to/bank_id", "transactworld": "/to/phone"}},
		{"a phone and a bank by name", func(string) map[string]any { return map[string]any{"phone": "79010000000", "bank_id": "sber"} },
			map[string]string{"cashier": "/to/bank_id", "transactworld": "/to/phone"}},
		{"a card", func(string) map[string]any { return map[string]any{"card": card} }, map[string]string{"cashier": "", "transactworld": ""}},
		{"a card and its holder's phone", func(string) map[string]any { return map[string]any{"card": card, "phone": "79010000000"} },
			map[string]string{"cashier": "", "transactworld": "/to/phone"}},
		{"a card and a bank", func(string) map[string]any { return map[string]any{"card": card, "bank_id": "100000000111"} },
			map[string]string{"cashier": "/to/bank_id", "transactworld": "/to/bank_id"}},
		{"a card of a brand that is not taken", func(string) map[string]any {
			return map[string]any{"card": map[string]any{"number": "9417000000000008"}}
		}, map[string]string{"cashier": "", "transactworld": "/to/card/number"}},
		{"a saved card", func(account string) map[string]any { return map[string]any{"saved_card": saved[account]} },
			map[string]string{"cashier": "/to/saved_card", "transactworld": "/to/saved_card"}},
		{"a payment", func(account string) map[string]any { return map[string]any{"payment": paid[account]} },
			map[string]string{"cashier": "/to/payment", "transactworld": ""}},
		{"a payment and a phone", func(account string) map[string]any {
			return map[string]any{"payment": paid[account], "phone": "79010000000"}
		}, map[string]string{"cashier": "/to", "transactworld": "/to"}},
		{"nothing", func(string) map[string]any { return map[string]any{} }, map[string]string{"cashier": "/to", "transactworld": "/to"}},
	} {
		for account := range currency {
			want, pays := row.answer[account]
			to := row.to(account)
			if !pays && (to["saved_card"] == "" || len(to) != 1) {
				continue
			}
			if !pays {
				want = unsupported
			}
			body := map[string]any{"account": account, "amount": 7700, "currency": currency[account], "reference": order(), "to": to}
			if got := w.refusedAt(t, "/v1/payouts", body); got != want {
				t.Errorf("a payout at %s to %s: refused at %q, want %q", account, row.name, got, want)
			}
			if want != "" && want != unsupported { // nothing was sent: the reference is free
				body["to"] = map[string]any{"card": card}
				if got := w.refusedAt(t, "/v1/payouts", body); got != "" {
					t.Errorf("a payout at %s after one to %s: refused at %q", account, row.name, got)
				}
			}
		}
	}
	session := func(account string, more map[string]any) map[string]any {
		body := map[string]any{"account": account, "amount": 7700, "currency": currency[account], "order_id": order(), "success_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no",
			"billing": map[string]any{"address": "1 Abay St", "city": "Almaty", "zip": "050000", "country": "KZ", "phone": "77011234567", "email": "shopper@example.com"}}
		maps.Copy(body, more)
		return body
	}
	for _, row := range []struct {
		more   map[string]any
		answer map[string]string // by account
	}{
		{map[string]any{"fee": 100}, map[string]string{"rbs": "/fee", "payneteasy": "/fee", "cashier": "/fee", "transactworld": "/fee", "sber": ""}},
		{map[string]any{"capture": "manual"}, map[string]string{"rbs": "", "payneteasy": "", "cashier": "", "transactworld": "", "sber": "/capture"}},
		{map[string]any{"capture": "manual", "payment_method": "qr"}, map[string]string{"cashier": "/capture", "rbs": "/payment_method", "payneteasy": "/payment_method", "transactworld": "/payment_method", "sber": "/payment_method"}},
		{map[string]any{"payment_method": "sberpay"}, map[string]string{"cashier": "", "rbs": "/payment_method", "payneteasy": "/payment_method", "transactworld": "/payment_method", "sber": "/payment_method"}},
		{map[string]any{"kind": "transfer"}, map[string]string{"rbs": "/kind", "payneteasy": "/kind", "cashier": "/kind", "transactworld": "/kind", "sber": ""}},
		{map[string]any{"kind": "transfer", "transfer": map[string]any{"saved_card": "sc_nobody"}}, map[string]string{"rbs": "/kind", "payneteasy": "/kind", "cashier": "/kind", "transactworld": "/kind", "sber": "/transfer/saved_card"}},
		{map[string]any{"transfer": map[string]any{"saved_card": "sc_nobody"}}, map[string]string{"rbs": "/transfer", "payneteasy": "/transfer", "cashier": "/transfer", "transactworld": "/transfer", "sber": "/transfer"}},
		{map[string]any{"save_card": true}, map[string]string{"rbs": "/customer/id", "payneteasy": "/customer/id", "cashier": "/customer/id", "transactworld": "/customer/id", "sber": ""}},
		{map[string]any{"saved_card": "sc_nobody", "customer": map[string]any{"id": "c-nobody"}}, map[string]string{"rbs": "/saved_card", "payneteasy": "/saved_card", "cashier": "/saved_card", "transactworld": "/saved_card"}},
		{map[string]any{"currency": "JPY", "amount": 7700}, map[string]string{"rbs": "", "payneteasy": "/currency", "cashier": "/currency"}},
		{map[string]any{"amount": 999_999_999_999}, map[string]string{"rbs": "", "payneteasy": "/amount", "cashier": "", "sber": ""}},
	} {
		for account, want := range row.answer {
			if got := w.refusedAt(t, "/v1/sessions", session(account, row.more)); got != want {
				t.Errorf("a session at %s with %v: refused at %q, want %q", account, row.more, got, want)
			}
		}
	}
	charge := func(account string, more map[string]any) map[string]any {
		body := map[string]any{"saved_card": saved[account], "amount": 7700, "currency": currency[account], "reference": order(),
			"billing": map[string]any{"address": "1 Abay St", "city": "Almaty", "zip": "050000", "country": "KZ", "phone": "77011234567", "email": "shopper@example.com"}}
		maps.Copy(body, more)
		return body
	}
	for _, row := range []struct {
		account string
		more    map[string]any
		want    string
	}{
		{"cashier", map[string]any{"currency": "KZT"}, "/currency"},
		{"payneteasy", map[string]any{"currency": "JPY"}, "/currency"},
		{"rbs", map[string]any{"saved_card": "sc_nobody"}, "/saved_card"},
		{"rbs", map[string]any{"customer": map[string]any{"id": "c-other"}}, "/customer/id"},
		{"rbs", map[string]any{"customer": map[string]any{"email": "nobody"}}, "/customer/email"},
		{"rbs", map[string]any{"ip": "localhost"}, "/ip"},
		{"rbs", map[string]any{"locale": "de"}, "/locale"},
	} {
		body := charge(row.account, row.more)
		if got := w.refusedAt(t, "/v1/charges", body); got != row.want {
			t.Errorf("a charge at %s with %v: refused at %q, want %q", row.account, row.more, got, row.want)
		}
		good := charge(row.account, map[string]any{"reference": body["reference"]})
		if got := w.refusedAt(t, "/v1/charges", good); got != "" {
			t.Errorf("a charge at %s after one with %v: refused at %q", row.account, row.more, got)
		}
	}
	if cards := w.savedCards(t, "sber", customers["sber"]); len(cards) == 0 {
		t.Error("no card is saved at sber")
	} else if got := w.refusedAt(t, "/v1/charges", charge("sber", map[string]any{"saved_card": cards[0].ID})); got != "/saved_card" {
		t.Errorf("a charge at sber, which wants the customer logged in: refused at %q", got)
	}
	for path, of := range map[string]struct {
		can  string
		body map[string]any
	}{
		"/v1/invoices":              {"transactworld", map[string]any{"success_url": "https://shop.example/ok", "amount": 7700}},
		"/v1/virtual_cards":         {"", map[string]any{"customer": "c-nobody"}},
		"/v1/customers/c-new/cards": {"transactworld", map[string]any{"card": map[string]any{"number": cardPlain, "expiry": "12/49", "cvc": "123", "name": "A B"}, "email": "a@b.example"}},
	} {
		for account := range currency {
			want := unsupported
			if account == of.can {
				want = ""
			}
			if account == "sber" && path == "/v1/virtual_cards" {
				continue // 409 without a login
			}
			body := map[string]any{"account": account, "reference": order()}
			if path == "/v1/invoices" {
				body["currency"] = currency[account]
			}
			maps.Copy(body, of.body)
			if got := w.refusedAt(t, path, body); got != want {
				t.Errorf("%s at %s: refused at %q, want %q", path, account, got, want)
			}
		}
	}
}
