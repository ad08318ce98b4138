package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
	"tollgate/threeds"
)

// pay is the shopper's visit. It has one address; what GET shows there is a function of the stored state.
type pay struct {
	Options
	streams *streams
}

func payPath(id string) string { return "/pay/" + id }

func (p pay) load(c echo.Context) (*session.Session, error) {
	return p.Store.Load(c.Request().Context(), c.Param("session"))
}

// back answers a POST: to the one address.
func back(c echo.Context, id string) error { return c.Redirect(http.StatusSeeOther, payPath(id)) }

// sameSite refuses a POST that another site made a browser send. A browser that says itself that the post is of the
// same origin is believed; others have to show the page's token, which another site cannot read.
func (p pay) sameSite(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); timedOut(err) {
				return err // half a form is none
			}
		}
		if r.Method != http.MethodPost || r.Header.Get("Sec-Fetch-Site") == "same-origin" || p.Browsers.Proves(r.Context(), c.FormValue("csrf")) {
			return next(c)
		}
		s, err := p.load(c)
		if err != nil {
			return err
		}
		return p.page(c, s, form{stale: true})
	}
}

// home is the front's own address, where no payment is.
func (p pay) home(c echo.Context) error {
	t := p.Texts.For(c.Request().Header.Get("Accept-Language"))
	page := templates.HomePage{Layout: templates.Layout{T: t, SandboxNotice: p.Sandbox}}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.Home(page))
}

func (p pay) show(c echo.Context) error {
	s, err := p.load(c)
	if errors.Is(err, session.ErrNotFound) {
		return p.astray(c)
	}
	if err != nil {
		return err
	}
	if lang := c.QueryParam("lang"); lang != "" {
		if t := p.Texts.For(lang); t.Lang() == lang {
			p.Browsers.Choose(c.Request().Context(), lang)
		}
		return back(c, s.ID)
	}
	return p.page(c, s, form{})
}

// head answers a program that only asks whether the page is there. It is nobody's visit: nothing is shown or marked, and no
// cookie is set.
func (p pay) head(c echo.Context) error {
	_, err := p.load(c)
	if errors.Is(err, session.ErrNotFound) {
		return p.astray(c)
	}
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	return c.NoContent(http.StatusOK)
}

