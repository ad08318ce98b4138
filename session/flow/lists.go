package flow

import (
	"context"

	"tollgate/providers"
	"tollgate/session"
)

// Banks lists where an account's fast payouts can go. session.ErrOperation where the gateway has no such list.
func (f *Flow) Banks(ctx context.Context, account string) ([]providers.Bank, error) {
	acc, ok := f.Accounts[account]
	if !ok {
		return nil, ErrNoAccount
	}
	lister, ok := acc.Provider.(providers.BankLister)
	if !ok {
		return nil, session.ErrOperation
	}
	var banks []providers.Bank
	_, err := f.dial(ctx, acc.withDefaults(), "banks", func(call context.Context) (err error) {
		banks, err = lister.Banks(call)
		return err
	})
	return banks, err
}

// History is the gateway's own list of transactions; with gateways that have logins it is one customer's, who has logged in
// to one of the merchant's sessions: session.ErrNotFound for one the merchant never met, ErrLogin where the login is over.
// session.ErrOperation where the gateway has no list.
func (f *Flow) History(ctx context.Context, merchant, account, customer string, q providers.HistoryQuery) ([]providers.HistoryLine, error) {
	acc, ok := f.Accounts[account]
	if !ok {
		return nil, ErrNoAccount
	}
	historian, ok := acc.Provider.(providers.Historian)
	if !ok {
		return nil, session.ErrOperation
	}
	if _, logs := acc.Provider.(providers.Login); logs {
		var err error
		if q.Owner, err = f.met(ctx, merchant, account, customer); err != nil {
			return nil, err
		}
	}
	var lines []providers.HistoryLine
	_, err := f.dial(ctx, acc.withDefaults(), "history", func(call context.Context) (err error) {
		lines, err = historian.History(call, q)
		return err
	})
	return lines, f.needsLogin(ctx, account, q.Owner, err)
}
