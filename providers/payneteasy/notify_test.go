package payneteasy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tollgate/providers"
)

func callback(method, query, body string) *http.Request {
	r := httptest.NewRequest(method, "https://pay.example/callbacks/pe?"+query, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// Callbacks with published controls, and one that the vendor's own test suite sends.
func TestCallbacksOfRealGateways(t *testing.T) {
	for _, c := range []struct {
		key, query string
		want       providers.Notice
	}{
		{"test-merchant-control", "type=sale&status=approved&orderid=1234567&merchant_order=hf-abc&control=652ace404c4dfe8bba069ecee594ec23a89340e1",
			providers.Notice{Reference: "hf-abc", OrderID: "1234567", Event: "sale approved"}},
		{"AF4B5DE6-3468-424C-A922-C1DAD7CB4509", "status=approved&orderid=123&client_orderid=invoice-1&merchant_order=invoice-1&control=5BC8EE48F9BA37C0FD1E0B052A9BC105C6DF87E1",
			providers.Notice{Reference: "invoice-1", OrderID: "123", Event: "approved"}},
		{"D5F82EC1-8575-4482-AD89-97X6X0X20X22", strings.TrimSpace(fixture(t, "public_tests/callback_sale_declined_signed.txt")),
			providers.Notice{Reference: "CLIENT-112233", OrderID: "PAYNET-112233", Event: "sale declined"}},
	} {
		p := testProvider(t, nil, func(cfg *Config) { cfg.MerchantControl = providers.NewSecret(c.key) })
		for _, r := range []*http.Request{callback("GET", c.query, ""), callback("POST", "", c.query)} {
			if n, err := p.Notified(r); err != nil || n != c.want {
				t.Errorf("%s: %+v %v", r.Method, n, err)
			}
		}
	}
}

func TestForgedCallbacks(t *testing.T) {
	p := testProvider(t, nil)
	good := url.Values{"status": {"approved"}, "orderid": {"6684127"}, "client_orderid": {"902B4FF5"}, "merchant_order": {"902B4FF5"}, "type": {"sale"}}
	good.Set("control", p.client.sign("approved", "6684127", "902B4FF5"))
	if _, err := p.Notified(callback("GET", good.Encode(), "")); err != nil {
		t.Fatal("the genuine one", err)
	}
	change := func(k, v string) string {
		out := url.Values{}
		for n, vs := range good {
			out[n] = vs
		}
		out.Set(k, v)
		return out.Encode()
	}
	for name, query := range map[string]string{
		"another status":             change("status", "declined"),
		"another gateway order":      change("orderid", "6684128"),
		"another order of ours":      change("client_orderid", "902B4FF6"),
		"two names for our order":    change("merchant_order", "902B4FF6"),
		"no control":                 change("control", ""),
		"half a control":             change("control", good.Get("control")[:20]),
		"a control with a tail":      change("control", good.Get("control")+"00"),
		"not hex":                    change("control", strings.Repeat("z", 40)),
		"a control without the key":  change("control", testProvider(t, nil, func(c *Config) { c.MerchantControl = providers.NewSecret("x") }).client.sign("approved", "6684127", "902B4FF5")),
		"a name twice":               good.Encode() + "&client_orderid=902B4FF6",
		"a control twice":            good.Encode() + "&control=" + strings.Repeat("0", 40),
		"nothing":                    "",
		"a broken escape":            good.Encode() + "&x=%zz",
		"the control in another way": "control=" + good.Get("control"),
	} {
		if n, err := p.Notified(callback("GET", query, "")); !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
	if _, err := p.Notified(callback("PUT", good.Encode(), "")); !errors.Is(err, providers.ErrForged) {
		t.Error("PUT", err)
	}
}

// The final redirect came through the shopper's hands: it may supply the gateway's order id, and nothing else.
func TestTheFinalRedirectIsAHint(t *testing.T) {
	p := testProvider(t, &gateway{})
	fields := map[string]string{"status": "approved", "orderid": "6684127", "client_orderid": "902B4FF5", "error_message": "null"}
	step, err := p.Resume(t.Context(), payment(), providers.Answer{Kind: providers.Returned, Fields: fields})
	if err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "" {
		t.Errorf("without a control: %+v %v", step, err)
	}
	fields["control"] = p.client.sign("approved", "6684127", "902B4FF5")
	step, err = p.Resume(t.Context(), payment(), providers.Answer{Kind: providers.Returned, Fields: fields})
	if err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "6684127" {
		t.Errorf("with its control: %+v %v", step, err)
	}
	other := payment()
	other.Ref.Reference = "902B4FF6"
	if step, err = p.Resume(t.Context(), other, providers.Answer{Kind: providers.Returned, Fields: fields}); err != nil || step.Ref.OrderID != "" {
		t.Errorf("of another order: %+v %v", step, err)
	}
}

func FuzzNotified(f *testing.F) {
	p := testProvider(f, nil)
	f.Add("status=approved&orderid=1&client_orderid=2&control="+p.client.sign("approved", "1", "2"), "")
	f.Add("", "type=sale&status=declined&amount=0.99&orderid=PAYNET-112233&merchant_order=CLIENT-112233&client_orderid=CLIENT-112233&control=0f939aa5203be6c7efa6d03de139f0653edd36e6")
	f.Add("a=%zz&&&;", "=&=")
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest("POST", "https://pay.example/callbacks/pe", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if body == "" {
			r.Method = "GET"
		}
		r.URL.RawQuery = query
		n, err := p.Notified(r)
		if err != nil {
			if !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
				t.Fatalf("%+v %v", n, err)
			}
		}
	})
}

func TestACallbackThatCannotBeReadIsForged(t *testing.T) {
	p := testProvider(t, nil)
	long := p.client.sign("approved", "1", "2")
	for name, r := range map[string]*http.Request{
		"a form that cannot be read":            callback("POST", "", "a=%zz"),
		"a form that cannot be read to its end": callback("POST", "", "status=approved&orderid=1&client_orderid=2&control="+long+"&x=%zz"),
		"a name twice, said the same":           callback("GET", "status=approved&orderid=1&client_orderid=2&client_orderid=2&control="+strings.Repeat("0", 40), ""),
		"nothing that was ever signed":          callback("GET", "", ""),
		"a control of 19 bytes":                 callback("GET", "status=approved&orderid=1&client_orderid=2&control="+long[:38], ""),
		"a control and half a byte":             callback("GET", "status=approved&orderid=1&client_orderid=2&control="+long+"0", ""),
	} {
		if n, err := p.Notified(r); !errors.Is(err, providers.ErrForged) || n != (providers.Notice{}) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
	if n, err := p.Notified(callback("GET", "status=approved&orderid=1&orderid=1&client_orderid=2&client_orderid=2&control="+long, "")); err != nil || n.Reference != "2" {
		t.Errorf("a name twice that says the same: %+v %v", n, err)
	}
}
