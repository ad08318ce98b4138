package templates_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/static"
	"tollgate/templates"
	"tollgate/templates/gallery"
)

// What a hostile merchant, bank or shopper would write.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e' &amp;"

func texts(t *testing.T, lang string) *i18n.Localizer {
	t.Helper()
	b, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	return b.For(lang)
}

func layout(t *testing.T, lang string) templates.Layout {
	return templates.Layout{
		T: texts(t, lang), Nonce: "nonce-1", MerchantName: "Parak", OrderText: "A-10583", Description: "Abai",
		AmountText: i18n.FormatAmount(lang, 1234567, 2, "KZT"), SandboxNotice: true, Self: "/pay/s1",
	}
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parse reads the page as a browser without script does: what stands in noscript is part of it.
func parse(t *testing.T, page string) *goquery.Document {
	t.Helper()
	n, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return goquery.NewDocumentFromNode(n)
}

func doc(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	return parse(t, render(t, c))
}

func one(t *testing.T, in *goquery.Document, selector string) *goquery.Selection {
	t.Helper()
	found := in.Find(selector)
	if found.Length() != 1 {
		t.Fatalf("%d of %s, want 1", found.Length(), selector)
	}
	return found
}

func wantAttr(t *testing.T, s *goquery.Selection, name, want string) {
	t.Helper()
	if got, ok := s.Attr(name); !ok || got != want {
		t.Errorf("%s of %s is %q, want %q", name, goquery.NodeName(s), got, want)
	}
}

type page struct {
	name    string
	make    templ.Component
	bare    bool // a document for a frame: no heading, no stylesheet needed
	inlined bool // has an inline script, with the nonce
}

// every is every page in its fullest form, with text wherever somebody else's text can stand.
func every(t *testing.T, lang, text string) []page {
	l := layout(t, lang)
	l.MerchantName, l.OrderText, l.Description = text, text, text
	transfer := l
	transfer.Transfer = &templates.Transfer{SumText: text, FeeText: text, ToLast4: text}
	fields := []templates.Field{{Name: text, Value: text}}
	return []page{
		{name: "card", make: templates.Card(templates.CardPage{
			Layout: l, Action: "/pay/s1/card", CancelAction: "/pay/s1/cancel", CSRF: text, Expiry: text, Name: text,
			Errors:  templates.CardErrors{templates.NumberInvalid, templates.ExpiryPast, templates.CVCMissing, templates.NameMissing, templates.ToInvalid},
			Decline: text, AttemptsLeft: 3, AskLast4: text, Brands: []templates.Brand{{ID: "visa", Name: "visa"}, {ID: text, Name: text}, {ID: "mir", Name: "mir"}},
		})},
		{name: "card again", make: templates.Card(templates.CardPage{Layout: l, Action: "/pay/s1/card", CSRF: text, AskAgain: true, Brands: []templates.Brand{{ID: "visa", Name: "visa"}}})},
		{name: "transfer", make: templates.Card(templates.CardPage{
			Layout: transfer, Action: "/pay/s1/card", CancelAction: "/pay/s1/cancel", CSRF: text, Expiry: text, Name: text, AskTo: true, SavedAction: "/pay/s1/customer",
			Errors: templates.CardErrors{To: templates.ToSame}, Decline: text, Brands: []templates.Brand{{ID: "visa", Name: "visa"}},
		})},
		{name: "method", make: templates.Method(templates.MethodPage{Layout: l, Frames: []string{"/3ds/r/1", "/3ds/r/2"}, ID: text, EventsURL: "/e", Next: "/pay/s1"})},
		{name: "method frame", bare: true, inlined: true, make: templates.MethodFrame(templates.MethodFramePage{T: l.T, Nonce: l.Nonce, Action: "https://b.example/m", Fields: fields})},
		{name: "method done", bare: true, inlined: true, make: templates.MethodDone(templates.MethodDonePage{Nonce: l.Nonce, ID: text, Origin: "https://p.example"})},
		{name: "challenge", inlined: true, make: templates.Challenge(templates.ChallengePage{Layout: l, Action: "https://b.example/a", Fields: fields, AutoSubmit: true})},
		{name: "challenge with info", make: templates.Challenge(templates.ChallengePage{Layout: l, Action: "https://b.example/a", Fields: fields, AutoSubmit: true, Info: text})},
		{name: "leave", inlined: true, make: templates.Leave(templates.LeavePage{Layout: l, URL: "https://b.example/a", Auto: true})},
		{name: "leave with info", make: templates.Leave(templates.LeavePage{Layout: l, URL: "https://b.example/a", Auto: true, Info: text})},
		{name: "return", bare: true, inlined: true, make: templates.ReturnTop(templates.ReturnTopPage{T: l.T, Nonce: l.Nonce, PayURL: "/pay/s1"})},
		{name: "wait", make: templates.Wait(templates.WaitPage{Layout: l, EventsURL: "/e", Next: "/pay/s1"})},
		{name: "checking", make: templates.Wait(templates.WaitPage{Layout: l, Reason: templates.WaitChecking, Long: true, EventsURL: "/e", Next: "/pay/s1"})},
		{name: "paid", make: templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, ContinueURL: "https://s.example/?session=1", Delay: 3})},
		{name: "declined", make: templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeDeclined, Decline: text, ContinueURL: "https://s.example/"})},
		{name: "not found", make: templates.NotFound(templates.NotFoundPage{Layout: l})},
		{name: "problem", make: templates.Problem(templates.ProblemPage{Layout: l, Retry: "/pay/s1", RequestID: text})},
		{name: "login phone", make: templates.LoginPhone(templates.LoginPhonePage{Layout: l, Action: "/l", CancelAction: "/c", CSRF: text, Phone: text, KnownAction: "/k", RememberedText: text, RememberedAction: "/r", ForgetAction: "/f", Error: templates.PhoneInvalid})},
		{name: "login code", make: templates.LoginCode(templates.LoginCodePage{Layout: l, Action: "/l", CancelAction: "/c", CSRF: text, PhoneText: text, AgainAction: "/a", AskRemember: true, Error: templates.CodeWrong})},
		{name: "saved cards, before they are asked for", make: templates.SavedOffer(templates.SavedOfferPage{Layout: l, Action: "/l", NewCard: "/n", CancelAction: "/c", CSRF: text})},
		{name: "saved cards", make: templates.SavedCards(templates.SavedCardsPage{Layout: l, Action: "/l", CancelAction: "/c", CSRF: text, AskCVC: true, AskTo: true, Errors: templates.CardErrors{CVC: templates.CVCMissing, To: templates.ToMissing},
			Cards: []templates.SavedCard{{text, templates.Brand{ID: text, Name: text}, text, text, text}, {"2", templates.Brand{ID: "visa", Name: "Visa"}, "1234", "08/29", ""}}})},
		{name: "login code, the last", make: templates.LoginCode(templates.LoginCodePage{Layout: l, Action: "/l", CSRF: text, PhoneText: text, OtherAction: "/o", Error: templates.CodeUsedUp, Checking: true})},
		{name: "login over", make: templates.LoginOver(templates.LoginOverPage{Layout: l, CancelAction: "/c", CSRF: text})},
		{name: "home", make: templates.Home(templates.HomePage{Layout: l})},
		{name: "scan", make: templates.Scan(templates.ScanPage{Layout: l, PNG: []byte(text), Link: "bank100000000111://pay", EventsURL: "/e", Next: "/pay/s1", CancelAction: "/c", CSRF: text})},
	}
}

