package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// banker is a gateway that wants the customer before the card, and knows none.
type banker struct{ *gateway }

func (banker) FindCustomer(context.Context, string) (string, error) {
	return "", providers.ErrNoCustomer
}
func (banker) SendCode(context.Context, string) (string, error) { return "challenge", nil }
func (banker) Exchange(context.Context, string, string) (providers.Credential, error) {
	return providers.Credential{}, providers.ErrWrongCode
}
func (banker) CodeLife() time.Duration { return time.Minute }

// post sends a form of a payment's pages as a browser that says where the form came from.
func (m *machine) post(path string, form url.Values, headers ...string) reply {
	headers = append(headers, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	return m.call(http.MethodPost, path, form.Encode(), headers...)
}

func TestMetricsAndLogsNameOnlyKnownMethods(t *testing.T) {
	var log bytes.Buffer
	labels := map[string]bool{}
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		log:     slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		observe: func(route, method string, _ int, _ time.Duration) { labels[route+" "+method] = true },
	})
	for i := range 200 {
		method := fmt.Sprintf("X%d%s", i, strings.Repeat("M", 1000))
		for _, path := range []string{"/healthz", "/nowhere-" + method, "/pay/" + method, "/v1/" + method, "/callbacks/" + method,
			"/3ds/x/return"} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("User-Agent", method)
			r.Host = method + ".example"
			m.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if len(labels) > 12 {
		t.Errorf("%d different labels", len(labels))
	}
	for label := range labels {
		if !strings.HasSuffix(label, " other") || len(label) > 100 {
			t.Errorf("a label is %.200s", label)
		}
	}
	if strings.Contains(log.String(), "MMMM") {
		t.Error("the log holds what a stranger sent")
	}
}

func TestOnlyAShortPlainRequestIDIsRepeated(t *testing.T) {
	var log bytes.Buffer
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	for _, id := range []string{"a", "req-1.2_X", "550e8400-e29b-41d4-a716-446655440000", strings.Repeat("a", 64)} {
		got := m.call(http.MethodGet, "/v1/sessions/none", "", "X-Request-Id", id)
		if got.Header().Get("X-Request-Id") != id || got.field("request_id") != id {
			t.Errorf("%q comes back as %q", id, got.Header().Get("X-Request-Id"))
		}
	}
	for _, id := range []string{strings.Repeat("a", 65), strings.Repeat("x", 30<<10), "a b", "a\tb", "<b>", "ы", "a\"b",
		"4000019900050107", "card-4000019900050107"} {
		got := m.call(http.MethodGet, "/v1/sessions/none", "", "X-Request-Id", id)
		own := got.Header().Get("X-Request-Id")
		if own == id || own != got.field("request_id") || len(own) != 16 {
			t.Errorf("%.40q comes back as %.40q", id, own)
		}
		if strings.Contains(log.String(), id) {
			t.Errorf("%.40q is in the log", id)
		}
		if page := m.call(http.MethodGet, "/pay/none", "", "X-Request-Id", id); page.Header().Get("X-Request-Id") == id {
			t.Errorf("%.40q comes back with a page", id)
		}
	}
}

