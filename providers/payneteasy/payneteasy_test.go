package payneteasy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

const testKey = "00000000-1111-2222-3333-444444444444"

// gateway answers every call with the next body and keeps what it was sent.
type gateway struct {
	answers []string
	sent    []sent
}

type sent struct {
	path   string
	accept string
	form   url.Values
}

func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	g.sent = append(g.sent, sent{r.Method + " " + r.URL.String(), r.Header.Get("Accept"), form})
	if len(g.answers) == 0 {
		return nil, errors.New("no more answers")
	}
	body := g.answers[0]
	g.answers = g.answers[1:]
	code := http.StatusOK
	if rest, ok := strings.CutPrefix(body, "400 "); ok {
		code, body = 400, rest
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

func testConfig() Config {
	return Config{
		BaseURL: "https://gate.example/paynet", EndpointID: "789", Login: "test-login", MerchantControl: providers.NewSecret(testKey),
		Billing: Billing{Address: "2704 Colonial Drive", City: "Houston", Zip: "1235", Country: "US", State: "TX", Phone: "660-485-6353", Email: "shop@example.com"},
	}
}

func testProvider(t testing.TB, g *gateway, change ...func(*Config)) *provider {
	t.Helper()
	c := testConfig()
	for _, f := range change {
		f(&c)
	}
	p, err := c.Open(providers.Env{HTTP: &http.Client{Transport: g}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*provider)
}

func eur(minor int64) money.Amount {
	return money.Amount{Minor: minor, Currency: money.Currency{Code: "EUR", Numeric: "978", Digits: 2}}
}

func payment() providers.Payment {
	return providers.Payment{
		Ref: providers.Ref{Reference: "902B4FF5"}, OrderID: "902B4FF5", Amount: eur(1042), Description: "Two cups & a \"pot\"",
		Customer:    providers.Customer{Email: "john.smith@gmail.com", IP: "192.0.2.7"},
		CallbackURL: "https://pay.example/callbacks/pe",
		Run:         providers.Run{N: 1, NotifyURL: "https://pay.example/3ds/tok/notify", ReturnURL: "https://pay.example/3ds/tok/return", SessionData: "c2VhbGVk"},
	}
}

func testCard(t testing.TB) card.Card {
	t.Helper()
	n, err := card.ParseNumber("4444555566661111")
	if err != nil {
		t.Fatal(err)
	}
	code, err := card.ParseCode("084")
	if err != nil {
		t.Fatal(err)
	}
	return card.Card{Number: n, Month: 2, Year: 2031, Code: code, Name: "Vasya Pupkin"}
}

func browser() threeds.BrowserData {
	return threeds.BrowserData{
		AcceptHeader: "text/html,*/*;q=0.8", UserAgent: "Mozilla/5.0 (X11)", IP: "192.0.2.7", Language: "kk-KZ", JavascriptEnabled: true,
		ColorDepth: "24", ScreenHeight: "1080", ScreenWidth: "1920", TZ: "-300",
	}
}

func flat(form url.Values) map[string]string {
	out := map[string]string{}
	for k, v := range form {
		out[k] = strings.Join(v, "|")
	}
	return out
}

const accept = "type=async-response\n&serial-number=sn-1\n&merchant-order-id=902B4FF5\n&paynet-order-id=6684127\n"

func TestSaleOnTheWire(t *testing.T) {
	g := &gateway{answers: []string{accept}}
	step, err := testProvider(t, g).Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
	if err != nil {
		t.Fatal(err)
	}
	if step.Kind != providers.Wait || step.V != providers.StepVersion || step.Ref.OrderID != "6684127" || step.Ref.Reference != "902B4FF5" {
		t.Fatalf("%+v", step)
	}
	if g.sent[0].path != "POST https://gate.example/paynet/api/v2/sale/789" || g.sent[0].accept != "" {
		t.Error(g.sent[0].path, g.sent[0].accept)
	}
	want := map[string]string{
		"client_orderid": "902B4FF5", "order_desc": "Two cups & a \"pot\"", "amount": "10.42", "currency": "EUR", "ipaddress": "192.0.2.7",
		"address1": "2704 Colonial Drive", "city": "Houston", "state": "TX", "zip_code": "1235", "country": "US", "phone": "660-485-6353",
		"email": "john.smith@gmail.com", "card_printed_name": "Vasya Pupkin", "credit_card_number": "4444555566661111",
		"expire_month": "02", "expire_year": "2031", "cvv2": "084",
		"redirect_url": "https://pay.example/3ds/tok/return", "notify_url": "https://pay.example/callbacks/pe",
		"customer_browser_info": "true", "customer_browser_accept_header": "text/html,*/*;q=0.8", "customer_browser_user_agent": "Mozilla/5.0 (X11)",
		"customer_browser_accept_language": "kk-KZ", "customer_browser_javascript_enabled": "true", "customer_browser_java_enabled": "false",
		"customer_browser_color_depth": "24", "customer_browser_screen_height": "1080", "customer_browser_screen_width": "1920",
		"customer_browser_time_zone": "-300",
		"control":                    "5ddfd2b6"}
	got := flat(g.sent[0].form)
	want["control"] = testProvider(t, nil).client.sign("789", "902B4FF5", "1042", "john.smith@gmail.com")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Without script only the headers are known; nothing is invented.
func TestSaleFromABrowserWithoutScript(t *testing.T) {
	g := &gateway{answers: []string{accept}}
	b := threeds.BrowserData{AcceptHeader: "text/html", UserAgent: "Lynx", Language: "ru", IP: "192.0.2.7"}
	if _, err := testProvider(t, g).Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, b); err != nil {
		t.Fatal(err)
	}
	f := g.sent[0].form
	if f.Get("customer_browser_javascript_enabled") != "false" || f.Has("customer_browser_color_depth") || f.Has("customer_browser_time_zone") {
		t.Error(flat(f))
	}
}

func TestHoldGroupAndOtherSettingsChangeTheWire(t *testing.T) {
	g := &gateway{answers: []string{accept, accept, accept}}
	p := testProvider(t, g, func(c *Config) {
		c.EndpointID, c.EndpointGroupID, c.BaseURL, c.Notify, c.SiteURL, c.Answers = "", "2545", "https://lona.example/payment/", "server_callback_url", "https://shop.example", "json"
	})
	pay := payment()
	pay.Hold = true
	pay.Ref.OrderID = ""
	if _, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: testCard(t)}, browser()); err != nil {
		t.Fatal(err)
	}
	pay.Ref = pay.Ref.With(transID, "3d671629-a410-4a5d-9288-b38ceadd41f2")
	if _, err := p.Resume(t.Context(), pay, providers.Answer{Kind: providers.MethodDone, CompInd: "Y", Browser: browser()}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Status(t.Context(), pay); err == nil {
		t.Error("an async-response is no status")
	}
	for i, want := range []string{
		"POST https://lona.example/payment/api/v2/preauth/group/2545",
		"POST https://lona.example/payment/api/3ds/v1/upload-method-url-result/2545", // the documentation has no group/ here
		"POST https://lona.example/payment/api/v2/status/group/2545",
	} {
		if g.sent[i].path != want || g.sent[i].accept != "application/vnd.pay+json" {
			t.Errorf("%s %s, want %s", g.sent[i].path, g.sent[i].accept, want)
		}
	}
	f := g.sent[0].form
	if f.Has("notify_url") || f.Get("server_callback_url") == "" || f.Get("site_url") != "https://shop.example" ||
		f.Get("control") != p.client.sign("2545", "902B4FF5", "1042", "john.smith@gmail.com") {
		t.Error(flat(f))
	}
}

// What an account's defaults supply and what the merchant's words replace.
func TestAddressOfTheMerchantComesFirst(t *testing.T) {
	g := &gateway{answers: []string{accept}}
	pay := payment()
	pay.Billing = providers.Billing{FirstName: "Aigerim", City: "Almaty", Country: "KZ", Phone: "+77010000000", Email: " a@b.example "}
	if _, err := testProvider(t, g).Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: testCard(t)}, browser()); err != nil {
		t.Fatal(err)
	}
	f := g.sent[0].form
	if f.Get("city") != "Almaty" || f.Get("country") != "KZ" || f.Has("state") || f.Get("address1") != "2704 Colonial Drive" ||
		f.Get("first_name") != "Aigerim" || f.Get("email") != "a@b.example" || f.Get("control") != testProvider(t, nil).client.sign("789", "902B4FF5", "1042", "a@b.example") {
		t.Error(flat(f))
	}
}

