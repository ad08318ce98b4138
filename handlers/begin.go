package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
)

// newCard is the card form for a shopper who has saved cards and wants another.
func (p pay) newCard(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if s.Live() != nil || s.Status() != session.StatusOpen {
		return redirectToPay(c, s.ID)
	}
	return p.page(c, s, form{newCard: true})
}

// customer makes this browser the customer's, if none is. The page's token has to prove the press: a browser that shows none
// would not be known again.
func (p pay) customer(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !canBecomeCustomer(s) {
		return redirectToPay(c, s.ID)
	}
	ctx := c.Request().Context()
	id := p.Browsers.Known(ctx)
	if id == "" {
		return p.page(c, s, form{stale: true, newCard: true})
	}
	if _, err := p.Flow.Open(ctx, s.ID, id); err != nil {
		return err
	}
	return redirectToPay(c, s.ID)
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
		return redirectToPay(c, s.ID)
	}
	cards, err := p.savedCards(c, s)
	if errors.Is(err, wallet.ErrLogin) {
		return redirectToPay(c, s.ID)
	}
	if err != nil {
		return err
	}
	if way := p.chosenWay(c, s, "card"); way != "" && way != "saved_card" {
		return p.begin(c, s, way)
	}
	for _, one := range cards {
		if one.ID != chosen {
			continue
		}
		in, f := flow.Submission{Kind: "saved_card", Saved: &one}, form{chosen: chosen}
		if p.Flow.Accounts[s.Account].AsksCode() {
			in.Card.Code, err = card.ParseCodeOf(one.Card.Brand, truncate(c.FormValue("cvc"), mostTyped))
			f.errors.CVC = cardError(err)
		}
		f.errors.To = target(c, s, &in)
		if f.errors.Any() {
			return p.choice(c, s, cards, f)
		}
		p.browser(c, s, &in)
		if err := p.mayBegin(); err != nil {
			return err
		}
		if err := p.try(c, s, &in); err != nil {
			return err
		}
		return p.submitted(c, s, p.Flow.Submit(c.Request().Context(), s.ID, in))
	}
	return redirectToPay(c, s.ID)
}

// deleteSaved deletes one of the customer's saved cards, in the customer's browser, where the page's token proves the press.
func (p pay) deleteSaved(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if s.Live() != nil || !p.proves(c) {
		return redirectToPay(c, s.ID)
	}
	cards, err := p.savedCards(c, s)
	if err != nil && !errors.Is(err, wallet.ErrLogin) {
		return err
	}
	for _, one := range cards {
		if one.ID == c.FormValue("card") {
			if err := p.Wallet.Forget(ctx, s.Merchant, one.ID); err != nil && !errors.Is(err, wallet.ErrLogin) && !errors.Is(err, wallet.ErrNotFound) {
				return err
			}
		}
	}
	return redirectToPay(c, s.ID)
}

