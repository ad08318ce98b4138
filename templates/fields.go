package templates

import (
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"tollgate/internal/i18n"
)

// cardField is one input of the card form; its texts are ids.
type cardField struct {
	id, label, hint, value            string
	autocomplete, inputmode, capitals string
	maxlength                         string // only where nobody can paste more than is wanted: browsers cut silently
	err, missing, invalid, past       string
	unsupported                       string
	four                              bool // American Express is taken, whose code is another
	optional                          bool // needed with one of the choices only
	focus                             bool // where there is no list of errors to begin with
}

func (p CardPage) fields() []cardField {
	fields := []cardField{
		{id: "number", label: p.words("number"), autocomplete: "cc-number", inputmode: "numeric", capitals: "off",
			err: cardErrorTexts[p.Errors.Number], missing: "error_number_missing", invalid: "error_number_invalid",
			unsupported: "error_number_unsupported"},
		{id: "expiry", label: "expiry", hint: "expiry_hint", value: p.Expiry, autocomplete: "cc-exp", inputmode: "numeric",
			capitals: "off",
			err:      cardErrorTexts[p.Errors.Expiry], missing: "error_expiry_missing", invalid: "error_expiry_invalid",
			past: "error_expiry_past"},
		{id: "cvc", label: "cvc", hint: "cvc_hint", autocomplete: "cc-csc", inputmode: "numeric", capitals: "off", four: p.takes("amex"),
			err: cardErrorTexts[p.Errors.CVC], missing: "error_cvc_missing", invalid: "error_cvc_invalid"},
		{id: "name", label: "name", value: p.Name, autocomplete: "cc-name", inputmode: "text", capitals: "characters", maxlength: "64",
			err: cardErrorTexts[p.Errors.Name], missing: "error_name_missing", invalid: "error_name_invalid"},
	}
	if p.AskTo {
		fields = append(fields, toField(p.Errors.To, false))
	}
	return fields
}

// toField asks for the card that a transfer goes to. No browser should offer the shopper's own.
func toField(err CardError, focus bool) cardField {
	return cardField{id: "to_number", label: "to_number", autocomplete: "off", inputmode: "numeric", capitals: "off",
		focus: focus,
		err:   cardErrorTexts[err], missing: "error_to_missing", invalid: "error_to_invalid"}
}

func (p SavedCardsPage) cvcField() cardField {
	return cardField{id: "cvc", label: "cvc", hint: "saved_cvc_hint", autocomplete: "cc-csc", inputmode: "numeric",
		capitals: "off",
		err:      cardErrorTexts[p.Errors.CVC], missing: "error_cvc_missing", invalid: "error_cvc_invalid", optional: true,
		focus: p.Errors.CVC != ""}
}

func (p SavedCardsPage) toField() cardField {
	return toField(p.Errors.To, p.Errors.To != "" && p.Errors.CVC == "")
}

func (p SavedCardsPage) heading() string {
	if len(p.Choice.Ways) > 0 {
		return "ways_title"
	}
	return p.words("saved_title")
}

// chosen tells which choice is made already: the earlier one, else the first.
func (p SavedCardsPage) chosen(i int) bool {
	if slices.ContainsFunc(p.Choice.Ways, func(w Way) bool { return w.Chosen }) {
		return false
	}
	return p.Cards[i].ID == p.Chosen || p.Chosen == "" && i == 0
}

func (f cardField) describedBy() string { return describedBy(f.id, f.hint) }

func (p CardPage) heading() string {
	switch {
	case p.again():
		return "card_again_title"
	case len(p.Choice.Ways) > 0:
		return "ways_title"
	}
	return p.words("card_title")
}

func (p CardPage) title() string {
	if p.Errors.Any() || p.notice() != "" {
		return p.errorTitle()
	}
	return title(p.Layout, p.heading())
}

// errorTitle tells a screen reader first of all that something is to be put right. Beside other ways to pay that is the card's.
func (p CardPage) errorTitle() string {
	id := p.heading()
	if id == "ways_title" {
		id = "card_title"
	}
	return titleOf(p.Layout, id, true)
}

// titleOf is a page's title, and says first of all where something is to be put right.
func titleOf(l Layout, id string, wrong bool) string {
	if wrong {
		return l.T.T("title_error", "Title", title(l, id))
	}
	return title(l, id)
}

func (p SavedCardsPage) title() string {
	if wrong := p.Errors.Any() || p.Choice.Wrong != "" || noticeText(p.Decline, p.NotCharged) != ""; wrong {
		return titleOf(p.Layout, "saved_title", true) // a question is nothing to be put right
	}
	return title(p.Layout, p.heading())
}

