package handlers

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/limit"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/templates"
)

// pay handles what a shopper does at a session's payment page.
type pay struct {
	screens
	streams *streams
}

func payPath(id string) string { return "/pay/" + id }

// redirectToPay redirects to the payment page (303).
func redirectToPay(c echo.Context, id string) error {
	return c.Redirect(http.StatusSeeOther, payPath(id))
}

// readForm reads a form whole: half a form is none.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(mostForm); errors.Is(err, http.ErrNotMultipart) {
			err = nil
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large || len(r.Form) > mostFields {
		return echo.ErrStatusRequestEntityTooLarge
	}
	if timedOut(err) {
		return err
	}
	return nil
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
		return p.redirectToPage(c)
	}
	if err != nil {
		return err
	}
	if lang := c.QueryParam("lang"); lang != "" {
		if t := p.Texts.For(lang); t.Lang() == lang {
			if err := p.Browsers.Choose(c.Request().Context(), lang); err != nil {
				return err
			}
		}
		return redirectToPay(c, s.ID)
	}
	return p.page(c, s, form{})
}

// head answers HEAD. It does not count as a visit: no step is marked as shown and no cookie is set.
func (p pay) head(c echo.Context) error {
	_, err := p.load(c)
	if errors.Is(err, session.ErrNotFound) {
		return p.redirectToPage(c)
	}
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	return c.NoContent(http.StatusOK)
}

// redirectToPage redirects addresses that have no page of their own to the payment page: a form's address that a browser restores, or a
// link that a message or a mail program changed at its ends.
func (p pay) redirectToPage(c echo.Context) error {
	asked := c.Param("session")
	for _, id := range idsIn(c.Request().URL.Path) {
		if id == asked && c.Path() == "/pay/:session" {
			continue
		}
		s, err := p.Store.Load(c.Request().Context(), id)
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		return redirectToPay(c, s.ID)
	}
	return session.ErrNotFound
}

// sessionID is how an address names a session, and idLength how long that is.
var sessionID = regexp.MustCompile(`cs_[A-Za-z0-9_-]+`)

const idLength = 30

// idsIn are the sessions that an address may mean: what stands before and behind an id is not of it, and letters that were glued to
// one are cut off.
func idsIn(address string) (ids []string) {
	id := sessionID.FindString(address)
	if id == "" {
		return nil
	}
	ids = append(ids, id)
	if trimmed := strings.TrimRight(id, "_-"); trimmed != id {
		ids = append(ids, trimmed)
	}
	if len(id) > idLength {
		ids = append(ids, id[:idLength])
	}
	return ids
}

// submit takes the card form, for a new attempt or for the same card once more.
func (p pay) submit(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	a := s.Live()
	again := a != nil && a.State == session.Shopper && a.Step != nil && a.Step.Kind == providers.AskCard
	way := p.chosenWay(c, s, "way")
	if !again && (a != nil || s.Status() != session.StatusOpen || p.Flow.Logins.Needed(s) || way == "" && !p.mayPayBy(s, "card")) {
		return redirectToPay(c, s.ID) // a second click, another tab, Back after the end: the page that is true now
	}
	if p.seals(s) {
		return p.submitSealed(c, s, again)
	}
	if !again && way != "" && way != "card" && way != "saved_card" {
		return p.begin(c, s, way)
	}
	in, f := p.readCardForm(c, s)
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
	} else if err = p.try(c, s, &in); err == nil {
		p.typed.keep(s.ID, in.BrowserID, f.expiry, f.name)
		if err = p.mayBegin(); err == nil {
			err = p.Flow.Submit(ctx, s.ID, in)
		}
	} else if need, ok := errors.AsType[*limit.NeedsProof](err); ok {
		return p.prove(c, s, f, need)
	}
	return p.submitted(c, s, err)
}

// submitted waits a moment for the attempt's first change, then redirects to the payment page.
func (p pay) submitted(c echo.Context, s *session.Session, err error) error {
	switch {
	case errors.Is(err, session.ErrBusy), errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrStale):
		return redirectToPay(c, s.ID)
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
	return redirectToPay(c, s.ID)
}

func (p pay) cancel(c echo.Context) error {
	return p.leave(c, p.Flow.Cancel)
}

// other leaves the payment under way for another card or way to pay.
func (p pay) other(c echo.Context) error {
	return p.leave(c, p.Flow.Exits.Other)
}

// leave shows what is true after leaving. Where that was not possible the page says until when the bank may take the payment.
func (p pay) leave(c echo.Context, by func(context.Context, string) (*session.Session, error)) error {
	ctx, done := context.WithTimeout(c.Request().Context(), leaveWait)
	defer done()
	_, err := by(ctx, c.Param("session"))
	if err != nil && !errors.Is(err, session.ErrBusy) && !errors.Is(err, session.ErrEnded) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return redirectToPay(c, c.Param("session"))
}

// leaveWait is how long a shopper waits for the gateway's word while leaving.
const leaveWait = 20 * time.Second

// frame is the same-origin document of one hidden Method frame; about:blank would inherit the page's form-action.
func (p pay) frame(c echo.Context) error {
	s, a, err := p.atStep(c)
	if s != nil && errors.Is(err, session.ErrNotFound) {
		return c.NoContent(http.StatusNoContent) // the step went on while its frames were loaded
	}
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
		return redirectToPay(c, s.ID) // the step is over, and this address is in the whole window
	}
	if err != nil {
		return err
	}
	if a.Step.Kind != providers.Page {
		return session.ErrNotFound
	}
	c.Response().Header().Set("Content-Security-Policy",
		"sandbox allow-forms allow-scripts allow-top-navigation allow-popups; frame-ancestors 'none'")
	return c.HTML(http.StatusOK, a.Step.HTML)
}

// events is the live wait: one event "change" when the page the browser shows is not the true one any more. 204 where there
// is no place: the browser then does not connect again, and the page asks by reloading.
func (p pay) events(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	one, ok := p.streams.enter(s.ID, c.QueryParam("view"))
	if ok {
		if err = p.streams.begin(c, one); err == nil {
			return nil
		}
		p.streams.leave(one)
		p.Log.Warn("a live wait could not begin", "error", err)
	}
	c.Response().Header().Set(echo.HeaderConnection, "close")
	return c.NoContent(http.StatusNoContent)
}