func TestEveryPageKeepsTheStrictPolicy(t *testing.T) {
	for _, p := range every(t, "en", hostile) {
		t.Run(p.name, func(t *testing.T) {
			d := doc(t, p.make)
			d.Find("*").Each(func(_ int, s *goquery.Selection) {
				for _, a := range s.Nodes[0].Attr {
					if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
						t.Errorf("%s has %s=%q", goquery.NodeName(s), a.Key, a.Val)
					}
					if (a.Key == "src" || goquery.NodeName(s) == "link" && a.Key == "href") &&
						!strings.HasPrefix(a.Val, static.Prefix) && !strings.HasPrefix(a.Val, "/3ds/r/") && !strings.HasPrefix(a.Val, "data:image/png;base64,") {
						t.Errorf("%s loads %q", goquery.NodeName(s), a.Val)
					}
				}
			})
			if n := d.Find("style, object, embed, base").Length(); n > 0 {
				t.Errorf("%d elements that the policy forbids", n)
			}
			inline := d.Find("script:not([src], [data-after])")
			if (inline.Length() == 1) != p.inlined || inline.Length() > 1 {
				t.Errorf("%d inline scripts", inline.Length())
			}
			d.Find("script[data-after]").Each(func(_ int, s *goquery.Selection) {
				sum := sha256.Sum256([]byte(s.Text()))
				if got := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; got != templates.GuardHash() {
					t.Errorf("a script under %s, and the policy has %s", got, templates.GuardHash())
				}
			})
			inline.Each(func(_ int, s *goquery.Selection) { wantAttr(t, s, "nonce", "nonce-1") })
		})
	}
}

func TestTextFromOthersIsEscaped(t *testing.T) {
	for _, p := range every(t, "en", hostile) {
		t.Run(p.name, func(t *testing.T) {
			raw := render(t, p.make)
			if strings.Contains(raw, "<script>alert") || strings.Contains(raw, "<img src=x") {
				t.Error("foreign markup got through")
			}
			d := parse(t, raw)
			if n := d.Find("[onerror]").Length(); n > 0 {
				t.Error("a foreign attribute got through")
			}
			if p.bare {
				return
			}
			// A right-to-left mark in a name must not turn the amount around.
			if got := d.Find("header bdi").First().Text(); got != hostile {
				t.Errorf("the merchant's name reads %q", got)
			}
		})
	}
}

func TestEveryPageIsACompleteDocument(t *testing.T) {
	for _, lang := range i18n.Languages() {
		for _, p := range every(t, lang, "words") {
			t.Run(p.name+" "+lang, func(t *testing.T) {
				d := doc(t, p.make)
				if !strings.HasPrefix(render(t, p.make), "<!doctype html>") {
					t.Error("no doctype: the page would be shown in quirks mode")
				}
				if strings.TrimSpace(d.Find("title").Text()) == "" {
					t.Error("no title")
				}
				ids := map[string]bool{}
				d.Find("[id]").Each(func(_ int, s *goquery.Selection) {
					id := s.AttrOr("id", "")
					if ids[id] {
						t.Errorf("id %q twice", id)
					}
					ids[id] = true
				})
				d.Find("[aria-describedby], [aria-labelledby]").Each(func(_ int, s *goquery.Selection) {
					for _, id := range strings.Fields(s.AttrOr("aria-describedby", "") + " " + s.AttrOr("aria-labelledby", "")) {
						if !ids[id] {
							t.Errorf("a description points to %q, which is not there", id)
						}
					}
				})
				d.Find("input:not([type=hidden])").Each(func(_ int, s *goquery.Selection) {
					if s.Closest("label").Length() == 0 && d.Find(`label[for="`+s.AttrOr("id", "")+`"]`).Length() != 1 {
						t.Errorf("input %s has no label", s.AttrOr("name", ""))
					}
				})
				d.Find("form[method=post]").Each(func(_ int, s *goquery.Selection) {
					if !strings.HasPrefix(s.AttrOr("action", ""), "https://") && s.Find(`input[type=hidden][name=csrf]`).Length() != 1 {
						t.Errorf("the form to %s has no csrf", s.AttrOr("action", ""))
					}
				})
				if m := regexp.MustCompile(`\b[a-z]+_[a-z_]+\b`).FindString(d.Find("body").Text()); m != "" {
					t.Errorf("%q is shown: an id without text?", m)
				}
				if p.bare {
					return
				}
				wantAttr(t, one(t, d, "html"), "lang", lang)
				one(t, d, "h1")
				wantAttr(t, one(t, d, "link[rel=stylesheet]"), "href", static.URL("pay.css"))
				if strings.Contains(one(t, d, "meta[name=viewport]").AttrOr("content", ""), "scal") &&
					!strings.Contains(d.Find("meta[name=viewport]").AttrOr("content", ""), "initial-scale=1") {
					t.Error("zooming is hindered")
				}
				if got := d.Find("footer nav a").Length(); got != len(i18n.Languages())-1 {
					t.Errorf("%d links to other languages", got)
				}
			})
		}
	}
}

