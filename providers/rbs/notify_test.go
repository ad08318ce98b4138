package rbs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

type callback struct {
	Params       map[string]string
	Key          string
	PublicKeyPem string
	CertPem      string `json:"certificatePem"`
}

func readCallback(t testing.TB, name string) (callback, url.Values) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "callbacks", name))
	if err != nil {
		t.Fatal(err)
	}
	var c callback
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	v := url.Values{}
	for name, value := range c.Params {
		v.Set(name, value)
	}
	return c, v
}

func notifier(t testing.TB, c rbs.Config) providers.Notifier {
	t.Helper()
	c.BaseURL, c.UserName, c.Password = "https://gate.example/payment/rest/", "u", providers.NewSecret("p")
	g, err := c.Open(providers.Env{HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	return g.(providers.Notifier)
}

func get(v url.Values) *http.Request {
	return httptest.NewRequest("GET", "/callbacks/rbs?"+v.Encode(), nil)
}

func post(v url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/callbacks/rbs", strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	return r
}

// The published and computed vectors, by GET and by POST; each falls with any one of its values.
func TestCallbackVectors(t *testing.T) {
	for name, want := range map[string]providers.Notice{
		"callback_hmac_approved_vector.json":      {Reference: "2003", OrderID: "06cf5599-3f17-7c86-bdbc-bd7d00a8b38b", Event: "approved"},
		"callback_hmac_deposited_vector.json":     {Reference: "10747", OrderID: "3ff6962a-7dcc-4283-ab50-a6d7dd3386fe", Event: "deposited"},
		"callback_hmac_reversed.json":             {Reference: "10747", OrderID: "3ff6962a-7dcc-4283-ab50-a6d7dd3386fe", Event: "reversed"},
		"callback_hmac_declinedByTimeout.json":    {Reference: "10747", OrderID: "3ff6962a-7dcc-4283-ab50-a6d7dd3386fe", Event: "declinedByTimeout"},
		"callback_rsa_sha512_vector.json":         {OrderID: "12b59da8-f68f-7c8d-12b5-9da8000826ea", Event: "deposited"},
		"callback_rsa_cert_misleading_alias.json": {OrderID: "12b59da8-f68f-7c8d-12b5-9da8000826ea", Event: "deposited"}, // sign_alias says SHA-256
	} {
		t.Run(name, func(t *testing.T) {
			c, v := readCallback(t, name)
			n := notifier(t, rbs.Config{CallbackSecret: providers.NewSecret(c.Key), CallbackPublicKey: c.PublicKeyPem})
			for _, r := range []*http.Request{get(v), post(v)} {
				if got, err := n.Notified(r); err != nil || got != want {
					t.Errorf("%s: %+v, %v", r.Method, got, err)
				}
			}
			for param := range c.Params {
				if param == "sign_alias" {
					continue
				}
				forged := url.Values{}
				for k, vals := range v {
					forged[k] = vals
				}
				forged.Set(param, c.Params[param]+"01")
				if got, err := n.Notified(get(forged)); !errors.Is(err, providers.ErrForged) {
					t.Errorf("another %s is taken: %+v, %v", param, got, err)
				}
			}
		})
	}
	// The remaining vector: a client library's own test.
	n := notifier(t, rbs.Config{CallbackSecret: providers.NewSecret("callback-secret")})
	v := url.Values{"mdOrder": {"order-1"}, "operation": {"deposited"}, "orderNumber": {"orna-1"}, "status": {"1"},
		"checksum": {"3b49a9ee4800f57fd0c2d2f7fae249c66abaf7f72196285bdf62bd4481c5ded1"}} // lower case passes too
	if got, err := n.Notified(get(v)); err != nil || got.Reference != "orna-1" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCallbackKeyMayBeACertificate(t *testing.T) {
	c, v := readCallback(t, "callback_rsa_cert_misleading_alias.json")
	if _, err := notifier(t, rbs.Config{CallbackPublicKey: c.CertPem}).Notified(get(v)); err != nil {
		t.Error(err)
	}
}

func TestCallbackForged(t *testing.T) {
	c, v := readCallback(t, "callback_hmac_deposited_vector.json")
	signed := notifier(t, rbs.Config{CallbackSecret: providers.NewSecret(c.Key)})
	with := func(name string, values ...string) url.Values {
		w := url.Values{}
		for k, vals := range v {
			w[k] = vals
		}
		w[name] = values
		return w
	}
	json := httptest.NewRequest("POST", "/callbacks/rbs", strings.NewReader(`{"mdOrder":"x"}`))
	json.Header.Set("Content-Type", "application/json")
	// A signed query does not vouch for a POST's body.
	mixed := post(with("status", "0"))
	mixed.URL.RawQuery = v.Encode()
	huge := post(url.Values{"a": {strings.Repeat("a", 70<<10)}})
	many := url.Values{}
	for i := range 200 {
		many.Set(strings.Repeat("n", i+1), "1")
	}
	for name, tt := range map[string]struct {
		n providers.Notifier
		r *http.Request
	}{
		"no key configured":       {notifier(t, rbs.Config{}), get(v)},
		"another key":             {notifier(t, rbs.Config{CallbackSecret: providers.NewSecret("other")}), get(v)},
		"no checksum":             {signed, get(with("checksum"))},
		"empty checksum":          {signed, get(with("checksum", ""))},
		"checksum is no hex":      {signed, get(with("checksum", "zz"))},
		"half a checksum":         {signed, get(with("checksum", v.Get("checksum")[:32]))},
		"a parameter more":        {signed, get(with("extra", "1"))},
		"a parameter twice":       {signed, get(with("status", "1", "1"))},
		"a semicolon in a name":   {signed, httptest.NewRequest("GET", "/callbacks/rbs?a%3Bb=1&"+v.Encode(), nil)},
		"a broken escape":         {signed, httptest.NewRequest("GET", "/callbacks/rbs?"+v.Encode()+"&x=%zz", nil)},
		"empty":                   {signed, httptest.NewRequest("GET", "/callbacks/rbs", nil)},
		"JSON":                    {signed, json},
		"PUT":                     {signed, httptest.NewRequest("PUT", "/callbacks/rbs?"+v.Encode(), nil)},
		"query signed, body not":  {signed, mixed},
		"too large":               {signed, huge},
		"too many":                {signed, get(many)},
		"alias asks for no proof": {signed, get(with("sign_alias", "none"))},
	} {
		got, err := tt.n.Notified(tt.r)
		if name == "alias asks for no proof" { // the alias is not part of what is signed, and decides nothing
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, providers.ErrForged) || got != (providers.Notice{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// An RSA account is not open to an HMAC with its public key as the secret.
	rsa, _ := readCallback(t, "callback_rsa_sha512_vector.json")
	if _, err := notifier(t, rbs.Config{CallbackPublicKey: rsa.PublicKeyPem}).Notified(get(v)); !errors.Is(err, providers.ErrForged) {
		t.Errorf("an HMAC at an RSA account: %v", err)
	}
}

// Callbacks that name no order of ours, and operations that failed.
func TestCallbackOfOtherThings(t *testing.T) {
	n := notifier(t, rbs.Config{CallbackSecret: providers.NewSecret("k")})
	for _, tt := range []struct {
		v    url.Values
		want providers.Notice
	}{
		{url.Values{"bindingId": {"b-1"}, "clientId": {"7"}, "enabled": {"true"}, "operation": {"bindingActivityChanged"}, "status": {"1"}},
			providers.Notice{Event: "bindingActivityChanged"}},
		{url.Values{"mdorder": {"order-9"}, "operation": {"refunded"}, "orderNumber": {"A-1"}, "status": {"0"}}, providers.Notice{Reference: "A-1", OrderID: "order-9", Event: "refunded failed"}},
	} {
		tt.v.Set("checksum", rbs.Checksum("k", tt.v))
		if got, err := n.Notified(get(tt.v)); err != nil || got != tt.want {
			t.Errorf("%+v, %v; want %+v", got, err, tt.want)
		}
	}
}

func TestWhichCallbacksAreReadAtAll(t *testing.T) {
	n := notifier(t, rbs.Config{CallbackSecret: providers.NewSecret("k")})
	signed := func(fill int, more int) string {
		v := url.Values{"mdOrder": {"order-1"}, "operation": {"deposited"}, "orderNumber": {"A-1"}, "status": {"1"}}
		for i := range more {
			v.Set(fmt.Sprintf("p%03d", i), "x")
		}
		if fill > 0 {
			v.Set("fill", "")
			v.Set("checksum", rbs.Checksum("k", v))
			v.Set("fill", strings.Repeat("f", fill-len(v.Encode())))
			v.Del("checksum")
		}
		v.Set("checksum", rbs.Checksum("k", v))
		return v.Encode()
	}
	good := signed(0, 0)
	values, err := url.ParseQuery(good)
	if err != nil {
		t.Fatal(err)
	}
	sum := values.Get("checksum")
	odd := url.Values{"mdOrder": {"order-1"}, "operation": {"deposited"}, "orderNumber": {"A-1"}, "status": {"1"}, "a;b": {"1"}}
	odd.Set("checksum", rbs.Checksum("k", odd))
	form := func(body io.Reader, kind string) *http.Request {
		r := httptest.NewRequest("POST", "/callbacks/rbs", body)
		r.Header.Set("Content-Type", kind)
		return r
	}
	const formType = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		r     *http.Request
		taken bool
	}{
		"a form": {form(strings.NewReader(good), formType), true}, "a form without a kind": {form(strings.NewReader(good), ""), false}, "a form of no kind": {form(strings.NewReader(good), ";"), false},
		"a form of another kind":                {form(strings.NewReader(good), "text/plain"), false},
		"cut off at its end":                    {form(io.MultiReader(strings.NewReader(good), iotest.ErrReader(errors.New("cut"))), formType), false},
		"a kind with a broken parameter":        {form(strings.NewReader(good), formType+"; x"), false},
		"64 KiB signed and a byte more":         {form(strings.NewReader(signed(64<<10, 0)+"x"), formType), false},
		"a checksum with half a byte behind it": {form(strings.NewReader(strings.Replace(good, "checksum="+sum, "checksum="+sum+"0", 1)), formType), false},
		"a checksum with a word behind it":      {form(strings.NewReader(strings.Replace(good, "checksum="+sum, "checksum="+sum+"zz", 1)), formType), false},
		"a name that holds a semicolon, signed": {form(strings.NewReader(odd.Encode()), formType), false},
		"64 KiB":                                {form(strings.NewReader(signed(64<<10, 0)), formType), true}, "a byte more": {form(strings.NewReader(signed(64<<10+1, 0)), formType), false},
		"128 parameters": {form(strings.NewReader(signed(0, 123)), formType), true}, "129 parameters": {form(strings.NewReader(signed(0, 124)), formType), false},
	} {
		got, err := n.Notified(c.r)
		if c.taken && (err != nil || got != providers.Notice{Reference: "A-1", OrderID: "order-1", Event: "deposited"}) || !c.taken && (!errors.Is(err, providers.ErrForged) || got != providers.Notice{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	long := url.Values{"mdOrder": {"order-1"}, "operation": {strings.Repeat("o", 65)}, "orderNumber": {strings.Repeat("n", 65)}, "status": {"1"}}
	long.Set("checksum", rbs.Checksum("k", long))
	if got, err := n.Notified(get(long)); err != nil || got.Reference != strings.Repeat("n", 64) || got.Event != strings.Repeat("o", 64) {
		t.Errorf("%+v, %v", got, err)
	}
}
