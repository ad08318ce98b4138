package transactworld

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	acc   Account
	g     *Gateway
	token string

	shop  *httptest.Server
	calls chan *http.Request // notifications, their body read into Form["body"]
	final chan url.Values    // what the browser brought back
}

func newWorld(t *testing.T, change func(*Account)) *world {
	t.Helper()
	a := DemoAccount()
	if change != nil {
		change(&a)
	}
	w := &world{acc: a, calls: make(chan *http.Request, 64), final: make(chan url.Values, 64)}
	w.shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/notify":
			r.Form = url.Values{"body": {string(body)}}
			w.calls <- r
		case "/done":
			v, _ := url.ParseQuery(string(body))
			v.Set("_method", r.Method)
			w.final <- v
		}
		_, _ = io.WriteString(rw, "shop")
	}))
	t.Cleanup(w.shop.Close)
	w.World = simtest.New(t, func(env *sim.Env) (_ sim.Gateway, err error) {
		w.g, err = New(env, Config{Accounts: []Account{w.acc}})
		return w.g, err
	})
	return w
}

// post sends a body and gives status, content type and answer.
func (w *world) post(path, kind, accept, body string) (int, string, string) {
	w.T.Helper()
	r, err := http.NewRequest(http.MethodPost, w.Server.URL+"/transactworld/"+path, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	if w.token != "" {
		r.Header.Set("AuthToken", w.token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header.Get("Content-Type"), string(raw)
}

// answer is a decoded answer; path "result.code".
type answer map[string]any

func (a answer) get(path string) string {
	var v any = map[string]any(a)
	for _, name := range strings.Split(path, ".") {
		o, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = o[name]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func decode(t *testing.T, body string) answer {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var a answer
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

const rest, bills = "transactionServices/REST/v1/", "invoiceServices/REST/v1/"

func (w *world) send(path string, v url.Values) answer {
	w.T.Helper()
	if w.token == "" {
		w.login()
	}
	status, kind, body := w.post(path, "application/x-www-form-urlencoded", "application/json", v.Encode())
	if status != 200 || kind != "application/json;charset=UTF-8" {
		w.T.Fatalf("%s answers %d, %s: %s", path, status, kind, body)
	}
	return decode(w.T, body)
}

func (w *world) login() {
	w.T.Helper()
	w.token = ""
	_, _, body := w.post(rest+"authToken", "application/x-www-form-urlencoded", "", url.Values{
		"authentication.partnerId": {w.acc.PartnerID}, "merchant.username": {w.acc.Username}, "authentication.sKey": {w.acc.SecureKey},
	}.Encode())
	a := decode(w.T, body)
	if a.get("result.code") != "200" || a.get("AuthToken") == "" || a.get("memberId") != w.acc.MemberID || a.get("LoginName") != w.acc.Username {
		w.T.Fatal(body)
	}
	w.token = a.get("AuthToken")
}

// want compares members by their paths.
func (w *world) want(a answer, pairs ...string) answer {
	w.T.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.get(pairs[i]); got != pairs[i+1] {
			w.T.Fatalf("%s is %q, want %q: %v", pairs[i], got, pairs[i+1], a)
		}
	}
	return a
}

// payment is a complete, signed payment; pairs change it before it is signed.
func (w *world) payment(reference, pan string, pairs ...string) url.Values {
	v := url.Values{
		"merchantTransactionId": {reference}, "amount": {"50.00"}, "currency": {"EUR"}, "paymentMode": {"CC"}, "paymentBrand": {"VISA"}, "paymentType": {"DB"},
		"card.number": {pan}, "card.expiryMonth": {"12"}, "card.expiryYear": {"2030"}, "card.cvv": {"123"},
		"merchantRedirectUrl": {w.shop.URL + "/done"}, "notificationUrl": {w.shop.URL + "/notify"}, "customer.email": {"john@example.com"},
	}
	set(v, pairs)
	return w.sign(v, w.acc.MemberID, w.acc.SecureKey, v.Get("merchantTransactionId"), v.Get("amount"))
}

func set(v url.Values, pairs []string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
			continue
		}
		v.Set(pairs[i], pairs[i+1])
	}
}

func (w *world) sign(v url.Values, values ...string) url.Values {
	v.Set("authentication.memberId", w.acc.MemberID)
	v.Set("authentication.checksum", checksum(values...))
	return v
}

// office is a back office call about a payment.
func (w *world) office(id, typ, sum string) answer {
	w.T.Helper()
	v := url.Values{"paymentType": {typ}}
	values := []string{w.acc.MemberID, w.acc.SecureKey, id}
	if sum != "" {
		v.Set("amount", sum)
		if typ != "RV" {
			values = append(values, sum)
		}
	}
	return w.send(rest+"payments/"+id, w.sign(v, values...))
}

func (w *world) inquire(reference string) answer {
	w.T.Helper()
	v := url.Values{"paymentType": {"IN"}, "idType": {"MID"}, "merchantTransactionId": {reference}}
	return w.send(rest+"inquiry", w.sign(v, w.acc.MemberID, w.acc.SecureKey, reference))
}

func (w *world) entry(reference string) ledger.Entry {
	w.T.Helper()
	for _, e := range w.Env.Ledger.All() {
		if e.Reference == reference {
			return e
		}
	}
	w.T.Fatalf("%s is not in the ledger", reference)
	return ledger.Entry{}
}

var (
	action = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	input  = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]* value="([^"]*)"`)
)

// browse walks a page of the gateway or the bank to the shop, pressing the first button.
func (w *world) browse(to string, v url.Values) {
	w.T.Helper()
	for range 6 {
		var res *http.Response
		var err error
		if v == nil {
			res, err = http.Get(to)
		} else {
			res, err = http.PostForm(to, v)
		}
		if err != nil {
			w.T.Fatal(err)
		}
		raw, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.HasPrefix(to, w.shop.URL) {
			return
		}
		m := action.FindSubmatch(raw)
		if res.StatusCode != 200 || m == nil {
			w.T.Fatalf("%s answers %s: %s", to, res.Status, raw)
		}
		next, err := url.Parse(html.UnescapeString(string(m[1])))
		if err != nil {
			w.T.Fatal(err)
		}
		to, v = res.Request.URL.ResolveReference(next).String(), url.Values{}
		for _, in := range input.FindAllSubmatch(raw, -1) {
			v.Set(string(in[1]), html.UnescapeString(string(in[2])))
		}
		if strings.Contains(string(raw), `name="otp"`) {
			v.Set("otp", "1234")
		}
	}
	w.T.Fatal("pages without an end")
}

// follow takes an answer's redirect as the documents say.
func (w *world) follow(a answer) url.Values {
	w.T.Helper()
	var v url.Values
	redirect, _ := a["redirect"].(map[string]any)
	if list, ok := redirect["parameters"].([]any); ok {
		v = url.Values{}
		for _, p := range list {
			o := p.(map[string]any)
			v.Set(o["name"].(string), o["value"].(string))
		}
	}
	w.browse(a.get("redirect.url"), v)
	return w.returned()
}

func (w *world) returned() url.Values {
	w.T.Helper()
	select {
	case v := <-w.final:
		return v
	case <-time.After(10 * time.Second):
		w.T.Fatal("nobody came back")
		return nil
	}
}

func (w *world) notified() (answer, *http.Request) {
	w.T.Helper()
	select {
	case r := <-w.calls:
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			return decode(w.T, r.Form.Get("body")), r
		}
		return nil, r
	case <-time.After(10 * time.Second):
		w.T.Fatal("no notification came")
		return nil, nil
	}
}
