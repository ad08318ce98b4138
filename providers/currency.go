package providers

import (
	"strings"

	"tollgate/internal/money"
	"tollgate/providers/wire"
)

// CurrencyOf is the currency that a gateway names, by its number or its letters. An unknown one is another currency than ours, not
// an answer that cannot be read.
func CurrencyOf(said string) money.Currency {
	said = strings.TrimSpace(said)
	if c, err := money.ParseNumeric(said); err == nil {
		return c
	}
	if c, err := money.ParseCurrency(strings.ToUpper(said)); err == nil {
		return c
	}
	return money.Currency{Code: "?" + wire.Line(said, 8), Numeric: wire.Line(said, 8)}
}
