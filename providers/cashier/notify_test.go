package cashier_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"tollgate/providers"
	"tollgate/providers/cashier"
)

// vector is a signature computed with a throwaway key; the algorithm is the document's.
type vector struct {
	Headers      map[string]string `json:"headers"`
	RawBody      string            `json:"rawBody"`
	PublicKeyPem string            `json:"publicKeyPem"`
}

func readVector(t testing.TB) vector {
	t.Helper()
	var v vector
	if err := json.Unmarshal([]byte(read(t, "callbacks/webhook_rsa_sha1_vector.json")), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func notified(t testing.TB, key, method, body string, signs ...string) (providers.Notice, error) {
	t.Helper()
	p := newFake(nil).open(t, func(c *cashier.Config) { c.CallbackPublicKey = key })
	r := httptest.NewRequest(method, "/callbacks/cashier", strings.NewReader(body))
	for _, s := range signs {
		r.Header.Add("payment-sign", s)
	}
	return p.Notified(r)
}

func TestASignedCallbackNamesItsOrder(t *testing.T) {
	v := readVector(t)
	n, err := notified(t, v.PublicKeyPem, http.MethodPost, v.RawBody, v.Headers["payment-sign"])
	if err != nil || n != (providers.Notice{Reference: "merchantOrderId", OrderID: "123456", Event: "CHARGED"}) {
		t.Fatalf("%+v %v", n, err)
	}
}

func TestForgedCallbacks(t *testing.T) {
	v := readVector(t)
	sign := v.Headers["payment-sign"]
	var again bytes.Buffer
	if err := json.Indent(&again, []byte(v.RawBody), "", " "); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key, method, body string
		signs             []string
	}{
		"no key configured":                 {"", http.MethodPost, v.RawBody, []string{sign}},
		"the document's key, not ours":      {read(t, "callbacks/seed_public_key.pem"), http.MethodPost, v.RawBody, []string{sign}},
		"the same JSON written again":       {v.PublicKeyPem, http.MethodPost, again.String(), []string{sign}},
		"one byte changed":                  {v.PublicKeyPem, http.MethodPost, strings.Replace(v.RawBody, "100", "101", 1), []string{sign}},
		"a line feed more":                  {v.PublicKeyPem, http.MethodPost, v.RawBody + "\n", []string{sign}},
		"no signature":                      {v.PublicKeyPem, http.MethodPost, v.RawBody, nil},
		"an empty one":                      {v.PublicKeyPem, http.MethodPost, v.RawBody, []string{""}},
		"two, one of them good":             {v.PublicKeyPem, http.MethodPost, v.RawBody, []string{sign, "AAAA"}},
		"not base64":                        {v.PublicKeyPem, http.MethodPost, v.RawBody, []string{"%" + sign}},
		"one bit of it changed":             {v.PublicKeyPem, http.MethodPost, v.RawBody, []string{"n" + sign[1:]}},
		"by GET":                            {v.PublicKeyPem, http.MethodGet, v.RawBody, []string{sign}},
		"the signature of an empty message": {v.PublicKeyPem, http.MethodPost, "", []string{sign}},
		"too long":                          {v.PublicKeyPem, http.MethodPost, v.RawBody + strings.Repeat(" ", 64<<10), []string{sign}},
	} {
		if n, err := notified(t, c.key, c.method, c.body, c.signs...); !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
}

// The document prints a 4096-bit key, its sister another of 1024: both are settings.
func TestTheDocumentsKeyIsAKey(t *testing.T) {
	block, _ := pem.Decode([]byte(read(t, "callbacks/seed_public_key.pem")))
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		t.Fatal(err)
	}
	c := config()
	c.CallbackPublicKey = read(t, "callbacks/seed_public_key.pem")
	if f := c.Faults(); f != nil {
		t.Error(f)
	}
}

// Bodies that public users were seen to read, of either layer, under a signature of ours.
func TestWhatCallbacksAreAbout(t *testing.T) {
	for file, want := range map[string]providers.Notice{
		"callback_min.json":                     {OrderID: "123456", Event: "IPS_ACCEPTED"}, // names no reference: nothing can be done
		"paymentapi_callback_ips_accepted.json": {Reference: "FL-20260611-TEST01", Event: "IPS_ACCEPTED"},
		"paymentapi_callback_declined.json":     {Reference: "FL-20260611-TEST01", Event: "DECLINED"},
	} {
		if n, err := cashier.Notice([]byte(read(t, "callbacks/"+file))); err != nil || n != want {
			t.Errorf("%s: %+v %v", file, n, err)
		}
	}
}

// A callback of the PaymentAPI layer that leaves our number out names the order by its external id: the list of orders has both.
func TestACallbackOfThePaymentAPIWithoutOurNumberIsFoundInTheList(t *testing.T) {
	const external = "0b6a0f3e-1c55-4c3e-9f57-3f2f1f2d7c11"
	n, err := cashier.Notice([]byte(`{"Response":{"Success":true},"Order":{"OrderId":"` + external + `","Status":"IPS_ACCEPTED"}}`))
	if err != nil || n != (providers.Notice{Alias: external, Event: "IPS_ACCEPTED"}) {
		t.Fatalf("%+v %v", n, err)
	}
	if n, err := cashier.Notice([]byte(`{"Response":{"Success":true},"Order":{"OrderId":"../orders?x=1","Status":"IPS_ACCEPTED"}}`)); err != nil || n.Alias != "" {
		t.Errorf("what is no id is looked for: %+v %v", n, err)
	}
	list := `{"success":true,"orders":[
		{"id":"7","merchantOrderId":"other-1","externalOrderId":"6c1f7a52-0000-4c3e-9f57-3f2f1f2d7c11","status":"CREATED"},
		{"id":"8","merchantOrderId":"order-1","status":"IPS_ACCEPTED","paymentInfo":{"paymentDetails":{"externalId":"` + external + `"}}}]}`
	ask := func(id, list string) (providers.Standing, error) {
		return newFake(map[string][]said{"orders": {{200, list}, {200, list}}}).open(t, nil).
			Status(t.Context(), providers.Payment{Ref: providers.Ref{OrderID: id}})
	}
	if st, err := ask(external, list); err != nil || st.Reference != "order-1" || st.Ref.OrderID != "8" {
		t.Errorf("%+v %v", st, err)
	}
	if st, err := ask("another-id", list); err != nil || st.Outcome != providers.NotFound || st.Reference != "" {
		t.Errorf("an order that is not in the list: %+v %v", st, err)
	}
}

func FuzzCallback(f *testing.F) {
	v := readVector(f)
	f.Add(v.RawBody, v.Headers["payment-sign"])
	f.Add("{}", "")
	f.Fuzz(func(t *testing.T, body, sign string) {
		n, err := notified(t, v.PublicKeyPem, http.MethodPost, body, sign)
		if body != v.RawBody && err == nil {
			t.Errorf("%q was believed: %+v", body, n)
		}
		if n, err := cashier.Notice([]byte(body)); err == nil && (len(n.OrderID) > 64 || strings.ContainsAny(n.OrderID, "/?#%")) {
			t.Errorf("%q names the order %q", body, n.OrderID)
		}
	})
}

// saysSuccess looks for the word, as the document spells it once too.
func saysSuccess(body string) bool {
	var o map[string]any
	if json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &o) != nil {
		return false
	}
	_, yes := o["success"]
	_, typo := o["succes"]
	return yes || typo
}