// astray leads from an address that is no page to the one address: from those that forms post to, when a browser restores
// them, and from those that a message ends with a full stop or bracket.
func (p pay) astray(c echo.Context) error {
	id := cleanID(c.Param("session"))
	if id == c.Param("session") && c.Path() == "/pay/:session" {
		return session.ErrNotFound
	}
	s, err := p.Store.Load(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return back(c, s.ID)
}

// cleanID is a session's id without what cannot be the end of one.
func cleanID(id string) string {
	return strings.TrimRightFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// form is what a refused submission leaves to show again. Number and code never are.
type form struct {
	stale        bool
	newCard      bool // another card than the saved ones
	phone        string
	login        templates.LoginError
	chosen       string // a saved card
	expiry, name string
	errors       templates.CardErrors
}

func (p pay) layout(c echo.Context, s *session.Session) templates.Layout {
	t := p.language(c, s)
	return templates.Layout{
		T: t, MerchantName: p.Merchants.Name(s.Merchant), OrderText: s.OrderID, Description: s.Description,
		AmountText:    i18n.FormatAmount(t.Lang(), s.Amount.Minor+s.Fee, s.Amount.Currency.Digits, s.Amount.Currency.Code),
		SandboxNotice: p.Sandbox, Self: payPath(s.ID), Transfer: transferOf(t.Lang(), s, p.mine(c, s)),
	}
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
func (p pay) language(c echo.Context, s *session.Session) *i18n.Localizer {
	chosen := ""
	if c.Get(visited) != nil {
		chosen = p.Browsers.Language(c.Request().Context())
	}
	return p.Texts.For(chosen, s.Locale, c.Request().Header.Get("Accept-Language"))
}

// outcomes are what the last page says of a session's status.
var outcomes = map[session.Status]templates.Outcome{
	session.StatusPaid:              templates.OutcomePaid,
	session.StatusPartiallyRefunded: templates.OutcomePaid,
	session.StatusAuthorized:        templates.OutcomeAuthorized,
	session.StatusRefunded:          templates.OutcomeRefunded,
	session.StatusVoided:            templates.OutcomeVoided,
	session.StatusDeclined:          templates.OutcomeDeclined,
	session.StatusCancelled:         templates.OutcomeCancelled,
	session.StatusExpired:           templates.OutcomeExpired,
}

// page shows what is true now.
func (p pay) page(c echo.Context, s *session.Session, f form) error {
	switch v := viewOf(s); v.page {
	case pageStart:
		if s.Remaining(p.Now()) == 0 {
			return p.result(c, s, templates.OutcomeExpired)
		}
		return p.begin(c, s, f)
	case pageEnd:
		return p.result(c, s, outcomes[v.status])
	case pageLogin:
		return p.login(c, s, f)
	case pageCard:
		return p.sameCard(c, s, s.Live(), f)
	case pageMethod, pageBank, pageGateway, pageRedirect, pageScan:
		return p.step(c, s, s.Live(), v.page)
	case pageChecking:
		return p.wait(c, s, templates.WaitChecking)
	}
	return p.wait(c, s, templates.WaitProcessing)
}

func (p pay) wait(c echo.Context, s *session.Session, why templates.WaitReason) error {
	page := templates.WaitPage{Layout: p.layout(c, s), Reason: why, Next: payPath(s.ID), EventsURL: eventsURL(s)}
	if a := s.Live(); a != nil && p.Now().Sub(a.CreatedAt) > time.Minute {
		page.Long = true
	}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.Wait(page))
}

func eventsURL(s *session.Session) string {
	return payPath(s.ID) + "/events?view=" + url.QueryEscape(viewOf(s).String())
}

// sameCard asks for an attempt's card once more. Which one it was is said to the browser that typed it only.
func (p pay) sameCard(c echo.Context, s *session.Session, a *session.Attempt, f form) error {
	page := templates.CardPage{AskAgain: true}
	if id := p.Browsers.Known(c.Request().Context()); id != "" && id == a.BrowserID {
		page.AskLast4 = a.Card.Last4
	}
	return p.cardPage(c, s, f, page)
}

// card shows the card form.
func (p pay) card(c echo.Context, s *session.Session, f form) error {
	return p.cardPage(c, s, f, templates.CardPage{})
}

func (p pay) cardPage(c echo.Context, s *session.Session, f form, page templates.CardPage) error {
	token, err := p.Browsers.CSRF(c.Request().Context())
	if err != nil {
		return err
	}
	page.Layout, page.Action, page.CSRF = p.layout(c, s), payPath(s.ID)+"/card", token
	page.Expiry, page.Name, page.Errors, page.Stale = f.expiry, f.name, f.errors, f.stale
	page.Brands, page.AskTo = []string{"visa", "mastercard", "mir", "unionpay", "amex"}, s.AsksTarget() && !page.AskAgain
	if !page.AskAgain {
		page.CancelAction = payPath(s.ID) + "/cancel"
		if offers, err := p.offersSaved(c, s); err != nil {
			return err
		} else if offers && !f.newCard {
			page.SavedAction = payPath(s.ID) + "/customer"
		}
		if a := s.Last(); a != nil && !f.errors.Any() && !f.stale {
			switch {
			case a.State == session.Declined && a.Decline != nil:
				page.Decline = string(a.Decline.Reason)
			case a.State == session.Failed, a.State == session.Abandoned:
				page.NotCharged = true
			}
			page.AttemptsLeft = session.MaxAttempts - len(s.Attempts)
		}
	}
	code := http.StatusOK
	if f.errors.Any() || f.stale {
		code = http.StatusUnprocessableEntity
	}
	return render(c, p.Options, code, ownPage, "", templates.Card(page))
}

// submit takes the card form, for a new attempt or for the same card once more.
func (p pay) submit(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	a := s.Live()
	again := a != nil && a.State == session.Shopper && a.Step != nil && a.Step.Kind == providers.AskCard
	if !again && (a != nil || s.Status() != session.StatusOpen || p.Flow.Logins.Needed(s)) {
		return back(c, s.ID) // a second click, another tab, Back after the end: the page that is true now
	}
	in, f := p.read(c)
	if !again {
		f.errors.To = target(c, s, &in)
	}
	if f.errors.Any() {
		return p.page(c, s, f)
	}
	ctx := c.Request().Context()
	if again {
		err = p.Flow.CardAgain(ctx, s.ID, in)
		if errors.Is(err, session.ErrOtherCard) {
			f.errors.Number = templates.NumberDifferent
			return p.page(c, s, f)
		}
	} else {
		err = p.Flow.Submit(ctx, s.ID, in)
	}
	return p.submitted(c, s, err)
}

// submitted waits a moment for the first news of an attempt, then answers with the one address.
func (p pay) submitted(c echo.Context, s *session.Session, err error) error {
	switch {
	case errors.Is(err, session.ErrBusy), errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrStale):
		return back(c, s.ID)
	case err != nil:
		return err
	}
	limited, done := context.WithTimeout(c.Request().Context(), session.SubmitWait)
	defer done()
	seen := s.Version
	_, err = p.Flow.Wait(limited, s.ID, func(s *session.Session) bool {
		return s.Version > seen && viewOf(s).page != pageWorking
	})
	if err != nil {
		return err
	}
	return back(c, s.ID)
}

// read checks the card form. All faults are found at once.
func (p pay) read(c echo.Context) (flow.Submission, form) {
	f := form{expiry: cut(c.FormValue("expiry"), 10), name: cut(strings.TrimSpace(c.FormValue("name")), 64)}
	var in flow.Submission
	var err error
	in.Card.Number, err = card.ParseNumber(cut(c.FormValue("number"), 40))
	f.errors.Number = cardError(err)
	in.Card.Month, in.Card.Year, err = card.ParseExpiry(f.expiry, p.Now())
	f.errors.Expiry = cardError(err)
	in.Card.Code, err = card.ParseCode(cut(c.FormValue("cvc"), 10))
	f.errors.CVC = cardError(err)
	in.Card.Name = f.name
	switch {
	case f.name == "":
		f.errors.Name = templates.NameMissing
	case strings.ContainsAny(f.name, "0123456789<>\"\\") || strings.ContainsFunc(f.name, func(r rune) bool { return r < ' ' }):
		f.errors.Name = templates.NameInvalid
	}
	p.browser(c, &in)
	// A number typed into the wrong field is not shown again.
	if digitCount(f.name) > 6 {
		f.name = ""
	}
	if digitCount(f.expiry) > 6 {
		f.expiry = ""
	}
	return in, f
}

func cut(s string, n int) string {
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
		{card.ErrNumberMissing, templates.NumberMissing}, {card.ErrNumberLength, templates.NumberInvalid}, {card.ErrNumberCheck, templates.NumberInvalid},
		{card.ErrExpiryMissing, templates.ExpiryMissing}, {card.ErrExpiryFormat, templates.ExpiryInvalid}, {card.ErrExpired, templates.ExpiryPast},
		{card.ErrCodeMissing, templates.CVCMissing}, {card.ErrCodeFormat, templates.CVCInvalid},
	} {
		if errors.Is(err, e.is) {
			return e.say
		}
	}
	return ""
}

