package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
	"tollgate/threeds"
)

// shopper is a browser without Sec-Fetch headers: an old phone, or a messenger's robot.
type shopper struct {
	m       *machine
	cookies map[string]string
	robot   bool // keeps no cookies
}

func (b *shopper) send(method, path, body string, headers ...string) reply {
	for name, value := range b.cookies {
		headers = append(headers, "Cookie", name+"="+value)
	}
	answer := b.m.call(method, path, body, headers...)
	for _, c := range answer.Result().Cookies() {
		if b.cookies == nil {
			b.cookies = map[string]string{}
		}
		if b.cookies[c.Name] = c.Value; b.robot || c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return answer
}

func (b *shopper) see(path string) string { return b.send(http.MethodGet, path, "").Body.String() }

var csrfInput = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// press posts the form that a page has for an address; none is a failure.
func (b *shopper) press(page, action string, fill url.Values) reply {
	b.m.t.Helper()
	token := csrfInput.FindStringSubmatch(page)
	if token == nil || !strings.Contains(page, `action="`+action+`"`) {
		b.m.t.Fatalf("there is no form for %s on %s", action, page)
	}
	form := url.Values{"csrf": {token[1]}}
	for name, values := range fill {
		form[name] = values
	}
	return b.send(http.MethodPost, action, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// bootWithSavedCards is a machine whose customer c-1 has a card saved, ending in 0720.
func bootWithSavedCards(t *testing.T, at sqlstore.Options) *machine {
	m := boot(t, &clock.Clock{}, at, tune{provider: func(g *gateway) providers.Provider { return fullGateway{g} }})
	m.call(http.MethodPost, "/v1/customers/c-1/cards", registrationBody("one", "4000019900020720")).is(http.StatusCreated, "")
	return m
}

// opens makes a session of the customer's, with more members, and gives its path.
func (m *machine) opens(id, more string) string {
	m.t.Helper()
	customer := `,"customer":{"id":"c-1","email":"c@mail.example","phone":"+77011234567"}`
	made := m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order(id), "}")+customer+more+"}")
	made.is(http.StatusCreated, "")
	return "/pay/" + made.field("id")
}

const cardInput, choiceInput = `name="number"`, `name="card"`

// showsCustomerData tells whether a page says anything of the customer's.
func showsCustomerData(page string) bool {
	for _, secret := range []string{"0720", "1234567", "mail.example", "visa</", choiceInput} {
		if strings.Contains(page, secret) {
			return true
		}
	}
	return false
}

func TestALinkScannerThatOpensThePageFirstDoesNotBecomeTheCustomer(t *testing.T) {
	m := bootWithSavedCards(t, sqlstore.Options{Dir: t.TempDir()})
	for i, method := range []string{"", `,"payment_method":"saved_card"`} {
		path := m.opens("a"+string(rune('0'+i)), method)
		for _, robot := range []*shopper{{m: m, robot: true}, {m: m}} {
			for _, address := range []string{path, path, path + "?lang=ru", path + "/new", path} {
				if page := robot.see(address); showsCustomerData(page) {
					t.Errorf("a look at %s shows %s", address, page)
				}
			}
			for _, look := range []string{http.MethodHead, http.MethodOptions} {
				robot.send(look, path, "")
				robot.send(look, path+"/customer", "")
			}
		}
		b := &shopper{m: m}
		page := b.see(path)
		if showsCustomerData(page) {
			t.Errorf("the shopper is shown the customer's things unasked: %s", page)
		}
		b.press(page, path+"/customer", nil).is(http.StatusSeeOther, "")
		if page := b.see(path); !strings.Contains(page, choiceInput) || !strings.Contains(page, "0720") {
			t.Errorf("after the press the shopper sees %s", page)
		}
	}
}

func TestTheFirstBrowserThatAsksForSavedCardsIsTheCustomersAndOthersPayByCard(t *testing.T) {
	m := bootWithSavedCards(t, sqlstore.Options{Dir: t.TempDir()})
	for i, method := range []string{"", `,"payment_method":"saved_card"`} {
		path := m.opens("b"+string(rune('0'+i)), method)
		first, second := &shopper{m: m}, &shopper{m: m}
		early := second.see(path) // a page from before the press
		first.press(first.see(path), path+"/customer", nil)
		second.press(early, path+"/customer", nil).is(http.StatusSeeOther, "")
		if page := second.see(path); showsCustomerData(page) || !strings.Contains(page, cardInput) || strings.Contains(page, path+"/customer") {
			t.Errorf("the second browser sees %s", page)
		}
		saved := regexp.MustCompile(`value="(sc_[^"]+)"`).FindStringSubmatch(first.see(path))
		if saved == nil {
			t.Fatal("the first browser is offered no card")
		}
		second.press(early, path+"/customer", url.Values{"card": {saved[1]}})
		form := url.Values{"csrf": {csrfInput.FindStringSubmatch(second.see(path))[1]}, "card": {saved[1]}}
		answer := second.send(http.MethodPost, path+"/saved", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		answer.is(http.StatusSeeOther, "")
		if s, err := m.store.Load(t.Context(), strings.TrimPrefix(path, "/pay/")); err != nil || len(s.Attempts) != 0 {
			t.Errorf("the second browser paid with the customer's card: %v", err)
		}
	}
}

func TestOfBrowsersThatAskForSavedCardsAtOnceOneIsTheCustomers(t *testing.T) {
	scenario(t, func(t *testing.T, at sqlstore.Options, _ bool) {
		m := bootWithSavedCards(t, at)
		path := m.opens("c", "")
		all := make([]*shopper, 8)
		pages := make([]string, len(all))
		for i := range all {
			all[i] = &shopper{m: m}
			pages[i] = all[i].see(path)
		}
		var asking sync.WaitGroup
		for i, b := range all {
			asking.Go(func() { b.press(pages[i], path+"/customer", nil) })
		}
		asking.Wait()
		seeing := 0
		for _, b := range all {
			if showsCustomerData(b.see(path)) {
				seeing++
			}
		}
		if seeing != 1 {
			t.Errorf("%d browsers see the customer's cards", seeing)
		}
	})
}

func TestAPostWithoutACSRFTokenMakesNoBrowserTheCustomers(t *testing.T) {
	m := bootWithSavedCards(t, sqlstore.Options{Dir: t.TempDir()})
	for i, method := range []string{"", `,"payment_method":"saved_card"`} {
		path := m.opens("d"+string(rune('0'+i)), method)
		b := &shopper{m: m}
		b.see(path)
		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		sameOrigin, otherSite := append([]string{"Sec-Fetch-Site", "same-origin"}, form...), append([]string{"Sec-Fetch-Site", "cross-site"}, form...)
		for what, answer := range map[string]reply{
			"no token":                    b.send(http.MethodPost, path+"/customer", "", form...),
			"a wrong token":               b.send(http.MethodPost, path+"/customer", "csrf=x", form...),
			"the same origin, no token":   b.send(http.MethodPost, path+"/customer", "", sameOrigin...),
			"the same origin, no cookies": m.call(http.MethodPost, path+"/customer", "csrf=x", sameOrigin...),
			"another site":                b.send(http.MethodPost, path+"/customer", "csrf=x", otherSite...),
			"a saved card, unasked":       b.send(http.MethodPost, path+"/saved", "card=sc_x", sameOrigin...),
		} {
			if showsCustomerData(answer.Body.String()) {
				t.Errorf("%s is answered %s", what, answer.Body)
			}
			if s, err := m.store.Load(t.Context(), strings.TrimPrefix(path, "/pay/")); err != nil || s.FirstBrowser != "" {
				t.Errorf("%s makes a browser the customer's: %v", what, err)
			}
		}
	}
}

func TestTheCustomersPhoneIsPrefilledForTheCustomersBrowserOnly(t *testing.T) {
	logsIn := func(g *gateway) providers.Provider { return banker{g} }
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: logsIn})
	path := m.opens("e", "")
	(&shopper{m: m, robot: true}).see(path)
	b, other := &shopper{m: m}, &shopper{m: m}
	page, early := b.see(path), other.see(path)
	if showsCustomerData(page) {
		t.Errorf("a look shows the phone: %s", page)
	}
	b.press(page, path+"/customer", nil).is(http.StatusSeeOther, "")
	other.press(early, path+"/customer", nil).is(http.StatusSeeOther, "")
	if page := b.see(path); !strings.Contains(page, `value="&#43;77011234567"`) && !strings.Contains(page, `value="+77011234567"`) {
		t.Errorf("after the press the page is %s", page)
	}
	if page := other.see(path); showsCustomerData(page) || strings.Contains(page, path+"/customer") {
		t.Errorf("another browser sees %s", page)
	}
}