func FuzzStatus(f *testing.F) {
	for _, name := range []string{"answers/status_AUTHORIZED.json", "answers/order_get_qrc_nested.json", "answers/order_shell.json", "answers/constructed_error_cashier.json"} {
		f.Add(200, read(f, name))
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 599 {
			return
		}
		gateway := newFake(map[string][]said{"read": {{status, body}}})
		s, err := gateway.open(t, nil).Status(t.Context(), payment(t, true))
		switch {
		case err != nil:
		case s.Outcome == providers.NotFound:
			if status != http.StatusNotFound {
				t.Errorf("HTTP %d is no proof of absence", status)
			}
		case status != http.StatusOK || !saysSuccess(body) || s.Ref.OrderID == "":
			t.Errorf("HTTP %d %q became %+v", status, body, s)
		case s.Held < 0 || s.Captured < 0:
			t.Errorf("%q: %+v", body, s)
		}
	})
}

func FuzzAuthorize(f *testing.F) {
	f.Add(authorizeAnswer)
	for _, name := range []string{"answers/authorize_shell.json", "answers/constructed_authorize_3ds.json", "answers/paymentapi_error.json"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, body string) {
		gateway := newFake(map[string][]said{"authorize": {{200, body}}, "read": {{200, orderAnswer(t)}}})
		step, err := gateway.open(t, nil).Pay(t.Context(), payment(t, true), instrument(t), browser())
		if err == nil && (step.V != providers.StepVersion || step.Ref.OrderID != "123456") {
			t.Errorf("%q: %+v", body, step)
		}
		if err == nil && step.Kind == providers.Declined && !strings.Contains(body, "false") {
			t.Errorf("%q is a decline", body)
		}
	})
}

