package payneteasy

import (
	"errors"
	"testing"

	"tollgate/providers"
)

func TestACardReferenceIsMadeOfAFinishedPayment(t *testing.T) {
	g := &gateway{answers: []string{
		"type=create-card-ref-response\n&status=approved\n&card-ref-id=1326586\n&serial-number=sn-2\n",
		"type=get-card-info-response\n&card-printed-name=Vasya+Pupkin\n&expire-month=2\n&expire-year=2031\n&bin=444455\n&last-four-digits=1111\n&serial-number=sn-3\n",
	}}
	pay := payment()
	pay.Ref.OrderID = "6684127"
	saved, err := testProvider(t, g).Remember(t.Context(), pay, providers.Standing{})
	if err != nil {
		t.Fatal(err)
	}
	if saved.ID != "1326586" || saved.Card.First6 != "444455" || saved.Card.Last4 != "1111" || saved.Card.Brand != "visa" || saved.Expiry != "02/31" {
		t.Errorf("%+v", saved)
	}
	if g.sent[0].path != "POST https://gate.example/paynet/api/v2/create-card-ref/789" || g.sent[0].form.Get("orderid") != "6684127" {
		t.Errorf("%+v", g.sent[0])
	}
	c := testProvider(t, g).client
	if got, want := g.sent[1].form.Get("control"), c.sign("test-login", "1326586"); got != want || g.sent[1].form.Get("cardrefid") != "1326586" {
		t.Errorf("%+v, control %s", g.sent[1], want)
	}
}

func TestACardReferenceIsSavedEvenIfItsDisplayDataCannotBeRead(t *testing.T) {
	g := &gateway{answers: []string{"type=create-card-ref-response\n&status=approved\n&card-ref-id=1326586\n", "<html>"}}
	pay := payment()
	pay.Ref.OrderID = "6684127"
	if saved, err := testProvider(t, g).Remember(t.Context(), pay, providers.Standing{}); err != nil || saved.ID != "1326586" {
		t.Errorf("%+v, %v", saved, err)
	}
}

func TestARefusedReferenceIsAnError(t *testing.T) {
	g := &gateway{answers: []string{"type=error\n&error-message=not+final\n&error-code=5\n"}}
	pay := payment()
	pay.Ref.OrderID = "6684127"
	if saved, err := testProvider(t, g).Remember(t.Context(), pay, providers.Standing{}); err == nil {
		t.Errorf("%+v", saved)
	}
}

func TestACardReferenceIsLookedUpByItself(t *testing.T) {
	g := &gateway{answers: []string{
		"type=get-card-info-response\n&expire-month=2\n&expire-year=2031\n&bin=444455\n&last-four-digits=1111\n",
		"type=error\n&error-message=Card+reference+is+not+found\n&error-code=7\n", "type=error\n&error-message=try+later\n&error-code=9\n",
	}}
	p := testProvider(t, g)
	if c, err := p.CheckCard(t.Context(), providers.Owner{}, "13"); err != nil || c.ID != "13" || c.Expiry != "02/31" || c.Card.Last4 != "1111" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := p.CheckCard(t.Context(), providers.Owner{}, "14"); !errors.Is(err, providers.ErrNoCard) {
		t.Error(err)
	}
	if _, err := p.CheckCard(t.Context(), providers.Owner{}, "15"); err == nil || errors.Is(err, providers.ErrNoCard) {
		t.Error(err)
	}
}