func TestThePageWithoutAnAddressOfItsOwnOffersNoLanguages(t *testing.T) {
	l := layout(t, "en")
	l.Self = ""
	if n := doc(t, templates.NotFound(templates.NotFoundPage{Layout: l})).Find("nav").Length(); n != 0 {
		t.Error("language links that would lead to where a form was posted")
	}
}

// brands are those that accounts usually take.
func brands() (all []templates.Brand) {
	for _, s := range card.Systems() {
		all = append(all, templates.Brand{ID: s.ID, Name: s.Name, Lang: s.Lang})
	}
	return all[:5]
}

func cardPage(t *testing.T, lang string) templates.CardPage {
	return templates.CardPage{
		Layout: layout(t, lang), Action: "/pay/s1/card", CancelAction: "/pay/s1/cancel", CSRF: "token-1",
		Systems: card.Table(), Brands: brands(),
	}
}

func TestTheCardFormHasItsInputs(t *testing.T) {
	d := doc(t, templates.Card(cardPage(t, "en")))
	form := one(t, d, "form#card")
	wantAttr(t, form, "method", "post")
	wantAttr(t, form, "action", "/pay/s1/card")
	var names []string
	form.Find("input, select, textarea, button[name]").Each(func(_ int, s *goquery.Selection) { names = append(names, s.AttrOr("name", "")) })
	want := []string{
		"csrf", "browserJavaEnabled", "browserJavascriptEnabled", "browserLanguage", "browserColorDepth", "browserScreenHeight",
		"browserScreenWidth", "browserTZ", "number", "expiry", "cvc", "name",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the form posts %v, want %v", names, want)
	}
	wantAttr(t, form.Find("[name=csrf]"), "value", "token-1")
	wantAttr(t, form.Find("[name=browserJavascriptEnabled]"), "value", "false")
	wantAttr(t, form.Find("[name=browserTZ]"), "value", "")
	for name, attrs := range map[string][2]string{
		"number": {"cc-number", "numeric"}, "expiry": {"cc-exp", "numeric"}, "cvc": {"cc-csc", "numeric"}, "name": {"cc-name", "text"},
	} {
		input := one(t, d, "input#"+name)
		wantAttr(t, input, "autocomplete", attrs[0])
		wantAttr(t, input, "inputmode", attrs[1])
		if _, ok := input.Attr("aria-invalid"); ok {
			t.Errorf("%s is marked as wrong before anything was typed", name)
		}
	}
	if _, ok := one(t, d, "#errors").Attr("hidden"); !ok {
		t.Error("the error summary is shown without errors")
	}
	if d.Find("#errors[autofocus]").Length() != 0 {
		t.Error("the hidden summary takes the focus")
	}
	button := one(t, d, "#pay")
	if got := strings.TrimSpace(button.Text()); got != "Pay 12,345.67\u00a0₸" {
		t.Errorf("the button says %q", got)
	}
	for _, text := range []string{"12,345.67\u00a0₸", "A-10583", "Parak", "Abai"} {
		if !strings.Contains(one(t, d, "header").Text(), text) {
			t.Errorf("the page does not show %s", text)
		}
	}
	back := one(t, d, `form[action="/pay/s1/cancel"]`)
	wantAttr(t, back.Find("[name=csrf]"), "value", "token-1")
}

func TestATransferSpeaksOfATransferInEveryLanguage(t *testing.T) {
	payment := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`(?i)\bpa(y|id|yment)\b`), "ru": regexp.MustCompile(`(?i)оплат|плат[её]ж|плат[иея]т`), "kk": regexp.MustCompile(`(?i)төле`),
		"ky": regexp.MustCompile(`(?i)төлө`), "uz": regexp.MustCompile(`(?i)toʻlo|toʻla`), "uz-Cyrl": regexp.MustCompile(`(?i)тўло|тўла`),
	}
	for _, lang := range i18n.Languages() {
		if payment[lang] == nil {
			t.Fatalf("templates/pages_test.go: how does %q speak of a payment?", lang)
		}
		l := layout(t, lang)
		l.Transfer = &templates.Transfer{SumText: "1\u00a0000\u00a0₸", FeeText: "50\u00a0₸"}
		pages := map[string]templ.Component{
			"card":     templates.Card(templates.CardPage{Layout: l, AskTo: true, NotCharged: true}),
			"saved":    templates.SavedCards(templates.SavedCardsPage{Layout: l, AskTo: true, Cards: []templates.SavedCard{{ID: "1", Last4: "1234"}}}),
			"bank":     templates.Challenge(templates.ChallengePage{Layout: l, Action: "https://b.example/a"}),
			"leave":    templates.Leave(templates.LeavePage{Layout: l, URL: "https://b.example/a"}),
			"wait":     templates.Wait(templates.WaitPage{Layout: l}),
			"checking": templates.Wait(templates.WaitPage{Layout: l, Reason: templates.WaitChecking, Long: true}),
		}
		for _, o := range []templates.Outcome{templates.OutcomePaid, templates.OutcomeCancelled, templates.OutcomeExpired, templates.OutcomeRefunded, templates.OutcomeVoided, "unheard of"} {
			pages[string(o)] = templates.Result(templates.ResultPage{Layout: l, Outcome: o})
		}
		for _, reason := range templates.DeclineReasons() {
			pages["declined: "+reason] = templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeDeclined, Decline: reason})
		}
		for name, p := range pages {
			d := doc(t, p)
			if text := d.Find("title, body").Text(); payment[lang].MatchString(text) {
				t.Errorf("%s, %s speaks of a payment: %q", name, lang, payment[lang].FindString(text))
			}
			if header := one(t, d, "header").Text(); !strings.Contains(header, "1\u00a0000\u00a0₸") || !strings.Contains(header, "50\u00a0₸") {
				t.Errorf("%s, %s does not tell amount and fee: %q", name, lang, header)
			}
		}
	}
}

