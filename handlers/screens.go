package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/i18n"
	"tollgate/internal/limit"
	"tollgate/internal/money"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/templates"
	"tollgate/threeds"
)

// screens draws the payment page: what GET shows is a function of the session's stored state.
type screens struct {
	visit
	typed *typed
}

// form is what a refused submission leaves to show again. Number and code never are.
type form struct {
	stale        bool
	newCard      bool // another card than the saved ones
	proof        *limit.NeedsProof
	phone        string
	login        templates.LoginError
	chosen       string // a saved card
	way          string // one of the ways to pay
	email        string // of a receipt
	wrongEmail   bool
	expiry, name string
	save         bool // the card may be kept
	errors       templates.CardErrors
}

// outcomes are what the last page says of a session's status.
var outcomes = map[session.Status]templates.Outcome{
	session.StatusPaid:              templates.OutcomePaid,
	session.StatusPartiallyRefunded: templates.OutcomePartly,
	session.StatusAuthorized:        templates.OutcomeAuthorized,
	session.StatusRefunded:          templates.OutcomeRefunded,
	session.StatusVoided:            templates.OutcomeVoided,
	session.StatusDeclined:          templates.OutcomeDeclined,
	session.StatusCancelled:         templates.OutcomeCancelled,
	session.StatusExpired:           templates.OutcomeExpired,
}

// page shows the page of the session's stored state.
func (p screens) page(c echo.Context, s *session.Session, f form) error {
	if p.leavesFrame(c, s) {
		return p.toTop(c, s)
	}
	switch v := viewOf(s); v.page {
	case pageStart:
		if s.Remaining(p.Now()) == 0 {
			return p.result(c, s, templates.OutcomeExpired, f)
		}
		return p.startOfPayment(c, s, f)
	case pageEnd:
		return p.result(c, s, outcomes[v.status], f)
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

// startOfPayment shows the first page of a payment: the login where the account requires one, the choice of saved cards, a button
// where no card is needed here, or the card form.
func (p screens) startOfPayment(c echo.Context, s *session.Session, f form) error {
	if a := s.Last(); a != nil && a.Misconfigured() && f == (form{}) {
		return p.unavailable(c, s)
	}
	if p.Flow.Logins.Needed(s) {
		return p.login(c, s, f)
	}
	if f.errors.Any() || f.proof != nil {
		return p.card(c, s, f)
	}
	switch s.Method {
	case "qr", "sberpay", "hosted":
		if a := s.Last(); f.way == "" && (f.newCard || a != nil && a.Instrument == "card") && p.mayPayBy(s, "card") {
			return p.card(c, s, f)
		}
		if f.stale {
			f.login = templates.LoginStale
		}
		return p.startPage(c, s, f)
	}
	if !f.newCard && !f.stale {
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

// unavailable tells that the gateway refuses the shop's account: the shopper is not asked to type a card again, and may all the
// same, should it be mended meanwhile.
func (p screens) unavailable(c echo.Context, s *session.Session) error {
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.Result(templates.ResultPage{
		Layout: p.layout(c, s), Outcome: templates.OutcomeUnavailable, ContinueURL: continueURL(s.CancelURL, s.ID),
		AgainURL: payPath(s.ID) + "/new",
	}))
}

func (p screens) wait(c echo.Context, s *session.Session, why templates.WaitReason) error {
	page := templates.WaitPage{Layout: p.layout(c, s), Reason: why, Next: payPath(s.ID), EventsURL: eventsURL(s)}
	var err error
	if page.Exit, err = p.exit(c, s, page.T, why == templates.WaitProcessing); err != nil {
		return err
	}
	if a := s.Live(); a != nil && p.Now().Sub(a.CreatedAt) > time.Minute {
		page.Long = true
	}
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.Wait(page))
}

func eventsURL(s *session.Session) string {
	return payPath(s.ID) + "/events?view=" + url.QueryEscape(viewOf(s).String())
}

// sameCard asks for an attempt's card once more. Which one it was is said to the browser that typed it only.
func (p screens) sameCard(c echo.Context, s *session.Session, a *session.Attempt, f form) error {
	if p.seals(s) {
		return p.sealedCard(c, s, a)
	}
	page := templates.CardPage{AskAgain: true}
	if id := p.Browsers.Known(c.Request().Context()); id != "" && id == a.BrowserID {
		page.AskLast4 = a.Card.Last4
	}
	return p.cardPage(c, s, f, page)
}

// card shows the card form.
func (p screens) card(c echo.Context, s *session.Session, f form) error {
	if p.seals(s) {
		return p.sealStart(c, s)
	}
	return p.cardPage(c, s, f, templates.CardPage{})
}

func (p screens) cardPage(c echo.Context, s *session.Session, f form, page templates.CardPage) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	page.Layout, page.Action, page.CSRF = p.layout(c, s), payPath(s.ID)+"/card", token
	page.Expiry, page.Name, page.Errors, page.Stale = f.expiry, f.name, f.errors, f.stale
	page.Brands = brandsOf(p.accepted(s))
	page.Systems, page.AskTo = card.Table(), s.AsksTarget() && !page.AskAgain
	if page.AskAgain {
		if page.Exit, err = p.exit(c, s, page.T, false); err != nil {
			return err
		}
	}
	if !page.AskAgain {
		page.AskSave, page.Save, page.Left = s.SaveCard, f.save, int(s.ExpiresAt.Sub(p.Now())/time.Second)
		page.CancelAction = payPath(s.ID) + "/cancel"
		page.Choice = p.ways(c, s, f, "card")
		if offers, err := p.offersSaved(c, s); err != nil {
			return err
		} else if offers && !f.newCard {
			page.SavedAction = payPath(s.ID) + "/customer"
		}
		if a := s.Last(); a != nil && !f.errors.Any() && !f.stale {
			page.Decline, page.NotCharged = p.lastTry(c, s)
			page.AttemptsLeft = s.TriesLeft()
			page.Expiry, page.Name = p.typed.of(s.ID, p.Browsers.Known(c.Request().Context()))
		}
	}
	if !page.AskAgain {
		if err := p.work(c, s, f, &page); err != nil {
			return err
		}
	}
	code := http.StatusOK
	switch {
	case f.proof != nil:
		code = http.StatusTooManyRequests
	case f.errors.Any() || f.stale || f.login != "":
		code = http.StatusUnprocessableEntity
	}
	return render(c, p.Options, code, ownPage, "", templates.Card(page))
}

// work puts what the next try costs into the form, so that it is done while the card is typed.
func (p screens) work(c echo.Context, s *session.Session, f form, page *templates.CardPage) (err error) {
	if f.proof != nil {
		page.Task, page.TaskBits, page.Prove = f.proof.Task, f.proof.Work.Bits, int(f.proof.Work.Wait/time.Second)
		return nil
	}
	var work limit.Work
	page.Task, work, err = p.Limits.Task(c.Request().Context(), s.Merchant, s.Account, s.ID, c.RealIP())
	page.TaskBits = work.Bits
	return err
}

func (p screens) choice(c echo.Context, s *session.Session, cards []wallet.SavedCard, f form) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	page := templates.SavedCardsPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/saved", CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
		AskCVC: p.Flow.Accounts[s.Account].AsksCode(), AskTo: s.AsksTarget(), Chosen: f.chosen, Errors: f.errors,
		DeleteAction: payPath(s.ID) + "/saved/delete", Choice: p.ways(c, s, f, "saved_card"),
	}
	if !f.errors.Any() {
		page.Decline, page.NotCharged = p.lastTry(c, s)
	}
	for _, one := range cards {
		page.Cards = append(page.Cards, templates.SavedCard{
			ID: one.ID, Brand: brandOf(one.Card.Brand), Last4: one.Card.Last4, Expiry: one.Expiry, Name: one.Name,
		})
	}
	return render(c, p.Options, formStatus(f.errors.Any() || f.login != ""), ownPage, "", templates.SavedCards(page))
}

