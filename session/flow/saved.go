package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tollgate/internal/card"
	"tollgate/providers"
	"tollgate/session"
)

// SavedCards lists what a session's customer may choose from. The caller has to know that this browser is the customer's.
// ErrLogin where the gateway refuses the customer's credential: the session's login is then forgotten.
func (f *Flow) SavedCards(ctx context.Context, s *session.Session) ([]SavedCard, error) {
	acc, err := f.account(s)
	if err != nil {
		return nil, err
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	owner := s.Owner()
	if !ok || owner == "" {
		return nil, nil
	}
	if _, logs := acc.Provider.(providers.Login); logs { // the gateway's own list is the truth: it knows cards we never saw
		credential := f.credential(ctx, s)
		limited, done := context.WithTimeout(ctx, session.LoginTimeout)
		defer done()
		var found []providers.SavedCard
		_, err := f.dial(limited, acc, "cards", func(call context.Context) (err error) {
			found, err = keeper.Cards(call, providers.Owner{CustomerID: s.Customer.ID, Credential: credential})
			return err
		})
		switch {
		case errors.Is(err, providers.ErrCredential):
			var saveErr error
			if _, lost := f.loginRefused(ctx, s, credential, err); lost {
				_, saveErr = f.update(ctx, s.ID, (*session.Turn).DropLogin)
			}
			return nil, cmp.Or(saveErr, errors.Join(ErrLogin, err))
		case errors.Is(err, errors.ErrUnsupported):
		case err != nil:
			return nil, err
		default:
			for _, c := range found {
				if err := f.keepCard(ctx, s, owner, c); err != nil {
					return nil, err
				}
			}
		}
	}
	return f.Customers.SavedCards(ctx, s.Merchant, s.Account, owner)
}

// AsksCode tells whether paying with a saved card needs the CVC in this session's account.
func (f *Flow) AsksCode(s *session.Session) bool {
	acc, err := f.account(s)
	if err != nil {
		return false
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	return ok && keeper.AsksCode()
}

func (f *Flow) keepCard(ctx context.Context, s *session.Session, owner string, c providers.SavedCard) error {
	token, err := f.token()
	if err != nil {
		return err
	}
	return f.Customers.SaveCard(ctx, &SavedCard{
		ID: "sc_" + token, Merchant: s.Merchant, Account: s.Account, Customer: owner, GatewayID: c.ID,
		Card: c.Card, Expiry: c.Expiry, Name: c.Name, CreatedAt: f.Now(),
	})
}

// rememberDue asks the gateway for the name of the card that a good payment saved.
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
	keeper, ok := acc.Provider.(providers.CardKeeper)
	owner := s.Owner()
	if !ok || owner == "" || !a.State.Good() {
		return nil
	}
	standing, _, err := f.status(ctx, acc, s, a)
	if err != nil {
		return err
	}
	var saved providers.SavedCard
	if _, err = f.dial(ctx, acc, "remember", func(call context.Context) (err error) {
		saved, err = keeper.Remember(call, f.payment(ctx, s, a), standing)
		return err
	}); err != nil {
		return err
	}
	if saved.ID == "" { // the gateway saved none after all
		return nil
	}
	if saved.Card == (card.Masked{}) {
		saved.Card = a.Card
	}
	if err := f.keepCard(ctx, s, owner, saved); err != nil {
		return err
	}
	_, err = f.update(ctx, s.ID, func(t *session.Turn) error {
		t.CardSaved(a.N, saved.Card.Last4)
		return nil
	})
	return err
}

// ForgetCard deletes a saved card at the gateway and here. ErrLogin where the customer has to log in first.
func (f *Flow) ForgetCard(ctx context.Context, merchant, id string) error {
	c, keeper, acc, err := f.keeper(ctx, merchant, id)
	if err != nil {
		return err
	}
	owner := f.ownerOf(ctx, c)
	if _, err := f.dial(ctx, acc, "forget", func(call context.Context) error {
		return keeper.Forget(call, owner, "forget-"+id[max(0, len(id)-20):], c.GatewayID)
	}); err != nil {
		return f.needsLogin(ctx, c.Account, owner, err)
	}
	return f.Customers.DropSavedCard(ctx, merchant, id)
}

// RenameCard gives a saved card a name, at the gateway too where it knows names. ErrLogin as ForgetCard.
func (f *Flow) RenameCard(ctx context.Context, merchant, id, name string) error {
	c, keeper, acc, err := f.keeper(ctx, merchant, id)
	if err != nil {
		return err
	}
	if renamer, ok := keeper.(providers.CardRenamer); ok {
		owner := f.ownerOf(ctx, c)
		if _, err := f.dial(ctx, acc, "rename", func(call context.Context) error {
			return renamer.RenameCard(call, owner, fmt.Sprintf("rename-%d", f.Now().UnixMicro()), c.GatewayID, name)
		}); err != nil {
			return f.needsLogin(ctx, c.Account, owner, err)
		}
	}
	return f.Customers.RenameSavedCard(ctx, merchant, id, name)
}

func (f *Flow) keeper(ctx context.Context, merchant, id string) (SavedCard, providers.CardKeeper, Account, error) {
	c, err := f.Customers.SavedCard(ctx, merchant, id)
	if err != nil {
		return c, nil, Account{}, err
	}
	acc, ok := f.Accounts[c.Account]
	if !ok {
		return c, nil, acc, ErrNoAccount
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	if !ok {
		return c, nil, acc, session.ErrOperation
	}
	return c, keeper, acc.withDefaults(), nil
}

func (f *Flow) ownerOf(ctx context.Context, c SavedCard) providers.Owner {
	o := providers.Owner{CustomerID: c.Customer}
	if f.Accounts[c.Account].Provider != nil {
		o.Credential = f.credential(ctx, &session.Session{Account: c.Account, Login: &session.Login{Customer: c.Customer}})
	}
	return o
}
