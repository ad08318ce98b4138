package flow

import (
	"context"
	"errors"

	"tollgate/internal/account"
	"tollgate/providers"
	"tollgate/session"
)

// Create writes a new session. The caller has checked the inputs that are Tollgate's own (URLs, lengths); what the
// gateway cannot express is refused here as a *providers.Refusal, a used order id as *session.OrderTaken.
func (f *Flow) Create(ctx context.Context, s *session.Session) error { return f.create(ctx, nil, s) }

func (f *Flow) create(ctx context.Context, claim *session.Claim, s *session.Session) error {
	acc, err := f.account(s)
	if err != nil {
		return err
	}
	instrument := s.Method
	if s.Kind == session.KindPayout {
		if !acc.PaysOut() {
			return session.ErrOperation
		}
		instrument = "" // a payout is not paid with an instrument
	}
	if err := findTarget(ctx, f.Wallet, acc, s); err != nil {
		return err
	}
	if err := s.Options.Only(acc.Gateway); err != nil {
		return err
	}
	if err := checkSavedCard(ctx, f.Wallet, acc, s); err != nil {
		return err
	}
	if err := acc.Check(unsentPayment(s, instrument)); err != nil {
		return err
	}
	for _, way := range s.Methods {
		if err := checkWay(acc, s, way); err != nil {
			return err
		}
	}
	token, err := f.token()
	if err != nil {
		return err
	}
	s.ID = "cs_" + token
	t := f.newTurn(s)
	t.Created()
	t.Change.Claim = claim
	if err := f.nameEvents(t.Change.Events); err != nil {
		return err
	}
	if err := f.Store.Create(ctx, s, t.Change); err != nil {
		return err
	}
	f.trace(ctx, s, t.Change.Events)
	return nil
}

// unsentPayment is what a provider gets to see of a session before its first attempt.
func unsentPayment(s *session.Session, instrument string) providers.Payment {
	return providers.Payment{
		Ref: providers.Ref{Reference: s.Reference(1)}, OrderID: s.OrderID, Amount: s.Amount, Fee: s.Fee, Hold: s.ManualCapture,
		Description: s.Description, Locale: s.Locale, Customer: s.Customer, Billing: s.Billing, SaveCard: s.SaveCard,
		Instrument: instrument, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, Transfer: s.Destination(),
		Options: s.Options, Cart: s.Cart,
	}
}

// CheckPayout refuses a payout that the gateway cannot make, before anything of it is written down: a *providers.Refusal, or
// session.ErrOperation where the account pays nothing out.
func (f *Flow) CheckPayout(s *session.Session, to providers.Destination) error {
	acc, err := f.account(s)
	switch {
	case err != nil:
		return err
	case !acc.PaysOut():
		return session.ErrOperation
	}
	return acc.CheckPayout(unsentPayment(s, ""), to)
}

// CheckGooglePay refuses a payment with a token of Google Pay that the gateway cannot make, before anything of it is written down: a
// *providers.Refusal.
func CheckGooglePay(accounts account.Accounts, s *session.Session, token string) error {
	acc := accounts[s.Account]
	if !acc.TakesGooglePay() {
		return providers.Refuse("google_pay", "the account takes no Google Pay")
	}
	if err := acc.CheckGoogleToken(token); err != nil {
		return err
	}
	return acc.Check(unsentPayment(s, providers.GooglePay))
}

// expireDue is the job that ends a session whose time is over.
func (f *Flow) expireDue(ctx context.Context, task session.Task) error {
	s, err := f.Store.Load(ctx, task.Session)
	if err != nil {
		return err
	}
	if !f.Now().Before(s.ExpiresAt) && !s.EndsUnasked(f.Now()) {
		switch err := f.recall.beforeItEnds(ctx, s); {
		case errors.Is(err, errLaterAttempt):
			return nil
		case errors.Is(err, errUnheard):
			f.Log.Warn("a session's time is over, and the gateway does not say what it knows of it", "session", s.ID, "error", err)
			_, err = f.update(ctx, task.Session, func(t *session.Turn) error { return session.Asking{Turn: t}.ExpireUnheard() })
			return err
		case err != nil:
			return err // what was found is not written down
		}
	}
	_, err = f.update(ctx, task.Session, (*session.Turn).Expire)
	return err
}

// Cancel ends a session that nobody is paying, or whose payment can be left now (leave). Else it is a *session.CannotLeave, after
// any end ErrEnded; a repeated cancel is neither.
func (f *Flow) Cancel(ctx context.Context, id string) (*session.Session, error) {
	return f.cancel(ctx, nil, id)
}

func (f *Flow) cancel(ctx context.Context, claim *session.Claim, id string) (*session.Session, error) {
	s, err := f.Exits.leave(ctx, claim, id, true)
	if err == nil && s.Live() == nil && s.Status() != session.StatusCancelled {
		return s, session.ErrEnded
	}
	return s, err
}

// Open makes a browser the customer's if none is yet, and tells whether it is. The first browser that asks for the customer's
// cards becomes it (by a form that another site cannot post, never by a GET). In any other browser a shared link may be paid,
// and shows no cards.
func (ts *turns) Open(ctx context.Context, id, browser string) (first bool, err error) {
	s, err := ts.update(ctx, id, func(t *session.Turn) error { return t.OpenIn(browser) })
	if err != nil {
		return false, err
	}
	return s.FirstBrowser == browser, nil
}