// offer is the button in place of the choice, until somebody has asked for the saved cards.
func (p screens) offer(c echo.Context, s *session.Session) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	page := templates.SavedOfferPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/customer", NewCard: payPath(s.ID) + "/new",
		CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
	}
	page.Decline, page.NotCharged = p.lastTry(c, s)
	return render(c, p.Options, http.StatusOK, ownPage, "", templates.SavedOffer(page))
}

// lastTry is why the session's last attempt came to nothing, in the words of its page, or that it was not charged.
func (p screens) lastTry(c echo.Context, s *session.Session) (decline string, notCharged bool) {
	a := s.Last()
	switch {
	case a == nil:
	case a.State == session.Declined && a.Decline != nil:
		return p.reason(c, s, a), false
	case a.State == session.Failed, a.State == session.Abandoned:
		return "", true
	}
	return "", false
}

// startPage is a button for payments that need no card here.
func (p screens) startPage(c echo.Context, s *session.Session, f form) error {
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	page := templates.StartPage{
		Layout: p.layout(c, s), Action: payPath(s.ID) + "/start", CancelAction: payPath(s.ID) + "/cancel", CSRF: token,
		Hosted: s.Method == "hosted", AskPhone: s.Method == "sberpay" && s.Customer.Phone == "", Phone: f.phone, Error: f.login,
		AskSave: s.SaveCard && s.Method == "hosted", Left: int(s.ExpiresAt.Sub(p.Now()) / time.Second),
		Choice: p.ways(c, s, f, s.Method),
	}
	if f.login == "" {
		page.Decline, page.NotCharged = p.lastTry(c, s)
	}
	return render(c, p.Options, formStatus(f.login != ""), ownPage, "", templates.Start(page))
}

