package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"tollgate/internal/security"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
	"tollgate/threeds"
)

// bank takes what comes back from banks and gateways: across sites, without cookies, in odd encodings, late, twice,
// forged. Every sender gets the same answer, and no cookie is set.
type bank struct{ Options }

// notify is the end of a 3DS Method, inside our hidden frame. Unknown tokens get the same page: no oracle.
func (b bank) notify(c echo.Context) error {
	r := c.Request()
	in, err := threeds.ReadReply(r)
	if err != nil {
		b.Log.Info("method notification cannot be read", "reason", threeds.ReasonOf(err))
	}
	id := ""
	if r.Method != http.MethodHead {
		page, err := b.Flow.Notified(r.Context(), c.Param("run"), in)
		switch {
		case err == nil:
			id = page.Session
		case expected(err):
			b.forged(c, err)
			b.Log.Info("method notification changed nothing", "reason", err)
		default:
			return err
		}
	}
	n, err := nonce(b.Rand)
	if err != nil {
		return err
	}
	origin, msg := b.BaseURL, ""
	if id != "" {
		if s, err := b.Store.Load(r.Context(), id); err == nil && s.Last() != nil {
			msg = methodID(s.Last())
			c.Set(embedKey, s.EmbedOrigin)
		}
	}
	if u, err := url.Parse(b.BaseURL); err == nil {
		origin = u.Scheme + "://" + u.Host
	}
	page := templates.MethodDone(templates.MethodDonePage{Nonce: n, ID: msg, Origin: origin})
	return render(c, b.Options, http.StatusOK, framedPage, n, page)
}

// returned is the shopper coming back from the bank or a gateway's page.
func (b bank) returned(c echo.Context) error {
	r := c.Request()
	in, err := threeds.ReadReply(r)
	if err != nil {
		b.Log.Info("return cannot be read", "reason", threeds.ReasonOf(err))
	}
	if r.Method == http.MethodHead { // a monitor or a link scanner
		return c.NoContent(http.StatusOK)
	}
	page, err := b.Flow.Returned(r.Context(), c.Param("run"), in)
	switch {
	case errors.Is(err, session.ErrNotFound):
		b.forged(c, err)
		return err
	case err != nil && !expected(err):
		return err
	case err != nil:
		b.forged(c, err)
		b.Log.Info("return changed nothing", "reason", err)
	}
	if page.Taken || page.Asked { // most answers come within a moment: then the first page the shopper sees is the end
		if err := b.waitAfterReturn(r.Context(), page); err != nil {
			return err
		}
	}
	if framed(c) && !b.embedded(r.Context(), page.Session) {
		n, err := nonce(b.Rand)
		if err != nil {
			return err
		}
		c.Response().Header().Set("Content-Security-Policy",
			"default-src 'none'; script-src 'nonce-"+n+"'; style-src 'self'; img-src 'self'; base-uri 'none'")
		return write(c, b.Options, http.StatusOK, templates.ReturnTop(templates.ReturnTopPage{
			T: b.Texts.For(r.Header.Get("Accept-Language")), Nonce: n, PayURL: payPath(page.Session),
		}))
	}
	return redirectToPay(c, page.Session)
}

// embedded tells whether a session's pages stand in a frame of the shop's: then the return stays in it.
func (b bank) embedded(ctx context.Context, id string) bool {
	s, err := b.Store.Load(ctx, id)
	return err == nil && s.EmbedOrigin != ""
}

// forged writes down a return that is of another authentication or of none; one that is late is nobody's attempt.
func (b bank) forged(c echo.Context, err error) {
	if errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrContradicts) {
		b.record(c, security.Entry{Kind: security.ReturnForged, Outcome: refused})
	}
}

// waitAfterReturn waits up to session.SubmitWait for the result of a return.
func (b bank) waitAfterReturn(ctx context.Context, page flow.Page) error {
	s, err := b.Store.Load(ctx, page.Session)
	if err != nil {
		return err
	}
	before := viewOf(s)
	limited, done := context.WithTimeout(ctx, session.SubmitWait)
	defer done()
	_, err = b.Flow.Wait(limited, page.Session, func(s *session.Session) bool {
		v := viewOf(s)
		return v.page != pageWorking && (page.Taken || v != before)
	})
	return err
}

// expected tells whether an error is the sender's alone (unknown, contradicting or outdated): nothing was changed.
func expected(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrContradicts) || errors.Is(err, session.ErrStale)
}

// callback receives a gateway's server-to-server callback. An authentic one is stored before it is answered.
func (b bank) callback(c echo.Context) error {
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, 64<<10)
	err := b.Flow.Callback(r.Context(), c.Param("account"), r)
	switch {
	case errors.Is(err, session.ErrNotFound): // of an order that is not ours, or not ours any more
		b.Log.Info("callback for an unknown order", "account", c.Param("account"))
	case err != nil:
		return err
	}
	return c.String(http.StatusOK, "OK")
}