func TestACardIsAskedForATransfersTarget(t *testing.T) {
	p := cardPage(t, "en")
	p.Transfer, p.AskTo, p.Errors = &templates.Transfer{}, true, templates.CardErrors{To: templates.ToInvalid}
	d := doc(t, templates.Card(p))
	to := one(t, d, "#card input[name=to_number]")
	wantAttr(t, to, "autocomplete", "off") // no browser offers the shopper's own card
	wantAttr(t, to, "inputmode", "numeric")
	wantAttr(t, to, "value", "")
	wantAttr(t, to, "aria-invalid", "true")
	wantAttr(t, to, "aria-describedby", "to_number-error")
	if got := one(t, d, "label[for=to_number]").Text(); got != "Recipient's card number" {
		t.Errorf("it is called %q", got)
	}
	if got := one(t, d, "label[for=number]").Text(); got != "Your card number" {
		t.Errorf("the other is called %q", got)
	}
	p.Transfer.ToLast4, p.AskTo = "1234", false
	d = doc(t, templates.Card(p))
	if d.Find("[name=to_number]").Length() != 0 || !strings.Contains(one(t, d, "header").Text(), "To card •• 1234") {
		t.Error("a target that is known is asked for, or not said")
	}
}

func TestAChoiceOfCardsKeepsWhatWasChosen(t *testing.T) {
	p := templates.SavedCardsPage{Layout: layout(t, "en"), Cards: []templates.SavedCard{{ID: "1", Last4: "1111"}, {ID: "2", Last4: "2222"}}}
	for chosen, want := range map[string]string{"": "1", "2": "2"} {
		p.Chosen = chosen
		wantAttr(t, one(t, doc(t, templates.SavedCards(p)), "input[checked]"), "value", want)
	}
}

func TestErrorsAreShownAtTheTopAndBesideTheField(t *testing.T) {
	p := cardPage(t, "en")
	p.Errors = templates.CardErrors{Number: templates.NumberInvalid, CVC: templates.CVCMissing}
	p.Expiry, p.Name = "08/29", "A SERIK"
	d := doc(t, templates.Card(p))
	summary := one(t, d, "#errors")
	for _, a := range []string{"autofocus", "tabindex", "role"} {
		if _, ok := summary.Attr(a); !ok {
			t.Errorf("the summary has no %s", a)
		}
	}
	if _, ok := summary.Attr("hidden"); ok {
		t.Error("the summary is hidden")
	}
	var links []string
	summary.Find("a").Each(func(_ int, s *goquery.Selection) { links = append(links, s.AttrOr("href", "")+" "+s.Text()) })
	want := []string{"#number Check the card number: there seems to be a mistake in it", "#cvc Enter the CVC / CVV code"}
	if !slices.Equal(links, want) {
		t.Errorf("the summary links are %q, want %q", links, want)
	}
	for id, text := range map[string]string{"number": links[0][len("#number "):], "cvc": links[1][len("#cvc "):]} {
		wantAttr(t, one(t, d, "#"+id), "aria-invalid", "true")
		if got := one(t, d, "#"+id+"-error").Text(); got != text {
			t.Errorf("beside %s stands %q", id, got)
		}
		if !slices.Contains(strings.Fields(d.Find("#"+id).AttrOr("aria-describedby", "")), id+"-error") {
			t.Errorf("%s is not described by its error", id)
		}
	}
	if !strings.HasPrefix(d.Find("title").Text(), "Please check") {
		t.Errorf("the title %q does not say that something is wrong", d.Find("title").Text())
	}
	wantAttr(t, one(t, d, "#expiry"), "value", "08/29")
	wantAttr(t, one(t, d, "#name"), "value", "A SERIK")
	wantAttr(t, one(t, d, "#number"), "value", "")
	wantAttr(t, one(t, d, "#cvc"), "value", "")
}

func TestAfterADeclineTheShopperReadsWhyAndWhatIsLeft(t *testing.T) {
	seen := map[string]string{}
	for _, reason := range templates.DeclineReasons() {
		p := cardPage(t, "ru")
		p.Decline, p.AttemptsLeft = reason, 2
		text := one(t, doc(t, templates.Card(p)), "#notice").Text()
		if !strings.Contains(text, "Осталось 2 попытки.") {
			t.Errorf("%s: %q does not say how many tries are left", reason, text)
		}
		if other := seen[text]; other != "" {
			t.Errorf("%s and %s read the same", reason, other)
		}
		seen[text] = reason
	}
	if len(seen) != 11 {
		t.Errorf("%d reasons", len(seen))
	}
	p := cardPage(t, "en")
	p.Decline = "R42 SQL error"
	if text := one(t, doc(t, templates.Card(p)), "#notice").Text(); !strings.Contains(text, "You were not charged") || strings.Contains(text, "R42") {
		t.Errorf("an unknown reason reads %q", text)
	}
}

func TestAfterAFailedAttemptTheShopperReadsThatNothingWasCharged(t *testing.T) {
	p := cardPage(t, "en")
	p.NotCharged = true
	if text := one(t, doc(t, templates.Card(p)), "#notice").Text(); !strings.Contains(text, "You were not charged.") {
		t.Errorf("the notice reads %q", text)
	}
	if n := doc(t, templates.Card(cardPage(t, "en"))).Find("#notice").Length(); n != 0 {
		t.Error("a notice before the first try")
	}
}

