package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/threeds"
)

// choosing is a machine whose account takes every way to pay; what its gateway is told comes by the channel.
func choosing(t *testing.T) (*machine, chan paid) {
	told := make(chan paid, 9)
	return boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider {
		return attentive{fullGateway{g}, told}
	}}), told
}

// offers are the values of a page's choices, the chosen one marked.
func offers(t *testing.T, page string) (ways []string) {
	t.Helper()
	d, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d.Find("main input[type=radio]").Each(func(_ int, in *goquery.Selection) {
		way := in.AttrOr("value", "")
		if strings.HasPrefix(way, "sc_") {
			way = "saved"
		}
		if _, chosen := in.Attr("checked"); chosen {
			way += "*"
		}
		ways = append(ways, way)
	})
	return ways
}

func wantOffers(t *testing.T, page string, want ...string) {
	t.Helper()
	if got := offers(t, page); !slices.Equal(got, want) {
		t.Errorf("offered are %q, want %q", got, want)
	}
}

// begun is what the gateway is told next.
func begun(t *testing.T, told chan paid) paid {
	t.Helper()
	select {
	case is := <-told:
		return is
	case <-time.After(10 * time.Second):
		t.Fatal("the gateway was told nothing")
	}
	return paid{}
}

func TestTheShopperChoosesOnTheCardFormAmongTheWaysOfTheAccount(t *testing.T) {
	m, told := choosing(t)
	for i, c := range []struct {
		fill url.Values
		kind string
	}{
		{url.Values{"way": {"qr"}}, "qr"},
		{url.Values{"way": {"hosted"}, "number": {"4000 0199 0002 0720"}}, "hosted"},
		{url.Values{"way": {"sberpay"}, "sberpay_phone": {"8 (701) 123-45-67"}}, "sberpay"},
		{url.Values{"way": {"card"}, "number": {"4000 0199 0002 0720"}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"A B"}}, "card"},
		{url.Values{"number": {"4000 0199 0002 0720"}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"A B"}}, "card"},
		{url.Values{"way": {"cash"}, "number": {"4000 0199 0002 0720"}, "expiry": {"12/49"}, "cvc": {"123"}, "name": {"A B"}}, "card"},
	} {
		path, b := m.opens("a"+string(rune('0'+i)), `,"payment_methods":["card","qr","sberpay","hosted"]`), &shopper{m: m}
		page := b.see(path)
		wantOffers(t, page, "card*", "qr", "sberpay", "hosted")
		b.press(page, path+"/card", c.fill).is(http.StatusSeeOther, "")
		if is := begun(t, told); is.in.Kind != c.kind || c.kind == "sberpay" && is.in.Phone != "77011234567" {
			t.Errorf("%v: the gateway is told %s, %s", c.fill, is.in.Kind, is.in.Phone)
		}
	}
}

func TestAWrongPhoneIsSaidBesideItsFieldAndTheWayStaysChosen(t *testing.T) {
	m, _ := choosing(t)
	for i, from := range []struct{ more, action, field string }{
		{"", "/card", "sberpay_phone"}, {`,"payment_method":"qr"`, "/start", "sberpay_phone"},
	} {
		path, b := m.opens("a"+string(rune('0'+i)), from.more), &shopper{m: m}
		got := b.press(b.see(path), path+from.action, url.Values{"way": {"sberpay"}, from.field: {"12"}})
		got.is(http.StatusUnprocessableEntity, "")
		if d := got.page(); d.Find("#way-sberpay[checked]").Length() != 1 || d.Find("#"+from.field+"[aria-invalid]").AttrOr("value", "") != "12" {
			t.Errorf("%s: the page is %s", from.action, got.Body)
		}
	}
}

func TestAStrangerWithTheLinkCannotSendSberPayToThePhoneOfTheCustomer(t *testing.T) {
	m, _ := choosing(t)
	path, b := m.opens("a", ""), &shopper{m: m}
	page := b.see(path)
	if !strings.Contains(page, `name="sberpay_phone"`) || strings.Contains(page, "1234567") {
		t.Errorf("the page asks for no phone, or tells the customer's: %s", page)
	}
	b.press(page, path+"/card", url.Values{"way": {"sberpay"}}).is(http.StatusUnprocessableEntity, "")
}

func TestASessionThatBeginsElsewhereOffersTheCardFormToo(t *testing.T) {
	m, told := choosing(t)
	path, b := m.opens("a", `,"payment_method":"qr"`), &shopper{m: m}
	page := b.see(path)
	wantOffers(t, page, "qr*", "card", "sberpay") // the gateway's page only where the session names it
	b.press(page, path+"/start", url.Values{"way": {"card"}}).leadsTo(path + "/new")
	form := b.see(path + "/new")
	wantOffers(t, form, "qr", "card*", "sberpay")
	if !strings.Contains(form, cardInput) {
		t.Fatalf("no card form: %s", form)
	}
	b.press(form, path+"/card", cardForm).is(http.StatusSeeOther, "")
	if is := begun(t, told); is.in.Kind != "card" {
		t.Errorf("the gateway is told %s", is.in.Kind)
	}
}

