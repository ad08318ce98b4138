package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
)

// What a browser says of itself, with its cookies or without, and whether its post is taken.
func TestWhoeverComesFromOurPagePaysAndCancelsWhateverTheirBrowserSends(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	const ours, same = "https://pay.example", "same-origin"
	type row struct {
		cookies      bool
		site, origin string
		token        string // "page": as the page has it; "": none; "other": of another session; "old": half an hour later; "wrong"
		taken        bool
	}
	rows := []row{}
	for _, origin := range []string{"", ours, "https://pay.example:443", "HTTPS://PAY.EXAMPLE"} {
		for _, token := range []string{"page", "", "other", "old", "wrong"} {
			for _, cookies := range []bool{true, false} {
				rows = append(rows, row{cookies, same, origin, token, true})
				if origin != "" {
					rows = append(rows, row{cookies, "", origin, token, true})
				}
			}
		}
	}
	for _, cookies := range []bool{true, false} {
		for _, site := range []string{"cross-site", "same-site", "none"} {
			for _, origin := range []string{"", ours, "null", "https://shop.example"} {
				rows = append(rows, row{cookies, site, origin, "page", cookies}, row{cookies, site, origin, "", false})
			}
		}
		for _, origin := range []string{"null", "https://shop.example", "https://pay.example.evil.example", "http://pay.example", "https://pay.example:8443", "https://xpay.example", "%"} {
			rows = append(rows, row{cookies, "", origin, "page", cookies}, row{cookies, same, origin, "page", cookies}, row{cookies, same, origin, "wrong", false})
		}
		rows = append(rows, row{cookies, "", "", "page", true}, row{cookies, "", "", "other", false}, row{cookies, "", "", "wrong", false}, row{cookies, "", "", "", false},
			row{cookies, "", "", "old", cookies}) // a day's cookie proves it for longer
	}
	another := m.call(http.MethodPost, "/v1/sessions", order("another")).field("id")
	foreign := csrfInput.FindStringSubmatch((&shopper{m: m, robot: true}).see("/pay/" + another))[1]
	for i, r := range rows {
		id := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order(fmt.Sprint("o", i)), "{", `{"expires_in":86400,`, 1)).field("id")
		b := &shopper{m: m, robot: !r.cookies}
		form := url.Values{"csrf": {csrfInput.FindStringSubmatch(b.see("/pay/" + id))[1]}}
		switch r.token {
		case "":
			form.Del("csrf")
		case "other":
			form.Set("csrf", foreign)
		case "wrong":
			form.Set("csrf", strings.Repeat("A", 32)+"~0.00000000000000000000000000000000")
		case "old":
			m.clock.Advance(31 * time.Minute)
		}
		headers := []string{"Content-Type", "application/x-www-form-urlencoded"}
		if r.site != "" {
			headers = append(headers, "Sec-Fetch-Site", r.site)
		}
		if r.origin != "" {
			headers = append(headers, "Origin", r.origin)
		}
		for key, values := range cardForm {
			form[key] = values
		}
		form.Set("number", "4000") // read only where the post is taken
		got := b.send(http.MethodPost, "/pay/"+id+"/card", form.Encode(), headers...)
		read := strings.TrimSpace(got.page().Find("#number-error").Text()) != ""
		if stale := strings.Contains(got.Body.String(), "Nothing was sent"); read != r.taken || stale == r.taken {
			t.Errorf("%+v: %d, read %v, refused %v", r, got.Code, read, stale)
		}
		if !r.taken || r.token == "old" {
			continue
		}
		if got := b.send(http.MethodPost, "/pay/"+id+"/cancel", form.Encode(), headers...); got.Code != http.StatusSeeOther {
			t.Errorf("%+v: cancel is answered %d", r, got.Code)
		}
	}
}

// Without a cookie the page's token is good for paying and for leaving alone.
func TestATokenWithoutACookieOpensNothingOfTheCustomers(t *testing.T) {
	m, id := front(t, tune{})
	b := &shopper{m: m, robot: true}
	form := url.Values{"csrf": {csrfInput.FindStringSubmatch(b.see("/pay/" + id))[1]}, "phone": {"+77011234567"}, "code": {"111111"}, "card": {"x"}, "email": {"a@b.example"}}
	for _, path := range []string{"/saved", "/saved/delete", "/customer", "/phone", "/phone/other", "/phone/remembered", "/phone/forget", "/code", "/code/again", "/receipt"} {
		got := b.send(http.MethodPost, "/pay/"+id+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if got.Code != http.StatusUnprocessableEntity || got.page().Find("#notice").Length() != 1 {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
