package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"tollgate/internal/card"
	"tollgate/internal/jobs"
	"tollgate/providers"
)

// owner is whose saved cards a session may use: the customer the merchant named, or the one who logged in.
func (s *Session) owner() string {
	if s.Login != nil && s.Login.Done {
		return s.Login.Customer
	}
	return s.Customer.ID
}

// SavedCards lists what a session's customer may choose from. The caller has to know that this browser is the customer's.
// ErrLogin where the gateway refuses the customer's credential: the session's login is then forgotten.
func (f *Flow) SavedCards(ctx context.Context, s *Session) ([]SavedCard, error) {
	acc, err := f.account(s)
	if err != nil {
		return nil, err
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	owner := s.owner()
	if !ok || owner == "" {
		return nil, nil
	}
	if _, logs := acc.Provider.(providers.Login); logs { // the gateway's own list is the truth: it knows cards we never saw
		call, done := context.WithTimeout(ctx, loginTimeout)
		defer done()
		credential := f.credential(ctx, s)
		found, err := keeper.Cards(call, providers.Owner{CustomerID: s.Customer.ID, Credential: credential})
		switch {
		case errors.Is(err, providers.ErrCredential):
			_, saveErr := f.update(ctx, s.ID, func(s *Session, c *Change) error {
				f.loggedOut(ctx, s, credential)
				return nil
			})
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
func (f *Flow) AsksCode(s *Session) bool {
	acc, err := f.account(s)
	if err != nil {
		return false
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	return ok && keeper.AsksCode()
}

func (f *Flow) keepCard(ctx context.Context, s *Session, owner string, c providers.SavedCard) error {
	token, err := f.token()
	if err != nil {
		return err
	}
	return f.Customers.SaveCard(ctx, &SavedCard{
		ID: "sc_" + token, Merchant: s.Merchant, Account: s.Account, Customer: owner, GatewayID: c.ID,
		Card: c.Card, Expiry: c.Expiry, Name: c.Name, CreatedAt: f.Now(),
	})
}

func (f *Flow) rememberJob(s *Session, a *Attempt, at time.Time) jobs.Job {
	return job(jobRemember, vaultKey(s, a), jobPayload{Session: s.ID, Attempt: a.N}, at)
}

// rememberDue asks the gateway for the name of the card that a good payment saved.
func (f *Flow) rememberDue(ctx context.Context, p jobPayload) error {
	s, err := f.Store.Load(ctx, p.Session)
	if err != nil {
		return err
	}
	a := s.Attempt(p.Attempt)
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	keeper, ok := acc.Provider.(providers.CardKeeper)
	owner := s.owner()
	if !ok || owner == "" || !a.State.Good() {
		return nil
	}
	standing, _, err := f.status(ctx, acc, s, a)
	if err != nil {
		return err
	}
	call, done := context.WithTimeout(ctx, acc.CallTimeout)
	defer done()
	saved, err := keeper.Remember(call, f.payment(ctx, s, a), standing)
	if err != nil {
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
	_, err = f.update(ctx, s.ID, func(s *Session, c *Change) error {
		f.event(s, c, "card.saved", map[string]any{"attempt": a.N, "last4": saved.Card.Last4})
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
	call, done := context.WithTimeout(ctx, acc.CallTimeout)
	defer done()
	owner := f.ownerOf(ctx, c)
	if err := keeper.Forget(call, owner, "forget-"+id[max(0, len(id)-20):], c.GatewayID); err != nil {
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
		call, done := context.WithTimeout(ctx, acc.CallTimeout)
		defer done()
		owner := f.ownerOf(ctx, c)
		if err := renamer.RenameCard(call, owner, fmt.Sprintf("rename-%d", f.Now().UnixMicro()), c.GatewayID, name); err != nil {
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
		return c, nil, acc, ErrOperation
	}
	return c, keeper, acc.withDefaults(), nil
}

func (f *Flow) ownerOf(ctx context.Context, c SavedCard) providers.Owner {
	o := providers.Owner{CustomerID: c.Customer}
	if f.Accounts[c.Account].Provider != nil {
		o.Credential = f.credential(ctx, &Session{Account: c.Account, Login: &Login{Customer: c.Customer}})
	}
	return o
}
