package handlers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"pgregory.net/rapid"

	"tollgate/handlers"
	"tollgate/internal/card"
	"tollgate/internal/clock"
	"tollgate/internal/merchant"
	"tollgate/internal/money"
	"tollgate/internal/sqlstore"
	"tollgate/internal/wallet"
	"tollgate/internal/webhook"
	"tollgate/providers"
)

// contract is the API's contract as the tests judge by it: an answer may hold nothing that is not described, although
// clients are asked to let unknown members pass.
var contract = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		return nil, err
	}
	shut := func(s *openapi3.Schema) {
		if s.Type.Is("object") && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			s.AdditionalProperties.Has = new(bool)
		}
	}
	for _, s := range doc.Components.Schemas {
		shut(s.Value)
		for _, p := range s.Value.Properties {
			shut(p.Value)
		}
	}
	return doc, nil
})

// operation is one of the contract.
type operation struct {
	*openapi3.Operation
	method, path string
	item         *openapi3.PathItem
}

func (o operation) name() string { return o.method + " " + o.path }

// echoName is the operation as Echo lists its route.
func (o operation) echoName() string {
	return o.method + " " + strings.NewReplacer("{", ":", "}", "").Replace(o.path)
}

func (o operation) parameters() openapi3.Parameters {
	return slices.Concat(o.item.Parameters, o.Parameters)
}

// operations lists the contract's, always in the same order.
func operations(t testing.TB) []operation {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var listed = sync.OnceValues(func() (all []operation, err error) {
	doc, err := contract()
	if err != nil {
		return nil, err
	}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			all = append(all, operation{item.Operations()[method], method, path, item})
		}
	}
	return all, nil
})

// find tells which operation a request is, and the values in its path.
func find(t testing.TB, r *http.Request) (operation, map[string]string, bool) {
	parts := strings.Split(r.URL.EscapedPath(), "/")
next:
	for _, o := range operations(t) {
		want := strings.Split(o.path, "/")
		if o.method != r.Method || len(want) != len(parts) {
			continue
		}
		values := map[string]string{}
		for i, w := range want {
			if name, ok := strings.CutPrefix(w, "{"); ok {
				value, err := url.PathUnescape(parts[i])
				if err != nil || value == "" {
					continue next
				}
				values[strings.TrimSuffix(name, "}")] = value
			} else if w != parts[i] {
				continue next
			}
		}
		return o, values, true
	}
	return operation{}, nil, false
}

// ServeHTTP answers as the front does, and holds every answer of the API against the contract: what all tests of this
// package do is judged here.
func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		m.Echo.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		m.t.Error(err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	m.Echo.ServeHTTP(rec, r)
	if op, values, ok := find(m.t, r); ok {
		if err := judge(op, values, r, body, rec); err != nil {
			m.t.Errorf("%s %s %.300q\nanswered %d %.600q\n%v", r.Method, r.URL, body, rec.Code, rec.Body, err)
		}
		if m.judged != nil {
			m.judged(op, rec.Code)
		}
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	if rec.Body.Len() == 0 {
		return
	}
	if _, err := w.Write(rec.Body.Bytes()); err != nil {
		m.t.Error(err)
	}
}

// judge compares a request and its answer with the contract:
//   - the answer's status, headers and body are described;
//   - what is accepted is what the contract lets in;
//   - what the contract lets in is not called unreadable.
func judge(op operation, values map[string]string, r *http.Request, body []byte, answer *httptest.ResponseRecorder) error {
	doc, err := contract()
	if err != nil {
		return err
	}
	body = withoutNulls(body)
	copied := r.Clone(context.Background())
	query := copied.URL.Query()
	maps.DeleteFunc(query, func(_ string, values []string) bool { return values[0] == "" }) // as if it were left out
	copied.URL.RawQuery = query.Encode()
	copied.Body, copied.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if len(body) > 0 && copied.Header.Get("Content-Type") == "" { // the front reads JSON whatever it is called
		copied.Header.Set("Content-Type", "application/json")
	}
	in := &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: values,
		Route:   &routers.Route{Spec: doc, Path: op.path, PathItem: op.item, Method: op.method, Operation: op.Operation},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true, IncludeResponseStatus: true},
	}
	refused := openapi3filter.ValidateRequest(context.Background(), in)
	if refused == nil && op.RequestBody != nil && len(body) > 0 && !json.Valid(body) { // the filter reads the first value of several
		refused = errors.New("the body is not one JSON value")
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.Code, Header: answer.Header(), Options: in.Options,
		Body: io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
	})
	if err != nil {
		return fmt.Errorf("the answer is not in the contract: %w", err)
	}
	if answer.Code < 300 && refused != nil {
		return fmt.Errorf("accepted, but not in the contract: %w", refused)
	}
	if refused == nil && json.Valid(body) && // the validator passes over what follows the first value
		strings.Contains(answer.Body.String(), "urn:tollgate:problem:bad-json") && !bytes.Contains(body, []byte(`\u0000`)) {
		return errors.New("the contract allows the body, but the front could not read it")
	}
	return nil
}

// withoutNulls leaves out the members that are null, as the front does; what is not JSON stays as it is.
func withoutNulls(body []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if !json.Valid(body) || d.Decode(&v) != nil {
		return body
	}
	var clean func(any)
	clean = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			maps.DeleteFunc(v, func(_ string, member any) bool { return member == nil })
			for _, member := range v {
				clean(member)
			}
		case []any:
			for _, one := range v {
				clean(one)
			}
		}
	}
	clean(v)
	out, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return out
}

func TestEveryRouteHasAnOperationAndEveryOperationARoute(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	var routes, described []string
	for _, r := range apiRoutes(t, m) {
		routes = append(routes, r[0]+" "+r[1])
	}
	ids := map[string]bool{}
	for _, o := range operations(t) {
		described = append(described, o.echoName())
		if o.OperationID == "" || ids[o.OperationID] {
			t.Errorf("%s: operationId %q is empty or not its own", o.name(), o.OperationID)
		}
		ids[o.OperationID] = true
		if o.Summary == "" || len(o.Tags) != 1 {
			t.Errorf("%s: no summary or not one tag", o.name())
		}
	}
	for _, r := range routes {
		if !slices.Contains(described, r) {
			t.Errorf("%s has a route and is not in openapi.yaml", r)
		}
	}
	for _, d := range described {
		if !slices.Contains(routes, d) {
			t.Errorf("%s is in openapi.yaml and has no route", d)
		}
	}
}

