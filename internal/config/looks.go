package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"tollgate/internal/i18n"
	"tollgate/internal/look"
)

// Look is how a merchant's pages may look, see look.Settings.
type Look struct {
	Name           string              `toml:"name"`
	Logo           string              `toml:"logo"` // file, PNG or SVG
	Accent         string              `toml:"accent"`
	AccentDark     string              `toml:"accent_dark"`
	Background     string              `toml:"background"`
	BackgroundDark string              `toml:"background_dark"`
	Corner         *int                `toml:"corner"`
	SupportEmail   string              `toml:"support_email"`
	SupportPhone   string              `toml:"support_phone"`
	SupportAddress string              `toml:"support_address"`
	TermsURL       string              `toml:"terms_url"`
	PrivacyURL     string              `toml:"privacy_url"`
	RefundsURL     string              `toml:"refunds_url"`
	Text           map[string]LookText `toml:"text"` // by language

	sample bool
}

// SampleLook is the look of the sandbox's demo shop.
func SampleLook() Look { return Look{sample: true} }

// LookText is a merchant's own words in one language.
type LookText struct {
	Title   string `toml:"title"`
	Note    string `toml:"note"`
	Address string `toml:"address"`
}

// largestLogo is read of a file that is called a logo; more is refused anyhow.
const largestLogo = 1 << 20

// settings are a look as package look makes one; the logo is read here.
func (l Look) settings() (look.Settings, error) {
	if l.sample {
		return look.Sample(), nil
	}
	s := look.Settings{
		Name: l.Name, Accent: l.Accent, AccentDark: l.AccentDark, Background: l.Background, BackgroundDark: l.BackgroundDark,
		Corner: l.Corner, SupportEmail: l.SupportEmail, SupportPhone: l.SupportPhone, SupportAddress: l.SupportAddress,
		TermsURL: l.TermsURL, PrivacyURL: l.PrivacyURL, RefundsURL: l.RefundsURL, Texts: map[string]look.Texts{},
	}
	for lang, t := range l.Text {
		s.Texts[lang] = look.Texts(t)
	}
	if l.Logo == "" {
		return s, nil
	}
	info, err := os.Stat(l.Logo)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > largestLogo || info.Size() == 0) {
		err = errors.New("is no picture")
	}
	if err == nil {
		s.Logo, err = os.ReadFile(l.Logo)
	}
	if err != nil {
		return s, fmt.Errorf("logo: %s: %w", l.Logo, err)
	}
	return s, nil
}

// looks makes the looks of a merchant.
func (c Config) looks(i int, m Merchant) (all []*look.Look, faults Faults) {
	names := map[string]bool{}
	for n, l := range m.Looks {
		at := fmt.Sprintf("merchant[%d].look[%d]", i, n)
		s, err := l.settings()
		if err != nil {
			faults = append(faults, c.Fault(at+".logo", strings.TrimPrefix(err.Error(), "logo: ")))
			continue
		}
		made, err := look.New(s, i18n.Languages())
		if wrong, ok := errors.AsType[look.Faults](err); ok {
			for _, w := range wrong {
				setting, what, _ := strings.Cut(w, ": ")
				faults = append(faults, c.Fault(at+"."+setting, what))
			}
			continue
		}
		if names[made.Name] {
			faults = append(faults, c.Fault(at+".name", fmt.Sprintf("%q is the name of another look of the merchant", made.Name)))
		}
		names[made.Name] = true
		all = append(all, made)
	}
	return all, faults
}
