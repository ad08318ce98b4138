package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// loginGateway has one customer for every phone; each login ends the one before.
type loginGateway struct {
	fullGateway
	mu    *sync.Mutex
	codes *int
	token *string
}

func newLoginGateway(g *gateway) loginGateway {
	return loginGateway{fullGateway: fullGateway{g}, mu: new(sync.Mutex), codes: new(int), token: new(string)}
}

func (loginGateway) FindCustomer(_ context.Context, phone string) (string, error) {
	return "u-" + phone, nil
}
func (loginGateway) CodeLife() time.Duration { return time.Minute }

func (g loginGateway) SendCode(_ context.Context, customer string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*g.codes++
	return customer, nil
}

func (g loginGateway) Exchange(_ context.Context, _, code string) (providers.Credential, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if code != "111111" {
		return providers.Credential{}, providers.ErrWrongCode
	}
	*g.token += "x"
	return providers.Credential{Token: providers.NewSecret("token-" + *g.token), ExpiresAt: time.Now().AddDate(100, 0, 0)}, nil
}

func (g loginGateway) Cards(_ context.Context, o providers.Owner) ([]providers.SavedCard, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.Credential.Reveal() != "token-"+*g.token {
		return nil, &providers.Failure{Op: "cards", Err: providers.ErrCredential}
	}
	return []providers.SavedCard{{ID: "b-" + o.Credential.Reveal(), Name: "Salary card", Active: true}}, nil
}

func (b *shopper) logsIn(path, remember string) {
	b.m.t.Helper()
	b.press(b.see(path), path+"/phone", url.Values{"phone": {"+79171131231"}}).is(http.StatusSeeOther, "")
	b.press(b.see(path), path+"/code", url.Values{"code": {"111111"}, "remember": {remember}}).is(http.StatusSeeOther, "")
}

func bootWithLogin(t *testing.T) (*machine, loginGateway) {
	t.Helper()
	var g loginGateway
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(plain *gateway) providers.Provider {
		g = newLoginGateway(plain)
		return g
	}})
	return m, g
}

const english = `,"locale":"en"`

func TestACustomerWhoAskedToBeRememberedNeedsNoOtherCodeInThisBrowser(t *testing.T) {
	m, g := bootWithLogin(t)
	b := &shopper{m: m}
	first := m.opens("first", english)
	b.press(b.see(first), first+"/phone", url.Values{"phone": {"+79171131231"}})
	if page := b.see(first); strings.Contains(page, "checked") || !strings.Contains(page, `name="remember"`) {
		t.Errorf("the box is ticked, or not there: %s", page)
	}
	b.press(b.see(first), first+"/code", url.Values{"code": {"111111"}, "remember": {"1"}})
	if page := b.see(first); !strings.Contains(page, "Salary card") {
		t.Errorf("the name of the card is not shown: %s", page)
	}
	second := m.opens("second", english)
	page := b.see(second)
	if !strings.Contains(page, "Continue as +7") || strings.Contains(page, "9171131231") || strings.Contains(page, "Salary card") {
		t.Fatalf("the next payment says %s", page)
	}
	if framed := b.send(http.MethodGet, second, "", "Sec-Fetch-Dest", "iframe").Body.String(); strings.Contains(framed, "Continue as") {
		t.Error("a frame shows the customer")
	}
	b.press(page, second+"/phone/remembered", nil).is(http.StatusSeeOther, "")
	if page := b.see(second); !strings.Contains(page, "Salary card") {
		t.Errorf("after the press: %s", page)
	}
	if *g.codes != 1 {
		t.Errorf("%d codes were sent", *g.codes)
	}
	if other := (&shopper{m: m}).see(second); strings.Contains(other, "Salary card") || strings.Contains(other, "Continue as") {
		t.Errorf("another browser sees %s", other)
	}
}

func TestARememberedCustomerIsForgottenByNotMeByAnotherLoginAndAfterItsTime(t *testing.T) {
	for name, end := range map[string]func(*machine, *shopper, string){
		"not me": func(_ *machine, b *shopper, path string) {
			b.press(b.see(path), path+"/phone/forget", nil).is(http.StatusSeeOther, "")
		},
		"another login elsewhere": func(m *machine, _ *shopper, _ string) {
			(&shopper{m: m}).logsIn(m.opens("elsewhere", english), "")
		},
		"thirty days": func(m *machine, _ *shopper, _ string) { m.clock.Advance(30 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := bootWithLogin(t)
			b := &shopper{m: m}
			b.logsIn(m.opens("first", english), "1")
			path := m.opens("second", english)
			known := b.see(path)
			end(m, b, path)
			second := path
			if name == "thirty days" { // the session is over too
				path = m.opens("third", english)
			}
			if page := b.see(path); strings.Contains(page, "Continue as") {
				t.Errorf("still known: %s", page)
			}
			if !strings.Contains(known, "Continue as") {
				t.Fatalf("never known: %s", known)
			}
			b.press(known, second+"/phone/remembered", nil)
			if page := b.see(path); strings.Contains(page, "Salary card") {
				t.Errorf("an old page logs in: %s", page)
			}
		})
	}
}

func TestNobodyIsRememberedUnaskedInAFrameOrAtAnotherMerchantsOrAccountsPage(t *testing.T) {
	m, _ := bootWithLogin(t)
	b := &shopper{m: m}
	b.logsIn(m.opens("first", english), "")
	for name := range b.cookies {
		if strings.Contains(name, "customer-") {
			t.Errorf("remembered unasked: %s", name)
		}
	}
	path := m.opens("framed", english)
	b.press(b.see(path), path+"/phone", url.Values{"phone": {"+79171131231"}})
	page := b.see(path)
	token := csrfInput.FindStringSubmatch(page)[1]
	form := url.Values{"csrf": {token}, "code": {"111111"}, "remember": {"1"}}
	b.send(http.MethodPost, path+"/code", form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Dest", "iframe")
	for name := range b.cookies {
		if strings.Contains(name, "customer-") {
			t.Errorf("remembered in a frame: %s", name)
		}
	}
}
