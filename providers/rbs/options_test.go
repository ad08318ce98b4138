package rbs_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tollgate/providers"
	"tollgate/providers/rbs"
)

func withOptions(p providers.Payment, text string) providers.Payment {
	p.Options = providers.Options{"rbs": json.RawMessage(text)}
	return p
}

func TestTwoPlansOnOneAccountAreToldToTheBankEachWithItsOwnDates(t *testing.T) {
	f := newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
	g := f.open(func(c *rbs.Config) { c.RecurringFrequency, c.RecurringDays = 5, 365 })
	for name, c := range map[string]struct {
		options, frequency, until string
		saves, merchant           bool
	}{
		"weekly":         {`{"recurring_frequency":7,"recurring_expiry":"2027-06-30"}`, "7", "20270630", true, false},
		"monthly":        {`{"recurring_frequency":28,"recurring_expiry":"2029-12-31"}`, "28", "20291231", true, false},
		"the account's":  {`{}`, "5", "20271121", true, false},
		"a charge":       {`{"recurring_frequency":28,"recurring_expiry":"2029-12-31"}`, "28", "20291231", false, true},
		"no plan at all": {`{}`, "", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := withOptions(payment(t), c.options)
			p.SaveCard, p.Merchant = c.saves, c.merchant
			if _, err := g.Register(context.Background(), p); err != nil {
				t.Fatal(err)
			}
			var sent map[string]string
			_ = json.Unmarshal([]byte(f.last().form.Get("jsonParams")), &sent)
			if sent["recurringFrequency"] != c.frequency || sent["recurringExpiry"] != c.until {
				t.Errorf("%v", sent)
			}
		})
	}
}

func TestOptionsOfAPaymentAreOnTheWire(t *testing.T) {
	f := newFake(t).on("registerPreAuth.do", answer(t, "bpc_register_ok.json")).on("getOrderStatusExtended.do", answer(t, "rec_status_not_found.json"))
	g := f.open(func(c *rbs.Config) {
		c.Features, c.FeeInput, c.MerchantLogin, c.UTCOffset = []string{"FORCE_SSL"}, true, "parent", 180
		c.PayerData = []string{"phone", "order_payer", "billing_payer"}
	})
	p := withOptions(payment(t), `{"features":["FORCE_TDS","FORCE_CREATE_BINDING"],"json_params":{"shop":"7","email":"a@b"},
		"expiration_date":"2026-11-22T12:00:00+02:00","autocompletion_date":"2026-11-25T00:00:00Z","auto_reverse_date":"2026-11-28T00:00:00Z",
		"merchant_login":"child","post_address":"Abay 1"}`)
	p.Hold, p.Fee, p.Customer.Phone, p.Merchant = true, 150, "+7 701 000-00-00", true
	p.Billing = providers.Billing{City: "Almaty", Country: "KZ", Address: "Abay Avenue 1", Zip: "050000", FirstName: "Ann"}
	if _, err := g.Register(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	form := f.last().form
	for name, want := range map[string]string{
		"feeInput": "150", "merchantLogin": "child", "postAddress": "Abay 1", "expirationDate": "2026-11-22T13:00:00",
		"autocompletionDate": "2026-11-25T00:00:00", "autoReverseDate": "2026-11-28T00:00:00", "phone": "+77010000000",
		"orderPayerData": `{"mobilePhone":"+77010000000"}`, "clientId": "659753456", "sessionTimeoutSecs": "",
		"billingPayerData": `{"billingAddressLine1":"Abay Avenue 1","billingCity":"Almaty","billingCountry":"KZ","billingPostalCode":"050000","payerFirstName":"Ann"}`,
		"jsonParams":       `{"email":"a@b","shop":"7"}`,
	} {
		if form.Get(name) != want {
			t.Errorf("%s: %q", name, form.Get(name))
		}
	}
	if got := strings.Join(form["features"], " "); got != "FORCE_TDS FORCE_CREATE_BINDING AUTO_PAYMENT" {
		t.Errorf("features %s", got)
	}
	p.Ref.OrderID = ""
	if _, err := g.Status(context.Background(), p); err != nil || f.last().form.Get("merchantLogin") != "child" {
		t.Errorf("an order of a child merchant is asked for by its login: %v %v", f.last().form, err)
	}

	// An account without these settings tells nothing of the payer and takes no fee.
	g = newFake(t).open()
	if err := g.Check(p); field(err) != "fee" {
		t.Errorf("a fee without permission: %v", err)
	}
	f = newFake(t).on("register.do", answer(t, "bpc_register_ok.json"))
	plain := payment(t)
	plain.Customer.Phone = "+77010000000"
	if _, err := f.open().Register(context.Background(), plain); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"phone", "orderPayerData", "billingPayerData", "feeInput", "merchantLogin", "postAddress", "expirationDate"} {
		if f.last().form.Has(name) {
			t.Errorf("%s is sent unasked", name)
		}
	}
}

