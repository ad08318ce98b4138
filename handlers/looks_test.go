package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"tollgate/internal/clock"
	"tollgate/internal/i18n"
	"tollgate/internal/look"
	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
)

func bootWithLooks(t *testing.T) (*machine, *look.Look) {
	t.Helper()
	own, err := look.New(look.Sample(), i18n.Languages())
	if err != nil {
		t.Fatal(err)
	}
	m := theShop
	m.Looks = []*look.Look{own}
	return boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{merchants: []merchant.Merchant{m}}), own
}

func TestASessionPicksAmongTheMerchantsLooks(t *testing.T) {
	m, own := bootWithLooks(t)
	plain := m.call(http.MethodPost, "/v1/sessions", order("plain"))
	dressed := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("dressed"), "{", `{"look":"market","locale":"ru",`, 1))
	dressed.is(http.StatusCreated, "")
	if got := dressed.field("look"); got != "market" {
		t.Errorf("the session says %q", got)
	}
	page := m.shopper(http.MethodGet, "/pay/"+dressed.field("id"), nil).page()
	if got := page.Find(".shop").Text(); strings.TrimSpace(got) != "Демо-магазин" {
		t.Errorf("the shop is called %q", got)
	}
	for selector, want := range map[string]string{
		`link[href="` + own.Sheet.Path + `"]`: "", `.shop img[src="` + own.Logo.Path + `"][alt=""]`: "", `.help a[href="mailto:help@shop.example"]`: "help@shop.example",
		`.help a[href="tel:+77271234567"]`: "+7 727 123 45 67", `.help a[href="https://shop.example/refunds"]`: "Возврат денег",
	} {
		if one := page.Find(selector); one.Length() != 1 || strings.TrimSpace(one.Text()) != want {
			t.Errorf("%s: %d, %q", selector, one.Length(), one.Text())
		}
	}
	if !strings.Contains(page.Find(".help").Text(), "Доставка по Алматы за два дня.") {
		t.Errorf("help says %q", page.Find(".help").Text())
	}
	if bare := m.shopper(http.MethodGet, "/pay/"+plain.field("id"), nil).page(); bare.Find(".help, .shop img, link[href^='/look/']").Length() > 0 {
		t.Error("a session that picked no look has one")
	}
	for _, name := range []string{"other", "../market", "MARKET"} {
		r := m.call(http.MethodPost, "/v1/sessions", strings.Replace(order("x"), "{", `{"look":"`+name+`",`, 1))
		r.is(http.StatusUnprocessableEntity, "")
		if !strings.Contains(r.Body.String(), "/look") {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
}

func TestTheFilesOfALookCanDoNothing(t *testing.T) {
	m, own := bootWithLooks(t)
	for _, f := range own.Files() {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := m.shopper(method, f.Path, nil)
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff", "Content-Type": f.Type,
				"Cache-Control": "public, max-age=31536000, immutable", "Set-Cookie": "",
			} {
				if got := r.Header().Get(name); got != want || r.Code != http.StatusOK {
					t.Errorf("%s %s: %d, %s is %q, want %q", method, f.Path, r.Code, name, got, want)
				}
			}
		}
	}
	for _, path := range []string{"/look/", "/look/0000000000000000.svg", "/look/../healthz"} {
		if r := m.shopper(http.MethodGet, path, nil); r.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.Code)
		}
	}
}

func TestTheLinesOfTheCartAreOnThePage(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{})
	cart := `{"locale":"ru","cart":{"items":[{"name":"Абай жолы","quantity":"1.5","unit_price":80000,"discount":10000,"amount":110000,"tax":"vat10"},{"name":"<b>Қалам","unit_price":40000,"amount":40000}]},`
	made := m.call(http.MethodPost, "/v1/sessions", strings.Replace(strings.Replace(order("cart"), "1500", "150000", 1), "{", cart, 1))
	made.is(http.StatusCreated, "")
	var lines []string
	m.shopper(http.MethodGet, "/pay/"+made.field("id"), nil).page().Find(".items li").Each(func(_ int, li *goquery.Selection) {
		lines = append(lines, strings.Join(strings.Fields(li.Text()), " "))
	})
	want := []string{"Абай жолы 1,5 × 800 ₸ Скидка 100 ₸ В том числе налог: 100 ₸ 1 100 ₸", "<b>Қалам 400 ₸"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}
