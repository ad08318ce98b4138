// Package sber speaks the Sberbank "binding" gateway (sbersafe): the customer logs in with a phone and a one-time code,
// then pays and transfers by card or saved card in two calls, start and finish, with 3-D Secure 1.0.2 between them where
// the bank wants it. Its facts, and what was assumed where the documents are silent, stand in docs/gateways/sber.md.
package sber

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"tollgate/internal/money"
	"tollgate/providers"
	"tollgate/providers/wire"
)

// Where the list of a customer's saved cards comes from.
const (
	CardsGateway = "gateway" // clients/ with responseType=bindings
	CardsOwn     = "own"     // Tollgate remembers what it saved itself
)

// Paths of the inquiry: the documents have both.
const (
	FindNested = "transactions/find"
	FindFlat   = "find"
)

// tokenLife is how long an accessToken lives unless the bank agreed on something else.
const tokenLife = 30 * 24 * time.Hour

// Config is an account at the gateway.
type Config struct {
	// BaseURL is the API's root, with "/sbersafe" and without "/api".
	BaseURL       string `toml:"base_url"`
	MerchantLogin string `toml:"merchant_login"`
	// FindPath is the inquiry's: "transactions/find" (default) or "find". Either answer is read in either shape.
	FindPath string `toml:"find_path"`
	// SavedCards is "gateway" (default) or "own".
	SavedCards string `toml:"saved_cards"`
	// TokenLife is the agreed life of an accessToken in seconds; 0 is 30 days.
	TokenLife int `toml:"token_life"`
	// Currencies narrows what is taken, ISO 4217 letters; empty: every currency with a number.
	Currencies []string `toml:"currencies"`
}

var _ providers.Config = (*Config)(nil)

// Faults names all that is wrong.
func (c *Config) Faults() []string {
	var faults []string
	fault := func(key, format string, args ...any) {
		faults = append(faults, key+": "+fmt.Sprintf(format, args...))
	}
	if what := cmp.Or(wire.NoAddress(c.BaseURL), endsInAPI(c.BaseURL), wire.OpenAddress(c.BaseURL)); what != "" {
		fault("base_url", "%s", what)
	}
	switch {
	case c.MerchantLogin == "":
		fault("merchant_login", "missing")
	case len(c.MerchantLogin) > 255:
		fault("merchant_login", "longer than 255")
	}
	if !slices.Contains([]string{"", FindNested, FindFlat}, c.FindPath) {
		fault("find_path", "%q is neither %s nor %s", c.FindPath, FindNested, FindFlat)
	}
	if !slices.Contains([]string{"", CardsGateway, CardsOwn}, c.SavedCards) {
		fault("saved_cards", "%q is neither gateway nor own", c.SavedCards)
	}
	if c.TokenLife < 0 || c.TokenLife != 0 && c.TokenLife < 60 || c.TokenLife > 366*24*3600 {
		fault("token_life", "%d is not between 60 seconds and a year", c.TokenLife)
	}
	for _, code := range c.Currencies {
		if _, err := money.ParseCurrency(code); err != nil {
			fault("currencies", "%q is no ISO 4217 currency", code)
		}
	}
	return faults
}

// Open makes the provider.
func (c *Config) Open(env providers.Env) (providers.Provider, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, errors.New("sber: " + strings.Join(faults, "; "))
	}
	g := &provider{
		client:   client{http: env.HTTP, base: strings.TrimRight(c.BaseURL, "/") + "/api/"},
		now:      env.Now,
		loopback: env.Loopback,
		merchant: c.MerchantLogin, find: cmp.Or(c.FindPath, FindNested), ownCards: c.SavedCards == CardsOwn,
		tokenLife: tokenLife, currencies: slices.Clone(c.Currencies),
	}
	if c.TokenLife != 0 {
		g.tokenLife = time.Duration(c.TokenLife) * time.Second
	}
	return g, nil
}

func endsInAPI(base string) string {
	if u, err := url.Parse(base); err == nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api") {
		return "ends before /api, as in https://securepayments.sberbank.ru/sbersafe"
	}
	return ""
}
