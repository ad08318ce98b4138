// Package look makes a merchant's look of the payment page: a logo, colours that can be read, the corner, how the shop is reached
// and its own words. All of it is checked when it is made, so that a page never is.
package look

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Prefix is the path that the files of looks are served under.
const Prefix = "/look/"

// Default is the look of sessions that ask for none.
const Default = "default"

// Settings are what a merchant's configuration says of a look.
type Settings struct {
	Name string // what sessions ask for it by

	Logo           []byte // PNG, or SVG without anything that runs, loads or links; none where empty
	Accent         string // #rrggbb: buttons and links
	AccentDark     string // in the dark; made from Accent where empty
	Background     string // of the page, around the sheet; light
	BackgroundDark string
	Corner         *int // radius in pixels

	SupportEmail, SupportPhone, SupportAddress string
	TermsURL, PrivacyURL, RefundsURL           string

	Texts map[string]Texts // by language
}

// Texts are the merchant's own words in one language.
type Texts struct {
	Title   string // in place of the merchant's name
	Note    string // a line for every page
	Address string // in place of SupportAddress
}

// Look is a look that is right.
type Look struct {
	Name                     string
	Logo, Sheet              File // Logo without a path where there is none, Sheet where nothing differs from the usual
	LogoWidth, LogoHeight    int  // in pixels of the page
	Email, Phone, phoneURL   string
	address                  string
	Terms, Privacy, Refunds  string
	texts                    map[string]Texts
	LightAccent, LightGround string // colours of the browser's own frame; empty where usual
	DarkGround               string
}

// File is a file of a look, under a name that carries its hash.
type File struct {
	Path, Type string
	Body       []byte
}

// Faults are what is wrong with a look: "setting: what".
type Faults []string

func (f Faults) Error() string { return strings.Join(f, "; ") }

const (
	nameMax = 32
	textMax = 200
)

// New checks a look; languages are those that the pages have. The error is Faults.
func New(s Settings, languages []string) (*Look, error) {
	var faults Faults
	fault := func(setting, format string, args ...any) {
		faults = append(faults, setting+": "+fmt.Sprintf(format, args...))
	}
	l := &Look{Name: s.Name, texts: s.Texts, address: s.SupportAddress}
	if s.Name == "" || len(s.Name) > nameMax || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		fault("name", "must be given, of a-z 0-9 _ - only, at most %d long", nameMax)
	}
	if len(s.Logo) > 0 {
		kind, w, h, err := logo(s.Logo)
		if err != nil {
			fault("logo", "%v", err)
		} else {
			l.Logo = file(kind, s.Logo)
			l.LogoWidth, l.LogoHeight = fit(w, h)
		}
	}
	sheet, wrong := sheetOf(s, l)
	for _, w := range wrong {
		fault(w.setting, "%s", w.text)
	}
	if sheet != "" {
		l.Sheet = file("css", []byte(sheet))
	}
	if s.SupportEmail != "" {
		if a, err := mail.ParseAddress(s.SupportEmail); err != nil || a.Address != s.SupportEmail {
			fault("support_email", "%q is not an address such as help@shop.example", s.SupportEmail)
		}
		l.Email = s.SupportEmail
	}
	if l.Phone = s.SupportPhone; l.Phone != "" {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, l.Phone)
		if strings.Trim(l.Phone, "+0123456789 ()-") != "" || len(digits) < 3 || len(digits) > 15 {
			fault("support_phone", "%q is not a phone number such as +7 727 123 45 67", l.Phone)
		}
		if l.phoneURL = digits; strings.HasPrefix(l.Phone, "+") {
			l.phoneURL = "+" + digits
		}
	}
	for _, u := range []struct {
		setting, value string
		to             *string
	}{{"terms_url", s.TermsURL, &l.Terms}, {"privacy_url", s.PrivacyURL, &l.Privacy}, {"refunds_url", s.RefundsURL, &l.Refunds}} {
		if u.value == "" {
			continue
		}
		if parsed, err := url.Parse(u.value); err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil {
			fault(u.setting, "must be an https address")
		}
		*u.to = u.value
	}
	plain(fault, "support_address", s.SupportAddress)
	for lang, t := range s.Texts {
		if !slices.Contains(languages, lang) {
			fault("text."+lang, "the pages have no such language; they have %s", strings.Join(languages, ", "))
		}
		plain(fault, "text."+lang+".title", t.Title)
		plain(fault, "text."+lang+".note", t.Note)
		plain(fault, "text."+lang+".address", t.Address)
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		return nil, faults
	}
	return l, nil
}

// plain refuses what could not be shown as one line of text.
func plain(fault func(string, string, ...any), setting, text string) {
	switch {
	case utf8.RuneCountInString(text) > textMax:
		fault(setting, "must have at most %d characters", textMax)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || isDirection(r) }):
		fault(setting, "must be one line of plain text, without control characters")
	}
}

// isDirection tells whether a character turns the text around it.
func isDirection(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// file names a file by its content.
func file(kind string, body []byte) File {
	sum := sha256.Sum256(body)
	return File{Prefix + hex.EncodeToString(sum[:8]) + "." + kind, contentTypes[kind], body}
}

var contentTypes = map[string]string{"css": "text/css; charset=utf-8", "png": "image/png", "svg": "image/svg+xml"}

// Title is what the shop is called in a language; empty where it has no name of its own there.
func (l *Look) Title(lang string) string { return l.texts[lang].Title }

// Note is the shop's line for every page; empty where it has none in that language.
func (l *Look) Note(lang string) string { return l.texts[lang].Note }

// Address is where the shop is, and whether it is written in that language.
func (l *Look) Address(lang string) (address string, own bool) {
	if a := l.texts[lang].Address; a != "" {
		return a, true
	}
	return l.address, false
}

// PhoneURL is the phone as links have it.
func (l *Look) PhoneURL() string {
	if l.phoneURL == "" {
		return ""
	}
	return "tel:" + l.phoneURL
}

// Files are what the look consists of.
func (l *Look) Files() (all []File) {
	for _, f := range []File{l.Sheet, l.Logo} {
		if f.Path != "" {
			all = append(all, f)
		}
	}
	return all
}
