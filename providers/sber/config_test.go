package sber_test

import (
	"strings"
	"testing"

	"tollgate/providers"
	"tollgate/providers/sber"
)

func TestFaultsNameEverySettingThatIsWrong(t *testing.T) {
	good := sber.Config{BaseURL: "https://securepayments.sberbank.ru/sbersafe", MerchantLogin: "shop"}
	if faults := good.Faults(); len(faults) != 0 {
		t.Fatal(faults)
	}
	for key, change := range map[string]func(*sber.Config){
		"base_url":       func(c *sber.Config) { c.BaseURL = "" },
		"base_url ":      func(c *sber.Config) { c.BaseURL = "http://securepayments.sberbank.ru/sbersafe" },
		"base_url  ":     func(c *sber.Config) { c.BaseURL += "/api/" },
		"base_url   ":    func(c *sber.Config) { c.BaseURL = "https://user:secret@gateway.example/sbersafe" },
		"base_url    ":   func(c *sber.Config) { c.BaseURL += "?x=1" },
		"merchant_login": func(c *sber.Config) { c.MerchantLogin = "" },
		"find_path":      func(c *sber.Config) { c.FindPath = "search" },
		"saved_cards":    func(c *sber.Config) { c.SavedCards = "none" },
		"token_life":     func(c *sber.Config) { c.TokenLife = 59 },
		"currencies":     func(c *sber.Config) { c.Currencies = []string{"RUB", "rub"} },
	} {
		c := good
		change(&c)
		faults := c.Faults()
		if len(faults) != 1 || !strings.HasPrefix(faults[0], trim(key)+": ") || strings.Contains(faults[0], "secret") {
			t.Errorf("%s: %q", key, faults)
		}
		if _, err := c.Open(providers.Env{}); err == nil {
			t.Errorf("%s: opened", key)
		}
	}
	if faults := (&sber.Config{FindPath: "x", SavedCards: "x", TokenLife: -1}).Faults(); len(faults) != 5 {
		t.Errorf("all at once: %q", faults)
	}
	good.BaseURL = "http://localhost:8081/sber/sbersafe/"
	if faults := good.Faults(); len(faults) != 0 {
		t.Error(faults)
	}
}

// The gateway has logins and cards, and neither holds, refunds, callbacks nor a way to close an order.
func TestAbilities(t *testing.T) {
	g := open(t, &canned{})
	if _, ok := g.(providers.Closer); ok {
		t.Error("there is no call that makes an order unpayable")
	}
	if _, ok := g.(providers.Notifier); ok {
		t.Error("there are no callbacks")
	}
	if _, ok := g.(providers.Operator); ok {
		t.Error("there are neither captures nor refunds")
	}
}
