package session

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tollgate/providers"
)

// Login is how far a session's customer is with logging in. It comes before the first attempt; where the gateway refuses the
// customer's credential later on, it is passed once more.
type Login struct {
	Browser   string    `json:"browser,omitempty"` // that asked for the code: only there is it taken, and are the customer's cards shown
	Phone     string    `json:"phone"`             // digits, country code first
	Customer  string    `json:"customer"`
	Challenge string    `json:"challenge,omitempty"` // sealed
	SentAt    time.Time `json:"sent_at"`
	Done      bool      `json:"done,omitempty"`

	// What was used up. Each is counted in the store before the gateway is called, so that no number of requests at once gets
	// past its bound. What is counted stays counted, also where the call then fails to reach the gateway.
	Wrong   int `json:"wrong,omitempty"`   // codes tried since the last one was sent
	Sent    int `json:"sent"`              // codes asked for in this session
	Lookups int `json:"lookups,omitempty"` // phones looked up in this session, those of nobody included

	Asking *CodeRequest `json:"asking,omitempty"` // the newest request for a code
}

// CodeRequest is one press on "send the code". A second press with the same phone is told by it.
type CodeRequest struct {
	N       int       `json:"n"`
	Browser string    `json:"browser"`
	Phone   string    `json:"phone"`
	At      time.Time `json:"at"`                // when it began; when it ended, once it has
	Open    bool      `json:"open,omitempty"`    // the gateway has not answered yet
	Unknown bool      `json:"unknown,omitempty"` // the gateway has no such customer, or not the one that is wanted
}

// Bounds of a login: a shopper who mistypes gets on, a stranger who tries numbers does not.
const (
	maxCodesSent  = 5
	maxWrongCodes = 5
	maxLookups    = 10
)

// samePress is how long after a code was sent the same press again sends no other.
const samePress = 5 * time.Second

// ErrTooMany says that a session has had its share of codes, or of phones.
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

// LoginLost tells that an attempt lives whose customer's credential was refused: until the customer logs in again nobody
// can ask the gateway what became of it.
func (s *Session) LoginLost() bool {
	return s.Live() != nil && s.Login != nil && s.Login.Customer != "" && !s.Login.Done
}

// CodesUsedUp tells that no further code can be sent in this session.
func (s *Session) CodesUsedUp() bool { return s.Login != nil && s.Login.Sent >= maxCodesSent }

// PhonesUsedUp tells that no further phone can be looked up in this session.
func (s *Session) PhonesUsedUp() bool { return s.Login != nil && s.Login.Lookups >= maxLookups }

// TriesUsedUp tells that the code that was sent takes no further try.
func (s *Session) TriesUsedUp() bool { return s.Login != nil && s.Login.Wrong >= maxWrongCodes }

// repeats tells whether a press asks for what is under way or was done a moment ago.
func (l *Login) repeats(browser, phone string, now time.Time) bool {
	r := l.Asking
	switch {
	case r == nil, r.Browser != browser, r.Phone != phone:
		return false
	case r.Open:
		return now.Before(r.At.Add(2 * loginTimeout)) // after that whoever asked is dead
	}
	return now.Before(r.At.Add(samePress)) && (r.Unknown || l.Challenge != "" && l.Phone == phone && l.Browser == browser)
}

