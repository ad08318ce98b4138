package handlers

import (
	"bytes"
	"errors"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
	"tollgate/threeds"
)

// begin shows how a payment begins: the login where the account wants the customer first, the choice of a saved card, a
// button where no card is needed here, or the card form.
func (p pay) begin(c echo.Context, s *session.Session, f form) error {
	if f.errors.Any() || f.stale {
		return p.card(c, s, f)
	}
	if p.Flow.Logins.Needed(s) {
		return p.login(c, s, f)
	}
	switch s.Method {
	case "qr", "sberpay", "hosted":
		return p.startPage(c, s, f)
	}
	if !f.newCard {
		cards, err := p.savedCards(c, s)
		if errors.Is(err, wallet.ErrLogin) {
			if s, err = p.load(c); err == nil && p.Flow.Logins.Needed(s) {
				return p.login(c, s, f)
			}
		}
		if err != nil {
			return err
		}
		if len(cards) > 0 {
			return p.choice(c, s, cards, f)
		}
		if s.Method == "saved_card" {
			if offers, err := p.offersSaved(c, s); err != nil {
				return err
			} else if offers {
				return p.offer(c, s)
			}
		}
	}
	return p.card(c, s, f)
}

// newCard is the card form for a shopper who has saved cards and wants another.
func (p pay) newCard(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if s.Live() != nil || s.Status() != session.StatusOpen {
		return back(c, s.ID)
	}
	return p.page(c, s, form{newCard: true})
}

// mine tells whether this browser is the customer's: the one that logged in, else the first that asked for what is theirs.
// Looking at a page makes no browser so.
func (p pay) mine(c echo.Context, s *session.Session) bool {
	id := p.Browsers.Known(c.Request().Context())
	if s.Login != nil && s.Login.Done {
		return id != "" && s.Login.Browser == id
	}
	return id != "" && s.FirstBrowser == id
}

// free tells whether this browser may still become the customer's.
func free(s *session.Session) bool {
	return s.FirstBrowser == "" && s.Login == nil && s.Live() == nil && s.Status() == session.StatusOpen
}

// customer makes this browser the customer's, if none is. The page's token has to prove the press: a browser that shows none
// would not be known again.
func (p pay) customer(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !free(s) {
		return back(c, s.ID)
	}
	ctx := c.Request().Context()
	if !p.Browsers.Proves(ctx, c.FormValue("csrf")) {
		if p.Flow.Logins.Needed(s) {
			return back(c, s.ID)
		}
		return p.page(c, s, form{stale: true, newCard: true})
	}
	id, err := p.Browsers.ID(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Flow.Open(ctx, s.ID, id); err != nil {
		return err
	}
	return back(c, s.ID)
}

// offersSaved tells whether there are saved cards that the first browser to ask for them may see.
func (p pay) offersSaved(c echo.Context, s *session.Session) (bool, error) {
	if !free(s) || s.Customer.ID == "" || p.Flow.Logins.Needed(s) {
		return false, nil
	}
	cards, err := p.customersCards(c, s)
	return len(cards) > 0, err
}

// savedCards are the customer's, for the customer's browser only. wallet.ErrLogin where the customer has to log in again.
func (p pay) savedCards(c echo.Context, s *session.Session) ([]wallet.SavedCard, error) {
	if !p.mine(c, s) {
		return nil, nil
	}
	return p.customersCards(c, s)
}

// customersCards are the customer's, whoever looks.
func (p pay) customersCards(c echo.Context, s *session.Session) ([]wallet.SavedCard, error) {
	if s.Customer.ID == "" && s.Login == nil {
		return nil, nil
	}
	cards, err := p.Flow.SavedCards(c.Request().Context(), s)
	if errors.Is(err, wallet.ErrLogin) {
		return nil, err
	}
	if err != nil { // a gateway that cannot list them just now costs the choice, not the payment
		p.Log.Warn("saved cards cannot be listed", "session", s.ID, "error", err)
		return nil, nil
	}
	if s.Target != nil { // a card cannot pay itself
		cards = slices.DeleteFunc(cards, func(c wallet.SavedCard) bool { return c.ID == s.Target.Saved })
	}
	if s.SavedCard != "" {
		for _, one := range cards {
			if one.ID == s.SavedCard {
				return []wallet.SavedCard{one}, nil
			}
		}
	}
	return cards, nil
}

func (p pay) choice(c echo.Context, s *session.Session, cards []wallet.SavedCard, f form) error {
	token, err := p.Browsers.CSRF(c.Request().Context())
	if err != nil {
		return err
	}
	page := templates.SavedCardsPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/saved", CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
		AskCVC: p.Flow.Accounts[s.Account].AsksCode(), AskTo: s.AsksTarget(), Chosen: f.chosen, Errors: f.errors,
	}
	for _, one := range cards {
		page.Cards = append(page.Cards, templates.SavedCard{ID: one.ID, Brand: one.Card.Brand, Last4: one.Card.Last4, Expiry: one.Expiry})
	}
	return render(c, p.Options, codeOf(f.errors.Any()), ownPage, "", templates.SavedCards(page))
}