func TestTheSameCardIsAskedForByItsEnding(t *testing.T) {
	p := cardPage(t, "en")
	p.AskLast4 = "1234"
	if text := one(t, doc(t, templates.Card(p)), "main").Text(); !strings.Contains(text, "Enter the same card again") || !strings.Contains(text, "ending in 1234") {
		t.Error("the page does not say which card")
	}
}

func TestTheMethodPageListensBeforeItsFramesLoad(t *testing.T) {
	p := templates.MethodPage{
		Layout: layout(t, "en"), Frames: []string{"/3ds/r/frame/1", "/3ds/r/frame/2"}, ID: "r", EventsURL: "/pay/s1/events", Next: "/pay/s1", Deadline: 9,
	}
	raw := render(t, templates.Method(p))
	d := parse(t, raw)
	script := one(t, d, "script[src]")
	for name, want := range map[string]string{
		"src": static.URL("live.js"), "data-method": "r", "data-events": "/pay/s1/events", "data-next": "/pay/s1", "data-back": "/pay/s1", "data-delay": "9",
	} {
		wantAttr(t, script, name, want)
	}
	for _, late := range []string{"defer", "async", "type"} {
		if _, ok := script.Attr(late); ok {
			t.Errorf("the script is %s: it might listen too late", late)
		}
	}
	if strings.Index(raw, "<script") > strings.Index(raw, "<iframe") {
		t.Error("the frames come before the script")
	}
	frames := d.Find("iframe")
	if frames.Length() != 2 {
		t.Fatalf("%d frames", frames.Length())
	}
	wantAttr(t, frames.Eq(0), "src", "/3ds/r/frame/1")
	wantAttr(t, frames.Eq(1), "src", "/3ds/r/frame/2")
	wantAttr(t, one(t, d, `noscript meta[http-equiv=refresh]`), "content", "3;url=/pay/s1")
}

// The bank's message has to reach it byte for byte, in the gateway's order.
func TestFormsForTheBankCarryTheFieldsAsGiven(t *testing.T) {
	fields := []templates.Field{{"PaReq", "eJx+/=\n&\"<>"}, {"MD", "é \u00a0"}, {"TermUrl", "https://p.example/3ds/r/return"}, {"submit", "x"}, {"MD", "again"}}
	check := func(t *testing.T, d *goquery.Document) {
		t.Helper()
		form := one(t, d, "form#bank")
		wantAttr(t, form, "method", "post")
		wantAttr(t, form, "action", "https://b.example/acs?x=1&y=2")
		var got []templates.Field
		form.Find("input").Each(func(_ int, s *goquery.Selection) {
			wantAttr(t, s, "type", "hidden")
			got = append(got, templates.Field{Name: s.AttrOr("name", ""), Value: s.AttrOr("value", "")})
		})
		if !slices.Equal(got, fields) {
			t.Errorf("fields are %q, want %q", got, fields)
		}
		if form.Find("button").Length() != 1 {
			t.Error("no button for browsers without script")
		}
		if form.Find("button[name]").Length() != 0 {
			t.Error("the button adds a field of its own")
		}
	}
	action := "https://b.example/acs?x=1&y=2"
	t.Run("challenge", func(t *testing.T) {
		check(t, doc(t, templates.Challenge(templates.ChallengePage{Layout: layout(t, "en"), Action: action, Fields: fields})))
	})
	t.Run("method frame", func(t *testing.T) {
		check(t, doc(t, templates.MethodFrame(templates.MethodFramePage{T: texts(t, "en"), Nonce: "n", Action: action, Fields: fields})))
	})
}

func TestTheChallengeSubmitsItselfOnlyWhenAskedAndNothingIsToBeRead(t *testing.T) {
	for _, c := range []struct {
		auto bool
		info string
		want bool
	}{{true, "", true}, {false, "", false}, {true, "Read this", false}, {false, "Read this", false}} {
		raw := render(t, templates.Challenge(templates.ChallengePage{Layout: layout(t, "en"), Action: "https://b.example/", AutoSubmit: c.auto, Info: c.info}))
		if got := strings.Contains(raw, "submit.call"); got != c.want {
			t.Errorf("auto %v, info %q: submits itself is %v", c.auto, c.info, got)
		}
		if c.want && !strings.Contains(raw, `</form><script nonce="nonce-1">`) {
			t.Error("the script does not stand right behind the form")
		}
		if c.info != "" && !strings.Contains(raw, "Read this") {
			t.Error("the bank's words are not shown")
		}
	}
}

func TestTheRedirectPageSubmitsItselfOnlyWhenAskedAndNothingIsToBeRead(t *testing.T) {
	for _, c := range []struct {
		auto bool
		info string
		want int
	}{{true, "", 1}, {false, "", 0}, {true, "Read this", 0}} {
		d := doc(t, templates.Leave(templates.LeavePage{Layout: layout(t, "en"), URL: "https://b.example/p;a?x=1&y=2", Auto: c.auto, Info: c.info}))
		wantAttr(t, one(t, d, "a#leave"), "href", "https://b.example/p;a?x=1&y=2")
		refresh := d.Find("noscript meta[http-equiv=refresh]")
		if refresh.Length() != c.want || d.Find("script:not([src])").Length() != c.want {
			t.Errorf("auto %v, info %q: %d refreshes", c.auto, c.info, refresh.Length())
		}
		if c.want == 1 {
			wantAttr(t, refresh, "content", "0;url=https://b.example/p;a?x=1&y=2")
		}
	}
}

