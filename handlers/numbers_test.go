package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// leaves are the texts that a request's body may hold, by JSON pointer, each with a body that holds it alone.
func leaves(s *openapi3.Schema, text string) map[string]any {
	out := map[string]any{}
	for _, all := range s.AllOf {
		for at, body := range leaves(all.Value, text) {
			out[at] = body
		}
	}
	switch {
	case s.Type.Is("string"):
		out[""] = text
	case s.Type.Is("array"):
		for at, body := range leaves(s.Items.Value, text) {
			out["/0"+at] = []any{body}
		}
	case s.Type.Is("object"):
		for name, of := range s.Properties {
			for at, body := range leaves(of.Value, text) {
				out["/"+name+at] = map[string]any{name: body}
			}
		}
		if of := s.AdditionalProperties.Schema; of != nil {
			for at, body := range leaves(of.Value, text) {
				out["/k"+at] = map[string]any{"k": body}
			}
		}
	}
	return out
}

// Whatever text of the contract a merchant's server fills with the number of a card, it is refused by name, not repeated, and not stored.
func TestACardNumberIsRefusedInEveryTextOfTheAPI(t *testing.T) {
	dir := t.TempDir()
	m := bootWithEverything(t, sqlstore.Options{Dir: dir})
	doc, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	id := m.paid("one")
	endpoint, delivery := m.delivered()
	m.savedCard("sc_1")
	values := strings.NewReplacer("{session}", id, "{endpoint}", endpoint, "{delivery}", delivery, "{card}", "sc_1", "{account}", "acc",
		"{customer}", "c-1", "{invoice}", "inv_1", "{n}", "1", "{key}", "none")
	refused := func(what string, answer reply, pointer string) {
		t.Helper()
		if answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", what, answer.Code, answer.Body)
			return
		}
		for _, part := range []string{"4000019900050107", "0199", "%30"} {
			if strings.Contains(answer.Body.String(), part) {
				t.Errorf("%s is repeated: %s", what, answer.Body)
			}
		}
		if faults := answer.faults(); pointer != "" && (len(faults) != 1 || faults[0][0] != pointer || !strings.Contains(faults[0][1], "number of a card")) {
			t.Errorf("%s is told as %v", what, faults)
		}
	}
	texts := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			for pointer := range leaves(op.RequestBody.Value.Content["application/json"].Schema.Value, "") {
				for _, number := range []string{"4000019900050107", "no 4000-0199-0005-0107, thanks", "４０００0199٠٠٠٥0107", "https://x.example/4000%200199%200005%200107"} {
					text := leaves(op.RequestBody.Value.Content["application/json"].Schema.Value, number)[pointer]
					body, err := json.Marshal(text)
					if err != nil {
						t.Fatal(err)
					}
					answer := m.call(method, values.Replace(path), string(body))
					switch what := method + " " + path + " " + pointer; {
					case pointer == "/card/number" || pointer == "/to/card/number":
						continue
					case strings.HasSuffix(path, "/reconcile"): // the bank's list, which is compared and not stored
						if strings.Contains(answer.Body.String(), "0199") {
							t.Errorf("%s is repeated: %s", what, answer.Body)
						}
						continue
					case slices.Contains([]string{"/from", "/to"}, pointer):
						pointer := ""
						refused(what, answer, pointer)
					default:
						texts++
						refused(what, answer, pointer)
					}
				}
			}
		}
	}
	if texts < 4*100 {
		t.Errorf("%d texts: the walk is broken", texts)
	}
	// Names, paths and headers are texts as well.
	const pan = "4000 0199 0005 0107"
	refused("a name of metadata", m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order("a"), "}")+`,"metadata":{"`+pan+`":"x"}}`), "/metadata/**** **** **** ****")
	refused("an escaped text", m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order("a"), "}")+`,"description":"`+strings.ReplaceAll(pan, "0", `\u0030`)+`"}`), "/description")
	for _, path := range []string{"/v1/customers/" + url.PathEscape(pan) + "/cards", "/v1/customers/4000019900050107/cards/import", "/v1/customers/4000019900050107/cards/refresh"} {
		refused(path, m.call(http.MethodPost, path, `{"account":"acc"}`), "/customer")
	}
	m.call(http.MethodPost, "/v1/sessions", order("a"), keyHeader, "order 4000019900050107").is(http.StatusBadRequest, "idempotency-key")
	m.call(http.MethodGet, "/v1/customers/4000019900050107/cards", "").is(http.StatusOK, "") // an earlier version may have stored it

	m.stop()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []string{"4000019900050107", "4000-0199", "4000 0199", "4000%200199", "４０００"} {
			if strings.Contains(string(raw), number) {
				t.Errorf("%s holds %s", filepath.Base(file), number)
			}
		}
	}
}

// What looks like a card's number at first sight and is none is taken: order ids of dates and counters, hashes, barcodes.
func TestLongNumbersThatAreNoCardsAreTaken(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for _, id := range []string{"20261127000000000004", "1764268739000004", "550e8400-e29b-41d4", "100200300400500600"} {
		made := strings.TrimSuffix(order(id), "}") + `,"metadata":{"barcode":"4006381333931","hash":"a4000019900050107f4000019900050107","account":"40817810099910004312"},
			"customer":{"id":"41234567-4123-4412-a123-555555554444","phone":"+77012345678"},"description":"27.11.2026 18:39, +7 701 234 56 78"}`
		m.call(http.MethodPost, "/v1/sessions", made).is(http.StatusCreated, "")
	}
}

// What a browser says of itself is kept and sent on with the card; the number of a card in it is neither.
func TestACardNumberInABrowsersHeadersIsNotStored(t *testing.T) {
	dir := t.TempDir()
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: dir}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("headers")).field("id")
	page := m.shopper(http.MethodGet, "/pay/"+id, nil)
	form := url.Values{"number": {"4000019900020720"}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}, "csrf": {"none"}}
	r := httptest.NewRequest(http.MethodPost, "/pay/"+id+"/card", strings.NewReader(form.Encode()))
	for name, value := range map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
		"User-Agent": "Wallet/1.0 4000 0199 0005 0107", "Accept": "text/html, pan/4000019900050107", "Accept-Language": "en-4000019900050107"} {
		r.Header.Set(name, value)
	}
	for _, c := range page.Result().Cookies() {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	if m.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s, err := m.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if told, err := json.Marshal(s); err != nil || len(s.Attempts) != 1 || strings.Contains(strings.ReplaceAll(string(told), " ", ""), "4000019900050107") {
		t.Errorf("stored: %s, %v", told, err)
	}
}