// formStatus is the status of a form that is shown, or shown again with what is wrong.
func formStatus(wrong bool) int {
	if wrong {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// login asks for the phone, then for the code.
func (p screens) login(c echo.Context, s *session.Session, f form) error {
	if f.stale {
		f.login = templates.LoginStale
	}
	token, err := p.token(c, s)
	if err != nil {
		return err
	}
	browser := p.Browsers.Known(c.Request().Context())
	s.Login.For(browser)
	lost, cancel, layout := s.LoginLost(), payPath(s.ID)+"/cancel", p.layout(c, s)
	if lost {
		cancel = ""
		if layout.Exit, err = p.exit(c, s, layout.T, false); err != nil {
			return err
		}
	}
	asksCode := s.Login != nil && s.Login.Challenge != "" && browser != "" && s.Login.Browser == browser
	dead := asksCode && (p.Flow.Logins.CodeExpired(s) || s.TriesUsedUp())
	if (!asksCode || dead) && s.CodesUsedUp(p.Now()) || !asksCode && s.PhonesUsedUp(p.Now()) && s.Login.Customer == "" {
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
			Layout: layout, Action: payPath(s.ID) + "/phone", CancelAction: cancel, CSRF: token, Phone: f.phone,
			Error: f.login, Checking: lost,
		}
		if known, ok := p.rememberedCustomer(c, s); ok {
			page.RememberedText, page.RememberedAction = maskPhone(known.Phone), payPath(s.ID)+"/phone/remembered"
			page.ForgetAction = payPath(s.ID) + "/phone/forget"
		}
		switch {
		case s.Customer.Phone == "":
		case page.Phone == "" && p.isCustomer(c, s):
			page.Phone = s.Customer.Phone
		case canBecomeCustomer(s):
			page.KnownAction = payPath(s.ID) + "/customer"
		}
		return render(c, p.Options, formStatus(f.login != ""), ownPage, "", templates.LoginPhone(page))
	}
	page := templates.LoginCodePage{
		Layout: layout, Action: payPath(s.ID) + "/code", CancelAction: cancel, CSRF: token,
		PhoneText: maskPhone(s.Login.Phone), Good: p.codeGood(s), Error: f.login, Checking: lost, AskRemember: !framed(c),
	}
	if !s.CodesUsedUp(p.Now()) {
		page.AgainAction = payPath(s.ID) + "/code/again"
		if !lost {
			page.OtherAction = payPath(s.ID) + "/phone/other"
		}
	}
	switch {
	case s.TriesUsedUp():
		page.Error, page.Good = templates.CodeUsedUp, templates.Good{}
	case f.login == "" && p.Flow.Logins.CodeExpired(s):
		page.Error = templates.CodeExpired
	}
	return render(c, p.Options, formStatus(f.login != ""), ownPage, "", templates.LoginCode(page))
}

// codeGood is how long the code that was sent is good.
func (p screens) codeGood(s *session.Session) templates.Good {
	left := p.Flow.Logins.CodeLeft(s).Round(time.Second)
	return templates.Good{Until: p.Now().Add(left), Left: left}
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
	return strings.ReplaceAll("+"+phone[:1]+" ••• ••• "+phone[len(phone)-4:len(phone)-2]+" "+phone[len(phone)-2:], " ", "\u00a0")
}

// step shows what the browser has to do elsewhere.
func (p screens) step(c echo.Context, s *session.Session, a *session.Attempt, at pageKind) error {
	n, err := nonce(p.Rand)
	if err != nil {
		return err
	}
	layout := p.layout(c, s)
	layout.Nonce = n
	if at != pageMethod {
		if layout.Exit, err = p.exit(c, s, layout.T, false); err != nil {
			return err
		}
	}
	first := false
	if prefetch := c.Request().Header.Get("Sec-Purpose"); prefetch == "" { // a prefetch is not shown to anybody
		if first, err = p.Flow.Shown(c.Request().Context(), s.ID, a.StepN); err != nil && p.Away != nil && p.Away(err) {
			p.Log.Warn("it cannot be noted that a step was shown: its page waits for a press", "session", s.ID, "error", err)
			first, err = false, nil
		}
		if err != nil {
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
			Layout: layout, Action: step.Forms[0].Action, Fields: fields(step.Forms[0]), AutoSubmit: first, Info: step.Info,
			EventsURL: eventsURL(s),
		}))
	case pageGateway:
		return render(c, p.Options, http.StatusOK, bankPage, n, templates.Leave(templates.LeavePage{
			Layout: layout, URL: p.BaseURL + fmt.Sprintf("%s/page/%d", payPath(s.ID), a.StepN), Auto: first, Info: step.Info,
			EventsURL: eventsURL(s),
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

// scan shows a code for the bank's app.
func (p screens) scan(c echo.Context, s *session.Session, layout templates.Layout, step *providers.Step) error {
	page := templates.ScanPage{Layout: layout, Link: step.Link, EventsURL: eventsURL(s), Next: payPath(s.ID)}
	if step.Deadline > 0 {
		page.Good.Until = s.Live().StepAt.Add(step.Deadline)
		page.Good.Left = page.Good.Until.Sub(p.Now())
		page.Over = page.Good.Left <= 0
	}
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

// result is the end: a page that goes on to the shop, never a redirect in the chain that a form post began.
func (p screens) result(c echo.Context, s *session.Session, outcome templates.Outcome, f form) (err error) {
	page := templates.ResultPage{Layout: p.layout(c, s), Outcome: outcome, ContinueURL: continueURL(s.CancelURL, s.ID)}
	p.typed.forget(s.ID, p.Browsers.Known(c.Request().Context()))
	if late := s.FundedAttempt(); late != nil && slices.Contains(unpaid, outcome) { // what became of its money stands in the receipt
		outcome = templates.OutcomeOver
		if page.Outcome = outcome; !late.Voided {
			page.Receipt = p.receipt(c, s, page.T.Lang())
		}
	}
	switch outcome {
	case templates.OutcomePaid, templates.OutcomeAuthorized:
		page.Delay = goOnAfter
		fallthrough
	case templates.OutcomePartly, templates.OutcomeRefunded, templates.OutcomeVoided:
		page.ContinueURL = continueURL(s.SuccessURL, s.ID)
		page.Receipt = p.receipt(c, s, page.T.Lang())
		if page.Mail, err = p.receiptMail(c, s, page.Receipt, f); err != nil {
			return err
		}
	case templates.OutcomeCancelled:
		page.Delay = goOnAfter
	case templates.OutcomeDeclined:
		if a := s.Last(); a != nil && a.Decline != nil {
			page.Decline = p.reason(c, s, a)
		}
	}
	if f.wrongEmail {
		page.Delay = 0
	}
	return render(c, p.Options, formStatus(f.wrongEmail && page.Mail != nil), ownPage, "", templates.Result(page))
}

// unpaid are the ends that say that nothing was charged.
var unpaid = []templates.Outcome{templates.OutcomeCancelled, templates.OutcomeExpired, templates.OutcomeDeclined}

// goOnAfter is how many seconds a new result page counts down before it goes back to the shop.
const goOnAfter = 10

// receipt is what was paid. The card and the payment's numbers are for the browser that paid.
func (v visit) receipt(c echo.Context, s *session.Session, lang string) *templates.Receipt {
	return v.receiptOf(s, lang, v.paidHere(c, s))
}

// paidHere tells whether it is the browser that paid.
func (v visit) paidHere(c echo.Context, s *session.Session) bool {
	a, id := s.FundedAttempt(), v.Browsers.Known(c.Request().Context())
	return a != nil && id != "" && id == a.BrowserID
}

// receiptOf is what was paid, with what is for who paid where it is theirs.
func (visit) receiptOf(s *session.Session, lang string, theirs bool) *templates.Receipt {
	a := s.FundedAttempt()
	if a == nil {
		return nil
	}
	text := func(minor int64) string {
		return i18n.FormatAmount(lang, minor, s.Amount.Currency.Digits, s.Amount.Currency.Code)
	}
	paid := a.AmountAuthorized
	if a.Captured > 0 {
		paid = a.Captured
	}
	r := &templates.Receipt{AmountText: text(paid), Date: a.CreatedAt}
	if said := a.Authorization; said.TakenAmount > 0 && (said.TakenAmount != paid || said.TakenCurrency != s.Amount.Currency.Code) {
		if of, err := money.ParseCurrency(said.TakenCurrency); err == nil {
			r.TakenText = i18n.FormatAmount(lang, said.TakenAmount, of.Digits, of.Code)
		}
	}
	if a.Refunded > 0 {
		r.RefundedText, r.LeftText = text(a.Refunded), text(paid-a.Refunded)
	}
	if theirs {
		r.Own, r.Brand, r.Last4, r.ReferenceText = true, brandOf(a.Card.Brand), a.Card.Last4, a.Ref.Reference
		r.ApprovalText = a.Authorization.ApprovalCode
	}
	return r
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
