package flow

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/session"
)

// Names that bind sealed values to their use.
const (
	sealedChallenge  = "login"
	sealedCredential = "credential"
)

// NeedsLogin tells whether the account wants the customer before the card, and this session's has not logged in.
func (f *Flow) NeedsLogin(s *session.Session) bool {
	_, wants := f.Accounts[s.Account].Provider.(providers.Login)
	return wants && (s.Login == nil || !s.Login.Done)
}

// login finds who logs a session's customer in. session.ErrStale where nobody may.
func (f *Flow) login(s *session.Session) (Account, providers.Login, error) {
	acc, err := f.account(s)
	if err != nil {
		return acc, nil, err
	}
	login, ok := acc.Provider.(providers.Login)
	if !ok {
		return acc, nil, session.ErrStale
	}
	return acc, login, nil
}

// LoginPhone begins a login: the gateway is asked for the customer and sends a code. providers.ErrNoCustomer where it knows
// none, where the session's transfer goes to a card of another customer's, and where another customer's payment is under
// way; session.ErrTooMany where the session has had its share. It may be repeated, with the same or another phone; the same
// press twice sends one code, and of two presses the later one counts.
func (f *Flow) LoginPhone(ctx context.Context, id, browser, phone string) error {
	var acc Account
	var login providers.Login
	var press session.Press
	s, err := f.update(ctx, id, func(t *session.Turn) (err error) {
		if acc, login, err = f.login(t.S); err != nil {
			return err
		}
		press, err = t.AskCode(browser, phone)
		return err
	})
	if err != nil {
		return err
	}
	n := press.N
	if press.Repeated {
		return f.awaitCode(ctx, id, n)
	}
	over := context.WithoutCancel(ctx) // what came of the request is written down though whoever made it has gone
	call, done := context.WithTimeout(ctx, session.LoginTimeout)
	defer done()
	customer := press.Customer
	if customer == "" {
		_, err = f.dial(call, acc, "find customer", func(call context.Context) (err error) {
			customer, err = login.FindCustomer(call, phone)
			return err
		})
		if err == nil && !s.TakesCustomer(customer) {
			err = providers.ErrNoCustomer
		}
		if err != nil {
			return cmp.Or(f.codeNotSent(over, id, n, errors.Is(err, providers.ErrNoCustomer)), err)
		}
		if _, err = f.update(over, id, func(t *session.Turn) error { return t.CountCode(n) }); err != nil {
			return cmp.Or(f.codeNotSent(over, id, n, false), err)
		}
	}
	var challenge string
	if _, err = f.dial(call, acc, "send code", func(call context.Context) (err error) {
		challenge, err = login.SendCode(call, customer)
		return err
	}); err != nil {
		return cmp.Or(f.codeNotSent(over, id, n, false), err)
	}
	sealed, err := f.Sealer.Seal(sealedChallenge, []byte(challenge))
	if err != nil {
		return err
	}
	_, err = f.update(over, id, func(t *session.Turn) error { return t.CodeSent(n, browser, phone, customer, sealed) })
	return err
}

// codeNotSent notes that a request for a code came to nothing.
func (f *Flow) codeNotSent(ctx context.Context, id string, n int, unknown bool) error {
	_, err := f.update(ctx, id, func(t *session.Turn) error { return t.CodeNotSent(n, unknown) })
	return err
}

// awaitCode waits a moment for what comes of a request that somebody else made, so that the page that is shown next is the
// one that follows.
func (f *Flow) awaitCode(ctx context.Context, id string, n int) error {
	limited, done := context.WithTimeout(ctx, session.SubmitWait)
	defer done()
	s, err := f.Wait(limited, id, func(s *session.Session) bool { return s.Login.Asking.N != n || !s.Login.Asking.Open })
	if err != nil {
		return err
	}
	if r := s.Login.Asking; r.N == n && r.Unknown {
		return providers.ErrNoCustomer
	}
	return nil
}

// LoginOtherPhone takes a shopper back to the phone, who gave the wrong one. Nothing is refunded.
func (f *Flow) LoginOtherPhone(ctx context.Context, id, browser string) error {
	_, err := f.update(ctx, id, func(t *session.Turn) error { return t.OtherPhone(browser) })
	return err
}

// CodeLeft is how long the code that was sent is still good by our clock; not below zero.
func (f *Flow) CodeLeft(s *session.Session) time.Duration {
	login, ok := f.Accounts[s.Account].Provider.(providers.Login)
	if !ok {
		return 0
	}
	return s.CodeLeft(f.Now(), login.CodeLife())
}

// CodeExpired tells whether the code that was sent is too old by our clock.
func (f *Flow) CodeExpired(s *session.Session) bool { return f.CodeLeft(s) == 0 }