func (p pay) cancel(c echo.Context) error {
	_, err := p.Flow.Cancel(c.Request().Context(), c.Param("session"))
	if err != nil && !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) {
		return err
	}
	return back(c, c.Param("session"))
}

// step shows what the browser has to do elsewhere.
func (p pay) step(c echo.Context, s *session.Session, a *session.Attempt, at pageKind) error {
	n, err := nonce(p.Rand)
	if err != nil {
		return err
	}
	layout := p.layout(c, s)
	layout.Nonce = n
	first := false
	if prefetch := c.Request().Header.Get("Sec-Purpose"); prefetch == "" { // a browser that only peeks shows nobody anything
		if first, err = p.Flow.Shown(c.Request().Context(), s.ID, a.StepN); err != nil {
			return err
		}
	}
	step := a.Step
	switch at {
	case pageMethod:
		page := templates.MethodPage{
			Layout: layout, ID: methodID(a), EventsURL: eventsURL(s), Next: payPath(s.ID),
			Deadline: max(1, int((a.MethodDeadline().Sub(p.Now())+1500*time.Millisecond)/time.Second)),
		}
		for i := range step.Forms {
			page.Frames = append(page.Frames, fmt.Sprintf("%s/frame/%d/%d", payPath(s.ID), a.StepN, i))
		}
		return render(c, p.Options, http.StatusOK, methodPage, n, templates.Method(page))
	case pageBank:
		if len(step.Forms) != 1 {
			return fmt.Errorf("handlers: a %s with %d forms", step.Kind, len(step.Forms))
		}
		return render(c, p.Options, http.StatusOK, bankPage, n, templates.Challenge(templates.ChallengePage{
			Layout: layout, Action: step.Forms[0].Action, Fields: fields(step.Forms[0]), AutoSubmit: first, Info: step.Info, EventsURL: eventsURL(s),
		}))
	case pageGateway:
		return render(c, p.Options, http.StatusOK, bankPage, n, templates.Leave(templates.LeavePage{
			Layout: layout, URL: p.BaseURL + fmt.Sprintf("%s/page/%d", payPath(s.ID), a.StepN), Auto: first, Info: step.Info, EventsURL: eventsURL(s),
		}))
	case pageRedirect:
		return render(c, p.Options, http.StatusOK, bankPage, n, templates.Leave(templates.LeavePage{
			Layout: layout, URL: step.Link, Auto: first, Info: step.Info, EventsURL: eventsURL(s),
		}))
	case pageScan:
		return p.scan(c, s, layout, step)
	}
	return p.wait(c, s, templates.WaitProcessing)
}

