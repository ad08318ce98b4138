package session

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tollgate/providers"
)

// Login is how far a session's customer is with logging in; it belongs to the session, before any attempt.
type Login struct {
	Browser   string    `json:"browser,omitempty"` // that asked for the code: only there is it taken, and are the customer's cards shown
	Phone     string    `json:"phone"`             // digits, country code first
	Customer  string    `json:"customer"`
	Challenge string    `json:"challenge,omitempty"` // sealed
	SentAt    time.Time `json:"sent_at"`
	Wrong     int       `json:"wrong,omitempty"` // codes that did not fit, since the last one sent
	Sent      int       `json:"sent"`            // codes sent in this session
	Done      bool      `json:"done,omitempty"`
}

// Bounds of a login: a shopper who mistypes gets on, a stranger who tries numbers does not.
const (
	maxCodesSent  = 5
	maxWrongCodes = 5
)

// ErrTooMany says that a session has had its share of codes.
var ErrTooMany = errors.New("session: too many codes")

const (
	challengeName  = "login"
	credentialName = "credential"
)

// NeedsLogin tells whether the account wants the customer before the card, and this session's has not logged in.
func (f *Flow) NeedsLogin(s *Session) bool {
	acc, err := f.account(s)
	if err != nil {
		return false
	}
	_, wants := acc.Provider.(providers.Login)
	return wants && (s.Login == nil || !s.Login.Done)
}

// LoginPhone begins a login: the gateway is asked for the customer and sends a code. providers.ErrNoCustomer where it knows
// none, and where the session's transfer goes to a card of another customer's. It may be repeated, with the same or another
// phone.
func (f *Flow) LoginPhone(ctx context.Context, id, browser, phone string) error {
	s, login, err := f.login(ctx, id)
	if err != nil {
		return err
	}
	if s.Login != nil && s.Login.Sent >= maxCodesSent {
		return ErrTooMany
	}
	call, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	customer, err := login.FindCustomer(call, phone)
	if err != nil {
		return err
	}
	if s.Target != nil && s.Target.Customer != customer {
		return providers.ErrNoCustomer
	}
	challenge, err := login.SendCode(call, customer)
	if err != nil {
		return err
	}
	sealed, err := f.Sealer.Seal(challengeName, []byte(challenge))
	if err != nil {
		return err
	}
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		if s.Status() != StatusOpen {
			return ErrEnded
		}
		sent := 1
		if s.Login != nil {
			sent += s.Login.Sent
		}
		s.Login = &Login{Browser: browser, Phone: phone, Customer: customer, Challenge: sealed, SentAt: f.Now(), Sent: sent}
		return nil
	})
	return err
}

const loginTimeout = 15 * time.Second

// login finds who logs a session's customer in.
func (f *Flow) login(ctx context.Context, id string) (*Session, providers.Login, error) {
	s, err := f.Store.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	acc, err := f.account(s)
	if err != nil {
		return nil, nil, err
	}
	login, ok := acc.Provider.(providers.Login)
	if !ok || s.Status() != StatusOpen {
		return nil, nil, ErrStale
	}
	return s, login, nil
}

// CodeLeft is how long the code that was sent is still good by our clock; not below zero.
func (f *Flow) CodeLeft(s *Session) time.Duration {
	acc, err := f.account(s)
	if err != nil || s.Login == nil {
		return 0
	}
	login, ok := acc.Provider.(providers.Login)
	if !ok {
		return 0
	}
	return max(0, s.Login.SentAt.Add(login.CodeLife()).Sub(f.Now()))
}

// CodeExpired tells whether the code that was sent is too old by our clock.
func (f *Flow) CodeExpired(s *Session) bool { return f.CodeLeft(s) == 0 }

// LoginCode ends a login. providers.ErrWrongCode for a wrong code or one too old; after five of them a new one is needed.
// ErrStale where another browser asked for the code, or another code was asked for meanwhile. The credential is sealed at
// rest, per account and customer, and replaces the customer's earlier one.
func (f *Flow) LoginCode(ctx context.Context, id, browser, code string) error {
	s, login, err := f.login(ctx, id)
	if err != nil {
		return err
	}
	if s.Login == nil || s.Login.Challenge == "" || s.Login.Browser != browser {
		return ErrStale
	}
	asked := s.Login.Challenge
	if s.Login.Wrong >= maxWrongCodes || f.CodeExpired(s) {
		return providers.ErrWrongCode
	}
	challenge, err := f.Sealer.Unseal(challengeName, asked)
	if err != nil {
		return err
	}
	call, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	issued := f.Now()
	credential, err := login.Exchange(call, string(challenge), strings.TrimSpace(code))
	if errors.Is(err, providers.ErrWrongCode) {
		_, saveErr := f.update(ctx, id, func(s *Session, c *Change) error {
			if s.Login.Challenge != asked {
				return ErrStale
			}
			s.Login.Wrong++
			return nil
		})
		return cmp.Or(saveErr, err)
	}
	if err != nil {
		return err
	}
	sealed, err := f.Sealer.Seal(credentialName, []byte(credential.Token.Reveal()))
	if err != nil {
		return err
	}
	if err := f.Customers.SaveCredential(ctx, s.Merchant, s.Account, s.Login.Customer, sealed, issued, credential.ExpiresAt); err != nil {
		return err
	}
	_, err = f.update(ctx, id, func(s *Session, c *Change) error {
		if s.Login.Challenge != asked { // the code proves the phone it was sent to, and no other
			return ErrStale
		}
		s.Login.Done, s.Login.Challenge = true, ""
		f.event(s, c, "session.customer_verified", map[string]any{"customer": s.Login.Customer})
		return nil
	})
	return err
}

// credential is the newest of the session's customer; empty where there is none.
func (f *Flow) credential(ctx context.Context, s *Session) providers.Secret {
	if s.Login == nil || f.Customers == nil {
		return providers.Secret{}
	}
	sealed, err := f.Customers.Credential(ctx, s.Account, s.Login.Customer)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			f.Log.Error("cannot read a credential", "session", s.ID, "error", err)
		}
		return providers.Secret{}
	}
	raw, err := f.Sealer.Unseal(credentialName, sealed)
	if err != nil {
		f.Log.Error("a stored credential cannot be opened", "session", s.ID)
		return providers.Secret{}
	}
	return providers.NewSecret(string(raw))
}

// refused forgets a login whose credential the gateway refuses, so that the shopper is asked again.
func (f *Flow) refused(s *Session) {
	if s.Login != nil {
		s.Login.Done = false
		s.Login.Challenge = ""
		s.Login.Sent = 0
	}
}