// LoginCode ends a login. providers.ErrWrongCode for a wrong code or one too old; after five tries a new one is needed.
// session.ErrStale where another browser asked for the code, or another code was asked for meanwhile. The credential is
// sealed at rest, per account and customer, and replaces the customer's earlier one. Where an attempt had lost its customer,
// the gateway is asked at once what became of it.
func (f *Flow) LoginCode(ctx context.Context, id, browser, code string) error {
	var acc Account
	var login providers.Login
	var asked string
	s, err := f.update(ctx, id, func(t *session.Turn) (err error) {
		if acc, login, err = f.login(t.S); err != nil {
			return err
		}
		asked, err = t.TryCode(browser, login.CodeLife())
		return err
	})
	if err != nil {
		return err
	}
	customer := s.Login.Customer
	challenge, err := f.Sealer.Unseal(sealedChallenge, asked)
	if err != nil {
		return err
	}
	over := context.WithoutCancel(ctx) // a credential that was issued is kept though whoever typed the code has gone
	call, done := context.WithTimeout(over, session.LoginTimeout)
	defer done()
	issued := f.Now()
	var credential providers.Credential
	_, err = f.dial(call, acc, "exchange code", func(call context.Context) (err error) {
		credential, err = login.Exchange(call, string(challenge), strings.TrimSpace(code))
		return err
	})
	if errors.Is(err, providers.ErrWrongCode) {
		if s, loadErr := f.Store.Load(over, id); loadErr == nil && s.Login.Done && s.Login.Browser == browser {
			return nil // the same code was taken a moment before: a double click
		}
	}
	if err != nil {
		return err
	}
	sealed, err := f.Sealer.Seal(sealedCredential, []byte(credential.Token.Reveal()))
	if err != nil {
		return err
	}
	if err := f.Customers.SaveCredential(over, s.Merchant, s.Account, customer, sealed, issued, credential.ExpiresAt); err != nil {
		return err
	}
	if s, err = f.update(over, id, func(t *session.Turn) error { return t.LoggedIn(asked, customer) }); err != nil {
		return err
	}
	if a := s.Live(); a != nil && a.State != session.New {
		f.inquireNow(over, id, a.N)
	}
	return nil
}

// inquireNow asks without a turn through the queue, and waits a moment for the answer; the queued inquiry is the net below.
func (f *Flow) inquireNow(ctx context.Context, id string, n int) {
	answered := make(chan struct{})
	f.background(func(ctx context.Context) {
		defer close(answered)
		if err := f.inquire(ctx, id, n); err != nil {
			f.Log.Warn("the inquiry after a login failed", "session", id, "attempt", n, "error", err)
		}
	})
	limited, done := context.WithTimeout(ctx, session.SubmitWait)
	defer done()
	select {
	case <-answered:
	case <-limited.Done():
	}
}

// credential is the newest of the session's customer; empty where there is none.
func (f *Flow) credential(ctx context.Context, s *session.Session) providers.Secret {
	if s.Login == nil || f.Customers == nil {
		return providers.Secret{}
	}
	_, token := f.stored(ctx, s.Account, s.Login.Customer)
	return token
}

// stored reads a customer's credential as it is kept, and opened.
func (f *Flow) stored(ctx context.Context, account, customer string) (sealed string, token providers.Secret) {
	sealed, err := f.Customers.Credential(ctx, account, customer)
	if err != nil {
		if !errors.Is(err, session.ErrNotFound) {
			f.Log.Error("cannot read a credential", "account", account, "error", err)
		}
		return "", providers.Secret{}
	}
	raw, err := f.Sealer.Unseal(sealedCredential, sealed)
	if err != nil {
		f.Log.Error("a stored credential cannot be opened", "account", account)
		return sealed, providers.Secret{}
	}
	return sealed, providers.NewSecret(string(raw))
}

// forgetCredential drops a credential that the gateway refused, unless the customer has a newer one by now, which it tells.
func (f *Flow) forgetCredential(ctx context.Context, account, customer string, refused providers.Secret) (newer bool) {
	sealed, token := f.stored(ctx, account, customer)
	switch {
	case sealed == "":
		return false
	case !token.Empty() && token.Reveal() != refused.Reveal():
		return true
	}
	if err := f.Customers.DropCredential(ctx, account, customer, sealed); err != nil {
		f.Log.Error("cannot drop a refused credential", "account", account, "error", err)
	}
	return false
}

// loginRefused tells whether err is the gateway's refusal of the session's customer, and whether that login is lost: the
// customer has no newer credential, and the refused one is forgotten.
func (f *Flow) loginRefused(ctx context.Context, s *session.Session, credential providers.Secret, err error) (refused, lost bool) {
	if !errors.Is(err, providers.ErrCredential) || s.Login == nil {
		return errors.Is(err, providers.ErrCredential), false
	}
	return true, !f.forgetCredential(ctx, s.Account, s.Login.Customer, credential)
}

// needsLogin is ErrLogin where err is the gateway's refusal of a customer's credential, which is then forgotten.
func (f *Flow) needsLogin(ctx context.Context, account string, o providers.Owner, err error) error {
	if !errors.Is(err, providers.ErrCredential) {
		return err
	}
	f.forgetCredential(context.WithoutCancel(ctx), account, o.CustomerID, o.Credential)
	return errors.Join(ErrLogin, err)
}