func TestAmountsOnTheWireAndThoseRefused(t *testing.T) {
	usd, _ := money.ParseCurrency("USD")
	kzt, _ := money.ParseCurrency("KZT")
	rub, _ := money.ParseCurrency("RUB")
	jpy, _ := money.ParseCurrency("JPY")
	kwd, _ := money.ParseCurrency("KWD")
	for _, c := range []struct {
		in    money.Amount
		want  string // "" refused
		field string
	}{
		{money.Amount{Minor: 1, Currency: rub}, "0.01", ""},
		{money.Amount{Minor: 1999, Currency: usd}, "19.99", ""},
		{money.Amount{Minor: 50000, Currency: kzt}, "500.00", ""},
		{money.Amount{Minor: 999999999, Currency: rub}, "9999999.99", ""},
		{money.Amount{Minor: 1000000000, Currency: rub}, "", "amount"},
		{money.Amount{Minor: 9999999999, Currency: rub}, "", "amount"}, // 99,999,999.99 is eleven characters
		{money.Amount{Minor: 0, Currency: rub}, "", "amount"},
		{money.Amount{Minor: 500, Currency: jpy}, "", "currency"},
		{money.Amount{Minor: 500, Currency: kwd}, "", "currency"},
	} {
		pay := payment()
		pay.Amount = c.in
		g := &gateway{answers: []string{accept}}
		p := testProvider(t, g)
		err := p.Check(pay)
		if c.want == "" {
			var r *providers.Refusal
			if !errors.As(err, &r) || r.Field != c.field {
				t.Errorf("%v: %v, want a refusal of %s", c.in, err, c.field)
			}
			if _, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: testCard(t)}, browser()); err == nil || len(g.sent) != 0 {
				t.Errorf("%v was sent", c.in)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c.in, err)
		}
		if _, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: testCard(t)}, browser()); err != nil {
			t.Fatal(err)
		}
		f := g.sent[0].form
		if f.Get("amount") != c.want || f.Get("control") != p.client.sign("789", "902B4FF5", fmt.Sprint(c.in.Minor), "john.smith@gmail.com") {
			t.Errorf("%v: amount %s", c.in, f.Get("amount"))
		}
	}
}

func TestMissingAddressesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	p := testProvider(t, &gateway{}, func(c *Config) { c.Billing = Billing{} })
	pay := payment()
	pay.Billing = providers.Billing{Address: "1 Abay", City: "Almaty", Zip: "050000", Country: "KZ", Phone: "7010000000", Email: "a@b.example"}
	if err := p.Check(pay); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*providers.Payment){
		"billing.address": func(p *providers.Payment) { p.Billing.Address = "" },
		"billing.city":    func(p *providers.Payment) { p.Billing.City = "  " },
		"billing.zip":     func(p *providers.Payment) { p.Billing.Zip = "12345678901" },
		"billing.country": func(p *providers.Payment) { p.Billing.Country = "KAZ" },
		"billing.state":   func(p *providers.Payment) { p.Billing.Country = "US" },
		"billing.phone":   func(p *providers.Payment) { p.Billing.Phone = "" },
		"billing.email":   func(p *providers.Payment) { p.Billing.Email, p.Customer.Email = "", "" },
	} {
		broken := pay
		change(&broken)
		var r *providers.Refusal
		if err := p.Check(broken); !errors.As(err, &r) || r.Field != field {
			t.Errorf("%v, want a refusal of %s", err, field)
		}
	}
}

// Only a validation error that opened no order is a decline. Everything else may hide a charge.
func TestWhatASaleAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer   string
		declined providers.Reason // "" is an error
	}{
		"a required field is missing": {"type=validation-error\n&serial-number=00000000-0000-0000-0000-0000000005bf\n&error-message=Parameter+credit_card_number+is+required\n&error-code=1\n", providers.OtherReason},
		"a wrong code":                {"type=validation-error\n&error-message=Parameter+cvv2+is+invalid\n&error-code=1\n", providers.WrongCVC},
		"refused in JSON":             {`400 {"type":"validation-error","error-message":"Bad card","error-code":1}`, providers.OtherReason},
		"refused in JSON, nameless":   {`400 {"error-message":"Bad card","error-code":1}`, ""},
		"an error":                    {"type=error\n&error-message=Internal+error\n&error-code=99\n", ""},
		"a repeated order number":     {"type=validation-error\n&error-message=Duplicate+client_orderid\n&error-code=1\n", ""},
		"refused, yet with an order":  {"type=validation-error\n&error-message=x\n&paynet-order-id=7\n", ""},
		"refused, of another order":   {"type=validation-error\n&error-message=x\n&merchant-order-id=other\n", ""},
		"accepted, of another order":  {"type=async-response\n&merchant-order-id=other\n&paynet-order-id=7\n", ""},
		"accepted without an id":      {"type=async-response\n&merchant-order-id=902B4FF5\n", ""},
		"a status":                    {"type=status-response\n&merchant-order-id=902B4FF5\n&paynet-order-id=7\n&status=approved\n", ""},
		"a form":                      {"type=async-form-response\n&merchant-order-id=902B4FF5\n&paynet-order-id=7\n&redirect-url=https%3A%2F%2Fx\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gateway{answers: []string{c.answer}}
			step, err := testProvider(t, g).Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: testCard(t)}, browser())
			if c.declined == "" {
				var f *providers.Failure
				if !errors.As(err, &f) || f.Op != "sale" {
					t.Fatalf("%+v %v", step, err)
				}
				return
			}
			if err != nil || step.Kind != providers.Declined || step.Decline.Reason != c.declined || step.Ref.Reference != "902B4FF5" {
				t.Fatalf("%+v %v", step, err)
			}
		})
	}
}

