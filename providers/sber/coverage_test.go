package sber_test

import (
	"testing"
	"time"

	"tollgate/providers"
	"tollgate/providers/sber"
)

func TestTheAgreedLifeOfATokenIsASettingOfTheAccount(t *testing.T) {
	for seconds, want := range map[int]time.Duration{0: 30 * 24 * time.Hour, 3600: time.Hour} {
		g := open(t, &canned{answer: fixture(t, "vendor/auth_token_ok.json")}, func(c *sber.Config) { c.TokenLife = seconds })
		c, err := g.(providers.Login).Exchange(t.Context(), "i1WsRn1uB1ehfbb37", "111111")
		if err != nil || !c.ExpiresAt.Equal(now().Add(want)) {
			t.Errorf("%d: %v %v", seconds, c.ExpiresAt, err)
		}
	}
}