// Addresses come from gateways; some would run as script on the origin that holds the card form.
func TestAddressesOtherThanHTTPAreNotLinked(t *testing.T) {
	const nowhere = "about:invalid#TemplFailedSanitizationURL"
	l := layout(t, "en")
	for _, bad := range []string{"javascript:alert(1)", " javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "mailto:a@b", "blob:x"} {
		wantAttr(t, one(t, doc(t, templates.Challenge(templates.ChallengePage{Layout: l, Action: bad})), "#bank"), "action", nowhere)
		wantAttr(t, one(t, doc(t, templates.MethodFrame(templates.MethodFramePage{T: l.T, Action: bad})), "#bank"), "action", nowhere)
		wantAttr(t, one(t, doc(t, templates.Leave(templates.LeavePage{Layout: l, URL: bad})), "#leave"), "href", nowhere)
		d := doc(t, templates.Result(templates.ResultPage{Layout: l, ContinueURL: bad, Delay: 3}))
		wantAttr(t, one(t, d, "#continue"), "href", nowhere)
		if bad == "mailto:a@b" {
			continue
		}
		wantAttr(t, one(t, doc(t, templates.Scan(templates.ScanPage{Layout: l, Link: bad})), "a.button"), "href", nowhere)
	}
	for _, good := range []string{"bank100000000111://qr/1", "https://qr.example/1", "sberpay://pay?x=a:b"} {
		wantAttr(t, one(t, doc(t, templates.Scan(templates.ScanPage{Layout: l, Link: good})), "a.button"), "href", good)
	}
}

func TestReturningFromAFrameOpensTheWholeWindow(t *testing.T) {
	d := doc(t, templates.ReturnTop(templates.ReturnTopPage{T: texts(t, "kk"), Nonce: "n", PayURL: "/pay/s1"}))
	link := one(t, d, "a#top")
	wantAttr(t, link, "target", "_top")
	wantAttr(t, link, "href", "/pay/s1")
}

func TestWaitingIsLiveAndReloadsWithoutScript(t *testing.T) {
	p := templates.WaitPage{Layout: layout(t, "en"), EventsURL: "/pay/s1/events", Next: "/pay/s1"}
	p.Refresh = 5
	d := doc(t, templates.Wait(p))
	script := one(t, d, "script[src]")
	wantAttr(t, script, "data-events", "/pay/s1/events")
	wantAttr(t, script, "data-next", "/pay/s1")
	wantAttr(t, script, "data-back", "/pay/s1")
	wantAttr(t, script, "data-poll", "5")
	wantAttr(t, one(t, d, "noscript meta[http-equiv=refresh]"), "content", "5;url=/pay/s1")
	if _, ok := one(t, d, "#late").Attr("hidden"); !ok {
		t.Error("it says that it takes long before it does")
	}
	p.Reason, p.Long = templates.WaitChecking, true
	d = doc(t, templates.Wait(p))
	if _, ok := one(t, d, "#late").Attr("hidden"); ok {
		t.Error("it does not say that it takes long")
	}
	if text := d.Find("main").Text(); !strings.Contains(text, "You will not be charged twice") {
		t.Errorf("the page reads %q", text)
	}
}

func TestTheResultPageLinksToTheShop(t *testing.T) {
	shop := "https://shop.example/thanks?a=1&session=s1"
	p := templates.ResultPage{Layout: layout(t, "en"), Outcome: templates.OutcomePaid, ContinueURL: shop, Delay: 3}
	d := doc(t, templates.Result(p))
	wantAttr(t, one(t, d, "a#continue"), "href", shop)
	if d.Find("meta[http-equiv=refresh], script[data-after]").Length() != 0 {
		t.Error("it goes on in a way that nobody can stop")
	}
	for _, id := range []string{"#clock", "#stay"} {
		if _, hidden := one(t, d, id).Attr("hidden"); !hidden {
			t.Errorf("without script %s would be there for nothing", id)
		}
	}
	one(t, d, "script[src]")
	p.Delay = 0
	d = doc(t, templates.Result(p))
	if d.Find("script, meta[http-equiv]").Length() != 0 {
		t.Error("it goes on by itself though it should not")
	}
	one(t, d, "a#continue")
}

// A shopper who was charged must never read the opposite, and the other way round.
func TestOnlySuccessLooksLikeSuccess(t *testing.T) {
	for _, o := range []templates.Outcome{
		templates.OutcomePaid, templates.OutcomeAuthorized, templates.OutcomeDeclined, templates.OutcomeCancelled, templates.OutcomeExpired,
		templates.OutcomeRefunded, templates.OutcomePartly, templates.OutcomeVoided, "", "something new",
	} {
		d := doc(t, templates.Result(templates.ResultPage{Layout: layout(t, "en"), Outcome: o}))
		if good, want := d.Find(".mark.good").Length() == 1, o == templates.OutcomePaid || o == templates.OutcomeAuthorized; good != want {
			t.Errorf("%q looks like success: %v", o, good)
		}
		says, want := strings.Contains(d.Text(), "not charged"), o == templates.OutcomeDeclined || o == templates.OutcomeCancelled ||
			o == templates.OutcomeExpired
		if says != want {
			t.Errorf("%q says that nothing was charged: %v", o, says)
		}
	}
}

func TestAProblemIsShownWithoutDetail(t *testing.T) {
	d := doc(t, templates.Problem(templates.ProblemPage{Layout: templates.Layout{T: texts(t, "en")}, Retry: "/pay/s1"}))
	wantAttr(t, one(t, d, "a.button"), "href", "/pay/s1")
	if d.Find("header").Length() != 0 {
		t.Error("an empty header")
	}
}

func TestTheDoneMessageGoesToOneOriginOnly(t *testing.T) {
	raw := render(t, templates.MethodDone(templates.MethodDonePage{Nonce: "n", ID: "run-1", Origin: "https://p.example"}))
	d := parse(t, raw)
	script := one(t, d, "script")
	wantAttr(t, script, "data-origin", "https://p.example")
	wantAttr(t, script, "data-id", "run-1")
	if strings.Contains(raw, `"*"`) || !strings.Contains(script.Text(), "d.origin") {
		t.Error("any page could hear it")
	}
}

// The first flight of packets of a new connection carries about 14 KiB.
const budget = 14 << 10

