package handlers

import (
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tollgate/internal/card"
	"tollgate/session"
	"tollgate/session/flow"
	"tollgate/templates"
)

// mayPayBy tells whether a way to pay is among those that the session's shopper may choose.
func (v visit) mayPayBy(s *session.Session, way string) bool {
	return slices.Contains(flow.Ways(v.Flow.Accounts, s), way)
}

// ways are the choices that a page has beside its own way to pay. The card form and the pages before the payment show them all, that
// of saved cards those that are no card; it has a line for a new card itself. Where there is no other way, there is no choice.
func (v visit) ways(c echo.Context, s *session.Session, f form, own string) templates.Choice {
	offered := flow.Ways(v.Flow.Accounts, s)
	choice := templates.Choice{
		AskPhone: v.asksPhone(c, s), Phone: f.phone, Wrong: f.login, AskSave: s.SaveCard, PhoneField: "sberpay_phone",
	}
	if own == "sberpay" {
		choice.PhoneField = "phone"
	}
	chosen := own
	if a := s.Last(); a != nil && own != "card" && own != "saved_card" && slices.Contains(offered, a.Instrument) {
		chosen = a.Instrument
	}
	if f.way != "" {
		chosen = f.way
	}
	for _, way := range offered {
		if way != "saved_card" && (way != "card" || own != "saved_card") {
			choice.Ways = append(choice.Ways, templates.Way{ID: way, Chosen: way == chosen})
		}
	}
	if own != "saved_card" && len(choice.Ways) < 2 {
		return templates.Choice{}
	}
	return choice
}

// asksPhone tells whether SberPay asks for the phone: the one that the merchant named is taken without asking where the payment is made for
// SberPay, and else in the customer's browser only. A stranger with the link wakes nobody's phone.
func (v visit) asksPhone(c echo.Context, s *session.Session) bool {
	return s.Customer.Phone == "" || s.Method != "sberpay" && !v.isCustomer(c, s)
}

// chosenWay is the way to pay that a form says, "" where it says none, or one that is not among those offered.
func (v visit) chosenWay(c echo.Context, s *session.Session, field string) string {
	if way := c.FormValue(field); way != "" && v.mayPayBy(s, way) {
		return way
	}
	return ""
}

// begin begins a payment that needs no card here.
func (p pay) begin(c echo.Context, s *session.Session, way string) error {
	in := flow.Submission{Kind: way, Phone: card.OnlyDigits(s.Customer.Phone)}
	if way == "sberpay" && p.asksPhone(c, s) {
		typed := c.FormValue("sberpay_phone")
		if strings.TrimSpace(typed) == "" {
			typed = c.FormValue("phone")
		}
		phone, wrong := readPhone(typed)
		if wrong != "" {
			return p.page(c, s, form{phone: redisplay(typed, 24), login: wrong, way: way})
		}
		in.Phone = phone
	}
	in.NotKept = way != "hosted" || c.FormValue("save_card") == ""
	p.browser(c, s, &in)
	if err := p.mayBegin(); err != nil {
		return err
	}
	return p.submitted(c, s, p.Flow.Submit(c.Request().Context(), s.ID, in))
}
