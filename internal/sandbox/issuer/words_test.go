package issuer

import (
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestTheBankSpeaksTheBrowsersLanguage(t *testing.T) {
	b := newBank(t).Issuer
	for header, want := range map[string][2]string{
		"": {"en", "No such payment"}, "ru-RU,ru;q=0.9,en;q=0.8": {"ru", "No such payment"}, "kk": {"kk", "No such payment"}, "fr,ru;q=0.5": {"ru", "No such payment"}, "zh": {"en", "No such payment"},
	} {
		r := httptest.NewRequest("GET", "/acs/nobody", nil)
		r.Header.Set("Accept-Language", header)
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		if page := w.Body.String(); !strings.Contains(page, `<html lang="`+want[0]+`">`) || !strings.Contains(page, want[1]) {
			t.Errorf("%q: %s", header, page)
		}
	}
}

func TestEveryTextOfTheChallengePageIsTranslated(t *testing.T) {
	page, err := os.ReadFile("pages/challenge.html")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\.T "([^"]+)"`).FindAllSubmatch(page, -1)
	if len(found) < 8 {
		t.Fatalf("only %d texts were found", len(found))
	}
	for _, m := range found {
		for _, lang := range languages[1:] {
			if say(lang, string(m[1])) == string(m[1]) {
				t.Errorf("%q has no text in %s", m[1], lang)
			}
		}
	}
}

func TestTheButtonThatReturnsTheShopperSpeaksTheBrowsersLanguage(t *testing.T) {
	for _, lang := range languages {
		for _, f := range postTwice("https://front.example/return", [2]string{"cres", "e30"}) {
			if page, want := string(f.HTML(lang)), say(lang, "Continue"); !strings.Contains(page, ">"+want) {
				t.Errorf("%s: no %q in %s", lang, want, page)
			}
		}
	}
}
