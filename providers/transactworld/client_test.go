package transactworld

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/threeds"
)

// Every published order of values that we sign by.
func TestChecksumVectors(t *testing.T) {
	var vectors []struct {
		Operation string `json:"operation"`
		MD5       string `json:"md5_hex"`
	}
	if err := json.Unmarshal([]byte(fixture(t, "checksum_vectors.json")), &vectors); err != nil {
		t.Fatal(err)
	}
	c := testProvider(t, nil).client
	mine := map[string]string{
		"REST payment PA/DB":               c.signPayment("00001", "50.00"),
		"capture CP / refund RF":           c.signAmount("54289", "50.00"),
		"cancel RV / inquiry IN":           c.signID("54289"),
		"inquiry by merchantTransactionId": c.signID("00001"),
		"getTransactionList":               c.signMember(),
		"payout PO":                        c.signPayout("00001", "50.00"),
		"invoice generate":                 c.signInvoice("INV-1", "50.00", "https://shop.example/return"),
		"invoice regenerate":               c.signRenewal("9001", "https://shop.example/return"),
		"invoice inquiry":                  c.signID("INV-1"),
		"notification / redirect-back Y":   c.signResult("77251", "011E1D8A5C034", "156.00", "Y"),
		"notification / redirect-back N":   c.signResult("77251", "011E1D8A5C034", "156.00", "N"),
		"invoice config":                   c.signMember(),
	}
	seen := 0
	for _, v := range vectors {
		name, rest, _ := strings.Cut(v.Operation, " (")
		if _, status, ok := strings.Cut(rest, ") "); ok {
			name += " " + status
		}
		if got, ok := mine[name]; ok {
			seen++
			if got != v.MD5 {
				t.Errorf("%s: %s, published %s", v.Operation, got, v.MD5)
			}
		}
	}
	if seen != len(mine) {
		t.Errorf("%d of %d vectors met", seen, len(mine))
	}
}

