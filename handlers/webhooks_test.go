package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/internal/webhook"
	"tollgate/session"
)

// delivered makes an endpoint and a delivery to it that failed once.
func (m *machine) delivered() (endpoint, delivery string) {
	m.t.Helper()
	ctx := m.t.Context()
	made := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`)
	made.is(http.StatusCreated, "")
	endpoint = made.field("id")
	now := m.clock.Now()
	s := &session.Session{ID: "cs_told", Merchant: "shop", Account: "acc", OrderID: "told", CreatedAt: now, LastEvent: 1}
	event := session.Event{N: 1, Type: "session.created", At: now, Data: json.RawMessage(`{"status":"open"}`)}
	if err := m.store.Create(ctx, s, session.Change{Events: []session.Event{event}}); err != nil {
		m.t.Fatal(err)
	}
	lines := m.store.Webhooks()
	for n := 1; n > 0; { // what the test did before it is told of as well
		var err error
		if n, err = lines.Feed(ctx, now, 100); err != nil {
			m.t.Fatal(err)
		}
	}
	js, err := lines.Claim(ctx, "w", m.clock.Now(), time.Minute, 1)
	if err != nil || len(js) != 1 {
		m.t.Fatal(js, err)
	}
	d, _, err := lines.Next(ctx, js[0], m.clock.Now())
	if err != nil || d == nil {
		m.t.Fatal(d, err)
	}
	try := webhook.Try{
		At: now, Took: 1500 * time.Millisecond, URL: "https://shop.example/hook", RequestHeaders: map[string]string{"webhook-id": d.Event},
		Status: 500, AnswerHeaders: map[string]string{"Content-Type": "text/plain"}, Answer: "no", Error: "answered 500",
	}
	if err := lines.Record(ctx, js[0], d.ID, try, m.clock.Now()); err != nil {
		m.t.Fatal(err)
	}
	if err := lines.Done(ctx, js[0]); err != nil {
		m.t.Fatal(err)
	}
	return endpoint, d.ID
}

func whole(t *testing.T) *machine {
	return boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
}

func TestAnEndpointShowsItsSecretOnce(t *testing.T) {
	m := whole(t)
	made := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook","description":"orders","events":["payment.*"],"asymmetric":true}`)
	made.is(http.StatusCreated, "")
	secret, id := made.field("secret"), made.field("id")
	if !strings.HasPrefix(secret, "whsec_") || !strings.HasPrefix(id, "we_") || made.Header().Get("Location") != "https://pay.example/v1/webhook_endpoints/"+id {
		t.Fatalf("%s, Location %s", made.Body, made.Header().Get("Location"))
	}
	for _, part := range []string{`"kind":"account"`, `"enabled":true`, `"failing":false`, `"events":["payment.*"]`, `"kind":"v1"`, `"kind":"v1a","public_key":"whpk_`} {
		if !strings.Contains(made.Body.String(), part) {
			t.Errorf("%s is not in %s", part, made.Body)
		}
	}
	for _, path := range []string{"/v1/webhook_endpoints/" + id, "/v1/webhook_endpoints", "/v1/webhook_keys"} {
		got := m.call(http.MethodGet, path, "")
		got.is(http.StatusOK, "")
		if strings.Contains(got.Body.String(), "whsec_") || strings.Contains(got.Body.String(), "secret") || !strings.Contains(got.Body.String(), `"kind":"v1"`) {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
	rotated := m.call(http.MethodPost, "/v1/webhook_endpoints/"+id+"/rotate", "")
	rotated.is(http.StatusOK, "")
	if s := rotated.field("secret"); s == secret || !strings.HasPrefix(s, "whsec_") || strings.Count(rotated.Body.String(), `"kind":"v1"`) != 2 {
		t.Errorf("%s", rotated.Body)
	}
	at := m.clock.Now()
	m.clock.Advance(24*time.Hour - time.Minute)
	if got := m.call(http.MethodGet, "/v1/webhook_endpoints/"+id, ""); strings.Count(got.Body.String(), `"kind":"v1"`) != 2 {
		t.Errorf("a day after %v without a minute: %s", at, got.Body)
	}
	m.clock.Advance(time.Minute)
	if got := m.call(http.MethodGet, "/v1/webhook_endpoints/"+id, ""); strings.Count(got.Body.String(), `"kind":"v1"`) != 1 {
		t.Errorf("a day after: %s", got.Body)
	}
	if own := m.call(http.MethodPost, "/v1/webhook_keys/rotate", `{"overlap_seconds":0,"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`); own.field("secret") != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Errorf("%s", own.Body)
	}
}

