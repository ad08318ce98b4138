package cashier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/sim"
	"tollgate/internal/sandbox/sim/simtest"
)

// world is a sandbox of this gateway and the issuer alone, on loopback, with a clock of its own.
type world struct {
	*simtest.World
	cfg   Config
	g     *Gateway
	token string

	shop  *httptest.Server
	calls chan heard
}

// heard is a callback as received.
type heard struct {
	sign string
	raw  []byte
	body answer
}

func newWorld(t *testing.T, change func(*Account)) *world {
	t.Helper()
	a := DemoAccount()
	if change != nil {
		change(&a)
	}
	w := &world{cfg: Config{Accounts: []Account{a}}, calls: make(chan heard, 256)}
	w.shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			raw, _ := io.ReadAll(r.Body)
			w.calls <- heard{r.Header.Get("Payment-Sign"), raw, parse(t, raw)}
		}
		io.WriteString(rw, "shop")
	}))
	t.Cleanup(w.shop.Close)
	w.World = simtest.New(t, func(env *sim.Env) (_ sim.Gateway, err error) {
		w.g, err = New(env, w.cfg)
		return w.g, err
	})
	w.login()
	return w
}

// restart is Restart with a new login: access tokens do not outlive the process.
func (w *world) restart() {
	w.Restart()
	w.login()
}

func (w *world) journal() string {
	w.T.Helper()
	raw, err := os.ReadFile(filepath.Join(w.Dir, "sandbox.journal"))
	if err != nil || len(raw) == 0 {
		w.T.Fatal("nothing was journalled", err)
	}
	return string(raw)
}

type answer map[string]any

func parse(t *testing.T, raw []byte) answer {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	a := answer{}
	if err := d.Decode(&a); err != nil {
		t.Fatalf("no JSON: %s", raw)
	}
	return a
}

// at reads a.b.c as text.
func (a answer) at(path string) string {
	var v any = map[string]any(a)
	for _, part := range strings.Split(path, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// raw is one HTTP call; headers are name, value pairs.
func (w *world) raw(method, path, body string, headers ...string) (int, []byte) {
	w.T.Helper()
	r, err := http.NewRequest(method, w.Server.URL+"/cashier"+path, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, raw
}

func (w *world) login() {
	w.T.Helper()
	a := w.cfg.Accounts[0]
	status, raw := w.raw("POST", "/identity/api/v1/public/login", fmt.Sprintf(`{"login":%q,"password":%q}`, a.Login, a.Password))
	got := parse(w.T, raw)
	if status != 200 || got.at("success") != "true" || got.at("accessToken") == "" || got.at("refreshToken") == "" {
		w.T.Fatalf("login: %d %s", status, raw)
	}
	w.token = got.at("accessToken")
}

// call is an API call with the token that must answer with the status.
func (w *world) call(status int, method, path, body string, headers ...string) answer {
	w.T.Helper()
	got, raw := w.raw(method, "/api/v1"+path, body, append([]string{"Authorization-Token", w.token}, headers...)...)
	if got != status {
		w.T.Fatalf("%s %s: %d %s", method, path, got, raw)
	}
	return parse(w.T, raw)
}

func (w *world) order(number, extra string) string {
	w.T.Helper()
	a := w.call(200, "POST", "/order", fmt.Sprintf(`{"merchantOrderId":%q,"paymentAmount":123456,"orderCurrency":"RUB","tspId":483,"description":"d","callbackUrl":%q%s}`, number, w.shop.URL+"/callback", extra))
	if a.at("success") != "true" || a.at("order.status") != "CREATED" {
		w.T.Fatal(a)
	}
	return a.at("order.id")
}

func (w *world) form(id string) string {
	w.T.Helper()
	a := w.call(200, "POST", "/public/order/form/sandbox/"+id, "")
	if a.at("externalOrderId") == "" || a.at("id") != id {
		w.T.Fatal(a)
	}
	return a.at("externalOrderId")
}

func cardJSON(pan string) string {
	return `{"Pan":"` + pan + `","ExpMonth":"12","ExpYear":"2030","Cvv":"123","Holder":"TEST"}`
}

func (w *world) authorize(ext, kind, pan string) answer {
	w.T.Helper()
	return w.call(200, "POST", "/payments/authorize", `{"OrderId":"`+ext+`","PaymentType":"`+kind+`","Card":`+cardJSON(pan)+`,"ThreeDS":{"browserLanguage":"en"}}`)
}

func (w *world) status(id, want string) answer {
	w.T.Helper()
	a := w.call(200, "GET", "/order/"+id, "")
	if a.at("order.status") != want {
		w.T.Fatalf("status %s wanted, got %v", want, a)
	}
	return a
}

func (w *world) ledger(number string) ledger.Entry {
	w.T.Helper()
	var found []ledger.Entry
	for _, e := range w.Env.Ledger.All() {
		if e.Reference == number {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		w.T.Fatalf("%s: %+v", number, found)
	}
	return found[0]
}

func (w *world) mustLedger(number string, charges int, authorized, captured, refunded int64) {
	w.T.Helper()
	if e := w.ledger(number); e.Charges != charges || e.Authorized != authorized || e.Captured != captured || e.Refunded != refunded {
		w.T.Fatalf("ledger: charges %d authorized %d captured %d refunded %d wanted, got %+v", charges, authorized, captured, refunded, e)
	}
}

// callback waits for the callback of an order's status.
func (w *world) callback(id, status string) heard {
	w.T.Helper()
	limit := time.After(5 * time.Second)
	for {
		select {
		case h := <-w.calls:
			if h.body.at("order.id") == id && h.body.at("order.status") == status {
				return h
			}
		case <-limit:
			w.T.Fatalf("no callback of %s %s", id, status)
		}
	}
}

// browser follows pages the way a browser without script does.
type browser struct {
	w    *world
	page string
	url  *url.URL
	code int
}

func (b *browser) read(res *http.Response, err error) *browser {
	b.w.T.Helper()
	if err != nil {
		b.w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	b.page, b.url, b.code = string(raw), res.Request.URL, res.StatusCode
	return b
}

func (w *world) open(to string, v url.Values) *browser {
	b := &browser{w: w}
	if v == nil {
		return b.read(http.Get(to))
	}
	return b.read(http.PostForm(to, v))
}

// hosted opens the payment form as a shop's page does.
func (w *world) hosted(ext string) *browser {
	return w.open(w.Server.URL+"/cashier/form/"+ext, url.Values{"successUrl": {w.shop.URL + "/success"}, "failUrl": {w.shop.URL + "/fail"}})
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*method="(\w+)"[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit presses the button of the page's first form, with the fields given in place of those found.
func (b *browser) submit(pairs ...string) *browser {
	b.w.T.Helper()
	f := formTag.FindStringSubmatch(b.page)
	if f == nil {
		b.w.T.Fatalf("no form at %s: %s", b.url, b.page)
	}
	v := url.Values{}
	for _, in := range inputTag.FindAllStringSubmatch(f[3], -1) {
		v.Set(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	to, _ := b.url.Parse(html.UnescapeString(f[2]))
	return b.read(http.PostForm(to.String(), v))
}

// home presses buttons until the shop is reached.
func (b *browser) home() string {
	b.w.T.Helper()
	for range 6 {
		if strings.HasPrefix(b.url.String(), b.w.shop.URL) {
			return b.url.Path
		}
		b.submit()
	}
	b.w.T.Fatalf("never came home: %s %s", b.url, b.page)
	return ""
}
