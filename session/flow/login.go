package flow

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tollgate/internal/account"
	"tollgate/internal/wallet"
	"tollgate/providers"
	"tollgate/session"
)

// sealedChallenge binds a sealed challenge to its use.
const sealedChallenge = "login"

// Logins are the logins of sessions whose account wants the customer before the card. The credential that comes of one is the
// wallet's.
type Logins struct {
	*turns
	inquireNow func(ctx context.Context, id string, attempt int)
}

// Needed tells whether the account wants the customer before the card, and this session's has not logged in.
func (l *Logins) Needed(s *session.Session) bool {
	return l.Accounts[s.Account].LogsIn() && (s.Login == nil || !s.Login.Done)
}

// login finds the account that logs a session's customer in. session.ErrStale where none does.
func (l *Logins) login(s *session.Session) (account.Account, error) {
	acc, err := l.account(s)
	if err == nil && !acc.LogsIn() {
		err = session.ErrStale
	}
	return acc, err
}

// Phone begins a login: the gateway is asked for the customer and sends a code. providers.ErrNoCustomer where it knows
// none, where the session's transfer goes to a card of another customer's, and where another customer's payment is under
// way; session.ErrTooMany where the session has had its share. It may be repeated, with the same or another phone; the same
// press twice sends one code, and of two presses the later one counts.
func (l *Logins) Phone(ctx context.Context, id, browser, phone string) error {
	var acc account.Account
	var press session.Press
	s, err := l.update(ctx, id, func(t *session.Turn) (err error) {
		if acc, err = l.login(t.S); err != nil {
			return err
		}
		press, err = t.Logins().AskCode(browser, phone)
		return err
	})
	if err != nil {
		return err
	}
	n := press.N
	if press.Repeated {
		return l.awaitCode(ctx, id, n)
	}
	over := context.WithoutCancel(ctx) // what came of the request is written down though whoever made it has gone
	call, done := context.WithTimeout(ctx, session.LoginTimeout)
	defer done()
	customer := press.Customer
	if customer == "" {
		_, err = account.Call(call, acc, "find customer", func(call context.Context, gateway providers.Login) (err error) {
			customer, err = gateway.FindCustomer(call, phone)
			return err
		})
		if err == nil && !s.TakesCustomer(customer) {
			err = providers.ErrNoCustomer
		}
		if err != nil {
			l.tell(over, id, err)
			return cmp.Or(l.codeNotSent(over, id, n, errors.Is(err, providers.ErrNoCustomer)), err)
		}
		if _, err = l.update(over, id, func(t *session.Turn) error { return t.Logins().CountCode(n) }); err != nil {
			return cmp.Or(l.codeNotSent(over, id, n, false), err)
		}
	}
	var challenge string
	if _, err = account.Call(call, acc, "send code", func(call context.Context, gateway providers.Login) (err error) {
		challenge, err = gateway.SendCode(call, customer)
		return err
	}); err != nil {
		l.tell(over, id, err)
		return cmp.Or(l.codeNotSent(over, id, n, false), err)
	}
	sealed, err := l.Sealer.Seal(sealedChallenge, []byte(challenge))
	if err != nil {
		return err
	}
	_, err = l.update(over, id, func(t *session.Turn) error { return t.Logins().CodeSent(n, browser, phone, customer, sealed) })
	return err
}

// codeNotSent notes that a request for a code came to nothing.
func (l *Logins) codeNotSent(ctx context.Context, id string, n int, unknown bool) error {
	_, err := l.update(ctx, id, func(t *session.Turn) error { return t.Logins().CodeNotSent(n, unknown) })
	return err
}

// awaitCode waits a moment for what comes of a request that somebody else made, so that the page that is shown next is the
// one that follows.
func (l *Logins) awaitCode(ctx context.Context, id string, n int) error {
	limited, done := context.WithTimeout(ctx, session.SubmitWait)
	defer done()
	s, err := l.Wait(limited, id, func(s *session.Session) bool { return s.Login.Asking.N != n || !s.Login.Asking.Open })
	if err != nil {
		return err
	}
	if r := s.Login.Asking; r.N == n && r.Unknown {
		return providers.ErrNoCustomer
	}
	return nil
}

