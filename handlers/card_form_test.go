package handlers_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"tollgate/providers"
	"tollgate/threeds"
)

// page parses an answer as a page.
func (r reply) page() *goquery.Document {
	r.t.Helper()
	d, err := goquery.NewDocumentFromReader(strings.NewReader(r.Body.String()))
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// cardWith is a filled-in card form with some fields changed.
func cardWith(fields map[string]string) *strings.Reader {
	form := maps.Clone(cardForm)
	for k, v := range fields {
		form[k] = []string{v}
	}
	return strings.NewReader(url.Values(form).Encode())
}

func TestACardThatTheAccountDoesNotTakeIsRefusedBesideTheFieldBeforeATryIsUsed(t *testing.T) {
	m, id := front(t, tune{})
	shown := m.shopper(http.MethodGet, "/pay/"+id, nil).page()
	for brand, number := range map[string]string{
		"jcb": "3528000000000007", "discover": "6011111111111117", "diners": "30569309025904", "maestro": "6759649826438453", "uzcard": "8600000000000007", "humo": "9860000000000000",
		"elcart": "9417000000000008",
	} {
		r := m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"number": number}))
		if text := r.page().Find("#number-error").Text(); r.Code != http.StatusUnprocessableEntity || !strings.Contains(text, "қабылданбайды") {
			t.Errorf("%s: %d, beside the number stands %q", brand, r.Code, text)
		}
		if shown.Find("#brands ."+brand).Length() != 0 {
			t.Errorf("%s is shown and not taken", brand)
		}
	}
	if shown.Find("#brands li").Length() != 5 || shown.Find("#brands .visa svg[aria-label=Visa]").Length() != 1 {
		t.Errorf("the marks are %s", shown.Find("#brands").Text())
	}
	s, err := m.store.Load(t.Context(), id)
	if err != nil || len(s.Attempts) != 0 {
		t.Errorf("%d tries were used, %v", len(s.Attempts), err)
	}
}

func TestTheCodeHasTheLengthOfTheCardsBrand(t *testing.T) {
	m, id := front(t, tune{})
	for _, c := range []struct{ number, cvc string }{{"378282246310005", "123"}, {"4000 0199 0002 0704", "1234"}} {
		r := m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"number": c.number, "cvc": c.cvc}))
		if text := r.page().Find("#cvc-error").Text(); r.Code != http.StatusUnprocessableEntity || strings.TrimSpace(text) == "" {
			t.Errorf("%s with %s: %d, %q", c.number, c.cvc, r.Code, text)
		}
	}
}

// payer is a gateway that keeps what it is told of the card and declines it.
type payer struct {
	*gateway
	told chan providers.Instrument
}

func (p payer) Pay(_ context.Context, pay providers.Payment, in providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	p.told <- in
	return providers.Step{V: providers.StepVersion, Kind: providers.Declined, Ref: pay.Ref, Decline: &providers.Decline{Reason: providers.InsufficientFunds}}, nil
}

func (p payer) Status(_ context.Context, pay providers.Payment) (providers.Standing, error) {
	return providers.Standing{Outcome: providers.Refused, Ref: pay.Ref, Reference: pay.Ref.Reference, Amount: pay.Amount, Decline: &providers.Decline{Reason: providers.InsufficientFunds}}, nil
}

func TestAfterADeclineExpiryAndNameReturnInTheBrowserThatTypedThem(t *testing.T) {
	told := make(chan providers.Instrument, 9)
	m, id := front(t, tune{provider: func(g *gateway) providers.Provider { return payer{g, told} }})
	first := m.shopper(http.MethodGet, "/pay/"+id, nil)
	cookie := strings.Split(first.Header().Get("Set-Cookie"), ";")[0]
	const name = "Әйгерім Серікқызы"
	token := first.page().Find("#card input[name=csrf]").AttrOr("value", "")
	posted := m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"name": name, "expiry": "2049-12", "csrf": token}), "Cookie", cookie)
	posted.leadsTo("/pay/" + id)
	for _, c := range posted.Result().Cookies() { // the first proved post makes the browser's session
		if c.Name == "__Host-tollgate" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if in := <-told; in.Card.Name != "AIGERIM SERIKKYZY" || in.Card.Month != 12 || in.Card.Year != 2049 {
		t.Errorf("the gateway is told %q, %d/%d", in.Card.Name, in.Card.Month, in.Card.Year)
	}
	field := func(id string, r reply) string { return r.page().Find("#"+id).AttrOr("value", "") }
	again := m.shopper(http.MethodGet, "/pay/"+id, nil, "Cookie", cookie)
	if !strings.Contains(again.page().Find("#notice").Text(), "Ақша алынған жоқ") {
		t.Fatalf("the page says %q", again.page().Find("main").Text())
	}
	if field("name", again) != name || field("expiry", again) != "2049-12" || field("number", again) != "" || field("cvc", again) != "" {
		t.Errorf("the form has %q, %q, %q, %q", field("name", again), field("expiry", again), field("number", again), field("cvc", again))
	}
	for what, r := range map[string]reply{
		"another browser":     m.shopper(http.MethodGet, "/pay/"+id, nil, "Cookie", strings.Split(m.shopper(http.MethodGet, "/pay/"+id, nil).Header().Get("Set-Cookie"), ";")[0]),
		"one without cookies": m.shopper(http.MethodGet, "/pay/"+id, nil),
	} {
		if field("name", r) != "" || field("expiry", r) != "" {
			t.Errorf("%s sees what was typed", what)
		}
	}
	m.clock.Advance(16 * time.Minute)
	if field("name", m.shopper(http.MethodGet, "/pay/"+id, nil, "Cookie", cookie)) != "" {
		t.Error("it is kept for longer than a quarter of an hour")
	}
}

func TestRealNamesAreTaken(t *testing.T) {
	told := make(chan providers.Instrument, 9)
	for name, want := range map[string]string{
		"ИВАН ПЕТРОВ": "IVAN PETROV", "李小龍": "CARDHOLDER", "A": "A.", "JOHN SMITH 3RD": "JOHN SMITH 3RD", "7 ELEVEN LLC": "7 ELEVEN LLC", `D"ARCY`: `D"ARCY`,
	} {
		m, id := front(t, tune{provider: func(g *gateway) providers.Provider { return payer{g, told} }})
		m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"name": name})).leadsTo("/pay/" + id)
		if in := <-told; in.Card.Name != want {
			t.Errorf("%q goes to the gateway as %q", name, in.Card.Name)
		}
	}
	m, id := front(t, tune{})
	for _, name := range []string{"-", "4000 0199 0002 0704", "<script>", ""} {
		if r := m.shopper(http.MethodPost, "/pay/"+id+"/card", cardWith(map[string]string{"name": name})); r.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", name, r.Code)
		}
	}
}
