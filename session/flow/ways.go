package flow

import (
	"errors"
	"slices"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// Ways are what the session's shopper may choose among to pay with, the one that the session begins with first: what the merchant
// named, else everything that the account takes and this session can be paid with, but for the gateway's own page: who can type a
// card here gains nothing there.
func Ways(accounts account.Accounts, s *session.Session) []string {
	ways := []string{s.Method}
	acc := accounts[s.Account]
	named := s.Methods
	if len(named) == 0 {
		named = slices.DeleteFunc(slices.Clone(acc.Instruments()), func(way string) bool { return way == "hosted" })
	}
	for _, way := range named {
		if !slices.Contains(ways, way) && checkWay(acc, s, way) == nil {
			ways = append(ways, way)
		}
	}
	return ways
}

// checkWay refuses a way to pay that this session cannot be paid with.
func checkWay(acc account.Account, s *session.Session, way string) error {
	if !slices.Contains(acc.Instruments(), way) {
		return providers.Refuse("payment_methods", "the account does not take "+way)
	}
	if s.Kind == session.KindTransfer && !bringsCard(way) {
		return providers.Refuse("payment_methods", "a transfer is paid with a card")
	}
	p := unsentPayment(s, way)
	p.SaveCard = p.SaveCard && (bringsCard(way) || way == "hosted")
	err := acc.Check(p)
	if refusal, ok := errors.AsType[*providers.Refusal](err); ok && refusal.Field == "payment_method" {
		return providers.Refuse("payment_methods", refusal.Text)
	}
	return err
}

// bringsCard tells whether a way to pay begins with a card that Tollgate knows.
func bringsCard(way string) bool { return way == "card" || way == "saved_card" }