// OtherPhone takes a shopper back to the phone, who gave the wrong one. Nothing is refunded.
func (l *Logins) OtherPhone(ctx context.Context, id, browser string) error {
	_, err := l.update(ctx, id, func(t *session.Turn) error { return t.Logins().OtherPhone(browser) })
	return err
}

// CodeLeft is how long the code that was sent is still good by our clock; not below zero.
func (l *Logins) CodeLeft(s *session.Session) time.Duration {
	acc := l.Accounts[s.Account]
	if !acc.LogsIn() {
		return 0
	}
	return s.CodeLeft(l.Now(), acc.CodeLife())
}

// CodeExpired tells whether the code that was sent is too old by our clock.
func (l *Logins) CodeExpired(s *session.Session) bool { return l.CodeLeft(s) == 0 }

// Code ends a login. providers.ErrWrongCode for a wrong code or one too old; after five tries a new one is needed.
// session.ErrStale where another browser asked for the code, or another code was asked for meanwhile. The credential is
// sealed at rest, per account and customer, and replaces the customer's earlier one. Where an attempt had lost its customer,
// the gateway is asked at once what became of it.
func (l *Logins) Code(ctx context.Context, id, browser, code string) error {
	var acc account.Account
	var asked string
	s, err := l.update(ctx, id, func(t *session.Turn) (err error) {
		if acc, err = l.login(t.S); err != nil {
			return err
		}
		asked, err = t.Logins().TryCode(browser, acc.CodeLife())
		return err
	})
	if err != nil {
		return err
	}
	customer := s.Login.Customer
	challenge, err := l.Sealer.Unseal(sealedChallenge, asked)
	if err != nil {
		return err
	}
	over := context.WithoutCancel(ctx) // a credential that was issued is kept though whoever typed the code has gone
	call, done := context.WithTimeout(over, session.LoginTimeout)
	defer done()
	issued := l.Now()
	var credential providers.Credential
	_, err = account.Call(call, acc, "exchange code", func(call context.Context, gateway providers.Login) (err error) {
		credential, err = gateway.Exchange(call, string(challenge), strings.TrimSpace(code))
		return err
	})
	if errors.Is(err, providers.ErrWrongCode) {
		if s, loadErr := l.Store.Load(over, id); loadErr == nil && s.Login.Done && s.Login.Browser == browser {
			return nil // the same code was taken a moment before: a double click
		}
	}
	if err != nil {
		l.tell(over, id, err)
		return err
	}
	h := wallet.Holder{Merchant: s.Merchant, Account: s.Account, Customer: customer}
	if err := l.Wallet.KeepCredential(over, h, credential, issued); err != nil {
		return err
	}
	return l.loggedIn(over, id, func(t *session.Turn) error { return t.Logins().LoggedIn(browser, asked, customer) })
}

// Remembered logs in a customer whom this browser remembers from an earlier login to a session of the same merchant and account,
// provided that it was the customer's newest: mark is wallet.LoginMark's of then. Else session.ErrStale. Nothing is sent; the
// gateway refuses a token that died meanwhile with the first call, and the customer is asked again.
func (l *Logins) Remembered(ctx context.Context, id, browser, phone, customer, mark string) error {
	s, err := l.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	if _, err := l.login(s); err != nil {
		return err
	}
	if mark == "" || mark != l.Wallet.LoginMark(ctx, s.Account, customer) {
		return session.ErrStale
	}
	return l.loggedIn(ctx, id, func(t *session.Turn) error { return t.Logins().Remembered(browser, phone, customer) })
}

func (l *Logins) loggedIn(ctx context.Context, id string, decide func(*session.Turn) error) error {
	s, err := l.update(ctx, id, decide)
	if err != nil {
		return err
	}
	if a := s.Live(); a != nil && a.State != session.New {
		l.inquireNow(ctx, id, a.N)
	}
	return nil
}
