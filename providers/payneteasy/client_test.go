package payneteasy

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tollgate/providers"
)

// The control sums as the vendor's own clients send them, and those published with their keys.
func TestControlSums(t *testing.T) {
	raw, err := os.ReadFile("testdata/control_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Command string
		Parts   []struct{ Name, Value string }
		SHA1    string `json:"sha1_hex"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 10 {
		t.Fatal(err, len(vectors))
	}
	for _, v := range vectors {
		var parts []string
		for _, p := range v.Parts[:len(v.Parts)-1] {
			parts = append(parts, p.Value)
		}
		c := client{control: providers.NewSecret(v.Parts[len(v.Parts)-1].Value)}
		if got := c.sign(parts...); got != v.SHA1 {
			t.Errorf("%s: %s, want %s", v.Command, got, v.SHA1)
		}
	}
}

// The sale that the vendor's PHP library sends: our control over the same fields is its control.
func TestSaleControlIsTheVendorsOwn(t *testing.T) {
	for _, name := range []string{"phplib_sale.http", "woo_sale.http", "woo_sale_bad.http"} {
		raw := fixture(t, "client_requests/"+name)
		_, body, _ := strings.Cut(strings.ReplaceAll(raw, "\r\n", "\n"), "\n\n")
		form, err := url.ParseQuery(strings.TrimSpace(body))
		if err != nil {
			t.Fatal(err)
		}
		whole, frac, _ := strings.Cut(form.Get("amount"), ".")
		minor := strings.TrimLeft(whole+(frac + "00")[:2], "0")
		c := client{control: providers.NewSecret("00000000-1111-2222-3333-444444444444")}
		if got := c.sign("789", form.Get("client_orderid"), minor, form.Get("email")); got != form.Get("control") {
			t.Errorf("%s: %s, want %s", name, got, form.Get("control"))
		}
	}
}

// What real gateways and the vendor's own tests answer, and what each means on the wire.
func TestAnswersOfRealGateways(t *testing.T) {
	for _, c := range []struct {
		file    string
		status  int
		meaning string
		want    map[string]string // a few of the pairs
		refused bool              // unreadable
	}{
		{file: "recorded/sale_async_response_with_end_point_id.txt", meaning: "a sale was accepted; a field we do not know is no harm",
			want: map[string]string{"type": "async-response", "merchant-order-id": "902B4FF56", "paynet-order-id": "1969106", "end-point-id": "12246"}},
		{file: "recorded/preauth_form_async_form_response_no_url.txt", meaning: "a form was opened, without an address",
			want: map[string]string{"type": "async-form-response", "paynet-order-id": "2250976"}},
		{file: "recorded/status_processing_3ds_html_redirect_1.txt", meaning: "the shopper is to see the gateway's page",
			want: map[string]string{"status": "processing", "amount": "10.42", "initial-amount": "10.42", "order-stage": "sale_3d_validating",
				"redirect-to": "https://sandbox.lonapay24.com/payment/form/redirect/1969105/17IcOCFMVNjehLKnnGTvXMw"}},
		{file: "public_tests/status_processing_html_only.txt", meaning: "a page without an address beside it",
			want: map[string]string{"status": "processing", "html": "<html></html>", "merchant-order-id": "CLIENT-112233"}},
		{file: "public_tests/sale_form_async_form_response.txt", meaning: "an answer without any line feed",
			want: map[string]string{"merchant-order-id": "test_id", "redirect-url": "http://redirect.com/"}},
		{file: "public_tests/get_card_info.txt", meaning: "what a card reference shows of its card",
			want: map[string]string{"type": "get-card-info-response", "bin": "4485", "last-four-digits": "9130", "expire-month": "12", "expire-year": "14"}},
		{file: "v4_json/sale_accepted_numeric_order_id.200.json", meaning: "JSON: the id as a number, no type",
			want: map[string]string{"paynet-order-id": "1234567", "merchant-order-id": "hf-abc"}},
		{file: "v4_json/sale_async_form_response.200.json", meaning: "JSON with a type",
			want: map[string]string{"type": "async-form-response", "paynet-order-id": "12345"}},
		{file: "v4_json/status_declined.200.json", meaning: "declined by the bank, the code as a number",
			want: map[string]string{"status": "declined", "error-code": "3", "error-message": "The issuing bank declined the payment."}},
		{file: "v4_json/status_processing_redirect_to.200.json", meaning: "the shopper is to be sent on",
			want: map[string]string{"status": "processing", "redirect-to": "http://127.0.0.1:9/acs?order=1234567"}},
		{file: "v4_json/ticket_refused.400.json", status: 400, meaning: "the request itself was refused",
			want: map[string]string{"error-code": "1"}},
		{file: "v4_json/reply_not_json_form_encoded.txt", meaning: "pairs run together: nothing of it may be believed", refused: true},
	} {
		t.Run(c.file, func(t *testing.T) {
			if c.status == 0 {
				c.status = 200
			}
			a, err := decode(c.status, []byte(fixture(t, c.file)), false)
			if c.refused {
				if err == nil {
					t.Fatalf("%s; read as %v", c.meaning, a)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.meaning, err)
			}
			for k, want := range c.want {
				if a[k] != want {
					t.Errorf("%s: %s is %q, want %q", c.meaning, k, a[k], want)
				}
			}
		})
	}
}

func TestLongIdsStayExact(t *testing.T) {
	a, err := decode(200, []byte(`{"paynet-order-id": 12345678901234567890, "merchant-order-id":"x"}`), false)
	if err != nil || a["paynet-order-id"] != "12345678901234567890" {
		t.Fatal(a, err)
	}
}

func TestUnreadableAnswersAreErrors(t *testing.T) {
	ok := "type=status-response\n&status=approved\n&amount=10.42\n"
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"empty":                       {200, ""},
		"only line feeds":             {200, "\n\n"},
		"HTML":                        {200, "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"},
		"HTML with ampersands":        {200, "<a href=\"/?a=1&b=2\">type=status-response</a>"},
		"server error":                {500, ok},
		"redirect":                    {302, ok},
		"form with 400":               {400, "type=error\n&error-message=x\n"},
		"approved with 400 in JSON":   {400, `{"type":"status-response","status":"approved"}`},
		"approved with 400, nameless": {400, `{"status":"approved"}`},
		"refusal with 200, nameless":  {200, `{"error-message":"no"}`},
		"JSON cut":                    {200, `{"type":"status-response","status":"approved","amount":"1`},
		"JSON cut before the brace":   {200, `{"type":"status-response","status":"approved"`},
		"JSON twice":                  {200, `{"type":"status-response"}{"type":"error"}`},
		"JSON array":                  {200, `[{"type":"status-response"}]`},
		"JSON saying two things":      {200, `{"type":"status-response","status":"declined","status":"approved"}`},
		"form cut":                    {200, ok[:len(ok)-3]},
		"form saying two things":      {200, "type=status-response\n&status=declined\n&status=approved\n"},
		"form with a broken escape":   {200, "type=status-response\n&status=app%zz\n"},
		"form with a name alone":      {200, "type=status-response\n&status\n"},
		"form after an HTML entity":   {200, "type=status-response\n&amount=10.42\n¤cy=EUR\n"},
		"unknown type":                {200, "type=payout-response\n&status=approved\n"},
		"no type":                     {200, "status=approved\n"},
		"not UTF-8":                   {200, "type=status-response\n&status=\xff\n"},
		"numbers for a type":          {200, `{"type":7,"status":"approved"}`},
	} {
		if a, err := decode(c.status, []byte(c.body), false); err == nil {
			t.Errorf("%s was read as %v", name, a)
		}
	}
}

func TestErrorsKeepTheBodyToThemselves(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("<p>4000019900020001 123 " + r.FormValue("control")))
	}))
	defer srv.Close()
	c := client{http: srv.Client(), base: srv.URL, endpoint: "1", path: "1", login: "me", control: providers.NewSecret("key-key-key")}
	_, err := c.status(t.Context(), "o-1", "", "")
	var f *providers.Failure
	if !errors.As(err, &f) || f.Op != "status" {
		t.Fatal(err)
	}
	for _, s := range []string{"4000019900020001", "key-key-key", "<p>", c.sign("me", "o-1", "")} {
		if strings.Contains(err.Error(), s) {
			t.Errorf("%q in %v", s, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, dir := range []string{"recorded", "public_tests", "v4_json", "constructed"} {
		files, err := filepath.Glob("testdata/" + dir + "/*")
		if err != nil || len(files) == 0 {
			f.Fatal(dir, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
			f.Add(raw[:len(raw)/2])
		}
	}
	p := testProvider(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := decode(200, body, len(body)%2 == 0)
		if err != nil {
			return
		}
		s, err := p.standing(payment(), a)
		if err != nil {
			return
		}
		// Whatever the bytes: money is only what a readable, named, approved order of ours says.
		if s.Captured > 0 || s.Held > 0 {
			if st := a["status"]; s.Outcome != providers.Unclear && st != "approved" && s.Outcome != providers.Authorized && s.Outcome != providers.HoldLeft && s.Outcome != providers.Processing {
				t.Fatalf("%s became %+v", st, s)
			}
			if s.Reference != "" && s.Reference != payment().Ref.Reference {
				t.Fatalf("money of another order: %+v", s)
			}
		}
		if s.Outcome == providers.Paid && a["status"] != "approved" && a["transaction-type"] == "sale" {
			t.Fatalf("%q became paid", a["status"])
		}
		if s.Next != nil && s.Outcome != providers.Waiting {
			t.Fatalf("a step beside %s", s.Outcome)
		}
	})
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