func TestTheCardPageFitsTheInitialCongestionWindow(t *testing.T) {
	for _, lang := range i18n.Languages() {
		p := cardPage(t, lang)
		p.Errors = templates.CardErrors{templates.NumberInvalid, templates.ExpiryPast, templates.CVCMissing, templates.NameMissing, templates.ToInvalid}
		p.Decline, p.AttemptsLeft = "do_not_honor", 3
		p.AskTo, p.Transfer = true, &templates.Transfer{SumText: "12,345.67\u00a0₸", FeeText: "50.00\u00a0₸"}
		raw := render(t, templates.Card(p))
		body, packed, err := new(templates.Outlines).Append(nil, templates.Card(p), true)
		if err != nil || !packed {
			t.Fatalf("it is not compressed: %v", err)
		}
		sizes := map[string]int{"html": len(body)}
		total := len(body)
		parse(t, raw).Find("script[src], link[href], img[src]").Each(func(_ int, s *goquery.Selection) {
			url := s.AttrOr("src", s.AttrOr("href", ""))
			r := httptest.NewRequest("GET", url, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			rec := httptest.NewRecorder()
			static.Handler().ServeHTTP(rec, r)
			if rec.Code != 200 {
				t.Fatalf("%s: status %d", url, rec.Code)
			}
			sizes[url] = rec.Body.Len()
			total += rec.Body.Len()
		})
		if len(sizes) != 4 {
			t.Errorf("the page loads %d files: %v", len(sizes)-1, sizes)
		}
		t.Logf("%s: %d bytes of %d: %v", lang, total, budget, sizes)
		if total > budget {
			t.Errorf("%s: the card page takes %d bytes, more than %d", lang, total, budget)
		}
	}
}

// A page that waits or goes on by itself has the way on beside its script: in the page, and in the lines that live.js stops.
func TestAPageThatWaitsHasAFallbackWithoutScript(t *testing.T) {
	l := layout(t, "en")
	for name, c := range map[string]struct {
		page  templ.Component
		link  string
		after string
	}{
		"wait":   {templates.Wait(templates.WaitPage{Layout: l, EventsURL: "/e", Next: "/pay/s1"}), "#look", "6"},
		"method": {templates.Method(templates.MethodPage{Layout: l, EventsURL: "/e", Next: "/pay/s1", Deadline: 11}), "#look", "6"},
		"scan":   {templates.Scan(templates.ScanPage{Layout: l, EventsURL: "/e", Next: "/pay/s1"}), "#look", "8"},
	} {
		t.Run(name, func(t *testing.T) {
			d := doc(t, c.page)
			link := one(t, d, c.link)
			wantAttr(t, link, "href", "/pay/s1")
			if link.Closest("noscript").Length() > 0 {
				t.Error("the link is for browsers without script only")
			}
			guard := one(t, d, "script[data-after]")
			wantAttr(t, guard, "data-after", c.after)
			wantAttr(t, guard, "data-next", "/pay/s1")
			if guard.NextAllFiltered("script[src]").Length() != 1 {
				t.Error("a live.js that hangs would hold it up")
			}
		})
	}
}

// A heading is a heading: it has no other role. What changes by itself is announced by what is around it.
func TestEveryPageHasOneHeadingAndItIsOne(t *testing.T) {
	for _, s := range gallery.Stories(texts(t, "en"), "/pay/s1") {
		d := doc(t, s.Page)
		if strings.HasPrefix(s.Name, "method-") { // documents of hidden frames
			continue
		}
		if h := d.Find("h1"); h.Length() != 1 || h.Is("[role], [aria-hidden]") || strings.TrimSpace(h.Text()) == "" {
			t.Errorf("%s has %d headings: %q", s.Name, h.Length(), h.Text())
		}
		if n := d.Find("main").Length(); n != 1 {
			t.Errorf("%s has %d mains", s.Name, n)
		}
	}
}

// What others wrote is read in the language that they wrote it in, or in none that we would guess.
func TestWordsOfOthersSayTheirLanguage(t *testing.T) {
	for _, s := range gallery.Stories(texts(t, "en"), "/pay/s1") {
		doc(t, s.Page).Find("body *").Each(func(_ int, e *goquery.Selection) {
			own := e.Contents().FilterFunction(func(_ int, n *goquery.Selection) bool { return goquery.NodeName(n) == "#text" }).Text()
			if !strings.ContainsFunc(own, func(r rune) bool { return r >= 'А' && r <= 'я' || strings.ContainsRune("әғқңөұүһі", r) }) {
				return
			}
			if lang, said := e.Closest("[lang]").Attr("lang"); !said || lang == "en" {
				t.Errorf("%s: %q is said to be in %q", s.Name, strings.TrimSpace(own), lang)
			}
		})
	}
}

// No robot keeps a payment, no browser makes a telephone number of a card's, and its frame has the page's colours.
func TestEveryPageSaysWhatBrowsersAndRobotsAskFor(t *testing.T) {
	for _, s := range gallery.Stories(texts(t, "ru"), "/pay/s1") {
		if strings.HasPrefix(s.Name, "method-") || s.Name == "return-top" || s.Name == "mail" { // a mail is no page
			continue
		}
		d := doc(t, s.Page)
		for selector, want := range map[string]int{
			`meta[name=robots][content="noindex, nofollow"]`: 1, `meta[name=theme-color][media]`: 2, `link[rel=icon]`: 1,
			`meta[name=color-scheme][content="light dark"]`: 1, `meta[name=format-detection][content="telephone=no"]`: 1,
		} {
			if got := d.Find(selector).Length(); got != want {
				t.Errorf("%s has %d of %s", s.Name, got, selector)
			}
		}
	}
}

// Who was declined, or came to nothing, reads whether money was taken.
func TestEveryDeclineSaysThatNothingWasCharged(t *testing.T) {
	for _, lang := range i18n.Languages() {
		said := texts(t, lang).T("not_charged")
		for _, reason := range append(templates.DeclineReasons(), "unheard_of") {
			p := cardPage(t, lang)
			p.Decline = reason
			for name, page := range map[string]templ.Component{
				"card":  templates.Card(p),
				"start": templates.Start(templates.StartPage{Layout: p.Layout, Action: "/a", Decline: reason, Hosted: true}),
			} {
				if got := doc(t, page).Find("#notice").Text(); !strings.Contains(got, said) {
					t.Errorf("%s, %s, %s: %q", name, lang, reason, got)
				}
			}
		}
	}
}

// A page after which the shopper might pay once more says whether money was taken.
func TestEveryEndWithoutAPaymentSaysThatNothingWasCharged(t *testing.T) {
	for _, lang := range i18n.Languages() {
		for _, transfer := range []bool{false, true} {
			l := layout(t, lang)
			if transfer {
				l.Transfer = &templates.Transfer{}
			}
			said := strings.ToLower(strings.TrimSuffix(texts(t, lang).T("not_charged"), "."))
			pages := map[string]templ.Component{
				"not charged": templates.Card(templates.CardPage{Layout: l, NotCharged: true}),
				"login over":  templates.LoginOver(templates.LoginOverPage{Layout: l}),
			}
			for _, o := range []templates.Outcome{templates.OutcomeDeclined, templates.OutcomeCancelled, templates.OutcomeExpired, templates.OutcomeUnavailable} {
				pages[string(o)] = templates.Result(templates.ResultPage{Layout: l, Outcome: o})
			}
			for _, reason := range append(templates.DeclineReasons(), "unheard of") {
				pages["card, "+reason] = templates.Card(templates.CardPage{Layout: l, Decline: reason})
				pages["saved cards, "+reason] = templates.SavedCards(templates.SavedCardsPage{Layout: l, Decline: reason, Cards: []templates.SavedCard{{ID: "1"}}})
				pages["saved offer, "+reason] = templates.SavedOffer(templates.SavedOfferPage{Layout: l, Decline: reason})
				pages["start, "+reason] = templates.Start(templates.StartPage{Layout: l, Decline: reason})
				pages["seal, "+reason] = templates.SealStart(templates.SealStartPage{Layout: l, Decline: reason})
				pages["declined, "+reason] = templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomeDeclined, Decline: reason})
			}
			for name, p := range pages {
				text := strings.ToLower(doc(t, p).Find("main").Text())
				if !strings.Contains(text, said) && !(lang == "en" && strings.Contains(text, "nothing was charged")) {
					t.Errorf("%s in %s (transfer %v) does not say whether money was taken: %s", name, lang, transfer, text)
				}
			}
			for _, o := range []templates.Outcome{templates.OutcomePaid, templates.OutcomeOver, templates.OutcomeRefunded, templates.OutcomePartly, templates.OutcomeAuthorized} {
				if text := doc(t, templates.Result(templates.ResultPage{Layout: l, Outcome: o})).Find("main").Text(); strings.Contains(strings.ToLower(text), said) {
					t.Errorf("%s in %s says that nothing was charged", o, lang)
				}
			}
		}
	}
}

