package flow

import (
	"cmp"
	"context"
	"errors"

	"tollgate/internal/account"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// SavedCards lists what a session's customer may choose from. The caller has to know that this browser is the customer's.
// wallet.ErrLogin where the gateway refuses the customer's credential: the session's login is then forgotten.
func (f *Flow) SavedCards(ctx context.Context, s *session.Session) ([]wallet.SavedCard, error) {
	acc, err := f.account(s)
	if err != nil {
		return nil, err
	}
	owner := s.Owner()
	if !acc.KeepsCards() || owner == "" {
		return nil, nil
	}
	as := providers.Owner{CustomerID: s.GatewayCustomer()}
	if acc.LogsIn() {
		as.Credential = f.credential(ctx, s)
	}
	cards, err := f.Wallet.Cards(ctx, holder(s), as, session.LoginTimeout)
	if !errors.Is(err, providers.ErrCredential) {
		return cards, err
	}
	var saveErr error
	if _, lost := f.loginRefused(ctx, s, as.Credential, err); lost {
		_, saveErr = f.update(ctx, s.ID, (*session.Turn).DropLogin)
	}
	return nil, cmp.Or(saveErr, errors.Join(wallet.ErrLogin, err))
}

// holder is the customer whose saved cards a session may be paid with.
func holder(s *session.Session) wallet.Holder {
	return wallet.Holder{Merchant: s.Merchant, Account: s.Account, Customer: s.Owner()}
}

// rememberDue is the job that stores the card that the gateway saved of a payment, or that a payment with a saved card began a
// series.
func (f *Flow) rememberDue(ctx context.Context, task session.Task) error {
	s, err := f.Store.Load(ctx, task.Session)
	if err != nil {
		return err
	}
	a := s.Attempt(task.Attempt)
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	if !acc.KeepsCards() || s.Owner() == "" || !a.State.Funded() {
		return nil
	}
	if a.Saved != "" {
		return f.Wallet.BeganSeries(ctx, s.Merchant, a.Saved, a.Ref.OrderID)
	}
	saved, askErr := f.remember(ctx, acc, s, a)
	if askErr != nil || saved.ID == "" {
		if askErr != nil {
			f.Log.Warn("the saved card of a payment is not known yet", "session", s.ID, "attempt", a.N, "error", askErr)
		}
		f.tell(ctx, s.ID, askErr)
		_, err = f.update(ctx, s.ID, func(t *session.Turn) error { return t.Attempts().CardNotYetSaved(a.N, task.Try) })
		return err
	}
	_, err = f.update(ctx, s.ID, func(t *session.Turn) error {
		t.CardSaved(a.N, saved.Card.Last4)
		return nil
	})
	return err
}

// remember asks the gateway which card a payment saved.
func (f *Flow) remember(ctx context.Context, acc account.Account, s *session.Session, a *session.Attempt) (
	saved providers.SavedCard, err error,
) {
	standing, _, err := asking{f}.status(ctx, acc, s, a)
	if err != nil {
		return saved, err
	}
	return f.Wallet.Remember(ctx, holder(s), f.payment(ctx, s, a), standing, a.Card)
}

// credential is the newest of the session's customer; empty where there is none.
func (ts *turns) credential(ctx context.Context, s *session.Session) providers.Secret {
	if s.Login == nil {
		return providers.Secret{}
	}
	return ts.Wallet.Credential(ctx, s.Account, s.Login.Customer)
}

// loginRefused tells whether err is the gateway's refusal of the session's customer, and whether that login is lost: the
// customer has no newer credential, and the refused one is forgotten.
func (f *Flow) loginRefused(
	ctx context.Context, s *session.Session, credential providers.Secret, err error,
) (refused, lost bool) {
	if !errors.Is(err, providers.ErrCredential) || s.Login == nil {
		return errors.Is(err, providers.ErrCredential), false
	}
	return true, !f.Wallet.ForgetCredential(ctx, s.Account, s.Login.Customer, credential)
}
