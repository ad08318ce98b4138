package cashier_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/cashier"
)

// The document reads by GET and changes by POST.
func TestTheReadingCallsAreGets(t *testing.T) {
	f := newFake(map[string][]said{
		"read": {{0, orderAnswer(t)}}, "orders": {{0, read(t, "answers/orders_list_shell.json")}}, "banks": {{0, read(t, "answers/banklist_shell.json")}},
		"refund": {{0, orderAnswer(t, "status", "REFUNDED")}}, "order": {{0, orderAnswer(t)}}, "form": {{0, formAnswer}},
	})
	p, pay := f.open(t, nil), payment(t, true)
	if _, err := p.Status(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.History(t.Context(), providers.HistoryQuery{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Banks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Register(t.Context(), payment(t, false)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Do(t.Context(), pay, providers.Op{Kind: providers.Refund, Reference: "r1", Amount: pay.Amount}); err != nil {
		t.Fatal(err)
	}
	reads := map[string]bool{"read": true, "orders": true, "banks": true}
	for _, s := range f.seen {
		if isGet := strings.HasPrefix(s.line, "GET "); isGet != reads[s.call] || isGet && s.body != "" {
			t.Errorf("%s: %s %s", s.call, s.line, s.body)
		}
	}
	f = newFake(map[string][]said{"login": {{503, "down"}}, "status": {{0, orderAnswer(t)}}})
	if _, err := f.open(t, nil).Status(t.Context(), pay); err != nil || !strings.HasPrefix(f.last().line, "GET ") || !strings.HasSuffix(f.last().line, "/status/123456") {
		t.Errorf("%v: %s", err, f.last().line)
	}
}

func TestTheFiltersOfTheListAsTheyGoOverTheWire(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ask  providers.HistoryQuery
		want url.Values
	}{
		"nothing asked": {providers.HistoryQuery{}, url.Values{"tspId": {"1"}, "limit": {"100"}, "offset": {"0"}}},
		"everything asked": {
			providers.HistoryQuery{From: from, To: from.Add(time.Hour), Status: "CHARGED", Limit: 30, After: "60", AccountID: "7"},
			url.Values{"tspId": {"7"}, "dateFrom": {"2026-11-01T00:00:00Z"}, "dateTo": {"2026-11-01T01:00:00Z"}, "status": {"CHARGED"}, "limit": {"30"}, "offset": {"60"}},
		},
	} {
		f := newFake(map[string][]said{"orders": {{0, read(t, "answers/orders_list_shell.json")}}})
		if _, _, err := f.open(t, nil).History(t.Context(), c.ask); err != nil {
			t.Fatal(err)
		}
		_, query, _ := strings.Cut(f.last().line, "?")
		if query != c.want.Encode() {
			t.Errorf("%s: %s, want %s", name, query, c.want.Encode())
		}
	}
}

func TestEveryCurrencyOfTheDocumentIsTaken(t *testing.T) {
	for _, code := range []string{"USD", "EUR", "AED", "THB", "RUB", "TRY"} {
		f := newFake(map[string][]said{"order": {{0, orderAnswer(t, "orderAmount", 100, "orderCurrency", code)}}, "form": {{0, formAnswer}}})
		pay := payment(t, false)
		pay.Amount = money.Amount{Minor: 100, Currency: currency(t, code)}
		p := f.open(t, func(c *cashier.Config) { c.AmountMode = cashier.ModeOrder })
		if err := p.Check(pay); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		if _, err := p.Register(t.Context(), pay); err != nil || !strings.Contains(f.seen[1].body, `"orderAmount":100,"orderCurrency":"`+code+`"`) {
			t.Errorf("%s: %v %s", code, err, f.seen[1].body)
		}
		c := config()
		c.OrderCurrency = code
		if faults := c.Faults(); len(faults) != 0 {
			t.Errorf("order_currency %s: %q", code, faults)
		}
	}
}
