package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/merchant"
	"tollgate/providers"
	"tollgate/session"
)

// chargeWait is how long a charge or payout waits for its end; after that the answer says how far it is.
const chargeWait = 8 * time.Second

// newCharge is the body of POST /v1/charges: a merchant-initiated payment with a saved card.
type newCharge struct {
	SavedCard   string            `json:"saved_card"`
	Amount      *int64            `json:"amount"`
	Currency    string            `json:"currency"`
	Reference   string            `json:"reference"` // unique in the account, for ever
	Description string            `json:"description"`
	Capture     string            `json:"capture"`
	SuccessURL  string            `json:"success_url"` // where a shopper goes on who has to confirm
	CancelURL   string            `json:"cancel_url"`
	Billing     providers.Billing `json:"billing"`
	Metadata    map[string]string `json:"metadata"`
	WebhookURL  string            `json:"webhook_url"`
}

// charge pays with a saved card while the customer is away. Where the bank wants the customer after all, the answer is
// action_required with the url to send them to.
func (a api) charge(c echo.Context) error {
	var in newCharge
	if err := readJSON(c, &in); err != nil {
		return err
	}
	ctx, m := c.Request().Context(), merchantOf(c)
	saved, err := a.Customers.SavedCard(ctx, m.ID, in.SavedCard)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return err
	}
	if err != nil {
		return &invalid{[]fieldError{{"/saved_card", "is not one of the merchant's saved cards"}}}
	}
	s, err := a.session(m, newSession{
		Account: saved.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: orShop(in.SuccessURL, a.BaseURL),
		CancelURL: orShop(in.CancelURL, a.BaseURL), Method: "saved_card", Capture: in.Capture, Description: in.Description,
		Customer: providers.Customer{ID: saved.Customer}, Billing: in.Billing, Metadata: in.Metadata, WebhookURL: in.WebhookURL, SavedCard: saved.ID,
	})
	if err != nil {
		return renamed(err, "order_id", "reference")
	}
	return a.send(c, s, session.Submission{Kind: "saved_card", Saved: &saved, Merchant: true})
}

// orShop stands in for an address that nobody may need: the front's own.
func orShop(url, front string) string {
	if url == "" {
		return front + "/"
	}
	return url
}

// renamed gives a field the name that the caller knows it by.
func renamed(err error, from, to string) error {
	if bad, ok := err.(*invalid); ok {
		for i := range bad.fields {
			if bad.fields[i].Pointer == "/"+from {
				bad.fields[i].Pointer = "/" + to
			}
		}
	}
	return err
}

// send creates a session whose order id was never used, pays it without a page, and waits a while for its end. Where an
// earlier run of the same idempotent request created it, that one is paid, unless it was already.
func (a api) send(c echo.Context, s *session.Session, in session.Submission) error {
	ctx := c.Request().Context()
	if claim, ok := merchant.ClaimOf(ctx); ok && claim.Effect.Session != "" {
		earlier, err := a.Store.Load(ctx, claim.Effect.Session)
		if err != nil {
			return err
		}
		if len(earlier.Attempts) > 0 {
			return a.sent(c, earlier.ID)
		}
		return a.submit(c, earlier.ID, in)
	}
	used, err := a.Store.List(ctx, session.Filter{Merchant: s.Merchant, Account: s.Account, OrderID: s.OrderID, Limit: 1})
	if err != nil {
		return err
	}
	if len(used) > 0 {
		return &session.OrderTaken{SessionID: used[0].ID}
	}
	if err := a.Flow.Create(ctx, s); err != nil {
		return err
	}
	return a.submit(c, s.ID, in)
}

func (a api) submit(c echo.Context, id string, in session.Submission) error {
	if err := a.Flow.Submit(c.Request().Context(), id, in); err != nil {
		return err
	}
	return a.sent(c, id)
}

