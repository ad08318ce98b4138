package payneteasy

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
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
	acc Account
	g   *Gateway

	shop  *httptest.Server
	calls chan url.Values // callbacks as received
	final chan url.Values // final redirects as received
}

func newWorld(t *testing.T, change func(*Account)) *world {
	t.Helper()
	a := DemoAccount()
	if change != nil {
		change(&a)
	}
	w := &world{acc: a, calls: make(chan url.Values, 64), final: make(chan url.Values, 64)}
	w.shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		switch {
		case strings.HasPrefix(r.URL.Path, "/callback"):
			r.Form.Set("_path", r.URL.Path)
			r.Form.Set("_method", r.Method)
			w.calls <- r.Form
		case r.URL.Path == "/done" && r.Method == http.MethodPost:
			w.final <- r.PostForm
		}
		io.WriteString(rw, "shop")
	}))
	t.Cleanup(w.shop.Close)
	w.World = simtest.New(t, func(env *sim.Env) (_ sim.Gateway, err error) {
		w.g, err = New(env, Config{Accounts: []Account{w.acc}})
		return w.g, err
	})
	return w
}

// answer is a decoded body, its values as a client that trims them sees them.
type answer map[string]string

func (w *world) raw(path string, v url.Values) (*http.Response, string) {
	w.T.Helper()
	res, err := http.PostForm(w.Server.URL+"/payneteasy/paynet/api/"+path, v)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func (w *world) send(path string, v url.Values) answer {
	w.T.Helper()
	res, body := w.raw(path, v)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html;charset=utf-8" {
		w.T.Fatalf("%s answers %s, %s: %s", path, res.Status, res.Header.Get("Content-Type"), body)
	}
	return decode(w.T, body)
}

func decode(t *testing.T, body string) answer {
	t.Helper()
	v, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{}
	for name := range v {
		a[name] = strings.TrimSuffix(v.Get(name), "\n")
	}
	return a
}

func (w *world) id() string { return w.acc.Endpoints[0] }