// field is what a refusal is about.
func field(err error) string {
	if r, ok := errors.AsType[*providers.Refusal](err); ok {
		return r.Field
	}
	return ""
}

func TestOptionsThatTheGatewayCannotExpressAreRefusedByName(t *testing.T) {
	g := newFake(t).open()
	long := `{"json_params":{`
	for i := range 21 {
		long += `"p` + string(rune('a'+i)) + `":"1",`
	}
	long = strings.TrimSuffix(long, ",") + `}}`
	for text, want := range map[string]string{
		`{"features":["FORCE_SSL","AUTO_PAYMENT"]}`:                 "features.1",
		`{"json_params":{"recurringExpiry":"20270101"}}`:            "json_params.recurringExpiry",
		`{"json_params":{"tollgate_session":"x"}}`:                  "json_params.tollgate_session",
		`{"json_params":{"a b":"x"}}`:                               "json_params",
		`{"json_params":{"a":"` + strings.Repeat("x", 1025) + `"}}`: "json_params.a",
		long:                                "json_params",
		`{"recurring_frequency":7}`:         "recurring_expiry",
		`{"recurring_expiry":"2027-01-01"}`: "recurring_frequency",
		`{"recurring_frequency":7,"recurring_expiry":"2026-11-20"}`:  "recurring_expiry",
		`{"recurring_frequency":7,"recurring_expiry":"20270101"}`:    "recurring_expiry",
		`{"recurring_frequency":-1,"recurring_expiry":"2027-01-01"}`: "recurring_frequency",
		`{"expiration_date":"2026-11-21T12:01:00Z"}`:                 "expiration_date",
		`{"autocompletion_date":"2026-12-01T00:00:00Z"}`:             "autocompletion_date",
		`{"merchant_login":"` + strings.Repeat("x", 256) + `"}`:      "merchant_login",
		`{"post_address":"` + strings.Repeat("я", 256) + `"}`:        "post_address",
	} {
		p := withOptions(payment(t), text)
		p.Run = providers.Run{}
		if got := field(g.Check(p)); got != "gateway_options.rbs."+want {
			t.Errorf("%.80s: refused for %q", text, got)
		}
	}
	p := withOptions(payment(t), `{"auto_reverse_date":"2026-11-21T12:10:00Z"}`)
	p.Hold = true
	if got := field(g.Check(p)); got != "gateway_options.rbs.auto_reverse_date" {
		t.Errorf("a hold that ends before the session: %q", got)
	}
	p = withOptions(payment(t), `{"features":["FORCE_CREATE_BINDING"]}`)
	if p.Customer.ID = ""; field(g.Check(p)) != "customer.id" {
		t.Error("a binding without a customer")
	}
	p = withOptions(payment(t), `{"no_such":1}`)
	if got := field(g.Check(p)); got != "gateway_options.rbs" {
		t.Errorf("an unknown member: %q", got)
	}
	// A date that was good when the session was made does not refuse a later try.
	p = withOptions(payment(t), `{"recurring_frequency":7,"recurring_expiry":"2026-11-21"}`)
	if err := g.Check(p); err != nil {
		t.Error(err)
	}
}

func TestSettingsOfWhatIsToldOfThePayerAreChecked(t *testing.T) {
	c := rbs.Config{BaseURL: "https://x.example/payment/rest/", UserName: "u", Password: providers.NewSecret("p"),
		PayerData: []string{"phone", "passport"}, MerchantLogin: strings.Repeat("x", 256), UTCOffset: 900}
	faults := strings.Join(c.Faults(), "\n")
	for _, want := range []string{"payer_data: \"passport\"", "merchant_login:", "utc_offset:"} {
		if !strings.Contains(faults, want) {
			t.Errorf("no fault %s in %s", want, faults)
		}
	}
}