func (a api) sent(c echo.Context, id string) error {
	limited, done := context.WithTimeout(c.Request().Context(), chargeWait)
	defer done()
	s, err := a.Flow.Wait(limited, id, func(s *session.Session) bool {
		return s.Live() == nil || s.Live().State == session.Shopper || s.Live().State == session.Unknown
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, a.object(s))
}

// newPayout is the body of POST /v1/payouts. Exactly one of card, saved_card, phone and payment says where to.
type newPayout struct {
	Account     string            `json:"account"`
	Amount      *int64            `json:"amount"`
	Currency    string            `json:"currency"`
	Reference   string            `json:"reference"`
	Description string            `json:"description"`
	Metadata    map[string]string `json:"metadata"`
	WebhookURL  string            `json:"webhook_url"`
	To          struct {
		Card *struct {
			Number string `json:"number"`
			Holder string `json:"holder"`
		} `json:"card"`
		SavedCard string `json:"saved_card"`
		Phone     string `json:"phone"`
		BankID    string `json:"bank_id"`
		FirstName string `json:"first_name"`
		Middle    string `json:"middle_name"`
		LastName  string `json:"last_name"`
		Payment   string `json:"payment"` // id of a session: back to the card it was paid with
	} `json:"to"`
}

// payout sends money out. The card number of a destination is in memory only.
func (a api) payout(c echo.Context) error {
	var in newPayout
	if err := readJSON(c, &in); err != nil {
		return err
	}
	m := merchantOf(c)
	s, err := a.session(m, newSession{
		Account: in.Account, Amount: in.Amount, Currency: in.Currency, OrderID: in.Reference, SuccessURL: a.BaseURL + "/", CancelURL: a.BaseURL + "/",
		Description: in.Description, Metadata: in.Metadata, WebhookURL: in.WebhookURL,
	})
	if err != nil {
		return renamed(err, "order_id", "reference")
	}
	to, masked, err := a.destination(c, m.ID, in)
	if err != nil {
		return err
	}
	s.Kind, s.Method = session.KindPayout, session.KindPayout
	return a.send(c, s, session.Submission{Kind: session.KindPayout, To: to, Card: masked})
}

func (a api) destination(c echo.Context, owner string, in newPayout) (*providers.Destination, card.Card, error) {
	to := &providers.Destination{BankID: in.To.BankID, First: in.To.FirstName, Middle: in.To.Middle, Last: in.To.LastName}
	bad := func(field, detail string) error { return &invalid{[]fieldError{{"/to" + field, detail}}} }
	var shown card.Card
	ways := 0
	if in.To.Card != nil {
		ways++
		number, err := card.ParseNumber(in.To.Card.Number)
		if err != nil {
			return nil, shown, bad("/card/number", "is not a card number")
		}
		shown = card.Card{Number: number, Name: in.To.Card.Holder}
		to.Card = &shown
	}
	if in.To.SavedCard != "" {
		ways++
		saved, err := a.Customers.SavedCard(c.Request().Context(), owner, in.To.SavedCard)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return nil, shown, err
		}
		if err != nil || saved.Account != in.Account {
			return nil, shown, bad("/saved_card", "is not one of the merchant's saved cards in this account")
		}
		to.Saved = saved.GatewayID
	}
	if in.To.Phone != "" {
		ways++
		if !phone.MatchString(in.To.Phone) {
			return nil, shown, bad("/phone", "must be digits with an optional + in front")
		}
		to.Phone = digitsOf(in.To.Phone)
	}
	if in.To.Payment != "" {
		ways++
		paid, err := a.Store.Load(c.Request().Context(), in.To.Payment)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return nil, shown, err
		}
		if err != nil || paid.Merchant != owner || paid.Account != in.Account || paid.Good() == nil {
			return nil, shown, bad("/payment", "is not a payment of this account")
		}
		to.PaymentID = paid.Good().Ref.OrderID
	}
	if ways != 1 {
		return nil, shown, bad("", "must name exactly one of card, saved_card, phone and payment")
	}
	return to, shown, nil
}

// savedCardObject is a saved card as merchants see it.
type savedCardObject struct {
	ID        string      `json:"id"`
	Account   string      `json:"account"`
	Customer  string      `json:"customer"`
	Card      *cardObject `json:"card,omitempty"`
	Expiry    string      `json:"expiry,omitempty"`
	Name      string      `json:"name,omitempty"`
	CreatedAt string      `json:"created_at"`
}