func TestAnErrorListsTwentyProblemsAndSaysHowManyMore(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	members := func(n int, name string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s%05d":"x"`, name, i)
		}
		return b.String()
	}
	lists := map[string]string{
		"unknown members": strings.TrimSuffix(order("a"), "}") + members(20_000, "m") + "}",
		"metadata":        strings.TrimSuffix(order("a"), "}") + `,"metadata":{"a":"b"` + members(5000, strings.Repeat("n", 50)) + "}}",
		"nested":          strings.TrimSuffix(order("a"), "}") + `,"customer":{"id":"b"` + members(20_000, "m") + "}}",
		"long names":      strings.TrimSuffix(order("a"), "}") + members(40, strings.Repeat("n", 10_000)) + "}",
		"wrong types":     strings.TrimSuffix(order("a"), "}") + `,"metadata":{"a":"b"` + strings.ReplaceAll(members(20_000, "m"), `"x"`, "1") + "}}",
	}
	for what, body := range lists {
		answer := m.call(http.MethodPost, "/v1/sessions", body)
		answer.is(http.StatusUnprocessableEntity, "invalid")
		var problem struct {
			Left int `json:"errors_left"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		if n := len(answer.faults()); n != 20 || problem.Left < 20 || answer.Body.Len() > 8<<10 {
			t.Errorf("%s: %d problems and %d more in %d bytes", what, n, problem.Left, answer.Body.Len())
		}
	}
	few := m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order("a"), "}")+members(3, "m")+"}")
	if len(few.faults()) != 3 || strings.Contains(few.Body.String(), "errors_left") {
		t.Errorf("three problems are told as %s", few.Body)
	}
}

func TestNoErrorOfTheAPIRepeatsACardNumber(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for _, number := range []string{"4000019900050107", "4000 0199 0005 0107", "4000-0199-0005-0107", "400001990005010"} {
		for _, member := range []string{`"` + number + `":1`, `"card ` + number + `":{}`, `"customer":{"` + number + `":1}`,
			`"metadata":{"` + number + strings.Repeat("n", 50) + `":"x"}`, `"capture":"` + number + `"`, `"customer":{"phone":"` + number + `x"}`} {
			answer := m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order("a"), "}")+","+member+"}")
			answer.is(http.StatusUnprocessableEntity, "invalid")
			if strings.Contains(answer.Body.String(), number) {
				t.Errorf("%s is answered %s", member, answer.Body)
			}
		}
	}
	for _, query := range []string{"limit", "status", "created_after", "before"} {
		query = "?" + query + "=4000019900050107"
		if answer := m.call(http.MethodGet, "/v1/sessions"+query, ""); strings.Contains(answer.Body.String(), "4000019900050107") {
			t.Errorf("%s is answered %s", query, answer.Body)
		}
	}
}

func TestWhatMayBeACardNumberIsNotShownAgain(t *testing.T) {
	numbers := []string{
		"4000019900050107", "4000 0199 0005 0107", "4000-0199-0005-0107", "+4000019900050107", "378282246310005",
		"4000.0199.0005.0107", "30569309025904", "400001990005010",
		"4 0 0 0 0 1 9 9 0 0 0 5 0 1 0 7", "4000  0199  0005  0107  and more", "４０００ ０１９９ ０００５ ０１０７",
	}
	none := func(t *testing.T, answer reply, number string) {
		t.Helper()
		answer.is(http.StatusUnprocessableEntity, "")
		if cut := []rune(number); strings.Contains(answer.Body.String(), string(cut[:min(len(cut), 12)])) {
			t.Errorf("%q is shown again", number)
		}
	}
	t.Run("as a phone", func(t *testing.T) {
		logsIn := func(g *gateway) providers.Provider { return banker{g} }
		m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: logsIn})
		path := "/pay/" + m.call(http.MethodPost, "/v1/sessions", order("a")).field("id") + "/phone"
		for _, number := range numbers {
			none(t, m.post(path, url.Values{"phone": {number}}), number)
		}
		for _, phone := range []string{"+7 917 123-45-67", "+998901234567", "12345"} {
			if answer := m.post(path, url.Values{"phone": {phone}}); !strings.Contains(answer.Body.String(), `value="`+phone+`"`) {
				t.Errorf("the phone %s has to be typed again", phone)
			}
		}
	})
	t.Run("as a name or a date", func(t *testing.T) {
		m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
		path := "/pay/" + m.call(http.MethodPost, "/v1/sessions", order("a")).field("id") + "/card"
		for _, number := range numbers {
			for _, field := range []string{"number", "name", "expiry", "cvc", "to_number"} {
				form := url.Values{"number": {"1"}, "name": {"A B"}, "expiry": {"12/30"}, "cvc": {"1"}}
				form.Set(field, number)
				none(t, m.post(path, form), number)
			}
		}
	})
}

func TestAFormOfAPaymentPageIsBounded(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.call(http.MethodPost, "/v1/sessions", order("a")).field("id")
	many := url.Values{}
	for i := range 101 {
		many.Set(fmt.Sprint("f", i), "1")
	}
	for _, path := range []string{"", "/card", "/cancel", "/other", "/start", "/saved", "/saved/delete", "/customer", "/phone", "/phone/other", "/code", "/code/again"} {
		for what, form := range map[string]url.Values{
			"a large field": {"name": {strings.Repeat("x", 33<<10)}}, "many fields": many,
		} {
			if got := m.post("/pay/"+id+path, form); got.Code != http.StatusRequestEntityTooLarge || got.Body.Len() > 8<<10 {
				t.Errorf("%s at %q: %d", what, path, got.Code)
			}
		}
		parts := "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n" + strings.Repeat("x", 33<<10) + "\r\n--b--\r\n"
		r := httptest.NewRequest(http.MethodPost, "/pay/"+id+path, struct{ *strings.Reader }{strings.NewReader(parts)}) // of unknown length
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		if m.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a large part at %q: %d", path, w.Code)
		}
	}
}