func TestSavedCardsStandInOneListWithTheOtherWays(t *testing.T) {
	m, told := choosing(t)
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusCreated, "")
	path, b := m.opens("a", ""), &shopper{m: m}
	b.press(b.see(path), path+"/customer", nil)
	page := b.see(path)
	wantOffers(t, page, "saved*", "new", "qr", "sberpay")
	b.press(page, path+"/saved", url.Values{"card": {"sberpay"}}).is(http.StatusSeeOther, "")
	if is := begun(t, told); is.in.Kind != "sberpay" || is.in.Phone != "77011234567" {
		t.Errorf("the customer's own browser: the gateway is told %s, %s", is.in.Kind, is.in.Phone)
	}
}

func TestASessionNamesTheWaysItAllows(t *testing.T) {
	m, told := choosing(t)
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusCreated, "")
	path, b := m.opens("a", `,"payment_methods":["card","qr"]`), &shopper{m: m}
	page := b.see(path)
	wantOffers(t, page, "card*", "qr")
	if strings.Contains(page, `id="saved"`) {
		t.Error("saved cards are offered, which the session does not allow")
	}
	b.press(page, path+"/card", url.Values{"way": {"hosted"}}).is(http.StatusUnprocessableEntity, "") // read as a card, of which nothing was typed

	path = m.opens("b", `,"payment_methods":["qr"]`)
	page = b.see(path)
	wantOffers(t, page)
	before := m.stored(strings.TrimPrefix(path, "/pay/"))
	for _, address := range []string{"/card", "/saved"} {
		m.shopper(http.MethodPost, path+address, strings.NewReader(cardForm.Encode()+"&way=card&card=hosted")).leadsTo(path)
	}
	if m.stored(strings.TrimPrefix(path, "/pay/")) != before {
		t.Error("a payment began that the session does not allow")
	}
	b.press(page, path+"/start", url.Values{"way": {"card"}}).is(http.StatusSeeOther, "")
	if is := begun(t, told); is.in.Kind != "qr" {
		t.Errorf("the gateway is told %s", is.in.Kind)
	}
	for i, c := range []struct{ more, pointer string }{
		{`"payment_methods":[]`, "/payment_methods"},
		{`"payment_methods":["card","card"]`, "/payment_methods/1"},
		{`"payment_methods":["cash"]`, "/payment_methods/0"},
		{`"payment_methods":["payout"]`, "/payment_methods/0"},
		{`"payment_methods":["saved_card","qr"]`, "/payment_methods"},
		{`"payment_methods":["qr"],"payment_method":"card"`, "/payment_methods"},
	} {
		refused := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("no"+string(rune('0'+i))), "{", "{"+c.more+",", 1))
		refused.is(http.StatusUnprocessableEntity, "invalid")
		if all := refused.faults(); len(all) != 1 || all[0][0] != c.pointer {
			t.Errorf("%s: faults %v, want one at %s", c.more, all, c.pointer)
		}
	}
	made := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("first"), "{", `{"payment_methods":["hosted","card"],`, 1))
	made.is(http.StatusCreated, "")
	if first := made.field("payment_method"); first != "hosted" || !strings.Contains(made.Body.String(), `"payment_methods":["hosted","card"]`) {
		t.Errorf("the session begins with %s: %s", first, made.Body)
	}
}

// coded answers a payment with a code that is good for a quarter of an hour.
type coded struct{ attentive }

func (g coded) Pay(_ context.Context, p providers.Payment, in providers.Instrument, b threeds.BrowserData) (providers.Step, error) {
	g.told <- paid{p, in, b}
	return providers.Step{V: providers.StepVersion, Kind: providers.Scan, Ref: p.Ref, Link: "https://qr.example/1", Deadline: 15 * time.Minute}, nil
}

func TestACodeIsShownUntilItRunsOutAndThenTheWaysOn(t *testing.T) {
	told := make(chan paid, 9)
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider {
		return coded{attentive{fullGateway{g}, told}}
	}})
	path, b := m.opens("a", ""), &shopper{m: m}
	b.press(b.see(path), path+"/card", url.Values{"way": {"qr"}}).is(http.StatusSeeOther, "")
	if page := b.see(path); !strings.Contains(page, "data:image/png") || !strings.Contains(page, "UTC (1") || strings.Contains(page, "run out") {
		t.Errorf("the code is not shown with its time: %s", page)
	}
	m.clock.Advance(15 * time.Minute)
	page := b.see(path)
	if strings.Contains(page, "data:image/png") || strings.Contains(page, "qr.example") || !strings.Contains(page, "run out") {
		t.Errorf("a code that has run out is still shown: %s", page)
	}
	if !strings.Contains(page, `id="exit"`) {
		t.Error("there is no way on")
	}
}
