package handlers

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
)

// This file is the payment of accounts whose cards the shopper's browser encrypts for the gateway: our server sees no number.

// seals tells whether the session's account has that.
func (p screens) seals(s *session.Session) bool { return p.Flow.Accounts[s.Account].SealsCards() }

// sealStart is the first page: the order has to be registered before its card can be encrypted. Without a key the gateway's own
// page takes the card.
func (p screens) sealStart(c echo.Context, s *session.Session) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	_, err = p.Flow.Accounts[s.Account].SealingKey(c.Request().Context())
	if err != nil {
		p.Log.Warn("there is no key to encrypt cards with: the gateway's own page is offered", "account", s.Account, "error", err)
	}
	page := templates.SealStartPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/card", CancelAction: payPath(s.ID) + "/cancel", CSRF: token, HasKey: err == nil,
		AskSave: s.SaveCard, Left: int(s.ExpiresAt.Sub(p.Now()) / time.Second),
	}
	page.Decline, page.NotCharged = p.lastTry(c, s)
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.SealStart(page))
}

// sealedCard asks for the card of the attempt's order.
func (p screens) sealedCard(c echo.Context, s *session.Session, a *session.Attempt) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	key, err := p.Flow.Accounts[s.Account].SealingKey(c.Request().Context())
	if err != nil {
		return err
	}
	page := templates.SealedCardPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/card", CSRF: token, Modulus: hex.EncodeToString(key.N.Bytes()),
		Exponent: strconv.Itoa(key.E), OrderID: a.Ref.OrderID, Time: p.Now().UnixMilli(), Again: len(a.Calls) > 1,
		Systems: card.Table(), Brands: brandsOf(p.accepted(s)),
	}
	if page.Exit, err = p.exit(c, s, page.T, false); err != nil {
		return err
	}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.SealedCard(page))
}

// maxSealed is what a key of 8192 bits makes, in base64.
const maxSealed = 1368

// submitSealed begins a payment without a card, or takes the encrypted one. What else the form may hold is not read.
func (p pay) submitSealed(c echo.Context, s *session.Session, again bool) error {
	var in flow.Submission
	p.browser(c, s, &in)
	ctx := c.Request().Context()
	if again {
		token := c.FormValue("se_token")
		if raw, err := base64.StdEncoding.DecodeString(token); err != nil || len(raw) < 2048/8 || len(token) > maxSealed {
			return redirectToPay(c, s.ID)
		}
		name := truncate(strings.TrimSpace(c.FormValue("name")), 64)
		if card.Digits(name) > 6 { // a number in the wrong field
			name = ""
		}
		in.Card = card.Card{Sealed: card.NewSealed(token), Name: card.LatinName(name)}
		return p.submitted(c, s, p.Flow.CardAgain(ctx, s.ID, in))
	}
	in.Kind, in.NotKept = "card", c.FormValue("save_card") == ""
	if c.FormValue("way") == "hosted" {
		in.Kind = "hosted"
	}
	if err := p.try(c, s, &in); err != nil {
		return err
	}
	if err := p.mayBegin(); err != nil {
		return err
	}
	return p.submitted(c, s, p.Flow.Submit(ctx, s.ID, in))
}