// saleForm is a complete, signed sale.
func (w *world) saleForm(client, pan string, pairs ...string) url.Values {
	v := url.Values{
		"client_orderid": {client}, "order_desc": {"A book"}, "first_name": {"John"}, "last_name": {"Smith"}, "address1": {"1 Main St"}, "city": {"Almaty"},
		"zip_code": {"050000"}, "country": {"KZ"}, "phone": {"+77010000000"}, "email": {"john@example.com"}, "amount": {"10.42"}, "currency": {"EUR"},
		"ipaddress": {"10.0.0.9"}, "card_printed_name": {"JOHN SMITH"}, "credit_card_number": {pan}, "expire_month": {"12"}, "expire_year": {"2030"},
		"cvv2": {"123"}, "redirect_url": {w.shop.URL + "/done"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	if v.Get("control") == "" {
		v.Set("control", control(w.id(), v.Get("client_orderid"), minorText(v.Get("amount")), v.Get("email"), w.acc.Control))
	}
	return v
}

// minorText is amount×100 written without floating point, as a client computes it.
func minorText(amount string) string {
	whole, frac, _ := strings.Cut(amount, ".")
	n, _ := strconv.Atoi(whole + (frac + "00")[:2])
	return strconv.Itoa(n)
}

// begin starts a sale or preauth and returns paynet-order-id.
func (w *world) begin(command, client, pan string, pairs ...string) string {
	w.T.Helper()
	a := w.send("v2/"+command+"/"+w.id(), w.saleForm(client, pan, pairs...))
	if a["type"] != "async-response" || a["paynet-order-id"] == "" || a["merchant-order-id"] != client || a["serial-number"] == "" {
		w.T.Fatalf("%s: %v", command, a)
	}
	return a["paynet-order-id"]
}

// signed is a call about an order: login, client_orderid, orderid, control over these.
func (w *world) signed(client, id string, pairs ...string) url.Values {
	v := url.Values{"login": {w.acc.Login}, "client_orderid": {client}, "orderid": {id}, "control": {control(w.acc.Login, client, id, w.acc.Control)}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (w *world) status(client, id string) answer {
	w.T.Helper()
	return w.send("v2/status/"+w.id(), w.signed(client, id))
}

func (w *world) mustStatus(client, id, status string) answer {
	w.T.Helper()
	a := w.status(client, id)
	if a["type"] != "status-response" || a["status"] != status || a["merchant-order-id"] != client || a["paynet-order-id"] != id {
		w.T.Fatalf("status %s wanted, got %v", status, a)
	}
	return a
}

func (w *world) mustLedger(client string, charges int, authorized, captured, refunded int64) {
	w.T.Helper()
	var e ledger.Entry
	for _, row := range w.Env.Ledger.All() {
		if row.Reference == client {
			e = row
		}
	}
	if e.Gateway != "payneteasy" || e.Charges != charges || e.Authorized != authorized || e.Captured != captured || e.Refunded != refunded {
		w.T.Fatalf("ledger: charges %d authorized %d captured %d refunded %d wanted, got %+v", charges, authorized, captured, refunded, e)
	}
}

// method is the upload after the Method, complete.
func (w *world) method(client, id, trans string, pairs ...string) answer {
	w.T.Helper()
	v := url.Values{
		"login": {w.acc.Login}, "client-order-id": {client}, "orderid": {id}, "control": {control(w.acc.Login, client, id, w.acc.Control)},
		"threeDSServerTransID": {trans}, "threeDSCompInd": {"Y"}, "notificationURL": {w.shop.URL + "/3ds/return"},
		"browserAcceptHeader": {"text/html"}, "browserIP": {"10.0.0.9"}, "browserJavaEnabled": {"false"}, "browserJavascriptEnabled": {"true"},
		"browserLanguage": {"en"}, "browserColorDepth": {"24"}, "browserScreenHeight": {"1080"}, "browserScreenWidth": {"1920"}, "browserTZ": {"-300"},
		"browserUserAgent": {"Test/1.0"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return w.send("3ds/v1/upload-method-url-result/"+w.id(), v)
}

func (w *world) mustAsync(a answer) answer {
	w.T.Helper()
	if a["type"] != "async-response" {
		w.T.Fatalf("%v", a)
	}
	return a
}

func (w *world) mustRefuse(a answer, code string) {
	w.T.Helper()
	if (a["type"] != "validation-error" && a["type"] != "error") || a["error-code"] != code || a["error-message"] == "" || a["serial-number"] == "" {
		w.T.Fatalf("refusal %s wanted, got %v", code, a)
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
		if v.Get("control") != control(v.Get("status"), v.Get("orderid"), v.Get("client_orderid"), w.acc.Control) || v.Get("_method") != "GET" {
			w.T.Fatalf("callback not signed: %v", v)
		}
		return v
	case <-time.After(5 * time.Second):
		w.T.Fatalf("no callback %v", want)
		return nil
	}
}

func (w *world) finalRedirect(want ...string) {
	w.T.Helper()
	select {
	case v := <-w.final:
		for i := 0; i < len(want); i += 2 {
			if v.Get(want[i]) != want[i+1] {
				w.T.Fatalf("final redirect: %s=%s wanted, got %v", want[i], want[i+1], v)
			}
		}
		if v.Get("control") != control(v.Get("status"), v.Get("orderid"), v.Get("client_orderid"), w.acc.Control) {
			w.T.Fatalf("final redirect not signed: %v", v)
		}
	default:
		w.T.Fatal("no final redirect")
	}
}

// browser follows pages the way a browser without script does: it presses the button of the page's last form.
type browser struct {
	w    *world
	page string
	url  *url.URL
	code int
}

func (w *world) browser() *browser { return &browser{w: w} }

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

func (b *browser) get(to string) *browser                { return b.read(http.Get(to)) }
func (b *browser) post(to string, v url.Values) *browser { return b.read(http.PostForm(to, v)) }

var (
	formTag   = regexp.MustCompile(`(?is)<form([^>]*)>(.*?)</form>`)
	methodTag = regexp.MustCompile(`(?i)method="(\w+)"`)
	actionTag = regexp.MustCompile(`(?i)action="([^"]*)"`)
	inputTag  = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// fields are the hidden inputs of the page's last form.
func (b *browser) fields() (method, action string, v url.Values) {
	b.w.T.Helper()
	forms := formTag.FindAllStringSubmatch(b.page, -1)
	if len(forms) == 0 {
		b.w.T.Fatalf("no form at %s: %s", b.url, b.page)
	}
	f := forms[len(forms)-1]
	v = url.Values{}
	for _, in := range inputTag.FindAllStringSubmatch(f[2], -1) {
		v.Set(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	return strings.ToLower(methodTag.FindStringSubmatch(f[1])[1]), html.UnescapeString(actionTag.FindStringSubmatch(f[1])[1]), v
}

func (b *browser) submit(pairs ...string) *browser {
	b.w.T.Helper()
	method, action, v := b.fields()
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	to, err := url.Parse(action)
	if err != nil {
		b.w.T.Fatal(err)
	}
	if b.url != nil {
		to = b.url.ResolveReference(to)
	}
	if method == "get" {
		to.RawQuery = v.Encode()
		return b.get(to.String())
	}
	return b.post(to.String(), v)
}