func (p StartPage) title() string {
	switch {
	case p.Error != "" || p.Choice.Wrong != "":
		return titleOf(p.Layout, "phone", true)
	case noticeText(p.Decline, p.NotCharged) != "" && len(p.Choice.Ways) > 0:
		return titleOf(p.Layout, "card_title", true)
	}
	return titleOf(p.Layout, p.heading(), noticeText(p.Decline, p.NotCharged) != "")
}

func (p ResultPage) title() string {
	if p.Mail != nil && p.Mail.Wrong {
		return titleOf(p.Layout, "mail_title", true)
	}
	return title(p.Layout, p.texts().title)
}

// loginField is the one input of a login form; its texts are ids.
type loginField struct {
	id, label, hint, autocomplete, inputmode, value, button string
	focus                                                   bool
	begins                                                  bool // the form begins a payment: it tells of the browser
	remember                                                bool // asks whether the customer is to be known here
}

func (f loginField) describedBy() string { return describedBy(f.id, f.hint) }

func describedBy(id, hint string) string {
	if hint == "" {
		return id + "-error"
	}
	return id + "-hint " + id + "-error"
}

// liveData are the attributes that live.js reads.
type liveData struct {
	next   string // where it goes
	events string // what it listens to
	poll   int    // seconds between reloads while nothing is heard
	goOn   bool   // goes to next by itself, after delay seconds
	delay  int
	method string // id of the MethodDone message that wakes it
	back   string // where it goes when the browser brings the page back from its memory
}

func (d liveData) attributes(nonce string) templ.Attributes {
	a := nonceOnly(nonce)
	for name, value := range map[string]string{
		"data-next": string(webURL(d.next)), "data-events": string(webURL(d.events)), "data-back": string(webURL(d.back)),
		"data-method": d.method,
	} {
		if value != "" {
			a[name] = value
		}
	}
	if d.poll > 0 {
		a["data-poll"] = strconv.Itoa(d.poll)
	}
	if d.goOn {
		a["data-delay"] = strconv.Itoa(d.delay)
	}
	return a
}

func nonceOnly(nonce string) templ.Attributes {
	if nonce == "" {
		return templ.Attributes{}
	}
	return templ.Attributes{"nonce": nonce}
}

func frameTitle(i int) string { return "3-D Secure " + strconv.Itoa(i+1) }

func (p WaitPage) heading() string {
	if p.Reason == WaitChecking {
		return "wait_checking"
	}
	return "wait_processing"
}

func (p LeavePage) goes() bool { return p.Auto && p.Info == "" }

func (p LeavePage) head() templ.Component {
	if !p.goes() {
		return nil
	}
	return reload(0, p.URL)
}

func (l Layout) hasHeader() bool { return l.AmountText != "" || l.MerchantName != "" }

// direction is the attribute of a language that is written from right to left.
func direction(t *i18n.Localizer) templ.Attributes {
	if t.RightToLeft() {
		return templ.Attributes{"dir": "rtl"}
	}
	return nil
}

// ground is the colour of the page, for the browser's own frame.
func (l Layout) ground(dark bool) string {
	switch {
	case dark && l.Look != nil && l.Look.DarkGround != "":
		return l.Look.DarkGround
	case dark:
		return "#101513"
	case l.Look != nil && l.Look.LightGround != "":
		return l.Look.LightGround
	}
	return "#f3f5f3"
}

// shop is what the shop is called, and shopLang in which language.
func (l Layout) shop() string {
	if l.Look != nil && l.Look.Title != "" {
		return l.Look.Title
	}
	return l.MerchantName
}

func (l Layout) shopLang() string {
	if l.Look != nil && l.Look.Title != "" {
		return l.T.Lang()
	}
	return l.TextLang
}

func (l Layout) addressLang() string {
	if l.Look.AddressOwn {
		return l.T.Lang()
	}
	return l.TextLang
}

func (l Layout) isLong() bool { return isLong(l.Description) }

// testCards are the ends of the sandbox's cards beside the form. Their numbers are in test.js alone: no page holds a card's number or
// its last digits, and tests search pages for them. Until the script has come the place is kept and empty.
func (p CardPage) testCards() []string {
	return []string{p.T.T(p.words("result_paid")), p.T.T(p.words("bank_title")), p.T.T(p.words("result_declined"))}
}

// text is how long it is good, never more than it is.
func (g Good) text(t *i18n.Localizer) string {
	if g.Left < 2*time.Minute {
		return strconv.Itoa(int(g.Left/time.Second)) + "\u00a0" + t.T("seconds")
	}
	return i18n.FormatDuration(t.Lang(), g.Left.Truncate(time.Minute))
}

// again tells whether the card of an earlier page is asked for.
func (p CardPage) again() bool { return p.AskAgain || p.AskLast4 != "" }
