package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// Whoever knows a pay link may ask for it as often as they like, with whatever cookies and headers.
func TestLooksWithoutACookieStoreNothing(t *testing.T) {
	m, id := front(t, tune{})
	before := m.stored(id)
	for _, look := range [][]string{
		{http.MethodGet, "", ""}, {http.MethodGet, "?lang=ru", ""}, {http.MethodGet, "?lang=kk", ""}, {http.MethodGet, "/new", ""},
		{http.MethodGet, "/nothing", ""}, {http.MethodPost, "", "csrf=x"}, {http.MethodPost, "/card", "csrf=x"}, {http.MethodPost, "/card", ""},
		{http.MethodPost, "/customer", ""}, {http.MethodPost, "/phone", "phone=77010000000"}, {http.MethodPost, "/phone/other", ""},
		{http.MethodPost, "/code", "code=111111"}, {http.MethodPost, "/code/again", ""}, {http.MethodPost, "/saved", "card=x"},
		{http.MethodPost, "/start", "phone=77010000000"},
	} {
		for _, site := range []string{"same-origin", "cross-site", ""} {
			for _, cookie := range []string{"", "__Host-tollgate=x", "__Host-visitor=x", "__Host-visitor=kabcdefgMTc"} {
				m.shopper(look[0], "/pay/"+id+look[1], strings.NewReader(look[2]), "Sec-Fetch-Site", site, "Cookie", cookie)
			}
		}
	}
	if n := m.browserRows.Load(); n != 0 || m.stored(id) != before {
		t.Errorf("%d browser sessions were stored; the session is the same: %v", n, m.stored(id) == before)
	}
}

func TestTheFirstProvedPostMakesTheBrowsersSession(t *testing.T) {
	m, id := front(t, tune{})
	b := &shopper{m: m}
	page := b.see("/pay/" + id)
	b.see("/pay/" + id + "?lang=ru")
	if m.browserRows.Load() != 0 || len(b.cookies) != 1 {
		t.Fatalf("a look stores %d rows and sets %v", m.browserRows.Load(), b.cookies)
	}
	b.press(page, "/pay/"+id+"/card", nil).is(http.StatusUnprocessableEntity, "")
	b.press(page, "/pay/"+id+"/card", cardForm).is(http.StatusSeeOther, "")
	s, err := m.store.Load(t.Context(), id)
	if err != nil || len(s.Attempts) != 1 || s.Attempts[0].BrowserID == "" || m.browserRows.Load() != 1 {
		t.Errorf("%v, %d rows", err, m.browserRows.Load())
	}
	if page := b.see("/pay/" + id); !strings.Contains(page, `lang="ru"`) {
		t.Errorf("the chosen language is gone: %s", page)
	}
}

// The login is a conversation: a browser that will not be known again is told before anybody is sent a code.
func TestABrowserWithoutCookiesIsToldBeforeACodeIsSent(t *testing.T) {
	logsIn := func(g *gateway) providers.Provider { return banker{g} }
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: logsIn})
	path := m.opens("one", `,"locale":"en"`)
	r := m.shopper(http.MethodPost, path+"/phone", strings.NewReader(url.Values{"phone": {"+77011234567"}}.Encode()))
	if r.Code != http.StatusUnprocessableEntity || !strings.Contains(r.Body.String(), "Nothing was sent") || !strings.Contains(r.Body.String(), `name="phone"`) {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if s, err := m.store.Load(t.Context(), strings.TrimPrefix(path, "/pay/")); err != nil || s.Login != nil {
		t.Errorf("%v, %+v", err, s.Login)
	}
}