func TestTheContractNamesTheScopesThatReachACall(t *testing.T) {
	for _, scope := range merchant.Scopes() {
		m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, shop(merchant.Key{Hash: merchant.HashKey(scopedKey), Scopes: []merchant.Scope{scope}}))
		m.key = scopedKey
		for _, o := range operations(t) {
			got := m.call(o.method, strings.NewReplacer("{", "no-such-", "}", "").Replace(o.path), "{}")
			named := false
			if list, ok := o.Extensions["x-scopes"].([]any); ok {
				named = slices.Contains(list, any(string(scope)))
			}
			if reaches := got.Code != http.StatusForbidden; reaches != named {
				t.Errorf("%s with scope %s: reaches %v, the contract says %v", o.name(), scope, reaches, named)
			}
		}
	}
}

// fullGateway is a gateway that can do everything the API has a call for.
type fullGateway struct{ *gateway }

func (fullGateway) Instruments() []string { return []string{"qr", "hosted"} }

func (fullGateway) Cards(context.Context, providers.Owner) ([]providers.SavedCard, error) {
	return nil, errors.ErrUnsupported
}

func (fullGateway) CheckCard(_ context.Context, _ providers.Owner, id string) (providers.SavedCard, error) {
	return providers.SavedCard{ID: id, Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}, Expiry: "12/31", Active: true}, nil
}

func (fullGateway) Remember(context.Context, providers.Payment, providers.Standing) (providers.SavedCard, error) {
	return providers.SavedCard{}, nil
}

func (fullGateway) Forget(context.Context, providers.Owner, string, string) error { return nil }
func (fullGateway) AsksCode() bool                                                { return false }

func (fullGateway) RenameCard(context.Context, providers.Owner, string, string, string) error {
	return nil
}

func (fullGateway) Kinds() []providers.OpLimits {
	return []providers.OpLimits{{Kind: providers.Capture, Partial: true}, {Kind: providers.Void}, {Kind: providers.Refund, Partial: true}}
}

// Do is remembered of holds, which Status then shows.
func (a fullGateway) Do(ctx context.Context, p providers.Payment, op providers.Op) (providers.OpResult, error) {
	if op.Kind != providers.Refund {
		a.holds.Store(p.Ref.Reference, op)
	}
	return a.gateway.Do(ctx, p, op)
}

// Status says that what was to be held is held, captured or voided, and that everything else is paid.
func (a fullGateway) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	st, err := a.gateway.Status(ctx, p)
	if p.Hold {
		st.Outcome, st.Held, st.Captured = providers.Authorized, p.Amount.Minor, 0
		if done, ok := a.holds.Load(p.Ref.Reference); ok {
			switch op := done.(providers.Op); op.Kind {
			case providers.Capture:
				st.Outcome, st.Captured = providers.Paid, op.Amount.Minor
			case providers.Void:
				st.Outcome, st.Held = providers.Voided, 0
			}
		}
	}
	return st, err
}

func (fullGateway) CheckPayout(providers.Payment, providers.Destination) error { return nil }

func (fullGateway) Payout(context.Context, providers.Payment, providers.Destination) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpPending, GatewayID: "po-1"}, nil
}

func (fullGateway) InquirePayout(context.Context, providers.Payment, providers.OpResult) (providers.OpResult, error) {
	return providers.OpResult{State: providers.OpSucceeded, GatewayID: "po-1"}, nil
}

func (fullGateway) Banks(context.Context) ([]providers.Bank, error) {
	return []providers.Bank{{ID: "100", Name: "Kaspi"}}, nil
}

func (fullGateway) History(_ context.Context, q providers.HistoryQuery) ([]providers.HistoryLine, string, error) {
	kzt, err := money.ParseCurrency("KZT")
	return []providers.HistoryLine{{
		Reference: "order-1", OrderID: "g-1", At: q.From, Kind: "payment", Outcome: providers.Paid, Amount: money.Amount{Minor: 1500, Currency: kzt},
		Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}, Authorization: providers.Authorization{ApprovalCode: "123456", At: q.From},
	}, {Kind: "other", Outcome: providers.Unclear, Amount: money.Amount{Minor: -1, Currency: kzt}}}, "", err
}

func (fullGateway) RegisterCard(_ context.Context, _ providers.Owner, reference string, c card.Card, _ providers.Payment) (providers.SavedCard, error) {
	return providers.SavedCard{ID: "reg-" + reference, Card: c.Number.Masked(), Expiry: "12/30", Active: true}, nil
}

func (fullGateway) IssueVirtualCard(_ context.Context, _ providers.Owner, reference string) (providers.SavedCard, error) {
	return providers.SavedCard{ID: "v-" + reference, Card: card.Masked{First6: "220220", Last4: "0011"}, Active: true}, nil
}

func (fullGateway) CreateInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	in.GatewayID, in.URL, in.Status = "i-"+in.Reference, "https://bills.example/"+in.Reference, providers.Waiting
	return in, nil
}

func (fullGateway) RenewInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	in.URL, in.Status = in.URL+"/again", providers.Waiting
	return in, nil
}

func (fullGateway) InquireInvoice(_ context.Context, in providers.Invoice) (providers.Invoice, error) {
	in.Status = providers.Waiting
	return in, nil
}

var _ interface {
	providers.CardKeeper
	providers.CardRegistrar
	providers.VirtualCardIssuer
	providers.Invoicer
	providers.CardRenamer
	providers.Payer
	providers.BankLister
	providers.Historian
	providers.InstrumentLister
} = fullGateway{}

func bootWithEverything(t *testing.T, at sqlstore.Options) *machine {
	return boot(t, &clock.Clock{}, at, tune{provider: func(g *gateway) providers.Provider { return fullGateway{g} }})
}

