package handlers

import (
	"errors"

	"github.com/labstack/echo/v4"

	"tollgate/session"
	"tollgate/session/browser"
)

// logins are the addresses of a customer's login.
func (p pay) logins(pages routes) {
	pages.POST("/phone", p.phone)
	pages.POST("/phone/other", p.otherPhone)
	pages.POST("/phone/remembered", p.remembered)
	pages.POST("/phone/forget", p.forgetRemembered)
	pages.POST("/code", p.code)
	pages.POST("/code/again", p.codeAgain)
}

// remember keeps the customer who has just logged in, where the shopper ticked that. In a frame nobody is remembered: the shop's
// page around it could be anybody's.
func (p pay) remember(c echo.Context, id, browserID string) error {
	if framed(c) || c.FormValue("remember") == "" {
		return nil
	}
	ctx := c.Request().Context()
	s, err := p.Store.Load(ctx, id)
	if err != nil || s.Login == nil || !s.Login.Done || s.Login.Browser != browserID {
		return err
	}
	mark := p.Wallet.LoginMark(ctx, s.Account, s.Login.Customer)
	if mark == "" {
		return nil
	}
	return p.Browsers.Remember(ctx, browser.Remembered{
		Merchant: s.Merchant, Account: s.Account, Customer: s.Login.Customer, Phone: s.Login.Phone, Login: mark,
	})
}

// rememberedCustomer is whom this browser remembers for the session's merchant and account, while that login is the customer's
// newest.
func (v visit) rememberedCustomer(c echo.Context, s *session.Session) (browser.Remembered, bool) {
	ctx := c.Request().Context()
	if framed(c) {
		return browser.Remembered{}, false
	}
	known, ok := v.Browsers.Remembered(ctx, s.Merchant, s.Account)
	if !ok || !s.TakesCustomer(known.Customer) || v.Wallet.LoginMark(ctx, s.Account, known.Customer) != known.Login {
		return browser.Remembered{}, false
	}
	return known, true
}

// remembered logs in the customer whom this browser remembers.
func (p pay) remembered(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if !p.needsLogin(s) {
		return redirectToPay(c, s.ID)
	}
	known, ok := p.rememberedCustomer(c, s)
	id := p.Browsers.Known(c.Request().Context())
	switch {
	case !ok:
		return redirectToPay(c, s.ID)
	case id == "":
		return p.page(c, s, form{stale: true})
	}
	err = p.Flow.Logins.Remembered(c.Request().Context(), s.ID, id, known.Phone, known.Customer, known.Login)
	if err != nil && !errors.Is(err, session.ErrStale) {
		return err
	}
	return redirectToPay(c, s.ID)
}

// forgetRemembered is "not me".
func (p pay) forgetRemembered(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	p.Browsers.ForgetRemembered(c.Request().Context(), s.Merchant, s.Account)
	return redirectToPay(c, s.ID)
}
