package session

import (
	"context"

	"tollgate/providers"
)

// Banks lists where an account's fast payouts can go. ErrOperation where the gateway has no such list.
func (f *Flow) Banks(ctx context.Context, account string) ([]providers.Bank, error) {
	acc, ok := f.Accounts[account]
	if !ok {
		return nil, ErrNoAccount
	}
	lister, ok := acc.Provider.(providers.BankLister)
	if !ok {
		return nil, ErrOperation
	}
	call, done := context.WithTimeout(ctx, acc.withDefaults().CallTimeout)
	defer done()
	return lister.Banks(call)
}

// History is the gateway's own list of transactions; with gateways that have logins it is one customer's, who has logged in
// to one of the merchant's sessions: ErrNotFound for one the merchant never met, ErrLogin where the login is over.
// ErrOperation where the gateway has no list.
func (f *Flow) History(ctx context.Context, merchant, account, customer string, q providers.HistoryQuery) ([]providers.HistoryLine, error) {
	acc, ok := f.Accounts[account]
	if !ok {
		return nil, ErrNoAccount
	}
	historian, ok := acc.Provider.(providers.Historian)
	if !ok {
		return nil, ErrOperation
	}
	if _, logs := acc.Provider.(providers.Login); logs {
		var err error
		if q.Owner, err = f.met(ctx, merchant, account, customer); err != nil {
			return nil, err
		}
	}
	call, done := context.WithTimeout(ctx, acc.withDefaults().CallTimeout)
	defer done()
	lines, err := historian.History(call, q)
	return lines, f.needsLogin(ctx, account, q.Owner, err)
}