// offer is the button in place of the choice, until somebody has asked for the saved cards.
func (p pay) offer(c echo.Context, s *session.Session) error {
	token, err := p.Browsers.CSRF(c.Request().Context())
	if err != nil {
		return err
	}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.SavedOffer(templates.SavedOfferPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/customer", NewCard: payPath(s.ID) + "/new",
		CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
	}))
}

// codeOf is the status of a form that is shown, or shown again with what is wrong.
func codeOf(wrong bool) int {
	if wrong {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// saved takes the choice of a saved card.
func (p pay) saved(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	chosen := c.FormValue("card")
	if chosen == "new" {
		return c.Redirect(http.StatusSeeOther, payPath(s.ID)+"/new")
	}
	if s.Live() != nil || s.Status() != session.StatusOpen || p.Flow.Logins.Needed(s) {
		return back(c, s.ID)
	}
	cards, err := p.savedCards(c, s)
	if errors.Is(err, wallet.ErrLogin) {
		return back(c, s.ID)
	}
	if err != nil {
		return err
	}
	for _, one := range cards {
		if one.ID != chosen {
			continue
		}
		in, f := flow.Submission{Kind: "saved_card", Saved: &one}, form{chosen: chosen}
		if p.Flow.Accounts[s.Account].AsksCode() {
			in.Card.Code, err = card.ParseCode(cut(c.FormValue("cvc"), 10))
			f.errors.CVC = cardError(err)
		}
		f.errors.To = target(c, s, &in)
		if f.errors.Any() {
			return p.choice(c, s, cards, f)
		}
		p.browser(c, &in)
		return p.submitted(c, s, p.Flow.Submit(c.Request().Context(), s.ID, in))
	}
	return back(c, s.ID)
}

// target reads the card that a transfer goes to, where the page asks for it.
func target(c echo.Context, s *session.Session, in *flow.Submission) templates.CardError {
	if !s.AsksTarget() {
		return ""
	}
	number, err := card.ParseNumber(cut(c.FormValue("to_number"), 40))
	switch {
	case errors.Is(err, card.ErrNumberMissing):
		return templates.ToMissing
	case err != nil:
		return templates.ToInvalid
	case number.Reveal() == in.Card.Number.Reveal():
		return templates.ToSame
	}
	in.To = &providers.Destination{Card: &card.Card{Number: number}}
	return ""
}

// browser notes what gateways and banks want to know of the shopper's browser.
func (p pay) browser(c echo.Context, in *flow.Submission) {
	in.IP, in.BrowserID = c.RealIP(), p.Browsers.Known(c.Request().Context())
	in.Browser = threeds.ReadBrowserData(c.Request().Header, in.IP, c.Request().PostForm)
	if in.Browser.AcceptHeader == "" {
		in.Browser.AcceptHeader = "*/*" // what its absence means (RFC 9110 §12.5.1); gateways insist on one
	}
}

// startPage is a button for payments that need no card here.
func (p pay) startPage(c echo.Context, s *session.Session, f form) error {
	token, err := p.Browsers.CSRF(c.Request().Context())
	if err != nil {
		return err
	}
	page := templates.StartPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/start", CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
		Hosted: s.Method == "hosted", AskPhone: s.Method == "sberpay" && s.Customer.Phone == "", Phone: f.phone, Error: f.login,
	}
	if a := s.Last(); a != nil && f.login == "" {
		switch {
		case a.State == session.Declined && a.Decline != nil:
			page.Decline = string(a.Decline.Reason)
		case a.State == session.Failed, a.State == session.Abandoned:
			page.NotCharged = true
		}
	}
	return render(c, p.Options, codeOf(f.login != ""), ownPage, "", templates.Start(page))
}

// start begins a payment that needs no card here.
func (p pay) start(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if s.Live() != nil || s.Status() != session.StatusOpen || p.Flow.Logins.Needed(s) || s.Method == "card" || s.Method == "saved_card" {
		return back(c, s.ID)
	}
	in := flow.Submission{Kind: s.Method, Phone: digitsOf(s.Customer.Phone)}
	if s.Method == "sberpay" && in.Phone == "" {
		phone, wrong := readPhone(c.FormValue("phone"))
		if wrong != "" {
			return p.page(c, s, form{phone: shownAgain(c.FormValue("phone"), 24), login: wrong})
		}
		in.Phone = phone
	}
	p.browser(c, &in)
	return p.submitted(c, s, p.Flow.Submit(c.Request().Context(), s.ID, in))
}

// scan shows a code for the bank's app.
func (p pay) scan(c echo.Context, s *session.Session, layout templates.Layout, step *providers.Step) error {
	page := templates.ScanPage{Layout: layout, Link: step.Link, EventsURL: eventsURL(s), Next: payPath(s.ID)}
	if code, err := qr.Encode(step.Link, qr.M, qr.Auto); err == nil {
		if code, err = barcode.Scale(code, 480, 480); err == nil {
			var b bytes.Buffer
			if err := png.Encode(&b, code); err == nil {
				page.PNG = b.Bytes()
			}
		}
	}
	return render(c, p.Options, http.StatusOK, ownPage, layout.Nonce, templates.Scan(page))
}

// logsIn tells whether the shopper has to log in now: before the card, or because the payment that is under way has lost
// its customer.
func (p pay) logsIn(s *session.Session) bool {
	return p.Flow.Logins.Needed(s) && (s.Status() == session.StatusOpen || s.LoginLost())
}

// login asks for the phone, then for the code.
func (p pay) login(c echo.Context, s *session.Session, f form) error {
	token, err := p.Browsers.CSRF(c.Request().Context())
	if err != nil {
		return err
	}
	browser := p.Browsers.Known(c.Request().Context())
	lost, cancel := s.LoginLost(), payPath(s.ID)+"/cancel"
	if lost {
		cancel = ""
	}
	asksCode := s.Login != nil && s.Login.Challenge != "" && browser != "" && s.Login.Browser == browser
	dead := asksCode && (p.Flow.Logins.CodeExpired(s) || s.TriesUsedUp())
	if (!asksCode || dead) && s.CodesUsedUp() || !asksCode && s.PhonesUsedUp() && s.Login.Customer == "" {
		if lost {
			return p.wait(c, s, templates.WaitChecking) // somebody may still log in elsewhere
		}
		return render(c, p.Options, http.StatusOK, ownPage, "", templates.LoginOver(templates.LoginOverPage{
			Layout: p.layout(c, s), CancelAction: cancel, CSRF: token,
		}))
	}
	if !asksCode || slices.Contains(phoneErrors, f.login) {
		if f.login == templates.PhoneUnknown && lost {
			f.login = templates.PhoneOther
		}
		page := templates.LoginPhonePage{
			Layout: p.layout(c, s), Action: payPath(s.ID) + "/phone", CancelAction: cancel, CSRF: token, Phone: f.phone,
			Error: f.login, Checking: lost,
		}
		switch {
		case s.Customer.Phone == "":
		case page.Phone == "" && p.mine(c, s):
			page.Phone = s.Customer.Phone
		case free(s):
			page.KnownAction = payPath(s.ID) + "/customer"
		}
		return render(c, p.Options, codeOf(f.login != ""), ownPage, "", templates.LoginPhone(page))
	}
	page := templates.LoginCodePage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/code", CancelAction: cancel, CSRF: token,
		PhoneText: maskPhone(s.Login.Phone), Left: int(p.Flow.Logins.CodeLeft(s).Round(time.Second) / time.Second),
		Error: f.login, Checking: lost,
	}
	if !s.CodesUsedUp() {
		page.AgainAction = payPath(s.ID) + "/code/again"
		if !lost {
			page.OtherAction = payPath(s.ID) + "/phone/other"
		}
	}
	switch {
	case s.TriesUsedUp():
		page.Error, page.Left = templates.CodeUsedUp, 0
	case f.login == "" && p.Flow.Logins.CodeExpired(s):
		page.Error = templates.CodeExpired
	}
	return render(c, p.Options, codeOf(f.login != ""), ownPage, "", templates.LoginCode(page))
}

