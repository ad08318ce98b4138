package rbs

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	cfg Config
	g   *Gateway

	shop  *httptest.Server
	calls chan url.Values // callbacks as received
}

func newWorld(t *testing.T, change func(*Account)) *world {
	t.Helper()
	a := DemoAccount()
	if change != nil {
		change(&a)
	}
	w := &world{cfg: Config{Accounts: []Account{a}}, calls: make(chan url.Values, 64)}
	w.shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			r.ParseForm()
			w.calls <- r.Form
		}
		io.WriteString(rw, "shop")
	}))
	t.Cleanup(w.shop.Close)
	w.World = simtest.New(t, func(env *sim.Env) (_ sim.Gateway, err error) {
		w.g, err = New(env, w.cfg)
		return w.g, err
	})
	return w
}

// restart is a kill and a new start on the same data folder, at another address.
func (w *world) restart() {
	if found, _ := filepath.Glob(filepath.Join(w.Dir, "*")); len(found) == 0 {
		w.T.Fatal("nothing was journalled")
	}
	w.Restart()
}

type answer map[string]any

func (a answer) text(name string) string { s, _ := a[name].(string); return s }

func (a answer) int(name string) int64 {
	n, ok := a[name].(json.Number)
	if !ok {
		return -1 << 40
	}
	i, _ := n.Int64()
	return i
}

func (a answer) in(name string) answer { m, _ := a[name].(map[string]any); return m }

// code is errorCode, which comes as a number or as text.
func (a answer) code() string {
	switch v := a["errorCode"].(type) {
	case json.Number:
		return v.String()
	case string:
		return v
	}
	return ""
}

func (w *world) raw(call string, v url.Values) answer {
	w.T.Helper()
	res, err := http.PostForm(w.Server.URL+"/rbs/payment/rest/"+call, v)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 {
		w.T.Fatalf("%s answers %s: %s", call, res.Status, body)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	a := answer{}
	if err := d.Decode(&a); err != nil {
		w.T.Fatalf("%s answers no JSON: %s", call, body)
	}
	return a
}

// call adds the account's credentials to name, value pairs.
func (w *world) call(call string, pairs ...string) answer {
	w.T.Helper()
	return w.raw(call, w.form(pairs...))
}

func (w *world) form(pairs ...string) url.Values {
	v := url.Values{"userName": {w.cfg.Accounts[0].UserName}, "password": {w.cfg.Accounts[0].Password}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (w *world) register(call, number string, pairs ...string) string {
	w.T.Helper()
	a := w.call(call, append([]string{"orderNumber", number, "amount", "2000", "currency", "398", "returnUrl", w.shop.URL + "/ok",
		"failUrl", w.shop.URL + "/fail?x=1", "dynamicCallbackUrl", w.shop.URL + "/callback", "language", "en"}, pairs...)...)
	if a.text("orderId") == "" || !strings.Contains(a.text("formUrl"), a.text("orderId")) {
		w.T.Fatalf("register: %v", a)
	}
	return a.text("orderId")
}

func (w *world) pay(id, pan string, pairs ...string) answer {
	w.T.Helper()
	return w.call("paymentorder.do", append([]string{"MDORDER", id, "$PAN", pan, "$CVC", "123", "YYYY", "2030", "MM", "12",
		"TEXT", "TEST CARDHOLDER", "language", "en"}, pairs...)...)
}

func (w *world) status(id string) answer {
	w.T.Helper()
	return w.call("getOrderStatusExtended.do", "orderId", id)
}

// mustStatus wants the order's state and action code.
func (w *world) mustStatus(id string, status, action int64) answer {
	w.T.Helper()
	s := w.status(id)
	if s.code() != "0" || s.int("orderStatus") != status || s.int("actionCode") != action {
		w.T.Fatalf("status %d action %d wanted, got %v", status, action, s)
	}
	return s
}

func (w *world) ledger(id string) ledger.Entry {
	w.T.Helper()
	for _, e := range w.Env.Ledger.All() {
		if e.GatewayOrderID == id {
			return e
		}
	}
	w.T.Fatalf("order %s is not in the ledger", id)
	return ledger.Entry{}
}

func (w *world) mustLedger(id string, charges int, authorized, captured, refunded int64) {
	w.T.Helper()
	e := w.ledger(id)
	if e.Charges != charges || e.Authorized != authorized || e.Captured != captured || e.Refunded != refunded {
		w.T.Fatalf("ledger: charges %d authorized %d captured %d refunded %d wanted, got %+v", charges, authorized, captured, refunded, e)
	}
}

func (w *world) callback(want ...string) url.Values {
	w.T.Helper()
	select {
	case v := <-w.calls:
		for i := 0; i < len(want); i += 2 {
			if v.Get(want[i]) != want[i+1] {
				w.T.Fatalf("callback: %s=%s wanted, got %v", want[i], want[i+1], v)
			}
		}
		return v
	case <-time.After(5 * time.Second):
		w.T.Fatalf("no callback %v", want)
		return nil
	}
}

// browser follows pages the way a browser without script does: it presses the first button of each.
type browser struct {
	w      *world
	client *http.Client
	page   string
	url    *url.URL
	status int
}

func (w *world) browser() *browser { return &browser{w: w, client: &http.Client{}} }

func (b *browser) read(res *http.Response, err error) *browser {
	b.w.T.Helper()
	if err != nil {
		b.w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	b.page, b.url, b.status = string(raw), res.Request.URL, res.StatusCode
	return b
}

func (b *browser) get(to string) *browser { return b.read(b.client.Get(to)) }
func (b *browser) post(to string, v url.Values) *browser {
	return b.read(b.client.PostForm(to, v))
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*method="(\w+)"[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit presses the button of the page's last form, with the fields given in place of those found.
func (b *browser) submit(pairs ...string) *browser {
	b.w.T.Helper()
	forms := formTag.FindAllStringSubmatch(b.page, -1)
	if len(forms) == 0 {
		b.w.T.Fatalf("no form at %s: %s", b.url, b.page)
	}
	f := forms[len(forms)-1]
	v := url.Values{}
	for _, in := range inputTag.FindAllStringSubmatch(f[3], -1) {
		v.Set(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	to, _ := b.url.Parse(html.UnescapeString(f[2]))
	if f[1] == "get" {
		to.RawQuery = v.Encode()
		return b.get(to.String())
	}
	return b.post(to.String(), v)
}
