package look

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// colour is red, green and blue, each from 0 to 1.
type colour [3]float64

// readable is the contrast that text needs beside what it stands on (WCAG 2.2, 1.4.3).
const readable = 4.5

// The usual colours of the pages, as static/files/pay.css has them; what a look leaves alone stays so.
var (
	white      = colour{1, 1, 1}
	sheetDark  = mustColour("#19201d")
	paperLight = mustColour("#f3f5f3")
	paperDark  = mustColour("#101513")
	inkLight   = mustColour("#17211d")
	inkDark    = mustColour("#e9efec")
	softLight  = mustColour("#56635d")
	softDark   = mustColour("#a3b0aa")
)

func mustColour(s string) colour {
	c, ok := parseColour(s)
	if !ok {
		panic("look: no colour " + s)
	}
	return c
}

func parseColour(s string) (c colour, ok bool) {
	if len(s) != 7 || s[0] != '#' {
		return c, false
	}
	for i := range c {
		n, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return c, false
		}
		c[i] = float64(n) / 255
	}
	return c, true
}

func (c colour) String() string {
	var b strings.Builder
	b.WriteByte('#')
	for _, v := range c {
		fmt.Fprintf(&b, "%02x", int(math.Round(v*255)))
	}
	return b.String()
}

// luminance is WCAG's relative luminance.
func (c colour) luminance() float64 {
	lin := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c[0]) + 0.7152*lin(c[1]) + 0.0722*lin(c[2])
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// mix is so much of b in a.
func mix(a, b colour, part float64) colour {
	for i := range a {
		a[i] += (b[i] - a[i]) * part
	}
	// As it is written, so that what is checked is what is shown.
	return mustColour(a.String())
}

// lighter mixes white into a colour until it can be read on all of these.
func lighter(c colour, on ...colour) colour {
	for part := 0.0; part < 1; part += 0.05 {
		made, good := mix(c, white, part), true
		for _, o := range on {
			good = good && contrast(made, o) >= readable
		}
		if good {
			return made
		}
	}
	return white
}

// labelOn is the text that can best be read on a colour.
func labelOn(c colour) colour {
	if contrast(c, white) >= contrast(c, inkLight) {
		return white
	}
	return inkLight
}

type wrong struct{ setting, text string }

// sheetOf is the style sheet of a look, or what is wrong with its colours: every text must be readable on what it stands on.
func sheetOf(s Settings, l *Look) (sheet string, faults []wrong) {
	read := func(setting, value string, usual colour) (c colour, given bool) {
		if value == "" {
			return usual, false
		}
		c, ok := parseColour(value)
		if !ok {
			faults = append(faults, wrong{setting, fmt.Sprintf("%q is not a colour such as #0b6354", value)})
		}
		return c, ok
	}
	need := func(setting, what string, a, b colour) {
		if c := contrast(a, b); c < readable {
			faults = append(faults, wrong{setting, fmt.Sprintf("%s (%s on %s) has a contrast of %.1f : 1; at least 4.5 : 1 can be read", what, a, b, math.Floor(c*10)/10)})
		}
	}
	light, lit := read("background", s.Background, paperLight)
	dark, darkened := read("background_dark", s.BackgroundDark, paperDark)
	if lit {
		need("background", "the page's text", inkLight, light)
		need("background", "the page's small text", softLight, light)
		l.LightGround = light.String()
	}
	if darkened {
		need("background_dark", "the page's text", inkDark, dark)
		need("background_dark", "the page's small text", softDark, dark)
		need("background_dark", "small text on the sheet", softDark, mix(dark, white, .06))
		l.DarkGround = dark.String()
	}
	sheetDark := sheetDark
	if darkened {
		sheetDark = mix(dark, white, .06)
	}
	var day, night strings.Builder
	if lit {
		fmt.Fprintf(&day, "--paper:%s;", light)
	}
	if darkened {
		fmt.Fprintf(&night, "--paper:%s;--sheet:%s;--hair:%s;", dark, sheetDark, mix(dark, white, .16))
	}
	accent, given := read("accent", s.Accent, colour{})
	accentDark, givenDark := read("accent_dark", s.AccentDark, colour{})
	if givenDark && !given && s.Accent == "" {
		faults = append(faults, wrong{"accent", "is required beside accent_dark"})
	}
	if given {
		need("accent", "a link on the sheet", accent, white)
		need("accent", "a link on the page", accent, light)
		need("accent", "a button's label", labelOn(accent), accent)
		l.LightAccent = accent.String()
		if !givenDark {
			accentDark = lighter(accent, sheetDark, dark, mix(sheetDark, accent, .12))
		} else {
			need("accent_dark", "a link on the sheet", accentDark, sheetDark)
			need("accent_dark", "a link on the page", accentDark, dark)
			need("accent_dark", "a button's label", labelOn(accentDark), accentDark)
		}
		palette(&day, accent, white, colour{})
		palette(&night, accentDark, sheetDark, white)
	}
	corner := ""
	if s.Corner != nil {
		if *s.Corner < 0 || *s.Corner > 28 {
			faults = append(faults, wrong{"corner", "must be from 0 to 28 pixels"})
		}
		corner = fmt.Sprintf("main{border-radius:%[1]dpx}button,.button,.field input,.choice,.note,.look{border-radius:%[2]dpx}", *s.Corner, *s.Corner*3/4)
	}
	if day.Len() > 0 {
		sheet += ":root{" + strings.TrimSuffix(day.String(), ";") + "}"
	}
	if night.Len() > 0 {
		sheet += "@media (prefers-color-scheme:dark){:root{" + strings.TrimSuffix(night.String(), ";") + "}}"
	}
	return sheet + corner, faults
}

// palette are the colours made from an accent: pressed is mixed with away until the label can be read on it.
func palette(b *strings.Builder, accent, sheet, away colour) {
	label := labelOn(accent)
	press := mix(accent, away, .2)
	if contrast(press, label) < readable {
		press = accent
	}
	// Quiet buttons have the accent as text on the tint while the pointer is over them.
	tint := sheet
	for part := .12; part > 0; part -= .02 {
		if t := mix(sheet, accent, part); contrast(accent, t) >= readable {
			tint = t
			break
		}
	}
	fmt.Fprintf(b, "--leaf:%s;--press:%s;--on-leaf:%s;--tint:%s;", accent, press, label, tint)
}