func TestUploadsOnTheWire(t *testing.T) {
	taken := fixture(t, "constructed/upload_async_response.txt")
	g := &gateway{answers: []string{taken, taken, taken}}
	p := testProvider(t, g)
	pay := payment()
	pay.Ref.OrderID = "6684127"
	pay.Ref = pay.Ref.With(transID, "3d671629-a410-4a5d-9288-b38ceadd41f2")
	for _, a := range []providers.Answer{
		{Kind: providers.MethodDone, CompInd: "N", Browser: browser()},
		{Kind: providers.Challenged, CRes: "eyJ0cmFuc1N0YXR1cyI6IlkifQ=="},
		{Kind: providers.PayerAuth, PaRes: "eJx+/=", MD: "c2VhbGVk"},
	} {
		step, err := p.Resume(t.Context(), pay, a)
		if err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "6684127" || step.Ref.More[transID] == "" {
			t.Fatalf("%+v %v", step, err)
		}
	}
	base := map[string]string{"login": "test-login", "client-order-id": "902B4FF5", "orderid": "6684127", "control": p.client.sign("test-login", "902B4FF5", "6684127")}
	for i, c := range []struct {
		path string
		more map[string]string
	}{
		{"upload-method-url-result", map[string]string{
			"threeDSServerTransID": "3d671629-a410-4a5d-9288-b38ceadd41f2", "threeDSCompInd": "N", "notificationURL": "https://pay.example/3ds/tok/return",
			"browserAcceptHeader": "text/html,*/*;q=0.8", "browserUserAgent": "Mozilla/5.0 (X11)", "browserIP": "192.0.2.7", "browserJavaEnabled": "false",
			"browserJavascriptEnabled": "true", "browserLanguage": "kk-KZ", "browserColorDepth": "24", "browserScreenHeight": "1080",
			"browserScreenWidth": "1920", "browserTZ": "-300"}},
		{"upload-cres-result", map[string]string{"cres": "eyJ0cmFuc1N0YXR1cyI6IlkifQ=="}},
		{"upload-pares-result", map[string]string{"paRes": "eJx+/=", "md": "c2VhbGVk"}},
	} {
		for k, v := range base {
			c.more[k] = v
		}
		if g.sent[i].path != "POST https://gate.example/paynet/api/3ds/v1/"+c.path+"/789" {
			t.Error(g.sent[i].path)
		}
		if diff := cmp.Diff(c.more, flat(g.sent[i].form)); diff != "" {
			t.Error(c.path, diff)
		}
	}
}

// The documentation prints two upload requests, cut short; what is left of them names path and fields as ours do.
func TestUploadsAsDocumented(t *testing.T) {
	for file, field := range map[string]string{"upload_cres_request_TRUNCATED.http": "cres", "upload_pares_request_TRUNCATED.http": "md"} {
		head, body, _ := strings.Cut(strings.ReplaceAll(fixture(t, "documented/"+file), "\r\n", "\n"), "\n\n")
		form, err := url.ParseQuery(strings.ReplaceAll(strings.TrimSpace(body), "\n", ""))
		if err != nil || !form.Has(field) {
			t.Fatal(file, err)
		}
		g := &gateway{answers: []string{accept}}
		p := testProvider(t, g, func(c *Config) { c.EndpointID, c.BaseURL = "39529", "https://gate.example/paynet" })
		pay := payment()
		pay.Ref.OrderID = "6684127"
		answer := providers.Answer{Kind: providers.Challenged, CRes: form.Get(field)}
		if field == "md" {
			answer = providers.Answer{Kind: providers.PayerAuth, PaRes: "eJx", MD: form.Get(field)}
		}
		if _, err := p.Resume(t.Context(), pay, answer); err != nil {
			t.Fatal(err)
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(head, "POST "), " ")
		if g.sent[0].path != "POST https://gate.example"+path || g.sent[0].form.Get(field) != form.Get(field) {
			t.Errorf("%s: %s %v", file, g.sent[0].path, flat(g.sent[0].form))
		}
		for name := range form {
			if !g.sent[0].form.Has(name) {
				t.Errorf("%s: %s is not sent", file, name)
			}
		}
	}
}

// A refused upload says nothing of the payment: the gateway may have gone on without it.
func TestARefusedUploadIsNoDecline(t *testing.T) {
	g := &gateway{answers: []string{"type=validation-error\n&error-message=CRes+already+uploaded\n&error-code=1\n"}}
	pay := payment()
	pay.Ref.OrderID = "6684127"
	_, err := testProvider(t, g).Resume(t.Context(), pay, providers.Answer{Kind: providers.Challenged, CRes: "x"})
	var f *providers.Failure
	if !errors.As(err, &f) || f.Code != "1" {
		t.Fatal(err)
	}
}

func statusOf(t *testing.T, pay providers.Payment, answer string, change ...func(*Config)) (providers.Standing, error) {
	t.Helper()
	return testProvider(t, &gateway{answers: []string{answer}}, change...).Status(t.Context(), pay)
}

func status(pairs ...string) string {
	return "type=status-response\n&serial-number=sn\n&merchant-order-id=902B4FF5\n&paynet-order-id=6684127\n&" + strings.Join(pairs, "\n&") + "\n"
}

func TestTheTimeOfAMethodIsTheAccounts(t *testing.T) {
	body := status("status=processing", "tds_status=MethodUrlFrame", "tds-method-url-frame-3ds-server-trans-id=3d671629-a410-4a5d-9288-b38ceadd41f2",
		"tds-method-url-frame-3ds-method-url=https%3A%2F%2Facs.example%2F3ds-method")
	for seconds, want := range map[int64]time.Duration{0: 10 * time.Second, 5: 5 * time.Second, 30: 30 * time.Second} {
		s, err := statusOf(t, payment(), body, func(c *Config) { c.MethodWait = seconds })
		if err != nil || s.Next == nil || s.Next.Deadline != want {
			t.Errorf("%d: %+v, %v", seconds, s.Next, err)
		}
	}
	for _, seconds := range []int64{-1, 4, 31} {
		if (Config{MethodWait: seconds}).Faults() == nil || !strings.Contains(strings.Join(Config{MethodWait: seconds}.Faults(), " "), "method_wait") {
			t.Errorf("%d seconds are taken", seconds)
		}
	}
}

