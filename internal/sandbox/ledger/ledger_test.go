package ledger

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnOrderIsOneEntryHoweverOftenItIsPut(t *testing.T) {
	var l Ledger
	l.Put(Entry{Gateway: "rbs", GatewayOrderID: "2", Reference: "b-1"})
	l.Put(Entry{Gateway: "payneteasy", GatewayOrderID: "2", Reference: "c-1"})
	l.Put(Entry{Gateway: "rbs", GatewayOrderID: "1", Reference: "a-1"})
	l.Put(Entry{Gateway: "rbs", GatewayOrderID: "2", Reference: "b-1", Charges: 1})
	want := []Entry{
		{Gateway: "payneteasy", GatewayOrderID: "2", Reference: "c-1"},
		{Gateway: "rbs", GatewayOrderID: "2", Reference: "b-1", Charges: 1},
		{Gateway: "rbs", GatewayOrderID: "1", Reference: "a-1"},
	}
	if diff := cmp.Diff(want, l.All()); diff != "" {
		t.Error(diff)
	}
}

func TestTheWireNamesAreThoseOfTheContract(t *testing.T) {
	var l Ledger
	if raw, _ := json.Marshal(l.All()); string(raw) != "[]" {
		t.Errorf("an empty ledger is %s, want []", raw)
	}
	l.Put(Entry{"rbs", "o-1", "id", 100, "KZT", 90, 80, 70, 1})
	raw, err := json.Marshal(l.All())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"gateway":"rbs","reference":"o-1","gateway_order_id":"id","amount":100,"currency":"KZT","authorized":90,"captured":80,"refunded":70,"charges":1}]`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Error(diff)
	}
	l.Reset()
	if got := len(l.All()); got != 0 {
		t.Errorf("%d entries after Reset", got)
	}
}