// Where something is to be put right, the title says so first, whichever form it is.
func TestTheTitleOfEveryFormWithAMistakeSaysSo(t *testing.T) {
	for _, lang := range i18n.Languages() {
		l := layout(t, lang)
		ways := templates.Choice{Ways: []templates.Way{{ID: "card"}, {ID: "sberpay", Chosen: true}}, AskPhone: true, PhoneField: "sberpay_phone"}
		wrongWays := ways
		wrongWays.Wrong = templates.PhoneInvalid
		cards := []templates.SavedCard{{ID: "1", Last4: "1234"}}
		begins, _, _ := strings.Cut(texts(t, lang).T("title_error", "Title", "|"), "|")
		for name, p := range map[string][2]templ.Component{
			"card":            {templates.Card(templates.CardPage{Layout: l}), templates.Card(templates.CardPage{Layout: l, Errors: templates.CardErrors{Number: templates.NumberInvalid}})},
			"card among ways": {templates.Card(templates.CardPage{Layout: l, Choice: ways}), templates.Card(templates.CardPage{Layout: l, Choice: ways, Errors: templates.CardErrors{CVC: templates.CVCMissing}})},
			"phone":           {templates.LoginPhone(templates.LoginPhonePage{Layout: l}), templates.LoginPhone(templates.LoginPhonePage{Layout: l, Error: templates.PhoneInvalid})},
			"code":            {templates.LoginCode(templates.LoginCodePage{Layout: l}), templates.LoginCode(templates.LoginCodePage{Layout: l, Error: templates.CodeWrong})},
			"saved cards":     {templates.SavedCards(templates.SavedCardsPage{Layout: l, Cards: cards}), templates.SavedCards(templates.SavedCardsPage{Layout: l, Cards: cards, Errors: templates.CardErrors{CVC: templates.CVCInvalid}})},
			"saved among ways": {templates.SavedCards(templates.SavedCardsPage{Layout: l, Cards: cards, Choice: ways}),
				templates.SavedCards(templates.SavedCardsPage{Layout: l, Cards: cards, Choice: wrongWays})},
			"app":      {templates.Start(templates.StartPage{Layout: l, AskPhone: true}), templates.Start(templates.StartPage{Layout: l, AskPhone: true, Error: templates.PhoneMissing})},
			"ways":     {templates.Start(templates.StartPage{Layout: l, Choice: ways}), templates.Start(templates.StartPage{Layout: l, Choice: wrongWays})},
			"declined": {templates.Start(templates.StartPage{Layout: l, Choice: ways}), templates.Start(templates.StartPage{Layout: l, Choice: ways, Decline: "limit"})},
			"receipt": {templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, Mail: &templates.ReceiptMail{Action: "/m"}}),
				templates.Result(templates.ResultPage{Layout: l, Outcome: templates.OutcomePaid, Mail: &templates.ReceiptMail{Action: "/m", Wrong: true}})},
		} {
			right, wrong := one(t, doc(t, p[0]), "title").Text(), one(t, doc(t, p[1]), "title").Text()
			if strings.HasPrefix(right, begins) || !strings.HasPrefix(wrong, begins) || strings.Contains(wrong, "?") {
				t.Errorf("%s in %s: %q, with a mistake %q", name, lang, right, wrong)
			}
		}
	}
}