func TestStatusOnTheWire(t *testing.T) {
	g := &gateway{answers: []string{status("status=processing"), status("status=processing")}}
	p := testProvider(t, g)
	pay := payment()
	s, err := p.Status(t.Context(), pay)
	if err != nil {
		t.Fatal(err)
	}
	pay.Ref = s.Ref
	if _, err := p.Status(t.Context(), pay); err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{"login": "test-login", "client_orderid": "902B4FF5", "control": p.client.sign("test-login", "902B4FF5", "")},
		{"login": "test-login", "client_orderid": "902B4FF5", "orderid": "6684127", "control": p.client.sign("test-login", "902B4FF5", "6684127")},
	}
	for i := range want {
		if diff := cmp.Diff(want[i], flat(g.sent[i].form)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatAStatusMeans(t *testing.T) {
	sums := []string{"amount=10.42", "initial-amount=10.42", "currency=EUR"}
	with := func(pairs ...string) string { return status(append(pairs, sums...)...) }
	for _, c := range []struct {
		name   string
		answer string
		hold   bool
		want   providers.Outcome
		held   int64
		taken  int64
		back   int64
	}{
		{name: "a sale", answer: with("status=approved", "transaction-type=sale"), want: providers.Paid, taken: 1042},
		{name: "a hold", answer: with("status=approved", "transaction-type=preauth"), hold: true, want: providers.Authorized, held: 1042},
		{name: "a hold before the money is taken", answer: with("status=approved", "transaction-type=preauth"), want: providers.Processing, held: 1042},
		{name: "a sale by its stage alone", answer: with("status=approved", "order-stage=sale_approved"), want: providers.Paid, taken: 1042},
		{name: "a hold by its stage alone", answer: with("status=approved", "order-stage=auth_approved"), hold: true, want: providers.Authorized, held: 1042},
		{name: "approved and no word of what", answer: with("status=approved"), want: providers.Paid, taken: 1042},
		{name: "approved hold and no word of what", answer: with("status=approved"), hold: true, want: providers.Authorized, held: 1042},
		{name: "a capture", answer: with("status=approved", "transaction-type=capture"), want: providers.Paid, held: 1042, taken: 1042},
		{name: "a smaller capture", answer: status("status=approved", "transaction-type=capture", "amount=4.00", "initial-amount=10.42", "currency=EUR"), want: providers.Paid, held: 1042, taken: 400},
		{name: "a capture at work", answer: with("status=processing", "transaction-type=capture"), hold: true, want: providers.Authorized, held: 1042},
		{name: "a declined capture leaves the hold", answer: with("status=declined", "transaction-type=capture"), hold: true, want: providers.Authorized, held: 1042},
		{name: "a capture at work, to be taken at once", answer: with("status=processing", "transaction-type=capture"), want: providers.Processing, held: 1042},
		{name: "a declined capture, to be taken at once", answer: with("status=declined", "transaction-type=capture"), want: providers.HoldLeft, held: 1042},
		{name: "its cancel refused", answer: with("status=declined", "transaction-type=cancel"), want: providers.HoldLeft, held: 1042},
		{name: "a cancel", answer: with("status=approved", "transaction-type=cancel"), want: providers.Voided},
		{name: "a cancel by its stage", answer: with("status=approved", "order-stage=cancel_approved"), want: providers.Voided},
		{name: "a whole reversal", answer: with("status=approved", "transaction-type=reversal"), want: providers.Paid, taken: 1042, back: 1042},
		{name: "a partial reversal", answer: status("status=approved", "transaction-type=reversal", "amount=10.00", "initial-amount=10.42", "currency=EUR"), want: providers.Paid, taken: 1042, back: 42},
		{name: "a declined reversal is no declined payment", answer: with("status=declined", "transaction-type=reversal"), want: providers.Unclear},
		{name: "a chargeback", answer: with("status=approved", "transaction-type=chargeback"), want: providers.Paid, taken: 1042},
		{name: "approved, of a kind not known", answer: with("status=approved", "transaction-type=transfer"), want: providers.Unclear},
		{name: "declined", answer: with("status=declined", "transaction-type=sale", "error-code=3", "error-message=no"), want: providers.Refused},
		{name: "filtered", answer: with("status=filtered", "transaction-type=sale"), want: providers.Refused},
		{name: "failed at the gateway", answer: with("status=error", "transaction-type=preauth"), want: providers.Refused},
		{name: "at work", answer: with("status=processing", "transaction-type=sale"), want: providers.Processing},
		{name: "declined in a cascade, another try follows", answer: with("status=chain_declined", "transaction-type=sale"), want: providers.Processing},
		{name: "not known to the gateway itself", answer: with("status=unknown", "transaction-type=sale"), want: providers.Unclear},
		{name: "a status of a later version", answer: with("status=reconciling", "transaction-type=sale"), want: providers.Unclear},
		{name: "the case matters", answer: with("status=Approved", "transaction-type=sale"), want: providers.Unclear},
		{name: "no such order", answer: "type=error\n&error-message=Order+not+found\n&error-code=5\n", want: providers.NotFound},
		{name: "no such order in JSON", answer: `400 {"type":"validation-error","error-message":"No such order"}`, want: providers.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			pay := payment()
			pay.Hold = c.hold
			s, err := statusOf(t, pay, c.answer)
			if err != nil {
				t.Fatal(err)
			}
			if s.Outcome != c.want || s.Held != c.held || s.Captured != c.taken || s.Refunded != c.back {
				t.Errorf("%s held %d captured %d refunded %d", s.Outcome, s.Held, s.Captured, s.Refunded)
			}
			if (s.Outcome == providers.Refused || s.Outcome == providers.HoldLeft) != (s.Decline != nil) {
				t.Errorf("decline %v", s.Decline)
			}
			if s.Next != nil {
				t.Errorf("next %v", s.Next)
			}
			if c.want != providers.NotFound && c.want != providers.Refused && c.want != providers.Unclear && c.want != providers.Processing {
				if s.Reference != "902B4FF5" || s.Ref.OrderID != "6684127" || s.Amount != eur(1042) {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestAStatusThatCannotBeBelieved(t *testing.T) {
	known := payment()
	known.Ref.OrderID = "6684127"
	for name, c := range map[string]struct {
		pay    providers.Payment
		answer string
	}{
		"no status":                            {payment(), status("amount=10.42")},
		"no order named":                       {payment(), "type=status-response\n&status=approved\n&amount=10.42\n&currency=EUR\n"},
		"another gateway order":                {known, "type=status-response\n&status=approved\n&merchant-order-id=902B4FF5\n&paynet-order-id=7\n"},
		"an order id without our number":       {payment(), "type=status-response\n&status=approved\n&paynet-order-id=7\n"},
		"a known order not found":              {known, "type=error\n&error-message=Order+not+found\n"},
		"our settings are wrong":               {payment(), "type=validation-error\n&error-message=End+point+not+found\n"},
		"refused for another reason":           {payment(), "type=error\n&error-message=Internal+error\n"},
		"an amount that is none":               {known, status("status=approved", "amount=ten", "currency=EUR")},
		"an amount below the minor unit":       {known, status("status=approved", "amount=10.421", "currency=EUR")},
		"a negative amount":                    {known, status("status=approved", "amount=-10.42", "currency=EUR")},
		"a currency that is none":              {known, status("status=approved", "amount=10.42", "currency=EUX")},
		"tds_status says two things":           {known, status("status=processing", "tds_status=CReqForm", "tds-status=PaReqForm")},
		"a step not known":                     {known, status("status=processing", "tds_status=SpcForm")},
		"a Method without an id":               {known, status("status=processing", "tds_status=MethodUrlFrame")},
		"a challenge without a CReq":           {known, status("status=processing", "tds_status=CReqForm", "tds-creq-form-acs-url=https%3A%2F%2Facs.example")},
		"a payer authentication without PaReq": {known, status("status=processing", "tds_status=PaReqForm", "tds-pareq-form-acs-url=https%3A%2F%2Facs.example")},
	} {
		if s, err := statusOf(t, c.pay, c.answer); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Another amount, currency or order is told as it is: the flow compares and holds the payment.
func TestAnotherAmountCurrencyOrOrderIsReported(t *testing.T) {
	usd, _ := money.ParseCurrency("USD")
	for name, c := range map[string]struct {
		answer    string
		amount    money.Amount
		reference string
	}{
		"more":                            {status("status=approved", "transaction-type=sale", "amount=99.00", "initial-amount=10.42", "currency=EUR"), eur(9900), "902B4FF5"},
		"less":                            {status("status=approved", "transaction-type=sale", "amount=1.00", "initial-amount=10.42", "currency=EUR"), eur(100), "902B4FF5"},
		"another currency":                {status("status=approved", "transaction-type=sale", "amount=10.42", "currency=USD"), money.Amount{Minor: 1042, Currency: usd}, "902B4FF5"},
		"no amount, yet another currency": {status("status=approved", "transaction-type=sale", "currency=USD"), money.Amount{Currency: usd}, "902B4FF5"},
		"no currency":                     {status("status=approved", "transaction-type=sale", "amount=99"), eur(9900), "902B4FF5"},
	} {
		s, err := statusOf(t, payment(), c.answer)
		if err != nil {
			t.Fatal(name, err)
		}
		if s.Amount != c.amount || s.Reference != c.reference {
			t.Errorf("%s: %+v", name, s)
		}
	}
	s, err := statusOf(t, payment(), "type=status-response\n&status=approved\n&transaction-type=sale\n&merchant-order-id=other\n&paynet-order-id=7\n&amount=10.42\n&currency=EUR\n")
	if err != nil || s.Reference != "other" || s.Outcome == providers.Paid || s.Ref.OrderID != "" || s.Captured != 0 {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := statusOf(t, payment(), status("status=approved", "transaction-type=sale")); err != nil || s.Amount.Currency.Code != "" || s.Captured != 1042 {
		t.Errorf("a gateway that says no sum: %+v %v", s, err)
	}
}

func TestStepsOfTheDirectScheme(t *testing.T) {
	pay := payment()
	const id = "3d671629-a410-4a5d-9288-b38ceadd41f2"
	method := "tds-method-url-frame-3ds-server-trans-id=" + id + "\n&tds-method-url-frame-3ds-method-url=https%3A%2F%2Facs.example%2F3ds-method"
	for spelling, body := range map[string]string{
		"tds_status": status("status=processing", "tds_status=MethodUrlFrame", method), "tds-status": fixture(t, "constructed/status_method_url_frame_hyphen.txt"),
	} {
		s, err := statusOf(t, pay, body)
		if err != nil {
			t.Fatal(err)
		}
		n := s.Next
		if s.Outcome != providers.Waiting || n == nil || n.Kind != providers.Method || n.V != providers.StepVersion || n.NewRun ||
			n.Deadline != 10*time.Second || n.ThreeDS.ThreeDSServerTransID != id || n.Ref.More[transID] != id || n.Ref.OrderID != "6684127" {
			t.Fatalf("%s: %+v", spelling, n)
		}
		data, err := threeds.EncodeMethodData(threeds.MethodData{ThreeDSServerTransID: id, ThreeDSMethodNotificationURL: pay.Run.NotifyURL})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]threeds.Form{{Action: "https://acs.example/3ds-method", Fields: []threeds.Field{{Name: "threeDSMethodData", Value: data}}}}, n.Forms); diff != "" {
			t.Error(diff)
		}
	}

	s, err := statusOf(t, pay, fixture(t, "constructed/status_method_url_frame_without_method_url.txt"))
	if err != nil || s.Next == nil || s.Next.Kind != providers.Method || len(s.Next.Forms) != 0 || s.Next.Ref.More[transID] != id {
		t.Fatalf("without a Method URL: %+v %v", s.Next, err)
	}

	s, err = statusOf(t, pay, fixture(t, "constructed/status_creq_form.txt"))
	if err != nil {
		t.Fatal(err)
	}
	creq := "eyJ0aHJlZURTU2VydmVyVHJhbnNJRCI6ImM1NDA5N2VhLTc0ZTctNDE2My05MTQ4LTNjMTY1NTg3NGIwMCIsImFjc1RyYW5zSUQiOiIxMjU1NTkyMi1lZmYzLTRjOTQtOTk4Mi0yMDM3NjJhMzdmMjkiLCJjaGFsbGVuZ2VXaW5kb3dTaXplIjoiMDIiLCJtZXNzYWdlVHlwZSI6IkNSZXEiLCJtZXNzYWdlVmVyc2lvbiI6IjIuMS4wIn0="
	want := []threeds.Form{{Action: "https://acs.bank-domain.com/mdpayacs/creq", Fields: []threeds.Field{{Name: "creq", Value: creq}, {Name: "threeDSSessionData", Value: "c2VhbGVk"}}}}
	if diff := cmp.Diff(want, s.Next.Forms); diff != "" {
		t.Error("the CReq goes on byte for byte, padding included", diff)
	}
	ids := threeds.IDs{ThreeDSServerTransID: "c54097ea-74e7-4163-9148-3c1655874b00", ACSTransID: "12555922-eff3-4c94-9982-203762a37f29", MessageVersion: "2.1.0"}
	if s.Next.Kind != providers.Challenge || s.Next.ThreeDS != ids {
		t.Errorf("%+v", s.Next)
	}

	pareq := "eJxVUm1T4jAQ/itMv9O8tIWUWeNUq3fMHR6jqJ8z6Qp1aIpJKvrvTQqcnjOZ2WdfsvvsbuDyvd+O3tC6rjfnCZvQZIRG901n1ufJ4+pmXCSXEh42FrF+QD1YlLBA59QaR11znvwRxRSbWcFyzZCLfNpkyWRaTHGaN01eClEwTGRYVvf4KuE4QIb6KQdyUkM9qzfKeAlKv17N72ReFFwUQI4qtGjntcx4OZ3lgeZBB6NalH/RO30b7XbvrNrtxg7tW6cRyOADux2Mtx9S8DzNgZwUGOxWbrzfOUCO+zwZqBXtQL47lsVYYi7ee40cX++d6mb2tR0tnqqXaj6nz6tlunh8yRbLFQ2xAiR4gIZ5lJwyTkTGR4yeZ8W5oEBGO6g2NiGrVcUDzQOCXSxSfbmYhx4BJhQs7mE1I0oZtOEKpBhD+IWBL2ZfLTl1+LBNmY9z1x6H+A=="
	s, err = statusOf(t, pay, status("status=processing", "tds_status=PaReqForm", "tds-pareq-form-pareq="+url.QueryEscape(pareq), "tds-pareq-form-acs-url=https%3A%2F%2Facs.example%2Fpareq"))
	if err != nil {
		t.Fatal(err)
	}
	want = []threeds.Form{{Action: "https://acs.example/pareq", Fields: []threeds.Field{
		{Name: "PaReq", Value: pareq}, {Name: "TermUrl", Value: "https://pay.example/3ds/tok/return"}, {Name: "MD", Value: "c2VhbGVk"}}}}
	if diff := cmp.Diff(want, s.Next.Forms); s.Next.Kind != providers.PayerPage || diff != "" {
		t.Error(diff)
	}
}

// The same step told again has the same identity; a Method with a new threeDSServerTransID opens a second run.
func TestRepeatedStepsKeepTheirIdentity(t *testing.T) {
	pay := payment()
	frame := func(id string) string {
		return status("status=processing", "tds_status=MethodUrlFrame", "tds-method-url-frame-3ds-server-trans-id="+id)
	}
	first, err := statusOf(t, pay, frame("3d671629-a410-4a5d-9288-b38ceadd41f2"))
	if err != nil {
		t.Fatal(err)
	}
	pay.Ref = first.Next.Ref
	again, err := statusOf(t, pay, frame("3d671629-a410-4a5d-9288-b38ceadd41f2"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Next, again.Next); diff != "" {
		t.Error(diff)
	}
	other, err := statusOf(t, pay, frame("c54097ea-74e7-4163-9148-3c1655874b00"))
	if err != nil || !other.Next.NewRun || other.Next.Ref.More[transID] != "c54097ea-74e7-4163-9148-3c1655874b00" {
		t.Errorf("%+v %v", other.Next, err)
	}
}

func TestPagesOfTheGateway(t *testing.T) {
	rec := payment()
	rec.Ref.Reference, rec.OrderID = "902B4FF56", "902B4FF56"
	s, err := statusOf(t, rec, fixture(t, "recorded/status_processing_3ds_html_redirect_1.txt"))
	if err != nil || s.Outcome != providers.Waiting || s.Next.Kind != providers.Page || !strings.HasPrefix(s.Next.HTML, "<!DOCTYPE html>\n<html>") ||
		!strings.Contains(s.Next.HTML, `value="eNrNmFmT4jjWhv9KRc8lU`) || s.Next.Link != "https://sandbox.lonapay24.com/payment/form/redirect/1969105/17IcOCFMVNjehLKnnGTvXMw" {
		t.Fatalf("%+v %v", s.Next, err)
	}
	if s.Card != (card.Masked{Brand: "visa", First6: "453897", Last4: "6732"}) || s.Amount != eur(1042) {
		t.Errorf("%+v", s)
	}
	only := payment()
	only.Ref.Reference = "CLIENT-112233"
	if s, err = statusOf(t, only, fixture(t, "public_tests/status_processing_html_only.txt")); err != nil || s.Next.Kind != providers.Page || s.Next.HTML != "<html></html>" {
		t.Errorf("%+v %v", s.Next, err)
	}
	if s, err = statusOf(t, payment(), status("status=processing", "redirect-to=https%3A%2F%2Fgate.example%2Fpage%2F1")); err != nil ||
		s.Next.Kind != providers.Redirect || s.Next.Link != "https://gate.example/page/1" {
		t.Errorf("%+v %v", s.Next, err)
	}
	js := payment()
	js.Ref.Reference = "hf-abc"
	p := testProvider(t, &gateway{answers: []string{fixture(t, "v4_json/status_processing_redirect_to.200.json")}})
	p.loopback = true
	usd, _ := money.ParseCurrency("USD")
	if s, err = p.Status(t.Context(), js); err != nil || s.Next == nil || s.Next.Kind != providers.Redirect || s.Amount != (money.Amount{Minor: 100, Currency: usd}) {
		t.Errorf("%+v %v", s, err)
	}
}

func TestReasonsOfDeclines(t *testing.T) {
	for _, c := range []struct {
		code, text, more string
		want             providers.Reason
	}{
		{"101", "", "", providers.ExpiredCard},
		{"116", "Decline", "", providers.InsufficientFunds},
		{"119", "", "", providers.CardNotSupported},
		{"209", "", "", providers.Fraud},
		{"3", "The issuing bank declined the payment.", "", providers.OtherReason},
		{"", "Insufficient funds", "", providers.InsufficientFunds},
		{"", "Expired card", "", providers.ExpiredCard},
		{"", "Invalid CVV2", "", providers.WrongCVC},
		{"", "Do not honour", "", providers.DoNotHonor},
		{"", "3DS authentication failed", "", providers.AuthenticationFailed},
		{"", "Withdrawal limit exceeded", "", providers.Limit},
		{"", "Suspected fraud", "", providers.Fraud},
		{"", "Transaction not permitted to cardholder", "", providers.CardNotSupported},
		{"", "Issuer is unavailable", "", providers.TryAgainLater},
		{"", "Declined", "verified-3d-status=NOT_AUTHENTICATED", providers.AuthenticationFailed},
		{"E-17", "something new", "", providers.OtherReason},
	} {
		s, err := statusOf(t, payment(), status("status=declined", "transaction-type=sale", "error-code="+c.code, "error-message="+url.QueryEscape(c.text), c.more+"&x=1"))
		if err != nil || s.Decline == nil || s.Decline.Reason != c.want || s.Decline.Code != c.code {
			t.Errorf("%s %s: %+v %v", c.code, c.text, s.Decline, err)
		}
	}
	s, _ := statusOf(t, payment(), status("status=filtered", "transaction-type=sale"))
	if s.Decline == nil || s.Decline.Reason != providers.Fraud {
		t.Errorf("filtered: %+v", s.Decline)
	}
}

// Card number, code and merchant control stay out of errors, declines, logs and printed structs, even where the gateway
// repeats what it was sent.
func TestNoSecretIsInErrorsLogsOrPrintedStructs(t *testing.T) {
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	c := testCard(t)
	echo := "Parameter+credit_card_number+4444555566661111+%284444+5555+6666+1111%29+or+cvv2+084+is+invalid"
	g := &gateway{answers: []string{
		"type=validation-error\n&error-message=" + echo + "\n&error-code=1\n",
		"type=error\n&error-message=" + echo + "\n",
	}}
	p := testProvider(t, g)
	step, err := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: c}, browser())
	if err != nil {
		t.Fatal(err)
	}
	_, failed := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: c}, browser())
	_, dead := p.Pay(t.Context(), payment(), providers.Instrument{Kind: "card", Card: c}, browser())
	if failed == nil || dead == nil {
		t.Fatal(failed, dead)
	}
	cfg := testConfig()
	slog.Info("all of it", "config", cfg, "provider", p, "step", step, "failed", failed, "dead", dead, "control", cfg.MerchantControl)
	text := log.String() + fmt.Sprintf("%v %+v %#v %v %q %x %d %v %+v %#v %+v %+v %v %v", cfg, cfg, cfg, cfg, cfg.MerchantControl, cfg.MerchantControl, cfg.MerchantControl, p, *p, *p, step, *step.Decline, failed, dead)
	for _, secret := range []string{"4444555566661111", "4444 5555 6666 1111", "084", testKey, fmt.Sprintf("%x", testKey)} {
		if strings.Contains(text, secret) {
			t.Errorf("%q in %s", secret, text)
		}
	}
	if !strings.Contains(step.Decline.Message, "is invalid") {
		t.Error("the rest of the gateway's words is gone:", step.Decline.Message)
	}
}

func TestFaultsOfTheSettingsAreNamedAllAtOnce(t *testing.T) {
	if f := testConfig().Faults(); len(f) != 0 {
		t.Fatal(f)
	}
	f := Config{BaseURL: "http://gate.example/paynet/api/v2", EndpointID: "1", EndpointGroupID: "2", Answers: "xml", Notify: "yes", Billing: Billing{Country: "Kazakhstan"}}.Faults()
	all := strings.Join(f, "\n")
	for _, key := range []string{"base_url: must be https", "base_url: ends before", "endpoint_id", "login", "merchant_control", "answers", "notify", "billing.country"} {
		if !strings.Contains(all, key) {
			t.Errorf("%s is not named in %s", key, all)
		}
	}
}

func TestAFeeIsRefused(t *testing.T) {
	pay := payment()
	pay.Fee = 1
	g := &gateway{answers: []string{accept}}
	p := testProvider(t, g)
	var r *providers.Refusal
	if err := p.Check(pay); !errors.As(err, &r) || r.Field != "fee" {
		t.Errorf("%v, want a refusal of the fee", err)
	}
	if _, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "card", Card: testCard(t)}, browser()); err == nil || len(g.sent) != 0 {
		t.Error("a sale that leaves the fee out was sent")
	}
}

// An address that a browser must not open: the optional Method goes without its frame, html does without redirect-to, and a
// try whose page cannot be reached is over, for no money moves without what would come back from there.
func TestAddressesThatMayNotBeOpened(t *testing.T) {
	s, err := statusOf(t, payment(), status("status=processing", "tds_status=MethodUrlFrame", "tds-method-url-frame-3ds-server-trans-id=3d671629-a410-4a5d-9288-b38ceadd41f2",
		"tds-method-url-frame-3ds-method-url=http%3A%2F%2Facs.example%2Fm"))
	if err != nil || s.Outcome != providers.Waiting || s.Next == nil || s.Next.Kind != providers.Method || len(s.Next.Forms) != 0 {
		t.Errorf("Method: %+v %v", s, err)
	}
	s, err = statusOf(t, payment(), status("status=processing", "html=%3Cp%3E", "redirect-to=http%3A%2F%2Facs.example%2F"))
	if err != nil || s.Next == nil || s.Next.Kind != providers.Page || s.Next.HTML != "<p>" || s.Next.Link != "" {
		t.Errorf("html: %+v %v", s, err)
	}
	for _, step := range [][]string{
		{"tds_status=CReqForm", "tds-creq-form-creq=e30", "tds-creq-form-acs-url=javascript%3Aalert(1)"},
		{"tds_status=CReqForm", "tds-creq-form-creq=e30", "tds-creq-form-acs-url=http%3A%2F%2F127.0.0.1%2Fa"},
		{"tds_status=PaReqForm", "tds-pareq-form-pareq=eJx", "tds-pareq-form-acs-url=http%3A%2F%2Facs.example%2Fa"},
		{"redirect-to=data%3Atext%2Fhtml,x"},
	} {
		s, err := statusOf(t, payment(), status(append(step, "status=processing")...))
		if err != nil || s.Outcome != providers.Waiting || s.LastTry == nil || s.Next != nil {
			t.Errorf("%s: %+v %v", step, s, err)
		}
	}
}

// A browser that keeps things to itself: what EMV 3DS requires is sent in its plainest legal form.
func TestAnUploadWithoutBrowserDataUsesDefaults(t *testing.T) {
	g := &gateway{answers: []string{accept}}
	pay := payment()
	pay.Locale, pay.Customer.IP, pay.Ref.OrderID = "", "192.0.2.7", "6684127"
	pay.Ref = pay.Ref.With(transID, "3d671629-a410-4a5d-9288-b38ceadd41f2")
	step, err := testProvider(t, g).Resume(t.Context(), pay, providers.Answer{Kind: providers.MethodDone, CompInd: "U", Browser: threeds.BrowserData{JavascriptEnabled: true}})
	if err != nil || step.Kind != providers.Wait {
		t.Fatalf("%+v %v", step, err)
	}
	for name, want := range map[string]string{"browserLanguage": "en", "browserColorDepth": "24", "browserScreenHeight": "0", "browserScreenWidth": "0", "browserTZ": "0",
		"browserAcceptHeader": "*/*", "browserUserAgent": "unknown", "browserIP": "192.0.2.7", "browserJavascriptEnabled": "true", "browserJavaEnabled": "false"} {
		if got := g.sent[0].form.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A field that the gateway refuses is sent once more in its plainest form, as a call of its own. What is refused again is told as
// refused, and as proof that nothing was done.
func TestARefusedFieldOfAnUploadIsSentOnceMoreInItsPlainestForm(t *testing.T) {
	refusal := func(field string) string {
		return "type=validation-error\n&error-message=Parameter+" + field + "+is+malformed\n&error-code=1\n"
	}
	pay := payment()
	pay.Locale, pay.Ref.OrderID = "ru", "6684127"
	pay.Ref = pay.Ref.With(transID, "3d671629-a410-4a5d-9288-b38ceadd41f2")
	method := providers.Answer{Kind: providers.MethodDone, CompInd: "N", Browser: browser()}
	for _, c := range []struct {
		name    string
		answer  providers.Answer
		answers []string
		plain   string         // of the last call
		want    providers.Kind // of its step; "": it failed
		untaken bool
	}{
		{"mended", method, []string{refusal("browserLanguage"), accept}, "browserLanguage", providers.Wait, false},
		{"two fields", method, []string{refusal("browserLanguage"), refusal("browserTZ"), accept}, "browserLanguage browserTZ", providers.Wait, false},
		{"refused again", method, []string{refusal("browserLanguage"), refusal("browserLanguage")}, "browserLanguage", "", true},
		{"script ran, whatever the gateway makes of it", method, []string{refusal("browserJavascriptEnabled")}, "", "", true},
		{"for something else", method, []string{refusal("threeDSCompInd")}, "", "", true},
		{"another upload", providers.Answer{Kind: providers.Challenged, CRes: "e30"}, []string{refusal("cRes")}, "", "", true},
		{"another order", method, []string{strings.TrimSpace(refusal("browserLanguage")) + "&paynet-order-id=7\n"}, "", "", false},
		{"no validation error", method, []string{"type=error\n&error-message=browserLanguage\n&error-code=1\n"}, "", "", false},
		{"a status", method, []string{strings.TrimSpace(refusal("browserLanguage")) + "&status=approved\n"}, "", "", false},
	} {
		pay := pay
		for i, answer := range c.answers {
			g := &gateway{answers: []string{answer}}
			step, err := testProvider(t, g).Resume(t.Context(), pay, c.answer)
			if len(g.sent) != 1 {
				t.Fatalf("%s: %d calls under one permission", c.name, len(g.sent))
			}
			if i < len(c.answers)-1 {
				if step.Kind != providers.Resend || err != nil {
					t.Fatalf("%s: %+v %v", c.name, step, err)
				}
				pay.Ref = step.Ref
				continue
			}
			f, _ := errors.AsType[*providers.Failure](err)
			if step.Kind != c.want || (err == nil) != (c.want != "") || c.untaken != (f != nil && f.Untaken) {
				t.Errorf("%s: %+v %v", c.name, step, err)
			}
			if f != nil && f.Text == "" {
				t.Errorf("%s: the gateway's words are lost: %v", c.name, err)
			}
			for name, want := range map[string][2]string{"browserLanguage": {"kk-KZ", "ru"}, "browserTZ": {"-300", "0"}} {
				said := want[0]
				if strings.Contains(c.plain, name) {
					said = want[1]
				}
				if got := g.sent[0].form[name]; c.answer.Kind == providers.MethodDone && !slices.Equal(got, []string{said}) {
					t.Errorf("%s: %s is %v, want %s", c.name, name, got, said)
				}
			}
		}
	}
}

// From the second refund on "as before" proves nothing where the gateway does not say how much a reversal was of.
func TestARefundWithoutARefundedTotalInTheInquiryIsUnknown(t *testing.T) {
	sale := []string{"status=approved", "transaction-type=sale", "amount=10.42", "initial-amount=10.42", "currency=EUR"}
	silent := []string{"status=approved", "transaction-type=reversal", "amount=10.42", "initial-amount=10.42", "currency=EUR"}
	mute := []string{"status=approved", "transaction-type=reversal"}
	left := func(sum string) []string {
		return []string{"status=approved", "transaction-type=reversal", "amount=" + sum, "initial-amount=10.42", "currency=EUR"}
	}
	before := providers.Standing{Outcome: providers.Paid, Captured: 1042}
	supposed := providers.Standing{Outcome: providers.Paid, Captured: 1042, Refunded: 1042}
	part := providers.Standing{Outcome: providers.Paid, Captured: 1042, Refunded: 600}
	for _, c := range []struct {
		name   string
		answer []string
		before providers.Standing
		want   providers.OpState // "" is unknown
	}{
		{"the first: nothing moved", sale, before, providers.OpMissing},
		{"the first: a reversal of who knows how much", silent, before, ""},
		{"the first: not even sums", mute, before, ""},
		{"the second: as before, which was supposed", silent, supposed, ""},
		{"the second: the sum is told now", left("3.42"), supposed, ""},
		{"the second: nothing left", left("0.00"), supposed, ""},
		{"the second: what was left is left", left("4.42"), part, providers.OpMissing},
		{"the second: less is left", left("3.42"), part, providers.OpSucceeded},
		{"the second: a little less is left", left("4.00"), part, ""},
		{"an order of another amount", []string{"status=approved", "transaction-type=sale", "amount=1.00", "currency=EUR"}, before, ""},
		{"an order of another amount, first and now", []string{"status=approved", "transaction-type=sale", "amount=1.00", "initial-amount=1.00", "currency=EUR"}, before, ""},
	} {
		pay := payment()
		pay.Ref.OrderID = "6684127"
		r, err := testProvider(t, &gateway{answers: []string{status(c.answer...)}}).Inquire(t.Context(), pay, providers.Op{Kind: providers.Refund, Amount: eur(100), Standing: c.before})
		if r.State != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %+v %v", c.name, r, err)
		}
	}
}

// Any answer that is not the gateway's acceptance leaves an operation unknown.
func TestAnOperationWithoutAReadableAnswerIsUnknown(t *testing.T) {
	pay := payment()
	pay.Ref.OrderID = "6684127"
	for _, body := range []string{
		"", "{}", "[]", "<html><form action=login></form></html>", `{"status":"maintenance","retryAfter":60}`, `{"errorCode":"0"}`, `{"success":true}`,
		"type=async-response\n&serial-number=x\n", status("status=approved"), "type=async-form-response\n&paynet-order-id=6684127\n&merchant-order-id=902B4FF5\n&redirect-url=https%3A%2F%2Fx.example\n",
		"type=async-response\n&merchant-order-id=902B4FF5\n&paynet-order-id=7\n",
	} {
		for _, kind := range []providers.OpKind{providers.Capture, providers.Void, providers.Refund} {
			r, err := testProvider(t, &gateway{answers: []string{body}}).Do(t.Context(), pay, providers.Op{Kind: kind, Amount: eur(100)})
			if err == nil || r.State != "" {
				t.Errorf("%s, %s: %+v %v", kind, body, r, err)
			}
		}
	}
}

// A byte order mark before the first pair, and a last value without its line feed in an answer that is as long as announced.
func TestUnusualButCompleteAnswersAreRead(t *testing.T) {
	for name, body := range map[string]string{
		"a byte order mark":           "\ufeff" + status("status=approved", "transaction-type=sale"),
		"one in JSON":                 "\ufeff" + `{"type":"status-response","status":"approved","merchant-order-id":"902B4FF5","paynet-order-id":"6684127"}`,
		"the last line feed left out": strings.TrimSuffix(status("status=approved", "transaction-type=sale"), "\n"),
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write([]byte(body))
		}))
		p := testProvider(t, nil)
		p.client.http, p.client.base = srv.Client(), srv.URL
		s, err := p.Status(t.Context(), payment())
		srv.Close()
		if err != nil || s.Outcome != providers.Paid {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

// What a merchant asks of one payment alone, and the language that the shopper reads, go along with whatever begins an order.
func TestOptionsOfOnePaymentGoToTheGateway(t *testing.T) {
	pay := payment()
	pay.Locale = "kk"
	pay.Options = providers.Options{"payneteasy": []byte(`{"merchant_data":"m","purpose":"p","destination":"d","birthday":"1990-01-31"}`)}
	number, _ := card.ParseNumber("4000019900020001")
	for _, in := range []providers.Instrument{{Kind: "card", Card: card.Card{Number: number, Month: 12, Year: 2030}}, {Kind: "hosted"}, {Kind: "saved_card", Saved: "1"}} {
		g := &gateway{answers: []string{accept}}
		testProvider(t, g).Pay(t.Context(), pay, in, browser()) //nolint:errcheck // what was sent counts
		for name, want := range map[string]string{"merchant_data": "m", "purpose": "p", "destination": "d", "birthday": "19900131", "preferred_language": "kk"} {
			if len(g.sent) != 1 || g.sent[0].form.Get(name) != want {
				t.Errorf("%s: %s is not %q", in.Kind, name, want)
			}
		}
	}
	for _, wrong := range []string{`{"birthday":"2990-01-31"}`, `{"birthday":"1790-01-31"}`, `{"birthday":"31.01.1990"}`, `{"unknown":"x"}`, `{"purpose":1}`} {
		pay.Options = providers.Options{"payneteasy": []byte(wrong)}
		pay.CreatedAt = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
		var refusal *providers.Refusal
		if err := testProvider(t, &gateway{}).Check(pay); !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Field, "gateway_options.payneteasy") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