// LoginPhone begins a login: the gateway is asked for the customer and sends a code. providers.ErrNoCustomer where it knows
// none, where the session's transfer goes to a card of another customer's, and where another customer's payment is under
// way; ErrTooMany where the session has had its share. It may be repeated, with the same or another phone; the same press
// twice sends one code, and of two presses the later one counts.
func (f *Flow) LoginPhone(ctx context.Context, id, browser, phone string) error {
	var login providers.Login
	var customer string // where it is known already
	var n int
	repeat := false
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		var err error
		if login, err = f.login(s); err != nil {
			return err
		}
		l := s.Login
		if l == nil {
			l = &Login{}
			s.Login = l
		}
		if n = 0; l.Asking != nil {
			n = l.Asking.N
		}
		if repeat = l.repeats(browser, phone, f.Now()); repeat {
			return errNothing
		}
		if s.CodesUsedUp() {
			return ErrTooMany
		}
		if customer = ""; l.Phone == phone && l.Customer != "" {
			customer = l.Customer
			l.Sent++
		} else if s.PhonesUsedUp() {
			return ErrTooMany
		} else {
			l.Lookups++
		}
		n++
		l.Asking = &CodeRequest{N: n, Browser: browser, Phone: phone, At: f.Now(), Open: true}
		return nil
	})
	if err != nil {
		return err
	}
	if repeat {
		return f.awaitCode(ctx, id, n)
	}
	over := context.WithoutCancel(ctx) // what came of the request is written down though whoever made it has gone
	call, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	if customer == "" {
		if customer, err = login.FindCustomer(call, phone); err == nil && !s.mayLogIn(customer) {
			err = providers.ErrNoCustomer
		}
		if err != nil {
			return cmp.Or(f.codeRequestEnds(over, id, n, errors.Is(err, providers.ErrNoCustomer)), err)
		}
		if _, err = f.update(over, id, func(s *Session, c *Change) error {
			switch {
			case s.Login.Asking.N != n:
				return ErrStale
			case s.CodesUsedUp():
				return ErrTooMany
			}
			s.Login.Sent++
			return nil
		}); err != nil {
			return cmp.Or(f.codeRequestEnds(over, id, n, false), err)
		}
	}
	challenge, err := login.SendCode(call, customer)
	if err != nil {
		return cmp.Or(f.codeRequestEnds(over, id, n, false), err)
	}
	sealed, err := f.Sealer.Seal(challengeName, []byte(challenge))
	if err != nil {
		return err
	}
	_, err = f.update(over, id, func(s *Session, c *Change) error {
		if _, err := f.login(s); err != nil {
			return err
		}
		l := s.Login
		if l.Asking.N != n || !s.mayLogIn(customer) {
			return ErrStale
		}
		l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt = browser, phone, customer, sealed, f.Now()
		l.Wrong, l.Done = 0, false
		l.Asking.Open, l.Asking.At = false, f.Now()
		return nil
	})
	return err
}

const loginTimeout = 15 * time.Second

// mayLogIn tells whether a customer may log in to this session: a transfer to a saved card is its owner's, and so is a
// payment that is under way.
func (s *Session) mayLogIn(customer string) bool {
	if s.Target != nil && s.Target.Customer != customer {
		return false
	}
	return s.Live() == nil || s.Login == nil || s.Login.Customer == customer
}

// codeRequestEnds notes that a request for a code came to nothing.
func (f *Flow) codeRequestEnds(ctx context.Context, id string, n int, unknown bool) error {
	_, err := f.update(ctx, id, func(s *Session, c *Change) error {
		r := s.Login.Asking
		if r.N != n {
			return errNothing
		}
		r.Open, r.Unknown, r.At = false, unknown, f.Now()
		return nil
	})
	return err
}

// awaitCode waits a moment for what comes of a request that somebody else made, so that the page that is shown next is the
// one that follows.
func (f *Flow) awaitCode(ctx context.Context, id string, n int) error {
	limited, done := context.WithTimeout(ctx, SubmitWait)
	defer done()
	s, err := f.Wait(limited, id, func(s *Session) bool { return s.Login.Asking.N != n || !s.Login.Asking.Open })
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
	_, err := f.update(ctx, id, func(s *Session, c *Change) error {
		if l := s.Login; l == nil || l.Done || l.Browser != browser || l.Challenge == "" || s.Status() != StatusOpen {
			return errNothing
		}
		s.Login.Challenge = ""
		return nil
	})
	return err
}