// phoneErrors are shown at the phone, though a code may be asked for.
var phoneErrors = []templates.LoginError{
	templates.PhoneMissing, templates.PhoneInvalid, templates.PhoneUnknown,
	templates.PhoneOther, templates.PhoneMany, templates.PhoneDown,
}

func maskPhone(phone string) string {
	if len(phone) < 6 {
		return "•••"
	}
	return "+" + phone[:1] + " ••• ••• " + phone[len(phone)-4:len(phone)-2] + " " + phone[len(phone)-2:]
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// readPhone takes a phone as people write it; 8 in front of ten digits is how 7 is dialled at home. A card number is none,
// also where its digits would do: the phone is stored.
func readPhone(s string) (phone string, wrong templates.LoginError) {
	if strings.TrimSpace(s) == "" {
		return "", templates.PhoneMissing
	}
	d := digitsOf(s)
	if _, err := card.ParseNumber(d); err == nil && len(d) > 12 {
		return "", templates.PhoneInvalid
	}
	if len(d) == 11 && d[0] == '8' && !strings.Contains(s, "+") {
		d = "7" + d[1:]
	}
	if len(d) == 10 && !strings.Contains(s, "+") {
		d = "7" + d
	}
	if len(d) < 10 || len(d) > 15 {
		return "", templates.PhoneInvalid
	}
	return d, ""
}

func (p pay) phone(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.logsIn(s) {
		return back(c, s.ID)
	}
	typed := shownAgain(c.FormValue("phone"), 24)
	phone, wrong := readPhone(c.FormValue("phone"))
	if wrong != "" {
		return p.page(c, s, form{phone: typed, login: wrong})
	}
	return p.send(c, s, typed, phone)
}

// otherPhone takes the shopper from the code back to the phone.
func (p pay) otherPhone(c echo.Context) error {
	browser, err := p.Browsers.ID(c.Request().Context())
	if err != nil {
		return err
	}
	if err := p.Flow.Logins.OtherPhone(c.Request().Context(), c.Param("session"), browser); err != nil {
		return err
	}
	return back(c, c.Param("session"))
}

func (p pay) codeAgain(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	browser, err := p.Browsers.ID(c.Request().Context())
	if err != nil {
		return err
	}
	if !p.logsIn(s) || s.Login == nil || s.Login.Challenge == "" || s.Login.Browser != browser {
		return back(c, s.ID)
	}
	return p.send(c, s, "", s.Login.Phone)
}

// send has a code sent to the phone; typed is as it was typed, "" where another code was asked for.
func (p pay) send(c echo.Context, s *session.Session, typed, phone string) error {
	browser, err := p.Browsers.ID(c.Request().Context())
	if err != nil {
		return err
	}
	switch err = p.Flow.Logins.Phone(c.Request().Context(), s.ID, browser, phone); {
	case err == nil, errors.Is(err, session.ErrStale), errors.Is(err, session.ErrEnded):
		return back(c, s.ID)
	case errors.Is(err, providers.ErrNoCustomer):
		return p.loginAgain(c, form{phone: typed, login: templates.PhoneUnknown})
	case errors.Is(err, session.ErrTooMany):
		s, err := p.load(c)
		if err != nil {
			return err
		}
		if typed != "" && !s.CodesUsedUp() && s.Login.Customer != "" {
			return p.page(c, s, form{phone: typed, login: templates.PhoneMany})
		}
		return back(c, s.ID) // the page says so
	case unanswered(err) && typed != "":
		return p.loginAgain(c, form{phone: typed, login: templates.PhoneDown})
	case unanswered(err):
		return p.loginAgain(c, form{login: templates.CodeDown})
	}
	return err
}

// loginAgain shows the login as it is now, with what went wrong.
func (p pay) loginAgain(c echo.Context, f form) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.logsIn(s) {
		return back(c, s.ID)
	}
	return p.page(c, s, f)
}

// unanswered tells that a gateway gave no clear answer.
func unanswered(err error) bool {
	_, is := errors.AsType[*providers.Failure](err)
	return is
}

func (p pay) code(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.logsIn(s) {
		return back(c, s.ID)
	}
	code := digitsOf(cut(c.FormValue("code"), 12))
	if code == "" {
		return p.page(c, s, form{login: templates.CodeMissing})
	}
	browser, err := p.Browsers.ID(c.Request().Context())
	if err != nil {
		return err
	}
	err = p.Flow.Logins.Code(c.Request().Context(), s.ID, browser, code)
	switch {
	case errors.Is(err, providers.ErrWrongCode) && p.Flow.Logins.CodeExpired(s):
		return p.loginAgain(c, form{login: templates.CodeExpired})
	case errors.Is(err, providers.ErrWrongCode):
		return p.loginAgain(c, form{login: templates.CodeWrong})
	case unanswered(err):
		return p.loginAgain(c, form{login: templates.CodeDown})
	case err == nil, errors.Is(err, session.ErrStale):
		return back(c, s.ID)
	}
	return err
}