// methodID is what our own frame tells our own page: which authentication it was. It is no secret and no key.
func methodID(a *session.Attempt) string { return strconv.Itoa(a.N) + "." + strconv.Itoa(a.StepN) }

func fields(f threeds.Form) []templates.Field {
	all := make([]templates.Field, len(f.Fields))
	for i, field := range f.Fields {
		all[i] = templates.Field{Name: field.Name, Value: field.Value}
	}
	return all
}

// frame is the same-origin document of one hidden Method frame; about:blank would inherit the page's form-action.
func (p pay) frame(c echo.Context) error {
	s, a, err := p.atStep(c)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(c.Param("n"))
	if err != nil || a.Step.Kind != providers.Method || i < 0 || i >= len(a.Step.Forms) {
		return session.ErrNotFound
	}
	n, err := nonce(p.Rand)
	if err != nil {
		return err
	}
	form := a.Step.Forms[i]
	return render(c, p.Options, http.StatusOK, framedPage, n, templates.MethodFrame(templates.MethodFramePage{
		T: p.Texts.For(s.Locale, c.Request().Header.Get("Accept-Language")), Nonce: n, Action: form.Action, Fields: fields(form),
	}))
}

// gatewayPage is html of the gateway's, in a document of its own with an opaque origin: whatever script it holds reads
// nothing of ours.
func (p pay) gatewayPage(c echo.Context) error {
	s, a, err := p.atStep(c)
	if s != nil && errors.Is(err, session.ErrNotFound) {
		return back(c, s.ID) // the step is over, and this address is in the whole window
	}
	if err != nil {
		return err
	}
	if a.Step.Kind != providers.Page {
		return session.ErrNotFound
	}
	c.Response().Header().Set("Content-Security-Policy", "sandbox allow-forms allow-scripts allow-top-navigation allow-popups; frame-ancestors 'none'")
	return c.HTML(http.StatusOK, a.Step.HTML)
}

// atStep finds the live attempt at the step of the address; an older address is not found, though the session is told.
func (p pay) atStep(c echo.Context) (*session.Session, *session.Attempt, error) {
	s, err := p.load(c)
	if err != nil {
		return nil, nil, err
	}
	a := s.Live()
	if a == nil || a.State != session.Shopper || a.Step == nil || strconv.Itoa(a.StepN) != c.Param("step") {
		return s, nil, session.ErrNotFound
	}
	return s, a, nil
}

// result is the end: a page that goes on to the shop, never a redirect in the chain that a form post began.
func (p pay) result(c echo.Context, s *session.Session, outcome templates.Outcome) error {
	page := templates.ResultPage{Layout: p.layout(c, s), Outcome: outcome, ContinueURL: continueURL(s.CancelURL, s.ID)}
	switch outcome {
	case templates.OutcomePaid, templates.OutcomeAuthorized:
		page.ContinueURL, page.Delay = continueURL(s.SuccessURL, s.ID), 3
	case templates.OutcomeRefunded, templates.OutcomeVoided:
		page.ContinueURL = continueURL(s.SuccessURL, s.ID)
	case templates.OutcomeCancelled:
		page.Delay = 3
	case templates.OutcomeDeclined:
		if a := s.Last(); a != nil && a.Decline != nil {
			page.Decline = string(a.Decline.Reason)
		}
	}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.Result(page))
}

// continueURL is the shop's address with session={id} added to its query; what the shop has there stays as it is.
func continueURL(shop, id string) string {
	u, err := url.Parse(shop)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "session=" + url.QueryEscape(id)
	return u.String()
}

// events is the live wait: one event "change" when the page the browser shows is not the true one any more. 204 where there
// is no place: the browser then does not connect again, and the page asks by reloading.
func (p pay) events(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	w := c.Response()
	w.Header().Set(echo.HeaderConnection, "close") // the connection ends with the stream, or without one
	leave, ok := p.streams.enter(s.ID)
	if !ok {
		return c.NoContent(http.StatusNoContent)
	}
	defer leave()
	w.Header().Set(echo.HeaderContentType, "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	w.Flush()
	shown := c.QueryParam("view")
	ctx, done := context.WithTimeout(c.Request().Context(), streamLife)
	defer done()
	for {
		turn, stop := context.WithTimeout(ctx, 15*time.Second)
		s, err = p.Flow.Wait(turn, s.ID, func(s *session.Session) bool { return viewOf(s).String() != shown })
		stop()
		if err != nil {
			return nil // the browser asks again
		}
		line := ": still here\n\n"
		changed := viewOf(s).String() != shown
		if changed {
			line = "event: change\ndata: 1\n\n"
		}
		if _, err := w.Write([]byte(line)); err != nil || changed || ctx.Err() != nil {
			w.Flush()
			return nil
		}
		w.Flush()
	}
}