// login finds who logs a session's customer in: before the first attempt, and where a live one has lost its customer.
func (f *Flow) login(s *Session) (providers.Login, error) {
	acc, err := f.account(s)
	if err != nil {
		return nil, err
	}
	login, ok := acc.Provider.(providers.Login)
	if !ok || s.Status() != StatusOpen && !s.LoginLost() {
		return nil, ErrStale
	}
	return login, nil
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

// LoginCode ends a login. providers.ErrWrongCode for a wrong code or one too old; after five tries a new one is needed.
// ErrStale where another browser asked for the code, or another code was asked for meanwhile. The credential is sealed at
// rest, per account and customer, and replaces the customer's earlier one. Where an attempt had lost its customer, the
// gateway is asked at once what became of it.
func (f *Flow) LoginCode(ctx context.Context, id, browser, code string) error {
	var login providers.Login
	s, err := f.update(ctx, id, func(s *Session, c *Change) error {
		var err error
		switch login, err = f.login(s); {
		case err != nil:
			return err
		case s.Login == nil, s.Login.Challenge == "", s.Login.Browser != browser:
			return ErrStale
		case s.TriesUsedUp(), f.CodeExpired(s):
			return providers.ErrWrongCode
		}
		s.Login.Wrong++
		return nil
	})
	if err != nil {
		return err
	}
	asked, customer := s.Login.Challenge, s.Login.Customer
	challenge, err := f.Sealer.Unseal(challengeName, asked)
	if err != nil {
		return err
	}
	over := context.WithoutCancel(ctx) // a credential that was issued is kept though whoever typed the code has gone
	call, done := context.WithTimeout(over, loginTimeout)
	defer done()
	issued := f.Now()
	credential, err := login.Exchange(call, string(challenge), strings.TrimSpace(code))
	if errors.Is(err, providers.ErrWrongCode) {
		if s, loadErr := f.Store.Load(over, id); loadErr == nil && s.Login.Done && s.Login.Browser == browser {
			return nil // the same code was taken a moment before: a double click
		}
	}
	if err != nil {
		return err
	}
	sealed, err := f.Sealer.Seal(credentialName, []byte(credential.Token.Reveal()))
	if err != nil {
		return err
	}
	if err := f.Customers.SaveCredential(over, s.Merchant, s.Account, customer, sealed, issued, credential.ExpiresAt); err != nil {
		return err
	}
	s, err = f.update(over, id, func(s *Session, c *Change) error {
		if s.Login.Challenge != asked { // the code proves the phone it was sent to, and no other
			return ErrStale
		}
		s.Login.Done, s.Login.Challenge = true, ""
		f.event(s, c, "session.customer_verified", map[string]any{"customer": customer})
		if a := s.Last(); a != nil && a.State.Live() {
			a.NewsAt = f.Now()
			c.Jobs = append(c.Jobs, f.inquireJob(s, a, f.Now().Add(fastFirst)))
		} else if a != nil && (a.State == Failed || a.State == Abandoned) {
			c.Jobs = append(c.Jobs, f.lookJob(s, a, f.Now()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a := s.Live(); a != nil && a.State != New {
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
	limited, done := context.WithTimeout(ctx, SubmitWait)
	defer done()
	select {
	case <-answered:
	case <-limited.Done():
	}
}

// credential is the newest of the session's customer; empty where there is none.
func (f *Flow) credential(ctx context.Context, s *Session) providers.Secret {
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
		if !errors.Is(err, ErrNotFound) {
			f.Log.Error("cannot read a credential", "account", account, "error", err)
		}
		return "", providers.Secret{}
	}
	raw, err := f.Sealer.Unseal(credentialName, sealed)
	if err != nil {
		f.Log.Error("a stored credential cannot be opened", "account", account)
		return sealed, providers.Secret{}
	}
	return sealed, providers.NewSecret(string(raw))
}

// forget drops a credential that the gateway refused, unless the customer has a newer one by now, which it tells.
func (f *Flow) forget(ctx context.Context, account, customer string, refused providers.Secret) (newer bool) {
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

// loggedOut forgets the login of a session whose customer's credential the gateway refused, so that the shopper is asked
// again, with as many codes as at first. A customer who has logged in meanwhile stays logged in.
func (f *Flow) loggedOut(ctx context.Context, s *Session, refused providers.Secret) {
	if s.Login == nil || f.forget(ctx, s.Account, s.Login.Customer, refused) || !s.Login.Done {
		return
	}
	s.Login.Done, s.Login.Challenge, s.Login.Sent = false, "", 0
}

// needsLogin is ErrLogin where err is the gateway's refusal of a customer's credential, which is then forgotten.
func (f *Flow) needsLogin(ctx context.Context, account string, o providers.Owner, err error) error {
	if !errors.Is(err, providers.ErrCredential) {
		return err
	}
	f.forget(context.WithoutCancel(ctx), account, o.CustomerID, o.Credential)
	return errors.Join(ErrLogin, err)
}