func TestWhichCallbacksAreReadAtAll(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	sign := func(body string) string {
		sum := sha1.Sum([]byte(body))
		s, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA1, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(s)
	}
	order := `{"order":{"id":"123456","merchantOrderId":"A-1","status":"CHARGED"}}`
	want := providers.Notice{Reference: "A-1", OrderID: "123456", Event: "CHARGED"}
	padded := func(n int) string { return order + strings.Repeat(" ", n-len(order)) }
	for name, c := range map[string]struct {
		body, sign string
		want       providers.Notice
		taken      bool
	}{
		"an order": {order, sign(order), want, true}, "a signature with spaces around": {order, " " + sign(order) + " ", want, true},
		"64 KiB": {padded(64 << 10), sign(padded(64 << 10)), want, true}, "a byte more": {padded(64<<10 + 1), sign(padded(64<<10 + 1)), providers.Notice{}, false},
		"the first 64 KiB signed": {padded(64<<10 + 1), sign(padded(64 << 10)), providers.Notice{}, false}, "the first 64 KiB and a byte signed": {padded(64<<10 + 2), sign(padded(64<<10 + 1)), providers.Notice{}, false},
		"a signature with a tail":      {order, sign(order) + "%", providers.Notice{}, false},
		"an order that says one thing": {`{"order":{"merchantOrderId":"A-1"}}`, sign(`{"order":{"merchantOrderId":"A-1"}}`), providers.Notice{Reference: "A-1"}, true},
		"what is no order":             {"[]", sign("[]"), providers.Notice{}, true}, "what cannot be read": {"{", sign("{"), providers.Notice{}, true},
	} {
		if n, err := notified(t, key, http.MethodPost, c.body, c.sign); n != c.want || c.taken != (err == nil) || !c.taken && !errors.Is(err, providers.ErrForged) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
	p := newFake(nil).open(t, func(c *cashier.Config) { c.CallbackPublicKey = key })
	broken := httptest.NewRequest(http.MethodPost, "/callbacks/cashier", io.MultiReader(strings.NewReader(order), iotest.ErrReader(errors.New("cut"))))
	broken.Header.Set("Payment-Sign", sign(order))
	if n, err := p.Notified(broken); !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
		t.Errorf("cut off at its end: %+v %v", n, err)
	}
	unnamed := `{"order":{"id":"12","status":"CHARGED"}}` // found by the gateway's own number
	if n, err := notified(t, key, http.MethodPost, unnamed, sign(unnamed)); err != nil || n != (providers.Notice{OrderID: "12", Event: "CHARGED"}) {
		t.Errorf("no number of ours: %+v %v", n, err)
	}
	long := strings.Repeat("x", 65)
	for name, body := range map[string]string{
		"the order's": `{"order":{"id":"a/b","merchantOrderId":"` + long + `","status":"` + long + `"}}`, "the payment's": `{"Order":{"Id":"9","MerchantOrderId":"` + long + `","Status":"` + long + `"}}`,
	} {
		if n, err := notified(t, key, http.MethodPost, body, sign(body)); err != nil || n != (providers.Notice{Reference: long[:64], Event: long[:64]}) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
}
