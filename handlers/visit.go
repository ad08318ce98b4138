package handlers

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
	"tollgate/threeds"
)

// visit is what is known of a shopper who looks at a session.
type visit struct{ Options }

func (v visit) load(c echo.Context) (*session.Session, error) {
	s, err := v.Store.Load(c.Request().Context(), c.Param("session"))
	if err == nil {
		c.Set(embedKey, s.EmbedOrigin)
	}
	return s, err
}

func (v visit) layout(c echo.Context, s *session.Session) templates.Layout {
	t := v.language(c, s)
	return templates.Layout{
		Items: itemsOf(t.Lang(), s), Look: templates.LookOf(t.Lang(), v.Merchants.Look(s.Merchant, s.Look)),

		T: t, MerchantName: v.Merchants.Name(s.Merchant), OrderText: s.OrderID, Description: s.Description,
		AmountText: i18n.FormatAmount(t.Lang(), s.Amount.Minor+s.Fee, s.Amount.Currency.Digits, s.Amount.Currency.Code),
		TextLang:   s.Locale, Secure: strings.HasPrefix(v.BaseURL, "https://"),
		EmbedOrigin: s.EmbedOrigin, Ended: viewOf(s).page == pageEnd,
		Converts:      v.converts(s),
		SandboxNotice: v.Sandbox, Self: payPath(s.ID), Transfer: transferOf(t.Lang(), s, v.isCustomer(c, s)),
	}
}

// converts is the currency that the shopper will be charged in, with the gateway's fee; "" where that is the amount shown, and once
// it is known what was taken.
func (v visit) converts(s *session.Session) string {
	if s.FundedAttempt() != nil {
		return ""
	}
	return v.Flow.Accounts[s.Account].Converts()
}

// lateExit is how long a payment is under way before a waiting page shows the way out.
const lateExit = 15 * time.Second

// exit is the way out of a payment under way, for every page on which the shopper or the bank is awaited; nil where nobody is
// paying. soon tells that the page is over in a moment as a rule: then the way out appears after a while.
func (v visit) exit(c echo.Context, s *session.Session, t *i18n.Localizer, soon bool) (*templates.Exit, error) {
	a := s.Live()
	if a == nil || s.Kind == session.KindPayout {
		return nil, nil
	}
	token, err := v.token(c, s)
	if err != nil {
		return nil, err
	}
	way, until := v.Flow.Exits.Way(s, a)
	out := templates.Exit{
		OtherAction: payPath(s.ID) + "/other", CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
		Late: soon && v.Now().Sub(a.CreatedAt) < lateExit,
	}
	if way == providers.Outlives {
		out = templates.Exit{ShopURL: continueURL(s.CancelURL, s.ID), Until: until, Left: until.Sub(v.Now()), Late: out.Late}
	}
	return &out, nil
}

// transferOf is what the pages of a transfer say of it; nil for a payment. The card that the merchant named is a saved one of
// the customer's, and shown to nobody else.
func transferOf(lang string, s *session.Session, mine bool) *templates.Transfer {
	if s.Kind != session.KindTransfer {
		return nil
	}
	var shown templates.Transfer
	if s.Fee > 0 {
		shown.SumText = i18n.FormatAmount(lang, s.Amount.Minor, s.Amount.Currency.Digits, s.Amount.Currency.Code)
		shown.FeeText = i18n.FormatAmount(lang, s.Fee, s.Amount.Currency.Digits, s.Amount.Currency.Code)
	}
	if s.Target != nil && mine {
		shown.ToLast4 = s.Target.Card.Last4
	}
	return &shown
}

// language is the shopper's choice, then the merchant's, then the browser's.
func (v visit) language(c echo.Context, s *session.Session) *i18n.Localizer {
	chosen := ""
	if c.Get(visited) != nil {
		chosen = v.Browsers.Language(c.Request().Context())
	}
	return v.Texts.For(chosen, s.Locale, c.Request().Header.Get("Accept-Language"))
}

// isCustomer tells whether this browser is the customer's: the one that logged in, else the first that asked for the customer's
// saved cards. Opening the page alone does not make a browser the customer's.
func (v visit) isCustomer(c echo.Context, s *session.Session) bool {
	id := v.Browsers.Known(c.Request().Context())
	if s.Login != nil && s.Login.Done {
		return id != "" && s.Login.Browser == id
	}
	return id != "" && s.FirstBrowser == id
}

// canBecomeCustomer tells whether this browser may still become the customer's.
func canBecomeCustomer(s *session.Session) bool {
	return s.FirstBrowser == "" && s.Login == nil && s.Live() == nil && s.Status() == session.StatusOpen
}

// offersSaved tells whether there are saved cards that the first browser to ask for them may see.
func (v visit) offersSaved(c echo.Context, s *session.Session) (bool, error) {
	if framed(c) || !canBecomeCustomer(s) || s.Customer.ID == "" || !v.mayPayBy(s, "saved_card") || v.Flow.Logins.Needed(s) {
		return false, nil
	}
	cards, err := v.customersCards(c, s)
	return len(cards) > 0, err
}

// savedCards are the customer's, for the customer's browser only. wallet.ErrLogin where the customer has to log in again.
func (v visit) savedCards(c echo.Context, s *session.Session) ([]wallet.SavedCard, error) {
	if framed(c) || !v.isCustomer(c, s) || !v.mayPayBy(s, "saved_card") {
		return nil, nil
	}
	return v.customersCards(c, s)
}

