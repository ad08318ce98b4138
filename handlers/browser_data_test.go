package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/threeds"
)

// paid is what a gateway was told of one payment.
type paid struct {
	payment providers.Payment
	in      providers.Instrument
	browser threeds.BrowserData
}

// attentive is a gateway that keeps what it is told of a payment.
type attentive struct {
	fullGateway
	told chan paid
}

func (attentive) Instruments() []string { return []string{"qr", "sberpay", "hosted"} }

func (g attentive) Pay(_ context.Context, p providers.Payment, in providers.Instrument, b threeds.BrowserData) (providers.Step, error) {
	g.told <- paid{p, in, b}
	return providers.Step{V: providers.StepVersion, Kind: providers.Wait, Ref: p.Ref}, nil
}

// Every form that begins a payment tells of the browser what the card form tells, and in which language its page was read.
func TestEveryFormThatBeginsAPaymentTellsOfTheBrowserAndOfTheLanguageOfItsPage(t *testing.T) {
	told := make(chan paid, 9)
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider {
		return attentive{fullGateway{g}, told}
	}})
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusCreated, "")
	script := url.Values{
		"browserLanguage": {"kk-KZ"}, "browserColorDepth": {"30"}, "browserScreenHeight": {"864"}, "browserScreenWidth": {"1536"},
		"browserTZ": {"-300"}, "browserJavaEnabled": {"false"}, "browserJavascriptEnabled": {"true"},
	}
	typed := url.Values{"number": {"4000 0199 0002 0720"}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"A B"}}
	for i, c := range []struct {
		method, more, action string
		fill                 url.Values
	}{
		{"card", "", "/card", typed},
		{"saved_card", "", "/saved", url.Values{"cvc": {"123"}}},
		{"qr", "", "/start", nil},
		{"hosted", "", "/start", nil},
		{"sberpay", "", "/start", nil},
	} {
		path, b := m.opens("b"+string(rune('0'+i)), `,"locale":"ru","payment_method":"`+c.method+`"`), &shopper{m: m}
		b.see(path)
		b.send(http.MethodGet, path+"?lang=en", "")
		page := b.see(path)
		if c.method == "saved_card" {
			b.press(page, path+"/customer", nil)
			page = b.see(path)
			saved := regexp.MustCompile(`value="(sc_[^"]+)"`).FindStringSubmatch(page)
			if saved == nil {
				t.Fatalf("no saved card is offered: %s", page)
			}
			c.fill.Set("card", saved[1])
		}
		for name := range script {
			if !strings.Contains(page, `name="`+name+`"`) {
				t.Errorf("%s: the page of %s has no input %s", c.method, c.action, name)
			}
		}
		form := url.Values{}
		for _, from := range []url.Values{script, c.fill} {
			for name, value := range from {
				form[name] = value
			}
		}
		b.press(page, path+c.action, form).is(http.StatusSeeOther, "")
		select {
		case is := <-told:
			want := threeds.BrowserData{
				IP: is.payment.Customer.IP, Language: "kk-KZ", JavascriptEnabled: true, ColorDepth: "24", ScreenHeight: "864", ScreenWidth: "1536", TZ: "-300",
			}
			if diff := cmp.Diff(want, is.browser); diff != "" || is.in.Kind != c.method || is.browser.IP == "" {
				t.Errorf("%s: %s", c.method, diff)
			}
			if is.payment.Locale != "en" {
				t.Errorf("%s: the gateway is told the language %q, the page was in English", c.method, is.payment.Locale)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the gateway was told nothing", c.method)
		}
	}
}

// A charge says of the customer what the gateway wants to know, so that it need not go out under the account's own e-mail and name.
func TestAChargeTellsTheGatewayOfItsCustomer(t *testing.T) {
	told := make(chan paid, 9)
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider {
		return attentive{fullGateway{g}, told}
	}})
	made := m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720"))
	made.is(http.StatusCreated, "")
	m.call(http.MethodPost, "/v1/charges", `{"saved_card":"`+made.field("id")+`","amount":100,"currency":"KZT","reference":"sub-1","ip":"::ffff:192.0.2.9","locale":"kk",
		"customer":{"id":"c-1","email":"c@mail.example","phone":"+77011234567"},"billing":{"first_name":"Aigerim","last_name":"Serikkyzy"}}`).is(http.StatusCreated, "")
	is := <-told
	want := providers.Customer{ID: is.payment.Customer.ID, Email: "c@mail.example", Phone: "+77011234567", IP: "192.0.2.9"}
	if is.payment.Customer != want || !strings.HasSuffix(want.ID, "c-1") || is.payment.Locale != "kk" || is.payment.Billing.FirstName != "Aigerim" || !is.in.Merchant {
		t.Errorf("the gateway is told %+v, %q, %+v", is.payment.Customer, is.payment.Locale, is.payment.Billing)
	}
}