func TestSavedCardsAreNotOfferedToACustomerWithoutAny(t *testing.T) {
	m := bootWithSavedCards(t, sqlstore.Options{Dir: t.TempDir()})
	made := m.call(http.MethodPost, "/v1/sessions", strings.TrimSuffix(order("f"), "}")+`,"customer":{"id":"c-2"},"payment_method":"saved_card"}`)
	made.is(http.StatusCreated, "")
	path := "/pay/" + made.field("id")
	if page := (&shopper{m: m}).see(path); !strings.Contains(page, cardInput) || strings.Contains(page, path+"/customer") {
		t.Errorf("the page is %s", page)
	}
}

// forgetful is a gateway that wants the card once more.
type forgetful struct{ fullGateway }

func (forgetful) Pay(_ context.Context, p providers.Payment, _ providers.Instrument, _ threeds.BrowserData) (providers.Step, error) {
	return providers.Step{V: providers.StepVersion, Kind: providers.AskCard, Ref: p.Ref}, nil
}

func TestTheLastDigitsOfTheCardToRepeatAreShownOnlyToTheBrowserThatTypedIt(t *testing.T) {
	asksAgain := func(g *gateway) providers.Provider { return forgetful{fullGateway{g}} }
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: asksAgain})
	path := m.opens("g", "")
	payer, second := &shopper{m: m}, &shopper{m: m}
	second.see(path)
	typed := url.Values{"number": {"4000 0199 0002 0720"}, "expiry": {"12/30"}, "cvc": {"123"}, "name": {"A B"}}
	payer.press(payer.see(path), path+"/card", typed).is(http.StatusSeeOther, "")
	if page := payer.see(path); !strings.Contains(page, "ending in 0720") {
		t.Errorf("the payer sees %s", page)
	}
	for _, b := range []*shopper{second, {m: m}, {m: m, robot: true}} {
		if page := b.see(path); showsCustomerData(page) || !strings.Contains(page, "Enter the same card again") {
			t.Errorf("another browser sees %s", page)
		}
	}
}
