package invoice

import (
	"testing"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/money"
	"tollgate/providers"
)

func TestWhatAGatewaySaysOfAnInvoiceCountsUnlessItIsPaidOrMayStillBeMade(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	acc := account.Open(account.Settings{})
	amount := money.Amount{Minor: 700, Currency: money.Currency{Code: "KZT", Numeric: "398", Digits: 2}}
	for name, c := range map[string]struct {
		stands Status
		id     string        // the gateway's, where it is known
		after  time.Duration // since the call that makes it was reserved
		said   providers.Outcome
		amount int64
		want   Status
		counts bool
	}{
		"it waits":                    {Unknown, "", 0, providers.Waiting, 700, Open, true},
		"it is paid":                  {Open, "g", 0, providers.Paid, 700, Paid, true},
		"it was cancelled":            {Open, "g", 0, providers.Closed, 700, Closed, true},
		"what was paid stays so":      {Paid, "g", 0, providers.Closed, 700, Paid, false},
		"another amount is another's": {Open, "g", 0, providers.Paid, 701, Unknown, true},
		"not found while the call may be under way":   {Unknown, "", 2*acc.CallTimeout - 1, providers.NotFound, 700, Unknown, false},
		"not found after it":                          {Unknown, "", 2 * acc.CallTimeout, providers.NotFound, 700, Failed, true},
		"not found though the gateway gave it a name": {Open, "g", time.Hour, providers.NotFound, 700, Open, false},
		"a word that we do not know":                  {Open, "g", 0, "dancing", 700, Unknown, true},
	} {
		in := Invoice{Amount: amount, GatewayID: c.id}
		in.reserve(acc, now)
		in.Status = c.stands
		said := providers.Invoice{Status: c.said, Amount: amount}
		said.Amount.Minor = c.amount
		if counts := in.apply(said, now.Add(c.after)); counts != c.counts || in.Status != c.want {
			t.Errorf("%s: it counts %t and is %s, want %t and %s", name, counts, in.Status, c.counts, c.want)
		}
	}
}