// customersCards are the customer's saved cards; it does not check whose browser asks.
func (v visit) customersCards(c echo.Context, s *session.Session) ([]wallet.SavedCard, error) {
	if s.Customer.ID == "" && s.Login == nil {
		return nil, nil
	}
	cards, err := v.Flow.SavedCards(c.Request().Context(), s)
	if errors.Is(err, wallet.ErrLogin) {
		return nil, err
	}
	if err != nil { // a gateway that cannot list them just now costs the choice, not the payment
		v.Log.Warn("saved cards cannot be listed", "session", s.ID, "error", err)
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

// needsLogin tells whether the shopper has to log in now: before the card, or because the payment that is under way has lost
// its customer.
func (v visit) needsLogin(s *session.Session) bool {
	return v.Flow.Logins.Needed(s) && (s.Status() == session.StatusOpen || s.LoginLost())
}

// atStep finds the live attempt at the step of the address; an older address is not found, though the session is told.
func (v visit) atStep(c echo.Context) (*session.Session, *session.Attempt, error) {
	s, err := v.load(c)
	if err != nil {
		return nil, nil, err
	}
	a := s.Live()
	if a == nil || a.State != session.Shopper || a.Step == nil || strconv.Itoa(a.StepN) != c.Param("step") {
		return s, nil, session.ErrNotFound
	}
	return s, a, nil
}

// mostTyped bounds what a field may hold: room for a number with words around it.
const mostTyped = 200

// accepted are the payment systems whose cards the session's account takes.
func (v visit) accepted(s *session.Session) []string {
	if own := v.Flow.Accounts[s.Account].Cards; len(own) > 0 {
		return own
	}
	return card.UsualSystems()
}

// brandOf is a payment system as pages show it.
func brandOf(id string) templates.Brand {
	for _, s := range card.Systems() {
		if s.ID == id {
			return brand(s)
		}
	}
	return templates.Brand{}
}

func brand(s card.System) templates.Brand {
	return templates.Brand{ID: s.ID, Name: s.Name, Lang: s.Lang}
}

// brandsOf are payment systems as pages show them, in their order.
func brandsOf(ids []string) []templates.Brand {
	all := make([]templates.Brand, 0, len(ids))
	for _, s := range card.Systems() {
		if slices.Contains(ids, s.ID) {
			all = append(all, brand(s))
		}
	}
	return all
}

// readCardForm checks the card form. All faults are found at once.
func (v visit) readCardForm(c echo.Context, s *session.Session) (flow.Submission, form) {
	f := form{expiry: truncate(c.FormValue("expiry"), 32), name: truncate(strings.TrimSpace(c.FormValue("name")), 64)}
	var in flow.Submission
	var err error
	in.Card.Number, err = card.ReadNumber(truncate(c.FormValue("number"), mostTyped))
	f.errors.Number = cardError(err)
	if brand := in.Card.Number.Brand(); err == nil && brand != "" && !slices.Contains(v.accepted(s), brand) {
		f.errors.Number = templates.NumberUnsupported
	}
	in.Card.Month, in.Card.Year, err = card.ParseExpiry(f.expiry, v.Now())
	f.errors.Expiry = cardError(err)
	in.Card.Code, err = card.ParseCodeOf(in.Card.Number.Brand(), truncate(c.FormValue("cvc"), mostTyped))
	f.errors.CVC = cardError(err)
	f.save = c.FormValue("save_card") != ""
	in.NotKept = !f.save
	in.Card.Name = card.LatinName(f.name) // what was typed is the shopper's
	switch {
	case f.name == "":
		f.errors.Name = templates.NameMissing
	case card.Digits(f.name) > 6 || strings.ContainsAny(f.name, "<>\\") || !strings.ContainsFunc(f.name, unicode.IsLetter):
		f.errors.Name = templates.NameInvalid
	}
	v.browser(c, s, &in)
	// A number typed into the wrong field is not shown again.
	if card.Digits(f.name) > 6 {
		f.name = ""
	}
	if card.Digits(f.expiry) > 6 {
		f.expiry = ""
	}
	return in, f
}

func truncate(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func cardError(err error) templates.CardError {
	for _, e := range []struct {
		is  error
		say templates.CardError
	}{
		{card.ErrNumberMissing, templates.NumberMissing}, {card.ErrNumberLength, templates.NumberInvalid},
		{card.ErrNumberCheck, templates.NumberInvalid},
		{card.ErrExpiryMissing, templates.ExpiryMissing}, {card.ErrExpiryFormat, templates.ExpiryInvalid},
		{card.ErrExpired, templates.ExpiryPast},
		{card.ErrCodeMissing, templates.CVCMissing}, {card.ErrCodeFormat, templates.CVCInvalid},
	} {
		if errors.Is(err, e.is) {
			return e.say
		}
	}
	return ""
}

// browser notes what gateways and banks want to know of the shopper's browser, and the language that the shopper reads.
func (v visit) browser(c echo.Context, s *session.Session, in *flow.Submission) {
	in.Locale = v.language(c, s).Lang()
	in.IP, in.BrowserID = c.RealIP(), v.Browsers.Known(c.Request().Context())
	in.Browser = threeds.ReadBrowserData(c.Request().Header, in.IP, c.Request().PostForm)
	for _, text := range []*string{&in.Browser.UserAgent, &in.Browser.AcceptHeader} {
		if card.Holds(*text) { // no browser says so of itself, and it is stored
			*text = ""
		}
	}
}
