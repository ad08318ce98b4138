package providers

import (
	"strings"

	"tollgate/threeds"
)

// BrowserKnown tells whether there was a browser at all: a merchant's own charge has none.
func BrowserKnown(b threeds.BrowserData) bool {
	return b.UserAgent != "" || b.AcceptHeader != "" || b.Language != "" || b.IP != "" || b.JavascriptEnabled
}

// Browser is what an AReq says of the shopper's browser, made whole: EMV 3DS requires members that some browsers do not
// tell, and gateways refuse a message without them. What was told stays; what was not is the plainest legal value, so that
// nobody's screen or language is made up: the page's language (else English), any content, 24 bits of colour, no time
// difference, and a screen of 0 pixels, which is digits as EMV wants them and no real screen's. Without script EMV 3DS 2.2
// wants colours, screen and time zone not at all; then they stay away.
func Browser(p Payment, b threeds.BrowserData) threeds.BrowserData {
	language := p.Locale
	if language == "" {
		language = "en"
	}
	for _, m := range []struct {
		to    *string
		plain string
		bare  bool // wanted without script too
	}{
		{&b.AcceptHeader, "*/*", true}, {&b.UserAgent, "unknown", true}, {&b.IP, p.Customer.IP, true}, {&b.Language, language, true},
		{&b.ColorDepth, "24", false}, {&b.ScreenHeight, "0", false}, {&b.ScreenWidth, "0", false}, {&b.TZ, "0", false},
	} {
		if (m.bare || b.JavascriptEnabled) && strings.TrimSpace(*m.to) == "" {
			*m.to = m.plain
		}
	}
	return b
}