// The requests of the platform's own samples and of public clients: where they and we say a thing, we say it alike.
func TestRequestsOfPublicClients(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"paymentId":"54289","merchantTransactionId":"00001","status":"capturesuccess","transactionStatus":"Y","result":{"code":"00001"}}`)}
	p := testProvider(t, w, func(c *Config) { c.TerminalID, c.Billing.PhoneCode = "4927", "+44" })
	p.defaults.Phone = "07730432996" // the account's number has the account's calling code
	in := providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030), Initial: true}
	pay := payment(t)
	pay.SaveCard = true
	if _, err := p.Pay(t.Context(), pay, in, browser()); err != nil {
		t.Fatal(err)
	}
	login := form(t, "requests/auth_token_partner.form.txt") // a partner's; a merchant has a name of another name
	login.Set("merchant.username", login.Get("partner.userName"))
	login.Del("partner.userName")
	alike(t, w.all[0], "/transactionServices/REST/v1/authToken", login)
	theirs := form(t, "requests/payment_db_card.form.txt")
	for name := range theirs {
		switch name {
		case "merchantRedirectUrl", "notificationUrl", "customer.birthDate", "tmpl_amount", "tmpl_currency": // ours, or not ours to know
		default:
			if got := w.last().form.Get(name); got != theirs.Get(name) {
				t.Errorf("%s: %q, theirs %q", name, got, theirs.Get(name))
			}
		}
	}
	w.answer = says(200, `{"paymentId":"54289","status":"reversed","transactionStatus":"Y","result":{"code":"00001"}}`)
	if _, err := p.Do(t.Context(), known(pay, "54289"), providers.Op{Kind: providers.Refund, Amount: eur(t, 5000)}); err != nil {
		t.Fatal(err)
	}
	refund := form(t, "requests/refund.form.txt")
	refund.Set("authentication.terminalId", "4927")
	alike(t, w.last(), "/transactionServices/REST/v1/payments/54289", refund)
	if _, err := p.Status(t.Context(), known(pay, "54289")); err != nil {
		t.Fatal(err)
	}
	alike(t, w.last(), "/transactionServices/REST/v1/payments/54289", form(t, "requests/inquiry_by_payment_id.form.txt"))
	w.answer = says(200, `{"result":{"code":"00031"}}`)
	if err := p.Forget(t.Context(), providers.Owner{}, "x", "kGuadVKOymeTYkuAYoxon2vKUzu88Po1"); err != nil {
		t.Fatal(err)
	}
	gone := form(t, "requests/delete_token.form.txt")
	gone.Set("authentication.checksum", p.client.signID("kGuadVKOymeTYkuAYoxon2vKUzu88Po1")) // REPLACE in the sample
	alike(t, w.last(), "/transactionServices/REST/v1/registrations/kGuadVKOymeTYkuAYoxon2vKUzu88Po1", gone)
}

func form(t testing.TB, name string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(strings.TrimSpace(fixture(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func alike(t testing.TB, got sent, path string, want url.Values) {
	t.Helper()
	if got.path != path || got.form.Encode() != want.Encode() {
		t.Errorf("%s\n%s\nwant %s\n%s", got.path, got.form.Encode(), path, want.Encode())
	}
}

// Golden requests: the whole of what goes out, in each call.
func TestRequests(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"result":{"code":"99999"}}`)} // the answers are others' matter
	p := testProvider(t, w)
	plain := payment(t)
	plain.Billing, plain.Customer = providers.Billing{}, providers.Customer{IP: "10.0.0.1"}
	held := plain
	held.Hold = true
	byToken, noSeries := *p, *p
	byToken.byToken, noSeries.recurring = true, false
	c := parse(t, "5555555555554444", "123", 2031)
	code := c.Code
	const common = "customer.ip=10.0.0.1&merchantRedirectUrl=https://pay.example/3ds/run/return&merchantTransactionId=00001&notificationUrl=https://pay.example/callbacks/tw&orderDescriptor=Test Transaction"
	const member = "authentication.memberId=12754"
	for name, c := range map[string]struct {
		call       func() error
		path, want string
	}{
		"DB": {func() error {
			_, err := p.Pay(t.Context(), plain, providers.Instrument{Kind: "card", Card: c}, threeds.BrowserData{})
			return err
		}, "payments", "amount=50.00&authentication.checksum=" + p.client.signPayment("00001", "50.00") + "&" + member +
			"&card.cvv=123&card.expiryMonth=12&card.expiryYear=2031&card.number=5555555555554444&currency=EUR&customer.givenName=JOHN&customer.surname=DOE&" + common + "&paymentBrand=MC&paymentMode=CC&paymentType=DB"},
		"PA with a browser": {func() error {
			_, err := p.Pay(t.Context(), held, providers.Instrument{Kind: "card", Card: c}, browser())
			return err
		}, "payments", "amount=50.00&authentication.checksum=" + p.client.signPayment("00001", "50.00") + "&" + member +
			"&card.cvv=123&card.expiryMonth=12&card.expiryYear=2031&card.number=5555555555554444&currency=EUR&customer.givenName=JOHN&customer.surname=DOE&" + common + "&paymentBrand=MC&paymentMode=CC&paymentType=PA" +
			"&deviceDetails.browserAcceptHeader=text/html&deviceDetails.browserColorDepth=24&deviceDetails.browserJavaEnabled=false&deviceDetails.browserLanguage=en&deviceDetails.browserScreenHeight=1080&deviceDetails.browserScreenWidth=1920&deviceDetails.browserTimezoneOffset=-300&deviceDetails.user_Agent=Mozilla/5.0"},
		"a saved card": {func() error {
			_, err := p.Pay(t.Context(), plain, providers.Instrument{Kind: "saved_card", Saved: "tok1", Code: code, Initial: true}, threeds.BrowserData{})
			return err
		}, "paywithtoken/tok1", "amount=50.00&authentication.checksum=" + p.client.signAmount("tok1", "50.00") + "&" + member + "&card.cvv=123&currency=EUR&" + common + "&paymentType=DB&recurringType=INITIAL"},
		"a repeat by token": {func() error {
			_, err := byToken.Pay(t.Context(), plain, providers.Instrument{Kind: "saved_card", Saved: "tok1", Merchant: true, First: "54289"}, threeds.BrowserData{})
			return err
		}, "paywithtoken/tok1", "amount=50.00&authentication.checksum=" + p.client.signAmount("tok1", "50.00") + "&" + member + "&currency=EUR&" + common + "&paymentType=DB&recurringType=REPEATED"},
		"a repeat by the first payment": {func() error {
			_, err := p.Pay(t.Context(), plain, providers.Instrument{Kind: "saved_card", Saved: "tok1", Merchant: true, First: "54289"}, threeds.BrowserData{})
			return err
		}, "payments/54289", "amount=50.00&authentication.checksum=" + p.client.signAmount("54289", "50.00") + "&" + member + "&currency=EUR&" + common + "&paymentType=DB&recurringType=REPEATED"},
		"a charge without a series": {func() error {
			_, err := noSeries.Pay(t.Context(), plain, providers.Instrument{Kind: "saved_card", Saved: "tok1", Merchant: true}, threeds.BrowserData{})
			return err
		}, "paywithtoken/tok1", "amount=50.00&authentication.checksum=" + p.client.signAmount("tok1", "50.00") + "&" + member + "&currency=EUR&" + common + "&paymentType=DB"},
		"a saved card charged first": {func() error {
			_, err := p.Pay(t.Context(), plain, providers.Instrument{Kind: "saved_card", Saved: "tok1", Merchant: true, Initial: true}, threeds.BrowserData{})
			return err
		}, "paywithtoken/tok1", "amount=50.00&authentication.checksum=" + p.client.signAmount("tok1", "50.00") + "&" + member + "&currency=EUR&" + common + "&paymentType=DB&recurringType=INITIAL"},
		"capture": {func() error {
			_, err := p.Do(t.Context(), known(held, "54289"), providers.Op{Kind: providers.Capture, Amount: eur(t, 3000)})
			return err
		}, "payments/54289", "amount=30.00&authentication.checksum=" + p.client.signAmount("54289", "30.00") + "&" + member + "&paymentType=CP"},
		"void": {func() error {
			_, err := p.Do(t.Context(), known(held, "54289"), providers.Op{Kind: providers.Void, Amount: eur(t, 5000)})
			return err
		}, "payments/54289", "authentication.checksum=" + p.client.signID("54289") + "&" + member + "&paymentType=RV"},
		"inquiry by our number": {func() error { _, err := p.Status(t.Context(), plain); return err },
			"inquiry", "authentication.checksum=" + p.client.signID("00001") + "&" + member + "&idType=MID&merchantTransactionId=00001&paymentType=IN"},
		"a card alone": {func() error {
			_, err := p.RegisterCard(t.Context(), providers.Owner{CustomerID: "c7"}, "reg-1", c, plain)
			return err
		}, "registrations", "authentication.checksum=" + p.client.signID("reg-1") + "&" + member + "&card.cvv=123&card.expiryMonth=12&card.expiryYear=2031&card.number=5555555555554444&createRegistration=true" +
			"&customer.customerId=c7&customer.givenName=JOHN&customer.ip=10.0.0.1&customer.surname=DOE&merchantTransactionId=reg-1&paymentBrand=MC&paymentMode=CC"},
		"payout to an earlier card": {func() error {
			_, err := p.Payout(t.Context(), plain, providers.Destination{PaymentID: "54289"})
			return err
		}, "payout", "amount=50.00&authentication.checksum=" + p.client.signPayout("00001", "50.00") + "&" + member + "&currency=EUR&merchantTransactionId=00001&notificationUrl=https://pay.example/callbacks/tw&orderDescriptor=Test Transaction&paymentId=54289&paymentType=PO"},
		"transaction list": {func() error {
			_, _, err := p.History(t.Context(), providers.HistoryQuery{From: w.now.Add(-24 * time.Hour), Limit: 20, After: "2", Status: "settled"})
			return err
		}, "getTransactionList", "authentication.checksum=" + p.client.signMember() + "&" + member + "&pagination.fromdate=20/11/2026&pagination.pageno=3&pagination.records=20&pagination.todate=21/11/2026&status=settled"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.call(); err == nil {
				t.Fatal("an answer that says nothing was believed")
			}
			want := strings.Split(c.want, "&")
			slices.Sort(want)
			var got []string
			for name := range w.last().form {
				got = append(got, name+"="+w.last().form.Get(name))
			}
			slices.Sort(got)
			if path := "/transactionServices/REST/v1/" + c.path; w.last().path != path || !slices.Equal(got, want) {
				t.Errorf("%s\n%s\nwant\n%s", w.last().path, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if s := w.last(); s.token != "token-1" || s.kind != "application/x-www-form-urlencoded" || s.accept != "application/json" {
				t.Errorf("%+v", s)
			}
		})
	}
	if first := w.all[0]; first.path != "/transactionServices/REST/v1/authToken" || first.token != "" ||
		first.form.Encode() != "authentication.partnerId=175&authentication.sKey="+testKey+"&merchant.username=testdoc" {
		t.Errorf("%+v", first)
	}
}