func savedCardOf(c session.SavedCard) savedCardObject {
	o := savedCardObject{ID: c.ID, Account: c.Account, Customer: c.Customer, Expiry: c.Expiry, Name: c.Name, CreatedAt: stamp(c.CreatedAt)}
	if c.Card.Last4 != "" {
		o.Card = &cardObject{c.Card.Brand, c.Card.First6, c.Card.Last4}
	}
	return o
}

func (a api) savedCards(c echo.Context) error {
	found, err := a.Customers.SavedCards(c.Request().Context(), merchantOf(c).ID, c.QueryParam("account"), c.Param("customer"))
	if err != nil {
		return err
	}
	out := page[savedCardObject]{Data: []savedCardObject{}}
	for _, one := range found {
		out.Data = append(out.Data, savedCardOf(one))
	}
	return c.JSON(http.StatusOK, out)
}

func (a api) renameCard(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if n := len([]rune(in.Name)); n < 1 || n > 64 {
		return &invalid{[]fieldError{{"/name", "must be 1 to 64 characters"}}}
	}
	ctx, m := c.Request().Context(), merchantOf(c).ID
	if err := a.Flow.RenameCard(ctx, m, c.Param("card"), in.Name); err != nil {
		return err
	}
	saved, err := a.Customers.SavedCard(ctx, m, c.Param("card"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, savedCardOf(saved))
}

func (a api) forgetCard(c echo.Context) error {
	if err := a.Flow.ForgetCard(c.Request().Context(), merchantOf(c).ID, c.Param("card")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

type bankObject struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (a api) banks(c echo.Context) error {
	if !merchantOf(c).May(c.Param("account")) {
		return session.ErrNoAccount
	}
	banks, err := a.Flow.Banks(c.Request().Context(), c.Param("account"))
	if err != nil {
		return err
	}
	out := page[bankObject]{Data: []bankObject{}}
	for _, b := range banks {
		out.Data = append(out.Data, bankObject(b))
	}
	return c.JSON(http.StatusOK, out)
}

// history is the gateway's own list of transactions.
func (a api) history(c echo.Context) error {
	if !merchantOf(c).May(c.Param("account")) {
		return session.ErrNoAccount
	}
	q := providers.HistoryQuery{To: a.Now(), Limit: 30, Status: c.QueryParam("status")}
	q.From = q.To.Add(-24 * time.Hour)
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if v := c.QueryParam(name); v != "" {
			at, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return &invalid{[]fieldError{{"/" + name, "must be a time as 2026-11-21T10:00:00Z"}}}
			}
			*to = at
		}
	}
	for name, to := range map[string]*int{"limit": &q.Limit, "offset": &q.Offset} {
		if v := c.QueryParam(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > 100_000 || name == "limit" && (n < 1 || n > 100) {
				return &invalid{[]fieldError{{"/" + name, "limit is from 1 to 100, offset not negative"}}}
			}
			*to = n
		}
	}
	lines, err := a.Flow.History(c.Request().Context(), merchantOf(c).ID, c.Param("account"), c.QueryParam("customer"), q)
	if err != nil {
		return err
	}
	out := page[historyObject]{Data: []historyObject{}}
	for _, l := range lines {
		o := historyObject{l.Reference, l.OrderID, stamp(l.At), l.Kind, string(l.Outcome), l.Amount.Minor, l.Amount.Currency.Code, nil}
		if l.Card.Last4 != "" {
			o.Card = &cardObject{l.Card.Brand, l.Card.First6, l.Card.Last4}
		}
		out.Data = append(out.Data, o)
	}
	return c.JSON(http.StatusOK, out)
}

type historyObject struct {
	Reference      string      `json:"reference,omitempty"`
	GatewayOrderID string      `json:"gateway_order_id,omitempty"`
	At             string      `json:"at,omitempty"`
	Kind           string      `json:"kind"`
	Outcome        string      `json:"outcome"`
	Amount         int64       `json:"amount"`
	Currency       string      `json:"currency"`
	Card           *cardObject `json:"card,omitempty"`
}