func TestACreateThatIsRepeatedMakesOneEndpoint(t *testing.T) {
	m := whole(t)
	create := func() reply {
		return m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`, keyHeader, "once")
	}
	create().same(create())
	if got := m.call(http.MethodGet, "/v1/webhook_endpoints", ""); strings.Count(got.Body.String(), `"id":`) != 1 {
		t.Errorf("%s", got.Body)
	}
}

func TestAnEndpointIsChangedAndDeleted(t *testing.T) {
	m := whole(t)
	id := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook","enabled":false}`).field("id")
	path := "/v1/webhook_endpoints/" + id
	got := m.call(http.MethodPatch, path, `{"url":"https://shop.example/new","events":["payment.paid"],"enabled":true,"description":"x"}`)
	got.is(http.StatusOK, "")
	for _, part := range []string{`"url":"https://shop.example/new"`, `"events":["payment.paid"]`, `"enabled":true`, `"description":"x"`} {
		if !strings.Contains(got.Body.String(), part) {
			t.Errorf("%s is not in %s", part, got.Body)
		}
	}
	got = m.call(http.MethodPatch, path, `{}`)
	if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"description":"x"`) {
		t.Errorf("an empty change: %d %s", got.Code, got.Body)
	}
	m.call(http.MethodDelete, path, "").is(http.StatusNoContent, "")
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		m.call(method, path, "{}").is(http.StatusNotFound, "not-found")
	}
}

func TestWhatIsWrongWithAnEndpointIsNamedByItsPointer(t *testing.T) {
	m := whole(t)
	id := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`).field("id")
	for _, c := range [][4]string{
		{http.MethodPost, "/v1/webhook_endpoints", `{}`, "/url"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"http://127.0.0.1/"}`, "/url"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://[::ffff:10.0.0.1]/"}`, "/url"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://2130706433/"}`, "/url"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/","events":["payment.paid","?"]}`, "/events/1"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/","events":["payment.*","refund.succeeded","refund.done"]}`, "/events/2"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/","secret":"whsec_c2hvcnQ="}`, "/secret"},
		{http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/","colour":1}`, "/colour"},
		{http.MethodPatch, "/v1/webhook_endpoints/" + id, `{"url":"https://169.254.169.254/"}`, "/url"},
		{http.MethodPatch, "/v1/webhook_endpoints/" + id, `{"description":"` + strings.Repeat("x", 501) + `"}`, "/description"},
		{http.MethodPost, "/v1/webhook_endpoints/" + id + "/rotate", `{"overlap_seconds":604801}`, "/overlap_seconds"},
		{http.MethodPost, "/v1/webhook_endpoints/" + id + "/rotate", `{"overlap_seconds":-1}`, "/overlap_seconds"},
		{http.MethodPost, "/v1/webhook_endpoints/" + id + "/resend", `{"from":"2026-03-04T12:00:00Z"}`, "/to"},
		{http.MethodPost, "/v1/webhook_endpoints/" + id + "/resend", `{"from":"2026-03-04T12:00:00Z","to":"2026-03-04T12:00:00Z"}`, "/to"},
		{http.MethodGet, "/v1/webhook_deliveries?limit=101", ``, "/limit"},
		{http.MethodGet, "/v1/webhook_deliveries?state=lost", ``, "/state"},
		{http.MethodGet, "/v1/webhook_endpoints?kind=x", ``, "/kind"},
		{http.MethodPost, "/v1/sessions", strings.Replace(order("o"), `"account"`, `"webhook_url":"https://10.0.0.1/","account"`, 1), "/webhook_url"},
	} {
		got := m.call(c[0], c[1], c[2])
		got.is(http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(got.Body.String(), `"pointer":"`+c[3]+`"`) {
			t.Errorf("%s %s %s: %s", c[0], c[1], c[2], got.Body)
		}
	}
	for range webhook.MaxEndpoints - 1 {
		m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/"}`).is(http.StatusCreated, "")
	}
	m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/"}`).is(http.StatusConflict, "too-many-endpoints")
}

func TestADeliveryIsReadWithItsTriesAndResent(t *testing.T) {
	m := whole(t)
	endpoint, id := m.delivered()
	got := m.call(http.MethodGet, "/v1/webhook_deliveries/"+id, "")
	got.is(http.StatusOK, "")
	var d struct {
		ID, Endpoint, Event, Type, Session, State string
		N                                         int
		TryCount                                  int `json:"try_count"`
		Body                                      struct{ ID, Type, Session string }
		Tries                                     []map[string]any
	}
	if err := json.Unmarshal(got.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.ID != id || d.Endpoint != endpoint || d.Event != "evt_cs_told_1" || d.Body.ID != d.Event || d.Body.Session != "cs_told" || d.State != "pending" || d.TryCount != 1 || len(d.Tries) != 1 {
		t.Fatalf("%s", got.Body)
	}
	if try := d.Tries[0]; try["status"] != 500.0 || try["took_ms"] != 1500.0 || try["response_body"] != "no" || try["error"] != "answered 500" ||
		try["request_headers"].(map[string]any)["webhook-id"] != d.Event {
		t.Errorf("%v", try)
	}
	list := m.call(http.MethodGet, "/v1/webhook_deliveries?limit=1&state=pending&endpoint="+endpoint, "")
	if list.Code != http.StatusOK || !strings.Contains(list.Body.String(), id) || !strings.Contains(list.Body.String(), `"has_more":true`) || strings.Contains(list.Body.String(), `"tries"`) {
		t.Errorf("%s", list.Body)
	}
	waiting := m.call(http.MethodPost, "/v1/webhook_deliveries/"+id+"/resend", "")
	waiting.is(http.StatusAccepted, "")
	if waiting.field("id") != id {
		t.Errorf("one that waits is doubled: %s", waiting.Body)
	}
	m.call(http.MethodPost, "/v1/webhook_deliveries/"+id+"/cancel", "").is(http.StatusOK, "")
	m.call(http.MethodPost, "/v1/webhook_deliveries/"+id+"/cancel", "").is(http.StatusConflict, "delivery-ended")
	again := m.call(http.MethodPost, "/v1/webhook_deliveries/"+id+"/resend", "")
	again.is(http.StatusAccepted, "")
	if again.field("id") == id || again.field("event") != d.Event || !strings.Contains(again.Body.String(), `"resend":true`) {
		t.Errorf("%s", again.Body)
	}
	m.call(http.MethodPost, "/v1/webhook_deliveries/"+again.field("id")+"/cancel", "").is(http.StatusOK, "")
	span := `{"from":"` + m.clock.Now().Add(-time.Hour).Format(time.RFC3339) + `","to":"` + m.clock.Now().Add(time.Hour).Format(time.RFC3339) + `"}`
	all := m.call(http.MethodPost, "/v1/webhook_endpoints/"+endpoint+"/resend", span)
	all.is(http.StatusAccepted, "")
	if !strings.Contains(all.Body.String(), `{"events":1}`) {
		t.Errorf("%s", all.Body)
	}
	m.call(http.MethodPatch, "/v1/webhook_endpoints/"+endpoint, `{"enabled":false}`).is(http.StatusOK, "")
	m.call(http.MethodPost, "/v1/webhook_deliveries/"+id+"/resend", "").is(http.StatusConflict, "endpoint-disabled")
	m.call(http.MethodPost, "/v1/webhook_endpoints/"+endpoint+"/resend", span).is(http.StatusConflict, "endpoint-disabled")
}
