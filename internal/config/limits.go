package config

import (
	"maps"
	"slices"
	"time"

	"tollgate/internal/limit"
)

// Limits are what strangers may do how often. What is left out is as in limit.Usual; an account's own go before those of all.
type Limits struct {
	Mode            string `toml:"mode"`             // on, report (only says what it would do) or off
	CardTries       int    `toml:"card_tries"`       // of one card in an hour
	PhoneCodes      int    `toml:"phone_codes"`      // sent to one phone in an hour
	AddressDeclines int    `toml:"address_declines"` // of one address in an hour; an approval gives back two
	AddressCards    int    `toml:"address_cards"`    // different cards of one address in an hour; the same
}

func (l *Limits) over(s *limit.Settings) {
	if l == nil {
		return
	}
	if l.Mode != "" {
		s.Mode = limit.Mode(l.Mode)
	}
	for _, one := range []struct {
		n  int
		to *limit.Rate
	}{{l.CardTries, &s.CardTries}, {l.PhoneCodes, &s.PhoneCodes}, {l.AddressDeclines, &s.AddressDeclines}, {l.AddressCards, &s.AddressCards}} {
		if one.n > 0 {
			*one.to = limit.Rate{N: one.n, Per: time.Hour}
		}
	}
}

// LimitsOf are an account's limits. Where no real card is taken they only report, unless they are said to be on: everybody's test
// suites type the same few cards, from one address.
func (c Config) LimitsOf(account string) limit.Settings {
	s := limit.Usual()
	if c.Testing() {
		s.Mode = limit.Report
	}
	c.Limits.over(&s)
	c.Accounts[account].Limits.over(&s)
	return s
}

func (c *Config) checkLimits(fault func(path, format string, args ...any)) {
	check := func(path string, l *Limits) {
		if l == nil {
			return
		}
		if !slices.Contains([]string{"", "on", "report", "off"}, l.Mode) {
			fault(path+".mode", "must be on, report or off")
		}
		for _, one := range []struct {
			name string
			n    int
		}{{"card_tries", l.CardTries}, {"phone_codes", l.PhoneCodes}, {"address_declines", l.AddressDeclines}, {"address_cards", l.AddressCards}} {
			if one.n < 0 || one.n > 1_000_000 {
				fault(path+"."+one.name, "must be from 1 to 1000000; mode = \"off\" takes limits away")
			}
		}
	}
	check("limits", c.Limits)
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		check("account."+name+".limits", c.Accounts[name].Limits)
	}
}