// savedCard makes a saved card of the shop's customer c-1.
func (m *machine) savedCard(id string) string {
	m.t.Helper()
	err := m.store.SaveCard(m.t.Context(), &wallet.SavedCard{
		ID: id, Merchant: "shop", Account: "acc", Customer: "c-1", GatewayID: "b-" + id, Expiry: "12/30", Name: "blue",
		Card: card.Masked{Brand: "visa", First6: "400001", Last4: "0720"}, CreatedAt: m.clock.Now(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

// A walk over all operations: each is called with success once, and what it answers is in the contract.
func TestEveryOperationIsExercised(t *testing.T) {
	m := bootWithEverything(t, sqlstore.Options{Dir: t.TempDir()})
	succeeded, keys := map[string]bool{}, 0
	m.judged = func(op operation, code int) {
		if code < 300 {
			succeeded[op.name()] = true
		}
	}
	get := func(path string) reply {
		t.Helper()
		r := m.call(http.MethodGet, path, "")
		r.is(http.StatusOK, "")
		return r
	}
	post := func(path, body string, code int) reply {
		t.Helper()
		keys++
		r := m.call(http.MethodPost, path, body, keyHeader, fmt.Sprint("walk-", keys))
		r.is(code, "")
		return r
	}
	get("/v1/accounts")
	get("/v1/accounts/acc/banks")
	get("/v1/accounts/acc/history?from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z")
	post("/v1/accounts/acc/reconcile", `{"from":"2026-11-20T00:00:00Z","to":"2026-11-21T00:00:00Z","repair":false,
		"orders":[{"reference":"order-1","gateway_order_id":"g-1","amount":"15.00","currency":"KZT","status":"paid"}]}`, http.StatusOK)

	open := post("/v1/sessions", `{"account":"acc","amount":1500,"currency":"KZT","order_id":"whole","success_url":"https://shop.example/ok","cancel_url":"https://shop.example/no",
		"kind":"payment","payment_method":"card","capture":"manual","fee":0,"description":"Тапсырыс","locale":"kk","customer":{"id":"c-1","email":"a@shop.example","phone":"+77010000000"},
		"billing":{"first_name":"A","last_name":"B","address":"1","city":"Almaty","state":"","zip":"050000","country":"KZ","phone":"7","email":"a@shop.example"},
		"save_card":true,"expires_in":600,"metadata":{"basket":"88"},"webhook_url":"https://shop.example/hook"}`, http.StatusCreated).field("id")
	post("/v1/sessions/"+open+"/inquire", "", http.StatusOK)
	post("/v1/sessions/"+open+"/cancel", "", http.StatusOK)
	get("/v1/sessions/" + open)
	get("/v1/sessions?status=cancelled&account=acc&order_id=whole&limit=1")
	get("/v1/sessions/" + open + "/events?after=1")

	post("/v1/sessions/"+m.held("odd")+"/settle", `{"outcome":"not_paid","reason":"not in the bank's register"}`, http.StatusOK)
	get("/v1/sessions?held=false&needs_review=false")

	saved := m.savedCard("sc_one")
	get("/v1/customers/c-1/cards?account=acc")
	m.call(http.MethodPatch, "/v1/cards/"+saved, `{"name":"the blue one"}`).is(http.StatusOK, "")
	charge := func(reference, capture string) reply {
		return post("/v1/charges", `{"saved_card":"sc_one","amount":1200,"currency":"KZT","reference":"`+reference+`","capture":"`+capture+`"}`, http.StatusCreated)
	}
	taken := charge("taken", "automatic")
	if taken.field("status") != "paid" {
		t.Errorf("a charge: %s", taken.Body)
	}
	post("/v1/sessions/"+taken.field("id")+"/refunds", `{"amount":200}`, http.StatusCreated)
	get("/v1/sessions/" + taken.field("id") + "/operations")
	get("/v1/sessions/" + taken.field("id") + "/operations/1")
	get("/v1/sessions/" + taken.field("id") + "/refunds")
	if refund := get("/v1/sessions/" + taken.field("id") + "/refunds/1"); refund.field("kind") != "refund" || refund.field("state") != "succeeded" {
		t.Errorf("a refund: %s", refund.Body)
	}
	if line := get("/v1/sessions/" + taken.field("id") + "/attempts/1/timeline"); !strings.Contains(line.Body.String(), `"name":"payment.paid"`) {
		t.Errorf("a timeline: %s", line.Body)
	}
	for reference, do := range map[string]string{"held-1": "capture", "held-2": "void"} {
		held := charge(reference, "manual")
		if held.field("status") != "authorized" {
			t.Errorf("a hold: %s", held.Body)
		}
		if op := post("/v1/sessions/"+held.field("id")+"/"+do, "", http.StatusCreated); op.field("state") != "succeeded" {
			t.Errorf("%s: %s", do, op.Body)
		}
	}
	paid := post("/v1/payouts", `{"account":"acc","amount":700,"currency":"KZT","reference":"out","to":{"card":{"number":"4000 0199 0002 0720","holder":"A B"}}}`, http.StatusCreated)
	if paid.field("status") != "paid" || paid.field("kind") != "payout" || strings.Contains(paid.Body.String(), "4000019900020720") {
		t.Errorf("a payout: %s", paid.Body)
	}
	m.call(http.MethodDelete, "/v1/cards/"+saved, "").is(http.StatusNoContent, "")
	post("/v1/customers/c-1/cards/import", `{"account":"acc","gateway_id":"known","card":{"first6":"400001","last4":"0720"},"expiry":"12/30","name":"n","series":"s"}`, http.StatusCreated)
	post("/v1/customers/c-1/cards/refresh", `{"account":"acc"}`, http.StatusOK)
	post("/v1/customers/c-1/cards", `{"account":"acc","reference":"kept","email":"a@shop.example","card":{"number":"4000 0199 0002 0720","expiry":"12/30","cvc":"123","name":"A B"}}`, http.StatusCreated)
	post("/v1/virtual_cards", `{"account":"acc","customer":"c-1","reference":"empty"}`, http.StatusCreated)
	bill := post("/v1/invoices", `{"account":"acc","amount":5000,"currency":"KZT","reference":"bill","description":"Сабақ","customer":{"email":"a@shop.example"},
		"success_url":"https://shop.example/ok","metadata":{"lesson":"7"}}`, http.StatusCreated)
	if bill.field("status") != "open" || bill.field("url") == "" || bill.Header().Get("Location") != "https://pay.example/v1/invoices/"+bill.field("id") {
		t.Errorf("an invoice: %s", bill.Body)
	}
	get("/v1/invoices?account=acc&reference=bill&status=open&limit=1")
	get("/v1/invoices/" + bill.field("id"))
	if renewed := post("/v1/invoices/"+bill.field("id")+"/renew", "", http.StatusOK); renewed.field("url") == bill.field("url") {
		t.Errorf("renewed: %s", renewed.Body)
	}

	endpoint, delivery := m.delivered()
	get("/v1/events?limit=100")
	get("/v1/webhook_endpoints?kind=account")
	get("/v1/webhook_endpoints?kind=session")
	get("/v1/webhook_endpoints/" + endpoint)
	get("/v1/webhook_keys")
	get("/v1/webhook_deliveries?state=pending&limit=100")
	get("/v1/webhook_deliveries/" + delivery)
	post("/v1/webhook_keys/rotate", `{"asymmetric":true}`, http.StatusOK)
	post("/v1/webhook_endpoints/"+endpoint+"/rotate", `{"overlap_seconds":60}`, http.StatusOK)
	now := m.clock.Now()
	post("/v1/webhook_endpoints/"+endpoint+"/resend", `{"from":"`+now.Add(-time.Hour).Format(time.RFC3339)+`","to":"`+now.Add(time.Hour).Format(time.RFC3339)+`"}`, http.StatusAccepted)
	post("/v1/webhook_deliveries/"+delivery+"/resend", "", http.StatusAccepted)
	post("/v1/webhook_deliveries/"+delivery+"/cancel", "", http.StatusOK)
	m.call(http.MethodPatch, "/v1/webhook_endpoints/"+endpoint, `{"enabled":false,"description":"off"}`).is(http.StatusOK, "")
	m.call(http.MethodDelete, "/v1/webhook_endpoints/"+endpoint, "").is(http.StatusNoContent, "")
	m.call(http.MethodDelete, "/v1/api_keys/"+merchant.HashKey(shopKey), "").is(http.StatusNoContent, "")

	for _, o := range operations(t) {
		if !succeeded[o.name()] {
			t.Errorf("%s was never called with success: add it to this walk", o.name())
		}
	}
}

// randomRequests makes requests out of the contract: mostly such as it describes, sometimes broken in one place.
type randomRequests struct {
	*rand.Rand
	known    map[string][]string // by the name of a member or parameter: values that mean something
	patterns map[string][]string // by pattern: texts that fit
}

func (c *randomRequests) one(of []string) string { return of[c.IntN(len(of))] }

// odd are texts that have broken servers before.
var odd = []string{
	"", " ", "0", "-1", "null", "true", "\x00", "a\x00b", "\r\nX-Evil: 1", "\t", "é", "Қазақстан", "💳", "\u202e", "\ufeff", "\xff\xfe", "\xed\xa0\x80", "\u2028", "'; --", "%00", "../..", "<b>",
	`"`, `\`, "{}", "9223372036854775808", "1e400", "NaN", strings.Repeat("x", 41), strings.Repeat("ш", 501), strings.Repeat("y", 2000), "latest", "2026-11-21T10:00:00Z",
	"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-21T10:00:00+23:59", "https://shop.example/ok", "http://127.0.0.1/", "javascript:alert(1)", "//evil", "https://a@b/",
}

// text is a string for a schema.
func (c *randomRequests) text(s *openapi3.Schema, name string, wild bool) string {
	if known := c.known[name]; len(known) > 0 && c.IntN(4) > 0 {
		return c.one(known)
	}
	switch {
	case wild:
		return c.one(odd)
	case len(s.Enum) > 0:
		text, _ := s.Enum[c.IntN(len(s.Enum))].(string)
		return text
	case s.Pattern != "":
		fit, ok := c.patterns[s.Pattern]
		if !ok {
			for i := range 30 {
				fit = append(fit, rapid.StringMatching(s.Pattern).Example(i))
			}
			c.patterns[s.Pattern] = fit
		}
		return c.one(fit)
	case s.Format == "date-time":
		return time.Unix(c.Int64N(1<<33), c.Int64N(1e9)).UTC().Format(time.RFC3339Nano)
	case s.Format == "uri":
		return c.one([]string{"https://shop.example/ok?a=b", "https://1.1.1.1/hook", "https://shop.example:8443/", "http://shop.example/", "https://shop.example/a/../b", "https://xn--e1a.example/"})
	}
	text := c.one(odd)
	if s.MaxLength != nil && uint64(len([]rune(text))) > *s.MaxLength {
		text = string([]rune(text)[:*s.MaxLength])
	}
	return text
}

// value is a value for a schema, as encoding/json writes it.
func (c *randomRequests) value(ref *openapi3.SchemaRef, name string, wild bool) any {
	s := ref.Value
	if wild && c.IntN(8) == 0 {
		return []any{nil, true, -1, 1.5, 1e300, "x", []any{}, map[string]any{"x": 1}, json.RawMessage("99999999999999999999")}[c.IntN(9)]
	}
	switch {
	case s.Type.Is("object"):
		out := map[string]any{}
		for _, p := range slices.Sorted(maps.Keys(s.Properties)) {
			if slices.Contains(s.Required, p) && !(wild && c.IntN(8) == 0) || c.IntN(3) == 0 {
				out[p] = c.value(s.Properties[p], p, wild && c.IntN(3) == 0)
			}
		}
		if s.AdditionalProperties.Schema != nil {
			for range c.IntN(4) {
				out[c.one(odd)] = c.text(s.AdditionalProperties.Schema.Value, "", wild)
			}
		}
		if wild && c.IntN(6) == 0 {
			out[c.one(odd)+"x"] = c.one(odd)
		}
		return out
	case s.Type.Is("array"):
		out := []any{}
		for range c.IntN(4) {
			out = append(out, c.value(s.Items, name, wild))
		}
		return out
	case s.Type.Is("boolean"):
		return c.IntN(2) == 0
	case s.Type.Is("integer"):
		if known := c.known[name]; len(known) > 0 && c.IntN(4) > 0 {
			if n, err := strconv.ParseInt(c.one(known), 10, 64); err == nil {
				return n
			}
		}
		low, high := int64(0), int64(1)<<50
		if s.Min != nil {
			low = int64(*s.Min)
		}
		if s.Max != nil {
			high = int64(*s.Max)
		}
		switch {
		case wild:
			return []int64{-1, low - 1, high + 1, 1 << 62, -1 << 62}[c.IntN(5)]
		case c.IntN(3) > 0:
			return min(high, low+c.Int64N(3000))
		}
		return low + c.Int64N(high-low+1)
	}
	return c.text(s, name, wild)
}

// request is one call of an operation.
func (c *randomRequests) request(o operation) *http.Request {
	wild := c.IntN(3) == 0
	path, query, headers := o.path, url.Values{}, http.Header{}
	for _, ref := range o.parameters() {
		p := ref.Value
		text := fmt.Sprint(c.value(p.Schema, p.Name, wild && c.IntN(3) == 0))
		switch p.In {
		case "path":
			if text == "" || text == "." || text == ".." {
				text = "x"
			}
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(text), 1)
		case "query":
			if c.IntN(3) == 0 {
				query.Set(p.Name, text)
			}
		case "header":
			if c.IntN(4) == 0 {
				headers.Set(p.Name, strings.Map(func(r rune) rune { // what a client could put into a header at all
					if r < ' ' && r != '\t' || r == 0x7f {
						return -1
					}
					return r
				}, text))
			}
		}
	}
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body []byte
	if o.RequestBody != nil && (o.RequestBody.Value.Required || c.IntN(2) == 0) {
		schema := o.RequestBody.Value.Content["application/json"].Schema
		var err error
		if body, err = json.Marshal(c.value(schema, "", wild)); err != nil {
			panic(err)
		}
		if wild && c.IntN(10) == 0 && len(body) > 0 {
			i := c.IntN(len(body))
			body = slices.Concat(body[:i], []byte(c.one(odd)), body[min(len(body), i+c.IntN(4)):])
		}
	} else if c.IntN(20) == 0 {
		body = []byte(c.one(odd))
	}
	r := httptest.NewRequest(o.method, "/", bytes.NewReader(body))
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	r.URL, r.RequestURI, r.Header = u, target, headers
	key := shopKey
	switch c.IntN(30) {
	case 0:
		key = otherKey
	case 1:
		key = c.one(odd)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	return r
}

// sendRandomRequests sends n random requests and looks at every answer.
func sendRandomRequests(t *testing.T, m *machine, n int, seed uint64) {
	c := &randomRequests{rand.New(rand.NewPCG(seed, 0)), map[string][]string{
		"account": {"acc"}, "currency": {"KZT", "KZT", "JPY", "XTS"}, "customer": {"c-1"}, "card": {"sc_one", "sc_two"}, "saved_card": {"sc_one", "sc_two"},
		"success_url": {"https://shop.example/ok"}, "cancel_url": {"https://shop.example/no"}, "url": {"https://shop.example/hook"}, "payment_method": {"card"},
		"key": {merchant.HashKey(spareKey)}, "from": {"2026-11-20T00:00:00Z"}, "to": {"2026-11-21T00:00:00Z"},
		"expiry": {"12/30", "12/20"}, "number": {"4000019900020720", "1"}, "n": {"1", "2"}, "phone": {"+77010000000"}, "email": {"a@shop.example"},
	}, map[string][]string{}}
	make := func(path, body string) string { return m.call(http.MethodPost, path, body).field("id") }
	learn := func(name, value string) { // the newest twenty
		c.known[name] = append(c.known[name], value)[max(0, len(c.known[name])-19):]
	}
	for i := range 10 {
		learn("session", m.paid(fmt.Sprint("paid-", i)))
		learn("session", make("/v1/sessions", order(fmt.Sprint("open-", i))))
	}
	c.known["payment"], c.known["before"] = c.known["session"], c.known["session"]
	learn("endpoint", make("/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`))
	lines := m.store.Webhooks()
	tell := func() {
		if _, err := lines.Feed(t.Context(), m.clock.Now(), 1000); err != nil {
			t.Fatal(err)
		}
		newest, err := lines.Deliveries(t.Context(), webhook.Filter{Merchant: "shop", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range newest {
			learn("delivery", d.ID)
			learn("event", d.Event)
			learn("after", d.Event)
		}
	}

	codes, succeeded := map[int]int{}, map[string]int{}
	m.judged = func(op operation, code int) {
		codes[code]++
		if code < 300 {
			succeeded[op.name()]++
		}
		if code >= 500 {
			t.Errorf("%s answered %d", op.name(), code)
		}
	}
	all := operations(t)
	for i := range n {
		if i%400 == 0 { // what was deleted comes back
			m.savedCard("sc_one")
			m.savedCard("sc_two")
			if made := m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook"}`); made.Code == http.StatusCreated {
				learn("endpoint", made.field("id"))
			}
			make("/v1/sessions", order(fmt.Sprint("told-", i)))
			learn("session", m.held(fmt.Sprint("odd-", i)))
			learn("session", make("/v1/charges", fmt.Sprintf(`{"saved_card":"sc_one","amount":1200,"currency":"KZT","reference":"held-%d","capture":"manual"}`, i)))
			if held := m.call(http.MethodPost, "/v1/charges", fmt.Sprintf(`{"saved_card":"sc_one","amount":1200,"currency":"KZT","reference":"held-%d","capture":"manual"}`, i)); held.Code == http.StatusCreated {
				learn("session", held.field("id"))
			}
			tell()
		}
		c.known["order_id"] = []string{fmt.Sprint("o-", i)}
		c.known["reference"] = c.known["order_id"]
		c.known["Idempotency-Key"] = []string{"often", fmt.Sprint("k-", i), fmt.Sprint("k-", i)}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, c.request(all[i%len(all)]))
		if t.Failed() {
			t.Fatalf("request %d of seed %d", i, seed)
		}
		if w.Code != http.StatusCreated {
			continue
		}
		switch made := (reply{w, t}).field("id"); { // what was made is asked for as well
		case strings.HasPrefix(made, "cs_"):
			learn("session", made)
		case strings.HasPrefix(made, "we_"):
			learn("endpoint", made)
		case strings.HasPrefix(made, "inv_"):
			learn("invoice", made)
		}
	}
	t.Log("answers by status: ", codes)
	for _, o := range all {
		if n > 10_000 && succeeded[o.name()] == 0 {
			t.Errorf("no random request of %s was accepted: they do not reach far", o.name())
		}
	}
}

func TestTwentyThousandRandomRequestsStayWithinTheContract(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	sendRandomRequests(t, bootWithEverything(t, sqlstore.Options{Dir: t.TempDir()}), n, 1)
}

// PostgreSQL takes other texts than SQLite: neither a NUL nor broken UTF-8.
func TestRandomRequestsStayWithinTheContractOnPostgreSQL(t *testing.T) {
	sendRandomRequests(t, bootWithEverything(t, sqlstore.Options{URL: postgres(t)}), 3_000, 2)
}

func TestNULIsRefusedInEveryField(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for _, member := range []string{`"description":"a\u0000"`, `"metadata":{"a\u0000":"b"}`, `"metadata":{"a":"\u0000"}`, `"customer":{"id":"\u0000"}`} {
		m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("one"), "{", "{"+member+",", 1)).is(http.StatusBadRequest, "bad-json")
	}
	backslash := `"description":"\\u0000"` // a backslash and five letters
	m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("one"), "{", "{"+backslash+",", 1)).is(http.StatusCreated, "")
}