func TestRequestsInJSONAreNested(t *testing.T) {
	w := &gatewayLine{answer: says(200, fixture(t, "documented/inquiry_record_not_found_public_test.json"))}
	p := testProvider(t, w, func(c *Config) { c.Requests, c.Answers = "json", "xml" })
	if s, err := p.Status(t.Context(), payment(t)); err != nil || s.Outcome != providers.NotFound {
		t.Fatalf("%+v %v", s, err)
	}
	want := `{"authentication":{"checksum":"0aa90708e0f6bf6d0ef54bb91aaed378","memberId":"12754"},"idType":"MID","merchantTransactionId":"00001","paymentType":"IN"}`
	if s := w.last(); s.body != want || s.kind != "application/json" || s.accept != "application/xml" {
		t.Errorf("%+v", s)
	}
}

// The document's words for JSON, "parameter name: parameter value", can also be read as flat.
func TestRequestsInFlatJSONKeepTheirDottedNames(t *testing.T) {
	w := &gatewayLine{answer: says(200, fixture(t, "documented/inquiry_record_not_found_public_test.json"))}
	p := testProvider(t, w, func(c *Config) { c.Requests = "flat" })
	if s, err := p.Status(t.Context(), payment(t)); err != nil || s.Outcome != providers.NotFound {
		t.Fatalf("%+v %v", s, err)
	}
	want := `{"authentication.checksum":"0aa90708e0f6bf6d0ef54bb91aaed378","authentication.memberId":"12754","idType":"MID","merchantTransactionId":"00001","paymentType":"IN"}`
	if s := w.last(); s.body != want || s.kind != "application/json" {
		t.Errorf("%+v", s)
	}
}

