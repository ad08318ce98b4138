package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"tollgate/internal/sqlstore"
)

func TestACardIsImportedByAKeyOfThatScopeAndNeverToldWhoseItIs(t *testing.T) {
	m := bootWithEverything(t, sqlstore.Options{Dir: t.TempDir()})
	path := "/v1/customers/c-1/cards/import"
	body := `{"account":"acc","gateway_id":"b-1","card":{"first6":"400001","last4":"0720"},"expiry":"12/30"}`
	m.call(http.MethodPost, path, body, keyHeader, "i-1").is(http.StatusCreated, "")
	made := m.call(http.MethodPost, path, body, keyHeader, "i-2")
	made.is(http.StatusCreated, "")
	if list := m.call(http.MethodGet, "/v1/customers/c-1/cards", "").Body.String(); strings.Count(list, "sc_") != 1 || !strings.Contains(list, `"imported":true`) {
		t.Errorf("imported twice: %s", list)
	}
	other := m.call(http.MethodPost, "/v1/customers/c-2/cards/import", body, keyHeader, "i-3")
	other.is(http.StatusConflict, "not-yours")
	if strings.Contains(other.Body.String(), "c-1") {
		t.Errorf("it is told whose it is: %s", other.Body)
	}
	for name, bad := range map[string]string{
		"another account": `{"account":"nobody","gateway_id":"b"}`, "no name": `{"account":"acc","gateway_id":""}`,
		"a number": `{"account":"acc","gateway_id":"4000019900050008"}`, "an expiry": `{"account":"acc","gateway_id":"b","expiry":"2030"}`,
		"digits": `{"account":"acc","gateway_id":"b","card":{"first6":"","last4":"0720"}}`,
	} {
		if r := m.call(http.MethodPost, path, bad, keyHeader, "bad "+name); r.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, r.Code, r.Body)
		}
	}
	charge := `{"saved_card":"` + made.field("id") + `","amount":1200,"currency":"KZT","reference":"sub-1"}`
	first := m.call(http.MethodPost, "/v1/charges", charge, keyHeader, "c-1")
	first.is(http.StatusCreated, "")
	if again := m.call(http.MethodPost, "/v1/charges", charge, keyHeader, "c-1"); again.field("id") != first.field("id") || first.field("status") != "paid" {
		t.Errorf("a charge: %s, repeated: %s", first.Body, again.Body)
	}
}
