package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/app"
	"tollgate/internal/config"
)

// tap stands on the wire between the front and the simulators and keeps what the front sends.
type tap struct {
	*httptest.Server
	rewrite func(sent) string // what goes on in place of the body; nil: the body
	mu      sync.Mutex
	calls   []sent
}

// sent is one call as it went over the wire.
type sent struct{ path, body string }

// tapped puts a tap before the accounts that the sandbox would configure.
func tapped(t testing.TB) (*tap, func(*app.Options)) {
	t.Helper()
	s := &tap{}
	var sandbox *url.URL
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		call := sent{r.URL.Path, string(body)}
		s.mu.Lock()
		s.calls = append(s.calls, call)
		s.mu.Unlock()
		if s.rewrite != nil {
			body = []byte(s.rewrite(call))
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		httputil.NewSingleHostReverseProxy(sandbox).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, func(o *app.Options) {
		o.Tune = func(c *config.Config) {
			for _, a := range c.Accounts {
				to, err := url.Parse(a.Settings["base_url"].(string))
				if err != nil {
					t.Fatal(err)
				}
				sandbox = &url.URL{Scheme: to.Scheme, Host: to.Host}
				a.Settings["base_url"] = s.URL + to.Path
			}
		}
	}
}

// about lists the calls whose body names the payment.
func (s *tap) about(reference string) []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c sent) bool { return !strings.Contains(c.body, reference) })
}

// inForm and inJSON read amount and currency, as they stand, of the call that begins a payment.
func inForm(body string) (string, error) {
	form, err := url.ParseQuery(body)
	return form.Get("amount") + " " + form.Get("currency"), err
}

func inJSON(body string) (string, error) {
	var order struct {
		PaymentAmount json.RawMessage
		Amount        struct{ TransactionAmount, Currency json.RawMessage }
	}
	err := json.Unmarshal([]byte(body), &order)
	return strings.TrimSpace(fmt.Sprintf("%s%s %s", order.PaymentAmount, order.Amount.TransactionAmount, order.Amount.Currency)), err
}

// What each gateway is sent for an amount that a merchant named in minor units, from POST /v1/sessions to the wire; the
// smallest unit and 9999999999 of them, which is 99,999,999.99 where the unit is a hundredth. Where the gateway, or the
// account as it is configured, has no words for it, the session is refused with the field that is wrong.
func TestUnitsFromTheSessionToTheWire(t *testing.T) {
	t.Parallel()
	wire, tune := tapped(t)
	w := start(t, tune)
	const least, most = 1, 9_999_999_999
	for _, gateway := range []struct {
		account string
		call    string // the end of the path of the call that names the amount
		read    func(body string) (string, error)
		rows    map[string][2]string // by currency: what is sent for least and for most; "!field" for what is refused
	}{
		{"rbs", "/register.do", inForm, map[string][2]string{
			"RUB": {"1 643", "9999999999 643"}, "KZT": {"1 398", "9999999999 398"}, "USD": {"1 840", "9999999999 840"},
			"JPY": {"1 392", "9999999999 392"}, "KWD": {"1 414", "9999999999 414"},
		}},
		{"payneteasy", "", inForm, map[string][2]string{ // ten characters at most
			"RUB": {"0.01 RUB", "!amount"}, "KZT": {"0.01 KZT", "!amount"}, "USD": {"0.01 USD", "!amount"},
			"JPY": {"!currency", "!currency"}, "KWD": {"!currency", "!currency"},
		}},
		{"sber", "/api/payment/start", inJSON, map[string][2]string{
			"RUB": {`1 "643"`, `9999999999 "643"`}, "KZT": {`1 "398"`, `9999999999 "398"`}, "USD": {`1 "840"`, `9999999999 "840"`},
			"JPY": {`1 "392"`, `9999999999 "392"`}, "KWD": {`1 "414"`, `9999999999 "414"`},
		}},
		{"cashier", "/order", inJSON, map[string][2]string{ // paymentAmount is in roubles; the account is not one by orderAmount
			"RUB": {"1", "9999999999"},
			"KZT": {"!currency", "!currency"}, "USD": {"!currency", "!currency"}, "JPY": {"!currency", "!currency"}, "KWD": {"!currency", "!currency"},
		}},
		{"transactworld", "/payments", inForm, map[string][2]string{
			"RUB": {"0.01 RUB", "99999999.99 RUB"}, "KZT": {"0.01 KZT", "99999999.99 KZT"}, "USD": {"0.01 USD", "99999999.99 USD"},
			"JPY": {"!currency", "!currency"}, "KWD": {"!currency", "!currency"},
		}},
	} {
		for currency, row := range gateway.rows {
			for i, minor := range []int64{least, most} {
				want := row[i]
				t.Run(fmt.Sprintf("%s/%s/%d", gateway.account, currency, minor), func(t *testing.T) {
					fields := map[string]any{"amount": minor, "currency": currency}
					if field, refused := strings.CutPrefix(want, "!"); refused {
						w.refusesSession(t, gateway.account, fields, field)
						return
					}
					b, made := w.visits(t, gateway.account, fields)
					b.pay(cardPlain, "123")
					reference := made.OrderID + "-1"
					begun := func() []sent { // whether the database has forgotten the reference may be asked before
						return slices.DeleteFunc(wire.about(reference), func(c sent) bool {
							return strings.Contains(c.path, "/status/") || strings.HasSuffix(c.path, "/inquiry") || strings.HasSuffix(c.path, "/find")
						})
					}
					until(t, 20*time.Second, "the gateway is told the amount", func() bool { return len(begun()) > 0 })
					call := begun()[0]
					if got, err := gateway.read(call.body); err != nil || got != want || !strings.HasSuffix(call.path, gateway.call) {
						t.Errorf("%s was sent %q (%v), want %q", call.path, got, err, want)
					}
				})
			}
		}
	}
}

// refusesSession holds the refusal of a session against the problem that the contract promises.
func (w *world) refusesSession(t testing.TB, account string, fields map[string]any, field string) {
	t.Helper()
	body := map[string]any{"account": account, "order_id": order(), "success_url": w.Sandbox + "/shop/done", "cancel_url": w.Sandbox + "/shop/done"}
	for k, v := range fields {
		body[k] = v
	}
	var problem struct {
		Errors []struct{ Pointer string }
	}
	code := w.api(t, "POST", "/v1/sessions", body, &problem)
	if code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/"+field {
		t.Errorf("answered %d %+v, want a refusal of %s", code, problem, field)
	}
}
