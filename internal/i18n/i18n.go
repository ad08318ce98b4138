// Package i18n holds every word a shopper reads, in each of its languages, and writes amounts the way
// those languages write them.
package i18n

import (
	"embed"
	"fmt"
	"regexp"
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
	hour, minute string // as they are abbreviated
	signFirst    bool
	signs        map[string]string // of currencies whose names have a short form in the language

	rightToLeft bool

	from    string              // the language whose file it takes its texts from; empty: its own
	rewrite func(string) string // what makes them its own
}

// All is the one list of languages, the fallback first. Places that cannot be made from it are compared with it by tests. It is
// everybody's: it is only read.
func All() []Language { return all() }

var all = sync.OnceValue(func() []Language {
	return []Language{
		{Tag: "en", Name: "English", group: ",", point: ".", hour: "h", minute: "min", signFirst: true,
			signs: map[string]string{"UZS": "soʻm", "KGS": "som", "BYN": "Br"}},
		{Tag: "ru", Name: "Русский", group: nbsp, point: ",", hour: "ч", minute: "мин",
			signs: map[string]string{"UZS": "сум", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
		{Tag: "kk", Name: "Қазақша", group: nbsp, point: ",", hour: "сағ", minute: "мин",
			signs: map[string]string{"UZS": "сум", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
		{Tag: "ky", Name: "Кыргызча", group: nbsp, point: ",", hour: "саат", minute: "мүн",
			signs: map[string]string{"UZS": "сум", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
		{Tag: "uz", Name: "Oʻzbekcha", group: nbsp, point: ",", hour: "soat", minute: "daq",
			signs: map[string]string{"UZS": "soʻm", "KGS": "som", "BYN": "Br", "CNY": "¥"}},
		{Tag: "uz-Cyrl", Name: "Ўзбекча", group: nbsp, point: ",", hour: "соат", minute: "дақ", from: "uz", rewrite: cyrillic,
			signs: map[string]string{"UZS": "сўм", "KGS": "сом", "BYN": "бел. руб.", "CNY": "¥"}},
	}
})

// Languages are the tags of All.
func Languages() []string {
	all := All()
	tags := make([]string, len(all))
	for i, l := range all {
		tags[i] = l.Tag
	}
	return tags
}

// WithFiles are the tags of the languages that have a file of their own; the others are made from one of these.
func WithFiles() (tags []string) {
	for _, l := range All() {
		if l.from == "" {
			tags = append(tags, l.Tag)
		}
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
	rewrite     func(string) string // nil: nothing
}

// New reads the embedded locale files. It fails when one of them cannot be read or when its language is not the
// one its name says.
func New() (*Bundle, error) {
	texts := i18n.NewBundle(language.English)
	texts.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	b := &Bundle{localizers: map[string]*Localizer{}}
	var tags []language.Tag
	for _, l := range All() {
		file, err := texts.LoadMessageFileFS(locales, "locales/"+or(l.from, l.Tag)+".toml")
		if err != nil {
			return nil, fmt.Errorf("i18n: %w", err)
		}
		if l.from != "" {
			file.Tag = language.Make(l.Tag)
			for _, m := range file.Messages {
				for _, form := range []*string{&m.Zero, &m.One, &m.Two, &m.Few, &m.Many, &m.Other} {
					*form = l.rewrite(*form)
				}
			}
			if err := texts.AddMessages(file.Tag, file.Messages...); err != nil {
				return nil, fmt.Errorf("i18n: %s: %w", l.Tag, err)
			}
		}
		if file.Tag.String() != l.Tag {
			return nil, fmt.Errorf("i18n: locales/%s.toml was read as %s", l.Tag, file.Tag)
		}
		tags = append(tags, file.Tag)
		one := &Localizer{lang: l.Tag, loc: i18n.NewLocalizer(texts, l.Tag), plain: map[string]string{}, rightToLeft: l.rightToLeft}
		for _, m := range file.Messages {
			if m.One == "" && m.Few == "" && m.Many == "" && !strings.Contains(m.Other, "{{") {
				one.plain[m.ID] = m.Other
			}
		}
		b.localizers[l.Tag] = one
	}
	b.matcher = language.NewMatcher(tags)
	return b, nil
}

func or(s, standard string) string {
	if s != "" {
		return s
	}
	return standard
}

// Mirrored is English as if it were written from right to left, to look at pages so: no shopper is offered it. Its tag is the one
// that others use for the same.
func (b *Bundle) Mirrored() *Localizer {
	return &Localizer{lang: MirroredTag, loc: b.localizers[All()[0].Tag].loc, rightToLeft: true, rewrite: mirrored}
}

// What stands around a value has another direction.
const isolate, isolateEnd = "\u2068", "\u2069"

// MirroredTag is the tag of Mirrored.
const MirroredTag = "ar-XB"

var latinLetters = regexp.MustCompile(`[A-Za-z]+`)

// mirrored turns the words of a text around, and not its numbers.
func mirrored(text string) string { return latinLetters.ReplaceAllString(text, "\u202e$0\u202c") }

// For returns the texts of the first wish that can be met; a wish is a language tag ("kk") or a whole
// Accept-Language header. Empty and unreadable wishes are passed over; when none can be met it is English.
func (b *Bundle) For(wishes ...string) *Localizer {
	for _, wish := range wishes {
		if wish == "" {
			continue
		}
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

// Verbatim tells that values stand in the texts as they were given.
func (l *Localizer) Verbatim() bool { return l.rewrite == nil }

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
			if value, ok := args[i+1].(string); ok && l.rightToLeft {
				data[name] = isolate + value + isolateEnd // a number or a name keeps its own direction
			}
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
	if l.rewrite != nil {
		return l.rewrite(text)
	}
	return text
}
