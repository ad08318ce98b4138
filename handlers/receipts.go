package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/internal/mail"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
)

// MailSender sends a mail; errors as of mail.Sender.
type MailSender interface {
	Send(ctx context.Context, m mail.Message) error
}

// receiptMail is the form that asks where the receipt goes: in the browser that paid, and where mails can be sent.
func (p screens) receiptMail(c echo.Context, s *session.Session, r *templates.Receipt, f form) (*templates.ReceiptMail, error) {
	if p.Mail == nil || r == nil || !r.Own {
		return nil, nil
	}
	asks := &templates.ReceiptMail{Email: f.email, Wrong: f.wrongEmail, Sent: s.ReceiptMails}
	if s.ReceiptMails >= session.MostReceiptMails {
		return asks, nil
	}
	if asks.Email == "" && p.isCustomer(c, s) {
		asks.Email = s.Customer.Email
	}
	var err error
	asks.Action = payPath(s.ID) + "/receipt"
	asks.CSRF, err = p.token(c, s)
	return asks, err
}

// mailReceipt sends the receipt to an address, in the browser that paid. A card number that was typed in the wrong field is no address.
func (p pay) mailReceipt(c echo.Context) error {
	s, err := p.load(c)
	if err != nil {
		return err
	}
	if p.Mail == nil || !p.paidHere(c, s) {
		return redirectToPay(c, s.ID)
	}
	typed := truncate(c.FormValue("email"), mostTyped)
	address, ok := mail.Address(typed)
	if hidden := card.Holds(typed); !ok || hidden {
		f := form{wrongEmail: true}
		if !hidden {
			f.email = redisplay(typed, 100)
		}
		return p.page(c, s, f)
	}
	ctx := c.Request().Context()
	err = flow.MailReceipt(ctx, p.Flow, s.ID, p.Browsers.Known(ctx), address, p.language(c, s).Lang())
	if err != nil && !errors.Is(err, session.ErrTooMany) && !errors.Is(err, session.ErrNothing) {
		return err
	}
	return redirectToPay(c, s.ID)
}

// receiptMailFor is how long the server is asked to take a receipt.
const receiptMailFor = 24 * time.Hour

// MailReceipt is the job that sends a receipt by e-mail. The mail says what the page of the browser that paid says then.
func MailReceipt(ctx context.Context, o Options, unseal func(name, sealed string) ([]byte, error), task session.Task) error {
	s, err := o.Store.Load(ctx, task.Session)
	if err != nil {
		return err
	}
	log := o.Log.With("session", s.ID, "mail", task.Mail)
	address, err := unseal(session.SealedMailAddress, task.To)
	a := s.FundedAttempt()
	if err != nil || a == nil || o.Mail == nil {
		log.Warn("a receipt cannot be sent by e-mail", "unsealed", err == nil, "paid", a != nil, "mail", o.Mail != nil)
		return nil
	}
	v := visit{o}
	t := o.Texts.For(task.Locale)
	page := templates.MailPage{T: t, ShopName: o.Merchants.Name(s.Merchant), TextLang: s.Locale}
	m := mail.Message{
		ID: mailID(s.ID, task.Mail) + "@" + strings.TrimPrefix(strings.TrimPrefix(o.BaseURL, "https://"), "http://"),
		At: task.Since, To: string(address), Lang: t.Lang(),
	}
	if k := templates.LookOf(t.Lang(), o.Merchants.Look(s.Merchant, s.Look)); k != nil {
		if k.Title != "" {
			page.ShopName, page.TextLang = k.Title, t.Lang()
		}
		m.ReplyTo = k.Email
		for _, way := range []string{k.Email, k.Phone} {
			if way != "" {
				page.Help = append(page.Help, way)
			}
		}
	}
	r := v.receiptOf(s, t.Lang(), true)
	page.Rows = r.Rows(page, s.OrderID)
	m.Name, m.Subject, m.Text = page.ShopName, t.T("receipt")+": "+page.ShopName+", "+s.OrderID, templates.MailText(page)
	var html bytes.Buffer
	if err := templates.Mail(page).Render(ctx, &html); err != nil {
		return err
	}
	m.HTML = html.String()
	switch err := o.Mail.Send(ctx, m); {
	case err == nil:
		return nil
	case errors.Is(err, mail.ErrRefused), o.Now().Sub(task.Since) >= receiptMailFor:
		log.Warn("a receipt was not taken by the mail server", "error", err)
		return nil
	default:
		return err
	}
}

// mailID is the same each time a mail is tried. It tells nobody the session's id, which is the address of its page.
func mailID(id string, n int) string {
	sum := sha256.Sum256([]byte(id + " " + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:16])
}