func TestCardReferencesCannotBeListed(t *testing.T) {
	if _, err := testProvider(t, &gateway{}).Cards(t.Context(), providers.Owner{CustomerID: "c"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

// The whole request, as the documentation names its fields; the control has its own order.
func TestARebillIsSignedOverReferenceAmountAndCurrency(t *testing.T) {
	for command, change := range map[string]func(*providers.Payment, *Config){
		"make-rebill":         func(*providers.Payment, *Config) {},
		"make-rebill-sale":    func(_ *providers.Payment, c *Config) { c.RebillCommand = "make-rebill-sale" },
		"make-rebill-preauth": func(p *providers.Payment, _ *Config) { p.Hold = true },
	} {
		g := &gateway{answers: []string{accept}}
		pay := payment()
		p := testProvider(t, g, func(c *Config) { change(&pay, c) })
		step, err := p.Pay(t.Context(), pay, providers.Instrument{Kind: "saved_card", Saved: "1326586", Merchant: true}, browser())
		if err != nil || step.Kind != providers.Wait || step.Ref.OrderID != "6684127" {
			t.Fatalf("%s: %+v, %v", command, step, err)
		}
		form := g.sent[0].form
		if want := "POST https://gate.example/paynet/api/v2/" + command + "/789"; g.sent[0].path != want {
			t.Errorf("%s, want %s", g.sent[0].path, want)
		}
		if want := p.client.sign("test-login", "902B4FF5", "1326586", "1042", "EUR"); form.Get("control") != want {
			t.Errorf("%s: control %s, want %s", command, form.Get("control"), want)
		}
		if form.Has("credit_card_number") || form.Has("cvv2") || form.Get("amount") != "10.42" || form.Get("recurrent_initiator") != "MERCHANT" {
			t.Errorf("%s: %v", command, form)
		}
	}
}

func TestTheGatewaysOwnPageIsARedirect(t *testing.T) {
	for command, hold := range map[string]bool{"sale-form": false, "preauth-form": true} {
		g := &gateway{answers: []string{"type=async-form-response\n&serial-number=sn\n&merchant-order-id=902B4FF5\n&paynet-order-id=6684127\n&redirect-url=https%3A%2F%2Fgate.example%2Fform%2F1\n"}}
		pay := payment()
		pay.Hold = hold
		step, err := testProvider(t, g).Pay(t.Context(), pay, providers.Instrument{Kind: "hosted"}, browser())
		if err != nil || step.Kind != providers.Redirect || step.Link != "https://gate.example/form/1" || step.Ref.OrderID != "6684127" {
			t.Errorf("%s: %+v, %v", command, step, err)
		}
		if g.sent[0].path != "POST https://gate.example/paynet/api/v2/"+command+"/789" || g.sent[0].form.Has("credit_card_number") {
			t.Errorf("%s: %+v", command, g.sent[0])
		}
	}
}

func TestAPageStepWithoutAnAddressIsUnknown(t *testing.T) {
	g := &gateway{answers: []string{fixture(t, "recorded/preauth_form_async_form_response_no_url.txt")}}
	pay := payment()
	pay.Hold = true
	if step, err := testProvider(t, g).Pay(t.Context(), pay, providers.Instrument{Kind: "hosted"}, browser()); err == nil {
		t.Errorf("%+v", step)
	}
}

// A shopper may try a second card on the gateway's form, which the gateway keeps as another order under our number.
func TestARefusedOrderOfTheGatewaysFormIsAskedAboutByItsNumberToo(t *testing.T) {
	status := func(id, status string) string {
		return "type=status-response\n&serial-number=sn\n&merchant-order-id=902B4FF5\n&paynet-order-id=" + id + "\n&status=" + status + "\n&amount=10.42\n"
	}
	for name, c := range map[string]struct {
		instrument string
		answers    []string
		want       string
	}{
		"a second order":            {"hosted", []string{status("1", "declined"), status("2", "approved")}, "2"},
		"none":                      {"hosted", []string{status("1", "declined"), status("1", "declined")}, ""},
		"nothing to be read":        {"hosted", []string{status("1", "declined"), "<html>"}, ""},
		"the gateway's form is not": {"card", []string{status("1", "declined")}, ""},
	} {
		g := &gateway{answers: c.answers}
		pay := payment()
		pay.Instrument, pay.Ref.OrderID = c.instrument, "1"
		st, err := testProvider(t, g).Status(t.Context(), pay)
		if err != nil || st.Outcome != providers.Refused || st.OtherOrder != c.want || len(g.sent) != len(c.answers) {
			t.Errorf("%s: %+v %v after %d calls", name, st, err, len(g.sent))
		}
	}
}