// target reads the card that a transfer goes to, where the page asks for it.
func target(c echo.Context, s *session.Session, in *flow.Submission) templates.CardError {
	if !s.AsksTarget() {
		return ""
	}
	number, err := card.ReadNumber(truncate(c.FormValue("to_number"), mostTyped))
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

// start begins a payment that needs no card here.
func (p pay) start(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	way := p.chosenWay(c, s, "way")
	if way == "card" {
		return c.Redirect(http.StatusSeeOther, payPath(s.ID)+"/new")
	}
	if way == "" {
		way = s.Method
	}
	if s.Live() != nil || s.Status() != session.StatusOpen || p.Flow.Logins.Needed(s) || way == "card" || way == "saved_card" {
		return redirectToPay(c, s.ID)
	}
	return p.begin(c, s, way)
}

func (p pay) phone(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.needsLogin(s) {
		return redirectToPay(c, s.ID)
	}
	typed := redisplay(c.FormValue("phone"), 24)
	phone, wrong := readPhone(c.FormValue("phone"))
	if wrong != "" {
		return p.page(c, s, form{phone: typed, login: wrong})
	}
	return p.sendCode(c, s, typed, phone)
}

// otherPhone takes the shopper from the code back to the phone.
func (p pay) otherPhone(c echo.Context) error {
	browser := p.Browsers.Known(c.Request().Context())
	if browser == "" {
		return redirectToPay(c, c.Param("session"))
	}
	if err := p.Flow.Logins.OtherPhone(c.Request().Context(), c.Param("session"), browser); err != nil {
		return err
	}
	return redirectToPay(c, c.Param("session"))
}

func (p pay) codeAgain(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	browser := p.Browsers.Known(c.Request().Context())
	s.Login.For(browser)
	if browser == "" || !p.needsLogin(s) || s.Login == nil || s.Login.Challenge == "" || s.Login.Browser != browser {
		return redirectToPay(c, s.ID)
	}
	return p.sendCode(c, s, "", s.Login.Phone)
}

// sendCode has a code sent to the phone; typed is as it was typed, "" where another code was asked for.
func (p pay) sendCode(c echo.Context, s *session.Session, typed, phone string) error {
	browser := p.Browsers.Known(c.Request().Context())
	if browser == "" { // it would not be known again when the code comes
		return p.page(c, s, form{stale: true, phone: typed})
	}
	if err := p.Limits.Code(c.Request().Context(), s.Account, phone, s.ID, c.RealIP()); err != nil {
		return err
	}
	err := p.Flow.Logins.Phone(c.Request().Context(), s.ID, browser, phone)
	switch {
	case err == nil, errors.Is(err, session.ErrStale), errors.Is(err, session.ErrEnded):
		return redirectToPay(c, s.ID)
	case errors.Is(err, providers.ErrNoCustomer):
		return p.loginAgain(c, form{phone: typed, login: templates.PhoneUnknown})
	case errors.Is(err, session.ErrTooMany):
		s, err := p.load(c)
		if err != nil {
			return err
		}
		if typed != "" && !s.CodesUsedUp(p.Now()) && s.Login.Customer != "" {
			return p.page(c, s, form{phone: typed, login: templates.PhoneMany})
		}
		return redirectToPay(c, s.ID) // the page says so
	case providers.RefusalOfUs(err) != nil:
		return p.refusedLogin(c, s)
	case unanswered(err) && typed != "":
		return p.loginAgain(c, form{phone: typed, login: templates.PhoneDown})
	case unanswered(err):
		return p.loginAgain(c, form{login: templates.CodeDown})
	}
	return err
}

// refusedLogin answers a login that the gateway refuses to the shop itself. Of a payment that is under way it cannot be said that
// nothing was charged.
func (p pay) refusedLogin(c echo.Context, s *session.Session) error {
	if s.LoginLost() {
		return p.loginAgain(c, form{login: templates.CodeDown})
	}
	return p.unavailable(c, s)
}

// loginAgain shows the login as it is now, with what went wrong.
func (p pay) loginAgain(c echo.Context, f form) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.needsLogin(s) {
		return redirectToPay(c, s.ID)
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
	if !p.needsLogin(s) {
		return redirectToPay(c, s.ID)
	}
	code := readCode(c.FormValue("code"))
	if code == "" {
		return p.page(c, s, form{login: templates.CodeMissing})
	}
	browser := p.Browsers.Known(c.Request().Context())
	if browser == "" {
		return redirectToPay(c, s.ID)
	}
	s.Login.For(browser)
	err = p.Flow.Logins.Code(c.Request().Context(), s.ID, browser, code)
	switch {
	case errors.Is(err, providers.ErrWrongCode) && p.Flow.Logins.CodeExpired(s):
		return p.loginAgain(c, form{login: templates.CodeExpired})
	case errors.Is(err, providers.ErrWrongCode):
		return p.loginAgain(c, form{login: templates.CodeWrong})
	case providers.RefusalOfUs(err) != nil:
		return p.refusedLogin(c, s)
	case unanswered(err):
		return p.loginAgain(c, form{login: templates.CodeDown})
	case err == nil:
		if err := p.remember(c, s.ID, browser); err != nil {
			return err
		}
		return redirectToPay(c, s.ID)
	case errors.Is(err, session.ErrStale):
		return redirectToPay(c, s.ID)
	}
	return err
}