// What the platform's amounts can say, and what is refused when the session is created.
func TestUnits(t *testing.T) {
	p := testProvider(t, nil)
	for _, c := range []struct {
		minor int64
		code  string
		want  string // "" refused
	}{
		{123456, "RUB", "1234.56"}, {2000, "KZT", "20.00"}, {50, "USD", "0.50"}, {1, "USD", "0.01"}, {9999999999, "EUR", "99999999.99"},
		{999999999999, "EUR", "9999999999.99"}, {1000000000000, "EUR", ""}, {500, "JPY", ""}, {1234, "KWD", ""}, {0, "USD", ""}, {-100, "USD", ""},
	} {
		sum := money.Amount{Minor: c.minor, Currency: coin(t, c.code)}
		got, _ := amount(sum)
		pay := payment(t)
		pay.Amount, pay.Billing = sum, providers.Billing{}
		err := p.Check(pay)
		var refusal *providers.Refusal
		if got != c.want || (c.want == "") != errors.As(err, &refusal) {
			t.Errorf("%d %s: %q, %v", c.minor, c.code, got, err)
		}
	}
}

func TestWhatThePaymentCannotExpressIsRefused(t *testing.T) {
	strict := testProvider(t, nil, func(c *Config) { c.RequireAddress = true })
	for name, c := range map[string]struct {
		change func(*providers.Payment)
		field  string
	}{
		"no city":         {func(p *providers.Payment) { p.Billing.City = "" }, "billing.city"},
		"no phone":        {func(p *providers.Payment) { p.Billing.Phone, p.Customer.Phone = "", " " }, "billing.phone"},
		"country by name": {func(p *providers.Payment) { p.Billing.Country = "Kazakhstan" }, "billing.country"},
		"not an e-mail":   {func(p *providers.Payment) { p.Billing.Email = "nobody" }, "billing.email"},
		"long street":     {func(p *providers.Payment) { p.Billing.Address = strings.Repeat("я", 151) }, "billing.address"},
		"a fee":           {func(p *providers.Payment) { p.Fee = 1 }, "fee"},
		"a transfer":      {func(p *providers.Payment) { p.Transfer = &providers.Destination{} }, "kind"},
	} {
		pay := payment(t)
		c.change(&pay)
		var refusal *providers.Refusal
		if err := strict.Check(pay); !errors.As(err, &refusal) || refusal.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := strict.Check(payment(t)); err != nil {
		t.Error(err)
	}
}

func TestTheTokenIsKeptForLessThanItsLifetime(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"result":{"code":"10009","description":"Record not found"}}`)}
	p := testProvider(t, w)
	ask := func() {
		t.Helper()
		if _, err := p.Status(t.Context(), payment(t)); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	w.now = w.now.Add(tokenLife - time.Second)
	ask()
	if got := w.calls(); got != "authToken inquiry inquiry inquiry" {
		t.Error(got)
	}
	w.now = w.now.Add(time.Second)
	ask()
	if got := w.calls(); got != "authToken inquiry inquiry inquiry authToken inquiry" || w.last().token != "token-2" {
		t.Error(got)
	}
}

func TestManyCallsFetchOneToken(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"result":{"code":"10009","description":"Record not found"}}`)}
	p := testProvider(t, w)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := p.Status(t.Context(), payment(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(w.calls(), "authToken"); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// A refused token proves that nothing was taken: renewed, the call goes out once more, and never a third time.
func TestARefusedToken(t *testing.T) {
	refusal := `{"result":{"code":"401","description":"AuthToken is invalid or expired"}}`
	good := `{"paymentId":"54289","merchantTransactionId":"00001","status":"capturesuccess","transactionStatus":"Y","result":{"code":"00001"}}`
	for name, c := range map[string]struct {
		status int
		first  string
		calls  string
		fine   bool
	}{
		"with HTTP 200":                {200, refusal, "authToken payments authToken payments", true},
		"with HTTP 401":                {401, refusal, "authToken payments authToken payments", true},
		"with HTTP 401, another code":  {401, `{"result":{"code":"20099"}}`, "authToken payments authToken payments", true},
		"a broken server proves none":  {500, refusal, "authToken payments", false},
		"a page is not the gateway's":  {401, "<html>login</html>", "authToken payments", false},
		"one that names a payment":     {401, `{"paymentId":"54289","result":{"code":"401"}}`, "authToken payments", false},
		"one that says it was done":    {401, `{"result":{"code":"00001"}}`, "authToken payments", false},
		"one that speaks of a status":  {200, `{"transactionStatus":"N","result":{"code":"401"}}`, "authToken payments", false},
		"another refusal is no reason": {403, `{"result":{"code":"403"}}`, "authToken payments", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &gatewayLine{}
			w.answer = func(s sent) (int, string) {
				if s.token == "token-1" {
					return c.status, c.first
				}
				return 200, good
			}
			p := testProvider(t, w)
			step, err := p.Pay(t.Context(), payment(t), providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}, browser())
			if w.calls() != c.calls || (err == nil) != c.fine || c.fine && step.Kind != providers.Finished {
				t.Errorf("%s: %+v %v", w.calls(), step, err)
			}
		})
	}
	w := &gatewayLine{answer: says(200, refusal)}
	p := testProvider(t, w)
	_, err := p.Pay(t.Context(), payment(t), providers.Instrument{Kind: "card", Card: parse(t, "4111110000000021", "123", 2030)}, browser())
	var failure *providers.Failure
	if w.calls() != "authToken payments authToken payments" || !errors.As(err, &failure) || failure.Code != "401" {
		t.Errorf("%s: %v", w.calls(), err)
	}
}

