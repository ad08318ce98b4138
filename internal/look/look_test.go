package look_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"tollgate/internal/look"
)

var languages = []string{"en", "ru", "kk"}

func settings(change func(*look.Settings)) look.Settings {
	s := look.Settings{Name: "main"}
	change(&s)
	return s
}

func TestTheSampleLookIsRight(t *testing.T) {
	l, err := look.New(look.Sample(), languages)
	if err != nil {
		t.Fatal(err)
	}
	if l.LogoWidth != 40 || l.LogoHeight != 40 || len(l.Files()) != 2 || l.PhoneURL() != "tel:+77271234567" {
		t.Errorf("%+v", l)
	}
	if a, own := l.Address("ru"); a != "Алматы, проспект Абая, 1" || !own {
		t.Errorf("the address in Russian: %q %v", a, own)
	}
	if a, own := l.Address("uz"); a != "Abay Avenue 1, Almaty" || own || l.Title("uz") != "" {
		t.Errorf("in a language that the shop says nothing in: %q %v", a, own)
	}
}

func TestALookThatCannotBeReadIsRefusedWithTheSettingAndTheContrast(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*look.Settings)
		want   string
	}{
		"pale accent":       {func(s *look.Settings) { s.Accent = "#ffcc00" }, `accent: a link on the sheet (#ffcc00 on #ffffff) has a contrast of 1.5 : 1; at least 4.5 : 1 can be read`},
		"grey accent":       {func(s *look.Settings) { s.Accent = "#777777" }, "accent: a link on the sheet"},
		"accent on ground":  {func(s *look.Settings) { s.Accent, s.Background = "#0b6354", "#0b6354" }, "accent: a link on the page"},
		"dark ground":       {func(s *look.Settings) { s.Background = "#333333" }, "background: the page's text"},
		"grey ground":       {func(s *look.Settings) { s.Background = "#b0b0b0" }, "background: the page's small text"},
		"light ground":      {func(s *look.Settings) { s.BackgroundDark = "#cccccc" }, "background_dark: the page's text"},
		"dark accent":       {func(s *look.Settings) { s.Accent, s.AccentDark = "#0b6354", "#0b6354" }, "accent_dark: a link on the sheet"},
		"only dark":         {func(s *look.Settings) { s.AccentDark = "#5fceb2" }, "accent: is required beside accent_dark"},
		"no colour":         {func(s *look.Settings) { s.Accent = "red" }, `accent: "red" is not a colour such as #0b6354`},
		"half a colour":     {func(s *look.Settings) { s.Accent = "#fff" }, `accent: "#fff" is not a colour`},
		"css in a colour":   {func(s *look.Settings) { s.Accent = "#0b6354;}" }, "is not a colour"},
		"corner":            {func(s *look.Settings) { n := 40; s.Corner = &n }, "corner: must be from 0 to 28 pixels"},
		"no name":           {func(s *look.Settings) { s.Name = "" }, "name: must be given"},
		"odd name":          {func(s *look.Settings) { s.Name = "../x" }, "name: must be given"},
		"e-mail":            {func(s *look.Settings) { s.SupportEmail = "help" }, "support_email: "},
		"e-mail with more":  {func(s *look.Settings) { s.SupportEmail = "a@b.example?bcc=x@y.example" }, "support_email: "},
		"e-mail with name":  {func(s *look.Settings) { s.SupportEmail = "Help <a@b.example>" }, "support_email: "},
		"phone":             {func(s *look.Settings) { s.SupportPhone = "call us" }, "support_phone: "},
		"terms":             {func(s *look.Settings) { s.TermsURL = "javascript:alert(1)" }, "terms_url: must be an https address"},
		"terms in clear":    {func(s *look.Settings) { s.TermsURL = "http://shop.example/" }, "terms_url: must be an https address"},
		"unknown language":  {func(s *look.Settings) { s.Texts = map[string]look.Texts{"xx": {}} }, "text.xx: the pages have no such language; they have en, ru, kk"},
		"two lines":         {func(s *look.Settings) { s.Texts = map[string]look.Texts{"en": {Note: "a\nb"}} }, "text.en.note: must be one line"},
		"turned text":       {func(s *look.Settings) { s.Texts = map[string]look.Texts{"en": {Title: "a\u202eb"}} }, "text.en.title: must be one line"},
		"long text":         {func(s *look.Settings) { s.SupportAddress = strings.Repeat("x", 201) }, "support_address: must have at most 200"},
		"logo that is none": {func(s *look.Settings) { s.Logo = []byte("GIF89a") }, "logo: is neither a PNG nor an SVG"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := look.New(settings(c.change), languages)
			var faults look.Faults
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestEveryColourOfASheetCanBeReadOnWhatItStandsOn(t *testing.T) {
	for _, accent := range []string{"#0b6354", "#8a2454", "#1a2a7c", "#000000", "#b3261e", "#6d28a8", "#175c9c", "#5c4308"} {
		l, err := look.New(settings(func(s *look.Settings) { s.Accent = accent }), languages)
		if err != nil {
			t.Errorf("%s: %v", accent, err)
			continue
		}
		sheet := string(l.Sheet.Body)
		if m := regexp.MustCompile(`[^-a-z0-9#:;{}() @.,]`).FindString(sheet); m != "" {
			t.Errorf("the sheet has %q: %s", m, sheet)
		}
		if !strings.Contains(sheet, "--leaf:"+accent) || !strings.Contains(sheet, "@media (prefers-color-scheme:dark)") {
			t.Errorf("the sheet of %s is %s", accent, sheet)
		}
	}
}

func picture(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestALogoIsAPNGOrAnSVGOfShapesAlone(t *testing.T) {
	const open, end = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">`, `</svg>`
	whole := picture(t, 400, 100)
	for name, c := range map[string]struct {
		logo []byte
		bad  string
	}{
		"png":             {whole, ""},
		"cut png":         {whole[:len(whole)/2], "cannot be read"},
		"large png":       {picture(t, 2001, 1), "at most 2000 pixels"},
		"shapes":          {[]byte(open + `<defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs><path fill="url(#a)" d="M0 0h9"/>` + end), ""},
		"declared":        {[]byte(`<?xml version="1.0" encoding="UTF-8"?>` + open + `<g transform="rotate(45)"><rect width="9" height="9"/></g>` + end), ""},
		"script":          {[]byte(open + `<script>alert(1)</script>` + end), "<script>"},
		"handler":         {[]byte(open + `<path onload="alert(1)" d="M0 0"/>` + end), "onload"},
		"link":            {[]byte(open + `<a href="https://x.example"><path d="M0 0"/></a>` + end), "<a>"},
		"href":            {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"><path xlink:href="#a" d=""/></svg>`), "xlink"},
		"picture":         {[]byte(open + `<image href="https://x.example/p.png"/>` + end), "<image>"},
		"other document":  {[]byte(open + `<use href="/x.svg#a"/>` + end), "<use>"},
		"page":            {[]byte(open + `<foreignObject><body/></foreignObject>` + end), "<foreignObject>"},
		"style":           {[]byte(open + `<style>@import "//x.example"</style>` + end), "<style>"},
		"style attribute": {[]byte(open + `<path style="fill:url(//x.example)" d=""/>` + end), "style"},
		"loaded fill":     {[]byte(open + `<path fill="url(https://x.example/#a)" d=""/>` + end), "fill"},
		"hidden fill":     {[]byte(open + `<path fill="u\72l(//x.example)" d=""/>` + end), "fill"},
		"animation":       {[]byte(open + `<animate attributeName="href" to="javascript:1"/>` + end), "<animate>"},
		"set":             {[]byte(open + `<set attributeName="fill" to="red"/>` + end), "<set>"},
		"entity":          {[]byte(`<!DOCTYPE svg [<!ENTITY a "b">]>` + open + end), "DOCTYPE"},
		"stylesheet":      {[]byte(`<?xml-stylesheet href="x.css"?>` + open + end), "xml-stylesheet"},
		"other space":     {[]byte(`<svg xmlns="http://www.w3.org/1999/xhtml" viewBox="0 0 1 1"/>`), "<svg>"},
		"no space":        {[]byte(`<svg viewBox="0 0 1 1"/>`), "<svg>"},
		"html":            {[]byte(`<html xmlns="http://www.w3.org/1999/xhtml"/>`), "<html>"},
		"no size":         {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "without a size"},
		"broken":          {[]byte(open + `<path`), "can be read"},
		"large":           {[]byte(open + strings.Repeat(" ", 70<<10) + end), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := look.New(settings(func(s *look.Settings) { s.Logo = c.logo }), languages)
			switch {
			case c.bad == "" && err != nil:
				t.Error(err)
			case c.bad == "":
				if len(l.Files()) != 1 || l.LogoWidth < 1 || l.LogoWidth > 180 || l.LogoHeight > 40 {
					t.Errorf("%d files, %d x %d", len(l.Files()), l.LogoWidth, l.LogoHeight)
				}
			case err == nil || !strings.Contains(err.Error(), "logo: ") || !strings.Contains(err.Error(), c.bad):
				t.Errorf("%v, want %q", err, c.bad)
			}
		})
	}
}
