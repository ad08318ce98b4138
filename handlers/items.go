package handlers

import (
	"tollgate/internal/i18n"
	"tollgate/providers"
	"tollgate/session"
	"tollgate/templates"
)

// itemsOf are the lines of a session's cart as its pages show them.
func itemsOf(lang string, s *session.Session) (all []templates.Item) {
	if s.Cart == nil {
		return nil
	}
	text := func(minor int64) string {
		return i18n.FormatAmount(lang, minor, s.Amount.Currency.Digits, s.Amount.Currency.Code)
	}
	for _, line := range s.Cart.Items {
		one := templates.Item{Name: line.Name, SumText: text(line.Amount)}
		if line.Quantity != providers.One {
			one.QuantityText = i18n.FormatDecimal(lang, line.Quantity.String()) + " × " + text(line.UnitPrice)
		}
		if line.Discount > 0 {
			one.DiscountText = text(line.Discount)
		}
		if tax := line.TaxAmount(); tax > 0 {
			one.TaxText = text(tax)
		}
		all = append(all, one)
	}
	return all
}
