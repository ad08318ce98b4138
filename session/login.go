package session

import (
	"errors"
	"time"

	"tollgate/providers"
)

// Bounds of a login: a shopper who mistypes gets on, a stranger who tries numbers does not.
const (
	maxCodesSent  = 5
	maxWrongCodes = 5
	maxLookups    = 10
)

const (
	// LoginTimeout bounds the gateway's calls of one press.
	LoginTimeout = 15 * time.Second
	// samePress is how long after a code was sent the same press again sends no other.
	samePress = 5 * time.Second
)

// ErrTooMany says that a session has reached maxCodesSent or maxLookups.
var ErrTooMany = errors.New("session: too many codes")

// LoginLost tells that an attempt lives whose customer's credential was refused: until the customer logs in again nobody
// can ask the gateway what became of it.
func (s *Session) LoginLost() bool {
	return s.Live() != nil && s.Login != nil && s.Login.Customer != "" && !s.Login.Done
}

// MayLogIn tells whether the session's customer may log in: before the first attempt, and where a live one has lost its
// customer.
func (s *Session) MayLogIn() bool { return s.Status() == StatusOpen || s.LoginLost() }

// TakesCustomer tells whether a customer may log in to this session: a transfer to a saved card is its owner's, and so is a
// payment that is under way.
func (s *Session) TakesCustomer(customer string) bool {
	if s.Target != nil && s.Target.Customer != customer {
		return false
	}
	return s.Live() == nil || s.Login == nil || s.Login.Customer == customer
}

// CodesUsedUp tells that no further code can be sent in this session.
func (s *Session) CodesUsedUp() bool { return s.Login != nil && s.Login.Sent >= maxCodesSent }

// PhonesUsedUp tells that no further phone can be looked up in this session.
func (s *Session) PhonesUsedUp() bool { return s.Login != nil && s.Login.Lookups >= maxLookups }

// TriesUsedUp tells that the code that was sent takes no further try.
func (s *Session) TriesUsedUp() bool { return s.Login != nil && s.Login.Wrong >= maxWrongCodes }

// dropLogin forgets a login whose credential the gateway refused, so that the shopper is asked again, with as many codes as
// at first.
func (s *Session) dropLogin() {
	if s.Login != nil && s.Login.Done {
		s.Login.Done, s.Login.Challenge, s.Login.Sent = false, "", 0
	}
}

// DropLogin is dropLogin as a turn of its own.
func (t *Turn) DropLogin() error {
	t.S.dropLogin()
	return nil
}

// repeats tells whether a press asks for what is under way or was done a moment ago.
func (l *Login) repeats(browser, phone string, now time.Time) bool {
	r := l.Asking
	switch {
	case r == nil, r.Browser != browser, r.Phone != phone:
		return false
	case r.Open:
		return now.Before(r.At.Add(2 * LoginTimeout)) // after that the process that called is dead
	}
	return now.Before(r.At.Add(samePress)) && (r.Unknown || l.Challenge != "" && l.Phone == phone && l.Browser == browser)
}

// Logins decides about a session's login.
type Logins struct{ *Turn }

// Logins is a turn that decides about the session's login.
func (t *Turn) Logins() Logins { return Logins{t} }

// Press is what a press on "send the code" may do.
type Press struct {
	N        int    // the request's number
	Repeated bool   // the same press was made a moment ago: nothing is sent, N is that one's
	Customer string // the customer of the phone, where it is known already: then the code is counted too
}

// AskCode takes one press on "send the code" before the gateway is called. ErrStale where nobody may log in, ErrTooMany
// where the session has had its share.
func (t Logins) AskCode(browser, phone string) (Press, error) {
	if !t.S.MayLogIn() {
		return Press{}, ErrStale
	}
	if t.S.Login == nil {
		t.S.Login = &Login{}
	}
	l, press := t.S.Login, Press{}
	if l.Asking != nil {
		press.N = l.Asking.N
	}
	if press.Repeated = l.repeats(browser, phone, t.Now); press.Repeated {
		return press, ErrNothing
	}
	switch {
	case t.S.CodesUsedUp():
		return press, ErrTooMany
	case l.Phone == phone && l.Customer != "":
		press.Customer = l.Customer
		l.Sent++
	case t.S.PhonesUsedUp():
		return press, ErrTooMany
	default:
		l.Lookups++
	}
	press.N++
	l.Asking = &CodeRequest{N: press.N, Browser: browser, Phone: phone, At: t.Now, Open: true}
	return press, nil
}