// A call that comes back late with an old token's refusal does not throw away the new one.
func TestAnOldRefusalLeavesTheNewToken(t *testing.T) {
	w := &gatewayLine{answer: says(200, `{"result":{"code":"10009","description":"Record not found"}}`)}
	p := testProvider(t, w)
	for _, old := range []string{"token-0", "token-1"} {
		if _, err := p.Status(t.Context(), payment(t)); err != nil {
			t.Fatal(err)
		}
		p.client.dropToken(providers.NewSecret(old))
	}
	if _, err := p.Status(t.Context(), payment(t)); err != nil || w.calls() != "authToken inquiry inquiry authToken inquiry" {
		t.Error(w.calls(), err)
	}
}

func TestFaultsOfTheSettings(t *testing.T) {
	good := Config{BaseURL: "https://gate.example", MemberID: "12754", PartnerID: "175", Username: "x", SecureKey: providers.NewSecret("k")}
	if f := good.Faults(); len(f) != 0 {
		t.Fatal(f)
	}
	bad := Config{
		BaseURL: "http://gate.example/transactionServices", MemberID: "a", TerminalID: "T", Requests: "xml", Answers: "form", PaymentMode: "EW", AttemptThreeD: "no",
		TimeZone: "Mars/Olympus", Billing: Billing{Country: "kz", Email: "nobody", PhoneCode: "seven"},
	}
	all := strings.Join(bad.Faults(), "\n")
	for _, key := range []string{"base_url: must be https", "base_url: ends before", "member_id: digits", "partner_id: missing", "username", "secure_key", "terminal_id", "requests", "answers", "payment_mode", "attempt_three_d", "time_zone", "billing.country", "billing.email", "billing.phone_code"} {
		if !strings.Contains(all, key) {
			t.Errorf("%s is not named in\n%s", key, all)
		}
	}
	if _, err := bad.Open(providers.Env{}); err == nil {
		t.Error("opened")
	}
}

func TestABrandTheGatewayDoesNotKnowIsDeclinedUnsent(t *testing.T) {
	w := &gatewayLine{}
	p := testProvider(t, w)
	step, err := p.Pay(t.Context(), payment(t), providers.Instrument{Kind: "card", Card: parse(t, "2200000000000004", "123", 2030)}, browser())
	if err != nil || step.Kind != providers.Declined || step.Decline.Reason != providers.CardNotSupported || len(w.all) != 0 {
		t.Errorf("%+v %v, %d calls", step, err, len(w.all))
	}
	for name, in := range map[string]providers.Instrument{
		"a QR":                 {Kind: "qr"},
		"a path in a token":    {Kind: "saved_card", Saved: "../payments"},
		"a repeat of nothing":  {Kind: "saved_card", Merchant: true},
		"a card of a merchant": {Kind: "card", Card: card.Card{}, Merchant: true},
	} {
		var refusal *providers.Refusal
		if _, err := p.Pay(t.Context(), payment(t), in, browser()); !errors.As(err, &refusal) || len(w.all) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
