package flow

import (
	"context"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// Books is what a reconciliation sees of the payments here, and how it has them asked about. Nothing in it charges.
type Books struct{ flow *Flow }

// BooksOf are the books that a Flow keeps.
func BooksOf(f *Flow) Books { return Books{f} }

// Sessions lists a merchant's sessions in an account created from (incl.) to (excl.) these times, the newest first, after the
// one that is named before.
func (b Books) Sessions(ctx context.Context, merchant, account string, from, to time.Time, before string) ([]*session.Session, error) {
	return b.flow.Store.List(ctx, session.Filter{Merchant: merchant, Account: account, Since: from, Until: to, Before: before, Limit: 100})
}

// Find finds the attempt that a gateway knows by a reference. session.ErrNotFound.
func (b Books) Find(ctx context.Context, account, reference string) (*session.Session, *session.Attempt, error) {
	id, n, err := b.flow.Store.FindReference(ctx, account, reference)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.flow.Store.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Attempt(n), nil
}

// Ask asks the gateway how an attempt stands, and changes nothing.
func (b Books) Ask(ctx context.Context, s *session.Session, a *session.Attempt) (providers.Standing, error) {
	acc, err := b.flow.account(s)
	if err != nil {
		return providers.Standing{}, err
	}
	standing, _, err := asking{b.flow}.status(ctx, acc, s, a)
	return standing, err
}

// Unmatched lists what proved callbacks told of under references that no attempt has, each with what the gateway says of it now;
// Unclear where it does not say.
func (b Books) Unmatched(ctx context.Context, name string, from, to time.Time, limit int) (all []providers.HistoryLine, err error) {
	kept, err := b.flow.Store.UnmatchedCallbacks(ctx, name, from, to, limit)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	acc, err := b.flow.Accounts.Find(name)
	if err != nil {
		return nil, err
	}
	for _, u := range kept {
		ref := providers.Ref{Reference: u.Reference, OrderID: u.GatewayOrder}
		st, _, err := b.flow.recall.statusOf(ctx, acc, "", providers.Payment{Ref: ref, Forgotten: &providers.Forgotten{Until: b.flow.Now()}})
		if err != nil {
			st = providers.Standing{Outcome: providers.Unclear}
		}
		all = append(all, providers.HistoryLine{
			Reference: u.Reference, OrderID: u.GatewayOrder, At: u.FirstAt, Kind: "payment", Outcome: st.Outcome, Amount: st.Amount,
			Held: st.Held, Captured: st.Captured, Refunded: st.Refunded, Stated: st.Stated,
		})
	}
	return all, nil
}

// Renew asks the gateway how an attempt stands and takes its word into the books, as any inquiry does.
func (b Books) Renew(ctx context.Context, s *session.Session, a *session.Attempt) (*session.Session, *session.Attempt, error) {
	if err := b.flow.inquire(ctx, s.ID, a.N); err != nil {
		return s, a, err
	}
	now, err := b.flow.Store.Load(ctx, s.ID)
	if err != nil {
		return s, a, err
	}
	return now, now.Attempt(a.N), nil
}
