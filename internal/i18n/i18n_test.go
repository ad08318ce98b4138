package i18n_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"tollgate/internal/i18n"
)

// pluralForms are the forms CLDR has for whole numbers, of every language with a file; "other" also serves fractions.
var pluralForms = func() map[string][]string {
	names := map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}
	all := map[string][]string{}
	for _, lang := range i18n.WithFiles() {
		forms := []string{"other"}
		for n := range 1000 {
			name := names[plural.Cardinal.MatchPlural(language.Make(lang), n, 0, 0, 0, 0)]
			if name != "" && !slices.Contains(forms, name) {
				forms = append(forms, name)
			}
		}
		all[lang] = forms
	}
	return all
}()

func locale(t *testing.T, lang string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("locales/" + lang + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := toml.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func bundle(t *testing.T) *i18n.Bundle {
	t.Helper()
	b, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var placeholder = regexp.MustCompile(`{{\.\w+}}`)

func placeholders(text string) string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return strings.Join(found, "")
}

func TestEveryMessageExistsInEveryLanguage(t *testing.T) {
	ids := map[string]bool{}
	for lang := range pluralForms {
		for id := range locale(t, lang) {
			ids[id] = true
		}
	}
	english := locale(t, "en")
	for lang, forms := range pluralForms {
		texts := locale(t, lang)
		for id := range ids {
			switch text := texts[id].(type) {
			case string:
				if strings.TrimSpace(text) != text || text == "" {
					t.Errorf("%s %s: empty, or white space around it: %q", lang, id, text)
				}
				if en, ok := english[id].(string); !ok || placeholders(en) != placeholders(text) {
					t.Errorf("%s %s: other placeholders than in English: %q", lang, id, text)
				}
			case map[string]any:
				for _, form := range forms {
					if s, _ := text[form].(string); s == "" || placeholders(s) != "{{.Count}}" {
						t.Errorf("%s %s.%s is missing or does not say the number: %q", lang, id, form, s)
					}
				}
				if len(text) != len(forms) {
					t.Errorf("%s %s has forms this language does not have", lang, id)
				}
			default:
				t.Errorf("%s lacks %s", lang, id)
			}
		}
	}
}

// A Latin letter that looks like a Cyrillic one reads well and is spoken wrongly; a Russian text left in the Kazakh file
// would stay unseen by the test above.
func TestKazakhAndRussianAreWrittenInTheirOwnLetters(t *testing.T) {
	latin := regexp.MustCompile(`[A-Za-z]+`)
	allowed := map[string]bool{"CVC": true, "CVV": true, "American": true, "Express": true, "QR": true}
	var kazakhOnly, same int
	ru, kk := locale(t, "ru"), locale(t, "kk")
	for lang, texts := range map[string]map[string]any{"ru": ru, "kk": kk, "ky": locale(t, "ky")} {
		for id, v := range texts {
			text, _ := v.(string)
			for _, word := range latin.FindAllString(placeholder.ReplaceAllString(text, ""), -1) {
				if !allowed[word] {
					t.Errorf("%s %s has Latin letters: %q", lang, id, word)
				}
			}
			if lang == "ky" && strings.ContainsAny(strings.ToLower(text), "әғқұһі") {
				t.Errorf("ky %s has Kazakh letters: %q", id, text)
			}
			if lang == "ru" && strings.ContainsAny(text, "әғқңөұүһі") {
				t.Errorf("ru %s has Kazakh letters: %q", id, text)
			}
			if lang == "kk" && strings.ContainsAny(text, "ӘҒҚҢӨҰҮҺІәғқңөұүһі") {
				kazakhOnly++
			}
		}
	}
	for id, text := range kk {
		if s, ok := text.(string); ok && s == ru[id] && len([]rune(s)) > 8 && s != "CVC / CVV" {
			t.Errorf("%s is the same in Kazakh and Russian: %q", id, s)
			same++
		}
	}
	if kazakhOnly < len(kk)*3/4 {
		t.Errorf("only %d of %d Kazakh texts have a Kazakh letter", kazakhOnly, len(kk))
	}
}

// Uzbek has letters of two signs, whose second is not the apostrophe of keyboards.
func TestUzbekIsWrittenInItsOwnLetters(t *testing.T) {
	wrong := regexp.MustCompile(`['\x60‘’ʹ]|[А-Яа-яЁёҚқҒғҲҳЎў]|[ogOG]ʼ|w|c[^h]`)
	for id, v := range locale(t, "uz") {
		text, _ := v.(string)
		for _, name := range []string{"CVC", "CVV", "American Express", "QR"} {
			text = strings.ReplaceAll(text, name, "")
		}
		if m := wrong.FindString(placeholder.ReplaceAllString(text, "")); m != "" {
			t.Errorf("uz %s has %q: %q", id, m, text)
		}
	}
}

func TestUzbekInCyrillicIsMadeFromUzbek(t *testing.T) {
	b := bundle(t)
	l := b.For("uz-Cyrl")
	for id, want := range map[string]string{
		"card_title": "Карта билан тўлаш", "result_paid": "Тўланди", "cancel": "Бекор қилиб, дўконга қайтиш", "expiry_hint": "ОО/ЙЙ",
		"error_cvc_missing": "CVC / CVV кодини киритинг", "card_safe_plain": "Дўкон картангиз маълумотларини кўрмайди.", "scan_alt": "Бу тўловнинг QR коди",
		"receipt_approval": "Авторизация коди", "error_expiry_missing": "Картадаги ой ва йилни киритинг", "saved_show_text": "Сақланган карталар фақат шу браузерда кўрсатилади.",
		"result_expired_text": "Ҳали ҳам тўламоқчи бўлсангиз, дўконда қайтадан бошланг.", "decline_authentication_failed": "Банк тўлаётган сиз эканингизни тасдиқлай олмади. Яна уриниб кўринг ёки бошқа картадан фойдаланинг.",
	} {
		if got := l.T(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if got := l.T("pay_amount", "Amount", "5 soʻm"); got != "5 soʻm тўлаш" {
		t.Errorf("a value was rewritten: %q", got)
	}
	latin := regexp.MustCompile(`[A-Za-zʻʼ]+`)
	for id := range locale(t, "uz") {
		text := l.T(id, "Count", 5, "Amount", "1", "Last4", "1", "Title", "1", "Time", "1", "Left", "1", "Phone", "1", "ID", "1", "Fee", "1", "Currency", "1")
		for _, word := range latin.FindAllString(text, -1) {
			if !slices.Contains([]string{"CVC", "CVV", "American", "Express", "QR"}, word) {
				t.Errorf("%s has Latin letters: %q", id, text)
			}
		}
	}
}

func TestALanguageFromRightToLeftIsShownSo(t *testing.T) {
	l := bundle(t).Mirrored()
	if got := l.T("attempts_left", "Count", 3); !l.RightToLeft() || !strings.Contains(got, "3") || !strings.Contains(got, "\u202etries\u202c") {
		t.Errorf("%q", got)
	}
	for _, lang := range i18n.Languages() {
		if bundle(t).For(lang).RightToLeft() || lang == i18n.MirroredTag {
			t.Errorf("%s is for looking at pages only", lang)
		}
	}
}

func TestPluralsFollowTheLanguage(t *testing.T) {
	b := bundle(t)
	for _, c := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 1, "You have 1 try left."}, {"en", 4, "You have 4 tries left."},
		{"ru", 1, "Осталась 1 попытка."}, {"ru", 3, "Осталось 3 попытки."}, {"ru", 5, "Осталось 5 попыток."},
		{"ru", 11, "Осталось 11 попыток."}, {"ru", 21, "Осталась 21 попытка."},
		{"kk", 1, "Сізде тағы 1 мүмкіндік бар."}, {"kk", 5, "Сізде тағы 5 мүмкіндік бар."},
	} {
		if got := b.For(c.lang).T("attempts_left", "Count", c.n); got != c.want {
			t.Errorf("%s %d: %q, want %q", c.lang, c.n, got, c.want)
		}
	}
}

func TestTheFirstAcceptedLanguageThatExistsIsChosen(t *testing.T) {
	b := bundle(t)
	for _, c := range []struct {
		wishes []string
		want   string
	}{
		{nil, "en"},
		{[]string{"uz"}, "uz"}, {[]string{"uz-UZ"}, "uz"}, {[]string{"uz-Latn-UZ"}, "uz"}, {[]string{"uz-Cyrl-UZ"}, "uz-Cyrl"},
		{[]string{"ky-KG,ru;q=0.8"}, "ky"}, {[]string{"ar-XB,ru;q=0.5"}, "ru"},
		{[]string{"kk"}, "kk"},
		{[]string{"kk-KZ"}, "kk"},
		{[]string{"kk-Cyrl-KZ"}, "kk"},
		{[]string{"ru-KZ,ru;q=0.9,en;q=0.8"}, "ru"},
		{[]string{"en;q=0.5,kk;q=0.9"}, "kk"},
		{[]string{"fr-FR,fr;q=0.9,ru;q=0.2"}, "ru"},
		{[]string{"zh-CN,ja"}, "en"},
		{[]string{"", "ru"}, "ru"},
		{[]string{"<script>", "kk"}, "kk"},
		{[]string{"de", "kk"}, "kk"},
		{[]string{"kk", "ru"}, "kk"},
		{[]string{strings.Repeat("-", 1<<16), "ru"}, "ru"},
	} {
		if got := b.For(c.wishes...).Lang(); got != c.want {
			t.Errorf("%.40q gives %s, want %s", c.wishes, got, c.want)
		}
	}
}

func TestTextsCarryTheirValuesUntouched(t *testing.T) {
	got := bundle(t).For("kk").T("pay_amount", "Amount", "{{.X}} <b>")
	if got != "{{.X}} <b> төлеу" {
		t.Errorf("got %q", got)
	}
}

func TestAnUnknownIDComesBackAsItself(t *testing.T) {
	if got := bundle(t).For("ru").T("no_such_text"); got != "no_such_text" {
		t.Errorf("got %q", got)
	}
}

func TestAmountsAreWrittenAsTheLanguageWritesMoney(t *testing.T) {
	for _, c := range []struct {
		lang   string
		minor  int64
		digits int
		code   string
		want   string
	}{
		{"ru", 1234567, 2, "KZT", "12\u00a0345,67\u00a0₸"},
		{"kk", 1234567, 2, "KZT", "12\u00a0345,67\u00a0₸"},
		{"en", 1234567, 2, "KZT", "12,345.67\u00a0₸"},
		{"en", 1234567, 2, "USD", "$12,345.67"},
		{"en", 5, 2, "EUR", "€0.05"},
		{"ru", 5, 2, "EUR", "0,05\u00a0€"},
		{"ru", 99999, 2, "RUB", "999,99\u00a0₽"},
		{"en", 100000, 2, "RUB", "1,000\u00a0₽"},
		{"en", 1500, 0, "JPY", "1,500\u00a0JPY"},
		{"ru", 1500, 3, "KWD", "1,500\u00a0KWD"},
		{"en", 7, 3, "KWD", "0.007\u00a0KWD"},
		{"ru", 0, 2, "KZT", "0\u00a0₸"},
		{"en", 150000000, 2, "UZS", "1,500,000\u00a0soʻm"}, {"ru", 150000000, 2, "UZS", "1\u00a0500\u00a0000\u00a0сум"}, {"ru", 15050, 2, "KGS", "150,50\u00a0сом"}, {"ru", 100, 2, "BYN", "1\u00a0бел. руб."},
		{"en", 12345, 2, "CNY", "CN¥123.45"}, {"kk", 1000, 3, "KWD", "1\u00a0KWD"},
		{"en", -1050, 2, "USD", "\u2212$10.50"},
		{"ru", -1050, 2, "RUB", "\u221210,50\u00a0₽"},
		{"en", math.MinInt64, 0, "XXX", "\u22129,223,372,036,854,775,808\u00a0XXX"},
		{"ru", math.MaxInt64, 2, "RUB", "92\u00a0233\u00a0720\u00a0368\u00a0547\u00a0758,07\u00a0₽"},
	} {
		if got := i18n.FormatAmount(c.lang, c.minor, c.digits, c.code); got != c.want {
			t.Errorf("%s %d/%d %s: %q, want %q", c.lang, c.minor, c.digits, c.code, got, c.want)
		}
	}
}

func TestEveryLanguageHasAFileOfTextsAndItsPluralForms(t *testing.T) {
	files, err := filepath.Glob("locales/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	tags := i18n.Languages()
	for _, file := range files {
		if tag := strings.TrimSuffix(filepath.Base(file), ".toml"); !slices.Contains(tags, tag) {
			t.Errorf("internal/i18n: All lacks %q, which has the file %s", tag, file)
		}
	}
	for _, tag := range i18n.WithFiles() {
		if !slices.Contains(files, "locales/"+tag+".toml") {
			t.Errorf("internal/i18n/locales/%s.toml is missing", tag)
		}
	}
	for _, l := range i18n.All() {
		if d := i18n.FormatDuration(l.Tag, 61*time.Minute); l.Tag != "en" && d == i18n.FormatDuration("en", 61*time.Minute) || strings.HasSuffix(d, "\u00a0") {
			t.Errorf("internal/i18n: All does not say how %q abbreviates hours and minutes: %q", l.Tag, d)
		}
		if l.Name == "" || i18n.FormatAmount(l.Tag, 123450, 2, "KZT") == "123450\u00a0₸" {
			t.Errorf("internal/i18n: All does not say how %q is called and writes an amount", l.Tag)
		}
	}
}

// Wishes come from strangers: what is remembered of them is bounded.
func TestWishesAreRememberedUpToABound(t *testing.T) {
	b := bundle(t)
	for i := range 5000 {
		if got := b.For(fmt.Sprintf("ru;q=0.%d, en;q=0.1", 1000+i)).Lang(); got != "ru" {
			t.Fatalf("wish %d: %s", i, got)
		}
	}
	if got := b.For("kk, en;q=0.1").Lang(); got != "kk" {
		t.Errorf("after them: %s", got)
	}
	if n := b.Known(); n > 300 {
		t.Errorf("%d wishes are remembered", n)
	}
}