// CountCode counts the code that a request is about to send. ErrStale where a later press came, ErrTooMany where the session
// has had its share.
func (t Logins) CountCode(n int) error {
	switch {
	case t.S.Login.Asking.N != n:
		return ErrStale
	case t.S.CodesUsedUp():
		return ErrTooMany
	}
	t.S.Login.Sent++
	return nil
}

// CodeNotSent notes that a request for a code came to nothing; unknown, that the gateway has no such customer.
func (t Logins) CodeNotSent(n int, unknown bool) error {
	r := t.S.Login.Asking
	if r.N != n {
		return ErrNothing
	}
	r.Open, r.Unknown, r.At = false, unknown, t.Now
	return nil
}

// CodeSent stores the challenge of the code that was sent, sealed. ErrStale where a later press came.
func (t Logins) CodeSent(n int, browser, phone, customer, sealed string) error {
	l := t.S.Login
	if !t.S.MayLogIn() || l.Asking.N != n || !t.S.TakesCustomer(customer) {
		return ErrStale
	}
	l.Browser, l.Phone, l.Customer, l.Challenge, l.SentAt = browser, phone, customer, sealed, t.Now
	l.Wrong, l.Done = 0, false
	l.Asking.Open, l.Asking.At = false, t.Now
	return nil
}

// OtherPhone lets a shopper enter another phone. No counter is set back.
func (t Logins) OtherPhone(browser string) error {
	l := t.S.Login
	if l == nil || l.Done || l.Browser != browser || l.Challenge == "" || t.S.Status() != StatusOpen {
		return ErrNothing
	}
	l.Challenge = ""
	return nil
}

// CodeLeft is how long the code that was sent is still good, of codes that live so long; not below zero.
func (s *Session) CodeLeft(now time.Time, life time.Duration) time.Duration {
	if s.Login == nil {
		return 0
	}
	return max(0, s.Login.SentAt.Add(life).Sub(now))
}

// TryCode takes one try of a code before the gateway is called, and answers the sealed challenge. ErrStale where this
// browser was sent none, providers.ErrWrongCode where the code is too old or has had its tries.
func (t Logins) TryCode(browser string, life time.Duration) (challenge string, err error) {
	l := t.S.Login
	switch {
	case !t.S.MayLogIn(), l == nil, l.Challenge == "", l.Browser != browser:
		return "", ErrStale
	case t.S.TriesUsedUp(), t.S.CodeLeft(t.Now, life) == 0:
		return "", providers.ErrWrongCode
	}
	l.Wrong++
	return l.Challenge, nil
}

// LoggedIn ends a login: the code proved the phone that it was sent to, and no other (ErrStale). Where an attempt had lost
// its customer, or ended without the gateway's word, the gateway is asked.
func (t Logins) LoggedIn(challenge, customer string) error {
	if t.S.Login.Challenge != challenge {
		return ErrStale
	}
	t.verified(customer)
	return nil
}

// Remembered logs a customer in whom this browser remembers, without a code. The caller has checked that the login still holds.
// ErrStale where nobody may log in, or somebody has.
func (t Logins) Remembered(browser, phone, customer string) error {
	s := t.S
	if !s.MayLogIn() || s.Login != nil && s.Login.Done || !s.TakesCustomer(customer) {
		return ErrStale
	}
	if s.Login == nil {
		s.Login = &Login{}
	}
	s.Login.Browser, s.Login.Phone, s.Login.Customer = browser, phone, customer
	t.verified(customer)
	return nil
}

func (t Logins) verified(customer string) {
	t.S.Login.Done, t.S.Login.Challenge = true, ""
	t.record(EventCustomerVerified, map[string]any{"customer": customer})
	if a := t.S.Last(); a != nil && a.State.Live() {
		a.NewsAt = t.Now
		t.queueInquiry(a, t.Now.Add(fastFirst))
	} else if a != nil && (a.State == Failed || a.State == Abandoned) {
		t.queueRecheck(a, t.Now)
	}
}
