package templates_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/a-h/templ"
	"pgregory.net/rapid"

	"tollgate/internal/i18n"
	"tollgate/templates"
	"tollgate/templates/gallery"
)

// filled is a page as the outlines give it, read as a browser reads it.
func filled(t testing.TB, o *templates.Outlines, c templ.Component, packed bool) (page string, isPacked bool) {
	t.Helper()
	body, isPacked, err := o.Append([]byte("kept"), c, packed)
	if err != nil || !bytes.HasPrefix(body, []byte("kept")) {
		t.Fatalf("%v: %.20q", err, body)
	}
	if body = body[len("kept"):]; isPacked {
		body = unpacked(t, body)
	}
	return string(body), isPacked
}

func unpacked(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestAFilledPageIsTheOneThatItsTemplDraws(t *testing.T) {
	b, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	languages := []*i18n.Localizer{b.Mirrored()}
	for _, tag := range i18n.Languages() {
		languages = append(languages, b.For(tag))
	}
	var o templates.Outlines
	n := 0
	for _, l := range languages {
		stories := gallery.Stories(l, "/pay/s1")
		for _, p := range every(t, l.Lang(), hostile) {
			stories = append(stories, gallery.Story{Name: p.name, Page: p.make})
		}
		for _, s := range stories {
			want := render(t, s.Page)
			for _, packed := range []bool{false, true, false, true} { // drawn, and then from its outline
				got, isPacked := filled(t, &o, s.Page, packed)
				if isPacked {
					n++
				}
				if got != want {
					t.Fatalf("%s in %s, compressed %v: the page differs\n%s\nfrom\n%s", s.Name, l.Lang(), isPacked, got, want)
				}
				if strings.HasPrefix(s.Name, "card") && packed && !isPacked && l.Verbatim() {
					t.Errorf("%s in %s is not compressed", s.Name, l.Lang())
				}
			}
		}
	}
	if _, unfit := o.Count(); unfit > 0 || n < 500 {
		t.Errorf("%d outlines do not give their page; %d pages were compressed", unfit, n)
	}
}

// models makes view models: whatever fields are listed have something in them or nothing, and the others now and then.
type models struct {
	*rapid.T
	texts                *i18n.Bundle
	own, same, addresses map[string]bool
	again                bool // other values in the places of those that are there
}

func (m models) text(name string) string {
	return rapid.OneOf(rapid.Just(""), rapid.StringN(0, 120, -1), rapid.Just(hostile), rapid.Just("\ue0000\ue001"),
		rapid.Just("a\nb\nc")).Draw(m.T, name)
}

func (m models) fill(v reflect.Value) {
	for i := range v.NumField() {
		f, in := v.Field(i), v.Type().Field(i)
		name := v.Type().Name() + "." + in.Name
		if m.again && (f.IsZero() || f.Kind() == reflect.Bool || !m.own[name] && f.Kind() == reflect.String) {
			continue
		}
		if in.Type == reflect.TypeFor[*i18n.Localizer]() {
			f.Set(reflect.ValueOf(m.texts.For(rapid.SampledFrom(i18n.Languages()).Draw(m.T, name))))
			continue
		}
		address := rapid.OneOf(rapid.Just(""), rapid.Just("/pay/s1?a=b&c=d"), rapid.Just("https://shop.example/<a>\"'"), rapid.Just("javascript:alert(1)"),
			rapid.Just("#"))
		switch k := in.Type.Kind(); {
		case in.Type.PkgPath() == "time":
		case m.addresses[name] && k == reflect.Slice:
			f.Set(reflect.ValueOf(rapid.SliceOfN(address, 0, 3).Draw(m.T, name)))
		case m.addresses[name]:
			f.SetString(address.Draw(m.T, name))
		case k == reflect.String && m.same[name]:
			f.SetString(rapid.OneOf(rapid.SampledFrom([]string{"", "insufficient_funds", "code_wrong", "visa", "1:2:3", "https://shop.example/a"}),
				rapid.Just(strings.ReplaceAll(m.text(name), "\ue000", "x"))).Draw(m.T, name))
		case k == reflect.String:
			f.SetString(m.text(name))
		case k == reflect.Bool:
			f.SetBool(rapid.Bool().Draw(m.T, name))
		case k == reflect.Int && m.again:
			f.SetInt(int64(rapid.IntRange(1, 4000).Draw(m.T, name)))
		case k == reflect.Int:
			f.SetInt(int64(rapid.IntRange(-1, 4000).Draw(m.T, name)))
		case k == reflect.Pointer && (m.again || rapid.Bool().Draw(m.T, name)):
			if !m.again {
				f.Set(reflect.New(in.Type.Elem()))
			}
			m.fill(f.Elem())
		case k == reflect.Struct && in.Type.PkgPath() != "time":
			m.fill(f)
		case k == reflect.Slice && in.Type.Elem().Kind() == reflect.Struct:
			if !m.again {
				n := rapid.IntRange(0, 3).Draw(m.T, name)
				f.Set(reflect.MakeSlice(in.Type, n, n))
			}
			for i := range f.Len() {
				m.fill(f.Index(i))
			}
		}
	}
}

// draws makes a page, and another that differs from it in values only.
func draws[M any](draw func(M) templ.Component) func(models) []templ.Component {
	return func(m models) []templ.Component {
		var model M
		m.fill(reflect.ValueOf(&model).Elem())
		first := draw(model)
		m.again = true
		m.fill(reflect.ValueOf(&model).Elem())
		return []templ.Component{first, draw(model)}
	}
}

// Whatever a merchant, a bank or a shopper writes, a page that is filled in is the page that its templ draws. A field that is listed
// as one that is only filled in, and with which a page does more, is found here.
func TestEveryPageMayBeFilledInWithAnything(t *testing.T) {
	texts, err := i18n.New()
	if err != nil {
		t.Fatal(err)
	}
	_, own, same, addresses := templates.Listed()
	for name, draw := range map[string]func(models) []templ.Component{
		"card": draws(templates.Card), "method": draws(templates.Method), "method frame": draws(templates.MethodFrame),
		"method done": draws(templates.MethodDone), "challenge": draws(templates.Challenge), "leave": draws(templates.Leave),
		"return": draws(templates.ReturnTop), "to top": draws(templates.ToTop), "wait": draws(templates.Wait), "result": draws(templates.Result),
		"start": draws(templates.Start), "saved offer": draws(templates.SavedOffer), "saved cards": draws(templates.SavedCards),
		"login phone": draws(templates.LoginPhone), "login code": draws(templates.LoginCode), "login over": draws(templates.LoginOver),
		"seal": draws(templates.SealStart), "sealed": draws(templates.SealedCard), "home": draws(templates.Home), "scan": draws(templates.Scan),
		"not found": draws(templates.NotFound), "problem": draws(templates.Problem), "limited": draws(templates.Limited),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) {
				var o templates.Outlines
				for i, page := range draw(models{r, texts, own, same, addresses, false}) {
					want := render(t, page)
					if got, is := filled(t, &o, page, i > 0); got != want {
						r.Fatalf("compressed %v: the page differs\n%s\nfrom\n%s", is, got, want)
					}
				}
				if _, unfit := o.Count(); unfit > 0 {
					r.Fatal("an outline does not give its page")
				}
			})
		})
	}
}

