// Package i18n holds every word a shopper reads, in each of its languages, and writes amounts the way
// those languages write them.
package i18n

import (
	"embed"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"
)

//go:embed locales/*.toml
var locales embed.FS

// Language is a language of the pages.
type Language struct {
	Tag  string // as in locales/, in the contract and in addresses
	Name string // as its own speakers call it

	group, point string // how it writes an amount
	signFirst    bool
	signs        map[string]string // of currencies whose names have a short form in the language
}

// All is the one list of languages, the fallback first. Places that cannot be made from it are compared with it by tests.
func All() []Language {
	return []Language{
		{Tag: "en", Name: "English", group: ",", point: ".", signFirst: true,
			signs: map[string]string{"UZS": "soʻm", "KGS": "som", "BYN": "Br"}},
		{Tag: "ru", Name: "Русский", group: nbsp, point: ",",
			signs: map[string]string{"UZS": "сум", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
		{Tag: "kk", Name: "Қазақша", group: nbsp, point: ",",
			signs: map[string]string{"UZS": "сум", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
	}
}

// Languages are the tags of All.
func Languages() []string {
	all := All()
	tags := make([]string, len(all))
	for i, l := range all {
		tags[i] = l.Tag
	}
	return tags
}

// Bundle is the texts of all languages. It is safe for concurrent use.
type Bundle struct {
	matcher    language.Matcher
	localizers map[string]*Localizer
	known      sync.Map // wishes that were met before, to their Localizer
	knows      atomic.Int32
}

// maxKnown and maxWish bound what strangers can make a Bundle remember: wishes, and the bytes of each.
const (
	maxKnown = 256
	maxWish  = 100
)

// Localizer gives texts in one language.
type Localizer struct {
	lang        string
	loc         *i18n.Localizer
	plain       map[string]string // texts that nothing is filled into
	rightToLeft bool
}

// New reads the embedded locale files. It fails when one of them cannot be read or when its language is not the
// one its name says.
func New() (*Bundle, error) {
	texts := i18n.NewBundle(language.English)
	texts.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	b := &Bundle{localizers: map[string]*Localizer{}}
	var tags []language.Tag
	for _, lang := range Languages() {
		file, err := texts.LoadMessageFileFS(locales, "locales/"+lang+".toml")
		if err != nil {
			return nil, fmt.Errorf("i18n: %w", err)
		}
		if file.Tag.String() != lang {
			return nil, fmt.Errorf("i18n: locales/%s.toml was read as %s", lang, file.Tag)
		}
		tags = append(tags, file.Tag)
		l := &Localizer{lang: lang, loc: i18n.NewLocalizer(texts, lang), plain: map[string]string{}}
		for _, m := range file.Messages {
			if m.One == "" && m.Few == "" && m.Many == "" && !strings.Contains(m.Other, "{{") {
				l.plain[m.ID] = m.Other
			}
		}
		b.localizers[lang] = l
	}
	b.matcher = language.NewMatcher(tags)
	return b, nil
}

// For returns the texts of the first wish that can be met; a wish is a language tag ("kk") or a whole
// Accept-Language header. Empty and unreadable wishes are passed over; when none can be met it is English.
func (b *Bundle) For(wishes ...string) *Localizer {
	for _, wish := range wishes {
		if known, ok := b.known.Load(wish); ok {
			return known.(*Localizer)
		}
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, i, confidence := b.matcher.Match(tags...); confidence != language.No {
			l := b.localizers[Languages()[i]]
			if len(wish) <= maxWish && b.knows.Load() < maxKnown {
				b.known.Store(strings.Clone(wish), l)
				b.knows.Add(1)
			}
			return l
		}
	}
	return b.localizers[Languages()[0]]
}

// RightToLeft tells whether the language is written from right to left.
func (l *Localizer) RightToLeft() bool { return l.rightToLeft }

// Lang is the tag of the language.
func (l *Localizer) Lang() string { return l.lang }

// T gives the text with that id. Args are pairs of a name in the text and its value: T("attempts_left", "Count", 3).
// The value of Count, an int, chooses the plural form. Nothing is escaped here. An id that no locale file has comes
// back as itself.
func (l *Localizer) T(id string, args ...any) string {
	if text, ok := l.plain[id]; ok {
		return text
	}
	c := i18n.LocalizeConfig{MessageID: id}
	if len(args) > 1 {
		data := make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			name, _ := args[i].(string)
			data[name] = args[i+1]
		}
		c.TemplateData = data
		if n, ok := data["Count"]; ok {
			c.PluralCount = n
		}
	}
	// On a fallback the library gives text and an error; the text is what the shopper needs.
	text, _ := l.loc.Localize(&c)
	if text == "" {
		return id
	}
	return text
}
