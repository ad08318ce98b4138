package handlers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"tollgate/internal/clock"
	"tollgate/internal/sqlstore"
	"tollgate/providers"
)

// converting is a gateway that takes another sum, in another currency, with its fee.
type converting struct{ fullGateway }

func (converting) Converts() string { return "RUB" }

func (g converting) Status(ctx context.Context, p providers.Payment) (providers.Standing, error) {
	st, err := g.fullGateway.Status(ctx, p)
	st.Authorization = providers.Authorization{TakenAmount: 922500, TakenCurrency: "RUB", CreditedAmount: p.Amount.Minor, CreditedCurrency: p.Amount.Currency.Code}
	return st, err
}

func TestWhereTheGatewayConvertsPageAndMerchantAreToldWhatIsTaken(t *testing.T) {
	m := boot(t, &clock.Clock{}, sqlstore.Options{Dir: t.TempDir()}, tune{provider: func(g *gateway) providers.Provider { return converting{fullGateway{g}} }})
	path := m.opens("a", `,"locale":"en"`)
	for _, method := range []string{"card", "saved_card", "qr", "hosted"} {
		page := (&shopper{m: m}).see(m.opens("b-"+strings.ReplaceAll(method, "_", ""), `,"locale":"en","payment_method":"`+method+`"`))
		if !strings.Contains(page, "You will be charged in RUB") {
			t.Errorf("%s: the page before paying does not say in what the money is taken", method)
		}
	}
	m.shopper(http.MethodPost, path+"/card", cardWith(nil)).leadsTo(path)
	end := m.shopper(http.MethodGet, path, nil).page()
	if text := end.Find("#receipt").Text(); !strings.Contains(text, "9,225\u00a0₽") || !strings.Contains(text, "Charged") || end.Find("#converts").Length() != 0 {
		t.Errorf("the receipt says %q", text)
	}
	body := m.call(http.MethodGet, "/v1/sessions/"+strings.TrimPrefix(path, "/pay/"), "").Body.String()
	for _, want := range []string{`"taken_amount":922500`, `"taken_currency":"RUB"`, `"credited_amount":`} {
		if !strings.Contains(body, want) {
			t.Errorf("the merchant is not told %s: %s", want, body)
		}
	}
}