// secrets is the card page with all that must not be guessed or told.
func secrets(p templates.CardPage, token, name string) templates.CardPage {
	p.CSRF, p.Nonce, p.Task, p.Name, p.Expiry, p.AskLast4 = token, "N"+token[1:], "T"+token[1:], name, "09/31", token[:4]
	p.Description, p.OrderText, p.Self, p.Action = name+name, token[:5], "/pay/"+token, "/pay/"+token+"/card"
	p.Items = []templates.Item{{Name: name, SumText: token[:6], DiscountText: token[:7]}}
	return p
}

// What is secret or typed stands in stored blocks: two answers that differ in it alone differ there alone, byte for byte, and are of
// one length however much one value resembles another.
func TestSecretsStandInStoredBlocks(t *testing.T) {
	var o templates.Outlines
	base := cardPage(t, "ru")
	answer := func(token, name string) []byte {
		body, packed, err := o.Append(nil, templates.Card(secrets(base, token, name)), true)
		if err != nil || !packed {
			t.Fatal(packed, err)
		}
		return body
	}
	const token, name = "aQ7xZk2LmW9pRt5vYb8nCd4s", "AIGERIM SERIK"
	first := answer(token, name)
	for _, other := range []struct{ token, name string }{
		{"bT3mXo6KwE1uGh7zQj9rVf2y", "DINARA OSPAN "}, {strings.Repeat("a", 24), strings.Repeat("A", 13)}, {"input type=hidden value=\n"[:24], "method=post a"},
	} {
		second := answer(other.token, other.name)
		if len(second) != len(first) {
			t.Errorf("%d bytes with %q, %d with %q", len(second), other.token, len(first), token)
		}
		// With the one's values in their places, and the sum that goes with them, one answer is the other.
		made := bytes.Clone(first)
		for from, to := range map[string]string{token: other.token, "N" + token[1:]: "N" + other.token[1:], "T" + token[1:]: "T" + other.token[1:], name: other.name} {
			if !bytes.Contains(made, []byte(from)) {
				t.Fatalf("%q does not stand in the answer as it is", from)
			}
			made = bytes.ReplaceAll(made, []byte(from), []byte(to))
		}
		for n := 7; n >= 4; n-- {
			made = bytes.ReplaceAll(made, []byte(token[:n]), []byte(other.token[:n]))
		}
		binary.LittleEndian.PutUint32(made[len(made)-8:], crc32.ChecksumIEEE(unpacked(t, second)))
		if !bytes.Equal(made, second) {
			t.Errorf("%q: the answers differ elsewhere too", other.token)
		}
	}
	for _, kept := range []string{token, token[1:], name, "09/31"} {
		if o.Remembers(kept) {
			t.Errorf("%q is in an outline", kept)
		}
	}
}