func TestAParameterThatCannotBeReadIsNamedByItsPointer(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	id := m.paid("one")
	for path, pointer := range map[string]string{
		"/v1/sessions?limit=x": "/limit", "/v1/events?limit=1.5": "/limit", "/v1/sessions/" + id + "/events?after=x": "/after",
		"/v1/accounts/acc/history?from=2026-11-20": "/from",
	} {
		got := m.call(http.MethodGet, path, "")
		got.is(http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(got.Body.String(), `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
	m.call(http.MethodGet, "/v1/sessions/"+id+"/operations/x", "").is(http.StatusNotFound, "not-found")
	m.call(http.MethodGet, "/v1/sessions/"+id+"/attempts/x/timeline", "").is(http.StatusNotFound, "not-found")
	m.call(http.MethodGet, "/v1/sessions/"+id+"/attempts/2/timeline", "").is(http.StatusNotFound, "not-found")
	m.call(http.MethodGet, "/v1/sessions?limit=&status=", "").is(http.StatusOK, "")
	m.call(http.MethodGet, "/v1/sessions?limit=1&limit=x", "").is(http.StatusOK, "")
}

func TestEveryMemberOfABodyThatTheContractLacksIsNamedByItsPointer(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	got := m.call(http.MethodPost, "/v1/sessions", `{"account":7,"amount":"1500","fee":1.5,"save_card":"yes","customer":{"name":"A","id":null},"billing":[],
		"metadata":{"a/b":1},"amout":1500}`)
	got.is(http.StatusUnprocessableEntity, "invalid")
	want := [][2]string{
		{"/account", "must be text"}, {"/amount", "must be a whole number"}, {"/amout", "is not known"}, {"/billing", "must be an object"},
		{"/customer/name", "is not known"}, {"/fee", "must be a whole number"}, {"/metadata/a~1b", "must be text"}, {"/save_card", "must be true or false"},
	}
	if told := got.faults(); !slices.Equal(told, want) {
		t.Errorf("told:\n%v, want\n%v", told, want)
	}
	got = m.call(http.MethodPost, "/v1/webhook_endpoints", `{"url":"https://shop.example/hook","events":["payment.*",1]}`)
	if told := got.faults(); !slices.Equal(told, [][2]string{{"/events/1", "must be text"}}) {
		t.Errorf("told: %v", told)
	}
}

// refusingGateway is a gateway that cannot express a payment.
type refusingGateway struct{ *gateway }

func (refusingGateway) Check(providers.Payment) error {
	return &providers.Refusal{Field: "billing.zip", Text: "at most 10 characters"}
}

func TestWhatTheGatewayCannotExpressIsNamedByItsPointer(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider { return refusingGateway{g} }})
	got := m.call(http.MethodPost, "/v1/sessions", order("one"))
	got.is(http.StatusUnprocessableEntity, "invalid")
	if told := got.faults(); !slices.Equal(told, [][2]string{{"/billing/zip", "at most 10 characters"}}) {
		t.Errorf("told: %v", told)
	}
}

func TestASessionBeginsWithACardOfItsCustomerOnly(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	mine := m.savedCard("sc_one") // of c-1
	begun := func(id, card, customer string) reply {
		return m.call(http.MethodPost, "/v1/sessions", strings.Replace(order(id), "{", `{"saved_card":"`+card+`","customer":{"id":"`+customer+`"},`, 1))
	}
	for _, wrong := range [][2]string{{mine, "c-2"}, {mine, ""}, {"sc_unknown", "c-1"}} {
		got := begun("one", wrong[0], wrong[1])
		got.is(http.StatusUnprocessableEntity, "invalid")
		if told := got.faults(); len(told) != 1 || told[0][0] != "/saved_card" {
			t.Errorf("%v: %v", wrong, told)
		}
	}
	if right := begun("one", mine, "c-1"); right.field("saved_card") != mine {
		t.Errorf("%s", right.Body)
	}
}

func TestASessionRepeatsTheFieldsOfItsRequest(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	made := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("one"), "{", `{"locale":"kk","customer":{"id":"c-1","email":"a@shop.example","phone":"+77010000000"},
		"save_card":true,"webhook_url":"https://shop.example/hook",`, 1))
	made.is(http.StatusCreated, "")
	for _, member := range []string{
		`"locale":"kk"`, `"customer":{"email":"a@shop.example","id":"c-1","phone":"+77010000000"}`, `"save_card":true`, `"webhook_url":"https://shop.example/hook"`,
	} {
		if !strings.Contains(made.Body.String(), member) {
			t.Errorf("%s is not in %s", member, made.Body)
		}
	}
}

// A cursor with a fault must not look as if the list were at its end.
func TestACursorOfAnotherMerchantOrOfNothingIsRefused(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	m.key = otherKey
	strange := m.call(http.MethodPost, "/v1/sessions", order("one")).field("id")
	m.key = shopKey
	for _, path := range []string{"/v1/sessions?before=" + strange, "/v1/sessions?before=cs_x", "/v1/invoices?before=inv_x", "/v1/webhook_deliveries?before=wd_x"} {
		got := m.call(http.MethodGet, path, "")
		got.is(http.StatusUnprocessableEntity, "invalid")
		if told := got.faults(); len(told) != 1 || told[0][0] != "/before" {
			t.Errorf("%s: %v", path, told)
		}
	}
}

func TestALongGatewayHistoryHasAFurtherPage(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return fullGateway{g} }, merchants: []merchant.Merchant{theShop},
	})
	for limit, more := range map[string]string{"1": "true", "2": "false"} { // it has two lines
		if got := m.call(http.MethodGet, "/v1/accounts/acc/history?limit="+limit, ""); !strings.Contains(got.Body.String(), `"has_more":`+more) {
			t.Errorf("of %s: %s", limit, got.Body)
		}
	}
}

func TestSessionsAreListedByTheirCreationTime(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	var at []string
	for _, id := range []string{"a", "b", "c"} {
		at = append(at, url.QueryEscape(m.clock.Now().UTC().Format(time.RFC3339Nano)))
		m.call(http.MethodPost, "/v1/sessions", order(id)).is(http.StatusCreated, "")
		m.clock.Advance(time.Minute)
	}
	for query, want := range map[string]string{
		"created_after=" + at[1]: "c b", "created_before=" + at[1]: "a", "created_after=" + at[1] + "&created_before=" + at[2]: "b",
	} {
		var got []string
		for _, one := range m.call(http.MethodGet, "/v1/sessions?"+query, "").list() {
			got = append(got, one["order_id"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	m.call(http.MethodGet, "/v1/sessions?created_after=yesterday", "").is(http.StatusUnprocessableEntity, "invalid")
}

func TestAPathValueMayHoldAnyCharacter(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	for _, customer := range []string{"a/b", "a b", "50%", "Айгерім"} {
		saved := &wallet.SavedCard{ID: "sc_" + customer, Merchant: "shop", Account: "acc", Customer: customer, GatewayID: "b-1", CreatedAt: m.clock.Now()}
		if err := m.store.SaveCard(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		if got := m.call(http.MethodGet, "/v1/customers/"+url.PathEscape(customer)+"/cards", ""); !strings.Contains(got.Body.String(), `"customer":"`+customer+`"`) {
			t.Errorf("%s: %s", customer, got.Body)
		}
	}
}

func TestTheContractIsServedWithAPageToReadIt(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	doc := m.call(http.MethodGet, "/openapi.yaml", "")
	if doc.Code != http.StatusOK || !strings.HasPrefix(doc.Body.String(), "openapi: 3.0.3") || !strings.HasPrefix(doc.Header().Get("Content-Type"), "application/yaml") {
		t.Errorf("%d %s", doc.Code, doc.Header())
	}
	if again := m.call(http.MethodGet, "/openapi.yaml", "", "If-None-Match", doc.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("asked again: %d", again.Code)
	}
	page := m.call(http.MethodGet, "/docs", "")
	policy := page.Header().Get("Content-Security-Policy")
	if page.Code != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || !strings.HasPrefix(policy, "sandbox allow-scripts; ") || strings.Contains(policy, "http") || strings.Contains(policy, "script-src 'self' 'unsafe") {
		t.Errorf("%d, policy %q", page.Code, policy)
	}
	if strings.Contains(page.Body.String(), "://") {
		t.Error("the page asks outside")
	}
	for name, least := range map[string]int{"swagger-ui-bundle.js": 1_000_000, "swagger-ui.css": 100_000} {
		if !strings.Contains(page.Body.String(), "docs/"+name) {
			t.Errorf("the page does not use %s", name)
		}
		for _, accept := range [][]string{nil, {"Accept-Encoding", "br, gzip;q=0.5"}} {
			small := m.call(http.MethodGet, "/docs/"+name, "", accept...)
			unpacked, err := gzip.NewReader(small.Body)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, unpacked); err != nil || n < int64(least) || small.Header().Get("Content-Encoding") != "gzip" {
				t.Errorf("%s: %d bytes, %v, %v", name, n, err, small.Header())
			}
		}
		for _, refuses := range []string{"gzip;q=0", "identity", "br"} { // in full it would be four times as much
			if answer := m.call(http.MethodGet, "/docs/"+name, "", "Accept-Encoding", refuses); answer.Code != http.StatusNotAcceptable || answer.Body.Len() > 8<<10 {
				t.Errorf("%s for %s: %d, %d bytes", name, refuses, answer.Code, answer.Body.Len())
			}
		}
	}
	if other := m.call(http.MethodGet, "/docs/swagger-ui.css.map", ""); other.Code != http.StatusNotFound {
		t.Errorf("an unknown file: %d", other.Code)
	}
	if other := m.call(http.MethodGet, "/pay/none", "").Header().Get("Content-Security-Policy"); strings.Contains(other, "unsafe-inline") {
		t.Error("the page's policy is not its own")
	}
}

func TestOptionsOfAGatewayAreTheAccountsOwnAndComeBack(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	with := func(id, options string) reply {
		return m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order(id), "}")+`,"gateway_options":`+options+"}")
	}
	for options, want := range map[string][2]string{
		`{"rbs":{"expiration_date":"tomorrow"}}`:   {"/gateway_options/rbs/expiration_date", "must be a date and time of RFC 3339, such as 2027-01-31T12:00:00Z"},
		`{"rbs":{"colour":"red"}}`:                 {"/gateway_options/rbs/colour", "is not known"},
		`{"visa":{}}`:                              {"/gateway_options/visa", "is not known"},
		`{"rbs":{"json_params":{"a/b":"\u0001"}}}`: {"/gateway_options/rbs/json_params/a~1b", "must not hold control characters"},
	} {
		got := with("bad", options)
		if told := got.faults(); !slices.Equal(told, [][2]string{want}) {
			t.Errorf("%s: %v", options, told)
		}
	}
	got := with("one", `{"rbs":{"features":["FORCE_TDS"],"recurring_frequency":7,"recurring_expiry":"2027-12-31"}}`)
	got.is(http.StatusUnprocessableEntity, "invalid")
	if told := got.faults(); len(told) != 1 || told[0][0] != "/gateway_options/rbs" {
		t.Errorf("options of another gateway than the account's: %v", told)
	}
}

func TestACartThatDoesNotFitIsRefusedWithThePointerAndOneThatDoesComesBackWithItsSums(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	with := func(id, items string) reply {
		return m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order(id), "}")+`,"cart":{"items":`+items+"}}")
	}
	for items, want := range map[string]string{
		`[{"name":"a","unit_price":1501}]`:                                            "/cart/items",
		`[{"name":"a","unit_price":1500},{"name":"","unit_price":0}]`:                 "/cart/items/1/name",
		`[{"name":"a","unit_price":1500,"quantity":"1,5"}]`:                           "/cart/items/0/quantity",
		`[{"name":"a","unit_price":1500,"quantity":"1.0005"}]`:                        "/cart/items/0/quantity",
		`[{"name":"a","unit_price":1500,"amount":1499}]`:                              "/cart/items/0/amount",
		`[{"name":"a","unit_price":1500,"tax":"vat20","tax_amount":249}]`:             "/cart/items/0/tax_amount",
		`[{"name":"a","unit_price":1500,"tax":"20"}]`:                                 "/cart/items/0/tax",
		`[{"name":"a","unit_price":1500,"discount":1501}]`:                            "/cart/items/0/discount",
		`[{"name":"a","unit_price":1500,"supplier":{"tax_id":"1"}}]`:                  "/cart/items/0/supplier/tax_id",
		`[{"name":"a","unit_price":1500,"supplier":{"phones":["+77010000000","x"]}}]`: "/cart/items/0/supplier/phones/1",
		`[{"name":"a","unit_price":1500,"colour":"red"}]`:                             "/cart/items/0/colour",
		`[]`: "/cart/items",
	} {
		if told := with("bad", items).faults(); len(told) != 1 || told[0][0] != want {
			t.Errorf("%s: %v", items, told)
		}
	}
	got := with("one", `[{"name":"Grapes","unit_price":2501,"quantity":"0.40","tax":"vat10","unit":"kilogram"},{"name":"Soap","unit_price":200,"quantity":"3","discount":100}]`)
	got.is(http.StatusCreated, "")
	var made struct {
		Cart struct {
			Items []struct {
				Amount    int64  `json:"amount"`
				TaxAmount int64  `json:"tax_amount"`
				Quantity  string `json:"quantity"`
			} `json:"items"`
		} `json:"cart"`
	}
	if err := json.Unmarshal(got.Body.Bytes(), &made); err != nil || len(made.Cart.Items) != 2 {
		t.Fatalf("%v %s", err, got.Body)
	}
	grapes, soap := made.Cart.Items[0], made.Cart.Items[1]
	if grapes.Amount != 1000 || grapes.TaxAmount != 91 || grapes.Quantity != "0.4" || soap.Amount != 500 || soap.Quantity != "3" {
		t.Errorf("%+v %+v", grapes, soap)
	}
}

// A filter that a list does not know, a misspelt one for example, would be a list of everything.
func TestAListRefusesAFilterThatItDoesNotKnow(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return fullGateway{g} }, merchants: []merchant.Merchant{theShop},
	})
	id := m.paid("one")
	lists := 0
	for _, r := range apiRoutes(t, m) {
		if _, list := handlers.FiltersOf(r[1]); r[0] != http.MethodGet || !list {
			continue
		}
		lists++
		path := strings.NewReplacer(":session", id, ":account", "acc", ":n", "1", ":customer", "c-1").Replace(r[1])
		for query, name := range map[string]string{
			"customer_id=1": "/customer_id", "state=paid": "/state", "created_from=2026-01-01": "/created_from", "Limit=1": "/Limit", "a=": "/a",
			"limit=1&%C3%A9=1": "/é",
		} {
			got := m.call(r[0], path+"?"+query, "")
			if head := m.call(http.MethodHead, path+"?"+query, ""); head.Code != got.Code {
				t.Errorf("HEAD %s?%s: answered %d", path, query, head.Code)
			}
			if got.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s %s?%s: answered %d", r[0], path, query, got.Code)
				continue
			}
			told := false
			for _, f := range got.faults() {
				told = told || f[0] == name
			}
			if !told {
				t.Errorf("%s?%s does not name the filter: %s", path, query, got.Body)
			}
		}
	}
	if lists != 14 {
		t.Errorf("%d lists", lists)
	}
}

// The filters that are let through are those of the contract.
func TestTheFiltersOfTheListsAreThoseOfTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		if item.Get == nil || !strings.HasPrefix(path, "/v1/") {
			continue
		}
		var want []string
		for _, p := range item.Get.Parameters {
			if p.Value.In == "query" {
				want = append(want, p.Value.Name)
			}
		}
		slices.Sort(want)
		schema := item.Get.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
		got, list := handlers.FiltersOf(strings.NewReplacer("{", ":", "}", "").Replace(path))
		if _, data := schema.Properties["data"]; data != list && path != "/v1/webhook_keys" || !slices.Equal(got, want) {
			t.Errorf("%s: list %t with %v, the contract has %v", path, list, got, want)
		}
	}
}

func TestHEADIsAnsweredWhereverGETIs(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{
		provider: func(g *gateway) providers.Provider { return fullGateway{g} }, merchants: []merchant.Merchant{theShop},
	})
	id := m.paid("one")
	for _, path := range []string{
		"/healthz", "/readyz", "/openapi.yaml", "/docs", "/", "/v1/accounts", "/v1/sessions", "/v1/sessions/" + id, "/v1/sessions/cs_no", "/v1/events",
		"/v1/webhook_endpoints", "/v1/sessions/" + id + "/refunds", "/v1/accounts/acc/history", "/v1/nothing",
	} {
		get, head := m.call(http.MethodGet, path, ""), m.call(http.MethodHead, path, "")
		if head.Code != get.Code || head.Body.Len() != 0 || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
			t.Errorf("%s: %d %q with %d bytes, GET has %d %q", path, head.Code, head.Header().Get("Content-Type"), head.Body.Len(), get.Code,
				get.Header().Get("Content-Type"))
		}
	}
	m = boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, shop(merchant.Key{Hash: merchant.HashKey(scopedKey), Scopes: []merchant.Scope{merchant.Refunds}}))
	m.key = scopedKey
	if got := m.call(http.MethodHead, "/v1/events", ""); got.Code != http.StatusForbidden {
		t.Errorf("with a key of another scope: %d", got.Code)
	}
	m.key = "sk_nobodys_0123456789abcdef"
	if got := m.call(http.MethodHead, "/v1/accounts", ""); got.Code != http.StatusUnauthorized {
		t.Errorf("without a key: %d", got.Code)
	}
}

// Whole numbers are taken as languages write them that know floats only; others are not rounded.
func TestAWholeNumberIsTakenAsAFloat(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{theShop}})
	for amount, taken := range map[string]bool{
		"1000.0": true, "1000.00": true, "1000": true, "1000.5": false, "1000.": false, ".0": false, "1000.0e0": false, "1000.01": false, "\"1000.0\"": false,
	} {
		body := strings.Replace(order(fmt.Sprintf("f-%x", amount)), `"amount":1500`, `"metadata":{"text":"1.0, 2.0 \"3.0, "},"amount":`+amount, 1)
		got := m.call(http.MethodPost, "/v1/sessions", body)
		if taken != (got.Code == http.StatusCreated) || !taken && got.Code != http.StatusUnprocessableEntity && got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", amount, got.Code, got.Body)
		}
		if got.Code == http.StatusCreated && (!strings.Contains(got.Body.String(), `"amount":1000,`) || !strings.Contains(got.Body.String(), `1.0, 2.0 \"3.0, `)) {
			t.Errorf("%s: %s", amount, got.Body)
		}
	}
}

// A generator makes a member that has a default one that must be sent. What is left out is said in its description.
func TestNoMemberOfTheContractHasADefaultOfItsOwn(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range doc.Components.Schemas {
		for member, of := range schema.Value.Properties {
			if of.Ref == "" && of.Value.Default != nil {
				t.Errorf("%s.%s has the default %v", name, member, of.Value.Default)
			}
		}
	}
}
