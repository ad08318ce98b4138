package sber

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

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

	shop *httptest.Server
	back chan url.Values // what the bank posts to the shop
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{back: make(chan url.Values, 8),
		cfg: Config{Accounts: []Account{DemoAccount(), {MerchantLogin: "other", Info: "Other shop"}}}}
	w.shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.back <- r.Form
	}))
	t.Cleanup(w.shop.Close)
	w.World = simtest.New(t, func(env *sim.Env) (_ sim.Gateway, err error) {
		w.g, err = New(env, w.cfg)
		return w.g, err
	})
	w.token = w.login(DemoPhone, "tollgate")
	return w
}

type object = map[string]any

// in walks into an answer; what is not there is nil.
func in(v any, names ...string) any {
	for _, n := range names {
		m, _ := v.(object)
		v = m[n]
	}
	return v
}

func text(v any, names ...string) string {
	s, _ := in(v, names...).(string)
	return s
}

// raw posts a body with a token ("" sends none).
func (w *world) raw(path, token, contentType string, body []byte) (int, object) {
	w.T.Helper()
	r, err := http.NewRequest(http.MethodPost, w.Server.URL+"/sber/sbersafe/api/"+path, bytes.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	out := object{}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		w.T.Fatalf("%s answers %s and no JSON", path, res.Status)
	}
	if res.Header.Get("Cache-Control") != "no-store" || text(out, "requestId") == "" || text(out, "status") == "" {
		w.T.Errorf("%s: header or common members missing: %v", path, out)
	}
	return res.StatusCode, out
}

func (w *world) as(token, path string, v object) object {
	w.T.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.T.Fatal(err)
	}
	_, out := w.raw(path, token, "application/json", body)
	return out
}

// call posts with the demo customer's token.
func (w *world) call(path string, v object) object {
	w.T.Helper()
	return w.as(w.token, path, v)
}

// good wants SUCCESS.
func (w *world) good(path string, v object) object {
	w.T.Helper()
	out := w.call(path, v)
	if text(out, "status") != "SUCCESS" {
		w.T.Fatalf("%s: %v", path, out)
	}
	return out
}

// refused wants the code.
func (w *world) refused(code, path string, v object) {
	w.T.Helper()
	if out := w.call(path, v); text(out, "status") != "ERROR" || text(out, "errorCode") != code {
		w.T.Errorf("%s: wanted a refusal with %s, got %v", path, code, out)
	}
}

func (w *world) login(phone, merchant string) string {
	w.T.Helper()
	found := w.as("", "clients/find", object{"phone": phone})
	code := w.as("", "auth/otp", object{"merchantLogin": merchant, "uuid": text(found, "client", "uuid")})
	out := w.as("", "auth/token", object{"accessCode": text(code, "accessCode"), "otp": DemoCode})
	if text(out, "accessToken") == "" {
		w.T.Fatalf("no token: %v %v %v", found, code, out)
	}
	return text(out, "accessToken")
}

func cardOf(pan string) object {
	return object{"pan": pan, "expiryDate": "2029-12", "cardholderName": "AIGERIM TEST", "cvc": "123"}
}

func with(o object, name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func without(o object, name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

func payment(number string, source object) object {
	return object{"transactionNumber": number, "source": source, "amount": object{"transactionAmount": 6100, "transactionFee": 100, "currency": "643"}}
}

func byCard(pan string) object   { return object{"card": cardOf(pan)} }
func byBinding(id string) object { return object{"binding": id} }

func finish(started object) object {
	return object{"mdOrder": text(started, "mdOrder"), "transactionNumber": text(started, "transactionNumber")}
}

func (w *world) status(number string) string {
	w.T.Helper()
	return text(w.good("transactions/find", object{"transactionNumber": number}), "mdOrderStatus")
}

func (w *world) ledger(number string) ledger.Entry {
	w.T.Helper()
	for _, e := range w.Env.Ledger.All() {
		if e.Reference == number {
			return e
		}
	}
	w.T.Fatalf("%s is not in the ledger", number)
	return ledger.Entry{}
}

func (w *world) mustLedger(number string, charges int, captured int64) {
	w.T.Helper()
	if e := w.ledger(number); e.Charges != charges || e.Captured != captured || e.Authorized != captured {
		w.T.Fatalf("wanted %d charges of %d, the ledger has %+v", charges, captured, e)
	}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// bank goes to the bank with a PaReq, as a browser without script does, and brings back what it posts to the TermUrl.
func (w *world) bank(started object) url.Values {
	w.T.Helper()
	if text(started, "redirectUrl") == "" || text(started, "paReq") == "" || text(started, "info") == "" {
		w.T.Fatalf("no 3DS: %v", started)
	}
	v := url.Values{"PaReq": {text(started, "paReq")}, "MD": {text(started, "mdOrder")}, "TermUrl": {w.shop.URL + "/term"}}
	to := text(started, "redirectUrl")
	for range 4 {
		res, err := http.PostForm(to, v)
		if err != nil {
			w.T.Fatal(err)
		}
		page, _ := io.ReadAll(res.Body)
		res.Body.Close()
		select {
		case got := <-w.back:
			return got
		default:
		}
		form := formTag.FindStringSubmatch(string(page))
		if form == nil {
			w.T.Fatalf("no form: %s", page)
		}
		next, err := res.Request.URL.Parse(html.UnescapeString(form[1]))
		if err != nil {
			w.T.Fatal(err)
		}
		to, v = next.String(), url.Values{}
		for _, field := range inputTag.FindAllStringSubmatch(form[2], -1) {
			v.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
		}
	}
	w.T.Fatal("the bank has pages without an end")
	return nil
}

func (w *world) pays(number string, source object) object {
	w.T.Helper()
	started := w.good("payment/start", payment(number, source))
	return w.good("payment/finish", finish(started))
}

func lines(v any) []any {
	l, _ := v.([]any)
	return l
}

func hasNoPAN(t *testing.T, what, s string) {
	t.Helper()
	for _, pan := range []string{noTDS, legacyOK, noFunds} {
		if strings.Contains(s, pan) {
			t.Errorf("%s holds a card number", what)
		}
	}
}