func TestTheCompressedLengthTellsTheLengthOfAValueAndNothingElse(t *testing.T) {
	var o templates.Outlines
	length := func(p templates.CardPage) int {
		body, _, err := o.Append(nil, templates.Card(p), true)
		if err != nil {
			t.Fatal(err)
		}
		return len(body)
	}
	p := secrets(cardPage(t, "ru"), strings.Repeat("x", 24), "A")
	before := length(p)
	for n := range 30 {
		p.Name = "A" + strings.Repeat("A", n)
		if got := length(p); got != before+n {
			t.Fatalf("%d bytes more for %d letters more", got-before, n)
		}
	}
}

func TestAPageThatDoesMoreWithAValueThanToWriteItIsDrawn(t *testing.T) {
	var o templates.Outlines
	base := cardPage(t, "en")
	for name, draw := range map[string]func(string) string{
		"turned into capitals": strings.ToUpper, "cut": func(s string) string { return s[:1] },
		"counted": func(s string) string { return fmt.Sprint(len(s)) },
		"asked":   func(s string) string { return fmt.Sprint(s == "Abai") },
	} {
		page := func(order string) templ.Component {
			p := base
			p.OrderText = order
			return templates.PageOf(p, func(p templates.CardPage) templ.Component {
				return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
					_, err := io.WriteString(w, name+draw(p.OrderText)+p.CSRF)
					return err
				})
			})
		}
		o = templates.Outlines{}
		for range 3 {
			if got, _ := filled(t, &o, page("Abai"), true); got != render(t, page("Abai")) {
				t.Errorf("a value that is %s: %q", name, got)
			}
		}
		if _, unfit := o.Count(); unfit != 1 {
			t.Errorf("a value that is %s makes an outline", name)
		}
	}
}

func TestAShopWhoseNameHasTheRunesOfPlacesIsShownAsItIs(t *testing.T) {
	for _, name := range []string{"\ue0000\ue001", "\ue000", "\ue00099999999999999999999\ue001", "\ue001\ue002"} {
		var o templates.Outlines
		p := cardPage(t, "en")
		p.MerchantName, p.AmountText = name, "5 ₸"
		for range 2 {
			if got, _ := filled(t, &o, templates.Card(p), true); got != render(t, templates.Card(p)) {
				t.Errorf("%q: another page", name)
			}
		}
	}
}

// Strangers cannot fill the memory, and who asks for rare pages does not drive out the others.
func TestOutlinesAreBounded(t *testing.T) {
	var o templates.Outlines
	drawn := 0
	base := cardPage(t, "en")
	page := func(order int) templ.Component {
		p := base
		p.AttemptsLeft, p.Decline = order, "limit"
		return templates.PageOf(p, func(p templates.CardPage) templ.Component {
			return templ.ComponentFunc(func(context.Context, io.Writer) error {
				if p.AttemptsLeft == 0 {
					drawn++
				}
				return nil
			})
		})
	}
	for n := range 10 * templates.Generation {
		filled(t, &o, page(n), false)
		filled(t, &o, page(0), false)
		if all, _ := o.Count(); all > 2*templates.Generation {
			t.Fatalf("%d are remembered", all)
		}
	}
	if drawn != 2 { // the page, and its outline
		t.Errorf("the page that everybody asks for was drawn %d times", drawn)
	}
}

func TestShoppersAreServedAtOnceWithTheirOwnValues(t *testing.T) {
	var o templates.Outlines
	base := cardPage(t, "kk")
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 50 {
				token := fmt.Sprintf("%024d", n*1000+i)
				page := templates.Card(secrets(base, token, "A"))
				if got, _ := filled(t, &o, page, i%2 == 0); got != render(t, page) {
					t.Errorf("shopper %s is shown another page", token)
				}
			}
		})
	}
	all.Wait()
}

func TestAPageLongerThanAStoredBlockIsNotCompressed(t *testing.T) {
	var o templates.Outlines
	p := cardPage(t, "en")
	p.Description = strings.Repeat("long ", 20_000)
	if got, packed := filled(t, &o, templates.Card(p), true); packed || got != render(t, templates.Card(p)) {
		t.Error("it is compressed, or another")
	}
}

// A misspelt name in the lists would make its field one that no outline has.
func TestEveryListedFieldExists(t *testing.T) {
	all, own, same, addresses := templates.Listed()
	exists := map[string]bool{}
	for _, m := range all {
		for of, i := reflect.TypeOf(m).Elem(), 0; i < of.NumField(); i++ {
			exists[of.Name()+"."+of.Field(i).Name] = true
		}
	}
	seen := map[string]bool{}
	for _, list := range []map[string]bool{own, same, addresses} {
		for name := range list {
			if !exists[name] || seen[name] {
				t.Errorf("%s is listed, and there is none, or it is listed twice", name)
			}
			seen[name] = true
		}
	}
}
